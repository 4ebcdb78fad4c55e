"""What fuzzing found: PTX that no assembler accepts ends in an error of the course, and what is odd but right runs."""

from __future__ import annotations

import numpy as np
import pytest

from gpucourse.errors import CourseError, OutOfBounds, SimulatorLacks
from gpucourse.simt.link import Program
from gpucourse.simt.run import launch

KERNEL = """.version 7.5
.target sm_75
.address_size 64
.visible .entry k(.param .u64 out)
{
    .reg .pred %%p<4>; .reg .b16 %%rs<4>; .reg .b32 %%r<6>; .reg .b64 %%rd<6>; .reg .f32 %%f<4>; .reg .f64 %%fd<4>;
    .shared .align 16 .b8 buffer[64];
    ld.param.u64 %%rd1, [out];
    mov.u32 %%r1, %%tid.x;
    setp.lt.u32 %%p1, %%r1, 9;
%s
    ret;
}
"""


def run(body: str, schedule: str = "lockstep") -> np.ndarray:
    """Element i of what thread i of 3 x 64 leaves behind."""
    out = np.zeros(256, np.uint32)
    launch(Program(ptx=KERNEL % body), "k", (3,), (64,), [out], schedule=schedule, budget=5_000)
    return out


#: Each made NumPy or Python raise something else once.
UNFIT = {
    "a call of nothing": "call.uni ;",
    "a call of a number": "call 8, (%r1);",
    "a test of packed halves": "testp.infinite.f16x2 %p1, %r2;",
    "a modifier that votes do not have": "vote.sync.wide.ballot.b32 %r3, %p2, 1;",
    "packed halves for a 16-bit cell": "@%p1 st.shared.f16x2 [buffer+8], %r3;",
    "packed halves as an atomic's neighbor": "st.volatile.global.f16x2 [%rd1], %r2;",
    "an atomic without an operation": "red.ftz.u16 buffer, {%r1, %r2}, %rs2, %rs1;",
    "an atomic without a value": "red.global.or.b32 [%rd1];",
    "an exchange with one value": "atom.shared.cas.b32 %r2, [buffer+8], %r2;",
    "an increment with two values": "atom.global.inc.u32 %r2, [%rd1], %r1, %r1;",
    "a carry of floats": "subc.f32 %r2, %r4, %r2;",
    "a carry without its operands": "madc.hi.u32 %r3, %r2, %r4;",
    "a carry of one operand": "not.cc.b16 %rs2, %rs3;",
    "bits of a float": "bfi.f32 %r3, %r4, %r2, %r1, %r1;",
    "a shift of floats": "shr.f32 %f1, %f2, %r1;",
    "a pair of halves as one integer": "cvt.rzi.s32.f16x2 %r3, %r2;\n slct.s8.s32 %r1, %r2, %r3, %r1;",
    "the negative of a predicate": "neg.pred %r3, %r4;",
    "a double as a predicate": "selp.u32 %r2, %r1, %r4, 0d7FF8000000000000;",
    "a double as a mask of lanes": "match.all.sync.b64 %r2|%p2, %rd2, 0d7FF8000000000000;",
    "a float as a 16-bit number": "mov.b16 %rs1, 0f3F800000;",
    "a register that was not declared": "add.u32 %r1, %nosuch, 1;",
    "a guard that was not declared": "@%nosuch bra END;\nEND:",
    "a float as an address": "cvta.to.global.f32 %f1, %f2;",
    "a shuffle without a mode": "shfl.sync.b32 %r1, %r2, 1, 31, -1;",
    "a meeting of lanes without a mask": "bar.warp.sync ;",
    "a jump by a table that is a number": "brx.idx 1, 2;",
    "a load of nothing": "ld.global.u32 %r1;",
    "a location that is no number": ".loc 1 ] 5\n bogus %r1;",
}  # fmt: skip


@pytest.mark.parametrize("schedule", ["lockstep", "adversarial"])
@pytest.mark.parametrize("body", UNFIT.values(), ids=UNFIT.keys())
def test_unfit_instructions_end_in_an_error_of_the_course(body: str, schedule: str) -> None:
    try:
        run(body, schedule)
    except CourseError as error:
        assert str(error)


@pytest.mark.parametrize("name", ["an atomic without a value", "a carry of floats", "a shift of floats"])
def test_the_error_names_the_instruction_and_the_line(name: str) -> None:
    opcode = UNFIT[name].split()[0]
    with pytest.raises(SimulatorLacks, match=opcode) as raised:
        run(f".loc 1 42 7\n {UNFIT[name]}")
    assert raised.value.line == 42 and opcode in raised.value.ptx


def test_half_pairs_are_not_converted_from() -> None:
    with pytest.raises(SimulatorLacks, match="cvt"):
        run("@%p1 cvt.rni.u64.f16x2 %rd2, %r4;\n @!%p1 st.global.u64 [%rd1], %rd2;")


@pytest.mark.parametrize("body", ["st.global.f16x2 [%rd1], %r4;", "ld.global.f16x2 %r4, [%rd1];",
                                  "st.shared.pred [buffer], %p1;"])  # fmt: skip
def test_memory_has_no_cells_of_half_pairs_or_predicates(body: str) -> None:
    with pytest.raises(SimulatorLacks):
        run(f"ret;\n {body}")      # refused before anything runs


def test_an_absolute_address_below_zero_is_out_of_bounds() -> None:
    with pytest.raises(OutOfBounds):
        run("ld.global.u8 %r2, [-1];")


def test_a_location_without_a_line_keeps_the_last_one() -> None:
    with pytest.raises(SimulatorLacks) as raised:
        run(".loc 1 42 7\n.loc 1 %fd129 5\n tex.nothing %r1;")
    assert raised.value.line == 42


def test_what_is_left_undefined_reads_as_zero() -> None:
    mine = "mul.wide.u32 %rd2, %r1, 4; add.u64 %rd2, %rd1, %rd2;"
    assert not run(f"{mine} st.global.u32 [%rd2], %r5; @%p3 st.global.u32 [%rd2], 7;").any()
    assert run(f"{mine} @%p1 st.global.u32 [%rd2], 7;").sum() == 9 * 7


def test_a_text_that_printf_cannot_reach_is_named_with_its_line() -> None:
    source = 'extern "C" __global__ void k(const char* text) {\n    printf("%s", text);\n}\n'
    with pytest.raises(OutOfBounds, match=r"printf .* a null pointer") as raised:
        launch(Program(source), "k", (1,), (32,), [np.uint64(0)])
    assert raised.value.line == 2 and raised.value.thread == (0, 0, 0)
