"""RawKernel and RawModule: a learner's own CUDA C, compiled by NVRTC and run by the simulator, as CuPy has them."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpucourse.errors import SimulatorLacks

from . import compiler
from .driver import FILE_NOT_FOUND, INVALID_IMAGE, NOT_FOUND, CUDADriverError
from .function import Function
from .memory import MemoryPointer, UnownedMemory

if TYPE_CHECKING:
    from gpucourse.simt.link import Program

_READ_ONLY = ("code", "name", "options", "backend", "enable_cooperative_groups", "file_path")
ATTRIBUTES = (
    "max_threads_per_block", "shared_size_bytes", "const_size_bytes", "local_size_bytes", "num_regs", "ptx_version",
    "binary_version", "cache_mode_ca", "max_dynamic_shared_size_bytes", "preferred_shared_memory_carveout",
)  # fmt: skip
_REGISTERS = 65_536  # 32-bit registers of a multiprocessor
_JITIFY = (
    "jitify=True is deprecated and its support is staged for removal in CuPy v15.0.\n"
    "Please try compiling without jitify using the CCCL headers as needed.\n"
    "Also see https://nvidia.github.io/cccl/python/ for e.g. Thrust/CUB algorithm exposure to Python."
)


class RawKernel:
    """A kernel in CUDA C: `kernel(grid, block, args, shared_mem=0)`; compiled at its first launch.

    `code` is the source, `name` the kernel in it (declared `extern "C"`), `options` the compiler's.
    """

    def __init__(
        self, code: str, name: str, options: tuple[str, ...] = (), backend: str = "nvrtc",
        translate_cucomplex: bool = False, *, enable_cooperative_groups: bool = False, jitify: bool | None = None,
    ) -> None:  # fmt: skip
        _check_types(code=(code, str), name=(name, str), options=(options, tuple), backend=(backend, str))
        if jitify:
            warnings.warn(_JITIFY, DeprecationWarning, stacklevel=2)
        self._code, self._name, self._options, self._backend = code, name, options, backend
        self._translate_cucomplex = translate_cucomplex
        self._enable_cooperative_groups = enable_cooperative_groups
        self._file_path: str | None = None
        self._names: tuple[str, ...] = ()
        self._function: Function | None = None
        self.__name__ = name

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: Sequence[Any], **kwargs: Any) -> None:
        """Launch `grid` blocks of `block` threads, each block with `shared_mem` bytes of dynamic shared memory.

        `args` are device arrays (handed over as pointers) and scalars (by value; a Python int has 64 bits, a Python
        float is a double). Raises CUDADriverError, LaunchError or TypeError for a launch that cannot be, and
        KernelFault, with line, block and thread, where the kernel goes wrong.
        """
        self.kernel(grid, block, args, enable_cooperative_groups=self._enable_cooperative_groups, **kwargs)

    @property
    def kernel(self) -> Function:
        """The compiled kernel."""
        if self._function is None:
            self._function = Function(self._program(), self._name)
        return self._function

    def _program(self) -> Program:
        return _compiled(self._code, self._file_path, self._options, self._backend, self._translate_cucomplex,
                         self._names)  # fmt: skip

    def compile(self, log_stream: Any = None) -> None:
        """Compile now; the compiler's output goes to `log_stream`, an open text file."""
        self._function = None
        _write_log(self.kernel.program, log_stream)

    @property
    def attributes(self) -> dict[str, int]:
        """All attributes below by name; registers and memory are those of NVRTC's own assembler (sm_80)."""
        return {name: getattr(self, name) for name in ATTRIBUTES}

    @property
    def max_threads_per_block(self) -> int:
        """The most threads that a block may have: registers, and `__launch_bounds__`, limit it."""
        warp = -(-32 * self.num_regs // 256) * 256  # registers are given to a warp in units of 256
        return min(self.kernel.max_threads, 1024, _REGISTERS // max(warp, 1) // 4 * 4 * 32)

    @property
    def shared_size_bytes(self) -> int:
        """Static shared memory, in bytes a block."""
        return self.kernel.entry.static_shared_bytes

    @property
    def const_size_bytes(self) -> int:
        """Constant memory that the source declares, in bytes."""
        module = self.kernel.program.module
        return sum(variable.size for variable in module.variables.values() if variable.space == "const")

    @property
    def local_size_bytes(self) -> int:
        """Local memory (arrays and spilled registers), in bytes a thread."""
        return int(self._resources().stack_bytes)

    @property
    def num_regs(self) -> int:
        """Registers a thread."""
        return int(self._resources().registers)

    def _resources(self) -> Any:
        from gpucourse.simt.compile import kernel_resources

        if self._file_path is not None:
            raise SimulatorLacks("the registers of a kernel from a PTX file")
        name = self.kernel.entry.name   # compiles: its error is CuPy's
        return kernel_resources(self._code, self._options, self._names)[name]

    ptx_version = property(lambda self: 75, doc="The architecture that the simulator compiles for: 10 major + minor.")
    binary_version = property(lambda self: 75, doc="As `ptx_version`.")
    cache_mode_ca = property(lambda self: 0, doc="0: the simulator has no caches.")

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        """Dynamic shared memory that a launch may ask for, in bytes a block; can be set, up to the device's limit."""
        return self.kernel.max_dynamic_shared_size_bytes

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, size: int) -> None:
        self.kernel.set_max_dynamic_shared(size)

    @property
    def preferred_shared_memory_carveout(self) -> int:
        """Shared memory wanted, in percent of what it shares with the cache; can be set, and changes nothing here."""
        return self.kernel.preferred_shared_memory_carveout

    @preferred_shared_memory_carveout.setter
    def preferred_shared_memory_carveout(self, percent: int) -> None:
        self.kernel.preferred_shared_memory_carveout = percent

    def __reduce__(self) -> Any:
        state = (self._code, self._name, self._options, self._backend, self._translate_cucomplex,
                 self._enable_cooperative_groups, self._file_path, self._names)  # fmt: skip
        return _unpickled, state


def _unpickled(
    code: Any, name: str, options: Any, backend: str, translate: bool, cooperative: bool, path: Any, names: Any
) -> RawKernel:
    made = RawKernel(code or "", name, options, backend, translate, enable_cooperative_groups=cooperative)
    made._code, made._file_path, made._names = code, path, names
    return made


class RawModule:
    """CUDA C source with several kernels, templates or global variables; or a PTX file, by its `path`.

    `name_expressions` are the kernels of templates, such as "add<float>", by which `get_function` finds them.
    """

    def __init__(
        self, *, code: str | None = None, path: str | None = None, options: tuple[str, ...] = (),
        backend: str = "nvrtc", translate_cucomplex: bool = False, enable_cooperative_groups: bool = False,
        name_expressions: Sequence[str] | None = None, jitify: bool | None = None,
    ) -> None:  # fmt: skip
        if (code is None) == (path is None):
            raise TypeError("Exactly one of `code` and `path` keyword arguments must be given.")
        _check_types(code=(code, str), path=(path, str), options=(options, tuple), backend=(backend, str))
        if name_expressions is not None and code is None:
            raise ValueError("need CUDA C++ code for the requested kernels")
        if name_expressions is not None and backend != "nvrtc":
            raise ValueError("only nvrtc supports retrieving the mangled names for the given name expressions")
        if jitify:
            warnings.warn(_JITIFY, DeprecationWarning, stacklevel=2)
        self._code, self._file_path, self._options, self._backend = code, path, options, backend
        self._translate_cucomplex = translate_cucomplex
        self._enable_cooperative_groups = enable_cooperative_groups
        self._names = None if name_expressions is None else tuple(name_expressions)
        self._kept: Program | None = None

    name_expressions = property(lambda self: self._names, doc="The name expressions, or None.")

    @property
    def module(self) -> Program:
        """The compiled program; its global variables live as long as it does."""
        if self._kept is None:
            self._kept = _compiled(self._code, self._file_path, self._options, self._backend,
                                   self._translate_cucomplex, self._names or ())  # fmt: skip
        return self._kept

    def compile(self, log_stream: Any = None) -> None:
        """Compile now; the compiler's output goes to `log_stream`, an open text file."""
        _write_log(self.module, log_stream)

    def get_function(self, name: str) -> RawKernel:
        """Return a kernel by its name or name expression; raises CUDADriverError where there is none."""
        _check_types(name=(name, str))
        name = self.module.compiled.names.get(name, name)
        found = _unpickled(self._code, name, self._options, self._backend, self._translate_cucomplex,
                           self._enable_cooperative_groups, self._file_path, self._names or ())  # fmt: skip
        found._function = Function(self.module, name)
        return found

    def get_global(self, name: str) -> MemoryPointer:
        """Return a pointer to a `__device__` or `__constant__` variable: `cp.ndarray(shape, dtype, pointer)` is it."""
        name = self.module.compiled.names.get(name, name)
        try:
            return MemoryPointer(UnownedMemory(self.module.variable(name)), 0)
        except KeyError:
            known = ", ".join(self.module.allocations) or "none"
            detail = f"there is no variable {name!r} in this source; it has: {known}"
            raise CUDADriverError(NOT_FOUND, detail) from None


def _compiled(
    code: str | None, path: str | None, options: tuple[str, ...], backend: str, translate: bool, names: tuple[str, ...]
) -> Program:
    if path is not None:
        return _from_ptx(path)
    if backend not in ("nvrtc", "nvcc"):
        raise ValueError(f"Invalid backend {backend}")
    if backend == "nvcc":
        raise SimulatorLacks("backend='nvcc': it compiles with NVRTC")
    if translate:
        raise SimulatorLacks("translate_cucomplex=True: #include <cuComplex.h> works without it")
    return compiler.program(str(code), options, names)


def _from_ptx(path: str) -> Program:
    from gpucourse.simt.link import Program

    try:
        text = Path(path).read_text()
    except FileNotFoundError:
        raise CUDADriverError(FILE_NOT_FOUND, f"there is no file {path!r}") from None
    except UnicodeDecodeError:
        raise SimulatorLacks(f"binary code such as {path!r}: it runs CUDA C source and PTX text") from None
    if ".version" not in text:
        raise CUDADriverError(INVALID_IMAGE, f"{path!r} is no PTX text: it has no .version line")
    return Program(ptx=text)


def _write_log(program: Program, log_stream: Any) -> None:
    if log_stream is not None:
        log_stream.write(program.compiled.log)


def _check_types(**given: tuple[Any, type]) -> None:
    for name, (value, wanted) in given.items():
        if value is not None and not isinstance(value, wanted):
            found = type(value).__name__
            raise TypeError(f"Argument {name!r} has incorrect type (expected {wanted.__name__}, got {found})")


for _class in (RawKernel, RawModule):
    _class.__module__ = "cupy._core.raw"  # as CuPy prints it
    for _name in _READ_ONLY:
        if (_class, _name) != (RawModule, "name"):
            setattr(_class, _name, property(operator.attrgetter(f"_{_name}"), doc=f"As given: `{_name}`."))
