"""The sanitizer: runs a kernel once and names what is wrong with it, by line, block, thread and element.

It sees every access of a lock-step launch. Accesses outside arrays, misaligned ones and endless waits are found by
the machine itself; races, reads of memory that nobody wrote, and barriers that not all threads reach are found
here. A race shows whether or not it did harm in this run, since the order of threads is reasoned about, not tried.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from gpucourse.errors import (
    AssertFailed,
    BudgetExceeded,
    Deadlock,
    KernelFault,
    LaunchError,
    Misaligned,
    OutOfBounds,
    Trapped,
)
from gpucourse.simt.happens import Order
from gpucourse.simt.heap import Heap
from gpucourse.simt.link import Kernel, Program
from gpucourse.simt.memory import Allocation, owner_of, registry
from gpucourse.simt.ptx import Instruction
from gpucourse.simt.races import ATOMIC, PLAIN, Race, strength
from gpucourse.simt.regions import Flags, Region, global_region, heap_region, shared_region
from gpucourse.simt.registers import WARP, Dim3, Fragment, Ints, Values
from gpucourse.simt.run import BUDGET, DEFAULT_SHARED, MAX_SHARED, checked_shape, launch
from gpucourse.simt.trace import Access, Trace

#: The kinds of findings.
OUT_OF_BOUNDS = "out of bounds"
MISALIGNED = "misaligned"
READ_ONLY = "write to a read-only buffer"
UNINITIALIZED = "uninitialized read"
RACE = "race"
RACE_BETWEEN_BLOCKS = "race between blocks"
MISSING_SYNCWARP = "missing __syncwarp"
DIVERGENT_BARRIER = "barrier in divergent code"
BARRIER_NOT_REACHED = "barrier not reached by all"
ENDLESS = "endless wait"
ASSERT = "assertion"
FAULT = "fault"
KINDS = (
    OUT_OF_BOUNDS, MISALIGNED, READ_ONLY, UNINITIALIZED, RACE, RACE_BETWEEN_BLOCKS, MISSING_SYNCWARP,
    DIVERGENT_BARRIER, BARRIER_NOT_REACHED, ENDLESS, ASSERT, FAULT,
)  # fmt: skip
#: Bytes between shared variables, so that an index too far does not land in the neighbor.
RED_ZONE = 2048
#: The most threads that are followed one by one.
MOST_THREADS = 4_194_304


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: its `kind` (of `KINDS`), a sentence, and where it was seen first; it was seen `count` times.

    `line` and `other_line` are source lines, `block`, `thread`, `other_block`, `other_thread` are (x, y, z), `array`
    and `index` name the element; None where it does not apply.
    """

    kind: str
    message: str
    line: int | None = None
    other_line: int | None = None
    array: str | None = None
    index: int | None = None
    block: Dim3 | None = None
    thread: Dim3 | None = None
    other_block: Dim3 | None = None
    other_thread: Dim3 | None = None
    count: int = 1

    def __str__(self) -> str:
        line = f"line {self.line}: " if self.line else ""
        again = f" ({self.count:,} times)" if self.count > 1 else ""
        return f"{self.kind}: {line}{self.message}{again}"


