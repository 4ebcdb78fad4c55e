// CUDA C as C++ on one CPU thread: each CUDA thread is a fiber, blocks run one after another (see README.md).
#pragma once
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <algorithm>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

// --- vector types ------------------------------------------------------------------------------------
#define SHIM_VECTORS(name, T)                                   \
    struct alignas(2 * sizeof(T)) name##2 { T x, y; };          \
    struct name##3 { T x, y, z; };                              \
    struct alignas(sizeof(T) > 4 ? 16 : 4 * sizeof(T)) name##4 { T x, y, z, w; }; \
    static inline name##2 make_##name##2(T x, T y) { return {x, y}; }             \
    static inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }     \
    static inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
SHIM_VECTORS(char, signed char)
SHIM_VECTORS(uchar, unsigned char)
SHIM_VECTORS(short, short)
SHIM_VECTORS(ushort, unsigned short)
SHIM_VECTORS(int, int)
SHIM_VECTORS(uint, unsigned)
SHIM_VECTORS(longlong, long long)
SHIM_VECTORS(float, float)
SHIM_VECTORS(double, double)
struct dim3 { unsigned x = 1, y = 1, z = 1; };

#define __global__
#define __device__
#define __host__
#define __constant__
#define __shared__ static
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

static dim3 gridDim, blockDim;
static uint3 blockIdx, threadIdx;
static const int warpSize = 32;

