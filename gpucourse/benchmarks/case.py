"""The vocabulary of a measurement: the machine, the sizes, a case; and how one case is timed.

A benchmark is a function from a `Machine` and `Sizes` to cases. A case names its parameters, the work
of one call (bytes, operations, pixels) and how to prepare the call that is then timed: by `timing.timeit`, or with
a cold cache (`Case.cold`). A call whose result is to be checked is prepared as a `Checked`:

    def prepare():
        x, out = xp.ones(n, xp.float32), xp.empty(n, xp.float32)
        kernel = RUNGS["copy"].kernel(xp)
        return Checked(lambda: launch(kernel, x, out), poison=lambda: out.fill(xp.nan),
                       check=lambda: equal(out, x, "copy"))     # raises WrongResult

    Case({"kernel": "copy", "n": n}, 8 * n, "B", prepare, cold=True)
    Case({"kernel": "mine", "n": n}, 8 * n, "B", prepare_mine, cold=True, share_of="copy")  # a share of the copy's rate
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from gpucourse.errors import CourseError
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


class WrongResult(CourseError):
    """A benchmark's kernel left a wrong result: its time would be worth nothing."""


def require_close(what: str, error: float, largest: float, tolerance: float) -> None:
    """Raise WrongResult unless `error` is at most `tolerance` of the `largest` result; NaN is wrong, too."""
    if not error <= tolerance * largest:
        raise WrongResult(f"{what}: the largest error is {error / largest:.2g} of the largest result; "
                          f"up to {tolerance:g} is let pass")  # fmt: skip


@dataclass(frozen=True)
class Checked:
    """A call with its check: `poison()` spoils the output before a run, `check()` raises WrongResult after it."""

    call: Callable[[], object]
    poison: Callable[[], object]
    check: Callable[[], object]

    def __call__(self) -> object:
        return self.call()


class NotHere(CourseError):
    """A case needs what this machine lacks: it is recorded as skipped, with these words."""


@dataclass(frozen=True)
class Measured:
    """What a call returns that keeps the time itself: its timing, and what else a reader should know of it."""

    timing: Timing
    details: dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One thing to time: `prepare()` allocates its inputs and returns the call, which may be a `Checked`."""

    parameters: dict[str, Any]
    work: float  # units in a call
    unit: str  # "B", "FLOP", "pixel", "call"
    prepare: Callable[[], Callable[[], object]]
    options: dict[str, Any] = field(default_factory=dict)  # for timeit, where the benchmark's own differ
    series: str = ""  # cases of one series grow; when one is too slow, the larger ones are skipped
    setting: Callable[[], AbstractContextManager[object]] = nullcontext  # entered for preparing and timing
    cold: bool = False  # each run finds the last-level cache filled with other data (see cold.py)
    keeps_time: bool = False  # its call returns a `Measured`; it is called once
    share_of: str = ""  # "kernel" of an earlier case with the same other parameters: its rate is 100 %


Benchmark = Callable[[Machine, Sizes], Iterable[Case]]


def measure(name: str, benchmark: Benchmark, machine: Machine, sizes: Sizes) -> Iterator[dict[str, Any]]:
    """Yield one plain entry per case; what fails becomes {"error": ...} and the rest goes on."""
    pace: dict[str, float] = {}  # series -> seconds for one unit of work in its largest case so far
    rates: list[tuple[dict[str, Any], float]] = []  # parameters and rate of the cases so far
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
        if "rate" in result:
            rates.append((case.parameters, result["rate"]))
        yield entry | result | _share(case, result, rates)


def _share(case: Case, result: dict[str, Any], rates: list[tuple[dict[str, Any], float]]) -> dict[str, Any]:
    """The rate as a share of the rate of the case that `share_of` names; nothing where that one has none."""
    reference = case.parameters | {"kernel": case.share_of}
    found = [rate for parameters, rate in rates if parameters == reference]
    if not case.share_of or "rate" not in result or not found:
        return {}
    return {"share": float(f"{result['rate'] / found[-1]:.4g}"), "of": case.share_of}


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
            outcome = _outcome(case, call, machine, options | case.options)
    except NotHere as reason:
        return {"skipped": str(reason)}
    except Exception as error:
        return {"error": _sentence(error)}
    finally:
        _release(machine)
    timing = outcome.timing if isinstance(outcome, Measured) else outcome
    if not isinstance(timing, Timing):
        return {"value": timing, "unit": case.unit}
    return {
        "unit": f"{case.unit}/s",
        "work": case.work,
        "rate": case.work / timing.median,
        "seconds": plain(timing),
    } | ({"details": outcome.details} if isinstance(outcome, Measured) else {})


def _outcome(case: Case, call: Callable[[], object], machine: Machine, options: dict[str, Any]) -> object:
    """The call's timing, cold or warm; what a call that counts or keeps time returns. A `Checked` is checked."""
    if case.unit == "count" or case.keeps_time:
        return call()
    if case.cold:
        from gpucourse.benchmarks.cold import time_cold  # which imports this file's vocabulary

        return time_cold(call, machine, options["repeat"])
    if isinstance(call, Checked):
        call.poison()
    timing = timeit(call, **options)
    if isinstance(call, Checked):
        call.check()
    return timing


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
