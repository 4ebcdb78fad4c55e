"""The language: functions, recursion, structs, templates, memory spaces, pointers, printf, assert."""

from __future__ import annotations

import math
import re

import numpy as np

from tests.simt.conformance.kernel import Kernel, blank, body, padded, written

NOINLINE = r"""
struct Range { float low, high; int count; };
__device__ __noinline__ float power(float x, int n) {
    float r = 1.0f;
    while (n-- > 0) r *= x;
    return r;
}
__device__ __noinline__ Range widen(Range r, float v) {
    if (r.count++ == 0) return {v, v, 1};
    r.low = fminf(r.low, v), r.high = fmaxf(r.high, v);
    return r;
}
__device__ __noinline__ void store(float* out, int at, float v, bool negative) {
    out[at] = negative ? -v : v;
}
extern "C" __global__ void device_functions(const float* x, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    Range r = {0.0f, 0.0f, 0};
    for (int k = 0; k <= i % 5; ++k) r = widen(r, x[(i + k) % n]);
    store(out, i, power(r.high - r.low + 1.0f, i % 4) + r.count, i & 1);
}
"""

FIBONACCI = r"""
__device__ int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
extern "C" __global__ void recursion_fibonacci(int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = fibonacci(i % 13);
}
"""

MUTUAL = r"""
__device__ bool odd(unsigned n);
__device__ __noinline__ bool even(unsigned n) { return n == 0 || odd(n - 1); }
__device__ __noinline__ bool odd(unsigned n) { return n != 0 && even(n - 1); }
__device__ __noinline__ int ackermann(int m, int n) {
    if (m == 0) return n + 1;
    return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}
extern "C" __global__ void recursion_mutual(int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = (even(i % 40) ? 1000 : 2000) + ackermann(i % 3, i % 6);
}
"""

QUICKSORT = r"""
__device__ __noinline__ void quicksort(int* v, int low, int high) {
    if (low >= high) return;
    int pivot = v[(low + high) / 2], i = low, j = high;
    while (i <= j) {
        while (v[i] < pivot) ++i;
        while (v[j] > pivot) --j;
        if (i <= j) { int t = v[i]; v[i++] = v[j]; v[j--] = t; }
    }
    quicksort(v, low, j);
    quicksort(v, i, high);
}
extern "C" __global__ void recursion_local_array(const int* in, int* out, int rows) {
    int r = blockIdx.x * blockDim.x + threadIdx.x, mine[19];
    if (r >= rows) return;
    for (int k = 0; k < 19; ++k) mine[k] = in[r * 19 + k];
    quicksort(mine, 0, 18);
    for (int k = 0; k < 19; ++k) out[r * 19 + k] = mine[k];
}
"""

LOCAL = r"""
extern "C" __global__ void local_array_dynamic(const unsigned char* in, int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    short counts[16];                                          // indexed by data: lives in local memory
    for (int k = 0; k < 16; ++k) counts[k] = 0;
    for (int k = 0; k < 30; ++k) counts[in[i * 30 + k] & 15] += k + 1;
    int best = 0;
    for (int k = 1; k < 16; ++k)
        if (counts[k] > counts[best]) best = k;
    out[i] = best * 1000 + counts[best];
}
"""

STRUCT_ARGUMENT = r"""
struct Box { double lo[2], hi[2]; };
struct Setup { char flag; short scale; int n; Box box; float weights[3]; unsigned char last; };
extern "C" __global__ void struct_by_value(Setup s, const double* x, double* out, Box other) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= s.n) return;
    double v = x[i] * s.scale;
    int axis = i % 2;
    v = fmin(fmax(v, s.box.lo[axis]), s.box.hi[axis]);
    if (v > other.lo[axis] && v < other.hi[axis]) v += s.weights[i % 3];
    out[i] = s.flag == 'y' ? v + s.last : -v;
}
"""

STRUCT_ARRAY = r"""
struct __align__(16) Particle { float x, y, z; int cell; };
extern "C" __global__ void struct_array_update(const Particle* in, Particle* out, float dt, float* xs,
                                               int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    Particle p = in[i];
    p.x += dt, p.y -= dt, p.z *= 0.5f;
    p.cell = ((int)floorf(p.x) & 15) | ((int)floorf(p.y) & 15) << 4;
    out[i] = p;
    xs[i] = p.x;                                               // array of structs to struct of arrays
}
"""

