"""The picture of chips: one square for each lane, no more and no fewer."""

import numpy as np
import pytest

from gpucourse.viz import lanes


@pytest.mark.parametrize(("units", "each"), [(1, 1), (16, 16), (96, 16), (132, 128), (23, 5)])
def test_a_chip_has_as_many_cells_as_lanes(units, each):
    assert lanes.chip_picture(units, each).sum() == units * each


def test_each_cell_becomes_a_square_with_a_white_rim():
    cells = np.array([[True, False], [False, True]])
    white = (lanes._pixels(cells) == 1).all(axis=2)
    assert (~white).sum() == 2 * (lanes.SQUARE - 1) ** 2
    assert white[lanes.SQUARE - 1].all() and white[:, lanes.SQUARE - 1].all()


def test_the_words_give_every_count():
    _, words = lanes.draw({"a CPU": (16, 16), "a GPU": (132, 128)})
    assert "a CPU has 16 units of 16 lanes, 256 in all" in words
    assert "a GPU has 132 units of 128 lanes, 16,896 in all" in words
