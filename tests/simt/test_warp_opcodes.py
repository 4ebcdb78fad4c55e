"""Warp-wide opcodes against plain loops over lanes, written from the pseudo code of PTX ISA 8.5.

Each opcode runs where all lanes take part, where some stay away or have left, where groups with masks of their own
pass the same instruction together, where lanes come late, and where groups meet it on different paths.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest

from gpucourse.errors import Deadlock, KernelFault, SimulatorLacks
from tests.simt.ptx_harness import SCHEDULES, run_body, table

THREADS = 112   # three whole warps and half a one
LANE = np.arange(THREADS) % 32
ALL = 0xFFFFFFFF
POISON = 0xA5A5A5A5


# --- where lanes take part ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Scene:
    """Each thread's mask, whether it has left before, how many rounds it comes late, and which path it takes."""

    mask: np.ndarray
    left: np.ndarray
    late: np.ndarray
    path: np.ndarray

    @cached_property
    def here(self):
        """Threads that execute the operation: those in their own mask that have not left."""
        return (self.mask >> LANE & 1 == 1) & ~self.left

    @cached_property
    def group(self):
        """The threads that each thread's operation is about, itself included."""
        warps = [[t for t in range(first, min(first + 32, THREADS)) if self.here[t]] for first in range(0, THREADS, 32)]
        return [[o for o in warps[t // 32] if self.mask[t] >> o % 32 & 1] for t in range(THREADS)]


def bits(threads):
    """The mask that names the lanes of some threads of a warp."""
    return sum(1 << t % 32 for t in threads)


def scene(mask=ALL, left=False, late=0, path=0):
    return Scene(*(np.broadcast_to(v, THREADS).astype(k) for v, k in
                   ((mask, np.int64), (left, bool), (late, np.int64), (path, np.int64))))  # fmt: skip


def masks_of(groups):
    """Each lane's mask where lanes with the same number in `groups` belong together."""
    return np.array([sum(1 << other for other in range(32) if groups[other] == groups[lane]) for lane in LANE])


ODD, EIGHTS, RAGGED = np.arange(32) % 2, np.arange(32) // 8, np.array([0, 1, 1, 2, 0, 3, 2, 2] * 4)
SCENES = {
    "all lanes": scene(),
    "some lanes stay away": scene(mask=0x0F3C5A81),
    "one lane": scene(mask=0x00010000),
    "some lanes have left": scene(left=LANE % 5 == 2),
    "the first lanes have left": scene(left=LANE < 9),
    "two interleaved groups": scene(mask=masks_of(ODD)),
    "four groups in order": scene(mask=masks_of(EIGHTS)),
    "four ragged groups, some lanes gone": scene(mask=masks_of(RAGGED), left=LANE % 7 == 3),
    "late lanes": scene(late=LANE % 4),
    "late groups": scene(mask=masks_of(EIGHTS), late=LANE // 8 * 3),
    "late lanes of interleaved groups": scene(mask=masks_of(ODD), late=LANE * 5 % 7),
    "groups on different paths": scene(mask=masks_of(RAGGED > 1), path=(RAGGED > 1)[LANE]),
    "a lane alone on its path": scene(mask=masks_of(np.arange(32) == 20), path=LANE == 20),
}  # fmt: skip

CASES = pytest.mark.parametrize("name", SCENES)
SCHEDULED = pytest.mark.parametrize("schedule", SCHEDULES)


def perform(operation, where, schedule, *operands, module=""):
    """[%r20, whether %p4] of each thread after `operation`, shape (blocks, 2, THREADS).

    The operands, shape (THREADS,) or (blocks, THREADS) or numbers, are in %d1 to %d3 (as 32 bits in %r1 to %r3, the
    second as a predicate in %p3), the mask is in %r4.

    Threads leave, come late and take their path as `where` says. Threads that stay away keep POISON and true.
    """
    columns = [*operands, where.mask, where.left, where.late, where.path]
    columns = np.broadcast_arrays(*(np.asarray(v).astype(np.uint64) for v in columns), np.zeros((1, THREADS)))[:7]
    out = np.full((2, *columns[0].shape), 77, np.uint32)
    arrays = [*(v.copy() for v in columns), out]
    body = "mad.wide.u32 %a7, %i, 4, %a7; "
    body += "".join(f"mad.wide.u32 %a{n}, %i, 8, %a{n}; ld.global.u64 %d{n + 1}, [%a{n}]; " for n in range(7))
    body += f"""
        cvt.u32.u64 %r1, %d1; cvt.u32.u64 %r2, %d2; cvt.u32.u64 %r3, %d3; setp.ne.u64 %p3, %d2, 0;
        mov.u32 %r20, {POISON}; setp.eq.u32 %p4, 0, 0; cvt.u32.u64 %r4, %d4;
        setp.ne.u64 %p1, %d5, 0; @%p1 ret;
        LATE: setp.eq.u64 %p1, %d6, 0; @%p1 bra THERE; sub.u64 %d6, %d6, 1; bra LATE; THERE:
        mov.u32 %r5, %laneid; shr.u32 %r5, %r4, %r5; and.b32 %r5, %r5, 1; setp.eq.u32 %p1, %r5, 0; @%p1 bra DONE;
        setp.ne.u64 %p1, %d7, 0; @%p1 bra OTHER; {operation}; bra DONE; OTHER: {operation}; DONE:
        selp.u32 %r6, 1, 0, %p4; st.global.u32 [%a7], %r20;
        st.global.u32 [%a7+{out[0].nbytes}], %r6;"""
    run_body(body, arrays, blocks=out.shape[1], threads=THREADS, module=module, schedule=schedule, seed=5)
    return out.transpose(1, 0, 2)


def hold(found, want, where):
    """Compare a block's results with `want`: thread -> (value, flag), None for what PTX leaves undefined."""
    for thread in range(THREADS):
        value, flag = (int(v) for v in found[:, thread])
        if where.left[thread]:
            assert (value, flag) == (77, 77), f"thread {thread} had left"
        elif not where.here[thread]:
            assert (value, flag) == (POISON, 1), f"thread {thread} stayed away"
        else:
            due_value, due_flag = want(thread)
            assert due_value in (None, value), f"thread {thread}: {value:#x}, not {due_value:#x}"
            assert flag == due_flag, f"thread {thread}: predicate {flag}, not {due_flag}"


# --- shfl.sync ---------------------------------------------------------------------------------------


def source_lane(mode, lane, b, c):
    """(lane to read, whether it is in range): the pseudo code of shfl.sync."""
    bval, cval, segment = b & 31, c & 31, c >> 8 & 31
    most, least = lane & segment | cval & ~segment & 31, lane & segment
    if mode == "up":
        j = lane - bval
        inside = j >= most
    else:
        j = {"down": lane + bval, "bfly": lane ^ bval, "idx": least | bval & ~segment & 31}[mode]
        inside = j <= most
    return (j if inside else lane), inside


rng = np.random.default_rng(8)
VALUES = rng.integers(0, 1 << 32, THREADS, np.uint64)
PLACES = {"one": 1, "three": 3, "beyond": 35, "none": 0, "own": rng.integers(0, 32, THREADS),
          "any": rng.integers(0, 256, THREADS)}  # fmt: skip
#: What CUDA passes for widths 32, 8 and 2, and values that it never passes.
CLAMPS = {"up": (0, 24 << 8, 30 << 8, 5, 0x1505, 0xFFFF), None: (31, 24 << 8 | 31, 30 << 8 | 31, 11, 0x150E, 0)}
SHUFFLES = [f"shfl.sync.{mode}.b32" for mode in ("up", "down", "bfly", "idx")]


@SCHEDULED
@CASES
@table(SHUFFLES)
def test_shuffle(row, name, schedule):
    mode, where = row.split(".")[2], SCENES[name]
    rows = [(np.broadcast_to(b, THREADS), c) for b in PLACES.values() for c in CLAMPS.get(mode, CLAMPS[None])]
    places, clamps = np.array([b for b, _ in rows]), np.array([[c] for _, c in rows])
    found = perform(f"{row} %r20|%p4, %r1, %r2, %r3, %r4", where, schedule, VALUES, places, clamps)
    for block, (b, c) in enumerate(rows):

        def due(thread, b=b, c=c):
            lane, inside = source_lane(mode, thread % 32, int(b[thread]), c)
            giver = thread - thread % 32 + lane
            return int(VALUES[giver]) if giver in where.group[thread] else None, inside

        hold(found[block], due, where)


def test_some_shuffle_is_defined_in_each_scene() -> None:
    for name, where in SCENES.items():
        group = where.group[int(np.flatnonzero(where.here)[0])]
        assert len(group) > 1 or "one" in name or "alone" in name, name


def test_a_shuffle_may_drop_its_predicate() -> None:
    where = SCENES["all lanes"]
    found = perform("shfl.sync.bfly.b32 %r20, %r1, 4, 31, -1", where, "lockstep", VALUES, 0, 0)
    hold(found[0], lambda t: (int(VALUES[t ^ 4]) if t ^ 4 < THREADS else None, 1), where)


def test_a_shuffle_into_its_own_source() -> None:
    where = SCENES["all lanes"]
    found = perform("shfl.sync.idx.b32 %r1, %r1, 3, 31, -1; mov.u32 %r20, %r1", where, "lockstep", VALUES, 0, 0)
    hold(found[0], lambda t: (int(VALUES[t // 32 * 32 + 3]), 1), where)


# --- vote.sync ---------------------------------------------------------------------------------------

#: One row a block: mixed, all, none, one, all but one, the same in each warp.
FLAGS = np.array([rng.integers(0, 2, THREADS), LANE >= 0, LANE < 0, LANE == 11, LANE != 11,
                  np.arange(THREADS) // 32 % 2]).astype(bool)  # fmt: skip
VOTES = {"all": lambda flags: all(flags), "any": lambda flags: any(flags), "uni": lambda flags: len(set(flags)) == 1}


@SCHEDULED
@CASES
@table(f"vote.sync.{mode}.pred" for mode in VOTES)
def test_vote(row, name, schedule):
    where, answer = SCENES[name], VOTES[row.split(".")[2]]
    found = perform(f"{row} %p4, %p3, %r4", where, schedule, 0, FLAGS, 0)
    for block, flags in enumerate(FLAGS):
        hold(found[block], lambda t, flags=flags: (POISON, answer([bool(flags[o]) for o in where.group[t]])), where)


@SCHEDULED
@CASES
@table(["vote.sync.ballot.b32"])
def test_ballot(row, name, schedule):
    where = SCENES[name]
    found = perform(f"{row} %r20, %p3, %r4", where, schedule, 0, FLAGS, 0)
    for block, flags in enumerate(FLAGS):
        hold(found[block], lambda t, flags=flags: (bits(o for o in where.group[t] if flags[o]), 1), where)


def test_a_vote_on_the_contrary() -> None:
    where, flags = SCENES["some lanes have left"], FLAGS[0]
    found = perform("vote.sync.ballot.b32 %r20, !%p3, %r4", where, "lockstep", 0, flags, 0)
    hold(found[0], lambda t: (bits(o for o in where.group[t] if not flags[o]), 1), where)


# --- match.sync --------------------------------------------------------------------------------------

FEW = rng.integers(0, 3, THREADS).astype(np.uint64)
#: One row a block; the last ones differ in their upper halves only.
MATCHED = np.array([FEW, np.full(THREADS, 7), np.arange(THREADS), np.arange(THREADS) // 32, LANE == 0,
                    FEW << np.uint64(32)]).astype(np.uint64)  # fmt: skip


def agreeing(where, values, thread, wide):
    """Threads of the own group with the own value."""
    keep = (1 << 64) - 1 if wide else ALL
    return [o for o in where.group[thread] if (int(values[o]) ^ int(values[thread])) & keep == 0]


@SCHEDULED
@CASES
@table(f"match.any.sync.{kind}" for kind in ("b32", "b64"))
def test_match_any(row, name, schedule):
    where, wide = SCENES[name], row.endswith("64")
    found = perform(f"{row} %r20, {'%d1' if wide else '%r1'}, %r4", where, schedule, MATCHED, 0, 0)
    for block, values in enumerate(MATCHED):
        hold(found[block], lambda t, values=values: (bits(agreeing(where, values, t, wide)), 1), where)


@SCHEDULED
@CASES
@table(f"match.all.sync.{kind}" for kind in ("b32", "b64"))
def test_match_all(row, name, schedule):
    where, wide = SCENES[name], row.endswith("64")
    found = perform(f"{row} %r20|%p4, {'%d1' if wide else '%r1'}, %r4", where, schedule, MATCHED, 0, 0)
    for block, values in enumerate(MATCHED):

        def due(thread, values=values):
            group = where.group[thread]
            agree = agreeing(where, values, thread, wide) == group
            return (bits(group) if agree else 0), agree

        hold(found[block], due, where)


@pytest.mark.parametrize(("operation", "value", "flag"), [
    ("match.all.sync.b32 %r20, %r1, %r4", lambda whole: whole, 1),
    ("match.sync.all.b32 %r20, %r1, %r4", lambda whole: whole, 1),
    ("match.sync.any.b32 %r20, %r1, %r4", lambda whole: whole, 1),
    ("match.all.sync.b32 _|%p4, %r2, %r4", lambda whole: POISON, 0),
    ("match.all.sync.b32 %r20|_, %r2, %r4", lambda whole: 0, 1),
])  # fmt: skip
def test_forms_of_match(operation, value, flag):
    where = SCENES["some lanes have left"]
    found = perform(operation, where, "lockstep", 5, LANE, 0)
    hold(found[0], lambda t: (value(bits(where.group[t])), flag), where)


# --- activemask, bar.warp.sync -----------------------------------------------------------------------


@SCHEDULED
@pytest.mark.parametrize("name", [name for name in SCENES if "late" not in name and "groups" not in name])
@table(["activemask.b32"])
def test_active_mask(row, name, schedule):
    where = SCENES[name]   # lanes that come together: those on the same path, in no group of their own
    found = perform(f"{row} %r20", where, schedule, 0, 0, 0)
    here, path, warp = where.here, where.path, np.arange(THREADS) // 32
    together = [bits(np.flatnonzero(here & (path == path[t]) & (warp == warp[t])).tolist()) for t in range(THREADS)]
    hold(found[0], lambda t: (together[t], 1), where)


EXCHANGE = """mov.u32 %r10, %tid.x; mul.wide.u32 %d20, %r10, 4; mul.wide.u32 %d21, %r2, 4; mov.u64 %d22, cell;
    add.u64 %d20, %d20, %d22; add.u64 %d21, %d21, %d22; st.volatile.shared.u32 [%d20], %r1; bar.warp.sync %r4;
    ld.volatile.shared.u32 %r20, [%d21]"""


@SCHEDULED
@CASES
@table(["bar.warp.sync"])
def test_lanes_see_what_others_stored_before_the_barrier(row, name, schedule):
    where = SCENES[name]
    groups = {t: where.group[t] for t in range(THREADS) if where.here[t]}
    following = {t: group[(group.index(t) + 1) % len(group)] for t, group in groups.items()}
    others = [following.get(t, 0) for t in range(THREADS)]
    assert f"{row} %r4" in EXCHANGE
    found = perform(EXCHANGE, where, schedule, VALUES, others, 0, module=f".shared .b32 cell[{THREADS}];")
    hold(found[0], lambda t: (int(VALUES[following[t]]), 1), where)


# --- faults and refusals -----------------------------------------------------------------------------

OPERATIONS = [
    "shfl.sync.idx.b32 %r20, %r1, 0, 31, %r4", "vote.sync.any.pred %p4, %p3, %r4",
    "vote.sync.ballot.b32 %r20, %p3, %r4",
    "match.any.sync.b32 %r20, %r1, %r4", "match.all.sync.b64 %r20|%p4, %d1, %r4", "bar.warp.sync %r4",
]  # fmt: skip


@SCHEDULED
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda text: text.partition(" ")[0])
def test_a_lane_outside_its_own_mask_is_a_fault(operation, schedule):
    body = f""".loc 1 7 1
        mov.u32 %r1, %tid.x; setp.lt.u32 %p1, %r1, 17; selp.b32 %r4, -1, 0x0001FFFF, %p1; setp.lt.u32 %p2, %r1, 32;
        @%p2 mov.u32 %r4, -1;
        .loc 1 8 1
        {operation};"""
    text = "lane 17 takes part in a warp-wide operation whose mask 0x0001ffff does not name it"
    with pytest.raises(KernelFault, match=text) as raised:
        run_body(body, [np.zeros(1, np.uint32)], blocks=2, threads=64, schedule=schedule)
    assert raised.value.line == 8 and raised.value.thread == (49, 0, 0)


@SCHEDULED
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda text: text.partition(" ")[0])
def test_lanes_that_wait_at_another_operation_never_come(operation, schedule):
    """PTX wants the same operation of all that the mask names; here half of the lanes wait at a second one."""
    second = OPERATIONS[(OPERATIONS.index(operation) + 1) % len(OPERATIONS)]
    body = f""".loc 1 3 1
        mov.u32 %r1, %laneid; setp.lt.u32 %p1, %r1, 12; mov.u32 %r4, -1; @%p1 bra FIRST;
        .loc 1 4 1
        {second}; bra DONE;
        .loc 1 5 1
        FIRST: {operation}; DONE: st.global.u32 [%a0], %r1;"""
    with pytest.raises(Deadlock, match="threads wait at a warp-wide operation") as raised:
        run_body(body, [np.zeros(1, np.uint32)], blocks=2, threads=64, schedule=schedule)
    here, there = ((20, "12 wait at line 5"), (12, "20 wait at line 4"))[raised.value.line - 4]
    assert f"{here} threads" in str(raised.value) and there in str(raised.value)


@SCHEDULED
def test_lanes_that_wait_at_a_barrier_never_come(schedule):
    body = """mov.u32 %r1, %laneid; setp.lt.u32 %p1, %r1, 12; @%p1 bra FIRST;
        .loc 1 4 1
        bar.sync 0;
        FIRST:
        .loc 1 5 1
        bar.warp.sync -1; st.global.u32 [%a0], %r1;"""
    with pytest.raises(Deadlock, match=r"12 threads wait at a warp-wide operation .* 20 wait at line 4"):
        run_body(body, [np.zeros(1, np.uint32)], threads=64, schedule=schedule)


@SCHEDULED
def test_lanes_that_leave_later_are_no_longer_waited_for(schedule):
    out = np.zeros(32, np.uint32)
    body = """mad.wide.u32 %a0, %i, 4, %a0; setp.lt.u32 %p1, %i, 12; @%p1 bra VOTE;
        mov.u32 %r1, 50; LOOP: sub.u32 %r1, %r1, 1; setp.ne.u32 %p2, %r1, 0; @%p2 bra LOOP; ret;
        VOTE: setp.ne.u32 %p3, %i, 3; vote.sync.ballot.b32 %r2, %p3, -1; st.global.u32 [%a0], %r2;"""
    run_body(body, [out], schedule=schedule)
    assert out.tolist() == [0xFF7] * 12 + [0] * 20


@pytest.mark.parametrize("text", [  # NVIDIA's assembler refuses each for this target
    "shfl.up.b32 %r1, %r2, %r3, 0", "shfl.sync.left.b32 %r1, %r2, 1, 0, -1", "shfl.sync.up.u32 %r1, %r2, 1, 0, -1",
    "shfl.sync.up.b64 %d1, %d2, 1, 0, -1", "shfl.sync.up.b32 %r1, %r2, 1, 0",
    "shfl.sync.up.wrap.b32 %r1, %r2, 1, 0, -1",
    "vote.any.pred %p1, %p2", "vote.ballot.b32 %r1, %p2", "vote.sync.most.pred %p1, %p2, -1",
    "vote.sync.ballot.pred %p1, %p2, -1", "vote.sync.any.b32 %r1, %p2, -1", "vote.sync.any.pred %p1, %p2",
    "match.any.b32 %r1, %r2, -1", "match.any.sync.u32 %r1, %r2, -1", "match.any.sync.b32 %r1|%p1, %r2, -1",
    "match.some.sync.b32 %r1, %r2, -1", "match.any.all.b32 %r1, %r2, -1", "match.any.sync.wrap.b32 %r1, %r2, -1",
    "activemask.u32 %r1", "activemask.sync.b32 %r1", "bar.warp.arrive -1", "bar.warp.sync.aligned -1", "bar.warp.sync",
])  # fmt: skip
def test_what_the_assembler_refuses_is_refused(text):
    with pytest.raises(SimulatorLacks):
        run_body(f"{text};", [np.zeros(1, np.uint32)])
