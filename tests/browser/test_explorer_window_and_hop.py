"""The window-and-hop explorer in JupyterLab: each control moves the picture; the sentence is the plain function's."""

import pytest

from gpucourse.viz import window_and_hop

CELLS = ("from gpucourse.viz import explorers", "explorers.window_and_hop()")


@pytest.fixture
def explorer(open_cells):
    pytest.importorskip("torch")
    notebook = open_cells("window_and_hop", CELLS)
    yield notebook.explorer(CELLS[-1])
    notebook.screenshot("moved")


def test_each_control_moves_the_picture_and_the_sentence_is_the_plain_functions(explorer):
    assert explorer.sentence() == window_and_hop.draw()[1]
    moves = (
        (0, "ArrowRight", 1, {"window": 4096}),
        (1, "ArrowLeft", 2, {"hop": 128}),
        (0, "ArrowLeft", 3, {"window": 512}),
        (1, "Home", 1, {"hop": 64}),
    )
    values, walk = {}, []
    for *move, changed in moves:
        values |= changed
        walk.append((*move, window_and_hop.draw(**values)[1]))
    explorer.walk(walk)
    assert "tones, 40 Hz or 1.28 bins apart, are not separated" in explorer.sentence()
    assert "5 hops apart, are separated" in explorer.sentence()
