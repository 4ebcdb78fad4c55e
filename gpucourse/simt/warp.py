"""Warp-wide operations: shuffles, votes and matches among the 32 lanes of each warp."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gpucourse.simt.memory import AccessFault
from gpucourse.simt.registers import WARP, Ints, Lanes, Values, spread

#: What a shuffle gets from a lane that is not there, which PTX leaves undefined: nan as a float, so that it shows.
NOBODY = 0x7FFFFFFF


def cells(lanes: Lanes) -> tuple[Ints, int]:
    """Place of each lane in a (warps, 32) table flattened, and the number of warps."""
    if lanes.packed:
        return np.arange(lanes.count), lanes.count // WARP
    warps = lanes.warps
    return np.searchsorted(warps, lanes.warp) * WARP + lanes.lane, len(warps)


def table(lanes: Lanes, value: Values, elsewhere: int = 0) -> Values:
    """`value` as (warps, 32); lanes that are not there hold `elsewhere`."""
    value = spread(value, lanes.count)
    if lanes.packed:
        return value.reshape(-1, WARP)
    place, warps = cells(lanes)
    out = np.full(warps * WARP, elsewhere, value.dtype)
    out[place] = value
    return out.reshape(-1, WARP)


def active(lanes: Lanes) -> Values:
    """Bit mask (uint32) of the lanes of the own warp that are here."""
    return _back(lanes, _bits(table(lanes, np.ones(1, bool))))


def _bits(flags: NDArray[np.bool_]) -> Values:
    """(warps, 32) flags as one uint32 a warp, lane 0 in bit 0."""
    packed = np.packbits(flags, axis=1, bitorder="little")
    return np.ascontiguousarray(packed).view(np.uint32)[:, 0]


def _back(lanes: Lanes, per_warp: Values) -> Values:
    place, _ = cells(lanes)
    out: Values = per_warp[place // WARP]
    return out


def check_members(lanes: Lanes, mask: Values) -> None:
    """Raise `AccessFault` for a lane that its own mask does not name: PTX leaves undefined what it gets."""
    if len(mask) == 1 and mask[0] == 0xFFFFFFFF:
        return
    outside = np.flatnonzero((spread(mask, lanes.count) >> lanes.lane.astype(np.uint32) & 1) == 0)
    if len(outside):
        at, number = int(outside[0]), int(spread(mask, lanes.count)[outside[0]])
        text = f"lane {lanes.lane[at]} takes part in a warp-wide operation whose mask {number:#010x} does not name it"
        raise AccessFault("kernel", at, f"{text}; keep the lane out, or put its bit into the mask")


def shuffle(lanes: Lanes, mode: str, value: Values, place: Values, clamp: Values) -> tuple[Values, Values]:
    """(value of the source lane, whether it was in range), by the formula of PTX ISA, `shfl.sync`."""
    lane = lanes.lane
    b, limit = place.astype(np.int64) & 31, clamp.astype(np.int64) & 31
    segment = clamp.astype(np.int64) >> 8 & 31
    first, last = lane & segment, (lane & segment) | (limit & ~segment)
    sources: dict[str, Callable[[], tuple[Values, Values]]] = {
        "up": lambda: (lane - b, lane - b >= last),
        "down": lambda: (lane + b, lane + b <= last),
        "bfly": lambda: (lane ^ b, (lane ^ b) <= last),
        "idx": lambda: (first | (b & ~segment), (first | (b & ~segment)) <= last),
    }
    source, inside = sources[mode]()
    source = np.where(inside, source, lane)
    at, _ = cells(lanes)
    values = table(lanes, value, NOBODY).reshape(-1)
    return values[at - lane + source], inside


def vote(lanes: Lanes, mode: str, flag: Values, mask: Values) -> Values:
    """`vote.sync` among the lanes in `mask`: ballot (uint32), or all, any, uni (bool)."""
    mask = spread(mask, lanes.count)
    yes = _back(lanes, _bits(table(lanes, flag))) & mask
    if mode == "ballot":
        return yes
    here = _back(lanes, _bits(table(lanes, np.ones(1, bool)))) & mask
    answers: dict[str, Values] = {"all": yes == here, "any": yes != 0, "uni": (yes == here) | (yes == 0)}
    return answers[mode]


def match(lanes: Lanes, mode: str, value: Values, mask: Values) -> tuple[Values, Values]:
    """`match.sync`: the lanes in `mask` with the own value (any), or all of them if all agree."""
    mask = spread(mask, lanes.count)
    values = table(lanes, value)
    here = table(lanes, np.ones(1, bool))
    place, _ = cells(lanes)
    equal = (values[:, :, None] == values[:, None, :]) & here[:, None, :]
    same = _bits(equal.reshape(-1, WARP))[place] & mask
    present = _back(lanes, _bits(here)) & mask
    if mode == "any":
        return same, same != 0
    agree = same == present
    return np.where(agree, present, 0).astype(np.uint32), agree
