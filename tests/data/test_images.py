"""The embedded pictures: counts, checksums, official splits, licenses; the full sets through a stand-in."""

import hashlib
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gpucourse.data import images
from gpucourse.errors import CourseError

FOLDER = Path(images.__file__).parent
SETS = {"digits": (images.digits, 10_000, 2_000), "clothing": (images.clothing, 5_000, 1_000)}
# SHA-256 of the pixels and of the labels (one byte each): pieces of 784 bytes (bytes) of the original, unpacked files,
# at 0, 7, 12, 19 and so on of MNIST's training file, else every so many-th; computed without NumPy and without the
# packing tool
SUMS = {
    "digits": {
        "train": "5483988295fbb6cf187f861bb470549d61ed1fe8eb4a6c82a0b8d74bd857ef20",
        "test": "4eb317e922dd46c27e5146e2d5d07b0504e518f054a31a1dffcf2ff18e680c60",
    },
    "clothing": {
        "train": "14f7cef4226b3322e09aee262c7ea8f81dbac5cdfa7454d01afb1e0e533cf761",
        "test": "75912f3e276aac3bcf1476ab7b9ec87fafecf3afb0a05eab2d9f26e5a82e6757",
    },
}


@pytest.fixture(params=SETS)
def name(request):
    return request.param


def test_counts_shapes_and_types(name):
    make, train, test = SETS[name]
    made = make()
    for part, count in ((made.train, train), (made.test, test)):
        assert part.images.shape == (count, 28, 28) and part.images.dtype == np.uint8
        assert part.labels.shape == (count,) and part.labels.dtype == np.int64
        assert len(part) == count and set(part.labels.tolist()) == set(range(10))
    assert len(made.classes) == 10


def test_the_pixels_and_labels_are_those_of_the_original_files(name):
    made = SETS[name][0]()
    for split in ("train", "test"):
        part = getattr(made, split)
        found = hashlib.sha256(part.images.tobytes() + part.labels.astype(np.uint8).tobytes()).hexdigest()
        assert found == SUMS[name][split]


def test_no_class_is_rare(name):
    for part in (SETS[name][0]().train, SETS[name][0]().test):
        counts = np.bincount(part.labels)
        assert counts.min() >= 0.75 * counts.mean()


def test_no_test_picture_is_among_those_to_train_with(name):
    made = SETS[name][0]()
    known = {picture.tobytes() for picture in made.train.images}
    assert sum(picture.tobytes() in known for picture in made.test.images) == 0


def test_a_zero_is_round_and_a_one_is_narrow():
    """The labels belong to the pictures: the mean zero is dark in the middle, the mean one bright."""
    train = images.digits().train
    middle = [train.images[train.labels == digit][:, 12:16, 13:15].mean() for digit in (0, 1)]
    assert middle[0] < 60 < 150 < middle[1]


def test_licenses_are_beside_the_files(name):
    text = (FOLDER / "LICENSES.md").read_text("utf-8")
    for path in FOLDER.glob("*.npz"):
        assert f"`{path.name}`" in text
    assert "Attribution-Share Alike 3.0" in text and "Zalando SE" in text
    assert "license" in SETS[name][0]().license.lower() or "CC BY-SA" in SETS[name][0]().license


# --- the full sets ----------------------------------------------------------------------------------------


def stand_in(monkeypatch, make):
    torchvision = pytest.importorskip("torchvision")
    monkeypatch.setattr(torchvision.datasets, "MNIST", make)


def test_the_full_set_comes_through_torchvision(monkeypatch, tmp_path):
    torch = pytest.importorskip("torch")
    asked = []

    def make(root, train, download):
        asked.append((root, train, download))
        count = 6 if train else 2
        return SimpleNamespace(data=torch.full((count, 28, 28), 7, dtype=torch.uint8), targets=torch.arange(count))

    stand_in(monkeypatch, make)
    made = images.digits(full=True, folder=tmp_path)
    assert asked == [(str(tmp_path), True, True), (str(tmp_path), False, True)]
    assert (len(made.train), len(made.test)) == (6, 2)
    assert made.train.images.dtype == np.uint8 and made.test.labels.dtype == np.int64
    assert repr(made) == "MNIST: 6 images to train with, 2 to test with"


@pytest.mark.parametrize("error", [RuntimeError("Error downloading train-images\nall mirrors"), OSError("no route")])
def test_offline_there_is_one_clear_error(monkeypatch, tmp_path, error):
    def make(root, train, download):
        raise error

    stand_in(monkeypatch, make)
    with pytest.raises(CourseError, match="could not be fetched") as caught:
        images.digits(full=True, folder=tmp_path)
    assert "full=False" in str(caught.value) and "\n" not in str(caught.value)


REAL = Path(os.environ.get("GPUCOURSE_DATA") or Path.home() / ".cache" / "gpucourse")


@pytest.mark.skipif(not (REAL / "MNIST" / "raw").is_dir(), reason="digits(full=True) has not been asked for here")
def test_the_real_files_hold_the_embedded_digits():
    pytest.importorskip("torchvision")
    full, embedded = images.digits(full=True, folder=REAL), images.digits()
    assert (len(full.train), len(full.test)) == (60_000, 10_000)
    # how often each digit occurs among the 60,000 and the 10,000, as published with the files
    assert np.bincount(full.train.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(full.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    np.testing.assert_array_equal(full.train.images[::12], embedded.train.images[::2])
    np.testing.assert_array_equal(full.train.images[7::12], embedded.train.images[1::2])
    np.testing.assert_array_equal(full.test.labels[::5], embedded.test.labels)
