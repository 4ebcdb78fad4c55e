"""Lanes that come late to a warp-wide operation: who waits there for them executes nothing twice."""

from __future__ import annotations

import numpy as np
import pytest

from gpucourse.simt.link import Program
from gpucourse.simt.run import launch

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
