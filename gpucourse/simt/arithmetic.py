"""Arithmetic of PTX on NumPy arrays: integers wrap, floats round as the instruction says.

Every function takes and gives arrays of the operand's dtype, shape (lanes,) or (1,). Nothing here knows
registers, lanes or memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from gpucourse.simt.registers import Values

Operation = Callable[..., Values]

_WIDER = {
    np.dtype(np.uint8): np.uint16, np.dtype(np.int8): np.int16,
    np.dtype(np.uint16): np.uint32, np.dtype(np.int16): np.int32,
    np.dtype(np.uint32): np.uint64, np.dtype(np.int32): np.int64,
}  # fmt: skip
_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_SIGNED = {1: np.int8, 2: np.int16, 4: np.int32, 8: np.int64}


def unsigned(a: Values) -> Values:
    """The same bits, read without a sign."""
    return a.view(_UNSIGNED[a.dtype.itemsize])


def signed(a: Values) -> Values:
    """The same bits, read in two's complement."""
    return a.view(_SIGNED[a.dtype.itemsize])


# --- integers ----------------------------------------------------------------------------------------


def mul_wide(a: Values, b: Values) -> Values:
    """Full product, twice as wide as the operands."""
    wide = _WIDER[a.dtype]
    return np.multiply(a, b, dtype=wide)


def mul_hi(a: Values, b: Values) -> Values:
    """Upper half of the full product."""
    if a.dtype.itemsize == 8:
        return _mul_hi_64(a, b)
    return (mul_wide(a, b) >> (8 * a.dtype.itemsize)).astype(a.dtype)


def _mul_hi_64(a: Values, b: Values) -> Values:
    """Schoolbook on 32-bit halves; a signed product differs by one operand for each negative other."""
    ua, ub, low, half = unsigned(a), unsigned(b), np.uint64(0xFFFFFFFF), np.uint64(32)
    al, ah, bl, bh = ua & low, ua >> half, ub & low, ub >> half
    middle = (al * bl >> half) + (ah * bl & low) + (al * bh & low)
    high: Values = ah * bh + (ah * bl >> half) + (al * bh >> half) + (middle >> half)
    if a.dtype.kind == "i":
        high = high - np.where(a < 0, ub, 0).astype(np.uint64) - np.where(b < 0, ua, 0).astype(np.uint64)
    return high.view(a.dtype)


def mul24(a: Values, b: Values) -> Values:
    """Low 32 bits of the product of the low 24 bits."""
    return _low24(a) * _low24(b)


def mul24_hi(a: Values, b: Values) -> Values:
    """High 32 of the 48 bits of the product of the low 24 bits."""
    return (mul_wide(_low24(a), _low24(b)) >> 16).astype(a.dtype)


def _low24(a: Values) -> Values:
    return (a << 8) >> 8  # keeps the sign of bit 23 for signed types


def div_int(a: Values, b: Values) -> Values:
    """Quotient cut toward zero; all ones where the divisor is zero, as GPUs give."""
    zero = b == 0
    safe = np.where(zero, np.ones(1, b.dtype), b)
    if a.dtype.kind == "u":
        quotient = a // safe
    else:
        magnitude = _magnitude(a) // _magnitude(safe)
        quotient = np.where((a < 0) != (safe < 0), -magnitude, magnitude).view(a.dtype)
    return np.where(zero, np.array([-1]).astype(a.dtype), quotient)


def rem_int(a: Values, b: Values) -> Values:
    """Remainder with the dividend's sign; the dividend itself where the divisor is zero."""
    zero = b == 0
    safe = np.where(zero, np.ones(1, b.dtype), b)
    if a.dtype.kind == "u":
        return np.where(zero, a, a % safe)
    magnitude = _magnitude(a) % _magnitude(safe)
    return np.where(zero, a, np.where(a < 0, -magnitude, magnitude).view(a.dtype))


def _magnitude(a: Values) -> Values:
    """|a| as unsigned, right for the most negative number too."""
    return np.abs(a).view(_UNSIGNED[a.dtype.itemsize])


