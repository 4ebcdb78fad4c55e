"""The learner's copies: nothing of theirs is ever lost, and nothing in a fresh copy gives an answer away."""

from __future__ import annotations

import json
import os

import nbformat
import pytest

from gpucourse import my_course
from gpucourse.errors import CourseError


def write_lesson(folder, name="01_first.ipynb", text="print(6 * 7)"):
    cell = nbformat.v4.new_code_cell(text, execution_count=3)
    cell.outputs = [nbformat.v4.new_output("stream", text="42\n")]
    cell.id = "c1"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("⟨Größe⟩", id="m1"), cell])
    notebook.metadata["widgets"] = {"state": {}}
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / name)
    return folder / name


@pytest.fixture
def lessons(tmp_path):
    write_lesson(tmp_path / "notebooks")
    write_lesson(tmp_path / "notebooks", "02_second.ipynb")
    return tmp_path / "notebooks"


@pytest.fixture
def mine(tmp_path):
    return tmp_path / "my-course"


def work_on(copy):
    notebook = nbformat.read(copy, 4)
    notebook.cells[1].source = "print('mine')"
    nbformat.write(notebook, copy)
    return copy.read_bytes()


def test_a_first_start_copies_every_lesson_without_outputs(lessons, mine):
    assert my_course.update(lessons, mine) == []
    assert sorted(p.name for p in mine.glob("*.ipynb")) == ["01_first.ipynb", "02_second.ipynb"]
    copy = nbformat.read(mine / "01_first.ipynb", 4)
    nbformat.validate(copy)
    assert copy.cells[0].source == "⟨Größe⟩"
    assert copy.cells[1].source == "print(6 * 7)"
    assert copy.cells[1].outputs == [] and copy.cells[1].execution_count is None
    assert "widgets" not in copy.metadata


def test_the_courses_own_notebook_is_left_alone(lessons, mine):
    before = (lessons / "01_first.ipynb").read_bytes()
    my_course.update(lessons, mine)
    assert (lessons / "01_first.ipynb").read_bytes() == before


def test_an_untouched_copy_follows_the_course(lessons, mine):
    my_course.update(lessons, mine)
    write_lesson(lessons, text="print('second edition')")
    assert my_course.update(lessons, mine) == []
    assert "second edition" in (mine / "01_first.ipynb").read_text()


def test_new_outputs_in_the_course_are_no_new_edition(lessons, mine):
    my_course.update(lessons, mine)
    work = work_on(mine / "01_first.ipynb")
    notebook = json.loads((lessons / "01_first.ipynb").read_text())
    notebook["cells"][1]["outputs"] = []
    (lessons / "01_first.ipynb").write_text(json.dumps(notebook))
    assert my_course.update(lessons, mine) == []
    assert (mine / "01_first.ipynb").read_bytes() == work


def test_work_is_kept_when_the_course_moves_on_and_the_learner_is_told_how_to_get_it(lessons, mine):
    my_course.update(lessons, mine)
    work = work_on(mine / "01_first.ipynb")
    assert my_course.update(lessons, mine) == []          # no newer edition yet: nothing to say
    write_lesson(lessons, text="print('second edition')")
    for _ in range(2):                                    # and again at the next start
        (note,) = my_course.update(lessons, mine)
        assert "01_first" in note and "newer edition" in note and "--fresh 01" in note
        assert (mine / "01_first.ipynb").read_bytes() == work


def test_an_edit_taken_back_follows_the_course_again(lessons, mine):
    my_course.update(lessons, mine)
    first = (mine / "01_first.ipynb").read_bytes()
    work_on(mine / "01_first.ipynb")
    my_course.update(lessons, mine)
    (mine / "01_first.ipynb").write_bytes(first)
    write_lesson(lessons, text="print('second edition')")
    my_course.update(lessons, mine)
    assert "second edition" in (mine / "01_first.ipynb").read_text()


