"""Reports what this machine has, which lessons run on it and how, and one next step for each trouble.

`doctor()` prints the report, `examine()` returns it as data. The probes are those of `backend`; one that
fails becomes a row of the report, never a traceback.
"""

from __future__ import annotations

import argparse
import json
import ntpath
import posixpath
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from gpucourse import backend
from gpucourse.backend import Backend, Driver, Gpu, Nvrtc, System, Torch, dotted
from gpucourse.errors import CourseError

COLUMNS = 100
OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
MEMORY_NEEDED = 3 * 1024**3 // 2  # bytes a lesson may take
DRIVERS = "https://www.nvidia.com/drivers"

# The tables ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lesson:
    """One lesson: its number, title, file name without the number, and its needs besides Python and NumPy."""

    number: str
    title: str
    name: str
    needs: tuple[str, ...]


_ARRAYS, _KERNELS = ("pages", "arrays"), ("pages", "arrays", "kernels")

LESSONS = (
    Lesson("01", "CPU and GPU", "cpu_vs_gpu", _ARRAYS),
    Lesson("02", "Arrays on the GPU", "arrays_on_the_gpu", _ARRAYS),
    Lesson("03", "Your first kernel", "first_kernel", _KERNELS),
    Lesson("04", "Memory and coalescing", "memory_and_coalescing", _KERNELS),
    Lesson("05", "Shared memory", "shared_memory", _KERNELS),
    Lesson("06", "Reductions and warps", "reductions_and_warps", _KERNELS),
    Lesson("07", "Matrix multiplication", "matrix_multiply", _KERNELS),
    Lesson("08", "Detective work", "debugging_and_profiling", _KERNELS),
    Lesson("09", "Other roads", "other_roads", (*_KERNELS, "torch")),
    Lesson("10", "A network by hand", "network_by_hand", _ARRAYS),
    Lesson("11", "Optimizers", "optimizers", (*_KERNELS, "torch")),
    Lesson("12", "Convolution", "convolution", (*_KERNELS, "torch")),
    Lesson("13", "A CNN on digits", "cnn_digits", ("pages", "torch", "torchvision")),
    Lesson("14", "Training fast", "training_fast", ("pages", "torch", "torchvision")),
    Lesson("15", "Models that generalize", "generalise", ("pages", "torch", "torchvision")),
    Lesson("16", "Sequences", "sequences", ("pages", "torch")),
    Lesson("17", "The mood of music", "music_mood", ("pages", "arrays", "torch")),
    Lesson("18", "Scale out and ship", "scale_and_ship", ("pages", "torch")),
    Lesson("19", "The same network elsewhere", "other_frameworks", ("pages", "torch")),
)

# Lower bounds as in pyproject.toml. "pages" are what every lesson's page shows itself with.
MINIMUM = {"numpy": "2.1", "matplotlib": "3.10", "ipywidgets": "7.7.1", "tqdm": "4.66", "torch": "2.11",
           "torchvision": "0.26", "cupy-cuda13x": "14.0", "cupy-cuda12x": "14.0"}  # fmt: skip
PAGES = ("matplotlib", "ipywidgets", "tqdm")

CLANG_PACKAGE = "ziglang>=0.17.1"    # its clang compiles kernels where there is no NVRTC

# What brings NVRTC and the CUDA headers for each CUDA generation; requirements.txt names those of 13
NVRTC_PACKAGES = {
    13: ("cuda-bindings>=13", "nvidia-cuda-nvrtc"),
    12: ("cuda-bindings<13", "nvidia-cuda-nvrtc-cu12"),
}
HEADER_PACKAGES = {
    13: ("nvidia-cuda-runtime", "nvidia-cuda-cccl", "nvidia-cuda-crt"),
    12: ("nvidia-cuda-runtime-cu12", "nvidia-cuda-cccl-cu12", "nvidia-cuda-nvcc-cu12"),
}


# The report ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fact:
    """One row of what was found."""

    name: str
    text: str


@dataclass(frozen=True)
class Standing:
    """One lesson's state here: "runs", "lacks" or "later" (not in this version), and how or what it lacks."""

    number: str
    title: str
    state: str
    how: str


@dataclass(frozen=True)
class Finding:
    """One trouble and its one next step; a "problem" stops a lesson of this version, a "note" stops none.

    `commands` are the step's lines to type, empty where the step is a click; `stops` are the unmet needs.
    """

    text: str
    step: str
    commands: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    severity: str = "note"


