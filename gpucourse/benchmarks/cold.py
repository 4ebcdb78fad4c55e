"""Timing from a cold cache: before each run the last-level cache is filled with other data, and the output spoiled.

A call that is repeated finds its operands in the cache, which no first call does. Here each run is one call, timed
by events on the device; on a CPU by the host's clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gpucourse.benchmarks.case import Checked, Machine
from gpucourse.timing import Timing


def time_cold(call: Callable[[], object], machine: Machine, repeat: int) -> Timing:
    """Time `call` `repeat` times, one call a run, each with a cold cache; a `Checked` call is checked after each."""
    other = machine.xp.empty(2 * machine.cache_bytes // 4, "float32")
    stopwatch = _events if machine.kind == "gpu" else _clock
    times = []
    for run in range(repeat + 1):                       # the first compiles and is not counted
        if isinstance(call, Checked):
            call.poison()
        other.fill(run)                                 # queued: while it runs, the host gets ahead of the device
        times.append(stopwatch(call, machine))
        if isinstance(call, Checked):
            call.check()
    return Timing(tuple(times[1:]))


def _events(call: Callable[[], object], machine: Machine) -> float:
    """Seconds between two events around the call."""
    cuda: Any = machine.xp.cuda
    start, stop = cuda.Event(), cuda.Event()
    start.record()
    call()
    stop.record()
    stop.synchronize()
    return 1e-3 * float(cuda.get_elapsed_time(start, stop))


def _clock(call: Callable[[], object], machine: Machine) -> float:
    """Seconds of the host's clock from an idle device until the device is done."""
    machine.synchronize()
    start = time.perf_counter()
    call()
    machine.synchronize()
    return time.perf_counter() - start
