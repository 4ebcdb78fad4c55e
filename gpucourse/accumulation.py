"""Gradient accumulation: the gradient of a large batch from small ones, where it does not fit into memory."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gpucourse.errors import CourseError
from gpucourse.scores import Loss


def accumulate(model: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor, parts: int) -> Tensor:
    """Add the gradient of the batch's mean loss to the weights' `.grad`, in `parts` small batches; return that loss.

    `loss(outputs, targets)` is a mean over its examples. Each part counts by its share of the examples: 1 / parts
    where all are alike. Sizes differ by at most 1. Raises CourseError for more parts than examples, or none.
    """
    if not 1 <= parts <= len(inputs):
        raise CourseError(f"accumulate: {parts} parts of {len(inputs)} examples; take 1 to {len(inputs)}")
    whole = torch.zeros((), device=inputs.device)
    for x, y in zip(inputs.tensor_split(parts), targets.tensor_split(parts), strict=True):
        value = loss(model(x), y) * (len(x) / len(inputs))
        value.backward()                # adds to .grad, and frees what the part kept for it
        whole = whole + value.detach()
    return whole
