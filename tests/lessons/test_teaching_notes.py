"""The teacher's notes say what the lessons say: sections, times, exercises, and an answer to each prediction."""

import json
import re
import sys
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytest.importorskip("jupytext")
sys.path.insert(0, str(ROOT / "tools"))
notes = pytest.importorskip("build_teaching_notes")

from gpucourse.examination import LESSONS as ALL_LESSONS  # noqa: E402
from gpucourse.exercises import registry  # noqa: E402

TEACHING = ROOT / "docs" / "teaching"
LESSONS = {lesson.stem: lesson for lesson in notes.lessons()}
OURS = [TEACHING / name for name in ("README.md", "two_days.md", "twelve_weeks.md")]
HEADINGS = ["What it is for", "Timings", "Answers to the predictions", "Where learners stumble",
            "Questions for the class", "If time is short", "With a GPU in the room"]
ANSWER = re.compile(r"^- \*\*P(\d+)\*\* \*(.+?)\*: (.+)$", re.MULTILINE)


@pytest.fixture(params=LESSONS.values(), ids=lambda lesson: lesson.stem)
def lesson(request):
    return request.param


@pytest.fixture
def note(lesson):
    return (notes.NOTES / f"{lesson.stem}.md").read_text("utf-8")


def between(text, heading):
    """The text under a heading of the second level."""
    return re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[1]


def predictions(lesson):
    """(section's title, the words of a prediction), in order."""
    return [(section.title, asked) for section in lesson.sections for asked in section.predictions]


def answers(note):
    """(section's title, number, quoted words, answer), in order."""
    found = []
    for part in re.split(r"^### ", between(note, "Answers to the predictions"), flags=re.MULTILINE)[1:]:
        title, _, rest = part.partition("\n")
        found += [(title, int(number), quote, answer) for number, quote, answer in ANSWER.findall(rest)]
    return found


def shown(lesson):
    """All that a learner reads in the stored lesson: sources and printed results, in one line."""
    cells = json.loads((ROOT / "notebooks" / f"{lesson.stem}.ipynb").read_text("utf-8"))["cells"]
    parts = ["".join(cell["source"]) for cell in cells]
    for output in (output for cell in cells for output in cell.get("outputs", ())):
        parts += ["".join(output.get("text", "")), "".join(output.get("data", {}).get("text/plain", ""))]
    return " ".join(" ".join(parts).split())


def test_every_lesson_has_its_note_and_every_note_its_lesson():
    there = {path.stem for path in notes.NOTES.glob("*.md")}
    assert set(LESSONS) <= there
    assert there <= {f"{lesson.number}_{lesson.name}" for lesson in ALL_LESSONS}   # a note may come before its lesson


def test_the_tables_are_up_to_date(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["build_teaching_notes.py", "--check"])
    assert notes.main() == 0


def test_a_note_has_the_one_form(lesson, note):
    headings = [heading for heading in re.findall(r"^## (.+)$", note, re.MULTILINE) if heading != "The culprits"]
    assert headings == HEADINGS
    number = lesson.stem[:2]
    assert note.startswith(f"# Lesson {number} · {lesson.title.split('·')[-1].strip().split(':')[0]}")


def test_every_prediction_has_its_answer(lesson, note):
    asked, said = predictions(lesson), answers(note)
    assert [number for _, number, _, _ in said] == list(range(1, len(asked) + 1))
    for (section, words), (heading, number, quote, _) in zip(asked, said, strict=True):
        assert heading == section, f"P{number} stands under {heading!r}, the lesson asks it in {section!r}"
        assert quote in words, f"P{number} quotes {quote!r}; the lesson asks: {words[:200]}"


def test_what_an_answer_shows_as_code_stands_in_the_lesson(lesson, note):
    text = shown(lesson)
    for _, number, _, answer in answers(note):
        for code in re.findall(r"`([^`]+)`", answer):
            assert " ".join(code.split()) in text, f"P{number}: `{code}` is nowhere in the lesson"


# what is said of one machine's run is not held: "(stored: ...)", and sentences that say so
STORED = re.compile(r"\([^()]*stored[^()]*\)|[^.;]*\b[Ss]tored\b.*?(?:\.(?= |$)|$)")
NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
# lesson and prediction -> what its answer works out from numbers that stand in the lesson
DERIVED = {
    ("01", 6): {"6"},                         # the limit of the speed-up, of that machine
    ("01", 11): {"4.4", "21.15", "0.305"},    # exercise 01.5's answer, and its two medians
    ("02", 8): {"9.6"}, ("02", 15): {"200"}, ("02", 16): {"13.1"},
    ("05", 18): {"2.2"}, ("06", 12): {"9.5"}, ("07", 2): {"6.6"}, ("09", 7): {"31"}, ("12", 13): {"392"},
    ("11", 4): {"970"},                       # printed as 9.7e+02
}


