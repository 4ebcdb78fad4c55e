"""docs/budgets.md: a row for each lesson, within the contract; and the tool that writes it, on lessons of two cells."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
for package in ("jupytext", "nbclient", "psutil"):
    pytest.importorskip(package)
budgets = pytest.importorskip("budgets")

LESSONS = [path.stem for path in budgets.lesson_paths()]
QUIET = budgets.Row("03_first_kernel", 48, 15, 14, 640, "2.15.0", "2026-11-22")
BUSY = budgets.Row("13_cnn_digits", 60, 240, 70, 900, "2.15.0", "2026-11-23", load=7.5)


@pytest.fixture(scope="module")
def table():
    return (ROOT / "docs" / "budgets.md").read_text()


def test_every_lesson_has_a_row_and_nothing_else_has(table):
    cells = re.findall(r"^\| `(\S+)` \|", table, re.MULTILINE)
    assert cells == LESSONS, "run tools/budgets.py NN for the lesson that is new, or without a number for all"


def test_every_figure_is_measured_and_within_the_contract(table):
    for line in re.findall(r"^\| `.*", table, re.MULTILINE):
        parts = [part.strip() for part in line.strip("|").split("|")]
        lesson, cells, seconds, processor, megabytes, torch, when = parts
        assert int(seconds) <= (90 if 13 <= int(lesson[1:3]) <= 19 else 45), line
        assert "load" not in when, f"measured on a busy machine, which proves nothing about time: {line}"
        assert int(processor) <= int(seconds) + 1, line
        assert 100 < int(megabytes) <= 1500, line
        assert int(cells) > 10
        assert re.match(r"2\.\d+\.\d", torch)
        assert datetime.date.fromisoformat(when[:10]) >= datetime.date(2026, 11, 22)
    assert re.search(r"Machine: .+, \d+ cores; one core used", table)


def test_the_table_is_read_as_it_was_written():
    rows = {row.name: row for row in (BUSY, QUIET)}
    text = budgets.page(rows, "a processor, 2 cores")
    assert budgets.read_rows(text) == rows
    assert list(budgets.read_rows(text)) == [QUIET.name, BUSY.name]
    assert "1 row names a load above 1.5" in text
    assert "Machine: a processor, 2 cores; one core used" in text
    assert "load above" not in budgets.page({QUIET.name: QUIET}, "a processor")


@pytest.mark.parametrize(("row", "said"), [
    (budgets.Row("03_a", 9, 45, 45, 1500, "2.15.0", "2026-11-22"), ""),
    (budgets.Row("03_a", 9, 46, 40, 700, "2.15.0", "2026-11-22"), "03_a: 46 s on one core; the limit is 45 s"),
    (budgets.Row("13_a", 9, 90, 40, 700, "2.15.0", "2026-11-22"), ""),
    (budgets.Row("13_a", 9, 91, 80, 700, "2.15.0", "2026-11-22"), "13_a: 91 s on one core; the limit is 90 s"),
    (budgets.Row("03_a", 9, 400, 95, 700, "2.15.0", "2026-11-22", load=9.0), ""),
    (budgets.Row("03_a", 9, 40, 40, 1501, "2.15.0", "2026-11-22", load=9.0),
     "03_a: 1501 MB at the peak; the limit is 1500 MB"),
    (budgets.Row("03_a", 9, 40, 40, 1501, "2.15.0", "2026-11-22"), "03_a: 1501 MB at the peak; the limit is 1500 MB"),
])  # fmt: skip
def test_what_is_over_a_limit_is_named(row, said):
    assert row.over() == said


def test_a_control_group_of_either_kind_gets_binders_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(budgets.os, "getpid", lambda: 77)
    assert budgets.join_group(tmp_path / "none") is False
    assert budgets.join_group(tmp_path)
    assert (tmp_path / "gpucourse-77" / "memory.max").read_text() == "2000000000"
    assert (tmp_path / "gpucourse-77" / "cgroup.procs").read_text() == "77"
    (tmp_path / "memory").mkdir()
    assert budgets.join_group(tmp_path)
    assert (tmp_path / "memory" / "gpucourse-77" / "memory.limit_in_bytes").read_text() == "2000000000"
    assert (tmp_path / "memory" / "gpucourse-77" / "tasks").read_text() == "77"


@pytest.fixture
def two_lessons(tmp_path, monkeypatch):
    paths = [tmp_path / "03_a.md", tmp_path / "04_b.md"]
    monkeypatch.setattr(budgets, "lesson_paths", lambda numbers=None: paths)
    monkeypatch.setattr(budgets, "TABLE", tmp_path / "budgets.md")
    monkeypatch.setattr(budgets, "machine", lambda: "this machine, 2 cores")
    return paths


def test_a_lesson_measured_anew_leaves_the_others_row(two_lessons, monkeypatch):
    old = {name: budgets.Row(name, 20, 9, 9, 500, "2.15.0", "2026-11-22") for name in ("03_a", "04_b", "05_gone")}
    budgets.TABLE.write_text(budgets.page(old, "this machine, 2 cores"))
    new = budgets.Row("04_b", 21, 10, 10, 600, "2.15.0", "2026-12-01")
    monkeypatch.setattr(budgets, "measured", lambda path: new)
    assert budgets.measure(two_lessons[1:]) == 0
    assert budgets.read_rows(budgets.TABLE.read_text()) == {"03_a": old["03_a"], "04_b": new}


def test_rows_of_another_machine_are_not_mixed_in(two_lessons, capsys):
    other = budgets.page({"03_a": budgets.Row("03_a", 20, 9, 9, 500, "2.15.0", "2026-11-22")}, "another, 64 cores")
    budgets.TABLE.write_text(other)
    assert budgets.measure(two_lessons[1:]) == 1
    assert "measure all lessons" in capsys.readouterr().err
    assert budgets.TABLE.read_text() == other


def test_a_lesson_that_failed_is_told_and_the_rest_is_measured(two_lessons, monkeypatch, capsys):
    good = budgets.Row("04_b", 21, 10, 10, 600, "2.15.0", "2026-12-01")
    answers = {"03_a": "03_a: killed: more than 2 GB", "04_b": good}
    monkeypatch.setattr(budgets, "measured", lambda path: answers[path.stem])
    assert budgets.measure(two_lessons) == 1
    assert "03_a: killed: more than 2 GB" in capsys.readouterr().err
    assert budgets.read_rows(budgets.TABLE.read_text()) == {"04_b": good}


def test_a_killed_lesson_says_why(two_lessons, monkeypatch):
    monkeypatch.setattr(budgets.sys, "executable", "/bin/sh")
    script = two_lessons[0].parent / "run.sh"
    monkeypatch.setattr(budgets, "__file__", str(script))
    script.write_text("kill -9 $$")
    assert budgets.measured(two_lessons[0]) == "03_a: killed: more than 2 GB"
    script.write_text("echo 'NameError: x' >&2; exit 1")
    assert budgets.measured(two_lessons[0]) == "03_a: NameError: x"
