"""The judge of several results: each part's own cause, groups in turn, and what is still missing."""

import numpy as np
import pytest

from gpucourse.backend import array_module
from gpucourse.exercises import registry
from gpucourse.exercises.cases import Case, Trap
from gpucourse.exercises.guard import Raised
from gpucourse.exercises.outcome import NotAttempted, Wrong
from gpucourse.exercises.parts import ByParts, by_parts


def products(a, b):
    return a @ b, a.sum(axis=0)


def square(rng):
    return [Case(rng.standard_normal((3, 3)), rng.standard_normal((3, 3)), about="squares")]


def oblong(rng):
    return [Case(rng.standard_normal((2, 3)), rng.standard_normal((3, 4)), about="oblongs")]


JUDGE = by_parts(
    products, (square, oblong),
    {"product": [Trap(lambda a, b: b @ a, "The factors have changed places.")],
     "sums": [Trap(lambda a, b: a.sum(axis=1), "Over the wrong axis.")]},
)  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (lambda a, b: (b @ a, a.sum(axis=0)), Wrong, "changed places"),       # would raise for oblongs: not told so
        (lambda a, b: (b @ a, a.sum(axis=1)), Wrong, "changed places"),       # two mistakes: the first one's cause
        (lambda a, b: (a @ b, a.sum(axis=1)), Wrong, "wrong axis"),
        (lambda a, b: (a @ b, a.sum(axis=0) + 1), Wrong, "Every value is 1 too large. For example, sums of f(a, b)"),
        (lambda a, b: (a @ b, a[:3].sum(axis=0) if len(a) > 2 else 0), Wrong, "sums of f(a, b) should be a NumPy"),
        (lambda a, b: (a @ b, a.sum(axis=0), 1), Wrong, "should return 2 results, product, sums, but returns 3"),
        (lambda a, b: a @ b, Wrong, "but returns a NumPy array"),
        (lambda a, b: None, Wrong, "is a `return` missing?"),
        (lambda a: None, Wrong, "the parameter b is missing"),
        (lambda a, b: (a @ b, ...), NotAttempted, "Right so far: product. sums is still `...`: write it next."),
        (lambda a, b: (..., a.sum(axis=0)), NotAttempted, "product is still `...`"),
        (lambda a, b: (..., ...), NotAttempted, ""),
        (lambda a, b: ..., NotAttempted, ""),
        (..., NotAttempted, ""),
    ],
)
def test_what_an_answer_is_told(answer, error, words):
    with pytest.raises(error) as raised:
        JUDGE(answer, name="f")
    assert words in str(raised.value)


def test_a_missing_part_is_told_before_a_later_group_is_judged():
    with pytest.raises(NotAttempted):
        JUDGE(lambda a, b: (a @ b if len(a) == 3 else 1 / 0, ...), name="f")
    with pytest.raises(Raised):
        JUDGE(lambda a, b: (a @ b if len(a) == 3 else 1 / 0, a.sum(axis=0)), name="f")


def test_the_dtype_may_be_left_open():
    def answer(a, b):
        return (a @ b).astype(np.float32), a.sum(axis=0).astype(np.float32)

    near = {"rtol": 1e-3, "atol": 1e-5}
    by_parts(products, (square,), {"product": [], "sums": []}, dtype=False, **near)(answer)
    with pytest.raises(Wrong, match="dtype"):
        by_parts(products, (square,), {"product": [], "sums": []}, **near)(answer)


def test_right_answers_pass_as_tuple_or_list():
    JUDGE(products)
    JUDGE(lambda a, b: list(products(a, b)))


OF_PARTS = [problem for problem in registry.all_problems() if isinstance(problem.judge, ByParts)]


@pytest.mark.parametrize("problem", OF_PARTS, ids=lambda problem: problem.id)
def test_traps_of_a_part_differ_from_the_right_answer_and_from_each_other(problem):
    """As for `by_cases`: a trap that no case tells from another would name a false cause."""
    xp, judge = array_module(), problem.judge
    for k in range(len(judge.parts)):
        judges = [judge.judge_of(group, k) for group in range(len(judge.groups))]
        cases = [(each, case) for each in judges for case in each.all_cases(xp, 0)]

        def results(function, cases=cases):
            return [_due(each, function, case, xp) for each, case in cases]

        def same(first, second, cases=cases):
            return all(each.agrees(a, b, xp) for (each, _), a, b in zip(cases, first, second, strict=True))

        right = results(judges[0].reference)
        known = [(trap.message, results(trap.wrong)) for trap in judges[0].traps]
        for i, (message, found) in enumerate(known):
            assert not same(found, right), message
            for other, earlier in known[:i]:
                assert message == other or not same(found, earlier), (message, other)


def _due(judge, function, case, xp):
    with np.errstate(all="ignore"):
        try:
            return judge.due(function, case, xp)
        except (ArithmeticError, ValueError, IndexError):
            return "raised"
