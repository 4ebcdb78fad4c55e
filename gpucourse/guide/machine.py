"""What this machine can do for the course, in a newcomer's words: what runs where, what is missing, the next step."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from gpucourse import backend
from gpucourse.backend import System
from gpucourse.examination import LESSONS, Report, Standing, examine
from gpucourse.guide.course import lesson
from gpucourse.show import here

COLUMNS = 100


def machine(system: System = backend.THIS_MACHINE) -> None:
    """Print what runs here and where, what is missing, and one next step. PyTorch is not imported for it."""
    print(here("\n".join(lines(examine(system, imports=False)))))


def lines(report: Report) -> list[str]:
    """Return the report in a newcomer's words, in lines of at most 100 columns; only a command may be longer."""
    said = [*_where(report), *_lacking(report.lessons), *_next_step(report)]
    return [line for text in said for line in (textwrap.wrap(text, COLUMNS) if text[:1] != " " else [text])]


def _where(report: Report) -> list[str]:
    running = {row.number: row.how for row in report.lessons if row.state == "runs"}
    arrays = [number for number in running if "arrays" in lesson(number).needs]
    torch = [number for number in running if "torch" in lesson(number).needs]
    gpu = any("on the GPU, through CuPy" in how for how in running.values())
    said = []
    if arrays:
        said.append(f"Arrays and kernels (lessons {numbers(arrays)}) run on {_ON_GPU if gpu else _ON_SIMULATOR}")
    if torch:
        on_gpu = any("PyTorch on the GPU" in running[number] for number in torch)
        said.append(f"PyTorch (lessons {numbers(torch)}) runs on {_TORCH_GPU if on_gpu else _TORCH_CPU}")
    return said or ["No lesson runs here yet."]


_ON_GPU = "the GPU, by CuPy. Profiles still come from the simulator, which counts what a GPU only times."
_ON_SIMULATOR = ("the simulator: no GPU can be used here, and none is needed. The same source is compiled by NVIDIA's "
                 "compiler; results and counts are those of a GPU, times are not.")  # fmt: skip
_TORCH_CPU = "the CPU. That is enough."
_TORCH_GPU = "the GPU if its build fits the driver: `doctor()` tries it."


def _lacking(standings: Sequence[Standing]) -> list[str]:
    """One sentence for each thing that is missing, with the lessons that lack it."""
    lacking: dict[str, list[str]] = {}
    for row in standings:
        if row.state == "lacks":
            lacking.setdefault(row.how, []).append(row.number)
    said = [f"Missing for {_lessons(who)}: {what}." for what, who in lacking.items()]
    later = [row.number for row in standings if row.state == "later"]
    return said + ([f"Not in this version of the course: {_lessons(later)}."] if later else [])


def _lessons(which: Sequence[str]) -> str:
    return f"lesson{'s' * (len(which) > 1)} {numbers(which)}"


def _next_step(report: Report) -> list[str]:
    """The first problem's step, or else the first note's; or to go on."""
    found = sorted(report.findings, key=lambda finding: finding.severity != "problem")
    if not found:
        return ["Nothing is missing. Next step: run the next cell."]
    first, kind = found[0], "must" if found[0].severity == "problem" else "can"
    rest = [f"`doctor()` shows {len(found) - 1} more."] if len(found) > 1 else []
    return [f"What you {kind} mend: {first.text}", f"Next step: {first.step}",
            *(f"    {command}" for command in first.commands), *rest]  # fmt: skip


def numbers(which: Sequence[str]) -> str:
    """Return lesson numbers as ranges: "01 to 12 and 17".

    >>> numbers(["01", "02", "03", "05"])
    '01 to 03 and 05'
    """
    order = [each.number for each in LESSONS]
    runs: list[list[str]] = []
    for number in which:
        follows = runs and order.index(number) == order.index(runs[-1][-1]) + 1
        runs[-1].append(number) if follows else runs.append([number])
    texts = [run[0] if len(run) == 1 else f"{run[0]} {'and' if len(run) == 2 else 'to'} {run[-1]}" for run in runs]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
