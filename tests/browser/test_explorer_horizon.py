"""The horizon explorer in JupyterLab: each control moves the picture, and the sentence is the plain function's."""

import pytest

from gpucourse.viz import horizon

CELLS = ("from gpucourse.viz import explorers", "explorers.horizon()")


@pytest.fixture
def explorer(open_cells):
    notebook = open_cells("horizon", CELLS)
    yield notebook.explorer(CELLS[-1])
    notebook.screenshot("moved")


def test_each_control_moves_the_picture_and_the_sentence_is_the_plain_functions(explorer):
    assert explorer.sentence() == horizon.draw()[1]
    explorer.walk((
        (0, "ArrowRight", 1, horizon.draw(start="2018-08-07T06")[1]),
        (1, "ArrowLeft", 6, horizon.draw(start="2018-08-07T00")[1]),
        (2, "ArrowRight", 12, horizon.draw(start="2018-08-07T00", hours=36)[1]),
        (0, "End", 1, horizon.draw(start="2018-09-30T00", hours=36)[1]),
        (2, "Home", 1, horizon.draw(start="2018-09-30T00", hours=1)[1]),
    ))  # fmt: skip
