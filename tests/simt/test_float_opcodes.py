"""Floating-point opcodes against exact fractions rounded by a second implementation, and against C's library.

A table's opcode says what is tested: the oracle reads the rounding mode, `.ftz` and `.sat` from it.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from gpucourse.errors import SimulatorLacks
from gpucourse.simt.instructions import DTYPES
from tests.simt import exact_floats as exact
from tests.simt.ptx_harness import COVERED, execute, table

EDGES = {
    "f32": [0.0, -0.0, 1.0, -1.0, 1.5, -2.5, 3.0, 1e-3, -7.25, 1e10, 3.4028235e38, -3.4028235e38, 1.1754944e-38,
            1e-45, -3e-42, 16777216.0, 16777217.0, 0.1, -0.3, 1.0000001, 0.99999994, math.inf, -math.inf, math.nan],
    "f64": [0.0, -0.0, 1.0, -1.0, 1.5, -2.5, 0.1, -0.3, 1e-3, 1e100, -1e150, 1e-160, -1e200, 1.7976931348623157e308,
            9007199254740993.0, 1 + 2**-52, 1 - 2**-53, 5e-324, -1e-310, 2.2250738585072014e-308, 4e-300,
            math.inf, -math.inf, math.nan],
    "f16": [0.0, -0.0, 1.0, -1.0, 1.5, -2.5, 0.1, -0.3, 65504.0, -65504.0, 6.1e-5, 6e-8, -6e-6, 2048.0, 2049.0, 0.333,
            math.inf, -math.inf, math.nan],
}  # fmt: skip
OPERANDS = {"add": 2, "sub": 2, "mul": 2, "div": 2, "fma": 3, "mad": 3, "rcp": 1, "sqrt": 1}


def edges(kind):
    return [float(DTYPES[kind].type(v)) for v in EDGES[kind]]


@functools.cache
def tuples(kind, count):
    """Edge values in every combination (of three operands: a fixed choice), then random ones, many that cancel."""
    rows = list(itertools.product(edges(kind), repeat=count))
    rng = np.random.default_rng(count)
    spread = 6 if kind == "f16" else 40 if kind == "f32" else 400
    extra = rng.standard_normal((200, count)) * 2.0 ** rng.integers(-spread, spread, (200, count))
    if count == 3:
        rows = rows[:: 17 if kind == "f32" else 11]
        extra[::2, 2] = -extra[::2, 0] * extra[::2, 1]
    if count == 2:
        extra[::3, 1] = -extra[::3, 0] * (1 + 2.0**-9)
    with np.errstate(over="ignore", under="ignore"):
        return rows + [tuple(row) for row in extra.astype(DTYPES[kind]).tolist()]


def columns(rows, *kinds):
    return [np.array(c, DTYPES[k]) for c, k in zip(zip(*rows, strict=True), kinds, strict=True)]


def modifiers(opcode):
    """(name, kind, rounding mode, whether .ftz, whether .sat)."""
    name, *parts = opcode.split(".")
    mode = next((p for p in parts if p in ("rn", "rz", "rm", "rp")), "rn")
    return name, parts[-1].removesuffix("x2"), mode, "ftz" in parts, "sat" in parts


def finished(value, kind, ftz, sat):
    value = exact.saturated(value) if sat else value
    return exact.flushed(value, kind) if ftz else value


def same(got, want, kind):
    """Bit for bit, but any NaN is as good as another."""
    unsigned = f"u{DTYPES[kind].itemsize}"
    return (got.view(unsigned) == want.view(unsigned)) | (np.isnan(got) & np.isnan(want))


def report(opcode, rows, got, want, kind):
    wrong = np.flatnonzero(~same(got, want, kind))
    shown = [(rows[i], float(got[i]), float(want[i])) for i in wrong[:6]]
    assert not len(wrong), f"{opcode}: operands, got, expected: {shown} ({len(wrong)} of {len(rows)})"


def run(opcode, rows, kind):
    """Results of a float opcode on rows of operands; a pair type computes the rows forwards and backwards at once."""
    count = len(rows[0])
    values = columns(rows, *(kind,) * count)
    if not opcode.endswith("x2"):
        return execute(opcode, (kind,) * count, kind, values)
    pairs = [np.ascontiguousarray(np.stack([v, v[::-1]], axis=1)).view(np.uint32)[:, 0] for v in values]
    both = execute(opcode, ("f16x2",) * count, "f16x2", pairs).view(np.float16).reshape(-1, 2)
    assert same(both[:, 0], both[::-1, 1], kind).all(), f"{opcode}: the halves differ"
    return np.ascontiguousarray(both[:, 0])


def check(opcode, rows, oracle):
    """`oracle(*operands)` gives the exact operation's result; flushing and saturation are added here."""
    _, kind, _, ftz, sat = modifiers(opcode)
    flush = functools.partial(exact.flushed, kind=kind) if ftz else float
    want = np.array([finished(oracle(*map(flush, row)), kind, ftz, sat) for row in rows], DTYPES[kind])
    report(opcode, rows, run(opcode, rows, kind), want, kind)


