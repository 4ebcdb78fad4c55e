"""SIMD video instructions against the loops of PTX ISA 8.5, and CUDA's SIMD intrinsics against the Math API's words."""

from __future__ import annotations

import functools
import itertools
import operator

import numpy as np
import pytest

from gpucourse.errors import SimulatorLacks
from gpucourse.simt.link import Program
from gpucourse.simt.run import launch
from tests.simt.front_ends import FRONT_ENDS, force
from tests.simt.ptx_harness import execute, run_body, table


def halved(total):
    """Half of a sum, ties away from zero."""
    return (total + 1) >> 1 if total >= 0 else total >> 1


ARITHMETIC = {
    "add": operator.add, "sub": operator.sub, "avrg": lambda a, b: halved(a + b), "absdiff": lambda a, b: abs(a - b),
    "min": min, "max": max,
}  # fmt: skip
COMPARE = {"eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt,
           "ge": operator.ge}  # fmt: skip


def split(value, count, signed=False):
    """`count` elements of a 32-bit number, the lowest first."""
    width = 32 // count
    found = [value >> width * i & (1 << width) - 1 for i in range(count)]
    return [v - (1 << width) if signed and v >> (width - 1) else v for v in found]


def joined(elements):
    width = 32 // len(elements)
    return sum((e & (1 << width) - 1) << width * i for i, e in enumerate(elements))


def ends(count, signed):
    """Least and greatest number of an element."""
    width = 32 // count
    return (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)


def picked(a, b, count, digits, signed):
    """Elements of b:a by the digits of a selector, whose last digit is for element 0."""
    pool = split(a, count, signed) + split(b, count, signed)
    return [pool[int(d)] for d in reversed(digits)]


def expected(opcode, a, b, c, mask="", left="", right=""):
    """The pseudo code of the manual, on Python's integers; selectors are strings of digits."""
    name, *types, last = opcode.split(".")
    root, count = name[1:-1], int(name[-1])
    default = "76543210" if count == 4 else "3210"
    signs = [t == "s32" for t in (*types, last) if t in ("u32", "s32")]
    va = picked(a, b, count, left or default[count:], signs[-2])
    vb = picked(a, b, count, right or default[:count], signs[-1])
    compute = ARITHMETIC.get(root) or COMPARE[next(p for p in (*types, last) if p in COMPARE)]
    t = [int(compute(x, y)) for x, y in zip(va, vb, strict=True)]
    if last == "sat":
        low, high = ends(count, signs[0])
        t = [max(low, min(high, v)) for v in t]
    chosen = [str(i) in mask if mask else True for i in range(count)]
    if last == "add":
        return (c + sum(v for v, here in zip(t, chosen, strict=True) if here)) & 0xFFFFFFFF
    return joined([v if here else old for v, here, old in zip(t, chosen, split(c, count), strict=True)])


EDGES = [0, 0xFFFFFFFF, 0x80808080, 0x7F7F7F7F, 0x80007FFF, 0x00010100, 0xFF00FF00, 0x7FFF8000, 0x01FE80FF, 0x12345678,
         0x00FF7F80, 0xFFFE0001]  # fmt: skip
RANDOM = np.random.default_rng(4).integers(0, 1 << 32, (40, 3)).tolist()
TRIPLES = [(a, b, c) for (a, b), c in zip(itertools.product(EDGES, EDGES), itertools.cycle(EDGES[1:]))] + RANDOM
TYPES = list(itertools.product(("u32", "s32"), repeat=3))


@table(
    f"v{root}{count}.{'.'.join(kinds)}{tail}"
    for root in ARITHMETIC for count in (2, 4) for kinds in TYPES for tail in ("", ".sat", ".add")
)  # fmt: skip
def test_arithmetic_on_parts(row):
    check(row)


@table(
    f"vset{count}.{'.'.join(kinds)}.{compare}{tail}"
    for compare in COMPARE for count in (2, 4) for kinds in itertools.product(("u32", "s32"), repeat=2)
    for tail in ("", ".add")
)  # fmt: skip
def test_comparison_of_parts(row):
    check(row)


