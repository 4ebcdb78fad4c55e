"""One thread, one element: indexing, vector types, functions, branches and loops."""

from __future__ import annotations

import numpy as np
from scipy import special

from tests.simt.conformance.kernel import Kernel, blank, body, padded, written

VECTOR_ADD = r"""
extern "C" __global__ void vector_add(const float* a, const float* b, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = a[i] + b[i];
}
"""

GRID_STRIDE = r"""
extern "C" __global__ void saxpy_grid_stride(float a, const float* x, float* y, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        y[i] = a * x[i] + y[i];
}
"""

INDEX_2D = r"""
extern "C" __global__ void index_2d_pitched(const float* in, float* out, int rows, int columns, int pitch) {
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row >= rows || column >= columns) return;
    out[row * columns + column] = in[row * pitch + column] * (row + 1) - column;
}
"""

INDEX_3D = r"""
extern "C" __global__ void index_3d(const int* in, int* out, int depth, int rows, int columns) {
    int x = blockIdx.x * blockDim.x + threadIdx.x;
    int y = blockIdx.y * blockDim.y + threadIdx.y;
    int z = blockIdx.z * blockDim.z + threadIdx.z;
    if (x < columns && y < rows && z < depth)
        out[(x * rows + y) * depth + z] = in[(z * rows + y) * columns + x];   // axes reversed
}
"""

WHO_AM_I = r"""
extern "C" __global__ void who_am_i(int* out) {
    int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    int threads = blockDim.x * blockDim.y * blockDim.z;
    out[block * threads + thread] = 1000000 * block + 1000 * (thread / warpSize) + thread % warpSize;
}
"""

POLYNOMIAL_INT = r"""
extern "C" __global__ void polynomial_int(const int* x, int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned v = x[i];
    out[i] = (int)(((v * 2654435761u + 97u) * v - 5u) * v ^ 0x5bd1e995u);   // wraps modulo 2^32
}
"""

LEAKY_RELU = r"""
extern "C" __global__ void leaky_relu_clamped(const float* x, float* out, float slope, float top, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        float v = x[i];
        if (v < 0.0f) v *= slope;
        else if (v > top) v = top;
        out[i] = v;
    }
}
"""

FUNCTIONS_F32 = r"""
extern "C" __global__ void functions_f32(const float* x, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float v = x[i];
    float* row = out + i;
    row[0 * n] = sinf(v);
    row[1 * n] = cosf(v);
    row[2 * n] = expf(v);
    row[3 * n] = logf(v);
    row[4 * n] = sqrtf(v);
    row[5 * n] = rsqrtf(v);
    row[6 * n] = tanhf(v);
    row[7 * n] = powf(v, 1.7f);
    row[8 * n] = atan2f(v, 2.0f);
    row[9 * n] = erff(v);
    row[10 * n] = exp2f(v);
    row[11 * n] = log1pf(v);
    row[12 * n] = cbrtf(v);
    row[13 * n] = lgammaf(v);
}
"""

FUNCTIONS_F64 = r"""
extern "C" __global__ void functions_f64(const double* x, double* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    double v = x[i];
    double* row = out + i;
    row[0 * n] = sin(v);
    row[1 * n] = exp(-v);
    row[2 * n] = log(v);
    row[3 * n] = sqrt(v);
    row[4 * n] = erf(v);
    row[5 * n] = tanh(v);
    row[6 * n] = pow(v, 2.5);
    row[7 * n] = 1.0 / v;
    row[8 * n] = rsqrt(v);
    row[9 * n] = atan(v);
}
"""

FAST_INTRINSICS = r"""
extern "C" __global__ void fast_intrinsics(const float* x, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float v = x[i];
    float* row = out + i;
    row[0 * n] = __expf(v);
    row[1 * n] = __logf(v);
    row[2 * n] = __sinf(v);
    row[3 * n] = __cosf(v);
    row[4 * n] = __fdividef(1.0f, v);
    row[5 * n] = __frcp_rn(v);
    row[6 * n] = __fsqrt_rn(v);
    row[7 * n] = __saturatef(v - 1.0f);
    row[8 * n] = __powf(v, 0.5f);
}
"""

AXPBY = r"""
template <typename T>
__global__ void axpby(T a, const T* x, T b, const T* y, T* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = a * x[i] + b * y[i];
}
"""

