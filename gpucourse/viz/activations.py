"""The activations explorer: an activation and its derivative, and what a row of such layers does to a gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpucourse.nn import activations as nn
from gpucourse.nn.layer import Layer
from gpucourse.viz import explorer, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDEST, MOST_LAYERS = 6.0, 30
SLOPES = (0.01, 0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True)
class Activation:
    """An activation: how its layer is made for a `slope`, which only the leaky one heeds, and its formula in words."""

    make: Callable[[float], Layer]
    formula: str


ACTIVATIONS = {
    "sigmoid": Activation(lambda slope: nn.Sigmoid(), "1 / (1 + exp(-x))"),
    "tanh": Activation(lambda slope: nn.Tanh(), "tanh(x)"),
    "ReLU": Activation(lambda slope: nn.ReLU(), "x where x > 0, else 0"),
    "leaky ReLU": Activation(nn.LeakyReLU, "x where x > 0, else {slope:g} x"),
}


def values(name: str, x: np.ndarray, slope: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Return the activation and its derivative at each element of `x`; `slope` counts for the leaky ReLU only."""
    layer = ACTIVATIONS[name].make(slope)
    return layer.forward(x), layer.backward(np.ones_like(x))


def at(name: str, x: float, slope: float = 0.1) -> tuple[float, float]:
    """Return (y, derivative) at one point; ValueError for what cannot be."""
    if name not in ACTIVATIONS:
        raise ValueError(f"activation={name!r}: an activation is one of {', '.join(ACTIVATIONS)}")
    if not 0 <= slope <= 1:
        raise ValueError(f"slope={slope:g}: give 0 to 1")
    y, derivative = values(name, np.array([float(x)]), slope)
    return float(y[0]), float(derivative[0])


def sentence(activation: str = "sigmoid", x: float = 0.0, layers: int = 1, slope: float = 0.1) -> str:
    """Say what the picture shows, in words."""
    y, derivative = _checked(activation, x, layers, slope)
    start = f"{activation} at x = {x:g}: y = {_short(y)}, and the derivative is {_short(derivative)}."
    who = "One layer" if layers == 1 else f"{layers} layers in a row, each at this point,"
    if derivative == 0:
        return f"{start} {who} let{'s' * (layers == 1)} nothing of a gradient through."
    if derivative == 1:
        return f"{start} {who} pass{'es' * (layers == 1)} a gradient on as it is."
    return f"{start} {who} multipl{'ies' if layers == 1 else 'y'} a gradient by {_short(derivative**layers)}."


def draw(activation: str = "sigmoid", x: float = 0.0, layers: int = 1, slope: float = 0.1) -> tuple[Figure, str]:
    """Draw function and derivative, and the share of a gradient that is left behind each layer; with a sentence."""
    y, derivative = _checked(activation, x, layers, slope)
    fig, (left, right) = picture.new(7.6, 3.5, columns=2, width_ratios=(1.25, 1))
    _function(left, activation, slope)
    _point(left, x, y, derivative)
    _chain(right, derivative, layers)
    formula = ACTIVATIONS[activation].formula.format(slope=slope)
    fig.suptitle(f"{activation}:  {formula}", x=0.02, ha="left", fontsize=12)
    return fig, sentence(activation, x, layers, slope)


def activations(activation: str = "sigmoid", x: float = 0.0, layers: int = 1, slope: float = 0.1) -> None:
    """Print the sentence and show the picture: "sigmoid", "tanh", "ReLU" or "leaky ReLU" (with `slope`) at `x`.

    `layers` (1 to 30) such layers in a row, each at this point, multiply a gradient by derivative ** layers.
    """
    explorer.show(draw, activation=activation, x=x, layers=layers, slope=slope)


def explore() -> explorer.Explorer | None:
    """The same picture with a control for each number."""
    return explorer.explorer(
        "activations",
        draw,
        activation=explorer.choice("sigmoid", list(ACTIVATIONS), "activation"),
        x=explorer.slider(0.0, -WIDEST, WIDEST, 0.5, "x", ".1f"),
        layers=explorer.slider(1, 1, MOST_LAYERS, 1, "layers in a row"),
        slope=explorer.steps(0.1, SLOPES, "slope of leaky ReLU"),
    )


def _checked(name: str, x: float, layers: int, slope: float) -> tuple[float, float]:
    if not 1 <= layers <= MOST_LAYERS:
        raise ValueError(f"layers={layers}: give 1 to {MOST_LAYERS}")
    return at(name, x, slope)


def _short(value: float) -> str:
    """Three digits: "0.881", "1.63e-10"."""
    return f"{value + 0.0:.3g}"   # + 0.0: no "-0"


def _function(ax: Axes, name: str, slope: float) -> None:
    """Both curves; a jump of the derivative is a gap."""
    x = np.linspace(-WIDEST, WIDEST, 601)
    y, derivative = values(name, x, slope)
    rise = np.append(np.abs(np.diff(derivative)) > 0.2, False)
    ax.plot(x, y, color=picture.COLORS["blue"], label="function")
    ax.plot(x, np.where(rise, np.nan, derivative), color=picture.COLORS["red"], linestyle="--", label="derivative")
    ax.set(xlim=(-WIDEST, WIDEST), ylim=(-1.15, 1.15) if y.max() <= 1 else (-3.5, 6.5), xlabel="x")
    ax.axhline(0, color=picture.COLORS["grey"], linewidth=0.8, zorder=0.5)
    ax.legend(loc="upper left", fontsize=9)


def _point(ax: Axes, x: float, y: float, derivative: float) -> None:
    """The chosen x on both curves, and the tangent there."""
    reach = 1.3
    ends = np.array([x - reach, x + reach])
    ax.plot(ends, y + derivative * (ends - x), color=picture.COLORS["black"], linewidth=1.2)
    ax.plot([x], [y], "o", color=picture.COLORS["blue"], markersize=8, zorder=5)
    ax.plot([x], [derivative], "s", color=picture.COLORS["red"], markersize=8, zorder=5)


def _chain(ax: Axes, derivative: float, layers: int) -> None:
    """derivative ** k behind layer k, on a logarithmic axis; no bar where nothing is left."""
    behind = np.arange(layers + 1)
    left = float(derivative) ** behind
    ax.plot(behind[left > 0], left[left > 0], "o-", color=picture.COLORS["green"], markersize=4)
    if derivative == 0:
        ax.text(0.5, 0.5, "nothing passes:\nthe derivative is 0", ha="center", va="center", transform=ax.transAxes)
    lowest = min(1e-3, float(left[left > 0].min()) / 3)
    ax.set(yscale="log", ylim=(lowest, 5), xlim=(-0.04 * layers, 1.04 * layers), xlabel="layers on the way back")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.minorticks_off()
    ax.set_title("share of the gradient that is left", fontsize=10)
