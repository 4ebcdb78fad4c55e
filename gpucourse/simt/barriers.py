"""Block barriers that count arrivals: `__syncthreads()` and PTX's sixteen numbered barriers."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucourse.errors import SimulatorLacks
from gpucourse.simt.builtins import fault
from gpucourse.simt.ptx import Immediate, Instruction, Operand, Register
from gpucourse.simt.registers import WARP, Fragment, Ints, Shape, Values, raw, select, spread

#: Numbered barriers of a block (PTX ISA, "barrier").
COUNT = 16


@dataclass
class _State:
    """One barrier number: per block, threads arrived, threads whose flag was set, threads expected (0: all)."""

    arrived: Ints
    flagged: Ints
    expected: Ints


@dataclass
class _Reduction:
    """`bar.red`: the operation and the register that gets its result."""

    operation: str
    target: str


@dataclass
class _Arrival:
    """What lanes bring to a barrier: its number and the threads expected, or 0 for all (shape (1,) or (lanes,))."""

    number: Ints
    expected: Ints
    reduction: _Reduction | None
    flag: Values | None
    waits: bool

    def of(self, pair: Ints, chosen: Any) -> _Arrival:
        """The part of the `chosen` lanes, which all have this (number, count)."""
        flag = self.flag if self.flag is None or len(self.flag) == 1 else self.flag[chosen]
        return replace(self, number=pair[:1], expected=pair[1:], flag=flag)


class Barriers:
    """All barriers of a wave's blocks; `parked` are the fragments that wait, already past the instruction."""

    def __init__(self, shape: Shape, wave: Any) -> None:
        # weakly: a wave holds its barriers, and a cycle would keep the arrays until the garbage collector comes
        self.shape, self._wave = shape, weakref.ref(wave)
        self.parked: list[Fragment] = []
        self._at: list[tuple[int, _Reduction | None]] = []
        self._states: dict[int, _State] = {}

    @property
    def wave(self) -> Any:
        """The wave that these barriers belong to."""
        return self._wave()

    def arrive(
        self, f: Fragment, instruction: Instruction, alive: NDArray[np.bool_], living: int
    ) -> list[Fragment]:
        """A fragment arrives; the fragments that may go on (the same one when nobody has to wait)."""
        came = _operands(f, instruction)
        if len(came.number) == len(came.expected) == 1:
            return self._arrive(f, instruction, came, alive, living)
        pairs = np.stack([spread(came.number, f.lanes.count), spread(came.expected, f.lanes.count)])
        kinds, which = np.unique(pairs, axis=1, return_inverse=True)
        if kinds.shape[1] == 1:
            return self._arrive(f, instruction, came.of(kinds[:, 0], slice(None)), alive, living)
        parts = [(select(f, which == n, f.block), came.of(kinds[:, n], which == n)) for n in range(kinds.shape[1])]
        return [ready for part, its in parts for ready in self._arrive(part, instruction, its, alive, living)]

    def _arrive(
        self, f: Fragment, instruction: Instruction, came: _Arrival, alive: NDArray[np.bool_], living: int
    ) -> list[Fragment]:
        """As `arrive`, for lanes that all name the same barrier and count."""
        number, expected, reduction, flag = int(came.number[0]), int(came.expected[0]), came.reduction, came.flag
        waits, trace = came.waits, self.wave.trace
        if trace is not None:
            trace.arrive(f, instruction, number)
        if reduction is None and waits and not expected and not self.parked and f.lanes.count == living:
            if trace is not None:
                trace.release(self.wave, number, f.lanes.slot)
            return [f]
        state = self._state(number)
        blocks = f.lanes.block
        state.arrived += np.bincount(blocks, minlength=self.shape.count)
        state.expected[blocks] = expected
        if flag is not None:
            state.flagged += np.bincount(blocks[np.broadcast_to(flag, blocks.shape)], minlength=self.shape.count)
        if not waits:
            return [f, *self._release(number, alive)]
        self.parked.append(f)
        self._at.append((number, reduction))
        return self._release(number, alive)

    def after_exit(self, f: Fragment, alive: NDArray[np.bool_]) -> list[Fragment]:
        """Threads that ended are no longer waited for."""
        return [part for number in list(self._states) for part in self._release(number, alive)] if self.parked else []

    def describe(self, alive: NDArray[np.bool_]) -> str:
        """Who arrived and who is missing, for the first block that waits."""
        for number, state in self._states.items():
            waiting = np.flatnonzero(state.arrived)
            if len(waiting):
                block = int(waiting[0])
                needed = int(state.expected[block] or self._living(alive)[block])
                return (f"barrier {number} of block {block + self.shape.first} has {int(state.arrived[block])} of "
                        f"{needed} threads; the others wait elsewhere or have ended")  # fmt: skip
        return "no thread can run"

    def _state(self, number: int) -> _State:
        if number not in self._states:
            self._states[number] = _State(*(np.zeros(self.shape.count, np.int64) for _ in range(3)))
        return self._states[number]

    def _living(self, alive: NDArray[np.bool_]) -> Ints:
        living: Ints = alive.reshape(self.shape.count, -1).sum(axis=1)
        return living

    def _release(self, number: int, alive: NDArray[np.bool_]) -> list[Fragment]:
        state = self._states[number]
        needed = np.where(state.expected > 0, state.expected, self._living(alive))
        complete = (state.arrived >= needed) & (state.arrived > 0)
        if not complete.any():
            return []
        released, kept, at = [], [], []
        for fragment, (own, reduction) in zip(self.parked, self._at, strict=True):
            goes = complete[fragment.lanes.block] if own == number else np.zeros(fragment.lanes.count, bool)
            if goes.any():
                part = select(fragment, goes, fragment.block)
                _reduce(part, reduction, state)
                released.append(part)
            if not goes.all():
                kept.append(select(fragment, ~goes, fragment.block))
                at.append((own, reduction))
        if self.wave.trace is not None and released:
            self.wave.trace.release(self.wave, number, np.concatenate([part.lanes.slot for part in released]))
        self.parked, self._at = kept, at
        state.arrived[complete] = 0
        state.flagged[complete] = 0
        return released