GATHER = r"""
extern "C" __global__ void gather_strided(const float* table, const int* index, float* out, int n,
                                          int stride) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n && index[i] >= 0) out[i] = table[index[i] * stride];
}
"""

GREY = r"""
extern "C" __global__ void rgb_to_grey(const unsigned char* rgb, unsigned char* grey, int width, int height) {
    int x = blockIdx.x * blockDim.x + threadIdx.x;
    int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= width || y >= height) return;
    const unsigned char* p = rgb + 3 * (y * width + x);
    grey[y * width + x] = (unsigned char)((77 * p[0] + 150 * p[1] + 29 * p[2]) >> 8);
}
"""

INDEX_64 = r"""
extern "C" __global__ void index_64_bit(const double* in, double* out, long long n, long long offset) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    long long far = i * 5000000000LL + offset;                 // beyond 32 bits
    if (i < n) out[i] = in[(far % n + n) % n] + (double)(far / 7);
}
"""

FLOAT4 = r"""
extern "C" __global__ void float4_scale(const float4* in, float4* out, float a, int quads) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < quads) {
        float4 v = in[i];
        out[i] = make_float4(a * v.w, a * v.z, a * v.y, a * v.x);
    }
}
"""

SMALL_VECTORS = r"""
extern "C" __global__ void small_vectors(const uchar4* c, const short2* s, const double2* d, int4* out,
                                         int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    uchar4 p = c[i];
    short2 q = s[i];
    double2 r = d[i];
    out[i] = make_int4(p.x + p.y + p.z + p.w, q.x - q.y, (int)(r.x * r.y), p.x << 8 | p.w);
}
"""

SMALL_INTEGERS = r"""
extern "C" __global__ void small_integers(const signed char* a, const short* b, const bool* keep, short* out,
                                          int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    signed char narrow = (signed char)(a[i] + b[i]);          // wraps to 8 bits
    out[i] = keep[i] ? narrow : (short)(a[i] * b[i]);         // wraps to 16 bits
}
"""

SWITCH = r"""
extern "C" __global__ void switch_many_cases(const int* op, const int* a, const int* b, int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    int r, x = a[i], y = b[i];
    switch (op[i]) {
        case 0: r = x + y; break;
        case 1: r = x - y; break;
        case 2: r = x * y; break;
        case 3: r = x & y; break;
        case 4: r = x | y; break;
        case 5: r = x ^ y; break;
        case 6: r = x; while (r > y) r -= y; break;
        case 7: r = -x;            // falls through
        case 8: r = y; break;
        default: r = -1;
    }
    out[i] = r;
}
"""

COLLATZ = r"""
extern "C" __global__ void collatz_steps(int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned v = i + 1;
    int steps = 0;
    while (v != 1) {
        v = v & 1 ? 3 * v + 1 : v / 2;
        ++steps;
    }
    out[i] = steps;
}
"""

PRIMES = r"""
extern "C" __global__ void primes_break_continue(unsigned char* prime, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    prime[i] = 0;
    if (i < 2) return;
    bool found = false;
    for (int d = 2; d < i; ++d) {
        if (d > 2 && d % 2 == 0) continue;
        if (d * d > i) break;
        if (i % d == 0) { found = true; break; }
    }
    prime[i] = !found;
}
"""

EARLY_EXIT = r"""
extern "C" __global__ void early_exit_threads(const int* keep, int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    if (threadIdx.x % 3 == 1) return;
    out[i] = 1;
    for (int k = 0; k < keep[i]; ++k) {
        if (k == 5) return;
        out[i] += k;
    }
    out[i] *= -1;
}
"""


def _index_2d(arguments):
    rows, columns, pitch = (int(v) for v in arguments[2:])
    grid = body(arguments[0], rows, pitch)[:, :columns]
    return {1: written(arguments[1], grid * np.arange(1, rows + 1)[:, None] - np.arange(columns))}


