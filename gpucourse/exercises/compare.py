"""Judges: what a problem holds an answer against, and how a wrong one is told its cause."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gpucourse.exercises import guard, signature
from gpucourse.exercises.difference import (
    Tolerance,
    as_float,
    called,
    first_difference,
    kind,
    number,
    short,
    values_of,
)
from gpucourse.exercises.outcome import NotAttempted, Wrong

__all__ = ["Case", "NotAttempted", "Trap", "Wrong", "by_cases", "is_choice", "is_mapping", "is_number"]


@dataclass(frozen=True)
class Trap:
    """A plausible mistake: what it yields (a function like the reference, or the value itself), and its cause in words."""

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


def by_cases(
    reference: Callable[..., Any],
    cases: Sequence[Any] | Callable[..., Sequence[Any]],
    traps: Sequence[Trap] = (),
    *,
    hidden: Callable[..., Sequence[Any]] | None = None,
    rtol: float = 1e-6,
    atol: float = 0.0,
    dtype: bool = True,
    in_place: bool = False,
) -> ByCases:
    """Return a judge that calls the answer on every case and compares it with `reference`.

    `cases` is a sequence of argument tuples (or `Case`s), or a function that returns one; such a function,
    `hidden` (further cases), `reference` and the functions of `traps` are given `xp` (the array module) and
    `rng` (a numpy Generator seeded from the problem's id) where they have parameters of that name.
    `rtol`, `atol`: |got - due| <= atol + rtol * |due|. `dtype`: whether arrays must agree in dtype.
    `in_place`: whether the answer may change its arguments.

    >>> judge = by_cases(lambda p, n: 1 / (1 - p + p / n), [(0.5, 2), (0.9, 8)])
    """
    return ByCases(reference, cases, tuple(traps), hidden, Tolerance(rtol, atol, dtype), in_place)


@dataclass
class Trial:
    """One call of the answer beside what the reference returns."""

    case: Case
    call: str
    about: str
    got: Any
    due: Any
    changed: str = ""
    printed: bool = False
    warned: str = ""


@dataclass(frozen=True)
class ByCases:
    """The judge that `by_cases` returns."""

    reference: Callable[..., Any]
    cases: Any
    traps: tuple[Trap, ...] = ()
    hidden: Callable[..., Sequence[Any]] | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)
    in_place: bool = False

    def __call__(self, answer: Any, *, xp: Any = np, seed: int = 0, name: str = "your function") -> None:
        """Raise Wrong, NotAttempted or guard.Raised unless `answer` agrees with the reference on every case."""
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
        shown = given(self.cases, xp=xp, rng=rng) if callable(self.cases) else self.cases
        more = given(self.hidden, xp=xp, rng=rng) if self.hidden else ()
        return [_case(case) for case in (*shown, *more)]

    def _judge(self, answer: Any, cases: list[Case], xp: Any, name: str) -> None:
        trials = [self.trial(answer, case, xp, name) for case in cases]
        again = [self.trial(answer, case, xp, name, again=True) for case in reversed(cases)][::-1]
        for diagnose in DIAGNOSES:
            message = diagnose(self, trials, again, xp)
            if message:
                raise Wrong(message)

    def trial(self, answer: Any, case: Case, xp: Any, name: str, again: bool = False) -> Trial:
        """Return what `answer` and the reference make of fresh copies of the case's arguments."""
        text, about = signature.call_text(name, self.reference, case.args, case.kwargs, case.about, xp)
        args, kwargs = copies(case, xp)
        done = guard.call(answer, args, kwargs, text + about, quiet=again)
        if done.value is ...:
            raise NotAttempted()
        trial = Trial(case, text, about, done.value, self.due(self.reference, case, xp))
        trial.changed = "" if self.in_place else self._changed(case, args, kwargs, xp)
        trial.printed, trial.warned = done.printed, done.warned
        return trial

    def due(self, function: Any, case: Case, xp: Any) -> Any:
        """Return what `function` (or the constant) gives for fresh copies of the case's arguments."""
        if not callable(function):
            return function
        args, kwargs = copies(case, xp)
        return given(function, *args, xp=xp, **kwargs)

    def _changed(self, case: Case, args: tuple[Any, ...], kwargs: dict[str, Any], xp: Any) -> str:
        names = signature.names(self.reference, len(args))
        before = dict(zip(names, case.args, strict=True)) | case.kwargs
        after = dict(zip(names, args, strict=True)) | kwargs
        exact = Tolerance(0.0, 0.0)
        differs = (n for n in before if not callable(before[n]) and first_difference(after[n], before[n], exact, xp))
        return next(differs, "")


def given(function: Any, *args: Any, **offers: Any) -> Any:
    """Call `function` with `args` and those keyword arguments of `xp` and `rng` that it has a parameter for."""
    for name in ("xp", "rng"):
        if name in offers and name not in _parameters(function):
            del offers[name]
    return function(*args, **offers)


def _parameters(function: Any) -> Collection[str]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return ()


def _case(case: Any) -> Case:
    if isinstance(case, Case):
        return case
    return Case(*case) if isinstance(case, tuple) else Case(case)


def copies(case: Case, xp: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return copies of the case's arguments, so that no call can spoil the next one."""
    args = tuple(_copy(value, xp) for value in case.args)
    return args, {key: _copy(value, xp) for key, value in case.kwargs.items()}


def _copy(value: Any, xp: Any) -> Any:
    what = kind(value, xp)
    if what in ("array", "device array"):
        return value.copy()
    return copy.deepcopy(value) if what in ("sequence", "mapping", "set") else value


# -- diagnoses: the first that finds something names the cause --------------------------------------


def _nothing_returned(judge: ByCases, trials: list[Trial], again: list[Trial], xp: Any) -> str | None:
    for trial in trials:
        if trial.got is None and trial.due is not None:
            if trial.printed:
                return f"{trial.call} printed its result and returned None. Hand it back with `return`."
            return f"{trial.call} returned None: is a `return` missing?"
    return None


def _unstable(judge: ByCases, trials: list[Trial], again: list[Trial], xp: Any) -> str | None:
    for first, second in zip(trials, again, strict=True):
        if kind(first.got, xp) not in _COMPARABLE or kind(second.got, xp) not in _COMPARABLE:
            continue
        if first_difference(second.got, first.got, judge.tolerance, xp):
            return (
                f"{first.call} gave one result the first time and another the second time, for the same arguments. "
                "The answer must depend on its arguments only, not on earlier calls or on chance."
            )
    return None


_COMPARABLE = ("bool", "number", "string", "array", "device array")


def _trapped(judge: ByCases, trials: list[Trial], again: list[Trial], xp: Any) -> str | None:
    if all(_right(judge, trial, xp) for trial in trials):
        return None
    return next((trap.message for trap in judge.traps if _agrees(judge, trap, trials, xp)), None)


def _right(judge: ByCases, trial: Trial, xp: Any) -> bool:
    return first_difference(trial.got, trial.due, judge.tolerance, xp) is None


def _agrees(judge: ByCases, trap: Trap, trials: list[Trial], xp: Any) -> bool:
    """Say whether every result is the trap's, and the trap's differs from the right one somewhere."""
    with np.errstate(all="ignore"):
        try:
            yields = [judge.due(trap.wrong, trial.case, xp) for trial in trials]
        except Exception:
            return False
    pairs = list(zip(yields, trials, strict=True))
    return all(first_difference(t.got, y, judge.tolerance, xp) is None for y, t in pairs)


def _differs_everywhere(judge: ByCases, trials: list[Trial], again: list[Trial], xp: Any) -> str | None:
    pairs = [_pairs(trial, xp) for trial in trials]
    if not all(pairs):
        return None
    got, due = (np.array(column) for column in zip(*sum(pairs, []), strict=True))
    if len(np.unique(due)) < 3 or not np.all(np.isfinite(got)) or not np.all(np.isfinite(due)):
        return None
    return _scaled(got, due, judge.tolerance) or _shifted(got, due, judge.tolerance)


def _pairs(trial: Trial, xp: Any) -> list[tuple[float, float]]:
    if first_difference(trial.got, trial.due, Tolerance(math.inf), xp):
        return []  # another type, shape or dtype
    return list(zip(values_of(trial.got, xp), values_of(trial.due, xp), strict=True))


def _scaled(got: Any, due: Any, tolerance: Tolerance) -> str | None:
    at = int(np.argmax(np.abs(due)))
    factor = got[at] / due[at] if due[at] else 0.0
    if factor in (0.0, 1.0) or not np.all(tolerance.holds(got, factor * due)):
        return None
    if math.isclose(factor, -1.0):
        return "Every value has the wrong sign."
    inverse = 1 / factor
    if abs(factor) < 1 and math.isclose(inverse, round(inverse), rel_tol=1e-6):
        return f"Every value is the expected one divided by {round(inverse)}."
    return f"Every value is {number(factor)} times the expected one."


def _shifted(got: Any, due: Any, tolerance: Tolerance) -> str | None:
    shift = float(got[0] - due[0])
    if shift == 0.0 or not np.all(tolerance.holds(got, due + shift)):
        return None
    return f"Every value is {number(abs(shift))} too {'large' if shift > 0 else 'small'}."


def _first(judge: ByCases, trials: list[Trial], again: list[Trial], xp: Any) -> str | None:
    for trial in trials:
        clause = first_difference(trial.got, trial.due, judge.tolerance, xp)
        if clause:
            extra = f" It also changes its argument {trial.changed} in place." if trial.changed else ""
            what, dot, advice = clause.partition(". ")
            return f"{trial.call}{what}{trial.about}.{' ' + advice if dot else ''}{trial.warned}{extra}"
    return None


def _changes_arguments(judge: ByCases, trials: list[Trial], again: list[Trial], xp: Any) -> str | None:
    for trial in trials:
        if trial.changed:
            return f"The result is right, but {trial.call} changes its argument {trial.changed} in place; work on a copy."
    return None


DIAGNOSES = (_nothing_returned, _unstable, _trapped, _differs_everywhere, _first, _changes_arguments)


# -- answers that are values ------------------------------------------------------------------------


def is_number(
    expected: Any, rtol: float = 1e-6, unit: str = "", traps: Sequence[Trap | tuple[Any, str]] = ()
) -> Callable[..., None]:
    """Return a judge of one number; `expected` and the traps' values may be functions of no arguments.

    The message of a wrong answer never gives the expected value away.

    >>> judge = is_number(12.0, unit="bytes", traps=((96.0, "That is the number of bits."),))
    """
    known = [trap if isinstance(trap, Trap) else Trap(*trap) for trap in traps]

    def judge(answer: Any, *, name: str = "your answer") -> None:
        _judge_value(answer, _value(expected), rtol, unit, [(_value(t.wrong), t.message) for t in known], name)

    return judge


def is_mapping(
    expected: Any, rtol: float = 1e-6, unit: str = "", traps: Sequence[Trap] = ()
) -> Callable[..., None]:
    """Return a judge of a dict of numbers or strings, key by key; it names the key that is wrong or missing.

    A trap's value is a dict with some or all of the keys: it holds when the answer agrees with it on all
    of them.

    >>> judge = is_mapping({"copy": 0.0, "saxpy": 1 / 6}, traps=[Trap({"saxpy": 0.25}, "The store of y is missing.")])
    """

    def judge(answer: Any, *, name: str = "your answer") -> None:
        due = _value(expected)
        _check_keys(answer, due, name)
        _check_mapping_traps(answer, due, traps, rtol)
        for key, value in due.items():
            _judge_value(answer[key], value, rtol, unit, [], f"{name}[{key!r}]")

    return judge


def _value(expected: Any) -> Any:
    return expected() if callable(expected) else expected


def _check_keys(answer: Any, due: Mapping[Any, Any], name: str) -> None:
    if answer is ...:
        raise NotAttempted()
    if kind(answer) != "mapping":
        raise Wrong(f"{name} should be a dict but is {called(answer)}.")
    if answer and all(value is ... for value in answer.values()):
        raise NotAttempted()
    clause = first_difference(dict.fromkeys(answer), dict.fromkeys(due), Tolerance())
    if clause:
        raise Wrong(f"{name}{clause}.")
    open_keys = [key for key, value in answer.items() if value is ...]
    if open_keys:
        raise Wrong(f"{name}[{open_keys[0]!r}] is still `...`.")


def _check_mapping_traps(answer: Any, due: Mapping[Any, Any], traps: Sequence[Trap], rtol: float) -> None:
    near = Tolerance(rtol)
    for trap in traps:
        wrong = _value(trap.wrong)
        same = all(first_difference(answer[key], wrong[key], near) is None for key in wrong)
        if same and any(first_difference(due[key], wrong[key], near) for key in wrong):
            raise Wrong(trap.message)


def _judge_value(answer: Any, due: Any, rtol: float, unit: str, traps: list[tuple[Any, str]], name: str) -> None:
    if answer is ...:
        raise NotAttempted()
    near = Tolerance(rtol)
    if kind(answer) != kind(due):
        clause = first_difference(answer, due, near)
        raise Wrong(f"{name}{clause}.")
    if first_difference(answer, due, near) is None:
        return
    for wrong, message in traps:
        if first_difference(answer, wrong, near) is None:
            raise Wrong(message)
    raise Wrong(f"{name} is {_off(answer, due, unit)}.")


def _off(answer: Any, due: Any, unit: str) -> str:
    """Return how the answer is off without giving the right value away."""
    if kind(due) != "number":
        return f"{short(answer)}, which is not the right value"
    got, want, unit = as_float(answer), as_float(due), f" {unit}" if unit else ""
    if not math.isfinite(got):
        return f"{number(answer)}{unit}, which is not a finite number"
    way = "large" if got > want else "small"
    far = " by more than a factor of ten" if got * want > 0 and abs(math.log10(got / want)) > 1 else ""
    return f"{number(answer)}{unit}, which is too {way}{far}"


def is_choice(
    right: Any, options: Collection[Any], because: Mapping[Any, str] | None = None
) -> Callable[..., None]:
    """Return a judge of one option, or of several where `right` is a set; `because` says what is wrong with an option.

    >>> judge = is_choice("b", options="abcd", because={"a": "The clock of a is read before the work is done."})
    """
    reasons = because or {}
    several = isinstance(right, (set, frozenset))

    def judge(answer: Any, *, name: str = "your answer") -> None:
        if answer is ...:
            raise NotAttempted()
        if several:
            _judge_selection(answer, frozenset(right), options, reasons, name)
        else:
            _judge_option(answer, right, options, reasons, name)

    return judge


def _judge_option(answer: Any, right: Any, options: Collection[Any], reasons: Mapping[Any, str], name: str) -> None:
    _check_option(answer, options, name)
    if answer != right:
        raise Wrong(reasons.get(answer, f"{name} is {short(answer)}, which is not the right one."))


def _judge_selection(
    answer: Any, right: frozenset[Any], options: Collection[Any], reasons: Mapping[Any, str], name: str
) -> None:
    if kind(answer) not in ("set", "sequence"):
        raise Wrong(f"{name} should be a set, list or tuple of options but is {called(answer)}.")
    for option in answer:
        _check_option(option, options, f"an item of {name}")
    extra = sorted(set(answer) - right, key=str)
    if extra:
        raise Wrong(reasons.get(extra[0], f"{short(extra[0])} does not belong into {name}."))
    missing = len(right - set(answer))
    if missing:
        raise Wrong(f"What {name} names is right, but {missing} more {'is' if missing == 1 else 'are'} missing.")


def _check_option(answer: Any, options: Collection[Any], name: str) -> None:
    example = next(iter(options))
    if kind(answer) != kind(example):
        clause = first_difference(answer, example, Tolerance())
        raise Wrong(f"{name}{clause}.")
    if answer not in options:
        raise Wrong(f"{name} is {short(answer)}; the options are {', '.join(map(short, options))}.")
