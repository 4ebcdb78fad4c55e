"""Strides and offsets: copies whose lanes skip elements or begin inside a sector (the ladder of lesson 04)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gpucourse.benchmarks.case import Case, Machine, Sizes

SOURCE = r"""
extern "C" __global__
void copy(const float* x, float* out, long long n, int stride, int offset)
{
    long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i < n) {
        out[i * stride + offset] = x[i * stride + offset];
    }
}
"""
STRIDES = (1, 2, 4, 8, 16, 32)  # elements
OFFSETS = (0, 1, 8)
BLOCK = 256


def strided_copy(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Copy every stride-th float of a large array; counted are the bytes that threads ask for, read and written."""
    for stride in STRIDES:
        yield _case(machine, sizes, stride, 0)


def offset_copy(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Copy all floats of a large array from the one at the offset on; bytes as in `strided_copy`."""
    for offset in OFFSETS:
        yield _case(machine, sizes, 1, offset)


def _case(machine: Machine, sizes: Sizes, stride: int, offset: int) -> Case:
    nbytes = machine.past_cache if machine.kind == "gpu" else min(sizes.copy)  # a rehearsal need not be large
    n = threads(nbytes // 4, stride, offset)

    def prepare() -> Callable[[], object]:
        kernel = machine.xp.RawKernel(SOURCE, "copy")
        x = machine.xp.ones(nbytes // 4, np.float32)
        return launch(kernel, x, machine.xp.zeros_like(x), stride, offset)

    return Case({"stride": stride, "offset": offset, "bytes": nbytes}, 2 * 4 * n, "B", prepare)


def launch(kernel: Any, x: Any, out: Any, stride: int, offset: int) -> Callable[[], object]:
    """Return the call that copies x[offset::stride] into the same places of `out`, both float32 of one dimension."""
    n = threads(x.size, stride, offset)
    args = (x, out, np.int64(n), np.int32(stride), np.int32(offset))
    return lambda: kernel((-(-n // BLOCK),), (BLOCK,), args)


def threads(elements: int, stride: int, offset: int) -> int:
    """How many elements x[offset::stride] has, one thread for each."""
    return len(range(offset, elements, stride))
