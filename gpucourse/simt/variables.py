"""The source's variables in PTX compiled with `-G`: which register holds which one, where, and of what type.

A debugger knows this from the debug sections (DWARF 2, as `.b8` lists); so do we. In them a code address is a label;
here it is the label's line in the PTX text. What is not in a register (an array, a variable whose address is
taken) is left out, and so is everything where the sections are not as expected: then no variable is known.

Sources: DWARF Debugging Information Format 2.0; NVIDIA's "PTX Writer's Guide to Interoperability", debug information.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Variable:
    """A variable or parameter of the source; `dtype` is NumPy's name of its type.

    `places` are (PTX line, register): once what stands before that line has been executed, the register has the
    variable's value. The debug sections give ranges of lines, but a range runs on in the text, into the `else` behind
    an `if`, where it is wrong; only its start is right. With a `home`, the variable is always in that one register.
    `scope` are the lines from and up to, without, which it exists.
    """

    name: str
    dtype: str
    places: tuple[tuple[int, str], ...]
    home: str | None
    scope: tuple[int, int]


def variables(ptx: str) -> list[Variable]:
    """Return the variables that registers hold, outer scopes first; none for PTX without debug sections."""
    sections = _sections(ptx)
    if "debug_info" not in sections or "debug_abbrev" not in sections:
        return []
    try:
        return list(_Reader(sections).variables())
    except (IndexError, KeyError, ValueError):   # another version of the format
        return []


def decoded(bits: NDArray[np.uint64], dtype: str) -> list[float | int | bool]:
    """Return the values of registers' raw bits as Python numbers."""
    size = np.dtype(dtype).itemsize
    values = np.ascontiguousarray(bits.astype(np.uint64)).view(np.uint8).reshape(-1, 8)[:, :size]
    held: list[float | int | bool] = np.ascontiguousarray(values).view(dtype).reshape(-1).tolist()
    return held


# --- the text of the sections ------------------------------------------------------------------------

_SECTION = re.compile(r"^\s*\.section\s+\.(\w+)\s*\{(.*?)^\s*\}", re.MULTILINE | re.DOTALL)
_ITEM = re.compile(r"\.b(8|16|32|64)\s+([^\n]+)")
_LABEL = re.compile(r"^\s*(\$?[\w$]+):", re.MULTILINE)


def _sections(ptx: str) -> dict[str, bytes]:
    """Each debug section as bytes; a label counts as the line in which it stands, a section's name as 0."""
    ends = [match.end() for match in re.finditer("\n", ptx)]
    lines = {match[1]: bisect_right(ends, match.start(1)) + 1 for match in _LABEL.finditer(ptx)}
    return {match[1]: b"".join(_bytes(match[2], lines)) for match in _SECTION.finditer(ptx)}


