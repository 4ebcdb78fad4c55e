"""Draws cost against size: a few labelled curves on logarithmic axes, and where two of them cross."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gpucourse.timing import seconds
from gpucourse.viz import picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# color, dash, marker: three ways to tell the curves apart
_LOOKS = (("blue", "-", "o"), ("red", "--", "s"), ("green", "-.", "^"), ("purple", ":", "D"))


def draw(
    sizes: Sequence[float],
    costs: Mapping[str, Sequence[float]],
    title: str,
    across: str,
    up: str,
    cross: float | None = None,
) -> Figure:
    """Draw each of `costs` (label -> one value for each size) against `sizes`; mark the size `cross` with "
    "a line."""
    fig, ax = picture.new(7.2, 3.8)
    for (label, values), (color, dash, marker) in zip(costs.items(), _LOOKS, strict=False):
        ax.plot(
            sizes,
            values,
            color=picture.COLORS[color],
            linestyle=dash,
            marker=marker,
            markersize=5,
            label=label,
        )
    ax.set(xscale="log", yscale="log", xlabel=across, ylabel=up)
    ax.xaxis.set_major_formatter(lambda x, _: count(x, max(sizes)))
    ax.yaxis.set_major_formatter(lambda y, _: tick(y) if up == "time" else f"{y:,.0f}")
    ax.minorticks_off()
    ax.set_title(title, loc="left")
    ax.legend(frameon=False)
    if cross is not None and min(sizes) < cross < max(sizes):
        _mark(ax, cross)
    return fig


def tick(x: float) -> str:
    """Return a time of `x` seconds for an axis, without idle zeros: "10 µs"."""
    return re.sub(r"\.0+ ", " ", seconds(x))


def count(x: float, largest: float) -> str:
    """Return a number for an axis that ends at `largest`, shortened on a long one: 10 k, 1 M, 1 G."""
    if largest < 1e6 or x < 1000:
        return f"{x:,.0f}"
    power = 3 if x >= 1e9 else 2 if x >= 1e6 else 1
    return f"{x / 1000**power:,.0f} {'kMG'[power - 1]}"


def curves(
    sizes: Sequence[float],
    costs: Mapping[str, Sequence[float]],
    title: str,
    across: str,
    up: str,
    alt: str,
    cross: float | None = None,
) -> None:
    """Show the curves of `draw` with the alternative text `alt`."""
    picture.show(draw(sizes, costs, title, across, up, cross), alt)


def _mark(ax: Axes, cross: float) -> None:
    ax.axvline(cross, color=picture.COLORS["grey"], linestyle=":", linewidth=1.5)
    top = ax.get_ylim()[1]
    ax.annotate(
        f" break-even: {cross:,.3g}", (cross, top), va="top", fontsize=10, color=picture.COLORS["black"]
    )
