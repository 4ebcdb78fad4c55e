"""Changes that keep the label: pictures shifted, rotated, scaled, noisy; each at random, on the pictures' own device.

All take and return floats of shape (n, channels, h, w). Each picture of a batch draws its own change from PyTorch's
random numbers (`torch.manual_seed`). What comes in from outside is background: the picture's smallest value. Give one
to `Batches(..., augment=...)` for training; never to what is tested.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from gpucourse.errors import CourseError

Augment = Callable[[Tensor], Tensor]


def moved(images: Tensor, angle: Tensor, zoom: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Turn each picture about its center by `angle` (degrees, clockwise), enlarge it `zoom` times, then move it.

    `right` and `down` are in pixels; all four have shape (n,). Between pixels it interpolates linearly.
    """
    if images.ndim != 4:
        raise CourseError(f"pictures of shape {tuple(images.shape)}; (n, channels, h, w) is wanted: images[:1], not "
                          "images[0]")  # fmt: skip
    height, width = images.shape[2:]
    a = angle.deg2rad()
    c, s = a.cos() / zoom, a.sin() / zoom
    ratio = height / width                                           # the grid runs from -1 to 1 on both axes
    x, y = 2 * right / width, 2 * down / height
    rows = (c, s * ratio, -c * x - s * ratio * y), (-s / ratio, c, s / ratio * x - c * y)
    where = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)     # (n, 2, 3): for each pixel, its source
    grid = F.affine_grid(where, list(images.shape), align_corners=False)
    background = images.amin(dim=(1, 2, 3), keepdim=True)
    return F.grid_sample(images - background, grid, align_corners=False) + background   # outside it reads 0


def shift(pixels: int = 2) -> Augment:
    """Return a change: up to `pixels` whole pixels to each side, and up or down."""
    def change(images: Tensor) -> Tensor:
        right, down = torch.randint(-pixels, pixels + 1, (2, len(images)), device=images.device).to(images.dtype)
        return moved(images, 0 * right, 0 * right + 1, right, down)

    return change


def rotate(degrees: float = 10) -> Augment:
    """Return a change: a turn of up to `degrees` in either direction."""
    def change(images: Tensor) -> Tensor:
        angle = _between(-degrees, degrees, images)
        return moved(images, angle, 0 * angle + 1, 0 * angle, 0 * angle)

    return change


def scale(by: float = 0.1) -> Augment:
    """Return a change: 1 - by to 1 + by times the size."""
    if not 0 <= by < 1:
        raise CourseError(f"scale: by={by}; a share from 0 to below 1, such as 0.1 for 90 to 110 %")

    def change(images: Tensor) -> Tensor:
        zoom = _between(1 - by, 1 + by, images)
        return moved(images, 0 * zoom, zoom, 0 * zoom, 0 * zoom)

    return change


def noise(strength: float = 0.1) -> Augment:
    """Return a change: a random number of standard deviation `strength` is added to each pixel."""
    return lambda images: images + strength * torch.randn_like(images)


def chain(*changes: Augment) -> Augment:
    """Return a change that makes all of these, one after the other."""
    def change(images: Tensor) -> Tensor:
        for one in changes:
            images = one(images)
        return images

    return change


def _between(low: float, high: float, images: Tensor) -> Tensor:
    return low + (high - low) * torch.rand(len(images), device=images.device, dtype=images.dtype)
