"""Tests of `gpucourse.backend`: whole environments faked, and the real one held against psutil."""

from __future__ import annotations

import ctypes
import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from fake_system import (
    COLAB,
    GIB,
    HEADERS,
    INCLUDE,
    MACHINES,
    PAGES,
    FakeSystem,
    a_gpu,
    driver_says,
    with_gpu,
)

import gpucourse
from gpucourse import backend
from gpucourse.backend import Answer, System
from gpucourse.errors import CourseError, MissingPackage

PACKAGE = Path(gpucourse.__file__).parent
QUESTIONS = sorted(name for name in vars(System) if not name.startswith("_"))
RAISES = ("a wrong wish", "an impossible wish")

# machine -> (back end, obstacle, a part of the reason)
CHOICES = {
    "no gpu": ("simulator", "no-driver", "no NVIDIA driver was found"),
    "gpu": ("cupy", "", "cupy-cuda13x 14.0.1 ran a test; the driver runs CUDA up to 13.0"),
    "cuda 12 cupy on a cuda 13 driver": ("cupy", "", "cupy-cuda12x 14.0.1"),
    "cuda 13 cupy on a cuda 12 driver": (
        "simulator",
        "old-driver",
        "needs a driver for CUDA 13, this one stops at 12.4",
    ),
    "driver older than every wheel": ("simulator", "old-driver", "stops at 11.4"),
    "two cupys": ("simulator", "many-cupy", "2 CuPy packages are installed: cupy-cuda12x, cupy-cuda13x"),
    "gpu without cupy": ("simulator", "no-cupy", "CuPy is not installed"),
    "amd cupy": ("simulator", "rocm", "AMD"),
    "gpu without nvrtc": ("simulator", "no-nvrtc", "CuPy finds no NVRTC"),
    "gpu without headers": ("simulator", "no-headers", "CuPy finds no CUDA headers"),
    "no nvrtc": ("simulator", "no-driver", "no NVIDIA driver"),
    "colab cpu": ("simulator", "colab-cpu", "this Colab runtime has no GPU"),
    "colab gpu": ("cupy", "", "cupy-cuda13x"),
    "binder": ("simulator", "no-driver", "no NVIDIA driver"),
    "macos": ("simulator", "macos", "CUDA does not exist for macOS"),
    "windows": ("simulator", "no-driver", "no NVIDIA driver"),
    "wsl": ("cupy", "", "cupy-cuda13x"),
    "gpu full": ("simulator", "gpu-full", "all memory of the NVIDIA L4 is in use"),
    "gpu hidden": ("simulator", "hidden", "CUDA_VISIBLE_DEVICES='' leaves no GPU visible"),
    "old gpu": ("simulator", "old-gpu", "needs compute capability 7.5, the NVIDIA GeForce GTX 1080 has 6.1"),
    "driver crashes": ("simulator", "driver-broken", "crashed"),
    "driver hangs": ("simulator", "driver-broken", "did not answer within 30 s"),
    "driver half updated": ("simulator", "driver-mismatch", "was updated, not restarted"),
    "cupy fails its test": ("simulator", "trial", "ValueError: odd"),
    "simulator on purpose": ("simulator", "asked", "GPUCOURSE_BACKEND=simulator asks for it"),
}


def test_the_fake_machine_answers_every_question_itself() -> None:
    assert [name for name in QUESTIONS if name not in vars(FakeSystem)] == []


@pytest.mark.parametrize("name", CHOICES)
def test_choice(name: str) -> None:
    chosen = backend.choose(MACHINES[name]())
    back_end, obstacle, reason = CHOICES[name]
    assert (chosen.name, chosen.obstacle) == (back_end, obstacle)
    assert reason in chosen.reason


@pytest.mark.parametrize("name", [name for name in MACHINES if name not in RAISES])
def test_where_differs_between_the_marks_only(name: str) -> None:
    line = backend.where(MACHINES[name]())
    assert re.sub(r"⟨[^⟨⟩]+⟩", "⟨⟩", line) == "Arrays and kernels: ⟨⟩"


