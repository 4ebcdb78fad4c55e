"""The convolution explorer: where a kernel meets a picture, how large the output becomes, and what stands in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpucourse.nn.convolution import output_size, unfold
from gpucourse.viz import explorer, picture, stamps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
SIDE = 8
#: A bright 7 on a gray ground, 8 x 8 pixels from 0 (black) to 9 (white).
PICTURE: Array = np.array([
    [2, 2, 2, 2, 2, 2, 2, 2],
    [2, 9, 9, 9, 9, 9, 9, 2],
    [2, 2, 2, 2, 2, 9, 9, 2],
    [2, 2, 2, 2, 9, 9, 2, 2],
    [2, 2, 2, 9, 9, 2, 2, 2],
    [2, 2, 9, 9, 2, 2, 2, 2],
    [2, 2, 9, 9, 2, 2, 2, 2],
    [2, 2, 2, 2, 2, 2, 2, 2],
], float)  # fmt: skip
#: Name -> whole numbers and what they are divided by.
KERNELS: dict[str, tuple[list[list[int]], int]] = {
    "vertical edge": ([[-1, 0, 1]] * 3, 1),
    "horizontal edge": ([[-1, -1, -1], [0, 0, 0], [1, 1, 1]], 1),
    "sharpen": ([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], 1),
    "blur": ([[1, 1, 1]] * 3, 9),
    "blur 5 x 5": ([[1] * 5] * 5, 25),
    "mean 2 x 2": ([[1, 1]] * 2, 4),
    "left neighbor": ([[0, 0, 0], [1, 0, 0], [0, 0, 0]], 1),
    "double": ([[2]], 1),
}
MOST = {"padding": (0, 3), "stride": (1, 4), "dilation": (1, 3)}


@dataclass(frozen=True)
class Made:
    """A kernel on the picture: its settings, the output, and the place that is looked at."""

    kernel: str
    padding: int
    stride: int
    dilation: int
    number: int

    @property
    def weights(self) -> Array:
        """The kernel (k, k)."""
        numbers, divisor = KERNELS[self.kernel]
        return np.array(numbers, float) / divisor

    @property
    def k(self) -> int:
        """Weights of the kernel along an axis."""
        return len(KERNELS[self.kernel][0])

    @property
    def reach(self) -> int:
        """Pixels from its first weight to its last."""
        return self.dilation * (self.k - 1) + 1

    @property
    def padded(self) -> Array:
        """The picture within its border of zeros."""
        return np.pad(PICTURE, self.padding)

    @property
    def side(self) -> int:
        """Places along an axis; 0 where the kernel does not fit."""
        if len(self.padded) < self.reach:
            return 0
        return output_size(SIDE, self.k, self.stride, self.padding, self.dilation)

    @property
    def output(self) -> Array:
        """The results, (side, side)."""
        if not self.side:
            return np.zeros((0, 0))
        columns = unfold(PICTURE[None, None], self.k, self.stride, self.padding, self.dilation)[0]
        results: Array = (self.weights.ravel() @ columns).reshape(self.side, self.side)
        return results

    @property
    def place(self) -> tuple[int, int]:
        """Row and column of the result that is looked at."""
        row, column = divmod(self.number % self.side**2, self.side)
        return row, column

    @property
    def met(self) -> list[tuple[int, int]]:
        """Rows and columns, in the padded picture, of the pixels that the place's weights meet."""
        row, column = (at * self.stride for at in self.place)
        steps = [self.dilation * step for step in range(self.k)]
        return [(row + down, column + across) for down in steps for across in steps]

    @property
    def in_padding(self) -> int:
        """How many of these are padding."""
        inside = range(self.padding, self.padding + SIDE)
        return sum(row not in inside or column not in inside for row, column in self.met)


