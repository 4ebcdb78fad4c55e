// CUDA's mathematical functions for clang: one instruction where PTX has one, else the simulator's `__nv_NAME`.
#pragma once

// --- approximations: one instruction of PTX, or two -------------------------------------------------------------------

#define __GC_L2E__ 1.4426950408889634f
#define __GC_LN2__ 0.6931471805599453f
__GC_ASM1__(__gc_ex2, float, "f", float, "f", "ex2.approx.ftz.f32")
__GC_ASM1__(__gc_lg2, float, "f", float, "f", "lg2.approx.ftz.f32")
__GC_ASM1__(__sinf, float, "f", float, "f", "sin.approx.ftz.f32")
__GC_ASM1__(__cosf, float, "f", float, "f", "cos.approx.ftz.f32")
__GC_ASM1__(__tanhf, float, "f", float, "f", "tanh.approx.f32")
__GC_ASM1__(__frsqrt_rn, float, "f", float, "f", "rsqrt.approx.ftz.f32")
__GC_ASM1__(__saturatef, float, "f", float, "f", "cvt.ftz.sat.f32.f32")
__GC_ASM2__(__fdividef, float, "f", float, "f", "div.approx.ftz.f32")
__GC__ float __expf(float x) { return __gc_ex2(x * __GC_L2E__); }
__GC__ float __exp10f(float x) { return __gc_ex2(x * 3.3219280948873623f); }
__GC__ float __log2f(float x) { return __gc_lg2(x); }
__GC__ float __logf(float x) { return __gc_lg2(x) * __GC_LN2__; }
__GC__ float __log10f(float x) { return __gc_lg2(x) * 0.3010299956639812f; }
__GC__ float __powf(float x, float y) { return __gc_ex2(y * __gc_lg2(x)); }
__GC__ float __tanf(float x) { return __fdividef(__sinf(x), __cosf(x)); }
__GC__ void __sincosf(float x, float* s, float* c) { *s = __sinf(x); *c = __cosf(x); }

// --- exact: instructions ---------------------------------------------------------------------------------------------

