"""Shows grey pictures side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gpucourse.viz import picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(images: Mapping[str, np.ndarray]) -> Figure:
    """Draw 2-D float arrays, 0 black to 1 white, in a row, each under its title."""
    fig, axes = picture.new(2.2 * len(images), 2.5, columns=len(images), squeeze=False)
    for ax, (title, image) in zip(axes.flat, images.items(), strict=True):
        ax.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        ax.set_title(title, fontsize=10)
        ax.axis("off")
    return fig


def photos(images: Mapping[str, np.ndarray], alt: str) -> None:
    """Show the pictures with the alternative text `alt`."""
    picture.show(draw(images), alt)
