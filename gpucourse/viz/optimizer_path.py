"""The optimizer explorer: the path of an optimizer on a surface of two numbers, and its loss, step by step.

The steps are those of `gpucourse.nn.optimizers`, taken on the spot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gpucourse.nn import layer, optimizers
from gpucourse.viz import contours, explorer, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FAR = 1e3       # a path that goes further out than this diverges
NEAR = 0.1      # a path that stays nearer than this to a lowest place has arrived
REACH = 2.2     # the picture goes from -REACH to REACH on both axes
RATES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.2, 0.5, 1.0)
BETAS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)
STEPS = (10, 20, 50, 100, 200, 500, 1000)
_FLOOR, _CEILING = 1e-10, 1e3   # of the loss at the start: the loss curve is not drawn beyond


@dataclass(frozen=True)
class Surface:
    """A loss of two numbers: its height, its gradient, its lowest places and the height there."""

    title: str
    height: Callable[[Any, Any], Any]
    gradient: Callable[[float, float], tuple[float, float]]
    lowest: tuple[tuple[float, float], ...]
    floor: float = 0.0

    def loss(self, x: Any, y: Any) -> Any:
        """Height above the lowest place."""
        return self.height(x, y) - self.floor


SURFACES = {
    "bowl": Surface("long bowl", lambda x, y: (x * x + 25 * y * y) / 2, lambda x, y: (x, 25 * y), ((0, 0),)),
    "saddle": Surface("saddle", lambda x, y: (x * x - y * y) / 2 + y * y * y * y / 4,
                      lambda x, y: (x, y * y * y - y), ((0, 1), (0, -1)), -0.25),
    "valley": Surface("curved valley", lambda x, y: (1 - x) * (1 - x) + 100 * (y - x * x) * (y - x * x),
                      lambda x, y: (2 * (x - 1) - 400 * x * (y - x * x), 200 * (y - x * x)), ((1, 1),)),
}  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """An optimizer as the explorer offers it; `beta` says what the number b is to it, if anything."""

    make: Callable[[Sequence[layer.Parameter], float, float], optimizers.Optimizer]
    beta: str = ""


RULES = {
    "plain": Rule(lambda p, lr, b: optimizers.SGD(p, lr)),
    "momentum": Rule(lambda p, lr, b: optimizers.SGD(p, lr, b), "momentum"),
    "Nesterov": Rule(lambda p, lr, b: optimizers.SGD(p, lr, b, nesterov=True), "momentum"),
    "AdaGrad": Rule(lambda p, lr, b: optimizers.AdaGrad(p, lr)),
    "RMSprop": Rule(lambda p, lr, b: optimizers.RMSprop(p, lr, b), "decay"),
    "Adam": Rule(lambda p, lr, b: optimizers.Adam(p, lr, (b, 0.999)), "b1"),
}


@dataclass(frozen=True)
class Walk:
    """What an optimizer did: its points (steps + 1, 2), and at each the loss above the minimum and the way left."""

    points: Any
    losses: Any
    distances: Any

    @property
    def steps(self) -> int:
        """Steps taken."""
        return len(self.points) - 1

    @property
    def diverged(self) -> bool:
        """Whether it ended because it had gone too far out."""
        return bool(np.abs(self.points[-1]).max() > FAR)

    @property
    def arrival(self) -> int | None:
        """The step from which on it stays within 0.1 of a lowest place, or None."""
        outside = np.flatnonzero(self.distances > NEAR)
        first = int(outside[-1]) + 1 if len(outside) else 0
        return first if first <= self.steps else None

    @property
    def turns(self) -> int:
        """Steps that go back, at more than a right angle to the step before."""
        moves = np.diff(self.points, axis=0)
        return int(np.count_nonzero((moves[1:] * moves[:-1]).sum(axis=1) < 0))


def walk(
    surface: str = "bowl", optimizer: str = "plain", lr: float = 0.06, beta: float = 0.9, x: float = -1.8,
    y: float = 1.2, steps: int = 50,
) -> Walk:
    """Return the path of an optimizer from (x, y); it ends early where it has gone further out than 1,000.

    `surface`: "bowl", "saddle" or "valley"; `optimizer`: a key of RULES; `beta` is its momentum, decay or b1.
    Raises ValueError for other names, a learning rate of 0 or below, beta outside [0, 1), fewer steps than 1.
    """
    _refuse(surface, optimizer, lr, beta, steps)
    ground, p = SURFACES[surface], layer.Parameter(np.array([x, y], float))
    rule, points = RULES[optimizer].make([p], lr, beta), [p.value.copy()]
    while len(points) <= steps and np.abs(points[-1]).max() <= FAR:
        p.gradient = np.array(ground.gradient(*p.value), float)
        rule.step()
        points.append(p.value.copy())
    path = np.array(points)
    away = np.linalg.norm(path[:, None] - np.array(ground.lowest), axis=2).min(axis=1)
    return Walk(path, ground.loss(*path.T), away)


def _refuse(surface: str, optimizer: str, lr: float, beta: float, steps: int) -> None:
    for name, value, known in (("surface", surface, SURFACES), ("optimizer", optimizer, RULES)):
        if value not in known:
            raise ValueError(f"{name}={value!r}: there are {', '.join(known)}")
    if lr <= 0 or not 0 <= beta < 1 or steps < 1:
        raise ValueError(f"lr={lr}, beta={beta}, steps={steps}: the rate is above 0, beta from 0 to below 1, and "
                         "there is at least 1 step")  # fmt: skip


def sentence(
    surface: str = "bowl", optimizer: str = "plain", lr: float = 0.06, beta: float = 0.9, x: float = -1.8,
    y: float = 1.2, steps: int = 50,
) -> str:
    """Say where the path leads, in words."""
    made = walk(surface, optimizer, lr, beta, x, y, steps)
    return f"{_who(optimizer, lr, beta)} on the {SURFACES[surface].title} from ({x:g}, {y:g}): {_outcome(made)}."


def _who(optimizer: str, lr: float, beta: float) -> str:
    name = "Plain gradient descent" if optimizer == "plain" else optimizer[0].upper() + optimizer[1:]
    extra = f" and {RULES[optimizer].beta} {beta:g}" if RULES[optimizer].beta else ""
    return f"{name} with learning rate {lr:g}{extra}"


def _outcome(made: Walk) -> str:
    if made.diverged:
        return f"it diverges and is more than 1,000 away after {_many(made.steps, 'step')}"
    back = f"{_many(made.turns, 'step')} of {made.steps:,} turned back"
    if made.arrival is not None:
        return f"from step {made.arrival:,} on it stays within {NEAR:g} of a lowest place; {back}"
    return f"after {_many(made.steps, 'step')} the nearest lowest place is {made.distances[-1]:.2g} away; {back}"


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def draw(
    surface: str = "bowl", optimizer: str = "plain", lr: float = 0.06, beta: float = 0.9, x: float = -1.8,
    y: float = 1.2, steps: int = 50,
) -> tuple[Figure, str]:
    """Draw the path on the contours, and the loss over the steps; return the figure and the sentence."""
    made = walk(surface, optimizer, lr, beta, x, y, steps)
    fig, (left, right) = picture.new(8.4, 3.9, columns=2, width_ratios=(1.15, 1))
    _map(left, SURFACES[surface], made)
    _curve(right, made, steps)
    left.set_title(f"{_who(optimizer, lr, beta)}", loc="left", fontsize=11)
    return fig, sentence(surface, optimizer, lr, beta, x, y, steps)


def _map(ax: Axes, ground: Surface, made: Walk) -> None:
    """The surface from above with the path; what lies outside is cut off, and said."""
    grid = np.linspace(-REACH, REACH, 121)
    contours.ground(ax, grid, grid, ground.loss(*np.meshgrid(grid, grid)))
    contours.path(ax, np.clip(made.points, -2 * FAR, 2 * FAR), "path")
    ax.plot(*np.array(ground.lowest).T, linestyle="", marker="*", markersize=13, color=picture.COLORS["green"],
            markeredgecolor="white", zorder=5)  # fmt: skip
    ax.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), xlabel="x   (ring: start, cross: end, star: lowest)", ylabel="y")
    outside = int(np.count_nonzero(np.abs(made.points).max(axis=1) > REACH))
    if outside:
        contours.note(ax, f"{_many(outside, 'point')} outside")


def _curve(ax: Axes, made: Walk, steps: int) -> None:
    """The loss above the minimum on a logarithmic axis, which ends a thousandfold above the start."""
    start = made.losses[0] or 1.0
    shown, ceiling = np.maximum(made.losses, _FLOOR * start), _CEILING * start
    ax.plot(shown, color=picture.COLORS["red"], linewidth=1.5)
    ax.set(yscale="log", xlim=(0, steps), ylim=(shown.min() / 3, 3 * min(shown.max(), ceiling)), xlabel="step",
           ylabel="loss above the minimum")  # fmt: skip
    low, high = ax.get_ylim()
    if high > 1000 * low:   # over three decades the ticks between are too dense to be read, and take long to draw
        ax.minorticks_off()
    if made.diverged:
        contours.note(ax, "diverges")


def optimizer_path(
    surface: str = "bowl", optimizer: str = "plain", lr: float = 0.06, beta: float = 0.9, x: float = -1.8,
    y: float = 1.2, steps: int = 50,
) -> None:
    """Print the sentence and show the picture of a path; arguments as `walk`."""
    explorer.show(draw, surface=surface, optimizer=optimizer, lr=lr, beta=beta, x=x, y=y, steps=steps)


def explore() -> explorer.Explorer | None:
    """The same picture with a control for each choice."""
    return explorer.explorer(
        "optimizer path",
        draw,
        surface=explorer.choice("bowl", [(each.title, key) for key, each in SURFACES.items()], "surface"),
        optimizer=explorer.choice("plain", list(RULES), "optimizer"),
        lr=explorer.steps(0.06, [(f"{rate:g}", rate) for rate in RATES], "learning rate"),
        beta=explorer.steps(0.9, [(f"{beta:g}", beta) for beta in BETAS], "momentum, decay or b1"),
        x=explorer.slider(-1.8, -2.0, 2.0, 0.05, "start x"),
        y=explorer.slider(1.2, -2.0, 2.0, 0.05, "start y"),
        steps=explorer.steps(50, list(STEPS), "steps"),
    )
