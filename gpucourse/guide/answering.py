"""`answer` a question and be told at once; `result` of a sheet, by the first answer to each question.

Answers are kept in the learner's progress file beside the exercises, under ids of their own ("part1.3"), so they count
in no lesson's progress and in no marks.
"""

from __future__ import annotations

import datetime
from typing import Any

from gpucourse.errors import CourseError
from gpucourse.exercises import outcome, store
from gpucourse.exercises.outcome import NotAttempted, Wrong
from gpucourse.guide import sheets
from gpucourse.guide.question import UNKNOWN, Question, Section

_COLORS = {state: color for state, (_, color) in outcome.STATES.items()} | {"unknown": outcome.TOLD}
_WORDS = {"right": "right", "wrong": "not right", "nonsense": "not understood", "unknown": "good to know",
          "not attempted": "not answered yet"}  # fmt: skip


def answer(id: str, choice: Any = ...) -> None:
    """Judge an answer, a letter such as "b" or "?" for "I do not know", show why, and note it.

    >>> answer("part1.3", "b")          # doctest: +SKIP
    """
    try:
        question = sheets.find(id)
    except CourseError as error:
        outcome.show(str(error), outcome.box(str(error), "", outcome.TOLD))
        return
    state, message = judged(question, choice)
    if state in ("right", "wrong", "unknown"):
        _note(question, question.letter(choice), state)
    _show(question, state, message)


def judged(question: Question, choice: Any) -> tuple[str, str]:
    """Return the state of an answer ("right", "wrong", "unknown", "nonsense", "not attempted") and what to say."""
    try:
        letter = question.letter(choice)
    except NotAttempted as error:
        return "not attempted", str(error)
    except Wrong as error:
        return "nonsense", str(error)
    if letter == UNKNOWN:
        return "unknown", "Nothing is lost: this is what the course is for."
    try:
        question.judge(letter)
    except Wrong as error:
        return "wrong", str(error)
    return "right", question.why


def _note(question: Question, letter: str, state: str) -> None:
    def change(entries: store.Entries) -> None:
        entry = entries.setdefault(question.id, {})
        entry.setdefault("first", letter)
        attempts = entry.get("attempts")
        entry["attempts"] = (attempts if isinstance(attempts, int) else 0) + 1
        if state == "right":
            entry.setdefault("right", datetime.date.today().isoformat())

    store.update(change)


def _show(question: Question, state: str, message: str) -> None:
    headline = f"Question {question.number}: {_WORDS[state]}."
    to_read = question.read if state in ("wrong", "unknown") else ()
    lines = [headline, message, *(f"Read: {place.name}." for place in to_read)]
    body = outcome.paragraphs(message) + "".join(map(linked, to_read))
    outcome.show("\n".join(lines), outcome.box(headline, body, _COLORS.get(state, outcome.STATES["wrong"][1])))


def linked(place: Any) -> str:
    """Return "Read: ..." as HTML, with a link that opens the section or page."""
    target = "" if isinstance(place, Section) else ' target="_blank"'
    name = outcome.escaped(place.name)
    return f'<div style="margin-top:0.3em">Read: <a href="{place.link}"{target}>{name}</a>.</div>'


# -- the result of a sheet --------------------------------------------------------------------------


def first_answers(sheet: str) -> dict[str, str]:
    """Return question id -> the first answer that was given; a question without one is not in it."""
    kept = store.read()
    found = {question.id: kept.get(question.id, {}).get("first") for question in sheets.questions(sheet)}
    return {id: letter for id, letter in found.items() if isinstance(letter, str)}


def known(sheet: str) -> set[str]:
    """Return the ids of the questions whose first answer was right."""
    first = first_answers(sheet)
    return {question.id for question in sheets.questions(sheet) if first.get(question.id) == question.right}


def result(sheet: str) -> None:
    """Show how many first answers of a sheet were right, and which sections the others ask to read again."""
    try:
        asked = sheets.questions(sheet)
    except CourseError as error:
        outcome.show(str(error), outcome.box(str(error), "", outcome.TOLD))
        return
    given, right = first_answers(sheet), known(sheet)
    headline = f"{sheets.SHEETS[sheet][1]}: {len(right)} of {len(asked)} right at the first answer."
    left = len(asked) - len(given)
    open_ones = f"{left} without an answer yet." if left else "All are answered."
    to_read = unread(q for q in asked if q.id in given and q.id not in right)
    lines = [headline, open_ones, *(f"Read: {place.name}." for place in to_read)]
    body = outcome.paragraphs(open_ones) + "".join(map(linked, to_read))
    outcome.show("\n".join(lines), outcome.box(headline, body, outcome.TOLD))


def unread(questions: Any) -> list[Any]:
    """Return what the questions say to read, each place once, in order."""
    return list(dict.fromkeys(place for question in questions for place in question.read))


def forget(sheet: str) -> None:
    """Forget the answers to a sheet, to take it again; a copy of the progress file is kept."""
    ids = {question.id for question in sheets.questions(sheet)}
    if not ids & store.read().keys():
        outcome.show("Nothing was recorded.", outcome.box("Nothing was recorded.", "", outcome.TOLD))
        return
    store.back_up()
    store.update(lambda entries: _drop(entries, ids))
    text = f"{sheets.SHEETS[sheet][1]}: your answers are forgotten. Answer again."
    outcome.show(text, outcome.box(text, "", outcome.TOLD))


def _drop(entries: store.Entries, ids: set[str]) -> None:
    for id in ids & entries.keys():
        del entries[id]
