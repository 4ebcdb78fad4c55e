"""Which types live on a device, and how a GPU casts one to another."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

# CuPy's own list: bool, integers, floats up to 64 bits, complex
DEVICE_TYPES = "?bhilqBHILQefdFD"


def device_dtype(dtype: Any) -> np.dtype[Any]:
    """Return `dtype` as a NumPy dtype that a device array may have.

    Raises ValueError for strings, objects, dates and extended floats, as CuPy does.
    """
    found = np.dtype(dtype)
    if found.char not in DEVICE_TYPES:
        raise ValueError(f"Unsupported dtype {found}")
    return found.newbyteorder("=")


def cast(host: np.ndarray, dtype: Any, order: str = "K") -> np.ndarray:
    """Return a copy of `host` as `dtype`, with a GPU's answer where C++ leaves the cast undefined.

    A float out of an integer's range saturates at 32 or 64 bits and is then cut to 8 or 16: -1.0 becomes 0
    as uint32, inf becomes 2147483647 as int32. Source: PTX ISA, cvt; NVRTC emits cvt.rzi.s32 for int8 too.
    """
    dtype = np.dtype(dtype)
    if dtype.kind not in "iu" or host.dtype.kind not in "fc":
        return host.astype(dtype, order=order)
    real = host.astype(host.real.dtype, order=order)  # warns that the imaginary part is lost
    if real.dtype == np.float16:
        real = real.astype(np.float32)
    return _float_to_integer(real, dtype)


@functools.cache
def _limits(kind: str, itemsize: int) -> tuple[np.dtype[Any], int, int, float, float]:
    wide = np.dtype(f"{kind}{max(4, itemsize)}")
    info = np.iinfo(wide)
    return wide, int(info.min), int(info.max), float(info.min), float(info.max) + 1.0


def _float_to_integer(real: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    wide, least, most, low, high = _limits(dtype.kind, dtype.itemsize)
    inside = (real >= low) & (real < high) if real.dtype == np.float64 or wide.itemsize == 8 else None
    if inside is None:
        inside = (real.astype(np.float64) >= low) & (real.astype(np.float64) < high)
    if inside.all():
        return real.astype(wide).astype(dtype, copy=False)
    result = np.where(inside, real, 0).astype(wide)
    result[...] = np.where(inside, result, np.where(real > 0, most, least).astype(wide))
    result[np.isnan(real)] = _integer_of_nan(real.dtype, wide)
    return result.astype(dtype, copy=False)


def _integer_of_nan(source: np.dtype[Any], wide: np.dtype[Any]) -> Any:
    """PTX: zero for a 32-bit float to a 32-bit integer, otherwise only the highest bit set."""
    if source == np.float32 and wide.itemsize == 4:
        return wide.type(0)
    return np.uint64(1 << (8 * wide.itemsize - 1)).astype(wide)


def check_cast(source: Any, target: Any, casting: str, what: str = "array data") -> None:
    """Raise TypeError, in CuPy's words, where `source` may not become `target` under `casting`."""
    if source != target and not np.can_cast(source, target, casting):
        raise TypeError(
            f"Cannot cast {what} from {np.dtype(source)!r} to {np.dtype(target)!r} "
            f"according to the rule '{casting}'"
        )
