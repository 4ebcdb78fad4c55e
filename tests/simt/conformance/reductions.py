"""Many values to one: seven sums, extrema, dot products, and the norms and softmaxes built from them."""

from __future__ import annotations

import numpy as np
import torch
from scipy import special

from tests.simt.conformance.kernel import Kernel, blank, body, padded, written

_HEAD = r"""
#define THREADS 128
extern "C" __global__ void NAME(const float* in, float* out, int n) {
    __shared__ float s[THREADS];
    int t = threadIdx.x;
"""
_LOAD = "    int i = blockIdx.x * THREADS + t;\n    s[t] = i < n ? in[i] : 0.0f;\n    __syncthreads();\n"
_LOAD_TWO = r"""    int i = blockIdx.x * THREADS * 2 + t;
    s[t] = (i < n ? in[i] : 0.0f) + (i + THREADS < n ? in[i + THREADS] : 0.0f);
    __syncthreads();
"""
_STORE = "    if (t == 0) out[blockIdx.x] = s[0];\n}\n"

SUMS = {
    "sum_interleaved_divergent": _HEAD + _LOAD + r"""
    for (int stride = 1; stride < THREADS; stride *= 2) {
        if (t % (2 * stride) == 0) s[t] += s[t + stride];
        __syncthreads();
    }
""" + _STORE,
    "sum_strided_conflicts": _HEAD + _LOAD + r"""
    for (int stride = 1; stride < THREADS; stride *= 2) {
        int at = 2 * stride * t;
        if (at < THREADS) s[at] += s[at + stride];
        __syncthreads();
    }
""" + _STORE,
    "sum_sequential": _HEAD + _LOAD + r"""
    for (int stride = THREADS / 2; stride > 0; stride /= 2) {
        if (t < stride) s[t] += s[t + stride];
        __syncthreads();
    }
""" + _STORE,
    "sum_first_add_on_load": _HEAD + _LOAD_TWO + r"""
    for (int stride = THREADS / 2; stride > 0; stride >>= 1) {
        if (t < stride) s[t] += s[t + stride];
        __syncthreads();
    }
""" + _STORE,
    "sum_unrolled_last_warp": _HEAD + _LOAD_TWO + r"""
    for (int stride = THREADS / 2; stride > 32; stride >>= 1) {
        if (t < stride) s[t] += s[t + stride];
        __syncthreads();
    }
    if (t < 32) {
        float v = s[t];
        v += s[t + 32]; __syncwarp(); s[t] = v; __syncwarp();
        v += s[t + 16]; __syncwarp(); s[t] = v; __syncwarp();
        v += s[t + 8]; __syncwarp(); s[t] = v; __syncwarp();
        v += s[t + 4]; __syncwarp(); s[t] = v; __syncwarp();
        v += s[t + 2]; __syncwarp(); s[t] = v; __syncwarp();
        v += s[t + 1]; __syncwarp(); s[t] = v;
    }
""" + _STORE,
    "sum_shuffle": r"""
#define THREADS 128
__inline__ __device__ float warp_sum(float v) {
    for (int d = 16; d > 0; d /= 2) v += __shfl_down_sync(0xffffffff, v, d);
    return v;
}
extern "C" __global__ void NAME(const float* in, float* out, int n) {
    __shared__ float s[32];
    int i = blockIdx.x * THREADS + threadIdx.x, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    float v = warp_sum(i < n ? in[i] : 0.0f);
    if (lane == 0) s[warp] = v;
    __syncthreads();
    v = threadIdx.x < THREADS / 32 ? s[lane] : 0.0f;
    if (warp == 0) v = warp_sum(v);
    if (threadIdx.x == 0) out[blockIdx.x] = v;
}
""",
}  # fmt: skip

SUM_ATOMIC = r"""
extern "C" __global__ void sum_grid_atomic(const float* in, float* total, int n) {
    float v = 0.0f;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) v += in[i];
    for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(0xffffffff, v, d);
    if (threadIdx.x % 32 == 0) atomicAdd(total, v);
}
"""

