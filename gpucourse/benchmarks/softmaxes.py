"""Softmax of every row of a matrix: from three passes by one thread to a row that stays in registers (lesson 06).

out[r, c] = exp(x[r, c] - m) / sum over c of exp(x[r, c] - m), with m the largest of row r: float32 of shape
(rows, columns), fewer than 2**31 elements. As in PyTorch, a row of nothing but -inf becomes nan, and so does a row
that holds nan or +inf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gpucourse.benchmarks.case import Case, Checked, Machine, Sizes, WrongResult
from gpucourse.benchmarks.reductions import copied
from gpucourse.benchmarks.rung import Rung

B = 256  # threads of a block

_THREE_PASSES = Rung("three_passes", "one thread a row", r"""
#define INFINITY __int_as_float(0x7f800000)
extern "C" __global__
void three_passes(const float* x, float* out, int rows, int columns)
{
    int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row < rows) {
        x += row * columns;                    // the row's first element
        out += row * columns;
        float most = -INFINITY;
        for (int c = 0; c < columns; c++) {
            most = fmaxf(most, x[c]);
        }
        float sum = 0;
        for (int c = 0; c < columns; c++) {
            sum += expf(x[c] - most);
        }
        for (int c = 0; c < columns; c++) {
            out[c] = expf(x[c] - most) / sum;
        }
    }
}
""")  # fmt: skip

_ONE_BLOCK = Rung("one_block_a_row", "one block a row, trees in shared memory", r"""
#define B 256
#define INFINITY __int_as_float(0x7f800000)
extern "C" __global__
void one_block_a_row(const float* x, float* out, int rows, int columns)
{
    __shared__ float s[B];
    int t = threadIdx.x;
    x += blockIdx.x * columns;
    out += blockIdx.x * columns;
    float v = -INFINITY;
    for (int c = t; c < columns; c += B) {
        v = fmaxf(v, x[c]);
    }
    s[t] = v;
    __syncthreads();
    for (int half = B / 2; half > 0; half /= 2) {
        if (t < half) {
            s[t] = fmaxf(s[t], s[t + half]);
        }
        __syncthreads();
    }
    float most = s[0];
    __syncthreads();                           // all have read s[0] before s is used again
    v = 0;
    for (int c = t; c < columns; c += B) {
        v += expf(x[c] - most);
    }
    s[t] = v;
    __syncthreads();
    for (int half = B / 2; half > 0; half /= 2) {
        if (t < half) {
            s[t] += s[t + half];
        }
        __syncthreads();
    }
    float sum = s[0];
    for (int c = t; c < columns; c += B) {
        out[c] = expf(x[c] - most) / sum;
    }
}
""")  # fmt: skip

_ONE_WARP = Rung("one_warp_a_row", "one warp a row, maximum and sum in one pass", r"""
#define ALL 0xffffffff
#define INFINITY __int_as_float(0x7f800000)
extern "C" __global__
void one_warp_a_row(const float* x, float* out, int rows, int columns)
{
    int lane = threadIdx.x % 32;
    int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    if (row < rows) {                          // the same for all lanes of a warp
        x += row * columns;
        out += row * columns;
        float most = -INFINITY, sum = 0;
        for (int c = lane; c < columns; c += 32) {
            float v = x[c];
            if (v != -INFINITY) {              // exp(-inf) is 0, and -inf - -inf is nan
                float larger = fmaxf(most, v);
                sum = sum * expf(most - larger) + expf(v - larger);
                most = larger;
            }
        }
        float mine = most;
        for (int d = 16; d > 0; d /= 2) {
            most = fmaxf(most, __shfl_xor_sync(ALL, most, d));
        }
        sum *= expf(mine - most);
        for (int d = 16; d > 0; d /= 2) {
            sum += __shfl_xor_sync(ALL, sum, d);
        }
        for (int c = lane; c < columns; c += 32) {
            out[c] = expf(x[c] - most) / sum;
        }
    }
}
""")  # fmt: skip

_KEPT_ROW = Rung("kept_row", "one warp a row, 1,024 elements of it kept in registers", r"""
#define KEPT 32
#define ALL 0xffffffff
#define INFINITY __int_as_float(0x7f800000)
extern "C" __global__
void kept_row(const float* x, float* out, int rows, int columns)
{
    int lane = threadIdx.x % 32;
    int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    if (row < rows) {
        x += row * columns;
        out += row * columns;
        float kept[KEPT];                      // in registers: every index is known after unrolling
        float most = -INFINITY, sum = 0;
        #pragma unroll
        for (int k = 0; k < KEPT; k++) {
            int c = lane + 32 * k;
            kept[k] = c < columns ? x[c] : -INFINITY;
            most = fmaxf(most, kept[k]);
        }
        for (int c = lane + 32 * KEPT; c < columns; c += 32) {
            most = fmaxf(most, x[c]);          // what a longer row has beyond
        }
        for (int d = 16; d > 0; d /= 2) {
            most = fmaxf(most, __shfl_xor_sync(ALL, most, d));
        }
        #pragma unroll
        for (int k = 0; k < KEPT; k++) {
            kept[k] = expf(kept[k] - most);
            sum += kept[k];
        }
        for (int c = lane + 32 * KEPT; c < columns; c += 32) {
            sum += expf(x[c] - most);
        }
        for (int d = 16; d > 0; d /= 2) {
            sum += __shfl_xor_sync(ALL, sum, d);
        }
        float scale = 1 / sum;
        #pragma unroll
        for (int k = 0; k < KEPT; k++) {
            int c = lane + 32 * k;
            if (c < columns) {
                out[c] = kept[k] * scale;
            }
        }
        for (int c = lane + 32 * KEPT; c < columns; c += 32) {
            out[c] = expf(x[c] - most) * scale;
        }
    }
}
""")  # fmt: skip

#: The ladder, in the order in which the lesson climbs it.
RUNGS = {rung.name: rung for rung in (_THREE_PASSES, _ONE_BLOCK, _ONE_WARP, _KEPT_ROW)}
#: Threads that work on one row.
_THREADS_A_ROW = {"three_passes": 1, "one_block_a_row": B, "one_warp_a_row": 32, "kept_row": 32}
_COLUMNS = 1024
_TOLERANCE = 1e-5  # relative


def blocks(rung: str, rows: int) -> int:
    """Return the number of blocks, of 256 threads, with which a rung is launched on so many rows."""
    return -(-rows * _THREADS_A_ROW[rung] // B)


def launch(rung: str, kernel: Any, x: Any, out: Any) -> Callable[[], object]:
    """Return the call that leaves the softmax of x's rows in out, both float32 of shape (rows, columns)."""
    rows, columns = x.shape
    return lambda: kernel((blocks(rung, rows),), (B,), (x, out, np.int32(rows), np.int32(columns)))


