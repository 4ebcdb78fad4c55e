"""Lesson 11's sentences against the numbers they speak of; right answers to its exercises that differ from ours."""

import re
from pathlib import Path

import numpy as np
import pytest

from gpucourse import cupy_sim, nn, profile
from gpucourse.data.images import digits
from gpucourse.exercises import n11_optimizers as n11
from gpucourse.viz.optimizer_path import RATES, walk
from tests.mutants.mutant import answer_of, kernel

TEXT = (Path(__file__).parents[2] / "notebooks" / "src" / "11_optimizers.md").read_text("utf-8")
PROSE = " ".join(re.sub(r"```python\n.*?```", "", TEXT, flags=re.DOTALL).split())
CODE = dict(re.findall(r'(?m)^(\w+) = cp\.RawKernel\(r"""(.*?)"""', TEXT, re.DOTALL))


@pytest.mark.parametrize(
    "figure",
    [
        f"{196 * 64 + 64 + 64 * 10 + 10:,} numbers to learn",
        f"the {196 * 64 + 64 + 64 * 10 + 10 - 2:,} directions that the picture leaves out",
        f"one of two passes ({2 * 6400 // 64} steps)",
        "must stay below 2 / 25",
        "(1 - lr) x of x, and (1 - 25 lr) y of y",
        "13 launches in the place of one",
        "needs 16 GB to be trained by Adam",                 # p, g, m, s of 4 bytes each
        "steady steps become 1 / (1 - b) times as long",
        f"{(4 / 6) ** 2:.2f} for 25",                        # ((root - 1) / (root + 1))², the best b
        f"with a decay of 0.9 its first step is {1 / (1 - 0.9) ** 0.5:.2f} times too long",
    ],
)  # fmt: skip
def test_a_figure_in_the_prose_is_that_of_the_lesson(figure):
    assert figure in PROSE


def test_sorted_digits_end_in_as_many_steps_of_nines_as_the_text_says():
    assert (digits().train.labels[:6400] == 9).sum() // 64 == 9
    assert "The last nine steps saw nothing but nines" in PROSE


def test_the_bowl_behaves_as_the_text_says():
    best = {b: min(made.arrival for lr in np.linspace(0.002, 0.15, 75)
                   if (made := walk("bowl", "momentum", lr, b, steps=100)).arrival) for b in (0, 0.5, 0.9)}
    assert best[0] > 3 * best[0.5], "less than a third of the steps"
    assert best[0.9] > best[0], "with 0.9 more than with none"
    assert walk(lr=0.1, steps=100).diverged
    assert np.abs(walk(lr=0.08, steps=1000).points[-1][1]) == pytest.approx(1.2)
    assert walk(lr=0.0799, steps=1).points[1][0] / -1.8 > 1 - 2 / 25, "x loses not even 8 % a step"


def test_nesterov_swings_less():
    plain, ahead = (walk("bowl", rule, 0.02, 0.9, steps=100) for rule in ("momentum", "Nesterov"))
    assert ahead.turns < plain.turns / 2 and ahead.arrival < plain.arrival


def test_the_velocity_of_nesterov_is_the_next_one_if_the_gradient_stays():
    p = nn.Parameter(np.zeros(1))
    p.gradient, rule = np.ones(1), nn.SGD([p], 1.0, 0.9, nesterov=True)
    rule.step()
    step = -p.value.copy()
    rule.step()
    assert step == pytest.approx(rule.velocity[0])


def test_in_the_valley_the_four_smallest_rates_remain():
    left = [lr for lr in RATES if not walk("valley", "plain", lr, x=-1.2, y=1.0, steps=1000).diverged]
    assert left == list(RATES[:4])
    assert "In the valley only small rates remain" in PROSE
    assert walk(lr=0.04).turns == 0 < walk(lr=0.041).turns


def test_the_saddle_holds_what_starts_on_its_ridge():
    assert walk("saddle", lr=0.1, y=0.0, steps=1000).arrival is None
    assert walk("saddle", lr=0.1, y=0.05).arrival < 50


def test_rmsprop_rests_and_is_thrown_out_again():
    made = walk("bowl", "RMSprop", 0.1, steps=500)
    assert made.distances[40:70].max() < 1e-4 < made.distances[70:100].max()
    assert np.abs(made.points[-1]) == pytest.approx([0.05, 0.05], abs=1e-4), "half of lr from the lowest place"
    assert (np.diff(np.sign(made.points[-100:, 1])) != 0).all(), "from one side to the other"


