"""`cp.linalg`: NumPy's linear algebra on device arrays, under CuPy's signatures."""

from __future__ import annotations

from typing import Any

import numpy as np

from .delegate import device_function, has

_NAMES = "cholesky cond cross det eig eigh eigvals eigvalsh inv lstsq matmul matrix_power matrix_rank " \
    "matrix_transpose norm pinv qr slogdet solve svd tensorinv tensorsolve"  # fmt: skip
LinAlgError = np.linalg.LinAlgError


def _names() -> list[str]:
    return [name for name in _NAMES.split() if hasattr(np.linalg, name) and has(f"linalg.{name}")]


__all__ = ["LinAlgError", *_names()]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'cupy.linalg' has no attribute {name!r}")
    made = globals()[name] = device_function(f"linalg.{name}", getattr(np.linalg, name))
    return made


def __dir__() -> list[str]:
    return __all__
