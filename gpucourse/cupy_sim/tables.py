"""The tables: which CuPy function is which NumPy function, what it takes and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .rows import CONVERTED, DEVICE, SEQUENCE, Row

# one array, one kernel or one call of a library; NumPy has the function under the same name
_ONE_ARRAY = """angle bincount diag_indices_from ediff1d fill_diagonal iscomplex isreal isneginf isposinf nanargmax
nanargmin nancumprod nancumsum nanmax nanmean nanmedian nanmin nanprod nanstd nansum nanvar median cumulative_prod
cumulative_sum packbits unpackbits pad percentile quantile piecewise poly real_if_close roll roots sort_complex tile
delete put_along_axis putmask place nan_to_num partition sort argpartition tril_indices_from triu_indices_from trim_zeros
unravel_index cov corrcoef lexsort"""
_TWO_ARRAYS = """convolve correlate inner kron outer vdot tensordot digitize isin take_along_axis polyadd polymul polysub
polyval polyfit array_equal array_equiv histogram2d intersect1d setdiff1d setxor1d union1d"""
_VIEWS = """broadcast_to expand_dims flip fliplr flipud matrix_transpose moveaxis rollaxis rot90 split array_split hsplit
vsplit dsplit"""
_SIZED_BY_DATA = "argwhere flatnonzero unique unique_all unique_counts unique_inverse unique_values extract"
_CONVERTED = "around average diff diagflat gradient resize round tril triu unwrap vander"
_CONVERTED_TWO = "append cross isclose allclose"
_JOINED = "concatenate concat stack vstack hstack dstack column_stack"
_MADE = """bartlett blackman hamming hanning kaiser diag_indices tril_indices triu_indices mask_indices select
einsum ravel_multi_index"""
# answers that the host has already: nothing runs on the device
_ASKED = """broadcast_shapes can_cast common_type iscomplexobj isrealobj isdtype isfortran isscalar issubdtype iterable
may_share_memory min_scalar_type mintypecode ndim promote_types result_type shape shares_memory typename base_repr
binary_repr get_printoptions set_printoptions printoptions"""
# what prints or saves copies its arrays to the host; what reads a file makes an array there first
TO_HOST = """array2string array_repr array_str format_float_positional format_float_scientific save savetxt savez
savez_compressed""".split()
FROM_HOST = "frombuffer fromfile fromiter fromstring genfromtxt loadtxt".split()

# functions that CuPy hands to the array's method, whatever the array is
METHODS = {name: name for name in """all any argmax argmin argpartition argsort choose clip compress copy diagonal dot
max mean min nonzero prod ptp put ravel repeat reshape searchsorted squeeze std sum swapaxes take trace transpose
var cumsum cumprod""".split()} | {
    "amax": "max", "amin": "min", "alltrue": "all", "sometrue": "any", "product": "prod", "permute_dims": "transpose",
    "cumproduct": "cumprod",
}  # fmt: skip
# CuPy's other names for a function of the tables
ALIASES = {"round_": "around", "row_stack": "vstack", "trapz": "trapezoid", "asanyarray": "asarray"}


def _rows(names: str, **options: Any) -> dict[str, Row]:
    return {name: Row(getattr(np, name), **options) for name in names.split()}


def _reduction(function: Callable[..., Any], printed: str) -> Callable[..., Any]:
    """Return NumPy's reduction with CuPy's words for an empty array, and CuPy's `dtype` for positions."""

    def reduce(a: np.ndarray, dtype: Any = None, **options: Any) -> Any:
        try:
            result = function(a, **options)
        except ValueError as error:
            if a.size:
                raise
            text = f"zero-size array to reduction operation {printed} which has no identity"
            raise ValueError(text) from error
        return result if dtype is None else np.asarray(result).astype(dtype)

    return reduce


def _in_place(name: str) -> Callable[..., Any]:
    """Return a method of NumPy's array that changes it and returns nothing."""
    return lambda a, *args, **options: getattr(a, name)(*args, **options)


