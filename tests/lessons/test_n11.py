"""Lesson 11's sentences against the numbers they speak of; right answers to its exercises that differ from ours."""

import numpy as np
import pytest

from gpucourse import cupy_sim
from gpucourse.exercises import n11_optimizers as n11
from tests.mutants.mutant import answer_of, kernel


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
