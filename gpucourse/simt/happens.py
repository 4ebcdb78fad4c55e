"""Who came before whom: the order that barriers, `__syncwarp`, fences and atomics make between threads.

Each thread has a clock, which steps at everything that may order it with others. An access (thread, clock) came
before a thread's present if that thread *knows* this clock: from a block barrier, from a warp barrier, or over a
chain release -> acquire through an atomic (C. J. Fidge, "Timestamps in message-passing systems that preserve the
partial ordering", 1988; which operations release and acquire: PTX ISA, "Memory Consistency Model").
A release is a fence followed by an atomic or volatile write, an acquire an atomic or volatile read followed by a
fence or a block barrier. Shuffles and votes order nothing: only `__syncwarp` does.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
from numpy.typing import NDArray

from gpucourse.errors import LaunchError
from gpucourse.simt.registers import WARP, Ints

Clocks = NDArray[np.int32]
Flags = NDArray[np.bool_]
_MOST_CLOCKS = 500_000_000  # of 4 bytes


class Order:
    """Clocks and knowledge of all threads of a launch; threads are numbered over all blocks.

    `slots` is the number of threads a block, rounded up to whole warps; `blocks` the number of blocks.
    """

    def __init__(self, slots: int, blocks: int) -> None:
        self.slots, self.count = slots, slots * blocks
        self.clock: Clocks = np.ones(self.count, np.int32)
        self._base: Clocks = np.zeros(self.count, np.int32)  # own clock at the last barrier of the block
        self._seen: Clocks | None = None  # (threads, 32): clocks of the own warp, from __syncwarp
        self._foreign: dict[int, Clocks] = {}  # thread -> clocks of all threads, from acquires
        self._pending: dict[int, Clocks] = {}  # read from an atomic, waits for a fence
        self._at: dict[Hashable, Clocks] = {}  # what was released at an address
        self._fenced = _Fences(self.count, blocks)

    def ordered(self, now: Ints, then: Ints, clock: Clocks) -> Flags:
        """Whether accesses by `then` at `clock` came before the present of `now`; True where `then` is negative."""
        known: Flags = (then < 0) | (then == now)
        known |= (now // self.slots == then // self.slots) & (self._base[then] >= clock)
        if self._seen is not None:
            known |= (now // WARP == then // WARP) & (self._seen[now, then % WARP] >= clock)
        if self._foreign and not known.all():
            _ask(self._foreign, known, now, then, clock)
        return known

    def observed(self, now: Ints, then: Ints, clock: Clocks) -> Flags:
        """Whether `now` has at least seen, through an atomic, what `then` released, with no fence after it yet."""
        known: Flags = np.zeros(len(now), bool)
        _ask(self._pending, known, now, then, clock)
        return known

    def release_clock(self, threads: Ints) -> Clocks:
        """The clock to remember an atomic by: who sees what the fence before it released has seen the atomic too."""
        fenced = self._fenced.device[threads]
        return np.where(fenced > 0, fenced, self.clock[threads])

    # --- barriers --------------------------------------------------------------------------------------

    def block_barrier(self, blocks: Ints, threads: Ints) -> None:
        """All living `threads` of whole `blocks` passed a barrier; threads that had ended count as arrived."""
        everyone = (blocks[:, None] * self.slots + np.arange(self.slots)).ravel()
        self._fenced.pass_barrier(blocks, everyone, self._base)
        self._base[everyone] = self.clock[everyone]
        self.clock[everyone] += 1
        if self._foreign or self._pending:
            for block in blocks:
                self._share(threads[threads // self.slots == block])

    def _share(self, threads: Ints) -> None:
        """Threads that met have from now on what any of them knew of other blocks."""
        known = _joined([*self._each(self._foreign, threads), *self._each(self._pending, threads)])
        fenced = _joined(self._each(self._fenced.foreign, threads))
        for thread in threads.tolist():
            self._pending.pop(thread, None)
            if known is not None:
                self._foreign[thread] = known
            if fenced is not None:
                self._fenced.foreign[thread] = fenced

    @staticmethod
    def _each(held: dict[int, Clocks], threads: Ints) -> list[Clocks]:
        found = {id(held[t]): held[t] for t in threads.tolist() if t in held} if held else {}
        return list(found.values())

    def partial_barrier(self, arrived: Ints, waiting: Ints) -> None:
        """Some threads of one block met at a barrier; those who `waiting` learn what those who `arrived` did."""
        known = self._knowledge(arrived)
        known[arrived] = self.clock[arrived]
        for thread in waiting.tolist():
            self._foreign[thread] = known
        self.clock[arrived] += 1

    def _knowledge(self, threads: Ints) -> Clocks:
        """What any of `threads` of one block knows, as clocks of all threads."""
        known = np.zeros(self.count, np.int32)
        for clocks in self._each(self._foreign, threads):
            np.maximum(known, clocks, out=known)
        start = int(threads[0]) // self.slots * self.slots
        mine = slice(start, start + self.slots)
        known[mine] = np.maximum(known[mine], self._base[mine])
        if self._seen is not None:
            for thread in threads.tolist():
                warp = slice(thread // WARP * WARP, thread // WARP * WARP + WARP)
                known[warp] = np.maximum(known[warp], self._seen[thread])
        return known

    def warp_barrier(self, threads: Ints) -> None:
        """Threads (ascending) passed `__syncwarp` together with those of their warp that are among them."""
        if self._seen is None:
            self._seen = np.zeros((self.count, WARP), np.int32)
        warps, starts, place = np.unique(threads // WARP, return_index=True, return_inverse=True)
        known = np.maximum.reduceat(self._seen[threads], starts, axis=0)
        known[place, threads % WARP] = self.clock[threads]
        self._seen[threads] = known[place]
        self.clock[threads] += 1
        if self._foreign or self._pending:
            for warp in warps:
                self._share(threads[threads // WARP == warp])

    # --- fences and atomics ----------------------------------------------------------------------------

    def fence(self, threads: Ints, whole_device: bool) -> None:
        """Threads executed a fence for their block, or for the whole device."""
        for thread in threads.tolist() if self._pending else ():
            self._accept(thread)
        for thread in threads.tolist() if self._foreign and whole_device else ():
            if thread in self._foreign:
                self._fenced.foreign[thread] = self._foreign[thread]
        self._fenced.fence(threads, self.clock, threads // self.slots, whole_device)
        self.clock[threads] += 1

    def _accept(self, thread: int) -> None:
        pending = self._pending.pop(thread, None)
        if pending is not None:
            if len(self._foreign) * self.count > _MOST_CLOCKS:
                raise LaunchError(f"sanitize cannot follow what {self.count:,} threads learn from each other by locks "
                                  f"and flags (limit: {_MOST_CLOCKS:,} clocks); launch a smaller grid")  # fmt: skip
            self._foreign[thread] = pending if thread not in self._foreign else np.maximum(
                self._foreign[thread], pending)  # fmt: skip

    def synchronize(self, threads: Iterable[int], places: Iterable[Hashable], reads: bool, writes: bool) -> None:
        """Threads, in this order, use atomics (or volatile accesses) at `places`: they may acquire and release."""
        if not self._fenced.any:
            return
        for thread, place in zip(threads, places, strict=True):
            block = thread // self.slots
            if reads:
                found = _joined([c for c in (self._at.get((place, -1)), self._at.get((place, block))) if c is not None])
                if found is not None:
                    old = self._pending.get(thread)
                    self._pending[thread] = found if old is None else np.maximum(old, found)
            if writes:
                self._release(thread, block, place)

    def _release(self, thread: int, block: int, place: Hashable) -> None:
        fences = self._fenced
        for clock, scope in ((fences.device[thread], -1), (fences.block[thread], block)):
            if clock:
                known = self._released(thread, block, int(clock), scope < 0)
                old = self._at.get((place, scope))
                self._at[place, scope] = known if old is None else np.maximum(old, known, out=known)

    def _released(self, thread: int, block: int, clock: int, whole_device: bool) -> Clocks:
        """What a fence of `thread` made ready for others to see."""
        foreign = self._fenced.foreign.get(thread)
        known = np.zeros(self.count, np.int32) if foreign is None else foreign.copy()
        mine = slice(block * self.slots, (block + 1) * self.slots)
        current = not whole_device or self._fenced.in_epoch(thread, block)
        known[mine] = np.maximum(known[mine], self._base[mine] if current else self._fenced.base[mine])
        if self._seen is not None:
            warp = slice(thread // WARP * WARP, thread // WARP * WARP + WARP)
            known[warp] = np.maximum(known[warp], self._seen[thread])
        known[thread] = max(known[thread], clock)
        return known

    def end(self, threads: Ints) -> None:
        """Threads have ended: what they knew is no longer needed."""
        for held in (self._foreign, self._pending, self._fenced.foreign):
            for thread in threads.tolist() if held else ():
                held.pop(thread, None)


class _Fences:
    """What each thread has fenced: its clock at the last fence for the device and for its block (0: none)."""

    def __init__(self, count: int, blocks: int) -> None:
        self.any = False
        self.device: Clocks = np.zeros(count, np.int32)
        self.block: Clocks = np.zeros(count, np.int32)
        self.base: Clocks = np.zeros(count, np.int32)  # fenced, and known to the block since its last barrier
        self.foreign: dict[int, Clocks] = {}
        self._epoch: Clocks = np.zeros(blocks, np.int32)
        self._at_epoch: Clocks = np.full(count, -1, np.int32)

    def fence(self, threads: Ints, clock: Clocks, blocks: Ints, whole_device: bool) -> None:
        self.any = True
        self.block[threads] = clock[threads]
        if whole_device:
            self.device[threads] = clock[threads]
            self._at_epoch[threads] = self._epoch[blocks]

    def in_epoch(self, thread: int, block: int) -> bool:
        """Whether the block passed no barrier since the thread's last fence."""
        return bool(self._at_epoch[thread] == self._epoch[block])

    def pass_barrier(self, blocks: Ints, everyone: Ints, base: Clocks) -> None:
        """What one thread fenced, its whole block may release after a barrier."""
        if self.any:
            self.base[everyone] = np.maximum(self.base[everyone], self.device[everyone])
            per_block = everyone.reshape(len(blocks), -1)
            fenced = (self._at_epoch[per_block] == self._epoch[blocks][:, None]).any(axis=1)
            rows = per_block[fenced]
            self.base[rows] = np.maximum(self.base[rows], base[rows])
            # after the barrier any thread may release what a fence before it covered
            ready = per_block[(self.device[per_block] > 0).any(axis=1)].ravel()
            self.device[ready] = np.maximum(self.device[ready], 1)
        self._epoch[blocks] += 1


def _ask(held: dict[int, Clocks], known: Flags, now: Ints, then: Ints, clock: Clocks) -> None:
    """Set `known` where the clocks that a thread holds reach `clock`."""
    left = np.flatnonzero(~known)
    for thread in np.unique(now[left]) if held else ():
        clocks = held.get(int(thread))
        if clocks is not None:
            mine = left[now[left] == thread]
            known[mine] = clocks[then[mine]] >= clock[mine]


def _joined(parts: list[Clocks]) -> Clocks | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    joined: Clocks = np.maximum.reduce(parts)
    return joined
