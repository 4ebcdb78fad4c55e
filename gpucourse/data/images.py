"""Small pictures with labels: handwritten digits (MNIST) and clothing (Fashion-MNIST), embedded or in full.

The embedded sets are one in six of MNIST's training images and one in five of its test images, one in twelve and one in
ten of Fashion-MNIST's (`tools/pack_data.py`). Test images come from the official test split, always. MNIST's training
file alternates between two kinds of images, from two sources of writers, and the sample takes both in turn: the mean
of its pixels is 0.1303, that of all 60,000 images 0.1307, of the embedded test images 0.1329.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucourse.errors import CourseError, MissingPackage

DIGITS = tuple("0123456789")
CLOTHES = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, repr=False)
class Labeled:
    """Images, uint8 of shape (n, 28, 28), 0 black to 255 white, and their labels, int64 of shape (n,)."""

    images: Pixels
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"{len(self):,} images of {self.images.shape[1]} x {self.images.shape[2]} pixels with labels"


@dataclass(frozen=True, repr=False)
class ImageSet:
    """A data set: what to learn from, what to test with, the classes' names, and its license in a sentence."""

    name: str
    train: Labeled
    test: Labeled
    classes: tuple[str, ...]
    license: str

    def __repr__(self) -> str:
        return f"{self.name}: {len(self.train):,} images to train with, {len(self.test):,} to test with"


@dataclass(frozen=True)
class _Known:
    """What is fixed of a data set; `full` is its class in torchvision.datasets."""

    name: str
    classes: tuple[str, ...]
    license: str
    full: str


_KNOWN = {
    "mnist": _Known("MNIST", DIGITS, "MNIST by Yann LeCun and Corinna Cortes, from NIST's databases; CC BY-SA 3.0.",
                    "MNIST"),
    "fashion_mnist": _Known("Fashion-MNIST", CLOTHES, "Fashion-MNIST by Zalando SE; MIT license.", "FashionMNIST"),
}  # fmt: skip


def digits(full: bool = False, folder: Path | str | None = None) -> ImageSet:
    """Return handwritten digits: 10,000 to train with and 2,000 to test with; `full`: 60,000 and 10,000.

    The full set is downloaded by torchvision into `folder` (default: ~/.cache/gpucourse), once. Raises CourseError
    when that fails, and MissingPackage without torchvision.

    >>> digits()
    MNIST: 10,000 images to train with, 2,000 to test with
    """
    return _image_set("mnist", full, folder)


def clothing(full: bool = False, folder: Path | str | None = None) -> ImageSet:
    """Return pictures of clothing: 5,000 to train with and 1,000 to test with; `full`: 60,000 and 10,000.

    As `digits`: the same shapes, ten classes, but harder to tell apart.
    """
    return _image_set("fashion_mnist", full, folder)


def _image_set(key: str, full: bool, folder: Path | str | None) -> ImageSet:
    known = _KNOWN[key]
    train, test = _full(known, Path(folder or Path.home() / ".cache" / "gpucourse")) if full else _embedded(key)
    return ImageSet(known.name, train, test, known.classes, known.license)


def _embedded(key: str) -> tuple[Labeled, Labeled]:
    with as_file(files("gpucourse.data") / f"{key}.npz") as path, np.load(path) as stored:
        pairs = [(stored[f"{split}_images"], stored[f"{split}_labels"]) for split in ("train", "test")]
    train, test = (Labeled(images, labels.astype(np.int64)) for images, labels in pairs)
    return train, test


def _full(known: _Known, folder: Path) -> tuple[Labeled, Labeled]:
    try:
        from torchvision import datasets
    except ImportError as error:
        raise MissingPackage(
            f"the full {known.name} comes through torchvision, which cannot be imported ({error}). "
            "Install torchvision, or take the embedded set: full=False"
        ) from None
    make = getattr(datasets, known.full)
    train, test = (_downloaded(make, known, folder, train) for train in (True, False))
    return train, test


def _downloaded(make: Callable[..., Any], known: _Known, folder: Path, train: bool) -> Labeled:
    try:
        found = make(root=str(folder), train=train, download=True)   # shows its progress
    except (OSError, RuntimeError) as error:
        raise CourseError(
            f"the full {known.name} could not be fetched into {folder}: {str(error).splitlines()[0]} "
            "Check the connection and try again, or go on with the embedded set: full=False"
        ) from None
    return Labeled(found.data.numpy(), found.targets.numpy().astype(np.int64))
