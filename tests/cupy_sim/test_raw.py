"""RawKernel and RawModule on the simulator: the examples of CuPy's guide, CuPy's rules for arguments, and its errors.

Oracles are NumPy, CUDA's documented limits, and CuPy's own Function where CuPy is installed (it refuses bad arguments
before it asks for a GPU).
"""

import io
import pickle
import re
from types import SimpleNamespace

import numpy as np
import pytest

from gpucourse import cupy_sim as cp
from gpucourse.cupy_sim import compiler
from gpucourse.errors import CompileError, KernelFault, LaunchError, SimulatorLacks

ADD = r"""
extern "C" __global__
void my_add(const float* x1, const float* x2, float* y) {
    int tid = blockDim.x * blockIdx.x + threadIdx.x;
    y[tid] = x1[tid] + x2[tid];
}
"""
SAXPY = r"""
extern "C" __global__ void saxpy(float a, const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}
"""
# one parameter of each kind; each is stored as a double, in its place
KINDS = r"""
#include <cuda_fp16.h>
struct Pair { float first; int second; };
extern "C" __global__ void kinds(double* out, bool b, char c, short s, int i, unsigned u, long long l, float f,
                                 double d, __half h, float2 z, Pair p, size_t n) {
    double v[] = {(double)b, (double)c, (double)s, (double)i, (double)u, (double)l, f, d, (double)__half2float(h),
                  z.x, z.y, p.first, (double)p.second, (double)n};
    for (int k = 0; k < 14; ++k) out[k] = v[k];
}
"""
PAIR = np.dtype([("first", "f4"), ("second", "i4")])


def saxpy():
    return cp.RawKernel(SAXPY, "saxpy")


def vectors(n=100):
    return cp.arange(n, dtype=cp.float32), cp.ones(n, dtype=cp.float32)


# ---- launches


def test_the_guides_first_example():
    add_kernel = cp.RawKernel(ADD, "my_add")
    x1 = cp.arange(25, dtype=cp.float32).reshape(5, 5)
    x2 = cp.arange(25, dtype=cp.float32).reshape(5, 5)
    y = cp.zeros((5, 5), dtype=cp.float32)
    assert add_kernel((5,), (5,), (x1, x2, y)) is None
    np.testing.assert_array_equal(y.get(), np.arange(0, 50, 2, dtype=np.float32).reshape(5, 5))


def test_the_guides_complex_example():
    pytest.importorskip("cupy", reason="its header comes with CuPy")
    kernel = cp.RawKernel(r"""
    #include <cupy/complex.cuh>
    extern "C" __global__
    void my_func(const complex<float>* x1, const complex<float>* x2, complex<float>* y, float a) {
        int tid = blockDim.x * blockIdx.x + threadIdx.x;
        y[tid] = x1[tid] + a * x2[tid];
    }""", "my_func")
    x1 = cp.arange(25, dtype=cp.complex64).reshape(5, 5)
    y = cp.zeros((5, 5), dtype=cp.complex64)
    kernel((5,), (5,), (x1, x1 * cp.complex64(1j), y, cp.float32(2.0)))
    np.testing.assert_array_equal(y.get(), np.arange(25, dtype=np.complex64).reshape(5, 5) * (1 + 2j))


def test_the_guides_custom_types():
    kernel = cp.RawKernel(r"""
    struct float5x5 { float row[5][5]; };
    extern "C" __global__ void custom(float3 v, float5x5 m, float* out) {
        out[0] = v.x; out[1] = v.y; out[2] = v.z;
        for (int i = 0; i < 25; ++i) out[3 + i] = m.row[i / 5][i % 5];
    }""", "custom")  # fmt: skip
    float3 = np.dtype({"names": ["x", "y", "z"], "formats": [np.float32] * 3})
    float5x5 = np.dtype({"names": ["dummy"], "formats": [(np.float32, (5, 5))]})
    values, out = np.random.default_rng(0).random(28).astype(np.float32), cp.zeros(28, cp.float32)
    kernel((1,), (1,), (values[:3].view(float3), values[3:].view(float5x5), out))   # arrays of size one
    np.testing.assert_array_equal(out.get(), values)
    with pytest.raises(LaunchError, match=r"\(`v`\) of custom is declared `float3`; a value of 100 bytes was given\."):
        kernel((1,), (1,), (values[3:].view(float5x5), values[3:].view(float5x5), out))


