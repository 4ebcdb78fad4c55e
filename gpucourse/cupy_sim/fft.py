"""`cp.fft`: NumPy's Fourier transforms on device arrays; single precision stays single, as with CuPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from .delegate import device_function

_TRANSFORMS = "fft ifft fft2 ifft2 fftn ifftn rfft irfft rfft2 irfft2 rfftn irfftn hfft ihfft"
_PLAIN = "fftshift ifftshift"
_FREQUENCIES = "fftfreq rfftfreq"
__all__ = [*_TRANSFORMS.split(), *_PLAIN.split(), *_FREQUENCIES.split()]


def _in_precision(name: str) -> Any:
    """cuFFT computes float32 in float32; NumPy 2 does so too, and takes float16 and integers to double."""
    function = getattr(np.fft, name)

    def transform(a: Any, *args: Any, **kwargs: Any) -> Any:
        return function(a.astype(np.float32) if a.dtype == np.float16 else a, *args, **kwargs)

    return device_function(f"fft.{name}", transform)


def __getattr__(name: str) -> Any:
    if name in _TRANSFORMS.split():
        made = _in_precision(name)
    elif name in __all__:
        made = device_function(f"fft.{name}", getattr(np.fft, name), array_first=name in _PLAIN.split())
    else:
        raise AttributeError(f"module 'cupy.fft' has no attribute {name!r}")
    globals()[name] = made
    return made


def __dir__() -> list[str]:
    return __all__