SUM_LAST_BLOCK = r"""
#define THREADS 96
__device__ int arrived = 0;
extern "C" __global__ void sum_last_block(const double* in, double* partial, double* total, int n) {
    __shared__ double s[THREADS];
    __shared__ bool last;
    int t = threadIdx.x, i = blockIdx.x * THREADS + t;
    s[t] = i < n ? in[i] : 0.0;
    __syncthreads();
    for (int size = THREADS; size > 1;) {                     // any size, not only a power of two
        int half = (size + 1) / 2;
        if (t < size / 2) s[t] += s[t + half];
        size = half;
        __syncthreads();
    }
    if (t == 0) {
        partial[blockIdx.x] = s[0];
        __threadfence();
        last = atomicAdd(&arrived, 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (last && t == 0) {
        double sum = 0.0;
        for (int b = 0; b < gridDim.x; ++b) sum += ((volatile double*)partial)[b];
        *total = sum;
        arrived = 0;
    }
}
"""

ARGMAX = r"""
extern "C" __global__ void argmax_rows(const float* in, int* where, float* most, int columns) {
    extern __shared__ float values[];
    int* places = (int*)(values + blockDim.x);
    int t = threadIdx.x;
    float best = -1e30f;
    int place = -1;
    for (int c = t; c < columns; c += blockDim.x)
        if (in[blockIdx.x * columns + c] > best) best = in[blockIdx.x * columns + c], place = c;
    values[t] = best, places[t] = place;
    __syncthreads();
    for (int d = blockDim.x / 2; d; d >>= 1) {
        if (t < d && (values[t + d] > values[t] || (values[t + d] == values[t] && places[t + d] < places[t])))
            values[t] = values[t + d], places[t] = places[t + d];
        __syncthreads();
    }
    if (t == 0) where[blockIdx.x] = places[0], most[blockIdx.x] = values[0];
}
"""

DOT = r"""
template <typename T, int THREADS>
__global__ void dot(const T* a, const T* b, T* out, int n) {
    __shared__ T s[THREADS];
    T v = 0;
    for (int i = blockIdx.x * THREADS + threadIdx.x; i < n; i += THREADS * gridDim.x) v += a[i] * b[i];
    s[threadIdx.x] = v;
    __syncthreads();
#pragma unroll
    for (int d = THREADS / 2; d > 0; d >>= 1) {
        if (threadIdx.x < d) s[threadIdx.x] += s[threadIdx.x + d];
        __syncthreads();
    }
    if (threadIdx.x == 0) atomicAdd(out, s[0]);
}
"""

MINMAX = r"""
extern "C" __global__ void min_max_shuffle(const int* in, int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int low = i < n ? in[i] : 2147483647, high = i < n ? in[i] : -2147483647 - 1;
    for (int d = 1; d < 32; d <<= 1) {
        low = min(low, __shfl_xor_sync(0xffffffff, low, d));
        high = max(high, __shfl_xor_sync(0xffffffff, high, d));
    }
    if ((threadIdx.x & 31) == 0) atomicMin(&out[0], low), atomicMax(&out[1], high);
}
"""

KAHAN = r"""
extern "C" __global__ void sum_compensated(const float* in, float* out, int rows, int columns) {
    int r = blockIdx.x * blockDim.x + threadIdx.x;
    if (r >= rows) return;
    float sum = 0.0f, lost = 0.0f;
    for (int c = 0; c < columns; ++c) {
        float y = in[c * rows + r] - lost;
        float t = sum + y;
        lost = (t - sum) - y;
        sum = t;
    }
    out[r] = sum;
}
"""

SOFTMAX_SHARED = r"""
extern "C" __global__ void softmax_shared(const float* in, float* out, int columns) {
    extern __shared__ float s[];
    const float* row = in + blockIdx.x * columns;
    int t = threadIdx.x, threads = blockDim.x;
    float top = -1e30f;
    for (int c = t; c < columns; c += threads) top = fmaxf(top, row[c]);
    s[t] = top;
    __syncthreads();
    for (int d = threads / 2; d; d /= 2) {
        if (t < d) s[t] = fmaxf(s[t], s[t + d]);
        __syncthreads();
    }
    top = s[0];
    __syncthreads();
    float sum = 0.0f;
    for (int c = t; c < columns; c += threads) sum += expf(row[c] - top);
    s[t] = sum;
    __syncthreads();
    for (int d = threads / 2; d; d /= 2) {
        if (t < d) s[t] += s[t + d];
        __syncthreads();
    }
    for (int c = t; c < columns; c += threads) out[blockIdx.x * columns + c] = expf(row[c] - top) / s[0];
}
"""

