// CUDA's complex numbers, cuFloatComplex and cuDoubleComplex.
#pragma once
typedef float2 cuFloatComplex;
typedef double2 cuDoubleComplex;
typedef cuFloatComplex cuComplex;
#define __GC_COMPLEX__(C, T, f, Name, sqrt_of, abs_of) \
  __GCX__ C make_##Name(T x, T y) { return C{x, y}; } \
  __GCX__ T cuCreal##f(C x) { return x.x; } \
  __GCX__ T cuCimag##f(C x) { return x.y; } \
  __GCX__ C cuConj##f(C x) { return C{x.x, -x.y}; } \
  __GCX__ C cuCadd##f(C x, C y) { return C{x.x + y.x, x.y + y.y}; } \
  __GCX__ C cuCsub##f(C x, C y) { return C{x.x - y.x, x.y - y.y}; } \
  __GCX__ C cuCmul##f(C x, C y) { return C{x.x * y.x - x.y * y.y, x.x * y.y + x.y * y.x}; } \
  __GC__ C cuCdiv##f(C x, C y) { \
    T scale = 1 / (abs_of(y.x) + abs_of(y.y)), a = x.x * scale, b = x.y * scale, c = y.x * scale, d = y.y * scale; \
    T over = 1 / (c * c + d * d); \
    return C{(a * c + b * d) * over, (b * c - a * d) * over}; } \
  __GC__ T cuCabs##f(C x) { return hypot(x.x, x.y); } \
  __GC__ C cuCfma##f(C x, C y, C d) { return cuCadd##f(cuCmul##f(x, y), d); }
__GC_COMPLEX__(cuFloatComplex, float, f, cuFloatComplex, sqrtf, fabsf)
__GC_COMPLEX__(cuDoubleComplex, double, , cuDoubleComplex, sqrt, fabs)
__GCX__ cuComplex make_cuComplex(float x, float y) { return cuComplex{x, y}; }
