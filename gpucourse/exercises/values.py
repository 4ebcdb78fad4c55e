"""Judges of answers that are values: a number, a dict of numbers, a choice."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from gpucourse.exercises.cases import Trap
from gpucourse.exercises.difference import Tolerance, first_difference
from gpucourse.exercises.kinds import called, kind, number, real, short
from gpucourse.exercises.outcome import NotAttempted, Wrong

Reasons = Mapping[Any, str]  # option -> why it is wrong


def mapping_source(name: str, values: Mapping[str, Any] | Collection[str]) -> str:
    """Return the Python text of a dict, one key a line; names without values make a stub, with `...` for each.

    >>> print(mapping_source("sectors", ["x[t]"]))
    sectors = {
        "x[t]": ...,
    }
    <BLANKLINE>
    """
    of = values if isinstance(values, Mapping) else dict.fromkeys(values, "...")
    return f"{name} = {{\n" + "".join(f'    "{key}": {value},\n' for key, value in of.items()) + "}\n"


def is_number(
    expected: Any, rtol: float = 1e-6, unit: str = "", traps: Sequence[Trap | tuple[Any, str]] = ()
) -> Callable[..., None]:
    """Return a judge of one number; `expected` and the traps' values may be functions of no arguments.

    The message of a wrong answer never gives the expected value away.

    >>> judge = is_number(12.0, unit="bytes", traps=((96.0, "That is the number of bits."),))
    """
    known = [trap if isinstance(trap, Trap) else Trap(*trap) for trap in traps]

    def judge(answer: Any, *, name: str = "your answer") -> None:
        due, near = _value(expected), Tolerance(rtol)
        _require(answer, due, name)
        if not _agree(answer, due, near):
            causes = (trap.message for trap in known if _agree(answer, _value(trap.wrong), near))
            raise Wrong(next(causes, f"{name} is {_off(answer, due, unit)}."))

    return judge


def is_mapping(
    expected: Any, rtol: float = 1e-6, unit: str = "", traps: Sequence[Trap] = ()
) -> Callable[..., None]:
    """Return a judge of a dict of numbers or strings, key by key; it names the key that is wrong or missing.

    A trap's value is a dict with some or all of the keys: it holds when the answer agrees with it on all of
    them and one of them is wrong. The message of a wrong answer never gives the expected value away.

    >>> store = Trap({"saxpy": 0.25}, "The store of y is missing.")
    >>> judge = is_mapping({"copy": 0.0, "saxpy": 1 / 6}, traps=[store])
    """

    def judge(answer: Any, *, name: str = "your answer") -> None:
        due, near = _value(expected), Tolerance(rtol)
        _check_keys(answer, due, name)
        _check_mapping_traps(answer, due, traps, near)
        for key, value in due.items():
            if not _agree(answer[key], value, near):
                raise Wrong(f"{name}[{key!r}] is {_off(answer[key], value, unit)}.")

    return judge


def _value(expected: Any) -> Any:
    return expected() if callable(expected) else expected


def _check_keys(answer: Any, due: Mapping[Any, Any], name: str) -> None:
    _require(answer, due, name)
    if answer and all(value is ... for value in answer.values()):
        raise NotAttempted()
    found = first_difference(dict.fromkeys(answer), dict.fromkeys(due), Tolerance())
    if found:
        raise Wrong(found.sentence(name))
    for key in due:
        if answer[key] is ...:
            raise Wrong(f"{name}[{key!r}] is still `...`.")
        _require(answer[key], due[key], f"{name}[{key!r}]")


def _require(answer: Any, due: Any, name: str) -> None:
    """Raise unless `answer` is of the kind of `due`."""
    if answer is ...:
        raise NotAttempted()
    if kind(answer) != kind(due):
        found = first_difference(answer, due, Tolerance())
        raise Wrong(found.sentence(name) if found else "")


def _check_mapping_traps(answer: Any, due: Mapping[Any, Any], traps: Sequence[Trap], near: Tolerance) -> None:
    for trap in traps:
        wrong = _value(trap.wrong)
        same = all(_agree(answer[key], wrong[key], near) for key in wrong)
        if same and not all(_agree(due[key], wrong[key], near) for key in wrong):
            raise Wrong(trap.message)


def _agree(got: Any, due: Any, near: Tolerance) -> bool:
    return first_difference(got, due, near) is None


def _off(answer: Any, due: Any, unit: str) -> str:
    """Return how the answer is off without giving the right value away."""
    if kind(due) != "number":
        return f"{short(answer)}, which is not the right value"
    got, want, unit = float(real(answer)), float(real(due)), f" {unit}" if unit else ""
    if not math.isfinite(got):
        return f"{number(answer)}{unit}, which is not a finite number"
    way = "large" if got > want else "small"
    far = " by more than a factor of ten" if got * want > 0 and abs(math.log10(got / want)) > 1 else ""
    return f"{number(answer)}{unit}, which is too {way}{far}"


def is_choice(
    right: Any, options: Collection[Any], because: Reasons | None = None
) -> Callable[..., None]:
    """Return a judge of one option, or of several where `right` is a set.

    `because` says, option by option, why a wrong one is wrong.

    >>> judge = is_choice("b", options="abcd", because={"a": "Its clock is read before the work is done."})
    """
    judge_it = _judge_selection if isinstance(right, (set, frozenset)) else _judge_option

    def judge(answer: Any, *, name: str = "your answer") -> None:
        if answer is ...:
            raise NotAttempted()
        judge_it(answer, right, options, because or {}, name)

    return judge


def _judge_option(answer: Any, right: Any, options: Collection[Any], reasons: Reasons, name: str) -> None:
    _check_option(answer, options, name)
    if answer != right:
        raise Wrong(reasons.get(answer, f"{name} is {short(answer)}, which is not the right one."))


def _judge_selection(answer: Any, right: Any, options: Collection[Any], reasons: Reasons, name: str) -> None:
    if kind(answer) not in ("set", "sequence"):
        raise Wrong(f"{name} should be a set, list or tuple of options but is {called(answer)}.")
    for option in sorted(answer, key=repr):      # a set has another order in each process
        _check_option(option, options, f"an item of {name}")
    extra = sorted(set(answer) - right, key=str)
    if extra:
        raise Wrong(reasons.get(extra[0], f"{short(extra[0])} does not belong into {name}."))
    missing = len(right - set(answer))
    if missing:
        kept = "What you name is right, but " if answer else ""
        raise Wrong(f"{kept}{missing} {'is' if missing == 1 else 'are'} missing from `{name}`.")


def _check_option(answer: Any, options: Collection[Any], name: str) -> None:
    _require(answer, next(iter(options)), name)
    if answer not in options:
        raise Wrong(f"{name} is {short(answer)}; the options are {', '.join(map(short, options))}.")
