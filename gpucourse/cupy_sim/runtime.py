"""The part of CUDA's runtime that a program may ask: devices, their properties, errors."""

from __future__ import annotations

import os
from typing import Any

# CUDA's own names and texts, by number
ERRORS = {
    1: ("cudaErrorInvalidValue", "invalid argument"),
    2: ("cudaErrorMemoryAllocation", "out of memory"),
    101: ("cudaErrorInvalidDevice", "invalid device ordinal"),
    400: ("cudaErrorInvalidResourceHandle", "invalid resource handle"),
}
COMPUTE_CAPABILITY = (7, 5)  # what the course compiles for; see gpucourse/simt
ATTRIBUTES = {
    "MaxThreadsPerBlock": 1024,
    "MaxBlockDimX": 1024,
    "MaxBlockDimY": 1024,
    "MaxBlockDimZ": 64,
    "MaxGridDimX": 2**31 - 1,
    "MaxGridDimY": 65535,
    "MaxGridDimZ": 65535,
    "MaxSharedMemoryPerBlock": 49152,
    "TotalConstantMemory": 65536,
    "WarpSize": 32,
    "MaxRegistersPerBlock": 65536,
    "ComputeCapabilityMajor": COMPUTE_CAPABILITY[0],
    "ComputeCapabilityMinor": COMPUTE_CAPABILITY[1],
}


class CUDARuntimeError(RuntimeError):
    """An error that CUDA's runtime would return; `status` is its number."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(": ".join(ERRORS.get(status, (f"cudaError{status}", "unknown error"))))

    def __reduce__(self) -> Any:
        return type(self), (self.status,)


CUDARuntimeError.__module__ = "cupy_backends.cuda.api.runtime"  # as CuPy prints it


def check_device(device_id: int) -> int:
    """Return `device_id`; raise CUDARuntimeError (cudaErrorInvalidDevice) unless it is 0, the only one."""
    if device_id != 0:
        raise CUDARuntimeError(101)
    return device_id


def capacity() -> int:
    """Return the bytes of the simulated device's memory: this machine's own."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return 8 << 30


def getDeviceCount() -> int:
    """Return the number of devices: one."""
    return 1


def getDevice() -> int:
    """Return the number of the current device: 0."""
    return 0


def setDevice(device: int) -> None:
    """Make `device` the current one; raise CUDARuntimeError unless it is 0."""
    check_device(device)


def deviceSynchronize() -> None:
    """Wait until the device has finished, which it has."""


def getDeviceProperties(device: int) -> dict[str, Any]:
    """Return the properties of `device` as CuPy's dictionary; the name is bytes, sizes are bytes."""
    check_device(device)
    return {
        "name": b"gpucourse simulator",
        "totalGlobalMem": capacity(),
        "sharedMemPerBlock": ATTRIBUTES["MaxSharedMemoryPerBlock"],
        "regsPerBlock": ATTRIBUTES["MaxRegistersPerBlock"],
        "warpSize": ATTRIBUTES["WarpSize"],
        "maxThreadsPerBlock": ATTRIBUTES["MaxThreadsPerBlock"],
        "maxThreadsDim": (1024, 1024, 64),
        "maxGridSize": (2**31 - 1, 65535, 65535),
        "totalConstMem": ATTRIBUTES["TotalConstantMemory"],
        "major": COMPUTE_CAPABILITY[0],
        "minor": COMPUTE_CAPABILITY[1],
        "multiProcessorCount": os.cpu_count() or 1,
    }


def memGetInfo() -> tuple[int, int]:
    """Return (free, total) bytes of the device's memory."""
    from .memory import default_pool

    return capacity() - default_pool.total_bytes(), capacity()


def runtimeGetVersion() -> int:
    """Raise CUDARuntimeError: there is no CUDA runtime here."""
    raise CUDARuntimeError(1)
