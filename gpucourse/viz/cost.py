"""The cost explorer: hours and dollars of a training on rented GPUs, from a measured speed and a price looked up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpucourse.viz import explorer, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EPOCHS = 10 * 60_000   # images: ten passes over MNIST, where the explorer starts


@dataclass(frozen=True)
class Bill:
    """A training on `gpus` rented GPUs: hours until they are ready, hours of training, and what all that costs."""

    gpus: int
    startup: float
    training: float
    price: float   # dollars an hour and GPU

    @property
    def hours(self) -> float:
        """From the start of the rent to its end."""
        return self.startup + self.training

    @property
    def dollars(self) -> float:
        """All GPUs are paid from the start of the rent to its end."""
        return self.hours * self.gpus * self.price


def bill(
    *, price: float, speed: float, images: float = EPOCHS, startup: float = 5, gpus: int = 1, efficiency: float = 1.0
) -> Bill:
    """Return hours and dollars of a training on `images` images, each counted as often as it is used.

    `price`: dollars for a GPU and hour, from your provider's list of today; `speed`: images a second on one GPU, as
    you measured them; `startup`: minutes in which the machine is paid but does not train: start, installing, data.
    `efficiency`: what `gpus` GPUs do, of `gpus` times one (one alone has 1). Billed to the second, without storage and
    traffic. Raises ValueError for what cannot be.
    """
    if price < 0 or speed <= 0 or images < 0 or startup < 0 or gpus < 1 or not 0 < efficiency <= 1:
        raise ValueError(f"price={price}, speed={speed}, images={images}, startup={startup}, gpus={gpus}, efficiency="
                         f"{efficiency}: a speed above 0, at least 1 GPU, an efficiency above 0 and at most 1, nothing "
                         "negative")  # fmt: skip
    together = speed if gpus == 1 else speed * gpus * efficiency
    return Bill(gpus, startup / 60, images / together / 3600, price)


# --- words and picture -------------------------------------------------------------------------------


def said(one: Bill, made: Bill, price: float, speed: float, images: float) -> str:
    """Say what the training takes and costs, and what more than one GPU gains."""
    start = (f"{images:,.0f} images at {speed:,.5g} a second on one GPU, {_money(price)} a GPU and hour: "
             f"{_gpus(made)} for {_time(made.hours)}, {_time(made.startup)} of them until the training starts: "
             f"{_money(made.dollars)}.")  # fmt: skip
    if made.gpus == 1:
        return start
    return (f"{start} One GPU: {_time(one.hours)}, {_money(one.dollars)}. So {made.gpus} end "
            f"{one.hours / made.hours:.3g} times as soon and cost {_times(made, one)}.")  # fmt: skip


def _gpus(made: Bill) -> str:
    return "1 GPU" if made.gpus == 1 else f"{made.gpus} GPUs"


def _times(made: Bill, one: Bill) -> str:
    return f"{made.dollars / one.dollars:.3g} times as much" if one.dollars else "nothing, too"


def _money(dollars: float) -> str:
    return f"${dollars:,.2f}" if dollars >= 0.1 or not dollars else f"${dollars:.2g}"


def _time(hours: float) -> str:
    return f"{hours:,.3g} h" if hours >= 1 else f"{60 * hours:.3g} min"


def draw(
    *, price: float, speed: float, images: float = EPOCHS, startup: float = 5, gpus: int = 1, efficiency: float = 1.0
) -> tuple[Figure, str]:
    """Draw hours and dollars of one GPU and of the chosen number; arguments as `bill`."""
    values = {"price": price, "speed": speed, "images": images, "startup": startup}
    one, made = bill(**values), bill(**values, gpus=gpus, efficiency=efficiency)
    bills = [one] if gpus == 1 else [one, made]
    fig, axes = picture.new(9.0, 1.9 + 0.4 * len(bills), columns=2)
    _bars(axes[0], bills, [1.0] * len(bills), "hours")
    _bars(axes[1], bills, [each.gpus * price for each in bills], "dollars")
    axes[0].legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, fontsize=9, frameon=False)
    return fig, said(one, made, price, speed, images)


def _bars(ax: Axes, bills: list[Bill], factors: list[float], unit: str) -> None:
    """A bar for each bill: what passes before the training starts, then the training; `factors` turn hours into it."""
    for row, (each, factor) in enumerate(zip(bills, factors, strict=True)):
        labels = (None, None) if row else ("before the training", "training")   # once in the legend
        ax.barh(row, each.startup * factor, 0.6, color=picture.COLORS["orange"], hatch="//", edgecolor="white",
                linewidth=0, label=labels[0])  # fmt: skip
        ax.barh(row, each.training * factor, 0.6, left=each.startup * factor, color=picture.COLORS["blue"],
                label=labels[1])  # fmt: skip
    ax.set_yticks(range(len(bills)), [_gpus(each) for each in bills])
    ax.set_ylim(len(bills) - 0.4, -0.6)
    ax.set_xlabel(unit)
    ax.locator_params(axis="x", nbins=5)
    ax.grid(axis="y", visible=False)


def cost(
    *, price: float, speed: float, images: float = EPOCHS, startup: float = 5, gpus: int = 1, efficiency: float = 1.0
) -> None:
    """Print hours and dollars of a training and show them; arguments as `bill`.

    >>> cost(price=2.5, speed=40_000, gpus=4, efficiency=0.9)   # doctest: +SKIP
    """
    explorer.show(draw, price=price, speed=speed, images=images, startup=startup, gpus=gpus, efficiency=efficiency)


def explore(*, price: float, speed: float) -> explorer.Explorer | None:
    """The same picture with controls; `price` (dollars a GPU and hour) and `speed` (images/s) are yours, typed in."""
    images = [(f"{n:,}", n) for n in (10_000, 60_000, EPOCHS, 10**7, 10**8, 10**9, 10**10)]
    return explorer.explorer(
        "cost",
        draw,
        price=_typed(price, 0, "price of a GPU hour ($)"),
        speed=_typed(speed, 0.001, "one GPU (images/s)"),
        images=explorer.steps(EPOCHS, images, "images in all"),
        startup=explorer.steps(5, [0, 1, 2, 5, 10, 20, 60], "start (minutes)"),
        gpus=explorer.steps(1, [1, 2, 4, 8, 16, 32, 64], "GPUs"),
        efficiency=explorer.slider(1.0, 0.05, 1.0, 0.05, "their efficiency", ".0%"),
    )


def _typed(value: float, low: float, label: str) -> explorer.Control:
    """A number that is typed in."""
    return explorer.Control("BoundedFloatText", value, {"min": low, "max": 1e9, "description": label})
