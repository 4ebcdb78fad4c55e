"""The augmentation explorer: a digit beside changed copies of it, as a training would see them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from gpucourse.viz import explorer, picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

COPIES, COLUMNS = 10, 5
TURNED = {6: 9, 9: 6}            # what a digit looks like that stands on its head
MIRRORED = {2: 5, 5: 2}          # what it looks like in a mirror, roughly; the others that change look like none
SYMMETRIC = (0, 1, 8)


@cache
def digit_of(digit: int) -> np.ndarray:
    """Return the first of the bundled training digits with this label: uint8, (28, 28). ValueError beyond 0 to 9."""
    from gpucourse.data import images

    if digit not in range(10):
        raise ValueError(f"digit={digit}: give 0 to 9")
    train = images.digits().train
    return train.images[int(np.argmax(train.labels == digit))]


def copies(
    digit: int = 6, shift: int = 2, rotate: float = 10, scale: float = 0.1, noise: float = 0.0, mirror: bool = False,
    seed: int = 0,
) -> np.ndarray:
    """Return ten changed copies, float32 (10, 28, 28), 0 black to 1 white, by the changes of `gpucourse.data.augment`.

    Up to `shift` pixels each way, up to `rotate` degrees, 1 - scale to 1 + scale times the size, `noise` in
    standard deviations of a pixel; `mirror`: about every second one. ValueError for what cannot be.
    """
    import torch

    from gpucourse.data import augment
    from gpucourse.data.batches import MEAN, SPREAD

    original = digit_of(digit)
    _refuse(shift, rotate, scale, noise)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        images = (torch.from_numpy(original)[None, None].repeat(COPIES, 1, 1, 1) / 255 - MEAN) / SPREAD
        change = augment.chain(_mirrored if mirror else augment.chain(), augment.rotate(rotate), augment.scale(scale),
                               augment.shift(shift), augment.noise(noise))  # fmt: skip
        changed: Any = change(images) * SPREAD + MEAN
    return np.asarray(changed[:, 0].numpy(), np.float32)


def _mirrored(images: Tensor) -> Tensor:
    import torch

    return torch.where(torch.rand(len(images), 1, 1, 1) < 0.5, images.flip(-1), images)


def _refuse(shift: int, rotate: float, scale: float, noise: float) -> None:
    if shift < 0 or rotate < 0 or noise < 0 or not 0 <= scale < 1:
        raise ValueError(f"shift={shift}, rotate={rotate}, scale={scale}, noise={noise}: none below 0, and the scale "
                         "below 1")  # fmt: skip


def sentence(
    digit: int = 6, shift: int = 2, rotate: float = 10, scale: float = 0.1, noise: float = 0.0, mirror: bool = False,
    seed: int = 0,
) -> str:
    """Say what was changed, and where a change can make the label wrong."""
    _refuse(shift, rotate, scale, noise)
    changes = [
        f"shifted by up to {shift} pixel{'s' * (shift != 1)}" if shift else "",
        f"turned by up to {rotate:g} degrees" if rotate else "",
        f"{1 - scale:.0%} to {1 + scale:.0%} of its size" if scale else "",
        f"noise of {noise:g} standard deviations of a pixel" if noise else "",
        "about every second one mirrored" if mirror else "",
    ]
    what = ", ".join(filter(None, changes)) or "nothing is changed"
    return " ".join([f"A {digit} and {COPIES} copies with the label {digit}: {what}.",
                     *remarks(digit, shift, rotate, mirror)])  # fmt: skip


def remarks(digit: int, shift: int, rotate: float, mirror: bool) -> list[str]:
    """Say which changes can make the label wrong."""
    found, margin = [], margin_of(digit_of(digit))
    if shift > margin:
        found.append(f"A shift by more than {margin} pixels can push a part of this {digit} out of the picture.")
    if rotate > 90:
        who = f"this {digit} looks like a {TURNED[digit]}" if digit in TURNED else "a 6 looks like a 9"
        found.append(f"Turned by more than 90 degrees, {who} and keeps its label: it is then wrong.")
    if mirror:
        found.append(_in_the_mirror(digit))
    return found


def _in_the_mirror(digit: int) -> str:
    if digit in SYMMETRIC:
        return f"A mirrored {digit} is still one, but a 2 looks like a 5 and keeps its label: it is then wrong."
    if digit in MIRRORED:
        return f"Mirrored, this {digit} looks like a {MIRRORED[digit]} and keeps its label: it is then wrong."
    return f"Mirrored, this {digit} looks like no digit at all, and a 2 like a 5: the label is then wrong."


def margin_of(image: np.ndarray) -> int:
    """Return how many empty rows or columns there are, at least, between the ink and the border."""
    rows, columns = (np.flatnonzero(image.max(axis=axis)) for axis in (1, 0))
    return int(min(rows[0], columns[0], len(image) - 1 - rows[-1], image.shape[1] - 1 - columns[-1]))


def draw(
    digit: int = 6, shift: int = 2, rotate: float = 10, scale: float = 0.1, noise: float = 0.0, mirror: bool = False,
    seed: int = 0,
) -> tuple[Figure, str]:
    """Draw the digit and its copies; return the figure and the sentence."""
    changed = copies(digit, shift, rotate, scale, noise, mirror, seed)
    fig, axes = picture.new(7.8, 3.0, columns=COLUMNS + 1, rows=COPIES // COLUMNS)
    shown = [digit_of(digit) / 255, *changed]
    places = [axes[0, 0], *axes[:, 1:].flat]
    for ax in axes.flat:
        ax.axis("off")
    for ax, image in zip(places, shown, strict=True):
        ax.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes[0, 0].set_title("original", fontsize=10, loc="left")
    axes[0, 1].set_title(f"copies, each with the label {digit}", fontsize=10, loc="left")
    return fig, sentence(digit, shift, rotate, scale, noise, mirror, seed)


def augmentation(
    digit: int = 6, shift: int = 2, rotate: float = 10, scale: float = 0.1, noise: float = 0.0, mirror: bool = False,
    seed: int = 0,
) -> None:
    """Print what is changed, and show a digit beside ten changed copies; arguments as `copies`."""
    explorer.show(draw, digit=digit, shift=shift, rotate=rotate, scale=scale, noise=noise, mirror=mirror, seed=seed)


def explore() -> explorer.Explorer | None:
    """The same picture with a control for each strength."""
    return explorer.explorer(
        "augmentation",
        draw,
        digit=explorer.choice(6, list(range(10)), "digit"),
        shift=explorer.slider(2, 0, 12, 1, "shift (pixels)"),
        rotate=explorer.slider(10, 0, 180, 10, "turn (degrees)"),
        scale=explorer.slider(0.1, 0.0, 0.5, 0.05, "scale (share)"),
        noise=explorer.slider(0.0, 0.0, 2.0, 0.1, "noise (deviations)", ".1f"),
        mirror=explorer.switch(False, "mirror every second one"),
        seed=explorer.slider(0, 0, 20, 1, "seed"),
    )
