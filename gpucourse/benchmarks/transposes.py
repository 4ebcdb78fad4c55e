"""Transposes of a large matrix: straight, through a tile, a padded one; beside a copy (the ladder of lesson 05)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isqrt
from typing import Any

import numpy as np

from gpucourse.benchmarks.case import Case, Machine, Sizes

T = 32
_SOURCE = r"""
#define T 32
extern "C" __global__
void move(const float* image, float* out, int side)
{
    __shared__ float tile[T][T + PADDING];
    int column = blockIdx.x * T + threadIdx.x;
    int row = blockIdx.y * T + threadIdx.y;
    float v = image[row * side + column];
    BODY
}
"""
_STRAIGHT = "out[column * side + row] = v;"
_TILE = """tile[threadIdx.y][threadIdx.x] = v;
    __syncthreads();
    int out_column = blockIdx.y * T + threadIdx.x;
    int out_row = blockIdx.x * T + threadIdx.y;
    out[out_row * side + out_column] = tile[threadIdx.x][threadIdx.y];"""
#: Rung -> (padding of the tile, what is done with the element `v`).
RUNGS = {
    "copy": (0, "out[row * side + column] = v;"),
    "straight": (0, _STRAIGHT),
    "tile": (0, _TILE),
    "padded tile": (1, _TILE),
}


def source(rung: str) -> str:
    """Return the CUDA C of a rung; its kernel is named `move`."""
    padding, body = RUNGS[rung]
    return _SOURCE.replace("PADDING", str(padding)).replace("BODY", body)


def transpose(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Transpose (in one rung: copy) a square matrix of floats; each byte counts once read and once written."""
    nbytes = machine.past_cache if machine.kind == "gpu" else min(sizes.copy)  # a rehearsal need not be large
    side = isqrt(nbytes // 4) // T * T
    for rung in RUNGS:
        yield Case({"kernel": rung, "side": side}, 2 * 4 * side * side, "B", _prepared(machine.xp, rung, side))


def _prepared(xp: Any, rung: str, side: int) -> Callable[[], Callable[[], object]]:
    def prepare() -> Callable[[], object]:
        image = xp.ones((side, side), np.float32)
        return launch(xp.RawKernel(source(rung), "move"), image, xp.zeros_like(image))

    return prepare


def launch(kernel: Any, image: Any, out: Any) -> Callable[[], object]:
    """Return the call that moves `image` to `out`, both float32 of shape (side, side), side a multiple of 32."""
    side = image.shape[0]
    return lambda: kernel((side // T, side // T), (T, T), (image, out, np.int32(side)))
