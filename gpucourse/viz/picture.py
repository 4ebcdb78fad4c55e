"""Shows a matplotlib figure as a PNG that carries alternative text, in the course's own colors.

Every figure of the course goes through `show`, so every figure has words for those who cannot see it,
and the words are what nbval compares: the pixels of a PNG differ between versions of matplotlib.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette (https://jfly.uni-koeln.de/color/), and a grey: told apart with any color vision. (Who lacks
# the middle cones sees the green as a lighter grey.)
# The order runs from dark to light, so the lines also differ in greyscale.
COLORS = {
    "black": "#000000",
    "blue": "#0072B2",
    "green": "#009E73",
    "red": "#D55E00",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "grey": "#595959",
}

# the same, dark enough for text on white: 4.5 to 1
INK = COLORS | {"green": "#00724F", "red": "#B04A00", "purple": "#9C4A78", "orange": "#865C00", "sky": "#1B6E9E"}
# what is written on an area of that color
ON = {name: "white" if name in ("black", "blue", "grey") else "black" for name in COLORS}

_STYLE: dict[str, Any] = {
    "figure.dpi": 100,
    "figure.figsize": (7.2, 3.6),
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E0E0E0",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "lines.linewidth": 2.0,
    "legend.frameon": False,
}
_CYCLE = ("blue", "red", "green", "purple", "orange", "sky", "grey")


def style() -> Any:
    """Return a context in which new figures have the course's look: `with style(): fig, ax = new()`."""
    import matplotlib as mpl

    return mpl.rc_context(_STYLE | {"axes.prop_cycle": mpl.cycler(color=[COLORS[name] for name in _CYCLE])})


def new(width: float = 7.2, height: float = 3.6, columns: int = 1, rows: int = 1, **options: Any) -> tuple[Figure, Any]:
    """Make a figure of `width` by `height` inches in the course's look, without telling pyplot of it.

    Returns the figure and its axes: one `Axes`, or an array of shape (rows, columns) squeezed to what
    is needed. `options` go to `Figure.subplots`. Such a figure is drawn only by `show`, never twice.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with style():
        fig = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(fig)
        return fig, fig.subplots(rows, columns, **options)


def page(width: float, height: float) -> tuple[Figure, Any]:
    """Make a figure that is one blank sheet; its coordinates are inches from the top left. For tables and grids."""
    fig, ax = new(width, height)
    fig.set_layout_engine("none")
    ax.set_position((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(height, 0))
    ax.axis("off")
    return fig, ax


def png(fig: Figure, dpi: int = 100) -> bytes:
    """Render `fig` as PNG bytes on a white ground, so that it also reads in a dark theme.

    `savefig` would go through every artist twice, the first time for a layout that drawing makes anyway.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    with style():
        fig.set(dpi=dpi, facecolor="white")
        FigureCanvasAgg(fig).print_png(buffer)
    return buffer.getvalue()


class Picture:
    """A PNG with alternative text: `text/plain` is the text, which is also the image's `alt` metadata."""

    def __init__(self, data: bytes, alt: str) -> None:
        self.data, self.alt = data, alt

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        from base64 import b64encode

        image = b64encode(self.data).decode("ascii")
        return {"image/png": image, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def picture(fig: Figure, alt: str) -> Picture:
    """Render `fig` and give it the words `alt`; ValueError when there are none.

    `alt` says what the figure shows, in one to three sentences. It is compared on every run, so
    whatever depends on the machine stands in it between the marks that `gpucourse.here` writes.
    """
    if not alt.strip():
        raise ValueError("every figure needs alternative text: picture(fig, 'what it shows')")
    return Picture(png(fig), " ".join(alt.split()))


def show(fig: Figure, alt: str) -> None:
    """Display `fig` with the alternative text `alt`, and close it where pyplot had made it."""
    from IPython.display import display

    shown = picture(fig, alt)
    import matplotlib.pyplot as plt

    plt.close(fig)
    display(shown)
