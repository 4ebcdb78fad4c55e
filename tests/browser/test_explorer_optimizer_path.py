"""The optimizer explorer in JupyterLab: each control moves the picture, and the sentence is the plain function's."""

import pytest

from gpucourse.viz import optimizer_path

CELLS = ("from gpucourse.viz import explorers", "explorers.optimizer_path()")


@pytest.fixture
def explorer(open_cells):
    notebook = open_cells("optimizer_path", CELLS)
    yield notebook.explorer(CELLS[-1])
    notebook.screenshot("moved")


def test_each_control_moves_the_picture_and_the_sentence_is_the_plain_functions(explorer):
    assert explorer.sentence() == optimizer_path.sentence()
    moves = (
        (1, "End", 1, {"optimizer": "Adam"}),
        (2, "ArrowLeft", 1, {"lr": 0.04}),
        (3, "ArrowLeft", 2, {"beta": 0.5}),
        (4, "ArrowRight", 1, {"x": -1.75}),
        (5, "ArrowLeft", 2, {"y": 1.1}),
        (6, "ArrowRight", 1, {"steps": 100}),
        (0, "End", 1, {"surface": "valley"}),
        (1, "Home", 1, {"optimizer": "plain"}),         # for which this rate is far too large
    )
    values, walk = {}, []
    for *move, changed in moves:
        values |= changed
        walk.append((*move, optimizer_path.sentence(**values)))
    assert "diverges" in walk[-1][-1]
    explorer.walk(walk)