# --- operations of IEEE 754 --------------------------------------------------------------------------

MODES = ("rn", "rz", "rm", "rp")
ARITHMETIC = [
    *(f"{n}{m}{f}{s}.f32" for n in ("add", "sub", "mul") for m in ("", ".rn", ".rz", ".rm", ".rp")
      for f in ("", ".ftz") for s in ("", ".sat")),
    *(f"{n}.{m}{f}{s}.f32" for n in ("fma", "mad") for m in MODES for f in ("", ".ftz") for s in ("", ".sat")),
    *(f"{n}{m}.f64" for n in ("add", "sub", "mul") for m in ("", ".rn", ".rz", ".rm", ".rp")),
    *(f"{n}.{m}.f64" for n in ("fma", "mad", "div", "rcp", "sqrt") for m in MODES),
    *(f"{n}.{m}{f}.f32" for n in ("div", "rcp", "sqrt") for m in MODES for f in ("", ".ftz")),
    *(f"{n}{m}{f}{s}.{k}" for n in ("add", "sub", "mul") for m in ("", ".rn") for f in ("", ".ftz")
      for s in ("", ".sat") for k in ("f16", "f16x2")),
    *(f"fma.rn{f}{s}.{k}" for f in ("", ".ftz") for s in ("", ".sat") for k in ("f16", "f16x2")),
]  # fmt: skip


@table(ARITHMETIC, "opcode")
def test_result_is_the_exact_one_rounded_once(opcode):
    name, kind, mode, _, _ = modifiers(opcode)
    rule = "fma" if name == "mad" else name
    check(opcode, tuples(kind, OPERANDS[name]), lambda *row: exact.expected(rule, row, kind, mode))


def c_function(name, ctype, count):
    function = getattr(ctypes.CDLL("libm.so.6"), name)
    function.argtypes, function.restype = [ctype] * count, ctype
    return function


@pytest.mark.parametrize(("kind", "name", "ctype"), [("f32", "fmaf", ctypes.c_float), ("f64", "fma", ctypes.c_double)])
def test_fma_equals_the_c_library(kind, name, ctype):
    rng = np.random.default_rng(3)
    values = [(rng.standard_normal(2000) * 2.0 ** rng.integers(-20, 20, 2000)).astype(DTYPES[kind]) for _ in "abc"]
    values[2][::2] = -(values[0][::2].astype(np.float64) * values[1][::2]).astype(DTYPES[kind])  # cancellation
    if kind == "f32":   # an exact sum just below the middle of two subnormal numbers: float64 alone loses that
        values[0][0], values[1][0], values[2][0] = 2**-75 * (1 + 2**-23), 2**-75 * (1 - 2**-23), (2**22 + 1) * 2.0**-149
    for v in values:
        v[1::4] *= DTYPES[kind].type(2.0 ** (-50 if kind == "f32" else -500))   # subnormal products and sums
    got = execute(f"fma.rn.{kind}", (kind,) * 3, kind, values)
    c = c_function(name, ctype, 3)
    want = np.array([c(*row) for row in zip(*(v.tolist() for v in values), strict=True)], got.dtype)
    np.testing.assert_array_equal(got, want)


