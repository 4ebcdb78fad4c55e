"""Lesson 01's task: an image made brighter, and blurred, by loop, arrays, threads and one kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from gpucourse.benchmarks.bands import in_bands
from gpucourse.benchmarks.case import Case, Machine, Sizes, ready


def brighten(xp: Any, image: Any) -> Any:
    """Return 1.2 * image + 0.1, cut off at 0 and 1: float32 (height, width) to the same."""
    return xp.clip(image * xp.float32(1.2) + xp.float32(0.1), 0, 1)


def blur(xp: Any, image: Any) -> Any:
    """Return the mean of each pixel's 3 x 3 neighborhood: float32 (h, w) to (h - 2, w - 2)."""
    rows = image[:-2] + image[1:-1] + image[2:]
    return (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) * xp.float32(1 / 9)


def brighten_loop(image: list[list[float]]) -> list[list[float]]:
    """Do what `brighten` does, one pixel at a time in Python."""
    return [[min(max(1.2 * pixel + 0.1, 0.0), 1.0) for pixel in row] for row in image]


def blur_loop(image: list[list[float]]) -> list[list[float]]:
    """Do what `blur` does, one pixel at a time in Python."""
    out = []
    for above, row, below in zip(image, image[1:], image[2:], strict=False):
        columns = [a + b + c for a, b, c in zip(above, row, below, strict=True)]
        out.append([(a + b + c) / 9 for a, b, c in zip(columns, columns[1:], columns[2:], strict=False)])
    return out


def work(xp: Any, image: Any) -> Any:
    """Return the image made brighter and then blurred: lesson 01's whole task."""
    return blur(xp, brighten(xp, image))


def work_loop(image: list[list[float]]) -> list[list[float]]:
    """Do what `work` does, one pixel at a time in Python."""
    return blur_loop(brighten_loop(image))


# name in the file -> with arrays, with Python loops
FILTERS = {"brighten": (brighten, brighten_loop), "blur": (blur, blur_loop), "both": (work, work_loop)}


def photograph(side: int) -> np.ndarray:
    """Return a smooth made-up image: float32 (side, side) from 0 to 1."""
    x = np.linspace(0, 9, side, dtype=np.float32)
    return (0.5 + 0.5 * np.sin(x)[:, None] * np.cos(x)[None, :]).astype(np.float32)


def photo_arrays(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Lesson 01's task with array code, on data that already lies on the device."""
    for name, (function, _) in FILTERS.items():
        for side in sizes.image:

            def prepare(function: Any = function, side: int = side) -> Callable[[], object]:
                image = machine.xp.asarray(photograph(side))
                return lambda: function(machine.xp, image)

            yield Case({"filter": name, "side": side, "how": "arrays"}, side * side, "pixel", prepare)


def photo_with_transfers(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """The same, from an image in the host's memory to a result in the host's memory."""
    xp = machine.xp
    for name, (function, _) in FILTERS.items():
        for side in sizes.image:

            def prepare(function: Any = function, side: int = side) -> Callable[[], object]:
                image = photograph(side)
                return lambda: xp.asnumpy(function(xp, xp.asarray(image)))

            yield Case(
                {"filter": name, "side": side, "how": "arrays and transfers"}, side * side, "pixel", prepare
            )


def photo_fused(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Brightness as one kernel instead of three: the arithmetic of `brighten` in an ElementwiseKernel."""
    xp, side = machine.xp, sizes.image[-1]

    def prepare() -> Callable[[], object]:
        body = "y = min(max(1.2f * x + 0.1f, 0.0f), 1.0f)"
        kernel = xp.ElementwiseKernel("float32 x", "float32 y", body, "brighten")
        image = xp.asarray(photograph(side))
        return lambda: kernel(image)

    yield Case({"filter": "brighten", "side": side, "how": "one kernel"}, side * side, "pixel", prepare)


def photo_loop(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Lesson 01's task as Python loops, on a small image: the time grows with the number of pixels."""
    side = sizes.loop_image
    for name, (_, loop) in FILTERS.items():
        call = partial(loop, photograph(side).tolist())
        yield Case({"filter": name, "side": side, "how": "loop"}, side * side, "pixel", ready(call))


def photo_threads(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Lesson 01's task on every core: one band of rows for each thread."""
    side = sizes.image[-1]
    for name, (function, _) in FILTERS.items():

        def prepare(function: Any = function) -> Callable[[], object]:
            image = photograph(side)
            return in_bands(lambda rows: function(np, image[rows]), side, machine.cores, halo=2)

        parameters = {"filter": name, "side": side, "how": "threads", "threads": machine.cores}
        yield Case(parameters, side * side, "pixel", prepare)
