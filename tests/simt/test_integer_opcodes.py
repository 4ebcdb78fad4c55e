"""Integer, logic and bit opcodes against Python's integers, on edge values of every width.

Oracles follow the pseudo code of PTX ISA 8.5; what is undefined there is left out.
"""

from __future__ import annotations

import itertools
from collections import defaultdict

import numpy as np
import pytest

from gpucourse.errors import SimulatorLacks
from gpucourse.simt.instructions import DTYPES
from gpucourse.simt.link import Program
from gpucourse.simt.run import launch
from tests.simt.ptx_harness import COVERED, body_ptx, execute, register, run_body, table


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


def product24(a, b, kind):
    """The 48 bits of the product of the low 24 bits."""
    low = [wrap((v & 0xFFFFFF) << 8, kind) >> 8 for v in (a, b)]
    return low[0] * low[1]


def clamp(value, kind):
    info = np.iinfo(DTYPES[kind])
    return max(info.min, min(info.max, value))


def shift_amount(a, kind):
    """How far to shift left until the found bit is the topmost."""
    place = find_top(a, kind)
    return place if place < 0 else bits_of(kind) - 1 - place


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
    ("mul24.lo", ("u32", "s32"), None, product24, 2),
    ("mul24.hi", ("u32", "s32"), None, lambda a, b, k: product24(a, b, k) >> 16, 2),
    ("mad24.lo", ("u32", "s32"), None, lambda a, b, c, k: product24(a, b, k) + c, 3),
    ("mad24.hi", ("u32", "s32"), None, lambda a, b, c, k: (product24(a, b, k) >> 16) + c, 3),
    ("mad24.hi.sat", ("s32",), None, lambda a, b, c, k: clamp((product24(a, b, k) >> 16) + c, k), 3),
    ("div", WIDTHS, None, quotient, 2),
    ("rem", WIDTHS, None, remainder, 2),
    ("min", WIDTHS, None, lambda a, b, k: min(a, b), 2),
    ("max", WIDTHS, None, lambda a, b, k: max(a, b), 2),
    ("mad.lo", WIDTHS, None, lambda a, b, c, k: a * b + c, 3),
    ("mad.hi", WIDTHS, None, lambda a, b, c, k: (a * b >> bits_of(k)) + c, 3),
    ("mad.hi.sat", ("s32",), None, lambda a, b, c, k: clamp((a * b >> 32) + c, k), 3),
    ("sad", WIDTHS, None, lambda a, b, c, k: c + abs(a - b), 3),
    ("add.sat", ("s32",), None, lambda a, b, k: clamp(a + b, k), 2),
    ("sub.sat", ("s32",), None, lambda a, b, k: clamp(a - b, k), 2),
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
    ("bfind.shiftamt", ("u32", "s32", "u64", "s64"), "u32", shift_amount, 1),
]
ROWS = [(f"{name}.{kind}", kind, *row) for name, kinds, *row in TABLE for kind in kinds]


@table(ROWS, "opcode, kind, result, oracle, count")
def test_integer_opcode(opcode, kind, result, oracle, count):
    result = result.get(kind) if isinstance(result, dict) else result or kind
    rows = list(itertools.product(edges(kind), repeat=count))
    check(opcode, (kind,) * count, result, rows, lambda *operands: oracle(*operands, kind))


def check(opcode, operands, result, rows, oracle):
    """Hold `opcode` against `oracle` on `rows`, tuples of operands of the kinds `operands`."""
    got = execute(opcode, operands, result, _columns(rows, *operands))
    expected = [wrap(int(oracle(*row)), result) for row in rows]
    wrong = [(r, int(g), e) for r, g, e in zip(rows, got, expected, strict=True) if int(g) != e]
    assert not wrong, f"{opcode}: operands, got, expected: {wrong[:5]}"


@table(f"mad.wide.{kind}" for kind in WIDE)
def test_wide_product_and_sum(row):
    kind = row.rpartition(".")[2]
    rows = list(itertools.product(edges(kind)[::2], edges(kind)[1::2], edges(WIDE[kind])[::2]))
    check(row, (kind, kind, WIDE[kind]), WIDE[kind], rows, lambda a, b, c: a * b + c)


AMOUNTS = (0, 1, 5, 15, 16, 31, 32, 33, 63, 64, 65, 255, 65536, 0xFFFFFFFF)


