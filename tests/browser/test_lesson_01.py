"""Lesson 01 in JupyterLab: it opens, runs from top to bottom without error, and its explorers move."""

import shutil
from pathlib import Path

import pytest

from gpucourse.exercises.registry import problems
from tests.mutants.n01_cpu_vs_gpu import MUTANTS

LESSON = Path(__file__).parents[2] / "notebooks" / "01_cpu_vs_gpu.ipynb"


@pytest.fixture
def lesson(lab, open_notebook):
    shutil.copy(LESSON, lab[0])
    return open_notebook(LESSON.name)


def test_the_lesson_runs_and_its_explorers_move(lesson, lab):
    lesson.screenshot("opened")
    code = [cell for cell in lesson.run_all(lab[0]).cells if cell.cell_type == "code"]
    errors = [(cell.source, out.evalue) for cell in code for out in cell.outputs if out.output_type == "error"]
    assert errors == []
    for call in ("explorers.amdahl(", "explorers.roofline("):
        explorer = lesson.explorer(call)
        before = explorer.sentence()
        explorer.press(0, "ArrowRight", 3)
        assert explorer.sentence() != before
        lesson.screenshot(call.split(".")[1].strip("("))


def test_every_exercise_is_told_wrong_and_then_right(lesson, lab):
    lesson.run_all(lab[0])
    for problem in problems("01"):
        mutant = MUTANTS[problem.id][0]
        said = lesson.answer(problem, mutant.source)
        assert "not right yet" in said, (problem.id, said)
        assert mutant.expect in said, (problem.id, said)
        lesson.screenshot(f"{problem.id}-wrong")
        said = lesson.answer(problem, problem.solution)
        assert "right." in said, (problem.id, said)
        assert "not right" not in said, (problem.id, said)
    lesson.screenshot("solved")
