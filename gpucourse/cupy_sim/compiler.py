"""`cp.cuda.compiler`: CUDA C to a program of the simulator, once per source, with CuPy's CompileException."""

from __future__ import annotations

import contextlib
import functools
import math
import re
from typing import TYPE_CHECKING, Any

from gpucourse.errors import CompileError, SimulatorLacks

from .driver import DEFAULT_SHARED

if TYPE_CHECKING:
    from gpucourse.simt.link import Program

KEPT = 128  # programs: enough for every kernel of a lesson, edited a few times


class CompileException(CompileError):
    """The compiler refused a source: its log, and CuPy's attributes `source`, `name`, `options`, `backend`."""

    def __repr__(self) -> str:
        return str(self)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return _again, super().__reduce__()[1]  # by a name of ours: the class bears CuPy's

    def dump(self, f: Any) -> None:
        """Write the log and the source with line numbers to an open text file."""
        lines = self.source.split("\n")
        digits = int(math.log10(len(lines))) + 1
        head = f"{self.backend.upper()} compilation error: {self}\n-----\nName: {self.name}\n"
        numbered = "".join(f"{number:0{digits}d} {line.rstrip()}\n" for number, line in enumerate(lines, 1))
        f.write(f"{head}Options: {' '.join(self.options)}\nCUDA source:\n{numbered}-----\n")
        f.flush()


def _again(*arguments: Any) -> CompileException:
    return CompileException(*arguments)


CompileException.__module__ = "cupy.cuda.compiler"  # as CuPy prints it


def is_valid_kernel_name(name: str) -> bool:
    """Whether `name` is a C identifier."""
    return re.match("^[a-zA-Z_][a-zA-Z_0-9]*$", name) is not None


@functools.lru_cache(maxsize=KEPT)
def program(source: str, options: tuple[str, ...] = (), names: tuple[str, ...] = ()) -> Program:
    """Return the compiled `source`: one object, with its global variables, for each (source, options, names).

    Raises CompileException where the compiler refuses it or a kernel's static shared memory is too large.
    """
    from gpucourse.simt.link import Program

    try:
        made = Program(source, options, names)
    except CompileError as error:
        raise CompileException(*error.__reduce__()[1]) from None  # type: ignore[arg-type]
    log = _too_much_shared(made)
    if log:
        raise CompileException(log, source, "kernel.cu", options)
    return made


def _too_much_shared(made: Program) -> str:
    """The assembler's error for kernels whose static shared memory exceeds 48 KB; "" where none does."""
    sizes = {}
    for name in made.kernel_names():
        with contextlib.suppress(SimulatorLacks):  # said when that kernel is launched, not when another one is
            sizes[name] = made.kernel(name).static_shared_bytes
    return "\n".join(
        f"ptxas error   : Entry function '{name}' uses too much shared data "
        f"({size:#x} bytes, {DEFAULT_SHARED:#x} max)\n"
        f"static shared memory of {size:,} bytes exceeds {DEFAULT_SHARED:,}; declare it `extern __shared__` and give "
        "its size at the launch: shared_mem=..."
        for name, size in sizes.items()
        if size > DEFAULT_SHARED
    )