@pytest.mark.parametrize("record", [None, "", "{half", "[]"])
def test_a_lost_record_loses_no_work(lessons, mine, record):
    my_course.update(lessons, mine)
    work = work_on(mine / "01_first.ipynb")
    (mine / my_course.RECORD).unlink()
    if record is not None:
        (mine / my_course.RECORD).write_text(record)
    write_lesson(lessons, text="print('second edition')")
    (note,) = my_course.update(lessons, mine)
    assert "01_first" in note
    assert (mine / "01_first.ipynb").read_bytes() == work


def test_a_deleted_copy_comes_back_and_other_files_stay(lessons, mine):
    my_course.update(lessons, mine)
    (mine / "01_first.ipynb").unlink()
    (mine / "notes.md").write_text("mine")
    my_course.update(lessons, mine)
    assert (mine / "01_first.ipynb").exists()
    assert (mine / "notes.md").read_text() == "mine"


def test_fresh_saves_the_learners_copy_first_every_time(lessons, mine):
    my_course.update(lessons, mine)
    works = []
    for saved in ("01_first.mine.ipynb", "01_first.mine-2.ipynb"):
        works.append(work_on(mine / "01_first.ipynb"))
        assert saved in my_course.fresh("01", lessons, mine)
        assert (mine / saved).read_bytes() == works[-1]
        assert (mine / "01_first.ipynb").read_bytes() == my_course.pristine(lessons / "01_first.ipynb")
    assert my_course.update(lessons, mine) == []


def test_fresh_on_an_untouched_copy_saves_nothing(lessons, mine):
    my_course.update(lessons, mine)
    assert my_course.fresh("1", lessons, mine) == "01_first.ipynb is fresh."
    assert len(list(mine.glob("*.ipynb"))) == 2


def test_fresh_after_a_new_edition_tells_nothing_more(lessons, mine):
    my_course.update(lessons, mine)
    work_on(mine / "01_first.ipynb")
    write_lesson(lessons, text="print('second edition')")
    my_course.fresh("01", lessons, mine)
    assert my_course.update(lessons, mine) == []


def test_pages_without_a_number_are_handed_out_and_called_by_name(lessons, mine):
    write_lesson(lessons, "quiz_part_1.ipynb")
    my_course.update(lessons, mine)
    assert my_course.find("quiz_part_1", lessons).name == "quiz_part_1.ipynb"
    work_on(mine / "quiz_part_1.ipynb")
    write_lesson(lessons, "quiz_part_1.ipynb", "print('second edition')")
    (note,) = my_course.update(lessons, mine)
    assert "`lab --fresh quiz_part_1`" in note


def test_where_the_learner_was_is_the_copy_that_was_changed_last(lessons, mine):
    my_course.update(lessons, mine)
    assert my_course.begun(lessons, mine) is None
    for name, at in (("02_second.ipynb", 1000), ("01_first.ipynb", 2000)):
        work_on(mine / name)
        os.utime(mine / name, (at, at))
        assert my_course.begun(lessons, mine) == lessons / name
    os.utime(mine / "02_second.ipynb", (3000, 3000))
    assert my_course.begun(lessons, mine) == lessons / "02_second.ipynb"
    write_lesson(lessons, text="print('second edition')")
    my_course.update(lessons, mine)
    assert my_course.begun(lessons, mine) == lessons / "02_second.ipynb"


def test_a_refreshed_copy_is_no_work(lessons, mine):
    my_course.update(lessons, mine)
    write_lesson(lessons, text="print('second edition')")
    my_course.update(lessons, mine)
    assert my_course.begun(lessons, mine) is None


@pytest.mark.parametrize("lesson", ["", "03", "nine"])
def test_an_unknown_lesson_is_answered_with_those_there_are(lessons, lesson):
    with pytest.raises(CourseError, match="there are 01, 02"):
        my_course.find(lesson, lessons)


def test_no_lessons_here_says_where_they_come_from(tmp_path):
    with pytest.raises(CourseError, match="clone the repository"):
        my_course.update(tmp_path, tmp_path / "my-course")


def test_a_broken_notebook_is_named(lessons, mine):
    (lessons / "01_first.ipynb").write_text("{")
    with pytest.raises(CourseError, match=r"01_first\.ipynb is not a notebook"):
        my_course.update(lessons, mine)
