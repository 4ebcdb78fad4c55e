"""`profile`, `sanitize`, `simulate`: a kernel of the learner's, run on the simulator, with or without a GPU.

All take what a launch takes. They run on copies of the arrays (and put a module's variables back), so the
learner's own data stay as they are. A kernel of real CuPy is compiled again, from its source, for the simulator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpucourse.errors import CourseError

if TYPE_CHECKING:
    from gpucourse.cupy_sim.function import Call
    from gpucourse.cupy_sim.raw import RawKernel, RawModule
    from gpucourse.simt.link import Program
    from gpucourse.simt.profile import Profile
    from gpucourse.simt.run import Pointer
    from gpucourse.simt.sanitize import Report

_TAKES = "profile, sanitize and simulate take a RawKernel, or (RawModule, name of the kernel)"


def profile(
    kernel: Any, grid: tuple[int, ...], block: tuple[int, ...], args: Sequence[Any], *, shared_mem: int = 0
) -> Profile:
    """Count, source line by source line, what a launch asks of the GPU: requests, sectors, wavefronts, divergence.

    `kernel` is a RawKernel, or `(module, "name")` for a kernel of a RawModule; the other arguments are those of
    the launch, `shared_mem` in bytes a block. It runs on the simulator, on copies: `args` stay as they are (only
    memory that is reached through addresses kept inside an array or a struct is not copied). Errors are
    the launch's own. What the numbers mean: `gpucourse.simt.metrics`.

    >>> p = profile(add, (4,), (256,), (x, y, out, np.int32(1000)))  # doctest: +SKIP
    >>> print(p.table())  # doctest: +SKIP
    """
    from gpucourse.simt.profile import profile_launch

    with _on_copies(_call(kernel, grid, block, args, shared_mem)) as call:
        return profile_launch(call.program, call.name, call.grid, call.block, call.args,
                              shared_bytes=call.shared_bytes, max_shared=_MOST_SHARED)  # fmt: skip


def sanitize(
    kernel: Any, grid: tuple[int, ...], block: tuple[int, ...], args: Sequence[Any], *, shared_mem: int = 0
) -> Report:
    """Look for what a launch does wrong: out of bounds, races, uninitialized reads, barriers that not all reach.

    Arguments as `profile`; it runs on the simulator, on copies: `args` stay as they are.
    """
    from gpucourse.simt.sanitize import sanitize_launch

    asked = _call(kernel, grid, block, args, shared_mem)
    with _on_copies(asked) as call:
        return sanitize_launch(call.program, call.name, call.grid, call.block, call.args,
                               shared_bytes=call.shared_bytes, max_shared=_MOST_SHARED,
                               uninitialised=_never_written(asked, call))  # fmt: skip


def simulate(
    kernel: Any, grid: tuple[int, ...], block: tuple[int, ...], args: Sequence[Any], *, shared_mem: int = 0,
    schedule: str = "lockstep", seed: int = 0,
) -> tuple[Any, ...]:  # fmt: skip
    """Run a launch on the simulator and return its arguments as it leaves them: NumPy arrays, and scalars as given.

    Arguments as `profile`; it runs on copies: `args` stay as they are. `schedule` is "lockstep" (all threads side by
    side, as a launch on the simulator) or "adversarial" (one warp at a time, in an order picked by `seed`): a
    kernel whose result depends on it has a race.

    >>> x, out = simulate(reverse, (2,), (64,), (x, out), schedule="adversarial", seed=1)  # doctest: +SKIP
    """
    with _on_copies(_call(kernel, grid, block, args, shared_mem)) as call:
        print(call.run(schedule=schedule, seed=seed).printed, end="")
        return tuple(np.array(left) if isinstance(left, np.ndarray) else given
                     for given, left in zip(args, call.args, strict=True))  # fmt: skip


@contextmanager
def copied_call(
    kernel: Any, grid: tuple[int, ...], block: tuple[int, ...], args: Sequence[Any], shared_mem: int = 0
) -> Iterator[Call]:
    """A launch on copies, for those who watch it in their own way; arguments as `profile`."""
    with _on_copies(_call(kernel, grid, block, args, shared_mem)) as call:
        yield call


_MOST_SHARED = 232_448   # a launch's own limit was checked before

# --- from a kernel to a launch of the simulator ------------------------------------------------------


def _call(kernel: Any, grid: Any, block: Any, args: Sequence[Any], shared_mem: int) -> Call:
    """The launch, held against the limits and the kernel's parameters as at a call of the kernel."""
    bases: dict[int, NDArray[Any]] = {}
    launched = simulated(kernel).kernel
    return launched.call(grid, block, [_simulated(value, bases) for value in args], shared_mem)


def simulated(kernel: Any) -> RawKernel:
    """Return a RawKernel of the simulator for one of CuPy's or its own, or for `(module, "name")`.

    Raises CourseError for anything else.
    """
    from gpucourse import cupy_sim

    if isinstance(kernel, tuple):
        found = _of_module(*kernel) if len(kernel) == 2 else None
    else:
        found = kernel if isinstance(kernel, cupy_sim.RawKernel) else _of_cupy(kernel)
    if found is None:
        raise CourseError(f"{_TAKES}; given was: {type(kernel).__name__}")
    return found


def _of_module(module: Any, name: str) -> RawKernel | None:
    """Kernel `name` of a RawModule, of CuPy's or of the simulator's."""
    from gpucourse import cupy_sim

    if isinstance(module, cupy_sim.RawModule):
        return module.get_function(name)
    if not all(hasattr(module, attribute) for attribute in ("get_function", "get_global", "code", "options")):
        return None
    _need_source(module, name)
    simulated = cupy_sim.RawModule(code=module.code, options=tuple(module.options), backend=module.backend,
                                   name_expressions=module.name_expressions)  # fmt: skip
    _take_over_variables(module, simulated)
    return simulated.get_function(name)


