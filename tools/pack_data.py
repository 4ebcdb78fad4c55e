"""Packs the embedded data sets from the original files: every so many-th image.

    python tools/pack_data.py mnist FOLDER          # FOLDER holds train-images-idx3-ubyte[.gz] and the three others
    python tools/pack_data.py fashion_mnist FOLDER

The four original files are known by their checksums. MNIST's official test file is not in random order: its second
half is harder (its authors say so), so the first 2,000 images would flatter every model. The sample therefore takes
one image in five, over the whole file. Its training file alternates between two kinds of images, with means of 0.1229
and 0.1386 at even and at odd places. An even step would take one kind only, so the sample takes the first and the
second of every six in turn: the images 0, 7, 12, 19 and so on.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).resolve().parent.parent / "gpucourse" / "data"
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
#: Data set -> (MD5 of the four files, unpacked; one image in so many for training and for the test; kinds of images
#: that alternate in the training file).
SETS = {
    "mnist": (("6bbc9ace898e44ae57da46a324031adb", "a25bea736e30d166cdddb491f175f624",
               "2646ac647ad5339dbf082846283269ea", "27ae3e4e09519cfbb04c329615203637"), 6, 5, 2),
    "fashion_mnist": (("f4a8712d7a061bf5bd6d2ca38dc4d50a", "9018921c3c673c538a1fc5bad174d6f9",
                       "8181f5470baa50b63fa0f6fddb340f0a", "15d484375f8d13e6eb1aabb0c3f46965"), 12, 10, 1),
}  # fmt: skip


def require_original(data: bytes, path: Path, md5: str) -> None:
    """End the program unless `data`, the content of `path`, is the original file."""
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if found != md5:
        sys.exit(f"{path}: MD5 is {found}, the original's is {md5}; this is another file")


def read(folder: Path, name: str, md5: str) -> NDArray[np.uint8]:
    """Return a file of the IDX format as an array; ends the program if it is not the original."""
    packed, plain = folder / f"{name}.gz", folder / name
    data = gzip.decompress(packed.read_bytes()) if packed.exists() else plain.read_bytes()
    require_original(data, folder / name, md5)
    axes = data[3]
    shape = np.frombuffer(data, ">u4", axes, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)


def places(count: int, every: int, kinds: int = 1) -> NDArray[np.int64]:
    """Return which of `count` images are taken: one of every so many, the first `kinds` of each group in turn."""
    groups = np.arange(count // every)
    return every * groups + groups % kinds


def sample(arrays: list[NDArray[np.uint8]], every: int, every_test: int, kinds: int) -> dict[str, NDArray[np.uint8]]:
    """Return the sampled arrays by their names in the file."""
    taken, tested = places(len(arrays[0]), every, kinds), places(len(arrays[2]), every_test)
    names = ("train_images", "train_labels", "test_images", "test_labels")
    return {name: array[at] for name, array, at in zip(names, arrays, (taken, taken, tested, tested), strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=SETS)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    sums, *steps = SETS[given.name]
    arrays = [read(given.folder, name, md5) for name, md5 in zip(FILES, sums, strict=True)]
    target = DATA / f"{given.name}.npz"
    np.savez_compressed(target, **sample(arrays, *steps))
    print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