@table(f"shl.{kind}" for kind in UNTYPED)
def test_shift_left_by_the_width_or_more_leaves_zero(row):
    kind = row.partition(".")[2]
    rows = list(itertools.product(edges(kind), AMOUNTS))
    check(row, (kind, "u32"), kind, rows, lambda a, n: shift_left(a, n, kind))


@table(f"shr.{kind}" for kind in (*WIDTHS, *UNTYPED))
def test_shift_right_keeps_the_sign(row):
    kind = row.partition(".")[2]
    rows = list(itertools.product(edges(kind), AMOUNTS))
    check(row, (kind, "u32"), kind, rows, lambda a, n: shift_right(a, n, kind))


FIELDS = (0, 1, 7, 31, 32, 40, 63, 64, 255, 256)


@table(f"bfe.{kind}" for kind in ("u32", "s32", "u64", "s64"))
def test_bit_field_extract(row):
    kind = row.partition(".")[2]
    rows = list(itertools.product(edges(kind), FIELDS, FIELDS))
    check(row, (kind, "u32", "u32"), kind, rows, lambda *operands: extract(*operands, kind))


@table(f"bfi.{kind}" for kind in ("b32", "b64"))
def test_bit_field_insert(row):
    kind = row.partition(".")[2]
    rows = list(itertools.product(edges(kind)[:6], edges(kind)[-4:], FIELDS, FIELDS))
    check(row, (kind, kind, "u32", "u32"), kind, rows, lambda *operands: insert(*operands, kind))


@table([("lop3.b32", truth) for truth in (0x00, 0x80, 0x96, 0xE8, 0xCA, 0xFF, 0x1B)], "opcode, truth")
def test_lop3_is_its_truth_table(opcode, truth):
    rows = list(itertools.product(edges("b32"), repeat=3))
    got = execute(opcode, ("b32",) * 3, "b32", _columns(rows, *("b32",) * 3), tail=f", {truth}")
    for (a, b, c), value in zip(rows, got, strict=True):
        for place in range(0, 32, 5):
            row = (a >> place & 1) << 2 | (b >> place & 1) << 1 | c >> place & 1
            assert int(value) >> place & 1 == truth >> row & 1


@table(f"shf.{side}.{mode}.b32" for side in "lr" for mode in ("wrap", "clamp"))
def test_funnel_shift(row):
    _, side, mode, _ = row.split(".")

    def shifted(low, high, n):
        n = n & 31 if mode == "wrap" else min(n, 32)
        both = high << 32 | low
        return both << n >> 32 if side == "l" else both >> n

    rows = list(itertools.product(edges("b32")[:5], edges("b32")[-5:], (0, 1, 16, 31, 32, 33, 64, 0xFFFFFFFF)))
    check(row, ("b32", "b32", "u32"), "b32", rows, shifted)


PICKS = (0x3210, 0x7654, 0x0123, 0x6420, 0xFEDC, 0xBA98, 0x8F07, 0xFFFF3210, 0xE4C2)


def permuted_by(mode):
    """prmt's modes as the manual's table has them: byte i of the result, by the number in the two lowest bits of c."""
    rules = {
        "f4e": lambda i, s: s + i, "b4e": lambda i, s: (s - i) % 8, "rc8": lambda i, s: s,
        "ecl": lambda i, s: max(i, s), "ecr": lambda i, s: min(i, s), "rc16": lambda i, s: i % 2 + 2 * (s % 2),
    }  # fmt: skip
    rule = rules[mode]
    return lambda a, b, c: sum(((b << 32 | a) >> 8 * rule(i, c & 3) & 255) << 8 * i for i in range(4))


@table(["prmt.b32", *(f"prmt.b32.{mode}" for mode in ("f4e", "b4e", "rc8", "ecl", "ecr", "rc16"))])
def test_permutation_of_bytes(row):
    mode = row.split(".")[2:]
    numbers = (0x80FF7F01, 0x12345678, 0x00FF8040)
    rows = list(itertools.product(numbers, numbers, PICKS if not mode else (0, 1, 2, 3, 7, 0xFFFFFFFE)))
    check(row, ("b32",) * 3, "b32", rows, permuted_by(mode[0]) if mode else lambda a, b, c: permute(a, b, c, "b32"))


def bit_mask(a, b, clamp):
    """The manual's own words for bmsk."""
    a1, b1 = a & 31, b & 31
    mask0, mask1 = -1 << a1, -1 << a1 + b1
    overflow = a1 + b1 >= 32 or (clamp and (a >= 32 or b >= 32))
    if clamp and a >= 32:
        mask0 = 0
    if overflow:
        mask1 = 0
    elif b1 == 0:
        mask1 = -1
    return mask0 & ~mask1


