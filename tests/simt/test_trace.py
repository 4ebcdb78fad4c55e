"""`Trace.executed`: called once after each instruction, with what it wrote; only for a trace that asks for it."""

import numpy as np
import pytest

from gpucourse.simt.flow import writes
from gpucourse.simt.link import Program
from gpucourse.simt.run import launch
from gpucourse.simt.trace import Trace

SOURCE = r"""
extern "C" __global__ void f(const int* x, int* y) {
    int value = x[threadIdx.x];
    int other = __shfl_xor_sync(0xffffffff, value, 1);
    if (value > 3) y[threadIdx.x] = 7 * other + value;
}"""


class Told(Trace):
    instruction_by_instruction = True

    def __init__(self):
        self.written = []

    def executed(self, f, instruction):
        self.written.append((instruction.parts[0], f.lanes.slot.tolist(), self._result(f, instruction)))

    def _result(self, f, instruction):
        name = next(iter(writes(instruction)), "")
        return f.registers[name].tolist() if name in f.registers else None


def run(trace):
    x, y = np.arange(32, dtype=np.int32) % 8, np.zeros(32, np.int32)
    launch(Program(SOURCE), "f", (1,), (32,), (x, y), trace=trace)
    return x, y


def test_each_instruction_is_told_once_with_what_it_wrote():
    told = Told()
    x, y = run(told)
    loads = [(lanes, written) for opcode, lanes, written in told.written if opcode == "ld" and written == x.tolist()]
    assert loads == [(list(range(32)), x.tolist())]
    shuffled = [written for opcode, _, written in told.written if opcode == "shfl"]
    assert shuffled == [x[np.arange(32) ^ 1].tolist()]
    stores = [lanes for opcode, lanes, _ in told.written if opcode == "st"]
    assert stores == [np.flatnonzero(x > 3).tolist()]
    assert y[x > 3].tolist() == (7 * x[np.arange(32) ^ 1] + x)[x > 3].tolist()


@pytest.mark.parametrize("schedule", ["lockstep", "adversarial"])
def test_every_warp_is_told_in_both_schedules(schedule):
    told, out = Told(), np.zeros(96, np.int32)
    launch(Program('extern "C" __global__ void g(int* y) { y[threadIdx.x] = 2 * threadIdx.x; }'), "g", (1,), (96,),
           (out,), schedule=schedule, trace=told)  # fmt: skip
    assert sorted(lane for opcode, lanes, _ in told.written if opcode == "st" for lane in lanes) == list(range(96))


def test_a_trace_that_does_not_ask_is_not_told():
    class Deaf(Told):
        instruction_by_instruction = False

    deaf = Deaf()
    run(deaf)
    assert deaf.written == []
