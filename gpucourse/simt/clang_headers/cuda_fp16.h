// CUDA's half and half2.
#pragma once

struct __half_raw { unsigned short x; };
__GC_ASM1__(__gc_narrow, unsigned short, "h", float, "f", "cvt.rn.f16.f32")
__GC_ASM1__(__gc_narrow, unsigned short, "h", double, "d", "cvt.rn.f16.f64")
__GC_ASM1__(__gc_narrow, unsigned short, "h", int, "r", "cvt.rn.f16.s32")
__GC_ASM1__(__gc_narrow, unsigned short, "h", unsigned int, "r", "cvt.rn.f16.u32")
__GC_ASM1__(__gc_narrow, unsigned short, "h", long long, "l", "cvt.rn.f16.s64")
__GC_ASM1__(__gc_narrow, unsigned short, "h", unsigned long long, "l", "cvt.rn.f16.u64")
__GC_ASM1__(__gc_widen, float, "f", unsigned short, "h", "cvt.f32.f16")
#define __GC_H__ __attribute__((device, always_inline, nodebug))

struct __attribute__((aligned(2))) __half {
  unsigned short __x;
  __half() = default;
  __GC_H__ constexpr __half(const __half_raw& r) : __x(r.x) {}
  __GC_H__ __half(float v) : __x(__gc_narrow(v)) {}
  __GC_H__ __half(double v) : __x(__gc_narrow(v)) {}
  __GC_H__ __half(short v) : __x(__gc_narrow((int)v)) {}
  __GC_H__ __half(unsigned short v) : __x(__gc_narrow((int)v)) {}
  __GC_H__ __half(int v) : __x(__gc_narrow(v)) {}
  __GC_H__ __half(unsigned int v) : __x(__gc_narrow(v)) {}
  __GC_H__ __half(long v) : __x(__gc_narrow((long long)v)) {}
  __GC_H__ __half(unsigned long v) : __x(__gc_narrow((unsigned long long)v)) {}
  __GC_H__ __half(long long v) : __x(__gc_narrow(v)) {}
  __GC_H__ __half(unsigned long long v) : __x(__gc_narrow(v)) {}
  __GC_H__ operator __half_raw() const { return __half_raw{__x}; }
  __GC_H__ operator float() const { return __gc_widen(__x); }
  __GC_H__ operator bool() const { return (__x & 0x7fff) != 0; }
  __GC_H__ operator int() const { return __float2int_rz(__gc_widen(__x)); }
  __GC_H__ operator unsigned int() const { return __float2uint_rz(__gc_widen(__x)); }
  __GC_H__ operator short() const { return (short)__float2int_rz(__gc_widen(__x)); }
  __GC_H__ operator unsigned short() const { return (unsigned short)__float2uint_rz(__gc_widen(__x)); }
  __GC_H__ operator long long() const { return __float2ll_rz(__gc_widen(__x)); }
  __GC_H__ operator unsigned long long() const { return __float2ull_rz(__gc_widen(__x)); }
#define __GC_ASSIGN__(T) __GC_H__ __half& operator=(T v) { __x = __half(v).__x; return *this; }
  __GC_ASSIGN__(float) __GC_ASSIGN__(double) __GC_ASSIGN__(int) __GC_ASSIGN__(unsigned int)
};
typedef __half half;
typedef __half __nv_half;
__GC__ half __gc_half(unsigned short bits) { half h; h.__x = bits; return h; }

struct __attribute__((aligned(4))) __half2 {
  half x, y;
  __half2() = default;
  __GC_H__ __half2(half a, half b) : x(a), y(b) {}
};
typedef __half2 half2;
__GC__ unsigned int __gc_bits(half2 v) { return v.x.__x | (unsigned int)v.y.__x << 16; }
__GC__ half2 __gc_half2(unsigned int bits) { return half2(__gc_half((unsigned short)bits), __gc_half((unsigned short)(bits >> 16))); }

__GC__ half __float2half(float x) { return half(x); }
__GC__ half __float2half_rn(float x) { return half(x); }
__GC__ half __double2half(double x) { return half(x); }
__GC__ float __half2float(half x) { return __gc_widen(x.__x); }
#define __GC_TO_HALF__(m, p) \
  __GC__ half __float2half_##m##_(float x) { \
    unsigned short d; asm("cvt." p ".f16.f32 %0, %1;" : "=h"(d) : "f"(x)); return __gc_half(d); } \
  __GC__ int __half2int_##m(half x) { return __float2int_##m(__half2float(x)); } \
  __GC__ unsigned int __half2uint_##m(half x) { return __float2uint_##m(__half2float(x)); } \
  __GC__ long long __half2ll_##m(half x) { return __float2ll_##m(__half2float(x)); }
