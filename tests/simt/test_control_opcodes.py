"""Branches, calls, exits, barriers, traps, guards and special registers, against plain Python for each thread.

Each kernel runs under both schedules; threads take paths of their own, some of them none.
"""

from __future__ import annotations

import numpy as np
import pytest

from gpucourse.errors import AssertFailed, Deadlock, KernelFault, SimulatorLacks, Trapped
from gpucourse.simt.instructions import DTYPES
from gpucourse.simt.link import Program
from gpucourse.simt.run import launch
from tests.simt.ptx_harness import HEADER, SCHEDULES, covers, run_body, table

BOTH = pytest.mark.parametrize("schedule", SCHEDULES)
NOTHING = 0xA5A5A5A5   # what stands where a thread has written nothing
BLOCKS, THREADS = 3, 80   # the last warp of a block is not full


def results(body, schedule, *, threads=THREADS, blocks=BLOCKS, module="", end="st.global.u32 [%a0], %r20;", **options):
    """%r20 of each thread after `body`; %r1 is the thread's index in its block, %a0 the address of its result."""
    out = np.full(blocks * threads, NOTHING, np.uint32)
    start = "mad.wide.u32 %a0, %i, 4, %a0; mov.u32 %r1, %tid.x; mov.u32 %r20, 0; "
    run_body(start + body + end, [out], threads=threads, blocks=blocks, module=module, schedule=schedule, **options)
    return out.reshape(blocks, threads)


def hold(body, want, schedule, **options):
    """Compare with `want`, a function of the thread's index."""
    found = results(body, schedule, **options)
    for block in found:
        assert block.tolist() == [want(t) & 0xFFFFFFFF for t in range(found.shape[1])]


# --- branches ----------------------------------------------------------------------------------------

IF = "and.b32 %r2, %r1, {bit}; setp.ne.u32 %p{n}, %r2, 0; "
NESTED = "".join(IF.format(bit=1 << n, n=n) for n in range(3)) + """
    @%p0 bra A; @%p1 bra B; mov.u32 %r20, 1; bra END;
    B: mov.u32 %r20, 2; @!%p2 bra END; add.u32 %r20, %r20, 10; bra END;
    A: @!%p1 bra C; mov.u32 %r20, 3; bra D; C: mov.u32 %r20, 4; D: @%p2 bra.uni E; bra END; E: add.u32 %r20, %r20, 100;
    END: add.u32 %r20, %r20, 1000;"""


def nested(t):
    a, b, c = (t >> n & 1 for n in range(3))
    inner = (3 if b else 4) + 100 * c if a else (2 + 10 * c if b else 1)
    return 1000 + inner


LOOPS = """rem.u32 %r2, %r1, 7; mov.u32 %r3, 0;
    OUTER: setp.ge.u32 %p0, %r3, %r2; @%p0 bra DONE; mov.u32 %r4, 0;
    INNER: setp.gt.u32 %p1, %r4, %r3; @%p1 bra NEXT; mad.lo.u32 %r20, %r20, 3, %r4; setp.gt.u32 %p2, %r20, 500;
    @%p2 bra DONE; add.u32 %r4, %r4, 1; bra INNER; NEXT: add.u32 %r3, %r3, 1; bra OUTER;
    DONE: add.u32 %r20, %r20, %r3;"""


def loops(t):
    total, i = 0, 0
    while i < t % 7:
        for j in range(i + 1):
            total = total * 3 + j
            if total > 500:
                return total + i
        i += 1
    return total + i


IRREDUCIBLE = """and.b32 %r2, %r1, 1; setp.ne.u32 %p0, %r2, 0; rem.u32 %r3, %r1, 5; @%p0 bra MIDDLE;
    HEAD: add.u32 %r20, %r20, 1; MIDDLE: mad.lo.u32 %r20, %r20, 2, %r3; setp.eq.u32 %p1, %r3, 0; @%p1 bra END;
    sub.u32 %r3, %r3, 1; bra HEAD; END: """


def irreducible(t):
    total, left = 0, t % 5
    skip = t & 1
    while True:
        total = (total + (not skip)) * 2 + left
        skip = 0
        if not left:
            return total
        left -= 1


