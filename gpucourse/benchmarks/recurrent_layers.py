"""A recurrent layer's forward pass: a loop of array code, of PyTorch's cell, one launch, and the library's (lesson 16).

All are given the same inputs and weights. The library is PyTorch, which calls cuDNN on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from gpucourse.benchmarks.case import FULL, Case, Checked, Machine, NotHere, Sizes
from gpucourse.benchmarks.results import checked, pytorch

TOLERANCE = 1e-4    # of the largest state, which is below 1


@dataclass(frozen=True)
class Layer:
    """n examples of so many steps, each step so many inputs; a state of `size` numbers."""

    n: int
    steps: int
    inputs: int
    size: int

    def __str__(self) -> str:
        return f"{self.n} x {self.steps} steps, {self.inputs} to {self.size}"


#: Lesson 16's forecaster, its model of text, and one whose weights, 1 MB, no block's shared memory holds.
LAYERS = (Layer(64, 48, 5, 32), Layer(64, 200, 32, 128), Layer(64, 200, 128, 512))
_REHEARSED = (Layer(3, 4, 2, 5),)

Forward = Callable[[Any], Any]


@dataclass(frozen=True)
class Rung:
    """Which layer of `gpucourse.nn.recurrent` it computes, and how: its cell on a machine -> x -> h of all steps."""

    cell: str
    forward: Callable[[Machine, Any], Forward]


def recurrent(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Forward passes in float32 without TF32, as shares of the rate of array code; a step is one example's."""
    layers = LAYERS if machine.kind != "simulator" else _REHEARSED
    for layer in layers if sizes.repeat >= FULL.repeat else layers[:2]:
        for kernel in RUNGS:
            yield Case({"kernel": kernel, "layer": str(layer)}, layer.n * layer.steps, "step",
                       partial(_checked, kernel, machine, layer), setting=partial(_without_tf32, machine),
                       share_of="" if kernel == "array code" else "array code")  # fmt: skip


def _without_tf32(machine: Machine) -> AbstractContextManager[object]:
    if machine.torch is None:
        return nullcontext()
    flags: AbstractContextManager[object] = machine.torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=False, allow_tf32=False)
    return flags


def _operands(cell: str, layer: Layer, xp: Any, dtype: str = "float32") -> tuple[Any, Any]:
    """The layer with its weights and x (n, steps, inputs), the same numbers for every module and type."""
    from gpucourse.nn import recurrent as cells  # which imports this package

    rng = np.random.default_rng(16)
    made = getattr(cells, cell)(layer.inputs, layer.size, rng, xp, np.dtype(dtype).type)
    return made, xp.asarray(rng.standard_normal((layer.n, layer.steps, layer.inputs)).astype(dtype))


def _checked(kernel: str, machine: Machine, layer: Layer) -> Checked:
    rung, seen = RUNGS[kernel], sorted({0, layer.n - 1})
    cell, x = _operands(rung.cell, layer, machine.xp)
    forward = rung.forward(machine, cell)
    exact, numbers = _operands(rung.cell, layer, np, "float64")
    return checked(kernel, machine, lambda: forward(x), seen, exact.forward(numbers[seen]), TOLERANCE)


# --- the rungs: from the cell on the machine to the forward pass -------------------------------------------


def _array_code(machine: Machine, cell: Any) -> Forward:
    """Each step is a matrix product and a few launches, from Python."""
    forward: Forward = cell.forward
    return forward


def _torch_cell(machine: Machine, cell: Any) -> Forward:
    """The same loop in PyTorch; its cell does more in a launch."""
    torch = pytorch(machine)
    module = _with_weights(machine, torch.nn.RNNCell, cell, "")

    def forward(x: Any) -> Any:
        states, h = [], None
        with torch.inference_mode():
            for step in torch.from_dlpack(x).unbind(1):
                h = module(step, h)
                states.append(h)
            return torch.stack(states, 1)

    return forward


def _own_kernel(machine: Machine, cell: Any) -> Forward:
    """What the inputs contribute is one matrix product for all steps; the rest is one launch."""
    from gpucourse.nn.recurrent_kernels import rnn_forward  # which imports this package

    if machine.kind == "cpu":
        raise NotHere("this rung needs a GPU")
    weight_x, weight_h, bias = cell.weight_x.value, cell.weight_h.value, cell.bias_x.value + cell.bias_h.value
    return lambda x: rnn_forward(x @ weight_x.T + bias, weight_h, cell.start(len(x))[0])


def _library(machine: Machine, cell: Any) -> Forward:
    """All steps in one call: cuDNN's on a GPU."""
    torch = pytorch(machine)
    module = _with_weights(machine, partial(getattr(torch.nn, type(cell).__name__), batch_first=True), cell, "_l0")

    def forward(x: Any) -> Any:
        with torch.inference_mode():
            return module(torch.from_dlpack(x))[0]

    return forward


def _with_weights(machine: Machine, make: Callable[..., Any], cell: Any, suffix: str) -> Any:
    """PyTorch's module with the cell's weights, which have PyTorch's shapes and order."""
    torch = pytorch(machine)
    weights = {"weight_ih": cell.weight_x, "weight_hh": cell.weight_h, "bias_ih": cell.bias_x, "bias_hh": cell.bias_h}
    tensors = {name + suffix: torch.from_dlpack(parameter.value) for name, parameter in weights.items()}
    inputs = cell.weight_x.value.shape[1]
    module = make(inputs, cell.size, device=tensors[f"bias_ih{suffix}"].device)
    module.load_state_dict(tensors)
    return module


#: Array code first: the others are given as shares of its rate.
RUNGS = {
    "array code": Rung("RNN", _array_code),
    "PyTorch's cell": Rung("RNN", _torch_cell),
    "own kernel": Rung("RNN", _own_kernel),
    "torch.nn.RNN": Rung("RNN", _library),
    "torch.nn.GRU": Rung("GRU", _library),
    "torch.nn.LSTM": Rung("LSTM", _library),
}
