"""Lessons in JupyterLab: each runs from top to bottom, and a wrong answer is told its cause."""

import shutil
from importlib import import_module
from pathlib import Path

import pytest

from gpucourse.exercises import registry
from gpucourse.guide import sheets

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def test_the_start_page_runs_and_tells_a_wrong_answer_its_reason(lab, open_notebook):
    for name in ("00_start_here.ipynb", "03_first_kernel.ipynb"):
        shutil.copy(NOTEBOOKS / name, lab[0])
    page = open_notebook("00_start_here.ipynb")
    page.screenshot("opened")
    code = [cell for cell in page.run_all(lab[0]).cells if cell.cell_type == "code"]
    assert [(cell.source, out.evalue) for cell in code for out in cell.outputs if out.output_type == "error"] == []
    question = sheets.find("start.9")
    for letter, reason in question.wrong.items():
        said = page.choose(question, letter)
        assert "not right" in said and reason.split("`")[0] in said
        assert "Read: lesson 03, section 3" in said
    page.screenshot("wrong")
    link = page.reveal('answer("start.9"').locator("a", has_text="lesson 03, section 3").first
    assert "03_first_kernel.ipynb" in link.get_attribute("href")
    assert "right." in page.choose(question, question.right)
    for call in ("where_to_begin()", "course_map()", "journey()"):
        page.reveal(call).locator(".jp-OutputArea-output").first.scroll_into_view_if_needed()
        page.screenshot(call.strip("()"))
    page.reveal('answer("start.9"')
    page.choose(question, "a")
    page.reveal('answer("start.9"').locator("a", has_text="lesson 03, section 8").first.click()
    page.page.locator(".lm-TabBar-tabLabel", has_text="03_first_kernel.ipynb").first.wait_for(timeout=30_000)


@pytest.fixture(params=["03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15", "16", "17",
                        "18", "19"])
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
