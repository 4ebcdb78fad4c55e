"""`cp.cuda.function`: one kernel of a compiled program, what it needs, and its launch on the simulator."""

from __future__ import annotations

import operator
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gpucourse.errors import LaunchError

from . import counters
from .arguments import Parameter, bind
from .array import ndarray
from .declarations import Declaration, declarations
from .driver import (
    DEFAULT_SHARED,
    DEVICE,
    INVALID_VALUE,
    MAX_BLOCK,
    MAX_GRID,
    MAX_SHARED,
    MAX_THREADS,
    NOT_FOUND,
    CUDADriverError,
)

if TYPE_CHECKING:
    from gpucourse.simt.link import Program
    from gpucourse.simt.run import Launch

Dim3 = tuple[int, int, int]


@dataclass(frozen=True)
class Call:
    """A launch that was found to be sound: what `gpucourse.simt.run.launch` takes, arrays as NumPy arrays.

    `poisoned` are the numbers of the arguments whose memory was filled with 0xCB when it was made (`cp.empty`).
    """

    program: Program
    name: str
    grid: Dim3
    block: Dim3
    args: tuple[Any, ...]
    shared_bytes: int
    poisoned: frozenset[int] = frozenset()

    def run(self, **options: Any) -> Launch:
        """Run it; `options` are the simulator's own, such as `schedule="adversarial"`."""
        from gpucourse.simt.run import launch

        return launch(
            self.program, self.name, self.grid, self.block, self.args,
            shared_bytes=self.shared_bytes, max_shared=MAX_SHARED, **options,
        )  # fmt: skip


def launch(call: Call) -> None:
    """Count a call as a launch, carry it out, and print what the kernel printed."""
    counters.launch()
    sys.stdout.write(carriers[-1](call))


#: The last one carries launches out and returns what they print; a judge of kernels appends its own for a while.
carriers: list[Callable[[Call], str]] = [lambda call: call.run().printed]


