"""Build the notebooks from notebooks/src: assemble, execute, clean, write; or `--check` that they agree.

usage: build_notebooks.py [NN ...]            build these lessons, or all, into notebooks/; a page without a number
                                              is called by its name: quiz_part_1
       build_notebooks.py --prose [NN ...]    take over changed text; nothing is executed, each output stays. A lesson
                                              whose code has changed is refused
       build_notebooks.py --check [NN ...]    say which stored notebook differs from its source (exit 1)
       build_notebooks.py --solved DIR        write the edition in which every exercise is answered

Each lesson runs in a kernel of its own, in an empty folder, with a progress file of its own. Its
time and its peak memory are printed; a `<` marks what is over the limits of the contract.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from gpucourse.errors import CourseError
from gpucourse.whole_file import replacing
from lesson_source import SourceError, assemble, notebook_path, page_paths

CELL_SECONDS, LESSON_SECONDS = 120, 300     # a hang ends here; the limits of the contract are below
TRAINING = range(13, 20)                    # lessons that train may take twice as long
SOUND = (16, 17)                            # lessons with sound may be larger
LESSONS = range(1, 20)                      # every other page must be short and light
LIVE_VIEW = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True)
class Report:
    """What one lesson took: seconds and bytes of memory (kernel and its children), bytes as stored."""

    name: str
    cells: int
    seconds: float
    peak: int
    size: int

    def line(self) -> str:
        number = int(self.name[:2]) if self.name[:2].isdecimal() else 0
        lesson = number in LESSONS
        slow = self.seconds > (90 if number in TRAINING else 45 if lesson else 20)
        large = self.size > (3.0e6 if number in SOUND else 1.5e6)
        heavy = self.peak > (1.5e9 if lesson else 0.5e9)
        flags = ["<" if over else " " for over in (slow, heavy, large)]
        return (
            f"{self.name:28s} {self.cells:3d} cells  {self.seconds:6.1f} s{flags[0]} "
            f"{self.peak / 1e6:6.0f} MB peak{flags[1]} {self.size / 1e3:6.0f} kB stored{flags[2]}"
        )


class _PeakMemory(threading.Thread):
    """Samples the resident memory of a process and its children ten times a second; keeps the largest sum.

    A page that several of them share, of PyTorch's libraries above all, counts once, where Linux says who shares it.

    A child that was forked a moment ago shows its parent's pages as its own until it runs its program, and by then
    has another command line: the few milliseconds before would count everything twice.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.root, self.peak, self.done = psutil.Process(pid), 0, threading.Event()

    def run(self) -> None:
        command = self.root.cmdline()
        while not self.done.wait(0.1):
            try:
                family = [child for child in self.root.children(recursive=True) if child.cmdline() != command]
                self.peak = max(self.peak, sum(map(_resident, [self.root, *family])))
            except psutil.Error:
                continue   # a child ended between the two calls


def _resident(process: psutil.Process) -> int:
    """Return a process's resident bytes, its share of each shared page where the system knows it."""
    full = process.memory_full_info()
    return int(getattr(full, "pss", 0) or full.rss)


def execute(notebook: nbformat.NotebookNode) -> tuple[float, int]:
    """Run every cell in a fresh kernel of this environment; return seconds and peak bytes.

    Raises CellExecutionError with the failing cell, or TimeoutError when the lesson hangs.
    """
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            timeout=CELL_SECONDS,
            startup_timeout=60,
            record_timing=False,
            extra_arguments=["--log-level=40"],   # errors only
            store_widget_state=False,
            resources={"metadata": {"path": folder}},
        )
        manager = client.create_kernel_manager()
        manager.kernel_spec.argv[0] = sys.executable   # this environment, whatever `python3` is elsewhere
        environment = os.environ | {"GPUCOURSE_PROGRESS": str(Path(folder, "progress.json"))}
        with client.setup_kernel(env=environment, cwd=folder):
            return _run_cells(client, manager)


def _run_cells(client: NotebookClient, manager: Any) -> tuple[float, int]:
    hung = threading.Timer(LESSON_SECONDS, manager.provisioner.process.kill)
    memory = _PeakMemory(manager.provisioner.process.pid)
    for thread in (hung, memory):
        thread.daemon = True
        thread.start()
    start = time.perf_counter()
    try:
        for index, cell in enumerate(client.nb.cells):
            client.execute_cell(cell, index)
    finally:
        hung.cancel()
        memory.done.set()
    return time.perf_counter() - start, memory.peak


def clean(notebook: nbformat.NotebookNode) -> None:
    """Drop what differs from run to run: stderr, live widget views (their picture stays), execution metadata."""
    notebook.metadata.pop("widgets", None)
    count = 0
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        cell.outputs = _merged([out for out in cell.outputs if out.get("name") != "stderr"])
        for out in cell.outputs:
            out.get("data", {}).pop(LIVE_VIEW, None)
            if out.output_type == "execute_result":
                out.execution_count = count


