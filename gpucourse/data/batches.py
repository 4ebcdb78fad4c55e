"""Labeled pictures as tensors on a device, and batches of them without a copy from the host in each step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gpucourse.data.images import Labeled
from gpucourse.errors import CourseError

MEAN, SPREAD = 0.1307, 0.3081   # of the pixels of MNIST's 60,000 training images, 0 black to 1 white


def tensors(labeled: Labeled, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Return images, float32 of shape (n, 1, 28, 28), shifted and scaled by MEAN and SPREAD, and labels, int64 (n,)."""
    images = torch.from_numpy(labeled.images).to(device)[:, None].float()
    return (images / 255 - MEAN) / SPREAD, torch.from_numpy(labeled.labels).to(device)


@dataclass
class Batches:
    """Batches of two tensors that lie on one device: each pass yields (inputs, targets), `size` at a time.

    With `shuffle` every pass has a new order, drawn from PyTorch's own random numbers (`torch.manual_seed`). The
    last batch is smaller where `size` does not divide n; `drop_last` leaves it out. `augment` changes the inputs of
    a batch, shape kept.
    """

    inputs: Tensor
    targets: Tensor
    size: int = 128
    shuffle: bool = True
    drop_last: bool = False
    augment: Callable[[Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.targets):
            raise CourseError(f"Batches: {len(self.inputs):,} inputs and {len(self.targets):,} targets; each needs one")
        if not self.size >= 1 or not len(self):
            raise CourseError(f"Batches: size {self.size} of {len(self.inputs):,} inputs gives no batch; "
                              f"take a size from 1 to {len(self.inputs):,}")  # fmt: skip

    def __len__(self) -> int:
        """The number of batches in a pass."""
        whole, rest = divmod(len(self.inputs), self.size)
        return whole if self.drop_last or not rest else whole + 1

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        n, device = len(self.inputs), self.inputs.device
        order = torch.randperm(n, device=device) if self.shuffle else torch.arange(n, device=device)
        for chosen in order.split(self.size)[: len(self)]:
            inputs = self.inputs[chosen]
            yield (self.augment(inputs) if self.augment else inputs), self.targets[chosen]
