"""Every problem of every lesson: the solution passes, the stub is not attempted, mutants are told why."""

from __future__ import annotations

import ast
import tokenize
from collections import Counter
from importlib import import_module
from io import StringIO

import numpy as np
import pytest

from gpucourse.backend import array_module
from gpucourse.exercises import registry
from tests.fake_cupy import fake_cupy
from tests.mutants.mutant import answer_of

PROBLEMS = registry.all_problems()
MUTANTS = {
    id: mutants
    for name in registry.lessons().values()
    for id, mutants in import_module(f"tests.mutants.{name}").MUTANTS.items()
}
every_problem = pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.id)
every_mutant = pytest.mark.parametrize(
    ("problem", "mutant"),
    [pytest.param(p, m, id=f"{p.id} {m.name}") for p in PROBLEMS for m in MUTANTS.get(p.id, ())],
)


def executed(problem, source, cp=None):
    """The answer that `source` defines, with the names that a lesson has imported."""
    return answer_of(source, problem.answer, np=np, cp=array_module() if cp is None else cp)


SILENT = ("COMMENT", "NL", "NEWLINE", "INDENT", "DEDENT", "ENDMARKER")


def code_lines(source):
    """The lines that count: without blank lines, comments and docstrings, stripped."""
    skipped = set()
    for node in ast.walk(ast.parse(source)):
        constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if constant and isinstance(node.value.value, str):
            skipped.update(range(node.lineno, node.end_lineno + 1))
    tokens = tokenize.generate_tokens(StringIO(source).readline)
    loud = [token for token in tokens if tokenize.tok_name[token.type] not in SILENT]
    numbers = {line for t in loud for line in range(t.start[0], t.end[0] + 1)}
    lines = source.splitlines()
    return [lines[n - 1].strip() for n in sorted(numbers - skipped)]


def test_code_lines_counts_neither_comments_nor_docstrings():
    source = 'def f(x):\n    """One.\n\n    Two."""\n    # three\n\n'
    source += "    y = [\n        x,\n    ]  # four\n    return y\n"
    assert code_lines(source) == ["def f(x):", "y = [", "x,", "]  # four", "return y"]


def test_there_are_problems_and_their_ids_are_unique_and_in_order():
    ids = [problem.id for problem in PROBLEMS]
    assert ids
    assert ids == sorted(set(ids))
    for lesson in registry.lessons():
        own = [problem.id for problem in registry.problems(lesson)]
        assert own == [f"{lesson}.{n}" for n in range(1, len(own) + 1)]


@every_problem
def test_the_solution_passes(problem):
    outcome = problem.check(executed(problem, problem.solution))
    assert outcome.state == "right", outcome


@every_problem
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_solution_passes_with_a_teachers_own_cases(problem, seed):
    outcome = problem.check(executed(problem, problem.solution), seed=seed)
    assert outcome.state == "right", outcome


@every_problem
def test_the_solution_passes_with_cupys_names_only(problem):
    fake = fake_cupy()
    outcome = problem.check(executed(problem, problem.solution, fake), xp=fake)
    assert outcome.state == "right", outcome


@every_problem
def test_the_untouched_stub_runs_and_is_not_attempted(problem):
    outcome = problem.check(executed(problem, problem.stub))
    assert outcome.state == "not attempted", outcome


@every_mutant
def test_a_mutant_is_told_its_cause(problem, mutant):
    outcome = problem.check(executed(problem, mutant.source))
    assert outcome.state in ("wrong", "raised"), outcome
    assert mutant.expect in outcome.message
    assert len(mutant.expect) >= 2, "name something that only this message says"


@every_problem
def test_there_are_three_mutants_of_different_causes(problem):
    mutants = MUTANTS[problem.id]
    messages = {problem.check(executed(problem, mutant.source)).message for mutant in mutants}
    assert len(mutants) >= 3
    assert len({mutant.name for mutant in mutants}) == len(mutants)
    assert len(messages) >= 3


