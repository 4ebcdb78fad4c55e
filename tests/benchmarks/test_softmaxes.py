"""The softmax kernels of lesson 06 give PyTorch's results on rows of every kind and length, and cost what is said."""

import numpy as np
import pytest
import torch
from stand_in_gpu import Cupy

from gpucourse import benchmarks, cupy_sim, profile, sanitize, simulate
from gpucourse.benchmarks import softmaxes
from gpucourse.benchmarks.case import QUICK, Machine, WrongResult, measure
from gpucourse.benchmarks.softmaxes import RUNGS

SIMULATOR = Machine("simulator", "the simulator", cupy_sim, lambda: None, 1)
TOLERANCE = 1e-5                       # relative; and absolute where float32 has no digits left
NAMES = tuple(RUNGS)
LENGTHS = (1, 31, 32, 33, 1000, 1024, 1025, 4097)


def row(kind, columns):
    chance = np.random.default_rng(columns)
    x = chance.standard_normal(columns).astype(np.float32)
    place = chance.permutation(columns)
    return {
        "random": lambda: 5 * x,
        "constant": lambda: np.full(columns, 3, np.float32),
        "huge": lambda: np.where(x < 0, np.float32(-1e38), np.float32(1e38)),
        "largest": lambda: np.where(x < 0, -np.finfo(np.float32).max, np.finfo(np.float32).max),
        "close and huge": lambda: 1e30 + np.zeros(columns, np.float32),
        "rising": lambda: np.arange(columns, dtype=np.float32),
        "falling": lambda: -np.arange(columns, dtype=np.float32),
        "some -inf": lambda: np.where(x < 0.5, np.float32(-np.inf), x),
        "-inf first": lambda: np.where(np.arange(columns) < columns - 1, np.float32(-np.inf), np.float32(2)),
        "-inf last": lambda: np.where(np.arange(columns) > 0, np.float32(-np.inf), np.float32(2)),
        "all -inf": lambda: np.full(columns, -np.inf, np.float32),
        "one +inf": lambda: np.where(place == 0, np.float32(np.inf), x),
        "one nan": lambda: np.where(place == 0, np.float32(np.nan), x),
        "nan among -inf": lambda: np.where(place == 0, np.float32(np.nan), np.float32(-np.inf)),
    }[kind]().astype(np.float32)


KINDS = ("random", "constant", "huge", "largest", "close and huge", "rising", "falling", "some -inf", "-inf first",
         "-inf last", "all -inf", "one +inf", "one nan", "nan among -inf")


def rows_of(columns):
    return np.stack([row(kind, columns) for kind in KINDS])


def prepared(rung, x):
    """(kernel, grid, block, args) of the launch on x; `out` holds 7."""
    rows, columns = x.shape
    args = (cupy_sim.asarray(x), cupy_sim.full(x.shape, 7, np.float32), np.int32(rows), np.int32(columns))
    return RUNGS[rung].kernel(cupy_sim), (softmaxes.blocks(rung, rows),), (256,), args


@pytest.mark.parametrize("columns", LENGTHS)
@pytest.mark.parametrize("rung", NAMES)
def test_a_rung_equals_pytorch_on_every_kind_of_row(rung, columns):
    x = rows_of(columns)
    due = torch.softmax(torch.from_numpy(x), dim=1).numpy()
    kernel, grid, block, args = prepared(rung, x)
    kernel(grid, block, args)
    for kind, found, right in zip(KINDS, args[1].get(), due, strict=True):
        np.testing.assert_allclose(found, right, rtol=TOLERANCE, atol=1e-30, err_msg=kind)   # nan equals nan
    assert np.isnan(due[KINDS.index("all -inf")]).all() and not np.isnan(due[KINDS.index("some -inf")][x[7] > 0]).any()


def test_the_rows_are_what_they_are_called():
    x = dict(zip(KINDS, rows_of(1000), strict=True))
    assert np.isneginf(x["some -inf"]).sum() > 300 and np.isfinite(x["some -inf"]).sum() > 100
    assert abs(x["huge"]).min() == np.float32(1e38) and np.isneginf(x["all -inf"]).all()


@pytest.mark.parametrize("rung", NAMES)
def test_a_rung_is_clean_and_right_in_every_order_of_warps(rung):
    x = rows_of(300)[:9]
    due = torch.softmax(torch.from_numpy(x), dim=1).numpy()
    launch = prepared(rung, x)
    assert sanitize(*launch).ok
    for seed in range(3):
        found = simulate(*launch, schedule="adversarial", seed=seed)[1]
        np.testing.assert_allclose(found, due, rtol=TOLERANCE, atol=1e-30)


