"""Reads a kernel's parameter list in its CUDA C source: names and types, as far as they are certain."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

# words that say nothing about the type
_QUALIFIERS = re.compile(r"\b(const|volatile|__restrict__|__restrict|__grid_constant__|register)\b")
_INTEGER_WORDS = {"unsigned", "signed", "long", "short", "int", "char"}
# C's names of other scalars -> NumPy's
_SCALARS = {
    "float": "float32", "double": "float64", "bool": "bool", "half": "float16", "__half": "float16",
    "size_t": "uint64", "ptrdiff_t": "int64", "uintptr_t": "uint64", "intptr_t": "int64",
    **{f"{kind}{bits}_t": f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)},
}  # fmt: skip
# vectors of floats: an array of their elements is what they are made from
_FLOATS = {"float": "float32", "double": "float64"}
_VECTORS = {f"{base}{count}": dtype for base, dtype in _FLOATS.items() for count in "1234"}
# PTX types in which a scalar of each size and kind arrives
_PTX = {"f": {4: "f32", 8: "f64"}, "i": {1: "u8", 2: "u16", 4: "u32", 8: "u64"}}


@dataclass(frozen=True)
class Declaration:
    """One parameter as its source declares it; `dtype` is NumPy's (of what a pointer points to), None if unknown."""

    name: str
    text: str
    pointer: bool = False
    dtype: np.dtype | None = None

    @property
    def vector(self) -> bool:
        """Whether it is, or points to, a vector such as float4."""
        return self.text.rstrip(" *") in _VECTORS


def declarations(source: str, kernel: str, types: Sequence[str]) -> list[Declaration]:
    """Return the parameters of `kernel` (a plain or mangled name), or [] where they are not certain.

    `types` are the PTX types of its parameters, against which what was read is held.
    """
    found = {text for name, text in _kernels(_without_comments(source)) if _is(name, kernel)}
    if len(found) != 1:
        return []
    parameters = [declaration(each) for each in _parts(found.pop())]
    if len(parameters) != len(types) or not all(map(_agrees, parameters, types)):
        return []
    return parameters


def declaration(text: str) -> Declaration:
    """Read one parameter: `const float* __restrict__ x` has the name x and the type `float*`.

    >>> declaration("unsigned long long int n = 3").dtype
    dtype('uint64')
    """
    text = _QUALIFIERS.sub(" ", text.split("=")[0])
    name = re.search(r"(\w+)\s*((?:\[[^\]]*\]\s*)*)$", text.strip())
    if name is None:
        return Declaration("", " ".join(text.split()))
    stars = text.count("*") + bool(name[2])
    words = text.strip()[: name.start()].replace("*", " ").split()
    shown = " ".join(words) + "*" * stars
    return Declaration(name[1], shown, bool(stars), _dtype(words) if stars < 2 else None)


def _dtype(words: list[str]) -> np.dtype | None:
    """NumPy's type of C's type specifier; None where it is not a known scalar or a vector of floats."""
    if words and set(words) <= _INTEGER_WORDS:
        return _integer(words)
    name = " ".join(words).removeprefix("std::")
    known = _SCALARS.get(name) or _VECTORS.get(name)
    return np.dtype(known) if known else None


def _integer(words: list[str]) -> np.dtype:
    """`long` has the size that the compiler gives it: 8 bytes, and 4 on Windows."""
    size = 1 if "char" in words else 2 if "short" in words else 4
    if "long" in words:
        size = 8 if words.count("long") > 1 else np.dtype("long").itemsize
    return np.dtype(f"{'u' if 'unsigned' in words else 'i'}{size}")


def _agrees(parameter: Declaration, ptx: str) -> bool:
    """Whether the PTX type is the one that this declaration compiles to."""
    if parameter.pointer:
        return ptx == "u64"
    if parameter.dtype is None:
        return True
    if parameter.vector or parameter.dtype == np.float16:
        return ptx == "b8"
    kind = "f" if parameter.dtype.kind == "f" else "i"
    return _PTX[kind].get(parameter.dtype.itemsize) == ptx


def _is(name: str, kernel: str) -> bool:
    """Whether `kernel` is `name`, or `name` mangled: its length goes before it."""
    return name == kernel or bool(re.search(rf"(?<!\d){len(name)}{re.escape(name)}", kernel))


def _without_comments(source: str) -> str:
    source = source.replace("\\\n", " ")  # a backslash joins two lines
    source = re.sub(r"//[^\n]*|/\*.*?\*/", " ", source, flags=re.DOTALL)
    return re.sub(r"^\s*#[^\n]*", " ", source, flags=re.MULTILINE)


def _kernels(source: str) -> Iterator[tuple[str, str]]:
    """(name, parameter list) of each `__global__` function."""
    source = re.sub(r"__launch_bounds__\s*\([^()]*(?:\([^()]*\)[^()]*)*\)", " ", source)
    for match in re.finditer(r"__global__[^;{}()]*?\b(\w+)\s*\(", source):
        yield match[1], _balanced(source, match.end())


def _balanced(source: str, start: int) -> str:
    """The text from `start` up to the parenthesis that closes the one before it."""
    depth = 1
    for place in range(start, len(source)):
        depth += {"(": 1, ")": -1}.get(source[place], 0)
        if not depth:
            return source[start:place]
    return source[start:]


def _parts(text: str) -> list[str]:
    """Split at the commas that stand in no bracket."""
    parts, depth = [""], 0
    for character in text:
        depth += {"(": 1, "<": 1, "[": 1, ")": -1, ">": -1, "]": -1}.get(character, 0)
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part for part in parts if part.strip()]
