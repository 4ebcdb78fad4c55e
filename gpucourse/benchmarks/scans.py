"""Running sums along the rows of a matrix: a block takes a row, 256 elements a turn (lesson 06).

out[r, c] = x[r, 0] + ... + x[r, c]: float32 of shape (rows, columns), fewer than 2**31 elements. Both kernels add
neighbors first, so what overflows is a sum of neighbors: a row whose running sums stay finite may still give inf
where some piece of it does not fit into a float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gpucourse.benchmarks.rung import Rung

B = 256  # threads of a block

_HILLIS_STEELE = Rung("hillis_steele", "eight doublings in shared memory", r"""
#define B 256
extern "C" __global__
void hillis_steele(const float* x, float* out, int rows, int columns)
{
    __shared__ float s[B];
    int t = threadIdx.x;
    x += blockIdx.x * columns;
    out += blockIdx.x * columns;
    float before = 0;                          // the sum of the turns that are done
    for (int start = 0; start < columns; start += B) {
        int c = start + t;
        s[t] = c < columns ? x[c] : 0;
        __syncthreads();
        for (int d = 1; d < B; d *= 2) {
            float left = t >= d ? s[t - d] : 0;
            __syncthreads();                   // all have read before any writes
            s[t] += left;
            __syncthreads();
        }
        if (c < columns) {
            out[c] = before + s[t];
        }
        before += s[B - 1];
        __syncthreads();                       // all have read before the next turn
    }
}
""")  # fmt: skip

_WARP_SCAN = Rung("warp_scan", "shuffles in a warp, then the warps' totals", r"""
#define B 256
#define ALL 0xffffffff
extern "C" __global__
void warp_scan(const float* x, float* out, int rows, int columns)
{
    __shared__ float total[B / 32];            // of each warp
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    x += blockIdx.x * columns;
    out += blockIdx.x * columns;
    float before = 0;
    for (int start = 0; start < columns; start += B) {
        int c = start + threadIdx.x;
        float v = c < columns ? x[c] : 0;
        for (int d = 1; d < 32; d *= 2) {
            float left = __shfl_up_sync(ALL, v, d);
            v += lane >= d ? left : 0;
        }
        if (lane == 31) {
            total[warp] = v;
        }
        __syncthreads();
        float left = before;
        for (int w = 0; w < B / 32; w++) {
            left += w < warp ? total[w] : 0;
            before += total[w];
        }
        if (c < columns) {
            out[c] = left + v;
        }
        __syncthreads();
    }
}
""")  # fmt: skip

RUNGS = {rung.name: rung for rung in (_HILLIS_STEELE, _WARP_SCAN)}


def launch(kernel: Any, x: Any, out: Any) -> Callable[[], object]:
    """Return the call that leaves the running sums of x's rows in out, both float32 of shape (rows, columns)."""
    rows, columns = x.shape
    return lambda: kernel((rows,), (B,), (x, out, np.int32(rows), np.int32(columns)))