BRANCHES = [
    ("bra", "mov.u32 %r20, 5; bra OVER; mov.u32 %r20, 6; OVER: ", lambda t: 5),
    ("bra.uni", "bra.uni OVER; mov.u32 %r20, 6; OVER: add.u32 %r20, %r20, %r1;", lambda t: t),
    ("bra", "setp.lt.u32 %p0, %r1, 9; @%p0 bra LOW; mov.u32 %r20, 7; LOW: ", lambda t: 0 if t < 9 else 7),
    ("bra", "setp.lt.u32 %p0, %r1, 9; @!%p0 bra HIGH; mov.u32 %r20, 7; HIGH: ", lambda t: 7 if t < 9 else 0),
    ("bra", "setp.lt.u32 %p0, %r1, 999; @%p0 bra ALL; mov.u32 %r20, 7; ALL: ", lambda t: 0),
    ("bra", "setp.lt.u32 %p0, %r1, 999; @!%p0 bra NONE; mov.u32 %r20, 7; NONE: ", lambda t: 7),
    ("bra", NESTED, nested), ("bra", LOOPS, loops), ("bra", IRREDUCIBLE, irreducible),
]  # fmt: skip


@table(BRANCHES, "opcode, body, want")
@BOTH
def test_branches(opcode, body, want, schedule):
    assert opcode in body
    hold(body, want, schedule)


JUMP = """T: .branchtargets A, B, C, A; rem.u32 %r2, %r1, {count}; setp.gt.u32 %p0, %r1, 3; {guard} {opcode} %r2, T;
    mov.u32 %r20, 50; bra END; A: add.u32 %r20, %r20, 1; B: add.u32 %r20, %r20, 10; bra END; C: mov.u32 %r20, 100;
    END: """


@table([(f"brx.idx{uni}", uni, guard) for uni in ("", ".uni") for guard in ("", "@%p0", "@!%p0")], "opcode, uni, guard")
@BOTH
def test_jump_by_an_index(opcode, uni, guard, schedule):
    count = 1 if uni else 4   # all threads that jump go to one place

    def want(t):
        jumps = {"": True, "@%p0": t > 3, "@!%p0": t <= 3}[guard]
        return [11, 10, 100, 11][t % count] if jumps else 50

    hold(JUMP.format(count=count, guard=guard, opcode=opcode), want, schedule)


# --- leaving -----------------------------------------------------------------------------------------

LEAVE = "@%p0 {opcode}; mov.u32 %r20, 1; st.global.u32 [%a0], %r20; setp.eq.u32 %p1, %r1, 70; @%p1 {opcode}; "


@table(["ret", "ret.uni", "exit"])
@BOTH
def test_leaving_in_divergent_code(row, schedule):
    body = "rem.u32 %r2, %r1, 3; setp.eq.u32 %p0, %r2, 0; " + LEAVE.format(opcode=row)
    body += "mov.u32 %r20, 2; bar.sync 0; "   # who has left is not waited for
    hold(body, lambda t: NOTHING if t % 3 == 0 else 1 if t == 70 else 2, schedule)


@table(["ret", "exit"])
@BOTH
def test_leaving_a_function(row, schedule):
    module = f""".func (.param .b32 out) f(.param .b32 x) {{ .reg .b32 %x; .reg .pred %p; ld.param.b32 %x, [x];
        st.param.b32 [out], 5; setp.lt.u32 %p, %x, 20; @%p {row}; st.param.b32 [out], %x; ret; }}"""
    body = """{ .param .b32 x; .param .b32 y; st.param.b32 [x], %r1; call (y), f, (x); ld.param.b32 %r20, [y]; }
        bar.sync 0; add.u32 %r20, %r20, 1; """
    hold(body, lambda t: t + 1 if t >= 20 else 6 if row == "ret" else NOTHING, schedule, module=module)


@covers("trap")
@BOTH
def test_trap_is_a_fault_of_who_executes_it(schedule):
    body = "setp.eq.u32 %p0, %r1, {}; @%p0 trap; mov.u32 %r20, 3; "
    hold(body.format(100), lambda t: 3, schedule)
    with pytest.raises(Trapped) as raised:
        results(body.format(41), schedule)
    assert raised.value.thread == (41, 0, 0)


# --- calls -------------------------------------------------------------------------------------------

PAIR = """.func (.param .align 8 .b8 out[16]) pair(.param .b32 a, .param .b64 b, .param .align 4 .b8 c[12])
{ .reg .b32 %x<5>; .reg .b64 %y<3>; .reg .pred %q; ld.param.b32 %x0, [a]; ld.param.b64 %y0, [b];
  ld.param.v2.b32 {%x1, %x2}, [c]; ld.param.s8 %x3, [c+8]; setp.lt.u32 %q, %x0, 30; @%q bra LOW;
  sub.u32 %x1, %x1, %x3; st.param.b32 [out], %x1; st.param.b64 [out+8], %y0; ret;
  LOW: add.u32 %x1, %x1, %x2; st.param.b32 [out], %x1; add.u64 %y0, %y0, 1; st.param.b64 [out+8], %y0; ret; }"""
