"""Tests of timing.py: a fake clock stands for time, NumPy for the quartiles."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpucourse.timing import Timing, TimingError, ratio, seconds, timeit


class Device:
    """A clock and a device that works behind its back: `call` queues work, `wait` lets it finish."""

    def __init__(self, launch: float = 0.0, work: float = 0.0) -> None:
        self.now, self.launch, self.work = 0.0, launch, work
        self.busy_until = 0.0
        self.calls = 0
        self.log: list[str] = []

    def clock(self) -> float:
        self.log.append("clock")
        return self.now

    def call(self) -> None:
        self.log.append("call")
        self.calls += 1
        self.now += self.launch
        self.busy_until = max(self.busy_until, self.now) + self.work

    def wait(self) -> None:
        self.log.append("wait")
        self.now = max(self.now, self.busy_until)


def run(device: Device, **options: object) -> Timing:
    return timeit(device.call, **{"clock": device.clock, "synchronize": device.wait} | options)


def test_the_order_is_warm_up_then_wait_clock_calls_wait_clock() -> None:
    device = Device(work=1.0)
    run(device, repeat=3, warmup=2)
    one_run = ["wait", "clock", "call", "wait", "clock"]
    assert device.log == ["call", "call", *one_run * 3, "wait"]


def test_the_time_is_that_of_the_work_and_not_of_the_launch() -> None:
    timing = run(Device(launch=1e-5, work=0.5))
    assert timing.median == pytest.approx(0.50001)
    assert (timing.runs, timing.loops) == (7, 1)


def test_warm_up_work_does_not_reach_the_first_run() -> None:
    timing = run(Device(work=1.0), warmup=100)
    assert max(timing.times) == pytest.approx(1.0)


def test_without_waiting_only_the_launch_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(launch=1e-3, work=1.0)
    monkeypatch.setattr("gpucourse.backend.synchronize", device.wait)
    wrong = run(device, synchronize=False, at_least=0.0)
    right = run(device, synchronize=True, at_least=0.0)
    assert wrong.median == pytest.approx(1e-3)
    assert right.median == pytest.approx(1.001)
    assert ratio(right, wrong) == "⟨1,000 times⟩"


def test_without_waiting_nothing_is_left_for_the_next_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device(work=1.0)
    monkeypatch.setattr("gpucourse.backend.synchronize", device.wait)
    run(device, synchronize=False, at_least=0.0)
    assert device.now >= device.busy_until


@pytest.mark.parametrize("cost", [1e-7, 3e-5, 9e-4, 0.0019, 0.002, 0.4])
def test_every_run_lasts_at_least_as_long_as_asked(cost: float) -> None:
    timing = run(Device(launch=cost), at_least=0.002)
    assert timing.loops * min(timing.times) >= 0.002 * (1 - 1e-6)
    assert timing.median == pytest.approx(cost, rel=1e-3)
    assert timing.loops <= max(1, 0.002 / cost * 1.5 + 2)


def test_a_hiccup_in_the_first_run_does_not_fix_the_loops() -> None:
    device = Device(launch=1e-6)
    hiccup = iter([0.0, 0.01])  # warm-up, then one call in the first run takes 10 ms

    def call() -> None:
        device.call()
        device.now += next(hiccup, 0.0)

    timing = timeit(call, clock=device.clock, synchronize=device.wait)
    assert timing.loops * min(timing.times) >= 0.002 * (1 - 1e-6)
    assert timing.median == pytest.approx(1e-6, rel=1e-3)


def test_a_clock_that_stands_still_ends() -> None:
    assert timeit(lambda: None, clock=lambda: 0.0, synchronize=lambda: None).median == 0


def test_arguments_and_keywords_reach_the_function() -> None:
    seen = []
    timeit(
        lambda *args, **kwargs: seen.append((args, kwargs)), 1, 2, key=3, at_least=0.0, synchronize=lambda: 0
    )
    assert set(map(str, seen)) == {"((1, 2), {'key': 3})"}


def test_an_error_of_the_function_is_the_learner_s_own() -> None:
    with pytest.raises(ZeroDivisionError):
        timeit(lambda: 1 / 0)


@given(st.lists(st.floats(1e-9, 1e3), min_size=3, max_size=30))
def test_median_and_quartiles_are_numpy_s(times: list[float]) -> None:
    timing = Timing(tuple(times))
    expected = np.percentile(times, [25, 50, 75])
    np.testing.assert_allclose([timing.low, timing.median, timing.high], expected, rtol=1e-12)


def test_a_timing_reads_as_a_median_and_the_middle_half() -> None:
    timing = Timing((1.1e-3, 1.2e-3, 1.2e-3, 1.23e-3, 1.3e-3, 1.32e-3, 9e-3))
    assert str(timing) == repr(timing) == "⟨1.23 ms (1.20 to 1.31 ms, 7 runs)⟩"


def test_the_spread_keeps_the_unit_of_the_median() -> None:
    assert str(Timing((1e-6, 2e-3, 1.5))) == "⟨2.00 ms (1.00 to 751 ms, 3 runs)⟩"


READINGS = [
    (0, "0 s"),
    (2.5e-10, "0.250 ns"),
    (1e-9, "1.00 ns"),
    (127e-9, "127 ns"),
    (9.994e-7, "999 ns"),
    (9.996e-7, "1.00 µs"),
    (0.00123, "1.23 ms"),
    (0.9996, "1.00 s"),
    (12.34, "12.3 s"),
    (59.96, "60.0 s"),
    (59.98, "1.00 min"),
    (5400, "1.50 h"),
    (3.6e7, "10,000 h"),
    (np.float32(0.5), "500 ms"),
]


@pytest.mark.parametrize(("x", "text"), READINGS)
def test_seconds_reads_to_three_digits(x: float, text: str) -> None:
    assert seconds(x) == text


@given(st.floats(1e-9, 1e6))
def test_seconds_can_be_read_back(x: float) -> None:
    number, unit = seconds(x).replace(",", "").split()
    scale = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600}[unit]
    assert float(number) * scale == pytest.approx(x, rel=0.00501)
    assert re.sub(r"\D", "", number).lstrip("0")[:3].isdigit()


def test_ratio_takes_timings_and_numbers() -> None:
    slow, fast = Timing((24.1, 24.0, 23.9)), Timing((0.5, 2.0, 3.0))
    assert ratio(slow, fast) == "⟨12.0 times⟩"
    assert ratio(24_012, 1.0) == "⟨24,000 times⟩"
    assert ratio(1.0, slow) == "⟨0.0417 times⟩"


BAD_CALLS = [
    (
        lambda: timeit(3.5),
        "timeit needs a function; got float. Did you call it? Write timeit(f, x), not timeit(f(x))",
    ),
    (lambda: timeit(print, repeat=1), "repeat=1"),
    (lambda: timeit(print, repeat=2), "3 runs or more"),
    (lambda: timeit(print, warmup=-1), "warmup=-1"),
    (lambda: timeit(print, at_least=-1.0), "at_least=-1.0"),
    (lambda: timeit(print, at_least=float("nan")), "at_least=nan"),
    (lambda: timeit(print, at_least=2000), "at_least=2000"),
    (lambda: ratio(1.0, 0.0), "divides by fast, which is 0 s"),
    (lambda: ratio(1.0, -2.0), "-2 s"),
    (lambda: ratio("1", 2.0), "got str '1'"),
    (lambda: seconds(float("nan")), "got float nan"),
    (lambda: seconds(None), "got NoneType"),
]


@pytest.mark.parametrize(("call", "words"), BAD_CALLS)
def test_bad_input_is_refused_with_what_and_where(
    call, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TimingError) as caught:
        call()
    assert words in str(caught.value)
    assert capsys.readouterr().out == ""  # nothing was called
