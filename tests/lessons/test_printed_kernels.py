"""Every kernel that a lesson runs is held under the sanitizers and both schedules; wrong ones must be announced.

A kernel is announced as wrong by the lesson itself: it hands the kernel to `sanitize` in view of the learner.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("IPython")
import gpucourse
from gpucourse import cupy_sim, explain
from gpucourse.cupy_sim import function
from gpucourse.errors import CourseError
from gpucourse.simt.run import Pointer
from gpucourse.simt.sanitize import sanitize_launch
from lesson_source import assemble, page_paths

MOST_THREADS = 1 << 19      # a kernel must have a launch that is not larger
AGAIN = 1 << 14             # nor are further launches of a kernel looked at that are larger than this
SEEDS = (1, 2)
MAGIC = re.compile(r"^( *)[%!].*", re.MULTILINE)     # the first cell's %pip stands within an `if`
TOLERANCE = {"rtol": 1e-3, "atol": 1e-5}     # atomics add floats in another order


class Watch:
    """Launches of a lesson: source -> what is wrong with it, and the sources that the lesson calls wrong."""

    def __init__(self) -> None:
        self.wrong: dict[str, str] = {}
        self.announced: set[str] = set()
        self.seen: set[str] = set()
        self.launched: set[str] = set()

    def carry(self, call: function.Call) -> str:
        """Judge a launch on copies, then carry it out."""
        source, threads = call.program.source, int(np.prod(call.grid)) * int(np.prod(call.block))
        self.launched.add(source)
        if threads <= (AGAIN if source in self.seen else MOST_THREADS):
            self.seen.add(source)
            found = sanitized(call) or other_order(call)
            if found:
                self.wrong.setdefault(source, found)
        return call.run().printed

    def sanitize(self, kernel: Any, *args: Any, **options: Any) -> Any:
        """The lesson's own `sanitize`, noted."""
        report = explain.sanitize(kernel, *args, **options)
        if report.findings:
            self.announced.add(explain.simulated(kernel)._program().source)
        return report


def sanitized(call: function.Call) -> str:
    """What the sanitizers say of a launch, or nothing."""
    with explain._on_copies(call) as copied:
        report = sanitize_launch(copied.program, copied.name, copied.grid, copied.block, copied.args,
                                 shared_bytes=copied.shared_bytes, max_shared=explain._MOST_SHARED,
                                 uninitialised=explain._never_written(call, copied))  # fmt: skip
    return "" if report.ok else str(report)


def other_order(call: function.Call) -> str:
    """Which seed of the adversarial schedule gives another result than lock-step, or nothing."""
    due = results(call)
    for seed in SEEDS:
        for got, want in zip(results(call, schedule="adversarial", seed=seed), due, strict=True):
            if not np.allclose(got, want, **TOLERANCE, equal_nan=True):
                return f"seed {seed} of the adversarial schedule gives another result than lock-step"
    return ""


def results(call: function.Call, **options: Any) -> list[Any]:
    """The launch's arrays after it ran on copies."""
    with explain._on_copies(call) as copied:
        copied.run(**options)
        return [np.array(a) for a in copied.args if isinstance(a, np.ndarray) and not isinstance(a, Pointer)]


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Every launch and every `sanitize` of the course goes through a Watch."""
    watch = Watch()
    monkeypatch.setattr(gpucourse, "sanitize", watch.sanitize, raising=False)
    monkeypatch.setattr(gpucourse, "cp", cupy_sim, raising=False)
    function.carriers.append(watch.carry)
    with ExitStack() as stack:
        stack.callback(function.carriers.remove, watch.carry)
        yield watch


LESSONS = [path for path in page_paths() if "Kernel(" in Path(path).read_text(encoding="utf-8")]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("path", LESSONS, ids=[Path(path).stem for path in LESSONS])
def test_the_kernels_of_a_lesson_are_right_or_called_wrong(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [cell.source for cell in assemble(path).cells if cell.cell_type == "code"]
    cells = [source for source in cells if not source.startswith("%%needs")]     # what may be skipped, is
    names: dict[str, Any] = {"__name__": "__main__"}
    with watched(monkeypatch) as watch:
        for number, source in enumerate(cells):
            code, file = MAGIC.sub(r"\1pass", source), f"<{Path(path).stem} cell {number}>"
            linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)   # for inspect.getsource
            try:
                exec(compile(code, file, "exec"), names)
            except CourseError as error:
                pytest.fail(f"a cell stops: {error}\n{source}")
    unannounced = {source: text for source, text in watch.wrong.items() if source not in watch.announced}
    assert unannounced == {}
    assert watch.launched == watch.seen, "these kernels have no launch that is small enough to be looked at"


RACY = """extern "C" __global__ void racy(const float* x, float* out) {
    __shared__ float tile[64];
    tile[threadIdx.x] = x[threadIdx.x];
    out[threadIdx.x] = tile[63 - threadIdx.x];
}"""


def test_a_wrong_kernel_is_seen_unless_it_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    args = (cupy_sim.arange(64, dtype=np.float32), cupy_sim.zeros(64, np.float32))
    with watched(monkeypatch) as watch:
        kernel = cupy_sim.RawKernel(RACY, "racy")
        kernel((1,), (64,), args)
        assert "race" in watch.wrong[RACY] and not watch.announced
        gpucourse.sanitize(kernel, (1,), (64,), args)
        assert watch.announced == {RACY}