def test_the_guides_module():
    module = cp.RawModule(code=r"""
    extern "C"{

    __global__ void test_sum(const float* x1, const float* x2, float* y, \
                             unsigned int N)
    {
        unsigned int tid = blockDim.x * blockIdx.x + threadIdx.x;
        if (tid < N) y[tid] = x1[tid] + x2[tid];
    }

    __global__ void test_multiply(const float* x1, const float* x2, float* y, \
                                  unsigned int N)
    {
        unsigned int tid = blockDim.x * blockIdx.x + threadIdx.x;
        if (tid < N) y[tid] = x1[tid] * x2[tid];
    }

    }""", options=("-std=c++14",))  # fmt: skip
    n, x2 = 10, cp.ones((10, 10), dtype=cp.float32)
    x1, y = cp.arange(n**2, dtype=cp.float32).reshape(n, n), cp.zeros((n, n), dtype=cp.float32)
    module.get_function("test_sum")((n,), (n,), (x1, x2, y, n**2))
    assert cp.allclose(y, x1 + x2)
    module.get_function("test_multiply")((n,), (n,), (x1, x2, y, n**2))
    assert cp.allclose(y, x1 * x2)
    with pytest.raises(LaunchError, match=r"\(`N`\) of test_sum is declared `unsigned int`; 100.0 was given"):
        module.get_function("test_sum")((n,), (n,), (x1, x2, y, 100.0))


def test_views_are_handed_over_as_their_first_element():
    x, y = cp.arange(24, dtype=cp.float32).reshape(4, 6), cp.zeros(4, dtype=cp.float32)
    copy = cp.RawKernel('extern "C" __global__ void copy(const float* x, float* y) '
                        "{ y[threadIdx.x] = x[threadIdx.x]; }", "copy")  # fmt: skip
    for view, first in ((x.T, 0), (x[1], 6), (x[2:, 3:], 15), (x[::-1], 18), (x[:, ::2], 0)):
        copy((1,), (4,), (view, y))
        assert y.tolist() == [first, first + 1, first + 2, first + 3]
    copy((1,), (2,), (x, y[2:]))
    assert y.tolist() == [0, 1, 0, 1]


def test_axes_in_any_order_in_memory():
    x = cp.arange(24, dtype=cp.float32).reshape(2, 3, 4).transpose(1, 0, 2).astype(cp.float64)   # keeps the order
    assert not x.flags.c_contiguous
    double = cp.RawKernel('extern "C" __global__ void twice(double* x) { x[threadIdx.x] *= 2; }', "twice")
    double((1,), (24,), (x,))
    np.testing.assert_array_equal(x.get(), np.arange(0, 48, 2).reshape(2, 3, 4).transpose(1, 0, 2))


def test_empty_arrays_and_the_memory_under_a_broadcast_view():
    a, (x, y) = np.float32(2), vectors(4)
    saxpy()((1,), (32,), (a, x[:0], cp.zeros(0, cp.float32), 0))
    saxpy()((1,), (32,), (a, cp.broadcast_to(y, (3, 4)), y, 4))
    assert y.tolist() == [3, 3, 3, 3]


def test_every_launch_counts_and_streams_keep_their_order():
    x, y = vectors()
    with cp.count_launches() as counted, cp.cuda.Stream():
        for _ in range(3):
            saxpy()((1,), (100,), (np.float32(1), x, y, 100))
    assert counted.launches == 3
    np.testing.assert_array_equal(y.get(), 1 + 3 * np.arange(100))


def test_printf_goes_to_stdout_in_the_order_of_launches(capsys):
    talk = cp.RawKernel('extern "C" __global__ void talk(int n) { printf("launch %d\\n", n); }', "talk")
    talk((1,), (1,), (1,))
    print("between")
    talk((1,), (1,), (2,))
    assert capsys.readouterr().out == "launch 1\nbetween\nlaunch 2\n"


def test_a_fault_names_its_place_and_the_session_goes_on():
    x, y = vectors()
    with pytest.raises(KernelFault, match=r"`x` \(float32, 100 elements\)") as fault:
        saxpy()((4,), (32,), (np.float32(1), x, cp.zeros(128, cp.float32), 128))
    assert (fault.value.line, fault.value.block, fault.value.thread) == (4, (3, 0, 0), (4, 0, 0))
    np.testing.assert_array_equal(x.get(), np.arange(100))
    saxpy()((4,), (32,), (np.float32(1), x, y, 100))
    np.testing.assert_array_equal(y.get(), 1 + np.arange(100))


