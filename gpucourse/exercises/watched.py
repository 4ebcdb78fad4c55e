"""Looks at a file again and again while a function writes it: what would a process that is killed now leave behind?"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Watched:
    """What was seen of a file: its states in order, and whether another file stood beside it."""

    path: Path
    states: list[bytes | None] = field(default_factory=list)     # None: there is no file
    beside: bool = False
    _last: tuple[int, int, int] | None = None

    def look(self) -> None:
        """Note the file's content if it has changed since the last look."""
        try:
            stat = os.stat(self.path)
            now = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        except OSError:
            now = None
        if not self.states or now != self._last:
            self._last = now
            self.states.append(self._read())
        if not self.beside:
            self.beside = any(name != self.path.name for name in os.listdir(self.path.parent))

    def _read(self) -> bytes | None:
        try:
            with open(self.path, "rb") as file:
                return file.read()
        except OSError:
            return None

    def message(self) -> str:
        """Say what a kill could have left behind; "" where there was always the old file or the new one."""
        old, new, between = self.states[0], self.states[-1], self.states[1:-1]
        if old is not None and None in between:
            return ("There is a moment without any file at `path`: a kill then leaves no checkpoint at all. Nothing "
                    "has to be deleted or renamed away first: `os.replace` replaces the old file.")  # fmt: skip
        half = [state for state in between if state is not None and state not in (old, new)]
        if half and not self.beside:
            return (f"There are moments with half a file at `path` ({len(half[0]):,} of {len(new or b''):,} bytes). It "
                    "is written in place, or copied there from another folder: a kill then leaves neither the old "
                    "checkpoint nor the new one. Write under another name in the same folder first.")  # fmt: skip
        if half:
            return (f"There are moments with half a file at `path` ({len(half[0]):,} of {len(new or b''):,} bytes), "
                    "though there is a second file. A copy takes time, and a file that is not closed is not all there: "
                    "close it, then rename it.")  # fmt: skip
        if new not in (old, None) and not self.beside:
            return ("`path` was whole at each moment here, but the new file was not written beside it. In another "
                    "folder it may lie on another disk, and then nothing can be renamed: it is copied.")  # fmt: skip
        return ""


@contextmanager
def watching(path: Path) -> Iterator[Watched]:
    """Look at the file before and after each call into C that could touch one, and when all is done.

    A look lets other threads run, and a busy one keeps the interpreter for 5 ms then: thousands of looks would take
    longer than a check may. So what only computes is no moment to look, and nothing is collected meanwhile: finalizers
    of what others left behind are no part of the answer.
    """
    seen, before, collects = Watched(path), sys.getprofile(), gc.isenabled()
    seen.look()

    def moment(frame: Any, event: str, argument: Any) -> None:
        if event.startswith("c_") and not _only_computes(argument):
            seen.look()

    gc.disable()
    sys.setprofile(moment)
    try:
        yield seen
    finally:
        sys.setprofile(before)
        if collects:
            gc.enable()
    seen.look()


def _only_computes(function: Any) -> bool:
    """Whether a function of C is one of Python's own, or a method of a str, a list and the like, and opens no file."""
    module = getattr(function, "__module__", None) or type(getattr(function, "__self__", None)).__module__
    return module == "builtins" and function.__name__ != "open"