BITFIELDS = r"""
struct Packed { unsigned low : 5, middle : 11; int high : 16; };
union Word { Packed fields; unsigned bits; unsigned char bytes[4]; };
extern "C" __global__ void bit_fields_and_union(const unsigned* in, unsigned* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    Word w;
    w.bits = in[i];
    w.fields.low += 3;                                         // wraps in its five bits
    w.fields.high = w.fields.high >> 1;                        // keeps its sign
    out[i] = w.bits + ((unsigned)w.bytes[i & 3] << 8);
}
"""

CONSTANT = r"""
__constant__ float scale[4];
__constant__ int offset = 7;
__constant__ short table[8] = {1, -2, 4, -8, 16, -32, 64, -128};
__device__ float bias[2] = {0.5f, -0.25f};
__device__ const unsigned char names[] = "warp";
extern "C" __global__ void constant_memory(const int* x, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    out[i] = scale[i & 3] * (x[i] + offset) + table[x[i] & 7] + bias[i & 1] + names[i % 5];
}
"""

DEVICE_STATE = r"""
__device__ unsigned long long total = 0;
__device__ int finished;
extern "C" __global__ void device_variables(const int* x, unsigned long long* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) atomicAdd(&total, (unsigned long long)x[i]);
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        if (atomicAdd(&finished, 1) == gridDim.x - 1) {
            *out = atomicExch(&total, 0ull);                   // ready for the next launch
            atomicExch(&finished, 0);
        }
    }
}
"""

TEMPLATES = r"""
namespace lab {
template <typename... T> __device__ auto sum(T... v) { return (v + ...); }
template <typename F> __device__ float twice(F f, float x) { return f(f(x)); }
struct Scale { float by; __device__ float operator()(float x) const { return by * x; } };
template <int N> struct Power {
    static __device__ float of(float x) {
        if constexpr (N == 0) return 1.0f;
        else return x * Power<N - 1>::of(x);
    }
};
enum class Mode { plain, squared };
template <typename From, typename To, Mode mode>
__global__ void convert(const From* in, To* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float v = (float)in[i], shift = 0.25f;
    v = twice(Scale{2.0f}, v) + twice([=](float x) { return x + shift; }, v);
    if constexpr (mode == Mode::squared) v = Power<2>::of(v);
    out[i] = (To)sum(v, 1, 2.0f);
}
}
"""

FUNCTION_POINTERS = r"""
typedef int (*Operation)(int, int);
__device__ __noinline__ int plus_(int a, int b) { return a + b; }
__device__ __noinline__ int minus_(int a, int b) { return a - b; }
__device__ __noinline__ int times_(int a, int b) { return a * b; }
__device__ Operation table[3] = {plus_, minus_, times_};
extern "C" __global__ void function_pointers(const int* op, const int* a, const int* b, int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = table[op[i]](a[i], b[i]);
}
"""

VIRTUAL = r"""
struct Shape { __device__ virtual float area() const = 0; };
struct Square : Shape {
    float side;
    __device__ Square(float s) : side(s) {}
    __device__ float area() const override { return side * side; }
};
struct Disc : Shape {
    float r;
    __device__ Disc(float v) : r(v) {}
    __device__ float area() const override { return 3.0f * r * r; }
};
extern "C" __global__ void virtual_functions(const float* x, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    Square square(x[i]);
    Disc disc(x[i]);
    const Shape* shape = x[i] > 0.5f ? (const Shape*)&square : (const Shape*)&disc;
    out[i] = shape->area();
}
"""

