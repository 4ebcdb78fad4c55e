"""Atomic operations: lanes that hit one address take their turn, in ascending order of lanes.

Integer and bitwise operations without a result go through NumPy's `ufunc.at`. The others go in rounds:
a round serves at most one lane of each address, so that each round is one NumPy operation.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from gpucourse.simt.arithmetic import flush
from gpucourse.simt.memory import Memory, Space
from gpucourse.simt.registers import Ints, Lanes, Values

Update = Callable[..., Values]


def _inc(old: Values, b: Values) -> Values:
    return np.where(old >= b, 0, old + np.ones(1, old.dtype)).astype(old.dtype)


def _dec(old: Values, b: Values) -> Values:
    return np.where((old == 0) | (old > b), b, old - np.ones(1, old.dtype)).astype(old.dtype)


def _cas(old: Values, b: Values, c: Values) -> Values:
    return np.where(old == b, c, old)


#: Operation -> new value from the old one and the operands.
OPERATIONS: dict[str, Update] = {
    "add": np.add, "min": np.minimum, "max": np.maximum, "and": np.bitwise_and, "or": np.bitwise_or,
    "xor": np.bitwise_xor, "inc": _inc, "dec": _dec, "exch": lambda old, b: b,
    "cas": _cas,
}  # fmt: skip
_WITH_AT: dict[str, np.ufunc] = {
    "add": np.add, "min": np.minimum, "max": np.maximum, "and": np.bitwise_and, "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}  # fmt: skip


def apply(
    memory: Space, address: Values, dtype: np.dtype[Any], lanes: Lanes, operation: str,
    operands: list[Values], wants_old: bool, half_pairs: bool = False,
) -> Values:  # fmt: skip
    """Apply `operation` at `address` for all lanes; the values each lane found (uninitialised if not wanted)."""
    old = np.empty(len(address), dtype)
    for cells, chosen, index in memory.cells(address, dtype, lanes):
        part = [o[chosen] for o in operands]
        if operation == "add" and dtype == np.float32 and isinstance(memory, Memory):
            old[chosen] = _flushing_add(cells, index, part[0], wants_old)
        elif not wants_old and operation in _WITH_AT and not half_pairs:
            _WITH_AT[operation].at(cells, index, part[0])
        elif operation == "add" and dtype.kind in "iu" and not half_pairs:
            old[chosen] = _running_sum(cells, index, part[0])
        elif operation == "cas":
            old[chosen] = _compare_and_swap(cells, index, part[0], part[1])
        else:
            update = _half_pair(OPERATIONS[operation]) if half_pairs else OPERATIONS[operation]
            old[chosen] = _in_rounds(cells, index, part, update)
    return old


def _half_pair(update: Update) -> Update:
    def both(old: Values, b: Values) -> Values:
        halves = np.ascontiguousarray(old).view(np.float16), np.ascontiguousarray(b).view(np.float16)
        return update(*halves).view(np.uint32)

    return both


def _flushing_add(cells: Values, index: Ints, value: Values, wants_old: bool) -> Values:
    """float32 in global memory: subnormals count as zero, whatever the compiler was told (PTX ISA, "atom")."""
    if wants_old or _small(value) or _small(cells[index]):
        return _in_rounds(cells, index, [value], lambda old, b: flush(flush(old) + flush(b)))
    np.add.at(cells, index, value)
    return value


def _small(value: Values) -> bool:
    """Whether sums may become subnormal: others are multiples of 2**-123, as 2**-100 and all above it are."""
    return bool(((value != 0) & (np.abs(value) < 2.0**-100)).any())


def _running_sum(cells: Values, index: Ints, value: Values) -> Values:
    """Integer adds: what a lane finds is what was there plus the sum of the lanes before it."""
    order = np.argsort(index, kind="stable")
    place, added = index[order], value[order]
    total = np.cumsum(added, dtype=value.dtype)
    starts = np.flatnonzero(np.r_[True, place[1:] != place[:-1]])
    group = np.cumsum(np.r_[True, place[1:] != place[:-1]]) - 1
    before_group = np.where(starts > 0, total[starts - 1], np.zeros(1, value.dtype))
    found = np.empty_like(value)
    found[order] = cells[place] + (total - added - before_group[group])
    ends = np.r_[starts[1:], len(place)] - 1
    cells[place[ends]] = cells[place[ends]] + (total[ends] - before_group)
    return found


def _ranks(index: Ints) -> tuple[Ints, Ints]:
    """(order by address then lane, how many lanes come before at the same address, in that order)."""
    order = np.argsort(index, kind="stable")
    place = index[order]
    new = np.r_[True, place[1:] != place[:-1]]
    starts = np.flatnonzero(new)
    return order, np.arange(len(place)) - starts[np.cumsum(new) - 1]


def _in_rounds(cells: Values, index: Ints, operands: list[Values], update: Update) -> Values:
    order, rank = _ranks(index)
    found = np.empty(len(index), cells.dtype)
    by_rank = order[np.argsort(rank, kind="stable")]
    bounds = np.r_[0, np.cumsum(np.bincount(rank))]
    for start, stop in itertools.pairwise(bounds):
        lane = by_rank[start:stop]
        found[lane] = cells[index[lane]]
        cells[index[lane]] = update(found[lane], *(o[lane] for o in operands))
    return found


def _compare_and_swap(cells: Values, index: Ints, compare: Values, value: Values) -> Values:
    """Only a lane that finds what it expects writes, so a round ends with the first such lane of each address."""
    order, _ = _ranks(index)
    found = np.empty(len(index), cells.dtype)
    while len(order):
        now = cells[index[order]]
        hits = np.flatnonzero(now == compare[order])
        _, first = np.unique(index[order[hits]], return_index=True)
        winners = hits[first]
        stop = np.full(len(order), len(order))
        place = np.searchsorted(index[order[winners]], index[order])
        known = place < len(winners)
        same = known.copy()
        same[known] = index[order[winners]][place[known]] == index[order[known]]
        stop[same] = winners[place[same]]
        done = np.arange(len(order)) <= stop
        found[order[done]] = now[done]
        lane = order[winners]
        cells[index[lane]] = value[lane]
        order = order[~done]
    return found