def test_rmsprop_loses_by_turning_the_bowl_and_plain_descent_does_not():
    steps = {}
    for rule in ("RMSprop", "plain"):
        for curvature, start in ((np.diag([1, 25]), (-1.8, 1.2)), (np.array([[13, -12], [-12, 13]]), (-0.42, -2.12))):
            p = nn.Parameter(np.array(start))
            made = nn.RMSprop([p], 0.1, 0.9) if rule == "RMSprop" else nn.SGD([p], 0.075)
            count = 0
            while np.linalg.norm(p.value) > 0.1:
                p.gradient, count = curvature @ p.value, count + 1
                made.step()
            steps.setdefault(rule, []).append(count)
    (straight, turned), plain = steps["RMSprop"], steps["plain"]
    assert plain[0] / 2 >= straight and turned > 2.5 * straight and turned > plain[1]
    assert plain[0] == pytest.approx(plain[1], abs=1)


def test_without_correction_steps_are_too_long_by_what_the_weights_lack():
    for t, factor in ((1, 3.16), (10, 6.53), (100, 3.24), (1000, 1.26)):
        assert (1 - 0.9**t) / np.sqrt(1 - 0.999**t) == pytest.approx(factor, abs=0.005)


def test_the_traffic_of_an_unfused_adam_is_what_the_lesson_counts():
    p = nn.Parameter(cupy_sim.ones(8, np.float32), cupy_sim.ones(8, np.float32))
    rule = nn.Adam([p])
    with cupy_sim.count_launches() as k:
        rule.step()
    assert k.launches == 13
    assert '("array code", 30), ("one kernel", 7)' in TEXT


