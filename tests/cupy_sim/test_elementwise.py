"""ElementwiseKernel on the simulator: the guide's examples, NumPy as the oracle, and CuPy's own rules and code.

Where CuPy is installed it decides types and writes CUDA C without a GPU; both are held against ours.
"""

import itertools
import re

import numpy as np
import pytest

from gpucourse import cupy_sim as cp
from gpucourse.cupy_sim import carray, compiler
from gpucourse.cupy_sim.layout import layout, merge_axes, packed
from gpucourse.errors import KernelFault
from gpucourse.simt import compile as simt_compile
from gpucourse.simt.memory import registry
from gpucourse.simt.run import launch

DTYPES = "?bBhHiIqQefdFD"


def squared_diff(kind="T"):
    return cp.ElementwiseKernel(f"{kind} x, {kind} y", f"{kind} z", "z = (x - y) * (x - y)", "squared_diff")


def arrays():
    return cp.arange(10, dtype=np.float32).reshape(2, 5), cp.arange(5, dtype=np.float32)


# ---- the guide


def test_arrays_and_scalars_with_broadcasting():
    x, y = arrays()
    for kernel in (squared_diff("float32"), squared_diff()):
        assert kernel(x, y).tolist() == [[0] * 5, [25] * 5]
        assert kernel(x, 5).tolist() == [[25, 16, 9, 4, 1], [0, 1, 4, 9, 16]]
        assert kernel(5, y).dtype == np.float32
        z = cp.empty((2, 5), dtype=np.float32)
        assert kernel(x, y, z) is z
        assert z.tolist() == [[0] * 5, [25] * 5]


def test_type_placeholders_in_the_body():
    kernel = cp.ElementwiseKernel("T x, T y", "T z", """
        T diff = x - y;
        z = diff * diff;
    """, "squared_diff_generic")  # fmt: skip
    x, y = arrays()
    for dtype in (np.float32, np.float64, np.int32):
        made = kernel(x.astype(dtype), y.astype(dtype))
        assert made.dtype == dtype
        assert made.tolist() == [[0] * 5, [25] * 5]


def test_several_placeholders_need_the_output():
    kernel = cp.ElementwiseKernel("X x, Y y", "Z z", "z = (x - y) * (x - y)", "squared_diff_super_generic")
    x, y = arrays()
    assert kernel(x, y.astype(np.int64), cp.empty((2, 5))).tolist() == [[0] * 5, [25] * 5]
    with pytest.raises(KeyError, match="Z"):
        kernel(x, y)


def test_raw_arguments():
    kernel = cp.ElementwiseKernel("T x, raw T y", "T z", "z = x + y[_ind.size() - i - 1]", "add_reverse")
    x, y = np.arange(6.0).reshape(2, 3), np.arange(24.0).reshape(4, 6)
    for view in (y[:2, :3], y[::2, ::-2], y.T[:2, :3], y[1:3, 2:5], y.ravel()[::4]):
        device = cp.asarray(y)[...] if view.base is None else _same_view(y, view)
        np.testing.assert_array_equal(kernel(cp.asarray(x), device).get(), x + view.ravel()[::-1].reshape(2, 3))


def _same_view(whole, view):
    """The view of `cp.asarray(whole)` that `view` is of `whole`."""
    device = cp.asarray(whole)
    offset = view.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    return cp.ndarray(view.shape, view.dtype, device.data + offset, view.strides)


# ---- types


def small(dtype, shape=(2, 3)):
    values = (np.arange(np.prod(shape)).reshape(shape) % 5).astype(dtype)
    return values * dtype.type(1 + 2j) if dtype.kind == "c" else values


@pytest.mark.parametrize("char", DTYPES)
def test_every_type(char):
    dtype = np.dtype(char)
    x, y = small(dtype), small(dtype)[::-1]
    z = cp.ElementwiseKernel("T x, T y", "T z", "z = x + y * y")(cp.asarray(x), cp.asarray(y))
    assert z.dtype == dtype
    np.testing.assert_array_equal(z.get(), x + y * y)
    named = cp.ElementwiseKernel(f"{dtype.name} x", f"{dtype.name} z", "z = x")
    np.testing.assert_array_equal(named(cp.asarray(x)).get(), x)