def softmax(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Softmax of rows of 1,024 floats, each byte counted once read and once written; beside a copy of the matrix."""
    nbytes = machine.past_cache if machine.kind == "gpu" else min(sizes.copy) // 16  # a rehearsal need not be large
    rows = max(nbytes // (4 * _COLUMNS), 1)
    shape, work = {"rows": rows, "columns": _COLUMNS}, 8 * rows * _COLUMNS
    yield Case({"kernel": "copy"} | shape, work, "B", lambda: copied(machine.xp, _matrix(machine.xp, rows)), cold=True)
    for rung in RUNGS:
        yield Case({"kernel": rung} | shape, work, "B", _prepared(machine.xp, rung, rows), cold=True, share_of="copy")


def _prepared(xp: Any, rung: str, rows: int) -> Callable[[], Checked]:
    def prepare() -> Checked:
        x = _matrix(xp, rows)
        out = xp.empty_like(x)
        call = launch(rung, RUNGS[rung].kernel(xp), x, out)
        return Checked(call, lambda: out.fill(np.nan), lambda: _check(xp, rung, out))

    return prepare


def _three_rows() -> Any:
    """Three rows of 1,024 floats; their exp would overflow, and some are -inf."""
    rows = 90 + np.random.default_rng(6).standard_normal((3, _COLUMNS)).astype(np.float32)
    rows[:, 100:110] = -np.inf
    return rows


def _matrix(xp: Any, rows: int) -> Any:
    """The three rows in turns, so that a row in another's place is noticed."""
    x = xp.empty((rows, _COLUMNS), np.float32)
    for k, row in enumerate(_three_rows()[:rows]):
        x[k::3] = xp.asarray(row)
    return x


def _check(xp: Any, rung: str, out: Any) -> None:
    for k, row in enumerate(_three_rows().astype(np.float64)[: len(out)]):
        exact = np.exp(row - row.max())
        due = xp.asarray((exact / exact.sum()).astype(np.float32))
        if not bool((abs(out[k::3] - due) <= _TOLERANCE * due).all()):
            raise WrongResult(f"{rung}: a row like row {k} is not its softmax, within {_TOLERANCE} of each element")
