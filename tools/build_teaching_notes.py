"""Writes the tables of sections into the teacher's notes, docs/teaching/notes/NN_name.md; or `--check`s them.

usage: build_teaching_notes.py [--check]

A table has a row for each section of the lesson: an estimate of its minutes, how many predictions it asks for, and its
exercises. The minutes are the lesson's own estimate, shared out by what a section holds (`work`). All else in a note is
written by hand; tests/lessons/test_teaching_notes.py holds it against the lesson.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from generated import between, settled
from gpucourse.exercises.registry import find
from lesson_source import ROOT, lesson_paths, split_front

NOTES = ROOT / "docs" / "teaching" / "notes"
BEGIN, END = "<!-- sections: written by tools/build_teaching_notes.py -->", "<!-- end of sections -->"
OPENING = "(opening)"
_TIME = re.compile(r"\*\*Time:\*\* about (\d+) minutes")
_EXERCISE = re.compile(r"^<!-- exercise (\d\d\.\d+) -->$", re.MULTILINE)
_WOVEN = re.compile(r"^<!-- (?:kernel|code) [\w.]+ -->$", re.MULTILINE)   # a kernel or function that is put in here
_PREDICT = re.compile(r"\*\*[Pp]redict(?:ion)?\b")
_CODE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_UNREAD = ("Read more", "Where to read more")   # lists of links: not part of the lesson's time


@dataclass(frozen=True)
class Section:
    """A section of a lesson: its title, and its text as the source has it."""

    title: str
    text: str

    @property
    def exercises(self) -> list[str]:
        return _EXERCISE.findall(self.text)

    @property
    def predictions(self) -> list[str]:
        """For each prediction, the paragraph that asks for it, in one line from its word on."""
        out: list[str] = []
        for paragraph in re.split(r"\n\s*\n", _CODE.sub("\n\n", self.text)):
            line = " ".join(paragraph.split())
            starts = [found.start() for found in _PREDICT.finditer(line)] + [len(line)]
            out += [line[start:end] for start, end in pairwise(starts)]
        return out

    @property
    def work(self) -> float:
        """Minutes, to be scaled: one for 110 words, 8 lines of code or a prediction; 4 + lines for an exercise."""
        lines = sum(bool(line.strip()) for code in _CODE.findall(self.text) for line in code.splitlines())
        lines += 24 * len(_WOVEN.findall(self.text))
        words = len(_CODE.sub("", self.text).split())
        tasks = sum(4 + find(id).lines for id in self.exercises)
        return words / 110 + lines / 8 + len(self.predictions) + tasks


@dataclass(frozen=True)
class Lesson:
    """What the notes need of a lesson: its file's stem, title, own estimate in minutes, and sections."""

    stem: str
    title: str
    minutes: int
    sections: tuple[Section, ...]

    @property
    def shares(self) -> list[int]:
        """Whole minutes for each section, at least one; they add up to the lesson's own estimate."""
        total = sum(section.work for section in self.sections)
        exact = [max(1.0, self.minutes * section.work / total) for section in self.sections]
        whole = [int(share) for share in exact]
        by_rest = sorted(range(len(exact)), key=lambda k: whole[k] - exact[k])
        for k in by_rest[: self.minutes - sum(whole)]:
            whole[k] += 1
        for _ in range(sum(whole) - self.minutes):
            whole[whole.index(max(whole))] -= 1
        return whole


def read_lesson(source: Path) -> Lesson:
    """Return the lesson of a source file; ValueError where it states no time."""
    front, body = split_front(source.read_text("utf-8"), source.name)
    time = _TIME.search(body)
    if not time:
        raise ValueError(f'{source.name} states no time. Next step: put "**Time:** about 120 minutes" into its opening')
    parts = re.split(r"^## (.+)$", _hide_comments(body), flags=re.MULTILINE)
    sections = [Section(OPENING, _shown(parts[0]))]
    sections += [Section(title.strip(), _shown(text)) for title, text in zip(parts[1::2], parts[2::2], strict=True)]
    return Lesson(source.stem, front.title, int(time[1]), tuple(s for s in sections if s.title not in _UNREAD))


def _hide_comments(body: str) -> str:
    """The body with comments of Python that would look like headings set apart."""
    return _CODE.sub(lambda found: re.sub(r"^#", "\0#", found[0], flags=re.MULTILINE), body)


def _shown(text: str) -> str:
    return text.replace("\0", "")


def lessons() -> list[Lesson]:
    return [read_lesson(source) for source in lesson_paths()]


def table(lesson: Lesson) -> str:
    """Return the table of a lesson's sections in Markdown."""
    rows = ["| section | minutes | predictions | exercises |", "|---|---|---|---|"]
    for section, minutes in zip(lesson.sections, lesson.shares, strict=True):
        asked, exercises = len(section.predictions) or "", ", ".join(section.exercises)
        rows.append(f"| {section.title} | {minutes} | {asked} | {exercises} |")
    asked = sum(len(section.predictions) for section in lesson.sections)
    done = sum(len(section.exercises) for section in lesson.sections)
    rows.append(f"| **together** | **{lesson.minutes}** | **{asked}** | **{done}** |")
    unscaled = round(sum(section.work for section in lesson.sections))
    return "\n".join([*rows, "", f"Not scaled to the lesson's own total, the same measure gives {unscaled} minutes."])


def rebuilt(note: str, lesson: Lesson) -> str:
    """Return the text of a note with the table between its two markers renewed; ValueError without them."""
    return between(note, BEGIN, END, table(lesson), f"{lesson.stem}.md")


def main() -> int:
    """Write the notes' tables, or with --check name those that are out of date; 1 when there are any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a table is out of date")
    check, well = parser.parse_args().check, True
    for lesson in lessons():
        path = NOTES / f"{lesson.stem}.md"
        if path.exists():
            new = rebuilt(path.read_text("utf-8"), lesson)
            well &= settled(path, new, check, "python tools/build_teaching_notes.py")
        else:
            print(f"{path.relative_to(ROOT)} is missing. Next step: write it, as the others are written",
                  file=sys.stderr)  # fmt: skip
            well = False
    return int(not well)


if __name__ == "__main__":
    sys.exit(main())
