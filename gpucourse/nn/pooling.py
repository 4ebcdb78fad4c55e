"""Pooling: one number for each window of a picture; and the layer that lays a picture out flat."""

from __future__ import annotations

from gpucourse.nn.convolution import fold, output_size, unfold
from gpucourse.nn.layer import Array, Layer, module_of


class _Pool(Layer):
    """Windows of `kernel` x `kernel`, `stride` apart (default: side by side); the rest is dropped."""

    def __init__(self, kernel: int, stride: int | None = None) -> None:
        self.kernel, self.stride = kernel, stride or kernel

    def _windows(self, x: Array) -> Array:
        """The windows of x (n, c, h, w): (n, c, kernel², places); keeps what `_back` needs."""
        self.shape = x.shape
        n, c, h, w = x.shape
        self.out = (n, c, *(output_size(size, self.kernel, self.stride) for size in (h, w)))
        return unfold(x, self.kernel, self.stride).reshape(n, c, self.kernel**2, -1)

    def _back(self, windows: Array) -> Array:
        """The gradient of x for that of its windows."""
        return fold(windows, self.shape, self.kernel, self.stride)


class MaxPool2d(_Pool):
    """y = the largest number of each window; its gradient goes to that number alone (the first, if several are)."""

    def forward(self, x: Array) -> Array:
        """Return y (n, c, h_out, w_out)."""
        windows = self._windows(x)
        self.at = windows.argmax(axis=2)[:, :, None]
        return module_of(x).take_along_axis(windows, self.at, axis=2).reshape(self.out)

    def backward(self, dy: Array) -> Array:
        """Return dL/dx, of x's shape."""
        xp = module_of(dy)
        chosen = xp.arange(self.kernel**2)[:, None] == self.at        # (n, c, kernel², places)
        return self._back(chosen * dy.reshape(*self.out[:2], 1, -1))


class AvgPool2d(_Pool):
    """y = the mean of each window; each of its numbers gets an equal share of the gradient."""

    def forward(self, x: Array) -> Array:
        """Return y (n, c, h_out, w_out)."""
        return self._windows(x).mean(axis=2).reshape(self.out)

    def backward(self, dy: Array) -> Array:
        """Return dL/dx, of x's shape."""
        n, c = self.out[:2]
        share = dy.reshape(n, c, 1, -1) / self.kernel**2
        return self._back(module_of(dy).repeat(share, self.kernel**2, axis=2))


class Flatten(Layer):
    """(n, c, h, w) becomes (n, c · h · w)."""

    def forward(self, x: Array) -> Array:
        """Return x with one axis for each example."""
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy: Array) -> Array:
        """Return dy in x's shape."""
        return dy.reshape(self.shape)