def _bytes(text: str, lines: dict[str, int]) -> Iterator[bytes]:
    for bits, items in _ITEM.findall(text):
        for item in items.split(","):
            value = sum(_number(part.strip(), lines) for part in item.split("+"))
            yield (value % (1 << int(bits))).to_bytes(int(bits) // 8, "little")


def _number(text: str, lines: dict[str, int]) -> int:
    if re.fullmatch(r"-?\d+|0[xX][0-9a-fA-F]+", text):
        return int(text, 0)
    return lines.get(text, 0)


# --- DWARF -------------------------------------------------------------------------------------------

_NAME, _LOCATION, _LOW, _HIGH, _TYPE, _SIZE, _ENCODING = 0x03, 0x02, 0x11, 0x12, 0x49, 0x0B, 0x3E
_VARIABLE_TAGS, _THROUGH_TAGS, _BASE_TYPE = (0x05, 0x34), (0x16, 0x26, 0x35), 0x24
_REGISTER = 0x90  # the operation DW_OP_regx
#: (encoding, bytes) -> dtype; encodings: boolean, float, signed, signed char, unsigned, unsigned char.
_DTYPES = {
    **{(2, n): f"u{n}" for n in (1,)}, **{(4, n): f"f{n}" for n in (2, 4, 8)},
    **{(code, n): f"i{n}" for code in (5, 6) for n in (1, 2, 4, 8)},
    **{(code, n): f"u{n}" for code in (7, 8) for n in (1, 2, 4, 8)},
}  # fmt: skip


class _Bytes:
    """Reads numbers from bytes, one after the other."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise IndexError(self.at)
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def uleb(self) -> int:
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def string(self) -> str:
        end = self.data.index(0, self.at)
        text = self.take(end - self.at).decode(errors="replace")
        self.at += 1
        return text


Value = int | str | bytes
_FORMS: dict[int, Callable[[_Bytes], Value]] = {
    0x01: lambda r: r.number(8), 0x03: lambda r: r.take(r.number(2)), 0x04: lambda r: r.take(r.number(4)),
    0x05: lambda r: r.number(2), 0x06: lambda r: r.number(4), 0x07: lambda r: r.number(8),
    0x08: lambda r: r.string(), 0x09: lambda r: r.take(r.uleb()), 0x0A: lambda r: r.take(r.number(1)),
    0x0B: lambda r: r.number(1), 0x0C: lambda r: r.number(1), 0x0D: lambda r: r.uleb(), 0x0E: lambda r: r.number(4),
    0x0F: lambda r: r.uleb(), 0x10: lambda r: r.number(8), 0x11: lambda r: r.number(1), 0x12: lambda r: r.number(2),
    0x13: lambda r: r.number(4), 0x14: lambda r: r.number(8), 0x15: lambda r: r.uleb(), 0x17: lambda r: r.number(4),
    0x18: lambda r: r.take(r.uleb()), 0x19: lambda r: 1,
}  # fmt: skip


@dataclass
class _Entry:
    """A debugging information entry: its tag, its attributes, and the part of the PTX text it belongs to."""

    tag: int
    scope: tuple[int, int]
    attributes: dict[int, Value] = field(default_factory=dict)


class _Reader:
    """The entries of `.debug_info`, and what they say of variables."""

    def __init__(self, sections: dict[str, bytes]) -> None:
        self.locations = sections.get("debug_loc", b"")
        self.forms = dict(_abbreviations(_Bytes(sections["debug_abbrev"])))
        self.entries = dict(self._entries(_Bytes(sections["debug_info"])))

    def _entries(self, reader: _Bytes) -> Iterator[tuple[int, _Entry]]:
        """(offset, entry); the header of the only compilation unit takes 11 bytes."""
        reader.at, scopes = 11, [(0, 1 << 62)]
        while reader.at < len(reader.data) and scopes:
            offset, code = reader.at, reader.uleb()
            if code == 0:
                scopes.pop()
                continue
            tag, children, forms = self.forms[code]
            entry = _Entry(tag, scopes[-1])
            entry.attributes = {attribute: _FORMS[form](reader) for attribute, form in forms}
            yield offset, entry
            if children:
                scopes.append(_own_scope(entry))

    def variables(self) -> Iterator[Variable]:
        for entry in self.entries.values():
            name, location = entry.attributes.get(_NAME), entry.attributes.get(_LOCATION)
            if entry.tag not in _VARIABLE_TAGS or not isinstance(name, str) or location is None:
                continue
            dtype, home = self._dtype(entry), _register(location) if isinstance(location, bytes) else None
            places = () if isinstance(location, bytes) else tuple(self._places(int(location)))
            if dtype and (home or places):
                yield Variable(name, dtype, places, home, entry.scope)

    def _places(self, offset: int) -> Iterator[tuple[int, str]]:
        """Where ranges begin; their end does not matter."""
        for first, _, expression in _ranges(_Bytes(self.locations, offset)):
            register = _register(expression)
            if register:
                yield first, register

    def _dtype(self, entry: _Entry) -> str:
        """NumPy's name of an entry's type, seen through `const`, `volatile` and typedefs; "" for any other."""
        for _ in range(10):
            held = self.entries.get(int(entry.attributes.get(_TYPE, -1)))
            if held is None or held.tag not in (_BASE_TYPE, *_THROUGH_TAGS):
                return ""
            if held.tag == _BASE_TYPE:
                return _DTYPES.get((int(held.attributes[_ENCODING]), int(held.attributes[_SIZE])), "")
            entry = held
        return ""


def _abbreviations(reader: _Bytes) -> Iterator[tuple[int, tuple[int, int, list[tuple[int, int]]]]]:
    """(code, (tag, whether entries have children, (attribute, form) of each)) from `.debug_abbrev`."""
    while code := reader.uleb():
        tag, children, forms = reader.uleb(), reader.number(1), []
        while (pair := (reader.uleb(), reader.uleb())) != (0, 0):
            forms.append(pair)
        yield code, (tag, children, forms)


def _own_scope(entry: _Entry) -> tuple[int, int]:
    low, high = entry.attributes.get(_LOW), entry.attributes.get(_HIGH)
    return (low, high) if isinstance(low, int) and isinstance(high, int) else entry.scope


def _ranges(reader: _Bytes) -> Iterator[tuple[int, int, bytes]]:
    while (pair := (reader.number(8), reader.number(8))) != (0, 0):
        yield *pair, reader.take(reader.number(2))


def _register(expression: bytes) -> str | None:
    """The register that a location names, None if it is none; its number is its name, the first letter highest."""
    if expression[:1] != bytes([_REGISTER]):
        return None
    return _Bytes(expression, 1).uleb().to_bytes(8, "big").lstrip(b"\0").decode()
