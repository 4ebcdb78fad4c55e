"""The command `python -m gpucourse grade FOLDER --csv OUT`: marks a class's notebooks, without a GPU."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gpucourse.grading import report, sandbox
from gpucourse.grading.marking import Limits, Marks, mark
from gpucourse.grading.submissions import Submission, Unreadable, code_cells, submissions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    usual = Limits()
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="submitted notebooks, one folder a learner")
    parser.add_argument("--csv", type=Path, required=True, metavar="OUT", help="where the marks go, a row an exercise")
    parser.add_argument("--seed", type=int, help="makes the hidden inputs (default: a new one; the marks name it)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="submissions marked at once (default: 1)")
    parser.add_argument("--cell-seconds", type=float, default=usual.cell_seconds, metavar="S", help="limit of a cell")
    parser.add_argument("--seconds", type=float, default=usual.seconds, metavar="S", help="limit of a submission")
    parser.add_argument("--memory", type=float, default=usual.memory / 2**30, metavar="GIB", help="its limit")
    parser.add_argument("--course", type=Path, default=Path.cwd(), metavar="DIR",
                        help="the course's folder: its own cells run only where they are needed")  # fmt: skip
    parser.add_argument("--trust", action="store_true", help="mark without a sandbox where there is none")


def run(args: argparse.Namespace) -> int:
    """Mark, print a line for each submission, and write the file; 0 unless there is no sandbox and no `--trust`."""
    report.require_own(args.csv)
    found = submissions(args.folder)
    if sandbox.missing() and not args.trust:
        print(f"{sandbox.missing()}. Without it the submissions run as you. {sandbox.NOT_GUARANTEED}\n"
              "Next step: install it, or, if you trust all of them, add --trust.", file=sys.stderr)  # fmt: skip
        return 1
    seed = secrets.randbelow(2**31) if args.seed is None else args.seed
    rows = []
    for marks in _all_marked(found, args, seed):
        print(report.line(marks), flush=True)
        rows += list(report.rows(marks, args.folder, seed))
        report.write(args.csv, rows)     # what is done is kept if this is interrupted
    print(f"{args.csv}: {len(rows)} rows, seed {seed}")
    return 0


def _all_marked(found: list[Submission], args: argparse.Namespace, seed: int) -> Iterator[Marks]:
    limits = Limits(args.cell_seconds, args.seconds, int(args.memory * 2**30))
    originals = originals_in(args.course / "notebooks")
    with ThreadPoolExecutor(max(1, args.jobs)) as pool:
        yield from pool.map(lambda each: mark(each, seed, limits, originals), found)


def originals_in(folder: Path) -> frozenset[str]:
    """Return the sources of the code cells of the course's notebooks; none if they are not there."""
    try:
        return frozenset(cell for path in folder.glob("[0-9][0-9]_*.ipynb") for cell in code_cells(path))
    except Unreadable:
        return frozenset()
