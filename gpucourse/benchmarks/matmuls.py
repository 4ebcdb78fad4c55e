"""Matrix products, from one thread a result to tiles of registers and tensor cores (the ladder of lesson 07).

All rungs compute C = A B for float32 matrices in C order: `a` is m x k, `b` is k x n, `c` is m x n, in CUDA C
`void NAME(const float* a, const float* b, float* c, int m, int n, int k)`; `tensor_cores` takes `a` and `b` as half.
`naive` and `coalesced` take any m, n and k. The others take multiples of their `TILES`; `grid_and_block` says so.

`double_buffer` is the one that is to come near cuBLAS. It is built on the warp tiles with which S. Boehm's SGEMM
reached 93.7 % of cuBLAS on an RTX A6000 (https://siboehm.com/articles/22/CUDA-MMM); on registers that fetch the next
tile while this one is used; and on lanes dealt out so that lane l wants the same 16 bytes of B as lane l ^ 1, and of A
as lane l ^ 2, which halves the passes of a 128-bit load, as NVIDIA's engineers say
(https://forums.developer.nvidia.com/t/unexpected-shared-memory-bank-conflict/77228).

Read from the assembler's output, not measured: 1,024 of the about 1,113 instructions of its main loop are
multiply-adds, 92 % (8 x 8 a thread: 90 %), on sm_75 to sm_90. So it can reach 92 % of the peak where a quarter of a
multiprocessor begins one warp instruction a cycle and has 32 lanes (8.6, 8.9, 9.0), and more where it has 16 (7.5,
8.0). Nothing is spilled. `VARIANTS` are other sizes, to be tried where the default stays behind, best guesses first:
deeper tiles (fewer barriers), 8 x 8 a thread (twice the warps), larger tiles (less traffic), smaller ones (a matrix of
1024 has too few tiles of 128 x 128 for a large chip). Deeper tiles pay with a conflict of two when A is stored.
`measure --ladder matmul` tries them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from gpucourse.benchmarks.case import Case, Checked, Machine, Sizes, require_close
from gpucourse.benchmarks.rung import Rung
from gpucourse.errors import CourseError

_NAIVE = r"""
extern "C" __global__
void naive(const float* a, const float* b, float* c, int m, int n, int k)
{
    int row = blockIdx.x * blockDim.x + threadIdx.x;
    int column = blockIdx.y * blockDim.y + threadIdx.y;
    if (row < m && column < n) {
        float sum = 0;
        for (int i = 0; i < k; i++) {
            float left = a[row * k + i];
            float right = b[i * n + column];
            sum += left * right;
        }
        c[row * n + column] = sum;
    }
}
"""
_COALESCED = r"""
extern "C" __global__
void coalesced(const float* a, const float* b, float* c, int m, int n, int k)
{
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row < m && column < n) {
        float sum = 0;
        for (int i = 0; i < k; i++) {
            float left = a[row * k + i];
            float right = b[i * n + column];
            sum += left * right;
        }
        c[row * n + column] = sum;
    }
}
"""
_TILED = r"""
#define T 32
extern "C" __global__
void tiled(const float* a, const float* b, float* c, int m, int n, int k)
{
    __shared__ float a_tile[T][T], b_tile[T][T];
    int x = threadIdx.x, y = threadIdx.y;
    int row = blockIdx.y * T + y, column = blockIdx.x * T + x;
    float sum = 0;
    for (int start = 0; start < k; start += T) {
        a_tile[y][x] = a[row * k + start + x];
        b_tile[y][x] = b[(start + y) * n + column];
        __syncthreads();
        for (int i = 0; i < T; i++) {
            sum += a_tile[y][i] * b_tile[i][x];
        }
        __syncthreads();
    }
    c[row * n + column] = sum;
}
"""
_REGISTER_COLUMN = r"""
#define BM 64       // the block's tile of C: rows
#define BN 64       // and columns
#define BK 8        // how deep the tiles of A and B are
#define TM 8        // results of a thread, one below the other
extern "C" __global__
void register_column(const float* a, const float* b, float* c, int m, int n, int k)
{
    __shared__ float a_tile[BM][BK], b_tile[BK][BN];
    int x = threadIdx.x, y = threadIdx.y, t = y * BN + x;
    int top = blockIdx.y * BM, left = blockIdx.x * BN;
    float sum[TM] = {};
    for (int start = 0; start < k; start += BK) {
        a_tile[t / BK][t % BK] = a[(top + t / BK) * k + start + t % BK];
        b_tile[y][x] = b[(start + y) * n + left + x];
        __syncthreads();
        for (int i = 0; i < BK; i++) {
            float right = b_tile[i][x];
            for (int j = 0; j < TM; j++) {
                sum[j] += a_tile[y * TM + j][i] * right;
            }
        }
        __syncthreads();
    }
    for (int j = 0; j < TM; j++) {
        c[(top + y * TM + j) * n + left + x] = sum[j];
    }
}
"""
_REGISTER_BLOCK = r"""
#define BM 128      // the block's tile of C
#define BN 128
#define BK 8
#define TM 8        // a thread's results: 8 rows, 8 columns,
#define TN 8        // each 16 away from the next
extern "C" __global__
void register_block(const float* a, const float* b, float* c, int m, int n, int k)
{
    __shared__ float a_tile[BM][BK], b_tile[BK][BN];
    int x = threadIdx.x, y = threadIdx.y, t = y * 16 + x;
    int top = blockIdx.y * BM, left = blockIdx.x * BN;
    float sum[TM][TN] = {};
    for (int start = 0; start < k; start += BK) {
        for (int e = t; e < BM * BK; e += 256) {
            a_tile[e / BK][e % BK] = a[(top + e / BK) * k + start + e % BK];
        }
        for (int e = t; e < BK * BN; e += 256) {
            b_tile[e / BN][e % BN] = b[(start + e / BN) * n + left + e % BN];
        }
        __syncthreads();
        for (int i = 0; i < BK; i++) {
            float down[TM], across[TN];
            for (int j = 0; j < TM; j++) down[j] = a_tile[y + 16 * j][i];
            for (int j = 0; j < TN; j++) across[j] = b_tile[i][x + 16 * j];
            for (int p = 0; p < TM; p++)
                for (int q = 0; q < TN; q++) sum[p][q] += down[p] * across[q];
        }
        __syncthreads();
    }
    for (int p = 0; p < TM; p++)
        for (int q = 0; q < TN; q++) c[(top + y + 16 * p) * n + left + x + 16 * q] = sum[p][q];
}
"""
_VECTOR_LOADS = r"""
#define BM 128
#define BN 128
#define BK 8
extern "C" __global__
void vector_loads(const float* a, const float* b, float* c, int m, int n, int k)
{
    __shared__ float4 a_tile[BK][BM / 4 + 1];            // column i of A's tile lies in row i
    __shared__ float4 b_tile[BK][BN / 4];
    int x = threadIdx.x, y = threadIdx.y, t = y * 16 + x;
    int top = blockIdx.y * BM, left = blockIdx.x * BN;
    float sum[8][8] = {};
    for (int start = 0; start < k; start += BK) {
        int row = t / 2, four = t % 2 * 4;               // whose 4 floats of A this thread brings
        float4 v = *(const float4*)&a[(top + row) * k + start + four];
        ((float*)a_tile[four])[row] = v.x;
        ((float*)a_tile[four + 1])[row] = v.y;
        ((float*)a_tile[four + 2])[row] = v.z;
        ((float*)a_tile[four + 3])[row] = v.w;
        b_tile[t / 32][t % 32] = *(const float4*)&b[(start + t / 32) * n + left + t % 32 * 4];
        __syncthreads();
        #pragma unroll
        for (int i = 0; i < BK; i++) {
            float4 d0 = a_tile[i][y], d1 = a_tile[i][y + 16];
            float4 a0 = b_tile[i][x], a1 = b_tile[i][x + 16];
            float down[8] = {d0.x, d0.y, d0.z, d0.w, d1.x, d1.y, d1.z, d1.w};
            float across[8] = {a0.x, a0.y, a0.z, a0.w, a1.x, a1.y, a1.z, a1.w};
            for (int p = 0; p < 8; p++)
                for (int q = 0; q < 8; q++) sum[p][q] += down[p] * across[q];
        }
        __syncthreads();
    }
    for (int p = 0; p < 8; p++) {
        float* s = sum[p];
        float4* out = (float4*)&c[(top + p / 4 * 64 + 4 * y + p % 4) * n + left];
        out[x] = make_float4(s[0], s[1], s[2], s[3]);
        out[x + 16] = make_float4(s[4], s[5], s[6], s[7]);
    }
}
"""
_DOUBLE_BUFFER = r"""
#define BM 128      // the block's tile of C
#define BN 128
#define BK 8
#define WM 64       // a warp's tile
#define WN 64
#define TM 8        // a thread's results, in pieces of 4 x 4
#define TN 16
#define THREADS (BM / WM * (BN / WN) * 32)
#define LANES (WN / TN)                                  // along a row of the warp's tile
extern "C" __global__ __launch_bounds__(THREADS)
void double_buffer(const float* a, const float* b, float* c, int m, int n, int k)
{
    __shared__ float4 a_tile[2][BK][BM / 4 + 1], b_tile[2][BK][BN / 4];
    float4 next_a[BM * BK / 4 / THREADS], next_b[BK * BN / 4 / THREADS];
    float sum[TM][TN] = {};
    int t = threadIdx.x, warp = t / 32, lane = t % 32, now = 0;
    int y = warp / (BN / WN) * (WM / 4) + lane / (2 * LANES) * 2 + lane % 2;   // in float4s: warp's
    int x = warp % (BN / WN) * (WN / 4) + lane / 2 % LANES;                    // tile + lane's place
    a += (blockIdx.y * BM + t / (BK / 4)) * k + t % (BK / 4) * 4;
    b += t / (BN / 4) * n + blockIdx.x * BN + t % (BN / 4) * 4;
    c += blockIdx.y * BM * n + blockIdx.x * BN;

    auto fetch = [&]() {                                 // the next tiles, from global memory into registers
        #pragma unroll
        for (int i = 0; i < BM * BK / 4 / THREADS; i++)
            next_a[i] = *(const float4*)&a[i * (THREADS / (BK / 4)) * k];
        #pragma unroll
        for (int i = 0; i < BK * BN / 4 / THREADS; i++)
            next_b[i] = *(const float4*)&b[i * (THREADS / (BN / 4)) * n];
        a += BK;
        b += BK * n;
    };
    auto put = [&](int buffer) {                         // from registers into shared memory
        #pragma unroll
        for (int i = 0; i < BM * BK / 4 / THREADS; i++) {
            int e = t + i * THREADS, row = e / (BK / 4), four = e % (BK / 4) * 4;
            ((float*)a_tile[buffer][four])[row] = next_a[i].x;
            ((float*)a_tile[buffer][four + 1])[row] = next_a[i].y;
            ((float*)a_tile[buffer][four + 2])[row] = next_a[i].z;
            ((float*)a_tile[buffer][four + 3])[row] = next_a[i].w;
        }
        #pragma unroll
        for (int i = 0; i < BK * BN / 4 / THREADS; i++) {
            int e = t + i * THREADS;
            b_tile[buffer][e / (BN / 4)][e % (BN / 4)] = next_b[i];
        }
    };
    auto multiply = [&](int buffer) {                    // from shared memory into the sums
        #pragma unroll
        for (int i = 0; i < BK; i++) {
            float4 down[TM / 4], across[TN / 4];
            for (int j = 0; j < TM / 4; j++) down[j] = a_tile[buffer][i][y + j * (WM / TM)];
            for (int j = 0; j < TN / 4; j++) across[j] = b_tile[buffer][i][x + j * LANES];
            #pragma unroll
            for (int p = 0; p < TM; p++)
                #pragma unroll
                for (int q = 0; q < TN; q++) sum[p][q] += ((float*)down)[p] * ((float*)across)[q];
        }
    };

    fetch();
    put(now);
    __syncthreads();
    for (int start = BK; start < k; start += BK) {
        fetch();
        multiply(now);
        now = 1 - now;
        put(now);
        __syncthreads();
    }
    multiply(now);
    #pragma unroll
    for (int p = 0; p < TM; p++)
        #pragma unroll
        for (int q = 0; q < TN; q += 4)
            ((float4*)&c[((y + p / 4 * (WM / TM)) * 4 + p % 4) * n])[x + q / 4 * LANES] =
                make_float4(sum[p][q], sum[p][q + 1], sum[p][q + 2], sum[p][q + 3]);
}
"""
_TENSOR_CORES = r"""
#include <mma.h>
using namespace nvcuda;
#define BM 128      // the block's tile of C
#define BN 128
#define BK 32
#define WM 64       // a warp's tile, in fragments of 16 x 16
#define WN 32
#define THREADS 256
extern "C" __global__ __launch_bounds__(THREADS)
void tensor_cores(const half* a, const half* b, float* c, int m, int n, int k)
{
    __shared__ __align__(32) half a_tile[BM][BK + 8], b_tile[BK][BN + 8];
    int t = threadIdx.x, warp = t / 32;
    int top = blockIdx.y * BM, left = blockIdx.x * BN;
    int y = warp / (BN / WN) * WM, x = warp % (BN / WN) * WN;
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum[WM / 16][WN / 16];
    for (int p = 0; p < WM / 16; p++)
        for (int q = 0; q < WN / 16; q++) wmma::fill_fragment(sum[p][q], 0);
    for (int start = 0; start < k; start += BK) {
        for (int e = 8 * t; e < BM * BK; e += 8 * THREADS) {         // 8 halves are 16 bytes, as a float4
            *(float4*)&a_tile[e / BK][e % BK] = *(const float4*)&a[(top + e / BK) * k + start + e % BK];
        }
        for (int e = 8 * t; e < BK * BN; e += 8 * THREADS) {
            *(float4*)&b_tile[e / BN][e % BN] = *(const float4*)&b[(start + e / BN) * n + left + e % BN];
        }
        __syncthreads();
        for (int i = 0; i < BK; i += 16) {
            wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> down[WM / 16];
            wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::row_major> across[WN / 16];
            for (int p = 0; p < WM / 16; p++) wmma::load_matrix_sync(down[p], &a_tile[y + 16 * p][i], BK + 8);
            for (int q = 0; q < WN / 16; q++) wmma::load_matrix_sync(across[q], &b_tile[i][x + 16 * q], BN + 8);
            for (int p = 0; p < WM / 16; p++)
                for (int q = 0; q < WN / 16; q++) wmma::mma_sync(sum[p][q], down[p], across[q], sum[p][q]);
        }
        __syncthreads();
    }
    for (int p = 0; p < WM / 16; p++)
        for (int q = 0; q < WN / 16; q++)
            wmma::store_matrix_sync(&c[(top + y + 16 * p) * n + left + x + 16 * q], sum[p][q], n, wmma::mem_row_major);
}
"""

#: The ladder, in the order in which the lesson climbs it.
RUNGS = {rung.name: rung for rung in (
    Rung("naive", "one thread a result, x down the rows", _NAIVE),
    Rung("coalesced", "x along the rows", _COALESCED),
    Rung("tiled", "tiles of 32 x 32 in shared memory", _TILED),
    Rung("register_column", "8 results a thread", _REGISTER_COLUMN),
    Rung("register_block", "8 x 8 results a thread", _REGISTER_BLOCK),
    Rung("vector_loads", "four floats a load", _VECTOR_LOADS),
    Rung("double_buffer", "two buffers, a tile a warp, 8 x 16 a thread", _DOUBLE_BUFFER),
    Rung("tensor_cores", "tensor cores, half in, float out", _TENSOR_CORES),
)}  # fmt: skip


@dataclass(frozen=True)
class Tile:
    """A block of a rung: `m` x `n` results, `k` deep, by a block of `block` threads.

    `whole`: m, n and k of the matrices must be multiples. `down`: blockIdx.x counts the rows of tiles, not the columns.
    """

    m: int
    n: int
    k: int
    block: tuple[int, ...]
    whole: bool = True
    down: bool = False


TILES = {
    "naive": Tile(32, 32, 1, (32, 32), whole=False, down=True),
    "coalesced": Tile(32, 32, 1, (32, 32), whole=False),
    "tiled": Tile(32, 32, 32, (32, 32)),
    "register_column": Tile(64, 64, 8, (64, 8)),
    "register_block": Tile(128, 128, 8, (16, 16)),
    "vector_loads": Tile(128, 128, 8, (16, 16)),
    "double_buffer": Tile(128, 128, 8, (128,)),
    "tensor_cores": Tile(128, 128, 32, (256,)),
}
_TILED_BY = ("BM", "BN", "BK", "WM", "WN", "TM", "TN")
#: Sizes of `double_buffer` to try on a new device: the block's tile and its depth, the warp's tile, the thread's.
VARIANTS = (
    (128, 128, 16, 64, 64, 8, 16),
    (128, 128, 8, 64, 32, 8, 8),
    (128, 128, 16, 64, 32, 8, 8),
    (128, 256, 8, 64, 64, 8, 16),
    (256, 128, 8, 64, 64, 8, 16),
    (128, 64, 16, 64, 32, 8, 8),
    (64, 64, 16, 32, 32, 8, 4),
)


def variant(sizes: tuple[int, ...]) -> tuple[Rung, Tile]:
    """Return `double_buffer` with other sizes, in the order of `VARIANTS`, and its tile."""
    rung, named = RUNGS["double_buffer"], dict(zip(_TILED_BY, sizes, strict=True))
    source = rung.source
    for name, size in named.items():
        source = re.sub(rf"(?m)^#define {name} \d+", f"#define {name} {size}", source)
    bm, bn, bk, wm, wn, tm, tn = sizes
    title = f"two buffers: {bm} x {bn} x {bk} a block, {wm} x {wn} a warp, {tm} x {tn} a thread"
    return replace(rung, title=title, source=source), Tile(bm, bn, bk, (bm // wm * (bn // wn) * 32,))


def grid_and_block(tile: Tile, m: int, n: int, k: int) -> tuple[tuple[int, int], tuple[int, ...]]:
    """Return grid and block for an m x k matrix times a k x n one; CourseError where they are no whole tiles."""
    if tile.whole and (m % tile.m or n % tile.n or k % tile.k):
        raise CourseError(f"this kernel multiplies whole tiles only: m, n and k are {m}, {n} and {k}, and must be "
                          f"multiples of {tile.m}, {tile.n} and {tile.k}")  # fmt: skip
    rows, columns = -(-m // tile.m), -(-n // tile.n)
    return ((rows, columns) if tile.down else (columns, rows)), tile.block


def launch(rung: str | Tile, kernel: Any, a: Any, b: Any, c: Any) -> Callable[[], object]:
    """Return the call that sets `c` (m, n) to the product of `a` (m, k) and `b` (k, n); all in C order.

    `a` and `b` are float32 (float16 for tensor_cores), `c` is float32. CourseError where a tile would not be whole.
    """
    (m, k), n = a.shape, b.shape[1]
    grid, block = grid_and_block(TILES[rung] if isinstance(rung, str) else rung, m, n, k)
    return lambda: kernel(grid, block, (a, b, c, np.int32(m), np.int32(n), np.int32(k)))


# --- measured ----------------------------------------------------------------------------------------

SIDES = (1024, 2048, 4096)
_REHEARSED = (256,)       # on anything but a GPU: the smallest with whole tiles in every variant
#: Type of `a` and `b` -> largest error that is let pass, as a share of the largest result.
TOLERANCE = {"float32": 1e-5, "float16": 1e-3}


def matmul(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Multiply square matrices: 2 n³ floating-point operations, from a cold cache, as a share of the library's rate.

    The library is CuPy's matmul (cuBLAS), float32 without TF32, which the check would not let pass; tensor_cores has
    a library's product of its own, half in and out. The results of all rungs are compared with the library's float32.
    """
    for n in SIDES if machine.kind == "gpu" else _REHEARSED:
        yield _case(n, "library", "float32", partial(_library, machine.xp, n, "float32"))
        for name, rung in RUNGS.items():
            if name != "tensor_cores":
                yield _case(n, name, "float32", partial(_rung, machine.xp, n, "float32", rung, TILES[name]))
        for rung, tile in map(variant, VARIANTS):
            yield _case(n, rung.title, "float32", partial(_rung, machine.xp, n, "float32", rung, tile))
        yield _case(n, "library, half", "float16", partial(_library, machine.xp, n, "float16"))
        yield _case(n, "tensor_cores", "float16",
                    partial(_rung, machine.xp, n, "float16", RUNGS["tensor_cores"], TILES["tensor_cores"]))  # fmt: skip


