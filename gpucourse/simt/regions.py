"""The memory that the sanitizer watches: global allocations and each wave's shared memory, with names for places.

A `Region` turns the addresses of an access into byte offsets, knows which bytes belong to no variable (red zones),
which were never written, and how a byte is called in the source.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucourse.simt.heap import Heap
from gpucourse.simt.memory import Allocation, Strips
from gpucourse.simt.ptx import Instruction, Variable
from gpucourse.simt.races import Shadow
from gpucourse.simt.registers import Ints
from gpucourse.simt.trace import Access

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Place:
    """A byte of a region in the source's terms: element `index` of `array`, which has `length` elements."""

    array: str
    index: int
    length: int
    where: str

    def __str__(self) -> str:
        return f"element {self.index} of `{self.array}`{self.where}"


@dataclass
class Region:
    """`data` are the bytes; `unwritten` and `inside` flag bytes (None: all written, all inside an array)."""

    data: NDArray[np.uint8]
    shadow: Shadow
    unwritten: Flags | None
    inside: Flags | None
    place: Callable[[int, int], Place]

    def changed(self, access: Access, start: Ints, lanes: Ints) -> Flags:
        """Whether the stores of `lanes` (positions) differ from what is in memory; `start` as byte offsets."""
        differs = np.zeros(len(lanes), bool)
        for number, value in enumerate(access.values):
            held = self.data[: len(self.data) // access.size * access.size].view(value.dtype)
            differs |= held[start[lanes] // access.size + number] != value[lanes]
        return differs

    def never_written(self, access: Access, start: Ints) -> Ints:
        """Lanes that read an element of which no byte was ever written."""
        if self.unwritten is None:
            return np.zeros(0, np.int64)
        blank = self.unwritten[_bytes(access, start)].reshape(len(start), access.count, access.size)
        found: Ints = np.flatnonzero(np.any(np.all(blank, axis=2), axis=1))
        return found

    def write(self, access: Access, start: Ints) -> None:
        """Note that the bytes of a store or atomic are written."""
        if self.unwritten is not None:
            self.unwritten[_bytes(access, start).ravel()] = False

    def outside(self, access: Access, start: Ints) -> Ints:
        """Lanes that touch a byte outside every array."""
        if self.inside is None:
            return np.zeros(0, np.int64)
        found: Ints = np.flatnonzero(~self.inside[_bytes(access, start)].all(axis=1))
        return found


def _bytes(access: Access, start: Ints) -> Ints:
    """Byte offsets of an access, shape (lanes, bytes)."""
    return start[:, None] + np.arange(access.bytes)


def global_region(
    allocation: Allocation, instructions: list[Instruction], unwritten: Flags | None, views: list[tuple[int, int, str]]
) -> Region:
    """The region of a global allocation; `views` are (first byte, end, name) of the arrays that were passed."""
    covered: Flags | None = None
    if views and not any(low == 0 and high == allocation.size for low, high, _ in views):
        covered = np.zeros(allocation.size, bool)
        for low, high, _ in views:
            covered[low:high] = True
        covered = None if covered.all() else covered

    def place(byte: int, size: int) -> Place:
        low, high, name = _nearest(views, byte) or (0, allocation.size, _short(allocation.name))
        return Place(name, (byte - low) // size, (high - low) // size, "")

    return Region(allocation.data, Shadow(allocation.size, instructions), unwritten, covered, place)


def heap_region(heap: Heap, instructions: list[Instruction]) -> Region:
    """The region of a program's heap as far as it was used; it grows with `malloc`."""

    def place(byte: int, size: int) -> Place:
        name, low, high = heap.meant(byte)
        return Place(_short(name), (byte - low) // size, (high - low) // size, name.partition("`malloc`")[2])

    return Region(heap.data, Shadow(heap.used, instructions), np.zeros(heap.size, bool), None, place)


def _nearest(views: list[tuple[int, int, str]], byte: int) -> tuple[int, int, str] | None:
    """The view that holds a byte, or else lies next to it."""
    return min(views, key=lambda v: max(v[0] - byte, byte - v[1] + 1, 0), default=None)


def _short(name: str) -> str:
    """`x` of "`x` (float32, 1000 elements)"."""
    quoted = re.search(r"`([^`]*)`", name)
    return quoted[1] if quoted else name.removeprefix("variable ")


def shared_region(
    strips: Strips, variables: list[tuple[Variable, int]], end: int, instructions: list[Instruction], red_zones: bool
) -> Region:
    """The region of a wave's shared memory; `variables` with offsets, dynamic ones (size 0) reach to `end`."""
    spans = [(at, at + v.size if v.size else end, source_name(v.name)) for v, at in variables]
    inside = np.zeros(strips.pitch, bool)
    for low, high, _ in spans:
        inside[low:high] = True

    def place(byte: int, size: int) -> Place:
        low, high, name = _nearest(spans, byte % strips.pitch) or (0, strips.size, "shared memory")
        return Place(name, (byte % strips.pitch - low) // size, (high - low) // size, " (shared)")

    shadow = Shadow(len(strips.data), instructions)
    return Region(strips.data, shadow, np.ones(len(strips.data), bool), np.tile(inside, strips.count)
                  if red_zones else None, place)  # fmt: skip


def source_name(mangled: str) -> str:
    """The variable's own name: `_ZZ4scanPfE3tmp` is `tmp` (Itanium C++ ABI, "Mangling")."""
    if not mangled.startswith("_Z"):
        return re.sub(r"^.*\$(\w+?)(_\d+)?$", r"\1", mangled)
    for match in re.finditer(r"(?<=[A-Za-z_])(\d+)(?=[A-Za-z_])", mangled):
        name, rest = mangled[match.end() :][: int(match[1])], mangled[match.end() + int(match[1]) :]
        if re.fullmatch(r"E?(_\d+)?E?", rest) and re.fullmatch(r"\w+", name):
            return name
    return mangled


def offsets(access: Access, allocation: Allocation) -> Any:
    """Byte offsets (int64, shape (lanes,)) into a global allocation; what lies outside wraps to huge values."""
    return allocation.offsets(access.address).view(np.int64)