def test_where_says_what_a_learner_must_know() -> None:
    assert backend.where(MACHINES["one core"]()) == (
        "Arrays and kernels: ⟨the simulator on 1 CPU core (no NVIDIA driver was found)⟩"
    )
    assert backend.where(MACHINES["colab gpu"]()).startswith(
        "Arrays and kernels: ⟨CuPy on Tesla T4 (cupy-cuda13x 14.0.1"
    )


def test_an_old_gpu_runs_the_cuda_12_cupy() -> None:
    old = a_gpu("NVIDIA GeForce GTX 1080", (6, 1), 8)
    assert backend.choose(with_gpu(old, cupy="cupy-cuda12x")).name == "cupy"


def test_a_cupy_of_unknown_origin_is_tried() -> None:
    assert backend.choose(with_gpu(cuda=(12, 4), cupy="cupy")).name == "cupy"


def test_a_wrong_sum_is_not_trusted() -> None:
    class Wrong:
        int32 = int

        def arange(self, *_: Any, **__: Any) -> Any:
            return Zero()

    class Zero:
        def __add__(self, _: int) -> Zero:
            return self

        def sum(self) -> int:
            return 0

    chosen = backend.choose(with_gpu(modules={"cupy": Wrong()}))
    assert (chosen.obstacle, chosen.reason) == ("trial", "CuPy computed 1 + 2 + 3 + 4 = 0")


# error that CuPy raises -> obstacle
TRIAL_ERRORS = {
    'Failure finding "libnvrtc.so": No such file: libnvrtc.so*': "no-nvrtc",
    "CuPy failed to load nvrtc64_120_0.dll: FileNotFoundError: Could not find module": "no-nvrtc",
    "Failed to find CUDA headers. Please install CUDA headers": "no-headers",
    "cudaErrorMemoryAllocation: out of memory": "gpu-full",
    "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version": "old-driver",
    "cudaErrorNoKernelImageForDevice: no kernel image is available for execution on the device": "old-gpu",
    "something else": "trial",
}


@pytest.mark.parametrize("text", TRIAL_ERRORS)
def test_errors_of_the_trial_are_told_apart(text: str) -> None:
    chosen = backend.choose(with_gpu(modules={"cupy": RuntimeError(text)}))
    assert (chosen.name, chosen.obstacle) == ("simulator", TRIAL_ERRORS[text])


def test_the_frame_around_cupys_import_error_is_dropped() -> None:
    page = (
        "\n====\nFailed to import CuPy.\n\nOriginal error:\n  ImportError: libcudart.so.13: no file\n====\n"
    )
    reason = backend.choose(with_gpu(modules={"cupy": ImportError(page)})).reason
    assert reason == "CuPy failed its test: ImportError: libcudart.so.13: no file"


class Recorder(FakeSystem):
    """A machine that keeps which modules it was asked to import, in a list that a test sets."""

    loaded: list[str]

    def load(self, module: str) -> Any:
        self.loaded.append(module)
        return super().load(module)


@pytest.mark.parametrize(
    "name", ["no gpu", "macos", "two cupys", "gpu hidden", "cuda 13 cupy on a cuda 12 driver"]
)
def test_cupy_is_imported_only_where_it_may_work(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorder, "loaded", [], raising=False)
    backend.choose(Recorder(**vars(MACHINES[name]())))
    assert Recorder.loaded == []


def test_a_surprise_in_a_probe_ends_on_the_simulator() -> None:
    class Surprise(FakeSystem):
        def version(self, distribution: str) -> str | None:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    chosen = backend.choose(Surprise(**vars(with_gpu())))
    assert (chosen.name, chosen.obstacle) == ("simulator", "probe")
    assert chosen.reason.startswith("looking for a GPU failed: UnicodeDecodeError")


# GPUCOURSE_BACKEND


