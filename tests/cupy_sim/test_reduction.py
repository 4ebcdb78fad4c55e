"""ReductionKernel on the simulator: the guide's example, every set of axes against NumPy, and CuPy's own rules."""

import itertools

import numpy as np
import pytest

from gpucourse import cupy_sim as cp
from gpucourse.cupy_sim import reduction
from gpucourse.errors import KernelFault


def l2norm():
    return cp.ReductionKernel("T x", "T y", "x * x", "a + b", "y = sqrt(a)", "0", "l2norm")


def total(**options):
    return cp.ReductionKernel("T x", "T y", "x", "a + b", "y = a", "0", "total", **options)


# ---- the guide


def test_a_norm_along_an_axis():
    x = cp.arange(10, dtype=np.float32).reshape(2, 5)
    expected = np.linalg.norm(np.arange(10.0).reshape(2, 5), axis=1)
    y = l2norm()(x, axis=1)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.get(), expected, rtol=1e-6)   # square roots of 32 bits
    assert l2norm()(x, axis=1, keepdims=True).shape == (2, 1)
    assert l2norm()(x).shape == ()
    out = cp.empty(2, np.float32)
    for made in (l2norm()(x, out, axis=1), l2norm()(x, axis=1, out=out)):
        assert made is out
        np.testing.assert_allclose(out.get(), expected, rtol=1e-6)


# ---- shapes and axes

SHAPES = [(3,), (1,), (7, 5), (4, 3, 6), (2, 3, 1, 5), (1, 600), (600, 1), (300, 3), (3, 1000), (40, 2, 30)]


