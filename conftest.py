"""What pytest and nbval need to compare the lessons honestly: the sanitize rule, and nbval's own traps closed.

Each hook below closes one trap, named in its docstring. They act only on `pytest --nbval`.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
CELL_LIMIT = 180   # seconds; the slowest lesson may take 90 in all
MARKER = re.compile(r"nbval[_-][a-z_]+", re.IGNORECASE)
STANDS_ALONE = re.compile(r"\s*#\s*NBVAL_(IGNORE_OUTPUT|CHECK_OUTPUT|RAISES_EXCEPTION|SKIP)\s*")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the learner's own progress out of tests; give nbval our rule, kernel and limits from any folder."""
    os.environ["GPUCOURSE_PROGRESS"] = str(Path(tempfile.mkdtemp(prefix="gpucourse-test-")) / "progress.json")
    option = config.option
    if not getattr(option, "nbval", False):
        return
    if not option.nbval_sanitize_with:
        option.nbval_sanitize_with = str(ROOT / "tests" / "nbval_sanitize.cfg")
    if not option.nbval_kernel_name:
        option.nbval_current_env = True   # the kernel of this very environment, not another `python3`
    option.nbval_cell_timeout = min(option.nbval_cell_timeout, CELL_LIMIT)
    _one_worker_per_lesson(option)
    _watch_the_kernel()
    _compare_without_stderr()


def _one_worker_per_lesson(option: object) -> None:
    """With pytest-xdist the cells of one lesson must share one kernel: only `--dist loadfile` does that."""
    if getattr(option, "numprocesses", None) and option.dist != "loadfile":
        option.dist = "loadfile"


def _watch_the_kernel() -> None:
    """A dead kernel must fail its cell within seconds; nbval alone waits for the whole cell limit."""
    from queue import Empty

    from nbval.kernel import RunningKernel

    if hasattr(RunningKernel, "watched"):
        return
    patient = RunningKernel.get_message

    def get_message(self: RunningKernel, stream: str, timeout: float | None = None) -> object:
        end = time.monotonic() + (CELL_LIMIT if timeout is None else timeout)
        while True:
            try:
                return patient(self, stream, timeout=max(0.01, min(1.0, end - time.monotonic())))
            except Empty:
                if not self.is_alive():
                    raise RuntimeError("the kernel died while it ran this cell") from None
                if time.monotonic() >= end:
                    raise

    RunningKernel.get_message, RunningKernel.watched = get_message, True


def _compare_without_stderr() -> None:
    """Progress bars and warnings go to stderr and differ from run to run; everything else is compared."""
    from nbval import plugin

    if hasattr(plugin.IPyNbCell, "without_stderr"):
        return
    strict = plugin.IPyNbCell.compare_outputs

    def compare_outputs(self: plugin.IPyNbCell, test: list, ref: list, skip_compare: tuple | None = None) -> bool:
        test, ref = ([out for out in outs if out.get("name") != "stderr"] for outs in (test, ref))
        return strict(self, test, ref, skip_compare)

    plugin.IPyNbCell.compare_outputs, plugin.IPyNbCell.without_stderr = compare_outputs, True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Find the cells that nbval would pass without comparing anything."""
    for item in items:
        if hasattr(item, "cell") and hasattr(item, "cell_num"):
            item.complaint = _complaint(item.cell)


def _complaint(cell: dict) -> str | None:
    """Say why a cell would go uncompared, or None: it was never executed, or its marker is not one."""
    source = cell["source"]
    if source.strip() and cell.get("execution_count") is None:
        return "this cell is stored unexecuted, so nothing would be compared; run `make notebooks`"
    for line in source.splitlines():
        if MARKER.search(line) and not STANDS_ALONE.fullmatch(line):
            return f"nbval ignores this marker, which must stand alone on its line, in upper case: {line.strip()}"
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Fail such a cell with its complaint before nbval runs it."""
    complaint = getattr(item, "complaint", None)
    if complaint:
        item.raise_cell_error(complaint)