# --- minimum, maximum, signs -------------------------------------------------------------------------


def extreme(name, a, b, propagates):
    """PTX ISA, min and max: a number beats NaN (`.NaN`: loses), and +0 is larger than -0."""
    numbers = [v for v in (a, b) if not math.isnan(v)]
    if (len(numbers) < 2 and propagates) or not numbers:
        return math.nan
    return {"min": min, "max": max}[name](numbers, key=lambda v: (v, math.copysign(1, v)))


MINMAX = [f"{n}{f}{p}.{k}" for n in ("min", "max") for k in ("f32", "f64", "f16", "f16x2")
          for f in ("", ".ftz") for p in ("", ".NaN") if k != "f64" or not f + p]  # fmt: skip


@table(MINMAX, "opcode")
def test_minimum_and_maximum(opcode):
    name, kind, *_ = modifiers(opcode)
    check(opcode, list(itertools.product(edges(kind), repeat=2)), lambda a, b: extreme(name, a, b, ".NaN" in opcode))


SIGNS = [f"{n}{f}.{k}" for n in ("neg", "abs") for k in ("f32", "f64", "f16", "f16x2")
         for f in ("", ".ftz") if k != "f64" or not f]  # fmt: skip


@table(SIGNS, "opcode")
def test_neg_and_abs_touch_only_the_sign(opcode):
    name, kind, *_ = modifiers(opcode)
    check(opcode, [(v,) for v in edges(kind)], {"neg": lambda a: -a, "abs": math.fabs}[name])


@table(["copysign.f32", "copysign.f64"], "opcode")
def test_copysign_takes_the_sign_of_its_first_operand(opcode):
    """PTX ISA, copysign: "copies sign bit of a into value of b", the other way round than C."""
    kind = opcode.split(".")[1]
    check(opcode, list(itertools.product(edges(kind), repeat=2)), lambda a, b: math.copysign(b, a))


CLASSES = {
    "finite": math.isfinite, "infinite": math.isinf, "notanumber": math.isnan, "number": lambda x: not math.isnan(x),
}  # fmt: skip


@table([f"testp.{n}.{k}" for n in (*CLASSES, "normal", "subnormal") for k in ("f32", "f64")], "opcode")
def test_testp(opcode):
    _, name, kind = opcode.split(".")
    least = exact.smallest_normal(kind)
    sizes = {"normal": lambda x: math.isfinite(x) and abs(x) >= least, "subnormal": lambda x: 0 < abs(x) < least}
    classes = {**CLASSES, **sizes}
    got = execute(opcode, (kind,), "pred", [np.array(edges(kind), DTYPES[kind])])
    assert got.tolist() == [classes[name](x) for x in edges(kind)]


# --- approximations: bounds of the PTX manual --------------------------------------------------------

TWO_PI = 2 * math.pi
#: name -> (exact function, operands, largest relative error, largest absolute error)
APPROXIMATE = {
    "sin.approx": (math.sin, np.linspace(-TWO_PI, TWO_PI, 999), 0, 2**-20.5),
    "cos.approx": (math.cos, np.linspace(-TWO_PI, TWO_PI, 999), 0, 2**-20.5),
    "ex2.approx": (lambda x: 2.0**x, np.linspace(-125.5, 127.5, 999), 2**-22, 0),
    "lg2.approx": (math.log2, 2.0 ** np.linspace(-125.5, 127.5, 999), 2**-22, 2**-22),
    "rcp.approx": (lambda x: 1 / x, 2.0 ** np.linspace(-125.5, 125.5, 999), 2**-23, 0),
    "sqrt.approx": (math.sqrt, 2.0 ** np.linspace(-125.5, 127.5, 999), 2**-23, 0),
    "rsqrt.approx": (lambda x: x**-0.5, 2.0 ** np.linspace(-125.5, 127.5, 999), 2**-22.9, 0),
    "tanh.approx": (math.tanh, np.linspace(-9, 9, 999), 2**-11, 0),
}
ONE_OPERAND = [f"{n}{f}.f32" for n in APPROXIMATE for f in ("", ".ftz") if not (f and n == "tanh.approx")]


