"""The device heap: what `malloc` and `free`, `new` and `delete`, hand out and take back inside kernels.

A heap belongs to a program and lives as long: a block that one launch leaves behind is there in the next one. On a
GPU all programs of the process share one heap. Its size is CUDA's default, 8 MiB; blocks begin at multiples of 16
bytes (CUDA C++ Programming Guide, "Dynamic Global Memory Allocation and Operations"). Between blocks bytes stay
free, and freed memory is handed out again only when no other is left, so that accesses beside a block, or to one
that was freed, are noticed. New memory holds what was there: zeros, until memory is used again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpucourse.simt.memory import Allocation, registry

#: Bytes of a heap: cudaLimitMallocHeapSize unless a program sets it.
HEAP_BYTES = 8 << 20
#: Where blocks may begin, and the least number of bytes between two.
BLOCK_ALIGNMENT = 16


@dataclass(slots=True)
class HeapBlock:
    """What one `malloc` gave: offset in the heap and bytes; the source lines of its `malloc` and its `free`."""

    start: int
    size: int
    line: int
    freed: int | None = None

    @property
    def end(self) -> int:
        """Where the next block may begin."""
        return self.start + _room(self.size)

    def __str__(self) -> str:
        freed = "" if self.freed is None else f", freed{_at(self.freed)}"
        return f"a block of `malloc`{_at(self.line)}{freed}"


class Heap(Allocation):
    """`size` bytes of global memory for `malloc`; `usable` flags the bytes that lie in living blocks."""

    def __init__(self, size: int = HEAP_BYTES) -> None:
        data = np.zeros(size, np.uint8)
        super().__init__(registry().address(data), data, "the device heap")
        self.usable: NDArray[np.bool_] = np.zeros(size, bool)
        self.used = 0   # bytes that were ever handed out
        self._living: dict[int, HeapBlock] = {}
        self._freed: dict[int, HeapBlock] = {}
        self._holes = [(0, size)]   # (start, end) of what is free, the first one last
        self._too_large = size + 1  # what found no room since something was freed

    def malloc(self, size: int, line: int) -> int:
        """Address of a new block of `size` bytes, 0 if there is no room; `line` is the caller's."""
        start = self._take(_room(size))
        if start is None:
            return 0
        self._living[start] = block = HeapBlock(start, size, line)
        self.usable[start : start + size] = True
        self.used = max(self.used, block.end)
        return self.base + start

    def free(self, address: int, line: int) -> str | None:
        """Take back the block at an address (none at 0); a sentence if `malloc` gave no such block."""
        block = self._living.pop(address - self.base, None)
        if block is not None:
            block.freed = line
            self._freed[block.start] = block
            self.usable[block.start : block.start + block.size] = False
        return None if block is not None or address == 0 else self._complaint(address - self.base)

    def snapshot(self) -> Callable[[], None]:
        """A function that puts the heap back to the state of now."""
        living, freed, holes = _copied(self._living), _copied(self._freed), list(self._holes)
        used, data = self.used, self.data[: self.used].copy()

        def put_back() -> None:
            self.data[: self.used] = 0
            self.usable[: self.used] = False
            self.data[:used] = data
            for block in living.values():
                self.usable[block.start : block.start + block.size] = True
            self._living, self._freed, self._holes = _copied(living), _copied(freed), list(holes)
            self.used, self._too_large = used, self.size + 1

        return put_back

    # --- room ------------------------------------------------------------------------------------------

    def _take(self, room: int) -> int | None:
        """Offset of free bytes, the lowest that fit; what was freed is used again when nothing else fits."""
        start = self._first_fit(room)
        if start is None and self._freed:
            self._merge()
            start = self._first_fit(room)
        return start

    def _first_fit(self, room: int) -> int | None:
        if room >= self._too_large:
            return None
        for place in range(len(self._holes) - 1, -1, -1):
            start, end = self._holes[place]
            if end - start >= room:
                self._holes[place : place + 1] = [(start + room, end)] if end - start > room else []
                return start
        self._too_large = room
        return None

    def _merge(self) -> None:
        """Make holes of what was freed, one of neighbors."""
        holes: list[tuple[int, int]] = []
        for start, end in sorted([*self._holes, *((b.start, b.end) for b in self._freed.values())]):
            if holes and holes[-1][1] == start:
                start = holes.pop()[0]
            holes.append((start, end))
        self._holes, self._freed, self._too_large = holes[::-1], {}, self.size + 1

    # --- names of places -------------------------------------------------------------------------------

    def _nearest(self, offset: int) -> HeapBlock | None:
        """The block that an offset lies in, or next to; a living one if both are as near."""
        blocks = (*self._living.values(), *self._freed.values())
        return min(blocks, key=lambda b: max(b.start - offset, offset - b.start - b.size + 1, 0), default=None)

    def meant(self, offset: int) -> tuple[str, int, int]:
        block = self._nearest(offset)
        return (str(block), block.start, block.start + block.size) if block else super().meant(offset)

    def _complaint(self, offset: int) -> str:
        freed, near = self._freed.get(offset), self._nearest(offset)
        if freed is not None:
            return f"frees again {freed}"
        if near is not None and near.start <= offset < near.start + max(near.size, 1):
            return f"frees an address {offset - near.start} bytes into {near}: free takes what malloc returned"
        return "frees an address that malloc did not return, or that was freed long ago"


def _room(size: int) -> int:
    """Bytes that a block takes with the gap behind it."""
    return -(-size // BLOCK_ALIGNMENT) * BLOCK_ALIGNMENT + BLOCK_ALIGNMENT


def _copied(blocks: dict[int, HeapBlock]) -> dict[int, HeapBlock]:
    return {start: replace(block) for start, block in blocks.items()}


def _at(line: int) -> str:
    return f" at line {line}" if line else ""
