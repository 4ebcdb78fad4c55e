"""Which thread adds what in which round: the rules of lesson 06's seven sums of a block of 256 threads.

Round 0 is what a thread takes from `x`; the rounds 1 to 8 make one sum of 256. Nothing is run here: the rules are
held against records of the kernels in the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from gpucourse.simt.metrics import BANKS
from gpucourse.simt.registers import WARP

BLOCK = 256  # threads
WARPS = BLOCK // WARP
ROUNDS = 8  # from 256 values to one
IN_WARP = 5  # of them by shuffles, from 32 values to one

#: (thread, elements of x, blocks) -> the loads of a thread of block 0, each of some neighboring elements.
Loads = Callable[[int, int, int], list[range]]


class Add(NamedTuple):
    """`thread` adds the value at `other` to the one at `own` and leaves the sum at `to`.

    Values lie in elements of the tile `s` or in threads' registers; both are numbered 0 to 255.
    """

    thread: int
    own: int
    other: int
    to: int


class Request(NamedTuple):
    """What one warp asks of the tile at once: `kind` is "read" or "write", `elements` those of its threads."""

    kind: str
    warp: int
    elements: Mapping[int, int]

    @property
    def words(self) -> dict[int, set[int]]:
        """The distinct words of each bank that is asked; an element is a word, and `s` begins in bank 0."""
        found: dict[int, set[int]] = {}
        for element in self.elements.values():
            found.setdefault(element % BANKS, set()).add(element)
        return found

    @property
    def wavefronts(self) -> int:
        """As many as the busiest bank has words."""
        return max(map(len, self.words.values()))


@dataclass(frozen=True)
class Round:
    """One round of a block: `code` says it in C, `workers` execute it, `adds` are the sums that are used later.

    `distance` lies between what is added; `shuffled`: values come from other lanes' registers. `requests` go to
    the tile, and the warps in `parted` have lanes that work and lanes that do not. `writers` leave their values in
    the tile before the round, so that another warp gets them.
    """

    code: str
    workers: frozenset[int]
    adds: tuple[Add, ...]
    distance: int
    shuffled: bool
    requests: tuple[Request, ...]
    parted: frozenset[int]
    writers: frozenset[int] = frozenset()

    @property
    def warps(self) -> set[int]:
        """Warps that have work."""
        return {thread // WARP for thread in self.workers | self.writers}

    @cached_property
    def used(self) -> frozenset[int]:
        """Threads whose work is used later."""
        return frozenset(add.thread for add in self.adds) or self.workers

    @property
    def wavefronts(self) -> int:
        """Of all requests to the tile."""
        return sum(request.wavefronts for request in self.requests)

    @property
    def conflicts(self) -> int:
        """Wavefronts beyond one a request."""
        return self.wavefronts - len(self.requests)

    def source(self, lane: int) -> int:
        """The lane whose value a shuffle brings to `lane`: itself, where there is none so far away."""
        return lane + self.distance if lane + self.distance < WARP else lane


@dataclass(frozen=True)
class Rule:
    """One version: its loads, its rounds 0 to 8, how often a block comes to a barrier."""

    loads: Loads
    rounds: tuple[Round, ...]
    barriers: int


def _parted(workers: frozenset[int]) -> frozenset[int]:
    return frozenset(warp for warp in range(WARPS) if 0 < len(_of_warp(workers, warp)) < WARP)


def _of_warp(threads: frozenset[int], warp: int) -> list[int]:
    return sorted(thread for thread in threads if thread // WARP == warp)


# --- round 0 -----------------------------------------------------------------------------------------

_ALL = frozenset(range(BLOCK))


def _one(thread: int, n: int, blocks: int) -> list[range]:
    return [range(thread, thread + 1)] if thread < n else []


def _two(thread: int, n: int, blocks: int) -> list[range]:
    return [range(i, i + 1) for i in (thread, thread + BLOCK) if i < n]


def _many(thread: int, n: int, blocks: int) -> list[range]:
    return [range(i, i + 1) for i in range(thread, n, blocks * BLOCK)]


def _fours(thread: int, n: int, blocks: int) -> list[range]:
    whole = n // 4
    left = [range(4 * whole + thread, 4 * whole + thread + 1)] if thread < n % 4 else []
    return [range(4 * i, 4 * i + 4) for i in range(thread, whole, blocks * BLOCK)] + left


def _take(code: str, *, to_tile: bool) -> Round:
    writes = (Request("write", warp, {t: t for t in _of_warp(_ALL, warp)}) for warp in range(WARPS))
    return Round(code, _ALL, (), 0, False, tuple(writes) if to_tile else (), frozenset())


# --- rounds through the tile -------------------------------------------------------------------------


def _modulo(number: int) -> Round:
    step = 2 ** (number - 1)
    adds = [Add(t, t, t + step, t) for t in range(0, BLOCK, 2 * step)]
    return _in_tile(f"if (t % {2 * step} == 0) s[t] += s[t + {step}]", adds)


def _strided(number: int) -> Round:
    step = 2 ** (number - 1)
    adds = [Add(k // (2 * step), k, k + step, k) for k in range(0, BLOCK, 2 * step)]
    return _in_tile(f"if ({2 * step} * t < {BLOCK}) s[{2 * step} * t] += s[{2 * step} * t + {step}]", adds)


def _halves(number: int) -> Round:
    half = BLOCK >> number
    return _in_tile(f"if (t < {half}) s[t] += s[t + {half}]", [Add(t, t, t + half, t) for t in range(half)])


def _in_tile(code: str, adds: list[Add]) -> Round:
    workers = frozenset(add.thread for add in adds)
    requests = tuple(_tile_requests(adds))
    return Round(code, workers, tuple(adds), adds[0].other - adds[0].own, False, requests, _parted(workers))


def _tile_requests(adds: list[Add]) -> Iterator[Request]:
    for warp in sorted({add.thread // WARP for add in adds}):
        mine = [add for add in adds if add.thread // WARP == warp]
        own, other = {add.thread: add.own for add in mine}, {add.thread: add.other for add in mine}
        yield from (Request("read", warp, own), Request("read", warp, other), Request("write", warp, own))


# --- rounds by shuffles ------------------------------------------------------------------------------


def _shuffled(number: int) -> Round:
    """The rounds 1 to 5 in every warp; 6 to 8 in warp 0, on the sums that the warps left in the tile."""
    inside = number <= IN_WARP
    distance = WARP >> number if inside else WARPS >> (number - IN_WARP)
    workers = _ALL if inside else frozenset(range(WARP))
    adds = tuple(_shuffle_add(t, distance, number) for t in sorted(workers) if t % WARP < distance)
    meets = number == IN_WARP + 1
    code = f"v += __shfl_down_sync(ALL, v, {distance})"
    requests, writers = (_meeting(), frozenset(range(0, BLOCK, WARP))) if meets else ((), frozenset())
    return Round(code, workers, adds, distance, True, requests, _parted(writers), writers)


def _shuffle_add(thread: int, distance: int, number: int) -> Add:
    """In round 6 thread t works on the sums of the warps t and t + 4, which lane 0 of each has brought."""
    apart = WARP if number == IN_WARP + 1 else 1
    return Add(thread, apart * thread, apart * (thread + distance), thread)


def _meeting() -> tuple[Request, ...]:
    """Lane 0 of each warp leaves its sum in the tile; the lanes of warp 0 fetch all of them."""
    writes = [Request("write", warp, {warp * WARP: warp}) for warp in range(WARPS)]
    return (*writes, Request("read", 0, {lane: lane % WARPS for lane in range(WARP)}))


# --- the seven versions ------------------------------------------------------------------------------


def _tree(loads: Loads, code: str, number: Callable[[int], Round]) -> Rule:
    take = _take(f"s[t] = {code}", to_tile=True)
    return Rule(loads, (take, *map(number, range(1, ROUNDS + 1))), barriers=1 + ROUNDS)


def _warps(loads: Loads, code: str) -> Rule:
    return Rule(loads, (_take(code, to_tile=False), *map(_shuffled, range(1, ROUNDS + 1))), barriers=1)


RULES = {
    "modulo": _tree(_one, "x[i]", _modulo),
    "strided": _tree(_one, "x[i]", _strided),
    "halves": _tree(_one, "x[i]", _halves),
    "first_add": _tree(_two, f"x[i] + x[i + {BLOCK}]", _halves),
    "shuffled": _warps(_two, f"v = x[i] + x[i + {BLOCK}]"),
    "grid_stride": _warps(_many, "v += x[i] for i, i + T, i + 2 * T ..."),
    "vector": _warps(_fours, "v += the four floats of x4[i] for i, i + T ..."),
}