# ---- arguments


def test_scalars_of_every_kind_by_value():
    out = cp.zeros(14)
    values = (np.bool_(True), np.int8(-7), np.int16(-300), np.int32(-70_000), np.uint32(2**32 - 1), -(2**40),
              np.float32(0.5), 0.1, np.float16(-2.5), np.complex64(3 - 4j), np.array((1.5, -6), PAIR),
              2**63)  # fmt: skip
    cp.RawKernel(KINDS, "kinds")((1,), (1,), (out, *values))
    assert out.tolist() == [1, -7, -300, -70_000, 2**32 - 1, -(2**40), 0.5, 0.1, -2.5, 3, -4, 1.5, -6, 2**63]


# all of these fit `int n`
KINDS_OF_INT = (np.int32, np.uint32, np.int64, np.uint64, np.array)
INTEGERS = [100, *(kind(100) for kind in KINDS_OF_INT), np.array([[100]], np.int32)]


@pytest.mark.parametrize("n", INTEGERS, ids=repr)
def test_an_integer_whose_value_fits_passes(n):
    x, y = vectors()
    saxpy()((1,), (128,), (np.float32(2), x, y, n))
    np.testing.assert_array_equal(y.get(), 1 + 2 * np.arange(100))


def test_negative_integers_arrive():
    out = cp.zeros(1, cp.int64)
    store = cp.RawKernel('extern "C" __global__ void store(long long* out, int n) { out[0] = n; }', "store")
    for n in (-1, np.int64(-5), -(2**31), 2**32 - 1):
        store((1,), (1,), (out, n))
        assert out.item() == np.array(n).astype(np.int32)


MISREAD = {
    "float": ((2.0, "x", "y", 100), "argument 0 (`a`) of saxpy is declared `float`; 2.0 was given, which is handed "
              "over as a double. Write np.float32(2.0)"),
    "float64": ((np.float64(2), "x", "y", 100), "as a float64. Write np.float32(2.0)"),
    "int for float": ((2, "x", "y", 100), "as a 64-bit integer. Write np.float32(2)"),
    "float16": ((np.float16(2), "x", "y", 100), "as a float16. Write np.float32(2.0)"),
    "array for float": (("x", "x", "y", 100), "`float`; a device array (float32, shape (100,)) was given"),
    "float for int": ((np.float32(2), "x", "y", np.float32(100)), "argument 3 (`n`) of saxpy is declared `int`; "
                      "100.0 was given, which is handed over as a float32. Write np.int32(100.0)"),
    "too large": ((np.float32(2), "x", "y", 2**32), "4294967296 was given, which does not fit 32 bits"),
    "too negative": ((np.float32(2), "x", "y", -(2**31) - 1), "does not fit 32 bits"),
    "short": ((np.float32(2), "x", "y", np.int16(100)), "as an int16. Write np.int32(100)"),
    "bool": ((np.float32(2), "x", "y", True), "as a bool of 1 byte. Write np.int32(True)"),
    "array for int": ((np.float32(2), "x", "y", "x"), "`int`; a device array (float32, shape (100,)) was given"),
    "pointer for int": ((np.float32(2), "x", "y", cp.zeros(3).data), "a MemoryPointer was given"),
    "number for a pointer": ((np.float32(2), 100, "y", 100), "`float*`; 100 was given, an address where no array is"),
    "float for a pointer": ((np.float32(2), 1.0, "y", 100), "is declared `float*`; 1.0 was given"),
    "double array": ((np.float32(2), "x64", "y", 100), "argument 1 (`x`) of saxpy is declared `float*`; an array of "
                     "float64 was given, whose bytes it would read as float32. Write x.astype(cp.float32)"),
    "int array": ((np.float32(2), "x", "n", 100), "an array of int32 was given"),
}  # fmt: skip


@pytest.mark.parametrize(("args", "text"), MISREAD.values(), ids=MISREAD)
def test_what_a_kernel_would_misread_is_reported(args, text):
    x, y = vectors()
    arrays = {"x": x, "y": y, "x64": x.astype(float), "n": x.astype(np.int32)}
    args = tuple(arrays[each] if isinstance(each, str) else each for each in args)
    with pytest.raises(LaunchError, match=re.escape(text)):
        saxpy()((1,), (128,), args)
    assert y.tolist() == [1] * 100


