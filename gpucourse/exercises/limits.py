"""Ends a call that runs too long or that the learner interrupts, without ending the kernel.

In the main thread of a Unix system a timer signal does it; elsewhere a watching thread does.
Neither can stop a single long operation inside compiled code before it returns.
"""

from __future__ import annotations

import _thread
import _weakrefset
import contextlib
import ctypes
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any, TypeVar

from gpucourse.exercises.blame import is_learners

AGAIN = 0.5  # seconds between two attempts to stop code that swallows the first
PATIENCE = 3  # attempts, from which on each is made twice at once
Function = TypeVar("Function", bound=Callable[..., Any])


class Stop(BaseException):
    """Ends a call; no Exception, so that `except Exception` lets it through. `where`: which call."""

    where = ""


class TimedOut(Stop):
    """The call did not end in time."""


class Interrupted(Stop):
    """The learner interrupted the kernel."""


_CALMED: set[CodeType] = set()
# where a stop would be lost; the next attempt comes soon
_CALLBACKS = {_weakrefset.__file__, weakref.__file__}


def undisturbed(function: Function) -> Function:
    """Mark a function that must not be stopped half-way because it puts something back in its place."""
    _CALMED.add(function.__code__)
    return function


def inside(function: Callable[[], Any]) -> Any:
    """Call `function`; code is stopped only while it runs in here."""
    return function()


def _may_stop(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code is not inside.__code__:
        if frame.f_code in _CALMED or _drops_errors(frame.f_code):
            return False
        frame = frame.f_back
    return frame is not None


def _drops_errors(code: CodeType) -> bool:
    """Whether Python drops what is raised in here: a weak reference's callback, or a library's finalizer."""
    return code.co_filename in _CALLBACKS or (code.co_name == "__del__" and not is_learners(code.co_filename))


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimedOut in this thread after `seconds`, and Interrupted on an interrupt, while `inside` runs."""
    if threading.current_thread() is not threading.main_thread():
        with _watched(seconds, _stop_thread):
            yield
        return
    deadline = time.monotonic() + seconds
    timer = _alarmed(seconds, deadline) if hasattr(signal, "setitimer") else _watched(seconds, _stop_main)
    with _interruptible(deadline), timer:
        yield


@contextlib.contextmanager
def _interruptible(deadline: float) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        if _may_stop(frame):
            raise TimedOut() if time.monotonic() >= deadline else Interrupted()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.default_int_handler)


class _OnceMore(dict[int, None]):
    """Marks a signal as pending again when it is looked up here.

    Code that catches everything, in a loop, has to be stopped twice: in its `try`, and in its `except` before
    the next `try` begins. A function call would let the second signal arrive too early, a look-up does not.
    """

    __missing__ = _thread.interrupt_main


_once_more = _OnceMore()


@contextlib.contextmanager
def _alarmed(seconds: float, deadline: float) -> Iterator[None]:
    tries = 0

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal tries
        if time.monotonic() >= deadline - 0.001 and _may_stop(frame):
            tries, error = tries + 1, TimedOut()
            if tries >= PATIENCE:
                _once_more[number]  # from here to the raise no call, or the signal comes too early
            raise error

    _CALMED.add(stop.__code__)
    set_timer, set_handler = signal.setitimer, signal.signal  # an answer's own changes do not matter
    handler = set_handler(signal.SIGALRM, stop)
    left, interval = set_timer(signal.ITIMER_REAL, seconds, AGAIN)
    start = time.monotonic()
    try:
        yield
    finally:
        set_timer(signal.ITIMER_REAL, 0)
        set_handler(signal.SIGALRM, handler if handler is not None else signal.SIG_DFL)
        if left:  # somebody else's timer, such as a test runner's: let it go on
            set_timer(signal.ITIMER_REAL, max(left - (time.monotonic() - start), 0.001), interval)


@contextlib.contextmanager
def _watched(seconds: float, stop: Callable[[int], None]) -> Iterator[None]:
    done, lock, thread = threading.Event(), threading.Lock(), threading.get_ident()
    stops = 0

    def watch() -> None:
        nonlocal stops
        wait = seconds
        while not done.wait(wait):
            wait = AGAIN
            with lock:
                if not done.is_set():
                    stops += 1
                    stop(thread)

    threading.Thread(target=watch, daemon=True, name="time limit of an exercise").start()
    try:
        yield
    finally:
        done.set()
        with lock:
            pass
        if stops:
            _let_arrive()


def _stop_main(thread: int) -> None:
    _thread.interrupt_main()


def _stop_thread(thread: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TimedOut))


def _let_arrive() -> None:
    """Let a last stop that has not arrived yet come now, where nobody minds.

    It could be taken back by PyThreadState_SetAsyncExc with NULL. But in CPython 3.11 that leaves a mark behind, in
    each process that has done it once, with which the next function hangs that is called under sys.setprofile.
    """
    with contextlib.suppress(TimedOut):
        for _ in range(1000):   # each round is a place where a stop may arrive
            time.monotonic()
