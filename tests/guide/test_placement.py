"""Where to begin: what each kind of learner is told, and that it says what it cannot tell."""

import pytest

from gpucourse.guide import answering
from gpucourse.guide.placement import AREAS, CANNOT_TELL, QUESTIONS, advice, where_to_begin

ALL = {question.id for question in QUESTIONS}


def known(*areas, but=()):
    return {question.id for question in QUESTIONS if question.area in areas} - set(but)


@pytest.fixture(autouse=True)
def progress(tmp_path, monkeypatch):
    monkeypatch.setenv("GPUCOURSE_PROGRESS", str(tmp_path / "progress.json"))


def test_every_question_belongs_to_an_area():
    assert {question.area for question in QUESTIONS} == set(AREAS)


@pytest.mark.parametrize(
    ("right", "lesson", "words"),
    [
        (set(), "01", "Some NumPy first"),
        (known("numpy", but=("start.1", "start.4")), "01", "Some NumPy first"),
        (known("gpu", "torch", "math", "numbers"), "01", "Some NumPy first"),
        (known("numpy"), "01", "You know what it asks for"),
        (known("numpy", but=("start.4",)), "01", "You know what it asks for"),
        (known("numpy", "math", "numbers"), "01", "You know what it asks for"),
        (known("numpy", "math", "torch"), "01", "begin with lesson 13"),
        (known("numpy", "torch"), "01", "You know what it asks for"),
        (known("numpy", "gpu"), "04", "You have met kernels"),
        (ALL, "04", "You have met kernels"),
    ],
)
def test_the_advice_for_who_has_answered_all(right, lesson, words):
    number, sentences = advice(right, ALL)
    assert number == lesson and words in " ".join(sentences)


@pytest.mark.parametrize("given", [set(), {"start.1"}, ALL - {"start.12"}])
def test_open_questions_are_said_and_nobody_is_sent_ahead(given):
    number, (sentence,) = advice(given, given)
    assert number == "01" and sentence.startswith(f"{12 - len(given)} of 12 questions are open")


def test_the_page_names_the_lesson_what_was_known_what_to_read_and_what_it_cannot_tell(capsys):
    for question in QUESTIONS:
        answering.answer(question.id, "?" if question.area == "torch" else question.right)
    capsys.readouterr()
    where_to_begin()
    said = capsys.readouterr().out
    assert said.startswith("Begin with lesson 04, Memory and coalescing.\n")
    assert "NumPy 4 of 4" in said and "PyTorch 0 of 2" in said
    assert "Read: lesson 13, section 4 (What belongs to a step?)." in said
    assert "lesson 02, section 6" not in said, "what was known need not be read"
    assert said.endswith(CANNOT_TELL + "\n")


def test_a_second_answer_does_not_change_where_to_begin(capsys):
    for question in QUESTIONS:
        answering.answer(question.id, "?")
        answering.answer(question.id, question.right)
    capsys.readouterr()
    where_to_begin()
    assert "Some NumPy first" in capsys.readouterr().out
