"""The course's terms, in English and Chinese, with the lesson that introduces each: one table for lesson and page."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parent / "data" / "glossary.csv"


@dataclass(frozen=True)
class Term:
    """A term, its Chinese name, the number of the lesson that introduces it, and what it means in a few words.

    `as_written` is how that lesson writes it, where that is not `term`.
    """

    term: str
    chinese: str
    lesson: str
    meaning: str
    as_written: str = ""

    def __str__(self) -> str:
        return f"{self.term} ({self.chinese}): {self.meaning} [lesson {self.lesson}]"


@cache
def terms() -> tuple[Term, ...]:
    """Return all terms, by lesson."""
    with SOURCE.open(encoding="utf-8", newline="") as file:
        return tuple(Term(**row) for row in csv.DictReader(file))


def find(words: str) -> list[Term]:
    """Return the terms that hold `words`, in English or Chinese or by the number of their lesson; upper case is lower.

    >>> [each.chinese for each in find("coalesced")]
    ['合并访问']
    """
    sought = words.strip().lower()
    return [each for each in terms() if sought in (each.lesson, *[""] * (not sought)) or _named(each, sought)]


def _named(term: Term, sought: str) -> bool:
    return sought in term.term.lower() or sought in term.chinese.lower()


def look_up(words: str) -> None:
    """Print the terms that hold `words`; where there are none, those whose meaning does.

    >>> look_up("warp")
    warp (线程束): 32 threads that go through the same instructions together [lesson 04]
    """
    found = find(words) or [each for each in terms() if words.strip().lower() in each.meaning.lower()]
    print("\n".join(map(str, found)) or f"Nothing about {words!r}. look_up('') shows all {len(terms())} terms.")


def page() -> str:
    """Return the glossary as a page in Markdown, from A to Z."""
    ordered = sorted(terms(), key=lambda each: each.term.lower())
    return "\n".join([
        "# Glossary · 术语表", "",
        f"The {len(ordered)} terms of the course in English and Chinese, each with the lesson that introduces it.",
        "Written by `python tools/build_glossary.py` from `gpucourse/data/glossary.csv`: edit that.", "",
        "| term | 中文 | meaning | lesson |", "|---|---|---|---|", *map(_row, ordered), "",
    ])  # fmt: skip


def _row(term: Term) -> str:
    return f"| {term.term} | {term.chinese} | {term.meaning} | [{term.lesson}](../notebooks/{_notebook(term.lesson)}) |"


def _notebook(lesson: str) -> str:
    from gpucourse.examination import LESSONS

    return next(f"{each.number}_{each.name}.ipynb" for each in LESSONS if each.number == lesson)


def of_lesson(lesson: str) -> Iterable[Term]:
    """Return the terms that a lesson introduces, such as "04"."""
    return [each for each in terms() if each.lesson == lesson]