def test_an_array_for_a_number_of_64_bits_is_reported():
    for kind, instead in (("long long", "np.int64"), ("size_t", "np.uint64"), ("double", "np.float64")):
        kernel = cp.RawKernel(f'extern "C" __global__ void f({kind} n) {{ }}', "f")
        kernel((1,), (1,), (np.float64(3) if kind == "double" else 3,))
        with pytest.raises(LaunchError, match=rf"declared `{kind}`; a device array .* was given. Write {instead}\("):
            kernel((1,), (1,), (cp.zeros(3),))


def test_types_that_the_source_does_not_settle_are_left_alone():
    source = """
    typedef float real;
    template <typename T> __global__ void fill(T* x, T value, real unused) { x[threadIdx.x] = value; }
    """
    fill = cp.RawModule(code=source, name_expressions=["fill<int>"]).get_function("fill<int>")
    x = cp.zeros(4, cp.float32)
    fill((1,), (4,), (x, np.float32(1).view(np.int32).item(), np.float32(0)))
    assert x.tolist() == [1, 1, 1, 1]
    with pytest.raises(LaunchError, match=r"is declared `real`; 1\.0 was given, which is handed over as a double"):
        fill((1,), (4,), (x, 1, 1.0))


# arrays of another type that a pointer is made for
SAME_BITS = {
    ("unsigned char*", "float32"), ("char*", "int64"), ("void*", "float64"), ("unsigned*", "int32"), ("int*", "uint32"),
    ("float*", "complex64"), ("double*", "complex128"), ("float2*", "float32"), ("float2*", "complex64"),
    ("half*", "float16"), ("long long*", "uint64"), ("bool*", "bool"), ("Mine*", "float64"), ("float**", "uint64"),
}  # fmt: skip
OTHER_BITS = {
    ("float*", "float16"), ("float*", "int32"), ("double*", "complex64"), ("float4*", "float64"), ("half*", "float32"),
    ("int*", "int64"), ("int*", "float32"), ("short*", "int32"), ("double*", "float32"), ("bool*", "int32"),
}  # fmt: skip


@pytest.mark.parametrize(("pointer", "dtype"), sorted(SAME_BITS | OTHER_BITS))
def test_arrays_are_held_against_the_declared_pointer(pointer, dtype):
    source = f'#include <cuda_fp16.h>\nstruct Mine {{ int a; }};\nextern "C" __global__ void f({pointer} x) {{ }}'
    kernel, x = cp.RawKernel(source, "f"), cp.zeros(4, dtype)
    if (pointer, dtype) in SAME_BITS:
        kernel((1,), (1,), (x,))
    else:
        with pytest.raises(LaunchError, match=f"an array of {dtype} was given, whose bytes it would read as "):
            kernel((1,), (1,), (x,))


def test_addresses_are_pointers_too():
    source = r"""
    extern "C" __global__ void rows(const float* const* p, float* y, int m) {
        float s = 0;
        for (int j = 0; j < m; ++j) s += p[j][threadIdx.x];
        y[threadIdx.x] = s;
    }
    extern "C" __global__ void direct(const float* x, float* y) { y[threadIdx.x] = x ? x[threadIdx.x] : -1; }
    """
    a, b, y = cp.arange(8, dtype=cp.float32), cp.ones(4, dtype=cp.float32), cp.zeros(4, dtype=cp.float32)
    pointers = cp.array([a[4:].data.ptr, b.data.ptr], dtype=cp.uint64)
    cp.RawKernel(source, "rows")((1,), (4,), (pointers, y, 2))
    assert y.tolist() == [5, 6, 7, 8]
    direct = cp.RawKernel(source, "direct")
    for pointer, expected in ((a[2:].data, [2, 3, 4, 5]), (a.data.ptr + 4, [1, 2, 3, 4]), (0, [-1] * 4)):
        direct((1,), (4,), (pointer, y.data))
        assert y.tolist() == expected
    address = a.data.ptr
    del a
    with pytest.raises(LaunchError, match="an address where no array is"):
        direct((1,), (4,), (address, y))


