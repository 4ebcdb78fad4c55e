"""Lanes, and the values that registers hold for them.

A `Fragment` is a set of lanes at the same place of the program, with one NumPy array per register: entry i
belongs to lane i of the fragment. An array of length 1 is a value that all lanes share. Arrays are never
changed in place, so registers may share them. When lanes part, a fragment splits, taking along only the
registers still needed; when paths meet, fragments merge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: One value per lane, or one for all; any dtype of the register's width.
Values = NDArray[Any]
Ints = NDArray[np.int64]
Dim3 = tuple[int, int, int]

WARP = 32
_RAW = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}

# A wave's registers are arrays of about 128 KB, which glibc hands back to the system when they are freed, and takes
# page by page again at the next launch: half the time of a small one. Once a larger block has come and gone it keeps
# up to twice that block (mallopt(3), M_MMAP_THRESHOLD). These 16 MB are never touched, so they cost nothing.
np.empty(16 << 20, np.uint8)


@dataclass(frozen=True)
class Shape:
    """The blocks that run together: `grid` and `block` in threads (x, y, z), `count` blocks from `first`.

    Lanes are numbered by slot: block after block, each padded to whole warps.
    """

    grid: Dim3
    block: Dim3
    first: int
    count: int

    @cached_property
    def threads(self) -> int:
        """Threads of one block."""
        return self.block[0] * self.block[1] * self.block[2]

    @cached_property
    def slots(self) -> int:
        """Slots of one block: its threads rounded up to whole warps."""
        return -(-self.threads // WARP) * WARP

    def block_of(self, slot: int) -> Dim3:
        """Block index (x, y, z) of a slot."""
        return _unravel(self.first + slot // self.slots, self.grid)

    def thread_of(self, slot: int) -> Dim3:
        """Thread index (x, y, z) of a slot."""
        return _unravel(slot % self.slots, self.block)


def _unravel(index: int, extent: Dim3) -> Dim3:
    return index % extent[0], index // extent[0] % extent[1], index // (extent[0] * extent[1])


class Lanes:
    """An ascending set of slots; what derives from it (block, warp, thread index) is computed once."""

    def __init__(self, slot: Ints, shape: Shape, whole: bool = False) -> None:
        self.slot, self.shape, self.whole = slot, shape, whole
        self.count = len(slot)
        self._special: dict[str, Values] = {}

    @cached_property
    def block(self) -> Ints:
        """Block of each lane, counted from the shape's first; shape (lanes,)."""
        return self.slot // self.shape.slots

    @cached_property
    def warp(self) -> Ints:
        """Warp of each lane, counted over all blocks of the shape; shape (lanes,)."""
        return self.slot // WARP

    @cached_property
    def lane(self) -> Ints:
        """Place of each lane in its warp, 0 to 31; shape (lanes,)."""
        return self.slot % WARP

    @cached_property
    def packed(self) -> bool:
        """Whether the lanes are whole warps, so that values reshape to (warps, 32)."""
        if self.count % WARP:
            return False
        first = self.slot[::WARP]
        return bool((first % WARP == 0).all() and (self.slot[WARP - 1 :: WARP] == first + WARP - 1).all())

    @cached_property
    def warps(self) -> Ints:
        """Distinct warps that have a lane here; shape (warps,)."""
        return np.unique(self.warp)

    def special(self, name: str) -> Values:
        """Value of a special register such as `%tid.x` (uint32; shape (lanes,) or (1,))."""
        found = self._special.get(name)
        if found is None:
            found = self._special[name] = _special(self, name)
        return found


@lru_cache(maxsize=64)
def whole(shape: Shape) -> Lanes:
    """All threads of a shape."""
    slot = np.arange(shape.count * shape.slots, dtype=np.int64)
    if shape.slots != shape.threads:
        slot = slot[slot % shape.slots < shape.threads]
    return Lanes(slot, shape, whole=True)


def _special(lanes: Lanes, name: str) -> Values:
    shape = lanes.shape
    root, _, axis_name = name[1:].partition(".")
    axis = "xyz".find(axis_name) if axis_name else 0
    per_lane: dict[str, Callable[[], Any]] = {
        "tid": lambda: _axis(lanes.slot % shape.slots, shape.block, axis),
        "ctaid": lambda: _axis(_blocks(lanes) + shape.first, shape.grid, axis),
        "laneid": lambda: lanes.lane,
        "warpid": lambda: lanes.slot % shape.slots // WARP,
        "lanemask_eq": lambda: 1 << lanes.lane,
        "lanemask_lt": lambda: (1 << lanes.lane) - 1,
        "lanemask_le": lambda: (2 << lanes.lane) - 1,
        "lanemask_gt": lambda: 0xFFFFFFFF - ((2 << lanes.lane) - 1),
        "lanemask_ge": lambda: 0xFFFFFFFF - ((1 << lanes.lane) - 1),
    }
    if root in per_lane:
        return np.asarray(per_lane[root]()).astype(np.uint32)
    fixed = {
        "ntid": shape.block[axis], "nctaid": shape.grid[axis], "nwarpid": shape.slots // WARP,
        "smid": 0, "nsmid": 1, "gridid": 1,
    }  # fmt: skip
    return np.array([fixed[root]], np.uint32)


