"""Draws what a training did: the loss at each step, one curve for each run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gpucourse.viz import picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# color, dash, width: three ways to tell the curves apart, also where one covers another
_LOOKS = (("blue", "-", 3.2), ("orange", "--", 1.8), ("green", "-.", 1.8), ("purple", ":", 1.8))


def draw(losses: Mapping[str, Sequence[float]], mean_of: int = 1) -> Figure:
    """Draw each run's losses (label -> one number a step), each point the mean of the last `mean_of` steps."""
    fig, ax = picture.new(7.2, 3.2)
    for (label, values), (color, dash, width) in zip(losses.items(), _LOOKS, strict=False):
        means = smoothed(values, mean_of)
        steps = np.arange(len(values) - len(means) + 1, len(values) + 1)
        ax.plot(steps, means, dash, color=picture.COLORS[color], linewidth=width, label=label)
    what = "loss" if mean_of == 1 else f"loss, mean of the last {mean_of} steps"
    ax.set(xlabel="step", ylabel=what, ylim=(0, None))
    ax.legend(frameon=False)
    return fig


def smoothed(values: Sequence[float], mean_of: int) -> np.ndarray:
    """Return the means of `mean_of` neighboring values, or of all where there are fewer.

    >>> smoothed([1, 3, 5], 2).tolist()
    [2.0, 4.0]
    """
    width = min(mean_of, len(values))
    return np.convolve(values, np.full(width, 1 / width), "valid")


def losses(runs: Mapping[str, Sequence[float]], alt: str, mean_of: int = 1) -> None:
    """Show the curves of `draw` with the alternative text `alt`."""
    picture.show(draw(runs, mean_of), alt)
