"""The thread grid explorers in JupyterLab: each control moves the picture, and the sentence is the plain function's."""

import pytest

from gpucourse.viz import thread_grid

CELLS = ("from gpucourse.viz import explorers", "explorers.thread_grid()", "explorers.thread_grid(dimensions=2)")


@pytest.fixture
def notebook(open_cells):
    return open_cells("thread_grid", CELLS)


def walk(explorer, steps):
    """Each step's last item are the arguments that the sentence is for."""
    explorer.walk([(*step, thread_grid.sentence(*arguments)) for *step, arguments in steps])


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
