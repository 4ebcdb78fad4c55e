"""The coalescing explorer in JupyterLab: each control moves the picture, and the sentence is the plain function's."""

import pytest

from gpucourse.viz import coalescing

CELLS = ("from gpucourse.viz import explorers", "explorers.coalescing()")


@pytest.fixture
def explorer(open_cells):
    notebook = open_cells("coalescing", CELLS)
    yield notebook.explorer(CELLS[-1])
    notebook.screenshot("moved")


def test_each_control_moves_the_picture_and_the_sentence_is_the_plain_functions(explorer):
    assert explorer.sentence() == coalescing.sentence()
    steps = (
        (0, "ArrowRight", 1, {"stride": 2}),
        (1, "ArrowRight", 3, {"stride": 2, "offset": 3}),
        (2, "ArrowRight", 1, {"stride": 2, "offset": 3, "width": 8}),
        (3, "ArrowLeft", 5, {"stride": 2, "offset": 3, "width": 8, "lanes": 27}),
    )
    explorer.walk([(*step, coalescing.sentence(**values)) for *step, values in steps])