def _reduce(part: Fragment, reduction: _Reduction | None, state: _State) -> None:
    if reduction is None:
        return
    yes, count = state.flagged[part.lanes.block], state.arrived[part.lanes.block]
    result: Values = {"popc": yes.astype(np.uint32), "and": yes == count, "or": yes > 0}[reduction.operation]
    part.registers[reduction.target] = result


def _operands(f: Fragment, instruction: Instruction) -> _Arrival:
    operands, parts = list(instruction.operands), instruction.parts
    reduction, flag = None, None
    if "red" in parts:
        target, predicate = operands.pop(0), operands.pop()
        if not isinstance(target, Register) or not isinstance(predicate, Register):
            raise SimulatorLacks("this barrier", str(instruction), instruction.line or None)
        operation = next(p for p in parts if p in ("popc", "and", "or"))
        reduction = _Reduction(operation, target.name)
        flag = f.registers[predicate.name].astype(bool)
        flag = ~flag if predicate.negated else flag
    number, expected = (_values(f, operands[n]) if len(operands) > n else np.zeros(1, np.int64) for n in (0, 1))
    _check(f, instruction, number >= COUNT, number, f"barrier {{}}; a block has {COUNT}, from 0 on")
    _check(f, instruction, expected % WARP != 0, expected, "a barrier of {} threads; whole warps of 32 are counted")
    return _Arrival(number, expected, reduction, flag, "arrive" not in parts)


def _values(f: Fragment, operand: Operand) -> Ints:
    """Barrier numbers or counts: shape (1,) or (lanes,)."""
    if isinstance(operand, Immediate):
        return np.array([operand.value])
    if isinstance(operand, Register):
        return raw(f.registers[operand.name]).astype(np.int64)
    raise SimulatorLacks(f"the barrier operand {operand}")


def _check(f: Fragment, instruction: Instruction, bad: Values, values: Ints, problem: str) -> None:
    """Raise a `KernelFault` for the first lane whose number or count no barrier has."""
    if bad.any():
        at = int(np.argmax(bad))
        one = select(f, np.arange(f.lanes.count) >= at, f.block)
        raise fault(one, instruction, f"waits at {problem.format(int(values[at]))}")