// --- fibers ------------------------------------------------------------------------------------------
namespace shim {

struct Fiber {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(128 * 1024);
    uint3 index;
    unsigned lane, warp;
    bool done;
};

struct Rendezvous {  // lanes of one warp that exchange a 64-bit value each
    unsigned arrived = 0, present = 0, generation = 0;
    uint64_t slot[32], result[32];
};

struct Block {
    std::vector<Fiber> fibers;
    std::vector<unsigned> alive;                             // per warp: lanes that have not returned
    std::vector<std::map<unsigned, Rendezvous>> exchanges;   // per warp, by mask
    unsigned live, waiting, generation, count, result_count, result_live;
    long progress;
    bool failed;
} static block;

static ucontext_t scheduler;
static Fiber* current;
static void (*body)();
static std::string printed, error;
static std::vector<char> dynamic_bytes;
static char* dynamic;

static void yield() { swapcontext(&current->context, &scheduler); }
static void moved() { block.progress++; }
static void give_way() { moved(); yield(); }

static void fail(const std::string& text) {
    error = text;
    block.failed = true;
    current->done = true;
    yield();
}

static void release_barrier() {
    block.result_count = block.count;
    block.result_live = block.live;
    block.waiting = block.count = 0;
    block.generation++;
    moved();
}

static unsigned barrier(bool predicate) {  // number of threads whose predicate holds
    unsigned mine = block.generation;
    block.count += predicate;
    if (++block.waiting == block.live) release_barrier();
    while (mine == block.generation) yield();
    return block.result_count;
}

static void complete(unsigned warp, unsigned mask, Rendezvous& r) {
    if (!r.arrived || r.arrived != (mask & block.alive[warp])) return;
    memcpy(r.result, r.slot, sizeof r.slot);
    r.present = r.arrived;
    r.arrived = 0;
    r.generation++;
    moved();
}

static Rendezvous& exchange(unsigned mask, uint64_t value) {
    if (!(mask >> current->lane & 1)) fail("a lane calls a warp function whose mask leaves it out");
    Rendezvous& r = block.exchanges[current->warp][mask];
    unsigned mine = r.generation;
    r.slot[current->lane] = value;
    r.arrived |= 1u << current->lane;
    complete(current->warp, mask, r);
    while (mine == r.generation) yield();
    return r;
}

static void leave() {
    current->done = true;
    block.live--;
    block.alive[current->warp] &= ~(1u << current->lane);
    for (auto& [mask, r] : block.exchanges[current->warp]) complete(current->warp, mask, r);
    if (block.live && block.waiting == block.live) release_barrier();
    moved();
}

static void start() { body(); leave(); yield(); }

static void prepare(unsigned threads) {
    block.fibers.resize(threads);
    block.alive.assign((threads + 31) / 32, 0);
    block.exchanges.assign(block.alive.size(), {});
    block.live = threads;
    block.waiting = block.generation = block.count = 0;
    for (unsigned i = 0; i < threads; i++) {
        Fiber& f = block.fibers[i];
        f.index = {i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y};
        f.lane = i % 32, f.warp = i / 32, f.done = false;
        block.alive[f.warp] |= 1u << f.lane;
        getcontext(&f.context);
        f.context.uc_stack.ss_sp = f.stack.data();
        f.context.uc_stack.ss_size = f.stack.size();
        makecontext(&f.context, start, 0);
    }
}

static void run_block(bool falling) {
    unsigned n = blockDim.x * blockDim.y * blockDim.z;
    prepare(n);
    for (long before = -1; block.live && !block.failed;) {
        if (before == block.progress) { block.failed = true; error = "deadlock"; break; }
        before = block.progress;
        for (unsigned i = 0; i < n && !block.failed; i++) {
            current = &block.fibers[falling ? n - 1 - i : i];
            if (current->done) continue;
            threadIdx = current->index;
            swapcontext(&scheduler, &current->context);
        }
    }
}

static void run_grid(size_t shared_bytes, bool falling) {
    dynamic_bytes.resize(shared_bytes + 64);
    dynamic = dynamic_bytes.data() + (64 - (uintptr_t)dynamic_bytes.data() % 64) % 64;
    block.failed = false;
    unsigned n = gridDim.x * gridDim.y * gridDim.z;
    for (unsigned j = 0; j < n && !block.failed; j++) {
        unsigned i = falling ? n - 1 - j : j;
        blockIdx = {i % gridDim.x, i / gridDim.x % gridDim.y, i / gridDim.x / gridDim.y};
        std::fill(dynamic_bytes.begin(), dynamic_bytes.end(), (char)0xA5);
        run_block(falling);
    }
}

static void** arguments;
template <class... P, size_t... I>
static void call(void (*kernel)(P...), std::index_sequence<I...>) {
    kernel(*(std::remove_cv_t<P>*)arguments[I]...);
}
template <auto kernel> struct Entry;
template <class... P, void (*kernel)(P...)> struct Entry<kernel> {
    static void body() { call(kernel, std::index_sequence_for<P...>()); }
};
template <auto kernel>
static const char* launch(void** values, const unsigned* grid, const unsigned* shape, size_t shared_bytes,
                          int falling) {
    arguments = values;
    body = Entry<kernel>::body;
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {shape[0], shape[1], shape[2]};
    printed.clear(), error.clear();
    run_grid(shared_bytes, falling);
    return error.c_str();
}

static int print(const char* format, ...) {
    char line[1024];
    va_list values;
    va_start(values, format);
    int n = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    printed += line;
    return n;
}
}  // namespace shim

#define printf shim::print
#undef assert
#define assert(e) ((e) ? (void)0 : shim::fail("assertion failed: " #e))

// --- barriers, fences, warp functions ----------------------------------------------------------------
static inline void __syncthreads() { shim::barrier(false); }
static inline int __syncthreads_count(int p) { return (int)shim::barrier(p != 0); }
static inline int __syncthreads_or(int p) { return shim::barrier(p != 0) != 0; }
static inline int __syncthreads_and(int p) { return shim::barrier(p == 0) == 0; }
static inline void __threadfence() { shim::give_way(); }
static inline void __threadfence_block() { shim::give_way(); }
static inline void __threadfence_system() { shim::give_way(); }
static inline void __nanosleep(unsigned) { shim::give_way(); }
static inline void __syncwarp(unsigned mask = ~0u) { shim::exchange(mask, 0); }

