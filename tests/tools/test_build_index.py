"""The index of terms: explained where a term is set off, taken up where it is used most; a stale page is caught."""

import pytest

from gpucourse.glossary import Term, terms

pytest.importorskip("jupytext")
build_index = pytest.importorskip("build_index")

SOURCE = """---
title: "05"
---
A barrier is coming.

## 1. Who waits?

No `barrier()` here, and no word of [it](../barrier.md).

```python
barrier = 1
```

## 2. Who meets?

All meet at a **barrier**.

## Claim check

Barriers, barriers, barriers: barrier after
barrier.
"""
BARRIER = Term("barrier", "屏障", "05", "a line")


def lesson(stem, *prose):
    """Sections 1, 2, ... of a lesson with these texts."""
    text = "".join(f"## {n}. Heading {n}\n\n{each}\n\n" for n, each in enumerate(prose, 1))
    return list(build_index.sections(text, stem))


def test_sections_have_their_prose_without_code_and_addresses():
    found = list(build_index.sections(SOURCE, "05_shared_memory"))
    assert [(each.number, each.heading) for each in found] == [
        ("", ""), ("1", "Who waits?"), ("2", "Who meets?"), ("", "Claim check")]  # fmt: skip
    assert [build_index.uses("barrier", each.prose) for each in found] == [1, 0, 1, 5]


@pytest.mark.parametrize(("term", "prose", "count"), [
    ("bank conflict", "a bank\nconflict, two Bank conflicts", 2), ("bank", "banks, banker, cross-bank", 1),
    ("C", "C++ and a c", 2), ("loss", "losses", 1),
])  # fmt: skip
def test_what_counts_as_a_use(term, prose, count):
    assert build_index.uses(term, prose) == count


def test_a_term_is_explained_where_it_is_set_off():
    found = build_index.places(BARRIER, [list(build_index.sections(SOURCE, "05_shared_memory"))])
    assert [each.link(named=True) for each in found] == ["[05 §2](../notebooks/05_shared_memory.ipynb) Who meets?"]


def test_another_lesson_is_named_with_the_section_that_uses_it_most_from_three_uses_on():
    lessons = [lesson("05_a", "**barrier**"), lesson("06_b", "a barrier", "two barriers, one barrier"),
               lesson("07_c", "barrier, barrier")]  # fmt: skip
    assert [each.link() for each in build_index.places(BARRIER, lessons)] == [
        "[05 §1](../notebooks/05_a.ipynb)", "[06 §2](../notebooks/06_b.ipynb)"]  # fmt: skip


def test_the_page_is_what_the_lessons_say_and_a_stale_one_is_caught(tmp_path, capsys):
    assert build_index.main(["--check"]) == 0, "run python tools/build_index.py"
    text = build_index.PAGE.read_text("utf-8")
    assert all(f"\n| {term.term} | [{term.lesson} §" in text for term in terms())
    stale = tmp_path / "index_of_terms.md"
    assert build_index.main(["--check"], stale) == 1
    stale.write_text(text.replace("barrier", "wall"), "utf-8")
    assert build_index.main(["--check"], stale) == 1
    assert "Next step: python tools/build_index.py" in capsys.readouterr().err
    assert build_index.main([], stale) == 0
    assert stale.read_text("utf-8") == text
