"""The convolution explorer in JupyterLab: each control moves the picture, and the sentence is the plain function's."""

import pytest

from gpucourse.viz import convolution

CELLS = ("from gpucourse.viz import explorers", "explorers.convolution()")


@pytest.fixture
def explorer(open_cells):
    notebook = open_cells("convolution", CELLS)
    yield notebook.explorer(CELLS[-1])
    notebook.screenshot("moved")


def test_each_control_moves_the_picture_and_the_sentence_is_the_plain_functions(explorer):
    assert explorer.sentence() == convolution.sentence()
    steps = (
        (1, "ArrowRight", 1, {"padding": 1}),
        (2, "ArrowRight", 1, {"padding": 1, "stride": 2}),
        (3, "ArrowRight", 1, {"padding": 1, "stride": 2, "dilation": 2}),
        (4, "ArrowRight", 5, {"padding": 1, "stride": 2, "dilation": 2, "place": 5}),
        (0, "End", 1, {"padding": 1, "stride": 2, "dilation": 2, "place": 5, "kernel": "double"}),
    )
    explorer.walk([(*step, convolution.sentence(**values)) for *step, values in steps])
