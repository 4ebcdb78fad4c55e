"""The CUDA C that ElementwiseKernel and ReductionKernel stand on: CArray, CIndexer, float16 and complex.

Written for the course with the names that CuPy documents, so that a kernel needs no header of CuPy's.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

# An array arrives as a pointer and a `_CShape`: size, shape and strides (bytes), each of 64 bits.
ARRAYS = r"""
#define CUPY_FOR(i, n) for (ptrdiff_t i = static_cast<ptrdiff_t>(blockIdx.x) * blockDim.x + threadIdx.x; \
                            i < (n); i += static_cast<ptrdiff_t>(blockDim.x) * gridDim.x)
#ifndef M_PI
#define M_PI 3.1415926535897932384626433832795
#endif

template <int N> struct _CShape { ptrdiff_t size, shape[N], strides[N]; };
template <> struct _CShape<0> { ptrdiff_t size; };
template <bool wide> struct _CIndex { typedef ptrdiff_t type; };
template <> struct _CIndex<false> { typedef int type; };

template <typename T, int N, bool contiguous = false, bool use_32bit_indexing = false>
class CArray {
  T* data_;
  _CShape<N> meta_;
public:
  static const int ndim = N;
  static const bool c_contiguous = contiguous;
  typedef typename _CIndex<!use_32bit_indexing>::type index_t;

  __device__ CArray(T* data, const _CShape<N>& meta) : data_(data), meta_(meta) {}
  __device__ ptrdiff_t size() const { return meta_.size; }
  __device__ const ptrdiff_t* shape() const { return meta_.shape; }
  __device__ const ptrdiff_t* strides() const { return meta_.strides; }

  __device__ const T& operator[](ptrdiff_t i) const {
    if (contiguous) return data_[i];
    index_t rest = static_cast<index_t>(i), offset = 0;
    for (int d = N - 1; d > 0; --d) {
      index_t length = static_cast<index_t>(meta_.shape[d]);
      offset += static_cast<index_t>(meta_.strides[d]) * (rest % length);
      rest /= length;
    }
    return at(offset + static_cast<index_t>(meta_.strides[0]) * rest);
  }
  template <typename I> __device__ const T& operator[](const I (&index)[N]) const {
    if (contiguous && N == 1) return data_[index[0]];
    index_t offset = 0;
    for (int d = 0; d < N; ++d) offset += static_cast<index_t>(meta_.strides[d]) * static_cast<index_t>(index[d]);
    return at(offset);
  }
  template <typename I> __device__ const T& operator[](const std::initializer_list<I> list) const {
    I index[N];
    for (int d = 0; d < N; ++d) index[d] = list.begin()[d];
    return (*this)[index];
  }
  template <typename I> __device__ T& operator[](const I (&index)[N]) {
    return const_cast<T&>(static_cast<const CArray&>(*this)[index]);
  }
  template <typename I> __device__ T& operator[](const std::initializer_list<I> list) {
    return const_cast<T&>(static_cast<const CArray&>(*this)[list]);
  }
  __device__ T& operator[](ptrdiff_t i) { return const_cast<T&>(static_cast<const CArray&>(*this)[i]); }

private:
  __device__ const T& at(index_t offset) const {
    return *reinterpret_cast<const T*>(reinterpret_cast<const char*>(data_) + offset);
  }
};

template <typename T, bool contiguous, bool use_32bit_indexing>
class CArray<T, 0, contiguous, use_32bit_indexing> {
  T* data_;
public:
  static const int ndim = 0;
  __device__ CArray(T* data, const _CShape<0>&) : data_(data) {}
  __device__ ptrdiff_t size() const { return 1; }
  __device__ const ptrdiff_t* shape() const { return NULL; }
  __device__ const ptrdiff_t* strides() const { return NULL; }
  template <typename U> __device__ T& operator[](const U&) { return *data_; }
  template <typename U> __device__ const T& operator[](const U&) const { return *data_; }
};

template <int N, bool use_32bit_indexing = false>
class CIndexer {
  _CShape<N> meta_;
  ptrdiff_t index_[N];
  typedef ptrdiff_t index_t[N];
public:
  typedef _CShape<N> meta_t;
  static const int ndim = N;
  __device__ CIndexer(const _CShape<N>& meta) : meta_(meta) {}
  __device__ ptrdiff_t size() const { return meta_.size; }
  __device__ const index_t& get() const { return index_; }
  __device__ void set(ptrdiff_t i) {
    if (N == 1) index_[0] = i;
    else if (use_32bit_indexing || meta_.size <= 1LL << 31) split(static_cast<unsigned int>(i));
    else split(static_cast<unsigned long long>(i));
  }
private:
  template <typename I> __device__ void split(I rest) {
    for (int d = N - 1; d > 0; --d) {
      I length = static_cast<I>(meta_.shape[d]);
      index_[d] = rest % length;
      rest /= length;
    }
    index_[0] = rest;
  }
};

