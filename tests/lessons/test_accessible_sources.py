"""Sources of the lessons, read by those who hear or skim them: headings in order, links that say where they go."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).parents[2] / "notebooks" / "src").glob("*.md"))
FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
FENCE = re.compile(r"^(```+).*?^\1$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#{1,6}) +(.+)$", re.MULTILINE)
MARK = re.compile(r"^<!-- exercise (\d\d\.\d+) -->$", re.MULTILINE)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)")
BARE = {"", "here", "this", "this page", "click here", "link", "this link", "more", "read more", "source", "page"}


def prose(text):
    """A source without its front matter and its code; an exercise stands as the heading that it becomes."""
    return MARK.sub(r"### Exercise \1", FENCE.sub("", FRONT.sub("", text)))


def skipped(text):
    """Headings that lie more than one level below the one before them; the title of the page is level 1."""
    faults, before = [], 1
    for marks, words in HEADING.findall(prose(text)):
        if len(marks) > before + 1 or len(marks) == 1:
            faults.append(f"{marks} {words}")
        before = len(marks)
    return faults


def bare(text):
    """Links whose words do not say where they go, and pictures without words."""
    return [f"{mark}[{words}]({target})" for mark, words, target in LINK.findall(prose(text))
            if words.strip(" *_`.").lower() in BARE or words.startswith("http")]  # fmt: skip


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_no_heading_skips_a_level(source):
    assert skipped(source.read_text("utf-8")) == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_links_say_where_they_go(source):
    assert bare(source.read_text("utf-8")) == []


def test_the_faults_are_seen():
    text = "---\ntitle: x\n---\n## a\n\n#### deep\n\n```\n# code\n```\n\n# top\n\n"
    text += "[Here](x.ipynb), ![](y.png), [lesson 02](z.ipynb)"
    assert skipped(text) == ["#### deep", "# top"]
    assert bare(text) == ["[Here](x.ipynb)", "![](y.png)"]
    assert skipped("<!-- exercise 01.1 -->") == ["### Exercise 01.1"], "an exercise needs a section above it"