namespace shim {
template <class T> uint64_t bits(T v) { uint64_t b = 0; memcpy(&b, &v, sizeof v); return b; }
template <class T> T value(uint64_t b) { T v; memcpy(&v, &b, sizeof v); return v; }
template <class T> T shuffle(unsigned mask, T v, int source) {  // source < 0: one's own
    Rendezvous& r = exchange(mask, bits(v));
    return source >= 0 && r.present >> source & 1 ? value<T>(r.result[source]) : v;
}
static unsigned ballot(unsigned mask, bool p) {
    Rendezvous& r = exchange(mask, p);
    unsigned all = 0;
    for (int i = 0; i < 32; i++) all |= (unsigned)(r.present >> i & 1 && r.result[i]) << i;
    return all;
}
static unsigned same(unsigned mask, uint64_t v) {
    Rendezvous& r = exchange(mask, v);
    unsigned all = 0;
    for (int i = 0; i < 32; i++) all |= (unsigned)(r.present >> i & 1 && r.result[i] == v) << i;
    return all;
}
}  // namespace shim

#define SHIM_LANE int lane = (int)shim::current->lane, first = lane & ~(width - 1), last = first + width - 1
template <class T> T __shfl_sync(unsigned mask, T v, int source, int width = 32) {
    SHIM_LANE; (void)last;
    return shim::shuffle(mask, v, first + (source & (width - 1)));
}
template <class T> T __shfl_up_sync(unsigned mask, T v, unsigned delta, int width = 32) {
    SHIM_LANE; (void)last;
    return shim::shuffle(mask, v, lane - (int)delta >= first ? lane - (int)delta : -1);
}
template <class T> T __shfl_down_sync(unsigned mask, T v, unsigned delta, int width = 32) {
    SHIM_LANE;
    return shim::shuffle(mask, v, lane + (int)delta <= last ? lane + (int)delta : -1);
}
template <class T> T __shfl_xor_sync(unsigned mask, T v, int lanes, int width = 32) {
    SHIM_LANE;
    return shim::shuffle(mask, v, (lane ^ lanes) <= last ? lane ^ lanes : -1);
}
static inline unsigned __ballot_sync(unsigned mask, int p) { return shim::ballot(mask, p != 0); }
static inline int __any_sync(unsigned mask, int p) { return shim::ballot(mask, p != 0) != 0; }
static inline int __all_sync(unsigned mask, int p) { return shim::ballot(mask, p == 0) == 0; }
template <class T> unsigned __match_any_sync(unsigned mask, T v) { return shim::same(mask, shim::bits(v)); }
template <class T> unsigned __match_all_sync(unsigned mask, T v, int* all) {
    shim::Rendezvous& r = shim::exchange(mask, shim::bits(v));
    *all = 1;
    for (int i = 0; i < 32; i++) *all &= !(r.present >> i & 1) || r.result[i] == shim::bits(v);
    return *all ? mask : 0;
}

// --- atomics: one CPU thread, so a plain update; then the other fibers may run ------------------------
#define SHIM_ATOMIC(name, formula)                                   \
    template <class T> T name(T* p, std::common_type_t<T> v) {       \
        T old = *p;                                                  \
        *p = formula;                                                \
        shim::give_way();                                            \
        return old;                                                  \
    }                                                                \
    template <class T> T name##_block(T* p, std::common_type_t<T> v) { return name(p, v); }
SHIM_ATOMIC(atomicAdd, old + v)
SHIM_ATOMIC(atomicSub, old - v)
SHIM_ATOMIC(atomicExch, v)
SHIM_ATOMIC(atomicMin, old < v ? old : v)
SHIM_ATOMIC(atomicMax, old > v ? old : v)
SHIM_ATOMIC(atomicAnd, old & v)
SHIM_ATOMIC(atomicOr, old | v)
SHIM_ATOMIC(atomicXor, old ^ v)
SHIM_ATOMIC(atomicInc, old >= v ? 0 : old + 1)
SHIM_ATOMIC(atomicDec, old == 0 || old > v ? v : old - 1)
template <class T> T atomicCAS(T* p, std::common_type_t<T> compare, std::common_type_t<T> v) {
    T old = *p;
    if (old == compare) *p = v;
    shim::give_way();
    return old;
}

