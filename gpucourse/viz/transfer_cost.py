"""Shows what a copy over the link costs beside the same bytes read on the host and on the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gpucourse.viz import picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# role -> (color, line style)
_LOOKS = (("red", "-"), ("black", "--"), ("blue", "-."))


def draw(ways: Mapping[str, tuple[float, float]]) -> Figure:
    """Draw seconds against bytes for each way: {label: (seconds before the first byte, bytes per second)}."""
    fig, ax = picture.new(7.2, 3.8)
    size = np.logspace(2, 9, 141)
    for (label, (start, rate)), (color, line) in zip(ways.items(), _LOOKS, strict=False):
        ax.loglog(size, start + size / rate, line, color=picture.COLORS[color], label=label)
    ax.set_xticks([1e3, 1e6, 1e9], ["1 kB", "1 MB", "1 GB"])
    ax.set_yticks([1e-6, 1e-5, 1e-4, 1e-3, 1e-2], ["1 µs", "10 µs", "100 µs", "1 ms", "10 ms"])
    ax.minorticks_off()
    ax.set_xlabel("bytes of the array")
    ax.set_ylabel("time")
    ax.legend(fontsize=9, loc="upper left", frameon=False)
    return fig


def transfer_cost(ways: Mapping[str, tuple[float, float]]) -> None:
    """Show the costs with words; each way is {label: (seconds before the first byte, bytes per second)}."""
    said = [f"{way}: {start * 1e6:.3g} µs, then {rate / 1e9:,.1f} GB/s" for way, (start, rate) in ways.items()]
    picture.show(
        draw(ways),
        "Time against the size of an array, both axes logarithmic. Each line is flat for small arrays and "
        f"then rises in proportion to the bytes. {'; '.join(said)}.",
    )
