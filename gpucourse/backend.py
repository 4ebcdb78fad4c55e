"""Asks once what this machine has: GPU, driver, CuPy, NVRTC, PyTorch's device, cores, memory.

No other module of the course asks such a question. Each probe takes a `System`, which answers for the
real machine; tests hand over one with canned answers. Whatever might crash or hang (the CUDA driver,
an import of PyTorch) runs in a child process with a time limit.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import platform
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from gpucourse.errors import CourseError, MissingPackage
from gpucourse.show import here

VARIABLE = "GPUCOURSE_BACKEND"

# The oldest driver of each CUDA generation on Linux, and that a wheel needs a driver of its own
# generation or newer: https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
# ("CUDA 13.x: >= 580, CUDA 12.x: >= 525, newer drivers supported through backward compatibility").
OLDEST_DRIVER = {13: "580", 12: "525"}

# CUDA 13 ended support for Maxwell, Pascal and Volta (7.0), CUDA 12 starts at Maxwell (5.0):
# "Deprecated Architectures" in
# https://docs.nvidia.com/cuda/archive/13.0.1/pdf/CUDA_Toolkit_Release_Notes.pdf
OLDEST_CAPABILITY = {13: (7, 5), 12: (5, 0)}

# The names under which CuPy is published (its own `_environment.py` keeps a longer list), with the CUDA
# generation that each is built for; None: built on this machine or by conda, so only a trial can tell.
CUPY_WHEELS: dict[str, int | None] = {
    "cupy-cuda13x": 13,
    "cupy-cuda12x": 12,
    "cupy-cuda11x": 11,
    "cupy": None,
    "cupy-rocm-5-0": 0,
    "cupy-rocm-7-0": 0,
    "cupy-rocm-7-1": 0,
}

NVIDIA_SMI = "nvidia-smi"
DRIVER_FILE = "/proc/driver/nvidia/version"  # there while the kernel module is loaded, in containers too
DRIVER_SECONDS = 30.0
TORCH_SECONDS = 120.0  # a cold import of PyTorch from a slow disk takes tens of seconds


# What the probes answer ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU as its driver describes it; `capability` and `cuda` are (major, minor), sizes are bytes.

    `cuda` is the newest CUDA that the driver runs, `driver` its release ("580.95.05", or "" if unknown),
    `free_bytes` the memory free right now (-1 if not asked), `problem` the CUDA error met in using the GPU.
    """

    name: str
    capability: tuple[int, int]
    memory_bytes: int
    free_bytes: int
    cuda: tuple[int, int]
    driver: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Driver:
    """What the CUDA driver said: its newest CUDA, its GPUs, or in `problem` why there is no answer.

    `problem` is "" (all well), "absent", "hangs", "crashes", or the name of a CUDA error.
    """

    problem: str = ""
    cuda: tuple[int, int] | None = None
    gpus: tuple[Gpu, ...] = ()


@dataclass(frozen=True)
class Backend:
    """Where arrays and kernels run: `name` is "cupy" or "simulator", `device` what it runs on, `reason` why.

    `obstacle` is a short code for what kept CuPy from being chosen ("" when nothing did); `doctor` maps it
    to the next step.
    """

    name: str
    reason: str
    device: str
    obstacle: str = ""


@dataclass(frozen=True)
class Nvrtc:
    """NVIDIA's runtime compiler: its (major, minor) version and the module that reaches it."""

    version: tuple[int, int]
    module: str


@dataclass(frozen=True)
class Torch:
    """PyTorch as a child process found it: `device` is "cuda" or "cpu", `cuda` the CUDA it was built for.

    `cuda` is "" for a CPU build. `error` says in one line why PyTorch or torchvision cannot be imported.
    """

    version: str
    vision: str = ""
    cuda: str = ""
    device: str = "cpu"
    error: str = ""


@dataclass(frozen=True)
class Answer:
    """What a command printed, with its exit status; 127 means not found, -1 that it ran out of time."""

    status: int
    out: str = ""
    err: str = ""


# The machine --------------------------------------------------------------------------------------