def _of_cupy(kernel: Any) -> RawKernel | None:
    """CuPy's RawKernel, made again for the simulator from its source."""
    from gpucourse import cupy_sim

    if not all(hasattr(kernel, attribute) for attribute in ("code", "name", "options", "backend")):
        return None
    _need_source(kernel, kernel.name)
    simulated = cupy_sim.RawKernel(kernel.code, kernel.name, tuple(kernel.options), kernel.backend)
    _check_whole(simulated, kernel.name)
    return simulated


def _need_source(kernel: Any, name: str) -> None:
    if kernel.code is None:
        raise CourseError(f"the kernel {name!r} comes from a compiled file ({kernel.file_path}); the simulator "
                          "needs its CUDA C source: RawModule(code=...)")  # fmt: skip


def _check_whole(simulated: RawKernel, name: str) -> None:
    """A kernel taken from CuPy's RawModule does not carry its module's templates and constants."""
    program = simulated._program()
    constants = [v.name for v in program.module.variables.values() if v.space == "const" and not v.initial]
    if name not in program.module.functions and name.startswith("_Z"):
        missing = f"the kernel {name!r} is an instance of a template, and CuPy's kernel does not say of which"
    elif constants:
        missing = f"the values of the constants {', '.join(constants)} belong to the module of {name!r}, not to it"
    else:
        return
    raise CourseError(f'{missing}. Hand over the module too: profile((module, "name"), grid, block, args)')


def _take_over_variables(module: Any, simulated: RawModule) -> None:
    """Copy the device's `__constant__` and `__device__` variables into the simulator's."""
    program = simulated.module
    names = {mangled: name for name, mangled in program.compiled.names.items()}
    for symbol in program.allocations:
        held = program.variable(symbol)
        module.get_global(names.get(symbol, symbol)).copy_to_host(held.ctypes.data, held.nbytes)


# --- arguments ---------------------------------------------------------------------------------------


def _simulated(value: Any, bases: dict[int, NDArray[Any]]) -> Any:
    """CuPy's array as one of the simulator's, a view of a copy of its base; anything else unchanged."""
    from gpucourse import cupy_sim
    from gpucourse.cupy_sim.array import unowned
    from gpucourse.cupy_sim.memory import UnownedMemory

    if isinstance(value, cupy_sim.ndarray) or not (hasattr(value, "get") and hasattr(value, "strides")):
        return value
    base = value if value.base is None else value.base
    if id(base) not in bases:
        bases[id(base)] = base.get(order="A")
    host = bases[id(base)]
    flat = host.reshape(-1, order="A").view(np.uint8)
    view = np.ndarray(value.shape, value.dtype, flat, value.data.ptr - base.data.ptr, value.strides)
    return unowned(view, UnownedMemory(host))


@contextmanager
def _on_copies(call: Call) -> Iterator[Call]:
    """The same launch on copies of its arrays; the program's variables and heap are put back at the end."""
    program = call.program
    before = {name: program.variable(name).copy() for name in program.allocations}
    put_heap_back = program.heap.snapshot() if program.heap is not None else None
    copies = _Copies(program)
    try:
        yield replace(call, args=tuple(map(copies.of, call.args)))
    finally:
        for name, held in before.items():
            program.variable(name)[:] = held
        if put_heap_back is not None:
            put_heap_back()


class _Copies:
    """Copies of arrays; two views of one array become two views of one copy, at the same offsets."""

    def __init__(self, program: Program) -> None:
        self._copies: dict[int, NDArray[np.uint8]] = {}
        self._own = {id(program.variable(name)) for name in program.allocations}

    def of(self, value: Any) -> Any:
        """The argument for the copied launch; a program's own variable is shared, as the kernel sees it."""
        from gpucourse.simt.run import Pointer

        if isinstance(value, np.ndarray):
            return self._view(value)
        return self._pointer(value) if isinstance(value, Pointer) else value

    def _view(self, array: NDArray[Any]) -> NDArray[Any]:
        from gpucourse.simt.memory import owner_of

        owner = owner_of(array)
        if id(owner) in self._own:
            return array
        offset = array.__array_interface__["data"][0] - int(np.lib.array_utils.byte_bounds(owner)[0])
        view: NDArray[Any] = np.ndarray(array.shape, array.dtype, self._bytes(owner), offset, array.strides)
        view.flags.writeable = array.flags.writeable
        return view

    def _pointer(self, pointer: Pointer) -> Pointer:
        from gpucourse.simt.memory import registry

        base, array = registry().holder(pointer.address)
        if array is None or id(array) in self._own:
            return pointer
        return replace(pointer, address=registry().address(self._bytes(array)) + pointer.address - base)

    def _bytes(self, owner: NDArray[Any]) -> NDArray[np.uint8]:
        from gpucourse.simt.memory import bytes_of

        if id(owner) not in self._copies:
            self._copies[id(owner)] = bytes_of(owner).copy()
        return self._copies[id(owner)]


def _never_written(original: Call, copied: Call) -> list[tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
    """(copy, flag for each byte) of arrays made by `cp.empty`: elements that still hold nothing but its filling.

    Elements of one byte are left out: there the filling is a number like any other.
    """
    from gpucourse.cupy_sim.memory import POISON
    from gpucourse.simt.memory import owner_of

    found = []
    for number in sorted(original.poisoned):
        size = owner_of(original.args[number]).dtype.itemsize
        held: NDArray[np.uint8] = owner_of(copied.args[number])
        if size > 1:
            whole = (held.reshape(-1, size) == POISON).all(axis=1)
            found.append((held, np.repeat(whole, size)))
    return found