@pytest.mark.parametrize("barrier", range(5))
def test_each_barrier_of_one_block_a_row_is_needed(barrier):
    """That the test above can fail."""
    parts = RUNGS["one_block_a_row"].source.split("__syncthreads();")
    assert len(parts) == 6
    lazy = "__syncthreads();".join(parts[: barrier + 1]) + "__syncthreads();".join(["", *parts[barrier + 1 :]])[16:]
    assert lazy.count("__syncthreads();") == 4
    kernel = cupy_sim.RawKernel(lazy, "one_block_a_row")
    assert not sanitize(kernel, *prepared("one_block_a_row", rows_of(300)[:2])[1:]).ok


def test_the_online_sum_needs_its_question_for_minus_infinity():
    """That the rows can tell: without it, a row that begins with -inf becomes nan."""
    rung = RUNGS["one_warp_a_row"]
    kernel = cupy_sim.RawKernel(rung.source.replace("if (v != -INFINITY)", "if (true)"), rung.name)
    _, grid, block, args = prepared(rung.name, np.stack([row("-inf first", 100)]))
    kernel(grid, block, args)
    assert np.isnan(args[1].get()).all()


# --- what a step mends ---------------------------------------------------------------------------------

ROWS, COLUMNS = 64, 1024
ALL = ROWS * COLUMNS // 32                                          # requests of full warps for each element once


@pytest.fixture(scope="module")
def profiles():
    return {rung: profile(*prepared(rung, np.zeros((ROWS, COLUMNS), np.float32))) for rung in NAMES}


def test_one_thread_a_row_touches_a_sector_for_each_lane(profiles):
    p = profiles["three_passes"]
    assert (p.global_load_requests, p.global_store_requests) == (3 * ALL, ALL)
    assert p.global_load_sectors == 32 * p.global_load_requests and p.global_store_sectors == 32 * ALL


def test_one_block_a_row_is_coalesced_and_pays_with_barriers(profiles):
    p = profiles["one_block_a_row"]
    assert (p.global_load_requests, p.global_store_requests) == (3 * ALL, ALL)
    assert p.sectors_per_request == 4 and p.bank_conflicts == 0
    assert p.barriers == ROWS * 8 * (1 + 8 + 1 + 1 + 8)                  # 8 warps; two trees of 8 turns


def test_one_warp_a_row_reads_twice_and_waits_for_nobody(profiles):
    p = profiles["one_warp_a_row"]
    assert (p.global_load_requests, p.global_store_requests) == (2 * ALL, ALL)
    assert p.sectors_per_request == 4
    assert p.shared_requests == p.divergent_branches == 0


def test_a_kept_row_is_read_once(profiles):
    p = profiles["kept_row"]
    assert (p.global_load_requests, p.global_store_requests) == (ALL, ALL)
    assert p.global_load_sectors == p.global_store_sectors == 4 * ALL
    assert p.bytes_moved == p.compulsory_bytes
    assert p.resources.spill_store_bytes == p.resources.stack_bytes == p.local_requests == 0


def test_what_does_not_fit_into_the_registers_is_read_three_times():
    p = profile(*prepared("kept_row", np.zeros((8, 1024 + 256), np.float32)))
    assert p.global_load_requests == 8 * (32 + 3 * 8)


# --- measured ------------------------------------------------------------------------------------------


def test_the_ladder_is_rehearsed_on_the_simulator_and_counts_each_byte_twice():
    (name, benchmark), = benchmarks.table("gpu", "softmax").items()
    entries = list(measure(name, benchmark, SIMULATOR, QUICK))
    assert [entry.get("error") for entry in entries] == [None] * (1 + len(NAMES))
    assert [entry["parameters"]["kernel"] for entry in entries] == ["copy", *NAMES]
    for entry in entries:
        assert entry["work"] == 2 * 4 * entry["parameters"]["rows"] * entry["parameters"]["columns"]
    assert [entry.get("of") for entry in entries] == [None] + ["copy"] * len(NAMES)


def test_on_a_gpu_a_kernel_that_does_nothing_is_refused():
    machine = Machine("gpu", "a GPU", Cupy(), lambda: None, 1, cache_bytes=1 << 14, facts={"multiprocessors": 2})
    copy, *entries = measure("softmax", softmaxes.softmax, machine, QUICK)
    assert copy["rate"] > 0 and copy["parameters"]["rows"] == 64
    assert all(entry["error"].startswith("WrongResult: ") for entry in entries)


def test_the_check_notices_one_wrong_element_and_rows_that_changed_places():
    x = softmaxes._matrix(cupy_sim, 7).get()
    right = torch.softmax(torch.from_numpy(x), dim=1).numpy()
    softmaxes._check(cupy_sim, "kept_row", cupy_sim.asarray(right))
    one, places = right.copy(), right[::-1].copy()
    one[5, 1000] *= 1.0001
    for wrong in (one, places, right * np.nan):
        with pytest.raises(WrongResult, match="kept_row: a row like row"):
            softmaxes._check(cupy_sim, "kept_row", cupy_sim.asarray(wrong))
