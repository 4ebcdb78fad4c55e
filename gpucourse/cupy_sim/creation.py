"""Makes device arrays: from shapes, ranges, files and host data."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from . import counters
from .array import array, ndarray, own, unowned, wrap
from .casting import device_dtype
from .delegate import device_function, host_of
from .memory import POISON, UnownedMemory

# NumPy's function of the same name, one launch, no array among the arguments
FROM_NUMBERS = "eye identity linspace logspace tri indices diag_indices mask_indices tril_indices triu_indices " \
    "bartlett blackman hamming hanning kaiser fromfunction unravel_index ravel_multi_index diag_indices_from " \
    "tril_indices_from triu_indices_from"  # fmt: skip
_FROM_HOST = "fromiter fromstring fromfile loadtxt genfromtxt frombuffer"


def asarray(
    a: Any, dtype: Any = None, order: Any = None, *, copy: bool | None = None, blocking: bool = False
) -> ndarray:
    """Return `a` as a device array; a device array of the right dtype is returned as it is, unless `copy` is True."""
    if isinstance(a, ndarray):
        return array(a, dtype, bool(copy), order or "K")
    if copy is False:
        raise ValueError("Unable to avoid copy while creating an array as requested.")
    return array(a, dtype, True, order or "K")


asanyarray = asarray


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    """Return `a` as a device array in C order with at least one axis."""
    made = asarray(a, dtype, "C")
    return made if made.ndim else made.reshape(1)


def asfortranarray(a: Any, dtype: Any = None) -> ndarray:
    """Return `a` as a device array in Fortran order."""
    return asarray(a, dtype, "F")


def asnumpy(a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True) -> np.ndarray:
    """Return `a` as a NumPy array on the host: a copy of a device array, anything else by `np.asarray`."""
    if isinstance(a, ndarray):
        return a.get(stream, order, out)
    made = np.asarray(a, order=order)  # type: ignore[call-overload]
    if out is None:
        return made  # type: ignore[no-any-return]
    out[...] = made
    return out  # type: ignore[no-any-return]


def get_array_module(*args: Any) -> Any:
    """Return this module if one of the arguments is a device array, otherwise NumPy."""
    here = sys.modules[__package__]
    return here if any(isinstance(each, ndarray) for each in args) else np


def empty(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    """Return a device array of `shape` whose elements are not set; every byte is 0xCB, so that none is luckily zero."""
    made = ndarray(shape, dtype, order=order)
    made._host.reshape(-1, order="A").view(np.uint8).fill(POISON)
    made._memory.poisoned = True
    return made


def zeros(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    """Return a device array of zeros; CuPy sets them by a memset, so no kernel is launched."""
    made = ndarray(shape, dtype, order=order)
    made._host[...] = 0
    return made


def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C") -> ndarray:
    """Return a device array with every element set to a scalar, on the host or on the device."""
    value = host_of(fill_value, "full")
    made = ndarray(shape, np.asarray(value).dtype if dtype is None else dtype, order=order)
    counters.launch(bool(made.size))
    made._host[...] = value
    return made


def ones(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    """Return a device array of ones."""
    return full(shape, 1, dtype, order)


def _like(make: Callable[..., ndarray]) -> Callable[..., ndarray]:
    def like(a: Any, *value: Any, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None) -> ndarray:
        if subok is not None:
            raise TypeError("subok is not supported yet")
        fortran = order == "F" or (order in "AK" and a.flags.f_contiguous and not a.flags.c_contiguous)
        shape, dtype = (a.shape if shape is None else shape), (a.dtype if dtype is None else dtype)
        return make(shape, *value, dtype, "F" if fortran else "C")

    like.__name__, like.__module__ = f"{make.__name__}_like", "cupy"
    like.__doc__ = f"As `{make.__name__}`, with the shape and dtype of `a`."
    return like


def _dtype_second(make: Callable[..., ndarray]) -> Callable[..., ndarray]:
    """CuPy takes the dtype of zeros_like, ones_like and empty_like as the second positional argument."""
    inner = _like(make)

    def like(a: Any, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None) -> ndarray:
        return inner(a, dtype=dtype, order=order, subok=subok, shape=shape)

    like.__name__, like.__doc__, like.__module__ = inner.__name__, inner.__doc__, "cupy"
    return like


empty_like, zeros_like, ones_like = map(_dtype_second, (empty, zeros, ones))
_full_like = _like(full)


def full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None
) -> ndarray:
    """As `full`, with the shape and dtype of `a`."""
    return _full_like(a, fill_value, dtype=dtype, order=order, subok=subok, shape=shape)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> ndarray:
    """Return evenly spaced numbers from `start` up to and without `stop`; one launch."""
    low, high = (0, start) if stop is None else (start, stop)
    made = np.arange(low, high, 1 if step is None else step, dtype and device_dtype(dtype))
    counters.launch(bool(made.size))
    return own(made)


def copy(a: Any, order: str = "K") -> ndarray:
    """Return a copy on the device."""
    return array(a, order=order)


def astype(x: ndarray, dtype: Any, /, *, copy: bool = True, device: Any = None) -> ndarray:
    """Return `x` with its elements as `dtype`."""
    return x.astype(dtype, copy=copy)


def from_dlpack(array: Any, **_: Any) -> ndarray:
    """Return a device array that shares the memory of a DLPack object on the CPU, such as a torch tensor."""
    return _shared(np.from_dlpack(array))


def fromDlpack(dltensor: Any) -> ndarray:
    """Return a device array on the memory of a DLPack capsule."""
    return _shared(np.from_dlpack(_Capsule(dltensor)))


class _Capsule:
    """A capsule dressed as the object that NumPy asks for one."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