def test_asking_for_cupy_where_it_works() -> None:
    assert backend.choose(with_gpu(variables={"GPUCOURSE_BACKEND": "CuPy "})).name == "cupy"


def test_asking_for_cupy_in_vain_says_why_and_what_next() -> None:
    with pytest.raises(
        MissingPackage, match=r"cannot run here: no NVIDIA driver was found.*gpucourse doctor"
    ):
        backend.choose(MACHINES["an impossible wish"]())


def test_asking_for_nonsense_names_the_permitted_values() -> None:
    with pytest.raises(
        CourseError, match="GPUCOURSE_BACKEND is 'gpu'; it may be 'simulator', 'cupy', or not set"
    ):
        backend.choose(MACHINES["a wrong wish"]())


def test_asking_for_the_simulator_leaves_the_driver_alone() -> None:
    class Untouched(FakeSystem):
        def run(self, command: Any, seconds: float) -> Answer:
            raise AssertionError(command)

    asked = Untouched(**vars(MACHINES["simulator on purpose"]()))
    assert backend.choose(asked).name == "simulator"


# The driver


def test_gpu_facts() -> None:
    gpu = backend.gpu(with_gpu())
    assert gpu == backend.Gpu("NVIDIA L4", (8, 9), 24 * GIB, 23 * GIB, (13, 0), "580.95.05")
    assert backend.gpu(FakeSystem()) is None


def test_the_release_comes_from_windows_in_wsl() -> None:
    assert backend.gpu(MACHINES["wsl"]()).driver == "581.29"  # type: ignore[union-attr]


def test_no_child_is_started_without_a_driver() -> None:
    class Childless(FakeSystem):
        def run(self, command: Any, seconds: float) -> Answer:
            raise AssertionError(command)

    assert backend.driver(Childless()) == backend.Driver("absent")


def test_what_else_the_child_prints_is_passed_over() -> None:
    noisy = Answer(0, "a warning\n" + driver_says(gpus=[a_gpu()]) + "\n")
    assert backend.driver(with_gpu(driver_answer=noisy)).gpus[0].name == "NVIDIA L4"


class FakeCuda:
    """A CUDA driver library with one GPU, called as ctypes calls it; `fails`: function to returned code."""

    def __init__(self, **fails: int) -> None:
        self.fails = fails

    def __getattr__(self, name: str) -> Any:
        known = getattr(type(self), f"do_{name}", lambda *_: None)
        return lambda *arguments: self.fails.get(name) or known(self, *arguments) or 0

    def do_cuDriverGetVersion(self, version: Any) -> None:
        version._obj.value = 12080

    def do_cuDeviceGetCount(self, count: Any) -> None:
        count._obj.value = 1

    def do_cuDeviceGetName(self, buffer: Any, size: int, device: int) -> None:
        buffer.value = b"NVIDIA H200"

    def do_cuDeviceGetAttribute(self, value: Any, attribute: int, device: int) -> None:
        value._obj.value = {75: 9, 76: 0}[attribute]

    def do_cuDeviceTotalMem_v2(self, size: Any, device: int) -> None:
        size._obj.value = 141 * GIB

    def do_cuMemGetInfo_v2(self, free: Any, total: Any) -> None:
        free._obj.value = 140 * GIB

    def do_cuGetErrorName(self, code: int, text: Any) -> None:
        text._obj.value = {2: b"CUDA_ERROR_OUT_OF_MEMORY", 100: b"CUDA_ERROR_NO_DEVICE"}.get(code)


def ask_fake_cuda(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **fails: int
) -> dict[str, Any]:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: FakeCuda(**fails))
    backend.print_driver()
    return dict(json.loads(capsys.readouterr().out))