@dataclass(frozen=True)
class Report:
    """What `examine` found; `ok` says whether the lessons of this version run here."""

    facts: tuple[Fact, ...]
    lessons: tuple[Standing, ...]
    findings: tuple[Finding, ...]
    verdict: str
    ok: bool

    def text(self) -> str:
        """Return the report as plain text in at most 100 columns; only a long command may be wider."""
        parts = [
            ["gpucourse doctor"],
            ["This machine", *(line for fact in self.facts for line in _fact_lines(fact))],
            ["Lessons", *(line for lesson in self.lessons for line in _lesson_lines(lesson))],
            *([["What to do", *_numbered(self.findings)]] if self.findings else []),
            textwrap.wrap(self.verdict, COLUMNS),
        ]
        return "\n\n".join("\n".join(part) for part in parts)


_NO_CHOICE = Backend("simulator", "the choice failed", "the CPU", "failed")
_NO_DRIVER = Driver("absent")


@dataclass
class Survey:
    """The answers of all probes; `failures` maps a probe's name to how it failed.

    `wish` is the complaint about GPUCOURSE_BACKEND, `call` how to call this Python, `in_cell` whether
    commands are typed into a notebook's cell (Colab and Kaggle have little else).
    """

    system: System
    failures: dict[str, str] = field(default_factory=dict)
    wish: str = ""
    place: str = "linux"
    python: tuple[int, int, int] = (0, 0, 0)
    call: str = "python"
    in_cell: bool = False
    managed: bool = False
    cpu: str = "unknown"
    cores: int = 1
    memory: int = 0
    driver: Driver = _NO_DRIVER
    choice: Backend = _NO_CHOICE
    cupy: dict[str, str] = field(default_factory=dict)
    nvrtc: Nvrtc | None = None
    clang: str = ""
    headers: tuple[str, ...] = ()
    torch: Torch | None = None
    versions: dict[str, str | None] = field(default_factory=dict)
    written: frozenset[str] = frozenset()
    simulates_kernels: bool = False

    def ask(self, attribute: str, name: str, probe: Callable[[Survey], Any]) -> None:
        """Keep the probe's answer; if it raises, keep how it failed and the attribute's default."""
        try:
            setattr(self, attribute, probe(self))
        except Exception as error:
            self.failures[name] = f"{type(error).__name__}: {error}"


# attribute of Survey, the probe's name for the reader, the probe; the order matters where one needs another
PROBES: tuple[tuple[str, str, Callable[[Survey], Any]], ...] = (
    ("place", "place", lambda found: backend.place(found.system)),
    ("python", "Python", lambda found: found.system.python()),
    ("call", "interpreter", lambda found: _interpreter(found.system)),
    ("in_cell", "notebook", lambda found: found.system.in_notebook() or found.place in ("colab", "kaggle")),
    ("managed", "environment", lambda found: _managed(found.system)),
    ("cpu", "processor", lambda found: backend.cpu_name(found.system)),
    ("cores", "cores", lambda found: backend.cores(found.system)),
    ("memory", "memory", lambda found: backend.memory_bytes(found.system)),
    ("driver", "driver", lambda found: backend.driver(found.system)),
    ("cupy", "CuPy", lambda found: backend.cupy_wheels(found.system)),
    ("choice", "choice", lambda found: _choice(found)),
    ("nvrtc", "NVRTC", lambda found: backend.nvrtc(found.system)),
    ("clang", "clang", lambda found: found.system.version("ziglang") or ""),
    ("headers", "CUDA headers", lambda found: backend.missing_headers(found.system)),
    ("torch", "PyTorch", lambda found: backend.torch_facts(found.system)),
    ("versions", "packages", lambda found: _versions(found.system)),
    ("written", "lessons", lambda found: _written(found.system)),
    ("simulates_kernels", "simulator", lambda found: found.system.importable("gpucourse.simt")),
)


def survey(system: System, imports: bool = True) -> Survey:
    """Ask every probe once; without `imports`, PyTorch is only looked up, which saves seconds and 700 MB."""
    found = Survey(system)
    for attribute, name, probe in PROBES:
        found.ask(attribute, name, probe if imports or attribute != "torch" else _installed_torch)
    return found


def _installed_torch(found: Survey) -> Torch | None:
    version, vision = found.system.version("torch"), found.system.version("torchvision")
    device = "cuda" if found.driver.gpus else "cpu"
    return None if version is None else Torch(version, vision=vision or "", device=device)


