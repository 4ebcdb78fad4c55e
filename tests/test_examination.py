"""Tests of `gpucourse.examination`: what it advises on many faked machines, and that no probe can break it."""

from __future__ import annotations

import argparse
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from fake_system import HEADERS, MACHINES, PAGES, TORCH, WRITTEN, FakeSystem, torch_says, with_gpu

from gpucourse import __main__ as command_line
from gpucourse import backend
from gpucourse import examination as doctor
from gpucourse.backend import Answer, System

ROOT = Path(__file__).parent.parent
PIP = ".venv/bin/python -m pip"
DRIVERS = "https://www.nvidia.com/drivers"

# machine -> its findings: severity, a part of the text, a part of the one next step (its commands included)
FINDINGS: dict[str, list[tuple[str, str, str]]] = {
    "no gpu": [],
    "gpu": [],
    "one core": [],
    "binder": [],
    "wsl": [],
    "colab gpu": [],
    "cuda 12 cupy on a cuda 13 driver": [],
    "cuda 13 cupy on a cuda 12 driver": [
        (
            "note",
            "needs a driver for CUDA 13, this one stops at 12.4",
            f'{PIP} uninstall -y cupy-cuda13x\n{PIP} install "cupy-cuda12x>=14.0"',
        )
    ],
    "driver older than every wheel": [("note", "stops at 11.4", f"driver 580 or newer: {DRIVERS}")],
    "two cupys": [
        (
            "note",
            "2 CuPy packages are installed",
            f'{PIP} uninstall -y cupy-cuda13x cupy-cuda12x\n{PIP} install "cupy-cuda13x>=14.0"',
        )
    ],
    "gpu without cupy": [("note", "CuPy is not installed", f'{PIP} install "cupy-cuda13x>=14.0"')],
    "old gpu without cupy": [("note", "CuPy is not installed", f'{PIP} install "cupy-cuda12x>=14.0"')],
    "amd cupy": [("note", "built for AMD GPUs", f"{PIP} uninstall -y cupy-rocm-7-0")],
    "gpu without nvrtc": [
        ("note", "CuPy finds no NVRTC", f'{PIP} install "cuda-bindings>=13" nvidia-cuda-nvrtc')
    ],
    "gpu without headers": [("note", "CuPy finds no CUDA headers", f"{PIP} install nvidia-cuda-runtime")],
    "no nvrtc": [("note", "NVRTC, the compiler for kernels, was not found", "nvidia-cuda-nvrtc")],
    "no headers": [("note", "missing: vector_types.h, cuda_fp16.h", "nvidia-cuda-runtime nvidia-cuda-cccl")],
    "colab cpu": [("note", "this Colab runtime has no GPU", "Runtime > Change runtime type > T4 GPU")],
    "macos": [("note", "those that you write need a compiler", f'{PIP} install "ziglang>=0.17.1"')],
    "windows": [("note", "no NVIDIA driver was found", f"install its driver: {DRIVERS}")],
    "wsl without a driver": [("note", "no NVIDIA driver was found", "in Windows, never inside WSL")],
    "cpu torch beside a cuda torchvision": [
        (
            "note",
            "operator torchvision::nms does not exist. torch and torchvision come from different places.",
            f"{PIP} uninstall -y torch torchvision\n"
            f"{PIP} install -i https://download.pytorch.org/whl/cpu torch torchvision",
        )
    ],
    "no torch": [
        (
            "note",
            "torch and torchvision are not installed",
            f'{PIP} install "torch>=2.11" "torchvision>=0.26"',
        )
    ],
    "torch crashes": [
        ("note", "PyTorch cannot be imported: Illegal instruction", f"{PIP} install torch torchvision")
    ],
    "torch newer than the driver": [
        (
            "note",
            "built for CUDA 13.0 and the driver stops at 12.4",
            "Choose a CUDA 12 build on https://pytorch.org",
        )
    ],
    "cpu torch on a gpu": [
        ("note", "is a build without CUDA", "Choose a CUDA 13 build on https://pytorch.org")
    ],
    "no ipywidgets": [("problem", "ipywidgets is not installed", f'{PIP} install "ipywidgets>=7.7.1"')],
    "old matplotlib": [
        ("note", "matplotlib 3.8.0 is older than 3.10", f'{PIP} install --upgrade "matplotlib>=3.10"')
    ],
    "little memory": [
        ("note", "1.0 GiB of memory is little: a lesson takes up to 1.5 GiB", "Close other programs")
    ],
    "gpu full": [("note", "all memory of the NVIDIA L4 is in use", "`nvidia-smi` shows it")],
    "gpu hidden": [
        ("note", "CUDA_VISIBLE_DEVICES='' leaves no GPU visible", "Remove the variable CUDA_VISIBLE_DEVICES")
    ],
    "old gpu": [("note", "the NVIDIA GeForce GTX 1080 has 6.1", f'{PIP} install "cupy-cuda12x>=14.0"')],
    "driver crashes": [("note", "the NVIDIA driver crashed", "Restart the machine.")],
    "driver hangs": [("note", "did not answer within 30 s", "Restart the machine.")],
    "driver half updated": [("note", "was updated, not restarted", "Restart the machine.")],
    "gpu without a driver": [
        ("note", "an NVIDIA GPU is in this machine, but no driver was found", "sudo ubuntu-drivers install")
    ],
    "container without the gpu": [
        ("note", "no NVIDIA driver was found", "start it with the option --gpus all")
    ],
    "cupy fails its test": [
        ("note", "ValueError: odd", f'{PIP} install --force-reinstall --no-deps "cupy-cuda13x')
    ],
    "python too old": [("problem", "Python 3.10 is here", "https://www.python.org/downloads")],
    "python too new": [("note", "Python 3.14 is here", "https://www.python.org/downloads")],
    "old numpy": [("problem", "NumPy 1.26.4 is here", f'{PIP} install --upgrade "numpy>=2.1"')],
    "a wrong wish": [("problem", "GPUCOURSE_BACKEND is 'gpu'", "Remove the variable GPUCOURSE_BACKEND")],
    "an impossible wish": [
        ("problem", "CuPy cannot run here: no NVIDIA driver", "Remove the variable GPUCOURSE_BACKEND")
    ],
    "simulator on purpose": [
        ("note", "GPUCOURSE_BACKEND=simulator asks for it", "remove the variable GPUCOURSE_BACKEND")
    ],
    "debian python": [("problem", "ipywidgets is not installed", "make lab")],
}


