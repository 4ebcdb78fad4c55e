"""What may be wrong with a function's results, asked in order: the first that finds something is it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gpucourse.exercises.difference import Tolerance, first_difference, values_of
from gpucourse.exercises.kinds import kind, number

if TYPE_CHECKING:
    from gpucourse.exercises.cases import ByCases, Trap, Trial


def nothing_returned(judge: ByCases, trials: list[Trial], again: list[Trial], xp: Any) -> str | None:
    """Name a missing `return`, and `print` where it stands in its place."""
    for trial in trials:
        if trial.got is None and trial.due is not None:
            if trial.printed:
                return f"{trial.call} printed something and returned None. Hand the result back by `return`."
            return f"{trial.call} returned None: is a `return` missing?"
    return None


def unstable(judge: ByCases, trials: list[Trial], again: list[Trial], xp: Any) -> str | None:
    """Name a result that depends on earlier calls or on chance; each case was called in two orders."""
    for first, second in zip(trials, again, strict=True):
        if not (_comparable(first.got, xp) and _comparable(second.got, xp)):
            continue
        if not judge.agrees(second.got, first.got, xp):
            return (
                f"{first.call} gave one result the first time and another the second time{first.about}. "
                "It must depend on its arguments only, not on earlier calls or on chance."
            )
    return None


def _comparable(value: Any, xp: Any) -> bool:
    what = kind(value, xp)
    if what in ("sequence", "mapping"):
        return all(_comparable(item, xp) for item in (value.values() if what == "mapping" else value))
    return what in ("none", "bool", "number", "complex", "string", "array", "device array")


def trapped(judge: ByCases, trials: list[Trial], again: list[Trial], xp: Any) -> str | None:
    """Name the author's cause whose results are the answer's, on every case."""
    if _all_right(judge, trials, xp):
        return None
    return next((trap.message for trap in judge.traps if _explains(judge, trap, trials, xp)), None)


def _all_right(judge: ByCases, trials: list[Trial], xp: Any) -> bool:
    return all(judge.agrees(trial.got, trial.due, xp) for trial in trials)


def _explains(judge: ByCases, trap: Trap, trials: list[Trial], xp: Any) -> bool:
    try:
        with np.errstate(all="ignore"):
            return all(judge.agrees(t.got, judge.due(trap.wrong, t.case, xp), xp) for t in trials)
    except Exception:  # the mistake itself raises for one of the cases, so this answer has made another
        return False


def off_everywhere(judge: ByCases, trials: list[Trial], again: list[Trial], xp: Any) -> str | None:
    """Observe that all values are off by one factor or one constant, where that holds for every case."""
    if _all_right(judge, trials, xp):
        return None
    pairs = [pair for trial in trials for pair in _pairs(trial, xp)]
    if len({due for _, due in pairs}) < 3 or not all(math.isfinite(x) for pair in pairs for x in pair):
        return None
    got, due = (np.array(column) for column in zip(*pairs, strict=True))
    whole = np.array_equal(got, np.round(got)) and np.array_equal(due, np.round(due))
    near = Tolerance(1e-12 if whole else min(judge.tolerance.relative or 1e-6, 1e-5))
    observed = _scaled(got, due, near) or _shifted(got, due, near)
    return f"{observed} For example, {first_differing(judge, trials, again, xp)}" if observed else None


def _pairs(trial: Trial, xp: Any) -> list[tuple[float, float]]:
    if first_difference(trial.got, trial.due, Tolerance(math.inf), xp):
        return [(math.nan, math.nan)]  # another type, shape or dtype: no statement about values
    return list(zip(values_of(trial.got, xp), values_of(trial.due, xp), strict=True))


def _scaled(got: Any, due: Any, tolerance: Tolerance) -> str | None:
    at = int(np.argmax(np.abs(due)))
    factor = float(got[at] / due[at])
    if factor == 0.0 or tolerance.holds(factor, 1.0) or not np.all(tolerance.holds(got, factor * due)):
        return None
    if math.isclose(factor, -1.0):
        return "Every value has the wrong sign."
    inverse = 1 / factor
    if abs(factor) < 1 and math.isclose(inverse, round(inverse), rel_tol=1e-6):
        return f"Every value is the expected one divided by {round(inverse)}."
    return f"Every value is {_readable(factor)} times the expected one."


def _shifted(got: Any, due: Any, tolerance: Tolerance) -> str | None:
    shift = float(got[0] - due[0])
    if shift == 0.0 or not np.all(tolerance.holds(got, due + shift)):
        return None
    return f"Every value is {_readable(abs(shift))} too {'large' if shift > 0 else 'small'}."


def _readable(value: float) -> str:
    """A factor measured in floating point: 8, not 8.000001."""
    near = round(value)
    return str(near) if near and math.isclose(value, near, rel_tol=1e-6) else number(value)


def first_differing(judge: ByCases, trials: list[Trial], again: list[Trial], xp: Any) -> str | None:
    """Tell the first difference of the first case that has one."""
    for trial in trials:
        found = first_difference(trial.got, trial.due, judge.tolerance, xp)
        if found:
            changed = f" It also changes its argument {trial.changed} in place." if trial.changed else ""
            return found.sentence(trial.call, trial.about) + trial.warned + changed
    return None


def arguments_changed(judge: ByCases, trials: list[Trial], again: list[Trial], xp: Any) -> str | None:
    """Name an argument that was changed in place although the result is right."""
    trial = next((trial for trial in trials if trial.changed), None)
    if trial is None:
        return None
    return (
        f"The result is right, but {trial.call} changes its argument {trial.changed} in place{trial.about}. "
        "Make a new one and leave the caller's as it was."
    )


DIAGNOSES = (nothing_returned, unstable, trapped, off_everywhere, first_differing, arguments_changed)