def _choice(found: Survey) -> Backend:
    try:
        return backend.choose(found.system, found.driver)
    except CourseError as error:  # the variable asks for what cannot be
        found.wish = str(error)
        return Backend("simulator", f"{backend.VARIABLE} cannot be obeyed", "the CPU", "wish")


def _versions(system: System) -> dict[str, str | None]:
    names = (*MINIMUM, "ipykernel", "jupyterlab")
    return {name: system.version(name) for name in names}


def _written(system: System) -> frozenset[str]:
    """Return the numbers of the lessons that this version has; each brings a module of exercises."""
    modules = {lesson.number: f"gpucourse.exercises.n{lesson.number}_{lesson.name}" for lesson in LESSONS}
    return frozenset(number for number, module in modules.items() if system.importable(module))


def examine(system: System = backend.THIS_MACHINE, imports: bool = True) -> Report:
    """Probe the machine and return the report; without `imports` PyTorch is taken to work where it is installed.

    >>> examine().ok in (True, False)
    True
    """
    found = survey(system, imports)
    findings = tuple(_judged(finding, found) for finding in _findings(found))
    ok = not any(finding.severity == "problem" for finding in findings)
    lacks = _lacks(found)
    lessons = tuple(_standing(lesson, lacks, found) for lesson in LESSONS)
    facts = tuple(_fact(name, probe, tell, found) for name, probe, tell in FACTS)
    return Report(facts, lessons, findings, _verdict(ok, found), ok)


def _verdict(ok: bool, found: Survey) -> str:
    if not ok:
        return "The course cannot run here yet: take the steps above that belong to a problem."
    return f"The course can run here: on {_engine(found)}."


def _engine(found: Survey) -> str:
    device = found.choice.device
    return device if found.choice.name == "cupy" else f"the simulator, with {device}"


# Facts --------------------------------------------------------------------------------------------


def _fact(name: str, probe: str, tell: Callable[[Survey], str], found: Survey) -> Fact:
    if probe in found.failures:
        return Fact(name, f"the probe failed: {found.failures[probe]}")
    try:
        return Fact(name, tell(found))
    except Exception as error:
        return Fact(name, f"the probe failed: {type(error).__name__}: {error}")


def _gib(size: int) -> str:
    return f"{size / 1024**3:.1f} GiB"


def _system(found: Survey) -> str:
    names = {"colab": ", Google Colab", "kaggle": ", Kaggle", "binder": ", Binder", "wsl": ", WSL"}
    return found.system.release() + names.get(found.place, "")


def _python(found: Survey) -> str:
    version = ".".join(str(part) for part in found.python)
    return f"{version}, {'virtual environment' if found.system.in_venv() else 'no virtual environment'}"


def _gpu(found: Survey) -> str:
    return "; ".join(_one_gpu(gpu) for gpu in found.driver.gpus) or "none found"


def _one_gpu(gpu: Gpu) -> str:
    free = f" ({_gib(gpu.free_bytes)} free)" if gpu.free_bytes >= 0 else ""
    return f"{gpu.name}, {_gib(gpu.memory_bytes)}{free}, compute capability {dotted(gpu.capability)}"


def _driver(found: Survey) -> str:
    if found.driver.cuda is None:
        return {"absent": "none found"}.get(found.driver.problem, f"gives no answer: {found.driver.problem}")
    release = found.driver.gpus[0].driver if found.driver.gpus else ""
    return f"{release or 'release unknown'}, runs CUDA up to {dotted(found.driver.cuda)}"


def _cupy(found: Survey) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.cupy.items()) or "not installed"


def _nvrtc(found: Survey) -> str:
    return f"{dotted(found.nvrtc.version)}, through {found.nvrtc.module}" if found.nvrtc else "not found"


def _compilers(found: Survey) -> str:
    """Who makes PTX of kernels, as `gpucourse/simt/front_end.py` decides."""
    wish = found.system.variable("GPUCOURSE_FRONT_END")
    clang = f"clang of ziglang {found.clang}" if found.clang else ""
    if wish:
        return f"{wish}, as GPUCOURSE_FRONT_END says"
    if found.nvrtc:
        return "compiled by NVRTC"
    return f"the course's own have stored PTX; yours: {f'compiled by {clang}' if clang else 'no compiler'}"


def _headers(found: Survey) -> str:
    return f"missing: {', '.join(found.headers)}" if found.headers else "complete"


