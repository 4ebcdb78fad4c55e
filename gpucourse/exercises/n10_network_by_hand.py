"""The exercises of lesson 10: an activation, a loss, back-propagation piece by piece, a check, a training pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gpucourse.exercises.cases import Case, Trap, by_cases
from gpucourse.exercises.parts import by_parts
from gpucourse.exercises.problem import Problem
from gpucourse.exercises.values import is_choice

Array = Any   # a NumPy array, or one of the module that the check is given
Make = Callable[[Any], list[Case]]


def _sides(xp: Any) -> Iterator[tuple[Callable[[Any], Any], str]]:
    """Where the arrays of a case lie: a function that brings them there, and the words for it."""
    yield np.asarray, "NumPy arrays"
    yield xp.asarray, "device arrays"


# -- 10.1 -------------------------------------------------------------------------------------------


def leaky_relu(x: Array, slope: float) -> tuple[Array, Array]:
    """x where x > 0, else slope · x; and the derivative, 1 or slope; both of x's shape and dtype."""
    y = abs(x) * (x > 0) - slope * abs(x) * (x <= 0)
    return y, (x > 0).astype(x.dtype) + (x <= 0).astype(x.dtype) * slope


def _leaky_cases(xp: Any) -> list[Case]:
    found = []
    for bring, where in _sides(xp):
        for shape, dtype, slope in (((5,), np.float64, 0.1), ((3, 4), np.float32, 0.01), ((2,), np.float64, 0.25)):
            x = np.linspace(-2, 3, int(np.prod(shape))).reshape(shape).astype(dtype)
            about = f"{where[:-1]} of shape {shape} and dtype {np.dtype(dtype)}"
            found.append(Case(bring(x), slope, about=f"x a {about}"))
        at_zero = bring(np.array([-1.0, 0.0, 2.0]))
        found.append(Case(at_zero, 0.5, about=f"x = [-1, 0, 2] in {where}"))
        found.append(Case(bring(np.array([1.0, 2.0])), 0.5, about=f"x = [1, 2] in {where}"))
    return found


def _leaky_y(x: Array, slope: float) -> Array:
    return leaky_relu(x, slope)[0]


def _leaky_slope(x: Array, slope: float) -> Array:
    return leaky_relu(x, slope)[1]


_ONE_DECISION = "One decision is made for the whole array. Its elements lie on both sides of 0: each needs its own."
LEAKY = Problem(
    id="10.1",
    title="A ReLU that leaks",
    task=(
        "ReLU gives 0 for every negative x, and there its derivative is 0 too. Write the leaky ReLU, which lets a "
        "small share of negative numbers through, and its derivative."
    ),
    spec=(
        "`leaky_relu(x, slope)` returns `y`, which is x where x > 0 and slope · x elsewhere, and `derivative`, which "
        "is 1 where x > 0 and slope elsewhere (at 0 too). `x` is a NumPy or a device array, float32 or float64; both "
        "results have its shape and dtype. (A choice between two Python numbers makes float64; `.astype(x.dtype)` "
        "brings it back.)"
    ),
    stub=(
        "def leaky_relu(x, slope):\n"
        '    """The leaky ReLU of x, and its derivative, elementwise."""\n'
        "    y = ...\n"
        "    derivative = ...\n"
        "    return y, derivative\n"
    ),
    answer="leaky_relu",
    lines=4,
    hints=(
        "No loop and no `if`: an array holds numbers of both kinds. Which function chooses, element by element, "
        "between two arrays?",
        "`xp.where(condition, a, b)` does, with the xp that `cp.get_array_module` gives. For the derivative mind "
        "the dtype: a `where` between two Python numbers makes float64.",
        "`positive = x > 0`, `y = xp.where(positive, x, ___)`, and "
        "`derivative = xp.where(positive, 1, ___).astype(x.___)`",
    ),
    solution='''def leaky_relu(x, slope):
    """The leaky ReLU of x, and its derivative, elementwise."""
    xp = cp.get_array_module(x)
    positive = x > 0
    y = xp.where(positive, x, slope * x)
    derivative = xp.where(positive, 1, slope).astype(x.dtype)
    return y, derivative
''',
    why=(
        "The same mask serves both: it says on which of the two straight lines an element lies. The derivative of a "
        "straight line is its slope, so no element of it depends on how large x is."
    ),
    judge=by_parts(
        leaky_relu,
        [_leaky_cases],
        {
            "y": (
                Trap(lambda x, slope: _leaky_y(x, 0), "y is the plain ReLU: below 0 it is 0. It should be slope · x."),
                Trap(lambda x, slope: slope * x, "y is slope · x everywhere. Where x > 0, y is x itself."),
                Trap(lambda x, slope: -_leaky_y(-x, slope),
                     "The two sides of y have changed places: the positive side is the one that stays as it is."),
                Trap(lambda x, slope: _leaky_y(x, -slope),
                     "Below 0, y has the wrong sign: slope · x is negative there."),
                Trap(lambda x, slope: _leaky_y(x, 0) + (x <= 0).astype(x.dtype) * slope,
                     "Below 0, y is the constant `slope`. It should be slope · x."),
                Trap(lambda x, slope: _leaky_slope(x, slope), "y and derivative have changed places."),
                Trap(lambda x, slope: _leaky_y(x, 0) + slope * x,
                     "Above 0, y is (1 + slope) · x: the leak is added there, too. It belongs to the other side only."),
                *(Trap(lambda x, slope, any_or_all=each: x if any_or_all(x > 0) else slope * x, _ONE_DECISION)
                  for each in (np.any, np.all)),
                *(Trap(lambda x, slope, number=each: x if number(x) > 0 else slope * x, _ONE_DECISION)
                  for each in (np.sum, np.max)),
            ),
            "derivative": (
                Trap(lambda x, slope: _leaky_slope(x, 0),
                     "This is the derivative of the plain ReLU. Below 0 the line of the leaky one rises, by slope."),
                Trap(lambda x, slope: _leaky_slope(x, slope).astype(np.float64),
                     "The derivative is float64 for every x: chosen between two Python numbers, it does not know of "
                     "x's dtype. Give it that: `.astype(x.dtype)`."),
                Trap(lambda x, slope: (x >= 0).astype(x.dtype) + (x < 0).astype(x.dtype) * slope,
                     "At exactly 0 the derivative should be slope, but is 1. Is it `>=` in place of `>`?"),
                Trap(lambda x, slope: (x * 0 + slope).astype(x.dtype),
                     "The derivative is slope everywhere. Where x > 0, y is x, which rises by 1."),
                Trap(lambda x, slope: (x * 0 + 1).astype(x.dtype),
                     "The derivative is 1 everywhere. Below 0 the line rises by slope only."),
                Trap(lambda x, slope: slope + 1 - _leaky_slope(x, slope),
                     "The two sides of the derivative have changed places."),
                Trap(lambda x, slope: _leaky_y(x, slope),
                     "This is y, not its derivative. The derivative is 1 on one side and slope on the other, however "
                     "large x is."),
                Trap(lambda x, slope: (x > 0).astype(x.dtype) + (x <= 0).astype(x.dtype) * slope * x,
                     "Below 0 your derivative is slope · x. That of slope · x is slope."),
                Trap(lambda x, slope: x * (x > 0) + (x <= 0).astype(x.dtype) * slope,
                     "Above 0 your derivative is x. That of x is 1."),
                Trap(lambda x, slope: _leaky_slope(x, -slope),
                     "Below 0 the derivative has the wrong sign: the line rises there, too."),
                Trap(lambda x, slope: _leaky_y(x, slope) / x,
                     "The derivative is y / x. That is the slope of a line through 0, except at x = 0 itself: 0 / 0 "
                     "is nan. Choose it as you chose y."),
                Trap(lambda x, slope: ((np.sign(x) + 1) / 2).astype(x.dtype),
                     "Below 0 the derivative is 0, and at 0 it is one half: this is made of the sign of x alone. It "
                     "should be slope on both."),
            ),
        },
        rtol=1e-5,
    ),
)


