"""The vocabulary of a measurement: the machine, the sizes, a case; and how one case is timed.

A benchmark is a function from a `Machine` and `Sizes` to cases. A case names its parameters, the work
of one call (bytes, operations, pixels) and how to prepare the call that `timing.timeit` then times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from gpucourse.timing import Timing, timeit

MEGA = 1 << 20


@dataclass(frozen=True)
class Machine:
    """What the benchmarks need to know of the device they run on."""

    kind: str  # "gpu", "cpu" or "simulator"
    device: str
    xp: Any  # cupy, numpy or cupy_sim
    synchronize: Callable[[], object]
    cores: int  # CPU cores that this process may use
    cache_bytes: int = 32 * MEGA  # the device's last-level cache
    memory_bytes: int = 8 << 30  # the device's memory
    torch: Any = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def past_cache(self) -> int:
        """Bytes of an array so large that the cache cannot help, if the memory allows it."""
        return min(16 * self.cache_bytes, self.memory_bytes // 16)


@dataclass(frozen=True)
class Sizes:
    """How large and how long: bytes, side lengths, pixels and seconds of every benchmark."""

    copy: tuple[int, ...]  # bytes of one array; one past the cache is added
    transfer: tuple[int, ...]  # bytes
    matrix: tuple[int, ...]  # rows = columns
    allocation: tuple[int, ...]  # bytes
    image: tuple[int, ...]  # side in pixels; the last is lesson 01's 4-megapixel image
    loop_image: int  # side in pixels for the pure Python loop
    queue: int  # launches to try before giving up on filling the queue
    repeat: int
    at_least: float  # seconds of a run
    patience: float  # seconds: a case expected to take longer for one call is skipped


FULL = Sizes(
    copy=(MEGA, 16 * MEGA, 256 * MEGA),
    transfer=(4096, 65536, MEGA, 16 * MEGA, 256 * MEGA),
    matrix=(256, 1024, 4096, 8192),
    allocation=(4096, MEGA, 256 * MEGA),
    image=(64, 256, 1024, 2048),
    loop_image=128,
    queue=4096,
    repeat=15,
    at_least=0.02,
    patience=3.0,
)
QUICK = Sizes(
    copy=(MEGA, 64 * MEGA),
    transfer=(4096, MEGA, 64 * MEGA),
    matrix=(256, 1024, 2048),
    allocation=(4096, MEGA),
    image=(256, 2048),
    loop_image=64,
    queue=4096,
    repeat=5,
    at_least=0.005,
    patience=0.5,
)


@dataclass(frozen=True)
class Case:
    """One thing to time: `prepare()` allocates its inputs and returns the call."""

    parameters: dict[str, Any]
    work: float  # units in a call
    unit: str  # "B", "FLOP", "pixel", "call"
    prepare: Callable[[], Callable[[], object]]
    options: dict[str, Any] = field(default_factory=dict)  # for timeit, where the benchmark's own differ
    series: str = ""  # cases of one series grow; when one is too slow, the larger ones are skipped
    setting: Callable[[], AbstractContextManager[object]] = nullcontext  # entered for preparing and timing


Benchmark = Callable[[Machine, Sizes], Iterable[Case]]


def measure(name: str, benchmark: Benchmark, machine: Machine, sizes: Sizes) -> Iterator[dict[str, Any]]:
    """Yield one plain entry per case; what fails becomes {"error": ...} and the rest goes on."""
    pace: dict[str, float] = {}  # series -> seconds for one unit of work in its largest case so far
    try:
        cases = list(benchmark(machine, sizes))
    except Exception as error:
        yield {"name": name, "parameters": {}, "error": _sentence(error)}
        return
    for case in cases:
        expected = pace.get(case.series, 0.0) * case.work
        entry = {"name": name, "parameters": case.parameters}
        if case.series and expected > sizes.patience:
            yield entry | {"skipped": f"one call was expected to take {expected:.3g} s"}
            continue
        result = _measure_case(case, machine, sizes)
        if case.series and "seconds" in result:
            pace[case.series] = result["seconds"]["median"] / case.work
        yield entry | result


def ready(call: Callable[[], object]) -> Callable[[], Callable[[], object]]:
    """Return the `prepare` of a call that needs no preparation."""
    return lambda: call


def _measure_case(case: Case, machine: Machine, sizes: Sizes) -> dict[str, Any]:
    options: dict[str, Any] = {
        "repeat": sizes.repeat,
        "at_least": sizes.at_least,
        "synchronize": machine.synchronize,
    }
    try:
        with case.setting():
            call = case.prepare()
            outcome = call() if case.unit == "count" else timeit(call, **options | case.options)
    except Exception as error:
        return {"error": _sentence(error)}
    finally:
        _release(machine)
    if not isinstance(outcome, Timing):
        return {"value": outcome, "unit": case.unit}
    return {
        "unit": f"{case.unit}/s",
        "work": case.work,
        "rate": case.work / outcome.median,
        "seconds": plain(outcome),
    }


def plain(timing: Timing) -> dict[str, float | int]:
    """Return a timing as it stands in the file: seconds for one call, runs, and calls in a run."""
    spread = {"median": timing.median, "low": timing.low, "high": timing.high}
    return {key: float(f"{value:.4g}") for key, value in spread.items()} | {
        "runs": timing.runs,
        "loops": timing.loops,
    }


def _sentence(error: Exception) -> str:
    first_line = (str(error).strip() or "no message").splitlines()[0]
    return f"{type(error).__name__}: {first_line}"


def _release(machine: Machine) -> None:
    """Give memory back between cases, so that a large case does not fail for the sake of an earlier one."""
    if machine.kind == "gpu":
        machine.xp.get_default_memory_pool().free_all_blocks()
