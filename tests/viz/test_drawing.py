"""The canvas: its pixels' way into the kernel, and centering held against MNIST, whose digits it leaves as they are."""

import builtins
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from texts import clashes

pytest.importorskip("matplotlib")
from gpucourse.data import images
from gpucourse.viz import drawing, explorers

GRID = drawing.GRID


def text_of(image):
    """What the script sends for a float picture (56, 56)."""
    return np.round(255 * image).astype(np.uint8).tobytes().hex()


def stroke(*boxes):
    image = np.zeros((GRID, GRID))
    for top, left, height, width in boxes:
        image[top : top + height, left : left + width] = 1
    return image


def center_of(image):
    places = np.arange(28) + 0.5
    return image.sum(1) @ places / image.sum(), image.sum(0) @ places / image.sum()


def sides(image):
    rows, columns = np.flatnonzero(image.max(axis=1)), np.flatnonzero(image.max(axis=0))
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


# --- as MNIST has it ---------------------------------------------------------------------------------


def test_mnists_own_digits_stay_as_they_are():
    real = images.digits().test.images / 255
    same = [np.array_equal(drawing.centered(image), image.astype(np.float32)) for image in real]
    assert np.mean(same) > 0.995


def test_digits_that_were_moved_and_enlarged_come_back():
    """Each real digit, enlarged to 2 x 2 pixels a pixel and put anywhere, is nearly what it was."""
    rng, errors, changes = np.random.default_rng(0), [], []
    real = images.digits().test.images[:200] / 255
    for image in real:
        large = np.zeros((100, 90))
        down, right = rng.integers(0, 44), rng.integers(0, 34)
        large[down : down + 56, right : right + 56] = np.kron(image, np.ones((2, 2)))
        errors.append(np.abs(drawing.centered(large) - image).mean())
        changes.append(np.abs(np.roll(image, 1, 1) - image).mean())
    assert np.mean(errors) < 0.2 * np.mean(changes), "nearer than a shift by one pixel, by far"


@pytest.mark.parametrize(
    "boxes",
    [[(5, 20, 40, 4)], [(40, 3, 6, 30)], [(0, 0, 56, 56)], [(30, 30, 2, 2)], [(2, 2, 30, 4), (2, 2, 4, 20)],
     [(9, 9, 1, 40)], [(0, 0, 1, 1), (50, 50, 5, 5)]],
)  # fmt: skip
def test_any_drawing_gets_mnists_size_and_place(boxes):
    """In MNIST the longer side of the ink has 20 pixels, and the center of mass lies in row and column 14 to 15."""
    made = drawing.centered(stroke(*boxes))
    assert made.shape == (28, 28)
    assert 19 <= max(sides(made)) <= 20
    assert all(14 - 1e-4 <= place < 15.001 for place in center_of(made)) or boxes[0] == (0, 0, 1, 1)
    assert made.min() >= 0 and 0.2 < made.max() <= 1


def test_a_side_keeps_its_proportion():
    assert sides(drawing.centered(stroke((0, 0, 40, 20)))) == (20, 10)
    assert sides(drawing.centered(stroke((0, 0, 10, 40)))) == (5, 20)


def test_nothing_drawn_is_all_black():
    assert not drawing.centered(np.zeros((56, 56))).any()


#: Strokes on the canvas of 280 x 280, as a hand would draw the ten digits.
STROKES = {
    0: [[(140, 40), (80, 90), (70, 180), (140, 240), (200, 180), (200, 90), (140, 40)]],
    1: [[(140, 30), (135, 250)]],
    2: [[(70, 90), (110, 45), (180, 60), (190, 110), (70, 230), (210, 235)]],
    3: [[(80, 50), (180, 50), (190, 100), (130, 135), (200, 180), (170, 240), (70, 230)]],
    4: [[(90, 40), (70, 150), (210, 150)], [(170, 90), (165, 250)]],
    5: [[(200, 45), (90, 45), (85, 130), (170, 130), (195, 190), (150, 240), (70, 230)]],
    6: [[(160, 30), (90, 120), (80, 200), (140, 240), (190, 200), (150, 150), (90, 180)]],
    7: [[(60, 60), (200, 60), (100, 230)]],
    8: [[(140, 130), (90, 90), (140, 40), (190, 90), (140, 130), (80, 190), (140, 245), (200, 190), (140, 130)]],
    9: [[(190, 90), (140, 130), (85, 90), (130, 40), (190, 80), (180, 240)]],
}


def sketched(lines, size, right):
    """The canvas with these strokes, `size` times as large and moved to the right, as it sends them: (56, 56)."""
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (280, 280))
    pen = ImageDraw.Draw(canvas)
    for line in lines:
        points = [(x * size + right, y * size) for x, y in line]
        pen.line(points, 255, 24)
        for x, y in points:
            pen.ellipse((x - 12, y - 12, x + 12, y + 12), 255)
    image = np.asarray(canvas, float).reshape(GRID, 5, GRID, 5).mean(axis=(1, 3)) / 255
    return np.where(image > drawing.INK, image, 0)