def extended(a, b, kind, clamp):
    """The manual's own words for szext."""
    b1, too_large = b & 31, b >= 32 and clamp
    mask = 0 if too_large else -1 << b1
    sign = kind == "s32" and b1 and not too_large and a >> (b1 - 1) & 1
    return (a & ~mask) | (mask if sign else 0)


BITS = (0, 1, 2, 5, 15, 16, 30, 31, 32, 33, 63, 64, 255, 0x80000000, 0xFFFFFFFF)


@table(f"bmsk.{mode}.b32" for mode in ("clamp", "wrap"))
def test_mask_of_bits(row):
    check(row, ("b32", "b32"), "b32", list(itertools.product(BITS, BITS)), lambda a, b: bit_mask(a, b, "clamp" in row))


@table(f"szext.{mode}.{kind}" for mode in ("clamp", "wrap") for kind in ("u32", "s32"))
def test_extension_of_some_bits(row):
    kind = row[-3:]
    rows = list(itertools.product(edges(kind), BITS))
    check(row, (kind, "u32"), kind, rows, lambda a, b: extended(a, b, kind, "clamp" in row))


def nth_one(mask, base, offset):
    """The loop of the PTX manual for fns."""
    if offset == 0:
        return base if mask >> base & 1 else -1
    place, left, step = base, abs(offset) - 1, 1 if offset > 0 else -1
    while 0 <= place < 32:
        if mask >> place & 1:
            if left == 0:
                return place
            left -= 1
        place += step
    return -1


@table(["fns.b32"])
def test_nth_one_of_a_mask(row):
    masks, offsets = (0, 1, 0xAAAAAAAA, 0x80000001, 0xFFFFFFFF, 0x00F0), (-(2**31), -32, -5, -2, -1, 0, 1, 2, 5, 16, 33)
    rows = list(itertools.product(masks, (0, 1, 3, 6, 16, 30, 31), offsets))
    check(row, ("b32", "u32", "s32"), "b32", rows, nth_one)


# --- dot products ------------------------------------------------------------------------------------


def parts(value, width, kind):
    """Parts of `width` bits of a 32-bit number, the lowest first, read as `kind` says."""
    found = [value >> at & (1 << width) - 1 for at in range(0, 32, width)]
    return [v - (1 << width) if kind == "s32" and v >> (width - 1) else v for v in found]


def dot(a, b, c):
    return c + sum(x * y for x, y in zip(a, b, strict=True))


PACKED = (0, 0xFFFFFFFF, 0x80808080, 0x7F7F7F7F, 0x80FF7F01, 0x01020304, 0x80007FFF)
SIGNS = list(itertools.product(("u32", "s32"), repeat=2))


@table(f"dp4a.{a}.{b}" for a, b in SIGNS)
def test_dot_product_of_bytes(row):
    _, first, second = row.split(".")
    rows = list(itertools.product(PACKED, PACKED, (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)))
    check(row, ("b32",) * 3, "b32", rows, lambda a, b, c: dot(parts(a, 8, first), parts(b, 8, second), c))


@table(f"dp2a.{half}.{a}.{b}" for half in ("lo", "hi") for a, b in SIGNS)
def test_dot_product_of_halves_and_bytes(row):
    _, half, first, second = row.split(".")
    some = slice(0, 2) if half == "lo" else slice(2, 4)
    rows = list(itertools.product(PACKED, PACKED, (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)))
    check(row, ("b32",) * 3, "b32", rows, lambda a, b, c: dot(parts(a, 16, first), parts(b, 8, second)[some], c))


# --- carries -----------------------------------------------------------------------------------------

CARRIED = ("u32", "s32", "u64", "s64")


def in_steps(opcode, kind, rows):
    """[(result, what is left of the carry)] of `opcode` on unsigned `rows`, without a carry and with one."""
    width, count = bits_of(kind), len(rows[0])
    columns = [np.array(column, f"u{width // 8}") for column in zip(*rows, strict=True)]
    outs = [np.zeros(len(rows), columns[0].dtype) for _ in range(4)]
    reg, down = register(kind), opcode.startswith("sub")
    body = f".reg .{reg} %x, %y, %z, %w; "
    body += "".join(f"mad.wide.u32 %a{n}, %i, {width // 8}, %a{n}; " for n in range(count + 4))
    body += "".join(f"ld.global.{reg} %{'xyz'[n]}, [%a{n}]; " for n in range(count))
    clear, put = ("sub", "subc") if down else ("add", "addc")
    for carry in (0, 1):
        first = f"{clear}.cc.u{width} %w, {0 if down else -carry}, {carry}; "
        body += f"{first} {opcode} %w, {', '.join(f'%{v}' for v in 'xyz'[:count])}; "
        body += f"st.global.{reg} [%a{count + 2 * carry}], %w; {put}.u{width} %w, 0, 0; "
        body += f"st.global.{reg} [%a{count + 2 * carry + 1}], %w; "
    run_body(body, [*columns, *outs], blocks=len(rows), threads=1)
    return [list(zip(*(map(int, o) for o in pair), strict=True)) for pair in (outs[:2], outs[2:])]


