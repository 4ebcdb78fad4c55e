"""Floating-point opcodes against exact fractions, rounded by a second implementation, and against C's fma."""

from __future__ import annotations

import ctypes
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from gpucourse.simt.instructions import DTYPES
from tests.simt.ptx_harness import execute

FORMATS = {"f16": (11, -14, 15), "f32": (24, -126, 127), "f64": (53, -1022, 1023)}  # digits, exponents


def nearest_integer(x, mode):
    floor = math.floor(x)
    if mode in ("rm", "rp", "rz"):
        down = mode == "rm" or (mode == "rz" and x >= 0)
        return floor if down else math.ceil(x)
    rest = x - floor
    return floor + (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and floor % 2 == 1))


def to_format(x, kind, mode="rn"):
    """A fraction rounded to `kind`, as a Python float."""
    digits, low, high = FORMATS[kind]
    if x == 0:
        return 0.0
    exponent = math.floor(math.log2(abs(x))) if abs(x) < 2**1000 and abs(x) > Fraction(1, 2**1000) else None
    if exponent is None:
        exponent = abs(x.numerator).bit_length() - x.denominator.bit_length()
    while Fraction(2) ** exponent > abs(x):
        exponent -= 1
    while Fraction(2) ** (exponent + 1) <= abs(x):
        exponent += 1
    step = Fraction(2) ** (max(exponent, low) - digits + 1)
    value = nearest_integer(x / step, mode) * step
    largest = (2 - Fraction(1, 2 ** (digits - 1))) * Fraction(2) ** high
    if abs(value) > largest:
        toward_zero = mode == "rz" or (mode == "rm" and value > 0) or (mode == "rp" and value < 0)
        return (float(largest) if toward_zero else math.inf) * (1 if value > 0 else -1)
    return float(value)


EDGES = {
    "f32": [0.0, -0.0, 1.0, -1.0, 1.5, -2.5, 3.0, 1e-3, -7.25, 1e10, 3.4028235e38, -3.4028235e38, 1.1754944e-38,
            1e-45, -3e-42, 16777216.0, 16777217.0, 0.1, -0.3, 1.0000001, 0.99999994, math.inf, -math.inf, math.nan],
    "f64": [0.0, -0.0, 1.0, -1.0, 1.5, -2.5, 0.1, -0.3, 1e-3, 1e100, -1e150, 1.7976931348623157e308, 9007199254740993.0,
            1 + 2**-52, 1 - 2**-53, math.inf, -math.inf, math.nan],
    "f16": [0.0, -0.0, 1.0, -1.0, 1.5, -2.5, 0.1, -0.3, 65504.0, -65504.0, 6.1e-5, 6e-8, 2048.0, 2049.0, 0.333,
            math.inf, -math.inf, math.nan],
}  # fmt: skip


def edges(kind):
    return [float(DTYPES[kind].type(v)) for v in EDGES[kind]]


def finite(*operands):
    return all(math.isfinite(o) for o in operands)


def special(name, operands):
    """What IEEE 754 says where an operand is not finite: float64 knows as well as any width."""
    with np.errstate(all="ignore"):
        wide = [np.float64(o) for o in operands]
        return {
            "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
            "div": lambda a, b: a / b, "fma": lambda a, b, c: a * b + c, "sqrt": np.sqrt, "rcp": lambda a: 1 / a,
        }[name](*wide)  # fmt: skip


EXACT = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b,
    "fma": lambda a, b, c: a * b + c, "rcp": lambda a: 1 / a,
}  # fmt: skip


def expected(name, operands, kind, mode):
    divides = name in ("div", "rcp") and operands[-1] == 0
    if not finite(*operands) or divides:
        return special(name, operands)
    exact = EXACT[name](*(Fraction(o) for o in operands))
    return to_format(exact, kind, mode) if exact else special(name, operands)