class Function:
    """One kernel of a program; `name` is as in the program, or a name expression."""

    def __init__(self, program: Program, name: str) -> None:
        self.program, self.name = program, name
        try:
            self.entry = program.kernel(name)
        except LaunchError:
            raise CUDADriverError(NOT_FOUND, _unknown(program, name)) from None
        self.max_dynamic_shared_size_bytes = DEFAULT_SHARED - self.entry.static_shared_bytes
        self.preferred_shared_memory_carveout = -1

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], args: Sequence[Any], shared_mem: int = 0,
        stream: Any = None, enable_cooperative_groups: bool = False,
    ) -> None:  # fmt: skip
        """Launch `grid` blocks of `block` threads with `shared_mem` bytes of dynamic shared memory."""
        launch(self.call(grid, block, args, shared_mem))

    def linear_launch(
        self, size: int, args: Sequence[Any], shared_mem: int = 0, block_max_size: int = 128, stream: Any = None,
        enable_cooperative_groups: bool = False,
    ) -> None:  # fmt: skip
        """Launch at least `size` threads, `block_max_size` a block."""
        grid = min(MAX_GRID[0], -(-size // block_max_size))
        self((grid,), (min(block_max_size, size),), args, shared_mem)

    def call(self, grid: Any, block: Any, args: Sequence[Any], shared_mem: int = 0) -> Call:
        """Hold a launch against the limits and the parameters.

        Raises CUDADriverError in CuPy's words with the number found and the limit; TypeError or LaunchError for an
        argument that the kernel cannot take.
        """
        grid3, block3 = _dim3(grid, "grid", MAX_GRID), _dim3(block, "block", MAX_BLOCK)
        self._check_threads(block3)
        shared = self._checked_shared(shared_mem)
        if len(args) != len(self.parameters):
            raise self._wrong_count(args)
        bound = tuple(map(bind, self.parameters, args))
        poisoned = (number for number, each in enumerate(args) if isinstance(each, ndarray) and each._memory.poisoned)
        return Call(self.program, self.name, grid3, block3, bound, shared, frozenset(poisoned))

    @cached_property
    def parameters(self) -> list[Parameter]:
        """What the kernel takes, in order."""
        variables = [variable for variable, _ in self.entry.parameters]
        types = [variable.type for variable in variables]
        declared: Sequence[Declaration | None] = declarations(self.program.source, self.entry.name, types)
        declared = declared or [None] * len(types)
        return [
            Parameter(number, self.name, variable.type, variable.size, each)
            for number, (variable, each) in enumerate(zip(variables, declared, strict=True))
        ]

    @cached_property
    def max_threads(self) -> int:
        """Threads that `__launch_bounds__` allows a block, else 1024."""
        head = re.search(rf"\.entry\s+{re.escape(self.entry.name)}\s*\(.*?\{{", self.program.compiled.ptx, re.DOTALL)
        bounds = re.search(r"\.maxntid\s+([\d, ]+)", head[0]) if head else None
        count = 1
        for length in bounds[1].split(",") if bounds else [str(MAX_THREADS)]:
            count *= int(length)
        return count

    def _check_threads(self, block: Dim3) -> None:
        threads = block[0] * block[1] * block[2]
        if threads > MAX_THREADS:
            detail = f"a block of {block} has {threads:,} threads; the limit is {MAX_THREADS:,}"
            raise CUDADriverError(INVALID_VALUE, detail)
        if threads > self.max_threads:
            promise = f"__launch_bounds__ promises at most {self.max_threads:,}"
            detail = f"a block of {block} has {threads:,} threads; {promise}"
            raise CUDADriverError(INVALID_VALUE, detail)

    def _checked_shared(self, shared_mem: Any) -> int:
        shared = int(shared_mem)
        if shared < 0:
            raise OverflowError("can't convert negative value to size_t")
        if shared > self.max_dynamic_shared_size_bytes:
            raise CUDADriverError(INVALID_VALUE, self._too_much_shared(shared))
        return shared

    def _too_much_shared(self, shared: int) -> str:
        static = self.entry.static_shared_bytes
        found = f"shared_mem={shared:,} bytes"
        found += f" and {static:,} bytes of static shared memory" if static else ""
        if shared + static > MAX_SHARED:
            return f"{found}; {DEVICE} has {MAX_SHARED:,} bytes a block"
        limit = f"{self.max_dynamic_shared_size_bytes:,} bytes of dynamic shared memory"
        return f"{found}; this kernel's limit is {limit}. Set kernel.max_dynamic_shared_size_bytes = {shared} first"

    def set_max_dynamic_shared(self, size: int) -> None:
        """Allow `size` bytes of dynamic shared memory; raises CUDADriverError beyond the device's limit."""
        static = self.entry.static_shared_bytes
        if not 0 <= size <= MAX_SHARED - static:
            limit = f"{DEVICE} has {MAX_SHARED - static:,} bytes a block"
            raise CUDADriverError(INVALID_VALUE, f"max_dynamic_shared_size_bytes = {size:,}; {limit}")
        self.max_dynamic_shared_size_bytes = int(size)

    def _wrong_count(self, args: Sequence[Any]) -> CUDADriverError:
        names = ", ".join(p.declared.name if p.declared else f"argument {p.number}" for p in self.parameters)
        detail = f"kernel {self.name} takes {len(self.parameters)} arguments ({names}); {len(args)} were given"
        return CUDADriverError(INVALID_VALUE, detail)


def _dim3(extent: Any, what: str, limits: Dim3) -> Dim3:
    if type(extent) is not tuple:
        raise TypeError(f"Argument {what!r} has incorrect type (expected tuple, got {type(extent).__name__})")
    numbers = [operator.index(length) for length in extent]
    if not 1 <= len(numbers) <= 3 or min(numbers) < 1:
        detail = f"the {what} is {extent}; it needs one to three lengths, each of 1 or more"
        raise CUDADriverError(INVALID_VALUE, detail)
    for axis, length, limit in zip("xyz", numbers, limits, strict=False):
        if length > limit:
            detail = f"the {what} {extent} has length {length:,} along {axis}; the limit is {limit:,}"
            raise CUDADriverError(INVALID_VALUE, detail)
    x, y, z = [*numbers, 1, 1][:3]
    return x, y, z


def _unknown(program: Program, name: str) -> str:
    known = program.kernel_names()
    if any(re.search(rf"(?<!\d){len(name)}{re.escape(name)}", each) for each in known):
        return f'the source has a C++ kernel {name!r}; write extern "C" before its __global__, or use name_expressions'
    return f"there is no kernel {name!r} in this source; it has: {', '.join(known) or 'none'}"