def _torch(found: Survey) -> str:
    if found.torch is None:
        return "not installed"
    device = "the GPU" if found.torch.device == "cuda" else "the CPU"
    return f"{found.torch.version}, {'cannot be used' if _torch_lost(found) else f'trains on {device}'}"


def _vision(found: Survey) -> str:
    if found.versions.get("torchvision") is None:
        return "not installed"
    return found.torch.vision if found.torch and found.torch.vision else "installed, cannot be imported"


def _notebook(found: Survey) -> str:
    names = ("numpy", *PAGES, "ipykernel", "jupyterlab")
    return ", ".join(f"{name} {found.versions[name] or '(not installed)'}" for name in names)


# row, the probe it rests on, its text
FACTS: tuple[tuple[str, str, Callable[[Survey], str]], ...] = (
    ("System", "place", _system),
    ("Python", "Python", _python),
    ("Processor", "processor", lambda found: found.cpu),
    ("Cores", "cores", lambda found: f"{found.cores} for this process"),
    ("Memory", "memory", lambda found: f"{_gib(found.memory)} for this process"),
    ("GPU", "driver", _gpu),
    ("Driver", "driver", _driver),
    ("CuPy", "CuPy", _cupy),
    ("NVRTC", "NVRTC", _nvrtc),
    ("CUDA headers", "CUDA headers", _headers),
    ("Kernels", "clang", _compilers),
    ("PyTorch", "PyTorch", _torch),
    ("torchvision", "PyTorch", _vision),
    ("Packages", "packages", _notebook),
    ("Runs on", "choice", lambda found: f"{_engine(found)} ({found.choice.reason})"),
)


# Lessons ------------------------------------------------------------------------------------------


_SIMULATOR = "the kernel simulator"


def _lacks(found: Survey) -> dict[str, list[str]]:
    """Return for each need what is missing here, in words; an empty list means that the need is met."""
    kernels = [] if found.simulates_kernels else [_SIMULATOR]
    kernels += _compiler_lacks(found)
    torch = "PyTorch" if _torch_lost(found) else ""
    vision = "torchvision" if torch or not (found.torch and found.torch.vision) else ""
    return {
        "base": _base_lost(found),
        "pages": _missing(found, (*PAGES, "ipykernel")),
        "arrays": [],
        "kernels": kernels if found.choice.name == "simulator" else [],
        "torch": [torch] if torch else [],
        "torchvision": [vision] if vision else [],
    }


def _compiler_lacks(found: Survey) -> list[str]:
    """What a learner's own kernels miss: clang needs no NVRTC and no headers, and is what a Mac can have."""
    if found.nvrtc is None and (found.clang or found.place == "macos"):
        return [] if found.clang else ["ziglang"]
    return ["NVRTC"] * (found.nvrtc is None) + ["CUDA headers"] * bool(found.headers)


def _missing(found: Survey, names: Iterable[str]) -> list[str]:
    return [name for name in names if name in found.versions and found.versions[name] is None]


def _base_lost(found: Survey) -> list[str]:
    lost = ["Python 3.11"] if (0, 0) < found.python[:2] < OLDEST_PYTHON else []
    numpy = found.versions.get("numpy", MINIMUM["numpy"])
    lost += [f"NumPy {MINIMUM['numpy']}"] if _older(numpy, MINIMUM["numpy"]) else []
    return lost + ([f"a {backend.VARIABLE} that can be obeyed"] if found.wish else [])


def _torch_lost(found: Survey) -> bool:
    """Whether PyTorch itself is missing or fails; a failing torchvision leaves PyTorch usable."""
    torch = found.torch
    return torch is None or bool(torch.error and "torchvision" not in torch.error)


def _older(version: str | None, minimum: str) -> bool:
    def numbers(text: str) -> list[int]:
        return [int(part) for part in re.findall(r"\d+", text.split("+")[0])[:3]]

    return version is None or numbers(version) < numbers(minimum)


def _standing(lesson: Lesson, lacks: dict[str, list[str]], found: Survey) -> Standing:
    missing = [word for need in ("base", *lesson.needs) for word in lacks[need]]
    if lesson.number not in found.written:
        would = [word for word in missing if word != _SIMULATOR]
        how = "not in this version of the course" + (f"; would lack {', '.join(would)}" if would else "")
        return Standing(lesson.number, lesson.title, "later", how)
    if missing:
        return Standing(lesson.number, lesson.title, "lacks", ", ".join(missing))
    return Standing(lesson.number, lesson.title, "runs", _how(lesson, found))


