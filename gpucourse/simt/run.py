"""Scheduling: lock-step over many blocks, or one warp at a time in a seeded random order.

A `Wave` is a set of blocks that run together. In lock-step all its lanes are one unit, and the unit always
runs the place that everything else may still wait for. In the adversarial schedule each warp is a unit of
its own and chance decides which goes next. Both are fair: who spins on a flag steps back for the others.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucourse.errors import (
    BudgetExceeded,
    Deadlock,
    KernelFault,
    LaunchError,
    Misaligned,
    OutOfBounds,
    SimulatorLacks,
)
from gpucourse.simt import builtins, calls, link
from gpucourse.simt.barriers import Barriers
from gpucourse.simt.flow import callee
from gpucourse.simt.instructions import UNFIT, Step
from gpucourse.simt.link import Code, Kernel, Program, RunBlock
from gpucourse.simt.memory import AccessFault, Allocation, Memory, Strips, registry
from gpucourse.simt.ptx import Instruction
from gpucourse.simt.registers import (
    WARP,
    Dim3,
    Fragment,
    Frame,
    Lanes,
    Registers,
    Shape,
    Values,
    merge,
    raw,
    select,
    spread,
    whole,
)
from gpucourse.simt.trace import Trace
from gpucourse.simt.warp import active

#: Lanes that run together: large enough to hide Python, small enough for the processor's cache.
LANES_PER_WAVE = 16_384
#: Threads that a large GPU holds at once (132 multiprocessors of 2,048): waits across more blocks never end.
RESIDENT_THREADS = 270_336
#: Instructions (each for any number of lanes) without a block finishing, before a launch counts as endless.
BUDGET = 4_000_000
#: Rounds in which everybody only spins, before a wave lets other blocks in, or before its state is looked at.
SPIN_ROUNDS = 64
MOST_SPIN_ROUNDS = 2_000
#: How often the same state must be seen in turn before a wait counts as endless (chance may still end it).
SAME_STATES = 3
#: Adversarial schedule: how probably a warp goes on. Measured on a softmax with one barrier deleted: 20 of 24 seeds
#: show it; with 0 they are 3.
STAY = 0.95
MAX_THREADS = 1024
MAX_GRID = (2**31 - 1, 65_535, 65_535)
MAX_SHARED = 232_448
DEFAULT_SHARED = 49_152
CALL_DEPTH = 1_000


@dataclass(frozen=True)
class Pointer:
    """A device address as a kernel argument."""

    address: int


@dataclass(frozen=True)
class Launch:
    """What `launch` returns: text that the kernel printed, and how many instructions were issued."""

    printed: str
    issued: int


def launch(
    program: Program, name: str, grid: Sequence[int], block: Sequence[int], args: Sequence[Any] = (), *,
    shared_bytes: int = 0, schedule: str = "lockstep", seed: int = 0, trace: Trace | None = None,
    max_shared: int = DEFAULT_SHARED, budget: int = BUDGET, shared_gap: int = 0,
) -> Launch:  # fmt: skip
    """Run kernel `name` of `program` on `grid` blocks of `block` threads.

    `args` are NumPy arrays (handed over as device pointers, written in place), NumPy scalars or structured
    values (handed over by value, size checked), or `Pointer`s. `shared_bytes` is the dynamic shared memory a
    block. `schedule` is "lockstep" or "adversarial" (`seed` then decides the order of warps). `trace` receives
    what is executed (see trace.py); `shared_gap` leaves that many bytes free around each shared variable.
    Raises `LaunchError`, `KernelFault` or `SimulatorLacks`.

    >>> launch(Program(source), "add", (4,), (256,), (x, y, out, np.int32(1000)))  # doctest: +SKIP
    """
    kernel = program.kernel(name, shared_gap)
    shape = checked_shape(kernel, grid, block, shared_bytes, max_shared)
    machine = Machine(kernel, shape, _bound(kernel, args), shared_bytes, trace)
    machine.budget, machine.random = budget, random.Random(seed) if schedule == "adversarial" else None
    if schedule not in ("lockstep", "adversarial"):
        raise LaunchError(f"schedule {schedule!r} is neither 'lockstep' nor 'adversarial'")
    with np.errstate(all="ignore"):
        machine.run()
    return Launch("".join(machine.printed), machine.issued)


def checked_shape(
    kernel: Kernel, grid: Sequence[int], block: Sequence[int], shared_bytes: int, max_shared: int
) -> Shape:
    """The launch's shape; raises `LaunchError` for what no GPU launches, or more than `max_shared` bytes a block."""
    grid3, block3 = _dim3(grid, "grid"), _dim3(block, "block")
    threads = block3[0] * block3[1] * block3[2]
    if threads > MAX_THREADS or block3[2] > 64:
        raise LaunchError(f"a block of {block3} has {threads} threads; the limit is {MAX_THREADS} (64 along z)")
    for axis, size, limit in zip("xyz", grid3, MAX_GRID, strict=True):
        if size > limit:
            raise LaunchError(f"the grid has {size} blocks along {axis}; the limit is {limit}")
    total = kernel.static_shared_bytes + shared_bytes
    if shared_bytes < 0 or total > max_shared:
        raise LaunchError(f"a block needs {total} bytes of shared memory ({kernel.static_shared_bytes} static, "
                          f"{shared_bytes} dynamic); the limit is {max_shared}")  # fmt: skip
    return Shape(grid3, block3, 0, grid3[0] * grid3[1] * grid3[2])


