"""Loads, stores, hints, fences and conversions of addresses, in every state space and width, against Python's bytes.

Threads that do not execute an instruction keep their registers, and memory that nobody names its bytes. What the
manual (PTX ISA 8.5) leaves open, such as who of several writers wins, is held to be one of what it allows.
"""

from __future__ import annotations

import numpy as np
import pytest

from gpucourse.errors import Misaligned, OutOfBounds, SimulatorLacks
from gpucourse.simt.instructions import DTYPES
from tests.simt.ptx_harness import POISON, SCHEDULES, in_three_ways, run_body, table

THREADS = 64
I = np.arange(THREADS)  # noqa: E741 - the threads' index, as in every kernel
THIRD = I % 3 == 1      # who takes the branch; the others have the guard
ACTIVE = (I >= 0, THIRD, ~THIRD)
CELLS = ["b8", "u8", "s8", "b16", "u16", "s16", "b32", "u32", "s32", "b64", "u64", "s64", "f32", "f64"]
REGISTERS = {"h": 2, "r": 4, "f": 4, "d": 8, "g": 8}
BOTH = pytest.mark.parametrize("schedule", SCHEDULES)

WORDS = np.random.default_rng(0).integers(0, 1 << 64, THREADS, np.uint64)
WORDS[:10] = [0, 2**64 - 1, 0x8000000000000000, 0x7FFFFFFFFFFFFFFF, 0x8080808080808080, 0x7F7F7F7F7F7F7F7F,
              0x80007FFF00018000, 0x7F8000017FF00001, 0xFFF8000000000001, 0x3F80000080000000]  # fmt: skip
BYTES = WORDS.view(np.uint8)


def roots(opcode):
    """Words of an opcode, without what follows `::`."""
    return [word.partition("::")[0] for word in opcode.split(".")]


def size_of(kind):
    return DTYPES[kind].itemsize


def fitting(kind):
    """Registers that may hold a cell of `kind`: those of floats no integers."""
    size = size_of(kind)
    return [name for name, width in REGISTERS.items()
            if (width == size and (name in "hrd" or kind[0] in "fb")) or (width > size and name in "hrd")]  # fmt: skip


# --- where data is -----------------------------------------------------------------------------------

LISTED = ", ".join(map(str, BYTES))
MODULE = f"""
.const .align 16 .b8 C[512] = {{{LISTED}}};
.global .align 16 .b8 G[512] = {{{LISTED}}};
.shared .align 16 .b8 S[512];"""
OWN = "ld.global.b64 %d20, [%a0]; "   # %a0 points at the thread's own word
#: Place -> code that fills it with the words and leaves its address (of the thread's own strip, if local) in %d1.
PLACES = {
    "global": "mov.u64 %d1, G; ",
    "const": "mov.u64 %d1, C; ",
    "param": "mov.u64 %d1, words; ",
    "shared": OWN + "mov.u64 %d1, S; mad.wide.u32 %d2, %i, 8, %d1; st.shared.b64 [%d2], %d20; bar.sync 0; ",
    "local": ".local .align 16 .b8 L[512]; mov.u64 %d1, L; and.b32 %r2, %i, -2; mad.wide.u32 %d2, %r2, 8, %d1; "
             "and.b64 %d4, %a0, -16; ld.global.v2.b64 {%d20, %d21}, [%d4]; st.local.v2.b64 [%d2], {%d20, %d21}; ",
}  # fmt: skip
STRUCT = ".param .align 16 .b8 words[512]"
PASSED = np.frombuffer(BYTES.tobytes(), "V512")[0]


def offsets(place, size):
    """Byte from which each thread loads: somebody else's words, or in local memory those that it put there."""
    return I // 2 * 16 + I % (16 // size) * size if place == "local" else (5 * I + 3) % (512 // size) * size


