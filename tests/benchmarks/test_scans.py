"""The running sums of lesson 06 give PyTorch's on rows of every kind and length, and cost what is said."""

import numpy as np
import pytest
import torch

from gpucourse import cupy_sim, profile, sanitize, simulate
from gpucourse.benchmarks import scans
from gpucourse.benchmarks.scans import RUNGS

TOLERANCE = 1e-5                       # of the sum of the magnitudes so far: that is how rounding errors add up
NAMES = tuple(RUNGS)
LENGTHS = (1, 31, 32, 33, 255, 256, 257, 1000, 4097)


def row(kind, columns):
    x = np.random.default_rng(columns).standard_normal(columns).astype(np.float32)
    return {
        "random": lambda: x,
        "whole numbers": lambda: np.round(100 * x),
        "constant": lambda: np.full(columns, 0.1, np.float32),
        "huge": lambda: np.full(columns, 1e38, np.float32),                 # inf from the fourth on
        "huge, up and down": lambda: np.where(np.arange(columns) % 2, np.float32(-1e38), np.float32(1e38)),
        "huge, negative": lambda: np.full(columns, -1e38, np.float32),
        "some -inf": lambda: np.where(x < -1, np.float32(-np.inf), x),
        "all -inf": lambda: np.full(columns, -np.inf, np.float32),
        "+inf, then -inf": lambda: np.where(x < -1, np.float32(-np.inf), np.where(x > 1, np.float32(np.inf), x)),
        "one nan": lambda: np.where(np.arange(columns) == columns // 2, np.float32(np.nan), x),
    }[kind]().astype(np.float32)


KINDS = ("random", "whole numbers", "constant", "huge", "huge, up and down", "huge, negative", "some -inf", "all -inf",
         "+inf, then -inf", "one nan")


def prepared(rung, x):
    rows, columns = x.shape
    args = (cupy_sim.asarray(x), cupy_sim.full(x.shape, 7, np.float32), np.int32(rows), np.int32(columns))
    return RUNGS[rung].kernel(cupy_sim), (rows,), (256,), args


def assert_running_sum(found, x, kind=""):
    due = torch.cumsum(torch.from_numpy(x), dim=0).numpy()
    with np.errstate(over="ignore"):
        slack = TOLERANCE * np.cumsum(abs(x).astype(np.float64))
    special = ~np.isfinite(due)
    np.testing.assert_array_equal(found[special], due[special], err_msg=kind)           # nan equals nan
    assert (abs(found[~special] - due[~special].astype(np.float64)) <= slack[~special]).all(), kind


@pytest.mark.parametrize("columns", LENGTHS)
@pytest.mark.parametrize("rung", NAMES)
def test_a_rung_equals_pytorch_on_every_kind_of_row(rung, columns):
    x = np.stack([row(kind, columns) for kind in KINDS])
    kernel, _, _, args = prepared(rung, x)
    scans.launch(kernel, *args[:2])()
    for kind, found, given in zip(KINDS, args[1].get(), x, strict=True):
        assert_running_sum(found, given, kind)
    assert np.array_equal(args[1].get()[1], np.cumsum(x[1]))                            # whole numbers: exactly


@pytest.mark.parametrize("rung", NAMES)
def test_a_rung_is_clean_and_right_in_every_order_of_warps(rung):
    x = np.stack([row("whole numbers", 600), row("random", 600)])
    launch = prepared(rung, x)
    assert sanitize(*launch).ok
    for seed in range(3):
        found = simulate(*launch, schedule="adversarial", seed=seed)[1]
        assert np.array_equal(found[0], np.cumsum(x[0]))


@pytest.mark.parametrize(("rung", "barriers"), [("hillis_steele", 4), ("warp_scan", 2)])
def test_each_barrier_is_needed(rung, barriers):
    """That the test above can fail."""
    parts = RUNGS[rung].source.split("__syncthreads();")
    assert len(parts) == barriers + 1
    for left_out in range(barriers):
        lazy = "".join(part + "__syncthreads();" * (k not in (left_out, barriers)) for k, part in enumerate(parts))
        kernel = cupy_sim.RawKernel(lazy, rung)
        assert not sanitize(kernel, *prepared(rung, np.stack([row("random", 600)]))[1:]).ok, left_out


def test_warp_scan_waits_twice_a_turn_where_hillis_steele_waits_eighteen_times():
    x = np.zeros((1, 1024), np.float32)                                                 # 4 turns of 8 warps
    found = {rung: profile(*prepared(rung, x)) for rung in NAMES}
    waits = {rung: p.barriers for rung, p in found.items()}
    assert waits == {"hillis_steele": 4 * 8 * 18, "warp_scan": 4 * 8 * 2}
    assert found["warp_scan"].shared_wavefronts == 4 * 8 * (1 + 8)                      # a total, and all of them
    assert found["hillis_steele"].shared_wavefronts > 4 * 8 * 8 * 2
    assert found["hillis_steele"].bank_conflicts == found["warp_scan"].bank_conflicts == 0