template <bool use_32bit_indexing>
class CIndexer<0, use_32bit_indexing> {
public:
  typedef _CShape<0> meta_t;
  static const int ndim = 0;
  __device__ CIndexer(const _CShape<0>&) {}
  __device__ ptrdiff_t size() const { return 1; }
  __device__ void set(ptrdiff_t) {}
  __device__ const ptrdiff_t* get() const { return NULL; }
};
"""

# Stored as half, computed as float: every operation converts, as CuPy's class does.
FLOAT16 = r"""
#include <cuda_fp16.h>
class float16 {
  half data_;
public:
  __device__ float16() {}
  __device__ float16(float v) : data_(v) {}
  explicit __device__ float16(bool v) : data_(float(v)) {}
  explicit __device__ float16(double v) : data_(v) {}
  explicit __device__ float16(int v) : data_(v) {}
  explicit __device__ float16(unsigned int v) : data_(v) {}
  explicit __device__ float16(long long v) : data_(v) {}
  explicit __device__ float16(unsigned long long v) : data_(v) {}
  explicit __device__ float16(const half& v) : data_(v) {}
  __device__ operator float() const { return float(data_); }
  float16& operator=(const float16&) = default;
  template <typename U> __device__ float16& operator=(const U& v) { return *this = static_cast<float16>(v); }
  template <typename U> __device__ float16& operator+=(const U& v) { return *this = *this + v; }
  template <typename U> __device__ float16& operator-=(const U& v) { return *this = *this - v; }
  template <typename U> __device__ float16& operator*=(const U& v) { return *this = *this * v; }
  template <typename U> __device__ float16& operator/=(const U& v) { return *this = *this / v; }
  __device__ int iszero() const { return float(*this) == 0; }
  __device__ int isnan() const { return __hisnan(data_); }
  __device__ int isinf() const { return __hisinf(data_) != 0; }
  __device__ int isfinite() const { return !isnan() && !isinf(); }
  __device__ int signbit() const { return __half_as_ushort(data_) >> 15; }
};
__device__ float16 min(float16 x, float16 y) { return float16(min(float(x), float(y))); }
__device__ float16 max(float16 x, float16 y) { return float16(max(float(x), float(y))); }
__device__ float16 fmin(float16 x, float16 y) { return float16(fmin(float(x), float(y))); }
__device__ float16 fmax(float16 x, float16 y) { return float16(fmax(float(x), float(y))); }
__device__ int iszero(float16 x) { return x.iszero(); }
__device__ int isnan(float16 x) { return x.isnan(); }
__device__ int isinf(float16 x) { return x.isinf(); }
__device__ int isfinite(float16 x) { return x.isfinite(); }
__device__ int signbit(float16 x) { return x.signbit(); }
"""

_COMPLEX_CLASS = r"""
namespace thrust {
template <typename T> struct __align__(2 * sizeof(T)) complex {
  typedef T value_type;
  T re_, im_;
  __device__ complex(const T& re = T(), const T& im = T()) : re_(re), im_(im) {}
  complex(const complex& z) = default;
  template <typename U> __device__ complex(const complex<U>& z) : re_(z.real()), im_(z.imag()) {}
  complex& operator=(const complex&) = default;
  __device__ T real() const { return re_; }
  __device__ T imag() const { return im_; }
  __device__ void real(T v) { re_ = v; }
  __device__ void imag(T v) { im_ = v; }
  __device__ complex& operator+=(const complex& z) { return *this = *this + z; }
  __device__ complex& operator-=(const complex& z) { return *this = *this - z; }
  __device__ complex& operator*=(const complex& z) { return *this = *this * z; }
  __device__ complex& operator/=(const complex& z) { return *this = *this / z; }
};
template <typename T> __device__ complex<T> operator+(const complex<T>& x) { return x; }
template <typename T> __device__ complex<T> operator-(const complex<T>& x) { return complex<T>(-x.re_, -x.im_); }
template <typename T> __device__ complex<T> operator+(const complex<T>& x, const complex<T>& y) {
  return complex<T>(x.re_ + y.re_, x.im_ + y.im_);
}
template <typename T> __device__ complex<T> operator-(const complex<T>& x, const complex<T>& y) { return x + -y; }
template <typename T> __device__ complex<T> operator*(const complex<T>& x, const complex<T>& y) {
  return complex<T>(x.re_ * y.re_ - x.im_ * y.im_, x.re_ * y.im_ + x.im_ * y.re_);
}
template <typename T> __device__ complex<T> operator/(const complex<T>& x, const complex<T>& y) {
  T scale = fabs(y.re_) + fabs(y.im_);  // keeps the squares in range
  T a = x.re_ / scale, b = x.im_ / scale, c = y.re_ / scale, d = y.im_ / scale, square = c * c + d * d;
  return complex<T>((a * c + b * d) / square, (b * c - a * d) / square);
}
template <typename T> __device__ bool operator==(const complex<T>& x, const complex<T>& y) {
  return x.re_ == y.re_ && x.im_ == y.im_;
}
template <typename T> __device__ bool operator!=(const complex<T>& x, const complex<T>& y) { return !(x == y); }
// a number beside a complex<T> must be a T: so it is with CuPy's header
#define _WITH_NUMBERS(R, op) \
  template <typename T> __device__ R operator op(const complex<T>& x, const T& y) { return x op complex<T>(y); } \
  template <typename T> __device__ R operator op(const T& x, const complex<T>& y) { return complex<T>(x) op y; }
_WITH_NUMBERS(complex<T>, +) _WITH_NUMBERS(complex<T>, -) _WITH_NUMBERS(complex<T>, *) _WITH_NUMBERS(complex<T>, /)
_WITH_NUMBERS(bool, ==) _WITH_NUMBERS(bool, !=)
}
using thrust::complex;
"""
# functions of complex<T>, each on one line: result, name, parameters and what is returned
_COMPLEX_FUNCTIONS = """
T real(Z z): z.real()
T imag(Z z): z.imag()
T abs(Z z): hypot(z.real(), z.imag())
T norm(Z z): z.real() * z.real() + z.imag() * z.imag()
T arg(Z z): atan2(z.imag(), z.real())
Z conj(Z z): complex<T>(z.real(), -z.imag())
Z polar(const T& r, const T& t): complex<T>(r * cos(t), r * sin(t))
Z exp(Z z): polar(T(exp(z.real())), z.imag())
Z log(Z z): complex<T>(log(abs(z)), arg(z))
Z log10(Z z): log(z) / complex<T>(T(2.302585092994045684))
Z sqrt(Z z): polar(T(sqrt(abs(z))), arg(z) / 2)
Z pow(Z x, Z y): x == complex<T>() ? (y == complex<T>() ? complex<T>(1) : x) : exp(y * log(x))
Z pow(Z x, const T& y): pow(x, complex<T>(y))
Z sinh(Z z): complex<T>(sinh(z.real()) * cos(z.imag()), cosh(z.real()) * sin(z.imag()))
Z cosh(Z z): complex<T>(cosh(z.real()) * cos(z.imag()), sinh(z.real()) * sin(z.imag()))
Z tanh(Z z): sinh(z) / cosh(z)
Z sin(Z z): complex<T>(sin(z.real()) * cosh(z.imag()), cos(z.real()) * sinh(z.imag()))
Z cos(Z z): complex<T>(cos(z.real()) * cosh(z.imag()), -sin(z.real()) * sinh(z.imag()))
Z tan(Z z): sin(z) / cos(z)
"""


def _complex_function(line: str) -> str:
    head, body = line.split(": ", 1)
    result, rest = head.split(" ", 1)
    parameters = rest.replace("(Z ", "(const complex<T>& ").replace(", Z ", ", const complex<T>& ")
    result = {"Z": "complex<T>"}.get(result, result)
    return f"template <typename T> __device__ {result} {parameters} {{ return {body}; }}"


def _complex() -> str:
    lines = _COMPLEX_FUNCTIONS.strip().split("\n")
    names = dict.fromkeys(line.split(" ")[1].split("(")[0] for line in lines)
    again = " ".join(f"using ::{name};" for name in names)
    return "\n".join([_COMPLEX_CLASS, *map(_complex_function, lines), f"namespace thrust {{ {again} }}"])


COMPLEX = _complex()

#: NumPy's types -> CuPy's names of them in CUDA C.
TYPE_NAMES = {
    np.dtype(char): name
    for char, name in {
        "?": "bool", "b": "signed char", "B": "unsigned char", "h": "short", "H": "unsigned short", "i": "int",
        "I": "unsigned int", "q": "long long", "Q": "unsigned long long", "e": "float16", "f": "float", "d": "double",
        "F": "thrust::complex<float>", "D": "thrust::complex<double>",
    }.items()
}  # fmt: skip


def type_name(dtype: np.dtype) -> str:
    """Return the C type of a NumPy type, as CuPy names it."""
    return TYPE_NAMES[np.dtype(f"{dtype.kind}{dtype.itemsize}")]


def prelude(types: Iterable[np.dtype], text: str) -> str:
    """Return the CUDA C before a kernel that uses `types`, and whatever `text` of the learner's names."""
    known = set(types)
    parts = ['#line 1 "carray"', ARRAYS]
    if any(dtype == np.float16 for dtype in known) or "float16" in text:
        parts.append(FLOAT16)
    if any(dtype.kind == "c" for dtype in known) or "complex" in text:
        parts.append(COMPLEX)
    if "CUDART_" in text:
        parts.append("#include <math_constants.h>")
    return "\n".join(parts)


def located(name: str, text: str) -> str:
    """Return `text` so that errors in it are reported as lines of `name`."""
    return f'#line 1 "{name}"\n{text}\n#line 1 "generated"'
