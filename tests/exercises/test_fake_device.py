"""The device made of arithmetic, against times worked out by hand."""

import pytest

from gpucourse.exercises.fake_device import FakeDevice, Reading


def device(**options):
    return FakeDevice((0.5, 0.1, 0.2), **{"launch": 0.01, "compile": 1.0, "busy": 0.0, "now": 0.0} | options)


def test_run_returns_when_the_work_is_queued_and_synchronize_when_it_is_done():
    d = device()
    d.run()
    assert d.clock() == pytest.approx(1.01)       # compiled and launched
    d.synchronize()
    assert d.clock() == pytest.approx(1.51)
    d.synchronize()
    assert d.clock() == pytest.approx(1.51)       # nothing left to wait for


def test_an_honest_reading_is_launch_and_length():
    d = device()
    d.run()
    d.synchronize()
    start = d.clock()
    d.run()
    d.synchronize()
    assert d.clock() - start == pytest.approx(0.11) == d.length(1)


def test_queued_work_is_done_in_order():
    d = device()
    for _ in range(3):
        d.run()
    d.synchronize()
    assert d.clock() == pytest.approx(1.01 + 0.5 + 0.1 + 0.2)


def test_work_queued_before_delays_the_first_run():
    d = device(busy=5.0, compile=0.0)
    d.run()
    d.synchronize()
    assert d.clock() == pytest.approx(5.5)


def test_readings_tell_what_lay_round_and_between():
    d = device()
    d.run()
    d.clock()
    d.run()
    d.clock()
    d.synchronize()
    d.clock()
    d.run()
    d.synchronize()
    d.clock()
    first, second = d.readings()
    assert first == Reading(waited_before=False, waited_after=False, runs=1, after_first_run=True)
    assert second == Reading(waited_before=True, waited_after=True, runs=1, after_first_run=True)
