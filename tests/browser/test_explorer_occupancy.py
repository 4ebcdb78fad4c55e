"""The occupancy explorer in JupyterLab: each control moves the picture, and the sentence is the plain function's."""

import pytest

from gpucourse.viz import occupancy

CELLS = ("from gpucourse.viz import explorers", "explorers.occupancy()")


@pytest.fixture
def explorer(open_cells):
    notebook = open_cells("occupancy", CELLS)
    yield notebook.explorer(CELLS[-1])
    notebook.screenshot("moved")


def test_each_control_moves_the_picture_and_the_sentence_is_the_plain_functions(explorer):
    assert explorer.sentence() == occupancy.sentence()
    choice = {"registers": 66, "shared": 3 * 1024, "threads": 192}
    steps = (
        (0, "ArrowRight", 2, {"registers": 66}),
        (1, "ArrowRight", 3, {"registers": 66, "shared": 3 * 1024}),
        (2, "ArrowLeft", 4, choice),
        (3, "h", 1, choice | {"device": "H100"}),   # the first device with that letter
        (4, "s", 1, choice | {"device": "H100", "along": "shared"}),
    )
    explorer.walk([(*step, occupancy.sentence(**values)) for *step, values in steps])
