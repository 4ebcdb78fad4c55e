"""Arithmetic to the last bit: integers, rounding, special values, halves, complex and random numbers."""

from __future__ import annotations

import hashlib
from fractions import Fraction

import numpy as np

from tests.simt.conformance.kernel import Kernel, blank, body, padded, written

BITS = r"""
extern "C" __global__ void bit_intrinsics(const unsigned* x, unsigned* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned v = x[i], w = x[n - 1 - i];
    unsigned long long both = (unsigned long long)w << 32 | v;
    unsigned* row = out + i;
    row[0 * n] = __popc(v);
    row[1 * n] = __clz(v);
    row[2 * n] = __brev(v);
    row[3 * n] = __ffs(v);
    row[4 * n] = __popcll(both);
    row[5 * n] = __clzll(both);
    row[6 * n] = (unsigned)__brevll(both);
    row[7 * n] = __ffsll(both);
    row[8 * n] = __byte_perm(v, w, 0x0246);
    row[9 * n] = __funnelshift_l(v, w, v & 31);
    row[10 * n] = __funnelshift_r(v, w, w & 31);
    row[11 * n] = v << 7 | v >> 25;                            // a rotation
    row[12 * n] = (v & w) ^ (~v & 0x0f0f0f0fu) ^ (v | w);
}
"""

SHIFTS = r"""
extern "C" __global__ void shifts_and_overflow(const int* x, const int* s, long long* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    int v = x[i], by = s[i] & 31;
    long long* row = out + i;
    row[0 * n] = v >> by;                                      // arithmetic
    row[1 * n] = (unsigned)v >> by;                            // logical
    row[2 * n] = (int)((unsigned)v << by);
    row[3 * n] = (long long)v << by;
    row[4 * n] = (int)((unsigned)v + 2000000000u);
    row[5 * n] = (int)((unsigned)v * (unsigned)v);
    row[6 * n] = (long long)v * v;
    row[7 * n] = ((long long)v * 4294967297LL) >> (s[i] & 63);
    row[8 * n] = (short)v + (signed char)v;
    row[9 * n] = (unsigned short)v - (unsigned char)v;
}
"""

HIGH = r"""
extern "C" __global__ void high_products(const int* x, const int* y, unsigned long long* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    int a = x[i], b = y[i];
    unsigned long long wide = (unsigned long long)(unsigned)a << 32 | (unsigned)b, *row = out + i;
    row[0 * n] = (unsigned)__mulhi(a, b);
    row[1 * n] = __umulhi(a, b);
    row[2 * n] = __umul64hi(wide, ~wide);
    row[3 * n] = (unsigned)__mul24(a, b);
    row[4 * n] = __sad(a >> 1, b >> 1, 7u);
    row[5 * n] = (unsigned)__dp4a(a, b, 1000);
    row[6 * n] = wide * wide + 12345u;
}
"""

DIVISION = r"""
extern "C" __global__ void integer_division(const int* x, const int* y, const long long* p, const long long*
    q,
                                            long long* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    int a = x[i], b = y[i];
    long long c = p[i], d = q[i], *row = out + i;
    row[0 * n] = a / b;
    row[1 * n] = a % b;
    row[2 * n] = (unsigned)a / (unsigned)b;
    row[3 * n] = (unsigned)a % (unsigned)b;
    row[4 * n] = c / d;
    row[5 * n] = c % d;
    row[6 * n] = (long long)((unsigned long long)c / 10u);
    row[7 * n] = a / 7 + a % 16 + a / 8;
    row[8 * n] = (unsigned)a % 1000003u;
}
"""

CONVERT = r"""
extern "C" __global__ void conversions(const float* x, int* out, float* rounded, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float v = x[i];
    out[0 * n + i] = __float2int_rn(v);
    out[1 * n + i] = __float2int_rz(v);
    out[2 * n + i] = __float2int_ru(v);
    out[3 * n + i] = __float2int_rd(v);
    out[4 * n + i] = (int)v;
    out[5 * n + i] = (int)(unsigned char)(int)v;
    out[6 * n + i] = (int)lrintf(v);
    out[7 * n + i] = (int)(v * 1000.0);
    rounded[0 * n + i] = floorf(v);
    rounded[1 * n + i] = ceilf(v);
    rounded[2 * n + i] = truncf(v);
    rounded[3 * n + i] = rintf(v);
    rounded[4 * n + i] = roundf(v);
    rounded[5 * n + i] = fmodf(v, 0.75f);
    rounded[6 * n + i] = (float)(int)(v * 1e6f);
    rounded[7 * n + i] = (float)((double)v / 3.0);
}
"""

SATURATE = r"""
extern "C" __global__ void conversions_saturate(const float* x, const double* y, long long* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    long long* row = out + i;
    row[0 * n] = __float2int_rz(x[i]);                         // NaN gives 0, the rest clamps
    row[1 * n] = __float2uint_rz(x[i]);
    row[2 * n] = __float2ll_rz(x[i]);
    row[3 * n] = __double2int_rn(y[i]);
    row[4 * n] = __double2uint_rz(y[i]);
    row[5 * n] = __double2ll_rz(y[i]);
}
"""

