"""What a layer owes: a forward and a backward pass; a parameter with its gradient; layers in a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

Array = Any   # a NumPy or CuPy array


def module_of(x: Array) -> ModuleType:
    """Return the array module of `x`: NumPy, the simulator, or the one that `gpucourse.cp` is.

    The simulator's arrays stay on it where `cp` is CuPy: lessons count launches there.
    """
    if isinstance(x, np.ndarray):
        return np
    from gpucourse import cp, cupy_sim

    module: ModuleType = cupy_sim if isinstance(x, cupy_sim.ndarray) else cp
    return module


@dataclass
class Parameter:
    """An array that is learned, and the gradient of the loss with respect to it, of the same shape."""

    value: Array
    gradient: Array = None


class Layer:
    """A function of arrays that knows its derivative.

    `forward(x)` returns y and keeps what `backward` will need. `backward(dy)` takes dL/dy, of y's shape, stores
    dL/dp in every parameter p and returns dL/dx, of x's shape. `training` is False while a network is only used.
    """

    training = True

    def forward(self, x: Array) -> Array:
        """Return y for x."""
        raise NotImplementedError

    def backward(self, dy: Array) -> Array:
        """Return dL/dx for dL/dy; call `forward` first."""
        raise NotImplementedError

    def parameters(self) -> Iterator[Parameter]:
        """Yield the layer's parameters: the attributes that are `Parameter`s."""
        return (value for value in vars(self).values() if isinstance(value, Parameter))

    def __call__(self, x: Array) -> Array:
        return self.forward(x)


class Sequential(Layer):
    """Layers in a row: the output of each is the input of the next; the gradient goes back the same way.

    >>> Sequential(Linear(784, 100), ReLU(), Linear(100, 10))  # doctest: +SKIP
    """

    def __init__(self, *layers: Layer) -> None:
        self.layers = layers

    def forward(self, x: Array) -> Array:
        """Return the last layer's output."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy: Array) -> Array:
        """Return dL/dx, having told every layer its gradient, the last one first."""
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy

    def parameters(self) -> Iterator[Parameter]:
        """Yield all layers' parameters, in order."""
        for layer in self.layers:
            yield from layer.parameters()

    def train(self, training: bool = True) -> None:
        """Tell every layer whether it is being trained; `train(False)` before testing."""
        for layer in self.layers:
            layer.training = training