#: Special registers that depend on nothing but the lanes.
LANE_REGISTERS = frozenset(
    "tid ctaid ntid nctaid laneid warpid nwarpid smid nsmid gridid lanemask_eq lanemask_lt lanemask_le "
    "lanemask_gt lanemask_ge".split()
)


def _blocks(lanes: Lanes) -> Ints:
    return np.zeros(1, np.int64) if lanes.shape.count == 1 else lanes.block


def _axis(index: Ints, extent: Dim3, axis: int) -> Ints:
    if extent[axis] == 1:
        return np.zeros(1, np.int64)
    inner = 1 if axis == 0 else extent[0] if axis == 1 else extent[0] * extent[1]
    scaled = index // inner if inner > 1 else index
    return scaled % extent[axis] if axis < 2 and extent[axis + 1 :] != (1,) * (2 - axis) else scaled


class Registers(dict[str, Values]):
    """Register name -> values; a register that was never written reads as zero."""

    def __missing__(self, name: str) -> Values:
        return _ZERO


_ZERO = np.zeros(1, np.uint64)
_ZERO.flags.writeable = False


@dataclass(slots=True)
class Frame:
    """A caller that waits: its code, the block to return to, its registers, its local memory's base."""

    code: Any
    block: int
    registers: Registers
    local_base: int


@dataclass(slots=True)
class Fragment:
    """Lanes at block `block` of `code`; `stack` holds the callers, outermost first."""

    lanes: Lanes
    registers: Registers
    code: Any
    block: int
    machine: Any
    stack: tuple[Frame, ...] = ()
    local_base: int = 0
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Where the lanes are: sorts so that the place that must run first is the least."""
        callers = (n for f in self.stack for n in (f.code.number, f.code.order[f.block]))
        order = (*callers, self.code.number, self.code.order[self.block])
        return (*order, _LAST), (*(id(f.code) for f in self.stack), id(self.code), self.local_base)


_LAST = 1 << 60


def select(fragment: Fragment, chosen: NDArray[Any], block: int) -> Fragment:
    """The part of a fragment where `chosen` (bool per lane, or positions), at `block`."""
    position = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
    if len(position) == fragment.lanes.count:
        fragment.block = block
        return fragment
    lanes = Lanes(fragment.lanes.slot[position], fragment.lanes.shape)
    count = fragment.lanes.count
    registers = _picked(fragment.registers, fragment.code.live_in[block], position, count)
    stack = tuple(
        Frame(f.code, f.block, _picked(f.registers, f.registers, position, count), f.local_base)
        for f in fragment.stack
    )
    return Fragment(lanes, registers, fragment.code, block, fragment.machine, stack, fragment.local_base)


def _picked(registers: Registers, names: Iterable[str], position: Ints, count: int) -> Registers:
    out = Registers()
    for name in names:
        value = registers.get(name)
        if value is not None:
            out[name] = value if len(value) == 1 and count > 1 else value[position]
    return out


def merge(parts: Sequence[Fragment], all_lanes: Lanes) -> Fragment:
    """Fragments at one place (same code, block and callers) as one, its lanes ascending."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    slot = np.concatenate([p.lanes.slot for p in parts])
    order = np.argsort(slot, kind="stable")
    lanes = all_lanes if len(slot) == all_lanes.count else Lanes(slot[order], first.lanes.shape)
    counts = [p.lanes.count for p in parts]
    registers = _joined([p.registers for p in parts], first.code.live_in[first.block], counts, order)
    stack = tuple(
        Frame(f.code, f.block, _joined([p.stack[i].registers for p in parts], None, counts, order), f.local_base)
        for i, f in enumerate(first.stack)
    )
    return Fragment(lanes, registers, first.code, first.block, first.machine, stack, first.local_base)


def _joined(
    parts: list[Registers], names: Iterable[str] | None, counts: list[int], order: Ints
) -> Registers:
    out = Registers()
    wanted = names if names is not None else set().union(*parts)
    for name in wanted:
        if any(name in part for part in parts):
            out[name] = _join([part[name] for part in parts], counts, order)
    return out


def _join(values: list[Values], counts: list[int], order: Ints) -> Values:
    written = [v for v in values if v is not _ZERO]
    pattern = written[0] if written else values[0]
    if all(len(v) == 1 for v in values) and all(v is pattern or _same(v, pattern) for v in values):
        return pattern
    like = raw(pattern)
    full = [np.broadcast_to(_fit(v, like), (n, *like.shape[1:])) for v, n in zip(values, counts, strict=True)]
    joined: Values = np.concatenate(full)[order]
    return joined


def _same(a: Values, b: Values) -> bool:
    return a.dtype.itemsize == b.dtype.itemsize and a.tobytes() == b.tobytes()


def _fit(value: Values, like: Values) -> Values:
    return np.zeros((1, *like.shape[1:]), like.dtype) if value is _ZERO else raw(value)


def raw(value: Values) -> Values:
    """The same bits as unsigned integers (flags stay bool)."""
    if value.dtype == bool or value.dtype.kind == "u":
        return value
    return value.view(_RAW[value.dtype.itemsize])


def spread(value: Values, count: int) -> Values:
    """`value` with one entry per lane (a read-only view where it was shared)."""
    return value if len(value) == count else np.broadcast_to(value, (count, *value.shape[1:]))
