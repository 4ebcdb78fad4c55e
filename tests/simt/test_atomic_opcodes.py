"""Atomics and reductions in every operation, type and space, against Python's integers and exact sums.

Lanes that meet at one address take turns in some order: what they found there must be what one order gives.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

import numpy as np
import pytest

from gpucourse.errors import KernelFault, Misaligned, OutOfBounds, SimulatorLacks
from gpucourse.simt.instructions import DTYPES
from tests.simt.ptx_harness import POISON, SCHEDULES, in_three_ways, run_body, table

BOTH = pytest.mark.parametrize("schedule", SCHEDULES)


def size_of(kind):
    return DTYPES[kind].itemsize


def wrap(value, kind):
    value &= (1 << 8 * size_of(kind)) - 1
    return value - (1 << 8 * size_of(kind)) if kind[0] == "s" and value >> (8 * size_of(kind) - 1) else value


UPDATES = {
    "add": lambda old, b: old + b, "min": min, "max": max, "and": lambda old, b: old & b, "or": lambda old, b: old | b,
    "xor": lambda old, b: old ^ b, "inc": lambda old, b: 0 if old >= b else old + 1,
    "dec": lambda old, b: b if old == 0 or old > b else old - 1, "exch": lambda old, b: b,
    "cas": lambda old, b, c: c if old == b else old,
}  # fmt: skip
TYPES = {
    "add": "u32 s32 u64", "min": "u32 s32 u64 s64", "max": "u32 s32 u64 s64", "and": "b32 b64", "or": "b32 b64",
    "xor": "b32 b64", "inc": "u32", "dec": "u32", "exch": "b32 b64", "cas": "b16 b32 b64",
}  # fmt: skip
INTEGERS = [(name, kind) for name, kinds in TYPES.items() for kind in kinds.split()]
#: Where the cells are and how the opcode names it -> its state space there ("" is generic), the space of the cells.
TARGETS = {"global": ("global", "global"), "shared": ("shared", "shared"), "generic global": ("", "global"),
           "generic shared": ("", "shared")}  # fmt: skip


def atomic(root, name, kind, target):
    """The opcode, such as `atom.global.add.u32`."""
    return ".".join(filter(None, (root, TARGETS[target][0], name, kind)))


def edges(kind):
    top = 1 << (8 * size_of(kind) - 1)
    return sorted({wrap(v, kind) for v in (0, 1, 2, 7, top - 1, top, top + 1, 2 * top - 1, 2 * top - 2, 0x55AA55AA)})


def bytes_of(kind):
    return 4 if kind.endswith("f16x2") else size_of(kind.rpartition(".")[2])


def perform(opcode, target, kind, cells, at, columns, *, schedule="lockstep", seed=0, blocks=1, ways=True):
    """(old values [run][thread], cells afterwards [run][block][cell]) of an atomic at cell `at` of each thread.

    `cells` and `columns` (the operands, of the threads of one block) are unsigned numbers. Cells in shared memory are
    each block's own; those in global memory are the same for all, and `block` is 0. There are the three runs of
    `in_three_ways` or, without `ways`, one of the threads with %i % 5 != 2.
    """
    shared, runs, dtype = TARGETS[target][1] == "shared", 3 if ways else 1, f"u{bytes_of(kind)}"
    after = np.tile(np.asarray(cells, dtype), (runs, blocks if shared else 1, 1))
    old = np.full((runs, blocks * len(at)), POISON[bytes_of(kind)], dtype)
    arrays = [np.asarray(at, np.uint32), np.asarray(cells, dtype), after, old, *(np.asarray(c, dtype) for c in columns)]
    operands = ", ".join(f"%v{n}" for n in range(len(columns)))
    instruction = f"{opcode} {'%old, ' if opcode.startswith('atom') else ''}[%where], {operands}"
    body = prepared(target, kind, len(columns)) + executed(instruction, ways, kind, old, after, shared)
    run_body(body, arrays, blocks=blocks, threads=len(at), module=f".shared .align 8 .b8 S[{after[0, 0].nbytes}];",
             schedule=schedule, seed=seed)  # fmt: skip
    return old, after


def prepared(target, kind, count):
    """Code that loads the operands (%v0, ...) and makes %where the address of the thread's cell."""
    size = bytes_of(kind)
    body = ".reg .b32 %thread, %cell, %own; .reg .b64 %cells, %where, %at; "
    body += f".reg .b{8 * size} %old, %moved, %v<{count}>; "
    body += "mov.u32 %thread, %tid.x; mad.wide.u32 %at, %thread, 4, %a0; ld.global.u32 %cell, [%at]; "
    for n in range(count):
        body += f"mad.wide.u32 %at, %thread, {size}, %a{4 + n}; ld.global.b{8 * size} %v{n}, [%at]; "
    body += "mov.u64 %cells, S; " if "shared" in target else "mov.u64 %cells, %a2; "
    if target.startswith("generic"):
        body += f"cvta.{target.split()[1]}.u64 %cells, %cells; "
    return body + f"mad.wide.u32 %where, %cell, {size}, %cells; mad.wide.u32 %a3, %i, {size}, %a3; "


