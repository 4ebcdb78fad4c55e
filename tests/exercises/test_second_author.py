"""Answers by somebody who had seen the exercises' texts only: the wrong ones are told something, the right ones pass.

`cause` in tests/mutants/second_author.json is the author's own word for the mistake; whoever changes a judge
reads it beside the message. `expect`, where a row has it, are words of the message that tell this cause.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from gpucourse import cupy_sim
from gpucourse.exercises.registry import find
from tests.mutants.mutant import answer_of

ROWS = json.loads((Path(__file__).parents[1] / "mutants" / "second_author.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['id']} {row['name']}" for row in ROWS])
def test_an_outsiders_answer(row):
    problem = find(row["id"])
    outcome = problem.check(answer_of(row["source"], problem.answer, np=np, cp=cupy_sim))
    if row["correct"]:
        assert outcome.state == "right", outcome
    else:
        assert outcome.state in ("wrong", "raised"), outcome
        assert outcome.message, row["cause"]
        assert row.get("expect", "") in outcome.message, row["cause"]
