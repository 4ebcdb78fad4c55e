"""Carries out the launches of an answer: under the sanitizer, warp by warp, watched, profiled, or timed on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucourse import backend, cupy_sim
from gpucourse.cupy_sim.driver import MAX_SHARED
from gpucourse.cupy_sim.function import Call, carriers
from gpucourse.cupy_sim.memory import POISON
from gpucourse.errors import KernelFault
from gpucourse.exercises import guard
from gpucourse.exercises.kernel_source import Answer
from gpucourse.exercises.limits import undisturbed
from gpucourse.show import here
from gpucourse.simt.memory import owner_of, registry
from gpucourse.simt.metrics import COUNTED
from gpucourse.simt.profile import Profile, profile_launch
from gpucourse.simt.sanitize import (
    MISSING_SYNCWARP,
    RACE,
    RACE_BETWEEN_BLOCKS,
    Finding,
    sanitize_launch,
)
from gpucourse.simt.trace import Access, Trace
from gpucourse.timing import seconds, timeit

#: Bytes before and behind every array that belong to nobody, and what they are filled with.
MARGIN = 16_384
CANARY = 0xC5
#: Instructions without a block finishing, before a loop counts as endless. Small launches need a few thousand in
#: lock-step; with one warp at a time every warp's are counted.
BUDGET, BUDGET_OF_WARPS = 30_000, 400_000
#: Seeds of the adversarial schedule that an answer must survive.
SEEDS = (1, 2)
COPY_BYTES = 1 << 28  # of one array, where the copy bandwidth is measured
PRODUCT_SIDE = 4096  # of the matrices, where the library's product is measured
RACES = (RACE, RACE_BETWEEN_BLOCKS, MISSING_SYNCWARP)
Ints = NDArray[np.int64]
Extent = tuple[int, int, int]


def blank(shape: int | tuple[int, ...], dtype: Any = np.float32) -> NDArray[Any]:
    """Return an array to be written: reading it before counts as a fault.

    >>> blank(3, np.uint8)
    array([203, 203, 203], dtype=uint8)
    """
    made = np.empty(shape, dtype)
    made.reshape(-1).view(np.uint8)[:] = POISON
    return made


def is_blank(array: NDArray[Any]) -> bool:
    """Say whether nothing was ever put into an array made by `blank`."""
    return array.nbytes > 0 and bool((np.ascontiguousarray(array).reshape(-1).view(np.uint8) == POISON).all())


@dataclass(frozen=True)
class Launch:
    """One launch by which a kernel is judged; `due` names the outputs and what they must hold.

    `args` maps parameter names, in the kernel's order, to host arrays and NumPy scalars; an output's array is its
    content before (`blank(...)`: nothing). What `due` does not name must stay as it is; a name in `due` that is no
    argument is what a function answer returns. `rtol` and `atol` 0: bit-equal. `words` say the launch in messages.
    `extent`: elements along x, y, z that threads are there for (default: the first output's shape, a last axis
    of at most 4 left out). `full()` returns the same launch at a GPU's size, and `moved` are the bytes that it has
    to move (default: every array once, those that are read and written twice). `flops`: where arithmetic and not
    memory is what counts, its floating-point operations; the timing is then held against the library's product.
    """

    grid: tuple[int, ...]
    block: tuple[int, ...]
    args: Mapping[str, Any]
    due: Mapping[str, NDArray[Any]]
    shared_mem: int = 0
    rtol: float = 0.0
    atol: float = 0.0
    words: str = ""
    extent: tuple[int, ...] = ()
    full: Callable[[], Launch] | None = None
    moved: int = 0
    flops: int = 0

    @property
    def about(self) -> str:
        """The launch in words."""
        return self.words or f"grid {self.grid}, block {self.block}"

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arguments that are arrays."""
        return {name: value for name, value in self.args.items() if isinstance(value, np.ndarray)}

    @property
    def elements(self) -> Extent:
        """Elements along x, y and z that threads are there for."""
        shape = self.extent
        if not shape:
            first = np.asarray(next(iter(self.due.values()))).shape
            shape = (first[:-1] if len(first) == 3 and first[-1] <= 4 else first)[::-1]
        x, y, z = [*shape, 1, 1, 1][:3]
        return int(x), int(y), int(z)

    def agrees(self, got: Any, due: Any) -> NDArray[np.bool_]:
        """Return where two arrays agree, within the launch's tolerance; nan agrees with nan."""
        got, due = np.asarray(got), np.asarray(due)
        if got.dtype.kind in "fc" or due.dtype.kind in "fc":
            with np.errstate(all="ignore"):
                wide = np.result_type(got.dtype, due.dtype, np.float64)
                near: NDArray[np.bool_] = np.isclose(
                    got.astype(wide), due.astype(wide), self.rtol, self.atol, equal_nan=True)
                return near
        same: NDArray[np.bool_] = got == due
        return same

    @property
    def bytes_moved(self) -> int:
        """Bytes that have to cross the bus: what is read, and what is written."""
        twice = [name for name in self.due if name in self.arrays and not is_blank(self.arrays[name])]
        return self.moved or sum(a.nbytes * (1 + (name in twice)) for name, a in self.arrays.items())