REFUSED = {
    "str": "abc", "None": None, "list": [1], "bytes": b"abc", "type": np.float32, "numpy array": np.ones(3),
    "empty numpy array": np.zeros(0), "int of 65 bits": 2**64, "int of 65 bits, negative": -(2**63) - 1,
}  # fmt: skip


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_what_cupy_refuses_is_refused_in_its_words(value):
    with pytest.raises((TypeError, OverflowError)) as ours:
        saxpy()((1,), (1,), (value, value, value, value))
    function = pytest.importorskip("cupy.cuda.function")
    if value is None:   # CuPy hands the driver a null pointer to read the argument from
        return
    launch, stream = function.Function.__new__(function.Function), SimpleNamespace(ptr=0)
    with pytest.raises((TypeError, OverflowError)) as theirs:
        launch((1,), (1,), (value,), 0, stream)
    assert (type(ours.value), str(ours.value)) == (type(theirs.value), str(theirs.value))


EXTENTS = {"list": ([1], (1,)), "number": (1, 1), "float": ((1.5,), (1,)), "block list": ((1,), [1])}


@pytest.mark.parametrize("extents", EXTENTS.values(), ids=EXTENTS)
def test_a_grid_that_is_no_tuple_of_integers(extents):
    with pytest.raises(TypeError) as ours:
        saxpy()(*extents, ())
    function = pytest.importorskip("cupy.cuda.function")
    with pytest.raises(TypeError) as theirs:
        function.Function.__new__(function.Function)(*extents, (), 0, SimpleNamespace(ptr=0))
    assert str(ours.value) == str(theirs.value)


LIMITS = {
    "block": ((1,), (1025,), {}, "the block (1025,) has length 1,025 along x; the limit is 1,024"),
    "block of all axes": ((1,), (32, 33), {}, "a block of (32, 33, 1) has 1,056 threads; the limit is 1,024"),
    "block along z": ((1,), (1, 1, 65), {}, "length 65 along z; the limit is 64"),
    "grid of zero": ((0,), (32,), {}, "the grid is (0,); it needs one to three lengths, each of 1 or more"),
    "block of zero": ((1,), (32, 0), {}, "the block is (32, 0)"),
    "negative grid": ((-1,), (32,), {}, "the grid is (-1,)"),
    "four axes": ((1, 1, 1, 1), (32,), {}, "the grid is (1, 1, 1, 1)"),
    "no axis": ((), (32,), {}, "the grid is ()"),
    "grid along y": ((1, 65_536), (32,), {}, "length 65,536 along y; the limit is 65,535"),
    "grid along x": ((2**31,), (32,), {}, "the limit is 2,147,483,647"),
    "shared memory": ((1,), (32,), {"shared_mem": 49_153}, "shared_mem=49,153 bytes; this kernel's limit is 49,152 "
                      "bytes of dynamic shared memory. Set kernel.max_dynamic_shared_size_bytes = 49153 first"),
    "more than the device": ((1,), (32,), {"shared_mem": 65_537}, "(compute capability 7.5, as a T4) has 65,536 bytes"),
    "no arguments": ((1,), (32,), {}, "kernel saxpy takes 4 arguments (a, x, y, n); 0 were given"),
}  # fmt: skip


@pytest.mark.parametrize(("grid", "block", "shared", "text"), LIMITS.values(), ids=LIMITS)
def test_limits_are_named_after_cuda_s_words(grid, block, shared, text):
    with pytest.raises(cp.cuda.driver.CUDADriverError) as error:
        saxpy()(grid, block, (), **shared)
    assert str(error.value).startswith("CUDA_ERROR_INVALID_VALUE: invalid argument\n")
    assert text in str(error.value)
    assert isinstance(error.value, LaunchError)
    assert isinstance(error.value, RuntimeError)   # as CuPy's
    assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)


def test_the_largest_launches_run():
    x, y = vectors()
    saxpy()((1, 2, 3), (1024,), (np.float32(0), x, y, 100), shared_mem=49_152)
    saxpy()((4,), (4, 4, 64), (np.float32(0), x, y, 100))
    with pytest.raises(OverflowError, match="can't convert negative value to size_t"):
        saxpy()((1,), (1,), (np.float32(0), x, y, 100), shared_mem=-1)


def test_launch_bounds_are_kept():
    source = 'extern "C" __global__ void __launch_bounds__(64) f(int* x) { x[threadIdx.x] = 1; }'
    kernel, x = cp.RawKernel(source, "f"), cp.zeros(128, cp.int32)
    kernel((1,), (64,), (x,))
    assert kernel.max_threads_per_block == 64
    with pytest.raises(cp.cuda.driver.CUDADriverError, match="65 threads; __launch_bounds__ promises at most 64"):
        kernel((1,), (65,), (x,))


