"""Fuzzes the simulator: random and mutated CUDA C and PTX must give a result or an error of the course, nothing else.

usage: fuzz_simt.py [--minutes N] [--seed N] [--out DIR] [--kinds KIND ...]
       fuzz_simt.py --replay FILE

Cases run in a worker process with a limit on time and memory, which is started anew when one ends it. Accepted is a
result (of a random program: the same for both schedules and both levels of optimization) or a `CourseError`. All
else is a find: another exception, a hang, a crash, too much memory. The first find of each sort is written to DIR
and can be replayed. A crash or a hang inside NVIDIA's compiler is counted, and is not ours.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import queue
import random
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]
import fuzz_mutations  # noqa: E402
import fuzz_programs  # noqa: E402

CASE_SECONDS = 20
COMPILE_SECONDS = 30
MEMORY_BYTES = 4 << 30
BUDGET = 20_000  # instructions without a block finishing: mutants loop for ever
MODES = ("lockstep", "adversarial", "profile", "sanitize")
RANDOM_THREADS = (32, 40, 64, 96, 128)
RANDOM_BLOCKS = 3


@dataclass(frozen=True)
class Case:
    """One thing to run: `text` is CUDA C or PTX; `kernel` names the conformance kernel whose launch it borrows."""

    kind: str
    text: str
    mode: str = "lockstep"
    seed: int = 0
    kernel: str = ""
    threads: int = 64


@dataclass(frozen=True)
class Result:
    """`outcome` is "ran", "compiler crashed", a CourseError's name, or "FIND: ..."; `place` tells finds apart."""

    outcome: str
    detail: str = ""
    place: str = ""

    @property
    def is_find(self) -> bool:
        return self.outcome.startswith("FIND")


# --- making cases ------------------------------------------------------------------------------------


@functools.cache
def conformance() -> dict[str, Any]:
    """The conformance kernels by name, those that need a compiler option for C++ headers aside."""
    from tests.simt.conformance.catalogue import KERNELS

    return {kernel.name: kernel for kernel in KERNELS}


@functools.cache
def _ptx_of(name: str) -> str:
    from gpucourse.simt.compile import compile_ptx

    kernel = conformance()[name]
    return compile_ptx(kernel.source, kernel.options, kernel.name_expressions).ptx


def _program(rng: random.Random) -> Case:
    threads = rng.choice(RANDOM_THREADS)
    return Case("program", fuzz_programs.ProgramWriter(rng, threads).text(), threads=threads)


def _cuda_mutant(rng: random.Random) -> Case:
    name = rng.choice(list(conformance()))
    return Case("cuda mutant", fuzz_mutations.mutated_cuda(conformance()[name].source, rng), kernel=name)


def _ptx_mutant(rng: random.Random) -> Case:
    name = rng.choice(list(conformance()))
    return Case("ptx mutant", fuzz_mutations.mutated_ptx(_ptx_of(name), rng), kernel=name)


def _random_ptx(rng: random.Random) -> Case:
    return Case("random ptx", fuzz_mutations.random_ptx(rng))


KINDS: dict[str, Callable[[random.Random], Case]] = {
    "program": _program, "cuda mutant": _cuda_mutant, "ptx mutant": _ptx_mutant, "random ptx": _random_ptx,
}  # fmt: skip
_OFTEN = {"program": 2, "cuda mutant": 6, "ptx mutant": 40, "random ptx": 40}  # so that each gets a share of the time


def make(number: int, seed: int, kinds: list[str]) -> Case:
    """Case `number` of a run: the same for the same seed, whatever ran before."""
    rng = random.Random(f"{seed}:{number}")
    case = KINDS[rng.choices(kinds, [_OFTEN[kind] for kind in kinds])[0]](rng)
    mode = rng.choices(MODES, [4, 2, 1, 1])[0]
    return Case(**(asdict(case) | {"mode": mode, "seed": rng.randrange(1000)}))


# --- running one (in the worker) ---------------------------------------------------------------------

Stage = Callable[[str], None]


def run_case(case: Case, stage: Stage = lambda name: None) -> Result:
    """What came of a case; `stage` is told "compile" and "run", so that the parent knows who crashed."""
    from gpucourse.errors import CourseError

    try:
        return _program_result(case, stage) if case.kind == "program" else _mutant_result(case, stage)
    except CourseError as error:
        if case.kind == "program":
            return Result(f"FIND: {type(error).__name__} of a well-formed program", str(error), str(error)[:60])
        return _found(error) if _hides_a_mistake(error, case) else Result(type(error).__name__)
    except Exception as error:
        return _found(error)


def _hides_a_mistake(error: BaseException, case: Case) -> bool:
    """Whether the error was made of one that no PTX may cause: from a trace, or on PTX of the compiler's own."""
    cause = error.__cause__
    if cause is None or isinstance(cause, OSError):
        return False
    files = {Path(frame.filename).name for frame in traceback.extract_tb(cause.__traceback__)}
    return bool(files & _TRACES) or (case.kind == "cuda mutant" and "with these operands" in str(error))


_TRACES = {"profile.py", "metrics.py", "sanitize.py", "races.py", "happens.py", "regions.py", "trace.py"}


