"""Integer, logic and bit opcodes against Python's integers, on edge values of every width."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gpucourse.simt.instructions import DTYPES
from tests.simt.ptx_harness import execute


def bits_of(kind):
    return 8 * DTYPES[kind].itemsize


def wrap(value, kind):
    """`value` as an integer of `kind`, wrapped around."""
    width = bits_of(kind)
    value &= (1 << width) - 1
    return value - (1 << width) if kind[0] == "s" and value >> (width - 1) else value


def edges(kind):
    width = bits_of(kind)
    raw = [0, 1, 2, 3, 5, 7, 31, 100, (1 << width) - 1, (1 << width) - 2, 1 << (width - 1), (1 << (width - 1)) - 1,
           (1 << (width - 1)) + 1, 0x55AA55AA55AA55AA, 0x123456789ABCDEF0, 0x00FF00FF]  # fmt: skip
    return sorted({wrap(v, kind) for v in raw})


def cut(a, b):
    """C's division: toward zero."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def quotient(a, b, kind):
    return -1 if b == 0 else cut(a, b)


def remainder(a, b, kind):
    return a if b == 0 else a - b * cut(a, b)


def u(a, kind):
    return a & (1 << bits_of(kind)) - 1


def reverse(a, kind):
    return int(f"{u(a, kind):0{bits_of(kind)}b}"[::-1], 2)


def find_top(a, kind):
    if kind[0] == "s" and a < 0:
        a = ~a
    return u(a, kind).bit_length() - 1


def shift_right(a, n, kind):
    return a >> min(n, 64)


def shift_left(a, n, kind):
    return a << n if n < bits_of(kind) else 0


def extract(a, start, length, kind):
    """The loop of the PTX manual for bfe."""
    start, length, top = start & 255, length & 255, bits_of(kind) - 1
    sign = 0
    if kind[0] == "s" and length:
        sign = u(a, kind) >> min(start + length - 1, top) & 1
    out = 0
    for place in range(top + 1):
        inside = place < length and start + place <= top
        out |= (u(a, kind) >> (start + place) & 1 if inside else sign) << place
    return out


def insert(a, b, start, length, kind):
    start, length = start & 255, length & 255
    out = u(b, kind)
    for place in range(length):
        if start + place < bits_of(kind):
            bit = u(a, kind) >> place & 1 if place < bits_of(kind) else 0
            out = out & ~(1 << (start + place)) | bit << (start + place)
    return out


def permute(a, b, selector, kind):
    data = (b & 0xFFFFFFFF) << 32 | a & 0xFFFFFFFF
    out = 0
    for place in range(4):
        pick = selector >> 4 * place & 15
        byte = data >> 8 * (pick & 7) & 255
        out |= (255 * (byte >> 7) if pick & 8 else byte) << 8 * place
    return out


def sum24(a, b, kind):
    low = [wrap((v & 0xFFFFFF) << 8, kind) >> 8 for v in (a, b)]
    return low[0] * low[1]


WIDTHS = ("u16", "s16", "u32", "s32", "u64", "s64")
UNTYPED = ("b16", "b32", "b64")
WIDE = {"u16": "u32", "s16": "s32", "u32": "u64", "s32": "s64"}

# name, kinds, result kind (None: the same), oracle(*operands, kind), number of operands of the kind
TABLE = [
    ("add", WIDTHS, None, lambda a, b, k: a + b, 2),
    ("sub", WIDTHS, None, lambda a, b, k: a - b, 2),
    ("mul.lo", WIDTHS, None, lambda a, b, k: a * b, 2),
    ("mul.hi", WIDTHS, None, lambda a, b, k: a * b >> bits_of(k), 2),
    ("mul.wide", tuple(WIDE), WIDE, lambda a, b, k: a * b, 2),
    ("mul24.lo", ("u32", "s32"), None, sum24, 2),
    ("div", WIDTHS, None, quotient, 2),
    ("rem", WIDTHS, None, remainder, 2),
    ("min", WIDTHS, None, lambda a, b, k: min(a, b), 2),
    ("max", WIDTHS, None, lambda a, b, k: max(a, b), 2),
    ("mad.lo", WIDTHS, None, lambda a, b, c, k: a * b + c, 3),
    ("mad.hi", WIDTHS, None, lambda a, b, c, k: (a * b >> bits_of(k)) + c, 3),
    ("sad", WIDTHS, None, lambda a, b, c, k: c + abs(a - b), 3),
    ("add.sat", ("s32",), None, lambda a, b, k: max(-(1 << 31), min((1 << 31) - 1, a + b)), 2),
    ("sub.sat", ("s32",), None, lambda a, b, k: max(-(1 << 31), min((1 << 31) - 1, a - b)), 2),
    ("neg", ("s16", "s32", "s64"), None, lambda a, k: -a, 1),
    ("abs", ("s16", "s32", "s64"), None, lambda a, k: abs(a), 1),
    ("and", UNTYPED, None, lambda a, b, k: a & b, 2),
    ("or", UNTYPED, None, lambda a, b, k: a | b, 2),
    ("xor", UNTYPED, None, lambda a, b, k: a ^ b, 2),
    ("not", UNTYPED, None, lambda a, k: ~a, 1),
    ("cnot", UNTYPED, None, lambda a, k: int(a == 0), 1),
    ("popc", ("b32", "b64"), "u32", lambda a, k: bin(a).count("1"), 1),
    ("clz", ("b32", "b64"), "u32", lambda a, k: bits_of(k) - a.bit_length(), 1),
    ("brev", ("b32", "b64"), None, reverse, 1),
    ("bfind", ("u32", "s32", "u64", "s64"), "u32", find_top, 1),
    ("prmt", ("b32",), None, permute, 3),
]
ROWS = [(name, kind, *row) for name, kinds, *row in TABLE for kind in kinds]


