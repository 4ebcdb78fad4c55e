"""A device and a clock made of arithmetic, to see whether a timing function waits, warms up and repeats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Event(NamedTuple):
    """What the function under test called ("run", "synchronize", "clock"), and the host's time in seconds."""

    what: str
    now: float


class Reading(NamedTuple):
    """One pair of clock readings: whether the device was idle at its start and stop, the runs between."""

    waited_before: bool
    waited_after: bool
    runs: int
    after_first_run: bool


@dataclass
class FakeDevice:
    """Works through what `run` queues, while `clock` shows the time of the host that queues it.

    `lengths`: seconds that call k of `run` takes on the device, the last value repeated; `launch`: seconds
    the host needs to queue one; `compile`: extra seconds of the host in the first call; `busy`: seconds of
    work that is queued before the first call.
    """

    lengths: Sequence[float]
    launch: float = 10e-6
    compile: float = 0.4
    busy: float = 0.03
    now: float = 100.0
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._done = self.now + self.busy

    @property
    def runs(self) -> int:
        """How often `run` was called."""
        return sum(event.what == "run" for event in self.events)

    def length(self, call: int) -> float:
        """Return the seconds of call number `call` of `run`, as an honest clock would read them."""
        return self.launch + self.lengths[min(call, len(self.lengths) - 1)]

    def run(self) -> None:
        """Queue one piece of work: the host goes on after `launch`, the device works later."""
        call = self.runs
        self.now += self.launch + (0.0 if call else self.compile)
        self._done = max(self._done, self.now) + self.length(call) - self.launch
        self.events.append(Event("run", self.now))

    def synchronize(self) -> None:
        """Let the host wait until the device has done all that was queued."""
        self.now = max(self.now, self._done)
        self.events.append(Event("synchronize", self.now))

    def clock(self) -> float:
        """Return the host's time in seconds."""
        self.events.append(Event("clock", self.now))
        return self.now

    def readings(self) -> list[Reading]:
        """Pair the clock readings, first with second and so on, and say what lay round and between them."""
        stops = [k for k, event in enumerate(self.events) if event.what == "clock"]
        return [self._reading(a, b) for a, b in zip(stops[::2], stops[1::2], strict=False)]

    def _reading(self, start: int, stop: int) -> Reading:
        names = [event.what for event in self.events]
        return Reading(
            waited_before=_idle(names[:start], at_first=False),
            waited_after=_idle(names[start:stop], at_first=True),
            runs=names[start:stop].count("run"),
            after_first_run="run" in names[:start],
        )


def _idle(names: list[str], at_first: bool) -> bool:
    """Say whether nothing is queued after these events, given whether nothing was before."""
    idle = at_first
    for name in names:
        idle = {"run": False, "synchronize": True}.get(name, idle)
    return idle
