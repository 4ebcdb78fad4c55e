"""The command: solved lessons get full marks, no sandbox means a plain question."""

import csv

import nbformat
import pytest
from class_of_thirty import IMPORTS, RIGHT_1

from gpucourse.__main__ import main
from gpucourse.exercises import registry
from gpucourse.grading import sandbox
from lesson_source import assemble, lesson_paths


def hand_in(folder, *cells):
    folder.mkdir(parents=True)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, folder / "01_cpu_vs_gpu.ipynb")


def states(path):
    with path.open(encoding="utf-8", newline="") as file:
        return {row["exercise"]: row["state"] for row in csv.DictReader(file)}


@pytest.mark.parametrize("lesson", ["03", "10"])
def test_a_solved_lesson_gets_full_marks_and_no_flag(tmp_path, capsys, lesson):
    (source,) = lesson_paths([lesson])
    (tmp_path / "in" / "ann").mkdir(parents=True)
    nbformat.write(assemble(source, solved=True), tmp_path / "in" / "ann" / f"{source.stem}.ipynb")
    root = source.parents[2]
    marks = tmp_path / "m.csv"
    assert main(["grade", str(tmp_path / "in"), "--csv", str(marks), "--trust", "--course", str(root)]) == 0
    assert states(marks) == {problem.id: "right" for problem in registry.problems(lesson)}
    assert "to look at" not in capsys.readouterr().out


def test_without_a_sandbox_it_says_what_is_not_guaranteed_and_asks(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sandbox, "missing", lambda: "bubblewrap is not installed")
    hand_in(tmp_path / "in" / "ann", IMPORTS, RIGHT_1)
    assert main(["grade", str(tmp_path / "in"), "--csv", str(tmp_path / "m.csv")]) == 1
    told = capsys.readouterr().err
    assert "read and change whatever you can" in told and "--trust" in told and not (tmp_path / "m.csv").exists()
    assert main(["grade", str(tmp_path / "in"), "--csv", str(tmp_path / "m.csv"), "--trust"]) == 0
    assert states(tmp_path / "m.csv")["01.1"] == "right"
