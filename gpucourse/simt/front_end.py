"""Which compiler makes PTX: NVRTC; without it what the course has stored, and clang for the rest.

The environment variable GPUCOURSE_FRONT_END forces one: `nvrtc`, `stored` (the course's own kernels, no other),
`clang`, or `no-nvrtc`: what macOS uses, stored PTX and clang for the rest.
"""

from __future__ import annotations

import functools
import os
import sys

from gpucourse.errors import CourseError, MissingPackage
from gpucourse.simt.clang import clang
from gpucourse.simt.compile import Compiled, Compiler, Resources, nvrtc
from gpucourse.simt.stored import Stored

VARIABLE = "GPUCOURSE_FRONT_END"
CHOICES = ("nvrtc", "stored", "clang", "no-nvrtc")


class WithoutNvrtc(Compiler):
    """Stored PTX where there is some, else what `other` makes; `other` is None where no compiler is installed."""

    def __init__(self, stored: Stored, other: Compiler | None) -> None:
        self.stored, self.other = stored, other

    def version(self) -> str:
        """The versions of both: what one has not, the other makes."""
        return "; ".join(part.version() for part in (self.stored, self.other) if part is not None)

    def ptx(self, source: str, options: tuple[str, ...], names: tuple[str, ...]) -> Compiled:
        return self._of(source, options, names).ptx(source, options, names)

    def resources(self, source: str, options: tuple[str, ...], names: tuple[str, ...]) -> dict[str, Resources]:
        return self._of(source, options, names).resources(source, options, names)

    def _of(self, source: str, options: tuple[str, ...], names: tuple[str, ...]) -> Compiler:
        if self.stored.has(source, options, names) or self.other is None:
            return self.stored
        return self.other


def front_end() -> Compiler:
    """The compiler in use; raises `MissingPackage` where the one that GPUCOURSE_FRONT_END forces is not installed."""
    return _front_end(os.environ.get(VARIABLE, ""))


@functools.cache
def _front_end(wish: str) -> Compiler:
    if wish not in ("", *CHOICES):
        raise CourseError(f"{VARIABLE} is {wish!r}; it may be {', '.join(CHOICES)}. Next step: change or remove it")
    if wish == "stored":
        return Stored()
    if wish == "clang":
        return _forced_clang(wish)
    if wish == "no-nvrtc":
        return WithoutNvrtc(Stored(), _forced_clang(wish))
    try:
        return nvrtc()
    except MissingPackage:
        if wish:
            raise
    return WithoutNvrtc(Stored(), clang())


def _forced_clang(wish: str) -> Compiler:
    found = clang()
    if found is None:
        text = f"{VARIABLE} is {wish!r} and asks for clang, which is not here"
        raise MissingPackage(f"{text}; install it with: pip install ziglang")
    return found


def missing_compiler() -> str:
    """What to say of a kernel that nobody here can compile, with this platform's next step."""
    text = ("this kernel is not one that the course itself prints (their PTX is stored), so it must be compiled, and "
            "no compiler is here; install one with: pip install ")  # fmt: skip
    if sys.platform == "darwin":
        return text + "ziglang"
    return text + "nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cuda-cccl nvidia-cuda-crt"
