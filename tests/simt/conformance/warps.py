"""Threads that talk: shuffles, votes, barriers, locks, fences, every atomic, cooperative groups."""

from __future__ import annotations

import numpy as np

from tests.simt.conformance.kernel import Kernel, blank, body, padded, written

SHUFFLES = r"""
template <typename T>
__global__ void shuffles(const T* in, T* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x % 32;
    T v = in[min(i, n - 1)];
    T results[6];
    results[0] = __shfl_sync(0xffffffff, v, 5);
    results[1] = __shfl_sync(0xffffffff, v, (lane * 7 + 3) % 32);
    results[2] = __shfl_sync(0xffffffff, v, lane + 1, 8);      // wraps inside groups of 8
    results[3] = __shfl_up_sync(0xffffffff, v, 3);
    results[4] = __shfl_down_sync(0xffffffff, v, 2, 16);
    results[5] = __shfl_xor_sync(0xffffffff, v, 9);
    if (i < n)
        for (int k = 0; k < 6; ++k) out[k * n + i] = results[k];
}
"""

VOTES = r"""
extern "C" __global__ void votes(const int* in, unsigned* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    unsigned present = __ballot_sync(0xffffffff, i < n);
    if (i >= n) return;
    int v = in[i], same;
    unsigned* row = out + i;
    row[0 * n] = __ballot_sync(present, v > 2);
    row[1 * n] = __any_sync(present, v == 7) != 0;
    row[2 * n] = __all_sync(present, v < 7) != 0;
    row[3 * n] = __match_any_sync(present, v);
    row[4 * n] = __match_all_sync(present, v / 100, &same);
    row[5 * n] = same;
    row[6 * n] = present;
}
"""

PARTIAL_MASKS = r"""
extern "C" __global__ void partial_masks(const int* in, int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x & 31;
    if (i >= n) return;
    int v = in[i], r = 0;
    if (lane < 12) {                                           // two groups of one warp, in two branches
        for (int d = 1; d < 4; d *= 2) v += __shfl_xor_sync(0x00000fffu, v, d);
        r = v;
    } else {
        unsigned odd = __ballot_sync(0xfffff000u, v & 1);
        r = -__popc(odd);
        __syncwarp(0xfffff000u);
    }
    out[i] = r;
}
"""

ACTIVE_MASK = r"""
extern "C" __global__ void aggregate_active(const int* in, int* count, int* slots, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x & 31;
    if (i >= n || in[i] < 0) return;
    unsigned active = __activemask();                          // whichever lanes came together
    int leader = __ffs(active) - 1, base = 0;
    if (lane == leader) base = atomicAdd(count, __popc(active));
    base = __shfl_sync(active, base, leader);
    slots[base + __popc(active & ((1u << lane) - 1))] = 1;
}
"""

BARRIER_VOTES = r"""
extern "C" __global__ void barrier_votes(const int* in, int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int v = i < n ? in[i] : 0;
    int count = __syncthreads_count(v > 0), all = __syncthreads_and(v > -5), any = __syncthreads_or(v > 8);
    if (threadIdx.x == 0) {
        out[blockIdx.x * 3] = count;
        out[blockIdx.x * 3 + 1] = all != 0;
        out[blockIdx.x * 3 + 2] = any != 0;
    }
}
"""

NAMED_BARRIERS = r"""
extern "C" __global__ void producer_consumer_named(const int* in, int* out, int rounds) {
    __shared__ int box[2][32];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    if (warp == 0) {                                           // produces
        for (int k = 0; k < rounds; ++k) {
            if (k >= 2) asm volatile("bar.sync %0, 64;" ::"r"(3 + k % 2) : "memory");   // box is empty again
            box[k % 2][lane] = in[(blockIdx.x * rounds + k) * 32 + lane] * 2;
            asm volatile("bar.arrive %0, 64;" ::"r"(1 + k % 2) : "memory");             // full
        }
    } else {                                                   // consumes
        for (int k = 0; k < rounds; ++k) {
            asm volatile("bar.sync %0, 64;" ::"r"(1 + k % 2) : "memory");
            out[(blockIdx.x * rounds + k) * 32 + lane] = box[k % 2][31 - lane];
            if (k + 2 < rounds) asm volatile("bar.arrive %0, 64;" ::"r"(3 + k % 2) : "memory");
        }
    }
}
"""