def check(name, opcode, kind, mode, count, tolerance=0.0):
    rows = list(itertools.product(edges(kind), repeat=count))
    if count == 3:
        rows = rows[:: 7 if kind == "f32" else 3]
    columns = [np.array(c, DTYPES[kind]) for c in zip(*rows, strict=True)]
    got = execute(opcode, (kind,) * count, kind, columns)
    wrong = []
    for row, value in zip(rows, got, strict=True):
        want = expected(name, row, kind, mode)
        same = (math.isnan(want) and np.isnan(value)) or float(value) == want
        if not same and (mode != "rn" or not math.isclose(float(value), want, rel_tol=tolerance)):
            wrong.append((row, float(value), want))
    assert not wrong, f"{opcode}: operands, got, expected: {wrong[:6]} ({len(wrong)} of {len(rows)})"


@pytest.mark.parametrize("mode", ["rn", "rz", "rm", "rp"])
@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "fma", "rcp"])
def test_f32_is_rounded_as_the_exact_result(name, mode):
    check(name, f"{name}.{mode}.f32", "f32", mode, {"fma": 3, "rcp": 1}.get(name, 2))


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "fma", "rcp"])
def test_f64_is_rounded_as_the_exact_result(name):
    check(name, f"{name}.rn.f64", "f64", "rn", {"fma": 3, "rcp": 1}.get(name, 2))


@pytest.mark.parametrize("name", ["add", "sub", "mul", "fma"])
def test_f16_is_rounded_as_the_exact_result(name):
    check(name, f"{name}.rn.f16", "f16", "rn", 3 if name == "fma" else 2)


def c_fma(name, ctype):
    function = getattr(ctypes.CDLL("libm.so.6"), name)
    function.argtypes, function.restype = [ctype] * 3, ctype
    return function


@pytest.mark.parametrize(("kind", "name", "ctype"), [
    ("f32", "fmaf", ctypes.c_float), ("f64", "fma", ctypes.c_double)])
def test_fma_equals_the_c_library(kind, name, ctype):
    rng = np.random.default_rng(3)
    columns = [(rng.standard_normal(2000) * 2.0 ** rng.integers(-20, 20, 2000)).astype(DTYPES[kind]) for _ in "abc"]
    columns[2][::2] = -(columns[0][::2].astype(np.float64) * columns[1][::2]).astype(DTYPES[kind])  # cancellation
    got = execute(f"fma.rn.{kind}", (kind,) * 3, kind, columns)
    want = np.array([c_fma(name, ctype)(*row) for row in zip(*(c.tolist() for c in columns), strict=True)], got.dtype)
    np.testing.assert_array_equal(got, want)


def flushed(x):
    return math.copysign(0.0, x) if x != 0 and abs(x) < 2.0**-126 else x


@pytest.mark.parametrize("name", ["add", "mul", "fma"])
def test_ftz_flushes_operands_and_results(name):
    count = 3 if name == "fma" else 2
    tiny = [1e-45, -3e-42, 1.1754944e-38, -1.1754944e-38, 2e-38, 0.5, -0.0, 1.0]
    rows = [tuple(float(np.float32(v)) for v in row) for row in itertools.product(tiny, repeat=count)]
    columns = [np.array(c, np.float32) for c in zip(*rows, strict=True)]
    got = execute(f"{name}.ftz.f32", ("f32",) * count, "f32", columns)
    want = [flushed(float(np.float32(expected(name, tuple(map(flushed, r)), "f32", "rn")))) for r in rows]
    np.testing.assert_array_equal(got, np.array(want, np.float32))
    np.testing.assert_array_equal(np.signbit(got)[got != 0], np.signbit(np.array(want))[got != 0])


@pytest.mark.parametrize("kind", ["f16", "f32", "f64"])
def test_min_and_max_prefer_numbers_and_order_zeros(kind):
    rows = list(itertools.product(edges(kind), repeat=2))
    columns = [np.array(c, DTYPES[kind]) for c in zip(*rows, strict=True)]
    for name, pick in (("min", min), ("max", max)):
        got = execute(f"{name}.{kind}", (kind, kind), kind, columns)
        for (a, b), value in zip(rows, got, strict=True):
            numbers = [v for v in (a, b) if not math.isnan(v)]
            if not numbers:
                assert np.isnan(value)
                continue
            want = pick(numbers, key=lambda v: (v, math.copysign(1, v)))
            assert float(value) == want and math.copysign(1, float(value)) == math.copysign(1, want), (name, a, b)