# -- 10.2 -------------------------------------------------------------------------------------------


def _log_softmax(logits: Array, axis: int | None = 1) -> Array:
    shifted = logits - logits.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def _one_hot(logits: Array, labels: Array) -> Array:
    """1 at each row's label, else 0; made by comparison, so that it lies where the arrays lie."""
    numbers = (logits * 0 + 1).cumsum(axis=1) - 1
    return (numbers == labels[:, None]).astype(logits.dtype)


def _picked(logits: Array, labels: Array, values: Array) -> Array:
    return np.where(_one_hot(logits, labels) > 0, values, 0).sum(axis=1)   # a product would make nan of infinity


def cross_entropy(logits: Array, labels: Array) -> tuple[float, Array]:
    """The mean of -log softmax at the labels, and its gradient, (p - one-hot) / n."""
    log_p = _log_softmax(logits)
    gradient = (np.exp(log_p) - _one_hot(logits, labels)) / len(labels)
    return -float(_picked(logits, labels, log_p).mean()), gradient


def _batch(bring: Any, rng: Any, n: int, classes: int, where: str, scale: float = 1.0) -> Case:
    logits = rng.standard_normal((n, classes)) * scale
    labels = (np.arange(n) ** 2 + 1) % classes   # some twice, some not at all
    return Case(bring(logits), bring(labels), about=f"{n} rows of {classes} logits in {where}")


def _square_batches(xp: Any, rng: Any) -> list[Case]:
    return [_batch(bring, rng, n, n, where) for bring, where in _sides(xp) for n in (3, 4)]


def _oblong_batches(xp: Any, rng: Any) -> list[Case]:
    return [_batch(bring, rng, *shape, where) for bring, where in _sides(xp) for shape in ((6, 3), (1, 2), (4, 10))]


def _large_batches(xp: Any, rng: Any) -> list[Case]:
    found = []
    for bring, where in _sides(xp):
        positive = np.array([[1000.0, 999.0, 998.0], [3.0, 1.0, 2.0]])
        found.append(Case(bring(positive), bring(np.array([1, 2])), about=f"logits of about 1000 and 1 in {where}"))
        large = np.array([[1000.0, 999.0, 998.0], [-1000.0, -999.0, -1001.0], [3.0, 1.0, 2.0]])
        found.append(Case(bring(large), bring(np.array([1, 0, 2])), about=f"logits of about 1000 and -1000 in {where}"))
    return found


def _certain_batches(xp: Any) -> list[Case]:
    found = []
    for bring, where in _sides(xp):
        sure = np.array([[0.0, 800.0, 1.0], [2.0, 1.0, 0.0]])
        about = f"logits of 0, 800 and 1 and the label 0 in {where}"
        found.append(Case(bring(sure), bring(np.array([0, 1])), about=about))
        about = f"logits of 0, 800 and 1 and the label 1 in {where}"
        found.append(Case(bring(sure), bring(np.array([1, 1])), about=about))
    return found


def _naive_p(logits: Array, shift: Array = 0) -> Array:
    powers = np.exp(logits - shift)
    return powers / powers.sum(axis=1, keepdims=True)


def _naive_log_p(logits: Array) -> Array:
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def _loss_of(log_p: Callable[[Array], Array]) -> Callable[[Array, Array], float]:
    return lambda logits, labels: -float(_picked(logits, labels, log_p(logits)).mean())


def _kept_above(least: float) -> Callable[[Array, Array], float]:
    return _loss_of(lambda logits: np.log(np.exp(_log_softmax(logits)) + least))


def _without_keepdims(shift: bool, total: bool) -> Callable[[Array], Array]:
    """log p of a square batch where the maximum (`shift`) or the sum (`total`) has lost its axis."""
    def log_p(logits: Array) -> Array:
        shifted = logits - logits.max(axis=1, keepdims=not shift)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=not total))

    return log_p


_WITHOUT_KEEPDIMS = [_without_keepdims(*lost) for lost in ((True, True), (False, True), (True, False))]


def _squared(divisor: Callable[[Array], float]) -> Callable[[Array, Array], float]:
    return lambda logits, labels: float(
        ((np.exp(_log_softmax(logits)) - _one_hot(logits, labels)) ** 2).sum() / divisor(logits)
    )


def _cut_off(least: float, top: float) -> Callable[[Array, Array], float]:
    return _loss_of(lambda logits: _naive_log_p(np.clip(logits, least, top)))


def _with_logarithm(log: Callable[[Array], Array]) -> Callable[[Array, Array], float]:
    def log_p(logits: Array) -> Array:
        shifted = logits - logits.max(axis=1, keepdims=True)
        return shifted - log(np.exp(shifted).sum(axis=1, keepdims=True))

    return _loss_of(log_p)


