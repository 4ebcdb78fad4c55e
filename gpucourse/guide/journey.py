"""How far the learner is: exercises solved in each lesson, quizzes, and what is next."""

from __future__ import annotations

import html
from dataclasses import dataclass

from gpucourse.exercises import outcome, registry, store
from gpucourse.guide import answering, sheets
from gpucourse.guide.course import PARTS, Part, file_name, lesson
from gpucourse.show import here

BAR = 10   # characters


@dataclass(frozen=True)
class Row:
    """A lesson's state: exercises solved, of how many, and whether any was tried."""

    number: str
    solved: int
    of: int
    tried: bool

    @property
    def done(self) -> bool:
        return self.of > 0 and self.solved == self.of


def rows() -> dict[str, Row]:
    """Return lesson number -> its state, for the lessons of this version, in order."""
    kept = store.read()
    return {number: _row(number, kept) for number in registry.lessons()}


def _row(number: str, kept: store.Entries) -> Row:
    ids = [problem.id for problem in registry.problems(number)]
    solved = sum(bool(kept.get(id, {}).get("right")) for id in ids)
    return Row(number, solved, len(ids), any(kept.get(id, {}).get("attempts") for id in ids))


def next_lesson(found: dict[str, Row]) -> str | None:
    """Return the lesson to go on with: the last one begun, or the one after it; None when all are done."""
    begun = [number for number, row in found.items() if row.tried]
    todo = [number for number, row in found.items() if not row.done]
    later = [number for number in todo if not begun or number >= begun[-1]]
    return next(iter(later or todo), None)


def journey() -> None:
    """Show the exercises solved in each lesson, the quizzes' results, and what is next."""
    found = rows()
    table = [line for part in PARTS for line in _part_lines(part, found)]
    texts = [*table, _totals(found), _next(found)]
    page = f'<pre style="margin:0.3em 0">{html.escape(here(chr(10).join(texts[:-1])), quote=False)}</pre>'
    headline = "Your way so far"
    target = next_lesson(found)
    link = f' <a href="{file_name(target)}">Open it</a>' if target else ""
    page += f"<div>{html.escape(here(texts[-1]), quote=False)[:-1]}{link}⟩</div>"
    outcome.show("\n".join([headline, here("\n".join(texts))]), outcome.box(headline, page, outcome.TOLD))


def _part_lines(part: Part, found: dict[str, Row]) -> list[str]:
    lessons = [f"  {row.number} {lesson(row.number).title:<28}{_bar(row)}" for row in found.values()
               if part.first <= row.number <= part.last]  # fmt: skip
    return [f"Part {part.roman}: {part.name}", *lessons, f"  {'quiz':<31}{_quiz(part.quiz)}"]


def _bar(row: Row) -> str:
    full = row.solved * BAR // row.of if row.of else 0
    return f"{'#' * full}{'.' * (BAR - full)}  {row.solved} of {row.of}"


def _quiz(sheet: str) -> str:
    given, of = len(answering.first_answers(sheet)), len(sheets.questions(sheet))
    return f"{len(answering.known(sheet))} of {of} right at the first answer" if given else "not begun"


def _totals(found: dict[str, Row]) -> str:
    solved, of = sum(row.solved for row in found.values()), sum(row.of for row in found.values())
    return f"All exercises: {solved} of {of} solved, {sum(row.done for row in found.values())} lessons complete"


def _next(found: dict[str, Row]) -> str:
    target = next_lesson(found)
    if target is None:
        return "All exercises are solved. Next: the capstone."
    if not any(row.tried for row in found.values()):
        return "No exercise tried yet. Next: what section 4 of this page named, or lesson 01."
    row = found[target]
    left = row.of - row.solved
    return f"Next: lesson {target}, {lesson(target).title}, with {left} exercise{'s' * (left > 1)} to solve."
