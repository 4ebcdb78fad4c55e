"""Pictures: real PNG bytes, words in both places, no way to forget them."""

from base64 import b64decode
from io import BytesIO

import pytest

matplotlib = pytest.importorskip("matplotlib")
from contrast import luminance  # noqa: E402
from matplotlib.image import imread  # noqa: E402

from gpucourse.viz import picture  # noqa: E402


def test_a_picture_is_a_png_of_the_asked_size_with_its_words():
    fig, ax = picture.new(5, 3)
    ax.plot([0, 1])
    shown = picture.picture(fig, "a line\n   that rises")
    data, metadata = shown._repr_mimebundle_()
    image = imread(BytesIO(b64decode(data["image/png"])))
    assert image.shape[:2] == (300, 500)
    assert data["text/plain"] == repr(shown) == metadata["image/png"]["alt"] == "a line that rises"


def test_the_ground_is_white_so_that_axes_can_be_read_in_a_dark_theme():
    fig, _ = picture.new(2, 1)
    image = imread(BytesIO(picture.png(fig)))
    assert (image[0, 0] == 1).all()


def test_a_figure_without_words_is_refused():
    fig, _ = picture.new()
    with pytest.raises(ValueError, match="needs alternative text"):
        picture.picture(fig, "  ")


def test_new_makes_a_grid_of_axes_that_pyplot_does_not_know():
    import matplotlib.pyplot as plt

    _, axes = picture.new(columns=2, rows=3)
    assert axes.shape == (3, 2)
    assert plt.get_fignums() == []


def test_line_colors_stand_out_from_white():
    # WCAG 2.1 asks 3:1 of graphical objects; orange, sky and purple are for areas and second lines
    for name in ("black", "blue", "green", "red", "grey"):
        assert 1.05 / (luminance(picture.COLORS[name]) + 0.05) >= 3, name


def test_a_page_is_measured_in_inches_from_the_top_left():
    fig, ax = picture.page(4, 2)
    corner, end = ax.transData.transform([(0, 0), (4, 2)])
    assert tuple(corner) == pytest.approx((0, 200))
    assert tuple(end) == pytest.approx((400, 0))
    assert fig.get_dpi() == 100