class System:
    """Everything the course asks of a machine, one small method a question; this class asks the real one."""

    def platform(self) -> str:
        return sys.platform

    def release(self) -> str:
        return f"{platform.system()} {platform.release()} {platform.machine()}"

    def python(self) -> tuple[int, int, int]:
        return (sys.version_info.major, sys.version_info.minor, sys.version_info.micro)

    def executable(self) -> str:
        return sys.executable or "python"

    def folder(self) -> str:
        return os.getcwd()

    def in_venv(self) -> bool:
        return sys.prefix != sys.base_prefix

    def externally_managed(self) -> bool:
        """Whether pip refuses to install outside a virtual environment (PEP 668)."""
        return (Path(os.__file__).parent / "EXTERNALLY-MANAGED").exists()

    def in_notebook(self) -> bool:
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython else None
        return hasattr(shell, "kernel")

    def variable(self, name: str) -> str | None:
        return os.environ.get(name)

    def read(self, path: str) -> str | None:
        """Return a small text file's content, or None when there is none that may be read."""
        try:
            return Path(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def folders(self, module: str) -> tuple[str, ...]:
        """Return the folders of a top-level package without importing it."""
        spec = find_spec(module)
        return tuple(spec.submodule_search_locations or ()) if spec else ()

    def importable(self, module: str) -> bool:
        try:
            return find_spec(module) is not None
        except (ImportError, ValueError):
            return False

    def load(self, module: str) -> Any:
        return import_module(module)

    def version(self, distribution: str) -> str | None:
        """Return the version of an installed distribution without importing it, or None."""
        from importlib import metadata

        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            return None

    def pci_vendors(self) -> tuple[str, ...]:
        """Return the vendor id of each PCI device, where Linux lists them; NVIDIA's is "0x10de"."""
        return tuple(path.read_text().strip() for path in Path("/sys/bus/pci/devices").glob("*/vendor"))

    def affinity(self) -> int | None:
        """Return how many logical cores this process may use, or None where the platform has no such set."""
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None

    def cpu_count(self) -> int:
        return os.cpu_count() or 1

    def physical_memory(self) -> int:
        if sys.platform == "win32":
            return _windows_memory()
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

    def has_library(self, name: str) -> bool:
        try:
            ctypes.CDLL(name)
        except OSError:
            return False
        return True

    def run(self, command: Sequence[str], seconds: float) -> Answer:
        """Run a command without input for at most `seconds`; never raises for a command that fails."""
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds,
                                  stdin=subprocess.DEVNULL)  # fmt: skip
        except subprocess.TimeoutExpired:
            return Answer(-1, "", f"no answer within {seconds:g} s")
        except OSError as error:
            return Answer(127, "", str(error))
        return Answer(done.returncode, done.stdout, done.stderr)


THIS_MACHINE = System()


def _windows_memory() -> int:
    class Status(ctypes.Structure):  # MEMORYSTATUSEX of the Windows API
        _fields_ = (("length", ctypes.c_uint32), ("load", ctypes.c_uint32), ("total", ctypes.c_uint64),
                    ("the_rest", ctypes.c_uint64 * 6))  # fmt: skip

    status = Status(length=ctypes.sizeof(Status))
    ctypes.cdll.LoadLibrary("kernel32").GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status.total)


# Children: the functions below run in a process of their own ---------------------------------------


def _in_child(function: str, system: System, seconds: float) -> Answer:
    """Run `gpucourse.backend.<function>()` in a new Python; it prints JSON as its last line."""
    package = str(Path(__file__).resolve().parent.parent)
    code = f"import sys; sys.path.insert(0, {package!r}); import gpucourse.backend as b; b.{function}()"
    return system.run([system.executable(), "-c", code], seconds)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _sentence(error: BaseException) -> str:
    """Return an exception in one line: its class and the first line of its text that holds a word.

    CuPy's import error is a page in a frame of "====", whose cause follows the words "Original error:".
    """
    _, framed, text = str(error).rpartition("Original error:")
    first = next((line.strip() for line in text.splitlines() if re.search(r"\w", line)), "")
    return first if framed else f"{type(error).__name__}: {first}".removesuffix(": ")


