"""What may stand between square brackets: CuPy's rules, where integer arrays wrap round instead of failing."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import counters

_NOT_AN_INDEX = (
    "only integers, slices (`:`), ellipsis (`...`),numpy.newaxis (`None`) and integer or boolean arrays are "
    "valid indices"
)


@dataclass
class Index:
    """A key that NumPy takes, and what using it costs on a device."""

    key: tuple[Any, ...]
    masks: int  # boolean arrays: the device must first tell the host how many elements are True
    integers: int  # integer arrays

    @property
    def advanced(self) -> bool:
        """True where the result is a copy, False where it is a view."""
        return self.masks + self.integers > 0

    def count_reads(self) -> None:
        """Count the kernels of a read: one take, or one step for each of several index arrays."""
        self._count_masks()
        counters.launch(1 if self.masks + self.integers == 1 else 1 + self.masks + self.integers)

    count_writes = count_reads

    def _count_masks(self) -> None:
        for _ in range(self.masks):
            counters.launch()  # the scan over the mask
            counters.to_host(4)  # its last element, an int32


def prepare(shape: tuple[int, ...], slices: Any) -> Index:
    """Return the key for an array of `shape`; raise IndexError, in CuPy's words, for what is no index."""
    items = [_item(each) for each in (slices if isinstance(slices, tuple) else (slices,))]
    axes = [_axes(each) for each in items]
    ellipses = sum(1 for each in items if each is Ellipsis)
    if ellipses > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if sum(axes) > len(shape):
        raise IndexError(
            f"too many indices for array: array is {len(shape)}-dimensional, but {sum(axes)} were indexed"
        )
    position = 0
    for i, each in enumerate(items):
        items[i] = _fit(each, shape, position)
        position += len(shape) - sum(axes) if each is Ellipsis else axes[i]
    arrays = [each for each in items if isinstance(each, np.ndarray)]
    masks = sum(1 for each in arrays if each.dtype == bool)
    return Index(tuple(items), masks, len(arrays) - masks)


def _item(each: Any) -> Any:
    """Return one index as a slice, None, Ellipsis, an int or a NumPy array."""
    from .array import ndarray

    if each is None or each is Ellipsis or isinstance(each, slice):
        return each
    if isinstance(each, ndarray):
        return _checked(each._host)
    if isinstance(each, (bool, np.bool_)):
        return np.asarray(each)
    if isinstance(each, (list, tuple, np.ndarray)):
        return _checked(_sent(each))
    try:
        return operator.index(each)
    except TypeError:
        raise IndexError(_NOT_AN_INDEX) from None


def _sent(each: Any) -> np.ndarray:
    """Return a list or a NumPy array of indices, which travels to the device first."""
    from .array import array

    host = array(each)._host
    return host.astype(np.int32) if isinstance(each, (list, tuple)) and not host.size else host


def _checked(host: np.ndarray) -> np.ndarray:
    if host.dtype.kind not in "biu":
        raise IndexError(f"arrays used as indices must be of integer or boolean type. (actual: {host.dtype.type})")
    return host


def _axes(each: Any) -> int:
    """Return how many axes of the array one index uses up."""
    if each is None or each is Ellipsis:
        return 0
    return each.ndim if isinstance(each, np.ndarray) and each.dtype == bool else 1


def _fit(each: Any, shape: tuple[int, ...], axis: int) -> Any:
    """Check an integer's and a mask's bounds; wrap an integer array round its axis."""
    if isinstance(each, int) and not -shape[axis] <= each < shape[axis]:
        raise IndexError(f"Index {each} is out of bounds for axis {axis} with size {shape[axis]}")
    if not isinstance(each, np.ndarray):
        return each
    if each.dtype == bool:
        return _fit_mask(each, shape, axis)
    return each % np.int64(shape[axis]) if shape[axis] else each


def _fit_mask(mask: np.ndarray, shape: tuple[int, ...], axis: int) -> np.ndarray:
    for i, length in enumerate(mask.shape):
        if length not in (0, shape[axis + i]):
            raise IndexError(
                f"boolean index did not match indexed array along dimension {axis + i}; dimension is "
                f"{shape[axis + i]} but corresponding boolean dimension is {length}"
            )
    return mask
