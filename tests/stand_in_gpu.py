"""A stand-in for CuPy on a GPU: NumPy arrays that count as device arrays, and a CUDA runtime that answers.

It has only what the benchmarks may use; any other name fails, as it would in CuPy if it did not exist.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

ATTRIBUTES = {16: 132, 13: 1_980_000, 36: 2_619_000, 37: 5120, 38: 50 << 20, 10: 32}
PLAIN = ("uint8", "float32", "copyto", "matmul", "clip")


class DeviceArray(np.ndarray):
    """An array with CuPy's two ways to move data; NumPy arrays do not have them."""

    def set(self, host: np.ndarray) -> None:
        assert type(host) is np.ndarray and host.shape == self.shape
        self[...] = host

    def get(self, out: np.ndarray) -> np.ndarray:
        assert type(out) is np.ndarray
        out[...] = self
        return out


class Kernel:
    """A kernel that does nothing but check how it is launched."""

    def __init__(self, source: str, name: str) -> None:
        assert f"void {name}(" in source and 'extern "C"' in source

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
        assert all(isinstance(x, tuple) for x in (grid, block, arguments))


class Event:
    """A mark that notes how much the device had done when it was recorded: one more at each mark."""

    marks = 0

    def record(self) -> None:
        Event.marks += 1
        self.at = Event.marks

    def synchronize(self) -> None:
        assert self.at


def _wrapped(function: Any) -> Any:
    return staticmethod(lambda *args, **kwargs: function(*args, **kwargs).view(DeviceArray))


def _elementwise(inputs: str, outputs: str, body: str, name: str) -> Any:
    assert body.startswith(outputs.split()[1])
    return lambda image: image


class Cupy:
    """The module `cupy`, as far as the benchmarks use it, with the pool's and the driver's doings counted."""

    __name__ = "cupy"
    ones, empty, full, empty_like, asarray = map(
        _wrapped, (np.ones, np.empty, np.full, np.empty_like, np.asarray)
    )
    RawKernel, ElementwiseKernel = Kernel, staticmethod(_elementwise)

    def __init__(self) -> None:
        self.freed = 0
        for name in PLAIN:
            setattr(self, name, getattr(np, name))
        pool = SimpleNamespace(free_all_blocks=self._free)
        self.get_default_memory_pool = lambda: pool
        self.cuda = SimpleNamespace(
            Memory=bytearray,
            Event=Event,
            get_elapsed_time=lambda start, stop: 2.0 * (stop.at - start.at),  # ms
            alloc_pinned_memory=lambda n: bytearray(n + 512),  # CuPy's pinned pool rounds up too
            runtime=SimpleNamespace(
                getDevice=lambda: 0,
                getDeviceProperties=lambda device: {"name": b"NVIDIA Test 9000"},
                deviceGetAttribute=lambda number, device: ATTRIBUTES[number],
                memGetInfo=lambda: (1, 80_000_000_000),
                driverGetVersion=lambda: 13010,
                runtimeGetVersion=lambda: 13000,
            ),
        )

    def asnumpy(self, array: DeviceArray) -> np.ndarray:
        assert isinstance(array, DeviceArray)
        return np.array(array, subok=False)

    def _free(self) -> None:
        self.freed += 1
