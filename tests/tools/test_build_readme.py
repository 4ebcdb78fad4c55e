"""README.md's table of lessons: generated, complete, and caught when it is stale."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytest.importorskip("jupytext")
sys.path.insert(0, str(ROOT / "tools"))
build_readme = pytest.importorskip("build_readme")

SOURCES = sorted(path.stem for path in (ROOT / "notebooks" / "src").glob("*.md"))


@pytest.fixture
def readme(tmp_path, monkeypatch):
    """A README of its own for the tool to write."""
    path = tmp_path / "README.md"
    path.write_text(f"before\n{build_readme.BEGIN}\nold\n{build_readme.END}\nafter\n")
    monkeypatch.setattr(build_readme, "README", path)
    return path


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["build_readme.py", *words])
    return build_readme.main()


def test_the_stored_readme_is_up_to_date(monkeypatch):
    assert run(monkeypatch, "--check") == 0


def test_every_lesson_has_one_row_in_order():
    rows = re.findall(r"^\| (\d\d) \|", build_readme.table(), re.MULTILINE)
    assert rows == [f"{number:02d}" for number in range(1, 20)]
    assert build_readme.table().count("**Part") == 4


def test_every_page_can_be_opened():
    address = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
    owner_and_name = address.removeprefix("https://github.com/")
    for stem in SOURCES:
        row = next(line for line in build_readme.table().splitlines() if f"(notebooks/{stem}.ipynb)" in line)
        assert f"colab.research.google.com/github/{owner_and_name}/blob/main/notebooks/{stem}.ipynb" in row
        assert f"mybinder.org/v2/gh/{owner_and_name}/" in row


def test_check_reports_and_writes_nothing(readme, monkeypatch, capsys):
    assert run(monkeypatch, "--check") == 1
    assert "make readme" in capsys.readouterr().err
    assert "old" in readme.read_text()


def test_building_changes_only_what_is_between_the_markers_and_settles(readme, monkeypatch):
    assert run(monkeypatch) == 0
    text = readme.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    assert run(monkeypatch, "--check") == 0


def test_lost_markers_are_named():
    with pytest.raises(ValueError, match="lacks its markers"):
        build_readme.rebuilt("no table here")


def test_links_of_the_documents_resolve():
    """Relative links only; docs/roofline.png is made with the lesson."""
    for document in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / document).read_text("utf-8")):
            if not target.startswith("https://"):
                assert (ROOT / target).exists(), f"{document} links to {target}, which is not there"