@pytest.mark.parametrize("kind", ["f16", "f32", "f64"])
def test_neg_and_abs_touch_only_the_sign(kind):
    column = [np.array(edges(kind), DTYPES[kind])]
    np.testing.assert_array_equal(execute(f"neg.{kind}", (kind,), kind, column), -column[0])
    np.testing.assert_array_equal(np.signbit(execute(f"abs.{kind}", (kind,), kind, column)[:-1]), False)


def test_saturation_clamps_to_one_and_nan_to_zero():
    a = np.array([0.25, 0.9, -3.0, math.nan, math.inf, -math.inf], np.float32)
    got = execute("add.sat.f32", ("f32", "f32"), "f32", [a, np.full(6, 0.5, np.float32)])
    np.testing.assert_array_equal(got, np.array([0.75, 1, 0, 0, 1, 0], np.float32))


@pytest.mark.parametrize(("name", "function"), [
    ("sin", math.sin), ("cos", math.cos), ("ex2", lambda x: 2.0**x), ("lg2", lambda x: math.log2(abs(x))),
    ("rcp", lambda x: 1 / x), ("sqrt", lambda x: math.sqrt(abs(x))), ("rsqrt", lambda x: 1 / math.sqrt(abs(x))),
    ("tanh", math.tanh)])
def test_approximations_stay_within_hardware_bounds(name, function):
    x = np.linspace(-3, 3, 500, dtype=np.float32)
    if name in ("lg2", "sqrt", "rsqrt"):
        x = np.abs(x)
    got = execute(f"{name}.approx{'' if name == 'tanh' else '.ftz'}.f32", ("f32",), "f32", [x])
    np.testing.assert_allclose(got, [function(float(v)) for v in x], rtol=4e-7, atol=4e-7)


def test_approximations_at_the_edges():
    x = np.array([0.0, -0.0, math.inf, -math.inf, math.nan, -1.0], np.float32)
    for name, want in {
        "rcp": [math.inf, -math.inf, 0, -0.0, math.nan, -1], "ex2": [1, 1, math.inf, 0, math.nan, 0.5],
        "lg2": [-math.inf, -math.inf, math.inf, math.nan, math.nan, math.nan],
        "rsqrt": [math.inf, -math.inf, 0, math.nan, math.nan, math.nan],
        "sqrt": [0, -0.0, math.inf, math.nan, math.nan, math.nan],
    }.items():  # fmt: skip
        got = execute(f"{name}.approx.ftz.f32", ("f32",), "f32", [x])
        np.testing.assert_array_equal(got, np.array(want, np.float32), err_msg=name)


INTEGRAL = {"rni": lambda x: nearest_integer(Fraction(x), "rn"), "rzi": math.trunc, "rmi": math.floor, "rpi": math.ceil}
NUMBERS = [0.0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 0.99999994, 127.5, 128.0, -129.0, 255.5, 65535.5, 2147483520.0,
           2147483648.0, -2147483648.0, 4294967040.0, 4294967296.0, 1e19, -1e19, 1e30, math.inf, -math.inf]  # fmt: skip