def _found(error: BaseException) -> Result:
    """A find; its place is the innermost line of the simulator."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/gpucourse/" in f.filename]
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "outside"
    text = "".join(traceback.format_exception(error))
    return Result(f"FIND: {type(error).__name__}", text[-3000:], f"{type(error).__name__} {place}")


def _mutant_result(case: Case, stage: Stage) -> Result:
    from gpucourse.simt.link import Program

    kernel = conformance().get(case.kernel)
    stage("compile")
    if kernel is not None and case.kind == "cuda mutant":
        program, names = _compiled(case.text, kernel.options, kernel.name_expressions)
    else:
        program, names = Program(ptx=case.text), {}
    stage("run")
    if kernel is None:
        _run(case, program, "k", ((RANDOM_BLOCKS,), (case.threads,), 0), random_arguments(case))
        return Result("ran")
    for symbol, value in kernel.constants.items():
        if symbol in program.allocations:
            room = program.variable(symbol)
            room[:] = np.resize(value.view(np.uint8).ravel(), len(room))
    kept = names.get(kernel.entry, kernel.entry) if case.kind == "cuda mutant" else ""
    entry = kept or next(iter(program.kernel_names()), "none")
    _run(case, program, entry, (kernel.grid, kernel.block, kernel.shared_bytes), _seeded(kernel))
    return Result("ran")


def _compiled(text: str, options: tuple[str, ...], names: tuple[str, ...] = ()) -> tuple[Any, dict[str, str]]:
    """The program of a text and its kernels by name expression; nothing of it is kept on disk."""
    from gpucourse.simt.compile import compile_ptx
    from gpucourse.simt.link import Program

    compiled = compile_ptx(text, options, names, cached=False)
    return Program(ptx=compiled.ptx), compiled.names


def _run(case: Case, program: Any, entry: str, shape: tuple[Any, ...], arguments: list[Any]) -> None:
    from gpucourse.simt import profile, run, sanitize

    grid, block, shared = shape
    match case.mode:
        case "profile":
            found = profile.profile_launch(program, entry, grid, block, arguments, shared_bytes=shared, budget=BUDGET)
            str(found), found.rows()
        case "sanitize":
            str(sanitize.sanitize_launch(program, entry, grid, block, arguments, shared_bytes=shared, budget=BUDGET))
        case schedule:
            run.launch(program, entry, grid, block, arguments, shared_bytes=shared, schedule=schedule,
                       seed=case.seed, budget=BUDGET)  # fmt: skip


def _seeded(kernel: Any) -> list[Any]:
    from tests.simt.conformance.kernel import seeded

    return list(seeded(kernel))


def random_arguments(case: Case) -> list[Any]:
    """Outputs of int, long long, float and double, then inputs of int and float, one element a thread."""
    rng, count = np.random.default_rng(case.seed), RANDOM_BLOCKS * case.threads
    outputs = [np.zeros(count, dtype) for dtype in (np.int32, np.int64, np.float32, np.float64)]
    wide = rng.integers(-(2**31), 2**31, count).astype(np.int32)
    mixed = np.where(rng.random(count) < 0.5, wide, rng.integers(-50, 50, count, np.int32))
    return [*outputs, mixed, rng.normal(0, 100, count).astype(np.float32)]


#: Compiler options and schedule of each way to run a program; all must agree.
WAYS = ((("-fmad=false",), "lockstep"), (("-fmad=false",), "adversarial"), (("-fmad=false", "-G"), "lockstep"))


def _program_result(case: Case, stage: Stage) -> Result:
    from gpucourse.simt.run import launch

    results = []
    for options, schedule in WAYS:
        stage("compile")
        (program, _), arguments = _compiled(case.text, options), random_arguments(case)
        stage("run")
        launch(program, "k", (RANDOM_BLOCKS,), (case.threads,), arguments, schedule=schedule, seed=case.seed)
        results.append(arguments[:4])
    for way, other in zip(WAYS[1:], results[1:], strict=True):
        for number, (a, b) in enumerate(zip(results[0], other, strict=True)):
            if not np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
                lane = int(np.flatnonzero(~((a == b) | ((a != a) & (b != b))))[0])
                return Result("FIND: results differ", f"{WAYS[0]} and {way}: output {number}, thread {lane}: {a[lane]} "
                              f"and {b[lane]}", f"differ {way}")  # fmt: skip
    return Result("ran")


def serve() -> None:
    """The worker: a case a line on stdin; stages and the result, a line each, on stdout."""
    _limit_memory()
    out = sys.stdout
    sys.stdout = sys.stderr  # what a kernel prints must not come between

    def say(data: dict[str, Any]) -> None:
        out.write(json.dumps(data) + "\n")
        out.flush()

    for line in sys.stdin:
        case = Case(**json.loads(line))
        say(asdict(run_case(case, lambda name: say({"stage": name}))))


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


# --- the parent --------------------------------------------------------------------------------------


class Worker:
    """A child process that runs cases, started anew when one ends it or takes too long."""

    def __init__(self, command: list[str] | None = None) -> None:
        self.command = command or [sys.executable, str(Path(__file__).resolve()), "--serve"]
        self._process: subprocess.Popen[str] | None = None
        self._pump: threading.Thread | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()

    def run(self, case: Case, seconds: float = CASE_SECONDS) -> Result:
        """The result of a case, however it ends."""
        process = self._alive()
        assert process.stdin is not None
        process.stdin.write(json.dumps(asdict(case)) + "\n")
        process.stdin.flush()
        stage = "start"
        while True:
            limit = COMPILE_SECONDS if stage in ("start", "compile") else seconds
            try:
                line = self._lines.get(timeout=limit)
            except queue.Empty:
                self.stop()
                return self._ended(case, stage, f"took more than {limit} s", "hang")
            if line is None:
                status = process.wait()
                self.stop()
                return self._ended(case, stage, f"ended with status {status}", "crash")
            data = json.loads(line)
            if "stage" not in data:
                return Result(**data)
            stage = data["stage"]

    def _ended(self, case: Case, stage: str, how: str, what: str) -> Result:
        if stage == "compile" and case.kind in ("program", "cuda mutant"):
            return Result("compiler crashed" if what == "crash" else "compiler hung")
        return Result(f"FIND: {what}", f"while it was to {stage}: {how}", f"{what} {stage} {case.kind} {case.kernel}")

    def _alive(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             stderr=subprocess.DEVNULL, text=True)  # fmt: skip
            self._lines = queue.Queue()
            self._pump = threading.Thread(target=_pump, args=(self._process.stdout, self._lines), daemon=True)
            self._pump.start()
        return self._process

    def stop(self) -> None:
        """End the child."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # a case that the child never read
                process.stdin.close()
        if self._pump is not None:
            self._pump.join()


