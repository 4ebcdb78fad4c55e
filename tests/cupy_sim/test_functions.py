"""Function by function against NumPy: each line is run once with NumPy and once on the device, and compared.

`a` is two-dimensional, `b` broadcasts against it, `v` has one dimension and is sorted, `i` holds indices,
`m` is a truth mask of a's shape, `s` is a small invertible symmetric matrix. `a` comes in several dtypes and layouts.
"""

import numpy as np
import pytest

from gpucourse import cupy_sim as cp

FLOAT = """
mean(a)|mean(a, axis=0)|std(a, axis=1)|var(a, ddof=1)|median(a)|median(a, axis=1)|average(a, axis=0)
percentile(a, 30)|quantile(a, 0.25, axis=0)|nanmean(a)|nansum(a, axis=1)|nanmax(a)|corrcoef(a)|cov(a)
sqrt(abs(a))|exp(a / 9)|log1p(abs(a))|sin(a)|tanh(a)|arctan2(a, b)|hypot(a, b)|floor(a)|ceil(a)|rint(a)|trunc(a)
logaddexp(a / 9, b)|copysign(a, -b)|isnan(a)|isfinite(a)|sign(a)|square(a)|reciprocal(a + 20)|expm1(a / 9)
linalg.norm(a)|linalg.norm(a, axis=1)|linalg.svd(a, compute_uv=False)|linalg.inv(s)|linalg.det(s)|linalg.solve(s, s)
linalg.cholesky(s)|linalg.eigvalsh(s)|linalg.matrix_power(s, 3)|linalg.pinv(s)|linalg.matrix_rank(s)|linalg.slogdet(s)
fft.fft(a)|fft.rfft(a)|fft.ifft(a, axis=0)|fft.fft2(a)|fft.irfft(fft.rfft(v))|fft.fftshift(a)|fft.fftfreq(8)
interp(v / 2, v, v * 3)|gradient(v)|trapezoid(v)|convolve(v, v[:3])|correlate(v, v[:3], "same")|polyval(v[:3], v)
cumsum(a)|cumsum(a, axis=1)|cumprod(a / 9, axis=0)|prod(a / 9)|nan_to_num(a)|around(a, 1)|round(a, 0)
matmul(a, a.T)|dot(v, v)|inner(a, a)|outer(v, v)|tensordot(a, a.T, 1)|einsum("ij,kj->ik", a, a)|kron(s, s)|vdot(v, v)
"""
ANY = """
sum(a)|sum(a, axis=0)|sum(a, axis=(0, 1), keepdims=True)|max(a)|min(a, axis=1)|amax(a)|ptp(a)|any(a)|all(a, axis=0)
argmax(a)|argmin(a, axis=0)|count_nonzero(a)|nonzero(a)|flatnonzero(a)|argwhere(a)|where(m, a, b)|where(m)
add(a, b)|subtract(b, a)|multiply(a, b)|true_divide(a, b)|a // b|a % b|-a|abs(a)|a ** 2|2 ** abs(b)|a + 1|1 - a|a @ a.T
maximum(a, b)|minimum(a, b)|clip(a, 2, 7)|equal(a, b)|a < b|a >= 3|logical_and(a, b)|logical_not(a)|isclose(a, a + 0)
sort(a)|sort(a, axis=0)|argsort(v)|unique(a)|unique(a, return_counts=True)|searchsorted(v, v[:3])|digitize(v, v[::2])
histogram(a, 4, (0, 12))|histogram(a, bins=v)|bincount(i)|bincount(i, minlength=9)|diff(v)|ediff1d(v)|isin(a, b)
reshape(a, (4, 3))|ravel(a)|ravel(a, "F")|transpose(a)|swapaxes(a, 0, 1)|moveaxis(a, 0, 1)|squeeze(a[:1])|flip(a)
expand_dims(a, 1)|broadcast_to(v[:4], (3, 4))|flipud(a)|fliplr(a)|rot90(a)|roll(a, 2)|roll(a, 1, axis=0)|repeat(a, 2)
tile(a, (2, 1))|pad(a, 1)|pad(a, ((0, 1), (2, 0)), mode="edge")|split(a, 3)|array_split(v, 3)|hsplit(a, 2)|vsplit(a, 3)
concatenate([a, a])|concatenate((a, a), axis=1)|stack([a, a])|hstack([a, a])|vstack([a, a])|dstack([a, a])
column_stack([v, v])|atleast_2d(v)|diag(v)|diagonal(a)|tril(a)|triu(a, 1)|trace(a)|take(a, i[:3])|take(a, i[:2], axis=1)
take_along_axis(a, argsort(a, axis=1), 1)|compress([True, False, True], a, axis=0)|extract(m, a)
select([m, ~m], [a, -a])
delete(v, 1)|append(v, v)|meshgrid(v, v[:2])|broadcast_arrays(a, b)|ix_(i[:2], i[:2])|allclose(a, a)|array_equal(a, a)
ones_like(a)|zeros_like(a)|full_like(a, 7)|a.T|a.copy()|a.astype("float32")|a.flatten()|a.sum(axis=1)|a.mean()|a.max(0)
a[1]|a[1, 2]|a[:, ::-1]|a[::2, 1:]|a[m]|a[i[:2]]|a[i[:2], i[:2]]|a[..., None]|a[-1]|a[:, [0, 2]]|a.real|a.conj()
"""
PLAIN = """
arange(7)|arange(2, 9, 2)|arange(0, 1, 0.25)|linspace(0, 1, 5)|linspace(0, 1, 5, endpoint=False)|logspace(0, 2, 3)
eye(3)|eye(3, 4, k=1)|identity(2)|zeros((2, 3))|ones(4, dtype="int32")|full((2, 2), 3.5)|tri(3)|indices((2, 3))
hanning(5)
array([[1, 2], [3, 4]])|array([1.5, 2], dtype="float32")|asarray(3)|asarray([True, False])|mgrid[:2, :3]|ogrid[:2, :3]
tril_indices(3)|unravel_index(array([3, 5]), (2, 3))|fromfunction(lambda x, y: x + 2 * y, (2, 3))|array(2.5)|array([])
shape(array([[1, 2]]))|ndim(array([1]))|size(array([[1, 2]]))|result_type("int32", "float32")|can_cast("int32", "int64")
packbits(array([1, 0, 1, 1, 0, 0, 0, 1], dtype="uint8"))|around(array([0.5, 1.5, 2.5]))|fmod(array([5.5]), 2)
gcd(12, 18)
"""


