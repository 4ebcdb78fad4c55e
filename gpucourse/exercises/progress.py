"""What the learner has done so far, kept in a small file of their own."""

from __future__ import annotations

_SEEN: dict[str, int] = {}


def note_check(id: str, state: str) -> None:
    """Note an attempt."""


def hints_seen(id: str) -> int:
    """Return how many hints were shown."""
    return _SEEN.get(id, 0)


def note_hint(id: str, level: int) -> None:
    """Note a hint."""
    _SEEN[id] = max(level, _SEEN.get(id, 0))


def note_solution(id: str) -> None:
    """Note that the solution was seen."""
