"""The exercises of lesson 11: momentum, RMSprop, Adam, a schedule, an optimizer's traffic, a fused step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpucourse.exercises.compare import Case, Trap, by_cases, is_mapping, mapping_source
from gpucourse.exercises.kernel_cases import KernelTrap, Launch, Limit, by_launches, timed_at
from gpucourse.exercises.problem import Problem

Arrays = tuple[Any, ...]
Numbers = dict[str, Any]
Share = Callable[[float], float]
FULL = 1 << 24   # elements of a launch that is timed: more than a cache holds

SHAPES = (("a vector", (4,)), ("a matrix", (2, 3)), ("a device array", (5,)), ("float32 arrays", (3,)))
ROUNDING = 2e-6   # float32 steps may be computed in any order


def _arrays(rng: np.random.Generator, shape: tuple[int, ...], signs: str) -> list[Any]:
    """float64 arrays, one for each of `signs`: "+" makes it positive, as a mean of squares is, "0" zero."""
    drawn = [rng.uniform(0.5, 2, shape) * rng.choice([-1.0, 1.0], shape) for _ in signs]
    return [0 * a if sign == "0" else abs(a) if sign == "+" else a for a, sign in zip(drawn, signs, strict=True)]


_KINDS: dict[str, Callable[[Any, Any], Any]] = {
    "a vector": lambda a, xp: a,
    "a matrix": lambda a, xp: a,
    "a device array": lambda a, xp: xp.asarray(a),
    "float32 arrays": lambda a, xp: a.astype(np.float32),
}


def _cases(signs: str, numbers: Sequence[tuple[float, ...]]) -> Callable[..., list[Case]]:
    """Return the function that makes a case for each of SHAPES and each of `numbers`, the arguments after the arrays.

    The first case begins with nothing remembered: all arrays but p and the last, g, are zero. Of the vector, the
    first number has had no gradient yet: there a division needs its eps.
    """
    def make(xp: Any, rng: np.random.Generator) -> list[Case]:
        first = signs[0] + "0" * (len(signs) - 2) + signs[-1]
        cases = [Case(*_arrays(rng, (4,), first), *numbers[0], about="a first step")]
        for (words, shape), rest in zip(SHAPES, numbers, strict=True):
            arrays = _arrays(rng, shape, signs)
            if words == "a vector":
                arrays[1:] = [a * (np.arange(4) > 0) for a in arrays[1:]]
            cases.append(Case(*(_KINDS[words](a, xp) for a in arrays), *rest, about=words))
        return cases

    return make


# -- 11.1 -------------------------------------------------------------------------------------------


def momentum_step(p: Any, v: Any, g: Any, lr: float, b: float) -> Arrays:
    """v = b v + g; p = p - lr v."""
    v = b * v + g
    return p - lr * v, v


MOMENTUM = Problem(
    id="11.1",
    title="A step with momentum",
    task=(
        "Write one step with momentum as a function that changes none of its arguments: the new velocity first, then "
        "the step along it. It must work for NumPy and for device arrays alike."
    ),
    spec=(
        "`momentum_step(p, v, g, lr, b)`: arrays `p` (parameters), `v` (velocity) and `g` (gradient) of one shape "
        "and dtype, numbers `lr` and `b`. Returns two new arrays of that dtype: the new `p` and the new `v`."
    ),
    stub=(
        "def momentum_step(p, v, g, lr, b):\n"
        '    """The parameters and the velocity after one step."""\n    return ...\n'
    ),
    answer="momentum_step",
    lines=2,
    hints=(
        "Two lines of the text, in their order: the velocity fades and takes up the gradient; the parameters follow "
        "the *new* velocity.",
        "`b` belongs to the old velocity only, and `lr` to the step only. Assigning to a name (`v = ...`) leaves the "
        "caller's array alone; `v *= ...` does not.",
        "`v = b * v + ___`, then `return p - ___ * v, ___`",
    ),
    solution=(
        "def momentum_step(p, v, g, lr, b):\n"
        '    """The parameters and the velocity after one step."""\n'
        "    v = b * v + g\n    return p - lr * v, v\n"
    ),
    why=(
        "Unrolled, v is g plus b times the gradient before plus b² times the one before that: a sum of all gradients "
        "so far, each counted less the older it is. Only operators are used, so the arrays decide where it runs."
    ),
    judge=by_cases(
        momentum_step,
        _cases("***", ((0.1, 0.9), (0.3, 0.5), (0.01, 0.99), (0.2, 0.8))),
        atol=ROUNDING,
        traps=(
            Trap(lambda p, v, g, lr, b: (p + lr * (b * v + g), b * v + g),
                 "The step goes uphill: the velocity adds up gradients, and these point to where the loss grows."),
            Trap(lambda p, v, g, lr, b: (p - lr * v, b * v + g),
                 "The step is taken with the old velocity. Compute the new `v` first, then step."),
            Trap(lambda p, v, g, lr, b: (p - lr * g, b * v + g),
                 "`v` is right, but the step follows the gradient alone, as if there were no momentum."),
            Trap(lambda p, v, g, lr, b: (p - lr * (b * v + lr * g), b * v + lr * g),
                 "The learning rate is in there twice: in the velocity and in the step. It belongs to the step only."),
            Trap(lambda p, v, g, lr, b: (p - (b * v + lr * g), b * v + lr * g),
                 "The learning rate stands in the velocity here. Some books write it so, but then a change of the rate "
                 "reaches the steps late. Here, as in PyTorch, `v` adds up plain gradients, and `lr` scales the step."),
            Trap(lambda p, v, g, lr, b: (p + (b * v - lr * g), b * v - lr * g),
                 "This velocity points downhill and holds the learning rate, as some books have it. Here `v` adds up "
                 "plain gradients, and the step is `lr` times `v`, subtracted."),
            Trap(lambda p, v, g, lr, b: (p - lr * (b * v + (1 - b) * g), b * v + (1 - b) * g),
                 "The gradient is multiplied by 1 - b, which makes `v` a mean of gradients (PyTorch calls it "
                 "dampening). Here `v` takes up the whole gradient."),
            Trap(lambda p, v, g, lr, b: (p - lr * ((1 - b) * v + b * g), (1 - b) * v + b * g),
                 "`b` and 1 - b have changed places, and the gradient should have no factor at all: `b` says how much "
                 "of the old velocity is kept."),
            Trap(lambda p, v, g, lr, b: (p - lr * (v + b * g), v + b * g),
                 "`b` multiplies the gradient. It should multiply the old velocity, which otherwise never fades."),
            Trap(lambda p, v, g, lr, b: (p - lr * b * (v + g), b * (v + g)),
                 "`b` multiplies the sum of velocity and gradient. Only the old velocity fades."),
            Trap(lambda p, v, g, lr, b: (p - lr * (v + g), v + g),
                 "The old velocity is kept whole: it should fade by the factor `b`."),
            Trap(lambda p, v, g, lr, b: (p - lr * g, g),
                 "The old velocity has no effect: this is plain gradient descent."),
            Trap(lambda p, v, g, lr, b: (p - lr * (b * v + g), v),
                 "`p` is right, but the velocity that comes back is the old one. The next step would know nothing of "
                 "this gradient."),
            Trap(lambda p, v, g, lr, b: (p - lr * (g + b * (b * v + g)), b * v + g),
                 "`v` is right. The step is Nesterov's, which adds `b` times the new velocity to the gradient. Here "
                 "the step is `lr` times `v`."),
            Trap(lambda p, v, g, lr, b: (p - (b * v + g), b * v + g),
                 "The step has no learning rate: it is `lr` times the new velocity."),
            Trap(lambda p, v, g, lr, b: (b * v + g, p - lr * (b * v + g)),
                 "Both are right, but in the wrong order: first `p`, then `v`."),
            Trap(lambda p, v, g, lr, b: momentum_step(p, v, g, b, lr),
                 "`lr` and `b` have changed places: `b` is what the old velocity fades by, `lr` scales the step."),
            Trap(lambda p, v, g, lr, b: (p + lr * (b * v - g), b * v - g),
                 "This velocity points downhill: it takes up -g. Here `v` adds up the gradients themselves, and the "
                 "step is subtracted."),
            Trap(lambda p, v, g, lr, b: (p - lr * (b * v - g), b * v - g),
                 "The velocity takes up the gradient with the wrong sign: v = b · v + g."),
            Trap(lambda p, v, g, lr, b: (b * p - lr * (b * v + g), b * v + g),
                 "`v` is right, but `b` shrinks the parameters as well. The step is subtracted from `p` itself."),
            Trap(lambda p, v, g, lr, b: (p - lr * (b * (b * v + g)), b * v + g),
                 "`v` is right, but the step fades it once more: it is `lr` times the new `v`."),
            Trap(lambda p, v, g, lr, b: (p - lr * (1 + b) * (b * v + g), b * v + g),
                 "`v` is right, but the step adds `b` times the new velocity to it: it is `lr` times `v`, no more."),
            Trap(lambda p, v, g, lr, b: (lr * (b * v + g), b * v + g),
                 "The first result is the step, not the parameters after it: subtract it from `p`."),
        ),
    ),
)  # fmt: skip

# -- 11.2 -------------------------------------------------------------------------------------------


def rmsprop_step(p: Any, s: Any, g: Any, lr: float, decay: float, eps: float) -> Arrays:
    """s = decay s + (1 - decay) g²; p = p - lr g / (√s + eps)."""
    s = decay * s + (1 - decay) * g**2
    return p - lr * g / (s**0.5 + eps), s


def _floor(root: Any, eps: float) -> Any:
    """The larger of root and eps, for arrays of either kind."""
    return root + (eps - root) * (root < eps)


def _unrooted(p: Any, s: Any, g: Any, lr: float, eps: float) -> Arrays:
    """A step whose s may be negative: the root of its size."""
    return p - lr * g / (abs(s) ** 0.5 + eps), s


def _squares(mean: Callable[..., Any]) -> Callable[..., Arrays]:
    """RMSprop whose s is `mean(s, g, decay)`."""
    def step(p: Any, s: Any, g: Any, lr: float, decay: float, eps: float) -> Arrays:
        s = mean(s, g, decay)
        return p - lr * g / (s**0.5 + eps), s

    return step


def _stepped(step: Callable[..., Any]) -> Callable[..., Arrays]:
    """RMSprop whose step is `step(new s, g, lr, eps, old s)`."""
    def wrong(p: Any, s: Any, g: Any, lr: float, decay: float, eps: float) -> Arrays:
        new = decay * s + (1 - decay) * g**2
        return p - step(new, g, lr, eps, s), new

    return wrong


RMSPROP = Problem(
    id="11.2",
    title="RMSprop",
    task=(
        "Write one step of RMSprop: as AdaGrad's, but `s` is a running mean of the squares, which forgets. "
        "The weight of the old mean is `decay`, that of the new square `1 - decay`."
    ),
    spec=(
        "`rmsprop_step(p, s, g, lr, decay, eps)`: arrays `p`, `s` and `g` of one shape and dtype (NumPy or "
        "device), three numbers. Returns the new `p` and the new `s`, of that dtype; the arguments stay as they are."
    ),
    stub=(
        "def rmsprop_step(p, s, g, lr, decay, eps):\n"
        '    """The parameters and the mean square after one step."""\n    return ...\n'
    ),
    answer="rmsprop_step",
    lines=2,
    hints=(
        "AdaGrad's two lines, with a mean in the place of the sum. Both weights of a mean add up to 1.",
        "The order is AdaGrad's: the new `s` first, then the step with its root. `s**0.5` works for every kind of "
        "array. `eps` is added to the root, outside.",
        "`s = decay * s + (1 - decay) * ___`, then `return p - lr * g / (___ + eps), s`",
    ),
    solution=(
        "def rmsprop_step(p, s, g, lr, decay, eps):\n"
        '    """The parameters and the mean square after one step."""\n'
        "    s = decay * s + (1 - decay) * g**2\n    return p - lr * g / (s**0.5 + eps), s\n"
    ),
    why=(
        "The root of the mean square says how large this number's gradients usually are, so that g divided by it is "
        "near 1 in size whatever the units of the loss. A mean follows when the gradients change; AdaGrad's sum "
        "never shrinks."
    ),
    judge=by_cases(
        rmsprop_step,
        _cases("*+*", ((0.1, 0.9, 1e-8), (0.02, 0.5, 0.1), (0.3, 0.99, 0.02), (0.2, 0.8, 0.05))),
        atol=ROUNDING,
        traps=(
            Trap(_stepped(lambda s, g, lr, eps, old: lr * g / (s + eps) ** 0.5),
                 "`eps` stands inside the root. PyTorch adds it outside, √s + eps; inside, a small eps is a much "
                 "larger number once the root is taken."),
            Trap(_squares(lambda s, g, decay: s + g**2),
                 "This is AdaGrad: a sum of squares, which never forgets. RMSprop takes a mean, weighted by `decay` "
                 "and `1 - decay`."),
            Trap(_stepped(lambda s, g, lr, eps, old: lr * g / (s + eps)),
                 "The root is missing: g divided by a mean of squares has the wrong unit, and small gradients make "
                 "huge steps."),
            Trap(_stepped(lambda s, g, lr, eps, old: lr * g / (old**0.5 + eps)),
                 "The step divides by the root of the old `s`. Compute the new `s` first; in the very first step the "
                 "old one is 0."),
            Trap(_squares(lambda s, g, decay: (1 - decay) * s + decay * g**2),
                 "The two weights have changed places: `decay` is the share of the old mean that is kept."),
            Trap(_squares(lambda s, g, decay: decay * s + g**2),
                 "The new square should count with the weight `1 - decay`; otherwise `s` is a sum, not a mean."),
            Trap(_squares(lambda s, g, decay: s + (1 - decay) * g**2),
                 "The old mean should fade by the factor `decay`; as it is, `s` only grows."),
            Trap(_squares(lambda s, g, decay: decay * s + ((1 - decay) * g) ** 2),
                 "The weight `1 - decay` is squared together with the gradient. Square the gradient alone."),
            Trap(_squares(lambda s, g, decay: decay * s + (1 - decay) * (g**2).mean()),
                 "The mean is over the elements of g. RMSprop's mean is over the steps: each element keeps its own."),
            Trap(_squares(lambda s, g, decay: decay * s + (1 - decay) * g),
                 "The gradient is not squared: `s` should be a mean of squares."),
            Trap(_squares(lambda s, g, decay: decay * s + (1 - decay) * abs(g)),
                 "This is a mean of the gradient's size. RMSprop takes the mean of the squares, and the root of that."),
            Trap(_stepped(lambda s, g, lr, eps, old: -lr * g / (s**0.5 + eps)),
                 "The step goes uphill: subtract it."),
            Trap(_stepped(lambda s, g, lr, eps, old: lr / (s**0.5 + eps)),
                 "The step has no gradient in it, so that every number moves the same way: `lr * g / ...`."),
            Trap(_stepped(lambda s, g, lr, eps, old: lr * g * (s**0.5 + eps)),
                 "The step is multiplied by the root. Divide by it: large gradients should make the rate smaller."),
            Trap(_stepped(lambda s, g, lr, eps, old: lr * g / s**0.5 + eps),
                 "`eps` is added to the step, not to the root: put `s**0.5 + eps` in parentheses."),
            Trap(_stepped(lambda s, g, lr, eps, old: lr * g / s**0.5),
                 "`eps` is missing. Without it, a number whose gradients were all 0 is divided by 0."),
            Trap(_stepped(lambda s, g, lr, eps, old: lr * g / _floor(s**0.5, eps)),
                 "`eps` is added to the root of every number, √s + eps. It is no lower bound for the root."),
            Trap(_stepped(lambda s, g, lr, eps, old: lr * g / s**0.5 - eps),
                 "`eps` is added to the parameters, not to the root: put `s**0.5 + eps` in parentheses."),
            Trap(_stepped(lambda s, g, lr, eps, old: lr * g / (s + eps**2) ** 0.5),
                 "The square of `eps` stands inside the root. Add `eps` itself outside: √s + eps."),
            Trap(_stepped(lambda s, g, lr, eps, old: lr * g / ((s + eps) ** 0.5 + eps)),
                 "`eps` is in there twice, inside the root and outside. It belongs outside only."),
            Trap(_stepped(lambda s, g, lr, eps, old: lr * g / (s**0.5 + lr * eps)),
                 "`eps` is multiplied by the rate. The rate belongs to the whole quotient: lr · g / (√s + eps)."),
            Trap(_stepped(lambda s, g, lr, eps, old: g / (s**0.5 + eps)),
                 "The step has no learning rate: `lr * g / ...`."),
            Trap(_stepped(lambda s, g, lr, eps, old: lr * g**2 / (s**0.5 + eps)),
                 "The step is taken with the square of the gradient. The square belongs to `s`; the step takes g."),
            Trap(_stepped(lambda s, g, lr, eps, old: lr * abs(g) / (s**0.5 + eps)),
                 "The step has lost the sign of the gradient: it leads downwards for all numbers. Take g itself."),
            Trap(_squares(lambda s, g, decay: (decay * s**0.5 + (1 - decay) * g) ** 2),
                 "This is the square of a mean. `s` is a mean of squares: square g first, then take the mean."),
            Trap(lambda p, s, g, lr, decay, eps: (p - lr * g / (decay * s + (1 - decay) * g**2 + eps) ** 0.5,
                                                  decay * s + (1 - decay) * g**2 + eps),
                 "`eps` is added to the `s` that is kept, so that it grows in there. Add it to the root, in the "
                 "quotient only."),
            Trap(lambda p, s, g, lr, decay, eps: _unrooted(p, decay * s + (1 - decay) * g, g, lr, eps),
                 "The gradient is not squared: `s` should be a mean of squares."),
            Trap(lambda p, s, g, lr, decay, eps: (
                    p - lr * g / (((decay * s + (1 - decay) * g**2) / (1 - decay)) ** 0.5 + eps),
                    decay * s + (1 - decay) * g**2),
                 "The mean is divided by 1 - decay before its root is taken. RMSprop takes it as it is; a correction "
                 "for the start comes with Adam."),
            Trap(lambda p, s, g, lr, decay, eps: (rmsprop_step(p, s, g, lr, decay, eps)[0] - (1 - decay) * p,
                                                  rmsprop_step(p, s, g, lr, decay, eps)[1]),
                 "`s` is right, but `decay` shrinks the parameters as well. It belongs to the mean only."),
            Trap(lambda p, s, g, lr, decay, eps: (rmsprop_step(p, s, g, lr, decay, eps)[0], s),
                 "`p` is right, but the `s` that comes back is the old one."),
            Trap(lambda p, s, g, lr, decay, eps: (p - lr * g / (rmsprop_step(p, s, g, lr, decay, eps)[1] ** 0.5 + eps),
                                                  rmsprop_step(p, s, g, lr, decay, eps)[1] ** 0.5),
                 "`p` is right, but what comes back with it is the root. Keep the mean square itself: the next step "
                 "needs it."),
            Trap(lambda p, s, g, lr, decay, eps: rmsprop_step(p, s, g, lr, decay, eps)[::-1],
                 "Both are right, but in the wrong order: first `p`, then `s`."),
        ),
    ),
)  # fmt: skip

# -- 11.3 -------------------------------------------------------------------------------------------


def adam_step(
    p: Any, m: Any, s: Any, g: Any, t: int, lr: float, b1: float, b2: float, eps: float
) -> Arrays:
    """m and s: running means of g and g²; p = p - lr m̂ / (√ŝ + eps), each mean divided by 1 - bᵗ."""
    return _adam()(p, m, s, g, t, lr, b1, b2, eps)


def _adam(
    corrections: Callable[..., tuple[float, float]] = lambda b1, b2, t: (1 - b1**t, 1 - b2**t),
    divide: Callable[..., Any] = lambda mean, square, eps: mean / (square**0.5 + eps),
    keep: Callable[..., Arrays] = lambda m, s, mean, square: (m, s),
    weights: Callable[..., tuple[tuple[float, float], tuple[float, float]]] = lambda b1, b2, t: (
        (b1, 1 - b1), (b2, 1 - b2)),
    squared: Callable[[Any], Any] = lambda g: g**2,
) -> Callable[..., Arrays]:
    """Adam's step with its parts exchanged: both corrections, the quotient, what is kept, the weights, the square."""
    def step(p: Any, m: Any, s: Any, g: Any, t: int, lr: float, b1: float, b2: float, eps: float) -> Arrays:
        (old1, new1), (old2, new2) = weights(b1, b2, t)
        m, s = old1 * m + new1 * g, old2 * s + new2 * squared(g)
        first, second = corrections(b1, b2, t)
        corrected = m / first, s / second
        return p - lr * divide(*corrected, eps), *keep(m, s, *corrected)

    return step


