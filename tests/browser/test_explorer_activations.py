"""The activations explorer in JupyterLab: each control moves the picture, and the sentence is the plain function's."""

import pytest

from gpucourse.viz import activations

CELLS = ("from gpucourse.viz import explorers", "explorers.activations()")


@pytest.fixture
def explorer(open_cells):
    notebook = open_cells("activations", CELLS)
    yield notebook.explorer(CELLS[-1])
    notebook.screenshot("moved")


def test_each_control_moves_the_picture_and_the_sentence_is_the_plain_functions(explorer):
    assert explorer.sentence() == activations.sentence()
    steps = (
        (1, "ArrowLeft", 4, {"x": -2.0}),
        (0, "End", 1, {"x": -2.0, "activation": "leaky ReLU"}),
        (2, "ArrowRight", 6, {"x": -2.0, "activation": "leaky ReLU", "layers": 7}),
        (3, "ArrowRight", 1, {"x": -2.0, "activation": "leaky ReLU", "layers": 7, "slope": 0.2}),
    )
    explorer.walk([(*step, activations.sentence(**values)) for *step, values in steps])