@pytest.mark.parametrize("pair", [*itertools.product("bBiqefdF", "?hIefdD")], ids="".join)
def test_types_convert_as_in_c(pair):
    source, target = (np.dtype(char) for char in pair)
    if source.kind == "c" and target.kind != "c":
        return
    x = small(source)
    z = cp.ElementwiseKernel("X x", "Z z", "z = static_cast<Z>(x)")(cp.asarray(x), cp.empty(x.shape, target))
    np.testing.assert_array_equal(z.get(), x.astype(target))


def test_scalars_take_the_parameters_type():
    kernel = cp.ElementwiseKernel("T x, T a", "T z", "z = x * a")
    x = cp.ones(3, np.int8)
    assert kernel(x, 2.9).tolist() == [2, 2, 2]   # as NumPy assigns 2.9 to an int8
    assert kernel(x, True).tolist() == [1, 1, 1]
    assert kernel(x, np.float64(-3.9)).dtype == np.int8
    for value, error in ((300, OverflowError), (float("nan"), ValueError)):
        with pytest.raises(error):
            kernel(x, value)
    for value in ("a", np.ones(3), [1], None):
        with pytest.raises(TypeError, match=re.escape(f"Unsupported type {type(value)}")):
            kernel(x, value)
    with_complex = cp.ElementwiseKernel("complex64 a, raw T x", "T z", "z = a.imag() + x[i]")
    assert with_complex(1 - 2j, x.astype("f"), size=3).tolist() == [-1, -1, -1]


def test_half_precision_is_computed_in_single():
    x = np.linspace(-3, 3, 50).astype(np.float16)
    z = cp.ElementwiseKernel("float16 x", "float16 z", "z = max(x, float16(0.5f)) / 3 + 1e-3f")(cp.asarray(x)).get()
    single = np.maximum(x, np.float16(0.5)).astype("f") / 3 + np.float32(1e-3)
    np.testing.assert_array_equal(z, single.astype(np.float16))
    flags = cp.ElementwiseKernel("float16 x", "int32 z", "z = isnan(x) + 2 * isinf(x) + 4 * signbit(x)")
    assert flags(cp.asarray([np.nan, np.inf, -np.inf, -0.0, 1], np.float16)).tolist()[1:] == [2, 6, 4, 0]
    assert flags(cp.asarray([np.nan], np.float16)).item() & 1


COMPLEX = {
    "z = x + y * x - x / y": lambda x, y: x + y * x - x / y,
    "z = T(2) * x - y * x.real() / y": lambda x, y: 2 * x - x.real,
    "z = conj(x)": lambda x, y: x.conj(), "z = abs(x)": lambda x, y: abs(x), "z = norm(x)": lambda x, y: abs(x) ** 2,
    "z = arg(x)": lambda x, y: np.angle(x), "z = exp(x)": lambda x, y: np.exp(x), "z = log(x)": lambda x, y: np.log(x),
    "z = sqrt(x)": lambda x, y: np.sqrt(x), "z = pow(x, y)": lambda x, y: x**y, "z = sin(x)": lambda x, y: np.sin(x),
    "z = cos(x)": lambda x, y: np.cos(x), "z = tanh(x)": lambda x, y: np.tanh(x), "z = -x": lambda x, y: -x,
    "z = T(x.imag(), x.real())": lambda x, y: x.imag + 1j * x.real, "z = x; z += y; z *= y": lambda x, y: (x + y) * y,
    "z = thrust::complex<double>(0, 1) * thrust::complex<double>(x)": lambda x, y: 1j * x,
    "z = T(x == y)": lambda x, y: x == y, "z = thrust::exp(-x)": lambda x, y: np.exp(-x),
    "z = tan(x)": lambda x, y: np.tan(x),
    "z = log10(x)": lambda x, y: np.log10(x), "z = cosh(x)": lambda x, y: np.cosh(x),
}  # fmt: skip


@pytest.mark.parametrize("char", "FD")
@pytest.mark.parametrize("operation", COMPLEX)
def test_complex_numbers(operation, char):
    rng = np.random.default_rng(3)
    x, y = ((rng.normal(size=20) + 1j * rng.normal(size=20)).astype(char) for _ in range(2))
    z = cp.ElementwiseKernel("T x, T y", "T z", operation)(cp.asarray(x), cp.asarray(y)).get()
    # approximate divisions, roots and exponentials of 32 bits: a few units in the last place
    np.testing.assert_allclose(z, COMPLEX[operation](x, y), rtol=1e-5 if char == "F" else 1e-13, atol=1e-6)