def _pump(stream: IO[str] | None, lines: queue.Queue[str | None]) -> None:
    assert stream is not None
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(None)


@dataclass
class Tally:
    """What came of a run: outcomes by kind, and the first find of each sort with how often it came."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    finds: dict[str, tuple[Path, int]] = field(default_factory=dict)
    compiler: list[Path] = field(default_factory=list)  # cases that ended NVIDIA's compiler

    def add(self, case: Case, result: Result, out: Path) -> bool:
        """Count a result; write the case where it is the first find of its sort, and say so."""
        self.outcomes.setdefault(case.kind, Counter())[result.outcome] += 1
        if result.outcome.startswith("compiler"):
            self.compiler.append(write_find(case, result, out / "compiler", len(self.compiler) + 1))
        if not result.is_find:
            return False
        known = self.finds.get(result.place)
        path = known[0] if known else write_find(case, result, out, len(self.finds) + 1)
        self.finds[result.place] = path, (known[1] if known else 0) + 1
        return known is None

    def text(self) -> str:
        """Cases, outcomes and finds, as a table for people."""
        lines = []
        for kind, counts in self.outcomes.items():
            lines.append(f"{kind}: {counts.total():,} cases")
            lines += [f"  {count:8,}  {outcome}" for outcome, count in counts.most_common()]
        lines.append(f"{sum(c.total() for c in self.outcomes.values()):,} cases, {len(self.finds)} sorts of finds")
        lines += [f"  {times:5,} x  {place}: {path}" for place, (path, times) in self.finds.items()]
        lines += [f"NVIDIA's compiler ended or hung: {path}" for path in self.compiler]
        return "\n".join(lines)


def write_find(case: Case, result: Result, out: Path, number: int) -> Path:
    """Write the case with its result; `--replay` reads it."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"find-{number:03}-{case.kind.replace(' ', '-')}.json"
    path.write_text(json.dumps({"case": asdict(case), "result": asdict(result)}, indent=1))
    return path


def fuzz(minutes: float, seed: int, out: Path, kinds: list[str], worker: Worker) -> Tally:
    """Run cases until the time is over; a line on stderr for each new sort of find."""
    tally, number, end = Tally(), 0, time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        case = make(number, seed, kinds)
        result = worker.run(case)
        if tally.add(case, result, out):
            print(f"case {number}, {case.kind}, {case.mode}: {result.outcome}, {result.place}", file=sys.stderr)
        number += 1
    worker.stop()
    return tally


def replay(path: Path) -> Result:
    """Run a stored case in this process."""
    return run_case(Case(**json.loads(path.read_text())["case"]))


def main(words: list[str] | None = None) -> int:
    """Fuzz and print the summary; 1 when there were finds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, metavar="N", help="how long (10)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="the same cases for the same seed (1)")
    default = Path(tempfile.gettempdir()) / "gpucourse-fuzz"
    parser.add_argument("--out", type=Path, default=default, metavar="DIR", help=f"folder for finds ({default})")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS), help="these kinds only")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one stored case in this process")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(words)
    if args.serve:
        serve()
        return 0
    if args.replay:
        result = replay(args.replay)
        print(result.outcome, result.detail, sep="\n")
        return int(result.is_find)
    tally = fuzz(args.minutes, args.seed, args.out, args.kinds, Worker())
    print(tally.text())
    return int(bool(tally.finds))


if __name__ == "__main__":
    sys.exit(main())
