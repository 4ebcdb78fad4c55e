"""The rubric: a hundred points, four levels each, and a sum that says what to improve."""

import pytest

from gpucourse.guide.rubric import RUBRIC, TOP, points, rubric, said

NAMES = [row.name for row in RUBRIC]


def levels(level, **others):
    return dict.fromkeys(NAMES, level) | others


def test_a_hundred_points_in_four_levels():
    assert sum(row.points for row in RUBRIC) == 100
    assert all(len(set(row.levels)) == TOP + 1 for row in RUBRIC)


@pytest.mark.parametrize(("given", "words"), [
    (levels(0), "0 of 100 points."), (levels(3), "100 of 100 points."), (levels(2), "67 of 100 points."),
    (levels(3, errors=0), "80 of 100 points. Next: errors: some examples."),
    (levels(2, report=1), "63 of 100 points. Next: report: "),
    (levels(...), "Not judged yet: question, correctness"), (levels(3, report=...), "Not judged yet: report."),
    (levels(4), "question has the level 4; levels are 0, 1, 2 and 3."),
    (levels(2, errors=-1), "errors has the level -1"),
    (levels(2, errors=2.5), "errors has the level 2.5"), (levels(2, errors="3"), "errors has the level '3'"),
    (levels(2, errors=True), "errors has the level True"), (levels(2, more=1), "Give a level to each of question"),
    ({}, "Give a level to each of"), (None, "Give a level to each of"), (7, "Give a level to each of"),
])  # fmt: skip
def test_the_sum_or_one_line_that_says_what_is_wrong(given, words, capsys):
    points(given)
    printed = capsys.readouterr().out
    assert printed.startswith(words) and printed.count("\n") == 1
    assert said(given) + "\n" == printed


def test_the_table_is_whole(capsys):
    rubric()
    printed = capsys.readouterr().out
    assert all(level in printed for row in RUBRIC for level in row.levels)