def _dim3(extent: Sequence[int], what: str) -> Dim3:
    numbers = [int(n) for n in extent]
    if not 1 <= len(numbers) <= 3 or min(numbers) < 1:
        raise LaunchError(f"the {what} {tuple(extent)} needs one to three numbers of 1 or more")
    x, y, z = [*numbers, 1, 1][:3]
    return x, y, z


def _bound(kernel: Kernel, args: Sequence[Any]) -> tuple[NDArray[np.uint8], Memory]:
    """The parameter bytes, and global memory with every array among the arguments."""
    if len(args) != len(kernel.parameters):
        raise LaunchError(f"kernel {kernel.name} takes {len(kernel.parameters)} arguments, {len(args)} were given")
    memory, data = Memory(), np.zeros(max(kernel.parameter_bytes, 1), np.uint8)
    for allocation in kernel.program.allocations.values():
        memory.add(allocation)
    if kernel.program.heap is not None:
        memory.add(kernel.program.heap)
    for number, (value, (variable, at)) in enumerate(zip(args, kernel.parameters, strict=True)):
        held = _argument_bytes(value, memory, f"`{kernel.parameter_names[number]}`")
        if len(held) != variable.size:
            raise LaunchError(f"argument {number} of {kernel.name} (`{kernel.parameter_names[number]}`) has "
                              f"{variable.size} bytes, a value of {len(held)} bytes was given")  # fmt: skip
        data[at : at + variable.size] = np.frombuffer(held, np.uint8)
    return data, memory


def _argument_bytes(value: Any, memory: Memory, name: str) -> bytes:
    if isinstance(value, np.ndarray):
        memory.add(named(value, name))
        return registry().address(value).to_bytes(8, "little")
    if isinstance(value, Pointer):
        memory.find(value.address)
        return value.address.to_bytes(8, "little")
    if isinstance(value, np.generic):
        return value.tobytes()
    raise LaunchError(f"argument {name} is a {type(value).__name__}; give an array or a NumPy scalar")


def named(array: NDArray[Any], name: str) -> Allocation:
    """The allocation of an array, described by its name, dtype and shape."""
    shape = "x".join(str(n) for n in array.shape) or "1"
    allocation = registry().allocation(
        array, f"{name} ({array.dtype}, {shape} elements)", not array.flags.writeable)
    allocation.first = registry().address(array) - allocation.base
    return allocation


