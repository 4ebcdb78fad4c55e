"""Measures every lesson as Binder runs it, on one core and under 2 GB; writes docs/budgets.md: time and peak memory.

usage: budgets.py [NN ...]

Run it in an environment such as Binder's, with PyTorch's build for CPUs (binder/requirements.txt): each process that
imports a CUDA build takes some 100 to 150 MB more, and lesson 18 has four. The table names the build.

Lessons named by number are measured anew, the other rows stay; without, all are. A lesson that needs more than 2 GB
is killed there, where this machine lets us make a control group (root, or a delegated one); elsewhere its peak is
compared. The exit status is 1 if a lesson failed, or is over a limit of the contract. Seconds need a quiet machine: a
row that was measured on a busy one names its load, and proves nothing about time.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path

import build_notebooks
from build_notebooks import TRAINING, execute
from gpucourse.errors import CourseError
from lesson_source import ROOT, SourceError, assemble, lesson_paths

TABLE = ROOT / "docs" / "budgets.md"
BINDER_BYTES = 2 * 10**9
LESSON_MB = 1500         # the rest of Binder's 2 GB is JupyterLab's own
QUIET_LOAD = 1.5         # more than this, before a lesson starts, and its time is not its own
SECONDS = 1800           # a hang ends here
GROUPS = Path("/sys/fs/cgroup")
ROW = re.compile(
    r"^\| `(\S+)` \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\S+) \| ([\d-]{10})(?:, load (\d+\.\d))? \|$", re.MULTILINE
)


@dataclass(frozen=True)
class Row:
    """What one lesson took on one core: seconds, of these the processor's, megabytes; with which PyTorch; load if the
    machine was busy."""

    name: str
    cells: int
    seconds: int
    processor: int
    megabytes: int
    torch: str
    date: str
    load: float = 0.0

    def line(self) -> str:
        when = f"{self.date}, load {self.load:.1f}" if self.load else self.date
        figures = (self.cells, self.seconds, self.processor, self.megabytes)
        return f"| `{self.name}` | {' | '.join(map(str, figures))} | {self.torch} | {when} |"

    def over(self) -> str:
        """Which limit of the contract it breaks, "" if none; of time only a quiet machine can tell."""
        limit = 90 if int(self.name[:2]) in TRAINING else 45
        if self.megabytes > LESSON_MB:
            return f"{self.name}: {self.megabytes} MB at the peak; the limit is {LESSON_MB} MB"
        slow = self.seconds > limit and not self.load
        return f"{self.name}: {self.seconds} s on one core; the limit is {limit} s" if slow else ""


def read_rows(text: str) -> dict[str, Row]:
    """The rows of a table, by lesson."""
    kinds = [int if field.type == "int" else str for field in fields(Row)[:-1]]
    found = {}
    for match in ROW.finditer(text):
        values = [kind(value) for kind, value in zip(kinds, match.groups()[:-1], strict=True)]
        found[match[1]] = Row(*values, load=float(match[8] or 0))   # type: ignore[arg-type]
    return found


def page(rows: dict[str, Row], machine: str) -> str:
    """docs/budgets.md."""
    busy = sum(bool(row.load) for row in rows.values())
    note = f"""
{busy} {"row names" if busy == 1 else "rows name"} a load above {QUIET_LOAD}: other work ran beside. Such seconds, the
processor's too, are too many and wait for a quiet machine; only the memory is held against the contract.
""" if busy else ""
    over = "; ".join(filter(None, (rows[name].over() for name in sorted(rows))))
    note += f"""
Over the contract: {over}.
""" if over else ""
    return f"""# What each lesson takes on one core

Written by `tools/budgets.py`, which runs every lesson top to bottom with its stubs untouched, as Binder does: one core,
no more than 2 GB, and nothing kept from an earlier run. Machine: {machine}; one core used, no GPU. The contract: 45 s
(lessons that train: 90 s) and {LESSON_MB} MB; the peak counts the lesson's processes, a shared page once. Binder has
PyTorch's build for CPUs. A CUDA build takes more memory, above all in lesson 18, where four processes import it: 1.8 GB
there on two cores.
{note}
| lesson | code cells | seconds | of these the processor's | peak MB | PyTorch | measured |
|---|---:|---:|---:|---:|---|---|
""" + "".join(f"{rows[name].line()}\n" for name in sorted(rows))


def machine() -> str:
    """This machine's processor and number of cores."""
    model = platform.processor()
    with suppress(OSError):
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        model = found[1] if found else model
    return f"{model}, {os.cpu_count()} cores"