ROUNDING = r"""
extern "C" __global__ void rounding_modes(const float* x, const float* y, const float* z, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float a = x[i], b = y[i], c = z[i], *row = out + i;
    row[0 * n] = __fadd_rn(a, b);
    row[1 * n] = __fadd_rz(a, b);
    row[2 * n] = __fadd_ru(a, b);
    row[3 * n] = __fadd_rd(a, b);
    row[4 * n] = __fmul_rn(a, b);
    row[5 * n] = __fmul_rz(a, b);
    row[6 * n] = __fmul_ru(a, b);
    row[7 * n] = __fmul_rd(a, b);
    row[8 * n] = __fmaf_rn(a, b, c);
    row[9 * n] = __fmaf_rz(a, b, c);
    row[10 * n] = __fmaf_ru(a, b, c);
    row[11 * n] = __fmaf_rd(a, b, c);
    row[12 * n] = __fdiv_rn(a, b);
    row[13 * n] = __fdiv_ru(a, b);
}
"""

FMA64 = r"""
extern "C" __global__ void fma_f64_exact(const double* x, const double* y, const double* z, double* out,
                                         int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    out[i] = fma(x[i], y[i], z[i]);
    out[n + i] = __dadd_rn(__dmul_rn(x[i], y[i]), z[i]);       // two roundings
    out[2 * n + i] = x[i] / y[i];
    out[3 * n + i] = sqrt(fabs(x[i]));
}
"""

SPECIAL = r"""
extern "C" __global__ void special_values(const float* x, const float* y, int* out, float* values, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float a = x[i], b = y[i];
    out[0 * n + i] = isnan(a) ? 1 : 0;
    out[1 * n + i] = isinf(a) ? 1 : 0;
    out[2 * n + i] = signbit(a) ? 1 : 0;
    out[3 * n + i] = (a < b) + 2 * (a <= b) + 4 * (a == b) + 8 * (a != b) + 16 * !(a < b) + 32 * !(a >= b);
    out[4 * n + i] = isfinite(a) ? 1 : 0;
    values[0 * n + i] = fminf(a, b);                           // NaN loses
    values[1 * n + i] = fmaxf(a, b);
    values[2 * n + i] = copysignf(a, b);
    values[3 * n + i] = fabsf(a);
    values[4 * n + i] = -a;
    values[5 * n + i] = a * b;
    values[6 * n + i] = a + b;
    values[7 * n + i] = a < b ? a : b;                         // NaN wins or loses by position
}
"""

DENORMAL = r"""
extern "C" __global__ void denormals_flushed(const float* x, const double* y, float* out, double* wide,
                                             int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    out[i] = x[i];                                             // a copy keeps them
    out[n + i] = x[i] * 2.0f;                                  // arithmetic with -ftz=true does not
    out[2 * n + i] = x[i] * 0.0009765625f;
    out[3 * n + i] = x[i] > 0.0f ? 1.0f : 0.0f;
    wide[i] = y[i] * 0.25;                                     // doubles always keep them
}
"""

DOUBLE_SERIES = r"""
extern "C" __global__ void double_precision_series(double* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    double x = (i + 1) / (double)n, term = 1.0, sum = 1.0;
    for (int k = 1; k < 30; ++k) {
        term *= x / k;
        sum += term;
    }
    out[i] = sum;
    out[n + i] = (double)(float)sum - sum;
}
"""

LCG = r"""
extern "C" __global__ void lcg_monte_carlo(unsigned long long* hits, unsigned long long* last, int rounds) {
    unsigned long long i = blockIdx.x * blockDim.x + threadIdx.x, s = i * 0x9E3779B97F4A7C15ull + 1, inside =
        0;
    for (int k = 0; k < rounds; ++k) {
        s = s * 6364136223846793005ull + 1442695040888963407ull;
        unsigned x = (unsigned)(s >> 33);
        s = s * 6364136223846793005ull + 1442695040888963407ull;
        unsigned y = (unsigned)(s >> 33);
        inside += (unsigned long long)x * x + (unsigned long long)y * y < (1ull << 62);
    }
    last[i] = s;
    atomicAdd(hits, inside);
}
"""

XORSHIFT = r"""
extern "C" __global__ void xorshift_star(const unsigned long long* seed, unsigned long long* out, int n,
                                         int steps) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned long long s = seed[i];
    for (int k = 0; k < steps; ++k) {
        s ^= s >> 12;
        s ^= s << 25;
        s ^= s >> 27;
    }
    out[i] = s * 2685821657736338717ull;
}
"""

PHILOX = r"""
struct Counter { unsigned v[4]; };
__device__ Counter philox_4x32_10(Counter c, unsigned key0, unsigned key1) {
    for (int round = 0; round < 10; ++round) {
        unsigned high0 = __umulhi(0xD2511F53u, c.v[0]), low0 = 0xD2511F53u * c.v[0];
        unsigned high1 = __umulhi(0xCD9E8D57u, c.v[2]), low1 = 0xCD9E8D57u * c.v[2];
        c = {{high1 ^ c.v[1] ^ key0, low1, high0 ^ c.v[3] ^ key1, low0}};
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return c;
}
extern "C" __global__ void philox(const uint4* counter, const uint2* key, uint4* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    uint4 c = counter[i];
    Counter r = philox_4x32_10({{c.x, c.y, c.z, c.w}}, key[i].x, key[i].y);
    out[i] = make_uint4(r.v[0], r.v[1], r.v[2], r.v[3]);
}
"""

