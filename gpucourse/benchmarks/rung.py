"""One version of a kernel in a ladder of versions, as a lesson shows it and `measure --ladder` times it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rung:
    """A kernel: its name, which is also the lesson's variable; words for tables and files; and its CUDA C.

    `source` begins with a new line; `options` go to the compiler as CuPy takes them. In a lesson's source
    `<!-- kernel reductions.modulo -->` shows the rung "modulo" of `gpucourse.benchmarks.reductions.RUNGS`.
    """

    name: str
    title: str
    source: str
    options: tuple[str, ...] = ()

    def kernel(self, xp: Any) -> Any:
        """Return the RawKernel, of CuPy or of its stand-in."""
        return xp.RawKernel(self.source, self.name, **({"options": self.options} if self.options else {}))

    def cell(self) -> str:
        """Return the lesson's cell that makes the kernel, in `cp`'s name."""
        options = f", options={self.options!r}" if self.options else ""
        return f'{self.name} = cp.RawKernel(r"""{self.source}""", "{self.name}"{options})'
