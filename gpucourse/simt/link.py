"""A parsed module made ready to run: variables get addresses, functions become steps.

`Program` is one compiled source; its global and constant variables live as long as it does. `Kernel` is one
entry with everything it calls, decoded once; shared memory is laid out per kernel.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucourse.errors import CompileError, LaunchError, SimulatorLacks
from gpucourse.simt import forms, libdevice
from gpucourse.simt.calls import FunctionTable, Sizes, pointer_of, sizes_of_call
from gpucourse.simt.compile import SOURCE_NAME, Compiled, compile_ptx
from gpucourse.simt.flow import Block, Flow, callee, reads, waiting_functions, writes
from gpucourse.simt.heap import Heap
from gpucourse.simt.instructions import DTYPES, UNFIT, Decoder, Getter, Place, Step, lacks, member_mask
from gpucourse.simt.memory import SPACE_SHIFT, SPACES, Allocation, registry
from gpucourse.simt.ptx import (
    Function,
    Immediate,
    Instruction,
    Module,
    Operand,
    Register,
    Symbol,
    Variable,
    parse,
)

#: Bytes of `__constant__` variables that a module may have (CUDA programming guide, compute capabilities).
MOST_CONSTANT = 1 << 16
#: Functions that the machine itself provides.
BUILT_IN = frozenset({"vprintf", "__assertfail", "malloc", "free", *libdevice.FUNCTIONS})


@dataclass(slots=True)
class RunBlock:
    """A decoded block: `steps[i]` executes `instructions[places[i]]` (or drops dead registers).

    `guard` decides where lanes go: a branch's predicate, a table's index, the address of a call through a pointer;
    `sizes` are then the bytes of the call's results and of its arguments.
    """

    block: Block
    steps: list[Step]
    places: list[int]
    instructions: tuple[Instruction, ...]
    guard: Getter | None = None
    end: Step | None = None
    mask: Getter | None = None
    target: int = 0
    sizes: Sizes | None = None


@dataclass
class Code:
    """A decoded function; `order`, `live_in` and `spins` are its flow's, `local_bytes` its local memory.

    `number` says in which order the functions run that lanes call through pointers at one place.
    """

    number: int
    function: Function
    blocks: list[RunBlock]
    order: list[int]
    live_in: list[frozenset[str]]
    spins: frozenset[int]
    local_bytes: int


class Program:
    """A compiled CUDA C source (or PTX text): kernels by name, module variables by symbol.

    `source` is CUDA C unless `ptx` is given; `names` are name expressions that instantiate templates.
    """

    def __init__(
        self, source: str = "", options: tuple[str, ...] = (), names: tuple[str, ...] = (), ptx: str | None = None
    ) -> None:
        self.source, self.options, self.names = source, options, names
        self.compiled = Compiled(ptx, {}, "") if ptx is not None else compile_ptx(source, options, names)
        self.module: Module = parse(self.compiled.ptx)
        self.allocations: dict[str, Allocation] = {}
        self._arrays: dict[str, NDArray[np.uint8]] = {}
        self._kernels: dict[tuple[str, int], Kernel] = {}
        self.pointers = FunctionTable(self.module)
        self.heap: Heap | None = None   # once a kernel that allocates is there
        self._place_variables()

    def kernel_names(self) -> list[str]:
        """Mangled names of all entries."""
        return [f.name for f in self.module.functions.values() if f.is_entry]

    def kernel(self, name: str, shared_gap: int = 0) -> Kernel:
        """The entry `name` (mangled, or a name expression); raises `LaunchError` for an unknown one.

        `shared_gap` is the number of bytes to leave free around each shared variable (the sanitizer's red zones).
        """
        mangled = self.compiled.names.get(name, name)
        if (mangled, shared_gap) not in self._kernels:
            function = self.module.functions.get(mangled)
            if function is None or not function.is_entry:
                known = ", ".join(self.kernel_names()) or "none"
                raise LaunchError(f"there is no kernel {name!r} in this source; it has: {known}")
            self._kernels[mangled, shared_gap] = Kernel(self, function, shared_gap)
        return self._kernels[mangled, shared_gap]

    def variable(self, name: str) -> NDArray[np.uint8]:
        """The bytes of a `__device__` or `__constant__` variable, as a writable view."""
        return self._arrays[name]

    def _place_variables(self) -> None:
        """Reserve addresses first, so that initial values may point at other variables."""
        held = [v for v in self.module.variables.values() if v.space in ("global", "const")]
        self._check_constants(sum(max(v.size, 1) for v in held if v.space == "const"))
        for variable in held:
            array = np.zeros(max(variable.size, 1), np.uint8)
            self._arrays[variable.name] = array
            self.allocations[variable.name] = registry().allocation(
                array, f"variable {variable.name}", read_only=variable.space == "const")
        for variable in held:
            self._initialise(variable)

    def _check_constants(self, found: int) -> None:
        """Raise what NVIDIA's assembler says of too much constant memory."""
        if found > MOST_CONSTANT:
            text = (f"File uses too much global constant data ({found:#x} bytes, {MOST_CONSTANT:#x} max): __constant__ "
                    "variables share 64 KiB. Next step: hand large tables over as arrays")  # fmt: skip
            raise CompileError(f"ptxas error: {text}", self.source, SOURCE_NAME, self.options)

    def _initialise(self, variable: Variable) -> None:
        dtype = DTYPES[variable.type]
        values = [self._initial_bits(value) for value in variable.initial]
        unsigned = np.dtype(f"u{dtype.itemsize}")
        start = np.array([v & (1 << 8 * dtype.itemsize) - 1 for v in values], unsigned).view(np.uint8)
        self._arrays[variable.name][: len(start)] = start

    def _initial_bits(self, value: Operand) -> int:
        match value:
            case Immediate(bits):
                return bits
            case Symbol(name, offset, _, mask) if name in self.allocations or name in self.pointers.addresses:
                address = self._address(name) + offset
                return (address & mask) // (mask & -mask) if mask else address
        raise SimulatorLacks(f"the initial value {value} of a variable")

    def _address(self, name: str) -> int:
        return self.allocations[name].base if name in self.allocations else self.pointers.addresses[name]


class Kernel:
    """One entry: its parameters, its shared memory's layout and the decoded code of what it calls."""

    def __init__(self, program: Program, function: Function, shared_gap: int = 0) -> None:
        self.program, self.function, self.name = program, function, function.name
        self.parameters = _layout(function.parameters)
        self.parameter_bytes = max((at + v.size for v, at in self.parameters), default=0)
        self._reachable = list(_reachable(program, function))
        if program.heap is None and any(f.name in ("malloc", "free") for f in self._reachable):
            program.heap = Heap()
        self.shared_gap = shared_gap
        self.shared = _layout(self._shared_variables(), shared_gap)
        self.static_shared_bytes = max((at + v.size for v, at in self.shared), default=0)

    @cached_property
    def codes(self) -> dict[str, Code]:
        """Decoded functions by name; raises `SimulatorLacks` for an instruction that is not known."""
        held = [f for f in self._reachable if f.name not in BUILT_IN]
        return {f.name: self._decode(number, f) for number, f in enumerate(held)}

    @cached_property
    def _waiting(self) -> frozenset[str | None]:
        return waiting_functions(self._reachable, self.program.pointers.taken)

    @cached_property
    def parameter_names(self) -> list[str]:
        """The parameters' names in the source, where they can be found; else "argument 0", ..."""
        found = _source_parameters(self.program.source, self.name, len(self.parameters))
        return found or [f"argument {i}" for i in range(len(self.parameters))]

    def _shared_variables(self) -> list[Variable]:
        """Static arrays first; `extern` ones (size 0) all start behind them."""
        used = {name for f in self._reachable for i in f.body if isinstance(i, Instruction) for name in _symbols(i)}
        shared = [v for f in self._reachable for v in f.variables if v.space == "shared"]
        shared += [v for v in self.program.module.variables.values() if v.space == "shared" and v.name in used]
        return sorted(shared, key=lambda v: v.size == 0)

    def _decode(self, number: int, function: Function) -> Code:
        flow = Flow(function, self._waiting)
        local = _layout([v for v in function.variables if v.space == "local"])
        places = {v.name: Place("local", at) for v, at in local}
        places |= {v.name: Place("shared", at) for v, at in self.shared}
        places |= {n: Place("global", a.base) for n, a in self.program.allocations.items()}
        places |= {n: Place("global", at) for n, at in self.program.pointers.addresses.items()}
        if function.is_entry:
            places |= {v.name: Place("param", at) for v, at in self.parameters}
        constants = tuple(a.base for a in self.program.allocations.values() if a.read_only)
        decoder = Decoder(function, places, _flushed(function), constants)
        blocks = [_run_block(decoder, flow, block) for block in flow.blocks]
        bytes_needed = max((at + v.size for v, at in local), default=0)
        return Code(number, function, blocks, flow.order, flow.live_in, flow.spins, -(-bytes_needed // 16) * 16)


def _layout(variables: Iterable[Variable], gap: int = 0) -> list[tuple[Variable, int]]:
    """Each variable with its offset in bytes, in order, aligned; `gap` bytes before each stay free."""
    placed, at = [], 0
    for variable in variables:
        at = -(-(at + gap) // variable.align) * variable.align
        placed.append((variable, at))
        at += variable.size
    return placed


def _symbols(instruction: Instruction) -> Iterator[str]:
    for name in (*reads(instruction), *writes(instruction)):
        if not name.startswith("%"):
            yield name


def _reachable(program: Program, entry: Function) -> Iterator[Function]:
    seen, work = {entry.name}, [entry]
    while work:
        function = work.pop()
        yield function
        for item in function.body:
            if isinstance(item, Instruction) and item.parts[0] == "call":
                for target in _targets(program, function, item):
                    if target.name not in seen:
                        seen.add(target.name)
                        work.append(target)


def _targets(program: Program, function: Function, call: Instruction) -> Iterable[Function]:
    """What a call may reach; raises `SimulatorLacks` for a function that is only declared."""
    name, functions = callee(call), program.module.functions
    if name is None and not any(isinstance(o, Register) for o in call.operands):
        raise lacks(call)   # it calls nothing
    if name is None:
        return [f for f in program.pointers.targets(function, call) if not f.declared_only or f.name in BUILT_IN]
    target = functions.get(name)
    if target is None or (target.declared_only and name not in BUILT_IN):
        raise SimulatorLacks(f"the function {name}", str(call), call.line or None)
    return [target]


def _source_parameters(source: str, mangled: str, count: int) -> list[str]:
    """Names in the parameter list of `__global__ ... name(...)`; empty when they do not fit."""
    for match in re.finditer(r"__global__[^;{(]*?\b(\w+)\s*\(([^)]*)\)", source):
        if match[1] == mangled or re.search(rf"\d{re.escape(match[1])}", mangled):
            parts = [p for p in match[2].split(",") if p.strip()]
            names = [re.findall(r"\w+", re.sub(r"\[.*?\]", "", p))[-1] for p in parts]
            if len(names) == count:
                return names
    return []


def _flushed(function: Function) -> frozenset[str]:
    """Registers that only flushing float32 instructions write: reading them needs no flush."""
    written: dict[str, bool] = {}
    for item in function.body:
        if isinstance(item, Instruction):
            clean = "ftz" in item.parts and item.parts[-1] == "f32" and item.parts[0] not in ("setp", "cvt", "slct")
            for name in writes(item):
                written[name] = written.get(name, True) and clean
    return frozenset(name for name, clean in written.items() if clean)


# --- blocks ------------------------------------------------------------------------------------------

_DROP_EVERY = 6


def _run_block(decoder: Decoder, flow: Flow, block: Block) -> RunBlock:
    run = RunBlock(block, [], [], block.instructions)
    dying = _last_uses(flow, block)
    dead: list[str] = []
    for place, instruction in enumerate(block.code):
        run.steps.append(decoder.step(instruction))
        run.places.append(place)
        dead += dying.get(place, ())
        if len(dead) >= _DROP_EVERY:
            run.steps.append(_drop(tuple(dead)))
            run.places.append(place)
            dead = []
    try:
        _finish(decoder, run, block)
    except UNFIT as error:
        assert block.end is not None
        raise lacks(block.end) from error
    return run


def _finish(decoder: Decoder, run: RunBlock, block: Block) -> None:
    end = block.end
    if end is None:
        return
    forms.check_end(end, decoder.types)
    if end.guard is not None and block.kind in ("branch", "skip"):
        guard = Register(end.guard.name, end.guard.negated != (block.kind == "skip"))
        run.guard = decoder.get(guard, "pred")
    if block.kind == "table":
        run.end = None
        run.guard = decoder.get(end.operands[0], "u32")
    if block.kind == "call" and (pointer := pointer_of(end)) is not None:
        run.guard, run.sizes = decoder.get(pointer, "u64"), sizes_of_call(decoder.function, end)
    if block.kind == "warp":
        run.end, run.mask = decoder.step(end), member_mask(decoder, end)
    run.target = block.targets[0] if block.targets else 0


def _last_uses(flow: Flow, block: Block) -> dict[int, list[str]]:
    """Place of an instruction -> registers that nothing after it reads."""
    after = set[str]().union(*(flow.live_in[s] for s in flow.successors[block.index]))
    end = block.end
    if end is not None:
        after.update(reads(end))
        after.update(writes(end))
    found: dict[int, list[str]] = {}
    for place in range(len(block.code) - 1, -1, -1):
        touched = {*reads(block.code[place]), *writes(block.code[place])}
        fresh = {name for name in touched - after if name.startswith("%")}
        if fresh:
            found[place] = sorted(fresh)
        after |= touched
    return found


def _drop(names: tuple[str, ...]) -> Step:
    def step(f: Any) -> None:
        registers = f.registers
        for name in names:
            registers.pop(name, None)

    return step


LOCAL_WINDOW = SPACES["local"] << SPACE_SHIFT
