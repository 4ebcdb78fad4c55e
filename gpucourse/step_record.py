"""Records what one warp does, instruction by instruction, as drafts of steps; `gpucourse.stepping` finishes them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucourse.errors import CourseError
from gpucourse.simt.flow import writes
from gpucourse.simt.ptx import Instruction
from gpucourse.simt.registers import WARP, Ints, Lanes, raw, spread
from gpucourse.simt.trace import Access, Trace
from gpucourse.simt.variables import Variable, decoded

if TYPE_CHECKING:
    from gpucourse.simt.link import Code, RunBlock
    from gpucourse.simt.registers import Fragment, Values

#: The most steps of a warp that are kept.
MOST_STEPS = 500

Value = float | int | bool | None


class Who(NamedTuple):
    """The warp that is watched: its block's number, its own in the block, and how many threads it has."""

    block: int
    warp: int
    lanes: int

    def among(self, lanes: Lanes) -> tuple[Ints, Ints]:
        """(positions among `lanes`, their numbers in the warp) of those that belong to it."""
        slot, shape = lanes.slot, lanes.shape
        in_warp = slot % shape.slots // WARP == self.warp
        here = np.flatnonzero((slot // shape.slots + shape.first == self.block) & in_warp)
        return here, slot[here] % WARP


class Seen(NamedTuple):
    """A memory instruction of the warp: `address` and each of `values` (raw bits, an array an element) by lane."""

    space: str
    kind: str
    lanes: Ints
    address: NDArray[np.uint64]
    element: int
    elements: int
    values: list[Values]
    dtype: str

    @property
    def size(self) -> int:
        return self.element * self.elements


@dataclass
class Draft:
    """A step that is being recorded: `places` are the PTX lines of its instructions, `values` what variables become."""

    line: int
    active: Ints
    ended: tuple[int, ...]
    waiting: tuple[int, ...]
    places: set[int] = field(default_factory=set)
    ptx: list[str] = field(default_factory=list)
    registers: dict[str, dict[int, Value]] = field(default_factory=dict)
    values: dict[str, dict[int, Value]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    splits: bool = False
    barrier: bool = False
    exits: bool = False


Holder = tuple[Variable, str]   # a variable and the register that has its value


class Recorder(Trace):
    """Watches one warp: opens a step at each new line, and notes what its lanes write, access and hold."""

    instruction_by_instruction = True

    def __init__(self, who: Who, each_instruction: bool, known: list[Variable]) -> None:
        self.who, self._each, self._known = who, each_instruction, known
        self.drafts: list[Draft] = []
        self._registers: dict[tuple[str, str], NDArray[np.uint64]] = {}
        self._ended: set[int] = set()
        self._run: RunBlock | None = None
        self._branch: dict[int, Instruction] = {}   # lane -> how its block ends
        self._accesses: list[Access] = []
        self._after: dict[int, list[Holder]] = {}   # PTX line of an instruction -> who holds what behind it
        self._homes: dict[tuple[str, str], list[Holder]] = {}   # (function, register) -> whose home it is

    # --- hooks ---------------------------------------------------------------------------------------

    def begin(self, machine: Any) -> None:
        for code in machine.kernel.codes.values():
            self._place_variables(code)

    def block(self, f: Fragment, run: RunBlock) -> None:
        here, lanes = self.who.among(f.lanes)
        if not len(here):
            return
        self._run = run
        end = run.block.end
        if self._each:
            self._end_blocks()
            if end is not None and run.block.kind in ("branch", "table", "call"):
                self._branch |= dict.fromkeys(lanes.tolist(), end)

    def executed(self, f: Fragment, instruction: Instruction) -> None:
        here, lanes = self.who.among(f.lanes)
        accesses, self._accesses = self._accesses, []
        if len(here):
            draft = self._event(lanes, instruction)
            names = [name for name in writes(instruction) if name in f.registers and f.registers[name].ndim == 1]
            written = {name: spread(raw(f.registers[name]), f.lanes.count)[here] for name in names}
            self._write(draft, f, lanes, written)
            for access in accesses:
                self._note(draft, access, lanes, written)

            homes = [pair for name in names for pair in self._homes.get((f.code.function.name, name), ())]
            self._set(draft, lanes, f.code.function.name, (*homes, *self._after.get(instruction.ptx_line, ())))

    def access(self, access: Access) -> None:
        if access.space in ("global", "const", "shared"):
            self._accesses.append(access)

    def diverges(self, f: Fragment, branch: Instruction, taken: Values) -> None:
        here, lanes = self.who.among(f.lanes)
        if len(here) and taken[here].any() and not taken[here].all():
            self._end_blocks()
            last = self.drafts[-1] if self.drafts else None
            if last is None or branch.ptx_line not in last.places:   # else it ended a block, and is noted
                last = self._event(lanes, branch)
            last.splits = True

    def arrive(self, f: Fragment, barrier: Instruction, number: int) -> None:
        here, lanes = self.who.among(f.lanes)
        if len(here):
            self._event(lanes, barrier).barrier = True

    def exit(self, f: Fragment) -> None:
        here, lanes = self.who.among(f.lanes)
        end = self._run.block.end if self._run else None
        if not len(here):
            return
        if end is not None:
            self._event(lanes, end).exits = True
        self._ended |= set(lanes.tolist())

    # --- steps ---------------------------------------------------------------------------------------

    def _end_blocks(self) -> None:
        """Note the branches with which lanes ended their blocks: the machine tells only of those that part lanes."""
        ends, self._branch = self._branch, {}
        for end in dict.fromkeys(ends.values()):
            self._event(np.array(sorted(lane for lane, held in ends.items() if held is end)), end)

    def _event(self, lanes: Ints, instruction: Instruction) -> Draft:
        """Lanes execute an instruction: return the step that it belongs to."""
        last = self.drafts[-1] if self.drafts else None
        if last is None or self._opens(last, lanes, instruction):
            last = self._opened(lanes, instruction.line or (last.line if last else 0))
        last.places.add(instruction.ptx_line)
        last.ptx.append(str(instruction))
        return last

    def _opened(self, lanes: Ints, line: int) -> Draft:
        if len(self.drafts) == MOST_STEPS:
            raise CourseError(f"steps keeps at most {MOST_STEPS} steps of a warp, and this one makes more: step "
                              "through a smaller launch (a shorter loop, a smaller array)")  # fmt: skip
        waiting = set(range(self.who.lanes)) - self._ended - set(lanes.tolist())
        draft = Draft(line, lanes, tuple(sorted(self._ended)), tuple(sorted(waiting)))
        self.drafts.append(draft)
        return draft

    def _opens(self, last: Draft, lanes: Ints, instruction: Instruction) -> bool:
        """Whether an instruction begins a step: another line, other lanes, or the same one again."""
        if self._each or not np.array_equal(lanes, last.active):
            return True
        return (instruction.line or last.line) != last.line or instruction.ptx_line in last.places

    # --- variables -----------------------------------------------------------------------------------

    def _place_variables(self, code: Code) -> None:
        """Say behind which instruction a register holds a variable."""
        lines = [item.ptx_line for item in code.function.body if isinstance(item, Instruction)]
        for variable in self._known:
            if variable.scope[0] > lines[-1] or variable.scope[1] <= lines[0]:
                continue
            if variable.home:
                self._homes.setdefault((code.function.name, variable.home), []).append((variable, variable.home))
            for line, register in variable.places:
                last = lines[bisect_left(lines, line) - 1]
                self._after.setdefault(last, []).append((variable, register))

    def _set(self, draft: Draft, lanes: Ints, function: str, holders: Iterable[Holder]) -> None:
        for variable, register in holders:
            held = self._registers.get((function, register))
            if held is not None:
                values = decoded(held[lanes], variable.dtype)
                draft.values.setdefault(variable.name, {}).update(zip(lanes.tolist(), values, strict=True))

    # --- what a step holds ---------------------------------------------------------------------------

    def _write(self, draft: Draft, f: Fragment, lanes: Ints, written: dict[str, Values]) -> None:
        function = f.code.function
        for name, bits in written.items():
            held = self._registers.setdefault((function.name, name), np.zeros(WARP, np.uint64))
            held[lanes] = bits
            values = decoded(held[lanes], dtype_of(function.registers.get(name, "")))
            draft.registers[name] = dict(zip(lanes.tolist(), values, strict=True))

    def _note(self, draft: Draft, access: Access, lanes: Ints, written: dict[str, Values]) -> None:
        """Keep the warp's part of an access; a load's values stand in the registers that it wrote."""
        mine, inside = self.who.among(access.lanes)
        if not len(mine):
            return
        values = [v[mine] for v in access.values]
        if access.kind == "load":
            place = np.searchsorted(lanes, inside)
            values = [written[name][place] for name in writes(access.instruction) if name in written]
        dtype = dtype_of(access.instruction.parts[-1])
        known = len(values) == access.count and access.kind != "atomic"
        draft.seen.append(Seen(access.space, access.kind, inside, access.address[mine], access.size, access.count,
                               values if known else [], dtype))  # fmt: skip


_LETTERS = {"f": "f", "s": "i", "u": "u", "b": "u"}


def dtype_of(kind: str) -> str:
    """Return NumPy's name of a PTX type such as "f32"; raw bits for what it has no name for."""
    found = re.fullmatch(r"([fsub])(8|16|32|64)", kind)
    if kind == "pred":
        return "?"
    return f"{_LETTERS[found[1]]}{int(found[2]) // 8}" if found else "u8"