def _merged(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Join neighboring pieces of stdout: where the kernel cuts a stream is chance."""
    merged: list[nbformat.NotebookNode] = []
    for out in outputs:
        if merged and out.output_type == merged[-1].output_type == "stream":
            merged[-1].text += out.text
        else:
            merged.append(out)
    return merged


def differences(stored: nbformat.NotebookNode, fresh: nbformat.NotebookNode) -> list[str]:
    """Say where the cells of a stored notebook differ from those that its source gives now."""
    if len(stored.cells) != len(fresh.cells):
        return [f"{len(stored.cells)} cells are stored, the source has {len(fresh.cells)}"]
    pairs = zip(stored.cells, fresh.cells, strict=True)
    return [f"cell {n} differs from the source" for n, (a, b) in enumerate(pairs) if _essence(a) != _essence(b)]


def _essence(cell: nbformat.NotebookNode) -> tuple[object, ...]:
    return cell.cell_type, cell.id, cell.source, tuple(cell.metadata.get("tags", ()))


def build(source: Path, target: Path, solved: bool = False) -> Report:
    """Assemble, execute and write one lesson; nothing is written when a cell fails."""
    notebook = assemble(source, solved)
    seconds, peak = execute(notebook)
    clean(notebook)
    _write(notebook, target)
    code = sum(cell.cell_type == "code" for cell in notebook.cells)
    return Report(source.stem, code, seconds, peak, target.stat().st_size)


def _write(notebook: nbformat.NotebookNode, target: Path) -> None:
    nbformat.validate(notebook)
    with replacing(target) as beside:
        nbformat.write(notebook, beside)


def take_over_prose(source: Path, target: Path) -> int:
    """Write the source's text beside the outputs that `target` stores; return how many cells of text differ.

    Raises SourceError where the code differs from what gave those outputs: only a build can make new ones.
    """
    fresh, stored = assemble(source), nbformat.read(target, as_version=4)
    new, old = ([cell for cell in notebook.cells if cell.cell_type == "code"] for notebook in (fresh, stored))
    if [cell.source for cell in new] != [cell.source for cell in old]:
        raise SourceError(f"{source.name}: its code has changed since {target.name} was built. Build it anew")
    for cell, before in zip(new, old, strict=True):
        cell.outputs, cell.execution_count = before.outputs, before.execution_count
    before = {cell.source for cell in stored.cells if cell.cell_type == "markdown"}
    _write(fresh, target)
    return sum(cell.cell_type == "markdown" and cell.source not in before for cell in fresh.cells)


def check(source: Path) -> list[str]:
    """Say how the stored notebook of `source` is out of date; an empty list when it is not."""
    stored = notebook_path(source)
    if not stored.exists():
        return [f"{stored.name} is not there"]
    return differences(nbformat.read(stored, as_version=4), assemble(source))


def _check_all(paths: list[Path]) -> int:
    stale = [f"{notebook_path(path).name}: {line}" for path in paths for line in check(path)]
    names = {notebook_path(path).name for path in page_paths()}
    stored = notebook_path(Path("any")).parent.glob("*.ipynb")
    stale += [f"{path.name}: it has no source" for path in stored if path.name not in names]
    good = f"{len(paths)} notebooks agree with their sources."
    print("\n".join(stale) + "\nRun `make notebooks`." if stale else good)
    return 1 if stale else 0


def _build_all(paths: list[Path], place: Callable[[Path], Path], solved: bool) -> int:
    failed = 0
    for path in paths:
        try:
            print(build(path, place(path), solved).line(), flush=True)
        except (CellExecutionError, TimeoutError, RuntimeError) as error:
            failed += 1
            print(f"{path.stem}: {type(error).__name__}\n{error}", file=sys.stderr)
    return 1 if failed else 0


def _take_over_all(paths: list[Path]) -> int:
    for path in paths:
        print(f"{path.stem}: {take_over_prose(path, notebook_path(path))} cells of text are new")
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", metavar="NN", help="lesson numbers; all without")
    parser.add_argument("--check", action="store_true", help="compare, execute nothing")
    parser.add_argument("--prose", action="store_true", help="take over changed text, execute nothing")
    parser.add_argument("--solved", metavar="DIR", type=Path, help="write the answered edition into DIR")
    options = parser.parse_args(arguments)
    try:
        paths = page_paths(options.lessons)
        if options.check:
            return _check_all(paths)
        if options.prose:
            return _take_over_all(paths)
        if options.solved:
            options.solved.mkdir(parents=True, exist_ok=True)
            return _build_all(paths, lambda path: options.solved / f"{path.stem}.ipynb", solved=True)
        return _build_all(paths, notebook_path, solved=False)
    except (SourceError, CourseError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
