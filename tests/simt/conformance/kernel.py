"""What a conformance kernel is: source, launch, arguments and an oracle, as data that several engines run.

An array argument that `expected` does not name must come back unchanged, so a stray write shows.
Inputs end in a tail of poison (huge numbers, NaN, extreme integers) and outputs are poison altogether:
a missing guard changes a result, or the tail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Arguments = list[Any]

TAIL = 7  # elements of poison after the last one that a kernel may touch


@dataclass(frozen=True)
class Kernel:
    """One kernel, one launch, one oracle.

    `arguments(rng)` gives NumPy arrays (device buffers, 1-D), NumPy scalars and, for a struct by value,
    an `np.void` scalar of an aligned dtype. `expected(arguments)` gives the arrays after the launch by
    argument index, from an independent formula. `rtol` and `atol` of 0 mean bit-equal (NaN equals NaN);
    otherwise `reason` says where the difference comes from. `constants` are the symbols set from the host.
    `printed(arguments)` lists the lines of device printf, in any order. `fault` is part of the message of
    the error that must stop the launch. `skip` maps an engine ("simulator", "gpu", "cpu") to the reason why
    that engine cannot run the kernel even in principle.
    """

    name: str
    source: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    arguments: Callable[[np.random.Generator], Arguments]
    expected: Callable[[Arguments], dict[int, Array]]
    entry: str = ""
    shared_bytes: int = 0
    rtol: float = 0.0
    atol: float = 0.0
    reason: str = ""
    options: tuple[str, ...] = ()
    name_expressions: tuple[str, ...] = ()
    constants: Mapping[str, Array] = field(default_factory=dict)
    printed: Callable[[Arguments], list[str]] | None = None
    fault: str = ""
    skip: Mapping[str, str] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not self.entry:
            object.__setattr__(self, "entry", self.name)
        if (self.rtol or self.atol) and not self.reason:
            raise ValueError(f"{self.name}: a tolerance needs its reason")

    @property
    def threads(self) -> int:
        """Number of threads of the launch."""
        return int(np.prod(self.grid) * np.prod(self.block))


def seeded(kernel: Kernel) -> Arguments:
    """The kernel's arguments, the same on every machine and in every run."""
    return kernel.arguments(np.random.default_rng(sum(kernel.name.encode())))


# --- buffers -----------------------------------------------------------------------------------------


def poison(count: int, dtype: Any) -> Array:
    """`count` values that no right result has: huge numbers and NaN in turn, or an extreme integer."""
    kind = np.dtype(dtype).kind
    if kind in "fc":
        return np.resize(np.array([_huge(dtype), np.nan], dtype), count)
    return np.full(count, np.iinfo(dtype).max - 1 if kind in "iu" else 0, dtype)


def _huge(dtype: Any) -> float:
    return -6e4 if np.dtype(dtype) == np.float16 else -1e30


def padded(values: ArrayLike, dtype: Any = np.float32, tail: int = TAIL) -> Array:
    """A 1-D input buffer: `values` in row-major order, then `tail` elements of poison."""
    return np.concatenate([np.asarray(values, dtype).ravel(), poison(tail, dtype)])


def blank(count: int, dtype: Any = np.float32, tail: int = TAIL) -> Array:
    """A 1-D output buffer of `count` + `tail` elements, all poison."""
    return poison(count + tail, dtype)


def written(before: Array, values: ArrayLike) -> Array:
    """`before` with its first elements replaced by `values` (row-major): the tail must survive."""
    after = before.copy()
    flat = np.asarray(values).ravel()
    after[: flat.size] = flat.astype(after.dtype)
    return after


def body(buffer: Array, *shape: int) -> Array:
    """The first elements of an argument as an array of `shape`, floating values in double precision."""
    values = buffer[: int(np.prod(shape))].reshape(shape)
    wide = {"f": np.float64, "c": np.complex128}.get(buffer.dtype.kind)
    return values.astype(wide) if wide else values


# --- judging -----------------------------------------------------------------------------------------


def compare(kernel: Kernel, after: Arguments, printed: str = "") -> None:
    """Raise AssertionError when the arrays after a launch, or the text it printed, are not the oracle's."""
    before = seeded(kernel)
    wanted = kernel.expected(seeded(kernel))
    for index, value in enumerate(before):
        if isinstance(value, np.ndarray):
            _same(kernel, index, after[index], wanted.get(index, value), exact=index not in wanted)
    if kernel.printed is not None:
        assert sorted(printed.splitlines()) == sorted(kernel.printed(before)), f"{kernel.name}: printed text"


def _same(kernel: Kernel, index: int, got: Array, wanted: Array, exact: bool) -> None:
    message = f"{kernel.name}: argument {index}" + (" was not to be written" if exact else "")
    if exact or not (kernel.rtol or kernel.atol) or got.dtype.kind not in "fc":
        np.testing.assert_array_equal(got, wanted, message)
    else:
        np.testing.assert_allclose(got, wanted, kernel.rtol, kernel.atol, err_msg=message)
