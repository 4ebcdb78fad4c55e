"""Draws times as bars on a logarithmic axis; what was computed rather than measured is hatched."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from gpucourse.show import here
from gpucourse.timing import seconds
from gpucourse.viz import picture
from gpucourse.viz.curves import tick

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(times: Mapping[str, float], computed: Collection[str], title: str) -> Figure:
    """Draw `times` (label -> seconds), the first on top; the labels in `computed` are hatched and pale."""
    fig, ax = picture.new(7.2, 0.42 * len(times) + 1.3)
    for row, (label, time) in enumerate(times.items()):
        measured = label not in computed
        ax.barh(
            row,
            time,
            color=picture.COLORS["blue"] if measured else "white",
            edgecolor=picture.COLORS["blue"],
            hatch=None if measured else "////",
        )
        ax.annotate(seconds(time), (time, row), (5, 0), textcoords="offset points", va="center", fontsize=10)
    ax.set_yticks(range(len(times)), list(times))
    ax.set(xscale="log", xlabel="each grid line is ten times the one before")
    ax.set_title(title, loc="left")
    ax.xaxis.set_major_formatter(lambda x, _: tick(x))
    ax.minorticks_off()
    ax.set_xlim(min(times.values()) / 4, max(times.values()) * 6)
    ax.grid(False, axis="y")
    ax.invert_yaxis()
    return fig


def bars(times: Mapping[str, float], title: str, computed: Collection[str] = ()) -> None:
    """Show the bars; the alternative text lists every label and time."""
    words = ", ".join(f"{label} {seconds(time)}" for label, time in times.items())
    picture.show(draw(times, computed, title), f"Bars, shorter is faster. {title}: {here(words)}.")
