"""Sharing memory with other libraries by DLPack: a simulated device's memory is the CPU's."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import counters
from .array import ndarray, own, unowned
from .casting import device_dtype
from .memory import UnownedMemory

_LEFT_OUT = object()


def export(
    a: ndarray, *, stream: Any = None, max_version: Any = None, dl_device: Any = _LEFT_OUT, copy: bool | None = None
) -> Any:
    """Return a DLPack capsule of `a`.

    Raises BufferError for NumPy, which cannot read a GPU's memory; PyTorch's CPU tensors stand for its CUDA ones.
    """
    if dl_device is None and stream is None:  # only NumPy names the device and leaves it open
        raise BufferError("Unsupported device in DLTensor.")
    if dl_device is not _LEFT_OUT and dl_device is not None and copy is False:
        raise ValueError("GPU memory cannot be exported to CPU without copy.")
    if dl_device is not _LEFT_OUT:
        return a.get().__dlpack__(max_version=max_version)
    return a._host.__dlpack__(max_version=max_version, copy=copy)


class _Capsule:
    """What `ndarray.toDlpack` returned, with the methods that NumPy asks for."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


def from_dlpack(tensor: Any, *, device: Any = None, copy: bool | None = None) -> ndarray:
    """Return a device array that shares the memory of `tensor`, such as a PyTorch tensor.

    Raises BufferError for a NumPy array: it lies on the host, and has to be copied.
    """
    if isinstance(tensor, np.ndarray):
        raise BufferError(
            "CPU arrays cannot be directly imported to CuPy. Use `cupy.array(numpy.from_dlpack(input))` instead."
        )
    if isinstance(tensor, ndarray):
        return tensor.copy() if copy else tensor.view()
    host = np.from_dlpack(tensor)
    device_dtype(host.dtype)
    if copy:
        counters.launch()
        return own(host.copy())
    return unowned(host, UnownedMemory(host))


def from_capsule(capsule: Any) -> ndarray:
    """Return a device array of a capsule made by `ndarray.toDlpack`."""
    host = np.from_dlpack(_Capsule(capsule))
    return unowned(host, UnownedMemory(host))
