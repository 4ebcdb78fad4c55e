"""The table of wrong answers has a row for each, with the words that its author asks for."""

from importlib import import_module
from pathlib import Path

import pytest

from gpucourse.exercises import registry

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("lesson", registry.lessons().values())
def test_every_wrong_answer_has_its_row(lesson: str) -> None:
    sections = (ROOT / "docs" / "wrong_answers.md").read_text(encoding="utf-8").split("\n## ")
    for id, mutants in import_module(f"tests.mutants.{lesson}").MUTANTS.items():
        section = next(text for text in sections if text.startswith(f"{id} "))
        rows = [line.split(" | ", 2) for line in section.splitlines() if line.startswith("| ")][1:]
        assert [row[0].removeprefix("| ") for row in rows] == [m.name.replace("|", "\\|") for m in mutants]
        for row, mutant in zip(rows, mutants, strict=True):
            assert row[1] != "right" and " ".join(mutant.expect.split()) in row[2].replace("\\|", "|"), mutant.name
