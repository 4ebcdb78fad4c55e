"""Marks one submission: runs it in a process of its own, ends what does not end, and goes on behind it.

A cell that hangs, takes too much memory or ends Python costs the submission that cell: the run begins again without it.
An answer that does so while it is judged is marked as stopped, and the others are judged.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from gpucourse.exercises import registry
from gpucourse.grading import sandbox
from gpucourse.grading.cells import Cell, needed, parsed
from gpucourse.grading.submissions import Submission
from gpucourse.grading.suspicion import flags
from gpucourse.grading.worker import signed

POLL = 0.05               # seconds between two looks at memory and processes
MOST_OUTPUT = 4_000_000   # bytes that a run may write into the pipe
_START = "from gpucourse.grading.worker import main; main()"


@dataclass(frozen=True)
class Limits:
    """What a submission may take: seconds for a cell and for all, bytes of memory, processes, runs from the start."""

    cell_seconds: float = 120.0
    seconds: float = 900.0
    memory: int = 4 * 2**30
    processes: int = 64
    runs: int = 8


@dataclass
class Marks:
    """What came of a submission: id -> (state, message), what a teacher should look at, cells' errors, seconds."""

    submission: Submission
    exercises: dict[str, tuple[str, str]] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0

    def note(self, flag: str) -> None:
        """Add a flag once."""
        if flag not in self.flags and len(self.flags) < 20:
            self.flags.append(flag)


@dataclass
class _Run:
    """One process's progress: the cell or exercise it is at, and how it ended."""

    at: tuple[str, Any] = ("start", None)
    ended: str = ""      # why the parent ended it, or how it ended itself
    done: bool = False


def mark(submission: Submission, seed: int, limits: Limits | None = None,
         originals: frozenset[str] = frozenset()) -> Marks:  # fmt: skip
    """Return the marks of a submission, judged with the hidden inputs that `seed` makes.

    `originals` are the sources of the course's own cells, which run only where the learner's build on them; if an
    answer then lacks a name, all cells run.
    """
    marks, limits, began = Marks(submission), limits or Limits(), time.monotonic()
    if submission.problem:
        return marks
    cells = [parsed(source) for source in submission.cells]
    for flag in flags(cells):
        marks.note(flag)
    _attempts(marks, cells, needed(cells, originals, submission.cells), seed, limits)
    if _lacks_a_name(marks):
        left = replace(limits, seconds=max(10.0, limits.seconds - (time.monotonic() - began)))
        marks.exercises = {id: found for id, found in marks.exercises.items() if found[0] == "right"}
        _attempts(marks, cells, list(range(len(cells))), seed, left)
    marks.exercises = {problem.id: marks.exercises.get(problem.id, ("not run", "the submission ended before it"))
                       for problem in registry.problems(submission.lesson)}  # fmt: skip
    marks.seconds = time.monotonic() - began
    return marks


def _lacks_a_name(marks: Marks) -> bool:
    texts = [message for state, message in marks.exercises.values() if state != "right"]
    return any("NameError" in text or "nothing is called" in text for text in [*texts, *marks.errors.values()])


def _attempts(marks: Marks, cells: Sequence[Cell], run: list[int], seed: int, limits: Limits) -> None:
    """Run the cells, again and again without the one that ended the run before, until a run ends by itself."""
    skip: set[int] = set()
    deadline = time.monotonic() + limits.seconds
    for _ in range(limits.runs):
        job = {"lesson": marks.submission.lesson, "cells": marks.submission.cells, "run": run, "skip": sorted(skip),
               "judged": sorted(marks.exercises), "seed": seed, "cell_seconds": limits.cell_seconds,
               "memory": limits.memory}  # fmt: skip
        last = _one_run(marks, job, limits, deadline)
        kind, where = last.at
        if last.done or kind == "start" or time.monotonic() >= deadline:
            if not last.done:
                marks.note(f"was not marked to its end: {last.ended}")
            return
        if kind == "judging":
            marks.exercises[where] = ("stopped", f"while it was judged {last.ended}")
        else:
            skip.add(where)
            marks.errors[where] = last.ended
            marks.note(f"code cell {where + 1}: {last.ended}; it was left out")


def _one_run(marks: Marks, job: dict[str, Any], limits: Limits, deadline: float) -> _Run:
    with _scratch(marks.submission) as folder:
        inside = sandbox.SCRATCH if not sandbox.missing() else str(folder)
        key = secrets.token_hex(16)
        process, pipe = _started(job | {"key": key, "folder": inside}, limits, inside)
        run = _Run()
        try:
            _followed(process, pipe, key, marks, run, limits, deadline)
        finally:
            _ended(process)
            os.close(pipe)
        return run