FLAG = r"""
extern "C" __global__ void flag_between_warps(const int* in, int* out) {
    __shared__ int value;
    __shared__ int ready;
    if (threadIdx.x == 0) ready = 0;
    __syncthreads();
    int warp = threadIdx.x / 32;
    if (threadIdx.x == 64) {
        value = in[blockIdx.x] + 1;
        __threadfence_block();
        atomicExch(&ready, 1);
    }
    if (warp == 0) {
        while (*(volatile int*)&ready == 0) { }                // a pure spin on shared memory
        __threadfence_block();
        out[blockIdx.x * 32 + threadIdx.x] = value * (threadIdx.x + 1);
    }
}
"""

SPIN_LOCK = r"""
extern "C" __global__ void spin_lock(int* lock, int* sum, int* history, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    bool done = false;
    while (!done) {                                            // every lane of a warp takes its turn
        if (atomicCAS(lock, 0, 1) == 0) {
            __threadfence();
            int old = *(volatile int*)sum;
            *(volatile int*)sum = old + i + 1;
            ((volatile int*)history)[0] += 1;
            __threadfence();
            atomicExch(lock, 0);
            done = true;
        }
    }
}
"""

LOCK_NAIVE = r"""
extern "C" __global__ void spin_lock_plain_loop(int* lock, int* sum, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    // completes since Volta, though lanes share a warp
    while (atomicCAS(lock, 0, 1) != 0) { }
    __threadfence();
    *(volatile int*)sum += 3;
    __threadfence();
    atomicExch(lock, 0);
}
"""

LOCK_FUNCTIONS = r"""
struct Lock { int held; int owner; };
__device__ __noinline__ bool try_lock(Lock* lock, int me) {
    if (atomicCAS(&lock->held, 0, 1) != 0) return false;
    *(volatile int*)&lock->owner = me;
    return true;
}
__device__ __noinline__ void unlock(Lock* lock) {
    *(volatile int*)&lock->owner = -1;
    __threadfence();
    atomicExch(&lock->held, 0);
}
extern "C" __global__ void spin_lock_functions(int* lock, int* sum, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    Lock* mine = (Lock*)lock + i % 2;                          // two locks, two sums
    while (!try_lock(mine, i)) { }
    __threadfence();
    *(volatile int*)&sum[i % 2] += *(volatile int*)&mine->owner;
    unlock(mine);
}
"""

TICKET = r"""
extern "C" __global__ void ticket_lock(unsigned* tickets, volatile unsigned* serving, int* order,
                                       int* place) {
    if (threadIdx.x % 32 != 0) return;                         // one thread a warp
    unsigned mine = atomicAdd(tickets, 1u);
    while (*serving != mine) __nanosleep(20);
    __threadfence();
    int at = *(volatile int*)place;
    order[at] = (int)mine;
    *(volatile int*)place = at + 1;
    __threadfence();
    *serving = mine + 1;
}
"""

GRID_BARRIER = r"""
extern "C" __global__ void grid_barrier(const int* in, int* middle, int* out, int* arrived, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) middle[i] = in[i] * in[i];
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        atomicAdd(arrived, 1);
        while (atomicAdd(arrived, 0) < gridDim.x) { }          // all blocks are resident: the grid is small
    }
    __syncthreads();
    __threadfence();
    if (i < n) out[i] = ((volatile int*)middle)[n - 1 - i];
}
"""