# ---- shared memory and attributes

REVERSE = r"""
extern "C" __global__ void reverse(double* x, int n) {
    extern __shared__ double held[];
    __shared__ double first;
    if (threadIdx.x == 0) first = x[0];
    for (int i = threadIdx.x; i < n; i += blockDim.x) held[i] = x[i];
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += blockDim.x) x[i] = held[n - 1 - i];
    if (threadIdx.x == 0) x[n - 1] = first;
}
"""


def test_more_shared_memory_after_it_is_asked_for():
    kernel, x = cp.RawKernel(REVERSE, "reverse"), cp.arange(8000.0)
    assert kernel.max_dynamic_shared_size_bytes == 49_152 - 16   # as the assembler says: aligned for what follows
    with pytest.raises(cp.cuda.driver.CUDADriverError, match=r"64,000 bytes and 16 bytes of static shared memory; this "
                       r"kernel's limit is 49,136 bytes"):  # fmt: skip
        kernel((1,), (256,), (x, 8000), shared_mem=64_000)
    kernel.max_dynamic_shared_size_bytes = 64_000
    kernel((1,), (256,), (x, 8000), shared_mem=64_000)
    np.testing.assert_array_equal(x.get(), np.arange(8000.0)[::-1])
    assert kernel.attributes["max_dynamic_shared_size_bytes"] == 64_000
    for size in (65_536 - 15, -1):
        with pytest.raises(cp.cuda.driver.CUDADriverError, match="has 65,520 bytes a block"):
            kernel.max_dynamic_shared_size_bytes = size


def test_too_much_static_shared_memory_is_the_assembler_s_error():
    source = 'extern "C" __global__ void f(int* x) { __shared__ int t[12289]; t[threadIdx.x] = *x; *x = t[0]; }'
    too_much = r"uses too much shared data \(0xc004 bytes, 0xc000 max\)"
    with pytest.raises(cp.cuda.compiler.CompileException, match=too_much):
        cp.RawKernel(source, "f").compile()
    cp.RawKernel(source.replace("12289", "12288"), "f").compile()


def test_attributes():
    source = r"""
    __constant__ float weights[25];
    extern "C" __global__ void blur(const float* x, float* y) {
        __shared__ float tile[32][33];
        tile[threadIdx.y][threadIdx.x] = x[threadIdx.y * 32 + threadIdx.x] * weights[threadIdx.x % 25];
        __syncthreads();
        y[threadIdx.y * 32 + threadIdx.x] = tile[threadIdx.x][threadIdx.y];
    }"""
    kernel = cp.RawKernel(source, "blur")
    found = kernel.attributes
    assert found["shared_size_bytes"] == 32 * 33 * 4
    assert found["const_size_bytes"] == 100
    assert (found["local_size_bytes"], found["ptx_version"], found["cache_mode_ca"]) == (0, 75, 0)
    assert found["max_threads_per_block"] == 1024
    assert 8 <= found["num_regs"] <= 64
    kernel.preferred_shared_memory_carveout = 50
    assert kernel.preferred_shared_memory_carveout == 50
    cupy = pytest.importorskip("cupy")
    assert set(found) <= {name for name in dir(cupy.RawKernel) if name[0] != "_"}


def test_registers_limit_the_threads_of_a_block():
    # 200 values live at once: more than a thread's 255 registers hold with their addresses
    source = """extern "C" __global__ void many(double* x) {
        double v[200];
        #pragma unroll
        for (int i = 0; i < 200; ++i) v[i] = x[i * 1024 + threadIdx.x];
        #pragma unroll
        for (int i = 0; i < 200; ++i) x[i * 1024 + threadIdx.x] = v[(i * 7) % 200] * v[199 - i];
    }"""
    kernel = cp.RawKernel(source, "many")
    assert 249 <= kernel.num_regs <= 255   # given out in eights: 256 a thread, of a multiprocessor's 65,536
    assert kernel.max_threads_per_block == 256
    assert kernel.local_size_bytes > 0


# ---- compilation

WRONG = """extern "C" __global__ void f(float* x) {
    x[threadIdx.x] = y;
}"""


