"""check, hint and solution as a learner meets them, in plain Python and in IPython."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import pytest

from gpucourse.exercises import outcome, progress, registry, store
from gpucourse.exercises.compare import Wrong, by_cases
from gpucourse.exercises.problem import Problem, check, hint, solution
from tests.mutants.mutant import answer_of

DOUBLE = Problem(
    id="77.1",
    title="Double",
    task="Double a number. That is all.",
    spec="`double(x)` returns two times `x`.",
    stub="def double(x):\n    return ...\n",
    answer="double",
    lines=1,
    hints=("Think of 2.", "Look at the return.", "`return 2 * ...`"),
    solution="def double(x):\n    return 2 * x\n",
    why="Two times x.",
    judge=by_cases(lambda x: 2 * x, [1, 2, 5]),
    limit=0.5,
)


@pytest.fixture(autouse=True)
def one_lesson(monkeypatch):
    monkeypatch.setattr(registry, "lessons", lambda: {"77": "n77_test"})
    monkeypatch.setattr(registry, "problems", lambda lesson: (DOUBLE,) if lesson == "77" else ())


def source(text, **names):
    return answer_of(text, "double", **names)


@pytest.mark.parametrize(
    ("answer", "state", "message"),
    [
        (lambda x: 2 * x, "right", ""),
        (lambda x: x + 1 if x > 1 else 3, "wrong", "double(1) should be 2 but is 3."),
        (..., "not attempted", "Replace the `...` by your own code and run the cell again."),
        (source("def double(x):\n    y = ...\n    return 2 * y\n"), "not attempted",
         "Line 3, `return 2 * y`, still computes with `...`. Put your own code in its place."),
        (source("def double(x):\n    return x / 0\n"), "raised",
         "Line 2, `return x / 0`, raised ZeroDivisionError: division by zero, in double(1)."),
        (source("def double(x):\n    return double(x)\n"), "raised",
         "Line 2, `return double(x)`, raised RecursionError: maximum recursion depth exceeded, in double(1). "
         "The function calls itself without end."),
        (source("import sys\ndef double(x):\n    sys.exit(2)\n"), "raised",
         "Line 3, `sys.exit(2)`, raised SystemExit: 2, in double(1). It would have ended Python; the "
         "check held "
         "it back."),
        (source("def double(x):\n    exit()\n"), "raised",
         "Line 2, `exit()`, calls exit(), which would end Python and lose your work; it was not carried "
         "out."),
        (source("def double(x):\n    while True: pass\n"), "raised",
         "double(1) had not ended after 0.5 s and was stopped. Line 2, `while True: pass` was running."),
        (source("def double(x):\n    return [0] * 10**15\n"), "raised",
         "Line 2, `return [0] * 10**15`, raised MemoryError, in double(1). It asked for more memory "
         "than is free."),
    ],
)  # fmt: skip
def test_each_outcome(answer, state, message):
    found = DOUBLE.check(answer)
    assert (found.state, found.message) == (state, message)


def test_the_text_of_an_outcome():
    def talks(x):
        print("x is", x)
        return 2 * x if x < 5 else 11

    assert str(DOUBLE.check(talks)).splitlines() == [
        "Exercise 77.1 · Double: not right yet.",
        "double(5) should be 10 but is 11.",
        'For a hint: `hint("77.1")`',
        "Your code printed:",
        "    x is 1",
        "    x is 2",
        "    x is 5",
    ]
    assert str(DOUBLE.check(lambda x: 2 * x)) == "Exercise 77.1 · Double: right.\nTwo times x."


def test_the_box_says_the_state_in_words_and_escapes_what_the_learner_wrote():
    page = DOUBLE.check(lambda x: "<script>")._repr_html_()
    assert "not right yet" in page
    assert "&lt;script&gt;" in page and "<script>" not in page
    assert "background" not in page and "<code>" in page
    for state in outcome.STATES:
        assert outcome.STATES[state][0] in outcome.Outcome("1", "T", state)._repr_html_()


def test_a_judge_is_given_what_it_asks_for():
    seen = {}

    def judge(answer, *, seed, name, xp):
        seen.update(seed=seed, name=name, xp=xp)
        raise Wrong("No.")

    problem = dataclasses.replace(DOUBLE, judge=judge)
    assert problem.check(1, xp="module").message == "No."
    first = seen["seed"]
    problem.check(1, xp="module")
    assert seen == {"seed": first, "name": "double", "xp": "module"}
    problem.check(1, xp="module", seed=5)
    assert seen["seed"] == 5


def test_a_judge_that_fails_is_not_blamed_on_the_learners_line():
    def judge(answer):
        import json

        json.loads("{")

    judge.__code__ = judge.__code__.replace(co_filename=outcome.__file__)
    found = dataclasses.replace(DOUBLE, judge=judge).check(1)
    assert found.state == "raised"
    assert found.message.startswith("This answer could not be judged: JSONDecodeError")


def test_check_shows_and_notes(capsys):
    check("77.1", lambda x: x)
    check("77.1", lambda x: 2 * x)
    check("77.1")
    shown = capsys.readouterr().out
    assert shown.count("Exercise 77.1 · Double:") == 3
    entry = store.read()["77.1"]
    assert entry["attempts"] == 2
    assert len(entry["right"]) == 10


def test_hints_come_one_by_one(capsys):
    for _ in range(4):
        hint("77.1")
    shown = capsys.readouterr().out.splitlines()
    assert shown[:3] == [
        "Exercise 77.1 · hint 1 of 3",
        "Think of 2.",
        'Two more hints are left: call `hint("77.1")` again.',
    ]
    assert shown[3::3] == [f"Exercise 77.1 · hint {n} of 3" for n in (2, 3, 3)]
    hint("77.1", 1)
    assert "Think of 2." in capsys.readouterr().out
    assert progress.hints_seen("77.1") == 3
    hint("77.1", 4)
    assert capsys.readouterr().out == "Exercise 77.1 has the hints 1, 2 and 3; there is no hint 4.\n"


def test_the_solution_is_shown_with_its_reason_and_noted(capsys):
    solution("77.1")
    assert capsys.readouterr().out.splitlines() == [
        "Exercise 77.1 · Double: a solution.", "def double(x):", "    return 2 * x", "Two times x.",
    ]  # fmt: skip
    assert store.read()["77.1"]["solution"] is True


@pytest.mark.parametrize(
    ("id", "line"),
    [
        ("77.2", "There is no exercise '77.2'. Did you mean '77.1'?"),
        ("7.1", "There is no exercise '7.1'. Did you mean '77.1'?"),
        ("abc", "There is no exercise 'abc'. They go from '77.1' to '77.1'."),
        (77.1, 'The id of the exercise comes first, as a string: check("01.1", answer).'),
        (lambda: 1, 'The id of the exercise comes first, as a string: check("01.1", answer).'),
    ],
)
def test_an_unknown_id_is_told_in_one_line(id, line, capsys):
    for call in (lambda: check(id, 1), lambda: hint(id), lambda: solution(id)):
        call()
        assert capsys.readouterr().out == line + "\n"


KERNEL = r'''
import numpy
import gpucourse.backend
gpucourse.backend.array_module = lambda: numpy
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
shell = InteractiveShell.instance()
def run(cell):
    with capture_output() as seen:
        result = shell.run_cell(cell)
    for out in seen.outputs:
        assert set(out.data) == {"text/plain", "text/html"}, out.data
        print(out.data["text/plain"].splitlines()[1])
    assert seen.stdout == "" and result.success, (seen.stdout, result)
run("from gpucourse import check, hint")
run("def speedup(p, n):\n    exit()\ncheck('01.1', speedup)")
run("def speedup(p, n):\n    return p / 0\ncheck('01.1', speedup)")
run("def speedup(p, n):\n    while True: pass\nimport _thread, threading\n"
    "threading.Timer(0.3, _thread.interrupt_main).start()\ncheck('01.1', speedup)")
run("hint('01.1')")
assert not shell.exit_now
print("alive")
'''


def test_in_ipython(tmp_path):
    pytest.importorskip("IPython")
    done = subprocess.run(
        [sys.executable, "-c", KERNEL], capture_output=True, text=True, timeout=60, env=_environment(tmp_path)
    )
    assert done.stdout.splitlines() == [
        "Line 2, `exit()`, calls exit(), which would end Python and lose your work; it was not carried out.",
        "Line 2, `return p / 0`, raised ZeroDivisionError: float division by zero, in speedup(0.5, 2).",
        "You stopped the check before it ended. Nothing was recorded.",
        "The new time has two parts: the part that stays as it was, and the part that is shared out.",
        "alive",
    ], done.stderr


def _environment(tmp_path):
    return {**os.environ, store.VARIABLE: str(tmp_path / "p.json"), "IPYTHONDIR": str(tmp_path)}
