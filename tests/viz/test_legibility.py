"""Text in the explorers' pictures stands out from what lies behind it: 4.5 to 1, as WCAG 2.1 asks."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("ipywidgets")
bench_explorers = pytest.importorskip("bench_explorers")
from contrast import contrast  # noqa: E402
from matplotlib.colors import to_rgb  # noqa: E402
from matplotlib.text import Text  # noqa: E402

from bench_explorers import CELLS  # noqa: E402
from gpucourse.viz import picture  # noqa: E402

LEAST = 4.5
NEEDS = {"saliency": "torch"}


def faint(fig):
    """Texts of a figure whose contrast with what is most of their ground is below LEAST: (text, color, ratio)."""
    inked = _pixels(fig)
    texts = [text for text in fig.findobj(Text) if text.get_text().strip() and text.get_visible()]
    seen = [(text, text.get_window_extent(), text.get_alpha()) for text in texts]
    for text in texts:
        text.set_alpha(0)   # a tick's label would become visible again
    ground = _pixels(fig)
    found = {}
    for text, box, alpha in seen:
        if (_part(ground, box) == _part(inked, box)).all():
            continue   # the label of a tick on an axis that is off
        behind = _commonest(_part(ground, box))
        if (ratio := contrast(_shade(text, alpha, behind), behind)) < LEAST:
            found[text.get_text()] = f"{round(ratio, 1)} to 1"
    return found


def _shade(text, alpha, behind):
    """The color of a text that lets its ground shine through."""
    alpha = 1.0 if alpha is None else alpha
    return alpha * np.array(to_rgb(text.get_color())) + (1 - alpha) * behind


def _pixels(fig):
    """The figure as drawn now, (rows, columns, 3), 0 to 1."""
    fig.canvas.draw()
    return np.array(fig.canvas.buffer_rgba())[..., :3] / 255


def _part(pixels, box):
    """The pixels within a box, (n, 3); none where it lies outside the picture."""
    height, width = pixels.shape[:2]
    rows = slice(max(0, int(height - box.y1)), max(0, min(height, int(height - box.y0) + 1)))
    return pixels[rows, max(0, int(box.x0)) : max(0, min(width, int(box.x1) + 1))].reshape(-1, 3)


def _commonest(pixels):
    colors, counts = np.unique(pixels.round(3), axis=0, return_counts=True)
    return colors[counts.argmax()]


@pytest.mark.parametrize("name", CELLS)
def test_text_in_an_explorers_picture_stands_out(name, monkeypatch):
    pytest.importorskip(NEEDS.get(name, "numpy"))
    drawn, png = [], picture.png
    monkeypatch.setattr(picture, "png", lambda fig, dpi=100: (drawn.append(fig), png(fig, dpi))[1])
    bench_explorers.made(CELLS[name])
    assert faint(drawn[-1]) == {}


def test_faint_text_is_seen_on_white_and_on_a_patch():
    fig, ax = picture.new(4, 2)
    ax.axhspan(0, 0.5, color="#0072B2")
    ax.text(0.1, 0.75, "pale", color="#909090")
    ax.text(0.1, 0.25, "dark", color="black", size=20)
    ax.text(0.5, 0.75, "good", color="#595959")
    assert faint(fig) == {"pale": "3.2 to 1", "dark": "4.0 to 1"}
