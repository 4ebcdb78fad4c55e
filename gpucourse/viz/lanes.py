"""Draws chips as what they compute with: one square for every lane that does float32 arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gpucourse.viz import picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LANES_ACROSS = 8  # in a unit
UNITS_ACROSS = 22  # in a chip
SQUARE = 3  # pixels from one lane to the next; one of them stays white
_GAP = 2  # white lanes between units
_TITLE = 30  # pixels above a chip
_DPI = 100


def unit_picture(lanes: int) -> np.ndarray:
    """Return one unit as a bool array: `lanes` True cells, 8 across, and a white margin right and below."""
    cells = np.zeros((-(-lanes // LANES_ACROSS), LANES_ACROSS), bool)
    cells.flat[:lanes] = True
    return np.pad(cells, ((0, _GAP), (0, _GAP)))


def chip_picture(units: int, lanes: int) -> np.ndarray:
    """Return a chip of `units` units of `lanes` lanes as a bool array; every True cell is one lane."""
    unit = unit_picture(lanes)
    height, width = unit.shape
    chip = np.zeros((-(-units // UNITS_ACROSS) * height, UNITS_ACROSS * width), bool)
    for k in range(units):
        y, x = divmod(k, UNITS_ACROSS)
        chip[y * height : (y + 1) * height, x * width : (x + 1) * width] = unit
    return chip


def draw(chips: Mapping[str, tuple[int, int]]) -> tuple[Figure, str]:
    """Draw `chips`, name -> (units, lanes in a unit), in a column; return the figure and its words."""
    images = {name: _pixels(chip_picture(*size)) for name, size in chips.items()}
    height = sum(image.shape[0] + _TITLE for image in images.values()) + 4
    width = max(image.shape[1] for image in images.values()) + 20
    fig, ax = picture.new(width / _DPI, height / _DPI)
    ax.remove()
    top = height
    for name, (units, lanes) in chips.items():
        top -= _TITLE
        title = f"{name}: {units} × {lanes} = {units * lanes:,} lanes"
        fig.text(10 / width, (top + 8) / height, title, fontsize=11)
        top -= images[name].shape[0]
        fig.figimage(images[name], 10, top)
    return fig, words(chips)


def words(chips: Mapping[str, tuple[int, int]]) -> str:
    """Say what the picture shows."""
    each = (
        f"{name} has {units} units of {lanes} lanes, {units * lanes:,} in all"
        for name, (units, lanes) in chips.items()
    )
    return f"One square per lane of float32 arithmetic, all chips at one scale: {'; '.join(each)}."


def lanes(chips: Mapping[str, tuple[int, int]]) -> None:
    """Show the chips, name -> (units, lanes in a unit)."""
    fig, alt = draw(chips)
    picture.show(fig, alt)


def _pixels(cells: np.ndarray) -> np.ndarray:
    """Return an RGB image of the cells, each True cell a blue square with a white rim."""
    from matplotlib.colors import to_rgb

    filled = np.kron(cells, np.pad(np.ones((SQUARE - 1, SQUARE - 1), bool), ((0, 1), (0, 1))))
    image = np.ones((*filled.shape, 3))
    image[filled] = to_rgb(picture.COLORS["blue"])
    return image
