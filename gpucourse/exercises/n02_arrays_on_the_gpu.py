"""The exercises of lesson 02: transfers, timing, dtypes, temporaries, two array modules, a pipeline."""

from __future__ import annotations

import inspect
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from gpucourse import cupy_sim
from gpucourse.exercises import guard
from gpucourse.exercises.compare import NotAttempted, Wrong
from gpucourse.exercises.difference import called
from gpucourse.exercises.fake_device import FakeDevice
from gpucourse.exercises.problem import Problem
from gpucourse.exercises.transfers import TO_DEVICE, TO_HOST, Crossing, watched

sim: Any = cupy_sim   # untyped, as CuPy is
Mistakes = Sequence[tuple[Callable[..., Any], str]]   # (what the mistake yields, its cause in words)


def _require(answer: Any, call: str) -> None:
    """Raise unless `answer` is a function that can be called as `call`, "f(x, y)", says."""
    name, count = call.split("(")[0], call.count(",") + 1
    if answer is ...:
        raise NotAttempted()
    if isinstance(answer, type) or not callable(answer):
        raise Wrong(f"{name} should be a function but is {called(answer)}. Hand it over without parentheses.")
    try:
        inspect.signature(answer).bind(*range(count))
    except TypeError:
        own = ", ".join(inspect.signature(answer).parameters)
        raise Wrong(f"The exercise calls {call}, but yours is {name}({own}).") from None
    except ValueError:
        pass   # some built-in functions do not say


def _value(answer: Any, args: tuple[Any, ...], call: str, module: Any = sim) -> Any:
    """Return what the learner's function gives, with `module` as its `cp`; raise for `...` and None."""
    done = guard.call(guard.with_module(answer, cp=module), args, where=call)
    if done.value is ...:
        raise NotAttempted()
    if done.value is None:
        extra = " It printed something; hand the result back with `return`." if done.printed else ""
        raise Wrong(f"{call} returned None: is a `return` missing?{extra}")
    return done.value


def _close(got: Any, due: Any, rtol: float) -> bool:
    got, due = np.asarray(got), np.asarray(due)
    return got.shape == due.shape and bool(np.allclose(got, due, rtol=rtol, atol=rtol))


class Trial(NamedTuple):
    """One call of an answer: in words, what it gave, what is due (both on the host), arguments, tolerance."""

    call: str
    got: Any
    due: Any
    args: tuple[Any, ...]
    rtol: float

    def is_near(self, value: Any, rtol: float = 0.0) -> bool:
        """Say whether the answer gave `value`, within the trial's tolerance or a wider one."""
        return _close(self.got, value, max(self.rtol, rtol))


# (digits that are right, where the rest was lost, how near that is)
ROUNDED = ((7, "float32", 1e-6), (3, "float16", 2e-3))


def _judge_values(trials: Sequence[Trial], mistakes: Mistakes) -> None:
    """Raise Wrong unless every result is right; a mistake is named only if it explains every result."""
    off = [trial for trial in trials if not trial.is_near(trial.due)]
    if not off:
        return
    with np.errstate(all="ignore"):
        for wrong, cause in mistakes:
            if all(trial.is_near(wrong(*trial.args)) for trial in trials):
                raise Wrong(cause)
    for digits, dtype, near in ROUNDED:
        if all(trial.is_near(trial.due, near) for trial in trials):
            raise Wrong(f"{off[0].call} is right to {digits} digits only: something was {dtype} on the way.")
    raise Wrong(_first_difference(off[0]))


def _first_difference(trial: Trial) -> str:
    got, due = np.asarray(trial.got), np.asarray(trial.due)
    if got.shape != due.shape:
        return f"{trial.call} should have shape {due.shape} but has {got.shape}."
    at = int(np.argmax(~np.isclose(got, due, rtol=trial.rtol, atol=trial.rtol)))
    return f"{trial.call}[{at}] should be {due.flat[at]:.6g} but is {got.flat[at]:.6g}."


# -- 02.1 -------------------------------------------------------------------------------------------


def tight(
    x: np.ndarray,
    steps: int,
    shift: Callable[[Any], Any] = np.min,
    scale: Callable[[Any], Any] = lambda x: x / max(x.max(), 1),
    record: Callable[[Any], Any] = np.mean,
    go_on: Callable[[Any], Any] = lambda x: 2 * x * x + x,
    when: str = "between",
) -> np.ndarray:
    """The means of all steps, in NumPy; the options make the plausible mistakes."""
    trace = []
    for _ in range(steps):
        seen = {"early": record(x)}
        x = scale(x - shift(x))
        seen["between"] = record(x)
        x = go_on(x)
        seen["late"] = record(x)
        trace.append(seen[when])
    return np.array(trace)


