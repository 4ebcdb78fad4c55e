"""A question with lettered options: each wrong one knows why it is wrong, and what to read again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gpucourse.exercises.outcome import NotAttempted, Wrong
from gpucourse.exercises.values import is_choice
from gpucourse.guide.course import file_name

UNKNOWN = "?"   # an honest answer, which is told what to read


@dataclass(frozen=True)
class Section:
    """A section of a lesson, by its heading; without one the lesson as a whole."""

    lesson: str
    heading: str = ""

    @property
    def name(self) -> str:
        number = re.match(r"(\d+)\. (.*)", self.heading)
        if number:
            return f"lesson {self.lesson}, section {number[1]} ({number[2]})"
        return f"lesson {self.lesson}" + (f", {self.heading!r}" if self.heading else "")

    @property
    def link(self) -> str:
        """Where it is, seen from a notebook beside it."""
        return file_name(self.lesson) + (f"#{self.heading.replace(' ', '-')}" if self.heading else "")


@dataclass(frozen=True)
class Page:
    """A page elsewhere, for what the course does not teach."""

    name: str
    link: str


@dataclass(frozen=True)
class Question:
    """A question: `text` in Markdown, `options` from letter to text, why each wrong one is wrong, what to read."""

    id: str
    title: str
    text: str
    options: Mapping[str, str]
    right: str
    wrong: Mapping[str, str]
    why: str
    read: tuple[Section | Page, ...]
    area: str = ""

    @property
    def number(self) -> str:
        """Its number on its own page."""
        return self.id.split(".")[1]

    def letter(self, choice: Any) -> str:
        """Return the option that `choice` names; Wrong with one line for what names none, NotAttempted for `...`."""
        known = (*self.options, UNKNOWN)
        named = choice.strip().lower() if isinstance(choice, str) else choice
        if named is ...:
            raise NotAttempted(f"Put {self._letters()} in place of the `...` and run the cell again.")
        if not isinstance(named, str) or named not in known:
            raise Wrong(f"{_short(choice)} is no option of this question: answer {self._letters()}.")
        return named

    def judge(self, letter: str) -> None:
        """Raise Wrong with the reason unless `letter` is the right option."""
        is_choice(self.right, options=tuple(self.options), because=self.wrong)(letter, name="the answer")

    def _letters(self) -> str:
        return ", ".join(f'"{letter}"' for letter in self.options) + f' or "{UNKNOWN}" (I do not know)'


def _short(choice: Any) -> str:
    text = repr(choice)
    return text if len(text) <= 40 else f"{text[:40]}…"
