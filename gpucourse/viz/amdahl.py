"""The Amdahl explorer: how much faster `workers` workers finish when only a share of the work can be "
"divided."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING

from gpucourse.viz import explorer, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
SHARES = (0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999, 1.0)
BACKGROUND = (0.5, 0.9, 0.99, 0.999, 1.0)


def speedup(parallel: float, workers: float) -> float:
    """Return old time / new time when the share `parallel` (0 to 1) of a job runs on `workers` workers.

    Source: G. M. Amdahl, AFIPS Spring Joint Computer Conference 1967, https://doi.org/10.1145/1465482.1465560
    """
    return 1 / ((1 - parallel) + parallel / workers)


def draw(parallel: float, workers: int) -> tuple[Figure, str]:
    """Draw speed-up against workers, the chosen share in blue; return the figure and a sentence."""
    fig, ax = picture.new(7.2, 3.8)
    end = speedup(parallel, WORKERS[-1])
    for share in BACKGROUND:
        apart = abs(log2(speedup(share, WORKERS[-1]) / end)) > 0.4  # else its label would cover the blue one
        _curve(ax, share, picture.COLORS["grey"], 1.0, percent(share) if apart else "")
    _curve(ax, parallel, picture.COLORS["blue"], 2.6, percent(parallel))
    reached = speedup(parallel, workers)
    ax.plot([workers], [reached], "o", color=picture.COLORS["red"], markersize=9, zorder=5)
    _note(ax, workers, reached)
    _axes(ax)
    return fig, sentence(parallel, workers)


def percent(share: float) -> str:
    """Return a share as "95%" or "99.9%"."""
    return f"{100 * share:.4g}%"


def sentence(parallel: float, workers: int) -> str:
    """Say what the picture shows, in words."""
    times = f"{speedup(parallel, workers):.1f}"
    start = (
        f"If {percent(parallel)} of the work can be divided, {workers} workers finish it {times} times sooner"
    )
    if parallel >= 1:
        return f"{start}; without a serial part there is no limit."
    return f"{start}; no number of workers can reach {1 / (1 - parallel):.1f} times."


def amdahl(parallel: float = 0.95, workers: int = 16) -> None:
    """Print the sentence and show the picture for one setting."""
    explorer.show(draw, parallel=parallel, workers=workers)


def explore() -> explorer.Explorer | None:
    """The same picture with two sliders."""
    return explorer.explorer(
        "amdahl",
        draw,
        parallel=explorer.steps(
            0.95, [(percent(share), share) for share in SHARES], "share that can be divided"
        ),
        workers=explorer.steps(16, WORKERS, "workers"),
    )


def _curve(ax: Axes, share: float, color: str, width: float, label: str) -> None:
    values = [speedup(share, n) for n in WORKERS]
    ax.plot(WORKERS, values, color=color, linewidth=width)
    ax.annotate(
        label, (WORKERS[-1], values[-1]), (9, 0), textcoords="offset points", va="center", color=color
    )


def _note(ax: Axes, workers: int, reached: float) -> None:
    right = workers > 200
    ax.annotate(
        f"{workers} workers: {reached:.1f}×",
        (workers, reached),
        (-9 if right else 9, -5),
        textcoords="offset points",
        ha="right" if right else "left",
        va="top",
        color=picture.INK["red"],
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1},
        zorder=6,
    )


def _axes(ax: Axes) -> None:
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ax.set_xticks(WORKERS, [str(n) for n in WORKERS])
    ticks = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
    ax.set_yticks(ticks, [f"{n}×" for n in ticks])
    ax.set_ylim(0.9, 1200)
    ax.set_xlabel("workers")
    ax.set_ylabel("speed-up")
    ax.set_title("How much faster, when only a share of the work can be divided", loc="left")