def test_the_hasty_kernel_reads_two_arrays_twice():
    n, numbers = 1024, [np.float32(v) for v in (0.001, 0.9, 0.999, 1e-8, 0, 0.1, 0.001)]
    arrays = [cupy_sim.ones(n, np.float32) for _ in range(4)]
    for source, read in ((CODE["hasty_fused"], 6), (CODE["hasty_fused"].replace("float*", "float* __restrict__"), 4)):
        p = profile(cupy_sim.RawKernel(source, "hasty_fused"), (8,), (128,), (*arrays, np.int64(n), *numbers))
        assert (p.global_load_sectors, p.global_store_sectors) == (read * n // 8, 3 * n // 8)


def test_the_penalty_and_the_decay_part_ways_as_the_text_says():
    def left(decoupled):
        p = nn.Parameter(np.ones(2))
        rule = nn.Adam([p], 0.001, weight_decay=0.1, decoupled=decoupled)
        for step in range(1000):
            p.gradient = np.array([0.01, 1.0]) * (-1) ** step
            rule.step()
        return p.value

    assert left(True) == pytest.approx([(1 - 1e-4) ** 1000] * 2, abs=0.01)
    assert left(False) == pytest.approx([0.26, 0.9], abs=0.01)      # three quarters of the first are gone


def function(problem, *body):
    """The stub's head with another body."""
    return problem.stub.splitlines()[0] + "\n" + "".join(f"    {line}\n" for line in body)


def fused(*replacements):
    return kernel(n11.FUSED_SOLUTION, *replacements)


def other_body(*lines):
    body = "".join(f"        {line}\n" for line in lines)
    return fused((n11.FUSED_BODY, f"    if (i < n) {{\n{body}    }}\n"))


MOMENTUM, RMSPROP, ADAM, SCHEDULE, FUSED = n11.MOMENTUM, n11.RMSPROP, n11.ADAM, n11.SCHEDULE, n11.FUSED
VARIANTS = {
    "a list": (MOMENTUM, function(MOMENTUM, "new = g + v * b", "return [p + -lr * new, new]")),
    "copies": (MOMENTUM, function(MOMENTUM, "p, v = p.copy(), v.copy()", "v *= b", "v += g",
                                  "p -= lr * v", "return p, v")),
    "computed twice": (MOMENTUM, function(MOMENTUM, "return p - lr * (b * v + g), b * v + g")),
    "a lambda": (MOMENTUM, "momentum_step = lambda p, v, g, lr, b: (p - lr * b * v - lr * g, b * v + g)\n"),
    "by its module": (MOMENTUM, function(MOMENTUM, "xp = cp.get_array_module(p)", "v = xp.add(xp.multiply(v, b), g)",
                                         "return xp.subtract(p, lr * v), v")),
    "a mean that moves": (RMSPROP, function(RMSPROP, "s = s + (1 - decay) * (g * g - s)",
                                            "return p - lr * g / (np.sqrt(s) + eps), s")),
    "the module's root": (RMSPROP, function(RMSPROP, "xp = cp.get_array_module(p)",
                                            "s = decay * s + (1 - decay) * xp.square(g)",
                                            "return p - lr / (xp.sqrt(s) + eps) * g, s")),
    "a copy of s": (RMSPROP, function(RMSPROP, "s = s.copy()", "s *= decay", "s += (1 - decay) * g**2",
                                      "return p - lr * (g / (eps + s**0.5)), s")),
    "a rate a number": (RMSPROP, function(RMSPROP, "s = decay * s + (1 - decay) * g**2", "rates = lr / (s**0.5 + eps)",
                                          "return p - rates * g, s")),
    "power of -1": (RMSPROP, function(RMSPROP, "s = decay * s + (1 - decay) * abs(g)**2",
                                      "return p - lr * g * (s**0.5 + eps)**-1.0, s")),
    "root of both": (ADAM, function(ADAM, "m, s = b1 * m + (1 - b1) * g, b2 * s + (1 - b2) * g * g",
                                    "root = np.sqrt(s) / (1 - b2**t) ** 0.5 + eps",
                                    "return p - lr / (1 - b1**t) * m / root, m, s")),
    "with hats": (ADAM, function(ADAM, "m = m + (1 - b1) * (g - m)", "s = s + (1 - b2) * (g**2 - s)",
                                 "m_hat = m / (1 - pow(b1, t))", "s_hat = s / (1 - pow(b2, t))",
                                 "return p - lr * m_hat / (s_hat**0.5 + eps), m, s")),
    "the paper's second form": (ADAM, function(ADAM, "m = b1 * m + (1 - b1) * g", "s = b2 * s + (1 - b2) * g**2",
                                               "c = (1 - b2**t) ** 0.5",
                                               "return p - lr * c / (1 - b1**t) * m / (s**0.5 + eps * c), m, s")),
    "half the angle": (SCHEDULE, function(SCHEDULE, "if step + 1 <= warmup:", "    return (step + 1) * peak / warmup",
                                          "done = 1 - (steps - 1 - step) / (steps - warmup)",
                                          "return peak * np.cos(np.pi * done / 2) ** 2")),
    "what is left": (SCHEDULE, function(SCHEDULE, "left = (steps - 1 - step) / (steps - warmup)",
                                        "fall = (1 - np.cos(np.pi * left)) / 2",
                                        "return peak * ((step + 1) / warmup if step < warmup else fall)")),
    "counted from 1": (SCHEDULE, function(SCHEDULE, "k = step + 1", "if k <= warmup:", "    return peak * k / warmup",
                                          "return 0.5 * peak * (1 + np.cos((k - warmup) * np.pi / (steps - warmup)))")),
    "early return": (FUSED, fused(("    if (i < n) {\n", "    if (i >= n) return;\n"),
                                  ("velocity;\n    }\n", "velocity;\n"))),
    "v first, then p": (FUSED, other_body("v[i] = b * v[i] + g[i];", "p[i] = p[i] - lr * v[i];")),
    "p first": (FUSED, other_body("float w = p[i], u = g[i] + v[i] * b;", "p[i] = w - u * lr;", "v[i] = u;")),
    "grid-stride": (FUSED, fused(("    if (i < n) {", "    for (; i < n; i += gridDim.x * blockDim.x) {"))),
    "fused multiply-add": (FUSED, fused(("b * v[i] + g[i]", "fmaf(b, v[i], g[i])"),
                                        ("p[i] -= lr * velocity", "p[i] = fmaf(-lr, velocity, p[i])"))),
    "unsigned, restrict": (FUSED, fused(("int i =", "unsigned int i ="), ("float* p", "float* __restrict__ p"),
                                        ("float* v", "float* __restrict__ v"))),
}  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
def test_a_right_answer_that_differs_from_ours_passes(name):
    problem, source = VARIANTS[name]
    outcome = problem.check(answer_of(source, problem.answer, np=np, cp=cupy_sim))
    assert outcome.state == "right", outcome
