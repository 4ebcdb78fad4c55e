"""How an array reaches a generated kernel: its memory, its shape and strides, with neighboring axes merged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .carray import type_name


@dataclass(frozen=True)
class Layout:
    """An array argument: `host` is its memory; `shape` and `strides` (bytes) are those that the kernel sees."""

    host: np.ndarray
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def c_contiguous(self) -> bool:
        """Whether the elements follow each other in C order."""
        expected = self.host.dtype.itemsize
        for length, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if length != 1 and stride != expected:
                return False
            expected *= length
        return True

    @property
    def narrow(self) -> bool:
        """Whether 32 bits hold every offset."""
        reach = sum((n - 1) * abs(s) for n, s in zip(self.shape, self.strides, strict=True))
        return reach + self.host.dtype.itemsize < 1 << 31

    @property
    def c_type(self) -> str:
        """Its type in the generated source."""
        flags = f"{len(self.shape)}, {int(self.c_contiguous)}, {int(self.narrow)}"
        return f"CArray<{type_name(self.host.dtype)}, {flags}>"

    def meta(self) -> np.void:
        """Its `_CShape`: size, shape and strides as 64-bit integers."""
        return packed(self.shape, self.strides)


def packed(shape: tuple[int, ...], strides: tuple[int, ...]) -> np.void:
    """Return a `_CShape` of the generated source, by value."""
    return np.void(np.array([math.prod(shape), *shape, *strides], np.int64).tobytes())


def layout(host: np.ndarray, shape: tuple[int, ...] | None = None) -> Layout:
    """Return the layout of an array, broadcast to `shape`; the memory stays the array's own."""
    seen = host if shape is None else np.broadcast_to(host, shape)
    return Layout(host, seen.shape, seen.strides)


def merge_axes(arrays: list[Layout], shape: tuple[int, ...]) -> tuple[list[Layout], tuple[int, ...]]:
    """Return the arrays, all of `shape`, with as few axes as their strides allow: one where all are contiguous."""
    if len(shape) < 2 or not arrays:
        return arrays, shape
    if all(each.c_contiguous for each in arrays):
        size = math.prod(shape)
        return [Layout(each.host, (size,), (each.host.dtype.itemsize,)) for each in arrays], (size,)
    groups = _groups(arrays, shape)
    merged = tuple(math.prod(shape[axis] for axis in group) for group in groups)
    return [Layout(a.host, merged, tuple(a.strides[group[-1]] for group in groups)) for a in arrays], merged


def _groups(arrays: list[Layout], shape: tuple[int, ...]) -> list[list[int]]:
    """Axes longer than 1, those together that every array walks in one stride."""
    groups: list[list[int]] = []
    for axis in (axis for axis, length in enumerate(shape) if length != 1):
        if groups and all(a.strides[groups[-1][-1]] == a.strides[axis] * shape[axis] for a in arrays):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups


def key(value: Any) -> tuple[Any, ...]:
    """What of an argument the generated source depends on."""
    return (value.c_type,) if isinstance(value, Layout) else (value.dtype,)
