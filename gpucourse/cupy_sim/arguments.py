"""What a kernel call hands over for each argument: CuPy's conversions, and an error where bits would be misread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpucourse.errors import LaunchError

from .array import ndarray
from .declarations import Declaration
from .memory import MemoryPointer, first_byte

# PTX type of a scalar parameter -> (kinds of NumPy scalars it takes, bytes, what to write for a number)
_SCALARS = {
    "f32": ("f", 4, "np.float32"), "f64": ("f", 8, "np.float64"), "f16": ("f", 2, "np.float16"),
    **{f"{kind}{8 * size}": ("biu", size, f"np.int{8 * size}") for kind in "us" for size in (1, 2, 4, 8)},
}  # fmt: skip
_PYTHON = {bool: np.bool_, float: np.float64, complex: np.complex128}
# Python's types -> what CuPy makes of them
_HANDED_OVER = {bool: "bool of 1 byte", float: "double", complex: "complex128", int: "64-bit integer"}
_ARRAY_BY_VALUE = (
    "You are trying to pass a numpy.ndarray of shape {} as a kernel parameter. Only numpy.ndarrays of size one can be "
    "passed by value. If you meant to pass a pointer to __global__ memory, you need to pass a cupy.ndarray instead."
)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a compiled kernel: its PTX type, its size in bytes, and its declaration where that is known."""

    number: int
    kernel: str
    type: str
    size: int
    declared: Declaration | None = None

    @property
    def place(self) -> str:
        """Which parameter it is, in words."""
        named = f" (`{self.declared.name}`)" if self.declared and self.declared.name else ""
        return f"argument {self.number}{named} of {self.kernel}"

    @property
    def wanted(self) -> str:
        """Its type, as declared or as compiled."""
        if self.declared and self.declared.text:
            return f"is declared `{self.declared.text}`"
        return f"takes {self.size} bytes (.{self.type} in PTX)"

    @property
    def scalar(self) -> bool:
        """Whether it is declared as a plain number."""
        return bool(self.declared and self.declared.dtype is not None and not self.declared.pointer)


def bind(parameter: Parameter, value: Any) -> Any:
    """Return what the simulator takes for `value`: a NumPy array for memory, a NumPy scalar that fits, an address.

    Raises CuPy's TypeError for what no kernel takes, and LaunchError where CuPy would hand over bits that the kernel
    misreads: it names the parameter, its declared type, what was given and what to write.
    """
    if isinstance(value, ndarray):
        return _array(parameter, value)
    if isinstance(value, MemoryPointer):
        return _pointer(parameter, value)
    if isinstance(value, np.ndarray):
        if value.size != 1:
            raise TypeError(_ARRAY_BY_VALUE.format(value.shape))
        value = value.reshape(())[()]
    if type(value) is int:
        return _integer(parameter, value, value)
    return _scalar(parameter, value)


def _array(parameter: Parameter, value: ndarray) -> np.ndarray:
    dtype = value._host.dtype
    if parameter.size != 8 or parameter.type == "f64" or parameter.scalar:
        given = f"a device array ({dtype}, shape {value.shape})"
        raise _misread(parameter, f"{given} was given", _number(parameter, "..."))
    declared = parameter.declared
    if declared is not None and declared.dtype is not None and not _same_bits(declared, dtype):
        raise _misread(
            parameter, f"an array of {dtype} was given, whose bytes it would read as {declared.dtype}",
            f"x.astype(cp.{declared.dtype}), or x.view(cp.{declared.dtype}) where that is meant",
        )  # fmt: skip
    return _writable(value._host)


def _writable(host: np.ndarray) -> np.ndarray:
    """NumPy protects the memory under a broadcast view from writes; a device does not."""
    if host.flags.writeable:
        return host
    from gpucourse.simt.memory import bytes_of, owner_of

    owner = owner_of(host)
    offset = first_byte(host) - first_byte(owner)
    return np.ndarray(host.shape, host.dtype, bytes_of(owner), offset, host.strides) if owner.flags.writeable else host