@dataclass(frozen=True)
class Report:
    """What a sanitized run found: `findings` in the order they were met, and the kernel's name and source."""

    kernel: str
    findings: tuple[Finding, ...]
    source: str = field(default="", repr=False)
    printed: str = field(default="", repr=False)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of findings, each once."""
        return tuple(dict.fromkeys(f.kind for f in self.findings))

    def __str__(self) -> str:
        if self.ok:
            return f"{self.kernel}: nothing found"
        return "\n".join(f"{n}. {_with_source(f, self.source)}" for n, f in enumerate(self.findings, 1))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(f"<li><pre style='margin:0;white-space:pre-wrap'>{html.escape(_with_source(f, self.source))}"
                       "</pre></li>" for f in self.findings)  # fmt: skip
        return f"<ol>{rows}</ol>" if rows else f"<p>{html.escape(str(self))}</p>"


def _with_source(finding: Finding, source: str) -> str:
    """The finding, and under it the lines of source that it speaks of."""
    lines = source.splitlines()
    quoted = [
        f"    {number:4} | {lines[number - 1].rstrip()}"
        for number in dict.fromkeys((finding.other_line, finding.line)) if number and number <= len(lines)
    ]  # fmt: skip
    return "\n".join([str(finding), *quoted])


def sanitize_launch(
    program: Program, name: str, grid: Sequence[int], block: Sequence[int], args: Sequence[Any] = (), *,
    shared_bytes: int = 0, max_shared: int = DEFAULT_SHARED, budget: int = BUDGET,
    uninitialised: Sequence[tuple[NDArray[Any], Flags]] = (),
) -> Report:  # fmt: skip
    """Run a kernel under the sanitizer; arguments as for `run.launch`, arrays are written in place.

    `uninitialised` are pairs of an array that owns its memory and a flag for each of its bytes: never written
    so far. Arrays for parameters that the source declares `const` count as read-only. The launch stops at the
    first access that no memory can serve. Raises `LaunchError` for what no GPU would launch.
    """
    kernel = program.kernel(name)
    watcher = Sanitizer(_views(kernel, args), {registry().address(a): np.array(f) for a, f in uninitialised})
    printed = ""
    checked_shape(kernel, grid, block, shared_bytes, max_shared)
    try:
        printed = launch(
            program, name, grid, block, _guarded(kernel, args), shared_bytes=shared_bytes, trace=watcher,
            max_shared=MAX_SHARED + (1 << 20), budget=budget, shared_gap=RED_ZONE,
        ).printed  # fmt: skip
    except KernelFault as fault:
        watcher.add(_from_fault(fault))
    return Report(name, watcher.report(), program.source, printed)


def _views(kernel: Kernel, args: Sequence[Any]) -> dict[int, list[tuple[int, int, str]]]:
    """Base address of each array's memory -> (first byte, end, name) of the arguments that lie in it."""
    found: dict[int, list[tuple[int, int, str]]] = {}
    for number, value in enumerate(args):
        if isinstance(value, np.ndarray) and number < len(kernel.parameters):
            base = registry().address(owner_of(value))
            low, high = np.lib.array_utils.byte_bounds(value)
            start = np.lib.array_utils.byte_bounds(owner_of(value))[0]
            span = int(low - start), int(high - start), kernel.parameter_names[number]
            found.setdefault(base, []).append(span)
    return found


def _guarded(kernel: Kernel, args: Sequence[Any]) -> list[Any]:
    """The arguments, those for `const` pointers as read-only views (if no other argument shares their memory)."""
    constant = _constant_parameters(kernel)
    owners = [id(owner_of(a)) for a in args if isinstance(a, np.ndarray)]
    guarded = list(args)
    for number, value in enumerate(args):
        if isinstance(value, np.ndarray) and number in constant and owners.count(id(owner_of(value))) == 1:
            guarded[number] = value.view()
            guarded[number].flags.writeable = False
    return guarded


def _constant_parameters(kernel: Kernel) -> frozenset[int]:
    """Numbers of the parameters declared as pointers to `const`, where the source can be read."""
    for match in re.finditer(r"__global__[^;{(]*?\b(\w+)\s*\(([^)]*)\)", kernel.program.source):
        parts = [p for p in match[2].split(",") if p.strip()]
        fits = match[1] == kernel.name or re.search(rf"\d{re.escape(match[1])}", kernel.name)
        if fits and len(parts) == len(kernel.parameters):
            return frozenset(n for n, p in enumerate(parts) if re.match(r"[^*]*\bconst\b[^*]*\*[^*]*$", p))
    return frozenset()