__GC_ROUND__(__GC_TO_HALF__)
__GC__ half __float2half_rz(float x) { return __float2half_rz_(x); }
__GC__ half __float2half_ru(float x) { return __float2half_ru_(x); }
__GC__ half __float2half_rd(float x) { return __float2half_rd_(x); }
__GC__ half __int2half_rn(int x) { return half(x); }
__GC__ half __uint2half_rn(unsigned int x) { return half(x); }
__GC__ half __short2half_rn(short x) { return half(x); }
__GC__ half __ushort2half_rn(unsigned short x) { return half(x); }
__GC__ half __ll2half_rn(long long x) { return half(x); }
__GC__ half __ushort_as_half(unsigned short bits) { return __gc_half(bits); }
__GC__ half __short_as_half(short bits) { return __gc_half((unsigned short)bits); }
__GC__ unsigned short __half_as_ushort(half x) { return x.__x; }
__GC__ short __half_as_short(half x) { return (short)x.__x; }

__GC__ half2 __halves2half2(half x, half y) { return half2(x, y); }
__GC__ half2 make_half2(half x, half y) { return half2(x, y); }
__GC__ half2 __half2half2(half x) { return half2(x, x); }
__GC__ half2 __float2half2_rn(float x) { return half2(half(x), half(x)); }
__GC__ half2 __floats2half2_rn(float x, float y) { return half2(half(x), half(y)); }
__GC__ half2 __float22half2_rn(float2 x) { return half2(half(x.x), half(x.y)); }
__GC__ float2 __half22float2(half2 x) { return float2{__half2float(x.x), __half2float(x.y)}; }
__GC__ half __low2half(half2 x) { return x.x; }
__GC__ half __high2half(half2 x) { return x.y; }
__GC__ float __low2float(half2 x) { return __half2float(x.x); }
__GC__ float __high2float(half2 x) { return __half2float(x.y); }
__GC__ half2 __low2half2(half2 x) { return half2(x.x, x.x); }
__GC__ half2 __high2half2(half2 x) { return half2(x.y, x.y); }
__GC__ half2 __lowhigh2highlow(half2 x) { return half2(x.y, x.x); }
__GC__ half2 __lows2half2(half2 x, half2 y) { return half2(x.x, y.x); }
__GC__ half2 __highs2half2(half2 x, half2 y) { return half2(x.y, y.y); }

#define __GC_HALF2ARY__(name, op) \
  __GC__ half name(half x, half y) { \
    unsigned short d; asm(op ".f16 %0, %1, %2;" : "=h"(d) : "h"(x.__x), "h"(y.__x)); return __gc_half(d); } \
  __GC__ half2 name##2(half2 x, half2 y) { \
    unsigned int d; asm(op ".f16x2 %0, %1, %2;" : "=r"(d) : "r"(__gc_bits(x)), "r"(__gc_bits(y))); return __gc_half2(d); }