def lines(table):
    return [line for row in table.split("\n") for line in row.split("|") if line]


def layouts():
    base = np.array([[3, 1, 4, 1], [5, 9, 2, 6], [5, 3, 5, 8]])
    for dtype in ("int32", "int64", "uint8", "float32", "float64"):
        yield dtype, base.astype(dtype)
    yield "float16", base.astype("float16")
    yield "bool-like uint8", (base % 2).astype("uint8")
    yield "fortran", np.asfortranarray(base.astype("float64"))
    yield "strided", np.repeat(base, 2, axis=1).astype("float64")[:, ::2]
    yield "reversed", base.astype("float32")[::-1, ::-1]


def world(a):
    """The names that a line may use, on the host."""
    s = np.array([[4.0, 1, 0], [1, 3, 1], [0, 1, 2]])
    return {
        "a": a, "b": a[:, :1] + a.dtype.type(1), "v": np.arange(1, 8).astype(a.dtype), "i": np.array([2, 0, 1, 1]),
        "m": a > 3, "s": s,
    }  # fmt: skip


def run(xp, line, names):
    """Evaluate `line` with `xp`'s functions and the names moved to where xp computes."""
    scope = {name: xp.asarray(value) for name, value in names.items()}
    if xp is cp:   # asarray makes C order; the layouts under test need their strides
        scope["a"] = like(names["a"])
    for name in ("abs", "all", "any", "max", "min", "sum", "round"):
        scope[name] = getattr(xp, name)
    functions = {name: getattr(xp, name) for name in dir(xp) if not name.startswith("_")}
    return eval(line, {**functions, **scope})


def like(host):
    """A device array with the strides of `host`."""
    if host.flags.c_contiguous:
        return cp.asarray(host)
    if host.flags.f_contiguous:
        return cp.asarray(host, order="F")
    if host.strides[0] < 0:
        return cp.asarray(np.ascontiguousarray(host[::-1, ::-1]))[::-1, ::-1]
    return cp.asarray(np.repeat(host, 2, axis=1))[:, ::2]


