"""Counting: what a launch asks of the memory system, and how much of each warp works.

A GPU serves memory by the warp, not by the thread. One load or store instruction of one warp is a *request*;
what it costs depends on the addresses of its active lanes:

global memory   moves in sectors of 32 bytes. sectors = the distinct values of floor(address / 32) among
                the active lanes; ideal = ceil(distinct bytes asked for / 32). A full warp of 32-, 64- or
                128-bit lanes needs at least 4, 8 or 16 sectors; with a stride of 8 floats it needs 32.
shared memory   has 32 banks of 4 bytes: bank = floor(address / 4) mod 32. A request is served in phases
                of 32 lanes (elements up to 32 bits), 2 x 16 lanes (64 bits) or 4 x 8 lanes (128 bits). A
                phase takes as many wavefronts as the busiest bank has distinct words; lanes that read the
                same word share it. ideal = the phases that have an active lane; conflicts = wavefronts - ideal.
atomics         lanes of a warp that hit one address take turns: counted is the largest such group.
constant memory serves one address at a time to the whole warp: counted are distinct addresses per request.
local memory    (arrays with a computed index) counted are requests and bytes.
barriers        warps that come to a `__syncthreads()`, once each time.
divergence      a branch where some active lanes of a warp jump and some do not.
warp efficiency active lanes / (32 x warp instructions).
FLOPs           add, sub and mul count 1, fma 2, packed half instructions twice that, wmma 2 m n k a warp:
                the convention of Nsight Compute's roofline (fadd + fmul + 2 ffma). Division, roots, reciprocals,
                exponentials, logarithms, sines and tanh are counted apart as special functions; minimum,
                maximum, comparison, conversion and atomic additions are not FLOPs.

Sources: CUDA C++ Best Practices Guide, "Coalesced Access to Global Memory" and "Shared Memory and Memory
Banks"; the kernel profiling guide of Nsight Compute (request, sector, wavefront, tag). Kernel arguments are
constants that the compiler places, and are not counted.

What the source fixes (requests, sectors, wavefronts, who diverges) is the same for every compiler that keeps
the loads and stores. Instruction counts are PTX instructions, which the assembler rewrites: they change
with the compiler's version. Nothing here is a time, a cycle or a cache hit.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import numpy as np

from gpucourse.simt.link import RunBlock
from gpucourse.simt.ptx import Instruction
from gpucourse.simt.registers import WARP, Fragment, Ints, Values
from gpucourse.simt.trace import Access, Trace

SECTOR = 32  # bytes
BANKS = 32
WORD = 4  # bytes of one bank
_SECTOR_SHIFT, _WORD_SHIFT = np.uint64(5), np.uint64(2)
_BANK_MASK, _BANK_SHIFT = np.uint64(BANKS - 1), np.uint64(48)

# --- formulas: one row a request ---------------------------------------------------------------------


def grouped(slot: Ints, values: Values, width: int = WARP) -> Values:
    """One row per group of `width` lanes that has an active one, shape (groups, width).

    `slot` (lanes,) are the active lanes' ascending numbers, `values` (lanes,) theirs. A lane that is not
    active repeats the first value of its group, so that it adds no distinct value.
    """
    if len(slot) % width == 0 and bool((slot[::width] % width == 0).all()) and _whole(slot, width):
        return values.reshape(-1, width)
    first, row = _groups(slot // width)
    out = np.repeat(values[first][:, None], width, axis=1)
    out[row, slot % width] = values
    return out


def _whole(slot: Ints, width: int) -> bool:
    return bool((slot[width - 1 :: width] == slot[::width] + (width - 1)).all())


def _groups(key: Ints) -> tuple[Ints, Ints]:
    """(position where each run of equal keys begins, number of the run that each entry is in)."""
    new = np.concatenate(([True], key[1:] != key[:-1]))
    return np.flatnonzero(new), np.cumsum(new) - 1


def distinct(rows: Values) -> Ints:
    """Distinct values of each row, shape (rows,)."""
    found: Ints = _steps(np.sort(rows, axis=1)).sum(axis=1)
    return found


def _steps(ascending: Values) -> Values:
    """Whether each entry of ascending rows is the first of its value; bool, the shape of `ascending`."""
    new = np.ones(ascending.shape, bool)
    np.not_equal(ascending[:, 1:], ascending[:, :-1], out=new[:, 1:])
    return new


@dataclass(frozen=True)
class GlobalRequests:
    """Global requests: `sectors`, `ideal` and distinct `bytes` of each, shape (requests,); `touched` sectors."""

    sectors: Ints
    ideal: Ints
    bytes: Ints
    touched: Values


def global_requests(slot: Ints, address: Values, size: int) -> GlobalRequests:
    """Sectors that warps touch when the lanes `slot` access `size` bytes each at `address` (both (lanes,)).

    Addresses are multiples of `size`, which is at most 16, so no lane straddles two sectors.
    """
    rows = np.sort(grouped(slot, address), axis=1)
    used = _steps(rows).sum(axis=1) * size
    sector = rows >> _SECTOR_SHIFT
    new = _steps(sector)
    return GlobalRequests(new.sum(axis=1), -(-used // SECTOR), used, sector[new])


def wavefronts(slot: Ints, address: Values, size: int) -> Ints:
    """Shared-memory wavefronts of each phase that has an active lane, shape (phases,)."""
    words = max(1, size // WORD)
    word: Values = grouped(slot, address, WARP // words) >> _WORD_SHIFT
    if words > 1:
        word = (word[:, :, None] + np.arange(words, dtype=np.uint64)).reshape(len(word), BANKS)
    key = np.sort((word & _BANK_MASK) << _BANK_SHIFT | word, axis=1)
    row, column = np.nonzero(_steps(key))
    bank = (key[row, column] >> _BANK_SHIFT).astype(np.int64)
    in_bank = np.bincount(row * BANKS + bank, minlength=len(word) * BANKS).reshape(-1, BANKS)
    busiest: Ints = in_bank.max(axis=1)
    return busiest


def lanes_at_one_address(slot: Ints, address: Values) -> Ints:
    """The largest number of active lanes of each warp that share an address, shape (requests,)."""
    group = _groups(slot // WARP)[1]
    order = np.lexsort((address, group))
    cell, _ = _groups_of_pairs(group[order], address[order])
    size = np.diff(np.append(cell, len(slot)))
    largest = np.zeros(group[-1] + 1, np.int64)
    np.maximum.at(largest, group[order][cell], size)
    return largest


def _groups_of_pairs(a: Values, b: Values) -> tuple[Ints, Ints]:
    new = np.concatenate(([True], (a[1:] != a[:-1]) | (b[1:] != b[:-1])))
    return np.flatnonzero(new), np.cumsum(new) - 1


def divergent_warps(slot: Ints, taken: Values) -> int:
    """Warps of which some of the lanes `slot` take a branch and some do not; `taken` bool, shape (lanes,)."""
    first, _ = _groups(slot // WARP)
    jumped = np.add.reduceat(np.broadcast_to(taken, slot.shape).astype(np.int64), first)
    lanes = np.diff(np.append(first, len(slot)))
    return int(((jumped > 0) & (jumped < lanes)).sum())


_FLOPS = {"add": 1, "sub": 1, "mul": 1, "fma": 2, "mad": 2}
_SPECIAL = frozenset(("div", "rcp", "sqrt", "rsqrt", "sin", "cos", "ex2", "lg2", "tanh"))
_FLOAT_WIDTH = {"f16": 1, "bf16": 1, "f32": 1, "f64": 1, "f16x2": 2, "bf16x2": 2}
_TILE = re.compile(r"m(\d+)n(\d+)k(\d+)")


@cache
def flops_of(parts: tuple[str, ...]) -> tuple[int, int]:
    """(FLOPs, special functions) of one lane of the opcode `parts`, such as ("fma", "rn", "f32")."""
    tile = next((found for part in parts if (found := _TILE.fullmatch(part))), None)
    if parts[:2] == ("wmma", "mma") and tile and "s32" not in parts:
        m, n, k = map(int, tile.groups())
        return 2 * m * n * k // WARP, 0
    width = _FLOAT_WIDTH.get(parts[-1], 0)
    return _FLOPS.get(parts[0], 0) * width, width if parts[0] in _SPECIAL else 0


# --- counters ----------------------------------------------------------------------------------------


@dataclass
class Counters:
    """What one source line, or a whole launch, did; every number is summed over all warps.

    Requests are warp-level memory instructions; sectors have 32 bytes; ideal sectors and wavefronts are
    the fewest that the same lanes could need. `..._bytes_used` are distinct bytes of each request, summed.
    `bank_conflict_degree` is the most wavefronts of one phase (1: no conflict), `atomic_serialization` the most
    lanes of one warp at one address. `constant_addresses` sums the distinct addresses of constant requests.
    `warp_instructions` and `thread_instructions` are PTX instructions.
    """

    branches: int = 0
    divergent_branches: int = 0
    global_load_requests: int = 0
    global_load_sectors: int = 0
    global_load_ideal_sectors: int = 0
    global_load_bytes_used: int = 0
    global_store_requests: int = 0
    global_store_sectors: int = 0
    global_store_ideal_sectors: int = 0
    global_store_bytes_used: int = 0
    global_atomic_requests: int = 0
    global_atomic_sectors: int = 0
    shared_load_requests: int = 0
    shared_load_wavefronts: int = 0
    shared_load_ideal_wavefronts: int = 0
    shared_store_requests: int = 0
    shared_store_wavefronts: int = 0
    shared_store_ideal_wavefronts: int = 0
    shared_atomic_requests: int = 0
    bank_conflict_degree: int = 0
    atomic_serialization: int = 0
    constant_requests: int = 0
    constant_addresses: int = 0
    local_load_requests: int = 0
    local_load_bytes: int = 0
    local_store_requests: int = 0
    local_store_bytes: int = 0
    barriers: int = 0
    flops: int = 0
    special_functions: int = 0
    warp_instructions: int = 0
    thread_instructions: int = 0

    def count(self, **numbers: int) -> None:
        """Add to counters; those that are maxima take the larger number."""
        for name, number in numbers.items():
            old = getattr(self, name)
            setattr(self, name, max(old, int(number)) if name in _MAXIMA else old + int(number))

    def numbers(self) -> dict[str, int]:
        """The plain counters by name."""
        return {name: getattr(self, name) for name in COUNTED}

    @property
    def global_requests(self) -> int:
        """Global loads and stores of warps, without atomics."""
        return self.global_load_requests + self.global_store_requests

    @property
    def global_sectors(self) -> int:
        """Sectors of 32 bytes that global loads and stores touch."""
        return self.global_load_sectors + self.global_store_sectors

    @property
    def global_ideal_sectors(self) -> int:
        """Sectors that the same bytes would need if they lay side by side."""
        return self.global_load_ideal_sectors + self.global_store_ideal_sectors

    @property
    def sectors_per_request(self) -> float:
        """Mean sectors of a global load or store."""
        return _ratio(self.global_sectors, self.global_requests)

    @property
    def ideal_sectors_per_request(self) -> float:
        """Mean ideal sectors of a global load or store."""
        return _ratio(self.global_ideal_sectors, self.global_requests)

    @property
    def global_load_sectors_per_request(self) -> float:
        """Mean sectors of a global load."""
        return _ratio(self.global_load_sectors, self.global_load_requests)

    @property
    def global_store_sectors_per_request(self) -> float:
        """Mean sectors of a global store."""
        return _ratio(self.global_store_sectors, self.global_store_requests)

    @property
    def bytes_used(self) -> int:
        """Distinct bytes that global loads and stores asked for, summed over requests."""
        return self.global_load_bytes_used + self.global_store_bytes_used

    @property
    def bytes_moved(self) -> int:
        """Bytes of the sectors of global loads and stores."""
        return SECTOR * self.global_sectors

    @property
    def bytes_used_percent(self) -> float:
        """Bytes used per 100 bytes moved."""
        return 100 * _ratio(self.bytes_used, self.bytes_moved)

    @property
    def shared_requests(self) -> int:
        """Shared loads and stores of warps, without atomics."""
        return self.shared_load_requests + self.shared_store_requests

    @property
    def shared_wavefronts(self) -> int:
        """Wavefronts of shared loads and stores."""
        return self.shared_load_wavefronts + self.shared_store_wavefronts

    @property
    def shared_ideal_wavefronts(self) -> int:
        """Wavefronts that they would take without bank conflicts."""
        return self.shared_load_ideal_wavefronts + self.shared_store_ideal_wavefronts

    @property
    def shared_wavefronts_per_request(self) -> float:
        """Mean wavefronts of a shared load or store."""
        return _ratio(self.shared_wavefronts, self.shared_requests)

    @property
    def bank_conflicts(self) -> int:
        """Wavefronts beyond the ideal."""
        return self.shared_wavefronts - self.shared_ideal_wavefronts

    @property
    def atomic_requests(self) -> int:
        """Atomic operations of warps, in global and shared memory."""
        return self.global_atomic_requests + self.shared_atomic_requests

    @property
    def constant_addresses_per_request(self) -> float:
        """Mean distinct addresses of a constant load; 1 is a broadcast."""
        return _ratio(self.constant_addresses, self.constant_requests)

    @property
    def local_requests(self) -> int:
        """Local loads and stores of warps."""
        return self.local_load_requests + self.local_store_requests

    @property
    def local_bytes(self) -> int:
        """Bytes that lanes load from and store to local memory."""
        return self.local_load_bytes + self.local_store_bytes

    @property
    def branch_efficiency(self) -> float:
        """Branches at which no warp parts, as a fraction of all."""
        return 1 - _ratio(self.divergent_branches, self.branches)

    @property
    def active_lanes(self) -> float:
        """Mean active lanes of a warp instruction, 0 to 32."""
        return _ratio(self.thread_instructions, self.warp_instructions)

    @property
    def warp_efficiency(self) -> float:
        """Active lanes as a fraction of 32."""
        return self.active_lanes / WARP

    @property
    def worst_case_bytes(self) -> int:
        """Global bytes if every sector of every request came from memory; an atomic reads and writes its own."""
        return SECTOR * (self.global_sectors + 2 * self.global_atomic_sectors)

    @property
    def worst_case_intensity(self) -> float:
        """FLOPs per byte of `worst_case_bytes`."""
        return intensity(self.flops, self.worst_case_bytes)


_MAXIMA = frozenset(("bank_conflict_degree", "atomic_serialization"))
COUNTED = tuple(field.name for field in fields(Counters))
DERIVED = tuple(name for name, value in vars(Counters).items() if isinstance(value, property))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def intensity(flops: int, moved: int) -> float:
    """FLOPs per byte; infinite where something is computed and nothing moved."""
    return flops / moved if moved else math.inf if flops else 0.0


# --- the recorder ------------------------------------------------------------------------------------


class SectorSet:
    """Distinct sectors, kept small by merging once many have come."""

    def __init__(self, merge_at: int = 1 << 20) -> None:
        self._parts: list[Values] = []
        self._held, self._merge_at = 0, merge_at

    def add(self, sectors: Values) -> None:
        """Note sectors (uint64, each its address / 32); repeats do not matter."""
        self._parts.append(sectors)
        self._held += len(sectors)
        if self._held > self._merge_at:
            self._merge()

    def __len__(self) -> int:
        self._merge()
        return len(self._parts[0]) if self._parts else 0

    def _merge(self) -> None:
        if self._parts:
            self._parts = [np.unique(np.concatenate(self._parts))]
            self._held = 0


class Profiler(Trace):
    """Counts a lock-step launch: after it, `lines` are `Counters` by source line (0: no line of the source).

    Headers' instructions count for the source line that uses them; those that belong to none, for line 0.
    `read` and `written` are the global sectors touched at least once.
    """

    def __init__(self) -> None:
        self.lines: defaultdict[int, Counters] = defaultdict(Counters)
        self.read, self.written = SectorSet(), SectorSet()
        self._blocks: dict[int, list[Any]] = {}
        self._warp_wide: dict[int, list[Any]] = {}

    def block(self, f: Fragment, run: RunBlock) -> None:
        _executed(self._blocks, run, f)

    def warp(self, f: Fragment, operation: Instruction) -> None:
        _executed(self._warp_wide, operation, f)

    def diverges(self, f: Fragment, branch: Instruction, taken: Values) -> None:
        if branch.parts[0] in ("bra", "brx", "call"):
            self.lines[branch.line].divergent_branches += divergent_warps(f.lanes.slot, taken)

    def access(self, access: Access) -> None:
        counter = _COUNTERS.get(access.space)
        if counter is not None:
            counter(self, self.lines[access.instruction.line], access)

    def finish(self) -> Counters:
        """Turn executed blocks into instruction counts; the total of all lines. Call once, after the launch."""
        for run, warps, lanes in self._blocks.values():
            for instruction in run.block.code if run.block.kind == "warp" else run.instructions:
                self._instruction(instruction, warps, lanes)
            if run.block.kind in ("branch", "table", "call") and (run.guard is not None):
                self.lines[run.block.end.line].branches += warps
            if run.block.kind == "barrier":
                self.lines[run.block.end.line].barriers += warps
        for instruction, warps, lanes in self._warp_wide.values():
            self._instruction(instruction, warps, lanes)
        total = Counters()
        for counters in self.lines.values():
            total.count(**counters.numbers())
        return total

    def _instruction(self, instruction: Instruction, warps: int, lanes: int) -> None:
        flops, special = flops_of(instruction.parts)
        counters = self.lines[instruction.line]
        counters.warp_instructions += warps
        counters.thread_instructions += lanes
        counters.flops += flops * lanes
        counters.special_functions += special * lanes


def _executed(seen: dict[int, list[Any]], what: Any, f: Fragment) -> None:
    """Add the warps and lanes of `f` to the executions of a block or an instruction."""
    entry = seen.setdefault(id(what), [what, 0, 0])
    entry[1] += len(f.lanes.warps)
    entry[2] += f.lanes.count


def _count_global(profiler: Profiler, counters: Counters, access: Access) -> None:
    slot = access.lanes.slot
    found = global_requests(slot, access.address, access.bytes)
    if access.kind == "atomic":
        counters.count(global_atomic_requests=len(found.sectors), global_atomic_sectors=found.sectors.sum(),
                       atomic_serialization=lanes_at_one_address(slot, access.address).max())  # fmt: skip
    else:
        name = f"global_{access.kind}"
        counters.count(**{f"{name}_requests": len(found.sectors), f"{name}_sectors": int(found.sectors.sum()),
                          f"{name}_ideal_sectors": int(found.ideal.sum()),
                          f"{name}_bytes_used": int(found.bytes.sum())})  # fmt: skip
    if access.kind != "store":
        profiler.read.add(found.touched)
    if access.kind != "load":
        profiler.written.add(found.touched)


def _count_shared(profiler: Profiler, counters: Counters, access: Access) -> None:
    slot = access.lanes.slot
    if access.kind == "atomic":
        largest = lanes_at_one_address(slot, access.address)
        counters.count(shared_atomic_requests=len(largest), atomic_serialization=largest.max())
        return
    phases, name = wavefronts(slot, access.address, access.bytes), f"shared_{access.kind}"
    counters.count(**{f"{name}_requests": _requests(access), f"{name}_wavefronts": int(phases.sum()),
                      f"{name}_ideal_wavefronts": len(phases), "bank_conflict_degree": int(phases.max())})  # fmt: skip


def _count_local(profiler: Profiler, counters: Counters, access: Access) -> None:
    if access.kind != "atomic":
        name = f"local_{access.kind}"
        counters.count(**{f"{name}_requests": _requests(access), f"{name}_bytes": access.lanes.count * access.bytes})


def _count_constant(profiler: Profiler, counters: Counters, access: Access) -> None:
    found = distinct(grouped(access.lanes.slot, access.address))
    counters.count(constant_requests=len(found), constant_addresses=found.sum())


def _requests(access: Access) -> int:
    return len(access.lanes.warps)


_COUNTERS: dict[str, Callable[[Profiler, Counters, Access], None]] = {
    "global": _count_global, "shared": _count_shared, "local": _count_local, "const": _count_constant,
}  # fmt: skip