CALL_PAIR = """{ .param .b32 a; .param .b64 b; .param .align 4 .b8 c[12]; .param .align 8 .b8 got[16];
  st.param.b32 [a], %r1; mul.wide.u32 %d1, %r1, -1; st.param.b64 [b], %d1; mul.lo.u32 %r2, %r1, 3; mov.u32 %r3, 1000;
  st.param.v2.b32 [c], {%r2, %r3}; st.param.b8 [c+8], -7; CALL (got), pair, (a, b, c);
  ld.param.b32 %r20, [got]; ld.param.b64 %d2, [got+8]; cvt.u32.u64 %r4, %d2; xor.b32 %r20, %r20, %r4; }"""


def pair(t):
    first = 3 * t + 1000 if t < 30 else 3 * t + 7
    return first ^ (t * 0xFFFFFFFF + (t < 30) & 0xFFFFFFFF)


@table(["call", "call.uni"])
@BOTH
def test_call_with_several_parameters_and_a_struct(row, schedule):
    hold(CALL_PAIR.replace("CALL", row), pair, schedule, module=PAIR)


@covers("call")
@BOTH
@pytest.mark.parametrize("sign", ["", "!"])
def test_guarded_call(schedule, sign):
    body = f"setp.gt.u32 %p0, %r1, 50; st.global.u32 [%a0], 1; {CALL_PAIR.replace('CALL', f'@{sign}%p0 call')}"
    found = results(body, schedule, module=PAIR)
    chosen = [t for t in range(THREADS) if (t > 50) == (not sign)]   # the others' results are undefined
    assert [[block[t] for t in chosen] for block in found.tolist()] == [[pair(t) & 0xFFFFFFFF for t in chosen]] * BLOCKS


SAME = """.func (.param .align 8 .b8 out[16]) same(.param .align 8 .b8 x[16])
{ .reg .REG %v<2>; ld.param.KIND %v0, [x]; ld.param.KIND %v1, [x+8]; st.param.KIND [out], %v1;
  st.param.KIND [out+8], %v0; ret; }"""
CALL_SAME = """.reg .REG %v<4>; { .param .align 8 .b8 x[16]; .param .align 8 .b8 y[16];
    ld.global.KIND %v0, [%a0]; ld.global.KIND %v1, [%a0+8];
    st.param.KIND [x], %v0; st.param.KIND [x+8], %v1; call (y), same, (x);
    ld.param.KIND %v2, [y]; ld.param.KIND %v3, [y+8]; st.global.KIND [%a1], %v2; st.global.KIND [%a1+8], %v3; }"""
PASSED = ["b8", "u8", "s8", "b16", "u16", "s16", "b32", "u32", "s32", "b64", "u64", "s64", "f32", "f64"]


@table([(f"st.param.{kind}", kind) for kind in PASSED], "opcode, kind")
@BOTH
def test_parameters_of_every_type(opcode, kind, schedule):
    size = DTYPES[kind].itemsize
    register = f"f{8 * size}" if kind[0] == "f" else f"b{max(16, 8 * size)}"
    given = np.random.default_rng(3).integers(0, 256, (96, 2, 8)).astype(np.uint8)
    out = np.zeros_like(given)
    module, body = (text.replace("REG", register).replace("KIND", kind) for text in (SAME, CALL_SAME))
    start = "mad.wide.u32 %a0, %i, 16, %a0; mad.wide.u32 %a1, %i, 16, %a1; "
    run_body(start + body, [given.copy(), out], blocks=2, threads=48, module=module, schedule=schedule)
    want = given[:, ::-1].copy()
    want[:, :, size:] = 0
    np.testing.assert_array_equal(out, want)


HANOI = """.func (.param .b32 out) walk(.param .b32 n)
{ .local .align 4 .b8 held[16]; .reg .b32 %x<6>; .reg .b64 %y<3>; .reg .pred %q; ld.param.b32 %x0, [n];
  mov.u64 %y0, held; and.b32 %x1, %x0, 3; mad.wide.u32 %y0, %x1, 4, %y0; st.local.u32 [%y0], %x0; mov.u32 %x2, 1;
  setp.eq.u32 %q, %x0, 0; @%q bra END; sub.u32 %x3, %x0, 1;
  { .param .b32 a; .param .b32 b; st.param.b32 [a], %x3; call (b), walk, (a); ld.param.b32 %x2, [b]; }
  and.b32 %x4, %x0, 1; setp.eq.u32 %q, %x4, 0; @%q bra END; shr.u32 %x3, %x3, 1;
  { .param .b32 a; .param .b32 b; st.param.b32 [a], %x3; call (b), walk, (a); ld.param.b32 %x5, [b]; }
  mad.lo.u32 %x2, %x2, 3, %x5; END: ld.local.u32 %x1, [%y0]; add.u32 %x2, %x2, %x1; st.param.b32 [out], %x2; ret; }"""