def test_the_numbers_of_an_answer_stand_in_the_lesson(lesson, note):
    """Rounding is allowed, and numbers called stored are of one machine."""
    seen = {float(word.replace(",", "")) for word in NUMBER.findall(shown(lesson)) if word.replace(",", "")}
    for _, number, _, answer in answers(note):
        for word in NUMBER.findall(STORED.sub(" ", answer)):
            value = word.rstrip(",").replace(",", "")
            places = len(value.partition(".")[2])
            known = float(value) in seen or any(round(other, places) == float(value) for other in seen)
            derived = word.rstrip(",") in DERIVED.get((lesson.stem[:2], number), ())
            assert known or derived, f"P{number}: {word} is nowhere in the lesson: {answer}"


def test_the_minutes_are_the_lessons_own(lesson, note):
    assert sum(lesson.shares) == lesson.minutes
    assert min(lesson.shares) >= 1
    assert f"The lesson allows {lesson.minutes} minutes" in note


def test_the_exercises_that_a_note_names_are_the_lessons(lesson, note):
    number = lesson.stem[:2]
    own = {problem.id for problem in registry.problems(number)}
    assert own == {id for section in lesson.sections for id in section.exercises}
    named = set(re.findall(rf"\b{number}\.\d\b", note))
    assert named <= own, f"no such exercise: {sorted(named - own)}"
    table = note[note.index(notes.BEGIN) : note.index(notes.END)]
    assert own == set(re.findall(r"\b\d\d\.\d\b", table))


@pytest.mark.parametrize("path", [*OURS, *(notes.NOTES / f"{stem}.md" for stem in LESSONS)], ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if not target.startswith(("http", "mailto")):
            file, _, anchor = target.partition("#")
            aim = (path.parent / file).resolve() if file else path
            assert aim.exists(), f"{path.name}: {target}"
            assert not anchor or anchor in anchors(aim), f"{path.name}: {target}"


def anchors(path):
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# -- the two timetables --------------------------------------------------------------------------------

ROW = re.compile(r"^\| (\d\d:\d\d) \| (\d+) \| (.+) \|$", re.MULTILINE)
NAMED = re.compile(r"\*\*(\d\d)\*\*((?: \"[^\"]+\",?)+)")


def sections_in(text):
    """(lesson, section) for each section that a text names: **05** "1. Who has read this already?", "..."."""
    return [(number, title) for number, quoted in NAMED.findall(text) for title in re.findall(r'"([^"]+)"', quoted)]


def test_the_workshop_has_no_gap_and_no_overlap():
    days = re.split(r"^## Day ", (TEACHING / "two_days.md").read_text("utf-8"), flags=re.MULTILINE)[1:]
    assert len(days) == 2
    for day in days:
        rows = [(datetime.strptime(time, "%H:%M"), int(minutes)) for time, minutes, _ in ROW.findall(day)]
        assert len(rows) > 10
        for (start, minutes), (following, _) in pairwise(rows):
            assert start + timedelta(minutes=minutes) == following


@pytest.mark.parametrize("name", ["two_days", "twelve_weeks"])
def test_sections_and_exercises_are_named_as_the_lessons_have_them(name):
    text = (TEACHING / f"{name}.md").read_text("utf-8")
    titles = {lesson.stem[:2]: {section.title for section in lesson.sections} for lesson in LESSONS.values()}
    named = sections_in(text)
    assert named or name == "twelve_weeks"
    assert [pair for pair in named if pair[0] in titles and pair[1] not in titles[pair[0]]] == []
    ids = {problem.id for problem in registry.all_problems()}
    missing = {id for id in re.findall(r"\b[01]\d\.[1-9]\b", text) if id not in ids and id[:2] in titles}
    assert missing == set()


def test_what_the_workshop_leaves_out_is_counted():
    hours = round(sum(lesson.minutes for stem, lesson in LESSONS.items() if stem[:2] < "18") / 60)
    text = " ".join((TEACHING / "two_days.md").read_text("utf-8").split())
    assert f"about {hours} hours for lessons 01 to 17" in text


def test_the_workshop_gives_each_section_about_the_time_that_the_notes_say():
    """A row of the workshop may skip parts of what it names, but it takes no more than the lesson does, nor a third."""
    text = (TEACHING / "two_days.md").read_text("utf-8")
    minutes = {(lesson.stem[:2], section.title): share for lesson in LESSONS.values()
               for section, share in zip(lesson.sections, lesson.shares, strict=True)}
    for time, planned, what in ROW.findall(text):
        if named := sections_in(what):
            whole = sum(minutes[pair] for pair in named)
            assert whole / 3 <= int(planned) <= 1.5 * whole + 5, f"{time}: {planned} minutes for {whole}"


def test_the_weeks_of_the_term_hold_their_lessons():
    text = (TEACHING / "twelve_weeks.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| ([^|]*) \| (\d+|open) \|", text, re.MULTILINE)
    assert [int(week) for week, _, _ in rows] == list(range(1, 13))
    planned = {number for _, lessons, _ in rows for number in re.findall(r"\b\d\d\b", lessons)}
    assert {lesson.stem[:2] for lesson in LESSONS.values()} <= planned
    minutes = {lesson.stem[:2]: lesson.minutes for lesson in LESSONS.values()}
    for week, lessons, hours in rows:
        numbers = re.findall(r"\b\d\d\b", lessons)
        if numbers and all(number in minutes for number in numbers):
            assert sum(minutes[number] for number in numbers) == int(hours), f"week {week}"
