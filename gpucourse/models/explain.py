"""What in a picture speaks for a class? Three answers: saliency, occlusion, Grad-CAM; each model, pictures -> maps.

All take a model that gives scores (n, classes), float pictures (n, channels, h, w) and one class a picture, integers
(n,); all return float maps (n, h, w) on the pictures' device. The model is asked in its `eval()` mode, is put back to
the mode that it had, and keeps its gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gpucourse.errors import CourseError
from gpucourse.scores import in_eval_mode


def saliency(model: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
    """How much the class's score would move with each pixel: |d score / d pixel|, the largest of the channels.

    Simonyan and others, Deep inside convolutional networks, 2013.
    """
    _check(images, classes)
    images = images.detach().requires_grad_()
    with _asked(model):
        score = _of_class(model(images), classes)
        (slopes,) = torch.autograd.grad(score.sum(), images)     # no picture enters another one's score
    return slopes.abs().amax(dim=1)


def occlusion(
    model: nn.Module, images: Tensor, classes: Tensor, size: int = 7, step: int = 2, fill: float | None = None
) -> Tensor:
    """How far the class's probability falls, 1 to -1, when a square of `size` pixels covers the place.

    The square moves by `step` pixels, and to the last ones that it can cover; a pixel gets the mean of all squares
    that covered it. It has the value `fill`, by default the picture's smallest pixel: the background of a digit.
    Zeiler and Fergus, Visualizing and understanding convolutional networks, 2013.
    """
    _check(images, classes)
    height, width = images.shape[2:]
    if not 1 <= size <= min(height, width) or step < 1:
        raise CourseError(f"occlusion: size {size}, step {step}; a square on {height} x {width} pixels has a size "
                          f"from 1 to {min(height, width)}, and moves by at least 1")  # fmt: skip
    color = images.amin(dim=(1, 2, 3), keepdim=True) if fill is None else fill
    falls, covers = torch.zeros_like(images[:, 0]), torch.zeros_like(images[0, 0])
    with _asked(model), torch.no_grad():
        before = _of_class(model(images).softmax(dim=1), classes)
        for top in _places(height, size, step):
            for left in _places(width, size, step):
                square = (slice(top, top + size), slice(left, left + size))
                covered = images.clone()
                covered[:, :, *square] = color
                fall = before - _of_class(model(covered).softmax(dim=1), classes)
                falls[:, *square] += fall[:, None, None]
                covers[square] += 1
    return falls / covers.clamp(min=1)     # a step larger than the square leaves gaps, which stay 0


def grad_cam(model: nn.Module, layer: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
    """Where the channels that speak for the class are active, at `layer`, whose output is (n, channels, h', w').

    A channel's weight is the mean slope of the class's score with respect to it; the map is the weighted sum of the
    channels, negative values made 0, enlarged to the size of the pictures. Selvaraju and others, Grad-CAM, 2017.
    """
    _check(images, classes)
    kept: list[Tensor] = []
    handle = layer.register_forward_hook(lambda module, inputs, output: kept.append(output))
    try:
        with _asked(model):
            score = _of_class(model(images.detach().requires_grad_()), classes).sum()
    finally:
        handle.remove()
    if len(kept) != 1 or kept[0].ndim != 4:
        found = f"ran {len(kept)} times" if len(kept) != 1 else f"gave {tuple(kept[0].shape)}"
        raise CourseError(f"grad_cam: the layer {found}; it must run once and give (n, channels, h, w): take a "
                          "convolution, an activation or a pooling of this model")  # fmt: skip
    (slopes,) = torch.autograd.grad(score, kept)
    maps = (slopes.mean(dim=(2, 3), keepdim=True) * kept[0]).sum(dim=1, keepdim=True).relu()
    large = F.interpolate(maps, size=images.shape[2:], mode="bilinear", align_corners=False)
    return large[:, 0].detach()


@contextmanager
def _asked(model: nn.Module) -> Iterator[None]:
    """The model in its eval() mode, with gradients recorded whatever the surroundings say."""
    with in_eval_mode(model), torch.enable_grad():
        yield


def _of_class(scores: Tensor, classes: Tensor) -> Tensor:
    return scores.gather(1, classes.to(scores.device, torch.int64)[:, None])[:, 0]


def _places(length: int, size: int, step: int) -> list[int]:
    """Where a square begins: every `step` pixels, and as far on as it can."""
    return sorted({*range(0, length - size + 1, step), length - size})


def _check(images: Tensor, classes: Tensor) -> None:
    if images.ndim != 4 or not images.is_floating_point():
        raise CourseError(f"images: {images.dtype} of shape {tuple(images.shape)}; they must be floats "
                          "(n, channels, h, w): one picture is images[:1], not images[0]")  # fmt: skip
    if classes.shape != images.shape[:1] or classes.is_floating_point():
        raise CourseError(f"classes: {classes.dtype} of shape {tuple(classes.shape)}; there must be one integer for "
                          f"each of {len(images)} pictures")  # fmt: skip