def check(opcode):
    columns = [np.array(column, np.uint32) for column in zip(*TRIPLES, strict=True)]
    got = execute(opcode, ("b32",) * 3, "b32", columns)
    wrong = [(t, hex(g)) for t, g in zip(TRIPLES, got, strict=True) if g != expected(opcode, *t)]
    assert not wrong, f"{opcode}: operands, got: {wrong[:5]}"


# --- selectors ---------------------------------------------------------------------------------------

SELECTED = [  # opcode, mask, selector of a, selector of b
    ("vadd4.u32.u32.u32", "b0", "b3210", "b7654"), ("vadd4.s32.s32.u32.sat", "b320", "b0000", "b7777"),
    ("vsub4.s32.u32.s32.add", "b21", "b4567", "b0123"), ("vmin4.u32.s32.s32", "b3210", "b7531", "b6420"),
    ("vabsdiff4.u32.u32.u32.add", "b3", "b1032", ""), ("vavrg4.s32.s32.s32", "", "", "b0123"),
    ("vmax4.s32.s32.s32", "b310", "", ""), ("vset4.s32.u32.lt", "b20", "b1234", "b7777"),
    ("vset4.u32.u32.ne.add", "b210", "b7654", "b3210"), ("vadd2.s32.s32.s32.sat", "h1", "h01", "h33"),
    ("vsub2.u32.u32.u32.add", "h0", "h20", "h31"), ("vabsdiff2.u32.u32.u32", "h10", "h32", "h10"),
    ("vavrg2.s32.s32.s32", "h0", "", "h00"), ("vset2.s32.s32.ge", "h1", "h12", ""),
    ("vmax2.s32.u32.s32", "", "h22", ""),
]  # fmt: skip


def part(name, selector):
    return f"{name}.{selector}" if selector else name


