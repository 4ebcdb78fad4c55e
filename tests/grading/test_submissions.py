"""Which notebooks are found, whose they are, and what is said of a file that is none."""

import json

import nbformat
import pytest

from gpucourse.errors import CourseError
from gpucourse.grading import submissions as module
from gpucourse.grading.submissions import submissions


def hand_in(path, *cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.cells.append(nbformat.v4.new_markdown_cell("check('09.9', x)"))
    nbformat.write(notebook, path)


def test_a_folder_a_learner_or_a_file_a_learner(tmp_path):
    hand_in(tmp_path / "ann" / "work" / "renamed.ipynb", "check('04.2', x)", "check('04.3', y); check('01.1', z)")
    hand_in(tmp_path / "bob_02_arrays_on_the_gpu.ipynb", "x = 1")
    hand_in(tmp_path / "ann" / ".ipynb_checkpoints" / "old.ipynb", "check('04.2', x)")
    found = [(each.learner, each.path.name, each.lesson, len(each.cells), each.problem)
             for each in submissions(tmp_path)]  # fmt: skip
    assert found == [("ann", "renamed.ipynb", "04", 2, ""),
                     ("bob_02_arrays_on_the_gpu", "bob_02_arrays_on_the_gpu.ipynb", "02", 1, "")]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{not json", "no notebook of format 4"),
        ("[]", "no notebook of format 4"),
        (json.dumps({"worksheets": []}), "no notebook of format 4"),
        (json.dumps({"cells": [{"cell_type": "code"}]}), "no notebook of format 4"),
        ("[" * 200_000, "no notebook of format 4"),
        (json.dumps({"cells": []}), "it checks no exercise of this course"),
    ],
)
def test_a_file_that_is_no_notebook_is_told_as_such(tmp_path, text, why):
    (tmp_path / "x.ipynb").write_text(text)
    (only,) = submissions(tmp_path)
    assert only.problem.startswith(why) and not only.cells and only.lesson == ""


def test_a_huge_file_is_not_read(tmp_path, monkeypatch):
    hand_in(tmp_path / "01_x.ipynb", "x = 1")
    monkeypatch.setattr(module, "LARGEST", 20)
    assert "less than 20" in submissions(tmp_path)[0].problem


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    hand_in(tmp_path / "outside" / "01_x.ipynb", "x = 1")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "01_x.ipynb").symlink_to(tmp_path / "outside" / "01_x.ipynb")
    with pytest.raises(CourseError, match="no notebook"):
        submissions(tmp_path / "in")


def test_a_missing_folder_is_one_clear_error(tmp_path):
    with pytest.raises(CourseError, match="is not a folder"):
        submissions(tmp_path / "nowhere")
