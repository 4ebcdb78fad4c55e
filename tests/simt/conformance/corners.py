"""Corners that learners find: odd launches, inline PTX, rare functions, nested divergence."""

from __future__ import annotations

import numpy as np
from scipy import special

from tests.simt.conformance.kernel import Kernel, blank, body, padded, written

FULL_BLOCK = r"""
extern "C" __global__ void __launch_bounds__(1024) block_of_1024(const int* in, int* out) {
    __shared__ int s[1024];
    int t = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    s[t] = in[blockIdx.x * 1024 + t];
    for (int d = 512; d; d /= 2) {
        __syncthreads();
        if (t < d) s[t] = max(s[t], s[t + d]);
    }
    if (t == 0) out[blockIdx.x] = s[0];
}
"""

TALL = r"""
extern "C" __global__ void block_along_z(int* out, int n) {
    unsigned i = ((blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x) * blockDim.z + threadIdx.z;
    unsigned lane;
    asm("mov.u32 %0, %%laneid;" : "=r"(lane));
    if (i < n) out[i] = threadIdx.z * 100 + lane;
}
"""

LANE_MASKS = r"""
extern "C" __global__ void lane_masks_inline(const int* in, int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    unsigned below, from;
    asm("mov.u32 %0, %%lanemask_lt;" : "=r"(below));
    asm("mov.u32 %0, %%lanemask_ge;" : "=r"(from));
    unsigned odd = __ballot_sync(0xffffffff, i < n && in[i] & 1);
    if (i < n) out[i] = __popc(odd & below) * 100 + __popc(odd & from);
}
"""

VOTE_LOOP = r"""
extern "C" __global__ void vote_in_a_loop(const int* in, int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, v = i < n ? in[i] : 0, steps = 0;
    while (__any_sync(0xffffffff, v > 0)) {                    // lanes that are done wait for the slowest
        if (v > 0) {
            if (v % 3 == 0) v /= 3;
            else { --v; if (v % 7 == 0) continue; }
        }
        ++steps;
    }
    if (i < n) out[i] = steps;
}
"""

NESTED = r"""
extern "C" __global__ void nested_divergence(const int* in, int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    int total = 0;
    for (int a = 0; a < in[i]; ++a) {
        switch (a % 4) {
            case 0:
                for (int b = 0; b < a; ++b) {
                    if (b == 5) break;
                    total += b;
                }
                break;
            case 1:
                if (a > 12) goto out_of_all;
                continue;
            case 2: total += 100;
            default: total -= 1;
        }
        do { total ^= 1; } while (total % 5 == 3);
    }
out_of_all:
    out[i] = total;
}
"""

SMALL_ATOMICS = r"""
#include <cuda_fp16.h>
extern "C" __global__ void atomics_16_bit(const unsigned short* in, unsigned short* most, half2* sum, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned short old = *(volatile unsigned short*)most, seen;
    do {
        seen = old;
        old = atomicCAS(most, seen, max(seen, in[i]));
    } while (old != seen);
    atomicAdd(sum, __floats2half2_rn(1.0f, (float)(in[i] & 3)));
}
"""

SIMD = r"""
extern "C" __global__ void simd_in_a_word(const unsigned* x, const unsigned* y, unsigned* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned a = x[i], b = y[i], *row = out + i;
    row[0 * n] = __vadd4(a, b);
    row[1 * n] = __vsub2(a, b);
    row[2 * n] = __vmaxs2(a, b);
    row[3 * n] = __vavgu4(a, b);
    row[4 * n] = __vcmpgtu4(a, b);
    row[5 * n] = __vaddus4(a, b);
}
"""

VIDEO = r"""
extern "C" __global__ void sums_of_differences(const unsigned* x, const unsigned* y, unsigned* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    out[i] = __vabsdiffu4(x[i], y[i]);
    out[n + i] = __vsads4(x[i], y[i]);
}
"""

