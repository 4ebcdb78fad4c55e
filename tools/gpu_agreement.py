"""Runs the conformance set on a real GPU through CuPy and holds the simulator's results and counters against it.

usage: gpu_agreement.py [--out DIR] [--only NAME ...]

Every kernel of tests/simt/conformance runs on the GPU and on the simulator; both are compared with the oracle and with
each other. Where Nsight Compute (`ncu`) may read counters, sectors, shared wavefronts and active lanes of a table of
access patterns are compared too. DIR (measurements/agreement) receives one JSON and one Markdown file for the device.
Without a GPU it says so and does nothing. The exit status is 1 when anything disagrees.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import datetime
import importlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]
import gpu_counters  # noqa: E402

OUT = ROOT / "measurements" / "agreement"
PATIENCE = 240  # seconds for all kernels, a machine with a GPU being dear
_KERNEL_PATIENCE = 40  # seconds for one
AGREES, DIFFERS, LACKS, SKIPPED, FAILED = "agrees", "differs", "simulator lacks", "skipped", "failed"
_STATIC_SHARED = 48 * 1024  # bytes; more must be asked for


# --- the kernels, on a machine that may lack their oracles' packages ---------------------------------


class AbsentPackage(Exception):
    """An oracle or an argument list needs a package that is not installed here."""


class Absent:
    """Stands in for a package that is not here: importing it works, calling anything in it says what is missing."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, name: str) -> Absent:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(f"{self.name}.{name}")

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise AbsentPackage(f"{self.name.partition('.')[0]} is not installed")


_ORACLES_USE = ("scipy", "scipy.special", "scipy.sparse", "scipy.sparse.csgraph", "scipy.spatial", "torch")


@contextlib.contextmanager
def stand_ins(packages: Iterable[str] = _ORACLES_USE) -> Iterator[None]:
    """Let modules import packages that are not installed."""
    absent = [name for name in packages if importlib.util.find_spec(name.partition(".")[0]) is None]
    sys.modules.update({name: Absent(name) for name in absent})  # type: ignore[misc]
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def load_kernels() -> tuple[Any, ...]:
    """The conformance set."""
    with stand_ins():
        kernels: tuple[Any, ...] = importlib.import_module("tests.simt.conformance.catalogue").KERNELS
    return kernels


# --- one kernel on each engine -----------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """The arguments after a launch, and what the kernel printed."""

    arguments: list[Any]
    printed: str


Engine = Callable[[Any], Outcome]


def on_gpu(cupy: Any) -> Engine:
    """An engine that launches through CuPy's RawModule."""
    return lambda kernel: _launched(cupy, kernel)


def _launched(cupy: Any, kernel: Any) -> Outcome:
    names = kernel.name_expressions or None
    module = cupy.RawModule(code=kernel.source, options=kernel.options, name_expressions=names)
    function = module.get_function(kernel.entry)
    for symbol, value in kernel.constants.items():
        cupy.ndarray(value.shape, value.dtype, module.get_global(symbol)).set(value)
    if kernel.shared_bytes > _STATIC_SHARED:
        function.max_dynamic_shared_size_bytes = kernel.shared_bytes
    arguments = [_handed_over(cupy, value) for value in _seeded(kernel)]
    with captured() as printed:
        function(kernel.grid, kernel.block, tuple(arguments), shared_mem=kernel.shared_bytes)
        cupy.cuda.Device().synchronize()
    return Outcome([value.get() if isinstance(value, cupy.ndarray) else value for value in arguments], printed())


def _handed_over(cupy: Any, value: Any) -> Any:
    if isinstance(value, np.void):
        return np.asarray(value)  # CuPy passes a structure by value as an array of size one
    return cupy.asarray(value) if isinstance(value, np.ndarray) else value


def _seeded(kernel: Any) -> list[Any]:
    values: list[Any] = importlib.import_module("tests.simt.conformance.kernel").seeded(kernel)
    return values