SOFTMAX_SHUFFLE = r"""
extern "C" __global__ void softmax_shuffle(const float* in, float* out, int rows, int columns) {
    int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32, lane = threadIdx.x % 32;
    if (row >= rows) return;                                   // whole warps leave together
    float v = lane < columns ? in[row * columns + lane] : -1e30f, top = v;
    for (int d = 16; d; d /= 2) top = fmaxf(top, __shfl_xor_sync(0xffffffff, top, d));
    float e = lane < columns ? __expf(v - top) : 0.0f, sum = e;
    for (int d = 16; d; d /= 2) sum += __shfl_xor_sync(0xffffffff, sum, d);
    if (lane < columns) out[row * columns + lane] = e / sum;
}
"""

SOFTMAX_ONLINE = r"""
struct Running { float top, sum; };
__device__ Running merge(Running a, Running b) {
    float top = fmaxf(a.top, b.top);
    return {top, a.sum * expf(a.top - top) + b.sum * expf(b.top - top)};
}
extern "C" __global__ void softmax_online(const float* in, float* out, int columns) {
    __shared__ Running s[64];
    int t = threadIdx.x;
    Running mine = {-1e30f, 0.0f};
    for (int c = t; c < columns; c += 64) mine = merge(mine, {in[blockIdx.x * columns + c], 1.0f});
    s[t] = mine;
    __syncthreads();
    for (int d = 32; d; d /= 2) {
        if (t < d) s[t] = merge(s[t], s[t + d]);
        __syncthreads();
    }
    for (int c = t; c < columns; c += 64) {
        int at = blockIdx.x * columns + c;
        out[at] = expf(in[at] - s[0].top) / s[0].sum;
    }
}
"""

LAYER_NORM = r"""
__device__ float block_sum(float v, float* s) {
    int t = threadIdx.x;
    for (int d = 16; d; d /= 2) v += __shfl_xor_sync(0xffffffff, v, d);
    __syncthreads();                                           // s may still be read from the last call
    if (t % 32 == 0) s[t / 32] = v;
    __syncthreads();
    v = 0.0f;
    for (int w = 0; w < blockDim.x / 32; ++w) v += s[w];
    return v;
}
extern "C" __global__ void layer_norm(const float* x, const float* gain, const float* bias, float* out,
                                      int columns) {
    __shared__ float s[32];
    const float* row = x + blockIdx.x * columns;
    float sum = 0.0f, squares = 0.0f;
    for (int c = threadIdx.x; c < columns; c += blockDim.x) sum += row[c];
    float mean = block_sum(sum, s) / columns;
    for (int c = threadIdx.x; c < columns; c += blockDim.x) squares += (row[c] - mean) * (row[c] - mean);
    float scale = rsqrtf(block_sum(squares, s) / columns + 1e-5f);
    for (int c = threadIdx.x; c < columns; c += blockDim.x)
        out[blockIdx.x * columns + c] = (row[c] - mean) * scale * gain[c] + bias[c];
}
"""

WELFORD = r"""
extern "C" __global__ void variance_welford(const float* x, float* mean_out, float* variance_out,
                                            int columns) {
    const float* row = x + blockIdx.x * columns;
    float count = 0.0f, mean = 0.0f, m2 = 0.0f;
    for (int c = threadIdx.x; c < columns; c += 32) {
        count += 1.0f;
        float delta = row[c] - mean;
        mean += delta / count;
        m2 += delta * (row[c] - mean);
    }
    for (int d = 16; d; d >>= 1) {                             // Chan's merge
        float n = __shfl_down_sync(0xffffffff, count, d), m = __shfl_down_sync(0xffffffff, mean, d);
        float q = __shfl_down_sync(0xffffffff, m2, d), delta = m - mean, total = count + n;
        if (n > 0.0f) {
            mean += delta * n / total;
            m2 += q + delta * delta * count * n / total;
            count = total;
        }
    }
    if (threadIdx.x == 0) mean_out[blockIdx.x] = mean, variance_out[blockIdx.x] = m2 / count;
}
"""

