"""The ladder of lesson 05: each rung moves what it says, costs what the lesson says, and can be rehearsed."""

import numpy as np
import pytest

from gpucourse import benchmarks, cupy_sim, profile, sanitize
from gpucourse.benchmarks import transposes
from gpucourse.benchmarks.case import QUICK, Machine, measure

SIMULATOR = Machine("simulator", "the simulator", cupy_sim, lambda: None, 1)
# rung -> sectors of a request to load and to store, wavefronts of a request to write and to read the tile
COSTS = {"copy": (4, 4, 0, 0), "straight": (4, 32, 0, 0), "tile": (4, 4, 1, 32), "padded tile": (4, 4, 1, 1)}


def moved(rung, side=64):
    image = cupy_sim.asarray(np.random.default_rng(0).random((side, side), dtype=np.float32))
    return cupy_sim.RawKernel(transposes.source(rung), "move"), image, cupy_sim.zeros_like(image)


@pytest.mark.parametrize("rung", transposes.RUNGS)
def test_a_rung_transposes_or_copies(rung):
    kernel, image, out = moved(rung)
    transposes.launch(kernel, image, out)()
    due = image.get() if rung == "copy" else image.get().T
    assert np.array_equal(out.get(), due)
    assert sanitize(kernel, (2, 2), (32, 32), (image, out, np.int32(64))).ok


@pytest.mark.parametrize("rung", transposes.RUNGS)
def test_a_rung_costs_what_the_lesson_says(rung):
    kernel, image, out = moved(rung)
    p = profile(kernel, (2, 2), (32, 32), (image, out, np.int32(64)))
    requests = 2 * 2 * 32                                # a request for each warp
    written = COSTS[rung][2] * requests
    assert (p.global_load_sectors, p.global_store_sectors) == tuple(n * requests for n in COSTS[rung][:2])
    assert p.shared_wavefronts == written + COSTS[rung][3] * requests


def test_the_ladder_is_rehearsed_on_the_simulator_and_counts_each_byte_twice():
    (name, benchmark), = benchmarks.table("gpu", "transpose").items()
    entries = list(measure(name, benchmark, SIMULATOR, QUICK))
    assert [entry.get("error") for entry in entries] == [None] * len(transposes.RUNGS)
    assert [entry["parameters"]["kernel"] for entry in entries] == list(transposes.RUNGS)
    for entry in entries:
        assert entry["work"] == 2 * np.empty(2 * [entry["parameters"]["side"]], np.float32).nbytes
        assert entry["unit"] == "B/s"
