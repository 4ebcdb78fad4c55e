"""The ladder of lesson 04: each rung copies what it says, costs the sectors it says, and can be rehearsed."""

import numpy as np
import pytest

from gpucourse import benchmarks, cupy_sim, profile
from gpucourse.benchmarks import strides
from gpucourse.benchmarks.case import QUICK, Machine, measure

SIMULATOR = Machine("simulator", "the simulator", cupy_sim, lambda: None, 1)
RUNGS = [(stride, 0) for stride in strides.STRIDES] + [(1, offset) for offset in strides.OFFSETS]


def arrays(size):
    x = cupy_sim.asarray(np.random.default_rng(0).random(size, dtype=np.float32))
    return cupy_sim.RawKernel(strides.SOURCE, "copy"), x, cupy_sim.zeros_like(x)


@pytest.mark.parametrize("size", [8192, 1001])
@pytest.mark.parametrize(("stride", "offset"), RUNGS)
def test_a_rung_copies_each_element_that_it_counts_and_no_other(stride, offset, size):
    kernel, x, out = arrays(size)
    strides.launch(kernel, x, out, stride, offset)()
    due = np.zeros(size, np.float32)
    due[offset::stride] = x.get()[offset::stride]
    assert np.array_equal(out.get(), due)
    assert strides.threads(size, stride, offset) == np.count_nonzero(due)


@pytest.mark.parametrize(("stride", "offset"), RUNGS)
def test_a_request_of_a_rung_touches_the_sectors_that_the_lesson_names(stride, offset):
    kernel, x, out = arrays(8192)
    args = (x, out, np.int64(256), np.int32(stride), np.int32(offset))
    p = profile(kernel, (1,), (strides.BLOCK,), args)
    bytes_of_a_warp = (offset + stride * np.arange(32)) * 4
    assert p.sectors_per_request == len(set(bytes_of_a_warp // 32))


def test_the_ladder_is_rehearsed_on_the_simulator_and_counts_the_bytes_asked_for():
    names = {"strided copy": "stride", "offset copy": "offset"}
    table = benchmarks.table("gpu", "coalescing")
    assert set(table) == set(names)
    for name, benchmark in table.items():
        entries = list(measure(name, benchmark, SIMULATOR, QUICK))
        assert [entry.get("error") for entry in entries] == [None] * len(entries)
        for entry in entries:
            stride, offset = entry["parameters"]["stride"], entry["parameters"]["offset"]
            copied = np.empty(entry["parameters"]["bytes"] // 4)[offset::stride].size
            assert entry["work"] == 2 * 4 * copied and entry["unit"] == "B/s"