PHILOX_64 = r"""
__device__ void round_64(unsigned long long* c, const unsigned long long* k) {
    unsigned long long high0 = __umul64hi(0xD2E7470EE14C6C93ull, c[0]), low0 = 0xD2E7470EE14C6C93ull * c[0];
    unsigned long long high1 = __umul64hi(0xCA5A826395121157ull, c[2]), low1 = 0xCA5A826395121157ull * c[2];
    c[0] = high1 ^ c[1] ^ k[0], c[1] = low1, c[2] = high0 ^ c[3] ^ k[1], c[3] = low0;
}
extern "C" __global__ void philox_4x64(unsigned long long key0, unsigned long long key1, unsigned long long*
                                       out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    // NumPy counts from 1
    unsigned long long c[4] = {(unsigned long long)i + 1, 0, 0, 0}, k[2] = {key0, key1};
    for (int round = 0; round < 10; ++round) {
        if (round) k[0] += 0x9E3779B97F4A7C15ull, k[1] += 0xBB67AE8584CAA73Bull;
        round_64(c, k);
    }
    for (int j = 0; j < 4; ++j) out[4 * i + j] = c[j];
}
"""

BOX_MULLER = r"""
extern "C" __global__ void box_muller(const unsigned* bits, float2* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float u = (bits[2 * i] + 0.5f) * 2.3283064365386963e-10f, v = (bits[2 * i + 1] + 0.5f) *
        2.3283064365386963e-10f;
    float radius = sqrtf(-2.0f * logf(u)), s, c;
    sincospif(2.0f * v, &s, &c);
    out[i] = make_float2(radius * c, radius * s);
}
"""

HALF_AXPY = r"""
#include <cuda_fp16.h>
extern "C" __global__ void half_axpy(float a, const half* x, const half* y, half* out, float* back, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    half h = __float2half(a);
    half r = __hfma(h, x[i], y[i]);
    out[i] = __hgt(r, __float2half(0.0f)) ? r : __hmul(r, __float2half(0.5f));
    back[i] = __half2float(x[i]) + __half2float(__hadd(x[i], y[i]));
}
"""

HALF2 = r"""
#include <cuda_fp16.h>
extern "C" __global__ void half2_polynomial(const half2* x, half2* out, float* sum, int pairs) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float v = 0.0f;
    if (i < pairs) {
        half2 p = __hfma2(x[i], x[i], __float2half2_rn(0.25f));
        out[i] = __hadd2(__hmul2(p, x[i]), __halves2half2(__high2half(x[i]), __low2half(x[i])));
        float2 f = __half22float2(p);
        v = f.x + f.y;
    }
    for (int d = 16; d; d /= 2) v += __shfl_down_sync(0xffffffff, v, d);
    if (threadIdx.x % 32 == 0) atomicAdd(sum, v);
}
"""

HALF_BITS = r"""
#include <cuda_fp16.h>
extern "C" __global__ void half_every_bit_pattern(float* wide, half* back, unsigned first, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned bits = (first + (unsigned)i * 17u) & 0xffffu;
    float v = __half2float(__ushort_as_half((unsigned short)bits));
    wide[i] = v;
    back[i] = __float2half_rn(v * 1.0009765625f);
}
"""

COMPLEX = r"""
struct Complex {
    float re, im;
    __device__ Complex(float r = 0.0f, float i = 0.0f) : re(r), im(i) {}
    __device__ Complex operator+(const Complex& o) const { return Complex(re + o.re, im + o.im); }
    __device__ Complex operator*(const Complex& o) const { return Complex(re * o.re - im * o.im, re * o.im +
        im * o.re); }
    __device__ float norm() const { return re * re + im * im; }
};
extern "C" __global__ void complex_horner(const float2* z, const float2* c, int degree, float2* out, float*
                                          norm, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    Complex x(z[i].x, z[i].y), sum;
    for (int k = degree; k >= 0; --k) sum = sum * x + Complex(c[k].x, c[k].y);
    out[i] = make_float2(sum.re, sum.im);
    norm[i] = sum.norm();
}
"""

CU_COMPLEX = r"""
#include <cuComplex.h>
extern "C" __global__ void cu_complex_newton(const cuFloatComplex* start, cuFloatComplex* out, float* size,
                                             int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    cuFloatComplex z = start[i], third = make_cuFloatComplex(1.0f / 3, 0.0f), two = make_cuFloatComplex(2.0f,
        0.0f);
    for (int k = 0; k < 12; ++k) {                             // roots of z^3 = 1
        cuFloatComplex square = cuCmulf(z, z);
        z = cuCmulf(third, cuCaddf(cuCmulf(two, z), cuCdivf(make_cuFloatComplex(1.0f, 0.0f), square)));
    }
    out[i] = z;
    size[i] = cuCabsf(z) + cuCrealf(z) * cuCimagf(z);
}
"""

