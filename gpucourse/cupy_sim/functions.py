"""CuPy's functions of arrays, by kind, in tables; only the irregular ones are written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import counters, fusion
from .array import array, ndarray, wrap
from .delegate import device_function, has, host_of

# one row a kind; a name stands for NumPy's function of that name, on device arrays
ON_ARRAYS = {
    "reductions": "mean std var median average ptp count_nonzero nanmean nanstd nanvar nanmedian nansum nanprod "
    "nanmax nanmin nanargmax nanargmin",
    "order": "sort argsort partition argpartition unique digitize lexsort sort_complex",
    "scans": "cumsum cumprod nancumsum nancumprod diff ediff1d gradient trapezoid unwrap cumulative_sum "
    "cumulative_prod",
    "search": "nonzero flatnonzero argwhere isin intersect1d union1d setdiff1d setxor1d",
    "statistics": "histogram2d histogramdd bincount percentile quantile corrcoef cov correlate convolve interp",
    "shapes": "reshape ravel transpose swapaxes moveaxis rollaxis squeeze expand_dims broadcast_to matrix_transpose "
    "atleast_1d atleast_2d atleast_3d flip fliplr flipud rot90 roll repeat tile resize pad "
    "split array_split hsplit vsplit dsplit trim_zeros delete append permute_dims",
    "parts": "diagonal diag diagflat tril triu take_along_axis trace vander",
    "numbers": "around round clip real imag angle nan_to_num real_if_close isreal iscomplex isposinf isneginf "
    "vdot packbits unpackbits",
    "products": "dot inner outer kron cross",
    "polynomials": "polyval polyfit polyadd polysub polymul roots",
}
ON_SEQUENCES = "concatenate concat stack hstack vstack dstack column_stack row_stack broadcast_arrays meshgrid " \
    "select ix_ tensordot einsum compress choose extract"  # fmt: skip
# answered without the device: shapes and types
ABOUT_ARRAYS = "shape ndim size iscomplexobj isrealobj isfortran isscalar can_cast result_type common_type " \
    "min_scalar_type may_share_memory shares_memory iterable"  # fmt: skip
# the same object as NumPy's: they do not touch arrays
SAME = (
    "broadcast_shapes issubdtype promote_types finfo iinfo dtype generic number integer inexact floating "
    "complexfloating signedinteger unsignedinteger ndindex index_exp s_ pi e euler_gamma inf nan newaxis "
    "isdtype typename mintypecode base_repr "
    "binary_repr set_printoptions get_printoptions printoptions format_float_positional "
    "format_float_scientific bool bool_ byte short intc int_ long longlong intp int8 int16 int32 int64 ubyte "
    "ushort uintc uint ulong ulonglong uintp uint8 uint16 uint32 uint64 half single double float16 float32 float64 "
    "csingle cdouble complex64 complex128"
)
# NumPy 2 has these under another name only
RENAMED = {"row_stack": "vstack", "trapz": "trapezoid", "in1d": "isin", "round_": "round", "alltrue": "all",
           "sometrue": "any", "product": "prod", "cumproduct": "cumprod"}  # fmt: skip


def _reduction(name: str) -> Callable[..., Any]:
    plain = device_function(name, getattr(np, RENAMED.get(name, name)))

    def reduce(a: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(a, fusion.Variable):
            options = dict(zip(("axis", "dtype", "out", "keepdims"), args, strict=False)) | kwargs
            return fusion.call_reduction(
                name, a, options.get("axis"), options.get("dtype"), options.get("out"), options.get("keepdims", False)
            )
        return plain(a, *args, **kwargs)

    reduce.__name__, reduce.__doc__, reduce.__module__ = name, plain.__doc__, "cupy"
    reduce.__signature__ = plain.__signature__  # type: ignore[attr-defined]
    return reduce


def _arg_reduction(name: str) -> Callable[..., Any]:
    """CuPy's argmax has a `dtype` where NumPy's has none."""

    def index_of(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        found = getattr(np, name)(a, axis=axis, out=out, keepdims=keepdims)
        return found if dtype is None else found.astype(dtype)

    return device_function(name, index_of)


def _equality(name: str) -> Callable[..., Any]:
    """A comparison of whole arrays: NumPy's answer, left on the device; scalars may stand for arrays."""
    return device_function(name, getattr(np, name), array_first=False)


def histogram(x: Any, bins: Any = 10, range: Any = None, weights: Any = None, density: bool = False) -> Any:
    """Count how many elements of `x` fall between neighboring edges; return (counts, edges) on the device."""
    plain = device_function("histogram", lambda x, bins, range, weights, density: np.histogram(
        x, bins, range, weights=weights, density=density))  # fmt: skip
    return plain(x, bins, range, weights, density)


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """Return elements of `x` where `condition` holds, else of `y`; with one argument, the indices that hold."""
    if x is None and y is None:
        return device_function("nonzero", np.nonzero)(condition)
    if x is None or y is None:
        raise ValueError("Must provide both 'x' and 'y' or neither.")
    if fusion.is_fusing():
        return fusion.Variable(np.where(*map(fusion.values_of, (condition, x, y))))
    return device_function("where", np.where)(condition, x, y)


def matmul(x1: Any, x2: Any, /, out: Any = None, **options: Any) -> Any:
    """The matrix product, also of stacks of matrices; one launch."""
    for each in (x1, x2):
        if not isinstance(each, ndarray):
            raise TypeError(f"Unsupported type {type(each)}")
    return device_function("matmul", np.matmul)(x1, x2, **({} if out is None else {"out": out}), **options)