def with_carry(opcode, kind, carry, operands):
    """What the manual says: result, and what a following addc (subc) of zeros makes of the carry (borrow)."""
    root, *modifiers = opcode.split(".")
    width = bits_of(kind)
    mask, used = (1 << width) - 1, carry if root in ("addc", "subc", "madc") else 0
    if root.startswith("mad"):
        signed = [wrap(v, kind) for v in operands[:2]]
        product = signed[0] * signed[1]
        operands = ((product >> width if "hi" in modifiers else product) & mask, operands[2])
    total = operands[0] - operands[1] - used if root.startswith("sub") else sum(operands) + used
    out = total >> width & 1 if "cc" in modifiers else carry
    return total & mask, -out & mask if root.startswith("sub") else out


@table(
    f"{name}.{kind}" for kind in CARRIED
    for name in ("add.cc", "addc", "addc.cc", "sub.cc", "subc", "subc.cc", "mad.lo.cc", "mad.hi.cc", "madc.lo",
                 "madc.hi", "madc.lo.cc", "madc.hi.cc")
)  # fmt: skip
def test_carry(row):
    kind = row[-3:]
    some = [v & (1 << bits_of(kind)) - 1 for v in edges(kind)]
    rows = list(itertools.product(some[::2] if row.startswith("mad") else some, repeat=2 + row.startswith("mad")))
    for carry, found in enumerate(in_steps(row, kind, rows)):
        wrong = [(r, f) for r, f in zip(rows, found, strict=True) if f != with_carry(row, kind, carry, r)]
        assert not wrong, f"{row} with carry {carry}: operands, (result, carry out): {wrong[:5]}"


def test_each_lane_has_its_own_carry() -> None:
    out = np.zeros(32, np.uint32)
    body = """mov.u32 %r1, %laneid; and.b32 %r2, %r1, 1; setp.ne.u32 %p1, %r2, 0; setp.lt.u32 %p2, %r1, 20;
        add.cc.u32 %r3, %r1, -16; @%p1 add.cc.u32 %r3, -1, %r2; @%p2 bra JOIN; add.cc.u32 %r3, 0, 0; JOIN:
        addc.u32 %r4, %r1, 0; mad.wide.u32 %a0, %i, 4, %a0; st.global.u32 [%a0], %r4;"""
    run_body(body, [out])
    assert out.tolist() == [lane + (lane < 20 and (lane >= 16 or lane % 2)) for lane in range(32)]


def test_sum_and_difference_of_256_bits() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 1 << 64, (2, 4, 50), np.uint64)
    a[1:3, ::3] = 2**64 - 1   # long chains of carries and borrows
    b[1:3, ::4] = a[1:3, ::4]
    for first, then, sign in (("add", "addc", 1), ("sub", "subc", -1)):
        out = np.zeros_like(a)
        body = "mad.wide.u32 %a0, %i, 8, %a0; mad.wide.u32 %a1, %i, 8, %a1; mad.wide.u32 %a2, %i, 8, %a2; "
        for n in range(4):
            body += f"ld.global.u64 %d1, [%a0+{400 * n}]; ld.global.u64 %d2, [%a1+{400 * n}]; "
            body += f"{then if n else first}{'.cc' if n < 3 else ''}.u64 %d3, %d1, %d2; "
            body += f"st.global.u64 [%a2+{400 * n}], %d3; "
        run_body(body, [a, b, out], blocks=10, threads=5)
        whole = [[sum(int(v) << 64 * n for n, v in enumerate(column)) for column in m.T] for m in (a, b, out)]
        assert whole[2] == [(x + sign * y) % (1 << 256) for x, y, _ in zip(*whole, strict=True)]


COMPARE = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
}  # fmt: skip
ALIAS = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}


