"""Runs one submission in a process of its own and judges its exercises; told by a pipe what to do, and telling by one.

    python -c "from gpucourse.grading.worker import main; main()" NUMBER_OF_THE_PIPE < job.json

Every line that it writes is signed with a key that only this run has: a line that the submission writes into the same
pipe is known for what it is. The parent (`marking.py`) ends what does not end by itself.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import linecache
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gpucourse.exercises import blame, limits, registry
from gpucourse.exercises.problem import Problem
from gpucourse.grading.cells import Cell, code_of, parsed
from gpucourse.grading.tampering import Seal
from gpucourse.grading.watching import Watch

NAME = "<code cell {}>"
FIRST_WITH_TORCH = "10"


def signed(key: str, text: str) -> str:
    """Return the line for `text`: its signature and itself."""
    return f"{hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()} {text}\n"


class Channel:
    """Writes signed lines, {"what": …}, to the pipe."""

    def __init__(self, pipe: int, key: str) -> None:
        self._pipe = os.dup(pipe)
        os.set_inheritable(self._pipe, False)      # in no child of the submission
        os.close(pipe)
        self._key, self._write, self._sign = key, os.write, signed

    def tell(self, what: str, **more: Any) -> None:
        """Write one line."""
        self._write(self._pipe, self._sign(self._key, json.dumps({"what": what, **more})).encode())


class Run:
    """One run of a submission: `job` has the lesson, the cells' sources, which to run, the seed and the limits."""

    def __init__(self, job: Mapping[str, Any], tell: Callable[..., None]) -> None:
        self.job, self.tell = job, tell
        self.problems = {problem.id: problem for problem in registry.problems(job["lesson"])}
        self.names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__,
                                      "display": lambda *shown, **more: None}  # fmt: skip
        self.judged: set[str] = set(job["judged"])
        self.seen: set[str] = set()
        self.judge = Problem.check
        _import_what_judges_use(job["lesson"])
        self.seal = Seal()

    def go(self) -> None:
        """Run the cells, judge each exercise where it is checked, and at the end those that no cell checks."""
        self.tell("ready")
        for number in self.job["run"]:
            cell = parsed(self.job["cells"][number])
            if number not in self.job["skip"]:
                self._execute(number, cell)
            for id, name in cell.checks:
                self._check(id, name)
        for id in self.problems.keys() - self.seen:
            self._check(id, "")
        self.tell("done")

    def _execute(self, number: int, cell: Cell) -> None:
        self.tell("cell", number=number)
        error = cell.error or self._ran(cell, NAME.format(number + 1))
        if error:
            self.tell("error", number=number, message=error)
        self._look()

    def _ran(self, cell: Cell, name: str) -> str:
        """Return what ended the cell early, in one sentence, or ""."""
        linecache.cache[name] = (len(cell.source), None, cell.source.splitlines(keepends=True), name)
        try:
            code = code_of(cell, name)
            with limits.time_limit(self.job["cell_seconds"]):
                limits.inside(lambda: exec(code, self.names))
        except limits.TimedOut:
            return f"it had not ended after {self.job['cell_seconds']:g} s and was stopped"
        except BaseException as error:  # a submission may raise anything
            return blame.sentence(error)
        return ""

    def _look(self) -> list[str]:
        changed = self.seal.broken()
        for name in changed[:5]:
            self.tell("flag", flag=f"changes {name}")
        return changed

    def _check(self, id: str, name: str) -> None:
        problem = self.problems.get(id)
        if problem is None or id in self.judged:
            self.seen.add(id)
            return
        wanted = problem.answer if problem.answer in self.names else name
        self.seen.add(id)
        self.tell("judging", id=id)
        if wanted not in self.names:
            self.tell("exercise", id=id, state="missing", message=f"nothing is called {problem.answer}")
            return
        found = self.judge(problem, self.names[wanted], seed=self.job["seed"])
        state, message = found.state, found.message
        if self._look():
            state, message = "refused", "the checker was changed while it was at work"
        self.tell("exercise", id=id, state=state, message=message)


def _import_what_judges_use(lesson: str) -> None:
    """What is imported before the submission runs is sealed, and costs its cells no time."""
    import numpy.linalg
    import numpy.random
    import numpy.testing  # noqa: F401

    from gpucourse.backend import array_module

    array_module()
    if lesson >= FIRST_WITH_TORCH:
        import torch.nn.functional
        import torch.testing  # noqa: F401


def _limit_memory(most: int) -> None:
    """Keep this process's data below most of `most` bytes: it is told by MemoryError, before the parent ends it."""
    if sys.platform == "linux":
        import resource

        rows = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
        has = {row[0]: 1024 * int(row[1]) for row in rows if row[2:] == ["kB"]}
        limit = has["VmData:"] + max(0, int(0.8 * most) - has["VmRSS:"])
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def main() -> None:
    """Read the job from stdin, run it, and leave at once: what a submission has left behind is not waited for."""
    job = json.load(sys.stdin)
    channel = Channel(int(sys.argv[1]), job.pop("key"))
    os.chdir(job["folder"])
    _limit_memory(job["memory"])
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    sys.path.insert(0, job["folder"])
    Watch(Path(job["folder"]), lambda name: name.startswith(NAME[:10]), lambda flag: channel.tell("flag", flag=flag))
    leave = os._exit
    Run(job, channel.tell).go()
    leave(0)