# ---- shapes


@pytest.mark.parametrize("reduce_dims", [True, False])
def test_broadcast_and_strided_arrays_of_any_shape(reduce_dims):
    rng = np.random.default_rng(0)
    kernel = cp.ElementwiseKernel("T x, T y", "T z", "z = x * 100 + y", reduce_dims=reduce_dims)
    shapes = [((), (3,)), ((4,), (4,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((2, 3, 4), (3, 1)), ((1, 1), (1, 1)),
              ((3, 1, 2), (1, 4, 1)), ((5, 1, 1, 2), (3, 1, 2))]  # fmt: skip
    for one, other in shapes:
        for flip in (slice(None), (..., slice(None, None, -1)), "T"):
            x, y = rng.integers(0, 99, one).astype(float), rng.integers(0, 99, other).astype(float)
            device = cp.asarray(x).T if flip == "T" else cp.asarray(x)[flip] if one else cp.asarray(x)
            x = x.T if flip == "T" else x[flip] if one else x
            try:
                expected = x * 100 + y
            except ValueError:
                with pytest.raises(ValueError, match="operands could not be broadcast together with shapes"):
                    kernel(device, cp.asarray(y))
                continue
            np.testing.assert_array_equal(kernel(device, cp.asarray(y)).get(), expected)


# a view of an array of shape (4, 5, 6) -> axes that are left: every second of 6 columns continues in the next row
VIEWS = {
    "all": (lambda x: x, 1), "rows": (lambda x: x[::2], 2), "even columns": (lambda x: x[..., ::2], 1),
    "fourth columns": (lambda x: x[..., ::4], 2), "middle": (lambda x: x[:, 1:3], 2),
    "reversed": (lambda x: x[::-1], 2),
    "transposed": (lambda x: x.T, 3), "last two": (lambda x: x.transpose(0, 2, 1), 3), "one row": (lambda x: x[:1], 1),
    "one column": (lambda x: x[..., 1:2], 1), "corner": (lambda x: x[::2, 1:3, ::4], 3),
}  # fmt: skip


@pytest.mark.parametrize(("view", "axes"), VIEWS.values(), ids=VIEWS)
def test_axes_are_merged_where_strides_allow_it(view, axes):
    host = np.arange(120.0).reshape(4, 5, 6)
    x, expected = view(cp.asarray(host)), view(host)
    assert layout(expected).c_contiguous == expected.flags.c_contiguous
    merged, shape = merge_axes([layout(expected)], expected.shape)
    assert (len(shape), merged[0].shape) == (axes, shape)
    np.testing.assert_array_equal(cp.ElementwiseKernel("T x", "T z", "z = x")(x).get(), expected)
    np.testing.assert_array_equal(cp.ElementwiseKernel("T x, T y", "T z", "z = x - y")(x, x * 2).get(), -expected)


def test_outputs_may_be_views_and_inputs():
    x = cp.arange(24.0).reshape(4, 6)
    double = cp.ElementwiseKernel("T x", "T y", "y = 2 * x")
    double(x[::2, 1::2], x[::2, 1::2])
    expected = np.arange(24.0).reshape(4, 6)
    expected[::2, 1::2] *= 2
    np.testing.assert_array_equal(x.get(), expected)
    with pytest.raises(ValueError, match="Out shape is mismatched"):
        double(x, cp.empty((4, 1)))


def test_empty_arrays_launch_nothing():
    with cp.count_launches() as counted:
        assert squared_diff()(cp.zeros((0, 3)), cp.zeros(3)).shape == (0, 3)
    assert counted.launches == 0
    with cp.count_launches() as counted:
        squared_diff()(cp.zeros(3), 1)
    assert (counted.launches, counted.allocations) == (1, 2)


@pytest.mark.parametrize("block_size", [1, 32, 100, 1024])
def test_any_number_of_elements_and_threads(block_size):
    for size in (1, 31, 129, 3000):
        x = cp.arange(float(size))
        np.testing.assert_array_equal(squared_diff()(x, 1, block_size=block_size).get(), (np.arange(size) - 1.0) ** 2)
    with pytest.raises(ValueError, match="block_size must be greater than zero"):
        squared_diff()(x, 1, block_size=0)


# ---- what the body may use


def test_the_index_and_what_an_array_knows():
    x = cp.arange(24.0).reshape(4, 6)[::2, ::3]
    facts = cp.ElementwiseKernel("raw T x", "raw int64 z", """
        ptrdiff_t known[] = {x.size(), x.shape()[0], x.shape()[1], x.strides()[0], x.strides()[1], _ind.size()};
        z[i] = known[i];
    """)  # fmt: skip
    assert facts(x, size=6).tolist() == [4, 2, 2, 96, 24, 6]
    place = cp.ElementwiseKernel("T x", "int64 z", "z = 10 * _ind.get()[0] + _ind.get()[1]", reduce_dims=False)
    assert place(cp.zeros((2, 3))).tolist() == [[0, 1, 2], [10, 11, 12]]
    pick = cp.ElementwiseKernel("raw T x", "T z", "ptrdiff_t at[] = {1, i}; z = x[at]")
    assert pick(x, size=2).tolist() == [12, 15]
    assert cp.ElementwiseKernel("raw T x", "T z", "z = x[{i, ptrdiff_t(1)}]")(x, size=2).tolist() == [3, 15]
    assert cp.ElementwiseKernel("raw T x, T y", "T z", "z = x[0] + y")(cp.asarray(5.0), cp.ones(2)).tolist() == [6, 6]


def test_all_raw_needs_a_size():
    kernel = cp.ElementwiseKernel("raw T x", "T z", "z = x[i % x.size()]")
    assert kernel(cp.arange(3.0), size=7).tolist() == [0, 1, 2, 0, 1, 2, 0]
    for size in ({}, {"size": -1}):
        with pytest.raises(ValueError, match="Loop size is undecided"):
            kernel(cp.arange(3.0), **size)
    with pytest.raises(ValueError, match=r"Specified 'size' can be used only if all of the ndarray are 'raw'\."):
        squared_diff()(cp.arange(3.0), 1, size=3)
    with pytest.raises(ValueError, match="Output array size is Undecided"):
        cp.ElementwiseKernel("T x", "raw T z", "z[i] = x")(cp.arange(3.0))


def test_atomics_on_a_raw_output():
    x = np.random.default_rng(1).integers(0, 10, 1000)
    count = cp.ElementwiseKernel("int64 x", "raw int32 bins", "atomicAdd(&bins[x], 1)", no_return=True)
    bins = cp.zeros(10, np.int32)
    assert count(cp.asarray(x), bins) is None
    np.testing.assert_array_equal(bins.get(), np.bincount(x, minlength=10))


def test_preamble_loop_parts_and_options():
    kernel = cp.ElementwiseKernel(
        "T x", "T z", "if (x < 0) continue; z = helper(x) + offset", "with_parts",
        preamble="template <typename T> __device__ T helper(T v) { return v * FACTOR; }",
        loop_prep="T offset = 100", after_loop="if (threadIdx.x == 0 && blockIdx.x == 0) printf(\"done\\n\")",
        options=("-DFACTOR=3",))  # fmt: skip
    assert kernel(cp.asarray([-1.0, 2]), cp.zeros(2)).tolist() == [0, 106]
    with pytest.raises(TypeError, match="unexpected keyword argument 'unknown'"):
        cp.ElementwiseKernel("T x", "T z", "z = x", unknown=1)(cp.zeros(2))


def test_constants_and_functions_of_cuda():
    kernel = cp.ElementwiseKernel("T x", "T z", "z = isinf(x) ? CUDART_INF : sin(x * M_PI)")
    z = kernel(cp.asarray([0.5, np.inf, 1.5]))
    assert z.tolist() == [1, np.inf, -1]


def test_two_outputs_and_what_is_returned():
    x = cp.asarray([7.0, -8.0])
    both = cp.ElementwiseKernel("T x", "T whole, int32 sign", "whole = floor(x / 2); sign = x < 0")
    whole, sign = both(x)
    assert (whole.tolist(), sign.tolist(), sign.dtype) == ([3, -4], [0, 1], np.int32)
    (one,) = cp.ElementwiseKernel("T x", "T y", "y = x", return_tuple=True)(x)
    assert one.tolist() == [7, -8]
    with pytest.raises(TypeError, match=re.escape("It must be either 1 or 3 (with outputs), but given 2.")):
        both(x, x)


def test_errors_name_lines_of_the_operation():
    with pytest.raises(cp.cuda.compiler.CompileException, match=r'operation\(2\): error: identifier "w" is undefined'):
        cp.ElementwiseKernel("T x", "T z", "T v = x;\nz = w")(cp.zeros(3))
    with pytest.raises(cp.cuda.compiler.CompileException, match=r'no operator "\*" matches these operands'):
        cp.ElementwiseKernel("T x", "T z", "z = 2 * x")(cp.zeros(3, np.complex64))   # as CuPy: T(2) * x
    with pytest.raises(cp.cuda.compiler.CompileException, match=r"preamble\(1\): error"):
        cp.ElementwiseKernel("T x", "T z", "z = x", preamble="int 3;")(cp.zeros(3))
    y = cp.zeros(4, np.float32)
    with pytest.raises(KernelFault, match=r"reads element 4 of `y` \(float32, 4 elements\)") as fault:
        cp.ElementwiseKernel("T x, raw T y", "T z", "int k = i + 2;\nz = y[k]")(cp.zeros(5, np.float32), y)
    assert (fault.value.line, fault.value.thread) == (2, (2, 0, 0))


def test_a_gradient_through_kernels_in_double_precision():
    forward = cp.ElementwiseKernel("T x", "T y", "y = x / (1 + exp(-x))")
    backward = cp.ElementwiseKernel("T x, T g", "T d", "T s = 1 / (1 + exp(-x)); d = g * s * (1 + x * (1 - s))")
    x, h = cp.linspace(-4, 4, 41), 1e-6
    difference = (forward(x + h) - forward(x - h)) / (2 * h)
    np.testing.assert_allclose(backward(x, 1.0).get(), difference.get(), rtol=1e-8, atol=1e-9)


def test_the_source_is_kept_by_type_and_compiled_once():
    kernel = squared_diff()
    with pytest.warns(UserWarning, match="No codes are cached because compilation is deferred"):
        assert kernel.cached_codes == {}
    kernel(cp.zeros(3), 1)
    assert "(x - y) * (x - y)" in kernel.cached_code
    misses = compiler.program.cache_info().misses
    kernel(cp.ones(5), 2)
    squared_diff()(cp.ones((2, 5)), 2)   # contiguous: one axis, as before
    assert compiler.program.cache_info().misses == misses
    kernel(cp.zeros(3, np.float32), 1)
    assert set(kernel.cached_codes) == {(np.dtype(np.float64),) * 2, (np.dtype(np.float32),) * 2}


def test_kernels_need_no_header_of_cupys(monkeypatch):
    _, after = simt_compile._include_folders()
    without = tuple(folder for folder in after if "cupy" not in folder)
    monkeypatch.setattr(simt_compile, "_include_folders", lambda: ((), without))
    monkeypatch.setenv("GPUCOURSE_CACHE_DIR", "/nonexistent")
    compiler.program.cache_clear()
    for dtype in (np.float32, np.float16, np.complex64):
        assert squared_diff()(cp.ones((2, 3), dtype)[:, ::2], 3).tolist() == [[4, 4], [4, 4]]
    compiler.program.cache_clear()


# ---- held against CuPy

DEFINITIONS = {
    "no name": ("T", "T z"), "unknown word": ("foo T x", "T z"), "const": ("const T x", "T z"),
    "type": ("foo x", "T z"),
    "i": ("T i", "T z"), "i as output": ("T x", "T i"), "comma": ("T x,", "T z"), "not text": (1, "T z"),
}  # fmt: skip


@pytest.mark.parametrize("parameters", DEFINITIONS.values(), ids=DEFINITIONS)
def test_bad_definitions_are_refused_in_cupys_words(parameters):
    cupy = pytest.importorskip("cupy")
    with pytest.raises(Exception) as theirs:
        cupy.ElementwiseKernel(*parameters, "z = x")
    with pytest.raises(Exception) as ours:
        cp.ElementwiseKernel(*parameters, "z = x")
    assert (type(ours.value), str(ours.value)) == (type(theirs.value), str(theirs.value))
    with pytest.raises(ValueError, match='Invalid kernel name: "bad name"'):
        cp.ElementwiseKernel("T x", "T z", "z = x", "bad name")


LISTS = [("T x, T y", "T z"), ("X x, Y y", "Z z"), ("float32 x, T y", "T z"), ("T x, int64 y", "T z, bool w"),
         ("raw T x, X y", "T z"), ("float16 x, complex64 y", "T z")]  # fmt: skip


def test_types_are_decided_as_cupy_decides():
    cupy = pytest.importorskip("cupy", "14.2")      # whose words for a mismatch these are
    from gpucourse.cupy_sim.parameters import decide_types, parse

    compared = 0
    for ins, outs in LISTS:
        theirs = cupy.ElementwiseKernel(ins, outs, "")
        mine = parse(ins, True), parse(outs, False)
        for given in itertools.product([None, "f", "d", "q"], [None, "f", "d", "q", "F"], ["", "f", "d"]):
            dtypes = tuple(char and np.dtype(char) for char in given[:2])
            out = tuple(np.dtype(char) for char in given[2] for _ in mine[1])
            values = [1 if each is None else cp.zeros(1, each) for each in dtypes]
            expected = _outcome(lambda: theirs._decide_params_type(dtypes, out)[:2])  # noqa: B023
            got = _outcome(lambda: decide_types(*mine, values, [cp.zeros(1, each) for each in out])[:2])  # noqa: B023
            assert got == expected, (ins, outs, given)
            compared += 1
    assert compared == 360


def _outcome(decide):
    try:
        return tuple(map(tuple, decide()))
    except (TypeError, KeyError) as error:
        return type(error), str(error)


# operation -> the inputs; both are strided arrays of shape (2, 3), y the transpose of one
WRITTEN_BY_CUPY = {
    "z = x * T(2) + y": "T x, T y", "z = x + y[_ind.size() - i - 1]": "T x, raw T y",
    "long long known = y.shape()[0] + y.strides()[1] + y.size(); z = x + T(known)": "T x, raw T y",
    "ptrdiff_t at[] = {i % 2, 1}; z = x - y[at]": "T x, raw T y",
}  # fmt: skip


@pytest.mark.parametrize("operation", WRITTEN_BY_CUPY)
@pytest.mark.parametrize("char", "fdeF")
def test_results_are_those_of_the_source_that_cupy_writes(operation, char):
    """CuPy's own generated source, with its headers, through the same compiler and simulator."""
    pytest.importorskip("cupy")
    ins = WRITTEN_BY_CUPY[operation]
    x, y = cp.arange(24).reshape(4, 6).astype(char)[::2, ::2], cp.arange(24).reshape(6, 4).astype(char)[::-2, 1:3].T
    ours = cp.ElementwiseKernel(ins, "T z", operation, reduce_dims=False)(x, y).get()
    np.testing.assert_array_equal(ours, _by_cupys_source(ins, operation, x._host, y._host))


def _by_cupys_source(ins, operation, x, y):
    from cupy._core import _carray, _kernel

    z = np.zeros(x.shape, x.dtype)
    params = _kernel._get_param_info(ins, True) + _kernel._get_param_info("T z", False)
    params += _kernel._get_param_info("CIndexer _ind", False)
    infos = [_kernel._ArgInfo(1, _array_class(), a.dtype, a.ndim, a.flags.c_contiguous, True) for a in (x, y, z)]
    infos.append(_kernel._ArgInfo(2, _carray.Indexer, None, x.ndim, True, True))
    types = _kernel._TypeMap((("T", x.dtype),))
    code = _kernel._get_elementwise_kernel_code(tuple(infos), types, params, operation, "theirs", "")
    headers = "".join(f"#include <cupy/{name}.cuh>\n" for name in ("complex", "carray", "float16", "atomics"))
    memory = [registry().address(each).to_bytes(8, "little") for each in (x, y, z)]
    arrays = [np.void(at + packed(a.shape, a.strides).tobytes()) for at, a in zip(memory, (x, y, z), strict=True)]
    launch(compiler.program(headers + code), "theirs", (1,), (64,), (*arrays, packed(x.shape, (0,) * x.ndim)))
    return z


def _array_class():
    import cupy

    return cupy.ndarray


def test_types_have_cupys_names():
    scalar = pytest.importorskip("cupy._core._scalar")
    assert {char: carray.type_name(np.dtype(char)) for char in DTYPES + "lL"} == {
        char: scalar.get_typename(char) for char in DTYPES + "lL"}  # fmt: skip
