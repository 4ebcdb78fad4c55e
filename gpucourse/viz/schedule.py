"""Draws what runs when: one row for each worker, one bar for each piece of work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from gpucourse.viz.picture import COLORS, INK, ON

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Bar(NamedTuple):
    """One piece of work: its row, start and end in one unit of time, kind (which fixes the look), label."""

    row: str
    start: float
    end: float
    kind: str
    label: str = ""


# kind -> (color, hatch): the hatch tells the kinds apart without color
LOOKS = {
    "launch": ("orange", "//"),
    "wait": ("grey", ".."),
    "copy in": ("green", "\\\\"),
    "kernel": ("blue", ""),
    "copy out": ("purple", "xx"),
}


def draw_schedule(ax: Axes, rows: Sequence[str], bars: Sequence[Bar], unit: str) -> None:
    """Draw `bars` on `rows` (first row on top) along a time axis in `unit`, with a legend of the kinds."""
    heights = {row: len(rows) - 1 - k for k, row in enumerate(rows)}
    longest = max((bar.end for bar in bars), default=1.0)
    for bar in bars:
        _draw_bar(ax, heights[bar.row], bar, longest)
    ax.set_yticks(list(heights.values()), list(heights))
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_xlim(0, longest * 1.02)
    ax.set_xlabel(f"time ({unit})")
    ax.grid(axis="y", visible=False)
    _legend(ax, {bar.kind for bar in bars})


def mark_clock(ax: Axes, height: float, start: float, end: float, text: str, color: str) -> None:
    """Draw what a clock measures, an arrow from `start` to `end` at `height`, with its reading above it."""
    look = {"arrowstyle": "<->", "color": COLORS[color], "lw": 1.6}
    ax.annotate("", (end, height), (start, height), arrowprops=look)
    ax.text(start, height + 0.08, text, color=INK[color], va="bottom", ha="left", fontsize=10)


def _draw_bar(ax: Axes, height: int, bar: Bar, longest: float) -> None:
    color, hatch = COLORS[LOOKS[bar.kind][0]], LOOKS[bar.kind][1]
    width = bar.end - bar.start
    look = {"color": color, "hatch": hatch, "edgecolor": "white", "linewidth": 0.8}
    ax.barh(height, width, left=bar.start, height=0.56, **look)
    if bar.label and width > 0.022 * longest * len(bar.label):
        box = {"facecolor": color, "edgecolor": "none", "pad": 1.0}
        middle = {"ha": "center", "va": "center", "fontsize": 9, "color": ON[LOOKS[bar.kind][0]]}
        ax.text(bar.start + width / 2, height, bar.label, bbox=box, **middle)


def _legend(ax: Axes, kinds: set[str]) -> None:
    from matplotlib.patches import Patch

    used = [(kind, COLORS[color], hatch) for kind, (color, hatch) in LOOKS.items() if kind in kinds]
    handles = [Patch(facecolor=c, hatch=h, edgecolor="white", label=kind) for kind, c, h in used]
    place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": len(handles)}
    ax.legend(handles=handles, fontsize=9, frameon=False, **place)
