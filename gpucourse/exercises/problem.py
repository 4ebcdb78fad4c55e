"""A problem, and what a learner does with it: `check` an answer, ask for a `hint`, see the `solution`."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gpucourse.errors import CourseError
from gpucourse.exercises import blame, guard, outcome, progress, registry
from gpucourse.exercises.cases import Case, Trap
from gpucourse.exercises.outcome import NotAttempted, Outcome, Wrong

__all__ = ["Case", "NotAttempted", "Outcome", "Problem", "Trap", "Wrong", "check", "hint", "solution"]


@dataclass(frozen=True)
class Problem:
    """An exercise: its texts, its stub and solution (sources), and the judge of an answer.

    `judge(answer)` returns for a right answer (None, or a text that the outcome shows) and raises Wrong or
    NotAttempted otherwise; it is given the keyword arguments `xp` (array module), `seed` (int), `name` (of the
    answer) and `stub` (its source) if it has such parameters. `judge.prepare()`, if there is one, runs before the
    time limit begins.
    `lines` is the number of code lines in `solution` that are not in `stub`: blank lines, comments and
    docstrings do not count. `limit` is in seconds.
    """

    id: str
    title: str
    task: str
    spec: str
    stub: str
    answer: str
    lines: int
    hints: tuple[str, str, str]
    solution: str
    why: str
    judge: Callable[..., str | None]
    limit: float = guard.LIMIT

    def check(self, answer: Any, xp: Any = None, seed: int | None = None) -> Outcome:
        """Return the outcome for `answer`; whatever the answer does, nothing is raised.

        `xp` is the array module to judge with (default: this machine's); `seed` makes the hidden cases
        (default: derived from the id).
        """
        chosen = zlib.crc32(self.id.encode()) if seed is None else seed
        offers = {"xp": xp, "seed": chosen, "name": self.answer, "stub": self.stub}
        told: list[str] = []
        getattr(self.judge, "prepare", lambda: None)()
        report = guard.run(lambda: told.append(self._judge(answer, offers)), answer, self.limit)
        state, message = _verdict(report.error, self.limit)
        return Outcome(self.id, self.title, state, message or "".join(told), self._advice(state), report.printed)

    def _judge(self, answer: Any, offers: dict[str, Any]) -> str:
        wanted = inspect.signature(self.judge).parameters
        if "xp" in wanted and offers["xp"] is None:
            offers["xp"] = _array_module()
        return self.judge(answer, **{name: value for name, value in offers.items() if name in wanted}) or ""

    def _advice(self, state: str) -> str:
        if state == "right":
            return self.why
        return f'For a hint: `hint("{self.id}")`' if state in ("wrong", "raised") else ""


def _array_module() -> Any:
    from gpucourse.backend import array_module

    return array_module()


def _verdict(error: BaseException | None, limit: float) -> tuple[str, str]:
    """Return the state and the message for what a judge raised (None: the answer is right)."""
    cause, where = (error.error, error.where) if isinstance(error, guard.Raised) else (error, "")
    if cause is None:
        return "right", ""
    if isinstance(cause, NotAttempted):
        return "not attempted", str(cause) or "Replace the `...` by your own code and run the cell again."
    if isinstance(cause, Wrong):
        return "wrong", str(cause)
    if isinstance(cause, guard.Interrupted):
        return "interrupted", "You stopped the check before it ended. Nothing was recorded."
    at = blame.place(cause)
    if at and blame.is_unfinished(cause):
        return "not attempted", f"{at} still computes with `...`. Put your own code in its place."
    if isinstance(cause, CourseError) and not at:
        return "raised", str(cause)
    if isinstance(cause, guard.Stop):
        return "raised", _stopped(cause, limit)
    return "raised", blame.sentence(cause, where)


def _stopped(stop: guard.Stop, limit: float) -> str:
    at = blame.place(stop)
    if isinstance(stop, guard.TimedOut):
        line = f" {str(at).rstrip(',')} was running." if at else ""
        return f"{stop.where or 'Your code'} had not ended after {limit:g} s and was stopped.{line}"
    return f"{at or 'Your code'} calls {stop}"


def check(id: str, answer: Any = ...) -> None:
    """Judge `answer` for the exercise `id`, show the outcome, and note it in the learner's progress.

    >>> check("01.1", speedup)          # doctest: +SKIP
    """
    problem = _find(id)
    if problem is not None:
        result = problem.check(answer)
        progress.note_check(problem.id, result.state)
        outcome.show(str(result), result._repr_html_())


def hint(id: str, level: int | None = None) -> None:
    """Show the next hint, or that of a level: 1 (the idea), 2 (the place), 3 (almost the line)."""
    problem = _find(id)
    if problem is None:
        return
    wanted = min(progress.hints_seen(problem.id) + 1, 3) if level is None else level
    if wanted not in (1, 2, 3):
        _say(f"Exercise {problem.id} has the hints 1, 2 and 3; there is no hint {wanted!r}.")
        return
    progress.note_hint(problem.id, wanted)
    left = _HINTS_LEFT[wanted].format(problem.id)
    _tell(f"Exercise {problem.id} · hint {wanted} of 3", problem.hints[wanted - 1], left)


_HINTS_LEFT = {
    1: 'Two more hints are left: call `hint("{}")` again.',
    2: 'One more hint is left: call `hint("{}")` again.',
    3: 'This is the last hint. A solution: `solution("{}")`',
}


def solution(id: str) -> None:
    """Show a solution of an exercise and why it works; progress notes that it was seen."""
    problem = _find(id)
    if problem is None:
        return
    progress.note_solution(problem.id)
    headline, code = f"Exercise {problem.id} · {problem.title}: a solution.", problem.solution.rstrip()
    page = f'<pre style="margin:0.3em 0">{outcome.escaped(code)}</pre>' + outcome.paragraphs(problem.why)
    outcome.show("\n".join([headline, code, problem.why]), outcome.box(headline, page, outcome.TOLD))


def _find(id: Any) -> Problem | None:
    """Return the problem, or tell in one line why there is none."""
    try:
        return registry.find(id)
    except CourseError as error:
        _say(str(error))
        return None


def _say(text: str) -> None:
    outcome.show(text, outcome.box(text, "", outcome.TOLD))


def _tell(headline: str, *texts: str) -> None:
    page = outcome.box(headline, outcome.paragraphs(*texts), outcome.TOLD)
    outcome.show("\n".join([headline, *texts]), page)
