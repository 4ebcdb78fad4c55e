"""Boxes and words of gpucourse.viz.stamps look as matplotlib's own do."""

from io import BytesIO
from itertools import product

import numpy as np
import pytest
from PIL import Image

from gpucourse.viz import picture, stamps

GROUND = {"facecolor": "#FFEE00", "edgecolor": "none", "pad": 0.8}
LOOKS = [
    {"fontsize": 7.0, "color": "#0072B2"},
    {"fontsize": 9.5, "weight": "bold", "bbox": GROUND},
    {"fontsize": 6.2, "family": "monospace", "color": "white", "bbox": {"facecolor": "black", "edgecolor": "none"}},
]


def _pixels(fill):
    fig, ax = picture.page(4, 2)
    fill(ax)
    return np.asarray(Image.open(BytesIO(picture.png(fig))).convert("RGB")).astype(int)


def _apart(one, other):
    return np.abs(one - other).max()


@pytest.mark.parametrize("look", LOOKS, ids=["small", "bold on a ground", "white on black"])
@pytest.mark.parametrize("text", ["31", "gÜ 1.5", "twelve wide!", "more than twelve", "two\nlines"])
def test_a_word_on_a_whole_pixel_has_matplotlibs_own_pixels(text, look):
    """At places that are whole pixels no place is rounded: each alignment, and drawn twice.

    Where two letters touch, a shade may differ by 2 of 255: they are laid on one another before they are on the page.
    """
    places = dict(zip(product(("left", "center", "right"), ("top", "center", "center_baseline", "baseline", "bottom")),
                      product((0.6, 2.0, 3.4), (0.2, 0.6, 1.0, 1.4, 1.8)), strict=True))  # fmt: skip

    def theirs(ax):
        for (ha, va), place in places.items():
            ax.text(*place, text, ha=ha, va=va, **look)

    def ours(ax):
        for (ha, va), place in places.items():
            stamps.word(ax, *place, text, ha=ha, va=va, **look)

    expected, before = _pixels(theirs), stamps._stamp.cache_info().hits
    assert (expected != 255).any()
    assert _apart(_pixels(ours), expected) <= 2 and _apart(_pixels(ours), expected) <= 2
    stamped = len(text) <= stamps.LONGEST and "\n" not in text
    assert (stamps._stamp.cache_info().hits >= before + len(places)) == stamped


@pytest.mark.parametrize("part", [0.1, 0.4, 0.6, 0.9])
def test_a_word_between_pixels_lies_at_most_a_pixel_off(part):
    place = 1 + part / 100, 1 - part / 100
    ours = _pixels(lambda ax: stamps.word(ax, *place, "8", ha="center"))
    theirs = _pixels(lambda ax: ax.text(*place, "8", ha="center"))
    ours, theirs = ([at.mean() for at in (pixels.sum(axis=2) < 500).nonzero()] for pixels in (ours, theirs))
    assert np.abs(np.subtract(ours, theirs)).max() <= 1


def test_a_word_that_was_changed_is_drawn_anew():
    def changed(ax):
        text = stamps.word(ax, 1, 1, "8", color="red")
        text.set(text="9", color="blue", fontsize=12, ha="right")

    assert (_pixels(changed) == _pixels(lambda ax: ax.text(1, 1, "9", color="blue", fontsize=12, ha="right"))).all()
    white = _pixels(lambda ax: None)
    assert (_pixels(lambda ax: stamps.word(ax, 1, 1, "8").set_visible(False)) == white).all()
    assert (_pixels(lambda ax: stamps.word(ax, 1, 1, "8").set_alpha(0)) == white).all()
    other = {"facecolor": "#56B4E9", "pad": 2}
    framed = _pixels(lambda ax: stamps.word(ax, 1, 1, "8", bbox=other).set_bbox(GROUND))
    assert (framed == _pixels(lambda ax: ax.text(1, 1, "8", bbox=GROUND))).all()
    listed = _pixels(lambda ax: stamps.word(ax, 1, 1, "8", color=[1, 0, 0]))
    assert (listed == _pixels(lambda ax: ax.text(1, 1, "8", color=[1, 0, 0]))).all()
    turned = _pixels(lambda ax: stamps.word(ax, 1, 1, "89", rotation=90))
    assert (turned == _pixels(lambda ax: ax.text(1, 1, "89", rotation=90))).all()


def test_a_box_has_the_pixels_of_a_rectangle_and_leaves_the_limits():
    from matplotlib.patches import Rectangle

    look = {"facecolor": "#56B4E9", "edgecolor": "black", "hatch": "///", "linewidth": 1.3}
    ours = _pixels(lambda ax: stamps.box(ax, 0.53, 0.37, 1.11, 0.77, **look))
    assert (ours == _pixels(lambda ax: ax.add_patch(Rectangle((0.53, 0.37), 1.11, 0.77, **look)))).all()
    fig, ax = picture.new()
    ax.set(xlim=(0, 1), ylim=(0, 1))
    stamps.box(ax, 5, 5, 1, 1)
    ax.autoscale_view()
    fig.draw_without_rendering()
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 1), (0, 1))


def test_an_image_of_another_kind_than_png_holds_the_words_as_text():
    fig, ax = picture.page(2, 1)
    stamps.word(ax, 1, 0.5, "bank 31")
    file = BytesIO()
    with picture.style():
        fig.savefig(file, format="svg", metadata={"Date": None})
    assert b"bank 31" in file.getvalue()