COMBINE = {"and": lambda t, c: t and c, "or": lambda t, c: t or c, "xor": lambda t, c: t != c}
#: Comparison and kind, as far as PTX has them.
COMPARISONS = [(n, k) for n in (*COMPARE, *ALIAS) for k in (*WIDTHS, *UNTYPED)
               if k[0] == "u" or (n in COMPARE and k[0] == "s") or n in ("eq", "ne")]  # fmt: skip


def compare(name, a, b):
    return COMPARE[ALIAS.get(name, name)](a, b)


@table([(f"setp.{name}.{kind}", name, kind) for name, kind in COMPARISONS], "opcode, name, kind")
def test_integer_comparison(opcode, name, kind):
    rows = list(itertools.product(edges(kind), repeat=2))
    got = execute(opcode, (kind, kind), "pred", _columns(rows, kind, kind))
    assert list(got) == [compare(name, a, b) for a, b in rows]
    both = execute(opcode, (kind, kind), ("pred", "pred"), _columns(rows, kind, kind))
    assert list(both[0]) == list(got) and list(both[1]) == list(~got)


COMBINED = [(name, combine, kind) for name, kind in COMPARISONS for combine in COMBINE]


@table([(f"setp.{name}.{combine}.{kind}", name, combine, kind) for name, combine, kind in COMBINED],
       "opcode, name, combine, kind")  # fmt: skip
def test_comparison_combined_with_a_predicate(opcode, name, combine, kind):
    rows = [(*pair, c) for pair in itertools.product(edges(kind)[::2], repeat=2) for c in (False, True)]
    got = execute(opcode, (kind, kind, "pred"), ("pred", "pred"), _columns(rows, kind, kind, "pred"))
    flags = [compare(name, a, b) for a, b, _ in rows]
    join = COMBINE[combine]
    assert list(got[0]) == [join(t, c) for t, (_, _, c) in zip(flags, rows, strict=True)]
    assert list(got[1]) == [join(not t, c) for t, (_, _, c) in zip(flags, rows, strict=True)]


def test_predicates_may_be_negated_or_dropped() -> None:
    x, out = np.arange(32, dtype=np.int32), np.zeros((3, 32), np.uint32)
    y = x[::-1].copy()
    body = """mad.wide.u32 %a0, %i, 4, %a0; mad.wide.u32 %a1, %i, 4, %a1; mad.wide.u32 %a2, %i, 4, %a2;
        ld.global.s32 %r1, [%a0]; ld.global.s32 %r2, [%a1]; and.b32 %r3, %r1, 1; setp.ne.s32 %p1, %r3, 0;
        setp.lt.and.s32 %p2|%p3, %r1, %r2, !%p1; setp.lt.s32 %p4|_, %r1, %r2; setp.lt.s32 _|%p5, %r1, %r2;
        selp.u32 %r4, 1, 0, %p2; selp.u32 %r5, 2, 0, %p3; add.u32 %r4, %r4, %r5; st.global.u32 [%a2], %r4;
        selp.u32 %r4, 1, 0, %p4; st.global.u32 [%a2+128], %r4; selp.u32 %r4, 0, 1, %p5; st.global.u32 [%a2+256], %r4;"""
    run_body(body, [x, y, out])
    even, less = x % 2 == 0, x < y
    assert out.tolist() == [(even * np.where(less, 1, 2)).tolist(), less.tolist(), less.tolist()]


@table([(f"set.{name}.{to}.{kind}", name, to, kind) for name, kind in COMPARISONS for to in ("u32", "s32", "f32")],
       "opcode, name, to, kind")  # fmt: skip
def test_comparison_as_a_number(opcode, name, to, kind):
    rows = list(itertools.product(edges(kind), repeat=2))
    true = 1.0 if to == "f32" else wrap(-1, to)
    got = execute(opcode, (kind, kind), to, _columns(rows, kind, kind))
    assert list(got) == [true if compare(name, a, b) else 0 for a, b in rows]


@table([(f"set.{name}.{combine}.u32.{kind}", name, combine, kind) for name, combine, kind in COMBINED[::5]],
       "opcode, name, combine, kind")  # fmt: skip
def test_combined_comparison_as_a_number(opcode, name, combine, kind):
    rows = [(*pair, c) for pair in itertools.product(edges(kind)[::2], repeat=2) for c in (False, True)]
    join = COMBINE[combine]
    check(opcode, (kind, kind, "pred"), "u32", rows, lambda a, b, c: -int(join(compare(name, a, b), c)))


