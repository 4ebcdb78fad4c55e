"""`steps`: what one warp of a small launch does, source line by source line, as a debugger would show it.

The launch runs on the simulator, on copies, as under `profile`. By lines it is compiled as for a debugger (`-G`:
without optimization): every line is there, in the source's order, and its variables have values. `profile` counts
what the optimizer leaves, which may be less: a value that it keeps in a register is read once, a short branch becomes
a select.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np

from gpucourse.access_record import KINDS, Held, arrays_of
from gpucourse.errors import CourseError
from gpucourse.explain import copied_call
from gpucourse.simt.metrics import global_requests, wavefronts
from gpucourse.simt.regions import source_name
from gpucourse.simt.registers import WARP
from gpucourse.simt.variables import variables
from gpucourse.step_record import Draft, Recorder, Seen, Value, Who

if TYPE_CHECKING:
    from gpucourse.cupy_sim.function import Call
    from gpucourse.simt.link import Program

DETAILS = ("line", "ptx")

_UNITS = {"global": "sector", "shared": "wavefront", "const": "address"}

Dim3 = tuple[int, int, int]


class Touch(NamedTuple):
    """One lane touches one `element` of an array: `value` is what it reads or writes (None: an atomic's, a part's).

    `byte` is the first byte, counted from the array's start, and `size` how many there are.
    """

    lane: int
    element: int
    value: Value
    byte: int
    size: int


@dataclass(frozen=True)
class Request:
    """One memory instruction of the warp: `kind` is "read", "write" or "update" (an atomic).

    `cost` is how much it takes, in `unit`s: sectors in "global" memory, wavefronts in "shared", addresses in "const".
    """

    array: str
    space: str
    kind: str
    touched: tuple[Touch, ...]
    cost: int

    @property
    def unit(self) -> str:
        """What `cost` counts."""
        return _UNITS[self.space]


@dataclass(frozen=True)
class Step:
    """What the warp does at once; the tuples of lanes are ascending.

    `active` lanes execute `line` (0: none of the source); `waiting` ones are elsewhere in the kernel, `ended` ones have
    left it. `variables` are those that the line names, for every lane as they are after the step (None: no value
    yet, or not known), `changed` those that this step gave a new value. `ptx` are its instructions, and `registers`
    what they wrote, lane by lane. `notes` say in words where lanes part, meet, wait and end.
    """

    number: int
    line: int
    active: tuple[int, ...]
    waiting: tuple[int, ...]
    ended: tuple[int, ...]
    variables: dict[str, tuple[Value, ...]]
    changed: tuple[str, ...]
    requests: tuple[Request, ...]
    notes: tuple[str, ...]
    ptx: tuple[str, ...]
    registers: dict[str, tuple[Value, ...]]

    @property
    def accesses(self) -> list[tuple[int, str, int, str, Value]]:
        """(lane, array, element, kind, value) of every element touched."""
        return [(t.lane, r.array, t.element, r.kind, t.value) for r in self.requests for t in r.touched]


@dataclass(frozen=True, repr=False)
class Steps(Sequence[Step]):
    """The steps of one warp: `steps[0]` is step 1. `lanes` is how many threads the warp has."""

    kernel: str
    source: str
    grid: Dim3
    block_size: Dim3
    block: int
    warp: int
    lanes: int
    detail: str
    arrays: dict[str, Held]
    steps: tuple[Step, ...]

    def __len__(self) -> int:
        return len(self.steps)

    @overload
    def __getitem__(self, at: int) -> Step: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Step]: ...
    def __getitem__(self, at: int | slice) -> Step | Sequence[Step]:
        return self.steps[at]

    def step(self, number: int) -> Step:
        """Step `number`, counted from 1; CourseError for one that is not there."""
        if not 1 <= number <= len(self):
            raise CourseError(f"step {number} of {self.kernel}: there are the steps 1 to {len(self)}")
        return self.steps[number - 1]

    def source_line(self, line: int) -> str:
        """Text of a source line; "" for 0."""
        lines = self.source.splitlines()
        return lines[line - 1] if 0 < line <= len(lines) else ""

    def place(self, array: str, index: int) -> str:
        """An element as the source writes it: "x[12]", or "tile[1][4]" of a shared array."""
        held = self.arrays[array]
        if held.space != "shared" or len(held.shape) < 2 or not 0 <= index < held.elements:
            return f"{array}[{index}]"
        return array + "".join(f"[{part}]" for part in np.unravel_index(index, held.shape))

    def __repr__(self) -> str:
        return (f"Steps of {self.kernel}, grid {self.grid}, block {self.block_size}: "
                f"{len(self)} steps of warp {self.warp} of block {self.block}")  # fmt: skip


def steps(
    kernel: Any, grid: tuple[int, ...], block: tuple[int, ...], args: Sequence[Any], *, shared_mem: int = 0,
    of_block: int = 0, of_warp: int = 0, detail: str = "line",
) -> Steps:  # fmt: skip
    """Record what warp `of_warp` of block `of_block` does in a small launch; the other arguments as `profile`.

    Blocks are numbered with x running fastest. `detail="line"` makes a step of what the warp does for one source line,
    compiled without optimization; `detail="ptx"` one of each PTX instruction of the optimized kernel, whose number
    changes with the compiler's version. It runs on the simulator, on copies: `args` stay as they are. Errors are the
    launch's own; CourseError where the warp makes more than 500 steps.

    >>> recorded = steps(add, (2,), (64,), (x, y, out, np.int32(100)), of_block=1)  # doctest: +SKIP
    >>> stepper(recorded, at=3)  # doctest: +SKIP
    """
    if detail not in DETAILS:
        raise CourseError(f"detail={detail!r}: steps are made by {' or '.join(DETAILS)}")
    with copied_call(kernel, grid, block, args, shared_mem) as asked:
        call = asked if detail == "ptx" else _for_debugger(asked)
        who = _who(call, of_block, of_warp)
        recorder = Recorder(who, detail == "ptx", variables(call.program.compiled.ptx))
        call.run(trace=recorder)
        maker = _Maker(call, recorder.drafts, who, asked.program.source)
        made, source = tuple(maker.steps()), asked.program.source
    return Steps(call.name, source, call.grid, call.block, *who, detail, maker.arrays, made)


def _for_debugger(call: Call) -> Call:
    """The launch of the same source compiled with `-G`; its variables start as the program's are.

    Of lanes that part, those that fall through go first: into an `if` before its `else`.
    """
    from gpucourse.simt.flow import Flow
    from gpucourse.simt.link import Program
    from gpucourse.simt.ptx import Symbol

    program = call.program
    compiled = Program(program.source, (*program.options, "-G"), program.names)
    for name in compiled.allocations.keys() & program.allocations.keys():
        if not any(isinstance(value, Symbol) for value in program.module.variables[name].initial):   # own addresses
            compiled.variable(name)[:] = program.variable(name)
    for code in compiled.kernel(call.name).codes.values():
        code.order = Flow(code.function).order_as_written
    return replace(call, program=compiled)


def _who(call: Call, block: int, warp: int) -> Who:
    """The warp that is watched; CourseError where the launch has none of that number."""
    blocks, threads = math.prod(call.grid), math.prod(call.block)
    limits = (("of_block", block, "the grid has the blocks", blocks),
              ("of_warp", warp, "a block has the warps", -(-threads // WARP)))  # fmt: skip
    for name, number, what, count in limits:
        if not 0 <= number < count:
            raise CourseError(f"{name}={number}: {what} 0 to {count - 1}")
    return Who(block, warp, min(WARP, threads - WARP * warp))


# --- from drafts to steps ----------------------------------------------------------------------------


class _Sized(NamedTuple):
    space: str
    address: int
    size: int


class _Maker:
    """Makes steps of drafts: names the arrays behind addresses, follows the variables, says what happens to lanes."""

    def __init__(self, call: Call, drafts: Sequence[Draft], who: Who, source: str) -> None:
        self._drafts, self._who, self._lines = drafts, who, source.splitlines()
        self._alone = math.prod(call.block) <= WARP
        entry = call.program.kernel(call.name)
        named = list(zip(entry.parameter_names, call.args, strict=True))
        log = [_Sized(seen.space, address, seen.size) for draft in drafts for seen in draft.seen
               for address in seen.address.tolist()]  # fmt: skip
        self.arrays = arrays_of(entry, call.args, call.shared_bytes, log) | _variables_of(call.program, log)
        self._dtypes = {name: value.dtype for name, value in named if isinstance(value, np.ndarray)}
        self._state: dict[str, list[Value]] = {
            name: [value.item()] * who.lanes for name, value in named
            if isinstance(value, np.generic) and value.dtype.kind in "iufb"
        }  # fmt: skip

    def steps(self) -> Iterator[Step]:
        """The finished steps, in order."""
        known = {*self._state, *(name for draft in self._drafts for name in draft.values)}
        for number, draft in enumerate(self._drafts, 1):
            changed = self._follow(draft)
            text = self._lines[draft.line - 1] if 0 < draft.line <= len(self._lines) else ""
            named = {name: tuple(self._state[name]) for name in _names(text) if name in known & self._state.keys()}
            requests = tuple(self._request(seen) for seen in draft.seen)
            registers = {name: tuple(map(values.get, range(self._who.lanes)))
                         for name, values in draft.registers.items()}  # fmt: skip
            yield Step(number, draft.line, tuple(draft.active.tolist()), draft.waiting, draft.ended, named,
                       tuple(name for name in named if name in changed), requests, tuple(self._notes(number - 1)),
                       tuple(draft.ptx), registers)  # fmt: skip

    def _follow(self, draft: Draft) -> set[str]:
        """Bring the variables to where they stand behind a step; return those that have a new value in some lane."""
        changed = set()
        for name, values in draft.values.items():
            held = self._state.setdefault(name, [None] * self._who.lanes)
            for lane, value in values.items():
                if held[lane] != value:
                    held[lane] = value
                    changed.add(name)
        return changed

    # --- memory --------------------------------------------------------------------------------------

    def _request(self, seen: Seen) -> Request:
        held = next((held for held in self.arrays.values() if _lies_in(held, seen)), None)
        space, name = (held.space, held.name) if held else (seen.space, "memory")
        touched = tuple(self._touched(seen, held)) if held else ()
        return Request(name, space, KINDS[seen.kind], touched, _cost(seen, space))

    def _touched(self, seen: Seen, held: Held) -> Iterator[Touch]:
        """Every element that every lane touches; an access of 16 bytes touches four floats."""
        raw = [np.ascontiguousarray(value).view(np.uint8).reshape(len(seen.lanes), -1)[:, : seen.element]
               for value in seen.values]  # fmt: skip
        held_bytes = np.concatenate(raw, axis=1) if raw else None
        dtype = self._dtype(held, seen)
        for number, (lane, address) in enumerate(zip(seen.lanes.tolist(), seen.address.tolist(), strict=True)):
            start, end = address - held.start, address - held.start + seen.size
            while start < end:
                stop = min(end, (start // held.itemsize + 1) * held.itemsize)
                value: Value = None
                if dtype is not None and held_bytes is not None and stop - start == held.itemsize:
                    piece = held_bytes[number, seen.size - (end - start) :][: held.itemsize]
                    value = np.ascontiguousarray(piece).view(dtype)[0].item()
                yield Touch(lane, start // held.itemsize, value, start, stop - start)
                start = stop

    def _dtype(self, held: Held, seen: Seen) -> np.dtype[Any] | None:
        """The type of an array's elements: the argument's, else what the instruction says."""
        dtype = np.dtype(self._dtypes.get(held.name, seen.dtype))
        return dtype if dtype.itemsize == held.itemsize else None

    # --- words ---------------------------------------------------------------------------------------

    def _notes(self, at: int) -> Iterator[str]:
        draft = self._drafts[at]
        after = self._drafts[at + 1] if at + 1 < len(self._drafts) else None
        before = self._drafts[at - 1] if at else None
        here = set(draft.active.tolist())
        if before is not None and here > set(before.active.tolist()) and set(before.waiting) & here:
            yield f"Together again: {lanes_text(here)}."
        elif before is not None and here <= set(before.waiting):
            yield f"Now those that waited: {lanes_text(here)}."
        if draft.splits and after is not None:
            first = here & set(after.active.tolist())
            yield f"The warp splits. First: {lanes_text(first)}. Waiting: {lanes_text(here - first)}."
        if draft.barrier:
            alone = "Barrier: all threads of the block are in this warp."
            yield alone if self._alone else "Barrier: the warp waits for the block's other warps."
        if draft.exits:
            yield f"Ended: {lanes_text(here)}."


def lanes_text(lanes: Collection[int]) -> str:
    """Return lanes in words: "lanes 0 to 15 and 20"."""
    return f"lane{'' if len(lanes) == 1 else 's'} {ranges_text(sorted(lanes))}"


def ranges_text(numbers: Sequence[int]) -> str:
    """Return ascending numbers in words: "0 to 15 and 20"; with equal steps "0, 2, 4 to 30"."""
    gaps = {after - before for before, after in itertools.pairwise(numbers)}
    if len(numbers) > 3 and len(gaps) == 1 and 1 not in gaps:
        return f"{numbers[0]}, {numbers[1]}, {numbers[2]} to {numbers[-1]}"
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [part for run in runs for part in _run_text(run)]
    return " and ".join([*([", ".join(parts[:-1])] if parts[:-1] else []), *parts[-1:]])


def _run_text(run: Sequence[int]) -> list[str]:
    return [str(number) for number in run] if len(run) < 3 else [f"{run[0]} to {run[-1]}"]


def _names(text: str) -> list[str]:
    """The identifiers of a source line, in their order, each once."""
    code = re.sub(r"//.*|/\*.*?\*/", " ", text)
    return list(dict.fromkeys(re.findall(r"(?<![\w.])[A-Za-z_]\w*", code)))


def _lies_in(held: Held, seen: Seen) -> bool:
    shared = seen.space == "shared"
    first = int(seen.address.min())
    return (held.space == "shared") == shared and held.start <= first < held.start + held.elements * held.itemsize


def _cost(seen: Seen, space: str) -> int:
    if space == "const":
        return len(set(seen.address.tolist()))
    if space == "shared":
        return int(wavefronts(seen.lanes, seen.address, seen.size).sum())
    return int(global_requests(seen.lanes, seen.address, seen.size).sectors.sum())


def _variables_of(program: Program, log: Sequence[_Sized]) -> dict[str, Held]:
    """The `__device__` and `__constant__` arrays that were accessed; an element is as large as most accesses."""
    found = {}
    for symbol, allocation in program.allocations.items():
        length = len(program.variable(symbol))
        sizes = Counter(e.size for e in log if e.space != "shared" and 0 <= e.address - allocation.base < length)
        if sizes:
            size, name = sizes.most_common(1)[0][0], source_name(symbol)
            space = "const" if allocation.read_only else "global"
            found[name] = Held(name, space, allocation.base, (length // size,), size)
    return found
