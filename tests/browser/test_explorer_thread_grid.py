"""The thread grid explorers in JupyterLab: each control moves the picture, and the sentence is the plain function's."""

import nbformat
import pytest

from gpucourse.viz import thread_grid

CELLS = ("from gpucourse.viz import explorers", "explorers.thread_grid()", "explorers.thread_grid(dimensions=2)")


@pytest.fixture
def notebook(lab, open_notebook):
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), lab[0] / "thread_grid.ipynb")
    opened = open_notebook("thread_grid.ipynb")
    opened.run_all(lab[0])
    return opened


def walk(explorer, steps):
    """Press keys as `steps` say, (control, key, times, arguments); each gives the sentence and a picture of its own."""
    seen = {explorer.picture()}
    for control, key, times, arguments in steps:
        explorer.press(control, key, times)
        explorer.page.wait_for_function(
            "([box, due]) => box.querySelector('[role=status]').innerText === due",
            arg=[explorer.box.element_handle(), thread_grid.sentence(*arguments)], timeout=15_000,
        )  # fmt: skip
        seen.add(explorer.picture())
    assert len(seen) == len(steps) + 1


def test_each_control_moves_the_row_of_threads(notebook):
    explorer = notebook.explorer(CELLS[1])
    assert explorer.sentence() == thread_grid.sentence(10, 4, 3)
    walk(explorer, [
        (0, "ArrowRight", 1, (11, 4, 3)),
        (1, "ArrowRight", 2, (11, 6, 3)),
        (2, "ArrowLeft", 1, (11, 6, 2)),
        (3, "Space", 1, (11, 6, 2, False)),
    ])  # fmt: skip
    notebook.screenshot("row")


def test_each_control_moves_the_plane_of_threads(notebook):
    explorer = notebook.explorer(CELLS[2])
    assert explorer.sentence() == thread_grid.sentence((10, 5), (4, 2), (3, 3))
    walk(explorer, [
        (0, "ArrowLeft", 1, ((9, 5), (4, 2), (3, 3))),
        (1, "ArrowRight", 1, ((9, 6), (4, 2), (3, 3))),
        (2, "ArrowLeft", 1, ((9, 6), (3, 2), (3, 3))),
        (3, "ArrowRight", 1, ((9, 6), (3, 3), (3, 3))),
        (4, "ArrowRight", 1, ((9, 6), (3, 3), (4, 3))),
        (5, "ArrowLeft", 1, ((9, 6), (3, 3), (4, 2))),
        (6, "Space", 1, ((9, 6), (3, 3), (4, 2), False)),
    ])  # fmt: skip
    notebook.screenshot("plane")
