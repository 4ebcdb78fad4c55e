"""Checks a gradient by finite differences: nudge each number a little and see what the loss does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gpucourse.nn.layer import Array


def finite_difference(loss: Callable[[], float], at: Array, step: float = 1e-5) -> Array:
    """Return dL/da for each element a of `at`, of its shape: (L(a + step) - L(a - step)) / (2 step).

    `loss` takes no arguments and reads `at`, which is changed in place and put back. Use float64: the error of the
    formula grows with step², that of rounding with 1/step; 1e-5 lies between for numbers near 1.
    """
    gradient = at * 0
    for index in np.ndindex(at.shape):
        before = float(at[index])
        at[index] = before + step
        above = loss()
        at[index] = before - step
        gradient[index] = (above - loss()) / (2 * step)
        at[index] = before
    return gradient


def gradient_error(computed: Array, checked: Array) -> float:
    """Return the largest difference of two gradients, relative to the largest element of either (0.0 to 2.0)."""
    scale = max(float(abs(computed).max()), float(abs(checked).max()))
    return float(abs(computed - checked).max()) / scale if scale else 0.0