@contextlib.contextmanager
def _scratch(submission: Submission) -> Iterator[Path]:
    """A folder for a run outside the sandbox; whatever the submission writes into it is gone after the run."""
    folder = Path(tempfile.mkdtemp(prefix="gpucourse-grade-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _started(job: dict[str, Any], limits: Limits, home: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start the worker, give it its job, and return it and the pipe's end to read from."""
    ours, theirs = os.pipe()
    prefix = [] if sandbox.missing() else sandbox.command(limits.memory // 4)
    try:
        process = subprocess.Popen([*prefix, sys.executable, "-c", _START, str(theirs)], stdin=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(theirs,), cwd="/",
                                   env=sandbox.environment(home), start_new_session=True)  # fmt: skip
    finally:
        os.close(theirs)
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(job).encode())
        process.stdin.close()
    return process, ours


def _followed(process: subprocess.Popen[bytes], pipe: int, key: str, marks: Marks, run: _Run, limits: Limits,
              deadline: float) -> None:  # fmt: skip
    """Read what the worker tells until it ends, or until a limit is passed."""
    left, size, begun = b"", 0, time.monotonic()
    selector = selectors.DefaultSelector()
    selector.register(pipe, selectors.EVENT_READ)
    while True:
        at = run.at
        if selector.select(POLL):
            part = os.read(pipe, 65_536)
            if not part:
                break
            size += len(part)
            *lines, left = (left + part).split(b"\n")
            for line in lines:
                _take(line, key, marks, run)
        begun = time.monotonic() if run.at != at else begun
        run.ended = _beyond(process, size, time.monotonic() - begun, limits, deadline)
        if run.ended:
            return
    status = process.wait(timeout=10)
    run.ended = "" if run.done else _how(status)


def _beyond(process: subprocess.Popen[bytes], size: int, seconds: float, limits: Limits, deadline: float) -> str:
    """Return which limit has been passed, in words, or ""."""
    if seconds > limits.cell_seconds + 10:
        return f"it had not ended after {seconds:.0f} s"
    if time.monotonic() > deadline:
        return f"the {limits.seconds:g} s for the whole submission were over"
    if size > MOST_OUTPUT:
        return f"it wrote more than {MOST_OUTPUT:,} bytes to the marking program"
    memory, processes = _use(process.pid)
    if memory > limits.memory:
        return f"it took more than the {limits.memory / 2**30:g} GiB of memory it may have"
    return f"it started more than {limits.processes} processes" if processes > limits.processes else ""


def _use(pid: int) -> tuple[int, int]:
    """Return the bytes in memory and the number of processes of a run."""
    bytes_, count = 0, 0
    for each in _family(pid):
        with contextlib.suppress(psutil.Error):
            bytes_, count = bytes_ + each.memory_info().rss, count + 1
    return bytes_, count


def _family(pid: int) -> list[psutil.Process]:
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.Error:
        return []


def _how(status: int) -> str:
    if status < 0 or status > 128:
        number = -status if status < 0 else status - 128
        return f"it ended Python by {signal.Signals(number).name if number in set(signal.Signals) else number}"
    return f"it ended Python with status {status}"


def _ended(process: subprocess.Popen[bytes]) -> None:
    """End a run with all it has started."""
    family = _family(process.pid)
    for each in family:
        with contextlib.suppress(psutil.Error):
            each.kill()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30)


def _take(line: bytes, key: str, marks: Marks, run: _Run) -> None:
    """Take in one line of the worker's; a line that is not signed was written by the submission."""
    text = line.decode("utf-8", "replace").partition(" ")[2]
    if signed(key, text).encode() != line + b"\n":
        marks.note("writes into the marking program's pipe")
        return
    told = json.loads(text)
    what = told.pop("what")
    if what == "cell":
        run.at = ("cell", told["number"])
    elif what == "judging":
        run.at = ("judging", told["id"])
    elif what == "exercise":
        run.at = ("between", None)
        _better(marks, told["id"], told["state"], told["message"])
    elif what == "error":
        marks.errors[told["number"]] = told["message"]
    elif what == "flag":
        marks.note(told["flag"])
    elif what == "done":
        run.done = True


def _better(marks: Marks, id: str, state: str, message: str) -> None:
    """An exercise that is checked twice counts as right if one of the answers was."""
    if marks.exercises.get(id, ("", ""))[0] != "right":
        marks.exercises[id] = (state, message)