def walk(n):
    if n == 0:
        return 1
    first = walk(n - 1)
    return (first * 3 + walk((n - 1) // 2) if n & 1 else first) + n


@covers("call")
@BOTH
def test_recursion_keeps_registers_and_local_memory_of_each_depth(schedule):
    body = """rem.u32 %r2, %r1, 9; { .param .b32 a; .param .b32 b; st.param.b32 [a], %r2; call (b), walk, (a);
        ld.param.b32 %r20, [b]; }"""
    hold(body, lambda t: walk(t % 9), schedule, module=HANOI)


@covers("call")
@BOTH
def test_printf_of_some_threads(schedule):
    text = ", ".join(str(c) for c in b"t=%d %llu %.2f%%\n\0")
    module = f""".extern .func (.param .b32 out) vprintf(.param .b64 form, .param .b64 values);
        .global .align 1 .b8 text[20] = {{{text}}};"""
    body = """.local .align 8 .b8 held[24]; mov.u64 %d1, held; cvta.local.u64 %d2, %d1; st.local.u32 [%d1], %r1;
        mul.wide.u32 %d3, %r1, -1; st.local.u64 [%d1+8], %d3; cvt.rn.f64.u32 %g1, %r1;
        mul.f64 %g1, %g1, 0dBFD0000000000000;
        st.local.f64 [%d1+16], %g1; mov.u64 %d4, text; cvta.global.u64 %d4, %d4; rem.u32 %r2, %r1, 40;
        setp.eq.u32 %p0, %r2, 3; { .param .b64 a; .param .b64 b; .param .b32 c; st.param.b64 [a], %d4;
        st.param.b64 [b], %d2; @%p0 call.uni (c), vprintf, (a, b); }"""
    done = run_body("mov.u32 %r1, %tid.x;" + body, [], blocks=2, threads=THREADS, module=module, schedule=schedule)
    lines = [f"t={t} {t * 0xFFFFFFFF} {-t / 4:.2f}%" for t in range(THREADS) if t % 40 == 3]
    assert sorted(done.printed.splitlines()) == sorted(lines * 2)


@covers("call")
@BOTH
def test_assertion_of_some_threads(schedule):
    module = """.extern .func __assertfail(.param .b64 a, .param .b64 b, .param .b32 c, .param .b64 d, .param .b64 e)
        .noreturn; .global .align 1 .b8 what[6] = {120, 32, 62, 32, 49, 0}; .global .align 1 .b8 where[2] = {107, 0};"""
    body = """mov.u64 %d1, what; cvta.global.u64 %d1, %d1; mov.u64 %d2, where; cvta.global.u64 %d2, %d2;
        setp.eq.u32 %p0, %r1, WHO; { .param .b64 a; .param .b64 b; .param .b32 c; .param .b64 d; .param .b64 e;
        st.param.b64 [a], %d1; st.param.b64 [b], %d2; st.param.b32 [c], 12; st.param.b64 [d], %d2; st.param.b64 [e], 1;
        @%p0 call.uni __assertfail, (a, b, c, d, e); } mov.u32 %r20, 4;"""
    hold(body.replace("WHO", "99"), lambda t: 4, schedule, module=module)
    with pytest.raises(AssertFailed, match=r"line 12: assertion `x > 1` failed in k") as raised:
        results(body.replace("WHO", "44"), schedule, module=module)
    assert raised.value.thread == (44, 0, 0)


# --- barriers ----------------------------------------------------------------------------------------

#: Each thread hands its square to the thread of the neighboring warp, twice over.
EXCHANGE = """mov.u64 %d1, S; mad.wide.u32 %d2, %r1, 4, %d1; xor.b32 %r2, %r1, 32; mad.wide.u32 %d3, %r2, 4, %d1;
    mul.lo.u32 %r3, %r1, %r1; mov.u32 %r8, 2; AGAIN: st.shared.u32 [%d2], %r3; {barrier} ld.shared.u32 %r4, [%d3];
    {barrier} add.u32 %r20, %r20, %r4; add.u32 %r3, %r3, 1; sub.u32 %r8, %r8, 1; setp.ne.u32 %p7, %r8, 0;
    @%p7 bra AGAIN; """
SHARED = ".shared .align 8 .b8 S[1024];"
WHOLE = ["bar.sync 0;", "bar.sync 15;", "bar.cta.sync 3;", "barrier.sync 1;", "barrier.sync.aligned 2;",
         "barrier.cta.sync 4;", "barrier.cta.sync.aligned 5, 128;", "bar.sync 6, 128;", "mov.u32 %r9, 7; bar.sync %r9;",
         "mov.u32 %r9, 8; mov.u32 %r10, 128; bar.sync %r9, %r10;", "bar.red.popc.u32 %r9, 9, %p7;",
         "barrier.red.or.aligned.pred %p6, 10, %p7;"]  # fmt: skip


@table([(next(w for w in text.split() if w.startswith("bar")), text) for text in WHOLE], "opcode, text")
@BOTH
def test_barrier_of_the_block(opcode, text, schedule):
    body = "setp.eq.u32 %p7, %r1, 0; " + EXCHANGE.format(barrier=text)
    hold(body, lambda t: 2 * (t ^ 32) ** 2 + 1, schedule, threads=128, module=SHARED, seed=9)


NAMED = ["shr.u32 %r9, %r1, 6; bar.sync %r9, 64;", "shr.u32 %r9, %r1, 6; add.u32 %r9, %r9, 3; barrier.sync %r9, 64;",
         "setp.lt.u32 %p0, %r1, 64; @%p0 bar.sync 1, 64; @!%p0 bar.sync 2, 64;",
         "shr.u32 %r9, %r1, 6; mov.u32 %r10, 64; barrier.cta.sync %r9, %r10;"]  # fmt: skip


@table([("bar.sync", text) for text in NAMED], "opcode, text")
@BOTH
def test_barriers_of_parts_of_the_block(opcode, text, schedule):
    hold(EXCHANGE.format(barrier=text), lambda t: 2 * (t ^ 32) ** 2 + 1, schedule, threads=128, module=SHARED, seed=9)


@table(["bar.arrive", "bar.cta.arrive", "barrier.arrive", "barrier.arrive.aligned", "barrier.cta.arrive"])
@BOTH
def test_who_arrives_does_not_wait(row, schedule):
    """Warp 0 makes and never waits for warps 1 and 2, who read; then they let it go on."""
    wait = row.replace("arrive", "sync")
    body = f"""mov.u64 %d1, S; and.b32 %r2, %r1, 31; mad.wide.u32 %d2, %r2, 4, %d1; setp.lt.u32 %p0, %r1, 32;
        add.u32 %r3, %r1, 500; @%p0 st.shared.u32 [%d2], %r3; @%p0 {row} 1, 96; @!%p0 {wait} 1, 96;
        @!%p0 ld.shared.u32 %r20, [%d2]; @!%p0 {row} 2, 96; @%p0 {wait} 2, 96; @%p0 st.shared.u32 [%d2], 9;
        @%p0 mov.u32 %r20, 1;"""
    hold(body, lambda t: 1 if t < 32 else 500 + t % 32, schedule, threads=96, module=SHARED, seed=2)


VOTES = {"none": "setp.ne.u32 %p7, 0, 0;", "one": "setp.eq.u32 %p7, %r1, 77;", "all": "setp.eq.u32 %p7, 0, 0;",
         "some": "rem.u32 %r2, %r1, 3; setp.eq.u32 %p7, %r2, 1;"}  # fmt: skip
COUNTS = {"none": 0, "one": 1, "all": THREADS, "some": 27}
REDUCED = ("popc.u32", "and.pred", "or.pred")
REDUCTIONS = [(f"{root}.red.{mode}", mode) for root in ("bar", "bar.cta", "barrier", "barrier.cta") for mode in REDUCED]
REDUCTIONS += [(f"barrier.red.{mode.replace('.', '.aligned.')}", mode) for mode in REDUCED]


@table(REDUCTIONS, "opcode, mode")
@pytest.mark.parametrize("votes", VOTES)
@BOTH
def test_reduction_over_the_block(opcode, mode, votes, schedule):
    for negated in ("", "!"):
        target = "%r20" if mode == "popc.u32" else "%p6"
        body = f"{VOTES[votes]} {opcode} {target}, 3, {negated}%p7; "
        body += "selp.u32 %r20, 1, 0, %p6;" if mode != "popc.u32" else ""
        count = THREADS - COUNTS[votes] if negated else COUNTS[votes]
        want = {"popc.u32": count, "and.pred": count == THREADS, "or.pred": count > 0}[mode]
        hold(body, lambda t, want=want: int(want), schedule, seed=1)


@covers("bar")
@BOTH
def test_reduction_over_parts_of_the_block(schedule):
    body = """shr.u32 %r9, %r1, 6; rem.u32 %r2, %r1, 5; setp.eq.u32 %p7, %r2, 0; mov.u32 %r10, 64;
        bar.red.popc.u32 %r20, %r9, %r10, %p7;"""
    hold(body, lambda t: 13, schedule, threads=128, seed=5)


@covers("barrier")
@BOTH
def test_who_has_left_is_not_waited_for(schedule):
    body = """rem.u32 %r2, %r1, 4; setp.eq.u32 %p0, %r2, 1; @%p0 exit; setp.eq.u32 %p1, %r2, 2; setp.eq.u32 %p2, 0, 0;
        @%p1 ret; barrier.red.popc.u32 %r20, 0, %p2;"""
    hold(body, lambda t: NOTHING if t % 4 in (1, 2) else 40, schedule, seed=3)


@pytest.mark.parametrize(("text", "words"), [
    ("mov.u32 %r9, 16; bar.sync %r9;", "barrier 16; a block has 16"),
    ("add.u32 %r9, %r1, -32; bar.sync %r9, 32;", "barrier 4294967264; a block has 16"),
    ("mov.u32 %r9, 33; bar.sync 1, %r9;", "a barrier of 33 threads"),
    ("shr.u32 %r9, %r1, 3; bar.red.popc.u32 %r20, 0, %r9, %p1;", "a barrier of 1 threads"),
])  # fmt: skip
@BOTH
def test_barriers_that_no_block_has(text, words, schedule):
    with pytest.raises(KernelFault, match=words) as raised:
        results(f"setp.lt.u32 %p1, %r1, 5; {text}", schedule)
    assert raised.value.thread == ((8, 0, 0) if "%r20" in text else (0, 0, 0))


@pytest.mark.parametrize("text", [
    "setp.lt.u32 %p0, %r1, 5; @%p0 bar.sync 1; @!%p0 bar.sync 2;", "bar.sync 1, 96;",
    "setp.lt.u32 %p0, %r1, 32; @%p0 bar.sync 1, 64; @!%p0 bar.arrive 2, 64;",
])  # fmt: skip
@BOTH
def test_barrier_that_is_never_complete(text, schedule):
    with pytest.raises(Deadlock, match=r"barrier [12] of block 0 has \d+ of \d+ threads"):
        results(text, schedule, blocks=1)


# --- guards ------------------------------------------------------------------------------------------

#: Opcode, code around a guarded instruction (P stands for its guard, Q for the opposite one), and the result of
#: thread t if it has the guard, and if it has not, where n threads of the block have it.
GUARDED = [
    ("add.u32", "mov.u32 %r20, 7; P add.u32 %r20, %r1, 1;", lambda t, n: t + 1, lambda t, n: 7),
    ("setp.eq.u32", "setp.eq.u32 %p5, 0, 0; P setp.eq.u32 %p5, 0, 1; selp.u32 %r20, 3, 4, %p5;",
     lambda t, n: 4, lambda t, n: 3),
    ("selp.u32", "P selp.u32 %r20, 3, 4, %p5;", lambda t, n: 4, lambda t, n: 0),
    ("ld.global.u32", "mov.u64 %d1, 8; P mov.u64 %d1, %a0; P ld.global.u32 %r20, [%d1];",
     lambda t, n: NOTHING, lambda t, n: 0),
    ("ld.global.v2.u16", "mov.u32 %r20, 1; P ld.global.v2.u16 {%r20, %r2}, [%a0];",
     lambda t, n: NOTHING & 0xFFFF, lambda t, n: 1),
    ("st.global.u32", "mov.u64 %d1, 8; P mov.u64 %d1, %a0; P st.global.u32 [%d1], 5; ld.global.u32 %r20, [%a0];",
     lambda t, n: 5, lambda t, n: NOTHING),
    ("atom.global.add.u32", "P atom.global.add.u32 %r20, [%a0], 1; ld.global.u32 %r2, [%a0]; xor.b32 %r20, %r20, %r2;",
     lambda t, n: NOTHING ^ (NOTHING + 1), lambda t, n: NOTHING),
    ("red.shared.add.u32", "P red.shared.add.u32 [S], 1; bar.sync 0; ld.shared.u32 %r20, [S];",
     lambda t, n: n, lambda t, n: n),
    ("bar.sync", "P bar.sync 1; Q bar.sync 1; mov.u32 %r20, 1;", lambda t, n: 1, lambda t, n: 1),
    ("bar.arrive", "P bar.arrive 1, 96; mov.u32 %r20, %r1;", lambda t, n: t, lambda t, n: t),
    ("bar.red.popc.u32", "setp.eq.u32 %p5, 0, 0; P bar.red.popc.u32 %r20, 1, %p5; Q bar.red.popc.u32 %r20, 1, %p6;",
     lambda t, n: n, lambda t, n: n),
    ("shfl.sync.bfly.b32", "mov.u32 %r3, 0; P activemask.b32 %r3; P shfl.sync.bfly.b32 %r20, %r1, 0, 31, %r3;",
     lambda t, n: t, lambda t, n: 0),
    ("membar.gl", "P membar.gl; P fence.sc.gpu; P nanosleep.u32 5; P prefetch.L1 [%a0]; mov.u32 %r20, 2;",
     lambda t, n: 2, lambda t, n: 2),
    ("ret", "mov.u32 %r20, 6; P ret;", lambda t, n: NOTHING, lambda t, n: 6),
    ("exit", "mov.u32 %r20, 6; P exit;", lambda t, n: NOTHING, lambda t, n: 6),
    ("bra", "P bra AWAY; mov.u32 %r20, 6; AWAY:", lambda t, n: 0, lambda t, n: 6),
    ("call", "{ .param .b32 x; st.param.b32 [x], %r1; P call f, (x); } "
     "ld.shared.u8 %r20, [%d2];", lambda t, n: 1, lambda t, n: 0),
    ("cvta.to.global.u64", "mov.u64 %d1, 1; P cvta.to.global.u64 %d1, %a0; setp.eq.u64 %p5, %d1, 1; "
     "selp.u32 %r20, 8, 9, %p5;", lambda t, n: 9, lambda t, n: 8),
    ("vadd4.u32.u32.u32", "P vadd4.u32.u32.u32 %r20, %r1, %r1, %r20;", lambda t, n: 2 * t, lambda t, n: 0),
]  # fmt: skip
#: Who has the guard -> code that sets %p3 so.
CHOICES = {
    "none": (lambda t: False, "setp.ne.u32 %p3, 0, 0;"), "all": (lambda t: True, "setp.eq.u32 %p3, 0, 0;"),
    "some": (lambda t: t % 5 < 2, "rem.u32 %r9, %r1, 5; setp.lt.u32 %p3, %r9, 2;"),
    "a warp": (lambda t: t // 32 == 1, "shr.u32 %r9, %r1, 5; setp.eq.u32 %p3, %r9, 1;"),
}  # fmt: skip
MARK = """.shared .align 8 .b8 S[1024]; .func f(.param .b32 x) { .reg .b32 %x; .reg .b64 %y; ld.param.b32 %x, [x];
    mov.u64 %y, S; mad.wide.u32 %y, %x, 1, %y; st.shared.u8 [%y], 1; ret; }"""


@table(GUARDED, "opcode, text, with_guard, without")
@pytest.mark.parametrize("choice", CHOICES)
@BOTH
def test_guard_of_every_kind_of_instruction(opcode, text, with_guard, without, choice, schedule):
    chosen, code = CHOICES[choice]
    for sign, opposite in (("", "!"), ("!", "")):
        guarded = text.replace("P ", f"@{sign}%p3 ").replace("Q ", f"@{opposite}%p3 ")
        body = f"{code} mov.u64 %d2, S; mad.wide.u32 %d2, %r1, 1, %d2; {guarded}"
        has = [chosen(t) != bool(sign) for t in range(THREADS)]
        want = [(with_guard if has[t] else without)(t, sum(has)) for t in range(THREADS)]
        hold(body, want.__getitem__, schedule, module=MARK, seed=7)


# --- directives and special registers ----------------------------------------------------------------

DIRECTIVES = [".maxntid 128", ".maxntid 128, 1, 1", ".reqntid 64, 1, 1", ".minnctapersm 2", ".maxnreg 32",
              ".maxntid 128 .minnctapersm 2", '.pragma "nounroll";']  # fmt: skip


@pytest.mark.parametrize("directive", DIRECTIVES)
def test_directives_before_a_body_are_accepted(directive):
    out = np.zeros(64, np.uint32)
    text = f"""{HEADER}.visible .entry k(.param .u64 p) {directive} {{ .reg .b64 %a; .reg .b32 %t; .pragma "nounroll";
        ld.param.u64 %a, [p]; mov.u32 %t, %tid.x; .loc 1 3 0
        mad.wide.u32 %a, %t, 4, %a; st.global.u32 [%a], %t; ret; }}"""
    launch(Program(ptx=text), "k", (1,), (64,), (out,))
    assert out.tolist() == list(range(64))


FIXED = [("mov.u32 %r20, %smid", 0), ("mov.u32 %r20, %nsmid", 1), ("mov.u32 %r20, %gridid", 1),
         ("mov.u64 %d1, %gridid; cvt.u32.u64 %r20, %d1", 1), ("mov.u32 %r20, %total_smem_size", 1024 + 40),
         ("mov.u32 %r20, %dynamic_smem_size", 40), ("mov.u32 %r20, WARP_SZ", 32),
         ("mov.u32 %r20, %clock_hi", 0), ("mov.u32 %r20, %globaltimer_hi", 0)]  # fmt: skip


@table([("mov", text, value) for text, value in FIXED], "opcode, text, value")
@BOTH
def test_special_registers_of_the_launch(opcode, text, value, schedule):
    hold(f"{text}; st.shared.u32 [S], 0;", lambda t: value, schedule, module=SHARED, shared_bytes=40)


@table([("mov", f"mov.{kind} {{}}, %{name}") for name, kind in (
    ("clock", "u32"), ("clock64", "u64"), ("globaltimer", "u64"), ("globaltimer_lo", "u32"))], "opcode, text")
@BOTH
def test_clocks_go_on(opcode, text, schedule):
    register, kind = ("%d{}", "u64") if "u64" in text else ("%r{}", "u32")
    first, last = (text.format(register.format(n)) for n in (6, 7))
    body = f"""{first}; mov.u32 %r2, 9; AGAIN: sub.u32 %r2, %r2, 1; setp.ne.u32 %p0, %r2, 0; @%p0 bra AGAIN; {last};
        setp.gt.{kind} %p1, {register.format(7)}, {register.format(6)}; selp.u32 %r20, 1, 0, %p1;"""
    hold(body, lambda t: 1, schedule)


# --- what is refused ---------------------------------------------------------------------------------

REFUSED = [
    # NVIDIA's assembler refuses these, too
    "bar.sync 16", "bar.sync -1", "bar.sync 0, 33", "bar.sync", "bar.sync 0, 32, 5", "bar.arrive 1", "bar.foo 0",
    "bar 0",
    "bar.red.xor.pred %p1, 1, %p2", "bar.red.and.u32 %r1, 1, %p2", "bar.red.popc.pred %p1, 1, %p2", "barrier",
    "bar.red.popc.u32 %r1, %p1", "bar.red.popc.u32 %d1, 1, %p1", "bar.red.popc.u32 _, 1, %p1", "bar.sync.aligned 0",
    "bar.red.popc.u32 %r1, 1, %r2", "bar.sync %d1", "exit.uni", "trap.foo", "bra.foo X", "bra X, X", "brx %r1, T",
    "ret %r1", "call.foo f, (x)",
    # these a GPU has, and the simulator does not
    "brkpt", "barrier.cluster.arrive", "barrier.cluster.wait", "elect.sync %r1|%p1, -1", "griddepcontrol.wait",
    "griddepcontrol.launch_dependents", "setmaxnreg.inc.sync.aligned.u32 32", "stacksave.u64 %d1",
    "alloca.u64 %d1, %d2",
    "mov.u32 %r1, %envreg3", "mov.u32 %r1, %pm0", "mov.u64 %d1, %pm0_64", "mov.u32 %r1, %clusterid.x",
    "mov.u64 %d1, %current_graph_exec", "mov.u32 %r1, %cluster_ctarank", "mov.u32 %r1, %nosuch",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_forms_that_are_not_there_are_refused_by_name(text):
    with pytest.raises(SimulatorLacks) as raised:
        run_body(f"T: .branchtargets X; {text}; X:", [np.zeros(4, np.uint64)])
    name = text.rpartition(" ")[2] if text.startswith("mov") else text.partition(" ")[0]
    assert name.removeprefix("%") in str(raised.value)


def test_a_guard_is_a_predicate() -> None:
    with pytest.raises(SimulatorLacks, match=r"mov\.u32"):
        run_body("@%r1 mov.u32 %r2, 5;", [np.zeros(4, np.uint64)])
