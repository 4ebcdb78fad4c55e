"""Data races: two accesses to one place by different threads, one a write, that nothing orders.

For each piece of memory a `Shadow` remembers who wrote and read it last, and when. Every new access is held
against those of other threads (`happens.Order` says who came before whom), as in C. Flanagan and S. Freund,
"FastTrack: efficient and precise dynamic race detection", 2009; here for all lanes of an instruction at once.

Atomics and volatile accesses are *strong*: two strong ones do not race, except volatile ones within a warp,
where volatile has never ordered anything since Volta. A write that leaves the value as it was races with nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpucourse.simt.happens import Clocks, Order
from gpucourse.simt.ptx import Instruction
from gpucourse.simt.registers import WARP, Ints
from gpucourse.simt.trace import Access

PLAIN, VOLATILE, ATOMIC = 0, 1, 2
_STRONG = ("volatile", "relaxed", "acquire", "release", "acq_rel", "mmio")
#: What an access conflicts with: (is a write, is strong) -> names of remembered accesses.
_AGAINST = {
    (False, False): ("write", "strong_low", "strong_high"),
    (True, False): ("write", "read_low", "read_high", "strong_low", "strong_high", "look_low", "look_high"),
    (True, True): ("write", "read_low", "read_high"),
    (False, True): ("write",),
}
_REMEMBERED = {(False, False): "read", (True, True): "strong", (False, True): "look"}


@dataclass(frozen=True, slots=True)
class Race:
    """The first of `count` conflicts between two instructions: `now` by `thread`, `then` by `other`.

    `byte` is the offset in the memory; `same_instruction` where both lanes execute one store together.
    """

    now: Instruction
    then: Instruction
    now_writes: bool
    then_writes: bool
    thread: int
    other: int
    byte: int
    size: int
    count: int


def strength(access: Access) -> int:
    """PLAIN, VOLATILE (or an explicitly ordered load or store), or ATOMIC."""
    if access.kind == "atomic":
        return ATOMIC
    return VOLATILE if any(p in _STRONG for p in access.instruction.parts[1:]) else PLAIN


class _Slot:
    """One remembered access for each granule: thread (-1: none), clock, instruction, strength; shape (4, granules)."""

    def __init__(self, granules: int) -> None:
        self.rows = np.zeros((4, granules), np.int32)
        self.rows[0] = -1

    def put(self, index: Ints, thread: Ints, clock: Clocks, instruction: int, strong: int) -> None:
        self.rows[0, index], self.rows[1, index] = thread, clock
        self.rows[2, index], self.rows[3, index] = instruction, strong


class Shadow:
    """Remembered accesses of `size` bytes of memory, in granules as small as the smallest access so far."""

    def __init__(self, size: int, instructions: list[Instruction]) -> None:
        self.size, self.granule = size, 0
        self.slots: dict[str, _Slot] = {}
        self._instructions = instructions  # shared by all shadows of a launch
        self._numbers = {id(i): n for n, i in enumerate(instructions)}

    def access(
        self, access: Access, start: Ints, threads: Ints, order: Order, changed: Callable[[Ints], NDArray[np.bool_]]
    ) -> Iterator[Race]:
        """Hold the access against what is remembered, and remember it.

        `start` is the first byte of each lane, `threads` the lanes' numbers in the launch, both shape (lanes,).
        `changed(lanes)` tells whether the stores of these lanes alter what is in memory.
        """
        self._fit(access.size)
        pieces = access.bytes // self.granule
        index = (start[:, None] // self.granule + np.arange(pieces)).ravel()
        lane = np.repeat(np.arange(len(start)), pieces)
        by_place = np.argsort(index, kind="stable")
        event = _Event(access, index[by_place], lane[by_place], threads[lane[by_place]], strength(access))
        yield from self._conflicts(event, order, changed)
        yield from self._within(event, order.slots)
        self._remember(event, order)

    def _fit(self, size: int) -> None:
        """Halve granules until an element fits in whole ones."""
        if not self.granule:
            self.granule = size
        while self.granule > size:
            self.granule //= 2
            for slot in self.slots.values():
                slot.rows = np.repeat(slot.rows, 2, axis=1)

    def grow(self, size: int) -> None:
        """Make room for memory of `size` bytes; what is remembered stays."""
        if size <= self.size:
            return
        self.size = max(size, 2 * self.size)
        for slot in self.slots.values():
            rows, slot.rows = slot.rows, _Slot(-(-self.size // self.granule)).rows
            slot.rows[:, : rows.shape[1]] = rows

    def forget(self, start: int, size: int) -> None:
        """Forget who accessed these bytes: they begin a new life."""
        for slot in self.slots.values():
            slot.rows[0, start // self.granule : -(-(start + size) // self.granule)] = -1

    def _slot(self, name: str) -> _Slot:
        if name not in self.slots:
            self.slots[name] = _Slot(-(-self.size // self.granule))
        return self.slots[name]

    def reads_before_swap(self, access: Access, start: Ints, threads: Ints) -> set[int]:
        """Ids of the loads by which these threads read what they compare and swap now (call before `access`).

        `old = *p; do seen = old, old = atomicCAS(p, seen, ...) while (old != seen)` is the CUDA guide's own loop: its
        plain read may be stale, since the swap fails then.
        """
        found: set[int] = set()
        for name in ("read_low", "read_high"):
            if name in self.slots and access.size == self.granule:
                thread, _, number, _ = self.slots[name].rows[:, start // self.granule]
                found.update(id(self._instructions[n]) for n in np.unique(number[thread == threads]))
        return found

    # --- looking ---------------------------------------------------------------------------------------

    def _conflicts(
        self, event: _Event, order: Order, changed: Callable[[Ints], NDArray[np.bool_]]
    ) -> Iterator[Race]:
        names = _AGAINST[event.writes, event.strong > PLAIN]
        if event.strong == VOLATILE:
            names = (*names, "strong_low", "strong_high", *(("look_low", "look_high") if event.writes else ()))
        for name in names:
            slot = self.slots.get(name)
            if slot is None:
                continue
            then, clock, number, strong = slot.rows[:, event.index]
            if name.endswith("_high"):   # one thread alone is the lowest and the highest: it counts once
                then = np.where(then == self.slots[name[:-4] + "low"].rows[0, event.index], -1, then)
            bad = ~order.ordered(event.thread, then.astype(np.int64), clock)
            if event.strong and bad.any():
                bad &= (strong == PLAIN) | ((strong == VOLATILE) & (event.strong == VOLATILE)
                                            & (then // WARP == event.thread // WARP)
                                            & ~order.observed(event.thread, then.astype(np.int64), clock))  # fmt: skip
            if bad.any() and name == "write" and event.writes and not event.strong:
                bad[bad] = changed(event.lane[bad])
            for found in np.unique(number[bad]):
                chosen = np.flatnonzero(bad & (number == found))
                for part in _by_relation(chosen, event.thread[chosen], then[chosen], order.slots):
                    yield self._race(event, part, self._instructions[found], name, int(then[part[0]]))

    def _race(self, event: _Event, chosen: Ints, then: Instruction, name: str, other: int) -> Race:
        first = chosen[0]
        wrote = name.partition("_")[0] in ("write", "strong")
        return Race(
            event.access.instruction, then, event.writes, wrote, int(event.thread[first]), other,
            int(event.index[first]) * self.granule, event.access.size, len(chosen),
        )  # fmt: skip

    def _within(self, event: _Event, slots: int) -> Iterator[Race]:
        """Lanes that store different values to one place with one instruction."""
        if not event.writes or event.strong == ATOMIC:
            return
        same = np.flatnonzero((event.index[1:] == event.index[:-1]) & (event.thread[1:] != event.thread[:-1]))
        if not len(same):
            return
        a, b = event.lane[same], event.lane[same + 1]
        differ = np.zeros(len(same), bool)
        for value in event.access.values:
            differ |= value[a] != value[b]
        chosen = same[differ]
        for part in _by_relation(chosen, event.thread[chosen + 1], event.thread[chosen], slots):
            yield self._race(event, part + 1, event.access.instruction, "write", int(event.thread[part[0]]))

    # --- remembering -----------------------------------------------------------------------------------

    def _remember(self, event: _Event, order: Order) -> None:
        new = np.r_[True, event.index[1:] != event.index[:-1]]
        last = np.r_[new[1:], True]
        index, low, high = event.index[new], event.thread[new], event.thread[last]
        number = self._number(event.access.instruction)
        if event.writes and not event.strong:
            self._slot("write").put(index, high, order.clock[high], number, PLAIN)
            for name, slot in self.slots.items():
                if name != "write":
                    slot.rows[0, index] = -1
            return
        kind = _REMEMBERED[event.writes, event.strong > PLAIN]
        self._keep(kind + "_low", index, low, order, number, event.strong, lowest=True)
        self._keep(kind + "_high", index, high, order, number, event.strong, lowest=False)

    def _keep(
        self, name: str, index: Ints, thread: Ints, order: Order, number: int, strong: int, lowest: bool
    ) -> None:
        """Replace what is remembered where it came before the new access, or where the new one lies further out."""
        slot = self._slot(name)
        old, clock = slot.rows[0, index].astype(np.int64), slot.rows[1, index]
        further = thread <= old if lowest else thread >= old
        replaced = (old < 0) | further | order.ordered(thread, old, clock)
        index, thread = index[replaced], thread[replaced]
        slot.put(index, thread, order.release_clock(thread) if strong else order.clock[thread], number, strong)

    def _number(self, instruction: Instruction) -> int:
        number = self._numbers.get(id(instruction))
        if number is None:
            if len(self._instructions) > len(self._numbers):  # another shadow met new ones
                self._numbers = {id(i): n for n, i in enumerate(self._instructions)}
                return self._number(instruction)
            number = self._numbers[id(instruction)] = len(self._instructions)
            self._instructions.append(instruction)
        return number


def _by_relation(chosen: Ints, now: Ints, then: Ints, slots: int) -> Iterator[Ints]:
    """Parts of `chosen`: pairs of threads of one warp, of one block, of different blocks."""
    relation = (now // WARP != then // WARP).astype(np.int64) + (now // slots != then // slots)
    for kind in np.unique(relation):
        yield chosen[relation == kind]


@dataclass(frozen=True, slots=True)
class _Event:
    """One access, a row a granule, sorted by granule, then by thread: granule, lane in the access, thread."""

    access: Access
    index: Ints
    lane: Ints
    thread: Ints
    strong: int

    @property
    def writes(self) -> bool:
        return self.access.kind != "load"
