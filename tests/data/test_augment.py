"""Changes that keep the label, held against torchvision, slices of arrays, and statistics of what they draw."""

import pytest

torch = pytest.importorskip("torch")

from gpucourse.data import augment  # noqa: E402
from gpucourse.data.augment import chain, moved, noise, rotate, scale, shift  # noqa: E402
from gpucourse.data.batches import Batches  # noqa: E402
from gpucourse.errors import CourseError  # noqa: E402


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def spot(height=28, width=28):
    """A picture with a background of -0.4 and a blob in its middle."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    blob = torch.exp(-((y - height / 2 - 1) ** 2 / 18 + (x - width / 2 + 2) ** 2 / 8).float())
    return (blob.where(blob > 0.01, 0) - 0.4)[None, None]


@pytest.mark.parametrize("size", [(28, 28), (20, 32)])
@pytest.mark.parametrize(
    ("angle", "zoom", "right", "down"),
    [(30, 1, 0, 0), (-70, 1, 0, 0), (0, 1.3, 0, 0), (0, 0.6, 0, 0), (0, 1, 3, -2), (25, 1.2, -2, 1)],
)
def test_moved_is_torchvisions_affine(size, angle, zoom, right, down):
    functional = pytest.importorskip("torchvision.transforms.functional")
    image = spot(*size)
    found = moved(image, *(torch.tensor([float(value)]) for value in (angle, zoom, right, down)))
    due = functional.affine(image + 0.4, angle, [right, down], zoom, [0.0, 0.0],
                            interpolation=functional.InterpolationMode.BILINEAR) - 0.4  # fmt: skip
    torch.testing.assert_close(found, due, atol=1e-4, rtol=0)


def test_a_shift_is_whole_pixels_and_brings_in_background():
    images = torch.rand(200, 1, 9, 9) + 0.5
    found, seen = shift(2)(images), set()
    for image, got in zip(images[:, 0], found[:, 0], strict=True):
        filled = torch.full((13, 13), image.min().item())
        filled[2:11, 2:11] = image
        fits = [(r, d) for r in range(5) for d in range(5)
                if torch.allclose(got, filled[d : d + 9, r : r + 9], atol=1e-5)]  # fmt: skip
        assert len(fits) == 1
        seen.add(fits[0])
    assert len(seen) == 25     # all directions and both ends occur


@pytest.mark.parametrize(("change", "low", "high"), [(rotate(20), -20, 20), (scale(0.3), 0.7, 1.3)])
def test_what_is_drawn_fills_its_range(change, low, high, monkeypatch):
    drawn = []
    monkeypatch.setattr(augment, "moved", lambda images, *values: drawn.append(values) or images)
    change(torch.zeros(4000, 1, 4, 4))
    angle, zoom, right, down = drawn[0]
    value = angle if high > 2 else zoom
    assert low <= value.min() < low + 0.05 * (high - low) and high >= value.max() > high - 0.05 * (high - low)
    assert value.mean() == pytest.approx((low + high) / 2, abs=0.05 * (high - low))
    assert (right == 0).all() and (down == 0).all() and ((zoom if high > 2 else angle) == (high > 2)).all()


def test_noise_has_its_strength():
    found = noise(0.3)(torch.full((10, 1, 28, 28), 2.0))
    assert found.std() == pytest.approx(0.3, rel=0.05) and found.mean() == pytest.approx(2, abs=0.02)


def test_each_picture_of_a_batch_draws_its_own():
    for change in (shift(3), rotate(30), scale(0.3), noise(0.1)):
        first, second = change(spot().expand(2, -1, -1, -1))
        assert not torch.allclose(first, second), change


def test_a_chain_does_all_in_order():
    twice, plus = (lambda x: 2 * x), (lambda x: x + 1)
    assert chain(twice, plus)(torch.tensor(3)) == 7
    assert chain()(torch.tensor(3)) == 3


def test_inputs_stay_as_they_were_and_shapes_and_types_too():
    images = spot().double().expand(3, 1, 28, 28)
    before = images.clone()
    found = chain(shift(), rotate(), scale(), noise())(images)
    assert torch.equal(images, before) and found.shape == images.shape and found.dtype == torch.float64


def test_it_serves_batches_and_repeats_with_the_seed():
    batches = Batches(spot().repeat(6, 1, 1, 1), torch.arange(6), size=4, augment=chain(shift(), rotate()))
    passes = []
    for _ in range(2):
        torch.manual_seed(7)
        passes.append(torch.cat([x for x, _ in batches]))
    assert torch.equal(*passes)


@pytest.mark.parametrize(
    ("call", "words"),
    [(lambda: shift()(torch.zeros(1, 28, 28)), r"shape \(1, 28, 28\)"), (lambda: scale(1.5), "by=1.5")],
)
def test_what_cannot_be_changed_is_said(call, words):
    with pytest.raises(CourseError, match=words):
        call()
