"""Functions that fit no table: they choose between answers, synchronize, or speak of arrays and not of values."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import counters, fusion
from .array import array, ndarray, own, view
from .rows import call, device_only, made_on_device
from .ufuncs import TABLE


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """Return elements of `x` where `condition` is true and of `y` elsewhere; without these, the true indices."""
    if (x is None) != (y is None):
        raise ValueError("Must provide both 'x' and 'y' or neither.")
    if x is None:
        return condition.nonzero()
    if fusion.is_fusing():
        return fusion.Variable(np.where(*map(fusion.values_of, (condition, x, y))))
    condition = condition.astype("?", copy=False)
    hosts = [operand(each) for each in (condition, x, y)]
    return made_on_device(np.asarray(np.where(*hosts), order="C"))


def operand(value: Any) -> Any:
    """Return what a kernel's operand stands for: a device array's elements or a scalar."""
    from .array import scalar

    return value._host if isinstance(value, ndarray) else scalar(value)


def matmul(
    *args: Any,
    axes: Any = None,
    axis: Any = None,
    keepdims: bool = False,
    casting: str = "same_kind",
    dtype: Any = None,
    signature: Any = None,
    order: str = "K",
    out: Any = None,
) -> ndarray:
    """Return the matrix product of two device arrays; leading axes are batches and broadcast."""
    if len(args) == 3:
        *args, out = args  # type: ignore[assignment]
    if len(args) != 2:
        raise TypeError(f"matmul() takes from 2 to 3 positional arguments but {len(args)} were given")
    a, b = (device_only(each, name) for each, name in zip(args, "ab", strict=True))
    if not a.ndim or not b.ndim:
        raise ValueError("Scalar operands are not allowed, use '*' instead")
    options = {} if dtype is None else {"dtype": dtype}
    result = np.asarray(call(np.matmul, (a._host, b._host), options))
    counters.launch(bool(result.size))
    if out is None:
        return own(result)
    np.copyto(out._host, result, casting=casting)  # type: ignore[arg-type]
    return out


def histogram(
    x: ndarray, bins: Any = 10, range: Any = None, density: bool = False, weights: Any = None
) -> tuple[ndarray, ndarray]:
    """Return the counts (int64) in each bin, and the bins' edges.

    Without `range` the host must learn the least and the greatest value: the device is waited for.
    Raises ValueError where `x` is no device array, NotImplementedError for bins given by name.
    """
    if x.dtype.kind == "c":
        raise NotImplementedError("complex number is not supported")
    if not isinstance(x, ndarray):
        raise ValueError("x must be a cupy.ndarray")
    if weights is not None and not isinstance(weights, ndarray):
        raise ValueError("weights must be a cupy.ndarray")
    if isinstance(bins, str):
        raise NotImplementedError("only integer and array bins are implemented")
    host = x._host.astype(np.uint8) if x.dtype == bool else x._host
    options = {"bins": _edges(bins, range, x), "range": range, "density": density}
    options["weights"] = None if weights is None else weights._host
    counts, edges = call(np.histogram, (host,), options)
    counters.launch()
    return own(counts), own(np.array(edges))


def _edges(bins: Any, range: Any, x: ndarray) -> Any:
    """Count what it costs to place the bins, and return them as NumPy takes them."""
    if isinstance(bins, ndarray):
        counters.launch(2)
        counters.to_host(1)  # do they increase?
        return bins._host
    if np.ndim(bins):
        counters.to_device(np.asarray(bins).nbytes)
    elif range is None and x.size:
        counters.launch(5)
        for _ in "is finite, is finite, are equal".split(", "):
            counters.to_host(1)
    return bins


def real(val: Any) -> Any:
    """Return the real part, as a view where there is an imaginary one."""
    return (val if isinstance(val, ndarray) else array(val)).real


def imag(val: Any) -> Any:
    """Return the imaginary part."""
    return (val if isinstance(val, ndarray) else array(val)).imag


def get_array_module(*args: Any) -> Any:
    """Return this module where an argument is a device array, else NumPy."""
    from gpucourse import cupy_sim

    return cupy_sim if any(isinstance(each, (ndarray, fusion.Variable)) for each in args) else np


def from_dlpack(array: Any, *, device: Any = None, copy: bool | None = None) -> ndarray:
    """Return a device array on the memory of another library's tensor."""
    from .dlpack import from_dlpack

    return from_dlpack(array, device=device, copy=copy)


def load(file: Any, mmap_mode: str | None = None, allow_pickle: bool | None = None) -> Any:
    """Read an array, or an archive of arrays, that NumPy or CuPy saved."""
    found = np.load(file, mmap_mode, allow_pickle=bool(allow_pickle))
    return array(found) if isinstance(found, np.ndarray) else {name: array(found[name]) for name in found.files}


def is_available() -> bool:
    """Return False: there is no CUDA here."""
    return False


def apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> ndarray:
    """Call `func1d` with each one-dimensional slice of `arr` along `axis`."""
    rows = np.moveaxis(device_only(arr, "arr")._host, axis, -1)
    results = [array(func1d(view(rows[i], arr), *args, **kwargs), copy=None)._host for i in np.ndindex(rows.shape[:-1])]
    made = np.array(results).reshape(rows.shape[:-1] + results[0].shape)
    return made_on_device(np.moveaxis(made, -1, axis) if results[0].ndim else made)


def asfarray(a: Any, dtype: Any = float) -> ndarray:
    """Return `a` as a device array of a floating type."""
    return array(a, dtype=dtype if np.dtype(dtype).kind in "fc" else float, copy=None)


def asarray_chkfinite(a: Any, dtype: Any = None, order: str | None = None) -> ndarray:
    """Return `a` as a device array; raise ValueError where it holds an inf or a nan."""
    made = array(a, dtype, None, order)
    if not TABLE["isfinite"](made).all():
        raise ValueError("array must not contain Infs or NaNs")
    return made


def require(a: Any, dtype: Any = None, requirements: Any = None) -> ndarray:
    """Return `a` as a device array that meets the requirements on its memory order."""
    orders = {str(each)[0].upper() for each in requirements or ()} & {"C", "F"}
    return array(a, dtype, None, orders.pop() if orders else None)


def byte_bounds(a: ndarray) -> tuple[int, int]:
    """Return the addresses of the first byte of an array and of the one after its last."""
    low, high = np.lib.array_utils.byte_bounds(a._host)
    start = a.data.ptr - (a._host.__array_interface__["data"][0] - low)
    return start, start + high - low


def memoize(for_each_device: bool = False) -> Any:
    """Return a decorator that keeps a function's results."""
    import functools

    return functools.cache


def clear_memo() -> None:
    """Forget what `memoize` kept; each function keeps its own here, so nothing is done."""


def show_config(*, _full: bool = False) -> None:
    """Print what stands for CUDA here."""
    print("gpucourse's simulator of CuPy: arrays on the CPU, no CUDA")