def plain(value):
    """Bring a result to the host, piece by piece."""
    if isinstance(value, (tuple, list)):
        return [plain(each) for each in value]
    return value.get() if isinstance(value, cp.ndarray) else value


def assert_same(got, due, line):
    if isinstance(due, (list, tuple)):
        assert len(got) == len(due), line
        for one, other in zip(got, due, strict=True):
            assert_same(one, other, line)
        return
    if not isinstance(due, (np.ndarray, np.generic, bool, int, float)):
        assert got == due, line
        return
    got, due = np.asarray(got), np.asarray(due)
    assert (got.shape, got.dtype) == (due.shape, due.dtype), line
    if due.dtype.kind in "fc":
        np.testing.assert_allclose(got, due, rtol=1e-5, atol=1e-6, err_msg=line)
    else:
        np.testing.assert_array_equal(got, due, err_msg=line)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("line", lines(ANY))
def test_functions_of_any_dtype_and_layout(line):
    for name, a in layouts():
        names = world(a)
        assert_same(plain(run(cp, line, names)), run(np, line, names), f"{line} on {name}")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("line", lines(FLOAT))
def test_functions_of_floats(line):
    for dtype in ("float32", "float64"):
        names = world(np.array([[3, 1, 4, 1], [5, 9, 2, 6], [5, 3, 5, 8]], dtype) - dtype_offset(dtype))
        assert_same(plain(run(cp, line, names)), run(np, line, names), f"{line} on {dtype}")


def dtype_offset(dtype):
    return np.dtype(dtype).type(0.25)


@pytest.mark.parametrize("line", lines(PLAIN))
def test_creation_and_questions(line):
    due = eval(line, {name: getattr(np, name) for name in dir(np) if name[0] != "_"})
    got = eval(line, {name: getattr(cp, name) for name in dir(cp) if name[0] != "_"})
    if isinstance(due, np.ndarray):
        assert isinstance(got, cp.ndarray), f"{line} must stay on the device"
    assert_same(plain(got), due, line)


@pytest.mark.parametrize("line", lines("sum(a)|a.max()|a[1, 2]|allclose(a, a)|argmax(a)|median(a)|linalg.norm(a)"))
def test_single_results_stay_on_the_device_as_arrays_without_dimensions(line):
    result = run(cp, line, world(np.arange(12.0).reshape(3, 4)))
    assert isinstance(result, cp.ndarray)
    assert result.shape == ()


def test_empty_arrays():
    x = cp.zeros((0, 3))
    assert x.sum().get() == 0
    assert x.mean(axis=1).shape == (0,)
    assert cp.concatenate([x, cp.ones((2, 3))]).shape == (2, 3)
    with pytest.raises(ValueError, match="zero-size array"):
        x.max()


def test_out_is_filled_and_returned():
    x, out = cp.arange(6.0).reshape(2, 3), cp.empty(3)
    assert cp.sum(x, axis=0, out=out) is out
    assert out.get().tolist() == [3, 5, 7]
    assert cp.add(x, 1, out=x) is x
    assert x.get()[0, 0] == 1


def test_in_place_functions_change_their_argument():
    x = cp.array([3, 1, 2])
    x.sort()
    assert x.get().tolist() == [1, 2, 3]
    cp.put(x, [0, 4], [7, 8])   # 4 wraps round to 1
    assert x.get().tolist() == [7, 8, 3]
    x[1:] += 1
    assert x.get().tolist() == [7, 9, 4]
    cp.copyto(x, 5)
    assert x.get().tolist() == [5, 5, 5]
    y = cp.zeros((2, 2))
    cp.fill_diagonal(y, 1)
    assert y.get().tolist() == [[1, 0], [0, 1]]


def test_apply_along_axis():
    x = np.arange(12.0).reshape(3, 4)
    for axis in (0, 1):
        got = cp.apply_along_axis(lambda row: row.max() - row, axis, cp.asarray(x))
        np.testing.assert_array_equal(got.get(), np.apply_along_axis(lambda row: row.max() - row, axis, x))