@pytest.mark.parametrize(("name", "kind", "result", "oracle", "count"), ROWS, ids=[f"{r[0]}.{r[1]}" for r in ROWS])
def test_integer_opcode(name, kind, result, oracle, count):
    result = result.get(kind) if isinstance(result, dict) else result or kind
    tuples = list(itertools.product(edges(kind), repeat=count))
    columns = [np.array(column, DTYPES[kind]) for column in zip(*tuples, strict=True)]
    got = execute(f"{name}.{kind}", (kind,) * count, result, columns)
    expected = [wrap(oracle(*operands, kind), result) for operands in tuples]
    wrong = [(t, int(g), e) for t, g, e in zip(tuples, got, expected, strict=True) if int(g) != e]
    assert not wrong, f"{name}.{kind}: operands, got, expected: {wrong[:5]}"


AMOUNTS = (0, 1, 5, 15, 16, 31, 32, 33, 63, 64, 65, 255, 65536, 0xFFFFFFFF)


@pytest.mark.parametrize("kind", ["b16", "b32", "b64"])
def test_shift_left_by_the_width_or_more_leaves_zero(kind):
    pairs = list(itertools.product(edges(kind), AMOUNTS))
    got = execute(f"shl.{kind}", (kind, "u32"), kind, _columns(pairs, kind, "u32"))
    assert [int(g) for g in got] == [wrap(shift_left(a, n, kind), kind) for a, n in pairs]


@pytest.mark.parametrize("kind", WIDTHS)
def test_shift_right_keeps_the_sign(kind):
    pairs = list(itertools.product(edges(kind), AMOUNTS))
    got = execute(f"shr.{kind}", (kind, "u32"), kind, _columns(pairs, kind, "u32"))
    assert [int(g) for g in got] == [wrap(shift_right(a, n, kind), kind) for a, n in pairs]


FIELDS = (0, 1, 7, 31, 32, 40, 63, 64, 255)


@pytest.mark.parametrize("kind", ["u32", "s32", "u64", "s64"])
def test_bit_field_extract(kind):
    rows = list(itertools.product(edges(kind), FIELDS, FIELDS))
    got = execute(f"bfe.{kind}", (kind, "u32", "u32"), kind, _columns(rows, kind, "u32", "u32"))
    wrong = [(r, int(g)) for r, g in zip(rows, got, strict=True) if int(g) != wrap(extract(*r, kind), kind)]
    assert not wrong, wrong[:5]


@pytest.mark.parametrize("kind", ["b32", "b64"])
def test_bit_field_insert(kind):
    rows = list(itertools.product(edges(kind)[:6], edges(kind)[-4:], FIELDS, FIELDS))
    got = execute(f"bfi.{kind}", (kind, kind, "u32", "u32"), kind, _columns(rows, kind, kind, "u32", "u32"))
    wrong = [(r, int(g)) for r, g in zip(rows, got, strict=True) if int(g) != wrap(insert(*r, kind), kind)]
    assert not wrong, wrong[:5]


@pytest.mark.parametrize("table", [0x00, 0x80, 0x96, 0xE8, 0xCA, 0xFF, 0x1B])
def test_lop3_is_its_truth_table(table):
    rows = list(itertools.product(edges("b32"), repeat=3))
    got = execute("lop3.b32", ("b32",) * 3, "b32", _columns(rows, *("b32",) * 3), tail=f", {table}")
    for (a, b, c), value in zip(rows, got, strict=True):
        for place in range(0, 32, 5):
            row = (a >> place & 1) << 2 | (b >> place & 1) << 1 | c >> place & 1
            assert int(value) >> place & 1 == table >> row & 1


@pytest.mark.parametrize("side", ["l", "r"])
@pytest.mark.parametrize("mode", ["wrap", "clamp"])
def test_funnel_shift(side, mode):
    rows = list(itertools.product(edges("b32")[:5], edges("b32")[-5:], (0, 1, 16, 31, 32, 33, 64)))
    got = execute(f"shf.{side}.{mode}.b32", ("b32", "b32", "u32"), "b32", _columns(rows, "b32", "b32", "u32"))
    for (low, high, n), value in zip(rows, got, strict=True):
        n = n & 31 if mode == "wrap" else min(n, 32)
        both = high << 32 | low
        assert int(value) == (both << n >> 32 if side == "l" else both >> n) & 0xFFFFFFFF


COMPARE = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
}  # fmt: skip
ALIAS = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [(n, k) for n in (*COMPARE, *ALIAS) for k in WIDTHS if k[0] == "u" or n in COMPARE],
)
def test_integer_comparison(name, kind):
    rows = list(itertools.product(edges(kind), repeat=2))
    got = execute(f"setp.{name}.{kind}", (kind, kind), "pred", _columns(rows, kind, kind))
    assert list(got) == [COMPARE[ALIAS.get(name, name)](a, b) for a, b in rows]


@pytest.mark.parametrize("target", ["u8", "s8", *WIDTHS])
@pytest.mark.parametrize("source", ["u8", "s8", *WIDTHS])
def test_integer_conversion_wraps_and_sat_clamps(source, target):
    values = edges(source)
    column = [np.array(values, DTYPES[source])]
    got = execute(f"cvt.{target}.{source}", (source,), target, column)
    assert [int(g) for g in got] == [wrap(v, target) for v in values]
    info = np.iinfo(DTYPES[target])
    clamped = execute(f"cvt.sat.{target}.{source}", (source,), target, column)
    assert [int(g) for g in clamped] == [max(info.min, min(info.max, v)) for v in values]


def _columns(rows, *kinds):
    return [np.array(column, DTYPES[kind]) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
