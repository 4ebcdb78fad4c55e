"""What optional packages ask of a machine besides being there, and on what each of them runs here.

numba and Triton have a simulator or interpreter that must be asked for before their first import; OpenCL wants a
driver; `torch.compile` wants a C++ compiler and Python's headers. `gpucourse.needs` reads the table `NEEDS`.
"""

from __future__ import annotations

import inspect
import shutil
import sys
import sysconfig
import textwrap
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gpucourse import backend
from gpucourse.backend import System
from gpucourse.errors import MissingPackage

TRIAL_SECONDS = 90.0   # cold imports of PyTorch and a first compilation

# A child process prints "works" if the package can use the GPU. Triton's own kernels cannot come from a command line
# (it reads their source), but asking for its target builds the launcher, which is what fails without a C compiler.
_NUMBA_TRIAL = """
from numba import cuda
@cuda.jit
def one(x): x[0] = 1
x = cuda.device_array(1)
one[1, 1](x)
print("works" if x.copy_to_host()[0] == 1 else "")
"""
_TRITON_TRIAL = "import triton; print('works' if triton.runtime.driver.active.get_current_target() else '')"


def _nothing(system: System) -> str:
    return ""


def _no_settings(system: System) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Need:
    """What an import asks for: how to get it; and, as functions of the machine, settings and a problem.

    `module` is what is imported where the name is none itself. `settings` are environment variables that must stand
    before the first import. `problem`, asked after it, says in a few words what is lacking, or "".
    """

    get: str
    module: str = ""
    settings: Callable[[System], Mapping[str, str]] = _no_settings
    problem: Callable[[System], str] = _nothing


# -- numba -------------------------------------------------------------------------------------------------


def _numba_settings(system: System) -> Mapping[str, str]:
    real = backend.choose().name == "cupy" and _works(system, _NUMBA_TRIAL)
    return {} if real else {"NUMBA_ENABLE_CUDASIM": "1"}


def _numba_problem(system: System) -> str:
    config = system.load("numba").config
    if config.ENABLE_CUDASIM or system.load("numba.cuda").is_available():
        return ""
    return "numba was imported before its simulator was asked for: restart the kernel and run the first cell"


# -- Triton ------------------------------------------------------------------------------------------------


def _triton_settings(system: System) -> Mapping[str, str]:
    return {} if _triton_compiles(system) else {"TRITON_INTERPRET": "1"}


def _triton_compiles(system: System) -> bool:
    return backend.torch_device().type == "cuda" and _works(system, _TRITON_TRIAL)


# -- OpenCL ------------------------------------------------------------------------------------------------


_OPENCL_TRIAL = "__kernel void one(__global float* x) { x[0] = 1; }"


def opencl_device() -> Any:
    """Return the OpenCL device to take: a GPU, else a CPU, else a simulator; MissingPackage if none can compile."""
    import pyopencl as cl

    devices = [device for platform in cl.get_platforms() for device in platform.get_devices()]
    devices.sort(key=lambda device: (_simulated(device), not device.type & cl.device_type.GPU))
    found = [(device, _opencl_fault(cl, device)) for device in devices]
    good = next((device for device, fault in found if not fault), None)
    if good is None:
        faults = "; ".join(f"{_driver(device)}: {fault}" for device, fault in found)
        raise MissingPackage(f"no OpenCL device can compile a kernel ({faults})")
    return good


def _simulated(device: Any) -> bool:
    return "Oclgrind" in device.platform.name