def nearest(made):
    """The labels of the training digits that are nearest to each of `made`, (n, 28, 28)."""
    train = images.digits().train
    known = (train.images / 255).reshape(len(train), -1).astype(np.float32)
    rows = np.array(made, np.float32).reshape(len(made), -1)
    return train.labels[((known**2).sum(1) - 2 * rows @ known.T).argmin(axis=1)].tolist()


@pytest.mark.parametrize(("size", "right"), [(1, 0), (0.6, 100)])
def test_what_is_drawn_resembles_real_digits_only_once_it_is_centered(size, right):
    drawn = [sketched(lines, size, right) for lines in STROKES.values()]
    right_ones = sum(k == found for k, found in enumerate(nearest([drawing.centered(image) for image in drawn])))
    as_it_is = [image.reshape(28, 2, 28, 2).mean(axis=(1, 3)) for image in drawn]
    assert right_ones >= 8
    assert right_ones > sum(k == found for k, found in enumerate(nearest(as_it_is)))


# --- the pixels' way ---------------------------------------------------------------------------------


def test_the_text_of_the_canvas_becomes_its_pixels():
    image = np.random.default_rng(1).integers(0, 256, (GRID, GRID)) / 255
    assert np.allclose(drawing.from_text(text_of(image)), image)
    assert drawing.from_text("") is None
    assert drawing.from_text(text_of(np.zeros((GRID, GRID)))) is None
    with pytest.raises(ValueError, match="2 pixels arrived from the canvas; there should be 56 x 56"):
        drawing.from_text("00ff")


def test_the_script_and_the_kernel_agree_on_the_grid():
    assert f"GRID = {GRID}" in drawing.SCRIPT
    assert 280 % GRID == 0


@pytest.fixture
def pad():
    pytest.importorskip("ipywidgets")
    return explorers.drawing()


def test_a_drawing_counts_until_the_canvas_is_cleared_or_a_digit_chosen(pad):
    assert np.array_equal(pad.picture, drawing.bundled()[3])
    assert pad.sentence == drawing.draw()[1]
    drawn = stroke((5, 20, 40, 4))
    before, canvas = pad.picture, pad.canvas.value
    pad.pixels.value = text_of(drawn)
    assert np.allclose(pad.picture, drawing.centered(drawn))
    assert pad.sentence.startswith("Your drawing on 28 x 28 pixels")
    pad.clear()
    assert np.array_equal(pad.picture, before)
    assert pad.pixels.value == ""
    assert pad.canvas.value != canvas, "another element, which is empty"
    pad.pixels.value = text_of(drawn)
    pad.set(digit=7)
    assert np.array_equal(pad.picture, drawing.bundled()[7])
    assert "A bundled 7" in pad.sentence


def test_choosing_a_digit_draws_once(pad, monkeypatch):
    pad.pixels.value = text_of(stroke((5, 20, 40, 4)))
    calls, real = [], pad._draw
    monkeypatch.setattr(pad, "_draw", lambda **values: calls.append(values) or real(**values))
    pad.set(digit=7)
    assert calls == [{"digit": 7}]


def test_a_broken_text_is_said_and_the_widget_lives(pad):
    with pytest.raises(ValueError, match="1 pixels arrived"):
        pad.pixels.value = "ff"
    pad.pixels.value = text_of(stroke((5, 20, 40, 4)))
    assert pad.drawn is not None


def test_what_is_shown_is_the_same_each_time(pad, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
    pad._ipython_display_()
    explorers.drawing()._ipython_display_()
    assert shown[0] == shown[2] == {"text/html": drawing.SCRIPT, "text/plain": ""}
    assert shown[1]["text/plain"] == shown[3]["text/plain"] == "<explorer: drawing>"


def test_colab_calls_the_kernel_by_its_own_way(monkeypatch):
    pytest.importorskip("ipywidgets")
    known = {}
    colab = ModuleType("google.colab")
    colab.output = SimpleNamespace(register_callback=known.__setitem__)
    monkeypatch.setitem(sys.modules, "google", ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    pad = explorers.drawing()
    ((name, callback),) = known.items()
    assert f'data-callback="{name}"' in pad.canvas.value
    callback(text_of(stroke((5, 20, 40, 4))))
    assert pad.drawn is not None


def test_without_ipywidgets_a_bundled_digit_is_there(monkeypatch, capsys):
    real = builtins.__import__

    def no_widgets(name, *rest, **options):
        if name == "ipywidgets":
            raise ModuleNotFoundError("No module named 'ipywidgets'", name="ipywidgets")
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", no_widgets)
    pad = explorers.drawing(5)
    assert repr(pad) == "<explorer: drawing>"
    assert np.array_equal(pad.picture, drawing.bundled()[5])
    out, err = capsys.readouterr()
    assert "A bundled 5" in out
    assert "pip install ipywidgets" in err


def test_the_plain_function_and_the_bundled_digits(capsys):
    test = images.digits().test
    for digit, image in enumerate(drawing.bundled()):
        first = list(test.labels).index(digit)
        assert np.allclose(image, test.images[first] / 255)
    drawing.drawing(4)
    assert "A bundled 4 on 28 x 28 pixels, " in capsys.readouterr().out
    assert not clashes(drawing.draw(4)[0])
    with pytest.raises(ValueError, match="digit=10: give 0 to 9"):
        drawing.drawing(10)
