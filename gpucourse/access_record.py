"""`accesses`: which thread of a small launch reads and writes which element, in a form that can be drawn.

The launch runs on the simulator, on copies, as under `profile`. What is recorded are the memory instructions that the
compiler kept: a value that it holds in a register is read once, however often the source names it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpucourse.errors import CourseError
from gpucourse.explain import copied_call
from gpucourse.simt.memory import extent, registry
from gpucourse.simt.regions import source_name
from gpucourse.simt.trace import Access, Trace

if TYPE_CHECKING:
    from gpucourse.simt.link import Kernel

#: The most accesses of threads that are kept; a picture of more would be grey.
MOST = 200_000
KINDS = {"load": "read", "store": "write", "atomic": "update"}

Dim3 = tuple[int, int, int]


class Touch(NamedTuple):
    """One thread touches one element: `kind` is "read", "write" or "update" (an atomic).

    `element` counts from the array's first byte in steps of its element's size, `byte` is the first byte touched
    and `size` their number. `block` and `thread` are numbers, counted with x running fastest; `step` is
    how many memory instructions the thread's warp had executed before, `line` the source line (0: none).
    """

    element: int
    kind: str
    block: int
    thread: int
    step: int
    line: int
    byte: int
    size: int


@dataclass(frozen=True)
class Held:
    """An array as a kernel sees it: its `space` ("global" or "shared"), where it starts, and its elements.

    `start` is a byte address in that space. `shape` is the array's own where its elements lie in C order without
    gaps; else, and where a shared array's source cannot be read, it is flat.
    """

    name: str
    space: str
    start: int
    shape: tuple[int, ...]
    itemsize: int

    @property
    def elements(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)


@dataclass(frozen=True, repr=False)
class Accesses:
    """What the threads of one launch touched; `arrays` by name: parameters, then shared variables."""

    kernel: str
    grid: Dim3
    block: Dim3
    arrays: dict[str, Held]
    _log: list[_Logged] = field(repr=False)

    def array(self, name: str) -> Held:
        """The array of that name; CourseError for one that the kernel does not have."""
        if name not in self.arrays:
            known = ", ".join(self.arrays) or "none"
            raise CourseError(f"kernel {self.kernel} has no array {name!r}; it has: {known}")
        return self.arrays[name]

    def touches(self, name: str, block: int | None = None) -> list[Touch]:
        """Every access to the elements of an array, in the order of the run; of one block, or (None) of all.

        >>> [t.thread for t in recorded.touches("x") if t.element == 3]  # doctest: +SKIP
        """
        held = self.array(name)
        mine = (entry for entry in self._log if entry.space == held.space and block in (None, entry.block))
        return [touch for entry in mine for touch in _touches(held, entry)]

    def __repr__(self) -> str:
        parts = []
        for name in self.arrays:
            kinds = Counter(touch.kind for touch in self.touches(name))
            done = ", ".join(f"{kinds[kind]:,} {kind}s" for kind in KINDS.values() if kinds[kind])
            parts.append(f"{name}: {done or 'not touched'}")
        return "; ".join([f"Accesses of {self.kernel}, grid {self.grid}, block {self.block}", *parts])


def accesses(
    kernel: Any, grid: tuple[int, ...], block: tuple[int, ...], args: Sequence[Any], *, shared_mem: int = 0
) -> Accesses:
    """Record which thread reads and writes which element in a small launch; arguments as `profile`.

    It runs on the simulator, on copies: `args` stay as they are. Errors are the launch's own; CourseError where the
    threads access memory more than 200,000 times.

    >>> recorded = accesses(add, (2,), (8,), (x, y, out, np.int32(16)))  # doctest: +SKIP
    >>> access_picture(recorded, "x")  # doctest: +SKIP
    """
    with copied_call(kernel, grid, block, args, shared_mem) as call:
        recorder = _Recorder()
        call.run(trace=recorder)
        arrays = arrays_of(call.program.kernel(call.name), call.args, call.shared_bytes, recorder.log)
    return Accesses(call.name, call.grid, call.block, arrays, recorder.log)


def arrays_of(kernel: Kernel, args: Sequence[Any], dynamic: int, log: Sequence[Any]) -> dict[str, Held]:
    """Return the arrays that a kernel sees, by name: parameters, then shared variables (`dynamic` bytes unnamed).

    `log` are its accesses, each with `space`, `address` and `size`: from them a shared variable's element size is told.
    """
    return {held.name: held for held in (*_parameters(kernel, args), *_shared(kernel, dynamic, log))}


# --- recording ---------------------------------------------------------------------------------------


class _Logged(NamedTuple):
    """One lane's part of one memory instruction: `size` bytes from byte address `address`."""

    space: str
    kind: str
    address: int
    size: int
    block: int
    thread: int
    step: int
    line: int