def _how(lesson: Lesson, found: Survey) -> str:
    arrays = "on the GPU, through CuPy" if found.choice.name == "cupy" else "on the simulator"
    torch = f"PyTorch on the {'GPU' if found.torch and found.torch.device == 'cuda' else 'CPU'}"
    return "; ".join([arrays] * ("arrays" in lesson.needs) + [torch] * ("torch" in lesson.needs))


# Commands that fit this machine -------------------------------------------------------------------


def _interpreter(system: System) -> str:
    """Return how to call this Python from here: ".venv/bin/python", "py -3.13", or its whole path."""
    windows = system.platform() == "win32"
    path, whole, folder = ntpath if windows else posixpath, system.executable(), system.folder()
    if whole.startswith(folder + path.sep):
        whole = path.relpath(whole, folder)
    elif windows and not system.in_venv():
        return f"py -{dotted(system.python()[:2])}"
    return f'"{whole}"' if " " in whole else whole


def _managed(system: System) -> bool:
    """Whether pip refuses to install here because the operating system owns this Python (PEP 668)."""
    return system.externally_managed() and not system.in_venv()


def _pip(found: Survey, words: str) -> str:
    return f"%pip {words}" if found.in_cell else f"{found.call} -m pip {words}"


def _quoted(packages: Iterable[str]) -> str:
    return " ".join(f'"{name}"' if re.search(r"[<>=]", name) else name for name in packages)


def _install(found: Survey, text: str, packages: Iterable[str], stops: tuple[str, ...] = (), flags: str = "",
             remove: Iterable[str] = ()) -> Finding:  # fmt: skip
    """Return the finding whose step removes and installs packages in the way that this place wants."""
    if found.managed and not found.in_cell:
        return Finding(text, "In the course's folder make an environment of its own, with all it needs:",
                       ("make lab",), stops)  # fmt: skip
    lines = [f"uninstall -y {_quoted(remove)}"] if remove else []
    lines += [f"install {flags}{_quoted(packages)}"] if packages else []
    where = "In a notebook cell run, then restart the kernel:" if found.in_cell else "Run:"
    return Finding(text, where, tuple(_pip(found, line) for line in lines), stops)


def _fresh_colab(text: str, stops: tuple[str, ...] = ()) -> Finding:
    step = "In Colab's menu choose Runtime > Disconnect and delete runtime, then start again."
    return Finding(text, step, (), stops)


