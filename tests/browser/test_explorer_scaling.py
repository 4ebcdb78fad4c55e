"""The scaling explorer in JupyterLab: each control moves the picture, and the sentence is the plain function's."""

import pytest

from gpucourse.viz import scaling

CELLS = ("from gpucourse.viz import explorers", "explorers.scaling()")


@pytest.fixture
def explorer(open_cells):
    notebook = open_cells("scaling", CELLS)
    yield notebook.explorer(CELLS[-1])
    notebook.screenshot("moved")


def test_each_control_of_scaling_moves_the_picture(explorer):
    assert explorer.sentence() == scaling.draw()[1]
    moves = (
        (0, "ArrowRight", 1, {"workers": 16}),
        (1, "ArrowRight", 1, {"megabytes": 1000}),
        (2, "ArrowRight", 1, {"bandwidth": 25}),
        (3, "ArrowRight", 2, {"latency": 100}),
        (4, "ArrowLeft", 1, {"compute": 30}),
        (5, "ArrowRight", 2, {"overlap": 0.5}),
        (6, "Space", 1, {"strong": True}),
    )
    values, walk = {}, []
    for *move, changed in moves:
        values |= changed
        walk.append((*move, scaling.draw(**values)[1]))
    explorer.walk(walk)
