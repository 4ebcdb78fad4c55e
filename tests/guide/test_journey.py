"""How far the learner is: counted from the progress file, with what comes next."""

import json

import pytest

from gpucourse.exercises import registry
from gpucourse.guide import answering, journey


@pytest.fixture
def solve(tmp_path, monkeypatch):
    """A function that writes what was tried and what was solved into a progress file."""
    file = tmp_path / "progress.json"
    monkeypatch.setenv("GPUCOURSE_PROGRESS", str(file))

    def wrote(solved=(), tried=(), hinted=()):
        entries = {id: {"attempts": 1, "right": "2026-11-22"} for id in solved}
        entries |= {id: {"attempts": 2} for id in tried} | {id: {"hints": 1} for id in hinted}
        file.write_text(json.dumps({"version": 1, "exercises": entries}))

    return wrote


def ids(lesson):
    return [problem.id for problem in registry.problems(lesson)]


def shown(capsys):
    capsys.readouterr()
    journey.journey()
    return capsys.readouterr().out


def test_nothing_done_yet(solve, capsys):
    said = shown(capsys)
    assert "01 CPU and GPU                 ..........  0 of 6" in said
    assert "No exercise tried yet." in said and said.count("not begun") == 4


@pytest.mark.parametrize(("solved", "tried", "hinted", "due"), [
    ([], [], ["05.1"], "01"), ([], ["03.2"], [], "03"), (["04.1"], [], [], "04"), ("01", [], [], "02"),
    ("01", ["07.1"], [], "07"), ("17", [], [], "01"), (["01.1", "16.2"], [], [], "16"),
])  # fmt: skip
def test_what_is_next(solve, solved, tried, hinted, due):
    solve(ids(solved) if isinstance(solved, str) else solved, tried, hinted)
    found = {number: row for number, row in journey.rows().items() if number <= "17"}
    assert journey.next_lesson(found) == due


def test_all_done(solve, capsys):
    solve([problem.id for problem in registry.all_problems()])
    said = shown(capsys)
    assert "Next: the capstone." in said and "##########  7 of 7" in said


def test_counts_bars_and_quizzes(solve, capsys):
    solve(ids("01")[:3], ids("01")[3:4])
    answering.answer("part1.1", "c")
    answering.answer("part1.2", "?")
    said = shown(capsys)
    assert "#####.....  3 of 6" in said
    assert "1 of 6 right at the first answer" in said
    assert "All exercises: 3 of " in said and "Next: lesson 01, CPU and GPU, with 3 exercises to solve." in said


def test_what_depends_on_the_learner_stands_between_the_marks(solve, capsys):
    said = shown(capsys)
    assert said.startswith("Your way so far\n⟨") and said.endswith("⟩\n") and said.count("⟨") == 1