def _same_bits(declared: Declaration, dtype: np.dtype) -> bool:
    """Whether elements of `dtype` are what the pointer is for: bytes are for anything, complex is two floats."""
    wanted = declared.dtype
    assert wanted is not None
    if dtype == wanted or (wanted.itemsize == 1 and wanted.kind in "iu"):
        return True
    if dtype.kind == "c":
        return wanted.kind == "f" and dtype.itemsize == 2 * wanted.itemsize
    return wanted.kind in "iu" and dtype.kind in "iu" and dtype.itemsize == wanted.itemsize


def _pointer(parameter: Parameter, value: MemoryPointer) -> Any:
    if parameter.size != 8 or parameter.type == "f64":
        raise _misread(parameter, "a MemoryPointer was given", _number(parameter, "..."))
    return value.mem.host.reshape(-1).view(np.uint8)[value._offset :]


def _integer(parameter: Parameter, value: int, given: Any) -> Any:
    """An integer passes where its low bytes are its value: a GPU is little-endian."""
    if not -(1 << 63) <= value < 1 << 64:
        raise OverflowError("Python int too large to convert to C long")
    if parameter.type == "b8":
        return _struct(parameter, np.uint64(value & (1 << 64) - 1), given)
    kinds, size, _ = _SCALARS[parameter.type]
    if "i" not in kinds:
        raise _misread(parameter, _described(given), _number(parameter, given))
    bits = 8 * size
    if not -(1 << bits - 1) <= value < 1 << bits:
        raise _misread(parameter, f"{_plain(given)!r} was given, which does not fit {bits} bits", "a smaller number")
    if parameter.declared and parameter.declared.pointer:
        return _address(parameter, value, given)
    return np.dtype(f"u{size}").type(value & (1 << bits) - 1)


def _address(parameter: Parameter, value: int, given: Any) -> Any:
    from gpucourse.simt.memory import registry
    from gpucourse.simt.run import Pointer

    if value and registry().array_at(value) is None:
        raise _misread(parameter, f"{_plain(given)!r} was given, an address where no array is", "the array itself")
    return Pointer(value)


def _scalar(parameter: Parameter, given: Any) -> Any:
    value = _PYTHON.get(type(given), lambda x: x)(given)
    if given is None or not isinstance(value, np.generic) or value.dtype.kind not in "biufcV":
        raise TypeError(f"Unsupported type {type(given)}")
    if parameter.type == "b8":
        return _struct(parameter, value, given)
    kinds, size, _ = _SCALARS[parameter.type]
    if value.dtype.kind not in kinds:
        raise _misread(parameter, _described(given), _number(parameter, given))
    if value.dtype.kind == "f" and value.dtype.itemsize != size:
        raise _misread(parameter, _described(given), _number(parameter, given))
    if value.dtype.itemsize < size:
        raise _misread(parameter, _described(given), _number(parameter, given))
    return value if value.dtype.kind == "f" else _integer(parameter, int(value), given)


def _struct(parameter: Parameter, value: np.generic, given: Any) -> np.generic:
    if value.dtype.itemsize != parameter.size:
        shown = "" if value.dtype.kind == "V" else f" ({_plain(given)!r})"
        found = f"a value of {value.dtype.itemsize} bytes was given{shown}"
        raise _misread(parameter, found, f"a value of {parameter.size} bytes, such as a NumPy structured scalar")
    return value


def _described(given: Any) -> str:
    """What was given, and as what CuPy hands it over."""
    kind = _HANDED_OVER.get(type(given)) or given.dtype
    return f"{_plain(given)!r} was given, which is handed over as {_article(str(kind))} {kind}"


def _plain(given: Any) -> Any:
    return given.item() if isinstance(given, np.generic) and given.dtype.kind in "biufc" else given


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeio" else "a"


def _number(parameter: Parameter, given: Any) -> str:
    """What to write instead of `given`."""
    declared = parameter.declared
    if parameter.type == "b8" or (declared and declared.pointer):
        return "a device array" if declared and declared.pointer else f"a value of {parameter.size} bytes"
    known = declared.dtype if declared else None
    convert = f"np.{known}" if known is not None else _SCALARS[parameter.type][2]
    return f"{convert.replace('np.bool', 'np.bool_')}({_plain(given)})"


def _misread(parameter: Parameter, found: str, instead: str) -> LaunchError:
    return LaunchError(f"{parameter.place} {parameter.wanted}; {found}. Write {instead}")
