"""Describes the machine that is measured: its device, memory, driver and the versions of the libraries.

Nothing here names a person, a host or a path: the file is meant to be published.
"""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

import gpucourse
from gpucourse import backend
from gpucourse.benchmarks.case import MEGA, Machine
from gpucourse.errors import CourseError, MissingPackage

# name in the file -> the packages that may bring it
LIBRARIES = {
    "numpy": ("numpy",),
    "cupy": ("cupy-cuda13x", "cupy-cuda12x", "cupy"),
    "torch": ("torch",),
}
# cudaDeviceAttr: read one by one, since CUDA 13 dropped the clocks from cudaDeviceProp
ATTRIBUTES = {
    "multiprocessors": (16, 1),
    "clock_hz": (13, 1000),
    "memory_clock_hz": (36, 1000),
    "memory_bus_bits": (37, 1),
    "l2_bytes": (38, 1),
    "warp_size": (10, 1),
}


class NoGpu(CourseError):
    """There is no GPU to measure, and neither the CPU nor the simulator was asked for."""


def machine(cpu: bool) -> Machine:
    """Return the CPU, or what the back end runs on. Raises NoGpu for the simulator that nobody asked for."""
    if cpu:
        return cpu_machine()
    chosen = backend.choose()
    if chosen.name == "cupy":
        return gpu_machine(backend.array_module(), backend.gpu())
    if chosen.obstacle != "asked":
        raise NoGpu(
            f"measure needs an NVIDIA GPU, and {chosen.reason}. "
            "To record this machine's CPU instead: python -m gpucourse measure --cpu"
        )
    return simulator_machine()


def cpu_machine() -> Machine:
    """Return the CPU with NumPy: its name, cores, last-level cache and memory."""
    cores, cache, memory = backend.cores(), _cache_bytes(), backend.memory_bytes()
    facts = {"cores": cores, "cache_bytes": cache, "memory_bytes": memory, "architecture": platform.machine()}
    return Machine("cpu", backend.cpu_name(), np, _nothing, cores, cache, memory, _torch(), facts)


def simulator_machine() -> Machine:
    """Return the simulator, for a rehearsal: its times say nothing about a GPU."""
    cores = backend.cores()
    xp = backend.array_module()
    return Machine("simulator", "simulator", xp, backend.synchronize, cores, MEGA, backend.memory_bytes())


def gpu_machine(xp: Any, gpu: backend.Gpu | None) -> Machine:
    """Return the current GPU, described by the CUDA runtime behind the array module `xp`."""
    runtime = xp.cuda.runtime
    device = runtime.getDevice()
    name = runtime.getDeviceProperties(device)["name"]
    memory = int(runtime.memGetInfo()[1])
    facts: dict[str, Any] = {
        "memory_bytes": memory,
        "host_cpu": backend.cpu_name(),
        "host_cores": backend.cores(),
    }
    facts |= _attributes(runtime, device)
    facts["driver_cuda"] = _dotted(runtime.driverGetVersion())
    facts["runtime_cuda"] = _dotted(runtime.runtimeGetVersion())
    if gpu is not None:
        facts["capability"] = "{}.{}".format(*gpu.capability)
        facts["driver"] = gpu.driver
    name = name.decode() if isinstance(name, bytes) else str(name)
    wait = backend.synchronize
    return Machine(
        "gpu",
        name,
        xp,
        wait,
        backend.cores(),
        facts.get("l2_bytes") or 32 * MEGA,
        memory,
        _torch("cuda"),
        facts,
    )


def _attributes(runtime: Any, device: int) -> dict[str, int]:
    """Return what the runtime tells of the device; a driver may refuse one of the questions."""
    found = {}
    for fact, (number, scale) in ATTRIBUTES.items():
        with suppress(Exception):
            found[fact] = int(runtime.deviceGetAttribute(number, device)) * scale
    return found


def versions() -> dict[str, str]:
    """Return the versions of Python, the course and the libraries that are installed."""
    found = {"python": platform.python_version(), "gpucourse": gpucourse.__version__}
    for library, packages in LIBRARIES.items():
        for package in packages:
            try:
                found[library] = version(package)
                break
            except PackageNotFoundError:
                continue
    return found


def _torch(device: str = "cpu") -> Any:
    """Return PyTorch if it is installed and can use the device, else None."""
    try:
        if device == "cuda" and backend.torch_device().type != "cuda":
            return None
        import torch
    except (ImportError, MissingPackage):
        return None
    return torch


def _nothing() -> None:
    """Wait for the CPU: NumPy is done when it returns."""


def _cache_bytes() -> int:
    """Return the last-level cache, or 32 MiB where the system does not tell."""
    try:
        found = os.sysconf("SC_LEVEL3_CACHE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf, macOS not this name
        found = 0
    return found if found > 0 else 32 * MEGA


def _dotted(number: int) -> str:
    """Return CUDA's 13010 as "13.1"."""
    return f"{number // 1000}.{number % 1000 // 10}"