// --- arithmetic --------------------------------------------------------------------------------------
template <class A, class B> constexpr std::common_type_t<A, B> min(A a, B b) { return a < b ? a : b; }
template <class A, class B> constexpr std::common_type_t<A, B> max(A a, B b) { return a > b ? a : b; }
template <class T> T __ldg(const T* p) { return *p; }
static inline int __popc(unsigned v) { return __builtin_popcount(v); }
static inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
static inline int __clz(unsigned v) { return v ? __builtin_clz(v) : 32; }
static inline int __clzll(unsigned long long v) { return v ? __builtin_clzll(v) : 64; }
static inline int __ffs(unsigned v) { return __builtin_ffs((int)v); }
static inline int __ffsll(unsigned long long v) { return __builtin_ffsll((long long)v); }
static inline unsigned long long __brevll(unsigned long long v) {
    unsigned long long r = 0;
    for (int i = 0; i < 64; i++) r |= (v >> i & 1) << (63 - i);
    return r;
}
static inline unsigned __brev(unsigned v) { return (unsigned)(__brevll(v) >> 32); }
static inline unsigned __byte_perm(unsigned a, unsigned b, unsigned s) {
    unsigned long long both = (unsigned long long)b << 32 | a;
    unsigned r = 0;
    for (int i = 0; i < 4; i++) r |= (unsigned)(both >> (8 * (s >> (4 * i) & 7)) & 255) << (8 * i);
    return r;
}
static inline unsigned __funnelshift_l(unsigned lo, unsigned hi, unsigned s) {
    return (unsigned)((((unsigned long long)hi << 32 | lo) << (s & 31)) >> 32);
}
static inline unsigned __funnelshift_r(unsigned lo, unsigned hi, unsigned s) {
    return (unsigned)(((unsigned long long)hi << 32 | lo) >> (s & 31));
}
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((uint64_t)a * b >> 32); }
static inline int __mulhi(int a, int b) { return (int)((int64_t)a * b >> 32); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}
static inline int __mul24(int a, int b) { return (int)((unsigned)(a << 8 >> 8) * (unsigned)(b << 8 >> 8)); }
static inline unsigned __sad(int a, int b, unsigned c) { return (a > b ? a - b : b - a) + c; }
static inline int __dp4a(int a, int b, int c) {
    for (int i = 0; i < 4; i++) c += (signed char)(a >> (8 * i)) * (signed char)(b >> (8 * i));
    return c;
}
static inline int __float_as_int(float v) { return shim::value<int>(shim::bits(v)); }
static inline unsigned __float_as_uint(float v) { return shim::value<unsigned>(shim::bits(v)); }
static inline float __int_as_float(int v) { return shim::value<float>(shim::bits(v)); }
static inline float __uint_as_float(unsigned v) { return shim::value<float>(shim::bits(v)); }
static inline long long __double_as_longlong(double v) { return shim::value<long long>(shim::bits(v)); }
static inline double __longlong_as_double(long long v) { return shim::value<double>(shim::bits(v)); }
static inline int __float2int_rn(float v) { return (int)nearbyintf(v); }
static inline int __float2int_rz(float v) { return (int)truncf(v); }
static inline int __float2int_ru(float v) { return (int)ceilf(v); }
static inline int __float2int_rd(float v) { return (int)floorf(v); }
static inline float __saturatef(float v) { return v > 0 ? (v < 1 ? v : 1.0f) : 0.0f; }
static inline float __fdividef(float a, float b) { return a / b; }
static inline float rsqrtf(float v) { return 1.0f / sqrtf(v); }
static inline double rsqrt(double v) { return 1.0 / sqrt(v); }
static inline void sincospif(float v, float* s, float* c) { *s = (float)sin(M_PI * v), *c = (float)cos(M_PI * v); }
#define __expf expf
#define __logf logf
#define __sinf sinf
#define __cosf cosf
#define __powf powf
#define __exp10f exp10f
#define __frcp_rn(v) (1.0f / (v))
#define __fsqrt_rn sqrtf
#define __fmaf_rn fmaf
#define __fadd_rn(a, b) ((a) + (b))
#define __fmul_rn(a, b) ((a) * (b))