def run_parts(opcode, target, *sources):
    """The destination after `opcode target, sources`, one element a thread, with TRIPLES in %r1 to %r3."""
    columns = [np.array(column, np.uint32) for column in zip(*TRIPLES, strict=True)]
    out = np.zeros(len(TRIPLES), np.uint32)
    body = "".join(f"mad.wide.u32 %a{n}, %i, 4, %a{n}; " for n in range(4))
    body += "".join(f"ld.global.u32 %r{n + 1}, [%a{n}]; " for n in range(3))
    body += f"{opcode} {', '.join([target, *sources])}; st.global.u32 [%a3], %r4;"
    run_body(body, [*columns, out], blocks=len(TRIPLES) // 8, threads=8)
    return out


@table(SELECTED, "opcode, mask, left, right")
def test_selectors_and_masks(opcode, mask, left, right):
    got = run_parts(opcode, part("%r4", mask), part("%r1", left), part("%r2", right), "%r3")
    want = [expected(opcode, *t, mask[1:], left[1:], right[1:]) for t in TRIPLES]
    assert [hex(g) for g in got] == [hex(w) for w in want]


def test_the_destination_may_be_a_source() -> None:
    got = run_parts("vadd4.u32.u32.u32", "%r4.b10", "%r1", "%r2", "%r3; mov.u32 %r3, %r4; "
                    "vsub4.u32.u32.u32 %r4.b2, %r4, %r2, %r4")  # fmt: skip
    first = [expected("vadd4.u32.u32.u32", *t, "10") for t in TRIPLES]
    second = [expected("vsub4.u32.u32.u32", f, t[1], f, "2") for f, t in zip(first, TRIPLES, strict=True)]
    assert got.tolist() == second


R = ("%r4", "%r1", "%r2", "%r3")


@pytest.mark.parametrize(("opcode", "operands"), [  # NVIDIA's assembler refuses each
    ("vadd4.u32.u32.u32.sat.add", R), ("vadd4.u32.u32.u32.add.sat", R), ("vadd4.u32.u32.u32.min", R),
    ("vadd4.u32.u32", R), ("vadd4.u32.u32.u32.wrap", R), ("vadd2.u16.u32.u32", R), ("vset4.u32.u32", R),
    ("vset4.u32.u32.lo", R), ("vset4.u32.u32.ne.max", R), ("vset4.u32.u32.ne.sat", R), ("vset4.u32.u32.u32.ne", R),
    ("vadd4.u32.u32.u32", R[:3]), ("vadd4.u32.u32.u32", ("%r4", "%r1", "5", "%r3")),
    ("vadd4.u32.u32.u32", ("%r4", "%r1", "%r2", "9")), ("vadd4.u32.u32.u32", ("%r4", "%r1", "%r2", "%r3.b0")),
    ("vadd4.u32.u32.u32", ("%r4.b00", *R[1:])), ("vadd4.u32.u32.u32", ("%r4.b01", *R[1:])),
    ("vadd4.u32.u32.u32", ("%r4.b7", *R[1:])), ("vadd4.u32.u32.u32", ("%r4.h0", *R[1:])),
    ("vadd4.u32.u32.u32", ("%r4", "%r1.b22", *R[2:])), ("vadd4.u32.u32.u32", ("%r4", "%r1.b8888", *R[2:])),
    ("vadd2.u32.u32.u32", ("%r4.h2", *R[1:])), ("vadd2.u32.u32.u32", ("%r4.b0", *R[1:])),
    ("vadd2.u32.u32.u32", ("%r4", "%r1.h3", *R[2:])), ("vadd2.u32.u32.u32", ("%r4", "%r1.h41", *R[2:])),
    ("add.u32", ("%r4", "%r1.b0", "%r2")), ("vadd8.u32.u32.u32", R),
])  # fmt: skip
def test_what_the_assembler_refuses_is_refused(opcode, operands):
    with pytest.raises(SimulatorLacks):
        run_parts(opcode, *operands)


def test_a_refusal_quotes_the_instruction() -> None:
    with pytest.raises(SimulatorLacks, match=r"vadd4\.u32\.u32\.u32 %r4\.b01, %r1\.b3210, %r2, %r3;"):
        run_parts("vadd4.u32.u32.u32", "%r4.b01", "%r1.b3210", "%r2", "%r3")


def test_registers_of_inner_scopes_have_parts_too() -> None:
    out = np.zeros(1, np.uint32)
    inner = "{ .reg .u32 mine; mov.u32 mine, 0x04030201; vadd4.u32.u32.u32 mine.b1, mine.b3333, mine.b2222, mine; "
    run_body(f"{inner} st.global.u32 [%a0], mine; }}", [out], threads=1)
    assert out[0] == 0x04030701


# --- CUDA's intrinsics -------------------------------------------------------------------------------


def clamped(compute):
    """An oracle that saturates at the element's ends instead of wrapping."""
    return lambda *parts, low, high: max(low, min(high, compute(*parts)))


def wrapped(compute):
    return lambda *parts, low, high: compute(*parts)


#: Stem -> (signed, what is done to elements), by the CUDA Math API's section "SIMD Intrinsics".
INTRINSICS = {
    "abs": (True, wrapped(abs)), "absss": (True, clamped(abs)), "neg": (True, wrapped(operator.neg)),
    "negss": (True, clamped(operator.neg)), "add": (False, wrapped(operator.add)),
    "addss": (True, clamped(operator.add)), "addus": (False, clamped(operator.add)),
    "sub": (False, wrapped(operator.sub)), "subss": (True, clamped(operator.sub)),
    "subus": (False, clamped(operator.sub)), "haddu": (False, wrapped(lambda a, b: (a + b) >> 1)),
    **{f"{name}{sign}": (sign == "s", wrapped(compute)) for sign in "su" for name, compute in (
        ("absdiff", ARITHMETIC["absdiff"]), ("avg", ARITHMETIC["avrg"]), ("max", max), ("min", min))},
    **{f"{prefix}{name}{sign}": (sign == "s", wrapped(functools.partial(lambda f, yes, a, b: yes * f(a, b), f, yes)))
       for prefix, yes in (("cmp", -1), ("set", 1)) for name, f in COMPARE.items()
       for sign in ([""] if name in ("eq", "ne") else "su")},
}  # fmt: skip
UNARY = ("abs", "absss", "neg", "negss")
SUMS = {"sads": True, "sadu": False}
NAMES = [f"__v{stem}{count}" for stem in (*INTRINSICS, *SUMS) for count in (2, 4)]
DPX = {  # what is done to elements; `_relu` then cuts off what is negative
    "viaddmax": lambda a, b, c: max(a + b, c), "viaddmin": lambda a, b, c: min(a + b, c), "vimax3": max, "vimin3": min,
    "vimax": lambda a, b, c: max(a, b), "vimin": lambda a, b, c: min(a, b),
}  # fmt: skip
DPX_NAMES = [f"__{stem}_{form}" for stem in DPX
             for form in ("s16x2", "u16x2", "s16x2_relu", "s32", "u32", "s32_relu")
             if "relu" in form or stem not in ("vimax", "vimin")]  # fmt: skip


@functools.cache
def intrinsics(_maker):
    """Intrinsic -> its results on TRIPLES: one kernel, of the front end in use, calls them all."""
    calls = [f"{name}({'x' if name[3:-1] in UNARY else 'x, y'})" for name in NAMES]
    calls += [f"{name}(x, y{'' if name[:8] in ('__vimax_', '__vimin_') else ', z'})" for name in DPX_NAMES]
    stores = "\n".join(f"    out[{n} * count + i] = {call};" for n, call in enumerate(calls))
    source = f"""extern "C" __global__ void k(const unsigned* a, const unsigned* b, const unsigned* c, unsigned* out) {{
    const int count = {len(TRIPLES)}, i = threadIdx.x;
    unsigned x = a[i], y = b[i], z = c[i];\n{stores}\n}}"""
    out = np.zeros((len(calls), len(TRIPLES)), np.uint32)
    columns = [np.array(column, np.uint32) for column in zip(*TRIPLES, strict=True)]
    launch(Program(source), "k", (1,), (len(TRIPLES),), (*columns, out))
    return dict(zip([*NAMES, *DPX_NAMES], out.tolist(), strict=True))


def intrinsic(name, x, y):
    """What the Math API says that an intrinsic gives."""
    stem, count = name[3:-1], int(name[-1])
    if stem in SUMS:
        return sum(abs(a - b) for a, b in zip(*(split(v, count, SUMS[stem]) for v in (x, y)), strict=True))
    signed, compute = INTRINSICS[stem]
    low, high = ends(count, signed)
    operands = [split(v, count, signed) for v in ((x,) if stem in UNARY else (x, y))]
    return joined([compute(*elements, low=low, high=high) for elements in zip(*operands, strict=True)])


@pytest.mark.parametrize("maker", FRONT_ENDS)
@pytest.mark.parametrize("name", NAMES)
def test_intrinsic(name, maker, monkeypatch):
    force(maker, monkeypatch)
    got = intrinsics(maker)[name]
    wrong = [(t[:2], hex(g)) for t, g in zip(TRIPLES, got, strict=True) if g != intrinsic(name, *t[:2])]
    assert not wrong, f"{name}: operands, got: {wrong[:5]}"


def dpx(name, *operands):
    stem, kind, *relu = name.removeprefix("__").split("_")
    count, signed = (2 if kind.endswith("x2") else 1), kind[0] == "s"
    width = 32 // count
    compute = DPX[stem]

    def element(a, b, c):
        if stem.startswith("viadd"):   # the sum wraps before it is compared
            a, b = (a + b) & (1 << width) - 1, 0
            a = a - (1 << width) if signed and a >> (width - 1) else a
        value = compute(a, b, c)
        return max(value, 0) if relu else value

    parts = (split(v, count, signed) for v in operands)
    return joined([element(*elements) for elements in zip(*parts, strict=True)])


@pytest.mark.parametrize("maker", FRONT_ENDS)
@pytest.mark.parametrize("name", DPX_NAMES)
def test_dynamic_programming_intrinsic(name, maker, monkeypatch):
    force(maker, monkeypatch)
    got = intrinsics(maker)[name]
    wrong = [(t, hex(g), hex(dpx(name, *t))) for t, g in zip(TRIPLES, got, strict=True) if g != dpx(name, *t)]
    assert not wrong, f"{name}: operands, got, expected: {wrong[:5]}"