def test_the_child_asks_the_driver(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu = {"name": "NVIDIA H200", "capability": [9, 0], "memory_bytes": 141 * GIB, "free_bytes": 140 * GIB}
    assert ask_fake_cuda(monkeypatch, capsys) == {"problem": "", "cuda": [12, 8], "gpus": [gpu]}


def test_the_child_reports_a_driver_without_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ask_fake_cuda(monkeypatch, capsys, cuInit=100)
    assert found == {"problem": "CUDA_ERROR_NO_DEVICE", "cuda": [12, 8], "gpus": []}


def test_the_child_reports_a_full_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu = ask_fake_cuda(monkeypatch, capsys, cuDevicePrimaryCtxRetain=2)["gpus"][0]
    assert (gpu["free_bytes"], gpu["problem"]) == (0, "CUDA_ERROR_OUT_OF_MEMORY")


def test_an_error_without_a_name_keeps_its_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask_fake_cuda(monkeypatch, capsys, cuInit=4711)["problem"] == "cuInit returned 4711"


# NVRTC, headers, PyTorch


def test_nvrtc_is_found_by_either_road() -> None:
    through_cupy = {"cupy_backends.cuda.libs.nvrtc": SimpleNamespace(getVersion=lambda: (12, 9))}
    assert backend.nvrtc(FakeSystem()) == backend.Nvrtc((13, 0), "cuda.bindings.nvrtc")
    assert backend.nvrtc(FakeSystem(modules=through_cupy)).version == (12, 9)  # type: ignore[union-attr]


def test_nvrtc_without_its_library_is_not_found() -> None:
    def no_library() -> None:
        raise RuntimeError("Failed to dlopen libnvrtc.so.13")

    broken = {"cuda.bindings.nvrtc": SimpleNamespace(nvrtcVersion=no_library)}
    assert backend.nvrtc(FakeSystem(modules=broken)) is None


def test_nvrtc_of_this_environment_has_its_packages_version() -> None:
    pytest.importorskip("cuda.bindings.nvrtc")
    version = metadata.version("nvidia-cuda-nvrtc").split(".")
    found = backend.nvrtc()
    assert found is not None and list(found.version) == [int(part) for part in version[:2]]


def test_headers_are_found_in_wheels_and_in_a_toolkit() -> None:
    assert backend.header_folders(FakeSystem()) == (INCLUDE,)
    toolkit = FakeSystem(paths=("/opt/cuda/include/vector_types.h",), variables={"CUDA_PATH": "/opt/cuda"})
    assert backend.header_folders(toolkit) == ("/opt/cuda/include",)
    assert backend.missing_headers(toolkit) == ("cuda_fp16.h", "cooperative_groups.h", "crt/mma.h")


def test_headers_may_lie_in_several_folders() -> None:
    split = FakeSystem(paths=(*HEADERS[:3], "/usr/include/crt/mma.h"))
    assert backend.missing_headers(split) == ()


def fake_torch(available: bool, error: Exception | None = None) -> Any:
    def ones(_: int, device: str) -> float:
        if error:
            raise error
        return 1.0

    cuda = SimpleNamespace(is_available=lambda: available)
    return SimpleNamespace(cuda=cuda, ones=ones, device=lambda name: f"device {name}")


@pytest.mark.parametrize(
    ("torch", "variables", "device"),
    [
        (fake_torch(True), {}, "device cuda"),
        (fake_torch(False), {}, "device cpu"),
        (fake_torch(True, RuntimeError("no kernel image is available")), {}, "device cpu"),
        (fake_torch(True), {"GPUCOURSE_BACKEND": "simulator"}, "device cpu"),
    ],
)
def test_torch_device(torch: Any, variables: dict[str, str], device: str) -> None:
    assert backend.torch_device(FakeSystem(modules={"torch": torch}, variables=variables)) == device


@pytest.mark.parametrize(("device", "count"), [("cuda", 4), ("cpu", 0)])
def test_torch_gpus(monkeypatch: pytest.MonkeyPatch, device: str, count: int) -> None:
    monkeypatch.setattr(backend, "torch_device", lambda: SimpleNamespace(type=device))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=SimpleNamespace(device_count=lambda: 4)))
    assert backend.torch_gpus() == count


