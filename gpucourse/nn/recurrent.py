"""Recurrent layers: a cell that is applied hour by hour, or letter by letter, and back-propagation through time.

The weights have PyTorch's names, shapes and order of gates, so that they can be exchanged. A state is a tuple of
arrays (n, size): (h,), or (h, c) for the LSTM.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from gpucourse.nn.activations import Sigmoid
from gpucourse.nn.layer import Array, Layer, Parameter, module_of

State = tuple[Array, ...]


def sigmoid(x: Array) -> Array:
    """Return what the layer of lesson 10 gives."""
    return Sigmoid().forward(x)


class Recurrent(Layer):
    """What RNN, GRU and LSTM share: x (n, steps, inputs) -> h of every step (n, steps, size).

    Each gate has `size` rows in weight_x (gates · size, inputs) and weight_h (gates · size, size), and in bias_x and
    bias_h (gates · size,). All begin between -1/√size and 1/√size, as PyTorch's. `forward(x, state)` goes on from a
    state (default zeros) and leaves the last one in `self.state`; `backward(dy)` stores dL/dstate of the first in
    `self.dstate`.
    """

    gates, arrays = 1, 1   # gates of a cell, arrays of a state

    def __init__(
        self, inputs: int, size: int, rng: np.random.Generator | None = None, xp: ModuleType = np,
        dtype: Any = np.float32,
    ) -> None:
        self.size, self.xp, self.dtype = size, xp, dtype
        rng, bound, rows = rng or np.random.default_rng(), size**-0.5, self.gates * size
        shapes = ((rows, inputs), (rows, size), (rows,), (rows,))
        numbers = [Parameter(xp.asarray(rng.uniform(-bound, bound, shape).astype(dtype))) for shape in shapes]
        self.weight_x, self.weight_h, self.bias_x, self.bias_h = numbers

    def cell(self, a: Array, b: Array, state: State) -> tuple[State, Any]:
        """Return the next state, h first, and what `cell_back` will need.

        `a` = x W_xᵀ + b_x and `b` = h W_hᵀ + b_h, both (n, gates · size).
        """
        raise NotImplementedError

    def cell_back(self, dstate: State, state: State, kept: Any) -> tuple[Array, Array, State]:
        """Return dL/da, dL/db, and dL/dstate as far as it does not come through b."""
        raise NotImplementedError

    def start(self, n: int) -> State:
        """Return a state of zeros for n examples."""
        return tuple(self.xp.zeros((n, self.size), self.dtype) for _ in range(self.arrays))

    def forward(self, x: Array, state: State | None = None) -> Array:
        """Return h of every step, (n, steps, size)."""
        self.x, self.states, self.kept = x, [state or self.start(len(x))], []
        a = x @ self.weight_x.value.T + self.bias_x.value          # all steps at once: the inputs are known
        for step in range(x.shape[1]):
            b = self.states[-1][0] @ self.weight_h.value.T + self.bias_h.value   # the state is not
            state, kept = self.cell(a[:, step], b, self.states[-1])
            self.states.append(state)
            self.kept.append(kept)
        self.state = self.states[-1]
        return module_of(x).stack([state[0] for state in self.states[1:]], axis=1)

    def backward(self, dy: Array) -> Array:
        """Return dL/dx for dL/dy (n, steps, size): from the last step to the first, each adding to all weights."""
        dstate, da = tuple(0 * part for part in self.state), []
        weight_h, bias_h = 0 * self.weight_h.value, 0 * self.bias_h.value
        for step in reversed(range(dy.shape[1])):
            dstate = (dstate[0] + dy[:, step], *dstate[1:])
            da_step, db, before = self.cell_back(dstate, self.states[step], self.kept[step])
            weight_h += db.T @ self.states[step][0]
            bias_h += db.sum(axis=0)
            dstate = (before[0] + db @ self.weight_h.value, *before[1:])
            da.append(da_step)
        self.dstate, self.weight_h.gradient, self.bias_h.gradient = dstate, weight_h, bias_h
        return self._inputs_back(module_of(dy).stack(da[::-1], axis=1))

    def _inputs_back(self, da: Array) -> Array:
        """The linear part, of all steps at once: da (n, steps, gates · size) -> dL/dx (n, steps, inputs)."""
        rows = da.reshape(-1, da.shape[2])
        self.weight_x.gradient = rows.T @ self.x.reshape(-1, self.x.shape[2])
        self.bias_x.gradient = rows.sum(axis=0)
        return da @ self.weight_x.value

    def split(self, rows: Array) -> list[Array]:
        """Return the gates' parts of (n, gates · size), each (n, size)."""
        return [rows[:, k * self.size : (k + 1) * self.size] for k in range(self.gates)]


