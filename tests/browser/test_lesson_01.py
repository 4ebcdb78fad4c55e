"""Lesson 01 in JupyterLab: it opens, runs from top to bottom without error, and its explorers move."""

import shutil
from pathlib import Path

import pytest

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
    for call in ("explorers.amdahl()", "explorers.roofline()"):
        explorer = lesson.explorer(call)
        before = explorer.sentence()
        explorer.press(0, "ArrowRight", 3)
        assert explorer.sentence() != before
        lesson.screenshot(call.split(".")[1].strip("()"))