def test_a_compile_error_is_cupys_with_the_learners_own_line():
    with pytest.raises(cp.cuda.compiler.CompileException) as caught:
        cp.RawKernel(WRONG, "f", ("-DN=3",))((1,), (1,), ())
    error = caught.value
    assert isinstance(error, CompileError)
    assert 'kernel.cu(2): error: identifier "y" is undefined' in str(error)
    assert (error.get_message(), error.source, error.backend) == (str(error), WRONG, "nvrtc")
    assert "-DN=3" in error.options
    text = io.StringIO()
    error.dump(text)
    assert text.getvalue().startswith("NVRTC compilation error: kernel.cu(2)")
    assert "\n2     x[threadIdx.x] = y;\n" in text.getvalue()
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.options) == (type(error), str(error), error.options)


def test_nothing_is_compiled_before_it_is_needed():
    kernel = cp.RawKernel(WRONG, "f")
    cp.RawModule(code=WRONG)
    for compile_now in (kernel.compile, lambda: kernel.kernel, lambda: kernel.num_regs):
        with pytest.raises(cp.cuda.compiler.CompileException):
            compile_now()


def test_a_source_is_compiled_once():
    program = saxpy().kernel.program
    assert saxpy().kernel.program is program
    assert cp.RawModule(code=SAXPY).module is program
    assert cp.RawKernel(SAXPY, "saxpy", ("-DN=1",)).kernel.program is not program
    compiled = compiler.program.cache_info().misses
    saxpy().compile()
    assert compiler.program.cache_info().misses == compiled


def test_options_and_the_log():
    source = 'extern "C" __global__ void f(int* x) { int unused; x[0] = N; }'
    kernel, x, log = cp.RawKernel(source, "f", ("-DN=42",)), cp.zeros(1, cp.int32), io.StringIO()
    kernel.compile(log_stream=log)
    kernel((1,), (1,), (x,))
    assert x.item() == 42
    assert 'variable "unused" was declared but never referenced' in log.getvalue()


def test_a_kernel_that_is_not_there():
    with pytest.raises(cp.cuda.driver.CUDADriverError, match=r"CUDA_ERROR_NOT_FOUND: named symbol not found\n.*saxpy"):
        cp.RawKernel(SAXPY, "saxpi").compile()
    with pytest.raises(cp.cuda.driver.CUDADriverError, match='write extern "C" before its __global__'):
        cp.RawKernel(SAXPY.replace('extern "C"', ""), "saxpy").compile()


def test_what_the_simulator_lacks():
    for options in ({"backend": "nvcc"}, {"translate_cucomplex": True}):
        with pytest.raises(SimulatorLacks):
            cp.RawKernel(SAXPY, "saxpy", **options).compile()
    with pytest.raises(ValueError, match="Invalid backend gcc"):
        cp.RawKernel(SAXPY, "saxpy", backend="gcc").compile()
    with pytest.warns(DeprecationWarning, match="jitify=True is deprecated"):
        cp.RawKernel(SAXPY, "saxpy", jitify=True).compile()


def test_a_kernel_keeps_what_it_was_made_from():
    kernel = cp.RawKernel(SAXPY, "saxpy", ("-DN=1",))
    assert (kernel.code, kernel.name, kernel.__name__, kernel.options, kernel.backend, kernel.file_path) == (
        SAXPY, "saxpy", "saxpy", ("-DN=1",), "nvrtc", None)  # fmt: skip
    with pytest.raises(AttributeError):
        kernel.name = "other"
    again, (x, y) = pickle.loads(pickle.dumps(kernel)), vectors()
    again((1,), (128,), (np.float32(1), x, y, 100))
    assert (again.name, again.options, y.tolist()[-1]) == ("saxpy", ("-DN=1",), 100)


def test_signatures_are_cupys():
    cupy = pytest.importorskip("cupy")
    for ours, theirs in ((cp.RawKernel, cupy.RawKernel), (cp.RawModule, cupy.RawModule)):
        taken = list(ours.__init__.__annotations__)[:-1]
        head = theirs.__doc__.split("\n")[0]
        assert taken == re.findall(r"(\w+)(?:=[^,]+)?[,)](?!\))", head.replace("=()", "")), head


# ---- modules

MODULE = r"""
__constant__ float weights[4];
__device__ int calls = 10;
template <typename T> __global__ void weigh(T* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] *= (T)weights[i % 4];
    if (i == 0) ++calls;
}
extern "C" __global__ void plain(int* x) { *x = calls; }
"""


def module():
    return cp.RawModule(code=MODULE + f"// {np.random.default_rng().integers(2**62)}",   # its variables are its own
                        name_expressions=["weigh<float>", "weigh<double>"])  # fmt: skip