def add_sat(a: Values, b: Values) -> Values:
    """a + b, held at the ends of int32."""
    return np.clip(a.astype(np.int64) + b, -(1 << 31), (1 << 31) - 1).astype(a.dtype)


def sub_sat(a: Values, b: Values) -> Values:
    """a - b, held at the ends of int32."""
    return np.clip(a.astype(np.int64) - b, -(1 << 31), (1 << 31) - 1).astype(a.dtype)


def sad(a: Values, b: Values, c: Values) -> Values:
    """c + |a - b|."""
    out: Values = c + np.where(a < b, b - a, a - b)
    return out


def shl(a: Values, amount: Values) -> Values:
    """Shift left; an amount of the width or more leaves nothing."""
    out: Values = np.left_shift(a, np.minimum(amount, 64).astype(a.dtype))
    return out


def shr(a: Values, amount: Values) -> Values:
    """Shift right, with the sign for signed types; a large amount leaves the sign only."""
    out: Values = np.right_shift(a, np.minimum(amount, 64).astype(a.dtype))
    return out


def choose(condition: Values, a: Values, b: Values) -> Values:
    """`a` where the condition holds, else `b`."""
    return np.where(condition, a, b)


def popc(a: Values) -> Values:
    """How many bits are set, uint32."""
    return np.bitwise_count(a).astype(np.uint32)


def clz(a: Values) -> Values:
    """Zeros above the highest one; the width for zero."""
    width = 8 * a.dtype.itemsize
    return (np.uint32(width - 1) - bfind(unsigned(a)).view(np.int32)).astype(np.uint32)


def bfind(a: Values) -> Values:
    """Place of the highest one (for signed types: of the highest bit unlike the sign); all ones for none."""
    bits = unsigned(np.where(a < 0, ~a, a)) if a.dtype.kind == "i" else a
    wide = bits.astype(np.uint64)
    for step in (1, 2, 4, 8, 16, 32):
        wide = wide | wide >> np.uint64(step)
    return np.bitwise_count(wide).astype(np.uint32) - np.uint32(1)


def bfind_shiftamt(a: Values) -> Values:
    """Left shift that brings the found bit to the top; all ones for none."""
    place, width = bfind(a), 8 * a.dtype.itemsize
    return np.where(place == 0xFFFFFFFF, place, np.uint32(width - 1) - place)


def brev(a: Values) -> Values:
    """Bits in reverse order."""
    size = a.dtype.itemsize
    flipped = np.unpackbits(np.ascontiguousarray(a).view(np.uint8).reshape(-1, size), axis=1)[:, ::-1]
    packed = np.packbits(np.ascontiguousarray(flipped), axis=1)
    return packed.reshape(-1).view(a.dtype)


def bfe(a: Values, start: Values, length: Values) -> Values:
    """`length` bits of `a` from `start`; the sign of the topmost one fills up for signed types."""
    width = 8 * a.dtype.itemsize
    start, length = (start & 255).astype(np.int64), (length & 255).astype(np.int64)
    if a.dtype.kind == "u":
        return shr(a, np.minimum(start, 64)) & _ones(length, a.dtype)
    top = np.minimum(start + length - 1, width - 1)
    sign = (a >> top.astype(a.dtype)) & 1 & (length > 0)
    field = unsigned(shr(unsigned(a), np.minimum(start, 64)))
    inside = _ones(np.minimum(length, np.maximum(width - start, 0)), field.dtype)
    return np.where(sign != 0, field | ~inside, field & inside).astype(field.dtype).view(a.dtype)


def bfi(a: Values, b: Values, start: Values, length: Values) -> Values:
    """`b` with its `length` bits from `start` replaced by the low bits of `a`."""
    start, length = (start & 255).astype(np.int64), (length & 255).astype(np.int64)
    mask = shl(_ones(length, a.dtype), start)
    return (b & ~mask) | (shl(a, start) & mask)