// --- cuda_fp16.h -------------------------------------------------------------------------------------
struct __half {
    _Float16 v;
    __half() = default;
    __half(float f) : v((_Float16)f) {}
    operator float() const { return (float)v; }
};
typedef __half half;
struct alignas(4) half2 { half x, y; };
typedef half2 __half2;
static inline half __float2half(float f) { return half(f); }
static inline half __float2half_rn(float f) { return half(f); }
static inline float __half2float(half h) { return (float)h.v; }
static inline half __hadd(half a, half b) { return half((float)a + (float)b); }
static inline half __hsub(half a, half b) { return half((float)a - (float)b); }
static inline half __hmul(half a, half b) { return half((float)a * (float)b); }
static inline half __hdiv(half a, half b) { return half((float)((double)(float)a / (double)(float)b)); }
static inline half __hfma(half a, half b, half c) { return half((float)a * (float)b + (float)c); }
static inline bool __hgt(half a, half b) { return (float)a > (float)b; }
static inline half2 __halves2half2(half a, half b) { return {a, b}; }
static inline half2 __float2half2_rn(float f) { return {half(f), half(f)}; }
static inline half __low2half(half2 a) { return a.x; }
static inline half __high2half(half2 a) { return a.y; }
static inline half2 __hadd2(half2 a, half2 b) { return {__hadd(a.x, b.x), __hadd(a.y, b.y)}; }
static inline half2 __hmul2(half2 a, half2 b) { return {__hmul(a.x, b.x), __hmul(a.y, b.y)}; }
static inline half2 __hfma2(half2 a, half2 b, half2 c) { return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)}; }
static inline float2 __half22float2(half2 a) { return {(float)a.x, (float)a.y}; }
static inline unsigned short __half_as_ushort(half a) { return shim::value<unsigned short>(shim::bits(a)); }
static inline half __ushort_as_half(unsigned short a) { return shim::value<half>(a); }

// --- cuComplex.h -------------------------------------------------------------------------------------
typedef float2 cuFloatComplex;
static inline cuFloatComplex make_cuFloatComplex(float x, float y) { return {x, y}; }
static inline float cuCrealf(cuFloatComplex a) { return a.x; }
static inline float cuCimagf(cuFloatComplex a) { return a.y; }
static inline float cuCabsf(cuFloatComplex a) { return hypotf(a.x, a.y); }
static inline cuFloatComplex cuCaddf(cuFloatComplex a, cuFloatComplex b) { return {a.x + b.x, a.y + b.y}; }
static inline cuFloatComplex cuCmulf(cuFloatComplex a, cuFloatComplex b) {
    return {a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x};
}
static inline cuFloatComplex cuCdivf(cuFloatComplex a, cuFloatComplex b) {
    float n = b.x * b.x + b.y * b.y;
    return {(a.x * b.x + a.y * b.y) / n, (a.y * b.x - a.x * b.y) / n};
}