@table(f"selp.{kind}" for kind in (*WIDTHS, *UNTYPED))
def test_selection_by_a_predicate(row):
    kind = row.partition(".")[2]
    rows = [(*pair, c) for pair in itertools.product(edges(kind)[::3], repeat=2) for c in (False, True)]
    check(row, (kind, kind, "pred"), kind, rows, lambda a, b, c: a if c else b)


@table(f"slct.{kind}.s32" for kind in (*WIDTHS, *UNTYPED))
def test_selection_by_a_sign(row):
    kind = row.split(".")[1]
    rows = list(itertools.product(edges(kind)[::3], edges(kind)[::4], edges("s32")))
    check(row, (kind, kind, "s32"), kind, rows, lambda a, b, c: a if c >= 0 else b)


@table(f"{name}.pred" for name in ("and", "or", "xor"))
def test_logic_of_predicates(row):
    rows = list(itertools.product((False, True), repeat=2))
    got = execute(row, ("pred", "pred"), "pred", _columns(rows, "pred", "pred"))
    assert list(got) == [COMBINE[row.partition(".")[0]](a, b) for a, b in rows]


@table(["not.pred", "mov.pred"])
def test_copies_of_predicates(row):
    got = execute(row, ("pred",), "pred", [np.array([False, True])])
    assert list(got) == ([True, False] if row == "not.pred" else [False, True])


@table(f"cvt{sat}.{target}.{source}" for source in ("u8", "s8", *WIDTHS) for target in ("u8", "s8", *WIDTHS)
       for sat in ("", ".sat"))  # fmt: skip
def test_integer_conversion_wraps_and_sat_clamps(row):
    *_, target, source = row.split(".")
    rows = [(v,) for v in edges(source)]
    check(row, (source,), target, rows, lambda v: clamp(v, target) if ".sat" in row else v)


@pytest.mark.parametrize("target", ["u8", "s8", *WIDTHS])
def test_a_wider_register_holds_the_extension_of_a_conversion(target):
    values = np.array(edges("s32"), np.int32)
    out = np.zeros(len(values), np.uint64)
    body = f"""mad.wide.u32 %a0, %i, 4, %a0; mad.wide.u32 %a1, %i, 8, %a1; ld.global.s32 %r1, [%a0];
        cvt.{target}.s32 %d1, %r1; st.global.u64 [%a1], %d1;"""
    run_body(body, [values, out], threads=len(values))
    COVERED.add(f"cvt.{target}.s32")
    assert out.tolist() == [wrap(wrap(int(v), target), "u64") for v in values]


# --- moves -------------------------------------------------------------------------------------------


@table(f"mov.{kind}" for kind in (*WIDTHS, *UNTYPED))
def test_move(row):
    kind = row.partition(".")[2]
    check(row, (kind,), kind, [(v,) for v in edges(kind)], lambda v: v)


PACKS = [("mov.b32", 2, "h", "r", 16), ("mov.b64", 2, "r", "d", 32), ("mov.b64", 4, "h", "d", 16)]


@table(PACKS, "opcode, count, small, large, width")
def test_packing_and_unpacking(opcode, count, small, large, width):
    rng = np.random.default_rng(1)
    x = rng.integers(0, 1 << count * width, 40, np.uint64).astype(f"u{count * width // 8}")
    packed, swapped = np.zeros_like(x), np.zeros_like(x)
    names = [f"%{small}{n}" for n in range(1, count + 1)]
    size = count * width // 8
    body = "".join(f"mad.wide.u32 %a{n}, %i, {size}, %a{n}; " for n in range(3))
    body += f"ld.global.b{8 * size} %{large}9, [%a0]; {opcode} {{{', '.join(names)}}}, %{large}9; "
    body += f"{opcode} %{large}8, {{{', '.join(names)}}}; st.global.b{8 * size} [%a1], %{large}8; "
    body += f"{opcode} %{large}8, {{{', '.join(reversed(names))}}}; st.global.b{8 * size} [%a2], %{large}8; "
    run_body(body, [x, packed, swapped], threads=40)
    assert packed.tolist() == x.tolist()
    assert swapped.tolist() == x.view(f"u{width // 8}").reshape(-1, count)[:, ::-1].copy().view(x.dtype)[:, 0].tolist()


def test_unpacking_may_drop_a_part() -> None:
    out = np.zeros(2, np.uint32)
    run_body("mov.b64 %d1, 0x1111111122222222; mov.b64 {%r1, _}, %d1; mov.b64 {_, %r2}, %d1;"
             "st.global.u32 [%a0], %r1; st.global.u32 [%a0+4], %r2;", [out], threads=1)  # fmt: skip
    assert out.tolist() == [0x22222222, 0x11111111]


