"""Our own CUDA kernels behind PyTorch's autograd: convolution, softmax cross-entropy, and Adam as one kernel.

Tensors and arrays share their memory by DLPack; nothing is copied. With a GPU the tensors lie on it; without one they
lie on the CPU and the kernels run on the simulator. Types: float32 and float64.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from gpucourse import backend
from gpucourse.errors import CourseError
from gpucourse.nn.convolution import output_size
from gpucourse.nn.kernels import BLOCK, made, number

Tensor = torch.Tensor
_TYPES = {torch.float32: "float32", torch.float64: "float64"}
_MOST_BLOCKS = 4096


def conv2d(
    x: Tensor, weight: Tensor, bias: Tensor, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Tensor:
    """Return what `torch.nn.functional.conv2d` returns, from our own kernels, gradients included.

    x (n, channels, h, w), weight (filters, channels, k, k), bias (filters,) -> (n, filters, h_out, w_out).
    Raises CourseError for other shapes, types, or tensors where the kernels do not run.
    """
    if x.ndim != 4 or weight.ndim != 4 or weight.shape[2] != weight.shape[3]:
        raise CourseError(f"conv2d takes x (n, c, h, w) and weight (filters, c, k, k); it got {_shapes(x, weight)}")
    if x.shape[1] != weight.shape[1] or bias.shape != weight.shape[:1]:
        raise CourseError(f"conv2d: the channels of x and weight, and the filters of weight and bias, must agree; "
                          f"it got {_shapes(x, weight, bias)}")  # fmt: skip
    _require_fit(x, weight, bias)
    result: Tensor = _Conv2d.apply(x, weight, bias, stride, padding, dilation)
    return result


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return what `torch.nn.functional.cross_entropy` returns: logits (n, classes), labels int64 (n,) -> a number.

    One kernel makes the loss and its gradient. Raises CourseError for other shapes, types or places.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or labels.dtype != torch.int64:
        raise CourseError(f"cross_entropy takes logits (n, classes) and int64 labels (n,); it got "
                          f"{_shapes(logits, labels)}, labels {labels.dtype}")  # fmt: skip
    _require_fit(logits)
    result: Tensor = _CrossEntropy.apply(logits, labels)
    return result


class FusedAdam(torch.optim.Optimizer):
    """Adam, as `torch.optim.Adam`, one launch of one kernel for each parameter; contiguous tensors only."""

    def __init__(
        self, params: Iterable[Any], lr: float = 0.001, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Change every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._update(p, group)
        return loss

    def _update(self, p: Tensor, group: dict[str, Any]) -> None:
        _require_fit(p)
        if not p.is_contiguous():
            raise CourseError(f"FusedAdam takes contiguous parameters; one of shape {tuple(p.shape)} is not")
        state = self.state[p]
        if not state:
            state.update(step=0, mean=torch.zeros_like(p), square=torch.zeros_like(p))
        state["step"] += 1
        dtype, (b1, b2) = _TYPES[p.dtype], group["betas"]
        numbers = (group["lr"], b1, b2, group["eps"], group["weight_decay"], 1 - b1 ** state["step"],
                   1 - b2 ** state["step"])  # fmt: skip
        arrays = [_array(t) for t in (p, p.grad.contiguous(), state["mean"], state["square"])]
        _launch("fused_adam", dtype, min(-(-p.numel() // BLOCK), _MOST_BLOCKS),
                (*arrays, np.int64(p.numel()), *(number(value, dtype) for value in numbers)))  # fmt: skip


class _Conv2d(torch.autograd.Function):
    """Convolution and its gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, *how: int) -> Tensor:
        x, weight, bias = (t.contiguous() for t in (x, weight, bias))
        ctx.save_for_backward(x, weight)
        ctx.sizes = _sizes(x, weight, *how)
        y = x.new_empty((x.shape[0], weight.shape[0], *ctx.sizes[-2:]))
        _convolve("conv_forward", y.numel(), (x, weight, bias, y), ctx.sizes)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        dy = dy.contiguous()
        dx, dw, db = (None, None, None)
        if ctx.needs_input_grad[0]:
            dx = torch.empty_like(x)
            _convolve("conv_input_gradient", dx.numel(), (dy, weight, dx), ctx.sizes)
        if ctx.needs_input_grad[1]:
            dw = torch.empty_like(weight)
            _convolve("conv_weight_gradient", dw.numel() * BLOCK, (x, dy, dw), ctx.sizes)
        if ctx.needs_input_grad[2]:
            db = dy.sum(dim=(0, 2, 3))
        return dx, dw, db, None, None, None


class _CrossEntropy(torch.autograd.Function):
    """The mean loss of a batch; its gradient is computed along with it."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> Tensor:
        rows, classes = logits.shape
        loss, gradient = logits.new_zeros(rows), logits.new_empty(logits.shape)
        arrays = [_array(t) for t in (logits.contiguous(), labels.contiguous(), loss, gradient)]
        blocks = -(-rows // (BLOCK // 32))
        _launch("cross_entropy", _TYPES[logits.dtype], blocks, (*arrays, np.int32(rows), np.int32(classes)))
        ctx.save_for_backward(gradient)
        return loss.sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return upstream * gradient, None


def _sizes(x: Tensor, weight: Tensor, stride: int, padding: int, dilation: int) -> tuple[int, ...]:
    """The numbers that all three kernels of a convolution take, in their order."""
    n, channels, h, w = x.shape
    filters, _, k, _ = weight.shape
    high, wide = (output_size(size, k, stride, padding, dilation) for size in (h, w))
    return n, channels, h, w, filters, k, stride, padding, dilation, high, wide


def _convolve(name: str, threads: int, tensors: Iterable[Tensor], sizes: tuple[int, ...]) -> None:
    tensors = list(tensors)
    arguments = (*(_array(t) for t in tensors), *(np.int32(size) for size in sizes))
    _launch(name, _TYPES[tensors[0].dtype], -(-threads // BLOCK), arguments)


def _launch(name: str, dtype: str, blocks: int, arguments: tuple[Any, ...]) -> None:
    if blocks:                                            # no launch for an empty batch
        made(name, dtype, backend.array_module())((blocks,), (BLOCK,), arguments)


def _array(tensor: Tensor) -> Any:
    """The tensor's own memory as an array of `cp`."""
    return backend.array_module().from_dlpack(tensor.detach())


def _require_fit(*tensors: Tensor) -> None:
    """Raise CourseError unless the tensors have one of the types, all the same, and lie where kernels run."""
    place = "cuda" if backend.choose().name == "cupy" else "cpu"
    for tensor in tensors:
        if tensor.dtype not in _TYPES or tensor.dtype != tensors[0].dtype:
            raise CourseError(f"our kernels take float32 or float64, all alike; they got "
                              f"{', '.join(str(t.dtype) for t in tensors)}")  # fmt: skip
        if tensor.device.type != place:
            raise CourseError(f"our kernels run on {place!r} here, and a tensor of shape {tuple(tensor.shape)} lies "
                              f"on {tensor.device.type!r}: move it with .to({place!r})")  # fmt: skip


def _shapes(*tensors: Tensor) -> str:
    return ", ".join(str(tuple(t.shape)) for t in tensors)
