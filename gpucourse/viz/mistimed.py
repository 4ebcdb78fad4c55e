"""Shows published timings beside the shortest time that is possible on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gpucourse.viz import picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


Numbers = Sequence[float]


def draw(n: Sequence[int], cpu: Numbers, gpu: Numbers, shortest: Numbers) -> Figure:
    """Draw seconds against matrix size: the CPU's, what was called the GPU's, the shortest possible."""
    colors = picture.COLORS
    fig, ax = picture.new(7.2, 4.0)
    x, limit = np.asarray(n), np.asarray(shortest)
    ax.fill_between(x, 1e-7, limit, color=colors["red"], alpha=0.12, linewidth=0)
    ax.loglog(x, cpu, "o-", color=colors["black"], label="CPU, as published")
    ax.loglog(x, limit, "--", color=colors["red"], label="shortest possible (work / published peak)")
    ax.loglog(x, gpu, "s-", color=colors["blue"], label="GPU, as published (clock not waiting)")
    ax.text(x[-1] * 0.97, limit[-1] / 25, "impossible", color=colors["red"], ha="right", fontsize=12)
    ax.set_xticks(x, [f"{k:,}" for k in n])
    ax.minorticks_off()
    ax.set_ylim(1e-6, 20)
    ax.set_xlabel("rows and columns of the matrices")
    ax.set_ylabel("seconds for one product")
    ax.legend(fontsize=9, loc="upper left", frameon=False)
    return fig


def mistimed(n: Sequence[int], cpu: Numbers, gpu: Numbers, shortest: Numbers) -> None:
    """Show the timings with words; all times in seconds, one for each size in `n`."""
    below = sum(g < s for g, s in zip(gpu, shortest, strict=True))
    picture.show(
        draw(n, cpu, gpu, shortest),
        f"Seconds for one matrix product against its size, both axes logarithmic. The CPU's times rise from "
        f"{cpu[0] * 1e3:.1f} ms to {cpu[-1]:.1f} s. The GPU's published times stay between "
        f"{min(gpu) * 1e6:.0f} and {max(gpu) * 1e6:.0f} microseconds whatever the size, and {below} of "
        f"{len(gpu)} lie below the shortest time that the chip's published peak allows.",
    )