ATOMICS_32 = r"""
extern "C" __global__ void atomics_32_bit(const int* in, int* s, unsigned* u, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    int v = in[i];
    unsigned w = (unsigned)v;
    atomicAdd(&s[0], v);
    atomicSub(&s[1], v);
    atomicMin(&s[2], v);
    atomicMax(&s[3], v);
    atomicAnd(&s[4], v | 0xf0f);
    atomicOr(&s[5], v & 0x1248);
    atomicXor(&s[6], v);
    atomicAdd(&u[0], w);
    atomicMin(&u[1], w);
    atomicMax(&u[2], w);
    atomicInc(&u[3], 9u);                                      // 0, 1, ..., 9, 0, ...
    atomicDec(&u[4], 6u);                                      // 6, 5, ..., 0, 6, ...
    atomicXor(&u[5], w);
    if (i == 17) atomicExch(&s[7], v);
    if (i == 18) atomicCAS(&s[8], -1, v);                      // succeeds
    if (i == 19) atomicCAS(&s[9], -2, v);                      // fails
}
"""

ATOMICS_64 = r"""
extern "C" __global__ void atomics_64_bit(const long long* in, long long* s, unsigned long long* u, double*
    d, float* f,
                                          int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    long long v = in[i];
    unsigned long long w = v;
    atomicMin(&s[0], v);
    atomicMax(&s[1], v);
    atomicAdd(&u[0], w);
    atomicAnd(&u[1], w | 0xff00ull);
    atomicOr(&u[2], w & 0x123456789abcull);
    atomicXor(&u[3], w);
    atomicMin(&u[4], w);
    atomicMax(&u[5], w);
    if (i == 3) atomicExch(&u[6], w);
    if (i == 4) atomicCAS(&u[7], 5ull, w);
    if (i == 5) atomicCAS(&u[8], 6ull, w);
    atomicAdd(&d[0], (double)(v % 1000));
    atomicAdd(&f[0], (float)(v % 16));
}
"""

ATOMICS_SHARED = r"""
extern "C" __global__ void atomics_shared(const int* in, int* out, float* fout, int n) {
    __shared__ int s[4];
    __shared__ float f;
    __shared__ unsigned long long wide;
    if (threadIdx.x == 0) s[0] = 0, s[1] = 2147483647, s[2] = -2147483647, s[3] = 0, f = 0.0f, wide = 0;
    __syncthreads();
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        atomicAdd_block(&s[0], in[i]);
        atomicMin(&s[1], in[i]);
        atomicMax(&s[2], in[i]);
        if (in[i] & 1) atomicAdd(&s[3], 1);
        atomicAdd(&f, 0.5f);
        atomicAdd(&wide, 1ull << 33);
    }
    __syncthreads();
    if (threadIdx.x < 4) out[blockIdx.x * 5 + threadIdx.x] = s[threadIdx.x];
    if (threadIdx.x == 4) out[blockIdx.x * 5 + 4] = (int)(wide >> 33), fout[blockIdx.x] = f;
}
"""

ATOMIC_RETURN = r"""
extern "C" __global__ void atomic_returns_old(int* counter, int* seen, unsigned* wrap, int* wrapped, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    seen[atomicAdd(counter, 1)] = 1;                           // each ticket once
    atomicAdd(&wrapped[atomicInc(wrap, 6u)], 1);
}
"""

CAS_FLOAT = r"""
__device__ float atomic_max_float(float* at, float v) {
    int* bits = (int*)at;
    int old = *bits, seen;
    do {
        seen = old;
        if (__int_as_float(seen) >= v) break;
        old = atomicCAS(bits, seen, __float_as_int(v));
    } while (old != seen);
    return __int_as_float(old);
}
__device__ double atomic_multiply(double* at, double v) {
    unsigned long long *bits = (unsigned long long*)at, old = atomicAdd(bits, 0ull), seen;
    do {
        seen = old;
        old = atomicCAS(bits, seen, (unsigned long long)__double_as_longlong(__longlong_as_double(seen) * v));
    } while (seen != old);
    return __longlong_as_double(old);
}
extern "C" __global__ void cas_loops(const float* in, float* most, double* product, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    atomic_max_float(most, in[i]);
    atomic_multiply(product, in[i] > 0.0f ? 2.0 : 0.5);
}
"""