SHA256 = r"""
__constant__ unsigned K[64];
__device__ unsigned rotate(unsigned v, int by) { return v >> by | v << (32 - by); }
extern "C" __global__ void sha256_one_block(const unsigned* message, unsigned* digest, int n) {
    int m = blockIdx.x * blockDim.x + threadIdx.x;
    if (m >= n) return;
    unsigned w[64], h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
        0x1f83d9ab, 0x5be0cd19};
    for (int t = 0; t < 16; ++t) w[t] = __byte_perm(message[m * 16 + t], 0, 0x0123);
    for (int t = 16; t < 64; ++t) {
        unsigned a = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3;
        unsigned b = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = w[t - 16] + a + w[t - 7] + b;
    }
    unsigned s[8];
    for (int j = 0; j < 8; ++j) s[j] = h[j];
#pragma unroll 1
    for (int t = 0; t < 64; ++t) {
        unsigned a = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + ((s[4] & s[5])
            ^ (~s[4] & s[6])) + K[t] + w[t];
        unsigned b = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2])
            ^ (s[1] & s[2]));
        for (int j = 7; j > 0; --j) s[j] = s[j - 1];
        s[4] += a;
        s[0] = a + b;
    }
    for (int j = 0; j < 8; ++j) digest[m * 8 + j] = h[j] + s[j];
}
"""

# --- oracles -----------------------------------------------------------------------------------------


def _rowwise(index, n, functions, wrap):
    """Rows of Python integers: `functions(a, b)` of argument rows 0 and 1, each wrapped by `wrap`."""

    def expected(arguments):
        pairs = [(int(a), int(b)) for a, b in zip(arguments[0][:n], arguments[1][:n], strict=True)]
        return {index: written(arguments[index], np.array([[wrap(f(a, b)) for a,
            b in pairs] for f in functions]))}

    return expected


