// cooperative_groups: blocks, tiles of a warp, and the lanes that came together.
#pragma once

namespace cooperative_groups {
#define __GC_M__ __attribute__((device, always_inline, nodebug))

class grid_group {
public:
  __GC_M__ static unsigned long long size() { return (unsigned long long)num_threads_(blockDim) * num_threads_(gridDim); }
  __GC_M__ static unsigned long long num_threads() { return size(); }
  __GC_M__ static unsigned long long num_blocks() { return num_threads_(gridDim); }
  __GC_M__ static unsigned long long block_rank() {
    return ((unsigned long long)blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x; }
  __GC_M__ static unsigned long long thread_rank() {
    return block_rank() * num_threads_(blockDim) + (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x; }
  __GC_M__ static dim3 group_dim() { return gridDim; }
  __GC_M__ static dim3 dim_blocks() { return gridDim; }
  __GC_M__ static dim3 block_index() { return blockIdx; }
  __GC_M__ static bool is_valid() { return workspace_() != 0; }
  __GC_M__ static void sync() { if (!workspace_()) __trap(); }

private:
  template <class D> __GC_M__ static unsigned int num_threads_(const D& d) { return d.x * d.y * d.z; }
  __GC_M__ static unsigned int workspace_() { unsigned int d; asm volatile("mov.u32 %0, %%envreg2;" : "=r"(d)); return d; }
};
__GC__ grid_group this_grid() { return grid_group(); }

class thread_block {
public:
  __GC_M__ static void sync() { __syncthreads(); }
  __GC_M__ static unsigned int size() { return blockDim.x * blockDim.y * blockDim.z; }
  __GC_M__ static unsigned int num_threads() { return size(); }
  __GC_M__ static unsigned int thread_rank() { return (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x; }
  __GC_M__ static dim3 group_index() { return blockIdx; }
  __GC_M__ static dim3 thread_index() { return threadIdx; }
  __GC_M__ static dim3 group_dim() { return blockDim; }
  __GC_M__ static dim3 dim_threads() { return blockDim; }
};
__GC__ thread_block this_thread_block() { return thread_block(); }

__GC__ unsigned int __gc_lane() { unsigned int d; asm("mov.u32 %0, %%laneid;" : "=r"(d)); return d; }
__GC__ unsigned int __gc_lanes_below() { unsigned int d; asm("mov.u32 %0, %%lanemask_lt;" : "=r"(d)); return d; }

template <unsigned int width, class Parent = void> class thread_block_tile {
  __GC_M__ static unsigned int mask_() {
    return width == 32 ? 0xffffffffu : ((1ull << width) - 1) << (__gc_lane() & ~(width - 1)); }

public:
  __GC_M__ static void sync() { __syncwarp(mask_()); }
  __GC_M__ static constexpr unsigned int size() { return width; }
  __GC_M__ static constexpr unsigned int num_threads() { return width; }
  __GC_M__ static unsigned int thread_rank() { return thread_block::thread_rank() & (width - 1); }
  __GC_M__ static unsigned int meta_group_rank() { return thread_block::thread_rank() / width; }
  __GC_M__ static unsigned int meta_group_size() { return (thread_block::size() + width - 1) / width; }
  template <class T> __GC_M__ T shfl(T x, int lane) const { return __shfl_sync(mask_(), x, lane, width); }
  template <class T> __GC_M__ T shfl_up(T x, unsigned int d) const { return __shfl_up_sync(mask_(), x, d, width); }
  template <class T> __GC_M__ T shfl_down(T x, unsigned int d) const { return __shfl_down_sync(mask_(), x, d, width); }
  template <class T> __GC_M__ T shfl_xor(T x, unsigned int d) const { return __shfl_xor_sync(mask_(), x, (int)d, width); }
  __GC_M__ int any(int p) const { return (__ballot_sync(mask_(), p) & mask_()) != 0; }
  __GC_M__ int all(int p) const { return (__ballot_sync(mask_(), p) & mask_()) == mask_(); }
  __GC_M__ unsigned int ballot(int p) const { return (__ballot_sync(mask_(), p) & mask_()) >> (__gc_lane() & ~(width - 1)); }
  template <class T> __GC_M__ unsigned int match_any(T x) const {
    return (__match_any_sync(mask_(), x) & mask_()) >> (__gc_lane() & ~(width - 1)); }
};
template <unsigned int width, class Parent> __GC__ thread_block_tile<width, Parent> tiled_partition(const Parent&) {
  static_assert(width <= 32 && (width & (width - 1)) == 0, "a tile has 1, 2, 4, 8, 16 or 32 threads");
  return thread_block_tile<width, Parent>();
}

class coalesced_group {
  unsigned int mask_;
  __GC_M__ unsigned int lane_(unsigned int rank) const { return __fns(mask_, 0, (int)rank + 1); }

public:
  __GC_M__ explicit coalesced_group(unsigned int mask) : mask_(mask) {}
  __GC_M__ void sync() const { __syncwarp(mask_); }
  __GC_M__ unsigned int size() const { return __popc(mask_); }
  __GC_M__ unsigned int num_threads() const { return __popc(mask_); }
  __GC_M__ unsigned int thread_rank() const { return __popc(mask_ & __gc_lanes_below()); }
  template <class T> __GC_M__ T shfl(T x, int rank) const { return __shfl_sync(mask_, x, (int)lane_(rank % size())); }
  template <class T> __GC_M__ T shfl_up(T x, unsigned int d) const {
    unsigned int rank = thread_rank();
    T other = __shfl_sync(mask_, x, (int)(rank >= d ? lane_(rank - d) : __gc_lane()));
    return other;
  }
  template <class T> __GC_M__ T shfl_down(T x, unsigned int d) const {
    unsigned int rank = thread_rank() + d;
    return __shfl_sync(mask_, x, (int)(rank < size() ? lane_(rank) : __gc_lane()));
  }
  __GC_M__ int any(int p) const { return __ballot_sync(mask_, p) != 0; }
  __GC_M__ int all(int p) const { return __ballot_sync(mask_, p) == mask_; }
  __GC_M__ unsigned int ballot(int p) const {
    unsigned int lanes = __ballot_sync(mask_, p), found = 0;
    for (unsigned int rank = 0; rank < size(); rank++) found |= (lanes >> lane_(rank) & 1u) << rank;
    return found;
  }
};
__GC__ coalesced_group coalesced_threads() { return coalesced_group(__activemask()); }
template <class G> __GC__ void sync(const G& group) { group.sync(); }

template <class T> struct plus { __GC_M__ T operator()(T x, T y) const { return x + y; } };
template <class T> struct less { __GC_M__ T operator()(T x, T y) const { return y < x ? y : x; } };
template <class T> struct greater { __GC_M__ T operator()(T x, T y) const { return x < y ? y : x; } };
template <class T> struct bit_and { __GC_M__ T operator()(T x, T y) const { return x & y; } };
template <class T> struct bit_or { __GC_M__ T operator()(T x, T y) const { return x | y; } };
template <class T> struct bit_xor { __GC_M__ T operator()(T x, T y) const { return x ^ y; } };
}  // namespace cooperative_groups