CROSS_ENTROPY = r"""
extern "C" __global__ void cross_entropy_backward(const float* logits, const int* label, float* loss, float*
    gradient,
                                                  int rows, int classes) {
    int r = blockIdx.x * blockDim.x + threadIdx.x;
    if (r >= rows) return;
    const float* z = logits + r * classes;
    float top = z[0];
    for (int c = 1; c < classes; ++c) top = fmaxf(top, z[c]);
    float sum = 0.0f;
    for (int c = 0; c < classes; ++c) sum += expf(z[c] - top);
    atomicAdd(loss, (logf(sum) + top - z[label[r]]) / rows);
    for (int c = 0; c < classes; ++c) gradient[r * classes + c] = (expf(z[c] - top) / sum - (c == label[r]))
        / rows;
}
"""


def _block_sums(arguments, span, blocks):
    x = np.zeros(span * blocks)
    x[: int(arguments[2])] = body(arguments[0], int(arguments[2]))
    return {1: written(arguments[1], x.reshape(blocks, span).sum(1))}


def _sum(name):
    span = 256 if _LOAD_TWO in SUMS[name] else 128
    n = 3 * span + 17
    return Kernel(
        name=name, source=SUMS[name], options=(f"-DNAME={name}",), grid=(4,), block=(128,),
        arguments=lambda rng: [padded(rng.normal(size=n)), blank(4), np.int32(n)],
        expected=lambda a: _block_sums(a, span, 4), rtol=1e-5, atol=1e-5, reason=_SUMS,
        tags=frozenset({"reduction", "shared"}))  # fmt: skip


def _rows_in(rows, columns, extra=()):
    return lambda rng: [padded(rng.normal(size=rows * columns) * 3), blank(rows * columns), *extra]


def _softmax(rows, columns):
    return lambda a: {1: written(a[1], special.softmax(body(a[0], rows, columns), axis=1))}


def _argmax(arguments):
    x = body(arguments[0], 5, 201)
    return {1: written(arguments[1], x.argmax(1)), 2: written(arguments[2], x.max(1))}


def _layer_norm(arguments):
    x, gain, bias = (torch.tensor(body(a, *s)) for a, s in zip(arguments, ((4, 150), (150,), (150,)),
        strict=False))
    return {3: written(arguments[3], torch.nn.functional.layer_norm(x, (150,), gain, bias).numpy())}


def _cross_entropy(arguments):
    logits = torch.tensor(body(arguments[0], 100, 7), requires_grad=True)
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(arguments[1][:100]).long())
    loss.backward()
    assert logits.grad is not None
    return {2: written(arguments[2], loss.item()), 3: written(arguments[3], logits.grad.numpy())}


def _dot(name, entry, dtype, close):
    return Kernel(
        name=name, source=DOT, entry=entry, name_expressions=(entry,), grid=(3,), block=(64,),
        arguments=lambda rng: [padded(rng.normal(size=901), dtype), padded(rng.normal(size=901), dtype),
                               written(blank(1, dtype), 0), np.int32(901)],
        expected=lambda a: {2: written(a[2], body(a[0], 901) @ body(a[1], 901))}, rtol=close, atol=close * 10,
        reason="atomic sums in any order", tags=frozenset({"reduction", "template", "atomics"}))  # fmt: skip


_SUMS = "float sums in another order than the oracle's float64"

