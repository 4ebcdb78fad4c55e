"""The map of the course: its sentence and its picture; tests/guide/test_course.py has its table."""

import pytest
from texts import clashes

pytest.importorskip("matplotlib")
from gpucourse.viz import course_map, explorers, picture


def test_by_hand():
    assert course_map.builds_on("09") == ["14"] and course_map.builds_on("17") == []
    assert course_map.bases("08") == ("07",)         # 03 to 06 lie on the way


def test_the_sentence():
    due = "Lesson 09, Other roads, needs 05 and 06; these in turn need 01, 02, 03 and 04. 14 needs it directly."
    assert course_map.sentence("09") == due
    assert course_map.sentence("17").endswith("No lesson needs it directly.")
    whole = course_map.sentence()
    assert "part III, Neural networks from the ground up, lessons 10 to 12" in whole and "12 on 07 and 11" in whole
    with pytest.raises(ValueError, match="from '01' to '19'"):
        course_map.sentence("20")


@pytest.mark.parametrize("lesson", ["all", "01", "12", "19"])
def test_the_picture_is_readable(lesson):
    fig, sentence = course_map.draw(lesson)
    assert sentence == course_map.sentence(lesson)
    assert clashes(fig) == []
    assert len(picture.png(fig)) > 10_000


def arrows(lesson):
    """How many arrows the picture has."""
    fig, _ = course_map.draw(lesson)
    return sum(getattr(text, "arrow_patch", None) is not None for text in fig.axes[0].texts)


def test_every_lesson_that_lights_up_has_an_arrow():
    every = sum(len(course_map.bases(one)) for one in course_map.NEEDS)
    assert arrows("all") == arrows("07") == every
    assert arrows("12") == every + 2                # to 14 and 17, which the whole map leaves out
    assert arrows("13") == every + 4                # to 16, 17, 18 and 19


def test_the_explorer_moves():
    pytest.importorskip("ipywidgets")
    made = explorers.course_map()
    before = made.image.value
    made.set(lesson="13")
    assert made.sentence == course_map.sentence("13") and made.image.value != before