def _of_each(correction: Callable[[float, int], float]) -> Callable[..., tuple[float, float]]:
    """The same correction for both means."""
    return lambda b1, b2, t: (correction(b1, t), correction(b2, t))


def _by_gradient(p: Any, m: Any, s: Any, g: Any, t: int, lr: float, b1: float, b2: float, eps: float) -> Arrays:
    """The gradient itself in the place of its mean."""
    _, m, s = adam_step(p, m, s, g, t, lr, b1, b2, eps)
    return p - lr * g / ((s / (1 - b2**t)) ** 0.5 + eps), m, s


def _exchanged(p: Any, m: Any, s: Any, g: Any, t: int, lr: float, b1: float, b2: float, eps: float) -> Arrays:
    return adam_step(p, m, s, g, t, lr, b2, b1, eps)


def _late_square(p: Any, m: Any, s: Any, g: Any, t: int, lr: float, b1: float, b2: float, eps: float) -> Arrays:
    """The square of the mean in the place of the mean of the squares."""
    m = b1 * m + (1 - b1) * g
    s = b2 * s + (1 - b2) * m**2
    return p - lr * (m / (1 - b1**t)) / ((s / (1 - b2**t)) ** 0.5 + eps), m, s


def _adam_from(
    mean: Callable[..., Any] = lambda old, new, g, b: new,
    square: Callable[..., Any] = lambda old, new: new,
) -> Callable[..., Arrays]:
    """Adam whose step takes, in the places of m and s, `mean(old m, new m, g, b1)` and `square(old s, new s)`."""
    def step(p: Any, m: Any, s: Any, g: Any, t: int, lr: float, b1: float, b2: float, eps: float) -> Arrays:
        _, new_m, new_s = adam_step(p, m, s, g, t, lr, b1, b2, eps)
        root = (square(s, new_s) / (1 - b2**t)) ** 0.5
        return p - lr * mean(m, new_m, g, b1) / (1 - b1**t) / (root + eps), new_m, new_s

    return step