def _count_nonzero(a: np.ndarray, axis: Any = None) -> np.ndarray:
    return np.asarray(np.count_nonzero(a, axis))


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` with an ordinary tuple for NumPy's named one."""

    def call(*args: Any, **options: Any) -> Any:
        result = function(*args, **options)
        return tuple(result) if isinstance(result, tuple) else result

    return call


FUNCTIONS: dict[str, Row] = {
    **_rows(_ONE_ARRAY),
    **_rows(_TWO_ARRAYS, arrays=2),
    **_rows(_VIEWS, launches=0),
    **_rows(_SIZED_BY_DATA, syncs=4, launches=2),
    **_rows(_CONVERTED, takes=CONVERTED),
    **_rows(_CONVERTED_TWO, takes=CONVERTED, arrays=2),
    **_rows(_JOINED, takes=SEQUENCE),
    **_rows(_MADE, arrays=0),
    **_rows(_ASKED, arrays=0, launches=0, scalar=True),
    **_rows("atleast_1d atleast_2d atleast_3d", takes=CONVERTED, arrays=99, launches=0),
    "astype": Row(lambda x, dtype, **options: x.astype(dtype, **options)),
    "count_nonzero": Row(_count_nonzero),
    "in1d": Row(lambda a, b, **options: np.isin(a, b, **options).ravel(), arrays=2),
    "interp": Row(np.interp, arrays=3),
    "msort": Row(lambda a: np.sort(a, axis=0)),
    "ravel_multi_index": Row(np.ravel_multi_index, arrays=0, always=("mode",)),
    "trapezoid": Row(np.trapezoid),
    "extract": Row(np.extract, arrays=2, syncs=4, launches=2),
}

_CUMULATIVE = {"cumsum": Row(np.cumsum), "cumprod": Row(np.cumprod)}
_MAY_BE_VIEWS = _rows("ravel squeeze swapaxes diagonal", views=True)
NDARRAY: dict[str, Row] = {
    **_CUMULATIVE,
    **_MAY_BE_VIEWS,
    **{name: Row(_reduction(getattr(np, name), f"cupy_{name}")) for name in ("max", "min", "argmax", "argmin")},
    **_rows("sum prod mean all any ptp trace argpartition"),
    "var": Row(np.var, launches=2),
    "std": Row(np.std, launches=3),
    "argsort": Row(np.argsort, fixed=(("kind", "stable"),)),
    "choose": Row(np.choose),
    "clip": Row(np.clip),
    "compress": Row(lambda a, condition, **options: np.compress(condition, a, **options), syncs=4, launches=2),
    "conj": Row(np.conj, views=True),
    "conjugate": Row(np.conj, views=True),
    "byteswap": Row(lambda a, inplace=False: a.byteswap(inplace)),
    "dot": Row(np.dot, arrays=2),
    "nonzero": Row(np.nonzero, syncs=4, launches=2),
    "partition": Row(_in_place("partition")),
    "put": Row(np.put, always=("mode",), sends=(1, 2)),
    "repeat": Row(np.repeat),
    "round": Row(np.round),
    "searchsorted": Row(np.searchsorted),
    "sort": Row(_in_place("sort")),
    "take": Row(np.take, fixed=(("mode", "wrap"),), sends=(1,)),
}

_DECOMPOSITIONS = "cholesky det eig eigh eigvals eigvalsh inv matrix_power matrix_transpose qr slogdet svd tensorinv"
LINALG: dict[str, Row] = {
    **{name: Row(_plain(getattr(np.linalg, name))) for name in _DECOMPOSITIONS.split()},
    **{name: Row(_plain(getattr(np.linalg, name)), arrays=2) for name in "solve tensorsolve lstsq cross".split()},
    "norm": Row(np.linalg.norm),
    "cond": Row(np.linalg.cond, takes=CONVERTED),
    "pinv": Row(np.linalg.pinv, always=("rcond",)),
    "matrix_rank": Row(np.linalg.matrix_rank),
}

_TRANSFORMS = """fft fft2 fftn ifft ifft2 ifftn rfft rfft2 rfftn irfft irfft2 irfftn hfft ihfft"""
FFT: dict[str, Row] = {
    **{name: Row(getattr(np.fft, name), takes=DEVICE) for name in _TRANSFORMS.split()},
    "fftshift": Row(np.fft.fftshift, takes=CONVERTED),
    "ifftshift": Row(np.fft.ifftshift, takes=CONVERTED),
    "fftfreq": Row(np.fft.fftfreq, arrays=0),
    "rfftfreq": Row(np.fft.rfftfreq, arrays=0),
}