def _who_am_i(_):
    block, thread = np.divmod(np.arange(3 * 2 * 2 * 60), 60)
    return {0: written(blank(3 * 2 * 2 * 60, np.int32),
        1000000 * block + 1000 * (thread // 32) + thread % 32)}


def _polynomial(arguments):
    x = arguments[0][:777].astype(np.int64).astype(object) % 2**32
    value = [(((int(v) * 2654435761 + 97) * int(v) - 5) * int(v) % 2**32) ^ 0x5BD1E995 for v in x]
    return {1: written(arguments[1], np.array(value, np.uint32).view(np.int32))}


def _rows(functions, count):
    def expected(arguments):
        x = body(arguments[0], count)
        return {1: written(arguments[1], np.stack([f(x) for f in functions]))}

    return expected


_F32 = (
    np.sin, np.cos, np.exp, np.log, np.sqrt, lambda x: 1 / np.sqrt(x), np.tanh,
    lambda x: x ** float(np.float32(1.7)), lambda x: np.arctan2(x, 2), special.erf, np.exp2, np.log1p,
    np.cbrt,
    special.gammaln,
)  # fmt: skip
_F64 = (
    np.sin, lambda x: np.exp(-x), np.log, np.sqrt, special.erf, np.tanh, lambda x: x**2.5, lambda x: 1 / x,
    lambda x: 1 / np.sqrt(x), np.arctan,
)  # fmt: skip
_FAST = (
    np.exp, np.log, np.sin, np.cos, lambda x: 1 / x, lambda x: 1 / x, np.sqrt, lambda x: np.clip(x - 1, 0, 1),
    np.sqrt,
)  # fmt: skip


def _axpby(dtype, entry):
    def arguments(rng):
        x, y = (rng.integers(-50, 50, 501) if dtype is np.int32 else rng.normal(size=501) for _ in "xy")
        return [dtype(3), padded(x, dtype), dtype(-2), padded(y, dtype), blank(501, dtype), np.int32(501)]

    close = {} if dtype is np.int32 else {
        "rtol": 1e-6 if dtype is np.float32 else 1e-14, "atol": 1e-6 if dtype is np.float32 else 1e-14,
        "reason": "the compiler may fuse one of the two products"}  # fmt: skip
    return Kernel(
        name=f"axpby_{dtype.__name__}", source=AXPBY, entry=entry, name_expressions=(entry,),
        grid=(4,), block=(128,), arguments=arguments,
        expected=lambda a: {4: written(a[4], 3 * body(a[1], 501) - 2 * body(a[3], 501))},
        tags=frozenset({"template"}), **close)  # fmt: skip


def _gather(arguments):
    table, index, out, n, stride = arguments
    chosen = index[: int(n)]
    values = np.where(chosen >= 0, table[np.maximum(chosen, 0) * int(stride)], out[: int(n)])
    return {2: written(out, values)}


def _grey(arguments):
    rgb = arguments[0][: 3 * 45 * 31].reshape(31, 45, 3).astype(int)
    return {1: written(arguments[1], rgb @ [77, 150, 29] // 256)}


def _index_64(arguments):
    n, offset = int(arguments[2]), int(arguments[3])
    far = [i * 5000000000 + offset for i in range(n)]
    whole = [abs(f) // 7 * (1 if f >= 0 else -1) for f in far]      # C divides towards zero
    return {1: written(arguments[1], arguments[0][[f % n for f in far]] + np.array(whole, float))}


def _small_vectors(arguments):
    c, s, d = (a[: 300 * w].reshape(300, w).astype(t) for a, w, t in
               zip(arguments, (4, 2, 2), (int, int, float), strict=False))  # fmt: skip
    columns = c.sum(1), s[:, 0] - s[:, 1], np.trunc(d.prod(1)), c[:, 0] * 256 + c[:, 3]
    return {3: written(arguments[3], np.stack(columns, 1))}


def _small_integers(arguments):
    a, b, keep = (v[:333] for v in arguments[:3])
    wide = a.astype(np.int64), b.astype(np.int64)
    return {3: written(arguments[3], np.where(keep, (wide[0] + wide[1]).astype(np.int8),
                                              (wide[0] * wide[1]).astype(np.int16)))}  # fmt: skip


def _switch(arguments):
    op, x, y = (v[:400] for v in arguments[:3])
    choices = [x + y, x - y, x * y, x & y, x | y, x ^ y, np.where(x > y, (x - 1) % y + 1, x), y, y]
    return {3: written(arguments[3], np.select([op == k for k in range(9)], choices, -1))}


def _collatz_length(v: int) -> int:
    return 0 if v == 1 else 1 + _collatz_length(v // 2 if v % 2 == 0 else 3 * v + 1)


def _primes(arguments):
    sieve = np.ones(500, bool)
    sieve[:2] = False
    for p in range(2, 23):
        sieve[p * p :: p] = False
    return {0: written(arguments[0], sieve)}


def _early_exit(arguments):
    i = np.arange(250)
    keep = arguments[0][:250]
    total = 1 + np.minimum(keep, 5) * (np.minimum(keep, 5) - 1) // 2
    value = np.where(keep > 5, total, -total)
    return {1: written(arguments[1], np.where(i % 96 % 3 == 1, arguments[1][:250], value))}


def _int_arrays(rng, low, high, count, number, dtype=np.int32):
    return [padded(rng.integers(low, high, count), dtype) for _ in range(number)]


KERNELS = (
    Kernel(
        name="vector_add", source=VECTOR_ADD, grid=(4,), block=(256,),
        arguments=lambda rng: [padded(rng.normal(size=1000)), padded(rng.normal(size=1000)), blank(1000),
                               np.int32(1000)],
        expected=lambda a: {2: written(a[2], body(a[0], 1000) + body(a[1], 1000))},
    ),
    Kernel(
        name="saxpy_grid_stride", source=GRID_STRIDE, grid=(3,), block=(96,),
        arguments=lambda rng: [np.float32(2.5), padded(rng.normal(size=1003)), padded(rng.normal(size=1003)),
                               np.int32(1003)],
        expected=lambda a: {2: written(a[2], 2.5 * body(a[1], 1003) + body(a[2], 1003))},
        rtol=1e-6, atol=1e-6, reason="the compiler may fuse the product and the sum",
    ),
    Kernel(
        name="index_2d_pitched", source=INDEX_2D, grid=(3, 5), block=(16, 8),
        arguments=lambda rng: [padded(rng.integers(-9, 9, 37 * 48)), blank(37 * 45), np.int32(37),
            np.int32(45),
                               np.int32(48)],
        expected=_index_2d,
    ),
    Kernel(
        name="index_3d", source=INDEX_3D, grid=(3, 3, 2), block=(4, 3, 5),
        arguments=lambda rng: [*_int_arrays(rng, 0, 10**6, 7 * 8 * 11, 1), blank(7 * 8 * 11, np.int32),
                               np.int32(7), np.int32(8), np.int32(11)],
        expected=lambda a: {1: written(a[1], a[0][:616].reshape(7, 8, 11).T)},
    ),
    Kernel(
        name="who_am_i", source=WHO_AM_I, grid=(3, 2, 2), block=(5, 4, 3),
        arguments=lambda rng: [blank(720, np.int32)], expected=_who_am_i,
    ),
    Kernel(
        name="polynomial_int", source=POLYNOMIAL_INT, grid=(7,), block=(128,),
        arguments=lambda rng: [*_int_arrays(rng, -(2**31), 2**31 - 1, 777, 1), blank(777, np.int32),
            np.int32(777)],
        expected=_polynomial,
    ),
    Kernel(
        name="leaky_relu_clamped", source=LEAKY_RELU, grid=(3,), block=(192,),
        arguments=lambda rng: [padded(rng.normal(size=555)), blank(555), np.float32(0.125), np.float32(1),
                               np.int32(555)],
        expected=lambda a: {1: written(a[1], np.minimum(np.maximum(body(a[0], 555), body(a[0], 555) / 8),
            1))},
    ),
    Kernel(
        name="functions_f32", source=FUNCTIONS_F32, grid=(4,), block=(64,),
        arguments=lambda rng: [padded(rng.uniform(0.05, 9, 201)), blank(14 * 201), np.int32(201)],
        expected=_rows(_F32, 201), rtol=2e-5, atol=2e-6,
        reason="CUDA's float functions err by up to a few ULPs, and ex2/lg2 are approximations",
    ),
    Kernel(
        name="functions_f64", source=FUNCTIONS_F64, grid=(4,), block=(64,),
        arguments=lambda rng: [padded(rng.uniform(0.05, 9, 201), np.float64), blank(10 * 201, np.float64),
                               np.int32(201)],
        expected=_rows(_F64, 201), rtol=1e-14, atol=1e-15,
        reason="CUDA's double functions err by up to 2 ULPs",
        tags=frozenset({"float64"}),
    ),
    Kernel(
        name="fast_intrinsics", source=FAST_INTRINSICS, grid=(3,), block=(64,),
        arguments=lambda rng: [padded(rng.uniform(0.1, 3, 150)), blank(9 * 150), np.int32(150)],
        expected=_rows(_FAST, 150), rtol=1e-5, atol=2e-6,
        reason="the intrinsics are approximations: __sinf and __logf err by 2^-21 absolutely",
    ),
    _axpby(np.float32, "axpby<float>"),
    _axpby(np.float64, "axpby<double>"),
    _axpby(np.int32, "axpby<int>"),
    Kernel(
        name="gather_strided", source=GATHER, grid=(3,), block=(100,),
        arguments=lambda rng: [padded(rng.normal(size=50 * 9)), padded(rng.integers(-5, 50, 270), np.int32),
            blank(270),
                               np.int32(270), np.int32(9)],
        expected=_gather,
    ),
    Kernel(
        name="rgb_to_grey", source=GREY, grid=(3, 4), block=(16, 8),
        arguments=lambda rng: [padded(rng.integers(0, 256, 3 * 45 * 31), np.uint8), blank(45 * 31, np.uint8),
                               np.int32(45), np.int32(31)],
        expected=_grey,
    ),
    Kernel(
        name="index_64_bit", source=INDEX_64, grid=(3,), block=(64,),
        arguments=lambda rng: [padded(rng.normal(size=170), np.float64), blank(170, np.float64),
            np.int64(170),
                               np.int64(-123456789012)],
        expected=_index_64, tags=frozenset({"float64"}),
    ),
    Kernel(
        name="float4_scale", source=FLOAT4, grid=(3,), block=(64,),
        arguments=lambda rng: [padded(rng.normal(size=4 * 150), tail=8), blank(4 * 150, tail=8),
            np.float32(3), np.int32(150)],
        expected=lambda a: {1: written(a[1], 3 * a[0][:600].reshape(150, 4)[:, ::-1])},
    ),
    Kernel(
        name="small_vectors", source=SMALL_VECTORS, grid=(5,), block=(64,),
        arguments=lambda rng: [padded(rng.integers(0, 256, 1200), np.uint8, 8),
                               padded(rng.integers(-(2**15), 2**15, 600), np.int16, 8),
                               padded(rng.uniform(-1e4, 1e4, 600), np.float64, 8), blank(1200, np.int32, 8),
                               np.int32(300)],
        expected=_small_vectors, tags=frozenset({"float64"}),
    ),
    Kernel(
        name="small_integers", source=SMALL_INTEGERS, grid=(6,), block=(64,),
        arguments=lambda rng: [padded(rng.integers(-128, 128, 333), np.int8),
                               padded(rng.integers(-(2**15), 2**15, 333), np.int16),
                               rng.integers(0, 2, 340).astype(bool), blank(333, np.int16), np.int32(333)],
        expected=_small_integers,
    ),
    Kernel(
        name="switch_many_cases", source=SWITCH, grid=(4,), block=(128,),
        arguments=lambda rng: [*_int_arrays(rng, -1, 11, 400, 1), *_int_arrays(rng, 1, 60, 400, 2),
                               blank(400, np.int32), np.int32(400)],
        expected=_switch,
    ),
    Kernel(
        name="collatz_steps", source=COLLATZ, grid=(3,), block=(64,),
        arguments=lambda rng: [blank(170, np.int32), np.int32(170)],
        expected=lambda a: {0: written(a[0], [_collatz_length(v) for v in range(1, 171)])},
    ),
    Kernel(
        name="primes_break_continue", source=PRIMES, grid=(4,), block=(128,),
        arguments=lambda rng: [blank(500, np.uint8), np.int32(500)], expected=_primes,
    ),
    Kernel(
        name="early_exit_threads", source=EARLY_EXIT, grid=(3,), block=(96,),
        arguments=lambda rng: [*_int_arrays(rng, 0, 9, 250, 1), blank(250, np.int32), np.int32(250)],
        expected=_early_exit,
    ),
)  # fmt: skip