def _adam_with_eps(eps_of: Callable[..., float]) -> Callable[..., Arrays]:
    """Adam whose eps is `eps_of(eps, b2, t)`."""
    return lambda p, m, s, g, t, lr, b1, b2, eps: adam_step(p, m, s, g, t, lr, b1, b2, eps_of(eps, b2, t))


def _adds_eps(p: Any, m: Any, s: Any, g: Any, t: int, lr: float, b1: float, b2: float, eps: float) -> Arrays:
    """No eps in the quotient; it is added to the parameters."""
    bare, *means = _adam(divide=lambda mean, square, _: mean / square**0.5)(p, m, s, g, t, lr, b1, b2, eps)
    return bare + eps, *means


ADAM = Problem(
    id="11.3",
    title="Adam with its correction",
    task=(
        "Mend `hasty_adam`: divide each of the two means by the weight that it has really collected after `t` steps, "
        "before they go into the step. What is kept for the next step stays uncorrected."
    ),
    spec=(
        "`adam_step(p, m, s, g, t, lr, b1, b2, eps)`: arrays `p`, `m`, `s` and `g` of one shape and dtype (NumPy "
        "or device); `t` counts steps from 1. Returns the new `p`, `m` and `s`, of that dtype; the arguments stay as "
        "they are."
    ),
    stub=(
        "def adam_step(p, m, s, g, t, lr, b1, b2, eps):\n"
        '    """The parameters and both means after step t."""\n    return ...\n'
    ),
    answer="adam_step",
    lines=4,
    hints=(
        "After t steps from zero, the weights in `m` add up to 1 - b1 to the power of t, not to 1. Divide by what "
        "they add up to. The same goes for `s` with its own `b2`.",
        "Keep `m` and `s` as they are and put the corrected ones into the quotient only. The root is taken of the "
        "corrected `s`; `eps` is added outside the root.",
        "After the two means: `step = (m / (1 - b1**___)) / ((s / (1 - ___))**0.5 + ___)`, then "
        "`return p - lr * step, m, s`",
    ),
    solution=(
        "def adam_step(p, m, s, g, t, lr, b1, b2, eps):\n"
        '    """The parameters and both means after step t."""\n'
        "    m = b1 * m + (1 - b1) * g\n"
        "    s = b2 * s + (1 - b2) * g**2\n"
        "    step = (m / (1 - b1**t)) / ((s / (1 - b2**t)) ** 0.5 + eps)\n"
        "    return p - lr * step, m, s\n"
    ),
    why=(
        "In the first step m is (1 - b1) g and s is (1 - b2) g², so that the corrected means are g and g², and the "
        "step is lr long in every number. After some thousand steps both divisors are 1 and the correction is gone."
    ),
    judge=by_cases(
        adam_step,
        _cases("**+*", ((1, 0.1, 0.9, 0.999, 1e-8), (3, 0.02, 0.8, 0.95, 0.1), (40, 0.3, 0.9, 0.99, 0.02),
                        (5, 0.2, 0.7, 0.9, 0.05))),
        atol=ROUNDING,
        traps=(
            Trap(_adam(lambda b1, b2, t: (1, 1)),
                 "Neither mean is corrected: divide `m` by 1 - b1ᵗ and `s` by 1 - b2ᵗ before the step."),
            Trap(_adam(lambda b1, b2, t: (1 - b1**t, 1)),
                 "Only `m` is corrected. `s` begins at zero as well: divide it by 1 - b2ᵗ."),
            Trap(_adam(lambda b1, b2, t: (1, 1 - b2**t)),
                 "Only `s` is corrected. `m` begins at zero as well: divide it by 1 - b1ᵗ."),
            Trap(_adam(_of_each(lambda b, t: 1 - b ** (t - 1))),
                 "The correction counts steps from 0, so that the first step divides by zero. `t` is 1 in the first "
                 "step: take it as it is."),
            Trap(_adam(_of_each(lambda b, t: 1 - b ** (t + 1))),
                 "The correction is one step ahead: `t` is 1 in the first step already, so the power is `t`."),
            Trap(_adam(_of_each(lambda b, t: 1 - b)),
                 "Both means are divided by 1 - b in every step, which is right for the first one only: the power t "
                 "is missing."),
            Trap(_adam(_of_each(lambda b, t: 1 - b * t)),
                 "`b * t` should be a power: 1 - b1 to the power of t, `b1**t`."),
            Trap(_adam(divide=lambda mean, square, eps: mean / (square + eps) ** 0.5),
                 "`eps` stands inside the root. It is added outside: √ŝ + eps."),
            Trap(_adam(divide=lambda mean, square, eps: mean / (square + eps)),
                 "The root is missing: divide by the root of the corrected `s`, plus eps."),
            Trap(_adam(divide=lambda mean, square, eps: mean / square**0.5 + eps),
                 "`eps` is added to the step, not to the root: parentheses around `... ** 0.5 + eps`."),
            Trap(_adam(divide=lambda mean, square, eps: mean / square**0.5),
                 "`eps` is missing. Without it, a number whose gradients were all 0 is divided by 0."),
            Trap(_adam(divide=lambda mean, square, eps: -mean / (square**0.5 + eps)),
                 "The step goes uphill: subtract it."),
            Trap(_adam(keep=lambda m, s, mean, square: (mean, square)),
                 "`p` is right, but the corrected means come back. Keep the uncorrected ones: otherwise the next step "
                 "corrects them a second time."),
            Trap(_adam(weights=lambda b1, b2, t: ((1 - b1, b1), (1 - b2, b2))),
                 "The weights of both means have changed places: `b` is the share of the old mean that is kept."),
            Trap(_adam(weights=lambda b1, b2, t: ((b1, 1), (b2, 1))),
                 "The new gradient and its square should count with the weights 1 - b1 and 1 - b2."),
            Trap(_by_gradient, "The step is taken with the gradient itself: this is RMSprop with a correction. Adam "
                               "steps with the mean `m`."),
            Trap(_exchanged, "`b1` and `b2` have changed places: b1 belongs to `m`, b2 to `s`."),
            Trap(_late_square, "`s` takes the square of the mean `m`. It should take the square of the gradient."),
            Trap(lambda p, m, s, g, *rest: (adam_step(p, m, s, g, *rest)[0], m, s),
                 "`p` is right, but the means that come back are the old ones."),
            Trap(_adam(_of_each(lambda b, t: 1 / (1 - b**t))),
                 "The means are multiplied by 1 - bᵗ, which makes them smaller still. Divide by it."),
            Trap(_adam(lambda b1, b2, t: (1 - b1**t, (1 - b2**t) ** 2)),
                 "The correction of `s` stands outside the root. Correct `s` first, then take the root."),
            Trap(_adam(lambda b1, b2, t: (1 - b1**t, 1 - b1**t)),
                 "Both means are corrected with `b1`. `s` has weights of its own: divide it by 1 - b2ᵗ."),
            Trap(_adam(lambda b1, b2, t: (1 - b2**t, 1 - b2**t)),
                 "Both means are corrected with `b2`. `m` has weights of its own: divide it by 1 - b1ᵗ."),
            Trap(_adam(lambda b1, b2, t: (1 - b2**t, 1 - b1**t)),
                 "The two corrections have changed places: 1 - b1ᵗ belongs to `m`, 1 - b2ᵗ to `s`."),
            Trap(_adam(_of_each(lambda b, t: b**t)),
                 "The means are divided by bᵗ. That is the weight that is still missing after t steps; divide by what "
                 "has been collected, 1 - bᵗ."),
            Trap(_adam(_of_each(lambda b, t: 1 - b if t == 1 else 1)),
                 "Only the first step is corrected. The weights need many steps to add up to 1: correct every step."),
            Trap(_adam(lambda b1, b2, t: (t, 1)),
                 "The mean is divided by t. It is a mean already; what it lacks is weight: divide by 1 - b1ᵗ, and `s` "
                 "by 1 - b2ᵗ."),
            Trap(_adam(weights=lambda b1, b2, t: ((b1, 1), (b2, 1 - b2))),
                 "The new gradient counts in full, as in momentum. In Adam's mean it has the weight 1 - b1."),
            Trap(_adam(weights=lambda b1, b2, t: ((b1, 1 - b1), (b2, 1))),
                 "The new square counts in full, so that `s` is no mean. Its weight is 1 - b2."),
            Trap(_adam(weights=lambda b1, b2, t: ((1 - b1, b1), (b2, 1 - b2))),
                 "In `m` the two weights have changed places: `b1` is the share of the old mean that is kept."),
            Trap(_adam(weights=lambda b1, b2, t: ((b1, 1 - b1), (1 - b2, b2))),
                 "In `s` the two weights have changed places: `b2` is the share of the old mean that is kept."),
            Trap(_adam(weights=lambda b1, b2, t: ((b1, 1 - b1), (b2, (1 - b2) ** 2))),
                 "The weight 1 - b2 is squared together with the gradient. Square the gradient alone."),
            Trap(_adam(weights=lambda b1, b2, t: ((b1**t, 1 - b1**t), (b2**t, 1 - b2**t))),
                 "The powers have got into the means. There `b1` and `b2` stand as they are; the power t belongs to "
                 "the correction only."),
            Trap(_adam(squared=abs), "`s` takes the size of the gradient. It should take its square."),
            Trap(_adam(keep=lambda m, s, mean, square: (mean, s)),
                 "`p` and `s` are right, but the corrected `m` comes back. Keep the uncorrected one: otherwise the "
                 "next step corrects it a second time."),
            Trap(_adam(keep=lambda m, s, mean, square: (m, square)),
                 "`p` and `m` are right, but the corrected `s` comes back. Keep the uncorrected one: otherwise the "
                 "next step corrects it a second time."),
            Trap(_adam(keep=lambda m, s, mean, square: (s, m)),
                 "All three are right, but in the wrong order: `p`, then `m`, then `s`."),
            Trap(_adam(divide=lambda mean, square, eps: mean / _floor(square**0.5, eps)),
                 "`eps` is added to every root, √ŝ + eps. It is no lower bound for the root."),
            Trap(_adam(divide=lambda mean, square, eps: mean / (mean**2 + eps) ** 0.5),
                 "The mean is divided by its own size. Divide by the root of the corrected `s`."),
            Trap(_adds_eps,
                 "`eps` is added to the parameters, not to the root: parentheses around `... ** 0.5 + eps`."),
            Trap(_adam_with_eps(lambda eps, b2, t: eps / (1 - b2**t) ** 0.5),
                 "`eps` is added before `s` is corrected, and so grows with the correction. Correct `s`, take the "
                 "root, then add `eps`. (Keras has it your way.)"),
            Trap(lambda p, m, s, g, t, lr, b1, b2, eps: adam_step(p, m, s, g, t, 1, b1, b2, eps),
                 "The step has no learning rate: subtract `lr` times the quotient."),
            Trap(_adam_from(mean=lambda old, new, g, b: old, square=lambda old, new: new),
                 "The step takes the old `m`. Compute the new means first, then correct these."),
            Trap(_adam_from(square=lambda old, new: old),
                 "The step divides by the root of the old `s`. Compute the new means first, then correct these."),
            Trap(_adam_from(mean=lambda old, new, g, b: old, square=lambda old, new: old),
                 "The old means are corrected and go into the step. Compute the new ones first."),
            Trap(_adam_from(mean=lambda old, new, g, b: g),
                 "The correction of `m` is there, but it is applied to the gradient. Correct the mean `m`."),
            Trap(_adam_from(mean=lambda old, new, g, b: b * new + (1 - b) * g),
                 "The mean takes up the gradient once more for the step, as Nesterov would have it. Here the step "
                 "takes `m` as it is kept, but for the correction."),
        ),
    ),
)  # fmt: skip

