"""Honest timing: warmed up, synchronized, repeated; a median with its spread, never a single run.

A GPU works behind Python's back: a call returns when the work is queued, not when it is done. So
`timeit` waits for the device before it starts the clock and again before it stops it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from numbers import Real
from statistics import median, quantiles
from typing import Any

from gpucourse.errors import CourseError
from gpucourse.show import here

FEWEST_RUNS = 3
MOST_LOOPS = 1_000_000
# seconds in a unit, largest first
_UNITS = ((3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


class TimingError(CourseError):
    """`timeit`, `seconds` or `ratio` was handed something that cannot be timed or compared."""


@dataclass(frozen=True, repr=False)
class Timing:
    """What `timeit` measured: the time of one call, in seconds, once per run.

    Printed, or left as the last expression of a cell, it reads ⟨1.23 ms (1.20 to 1.31 ms, 7 runs)⟩:
    the median, then the middle half of the runs. Arithmetic is done on `.median`, in seconds.
    """

    times: tuple[float, ...]  # one per run: seconds for one call
    loops: int = 1  # calls in a run

    @property
    def median(self) -> float:
        """The middle run, in seconds for one call."""
        return median(self.times)

    @property
    def low(self) -> float:
        """The first quartile, in seconds: a quarter of the runs were faster."""
        return self._quartiles()[0]

    @property
    def high(self) -> float:
        """The third quartile, in seconds: a quarter of the runs were slower."""
        return self._quartiles()[2]

    @property
    def runs(self) -> int:
        """How many runs there were."""
        return len(self.times)

    def _quartiles(self) -> list[float]:
        return quantiles(self.times, n=4, method="inclusive")

    def __str__(self) -> str:
        scale, unit = _unit(self.median)
        middle, low, high = (_digits(x / scale) for x in (self.median, self.low, self.high))
        return here(f"{middle} {unit} ({low} to {high} {unit}, {self.runs} runs)")

    __repr__ = __str__


def timeit(
    function: Callable[..., object],
    *args: Any,
    repeat: int = 7,
    warmup: int = 1,
    at_least: float = 0.002,
    synchronize: bool | Callable[[], object] = True,
    clock: Callable[[], float] = time.perf_counter,
    **kwargs: Any,
) -> Timing:
    """Time `function(*args, **kwargs)` in `repeat` runs and return a `Timing`.

    The function is called `warmup` times untimed. Then each run calls it as often as it takes for the run
    to last `at_least` seconds, and waits for the device before and after. `synchronize=False` stops
    the clock without waiting, which on a GPU times the queueing and not the work: a mistake to look at. A
    function given as `synchronize` is what waits (for a queue of your own). `clock` returns seconds.
    Raises TimingError when `function` is not callable, or an option is out of range.

    >>> timeit(sorted, [3, 1, 2])       # doctest: +SKIP
    ⟨132 ns (131 to 133 ns, 7 runs)⟩
    """
    _refuse_bad_options(function, repeat, warmup, at_least)
    wait = _waiter(synchronize)
    for _ in range(warmup):
        function(*args, **kwargs)
    run = _stopwatch(lambda: function(*args, **kwargs), clock, wait, synchronize is not False)
    timing = _repeat(run, repeat, at_least)
    wait()  # work that was queued and not waited for must not reach the next timing
    return timing


def seconds(x: float) -> str:
    """Return a time of `x` seconds to three digits in a unit that fits it.

    >>> seconds(0.00123)
    '1.23 ms'
    """
    scale, unit = _unit(_number(x, "seconds"))
    return f"{_digits(x / scale)} {unit}"


def ratio(slow: Timing | float, fast: Timing | float) -> str:
    """Return how many times longer `slow` takes than `fast` (Timings, or seconds), between ⟨ and ⟩.

    Raises TimingError when `fast` is zero or negative.

    >>> ratio(0.123, 0.01)
    '⟨12.3 times⟩'
    """
    numerator, denominator = (_number(x, "ratio") for x in (slow, fast))
    if denominator <= 0:
        raise TimingError(f"ratio(slow, fast) divides by fast, which is {denominator:g} s: time more loops")
    return here(f"{_digits(numerator / denominator)} times")


def _stopwatch(
    once: Callable[[], object],
    clock: Callable[[], float],
    wait: Callable[[], object],
    waits_at_end: bool,
) -> Callable[[int], float]:
    """Return the function that gives the seconds of so many back-to-back calls, from an idle device."""

    def run(loops: int) -> float:
        wait()
        start = clock()
        for _ in range(loops):
            once()
        if waits_at_end:
            wait()
        return clock() - start

    return run


def _repeat(run: Callable[[int], float], repeat: int, at_least: float) -> Timing:
    """Collect `repeat` runs that each last `at_least` seconds, with more loops whenever one falls short."""
    loops, times = 1, list[float]()
    while len(times) < repeat:
        elapsed = run(loops)
        if elapsed < at_least and loops < MOST_LOOPS:
            loops, times = _more_loops(loops, elapsed, at_least), []
        else:
            times.append(elapsed / loops)
    return Timing(tuple(times), loops)


def _more_loops(loops: int, elapsed: float, at_least: float) -> int:
    """Return the loops expected to last 1.3 times `at_least`: at least one more, at most ten times."""
    wanted = ceil(loops * 1.3 * at_least / elapsed) if elapsed > 0 else 10 * loops
    return min(max(wanted, loops + 1), 10 * loops, MOST_LOOPS)


def _waiter(synchronize: bool | Callable[[], object]) -> Callable[[], object]:
    if callable(synchronize):
        return synchronize
    from gpucourse import backend

    return backend.synchronize


def _refuse_bad_options(function: object, repeat: int, warmup: int, at_least: float) -> None:
    if not callable(function):
        raise TimingError(
            f"timeit needs a function; got {type(function).__name__}. "
            "Did you call it? Write timeit(f, x), not timeit(f(x))"
        )
    if repeat < FEWEST_RUNS:
        raise TimingError(f"timeit(repeat={repeat}): a median with a spread needs {FEWEST_RUNS} runs or more")
    if warmup < 0:
        raise TimingError(f"timeit(warmup={warmup}): the number of untimed calls is 0 or more")
    if not 0 <= at_least < 60:
        raise TimingError(f"timeit(at_least={at_least}): the length of a run is in seconds, from 0 to 60")


def _number(x: Timing | float, where: str) -> float:
    value = x.median if isinstance(x, Timing) else x
    if not isinstance(value, Real) or not isfinite(value):
        raise TimingError(
            f"{where} needs a Timing or seconds as a number; got {type(value).__name__} {value!r}"
        )
    return float(value)


def _unit(x: float) -> tuple[float, str]:
    """Return the largest unit in which `x` seconds, to three digits, is at least 1."""
    if x == 0:
        return 1.0, "s"
    fitting = (row for row in _UNITS if float(f"{abs(x) / row[0]:.2e}") >= 1)
    return next(fitting, _UNITS[-1])


def _digits(value: float) -> str:
    """Return `value` to three significant digits, without an exponent: 1.23, 12.3, 123, 12,300."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.2e}")
    return f"{rounded:,.{max(0, 2 - floor(log10(abs(rounded))))}f}"