DYNAMIC_TWO = r"""
extern "C" __global__ void dynamic_shared_two_arrays(const float* x, const int* key, float* out, int n) {
    extern __shared__ double storage[];
    double* sums = storage;                                    // 4 doubles, then blockDim.x shorts
    short* keys = (short*)(sums + 4);
    __shared__ int busy;
    int t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
    keys[t] = i < n ? (short)key[i] : (short)-1;
    if (t == 0) busy = 0;
    __syncthreads();
    if (t < 4) {
        double sum = 0.0;
        for (int k = 0; k < blockDim.x; ++k)
            if (keys[k] == t) sum += x[blockIdx.x * blockDim.x + k], atomicAdd(&busy, 1);
        sums[t] = sum;
    }
    __syncthreads();
    if (t < 4) out[blockIdx.x * 5 + t] = (float)sums[3 - t];
    if (t == 4) out[blockIdx.x * 5 + 4] = (float)busy;
}
"""

GENERIC = r"""
__device__ __noinline__ int total(const int* p, int n) {
    int sum = 0;
    for (int k = 0; k < n; ++k) sum += p[k];
    return sum;
}
__constant__ int fixed[4] = {1, 10, 100, 1000};
extern "C" __global__ void generic_pointers(const int* in, int* out, int n) {
    __shared__ int s[4];
    int i = blockIdx.x * blockDim.x + threadIdx.x, own[4] = {i, 2 * i, 3 * i, 4 * i};
    if (threadIdx.x < 4) s[threadIdx.x] = -threadIdx.x - 1;
    __syncthreads();
    if (i >= n) return;
    const int* p;                                              // one load, four address spaces
    switch (in[i] & 3) {
        case 0: p = s; break;
        case 1: p = own; break;
        case 2: p = fixed; break;
        default: p = in;
    }
    out[i] = total(p, 1 + i % 4);
}
"""

GOTO = r"""
extern "C" __global__ void state_machine_goto(const char* text, int* out, int length, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const char* p = text + i * length;
    const char* end = p + length;
    int numbers = 0, value = 0, sum = 0;
between:
    if (p == end) goto done;
    if (*p >= '0' && *p <= '9') { value = 0; goto digits; }
    ++p;
    goto between;
digits:
    value = value * 10 + (*p++ - '0');
    if (p < end && *p >= '0' && *p <= '9') goto digits;
    ++numbers, sum += value;
    if (p < end) goto between;
done:
    out[i] = numbers * 1000000 + sum;
}
"""

SHORT_CIRCUIT = r"""
__device__ __noinline__ bool probe(int* calls, int v) { ++*calls; return v > 3; }
extern "C" __global__ void short_circuit(const int* a, const int* b, int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    int calls = 0;
    bool both = probe(&calls, a[i]) && probe(&calls, b[i]);
    bool either = probe(&calls, b[i]) || probe(&calls, a[i]);
    out[i] = calls * 10 + both * 2 + either;
}
"""

MALLOC = r"""
extern "C" __global__ void device_malloc(const int* in, int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    int count = in[i] % 9 + 1;
    int* v = (int*)malloc(count * sizeof(int));
    if (!v) return;
    for (int k = 0; k < count; ++k) v[k] = i + k;
    int sum = 0;
    for (int k = 0; k < count; ++k) sum += v[k];
    free(v);
    out[i] = sum;
}
"""

PRINTF = r"""
extern "C" __global__ void printf_formats(const float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    if (i % 2 == 0) printf("thread %d of block %u: %.3f %5d|%-4d|%+d %x %c %s %%\n", threadIdx.x, blockIdx.x,
        x[i], i, i, i, 255u + i, 'a' + i, "text");
    else printf("%lld %llu %08.2f %e %g %hd\n", (long long)i << 33, 18446744073709551615ull - i,
        x[i] * 100.0, (double)x[i], 0.5 * i, (short)-i);
    if (i == 0) printf("no arguments\n");
}
"""

ASSERT_HOLDS = r"""
extern "C" __global__ void assert_holds(const int* x, int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    assert(x[i] >= 0);
    assert(x[i] < 100 && "a percentage");
    out[i] = 100 - x[i];
}
"""

ASSERT_FAILS = r"""
extern "C" __global__ void assert_fails(const int* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) assert(x[i] != 42);
}
"""