def executed(instruction, ways, kind, old, after, shared):
    """Code that runs the instruction, each time on fresh cells; the first threads of a block move cells, one each."""
    size, count = bytes_of(kind), after.shape[2]
    bits, before = f"b{8 * size}", ""
    ending = f"st.global.{bits} [%a3], %old; add.u64 %a3, %a3, {old[0].nbytes}; "
    if shared:
        here = f"mov.u64 %at, S; mad.wide.u32 %at, %thread, {size}, %at; "
        before = (f"mad.wide.u32 %at, %thread, {size}, %a1; @%p2 ld.global.{bits} %moved, [%at]; {here} "
                  f"@%p2 st.shared.{bits} [%at], %moved; bar.sync 0; ")  # fmt: skip
        ending += (f"bar.sync 0; {here} @%p2 ld.shared.{bits} %moved, [%at]; mov.u32 %own, %ctaid.x; "
                   f"mad.lo.u32 %own, %own, {count}, %thread; mad.wide.u32 %at, %own, {size}, %a2; "
                   f"@%p2 st.global.{bits} [%at], %moved; "
                   f"add.u64 %a2, %a2, {after[0].nbytes}; bar.sync 0; ")  # fmt: skip
    else:
        ending += f"add.u64 %where, %where, {after[0].nbytes}; "
    before = f"setp.lt.u32 %p2, %thread, {count}; {before} mov.{bits} %old, {POISON[size]:#x}; "
    if ways:
        return in_three_ways(instruction, before, ending)
    return f"rem.u32 %r30, %i, 5; setp.ne.u32 %p1, %r30, 2; {before} @%p1 {instruction}; {ending}"


ATOMICS = [(atomic("atom", name, kind, target), name, kind, target) for name, kind in INTEGERS for target in TARGETS]
REDUCTIONS = [(atomic("red", name, kind, target), name, kind, target) for name, kind in INTEGERS for target in TARGETS
              if name not in ("exch", "cas")]  # fmt: skip


def unsigned(values, kind):
    return [int(v) & (1 << 8 * bytes_of(kind)) - 1 for v in values]


