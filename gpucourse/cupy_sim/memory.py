"""The memory pool: what CuPy's pool would hold, in use and free, for the arrays that live now.

Addresses are the pool's own. The bytes themselves lie in NumPy's memory.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from typing import Any

import numpy as np

from . import counters, streams
from .runtime import capacity

UNIT = 512  # bytes: cudaMalloc's alignment, to which CuPy's pool rounds every request
_FIRST_ADDRESS = 0x7F00_0000_0000


class OutOfMemoryError(MemoryError):
    """The request, with what the pool holds, exceeds the pool's limit or the device; all in bytes."""

    def __init__(self, size: int, total: int, limit: int = 0) -> None:
        self._arguments = size, total, limit
        text = f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes"
        super().__init__(text + (f", limit set to: {limit:,} bytes)." if limit else ")."))

    def __reduce__(self) -> Any:
        return type(self), self._arguments


OutOfMemoryError.__module__ = "cupy.cuda.memory"  # as CuPy prints it


class _Chunk:
    """A piece of a block: a block is split when a smaller request reuses it, and merged again."""

    __slots__ = ("arena", "next", "prev", "ptr", "size")

    def __init__(self, ptr: int, size: int, arena: int) -> None:
        self.ptr, self.size, self.arena = ptr, size, arena
        self.prev: _Chunk | None = None
        self.next: _Chunk | None = None

    def split(self, size: int) -> _Chunk | None:
        """Keep the first `size` bytes and return the rest, if any."""
        if self.size == size:
            return None
        rest = _Chunk(self.ptr + size, self.size - size, self.arena)
        rest.prev, rest.next, self.next = self, self.next, rest
        if rest.next is not None:
            rest.next.prev = rest
        self.size = size
        return rest

    def merge(self, after: _Chunk) -> None:
        """Take over the chunk that follows."""
        self.size += after.size
        self.next = after.next
        if self.next is not None:
            self.next.prev = self


POISON = 0xCB  # fills memory that a program has not set


class PooledMemory:
    """One allocation; it returns to its pool when nothing refers to it any more.

    `poisoned`: it was filled with the byte POISON, so that bytes which are still that were probably never written.
    """

    poisoned = False

    def __init__(self, pool: MemoryPool, chunk: _Chunk, nbytes: int) -> None:
        self._pool, self._chunk, self._nbytes = pool, chunk, nbytes
        self.ptr, self.size, self.device_id = chunk.ptr, chunk.size, 0
        self._host: np.ndarray | None = None

    @property
    def host(self) -> np.ndarray:
        """The NumPy array that holds the bytes."""
        if self._host is None:
            self._host = np.empty(self._nbytes, np.uint8)
        return self._host

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # the interpreter may be ending
            self._pool._free(self._chunk)

    def __repr__(self) -> str:
        return f"<PooledMemory 0x{self.ptr:x} size={self.size}>"


class UnownedMemory:
    """Memory that another library owns; the pool does not know it."""

    poisoned = False

    def __init__(self, host: np.ndarray) -> None:
        self.host = host
        self.ptr, self.size, self.device_id = first_byte(host), host.nbytes, 0


class MemoryPointer:
    """A place in device memory: an allocation and an offset in bytes."""

    def __init__(self, mem: Any, offset: int) -> None:
        self.mem, self._offset, self.device_id = mem, offset, mem.device_id

    @property
    def ptr(self) -> int:
        """The address; an integer of this value is a pointer for kernels."""
        from gpucourse.simt.memory import registry

        if self.mem.size:
            registry().alias(self.mem.host, self.mem.ptr)
        return int(self.mem.ptr + self._offset)

    @property
    def device(self) -> Any:
        """The device on which the memory lies."""
        from .cuda import Device

        return Device(self.device_id)

    def __int__(self) -> int:
        return self.ptr

    def __add__(self, offset: int) -> MemoryPointer:
        return MemoryPointer(self.mem, self._offset + offset)

    def __sub__(self, offset: int) -> MemoryPointer:
        return self + -offset

    def __repr__(self) -> str:
        return f"<MemoryPointer 0x{self.ptr:x} device={self.device_id} mem={self.mem!r}>"


def first_byte(host: np.ndarray) -> int:
    """Return the lowest address that `host` uses; it differs from its data pointer for negative strides."""
    return int(np.lib.array_utils.byte_bounds(host)[0])


