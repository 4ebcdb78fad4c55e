"""The marks as a CSV file, a row for each exercise of each submission, and as lines for the teacher to read."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from gpucourse.errors import CourseError
from gpucourse.grading.marking import Marks
from gpucourse.whole_file import replacing

COLUMNS = ("learner", "notebook", "lesson", "exercise", "state", "points", "message", "flags", "seconds", "seed")


def rows(marks: Marks, folder: Path, seed: int) -> Iterator[tuple[str | int | float, ...]]:
    """Yield a row for each exercise; a file that is no notebook has one row without an exercise."""
    submission = marks.submission
    name = str(submission.path.relative_to(folder))
    found = marks.exercises or {"": ("unreadable", submission.problem)}
    for id, (state, message) in found.items():
        texts = (submission.learner, name, submission.lesson, id, state)
        yield (*map(plain, texts), int(state == "right"), plain(message), plain("; ".join(marks.flags)),
               round(marks.seconds, 1), seed)  # fmt: skip


def plain(text: str) -> str:
    """Return a text in one line, with which a spreadsheet computes nothing: a learner chooses file names."""
    line = " ".join(text.split())
    return f"'{line}" if line.startswith(("=", "+", "-", "@")) else line


def require_own(path: Path) -> None:
    """Raise CourseError if `path` is something else than a file of marks, which would be lost."""
    if path.is_dir() or not path.parent.is_dir():
        raise CourseError(f"{path} cannot be written: it is a folder, or its folder does not exist")
    if path.exists():
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            if next(csv.reader(file), list(COLUMNS)) != list(COLUMNS):
                raise CourseError(f"{path} is no file of marks; nothing was written. Next step: another name for --csv")


def write(path: Path, found: Iterable[tuple[str | int | float, ...]]) -> None:
    """Write the rows: all of them or none."""
    with replacing(path, private=True) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows(found)


def line(marks: Marks) -> str:
    """Return one line for a submission: who, which lesson, how many right, and whether to look at it."""
    submission = marks.submission
    if submission.problem:
        return f"{submission.learner}: {submission.path.name}: {submission.problem}"
    right = sum(state == "right" for state, _ in marks.exercises.values())
    look = f"; to look at: {'; '.join(marks.flags)}" if marks.flags else ""
    return (f"{submission.learner}: lesson {submission.lesson}, {right} of {len(marks.exercises)} right, "
            f"{marks.seconds:.0f} s{look}")  # fmt: skip
