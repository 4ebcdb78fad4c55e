"""Activations: functions of one number, applied to each element, with their derivatives."""

from __future__ import annotations

from gpucourse.nn.layer import Array, Layer, module_of


class Sigmoid(Layer):
    """y = 1 / (1 + exp(-x)), between 0 and 1; y' = y (1 - y), at most 1/4. Written so that exp never overflows."""

    def forward(self, x: Array) -> Array:
        """Return y, of x's shape."""
        xp = module_of(x)
        small = xp.exp(-abs(x))                                   # in (0, 1]
        self.y = xp.where(x >= 0, 1 / (1 + small), small / (1 + small))
        return self.y

    def backward(self, dy: Array) -> Array:
        """Return dL/dx = dy · y (1 - y)."""
        return dy * self.y * (1 - self.y)


class Tanh(Layer):
    """y = tanh(x), between -1 and 1; y' = 1 - y², at most 1."""

    def forward(self, x: Array) -> Array:
        """Return y, of x's shape."""
        self.y = module_of(x).tanh(x)
        return self.y

    def backward(self, dy: Array) -> Array:
        """Return dL/dx = dy (1 - y²)."""
        return dy * (1 - self.y * self.y)


class LeakyReLU(Layer):
    """y = x where x > 0, else slope · x; y' is 1 or `slope`. At 0 it is `slope`, as in PyTorch."""

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def forward(self, x: Array) -> Array:
        """Return y, of x's shape."""
        self.positive = x > 0
        return module_of(x).where(self.positive, x, self.slope * x)

    def backward(self, dy: Array) -> Array:
        """Return dL/dx: dy where x > 0, else slope · dy."""
        return module_of(dy).where(self.positive, dy, self.slope * dy)


class ReLU(LeakyReLU):
    """y = max(x, 0): 0 below zero, and no gradient there."""

    def __init__(self) -> None:
        super().__init__(0.0)