CG_BASIC = r"""
#include <cooperative_groups.h>
namespace cg = cooperative_groups;
extern "C" __global__ void cg_block_and_tile(const float* in, float* sums, int* ranks, int n) {
    __shared__ float partial[8];
    cg::thread_block block = cg::this_thread_block();
    auto tile = cg::tiled_partition<32>(block);
    int i = block.group_index().x * block.size() + block.thread_rank();
    float v = i < n ? in[i] : 0.0f;
    for (int d = tile.size() / 2; d > 0; d /= 2) v += tile.shfl_down(v, d);
    if (tile.thread_rank() == 0) partial[tile.meta_group_rank()] = v;
    block.sync();
    if (block.thread_rank() == 0) {
        float sum = 0.0f;
        for (int w = 0; w < tile.meta_group_size(); ++w) sum += partial[w];
        sums[blockIdx.x] = sum;
    }
    if (i < n) ranks[i] = tile.meta_group_rank() * 100 + tile.thread_rank();
}
"""

CG_TILES = r"""
#include <cooperative_groups.h>
namespace cg = cooperative_groups;
extern "C" __global__ void cg_tiles_of_eight(const int* in, int* out, int n) {
    auto tile = cg::tiled_partition<8>(cg::this_thread_block());
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int v = i < n ? in[i] : -1;
    int top = v, before = v;
    for (int m = 1; m < 8; m <<= 1) top = max(top, tile.shfl_xor(top, m));
    before = tile.shfl_up(v, 1);
    bool any = tile.any(v > 90), all = tile.all(v >= 10);
    unsigned low = tile.ballot(v < 50);
    tile.sync();
    if (i >= n) return;
    out[i * 4] = top, out[i * 4 + 1] = tile.thread_rank() ? before : -7;
    out[i * 4 + 2] = any * 2 + all, out[i * 4 + 3] = low;
}
"""

CG_REDUCE = r"""
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
namespace cg = cooperative_groups;
extern "C" __global__ void cg_reduce(const int* in, int* sums, int* tops, int n) {
    auto warp = cg::tiled_partition<32>(cg::this_thread_block());
    auto four = cg::tiled_partition<4>(cg::this_thread_block());
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int sum = cg::reduce(warp, i < n ? in[i] : 0, cg::plus<int>());
    int top = cg::reduce(four, i < n ? in[i] : -1, cg::greater<int>());
    if (warp.thread_rank() == 0) atomicAdd(&sums[blockIdx.x], sum);
    if (i < n) tops[i] = top;
}
"""

CG_COALESCED = r"""
#include <cooperative_groups.h>
namespace cg = cooperative_groups;
extern "C" __global__ void cg_coalesced_counter(const int* in, int* count, int* taken, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n || in[i] % 3) return;
    cg::coalesced_group active = cg::coalesced_threads();      // whichever lanes came together
    int base, rank = active.thread_rank();
    if (rank == 0) base = atomicAdd(count, active.size());
    base = active.shfl(base, 0);
    taken[base + active.shfl(rank, (rank + 1) % active.size())] = 1;   // the rank of the next lane
}
"""

UNROLLED_VOLATILE = r"""
extern "C" __global__ void warp_exchange_syncwarp(const int* in, int* out) {
    __shared__ int s[3][32];
    int lane = threadIdx.x, row = threadIdx.y, i = (blockIdx.x * 3 + row) * 32 + lane;
    s[row][lane] = in[i];
    __syncwarp();
    int left = s[row][(lane + 31) % 32];
    __syncwarp();
    s[row][lane] = left * 2;
    __syncwarp();
    out[i] = s[row][lane ^ 1];
}
"""