def read(opcode, place, registers, kind, schedule="lockstep", narrow=False):
    """What `opcode` loads into `registers`: [run][register][thread], as unsigned numbers of the register's width.

    The address is generic if the opcode has no state space, and has 32 bits if `narrow`.
    """
    width, size = REGISTERS[registers[0][0]], size_of(kind)
    out = np.zeros((3, len(registers), THREADS), f"u{width}")
    where = np.ascontiguousarray(offsets(place, size * len(registers))).astype(np.uint64)
    body = "mad.wide.u32 %a0, %i, 8, %a0; mad.wide.u32 %a1, %i, 8, %a1; ld.global.b64 %d3, [%a1]; " + PLACES[place]
    if place not in roots(opcode):
        body += f"cvta.{place}.u64 %d1, %d1; "
    body += "add.u64 %d1, %d1, %d3; cvt.u32.u64 %r1, %d1; "
    body += f"mad.wide.u32 %a2, %i, {width}, %a2; "
    names = [f"%{name}" for name in registers]
    bits = f"b{8 * width}"
    before = "".join(f"mov.{bits} {name}, {POISON[width]:#x}; " if name[1] not in "fg" else
                     f"mov.{bits} {name}, 0{'f' if width == 4 else 'd'}{POISON[width]:X}; " for name in names)
    after = "".join(f" st.global.{bits} [%a2+{n * out[0, 0].nbytes}], {name}; " for n, name in enumerate(names))
    after += f"add.u64 %a2, %a2, {out[0].nbytes}; "
    target = names[0] if len(names) == 1 else f"{{{', '.join(names)}}}"
    code = body + in_three_ways(f"{opcode} {target}, [{'%r1' if narrow else '%d1'}]", before, after)
    run_body(code, [WORDS.copy(), where, out], threads=THREADS, module=MODULE, extra_parameters=STRUCT,
             arguments=[PASSED], schedule=schedule, seed=1)  # fmt: skip
    return out


def extended(at, kind, width):
    """The cell of `kind` at byte `at` of the words, in a register of `width` bytes: signed cells keep their sign."""
    value = int.from_bytes(BYTES[at : at + size_of(kind)].tobytes(), "little", signed=kind[0] == "s")
    return value & (1 << 8 * width) - 1


def hold_loaded(found, place, kind, width):
    """Compare what `read` returns with the bytes; threads that did not load have their poison."""
    count = found.shape[1]
    for run, active in zip(found, ACTIVE, strict=True):
        for number, values in enumerate(run):
            at = offsets(place, size_of(kind) * count) + number * size_of(kind)
            want = [extended(a, kind, width) if here else POISON[width] for a, here in zip(at, active, strict=True)]
            assert values.tolist() == want


LOADS = [(f"ld.{place}.{kind}", place, kind) for place in PLACES for kind in CELLS]
LOADS += [(f"ld.{kind}", place, kind) for place in PLACES for kind in CELLS]


@table(LOADS, "opcode, place, kind")
def test_load_into_every_register(opcode, place, kind):
    for name in fitting(kind):
        found = read(opcode, place, [f"{name}7"], kind)
        hold_loaded(found, place, kind, REGISTERS[name])


@table([(f"ld.shared.{kind}", kind) for kind in CELLS], "opcode, kind")
@BOTH
def test_load_from_shared_memory_by_a_narrow_address(opcode, kind, schedule):
    name = fitting(kind)[-1]
    hold_loaded(read(opcode, "shared", [f"{name}7"], kind, schedule, narrow=True), "shared", kind, REGISTERS[name])


VECTORS = [(n, kind) for n in (2, 4) for kind in CELLS if n * size_of(kind) <= 16]


@table([(f"ld.{place}.v{n}.{kind}", place, n, kind) for place in PLACES for n, kind in VECTORS],
       "opcode, place, count, kind")  # fmt: skip
def test_load_of_a_vector(opcode, place, count, kind):
    for name in fitting(kind)[::2]:
        found = read(opcode, place, [f"{name}{n + 4}" for n in range(count)], kind)
        hold_loaded(found, place, kind, REGISTERS[name])


ORDERS = [f"{order}.{scope}" for order in ("relaxed", "acquire") for scope in ("cta", "gpu", "sys")]
EVICTION = [f"L1::{what}" for what in ("evict_normal", "evict_unchanged", "evict_first", "evict_last", "no_allocate")]
GLOBAL_LOADS = ["weak", "volatile", *ORDERS, *(f"{name}.global" for name in ("weak", "volatile", *ORDERS)), "ca", "cg",
                "cs", "lu", "cv", "global.ca", "global.cg", "global.cs", "global.lu", "global.cv", "weak.global.cs",
                "global.nc", "global.ca.nc", "global.cs.nc", *EVICTION, *(f"global.{e}" for e in EVICTION),
                "global.L2::64B", "global.L2::128B", "global.L2::256B",
                "global.nc.L1::no_allocate.L2::128B"]  # fmt: skip
