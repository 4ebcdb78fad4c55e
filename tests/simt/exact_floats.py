"""What floating-point operations give: exact fractions, rounded once by a few lines of integer arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

#: Digits of the significand, and the exponents of the smallest and largest normal number.
FORMATS = {"f16": (11, -14, 15), "f32": (24, -126, 127), "f64": (53, -1022, 1023)}


def nearest_integer(x: Fraction, mode: str) -> int:
    """`x` rounded to an integer: to even (rn), toward zero (rz), down (rm) or up (rp)."""
    floor, rest = divmod(x.numerator, x.denominator)
    if mode == "rn":
        return floor + (2 * rest > x.denominator or (2 * rest == x.denominator and floor % 2 == 1))
    down = mode == "rm" or (mode == "rz" and x >= 0)
    return floor if down or not rest else floor + 1


def to_format(x: Fraction, kind: str, mode: str = "rn") -> float:
    """A fraction rounded to `kind`; what is beyond the largest number becomes that number or infinity."""
    digits, low, high = FORMATS[kind]
    if x == 0:
        return 0.0
    exponent = abs(x.numerator).bit_length() - x.denominator.bit_length()
    if abs(x) < Fraction(2) ** exponent:
        exponent -= 1
    place = max(exponent, low) - digits + 1
    significand = nearest_integer(x / Fraction(2) ** place, mode)
    if abs(significand) * Fraction(2) ** place >= Fraction(2) ** (high + 1):
        toward_zero = mode == "rz" or (mode == "rm" and x > 0) or (mode == "rp" and x < 0)
        largest = math.ldexp((1 << digits) - 1, high - digits + 1)
        return (largest if toward_zero else math.inf) * (1 if x > 0 else -1)
    return math.ldexp(abs(significand), place) * (1 if x > 0 else -1)


def smallest_normal(kind: str) -> float:
    """The smallest normal number of `kind`."""
    return math.ldexp(1.0, FORMATS[kind][1])


def flushed(x: float, kind: str) -> float:
    """Subnormal numbers become zeros with their sign (`.ftz`)."""
    return math.copysign(0.0, x) if x != 0 and abs(x) < smallest_normal(kind) else x


def saturated(x: float) -> float:
    """Clamped to [0, 1]; NaN becomes 0 (`.sat`)."""
    return 0.0 if math.isnan(x) else min(max(0.0, x), 1.0)   # -0 becomes +0


def expected(name: str, operands: tuple[float, ...], kind: str, mode: str = "rn") -> float:
    """The result of an operation of IEEE 754, signs of zeros included."""
    return _RULES[name](*operands, kind, mode)


def _add(a: float, b: float, kind: str, mode: str) -> float:
    if not (math.isfinite(a) and math.isfinite(b)):
        return a + b
    exact = Fraction(a) + Fraction(b)
    return to_format(exact, kind, mode) if exact else _zero_sum(a, b, mode)


def _zero_sum(a: float, b: float, mode: str) -> float:
    """IEEE 754-2019, 6.3: x - x is +0, but -0 when rounding down; like signs of two zeros stay."""
    if a == 0 and math.copysign(1, a) == math.copysign(1, b):
        return a
    return -0.0 if mode == "rm" else 0.0


def _multiply(a: float, b: float, kind: str, mode: str) -> float:
    if not (math.isfinite(a) and math.isfinite(b)) or a == 0 or b == 0:
        return a * b
    return to_format(Fraction(a) * Fraction(b), kind, mode)


def _divide(a: float, b: float, kind: str, mode: str) -> float:
    sign = math.copysign(1, a) * math.copysign(1, b)
    if math.isnan(a) or math.isnan(b) or (math.isinf(a) and math.isinf(b)) or (a == 0 and b == 0):
        return math.nan
    if math.isinf(a) or b == 0:
        return sign * math.inf
    if math.isinf(b) or a == 0:
        return sign * 0.0
    return to_format(Fraction(a) / Fraction(b), kind, mode)


def _fma(a: float, b: float, c: float, kind: str, mode: str) -> float:
    if not all(map(math.isfinite, (a, b, c))):
        return _special_fma(a, b, c)
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact:
        return to_format(exact, kind, mode)
    product = math.copysign(0.0 if a == 0 or b == 0 else 1.0, math.copysign(1, a) * math.copysign(1, b))
    return _zero_sum(product, c, mode) if product == 0 else _zero_sum(1.0, -1.0, mode)


def _special_fma(a: float, b: float, c: float) -> float:
    if math.isfinite(a) and math.isfinite(b):
        return c   # a finite product may overflow as a float, but not here
    return a * b + c


def _root(a: float, kind: str, mode: str) -> float:
    if math.isnan(a) or a < 0:
        return math.nan
    if a == 0 or math.isinf(a):
        return a
    x, bits = Fraction(a), 700   # far more digits than any format; what is cut off only needs to be seen
    scaled = (x.numerator << 2 * bits) // x.denominator
    root = math.isqrt(scaled)
    inexact = root * root != scaled or (x.numerator << 2 * bits) % x.denominator != 0
    return to_format(Fraction(2 * root + inexact, 1 << bits + 1), kind, mode)


_RULES = {
    "add": _add, "sub": lambda a, b, kind, mode: _add(a, -b, kind, mode), "mul": _multiply, "div": _divide,
    "fma": _fma, "rcp": lambda a, kind, mode: _divide(1.0, a, kind, mode), "sqrt": _root,
}  # fmt: skip