extern "C" {
__GC__ float fabsf(float x) { return __builtin_fabsf(x); }
__GC__ double fabs(double x) { return __builtin_fabs(x); }
__GC__ float fmaf(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
__GC__ double fma(double x, double y, double z) { return __builtin_fma(x, y, z); }
__GC__ float fminf(float x, float y) { return __builtin_fminf(x, y); }
__GC__ float fmaxf(float x, float y) { return __builtin_fmaxf(x, y); }
__GC__ double fmin(double x, double y) { return __builtin_fmin(x, y); }
__GC__ double fmax(double x, double y) { return __builtin_fmax(x, y); }
__GC__ float floorf(float x) { return __builtin_floorf(x); }
__GC__ double floor(double x) { return __builtin_floor(x); }
__GC__ float ceilf(float x) { return __builtin_ceilf(x); }
__GC__ double ceil(double x) { return __builtin_ceil(x); }
__GC__ float truncf(float x) { return __builtin_truncf(x); }
__GC__ double trunc(double x) { return __builtin_trunc(x); }
__GC__ float rintf(float x) { return __builtin_rintf(x); }
__GC__ double rint(double x) { return __builtin_rint(x); }
__GC__ float nearbyintf(float x) { return __builtin_rintf(x); }
__GC__ double nearbyint(double x) { return __builtin_rint(x); }
__GC__ float copysignf(float x, float y) { return __builtin_copysignf(x, y); }
__GC__ double copysign(double x, double y) { return __builtin_copysign(x, y); }
#ifdef __GC_FAST__
__GC_ASM1__(sqrtf, float, "f", float, "f", "sqrt.approx.ftz.f32")
#else
__GC__ float sqrtf(float x) { return __fsqrt_rn(x); }
#endif
__GC__ double sqrt(double x) { return __dsqrt_rn(x); }
__GC_ASM1__(rsqrtf, float, "f", float, "f", "rsqrt.approx.ftz.f32")
__GC__ float roundf(float x) { float t = truncf(x); return fabsf(x - t) >= 0.5f ? t + copysignf(1.0f, x) : copysignf(t, x); }
__GC__ double round(double x) { double t = trunc(x); return fabs(x - t) >= 0.5 ? t + copysign(1.0, x) : copysign(t, x); }
__GC__ long lrintf(float x) { return (long)__float2ll_rn(x); }
__GC__ long lrint(double x) { return (long)__double2ll_rn(x); }
__GC__ long long llrintf(float x) { return __float2ll_rn(x); }
__GC__ long long llrint(double x) { return __double2ll_rn(x); }
__GC__ long lroundf(float x) { return (long)__float2ll_rz(roundf(x)); }
__GC__ long lround(double x) { return (long)__double2ll_rz(round(x)); }
__GC__ long long llroundf(float x) { return __float2ll_rz(roundf(x)); }
__GC__ long long llround(double x) { return __double2ll_rz(round(x)); }
__GC__ float fdimf(float x, float y) { return x <= y ? 0.0f : x - y; }
__GC__ double fdim(double x, double y) { return x <= y ? 0.0 : x - y; }
__GC__ float fdividef(float x, float y) { return x / y; }
__GC__ int abs(int x) { return x < 0 ? -x : x; }
__GC__ long labs(long x) { return x < 0 ? -x : x; }
__GC__ long long llabs(long long x) { return x < 0 ? -x : x; }
__GC__ int __finitef(float x) { return fabsf(x) < __builtin_inff(); }
__GC__ int __isinff(float x) { return fabsf(x) == __builtin_inff(); }
__GC__ int __isnanf(float x) { return x != x; }
__GC__ int __signbitf(float x) { return __float_as_int(x) < 0; }
__GC__ float nanf(const char*) { return __int_as_float(0x7fffffff); }
__GC__ double nan(const char*) { return __longlong_as_double(0x7fffffffffffffffll); }
__GC__ unsigned int umin(unsigned int x, unsigned int y) { return x < y ? x : y; }
__GC__ unsigned int umax(unsigned int x, unsigned int y) { return x > y ? x : y; }
__GC__ long long llmin(long long x, long long y) { return x < y ? x : y; }
__GC__ long long llmax(long long x, long long y) { return x > y ? x : y; }
__GC__ unsigned long long ullmin(unsigned long long x, unsigned long long y) { return x < y ? x : y; }
__GC__ unsigned long long ullmax(unsigned long long x, unsigned long long y) { return x > y ? x : y; }
}

// --- the simulator's: float64 inside, rounded once --------------------------------------------------------------------

#define __GC_UNARY__(X) \
  X(sin) X(cos) X(tan) X(asin) X(acos) X(atan) X(sinh) X(cosh) X(tanh) X(asinh) X(acosh) X(atanh) X(exp) X(exp2) \
  X(exp10) X(expm1) X(log) X(log2) X(log10) X(log1p) X(cbrt) X(rcbrt) X(erf) X(erfc) X(erfcx) X(erfinv) X(erfcinv) \
  X(normcdf) X(normcdfinv) X(tgamma) X(lgamma) X(sinpi) X(cospi) X(logb)
#define __GC_BINARY__(X) X(pow) X(atan2) X(fmod) X(remainder) X(hypot) X(rhypot) X(nextafter)
extern "C" {
#define __GC_DECLARE__(name) \
  __GC_CONST__ double __nv_##name(double); \
  __GC_CONST__ float __nv_##name##f(float); \
  __GC__ double name(double x) { return __nv_##name(x); }
__GC_UNARY__(__GC_DECLARE__)
#undef __GC_DECLARE__
#define __GC_DECLARE__(name) \
  __GC_CONST__ double __nv_##name(double, double); \
  __GC_CONST__ float __nv_##name##f(float, float); \
  __GC__ double name(double x, double y) { return __nv_##name(x, y); } \
  __GC__ float name##f(float x, float y) { return __GC_NAME2__(name)(x, y); }
#ifdef __GC_FAST__
#define __GC_NAME2__(name) __gc2_##name
#define __gc2_pow __powf
#define __gc2_atan2 __nv_atan2f
#define __gc2_fmod __nv_fmodf
#define __gc2_remainder __nv_remainderf
#define __gc2_hypot __nv_hypotf
#define __gc2_rhypot __nv_rhypotf
#define __gc2_nextafter __nv_nextafterf
#else
#define __GC_NAME2__(name) __nv_##name##f
#endif
__GC_BINARY__(__GC_DECLARE__)
__GC_CONST__ double __nv_rsqrt(double);
__GC__ double rsqrt(double x) { return __nv_rsqrt(x); }
#define __GC_FLOAT__(name) __GC__ float name##f(float x) { return __nv_##name##f(x); }
#define __GC_ONLY_FLOAT__(X) \
  X(asin) X(acos) X(atan) X(sinh) X(cosh) X(asinh) X(acosh) X(atanh) X(exp2) X(expm1) X(log1p) X(cbrt) X(rcbrt) \
  X(erf) X(erfc) X(erfcx) X(erfinv) X(erfcinv) X(normcdf) X(normcdfinv) X(tgamma) X(lgamma) X(sinpi) X(cospi) X(logb)
__GC_ONLY_FLOAT__(__GC_FLOAT__)
#ifdef __GC_FAST__
#define __GC_EITHER__(name) __GC__ float name##f(float x) { return __##name##f(x); }
#else
#define __GC_EITHER__(name) __GC_FLOAT__(name)
#endif
__GC_EITHER__(sin) __GC_EITHER__(cos) __GC_EITHER__(tan) __GC_EITHER__(exp) __GC_EITHER__(exp10)
__GC_EITHER__(log) __GC_EITHER__(log2) __GC_EITHER__(log10) __GC_FLOAT__(tanh)
__GC__ void sincos(double x, double* s, double* c) { *s = sin(x); *c = cos(x); }
__GC__ void sincosf(float x, float* s, float* c) { *s = sinf(x); *c = cosf(x); }
__GC__ void sincospi(double x, double* s, double* c) { *s = sinpi(x); *c = cospi(x); }
__GC__ void sincospif(float x, float* s, float* c) { *s = sinpif(x); *c = cospif(x); }
__GC_CONST__ double __nv_ldexp(double, int);
__GC_CONST__ float __nv_ldexpf(float, int);
__GC_CONST__ int __nv_ilogb(double);
__GC_CONST__ double __nv_mantissa(double);
__GC_CONST__ int __nv_exponent(double);
__GC_CONST__ double __nv_jn(int, double);
__GC__ double jn(int n, double x) { return __nv_jn(n, x); }
__GC__ double j0(double x) { return __nv_jn(0, x); }
__GC__ double j1(double x) { return __nv_jn(1, x); }
__GC__ float jnf(int n, float x) { return (float)__nv_jn(n, x); }
__GC__ float j0f(float x) { return (float)__nv_jn(0, x); }
__GC__ float j1f(float x) { return (float)__nv_jn(1, x); }
__GC_CONST__ double __nv_powi(double, int);
__GC_CONST__ float __nv_powif(float, int);
__GC__ double ldexp(double x, int n) { return __nv_ldexp(x, n); }
__GC__ float ldexpf(float x, int n) { return __nv_ldexpf(x, n); }
__GC__ double scalbn(double x, int n) { return __nv_ldexp(x, n); }
__GC__ float scalbnf(float x, int n) { return __nv_ldexpf(x, n); }
__GC__ int ilogb(double x) { return __nv_ilogb(x); }
__GC__ int ilogbf(float x) { return __nv_ilogb(x); }
__GC__ double frexp(double x, int* n) { *n = __nv_exponent(x); return __nv_mantissa(x); }
__GC__ float frexpf(float x, int* n) { *n = __nv_exponent(x); return (float)__nv_mantissa(x); }
__GC__ double modf(double x, double* whole) {
  *whole = trunc(x);
  return copysign(__builtin_fabs(x) == __builtin_inf() ? 0.0 : x - *whole, x);
}
__GC__ float modff(float x, float* whole) {
  *whole = truncf(x);
  return copysignf(fabsf(x) == __builtin_inff() ? 0.0f : x - *whole, x);
}
__GC__ float norm3df(float x, float y, float z) { return (float)__dsqrt_rn((double)x * x + (double)y * y + (double)z * z); }
__GC__ double norm3d(double x, double y, double z) { return hypot(hypot(x, y), z); }
__GC__ float rnorm3df(float x, float y, float z) { return (float)(1.0 / __dsqrt_rn((double)x * x + (double)y * y + (double)z * z)); }
__GC__ float norm4df(float x, float y, float z, float w) {
  return (float)__dsqrt_rn((double)x * x + (double)y * y + (double)z * z + (double)w * w);
}
}

// --- C++: the same names for float, integers, and mixtures -------------------------------------------------------------

template <class T> struct __gc_is_integer { static constexpr bool value = false; };
#define __GC_INTEGER__(T) template <> struct __gc_is_integer<T> { static constexpr bool value = true; };
__GC_INTEGER__(bool) __GC_INTEGER__(char) __GC_INTEGER__(signed char) __GC_INTEGER__(unsigned char)
__GC_INTEGER__(short) __GC_INTEGER__(unsigned short) __GC_INTEGER__(int) __GC_INTEGER__(unsigned int)
__GC_INTEGER__(long) __GC_INTEGER__(unsigned long) __GC_INTEGER__(long long) __GC_INTEGER__(unsigned long long)
template <bool, class T> struct __gc_if {};
template <class T> struct __gc_if<true, T> { typedef T type; };
template <class T> struct __gc_number { static constexpr bool value = __gc_is_integer<T>::value; };
template <> struct __gc_number<float> { static constexpr bool value = true; };
template <> struct __gc_number<double> { static constexpr bool value = true; };
#define __GC_CPP1__(name) \
  __GC__ float name(float x) { return name##f(x); } \
  template <class T> __GC__ typename __gc_if<__gc_is_integer<T>::value, double>::type name(T x) { return name((double)x); }
__GC_UNARY__(__GC_CPP1__)
__GC_CPP1__(sqrt) __GC_CPP1__(rsqrt) __GC_CPP1__(floor) __GC_CPP1__(ceil) __GC_CPP1__(trunc) __GC_CPP1__(rint)
__GC_CPP1__(nearbyint) __GC_CPP1__(round) __GC_CPP1__(fabs)
#define __GC_CPP2__(name) \
  __GC__ float name(float x, float y) { return name##f(x, y); } \
  template <class A, class B> \
  __GC__ typename __gc_if<__gc_number<A>::value && __gc_number<B>::value, double>::type name(A x, B y) { \
    return name((double)x, (double)y); }
__GC_BINARY__(__GC_CPP2__)
__GC_CPP2__(fmin) __GC_CPP2__(fmax) __GC_CPP2__(copysign) __GC_CPP2__(fdim)
__GC__ float pow(float x, int n) { return powf(x, (float)n); }
__GC__ double pow(double x, int n) { return __nv_powi(x, n); }
__GC__ float fma(float x, float y, float z) { return fmaf(x, y, z); }
__GC__ float abs(float x) { return fabsf(x); }
__GC__ double abs(double x) { return fabs(x); }
__GC__ long abs(long x) { return labs(x); }
__GC__ long long abs(long long x) { return llabs(x); }
__GC__ long lrint(float x) { return lrintf(x); }
__GC__ long lround(float x) { return lroundf(x); }
__GC__ long long llrint(float x) { return llrintf(x); }
__GC__ long long llround(float x) { return llroundf(x); }
__GC__ float ldexp(float x, int n) { return ldexpf(x, n); }
__GC__ float scalbn(float x, int n) { return scalbnf(x, n); }
__GC__ float frexp(float x, int* n) { return frexpf(x, n); }
__GC__ float modf(float x, float* whole) { return modff(x, whole); }
__GC__ int ilogb(float x) { return ilogbf(x); }
__GC__ void sincos(float x, float* s, float* c) { sincosf(x, s, c); }
#define __GC_CLASS__(T, abs_of, infinity) \
  __GC__ bool isnan(T x) { return x != x; } \
  __GC__ bool isinf(T x) { return abs_of(x) == infinity; } \
  __GC__ bool isfinite(T x) { return abs_of(x) < infinity; }
__GC_CLASS__(float, fabsf, __builtin_inff())
__GC_CLASS__(double, fabs, __builtin_inf())
__GC__ bool signbit(float x) { return __float_as_int(x) < 0; }
__GC__ bool signbit(double x) { return __double_as_longlong(x) < 0; }

// min and max: of two equal types that type, else what C++ makes of `x + y` with CUDA's own overloads
#define __GC_MINMAX__(A, B, R) \
  __GCX__ R min(A x, B y) { return (R)x < (R)y ? (R)x : (R)y; } \
  __GCX__ R max(A x, B y) { return (R)x > (R)y ? (R)x : (R)y; }
#define __GC_PAIR__(S, U) __GC_MINMAX__(S, S, S) __GC_MINMAX__(U, U, U) __GC_MINMAX__(S, U, U) __GC_MINMAX__(U, S, U)
__GC_PAIR__(int, unsigned int)
__GC_PAIR__(long, unsigned long)
__GC_PAIR__(long long, unsigned long long)
__GC__ float min(float x, float y) { return fminf(x, y); }
__GC__ float max(float x, float y) { return fmaxf(x, y); }
__GC__ double min(double x, double y) { return fmin(x, y); }
__GC__ double max(double x, double y) { return fmax(x, y); }
__GC__ double min(float x, double y) { return fmin(x, y); }
__GC__ double max(float x, double y) { return fmax(x, y); }
__GC__ double min(double x, float y) { return fmin(x, y); }
__GC__ double max(double x, float y) { return fmax(x, y); }

namespace std {
using ::abs; using ::acos; using ::asin; using ::atan; using ::atan2; using ::ceil; using ::cos; using ::cosh;
using ::exp; using ::fabs; using ::floor; using ::fmod; using ::isfinite; using ::isinf; using ::isnan; using ::ldexp;
using ::log; using ::log10; using ::log2; using ::max; using ::min; using ::modf; using ::pow; using ::round;
using ::signbit; using ::sin; using ::sinh; using ::sqrt; using ::tan; using ::tanh; using ::trunc;
}  // namespace std