def _ones(length: Values, dtype: np.dtype[Any]) -> Values:
    """A number with `length` low ones."""
    width = 8 * dtype.itemsize
    full = np.array([-1]).astype(dtype)
    return np.where(length >= width, full, shl(np.ones(1, dtype), np.minimum(length, 64)) - np.ones(1, dtype))


def prmt(a: Values, b: Values, selector: Values) -> Values:
    """Four bytes picked from the eight of `b:a`; the selector's bit 3 spreads the byte's sign."""
    both = a.astype(np.uint64) | b.astype(np.uint64) << np.uint64(32)
    out = np.zeros(1, np.uint32)
    for place in range(4):
        pick = (selector >> np.uint32(4 * place)) & np.uint32(15)
        byte = (both >> (np.uint64(8) * (pick & 7))).astype(np.uint8)
        byte = np.where(pick & 8, np.where(byte & 0x80, np.uint8(255), np.uint8(0)), byte)
        out = out | byte.astype(np.uint32) << np.uint32(8 * place)
    return out


#: Mode of prmt -> the selectors that it uses for the values 0 to 3 of its operand (PTX ISA, prmt).
PRMT_MODES = {
    "f4e": (0x3210, 0x4321, 0x5432, 0x6543), "b4e": (0x5670, 0x6701, 0x7012, 0x0123),
    "rc8": (0x0000, 0x1111, 0x2222, 0x3333), "ecl": (0x3210, 0x3211, 0x3222, 0x3333),
    "ecr": (0x0000, 0x1110, 0x2210, 0x3210), "rc16": (0x1010, 0x3232, 0x1010, 0x3232),
}  # fmt: skip


def prmt_mode(mode: str) -> Operation:
    """prmt whose selector comes from a table, by the two lowest bits of its third operand."""
    table = np.array(PRMT_MODES[mode], np.uint32)
    return lambda a, b, c: prmt(a, b, table[c & 3])


def fns(mask: Values, base: Values, offset: Values) -> Values:
    """Place of the `offset`-th one of `mask` from bit `base`: upward, downward if negative, there itself for 0; all
    ones for none (PTX ISA, fns)."""
    mask, base, offset = (np.broadcast_to(v, max(len(mask), len(base), len(offset))) for v in (mask, base, offset))
    place, start = np.arange(32), base.astype(np.int64)[:, None]
    ones = (mask[:, None] >> place.astype(np.uint32) & 1).astype(bool) & (start < 32)
    above, below = ones & (place >= start), ones & (place <= start)
    upward = above.cumsum(axis=1) * above
    downward = below[:, ::-1].cumsum(axis=1)[:, ::-1] * below
    steps = offset.astype(np.int64)[:, None]
    hit = np.where(steps > 0, upward == steps, np.where(steps < 0, downward == -steps, ones & (place == start)))
    return np.where(hit.any(axis=1), hit.argmax(axis=1), 0xFFFFFFFF).astype(np.uint32)


def bmsk(start: Values, length: Values, clamp: bool) -> Values:
    """`length` ones from bit `start`; both modulo 32, or (clamp) all that is beyond bit 31 cut off."""
    if clamp:
        return shl(_ones(length.astype(np.int64), start.dtype), start)
    return shl(_ones((length & 31).astype(np.int64), start.dtype), start & 31)


def szext(a: Values, bits: Values, clamp: bool) -> Values:
    """The low `bits` of `a` extended to 32 bits; `bits` modulo 32, or (clamp) 32 or more for `a` itself."""
    count = np.minimum(bits, 32) if clamp else bits & 31
    left = (np.uint32(32) - count).astype(np.uint32)
    return shr(shl(a, left), left)


def lop3(a: Values, b: Values, c: Values, table: int) -> Values:
    """Any logic of three bits: bit `4a + 2b + c` of `table` is the result."""
    out = np.zeros(1, a.dtype)
    for row in range(8):
        if table >> row & 1:
            term = (a if row & 4 else ~a) & (b if row & 2 else ~b) & (c if row & 1 else ~c)
            out = out | term
    return out


