"""The tool behind the teacher's notes: sections, predictions and minutes of a source, and stale tables caught."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytest.importorskip("jupytext")
sys.path.insert(0, str(ROOT / "tools"))
tool = pytest.importorskip("build_teaching_notes")

SOURCE = """---
title: "01 · CPU and GPU"
---
An opening.

**Time:** about 30 minutes. **You need:** nothing.

```python
# **Predict** in a comment is no prediction
import numpy
```

## 1. First?

**Predict:** how many? Some words. **Predict first** this,
too.

```python
## no heading
print(1)
```

<!-- exercise 01.1 -->

## 2. Second?

Here is one, **predict** it. One more **prediction**: is it right?

## Read more

1. A link.
"""


@pytest.fixture
def lesson(tmp_path):
    path = tmp_path / "01_cpu_vs_gpu.md"
    path.write_text(SOURCE, "utf-8")
    return tool.read_lesson(path)


def test_sections_are_those_that_are_read(lesson):
    assert [section.title for section in lesson.sections] == ["(opening)", "1. First?", "2. Second?"]
    assert (lesson.stem, lesson.title, lesson.minutes) == ("01_cpu_vs_gpu", "01 · CPU and GPU", 30)


def test_each_prediction_is_counted_in_its_section_and_none_in_code(lesson):
    found = [section.predictions for section in lesson.sections]
    assert [len(predictions) for predictions in found] == [0, 2, 2]
    assert found[1] == ["**Predict:** how many? Some words. ", "**Predict first** this, too."]


def test_exercises_belong_to_their_section(lesson):
    assert [section.exercises for section in lesson.sections] == [[], ["01.1"], []]


def test_minutes_are_whole_and_add_up(lesson):
    assert sum(lesson.shares) == 30
    assert min(lesson.shares) >= 1
    assert lesson.shares[1] > lesson.shares[2]


def test_a_lesson_without_a_time_is_refused(tmp_path):
    path = tmp_path / "01_cpu_vs_gpu.md"
    path.write_text(SOURCE.replace("**Time:**", "Time:"), "utf-8")
    with pytest.raises(ValueError, match="states no time"):
        tool.read_lesson(path)


@pytest.fixture
def note(tmp_path, monkeypatch, lesson):
    """A folder of notes with one lesson."""
    monkeypatch.setattr(tool, "NOTES", tmp_path)
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "lessons", lambda: [lesson])
    path = tmp_path / "01_cpu_vs_gpu.md"
    path.write_text(f"before\n{tool.BEGIN}\n{tool.END}\nafter\n", "utf-8")
    return path


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["build_teaching_notes.py", *words])
    return tool.main()


def test_check_reports_a_stale_table_and_writes_nothing(note, monkeypatch, capsys):
    before = note.read_text("utf-8")
    assert run(monkeypatch, "--check") == 1
    assert "01_cpu_vs_gpu.md is out of date" in capsys.readouterr().err
    assert note.read_text("utf-8") == before


def test_building_changes_only_the_table_and_settles(note, monkeypatch):
    assert run(monkeypatch) == 0
    text = note.read_text("utf-8")
    assert text.startswith("before\n") and text.endswith("after\n")
    assert "| **together** | **30** | **4** | **1** |" in text
    assert run(monkeypatch, "--check") == 0


def test_a_missing_note_is_named(note, monkeypatch, capsys):
    note.unlink()
    assert run(monkeypatch, "--check") == 1
    assert "01_cpu_vs_gpu.md is missing" in capsys.readouterr().err


def test_a_note_without_its_markers_is_refused(lesson):
    with pytest.raises(ValueError, match="lacks its markers"):
        tool.rebuilt("nothing", lesson)
