"""The linear layer: y = x Wᵀ + b."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from gpucourse.nn.layer import Array, Layer, Parameter


class Linear(Layer):
    """y = x Wᵀ + b: x (n, inputs), W (outputs, inputs), b (outputs,), y (n, outputs).

    W begins with normal numbers of variance 2 / inputs, which keeps the size of the signal through ReLUs (He et al.,
    "Delving Deep into Rectifiers", 2015); b with zeros. `rng` is a NumPy generator, so that runs repeat on any
    device; `xp` the array module; `dtype` float32 or float64.
    """

    def __init__(
        self, inputs: int, outputs: int, rng: np.random.Generator | None = None, xp: ModuleType = np,
        dtype: Any = np.float32,
    ) -> None:
        rng = rng or np.random.default_rng()
        weight = rng.standard_normal((outputs, inputs)) * np.sqrt(2 / inputs)
        self.weight = Parameter(xp.asarray(weight.astype(dtype)))
        self.bias = Parameter(xp.zeros(outputs, dtype))

    def forward(self, x: Array) -> Array:
        """Return y (n, outputs)."""
        self.x = x
        return x @ self.weight.value.T + self.bias.value

    def backward(self, dy: Array) -> Array:
        """dL/dW = dyᵀ x, dL/db = the column sums of dy, dL/dx = dy W."""
        self.weight.gradient = dy.T @ self.x
        self.bias.gradient = dy.sum(axis=0)
        return dy @ self.weight.value