def whole_step(finding: doctor.Finding) -> str:
    return "\n".join([finding.step, *finding.commands])


def test_every_machine_has_its_expected_findings() -> None:
    assert sorted(MACHINES) == sorted(FINDINGS)


@pytest.mark.parametrize("name", FINDINGS)
def test_findings_and_their_next_step(name: str) -> None:
    found = doctor.examine(MACHINES[name]()).findings
    assert [finding.severity for finding in found] == [severity for severity, _, _ in FINDINGS[name]]
    for finding, (_, text, step) in zip(found, FINDINGS[name], strict=True):
        assert text in finding.text
        assert step in whole_step(finding)


@pytest.mark.parametrize("name", MACHINES)
def test_the_text_fits_the_page(name: str) -> None:
    report = doctor.examine(MACHINES[name]())
    text = report.text()
    assert max(len(line) for line in text.splitlines()) <= 100
    assert text.isascii() and "Traceback" not in text
    assert text.count("Next step:") == len(report.findings)


@pytest.mark.parametrize("name", MACHINES)
def test_the_exit_status_says_whether_the_course_can_run(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = doctor.run(argparse.Namespace(json=False), MACHINES[name]())
    has_problem = any(severity == "problem" for severity, _, _ in FINDINGS[name])
    assert status == int(has_problem)
    assert f"The course {'cannot' if has_problem else 'can'} run here" in capsys.readouterr().out


def facts(machine: FakeSystem) -> dict[str, str]:
    return {fact.name: fact.text for fact in doctor.examine(machine).facts}


def test_facts_of_a_gpu_machine() -> None:
    found = facts(with_gpu())
    assert found["GPU"] == "NVIDIA L4, 24.0 GiB (23.0 GiB free), compute capability 8.9"
    assert found["Driver"] == "580.95.05, runs CUDA up to 13.0"
    assert found["CuPy"] == "cupy-cuda13x 14.0.1"
    assert found["NVRTC"] == "13.0, through cuda.bindings.nvrtc"
    assert found["CUDA headers"] == "complete"
    assert found["PyTorch"] == "2.11.0+cu130, trains on the GPU"
    assert found["torchvision"] == "0.26.0+cu130"
    assert found["Runs on"].startswith("NVIDIA L4 (")


def test_facts_of_a_small_machine() -> None:
    found = facts(MACHINES["binder"]())
    assert found["System"].endswith(", Binder")
    assert (found["Cores"], found["Memory"]) == ("1 for this process", "2.0 GiB for this process")
    assert (found["GPU"], found["Driver"], found["CuPy"]) == ("none found", "none found", "not installed")


def test_facts_of_what_is_broken() -> None:
    assert facts(MACHINES["driver hangs"]())["Driver"] == "gives no answer: hangs"
    assert facts(MACHINES["no torch"]())["PyTorch"] == "not installed"
    mixed = facts(MACHINES["cpu torch beside a cuda torchvision"]())
    assert mixed["PyTorch"] == "2.11.0+cpu, trains on the CPU"
    assert mixed["torchvision"] == "installed, cannot be imported"


# Lessons


def lessons(machine: FakeSystem) -> dict[str, tuple[str, str]]:
    return {lesson.number: (lesson.state, lesson.how) for lesson in doctor.examine(machine).lessons}


ALL_WRITTEN = (*(f"gpucourse.exercises.n{one.number}_{one.name}" for one in doctor.LESSONS), "gpucourse.simt")


def test_there_are_nineteen_lessons() -> None:
    assert [lesson.number for lesson in doctor.LESSONS] == [f"{number:02}" for number in range(1, 20)]


def test_the_lessons_have_the_names_of_their_files() -> None:
    sources = {path.stem for path in (ROOT / "notebooks" / "src").glob("[0-9][0-9]_*.md")} - {"00_start_here"}
    assert sources <= {f"{lesson.number}_{lesson.name}" for lesson in doctor.LESSONS}


def test_lessons_with_and_without_a_gpu() -> None:
    assert lessons(FakeSystem())["01"] == ("runs", "on the simulator")
    assert lessons(with_gpu())["01"] == ("runs", "on the GPU, through CuPy")
    assert lessons(FakeSystem())["03"] == ("later", "not in this version of the course")
    assert lessons(FakeSystem(packages=PAGES))["13"][1].endswith("; would lack PyTorch, torchvision")
    assert lessons(MACHINES["macos"]())["03"][1].endswith("; would lack ziglang")


def test_lessons_of_a_whole_course() -> None:
    here = lessons(FakeSystem(written=ALL_WRITTEN))
    assert {state for state, _ in here.values()} == {"runs"}
    assert here["12"] == ("runs", "on the simulator; PyTorch on the CPU")
    assert lessons(with_gpu(written=ALL_WRITTEN))["12"][1] == "on the GPU, through CuPy; PyTorch on the GPU"


def test_what_a_lesson_lacks() -> None:
    assert lessons(MACHINES["no ipywidgets"]())["01"] == ("lacks", "ipywidgets")
    assert lessons(MACHINES["python too old"]())["01"] == ("lacks", "Python 3.11")
    assert lessons(MACHINES["old numpy"]())["02"] == ("lacks", "NumPy 2.1")
    mac = lessons(MACHINES["macos"]().but(written=ALL_WRITTEN))
    assert mac["03"] == ("lacks", "ziglang") and mac["10"] == ("runs", "on the simulator")
    mixed = lessons(MACHINES["cpu torch beside a cuda torchvision"]().but(written=ALL_WRITTEN))
    assert mixed["13"] == ("lacks", "torchvision") and mixed["16"][0] == "runs"


@pytest.mark.parametrize("name", ["no torch", "no nvrtc", "no headers", "gpu without nvrtc", "torch crashes"])
def test_a_trouble_that_stops_a_written_lesson_is_a_problem(name: str) -> None:
    machine = MACHINES[name]()
    assert doctor.examine(machine).ok
    whole = doctor.examine(machine.but(written=ALL_WRITTEN))
    assert not whole.ok and [finding.severity for finding in whole.findings] == ["problem"]


@pytest.mark.parametrize("name", ["gpu full", "old gpu", "gpu hidden", "colab cpu"])
def test_what_the_simulator_makes_good_stays_a_note(name: str) -> None:
    assert doctor.examine(MACHINES[name]().but(written=ALL_WRITTEN)).ok


def test_on_a_mac_the_wheel_ziglang_compiles_kernels() -> None:
    mac = MACHINES["macos"]().but(written=ALL_WRITTEN)
    assert not doctor.examine(mac).ok
    equipped = mac.but(packages=mac.packages | {"ziglang": "0.17.1"})
    report = doctor.examine(equipped)
    assert report.ok and not report.findings
    assert lessons(equipped)["03"] == ("runs", "on the simulator")
    assert facts(equipped)["Kernels"] == (
        "the course's own have stored PTX; yours: compiled by clang of ziglang 0.17.1")


def test_the_report_names_a_front_end_that_is_forced() -> None:
    forced = FakeSystem().but(variables={"GPUCOURSE_FRONT_END": "stored"})
    assert facts(forced)["Kernels"] == "stored, as GPUCOURSE_FRONT_END says"
    assert facts(FakeSystem())["Kernels"] == "compiled by NVRTC"


# Steps that fit the place


def test_a_notebook_is_told_cell_commands() -> None:
    finding = doctor.examine(MACHINES["no ipywidgets"]().but(notebook=True)).findings[0]
    assert (
        whole_step(finding)
        == 'In a notebook cell run, then restart the kernel:\n%pip install "ipywidgets>=7.7.1"'
    )


def test_colab_gets_its_own_torch_back() -> None:
    broken = MACHINES["colab cpu"]().but(torch_answer=Answer(0, torch_says(error="ImportError: torch")))
    assert "Disconnect and delete runtime" in whole_step(doctor.examine(broken).findings[-1])


@pytest.mark.parametrize(
    ("changes", "call"),
    [
        ({}, ".venv\\Scripts\\python.exe -m pip"),
        ({"interpreter": "C:\\Python313\\python.exe", "venv": False}, "py -3.13 -m pip"),
        ({"interpreter": "C:\\My envs\\gpu\\python.exe"}, '"C:\\My envs\\gpu\\python.exe" -m pip'),
    ],
)
def test_windows_is_told_windows_commands(changes: dict[str, Any], call: str) -> None:
    machine = MACHINES["windows"]().but(packages=PAGES, **changes)
    assert doctor.examine(machine).findings[-1].commands == (
        f'{call} install "torch>=2.11" "torchvision>=0.26"',
    )


def test_windows_lacks_microsofts_library() -> None:
    error = "OSError: [WinError 126] The specified module could not be found."
    machine = MACHINES["windows"]().but(torch_answer=Answer(0, torch_says(error=error)))
    assert "https://aka.ms/vs/17/release/vc_redist.x64.exe" in whole_step(
        doctor.examine(machine).findings[-1]
    )


def test_a_python_elsewhere_is_called_by_its_path() -> None:
    machine = MACHINES["no ipywidgets"]().but(interpreter="/opt/envs/gpu/bin/python")
    assert doctor.examine(machine).findings[0].commands[0].startswith("/opt/envs/gpu/bin/python -m pip")


def test_packages_of_cuda_12_beside_a_cuda_12_cupy() -> None:
    machine = FakeSystem(packages=PAGES | TORCH | {"cupy-cuda12x": "14.0.1"}, modules={}, paths=())
    commands = [finding.commands[0] for finding in doctor.examine(machine).findings]
    assert commands == [
        f'{PIP} install "cuda-bindings<13" nvidia-cuda-nvrtc-cu12',
        f"{PIP} install nvidia-cuda-runtime-cu12 nvidia-cuda-cccl-cu12 nvidia-cuda-nvcc-cu12",
    ]


def test_two_cupys_without_a_gpu_are_a_note() -> None:
    two = FakeSystem(packages=PAGES | TORCH | {"cupy-cuda12x": "14.0.1", "cupy-cuda13x": "14.0.1"})
    (finding,) = doctor.examine(two).findings
    assert finding.severity == "note" and "overwrite each other's files" in finding.text


# Probes that fail


NOT_ASKED = ("cpu_count", "pci_vendors")  # of a machine with an affinity and a driver


def failing(question: str) -> FakeSystem:
    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError(f"asked for {question}")

    machine = type("Failing", (FakeSystem,), {question: fail})
    return machine(**vars(with_gpu()))


@pytest.mark.parametrize("question", sorted(name for name in vars(System) if not name.startswith("_")))
def test_a_failing_question_is_a_row_and_never_a_traceback(question: str) -> None:
    report = doctor.examine(failing(question))
    text = " ".join(report.text().split())
    assert (f"asked for {question}" in text) == (question not in NOT_ASKED)
    assert report.ok


@pytest.mark.parametrize(
    ("probe", "row"),
    [
        ("cpu_name", "Processor"),
        ("driver", "GPU"),
        ("nvrtc", "NVRTC"),
        ("torch_facts", "PyTorch"),
        ("cores", "Cores"),
    ],
)
def test_a_failing_probe_says_which_and_how(probe: str, row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(system: System) -> None:
        raise KeyError("odd")

    monkeypatch.setattr(backend, probe, fail)
    report = doctor.examine(FakeSystem())
    assert {fact.name: fact.text for fact in report.facts}[row] == "the probe failed: KeyError: 'odd'"
    assert "failed: KeyError: 'odd'" in report.findings[-1].text
    assert report.findings[-1].commands == (".venv/bin/python -m gpucourse doctor --json",)


def test_a_failing_check_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(found: doctor.Survey) -> Any:
        raise ValueError("odd")

    monkeypatch.setattr(doctor, "CHECKS", (("memory", fail),))
    assert (
        doctor.examine(FakeSystem()).findings[0].text
        == "The probe of memory (its check) failed: ValueError: odd"
    )


# The command and the real machine


@pytest.fixture
def no_torch_import(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Importing PyTorch takes seconds; everything else is asked of the real machine."""
    monkeypatch.setattr(backend, "torch_facts", lambda system: backend.Torch("2.11.0", vision="0.26.0"))
    return lambda: None


@pytest.mark.usefixtures("no_torch_import")
def test_the_command_on_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    status = command_line.main(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    rows = {fact["name"]: fact["text"] for fact in report["facts"]}
    assert status == (0 if report["ok"] else 1)
    assert not [text for text in rows.values() if "the probe failed" in text]
    gib = float(re.match(r"[\d.]+", rows["Memory"]).group())  # type: ignore[union-attr]
    assert 0 < gib <= psutil.virtual_memory().total / 1024**3 * 1.02
    assert len(report["lessons"]) == 19


@pytest.mark.usefixtures("no_torch_import")
def test_doctor_prints_and_returns_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.doctor() is None  # type: ignore[func-returns-value]
    assert capsys.readouterr().out.startswith("gpucourse doctor\n")


def test_json_holds_the_whole_report(capsys: pytest.CaptureFixture[str]) -> None:
    doctor.run(argparse.Namespace(json=True), MACHINES["gpu without cupy"]())
    report = json.loads(capsys.readouterr().out)
    assert report.keys() == {"facts", "lessons", "findings", "verdict", "ok"}
    assert report["findings"][0]["commands"] == [f'{PIP} install "cupy-cuda13x>=14.0"']


# The tables agree with the project's own files


def required() -> dict[str, str]:
    """Return each package of pyproject.toml with its lower bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    return dict(re.findall(r"([\w-]+)>=([\d.]+)", "\n".join(lines)))


def test_lower_bounds_are_those_of_the_project() -> None:
    bounds = required()
    assert {name: bounds.get(name) for name in doctor.MINIMUM} == doctor.MINIMUM


def test_requirements_name_what_the_doctor_installs() -> None:
    named = set(re.findall(r"^[\w-]+", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    cuda13 = (*doctor.NVRTC_PACKAGES[13], *doctor.HEADER_PACKAGES[13], *doctor.PAGES, "torch", "torchvision")
    assert {re.split("[<>=]", name)[0] for name in cuda13} <= named


def test_python_versions_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={backend.dotted(doctor.OLDEST_PYTHON)}"


def test_the_fake_machine_has_all_headers_the_backend_asks_for() -> None:
    assert len(HEADERS) == len(backend.HEADERS) and len(WRITTEN) == 2