def funnel(a: Values, b: Values, amount: Values, left: bool, wrap: bool) -> Values:
    """Shift of the 64-bit `b:a`: its high half to the left, its low half to the right."""
    both = a.astype(np.uint64) | b.astype(np.uint64) << np.uint64(32)
    amount = (amount & np.uint32(31) if wrap else np.minimum(amount, 32)).astype(np.uint64)
    moved = both << amount >> np.uint64(32) if left else both >> amount
    return moved.astype(np.uint32)


def dp4a(a: Values, b: Values, c: Values, a_signed: bool, b_signed: bool) -> Values:
    """c + the dot product of four bytes each."""
    dot: Values = (_parts(a, 1, a_signed) * _parts(b, 1, b_signed)).sum(axis=1)
    return (c.astype(np.int64) + dot).astype(np.uint32)


def dp2a(a: Values, b: Values, c: Values, a_signed: bool, b_signed: bool, high: bool) -> Values:
    """c + the dot product of the two halves of `a` and the two low (or high) bytes of `b`."""
    chosen = _parts(b, 1, b_signed)[:, 2:] if high else _parts(b, 1, b_signed)[:, :2]
    dot: Values = (_parts(a, 2, a_signed) * chosen).sum(axis=1)
    return (c.astype(np.int64) + dot).astype(np.uint32)


