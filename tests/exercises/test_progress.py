"""The learner's progress: what is noted, and a file that no second program, bad disk or bad text spoils."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

import pytest

from gpucourse.exercises import progress as module
from gpucourse.exercises import store
from gpucourse.exercises.progress import progress


def entries(file):
    return json.loads(file.read_text())["exercises"]


def test_what_is_noted(progress_file):
    for state in ("wrong", "raised", "not attempted", "interrupted", "right", "right"):
        module.note_check("01.1", state)
    module.note_hint("01.1", 2)
    module.note_hint("01.1", 1)
    module.note_solution("01.2")
    found = json.loads(progress_file.read_text())
    assert found["version"] == 1
    day = found["exercises"]["01.1"].pop("right")
    assert found["exercises"]["01.1"].pop("last")["state"] == "right"
    assert found["exercises"] == {"01.1": {"attempts": 4, "hints": 2}, "01.2": {"solution": True}}
    assert len(day.split("-")) == 3


def test_nothing_is_noted_for_what_is_no_attempt(progress_file):
    module.note_check("01.1", "not attempted")
    assert not progress_file.exists()


def test_the_first_right_day_stays(progress_file):
    progress_file.parent.mkdir()
    progress_file.write_text('{"version": 1, "exercises": {"01.1": {"right": "2020-02-02", "later": [1]}}}')
    module.note_check("01.1", "right")
    found = entries(progress_file)["01.1"]
    assert found.pop("last")["state"] == "right"
    assert found == {"right": "2020-02-02", "attempts": 1, "later": [1]}


def test_the_file_is_in_the_home_folder_by_default(monkeypatch):
    monkeypatch.delenv(store.VARIABLE)
    monkeypatch.setenv("HOME", "/somebody")
    monkeypatch.setenv("USERPROFILE", "/somebody")
    assert store.path().parts[-3:] == ("somebody", ".gpucourse", "progress.json")


def test_two_programs_at_once_lose_nothing(progress_file):
    code = (
        "from gpucourse.exercises.progress import note_check\nfor _ in range(40): note_check('01.1', 'wrong')"
    )
    programs = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [program.wait(60) for program in programs] == [0, 0, 0]
    assert entries(progress_file)["01.1"]["attempts"] == 120
    files = sorted(file.name for file in progress_file.parent.iterdir())
    assert files == ["progress.json", "progress.json.lock"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"version": 1}', '{"version": 1, "exercises": [1]}', "\x00",
             '{"version": "x"}',
             '{"version": 1, "exercises": {"01.1": 3}}', "[" * 100_000],
)  # fmt: skip
def test_an_unreadable_file_is_set_aside(progress_file, text, capsys):
    progress_file.parent.mkdir()
    progress_file.write_text(text)
    module.note_check("01.1", "wrong")
    module.note_check("01.1", "wrong")
    aside = progress_file.with_name("progress.unreadable-1.json")
    assert aside.read_text() == text
    assert entries(progress_file)["01.1"]["attempts"] == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert str(aside) in told[0]


def test_strange_entries_are_borne(progress_file, capsys):
    progress_file.parent.mkdir()
    strange = {"01.1": {"hints": "x", "attempts": None}, "99.9": {}}
    progress_file.write_text(json.dumps({"version": 1, "exercises": strange}))
    assert module.hints_seen("01.1") == 0
    progress()
    module.note_hint("01.1", 1)
    assert entries(progress_file)["01.1"]["hints"] == 1


def test_a_file_of_a_newer_version_is_left_as_it_is(progress_file, capsys):
    progress_file.parent.mkdir()
    text = '{"version": 2, "exercises": {}}'
    progress_file.write_text(text)
    module.note_hint("01.1", 1)
    module.note_hint("01.1", 2)
    assert module.hints_seen("01.1") == 2
    assert progress_file.read_text() == text
    assert capsys.readouterr().err.count("newer version") == 1


def test_an_unwritable_folder_is_told_once_and_the_exercises_go_on(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "file" / "progress.json"))
    for level in (1, 2):
        module.note_hint("01.1", level)
    assert module.hints_seen("01.1") == 2
    progress()
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert told[0].startswith("Your progress is kept only until Python ends: ")


def test_a_lock_that_somebody_holds_does_not_block_for_ever(progress_file, monkeypatch, capsys):
    monkeypatch.setattr(store, "LOCK_SECONDS", 0.05)
    with store._locked(progress_file):
        module.note_hint("01.1", 1)
    assert "has held" in capsys.readouterr().err
    assert module.hints_seen("01.1") == 1


def test_a_write_that_fails_leaves_the_old_file(progress_file, monkeypatch, capsys):
    module.note_hint("01.1", 1)
    before = progress_file.read_text()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    module.note_hint("01.1", 2)
    assert progress_file.read_text() == before
    assert module.hints_seen("01.1") == 2
    assert "No space left" in capsys.readouterr().err
    assert len(list(progress_file.parent.iterdir())) == 2


def test_the_table(capsys):
    module.note_check("01.1", "right")
    module.note_hint("01.2", 3)
    module.note_solution("01.2")
    progress("01")
    first, head, *rows = capsys.readouterr().out.splitlines()
    assert first.startswith("Lesson 01: 1 of ")
    assert head.split() == ["exercise", "right", "attempts", "last", "attempt", "hints", "solution"]
    assert rows[0].startswith("01.1")
    assert rows[0].endswith("1         right")
    assert rows[1].split()[-2:] == ["3", "seen"]
    progress("44")
    assert capsys.readouterr().out == "There is no lesson '44' with exercises.\n"


@pytest.mark.parametrize(
    ("what", "left"),
    [("01", ["02.1"]), ("01.1", ["01.2", "02.1"]), ("all", []), (True, []), ("01.", None), ("x", None)],
)
def test_reset(progress_file, what, left, capsys):
    for id in ("01.1", "01.2", "02.1"):
        module.note_hint(id, 1)
    before = progress_file.read_text()
    progress(reset=what)
    told = capsys.readouterr().out
    backup = progress_file.with_name("progress.backup-1.json")
    if left is None:
        assert "Nothing was changed." in told
        assert not backup.exists()
    else:
        assert sorted(entries(progress_file)) == left
        assert backup.read_text() == before
        assert str(backup) in told


def test_a_reset_of_nothing(progress_file, capsys):
    progress(reset="01.1")
    assert capsys.readouterr().out == "Nothing was recorded for exercise 01.1.\n"
    assert not progress_file.exists()


@pytest.mark.parametrize(("words", "reset"), [([], None), (["--reset"], "all"), (["--reset", "01"], "01")])
def test_the_command_line(words, reset, monkeypatch):
    seen = []
    monkeypatch.setattr(module, "progress", lambda **options: seen.append(options))
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    assert module.run(parser.parse_args(words)) == 0
    assert seen == [{"reset": reset}]
