"""Address spaces: where arrays live, what an address means, and what is out of bounds.

Global (and constant) memory is a set of allocations at virtual addresses with red zones between them;
an allocation is a view of the NumPy array it stands for, so nothing is copied. Shared memory is one strip
per block, local memory one strip per lane. A generic address carries its space in its top bits.
"""

from __future__ import annotations

import bisect
import weakref
import zlib
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gpucourse.simt.registers import Ints, Lanes, Values, spread

#: Generic addresses: the four top bits say which space the rest belongs to.
SPACE_SHIFT = 60
SPACES = {"global": 0, "shared": 1, "local": 2, "param": 3}
FIRST_ADDRESS = 0x7F_0000_0000
ALIGNMENT = 512
#: Addresses (not memory) left free behind each array: a row too far is not taken for a neighbor's memory.
RED_ZONE = 1 << 26


class AccessFault(Exception):
    """An access that no memory can serve: `kind` "bounds", "aligned", "readonly" or "kernel", `lane` its position.

    Internal to the simulator: the machine turns it into a `KernelFault` with line, block and thread.
    """

    def __init__(self, kind: str, lane: int, text: str) -> None:
        super().__init__(text)
        self.kind, self.lane = kind, lane


class Space(Protocol):
    """Something that loads and stores `dtype` elements at byte addresses, one per lane."""

    def load(self, address: Values, dtype: np.dtype[Any], lanes: Lanes) -> Values:
        """Elements of `dtype` at `address` (uint64, bytes); shape as `address`."""
        ...

    def store(self, address: Values, value: Values, lanes: Lanes) -> None:
        """Write `value` at `address`; of several lanes at one address the last one wins."""
        ...

    def cells(self, address: Values, dtype: np.dtype[Any], lanes: Lanes) -> list[tuple[Values, Ints, Ints]]:
        """(elements, chosen lanes, their indices) per array behind the addresses: what atomics work on."""
        ...


class Allocation:
    """`size` bytes at virtual address `base`; `data` is a uint8 view of the array behind it.

    `usable` flags the bytes that may be accessed; None stands for all.
    """

    usable: NDArray[np.bool_] | None = None

    def __init__(self, base: int, data: NDArray[np.uint8], name: str, read_only: bool = False) -> None:
        self.base, self.data, self.name, self.read_only = base, data, name, read_only
        self.size = len(data)
        self.first = 0  # byte of the element that the kernel was handed
        self._base = np.uint64(base)
        self._views: dict[np.dtype[Any], Values] = {}

    def view(self, dtype: np.dtype[Any]) -> Values:
        """The bytes as an array of `dtype` (whole elements only)."""
        found = self._views.get(dtype)
        if found is None:
            whole = self.size - self.size % dtype.itemsize
            found = self._views[dtype] = self.data[:whole].view(dtype)
        return found

    def offsets(self, address: Values) -> Values:
        """Byte offsets, uint64; addresses below `base` wrap to huge ones."""
        return address - self._base

    def fits(self, offset: Ints, size: int) -> NDArray[np.bool_]:
        """Whether accesses of `size` bytes at these offsets, which are in the allocation, touch usable bytes only."""
        inside = offset <= self.size - size
        if self.usable is None:
            return inside
        last = np.minimum(offset + (size - 1), self.size - 1)
        return inside & self.usable[offset] & self.usable[last]

    def meant(self, offset: int) -> tuple[str, int, int]:
        """(name, first byte, end) of what an access near an offset probably meant."""
        return self.name, self.first, self.size