def _parts(a: Values, size: int, sign: bool) -> Values:
    """Parts of `size` bytes of 32-bit values, as int64; shape (lanes, 4 / size)."""
    kind = (_SIGNED if sign else _UNSIGNED)[size]
    return np.ascontiguousarray(a).view(kind).reshape(-1, 4 // size).astype(np.int64)


# --- floats ------------------------------------------------------------------------------------------


def flush(a: Values) -> Values:
    """Subnormal float32 (or float16) become zeros with their sign (`.ftz`)."""
    if a.dtype.itemsize == 2:
        return np.where(np.abs(a) < np.finfo(np.float16).tiny, np.copysign(np.zeros(1, np.float16), a), a)
    bits = a.view(np.uint32)
    if ((bits << 1) - np.uint32(1)).min() >= 0xFFFFFF:  # none, as nearly always; zero wraps to the top
        return a
    small = bits & np.uint32(0x7F800000) == 0
    return np.where(small, bits & np.uint32(0x80000000), bits).view(np.float32)


def saturate(a: Values) -> Values:
    """Clamp to [0, 1]; NaN becomes 0."""
    clamped = np.minimum(np.maximum(np.nan_to_num(a, nan=0.0, posinf=1.0, neginf=0.0), 0), 1)
    out: Values = (clamped + np.zeros(1, a.dtype)).astype(a.dtype)
    return out


def fma32(a: Values, b: Values, c: Values) -> Values:
    """a * b + c rounded once: in float64 the product is exact; the sum is rounded to odd, which a second rounding
    to fewer digits, subnormal ones too, cannot tell from the exact sum (Boldo and Melquiond 2008)."""
    return _to_odd(np.multiply(a, b, dtype=np.float64), c.astype(np.float64)).astype(np.float32)


def fma32_ftz(a: Values, b: Values, c: Values) -> Values:
    """fma32 where subnormal results will be flushed: the sum's own rounding matters only where it lands halfway
    between two normal float32."""
    product = np.multiply(a, b, dtype=np.float64)
    total = np.add(product, c, dtype=np.float64)
    halfway = (total.view(np.int64) & 0x1FFFFFFF) == 0x10000000
    if halfway.any():
        total = _off_halfway(total, product, c.astype(np.float64), halfway)
    return total.astype(np.float32)


def _off_halfway(total: Values, product: Values, c: Values, halfway: Values) -> Values:
    """Move a halfway sum by one unit to the side where the exact sum is."""
    _, error = two_sum(product, c)
    toward = np.where(error > 0, np.inf, -np.inf)
    return np.where(halfway & (error != 0) & np.isfinite(error), np.nextafter(total, toward), total)


def fma16(a: Values, b: Values, c: Values) -> Values:
    """a * b + c of float16; float64 holds the product exactly."""
    product = np.multiply(a, b, dtype=np.float64)
    return np.add(product, c, dtype=np.float64).astype(np.float16)


def two_sum(a: Values, b: Values) -> tuple[Values, Values]:
    """a + b as rounded sum and exact error (Knuth, TAOCP 2, 4.2.2)."""
    total = a + b
    back = total - a
    return total, (a - (total - back)) + (b - back)


def two_product(a: Values, b: Values) -> tuple[Values, Values]:
    """a * b as rounded product and exact error (Dekker 1971; Veltkamp's splitting)."""
    product = a * b
    (ah, al), (bh, bl) = _split(a), _split(b)
    return product, ((ah * bh - product) + ah * bl + al * bh) + al * bl


def _split(a: Values) -> tuple[Values, Values]:
    scaled = a * 134217729.0
    high = scaled - (scaled - a)
    return high, a - high


def fma64(a: Values, b: Values, c: Values) -> Values:
    """a * b + c rounded once (Boldo and Melquiond 2008, by rounding the middle sum to odd)."""
    plain = a * b + c
    uh, ul = two_product(a, b)
    th, tl = two_sum(c, ul)
    vh, vl = two_sum(uh, th)
    exact = vh + _to_odd(tl, vl)
    size = np.abs(a * b)
    usable = np.isfinite(exact) & (size > 1e-270) & (size < 1e290) & (np.abs(c) < 1e290)
    usable &= (np.abs(a) < 1e290) & (np.abs(b) < 1e290)  # beyond, splitting over- or underflows
    rare = ~usable & np.isfinite(a) & np.isfinite(b) & np.isfinite(c) & (a != 0) & (b != 0)
    out = plain if not usable.any() else np.where(usable, exact, plain)
    return _one_by_one("fma", "rn", (a, b, c), out, rare) if rare.any() else out


def _to_odd(a: Values, b: Values) -> Values:
    total, error = two_sum(a, b)
    moved = (error != 0) & ((total.view(np.int64) & 1) == 0) & np.isfinite(error)
    return np.where(moved, np.nextafter(total, np.where(error > 0, np.inf, -np.inf)), total)


_FRACTIONS: dict[str, Callable[..., Fraction]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
    "fma": lambda a, b, c: a * b + c, "div": lambda a, b: a / b, "rcp": lambda a: 1 / a,
}  # fmt: skip


def _one_by_one(name: str, mode: str, operands: tuple[Values, ...], out: Values, chosen: Values) -> Values:
    """`out` with the float64 results of the lanes `chosen` replaced by exact ones: the rare numbers near the ends
    of the range, where an error term over- or underflows."""
    out, rows = np.broadcast_to(out, chosen.shape).copy(), np.broadcast_arrays(*operands)
    for lane in np.flatnonzero(chosen):
        exact = _FRACTIONS[name](*(Fraction(float(row[lane])) for row in rows))
        if exact:
            out[lane] = _nearest_double(exact, mode)
    return out


def _nearest_double(exact: Fraction, mode: str) -> float:
    """A fraction, not zero, as float64; `mode` is "rn", or a direction."""
    try:
        near = float(exact) or math.copysign(0.0, exact)
    except OverflowError:
        near = math.inf if exact > 0 else -math.inf
    up = {"rn": 0, "rz": -1 if exact > 0 else 1, "rm": -1, "rp": 1}[mode]
    above = 1 if near == math.inf or (math.isfinite(near) and Fraction(near) > exact) else -1
    if near == exact or up in (0, above):
        return near
    return math.nextafter(near, math.copysign(math.inf, up))


def directed(high: Values, low: Values, mode: str, dtype: np.dtype[Any]) -> Values:
    """Round the exact value `high + low` (float64, |low| tiny) to `dtype`, toward where `mode` says."""
    nearest = high.astype(dtype)
    gap = nearest.astype(np.float64) - high
    above = (gap > 0) | ((gap == 0) & (low < 0))
    below = (gap < 0) | ((gap == 0) & (low > 0))
    target = np.array([0 if mode == "rz" else -np.inf if mode == "rm" else np.inf], dtype)
    wrong = {"rm": above, "rp": below, "rz": np.where(nearest > 0, above, below)}[mode]
    wrong = wrong & np.isfinite(high)
    return np.where(wrong, np.nextafter(nearest, target), nearest)


def rounded(name: str, mode: str, dtype: np.dtype[Any]) -> Operation:
    """`name` (add, sub, mul, fma, div, rcp, sqrt) rounded toward zero (rz), down (rm) or up (rp)."""

    def operation(*operands: Values) -> Values:
        wide = tuple(o.astype(np.float64) for o in operands)
        high, low = _EXACT[name](*wide)
        out = directed(high, np.nan_to_num(low), mode, dtype)
        if dtype.itemsize == 8 and name in _FRACTIONS:
            rare = _near_the_ends(name, wide, high)
            out = _one_by_one(name, mode, wide, out, rare) if rare.any() else out
        return _minus_zero(name, wide, out) if mode == "rm" and name in ("add", "sub", "fma") else out

    return operation


def _near_the_ends(name: str, operands: tuple[Values, ...], result: Values) -> Values:
    """Finite operations whose result or operands are so large or so small that an error term may be lost."""
    rare: Values = np.zeros(1, bool)
    finite: Values = np.ones(1, bool)
    for value in (*operands, result):
        size = np.abs(value)
        rare = rare | (size > 1e290) | ((size < 1e-270) & (size > 0))
    for value in operands:
        finite = finite & np.isfinite(value)
    rare = rare | ((result == 0) & (operands[0] != 0))
    if name == "fma":
        rare = rare | _vanished(operands[0], operands[1])
    out: Values = rare & finite & ((operands[-1] != 0) | (name not in ("div", "rcp")))
    return out


def _vanished(a: Values, b: Values) -> Values:
    """Where a product is zero although no factor is."""
    lost: Values = (a * b == 0) & (a != 0) & (b != 0)
    return lost


def _minus_zero(name: str, operands: tuple[Values, ...], out: Values) -> Values:
    """Rounding down, x - x is -0, and so is the sum of two zeros unless both are +0 (IEEE 754, 6.3)."""
    zero = out == 0
    if name == "fma":
        zero = zero & ~_vanished(operands[0], operands[1])
    if not zero.any():
        return out
    a, b = (operands[0] * operands[1], operands[2]) if name == "fma" else operands
    b = -b if name == "sub" else b
    return np.where(zero & (a == -b) & (np.signbit(a) | np.signbit(b)), np.array([-0.0], out.dtype), out)


def _exact_fma(a: Values, b: Values, c: Values) -> tuple[Values, Values]:
    """The rounded result, and what is missing: (product + c) + both errors - result, the large terms first."""
    result = fma64(a, b, c)
    product, error = two_product(a, b)
    total, rest = two_sum(product, c)
    left, small = two_sum(total - result, rest)
    left, smaller = two_sum(left, np.nan_to_num(error))
    return result, left + (smaller + small)


def _exact_div(a: Values, b: Values) -> tuple[Values, Values]:
    quotient = a / b
    return quotient, fma64(-quotient, b, a) / b


def _exact_sqrt(a: Values) -> tuple[Values, Values]:
    scale = np.where(a < 1e-200, 2.0**-300, 1.0)
    large = a / scale / scale
    root = np.sqrt(large)
    return root * scale, fma64(-root, root, large) / (2 * root) * scale


_EXACT: dict[str, Callable[..., tuple[Values, Values]]] = {
    "add": two_sum,
    "sub": lambda a, b: two_sum(a, -b),
    "mul": two_product,
    "fma": _exact_fma,
    "div": _exact_div,
    "rcp": lambda a: _exact_div(np.ones(1), a),
    "sqrt": _exact_sqrt,
}


def fmin(a: Values, b: Values) -> Values:
    """The smaller; the other one where one is NaN; -0 is smaller than +0."""
    picked = np.fmin(a, b)
    return _zeros_by(picked, a, b, np.bitwise_or)


def fmax(a: Values, b: Values) -> Values:
    """The larger; the other one where one is NaN; +0 is larger than -0."""
    picked = np.fmax(a, b)
    return _zeros_by(picked, a, b, np.bitwise_and)


def _zeros_by(picked: Values, a: Values, b: Values, combine: Operation) -> Values:
    zero = picked == 0
    if not zero.any():
        return picked
    sign = combine(unsigned(a), unsigned(b)).view(a.dtype)
    return np.where(zero & (a == 0) & (b == 0), sign, picked)


def fmin_nan(a: Values, b: Values) -> Values:
    """The smaller one; NaN if either is NaN (`min.NaN`)."""
    return np.where(np.isnan(a) | np.isnan(b), np.array([np.nan], a.dtype), fmin(a, b))


def fmax_nan(a: Values, b: Values) -> Values:
    """The larger one; NaN if either is NaN (`max.NaN`)."""
    return np.where(np.isnan(a) | np.isnan(b), np.array([np.nan], a.dtype), fmax(a, b))


def copysign(a: Values, b: Values) -> Values:
    """`b` with the sign of `a`, as PTX orders them."""
    return np.copysign(b, a)


def rcp(a: Values) -> Values:
    """1 / a."""
    return np.divide(np.ones(1, a.dtype), a)


def rsqrt(a: Values) -> Values:
    """1 / sqrt(a), computed in float64."""
    return (1 / np.sqrt(a.astype(np.float64))).astype(a.dtype)


def div_approx(a: Values, b: Values) -> Values:
    """a / b, but a divisor beyond 2^126 counts as infinite (PTX ISA, div.approx)."""
    return np.divide(a, np.where(np.abs(b) > np.float32(2.0**126), np.copysign(np.float32(np.inf), b), b))


def gross(compute: Operation) -> Operation:
    """rcp and rsqrt with `.approx.ftz.f64`: only the upper halves of operand and result count; no subnormals."""

    def upper(a: Values) -> Values:
        small = np.abs(a) < np.finfo(np.float64).tiny
        high = (a.view(np.uint64) & np.uint64(0xFFFFFFFF00000000)).view(np.float64)
        return np.where(small, np.copysign(0.0, a), high)

    return lambda a: upper(compute(upper(a)))


def testp(name: str) -> Operation:
    """The test that `testp.<name>` makes: a function of floats that returns bools."""
    tiny = {4: np.finfo(np.float32).tiny, 8: np.finfo(np.float64).tiny}

    def subnormal(a: Values) -> Values:
        small: Values = (a != 0) & (np.abs(a) < tiny[a.dtype.itemsize])
        return small

    tests: dict[str, Operation] = {
        "finite": np.isfinite, "infinite": np.isinf, "notanumber": np.isnan, "number": lambda a: ~np.isnan(a),
        "subnormal": subnormal, "normal": lambda a: np.isfinite(a) & (a != 0) & ~subnormal(a),
    }  # fmt: skip
    return tests[name]


#: Float functions that hardware approximates; ours are correct to about one unit in the last place.
APPROXIMATE: dict[str, Operation] = {
    "sin": np.sin, "cos": np.cos, "ex2": np.exp2, "lg2": np.log2, "tanh": np.tanh, "sqrt": np.sqrt,
    "rsqrt": rsqrt, "rcp": rcp, "div": div_approx,
}  # fmt: skip

# --- comparisons -------------------------------------------------------------------------------------

_ORDERED: dict[str, Operation] = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
    "ge": np.greater_equal, "lo": np.less, "ls": np.less_equal, "hi": np.greater, "hs": np.greater_equal,
}  # fmt: skip