def _are(names: list[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"


def _bound(name: str) -> str:
    return f"{name}>={MINIMUM[name]}" if name in MINIMUM else name


_STARTED = "where Jupyter is started, and start Jupyter again."

# Findings -----------------------------------------------------------------------------------------


def _judged(finding: Finding, found: Survey) -> Finding:
    """A finding is a problem when it leaves a need unmet that a lesson of this version has."""
    needs = {"base"} | {need for lesson in LESSONS if lesson.number in found.written for need in lesson.needs}
    severity = "problem" if needs & set(finding.stops) else "note"
    return Finding(finding.text, finding.step, finding.commands, finding.stops, severity)


def _findings(found: Survey) -> Iterator[Finding]:
    """Run the checks whose probe answered, then report each probe or check that failed."""
    for probe, check in CHECKS:
        try:
            yield from check(found) if probe not in found.failures else ()
        except Exception as error:
            found.failures[f"{probe} (its check)"] = f"{type(error).__name__}: {error}"
    for name, how in found.failures.items():
        yield from _report(found, f"The probe of {name} failed: {how}")


def _check_python(found: Survey) -> Iterator[Finding]:
    version = found.python[:2]
    text = f"Python {dotted(version)} is here; the course is tested with 3.11 to 3.13"
    step = "Install Python 3.13 from https://www.python.org/downloads and make the environment with it."
    if version < OLDEST_PYTHON:
        yield Finding(f"{text} and needs 3.11 at least.", step, (), ("base",))
    elif version > NEWEST_PYTHON and found.place not in ("colab", "kaggle", "binder"):
        yield Finding(f"{text}. A package without a wheel for it may fail to install.", step)


def _check_wish(found: Survey) -> Iterator[Finding]:
    if found.wish:
        text = found.wish.split(". For the next step")[0] + "."
        yield Finding(text, f"Remove the variable {backend.VARIABLE} {_STARTED}", (), ("base",))


def _check_numpy(found: Survey) -> Iterator[Finding]:
    version = found.versions.get("numpy")
    if _older(version, MINIMUM["numpy"]):
        text = f"NumPy {version or 'none'} is here; the course needs {MINIMUM['numpy']} or newer."
        mended = _install(found, text, [_bound("numpy")], ("base",), "--upgrade ")
        yield _fresh_colab(text, ("base",)) if found.place == "colab" else mended


def _check_pages(found: Survey) -> Iterator[Finding]:
    missing = _missing(found, (*PAGES, "ipykernel"))
    if missing:
        pronoun = "it" if len(missing) == 1 else "them"
        text = f"{_are(missing)} not installed, and every lesson needs {pronoun}."
        yield _install(found, text, [_bound(name) for name in missing], ("pages",))


def _check_old_packages(found: Survey) -> Iterator[Finding]:
    versions = {name: version for name, version in found.versions.items() if version and name != "numpy"}
    old = [name for name, version in versions.items() if name in MINIMUM and _older(version, MINIMUM[name])]
    for name in old:
        text = f"{name} {versions[name]} is older than {MINIMUM[name]}, the oldest the course is tested with."
        mended = _install(found, text, [_bound(name)], flags="--upgrade ")
        yield _fresh_colab(text) if found.place == "colab" and name not in PAGES else mended


def _check_memory(found: Survey) -> Iterator[Finding]:
    if 0 < found.memory < MEMORY_NEEDED:
        text = f"{_gib(found.memory)} of memory is little: a lesson takes up to {_gib(MEMORY_NEEDED)}."
        yield Finding(text, "Close other programs and notebooks while a lesson runs.")


def _check_choice(found: Survey) -> Iterator[Finding]:
    """Why there is no GPU here, where something can be done about it."""
    step = _CHOICE_STEPS.get(found.choice.obstacle)
    if step:
        yield from step(found, f"Arrays and kernels run on the simulator: {found.choice.reason}.")


def _check_cupys(found: Survey) -> Iterator[Finding]:
    if len(found.cupy) > 1 and found.choice.obstacle != "many-cupy":
        yield from _too_many(found, f"{' and '.join(found.cupy)} overwrite each other's files.")


def _check_nvrtc(found: Survey) -> Iterator[Finding]:
    covered = found.place == "macos" or (found.clang and found.choice.name == "simulator")
    if found.nvrtc is None and not covered and found.choice.obstacle != "no-nvrtc":
        text = "NVRTC, the compiler for kernels, was not found; it needs no GPU."
        yield _install(found, text, NVRTC_PACKAGES[_generation(found)], ("kernels",))


def _check_headers(found: Survey) -> Iterator[Finding]:
    clang = found.nvrtc is None and found.clang and found.choice.name == "simulator"
    if found.headers and found.place != "macos" and not clang and found.choice.obstacle != "no-headers":
        text = f"CUDA headers that kernels include are missing: {', '.join(found.headers)}."
        yield _install(found, text, HEADER_PACKAGES[_generation(found)], ("kernels",))


def _check_torch(found: Survey) -> Iterator[Finding]:
    missing = _missing(found, ("torch", "torchvision"))
    if missing:
        text = f"{_are(missing)} not installed; the lessons on training need both."
        yield _install(found, text, [_bound(name) for name in missing], tuple(missing))
    elif found.torch and found.torch.error:
        yield _torch_fails(found, found.torch)
    elif found.torch:
        yield from _torch_misses_gpu(found, found.torch)


def _torch_fails(found: Survey, torch: Torch) -> Finding:
    """Tell a mixture of wheels, which PyTorch reports as a missing operator, from any other failure."""
    vision = "torchvision" in torch.error
    text = f"{'torchvision' if vision else 'PyTorch'} cannot be imported: {torch.error}."
    if "torchvision::nms" in torch.error:  # https://github.com/pytorch/pytorch/issues/157648
        text += " torch and torchvision come from different places."
    stops = ("torchvision",) if vision else ("torch", "torchvision")
    if found.place == "colab":
        return _fresh_colab(text, stops)
    if found.place == "windows" and re.search(r"WinError|\.dll", torch.error):
        # the link is the one that torch/__init__.py gives
        step = "Install Microsoft's C++ library: https://aka.ms/vs/17/release/vc_redist.x64.exe"
        return Finding(text, step, (), stops)
    both = ("torch", "torchvision")
    index = "-i https://download.pytorch.org/whl/cpu " if torch.version.endswith("+cpu") else ""
    return _install(found, text, both, stops, index, remove=both)


def _torch_misses_gpu(found: Survey, torch: Torch) -> Iterator[Finding]:
    """A GPU is here and PyTorch trains on the CPU: a CPU build, or one that is newer than the driver."""
    gpu = found.driver.gpus[0] if found.driver.gpus else None
    if gpu is None or torch.device == "cuda" or found.choice.obstacle in ("asked", "gpu-full", "gpu-busy"):
        return
    if not torch.cuda:
        cause = f"PyTorch {torch.version} is a build without CUDA"
    elif int(torch.cuda.split(".")[0]) > gpu.cuda[0]:
        cause = f"PyTorch is built for CUDA {torch.cuda} and the driver stops at {dotted(gpu.cuda)}"
    else:
        cause = f"PyTorch {torch.version} cannot use the {gpu.name}"
    page = "https://pytorch.org/get-started/locally"
    step = f"Choose a CUDA {_generation(found)} build on {page} and run the command it shows."
    yield Finding(f"PyTorch trains on the CPU: {cause}.", step)


# the probe that a check rests on, the check
CHECKS: tuple[tuple[str, Callable[[Survey], Iterator[Finding]]], ...] = (
    ("Python", _check_python),
    ("choice", _check_wish),
    ("packages", _check_numpy),
    ("packages", _check_pages),
    ("packages", _check_old_packages),
    ("memory", _check_memory),
    ("choice", _check_choice),
    ("CuPy", _check_cupys),
    ("NVRTC", _check_nvrtc),
    ("CUDA headers", _check_headers),
    ("packages", _check_torch),
)


# The next step for each obstacle to CuPy ----------------------------------------------------------


def _generation(found: Survey) -> int:
    """Return the CUDA generation whose packages suit this machine: 13, or 12 for an older driver or GPU."""
    single = backend.CUPY_WHEELS.get(next(iter(found.cupy)), None) if len(found.cupy) == 1 else None
    if not found.driver.gpus:
        return single if single in NVRTC_PACKAGES else 13
    return _fitting(found) or 12


def _fitting(found: Survey) -> int | None:
    """Return the newest CUDA generation that both the driver and the GPU run, or None."""
    gpu = found.driver.gpus[0]
    oldest = backend.OLDEST_CAPABILITY
    return max((g for g in oldest if g <= gpu.cuda[0] and gpu.capability >= oldest[g]), default=None)


def _swap(found: Survey, text: str) -> Iterator[Finding]:
    """Replace whatever CuPy is here by the one that fits, or say what stands against every CuPy."""
    fitting = _fitting(found)
    if fitting:
        name = f"cupy-cuda{fitting}x"
        yield _install(found, text, [_bound(name)], remove=[other for other in found.cupy if other != name])
    elif found.driver.gpus[0].cuda[0] < 12:
        yield Finding(text, f"Install NVIDIA's driver {backend.OLDEST_DRIVER[13]} or newer: {DRIVERS}")
    else:
        yield Finding(text, "Stay with the simulator: no CuPy of today runs on this GPU.")


def _too_many(found: Survey, text: str) -> Iterator[Finding]:
    """All must go first: removing one also removes files that the others share."""
    name = f"cupy-cuda{_generation(found)}x"
    yield _install(found, text, [_bound(name)], remove=found.cupy)


def _reinstall(found: Survey, text: str) -> Iterator[Finding]:
    yield _install(found, text, [_bound(name) for name in found.cupy], flags="--force-reinstall --no-deps ")


def _bring(packages: Mapping[int, tuple[str, ...]]) -> Callable[[Survey, str], Iterator[Finding]]:
    def step(found: Survey, text: str) -> Iterator[Finding]:
        stops = ("kernels",) if found.nvrtc is None or found.headers else ()
        own = backend.CUPY_WHEELS[next(iter(found.cupy))]  # the libraries of CuPy's own generation
        yield _install(found, text, packages[own or _generation(found)], stops)

    return step


def _report(found: Survey, text: str) -> Iterator[Finding]:
    command = f"{'!python' if found.in_cell else found.call} -m gpucourse doctor --json"
    yield Finding(text, "Report it to the course, with the output of:", (command,))


def _click(step: str) -> Callable[[Survey, str], Iterator[Finding]]:
    def finding(found: Survey, text: str) -> Iterator[Finding]:
        yield Finding(text, step)

    return finding


_NO_DRIVER_STEPS = {
    "wsl": f"If this PC has an NVIDIA GPU, install its driver in Windows, never inside WSL: {DRIVERS}",
    "windows": f"If this PC has an NVIDIA GPU, install its driver: {DRIVERS}",
    "kaggle": "In Kaggle's menu choose Settings > Accelerator, then a GPU.",
}


def _no_driver(found: Survey, text: str) -> Iterator[Finding]:
    """Speak up only where a GPU was seen or may be: a machine without one needs no step."""
    step = _NO_DRIVER_STEPS.get(found.place)
    if step:
        yield Finding(text, step)
    elif found.system.read(backend.DRIVER_FILE):
        yield Finding(text, "If this is a container, start it with the option --gpus all.")
    elif "0x10de" in found.system.pci_vendors():
        yield _missing_driver(found, text)


def _missing_driver(found: Survey, text: str) -> Finding:
    text = text.replace("no NVIDIA driver", "an NVIDIA GPU is in this machine, but no driver")
    if re.search(r"^ID=ubuntu$", found.system.read("/etc/os-release") or "", re.MULTILINE):
        return Finding(text, "Run, then restart the machine:", ("sudo ubuntu-drivers install",))
    return Finding(text, f"Install NVIDIA's driver {backend.OLDEST_DRIVER[13]} or newer: {DRIVERS}")


def _restart(found: Survey, text: str) -> Iterator[Finding]:
    yield _fresh_colab(text) if found.place == "colab" else Finding(text, "Restart the machine.")


def _macos(found: Survey, text: str) -> Iterator[Finding]:
    """There is no NVRTC for macOS; the wheel `ziglang` has a compiler that takes its place."""
    kernels = "The lessons' own kernels run, but those that you write need a compiler, and none is here."
    if not found.clang:
        yield _install(found, f"{text} {kernels}", (CLANG_PACKAGE,), ("kernels",))


_SHUT_DOWN = _click(
    f"Shut down what holds the GPU, often another notebook's kernel: `{backend.NVIDIA_SMI}` shows it."
)

# obstacle of `backend.choose` -> its next step
_CHOICE_STEPS: dict[str, Callable[[Survey, str], Iterator[Finding]]] = {
    "asked": _click(f"To use the GPU, remove the variable {backend.VARIABLE} {_STARTED}"),
    "colab-cpu": _click("In Colab's menu choose Runtime > Change runtime type > T4 GPU, then Save."),
    "macos": _macos,
    "no-driver": _no_driver,
    "no-device": _click(f"Run `{backend.NVIDIA_SMI}`: it says why the driver sees no GPU."),
    "hidden": _click(f"Remove the variable CUDA_VISIBLE_DEVICES {_STARTED}"),
    "driver-broken": _restart,
    "driver-mismatch": _restart,
    "gpu-full": _SHUT_DOWN,
    "gpu-busy": _SHUT_DOWN,
    "no-cupy": _swap,
    "many-cupy": _too_many,
    "rocm": _swap,
    "old-driver": _swap,
    "old-gpu": _swap,
    "no-nvrtc": _bring(NVRTC_PACKAGES),
    "no-headers": _bring(HEADER_PACKAGES),
    "trial": _reinstall,
    "probe": _report,
}


# Text ---------------------------------------------------------------------------------------------


def _hanging(first: str, text: str) -> list[str]:
    return textwrap.wrap(text or "-", COLUMNS, initial_indent=first, subsequent_indent=" " * len(first))


def _fact_lines(fact: Fact) -> list[str]:
    return _hanging(f"  {fact.name:<14}", fact.text)


def _lesson_lines(lesson: Standing) -> list[str]:
    return _hanging(f"  {lesson.number}  {lesson.title:<28}{lesson.state:<7}", lesson.how)


def _numbered(findings: tuple[Finding, ...]) -> list[str]:
    lines: list[str] = []
    for number, finding in enumerate(findings, 1):
        lines += _hanging(f"  {number}. {finding.severity.capitalize()}: ", finding.text)
        lines += _hanging("     Next step: ", finding.step)
        lines += [f"       {command}" for command in finding.commands]  # unbroken: to be copied
    return lines


# The command line ---------------------------------------------------------------------------------


def doctor() -> None:
    """Print what this machine has, which lessons run here and how, and one next step for each trouble."""
    print(examine().text())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m gpucourse doctor`."""
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(args: argparse.Namespace, system: System = backend.THIS_MACHINE) -> int:
    """Print the report; return 0 when the course can run here, on a GPU or on the simulator, else 1."""
    report = examine(system)
    print(json.dumps(asdict(report), indent=2) if args.json else report.text())
    return 0 if report.ok else 1
