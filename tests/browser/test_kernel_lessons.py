"""Lessons with kernels in JupyterLab: each runs from top to bottom, and a wrong kernel is told its cause."""

import shutil
from importlib import import_module
from pathlib import Path

import pytest

from gpucourse.exercises import registry

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@pytest.fixture(params=["03", "04", "05", "06", "07", "08", "09", "12"])
def lesson(request, lab, open_notebook):
    (path,) = NOTEBOOKS.glob(f"{request.param}_*.ipynb")
    shutil.copy(path, lab[0])
    return request.param, open_notebook(path.name)


def test_a_lesson_with_kernels_runs_and_judges_them(lesson, lab):
    number, page = lesson
    code = [cell for cell in page.run_all(lab[0]).cells if cell.cell_type == "code"]
    assert [(cell.source, out.evalue) for cell in code for out in cell.outputs if out.output_type == "error"] == []
    page.screenshot(f"lesson-{number}")
    problem = registry.problems(number)[-2]
    mutant = import_module(f"tests.mutants.{registry.lessons()[number]}").MUTANTS[problem.id][0]
    said = page.answer(problem, mutant.source)
    assert "not right yet" in said and mutant.expect in said
    page.screenshot(f"lesson-{number}-wrong")
    said = page.answer(problem, problem.solution)
    assert "right." in said and "not right" not in said