_FAULTS: tuple[tuple[type[KernelFault], str], ...] = (
    (Misaligned, MISALIGNED), (OutOfBounds, OUT_OF_BOUNDS), (Deadlock, BARRIER_NOT_REACHED),
    (BudgetExceeded, ENDLESS), (AssertFailed, ASSERT), (Trapped, ASSERT),
)  # fmt: skip


def _from_fault(fault: KernelFault) -> Finding:
    kind = next((kind for error, kind in _FAULTS if isinstance(fault, error)), FAULT)
    if kind == OUT_OF_BOUNDS and "read-only" in str(fault):
        kind = READ_ONLY
    text = re.sub(rf"^line {fault.line}: ", "", str(fault))
    array = re.search(r"`([^`]+)`", text)
    index = re.search(r"element (-?\d+)", text)
    return Finding(kind, text, fault.line, array=array[1] if array else None,
                   index=int(index[1]) if index else None, block=fault.block, thread=fault.thread)  # fmt: skip


class Sanitizer(Trace):
    """Watches one launch; `views` and `unwritten` by base address of global memory (see `sanitize_launch`)."""

    def __init__(self, views: dict[int, list[tuple[int, int, str]]], unwritten: dict[int, Flags]) -> None:
        self._views, self._unwritten = views, unwritten
        self._findings: dict[tuple[Any, ...], Finding] = {}
        self._stale_reads: dict[tuple[Any, ...], int] = {}  # finding -> plain load that races with an atomic
        self._before_swap: set[int] = set()
        self._regions: dict[int, Region] = {}
        self._shared: WeakKeyDictionary[Any, Region] = WeakKeyDictionary()   # by wave, not by its id: ids come again
        self._instructions: list[Instruction] = []
        self._arrived: dict[tuple[int, int], list[tuple[Ints, Instruction]]] = {}

    def begin(self, machine: Any) -> None:
        self._machine, self._shape = machine, machine.shape
        count = self._shape.slots * self._shape.count
        if count > MOST_THREADS:
            raise LaunchError(f"sanitize follows each thread, at most {MOST_THREADS:,}; this launch has {count:,}: "
                              "sanitize a smaller grid of the same kernel")  # fmt: skip
        self._order = Order(self._shape.slots, self._shape.count)

    def report(self) -> tuple[Finding, ...]:
        """The findings; a race within a warp is left out where the same lines race between warps."""
        real = [f for key, f in self._findings.items() if self._stale_reads.get(key) not in self._before_swap]
        wide = {(f.line, f.other_line, f.array) for f in real if f.kind == RACE}
        return tuple(f for f in real if f.kind != MISSING_SYNCWARP or (f.line, f.other_line, f.array) not in wide)

    def add(self, finding: Finding) -> None:
        """Note a finding, or that one was seen again."""
        key = _key(finding)
        old = self._findings.get(key)
        self._findings[key] = finding if old is None else replace(old, count=old.count + finding.count)

    # --- memory ----------------------------------------------------------------------------------------

    def access(self, access: Access) -> None:
        if access.space == "global":
            self._global(access)
        elif access.space == "shared":
            region = self._shared_region(access.wave)
            start = access.address.view(np.int64)
            fits = (start >= 0) & (start <= access.wave.shared.size - access.bytes)
            self._watch(region, access, start + access.lanes.block * access.wave.shared.pitch, fits)

    def _global(self, access: Access) -> None:
        left = np.arange(len(access.address))
        while len(left):
            allocation = self._machine.memory.find(int(access.address[left[0]]))
            if allocation is None:
                return
            start = allocation.offsets(access.address).view(np.int64)
            mine = left[(start[left] >= 0) & (start[left] < allocation.size)]
            fits = np.zeros(len(start), bool)
            fits[mine] = allocation.fits(start[mine], access.bytes)
            self._watch(self._global_region(allocation), access, start, fits)
            left = np.setdiff1d(left, mine, assume_unique=True)

    def _global_region(self, allocation: Allocation) -> Region:
        base = allocation.base
        if base not in self._regions:
            self._regions[base] = heap_region(allocation, self._instructions) if isinstance(allocation, Heap) else (
                global_region(allocation, self._instructions, self._unwritten.get(base), self._views.get(base, [])))
        return self._regions[base]

    def allocate(self, wave: Any, blocks: list[tuple[int, int]]) -> None:
        """New blocks are unwritten, and nobody has accessed them in this life."""
        heap = self._machine.kernel.program.heap
        region = self._global_region(heap)
        region.shadow.grow(heap.used)
        for start, size in blocks:
            region.shadow.forget(start, size)
            assert region.unwritten is not None
            region.unwritten[start : start + size] = True

    def _shared_region(self, wave: Any) -> Region:
        if wave not in self._shared:
            kernel = self._machine.kernel
            end = wave.shared.size - kernel.shared_gap
            self._shared[wave] = shared_region(
                wave.shared, kernel.shared, end, self._instructions, bool(kernel.shared_gap))
        return self._shared[wave]

    def _watch(self, region: Region, access: Access, start: Ints, fits: Flags) -> None:
        """Look at the lanes that fit into the region (`start` in bytes); the others fault by themselves."""
        fits = fits & (start % access.bytes == 0)
        lanes = np.flatnonzero(fits)
        if not len(lanes):
            return
        if len(lanes) < len(fits):
            access = _part(access, lanes)
            start = start[lanes]
        threads = access.lanes.slot + access.wave.shape.first * self._shape.slots
        outside = self._check_bounds(region, access, start, threads)
        if len(outside):
            inside = np.setdiff1d(np.arange(len(start)), outside)
            if not len(inside):
                return
            access, start, threads = _part(access, inside), start[inside], threads[inside]
        if access.kind != "store":
            self._check_written(region, access, start, threads)
        if strength(access) > PLAIN:
            self._synchronize(access, start, threads, region)
            if "cas" in access.instruction.parts:
                self._before_swap |= region.shadow.reads_before_swap(access, start, threads)
        races = region.shadow.access(
            access, start, threads, self._order, lambda which: region.changed(access, start, which))
        for race in races:
            finding = self._race(region, race)
            self._stale_reads.setdefault(_key(finding), _stale_read(race))
            self.add(finding)
        if access.kind != "load":
            region.write(access, start)

    def _synchronize(self, access: Access, start: Ints, threads: Ints, region: Region) -> None:
        places = ((id(region), byte) for byte in start.tolist())
        parts = access.instruction.parts
        atomic = strength(access) == ATOMIC
        if "release" in parts or "acq_rel" in parts:
            self._order.fence(threads, "cta" not in parts)
        self._order.synchronize(
            threads.tolist(), places, atomic or access.kind == "load", atomic or access.kind == "store")
        if "acquire" in parts or "acq_rel" in parts:
            self._order.fence(threads, "cta" not in parts)

    def _check_bounds(self, region: Region, access: Access, start: Ints, threads: Ints) -> Ints:
        outside = region.outside(access, start)
        if len(outside):
            lane = int(outside[0])
            place = region.place(int(start[lane]), access.size)
            self.add(self._finding(
                OUT_OF_BOUNDS, access, int(threads[lane]),
                f"{_VERBS[access.kind]} {place}, which has {place.length} elements", place.array, place.index,
                len(outside)))  # fmt: skip
        return outside

    def _check_written(self, region: Region, access: Access, start: Ints, threads: Ints) -> None:
        blank = region.never_written(access, start)
        if len(blank):
            lane = int(blank[0])
            place = region.place(int(start[lane]), access.size)
            self.add(self._finding(
                UNINITIALIZED, access, int(threads[lane]), f"{_VERBS[access.kind]} {place}, which nobody has written",
                place.array, place.index, len(blank)))  # fmt: skip

    def _finding(
        self, kind: str, access: Access, thread: int, text: str, array: str, index: int, count: int
    ) -> Finding:
        block, own = self._who(thread)
        return Finding(kind, f"{text} (block {block}, thread {own})", access.instruction.line or None, array=array,
                       index=index, block=block, thread=own, count=count)  # fmt: skip

    def _who(self, thread: int) -> tuple[Dim3, Dim3]:
        return self._shape.block_of(thread), self._shape.thread_of(thread)

    def _race(self, region: Region, race: Race) -> Finding:
        (block, thread), (other_block, other) = self._who(race.thread), self._who(race.other)
        place = region.place(race.byte, race.size)
        kind = _race_kind(race, self._shape.slots)
        between = kind == RACE_BETWEEN_BLOCKS
        now, then = (f"block {b}, thread {t}" if between else f"thread {t}" for b, t in
                     ((block, thread), (other_block, other)))  # fmt: skip
        verbs = ("writes" if race.now_writes else "reads", "wrote" if race.then_writes else "read")
        in_block = "" if between else f" (block {block})"
        return Finding(
            kind, f"{place}: {now} {verbs[0]} it here; {then} {verbs[1]} it at line {race.then.line}{in_block}, and "
            f"nothing orders the two. {_ADVICE[kind]}", race.now.line or None, race.then.line or None, place.array,
            place.index, block, thread, other_block, other, race.count)  # fmt: skip

    # --- synchronization -------------------------------------------------------------------------------

    def fence(self, f: Fragment, fence: Instruction) -> None:
        self._order.fence(self._threads(f), "cta" not in fence.parts)

    def warp(self, f: Fragment, operation: Instruction) -> None:
        if operation.parts[0] in ("bar", "barrier"):
            self._order.warp_barrier(self._threads(f))

    def meet(self, wave: Any, slots: Values) -> None:
        self._order.warp_barrier(slots + wave.shape.first * self._shape.slots)

    def exit(self, f: Fragment) -> None:
        self._order.end(self._threads(f))

    def _threads(self, f: Fragment) -> Ints:
        threads: Ints = f.lanes.slot + f.machine.shape.first * self._shape.slots
        return threads

    def arrive(self, f: Fragment, barrier: Instruction, number: int) -> None:
        self._arrived.setdefault((f.machine.shape.first, number), []).append((f.lanes.slot, barrier))

    def release(self, wave: Any, number: int, slots: Values) -> None:
        """Blocks that all living threads waited in are ordered as a whole, others thread by thread."""
        per_block = self._shape.slots
        blocks = np.unique(slots // per_block)
        arrived = self._take(wave, number, blocks)
        offset = wave.shape.first * per_block
        alive = wave.alive.reshape(-1, per_block)[blocks].sum(axis=1)
        waited = np.bincount(slots // per_block, minlength=int(blocks[-1]) + 1)[blocks]
        for block in blocks[waited != alive]:
            came = np.concatenate([s for s, _ in arrived])
            self._order.partial_barrier(
                came[came // per_block == block] + offset, slots[slots // per_block == block] + offset)
        self._check_ended(wave, blocks[(alive < self._shape.threads) & (number == 0)], arrived)
        whole = blocks[waited == alive]
        if len(whole):
            chosen = slots if len(whole) == len(blocks) else slots[np.isin(slots // per_block, whole)]
            self._order.block_barrier(whole + wave.shape.first, chosen + offset)
            self._check_barrier(wave, whole, arrived)

    def _check_ended(self, wave: Any, blocks: Ints, arrived: list[tuple[Ints, Instruction]]) -> None:
        """Threads that had ended when their block passed a barrier."""
        per_block, start = self._shape.slots, wave.shape.first * self._shape.slots
        for block in blocks.tolist():
            here, came = next((i, s) for s, i in arrived if (s // per_block == block).any())
            ended = np.flatnonzero(~wave.alive[block * per_block : block * per_block + self._shape.threads])
            where, thread = self._who(int(came[came // per_block == block][0]) + start)
            _, other = self._who(int(ended[0]) + block * per_block + start)
            self.add(Finding(
                BARRIER_NOT_REACHED,
                f"{len(ended)} thread{'s' * (len(ended) > 1)} of block {where} ended without coming to this barrier, "
                f"thread {other} among them. Newer GPUs go on without them, but CUDA asks that all threads of a block "
                "reach it: no `return` before it, no condition or loop around it that some do not pass.",
                here.line or None, block=where, thread=thread, other_block=where, other_thread=other))  # fmt: skip

    def _take(self, wave: Any, number: int, blocks: Ints) -> list[tuple[Ints, Instruction]]:
        """The arrivals at a barrier of these blocks, which are over with its release."""
        taken, kept = [], []
        for slots, instruction in self._arrived.pop((wave.shape.first, number), []):
            mine = np.isin(slots // self._shape.slots, blocks)
            taken.append((slots[mine], instruction))
            if not mine.all():
                kept.append((slots[~mine], instruction))
        if kept:
            self._arrived[wave.shape.first, number] = kept
        return [(s, i) for s, i in taken if len(s)]

    def _check_barrier(self, wave: Any, blocks: Ints, arrived: list[tuple[Ints, Instruction]]) -> None:
        """Threads of one block that met at different barriers of the program."""
        places = {id(i): i for _, i in arrived}
        if len(places) < 2:
            return
        for block in blocks.tolist():
            mine = [(s[s // self._shape.slots == block], i) for s, i in arrived]
            mine = [(s, i) for s, i in mine if len(s)]
            if len({id(i) for _, i in mine}) > 1:
                self.add(self._divergent(wave, mine))

    def _divergent(self, wave: Any, mine: list[tuple[Ints, Instruction]]) -> Finding:
        counts: dict[int, int] = {}
        for slots, instruction in mine:
            counts[instruction.line] = counts.get(instruction.line, 0) + len(slots)
        lines = " and ".join(f"{n} at line {line}" for line, n in sorted(counts.items()))
        (first, here), (second, there) = mine[0], mine[-1]
        block, thread = self._who(int(first[0]) + wave.shape.first * self._shape.slots)
        _, other = self._who(int(second[0]) + wave.shape.first * self._shape.slots)
        return Finding(
            DIVERGENT_BARRIER, f"the threads of block {block} wait at different barriers: {lines}. All threads of a "
            "block must reach the same __syncthreads(); move it out of the branch or loop.", here.line or None,
            there.line or None, block=block, thread=thread, other_block=block, other_thread=other)  # fmt: skip


_VERBS = {"load": "reads", "store": "writes", "atomic": "updates"}
_ADVICE = {
    RACE: "Put a __syncthreads() between the two lines, or update with an atomic.",
    RACE_BETWEEN_BLOCKS: "Blocks have no order: use an atomic, or a second launch.",
    MISSING_SYNCWARP: "Lanes of a warp have no order either: put a __syncwarp() between, or update with an atomic.",
}


def _race_kind(race: Race, slots: int) -> str:
    if race.thread // WARP == race.other // WARP:
        return MISSING_SYNCWARP
    return RACE if race.thread // slots == race.other // slots else RACE_BETWEEN_BLOCKS


def _key(finding: Finding) -> tuple[Any, ...]:
    return finding.kind, finding.line, finding.other_line, finding.array


def _stale_read(race: Race) -> int:
    """Id of the plain load in a race between a load and an atomic; 0 for any other race."""
    pair = ((race.now, race.now_writes), (race.then, race.then_writes))
    loads = [id(i) for i, writes in pair if not writes]
    atomics = [i for i, _ in pair if i.parts[0] in ("atom", "red")]
    return loads[0] if loads and atomics else 0


def _part(access: Access, lanes: Ints) -> Access:
    """The access of some of its lanes (positions)."""
    own = type(access.lanes)(access.lanes.slot[lanes], access.lanes.shape)
    return replace(access, lanes=own, address=access.address[lanes], values=tuple(v[lanes] for v in access.values))
