"""The course map in JupyterLab: the list of lessons moves the picture, and the sentence is the plain function's."""

import pytest

from gpucourse.viz import course_map

CELLS = ("from gpucourse.viz import explorers", "explorers.course_map()")


@pytest.fixture
def explorer(open_cells):
    notebook = open_cells("course_map", CELLS)
    yield notebook.explorer(CELLS[-1])
    notebook.screenshot("moved")


def test_a_choice_moves_the_map(explorer):
    assert explorer.sentence() == course_map.sentence()
    explorer.box.locator("select").select_option(label=f"13 · {course_map.TITLES['13']}")
    explorer.page.wait_for_function("([box, due]) => box.querySelector('[role=status]').innerText === due",
                                    arg=[explorer.box.element_handle(), course_map.sentence("13")], timeout=15_000)