class Memory(Space):
    """Global memory as one launch sees it."""

    def __init__(self) -> None:
        self._bases: list[int] = []
        self._allocations: list[Allocation] = []
        self._last: Allocation | None = None

    def add(self, allocation: Allocation) -> None:
        """Make an allocation visible."""
        place = bisect.bisect_left(self._bases, allocation.base)
        if place == len(self._bases) or self._bases[place] != allocation.base:
            self._bases.insert(place, allocation.base)
            self._allocations.insert(place, allocation)

    def find(self, address: int) -> Allocation | None:
        """The allocation that holds `address`, if any."""
        place = bisect.bisect_right(self._bases, address) - 1
        if place >= 0 and address < self._bases[place] + self._allocations[place].size:
            return self._allocations[place]
        base, array = _registry.holder(address)
        if array is None:
            return None
        allocation = Allocation(base, bytes_of(array), "an array that is not an argument")
        self.add(allocation)
        return allocation

    def checksum(self, total: int) -> int:
        """A running checksum of all that is there."""
        for allocation in self._allocations:
            total = zlib.crc32(allocation.data.data, total)
        return total

    def nearest(self, address: int) -> Allocation | None:
        """The allocation that an address just outside probably meant."""
        place = bisect.bisect_right(self._bases, address) - 1
        before = self._allocations[place] if place >= 0 else None
        after = self._allocations[place + 1] if place + 1 < len(self._bases) else None
        if before is None or after is None:
            return before or after
        return before if address - before.base - before.size <= after.base - address else after

    def load(self, address: Values, dtype: np.dtype[Any], lanes: Lanes) -> Values:
        """Elements of `dtype` at `address` (uint64, bytes); shape as `address`."""
        allocation, index = self._one(address, dtype.itemsize)
        if allocation is not None:
            return allocation.view(dtype).take(index)
        out = np.empty(len(address), dtype)
        for allocation, chosen, index in self._several(address, dtype.itemsize):
            out[chosen] = allocation.view(dtype).take(index)
        return out

    def store(self, address: Values, value: Values, lanes: Lanes) -> None:
        """Write `value` at `address`; of several lanes at one address the last one wins."""
        allocation, index = self._one(address, value.dtype.itemsize)
        if allocation is not None and not allocation.read_only:
            allocation.view(value.dtype)[index] = value if len(address) > 1 else value[-1:]
            return
        for allocation, chosen, index in self._several(address, value.dtype.itemsize):
            _check_writable(allocation, chosen)
            allocation.view(value.dtype)[index] = value if len(value) == 1 else value[chosen]

    def cells(self, address: Values, dtype: np.dtype[Any], lanes: Lanes) -> list[tuple[Values, Ints, Ints]]:
        """(elements, chosen lanes, their indices) per allocation: what atomics work on."""
        found = self._several(address, dtype.itemsize)
        for allocation, chosen, _ in found:
            _check_writable(allocation, chosen)
        return [(a.view(dtype), c, i) for a, c, i in found]

    def _one(self, address: Values, size: int) -> tuple[Allocation | None, Ints]:
        """The single allocation that all addresses are in, with element indices; else None."""
        allocation = self._last
        if allocation is None or not 0 <= int(address[0]) - allocation.base < allocation.size:
            allocation = self._last = self.find(int(address[0]))
            if allocation is None:
                return None, _NOTHING
        offset = allocation.offsets(address)
        if offset.max() > allocation.size - size or (size > 1 and _misaligned(offset, size)):
            return None, _NOTHING
        if allocation.usable is not None and not allocation.fits(offset.view(np.int64), size).all():
            return None, _NOTHING
        return allocation, (offset >> _SHIFT[size]).view(np.int64)

    def _several(self, address: Values, size: int) -> list[tuple[Allocation, Ints, Ints]]:
        """Like `_one` for each allocation among the addresses; raises `AccessFault` for a bad one."""
        found, left = [], np.arange(len(address))
        while len(left):
            allocation = self.find(int(address[left[0]]))
            if allocation is None:
                raise AccessFault("bounds", int(left[0]), self.describe(int(address[left[0]]), size))
            offset = allocation.offsets(address[left])
            inside = offset < allocation.size
            chosen, offset = left[inside], offset[inside]
            self._check(allocation, chosen, offset, size)
            found.append((allocation, chosen, (offset >> _SHIFT[size]).view(np.int64)))
            left = left[~inside]
        return found

    def _check(self, allocation: Allocation, chosen: Ints, offset: Values, size: int) -> None:
        beyond = np.flatnonzero(~allocation.fits(offset.view(np.int64), size))
        if len(beyond):
            at = int(beyond[0])
            text = self.describe(allocation.base + int(offset[at]), size)
            raise AccessFault("bounds", int(chosen[at]), text)
        crooked = np.flatnonzero(offset & np.uint64(size - 1))
        if len(crooked):
            at = int(crooked[0])
            start = int(offset[at])
            text = f"accesses {size} bytes at byte {start} of {allocation.name}, which is no multiple of {size}"
            raise AccessFault("aligned", int(chosen[at]), text)

    def describe(self, address: int, size: int) -> str:
        """What is at (or near) a bad address: array, element and length where that fits."""
        near = self.nearest(address)
        if address < 4096:
            return f"accesses {size} bytes at address {address}: a null pointer"
        if near is None or not -RED_ZONE < address - near.base < near.size + RED_ZONE:
            return f"accesses {size} bytes at address {address:#x}, where no array is"
        name, first, end = near.meant(address - near.base)
        offset, length = address - near.base - first, end - first
        if offset % size or length % size:
            return f"accesses bytes {offset} to {offset + size - 1} of {name}, which has {length} bytes"
        return f"accesses element {offset // size} of {name}, which has {length // size}"


