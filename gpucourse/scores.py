"""How good a network is on data that it only looks at: the mean loss and the mean of a metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gpucourse.errors import CourseError

Loss = Callable[[Tensor, Tensor], Tensor]


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the share of rows, (n, classes), whose largest score is the target's, (n,): a tensor of one number."""
    return (outputs.argmax(dim=1) == targets).float().mean()


@dataclass(frozen=True)
class Scores:
    """Means over `n` examples: the loss, and the metric (by default the accuracy, 0 to 1)."""

    loss: float
    metric: float
    n: int


@contextmanager
def in_eval_mode(model: nn.Module) -> Iterator[None]:
    """The model in its `eval()` mode; afterwards in the mode that it had."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def evaluate(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], *, loss: Loss = F.cross_entropy,
    metric: Loss = accuracy, device: torch.device | str | None = None,
) -> Scores:
    """Return the mean loss and metric over all examples of `batches`, with the model in its `eval()` mode.

    The model is put back to the mode that it had. `loss` and `metric` return the mean of a batch. Raises CourseError
    where there is no batch.
    """
    device = device or next(model.parameters()).device
    totals, n = torch.zeros(2, dtype=torch.float64), 0
    with in_eval_mode(model), torch.inference_mode():
        for inputs, targets in batches:
            targets = targets.to(device)
            outputs = model(inputs.to(device))
            sums = torch.stack([loss(outputs, targets).double(), metric(outputs, targets).double()]) * len(targets)
            totals, n = totals.to(sums.device) + sums, n + len(targets)
    if not n:
        raise CourseError("evaluate: there is no batch to look at; give at least one example")
    mean_loss, mean_metric = (totals / n).tolist()
    return Scores(mean_loss, mean_metric, n)
