"""Matrix products by type and size, through NumPy or CuPy and through PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from gpucourse.benchmarks.case import Case, Machine, Sizes


def matrix_product(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Multiply two square matrices: 2 n³ floating-point operations (n³ products, n³ sums)."""
    # NumPy has no fast float16 product: it would time a plain loop
    types = ("float64", "float32") if machine.kind == "cpu" else ("float64", "float32", "float16")
    for dtype in types:
        for n in sizes.matrix:
            prepare = bind_product(machine.xp, dtype, n)
            parameters = {"library": machine.xp.__name__, "type": dtype, "n": n}
            yield Case(parameters, 2.0 * n**3, "FLOP", prepare, series=dtype)


def bind_product(xp: Any, dtype: str, n: int) -> Callable[[], Callable[[], object]]:
    def prepare() -> Callable[[], object]:
        a, b = (xp.full((n, n), value, dtype) for value in (0.5, 0.25))
        out = xp.empty((n, n), dtype)
        return lambda: xp.matmul(a, b, out=out)

    return prepare


# type in the file -> torch's own name, and its setting for float32 products
TORCH_TYPES = {
    "float32": ("float32", "highest"),
    "tf32": ("float32", "high"),
    "float16": ("float16", "highest"),
    "bfloat16": ("bfloat16", "highest"),
}


def matrix_product_torch(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Multiply with PyTorch, which reaches the tensor cores by type: tf32, float16, bfloat16."""
    torch = machine.torch
    if torch is None or machine.kind == "simulator":
        return
    for dtype in TORCH_TYPES if machine.kind == "gpu" else ("float32", "bfloat16"):
        for n in sizes.matrix:
            name, precision = TORCH_TYPES[dtype]
            prepare = _bind_torch_product(torch, "cuda" if machine.kind == "gpu" else "cpu", name, n)
            parameters = {"library": "torch", "type": dtype, "n": n}
            setting = partial(_float32_precision, torch, precision)
            yield Case(parameters, 2.0 * n**3, "FLOP", prepare, series=dtype, setting=setting)


def _bind_torch_product(torch: Any, device: str, dtype: str, n: int) -> Callable[[], Callable[[], object]]:
    def prepare() -> Callable[[], object]:
        a, b = (torch.full((n, n), x, dtype=getattr(torch, dtype), device=device) for x in (0.5, 0.25))
        out = torch.empty_like(a)
        return lambda: torch.matmul(a, b, out=out)

    return prepare


@contextmanager
def _float32_precision(torch: Any, precision: str) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
