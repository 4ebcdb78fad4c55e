"""Writes docs/wrong_answers.md: each exercise's wrong answers and what their authors are told.

usage: build_mutant_table.py [--check]

The answers are those of tests/mutants; each is judged anew. `--check` writes nothing and fails if the page lacks an
answer, has one too many, or gives another message.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from generated import settled

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from gpucourse import cupy_sim  # noqa: E402
from gpucourse.exercises import registry  # noqa: E402
from gpucourse.exercises.problem import Problem  # noqa: E402
from tests.mutants.mutant import Mutant, answer_of  # noqa: E402

_ADDRESS = re.compile(r"(?<=address )0x[0-9a-f]+")
PAGE = ROOT / "docs" / "wrong_answers.md"
HEAD = """# Wrong answers, and what the checks say

Written by `python tools/build_mutant_table.py`. Each row is a wrong answer from `tests/mutants`, judged on the
simulator; the tests hold that its message names its cause.
"""


def rows(problem: Problem, mutants: tuple[Mutant, ...]) -> Iterator[str]:
    """One row of the table for each wrong answer, as Markdown."""
    for mutant in mutants:
        outcome = problem.check(answer_of(mutant.source, problem.answer, np=np, cp=cupy_sim))
        yield f"| {_cell(mutant.name)} | {outcome.state} | {_cell(outcome.message)} |"


def _cell(text: str) -> str:
    """A text in one line; where arrays lie in memory differs from run to run."""
    return _ADDRESS.sub("0x…", " ".join(text.replace("|", "\\|").split()))


def page() -> str:
    """The whole page; the lessons are judged side by side, each in one process."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        return "\n".join([HEAD, *pool.map(part, registry.lessons().values())])


def part(name: str) -> str:
    """The page's part for the lesson whose exercises are the module `name`."""
    mutants: dict[str, Any] = import_module(f"tests.mutants.{name}").MUTANTS
    out: list[str] = []
    for problem in import_module(f"gpucourse.exercises.{name}").PROBLEMS:
        out += [f"## {problem.id} {problem.title}", "", "| wrong answer | outcome | message |", "|---|---|---|"]
        out += [*rows(problem, mutants[problem.id]), ""]
    return "\n".join(out)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the page, write nothing")
    check = parser.parse_args().check
    text = page()
    well = settled(PAGE, text, check, "python tools/build_mutant_table.py")
    print(f"{PAGE.relative_to(ROOT)}: {text.count(chr(10) + '| ') - text.count('| wrong answer |')} wrong answers")
    return int(not well)


if __name__ == "__main__":
    sys.exit(main())
