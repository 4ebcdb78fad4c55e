"""Draws chips as what they compute with: one square for every lane that does float32 arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gpucourse.viz import picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ACROSS = 8  # lanes side by side in a unit
_UNITS_ACROSS = 12  # units side by side in a chip


def unit_picture(lanes: int) -> np.ndarray:
    """Return one unit: a bool array with `lanes` True squares, 8 across, and a white margin right and "
    "below."""
    rows = -(-lanes // _ACROSS)
    cells = np.zeros((rows, _ACROSS), bool)
    cells.flat[:lanes] = True
    return np.pad(cells, ((0, 2), (0, 2)))


def chip_picture(units: int, lanes: int) -> np.ndarray:
    """Return a chip of `units` units with `lanes` lanes each as a bool array; every True square is one "
    "lane."""
    unit = unit_picture(lanes)
    rows = -(-units // _UNITS_ACROSS)
    chip = np.zeros((rows * unit.shape[0], _UNITS_ACROSS * unit.shape[1]), bool)
    for k in range(units):
        y, x = divmod(k, _UNITS_ACROSS)
        chip[y * unit.shape[0] : (y + 1) * unit.shape[0], x * unit.shape[1] : (x + 1) * unit.shape[1]] = unit
    return chip


def draw(chips: Mapping[str, tuple[int, int]]) -> tuple[Figure, str]:
    """Draw `chips`, name -> (units, lanes in a unit), side by side at one scale; return the figure and its "
    "words."""
    images = [chip_picture(*size) for size in chips.values()]
    height = max(image.shape[0] for image in images)
    fig, axes = picture.new(2.9 * len(chips), 5.2, columns=len(chips), squeeze=False)
    for ax, (name, (units, lanes)), image in zip(axes.flat, chips.items(), images, strict=True):
        full = np.pad(image, ((0, height - image.shape[0]), (0, 0)))
        ax.imshow(~full, cmap="gray", interpolation="nearest", vmin=-0.35, vmax=1)
        ax.set_title(f"{name}\n{units} × {lanes} = {units * lanes:,} lanes", fontsize=10)
        ax.axis("off")
    words = "; ".join(
        f"{name} has {units} units of {lanes} lanes, {units * lanes:,} in all"
        for name, (units, lanes) in chips.items()
    )
    return fig, f"One square per lane of float32 arithmetic, all chips at one scale: {words}."


def lanes(chips: Mapping[str, tuple[int, int]]) -> None:
    """Show the chips, name -> (units, lanes in a unit)."""
    fig, words = draw(chips)
    picture.show(fig, words)
