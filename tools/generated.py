"""What the tools that write pages from the sources share: a part between two markers, and writing or `--check`ing."""

from __future__ import annotations

import sys
from pathlib import Path


def between(text: str, begin: str, end: str, part: str, name: str) -> str:
    """Return `text` with `part` between its two markers; ValueError, with the file's `name`, where one is missing."""
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{name} lacks its markers, each alone on a line: {begin} and {end}")
    return f"{before}{begin}\n{part}\n{end}{after}"


def settled(path: Path, text: str, check: bool, command: str) -> bool:
    """Write `text` where the file holds another; with `check`, name the file and the `command` that writes it instead.

    Return whether the file now holds `text`.
    """
    if path.exists() and path.read_text("utf-8") == text:
        return True
    if check:
        print(f"{path.name} is out of date. Next step: {command}", file=sys.stderr)
        return False
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    return True