@contextlib.contextmanager
def captured() -> Iterator[Callable[[], str]]:
    """Catch what a kernel prints: C's stdout, which only a flush empties, and Python's."""
    text = list[str]()
    with tempfile.TemporaryFile("w+") as file, contextlib.redirect_stdout(file):
        kept = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            yield lambda: text[0]
        finally:
            ctypes.CDLL("ucrtbase" if os.name == "nt" else None).fflush(None)
            os.dup2(kept, 1)
            os.close(kept)
            file.seek(0)
            text.append(file.read())


def on_simulator(kernel: Any) -> Outcome:
    """The engine that is to be judged: lock-step."""
    from gpucourse.simt.link import Program
    from gpucourse.simt.run import launch

    program, arguments = Program(kernel.source, kernel.options, kernel.name_expressions), _seeded(kernel)
    for symbol, value in kernel.constants.items():
        program.variable(symbol)[:] = value.view(np.uint8).ravel()
    done = launch(program, kernel.entry, kernel.grid, kernel.block, arguments, shared_bytes=kernel.shared_bytes,
                  max_shared=max(_STATIC_SHARED, kernel.shared_bytes))  # fmt: skip
    return Outcome(arguments, done.printed)


# --- comparing ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """What came of one kernel: `outcome`, and in words the GPU and the simulator against the oracle and each other."""

    name: str
    outcome: str
    gpu: str = ""
    simulator: str = ""
    between: str = ""


def compare_one(kernel: Any, gpu: Engine, simulator: Engine = on_simulator) -> Row:
    """Run a kernel on both engines and compare; what goes wrong on the GPU is raised."""
    from gpucourse.errors import CourseError, SimulatorLacks

    if "gpu" in kernel.skip or kernel.fault:
        return Row(kernel.name, SKIPPED, kernel.skip.get("gpu") or "its error would end the CUDA context")
    try:
        on_hardware = gpu(kernel)
    except AbsentPackage as error:
        return Row(kernel.name, SKIPPED, str(error))
    hardware = against_oracle(kernel, on_hardware)
    try:
        ours = simulator(kernel)
    except CourseError as error:
        lacks = isinstance(error, SimulatorLacks) and not hardware.startswith(DIFFERS)
        return Row(kernel.name, LACKS if lacks else DIFFERS, hardware, _one_line(error), "")
    found = hardware, against_oracle(kernel, ours), between(kernel, on_hardware, ours)
    return Row(kernel.name, DIFFERS if any(word.startswith(DIFFERS) for word in found) else AGREES, *found)


def against_oracle(kernel: Any, outcome: Outcome) -> str:
    """"agrees", "differs: ..." or why there is no oracle here."""
    try:
        importlib.import_module("tests.simt.conformance.kernel").compare(kernel, outcome.arguments, outcome.printed)
    except AbsentPackage as error:
        return f"no oracle: {error}"
    except AssertionError as error:
        return f"{DIFFERS}: {_one_line(error)}"
    return AGREES


def between(kernel: Any, gpu: Outcome, simulator: Outcome) -> str:
    """"same bits", "within tolerance" (twice the oracle's, as both may be off by one) or "differs: ..."."""
    pairs = [(a, b) for a, b in zip(gpu.arguments, simulator.arguments, strict=True) if getattr(a, "ndim", 0)]
    if all(a.tobytes() == b.tobytes() for a, b in pairs):
        return "same bits"
    try:
        for a, b in pairs:
            if a.dtype.kind in "fc":
                np.testing.assert_allclose(b, a, 2 * kernel.rtol, 2 * kernel.atol)
            else:
                np.testing.assert_array_equal(b, a)
    except AssertionError as error:
        return f"{DIFFERS}: {_one_line(error)}"
    return "within tolerance"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:240]


# --- all kernels: in child processes, as a bad launch may end the CUDA context -----------------------


def run_child(names: Sequence[str], rows: Path) -> None:
    """Compare kernels one after another, appending a line each to `rows`; stop where the GPU fails."""
    cupy: Any = importlib.import_module("cupy")
    kernels = {kernel.name: kernel for kernel in load_kernels()}
    with rows.open("a") as file:
        for name in names:
            file.write(json.dumps(asdict(row := _row_or_failure(kernels[name], on_gpu(cupy)))) + "\n")
            file.flush()
            if row.outcome == FAILED and _lost(cupy):
                return


