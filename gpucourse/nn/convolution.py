"""Convolution as a matrix product: unfold the patches (im2col), multiply, fold the gradients back."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from gpucourse.nn.layer import Array, Layer, Parameter, module_of


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Return the places of a kernel along an axis: floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1.

    Raises ValueError when the kernel does not fit even once.
    """
    reach = dilation * (kernel - 1) + 1
    if size + 2 * padding < reach:
        raise ValueError(f"a kernel of {kernel} with dilation {dilation} reaches over {reach} pixels; "
                         f"{size} with padding {padding} are only {size + 2 * padding}")  # fmt: skip
    return (size + 2 * padding - reach) // stride + 1


def unfold(x: Array, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Array:
    """Return the patches of x (n, c, h, w) as columns: (n, c · kernel², places), places = h_out · w_out, row after row.

    The rows go through channels, then kernel rows, then kernel columns, as `torch.nn.functional.unfold` has them.
    """
    n, c, h, w = x.shape
    high, wide = (output_size(size, kernel, stride, padding, dilation) for size in (h, w))
    padded = module_of(x).pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    columns = module_of(x).empty((n, c, kernel, kernel, high, wide), x.dtype)
    for i in range(kernel):
        for j in range(kernel):
            columns[:, :, i, j] = padded[:, :, _reach(i, high, stride, dilation), _reach(j, wide, stride, dilation)]
    return columns.reshape(n, c * kernel * kernel, high * wide)


def fold(
    columns: Array, shape: tuple[int, int, int, int], kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Array:
    """Add the columns of `unfold` back into an array of `shape` (n, c, h, w): a pixel gets its copies' sum."""
    n, c, h, w = shape
    high, wide = (output_size(size, kernel, stride, padding, dilation) for size in (h, w))
    columns = columns.reshape(n, c, kernel, kernel, high, wide)
    padded = module_of(columns).zeros((n, c, h + 2 * padding, w + 2 * padding), columns.dtype)
    for i in range(kernel):
        for j in range(kernel):
            padded[:, :, _reach(i, high, stride, dilation), _reach(j, wide, stride, dilation)] += columns[:, :, i, j]
    return padded[:, :, padding : padding + h, padding : padding + w]


def _reach(offset: int, places: int, stride: int, dilation: int) -> slice:
    """The pixels that one element of the kernel meets along an axis."""
    first = offset * dilation
    return slice(first, first + stride * (places - 1) + 1, stride)


class Conv2d(Layer):
    """y[n, o, i, j] = b[o] + the sum over c, k, l of W[o, c, k, l] · x[n, c, i stride + k dilation - padding, …].

    x (n, channels, h, w), W (filters, channels, kernel, kernel), b (filters,), y (n, filters, h_out, w_out). It is the
    cross-correlation that all libraries call convolution: the kernel is not turned round. W begins as in `Linear`.
    """

    def __init__(
        self, channels: int, filters: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1,
        rng: np.random.Generator | None = None, xp: ModuleType = np, dtype: Any = np.float32,
    ) -> None:
        rng = rng or np.random.default_rng()
        weight = rng.standard_normal((filters, channels, kernel, kernel)) * np.sqrt(2 / (channels * kernel * kernel))
        self.weight = Parameter(xp.asarray(weight.astype(dtype)))
        self.bias = Parameter(xp.zeros(filters, dtype))
        self.how = (kernel, stride, padding, dilation)

    def forward(self, x: Array) -> Array:
        """Return y (n, filters, h_out, w_out)."""
        self.shape, self.columns = x.shape, unfold(x, *self.how)
        high, wide = (output_size(size, *self.how) for size in x.shape[2:])
        y = self._matrix() @ self.columns + self.bias.value[:, None]
        return y.reshape(len(x), -1, high, wide)

    def backward(self, dy: Array) -> Array:
        """dL/dW = the sum over examples of dy columnsᵀ, dL/db = the sums of dy, dL/dx = fold(Wᵀ dy)."""
        dy = dy.reshape(dy.shape[0], dy.shape[1], -1)
        by_example = dy @ self.columns.transpose(0, 2, 1)
        self.weight.gradient = by_example.sum(axis=0).reshape(self.weight.value.shape)
        self.bias.gradient = dy.sum(axis=(0, 2))
        return fold(self._matrix().T @ dy, self.shape, *self.how)

    def _matrix(self) -> Array:
        """W as a matrix, (filters, channels · kernel²)."""
        return self.weight.value.reshape(len(self.weight.value), -1)