def comparison(name: str, is_float: bool) -> Operation:
    """The comparison `name` of setp; for floats `ne` is false on NaN and the `u` forms are true."""
    if name == "num":
        return lambda a, b: ~(np.isnan(a) | np.isnan(b))
    if name == "nan":
        return lambda a, b: np.isnan(a) | np.isnan(b)
    if is_float and name == "ne":
        return lambda a, b: (a < b) | (a > b)
    if is_float and name == "neu":
        return np.not_equal
    if is_float and name in ("equ", "ltu", "leu", "gtu", "geu"):
        opposite = _ORDERED[{"equ": "ne", "ltu": "ge", "leu": "gt", "gtu": "le", "geu": "lt"}[name]]
        if name == "equ":
            return lambda a, b: ~((a < b) | (a > b))
        return lambda a, b: ~opposite(a, b)
    return _ORDERED[name]


# --- conversions -------------------------------------------------------------------------------------

_TO_INTEGRAL: dict[str, Operation] = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}


def convert(to: np.dtype[Any], source: np.dtype[Any], modifiers: tuple[str, ...]) -> Operation:
    """`cvt` from dtype `source` to dtype `to`, with rounding and saturation from `modifiers`."""
    integral = next((_TO_INTEGRAL[m] for m in modifiers if m in _TO_INTEGRAL), None)
    mode = next((m for m in modifiers if m in ("rz", "rm", "rp")), None)
    if source.kind == "f" and to.kind in "iu":
        return lambda a: _float_to_int((integral or np.trunc)(a), to, _nan_as(to, source))
    if source.kind in "iu" and to.kind in "iu":
        return (lambda a: _clamped(a, to)) if "sat" in modifiers else (lambda a: a.astype(to))
    if source.kind in "iu":
        return (lambda a: _int_directed(a, mode, to)) if mode else (lambda a: a.astype(to))
    return _float_to_float(to, source, integral, mode)


