"""The judge of a function: calls it on cases, compares with a reference, names the cause of a difference."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gpucourse.exercises import guard, signature
from gpucourse.exercises.diagnoses import DIAGNOSES
from gpucourse.exercises.difference import Tolerance, first_difference
from gpucourse.exercises.kinds import kind
from gpucourse.exercises.outcome import NotAttempted, Wrong


@dataclass(frozen=True)
class Trap:
    """A plausible mistake: what it yields (a function like the reference, or a value), and its cause."""

    wrong: Any
    message: str


@dataclass(frozen=True, init=False)
class Case:
    """One call of the answer: its arguments, and what is special about them in a few words (`about`)."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    about: str

    def __init__(self, *args: Any, about: str = "", **kwargs: Any) -> None:
        object.__setattr__(self, "args", args)
        object.__setattr__(self, "kwargs", kwargs)
        object.__setattr__(self, "about", about)

    def copies(self, xp: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return copies of the arguments, so that no call can spoil the next one."""
        args = tuple(_copy(value, xp) for value in self.args)
        return args, {key: _copy(value, xp) for key, value in self.kwargs.items()}


def _copy(value: Any, xp: Any) -> Any:
    what = kind(value, xp)
    if what in ("array", "device array"):
        return value.copy()
    return copy.deepcopy(value) if what in ("sequence", "mapping", "set") else value


@dataclass
class Trial:
    """One call of the answer, what it gave, and what is due."""

    case: Case
    call: str
    about: str
    got: Any
    due: Any
    changed: str = ""
    printed: bool = False
    warned: str = ""


def by_cases(
    reference: Callable[..., Any],
    cases: Sequence[Any] | Callable[..., Sequence[Any]],
    traps: Sequence[Trap] = (),
    *,
    hidden: Callable[..., Sequence[Any]] | None = None,
    rtol: float | None = None,
    atol: float = 0.0,
    dtype: bool = True,
    in_place: bool = False,
    writes: str = "",
) -> ByCases:
    """Return a judge that calls the answer on every case and compares it with `reference`.

    `cases` is a sequence of argument tuples (or `Case`s), or a function that returns one. Such a function,
    `hidden` (further cases), `reference` and the functions of `traps` are given `xp` (the array module) and
    `rng` (a numpy Generator seeded from the problem's id) where they have parameters of that name.
    `rtol`, `atol`: |got - due| <= atol + rtol * |due|; rtol is 1e-6 by default, 1e-9 for integers.
    `dtype`: whether arrays must agree in dtype. `in_place`: whether the answer may change its arguments.
    `writes`: the parameter whose final content is judged, in place of what is returned; of a list of arrays, what
    these arrays then hold, whatever the list was made to name.

    >>> judge = by_cases(lambda p, n: 1 / (1 - p + p / n), [(0.5, 2), (0.9, 8)])
    """
    near = Tolerance(rtol, atol, dtype)
    return ByCases(reference, cases, tuple(traps), hidden, near, in_place or bool(writes), writes)


@dataclass(frozen=True)
class ByCases:
    """The judge that `by_cases` returns."""

    reference: Callable[..., Any]
    cases: Any
    traps: tuple[Trap, ...] = ()
    hidden: Callable[..., Sequence[Any]] | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)
    in_place: bool = False
    writes: str = ""
    diagnoses: tuple[Callable[..., str | None], ...] = DIAGNOSES

    def __call__(self, answer: Any, *, xp: Any = np, seed: int = 0, name: str = "your function") -> None:
        """Raise Wrong, NotAttempted or guard.Raised unless `answer` agrees with the reference throughout."""
        if answer is ...:
            raise NotAttempted()
        cases = self.all_cases(xp, seed)
        signature.check(answer, self.reference, cases[0].args, cases[0].kwargs, name)
        try:
            self._judge(answer, cases, xp, name)
        except (Wrong, guard.Raised):
            signature.check_order(answer, self.reference, name)
            raise

    def all_cases(self, xp: Any, seed: int) -> list[Case]:
        """Return the shown and the hidden cases for this array module and seed."""
        rng = np.random.default_rng(seed)
        shown = offered(self.cases, xp=xp, rng=rng) if callable(self.cases) else self.cases
        more = offered(self.hidden, xp=xp, rng=rng) if self.hidden else ()
        return [_case(case) for case in (*shown, *more)]

    def _judge(self, answer: Any, cases: list[Case], xp: Any, name: str) -> None:
        trials = [self._trial(answer, case, xp, name) for case in cases]
        again = [self._trial(answer, case, xp, name, again=True) for case in reversed(cases)][::-1]
        for diagnose in self.diagnoses:
            message = diagnose(self, trials, again, xp)
            if message:
                raise Wrong(message)

    def _trial(self, answer: Any, case: Case, xp: Any, name: str, again: bool = False) -> Trial:
        call, about = signature.call_text(name, self.reference, case.args, case.kwargs, case.about, xp)
        args, kwargs = case.copies(xp)
        handed = self._handed(args, xp)
        done = guard.call(answer, args, kwargs, call + about, quiet=again)
        if done.value is ...:
            raise NotAttempted()
        about = about and f",{about}"
        trial = Trial(case, call, about, done.value, self.due(self.reference, case, xp))
        trial.printed, trial.warned = done.printed, done.warned
        if self.writes:
            return replace(trial, got=handed, call=self.writes, about=f", after {call}{about}")
        return replace(trial, changed="" if self.in_place else self._changed(case, args, kwargs, xp))

    def due(self, function: Any, case: Case, xp: Any) -> Any:
        """Return what `function` (or a constant) gives for fresh copies of the case's arguments."""
        if not callable(function):
            return function
        args, kwargs = case.copies(xp)
        handed = self._handed(args, xp)
        value = offered(function, *args, xp=xp, **kwargs)
        return handed if self.writes else value

    def _handed(self, args: tuple[Any, ...], xp: Any) -> Any:
        """The argument that is written, to be looked at after the call; of a list of arrays, a list of our own."""
        if not self.writes:
            return None
        value = args[signature.names(self.reference, len(args)).index(self.writes)]
        arrays = kind(value, xp) == "sequence" and all(kind(each, xp) in ("array", "device array") for each in value)
        return list(value) if arrays else value

    def _changed(self, case: Case, args: tuple[Any, ...], kwargs: dict[str, Any], xp: Any) -> str:
        names = signature.names(self.reference, len(args))
        before = dict(zip(names, case.args, strict=True)) | case.kwargs
        after = dict(zip(names, args, strict=True)) | kwargs
        data = [name for name, value in before.items() if kind(value, xp) in _CHANGEABLE]
        exact = Tolerance(0.0)
        return next((n for n in data if first_difference(after[n], before[n], exact, xp)), "")

    def agrees(self, got: Any, due: Any, xp: Any) -> bool:
        return first_difference(got, due, self.tolerance, xp) is None


_CHANGEABLE = ("array", "device array", "sequence", "mapping", "set")


def offered(function: Any, *args: Any, **offers: Any) -> Any:
    """Call `function`, leaving out `xp` and `rng` where it has no parameter of that name."""
    wanted = _parameters(function)
    left = {name: value for name, value in offers.items() if name in wanted or name not in ("xp", "rng")}
    return function(*args, **left)


def _parameters(function: Any) -> Collection[str]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return ()


def _case(case: Any) -> Case:
    if isinstance(case, Case):
        return case
    return Case(*case) if isinstance(case, tuple) else Case(case)
