"""Timing from a cold cache, checks of results, and shares of another case's rate."""

from types import SimpleNamespace

import numpy as np
import pytest
from stand_in_gpu import Cupy

from gpucourse import cupy_sim
from gpucourse.benchmarks.case import QUICK, Case, Checked, Machine, WrongResult, measure
from gpucourse.benchmarks.cold import time_cold
from gpucourse.benchmarks.rung import Rung

SIMULATOR = Machine("simulator", "the simulator", cupy_sim, lambda: None, 1, cache_bytes=64)


def entries(*cases, machine=SIMULATOR):
    return list(measure("test", lambda machine, sizes: cases, machine, QUICK))


def refuse():
    raise WrongResult("out[0] is nan")


def noted(events, check=lambda: None):
    """A checked call whose three parts write their names down."""
    def part(name, then=lambda: None):
        return lambda: (events.append(name), then())

    return Checked(part("call"), part("poison"), part("check", check))


class NotingXp:
    """An array module whose only array writes down when it is filled."""

    def __init__(self, events):
        self.events = events

    def empty(self, n, dtype):
        assert n * np.dtype(dtype).itemsize >= 2 * 64
        return SimpleNamespace(fill=lambda value: self.events.append("other data"))


def test_each_run_spoils_the_output_empties_the_cache_calls_once_and_checks():
    events = []
    machine = Machine("cpu", "a CPU", NotingXp(events), lambda: None, 1, cache_bytes=64)
    timing = time_cold(noted(events), machine, repeat=3)
    assert events == ["poison", "other data", "call", "check"] * 4        # the first run is not counted
    assert timing.runs == 3 and timing.loops == 1


def test_on_a_gpu_events_around_the_call_tell_the_time():
    machine = Machine("gpu", "a GPU", Cupy(), lambda: None, 1, cache_bytes=64)
    assert time_cold(lambda: None, machine, repeat=3).times == (0.002,) * 3     # seconds; the stand-in says 2 ms


@pytest.mark.parametrize("cold", [True, False])
def test_a_wrong_result_has_no_time(cold):
    wrong, = entries(Case({"kernel": "mine"}, 8, "B", lambda: noted([], refuse), cold=cold))
    assert wrong["error"] == "WrongResult: out[0] is nan" and "rate" not in wrong
    right, = entries(Case({"kernel": "mine"}, 8, "B", lambda: noted([]), cold=cold))
    assert right["rate"] > 0


def test_a_share_is_of_the_rate_of_the_same_size_in_the_same_run():
    def case(kernel, n, work, share_of=""):
        return Case({"kernel": kernel, "n": n}, work, "B", lambda: lambda: None, cold=True, share_of=share_of)

    machine = Machine("gpu", "a GPU", Cupy(), lambda: None, 1, cache_bytes=64)     # every call takes 2 ms
    found = entries(case("library", 1, 100), case("library", 2, 1000), case("mine", 1, 50, "library"),
                    case("mine", 2, 1000, "library"), case("mine", 3, 1000, "library"), machine=machine)
    assert [entry.get("share") for entry in found] == [None, None, 0.5, 1.0, None]
    assert [entry.get("of") for entry in found] == [None, None, "library", "library", None]


def test_a_rung_makes_its_kernel_and_its_cell_makes_the_same():
    rung = Rung("twice", "twice as much", '\nextern "C" __global__ void twice(float* x) { x[threadIdx.x] *= 2; }\n',
                options=("-std=c++17",))
    scope = {"cp": cupy_sim}
    exec(rung.cell(), scope)
    for kernel in (rung.kernel(cupy_sim), scope["twice"]):
        x = cupy_sim.arange(4, dtype=np.float32)
        kernel((1,), (4,), (x,))
        assert x.get().tolist() == [0, 2, 4, 6] and kernel.code == rung.source and kernel.options == rung.options
