"""Lanes that come late to a warp-wide operation: who waits there for them executes nothing twice."""

from __future__ import annotations

import numpy as np
import pytest

from gpucourse.errors import KernelFault
from gpucourse.simt.link import Program
from gpucourse.simt.run import launch
from gpucourse.simt.sanitize import sanitize_launch

LATE_LANE = """
extern "C" __global__ void k(int* count, int* flag, int* out) {
    int t = threadIdx.x;
    if (t < 32) {
        if (t == 0) while (atomicAdd(flag, 0) == 0) {}
        atomicAdd(count, 1);
        out[t] = __shfl_sync(0xffffffffu, t + 100, 0);
    } else {
        for (int i = 0; i < 50; i++) out[t] = i;
        __threadfence();
        atomicExch(flag, 1);
    }
}"""


@pytest.mark.parametrize("schedule", ["lockstep", "adversarial"])
def test_what_stands_before_a_shuffle_runs_once(schedule: str) -> None:
    count, flag, out = np.zeros(1, np.int32), np.zeros(1, np.int32), np.zeros(64, np.int32)
    launch(Program(LATE_LANE), "k", (1,), (64,), (count, flag, out), schedule=schedule, seed=3)
    assert count.tolist() == [32]
    assert out.tolist() == [100] * 32 + [49] * 32


# __syncwarp() in both halves of an `if`: PTX lets lanes pass bar.warp.sync once all that the mask names have come to
# one with this mask, wherever it stands.
TWO_PLACES = """
extern "C" __global__ void k(const int* x, int* out) {
    __shared__ volatile int s[96];
    int t = threadIdx.x;
    if (t % 32 < 16) {
        s[t] = x[t] + 1;
        __syncwarp(FIRST);
        out[t] = s[t + 16];
    } else {
        s[t] = 2 * x[t];
        __syncwarp(SECOND);
        out[t] = s[t - 16] * 3;
    }
}"""
X = np.arange(96, dtype=np.int32)
DUE = np.where(X % 32 < 16, 2 * (X + 16), 3 * (X - 16 + 1))


def two_places(here: str, there: str) -> Program:
    return Program(TWO_PLACES.replace("FIRST", here).replace("SECOND", there))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("schedule", ["lockstep", "adversarial"])
def test_lanes_meet_at_two_places(schedule: str, seed: int) -> None:
    out = np.zeros(96, np.int32)
    launch(two_places("", ""), "k", (1,), (96,), (X, out), schedule=schedule, seed=seed)
    assert np.array_equal(out, DUE)


def test_a_meeting_at_two_places_orders_what_stands_around_it() -> None:
    assert sanitize_launch(two_places("", ""), "k", (1,), (96,), (X, np.zeros(96, np.int32))).ok


@pytest.mark.parametrize("masks", [("0xffff", "0xffff0000"), ("0xffffffff", "0xffff0000")])
def test_other_masks_are_other_meetings(masks: tuple[str, str]) -> None:
    report = sanitize_launch(two_places(*masks), "k", (1,), (96,), (X, np.zeros(96, np.int32)))
    assert "missing __syncwarp" in {finding.kind for finding in report.findings}


def test_lanes_that_never_come_are_still_missed() -> None:
    late = two_places("", "").source.replace("__syncwarp();\n        out[t] = s[t - 16]",
                                             "while (s[95] != 7) {}\n        out[t] = s[t - 16]")
    with pytest.raises(KernelFault):
        launch(Program(late), "k", (1,), (96,), (X, np.zeros(96, np.int32)), budget=20_000)