@cache
def _opencl_fault(cl: Any, device: Any) -> str:
    """What the driver says if it cannot compile for the device: an old PoCL does not know a new processor."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            cl.Program(cl.Context([device]), _OPENCL_TRIAL).build(cache_dir=False)
        except cl.Error as error:
            lines = [line for line in str(error).splitlines() if line.startswith("error")]
            return lines[0] if lines else type(error).__name__
    return ""


def _opencl_problem(system: System) -> str:
    try:
        opencl_device()
    except Exception as error:   # no platform, no device that works
        return str(error).partition("\n")[0]
    return ""


# -- torch.compile -----------------------------------------------------------------------------------------


def _compile_settings(system: System) -> Mapping[str, str]:
    config: Any = sys.modules.get("torch._inductor.config")    # an optimizer imports it; then variables come too late
    if config:
        config.compile_threads, config.cpp_cache_precompile_headers = 1, False
    return {
        "TORCHINDUCTOR_COMPILE_THREADS": "1",                  # more would be processes that outlive the lesson
        "TORCHINDUCTOR_CPP_CACHE_PRECOMPILE_HEADERS": "0",     # pays from the fourth kernel on; there are two
    }


def _compile_problem(system: System) -> str:
    if backend.torch_device().type == "cuda":
        return "" if _triton_compiles(system) else "Triton, which torch.compile uses, cannot compile for this GPU"
    compiler = _compiler(system)
    if shutil.which(compiler) is None:
        return f"torch.compile finds no C++ compiler ({compiler})"
    headers = Path(sysconfig.get_path("include"), "Python.h")
    return "" if headers.exists() else f"torch.compile finds no Python headers ({headers})"


def _compiler(system: System) -> str:
    """The C++ compiler that PyTorch looks for."""
    usual = {"darwin": "clang++", "win32": "cl"}.get(system.platform(), "g++")
    return system.variable("CXX") or usual


def _works(system: System, trial: str) -> bool:
    """Whether a small program, run in a process of its own, says that it works."""
    return "works" in system.run([system.executable(), "-c", trial], TRIAL_SECONDS).out


# what a lesson writes behind %%needs -> what it asks for
NEEDS: dict[str, Need] = {
    "numba.cuda": Need("pip install numba", settings=_numba_settings, problem=_numba_problem),
    "triton": Need("pip install triton (Linux)", settings=_triton_settings),
    "triton.language": Need("pip install triton (Linux)", settings=_triton_settings),
    "pyopencl": Need("pip install 'pyopencl[pocl,oclgrind]'", problem=_opencl_problem),
    "torch.compile": Need("a compiler, such as Debian's packages g++ and python3-dev", module="torch",
                          settings=_compile_settings, problem=_compile_problem),
}  # fmt: skip


# -- for tables --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where a road's code runs: in words, and whether that is hardware, so that a time of it means something."""

    words: str
    hardware: bool = True


def place(name: str, system: System = backend.THIS_MACHINE) -> Place:
    """Say where a road that is imported runs: CUDA C, numba, OpenCL, Triton, torch.compile, PyTorch, step by step.

    >>> place("CUDA C").words       # doctest: +SKIP
    "the course's simulator"
    """
    return _PLACES[name](system)


def _gpu_or(instead: str, hardware: bool, on_gpu: bool) -> Place:
    found = backend.gpu()
    return Place(found.name) if on_gpu and found else Place(instead, hardware)


def _numba_place(system: System) -> Place:
    return _gpu_or("numba's simulator", False, not system.load("numba").config.ENABLE_CUDASIM)


def _triton_place(system: System) -> Place:
    return _gpu_or("Triton's interpreter", False, system.variable("TRITON_INTERPRET") != "1")


def _opencl_place(system: System) -> Place:
    device, kind = opencl_device(), system.load("pyopencl").device_type
    if _simulated(device):
        return Place("the simulator Oclgrind", hardware=False)
    return Place(device.name.strip() if device.type & kind.GPU else f"the CPU, by {_driver(device)}")


def _driver(device: Any) -> str:
    """The driver's name in short."""
    name = str(device.platform.name).strip()
    return {"Portable Computing Language": "PoCL", "Intel(R) OpenCL": "Intel's driver"}.get(name, name)


_PLACES: dict[str, Callable[[System], Place]] = {
    "CUDA C": lambda system: _gpu_or("the course's simulator", False, backend.choose().name == "cupy"),
    "numba": _numba_place,
    "OpenCL": _opencl_place,
    "Triton": _triton_place,
    "torch.compile": lambda system: _gpu_or("the CPU, in C++", True, backend.torch_device().type == "cuda"),
    "PyTorch": lambda system: _gpu_or("the CPU", True, backend.torch_device().type == "cuda"),
    "step by step": lambda system: place("PyTorch", system),
}


def count_lines(*parts: Any) -> int:
    """Count the lines that hold code in sources (text) and in functions and kernels, whose source is looked up."""
    lines = [line.strip() for part in parts for line in _source(part).splitlines()]
    return sum(bool(line) and not line.startswith(("#", "//")) for line in lines)


def _source(part: Any) -> str:
    if isinstance(part, str):
        return part
    if hasattr(part, "code") and isinstance(part.code, str):     # a RawKernel
        return str(part.code)
    function = next((getattr(part, name) for name in ("fn", "py_func", "_torchdynamo_orig_callable")
                     if hasattr(part, name)), part)  # fmt: skip
    return textwrap.dedent(inspect.getsource(function))