@table(ONE_OPERAND, "opcode")
def test_approximation_keeps_the_manuals_bound(opcode):
    function, x, relative, absolute = APPROXIMATE[".".join(opcode.split(".")[:2])]
    x = x.astype(np.float32)
    got = execute(opcode, ("f32",), "f32", [x])
    want = np.array([function(float(v)) for v in x])
    assert (np.abs(got - want) <= np.maximum(relative * np.abs(want), absolute) + 1e-45).all()


@table(["ex2.approx.f16", "ex2.approx.f16x2", "tanh.approx.f16", "tanh.approx.f16x2"], "opcode")
def test_half_approximation_keeps_the_manuals_bound(opcode):
    function = {"ex2": lambda x: 2.0**x, "tanh": math.tanh}[opcode.split(".")[0]]
    rows = [(float(v),) for v in np.linspace(-7, 7, 500).astype(np.float16)]
    got, want = run(opcode, rows, "f16"), np.array([function(*row) for row in rows])
    assert (np.abs(got - want) <= np.maximum(2**-9.9 * np.abs(want), 2**-24)).all()


INF, NAN = math.inf, math.nan
SPECIAL = [0.0, -0.0, INF, -INF, NAN, -1.0, 1e-40, -1e-40, 1.0]
#: The tables of special values in the PTX manual; subnormal operands count as zeros with .ftz only.
AT_THE_EDGES = {
    "rcp.approx.ftz": [INF, -INF, 0.0, -0.0, NAN, -1.0, INF, -INF, 1.0],
    "ex2.approx.ftz": [1.0, 1.0, INF, 0.0, NAN, 0.5, 1.0, 1.0, 2.0],
    "lg2.approx.ftz": [-INF, -INF, INF, NAN, NAN, NAN, -INF, -INF, 0.0],
    "rsqrt.approx.ftz": [INF, -INF, 0.0, NAN, NAN, NAN, INF, -INF, 1.0],
    "sqrt.approx.ftz": [0.0, -0.0, INF, NAN, NAN, NAN, 0.0, -0.0, 1.0],
    "sin.approx.ftz": [0.0, -0.0, NAN, NAN, NAN, None, 0.0, -0.0, None],
    "cos.approx.ftz": [1.0, 1.0, NAN, NAN, NAN, None, 1.0, 1.0, None],
    "tanh.approx": [0.0, -0.0, 1.0, -1.0, NAN, None, 1e-40, -1e-40, None],
    "sqrt.approx": [0.0, -0.0, INF, NAN, NAN, NAN, None, NAN, 1.0],
    "rsqrt.approx": [INF, -INF, 0.0, NAN, NAN, NAN, None, NAN, 1.0],
    "lg2.approx": [-INF, -INF, INF, NAN, NAN, NAN, None, NAN, 0.0],
    "ex2.approx": [1.0, 1.0, INF, 0.0, NAN, 0.5, 1.0, 1.0, 2.0],
    "rcp.approx": [INF, -INF, 0.0, -0.0, NAN, -1.0, INF, -INF, 1.0],
}


@pytest.mark.parametrize("opcode", AT_THE_EDGES)
def test_approximation_of_special_values(opcode):
    want = np.array([0.5 if w is None else w for w in AT_THE_EDGES[opcode]], np.float32)
    got = execute(f"{opcode}.f32", ("f32",), "f32", [np.array(SPECIAL, np.float32)])
    told = np.array([w is not None for w in AT_THE_EDGES[opcode]])
    report(opcode, list(np.array(SPECIAL)[told]), got[told], want[told], "f32")


