"""Write docs/index_of_terms.md: where in the lessons each term of the glossary is explained and where it is taken up.

usage: build_index.py            write it
       build_index.py --check    exit 1 if it is not what the sources say now

The first entry of a term is the section of the lesson that the glossary names in which it stands in bold or italics,
or most often. Of every other lesson that uses the term at least USES times, the section with the most uses follows.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from generated import settled
from gpucourse.glossary import Term, terms
from lesson_source import ROOT, lesson_paths

PAGE = ROOT / "docs" / "index_of_terms.md"
USES = 3
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`|<!--.*?-->|\]\([^)\s]*\)", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^## (?:(\d+)\. )?(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """A section of a lesson: the lesson's number and file, the section's number, "" without one, and its prose."""

    lesson: str
    stem: str
    number: str
    heading: str
    prose: str

    def link(self, named: bool = False) -> str:
        """Name the place, "05 §3" or "05", with a link to the notebook; `named`: and the section's heading."""
        place = f"{self.lesson} §{self.number}" if self.number else self.lesson
        heading = f" {self.heading}" if named and self.heading else ""
        return f"[{place}](../notebooks/{self.stem}.ipynb){heading}"


def sections(source: str, stem: str) -> Iterator[Section]:
    """Yield the sections of a lesson's source, the opening first; code and links' addresses are no prose."""
    prose = _CODE.sub(" ", source)
    heads = list(_HEADING.finditer(prose))
    yield Section(stem[:2], stem, "", "", prose[: heads[0].start() if heads else len(prose)])
    for head, after in zip(heads, [*heads[1:], None], strict=True):
        body = prose[head.start() : after.start() if after else len(prose)]
        yield Section(stem[:2], stem, head[1] or "", head[2], body)


def uses(term: str, prose: str) -> int:
    """Count a term in prose, its plural too, in upper or lower case, and across the end of a line."""
    words = r"\s+".join(map(re.escape, term.split()))
    return len(re.findall(rf"(?<![\w-]){words}(?:s|es)?(?![\w-])", prose, re.IGNORECASE))


def places(term: Term, lessons: Iterable[list[Section]]) -> list[Section]:
    """Return where a term is explained, then where other lessons take it up, by lesson."""
    first: list[Section] = []
    others = []
    for lesson in lessons:
        if lesson[0].lesson == term.lesson:
            first = [_explained(term, lesson)]
        elif sum(uses(term.term, section.prose) for section in lesson) >= USES:
            others.append(max(_numbered(lesson), key=lambda section: uses(term.term, section.prose)))
    return first + others


def _explained(term: Term, lesson: list[Section]) -> Section:
    """Where the term stands in bold or in italics, as a new term does; otherwise where it is used most."""
    names = {term.term, term.as_written or term.term}
    for section in _numbered(lesson):
        if any(re.search(rf"\*(?:an? |the )?{re.escape(name)}s?\*", section.prose, re.IGNORECASE) for name in names):
            return section
    return max(_numbered(lesson), key=lambda section: sum(uses(name, section.prose) for name in names))


def _numbered(lesson: list[Section]) -> list[Section]:
    return [section for section in lesson if section.number] or lesson


def page() -> str:
    """Return the index in Markdown, from A to Z."""
    lessons = [list(sections(path.read_text("utf-8"), path.stem)) for path in lesson_paths()]
    rows = []
    for term in sorted(terms(), key=lambda each: each.term.lower()):
        explained, *others = places(term, lessons)
        rows.append(f"| {term.term} | {explained.link(named=True)} | {' · '.join(each.link() for each in others)} |")
    return "\n".join([
        "# Index of terms", "",
        f"Where each of the {len(rows)} terms of the [glossary](glossary.md) is explained, and where other lessons",
        f"take it up: the section that uses it most, in each lesson that does so {USES} times or more. Written by",
        "`python tools/build_index.py` from the lessons.", "",
        "| term | explained in | taken up in |", "|---|---|---|", *rows, "",
    ])  # fmt: skip


def main(arguments: list[str] | None = None, target: Path = PAGE) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args(arguments).check
    return int(not settled(target, page(), check, "python tools/build_index.py"))


if __name__ == "__main__":
    sys.exit(main())
