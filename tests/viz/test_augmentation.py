"""The augmentation explorer: its copies against SciPy, its margin and its remarks, and that everything draws."""

import numpy as np
import pytest
from texts import clashes

pytest.importorskip("matplotlib")
pytest.importorskip("torch")
from gpucourse.data import images
from gpucourse.viz import augmentation, explorers, picture

NOTHING = {"shift": 0, "rotate": 0, "scale": 0.0, "noise": 0.0}


@pytest.mark.parametrize("digit", range(10))
def test_the_original_is_the_first_of_its_label_and_unchanged_copies_are_it(digit):
    train = images.digits().train
    first = next(image for image, label in zip(train.images, train.labels, strict=True) if label == digit)
    assert (augmentation.digit_of(digit) == first).all()
    assert np.allclose(augmentation.copies(digit, **NOTHING), first / 255, atol=1e-5)


def test_a_shifted_copy_is_the_original_elsewhere():
    original = augmentation.digit_of(4) / 255
    places = set()
    for copy in augmentation.copies(4, **NOTHING | {"shift": 3}):
        fits = [(down, right) for down in range(-3, 4) for right in range(-3, 4)
                if np.allclose(np.roll(original, (down, right), (0, 1)), copy, atol=1e-4)]  # fmt: skip
        assert len(fits) == 1
        places |= set(fits)
    assert len(places) > 4


def test_a_turn_and_a_scale_stay_within_their_limits():
    ndimage = pytest.importorskip("scipy.ndimage")
    original = augmentation.digit_of(7) / 255
    for copy in augmentation.copies(7, **NOTHING | {"rotate": 40}):
        errors = [np.abs(ndimage.rotate(original, angle, reshape=False, order=1) - copy).mean()
                  for angle in range(-90, 91, 2)]  # fmt: skip
        assert abs(2 * int(np.argmin(errors)) - 90) <= 42
        assert min(errors) < 0.02
    ink = augmentation.copies(7, **NOTHING | {"scale": 0.2}).sum(axis=(1, 2)) / original.sum()
    assert (ink > 0.8**2 * 0.95).all() and (ink < 1.2**2 * 1.05).all()
    assert np.ptp(ink) > 0.1


def test_noise_has_its_strength_and_a_mirror_takes_about_every_second_one():
    noisy = augmentation.copies(3, **NOTHING | {"noise": 0.5}) - augmentation.digit_of(3) / 255
    assert noisy.std() == pytest.approx(0.5 * 0.3081, rel=0.05)
    original = augmentation.digit_of(3) / 255
    made = np.concatenate([augmentation.copies(3, **NOTHING, mirror=True, seed=seed) for seed in range(10)])
    mirrored = [np.allclose(copy, original[:, ::-1], atol=1e-4) for copy in made]
    assert 30 < sum(mirrored) < 70


def test_a_seed_fixes_the_copies_and_leaves_the_callers_random_numbers_alone():
    import torch

    torch.manual_seed(5)
    due = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (augmentation.copies(seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), due)
    assert (one == same).all()
    assert not np.allclose(one, other)


def test_the_margin_is_the_empty_border():
    image = np.zeros((28, 28))
    image[5:20, 8:25] = 1
    assert augmentation.margin_of(image) == 3
    for digit in range(10):
        original = augmentation.digit_of(digit)
        margin = augmentation.margin_of(original)
        assert original[margin:-margin, margin:-margin].sum() == original.sum()
        assert original[margin + 1 : -margin - 1, margin + 1 : -margin - 1].sum() < original.sum()


@pytest.mark.parametrize(
    ("values", "remark"),
    [
        ({"digit": 6, "rotate": 90}, None),
        ({"digit": 6, "rotate": 100}, "90 degrees, this 6 looks like a 9 and keeps its label"),
        ({"digit": 9, "rotate": 180}, "90 degrees, this 9 looks like a 6"),
        ({"digit": 3, "rotate": 180}, "90 degrees, a 6 looks like a 9"),
        ({"digit": 2, "mirror": True}, "Mirrored, this 2 looks like a 5"),
        ({"digit": 8, "mirror": True}, "A mirrored 8 is still one, but a 2 looks like a 5"),
        ({"digit": 7, "mirror": True}, "Mirrored, this 7 looks like no digit"),
        ({"digit": 6, "shift": 12}, "can push a part of this 6 out of the picture"),
    ],
)  # fmt: skip
def test_the_sentence_says_when_a_label_can_become_wrong(values, remark):
    text = augmentation.sentence(**values)
    assert remark in text if remark else text.count(".") == 1


def test_the_sentence_names_the_changes():
    assert augmentation.sentence(6, 1, 20, 0.1, 0.3, False) == (
        "A 6 and 10 copies with the label 6: shifted by up to 1 pixel, turned by up to 20 degrees, 90% to 110% of its "
        "size, noise of 0.3 standard deviations of a pixel."
    )
    assert augmentation.sentence(2, **NOTHING).endswith("nothing is changed.")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"digit": 10}, "digit=10: give 0 to 9"), ({"shift": -1}, "shift=-1"), ({"scale": 1.0}, "scale=1.0"),
     ({"noise": -0.1}, "noise=-0.1")],
)  # fmt: skip
def test_what_cannot_be_is_refused(wrong, message):
    for call in (augmentation.copies, augmentation.sentence):
        with pytest.raises(ValueError, match=message):
            call(**wrong)


@pytest.mark.parametrize("digit", range(10))
def test_everything_draws_and_is_legible(digit):
    fig, _ = augmentation.draw(digit, 12, 180, 0.5, 2.0, True, digit)
    assert not clashes(fig)
    assert picture.png(fig)
    assert sum(len(ax.images) for ax in fig.axes) == 11


def test_the_explorer_moves_and_the_plain_function_says_the_same(capsys):
    explorer = explorers.augmentation()
    before = explorer.image.value
    explorer.set(digit=9, shift=5, rotate=120, scale=0.25, noise=0.5, mirror=True, seed=3)
    values = (9, 5, 120, 0.25, 0.5, True, 3)
    assert explorer.sentence == augmentation.sentence(*values)
    assert explorer.image.value != before
    augmentation.augmentation(*values)
    assert explorer.sentence in capsys.readouterr().out