// --- cooperative_groups.h ----------------------------------------------------------------------------
namespace cooperative_groups {
struct thread_block {
    void sync() const { __syncthreads(); }
    static unsigned rank() { return shim::current->warp * 32 + shim::current->lane; }
    unsigned thread_rank() const { return rank(); }
    unsigned size() const { return blockDim.x * blockDim.y * blockDim.z; }
    unsigned num_threads() const { return size(); }
    dim3 group_index() const { return {blockIdx.x, blockIdx.y, blockIdx.z}; }
    dim3 thread_index() const { return {threadIdx.x, threadIdx.y, threadIdx.z}; }
};
static inline thread_block this_thread_block() { return {}; }
template <unsigned N> struct thread_block_tile {
    unsigned thread_rank() const { return thread_block::rank() % N; }
    unsigned meta_group_rank() const { return thread_block::rank() / N; }
    unsigned meta_group_size() const { return (blockDim.x * blockDim.y * blockDim.z + N - 1) / N; }
    static constexpr unsigned size() { return N; }
    static constexpr unsigned num_threads() { return N; }
    unsigned start() const { return shim::current->lane / N * N; }
    unsigned mask() const { return (N == 32 ? ~0u : (1u << (N % 32)) - 1) << start(); }
    void sync() const { __syncwarp(mask()); }
    template <class T> T shfl(T v, int source) const { return __shfl_sync(mask(), v, source, N); }
    template <class T> T shfl_up(T v, unsigned d) const { return __shfl_up_sync(mask(), v, d, N); }
    template <class T> T shfl_down(T v, unsigned d) const { return __shfl_down_sync(mask(), v, d, N); }
    template <class T> T shfl_xor(T v, int m) const { return __shfl_xor_sync(mask(), v, m, N); }
    bool any(int p) const { return __any_sync(mask(), p); }
    bool all(int p) const { return __all_sync(mask(), p); }
    unsigned ballot(int p) const { return __ballot_sync(mask(), p) >> start(); }
};
template <unsigned N> thread_block_tile<N> tiled_partition(thread_block) { return {}; }
template <class T> struct plus { T operator()(T a, T b) const { return a + b; } };
template <class T> struct greater { T operator()(T a, T b) const { return a > b ? a : b; } };
template <class Tile, class T, class F> T reduce(Tile tile, T v, F f) {
    for (unsigned d = Tile::size() / 2; d; d /= 2) v = f(v, tile.shfl_xor(v, d));
    return v;
}
}  // namespace cooperative_groups

// --- mma.h: every lane holds the whole fragment ------------------------------------------------------
namespace nvcuda::wmma {
struct matrix_a; struct matrix_b; struct accumulator; struct row_major; struct col_major;
enum layout_t { mem_row_major, mem_col_major };
template <class Use, int M, int N, int K, class T, class Layout = row_major> struct fragment {
    static constexpr bool by_column = std::is_same_v<Layout, col_major>;
    static constexpr int rows = std::is_same_v<Use, matrix_b> ? K : M;
    static constexpr int columns = std::is_same_v<Use, matrix_a> ? K : N;
    static constexpr int num_elements = rows * columns;
    T x[num_elements];
};
template <class F, class T> void fill_fragment(F& f, T v) { std::fill(f.x, f.x + f.num_elements, v); }
template <class F, class T> void load_matrix_sync(F& f, const T* p, unsigned stride) {
    __syncwarp();
    for (int i = 0; i < F::rows; i++)
        for (int j = 0; j < F::columns; j++) f.x[i * F::columns + j] = F::by_column ? p[j * stride + i] : p[i * stride + j];
    __syncwarp();
}
template <class D, class A, class B, class C> void mma_sync(D& d, const A& a, const B& b, const C& c) {
    for (int i = 0; i < A::rows; i++)
        for (int j = 0; j < B::columns; j++) {
            float sum = (float)c.x[i * B::columns + j];
            for (int k = 0; k < A::columns; k++) sum += (float)a.x[i * A::columns + k] * (float)b.x[k * B::columns + j];
            d.x[i * B::columns + j] = sum;
        }
}
template <class F, class T> void store_matrix_sync(T* p, const F& f, unsigned stride, layout_t layout) {
    __syncwarp();
    for (int i = 0; i < F::rows; i++)
        for (int j = 0; j < F::columns; j++) (layout == mem_row_major ? p[i * stride + j] : p[j * stride + i]) = f.x[i * F::columns + j];
    __syncwarp();
}
}  // namespace nvcuda::wmma

extern "C" const char* shim_printed() { return shim::printed.c_str(); }
