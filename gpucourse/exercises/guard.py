"""Calls a learner's code so that nothing it does can end Python or reach past the call."""

from __future__ import annotations

import builtins
import contextlib
import functools
import inspect
import math
import operator
import os
import random
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from gpucourse.exercises import blame, capture, limits, memory
from gpucourse.exercises.limits import Interrupted, Stop, TimedOut

__all__ = ["Interrupted", "Raised", "Refused", "Stop", "TimedOut", "call", "globals_of", "run", "with_module"]

Replacement = tuple[dict[str, Any], str, Any]  # where it stands, its name, what is put in its place
LIMIT = 10.0  # seconds a check may take


class Raised(BaseException):
    """The learner's code raised `error` in the call described by `where`."""

    def __init__(self, error: BaseException, where: str = "") -> None:
        super().__init__(where)
        self.error, self.where = error, where

    def advise(self, sign: str, hint: str) -> None:
        """Have the learner told `hint`, a sentence, after the error's own text, where `sign` is in that."""
        if sign in str(self.error):
            self.error.gpucourse_hint = hint    # type: ignore[attr-defined]


class Refused(Stop):
    """The learner's code tried what would have ended Python or waited for ever."""


@dataclass
class Report:
    """What became of a guarded run: its error, if any, and what it printed."""

    error: BaseException | None = None
    printed: tuple[str, ...] = ()


@dataclass
class Called:
    """What became of one call of an answer."""

    value: Any
    printed: bool
    warned: str


def run(function: Callable[[], Any], answer: Any = None, limit: float = LIMIT) -> Report:
    """Call `function()`, which may call `answer`, and return a report; it never raises."""
    report, stream = Report(), capture.Printed()
    try:
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(capture.printed())
            stack.enter_context(memory.memory_limit())
            stack.enter_context(limits.time_limit(limit))  # first: it needs what is refused from here on
            stack.enter_context(_PutBack())
            stack.enter_context(warnings.catch_warnings(record=True))
            stack.enter_context(_refusing(globals_of(answer)))
            limits.inside(function)
    except BaseException as error:
        report.error = error
    for swap in reversed(list(_swaps)):  # what a stop at a bad moment has left swapped
        swap.__exit__()
    report.printed = stream.shown()
    return report


def call(
    answer: Callable[..., Any],
    args: tuple[Any, ...] = (),
    kwargs: dict[str, Any] | None = None,
    where: str = "",
    quiet: bool = False,
) -> Called:
    """Call a learner's function and return its value, whether it printed, and what it was warned of.

    What the call changes in `builtins`, `numpy` and the like is put back before this returns. What it raises
    comes as `Raised` with `where`, the call in words; only a `Stop` (time limit, interrupt, an attempt to end
    Python) passes as it is, so that no judge takes it for the answer's own error. `quiet` drops its output.
    """
    stream = sys.stdout if isinstance(sys.stdout, capture.Printed) else capture.Printed()
    lines, before = stream.lines, stream.quiet
    stream.quiet = before or quiet
    try:
        with _PutBack(), warnings.catch_warnings(record=True) as caught:
            sys.stdout = sys.stderr = stream
            warnings.simplefilter("always")
            value = answer(*args, **(kwargs or {}))
    except Stop as stop:
        stop.where = where
        raise
    except BaseException as error:
        raise Raised(error, where) from None
    finally:
        stream.quiet = before
    if inspect.iscoroutine(value):
        value.close()  # or Python complains later that nobody awaited it
    return Called(value, stream.lines > lines, blame.warned(caught))


def globals_of(answer: Any) -> dict[str, Any] | None:
    """Return the global names that a function, method, partial or callable object of the learner's sees."""
    for _ in range(20):
        if isinstance(answer, functools.partial):
            answer = answer.func
        answer = getattr(answer, "__wrapped__", None) or getattr(answer, "__func__", None) or answer
        names = getattr(answer, "__globals__", None)
        if isinstance(names, dict):
            return names
        answer = vars(type(answer)).get("__call__")
    return None


# -- what would end Python, and what is put in its place ------------------------------------------

_ENDS = "would end Python and lose your work"
_WAITS = "would wait for ever in a check"
_LOOSENS = "would switch off the limits of the check"
# (module, name, why it is refused)
_REFUSED = (
    (builtins, "exit", _ENDS),
    (builtins, "quit", _ENDS),
    (builtins, "input", _WAITS),
    (builtins, "breakpoint", _WAITS),
    (os, "_exit", _ENDS),
    (os, "abort", _ENDS),
    (os, "killpg", _ENDS),
    (os, "execv", _ENDS),
    (os, "execve", _ENDS),
    (signal, "raise_signal", _ENDS),
    (signal, "pthread_kill", _ENDS),
    (signal, "alarm", _LOOSENS),
    (signal, "setitimer", _LOOSENS),
    (sys, "setrecursionlimit", _LOOSENS),
)


def _refuse(name: str, why: str) -> Callable[..., Any]:
    def refused(*args: Any, **kwargs: Any) -> Any:
        raise Refused(f"{name}(), which {why}; it was not carried out.")

    return refused