def test_torch_device_without_torch() -> None:
    with pytest.raises(
        MissingPackage, match=r"PyTorch cannot be imported .*No module named 'torch'.*gpucourse doctor"
    ):
        backend.torch_device(FakeSystem())


def test_torch_facts() -> None:
    assert backend.torch_facts(FakeSystem(packages=PAGES)) is None
    assert backend.torch_facts(with_gpu()).device == "cuda"  # type: ignore[union-attr]
    crashed = backend.torch_facts(MACHINES["torch crashes"]())
    assert crashed == backend.Torch("2.11.0", error="Illegal instruction")
    silent = backend.torch_facts(FakeSystem(torch_answer=Answer(-9)))
    assert silent == backend.Torch("2.11.0", error="the import ended with status -9")


def test_the_child_reports_a_broken_torchvision(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = fake_torch(False)
    torch.__version__, torch.version = "2.11.0+cpu", SimpleNamespace(cuda=None)

    def load(name: str) -> Any:
        if name == "torch":
            return torch
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(backend, "import_module", load)
    monkeypatch.setattr(backend, "find_spec", lambda name: name)
    backend.print_torch()
    found = backend.Torch(**json.loads(capsys.readouterr().out))
    assert found == backend.Torch(
        "2.11.0+cpu", error="RuntimeError: operator torchvision::nms does not exist"
    )


# Cores, memory, names

V2_NESTED = {
    "/proc/self/cgroup": "0::/user.slice/jupyter\n",
    "/sys/fs/cgroup/user.slice/jupyter/cpu.max": "max 100000\n",
    "/sys/fs/cgroup/user.slice/cpu.max": "300000 100000\n",
    "/sys/fs/cgroup/user.slice/jupyter/memory.max": f"{8 * GIB}\n",
    "/sys/fs/cgroup/user.slice/memory.max": f"{4 * GIB}\n",
}
V2_CONTAINER = {
    "/proc/self/cgroup": "0::/\n",
    "/sys/fs/cgroup/cpu.max": "150000 100000\n",
    "/sys/fs/cgroup/memory.max": "max\n",
}
V1_DOCKER = {  # the path of the host, of which the container sees only the root
    "/proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/system.slice\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": f"{3 * GIB}\n",
}
V1_FREE = {
    "/proc/self/cgroup": "5:memory:/\n4:cpu,cpuacct:/\n",
    "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
    "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
}


@pytest.mark.parametrize(
    ("files", "cores", "gib"),
    [({}, 16, 32), (V2_NESTED, 3, 4), (V2_CONTAINER, 2, 32), (V1_DOCKER, 4, 3), (V1_FREE, 16, 32)],
    ids=["none", "version 2, nested", "version 2, container", "version 1, docker", "version 1, no limit"],
)
def test_cgroup_limits(files: dict[str, str], cores: int, gib: int) -> None:
    machine = FakeSystem(files=files, allowed=16, count=64, memory=32 * GIB)
    assert (backend.cores(machine), backend.memory_bytes(machine)) == (cores, gib * GIB)


def test_cores_without_affinity() -> None:
    assert backend.cores(FakeSystem(allowed=None, count=10)) == 10


def test_cpu_names() -> None:
    lscpu = FakeSystem(commands={"lscpu": "Architecture: aarch64\nModel name:   Neoverse-N1\n"})
    assert backend.cpu_name(FakeSystem(files={"/proc/cpuinfo": "model name\t: AMD  EPYC\n"})) == "AMD EPYC"
    assert backend.cpu_name(lscpu) == "Neoverse-N1"
    assert backend.cpu_name(MACHINES["macos"]()) == "Apple M4"
    assert backend.cpu_name(MACHINES["windows"]()).startswith("Intel64 Family 6")
    assert backend.cpu_name(FakeSystem()) == "x86_64"


def test_places() -> None:
    names = ("no gpu", "colab cpu", "binder", "wsl", "macos", "windows")
    assert [backend.place(MACHINES[name]()) for name in names] == [
        "linux",
        "colab",
        "binder",
        "wsl",
        "macos",
        "windows",
    ]
    assert backend.place(FakeSystem(variables=COLAB, files={"/proc/version": "microsoft"})) == "colab"


# The real machine


def test_cores_here() -> None:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count()
    assert 1 <= backend.cores() <= allowed


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the platform has no affinity")
def test_cores_here_follow_the_affinity() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert backend.cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_memory_here() -> None:
    total = psutil.virtual_memory().total
    assert backend.THIS_MACHINE.physical_memory() == pytest.approx(total, rel=0.02)
    assert 0 < backend.memory_bytes() <= backend.THIS_MACHINE.physical_memory()


def test_the_choice_here_is_made_once() -> None:
    assert backend.choose() is backend.choose()
    assert re.fullmatch(r"Arrays and kernels: ⟨[^⟨⟩]+⟩", backend.where())


def test_questions_to_this_machine() -> None:
    machine = backend.THIS_MACHINE
    assert machine.version("pytest") == metadata.version("pytest")
    assert machine.version("no-such-distribution") is None
    assert machine.importable("gpucourse.errors") and not machine.importable("no_such.module")
    assert machine.folders("gpucourse") == (str(PACKAGE),) and machine.folders("no_such_module") == ()
    assert not machine.has_library("libno-such-library.so.9")
    assert machine.read("/no/such/file") is None


def test_commands_on_this_machine() -> None:
    run = backend.THIS_MACHINE.run
    assert run([sys.executable, "-c", "print(7); exit(3)"], 20) == Answer(3, "7\n")
    assert run(["no-such-command"], 5).status == 127
    assert run([sys.executable, "-c", "import time; time.sleep(30)"], 0.2).status == -1


def test_the_child_finds_this_package() -> None:
    answer = backend._in_child("print_driver", backend.THIS_MACHINE, 30)
    assert json.loads(answer.out).keys() == {"problem", "cuda", "gpus"}


def test_importing_the_backend_imports_nothing_heavy() -> None:
    code = (
        "import sys, gpucourse.backend; print(sorted({'numpy', 'torch', 'cupy', 'cuda'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_the_array_module_follows_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in (("cupy", "cupy"), ("simulator", "gpucourse.cupy_sim")):
        stand_in = SimpleNamespace(name=module)
        monkeypatch.setitem(sys.modules, module, stand_in)
        monkeypatch.setattr(backend, "_chosen", lambda name=name: backend.Backend(name, "", ""))
        assert backend.array_module() is stand_in


def test_synchronize_waits_for_cupy_and_for_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    device = SimpleNamespace(synchronize=lambda: calls.append("cupy"))
    cuda = SimpleNamespace(is_initialized=lambda: True, synchronize=lambda: calls.append("torch"))
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(Device=lambda: device)))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    monkeypatch.setattr(backend, "_chosen", lambda: backend.Backend("cupy", "", ""))
    backend.synchronize()
    assert calls == ["cupy", "torch"]


PROBING = re.compile(
    r"nvidia-smi|libcuda\b|nvcuda(?!;|::)|\bcuInit\b|torch\.cuda\.(is_available|device_count|get_device)|"
    r"\bCDLL\b|sched_getaffinity|/proc/(cpuinfo|driver)|/sys/fs/cgroup"
)


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_only_the_backend_asks_what_the_machine_has(path: Path) -> None:
    found = [each[0] for each in PROBING.finditer(path.read_text(encoding="utf-8"))]
    if path == PACKAGE / "simt" / "compile.py":  # it opens the kernel compiler, which is no question to the machine
        assert set(found) <= {"CDLL", "nvcuda"}  # the latter a C++ namespace, in a message
        return
    assert bool(found) == (path.name == "backend.py" and path.parent == PACKAGE), found