# -- one run ------------------------------------------------------------------------------------------


@dataclass
class Run:
    """One run of an answer: its arrays, what it returned, and what each of its launches showed."""

    launch: Launch
    arrays: dict[str, Any]
    calls: list[Call] = field(default_factory=list)
    findings: list[tuple[Call, Finding]] = field(default_factory=list)
    witnesses: list[Witness] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)
    fault: tuple[Call, KernelFault] | None = None
    printed: str = ""
    returned: Any = None

    def found(self, *kinds: str) -> bool:
        """Whether the sanitizer has found something of these kinds."""
        return any(finding.kind in kinds for _, finding in self.findings)

    @property
    def outputs(self) -> dict[str, Any]:
        """What stands in the outputs now, on the host; None for what was not returned as a device array."""
        return {name: self.held(name) for name in self.launch.due}

    def held(self, name: str) -> Any:
        """The content of an argument, or what was returned, on the host."""
        value = self.arrays.get(name, self.returned)
        return value.get() if isinstance(value, cupy_sim.ndarray) else None

    def wrong(self) -> dict[str, NDArray[np.bool_]]:
        """Output -> flags of its elements that are not as due; one of another shape or dtype is wrong throughout."""
        found = {}
        for name, got in self.outputs.items():
            due = np.asarray(self.launch.due[name])
            fits = got is not None and (got.shape, got.dtype) == (due.shape, due.dtype)
            flags = ~self.launch.agrees(got, due) if fits else np.ones(due.shape, bool)
            if flags.any():
                found[name] = flags
        return found

    def changed(self) -> list[str]:
        """Arrays among the arguments that are no output and are not as before."""
        inputs = [name for name in self.launch.arrays if name not in self.launch.due]
        return [name for name in inputs if self.held(name).tobytes() != self.launch.arrays[name].tobytes()]

    def counted(self, counter: str) -> Any:
        """A counter of `profile`, summed over the launches (ratios: of the last launch)."""
        numbers = [getattr(profile, counter) for profile in self.profiles]
        return sum(numbers) if counter in COUNTED else numbers[-1]


Carry = Callable[[Run, Call], str]   # carries a launch out, notes in the run what it shows, returns what it prints


def run(answer: Answer, launch: Launch, carry: Carry) -> Run:
    """Run an answer on fresh arrays and let `carry` do its launches; raises what the answer raises (guard.Raised)."""
    made = Run(launch, {name: with_margins(array) for name, array in launch.arrays.items()})
    args = tuple(made.arrays.get(name, value) for name, value in launch.args.items())
    where = f"{answer.name}({', '.join(launch.args)}) for {launch.about}"
    kernel, shared = answer.kernel, launch.shared_mem

    def act(*args: Any) -> Any:
        if kernel is None:
            assert answer.function is not None
            return answer.function(*args)
        if shared > kernel.max_dynamic_shared_size_bytes:
            kernel.max_dynamic_shared_size_bytes = shared
        return kernel(launch.grid, launch.block, args, shared_mem=shared)

    with _Carrying(made, carry):
        made.returned = guard.call(act, args, where=where).value
    return made


def with_margins(host: NDArray[Any]) -> Any:
    """A device array with `MARGIN` bytes of nobody's memory on either side: who goes too far lands there."""
    flat = np.full(host.nbytes + 2 * MARGIN + -host.nbytes % 512, CANARY, np.uint8)
    flat[MARGIN : MARGIN + host.nbytes] = np.ascontiguousarray(host).reshape(-1).view(np.uint8)
    inside = cupy_sim.asarray(flat)[MARGIN : MARGIN + host.nbytes]
    return inside.view(host.dtype).reshape(host.shape)