class _Recorder(Trace):
    """Notes every access to global and shared memory."""

    def __init__(self) -> None:
        self.log: list[_Logged] = []
        self._steps: Counter[tuple[int, int]] = Counter()

    def access(self, access: Access) -> None:
        if access.space not in ("global", "shared"):
            return
        lanes, shape, kind = access.lanes, access.wave.shape, KINDS[access.kind]
        if len(self.log) + lanes.count > MOST:
            raise CourseError(f"accesses keeps at most {MOST:,} accesses of threads, and this launch makes more: "
                              "record a smaller one (fewer blocks, a smaller array)")  # fmt: skip
        warps = lanes.warp.tolist()
        where = zip(access.address.tolist(), lanes.slot.tolist(), warps, strict=True)
        self.log += [
            _Logged(access.space, kind, address, access.bytes, slot // shape.slots + shape.first, slot % shape.slots,
                    self._steps[shape.first, warp], access.instruction.line)
            for address, slot, warp in where
        ]  # fmt: skip
        self._steps.update((shape.first, warp) for warp in set(warps))


def _touches(held: Held, entry: _Logged) -> Iterator[Touch]:
    """The elements of an array that one lane's access covers."""
    low, high = entry.address - held.start, entry.address - held.start + entry.size
    low, high = max(low, 0), min(high, held.elements * held.itemsize)
    while low < high:
        element = low // held.itemsize
        end = min(high, (element + 1) * held.itemsize)
        yield Touch(element, entry.kind, entry.block, entry.thread, entry.step, entry.line, low, end - low)
        low = end


# --- the arrays --------------------------------------------------------------------------------------


def _parameters(kernel: Kernel, args: Sequence[Any]) -> Iterator[Held]:
    for name, array in zip(kernel.parameter_names, args, strict=True):
        if isinstance(array, np.ndarray):
            yield _parameter(name, array)


def _parameter(name: str, array: NDArray[Any]) -> Held:
    first = array.__array_interface__["data"][0] - int(np.lib.array_utils.byte_bounds(array)[0])
    shape = array.shape if array.flags.c_contiguous and array.ndim else (extent(array) // array.itemsize,)
    return Held(name, "global", registry().address(array) - first, shape, array.itemsize)


def _shared(kernel: Kernel, dynamic: int, log: Sequence[Any]) -> Iterator[Held]:
    """The shared variables; an element is as large as most accesses to the variable are."""
    end = kernel.static_shared_bytes + dynamic
    for variable, start in kernel.shared:
        name, size = source_name(variable.name), variable.size or end - start
        sizes = Counter(e.size for e in log if e.space == "shared" and start <= e.address < start + size)
        itemsize = sizes.most_common(1)[0][0] if sizes else 4
        shape = declared_shape(kernel.program.source, name)
        fits = shape and math.prod(shape) * itemsize == size
        yield Held(name, "shared", start, shape if fits else (size // itemsize,), itemsize)


def declared_shape(source: str, name: str) -> tuple[int, ...]:
    """Return the lengths in `__shared__ float name[32][33];`, or () where they are more than a sum of constants."""
    source = re.sub(r"//[^\n]*|/\*.*?\*/", " ", source, flags=re.DOTALL)
    found = re.search(rf"__shared__[^;]*?\b{re.escape(name)}\s*((?:\[[^\]]+\]\s*)+)", source)
    lengths = [_value(source, text) for text in re.findall(r"\[([^\]]+)\]", found[1])] if found else []
    return tuple(length for length in lengths if length) if all(lengths) else ()


_CONSTANT = r"(?m)^[ \t]*#define[ \t]+{0}[ \t]+(.+)$|\bconst(?:expr)?\s+(?:\w+\s+)+{0}\s*=\s*([^;,]+)"


def _value(source: str, text: str, depth: int = 8) -> int:
    """The value of an integer expression of numbers, `#define`s and constants; 0 where it is anything else."""

    def constant(word: re.Match[str]) -> str:
        found = re.search(_CONSTANT.format(re.escape(word[0])), source)
        return f"({(found[1] or found[2]).strip()})" if found else word[0]

    while depth and re.search(r"[A-Za-z_]", text):
        text, depth = re.sub(r"[A-Za-z_]\w*", constant, text), depth - 1
    if not re.fullmatch(r"[\d\s()+*/-]+", text) or "**" in text:
        return 0
    try:
        return int(eval(text.replace("/", "//"), {"__builtins__": {}}))
    except (SyntaxError, ZeroDivisionError, TypeError):
        return 0