def join_group(groups: Path = GROUPS) -> bool:
    """Put this process under Binder's limit; False where no control group may be made."""
    new = groups / f"gpucourse-{os.getpid()}", "memory.max", "cgroup.procs"
    old = groups / "memory" / f"gpucourse-{os.getpid()}", "memory.limit_in_bytes", "tasks"
    for folder, limit, members in (old, new):
        with suppress(OSError):
            folder.mkdir()
            (folder / limit).write_text(str(BINDER_BYTES))
            (folder / members).write_text(str(os.getpid()))
            return True
    return False


def leave_group(pid: int, groups: Path = GROUPS) -> None:
    """Remove what join_group made for a process that has ended."""
    for folder in (groups / f"gpucourse-{pid}", groups / "memory" / f"gpucourse-{pid}"):
        with suppress(OSError):
            folder.rmdir()


def one(path: Path) -> Row:
    """Run a lesson in this process, which gives up all cores but one."""
    load = os.getloadavg()[0]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    join_group()
    build_notebooks.CELL_SECONDS = build_notebooks.LESSON_SECONDS = SECONDS   # a busy machine is no failure
    notebook = assemble(path)
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home              # on Binder nothing is compiled, rendered or drawn before
        os.environ["PYTHONPATH"] = str(ROOT)   # this tree, whatever the environment has installed
        for variable in ("XDG_CACHE_HOME", "GPUCOURSE_CACHE_DIR", "MPLCONFIGDIR"):
            os.environ.pop(variable, None)
        seconds, peak = execute(notebook)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = sum(cell.cell_type == "code" for cell in notebook.cells)
    today = datetime.date.today().isoformat()
    return Row(path.stem, code, round(seconds), round(used.ru_utime + used.ru_stime), round(peak / 1e6),
               version("torch"), today, round(load, 1) if load > QUIET_LOAD else 0.0)  # fmt: skip


def measured(path: Path) -> Row | str:
    """A lesson's row, measured in a process of its own; or why there is none."""
    command = [sys.executable, __file__, "--one", path.stem[:2]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            out, err = child.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            return f"{path.stem}: not done after {SECONDS} s"
    leave_group(child.pid)
    if child.returncode:
        killed = "killed: more than 2 GB" if child.returncode == -9 or "DeadKernelError" in err else err.strip()[-1500:]
        return f"{path.stem}: {killed}"
    return Row(**json.loads(out.splitlines()[-1]))


def measure(paths: list[Path]) -> int:
    """Measure the lessons, write the table after each, and say what is over a limit."""
    text = TABLE.read_text("utf-8") if TABLE.exists() else ""
    known = {path.stem for path in lesson_paths()}
    rows = {name: row for name, row in read_rows(text).items() if name in known}
    if set(rows) - {path.stem for path in paths} and machine() not in text:
        print("The other rows are another machine's: measure all lessons, without numbers.", file=sys.stderr)
        return 1
    faults = []
    for path in paths:
        found = measured(path)
        if isinstance(found, Row):
            rows[found.name] = found
            TABLE.write_text(page(rows, machine()), "utf-8")
        faults.append(found.over() if isinstance(found, Row) else found)
        print(found.line() if isinstance(found, Row) else found, flush=True)
    print("\n".join(filter(None, faults)), file=sys.stderr)
    return 1 if any(faults) else 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", metavar="NN", help="lesson numbers; all without")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        paths = lesson_paths(options.lessons)
    except (SourceError, CourseError) as error:
        print(error, file=sys.stderr)
        return 1
    if options.one:
        print(json.dumps(asdict(one(paths[0]))))
        return 0
    return measure(paths)


if __name__ == "__main__":
    sys.exit(main())