@pytest.mark.parametrize(("expression", "dtype"), [("weigh<float>", "f4"), ("weigh<double>", "f8")])
def test_templates_constants_and_variables(expression, dtype):
    made = module()
    weights = cp.ndarray((4,), cp.float32, made.get_global("weights"))
    weights[...] = cp.arange(1, 5, dtype=cp.float32)
    calls = cp.ndarray((), cp.int32, made.get_global("calls"))
    x, seen = cp.ones(10, dtype), cp.zeros(1, cp.int32)
    kernel = made.get_function(expression)
    kernel((2,), (8,), (x, 10))
    assert x.tolist() == [1, 2, 3, 4, 1, 2, 3, 4, 1, 2]
    made.get_function("plain")((1,), (1,), (seen,))
    assert (calls.item(), seen.item()) == (11, 11)
    assert kernel.num_regs > 0
    with pytest.raises(LaunchError, match=r"argument 1 \(`n`\) .* is declared `int`; 10.0 was given"):
        kernel((2,), (8,), (x, 10.0))


def test_names_that_a_module_does_not_have():
    made = module()
    with pytest.raises(cp.cuda.driver.CUDADriverError, match=r"CUDA_ERROR_NOT_FOUND.*\n.*'nothing'.*it has: .*plain"):
        made.get_function("nothing")
    with pytest.raises(cp.cuda.driver.CUDADriverError, match=r"there is no variable 'w'.* it has: weights, calls"):
        made.get_global("w")


def test_a_module_takes_code_or_a_path():
    for wrong in ({}, {"code": "a", "path": "b"}):
        with pytest.raises(TypeError, match="Exactly one of `code` and `path` keyword arguments must be given"):
            cp.RawModule(**wrong)
    with pytest.raises(ValueError, match=r"need CUDA C\+\+ code for the requested kernels"):
        cp.RawModule(path="a.ptx", name_expressions=["f"])
    with pytest.raises(ValueError, match="only nvrtc supports retrieving the mangled names"):
        cp.RawModule(code="a", backend="nvcc", name_expressions=["f"])
    with pytest.raises(TypeError, match=r"Argument 'options' has incorrect type \(expected tuple, got list\)"):
        cp.RawModule(code="a", options=["-DN=1"])
    with pytest.raises(TypeError, match=r"Argument 'code' has incorrect type \(expected str, got int\)"):
        cp.RawKernel(3, "f")


def test_ptx_from_a_file(tmp_path):
    (tmp_path / "saxpy.ptx").write_text(saxpy().kernel.program.compiled.ptx)
    (tmp_path / "saxpy.cubin").write_bytes(b"\x7fELF\xff\xfe")
    (tmp_path / "saxpy.txt").write_text("hello")
    x, y = vectors()
    kernel = cp.RawModule(path=str(tmp_path / "saxpy.ptx")).get_function("saxpy")
    kernel((1,), (128,), (np.float32(2), x, y, 100))
    np.testing.assert_array_equal(y.get(), 1 + 2 * np.arange(100))
    with pytest.raises(LaunchError, match=r"argument 0 of saxpy takes 4 bytes \(\.f32 in PTX\); 2.0 was given"):
        kernel((1,), (128,), (2.0, x, y, 100))
    for name, error, text in (("cubin", SimulatorLacks, "binary code"), ("txt", LaunchError, "is no PTX text"),
                              ("gone", LaunchError, "CUDA_ERROR_FILE_NOT_FOUND: file not found")):  # fmt: skip
        with pytest.raises(error, match=text):
            cp.RawModule(path=str(tmp_path / f"saxpy.{name}")).compile()


# ---- memory that nobody has set


def test_empty_memory_is_never_luckily_zero():
    like = cp.empty_like(cp.zeros(7, cp.int16))
    for made in (cp.empty((2, 3), cp.float32), cp.empty(5, order="F"), like, cp.empty(())):
        assert set(made.get().tobytes()) == {0xCB}
        assert made._memory.poisoned
    copied = cp.ElementwiseKernel("T x", "T y", "y = x")(cp.zeros(2))
    for made in (cp.zeros(3), cp.ones(3), cp.arange(3), cp.empty(3) + 1, copied):
        assert not made._memory.poisoned
    x, y = cp.empty(100, cp.float32), cp.zeros(100, cp.float32)
    assert saxpy().kernel.call((1,), (1,), (np.float32(1), x, y, 100)).poisoned == {1}