class Machine:
    """One launch: memory, the waves that are resident, and what the kernel printed."""

    def __init__(
        self, kernel: Kernel, shape: Shape, bound: tuple[NDArray[np.uint8], Memory], shared_bytes: int,
        trace: Trace | None = None,
    ) -> None:
        self.kernel, self.shape, self.trace = kernel, shape, trace
        self.parameters, self.memory = Strips("param", 1, kernel.parameter_bytes), bound[1]
        self.parameters.data[: len(bound[0])] = bound[0]
        self.shared_bytes = kernel.static_shared_bytes + shared_bytes + kernel.shared_gap
        self.shared_sizes = {"dynamic_smem_size": shared_bytes, "total_smem_size": self.shared_bytes}
        self.printed: list[str] = []
        self.issued = 0
        self.budget = BUDGET
        self.random: random.Random | None = None

    def run(self) -> None:
        """Run all blocks, wave after wave; more waves become resident only while the others spin."""
        if self.trace is not None:
            self.trace.begin(self)
        per_wave = max(1, (LANES_PER_WAVE if self.random is None else 2048) // self.shape.slots)
        first, waves, states = 0, list[Wave](), list[int]()
        while waves or first < self.shape.count:
            resident = sum(w.shape.count for w in waves) * self.shape.threads
            before = first
            if first < self.shape.count and (not waves or resident < RESIDENT_THREADS):
                count = min(per_wave, self.shape.count - first)
                waves.insert(0, Wave(self, Shape(self.shape.grid, self.shape.block, first, count)))
                first += count
            done = [wave for wave in waves if wave.run(patient=first >= self.shape.count)]
            waves = [wave for wave in waves if wave not in done]
            states = [] if done or first > before else [*states, self._state(waves)][-SAME_STATES:]
            if len(states) == SAME_STATES and len(set(states)) == 1:
                raise waves[0].spinning_fault()

    def _state(self, waves: list[Wave]) -> int:
        """A checksum of everything that the waves can read: who only spins and changes nothing spins forever."""
        total = self.memory.checksum(0)
        for wave in waves:
            total = wave.checksum(total)
        return total


class Wave:
    """Blocks that run together: their memories, their fragments, and who waits for whom."""

    def __init__(self, machine: Machine, shape: Shape) -> None:
        self.machine, self.shape, self.trace = machine, shape, machine.trace
        self.stepped = self.trace is not None and self.trace.instruction_by_instruction
        self.all = whole(shape)
        self.shared = Strips("shared", shape.count, machine.shared_bytes)
        self.local = Strips("local", shape.count * shape.slots, 0)
        self.spaces = {
            "global": machine.memory, "shared": self.shared, "local": self.local, "param": machine.parameters,
        }  # fmt: skip
        self.shared_sizes = machine.shared_sizes
        self.barriers = Barriers(shape, self)
        self.alive = np.zeros(shape.count * shape.slots, bool)
        self.alive[self.all.slot] = True
        self.living = self.all.count
        self.ready: dict[int, list[Fragment]] = {}
        self.waiting: list[Fragment] = []  # at a warp-wide operation whose mask is not complete
        self.yielded: set[Any] = set()
        self.latest = -1   # the warp that ran last, in the adversarial schedule
        self.left = machine.budget
        if self.trace is not None:
            self.trace.wave(self)
        self._start()

    def clock(self) -> int:
        """Instructions issued so far: the simulator has no time."""
        return self.machine.issued

    def environment(self, name: str) -> int:
        """`%envreg` registers are refused: what they hold belongs to a cooperative launch."""
        raise SimulatorLacks(f"the register {name} (cooperative launch of a whole grid)")

    def check_vector(self, address: Values, size: int) -> None:
        """Vector accesses must be aligned as a whole."""
        bad = np.flatnonzero(address & np.uint64(size - 1))
        if len(bad):
            at = int(address[bad[0]])
            text = f"accesses a vector of {size} bytes at address {at:#x}, which is no multiple of {size}"
            raise AccessFault("aligned", int(bad[0]), text)

    def _start(self) -> None:
        code = self.machine.kernel.codes[self.machine.kernel.name]
        self.local.grow(code.local_bytes)
        start = Fragment(self.all, Registers(), code, 0, self)
        if self.machine.random is None:
            self.ready[0] = [start]
            return
        for number in self.all.warps:
            chosen = self.all.warp == number
            lanes = Lanes(self.all.slot[chosen], self.shape)
            self.ready[int(number)] = [Fragment(lanes, Registers(), code, 0, self)]

    # --- choosing who runs ---------------------------------------------------------------------------

    def run(self, patient: bool) -> bool:
        """Run until all lanes have ended (True), or until everybody left only spins (False)."""
        rounds = 0
        while self.living:
            fragment = self._next()
            if fragment is None:
                raise self._deadlock()
            self._advance(fragment)
            if self.left < 0:
                raise self._budget_fault(fragment)
            if self.yielded and self._all_spin():
                self.yielded.clear()
                rounds += 1
                if rounds > (MOST_SPIN_ROUNDS if patient else SPIN_ROUNDS):
                    return False
        return True

    def _next(self) -> Fragment | None:
        units = [unit for unit, parts in self.ready.items() if parts]
        if not units:
            return None
        rng = self.machine.random
        unit = units[0] if rng is None else self._random_unit(units, rng)
        parts = self.ready.pop(unit)
        if len(parts) == 1:
            return parts[0]
        places = [part.place for part in parts]
        fresh = [p for p in places if p not in self.yielded] or places
        least = min(fresh, key=lambda p: p[0])
        chosen = [f for f, p in zip(parts, places, strict=True) if p == least]
        rest = [f for f, p in zip(parts, places, strict=True) if p != least]
        if rest:
            self.ready[unit] = rest
        return merge(chosen, self.all)

    def _random_unit(self, units: list[int], rng: random.Random) -> int:
        """A warp that does not merely spin; mostly the one that ran last, so that warps drift far apart."""
        fresh = [u for u in units if any(part.place not in self.yielded for part in self.ready[u])]
        if self.latest not in fresh or rng.random() >= STAY:
            self.latest = rng.choice(fresh or units)
        return self.latest

    def _all_spin(self) -> bool:
        return all(part.place in self.yielded for parts in self.ready.values() for part in parts)

    def checksum(self, total: int) -> int:
        """A running checksum of the blocks' memories and of the registers of all lanes."""
        total = zlib.crc32(self.local.data.data, zlib.crc32(self.shared.data.data, total))
        parts = sorted((p for unit in self.ready.values() for p in unit), key=lambda p: int(p.lanes.slot[0]))
        for part in parts:
            total = zlib.crc32(f"{part.place} {part.lanes.slot.tobytes()!r}".encode(), total)
            for registers in (part.registers, *(frame.registers for frame in part.stack)):
                for name in sorted(registers):
                    total = zlib.crc32(np.ascontiguousarray(registers[name]).data, total)
        return total

    def queue(self, fragment: Fragment) -> None:
        """Make a fragment ready to run."""
        unit = 0 if self.machine.random is None else int(fragment.lanes.slot[0]) // WARP
        self.ready.setdefault(unit, []).append(fragment)

    def queue_by_unit(self, fragment: Fragment) -> None:
        """Make a fragment ready that may hold lanes of several units."""
        if self.machine.random is None or len(fragment.lanes.warps) == 1:
            self.queue(fragment)
            return
        for number in fragment.lanes.warps:
            self.queue(select(fragment, fragment.lanes.warp == number, fragment.block))

    # --- running -------------------------------------------------------------------------------------

    def _advance(self, fragment: Fragment) -> None:
        """Run a fragment until it parts, waits, ends, or somebody else's turn comes."""
        current: Fragment | None = fragment
        while current is not None:
            run = current.code.blocks[current.block]
            before = current.code, current.block
            waited = bool(self.yielded) and _in_spin(current)
            if self.trace is not None:
                self.trace.block(current, run)
            self._execute(current, run)
            issued = len(run.instructions)
            self.machine.issued += issued
            self.left -= issued + 1
            try:
                current = _ENDS[run.block.kind](self, current, run)
            except UNFIT as error:
                raise unfit(run.block.end) from error
            if current is not None and (self.ready or self._spins(current, before) or self.left < 0):
                self._step_back(current, before, waited)
                return

    def _spins(self, fragment: Fragment, before: tuple[Code, int]) -> bool:
        """Whether a fragment has just gone back to the head of a loop in which it waits for other threads."""
        return fragment.code is before[0] and fragment.block <= before[1] and fragment.block in fragment.code.spins

    def _step_back(self, fragment: Fragment, before: tuple[Code, int], waited: bool) -> None:
        if self._spins(fragment, before):
            self.yielded.add(fragment.place)
        elif not waited:
            self.yielded.clear()
        self.queue(fragment)

    def _execute(self, fragment: Fragment, run: RunBlock) -> None:
        number = 0
        try:
            steps = self._told(fragment, run) if self.stepped else run.steps
            for number, step in enumerate(steps):  # noqa: B007 - read in the handler
                step(fragment)
        except AccessFault as fault:
            raise self.fault(fault, fragment, run.instructions[run.places[number]]) from None
        except UNFIT as error:
            raise unfit(run.instructions[run.places[number]]) from error

    def _told(self, fragment: Fragment, run: RunBlock) -> Iterator[Step]:
        """The steps of `run`; after each that executes an instruction, before dead registers go, the trace is told."""
        assert self.trace is not None
        before = -1
        for step, place in zip(run.steps, run.places, strict=True):
            yield step
            if place != before:
                self.trace.executed(fragment, run.instructions[place])
            before = place

    def fault(self, fault: AccessFault, fragment: Fragment, instruction: Instruction) -> KernelFault:
        """A bad access as the learner sees it: line, block and thread."""
        kind = {"aligned": Misaligned, "kernel": KernelFault}.get(fault.kind, OutOfBounds)
        slots = fragment.lanes.slot
        slot = int(slots[fault.lane if fault.lane < len(slots) else 0])
        text = str(fault).replace("accesses", _VERBS.get(instruction.parts[0], "updates"), 1)
        return kind(text, line=instruction.line or None, block=self.shape.block_of(slot),
                    thread=self.shape.thread_of(slot))  # fmt: skip

    # --- how blocks end ------------------------------------------------------------------------------

    def _fall(self, f: Fragment, run: RunBlock) -> Fragment | None:
        f.block += 1
        return f

    def _branch(self, f: Fragment, run: RunBlock) -> Fragment | None:
        if run.guard is None:
            f.block = run.target
            return f
        taken = run.guard(f)
        if taken.all():
            f.block = run.target
            return f
        if not taken.any():
            f.block += 1
            return f
        if self.trace is not None and run.block.end is not None:
            self.trace.diverges(f, run.block.end, taken)
        fall = f.block + 1
        self.queue(select(f, taken, run.target))
        return select(f, ~taken, fall)

    def _table(self, f: Fragment, run: RunBlock) -> Fragment | None:
        assert run.guard is not None
        index = np.broadcast_to(run.guard(f), (f.lanes.count,))
        numbers = np.unique(index)
        if len(numbers) == 1:
            f.block = run.block.targets[int(numbers[0])]
            return f
        if self.trace is not None and run.block.end is not None:
            first = np.searchsorted(f.lanes.warp, f.lanes.warp)   # of each lane's warp: who goes elsewhere than it?
            self.trace.diverges(f, run.block.end, index != index[first])
        for number in numbers:
            self.queue(select(f, index == number, run.block.targets[int(number)]))
        return None

    def _exit(self, f: Fragment, run: RunBlock) -> Fragment | None:
        end = run.block.end
        if end is not None and end.parts[0] == "trap":
            raise builtins.trapped(f, end)
        if f.stack and (end is None or end.parts[0] == "ret"):
            return self._return(f)
        if self.trace is not None:
            self.trace.exit(f)
        self.alive[f.lanes.slot] = False
        self.living -= f.lanes.count
        self.left = max(self.left, self.machine.budget)
        self.yielded.clear()
        for part in self.barriers.after_exit(f, self.alive):
            self.queue_by_unit(part)
        self._retry_waiting()
        return None

    def _return(self, f: Fragment) -> Fragment:
        frame = f.stack[-1]
        call = frame.code.blocks[frame.block - 1].block.end
        results, _ = calls.operand_values(call)
        registers = frame.registers
        for name, variable in zip(results, f.code.function.returns, strict=False):
            registers[name] = f.registers.get(variable.name, np.zeros((1, variable.size), np.uint8))
        return Fragment(
            f.lanes, registers, frame.code, frame.block, self, f.stack[:-1], frame.local_base, f.extra
        )

    def _call(self, f: Fragment, run: RunBlock) -> Fragment | None:
        call = run.block.end
        assert call is not None
        name = callee(call)
        if name is not None:
            return self._enter(f, call, name)
        return self._call_pointers(f, run, call)

    def _call_pointers(self, f: Fragment, run: RunBlock, call: Instruction) -> Fragment | None:
        """Call what each lane's pointer means, one function after another; the lanes meet again behind the call."""
        assert run.guard is not None
        addresses = spread(run.guard(f), f.lanes.count)
        chosen = {address: addresses == address for address in np.unique(addresses).tolist()}
        names = [self._pointed_at(f, run, call, address, lanes) for address, lanes in chosen.items()]
        if len(names) == 1:
            return self._enter(f, call, names[0])
        if self.trace is not None:
            first = np.searchsorted(f.lanes.warp, f.lanes.warp)   # as in `_table`
            self.trace.diverges(f, call, addresses != addresses[first])
        for name, lanes in zip(names, chosen.values(), strict=True):
            self.queue(self._enter(select(f, lanes, f.block), call, name))
        return None

    def _pointed_at(self, f: Fragment, run: RunBlock, call: Instruction, address: int, lanes: Values) -> str:
        """Name of the function at an address that some lanes of `f` call; a `KernelFault` for a bad address."""
        assert run.sizes is not None
        kernel = self.machine.kernel
        target = kernel.program.pointers.at(address)
        if target is None or calls.sizes_of_function(target) != run.sizes:
            there = self.machine.memory.find(address)
            problem = calls.complaint(address, target, run.sizes, there.name if there else None)
            raise builtins.fault(select(f, lanes, f.block), call, problem)
        if target.name not in kernel.codes and target.name not in link.BUILT_IN:
            raise SimulatorLacks(f"a call through a pointer to {target.name}", str(call), call.line or None)
        return target.name

    def _enter(self, f: Fragment, call: Instruction, name: str) -> Fragment:
        """The lanes of `f` at the beginning of a function, or behind the call of a built-in one."""
        results, arguments = calls.operand_values(call)
        if name in link.BUILT_IN:
            builtins.call(name, f, call, results, [f.registers[a] for a in arguments])
            f.block += 1
            return f
        code: Code = self.machine.kernel.codes[name]
        if len(f.stack) >= CALL_DEPTH:
            raise builtins.fault(f, call, f"calls nest deeper than {CALL_DEPTH}: a recursion that does not end")
        registers = Registers()
        for argument, variable in zip(arguments, code.function.parameters, strict=True):
            registers[variable.name] = f.registers[argument]
        base = f.local_base + f.code.local_bytes
        self.local.grow(base + code.local_bytes)
        live = f.code.live_in[f.block + 1]
        kept = Registers((n, v) for n, v in f.registers.items() if n in live)
        frame = Frame(f.code, f.block + 1, kept, f.local_base)
        return Fragment(f.lanes, registers, code, 0, self, (*f.stack, frame), base, f.extra)

    def _barrier(self, f: Fragment, run: RunBlock) -> Fragment | None:
        assert run.block.end is not None
        f.block += 1
        ready = self.barriers.arrive(f, run.block.end, self.alive, self.living)
        if len(ready) == 1 and ready[0] is f:
            return f
        for part in ready:
            self.queue_by_unit(part)
        self.yielded.clear()
        return None

    def _warp(self, f: Fragment, run: RunBlock) -> Fragment | None:
        """Run a warp-wide operation for the warps whose named lanes have all come."""
        ready = self._complete(f, run)
        if ready is None:
            self.waiting.append(f)
        elif ready is not f:
            self.queue_by_unit(ready)
        if ready is not f:
            if _is_syncwarp(run):
                self._meet_elsewhere()
            return None
        return self._together(f)

    def _together(self, f: Fragment) -> Fragment:
        """The lanes of `f` execute the warp-wide operation at which they are, and are behind it."""
        run = _run_of(f)
        assert run.end is not None and run.block.end is not None
        if self.trace is not None:
            self.trace.warp(f, run.block.end)
        try:
            run.end(f)
        except AccessFault as fault:
            raise self.fault(fault, f, run.block.end) from None
        if self.stepped and self.trace is not None:
            self.trace.executed(f, run.block.end)
        f.block += 1
        return f

    def _complete(self, f: Fragment, run: RunBlock) -> Fragment | None:
        """`f` itself if complete; else the part that is (to run again), parking the rest; None if none is."""
        if run.mask is None or f.lanes.packed:
            return f
        mine = [w for w in self.waiting if w.place == f.place and self._goes_with(w, f)]
        if mine:
            self.waiting = [w for w in self.waiting if w not in mine]
            return merge([f, *mine], self.all)
        mask = np.broadcast_to(run.mask(f), (f.lanes.count,))
        missing = mask & ~active(f.lanes) & self._alive_bits(f.lanes)
        if not missing.any():
            return f
        waits = np.isin(f.lanes.warp, f.lanes.warp[missing != 0])
        if waits.all():
            return None
        self.waiting.append(select(f, waits, f.block))
        return select(f, ~waits, f.block)

    def _goes_with(self, one: Fragment, other: Fragment) -> bool:
        """Whether two fragments are parts of one unit: in lock-step all are, else those of a warp."""
        return self.machine.random is None or bool(one.lanes.warp[0] == other.lanes.warp[0])

    def _meet_elsewhere(self) -> None:
        """Let go those who wait at `bar.warp.sync`, if the rest of their mask waits at another one with this mask."""
        parts = [w for w in self.waiting if _is_syncwarp(_run_of(w))]
        if len(parts) < 2:
            return
        masks = [spread(_run_of(w).mask(w), w.lanes.count) for w in parts]   # type: ignore[misc]
        free = self._all_came(np.concatenate([w.lanes.slot for w in parts]), np.concatenate(masks))
        if not free.any():
            return
        self.waiting = [w for w in self.waiting if w not in parts]
        slots = np.sort(np.concatenate([w.lanes.slot for w in parts])[free])
        for part, goes in zip(parts, np.split(free, np.cumsum([w.lanes.count for w in parts])[:-1]), strict=True):
            if not goes.all():
                self.waiting.append(select(part, ~goes, part.block))
            if goes.any():
                self.queue_by_unit(self._together(select(part, goes, part.block)))
        if self.trace is not None:
            self.trace.meet(self, slots)

    def _all_came(self, slots: Values, masks: Values) -> Values:
        """For lanes at `slots`, each with its mask: whether all living lanes of the mask are there with this mask."""
        bits = np.uint32(1) << (slots % WARP).astype(np.uint32)
        _, group = np.unique(np.stack([slots // WARP, masks.astype(np.int64)]), axis=1, return_inverse=True)
        came = np.zeros(int(group.max()) + 1, np.uint32)
        np.bitwise_or.at(came, group, bits)
        free: Values = masks & self._alive_bits(Lanes(slots, self.shape)) & ~came[group] == 0
        return free

    def _alive_bits(self, lanes: Lanes) -> Values:
        packed = np.packbits(self.alive.reshape(-1, WARP), axis=1, bitorder="little")
        bits: Values = raw(np.ascontiguousarray(packed).view(np.uint32)[:, 0])[lanes.warp]
        return bits

    def _retry_waiting(self) -> None:
        waiting, self.waiting = self.waiting, []
        for part in waiting:
            self.queue_by_unit(part)

    # --- what goes wrong -----------------------------------------------------------------------------

    def _deadlock(self) -> Deadlock:
        if self.waiting:
            part = self.waiting[0]
            return Deadlock(self._missed(part), line=_line(part), **self._who(part))
        part = self.barriers.parked[0]
        counts = self.barriers.describe(self.alive)
        return Deadlock(f"barrier never completed: {counts}", line=_line(part, -1), **self._who(part))

    def _missed(self, part: Fragment) -> str:
        """Whom the first warp of `part` waits for, and where those are instead."""
        warp = part.lanes.warp[0]
        here, line = int((part.lanes.warp == warp).sum()), _line(part)
        others = [(f, _line(f)) for f in self.waiting if f is not part]
        others += [(f, _line(f, -1)) for f in self.barriers.parked]
        found = [(int((f.lanes.warp == warp).sum()), at) for f, at in others]
        places = {at: sum(n for n, its in found if its == at) for n, at in found if n}
        where = " and ".join(f"{n} wait at {_place(at, line)}" for at, n in places.items())
        return (f"{here} threads wait at a warp-wide operation for lanes of their warp that never come: {where}. "
                "All lanes that the mask names must come to it together")  # fmt: skip

    def _budget_fault(self, f: Fragment) -> BudgetExceeded:
        return BudgetExceeded(
            f"{self.machine.budget:,} instructions ran without a block finishing; the loop here does not end "
            f"({f.lanes.count} threads are in it)", line=_line(f), **self._who(f))  # fmt: skip

    def spinning_fault(self) -> BudgetExceeded:
        """Everybody left waits in a loop for a value that nobody writes."""
        parts = [part for group in self.ready.values() for part in group]
        counts: dict[int | None, int] = {}
        for part in parts:
            counts[_line(part)] = counts.get(_line(part), 0) + part.lanes.count
        places = ", ".join(f"{count} threads at line {line}" for line, count in list(counts.items())[:4])
        return BudgetExceeded(
            f"all threads that are left wait in a loop for a value that nobody will write: {places}; "
            f"blocks {self.shape.first} to {self.shape.first + self.shape.count - 1} are running",
            line=_line(parts[0]), **self._who(parts[0]))  # fmt: skip

    def _who(self, f: Fragment) -> dict[str, Any]:
        slot = int(f.lanes.slot[0])
        return {"block": self.shape.block_of(slot), "thread": self.shape.thread_of(slot)}


def unfit(instruction: Instruction | None) -> SimulatorLacks:
    """Operands that an instruction cannot have; the error's cause says what NumPy made of them."""
    what, line = (instruction.opcode, instruction.line) if instruction else ("a fall through", 0)
    return SimulatorLacks(f"{what} with these operands", str(instruction or ""), line or None)


def _run_of(f: Fragment) -> RunBlock:
    run: RunBlock = f.code.blocks[f.block]
    return run


def _is_syncwarp(run: RunBlock) -> bool:
    return run.block.kind == "warp" and run.block.end is not None and run.block.end.parts[0] in ("bar", "barrier")


def _in_spin(f: Fragment) -> bool:
    """Whether the lanes are inside a loop that waits for other threads, or in a function that it calls."""
    return f.block in f.code.spins or any(frame.block - 1 in frame.code.spins for frame in f.stack)


def _place(line: int | None, here: int | None) -> str:
    if line is None:
        return "another place"
    return f"line {line}" if line != here else "the same line, in another round of a loop or another call"


def _line(f: Fragment, back: int = 0) -> int | None:
    """Source line of the block where a fragment is (`back` -1: of the block it came from)."""
    instructions = f.code.blocks[max(f.block + back, 0)].instructions
    lines = [i.line for i in instructions if i.line]
    return (lines[-1] if back else lines[0]) if lines else None


_VERBS = {"ld": "reads", "ldu": "reads", "st": "writes", "wmma": "accesses"}
_End = Callable[[Wave, Fragment, RunBlock], Fragment | None]
_ENDS: dict[str, _End] = {
    "fall": Wave._fall, "branch": Wave._branch, "skip": Wave._branch, "table": Wave._table,
    "exit": Wave._exit, "call": Wave._call, "barrier": Wave._barrier, "warp": Wave._warp,
}  # fmt: skip
