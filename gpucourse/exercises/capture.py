"""Keeps what an answer prints, up to a limit, and counts the rest."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator

from gpucourse.exercises.limits import undisturbed

LINES = 20
WIDTH = 200
_ROOM = LINES * WIDTH * 2  # characters kept


class Printed(io.TextIOBase):
    """A text stream that keeps the beginning of what is written and counts all lines."""

    def __init__(self) -> None:
        self._text = ""
        self._newlines = 0
        self._open_line = False
        self.quiet = False

    def write(self, text: str) -> int:
        if not self.quiet and text:
            self._text += text[: _ROOM - len(self._text)] if len(self._text) < _ROOM else ""
            self._newlines += text.count("\n")
            self._open_line = not text.endswith("\n")
        return len(text)

    @undisturbed  # Python calls it at the end of the object's life, too, and drops what is raised there
    def close(self) -> None:
        """Stay open: an answer that closes its output must not break the check."""

    @property
    def lines(self) -> int:
        return self._newlines + self._open_line

    def shown(self) -> tuple[str, ...]:
        """Return the first lines, each cut to a readable width, and a last one that counts those left out."""
        kept = self._text.splitlines()[:LINES]
        cut = [line if len(line) <= WIDTH else line[:WIDTH] + "…" for line in kept]
        more = self.lines - len(cut)
        return (*cut, f"… and {more} more line{'s' if more > 1 else ''}") if more > 0 else tuple(cut)


@contextlib.contextmanager
def printed() -> Iterator[Printed]:
    """Send sys.stdout and sys.stderr into a `Printed` for a while."""
    stream, before = Printed(), (sys.stdout, sys.stderr)
    sys.stdout = sys.stderr = stream
    try:
        yield stream
    finally:
        sys.stdout, sys.stderr = before
