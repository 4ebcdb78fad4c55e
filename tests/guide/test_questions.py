"""The questions: each wrong choice is told its reason and what to read, the right one passes, nonsense gets a line."""

import re
from pathlib import Path

import pytest

from gpucourse.exercises import registry
from gpucourse.guide import answering, sheets
from gpucourse.guide.question import UNKNOWN, Page

SOURCES = Path(__file__).parents[2] / "notebooks" / "src"
QUESTIONS = [question for sheet in sheets.SHEETS for question in sheets.questions(sheet)]
WRONG = [(question, letter) for question in QUESTIONS for letter in question.options if letter != question.right]


@pytest.fixture(autouse=True)
def progress(tmp_path, monkeypatch):
    """A progress file of this test's own."""
    monkeypatch.setenv("GPUCOURSE_PROGRESS", str(tmp_path / "progress.json"))


@pytest.fixture(params=QUESTIONS, ids=lambda question: question.id)
def question(request):
    return request.param


@pytest.mark.parametrize(("sheet", "least", "most"), [("start", 10, 12), *((f"part{n}", 5, 8) for n in range(1, 5))])
def test_the_sheets_are_short_and_numbered(sheet, least, most):
    ids = [question.id for question in sheets.questions(sheet)]
    assert ids == [f"{sheet}.{n}" for n in range(1, len(ids) + 1)]
    assert least <= len(ids) <= most


def test_no_letter_is_right_much_more_often_than_chance():
    right = [question.right for question in QUESTIONS]
    assert max(map(right.count, "abcd")) <= len(right) // 2
    assert min(map(right.count, "abcd")) >= 2


def test_a_question_has_four_different_options_and_a_reason_for_each_wrong_one(question):
    assert set(question.options) == set("abcd")
    assert len(set(question.options.values())) == 4
    assert set(question.wrong) == set("abcd") - {question.right}
    reasons = [*question.wrong.values(), question.why]
    assert len(set(reasons)) == 4, "two choices are told the same"
    assert all(len(reason.split()) >= 6 for reason in reasons)
    assert question.read


@pytest.mark.parametrize(("question", "letter"), WRONG, ids=[f"{q.id}-{letter}" for q, letter in WRONG])
def test_a_wrong_choice_is_told_its_own_reason_and_what_to_read(question, letter, capsys):
    answering.answer(question.id, letter)
    said = capsys.readouterr().out
    headline = f"Question {question.number}: not right."
    assert said.startswith(f"{headline}\n{question.wrong[letter]}\nRead: ")
    assert question.why not in said
    assert not any(reason in said for other, reason in question.wrong.items() if other != letter)


@pytest.mark.parametrize("written", [str, str.upper, " {} ".format])
def test_the_right_choice_passes_with_its_reason_however_it_is_written(question, written, capsys):
    answering.answer(question.id, written(question.right))
    said = capsys.readouterr().out
    assert said == f"Question {question.number}: right.\n{question.why}\n"


NONSENSE = ("e", "", "ab", "b)", 2, 1.5, None, ["b"], {"a"}, True, b"b", print, "x" * 500)


@pytest.mark.parametrize("nonsense", NONSENSE, ids=repr)
def test_nonsense_is_answered_in_one_clear_line_and_not_noted(nonsense, capsys):
    answering.answer("part1.3", nonsense)
    head, line, *rest = capsys.readouterr().out.splitlines()
    assert head.endswith(": not understood.") and rest == []
    assert 'is no option of this question: answer "a", "b", "c", "d" or "?"' in line and len(line) < 150
    assert answering.first_answers("part1") == {}


def test_nonsense_is_nonsense_for_every_question(question):
    assert {answering.judged(question, nonsense)[0] for nonsense in NONSENSE} == {"nonsense"}


def test_an_open_question_says_how_to_answer(question, capsys):
    answering.answer(question.id, ...)
    assert "not answered yet" in capsys.readouterr().out
    assert answering.first_answers(question.id.split(".")[0]) == {}


def test_not_to_know_is_an_answer_that_is_told_what_to_read(question, capsys):
    answering.answer(question.id, UNKNOWN)
    said = capsys.readouterr().out
    assert all(f"Read: {place.name}." in said for place in question.read)
    assert question.why not in said


@pytest.mark.parametrize("id", ["part1.77", "part9.1", "part1", "", "01.1", 3, None, "part1.01"])
def test_an_unknown_question_is_one_line(id, capsys):
    answering.answer(id, "a")
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_sections_to_read_exist(question):
    """A heading that was renamed in a lesson is renamed here, too."""
    for place in question.read:
        if isinstance(place, Page):
            assert re.fullmatch(r"https://[\w.-]+/\S+", place.link)
            continue
        (source,) = SOURCES.glob(f"{place.lesson}_*.md")
        headings = re.findall(r"^#{2,3} (.+)$", source.read_text("utf-8"), re.MULTILINE)
        assert place.heading in ("", *headings), f"lesson {place.lesson} has the sections {headings}"
        assert place.link.startswith(f"{source.stem}.ipynb")


def test_the_first_answer_counts_and_later_ones_teach(capsys):
    wrong = next(letter for letter in "abcd" if letter != sheets.find("part1.1").right)
    for letter in (wrong, sheets.find("part1.1").right):
        answering.answer("part1.1", letter)
    answering.answer("part1.2", sheets.find("part1.2").right)
    answering.answer("part1.2", "?")
    capsys.readouterr()
    assert answering.known("part1") == {"part1.2"}
    answering.result("part1")
    said = capsys.readouterr().out
    assert "1 of 6 right at the first answer" in said and "4 without an answer yet" in said
    assert all(f"Read: {place.name}." in said for place in sheets.find("part1.1").read)
    assert not any(f"Read: {place.name}." in said for place in sheets.find("part1.2").read)


def test_all_right_asks_to_read_nothing(capsys):
    for question in sheets.questions("part3"):
        answering.answer(question.id, question.right)
    capsys.readouterr()
    answering.result("part3")
    assert capsys.readouterr().out == "Quiz of part III: 7 of 7 right at the first answer.\nAll are answered.\n"


def test_a_sheet_can_be_taken_again_and_the_others_stay(capsys):
    answering.answer("part1.1", "a")
    answering.answer("part2.1", "a")
    answering.forget("part1")
    assert (answering.first_answers("part1"), answering.first_answers("part2")) == ({}, {"part2.1": "a"})
    answering.forget("part1")
    assert "Nothing was recorded." in capsys.readouterr().out


def test_answers_count_in_no_lesson_and_no_exercise_has_such_an_id():
    ids = {problem.id for problem in registry.all_problems()}
    assert ids.isdisjoint(question.id for question in QUESTIONS)


def test_a_broken_progress_file_is_no_trouble(tmp_path, capsys):
    (tmp_path / "progress.json").write_text('{"version": 1, "exercises": {"part1.1": {"first": 7, "attempts": "x"}}}')
    assert answering.first_answers("part1") == {}
    answering.answer("part1.1", "a")
    assert "not right" in capsys.readouterr().out


def test_options_and_reasons_read_as_text(question):
    """Backquotes come in pairs, in what Markdown shows and in what the box shows."""
    for text in (question.text, *question.options.values(), *question.wrong.values(), question.why):
        assert text.count("`") % 2 == 0, text
        assert "  " not in re.sub(r"```.*?```", "", text, flags=re.DOTALL), text