@table(["div.approx.f32", "div.approx.ftz.f32", "div.full.f32", "div.full.ftz.f32"], "opcode")
def test_fast_division(opcode):
    """PTX ISA, div: two units in the last place; `.approx` gives 0 for divisors beyond 2^126 (NaN for infinity)."""
    divisors = [1.0, -3.0, 0.1, 1e-30, 2.0**126, 1.5 * 2.0**126, -3e38, INF, -INF, 0.0, -0.0, NAN]
    rows = list(itertools.product([1.0, -2.5, 1e30, 3e38, INF, -INF, 0.0, NAN], divisors))
    got = execute(opcode, ("f32", "f32"), "f32", columns(rows, "f32", "f32"))
    for (a, b), value in zip(rows, got, strict=True):
        a, b = float(np.float32(a)), float(np.float32(b))
        want = exact.expected("div", (a, b), "f32", "rn")
        if ".approx" in opcode and 2.0**126 < abs(b) < INF:
            want = math.nan if math.isinf(a) else math.copysign(0.0, want) if not math.isnan(want) else want
        want = exact.flushed(want, "f32") if ".ftz" in opcode else want
        close = math.isclose(float(value), want, rel_tol=2**-22) or abs(value - want) <= 2 * 2.0**-149
        assert close or (math.isnan(want) and np.isnan(value)), (opcode, a, b, float(value), want)


@table(["rcp.approx.ftz.f64", "rsqrt.approx.ftz.f64"], "opcode")
def test_gross_approximation_in_double(opcode):
    """PTX ISA, rcp.approx.ftz.f64: reads the upper 32 bits of the operand and clears the lower 32 of the result."""
    rng = np.random.default_rng(1)
    x = np.concatenate([[1.0, 2.0, 0.1, 3e300, 1e-300], 2.0 ** rng.uniform(-1000, 1000, 300)])
    got = execute(opcode, ("f64",), "f64", [x])
    assert not (got.view(np.uint64) & 0xFFFFFFFF).any()
    want = 1 / x if opcode[1] == "c" else x**-0.5
    np.testing.assert_allclose(got, want, rtol=2**-19)
    special = np.array([0.0, -0.0, INF, NAN, 1e-310, -1e-310, -INF if opcode[1] == "c" else -1.0])
    told = np.array([INF, -INF, 0.0, NAN, INF, -INF, -0.0 if opcode[1] == "c" else NAN])
    report(opcode, special.tolist(), execute(opcode, ("f64",), "f64", [special]), told, "f64")


@table(["rsqrt.approx.f64"], "opcode")
def test_reciprocal_root_in_double(opcode):
    x = np.array([1.0, 4.0, 0.1, 1e-310, 1e300, 0.0, -0.0, INF, -1.0, NAN])
    with np.errstate(all="ignore"):
        want = np.array([1.0, 0.5, 0.1**-0.5, 1e-310**-0.5, 1e-150, INF, -INF, 0.0, NAN, NAN])
    np.testing.assert_allclose(execute(opcode, ("f64",), "f64", [x]), want, rtol=2**-20)


# --- comparisons and choices -------------------------------------------------------------------------

ORDERED = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
}  # fmt: skip
FLOAT_COMPARISONS = (*ORDERED, *(f"{n}u" for n in ORDERED), "num", "nan")


def compared(name, a, b):
    """PTX ISA, table of floating-point comparison operators: the `u` forms are true where an operand is NaN."""
    unordered = math.isnan(a) or math.isnan(b)
    if name in ("num", "nan"):
        return unordered == (name == "nan")
    return name not in ORDERED if unordered else ORDERED[name[:2]](a, b)


SETP = [f"setp.{n}{f}.{k}" for n in FLOAT_COMPARISONS for k in ("f16", "f32", "f64") for f in ("", ".ftz")
        if not (f and k == "f64")]  # fmt: skip


