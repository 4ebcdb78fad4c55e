"""Finds a problem by its id in the lesson modules of this folder."""

from __future__ import annotations

import difflib
import pkgutil
import re
from importlib import import_module
from typing import TYPE_CHECKING

import gpucourse.exercises as home
from gpucourse.errors import CourseError

if TYPE_CHECKING:
    from gpucourse.exercises.problem import Problem


class UnknownExercise(CourseError):
    """No exercise has this id; the text names those that come near."""


def lessons() -> dict[str, str]:
    """Return lesson number -> module name: {"01": "n01_cpu_vs_gpu", ...}, in order."""
    found = (module.name for module in pkgutil.iter_modules(home.__path__))
    return {name[1:3]: name for name in sorted(found) if re.match(r"n\d\d_", name)}


def problems(lesson: str) -> tuple[Problem, ...]:
    """Return the problems of a lesson, such as "01"."""
    module = import_module(f"{home.__name__}.{lessons()[lesson]}")
    found: tuple[Problem, ...] = module.PROBLEMS
    return found


def all_problems() -> tuple[Problem, ...]:
    """Return the problems of all lessons, in order."""
    return tuple(problem for lesson in lessons() for problem in problems(lesson))


def find(id: object) -> Problem:
    """Return the problem called `id`; raise UnknownExercise, which names the nearest ids, for no such id."""
    if not isinstance(id, str):
        raise UnknownExercise('The id of the exercise comes first, as a string: check("01.1", answer).')
    lesson = id[:2]
    near = problems(lesson) if lesson in lessons() else ()
    for problem in near:
        if problem.id == id:
            return problem
    raise UnknownExercise(f"There is no exercise {_cut(id)!r}. {_suggestion(id)}")


def _cut(id: str) -> str:
    return id if len(id) <= 40 else id[:40] + "…"


def _suggestion(id: str) -> str:
    known = [problem.id for problem in all_problems()]
    wanted = id if re.match(r"\d\d", id) else "0" + id
    close = [wanted] if wanted in known else difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    if not known:
        return "This version has none yet."
    near = " or ".join(map(repr, close))
    return f"Did you mean {near}?" if near else f"They go from {known[0]!r} to {known[-1]!r}."
