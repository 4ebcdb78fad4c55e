"""All questions, sheet by sheet: the placement test and the quiz of each part."""

from __future__ import annotations

from importlib import import_module

from gpucourse.errors import CourseError
from gpucourse.guide.question import Question

# sheet -> the module that holds its QUESTIONS, and its name for the reader
SHEETS = {
    "start": ("placement", "Placement test"),
    "part1": ("part_1", "Quiz of part I"),
    "part2": ("part_2", "Quiz of part II"),
    "part3": ("part_3", "Quiz of part III"),
    "part4": ("part_4", "Quiz of part IV"),
}


class UnknownQuestion(CourseError):
    """No question or sheet has this id; the text says which there are."""


def questions(sheet: str) -> tuple[Question, ...]:
    """Return the questions of a sheet, such as "part1"; raise UnknownQuestion for no such sheet."""
    if not isinstance(sheet, str) or sheet not in SHEETS:
        raise UnknownQuestion(f"There is no sheet {sheet!r}: choose {', '.join(SHEETS)}.")
    found: tuple[Question, ...] = import_module(f"gpucourse.guide.{SHEETS[sheet][0]}").QUESTIONS
    return found


def find(id: object) -> Question:
    """Return the question called `id`, such as "part1.3"; raise UnknownQuestion, in one line, for no such id."""
    if not isinstance(id, str):
        raise UnknownQuestion('The id of the question comes first, as a string: answer("part1.3", "b").')
    sheet = id.partition(".")[0]
    for question in questions(sheet):
        if question.id == id:
            return question
    raise UnknownQuestion(f"There is no question {id!r}; {sheet} has 1 to {len(questions(sheet))}.")
