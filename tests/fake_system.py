"""Machines of canned answers for the tests of `gpucourse.backend` and `gpucourse.examination`.

`FakeSystem` answers every question that `System` asks, so nothing of the real machine shows through.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from gpucourse.backend import Answer, System

GIB = 1024**3
SITE = "/home/ada/gpucourse/.venv/lib/python3.13/site-packages"
INCLUDE = f"{SITE}/nvidia/cu13/include"
HEADERS = tuple(
    f"{INCLUDE}/{name}" for name in ("vector_types.h", "cuda_fp16.h", "cooperative_groups.h", "crt/mma.h")
)
PAGES = {
    "numpy": "2.3.1",
    "matplotlib": "3.10.3",
    "ipywidgets": "8.1.7",
    "ipykernel": "7.0.0",
    "tqdm": "4.67.1",
    "jupyterlab": "4.5.0",
}
TORCH = {"torch": "2.11.0", "torchvision": "0.26.0"}
WRITTEN = ("gpucourse.exercises.n01_cpu_vs_gpu", "gpucourse.exercises.n02_arrays_on_the_gpu")


def driver_says(
    cuda: tuple[int, int] | None = (13, 0), problem: str = "", gpus: Sequence[Mapping[str, Any]] = ()
) -> str:
    return json.dumps({"problem": problem, "cuda": cuda, "gpus": list(gpus)})


def a_gpu(
    name: str = "NVIDIA L4", capability: tuple[int, int] = (8, 9), gib: int = 24, **more: Any
) -> dict[str, Any]:
    facts = {
        "name": name,
        "capability": list(capability),
        "memory_bytes": gib * GIB,
        "free_bytes": (gib - 1) * GIB,
    }
    return facts | more


def torch_says(**facts: str) -> str:
    whole = {
        "version": "2.11.0+cu130",
        "vision": "0.26.0+cu130",
        "cuda": "13.0",
        "device": "cpu",
        "error": "",
    }
    return json.dumps(whole | facts)


def working_cupy() -> Any:
    """As much of CuPy as the trial touches, on NumPy."""
    return SimpleNamespace(arange=np.arange, int32=np.int32)


def failing_cupy(error: Exception) -> Any:
    def arange(*_: Any, **__: Any) -> Any:
        raise error

    return SimpleNamespace(arange=arange, int32=np.int32)


def nvrtc_module(major: int = 13, minor: int = 0) -> Any:
    return SimpleNamespace(nvrtcVersion=lambda: (0, major, minor))


@dataclass(frozen=True)
class FakeSystem(System):
    """One machine; the fields are what the questions of `System` find."""

    os: str = "linux"
    system_release: str = "Linux 6.8.0 x86_64"
    version_of_python: tuple[int, int, int] = (3, 13, 5)
    interpreter: str = "/home/ada/gpucourse/.venv/bin/python"
    here: str = "/home/ada/gpucourse"
    venv: bool = True
    managed: bool = False
    notebook: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    paths: Sequence[str] = HEADERS
    modules: Mapping[str, Any] = field(default_factory=lambda: {"cuda.bindings.nvrtc": nvrtc_module()})
    packages: Mapping[str, str] = field(default_factory=lambda: PAGES | TORCH)
    written: Sequence[str] = WRITTEN
    vendors: Sequence[str] = ("0x8086",)
    allowed: int | None = 2
    count: int = 2
    memory: int = 16 * GIB
    libraries: Sequence[str] = ()
    driver_answer: Answer = field(default_factory=lambda: Answer(0, driver_says()))
    torch_answer: Answer = field(default_factory=lambda: Answer(0, torch_says()))
    commands: Mapping[str, str] = field(default_factory=dict)

    def but(self, **changes: Any) -> FakeSystem:
        return replace(self, **changes)

    def platform(self) -> str:
        return self.os

    def release(self) -> str:
        return self.system_release

    def python(self) -> tuple[int, int, int]:
        return self.version_of_python

    def executable(self) -> str:
        return self.interpreter

    def folder(self) -> str:
        return self.here

    def in_venv(self) -> bool:
        return self.venv

    def externally_managed(self) -> bool:
        return self.managed

    def in_notebook(self) -> bool:
        return self.notebook

    def variable(self, name: str) -> str | None:
        return self.variables.get(name)

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def exists(self, path: str) -> bool:
        return path in self.paths or path in self.files

    def folders(self, module: str) -> tuple[str, ...]:
        return (f"{SITE}/{module}",)

    def importable(self, module: str) -> bool:
        return module in self.written or module in self.modules

    def load(self, module: str) -> Any:
        if module not in self.modules:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
        found = self.modules[module]
        if isinstance(found, Exception):
            raise found
        return found

    def version(self, distribution: str) -> str | None:
        return self.packages.get(distribution)

    def pci_vendors(self) -> tuple[str, ...]:
        return tuple(self.vendors)

    def affinity(self) -> int | None:
        return self.allowed

    def cpu_count(self) -> int:
        return self.count

    def physical_memory(self) -> int:
        return self.memory

    def has_library(self, name: str) -> bool:
        return name in self.libraries

    def run(self, command: Sequence[str], seconds: float) -> Answer:
        text = " ".join(command)
        for word, answer in (("print_driver", self.driver_answer), ("print_torch", self.torch_answer)):
            if word in text:
                return answer
        return next(
            (Answer(0, out) for start, out in self.commands.items() if text.startswith(start)), Answer(127)
        )


def with_gpu(
    gpu: Mapping[str, Any] | None = None,
    cuda: tuple[int, int] = (13, 0),
    cupy: str = "cupy-cuda13x",
    **changes: Any,
) -> FakeSystem:
    """A Linux machine with one GPU, its driver and a CuPy that works, and whatever `changes` says."""
    base = FakeSystem(
        libraries=("libcuda.so.1",),
        vendors=("0x8086", "0x10de"),
        packages=PAGES | TORCH | ({cupy: "14.0.1"} if cupy else {}),
        files={
            "/proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX Module  580.95.05  Release Build"
        },
        modules={"cuda.bindings.nvrtc": nvrtc_module(), "cupy": working_cupy()},
        driver_answer=Answer(0, driver_says(cuda, gpus=[gpu or a_gpu()])),
        torch_answer=Answer(0, torch_says(device="cuda")),
    )
    return base.but(**changes)


def without(names: Sequence[str], packages: Mapping[str, str] | None = None) -> dict[str, str]:
    return {name: version for name, version in (packages or PAGES | TORCH).items() if name not in names}


COLAB = {"COLAB_RELEASE_TAG": "release-colab_20261101"}
_PASCAL = a_gpu("NVIDIA GeForce GTX 1080", (6, 1), 8)
_NO_NVRTC = RuntimeError(
    "CuPy failed to load libnvrtc.so.13: OSError: libnvrtc.so.13: cannot open shared object file: "
    "No such file or directory"
)
_NO_HEADERS = RuntimeError('/tmp/x.cu(1): catastrophic error: cannot open source file "vector_types.h"')
NMS = "RuntimeError: operator torchvision::nms does not exist"

# name -> a function that makes the machine
MACHINES: dict[str, Callable[[], FakeSystem]] = {
    "no gpu": FakeSystem,
    "gpu": with_gpu,
    "cuda 12 cupy on a cuda 13 driver": lambda: with_gpu(cupy="cupy-cuda12x"),
    "cuda 13 cupy on a cuda 12 driver": lambda: with_gpu(cuda=(12, 4)),
    "driver older than every wheel": lambda: with_gpu(cuda=(11, 4)),
    "two cupys": lambda: with_gpu(
        packages=PAGES | TORCH | {"cupy-cuda12x": "14.0.1", "cupy-cuda13x": "14.0.1"}
    ),
    "gpu without cupy": lambda: with_gpu(cupy=""),
    "amd cupy": lambda: with_gpu(cupy="cupy-rocm-7-0"),
    "gpu without nvrtc": lambda: with_gpu(modules={"cupy": failing_cupy(_NO_NVRTC)}),
    "gpu without headers": lambda: with_gpu(
        paths=(), modules={"cuda.bindings.nvrtc": nvrtc_module(), "cupy": failing_cupy(_NO_HEADERS)}
    ),
    "no nvrtc": lambda: FakeSystem(modules={}),
    "no headers": lambda: FakeSystem(paths=()),
    "colab cpu": lambda: FakeSystem(variables=COLAB, notebook=True, venv=False),
    "colab gpu": lambda: with_gpu(a_gpu("Tesla T4", (7, 5), 15), variables=COLAB, notebook=True, venv=False),
    "binder": lambda: FakeSystem(
        variables={"BINDER_SERVICE_HOST": "10.0.0.1"},
        notebook=True,
        venv=False,
        allowed=8,
        count=8,
        memory=64 * GIB,
        files={
            "/proc/self/cgroup": "0::/\n",
            "/sys/fs/cgroup/cpu.max": "100000 100000\n",
            "/sys/fs/cgroup/memory.max": f"{2 * GIB}\n",
        },
        torch_answer=Answer(0, torch_says(version="2.11.0+cpu", vision="0.26.0+cpu", cuda="")),
    ),
    "macos": lambda: FakeSystem(
        os="darwin",
        system_release="Darwin 25.0.0 arm64",
        modules={},
        paths=(),
        allowed=None,
        count=10,
        vendors=(),
        commands={"sysctl": "Apple M4\n"},
        torch_answer=Answer(0, torch_says(version="2.11.0", vision="0.26.0", cuda="")),
    ),
    "windows": lambda: FakeSystem(
        os="win32",
        system_release="Windows 11 AMD64",
        allowed=None,
        count=12,
        vendors=(),
        interpreter="C:\\Users\\ada\\gpucourse\\.venv\\Scripts\\python.exe",
        here="C:\\Users\\ada\\gpucourse",
        variables={"PROCESSOR_IDENTIFIER": "Intel64 Family 6 Model 154 Stepping 3, GenuineIntel"},
    ),
    "cpu torch beside a cuda torchvision": lambda: FakeSystem(
        torch_answer=Answer(0, torch_says(version="2.11.0+cpu", vision="", cuda="", error=NMS))
    ),
    "no torch": lambda: FakeSystem(packages=PAGES),
    "torch crashes": lambda: FakeSystem(torch_answer=Answer(-11, "", "Illegal instruction\n")),
    "torch newer than the driver": lambda: with_gpu(
        cuda=(12, 4), cupy="cupy-cuda12x", torch_answer=Answer(0, torch_says(device="cpu"))
    ),
    "cpu torch on a gpu": lambda: with_gpu(
        torch_answer=Answer(0, torch_says(version="2.11.0+cpu", vision="0.26.0+cpu", cuda=""))
    ),
    "no ipywidgets": lambda: FakeSystem(packages=without(["ipywidgets"])),
    "old matplotlib": lambda: FakeSystem(packages=PAGES | TORCH | {"matplotlib": "3.8.0"}),
    "one core": lambda: FakeSystem(allowed=1, count=1, memory=2 * GIB),
    "little memory": lambda: FakeSystem(memory=1 * GIB),
    "wsl": lambda: with_gpu(
        libraries=("/usr/lib/wsl/lib/libcuda.so.1",),
        paths=(*HEADERS, "/usr/lib/wsl/lib/libcuda.so.1", "/usr/lib/wsl/lib/nvidia-smi"),
        files={"/proc/version": "Linux version 6.6.87.2-microsoft-standard-WSL2"},
        commands={"/usr/lib/wsl/lib/nvidia-smi --query": "581.29\n"},
    ),
    "wsl without a driver": lambda: FakeSystem(
        files={"/proc/version": "Linux version 6.6.87.2-microsoft-standard-WSL2"}
    ),
    "gpu full": lambda: with_gpu(a_gpu(free_bytes=0, problem="CUDA_ERROR_OUT_OF_MEMORY")),
    "gpu hidden": lambda: with_gpu(
        variables={"CUDA_VISIBLE_DEVICES": ""},
        driver_answer=Answer(0, driver_says(problem="CUDA_ERROR_NO_DEVICE")),
    ),
    "old gpu": lambda: with_gpu(_PASCAL),
    "old gpu without cupy": lambda: with_gpu(_PASCAL, cupy=""),
    "driver crashes": lambda: with_gpu(driver_answer=Answer(-11)),
    "driver hangs": lambda: with_gpu(driver_answer=Answer(-1)),
    "driver half updated": lambda: with_gpu(
        driver_answer=Answer(0, driver_says(None, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"))
    ),
    "gpu without a driver": lambda: FakeSystem(
        vendors=("0x8086", "0x10de"), files={"/etc/os-release": "ID=ubuntu\n"}
    ),
    "container without the gpu": lambda: FakeSystem(
        vendors=("0x10de",), files={"/proc/driver/nvidia/version": "NVRM version: 580.95.05"}
    ),
    "cupy fails its test": lambda: with_gpu(
        modules={"cuda.bindings.nvrtc": nvrtc_module(), "cupy": failing_cupy(ValueError("odd"))}
    ),
    "python too old": lambda: FakeSystem(version_of_python=(3, 10, 12)),
    "python too new": lambda: FakeSystem(version_of_python=(3, 14, 0)),
    "old numpy": lambda: FakeSystem(packages=PAGES | TORCH | {"numpy": "1.26.4"}),
    "a wrong wish": lambda: FakeSystem(variables={"GPUCOURSE_BACKEND": "gpu"}),
    "an impossible wish": lambda: FakeSystem(variables={"GPUCOURSE_BACKEND": "cupy"}),
    "simulator on purpose": lambda: with_gpu(variables={"GPUCOURSE_BACKEND": "simulator"}),
    "debian python": lambda: FakeSystem(
        interpreter="/usr/bin/python3", venv=False, managed=True, packages=without(["ipywidgets"])
    ),
}