@table(SETP, "opcode")
def test_float_comparison(opcode):
    _, name, *_, kind = opcode.split(".")
    rows = list(itertools.product(edges(kind), repeat=2))
    got, other = execute(opcode, (kind, kind), ("pred", "pred"), columns(rows, kind, kind))
    flush = functools.partial(exact.flushed, kind=kind) if "ftz" in opcode else float
    assert got.tolist() == [compared(name, flush(a), flush(b)) for a, b in rows]
    assert (other == ~got).all()


@table([f"setp.{n}{f}.f16x2" for n in FLOAT_COMPARISONS for f in ("", ".ftz")], "opcode")
def test_half_pair_comparison_sets_a_predicate_for_each_half(opcode):
    name, kind = opcode.split(".")[1], "f16"
    rows = list(itertools.product(edges(kind), repeat=2))
    pairs = [np.ascontiguousarray(np.stack([c, c[::-1]], 1)).view(np.uint32)[:, 0] for c in columns(rows, kind, kind)]
    low, high = execute(opcode, ("f16x2",) * 2, ("pred", "pred"), pairs)
    flush = functools.partial(exact.flushed, kind=kind) if "ftz" in opcode else float
    want = [compared(name, flush(a), flush(b)) for a, b in rows]
    assert low.tolist() == want and high.tolist() == want[::-1]


SET = [f"set.{n}{f}.{d}.{k}" for n in FLOAT_COMPARISONS for k in ("f32", "f64") for d in ("u32", "s32", "f32")
       for f in ("", ".ftz") if not (f and k == "f64")]  # fmt: skip
SET += [f"set.{n}.{d}.f16" for n in FLOAT_COMPARISONS for d in ("f16", "u16", "s16", "u32", "s32")]


@table(SET, "opcode")
def test_set_writes_all_ones_or_one(opcode):
    _, name, *_, target, kind = opcode.split(".")
    rows = list(itertools.product(edges(kind), repeat=2))
    got = execute(opcode, (kind, kind), target, columns(rows, kind, kind))
    flush = functools.partial(exact.flushed, kind=kind) if "ftz" in opcode else float
    true = 1.0 if target[0] == "f" else DTYPES[target].type(-1 if target[0] == "s" else np.iinfo(DTYPES[target]).max)
    assert got.tolist() == [true if compared(name, flush(a), flush(b)) else 0 for a, b in rows]


VALUES = ("b16", "u16", "s16", "b32", "u32", "s32", "f32", "b64", "u64", "s64", "f64")


@table([f"slct{f}.{k}.f32" for k in VALUES for f in ("", ".ftz")], "opcode")
def test_slct_by_a_float(opcode):
    """PTX ISA, slct: -0 >= 0 holds, NaN picks b, and with .ftz a small negative number counts as zero."""
    kind = opcode.split(".")[-2]
    chooser = np.array([0.0, -0.0, 1.0, -1.0, NAN, INF, -INF, -1e-40, 1e-40], np.float32)
    a, b = np.full(len(chooser), 7, DTYPES[kind]), np.full(len(chooser), 9, DTYPES[kind])
    got = execute(opcode, (kind, kind, "f32"), kind, [a, b, chooser])
    want = [7 if c >= 0 or (".ftz" in opcode and c == np.float32(-1e-40)) else 9 for c in chooser]
    assert got.tolist() == want