INT128 = r"""
extern "C" __global__ void int128_carries(const unsigned long long* x, const unsigned long long* y,
                                          unsigned long long* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned __int128 a = (unsigned __int128)x[i] << 64 | y[i], b = (unsigned __int128)y[i] << 64 |
        x[n - 1 - i];
    unsigned __int128 r[4] = {a + b, a - b, a * b, (a << (i & 127)) ^ (b >> (i & 63))};
    for (int k = 0; k < 4; ++k) {
        out[(2 * k) * n + i] = (unsigned long long)r[k];
        out[(2 * k + 1) * n + i] = (unsigned long long)(r[k] >> 64);
    }
}
"""

RARE_F64 = r"""
extern "C" __global__ void rare_functions_f64(const double* x, double* out, int* whole, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    double v = x[i], s, c, integral, *row = out + i;
    int exponent;
    sincos(v, &s, &c);
    row[0 * n] = s;
    row[1 * n] = c;
    row[2 * n] = frexp(v, &exponent);
    row[3 * n] = modf(v, &integral);
    row[4 * n] = integral;
    row[5 * n] = ldexp(v, exponent % 5);
    row[6 * n] = fmod(v, 0.7);
    row[7 * n] = tgamma(v);
    row[8 * n] = erfinv(v / 10.0);
    row[9 * n] = normcdf(v - 4.0);
    row[10 * n] = j0(v);
    row[11 * n] = asin(v / 10.0) + acos(v / 10.0) + sinh(v) + cosh(v);
    row[12 * n] = hypot(v, 3.0) + expm1(v / 100.0) + log2(v) + log10(v) + exp10(v / 10.0);
    row[13 * n] = remainder(v, 0.7) + nearbyint(v) + round(v) + rcbrt(v);
    whole[i] = ilogb(v) * 100 + exponent;
}
"""

HUGE_ARGUMENTS = r"""
extern "C" __global__ void huge_arguments(const float* x, const double* y, float* out, double* wide, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    // the slow path: a product with 2/pi in local memory
    out[i] = sinf(x[i]);
    out[n + i] = cosf(x[i]);
    out[2 * n + i] = tanf(x[i]);
    wide[i] = sin(y[i]);
    wide[n + i] = cos(y[i]);
}
"""

CACHE = r"""
extern "C" __global__ void cache_operators(const float* a, const float4* b, float* out, float4* wide, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float v = __ldca(a + i) + __ldcg(a + i) + __ldcs(a + i) + __ldg(a + i) + __ldcv(a + i) + __ldlu(a + i);
    float4 q = __ldcs(b + i);
    __stcg(out + i, v);
    __stcs(wide + i, make_float4(q.y, q.x, q.w, q.z));
}
"""

ACQUIRE = r"""
extern "C" __global__ void acquire_release(const int* in, int* data, int* flag, int* out) {
    int b = blockIdx.x, t = threadIdx.x;
    if (t == 0 && b > 0) {
        data[b] = in[b] * 3;                                   // blocks 1, 2, ... publish
        asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(flag + b), "r"(1) : "memory");
    }
    if (b == 0 && t > 0 && t < gridDim.x) {                    // block 0 collects
        int ready;
        do {
            asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(ready) : "l"(flag + t) : "memory");
        } while (!ready);
        asm volatile("red.relaxed.gpu.global.add.s32 [%0], %1;" ::"l"(out), "r"(data[t]) : "memory");
        asm volatile("fence.acq_rel.gpu;" ::: "memory");
    }
}
"""

SPACES = r"""
__constant__ int fixed = 5;
extern "C" __global__ void address_spaces(int* out, int n) {
    __shared__ int s[40];
    int i = blockIdx.x * blockDim.x + threadIdx.x, own[3] = {i, i, i};
    if (threadIdx.x < 40) s[threadIdx.x] = i * 2;
    __syncthreads();
    if (i >= n) return;
    const int* p = i % 3 == 0 ? out + i : i % 3 == 1 ? &own[i % 2] : &s[i % 7];
    int kind = __isGlobal(p) + 2 * __isLocal(p) + 4 * __isShared(p) + 8 * __isConstant(p) + 16 *
        __isConstant(&fixed);
    unsigned narrow = (unsigned)__cvta_generic_to_shared(&s[threadIdx.x % 40]);
    int value;
    asm("ld.shared.s32 %0, [%1];" : "=r"(value) : "r"(narrow));
    out[i] = kind * 1000 + (value == s[threadIdx.x % 40]);
}
"""

