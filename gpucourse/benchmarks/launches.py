"""Launches: what one costs, how many the queue holds, and when a call returns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from gpucourse.benchmarks.case import Case, Machine, Sizes
from gpucourse.benchmarks.products import bind_product

EMPTY_KERNEL = 'extern "C" __global__ void nothing() {}'
SPIN_KERNEL = """extern "C" __global__ void spin(long long cycles) {
    long long start = clock64();
    while (clock64() - start < cycles) {}
}"""


def launch(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Launch a kernel that does nothing, queued or waited for, and an array operation on one element."""
    xp, wait = machine.xp, machine.synchronize

    def queued() -> Callable[[], object]:
        nothing = xp.RawKernel(EMPTY_KERNEL, "nothing")
        return lambda: nothing((1,), (32,), ())

    def waited() -> Callable[[], object]:
        call = queued()
        return lambda: (call(), wait())

    def operation() -> Callable[[], object]:
        x = xp.ones(1, xp.float32)
        return lambda: x + x

    for how, prepare in (
        ("kernel, queued", queued),
        ("kernel, waited for", waited),
        ("array add, queued", operation),
    ):
        yield Case({"launch": how}, 1, "call", prepare)


def queue_depth(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Count the launches that fit in the queue behind a busy kernel before the host itself has to wait."""
    xp = machine.xp

    def prepare() -> Callable[[], object]:
        nothing, spin = xp.RawKernel(EMPTY_KERNEL, "nothing"), xp.RawKernel(SPIN_KERNEL, "spin")
        nothing((1,), (32,), ())  # compiled and loaded before the queue fills
        machine.synchronize()
        cycles = np.int64(machine.facts.get("clock_hz", 1.5e9) * 0.2)
        return lambda: launches_before_a_wait(
            lambda: spin((1,), (1,), (cycles,)), lambda: nothing((1,), (32,), ()), sizes.queue
        )

    yield Case({"launch": "kernel"}, 1, "count", prepare)


def launches_before_a_wait(
    busy: Callable[[], object],
    launch: Callable[[], object],
    most: int,
    clock: Callable[[], float] = time.perf_counter,
) -> int | None:
    """Return how many launches return at once after `busy()`, None when all do. A wait lasts over 5 ms."""
    busy()
    times = [clock()]
    for _ in range(most):
        launch()
        times.append(clock())
    waits = (i for i, (before, after) in enumerate(pairwise(times)) if after - before > 0.005)
    return next(waits, None)


def asynchrony(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Time one large matrix product twice: until the call returns, and until the device is done."""
    n = sizes.matrix[-1]
    once = {"at_least": 0.0}
    for until, options in (("returned", once | {"synchronize": False}), ("done", once)):
        prepare = bind_product(machine.xp, "float32", n)
        yield Case({"n": n, "type": "float32", "until": until}, 1, "call", prepare, options)
