"""One small family of exceptions: everything the course itself raises is a `CourseError`.

The two branches read differently on purpose. `NotBuiltYet` and `MissingPackage` say that the
course or the machine lacks something. A fault in the learner's own code is never one of them.
"""

from __future__ import annotations


class CourseError(Exception):
    """Base of every error that the course raises; its text names the place, the number and the next step."""


class NotBuiltYet(CourseError):
    """This version of the course does not have the feature."""


class MissingPackage(CourseError):
    """An optional package or device is absent; the text ends with the command that brings it."""


class SimulatorLacks(CourseError):
    """The simulator does not have something that a GPU has; the kernel itself may be right.

    `what` is the feature, `ptx` the PTX line, `line` the learner's own source line (None when unknown).
    """

    def __init__(self, what: str, ptx: str = "", line: int | None = None) -> None:
        self.what, self.ptx, self.line = what, ptx, line
        where = f" (line {line})" if line else ""
        quoted = f"\n  PTX: {ptx}" if ptx else ""
        super().__init__(f"the simulator lacks {what}{where}; a GPU has it{quoted}")


class CompileError(CourseError):
    """NVRTC refused the kernel's source: `source`, `name` and `options` as in CuPy's CompileException."""

    def __init__(
        self, msg: str, source: str, name: str, options: tuple[str, ...], backend: str = "nvrtc"
    ) -> None:
        super().__init__(msg)
        self._msg, self.source, self.name, self.options, self.backend = msg, source, name, options, backend

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self._msg, self.source, self.name, self.options, self.backend)

    def get_message(self) -> str:
        """The compiler's log, with a line that mends the gap where there is one."""
        return self._msg


class LaunchError(CourseError):
    """A kernel was launched with a grid, block, argument list or shared memory that no GPU accepts."""


class KernelFault(CourseError):
    """The kernel itself is wrong, as a GPU (or its sanitizer) would report.

    `line` is the learner's source line, `block` and `thread` are (x, y, z); each None when unknown.
    """

    def __init__(
        self,
        message: str,
        *,
        line: int | None = None,
        block: tuple[int, int, int] | None = None,
        thread: tuple[int, int, int] | None = None,
    ) -> None:
        self.line, self.block, self.thread = line, block, thread
        at_line = f"line {line}: " if line else ""
        who = f" (block {block}, thread {thread})" if block is not None else ""
        super().__init__(f"{at_line}{message}{who}")


class OutOfBounds(KernelFault):
    """A load, store or atomic outside every array."""


class Misaligned(KernelFault):
    """An address that is not a multiple of the access size."""


class Deadlock(KernelFault):
    """Threads wait for threads that never arrive."""


class BudgetExceeded(KernelFault):
    """The launch ran past its instruction budget: an endless loop, or a wait that nothing ends."""


class AssertFailed(KernelFault):
    """A device `assert` did not hold."""


class Trapped(KernelFault):
    """The kernel executed `trap`."""
