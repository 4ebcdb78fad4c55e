"""Finds submitted notebooks in a folder and reads their code cells; a file that is no notebook becomes a finding."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gpucourse.errors import CourseError
from gpucourse.exercises import registry

LARGEST = 20_000_000   # bytes; the course's own notebooks stay below 3 MB
_GUIDE = re.compile(r"^from gpucourse\.guide\b", re.MULTILINE)   # the start page, a quiz, the capstone
_CHECK = re.compile(r"""\b(?:check|must_pass)\(\s*["'](\d\d)\.\d+["']""")


class Unreadable(CourseError):
    """A submitted file is no notebook of this course; the text says why."""


@dataclass(frozen=True)
class Submission:
    """A learner's notebook: the lesson it belongs to, such as "04", and its code cells in order.

    A file of no lesson has a `problem`, which says why; one that could not be read has no cells, too.
    """

    learner: str
    path: Path
    lesson: str = ""
    cells: tuple[str, ...] = ()
    problem: str = ""


def submissions(folder: Path) -> list[Submission]:
    """Return every submitted notebook below `folder`, by learner and name.

    A learner is the first folder below `folder`, or, for a notebook that lies in `folder` itself, its name. The
    course's pages without exercises (start page, quizzes, capstone) are left out. Raises CourseError where there is no
    notebook.
    """
    if not folder.is_dir():
        raise CourseError(f"{folder} is not a folder. Next step: give the folder that holds the learners' notebooks")
    found = [each for path in _notebooks(folder) if not _is_page(each := _read(folder, path))]
    if not found:
        raise CourseError(f"no notebook (*.ipynb) in {folder} or below. Next step: one folder a learner in it, "
                          "with the notebooks as they were handed in")  # fmt: skip
    return found


def _notebooks(folder: Path) -> Iterator[Path]:
    """Not what Jupyter keeps beside a notebook, and nothing that a link leads to outside."""
    home = folder.resolve()
    for path in sorted(folder.rglob("*.ipynb")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.is_file() and path.resolve().is_relative_to(home):
            yield path


def _read(folder: Path, path: Path) -> Submission:
    parts = path.relative_to(folder).parts
    learner = parts[0] if len(parts) > 1 else path.stem
    cells: tuple[str, ...] = ()
    try:
        cells = code_cells(path)
        return Submission(learner, path, lesson_of(cells, path), cells)
    except Unreadable as error:
        return Submission(learner, path, cells=cells, problem=str(error))


def code_cells(path: Path) -> tuple[str, ...]:
    """Return the sources of a notebook's code cells. Raises Unreadable."""
    size = path.stat().st_size
    if size > LARGEST:
        raise Unreadable(f"the file has {size:,} bytes; a notebook of the course has less than {LARGEST:,}")
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return tuple("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unreadable(f"no notebook of format 4 ({type(error).__name__}: {error})") from None


def _is_page(found: Submission) -> bool:
    """Whether it belongs to the course and has no exercises: it then has no marks, and its maker did nothing wrong."""
    text = "\n".join(found.cells)
    return bool(_GUIDE.search(text)) and not _CHECK.search(text)


def lesson_of(cells: tuple[str, ...], path: Path) -> str:
    """Return the lesson whose exercises a notebook checks most, or else the one that its name begins with."""
    asked = Counter(lesson for cell in cells for lesson in _CHECK.findall(cell))
    named = re.findall(r"(?<!\d)(\d\d)_", path.name)
    likely: list[str] = [lesson for lesson, _ in asked.most_common(1)] + named[:1]
    for lesson in likely:
        if lesson in registry.lessons():
            return lesson
    raise Unreadable("it checks no exercise of this course, and its name does not begin with a lesson's number")
