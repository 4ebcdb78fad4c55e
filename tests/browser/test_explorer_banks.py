"""The banks explorer in JupyterLab: each control moves the picture, and the sentence is the plain function's."""

import pytest

from gpucourse.viz import banks

CELLS = ("from gpucourse.viz import explorers", "explorers.banks()")


@pytest.fixture
def explorer(open_cells):
    notebook = open_cells("banks", CELLS)
    yield notebook.explorer(CELLS[-1])
    notebook.screenshot("moved")


def test_each_control_moves_the_picture_and_the_sentence_is_the_plain_functions(explorer):
    assert explorer.sentence() == banks.sentence()
    steps = (
        (1, "ArrowRight", 1, {"padding": 1}),
        (0, "ArrowLeft", 3, {"padding": 1, "width": 16}),
        (2, "Home", 1, {"padding": 1, "width": 16, "access": "row"}),
        (3, "ArrowRight", 1, {"padding": 1, "width": 16, "access": "row", "bits": 64}),
    )
    explorer.walk([(*step, banks.sentence(**values)) for *step, values in steps])