class _Cuda:
    """The few calls of the CUDA driver API that the course needs; an error raises its CUDA name."""

    def __init__(self) -> None:
        self.library = ctypes.CDLL(_driver_library(sys.platform, THIS_MACHINE))

    def call(self, name: str, *arguments: Any) -> None:
        code = getattr(self.library, name)(*arguments)
        if code:
            text = ctypes.c_char_p()
            self.library.cuGetErrorName(code, ctypes.byref(text))
            raise CourseError(text.value.decode() if text.value else f"{name} returned {code}")

    def number(self, name: str, *arguments: Any, kind: Any = ctypes.c_int) -> int:
        value = kind()
        self.call(name, ctypes.byref(value), *arguments)
        return int(value.value)

    def describe(self, index: int) -> dict[str, Any]:
        device = self.number("cuDeviceGet", index)
        name = ctypes.create_string_buffer(256)
        self.call("cuDeviceGetName", name, len(name), device)
        # 75 and 76 are CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR in cuda.h
        return {
            "name": name.value.decode(errors="replace"),
            "capability": [self.number("cuDeviceGetAttribute", attribute, device) for attribute in (75, 76)],
            "memory_bytes": self.number("cuDeviceTotalMem_v2", device, kind=ctypes.c_size_t),
        } | (self.free_memory(device) if index == 0 else {"free_bytes": -1})

    def free_memory(self, device: int) -> dict[str, Any]:
        """Make a context, as any real use does, and ask for the free bytes; a full GPU fails here."""
        context, free, total = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_size_t()
        try:
            self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
            self.call("cuCtxSetCurrent", context)
            self.call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        except CourseError as error:
            return {"free_bytes": 0, "problem": str(error)}
        return {"free_bytes": free.value}


