"""Watches the copies between host and device that a learner's code causes, and notes the line of each."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

from gpucourse.cupy_sim import counters
from gpucourse.exercises.blame import Place, is_learners

TO_HOST, TO_DEVICE = "to the host", "to the device"


class Crossing(NamedTuple):
    """One copy over the link: its direction, bytes, the learner's line, and the call that caused it."""

    direction: str
    nbytes: int
    place: Place
    cause: str


@contextmanager
def watched() -> Iterator[list[Crossing]]:
    """Collect the copies that the simulator makes inside the `with` block, in order."""
    seen: list[Crossing] = []
    before = counters.to_host, counters.to_device
    counters.to_host = _noting(seen, TO_HOST, before[0])
    counters.to_device = _noting(seen, TO_DEVICE, before[1])
    try:
        yield seen
    finally:
        counters.to_host, counters.to_device = before


def _noting(seen: list[Crossing], direction: str, count: Any) -> Any:
    def note(nbytes: int) -> None:
        count(nbytes)
        if nbytes:
            seen.append(Crossing(direction, nbytes, *_learners_line(sys._getframe(1))))

    return note


def _learners_line(frame: FrameType | None) -> tuple[Place, str]:
    """Return the nearest learner's line above `frame`, and the name of what that line called."""
    cause = ""
    while frame is not None and not is_learners(frame.f_code.co_filename):
        cause, frame = frame.f_code.co_name, frame.f_back
    if frame is None:
        return Place(0, ""), cause
    text = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    return Place(frame.f_lineno, text), cause
