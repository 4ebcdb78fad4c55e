"""The saliency explorer: what is laid over the digit, what the words say, and that the functions' faults are named."""

import numpy as np
import pytest
from texts import clashes

pytest.importorskip("matplotlib")
from gpucourse.errors import CourseError
from gpucourse.viz import drawing, explorers, picture, saliency


def scores(image):
    """As many points for a class as the picture has ink in one of its rows."""
    return [float(image[2 + 2 * k].sum()) - 1 for k in range(10)]


def ink(image, of):
    return image * (1 + of)


def signed(image, of):
    made = np.zeros((28, 28))
    made[3, 4], made[5, 6] = -2, 1
    return made


MAPS = {"saliency": ink, "occlusion": signed}


def test_the_words_say_the_scores_and_where_the_map_lies():
    image = drawing.bundled()[3]
    best, second = sorted(range(10), key=lambda k: -scores(image)[k])[:2]
    text = saliency.draw(scores, MAPS)[1]
    row, column = divmod(int(image.argmax()), 28)
    on_ink = image[image > 0.5].sum() / image.sum()
    assert text == (
        f"A bundled 3, saliency: ⟨the largest score is that of {best}, {scores(image)[best]:.2f}, then {second}, "
        f"{scores(image)[second]:.2f}; the map for {best} is strongest at row {row}, column {column}; "
        f"{on_ink:.0%} of it lies on the digit's ink, which is {(image > 0.5).mean():.0%} of the picture⟩."
    )
    assert "the map for 8 is strongest at row 3, column 4" in saliency.draw(scores, MAPS, "occlusion", 5, 8)[1]


def test_the_map_lies_over_the_digit_orange_for_and_blue_against():
    from matplotlib.colors import to_rgb

    fig, _ = saliency.draw(scores, MAPS, "occlusion", 1)
    left, middle, bars = fig.axes
    image, over = drawing.bundled()[1], np.asarray(middle.images[0].get_array())
    assert np.allclose(left.images[0].get_array(), image)
    assert np.allclose(over[3, 4], to_rgb(picture.COLORS["sky"]))           # the strongest, and against
    assert np.allclose(over[5, 6], 0.5 * np.array(to_rgb(picture.COLORS["orange"])) + 0.25 * image[5, 6])
    assert np.allclose(over[14], 0.5 * image[14][:, None])
    assert "blue: against" in middle.get_title(loc="left")
    assert np.allclose([bar.get_width() for bar in bars.patches], scores(image))


def test_a_map_of_zeros_is_said():
    text = saliency.draw(scores, {"Grad-CAM": lambda image, of: 0 * image})[1]
    assert "the map for" in text and "zero everywhere" in text


def test_pytorchs_tensors_will_do():
    torch = pytest.importorskip("torch")
    weights = torch.ones(28, 28, requires_grad=True)
    found = saliency.ask(lambda image: (torch.from_numpy(image) * weights).sum(0)[:10],
                         {"m": lambda image, of: weights * of}, drawing.bundled()[0], "m", 4)  # fmt: skip
    assert found.map.tolist() == np.full((28, 28), 4.0).tolist()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "cam"}, "map 'cam'; there are saliency, occlusion"),
        ({"of": 10}, "class 10; there are 0 to 9"),
        ({"digit": 10}, "picture 10; there are 0 to 9"),
        ({"images": np.zeros((28, 28))}, r"images has shape \(28, 28\); give \(n, 28, 28\)"),
        ({"scores": lambda image: [scores(image)]}, r"shape \(1, 10\); one number a class"),
        ({"scores": lambda image: [np.nan] * 10}, "scores: 10 of 10 numbers are nan"),
        ({"maps": {"m": lambda image, of: image[0]}}, r"the map 'm' has shape \(28,\); it must be the picture's"),
    ],
)  # fmt: skip
def test_a_fault_of_the_functions_is_named(wrong, message):
    with pytest.raises(CourseError, match=message):
        saliency.draw(**{"scores": scores, "maps": MAPS} | wrong)


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("digit", [0, 8])
def test_no_text_covers_another(kind, digit):
    fig, _ = saliency.draw(scores, MAPS, kind, digit)
    assert not clashes(fig)
    assert picture.png(fig)
    large = saliency.draw(lambda image: [-1e4 * k for k in range(10)], MAPS, kind, digit)[0]
    assert not clashes(large)


def test_own_pictures_are_taken_in_bytes_and_in_floats():
    bright = np.full((2, 28, 28), 255, np.uint8)
    for images in (bright, bright / 255):
        text = saliency.draw(scores, MAPS, images=images, digit=1)[1]
        assert text.startswith("Picture 1, saliency: ⟨the largest score is that of 0, 27.00, then 1, 27.00; ")


def test_the_explorer_moves_and_takes_a_drawing(capsys):
    pytest.importorskip("ipywidgets")
    explorer = explorers.saliency(scores, MAPS)
    assert explorer.sentence == saliency.draw(scores, MAPS)[1]
    assert repr(explorer) == "<explorer: saliency>"
    explorer.set(digit=7, kind="occlusion", of=2)
    saliency.saliency(scores, MAPS, "occlusion", 7, 2)
    assert explorer.sentence in capsys.readouterr().out
    drawn = np.zeros((56, 56))
    drawn[5:45, 20:26] = 1
    explorer.pixels.value = np.round(255 * drawn).astype(np.uint8).tobytes().hex()
    assert explorer.sentence == saliency.draw(scores, MAPS, "occlusion", 7, 2, drawn=drawing.centered(drawn))[1]
    assert explorer.sentence.startswith("Your drawing, occlusion: ")
    explorer.set(of=saliency.LARGEST)
    assert explorer.sentence.startswith("Your drawing, occlusion: ")
    explorer.set(digit=1)
    assert explorer.sentence.startswith("A bundled 1, ")
