"""Looks at a file again and again while a function writes it: what would a process that is killed now leave behind?"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpucourse.exercises import limits


@dataclass
class Watched:
    """What was seen of a file: its states in order, and whether another file stood beside it."""

    path: Path
    states: list[bytes | None] = field(default_factory=list)     # None: there is no file
    beside: bool = False
    looking: bool = False
    _last: tuple[int, int, int] | None = None

    def look(self) -> None:
        """Note the file's content if it has changed since the last look."""
        self.looking = True
        try:
            self._look()
        finally:
            self.looking = False

    def _look(self) -> None:
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
@limits.undisturbed
def watching(path: Path) -> Iterator[Watched]:
    """Look at the file before and after each function that may touch one, of `_TOUCHING`, and when all is done.

    Between two of them a file is only filled, and then it has been seen open and empty. (A profiler would see more
    moments. But each look lets other threads run, and a busy one keeps the interpreter for 5 ms then: thousands of
    looks would take longer than a check may.)
    """
    seen = Watched(path)
    seen.look()
    before = [(module, name, getattr(module, name)) for module, name in _touching()]
    for module, name, function in before:
        setattr(module, name, _with_looks(function, seen))
    try:
        yield seen
    finally:
        for module, name, function in before:
            setattr(module, name, function)
    seen.look()


#: What makes, fills, moves or deletes files: module -> names. `torch.serialization._save` fills a file just opened.
_TOUCHING = {
    "builtins": ("open",),
    "io": ("open",),
    "os": ("open", "close", "write", "replace", "rename", "renames", "remove", "unlink", "link", "symlink", "truncate",
           "ftruncate", "fsync", "sendfile", "copy_file_range"),
    "shutil": ("copyfile", "copyfileobj", "copy", "copy2", "move"),
    "torch": ("save",),
    "torch.serialization": ("save", "_save", "_legacy_save"),
}  # fmt: skip


def _touching() -> Iterator[tuple[Any, str]]:
    """Yield (module, name) of each function of `_TOUCHING` that is here."""
    for module, names in _TOUCHING.items():
        if module in sys.modules:
            for name in names:
                if hasattr(sys.modules[module], name):
                    yield sys.modules[module], name


def _with_looks(function: Callable[..., Any], seen: Watched) -> Callable[..., Any]:
    @functools.wraps(function)
    def looked_at(*args: Any, **kwargs: Any) -> Any:
        if seen.looking:          # to look is no moment of the watched
            return function(*args, **kwargs)
        seen.look()
        try:
            return function(*args, **kwargs)
        finally:
            seen.look()

    return looked_at
