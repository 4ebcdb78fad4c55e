"""The roads explorer in JupyterLab: each control moves the picture, and the sentence is the plain function's."""

import pytest

from gpucourse.viz import roads

CELLS = ("from gpucourse.viz import explorers", "explorers.roads()")


@pytest.fixture
def explorer(open_cells):
    notebook = open_cells("roads", CELLS)
    yield notebook.explorer(CELLS[-1])
    notebook.screenshot("moved")


def test_each_control_moves_the_picture_and_the_sentence_is_the_plain_functions(explorer):
    assert explorer.sentence() == roads.sentence()
    steps = (
        (0, "ArrowRight", 3, {"n": 13}),
        (1, "ArrowRight", 1, {"n": 13, "size": 8}),
        (2, "T", 1, {"n": 13, "size": 8, "road": roads.ONE_BLOCK}),
        (2, "End", 1, {"n": 13, "size": 8, "road": roads.BLOCKS}),
    )
    explorer.walk([(*step, roads.sentence(**values)) for *step, values in steps])
