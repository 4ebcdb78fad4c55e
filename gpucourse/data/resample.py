"""Brings sound from one rate to another: what lies above half of either rate is filtered out first, then samples lie
where the new rate wants them.
"""

from __future__ import annotations

from functools import cache
from math import ceil, gcd

import torch
from torch import Tensor

from gpucourse.errors import CourseError

SIDE = 10          # the filter reaches so many samples of the slower rate to each side
SHARPNESS = 5.0    # of its Kaiser window; these are SciPy's numbers, too
MOST = 4_000_000   # weights of all filters; 44,100 to 16,000 takes 75,000


def resample(sound: Tensor, rate: int, to: int) -> Tensor:
    """Return sound (..., samples) of `rate` samples a second as sound of `to`, (..., samples · to / rate rounded up).

    Equal to `scipy.signal.resample_poly`. Raises CourseError for rates below 1, or with hardly a common divisor.
    """
    if min(rate, to) < 1:
        raise CourseError(f"resample: from {rate:,} to {to:,} samples a second; both must be at least 1")
    common = gcd(rate, to)
    up, down = to // common, rate // common
    if up == down:
        return sound
    samples = sound.shape[-1]
    count = ceil(samples * up / down)
    before, weights = _filters(up, down)
    rounds = ceil(count / up)                     # `down` samples are read and `up` written in each
    needed = (rounds - 1) * down + weights.shape[-1]
    padded = torch.nn.functional.pad(sound.reshape(-1, 1, samples), (before, max(0, needed - before - samples)))
    found = torch.nn.functional.conv1d(padded[..., :needed], weights.to(sound), stride=down)    # (n, up, rounds)
    return found.transpose(1, 2).reshape(*sound.shape[:-1], -1)[..., :count]


@cache
def _filters(up: int, down: int) -> tuple[int, Tensor]:
    """Return how many samples the first filter looks back, and one filter for each place in a round, (up, 1, width).

    Places are counted in steps of the common multiple of both rates: sample j is at j · up, result p at p · down. A
    weight is sinc, which keeps what is below half the slower rate, under a Kaiser window.
    """
    slower = max(up, down)                        # steps from one sample of the slower rate to the next
    reach = SIDE * slower
    before = reach // up
    width = before + ((up - 1) * down + reach) // up + 1
    if up * width > MOST:
        raise CourseError(f"resample: {up:,} new samples for every {down:,} would take {up * width:,} weights; "
                          f"{MOST:,} are the limit. Ask for a rate that has a larger divisor in common")  # fmt: skip
    results, samples = torch.arange(up)[:, None] * down, (torch.arange(width) - before) * up
    apart = (results - samples).double()
    window = torch.special.i0(SHARPNESS * (1 - (apart / reach) ** 2).clamp(min=0).sqrt()) * (apart.abs() <= reach)
    weights = torch.sinc(apart / slower) * window
    return before, (weights * up / weights.sum())[:, None].float()
