"""A teacher's seed makes other inputs than the learner's check had: what was learned by heart is not enough."""

import csv

import nbformat
import numpy as np
import pytest
from class_of_thirty import IMPORTS, RIGHT_1

from gpucourse.__main__ import main
from gpucourse.exercises import registry
from gpucourse.exercises.cases import ByCases
from gpucourse.exercises.n01_cpu_vs_gpu import PROBLEMS
from tests.mutants.mutant import answer_of

JUDGED_BY_CASES = [problem for problem in registry.all_problems() if isinstance(problem.judge, ByCases)]


@pytest.mark.parametrize("problem", JUDGED_BY_CASES, ids=lambda problem: problem.id)
def test_every_seed_has_inputs_of_its_own(problem):
    found = [repr([(case.args, case.kwargs) for case in problem.judge.all_cases(np, seed)]) for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


def test_there_are_such_exercises():
    assert len(JUDGED_BY_CASES) >= 15


def test_an_answer_learned_by_heart_fails(tmp_path):
    asked = {}
    right = answer_of(RIGHT_1.partition("\ncheck")[0], "speedup")

    def heard(p, n):
        asked[p, n] = right(p, n)
        return asked[p, n]

    assert PROBLEMS[0].check(heard).state == "right"
    by_heart = f"table = {asked!r}\n\ndef speedup(p, n):\n    return table.get((p, n), 0)\n"
    assert PROBLEMS[0].check(answer_of(by_heart, "speedup")).state == "right"
    (tmp_path / "in").mkdir()
    cells = [nbformat.v4.new_code_cell(text) for text in (IMPORTS, by_heart + "check('01.1', speedup)")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "in" / "ann.ipynb")
    assert main(["grade", str(tmp_path / "in"), "--csv", str(tmp_path / "m.csv"), "--trust", "--seed", "3"]) == 0
    with (tmp_path / "m.csv").open(encoding="utf-8", newline="") as file:
        assert {row["exercise"]: row["state"] for row in csv.DictReader(file)}["01.1"] == "wrong"
