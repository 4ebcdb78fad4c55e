"""The parameter lists of ElementwiseKernel and ReductionKernel: what they say, and which types a call gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .array import ndarray, scalar
from .casting import device_dtype

TypeMap = tuple[tuple[str, np.dtype], ...]  # placeholder -> type


@dataclass(frozen=True)
class Parameter:
    """One of a list such as "T x, raw float32 y": `placeholder` is one character, or `dtype` is fixed."""

    name: str
    dtype: np.dtype | None
    placeholder: str
    raw: bool
    is_const: bool


def parse(text: str, is_const: bool) -> tuple[Parameter, ...]:
    """Read a parameter list; raises Exception or TypeError in CuPy's words."""
    if not isinstance(text, str):
        raise TypeError(f"Argument 's' has incorrect type (expected str, got {type(text).__name__})")
    return tuple(_parse(each, is_const) for each in text.strip().split(",")) if text else ()


def _parse(text: str, is_const: bool) -> Parameter:
    words = text.split()
    if len(words) < 2:
        raise Exception(f"Syntax error: {text}")  # CuPy raises this very class
    kind, name = words[-2:]
    for word in words[:-2]:
        if word not in ("raw", "_non_const"):
            raise Exception(f'Unknown keyword "{word}"')
    fixed = device_dtype(kind) if len(kind) > 1 else None
    return Parameter(name, fixed, "" if fixed else kind, "raw" in words, is_const and "_non_const" not in words)


def preprocess(args: Sequence[Any]) -> list[Any]:
    """Return the arguments, each an array or a scalar; raises TypeError for anything else."""
    return [each if isinstance(each, ndarray) else scalar(each) for each in args]


def decide_types(
    in_params: tuple[Parameter, ...], out_params: tuple[Parameter, ...], ins: list[Any], outs: list[Any]
) -> tuple[list[np.dtype], list[np.dtype], TypeMap]:
    """Return the types of inputs and outputs, and of the placeholders: outputs decide first, scalars never.

    Raises TypeError where two arguments disagree, and KeyError for a placeholder that no array decides.
    """
    known: dict[str, np.dtype] = {}
    if outs:
        for parameter, out in zip(out_params, outs, strict=True):
            _agree(parameter, out._host.dtype, known)
    for parameter, arg in zip(in_params, ins, strict=True):
        if isinstance(arg, ndarray):
            _agree(parameter, arg._host.dtype, known)
    in_types = [each.dtype or known[each.placeholder] for each in in_params]
    out_types = [each.dtype or known[each.placeholder] for each in out_params]
    return in_types, out_types, tuple(sorted(known.items()))


def _agree(parameter: Parameter, dtype: np.dtype, known: dict[str, np.dtype]) -> None:
    if parameter.dtype is not None:
        if parameter.dtype != dtype:
            raise TypeError(f"Type is mismatched. {parameter.name} {dtype} {parameter.dtype}")
    elif known.setdefault(parameter.placeholder, dtype) != dtype:
        other = known[parameter.placeholder]
        raise TypeError(f"Type is mismatched. {parameter.name} {dtype} {other} {parameter.placeholder}")


def broadcast_shape(params: Sequence[Parameter], args: list[Any], size: int | None) -> tuple[int, ...]:
    """Return the shape of the loop: that of all arrays that are not `raw`, or `size`."""
    shapes = [a.shape for p, a in zip(params, args, strict=False) if isinstance(a, ndarray) and not p.raw]
    if size is not None:
        if shapes:
            raise ValueError("Specified 'size' can be used only if all of the ndarray are 'raw'.")
        return (size,)
    if not shapes:
        raise ValueError("Loop size is undecided.")
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        texts = " ".join(map(str, shapes))
        raise ValueError(f"operands could not be broadcast together with shapes {texts}") from None


def outputs(
    params: tuple[Parameter, ...], given: list[Any], types: list[np.dtype], shape: tuple[int, ...], sized: bool
) -> list[ndarray]:
    """Return the given output arrays, checked, or new ones."""
    if not given:
        if any(each.raw for each in params) and not sized:
            raise ValueError("Output array size is Undecided")
        return [ndarray(shape, dtype) for dtype in types]
    for parameter, out in zip(params, given, strict=True):
        if not isinstance(out, ndarray):
            raise TypeError("Output arguments type must be cupy.ndarray")
        if not parameter.raw and out.shape != shape:
            raise ValueError("Out shape is mismatched")
    return given