def copyto(dst: ndarray, src: Any, casting: str = "same_kind", where: Any = None) -> None:
    """Copy `src`, a device array or a scalar, into `dst`."""
    counters.launch(bool(dst.size))
    mask = True if where is None else host_of(where, "copyto")
    np.copyto(dst._host, host_of(src, "copyto"), casting=casting, where=mask)  # type: ignore[arg-type]


def _in_place(name: str) -> Callable[..., Any]:
    """A function that writes into its first argument and returns None."""
    function = getattr(np, name)

    def call(a: ndarray, *args: Any, **kwargs: Any) -> None:
        counters.launch(bool(a.size))
        hosts = [host_of(each, name) for each in args]
        function(a._host, *hosts, **{key: host_of(value, name) for key, value in kwargs.items()})

    call.__name__, call.__doc__, call.__module__ = name, f"CuPy's `{name}`: changes its first argument.", "cupy"
    return call


def put(a: ndarray, ind: Any, v: Any, mode: str = "wrap") -> None:
    """Set the elements of the flattened array at `ind`; an index out of bounds wraps round, as CuPy's does."""
    counters.launch(bool(a.size))
    np.put(a._host, host_of(ind, "put"), host_of(v, "put"), mode=mode)


def take(a: Any, indices: Any, axis: Any = None, out: Any = None) -> Any:
    """Return the elements at `indices` along `axis`; an index out of bounds wraps round, as CuPy's does."""
    plain = device_function("take", lambda a, i, axis, out: np.take(a, i, axis, out, mode="wrap"))
    return plain(a, indices, axis, out)


def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """Return where the elements of `v` would have to stand in the sorted `a`."""
    return device_function("searchsorted", np.searchsorted)(a, v, side, sorter)


def apply_along_axis(func1d: Any, axis: int, arr: ndarray, *args: Any, **kwargs: Any) -> ndarray:
    """Call `func1d` with each one-dimensional slice of `arr` along `axis`; each call is a call on the device."""
    moved = np.moveaxis(arr._host, axis, -1)
    lines = [func1d(array(moved[index]), *args, **kwargs) for index in np.ndindex(moved.shape[:-1])]
    whole = np.array([array(line)._host for line in lines])
    whole = whole.reshape(moved.shape[:-1] + whole.shape[1:])
    counters.launch()
    result = whole if whole.ndim < moved.ndim else np.moveaxis(whole, -1, axis)
    return wrap(np.ascontiguousarray(result), (arr,))  # type: ignore[no-any-return]


def _about(name: str) -> Callable[..., Any]:
    function = getattr(np, name)

    def ask(*args: Any, **kwargs: Any) -> Any:
        return function(*[host_of(each, name) for each in args], **kwargs)

    ask.__name__, ask.__doc__, ask.__module__ = name, f"NumPy's `{name}`, which needs no work on the device.", "cupy"
    return ask


def _table() -> dict[str, Any]:
    """Return every function of this file by its CuPy name."""
    table: dict[str, Any] = {name: getattr(np, name) for name in SAME.split()}
    for name in " ".join(ON_ARRAYS.values()).split():
        if hasattr(np, name) and has(name):
            table[name] = device_function(name, getattr(np, name))
    for name in ON_SEQUENCES.split():
        table[name] = device_function(name, getattr(np, RENAMED.get(name, name)), array_first=False)
    table |= {name: _about(name) for name in ABOUT_ARRAYS.split()}
    table |= {name: _reduction(name) for name in fusion.REDUCTIONS}
    table |= {name: _arg_reduction(name) for name in ("argmax", "argmin")}
    table |= {name: _equality(name) for name in ("allclose", "isclose", "array_equal", "array_equiv")}
    table |= {name: _in_place(name) for name in ("fill_diagonal", "place", "putmask", "put_along_axis")}
    irregular = (histogram, where, matmul, copyto, put, take, searchsorted, apply_along_axis)
    return table | {each.__name__: each for each in irregular}


TABLE = _table()


def _method(name: str) -> Callable[..., Any]:
    call = device_function(f"ndarray.{name}", getattr(np.ndarray, name))

    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        return call(self, *args, **kwargs)

    method.__name__, method.__doc__ = name, f"As the function `{name}`."
    return method


def _through_function(name: str) -> Callable[..., Any]:
    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        return TABLE[name](self, *args, **kwargs)

    method.__name__, method.__doc__ = name, f"As the function `{name}`."
    return method


def _changing(name: str) -> Callable[..., Any]:
    def method(self: ndarray, *args: Any, **kwargs: Any) -> None:
        counters.launch(bool(self.size))
        getattr(self._host, name)(*args, **kwargs)

    method.__name__, method.__doc__ = name, f"{name.capitalize()} in place."
    return method


def attach_methods() -> None:
    """Give the device array the methods that are functions, too."""
    as_numpy = "all any mean std var min max prod sum cumsum cumprod conj conjugate diagonal dot nonzero ravel " \
        "repeat round squeeze swapaxes trace argsort argpartition clip compress choose byteswap"  # fmt: skip
    for name in as_numpy.split():
        setattr(ndarray, name, _method(name))
    for name in ("argmax", "argmin", "take", "put", "searchsorted", "ptp"):
        setattr(ndarray, name, _through_function(name))
    for name in ("sort", "partition"):
        setattr(ndarray, name, _changing(name))
