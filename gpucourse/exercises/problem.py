"""A problem and the three things a learner does with it: `check` an answer, ask for a `hint`, see the `solution`."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


from gpucourse.errors import CourseError
from gpucourse.exercises import blame, guard, outcome, progress, registry
from gpucourse.exercises.compare import Case, Trap
from gpucourse.exercises.outcome import NotAttempted, Outcome, Wrong

__all__ = ["Case", "NotAttempted", "Outcome", "Problem", "Trap", "Wrong", "check", "hint", "solution"]


@dataclass(frozen=True)
class Problem:
    """An exercise: its texts, its stub and solution (sources), and the judge of an answer.

    `judge(answer)` returns for a right answer and raises Wrong or NotAttempted otherwise; it is given the
    keyword arguments `xp` (array module), `seed` (int) and `name` (of the answer) if it has such parameters.
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
    judge: Callable[..., None]
    limit: float = guard.LIMIT

    def check(self, answer: Any, xp: Any = None, seed: int | None = None) -> Outcome:
        """Return the outcome for `answer`; whatever the answer does, nothing is raised.

        `xp` is the array module to judge with (default: this machine's); `seed` makes the hidden cases
        (default: derived from the id).
        """
        offers = {"xp": xp, "seed": zlib.crc32(self.id.encode()) if seed is None else seed, "name": self.answer}
        report = guard.run(lambda: self._judge(answer, offers), answer, self.limit)
        state, message = _verdict(report.error, self.limit)
        return Outcome(self.id, self.title, state, message, self._advice(state), report.printed)

    def _judge(self, answer: Any, offers: dict[str, Any]) -> None:
        wanted = inspect.signature(self.judge).parameters
        if "xp" in wanted and offers["xp"] is None:
            offers["xp"] = _array_module()
        self.judge(answer, **{name: value for name, value in offers.items() if name in wanted})

    def _advice(self, state: str) -> str:
        if state == "right":
            return self.why
        return f'For a hint: `hint("{self.id}")`' if state in ("wrong", "raised") else ""


def _array_module() -> Any:
    from gpucourse.backend import array_module

    return array_module()


def _verdict(error: BaseException | None, limit: float) -> tuple[str, str]:
    """Return the state and the message for what a judge raised (None: the answer is right)."""
    where = ""
    if isinstance(error, guard.Raised):
        error, where = error.error, error.where
    if error is None:
        return "right", ""
    if isinstance(error, NotAttempted):
        return "not attempted", "Replace the `...` by your own code and run the cell again."
    if isinstance(error, Wrong):
        return "wrong", str(error)
    if isinstance(error, guard.Interrupted):
        return "interrupted", "You stopped the check before it ended. Nothing was recorded."
    return "raised", _stopped(error, where, limit)


def _stopped(error: BaseException, where: str, limit: float) -> str:
    call = where or "Your code"
    if isinstance(error, guard.TimedOut):
        at = blame.place(error)
        return f"{call} had not ended after {limit:g} s and was stopped" + (f" in line {at.line}: `{at.text}`." if at else ".")
    if isinstance(error, guard.Refused):
        at = blame.place(error)
        return (f"{at} calls " if at else "It calls ") + str(error)
    return blame.sentence(error, where)


def check(id: str, answer: Any = ...) -> None:
    """Judge `answer` for the exercise `id`, show the outcome, and note it in the learner's progress.

    >>> check("01.1", speedup)          # doctest: +SKIP
    """
    problem = _find(id)
    if problem is None:
        return
    result = problem.check(answer)
    progress.note_check(problem.id, result.state)
    outcome.show(str(result), result._repr_html_())


def hint(id: str, level: int | None = None) -> None:
    """Show the next hint of an exercise, or the hint of a given level: 1 (the idea), 2 (the place), 3 (almost the line)."""
    problem = _find(id)
    if problem is None:
        return
    if level is None:
        level = min(progress.hints_seen(problem.id) + 1, 3)
    if level not in (1, 2, 3):
        return _say(f"Exercise {problem.id} has hints 1, 2 and 3; there is no hint {level!r}.")
    progress.note_hint(problem.id, level)
    left = ("", 'One more: `hint("{0}")` again.', 'Two more: `hint("{0}")` again.')[3 - level].format(problem.id)
    left = left or f'That was the last hint. The solution: `solution("{problem.id}")`'
    _show(f"Exercise {problem.id} · hint {level} of 3", problem.hints[level - 1], left)


def solution(id: str) -> None:
    """Show a solution of an exercise and why it works; progress notes that it was seen."""
    problem = _find(id)
    if problem is None:
        return
    progress.note_solution(problem.id)
    text = "\n".join([f"Exercise {problem.id} · {problem.title}: a solution.", problem.solution.rstrip(), problem.why])
    code = f'<pre style="margin:0.3em 0">{outcome.escaped(problem.solution.rstrip())}</pre>'
    body = code + outcome.paragraphs(problem.why)
    outcome.show(text, outcome.box(f"Exercise {problem.id} · {problem.title}: a solution.", body, "#2a7ab0"))


def _find(id: object) -> Problem | None:
    try:
        return registry.find(id)
    except CourseError as error:
        return _say(str(error))


def _say(text: str) -> None:
    outcome.show(text, outcome.box(text, "", "#888888"))


def _show(headline: str, *texts: str) -> None:
    outcome.show("\n".join([headline, *texts]), outcome.box(headline, outcome.paragraphs(*texts), "#2a7ab0"))


