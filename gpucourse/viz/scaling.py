"""The scaling explorer: how long a training step takes on several workers that add up their gradients in a ring.

The model: each worker computes, and all add up their gradients by a ring all-reduce: 2 (n - 1) messages one after the
other, each an n-th of the gradients. A share of that may run beside the backward pass, which is two thirds of the
computing. Source of the ring's cost: P. Patarasuk and X. Yuan, "Bandwidth optimal all-reduce algorithms for clusters
of workstations", J. Parallel Distrib. Comput. 69 (2009) 117-124, https://doi.org/10.1016/j.jpdc.2008.09.002
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpucourse.viz import explorer, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
BACKWARD = 2 / 3   # of a step's computing


def ring(workers: int, bytes_: float, bandwidth: float, latency: float) -> float:
    """Return the seconds of a ring all-reduce of `bytes_`; `bandwidth` in bytes/s between neighbors, `latency` in s.

    >>> ring(4, 1e9, 1e9, 0.0)
    1.5
    """
    return 2 * (workers - 1) / workers * bytes_ / bandwidth + 2 * (workers - 1) * latency


@dataclass(frozen=True)
class Step:
    """A step of `workers` workers, in ms: computing, the whole all-reduce, and what of it the computing hides."""

    workers: int
    compute: float
    reduce: float
    hidden: float
    efficiency: float   # images a second, of `workers` times those of one worker

    @property
    def waits(self) -> float:
        """How long the workers wait for the all-reduce, ms."""
        return self.reduce - self.hidden

    @property
    def total(self) -> float:
        """The whole step, ms."""
        return self.compute + self.waits


def step(
    workers: int = 8, megabytes: float = 100, bandwidth: float = 10, latency: float = 10, compute: float = 100,
    overlap: float = 0.0, strong: bool = False,
) -> Step:
    """Return the step of `workers` workers with `megabytes` (10^6 bytes) of gradients.

    `bandwidth`: GB/s (10^9 bytes) between neighbors; `latency`: µs a message; `compute`: ms that one worker needs for
    its batch. `overlap`: the share of the all-reduce that may run beside the backward pass. `strong`: the batch of one
    worker is divided among all; else each has as large a batch (weak scaling). Raises ValueError for what cannot be.
    """
    if workers < 1 or megabytes < 0 or bandwidth <= 0 or latency < 0 or compute <= 0 or not 0 <= overlap <= 1:
        raise ValueError(f"workers={workers}, megabytes={megabytes}, bandwidth={bandwidth}, latency={latency}, compute="
                         f"{compute}, overlap={overlap}: at least 1 worker, bandwidth and compute above 0, an overlap "
                         "from 0 to 1, nothing negative")  # fmt: skip
    own = compute / workers if strong else compute
    reduce = 1e3 * ring(workers, megabytes * 1e6, bandwidth * 1e9, latency * 1e-6)
    hidden = min(overlap * reduce, BACKWARD * own)
    return Step(workers, own, reduce, hidden, own / (own + reduce - hidden))


# --- words and picture -------------------------------------------------------------------------------


def said(made: Step, strong: bool) -> str:
    """Say how long the step takes, what of it is waiting, and what the workers are worth."""
    what = "one batch divided among them" if strong else "a batch each"
    who = "1 worker needs" if made.workers == 1 else f"{made.workers:,} workers, {what}, need"
    if made.workers == 1:
        return f"{who} {_ms(made.total)} a step and waits for nobody."
    worth = made.workers * made.efficiency
    return (f"{who} {_ms(made.total)} a step: {_ms(made.compute)} of computing and {_ms(made.waits)} of waiting for an "
            f"all-reduce of {_ms(made.reduce)}, {_ms(made.hidden)} of which the backward pass hides. They do the work "
            f"of {worth:,.3g}: efficiency {made.efficiency:.1%}.")  # fmt: skip


def _ms(time: float) -> str:
    return f"{time:,.4g} ms"


def draw(
    workers: int = 8, megabytes: float = 100, bandwidth: float = 10, latency: float = 10, compute: float = 100,
    overlap: float = 0.0, strong: bool = False,
) -> tuple[Figure, str]:
    """Draw the time a step and the efficiency for 1 to 1,024 workers, the chosen number marked; arguments as `step`."""
    chosen = step(workers, megabytes, bandwidth, latency, compute, overlap, strong)
    every = [step(n, megabytes, bandwidth, latency, compute, overlap, strong) for n in WORKERS]
    fig, (left, right) = picture.new(9.6, 3.6, columns=2)
    _times(left, every)
    right.plot(WORKERS, [100 * each.efficiency for each in every], color=picture.COLORS["blue"])
    right.plot([workers], [100 * chosen.efficiency], "o", color=picture.COLORS["red"], markersize=9,
               clip_on=False)  # fmt: skip
    right.set_ylim(0, 105)
    right.set_title("efficiency (%); the dot: the workers chosen", loc="left")
    left.axvline(workers, color=picture.COLORS["black"], linestyle=":", linewidth=1.5)
    for ax in (left, right):
        ax.set_xscale("log", base=2)
        ax.set_xticks(WORKERS[::2], [str(n) for n in WORKERS[::2]])
        ax.set(xlim=(0.9, 1150), xlabel="workers")
    return fig, said(chosen, strong)


def _times(ax: Axes, every: list[Step]) -> None:
    """Two areas on one another, told apart by lightness and hatching, too."""
    compute, total = [each.compute for each in every], [each.total for each in every]
    for label, low, high, color, hatch in (("computing", [0.0] * len(every), compute, "blue", ""),
                                           ("waiting for the all-reduce", compute, total, "orange", "//")):  # fmt: skip
        ax.fill_between(WORKERS, low, high, facecolor=picture.COLORS[color], hatch=hatch, edgecolor="white",
                        linewidth=0.5, label=label)  # fmt: skip
    ax.set_ylim(0, max(total) * 1.05)
    ax.set_title("time a step (ms)", loc="left", pad=26)
    ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 0.98), ncols=2, fontsize=9, frameon=False)


def scaling(
    workers: int = 8, megabytes: float = 100, bandwidth: float = 10, latency: float = 10, compute: float = 100,
    overlap: float = 0.0, strong: bool = False,
) -> None:
    """Print what the workers are worth and show time and efficiency against their number; arguments as `step`.

    >>> scaling(workers=64, bandwidth=1.25)   # doctest: +SKIP
    """
    explorer.show(draw, workers=workers, megabytes=megabytes, bandwidth=bandwidth, latency=latency, compute=compute,
                  overlap=overlap, strong=strong)  # fmt: skip


def explore() -> explorer.Explorer | None:
    """The same picture with a control for each number."""
    return explorer.explorer(
        "scaling",
        draw,
        workers=explorer.steps(8, WORKERS, "workers"),
        megabytes=explorer.steps(100, [0.1, 1, 10, 100, 1000, 10_000], "gradients (MB)"),
        bandwidth=explorer.steps(10, [0.1, 1, 10, 25, 50, 100, 500], "bandwidth (GB/s)"),
        latency=explorer.steps(10, [1, 3, 10, 30, 100, 300], "latency (µs)"),
        compute=explorer.steps(100, [1, 3, 10, 30, 100, 300, 1000], "computing of one (ms)"),
        overlap=explorer.slider(0.0, 0.0, 1.0, 0.25, "may be hidden", ".0%"),
        strong=explorer.switch(False, "divide one batch among all (strong scaling)"),
    )
