"""Learning-rate schedules: functions from the share of the training that is done, 0 to 1, to a factor of the rate."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[float], float]


def constant(done: float) -> float:
    """Return 1: the rate stays."""
    return 1.0


def cosine(done: float) -> float:
    """Fall from 1 to 0 along half a cosine (Loshchilov and Hutter, 2017)."""
    return (1 + math.cos(math.pi * done)) / 2


def one_cycle(peak_at: float = 0.25, start: float = 0.04) -> Schedule:
    """Return a schedule that rises linearly from `start` to 1 at `peak_at`, then falls linearly to 0.

    After L. Smith and N. Topin, Super-convergence, 2017, which has a rise and a fall; many variants exist.
    """
    def factor(done: float) -> float:
        return start + (1 - start) * done / peak_at if done < peak_at else (1 - done) / (1 - peak_at)

    return factor
