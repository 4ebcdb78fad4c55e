"""Times the simulator beside numba's CUDA simulator and NumPy: the same kernels, one run, ratios; memory too.

usage: bench_simt.py [--quick] [--json FILE]

Every figure comes from a process of its own, and counts only after the result was found right. Ours is the median
of launches of a program that is compiled already; numba's simulator, which is slow, runs twice and the faster counts.
`--quick` shrinks the kernels: it tries the command out, and judges no target. The exit status is 1 when a
result is wrong or could not be had; a missed target is only printed.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
ENGINES = ("ours", "NumPy", "numba")
TILE = 16
PATIENCE = 1_200  # seconds that one worker may take

ADD = """
extern "C" __global__ void add(const float* x, const float* y, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i] + y[i];
}
"""
NAIVE = """
extern "C" __global__ void naive(const float* a, const float* b, float* out, int n) {
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row < n && column < n) {
        float sum = 0.0f;
        for (int k = 0; k < n; k++) sum += a[row * n + k] * b[k * n + column];
        out[row * n + column] = sum;
    }
}
"""
TILED = """
#define TILE 16
extern "C" __global__ void tiled(const float* a, const float* b, float* out, int n) {
    __shared__ float left[TILE][TILE], right[TILE][TILE];
    int tx = threadIdx.x, ty = threadIdx.y;
    int column = blockIdx.x * TILE + tx, row = blockIdx.y * TILE + ty;
    float sum = 0.0f;
    for (int t = 0; t < n / TILE; t++) {
        left[ty][tx] = a[row * n + t * TILE + tx];
        right[ty][tx] = b[(t * TILE + ty) * n + column];
        __syncthreads();
        for (int k = 0; k < TILE; k++) sum += left[ty][k] * right[k][tx];
        __syncthreads();
    }
    out[row * n + column] = sum;
}
"""


class WrongResult(Exception):
    """An engine's result is not the oracle's; its time counts for nothing."""


# --- the kernels -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kernel:
    """One kernel for every engine: CUDA C, numba and NumPy; `square` says whether `n` is a matrix's side."""

    entry: str
    source: str
    numpy: Callable[[Any, Any, Any], Any]
    numba: Callable[[Any, Any, Any, int], None]
    square: bool

    def shape(self, n: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Grid and block for size `n`."""
        return ((-(-n // TILE),) * 2, (TILE, TILE)) if self.square else ((-(-n // 256),), (256,))

    def inputs(self, n: int) -> list[Any]:
        """Two inputs of small whole numbers, whose float32 sums are exact, and an output of NaN."""
        rng = np.random.default_rng(n)
        size = (n, n) if self.square else (n,)
        x, y = (rng.integers(-9, 10, size, np.int8).astype(np.float32) for _ in range(2))
        return [x, y, np.full(size, np.nan, np.float32)]

    def check(self, x: Any, y: Any, out: Any) -> None:
        """Raise `WrongResult` unless `out` is exactly the oracle's (a product: in double precision)."""
        wanted = x.astype(np.float64) @ y if self.square else x + y
        wrong = int((out != wanted).sum())
        if wrong:
            raise WrongResult(f"{self.entry}: {wrong:,} of {out.size:,} elements are wrong")


#: numba.cuda, in a process that measures it: its simulator replaces this global while a kernel runs.
cuda: Any = None


def _numba_add(x: Any, y: Any, out: Any, n: int) -> None:
    i = cuda.grid(1)
    if i < n:
        out[i] = x[i] + y[i]


def _numba_naive(a: Any, b: Any, out: Any, n: int) -> None:
    column, row = cuda.grid(2)
    if row < n and column < n:
        total = np.float32(0)
        for k in range(n):
            total += a[row, k] * b[k, column]
        out[row, column] = total


def _numba_tiled(a: Any, b: Any, out: Any, n: int) -> None:
    left = cuda.shared.array((TILE, TILE), np.float32)
    right = cuda.shared.array((TILE, TILE), np.float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    column, row = cuda.grid(2)
    total = np.float32(0)
    for t in range(n // TILE):
        left[ty, tx] = a[row, t * TILE + tx]
        right[ty, tx] = b[t * TILE + ty, column]
        cuda.syncthreads()
        for k in range(TILE):
            total += left[ty, k] * right[k, tx]
        cuda.syncthreads()
    out[row, column] = total


KERNELS = {
    "add": Kernel("add", ADD, np.add, _numba_add, square=False),
    "naive": Kernel("naive", NAIVE, np.matmul, _numba_naive, square=True),
    "tiled": Kernel("tiled", TILED, np.matmul, _numba_tiled, square=True),
}


# --- what is measured, and what it should be ---------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """A figure and its limit: "speedup" over numba (at least), "peak_bytes" or "seconds" of ours (below)."""

    figure: str
    limit: float

    def reached(self, value: float) -> bool:
        """Whether `value` keeps the limit."""
        return value >= self.limit if self.figure == "speedup" else value < self.limit

    def __str__(self) -> str:
        return {"speedup": f">= {self.limit:,.0f} x", "peak_bytes": f"< {self.limit / 1e9:g} GB",
                "seconds": f"< {duration(self.limit)}"}[self.figure]  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A kernel at a size, the engines that run it and its target; the kernel "compile" times the compiler."""

    title: str
    kernel: str
    size: int
    quick: int
    target: Target
    engines: tuple[str, ...] = ENGINES
    runs: int = 15


OURS = ("ours", "NumPy")
CASES = (
    Case("vector add, {n:,} threads", "add", 16_384, 512, Target("speedup", 2_000), runs=51),
    Case("naive product, {n} x {n}", "naive", 64, 16, Target("speedup", 100)),
    Case("tiled product, {n} x {n}", "tiled", 64, 16, Target("speedup", 500)),
    Case("vector add, {n:,} elements", "add", 2**24, 2**16, Target("peak_bytes", 1e9), OURS, 3),
    Case("tiled product, {n} x {n}", "tiled", 512, 32, Target("seconds", 20), OURS, 3),
    Case("compiling a plain kernel, {n} times", "compile", 25, 3, Target("seconds", 0.050), ("ours",), 1),
)


@dataclass(frozen=True)
class Figures:
    """What a worker found: seconds of each run, and bytes resident before the first run and at the peak."""

    seconds: list[float]
    resident_bytes: int = 0
    peak_bytes: int = 0

    @property
    def median(self) -> float:
        """Median seconds of a run."""
        return statistics.median(self.seconds)


@dataclass
class Row:
    """One case with the figures of each engine, or the reason why there are none."""

    case: Case
    n: int
    found: dict[str, Figures] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return self.case.title.format(n=self.n)

    def ratio(self, over: str, under: str) -> float | None:
        """Median of engine `over` divided by that of `under`; None where one is missing."""
        both = over in self.found and under in self.found
        return self.found[over].median / self.found[under].median if both else None

    def measured(self) -> float | None:
        """The figure that the target is about; None where it could not be had."""
        if self.case.target.figure == "speedup":
            return self.ratio("numba", "ours")
        if "ours" not in self.found:
            return None
        ours = self.found["ours"]
        return ours.peak_bytes if self.case.target.figure == "peak_bytes" else ours.median


# --- a worker: one engine, one case, one process -----------------------------------------------------


def timed(kernel: Kernel, run: Callable[[], Any], inputs: list[Any], runs: int) -> Figures:
    """Run once, note the memory, check the result; only then time `runs` runs, and check the last one's."""
    before = _memory("VmRSS")
    began = time.perf_counter()
    run()
    first = time.perf_counter() - began
    peak = _memory("VmHWM")
    kernel.check(*inputs)
    if runs == 1:
        return Figures([first], before, peak)
    inputs[2].fill(np.nan)
    seconds = [_seconds(run) for _ in range(runs)]
    kernel.check(*inputs)
    return Figures(seconds, before, peak)


def _seconds(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _memory(entry: str) -> int:
    """VmRSS (now) or VmHWM (peak) of this process in bytes; 0 where the system has no /proc.

    getrusage's maximum will not do: Linux hands it on from parent to child.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(entry))


def measure_ours(kernel: Kernel, n: int, runs: int) -> Figures:
    """Launch the compiled kernel on the simulator."""
    from gpucourse.simt.link import Program
    from gpucourse.simt.run import launch

    program, inputs, (grid, block) = Program(kernel.source), kernel.inputs(n), kernel.shape(n)
    return timed(kernel, lambda: launch(program, kernel.entry, grid, block, [*inputs, np.int32(n)]), inputs, runs)


def measure_numpy(kernel: Kernel, n: int, runs: int) -> Figures:
    """The same result from one NumPy call, with its output given."""
    inputs = kernel.inputs(n)
    return timed(kernel, lambda: kernel.numpy(inputs[0], inputs[1], out=inputs[2]), inputs, max(runs, 5))  # type: ignore[call-arg]


def measure_numba(kernel: Kernel, n: int, runs: int) -> Figures:
    """Numba's simulator, two launches of which the faster counts: its threads make its times vary."""
    os.environ["NUMBA_ENABLE_CUDASIM"] = "1"  # read when numba is imported
    global cuda
    cuda = importlib.import_module("numba.cuda")
    inputs, (grid, block) = kernel.inputs(n), kernel.shape(n)
    compiled = cuda.jit(kernel.numba)
    figures = timed(kernel, lambda: compiled[grid, block](*inputs, n), inputs, 1)
    again = _seconds(lambda: compiled[grid, block](*inputs, n))
    return replace(figures, seconds=[min(*figures.seconds, again)])


def measure_compiling(n: int) -> Figures:
    """Compile `n` different vector adds after a first one, without the cache; the last one must add right."""
    from gpucourse.simt.compile import compile_ptx
    from gpucourse.simt.link import Program
    from gpucourse.simt.run import launch

    seconds, kernel, ptx = [], KERNELS["add"], ""
    for number in range(n + 1):
        source = kernel.source.replace("x[i] +", f"{number}.0f + x[i] +")  # no two alike: no cache below can help
        began = time.perf_counter()
        ptx = compile_ptx(source, cached=False).ptx
        seconds.append(time.perf_counter() - began)
    x, y, out = kernel.inputs(1_000)
    launch(Program(ptx=ptx), kernel.entry, *kernel.shape(1_000), [x, y, out, np.int32(1_000)])
    kernel.check(x + n, y, out)
    return Figures(seconds[1:], peak_bytes=_memory("VmHWM"))


_MEASURE = {"ours": measure_ours, "NumPy": measure_numpy, "numba": measure_numba}


def measure(case: Case, engine: str, n: int) -> Figures:
    """Figures of one engine on one case at size `n`; raises `WrongResult`."""
    if case.kernel == "compile":
        return measure_compiling(n)
    return _MEASURE[engine](KERNELS[case.kernel], n, case.runs)


# --- the run -----------------------------------------------------------------------------------------


def in_a_process(number: int, engine: str, n: int) -> Figures:
    """`measure` of case `number` in a fresh Python; raises `WrongResult` with its last words."""
    command = [sys.executable, str(Path(__file__).resolve()), "--worker", str(number), engine, str(n)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"]
        raise WrongResult(words[-1])
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def run_all(quick: bool, measured: Callable[[int, str, int], Figures] = in_a_process) -> list[Row]:
    """Every case on every engine, one after another, with a line of progress each on stderr."""
    rows = []
    for number, case in enumerate(CASES):
        row = Row(case, case.quick if quick else case.size)
        for engine in case.engines:
            print(f"{row.title}: {engine} ...", file=sys.stderr, flush=True)
            try:
                row.found[engine] = measured(number, engine, row.n)
            except (WrongResult, subprocess.TimeoutExpired) as error:
                row.failed[engine] = str(error)
        rows.append(row)
    return rows


def machine() -> dict[str, Any]:
    """What the figures depend on: processor, cores, versions, day."""
    versions = {}
    for package in ("numpy", "numba"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {"processor": _processor(), "cores": os.cpu_count(), "python": platform.python_version(), **versions,
            "date": datetime.datetime.now(datetime.UTC).date().isoformat()}  # fmt: skip


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


# --- the report --------------------------------------------------------------------------------------


def duration(seconds: float) -> str:
    """Seconds with a unit that suits them."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1 or unit == "us":
            return f"{seconds * factor:.3g} {unit}"
    raise AssertionError


def verdict(row: Row, quick: bool) -> str:
    """The target of a row, and whether it was reached."""
    value = row.measured()
    if value is None or quick:
        return f"{row.case.target}  not judged"
    return f"{row.case.target}  {'reached' if row.case.target.reached(value) else 'MISSED'}"


def figure(row: Row) -> str:
    """The measured figure that stands beside the target."""
    value = row.measured()
    if value is None:
        return "none"
    texts: dict[str, Callable[[float], str]] = {
        "speedup": lambda v: f"{v:,.0f} x numba", "peak_bytes": lambda v: f"{v / 1e6:,.0f} MB", "seconds": duration,
    }  # fmt: skip
    return texts[row.case.target.figure](value)


def _cells(row: Row, quick: bool) -> list[str]:
    times = [duration(row.found[e].median) if e in row.found else "FAILED" if e in row.failed else "" for e in ENGINES]
    peaks = [f"{row.found[e].peak_bytes / 1e6:,.0f}" if e in row.found else "" for e in ENGINES]
    slower = row.ratio("ours", "NumPy")
    return [row.title, *times, f"{slower:,.0f} x" if slower else "", *peaks, figure(row), verdict(row, quick)]


HEADINGS = ("kernel", "ours", "NumPy", "numba", "ours/NumPy", "MB ours", "NumPy", "numba", "measured", "target")


def text_table(rows: list[Row], facts: dict[str, Any], quick: bool) -> str:
    """All rows as text: times are medians, MB is the peak of the engine's whole process, libraries included."""
    cells = [list(HEADINGS), *(_cells(row, quick) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEADINGS))]
    aligned = [[c.ljust(w) if i in (0, 9) else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))]
               for line in cells]  # fmt: skip
    failed = [f"{row.title}: {engine}: {text}" for row in rows for engine, text in row.failed.items()]
    about = ", ".join(f"{name} {value}" for name, value in facts.items())
    return "\n".join([about, "", *("  ".join(line).rstrip() for line in aligned), *failed])


def as_data(rows: list[Row], facts: dict[str, Any], quick: bool) -> dict[str, Any]:
    """The same for a file: seconds, bytes and ratios."""
    return {"machine": facts, "quick": quick, "results": [
        {"name": row.title, "target": str(row.case.target), "measured": row.measured(),
         "reached": None if quick or row.measured() is None else row.case.target.reached(row.measured() or 0),
         "engines": {name: asdict(found) for name, found in row.found.items()}, "failed": row.failed}
        for row in rows]}  # fmt: skip


def main(words: list[str] | None = None) -> int:
    """Measure and print; 1 when a result was wrong or an engine failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, no target judged")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE too")
    parser.add_argument("--worker", nargs=3, metavar=("CASE", "ENGINE", "N"), help=argparse.SUPPRESS)
    args = parser.parse_args(words)
    if args.worker:
        number, engine, n = args.worker
        print(json.dumps(asdict(measure(CASES[int(number)], engine, int(n)))))
        return 0
    rows, facts = run_all(args.quick), machine()
    print(text_table(rows, facts, args.quick))
    if args.json:
        args.json.write_text(json.dumps(as_data(rows, facts, args.quick), indent=1) + "\n")
    return int(any(row.failed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