def _signed(value, bits):
    return (value + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


def _reversed(value, bits):
    return int(f"{value:0{bits}b}"[::-1], 2)


def _first_set(value):
    return (value & -value).bit_length()


def _bits(arguments):
    n, rows = 150, []
    for v, w in zip(arguments[0][:n].tolist(), arguments[0][:n][::-1].tolist(), strict=True):
        both = w << 32 | v
        lanes = [*v.to_bytes(4, "little"), *w.to_bytes(4, "little")]
        rows.append([
            v.bit_count(), 32 - v.bit_length(), _reversed(v, 32), _first_set(v), both.bit_count(),
            64 - both.bit_length(), _reversed(both, 64) % 2**32, _first_set(both),
            int.from_bytes([lanes[k] for k in (6, 4, 2, 0)], "little"), (both << (v & 31)) >> 32 & 0xFFFFFFFF,
            both >> (w & 31) & 0xFFFFFFFF, (v << 7 | v >> 25) & 0xFFFFFFFF,
            ((v & w) ^ (~v & 0x0F0F0F0F) ^ (v | w)) & 0xFFFFFFFF])  # fmt: skip
    return {1: written(arguments[1], np.array(rows, np.uint32).T)}


_SHIFTS = (
    lambda v, s: v >> (s & 31), lambda v, s: v % 2**32 >> (s & 31), lambda v, s: _signed(v << (s & 31), 32),
    lambda v, s: v << (s & 31), lambda v, s: _signed(v + 2000000000, 32), lambda v, s: _signed(v * v, 32),
    lambda v, s: v * v, lambda v, s: _signed(v * 4294967297, 64) >> (s & 63),
    lambda v, s: _signed(v, 16) + _signed(v, 8), lambda v, s: v % 2**16 - v % 2**8,
)  # fmt: skip


def _wide(a, b):
    return (a % 2**32) << 32 | b % 2**32


def _dp4a(a, b):
    return 1000 + sum(_signed(a >> 8 * k, 8) * _signed(b >> 8 * k, 8) for k in range(4))


_HIGH = (
    lambda a, b: (a * b >> 32) % 2**32, lambda a, b: (a % 2**32) * (b % 2**32) >> 32,
    lambda a, b: _wide(a, b) * (2**64 - 1 - _wide(a, b)) >> 64,
    lambda a, b: _signed(a, 24) * _signed(b, 24) % 2**32, lambda a, b: abs((a >> 1) - (b >> 1)) + 7,
    lambda a, b: _dp4a(a, b) % 2**32, lambda a, b: (_wide(a, b) ** 2 + 12345) % 2**64,
)  # fmt: skip


def _high(arguments):
    n = 120
    pairs = [(int(a), int(b)) for a, b in zip(arguments[0][:n], arguments[1][:n], strict=True)]
    return {2: written(arguments[2], np.array([[f(a, b) for a, b in pairs] for f in _HIGH], np.uint64))}


def _truncated(a, b):
    q = abs(a) // abs(b)
    return q if (a < 0) == (b < 0) else -q


def _remainder(a, b):
    return a - b * _truncated(a, b)


def _division(arguments):
    columns = []
    for a, b, c, d in zip(*(v[:140].tolist() for v in arguments[:4]), strict=True):
        u, v = a % 2**32, b % 2**32
        columns.append([
            _truncated(a, b), _remainder(a, b), u // v, u % v, _truncated(c, d), _remainder(c, d),
            c % 2**64 // 10,
            _truncated(a, 7) + _remainder(a, 16) + _truncated(a, 8), u % 1000003])  # fmt: skip
    return {4: written(arguments[4], np.array(columns, np.int64).T)}


def _division_arguments(rng):
    a, b = rng.integers(-(2**31) + 1, 2**31, (2, 140))
    c, d = rng.integers(-(2**62), 2**62, (2, 140)) >> rng.integers(0, 40, 140)
    return [padded(a, np.int32), padded(_nonzero(b >> rng.integers(0, 30, 140)), np.int32), padded(c,
        np.int64),
            padded(_nonzero(d), np.int64), blank(9 * 140, np.int64), np.int32(140)]  # fmt: skip


def _nonzero(values):
    return np.where(values == 0, 3, values)


def _conversions(arguments):
    x = arguments[0][:160]
    wide = x.astype(np.float64)
    integers = [np.rint(x), np.trunc(x), np.ceil(x), np.floor(x), np.trunc(x), np.trunc(x) % 256, np.rint(x),
                np.trunc(wide * 1000.0)]  # fmt: skip
    half_away = np.copysign(np.floor(np.abs(wide) + 0.5), wide)
    millions = np.trunc((x * np.float32(1e6)).astype(np.float64))
    rounded = [np.floor(x), np.ceil(x), np.trunc(x), np.rint(x), half_away, np.fmod(wide, 0.75), millions,
        wide / 3.0]
    return {1: written(arguments[1], np.array(integers).astype(np.int64)), 2: written(arguments[2],
        np.array(rounded))}


def _quarters(rng):
    values = np.concatenate([np.arange(-40, 40) / 4, rng.normal(size=80) * 100])
    return [padded(values), blank(8 * 160, np.int32), blank(8 * 160), np.int32(160)]


_EDGES = np.array([0.0, -0.0, 1.5, -1.5, 2.5, 3e9, -3e9, 5e9, 1e19, -1e19, np.inf, -np.inf, np.nan,
    2147483520.0,
                   -2147483648.0, 4294967040.0, 0.5, -0.5, 9.3e18, 1e-20])  # fmt: skip


def _clamped(value, low, high, rounding):
    if np.isnan(value):
        return None
    if np.isinf(value):
        return high if value > 0 else low
    return min(max(int(rounding(value)), low), high)


_RANGES = {"int": (-(2**31), 2**31 - 1), "uint": (0, 2**32 - 1), "ll": (-(2**63), 2**63 - 1)}


def _saturated(arguments):
    rows = []
    kinds = (("int", 0, np.trunc), ("uint", 0, np.trunc), ("ll", 0, np.trunc), ("int", 1, np.rint),
             ("uint", 1, np.trunc), ("ll", 1, np.trunc))  # fmt: skip
    for kind, which, rounding in kinds:
        values = [_clamped(float(v), *_RANGES[kind], rounding) for v in arguments[which][:20]]
        of_nan = {"int": 0 if which == 0 else -(2**31), "uint": 0 if which == 0 else 2**31,
        "ll": -(2**63)}[kind]
        rows.append([of_nan if v is None else v for v in values])
    return {2: written(arguments[2], np.array(rows, np.int64))}


def _round_to(exact: Fraction, mode: str) -> np.float32:
    """The float32 nearest to a rational number, or the one below, above or towards zero."""
    nearest = np.float32(float(exact)) if Fraction(float(exact)) == exact else _nearest(exact)
    if mode == "rn" or Fraction(float(nearest)) == exact:
        return nearest
    down = nearest if Fraction(float(nearest)) < exact else np.nextafter(nearest, np.float32(-np.inf))
    up = nearest if Fraction(float(nearest)) > exact else np.nextafter(nearest, np.float32(np.inf))
    return {"rd": down, "ru": up, "rz": down if exact > 0 else up}[mode]


def _nearest(exact: Fraction) -> np.float32:
    around = np.float32(float(exact))
    options = [np.nextafter(around, np.float32(-np.inf)), around, np.nextafter(around, np.float32(np.inf))]
    return min(options, key=lambda v: (abs(Fraction(float(v)) - exact), int(v.view(np.uint32)) & 1))


def _rounding(arguments):
    rows = []
    for a, b, c in zip(*(v[:80].tolist() for v in arguments[:3]), strict=True):
        p, q, r = Fraction(a), Fraction(b), Fraction(c)
        rows.append([*(_round_to(p + q, m) for m in ("rn", "rz", "ru", "rd")),
                     *(_round_to(p * q, m) for m in ("rn", "rz", "ru", "rd")),
                     *(_round_to(p * q + r, m) for m in ("rn", "rz", "ru", "rd")),
                     _round_to(p / q, "rn"), _round_to(p / q, "ru")])  # fmt: skip
    return {3: written(arguments[3], np.array(rows).T)}


def _fma64(arguments):
    x, y, z = (v[:90] for v in arguments[:3])
    exact = [float(Fraction(a) * Fraction(b) + Fraction(c)) for a, b, c in zip(x.tolist(), y.tolist(),
        z.tolist(), strict=True)]
    return {3: written(arguments[3], np.stack([exact, x * y + z, x / y, np.sqrt(np.abs(x))]))}


def _fma64_arguments(rng):
    x, y = rng.normal(size=(2, 90))
    return [padded(x, np.float64), padded(y, np.float64), padded(-x * y * (1 + rng.integers(0, 2, 90)),
        np.float64),
            blank(360, np.float64), np.int32(90)]  # fmt: skip


_SPECIALS = np.array([0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan, 3e38, -3e38, 2e-38])


def _special(arguments):
    a, b = arguments[0][:100], arguments[1][:100]
    with np.errstate(all="ignore"):
        order = ((a < b) + 2 * (a <= b) + 4 * (a == b) + 8 * (a != b) + 16 * ~(a < b) + 32 * ~(a >= b))
        flags = np.stack([np.isnan(a), np.isinf(a), np.signbit(a), order, np.isfinite(a)])
        values = np.stack([_minimum(a, b), -_minimum(-a, -b), np.copysign(a, b), np.abs(a), -a, a * b, a + b,
                           np.where(a < b, a, b)])  # fmt: skip
    return {2: written(arguments[2], flags), 3: written(arguments[3], values)}


_TINY = np.array([1e-38, -1e-38, 1e-45, 1.2e-38, 2e-38, 1e-36, 1.1754942e-38, 1.1754944e-38, 0.0, -0.0],
    np.float32)


def _flushed(values):
    small = np.abs(values) < 2.0**-126
    return np.where(small, np.copysign(0.0, values), values)


def _denormals(arguments):
    x = arguments[0][:100]
    seen = _flushed(x.astype(np.float64))
    rows = x, _flushed(seen * 2), _flushed(seen / 1024), seen > 0
    return {2: written(arguments[2], np.stack(rows)), 3: written(arguments[3], arguments[1][:100] / 4)}


def _minimum(a, b):
    return np.fmin(a, b)


def _special_arguments(rng):
    a, b = np.meshgrid(_SPECIALS, _SPECIALS)
    return [padded(a), padded(b), blank(500, np.int32), blank(800), np.int32(100)]


def _series(arguments):
    e = np.exp((np.arange(200) + 1) / 200)
    return {0: written(arguments[0], np.stack([e, e.astype(np.float32) - e]))}


_M = 2**64


def _lcg(arguments):
    rounds, hits, last = int(arguments[2]), 0, []
    for i in range(3 * 50):
        s = (i * 0x9E3779B97F4A7C15 + 1) % _M
        draws = []
        for _ in range(2 * rounds):
            s = (s * 6364136223846793005 + 1442695040888963407) % _M
            draws.append(s >> 33)
        hits += sum(x * x + y * y < 2**62 for x, y in zip(draws[::2], draws[1::2], strict=True))
        last.append(s)
    return {0: np.array([hits], np.uint64), 1: written(arguments[1], np.array(last, np.uint64))}


def _xorshift_matrix():
    """One step as a linear map over GF(2): columns are the images of the 64 unit vectors."""
    columns = []
    for bit in range(64):
        s = 1 << bit
        s ^= s >> 12
        s ^= s << 25 & _M - 1
        columns.append(s ^ s >> 27)
    return columns


def _apply(columns, s):
    result = 0
    for bit in range(64):
        result ^= columns[bit] if s >> bit & 1 else 0
    return result


def _xorshift(arguments):
    power, step, result = _xorshift_matrix(), int(arguments[3]), [1 << b for b in range(64)]
    while step:                                    # the matrix to the power `steps`, by squaring
        if step & 1:
            result = [_apply(power, c) for c in result]
        power = [_apply(power, c) for c in power]
        step >>= 1
    out = [_apply(result, int(s)) * 2685821657736338717 % _M for s in arguments[0][:130]]
    return {1: written(arguments[1], np.array(out, np.uint64))}


# test vectors of Random123 (kat_vectors, philox4x32 10): counter, key, result
_PHILOX = (
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
     (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
)  # fmt: skip


def _philox_rows(which):
    return np.array([_PHILOX[i * i % 3][which] for i in range(100)], np.uint32)


def _philox_64(arguments):
    key = int(arguments[1]) << 64 | int(arguments[0])
    draws = np.random.Philox(key=key, counter=0).random_raw(4 * 90)
    return {2: written(arguments[2], draws)}


def _box_muller(arguments):
    u, v = ((arguments[0][:300].astype(np.float64) + 0.5) / 2**32).reshape(150, 2).T
    radius = np.sqrt(-2 * np.log(u))
    return {1: written(arguments[1], np.stack([radius * np.cos(2 * np.pi * v),
        radius * np.sin(2 * np.pi * v)], 1))}


def _half_axpy(arguments):
    x, y = body(arguments[1], 200), body(arguments[2], 200)
    r = (1.5 * x + y).astype(np.float16)
    out = np.where(r > 0, r, (r.astype(np.float64) * 0.5).astype(np.float16))
    return {3: written(arguments[3], out), 4: written(arguments[4], x + (x + y).astype(np.float16))}


def _half2(arguments):
    x = body(arguments[0], 140, 2)
    p = (x * x + 0.25).astype(np.float16).astype(np.float64)
    out = ((p * x).astype(np.float16).astype(np.float64) + x[:, ::-1]).astype(np.float16)
    return {1: written(arguments[1], out), 2: written(arguments[2], p.sum())}


def _half_bits(arguments):
    bits = (int(arguments[2]) + np.arange(4000, dtype=np.int64) * 17) % 2**16
    values = bits.astype(np.uint16).view(np.float16)
    with np.errstate(over="ignore", invalid="ignore"):
        back = (values.astype(np.float64) * 1.0009765625).astype(np.float16)
    return {0: written(arguments[0], values), 1: written(arguments[1], back)}


def _pairs(values):
    return np.stack([values.real, values.imag], -1)


def _horner(arguments):
    z = body(arguments[0], 160, 2) @ [1, 1j]
    c = body(arguments[1], 6, 2) @ [1, 1j]
    value = np.polynomial.polynomial.polyval(z, c)
    return {3: written(arguments[3], _pairs(value)), 4: written(arguments[4], np.abs(value) ** 2)}


def _newton(arguments):
    roots = np.exp(2j * np.pi * np.arange(3) / 3)
    z = body(arguments[0], 150, 2) @ [1, 1j]
    root = roots[np.abs(z[:, None] - roots).argmin(1)]
    return {1: written(arguments[1], _pairs(root)), 2: written(arguments[2], 1 + root.real * root.imag)}


def _near_roots(rng):
    roots = np.exp(2j * np.pi * rng.integers(0, 3, 150) / 3)
    z = roots + 0.2 * (rng.uniform(-1, 1, (2, 150)).T @ [1, 1j])
    return [padded(_pairs(z), tail=8), blank(300, tail=8), blank(150), np.int32(150)]


def _messages(rng):
    lengths = rng.integers(0, 56, 70)
    blocks = []
    for length in lengths:
        text = rng.bytes(int(length))
        blocks.append(text + b"\x80" + bytes(55 - length) + (8 * int(length)).to_bytes(8, "big"))
    return [padded(np.frombuffer(b"".join(blocks), np.uint32), np.uint32), blank(560, np.uint32),
        np.int32(70)]


def _digests(arguments):
    out = []
    for block in arguments[0][: 70 * 16].reshape(70, 16):
        data = block.tobytes()
        text = data[: int.from_bytes(data[56:], "big") // 8]
        out.append(np.frombuffer(hashlib.sha256(text).digest(), ">u4"))
    return {1: written(arguments[1], np.stack(out))}


def _primes(count):
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % p for p in found):
            found.append(number)
        number += 1
    return found


def _cube_root_bits(p):
    """First 32 bits of the fractional part of the cube root of p, by integer bisection."""
    low, high = 0, 1 << 40
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**3 <= p << 96 else (low, middle)
    return low % 2**32


def _ints(rng, low, high, count, dtype=np.int32):
    return padded(rng.integers(low, high, count), dtype)


def _edges_and_random(rng, count, dtype=np.uint32):
    edges = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 0x80000001, 0x00FF00FF]
    values = np.concatenate([edges, rng.integers(0, 2**32, count - len(edges)) >> rng.integers(0, 32,
        count - len(edges))])
    return padded(values.astype(np.uint32).view(dtype), dtype)


_ROUNDING_MODES = "the shim has only the rounding to nearest"
_SATURATION = "out of range conversions are undefined in C++"

KERNELS = (
    Kernel(
        name="bit_intrinsics", source=BITS, grid=(3,), block=(64,),
        arguments=lambda rng: [_edges_and_random(rng, 150), blank(13 * 150, np.uint32), np.int32(150)],
        expected=_bits, tags=frozenset({"bits"}),
    ),
    Kernel(
        name="shifts_and_overflow", source=SHIFTS, grid=(3,), block=(64,),
        arguments=lambda rng: [_edges_and_random(rng, 140, np.int32), _ints(rng, 0, 64, 140), blank(1400,
            np.int64),
                               np.int32(140)],
        expected=_rowwise(2, 140, _SHIFTS, lambda v: v), tags=frozenset({"bits"}),
    ),
    Kernel(
        name="high_products", source=HIGH, grid=(3,), block=(48,),
        arguments=lambda rng: [_edges_and_random(rng, 120, np.int32), _ints(rng, -2**31, 2**31, 120),
                               blank(7 * 120, np.uint64), np.int32(120)],
        expected=_high, tags=frozenset({"bits"}),
    ),
    Kernel(
        name="integer_division", source=DIVISION, grid=(3,), block=(64,), arguments=_division_arguments,
        expected=_division,
    ),
    Kernel(name="conversions", source=CONVERT, grid=(3,), block=(64,), arguments=_quarters,
        expected=_conversions),
    Kernel(
        name="conversions_saturate", source=SATURATE, grid=(3,), block=(8,),
        arguments=lambda rng: [padded(_EDGES), padded(_EDGES, np.float64), blank(120, np.int64),
            np.int32(20)],
        expected=_saturated, skip={"cpu": _SATURATION},
    ),
    Kernel(
        name="rounding_modes", source=ROUNDING, grid=(3,), block=(32,),
        arguments=lambda rng: [padded(rng.normal(size=80)), padded(rng.normal(size=80) * 1e-3),
            padded(rng.normal(size=80)),
                               blank(14 * 80), np.int32(80)],
        expected=_rounding, skip={"cpu": _ROUNDING_MODES}, tags=frozenset({"rounding"}),
    ),
    Kernel(
        name="fma_f64_exact", source=FMA64, grid=(3,), block=(32,), arguments=_fma64_arguments,
        expected=_fma64,
        skip={"cpu": _ROUNDING_MODES}, tags=frozenset({"rounding", "float64"}),
    ),
    Kernel(
        name="special_values", source=SPECIAL, grid=(4,), block=(32,), arguments=_special_arguments,
        expected=_special,
    ),
    Kernel(
        name="denormals_flushed", source=DENORMAL, grid=(4,), block=(32,),
        arguments=lambda rng: [padded(np.tile(_TINY, 10)), padded(np.tile([4e-308, 5e-324, 1e-310, 1,
            2e-308], 20), np.float64),
                               blank(400), blank(100, np.float64), np.int32(100)],
        expected=_denormals, skip={"cpu": "C++ keeps denormal floats"}, tags=frozenset({"float64"}),
    ),
    Kernel(
        name="double_precision_series", source=DOUBLE_SERIES, grid=(4,), block=(64,),
        arguments=lambda rng: [blank(400, np.float64), np.int32(200)], expected=_series,
        rtol=1e-14, atol=5e-15, reason="30 terms in another order", tags=frozenset({"float64"}),
    ),
    Kernel(
        name="lcg_monte_carlo", source=LCG, grid=(3,), block=(50,),
        arguments=lambda rng: [np.zeros(1, np.uint64), blank(150, np.uint64), np.int32(40)],
        expected=_lcg, tags=frozenset({"random", "atomics"}),
    ),
    Kernel(
        name="xorshift_star", source=XORSHIFT, grid=(3,), block=(64,),
        arguments=lambda rng: [_ints(rng, 1, 2**63 - 1, 130, np.uint64), blank(130, np.uint64), np.int32(130),
                               np.int32(53)],
        expected=_xorshift, tags=frozenset({"random"}),
    ),
    Kernel(
        name="philox", source=PHILOX, grid=(4,), block=(32,),
        arguments=lambda rng: [padded(_philox_rows(0), np.uint32, 8), padded(_philox_rows(1), np.uint32, 8),
                               blank(400, np.uint32, 8), np.int32(100)],
        expected=lambda a: {2: written(a[2], _philox_rows(2))}, tags=frozenset({"random", "struct"}),
    ),
    Kernel(
        name="philox_4x64", source=PHILOX_64, grid=(3,), block=(32,),
        arguments=lambda rng: [np.uint64(0x0123456789ABCDEF), np.uint64(0xFEDCBA9876543210), blank(360,
            np.uint64),
                               np.int32(90)],
        expected=_philox_64, tags=frozenset({"random"}),
    ),
    Kernel(
        name="box_muller", source=BOX_MULLER, grid=(3,), block=(64,),
        arguments=lambda rng: [padded(rng.integers(0, 2**32, 300), np.uint32), blank(300, tail=8),
            np.int32(150)],
        expected=_box_muller, rtol=1e-4, atol=2e-5, reason="the uniform number is rounded to float32",
        tags=frozenset({"random"}),
    ),
    Kernel(
        name="half_axpy", source=HALF_AXPY, grid=(4,), block=(64,),
        arguments=lambda rng: [np.float32(1.5), padded(rng.normal(size=200), np.float16),
                               padded(rng.normal(size=200), np.float16), blank(200, np.float16), blank(200),
                               np.int32(200)],
        expected=_half_axpy, tags=frozenset({"half"}),
    ),
    Kernel(
        name="half2_polynomial", source=HALF2, grid=(3,), block=(64,),
        arguments=lambda rng: [padded(rng.normal(size=280), np.float16, 8), blank(280, np.float16, 8),
                               written(blank(1), 0), np.int32(140)],
        expected=_half2, rtol=1e-6, atol=2e-3, reason="only the float sum may differ: its order is open",
        tags=frozenset({"half", "atomics"}),
    ),
    Kernel(
        name="half_every_bit_pattern", source=HALF_BITS, grid=(16,), block=(256,),
        arguments=lambda rng: [blank(4000), blank(4000, np.float16), np.uint32(3), np.int32(4000)],
        expected=_half_bits, tags=frozenset({"half"}),
    ),
    Kernel(
        name="complex_horner", source=COMPLEX, grid=(3,), block=(64,),
        arguments=lambda rng: [padded(rng.normal(size=320), tail=8), padded(rng.normal(size=12), tail=8),
            np.int32(5),
                               blank(320, tail=8), blank(160), np.int32(160)],
        expected=_horner, rtol=1e-4, atol=1e-3, reason="degree 5 in float32, with values in the hundreds",
        tags=frozenset({"complex"}),
    ),
    Kernel(
        name="cu_complex_newton", source=CU_COMPLEX, grid=(3,), block=(64,), arguments=_near_roots,
        expected=_newton,
        rtol=1e-5, atol=1e-6, reason="the roots themselves are rounded to float32",
        tags=frozenset({"complex"}),
    ),
    Kernel(
        name="sha256_one_block", source=SHA256, grid=(3,), block=(32,), arguments=_messages,
        expected=_digests,
        constants={"K": np.array([_cube_root_bits(p) for p in _primes(64)], np.uint32)},
        tags=frozenset({"local", "constant", "bits"}),
    ),
)  # fmt: skip
