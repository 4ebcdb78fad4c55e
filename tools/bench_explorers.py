"""Times the explorers: moves each control of each in this process, and prints how long a new picture takes.

usage: bench_explorers.py [NAME ...]

The limit is 300 ms from a control's move to the new picture's bytes; the browser adds some ten. Counted is the CPU time
of this process, which other programs lengthen little; on an idle machine it is the time on the clock. The first picture
of an explorer is left out: it comes while its cell runs. A `<` marks what is over the limit; the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import ast
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from explorer_cells import CELLS, IMPORTS

LIMIT = 0.300
PLACES = 7   # of a control, at most, spread from its first to its last


@dataclass(frozen=True)
class Report:
    """Seconds of an explorer's moves, and the slowest of them in words."""

    name: str
    seconds: tuple[float, ...]
    slowest: str

    @property
    def slow(self) -> bool:
        return max(self.seconds) > LIMIT

    def line(self) -> str:
        median, worst = 1000 * statistics.median(self.seconds), 1000 * max(self.seconds)
        mark = "<" if self.slow else " "
        times = f"median {median:5.0f} ms  worst {worst:5.0f} ms{mark}"
        return f"{self.name:30s} {len(self.seconds):3d} moves  {times} {self.slowest}"


def made(cell: str) -> Any:
    """Run a cell, as IPython would; return the value of its last line."""
    *before, last = ast.parse(f"{IMPORTS}\n{cell}").body
    names: dict[str, Any] = {}
    exec(compile(ast.Module(before, []), "<cell>", "exec"), names)
    return eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)   # type: ignore[attr-defined]


def places(control: Any) -> list[Any]:
    """Values to move a control to, the one it has left out."""
    if hasattr(control, "options"):
        values = [option[1] if isinstance(option, tuple) else option for option in control.options]
    elif isinstance(control.value, bool):
        values = [False, True]
    else:
        whole, span = isinstance(control.value, int), control.max - control.min
        values = [control.min + span * i / (PLACES - 1) for i in range(PLACES)]
        values = [round(value) for value in values] if whole else values
    spread = {round(i * (len(values) - 1) / (PLACES - 1)) for i in range(PLACES)}
    return [values[i] for i in sorted(spread) if values[i] != control.value]


def moves(shown: Any) -> Iterator[tuple[str, float]]:
    """Move every control to some places, then back; yield the move in words and its seconds."""
    for key, control in shown.controls.items():
        home = control.value
        for value in [*places(control), home]:
            began = time.process_time()
            control.value = value
            yield f"{key} = {value}", time.process_time() - began


def bench(name: str) -> Report:
    """Time one explorer."""
    timed = list(moves(made(CELLS[name])))
    words, _ = max(timed, key=lambda move: move[1])
    return Report(name, tuple(seconds for _, seconds in timed), words)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CELLS)}; all without")
    names = parser.parse_args(arguments).names or list(CELLS)
    if unknown := set(names) - set(CELLS):
        parser.error(f"there is no explorer {', '.join(sorted(unknown))}; there are {', '.join(CELLS)}")
    slow = 0
    for name in names:
        report = bench(name)
        slow += report.slow
        print(report.line(), flush=True)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