def _shuffled(arguments):
    n = int(arguments[2])
    count = -(-n // 96) * 96
    x = arguments[0][np.minimum(np.arange(count), n - 1)].reshape(-1, 32)
    lane = np.arange(32)
    sources = (np.full(32, 5), (lane * 7 + 3) % 32, lane // 8 * 8 + (lane + 1) % 8, np.where(lane < 3, lane,
        lane - 3),
               np.where(lane % 16 + 2 < 16, lane + 2, lane), lane ^ 9)  # fmt: skip
    return {1: written(arguments[1], np.concatenate([x[:, s].ravel()[:n] for s in sources]))}


def _shuffle(name, dtype, c_type):
    return Kernel(
        name=name, source=SHUFFLES, entry=f"shuffles<{c_type}>", name_expressions=(f"shuffles<{c_type}>",),
        grid=(3,), block=(96,),
        arguments=lambda rng: [padded(rng.normal(size=250) * 1000, dtype), blank(6 * 250, dtype),
            np.int32(250)],
        expected=_shuffled, tags=frozenset({"shuffle", "template"}))  # fmt: skip


def _votes(arguments):
    rows = []
    for start in range(0, 150, 32):
        v = arguments[0][start : min(start + 32, 150)]
        bit = 1 << np.arange(len(v), dtype=np.int64)
        ones = np.ones(len(v), np.int64)
        equal = np.all(v // 100 == v[0] // 100)
        present = bit.sum()
        rows.append([bit[v > 2].sum() * ones, np.any(v == 7) * ones, np.all(v < 7) * ones,
                     (v[:, None] == v) @ bit, (present if equal else 0) * ones, equal * ones,
                     present * ones])  # fmt: skip
    return {1: written(arguments[1], np.concatenate(rows, axis=1))}


def _partial_masks(arguments):
    out = []
    for warp in arguments[0][:256].reshape(8, 32):
        low = warp[:12].reshape(3, 4).sum(1).repeat(4)
        out.append(np.append(low, np.full(20, -(warp[12:] % 2 != 0).sum())))
    return {1: written(arguments[1], np.array(out))}


def _aggregate(arguments):
    kept = int((arguments[0][:250] >= 0).sum())
    return {1: np.array([kept], np.int32), 2: np.where(np.arange(257) < kept, 1,
        arguments[2]).astype(np.int32)}


def _coalesced(arguments):
    kept = int((arguments[0][:250] % 3 == 0).sum())
    return {1: np.array([kept], np.int32), 2: np.where(np.arange(257) < kept, 1,
        arguments[2]).astype(np.int32)}


def _barrier_votes(arguments):
    v = np.pad(arguments[0][:230], (0, 10)).reshape(5, 48)
    return {1: written(arguments[1], np.stack([(v > 0).sum(1), (v > -5).all(1), (v > 8).any(1)], 1))}


def _atomics_32(arguments):
    v = arguments[0][:333].astype(np.int64)
    w = v % 2**32
    s, u = arguments[1].astype(np.int64), arguments[2].astype(np.int64)
    s[0] += v.sum()
    s[1] -= v.sum()
    s[2:4] = min(s[2], v.min()), max(s[3], v.max())
    s[4] &= np.bitwise_and.reduce(v | 0xF0F)
    s[5] |= np.bitwise_or.reduce(v & 0x1248)
    s[6] ^= np.bitwise_xor.reduce(v)
    s[7:9] = v[17], v[18]
    u[:6] = w.sum(), w.min(), w.max(), 333 % 10, -333 % 7, np.bitwise_xor.reduce(w)
    return {1: _wrapped(s, np.int32), 2: _wrapped(u, np.uint32)}


def _wrapped(values, dtype):
    return (values % 2**32).astype(np.uint32).view(dtype)


def _atomics_64(arguments):
    v = arguments[0][:200]
    w = [int(x) % 2**64 for x in v]
    s, u, d, f = (a.copy() for a in arguments[1:5])
    s[:2] = v.min(), v.max()
    both = np.array([x | 0xFF00 for x in w], np.uint64)
    u[:] = [sum(w) % 2**64, np.bitwise_and.reduce(both), np.bitwise_or.reduce(v & 0x123456789ABC),
            np.bitwise_xor.reduce(np.array(w, np.uint64)), min(w), max(w), w[3], w[4], u[8]]  # fmt: skip
    remainder = [int(np.fmod(x, m)) for m in (1000, 16) for x in v]
    d[0], f[0] = sum(remainder[:200]), sum(remainder[200:])
    return {1: s, 2: u, 3: d, 4: f}


def _atomics_shared(arguments):
    rows = [[p.sum(), p.min(), p.max(), (p % 2).sum(), len(p)] for p in np.split(arguments[0][:270], [96,
        192])]
    return {1: written(arguments[1], rows), 2: written(arguments[2], [r[4] / 2 for r in rows])}


def _cas(arguments):
    x = arguments[0][:200]
    ups = int((x > 0).sum())
    return {1: np.array([x.max()], np.float32), 2: np.array([2.0 ** (2 * ups - 200)])}


def _cg_block(arguments):
    rank = np.arange(300) % 128
    return {1: written(arguments[1], np.pad(body(arguments[0], 300), (0, 84)).reshape(3, 128).sum(1)),
            2: written(arguments[2], rank // 32 * 100 + rank % 32)}  # fmt: skip


def _cg_tiles(arguments):
    v = np.append(arguments[0][:185], np.full(7, -1)).reshape(24, 8)
    before = np.where(np.arange(8), np.roll(v, 1, axis=1), -7)
    flags = (v > 90).any(1) * 2 + (v >= 10).all(1)
    low = (v < 50) @ (1 << np.arange(8))
    columns = v.max(1).repeat(8), before.ravel(), flags.repeat(8), low.repeat(8)
    return {1: written(arguments[1], np.stack(columns, 1)[:185])}


def _cg_reduce(arguments):
    v = arguments[0][:250]
    sums = [part.sum() for part in np.split(v, [96, 192])]
    tops = np.append(v, [-1, -1]).reshape(-1, 4).max(1).repeat(4)[:250]
    return {1: written(arguments[1], sums), 2: written(arguments[2], tops)}


def _exchange(arguments):
    rows = arguments[0][: 9 * 32].reshape(9, 32)
    return {1: written(arguments[1], 2 * np.roll(rows, 1, 1)[:, np.arange(32) ^ 1])}


def _ints(rng, low, high, count, dtype=np.int32):
    return padded(rng.integers(low, high, count), dtype)


_WARP_ORDER = "the shim has no notion of lanes that run together"
_TWO_BLOCKS = "the shim runs one block at a time: a grid-wide wait never ends"

KERNELS = (
    _shuffle("shuffle_f32", np.float32, "float"),
    _shuffle("shuffle_i64", np.int64, "long long"),
    _shuffle("shuffle_f64", np.float64, "double"),
    Kernel(
        name="votes", source=VOTES, grid=(3,), block=(64,),
        arguments=lambda rng: [_ints(rng, 0, 9, 150), blank(7 * 150, np.uint32), np.int32(150)],
        expected=_votes, tags=frozenset({"vote", "match"}),
    ),
    Kernel(
        name="partial_masks", source=PARTIAL_MASKS, grid=(4,), block=(64,),
        arguments=lambda rng: [_ints(rng, 0, 99, 256), blank(256, np.int32), np.int32(256)],
        expected=_partial_masks, tags=frozenset({"vote", "shuffle"}),
    ),
    Kernel(
        name="aggregate_active", source=ACTIVE_MASK, grid=(3,), block=(96,),
        arguments=lambda rng: [_ints(rng, -5, 9, 250), np.zeros(1, np.int32), blank(250, np.int32),
            np.int32(250)],
        expected=_aggregate, skip={"cpu": _WARP_ORDER}, tags=frozenset({"vote", "atomics"}),
    ),
    Kernel(
        name="barrier_votes", source=BARRIER_VOTES, grid=(5,), block=(48,),
        arguments=lambda rng: [_ints(rng, -6, 10, 230), blank(15, np.int32), np.int32(230)],
        expected=_barrier_votes, tags=frozenset({"barrier vote"}),
    ),
    Kernel(
        name="producer_consumer_named", source=NAMED_BARRIERS, grid=(3,), block=(64,),
        arguments=lambda rng: [_ints(rng, 0, 999, 3 * 5 * 32), blank(3 * 5 * 32, np.int32), np.int32(5)],
        expected=lambda a: {1: written(a[1], 2 * a[0][:480].reshape(15, 32)[:, ::-1])},
        skip={"cpu": "inline PTX"}, tags=frozenset({"named barriers"}),
    ),
    Kernel(
        name="flag_between_warps", source=FLAG, grid=(3,), block=(96,),
        arguments=lambda rng: [_ints(rng, 0, 999, 3), blank(96, np.int32)],
        expected=lambda a: {1: written(a[1], (a[0][:3, None] + 1) * np.arange(1, 33))},
        skip={"cpu": "a spin without an atomic or a sleep never lets the shim's other fibers run"},
        tags=frozenset({"spins", "fence"}),
    ),
    Kernel(
        name="spin_lock", source=SPIN_LOCK, grid=(3,), block=(40,),
        arguments=lambda rng: [np.zeros(1, np.int32), np.zeros(1, np.int32), np.zeros(1, np.int32),
            np.int32(110)],
        expected=lambda a: {1: np.array([110 * 111 // 2], np.int32), 2: np.array([110], np.int32)},
        tags=frozenset({"spins", "fence", "cas", "lock"}),
    ),
    Kernel(
        name="spin_lock_plain_loop", source=LOCK_NAIVE, grid=(3,), block=(40,),
        arguments=lambda rng: [np.zeros(1, np.int32), np.zeros(1, np.int32), np.int32(115)],
        expected=lambda a: {1: np.array([345], np.int32)}, tags=frozenset({"spins", "fence", "cas", "lock"}),
    ),
    Kernel(
        name="spin_lock_functions", source=LOCK_FUNCTIONS, grid=(3,), block=(40,),
        arguments=lambda rng: [np.zeros(4, np.int32), np.zeros(2, np.int32), np.int32(115)],
        expected=lambda a: {0: np.array([0, -1, 0, -1], np.int32),
                            1: np.array([sum(range(0, 115, 2)), sum(range(1, 115, 2))], np.int32)},
        tags=frozenset({"spins", "fence", "cas", "lock", "calls"}),
    ),
    Kernel(
        name="ticket_lock", source=TICKET, grid=(3,), block=(96,),
        arguments=lambda rng: [np.zeros(1, np.uint32), np.zeros(1, np.uint32), blank(9, np.int32),
                               np.zeros(1, np.int32)],
        expected=lambda a: {0: np.array([9], np.uint32), 1: np.array([9], np.uint32), 2: written(a[2],
            np.arange(9)),
                            3: np.array([9], np.int32)},
        tags=frozenset({"spins", "fence", "lock"}),
    ),
    Kernel(
        name="grid_barrier", source=GRID_BARRIER, grid=(4,), block=(64,),
        arguments=lambda rng: [_ints(rng, -999, 999, 250), blank(250, np.int32), blank(250, np.int32),
                               np.zeros(1, np.int32), np.int32(250)],
        expected=lambda a: {1: written(a[1], a[0][:250] ** 2), 2: written(a[2], a[0][:250][::-1] ** 2),
                            3: np.array([4], np.int32)},
        skip={"cpu": _TWO_BLOCKS}, tags=frozenset({"spins", "fence", "grid barrier"}),
    ),
    Kernel(
        name="atomics_32_bit", source=ATOMICS_32, grid=(4,), block=(96,),
        arguments=lambda rng: [_ints(rng, -2**31, 2**31 - 1, 333), np.array([5, -5, 0, 0, -1, 0, 7, 8, -1,
            9], np.int32),
                               np.array([0, 2**32 - 1, 0, 0, 0, 0, 77], np.uint32), np.int32(333)],
        expected=_atomics_32, tags=frozenset({"atomics"}),
    ),
    Kernel(
        name="atomics_64_bit", source=ATOMICS_64, grid=(3,), block=(96,),
        arguments=lambda rng: [_ints(rng, -2**62, 2**62, 200, np.int64), np.zeros(3, np.int64),
                               np.array([0, 2**64 - 1, 0, 0, 2**64 - 1, 0, 1, 5, 7], np.uint64), np.zeros(2),
                               np.zeros(2, np.float32), np.int32(200)],
        expected=_atomics_64, tags=frozenset({"atomics", "float64"}),
    ),
    Kernel(
        name="atomics_shared", source=ATOMICS_SHARED, grid=(3,), block=(96,),
        arguments=lambda rng: [_ints(rng, -999, 999, 270), blank(15, np.int32), blank(3), np.int32(270)],
        expected=_atomics_shared, tags=frozenset({"atomics", "shared"}),
    ),
    Kernel(
        name="atomic_returns_old", source=ATOMIC_RETURN, grid=(3,), block=(64,),
        arguments=lambda rng: [np.zeros(1, np.int32), np.zeros(190, np.int32), np.zeros(1, np.uint32),
                               np.zeros(8, np.int32), np.int32(175)],
        expected=lambda a: {0: np.array([175], np.int32), 1: (np.arange(190) < 175).astype(np.int32),
                            2: np.array([0], np.uint32), 3: np.array([25] * 7 + [0], np.int32)},
        tags=frozenset({"atomics"}),
    ),
    Kernel(
        name="cas_loops", source=CAS_FLOAT, grid=(3,), block=(80,),
        arguments=lambda rng: [padded(rng.normal(size=200)), np.array([-5], np.float32), np.ones(1),
            np.int32(200)],
        expected=_cas, tags=frozenset({"atomics", "cas", "float64", "plain read of an atomic"}),
    ),
    Kernel(
        name="cg_block_and_tile", source=CG_BASIC, grid=(3,), block=(128,),
        arguments=lambda rng: [padded(rng.normal(size=300)), blank(3), blank(300, np.int32), np.int32(300)],
        expected=_cg_block, rtol=1e-5, atol=1e-5, reason="sums in another order",
        tags=frozenset({"cooperative groups"}),
    ),
    Kernel(
        name="cg_tiles_of_eight", source=CG_TILES, grid=(3,), block=(64,),
        arguments=lambda rng: [_ints(rng, 0, 100, 185), blank(740, np.int32), np.int32(185)],
        expected=_cg_tiles, tags=frozenset({"cooperative groups", "vote"}),
    ),
    Kernel(
        name="cg_reduce", source=CG_REDUCE, grid=(3,), block=(96,),
        arguments=lambda rng: [_ints(rng, 0, 999, 250), written(blank(3, np.int32), [0, 0, 0]), blank(250,
            np.int32),
                               np.int32(250)],
        expected=_cg_reduce, tags=frozenset({"cooperative groups"}),
    ),
    Kernel(
        name="cg_coalesced_counter", source=CG_COALESCED, grid=(3,), block=(96,),
        arguments=lambda rng: [_ints(rng, 0, 99, 250), np.zeros(1, np.int32), blank(250, np.int32),
            np.int32(250)],
        expected=_coalesced, skip={"cpu": _WARP_ORDER}, tags=frozenset({"cooperative groups", "atomics"}),
    ),
    Kernel(
        name="warp_exchange_syncwarp", source=UNROLLED_VOLATILE, grid=(3,), block=(32, 3),
        arguments=lambda rng: [_ints(rng, 0, 999, 288), blank(288, np.int32)], expected=_exchange,
        tags=frozenset({"syncwarp"}),
    ),
)  # fmt: skip
