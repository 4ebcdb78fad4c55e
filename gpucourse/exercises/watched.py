"""Looks at a file at every moment while a function writes it: what would a process that is killed now leave behind?"""

from __future__ import annotations

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
    """Look at the file whenever Python enters or leaves a function, of Python's or of C's, and when all is done."""
    seen, before = Watched(path), sys.getprofile()
    seen.look()

    def moment(frame: Any, event: str, argument: Any) -> None:
        sys.setprofile(None)      # to look is no moment of the watched
        try:
            seen.look()
        finally:
            sys.setprofile(moment)

    sys.setprofile(moment)
    try:
        yield seen
    finally:
        sys.setprofile(before)
    seen.look()
