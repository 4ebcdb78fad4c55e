"""Twelve matrix products from naive to warp tiles and WMMA, and products with vectors and sparse matrices."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from tests.simt.conformance.kernel import Kernel, blank, body, padded, written

NAIVE = r"""
extern "C" __global__ void matmul_naive(const float* A, const float* B, float* C, int M, int N, int K) {
    // neighbours in a warp take neighbouring rows: uncoalesced
    int row = blockIdx.x * blockDim.x + threadIdx.x;
    int column = blockIdx.y * blockDim.y + threadIdx.y;
    if (row >= M || column >= N) return;
    float sum = 0.0f;
    for (int k = 0; k < K; ++k) sum += A[row * K + k] * B[k * N + column];
    C[row * N + column] = sum;
}
"""

COALESCED = r"""
extern "C" __global__ void matmul_coalesced(float alpha, const float* A, const float* B, float beta, float* C,
                                            int M, int N, int K) {
    int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row >= M || column >= N) return;
    float sum = 0.0f;
    for (int k = 0; k < K; ++k) sum += A[row * K + k] * B[k * N + column];
    C[row * N + column] = alpha * sum + beta * C[row * N + column];
}
"""

TILED = r"""
template <typename T, int TILE>
__global__ void matmul_tiled(const T* A, const T* B, T* C, int M, int N, int K) {
    __shared__ T a[TILE][TILE], b[TILE][TILE];
    int tx = threadIdx.x, ty = threadIdx.y, column = blockIdx.x * TILE + tx, row = blockIdx.y * TILE + ty;
    T sum = 0;
    for (int k = 0; k < K; k += TILE) {
        a[ty][tx] = row < M && k + tx < K ? A[row * K + k + tx] : T(0);
        b[ty][tx] = k + ty < K && column < N ? B[(k + ty) * N + column] : T(0);
        __syncthreads();
        for (int i = 0; i < TILE; ++i) sum += a[ty][i] * b[i][tx];
        __syncthreads();
    }
    if (row < M && column < N) C[row * N + column] = sum;
}
"""

PADDED = r"""
#define TILE 16
extern "C" __global__ void matmul_transposed_padded(const float* A, const float* Bt, float* C, int M, int N,
                                                    int K) {
    // the pad keeps columns of Bt in different banks
    __shared__ float a[TILE][TILE + 1], b[TILE][TILE + 1];
    int tx = threadIdx.x, ty = threadIdx.y, row = blockIdx.y * TILE + ty, column = blockIdx.x * TILE + tx;
    float sum = 0.0f;
    for (int k = 0; k < K; k += TILE) {
        int other = blockIdx.x * TILE + ty;
        a[ty][tx] = row < M && k + tx < K ? A[row * K + k + tx] : 0.0f;
        b[ty][tx] = other < N && k + tx < K ? Bt[other * K + k + tx] : 0.0f;
        __syncthreads();
#pragma unroll
        for (int i = 0; i < TILE; ++i) sum += a[ty][i] * b[tx][i];
        __syncthreads();
    }
    if (row < M && column < N) C[row * N + column] = sum;
}
"""

TILE_1D = r"""
#define BM 32
#define BN 32
#define BK 8
#define TM 4
extern "C" __global__ void matmul_register_1d(const float* A, const float* B, float* C, int M, int N, int K) {
    __shared__ float a[BM][BK], b[BK][BN];
    int t = threadIdx.x, column = t % BN, group = t / BN;      // 256 threads, TM rows each
    int row0 = blockIdx.y * BM, column0 = blockIdx.x * BN;
    float sums[TM] = {0.0f};
    for (int k = 0; k < K; k += BK) {
        int ar = t / BK, ac = t % BK, br = t / BN, bc = t % BN;
        a[ar][ac] = row0 + ar < M && k + ac < K ? A[(row0 + ar) * K + k + ac] : 0.0f;
        b[br][bc] = k + br < K && column0 + bc < N ? B[(k + br) * N + column0 + bc] : 0.0f;
        __syncthreads();
        for (int i = 0; i < BK; ++i) {
            float v = b[i][column];
            for (int m = 0; m < TM; ++m) sums[m] += a[group * TM + m][i] * v;
        }
        __syncthreads();
    }
    for (int m = 0; m < TM; ++m) {
        int row = row0 + group * TM + m;
        if (row < M && column0 + column < N) C[row * N + column0 + column] = sums[m];
    }
}
"""

TILE_2D = r"""
template <int BM, int BN, int BK, int TM, int TN>
__global__ void __launch_bounds__((BM * BN) / (TM * TN)) matmul_register_2d(const float* A, const float* B,
    float* C,
                                                                          int M, int N, int K) {
    constexpr int THREADS = (BM * BN) / (TM * TN);
    __shared__ float a[BK][BM], b[BK][BN];                     // a is stored transposed
    int t = threadIdx.x, tx = t % (BN / TN), ty = t / (BN / TN);
    int row0 = blockIdx.y * BM, column0 = blockIdx.x * BN;
    float sums[TM][TN] = {}, left[TM], right[TN];
    for (int k = 0; k < K; k += BK) {
        for (int i = t; i < BM * BK; i += THREADS) {
            int r = i / BK, c = i % BK;
            a[c][r] = row0 + r < M && k + c < K ? A[(row0 + r) * K + k + c] : 0.0f;
        }
        for (int i = t; i < BK * BN; i += THREADS) {
            int r = i / BN, c = i % BN;
            b[r][c] = k + r < K && column0 + c < N ? B[(k + r) * N + column0 + c] : 0.0f;
        }
        __syncthreads();
        for (int i = 0; i < BK; ++i) {
            for (int m = 0; m < TM; ++m) left[m] = a[i][ty * TM + m];
            for (int n = 0; n < TN; ++n) right[n] = b[i][tx * TN + n];
            for (int m = 0; m < TM; ++m)
                for (int n = 0; n < TN; ++n) sums[m][n] += left[m] * right[n];
        }
        __syncthreads();
    }
    for (int m = 0; m < TM; ++m)
        for (int n = 0; n < TN; ++n) {
            int r = row0 + ty * TM + m, c = column0 + tx * TN + n;
            if (r < M && c < N) C[r * N + c] = sums[m][n];
        }
}
"""

FLOAT4 = r"""
#define B 32
#define BK 16
extern "C" __global__ void matmul_float4(const float* A, const float* Bm, float* C, int M, int N, int K) {
    __shared__ __align__(16) float a[BK][B], b[BK][B];         // M, N, K are multiples of the tile
    int t = threadIdx.x, tx = t % 8, ty = t / 8;               // 64 threads, 4 x 4 results each
    float4 sums[4] = {};
    for (int k = 0; k < K; k += BK) {
        for (int i = t; i < B * BK / 4; i += 64) {
            int r = i / (BK / 4), c = i % (BK / 4) * 4;
            float4 v = *reinterpret_cast<const float4*>(&A[(blockIdx.y * B + r) * K + k + c]);
            a[c][r] = v.x, a[c + 1][r] = v.y, a[c + 2][r] = v.z, a[c + 3][r] = v.w;
            r = i / (B / 4), c = i % (B / 4) * 4;
            *reinterpret_cast<float4*>(&b[r][c]) = *reinterpret_cast<const float4*>(&Bm[(k + r) * N +
                blockIdx.x * B + c]);
        }
        __syncthreads();
        for (int i = 0; i < BK; ++i) {
            float4 right = *reinterpret_cast<float4*>(&b[i][tx * 4]);
            float4 left = *reinterpret_cast<float4*>(&a[i][ty * 4]);
            float l[4] = {left.x, left.y, left.z, left.w};
#pragma unroll
            for (int m = 0; m < 4; ++m) {
                sums[m].x += l[m] * right.x, sums[m].y += l[m] * right.y;
                sums[m].z += l[m] * right.z, sums[m].w += l[m] * right.w;
            }
        }
        __syncthreads();
    }
    for (int m = 0; m < 4; ++m)
        *reinterpret_cast<float4*>(&C[(blockIdx.y * B + ty * 4 + m) * N + blockIdx.x * B + tx * 4]) = sums[m];
}
"""

DOUBLE_BUFFER = r"""
#define TILE 16
extern "C" __global__ void matmul_double_buffer(const float* A, const float* B, float* C, int M, int N,
                                                int K) {
    __shared__ float a[2][TILE][TILE], b[2][TILE][TILE];
    int tx = threadIdx.x, ty = threadIdx.y, column = blockIdx.x * TILE + tx, row = blockIdx.y * TILE + ty;
    auto fetch_a = [&](int k) { return row < M && k + tx < K ? A[row * K + k + tx] : 0.0f; };
    auto fetch_b = [&](int k) { return k + ty < K && column < N ? B[(k + ty) * N + column] : 0.0f; };
    a[0][ty][tx] = fetch_a(0), b[0][ty][tx] = fetch_b(0);
    __syncthreads();
    float sum = 0.0f;
    int now = 0;
    for (int k = 0; k < K; k += TILE, now ^= 1) {
        float next_a = fetch_a(k + TILE), next_b = fetch_b(k + TILE);   // loads overlap the products below
        for (int i = 0; i < TILE; ++i) sum += a[now][ty][i] * b[now][i][tx];
        a[now ^ 1][ty][tx] = next_a, b[now ^ 1][ty][tx] = next_b;
        // one barrier a tile is enough with two buffers
        __syncthreads();
    }
    if (row < M && column < N) C[row * N + column] = sum;
}
"""

WARP_TILE = r"""
template <int BM, int BN, int BK, int WM, int WN, int TM, int TN>
__global__ void matmul_warp_tiles(const float* A, const float* B, float* C, int M, int N, int K) {
    constexpr int WARPS = (BM / WM) * (BN / WN), LANES_X = WN / TN;
    static_assert((WM / TM) * LANES_X == 32, "a warp tile has 32 lanes");
    __shared__ float a[BK * BM], b[BK * BN];
    int t = threadIdx.x, warp = t / 32, lane = t % 32;
    int wr = warp / (BN / WN) * WM, wc = warp % (BN / WN) * WN;         // this warp's tile in the block's
    int lr = wr + lane / LANES_X * TM, lc = wc + lane % LANES_X * TN;   // this lane's tile in the block's
    float sums[TM * TN] = {0.0f};
    A += blockIdx.y * BM * K, B += blockIdx.x * BN, C += (size_t)blockIdx.y * BM * N + blockIdx.x * BN;
    int rows = min(BM, M - (int)blockIdx.y * BM), columns = min(BN, N - (int)blockIdx.x * BN);
    for (int k = 0; k < K; k += BK) {
        for (int i = t; i < BM * BK; i += WARPS * 32) {
            int r = i / BK, c = i % BK;
            a[c * BM + r] = r < rows && k + c < K ? A[r * K + k + c] : 0.0f;
        }
        for (int i = t; i < BK * BN; i += WARPS * 32) {
            int r = i / BN, c = i % BN;
            b[i] = k + r < K && c < columns ? B[(k + r) * N + c] : 0.0f;
        }
        __syncthreads();
#pragma unroll
        for (int i = 0; i < BK; ++i)
#pragma unroll
            for (int m = 0; m < TM; ++m)
#pragma unroll
                for (int n = 0; n < TN; ++n) sums[m * TN + n] += a[i * BM + lr + m] * b[i * BN + lc + n];
        __syncthreads();
    }
    for (int m = 0; m < TM; ++m)
        for (int n = 0; n < TN; ++n)
            if (lr + m < rows && lc + n < columns) C[(lr + m) * N + lc + n] = sums[m * TN + n];
}
"""

SPLIT_K = r"""
extern "C" __global__ void matmul_split_k(const float* A, const float* B, float* C, int M, int N, int K,
                                          int part) {
    int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    int from = blockIdx.z * part, to = min(from + part, K);
    if (row >= M || column >= N || from >= to) return;
    float sum = 0.0f;
    for (int k = from; k < to; ++k) sum = fmaf(A[row * K + k], __ldg(B + k * N + column), sum);
    atomicAdd(&C[row * N + column], sum);
}
"""

WMMA = r"""
#include <mma.h>
#include <cuda_fp16.h>
using namespace nvcuda;
extern "C" __global__ void matmul_wmma_f32(const half* A, const half* B, float* C, int M, int N, int K) {
    int tile = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;       // one warp, one 16 x 16 tile
    int row = tile / (N / 16) * 16, column = tile % (N / 16) * 16;
    if (row >= M) return;
    wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> a;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::row_major> b;
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> c;
    wmma::fill_fragment(c, 0.0f);
    for (int k = 0; k < K; k += 16) {
        wmma::load_matrix_sync(a, A + row * K + k, K);
        wmma::load_matrix_sync(b, B + k * N + column, N);
        wmma::mma_sync(c, a, b, c);
    }
    for (int i = 0; i < c.num_elements; ++i) c.x[i] *= 2.0f;
    wmma::store_matrix_sync(C + row * N + column, c, N, wmma::mem_row_major);
}
"""

WMMA_F16 = r"""
#include <mma.h>
#include <cuda_fp16.h>
using namespace nvcuda;
extern "C" __global__ void matmul_wmma_f16(const half* A, const half* Bt, half* Ct, int M, int N, int K) {
    __shared__ half stage[16 * 16];                            // B and C are stored by columns
    int row = blockIdx.y * 16, column = blockIdx.x * 16;
    wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> a;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::col_major> b;
    wmma::fragment<wmma::accumulator, 16, 16, 16, half> c;
    wmma::fill_fragment(c, __float2half(1.0f));
    for (int k = 0; k < K; k += 16) {
        for (int i = threadIdx.x; i < 256; i += 32) stage[i] = A[(row + i / 16) * K + k + i % 16];
        __syncwarp();
        wmma::load_matrix_sync(a, stage, 16);
        wmma::load_matrix_sync(b, Bt + column * K + k, K);
        wmma::mma_sync(c, a, b, c);
        __syncwarp();
    }
    wmma::store_matrix_sync(Ct + column * M + row, c, M, wmma::mem_col_major);
}
"""

BATCHED = r"""
extern "C" __global__ void matmul_batched(const double* A, const double* B, double* C, int n) {
    int column = threadIdx.x, row = threadIdx.y, batch = blockIdx.x;
    if (row >= n || column >= n) return;
    const double *a = A + batch * n * n, *b = B + batch * n * n;
    double sum = 0.0;
    for (int k = 0; k < n; ++k) sum += a[row * n + k] * b[k * n + column];
    C[(batch * n + row) * n + column] = sum;
}
"""

GEMV = r"""
extern "C" __global__ void gemv_warp_per_row(const float* A, const float* x, float* y, int rows,
                                             int columns) {
    int row = blockIdx.x * blockDim.y + threadIdx.y;
    float sum = 0.0f;
    if (row < rows)
        for (int c = threadIdx.x; c < columns; c += 32) sum += A[row * columns + c] * x[c];
    for (int d = 16; d > 0; d >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, d, 32);
    if (row < rows && threadIdx.x == 0) y[row] = sum;
}
"""

SPMV = r"""
extern "C" __global__ void spmv_csr(const int* start, const int* column, const float* value, const float* x,
    float* y,
                                    int rows) {
    int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= rows) return;
    float sum = 0.0f;
    for (int k = start[row]; k < start[row + 1]; ++k) sum += value[k] * x[column[k]];
    y[row] = sum;
}
"""

_SUMS = "float products summed in another order than the oracle's float64"
_SHAPE = (45, 37, 51)  # M, N, K


def _product(name, source, grid, block, shape=_SHAPE, dtype=np.float32, close=1e-5, **rest):
    m, n, k = shape
    return Kernel(
        name=name, source=source, grid=grid, block=block,
        arguments=lambda rng: [padded(rng.normal(size=m * k), dtype, 8), padded(rng.normal(size=k * n),
            dtype, 8),
                               blank(m * n, dtype, 8), np.int32(m), np.int32(n), np.int32(k)],
        expected=lambda a: {2: written(a[2], body(a[0], m, k) @ body(a[1], k, n))},
        rtol=close, atol=10 * close, reason=_SUMS, tags=frozenset({"matmul"}), **rest)  # fmt: skip


def _template(name, source, entry, *rest, **more):
    return _product(name, source, *rest, entry=entry, name_expressions=(entry,), **more)


def _alpha_beta(arguments):
    m, n, k = _SHAPE
    return {4: written(arguments[4], 1.5 * body(arguments[1], m, k) @ body(arguments[2], k, n)
                       - 0.5 * body(arguments[4], m, n))}  # fmt: skip


def _halves(rng, m, n, k, out):
    return [padded(rng.normal(size=m * k), np.float16, 8), padded(rng.normal(size=k * n), np.float16, 8),
            blank(m * n, out, 8), np.int32(m), np.int32(n), np.int32(k)]  # fmt: skip


def _spmv_arguments(rng):
    matrix = sparse.random_array((150, 80), density=0.06, rng=rng, format="csr")
    return [matrix.indptr.astype(np.int32), padded(matrix.indices, np.int32), padded(matrix.data),
            padded(rng.normal(size=80)), blank(150), np.int32(150)]  # fmt: skip


def _spmv(arguments):
    start, column, value, x = arguments[:4]
    count = start[-1]
    matrix = sparse.csr_array((value[:count].astype(np.float64), column[:count], start), (150, 80)).toarray()
    return {4: written(arguments[4], matrix @ body(x, 80))}


KERNELS = (
    _product("matmul_naive", NAIVE, (3, 3), (16, 16)),
    Kernel(
        name="matmul_coalesced", source=COALESCED, grid=(2, 6), block=(32, 8),
        arguments=lambda rng: [np.float32(1.5), padded(rng.normal(size=45 * 51)),
            padded(rng.normal(size=51 * 37)),
                               np.float32(-0.5), padded(rng.normal(size=45 * 37)), *map(np.int32, _SHAPE)],
        expected=_alpha_beta, rtol=1e-5, atol=1e-4, reason=_SUMS, tags=frozenset({"matmul"}),
    ),
    _template("matmul_tiled_16", TILED, "matmul_tiled<float, 16>", (3, 3), (16, 16)),
    _template("matmul_tiled_8_f64", TILED, "matmul_tiled<double, 8>", (5, 6), (8, 8), dtype=np.float64,
        close=1e-13),
    Kernel(
        name="matmul_transposed_padded", source=PADDED, grid=(3, 3), block=(16, 16),
        arguments=lambda rng: [padded(rng.normal(size=45 * 51)), padded(rng.normal(size=37 * 51)),
            blank(45 * 37),
                               *map(np.int32, _SHAPE)],
        expected=lambda a: {2: written(a[2], body(a[0], 45, 51) @ body(a[1], 37, 51).T)},
        rtol=1e-5, atol=1e-4, reason=_SUMS, tags=frozenset({"matmul", "bank conflicts"}),
    ),
    _product("matmul_register_1d", TILE_1D, (2, 2), (256,)),
    _template("matmul_register_2d", TILE_2D, "matmul_register_2d<32, 32, 8, 4, 4>", (2, 2), (64,)),
    _product("matmul_float4", FLOAT4, (2, 2), (64,), shape=(64, 64, 48)),
    _product("matmul_double_buffer", DOUBLE_BUFFER, (3, 3), (16, 16)),
    _template("matmul_warp_tiles", WARP_TILE, "matmul_warp_tiles<32, 64, 8, 16, 32, 4, 4>", (3, 2), (128,),
              shape=(45, 130, 21)),
    Kernel(
        name="matmul_split_k", source=SPLIT_K, grid=(3, 6, 3), block=(16, 8),
        arguments=lambda rng: [padded(rng.normal(size=45 * 51)), padded(rng.normal(size=51 * 37)),
                               written(blank(45 * 37), np.zeros(45 * 37)), *map(np.int32, _SHAPE),
                               np.int32(20)],
        expected=lambda a: {2: written(a[2], body(a[0], 45, 51) @ body(a[1], 51, 37))},
        rtol=1e-5, atol=1e-4, reason=_SUMS, tags=frozenset({"matmul", "atomics"}),
    ),
    Kernel(
        name="matmul_wmma_f32", source=WMMA, grid=(3,), block=(64,),
        arguments=lambda rng: _halves(rng, 48, 32, 32, np.float32),
        expected=lambda a: {2: written(a[2], 2 * body(a[0], 48, 32) @ body(a[1], 32, 32))},
        rtol=1e-3, atol=1e-3, reason="tensor cores sum f16 products in f32, in an order of their own",
        tags=frozenset({"matmul", "wmma", "half"}),
    ),
    Kernel(
        name="matmul_wmma_f16", source=WMMA_F16, grid=(2, 3), block=(32,),
        arguments=lambda rng: _halves(rng, 48, 32, 32, np.float16),
        expected=lambda a: {2: written(a[2], (1 + body(a[0], 48, 32) @ body(a[1], 32, 32).T).T)},
        rtol=2e-2, atol=5e-2, reason="accumulators of 11 bits", tags=frozenset({"matmul", "wmma", "half"}),
    ),
    Kernel(
        name="matmul_batched", source=BATCHED, grid=(5,), block=(8, 8),
        arguments=lambda rng: [padded(rng.normal(size=245), np.float64), padded(rng.normal(size=245),
            np.float64),
                               blank(245, np.float64), np.int32(7)],
        expected=lambda a: {2: written(a[2], body(a[0], 5, 7, 7) @ body(a[1], 5, 7, 7))},
        rtol=1e-13, atol=1e-13, reason=_SUMS, tags=frozenset({"matmul", "float64"}),
    ),
    Kernel(
        name="gemv_warp_per_row", source=GEMV, grid=(6,), block=(32, 4),
        arguments=lambda rng: [padded(rng.normal(size=21 * 75)), padded(rng.normal(size=75)), blank(21),
            np.int32(21),
                               np.int32(75)],
        expected=lambda a: {2: written(a[2], body(a[0], 21, 75) @ body(a[1], 75))},
        rtol=1e-5, atol=1e-5, reason=_SUMS, tags=frozenset({"shuffle"}),
    ),
    Kernel(
        name="spmv_csr", source=SPMV, grid=(3,), block=(64,), arguments=_spmv_arguments, expected=_spmv,
        rtol=1e-5, atol=1e-6, reason=_SUMS,
    ),
)  # fmt: skip
