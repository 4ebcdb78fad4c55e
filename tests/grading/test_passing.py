"""`must_pass` raises where `check` only tells, and leaves no trace while somebody else's work is marked."""

import json
import warnings

import pytest

import gpucourse
from gpucourse.errors import CourseError
from gpucourse.exercises import store
from gpucourse.grading.passing import NotRight, must_pass


@pytest.fixture(autouse=True)
def progress_file(tmp_path, monkeypatch):
    file = tmp_path / "progress.json"
    monkeypatch.setenv(store.VARIABLE, str(file))
    monkeypatch.setattr(store, "_memory", {})
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    return file


def right(p, n):
    return 1 / ((1 - p) + p / n)


def wrong(p, n):
    return (1 - p) + p / n


def loud(p, n):
    warnings.warn("noise", stacklevel=1)
    return right(p, n)


def test_a_right_answer_passes_and_is_noted(progress_file, capsys):
    must_pass("01.1", right)
    assert capsys.readouterr().out.startswith("Exercise 01.1 · ")
    assert "right" in json.loads(progress_file.read_text())["exercises"]["01.1"]


@pytest.mark.parametrize("seed", [None, 5])
@pytest.mark.parametrize(("answer", "words"), [(wrong, "not right yet"), (..., "not attempted"), (3, "not right yet"),
                                               (lambda p, n: 1 / 0, "ZeroDivisionError")])  # fmt: skip
def test_any_other_raises_what_check_says(answer, words, seed):
    with pytest.raises(NotRight, match=words):
        must_pass("01.1", answer, seed=seed)


def test_the_message_is_that_of_check(capsys):
    gpucourse.check("01.1", wrong)
    with pytest.raises(NotRight) as raised:
        must_pass("01.1", wrong)
    assert str(raised.value) == capsys.readouterr().out.rstrip("\n")


def test_hidden_inputs_are_judged_in_silence_and_noted_by_nobody(progress_file, capsys):
    must_pass("01.1", right, seed=1)
    assert capsys.readouterr().out == ""
    assert not progress_file.exists()


def test_marking_notes_nothing(progress_file, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    must_pass("01.1", right)
    with pytest.raises(NotRight):
        must_pass("01.1", wrong)
    assert not progress_file.exists()


def test_nothing_reaches_stderr(progress_file, capsys):
    """nbgrader gives no mark to a test that writes there; a warning must not cost one."""
    progress_file.mkdir()     # the progress cannot be written, which is told, too
    must_pass("01.1", loud)
    assert capsys.readouterr().err == ""


def test_an_exercise_that_is_not_there():
    with pytest.raises(CourseError, match=r"no exercise '01\.9'"):
        must_pass("01.9", right)