@every_problem
def test_no_message_is_long_or_a_traceback(problem):
    for mutant in MUTANTS[problem.id]:
        message = problem.check(executed(problem, mutant.source)).message
        assert len(message) <= 400, message
        assert "Traceback" not in message


@every_problem
def test_traps_differ_from_the_right_answer_and_from_each_other(problem):
    """A trap that no case tells from the reference, or from another trap, would name a false cause."""
    judge = problem.judge
    if not hasattr(judge, "traps"):
        pytest.skip("this judge has no table of traps")
    cases = judge.all_cases(array_module(), 0)

    def results(function):
        with np.errstate(all="ignore"):
            try:
                return [judge.due(function, case, array_module()) for case in cases]
            except ArithmeticError:
                return None

    def same(first, second):
        pairs = zip(first, second, strict=True)
        return all(judge.agrees(a, b, array_module()) for a, b in pairs)

    right = results(judge.reference)
    known = [(trap.message, found) for trap in judge.traps if (found := results(trap.wrong)) is not None]
    for i, (message, found) in enumerate(known):
        assert not same(found, right), message
        for other, earlier in known[:i]:
            assert message == other or not same(found, earlier), (message, other)


@every_problem
def test_three_hints_that_do_not_give_the_solution_away(problem):
    assert len(problem.hints) == 3
    assert len(set(problem.hints)) == 3
    new = [line for line in code_lines(problem.solution) if line not in code_lines(problem.stub)]
    for hint in problem.hints[:2]:
        assert not any(line in hint for line in new if len(line) > 12), hint
    assert problem.solution.strip() not in problem.hints[2]


@every_problem
def test_the_stated_number_of_lines_is_that_of_the_solution(problem):
    new = Counter(code_lines(problem.solution)) - Counter(code_lines(problem.stub))
    assert problem.lines == new.total()


@every_problem
def test_the_texts_are_there_and_plain(problem):
    texts = (problem.title, problem.task, problem.spec, problem.why, *problem.hints)
    assert all(text.strip() == text and text for text in texts)
    assert problem.title[0].isupper()
    assert not problem.title.endswith(".")
    assert "\n" not in problem.spec
    assert "..." in problem.stub or "__global__" in problem.stub


OTHER_RIGHT_ANSWERS = {
    "01.1": (
        "def speedup(p, n):\n    return n / (n * (1 - p) + p)\n",
        "speedup = lambda p, n: 1 / (1 - p + p / n) * (1 + 1e-9)\n",
    ),
    "01.4": (
        "def best_time(flops, bytes_moved, gflops_per_s, gbytes_per_s):\n"
        "    return max(flops / gflops_per_s, bytes_moved / gbytes_per_s) / 1e6\n",
    ),
    "01.5": (
        'def honest_speedup(log):\n    cpu = np.median(log["cpu_us"][1:]) / 1000 / log["cpu_pixels"]\n'
        '    gpu = (np.median(log["gpu_ms"][1:]) + log["copy_ms"]) / log["gpu_pixels"]\n    return cpu / gpu\n',
        'def honest_speedup(log):\n    cpu = np.median([t / 1e6 for t in log["cpu_us"][1:]])\n'
        '    gpu = np.median([(t + log["copy_ms"]) / 1e3 for t in log["gpu_ms"][1:]])\n'
        '    return cpu / gpu * log["gpu_pixels"] / log["cpu_pixels"]\n',
    ),
    "01.6": ("def cost_per_million(w, ms, price):\n    return w * ms * price / 3.6e9 * 1e6\n",),
}


@pytest.mark.parametrize(("id", "source"), [(id, each) for id, all in OTHER_RIGHT_ANSWERS.items() for each in all])
def test_a_right_answer_in_other_units_or_another_order_passes(id, source):
    problem = next(problem for problem in PROBLEMS if problem.id == id)
    outcome = problem.check(executed(problem, source))
    assert outcome.state == "right", outcome