def made(
    kernel: str = "vertical edge", padding: int = 0, stride: int = 1, dilation: int = 1, place: int = 0
) -> Made:
    """Return `kernel`, one of `KERNELS`, on the picture; `place` counts results row after row, round and round.

    padding 0 to 3, stride 1 to 4, dilation 1 to 3. ValueError for what cannot be.
    """
    if kernel not in KERNELS:
        raise ValueError(f"kernel={kernel!r}: a kernel is one of {', '.join(KERNELS)}")
    for name, value in (("padding", padding), ("stride", stride), ("dilation", dilation)):
        low, high = MOST[name]
        if not low <= value <= high:
            raise ValueError(f"{name}={value}: give {low} to {high}")
    return Made(kernel, padding, stride, dilation, place)


def formula(it: Made) -> str:
    """Return the size of the output with its numbers put in."""
    return f"({SIDE} + 2 · {it.padding} - {it.dilation} · ({it.k} - 1) - 1) // {it.stride} + 1 = {it.side}"


def sentence(
    kernel: str = "vertical edge", padding: int = 0, stride: int = 1, dilation: int = 1, place: int = 0
) -> str:
    """Say how large the output is and what stands at the place that is looked at."""
    it = made(kernel, padding, stride, dilation, place)
    about = (f"A picture of {SIDE} x {SIDE} pixels, a kernel of {it.k} x {it.k} ({kernel}), padding {padding}, "
             f"stride {stride}, dilation {dilation}: ")  # fmt: skip
    if not it.side:
        return about + (f"the kernel reaches over {it.reach} pixels and there are only {len(it.padded)}, so it fits "
                        "nowhere and there is no output.")  # fmt: skip
    size = f"{formula(it)}, so the output has {it.side} x {it.side} numbers."
    row, column = it.place
    what = f"the sum of {it.k**2} products" if it.k > 1 else "one product"
    count = f"{it.in_padding} of them " if it.k > 1 else ""
    beyond = f", {count}with padding" if it.in_padding else ""
    return f"{about}{size} Number ({row}, {column}) is {what}{beyond}: {number(it.output[row, column])}."