PIPELINE = r"""
#include <cuda_pipeline.h>
extern "C" __global__ void pipeline_copy(const float4* in, float4* out, int n) {
    __shared__ float4 s[2][32];
    int t = threadIdx.x, base = blockIdx.x * 96;
    if (base + t < n) __pipeline_memcpy_async(&s[0][t], &in[base + t], sizeof(float4));
    __pipeline_commit();
    for (int k = 0; k < 3; ++k) {
        int next = base + (k + 1) * 32 + t, now = base + k * 32 + t;
        if (k < 2 && next < n) __pipeline_memcpy_async(&s[(k + 1) % 2][t], &in[next], sizeof(float4));
        __pipeline_commit();
        __pipeline_wait_prior(1);
        __syncthreads();
        int other = now ^ 1;
        if (now < n && other < n) {
            float4 v = s[k % 2][t ^ 1];
            out[now] = make_float4(v.w, v.z, v.y, v.x);
        }
        __syncthreads();
    }
}
"""

COUNTDOWN = r"""
extern "C" __global__ void unsigned_countdown(const unsigned char* in, unsigned char* out, unsigned columns,
                                              size_t rows) {
    size_t r = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (r >= rows) return;
    for (unsigned c = columns; c-- > 0;) {                     // ends by wrapping past zero
        unsigned char v = in[r * columns + c];
        out[r * columns + (columns - 1 - c)] = v >= 128 ? ~v : v << 1;
    }
}
"""

TRAP = r"""
extern "C" __global__ void trap_on_negative(const int* in, int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    if (in[i] < 0) __trap();
    out[i] = in[i];
}
"""

CLOCK = r"""
extern "C" __global__ void clock_moves_on(const float* x, float* out, int* later, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    long long start = clock64();
    float v = x[i];
    for (int k = 0; k < 20; ++k) v = v * 0.5f + 1.0f;
    out[i] = v;
    later[i] = clock64() - start >= 0 && (int)(clock() - (clock_t)start) >= 0;
}
"""

BIG_LOCAL = r"""
extern "C" __global__ void local_memory_large(const int* in, int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, link[400], steps = 0;
    if (i >= n) return;
    for (int k = 0; k < 400; ++k) link[k] = (in[i] + 37 * k) % 400;
    int at = i;
    do {                                                       // the length of a cycle of a permutation
        at = link[at];
        ++steps;
    } while (at != i);
    out[i] = steps;
}
"""


def _nested(arguments):
    out = []
    for limit in arguments[0][:140].tolist():
        total = 0
        for a in range(limit):
            if a % 4 == 0:
                total += sum(range(min(a, 5)))
            elif a % 4 == 1:
                if a > 12:
                    break
                continue
            else:
                total += 99 if a % 4 == 2 else -1
            total ^= 1
            while np.fmod(total, 5) == 3:
                total ^= 1
        out.append(total)
    return {1: written(arguments[1], out)}


def _vote_loop(arguments):
    out = []
    for start in range(0, 150, 32):
        lanes = arguments[0][start : min(start + 32, 150)].tolist()
        lanes += [0] * (32 - len(lanes))
        steps = [0] * 32
        while any(v > 0 for v in lanes):
            for k, v in enumerate(lanes):
                divides = v > 0 and v % 3 == 0
                lanes[k] = v // 3 if divides else max(v - 1, 0)
                steps[k] += not (v > 0 and not divides and (v - 1) % 7 == 0)
        out += steps
    return {1: written(arguments[1], out[:150])}


def _lane_masks(arguments):
    odd = np.pad(arguments[0][:150] & 1, (0, 10)).reshape(5, 32)
    before = odd.cumsum(1) - odd
    return {1: written(arguments[1], (before * 100 + odd.sum(1, keepdims=True) - before).ravel()[:150])}