def _row_or_failure(kernel: Any, gpu: Engine) -> Row:
    try:
        with _patience(_KERNEL_PATIENCE):
            return compare_one(kernel, gpu)
    except Exception as error:  # CuPy's compiler, driver and runtime errors have no common base
        return Row(kernel.name, FAILED, f"{type(error).__name__}: {_one_line(error)}")


@contextlib.contextmanager
def _patience(seconds: int) -> Iterator[None]:
    """End this process, whatever it waits for, after `seconds`; the parent marks the kernel and goes on behind it."""
    if not hasattr(signal, "alarm"):
        yield
        return
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def _lost(cupy: Any) -> bool:
    try:
        cupy.zeros(1)
        cupy.cuda.Device().synchronize()
    except Exception:  # every later call fails with the error that ended the context
        return True
    return False


def _start_child(names: Sequence[str], rows: Path, seconds: float) -> str:
    command = [sys.executable, str(Path(__file__).resolve()), "--child", str(rows), *names]
    try:
        done = subprocess.run(command, timeout=seconds, check=False, stderr=subprocess.PIPE, text=True)
    except subprocess.TimeoutExpired:
        return "took too long"
    return f"ended the process with status {done.returncode}: {done.stderr[-200:].strip()}"


def run_kernels(
    names: Sequence[str], start: Callable[[Sequence[str], Path, float], str] = _start_child, patience: float = PATIENCE
) -> list[Row]:
    """A row for every name: a kernel that ends its process is marked, and a new process goes on behind it."""
    rows, left = list[Row](), list(names)
    clock = _Clock(patience)
    with tempfile.TemporaryDirectory() as folder:
        while left and clock.left() > 0:
            file = Path(folder) / f"{len(left)}.jsonl"
            file.touch()
            end = start(left, file, clock.left())
            new = [Row(**json.loads(line)) for line in file.read_text().splitlines()]
            left = left[len(new) :]
            if left and (not new or new[-1].outcome != FAILED):
                new.append(Row(left.pop(0), FAILED, end))
            rows += new
    return rows + [Row(name, FAILED, f"not run: {patience} s were over") for name in left]


class _Clock:
    """Seconds that are left."""

    def __init__(self, seconds: float) -> None:
        self._end = datetime.datetime.now() + datetime.timedelta(seconds=seconds)

    def left(self) -> float:
        return (self._end - datetime.datetime.now()).total_seconds()


# --- the report --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """Everything that one run found: facts about the device, kernels, counters or why there are none."""

    facts: dict[str, Any]
    kernels: list[Row]
    counters: list[gpu_counters.Row]
    no_counters: str = ""

    @property
    def disagreements(self) -> int:
        """Kernels that differ or failed, and counters that differ."""
        return sum(row.outcome in (DIFFERS, FAILED) for row in self.kernels) + sum(
            row.agrees is False for row in self.counters)  # fmt: skip

    def as_data(self) -> dict[str, Any]:
        """For the JSON file."""
        counters = [asdict(row) | {"agrees": row.agrees} for row in self.counters]
        return {"schema": 1, **self.facts, "summary": self.summary(), "kernels": [asdict(row) for row in self.kernels],
                "counters": counters, "no_counters": self.no_counters, "metrics": gpu_counters.METRICS}  # fmt: skip

    def summary(self) -> dict[str, Any]:
        """Kernels by outcome, those with the same bits, and counters by agreement."""
        verdict = {True: "agree", False: "differ", None: "shown only"}
        return {"kernels": dict(Counter(row.outcome for row in self.kernels)),
                "same bits": sum(row.between == "same bits" for row in self.kernels),
                "counters": dict(Counter(verdict[row.agrees] for row in self.counters))}  # fmt: skip

    def as_markdown(self) -> str:
        """For people: the summary, what disagrees, all counters, all kernels."""
        facts, found = self.facts, self.summary()
        about = ", ".join(f"{key} {value}" for key, value in facts.items() if key != "device")
        lines = [f"# The simulator beside {facts['device']}", "", about, "",
                 f"Kernels: {_counts(found['kernels'])}; {found['same bits']} with the same bits.",
                 f"Counters: {_counts(found['counters']) or self.no_counters}.", ""]  # fmt: skip
        odd = [row for row in self.kernels if row.outcome != AGREES]
        counters = [[r.pattern, r.counter, f"{r.simulator:g}", "" if r.hardware is None else f"{r.hardware:g}",
                     {True: "yes", False: "**no**", None: "not judged"}[r.agrees]] for r in self.counters]  # fmt: skip
        kernels = [[r.name, r.outcome, r.gpu, r.simulator, r.between] for r in self.kernels]
        heads = ["kernel", "outcome", "GPU and oracle", "simulator and oracle", "GPU and simulator"]
        lines += _section("Kernels that do not agree, or did not run", heads, [list(asdict(r).values()) for r in odd])
        lines += _section("Counters", ["pattern", "counter", "simulator", "hardware", "agree"], counters)
        return "\n".join(lines + _section("All kernels", heads, kernels))


