"""The tiling explorer in JupyterLab: each control moves the picture, and the sentence is the plain function's."""

import pytest

from gpucourse.viz import tiling

CELLS = ("from gpucourse.viz import explorers", "explorers.tiling()")


@pytest.fixture
def explorer(open_cells):
    notebook = open_cells("tiling", CELLS)
    yield notebook.explorer(CELLS[-1])
    notebook.screenshot("moved")


def test_each_control_moves_the_picture_and_the_sentence_is_the_plain_functions(explorer):
    assert explorer.sentence() == tiling.sentence()
    moves = (   # control, key, times, what it sets
        (0, "ArrowLeft", 1, ("n", 2048)),
        (1, "ArrowLeft", 1, ("bm", 64)),
        (2, "ArrowRight", 1, ("bn", 256)),
        (3, "ArrowRight", 1, ("bk", 16)),
        (4, "ArrowLeft", 2, ("tm", 2)),
        (5, "ArrowRight", 1, ("tn", 16)),
        (6, "T", 1, ("device", "T4")),
    )
    steps, choice = [], {}
    for control, key, times, (name, value) in moves:
        choice[name] = value
        steps.append((control, key, times, tiling.sentence(**choice)))
    explorer.walk(steps)