def _shared(host: np.ndarray) -> ndarray:
    """NumPy marks memory from DLPack read-only where the exporter did not say; a device array is writable."""
    device_dtype(host.dtype)
    if not host.flags.writeable:
        interface = dict(host.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        holder = type("Holder", (), {"__array_interface__": interface, "owner": host})()
        host = np.asarray(holder)
    return unowned(host, UnownedMemory(host))


def save(file: Any, arr: Any, allow_pickle: bool | None = None) -> None:
    """Copy to the host and write a .npy file."""
    np.save(file, asnumpy(arr))


def savez(file: Any, *args: Any, **kwds: Any) -> None:
    """Copy to the host and write an .npz file."""
    np.savez(file, *map(asnumpy, args), **{key: asnumpy(value) for key, value in kwds.items()})


def load(file: Any, mmap_mode: str | None = None, allow_pickle: bool | None = None) -> Any:
    """Read a .npy file to the device; an .npz file stays on the host until an array of it is asked for."""
    found = np.load(file, mmap_mode, bool(allow_pickle))
    return array(found) if isinstance(found, np.ndarray) else found


def array_repr(a: Any, max_line_width: Any = None, precision: Any = None, suppress_small: Any = None) -> str:
    """Return what `repr` prints."""
    return np.array_repr(asnumpy(a), max_line_width, precision, suppress_small)


def array_str(a: Any, max_line_width: Any = None, precision: Any = None, suppress_small: Any = None) -> str:
    """Return what `str` prints."""
    return np.array_str(asnumpy(a), max_line_width, precision, suppress_small)


def array2string(a: Any, *args: Any, **kwargs: Any) -> str:
    """Return the elements as text."""
    return np.array2string(asnumpy(a), *args, **kwargs)


class _Grid:
    """`mgrid` and `ogrid`: NumPy's, sent to the device."""

    def __init__(self, numpy_grid: Any) -> None:
        self._grid = numpy_grid

    def __getitem__(self, key: Any) -> Any:
        counters.launch()
        return wrap(self._grid[key], ())


def _from_host(name: str) -> Callable[..., ndarray]:
    def read(*args: Any, **kwargs: Any) -> ndarray:
        return array(getattr(np, name)(*args, **kwargs))

    read.__name__, read.__doc__, read.__module__ = name, f"NumPy's `{name}`, sent to the device.", "cupy"
    return read


def _table() -> dict[str, Any]:
    """Return every function of this file by its CuPy name."""
    table = {name: device_function(name, getattr(np, name), array_first=False) for name in FROM_NUMBERS.split()}
    table |= {name: _from_host(name) for name in _FROM_HOST.split()}
    table |= {"mgrid": _Grid(np.mgrid), "ogrid": _Grid(np.ogrid), "array": array}
    written = (
        asarray, asanyarray, ascontiguousarray, asfortranarray, asnumpy, get_array_module, empty, zeros, full, ones,
        empty_like, zeros_like, ones_like, full_like, arange, copy, astype, from_dlpack, fromDlpack, save, savez, load,
        array_repr, array_str, array2string,
    )  # fmt: skip
    return table | {each.__name__: each for each in written} | {"asanyarray": asanyarray}


TABLE = _table()