# -- 11.4 -------------------------------------------------------------------------------------------


def rate(step: int, steps: int, warmup: int, peak: float) -> float:
    """Learning rate of a step: a linear rise to the peak, then half a cosine down to 0 at the last step."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup + 1) / (steps - warmup)
    return peak * (1 + math.cos(math.pi * done)) / 2


def _rise(wrong: Callable[[int, int], float]) -> Callable[..., float]:
    """The rate if the share of the peak during the warmup is `wrong(step, warmup)`."""
    return lambda step, steps, warmup, peak: (
        peak * wrong(step, warmup) if step < warmup else rate(step, steps, warmup, peak))  # fmt: skip


def _fall(done: Callable[[int, int, int], float], shape: Share | None = None) -> Callable[..., float]:
    """The rate if `done(step, steps, warmup)` is the way gone after the warmup, and `shape` the share of the peak."""
    share = shape or (lambda x: (1 + math.cos(math.pi * x)) / 2)
    return lambda step, steps, warmup, peak: (
        rate(step, steps, warmup, peak) if step < warmup else peak * share(done(step, steps, warmup)))  # fmt: skip


def _way(step: int, steps: int, warmup: int) -> float:
    return (step - warmup + 1) / (steps - warmup)


def _line(step: int, warmup: int) -> float:
    """The share of the peak along the warmup's line, 1 behind it."""
    return min((step + 1) / max(warmup, 1), 1)