class _Carrying:
    """Lets `carry` do all launches for a while; the variables of modules are put back at the end."""

    def __init__(self, made: Run, carry: Carry) -> None:
        self.made, self.carry = made, carry
        self.before: dict[int, tuple[Any, dict[str, Any]]] = {}

    def __call__(self, call: Call) -> str:
        program = call.program
        if id(program) not in self.before:
            self.before[id(program)] = program, {n: program.variable(n).copy() for n in program.allocations}
        self.made.calls.append(call)
        return self.carry(self.made, call)

    @undisturbed
    def __enter__(self) -> None:
        carriers.append(self)

    @undisturbed
    def __exit__(self, *error: object) -> None:
        carriers[1:] = []
        for program, variables in self.before.values():
            for name, held in variables.items():
                program.variable(name)[:] = held


# -- ways to carry a launch out -----------------------------------------------------------------------


def sanitized(made: Run, call: Call) -> str:
    """In lock-step, under the sanitizer."""
    report = sanitize_launch(
        call.program, call.name, call.grid, call.block, call.args, shared_bytes=call.shared_bytes,
        max_shared=MAX_SHARED, budget=BUDGET, uninitialised=_never_written(call))  # fmt: skip
    made.findings += [(call, finding) for finding in report.findings]
    made.printed += report.printed
    return ""


def plain(made: Run, call: Call) -> str:
    """In lock-step."""
    return _faults_noted(made, call)


def adversarial(seed: int) -> Carry:
    """One warp at a time, in an order that `seed` decides."""
    return lambda made, call: _faults_noted(made, call, schedule="adversarial", seed=seed)


def witnessed(made: Run, call: Call) -> str:
    """In lock-step, with every access to global memory noted."""
    made.witnesses.append(Witness(call))
    return _faults_noted(made, call, trace=made.witnesses[-1])


def profiled(made: Run, call: Call) -> str:
    """In lock-step, counted."""
    made.profiles.append(profile_launch(
        call.program, call.name, call.grid, call.block, call.args, shared_bytes=call.shared_bytes,
        max_shared=MAX_SHARED))  # fmt: skip
    return ""


def _faults_noted(made: Run, call: Call, **options: Any) -> str:
    try:
        call.run(budget=BUDGET_OF_WARPS if "seed" in options else BUDGET, **options)
    except KernelFault as fault:
        made.fault = made.fault or (call, fault)
    return ""


def _never_written(call: Call) -> list[tuple[NDArray[Any], NDArray[np.bool_]]]:
    """(owner, flag for each of its bytes) of arrays that hold nothing but the filling of `blank` or `cp.empty`."""
    found = []
    for number, array in enumerate(call.args):
        if not isinstance(array, np.ndarray) or not array.flags.c_contiguous:
            continue
        if number in call.poisoned or is_blank(array):
            owner = owner_of(array)
            flags = np.zeros(owner.nbytes, bool)
            start = registry().address(array) - registry().address(owner)
            rows = array.reshape(-1).view(np.uint8).reshape(array.size, -1)
            whole = (rows == POISON).all(axis=1) & (array.itemsize > 1 or is_blank(array))
            flags[start : start + array.nbytes] = np.repeat(whole, array.itemsize)
            found.append((owner, flags))
    return found


