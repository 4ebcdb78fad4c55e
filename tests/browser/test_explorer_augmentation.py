"""The augmentation explorer in JupyterLab: each control moves the picture, and the sentence is the plain function's."""

import pytest

from gpucourse.viz import augmentation

CELLS = ("from gpucourse.viz import explorers", "explorers.augmentation()")


@pytest.fixture
def explorer(open_cells):
    pytest.importorskip("torch")
    notebook = open_cells("augmentation", CELLS)
    yield notebook.explorer(CELLS[-1])
    notebook.screenshot("moved")


def test_each_control_moves_the_picture_and_the_sentence_is_the_plain_functions(explorer):
    assert explorer.sentence() == augmentation.sentence()
    moves = (
        (1, "ArrowRight", 1, {"shift": 3}),
        (2, "End", 1, {"rotate": 180}),
        (3, "ArrowRight", 2, {"scale": 0.2}),
        (4, "ArrowRight", 3, {"noise": 0.3}),
        (5, "Space", 1, {"mirror": True}),
    )
    values, walk = {}, []
    for *move, changed in moves:
        values |= changed
        walk.append((*move, augmentation.sentence(**values)))
    explorer.walk(walk)
    before = explorer.picture()
    explorer.press(6, "ArrowRight")                     # the seed: other copies, the same words
    assert explorer.sentence() == augmentation.sentence(**values)
    explorer.press(0, "End")
    assert explorer.sentence() == augmentation.sentence(**values | {"digit": 9})
    assert explorer.picture() != before