@pytest.mark.parametrize("target", ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"])
@pytest.mark.parametrize("mode", list(INTEGRAL))
@pytest.mark.parametrize("source", ["f32", "f64"])
def test_float_to_integer_rounds_and_clamps(source, mode, target):
    got = execute(f"cvt.{mode}.{target}.{source}", (source,), target, [np.array(NUMBERS, DTYPES[source])])
    info = np.iinfo(DTYPES[target])
    for number, value in zip(NUMBERS, got, strict=True):
        x = float(DTYPES[source].type(number))
        limit = info.max if x > 0 else info.min
        want = limit if math.isinf(x) else max(info.min, min(info.max, INTEGRAL[mode](x)))
        assert int(value) == want, (x, int(value), want)


@pytest.mark.parametrize("mode", list(INTEGRAL))
def test_float_to_integral_float(mode):
    x = [float(np.float32(v)) for v in NUMBERS if finite(v)]
    got = execute(f"cvt.{mode}.f32.f32", ("f32",), "f32", [np.array(x, np.float32)])
    assert [float(v) for v in got] == [float(INTEGRAL[mode](v)) for v in x]


@pytest.mark.parametrize("mode", ["rn", "rz", "rm", "rp"])
@pytest.mark.parametrize(("source", "target"), [("f64", "f32"), ("f32", "f16"), ("f64", "f16")])
def test_narrowing_rounds_as_told(source, target, mode):
    rng = np.random.default_rng(5)
    x = [*edges(source), *(rng.standard_normal(60) * 2.0 ** rng.integers(-30, 20, 60)).astype(DTYPES[source]).tolist()]
    got = execute(f"cvt.{mode}.{target}.{source}", (source,), target, [np.array(x, DTYPES[source])])
    for value, out in zip(x, got, strict=True):
        want = to_format(Fraction(value), target, mode) if finite(value) else value
        assert float(out) == want or (math.isnan(want) and np.isnan(out)), (value, float(out), want)


@pytest.mark.parametrize("mode", ["rn", "rz", "rm", "rp"])
@pytest.mark.parametrize("target", ["f32", "f64"])
@pytest.mark.parametrize("source", ["u32", "s32", "u64", "s64"])
def test_integer_to_float_rounds_as_told(source, target, mode):
    info = np.iinfo(DTYPES[source])
    x = [0, 1, 3, 16777217, 16777219, info.max, info.max - 1, info.min, info.min // 3, info.max // 7, 2**24 + 3]
    got = execute(f"cvt.{mode}.{target}.{source}", (source,), target, [np.array(x, DTYPES[source])])
    assert [float(v) for v in got] == [to_format(Fraction(v), target, mode) for v in x]


UNORDERED = {"equ": "eq", "neu": "ne", "ltu": "lt", "leu": "le", "gtu": "gt", "geu": "ge"}


@pytest.mark.parametrize("kind", ["f16", "f32", "f64"])
@pytest.mark.parametrize("name", ["eq", "ne", "lt", "le", "gt", "ge", *UNORDERED, "num", "nan"])
def test_float_comparison(name, kind):
    rows = list(itertools.product(edges(kind), repeat=2))
    columns = [np.array(c, DTYPES[kind]) for c in zip(*rows, strict=True)]
    got = execute(f"setp.{name}.{kind}", (kind, kind), "pred", columns)
    for (a, b), value in zip(rows, got, strict=True):
        nan = math.isnan(a) or math.isnan(b)
        if name in ("num", "nan") or nan:
            want = nan == (name == "nan" or name in UNORDERED) if name in ("num", "nan") else name in UNORDERED
        else:
            order = UNORDERED.get(name, name)
            want = {"eq": a == b, "ne": a != b, "lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b}[order]
        assert bool(value) == want, (name, a, b)


def test_half_pairs_compute_both_halves():
    rng = np.random.default_rng(0)
    halves = [rng.standard_normal((50, 2)).astype(np.float16) for _ in range(3)]
    packed = [h.view(np.uint32)[:, 0] for h in halves]
    got = execute("fma.rn.f16x2", ("f16x2",) * 3, "f16x2", packed).view(np.float16).reshape(-1, 2)
    want = halves[0].astype(np.float64) * halves[1] + halves[2]
    np.testing.assert_array_equal(got, want.astype(np.float16))


@pytest.mark.parametrize(("name", "want"), [
    ("finite", [1, 1, 1, 0, 0]), ("infinite", [0, 0, 0, 1, 0]), ("notanumber", [0, 0, 0, 0, 1]),
    ("number", [1, 1, 1, 1, 0]), ("normal", [1, 0, 0, 0, 0]), ("subnormal", [0, 0, 1, 0, 0])])
def test_testp(name, want):
    x = np.array([1.0, 0.0, 1e-45, -math.inf, math.nan], np.float32)
    assert list(execute(f"testp.{name}.f32", ("f32",), "pred", [x])) == [bool(w) for w in want]


def test_copysign_takes_the_sign_of_its_first_operand():
    signs, sizes = np.array([-0.0, 2], np.float32), np.array([3, -4], np.float32)
    got = execute("copysign.f32", ("f32", "f32"), "f32", [signs, sizes])
    np.testing.assert_array_equal(got, [-3, 4])
