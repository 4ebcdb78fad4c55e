"""Shows what a memory pool holds, step by step: bytes in use, and bytes kept for later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpucourse.viz import picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

History = Sequence[tuple[str, int, int]]


def draw(history: History) -> Figure:
    """Draw one bar a step: (what was done, bytes in use, bytes held in all)."""
    fig, ax = picture.new(7.2, 0.9 + 0.42 * len(history))
    labels, used, total = zip(*history, strict=True)
    rows = range(len(history))
    in_use = [value / 1e6 for value in used]
    kept = [(all_ - mine) / 1e6 for mine, all_ in zip(used, total, strict=True)]
    ax.barh(rows, in_use, color=picture.COLORS["blue"], label="in use")
    look = {"color": picture.COLORS["orange"], "hatch": "//", "edgecolor": "white"}
    ax.barh(rows, kept, left=in_use, label="kept, free", **look)
    ax.set_yticks(rows, labels, family="monospace", fontsize=9)
    ax.invert_yaxis()
    ax.set_xlabel("MB of device memory")
    ax.grid(axis="y", visible=False)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=9, frameon=False)
    return fig


def pool_history(history: History) -> None:
    """Show the steps with words: for each (what was done, bytes in use, bytes held in all)."""
    steps = [f"after {what}: {used / 1e6:g} of {total / 1e6:g} MB in use" for what, used, total in history]
    picture.show(draw(history), f"A memory pool, step by step. {'; '.join(steps)}.")
