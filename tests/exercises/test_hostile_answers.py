"""Nothing a learner hands over or calls ends Python or comes out of a check as an exception."""

from __future__ import annotations

import builtins
import dataclasses
import gc
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from gpucourse.exercises import registry
from gpucourse.exercises.outcome import STATES
from tests.exercises import hostile

PROBLEMS = registry.all_problems()
ROOT = Path(__file__).parents[2]
RETURNED = {f"returns {name}": hostile.returning(value) for name, value in hostile.VALUES.items()}
ANSWERS = {**hostile.VALUES, **hostile.FUNCTIONS, **RETURNED}


def check_all(answer, limit):
    for problem in PROBLEMS:
        outcome = dataclasses.replace(problem, limit=limit).check(answer)
        assert outcome.state in STATES
        assert outcome.state != "interrupted"
        text = str(outcome)
        assert "Traceback" not in text
        assert len(outcome.message) < 700, outcome.message
        assert len(outcome.printed) <= 21
        assert outcome._repr_html_()
        yield problem, outcome


# a stop that happens to fall into some library's finalizer is dropped by Python; the next one comes half a second later
@pytest.mark.filterwarnings(r"ignore:(?s).*TimedOut:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", ANSWERS)
def test_a_hostile_answer_has_an_outcome_and_leaves_nothing_behind(name):
    if name == "recursion":
        gc.collect()   # a finalizer of what other tests left in cycles fails at the bottom of a recursion, and says so
    before = (builtins.len, builtins.print, np.isclose, np.geterr(), sys.stdout, sys.getrecursionlimit())
    for problem, outcome in check_all(ANSWERS[name], 0.15):
        assert outcome.state != "right", (problem.id, outcome)
    after = (builtins.len, builtins.print, np.isclose, np.geterr(), sys.stdout, sys.getrecursionlimit())
    assert before == after
    assert threading.active_count() < 10


@pytest.mark.parametrize("name", hostile.ENDLESS)
def test_an_endless_loop_ends_at_the_limit(name):
    function = next(problem for problem in PROBLEMS if "def " in problem.stub)
    outcome = dataclasses.replace(function, limit=0.2).check(hostile.ENDLESS[name])
    assert outcome.state == "raised"
    assert "had not ended after 0.2 s" in outcome.message


@pytest.mark.skipif(sys.platform == "win32", reason="some of the calls exist on Unix only")
def test_attempts_to_end_python_do_not():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.exercises.hostile"],
        cwd=ROOT, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("alive")
    rows = [line for line in done.stdout.splitlines() if " | " in line]
    assert len(rows) == len(PROBLEMS) * len(hostile.KILLERS)
    assert not [row for row in rows if row.split(" | ")[0].endswith("right")]
    functions = {problem.id for problem in PROBLEMS if "def " in problem.stub}
    refused = [row for row in rows if "was not carried out" in row or "MemoryError" in row or "thread" in row]
    assert len(refused) >= len(functions) * len(hostile.KILLERS) - len(functions)
