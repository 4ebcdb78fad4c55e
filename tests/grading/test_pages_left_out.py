"""A handed-in folder may hold the course's pages without exercises: they have no marks and no complaint."""

import nbformat
import pytest

from gpucourse.errors import CourseError
from gpucourse.grading.submissions import submissions
from lesson_source import assemble, page_paths

GUIDE = [path for path in page_paths() if path.stem == "00_start_here" or not path.name[:2].isdecimal()]


def hand_in(folder, path, name=None):
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(assemble(path), folder / (name or f"{path.stem}.ipynb"))


def test_the_pages_are_left_out_whatever_their_names(tmp_path):
    for number, path in enumerate(GUIDE):
        hand_in(tmp_path / "ann", path, f"mine {number}.ipynb")
    (lesson,) = page_paths(["03"])
    hand_in(tmp_path / "ann", lesson)
    assert [(each.learner, each.lesson, each.problem) for each in submissions(tmp_path)] == [("ann", "03", "")]


def test_a_lesson_that_imports_the_guide_is_marked(tmp_path):
    cells = ["from gpucourse.guide.answering import answer", 'check("01.1", 3)']
    (tmp_path / "ann").mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, tmp_path / "ann" / "x.ipynb")
    assert [each.lesson for each in submissions(tmp_path)] == ["01"]


def test_a_folder_of_such_pages_alone_holds_nothing_to_mark(tmp_path):
    hand_in(tmp_path / "ann", GUIDE[0])
    with pytest.raises(CourseError, match="no notebook"):
        submissions(tmp_path)
