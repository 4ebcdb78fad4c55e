"""The judge of a function that returns several results: each is judged by itself, and told its own cause."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gpucourse.exercises import guard, signature
from gpucourse.exercises.cases import ByCases, Case, Trap, by_cases
from gpucourse.exercises.diagnoses import DIAGNOSES, arguments_changed
from gpucourse.exercises.difference import Tolerance
from gpucourse.exercises.kinds import called
from gpucourse.exercises.outcome import NotAttempted, Wrong

# "The result is right, but ..." can be said only when all parts are right
OF_A_PART = tuple(each for each in DIAGNOSES if each is not arguments_changed)


def by_parts(
    reference: Callable[..., Any],
    groups: Sequence[Callable[..., Sequence[Case]]],
    parts: Mapping[str, Sequence[Trap]],
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    dtype: bool = True,
) -> ByParts:
    """Return a judge of a function that returns a tuple of `parts`: the name of each -> its traps, in order.

    A trap's function returns that part alone. Each of `groups` makes cases, as for `by_cases`; a group is judged only
    when the one before it is right. Put cases in which a wrong formula still computes (all sizes alike, no overflow)
    into the first, so that it is told its cause before other cases make it raise. `rtol`, `atol`, `dtype`: as there.

    >>> judge = by_parts(lambda a: (a + a, a * a), [lambda: [Case(3)]], {"double": [], "square": []})
    """
    return ByParts(reference, tuple(groups), dict(parts), Tolerance(rtol, atol, dtype))


@dataclass(frozen=True)
class ByParts:
    """The judge that `by_parts` returns."""

    reference: Callable[..., Any]
    groups: tuple[Callable[..., Sequence[Case]], ...]
    parts: Mapping[str, Sequence[Trap]]
    tolerance: Tolerance

    def __call__(self, answer: Any, *, xp: Any = np, seed: int = 0, name: str = "your function") -> None:
        """Raise Wrong, NotAttempted or guard.Raised unless every part is right in every group."""
        if answer is ...:
            raise NotAttempted()
        first = self.judge_of(0, 0).all_cases(xp, seed)[0]
        signature.check(answer, self.reference, first.args, first.kwargs, name)
        missing = self._missing(answer, first, name, xp)
        for group in range(len(self.groups)):
            for k, part in enumerate(self.parts):
                if part in missing:
                    raise NotAttempted(self._progress(k, part))
                judge = replace(self.judge_of(group, k), diagnoses=OF_A_PART)
                judge(part_of(answer, k), xp=xp, seed=seed, name=f"{part} of {name}")
        self.judge_of(0, 0)(part_of(answer, 0), xp=xp, seed=seed, name=name)   # the arguments: changed?

    def judge_of(self, group: int, k: int) -> ByCases:
        """Return the judge of part number `k` in a group of cases."""
        near, traps = self.tolerance, list(self.parts.values())[k]
        return by_cases(part_of(self.reference, k), self.groups[group], traps,
                        rtol=near.relative, atol=near.absolute, dtype=near.dtype)  # fmt: skip

    def _missing(self, answer: Any, case: Case, name: str, xp: Any) -> list[str]:
        """The parts that are still `...`; raise unless the answer returns as many as there are."""
        call, about = signature.call_text(name, self.reference, case.args, case.kwargs, case.about, xp)
        args, kwargs = case.copies(xp)
        value = guard.call(answer, args, kwargs, call + about, quiet=True).value
        if value is ...:
            raise NotAttempted()
        if value is None:
            raise Wrong(f"{call} returned None: is a `return` missing?")
        due = f"{len(self.parts)} results, {', '.join(self.parts)},"
        if not isinstance(value, list | tuple):
            raise Wrong(f"{call} should return {due} but returns {called(value, xp)}.")
        if len(value) != len(self.parts):
            raise Wrong(f"{call} should return {due} but returns {len(value)}.")
        missing = [part for part, item in zip(self.parts, value, strict=True) if item is ...]
        if len(missing) == len(self.parts):
            raise NotAttempted()
        return missing

    def _progress(self, k: int, part: str) -> str:
        done = " and ".join(list(self.parts)[:k])
        return (f"Right so far: {done}. " if done else "") + f"{part} is still `...`: write it next."


def part_of(function: Any, k: int) -> Callable[..., Any]:
    """Return a function that gives result number `k` of `function`, with its parameters."""

    @functools.wraps(function)
    def part(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)[k]

    return part