def _bytes(values):
    return values.view(np.uint8).astype(int)


def _simd(arguments):
    a, b = (v[:120].copy() for v in arguments[:2])
    p, q = _bytes(a), _bytes(b)
    rows = [
        (p + q).astype(np.uint8).view(np.uint32), (a.view(np.uint16) - b.view(np.uint16)).view(np.uint32),
        np.maximum(a.view(np.int16), b.view(np.int16)).view(np.uint32),
        ((p + q + 1) // 2).astype(np.uint8).view(np.uint32),
        np.where(p > q, 255, 0).astype(np.uint8).view(np.uint32),
        np.minimum(p + q, 255).astype(np.uint8).view(np.uint32),
    ]  # fmt: skip
    return {2: written(arguments[2], np.stack([row.astype(np.uint32) for row in rows]))}


def _differences(arguments):
    a, b = (v[:120].copy() for v in arguments[:2])
    plain = np.abs(_bytes(a) - _bytes(b)).astype(np.uint8).view(np.uint32)
    signed = np.abs(a.view(np.int8).astype(int) - b.view(np.int8)).reshape(120, 4).sum(1)
    return {2: written(arguments[2], np.stack([plain, signed.astype(np.uint32)]))}


def _int128(arguments):
    x, y = ([int(v) for v in a[:130]] for a in arguments[:2])
    rows = []
    for i in range(130):
        a, b = x[i] << 64 | y[i], y[i] << 64 | x[129 - i]
        results = [(r % 2**128) for r in (a + b, a - b, a * b, (a << (i & 127)) % 2**128 ^ b >> (i & 63))]
        rows.append([part for r in results for part in (r % 2**64, r >> 64)])
    return {2: written(arguments[2], np.array(rows, np.uint64).T)}


def _rare(arguments):
    v = arguments[0][:110]
    mantissa, exponent = np.frexp(v)
    fraction, integral = np.modf(v)
    half_away = np.floor(v + 0.5)
    rows = [
        np.sin(v), np.cos(v), mantissa, fraction, integral, np.ldexp(v, np.fmod(exponent, 5)), np.fmod(v,
            0.7),
        special.gamma(v), special.erfinv(v / 10), special.ndtr(v - 4), special.j0(v),
        np.arcsin(v / 10) + np.arccos(v / 10) + np.sinh(v) + np.cosh(v),
        np.hypot(v, 3) + np.expm1(v / 100) + np.log2(v) + np.log10(v) + 10 ** (v / 10),
        (v - 0.7 * np.rint(v / 0.7)) + np.rint(v) + half_away + 1 / np.cbrt(v),
    ]  # fmt: skip
    return {1: written(arguments[1], np.stack(rows)), 2: written(arguments[2],
        (exponent - 1) * 100 + exponent)}


def _huge(arguments):
    x, y = body(arguments[0], 60), arguments[1][:60]
    return {2: written(arguments[2], np.stack([np.sin(x), np.cos(x), np.tan(x)])),
            3: written(arguments[3], np.stack([np.sin(y), np.cos(y)]))}  # fmt: skip


def _cached(arguments):
    swapped = arguments[1][:600].reshape(150, 4)[:, [1, 0, 3, 2]]
    return {2: written(arguments[2], 6 * body(arguments[0], 150)), 3: written(arguments[3], swapped)}


def _acquired(arguments):
    published = 3 * arguments[0][1:6]
    data, flag = arguments[1].copy(), arguments[2].copy()
    data[1:6], flag[1:6] = published, 1
    return {1: data, 2: flag, 3: np.array([published.sum()], np.int32)}


def _spaces(arguments):
    kind = np.choose(np.arange(140) % 3, [1, 2, 4]) + 16
    return {0: written(arguments[0], kind * 1000 + 1)}


def _pipelined(arguments):
    quads = arguments[0][:1000].reshape(250, 4)
    return {1: written(arguments[1], quads[np.arange(250) ^ 1][:, ::-1])}


def _countdown(arguments):
    v = arguments[0][: 130 * 11].reshape(130, 11)[:, ::-1].astype(int)
    return {1: written(arguments[1], np.where(v >= 128, 255 - v, v * 2 % 256))}


def _cycles(arguments):
    out = []
    for i, shift in enumerate(arguments[0][:70].tolist()):
        at, steps = (shift + 37 * i) % 400, 1
        while at != i:
            at, steps = (shift + 37 * at) % 400, steps + 1
        out.append(steps)
    return {1: written(arguments[1], out)}


def _clock(arguments):
    v = body(arguments[0], 140)
    return {1: written(arguments[1], 2 + (v - 2) * 0.5**20), 2: written(arguments[2], np.ones(140))}


def _sixteen(arguments):
    v = arguments[0][:180]
    return {1: np.array([v.max()], np.uint16), 2: np.array([180, (v & 3).sum()], np.float16)}


def _ints(rng, low, high, count, dtype=np.int32):
    return padded(rng.integers(low, high, count), dtype)


def _words(rng, count):
    return padded(rng.integers(0, 2**64 - 1, count, np.uint64, endpoint=True), np.uint64)


_INLINE = {"cpu": "inline PTX"}
_HEADER = {"cpu": "the shim does not have this part of CUDA's headers"}

KERNELS = (
    Kernel(
        name="block_of_1024", source=FULL_BLOCK, grid=(3,), block=(32, 8, 4),
        arguments=lambda rng: [_ints(rng, 0, 2**30, 3072), blank(3, np.int32)],
        expected=lambda a: {1: written(a[1], a[0][:3072].reshape(3, 1024).max(1))},
        tags=frozenset({"shared"}),
    ),
    Kernel(
        name="block_along_z", source=TALL, grid=(2, 1, 3), block=(1, 1, 40),
        arguments=lambda rng: [blank(230, np.int32), np.int32(230)],
        expected=lambda a: {0: written(a[0], (np.arange(230) % 40) * 100 + np.arange(230) % 40 % 32)},
        skip=_INLINE,
    ),
    Kernel(
        name="lane_masks_inline", source=LANE_MASKS, grid=(5,), block=(32,),
        arguments=lambda rng: [_ints(rng, 0, 9, 150), blank(150, np.int32), np.int32(150)],
        expected=_lane_masks,
        skip=_INLINE, tags=frozenset({"vote"}),
    ),
    Kernel(
        name="vote_in_a_loop", source=VOTE_LOOP, grid=(3,), block=(64,),
        arguments=lambda rng: [_ints(rng, 0, 60, 150), blank(150, np.int32), np.int32(150)],
        expected=_vote_loop,
        tags=frozenset({"vote"}),
    ),
    Kernel(
        name="nested_divergence", source=NESTED, grid=(3,), block=(64,),
        arguments=lambda rng: [_ints(rng, 0, 22, 140), blank(140, np.int32), np.int32(140)], expected=_nested,
    ),
    Kernel(
        name="atomics_16_bit", source=SMALL_ATOMICS, grid=(3,), block=(64,),
        arguments=lambda rng: [_ints(rng, 0, 2**16, 180, np.uint16), np.zeros(1, np.uint16), np.zeros(2,
            np.float16),
                               np.int32(180)],
        expected=_sixteen, skip=_HEADER, tags=frozenset({"atomics", "cas", "half"}),
    ),
    Kernel(
        name="simd_in_a_word", source=SIMD, grid=(3,), block=(48,),
        arguments=lambda rng: [_ints(rng, 0, 2**32, 120, np.uint32), _ints(rng, 0, 2**32, 120, np.uint32),
                               blank(720, np.uint32), np.int32(120)],
        expected=_simd, skip=_HEADER, tags=frozenset({"bits"}),
    ),
    Kernel(
        name="sums_of_differences", source=VIDEO, grid=(3,), block=(48,),
        arguments=lambda rng: [_ints(rng, 0, 2**32, 120, np.uint32), _ints(rng, 0, 2**32, 120, np.uint32),
                               blank(240, np.uint32), np.int32(120)],
        expected=_differences, skip=_HEADER, tags=frozenset({"bits"}),
    ),
    Kernel(
        name="int128_carries", source=INT128, grid=(3,), block=(48,), options=("-device-int128",),
        arguments=lambda rng: [_words(rng, 130), _words(rng, 130),
                               blank(8 * 130, np.uint64), np.int32(130)],
        expected=_int128, tags=frozenset({"bits"}),
    ),
    Kernel(
        name="rare_functions_f64", source=RARE_F64, grid=(3,), block=(48,),
        arguments=lambda rng: [padded(rng.uniform(0.05, 9.5, 110), np.float64), blank(14 * 110, np.float64),
                               blank(110, np.int32), np.int32(110)],
        expected=_rare, rtol=1e-13, atol=1e-14, reason="gamma and Bessel functions err by up to 10 ULPs",
        skip=_HEADER, tags=frozenset({"float64"}),
    ),
    Kernel(
        name="huge_arguments", source=HUGE_ARGUMENTS, grid=(3,), block=(32,),
        arguments=lambda rng: [padded(10.0 ** rng.uniform(4, 30, 60)), padded(10.0 ** rng.uniform(5, 200,
            60), np.float64),
                               blank(180), blank(120, np.float64), np.int32(60)],
        expected=_huge, rtol=1e-5, atol=1e-6, reason="float sine, cosine and tangent err by up to 4 ULPs",
        tags=frozenset({"float64", "local"}),
    ),
    Kernel(
        name="cache_operators", source=CACHE, grid=(3,), block=(64,),
        arguments=lambda rng: [padded(rng.normal(size=150)), padded(rng.normal(size=600), tail=8), blank(150),
                               blank(600, tail=8), np.int32(150)],
        expected=_cached, rtol=1e-6, reason="six float sums", skip=_HEADER,
    ),
    Kernel(
        name="acquire_release", source=ACQUIRE, grid=(6,), block=(32,),
        arguments=lambda rng: [_ints(rng, 0, 999, 6), blank(6, np.int32), np.zeros(6, np.int32), np.zeros(1,
            np.int32)],
        expected=_acquired, skip=_INLINE, tags=frozenset({"spins", "fence"}),
    ),
    Kernel(
        name="address_spaces", source=SPACES, grid=(3,), block=(64,),
        arguments=lambda rng: [blank(140, np.int32), np.int32(140)], expected=_spaces, skip=_INLINE,
        tags=frozenset({"generic", "local"}),
    ),
    Kernel(
        name="pipeline_copy", source=PIPELINE, grid=(3,), block=(32,),
        arguments=lambda rng: [padded(rng.normal(size=1000), tail=8), blank(1000, tail=8), np.int32(250)],
        expected=_pipelined, skip=_HEADER, tags=frozenset({"shared"}),
    ),
    Kernel(
        name="unsigned_countdown", source=COUNTDOWN, grid=(3,), block=(48,),
        arguments=lambda rng: [_ints(rng, 0, 256, 130 * 11, np.uint8), blank(130 * 11, np.uint8),
            np.uint32(11),
                               np.uint64(130)],
        expected=_countdown,
    ),
    Kernel(
        name="trap_on_negative", source=TRAP, grid=(3,), block=(32,),
        arguments=lambda rng: [padded(np.arange(80) - 3, np.int32), blank(80, np.int32), np.int32(80)],
        expected=lambda a: {}, fault="trap", skip={"gpu": "a trap ends the CUDA context", "cpu": "no trap"},
    ),
    Kernel(
        name="clock_moves_on", source=CLOCK, grid=(3,), block=(64,),
        arguments=lambda rng: [padded(rng.normal(size=140)), blank(140), blank(140, np.int32), np.int32(140)],
        expected=_clock, rtol=1e-6, reason="twenty float steps", skip={"cpu": "no clock"},
    ),
    Kernel(
        name="local_memory_large", source=BIG_LOCAL, grid=(3,), block=(32,),
        arguments=lambda rng: [_ints(rng, 0, 400, 70), blank(70, np.int32), np.int32(70)], expected=_cycles,
        tags=frozenset({"local"}),
    ),
)  # fmt: skip
