"""A canvas to draw a digit on, in JupyterLab, VS Code and Colab, and the drawing as MNIST would have it: 28 x 28.

Nothing but ipywidgets is needed. A script, shown beside the widget, lets the mouse draw on the `<canvas>` in an `HTML`
widget, and writes the pixels into a hidden `Textarea`, from which they reach the kernel as typed text does; in Colab
they go through its own callback, too. Who cannot draw, or lets the notebook run by itself, has the bundled digits.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpucourse.viz import explorer, picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Image = NDArray[np.float32]
SIDE, BOX = 28, 20      # pixels of a picture, and of the square within it that a digit fills
GRID = 56               # the canvas sends so many rows and columns, each the mean of 5 x 5 of its 280 x 280 pixels
INK = 0.1               # what is darker does not count as drawn

SCRIPT = """<script>
(() => {
  if (window.gpucourseDrawing) return;
  window.gpucourseDrawing = true;
  const GRID = 56, PEN = 24;
  let drawing = null, last = null;
  const canvasOf = event => {
    const target = event.composedPath()[0];
    return target.matches && target.matches("canvas.gpucourse-canvas") ? target : null;
  };
  const placeOf = (canvas, event) => {
    const box = canvas.getBoundingClientRect(), scale = canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  };
  const stroke = (canvas, from, to) => {
    const pen = canvas.getContext("2d");
    Object.assign(pen, {lineWidth: PEN, lineCap: "round", strokeStyle: "white"});
    pen.beginPath(); pen.moveTo(...from); pen.lineTo(to[0] + 0.01, to[1]); pen.stroke();
  };
  const pixels = canvas => {
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const size = canvas.width / GRID, sums = new Array(GRID * GRID).fill(0);
    for (let row = 0; row < canvas.height; row++)
      for (let column = 0; column < canvas.width; column++)
        sums[Math.floor(row / size) * GRID + Math.floor(column / size)] += data[4 * (row * canvas.width + column) + 3];
    return sums.map(sum => Math.round(sum / size / size).toString(16).padStart(2, "0")).join("");
  };
  const send = canvas => {
    const text = pixels(canvas), area = canvas.closest(".gpucourse-drawing").querySelector("textarea");
    area.value = text;
    for (const name of ["input", "change"]) area.dispatchEvent(new Event(name, {bubbles: true}));
    const colab = window.google && google.colab && google.colab.kernel;
    if (colab) colab.invokeFunction(canvas.dataset.callback, [text], {});
  };
  const stop = event => { event.preventDefault(); event.stopPropagation(); };
  addEventListener("pointerdown", event => {
    const canvas = canvasOf(event);
    if (!canvas || event.button) return;
    stop(event);
    canvas.setPointerCapture(event.pointerId);
    drawing = canvas; last = placeOf(canvas, event);
    stroke(canvas, last, last);
  }, true);
  addEventListener("pointermove", event => {
    if (!drawing || canvasOf(event) !== drawing) return;
    stop(event);
    const place = placeOf(drawing, event);
    stroke(drawing, last, place);
    last = place;
  }, true);
  for (const name of ["pointerup", "pointercancel"]) addEventListener(name, event => {
    if (!drawing) return;
    const canvas = drawing;
    drawing = null;
    send(canvas);
  }, true);
})();
</script>"""

_CANVAS = """<canvas class="gpucourse-canvas" width="280" height="280" role="img" data-callback="{callback}"
data-cleared="{cleared}" aria-label="A canvas to draw a digit on with the mouse or a finger; with a keyboard, choose a
bundled digit instead." style="background: black; width: 280px; height: 280px; touch-action: none; cursor: crosshair">
</canvas>"""


def from_text(text: str) -> Image | None:
    """Return what the canvas sent, two hexadecimal digits a pixel, as floats (56, 56) from 0 to 1; None where nothing
    is drawn. ValueError for another text."""
    if not text.strip():
        return None
    values = np.frombuffer(bytes.fromhex(text), np.uint8)
    if values.size != GRID * GRID:
        raise ValueError(f"{values.size} pixels arrived from the canvas; there should be {GRID} x {GRID}")
    drawn = (values.reshape(GRID, GRID) / 255).astype(np.float32)
    return drawn if drawn.max() > INK else None


def centered(image: NDArray[Any]) -> Image:
    """Return a picture of any size, (h, w), 0 to 1, as MNIST's are: (28, 28).

    The ink is cut out, scaled so that its longer side has 20 pixels, and laid so that its center of mass comes into the
    middle: to row and column 14 to 15 of 28 (LeCun and others, http://yann.lecun.com/exdb/mnist/). No ink: all 0.
    """
    made, ink = np.zeros((SIDE, SIDE), np.float32), np.asarray(image, np.float32)
    rows, columns = (np.flatnonzero(ink.max(axis=axis, initial=0) > 0) for axis in (1, 0))
    if not len(rows):
        return made
    digit = _scaled(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    height, width = digit.shape
    down = _offset(digit.sum(axis=1), height)
    right = _offset(digit.sum(axis=0), width)
    made[down : down + height, right : right + width] = digit
    return made


def _scaled(ink: Image) -> Image:
    """Scale so that the longer side has BOX pixels; each new pixel is a weighted mean of what it covers."""
    from PIL import Image as pil

    factor = BOX / max(ink.shape)
    height, width = (max(1, round(factor * side)) for side in ink.shape)
    if (height, width) == ink.shape:
        return ink
    resized = pil.fromarray(ink).resize((width, height), pil.Resampling.HAMMING)
    return np.asarray(resized, np.float32).clip(0, 1)


def _offset(sums: NDArray[Any], length: int) -> int:
    """Return where the ink begins, so that its center of mass falls into the pixel right of the middle."""
    center = float(sums @ (np.arange(length) + 0.5) / sums.sum())
    return int(np.clip(np.ceil(SIDE / 2 - center), 0, SIDE - length))


def bundled() -> Image:
    """Return ten digits, 0 to 9, floats (10, 28, 28) from 0 to 1: the first of each among the bundled test images."""
    from gpucourse.data import images

    test = images.digits().test
    first = [int(np.argmax(test.labels == digit)) for digit in range(10)]
    return (test.images[first] / 255).astype(np.float32)


# --- the widget --------------------------------------------------------------------------------------


class WithCanvas(explorer.Explorer):
    """An explorer with a canvas beside its controls: `draw(drawn=..., **values)` is given the drawing, or None.

    `drawn` is the last drawing, as MNIST would have it: (28, 28). Choosing the control `choice` anew clears the canvas.
    """

    def __init__(self, name: str, draw: explorer.Draw, choice: str, **controls: explorer.Control) -> None:
        import ipywidgets

        self.drawn: Image | None = None
        self._cleared, self._choice = 0, choice
        self.canvas, self.pixels = ipywidgets.HTML(), ipywidgets.Textarea()
        self.pixels.layout.display = "none"
        self._button = ipywidgets.Button(description="Clear the canvas")
        super().__init__(name, lambda **values: draw(drawn=self.drawn, **values), **controls)
        self._blank()
        left = ipywidgets.VBox([self.canvas, self.pixels, self._button])
        top = ipywidgets.HBox([left, ipywidgets.VBox(list(self.controls.values()))])
        top.layout.flex_flow = "row wrap"       # below one another where the page is narrow
        self.box.children = (top, self.image.widget, self.text)
        self.box.add_class("gpucourse-drawing")
        self.pixels.observe(self._arrived, names="value")
        self._button.on_click(self.clear)
        _in_colab(self._callback, self._typed)

    @property
    def _callback(self) -> str:
        """What Colab calls this canvas."""
        return f"gpucourse.drawing.{self.box.model_id}"

    def _redraw(self, change: Any = None) -> None:
        if change and change["owner"] is self.controls[self._choice] and self.drawn is not None:
            self.clear()      # which draws
        else:
            super()._redraw(change)

    def _blank(self) -> None:
        """Show an empty canvas: another text makes another element."""
        self._cleared += 1
        self.canvas.value = _CANVAS.format(callback=self._callback, cleared=self._cleared)

    def _typed(self, text: str) -> None:
        self.pixels.value = text

    def _arrived(self, change: Any) -> None:
        drawing = from_text(change["new"])
        self.drawn = None if drawing is None else centered(np.where(drawing > INK, drawing, 0))
        self._redraw()

    def clear(self, _source: object = None) -> None:
        """Empty the canvas; the chosen digit counts again."""
        if self.drawn is not None:
            self._blank()
            self.pixels.value = ""

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display({"text/html": SCRIPT, "text/plain": ""}, raw=True)
        super()._ipython_display_()


def _in_colab(name: str, callback: Callable[[str], None]) -> None:
    """Let Colab's pages call `callback`, where this is Colab."""
    with contextlib.suppress(ImportError):
        from google.colab import output

        output.register_callback(name, callback)


def with_canvas(name: str, draw: explorer.Draw, choice: str, **controls: explorer.Control) -> explorer.Explorer | None:
    """Make an explorer with a canvas, or show its picture without ipywidgets, as `explorer.explorer` does."""
    with explorer.may_lack_ipywidgets():
        return WithCanvas(name, draw, choice, **controls)
    return explorer.explorer(name, draw, **controls)


# --- the drawing alone -------------------------------------------------------------------------------


def draw(digit: int = 3, drawn: Image | None = None) -> tuple[Figure, str]:
    """Draw the picture that counts: what was drawn, or the bundled digit."""
    image = chosen(digit, drawn)
    fig, ax = picture.new(2.6, 2.6)
    ax.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.axis("off")
    return fig, (f"{'Your drawing' if drawn is not None else f'A bundled {digit}'} on {SIDE} x {SIDE} pixels, "
                 f"{np.count_nonzero(image > INK)} of them with ink.")  # fmt: skip


def chosen(digit: int, drawn: Image | None) -> Image:
    """Return the drawing, or the bundled digit where there is none. ValueError beyond 0 to 9."""
    if digit not in range(10):
        raise ValueError(f"digit={digit}: give 0 to 9")
    return bundled()[digit] if drawn is None else drawn


def drawing(digit: int = 3) -> None:
    """Print and show the bundled digit that counts while nothing is drawn."""
    explorer.show(draw, digit=digit)


class Drawing(WithCanvas):
    """A canvas; `picture` is what was drawn on it, or the bundled digit that is chosen: floats (28, 28), 0 to 1."""

    def __init__(self, digit: int) -> None:
        digits = explorer.choice(digit, list(range(10)), "or a bundled digit")
        super().__init__("drawing", draw, "digit", digit=digits)

    @property
    def picture(self) -> Image:
        """The picture that counts."""
        return chosen(self.controls["digit"].value, self.drawn)


@dataclass(frozen=True, repr=False)
class Undrawn:
    """What stands in for the canvas without ipywidgets: a bundled digit."""

    picture: Image

    def __repr__(self) -> str:
        return "<explorer: drawing>"


def explore(digit: int = 3) -> Drawing | Undrawn:
    """A canvas to draw on; its `picture` is the drawing, or the bundled digit while nothing is drawn."""
    with explorer.may_lack_ipywidgets():
        return Drawing(digit)
    print("The canvas needs ipywidgets (pip install ipywidgets); here is a bundled digit.", file=sys.stderr)
    drawing(digit)
    return Undrawn(chosen(digit, None))