def _case(n: int, kernel: str, dtype: str, prepare: Callable[[], Checked]) -> Case:
    parameters = {"kernel": kernel, "n": n, "type": dtype, "error below": TOLERANCE[dtype]}
    library = {"float32": "library", "float16": "library, half"}[dtype]
    return Case(parameters, 2.0 * n**3, "FLOP", prepare, cold=True, share_of="" if kernel == library else library)


def _operands(n: int, dtype: str) -> tuple[Any, Any]:
    """Two n x n matrices of normal random numbers, on the host."""
    rng = np.random.default_rng(7)
    a, b = rng.standard_normal((2, n, n), np.float32).astype(dtype)
    return a, b


def _rung(xp: Any, n: int, dtype: str, rung: Rung, tile: Tile) -> Checked:
    """A rung's product, held against the library's float32 product of the same numbers."""
    a, b = map(xp.asarray, _operands(n, dtype))
    due, c = xp.matmul(a.astype(np.float32), b.astype(np.float32)), xp.empty((n, n), np.float32)

    def check() -> None:
        require_close(rung.title, float(abs(c - due).max()), float(abs(due).max()), TOLERANCE[dtype])

    return Checked(launch(tile, rung.kernel(xp), a, b, c), lambda: c.fill(np.nan), check)


def _library(xp: Any, n: int, dtype: str) -> Checked:
    """The library's product; 16 of its rows are held against NumPy's float64 product on the host."""
    a, b = _operands(n, dtype)
    rows = slice(None, None, n // 16)
    due = a[rows].astype(np.float64) @ b.astype(np.float64)
    on_device, c = tuple(map(xp.asarray, (a, b))), xp.empty((n, n), dtype)

    def check() -> None:
        error = abs(xp.asnumpy(c[rows]).astype(np.float64) - due).max()
        what = "the library's product (is CUPY_TF32 or NVIDIA_TF32_OVERRIDE set?)"
        require_close(what, float(error), float(abs(due).max()), TOLERANCE[dtype])

    return Checked(lambda: xp.matmul(*on_device, out=c), lambda: c.fill(np.nan), check)
