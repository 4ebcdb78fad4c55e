"""The device array: it wraps a NumPy array that stands for device memory, and lets nobody mix the two by accident."""

from __future__ import annotations

import functools
import math
import operator
import pickle
import warnings
from typing import Any

import numpy as np

from . import counters, indexing
from .casting import cast, check_cast, device_dtype
from .memory import MemoryPointer, OutOfMemoryError, PooledMemory, default_pool, first_byte

_NO_COPY_TO_HOST = (
    "Implicit conversion to a NumPy array is not allowed. "
    "Please use `.get()` to construct a NumPy array explicitly."
)


class ndarray:
    """An array on the simulated device, with CuPy's attributes, methods and refusals.

    `shape`: axis lengths; `dtype`: one of CuPy's types; `memptr`: device memory to use instead of new memory;
    `strides`: bytes from element to element, only with `memptr`; `order`: "C" or "F".
    """

    __slots__ = ("__weakref__", "_host", "_memory", "base")
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    _host: np.ndarray
    _memory: Any
    base: ndarray | None

    def __init__(
        self, shape: Any, dtype: Any = float, memptr: Any = None, strides: Any = None, order: str | None = "C"
    ) -> None:
        shape = _shape(shape)
        dtype = device_dtype(dtype)
        order = _one_of("CF", order or "C")
        self.base = None
        if memptr is None:
            if strides is not None:
                raise ValueError("memptr is required if strides is given.")
            self._memory = default_pool.allocate(math.prod(shape) * dtype.itemsize)
            self._host = self._memory._host = _new(shape, dtype, order)
        else:
            self._memory = memptr.mem
            raw = _bytes_of(memptr.mem.host)
            self._host = np.ndarray(shape, dtype, raw, memptr._offset, strides, order)

    # ---- what an array knows about itself

    @property
    def shape(self) -> tuple[int, ...]:
        """Axis lengths; assigning reshapes without a copy."""
        return self._host.shape

    @shape.setter
    def shape(self, newshape: Any) -> None:
        view = self._host.reshape(newshape)
        if self.size and not np.may_share_memory(view, self._host):
            raise AttributeError(
                "Incompatible shape for in-place modification. Use `.reshape()` to make a copy with the desired "
                "shape."
            )
        self._host = view

    @property
    def flags(self) -> Flags:
        """C_CONTIGUOUS, F_CONTIGUOUS and OWNDATA."""
        return Flags(self._host.flags.c_contiguous, self._host.flags.f_contiguous, self.base is None)

    @property
    def data(self) -> MemoryPointer:
        """Where the first element lies in device memory; the address is the simulated pool's."""
        if self.size == 0:
            return MemoryPointer(self._memory, 0)
        address = self._host.__array_interface__["data"][0]
        return MemoryPointer(self._memory, address - first_byte(self._memory.host))

    @property
    def device(self) -> Any:
        """The device on which the array lives: device 0."""
        from .cuda import Device

        return Device(0)

    @property
    def T(self) -> ndarray:
        """A view with the axes in reverse."""
        return self if self.ndim < 2 else view(self._host.T, self)

    @property
    def mT(self) -> ndarray:
        """A view with the last two axes exchanged."""
        if self.ndim < 2:
            raise ValueError("matrix transpose with ndim < 2 is undefined")
        return view(self._host.mT, self)

    @property
    def real(self) -> ndarray:
        """The real part, as a view."""
        return view(self._host.real, self) if self.dtype.kind == "c" else self

    @real.setter
    def real(self, value: Any) -> None:
        self.real[...] = value

    @property
    def imag(self) -> ndarray:
        """The imaginary part: a view where there is one, else zeros."""
        return view(self._host.imag, self) if self.dtype.kind == "c" else own(np.zeros(self.shape, self.dtype))

    @imag.setter
    def imag(self, value: Any) -> None:
        if self.dtype.kind != "c":
            raise TypeError("cupy.ndarray does not have imaginary part to set")
        self.imag[...] = value

    @property
    def flat(self) -> flatiter:
        """A one-dimensional iterator over the elements."""
        return flatiter(self)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        raise AttributeError(
            "a simulated array has no address on a GPU, so it offers no __cuda_array_interface__; "
            "share it by DLPack: torch.from_dlpack(x)"
        )

    # ---- to the host, and from it

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> np.ndarray:
        """Return a copy in host memory as a NumPy array, or fill `out`.

        Raises TypeError or ValueError where `out` is no NumPy array of this dtype and shape.
        """
        source = _in_order(self, order) if out is None else self._host
        if out is None:
            out = source.copy(order="A")
        else:
            _check_host(out, self, "Only numpy.ndarray can be obtained fromcupy.ndarray", "obtained from")
            np.copyto(out, source)
        counters.to_host(self.nbytes)
        return out

    def set(self, arr: np.ndarray, stream: Any = None) -> None:
        """Copy a NumPy array of the same shape and dtype into this one."""
        _check_host(arr, self, "Only numpy.ndarray can be set to cupy.ndarray", "set to")
        if not (self._host.flags.c_contiguous or self._host.flags.f_contiguous):
            raise RuntimeError("Cannot set to non-contiguous array")
        counters.to_device(self.nbytes)
        np.copyto(self._host, arr)

    def item(self) -> Any:
        """Copy the only element to the host, as a Python number."""
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self.get().item()

    def tolist(self) -> Any:
        """Copy to the host, as nested lists."""
        return self.get().tolist()

    def tobytes(self, order: str = "C") -> bytes:
        """Copy to the host, as bytes."""
        return self.get().tobytes(order)

    def tofile(self, fid: Any, sep: str = "", format: str = "%s") -> None:
        """Copy to the host and write to a file."""
        self.get().tofile(fid, sep, format)

    def dump(self, file: Any) -> None:
        """Pickle to an open file."""
        pickle.dump(self, file, -1)

    def dumps(self) -> bytes:
        """Pickle to bytes."""
        return pickle.dumps(self, -1)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError(_NO_COPY_TO_HOST)

    def __bool__(self) -> bool:
        if self.size == 0:
            warnings.warn(
                "The truth value of an empty array is ambiguous. Returning False, but in future this will result "
                "in an error. Use `array.size > 0` to check that an array is not empty.",
                DeprecationWarning,
                stacklevel=2,
            )
            return False
        if self.size > 1:
            raise ValueError(
                "The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()"
            )
        return bool(self.get())

    def __reduce__(self) -> Any:
        return array, (self.get(),)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Any:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    # ---- copies and views

    def astype(
        self, dtype: Any, order: Any = "K", casting: Any = None, subok: Any = None, copy: bool = True
    ) -> ndarray:
        """Return the elements as `dtype`: a copy, or this array where `copy` is False and nothing changes."""
        dtype = device_dtype(dtype)
        order = order or "K"
        if subok is not None:
            raise TypeError("subok is not supported yet")
        check_cast(self.dtype, dtype, casting or "unsafe")
        if not copy and dtype == self.dtype and _has_order(self._host, order):
            return self
        counters.launch(bool(self.size))
        return own(cast(self._host, dtype, order))

    def copy(self, order: str = "C") -> ndarray:
        """Return a copy on the device."""
        return self.astype(self.dtype, order=order)

    def flatten(self, order: str = "C") -> ndarray:
        """Return a one-dimensional copy."""
        counters.launch(bool(self.size))
        return own(self._host.flatten(order))

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> ndarray:
        return self.copy()

    def view(self, dtype: Any = None, type: Any = None) -> ndarray:
        """Return another array on the same memory, with its bits read as `dtype`."""
        return view(self._host.view() if dtype is None else self._host.view(device_dtype(dtype)), self)

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> ndarray:
        """Return the elements in another shape: a view where the strides allow it, else a copy."""
        if len(shape) == 1 and not isinstance(shape[0], int):
            shape = tuple(shape[0]) if np.iterable(shape[0]) else (operator.index(shape[0]),)
        result = self._host.reshape(shape, order=order, copy=copy)
        return wrap(result, (self,))

    def transpose(self, *axes: Any) -> ndarray:
        """Return a view with the axes permuted."""
        return view(self._host.transpose(*axes), self)

    # ---- elements

    def fill(self, value: Any) -> None:
        """Set every element to a scalar."""
        if isinstance(value, (np.ndarray, ndarray)):
            if value.shape != ():
                kind = "cupy" if isinstance(value, ndarray) else "numpy"
                raise ValueError(f"non-scalar {kind}.ndarray cannot be used for fill")
            value = value._host[()] if isinstance(value, ndarray) else value.item()
        counters.launch(bool(self.size) and not (isinstance(value, (int, float)) and value == 0))
        self._host[...] = cast(np.asarray(scalar(value)), self.dtype)

    def __getitem__(self, slices: Any) -> ndarray:
        index = indexing.prepare(self.shape, slices)
        if not index.advanced:
            result = self._host[index.key]
            # an integer index gives a NumPy scalar; adding an ellipsis keeps it a view
            return view(result if isinstance(result, np.ndarray) else self._host[(*index.key, ...)], self)
        index.count_reads()
        return own(np.asarray(self._host[index.key]))

    def __setitem__(self, slices: Any, value: Any) -> None:
        index = indexing.prepare(self.shape, slices)
        if not index.advanced and not isinstance(value, ndarray):
            view(self._host[(*index.key, ...)] if _no_ellipsis(index.key) else self._host[index.key], self).fill(value)
            return
        if not isinstance(value, ndarray):
            value = array(value, dtype=self.dtype)
        index.count_writes()
        self._host[index.key] = cast(_without_leading_ones(value._host), self.dtype)

    def scatter_add(self, slices: Any, value: Any) -> None:
        """Add `value` at the indices, repeated ones included, as atomic additions do."""
        self._scatter(np.add, slices, value)

    def scatter_max(self, slices: Any, value: Any) -> None:
        """Keep the larger of the element and `value` at the indices."""
        self._scatter(np.maximum, slices, value)

    def scatter_min(self, slices: Any, value: Any) -> None:
        """Keep the smaller of the element and `value` at the indices."""
        self._scatter(np.minimum, slices, value)

    def _scatter(self, operation: Any, slices: Any, value: Any) -> None:
        index = indexing.prepare(self.shape, slices)
        value = value if isinstance(value, ndarray) else array(value, dtype=self.dtype)
        index.count_writes()
        operation.at(self._host, index.key, cast(value._host, self.dtype))

    # ---- other libraries

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from .ufuncs import from_numpy

        return from_numpy(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from gpucourse import cupy_sim

        try:
            home = functools.reduce(getattr, func.__module__.split(".")[1:], cupy_sim)
            ours = getattr(home, func.__name__)
        except AttributeError:
            return NotImplemented
        if ours is func or any(each not in (ndarray, np.ndarray) for each in types):
            return NotImplemented
        return ours(*args, **kwargs)

    def __dlpack__(self, **options: Any) -> Any:
        from .dlpack import export

        return export(self, **options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._host.__dlpack_device__()

    def toDlpack(self) -> Any:
        """Return a DLPack capsule that shares this memory."""
        return self._host.__dlpack__()


ndarray.__module__ = "cupy"  # so that errors and type() print as they do with CuPy


def _read_only(name: str) -> property:
    """Return a property that reads `name` from the NumPy array: the same number on host and device."""
    return property(operator.attrgetter(f"_host.{name}"), doc=f"NumPy's `{name}`.")


def _through_host(convert: Any) -> Any:
    """Return a method that copies the array to the host and converts it there."""
    return lambda self, *args: convert(self.get(), *args)


for _name in ("dtype", "size", "ndim", "itemsize", "nbytes", "strides"):
    setattr(ndarray, _name, _read_only(_name))
for _name, _convert in {
    "int": int, "float": float, "complex": complex, "bytes": bytes, "repr": repr, "str": str, "format": format,
}.items():  # fmt: skip
    setattr(ndarray, f"__{_name}__", _through_host(_convert))


class Flags:
    """Memory layout: `c_contiguous`, `f_contiguous`, `owndata`, also by index: flags["C_CONTIGUOUS"]."""

    def __init__(self, c_contiguous: bool, f_contiguous: bool, owndata: bool) -> None:
        self.c_contiguous, self.f_contiguous, self.owndata = c_contiguous, f_contiguous, owndata

    @property
    def fnc(self) -> bool:
        """Fortran-contiguous and not C-contiguous."""
        return self.f_contiguous and not self.c_contiguous

    @property
    def forc(self) -> bool:
        """Contiguous either way."""
        return self.f_contiguous or self.c_contiguous

    def __getitem__(self, name: str) -> bool:
        if name not in ("C_CONTIGUOUS", "F_CONTIGUOUS", "OWNDATA"):
            raise KeyError(f"{name} is not defined for cupy.ndarray.flags")
        return getattr(self, name.lower())

    def __repr__(self) -> str:
        return "\n".join(f"  {name} : {self[name]}" for name in ("C_CONTIGUOUS", "F_CONTIGUOUS", "OWNDATA"))


class flatiter:
    """A one-dimensional walk over an array's elements."""

    def __init__(self, a: ndarray) -> None:
        self.base = a

    def copy(self) -> ndarray:
        """Return the elements as a one-dimensional array."""
        return self.base.flatten()

    def __len__(self) -> int:
        return self.base.size

    def __iter__(self) -> Any:
        return iter(self.base.reshape(-1))

    def __getitem__(self, index: Any) -> ndarray:
        return self.base.flatten()[index].copy()

    def __setitem__(self, index: Any, value: Any) -> None:
        counters.launch()
        value = value if isinstance(value, ndarray) else array(value, dtype=self.base.dtype)
        self.base._host.flat[index] = cast(value._host, self.base.dtype)


# ---- making arrays


def own(host: np.ndarray) -> ndarray:
    """Return a device array that takes over `host`, a fresh NumPy array, and accounts for its memory."""
    memory = default_pool.allocate(host.nbytes)
    memory._host = host
    return _assemble(host, memory, None)


def view(host: np.ndarray, of: ndarray) -> ndarray:
    """Return a device array on the memory of another."""
    return _assemble(host, of._memory, of if of.base is None else of.base)


def unowned(host: np.ndarray, memory: Any) -> ndarray:
    """Return a device array on memory that another library owns."""
    return _assemble(host, memory, None)


def _assemble(host: np.ndarray, memory: Any, base: ndarray | None) -> ndarray:
    made = object.__new__(ndarray)
    made._host, made._memory, made.base = host, memory, base
    return made


def wrap(result: Any, sources: Any) -> Any:
    """Return NumPy's `result` as device arrays, views of `sources` where they share memory.

    Tuples and lists are wrapped element by element; a NumPy scalar or a bool becomes a 0-d array.
    """
    if isinstance(result, (tuple, list)):
        wrapped = (wrap(each, sources) for each in result)
        return type(result)(*wrapped) if hasattr(result, "_fields") else type(result)(wrapped)
    if isinstance(result, (np.generic, bool)):
        return own(np.asarray(result))
    if not isinstance(result, np.ndarray):
        return result
    for source in sources:
        if result is source._host:
            return source
        if np.may_share_memory(result, source._host):
            return view(result, source)
    device_dtype(result.dtype)
    return own(result)


def array(
    obj: Any,
    dtype: Any = None,
    copy: bool | None = True,
    order: str | None = "K",
    subok: bool = False,
    ndmin: int = 0,
    *,
    blocking: bool = False,
) -> ndarray:
    """Return a device array of `obj`: a device array, a NumPy array, a scalar or nested sequences of these.

    Raises ValueError for types that a device does not have, such as strings and objects.
    """
    if subok:
        raise NotImplementedError
    if isinstance(obj, ndarray):
        return _from_device(obj, dtype, bool(copy), order or "K", ndmin)
    if copy is False:
        raise ValueError("Unable to avoid copy while creating an array as requested.")
    arrays = [each for each in _leaves(obj) if isinstance(each, ndarray)]
    if arrays:
        return _join(obj, arrays, dtype, ndmin)
    return _send(np.array(obj, dtype=dtype, order=order or "K", ndmin=ndmin))


def _from_device(obj: ndarray, dtype: Any, copy: bool, order: str, ndmin: int) -> ndarray:
    result = obj.astype(obj.dtype if dtype is None else dtype, order=order, copy=copy)
    return result.reshape((1,) * (ndmin - result.ndim) + result.shape) if ndmin > result.ndim else result


def _send(host: np.ndarray) -> ndarray:
    """Copy a NumPy array to the device; a 0-d one travels as a kernel's argument, not as a copy."""
    host = host.astype(device_dtype(host.dtype), copy=False)
    if host.ndim:
        counters.to_device(host.nbytes)
    else:
        counters.launch(bool(host != 0))
    return own(host)


def _join(obj: Any, arrays: list[ndarray], dtype: Any, ndmin: int) -> ndarray:
    """Concatenate nested sequences of device arrays on the device."""
    if len(arrays) != sum(1 for _ in _leaves(obj)):
        raise TypeError(_NO_COPY_TO_HOST)  # device arrays among host numbers: NumPy would have to read them
    counters.launch()
    host = np.array(_hosts(obj), ndmin=ndmin)
    return own(host if dtype is None else cast(host, device_dtype(dtype)))


def _leaves(obj: Any) -> Any:
    if isinstance(obj, (list, tuple)):
        for each in obj:
            yield from _leaves(each)
    else:
        yield obj


def _hosts(obj: Any) -> Any:
    return [_hosts(each) for each in obj] if isinstance(obj, (list, tuple)) else obj._host


# ---- small rules


def scalar(value: Any) -> Any:
    """Return `value` where a kernel takes it as a scalar argument; else raise TypeError in CuPy's words."""
    if isinstance(value, (bool, int, float, complex)):
        return value
    if isinstance(value, np.generic) and value.dtype.kind in "biufc":
        return value
    raise TypeError(f"Unsupported type {type(value)}")


def _new(shape: tuple[int, ...], dtype: Any, order: str) -> np.ndarray:
    try:
        return np.empty(shape, dtype, order)
    except MemoryError:
        nbytes = math.prod(shape) * dtype.itemsize
        raise OutOfMemoryError(nbytes, default_pool.total_bytes(), default_pool.get_limit()) from None


def _shape(shape: Any) -> tuple[int, ...]:
    if isinstance(shape, ndarray):
        shape = shape.tolist()
    lengths = tuple(map(operator.index, shape)) if np.iterable(shape) else (operator.index(shape),)
    if any(length < 0 for length in lengths):
        raise ValueError("Negative dimensions are not allowed")
    return lengths


def _one_of(allowed: str, order: str) -> str:
    if order.upper() not in tuple(allowed):
        raise ValueError(f"order not understood. order={order}")
    return order.upper()


def _has_order(host: np.ndarray, order: str) -> bool:
    flags = host.flags
    order = _one_of("CFAK", order)
    return order == "K" or {"C": flags.c_contiguous, "F": flags.f_contiguous, "A": flags.forc}[order]


def _in_order(a: ndarray, order: str) -> np.ndarray:
    """Return the elements in a memory order fit for one copy; a strided array is first made contiguous."""
    order = _one_of("CFA", order)
    if order == "A":
        order = "F" if a._host.flags.f_contiguous else "C"
    if _has_order(a._host, order) or not a.size:
        return a._host
    return a.copy(order)._host


def _check_host(host: Any, a: ndarray, message: str, verb: str) -> None:
    if not isinstance(host, np.ndarray):
        raise TypeError(message)
    if host.dtype != a.dtype:
        raise TypeError(f"{host.dtype} array cannot be {verb} {a.dtype} array")
    if host.shape != a.shape:
        ours, theirs = ("Old", "new") if verb == "set to" else ("Expected", "actual")
        raise ValueError(f"Shape mismatch. {ours} shape: {a.shape}, {theirs} shape: {host.shape}")


def _bytes_of(host: np.ndarray) -> np.ndarray:
    """Return the bytes under a contiguous array, writable."""
    return host.reshape(-1, order="A").view(np.uint8) if host.ndim else host.reshape(1).view(np.uint8)


def _no_ellipsis(key: tuple[Any, ...]) -> bool:
    return not any(each is Ellipsis for each in key)


def _without_leading_ones(host: np.ndarray) -> np.ndarray:
    while host.ndim and host.shape[0] == 1:
        host = host[0]
    return np.asarray(host)


__all__ = ["Flags", "PooledMemory", "array", "flatiter", "ndarray", "own", "unowned", "view", "wrap"]
