"""The mathematical functions of CUDA that PTX has no instruction for, as functions of NumPy arrays.

NVRTC links NVIDIA's own (libdevice) into the PTX. PTX from clang calls `__nv_expf` and its like, and these are they:
they compute in float64 with NumPy or Python's `math`, and round once, so a float32 result is nearly always the one
closest to the true value (NVIDIA's are off by up to a few units in the last place: CUDA C++ Programming Guide,
"Mathematical Functions"). float32 subnormals count as zero, as with `-ftz=true`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucourse.simt.registers import Values

_Numbers = NDArray[Any]
_PI = math.pi


def _each(function: Callable[[float], float]) -> Callable[[_Numbers], _Numbers]:
    """A function of one number, for arrays; nan where Python raises for a number outside the domain."""

    def safely(x: float) -> float:
        try:
            return function(x)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    made = np.frompyfunc(safely, 1, 1)
    return lambda x: np.asarray(made(x), np.float64)


def _sinpi(x: _Numbers) -> _Numbers:
    r = x - 2 * np.rint(x / 2)             # in [-1, 1], exact
    half = np.where(np.abs(r) > 0.5, np.copysign(1 - np.abs(r), r), r)
    return np.asarray(np.sin(_PI * half))


def _cospi(x: _Numbers) -> _Numbers:
    r = np.abs(x - 2 * np.rint(x / 2))     # in [0, 1]
    return np.asarray(np.where(r <= 0.25, np.cos(_PI * r), np.sin(_PI * (0.5 - r))))


def _gamma(x: float) -> float:
    if x == 0:
        return math.copysign(math.inf, x)
    return math.gamma(x)


def _lgamma(x: float) -> float:
    return math.inf if x <= 0 and x == math.floor(x) else math.lgamma(x)


def _erfcx(x: float) -> float:
    if x < 25:
        return math.exp(x * x) * math.erfc(x)
    return (1 - 0.5 / (x * x) + 0.75 / x**4) / (x * math.sqrt(_PI))


def _normcdfinv(p: float) -> float:
    if p in (0.0, 1.0):
        return math.copysign(math.inf, p - 0.5)
    return NormalDist().inv_cdf(p)


def _erfcinv(y: float) -> float:
    if y in (0.0, 2.0):
        return math.copysign(math.inf, 1 - y)
    x = -NormalDist().inv_cdf(y / 2) / math.sqrt(2)
    return x + (math.erfc(x) - y) * math.sqrt(_PI) / 2 * math.exp(x * x)   # one step of Newton's method


def _erfinv(y: float) -> float:
    if abs(y) == 1:
        return math.copysign(math.inf, y)
    if abs(y) > 0.5:
        return math.copysign(_erfcinv(1 - abs(y)), y)
    x = y * math.sqrt(_PI) / 2
    for _ in range(8):
        x -= (math.erf(x) - y) * math.sqrt(_PI) / 2 * math.exp(x * x)
    return x


def _logb(x: _Numbers) -> _Numbers:
    found = np.frexp(x)[1] - 1.0
    return np.where(x == 0, -np.inf, np.where(np.isinf(x), np.inf, np.where(np.isnan(x), x, found)))


_UNARY: dict[str, Callable[[_Numbers], _Numbers]] = {
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    "exp": np.exp, "exp2": np.exp2, "exp10": lambda x: np.power(10.0, x), "expm1": np.expm1,
    "log": np.log, "log2": np.log2, "log10": np.log10, "log1p": np.log1p,
    "cbrt": np.cbrt, "rcbrt": lambda x: 1 / np.cbrt(x), "rsqrt": lambda x: 1 / np.sqrt(x),
    "erf": _each(math.erf), "erfc": _each(math.erfc), "erfcx": _each(_erfcx), "erfinv": _each(_erfinv),
    "erfcinv": _each(_erfcinv), "normcdf": _each(lambda x: 0.5 * math.erfc(-x / math.sqrt(2))),
    "normcdfinv": _each(_normcdfinv), "tgamma": _each(_gamma), "lgamma": _each(_lgamma),
    "sinpi": _sinpi, "cospi": _cospi, "logb": _logb,
}  # fmt: skip
_BINARY: dict[str, Callable[[_Numbers, _Numbers], _Numbers]] = {
    "pow": np.power, "atan2": np.arctan2, "fmod": np.fmod, "hypot": np.hypot, "rhypot": lambda x, y: 1 / np.hypot(x, y),
    "remainder": np.frompyfunc(lambda x, y: _remainder(x, y), 2, 1),
}  # fmt: skip


def _remainder(x: float, y: float) -> float:
    try:
        return math.remainder(x, y)
    except ValueError:
        return math.nan


def _jn(n: _Numbers, x: _Numbers) -> _Numbers:
    """Bessel's functions by Bessel's integral; the trapezoidal rule converges fast, as the integrand is periodic."""
    n, x = np.broadcast_arrays(n, x)
    inside = np.abs(np.where(np.isfinite(x), x, 0)).clip(max=_MOST_BESSEL)
    points = 64 + int(2 * inside.max(initial=0) + 2 * np.abs(n).max(initial=0))
    angle = np.arange(points) * (2 * _PI / points)
    found = np.cos(n[:, None] * angle - x[:, None] * np.sin(angle)).mean(axis=1)
    return np.where(np.isinf(x), 0, np.where(np.abs(x) > _MOST_BESSEL, np.nan, found))


_MOST_BESSEL = 10_000.0    # beyond it the sum would have too many terms


def _ldexp(x: _Numbers, n: _Numbers) -> _Numbers:
    return np.ldexp(x, np.clip(n, -5000, 5000).astype(np.int32))


def _powi(x: _Numbers, n: _Numbers) -> _Numbers:
    return np.power(x, n.astype(np.float64))


def _ilogb(x: _Numbers) -> _Numbers:
    found = np.frexp(x)[1] - 1
    return np.where((x == 0) | np.isnan(x), -(2**31), np.where(np.isinf(x), 2**31 - 1, found))


def _flush(x: _Numbers) -> _Numbers:
    """float32 with its subnormals as zeros of the same sign."""
    tiny = np.abs(x) < np.finfo(np.float32).tiny
    return np.where(tiny, np.copysign(np.float32(0), x), x)


_F, _D, _I = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int32)
_Signature = tuple[Callable[..., _Numbers], tuple[np.dtype[Any], ...], np.dtype[Any]]
#: name -> what computes it, the types of its arguments, the type of its result
FUNCTIONS: dict[str, _Signature] = {
    "__nv_jn": (_jn, (_I, _D), _D), "__nv_ilogb": (_ilogb, (_D,), _I),
    "__nv_mantissa": (lambda x: np.frexp(x)[0], (_D,), _D),
    "__nv_exponent": (lambda x: np.where(np.isfinite(x), np.frexp(x)[1], 0), (_D,), _I),
    "__nv_nextafter": (np.nextafter, (_D, _D), _D), "__nv_nextafterf": (np.nextafter, (_F, _F), _F),
}  # fmt: skip
for _name, _function in (_UNARY | _BINARY).items():
    _count = 1 if _name in _UNARY else 2
    FUNCTIONS[f"__nv_{_name}"] = (_function, (_D,) * _count, _D)
    FUNCTIONS[f"__nv_{_name}f"] = (_function, (_F,) * _count, _F)
for _name, _mixed in {"ldexp": _ldexp, "powi": _powi}.items():
    FUNCTIONS[f"__nv_{_name}"] = (_mixed, (_D, _I), _D)
    FUNCTIONS[f"__nv_{_name}f"] = (_mixed, (_F, _I), _F)


def call(name: str, arguments: list[Values]) -> Values:
    """The result as rows of bytes; arguments are rows of bytes, one row a lane or one for all."""
    function, types, result = FUNCTIONS[name]
    numbers = [np.ascontiguousarray(a).view(t)[:, 0] for a, t in zip(arguments, types, strict=True)]
    with np.errstate(all="ignore"):
        if result == _F and name != "__nv_nextafterf":
            numbers = [_flush(x).astype(np.float64) if x.dtype == _F else x for x in numbers]
        found = np.asarray(function(*numbers)).astype(result)
        found = _flush(found) if result == _F else found
    return np.ascontiguousarray(found).view(np.uint8).reshape(len(found), -1)
