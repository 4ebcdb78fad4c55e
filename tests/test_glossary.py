"""The glossary: each term stands in the lesson that it names, the page is the table, and a search finds."""

import re
from pathlib import Path

import pytest

from gpucourse.glossary import find, look_up, of_lesson, page, terms

ROOT = Path(__file__).parents[1]
LESSONS = {path.name[:2]: " ".join(path.read_text("utf-8").split()) for path in (ROOT / "notebooks/src").glob("*.md")}


@pytest.mark.parametrize("term", terms(), ids=lambda each: each.term)
def test_the_lesson_that_is_named_speaks_of_the_term(term):
    assert (term.as_written or term.term).lower() in LESSONS[term.lesson].lower()


def test_the_terms_are_complete_and_each_stands_once():
    assert len(terms()) >= 80
    assert len({each.term.lower() for each in terms()}) == len(terms())
    assert len({each.chinese for each in terms()}) == len(terms())
    for each in terms():
        assert re.search("[\u4e00-\u9fff]", each.chinese), each
        assert each.meaning and len(each.meaning) < 90, each


def test_every_lesson_introduces_some():
    assert all(of_lesson(f"{number:02}") for number in range(1, 20))


def test_the_page_is_what_the_table_says():
    assert (ROOT / "docs" / "glossary.md").read_text("utf-8") == page(), "run python tools/build_glossary.py"


def test_a_search_finds_in_both_languages_and_by_lesson():
    assert [each.term for each in find("线程束")] == [each.term for each in find(" WARP ")] == ["warp"]
    assert [each.chinese for each in find("coalesced")] == ["合并访问"]
    assert set(find("04")) == set(of_lesson("04"))
    assert len(find("")) == len(terms()) and find("no such term") == []


def test_what_is_not_a_term_is_sought_in_the_meanings(capsys):
    look_up("zeros around")
    assert "padding (填充)" in capsys.readouterr().out
    look_up("no such term")
    assert f"all {len(terms())} terms" in capsys.readouterr().out
