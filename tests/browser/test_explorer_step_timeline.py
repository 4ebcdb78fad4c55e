"""The step timeline in JupyterLab: each control moves the picture, and the sentence is the plain function's."""

import pytest

from gpucourse.viz import step_timeline

CELLS = ("from gpucourse.viz import explorers", "explorers.step_timeline()")


@pytest.fixture
def explorer(open_cells):
    notebook = open_cells("step_timeline", CELLS)
    yield notebook.explorer(CELLS[-1])
    notebook.screenshot("moved")


def test_each_control_moves_the_picture_and_the_sentence_is_the_plain_functions(explorer):
    assert explorer.sentence() == step_timeline.draw()[1]
    moves = (
        (1, "ArrowRight", 2, {"batch": 256}),
        (2, "ArrowRight", 1, {"launches": 120}),
        (3, "ArrowLeft", 1, {"launch": 4}),
        (4, "Space", 1, {"read": False}),
        (5, "Space", 1, {"graph": True}),
        (0, "End", 1, {"data": "device"}),
    )
    values, walk = {}, []
    for *move, changed in moves:
        values |= changed
        walk.append((*move, step_timeline.draw(**values)[1]))
    explorer.walk(walk)