def _kill(original: Callable[[int, int], None]) -> Callable[[int, int], None]:
    def kill(pid: int, number: int) -> None:
        if number and pid in (os.getpid(), os.getppid(), 0, -1):
            raise Refused(f"os.kill() on this very process, which {_ENDS}; it was not carried out.")
        original(pid, number)

    return kill


def _fork(original: Callable[[], int]) -> Callable[[], int]:
    def fork() -> int:
        # multiprocessing's own workers are welcome; a second copy of a notebook's kernel is not
        if blame.is_learners(sys._getframe(1).f_code.co_filename):
            raise Refused("os.fork(), which would double this Python; it was not carried out.")
        return original()

    return fork


_GUARDED: dict[str, Callable[[Any], Any]] = {"kill": _kill, "fork": _fork}


def _replacements() -> list[Replacement]:
    """Return (names, name, replacement) for everything refused, where this platform has it."""
    low_level = sys.modules[os.name]  # posix or nt, whose functions `os` repeats
    refused = [(module, name, why) for module, name, why in _REFUSED if hasattr(module, name)]
    refused += [(low_level, n, why) for module, n, why in refused if module is os and hasattr(low_level, n)]
    table = [(vars(module), name, _refuse(_spoken(module, name), why)) for module, name, why in refused]
    both = [(vars(module), name) for module in (os, low_level) for name in _GUARDED if hasattr(module, name)]
    return table + [(names, name, _GUARDED[name](names[name])) for names, name in both]


def _spoken(module: ModuleType, name: str) -> str:
    return {"builtins": name, os.name: f"os.{name}"}.get(module.__name__, f"{module.__name__}.{name}")


def _in_globals(names: dict[str, Any], table: list[Replacement]) -> list[Replacement]:
    """Return the same for a learner's globals: `from os import _exit`, IPython's own `exit` and `quit`."""
    new = {id(owner[name]): replacement for owner, name, replacement in table}
    found = [(names, name, new[id(value)]) for name, value in list(names.items()) if id(value) in new]
    shell = [name for name in ("exit", "quit") if _is_autocall(names.get(name))]
    return found + [(names, name, _refuse(name, _ENDS)) for name in shell]


def _is_autocall(value: Any) -> bool:
    return type(value).__module__.startswith(("IPython", "ipykernel"))


@contextlib.contextmanager
@limits.undisturbed
def _refusing(names: dict[str, Any] | None) -> Iterator[None]:
    table = _replacements()
    table += _in_globals(names, table) if names else []
    before = [(owner, name, owner[name]) for owner, name, _ in table]
    for owner, name, new in table:
        owner[name] = new
    try:
        yield
    finally:
        for owner, name, old in before:
            owner[name] = old


_set_depth = sys.setrecursionlimit  # the true one: `sys` holds a refusal while an answer runs
# modules in which an answer may have replaced names
_KEPT = (builtins, math, np, np.linalg, np.random, operator, os, random, signal, time)


class _PutBack:
    """Notes the names of `_KEPT` and Python's settings, and puts them back at the end.

    A class and not a generator: a generator that is stopped half-way would finish later, and put back what
    has long been replaced.
    """

    @limits.undisturbed
    def __enter__(self) -> None:
        self.names = [(vars(module), dict(vars(module))) for module in _KEPT]
        self.errors, self.depth = np.geterr(), sys.getrecursionlimit()
        self.streams = sys.stdout, sys.stderr

    @limits.undisturbed
    def __exit__(self, *error: object) -> None:
        sys.stdout, sys.stderr = self.streams
        for names, old in self.names:
            for name in [n for n, value in old.items() if names.get(n) is not value]:
                names[name] = old[name]
        np.seterr(**self.errors)
        _set_depth(self.depth)


def with_module(answer: Callable[..., Any], **modules: Any) -> Callable[..., Any]:
    """Return a function that calls `answer` with other modules under its global names.

    `with_module(f, cp=cupy_sim)` runs `f` on the simulator even where `cp` is CuPy. Global names of `answer`
    that stand for the same module (`import cupy as xp`) are swapped too, in place during the call, and put
    back after it.
    """

    @functools.wraps(answer)
    def swapped(*args: Any, **kwargs: Any) -> Any:
        with _Swapped(globals_of(answer), modules):
            return answer(*args, **kwargs)

    return swapped


class _Swapped:
    """Puts other modules under some global names for a while."""

    def __init__(self, names: dict[str, Any] | None, modules: dict[str, Any]) -> None:
        self.names = {} if names is None else names
        same = {id(self.names[name]): module for name, module in modules.items() if name in self.names}
        self.before = {name: value for name, value in self.names.items() if id(value) in same}
        self.new = modules | {name: same[id(value)] for name, value in self.before.items()}

    @limits.undisturbed
    def __enter__(self) -> None:
        _swaps.append(self)
        self.names.update(self.new)

    @limits.undisturbed
    def __exit__(self, *error: object) -> None:
        for name in self.new.keys() - self.before.keys():
            self.names.pop(name, None)
        self.names.update(self.before)
        _swaps.remove(self)


_swaps: list[_Swapped] = []  # those under way