def _half_cosine(done: float) -> float:
    return (1 + math.cos(math.pi * done)) / 2


def _late(rises: Callable[[int, int], bool]) -> Callable[..., float]:
    """The rate where the warmup goes on while `rises(step, warmup)`."""
    return lambda step, steps, warmup, peak: (
        peak * (step + 1) / max(warmup, 1) if rises(step, warmup) else rate(step, steps, warmup, peak))  # fmt: skip


AHEAD = ("The cosine is one step ahead: the first step after the warmup has 1 part of the way done, and only the last "
         "comes to 0.")  # fmt: skip


SCHEDULE = Problem(
    id="11.4",
    title="Warmup, then a cosine",
    task=(
        "Write a schedule: the learning rate rises evenly to its peak, then follows half a cosine down to 0. "
        "Mind both ends: it is easy to be off by one there."
    ),
    spec=(
        "`rate(step, steps, warmup, peak)`: `step` counts from 0. Steps 0 to warmup - 1 rise evenly from peak / warmup "
        "to peak; those after it fall, each by an equal angle of the half cosine, from just below peak to 0 at the "
        "last step, steps - 1. `warmup` may be 0. Returns a number."
    ),
    stub=(
        "def rate(step, steps, warmup, peak):\n"
        '    """The learning rate of a step."""\n    return ...\n'
    ),
    answer="rate",
    lines=4,
    hints=(
        "Two cases: `step < warmup` and the rest. For the rest, work out which part of the way is done, a number that "
        "is 1 at the last step, and hand it to a cosine.",
        "After the warmup there are `steps - warmup` steps. The first of them has 1 of them done, the last all. The "
        "cosine goes from 1 to -1 while its angle goes from 0 to π; you want a factor from 1 to 0.",
        "`if step < warmup: return peak * (step + 1) / ___`, then `done = (step - warmup + ___) / (steps - warmup)` "
        "and `return peak * (1 + np.cos(___ * done)) / ___`",
    ),
    solution=(
        "def rate(step, steps, warmup, peak):\n"
        '    """The learning rate of a step."""\n'
        "    if step < warmup:\n        return peak * (step + 1) / warmup\n"
        "    done = (step - warmup + 1) / (steps - warmup)\n"
        "    return peak * (1 + np.cos(np.pi * done)) / 2\n"
    ),
    why=(
        "With these counts no step has the rate 0 but the last, and the peak comes once. A cosine is flat at both "
        "ends: it stays near the peak for a while, and near 0 at the end, where small steps settle the noise."
    ),
    judge=by_cases(
        rate,
        [(0, 100, 10, 0.1), (4, 100, 10, 0.1), (9, 100, 10, 0.1), (10, 100, 10, 0.1), (40, 100, 10, 0.1),
         (54, 100, 10, 0.1), (98, 100, 10, 0.1), (99, 100, 10, 0.1),
         Case(0, 8, 0, 1.0, about="a warmup of 0"), (3, 8, 0, 1.0), (7, 8, 0, 1.0),
         (0, 7, 1, 2.0), (1, 7, 1, 2.0), (5, 7, 5, 0.3), (1, 8, 5, 1.0), (3, 8, 5, 1.0)],
        hidden=lambda rng: [(int(s), 60, int(w), 0.5) for s, w in zip(rng.integers(0, 60, 8), rng.integers(0, 30, 8),
                                                                      strict=True)],
        atol=1e-12,
        traps=(
            Trap(_rise(lambda step, warmup: step / warmup),
                 "The warmup is off by one: step 0 has the rate 0 and learns nothing, and the last step of the warmup "
                 "stays below the peak."),
            Trap(_rise(lambda step, warmup: (step + 1) / (warmup + 1)),
                 "The warmup ends below the peak: its last step, warmup - 1, should have the peak itself."),
            Trap(_rise(lambda step, warmup: 1.0), "There is no warmup: the first steps have the peak already."),
            Trap(_fall(lambda step, steps, warmup: (step - warmup) / (steps - warmup)),
                 "The cosine is off by one: its first step repeats the peak, and its last one does not come to 0."),
            Trap(_fall(lambda step, steps, warmup: (step - warmup) / max(steps - warmup - 1, 1)),
                 "It ends at 0, but the peak comes twice: the first step after the warmup should be below it."),
            Trap(_fall(lambda step, steps, warmup: (step + 1) / steps),
                 "The cosine counts from step 0, not from the end of the warmup: after the warmup it jumps down."),
            Trap(_fall(lambda step, steps, warmup: step / steps),
                 "The cosine counts from step 0, not from the end of the warmup, and does not come to 0."),
            Trap(_fall(lambda step, steps, warmup: (step - warmup + 1) / steps),
                 "The way is divided by all steps. After the warmup there are `steps - warmup` left; as it is, the "
                 "rate never comes to 0."),
            Trap(_fall(_way, lambda x: (1 + math.cos(180 * x)) / 2),
                 "The cosine takes an angle in radians: half a turn is π, not 180."),
            Trap(_fall(_way, lambda x: (1 + math.cos(x)) / 2),
                 "The angle goes from 0 to 1 only. Half a cosine goes from 0 to π."),
            Trap(_fall(_way, lambda x: (1 + math.cos(2 * math.pi * x)) / 2),
                 "This is a whole cosine: the rate falls, then rises to the peak again. Half of it ends at π."),
            Trap(_fall(_way, lambda x: math.cos(math.pi * x / 2)),
                 "This is a quarter of a cosine, from 1 to 0: it is steepest at the end. Take half a cosine, from 1 to "
                 "-1, and turn that into a factor from 1 to 0."),
            Trap(_fall(_way, lambda x: 1 + math.cos(math.pi * x)),
                 "After the warmup the rate is twice what it should be: 1 + cos goes from 2 to 0, so halve it."),
            Trap(_fall(_way, lambda x: math.cos(math.pi * x)),
                 "The factor goes from 1 to -1, and a negative learning rate climbs. Add 1 and halve it."),
            Trap(_fall(_way, lambda x: (1 - math.cos(math.pi * x)) / 2),
                 "The cosine is turned round: the rate rises after the warmup. It is 1 + cos, not 1 - cos."),
            Trap(_fall(_way, lambda x: 1 - x), "The rate falls along a straight line. It should follow a cosine."),
            Trap(_late(lambda step, warmup: warmup > 0 and step <= warmup),
                 "The warmup has one step too many: step `warmup` gets more than the peak. It is the first step of the "
                 "cosine, so the test is `step < warmup`."),
            Trap(_late(lambda step, warmup: step <= warmup),
                 "The warmup has one step too many: step `warmup` is the first of the cosine, so the test is "
                 "`step < warmup`."),
            Trap(_rise(lambda step, warmup: (step + 1) // warmup),
                 "`//` divides to a whole number: the rate is 0 until the last step of the warmup. Use `/`."),
            Trap(_rise(lambda step, warmup: 1 / warmup + step * (1 - 1 / warmup) / warmup),
                 "The warmup ends below the peak: from the first rate, peak / warmup, to the peak there are "
                 "warmup - 1 steps, not `warmup`."),
            Trap(lambda step, steps, warmup, peak: rate(step, steps, warmup, 1.0),
                 "`peak` is missing: the rate rises to 1."),
            Trap(_fall(lambda step, steps, warmup: (step - warmup + 1) / (steps - warmup + 1)),
                 "The last step is not at 0: it should have the whole way done. After the warmup there are "
                 "`steps - warmup` steps, without + 1."),
            Trap(_fall(lambda step, steps, warmup: min((step - warmup + 2) / (steps - warmup), 1)), AHEAD),
            Trap(_fall(lambda step, steps, warmup: (step - warmup + 2) / (steps - warmup)), AHEAD),
            Trap(_fall(lambda step, steps, warmup: (step - warmup) / (steps - 1)),
                 "The way is divided by steps - 1. After the warmup there are `steps - warmup` steps left, and the "
                 "first of them has 1 done, not 0."),
            Trap(_fall(lambda step, steps, warmup: (warmup - step + 1) / (steps - warmup)),
                 "The steps gone since the warmup are `step - warmup`, here they are counted backwards. (Half of the "
                 "mistake is hidden, since a cosine is the same for an angle and its negative.)"),
            Trap(_fall(_way, lambda x: (1 + math.sin(math.pi * x)) / 2), "This is a sine. It should be a cosine."),
            Trap(lambda step, steps, warmup, peak: peak * _line(step, warmup) * _half_cosine((step + 1) / steps),
                 "The cosine runs over all steps and is multiplied with the warmup. It should begin after the warmup, "
                 "and until then the rate is the line alone."),
            Trap(lambda step, steps, warmup, peak: peak * _line(step, warmup) * _half_cosine(_way(step, steps, warmup)),
                 "In the warmup the cosine is multiplied in as well, with an angle below 0. Until step warmup - 1 the "
                 "rate is the line alone."),
            Trap(lambda step, steps, warmup, peak: peak * min(_line(step, warmup),
                                                              _half_cosine(_way(step, steps, warmup))),
                 "The smaller of line and cosine is not always the line during the warmup: in a long one the cosine, "
                 "at an angle below 0, is smaller. Ask whether `step < warmup`."),
            Trap(_fall(_way, lambda x: 1.0), "The rate stays at its peak after the warmup."),
        ),
    ),
)  # fmt: skip

# -- 11.5 -------------------------------------------------------------------------------------------

TRAFFIC_DUE: Numbers = {
    "momentum, unfused: read": 6, "momentum, unfused: written": 4,
    "momentum, fused: read": 3, "momentum, fused: written": 2,
    "Adam, fused: read": 4, "Adam, fused: written": 3, "Adam, fused: bytes a parameter": 28,
}  # fmt: skip

TRAFFIC = Problem(
    id="11.5",
    title="The traffic on paper",
    task=(
        "How often is an array read from memory, and how often is one written? Count it for momentum in four array "
        "operations, as the cell above has them, and for momentum and Adam in a single kernel that keeps everything "
        "else in registers."
    ),
    spec=(
        "`traffic`: a dict of whole numbers. An array that is read twice counts twice; numbers such as `lr` do not "
        "count; Adam is without weight decay; parameters are float32. The last entry is in bytes, read and written."
    ),
    stub=mapping_source("traffic", TRAFFIC_DUE.keys()),
    answer="traffic",
    lines=7,
    hints=(
        "Take one line at a time. Which arrays must be fetched before it can be computed, and where does its result "
        "go? `v += g` needs both.",
        "An operation in place still writes an array, and `step` is an array, too. In a fused kernel each array that "
        "is needed is fetched once, and each that has changed is stored once. Does the gradient change?",
        "Unfused, line by line: 1 + 2 + 1 + ___ read, and one written by each line. Fused Adam reads p, g, m and "
        "___, and writes all of these but ___; each is 4 bytes a parameter.",
    ),
    solution=mapping_source("traffic", TRAFFIC_DUE),
    why=(
        "Ten arrays read or written become five for momentum. An optimizer computes a handful of operations on each "
        "number that it fetches, so this traffic is what it costs."
    ),
    judge=is_mapping(
        TRAFFIC_DUE,
        traps=(
            Trap({"momentum, unfused: read": 3}, "p, v and g are three arrays, but unfused each operation fetches its "
                                                 "operands anew: nothing stays in registers from one to the next."),
            Trap({"momentum, unfused: read": 4}, "Four operations, but two of them read two arrays: `v += g` needs v "
                                                 "as well as g, and `p -= step` needs p as well as `step`."),
            Trap({"momentum, unfused: read": 5}, "One read is missing from the four lines. Does each operation in "
                                                 "place fetch what stood there before? Does the last fetch `step`?"),
            Trap({"momentum, unfused: read": 2}, "An operation in place reads what it changes: `v *= b` needs v."),
            Trap({"momentum, unfused: read": 7}, "One read too many. `v *= b` and `lr * v` read one array each, since "
                                                 "`b` and `lr` are numbers; the other two lines read two."),
            Trap({"momentum, unfused: read": 8}, "Not all four read two arrays: `b` and `lr` are numbers and travel "
                                                 "with the launch."),
            Trap({"momentum, unfused: written": 2}, "Only p and v matter in the end, but each of the four operations "
                                                    "writes an array: v twice, `step`, and p."),
            Trap({"momentum, unfused: written": 3}, "Three different arrays, but v is written twice: by `v *= b` and "
                                                    "by `v += g`."),
            Trap({"momentum, unfused: written": 1}, "An operation in place writes, too: it makes no new array, but it "
                                                    "stores one."),
            Trap({"momentum, fused: read": 2}, "A fused step with momentum needs three arrays: the parameters, the "
                                               "velocity, and the gradient."),
            Trap({"momentum, fused: read": 1}, "The gradient is not enough: the new velocity needs the old one, and "
                                               "the new parameters need the old ones."),
            Trap({"momentum, unfused: written": 5}, "Four operations write one array each. A number that is computed "
                                                    "on the way is no array."),
            Trap({"momentum, fused: read": 4}, "One too many: p, v and g come from memory. The new velocity, which the "
                                               "step needs, is still in a register."),
            Trap({"momentum, fused: read": 5}, "Two too many: p, v and g come from memory, once each. What has been "
                                               "fetched or computed is still in a register."),
            Trap({"momentum, fused: read": 6}, "These are the reads of the four operations. In one kernel an element "
                                               "is fetched once and stays in a register."),
            Trap({"momentum, fused: written": 1}, "The new velocity must be stored as well: the next step needs it, "
                                                  "and registers end with the kernel."),
            Trap({"momentum, fused: written": 3}, "The fused step stores p and v. The gradient has not changed, and "
                                                  "`step` lives in a register."),
            Trap({"momentum, fused: written": 4}, "In one kernel each array that changed is stored once: v once, and "
                                                  "no `step`."),
            Trap({"Adam, fused: read": 3}, "Adam reads four arrays: the parameters, the gradient, and both means."),
            Trap({"Adam, fused: read": 2}, "Adam reads four arrays: besides p and g also both means, which the last "
                                           "step has left in memory."),
            Trap({"Adam, fused: read": 5}, "One too many: p, g and both means, once each. What has been computed from "
                                           "them stays in registers."),
            Trap({"Adam, fused: read": 6}, "Two too many, as if two arrays were fetched again after the means are "
                                           "stored. What is in a register need not be fetched again."),
            Trap({"Adam, fused: written": 5}, "The corrected means, like the step, are no arrays here: they live in "
                                              "registers and end there."),
            Trap({"Adam, fused: written": 4}, "Adam leaves the gradient as it is: three arrays are written."),
            Trap({"Adam, fused: written": 1}, "Both means change as well, and the next step needs them."),
            Trap({"Adam, fused: written": 2}, "Three arrays change in a step of Adam: p and two means."),
            Trap({"Adam, fused: bytes a parameter": 7}, "Seven is the number of arrays read and written. A float32 "
                                                        "has 4 bytes."),
            Trap({"Adam, fused: bytes a parameter": 56}, "That is for float64. A float32 has 4 bytes."),
            Trap({"Adam, fused: bytes a parameter": 16}, "That is what four arrays hold, or what is read. What is "
                                                         "written counts, too."),
            Trap({"Adam, fused: bytes a parameter": 12}, "That is what is written. What is read counts, too."),
            Trap({"Adam, fused: bytes a parameter": 224}, "That is in bits. Divide by eight."),
            Trap({"Adam, fused: bytes a parameter": 20}, "That is the fused momentum's: 5 arrays, 4 bytes each. Adam "
                                                         "has one array more, read and written."),
            Trap({"Adam, fused: bytes a parameter": 36}, "That is nine arrays of 4 bytes: something is fetched or "
                                                         "stored twice. In registers it need not be."),
            Trap({"Adam, fused: bytes a parameter": 32}, "That is eight arrays of 4 bytes. Not all that is read has "
                                                         "changed."),
            Trap({"Adam, fused: bytes a parameter": 24}, "That is six arrays of 4 bytes: one is missing among those "
                                                         "read or written. `p` is both."),
            Trap({"Adam, fused: bytes a parameter": 8}, "That is what Adam remembers, the two means. Count all that is "
                                                        "read, and all that is written."),
        ),
    ),
)  # fmt: skip

# -- 11.6 -------------------------------------------------------------------------------------------

FUSED_STUB = '''fused_momentum = cp.RawKernel(r"""
extern "C" __global__
void fused_momentum(float* p, float* v, const float* g, int n, float lr, float b)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;

}
""", "fused_momentum")
'''
FUSED_BODY = """    if (i < n) {
        float velocity = b * v[i] + g[i];
        v[i] = velocity;
        p[i] -= lr * velocity;
    }
"""
FUSED_SOLUTION = FUSED_STUB.replace("threadIdx.x;\n\n", "threadIdx.x;\n" + FUSED_BODY)


def make_fused(rng: np.random.Generator) -> Sequence[Launch]:
    """A last block that is not full, a few elements, idle blocks, blocks of one warp."""
    shapes = ((1000, 4, 256), (3, 1, 32), (333, 8, 64), (96, 3, 32))
    small = [_fused(rng, *shape) for shape in shapes]
    return timed_at(lambda: _fused(rng, FULL, FULL // 256, 256), small)


def _fused(rng: np.random.Generator, n: int, blocks: int, threads: int) -> Launch:
    p, v, g = (_array.astype(np.float32) for _array in _arrays(rng, (n,), "***"))
    lr, b = np.float32(0.125), np.float32(0.75)
    args = {"p": p, "v": v, "g": g, "n": np.int32(n), "lr": lr, "b": b}
    new_p, new_v = momentum_step(p, v, g, float(lr), float(b))
    return Launch((blocks,), (threads,), args, {"p": new_p, "v": new_v}, rtol=1e-5, atol=2e-6,
                  words=f"n = {n} in {blocks} blocks of {threads}")  # fmt: skip


def sectors(n: int) -> int:
    """32-byte sectors that n floats fill."""
    return -(-n // 8)


def _fused_trap(wrong: Callable[..., Arrays], message: str) -> KernelTrap:
    """`wrong(p, v, g, lr, b)` are p and v as the mistake leaves them."""
    def outputs(launch: Launch) -> Numbers:
        p, v = wrong(*(launch.args[name] for name in ("p", "v", "g", "lr", "b")))
        return {"p": p, "v": v}

    return KernelTrap(outputs, message)


def _block_stride(launch: Launch) -> Numbers:
    """Every block goes on from its own elements to the end: one more step for each block that comes by."""
    p, v, g, lr, b = (launch.args[name] for name in ("p", "v", "g", "lr", "b"))
    times = np.minimum(np.arange(len(p)) // launch.block[0], launch.grid[0] - 1)
    for block in range(launch.grid[0]):
        new_p, new_v = momentum_step(p, v, g, lr, b)
        p, v = np.where(times >= block, new_p, p), np.where(times >= block, new_v, v)
    return {"p": p, "v": v}


FUSED = Problem(
    id="11.6",
    title="Momentum in one kernel",
    task=(
        "Write the step with momentum as one kernel that changes `p` and `v` in place. Each element of the three "
        "arrays is read once, and each element of the two that change is written once."
    ),
    spec=(
        "`p`, `v`, `g`: n floats; v = b · v + g, then p = p - lr · v. There are at least n threads, in blocks of any "
        "size. Limits: 3 arrays' sectors read, 2 arrays' written."
    ),
    stub=FUSED_STUB,
    answer="fused_momentum",
    lines=5,
    hints=(
        "One thread, one element: the array code's lines for a single `i`, behind a guard. What is needed twice goes "
        "into a variable.",
        "A variable in a kernel is a register. Compute the new velocity into one, store it to `v[i]`, and use the "
        "variable, not `v[i]`, for the step.",
        "`if (i < n) { float velocity = b * ___ + g[i]; v[i] = ___; p[i] -= lr * ___; }`",
    ),
    solution=FUSED_SOLUTION,
    why=(
        "The velocity goes through memory because the next step needs it, but within this step it stays in a "
        "register. Five passes are the least that momentum can do with: three arrays come in, two go out."
    ),
    judge=by_launches(
        make_fused,
        traps=(
            _fused_trap(lambda p, v, g, lr, b: (p + lr * (b * v + g), b * v + g),
                        "`p` goes uphill: subtract the step."),
            _fused_trap(lambda p, v, g, lr, b: (p - lr * v, b * v + g),
                        "`p` steps with the old velocity: compute the new one first."),
            _fused_trap(lambda p, v, g, lr, b: (p - lr * g, b * v + g),
                        "`v` is right, but `p` steps along the gradient alone."),
            _fused_trap(lambda p, v, g, lr, b: (p - lr * (b * v + lr * g), b * v + lr * g),
                        "The learning rate is in there twice: it belongs to the step, not to the velocity."),
            _fused_trap(lambda p, v, g, lr, b: (p - (b * v + lr * g), b * v + lr * g),
                        "The learning rate belongs to the step, not to the velocity: v = b · v + g."),
            _fused_trap(lambda p, v, g, lr, b: (p - lr * (b * v + (1 - b) * g), b * v + (1 - b) * g),
                        "The gradient is multiplied by 1 - b. Here the velocity takes up the whole gradient."),
            _fused_trap(lambda p, v, g, lr, b: (p - lr * (b * v + g), v),
                        "`p` is right, but `v` is as before: the new velocity was never stored, and the next launch "
                        "will miss it."),
            _fused_trap(lambda p, v, g, lr, b: (p, b * v + g), "`v` is right, but `p` has not moved."),
            _fused_trap(lambda p, v, g, lr, b: (p - lr * (v + g), v + g),
                        "The old velocity is kept whole: it should fade by the factor `b`."),
            _fused_trap(lambda p, v, g, lr, b: (p - lr * b * (v + g), b * (v + g)),
                        "`b` multiplies the gradient as well. Only the old velocity fades."),
            _fused_trap(lambda p, v, g, lr, b: (p - lr * g, g), "The old velocity has no effect: v = b · v + g."),
            _fused_trap(lambda p, v, g, lr, b: (-lr * (b * v + g), b * v + g),
                        "`p` holds the step alone. The old value of `p` must be in it: `p[i] -= ...`."),
            _fused_trap(lambda p, v, g, lr, b: (p - lr * (b * (b * v + g) + g), b * (b * v + g) + g),
                        "Two steps in one: `v` has faded twice and taken up the gradient twice."),
            _fused_trap(lambda p, v, g, lr, b: (p - lr * (b * (b * v + g) + g), b * v + g),
                        "`p` steps with a velocity that has been renewed twice. Once `v[i]` is stored, it is the new "
                        "one: do not apply `b` and `g` again."),
            _fused_trap(lambda p, v, g, lr, b: (p - (b * v + g), b * v + g), "The step has no learning rate."),
            _fused_trap(lambda p, v, g, lr, b: momentum_step(p, v, g, b, lr),
                        "`lr` and `b` have changed places: `b` is what the old velocity fades by, `lr` scales the "
                        "step."),
            _fused_trap(lambda p, v, g, lr, b: (p - lr * (b * b * v + g), b * b * v + g),
                        "The old velocity fades twice: `b` should be applied once."),
            _fused_trap(lambda p, v, g, lr, b: (p - lr * np.trunc(b * v + g), np.trunc(b * v + g)),
                        "All velocities are whole numbers: what stands behind the point is cut off. Is the variable an "
                        "`int`?"),
            KernelTrap(_block_stride,
                       "The loop goes on by `blockDim.x`, so that each block takes elements of the blocks after it as "
                       "well, and these get several steps. With a thread for every element no loop is needed; if there "
                       "is one, it goes on by all threads of the launch."),
        ),
        limits=(
            Limit("global_load_sectors", lambda launch: 3 * sectors(launch.args["n"]),
                  "Reading takes {found} sectors where {limit} hold all three arrays. Either an element is read again "
                  "after a store, or the lanes of a warp do not read side by side."),
            Limit("global_store_sectors", lambda launch: 2 * sectors(launch.args["n"]),
                  "Writing takes {found} sectors where {limit} hold both arrays: something is stored twice. Compute in "
                  "a variable, and store it once."),
        ),
    ),
)  # fmt: skip

PROBLEMS = (MOMENTUM, RMSPROP, ADAM, SCHEDULE, TRAFFIC, FUSED)