def number(value: float) -> str:
    """Return a pixel or a result as text: whole, or with one decimal."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def draw(
    kernel: str = "vertical edge", padding: int = 0, stride: int = 1, dilation: int = 1, place: int = 0
) -> tuple[Figure, str]:
    """Draw the padded picture with one window, the kernel, and the output; return the figure and a sentence."""
    it = made(kernel, padding, stride, dilation, place)
    fig, ax = picture.page(*_PAGE)
    _input(ax, it)
    _kernel(ax, it)
    _output(ax, it)
    return fig, sentence(kernel, padding, stride, dilation, place)


def convolution(
    kernel: str = "vertical edge", padding: int = 0, stride: int = 1, dilation: int = 1, place: int = 0
) -> None:
    """Print the sentence and show the picture for one kernel; arguments as `made`.

    >>> convolution("blur", padding=1, stride=2)  # doctest: +SKIP
    """
    explorer.show(draw, kernel=kernel, padding=padding, stride=stride, dilation=dilation, place=place)


def explore() -> explorer.Explorer | None:
    """The same picture with a control for each setting."""
    return explorer.explorer(
        "convolution",
        draw,
        kernel=explorer.choice("vertical edge", tuple(KERNELS), "kernel"),
        padding=explorer.slider(0, *MOST["padding"], 1, "padding (pixels)"),
        stride=explorer.slider(1, *MOST["stride"], 1, "stride (pixels)"),
        dilation=explorer.slider(1, *MOST["dilation"], 1, "dilation (pixels)"),
        place=explorer.slider(0, 0, 63, 1, "place (row after row)"),
    )


# --- the picture -------------------------------------------------------------------------------------

_PAGE = (9.2, 4.6)  # inches
_TOP, _ROOM = 0.75, 3.55  # of the grids, and their largest side
_LEFT = {"picture": 0.25, "kernel": 4.1, "output": 5.55}
_CELL = 0.42  # inches at most
_HALF = 4.5  # pixels above it are light enough for black numbers


def _head(ax: Axes, where: str, title: str, below: str) -> None:
    stamps.word(ax, _LEFT[where], 0.25, title, fontsize=11, va="center")
    stamps.word(ax, _LEFT[where], 0.52, below, fontsize=9, va="center", color="#404040")


def _input(ax: Axes, it: Made) -> None:
    """The padded picture in gray, its padding hatched, the pixels of the window framed."""
    beyond = f", and {it.padding} of padding all around" if it.padding else ""
    _head(ax, "picture", "picture", f"{SIDE} x {SIDE} pixels{beyond}")
    size = min(_CELL, _ROOM / len(it.padded))
    inside = range(it.padding, it.padding + SIDE)
    for (row, column), value in np.ndenumerate(it.padded):
        own = row in inside and column in inside
        look = {"facecolor": str(value / 9)} if own else {"facecolor": "white", "hatch": "////"}
        ink = "black" if value > _HALF or not own else "white"
        _cell(ax, "picture", row, column, size, number(value), ink, edgecolor="#A0A0A0", linewidth=0.6, **look)
    for row, column in it.met if it.side else ():
        _frame(ax, "picture", row, column, size)


def _kernel(ax: Axes, it: Made) -> None:
    """The weights, light blue where positive and light orange where negative."""
    numbers, divisor = KERNELS[it.kernel]
    _head(ax, "kernel", "kernel", it.kernel)
    size = min(_CELL, 1.2 / it.k)
    for (row, column), weight in np.ndenumerate(np.array(numbers)):
        ground = "#CFE6F5" if weight > 0 else "#FBE3B5" if weight < 0 else "white"
        _cell(ax, "kernel", row, column, size, str(weight), "black", edgecolor=picture.COLORS["black"],
              linewidth=0.6, facecolor=ground)  # fmt: skip
    below = _TOP + size * it.k + 0.25
    shared = [f"divided by {divisor}"] if divisor > 1 else []
    for line in (*shared, f"stride {it.stride}", f"dilation {it.dilation}"):
        stamps.word(ax, _LEFT["kernel"], below, line, fontsize=9, va="center")
        below += 0.22


def _output(ax: Axes, it: Made) -> None:
    """The results, blue above zero and orange below, the one that is looked at framed."""
    if not it.side:
        _head(ax, "output", "no output", f"the kernel reaches over {it.reach} pixels; there are {len(it.padded)}")
        return
    _head(ax, "output", f"output: {it.side} x {it.side}", formula(it))
    size, most = min(_CELL, _ROOM / it.side), max(float(abs(it.output).max()), 1.0)
    for (row, column), value in np.ndenumerate(it.output):
        _cell(ax, "output", row, column, size, number(value), "black", edgecolor="#A0A0A0", linewidth=0.6,
              facecolor=_tint(value / most))  # fmt: skip
    _frame(ax, "output", *it.place, size)


def _tint(share: float) -> tuple[float, ...]:
    """White at 0, towards sky blue at 1 and towards orange at -1."""
    from matplotlib.colors import to_rgb

    full = to_rgb(picture.COLORS["sky" if share > 0 else "orange"])
    return tuple(1 - abs(share) * (1 - part) for part in full)


def _cell(
    ax: Axes, where: str, row: int, column: int, size: float, text: str, ink: str, **look: Any
) -> None:
    left, top = _LEFT[where] + column * size, _TOP + row * size
    stamps.box(ax, left, top, size, size, zorder=1, **look)
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.8} if "hatch" in look else None
    stamps.word(ax, left + size / 2, top + size / 2, text, ha="center", va="center_baseline", color=ink, bbox=ground,
                zorder=2, fontsize=min(9.0, 85 * size / max(len(text), 2.6)))  # fmt: skip


def _frame(ax: Axes, where: str, row: int, column: int, size: float) -> None:
    left, top = _LEFT[where] + column * size, _TOP + row * size
    stamps.box(ax, left, top, size, size, facecolor="none", edgecolor=picture.COLORS["red"], linewidth=2.2, zorder=3)
