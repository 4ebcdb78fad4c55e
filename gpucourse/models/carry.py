"""Carries the weights of a DigitsCNN over to frameworks that have their channels last: a list of dicts of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from gpucourse.models.cnn import DigitsCNN

Layer = dict[str, Any]


def channels_last(model: DigitsCNN) -> list[Layer]:
    """Return a dict of float32 NumPy arrays for each of the three blocks and for the head, copies of the weights.

    A block has "kernel" (rows, columns, in, out), "gamma", "beta", and the running "mean" and "variance"; the head has
    "kernel" (rows · columns · channels, classes) and "bias".
    """
    return [*(_block(model.blocks[k]) for k in (0, 2, 4)), _head(model)]


def _block(block: Any) -> Layer:
    convolution, norm, _ = block
    return {
        "kernel": _array(convolution.weight.permute(2, 3, 1, 0)),
        "gamma": _array(norm.weight), "beta": _array(norm.bias),
        "mean": _array(norm.running_mean), "variance": _array(norm.running_var),
    }  # fmt: skip


def _head(model: DigitsCNN) -> Layer:
    weight = model.head.weight.unflatten(1, (-1, 3, 3))       # (classes, channels, 3, 3)
    return {"kernel": _array(weight.permute(2, 3, 1, 0).flatten(0, 2)), "bias": _array(model.head.bias)}


def _array(tensor: Tensor) -> np.ndarray[Any, Any]:
    return np.array(tensor.detach().cpu().numpy())
