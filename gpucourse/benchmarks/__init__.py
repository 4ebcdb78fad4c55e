"""The tables of measurements: what `python -m gpucourse measure` times on a GPU, on a CPU, and by ladder.

A new measurement is a function of a few lines in one of the modules here, and a row below.
"""

from __future__ import annotations

from gpucourse.benchmarks.case import Benchmark
from gpucourse.benchmarks.convolutions import convolution
from gpucourse.benchmarks.launches import asynchrony, launch, queue_depth
from gpucourse.benchmarks.matmuls import matmul
from gpucourse.benchmarks.memory import allocation, copy, copy_threads, transfer
from gpucourse.benchmarks.photo import (
    photo_arrays,
    photo_fused,
    photo_loop,
    photo_threads,
    photo_with_transfers,
)
from gpucourse.benchmarks.products import matrix_product, matrix_product_torch
from gpucourse.benchmarks.recurrent_layers import recurrent
from gpucourse.benchmarks.reductions import reduction
from gpucourse.benchmarks.softmaxes import softmax
from gpucourse.benchmarks.spectrograms import mel_spectrograms
from gpucourse.benchmarks.strides import offset_copy, strided_copy
from gpucourse.benchmarks.training import training_ladder
from gpucourse.benchmarks.transposes import transpose
from gpucourse.errors import NotBuiltYet

GPU: dict[str, Benchmark] = {
    "copy": copy,
    "transfer": transfer,
    "matrix product": matrix_product,
    "matrix product, torch": matrix_product_torch,
    "launch": launch,
    "queue depth": queue_depth,
    "allocation": allocation,
    "asynchrony": asynchrony,
    "photo": photo_arrays,
    "photo, with transfers": photo_with_transfers,
    "photo, one kernel": photo_fused,
}
CPU: dict[str, Benchmark] = {
    "copy": copy,
    "copy, all cores": copy_threads,
    "matrix product": matrix_product,
    "matrix product, torch": matrix_product_torch,
    "photo, loop": photo_loop,
    "photo": photo_arrays,
    "photo, all cores": photo_threads,
}
# a lesson's own ladder of kernels or training steps, asked for with --ladder NAME
LADDERS: dict[str, dict[str, Benchmark]] = {
    "coalescing": {"strided copy": strided_copy, "offset copy": offset_copy},
    "transpose": {"transpose": transpose},
    "reduction": {"reduction": reduction},
    "softmax": {"softmax": softmax},
    "matmul": {"matmul": matmul},
    "convolution": {"convolution": convolution},
    "training": {"training": training_ladder},
    "recurrent": {"recurrent": recurrent},
    "sound": {"sound": mel_spectrograms},
}


def table(kind: str, ladder: str | None) -> dict[str, Benchmark]:
    """Return the benchmarks for a kind of machine, or of a ladder. Raises NotBuiltYet if it is unknown."""
    if ladder is None:
        return CPU if kind == "cpu" else GPU
    if ladder not in LADDERS:
        known = ", ".join(sorted(LADDERS)) or "none yet"
        raise NotBuiltYet(f"there is no ladder {ladder!r} in this version of the course; it has: {known}")
    return LADDERS[ladder]