UNROLLED = r"""
template <int ROWS>
__global__ void __launch_bounds__(64, 2) registers_unrolled(const float* __restrict__ x, float*
                                                            __restrict__ out, int n) {
    int i = blockIdx.x * 64 + threadIdx.x;
    float v[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) v[r] = i < n ? __ldg(x + r * n + i) : 0.0f;
#pragma unroll
    for (int r = 0; r < ROWS / 2; ++r) {
        float t = v[r];
        v[r] = v[ROWS - 1 - r], v[ROWS - 1 - r] = t;
    }
    if (i < n)
#pragma unroll
        for (int r = 0; r < ROWS; ++r) out[r * n + i] = v[r] * (r + 1);
}
"""

COPY = r"""
struct Big { int v[12]; };
extern "C" __global__ void copy_and_clear(const Big* in, Big* out, unsigned char* bytes, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    Big b;
    memset(&b, 0xff, sizeof b);
    memcpy(&b.v[3], &in[i].v[1], 7 * sizeof(int));
    out[i] = b;
    memcpy(bytes + 5 * i, (const char*)&in[i] + 2, 5);         // no alignment at all
}
"""


def _device_functions(arguments):
    x = body(arguments[0], 130)
    out = []
    for i in range(130):
        window = [x[(i + k) % 130] for k in range(i % 5 + 1)]
        value = (np.ptp(window) + 1) ** (i % 4) + len(window)
        out.append(-value if i % 2 else value)
    return {1: written(arguments[1], out)}


def _fibonacci(arguments):
    golden = (1 + math.sqrt(5)) / 2
    return {0: written(arguments[0], [round(golden ** (i % 13) / math.sqrt(5)) for i in range(100)])}


def _mutual(arguments):
    closed = (lambda n: n + 1, lambda n: n + 2, lambda n: 2 * n + 3)    # Ackermann's rows 0, 1, 2
    values = [(2000 if i % 40 % 2 else 1000) + closed[i % 3](i % 6) for i in range(100)]
    return {0: written(arguments[0], values)}


def _local(arguments):
    out = []
    for row in (arguments[0][: 130 * 30].reshape(130, 30) & 15):
        counts = np.bincount(row, weights=np.arange(1, 31), minlength=16).astype(int)
        out.append(counts.argmax() * 1000 + counts.max())
    return {1: written(arguments[1], out)}


_BOX = np.dtype([("lo", np.float64, 2), ("hi", np.float64, 2)], align=True)
_SETUP = np.dtype([("flag", "S1"), ("scale", np.int16), ("n", np.int32), ("box", _BOX),
                   ("weights", np.float32, 3),
                   ("last", np.uint8)], align=True)  # fmt: skip


def _struct_arguments(rng):
    setup = np.array((b"y", -3, 150, ([-2, -1], [2, 1.5]), [0.25, 0.5, 1], 9), _SETUP)[()]
    other = np.array(([-1, -1], [1, 0.5]), _BOX)[()]
    return [setup, padded(rng.normal(size=150), np.float64), blank(150, np.float64), other]


def _struct_by_value(arguments):
    axis = np.arange(150) % 2
    v = np.clip(arguments[1][:150] * -3, np.array([-2, -1])[axis], np.array([2, 1.5])[axis])
    inside = (v > -1) & (v < np.array([1, 0.5])[axis])
    return {2: written(arguments[2], v + inside * np.array([0.25, 0.5, 1])[np.arange(150) % 3] + 9)}


_PARTICLE = np.dtype([("x", np.float32), ("y", np.float32), ("z", np.float32), ("cell", np.int32)])


def _particles(rng):
    p = np.zeros(150, _PARTICLE)
    for axis in "xyz":
        p[axis] = rng.uniform(-8, 8, 150)
    return [padded(p.view(np.int32), np.int32, 8), blank(600, np.int32, 8), np.float32(0.75), blank(150),
        np.int32(150)]


def _particle_update(arguments):
    after = arguments[0][:600].copy().view(_PARTICLE)
    after["x"] += np.float32(0.75)
    after["y"] -= np.float32(0.75)
    after["z"] /= 2
    after["cell"] = np.floor(after["x"]).astype(int) % 16 + np.floor(after["y"]).astype(int) % 16 * 16
    return {1: written(arguments[1], after.view(np.int32)), 3: written(arguments[3], after["x"])}