def _float_to_float(
    to: np.dtype[Any], source: np.dtype[Any], integral: Operation | None, mode: str | None
) -> Operation:
    if integral is not None:
        rounding = integral
        return lambda a: rounding(a).astype(to)
    if mode and to.itemsize < source.itemsize:
        direction = mode
        return lambda a: directed(a.astype(np.float64), np.zeros(1), direction, to)
    return lambda a: a.astype(to)


def _nan_as(to: np.dtype[Any], source: np.dtype[Any]) -> Values:
    """NaN as an integer: 0, but the highest bit alone when either side has 64 bits (PTX ISA 9.0, cvt)."""
    bits = 1 << (8 * to.itemsize - 1) if 8 in (to.itemsize, source.itemsize) else 0
    return np.array([bits], np.uint64).astype(to)


def _float_to_int(a: Values, to: np.dtype[Any], nan: Values) -> Values:
    """Clamp to the range of `to`; NaN becomes `nan`."""
    info, wide = np.iinfo(to), a.astype(np.float64)
    inside = np.where((wide > -9.3e18) & (wide < 1.9e19), wide, 0.0)
    exact = inside.astype(np.uint64) if to == np.uint64 else inside.astype(np.int64)
    out = np.where(wide >= float(info.max), info.max, np.where(wide <= float(info.min), info.min, exact))
    return np.where(np.isnan(wide), nan, out.astype(to))


def _clamped(a: Values, to: np.dtype[Any]) -> Values:
    source, target = np.iinfo(a.dtype), np.iinfo(to)
    low, high = max(source.min, target.min), min(source.max, target.max)
    return np.clip(a, np.array(low, a.dtype), np.array(high, a.dtype)).astype(to)


def _int_directed(a: Values, mode: str, to: np.dtype[Any]) -> Values:
    """Integers of up to 64 bits: the float64 nearest, and what is left over, are both exact."""
    high = a.astype(np.float64)
    wide = np.longdouble
    low = (a.astype(wide) - high.astype(wide)).astype(np.float64)
    return directed(high, low, mode, to)