TIGHT_MISTAKES: Mistakes = (
    (lambda x, n: tight(x, n, scale=lambda x: x / x.max()),
     "This divides by the maximum in every step. `leaky` does so only where the maximum is above 1: "
     "divide by `xp.maximum(x.max(), 1)`."),
    (lambda x, n: tight(x, n, shift=lambda x: 0),
     "The minimum is not subtracted: `x = x - x.min()` is missing."),
    (lambda x, n: tight(x, n, when="early"),
     "The mean is taken at the start of a step. `leaky` takes it after the division."),
    (lambda x, n: tight(x, n, when="late"),
     "The mean is taken at the end of a step, after `2 * x * x + x`. `leaky` takes it before that line."),
    (lambda x, n: tight(x, n)[-1], "Only the last mean came back. Collect one for each step."),
    (lambda x, n: tight(x, n)[:1], "Only the first mean came back: does `return` stand inside the loop?"),
    (lambda x, n: tight(x, n, record=np.sum), "These are sums, not means."),
    (lambda x, n: tight(x, n, record=np.max), "These are the maxima, not the means."),
    (lambda x, n: tight(x, n, record=np.median), "These are the medians, not the means."),
    (lambda x, n: tight(x, n, scale=lambda x: x / min(x.max(), 1)),
     "The divisor should be the larger of `x.max()` and 1; this takes the smaller."),
    (lambda x, n: tight(x, n, scale=lambda x: np.minimum(x, 1)),
     "The values above 1 are cut off. `leaky` divides all values by the maximum."),
    (lambda x, n: tight(x, n, scale=lambda x: x), "The division by the maximum is missing."),
    (lambda x, n: tight(x, n, go_on=lambda x: x * x + x), "The factor 2 is missing in `2 * x * x + x`."),
    (lambda x, n: tight(x, n, go_on=lambda x: 2 * x + x), "The square is missing in `2 * x * x + x`."),
    (lambda x, n: tight(x, n, go_on=lambda x: 2 * x * x), "The last `+ x` is missing in `2 * x * x + x`."),
    (lambda x, n: np.repeat(tight(x, n)[:1], n),
     "Every step gives the mean of the first: x does not change from step to step. Does each step begin with "
     "the x of the last, and end with `x = 2 * x * x + x`?"),
    (lambda x, n: np.repeat(tight(x, n)[-1:], n),
     "Every entry is the mean of the last step: each step must add a value of its own."),
)


def judge_tight(answer: Any) -> None:
    """The transfers first, each named with its line; then the values; then that x was left alone."""
    _require(answer, "tight(xp, x, steps)")
    rng = np.random.default_rng(21)
    wide = (4 * rng.random(1000) - 1).astype(np.float32)
    narrow = (0.1 + 0.5 * rng.random(333)).astype(np.float32)
    trials, changed = [], False
    for host, steps in ((wide, 4), (narrow, 3), (wide[:7], 1), (narrow, 6)):
        call = f"tight(xp, x, {steps})"
        x = sim.asarray(host)
        with watched() as crossings:
            got = _value(answer, (sim, x, steps), call)
        _judge_crossings(crossings, x, steps)
        _judge_place(got, call)
        trials.append(Trial(call, got, tight(host, steps), (host, steps), 1e-4))
        changed = changed or not np.array_equal(x.get(), host)
    _judge_values(trials, TIGHT_MISTAKES)
    if changed:
        raise Wrong(
            "The result is right, but `tight` changes the caller's x in place: write `x = x - ...`, "
            "not `x -= ...`."
        )


def _judge_crossings(crossings: list[Crossing], x: Any, steps: int) -> None:
    sent = [c for c in crossings if c.direction == TO_DEVICE]
    fetched = [c for c in crossings if c.direction == TO_HOST]
    if len(fetched) > 1:
        worst = _worst(fetched, x)
        times = sum(c.place == worst.place for c in fetched)
        raise Wrong(
            f"{len(fetched)} copies to the host in {steps} step{'s' * (steps != 1)}; one is enough. "
            f"{worst.place} causes {times} of them. {_remedy(worst, x)}"
        )
    if sent:
        raise Wrong(
            f"{sent[0].place} sends {sent[0].nbytes:,} bytes from the host to the device. Nothing has to go "
            "that way: x is on the device already, and so is all that is computed from it."
        )
    if fetched and fetched[0].nbytes >= x.nbytes > 8 * steps:
        raise Wrong(
            f"There is one copy, but {fetched[0].place} takes the whole of x, and the host does the work. "
            "Compute on the device and copy the means, one number for each step."
        )


def _worst(fetched: list[Crossing], x: Any) -> Crossing:
    """Return the copy to name first: a whole array if there is one, else the line that copies most often."""
    spare = fetched[:-1]   # the last may be the one that is needed
    often = Counter(c.place for c in spare)
    return max(spare, key=lambda c: (c.nbytes >= x.nbytes, often[c.place], -c.place.line))


def _remedy(crossing: Crossing, x: Any) -> str:
    if crossing.cause in ("__str__", "__repr__", "__format__"):
        return "To show an array, Python needs its values on the host."
    if crossing.nbytes >= x.nbytes and x.size > 1:
        return (
            f"It copies a whole array of {crossing.nbytes:,} bytes. What you do with it, `xp` or a method "
            "of x can do on the device: `x.min()`."
        )
    if crossing.cause == "__bool__":
        return (
            "`if`, `and`, Python's own `max` and the like need a truth value on the host, so the host waits "
            "for the device. Let the device choose: `xp.maximum(x.max(), 1)` or `xp.where`."
        )
    return (
        "It fetches a single number, and the host waits for it. Leave it on the device, an array without "
        "dimensions; the means can be fetched all at once after the loop: `xp.stack(trace).get()`."
    )


def _judge_place(got: Any, call: str) -> None:
    if isinstance(got, sim.ndarray):
        raise Wrong(
            f"{call} returned a device array. The caller wants a NumPy array: the one copy at the end, "
            "`.get()`."
        )
    if isinstance(got, list | tuple):
        if any(isinstance(item, sim.ndarray) for item in got):
            raise Wrong(
                f"{call} returned {called(got)} of device arrays. Join them with `xp.stack(...)`, then "
                "`.get()`."
            )
        raise Wrong(f"{call} returned {called(got)}; it should be a NumPy array.")
    if not isinstance(got, np.ndarray):
        raise Wrong(
            f"{call} should be a NumPy array with one mean for each step but is {called(got, sim)}."
        )