@pytest.mark.parametrize("reduce_dims", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_set_of_axes_in_every_order(shape, reduce_dims):
    values = np.random.default_rng(0).integers(-50, 50, shape).astype(float)   # sums are exact
    device, kernel = cp.asarray(values), total(reduce_dims=reduce_dims)
    orders = [*itertools.permutations(range(len(shape)))][:: 5 if len(shape) == 4 else 1]
    some = [c for n in range(len(shape) + 1) for c in itertools.combinations(range(len(shape)), n)]
    for order, axis in itertools.product(orders, [None, *some]):
        y = kernel(device.transpose(order), axis=axis, keepdims=len(order) % 2 == 0)
        expected = values.transpose(order).sum(axis=axis, keepdims=len(order) % 2 == 0)
        np.testing.assert_array_equal(y.get(), expected)


def test_strided_reversed_and_broadcast_inputs():
    values = np.arange(120.0).reshape(4, 5, 6)
    device = cp.asarray(values)
    dot = cp.ReductionKernel("T x, T y", "T z", "x * y", "a + b", "z = a", "0", "dot")
    for view in ((slice(None, None, 2), slice(1, 4)), (..., slice(None, None, -2)), (1,), (slice(None), 2)):
        for axis in (None, 0, -1, (0, 1)):
            np.testing.assert_array_equal(total()(device[view], axis=axis).get(), values[view].sum(axis=axis))
    np.testing.assert_array_equal(dot(device, device[0], axis=(0, 2)).get(), (values * values[0]).sum(axis=(0, 2)))
    np.testing.assert_array_equal(dot(device, 2, axis=1).get(), (values * 2).sum(axis=1))
    made = dot(device[:, :1], device[:1], axis=0)
    np.testing.assert_array_equal(made.get(), (values[:, :1] * values[:1]).sum(axis=0))


def test_zero_sized_inputs():
    assert total()(cp.zeros((0, 3)), axis=0).tolist() == [0, 0, 0]
    assert total()(cp.zeros((0, 3)), axis=1).shape == (0,)
    product = cp.ReductionKernel("T x", "T y", "x", "a * b", "y = a", None, "product")
    with pytest.raises(ValueError, match="zero-size array to reduction operation product which has no identity"):
        product(cp.zeros((0, 3)), axis=0)
    assert product(cp.zeros((0, 3)), axis=1).shape == (0,)


# ---- types


@pytest.mark.parametrize("char", "bBhHiIqQefdFD")
def test_every_type(char):
    values = (np.arange(60).reshape(5, 12) % 4).astype(char)
    y = total()(cp.asarray(values), axis=0)
    assert y.dtype == values.dtype
    np.testing.assert_array_equal(y.get(), values.sum(axis=0).astype(char))


def test_a_wider_type_for_the_values():
    x = cp.full(1000, 0.1, np.float16)
    wide = cp.ReductionKernel("T x", "T y", "x", "a + b", "y = a", "0", "wide", reduce_type="float")
    assert wide(x).item() == np.float16(1000 * np.float32(np.float16(0.1)))
    count = cp.ReductionKernel("T x", "int64 n", "x > 0.5f", "a + b", "n = a", "0", "count")
    assert count(cp.arange(10, dtype=np.float32)).item() == 9


def test_the_place_of_the_maximum_needs_a_struct():
    kernel = cp.ReductionKernel("T x", "int64 y", "Best<T>(x, _J)", "better(a, b)", "y = a.at", "Best<T>()", "argmax",
        reduce_type="Best<T>", preamble="""
        template <typename T> struct Best {
            T value; int at;
            __device__ Best() : value(-CUDART_INF), at(-1) {}
            __device__ Best(T value, int at) : value(value), at(at) {}
        };
        template <typename T> __device__ Best<T> better(Best<T> a, Best<T> b) {
            return a.value > b.value || (a.value == b.value && a.at < b.at) ? a : b;
        }""")  # fmt: skip
    values = np.random.default_rng(2).normal(size=(40, 70))
    for axis in (0, 1, None):
        np.testing.assert_array_equal(kernel(cp.asarray(values), axis=axis).get(), values.argmax(axis=axis))


def test_sizes_in_the_expressions_and_two_outputs():
    values = np.arange(12.0).reshape(3, 4)
    post = "n = _in_ind.size() / _out_ind.size(), y = a / n"   # one expression: it stands in parentheses
    mean = cp.ReductionKernel("T x", "T y, T n", "x", "a + b", post, "0", "mean")
    n = cp.empty(4)
    y = mean(cp.asarray(values), cp.empty(4), n, axis=0)
    np.testing.assert_array_equal(y.get(), values.mean(axis=0))
    assert n.tolist() == [3] * 4


def test_raw_inputs_and_leading_axes():
    kernel = cp.ReductionKernel("T x, raw T w", "T y", "x * w[_J]", "a + b", "y = a", "0", "weighted")
    values, weights = np.arange(12.0).reshape(3, 4), np.array([1.0, 10, 100])
    np.testing.assert_array_equal(kernel(cp.asarray(values), cp.asarray(weights), axis=0).get(), weights @ values)
    with pytest.raises(NotImplementedError, match="Illegal conditions"):
        kernel(cp.asarray(values), cp.asarray(weights), axis=1)
    with pytest.raises(KernelFault, match=r"`w` \(float64, 2 elements\)"):
        kernel(cp.asarray(values), cp.asarray(weights[:2]), axis=0)


def test_options_and_preamble():
    preamble = "template <typename T> __device__ T cube(T v) { return v * v * v; }"
    kernel = cp.ReductionKernel("T x", "T y", "cube(x)", "a + b", "y = a * SCALE", "0", "cubes", preamble=preamble,
                                options=("-DSCALE=2",))  # fmt: skip
    assert kernel(cp.arange(4.0)).item() == 72
    for reduce_expr, post_map_expr in (("a +\n b", "y = a"), ("a + b", "y = a;")):
        with pytest.raises(cp.cuda.compiler.CompileException):   # CuPy, too, puts them into macros
            cp.ReductionKernel("T x", "T y", "x", reduce_expr, post_map_expr, "0")(cp.arange(4.0))


# ---- calls and errors


def test_one_launch_and_one_source():
    kernel, x = total(), cp.ones((30, 40))
    with cp.count_launches() as counted:
        assert kernel(x).item() == 1200
    assert (counted.launches, counted.allocations) == (1, 1)
    assert "#define REDUCE(a, b) (a + b)" in kernel.cached_code
    kernel(x[:7])
    assert list(kernel.cached_codes) == [(np.dtype(float), np.dtype(float))]


def test_errors_in_cupys_words():
    x = cp.ones((2, 3))
    for args, options, error, text in (
        ((), {}, TypeError, "Wrong number of arguments for total"),
        ((x, x, x), {}, TypeError, "Wrong number of arguments for total"),
        ((x,), {"dtype": float}, TypeError, "Wrong arguments {'dtype'"),
        ((1,), {}, ValueError, "Loop size is undecided"),
        ((np.ones(3),), {}, TypeError, "Unsupported type <class 'numpy.ndarray'>"),
        ((x, cp.empty(3)), {"out": cp.empty(3), "axis": 0}, ValueError, "cannot specify 'out' as both"),
        ((x,), {"out": cp.empty(2), "axis": 0}, ValueError, "Out shape is mismatched"),
        ((x,), {"out": cp.empty(3, "f"), "axis": 0}, TypeError, "Type is mismatched. x float64 float32 T"),
        ((x,), {"axis": 2}, np.exceptions.AxisError, "axis 2 is out of bounds for array of dimension 2"),
        ((x,), {"axis": (0, -2)}, ValueError, "duplicate value in 'axis'"),
    ):
        with pytest.raises(error, match=text):
            total()(*args, **options)
    with pytest.raises(ValueError, match='Invalid kernel name: "2nd"'):
        cp.ReductionKernel("T x", "T y", "x", "a", "y = a", "0", "2nd")
    with pytest.raises(cp.cuda.compiler.CompileException, match=r'map_expr\(1\): error: identifier "w" is undefined'):
        cp.ReductionKernel("T x", "T y", "w", "a + b", "y = a", "0")(x)


def test_axes_are_cupys():
    theirs = pytest.importorskip("cupy._core._reduction")
    for ndim in range(4):
        for axis in [None, (), 0, -1, 2, [1], (0, 1), (0, -1), (0, 0), (2, 0), -4]:
            assert _outcome(reduction.axes, axis, ndim) == _outcome(theirs._get_axis, axis, ndim)


def _outcome(function, *args):
    try:
        return function(*args)
    except (ValueError, IndexError) as error:
        return type(error).__name__, str(error)


def test_blocks_take_as_many_outputs_as_cupys():
    theirs = pytest.importorskip("cupy._core._reduction")
    for sizes in np.random.default_rng(5).integers(1, 9000, (300, 3)).tolist():
        assert reduction.block_stride(*sizes) == theirs._get_block_specs(*sizes, -1)[1]