class RNN(Recurrent):
    """h' = tanh(a + b), where a = x W_xᵀ + b_x and b = h W_hᵀ + b_h (Elman, 1990)."""

    def cell(self, a: Array, b: Array, state: State) -> tuple[State, Any]:
        """One step."""
        h = module_of(a).tanh(a + b)
        return (h,), h

    def cell_back(self, dstate: State, state: State, kept: Any) -> tuple[Array, Array, State]:
        """tanh' = 1 - h²; the state before is reached through b only."""
        da = dstate[0] * (1 - kept * kept)
        return da, da, (0 * da,)


class GRU(Recurrent):
    """h' = (1 - z) n + z h, n = tanh(a_n + r b_n): z keeps the old state, r opens it to the new (Cho and others, 2014).

    Gates in the order r, z, n. As in PyTorch r multiplies b_n, not h.
    """

    gates = 3

    def cell(self, a: Array, b: Array, state: State) -> tuple[State, Any]:
        """One step."""
        (a_r, a_z, a_n), (b_r, b_z, b_n) = self.split(a), self.split(b)
        r, z = sigmoid(a_r + b_r), sigmoid(a_z + b_z)
        n = module_of(a).tanh(a_n + r * b_n)
        return ((1 - z) * n + z * state[0],), (r, z, n, b_n)

    def cell_back(self, dstate: State, state: State, kept: Any) -> tuple[Array, Array, State]:
        """Each factor of a product gets the gradient times the other one."""
        (dh,), (r, z, n, b_n) = dstate, kept
        dn = dh * (1 - z) * (1 - n * n)                 # before the tanh
        dz = dh * (state[0] - n) * z * (1 - z)          # before the sigmoids
        dr = dn * b_n * r * (1 - r)
        join = module_of(dh).concatenate
        return join([dr, dz, dn], axis=1), join([dr, dz, dn * r], axis=1), (dh * z,)


class LSTM(Recurrent):
    """c' = f c + i g, h' = o tanh(c'): the memory c is added to, not replaced (Hochreiter and Schmidhuber, 1997).

    Gates in the order i (write), f (keep), g (what), o (show).
    """

    gates, arrays = 4, 2

    def cell(self, a: Array, b: Array, state: State) -> tuple[State, Any]:
        """One step."""
        i, f, g, o = self.split(a + b)
        i, f, g, o = sigmoid(i), sigmoid(f), module_of(a).tanh(g), sigmoid(o)
        c = f * state[1] + i * g
        shown = module_of(c).tanh(c)
        return (o * shown, c), (i, f, g, o, shown)

    def cell_back(self, dstate: State, state: State, kept: Any) -> tuple[Array, Array, State]:
        """Along c the gradient is only multiplied by f: this is what carries it far."""
        (dh, dc), (i, f, g, o, shown) = dstate, kept
        dc = dc + dh * o * (1 - shown * shown)
        gates = [dc * g * i * (1 - i), dc * state[1] * f * (1 - f), dc * i * (1 - g * g), dh * shown * o * (1 - o)]
        da = module_of(dh).concatenate(gates, axis=1)
        return da, da, (0 * dh, dc * f)