class MemoryPool:
    """CuPy's pool: requests are rounded up to 512 bytes, and a freed block is kept for the next request.

    A freed block serves a request of its size or a smaller one on the same stream; `free_all_blocks`
    gives back the blocks that are free as a whole.
    """

    def __init__(self, allocator: Any = None) -> None:
        self._used: set[_Chunk] = set()
        self._spare: dict[int, list[_Chunk]] = {}  # by stream: CuPy keeps an arena for each
        self._end = _FIRST_ADDRESS
        self._total = self._limit = 0
        self._lock = threading.RLock()

    def malloc(self, size: int) -> MemoryPointer:
        """Return a pointer to `size` new bytes; raise OutOfMemoryError beyond the limit."""
        return MemoryPointer(self.allocate(size), 0)

    def allocate(self, nbytes: int) -> PooledMemory:
        """Return an allocation of `nbytes`, from a spare block where one is large enough."""
        counters.allocate(nbytes)
        size = -(-nbytes // UNIT) * UNIT
        with self._lock:
            if size == 0:
                return PooledMemory(self, _Chunk(0, 0, 0), 0)
            arena = streams.get_current_stream().ptr
            chunk = self._best_spare(size, arena) or self._new_block(size, arena)
            self._used.add(chunk)
            return PooledMemory(self, chunk, nbytes)

    def _best_spare(self, size: int, arena: int) -> _Chunk | None:
        spare = self._spare.get(arena, [])
        fitting = [chunk for chunk in spare if chunk.size >= size]
        if not fitting:
            return None
        chunk = min(fitting, key=lambda each: each.size)
        spare.remove(chunk)
        rest = chunk.split(size)
        if rest is not None:
            spare.append(rest)
        return chunk

    def _new_block(self, size: int, arena: int) -> _Chunk:
        if self._limit and self._total + size > self._limit:
            raise OutOfMemoryError(size, self._total, self._limit)
        if self._total + size > capacity():
            gc.collect()
            self.free_all_blocks()
            if self._total + size > capacity():
                raise OutOfMemoryError(size, self._total, self._limit)
        self._total += size
        chunk = _Chunk(self._end, size, arena)
        self._end += size
        return chunk

    def _free(self, chunk: _Chunk) -> None:
        with self._lock:
            if chunk not in self._used:
                return
            self._used.remove(chunk)
            spare = self._spare.setdefault(chunk.arena, [])
            if chunk.next in spare:
                spare.remove(chunk.next)
                chunk.merge(chunk.next)
            if chunk.prev in spare:
                chunk.prev.merge(chunk)
            else:
                spare.append(chunk)

    def free_all_blocks(self, stream: streams.Stream | None = None) -> None:
        """Give the free blocks back to the device; a block of which a part is in use stays."""
        with self._lock:
            for arena, spare in self._spare.items():
                if stream is None or stream.ptr == arena:
                    whole = [chunk for chunk in spare if chunk.prev is None and chunk.next is None]
                    self._total -= sum(chunk.size for chunk in whole)
                    spare[:] = [chunk for chunk in spare if chunk not in whole]

    def n_free_blocks(self) -> int:
        """Return the number of free pieces."""
        return sum(map(len, self._spare.values()))

    def used_bytes(self) -> int:
        """Return the bytes in use, rounded up to 512 for each array."""
        return sum(chunk.size for chunk in self._used)

    def free_bytes(self) -> int:
        """Return the bytes that the pool holds and nobody uses."""
        return sum(chunk.size for spare in self._spare.values() for chunk in spare)

    def total_bytes(self) -> int:
        """Return the bytes that the pool has taken from the device."""
        return self._total

    def get_limit(self) -> int:
        """Return the limit in bytes; 0 means none."""
        return self._limit

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        """Limit the pool to `size` bytes, or to a `fraction` of the device; nothing or 0 removes the limit."""
        if size is not None and fraction is not None:
            raise ValueError("size and fraction cannot be specified at one time")
        if fraction is not None and not 0 <= fraction <= 1:
            raise ValueError(f"memory limit fraction out of range: {fraction}")
        size = int((fraction or 0) * capacity()) if size is None else size
        if size < 0:
            raise ValueError(f"memory limit size out of range: {size}")
        self._limit = size


class PinnedMemoryPool:
    """Page-locked host memory; the simulator needs none, so it is always empty."""

    def __init__(self, allocator: Any = None) -> None:
        pass

    def n_free_blocks(self) -> int:
        """Return 0."""
        return 0

    def free_all_blocks(self) -> None:
        """Give back nothing."""


default_pool = MemoryPool()
default_pinned_pool = PinnedMemoryPool()


def get_default_memory_pool() -> MemoryPool:
    """Return the pool from which every array's memory comes."""
    return default_pool


def get_default_pinned_memory_pool() -> PinnedMemoryPool:
    """Return the pool of page-locked host memory, which is empty."""
    return default_pinned_pool