# -- who touched what ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Touches:
    """Accesses of one array, in order: threads (numbers in the launch), elements, source lines, whether they write."""

    name: str
    length: int
    thread: Ints
    index: Ints
    line: Ints
    writes: NDArray[np.bool_]

    def where(self, chosen: NDArray[np.bool_]) -> Touches:
        """Return some of them."""
        return Touches(self.name, self.length, self.thread[chosen], self.index[chosen], self.line[chosen],
                       self.writes[chosen])  # fmt: skip

    def __len__(self) -> int:
        return len(self.thread)

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Which of them lie before the first or behind the last element."""
        return (self.index < 0) | (self.index >= self.length)


class Witness(Trace):
    """Notes every access to the arrays of one launch, those that miss them by up to `MARGIN` bytes too."""

    def __init__(self, call: Call) -> None:
        self.call = call
        names = call.program.kernel(call.name).parameter_names
        arrays = [(n, a) for n, a in zip(names, call.args, strict=True) if isinstance(a, np.ndarray)]
        self.spans = {registry().address(a): (n, a) for n, a in arrays}
        self._noted: dict[int, list[tuple[Ints, Ints, int, bool]]] = {address: [] for address in self.spans}

    def begin(self, machine: Any) -> None:
        self.slots = machine.shape.slots

    def access(self, access: Access) -> None:
        if access.space != "global":
            return
        thread = access.lanes.slot + access.wave.shape.first * self.slots
        for address, (_, array) in self.spans.items():
            start = access.address.view(np.int64) - address
            near = (start >= -MARGIN) & (start < array.nbytes + MARGIN)
            if near.any():
                self._note(address, access, thread[near], start[near], array.itemsize)

    def _note(self, address: int, access: Access, thread: Ints, start: Ints, itemsize: int) -> None:
        for offset in range(0, access.bytes, max(itemsize, 1)):
            entry = thread, (start + offset) // itemsize, access.instruction.line, access.kind != "load"
            self._noted[address].append(entry)

    def touches(self, address: int) -> Touches:
        """What happened to the array at an address."""
        name, array = self.spans[address]
        noted = self._noted[address]
        count = [len(thread) for thread, *_ in noted]
        nothing = np.zeros(0, np.int64)
        return Touches(
            name, array.size, np.concatenate([nothing, *(t for t, *_ in noted)]),
            np.concatenate([nothing, *(i for _, i, *_ in noted)]),
            np.repeat(np.array([n[2] for n in noted], np.int64), count),
            np.repeat(np.array([n[3] for n in noted], bool), count))  # fmt: skip

    def coordinates(self, thread: Ints) -> tuple[Ints, Ints, Ints]:
        """x, y, z of threads in the whole grid, from their numbers in the launch."""
        block, own = thread // self.slots, thread % self.slots
        found = []
        for blocks, threads in zip(self.call.grid, self.call.block, strict=True):
            found.append(block % blocks * threads + own % threads)
            block, own = block // blocks, own // threads
        return found[0], found[1], found[2]


# -- on a GPU -----------------------------------------------------------------------------------------


def on_gpu(xp: Any) -> bool:
    """Say whether `xp` is real CuPy on a GPU."""
    return getattr(xp, "__name__", "") == "cupy" and backend.choose().name == "cupy"


def timed(answer: Answer, launch: Launch, xp: Any) -> tuple[str, list[str]]:
    """Time the caller's own kernel at full size; returns the outcome between ⟨ and ⟩, and outputs that are wrong."""
    arrays = {name: xp.asarray(array) for name, array in launch.arrays.items()}
    args = tuple(arrays.get(name, value) for name, value in launch.args.items())

    def once() -> None:
        if answer.kernel is None:
            answer.given(*args)
        elif type(answer.given) is tuple:
            module, name = answer.given
            module.get_function(name)(launch.grid, launch.block, args, shared_mem=launch.shared_mem)
        else:
            answer.given(launch.grid, launch.block, args, shared_mem=launch.shared_mem)

    once()
    wrong = [n for n, due in launch.due.items() if n in arrays and not launch.agrees(xp.asnumpy(arrays[n]), due).all()]
    took = timeit(once).median
    return here(f"On this GPU, {launch.about}: {seconds(took)}, {_share(launch, took, xp)}."), wrong


def _share(launch: Launch, took: float, xp: Any) -> str:
    """What `took` seconds are of the best that this device does: of a copy, or of a matrix product."""
    if launch.flops:
        rate, best, unit, of = launch.flops / took, product_rate(xp), "GFLOP/s", "the library's matrix product"
    else:
        rate, best, unit, of = launch.bytes_moved / took, copy_bandwidth(xp), "GB/s", "its copy bandwidth"
    return f"{rate / 1e9:,.0f} {unit}, {rate / best:.0%} of {of} ({best / 1e9:,.0f} {unit})"


@cache
def product_rate(xp: Any) -> float:
    """Floating-point operations a second of a large float32 matrix product on the device; measured once."""
    a = xp.ones((PRODUCT_SIDE, PRODUCT_SIDE), xp.float32)
    out = xp.empty_like(a)
    return 2 * PRODUCT_SIDE**3 / timeit(lambda: xp.matmul(a, a, out=out)).median


@cache
def copy_bandwidth(xp: Any) -> float:
    """Bytes a second, read and written, of a large copy on the device; measured once."""
    source = xp.ones(COPY_BYTES // 4, xp.float32)
    target = xp.empty_like(source)
    return 2 * COPY_BYTES / timeit(lambda: xp.copyto(target, source)).median