__GC_HALF2ARY__(__hadd, "add")
__GC_HALF2ARY__(__hsub, "sub")
__GC_HALF2ARY__(__hmul, "mul")
__GC__ half __hadd_rn(half x, half y) { return __hadd(x, y); }
__GC__ half __hmul_rn(half x, half y) { return __hmul(x, y); }
__GC__ half __hfma(half x, half y, half z) {
  unsigned short d;
  asm("fma.rn.f16 %0, %1, %2, %3;" : "=h"(d) : "h"(x.__x), "h"(y.__x), "h"(z.__x));
  return __gc_half(d);
}
__GC__ half2 __hfma2(half2 x, half2 y, half2 z) {
  unsigned int d;
  asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(d) : "r"(__gc_bits(x)), "r"(__gc_bits(y)), "r"(__gc_bits(z)));
  return __gc_half2(d);
}
__GC__ half __hneg(half x) { return __gc_half(x.__x ^ 0x8000); }
__GC__ half __habs(half x) { return __gc_half(x.__x & 0x7fff); }
__GC__ half2 __hneg2(half2 x) { return half2(__hneg(x.x), __hneg(x.y)); }
__GC__ half2 __habs2(half2 x) { return half2(__habs(x.x), __habs(x.y)); }
__GC__ half __hdiv(half x, half y) { return half(__half2float(x) / __half2float(y)); }
__GC__ half2 __h2div(half2 x, half2 y) { return half2(__hdiv(x.x, y.x), __hdiv(x.y, y.y)); }
#define __GC_HALF_COMPARE__(name, op) \
  __GC__ bool __h##name(half x, half y) { return __half2float(x) op __half2float(y); } \
  __GC__ half2 __h##name##2(half2 x, half2 y) { return half2(half(__h##name(x.x, y.x) ? 1.0f : 0.0f), half(__h##name(x.y, y.y) ? 1.0f : 0.0f)); } \
  __GC__ bool __hb##name##2(half2 x, half2 y) { return __h##name(x.x, y.x) && __h##name(x.y, y.y); } \
  __GC__ bool operator op(half x, half y) { return __h##name(x, y); }
__GC_HALF_COMPARE__(eq, ==)
__GC_HALF_COMPARE__(ne, !=)
__GC_HALF_COMPARE__(lt, <)
__GC_HALF_COMPARE__(le, <=)
__GC_HALF_COMPARE__(gt, >)
__GC_HALF_COMPARE__(ge, >=)
__GC__ bool __hisnan(half x) { return (x.__x & 0x7fff) > 0x7c00; }
__GC__ int __hisinf(half x) { return (x.__x & 0x7fff) == 0x7c00 ? (x.__x >> 15 ? -1 : 1) : 0; }
__GC__ half __hmin(half x, half y) { return half(fminf(__half2float(x), __half2float(y))); }
__GC__ half __hmax(half x, half y) { return half(fmaxf(__half2float(x), __half2float(y))); }
__GC__ half2 __hmin2(half2 x, half2 y) { return half2(__hmin(x.x, y.x), __hmin(x.y, y.y)); }
__GC__ half2 __hmax2(half2 x, half2 y) { return half2(__hmax(x.x, y.x), __hmax(x.y, y.y)); }
#define __GC_HALF_FUNCTION__(name, of) \
  __GC__ half h##name(half x) { return half(of(__half2float(x))); } \
  __GC__ half2 h2##name(half2 x) { return half2(h##name(x.x), h##name(x.y)); }
__GC_HALF_FUNCTION__(exp, expf) __GC_HALF_FUNCTION__(exp2, exp2f) __GC_HALF_FUNCTION__(exp10, exp10f)
__GC_HALF_FUNCTION__(log, logf) __GC_HALF_FUNCTION__(log2, log2f) __GC_HALF_FUNCTION__(log10, log10f)
__GC_HALF_FUNCTION__(sin, sinf) __GC_HALF_FUNCTION__(cos, cosf) __GC_HALF_FUNCTION__(sqrt, sqrtf)
__GC_HALF_FUNCTION__(rsqrt, rsqrtf) __GC_HALF_FUNCTION__(rcp, 1.0f /) __GC_HALF_FUNCTION__(floor, floorf)
__GC_HALF_FUNCTION__(ceil, ceilf) __GC_HALF_FUNCTION__(trunc, truncf) __GC_HALF_FUNCTION__(rint, rintf)

#define __GC_HALF_OPERATOR__(op, f, f2) \
  __GC__ half operator op(half x, half y) { return f(x, y); } \
  __GC__ half2 operator op(half2 x, half2 y) { return f2(x, y); } \
  __GC__ half& operator op##=(half& x, half y) { return x = f(x, y); } \
  __GC__ half2& operator op##=(half2& x, half2 y) { return x = f2(x, y); }
__GC_HALF_OPERATOR__(+, __hadd, __hadd2)
__GC_HALF_OPERATOR__(-, __hsub, __hsub2)
__GC_HALF_OPERATOR__(*, __hmul, __hmul2)
__GC_HALF_OPERATOR__(/, __hdiv, __h2div)
__GC__ half operator-(half x) { return __hneg(x); }
__GC__ half2 operator-(half2 x) { return __hneg2(x); }

#define __GC_HALF_SHUFFLE__(name, L) \
  __GC__ half name(unsigned int mask, half x, L lane, int width = 32) { \
    return __gc_half((unsigned short)name(mask, (unsigned int)x.__x, lane, width)); } \
  __GC__ half2 name(unsigned int mask, half2 x, L lane, int width = 32) { \
    return __gc_half2(name(mask, __gc_bits(x), lane, width)); }
__GC_HALF_SHUFFLE__(__shfl_sync, int)
__GC_HALF_SHUFFLE__(__shfl_up_sync, unsigned int)
__GC_HALF_SHUFFLE__(__shfl_down_sync, unsigned int)
__GC_HALF_SHUFFLE__(__shfl_xor_sync, int)

__GC__ half atomicAdd(half* p, half x) {
  unsigned short d;
  asm volatile("atom.add.noftz.f16 %0, [%1], %2;" : "=h"(d) : "l"(p), "h"(x.__x) : "memory");
  return __gc_half(d);
}
__GC__ half2 atomicAdd(half2* p, half2 x) {
  unsigned int d;
  asm volatile("atom.add.noftz.f16x2 %0, [%1], %2;" : "=r"(d) : "l"(p), "r"(__gc_bits(x)) : "memory");
  return __gc_half2(d);
}