SHARED_LOADS = ["weak.shared", "volatile.shared", *(f"{order}.shared" for order in ORDERS), "shared.ca", "shared::cta",
                "volatile.shared::cta", "relaxed.cta.shared::cta"]  # fmt: skip
OTHER_LOADS = [("weak.local", "local"), ("volatile.local", "local"), ("local.ca", "local"), ("local.cg", "local"),
               ("local.lu", "local"), ("local.cv", "local"), ("weak.const", "const"), ("const.ca", "const"),
               ("param::entry", "param")]  # fmt: skip
FORMS = [(m, "global") for m in GLOBAL_LOADS] + [(m, "shared") for m in SHARED_LOADS] + OTHER_LOADS


@table([(f"ld.{words}.s16", place) for words, place in FORMS] + [("ldu.global.s16", "global"), ("ldu.s16", "global")],
       "opcode, place")  # fmt: skip
@BOTH
def test_load_with_hints_and_orders(opcode, place, schedule):
    hold_loaded(read(opcode, place, ["r7"], "s16", schedule), place, "s16", 4)


def test_load_may_drop_a_part_and_takes_offsets() -> None:
    out = np.zeros(4, np.uint32)
    body = """ld.const.v4.u16 {_, %r1, _, %r2}, [C+8]; ld.global.u8 %r3, [G+-0]; ld.param.u16 %r4, [words+6];
        st.global.v4.u32 [%a0], {%r1, %r2, %r3, %r4};"""
    run_body(body, [out], threads=1, module=MODULE, extra_parameters=STRUCT, arguments=[PASSED])
    assert out.tolist() == [*(extended(at, "u16", 4) for at in (10, 14)), BYTES[0], extended(6, "u16", 4)]


DEEP = np.dtype([("n", "i2"), ("big", "u8")], align=True)
NESTED = np.dtype([("key", "i1"), ("xy", "f4", 2), ("deep", DEEP), ("tail", "u1", 3)], align=True)


def test_fields_of_a_struct_handed_over_by_value() -> None:
    value = np.zeros((), NESTED)
    value["key"], value["xy"], value["tail"] = -5, (1.5, -2.25), (7, 8, 250)
    value["deep"]["n"], value["deep"]["big"] = -300, 2**63 + 9
    out = np.zeros(8, np.int64)
    at = {name: NESTED.fields[name][1] for name in NESTED.names}
    deep = at["deep"] + DEEP.fields["big"][1]
    loads = [("s8", "d1", at["key"]), ("f32", "f1", at["xy"]), ("f32", "f2", at["xy"] + 4), ("s16", "d4", at["deep"]),
             ("u64", "d5", deep), ("u8", "d6", at["tail"] + 2), ("s8", "d7", at["tail"] + 2)]  # fmt: skip
    body = "".join(f"ld.param.{kind} %{reg}, [s+{byte}]; " for kind, reg, byte in loads)
    body += "cvt.rni.s64.f32 %d2, %f1; mul.f32 %f2, %f2, 0f40800000; cvt.rni.s64.f32 %d3, %f2; "
    body += "".join(f"st.global.u64 [%a0+{8 * n}], %d{n + 1}; " for n in range(7))
    parameter = f".param .align 8 .b8 s[{NESTED.itemsize}]"
    run_body(body, [out], threads=1, extra_parameters=parameter, arguments=[value[()]])
    assert out.tolist() == [-5, 2, -9, -300, -(2**63) + 9, 250, -6, 0]


# --- stores ------------------------------------------------------------------------------------------