def print_driver() -> None:
    """Ask the CUDA driver in this process and print its answer as JSON; called in a child only."""
    found: dict[str, Any] = {"problem": "", "cuda": None, "gpus": []}
    try:
        cuda = _Cuda()
        version = cuda.number("cuDriverGetVersion")  # 12040 for CUDA 12.4
        found["cuda"] = [version // 1000, version % 1000 // 10]
        cuda.call("cuInit", 0)
        found["gpus"] = [cuda.describe(index) for index in range(cuda.number("cuDeviceGetCount"))]
    except (CourseError, OSError, AttributeError) as error:  # AttributeError: a stub that lacks a function
        found["problem"] = str(error)
    print(json.dumps(found))


def print_torch() -> None:
    """Import PyTorch and torchvision in this process and print what they are as JSON; for a child only."""
    found = {"version": "", "vision": "", "cuda": "", "device": "cpu", "error": ""}
    try:
        torch = import_module("torch")
        found |= {"version": str(torch.__version__), "cuda": torch.version.cuda or ""}
        found["device"] = _torch_trial(torch)
        if find_spec("torchvision"):
            found["vision"] = str(import_module("torchvision").__version__)
    except Exception as error:
        found["error"] = _sentence(error)
    print(json.dumps(found))


# Probes -------------------------------------------------------------------------------------------


def _driver_library(platform_name: str, system: System) -> str:
    """Return the name of the CUDA driver's library; WSL keeps it in a folder off the usual search path."""
    wsl = "/usr/lib/wsl/lib/libcuda.so.1"
    if platform_name == "win32":
        return "nvcuda.dll"
    return wsl if system.exists(wsl) else "libcuda.so.1"


def driver(system: System = THIS_MACHINE) -> Driver:
    """Ask the CUDA driver for its version and its GPUs; a driver that crashes or hangs is an answer too."""
    if system.platform() == "darwin" or not system.has_library(_driver_library(system.platform(), system)):
        return Driver("absent")
    answer = _in_child("print_driver", system, DRIVER_SECONDS)
    try:
        found = json.loads(_last_line(answer.out))
    except ValueError:
        return Driver("hangs" if answer.status == -1 else "crashes")
    cuda = (int(found["cuda"][0]), int(found["cuda"][1])) if found["cuda"] else None
    release = driver_release(system) if found["gpus"] else ""
    gpus = tuple(_gpu(facts, cuda or (0, 0), release) for facts in found["gpus"])
    return Driver(found["problem"], cuda, gpus)


def _gpu(facts: dict[str, Any], cuda: tuple[int, int], release: str) -> Gpu:
    major, minor = facts["capability"]
    return Gpu(**(facts | {"capability": (major, minor), "cuda": cuda, "driver": release}))


def driver_release(system: System = THIS_MACHINE) -> str:
    """Return the installed driver's release, such as "580.95.05", or "" when nothing tells it."""
    text = system.read(DRIVER_FILE)
    if text is None:
        wsl = f"/usr/lib/wsl/lib/{NVIDIA_SMI}"
        tool = wsl if system.exists(wsl) else NVIDIA_SMI
        text = system.run([tool, "--query-gpu=driver_version", "--format=csv,noheader"], 20).out
    found = re.search(r"\b\d{3}\.\d+(\.\d+)?\b", text)
    return found.group() if found else ""


def gpu(system: System | None = None) -> Gpu | None:
    """Return the first GPU that the driver shows, whether or not CuPy can use it, or None.

    >>> gpu() is None or gpu().memory_bytes > 0
    True
    """
    gpus = _asked().gpus if system is None else driver(system).gpus
    return gpus[0] if gpus else None


def cupy_wheels(system: System = THIS_MACHINE) -> dict[str, str]:
    """Return the installed distributions that bring `import cupy`, with their versions."""
    found = {name: system.version(name) for name in CUPY_WHEELS}
    return {name: version for name, version in found.items() if version is not None}


_NVRTC_ROADS = (("cuda.bindings.nvrtc", "nvrtcVersion"), ("cupy_backends.cuda.libs.nvrtc", "getVersion"))


def nvrtc(system: System = THIS_MACHINE) -> Nvrtc | None:
    """Find NVIDIA's runtime compiler, which needs neither GPU nor driver; None when nothing loads it.

    CuPy's public wrapper (`cupy.cuda.nvrtc`) asks for a device first; the two modules tried here do not.
    """
    for module, function in _NVRTC_ROADS:
        try:
            major, minor = list(getattr(system.load(module), function)())[-2:]  # a status may stand in front
            return Nvrtc((int(major), int(minor)), module)
        except Exception:
            continue  # not installed, or installed without the library
    return None


# CUDA 12.2 and later compile nothing without the first: https://github.com/cupy/cupy/pull/8593
HEADERS = ("vector_types.h", "cuda_fp16.h", "cooperative_groups.h", "crt/mma.h")
_INCLUDES = ("cu13/include", "cu12/include", "cuda_runtime/include", "cuda_cccl/include", "cuda_nvcc/include")


def header_folders(system: System = THIS_MACHINE) -> tuple[str, ...]:
    """Return the folders that hold CUDA headers: those of NVIDIA's wheels, CUDA_PATH, a system toolkit."""
    wheels = [f"{root}/{part}" for root in system.folders("nvidia") for part in _INCLUDES]
    roots = [system.variable("CUDA_PATH"), system.variable("CUDA_HOME"), "/usr/local/cuda"]
    folders = wheels + [f"{root}/include" for root in roots if root] + ["/usr/include"]
    found = (folder for folder in folders if any(system.exists(f"{folder}/{h}") for h in HEADERS))
    return tuple(dict.fromkeys(found))


def missing_headers(system: System = THIS_MACHINE) -> tuple[str, ...]:
    """Return those of the CUDA headers the course's kernels include that no folder holds."""
    folders = header_folders(system)
    return tuple(h for h in HEADERS if not any(system.exists(f"{folder}/{h}") for folder in folders))


def torch_facts(system: System = THIS_MACHINE) -> Torch | None:
    """Import PyTorch and torchvision in a child process; None when PyTorch is not installed."""
    version = system.version("torch")
    if version is None:
        return None
    answer = _in_child("print_torch", system, TORCH_SECONDS)
    try:
        return Torch(**json.loads(_last_line(answer.out)))
    except (ValueError, TypeError):
        return Torch(version, error=_last_line(answer.err) or f"the import ended with status {answer.status}")


# The choice ---------------------------------------------------------------------------------------


class _Obstacle(Exception):
    """Why CuPy is not used here: a code for `doctor` and a reason for the learner."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@cache
def _asked() -> Driver:
    return driver(THIS_MACHINE)


@cache
def _chosen() -> Backend:
    return _choose(THIS_MACHINE, _asked)


def choose(system: System | None = None, found: Driver | None = None) -> Backend:
    """Decide once per process where arrays and kernels run: on the GPU through CuPy, or on the simulator.

    CuPy is chosen if a GPU, its driver and CuPy fit and a tiny kernel runs. GPUCOURSE_BACKEND forces it:
    "simulator" always works, "cupy" raises MissingPackage where it is impossible, any other value raises
    CourseError. `found` is the driver's answer where it is already known.

    >>> choose().name in ("cupy", "simulator")
    True
    """
    if system is None:
        return _chosen()
    return _choose(system, lambda: driver(system) if found is None else found)


def _choose(system: System, ask: Callable[[], Driver]) -> Backend:
    wish = _requested(system)
    if wish == "simulator":
        return _simulator(system, "asked", f"{VARIABLE}=simulator asks for it")
    try:
        return _cupy(system, ask())
    except _Obstacle as found:
        obstacle = found
    except Exception as error:  # a lesson's first cell must not end here, whatever the machine is like
        obstacle = _Obstacle("probe", f"looking for a GPU failed: {_sentence(error)}")
    if wish == "cupy":
        reason = f"{VARIABLE}=cupy, but CuPy cannot run here: {obstacle}"
        raise MissingPackage(f"{reason}. For the next step run: python -m gpucourse doctor")
    return _simulator(system, obstacle.code, str(obstacle))


def _requested(system: System) -> str:
    wish = (system.variable(VARIABLE) or "").strip().lower()
    if wish not in ("", "simulator", "cupy"):
        raise CourseError(f"{VARIABLE} is {wish!r}; it may be 'simulator', 'cupy', or not set")
    return wish


def _simulator(system: System, code: str, reason: str) -> Backend:
    count = cores(system)
    return Backend("simulator", reason, f"{count} CPU core{'s' if count > 1 else ''}", code)


def _cupy(system: System, found: Driver) -> Backend:
    """Return the CuPy back end, or raise the first obstacle in the order in which a user must remove them."""
    device = _usable_gpu(system, found)
    name, version = _only_cupy(system)
    _fits(name, device)
    _trial(system, device)
    reason = f"{name} {version} ran a test; the driver runs CUDA up to {dotted(device.cuda)}"
    return Backend("cupy", reason, device.name)


# CUDA error -> (code for doctor, reason)
_DRIVER_PROBLEMS = {
    "hangs": ("driver-broken", f"the NVIDIA driver did not answer within {DRIVER_SECONDS:g} s"),
    "crashes": ("driver-broken", "the NVIDIA driver crashed when it was asked for GPUs"),
    "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH": ("driver-mismatch", "the NVIDIA driver was updated, not restarted"),
    "CUDA_ERROR_STUB_LIBRARY": ("no-driver", "only a stub of the NVIDIA driver was found"),
    "CUDA_ERROR_NO_DEVICE": ("no-device", "the NVIDIA driver found no GPU"),
    "": ("no-device", "the NVIDIA driver found no GPU"),
}


def _usable_gpu(system: System, found: Driver) -> Gpu:
    if found.gpus:
        return _with_memory(found.gpus[0])
    if found.problem == "absent":
        raise _no_driver(system)
    hidden = system.variable("CUDA_VISIBLE_DEVICES")
    if hidden is not None and found.problem in ("", "CUDA_ERROR_NO_DEVICE"):
        raise _Obstacle("hidden", f"CUDA_VISIBLE_DEVICES={hidden!r} leaves no GPU visible")
    otherwise = ("driver-broken", f"the NVIDIA driver says {found.problem}")
    raise _Obstacle(*_DRIVER_PROBLEMS.get(found.problem, otherwise))


def _no_driver(system: System) -> _Obstacle:
    if system.platform() == "darwin":
        return _Obstacle("macos", "CUDA does not exist for macOS")
    if place(system) == "colab":
        return _Obstacle("colab-cpu", "this Colab runtime has no GPU")
    return _Obstacle("no-driver", "no NVIDIA driver was found")


def _with_memory(device: Gpu) -> Gpu:
    if device.problem == "CUDA_ERROR_OUT_OF_MEMORY":
        raise _Obstacle("gpu-full", f"all memory of the {device.name} is in use")
    if device.problem:
        raise _Obstacle("gpu-busy", f"the {device.name} cannot be used: {device.problem}")
    return device


def _only_cupy(system: System) -> tuple[str, str]:
    wheels = cupy_wheels(system)
    if not wheels:
        raise _Obstacle("no-cupy", "CuPy is not installed")
    if len(wheels) > 1:  # they overwrite each other's files, and importing the mixture may crash
        names = ", ".join(sorted(wheels))
        raise _Obstacle("many-cupy", f"{len(wheels)} CuPy packages are installed: {names}")
    return next(iter(wheels.items()))


def _fits(name: str, device: Gpu) -> None:
    """Hold the CuPy wheel's CUDA generation against the driver and the GPU."""
    generation = CUPY_WHEELS[name]
    if generation == 0:
        raise _Obstacle("rocm", f"{name} is built for AMD GPUs")
    if generation and generation > device.cuda[0]:
        found = f"this one stops at {dotted(device.cuda)}"
        raise _Obstacle("old-driver", f"{name} needs a driver for CUDA {generation}, {found}")
    oldest = OLDEST_CAPABILITY.get(generation or 0, (0, 0))
    if device.capability < oldest:
        found = f"the {device.name} has {dotted(device.capability)}"
        raise _Obstacle("old-gpu", f"{name} needs compute capability {dotted(oldest)}, {found}")


def dotted(version: tuple[int, int]) -> str:
    """Return (13, 2) as "13.2"."""
    return f"{version[0]}.{version[1]}"


def _trial(system: System, device: Gpu) -> None:
    """Compile and run one tiny kernel with CuPy: that needs the driver, NVRTC and the CUDA headers."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cupy = system.load("cupy")
            total = int((cupy.arange(4, dtype=cupy.int32) + 1).sum())
    except Exception as error:
        raise _trial_obstacle(error, device) from error
    if total != 10:
        raise _Obstacle("trial", f"CuPy computed 1 + 2 + 3 + 4 = {total}")


# A sign in the error's text or class -> (code for doctor, reason)
_TRIAL_SIGNS = (
    (r"(failed to load|failure finding|could not find module).*nvrtc|nvrtc.*cannot open shared", "no-nvrtc",
     "CuPy finds no NVRTC, the compiler for kernels"),
    (r"cannot open source file|failed to find cuda headers|cuda_fp16\.h|vector_types\.h", "no-headers",
     "CuPy finds no CUDA headers"),
    (r"out ?of ?memory|memoryallocation", "gpu-full", "all memory of the {name} is in use"),
    (r"insufficientdriver|requiresnewerdriver", "old-driver", "CuPy needs a newer NVIDIA driver"),
    (r"no kernel image|nokernelimage|invalid value for --gpu-architecture", "old-gpu",
     "CuPy has no code for the {name}"),
)  # fmt: skip


def _trial_obstacle(error: Exception, device: Gpu) -> _Obstacle:
    text = f"{type(error).__name__}: {error}"
    for sign, code, reason in _TRIAL_SIGNS:
        if re.search(sign, text, re.IGNORECASE | re.DOTALL):
            return _Obstacle(code, reason.format(name=device.name))
    return _Obstacle("trial", f"CuPy failed its test: {_sentence(error)[:160]}")


# What lessons call --------------------------------------------------------------------------------


def array_module() -> Any:
    """Return the module that lessons call `cp`: `cupy` or `gpucourse.cupy_sim`, as `choose()` decided."""
    return import_module("cupy" if choose().name == "cupy" else "gpucourse.cupy_sim")


def where(system: System | None = None) -> str:
    """Return one line that says where arrays and kernels run and why; machines differ in the ⟨ ⟩ only.

    >>> print(where())  # doctest: +SKIP
    Arrays and kernels: ⟨the simulator on 2 CPU cores (no NVIDIA driver was found)⟩
    """
    chosen = choose(system)
    name = {"cupy": "CuPy", "simulator": "the simulator"}[chosen.name]
    return f"Arrays and kernels: {here(f'{name} on {chosen.device} ({chosen.reason})')}"


def synchronize() -> None:
    """Wait until the GPU has finished all that CuPy or PyTorch asked of it; without a GPU return at once."""
    if choose().name == "cupy":
        import_module("cupy").cuda.Device().synchronize()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def torch_device(system: System | None = None) -> Any:
    """Return the `torch.device` that lessons train on: "cuda" if a small operation works there, else "cpu".

    GPUCOURSE_BACKEND=simulator gives "cpu" too. Apple's "mps" is never chosen: it lacks float64, which some
    checks use. Raises MissingPackage when PyTorch is not installed.
    """
    return _torch_device() if system is None else _find_torch_device(system)


@cache
def _torch_device() -> Any:
    return _find_torch_device(THIS_MACHINE)


def _find_torch_device(system: System) -> Any:
    try:
        torch = system.load("torch")
    except (ImportError, OSError) as error:  # OSError: a library that Windows cannot load
        reason = f"PyTorch cannot be imported ({_sentence(error)})"
        raise MissingPackage(f"{reason}. For the next step run: python -m gpucourse doctor") from error
    return torch.device("cpu" if _requested(system) == "simulator" else _torch_trial(torch))


def torch_gpus() -> int:
    """Return how many GPUs PyTorch can train on here: 0 where `torch_device()` is the CPU."""
    if torch_device().type != "cuda":
        return 0
    return int(import_module("torch").cuda.device_count())


def _torch_trial(torch: Any) -> str:
    """Return "cuda" if PyTorch computes 1 + 1 on the GPU; a driver too old for it warns and answers False."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            works = torch.cuda.is_available() and float(torch.ones(1, device="cuda") + 1) == 2.0
        except RuntimeError:  # no code for this GPU, or its memory is full
            works = False
    return "cuda" if works else "cpu"


_PLACES = {"colab": "COLAB_RELEASE_TAG", "kaggle": "KAGGLE_KERNEL_RUN_TYPE", "binder": "BINDER_SERVICE_HOST"}


def place(system: System = THIS_MACHINE) -> str:
    """Return the kind of place this is: "colab", "kaggle", "binder", "wsl", "macos", "windows" or "linux"."""
    for name, variable in _PLACES.items():
        if system.variable(variable):
            return name
    if "microsoft" in (system.read("/proc/version") or "").lower():
        return "wsl"
    return {"darwin": "macos", "win32": "windows"}.get(system.platform(), "linux")


def cpu_name(system: System = THIS_MACHINE) -> str:
    """Return the processor's name as its maker writes it, or the architecture where nothing tells more."""
    text = {
        "darwin": lambda: system.run(["sysctl", "-n", "machdep.cpu.brand_string"], 5).out,
        "win32": lambda: system.variable("PROCESSOR_IDENTIFIER") or "",
    }.get(system.platform(), lambda: _linux_cpu(system))()
    return " ".join(text.split()) or system.release().split()[-1]


def _linux_cpu(system: System) -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", system.read("/proc/cpuinfo") or "", re.MULTILINE)
    if not found:  # Arm's /proc/cpuinfo holds numbers only
        found = re.search(r"^Model name:\s*(.+)$", system.run(["lscpu"], 5).out, re.MULTILINE)
    return found.group(1) if found else ""


def cores(system: System = THIS_MACHINE) -> int:
    """Return how many logical cores this process may keep busy, at least 1; affinity and cgroup quota count.

    A quota of 1.5 cores counts as 2: two workers use it fully, one does not.
    """
    allowed = system.affinity() or system.cpu_count()
    return max(1, min([allowed, *(math.ceil(quota) for quota in _cpu_quotas(system))]))


def memory_bytes(system: System = THIS_MACHINE) -> int:
    """Return the bytes of main memory this process may use: what is built in, or a lower cgroup limit."""
    # "max" in version 2; version 1 writes a number near 2**63 for "no limit", which min() drops
    texts = (*_cgroup(system, "", "memory.max"), *_cgroup(system, "memory", "memory.limit_in_bytes"))
    return min([system.physical_memory(), *(int(text) for text in texts if text.isdigit())])


def _cpu_quotas(system: System) -> list[float]:
    """Return each limit on this process's CPU time, in cores, of cgroup versions 2 and 1."""
    pairs = [text.split() for text in _cgroup(system, "", "cpu.max")]
    for controller in ("cpu", "cpu,cpuacct"):
        files = (_cgroup(system, controller, f"cpu.cfs_{name}_us") for name in ("quota", "period"))
        pairs += [list(pair) for pair in zip(*files, strict=False)]
    # "max 100000" and "-1 100000" mean no limit
    return [int(quota) / int(period) for quota, period in pairs if quota.isdigit() and int(period)]


def _cgroup(system: System, controller: str, file: str) -> list[str]:
    """Return a cgroup file's text for this process's group and each group above it, innermost first.

    In a container the path that /proc/self/cgroup names may not exist; the root of the mount then counts.
    """
    root = PurePosixPath("/sys/fs/cgroup") / controller
    path = PurePosixPath(_own_cgroup(system, controller).lstrip("/"))
    folders = [root / path, *(root / parent for parent in path.parents)]
    texts = [system.read(str(folder / file)) for folder in dict.fromkeys(folders)]
    return [text.strip() for text in texts if text is not None]


def _own_cgroup(system: System, controller: str) -> str:
    """Return the path of this process's group; a line is "4:memory:/a/b", or "0::/a/b" in version 2."""
    for line in (system.read("/proc/self/cgroup") or "").splitlines():
        _, names, path = (line + "::").split(":")[:3]
        if controller == names or (controller and controller in names.split(",")):
            return path
    return "/"