def _gradient_of(p: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    return lambda logits, labels: (p(logits) - _one_hot(logits, labels)) / len(labels)


def _gradient_by(log_p: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    return _gradient_of(lambda logits: np.exp(log_p(logits)))


_OVERFLOW = (
    "exp of a large logit is infinite, and infinite / infinite is nan. Subtract each row's largest logit before exp: "
    "it changes no probability."
)
_ONE_MAXIMUM = (
    "The largest of all logits is subtracted from every row. In a row of much smaller ones every exp is then 0, and "
    "0 / 0 is nan. Subtract each row's own maximum."
)
_LEAST = (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-14, 1e-15, 1e-16, 1e-20, 1e-30, 1e-38, 1e-50,
          1e-100, 1e-200, 1e-300)   # what people add to p
_KEPT_ABOVE = (
    "The loss of a row that is very wrong stops growing: p is kept above a small number before the logarithm. That "
    "hides infinity, and a wrong loss is left. Compute log p without p: z - log(sum of exp z)."
)
_KEEPDIMS = (
    "`keepdims=True` is missing. Without it the maximum or the sum along axis 1 is a row itself, and NumPy spreads it "
    "over the columns: row 0's number goes to column 0 of every row."
)
_CUT = (20, 30, 50, 80, 85, 88, 100, 500, 600, 700)   # where people cut logits off
_CUT_OFF = (
    "Large logits are cut off. exp then stays finite, but the differences between them are lost, and the loss is "
    "another one. Subtract each row's largest logit instead: it changes no probability."
)
_WRONG_AXIS = (
    "The softmax runs over the examples. A row is an example: its own {} should add up to 1, so sum along axis 1."
)
_WHOLE_BATCH = (
    "The softmax runs over the whole batch. A row is an example: its own probabilities should add up to 1, so take "
    "maximum and sum along axis 1."
)
_COLUMNS = (
    "`[:, labels]` takes the columns of *all* labels from every row. For one element of each row give both indices: "
    "`[rows, labels]`, where rows is 0, 1, 2, ..."
)

LOSS_TRAPS = (
    Trap(lambda z, t: cross_entropy(z, t)[0] * len(t), "The loss is the sum over the batch. Take the mean."),
    Trap(lambda z, t: -cross_entropy(z, t)[0],
         "The loss has the wrong sign: log p is negative, so the loss is -log p."),
    Trap(_loss_of(lambda z: _log_softmax(z, 0)), _WRONG_AXIS.format("probabilities")),
    Trap(_loss_of(lambda z: np.exp(_log_softmax(z))),
         "The logarithm is missing: this is the mean of -p at the labels."),
    Trap(lambda z, t: float(np.exp(-_picked(z, t, -_log_softmax(z))).mean()),
         "The logarithm and the sign are missing: this is the mean of p at the labels. It should be that of -log p."),
    Trap(_loss_of(lambda z: z), "The softmax is missing: this is the mean of -logit at the labels."),
    Trap(lambda z, t: cross_entropy(z, t)[0] / float(np.log(2)),
         "This is the logarithm to base 2. Use `log`, to base e."),
    Trap(lambda z, t: cross_entropy(z, t)[0] / float(np.log(10)),
         "This is the logarithm to base 10. Use `log`, to base e."),
    *(Trap(_with_logarithm(other),
           "exp and a logarithm to another base do not undo each other: log p = z - log(sum of exp z) needs the "
           "natural one, `log`.") for other in (np.log2, np.log10)),
    Trap(lambda z, t: -float(_log_softmax(z).mean()),
         "The labels do not count: this is the mean of -log p over all classes. Pick each row's label."),
    Trap(lambda z, t: cross_entropy(z, t)[0] / z.shape[1],
         "The loss is divided by the number of classes too: a mean over all elements, most of which are 0. Divide by "
         "the number of rows only."),
    Trap(lambda z, t: -float(_log_softmax(z)[:, t].mean()), _COLUMNS),
    Trap(lambda z, t: -float(np.log(_picked(z, t, np.exp(_log_softmax(z))).mean())),
         "The mean is taken of p, and then the logarithm. Take the logarithm of each p first, then the mean."),
    Trap(_loss_of(lambda z: _log_softmax(z, None)), _WHOLE_BATCH),
    Trap(_loss_of(lambda z: z + _log_softmax(z) - (z - z.max(axis=1, keepdims=True))),
         "log p = z - log(sum of exp z) with the same z twice. Yours takes the logits as they are in one place, and "
         "those without their maximum in the other."),
    *(Trap(_loss_of(log_p), _KEEPDIMS) for log_p in _WITHOUT_KEEPDIMS),
    Trap(lambda z, t: 1 - float(np.exp(_picked(z, t, _log_softmax(z))).mean()),
         "This is the mean of 1 - p at the labels. It should be that of -log p."),
    *(Trap(_squared(share), "This is a squared error, of p - y. It should be the mean of -log p at the labels.")
      for share in (lambda z: len(z), lambda z: 2 * len(z), lambda z: z.size, lambda z: 1, lambda z: 2)),
    Trap(_loss_of(lambda z: _naive_log_p(z - z.min(axis=1, keepdims=True))),
         "The smallest logit of each row is subtracted. exp of the largest is then larger still, and infinite. "
         "Subtract the largest."),
    Trap(_loss_of(lambda z: np.log(np.exp(_log_softmax(z)))),
         "p at the label is too small for a float, so it is 0, and log 0 is infinite. Never make p for the loss: "
         "log p = z - log(sum of exp z), where z is the row minus its maximum."),
    *(Trap(_kept_above(least), _KEPT_ABOVE) for least in _LEAST),
    Trap(_loss_of(lambda z: np.log(_naive_p(z))), _OVERFLOW),
    Trap(_loss_of(lambda z: _naive_log_p(z)), _OVERFLOW),
    Trap(_loss_of(lambda z: np.log(_naive_p(z, z.max()))), _ONE_MAXIMUM),
    Trap(_loss_of(lambda z: _naive_log_p(z - z.max())), _ONE_MAXIMUM),
    *(Trap(_cut_off(-top, top), _CUT_OFF) for top in _CUT),
    *(Trap(_cut_off(-math.inf, top), _CUT_OFF) for top in _CUT),
)  # fmt: skip
GRADIENT_TRAPS = (
    Trap(lambda z, t: cross_entropy(z, t)[1] * len(t),
         "The gradient is not divided by the number of rows. The loss is a mean, so each row has only its share, 1/n."),
    Trap(lambda z, t: np.exp(_log_softmax(z)) / len(t),
         "The gradient is p / n: the 1 at each row's label is not subtracted."),
    Trap(lambda z, t: np.exp(_log_softmax(z)), "This is p alone. Subtract 1 at each row's label, and divide by n."),
    Trap(lambda z, t: -cross_entropy(z, t)[1],
         "The gradient has the wrong sign. A larger logit at the label makes the loss smaller: there it is negative."),
    Trap(lambda z, t: -cross_entropy(z, t)[1] * len(t),
         "The gradient has the wrong sign, and is not divided by the number of rows."),
    Trap(_gradient_of(lambda z: np.exp(_log_softmax(z, 0))), _WRONG_AXIS.format("probabilities")),
    Trap(lambda z, t: cross_entropy(z, t)[1] / z.shape[1],
         "The gradient is divided by all elements. The loss is a mean over the rows: divide by their number only."),
    Trap(_gradient_of(lambda z: z), "The softmax is missing: this is (logits - y) / n. It should be (p - y) / n."),
    Trap(_gradient_of(lambda z: _log_softmax(z)), "This is (log p - y) / n. It should be (p - y) / n."),
    Trap(lambda z, t: (np.exp(_log_softmax(z)) - (_one_hot(z, t).sum(axis=0, keepdims=True) > 0)) / len(t), _COLUMNS),
    Trap(lambda z, t: -_one_hot(z, t) / np.exp(_log_softmax(z)) / len(t),
         "This is the gradient with respect to p. The logits come before p: with respect to them it is (p - y) / n."),
    Trap(lambda z, t: cross_entropy(z, t)[1] * _one_hot(z, t),
         "The gradient is there at the labels only, and 0 elsewhere. Every logit of a row takes part in its loss: "
         "there it is p / n."),
    *(Trap(_gradient_by(log_p), _KEEPDIMS) for log_p in _WITHOUT_KEEPDIMS),
    Trap(_gradient_of(lambda z: np.exp(_log_softmax(z, None))), _WHOLE_BATCH),
    Trap(_gradient_of(_naive_p), _OVERFLOW),
    Trap(_gradient_of(lambda z: _naive_p(z, z.max())), _ONE_MAXIMUM),
)  # fmt: skip

CROSS_ENTROPY = Problem(
    id="10.2",
    title="A loss for classes",
    task=(
        "Write the softmax cross-entropy of a batch and its gradient with respect to the logits. It must hold for "
        "logits of any size, also where p itself is too small for a float: there -log(softmax(...)) is infinite."
    ),
    spec=(
        "`cross_entropy(logits, labels)`: `logits` (n, classes), float64; `labels` (n,), whole numbers; NumPy or "
        "device arrays. Returns `loss`, a Python float, the mean over the rows of -log p at the row's label, and "
        "`gradient` (n, classes), which is (p - y) / n, where y is 1 at the row's label and 0 elsewhere."
    ),
    stub=(
        "def cross_entropy(logits, labels):\n"
        '    """The mean of -log softmax(logits) at the labels, and its gradient."""\n'
        "    loss = ...\n"
        "    gradient = ...\n"
        "    return loss, gradient\n"
    ),
    answer="cross_entropy",
    lines=8,
    hints=(
        "Three steps: subtract each row's maximum; from that log p, without ever making p; from that p, by exp.",
        "With z the shifted logits, log p = z - log(sum of exp z), the sum along axis 1 with `keepdims=True`. "
        "The numbers of the rows, 0, 1, 2, ..., and the labels together pick one element of each row.",
        "`log_p = z - xp.log(xp.exp(z).sum(axis=1, keepdims=True))`, `loss = -float(log_p[rows, ___].mean())`, "
        "`gradient = xp.exp(log_p)`, `gradient[rows, ___] -= 1`, `gradient /= ___`",
    ),
    solution='''def cross_entropy(logits, labels):
    """The mean of -log softmax(logits) at the labels, and its gradient."""
    xp = cp.get_array_module(logits)
    rows = xp.arange(len(labels))
    z = logits - logits.max(axis=1, keepdims=True)
    log_p = z - xp.log(xp.exp(z).sum(axis=1, keepdims=True))
    loss = -float(log_p[rows, labels].mean())
    gradient = xp.exp(log_p)
    gradient[rows, labels] -= 1
    gradient /= len(labels)
    return loss, gradient
''',
    why=(
        "The shift keeps exp from overflowing, and log p is computed without p, which may be too small for a float. "
        "The gradient is then the plainest there is: what the network said, minus what it should have said."
    ),
    judge=by_parts(
        cross_entropy,
        [_square_batches, _oblong_batches, _large_batches, _certain_batches],
        {"loss": LOSS_TRAPS, "gradient": GRADIENT_TRAPS},
        rtol=1e-6,
        atol=1e-12,
    ),
)


# -- 10.3 -------------------------------------------------------------------------------------------


def linear_backward(x: Array, w: Array, dy: Array) -> tuple[Array, Array, Array]:
    """dL/dx = dy W, dL/dW = dyᵀ x, dL/db = the column sums of dy."""
    return dy @ w, dy.T @ x, dy.sum(axis=0)


def _layer_case(bring: Any, rng: Any, n: int, inputs: int, outputs: int, where: str) -> Case:
    made = [bring(rng.standard_normal(shape)) for shape in ((n, inputs), (outputs, inputs), (n, outputs))]
    return Case(*made, about=f"n = {n}, {inputs} inputs and {outputs} outputs, {where}")


def _square_layers(xp: Any, rng: Any) -> list[Case]:
    return [_layer_case(bring, rng, 3, 3, 3, where) for bring, where in _sides(xp)]


def _oblong_layers(xp: Any, rng: Any) -> list[Case]:
    shapes = ((5, 2, 3), (1, 4, 2), (4, 3, 1))
    return [_layer_case(bring, rng, *shape, where) for bring, where in _sides(xp) for shape in shapes]


_MEAN = (
    "{} is divided by the number of rows. The share 1/n is in dy already, since the loss is a mean; here it is a sum."
)
DX_TRAPS = (
    Trap(lambda x, w, dy: dy @ w.T,
         "Your dx is dy Wᵀ. W has the shape (outputs, inputs), so dy (n, outputs) times W itself gives (n, inputs)."),
    Trap(lambda x, w, dy: (dy @ w).T, "Your dx is transposed. It must have x's shape, one row for each example."),
    Trap(lambda x, w, dy: w @ dy, "The factors of dx have changed places: rows of dy are examples, so dy comes first."),
    Trap(lambda x, w, dy: w.T @ dy,
         "The factors of dx have changed places, as they stand where examples are columns. Here they are rows: dy "
         "comes first."),
    Trap(lambda x, w, dy: dy, "Your dx is dy: the weights are missing."),
    Trap(lambda x, w, dy: dy * w, "Your dx is an elementwise product. An input reaches every output: use `@`."),
    Trap(lambda x, w, dy: dy @ w / len(x), _MEAN.format("dx")),
    Trap(lambda x, w, dy: x @ w.T, "This is the forward pass, x Wᵀ. dx is made of dy and W."),
    Trap(lambda x, w, dy: dy.T @ x, "dx and dw have changed places: return dx, dw, db."),
    Trap(lambda x, w, dy: dy.T @ w, "dy is transposed in dx. Its rows are examples, and so are those of dx."),
    Trap(lambda x, w, dy: dy.T @ w.T, "Both are transposed in dx. dy (n, outputs) and W (outputs, inputs) fit as they "
         "lie."),
    Trap(lambda x, w, dy: w @ dy.T,
         "Your dx is W dyᵀ. Rows of dx are examples, and so are those of dy: dy comes first, and as it lies."),
    Trap(lambda x, w, dy: dy * w.sum(axis=1),
         "Your dx sums W over the inputs. Each input has its own weights: the sum runs over the outputs, as in "
         "dy @ ..."),
    Trap(lambda x, w, dy: x @ w.T @ w, "Your dx is made of the layer's output, x Wᵀ. What comes back is dy: use that."),
)  # fmt: skip
DW_TRAPS = (
    Trap(lambda x, w, dy: x.T @ dy,
         "Your dw is transposed: this is xᵀ dy, of shape (inputs, outputs). W has the shape (outputs, inputs)."),
    Trap(lambda x, w, dy: dy @ x, "Your dw is dy x, whose inner axis is not the examples. The sum must run over them."),
    Trap(lambda x, w, dy: dy @ x.T,
         "Your dw is dy xᵀ: one number for each pair of examples. The sum must run over them."),
    Trap(lambda x, w, dy: x @ dy.T,
         "Your dw is x dyᵀ: one number for each pair of examples. The sum must run over them."),
    Trap(lambda x, w, dy: dy.T @ x / len(x), _MEAN.format("dw")),
    Trap(lambda x, w, dy: dy.T @ w, "Your dw is made of dy and W. What W is multiplied by is x, so it is dy and x."),
    Trap(lambda x, w, dy: dy @ w, "Your dw is the same as dx. It is made of dy and x."),
    Trap(lambda x, w, dy: dy * x, "Your dw is an elementwise product. Every example adds to every weight: use `@`."),
    Trap(lambda x, w, dy: x, "Your dw is x: dy is missing."),
    Trap(lambda x, w, dy: dy.T @ (x @ w.T) @ w,
         "Your dw is made with the layer's output brought back. What W was multiplied by is x itself."),
    Trap(lambda x, w, dy: dy.T @ (x @ w.T), "Your dw is made with the layer's output. What W was multiplied by is x."),
)  # fmt: skip
DB_TRAPS = (
    Trap(lambda x, w, dy: dy.sum(axis=1),
         "Your db is summed over the outputs (axis 1). b has one element for each output: sum over the examples."),
    Trap(lambda x, w, dy: dy.mean(axis=0), _MEAN.format("db")),
    Trap(lambda x, w, dy: dy, "Your db is dy. The same b serves every example, so their shares add up."),
    Trap(lambda x, w, dy: dy.sum(axis=0, keepdims=True),
         "db has the shape (1, outputs). b has the shape (outputs,): leave out `keepdims`."),
    Trap(lambda x, w, dy: dy.sum(), "Your db is one number, the sum of all of dy. Sum over the examples only."),
    Trap(lambda x, w, dy: dy.sum(axis=0) * 0 + 1,
         "Your db is 1. That is how y depends on b; the chain rule multiplies it by dy, and sums over the examples."),
    Trap(lambda x, w, dy: (dy @ w).sum(axis=0), "Your db sums dx. b is added to y, so sum what arrives there: dy."),
    Trap(lambda x, w, dy: x.sum(axis=0),
         "Your db sums x. b is only added, so its gradient does not depend on x: sum dy."),
)  # fmt: skip

LINEAR_BACKWARD = Problem(
    id="10.3",
    title="Backward through a linear layer",
    task=(
        "The derivation above ends with three formulas. Write them as code; each of the three is checked by itself, so "
        "you may begin with one and leave `...` for the others."
    ),
    spec=(
        "`linear_backward(x, w, dy)`: `x` (n, inputs), `w` (outputs, inputs), `dy` (n, outputs), NumPy or device "
        "arrays. Returns `dx`, `dw`, `db`, each of the shape of x, w and b."
    ),
    stub=(
        "def linear_backward(x, w, dy):\n"
        '    """The gradients of the loss with respect to x, w and b, given that with respect to y = x wᵀ + b."""\n'
        "    dx = ...\n"
        "    dw = ...\n"
        "    db = ...\n"
        "    return dx, dw, db\n"
    ),
    answer="linear_backward",
    lines=3,
    hints=(
        "Write the shapes under the names. For dw you need (outputs, inputs) from dy (n, outputs) and x (n, inputs), "
        "with n inside, where the product sums.",
        "dw needs dy turned over, `dy.T`; dx needs no transpose at all; db is a sum over the axis of the examples.",
        "`dx = dy @ ___`, `dw = dy.T @ ___`, `db = dy.sum(axis=___)`",
    ),
    solution='''def linear_backward(x, w, dy):
    """The gradients of the loss with respect to x, w and b, given that with respect to y = x wᵀ + b."""
    dx = dy @ w
    dw = dy.T @ x
    db = dy.sum(axis=0)
    return dx, dw, db
''',
    why=(
        "A gradient has the shape of what it belongs to, and a product sums over its inner axis: for dx over the "
        "outputs, for dw over the examples. That leaves one way to write each, unless sizes happen to be equal."
    ),
    judge=by_parts(
        linear_backward,
        [_square_layers, _oblong_layers],
        {"dx": DX_TRAPS, "dw": DW_TRAPS, "db": DB_TRAPS},
        atol=1e-12,
    ),
)


# -- 10.4 -------------------------------------------------------------------------------------------


def backward(x: Array, z: Array, h: Array, w2: Array, dlogits: Array) -> tuple[Array, ...]:
    """The gradients of w2, b2, w1 and b1 in logits = h w2ᵀ + b2, h = relu(z), z = x w1ᵀ + b1."""
    dz = (dlogits @ w2) * (z > 0)
    return dlogits.T @ h, dlogits.sum(axis=0), dz.T @ x, dz.sum(axis=0)


def _network_case(bring: Any, rng: Any, n: int, inputs: int, hidden: int, classes: int, where: str) -> Case:
    x, z, w2, dlogits = (
        rng.standard_normal(shape) for shape in ((n, inputs), (n, hidden), (classes, hidden), (n, classes))
    )
    z[0, 0] = 0   # exactly on the corner of the ReLU
    about = f"n = {n}, {inputs} inputs, {hidden} hidden units and {classes} classes, {where}"
    return Case(*map(bring, (x, z, np.maximum(z, 0), w2, dlogits)), about=about)


def _square_networks(xp: Any, rng: Any) -> list[Case]:
    return [_network_case(bring, rng, 4, 4, 4, 4, where) for bring, where in _sides(xp)]


def _oblong_networks(xp: Any, rng: Any) -> list[Case]:
    sizes = ((6, 5, 3, 2), (1, 2, 4, 3), (3, 1, 7, 5))
    return [_network_case(bring, rng, *size, where) for bring, where in _sides(xp) for size in sizes]


def _through(mask: Callable[..., Array]) -> Callable[..., Array]:
    """dz with another idea of what the ReLU does to dh: `mask(dh, z, h)`."""
    return lambda x, z, h, w2, dlogits: mask(dlogits @ w2, z, h)


_MASKS = (
    (_through(lambda dh, z, h: dh),
     "The ReLU is missing on the way back: where z is 0 or less its derivative is 0, so nothing of dh passes there. "
     "(If you have written `h >= 0`: that is true everywhere.)"),
    (_through(lambda dh, z, h: dh * (dh > 0)),
     "Your dh is cut off where dh itself is negative. The ReLU's derivative depends on its input: keep dh where "
     "z > 0."),
    (_through(lambda dh, z, h: dh * h),
     "Your dh is multiplied by h. Multiply it by the ReLU's derivative, which is 1 or 0, not by its output."),
    (_through(lambda dh, z, h: dh * z),
     "Your dh is multiplied by z. The ReLU's derivative is 1 where z > 0, and 0 elsewhere."),
    (_through(lambda dh, z, h: dh * (z < 0)), "The mask is turned round: dh passes where z > 0."),
    (_through(lambda dh, z, h: dh * (z <= 0)), "The mask is turned round: dh passes where z > 0."),
    (_through(lambda dh, z, h: dh * (z >= 0)),
     "Where z is exactly 0, dh passes. There the ReLU's derivative is taken to be 0: is it `>=` in place of `>`?"),
    (_through(lambda dh, z, h: dh * (1 + np.sign(z)) / 2),
     "Where z is exactly 0, half of dh passes. There the ReLU's derivative is taken to be 0."),
    (_through(lambda dh, z, h: (z > 0) * (dh * 0 + 1)),
     "Your dz is the ReLU's derivative alone. The chain rule multiplies it by dh = dlogits w2."),
)  # fmt: skip
_DH_TRANSPOSED = (
    "Your dh is made with w2ᵀ. It is the dx of the second layer: dy (n, classes) times w2 (classes, hidden) itself."
)


def _dz(x: Array, z: Array, h: Array, w2: Array, dlogits: Array) -> Array:
    return (dlogits @ w2) * (z > 0)


def _first_weights(dz: Callable[..., Array]) -> Callable[..., Array]:
    return lambda x, *others: dz(x, *others).T @ x


def _first_bias(dz: Callable[..., Array]) -> Callable[..., Array]:
    return lambda *everything: dz(*everything).sum(axis=0)


def _mean_over(part: int) -> Callable[..., Array]:
    return lambda x, *others: backward(x, *others)[part] / len(x)


_NO_RELU_THERE = "You cut dlogits off where it is negative. There is no ReLU at the logits: use dlogits as it arrives."
_MEANS = "{} is divided by the number of rows. The share 1/n is in dlogits already; here it is a sum."
CHAIN = Problem(
    id="10.4",
    title="Chain it",
    task=(
        "A network of two layers has run forward: z = x w1ᵀ + b1, then h = relu(z), then logits = h w2ᵀ + b2, and the "
        "loss has given its gradient with respect to the logits. Carry this back, and return the gradients of all "
        "weights and biases."
    ),
    spec=(
        "`backward(x, z, h, w2, dlogits)`: `x` (n, inputs), `z` and `h` (n, hidden), `w2` (classes, hidden), `dlogits` "
        "(n, classes), NumPy or device arrays. Returns `dw2`, `db2`, `dw1`, `db1`, in this order. The ReLU's "
        "derivative at 0 is 0."
    ),
    stub=(
        "def backward(x, z, h, w2, dlogits):\n"
        '    """The gradients of w2, b2, w1 and b1, last layer first."""\n'
        "    dw2 = ...\n"
        "    db2 = ...\n"
        "    dw1 = ...\n"
        "    db1 = ...\n"
        "    return dw2, db2, dw1, db1\n"
    ),
    answer="backward",
    lines=6,
    hints=(
        "Go backward, one step of the forward pass at a time. At each step ask: what came in here, and which of the "
        "three formulas of 10.3 do I need?",
        "The second layer's input was h and its output the logits. Its dx is dh; through the ReLU that becomes dz, of "
        "the same shape; and the first layer's input was x.",
        "`dw2 = dlogits.T @ ___`, `db2 = dlogits.sum(axis=0)`, `dh = dlogits @ ___`, `dz = dh * (___ > 0)`, "
        "`dw1 = ___.T @ x`, `db1 = ___.sum(axis=0)`",
    ),
    solution='''def backward(x, z, h, w2, dlogits):
    """The gradients of w2, b2, w1 and b1, last layer first."""
    dw2 = dlogits.T @ h
    db2 = dlogits.sum(axis=0)
    dh = dlogits @ w2
    dz = dh * (z > 0)
    dw1 = dz.T @ x
    db1 = dz.sum(axis=0)
    return dw2, db2, dw1, db1
''',
    why=(
        "Each step uses only its own input and the gradient that arrives from behind. That is why any number of layers "
        "can be chained, and why the forward pass has to keep x, z and h."
    ),
    judge=by_parts(
        backward,
        [_square_networks, _oblong_networks],
        {
            "dw2": (
                Trap(lambda x, z, h, w2, d: h.T @ d, "Your dw2 is transposed: w2 has the shape (classes, hidden)."),
                Trap(lambda x, z, h, w2, d: d.T @ z,
                     "Your dw2 is made with z. What the second layer was given is h, after the ReLU."),
                Trap(lambda x, z, h, w2, d: d.T @ x, "Your dw2 is made with x. What the second layer was given is h."),
                Trap(lambda x, z, h, w2, d: d @ h,
                     "Your dw2 is dlogits h, without a transpose. The sum must run over the rows."),
                Trap(_mean_over(0), _MEANS.format("dw2")),
                Trap(lambda x, z, h, w2, d: d.T @ (h * z),
                     "Your dw2 is made with h times z, or h². What the second layer was given is h, once."),
                Trap(lambda x, z, h, w2, d: (d * (d > 0)).T @ h, _NO_RELU_THERE),
                Trap(lambda *a: backward(*a)[2],
                     "The first layer's gradient comes first. The order is that of the way back: dw2, db2, dw1, db1."),
            ),
            "db2": (
                Trap(lambda x, z, h, w2, d: d.sum(axis=1),
                     "Your db2 is summed over the classes. Sum over the rows: axis 0."),
                Trap(lambda x, z, h, w2, d: d, "Your db2 is dlogits. The same b2 serves every row: sum over the rows."),
                Trap(_mean_over(1), _MEANS.format("db2")),
                Trap(lambda x, z, h, w2, d: (d * (d > 0)).sum(axis=0), _NO_RELU_THERE),
                Trap(lambda *a: _dz(*a).sum(axis=0),
                     "Your db2 sums dz, of the hidden layer. b2 is added to the logits."),
                Trap(lambda *a: backward(*a)[2],
                     "The second result is dw1. The order is that of the way back: dw2, db2, dw1, db1."),
            ),
            "dw1": (
                *(Trap(_first_weights(dz), cause) for dz, cause in _MASKS),
                Trap(_first_weights(lambda x, z, h, w2, d: (d @ w2.T) * (z > 0)), _DH_TRANSPOSED),
                Trap(_first_weights(lambda x, z, h, w2, d: d @ w2.T),
                     f"{_DH_TRANSPOSED} And the ReLU is missing on the way back."),
                Trap(_first_weights(lambda x, z, h, w2, d: d * (z > 0)),
                     "w2 is missing on the way back: what reaches the hidden units is dh = dlogits w2."),
                Trap(lambda x, z, h, w2, d: x.T @ _dz(x, z, h, w2, d),
                     "Your dw1 is transposed: w1 has the shape (hidden, inputs)."),
                Trap(lambda x, z, h, w2, d: _dz(x, z, h, w2, d).T @ h,
                     "Your dw1 is made with h. What the first layer was given is x."),
                Trap(_mean_over(2), _MEANS.format("dw1")),
            ),
            "db1": (
                *(Trap(_first_bias(dz), f"dw1 is right, but db1 is made of something else. {cause}")
                  for dz, cause in _MASKS),
                Trap(lambda *a: _dz(*a).sum(axis=1),
                     "Your db1 is summed over the hidden units. Sum over the rows: axis 0."),
                Trap(_dz, "Your db1 is dz. The same b1 serves every row: sum over the rows."),
                Trap(lambda x, z, h, w2, d: d.sum(axis=0), "Your db1 is the same as db2. For the first layer sum dz."),
                Trap(_mean_over(3), _MEANS.format("db1")),
            ),
        },
        atol=1e-12,
    ),
)  # fmt: skip


# -- 10.5 -------------------------------------------------------------------------------------------

SUSPECTS = ("mean square", "tanh", "cube", "relu", "softmax", "penalty")

WRONG_GRADIENTS = Problem(
    id="10.5",
    title="Which formulas are wrong?",
    task=(
        "Six losses and their gradients stand in `suspects`, above, and the cell after them has held each against "
        "finite differences. Find out which of the six *formulas* are wrong: a failed check may have another reason, "
        "and a passed one may be luck."
    ),
    spec=(
        "`wrong` is the set of the names of the wrong formulas, such as `{\"tanh\", \"softmax\"}`. Make cells of your "
        "own and check again, at other points and with other dtypes."
    ),
    stub="wrong = {...}\n",
    answer="wrong",
    lines=1,
    hints=(
        "A check compares two numbers at one point, in one dtype. What is special about the points of each suspect?",
        "One suspect stands on the corner of a function that has one. One is float32. One has points at which two "
        "different formulas happen to agree. Move or convert each, and check again.",
        'Try `at = rng.standard_normal((4, 3))` for every suspect, in float64. Then `wrong = {"mean square", "___"}`.',
    ),
    solution='wrong = {"mean square", "cube"}\n',
    why=(
        "The mean square is divided by the rows and not by all elements; 3x is not the derivative of x³, and at x = 1 "
        "nobody can tell. The check of relu fails on its corner and that of penalty by rounding: check in float64, at "
        "random points."
    ),
    judge=is_choice(
        {"mean square", "cube"},
        options=SUSPECTS,
        because={
            "relu": (
                "The formula of relu is right. One of its points is exactly 0, on the corner, where the slope to the "
                "left and that to the right differ, and finite differences give the middle. Move that point."
            ),
            "penalty": (
                "The formula of penalty is right. Its array is float32, with seven digits: a nudge of 1e-5 is rounded "
                "by a percent or so, and the check asks for a millionth. Check it in float64."
            ),
            "tanh": "The formula of tanh is right: 1 - tanh², and its check says so at every point.",
            "softmax": (
                "The formula of softmax is right: the gradient of log(sum of exp x) is exp x / (sum of exp x), and its "
                "check says so at every point."
            ),
        },
    ),
)

# -- 10.6 -------------------------------------------------------------------------------------------

Pass = Callable[..., None]


def line_gradients(parameters: list[Array], x: Array, y: Array) -> list[Array]:
    """The gradients of the mean of (w x + b - y)², for parameters [w, b] of shape (1,): the check's little model."""
    if not len(x):
        raise ValueError("the batch is empty: look where its slice of `order` begins and where it ends")
    w, b = parameters
    e = w * x + b - y
    return [(2 * e * x).mean(axis=0, keepdims=True), (2 * e).mean(axis=0, keepdims=True)]


def one_pass(
    parameters: list[Array], gradients: Any, x: Array, y: Array, order: Array, size: int, lr: float
) -> None:
    """Gradient descent, one step for each batch of `size` examples, taken in the given order."""
    for start in range(0, len(order), size):
        at = order[start : start + size]
        _step(parameters, gradients(parameters, x[at], y[at]), lr)


def _step(parameters: list[Array], gradients: list[Array], lr: float) -> None:
    for p, g in zip(parameters, gradients, strict=True):
        p -= lr * g


def _line_cases(xp: Any, rng: Any) -> list[Case]:
    found = []
    for bring, where in _sides(xp):
        for n, size in ((10, 4), (8, 4), (6, 2), (3, 7)):   # batches of 1 could become empty
            x, order = rng.standard_normal(n), rng.permutation(n)
            parameters = [bring(np.array([0.5])), bring(np.array([-0.3]))]
            y = 2 * x + 1 + 0.1 * rng.standard_normal(n)
            about = f"{n} examples in batches of {size}, {where}"
            found.append(Case(parameters, line_gradients, *map(bring, (x, y, order)), size, 0.1, about=about))
    return found


def _by_batches(batches: Callable[[Array, int], list[Array]]) -> Pass:
    """A pass over other batches: `batches(order, size)` lists their indices."""
    def wrong(parameters: Any, gradients: Any, x: Array, y: Array, order: Array, size: int, lr: float) -> None:
        for at in batches(order, size):
            _step(parameters, gradients(parameters, x[at], y[at]), lr)

    return wrong


def _with_rate(rate: Callable[[float, int], float]) -> Pass:
    def wrong(parameters: Any, gradients: Any, x: Array, y: Array, order: Array, size: int, lr: float) -> None:
        one_pass(parameters, gradients, x, y, order, size, rate(lr, size))

    return wrong


def _labels_unshuffled(
    parameters: Any, gradients: Any, x: Array, y: Array, order: Array, size: int, lr: float
) -> None:
    for start in range(0, len(order), size):
        batch = gradients(parameters, x[order[start : start + size]], y[start : start + size])
        _step(parameters, batch, lr)


def _divided_by_length(parameters: Any, gradients: Any, x: Array, y: Array, order: Array, size: int, lr: float) -> None:
    for at in _in_turn(order, size):
        _step(parameters, gradients(parameters, x[at], y[at]), lr / len(at))


def _divided_by_batches(
    parameters: Any, gradients: Any, x: Array, y: Array, order: Array, size: int, lr: float
) -> None:
    one_pass(parameters, gradients, x, y, order, size, lr * size / len(order))


def _one_by_one(parameters: Any, gradients: Any, x: Array, y: Array, order: Array, size: int, lr: float) -> None:
    for start in range(0, len(order), size):
        at = order[start : start + size]
        for number, p in enumerate(parameters):
            p -= lr * gradients(parameters, x[at], y[at])[number]


def _all_at_the_start(parameters: Any, gradients: Any, x: Array, y: Array, order: Array, size: int, lr: float) -> None:
    places = [order[start : start + size] for start in range(0, len(order), size)]
    for found in [gradients(parameters, x[at], y[at]) for at in places]:
        _step(parameters, found, lr)


def _only_one(number: int) -> Pass:
    def wrong(parameters: Any, gradients: Any, x: Array, y: Array, order: Array, size: int, lr: float) -> None:
        for at in _in_turn(order, size):
            _step([parameters[number]], [gradients(parameters, x[at], y[at])[number]], lr)

    return wrong


def _crossed(parameters: Any, gradients: Any, x: Array, y: Array, order: Array, size: int, lr: float) -> None:
    for at in _in_turn(order, size):
        _step(parameters, gradients(parameters, x[at], y[at])[::-1], lr)


def _each_with_each(parameters: Any, gradients: Any, x: Array, y: Array, order: Array, size: int, lr: float) -> None:
    for at in _in_turn(order, size):
        total = sum(gradients(parameters, x[at], y[at]))
        _step(parameters, [total] * len(parameters), lr)


def _once_for_all(parameters: Any, gradients: Any, x: Array, y: Array, order: Array, size: int, lr: float) -> None:
    found = gradients(parameters, x, y)
    for _ in _in_turn(order, size):
        _step(parameters, found, lr)


def _accumulated(parameters: Any, gradients: Any, x: Array, y: Array, order: Array, size: int, lr: float) -> None:
    total = [0 * p for p in parameters]
    for at in _in_turn(order, size):
        total = [t + g for t, g in zip(total, gradients(parameters, x[at], y[at]), strict=True)]
        _step(parameters, total, lr)


def _filled_up(order: Array, size: int) -> list[Array]:
    starts = [max(0, min(start, len(order) - size)) for start in range(0, len(order), size)]
    return [order[start : start + size] for start in starts]


def _in_turn(order: Array, size: int, stop: int | None = None, short: int = 0) -> list[Array]:
    return [order[start : start + size - short] for start in range(0, len(order) if stop is None else stop, size)]


_SPREAD = "A batch takes its examples at a distance from each other. It should hold `size` neighbors in `order`."
_DIVIDED = "The step is divided by the batch's size. `gradients` returns those of a mean already."
ONE_PASS = Problem(
    id="10.6",
    title="One pass of training",
    task=(
        "Write the loop that trains: take the examples in the given order, batch by batch, and after each batch move "
        "every parameter a small step against its gradient."
    ),
    spec=(
        "`one_pass(parameters, gradients, x, y, order, size, lr)`: `parameters` is a list of NumPy or device arrays; "
        "change the arrays themselves, for the network holds them too; `gradients(parameters, x, y)` returns the list "
        "of their gradients for a batch (in the check, those of a straight line's squared error); `order` holds the "
        "numbers of all examples, shuffled, an array of whole numbers that lies where x and y lie; a batch has `size` "
        "examples, the last one what is left; `lr` is the length of the step."
    ),
    stub=(
        "def one_pass(parameters, gradients, x, y, order, size, lr):\n"
        '    """One step of gradient descent for each batch; returns nothing."""\n'
        "    return ...\n"
    ),
    answer="one_pass",
    lines=5,
    hints=(
        "Two loops: the outer one goes through `order` in steps of `size`, the inner one through the parameters and "
        "their gradients side by side.",
        "A slice that reaches beyond the end is simply shorter, so the last batch needs no `if`. Pick the same "
        "examples from x and from y. Ask for all gradients once for each batch, before the first parameter moves.",
        "`for start in range(0, len(order), size):`, in it `at = order[start : ___]` and "
        "`found = gradients(parameters, x[at], ___)`, then `for p, g in zip(parameters, found):` and `p ___ lr * g`",
    ),
    solution='''def one_pass(parameters, gradients, x, y, order, size, lr):
    """One step of gradient descent for each batch; returns nothing."""
    for start in range(0, len(order), size):
        at = order[start : start + size]
        found = gradients(parameters, x[at], y[at])
        for p, g in zip(parameters, found):
            p -= lr * g
''',
    why=(
        "All gradients of a batch are taken at the same point, before anything moves; and `p -= ...` changes the array "
        "that the network holds. The shuffled order makes each batch a fair sample of all examples."
    ),
    judge=by_cases(
        one_pass,
        _line_cases,
        writes="parameters",
        atol=1e-12,
        traps=(
            Trap(lambda *everything: None,
                 "Nothing has changed in the arrays that the caller holds. Either no step is taken, or other arrays "
                 "are changed: copies, or new ones. `p = p - ...` and `parameters[i] = ...` give a name, or a place in "
                 "the list, to a new array; `p -= ...` changes the array itself."),
            Trap(_with_rate(lambda lr, size: -lr),
                 "The loss goes up: the gradient points to where it grows. Step against it, with a minus."),
            Trap(_with_rate(lambda lr, size: 1.0), "The step does not depend on lr. Subtract lr times the gradient."),
            Trap(_with_rate(lambda lr, size: lr / size), _DIVIDED),
            Trap(_divided_by_length, _DIVIDED),
            Trap(_with_rate(lambda lr, size: lr * size),
                 "The step is multiplied by the batch's size: lr times g is all."),
            Trap(_by_batches(lambda order, size: _in_turn(_sorted(order), size)),
                 "The examples are taken in the order in which they lie in x: `order` is not used, or sorted. Take "
                 "`x[order[...]]`, and y with it."),
            Trap(_labels_unshuffled,
                 "x is taken in the shuffled order and y is not, so examples get labels that are not theirs. Use the "
                 "same indices for both."),
            Trap(_by_batches(lambda order, size: _in_turn(order, size, len(order) // size * size)),
                 "The last batch is left out where it is incomplete. A slice may reach beyond the end: go on up to "
                 "len(order)."),
            Trap(_by_batches(lambda order, size: _in_turn(order, size, len(order) - size)),
                 "The last batch is left out, even where it is complete: `range` stops one batch too early. Its end is "
                 "len(order)."),
            Trap(_by_batches(lambda order, size: _in_turn(order, size, size)),
                 "Only the first batch is used. Does a `return` stand inside the loop?"),
            Trap(_by_batches(lambda order, size: [order]),
                 "All examples are taken at once, in a single step: make batches."),
            Trap(_by_batches(lambda order, size: [order] * -(-len(order) // size)),
                 "There are as many steps as batches, but each uses all examples: pick the batch from x and y."),
            Trap(_by_batches(lambda order, size: _in_turn(order, size, short=1)),
                 "Each batch lacks its last example: a slice ends before its second number, so it is start + size."),
            Trap(_by_batches(lambda order, size: [order[start : start + size] for start in range(len(order))]),
                 "The batches overlap: the start moves on by 1. Give `range` its third number, the step."),
            Trap(_by_batches(lambda order, size: _in_turn(order, size, short=-1)),
                 "The batches overlap: each holds one example too many. A slice ends before its second number, so that "
                 "is start + size."),
            Trap(_by_batches(lambda order, size: _in_turn(order, size)[1:]),
                 "The first batch is left out: begin at 0."),
            Trap(_by_batches(lambda order, size: [order[k : k + 1] for k in range(len(order))]),
                 "Each step uses one example only: `size` of them belong together."),
            Trap(_by_batches(lambda order, size: [order[k :: -(-len(order) // size)] for k in
                                                  range(-(-len(order) // size))]), _SPREAD),
            Trap(_by_batches(lambda order, size: [order[k::size] for k in range(-(-len(order) // size))]), _SPREAD),
            Trap(_by_batches(lambda order, size: [order[k::size] for k in range(min(size, len(order)))]), _SPREAD),
            Trap(_by_batches(lambda order, size: _filled_up(order, size)),
                 "The last batch is filled up with examples that were used already. It has only what is left."),
            Trap(_by_batches(lambda order, size: [order[k : k + size] for k in range(len(order) // size)]),
                 "The batches overlap: the number of a batch is used as its start. Batch k starts at k * size."),
            Trap(_only_one(0), "Only the first parameter moves. Does a `return` or `break` stand in the inner loop?"),
            Trap(_only_one(-1), "Only the last parameter moves. Does the step stand inside the inner loop?"),
            Trap(_crossed,
                 "Parameters and gradients are paired the wrong way round: both lists are in the same order."),
            Trap(_by_batches(lambda order, size: _in_turn(order[::-1], size)),
                 "`order` is taken from its end. Begin with its first `size` examples."),
            Trap(_by_batches(lambda order, size: _in_turn(order, size)[::-1]),
                 "The batches are taken from the last to the first. Begin with the first."),
            Trap(_each_with_each,
                 "Each parameter is moved by every gradient: two loops, one in the other. Go through parameters and "
                 "gradients side by side, with `zip`."),
            Trap(_once_for_all,
                 "The gradients of all examples are taken once, at the start, and used for every batch. Take those of "
                 "a batch when its turn comes."),
            Trap(_accumulated,
                 "The gradients of earlier batches are kept and added. Each step uses those of its own batch only."),
            Trap(_divided_by_batches, "The step is divided by the number of batches. lr times g is all."),
            Trap(_with_rate(lambda lr, size: 2 * lr),
                 "Each step is twice as long as lr times g. Is it taken twice?"),
            Trap(_one_by_one,
                 "A parameter moves before the next one's gradient is known, which is then taken at another point. Ask "
                 "for all gradients of a batch first, then move all parameters."),
            Trap(_all_at_the_start,
                 "The gradients of all batches are taken at the start, before the first step. Take those of a batch "
                 "when its turn comes."),
        ),
    ),
)  # fmt: skip


def _sorted(order: Array) -> Array:
    """0, 1, 2, ... where `order` lies."""
    return order[order.argsort()]


PROBLEMS = (LEAKY, CROSS_ENTROPY, LINEAR_BACKWARD, CHAIN, WRONG_GRADIENTS, ONE_PASS)
