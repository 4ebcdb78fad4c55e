"""The capstone's rubric: criteria by levels, as a table, and the points of a project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpucourse.exercises import outcome

TOP = 3   # levels go from 0 to this


@dataclass(frozen=True)
class Criterion:
    """One row: a name, the points that its top level brings, and what each level from 0 to 3 looks like."""

    name: str
    points: int
    levels: tuple[str, str, str, str]


RUBRIC = (
    Criterion("question", 10, (
        "a topic, no question", "a question without a number",
        "a question, a number to reach, and the baseline to beat",
        "and it was written down before the first result, with what would count as failure")),
    Criterion("correctness", 20, (
        "not tested", "looks right on one example",
        "agrees with a result from elsewhere on several inputs; training, validation and test are apart",
        "and on inputs that break lazy answers; sanitize is clean, or a leak was looked for and ruled out")),
    Criterion("baseline", 15, (
        "none", "one that is easy to beat", "the simplest thing that is not silly, on the same test",
        "and it was given as much care as your own: tuned, on the same data, with the same clock")),
    Criterion("evidence", 25, (
        "a claim", "one number from one run",
        "counts that repeat, or several seeds with median, smallest and largest",
        "and one thing changed at a time, so that each gain has its cause")),
    Criterion("errors", 20, (
        "not looked at", "some examples", "counted and grouped: by line, by class, by hour",
        "and a cause was named, tested by an experiment, and kept or dropped")),
    Criterion("report", 10, (
        "cells without text", "says what was done", "runs from top to bottom; says what, why, and how sure",
        "and says what did not work, what it cannot tell, and what you would do next")),
)  # fmt: skip


def rubric() -> None:
    """Show the rubric as a table."""
    head = ("criterion", "points", *(str(level) for level in range(TOP + 1)))
    rows = [(row.name, str(row.points), *row.levels) for row in RUBRIC]
    lines = [f"{name} ({worth}): " + "; ".join(f"{k} {text}" for k, text in enumerate(levels))
             for name, worth, *levels in rows]  # fmt: skip
    page = "".join(map(_line, rows))
    outcome.show("\n".join(lines), f"<table>{_line(head, 'th')}{page}</table>")


def _line(cells: tuple[str, ...], tag: str = "td") -> str:
    style = 'style="text-align:left;vertical-align:top"'
    return "<tr>" + "".join(f"<{tag} {style}>{outcome.escaped(cell)}</{tag}>" for cell in cells) + "</tr>"


def points(levels: Mapping[str, Any]) -> None:
    """Show the points of a project from criterion -> level, 0 to 3; one line says what is missing or impossible."""
    text = said(levels)
    outcome.show(text, outcome.box(text, "", outcome.TOLD))


def said(levels: Any) -> str:
    """Return the sum in words, or what is wrong with the levels, in one line."""
    names = [row.name for row in RUBRIC]
    if not isinstance(levels, Mapping) or set(levels) != set(names):
        return f"Give a level to each of {', '.join(names)}, in a dict."
    open_ones = [name for name in names if levels[name] is ...]
    bad = [name for name in names if name not in open_ones and not _is_level(levels[name])]
    if bad:
        return f"{bad[0]} has the level {levels[bad[0]]!r}; levels are 0, 1, 2 and {TOP}."
    if open_ones:
        return f"Not judged yet: {', '.join(open_ones)}."
    total = sum(row.points * levels[row.name] for row in RUBRIC) / TOP
    weakest = min(RUBRIC, key=lambda row: (levels[row.name], -row.points))
    if levels[weakest.name] == TOP:
        return f"{total:.0f} of 100 points."
    return f"{total:.0f} of 100 points. Next: {weakest.name}: {weakest.levels[levels[weakest.name] + 1]}."


def _is_level(level: Any) -> bool:
    return isinstance(level, int) and not isinstance(level, bool) and 0 <= level <= TOP
