"""The judge by probes: the first message is told, errors and stubs are told as what they are."""

import numpy as np
import pytest

from gpucourse import cupy_sim
from gpucourse.exercises import guard, registry
from gpucourse.exercises.outcome import NotAttempted, Wrong
from gpucourse.exercises.probes import ByProbes, by_probes
from tests.mutants.mutant import answer_of


def doubles(ask, seed):
    got = ask(3, 4)
    return "" if got == 14 else "That is twice the product." if got == 24 else f"14, not {got}."


def negative(ask, seed):
    return "" if ask(-1, 0) == -2 else "Negative numbers, too."


JUDGE = by_probes(("a", "b"), doubles, negative)


def test_a_right_answer_passes():
    JUDGE(lambda a, b: 2 * (a + b))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda a, b: 2 * a * b, "That is twice the product."),
        (lambda a, b: a, "14, not 3."),
        (lambda a, b: abs(2 * (a + b)), "Negative numbers, too."),
        (lambda a: a, r"calls double\(a, b\), but yours is double\(a\)"),
        (7, "should be a function or a class but is"),
    ],
)
def test_a_wrong_answer_is_told_the_first_message(answer, message):
    with pytest.raises(Wrong, match=message):
        JUDGE(answer, name="double")


@pytest.mark.parametrize("answer", [..., lambda a, b: ..., lambda a, b: (a, ...)])
def test_a_stub_is_not_attempted(answer):
    with pytest.raises(NotAttempted):
        JUDGE(answer)


def test_an_error_is_the_answers_own():
    with pytest.raises(guard.Raised) as caught:
        JUDGE(lambda a, b: a / 0)
    assert isinstance(caught.value.error, ZeroDivisionError)


PROBED = [problem for problem in registry.all_problems() if isinstance(problem.judge, ByProbes)]


@pytest.mark.parametrize("problem", PROBED, ids=lambda problem: problem.id)
def test_a_check_leaves_the_notebooks_random_numbers_alone(problem):
    torch = pytest.importorskip("torch")
    answer = answer_of(problem.solution, problem.answer, np=np, cp=cupy_sim)
    before = torch.get_rng_state()
    assert problem.check(answer).state == "right"
    assert torch.equal(torch.get_rng_state(), before)