KERNELS = (
    *(_sum(name) for name in SUMS),
    Kernel(
        name="sum_grid_atomic", source=SUM_ATOMIC, grid=(3,), block=(128,),
        arguments=lambda rng: [padded(rng.normal(size=2001)), written(blank(1), 0), np.int32(2001)],
        expected=lambda a: {1: written(a[1], body(a[0], 2001).sum())}, rtol=1e-4, atol=1e-4,
        reason="atomic float sums in any order", tags=frozenset({"reduction", "atomics"}),
    ),
    Kernel(
        name="sum_last_block", source=SUM_LAST_BLOCK, grid=(5,), block=(96,),
        arguments=lambda rng: [padded(rng.normal(size=450), np.float64), blank(5, np.float64), blank(1,
            np.float64),
                               np.int32(450)],
        expected=lambda a: {1: written(a[1], np.pad(a[0][:450], (0, 30)).reshape(5, 96).sum(1)),
                            2: written(a[2], a[0][:450].sum())},
        rtol=1e-12, atol=1e-12, reason="sums in another order", tags=frozenset({"reduction", "fence",
            "float64"}),
    ),
    Kernel(
        name="argmax_rows", source=ARGMAX, grid=(5,), block=(64,), shared_bytes=512,
        arguments=lambda rng: [padded(rng.integers(0, 40, 5 * 201)), blank(5, np.int32), blank(5),
            np.int32(201)],
        expected=_argmax, tags=frozenset({"reduction", "dynamic shared"}),
    ),
    _dot("dot_template_f32", "dot<float, 64>", np.float32, 1e-5),
    _dot("dot_template_f64", "dot<double, 64>", np.float64, 1e-13),
    Kernel(
        name="min_max_shuffle", source=MINMAX, grid=(3,), block=(96,),
        arguments=lambda rng: [padded(rng.integers(-10**9, 10**9, 270), np.int32),
                               np.array([2**31 - 1, -(2**31), 5, 5], np.int32), np.int32(270)],
        expected=lambda a: {1: written(a[1], [a[0][:270].min(), a[0][:270].max()])},
        tags=frozenset({"reduction", "atomics", "shuffle"}),
    ),
    Kernel(
        name="sum_compensated", source=KAHAN, grid=(3,), block=(32,),
        arguments=lambda rng: [padded(rng.normal(size=90 * 200) * 10.0 ** rng.integers(-4, 5, 90 * 200)),
            blank(90),
                               np.int32(90), np.int32(200)],
        expected=lambda a: {1: written(a[1], body(a[0], 200, 90).sum(0))}, rtol=2e-7, atol=1e-2,
        reason="compensated: the error is one rounding of terms near 1e5, not two hundred",
    ),
    Kernel(
        name="softmax_shared", source=SOFTMAX_SHARED, grid=(4,), block=(64,), shared_bytes=256,
        arguments=_rows_in(4, 101, (np.int32(101),)), expected=_softmax(4, 101), rtol=2e-5, atol=1e-7,
        reason=_SUMS,
        tags=frozenset({"softmax", "dynamic shared"}),
    ),
    Kernel(
        name="softmax_shuffle", source=SOFTMAX_SHUFFLE, grid=(3,), block=(96,),
        arguments=_rows_in(8, 27, (np.int32(8), np.int32(27))), expected=_softmax(8, 27), rtol=2e-5,
        atol=1e-7,
        reason="__expf and sums in another order", tags=frozenset({"softmax", "shuffle"}),
    ),
    Kernel(
        name="softmax_online", source=SOFTMAX_ONLINE, grid=(4,), block=(64,),
        arguments=_rows_in(4, 139, (np.int32(139),)), expected=_softmax(4, 139), rtol=2e-5, atol=1e-7,
        reason=_SUMS,
        tags=frozenset({"softmax", "shared", "struct"}),
    ),
    Kernel(
        name="layer_norm", source=LAYER_NORM, grid=(4,), block=(64,),
        arguments=lambda rng: [padded(rng.normal(size=600) * 2 + 5), padded(rng.normal(size=150)),
                               padded(rng.normal(size=150)), blank(600), np.int32(150)],
        expected=_layer_norm, rtol=1e-4, atol=1e-5, reason=_SUMS,
    ),
    Kernel(
        name="variance_welford", source=WELFORD, grid=(5,), block=(32,),
        arguments=lambda rng: [padded(rng.normal(size=5 * 77) + 100), blank(5), blank(5), np.int32(77)],
        expected=lambda a: {1: written(a[1], body(a[0], 5, 77).mean(1)), 2: written(a[2], body(a[0], 5,
            77).var(1))},
        rtol=1e-4, reason="float32 differences from a mean near 100",
    ),
    Kernel(
        name="cross_entropy_backward", source=CROSS_ENTROPY, grid=(4,), block=(32,),
        arguments=lambda rng: [padded(rng.normal(size=700) * 3), padded(rng.integers(0, 7, 100), np.int32),
                               written(blank(1), 0), blank(700), np.int32(100), np.int32(7)],
        expected=_cross_entropy, rtol=2e-5, atol=1e-6, reason=_SUMS, tags=frozenset({"atomics"}),
    ),
)  # fmt: skip
