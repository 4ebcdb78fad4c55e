"""The file of marks: read back by Python's csv module, harmless in a spreadsheet, never written over something else."""

import csv
from pathlib import Path

import pytest

from gpucourse.errors import CourseError
from gpucourse.grading import report
from gpucourse.grading.marking import Marks
from gpucourse.grading.submissions import Submission


def marks(learner="ann", **more):
    return Marks(Submission(learner, Path("in") / learner / "x.ipynb", "01", ("",)), **more)


def test_a_row_for_each_exercise_comes_back_as_it_was(tmp_path):
    found = marks(exercises={"01.1": ("right", ""), "01.2": ("wrong", 'a, "b"\nc')}, flags=["x", "y"], seconds=2.345)
    report.write(tmp_path / "m.csv", report.rows(found, Path("in"), 7))
    with (tmp_path / "m.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["exercise"], row["points"], row["message"]) for row in rows] == [("01.1", "1", ""),
                                                                                ("01.2", "0", 'a, "b" c')]  # fmt: skip
    assert rows[0] | {} == rows[0] and rows[0]["notebook"] == "ann/x.ipynb" and rows[0]["flags"] == "x; y"
    assert rows[0]["seconds"] == "2.3" and rows[0]["seed"] == "7"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@sum(a1)"])
def test_a_name_that_a_spreadsheet_would_compute_is_text(name):
    (row,) = report.rows(marks(name, exercises={"01.1": ("right", "")}), Path("in"), 1)
    assert row[0] == f"'{name}"


def test_an_unreadable_file_has_a_row(tmp_path):
    broken = Marks(Submission("bob", Path("in/bob/y.ipynb"), problem="no notebook"))
    assert next(report.rows(broken, Path("in"), 1))[4:7] == ("unreadable", 0, "no notebook")


def test_another_file_is_not_written_over(tmp_path):
    (tmp_path / "grades.csv").write_text("name,mark\nann,5\n")
    with pytest.raises(CourseError, match="no file of marks"):
        report.require_own(tmp_path / "grades.csv")
    report.write(tmp_path / "own.csv", [])
    report.require_own(tmp_path / "own.csv")
    report.require_own(tmp_path / "new.csv")
    with pytest.raises(CourseError, match="cannot be written"):
        report.require_own(tmp_path / "nowhere" / "x.csv")