GRID, EXTENT = (3, 2, 2), (5, 4, 3)   # 60 threads a block: the second of its warps is not full


def special_registers():
    """Special register -> its value in every thread, in the order of threads, computed one by one."""
    found = defaultdict(list)
    for block in itertools.product(*map(range, reversed(GRID))):
        for number, thread in enumerate(itertools.product(*map(range, reversed(EXTENT)))):
            lane = number % 32
            for n, axis in enumerate("zyx"):
                found[f"tid.{axis}"].append(thread[n])
                found[f"ctaid.{axis}"].append(block[n])
                found[f"ntid.{axis}"].append(EXTENT[2 - n])
                found[f"nctaid.{axis}"].append(GRID[2 - n])
            for name, value in (("laneid", lane), ("warpid", number // 32), ("nwarpid", 2)):
                found[name].append(value)
            for name, yes in (("eq", int.__eq__), ("lt", int.__lt__), ("le", int.__le__), ("gt", int.__gt__),
                              ("ge", int.__ge__)):  # fmt: skip
                found[f"lanemask_{name}"].append(sum(1 << other for other in range(32) if yes(other, lane)))
    return found


SPECIAL = dict(special_registers())


@table([(f"mov.u32 %{name}", name) for name in SPECIAL], "opcode, name")
def test_special_register(opcode, name):
    count = len(SPECIAL[name])
    out = np.zeros(count, np.uint32)
    flat = ["mov.u32 %r1, %ctaid.z; mov.u32 %r2, %ctaid.y; mov.u32 %r3, %ctaid.x; mov.u32 %r4, %tid.z;"
            "mov.u32 %r5, %tid.y; mov.u32 %r6, %tid.x; mov.u32 %r7, 0;"]  # fmt: skip
    for n, extent in enumerate((*reversed(GRID), *reversed(EXTENT))):
        flat.append(f"mad.lo.u32 %r7, %r7, {extent}, %r{n + 1};")
    body = f"{' '.join(flat)} mad.wide.u32 %a0, %r7, 4, %a0; mov.u32 %r8, %{name}; st.global.u32 [%a0], %r8;"
    run_in_space(body, out)
    assert out.tolist() == SPECIAL[name]


def run_in_space(body, out):
    """Run a body on a grid and blocks with three axes."""
    launch(Program(ptx=body_ptx(body, 1)), "k", GRID, EXTENT, (out,))


# --- address spaces ----------------------------------------------------------------------------------

#: Where an address points -> code that puts its generic form into %d1.
ADDRESSES = {
    "an array": "mov.u64 %d1, %a1", "a variable": "mov.u64 %d2, g; cvta.global.u64 %d1, %d2",
    "a constant": "mov.u64 %d2, c; cvta.const.u64 %d1, %d2",
    "a later constant": "cvta.const.u64 %d1, c2+396",
    "shared memory": "mov.u64 %d2, s; cvta.shared.u64 %d1, %d2",
    "shared memory of the block": "mov.u64 %d2, s; cvta.shared::cta.u64 %d1, %d2",
    "local memory": "mov.u64 %d2, l; cvta.local.u64 %d1, %d2",
    "a parameter": "mov.u64 %d2, p0; cvta.param.u64 %d1, %d2",
    "a parameter of the entry": "mov.u64 %d2, p1; cvta.param::entry.u64 %d1, %d2", "nothing": "mov.u64 %d1, 0",
}  # fmt: skip
#: isspacep's space -> how those addresses begin that are in it. The window of parameters is a part of global memory's,
#: that of constants is not (PTX ISA, "Generic Addressing" and isspacep).
INSIDE = {
    "global": ("an array", "a variable", "a parameter", "nothing"), "const": ("a constant", "a later constant"),
    "shared": ("shared",), "shared::cta": ("shared",), "local": ("local",), "param": ("a parameter",),
    "param::entry": ("a parameter",),
}  # fmt: skip


@table(f"isspacep.{space}" for space in INSIDE)
def test_space_of_an_address(row):
    out, other = np.full(len(ADDRESSES), 7, np.uint32), np.zeros(4, np.uint32)
    module = ".global .u32 g; .const .u32 c = 5; .const .u32 c2[100]; .shared .u32 s[4];"
    body = ".local .u32 l[4]; " + " ".join(
        f"{code}; {row} %p1, %d1; selp.u32 %r1, 1, 0, %p1; st.global.u32 [%a0+{4 * n}], %r1;"
        for n, code in enumerate(ADDRESSES.values()))  # fmt: skip
    run_body(body, [out, other], threads=1, module=module)
    due = {name: name.startswith(INSIDE[row.partition(".")[2]]) for name in ADDRESSES}
    assert dict(zip(ADDRESSES, out.astype(bool).tolist(), strict=True)) == due


def test_lanes_with_addresses_in_different_spaces() -> None:
    out = np.zeros(32, np.uint32)
    body = """cvta.const.u64 %d1, c; cvta.shared.u64 %d2, s; setp.lt.u32 %p1, %i, 10; selp.b64 %d1, %d1, %d2, %p1;
        setp.gt.u32 %p1, %i, 20; selp.b64 %d1, %a0, %d1, %p1; isspacep.const %p2, %d1; isspacep.shared %p3, %d1;
        isspacep.global %p4, %d1; selp.u32 %r1, 1, 0, %p2; selp.u32 %r2, 2, 0, %p3; selp.u32 %r3, 4, 0, %p4;
        add.u32 %r1, %r1, %r2; add.u32 %r1, %r1, %r3; mad.wide.u32 %a0, %i, 4, %a0; st.global.u32 [%a0], %r1;"""
    run_body(body, [out], module=".const .u32 c; .shared .u32 s;")
    assert out.tolist() == [1] * 10 + [2] * 11 + [4] * 11


# --- what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [  # NVIDIA's assembler refuses each, too
    "add.sat.u32 %r1, %r2, %r3", "add.sat.s64 %d1, %d2, %d3", "add.rn.s32 %r1, %r2, %r3", "add.ftz.u32 %r1, %r2, %r3",
    "add.sat.cc.s32 %r1, %r2, %r3", "add.cc.u16 %h1, %h2, %h3", "sub.wide.s32 %r1, %r2, %r3",
    "mul.lo.sat.s32 %r1, %r2, %r3", "mul.rn.s32 %r1, %r2, %r3", "mad.lo.sat.s32 %r1, %r2, %r3, %r4",
    "mad.hi.sat.u32 %r1, %r2, %r3, %r4", "mad24.hi.sat.u32 %r1, %r2, %r3, %r4", "mad24.lo.sat.s32 %r1, %r2, %r3, %r4",
    "mad.wide.cc.u32 %d1, %r2, %r3, %d2", "madc.wide.u32 %d1, %r2, %r3, %d2",
    "min.NaN.s32 %r1, %r2, %r3", "div.approx.s32 %r1, %r2, %r3", "abs.ftz.s32 %r1, %r2", "shl.wrap.b32 %r1, %r2, %r3",
    "dp2a.u32.u32 %r1, %r2, %r3, %r4", "dp4a.lo.u32.u32 %r1, %r2, %r3, %r4", "dp4a.u32 %r1, %r2, %r3, %r4",
    "dp4a.b32.u32 %r1, %r2, %r3, %r4", "prmt.b32.f5e %r1, %r2, %r3, %r4",
    "prmt.b32.f4e.b4e %r1, %r2, %r3, %r4", "prmt.b64 %d1, %d2, %d3, %r4", "popc.sat.b32 %r1, %r2",
    "fns.wrap.b32 %r1, %r2, %r3, %r4", "fns.b32 %r1, %r2, %r3", "setp.lt.b32 %p1, %r1, %r2",
    "setp.lo.s32 %p1, %r1, %r2", "setp.equ.u32 %p1, %r1, %r2", "setp.num.s32 %p1, %r1, %r2",
    "setp.lt.ftz.u32 %p1, %r1, %r2", "setp.lt.s32 %p1, %r1, %r2, %p2", "setp.lt.and.s32 %p1, %r1, %r2",
    "setp.lt.nand.s32 %p1, %r1, %r2, %p2", "set.hi.u32.s32 %r1, %r2, %r3", "set.lt.and.u32.s32 %r1, %r2, %r3",
    "cvta.shared::cluster.u64 %d1, %d2", "isspacep.shared::cluster %p1, %d1", "isspacep.tex %p1, %d1",
    "isspacep.const.u64 %p1, %d1",
])  # fmt: skip
def test_what_the_assembler_refuses_is_refused(text):
    with pytest.raises(SimulatorLacks) as raised:
        run_body(f"{text};", [np.zeros(1, np.uint32)])
    assert text.partition(" ")[0] in str(raised.value)


def _columns(rows, *kinds):
    return [np.array(column, DTYPES[kind]) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
