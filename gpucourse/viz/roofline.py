"""The roofline explorer: what a machine can reach at most, against the arithmetic a kernel does for each "
"byte."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gpucourse.show import here
from gpucourse.viz import explorer, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Machines = Mapping[str, tuple[float, float]]  # name -> (peak in GFLOP/s, bandwidth in GB/s)
Points = Mapping[str, tuple[float, float]]  # name -> (FLOP/byte, GFLOP/s), measured
INTENSITIES = np.logspace(-2, 3, 61)
# the colors for the machines in the order given; the dash tells them apart without color
_LOOKS = (("blue", "-"), ("red", "--"), ("green", "-."), ("purple", ":"), ("orange", (0, (6, 2, 1, 2, 1, 2))))


def attainable(intensity: float, peak: float, bandwidth: float) -> float:
    """Return the GFLOP/s that a kernel of `intensity` FLOP/byte can reach: min(peak, intensity × bandwidth).

    `peak` in GFLOP/s, `bandwidth` in GB/s. Source: Williams, Waterman, Patterson, CACM 52(4), 2009,
    https://doi.org/10.1145/1498765.1498785
    """
    return min(peak, intensity * bandwidth)


def draw(
    machines: Machines,
    machine: str,
    intensity: float,
    points: Points | None = None,
) -> tuple[Figure, str]:
    """Draw every machine's roof, the chosen one thick; `points` are measured kernels, name -> (intensity, "
    "GFLOP/s)."""
    fig, ax = picture.new(7.2, 4.2)
    for (name, roof), (color, dash) in zip(machines.items(), _LOOKS, strict=False):
        roof_line(ax, name, roof, picture.COLORS[color], dash, name == machine)
    ceiling = attainable(intensity, *machines[machine])
    ax.vlines(
        intensity, ax.get_ylim()[0], ceiling, color=picture.COLORS["grey"], linestyle=":", linewidth=1.5
    )
    ax.plot([intensity], [ceiling], "o", color=picture.COLORS["black"], markersize=8, zorder=5)
    for name, (x, y) in (points or {}).items():
        point(ax, name, x, y)
    axes(ax, "What each machine can reach at most, and what was measured here")
    ax.legend(fontsize=9, loc="lower right", frameon=False)
    return fig, sentence(machines, machine, intensity)


def sentence(machines: Machines, machine: str, intensity: float) -> str:
    """Say what the picture shows, in words; the figures of "this machine" stand between ⟨ and ⟩."""
    peak, bandwidth = machines[machine]
    mark = here if machine.startswith("this") else str
    limit = "memory" if intensity * bandwidth < peak else "arithmetic"
    most = rate(attainable(intensity, peak, bandwidth))
    return (
        f"At {intensity:.3g} FLOP/byte, {machine} can reach {mark(most)} at most: "
        f"{mark(limit)} is the limit. "
        f"Its roof bends at {mark(f'{peak / bandwidth:.3g}')} FLOP/byte."
    )


def rate(gflops: float) -> str:
    """Return a rate given in GFLOP/s with a unit that fits: "850 GFLOP/s", "67 TFLOP/s"."""
    return f"{gflops / 1000:.3g} TFLOP/s" if gflops >= 1000 else f"{gflops:.3g} GFLOP/s"


def roofline(machines: Machines, machine: str, intensity: float = 3.0, points: Points | None = None) -> None:
    """Print the sentence and show the picture for one machine and intensity; arguments as in `draw`."""
    explorer.show(draw, machines=machines, machine=machine, intensity=intensity, points=points)


def explore(machines: Machines, points: Points | None = None) -> explorer.Explorer | None:
    """The same picture with a slider for the intensity and a list of the machines."""

    def choose(intensity: float, machine: str) -> tuple[Figure, str]:
        return draw(machines, machine, intensity, points)

    steps = [(f"{x:.3g}", float(x)) for x in INTENSITIES]
    return explorer.explorer(
        "roofline",
        choose,
        intensity=explorer.steps(steps[30][1], steps, "FLOP per byte"),
        machine=explorer.choice(next(iter(machines)), list(machines), "machine"),
    )


def roof_line(
    ax: Axes, name: str, roof: tuple[float, float], color: str, dash: object = "-", chosen: bool = True
) -> None:
    """Draw the roof (peak in GFLOP/s, bandwidth in GB/s) of the machine `name`; thick if it is the chosen one."""
    bends = [INTENSITIES[0], roof[0] / roof[1], INTENSITIES[-1]]
    values = [attainable(x, *roof) for x in bends]
    ax.plot(bends, values, color=color, linestyle=dash, linewidth=3.4 if chosen else 1.6, label=name)


def point(ax: Axes, name: str, x: float, y: float) -> None:
    """Mark a kernel of `x` FLOP/byte at `y` GFLOP/s by a square and its name."""
    right = x > 20  # near the right edge the name stands to the left
    ax.plot([x], [y], "s", color=picture.COLORS["black"], markersize=6, zorder=5)
    ax.annotate(
        name,
        (x, y),
        (-4 if right else 8, -7),
        textcoords="offset points",
        ha="right" if right else "left",
        va="top",
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
    )


def axes(ax: Axes, title: str) -> None:
    """Make the axes logarithmic, with their units and a title."""
    ax.set(xscale="log", yscale="log", xlim=(INTENSITIES[0], INTENSITIES[-1]))
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    ax.yaxis.set_major_formatter(lambda y, _: rate(y))
    ax.minorticks_off()
    ax.set_xlabel("arithmetic intensity (FLOP per byte)")
    ax.set_title(title, loc="left")
