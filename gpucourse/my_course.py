"""The learner's own copies of the course's pages: made once, refreshed while untouched, never overwritten.

A copy holds no outputs, so a prediction asked for in a lesson is not given away. Beside the copies
stands a small record of what each held when it was handed out; any change, even a run cell, makes a
copy the learner's own.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from gpucourse.errors import CourseError
from gpucourse.whole_file import replacing

RECORD = ".editions.json"


def lessons_in(folder: Path) -> list[Path]:
    """The course's notebooks in `folder`, the start page first; `CourseError` where there is none."""
    lessons = sorted(folder.glob("*.ipynb"))
    if not lessons:
        raise CourseError(
            f"no lessons in {folder}: they come with the repository, not with the installed package. "
            "Next step: clone the repository and start from there"
        )
    return lessons


def update(lessons: Path, mine: Path) -> list[str]:
    """Bring every copy in `mine` up to date as far as it is untouched; return a sentence for each that is not.

    Args:
        lessons: the folder of the course's own notebooks.
        mine: the learner's folder; made if absent.
    """
    mine.mkdir(parents=True, exist_ok=True)
    record = _read_record(mine)
    kept = [lesson.stem for lesson in lessons_in(lessons) if not _refresh(lesson, mine, record)]
    _write(mine / RECORD, json.dumps(record, indent=1, sort_keys=True).encode())
    return [
        f"{stem}: a newer edition exists. Your copy has your work in it and stays as it is; "
        f"`lab --fresh {called(stem)}` puts the new edition beside it."
        for stem in kept
    ]


def fresh(lesson: str, lessons: Path, mine: Path) -> str:
    """Hand out `lesson` anew, after saving the learner's copy under another name; return what was done."""
    source = find(lesson, lessons)
    copy, record = mine / source.name, _read_record(mine)
    saved = _save_aside(copy) if copy.exists() and _digest(copy.read_bytes()) != _digest(pristine(source)) else None
    _refresh(source, mine, record)
    _write(mine / RECORD, json.dumps(record, indent=1, sort_keys=True).encode())
    return f"{copy.name} is fresh." + (f" Your own is kept as {saved.name}." if saved else "")


def begun(lessons: Path, mine: Path) -> Path | None:
    """The course's notebook on whose copy the learner worked last; None where every copy is as it was handed out."""
    record = _read_record(mine)
    copies = [(mine / lesson.name, lesson) for lesson in lessons_in(lessons)]
    worked = [(copy.stat().st_mtime, lesson) for copy, lesson in copies
              if copy.exists() and _digest(copy.read_bytes()) != record.get(lesson.name)]  # fmt: skip
    return max(worked, key=lambda pair: pair[0])[1] if worked else None


def called(stem: str) -> str:
    """What a page is called by: its number, "01", or where it has none its name, "quiz_part_1"."""
    return stem[:2] if stem[:2].isdecimal() else stem


def find(lesson: str, folder: Path) -> Path:
    """The notebook whose name begins with `lesson`, such as "01", "01_cpu_vs_gpu" or "quiz_part_1"."""
    found = lessons_in(folder)
    for path in found:
        if lesson and path.stem.startswith(lesson.zfill(2)):
            return path
    raise CourseError(f"no lesson {lesson!r}; there are {', '.join(called(path.stem) for path in found)}")


def pristine(lesson: Path) -> bytes:
    """The notebook without outputs, execution counts and widget state: what a learner is handed."""
    try:
        notebook = json.loads(lesson.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CourseError(f"{lesson} is not a notebook ({error}). Next step: git checkout {lesson}") from None
    notebook["metadata"].pop("widgets", None)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
    return (json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _refresh(lesson: Path, mine: Path, record: dict[str, str]) -> bool:
    """Whether the copy holds this edition or was brought to it; False: it is the learner's, and older."""
    copy, edition = mine / lesson.name, pristine(lesson)
    now = _digest(copy.read_bytes()) if copy.exists() else None
    if now in (None, record.get(lesson.name)) and now != _digest(edition):
        _write(copy, edition)
        now = _digest(edition)
    if now == _digest(edition):
        record[lesson.name] = now
    return record.get(lesson.name) == _digest(edition)


def _save_aside(copy: Path) -> Path:
    names = [f"{copy.stem}.mine{suffix}.ipynb" for suffix in ("", *(f"-{n}" for n in range(2, 1000)))]
    saved = next(copy.with_name(name) for name in names if not copy.with_name(name).exists())
    return copy.rename(saved)


def _read_record(mine: Path) -> dict[str, str]:
    """What each copy held when handed out. A lost or broken record only means that nothing is overwritten."""
    try:
        record = json.loads((mine / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: half a copy would look like the learner's work."""
    with replacing(path) as beside:
        beside.write_bytes(content)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
