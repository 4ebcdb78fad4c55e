"""Boxes and short texts by the hundred, for pictures made of cells: drawn as matplotlib draws its own, in less time.

`Axes.add_patch` works out anew what the axes must hold, and `Text.draw` lays out and renders its text each time. A
picture of lanes and banks has fixed limits and says "0" to "31" over and over. So a box here leaves the limits alone,
and a text is rendered once and then stamped, on whole pixels. Neither counts in a layout: use them inside an axes.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import Rectangle
    from matplotlib.text import Text

LONGEST, LARGEST = 12, 12   # letters and points of a text that is stamped; longer ones are seldom the same
Stamp = tuple["np.ndarray", int, int]   # pixels, and where their lower left corner lies, seen from the text's place


def box(ax: Axes, left: float, top: float, width: float, height: float, **look: Any) -> Rectangle:
    """Add a rectangle to `ax`, whose limits must be set: they are left as they are. `look` goes to `Rectangle`."""
    from matplotlib.patches import Rectangle

    drawn = Rectangle((left, top), width, height, **look)
    drawn.set_in_layout(False)
    ax.add_artist(drawn)
    return drawn


def word(ax: Axes, x: float, y: float, text: str, **look: Any) -> Text:
    """Add `text` to `ax` at (x, y) of its data, as `Axes.text` does with the same `look`; it is never clipped.

    Text that is turned, pale, long, large or of several lines is drawn by matplotlib itself.
    """
    drawn: Any = _stamped()(x, y, text, transform=ax.transData, clip_on=False, **look)
    drawn.set_in_layout(False)
    ax.add_artist(drawn)
    return drawn  # type: ignore[no-any-return]


@cache
def _stamped() -> type[Text]:
    """The class of such texts; made on first use, for matplotlib is imported late."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.colors import to_rgba
    from matplotlib.text import Text

    class Stamped(Text):
        ground: tuple[tuple[str, Any], ...] = ()

        def set_bbox(self, rectprops: Any) -> None:
            super().set_bbox(rectprops)
            self.ground = tuple((rectprops or {}).items())

        def draw(self, renderer: Any) -> None:
            text = self.get_text()
            small = len(text) <= LONGEST and self.get_fontsize() <= LARGEST
            plain = "\n" not in text and not self.get_rotation() and self.get_alpha() is None
            if not (small and plain and not self.get_path_effects() and isinstance(renderer, RendererAgg)):
                super().draw(renderer)
            elif text and self.get_visible():
                look = (to_rgba(self.get_color()), self.get_ha(), self.get_va(), self.ground)
                pixels, right, up = _stamp(text, self.get_fontproperties().copy(), *look, renderer.dpi)
                x, y = self.get_transform().transform(self.get_position())
                renderer.draw_image(renderer.new_gc(), round(x) + right, round(y) + up, pixels)
                self.stale = False

    return Stamped


@lru_cache(4096)
def _stamp(
    text: str, font: FontProperties, color: tuple[float, ...], ha: str, va: str,
    ground: tuple[tuple[str, Any], ...], dpi: float,
) -> Stamp:
    """Let matplotlib render a text once, on nothing; return what of it is not transparent."""
    import numpy as np
    from matplotlib.transforms import IdentityTransform

    fig, renderer, x, y = _sheet(dpi)
    renderer.clear()
    look: dict[str, Any] = {"color": color, "ha": ha, "va": va, "bbox": dict(ground) or None}
    drawn = fig.text(x, y, text, font=font, transform=IdentityTransform(), **look)
    drawn.draw(renderer)
    drawn.remove()
    pixels = np.asarray(renderer.buffer_rgba())
    rows, columns = (pixels[..., 3].any(axis=axis).nonzero()[0] for axis in (1, 0))
    if not len(rows):
        return np.zeros((1, 1, 4), np.uint8), 0, 0
    cut = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return cut[::-1].copy(), int(columns[0]) - x, y - 1 - int(rows[-1])


@cache
def _sheet(dpi: float) -> tuple[Figure, RendererAgg, int, int]:
    """A figure, what draws it, and the middle in pixels: room for LONGEST letters of LARGEST points on every side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
    from matplotlib.figure import Figure

    fig = Figure(dpi=dpi)
    FigureCanvasAgg(fig)
    letter = LARGEST / 72 * dpi
    # even, as matplotlib before 3.11 rounds half a pixel to an even one
    x, y = 2 * round((LONGEST + 1) * letter / 2), 2 * round(3 * letter / 2)
    return fig, RendererAgg(2 * x, 2 * y, dpi), x, y