TIGHT = Problem(
    id="02.1",
    title="Three hidden transfers",
    task=(
        "`leaky`, above, copies something to the host three times in every step. Write `tight`, which "
        "returns "
        "the same numbers and copies to the host once, at the end."
    ),
    spec=(
        "`tight(xp, x, steps)`: `xp` is the array module, `x` a device array of float32, which stays as it "
        "is. "
        "Returns a NumPy array with the mean of each step. The check runs it on the simulator, which counts."
    ),
    stub=(
        "def tight(xp, x, steps):\n"
        '    """What leaky returns, with a single copy to the host."""\n'
        "    return ...\n"
    ),
    answer="tight",
    lines=7,
    hints=(
        "Ask of every line of `leaky`: does it need a number, a truth value or an array *on the host*? There "
        "are three such lines, and one of them looks like plain Python.",
        "`x.get().min()` has a twin that stays on the device. The `if` goes away when the divisor is the "
        "larger of "
        "`x.max()` and 1, chosen on the device. `float` goes away when the means are collected as they are.",
        "In the loop: `x = x - x.min()`, then `x = x / xp.maximum(x.max(), ___)`, then "
        "`trace.append(x.mean())`. "
        "After it: `return xp.stack(trace).___()`",
    ),
    solution='''def tight(xp, x, steps):
    """What leaky returns, with a single copy to the host."""
    trace = []
    for _ in range(steps):
        x = x - x.min()
        x = x / xp.maximum(x.max(), 1)
        trace.append(x.mean())
        x = 2 * x * x + x
    return xp.stack(trace).get()
''',
    why=(
        "Functions such as `x.min()` return device arrays without dimensions, so nothing crosses the link "
        "until "
        "somebody on the host wants a value. The one `.get()` that is left is needed, because the caller "
        "asked for NumPy."
    ),
    judge=judge_tight,
)


# -- 02.2 -------------------------------------------------------------------------------------------

