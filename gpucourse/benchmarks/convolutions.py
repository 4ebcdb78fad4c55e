"""A convolution layer: one thread a result, im2col and a matrix product, and the library's (lesson 12)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from gpucourse.benchmarks.case import Case, Checked, Machine, Sizes, require_close


@dataclass(frozen=True)
class Layer:
    """A layer without dilation on a batch: x (n, channels, side, side), weight (filters, channels, k, k), with bias."""

    n: int
    channels: int
    side: int
    filters: int
    k: int
    stride: int = 1
    padding: int = 0

    @property
    def out(self) -> int:
        """Rows and columns of the output."""
        return (self.side + 2 * self.padding - self.k) // self.stride + 1

    @property
    def flop(self) -> float:
        """Products and sums of one call."""
        return 2.0 * self.n * self.filters * self.out**2 * self.channels * self.k**2

    def __str__(self) -> str:
        how = f"stride {self.stride}, padding {self.padding}"
        return f"{self.n} x {self.channels} x {self.side} x {self.side}, {self.filters} of {self.k} x {self.k}, {how}"


#: A digits network's first layer; the first and an inner layer of ResNet-50 (He et al., 2015).
LAYERS = (Layer(256, 1, 28, 32, 3, padding=1), Layer(64, 3, 224, 64, 7, 2, 3), Layer(64, 64, 56, 64, 3, padding=1))
_REHEARSED = (Layer(2, 3, 9, 4, 3, 2, 1),)
#: Largest error that is let pass, as a share of the largest result: TF32 has 11 significant bits.
TOLERANCE = {"library": 1e-4, "im2col": 1e-4, "one thread a result": 1e-4, "library, TF32": 2e-3}
BLOCK = 128

Prepared = Callable[[Any, Machine, Layer], "tuple[Callable[[], object], Callable[[], Any], Callable[[], object]]"]


def convolution(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Forward passes in float32, from a cold cache, as a share of the library's rate, which is cuDNN's in PyTorch.

    The library may choose the algorithm; it is asked for float32 without TF32, and once with it, PyTorch's default.
    """
    for layer in LAYERS if machine.kind == "gpu" else _REHEARSED:
        for kernel, prepare in RUNGS.items():
            if kernel.startswith("library") and machine.torch is None:
                continue
            setting = partial(_library_setting, machine, kernel)
            yield Case({"kernel": kernel, "layer": str(layer)}, layer.flop, "FLOP",
                       partial(_checked, kernel, prepare, machine, layer), cold=True, setting=setting,
                       share_of="" if kernel == "library" else "library")  # fmt: skip


def _library_setting(machine: Machine, kernel: str) -> AbstractContextManager[object]:
    """cuDNN may try its algorithms once, and may use TF32 only where the rung is about it."""
    if not kernel.startswith("library"):
        return nullcontext()
    flags: AbstractContextManager[object] = machine.torch.backends.cudnn.flags(
        enabled=True, benchmark=True, deterministic=False, allow_tf32=kernel.endswith("TF32"))
    return flags


def _operands(layer: Layer) -> tuple[Any, Any, Any]:
    """x, weight and bias: normal random numbers, float32, on the host."""
    rng = np.random.default_rng(12)
    shapes = ((layer.n, layer.channels, layer.side, layer.side),
              (layer.filters, layer.channels, layer.k, layer.k), (layer.filters,))  # fmt: skip
    x, weight, bias = (rng.standard_normal(shape, np.float32) for shape in shapes)
    return x, weight, bias


def _checked(kernel: str, prepare: Prepared, machine: Machine, layer: Layer) -> Checked:
    operands = _operands(layer)
    call, result, poison = prepare(tuple(map(machine.xp.asarray, operands)), machine, layer)
    seen = sorted({0, layer.n - 1})
    due = _due(layer, *(operands[0][seen], *operands[1:]))

    def check() -> None:
        y = result()
        error = abs(machine.xp.asnumpy(y[seen]) - due).max() if bool(machine.xp.isfinite(y).all()) else np.nan
        require_close(kernel, float(error), float(abs(due).max()), TOLERANCE[kernel])

    return Checked(call, poison, check)


def _due(layer: Layer, x: Any, weight: Any, bias: Any) -> Any:
    """The results for some examples, by NumPy in float64."""
    p, s, k = layer.padding, layer.stride, layer.k
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (p, p), (p, p)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))[:, :, ::s, ::s]
    return np.tensordot(windows, weight, ([1, 4, 5], [1, 2, 3])).transpose(0, 3, 1, 2) + bias[:, None, None]


# --- the rungs: from operands on the device to the call, its result, and what spoils it ------------------


def _direct(operands: Any, machine: Machine, layer: Layer) -> Any:
    """The kernel `conv_forward` of `gpucourse.nn.kernels`."""
    from gpucourse.nn.kernels import RUNGS as KERNELS  # which imports this package

    y = machine.xp.empty((layer.n, layer.filters, layer.out, layer.out), np.float32)
    kernel = KERNELS["conv_forward"].kernel(machine.xp)
    numbers = (layer.n, layer.channels, layer.side, layer.side, layer.filters, layer.k, layer.stride, layer.padding, 1,
               layer.out, layer.out)  # fmt: skip
    arguments = (*operands, y, *map(np.int32, numbers))
    return lambda: kernel((-(-y.size // BLOCK),), (BLOCK,), arguments), lambda: y, lambda: y.fill(np.nan)


def _im2col(operands: Any, machine: Machine, layer: Layer) -> Any:
    """Windows as columns, by one copy for each place in the kernel, then the library's matrix product."""
    from gpucourse.nn.convolution import unfold

    x, weight, bias = operands
    matrix, held = weight.reshape(layer.filters, -1), {}

    def call() -> None:
        columns = unfold(x, layer.k, layer.stride, layer.padding)
        y = machine.xp.matmul(matrix, columns)
        y += bias[:, None]
        held["y"] = y.reshape(layer.n, layer.filters, layer.out, layer.out)

    return call, lambda: held["y"], held.clear


def _library(operands: Any, machine: Machine, layer: Layer) -> Any:
    """PyTorch's own convolution on the same memory."""
    torch, held = machine.torch, {}
    tensors = [torch.from_dlpack(array) for array in operands]

    def call() -> None:
        with torch.no_grad():
            held["y"] = torch.nn.functional.conv2d(*tensors, layer.stride, layer.padding)

    return call, lambda: machine.xp.from_dlpack(held["y"]), held.clear


#: The library first: the others are given as shares of its rate.
RUNGS: dict[str, Prepared] = {
    "library": _library,
    "one thread a result": _direct,
    "im2col": _im2col,
    "library, TF32": _library,
}
