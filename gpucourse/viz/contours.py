"""Draws a height over a plane as filled contours, with paths across it: a loss seen from above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gpucourse.viz import picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# color, marker, dash: three ways to tell the paths apart
LOOKS = (("red", "o", "-"), ("black", "s", "--"), ("purple", "^", "-."), ("orange", "D", ":"))
LEVELS = 16
_WHITE = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.0}


def ground(ax: Axes, x: Sequence[float], y: Sequence[float], heights: Any) -> None:
    """Fill `ax` with the contours of `heights` (len(y), len(x)), at least 0; levels lie close where it is low."""
    heights = np.asarray(heights, float)
    root = np.sqrt(np.sqrt(np.clip(heights, 0, None)))      # evenly spaced fourth roots: most levels near the bottom
    levels = np.linspace(root.min(), root.max(), LEVELS)
    ax.contourf(x, y, root, levels, cmap="Blues_r", alpha=0.55)
    ax.contour(x, y, root, levels, colors=picture.COLORS["grey"], linewidths=0.5)
    ax.grid(False)


def path(ax: Axes, points: Any, label: str, number: int = 0) -> None:
    """Draw `points` (n, 2) as path `number`: a mark at each, a larger one at the start, a cross at the end."""
    color, marker, dash = LOOKS[number % len(LOOKS)]
    points, color = np.asarray(points, float), picture.COLORS[color]
    ax.plot(*points.T, dash, color=color, marker=marker, markersize=3, linewidth=1.2, label=label, zorder=3)
    ax.plot(*points[0], marker="o", markersize=9, markerfacecolor="white", markeredgecolor=color, zorder=4)
    ax.plot(*points[-1], marker="X", markersize=10, color=color, markeredgecolor="white", zorder=5)


def draw(
    x: Sequence[float], y: Sequence[float], heights: Any, paths: Mapping[str, Any], title: str, across: str, up: str
) -> Figure:
    """Draw `heights` (len(y), len(x)) over the plane and `paths`, label -> points (n, 2), on it."""
    fig, ax = picture.new(6.4, 4.4)
    ground(ax, x, y, heights)
    for number, (label, points) in enumerate(paths.items()):
        path(ax, points, label, number)
    ax.set(xlabel=across, ylabel=up, xlim=(min(x), max(x)), ylim=(min(y), max(y)))
    ax.set_title(title, loc="left")
    if paths:
        ax.legend(frameon=True, framealpha=0.85, loc="best", fontsize=10)
    return fig


def note(ax: Axes, text: str) -> None:
    """Write `text` into the upper right corner, on white."""
    ax.text(0.98, 0.97, text, transform=ax.transAxes, ha="right", va="top", fontsize=10, bbox=_WHITE, zorder=6)


def contours(
    x: Sequence[float], y: Sequence[float], heights: Any, paths: Mapping[str, Any], title: str, across: str, up: str,
    alt: str,
) -> None:
    """Show the picture of `draw` with the alternative text `alt`."""
    picture.show(draw(x, y, heights, paths, title, across, up), alt)