@table([f"{name}.{kind}" for name in ("mov", "selp") for kind in ("f32", "f64")], "opcode")
def test_moves_keep_all_bits(opcode):
    name, kind = opcode.split(".")
    bits = {"f32": np.uint32, "f64": np.uint64}[kind]
    a, top = np.array(edges(kind), DTYPES[kind]).view(bits), np.iinfo(bits).max
    a = np.concatenate([a, np.array([top, top // 2, top // 2 - 5], bits)]).view(DTYPES[kind])   # NaNs of all kinds
    b, first = a[::-1].copy(), np.arange(len(a)) % 2 == 0
    operands = {"mov": ((kind,), [a]), "selp": ((kind, kind, "pred"), [a, b, first])}[name]
    got = execute(opcode, operands[0], kind, operands[1])
    assert got.view(bits).tolist() == (a if name == "mov" else np.where(first, a, b)).view(bits).tolist()


# --- conversions -------------------------------------------------------------------------------------

INTEGRAL = {"rni": "rn", "rzi": "rz", "rmi": "rm", "rpi": "rp"}
NUMBERS = [0.0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.99999994, 1e-40, -1e-40, 127.5, 128.0, -128.5, -129.0, 255.5,
           256.0, 32767.5, -32769.0, 65504.0, 65535.5, 2147483520.0, 2147483647.0, 2147483648.0, -2147483648.0,
           4294967040.0, 4294967295.0, 4294967296.0, 9.223372036854775e18, 9.223372036854775807e18,
           1.8446744073709550e19, 1e19, -1e19, 1e30, INF, -INF, NAN]  # fmt: skip
INTEGERS = ("u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64")
FLOATS = ("f16", "f32", "f64")


def numbers(kind):
    with np.errstate(over="ignore"):
        return [float(v) for v in np.array(NUMBERS).astype(DTYPES[kind])]


def to_integer(x, mode, source, target):
    """PTX ISA, cvt: clamps; NaN gives 0, but the top bit alone from a double or to a 64-bit integer."""
    info = np.iinfo(DTYPES[target])
    if math.isnan(x):
        wide = source == "f64" or target in ("u64", "s64")
        return (1 << info.bits - 1 if target[0] == "u" else info.min) if wide else 0
    limit = info.max if x > 0 else info.min
    return limit if math.isinf(x) else max(info.min, min(info.max, exact.nearest_integer(Fraction(x), mode)))


TO_INTEGER = [f"cvt.{m}{f}{s}.{t}.{k}" for m in INTEGRAL for t in INTEGERS for k in FLOATS
              for f in ("", ".ftz") for s in ("", ".sat") if not (f and k != "f32")]  # fmt: skip


@table(TO_INTEGER, "opcode")
def test_float_to_integer_rounds_and_clamps(opcode):
    _, mode, *_, target, source = opcode.split(".")
    x = numbers(source)
    got = execute(opcode, (source,), target, [np.array(x, DTYPES[source])])
    flush = functools.partial(exact.flushed, kind=source) if "ftz" in opcode else float
    want = [to_integer(flush(v), INTEGRAL[mode], source, target) for v in x]
    wrong = [(v, int(g), w) for v, g, w in zip(x, got, want, strict=True) if int(g) != w]
    assert not wrong, (opcode, wrong)


def to_integral(x, mode):
    if not math.isfinite(x):
        return x
    return math.copysign(float(exact.nearest_integer(Fraction(x), mode)), x)   # -0.3 becomes -0.0


TO_INTEGRAL = [f"cvt.{m}{f}{s}.{k}.{k}" for m in INTEGRAL for k in FLOATS for f in ("", ".ftz") for s in ("", ".sat")
               if not (f and k != "f32")]  # fmt: skip


@table(TO_INTEGRAL, "opcode")
def test_float_to_integral_float(opcode):
    _, kind, _, ftz, sat = modifiers(opcode)
    mode, x = INTEGRAL[opcode.split(".")[1]], numbers(kind)
    flush = functools.partial(exact.flushed, kind=kind) if ftz else float
    want = np.array([finished(to_integral(flush(v), mode), kind, ftz, sat) for v in x], DTYPES[kind])
    report(opcode, x, execute(opcode, (kind,), kind, [np.array(x, DTYPES[kind])]), want, kind)


BETWEEN_FLOATS = [
    *(f"cvt.{m}{f}{s}.{t}.{k}" for m in MODES for f in ("", ".ftz") for s in ("", ".sat")
      for k, t in (("f64", "f32"), ("f32", "f16"), ("f64", "f16")) if not (f and (k, t) == ("f64", "f16"))),
    *(f"cvt{f}{s}.{t}.{k}" for f in ("", ".ftz") for s in ("", ".sat")
      for k, t in (("f16", "f32"), ("f16", "f64"), ("f32", "f64")) if not (f and (k, t) == ("f16", "f64"))),
    *(f"cvt{f}{s}.{k}.{k}" for k in FLOATS for f in ("", ".ftz") for s in ("", ".sat") if not (f and k != "f32")),
]  # fmt: skip


@table(BETWEEN_FLOATS, "opcode")
def test_float_to_float_rounds_as_told(opcode):
    """`.ftz` flushes a single-precision source or result; a half or a double is never flushed."""
    *_, target, source = opcode.split(".")
    _, _, mode, ftz, sat = modifiers(opcode)
    x = [v for (v,) in tuples(source, 1)]
    want = []
    for v in x:
        v = exact.flushed(v, "f32") if ftz and source == "f32" else v
        v = exact.to_format(Fraction(v), target, mode) if math.isfinite(v) and v else v
        want.append(finished(v, target, ftz and target == "f32", sat))
    report(opcode, x, execute(opcode, (source,), target, [np.array(x, DTYPES[source])]),
           np.array(want, DTYPES[target]), target)  # fmt: skip


FROM_INTEGER = [f"cvt.{m}{s}.{t}.{k}" for m in MODES for s in ("", ".sat") for t in FLOATS for k in INTEGERS]


@table(FROM_INTEGER, "opcode")
def test_integer_to_float_rounds_as_told(opcode):
    *_, target, source = opcode.split(".")
    _, _, mode, _, sat = modifiers(opcode)
    info = np.iinfo(DTYPES[source])
    raw = [0, 1, 3, 100, info.max, info.max - 1, info.min, info.min // 3, info.max // 7, 2049, 65519, 65520, 65521,
           2**24 + 1, 2**24 + 3, 2**53 + 1, -(2**53) - 3]  # fmt: skip
    x = sorted({v for v in raw if info.min <= v <= info.max})
    want = [finished(exact.to_format(Fraction(v), target, mode), target, False, sat) for v in x]
    report(opcode, x, execute(opcode, (source,), target, [np.array(x, DTYPES[source])]),
           np.array(want, DTYPES[target]), target)  # fmt: skip


# --- what the simulator must not take for something else ---------------------------------------------

REFUSED = [
    ("fma.rn.relu.f16", "f16", 3), ("min.xorsign.abs.f32", "f32", 2), ("max.xorsign.abs.f32", "f32", 2),
    ("cvt.rn.relu.f16.f32", "f32", 1), ("add.rn.bf16", "f16", 2),
]  # fmt: skip


@pytest.mark.parametrize(("opcode", "kind", "count"), REFUSED, ids=[r[0] for r in REFUSED])
def test_an_unknown_modifier_is_refused_rather_than_ignored(opcode, kind, count):
    with pytest.raises(SimulatorLacks, match=opcode.split(".")[0]):
        execute(opcode, (kind,) * count, kind, [np.ones(1, DTYPES[kind])] * count)


def test_an_immediate_is_rounded_to_the_instructions_type():
    """PTX ISA, 4.5.2: 0f and 0d give the bits; a double constant in a single-precision context is converted."""
    x = np.array([1.0, -2.0], np.float32)
    tenth = np.float32(0.1)
    for text, want in (("0f3DCCCCCD", tenth), ("0d3FB999999999999A", tenth), ("0fFF800000", -np.inf)):
        np.testing.assert_array_equal(execute("add.f32", ("f32",), "f32", [x], tail=f", {text}"), x + np.float32(want))
    flushed = execute("add.ftz.f32", ("f32",), "f32", [x], tail=", 0f00000001")   # a subnormal constant counts as zero
    np.testing.assert_array_equal(flushed, x)
    np.testing.assert_array_equal(execute("mul.ftz.f32", ("f32",), "f32", [x * 1e38], tail=", 0f00000001"), x * 0)
    np.testing.assert_array_equal(
        execute("add.f64", ("f64",), "f64", [np.zeros(1)], tail=", 0d3FB999999999999A"), np.array([0.1]))


COVERED.add("immediate 0f")
COVERED.add("immediate 0d")
