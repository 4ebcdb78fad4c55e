"""Streams and events: everything is finished when a call returns, so the order is always right."""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from typing import Any

from .runtime import CUDARuntimeError, check_device

_local = threading.local()
_handles = itertools.count(0x5600_0000_1000, 0x100)


def _entered() -> list[Stream]:
    """Return this thread's streams entered by `with`, the innermost last."""
    if not hasattr(_local, "entered"):
        _local.entered = []
    return _local.entered


def get_current_stream(device_id: int = -1) -> Stream:
    """Return the stream that work is put on in this thread."""
    if device_id != -1:
        check_device(device_id)
    return _entered()[-1] if _entered() else getattr(_local, "used", None) or Stream.null


class Stream:
    """A queue of work on the device.

    The simulator runs each operation at once, so a stream never lags behind and `done` is always True.
    """

    null: Stream
    ptds: Stream

    def __init__(
        self, null: bool = False, non_blocking: bool = False, ptds: bool = False, priority: int | None = None
    ) -> None:
        self.ptr = 0 if null else 2 if ptds else next(_handles)
        self.device_id = -1 if null or ptds else 0
        self.is_non_blocking = bool(non_blocking)
        self.priority = priority or 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self.ptr == other.ptr

    def __hash__(self) -> int:
        return hash(self.ptr)

    def __repr__(self) -> str:
        return f"<Stream {self.ptr} (device {self.device_id})>"

    def __enter__(self) -> Stream:
        _entered().append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _entered().pop()

    @property
    def done(self) -> bool:
        """True: nothing is ever left to do."""
        return True

    def use(self) -> Stream:
        """Make this the current stream of this thread until another is used."""
        _local.used = self
        return self

    def synchronize(self) -> None:
        """Wait until the work is done, which it is."""

    def record(self, event: Event | None = None) -> Event:
        """Put an event on this stream and return it."""
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Let later work on this stream wait for `event`, which has passed already."""

    def launch_host_func(self, callback: Any, arg: Any) -> None:
        """Call `callback(arg)` when the work before it is done: now."""
        callback(arg)

    def add_callback(self, callback: Any, arg: Any) -> None:
        """Call `callback(stream, error, arg)` when the work before it is done: now."""
        callback(self, 0, arg)


Stream.null = Stream(null=True)
Stream.ptds = Stream(ptds=True)


class Event:
    """A mark on a stream; it remembers when it was passed."""

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        if interprocess and not disable_timing:
            raise ValueError("Timing must be disabled for interprocess events")
        self.ptr = next(_handles)
        self._timed = not disable_timing
        self._passed: float | None = None
        self._stream: Any = None

    @property
    def done(self) -> bool:
        """True: the work before the mark is finished."""
        return True

    def record(self, stream: Stream | None = None) -> None:
        """Set the mark at the end of `stream` (default: the current one)."""
        self._stream = weakref.ref(stream or get_current_stream())
        self._passed = time.perf_counter()

    def synchronize(self) -> None:
        """Wait until the mark is passed, which it is."""


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    """Return the milliseconds between two recorded events, by the host's clock.

    Raises CUDARuntimeError (cudaErrorInvalidResourceHandle) where an event was not recorded or keeps no time.
    """
    for event in (start_event, end_event):
        if event._passed is None or not event._timed:
            raise CUDARuntimeError(400)
    return 1e3 * (end_event._passed - start_event._passed)
