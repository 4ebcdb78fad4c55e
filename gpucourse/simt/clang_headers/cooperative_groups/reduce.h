// cooperative_groups::reduce.
#pragma once
#include <cooperative_groups.h>
namespace cooperative_groups {
template <unsigned int width, class Parent, class T, class Op>
__GC__ T reduce(const thread_block_tile<width, Parent>& tile, T x, Op op) {
  for (unsigned int d = width / 2; d > 0; d /= 2) x = op(x, tile.shfl_xor(x, d));
  return x;
}
template <class T, class Op> __GC__ T reduce(const coalesced_group& group, T x, Op op) {
  T all = group.shfl(x, 0);
  for (unsigned int rank = 1; rank < group.size(); rank++) all = op(all, group.shfl(x, (int)rank));
  return all;
}
}  // namespace cooperative_groups