EMPTY, SLOT = 0x5C, 16   # bytes of memory before a store, and of each thread's slot
BASES = {"global": "mov.u64 %d1, %a2; ", "shared": "mov.u64 %d1, S; ", "local": "mov.u64 %d1, L; "}
SLOTS = ".shared .align 16 .b8 S[1024];"
CLEAR = "st.{space}.v2.b64 [%d6], {{%d10, %d10}}; "
COLLECT = "ld.{space}.v2.b64 {{%d11, %d12}}, [%d6]; st.global.v2.b64 [%d7], {{%d11, %d12}}; add.u64 %d7, %d7, 1024; "


def store_at(space, size):
    """Byte where each thread stores: in somebody's slot, of local memory in its own."""
    inside = I % (SLOT // size) * size
    return inside if space == "local" else (5 * I + 2) % THREADS * SLOT + inside


def around(space):
    """What stands before and after each run of a store: the slots are emptied, and copied to the output."""
    if space == "global":
        return "", " add.u64 %d4, %d4, 1024; "
    barrier = "bar.sync 0; " if space == "shared" else ""
    return CLEAR.format(space=space) + barrier, f" {barrier}{COLLECT.format(space=space)}{barrier}"


def write(opcode, space, sources, kind, schedule="lockstep"):
    """All slots after each run of a store of `sources`, which hold words from the thread's own on: [run][1024]."""
    width = REGISTERS[sources[0][0]]
    where = store_at(space, size_of(kind) * len(sources)).astype(np.uint64)
    out = np.full((3, THREADS * SLOT), EMPTY, np.uint8)
    body = ".local .align 16 .b8 L[16]; mad.wide.u32 %a0, %i, 8, %a0; mad.wide.u32 %a1, %i, 8, %a1; "
    body += "".join(f"ld.global.b{8 * width} %{name}, [%a0+{8 * n}]; " for n, name in enumerate(sources))
    body += f"ld.global.b64 %d3, [%a1]; mov.b64 %d10, {EMPTY * 0x0101010101010101}; {BASES[space]}"
    body += "mov.b64 %d6, %d1; " + ("mad.wide.u32 %d6, %i, 16, %d1; " if space == "shared" else "")
    if space not in roots(opcode):
        body += f"cvta.{space}.u64 %d1, %d1; "
    body += "add.u64 %d4, %d1, %d3; mad.wide.u32 %d7, %i, 16, %a2; "
    names = [f"%{name}" for name in sources]
    source = names[0] if len(names) == 1 else f"{{{', '.join(names)}}}"
    code = body + in_three_ways(f"{opcode} [%d4], {source}", *around(space))
    run_body(code, [np.concatenate([WORDS, WORDS[:4]]), where, out], threads=THREADS, module=SLOTS, schedule=schedule,
             seed=2)  # fmt: skip
    return out


def hold_stored(found, space, count, kind):
    """Compare what `write` returns with bytes put in place one thread after another."""
    size = size_of(kind)
    for run, active in zip(found, ACTIVE, strict=True):
        want = bytearray([EMPTY] * THREADS * SLOT)
        for thread in np.flatnonzero(active):
            start = store_at(space, size * count)[thread] + (thread * SLOT if space == "local" else 0)
            for n in range(count):
                low = int(WORDS[(thread + n) % THREADS]).to_bytes(8, "little")[:size]
                want[start + n * size : start + (n + 1) * size] = low
        assert run.tobytes() == bytes(want)


STORES = [(f"st.{space}.{kind}", space, kind) for space in BASES for kind in CELLS]
STORES += [(f"st.{kind}", space, kind) for space in BASES for kind in CELLS]


@table(STORES, "opcode, space, kind")
@BOTH
def test_store_from_every_register(opcode, space, kind, schedule):
    for name in fitting(kind):
        hold_stored(write(opcode, space, [f"{name}13"], kind, schedule), space, 1, kind)


@table([(f"st.{space}.v{n}.{kind}", space, n, kind) for space in BASES for n, kind in VECTORS],
       "opcode, space, count, kind")  # fmt: skip
def test_store_of_a_vector(opcode, space, count, kind):
    for name in fitting(kind)[::2]:
        found = write(opcode, space, [f"{name}{n + 13}" for n in range(count)], kind)
        hold_stored(found, space, count, kind)


RELEASES = [f"{order}.{scope}" for order in ("relaxed", "release") for scope in ("cta", "gpu", "sys")]
STORE_FORMS = [(f"{order}.{space}", space) for space in ("global", "shared")
               for order in ("weak", "volatile", *RELEASES)]  # fmt: skip
STORE_FORMS += [(f"{space}.{hint}", space) for space in BASES for hint in ("wb", "cg", "cs", "wt")]
STORE_FORMS += [(words, "global") for words in ("weak", "volatile", *RELEASES, "wb", "cg", "cs", "wt", *EVICTION)]
STORE_FORMS += [*((f"global.{e}", "global") for e in EVICTION), ("weak.global.cs", "global"), ("weak.local", "local"),
                ("volatile.local", "local"), ("shared::cta", "shared"),
                ("release.cta.shared::cta", "shared")]  # fmt: skip


@table([(f"st.{words}.u16", space) for words, space in STORE_FORMS], "opcode, space")
@BOTH
def test_store_with_hints_and_orders(opcode, space, schedule):
    hold_stored(write(opcode, space, ["r13"], "u16", schedule), space, 1, "u16")


@BOTH
def test_of_several_stores_at_one_place_one_wins(schedule):
    out = np.zeros((3, 4), np.uint32)
    body = "and.b32 %r1, %i, 3; mad.wide.u32 %a0, %r1, 4, %a0; add.u32 %r2, %i, 100; " + in_three_ways(
        "st.global.u32 [%a0], %r2", after=" add.u64 %a0, %a0, 16; ")  # fmt: skip
    run_body(body, [out], blocks=2, threads=THREADS, schedule=schedule)
    grid = np.arange(2 * THREADS)
    for run, active in zip(out, (grid >= 0, grid % 3 == 1, grid % 3 != 1), strict=True):
        assert all(value >= 100 and value % 4 == n and active[value - 100] for n, value in enumerate(run))


def test_store_of_constants() -> None:
    out = np.zeros(5, np.uint64)
    run_body("""st.global.u64 [%a0], -2; st.global.f32 [%a0+8], 0fC0200000; st.global.u8 [%a0+16], 300;
        st.global.v2.u16 [%a0+24], {7, -1}; st.global.u32 [%a0+32], {9};""", [out], threads=1)
    assert out.tolist() == [2**64 - 2, 0xC0200000, 300 - 256, 0xFFFF0007, 9]


# --- addresses ---------------------------------------------------------------------------------------


@table([(f"cvta.{space}.u64", space) for space in ("global", "const", "shared", "shared::cta", "local", "param")],
       "opcode, space")  # fmt: skip
def test_generic_addresses_and_back(opcode, space):
    place = space.partition("::")[0]
    out = np.zeros((3, THREADS), np.uint64)
    body = "mad.wide.u32 %a0, %i, 8, %a0; " + PLACES[place] + f"mad.wide.u32 %d1, %i, 8, %d1; {opcode} %d4, %d1; "
    body += f"ld.u64 %d5, [%d4]; cvta.to.{space}.u64 %d6, %d4; ld.{place}.u64 %d7, [%d6]; sub.u64 %d6, %d6, %d1; "
    body += "mad.wide.u32 %a1, %i, 8, %a1; " + "".join(
        f"st.global.u64 [%a1+{out[0].nbytes * n}], %d{5 + n}; " for n in range(3))  # fmt: skip
    run_body(body, [WORDS.copy(), out], threads=THREADS, module=MODULE, extra_parameters=STRUCT, arguments=[PASSED])
    assert out.tolist() == [WORDS.tolist(), [0] * THREADS, WORDS.tolist()]


@table(f"cvta.to.{space}.u64" for space in ("global", "const", "shared", "shared::cta", "local", "param"))
def test_conversion_to_a_space_in_a_branch_and_under_a_guard(row):
    space = row.split(".")[2]
    out = np.zeros((3, THREADS), np.uint64)
    body = f"mad.wide.u32 %a0, %i, 8, %a0; mad.wide.u32 %d1, %i, 4, 64; cvta.{space}.u64 %d2, %d1; " + in_three_ways(
        f"{row} %d3, %d2", "mov.u64 %d3, 5; ", f" st.global.u64 [%a0], %d3; add.u64 %a0, %a0, {out[0].nbytes}; ")
    run_body(body, [out], threads=THREADS)
    assert out.tolist() == [np.where(active, 4 * I + 64, 5).tolist() for active in ACTIVE]


def test_lanes_of_one_load_and_store_may_be_in_different_spaces() -> None:
    x, out = WORDS.copy(), np.zeros((2, THREADS), np.uint64)
    body = "mad.wide.u32 %a0, %i, 8, %a0; " + PLACES["local"] + "mad.wide.u32 %d2, %i, 8, %d1; "
    body += "cvta.local.u64 %d11, %d2; "
    body += "mov.u64 %d1, S; mad.wide.u32 %d2, %i, 8, %d1; st.shared.b64 [%d2], 1; cvta.shared.u64 %d12, %d2; "
    body += "rem.u32 %r1, %i, 3; setp.eq.u32 %p1, %r1, 1; setp.eq.u32 %p2, %r1, 2; "
    body += "selp.b64 %d3, %d11, %a0, %p1; selp.b64 %d3, %d12, %d3, %p2; ld.u64 %d4, [%d3]; add.u64 %d5, %d4, 5; "
    body += "st.u64 [%d3], %d5; ld.u64 %d6, [%d3]; mad.wide.u32 %a1, %i, 8, %a1; st.global.u64 [%a1], %d4; "
    body += f"st.global.u64 [%a1+{out[0].nbytes}], %d6;"
    run_body(body, [x, out], threads=THREADS, module=MODULE)
    want = np.where(I % 3 == 2, np.uint64(1), WORDS)
    np.testing.assert_array_equal(out, [want, want + np.uint64(5)])
    np.testing.assert_array_equal(x, np.where(I % 3 == 0, WORDS + np.uint64(5), WORDS))


# --- fences and hints --------------------------------------------------------------------------------

LEVELS = ("cta", "gpu", "sys")
FENCES = ["membar.cta", "membar.gl", "membar.sys", "fence.proxy.alias", *(f"fence.{level}" for level in LEVELS),
          *(f"fence.{order}.{level}" for order in ("sc", "acq_rel", "acquire", "release") for level in LEVELS)]


@table(FENCES)
@BOTH
def test_fences_carry_a_message_to_another_block(row, schedule):
    box, out = np.zeros(2, np.uint32), np.zeros(32, np.uint32)
    body = f"""mov.u32 %r1, %ctaid.x; mov.u32 %r3, %tid.x; setp.eq.u32 %p1, %r1, 0; @%p1 bra READ;
        setp.ne.u32 %p2, %r3, 9; @%p2 bra DONE; st.global.u32 [%a0], 77; {row}; st.volatile.global.u32 [%a0+4], 1;
        bra DONE; READ: ld.volatile.global.u32 %r2, [%a0+4]; setp.eq.u32 %p3, %r2, 0; @%p3 bra READ; {row};
        ld.global.u32 %r2, [%a0]; mad.wide.u32 %a1, %r3, 4, %a1; st.global.u32 [%a1], %r2; DONE:"""
    run_body(body, [box, out], blocks=2, schedule=schedule, seed=4)
    assert out.tolist() == [77] * 32


# discard and L2::256B (above) are for sm_80 and later
HINTS = [f"prefetch{space}.{level} [%d1]" for space in ("", ".global", ".local") for level in ("L1", "L2")]
HINTS += ["prefetchu.L1 [%d1]", "discard.global.L2 [%d1], 128", "discard.L2 [%d1], 128", "pmevent 3", "pmevent.mask 5",
          "nanosleep.u32 20", "nanosleep.u32 %r2"]  # fmt: skip


@table([(text.partition(" ")[0], text) for text in HINTS], "opcode, text")
def test_hints_change_nothing_and_never_fault(opcode, text):
    x, out = WORDS.copy(), np.zeros((3, THREADS), np.uint32)
    run_body("mad.wide.u32 %a1, %i, 4, %a1; mov.u64 %d1, 64; mov.u32 %r2, 1000000;" + in_three_ways(
        text, "mov.u32 %r1, %i; ", "st.global.u32 [%a1], %r1; add.u64 %a1, %a1, 256; "), [x, out], threads=THREADS)
    assert x.tobytes() == BYTES.tobytes() and out.tolist() == [I.tolist()] * 3


# --- faults ------------------------------------------------------------------------------------------

#: Instruction, fault, part of its text. %d1 holds the address of 32 bytes, %d2 a local one of 8 bytes, S is 8 bytes.
WRONG = [
    ("ld.global.u32 %r1, [%d1+2]", Misaligned, "reads 4 bytes at byte 2"),
    ("ld.global.u64 %d9, [%d1+20]", Misaligned, "reads 8 bytes at byte 20"),
    ("st.global.u16 [%d1+7], 1", Misaligned, "writes 2 bytes at byte 7"),
    ("ld.global.v2.u32 {%r1, %r2}, [%d1+4]", Misaligned, "a vector of 8 bytes"),
    ("st.global.v4.u32 [%d1+8], {%r1, %r1, %r1, %r1}", Misaligned, "a vector of 16 bytes"),
    ("ldu.global.u16 %h1, [%d1+1]", Misaligned, "reads 2 bytes at byte 1"),
    ("ld.shared.u32 %r1, [S+2]", Misaligned, "reads 4 bytes at byte 2 of shared"),
    ("st.local.u64 [%d2+4], 1", Misaligned, "writes 8 bytes at byte 4 of local"),
    ("ld.param.u32 %r1, [p0+2]", Misaligned, "reads 4 bytes at byte 2 of param"),
    ("ld.global.u8 %r1, [%d1+32]", OutOfBounds, "reads element 32 of .* has 32"),
    ("st.global.u8 [%d1+-1], 1", OutOfBounds, "writes element -1 of .* has 32"),
    ("ld.global.u32 %r1, [%d1+32]", OutOfBounds, "reads element 8 of .* has 8"),
    ("st.global.v4.u32 [%d1+32], {%r1, %r1, %r1, %r1}", OutOfBounds, "writes element 8 of .* has 8"),
    ("ld.global.u32 %r1, [%d3]", OutOfBounds, "a null pointer"),
    ("ld.u32 %r1, [%d3]", OutOfBounds, "a null pointer"),
    ("st.u64 [%d3], 1", OutOfBounds, "a null pointer"),
    ("ld.const.u32 %r1, [C+8]", OutOfBounds, "reads element 2 of variable C"),
    ("ld.shared.u32 %r1, [S+8]", OutOfBounds, "reads bytes 8 to 11 of shared memory, which has 8"),
    ("st.shared.u8 [S+-1], 1", OutOfBounds, "of shared memory, which has 8"),
    ("st.local.u32 [%d2+16], 1", OutOfBounds, "writes bytes 16 to 19 of local memory"),
    ("ld.param.u32 %r1, [p0+8]", OutOfBounds, "reads bytes 8 to 11 of param memory"),
    ("st.global.u32 [%d4], 1", OutOfBounds, "writes variable C to write, but it is read-only"),
]


@pytest.mark.parametrize(("text", "fault", "words"), WRONG)
@BOTH
def test_bad_addresses_are_faults_of_those_who_use_them(text, fault, words, schedule):
    body = f""".local .align 8 .b8 L[8]; mov.u64 %d1, %a0; mov.u64 %d2, L; mov.u64 %d3, 0; mov.u64 %d4, C;
        mov.u32 %r9, %tid.x; setp.eq.u32 %p1, %r9, WHO; @%p1 {text};"""
    module = ".shared .align 8 .b8 S[8]; .const .align 8 .b8 C[8];"
    with pytest.raises(fault, match=words) as raised:
        run_body(body.replace("WHO", "37"), [np.zeros(4, np.uint64)], threads=64, module=module, schedule=schedule)
    assert raised.value.thread == (37, 0, 0)
    run_body(body.replace("WHO", "99"), [np.zeros(4, np.uint64)], threads=64, module=module, schedule=schedule)


def test_only_the_thread_at_fault_is_named_among_many() -> None:
    with pytest.raises(OutOfBounds) as raised:
        run_body("mad.wide.u32 %a0, %i, 4, %a0; st.global.u32 [%a0], 1;", [np.zeros(90, np.uint32)], blocks=3)
    assert (raised.value.block, raised.value.thread) == ((2, 0, 0), (26, 0, 0))


# --- what is refused ---------------------------------------------------------------------------------

REFUSED = [
    # NVIDIA's assembler refuses these, too
    "ld.global.f16 %h1, [%a0]", "st.global.f16 [%a0], %h1", "ld.global.pred %p1, [%a0]", "ld.global.foo.u32 %r1, [%a0]",
    "ld.weak.global.nc.u32 %r1, [%a0]", "ld.relaxed.global.u32 %r1, [%a0]", "ld.acquire.gpu.const.u32 %r1, [C]",
    "ld.gpu.global.u32 %r1, [%a0]", "ld.relaxed.cluster.global.u32 %r1, [%a0]", "st.relaxed.gpu.local.u32 [%a0], %r1",
    "st.acquire.gpu.global.u32 [%a0], %r1", "st.release.shared.u32 [S], %r1", "ld.release.gpu.global.u32 %r1, [%a0]",
    "st.const.u32 [C], %r1", "st.global.ca.u32 [%a0], %r1", "ld.global.wb.u32 %r1, [%a0]", "ld.shared.nc.u32 %r1, [S]",
    "ld.nc.u32 %r1, [%a0]", "ld.volatile.global.ca.u32 %r1, [%a0]", "ld.global.global.u32 %r1, [%a0]",
    "ldu.shared.u32 %r1, [S]", "ldu.global.ca.u32 %r1, [%a0]", "ld.global.v4.b64 {%d1, %d2, %d3, %d4}, [%a0]",
    "ld.global.v3.u8 {%r1, %r2, %r3}, [%a0]", "ld.global.v2.u32 %r1, [%a0]", "ld.global.u32 {%r1, %r2}, [%a0]",
    "st.global.v2.u32 [%a0], {%r1, %r2, %r3}", "ld.global.u32 %f1, [%a0]", "ld.global.u32 %h1, [%a0]",
    "st.global.u64 [%a0], %r1", "st.global.f32 [%a0], %g1", "ld.global.u32 %r1, [%a0], 5", "ld.global.u32 _, [%a0]",
    "ld.global.u32 %r1, %a0", "ld.global.u32 %r1, [S]", "ld.shared.u32 %r1, [C]", "ld.global.u32 %r1, [p0]",
    "st.global.L2::128B.u32 [%a0], %r1", "ld.shared.L1::evict_first.u32 %r1, [S]", "membar", "membar.gpu", "fence",
    "fence.sc", "fence.sc.cluster", "fence.relaxed.gpu", "fence.sc.gpu %r1", "prefetch.shared.L1 [S]",
    "prefetch.global [%a0]", "prefetch.L3 [%a0]", "prefetchu.L2 [%a0]", "cvta.shared.u32 %r1, %r2",
    "cvta.global.s64 %d1, %d2", "cvta.u64 %d1, %d2", "cvta.to.shared.u64 %r1, %d2", "pmevent 16", "nanosleep 20",
    "nanosleep.u64 %d1",
    # these a GPU has, and the simulator does not
    "ld.global.L2::cache_hint.u32 %r1, [%a0], %d1", "ld.mmio.relaxed.sys.global.u32 %r1, [%a0]",
    "ld.global.b128 %d1, [%a0]", "ld.shared::cluster.u32 %r1, [S]", "st.async.shared::cluster.u32 [S], %r1, [S]",
    "cvta.shared::cluster.u64 %d1, %d2", "fence.proxy.async", "fence.mbarrier_init.release.cluster",
    "prefetch.tensormap [%a0]", "applypriority.global.L2::evict_normal [%a0], 128",
    "createpolicy.fractional.L2::evict_last.b64 %d1", "multimem.ld_reduce.global.add.u32 %r1, [%a0]",
    "cp.async.ca.shared.global [S], [%a0], 4", "mapa.u64 %d1, %d2, %r1",
]


@pytest.mark.parametrize("text", REFUSED)
def test_forms_that_are_not_there_are_refused_by_name(text):
    with pytest.raises(SimulatorLacks) as raised:
        run_body(f"{text};", [np.zeros(4, np.uint64)], module=".shared .align 8 .b8 S[8]; .const .align 8 .b8 C[8];")
    assert f"the instruction {text.partition(' ')[0]}" in str(raised.value)
