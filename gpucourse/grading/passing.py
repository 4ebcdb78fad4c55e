"""A check that a marking program can see: it raises where `check` only tells. nbgrader's test cells call it."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

from gpucourse.errors import CourseError
from gpucourse.exercises import outcome, progress, registry

MARKING = "NBGRADER_EXECUTION"   # set by nbgrader while it marks or validates


class NotRight(CourseError):
    """An answer did not pass; the text says why, as `check` does."""


def must_pass(id: str, answer: Any, seed: int | None = None) -> None:
    """Judge `answer` for the exercise `id` as `check` does, and raise NotRight unless it is right.

    `seed` makes other inputs than learners see. Nothing is written to stderr, for which nbgrader takes a mark away, and
    nothing is noted in anybody's progress while nbgrader marks.

    >>> must_pass("01.1", lambda p, n: 0)                               # doctest: +SKIP
    """
    problem = registry.find(id)
    with contextlib.redirect_stderr(sys.stdout):
        result = problem.check(answer, seed=seed)
        if seed is None and MARKING not in os.environ:
            progress.note_check(id, result.state)
    if result.state != "right":
        raise NotRight(str(result))
    if seed is None:
        outcome.show(str(result), result._repr_html_())
