"""The plan: every lesson in one part, and built on what its own page says that it needs."""

import re
from pathlib import Path

import pytest

from gpucourse.examination import LESSONS
from gpucourse.guide.course import NEEDS, PARTS, bases, every_need, file_name

SOURCES = Path(__file__).parents[2] / "notebooks" / "src"
NUMBERS = [lesson.number for lesson in LESSONS]


def test_the_parts_hold_every_lesson_once_in_order():
    assert [lesson.number for part in PARTS for lesson in part.lessons] == NUMBERS == list(NEEDS)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_needs_are_those_that_the_lesson_states(number):
    source = SOURCES / file_name(number).replace(".ipynb", ".md")
    text = re.search(r"\*\*You need:\*\*(.*?)\n\n", source.read_text("utf-8"), re.DOTALL)[1]
    linked = re.findall(r"\[(?:lesson )?(\d\d)\]\(", text)
    between = re.findall(r"\[(\d\d)\]\([^)]*\)[^,.]*? to \[(\d\d)\]", text)
    stated = {*linked, *(n for first, last in between for n in NUMBERS if first <= n <= last)}
    assert set(NEEDS[number]) == stated


def test_needs_come_before():
    assert all(need < number for number in NEEDS for need in NEEDS[number])


def test_the_arrows_leave_nothing_out_and_repeat_nothing():
    for number in NUMBERS:
        reached = set(bases(number)).union(*(every_need(need) for need in bases(number)))
        assert reached == every_need(number)
        assert all(need not in every_need(other) for need in bases(number) for other in bases(number))