def _bit_fields(arguments):
    v = arguments[0][:140].astype(np.int64)
    low, middle = (v + 3) % 32, v >> 5 & 0x7FF
    high = ((v >> 16) + 2**15) % 2**16 - 2**15
    word = low | middle << 5 | (high // 2 % 2**16) << 16
    byte = word >> 8 * (np.arange(140) & 3) & 255
    return {1: written(arguments[1], (word + (byte << 8)) % 2**32)}


_SCALE = np.array([0.5, 2, -1, 4], np.float32)


def _constant(arguments):
    x, i = arguments[0][:140], np.arange(140)
    table = (-2) ** (x % 8)
    name = np.frombuffer(b"warp\0", np.uint8)[i % 5]
    value = _SCALE.astype(float)[i % 4] * (x + 7) + table + np.where(i % 2, -0.25, 0.5) + name
    return {1: written(arguments[1], value)}


def _converted(squared):
    def expected(arguments):
        v = 4 * arguments[0][:140].astype(float) + arguments[0][:140] + 0.5
        # `written` cuts to an integer, as C does
        return {1: written(arguments[1], (v * v if squared else v) + 3)}

    return expected


def _operations(arguments):
    op, a, b = (v[:120] for v in arguments[:3])
    return {3: written(arguments[3], np.choose(op, [a + b, a - b, a * b]))}


def _areas(arguments):
    x = body(arguments[0], 120)
    return {1: written(arguments[1], np.where(x > 0.5, 1, 3) * x * x)}


def _two_arrays(arguments):
    rows = []
    for x, key in zip(np.split(body(arguments[0], 130), [48, 96]), np.split(arguments[1][:130], [48, 96]),
        strict=True):
        rows.append([*(x[key == 3 - t].sum() for t in range(4)), np.isin(key, range(4)).sum()])
    return {2: written(arguments[2], rows)}


def _generic(arguments):
    x, out = arguments[0][:140], []
    for i in range(140):
        choices = ([-1, -2, -3, -4], [i, 2 * i, 3 * i, 4 * i], [1, 10, 100, 1000], x[:4])
        out.append(sum(choices[x[i] & 3][: 1 + i % 4]))
    return {1: written(arguments[1], out)}


def _numbers_in_text(arguments):
    rows = arguments[0][: 110 * 23].reshape(110, 23)
    found = [[int(n) for n in re.findall(rb"\d+", row.tobytes())] for row in rows]
    return {1: written(arguments[1], [len(f) * 1000000 + sum(f) for f in found])}


def _digit_text(rng):
    letters = rng.choice(np.frombuffer(b"0123456789abc ,", np.int8), 110 * 23)
    letters[4::7] = ord(",")                       # at most six digits in a row
    return [padded(letters, np.int8), blank(110, np.int32), np.int32(23), np.int32(110)]


def _circuits(arguments):
    a, b = arguments[0][:140] > 3, arguments[1][:140] > 3
    calls = 1 + a + 1 + ~b
    return {2: written(arguments[2], calls * 10 + (a & b) * 2 + (a | b))}


def _allocated(arguments):
    count, i = arguments[0][:100] % 9 + 1, np.arange(100)
    return {1: written(arguments[1], count * i + count * (count - 1) // 2)}


_ROW = "thread {} of block {}: {:.3f} {:5d}|{:<4d}|{:+d} {:x} {} text %"


def _printed(arguments):
    lines = ["no arguments"]
    for i, x in enumerate(arguments[0][:10].tolist()):
        if i % 2 == 0:
            lines.append(_ROW.format(i % 4, i // 4, x, i, i, i, 255 + i, chr(97 + i)))
        else:
            lines.append(f"{i << 33} {2**64 - 1 - i} {x * 100.0:08.2f} {x:e} {0.5 * i:g} {-i}")
    return lines


def _copied(arguments):
    source = arguments[0][: 90 * 12].reshape(90, 12)
    out = np.full((90, 12), -1)
    out[:, 3:10] = source[:, 1:8]
    raw_bytes = source.copy().view(np.uint8).reshape(90, 48)[:, 2:7]
    return {1: written(arguments[1], out), 2: written(arguments[2], raw_bytes)}


def _ints(rng, low, high, count, dtype=np.int32):
    return padded(rng.integers(low, high, count), dtype)


def _convert(name, entry, source, target, squared):
    return Kernel(
        name=name, source=TEMPLATES, entry=entry, name_expressions=(entry,), grid=(3,), block=(64,),
        arguments=lambda rng: [_ints(rng, -20, 20, 140, source), blank(140, target), np.int32(140)],
        expected=_converted(squared), tags=frozenset({"template"}))  # fmt: skip


KERNELS = (
    Kernel(
        name="device_functions", source=NOINLINE, grid=(3,), block=(64,),
        arguments=lambda rng: [padded(rng.normal(size=130)), blank(130), np.int32(130)],
        expected=_device_functions, rtol=1e-5, reason="powers by repeated float products",
        tags=frozenset({"calls", "struct"}),
    ),
    Kernel(
        name="recursion_fibonacci", source=FIBONACCI, grid=(4,), block=(32,),
        arguments=lambda rng: [blank(100, np.int32), np.int32(100)], expected=_fibonacci,
        tags=frozenset({"calls", "recursion"}),
    ),
    Kernel(
        name="recursion_mutual", source=MUTUAL, grid=(4,), block=(32,),
        arguments=lambda rng: [blank(100, np.int32), np.int32(100)], expected=_mutual,
        tags=frozenset({"calls", "recursion"}),
    ),
    Kernel(
        name="recursion_local_array", source=QUICKSORT, grid=(3,), block=(32,),
        arguments=lambda rng: [_ints(rng, -99, 99, 70 * 19), blank(70 * 19, np.int32), np.int32(70)],
        expected=lambda a: {1: written(a[1], np.sort(a[0][:1330].reshape(70, 19), 1))},
        tags=frozenset({"calls", "recursion", "local", "sort"}),
    ),
    Kernel(
        name="local_array_dynamic", source=LOCAL, grid=(3,), block=(64,),
        arguments=lambda rng: [_ints(rng, 0, 256, 130 * 30, np.uint8), blank(130, np.int32), np.int32(130)],
        expected=_local, tags=frozenset({"local"}),
    ),
    Kernel(
        name="struct_by_value", source=STRUCT_ARGUMENT, grid=(3,), block=(64,), arguments=_struct_arguments,
        expected=_struct_by_value, tags=frozenset({"struct", "float64"}),
    ),
    Kernel(
        name="struct_array_update", source=STRUCT_ARRAY, grid=(3,), block=(64,), arguments=_particles,
        expected=_particle_update, tags=frozenset({"struct"}),
    ),
    Kernel(
        name="bit_fields_and_union", source=BITFIELDS, grid=(3,), block=(64,),
        arguments=lambda rng: [_ints(rng, 0, 2**32, 140, np.uint32), blank(140, np.uint32), np.int32(140)],
        expected=_bit_fields, tags=frozenset({"struct", "bits"}),
    ),
    Kernel(
        name="constant_memory", source=CONSTANT, grid=(3,), block=(64,),
        arguments=lambda rng: [_ints(rng, 0, 99, 140), blank(140), np.int32(140)], expected=_constant,
        constants={"scale": _SCALE}, tags=frozenset({"constant"}),
    ),
    Kernel(
        name="device_variables", source=DEVICE_STATE, grid=(3,), block=(96,),
        arguments=lambda rng: [_ints(rng, 0, 2**31 - 1, 250), blank(1, np.uint64), np.int32(250)],
        expected=lambda a: {1: written(a[1], a[0][:250].sum(dtype=np.uint64))}, tags=frozenset({"fence",
            "atomics"}),
    ),
    _convert("template_convert_short", "lab::convert<short, int, lab::Mode::plain>", np.int16, np.int32,
        False),
    _convert("template_convert_double", "lab::convert<int, double, lab::Mode::squared>", np.int32,
        np.float64, True),
    Kernel(
        name="function_pointers", source=FUNCTION_POINTERS, grid=(3,), block=(48,),
        arguments=lambda rng: [_ints(rng, 0, 3, 120), _ints(rng, -99, 99, 120), _ints(rng, -99, 99, 120),
                               blank(120, np.int32), np.int32(120)],
        expected=_operations, tags=frozenset({"calls", "indirect calls"}),
    ),
    Kernel(
        name="virtual_functions", source=VIRTUAL, grid=(3,), block=(48,),
        arguments=lambda rng: [padded(rng.random(120)), blank(120), np.int32(120)],
        expected=_areas, rtol=1e-6, reason="two float products", tags=frozenset({"calls", "indirect calls",
            "local"}),
    ),
    Kernel(
        name="dynamic_shared_two_arrays", source=DYNAMIC_TWO, grid=(3,), block=(48,),
        shared_bytes=4 * 8 + 48 * 2,
        arguments=lambda rng: [padded(rng.normal(size=130)), _ints(rng, 0, 6, 130), blank(15), np.int32(130)],
        expected=_two_arrays, rtol=1e-6, atol=1e-6, reason="rounded once to float",
        tags=frozenset({"dynamic shared", "float64"}),
    ),
    Kernel(
        name="generic_pointers", source=GENERIC, grid=(3,), block=(64,),
        arguments=lambda rng: [_ints(rng, 0, 99, 140), blank(140, np.int32), np.int32(140)],
        expected=_generic,
        tags=frozenset({"generic", "local", "constant", "calls"}),
    ),
    Kernel(
        name="state_machine_goto", source=GOTO, grid=(4,), block=(32,), arguments=_digit_text,
        expected=_numbers_in_text, tags=frozenset({"strings"}),
    ),
    Kernel(
        name="short_circuit", source=SHORT_CIRCUIT, grid=(3,), block=(64,),
        arguments=lambda rng: [_ints(rng, 0, 8, 140), _ints(rng, 0, 8, 140), blank(140, np.int32),
            np.int32(140)],
        expected=_circuits, tags=frozenset({"calls", "local"}),
    ),
    Kernel(
        name="device_malloc", source=MALLOC, grid=(4,), block=(32,),
        arguments=lambda rng: [_ints(rng, 0, 99, 100), blank(100, np.int32), np.int32(100)],
        expected=_allocated,
    ),
    Kernel(
        name="printf_formats", source=PRINTF, grid=(3,), block=(4,),
        arguments=lambda rng: [padded(rng.integers(-800, 800, 10) / 64), np.int32(10)], expected=lambda a: {},
        printed=_printed, tags=frozenset({"printf"}),
    ),
    Kernel(
        name="assert_holds", source=ASSERT_HOLDS, grid=(3,), block=(48,),
        arguments=lambda rng: [_ints(rng, 0, 100, 140), blank(140, np.int32), np.int32(140)],
        expected=lambda a: {1: written(a[1], 100 - a[0][:140])}, tags=frozenset({"assert"}),
    ),
    Kernel(
        name="assert_fails", source=ASSERT_FAILS, grid=(3,), block=(32,),
        arguments=lambda rng: [padded(np.arange(80), np.int32), np.int32(80)], expected=lambda a: {},
        fault="x\\[i\\] != 42", skip={"gpu": "a failed assert ends the CUDA context"},
        tags=frozenset({"assert"}),
    ),
    Kernel(
        name="registers_unrolled", source=UNROLLED, entry="registers_unrolled<9>",
        name_expressions=("registers_unrolled<9>",), grid=(3,), block=(64,),
        arguments=lambda rng: [padded(rng.normal(size=9 * 140)), blank(9 * 140), np.int32(140)],
        expected=lambda a: {1: written(a[1], body(a[0], 9, 140)[::-1] * np.arange(1, 10)[:, None])},
        tags=frozenset({"template"}),
    ),
    Kernel(
        name="copy_and_clear", source=COPY, grid=(3,), block=(32,),
        arguments=lambda rng: [_ints(rng, 0, 2**31, 90 * 12), blank(90 * 12, np.int32), blank(450, np.uint8),
            np.int32(90)],
        expected=_copied, tags=frozenset({"struct", "local"}),
    ),
)  # fmt: skip