def _counts(numbers: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in numbers.items())


def _section(title: str, heads: list[str], rows: list[list[str]]) -> list[str]:
    if not rows:
        return []
    cells = [heads, ["---"] * len(heads), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return [f"## {title}", "", *(f"| {' | '.join(row)} |" for row in cells), ""]


def write(report: Report, out: Path) -> list[Path]:
    """Write both files, named after the device: "NVIDIA H200" gives nvidia-h200.json and .md."""
    out.mkdir(parents=True, exist_ok=True)
    stem = "-".join(re.findall(r"[a-z0-9]+", report.facts["device"].lower()))
    paths = [out / f"{stem}.json", out / f"{stem}.md"]
    for path, text in zip(paths, (json.dumps(report.as_data(), indent=1) + "\n", report.as_markdown()), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def device_facts() -> dict[str, Any] | None:
    """The GPU, its driver and the versions that matter; None, after a line on stdout, where there is no GPU."""
    from gpucourse import backend
    from gpucourse.simt.compile import nvrtc

    chosen, device = backend.choose(), backend.gpu()
    if chosen.name != "cupy" or device is None:
        print(f"There is no GPU to compare with: {chosen.reason}. Nothing was done.")
        return None
    cupy: Any = importlib.import_module("cupy")
    return {"device": device.name, "driver": device.driver, "cuda": backend.dotted(device.cuda),
            "capability": backend.dotted(device.capability), "cupy": cupy.__version__, "numpy": np.__version__,
            "nvrtc": nvrtc().version(), "date": datetime.datetime.now(datetime.UTC).date().isoformat()}  # fmt: skip


def counters() -> tuple[list[gpu_counters.Row], str]:
    """Simulator and hardware side by side, and why hardware could not be asked."""
    program = [sys.executable, str(Path(__file__).resolve()), "--patterns"]
    try:
        return gpu_counters.side_by_side(gpu_counters.counted(gpu_counters.find_ncu(), program)), ""
    except gpu_counters.NoCounters as error:
        return [], str(error)


def main(words: list[str] | None = None) -> int:
    """Compare and write; 0 when all agrees or there is no GPU, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="folder for the files")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these kernels instead of all")
    parser.add_argument("--patterns", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args(words)
    if args.patterns:
        gpu_counters.launch_all(importlib.import_module("cupy"))
        return 0
    if args.child:
        run_child(args.child[1:], Path(args.child[0]))
        return 0
    facts = device_facts()
    if facts is None:
        return 0
    names = [kernel.name for kernel in load_kernels()]
    for name in set(args.only or ()) - set(names):
        parser.error(f"there is no kernel {name!r} in the conformance set")
    kernels = run_kernels(args.only or names)
    report = Report(facts, kernels, *counters())
    for path in write(report, args.out):
        print(path)
    print(_counts(report.summary()["kernels"]), _counts(report.summary()["counters"]) or report.no_counters, sep="; ")
    return int(report.disagreements > 0)


if __name__ == "__main__":
    sys.exit(main())