@table(ATOMICS + REDUCTIONS, "opcode, name, kind, target")
def test_atomic_on_cells_of_ones_own(opcode, name, kind, target):
    rows = list(itertools.product(edges(kind), repeat=2))
    if name == "cas":   # half of them succeed
        rows = [(a, a if (n // 7) % 2 else b, b + 1) for n, (a, b) in enumerate(rows)]
    columns = [unsigned(c, kind) for c in zip(*rows, strict=True)]
    count = len(rows)
    at = np.random.default_rng(1).permutation(count)
    cells = np.zeros(count, np.uint64)
    cells[at] = np.array(columns[0], np.uint64)
    old, after = perform(opcode, target, kind, cells, at, columns[1:])
    new = [unsigned([UPDATES[name](*(wrap(int(v), kind) for v in row))], kind)[0] for row in zip(*columns, strict=True)]
    third = np.arange(count) % 3 == 1
    for found, held, active in zip(old, after, (third | True, third, ~third), strict=True):
        returned = active & opcode.startswith("atom")
        assert found.tolist() == np.where(returned, np.array(columns[0], np.uint64), POISON[size_of(kind)]).tolist()
        assert held[0][at].tolist() == [n if here else c for n, c, here in zip(new, columns[0], active, strict=True)]


# --- several lanes at one address --------------------------------------------------------------------


def some_order(start, end, steps):
    """Whether (old, new) `steps` can be put in an order from `start` to `end`, each beginning where one ended.

    Each step is an arrow: there must be an Eulerian trail.
    """
    surplus, near = Counter({start: -1}), defaultdict(set)
    surplus[end] += 1
    for old, new in steps:
        surplus[old] += 1
        surplus[new] -= 1
        near[old].add(new)
        near[new].add(old)
    reached, work = {start}, [start]
    while work:
        fresh = near[work.pop()] - reached
        reached |= fresh
        work += fresh
    return not any(surplus.values()) and set(near) <= reached


def test_the_oracle_of_orders() -> None:
    assert some_order(0, 3, [(1, 3), (0, 1)])
    assert some_order(0, 0, [(0, 1), (1, 0), (0, 0)])
    assert not some_order(0, 2, [(0, 1), (0, 2)])
    assert not some_order(0, 1, [(0, 1), (5, 6), (6, 5)])
    assert not some_order(0, 1, [(0, 1), (1, 2)])


CELLS_AT = np.array([0, 2, 1, 0, 0, 3, 2] * 14)[:96]   # which cell each thread of a block updates; one is rare


def contended(name, kind):
    """(initial cells, operands of the threads of a block): chosen so that turns show, and counters wrap."""
    values = np.arange(96)
    rng = np.random.default_rng(2)
    if name == "add":
        return [3, -5, (1 << (8 * size_of(kind) - 1)) - 9, -40], [rng.integers(-9, 9, 96) * 2 + 1]
    if name in ("inc", "dec"):
        return [0, 17, 2**32 - 1, 5], [np.full(96, 6)]
    if name in ("and", "or", "xor"):
        bit = np.left_shift(np.uint64(1), rng.integers(0, 8 * size_of(kind), 96).astype(np.uint64))
        return [0x0F0F0F0F, -1, 0, 77], [(~bit if name == "and" else bit).astype(np.int64)]
    if name == "cas":   # a chain: who finds n puts n + 1, or begins again
        return [0, 1, 2, 9], [values % 4, (values + 1) % 5]
    return [50, -50, 0, 7], [rng.integers(-100, 100, 96)]


@table(ATOMICS, "opcode, name, kind, target")
@BOTH
def test_lanes_at_one_address_take_turns(opcode, name, kind, target, schedule):
    cells, columns = contended(name, kind)
    cells, columns = unsigned(cells, kind), [unsigned(c, kind) for c in columns]
    chance = {"schedule": schedule, "seed": 3}
    old, after = perform(opcode, target, kind, cells, CELLS_AT, columns, blocks=3, ways=False, **chance)
    groups = steps_of(old[0], after[0], name, kind, columns)
    for (block, cell), steps in groups.items():
        assert some_order(cells[cell], int(after[0][block][cell]), steps), f"cell {cell} of block {block}"


def steps_of(old, after, name, kind, columns, update=None):
    """(block, cell) -> what each active thread found there, and what it made of it. All blocks share global cells."""
    update = update or (lambda *v: unsigned([UPDATES[name](*(wrap(x, kind) for x in v))], kind)[0])
    groups = defaultdict(list)
    for thread, found in enumerate(old.tolist()):
        if thread % 5 == 2:
            assert found == POISON[bytes_of(kind)], f"thread {thread} stayed away"
            continue
        here = thread % 96
        block = thread // 96 if len(after) > 1 else 0
        groups[block, int(CELLS_AT[here])].append((found, update(found, *(c[here] for c in columns))))
    return groups


@table(REDUCTIONS, "opcode, name, kind, target")
@BOTH
def test_reduction_at_one_address(opcode, name, kind, target, schedule):
    cells, columns = contended(name, kind)
    cells, columns = unsigned(cells, kind), [unsigned(c, kind) for c in columns]
    _, after = perform(opcode, target, kind, cells, CELLS_AT, columns, schedule=schedule, seed=4, blocks=3, ways=False)
    want = np.array([cells] * len(after[0]), object)
    for thread in (t for t in range(3 * 96) if t % 5 != 2):
        place = thread // 96 % len(want), int(CELLS_AT[thread % 96])
        turn = UPDATES[name](wrap(want[place], kind), wrap(columns[0][thread % 96], kind))   # any order gives the same
        want[place] = unsigned([turn], kind)[0]
    assert after[0].tolist() == want.tolist()


# --- floats ------------------------------------------------------------------------------------------

BITS = {"f32": np.uint32, "f64": np.uint64, "noftz.f16": np.uint16, "noftz.f16x2": np.uint16}
FLOATS = {"f32": np.float32, "f64": np.float64, "noftz.f16": np.float16, "noftz.f16x2": np.float16}
FLOAT_EDGES = {
    "f32": [0.0, -0.0, 1.0, -1.0, 1.5, 16777216.0, 0.1, -3.4028235e38, 3.4028235e38, 1e-45, -1e-45, 5.877472e-39,
            1.1754944e-38, -1.1754943e-38, np.inf, -np.inf, np.nan],
    "f64": [0.0, -0.0, 1.0, -1.0, 0.1, 9007199254740992.0, 1.7976931348623157e308, 5e-324, -5e-324,
            2.2250738585072014e-308, -1.1125369292536007e-308, np.inf, -np.inf, np.nan],
    "noftz.f16": [0.0, -0.0, 1.0, -1.0, 2048.0, 0.1, 65504.0, -65504.0, 6e-8, -6e-8, 6.1e-5, -3e-5, np.inf, -np.inf,
                  np.nan],
}  # fmt: skip
FLOAT_EDGES["noftz.f16x2"] = FLOAT_EDGES["noftz.f16"]
ADDITIONS = [(atomic(root, "add", kind, target), kind, target) for root in ("atom", "red") for kind in FLOATS
             for target in TARGETS]  # fmt: skip


def flushed(value, kind, target):
    """float32 in global memory: a subnormal is a zero with its sign."""
    small = kind == "f32" and "global" in target and abs(value) < 2.0**-126
    return value * 0 if small else value


def added(old, b, kind, target):
    """Bits of the sum of two numbers given as bits; halves of a pair apart. All NaNs are -1."""
    dtype, bits = FLOATS[kind], BITS[kind]
    if kind.endswith("f16x2"):
        low, high = (added(old >> n & 0xFFFF, b >> n & 0xFFFF, "noftz.f16", target) for n in (0, 16))
        return (low, high)
    with np.errstate(all="ignore"):
        x, y = (flushed(np.array([v], bits).view(dtype)[0], kind, target) for v in (old, b))
        total = flushed(dtype(x + y), kind, target)
    return -1 if np.isnan(total) else int(total.view(bits))


def canonical(value, kind):
    """Bits as `added` gives them: of which NaN it is, the manual says nothing."""
    if kind.endswith("f16x2"):
        return tuple(canonical(value >> n & 0xFFFF, "noftz.f16") for n in (0, 16))
    number = np.array([value], BITS[kind]).view(FLOATS[kind])[0]
    return -1 if np.isnan(number) else value


def bits_of(values, kind):
    found = np.array(values, FLOATS[kind]).view(BITS[kind])
    return (found[::-1].astype(np.uint32) << 16 | found if kind.endswith("f16x2") else found).tolist()


@table(ADDITIONS, "opcode, kind, target")
def test_float_addition_on_cells_of_ones_own(opcode, kind, target):
    rows = list(itertools.product(bits_of(FLOAT_EDGES[kind], kind), repeat=2))
    cells, values = (list(c) for c in zip(*rows, strict=True))
    count = len(rows)
    old, after = perform(opcode, target, kind, cells, np.arange(count), [values])
    third = np.arange(count) % 3 == 1
    for found, held, active in zip(old, after, (third | True, third, ~third), strict=True):
        returned = active & opcode.startswith("atom")
        assert found.tolist() == np.where(returned, np.array(cells, np.uint64), POISON[bytes_of(kind)]).tolist()
        for (cell, value), got, here in zip(rows, held[0].tolist(), active, strict=True):
            want = added(cell, value, kind, target) if here else canonical(cell, kind)
            assert canonical(got, kind) == want, (cell, value)


@table([row for row in ADDITIONS if row[0].startswith("atom")], "opcode, kind, target")
@BOTH
def test_float_additions_at_one_address_take_turns(opcode, kind, target, schedule):
    small = np.random.default_rng(5).standard_normal(96) * 2.0 ** np.arange(-8, 8).repeat(6)
    if kind == "f32":   # sums that pass through subnormals
        small[CELLS_AT == 2] *= 2.0**-128
    small[80] = np.nan
    cells, columns = bits_of([0.0, 1.0, 0.0, np.inf], kind), [bits_of(small, kind)]
    chance = {"schedule": schedule, "seed": 6}
    old, after = perform(opcode, target, kind, cells, CELLS_AT, columns, blocks=2, ways=False, **chance)
    groups = steps_of(old[0], after[0], "add", kind, columns, lambda a, b: added(a, b, kind, target))
    for (block, cell), steps in groups.items():
        steps = [(canonical(a, kind), b) for a, b in steps]
        end = canonical(int(after[0][block][cell]), kind)
        assert some_order(canonical(cells[cell], kind), end, steps), f"cell {cell} of block {block}"


@table([row for row in ADDITIONS if row[0].startswith("red")], "opcode, kind, target")
@BOTH
def test_float_reductions_at_one_address(opcode, kind, target, schedule):
    whole = np.random.default_rng(7).integers(-4, 5, 96).astype(float)   # sums of any order are exact
    chance = {"schedule": schedule, "seed": 8}
    cells, columns = bits_of([0.0, 1.0, -2.0, 5.0], kind), [bits_of(whole, kind)]
    _, after = perform(opcode, target, kind, cells, CELLS_AT, columns, blocks=2, ways=False, **chance)
    want = np.array([[0.0, 1.0, -2.0, 5.0]] * len(after[0]))
    pair = want.copy()
    for thread in (t for t in range(2 * 96) if t % 5 != 2):
        want[thread // 96 % len(want), CELLS_AT[thread % 96]] += whole[thread % 96]
        pair[thread // 96 % len(want), CELLS_AT[thread % 96]] += whole[::-1][thread % 96]
    if kind.endswith("f16x2"):
        pair += np.array([5.0, -2.0, 1.0, 0.0]) - np.array([0.0, 1.0, -2.0, 5.0])   # the cells are reversed, too
        np.testing.assert_array_equal((after[0] >> 16).astype(np.uint16).view(np.float16), pair)
    np.testing.assert_array_equal(after[0].astype(BITS[kind]).view(FLOATS[kind]), want)


@pytest.mark.parametrize("target", ["global", "shared"])
def test_long_sum_that_passes_through_subnormals(target):
    values = np.array([2.0**-126, 2.0**-126, -(2.0**-127) * 3, 2.0**-126], np.float32)   # 1, 2, 0.5 (or 0), 1.5 (or 1)
    _, after = perform(f"red.{target}.add.f32", target, "f32", [0], np.zeros(4, int), [values.view(np.uint32).tolist()])
    assert after[0, 0, 0] == np.float32(2.0**-126 * (1.0 if target == "global" else 1.5)).view(np.uint32)


# --- scopes, spaces and faults -----------------------------------------------------------------------

SCOPES = ("", "cta", "gpu", "sys")
SEMANTICS = [".".join(filter(None, (order, scope))) for order in ("", "relaxed", "acquire", "release", "acq_rel")
             for scope in SCOPES]  # fmt: skip
ORDERED = [(".".join(filter(None, (root, form, space, "inc.u32"))), space) for root in ("atom", "red")
           for form in SEMANTICS for space in ("global", "shared", "shared::cta", "")
           if root == "atom" or form.partition(".")[0] in ("", "relaxed", "release", *SCOPES)]  # fmt: skip


@table(ORDERED, "opcode, space")
@BOTH
def test_scopes_and_semantics_do_not_change_the_result(opcode, space, schedule):
    target = "shared" if "shared" in space else space or "generic global"
    start = np.array([3, 0, 0, 0])
    _, after = perform(opcode, target, "u32", start, CELLS_AT, [np.full(96, 1000)], schedule=schedule, ways=False)
    here = np.arange(96) % 5 != 2
    assert after[0, 0].tolist() == (np.bincount(CELLS_AT[here], minlength=4) + start).tolist()


@BOTH
def test_lanes_of_one_atomic_may_be_in_different_spaces(schedule):
    cell, out = np.zeros(2, np.uint32), np.zeros((2, 64), np.uint32)
    body = """mov.u64 %d1, S; cvta.shared.u64 %d1, %d1; and.b32 %r1, %i, 1; setp.eq.u32 %p1, %r1, 1;
        selp.b64 %d2, %d1, %a0, %p1; atom.add.u32 %r2, [%d2], 1; bar.sync 0; ld.shared.u32 %r3, [S];
        mad.wide.u32 %a1, %i, 4, %a1; st.global.u32 [%a1], %r2; st.global.u32 [%a1+256], %r3;"""
    run_body(body, [cell, out], threads=64, module=".shared .b32 S;", schedule=schedule)
    assert cell.tolist() == [32, 0] and out[1].tolist() == [32] * 64
    assert sorted(out[0][::2]) == sorted(out[0][1::2]) == list(range(32))


def test_a_result_may_be_dropped_and_operands_may_be_constants() -> None:
    cell = np.array([5, 9], np.uint32)
    run_body("atom.global.add.u32 _, [%a0], 7; atom.global.cas.b32 %r1, [%a0+4], 9, -1; red.global.min.s32 [%a0+4], 3;",
             [cell], threads=1)  # fmt: skip
    assert cell.tolist() == [12, 2**32 - 1]


WRONG = [("atom.global.add.u32 %r1, [%d1+2], 1", Misaligned), ("red.global.add.u64 [%d1+4], 1", Misaligned),
         ("atom.global.cas.b16 %h1, [%d1+1], %h2, %h3", Misaligned), ("atom.shared.exch.b32 %r1, [S+2], 1", Misaligned),
         ("atom.global.add.u32 %r1, [%d1+32], 1", OutOfBounds), ("red.global.add.f32 [%d1+-4], %f1", OutOfBounds),
         ("atom.shared.cas.b64 %d2, [S+8], 1, 2", OutOfBounds), ("red.shared.max.s32 [S+-4], 2", OutOfBounds),
         ("atom.add.u32 %r1, [%d3], 1", OutOfBounds), ("red.add.noftz.f16x2 [%d1+26], %r2", Misaligned),
         ("atom.global.exch.b64 %d2, [%d1+32], 1", OutOfBounds)]  # fmt: skip


@pytest.mark.parametrize(("text", "fault"), WRONG)
def test_bad_addresses_are_faults_of_those_who_use_them(text, fault):
    body = f"""mov.u64 %d1, %a0; mov.u64 %d3, 16; mov.u32 %r9, %tid.x; setp.eq.u32 %p1, %r9, {{}};
        @%p1 {text}; mov.u32 %r1, 1;"""
    with pytest.raises(fault) as raised:
        run_body(body.format(5), [np.zeros(4, np.uint64)], module=".shared .align 8 .b8 S[8];")
    assert raised.value.thread == (5, 0, 0) and "updates" in str(raised.value)
    run_body(body.format(77), [np.zeros(4, np.uint64)], module=".shared .align 8 .b8 S[8];")


def test_read_only_memory_is_not_updated() -> None:
    constant = np.zeros(1, np.uint32)
    constant.flags.writeable = False
    with pytest.raises(KernelFault, match="read-only"):
        run_body("red.global.add.u32 [%a0], 1;", [constant])


REFUSED = [
    "atom.global.add.b32 %r1, [%a0], %r2", "atom.global.add.s64 %d1, [%a0], %d2",
    "atom.global.sub.u32 %r1, [%a0], %r2", "atom.global.min.f32 %f1, [%a0], %f2",
    "atom.global.and.u32 %r1, [%a0], %r2", "atom.global.inc.s32 %r1, [%a0], %r2",
    "atom.global.dec.u64 %d1, [%a0], %d2", "atom.global.exch.u32 %r1, [%a0], %r2",
    "atom.global.cas.u32 %r1, [%a0], %r2, %r3", "atom.global.cas.b32 %r1, [%a0], %r2",
    "red.global.exch.b32 [%a0], %r2", "red.global.cas.b32 [%a0], %r2, %r3", "red.acquire.gpu.global.add.u32 [%a0], 1",
    "atom.local.add.u32 %r1, [%a0], 1", "atom.const.add.u32 %r1, [%a0], 1", "atom.weak.global.add.u32 %r1, [%a0], 1",
    "atom.relaxed.cluster.global.add.u32 %r1, [%a0], 1", "atom.global.cta.gpu.add.u32 %r1, [%a0], 1",
    "atom.global.add.sat.u32 %r1, [%a0], 1", "atom.global.add.f16 %h1, [%a0], %h2",
    "atom.global.add.noftz.f32 %f1, [%a0], %f2", "atom.global.add.noftz.bf16 %h1, [%a0], %h2",
    "atom.global.add.u32 %d1, [%a0], %r2", "atom.global.add.u64 %r1, [%a0], %d2",
    "atom.global.add.u32 %r1, [%a0], %f2", "atom.global.exch.b128 %d1, [%a0], %d2",
    "atom.global.v2.f32.add {%f1, %f2}, [%a0], {%f3, %f4}", "atom.global.L2::cache_hint.add.u32 %r1, [%a0], %r2, %d1",
    "red.async.relaxed.cluster.add.u32 [%a0], %r2", "atom.global.add.u32 %r1, %a0, %r2",
    "atom.add.noftz.f16x2 %r1, [%a0], %h1",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_forms_that_do_not_exist_are_refused_by_name(text):
    with pytest.raises(SimulatorLacks) as raised:
        run_body(f"{text};", [np.zeros(4, np.uint64)])
    assert text.partition(" ")[0] in str(raised.value)