# seconds on the device of call 0, 1, 2, ...: uneven, so that mean, median, least and greatest differ
LENGTHS = (0.020, 0.0115, 0.006, 0.040, 0.0075, 0.005, 0.0045, 0.012, 0.0155, 0.0085, 0.004, 0.011)
ANSWERS: tuple[tuple[Callable[[list[float]], Any], str], ...] = (
    (statistics.fmean, "This is the mean of the runs. One slow run pulls the mean up; return the median."),
    (min, "This is the shortest run. Return the median: the middle one when they are sorted."),
    (max, "This is the longest run. Return the median: the middle one when they are sorted."),
    (sum, "These are all runs together. Return the time of one, the median."),
    (lambda times: times[len(times) // 2],
     "This is the run in the middle of the list, but the list is not sorted. Sort it first, or use "
     "`statistics.median`."),
    (lambda times: times[-1], "This is the last run. Keep the time of every run and return the median."),
    (lambda times: times[0], "This is the first run. Keep the time of every run and return the median."),
    (lambda times: 1e3 * statistics.median(times), "This is the median in milliseconds. Return seconds."),
    (lambda times: 1e6 * statistics.median(times), "This is the median in microseconds. Return seconds."),
    (lambda times: -statistics.median(times),
     "The sign is wrong: subtract the first reading from the second."),
    (lambda times: statistics.median(times) / len(times),
     "The median is divided by `repeat`. Each time is that of one run already."),
    (lambda times: statistics.median(times) * len(times),
     "The median is multiplied by `repeat`. Return the time of one run."),
)


def judge_honest_time(answer: Any) -> None:
    """Hand over devices of arithmetic; judge the values, and name the cause from what was called when."""
    _require(answer, "honest_time(run, synchronize, clock, repeat)")
    trials = [_time_trial(answer, repeat) for repeat in (5, 1, 3, 7)]
    for trial in trials:
        if not trial.right:
            raise Wrong(_timing_mistake(trial, trials))


@dataclass(frozen=True)
class TimeTrial:
    """One call of the answer: its device, `repeat`, result, and the true times of the runs that count."""

    device: FakeDevice
    repeat: int
    got: Any
    times: list[float]

    @property
    def right(self) -> bool:
        return bool(self.times) and _is_number(self.got) and self.agrees(statistics.median)

    def agrees(self, summary: Callable[[list[float]], float]) -> bool:
        """Say whether the result is this summary of the true times."""
        return _is_number(self.got) and _close(self.got, summary(self.times), 1e-6)


def _time_trial(answer: Any, repeat: int) -> TimeTrial:
    device = FakeDevice(LENGTHS)
    call = f"honest_time(run, synchronize, clock, {repeat})"
    got = _value(answer, (device.run, device.synchronize, device.clock, repeat), call)
    return TimeTrial(device, repeat, got, _true_times(device, repeat))


def _true_times(device: FakeDevice, repeat: int) -> list[float]:
    """What an honest clock would have read for the last `repeat` runs; empty when there was no warm-up."""
    last = device.runs
    return [device.length(call) for call in range(last - repeat, last)] if last > repeat else []


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _timing_mistake(trial: TimeTrial, trials: list[TimeTrial]) -> str:
    for look in (_unused, _waits, _warm_up, _number_of_runs):
        cause = look(trial.device, trial.repeat)
        if cause:
            return cause
    call = f"honest_time(run, synchronize, clock, {trial.repeat})"
    if not _is_number(trial.got):
        extra = " Return their median." if isinstance(trial.got, list | tuple | np.ndarray) else ""
        return f"{call} should be a number of seconds but is {called(trial.got)}.{extra}"
    for summary, cause in ANSWERS:
        if all(each.times and each.agrees(summary) for each in trials):
            return cause
    due = statistics.median(trial.times)
    took = ", ".join(f"{time:.4g}" for time in trial.times)
    return f"{call} should be {due:.6g} but is {float(trial.got):.6g}; the runs took {took} s."


def _unused(device: FakeDevice, repeat: int) -> str | None:
    called_names = {event.what for event in device.events}
    if "run" not in called_names:
        return "`run` is never called: write `run()`, with parentheses."
    if "clock" not in called_names:
        return (
            "The clock that is handed over is never read. Use `clock()`, not one of your own: the check "
            "stops the time by it."
        )
    if "synchronize" not in called_names:
        return (
            "`synchronize` is never called. `run()` only queues the work, so this times the queueing and "
            "not the work."
        )
    if not device.readings():
        return "The clock is read only once. A time is the difference of two readings: before and after."
    return None


def _waits(device: FakeDevice, repeat: int) -> str | None:
    readings = device.readings()
    hasty = next((r for r in readings if r.runs and not r.waited_after), None)
    if hasty:
        return (
            "The clock is stopped before the device is done: between `run()` and the second `clock()` nobody "
            "calls `synchronize()`. This times the queueing and not the work."
        )
    if readings[0].after_first_run and not readings[0].waited_before:
        return (
            "The clock is started while the device is still busy with the warm-up, whose rest is then "
            "counted. "
            "Call `synchronize()` before the clock starts."
        )
    late = next((r for r in readings if r.after_first_run and not r.waited_before), None)
    if late:
        return (
            "The clock is started while the device is still busy. Call `synchronize()` before the clock "
            "starts."
        )
    return None


def _warm_up(device: FakeDevice, repeat: int) -> str | None:
    if device.runs == repeat and not device.readings()[0].after_first_run:
        return (
            "The first call is timed too, and it compiles: 0.4 s here. Call `run()` once, untimed, before "
            "the "
            "runs that count."
        )
    return None


def _number_of_runs(device: FakeDevice, repeat: int) -> str | None:
    timed = [reading for reading in device.readings() if reading.runs]
    if not timed:
        return "`run()` is never called between two readings of the clock, so what is timed is nothing."
    if repeat > 1 and len(timed) == 1 and timed[0].runs >= repeat:
        return (
            f"One pair of readings round all {repeat} runs gives only their sum, and so their mean. "
            "For a median, read the clock before and after each run."
        )
    if repeat > 1 and sum(event.what == "clock" for event in device.events) == repeat + 1:
        return (
            "The clock is started once, before the loop. From the second run on the differences hold "
            "all the runs before: read `start = clock()` anew for each run."
        )
    if any(reading.runs > 1 for reading in timed):
        return "`run()` is called more than once between two readings of the clock. Time one run at a time."
    count = len(timed) - (0 if timed[0].after_first_run else 1)
    if count != repeat:
        return f"repeat is {repeat}, but after the warm-up the number of timed runs is {count}."
    if not timed[0].after_first_run:
        return "The first, compiling call is among the times. Leave it out before you take the median."
    return None


HONEST_TIME = Problem(
    id="02.2",
    title="An honest clock",
    task=(
        "Write the function that times a piece of device work: warmed up, waiting before and after, "
        "repeated. "
        "You are handed everything you need, so that the check can hand you a device made of arithmetic."
    ),
    spec=(
        "`honest_time(run, synchronize, clock, repeat)`: `run()` queues the work and returns at once; "
        "`synchronize()` returns when the device is idle; `clock()` returns seconds; `repeat` is odd. "
        "Returns the median of `repeat` times, in seconds. The device may be busy when you are called."
    ),
    stub=(
        "def honest_time(run, synchronize, clock, repeat):\n"
        '    """The median time of run() in seconds, of repeat runs after one that does not count."""\n'
        "    return ...\n"
    ),
    answer="honest_time",
    lines=9,
    hints=(
        "Three questions for each reading of the clock: is the device idle when it starts? Is it done when "
        "it stops? "
        "Was this the first call?",
        "Call `run()` once before the loop. In the loop: wait, read the clock, run, wait, read the clock "
        "again. "
        "Keep each difference in a list.",
        "In the loop: `synchronize()`, `start = clock()`, `run()`, `___()`, `times.append(clock() - start)`; "
        "after it: `return sorted(times)[repeat // 2]`",
    ),
    solution='''def honest_time(run, synchronize, clock, repeat):
    """The median time of run() in seconds, of repeat runs after one that does not count."""
    run()
    times = []
    for _ in range(repeat):
        synchronize()
        start = clock()
        run()
        synchronize()
        times.append(clock() - start)
    return sorted(times)[repeat // 2]
''',
    why=(
        "The warm-up takes compilation out, the first wait takes other work out, the second wait takes the "
        "work in, "
        "and the median takes the accidents out. `timeit` of this course and `cupyx.profiler.benchmark` do "
        "the same."
    ),
    judge=judge_honest_time,
)


# -- 02.3 -------------------------------------------------------------------------------------------


def gain(x: np.ndarray, db: float) -> np.ndarray:
    """x times the amplitude factor of `db` decibels, in x's dtype."""
    return x * float(10 ** (db / 20))


GAIN_MISTAKES: Mistakes = (
    (lambda x, db: x * float(10 ** (db / 10)),
     "10 ** (db / 10) is the factor for power. For amplitude it is 10 ** (db / 20)."),
    (lambda x, db: x * float(10 ** (db // 20)),
     "`//` drops the fraction of db / 20. Use `/`."),
    (lambda x, db: x * float(10 ** (-db / 20)), "The sign is turned round: positive decibels make x larger."),
    (lambda x, db: x / float(10 ** (db / 20)), "The sign is turned round: positive decibels make x larger."),
    (lambda x, db: x * float(np.exp(db / 20)), "The base is 10, not e: 10 ** (db / 20)."),
    (lambda x, db: x * float(db),
     "This multiplies by the decibels themselves. The factor is 10 ** (db / 20)."),
    (lambda x, db: x * float(db / 20), "The power is missing: the factor is 10 ** (db / 20)."),
    (lambda x, db: x * float(10 ** (abs(db) / 20)), "Negative decibels make x smaller: leave out `abs`."),
    (lambda x, db: x * float(int(10 ** (db / 20))), "`int` drops the fraction of the factor. Use `float`."),
    (lambda x, db: x * float(10**db / 20),
     "`**` comes before `/`: this is (10 ** db) / 20. Put parentheses round db / 20."),
    (lambda x, db: x + float(10 ** (db / 20)), "The factor is added. Multiply by it."),
    (lambda x, db: x * float(20 * np.log10(abs(db))),
     "20 * log10 goes from a factor to decibels. Here it goes the other way: 10 ** (db / 20)."),
)
DECIBELS = (6, -3.5, np.float64(-12.0), np.float32(2.5), 0)


def judge_gain(answer: Any) -> None:
    """The dtype first, with the memory that was asked for on the way; then the values; then x."""
    _require(answer, "gain(x, db)")
    dtypes = (np.float32, np.float64, np.float16)
    trials = [_gain_trial(answer, dtype, db) for dtype in dtypes for db in DECIBELS]
    _judge_values(trials, GAIN_MISTAKES)


def _gain_trial(answer: Any, dtype: Any, db: Any) -> Trial:
    host = np.linspace(-1, 1, 1001).astype(dtype)
    x = sim.asarray(host)
    call = f"gain(x, {db!r}) for x of {x.dtype}"
    with sim.count_launches() as work:
        got = _value(answer, (x, db), call)
    _judge_dtype(got, x, db, work.bytes_allocated, call)
    if not np.array_equal(x.get(), host):
        raise Wrong(f"{call} changes x itself: `x *= ...` works in place. Return a new array.")
    coarse = isinstance(db, np.float32)   # then 10 ** (db / 20) has 7 digits only, which is all right
    rtol = {2: 2e-3, 4: 1e-6, 8: 1e-6 if coarse else 1e-12}[x.itemsize]
    return Trial(call, got.get(), gain(host, db), (host, float(db)), rtol)


def _judge_dtype(got: Any, x: Any, db: Any, nbytes: int, call: str) -> None:
    if not isinstance(got, sim.ndarray):
        raise Wrong(f"{call} should be a device array but is {called(got, sim)}.")
    if got.dtype != x.dtype:
        raise Wrong(f"{call} should be {x.dtype} but is {got.dtype}. {_why_dtype(got, x, db)}")
    if nbytes > 2 * x.nbytes and x.itemsize < 8:
        raise Wrong(
            f"{call} is {x.dtype} at the end, but {nbytes:,} bytes of arrays were made for a result of "
            f"{x.nbytes:,}: "
            "a wider array came in between and was cast back. Make the factor narrow before you multiply."
        )


def _why_dtype(got: Any, x: Any, db: Any) -> str:
    if got.dtype.itemsize < x.itemsize:
        return "The result must have the dtype of x, whatever that is."
    scalar = f"a NumPy scalar such as np.{got.dtype}(...) hands its dtype on, a plain Python number does not"
    if isinstance(db, np.generic):
        return f"Here db is np.{db.dtype}, and {scalar}. What type does your factor have?"
    return f"Here db is a Python number, so {got.dtype} comes from inside gain. Mind: {scalar}."


GAIN = Problem(
    id="02.3",
    title="Keep the dtype",
    task=(
        "Sound engineers give a gain in decibels: `db` decibels multiply an amplitude by 10 ** (db / 20). "
        "Write `gain` so that the result has the dtype of `x`, whatever kind of number `db` is."
    ),
    spec=(
        "`gain(x, db)`: `x` is a device array of float16, float32 or float64, `db` a Python number or a "
        "NumPy scalar. "
        "Returns a new device array of x's dtype; no wider array is made on the way."
    ),
    stub='def gain(x, db):\n    """x made louder by db decibels, in the dtype of x."""\n    return ...\n',
    answer="gain",
    lines=1,
    hints=(
        "The result has the wider dtype of the two factors. One of them is x. What is the other?",
        "`db` may be a `np.float64`; then so is `10 ** (db / 20)`, and so is the product. A Python float "
        "gives way to x.",
        "`return x * ___(10 ** (db / 20))`",
    ),
    solution=(
        'def gain(x, db):\n    """x made louder by db decibels, in the dtype of x."""\n'
        "    return x * float(10 ** (db / 20))\n"
    ),
    why=(
        "A Python number is weak: it takes the dtype of the array. A NumPy scalar is not, so one "
        "`np.float64` would make "
        "the whole array float64, twice the bytes and, on many GPUs, 64 times the arithmetic time."
    ),
    judge=judge_gain,
)


# -- 02.4 -------------------------------------------------------------------------------------------


def cubic(x: Any) -> Any:
    """2 x**3 - 3 x**2 + 0.5 x + 1."""
    return ((2 * x - 3) * x + 0.5) * x + 1


CUBIC_MISTAKES: Mistakes = (
    (lambda x: ((2 * x + 3) * x + 0.5) * x + 1, "The 3 has the wrong sign: it is subtracted."),
    (lambda x: ((1 * x + 0.5) * x - 3) * x + 2,
     "The coefficients come in the wrong order: start with the one of x**3."),
    (lambda x: (2 * x - 3) * x + 0.5, "One step is missing: the last `*= x` and `+= 1`."),
    (lambda x: ((2 * x - 3) * x + 0.5) * x, "The constant 1 is missing at the end."),
    (lambda x: (((2 * x - 3) * x + 0.5) * x + 1) * x, "There is one `*= x` too many."),
    (lambda x: ((2 - 3) * x + 0.5) * x + 1, "The first factor x is missing: start with `y = 2 * x`."),
    (lambda x: (2 * x - 3 + 0.5) * x + 1, "A `*= x` is missing between the 3 and the 0.5."),
    (lambda x: ((2 * x - 3) * x + 0.5) + 1, "A `*= x` is missing between the 0.5 and the 1."),
)


def judge_cubic(answer: Any) -> None:
    """The values, then that x was left alone, then how many arrays were made."""
    _require(answer, "cubic(x)")
    trials, costs = [], []
    for size in (5000, 3):
        host = np.linspace(-1.5, 2, size).astype(np.float32)
        x = sim.asarray(host)
        call = f"cubic(x) for {size:,} elements"
        with sim.count_launches() as work:
            got = _value(answer, (x,), call)
        _judge_cubic_result(got, x, host, call)
        trials.append(Trial(call, got.get(), cubic(host), (host,), 1e-5))
        costs.append((work, x))
    _judge_values(trials, CUBIC_MISTAKES)
    for work, x in costs:
        _judge_allocations(work, x)


def _judge_cubic_result(got: Any, x: Any, host: Any, call: str) -> None:
    if not isinstance(got, sim.ndarray):
        raise Wrong(f"{call} should be a device array but is {called(got, sim)}.")
    if not np.array_equal(x.get(), host):
        raise Wrong(
            f"{call} changes the caller's x. Start with a new array, `y = 2 * x`, and work in place on that. "
            "(`y = x` makes no array, only a second name for the same one.)"
        )
    if got.dtype != x.dtype:
        raise Wrong(f"{call} should be {x.dtype} but is {got.dtype}.")


def _judge_allocations(work: Any, x: Any) -> None:
    if work.bytes_allocated > x.nbytes:
        raise Wrong(
            f"The values are right, but {work.allocations} arrays were made where one is enough "
            f"({work.bytes_allocated:,} bytes instead of {x.nbytes:,}). `y = y * x` makes a new array, `y "
            "*= x` writes into "
            "the old one; every `*`, `+` and `**` on an array outside `*=` and `+=` makes another."
        )


CUBIC = Problem(
    id="02.4",
    title="One array is enough",
    task=(
        "The one-line formula `2 * x**3 - 3 * x**2 + 0.5 * x + 1` makes eight arrays, seven of which "
        "nobody wants. "
        "Compute the same with a single new array. Besides `cp.fuse` there is another way: `y *= 2` writes into the "
        "array `y`, where `y = y * 2` makes a new one."
    ),
    spec="`cubic(x)`: `x` is a device array of float32, which stays as it is. Returns one new device array.",
    stub='def cubic(x):\n    """2 x**3 - 3 x**2 + 0.5 x + 1, in one new array."""\n    return ...\n',
    answer="cubic",
    lines=7,
    hints=(
        "Write it as ((2 x - 3) x + 0.5) x + 1: then each step needs only the step before it, and x.",
        "The first step makes the new array. All the others can write into it: `y -= 3` makes no array, "
        "`y = y - 3` does.",
        "`y = 2 * x`, `y -= 3`, `y *= x`, `y += 0.5`, `y *= ___`, `y += ___`, `return y`",
    ),
    solution='''def cubic(x):
    """2 x**3 - 3 x**2 + 0.5 x + 1, in one new array."""
    y = 2 * x
    y -= 3
    y *= x
    y += 0.5
    y *= x
    y += 1
    return y
''',
    why=(
        "An operation in place writes into the array it reads, so only the first line allocates. The "
        "launches are still six, and each goes through the whole array; only fusion makes one of them. "
        "(With `cp.fuse` you have that already.)"
    ),
    judge=judge_cubic,
)


# -- 02.5 -------------------------------------------------------------------------------------------


def fade(x: Any) -> Any:
    """x times a ramp that rises evenly from 0 to 1, in x's dtype."""
    return x * np.linspace(0, 1, x.size, dtype=x.dtype)


FADE_MISTAKES: Mistakes = (
    (lambda x: x * np.linspace(1, 0, x.size), "The ramp falls. It should rise from 0 to 1."),
    (lambda x: x * np.linspace(0, 1, x.size, endpoint=False),
     "The ramp stops one step short of 1: its last value should be 1."),
    (lambda x: x * np.arange(x.size), "The ramp goes up to x.size - 1. It should end at 1."),
    (lambda x: x * np.linspace(0, 1, x.size + 1)[1:],
     "The ramp starts above 0: its first value should be 0."),
    (lambda x: np.linspace(0, 1, x.size), "This is the ramp itself. Multiply x by it."),
    (lambda x: x + np.linspace(0, 1, x.size), "The ramp is added. Multiply x by it."),
    (lambda x: x * x.size, "x is multiplied by its size. Multiply it by the ramp."),
    (lambda x: x, "x comes back as it was."),
)


def judge_fade(answer: Any, xp: Any) -> None:
    """First on the host, then on the device: where the result lies, its dtype, its values, the transfers."""
    _require(answer, "fade(x)")
    failed: dict[str, BaseException] = {}
    trials: list[Trial] = []
    for side, module in (("host", np), ("device", xp)):
        try:
            trials += _fade_trials(side, module, answer, xp)
        except guard.Raised as error:
            failed[side] = error
    if failed:
        _explain_failure(failed)
    _judge_values(trials, FADE_MISTAKES)


def _fade_trials(side: str, module: Any, answer: Any, xp: Any) -> list[Trial]:
    sizes = ((np.float32, 9), (np.float64, 1000), (np.float32, 1), (np.float32, 4))
    return [_fade_trial(side, module, answer, xp, dtype, size) for dtype, size in sizes]


def _fade_trial(side: str, module: Any, answer: Any, xp: Any, dtype: Any, size: int) -> Trial:
    host = (np.cos(np.arange(size)) + 2).astype(dtype)
    x = module.array(host)
    call = f"fade(x) for {'a NumPy array' if side == 'host' else 'a device array'} of {size} {x.dtype}"
    with watched() as crossings:
        got = _value(answer, (x,), call, xp)
    _judge_side(got, side, xp, call)
    if crossings:
        raise Wrong(
            f"{crossings[0].place} copies {crossings[0].nbytes:,} bytes {crossings[0].direction} in {call}. "
            "Make the ramp with the module of x; then nothing has to cross."
        )
    if got.dtype != dtype:
        raise Wrong(f"{call} should be {np.dtype(dtype)} but is {got.dtype}: give `linspace` the dtype of x.")
    got, left = (got, x) if side == "host" else (xp.asnumpy(got), xp.asnumpy(x))
    if not np.array_equal(left, host):
        raise Wrong(f"{call} changes x itself: `x *= ...` works in place. Return a new array.")
    return Trial(call, got, fade(host), (host,), 1e-5 if dtype == np.float32 else 1e-12)


def _judge_side(got: Any, side: str, xp: Any, call: str) -> None:
    if side == "host" and not isinstance(got, np.ndarray):
        extra = " It was carried to the device." if isinstance(got, xp.ndarray) else ""
        raise Wrong(f"{call} should be a NumPy array but is {called(got, xp)}.{extra}")
    if side == "device" and not isinstance(got, xp.ndarray):
        extra = " It was carried to the host." if isinstance(got, np.ndarray) else ""
        raise Wrong(f"{call} should be a device array but is {called(got, xp)}.{extra}")


def _explain_failure(failed: dict[str, Any]) -> None:
    """Name the hard-coded module where one side works and the other mixes the two kinds of array."""
    side, error = next(iter(failed.items()))
    if len(failed) == 1 and isinstance(error.error, TypeError):
        fixed, other = ("cp", "a NumPy array") if side == "host" else ("np", "a device array")
        raise Wrong(
            f"It works for one kind of array only. For {other} something is still made with `{fixed}`, and "
            "the two kinds cannot be mixed. Let `cp.get_array_module(x)` say which module to use."
        )
    raise error


FADE = Problem(
    id="02.5",
    title="One function for both modules",
    task=(
        "Write a fade-in that works for NumPy arrays and for device arrays: the first element is multiplied "
        "by 0, the last by 1, those between by evenly rising numbers."
    ),
    spec=(
        "`fade(x)`: `x` has one dimension, float32 or float64. Returns a new array of the same kind, on "
        "the same side, "
        "of the same dtype; nothing crosses the link."
    ),
    stub='def fade(x):\n    """x times a ramp from 0 to 1, on the side where x is."""\n    return ...\n',
    answer="fade",
    lines=2,
    hints=(
        "Multiplying works on either side. Only the ramp has to be made somewhere: where x is.",
        "`cp.get_array_module(x)` returns `np` or `cp`. Both have `linspace`, which takes a `dtype`.",
        "`xp = cp.get_array_module(x)`, then `return x * xp.linspace(0, 1, ___, dtype=___)`",
    ),
    solution='''def fade(x):
    """x times a ramp from 0 to 1, on the side where x is."""
    xp = cp.get_array_module(x)
    return x * xp.linspace(0, 1, x.size, dtype=x.dtype)
''',
    why=(
        "Operators and methods follow the array they are given; only functions that create arrays need to "
        "be told which "
        "module to use. Asking the array keeps the result where the data is."
    ),
    judge=judge_fade,
)


# -- 02.6 -------------------------------------------------------------------------------------------


def estimate(height: int, width: int, bins: int) -> tuple[int, int, int]:
    """Bytes to the device, bytes to the host, and array operations of lesson 02's pipeline."""
    return height * width, 8 * bins, 10


Part = tuple[Callable[[int, int, int], int], str]
TO_THE_DEVICE: tuple[Part, ...] = (
    (lambda h, w, b: 4 * h * w,
     "That is the picture as float32. It crosses before `astype`, as uint8: 1 byte a pixel."),
    (lambda h, w, b: 8 * h * w,
     "That is 8 for each pixel: bits, or the bytes of float64. The picture crosses as uint8: 1 byte a pixel."),
    (lambda h, w, b: 3 * h * w, "That is three colors. This picture is gray: one byte a pixel."),
    (lambda h, w, b: (h - 2) * w, "The filter loses two rows, but on the device: the whole picture crosses."),
    (lambda h, w, b: h * w + 8 * b, "The counts go the other way, to the host."),
    (lambda h, w, b: 0, "`xp.asarray(image)` takes the picture from the host to the device."),
)
TO_THE_HOST: tuple[Part, ...] = (
    (lambda h, w, b: b, "That is the number of counts. Each is an int64 of 8 bytes."),
    (lambda h, w, b: 4 * b, "The counts of `histogram` are int64: 8 bytes each, not 4."),
    (lambda h, w, b: 8 * (b + 1),
     "8 bytes too many: only the counts are fetched, one for each bin. `low`, `high` and the bins + 1 edges stay."),
    (lambda h, w, b: 8 * b + 8 * (b + 1), "Only the counts are fetched. The edges stay on the device."),
    (lambda h, w, b: 8 * b + 4 * (b + 1), "Only the counts are fetched. The edges stay on the device."),
    (lambda h, w, b: 64 * b, "That is bits. The question is bytes."),
    (lambda h, w, b: h * w, "The picture itself does not come back, only the counts."),
    (lambda h, w, b: 4 * h * w, "The picture itself does not come back, only the counts."),
    (lambda h, w, b: 4 * (h - 2) * w, "The filtered picture stays on the device. Only the counts come back."),
    (lambda h, w, b: 0, "`counts.get()` takes the counts from the device to the host."),
)
OPERATIONS: tuple[Part, ...] = (
    (lambda h, w, b: 13, "Three too many: the three slices are views, no operation is carried out for them."),
    (lambda h, w, b: 12, "Two too many: `asarray` and `get` are transfers, not array operations."),
    (lambda h, w, b: 11, "One too many. Transfers (`asarray`, `get`) and slices are not array operations."),
    (lambda h, w, b: 9,
     "One too few. Easily overlooked: `astype`, `histogram`, and `high - low` beside `x - low`."),
    (lambda h, w, b: 8,
     "Two too few. Easily overlooked: `astype`, `histogram`, `min` and `max`, and `high - low`."),
    (lambda h, w, b: 7, "Three too few. Count `astype`, `min`, `max`, every operator, and `histogram`."),
    (lambda h, w, b: 6,
     "These are the operators alone. `astype`, `min`, `max` and `histogram` are operations too."),
    (lambda h, w, b: 3,
     "These are the lines or the stages. Each operator and each function on an array counts."),
    (lambda h, w, b: 10 * h * w, "An operation on a whole array counts once, however many elements it has."),
)
PARTS = (
    ("the bytes to the device", TO_THE_DEVICE),
    ("the bytes to the host", TO_THE_HOST),
    ("the number of array operations", OPERATIONS),
)
PICTURES = ((600, 512, 32), (480, 640, 16), (2160, 3840, 256), (3, 5, 1))


def judge_estimate(answer: Any) -> None:
    """Each of the three numbers by itself, over all sizes of picture."""
    _require(answer, "estimate(height, width, bins)")
    given = [_estimate_for(answer, size) for size in PICTURES]
    for k, (what, mistakes) in enumerate(PARTS):
        column = [three[k] for three in given]
        if column == [estimate(*size)[k] for size in PICTURES]:
            continue
        for wrong, cause in mistakes:
            if column == [wrong(*size) for size in PICTURES]:
                raise Wrong(f"Number {k + 1}, {what}: {cause}")
        raise Wrong(f"Number {k + 1}, {what}, {_off(column, [estimate(*size)[k] for size in PICTURES])}")


def _off(column: list[Any], due: list[int]) -> str:
    """Say for which picture a number is off, and in which direction, without giving it away."""
    at = next(i for i, (got, wanted) in enumerate(zip(column, due, strict=True)) if got != wanted)
    if len(set(column)) == 1 and len(set(due)) > 1:
        return f"is always {column[0]:,}. It depends on the picture or on bins: use the arguments."
    way = "few" if column[at] < due[at] else "many"
    return f"is {column[at]:,} for (height, width, bins) = {PICTURES[at]}. That is too {way}."


def _estimate_for(answer: Any, size: tuple[int, int, int]) -> Any:
    call = f"estimate{size}"
    got = _value(answer, size, call)
    if not isinstance(got, list | tuple) or len(got) != 3:
        raise Wrong(f"{call} should be three numbers but is {called(got)}" + _how_many(got))
    for k, value in enumerate(got):
        if value is ...:
            raise NotAttempted()
        if not _is_number(value):
            raise Wrong(f"{call}[{k}] should be a number but is {called(value)}.")
    return got


def _how_many(got: Any) -> str:
    return f" of {len(got)}." if isinstance(got, list | tuple) else "."


ESTIMATE = Problem(
    id="02.6",
    title="Estimate, then measure",
    task=(
        "Read `pipeline`, above, and work out on paper what it will cost, for any size of picture. "
        "The cell after this one measures; estimate first."
    ),
    spec=(
        "`estimate(height, width, bins)` returns three whole numbers: the bytes that go to the device, the "
        "bytes that come back, and the number of array operations (a slice is none; `astype` and "
        "`histogram` are one each)."
    ),
    stub=(
        "def estimate(height, width, bins):\n"
        '    """(bytes to the device, bytes to the host, array operations) of pipeline."""\n'
        "    return ...\n"
    ),
    answer="estimate",
    lines=1,
    hints=(
        "Only two lines of `pipeline` cross the link. What dtype does the array have at that moment?",
        "The picture crosses as uint8, before `astype`. What comes back are the counts, int64, one for "
        "each bin. "
        "The operations: count every `-`, `/`, `+`, `min`, `max`, `astype`, `histogram`.",
        "`return height * width * ___, 8 * ___, 1 + 2 + 3 + 3 + 1`",
    ),
    solution=(
        "def estimate(height, width, bins):\n"
        '    """(bytes to the device, bytes to the host, array operations) of pipeline."""\n'
        "    return height * width, 8 * bins, 10\n"
    ),
    why=(
        "The picture crosses as bytes and becomes float32 on the device: a quarter of the traffic. The "
        "operations do not "
        "depend on the size, and the 8 bytes a bin that come back are next to nothing. Which costs more, the "
        "launches or the way to the device, depends on the size: the next cells work it out."
    ),
    judge=judge_estimate,
)

PROBLEMS = (TIGHT, HONEST_TIME, GAIN, CUBIC, FADE, ESTIMATE)
