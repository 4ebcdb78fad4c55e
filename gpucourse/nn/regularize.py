"""Dropout: a layer that forgets at random while a network is trained."""

from __future__ import annotations

import numpy as np

from gpucourse.nn.layer import Array, Layer, module_of


class Dropout(Layer):
    """Each element becomes 0 with probability `p`; the others are divided by 1 - p, so the mean stays.

    While `training` is False it does nothing. `rng` is a NumPy generator: the mask is drawn on the host, so that runs
    repeat on any device. Raises ValueError for p outside [0, 1). (Srivastava et al., 2014)
    """

    def __init__(self, p: float = 0.5, rng: np.random.Generator | None = None) -> None:
        if not 0 <= p < 1:
            raise ValueError(f"Dropout(p={p}): the probability of forgetting is at least 0 and below 1")
        self.p, self.rng = p, rng or np.random.default_rng()

    def forward(self, x: Array) -> Array:
        """Return y, of x's shape."""
        if not self.training or self.p == 0:
            self.mask = None
            return x
        kept = self.rng.random(x.shape) >= self.p
        self.mask = module_of(x).asarray((kept / (1 - self.p)).astype(x.dtype))
        return x * self.mask

    def backward(self, dy: Array) -> Array:
        """Return dL/dx: dy where the element was kept, scaled as y was."""
        return dy if self.mask is None else dy * self.mask