_NOTHING = np.zeros(0, np.int64)
_SHIFT = {1 << shift: np.uint64(shift) for shift in range(5)}   # an element's bytes -> the shift that divides by them


def _check_writable(allocation: Allocation, chosen: Ints) -> None:
    if allocation.read_only:
        raise AccessFault("readonly", int(chosen[0]), f"accesses {allocation.name} to write, but it is read-only")


def _misaligned(offset: Values, size: int) -> bool:
    return bool(int(np.bitwise_or.reduce(offset)) & (size - 1))


class Strips(Space):
    """Shared or local memory: `count` strips of `size` bytes, one per block or per lane."""

    def __init__(self, space: str, count: int, size: int) -> None:
        self.space, self.count, self.size = space, count, size
        self.pitch = -(-max(size, 1) // 16) * 16
        self.data = np.zeros(count * self.pitch, np.uint8)
        self._views: dict[np.dtype[Any], Values] = {}

    def grow(self, size: int) -> None:
        """Give every strip at least `size` bytes; what is there stays."""
        if size <= self.size:
            return
        old, old_pitch = self.data, self.pitch
        self.size, self.pitch = size, -(-max(size, 2 * self.pitch) // 16) * 16
        self.data = np.zeros(self.count * self.pitch, np.uint8)
        self.data.reshape(self.count, -1)[:, :old_pitch] = old.reshape(self.count, -1)
        self._views.clear()

    def view(self, dtype: np.dtype[Any]) -> Values:
        """All strips in one array of `dtype`."""
        found = self._views.get(dtype)
        if found is None:
            found = self._views[dtype] = self.data.view(dtype)
        return found

    def load(self, address: Values, dtype: np.dtype[Any], lanes: Lanes) -> Values:
        return self.view(dtype).take(self._index(address, dtype.itemsize, lanes))

    def store(self, address: Values, value: Values, lanes: Lanes) -> None:
        index = self._index(address, value.dtype.itemsize, lanes)
        self.view(value.dtype)[index] = value if len(index) > 1 else value[-1:]

    def cells(self, address: Values, dtype: np.dtype[Any], lanes: Lanes) -> list[tuple[Values, Ints, Ints]]:
        index = self._index(spread(address, lanes.count), dtype.itemsize, lanes)
        return [(self.view(dtype), np.arange(lanes.count), index)]

    def _strip(self, lanes: Lanes) -> Ints:
        return lanes.block if self.space == "shared" else lanes.slot

    def _index(self, address: Values, size: int, lanes: Lanes) -> Ints:
        """Element indices into `view`: shape (lanes,), or (1,) where all lanes share the cell."""
        if address.max() > self.size - size or (size > 1 and _misaligned(address, size)) or self.size < size:
            self._fault(address, size)
        index = (address >> _SHIFT[size]).view(np.int64)
        if self.count == 1:
            return index
        return index + self._strip(lanes) * (self.pitch // size)

    def _fault(self, address: Values, size: int) -> None:
        beyond = address > max(self.size - size, 0) if self.size >= size else np.ones(len(address), bool)
        bad = np.flatnonzero(beyond | (address & np.uint64(size - 1) != 0))
        at = int(address[bad[0]])
        if beyond[bad[0]]:
            text = f"accesses bytes {at} to {at + size - 1} of {self.space} memory, which has {self.size} bytes"
            raise AccessFault("bounds", int(bad[0]), text)
        text = f"accesses {size} bytes at byte {at} of {self.space} memory, which is no multiple of {size}"
        raise AccessFault("aligned", int(bad[0]), text)


class Registry:
    """Virtual addresses of the process's arrays; an array keeps its address as long as it lives."""

    def __init__(self) -> None:
        self._next = FIRST_ADDRESS
        self._by_array: dict[int, tuple[int, weakref.ref[NDArray[Any]]]] = {}
        self._by_address: dict[int, int] = {}
        self._addresses: list[int] = []

    def reserve(self, size: int) -> int:
        """A fresh address range of `size` bytes, with a red zone behind it."""
        address = self._next
        self._next += -(-(size + RED_ZONE) // ALIGNMENT) * ALIGNMENT
        return address

    def address(self, array: NDArray[Any]) -> int:
        """Device address of the first element of `array`, which may be a view."""
        owner = owner_of(array)
        offset: int = array.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
        return self._base(owner) + offset

    def allocation(self, array: NDArray[Any], name: str, read_only: bool = False) -> Allocation:
        """The allocation of the array that owns the memory of `array`."""
        owner = owner_of(array)
        return Allocation(self._base(owner), bytes_of(owner), name, read_only)

    def alias(self, array: NDArray[Any], address: int) -> None:
        """Let kernels reach `array` at a second address too: the one that a learner was shown, and may hand over."""
        owner = owner_of(array)
        self._base(owner)
        base = address - _first_byte(array) + _first_byte(owner)
        if base not in self._by_address:
            weakref.finalize(owner, self._forget, id(owner), base).atexit = False
            self._by_address[base] = id(owner)
            bisect.insort(self._addresses, base)

    def array_at(self, address: int) -> NDArray[Any] | None:
        """The living array that holds an address, if any."""
        return self.holder(address)[1]

    def holder(self, address: int) -> tuple[int, NDArray[Any] | None]:
        """(where it begins, the living array that holds an address), or (0, None)."""
        place = bisect.bisect_right(self._addresses, address) - 1
        if place < 0:
            return 0, None
        base = self._addresses[place]
        known = self._by_array.get(self._by_address[base])
        array = known[1]() if known else None
        return (base, array) if array is not None and address < base + extent(array) else (0, None)

    def _base(self, owner: NDArray[Any]) -> int:
        known = self._by_array.get(id(owner))
        if known is not None and known[1]() is owner:
            return known[0]
        base, key = self.reserve(extent(owner)), id(owner)
        self._by_array[key] = base, weakref.ref(owner, lambda _: self._forget(key, base))
        self._by_address[base] = key
        bisect.insort(self._addresses, base)
        return base

    def _forget(self, key: int, base: int) -> None:
        if self._by_array.get(key, (0,))[0] == base:
            del self._by_array[key]
        self._by_address.pop(base, None)
        place = bisect.bisect_left(self._addresses, base)
        if place < len(self._addresses) and self._addresses[place] == base:
            del self._addresses[place]


def owner_of(array: NDArray[Any]) -> NDArray[Any]:
    """The array at the end of the chain of views."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def bytes_of(owner: NDArray[Any]) -> NDArray[np.uint8]:
    """All bytes from an array's first to its last, as a view."""
    if owner.flags.c_contiguous:
        return owner.reshape(-1).view(np.uint8)
    # axes in another order, or gaps between the elements
    first = tuple(0 if stride >= 0 else -1 for stride in owner.strides)
    corner = owner[tuple(slice(at, at + 1 or None) for at in first)].reshape(-1).view(np.uint8)
    low, high = np.lib.array_utils.byte_bounds(owner)
    return np.lib.stride_tricks.as_strided(corner, (high - low,), (1,))


def _first_byte(array: NDArray[Any]) -> int:
    low: int = np.lib.array_utils.byte_bounds(array)[0]
    return low


def extent(array: NDArray[Any]) -> int:
    """Bytes from an array's first to its last, gaps included."""
    if array.flags.forc:
        return array.nbytes
    low, high = np.lib.array_utils.byte_bounds(array)
    return int(high - low)


_registry = Registry()


def registry() -> Registry:
    """The one registry of this process."""
    return _registry
