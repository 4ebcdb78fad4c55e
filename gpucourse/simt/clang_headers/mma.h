// nvcuda::wmma: 16-bit floats and bytes on tensor cores.
#pragma once
#include <cuda_fp16.h>

namespace nvcuda {
namespace wmma {
enum layout_t { mem_row_major, mem_col_major };
struct row_major { static constexpr int number = 0; };
struct col_major { static constexpr int number = 1; };
struct matrix_a;
struct matrix_b;
struct accumulator;
template <class Use, int m, int n, int k, class T, class Layout = void> class fragment;

template <class T, int count> struct __gc_elements {
  enum { num_elements = count };
  static constexpr int num_storage_elements = count;
  T x[count];
};
template <class F, class T> __GC__ void fill_fragment(F& f, const T& value) {
  for (int i = 0; i < F::num_elements; i++) f.x[i] = value;
}

#define __GC_WMMA_INPUTS__(m, n, k, shape, T, as, bs, prefix, suffix) \
  __GC_WMMA_INPUT__(m, n, k, T, as, matrix_a, row_major, prefix##_##shape##_ld_a##suffix) \
  __GC_WMMA_INPUT__(m, n, k, T, as, matrix_a, col_major, prefix##_##shape##_ld_a##suffix) \
  __GC_WMMA_INPUT__(m, n, k, T, bs, matrix_b, row_major, prefix##_##shape##_ld_b##suffix) \
  __GC_WMMA_INPUT__(m, n, k, T, bs, matrix_b, col_major, prefix##_##shape##_ld_b##suffix)
#define __GC_WMMA_INPUT__(m, n, k, T, count, Use, Layout, load) \
  template <> class fragment<Use, m, n, k, T, Layout> : public __gc_elements<T, count> {}; \
  __GC__ void load_matrix_sync(fragment<Use, m, n, k, T, Layout>& f, const T* p, unsigned int pitch) { \
    load((int*)f.x, (const int*)p, pitch, Layout::number); }
#define __GC_WMMA_SUM__(m, n, k, T, W, load, store) \
  template <> class fragment<accumulator, m, n, k, T, void> : public __gc_elements<T, 8> {}; \
  __GC__ void load_matrix_sync(fragment<accumulator, m, n, k, T>& f, const T* p, unsigned int pitch, layout_t layout) { \
    if (layout == mem_row_major) load((W*)f.x, (const W*)p, pitch, 0); \
    else load((W*)f.x, (const W*)p, pitch, 1); } \
  __GC__ void store_matrix_sync(T* p, const fragment<accumulator, m, n, k, T>& f, unsigned int pitch, layout_t layout) { \
    if (layout == mem_row_major) store((W*)p, (const W*)f.x, pitch, 0); \
    else store((W*)p, (const W*)f.x, pitch, 1); }
#define __GC_WMMA_PRODUCT__(m, n, k, T, A, B, number, D, WD, C, WC, multiply, saturate) \
  __GC__ void mma_sync(fragment<accumulator, m, n, k, D>& d, const fragment<matrix_a, m, n, k, T, A>& a, \
                       const fragment<matrix_b, m, n, k, T, B>& b, const fragment<accumulator, m, n, k, C>& c, \
                       bool saturates = false) { \
    if (saturate && saturates) multiply((WD*)d.x, (const int*)a.x, (const int*)b.x, (const WC*)c.x, number, saturate); \
    else multiply((WD*)d.x, (const int*)a.x, (const int*)b.x, (const WC*)c.x, number, 0); }
#define __GC_WMMA_PRODUCTS__(m, n, k, T, D, WD, C, WC, multiply, saturate) \
  __GC_WMMA_PRODUCT__(m, n, k, T, row_major, row_major, 0, D, WD, C, WC, multiply, saturate) \
  __GC_WMMA_PRODUCT__(m, n, k, T, row_major, col_major, 1, D, WD, C, WC, multiply, saturate) \
  __GC_WMMA_PRODUCT__(m, n, k, T, col_major, row_major, 2, D, WD, C, WC, multiply, saturate) \
  __GC_WMMA_PRODUCT__(m, n, k, T, col_major, col_major, 3, D, WD, C, WC, multiply, saturate)
#define __GC_WMMA__(m, n, k, shape, as, bs) \
  __GC_WMMA_INPUTS__(m, n, k, shape, half, 16, 16, __hmma, ) \
  __GC_WMMA_SUM__(m, n, k, half, int, __hmma_##shape##_ld_c_f16, __hmma_##shape##_st_c_f16) \
  __GC_WMMA_SUM__(m, n, k, float, float, __hmma_##shape##_ld_c_f32, __hmma_##shape##_st_c_f32) \
  __GC_WMMA_PRODUCTS__(m, n, k, half, float, float, float, float, __hmma_##shape##_mma_f32f32, 0) \
  __GC_WMMA_PRODUCTS__(m, n, k, half, half, int, half, int, __hmma_##shape##_mma_f16f16, 0) \
  __GC_WMMA_PRODUCTS__(m, n, k, half, float, float, half, int, __hmma_##shape##_mma_f32f16, 0) \
  __GC_WMMA_PRODUCTS__(m, n, k, half, half, int, float, float, __hmma_##shape##_mma_f16f32, 0) \
  __GC_WMMA_INPUTS__(m, n, k, shape, signed char, as, bs, __imma, _s8) \
  __GC_WMMA_INPUTS__(m, n, k, shape, unsigned char, as, bs, __imma, _u8) \
  __GC_WMMA_SUM__(m, n, k, int, int, __imma_##shape##_ld_c, __imma_##shape##_st_c_i32) \
  __GC_WMMA_PRODUCTS__(m, n, k, signed char, int, int, int, int, __imma_##shape##_mma_s8, 1) \
  __GC_WMMA_PRODUCTS__(m, n, k, unsigned char, int, int, int, int, __imma_##shape##_mma_u8, 1)
__GC_WMMA__(16, 16, 16, m16n16k16, 8, 8)
__GC_WMMA__(32, 8, 16, m32n8k16, 16, 4)
__GC_WMMA__(8, 32, 16, m8n32k16, 4, 16)
}  // namespace wmma
}  // namespace nvcuda
