"""The exercises of lesson 19: axes and labels, batch norm, weights carried over, losses, random keys, a pure step."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from gpucourse.exercises.cases import Case, Trap
from gpucourse.exercises.kinds import called
from gpucourse.exercises.parts import by_parts
from gpucourse.exercises.probes import Ask, by_probes
from gpucourse.exercises.problem import Problem
from gpucourse.exercises.tracing import TracedModule, traced

Array = Any
Tree = dict[str, Array]


def _part(function: Callable[..., tuple[Any, ...]], k: int) -> Callable[..., Any]:
    return lambda *args: function(*args)[k]


# -- 19.1 -------------------------------------------------------------------------------------------


def keras_batch(images: Array, labels: Array, classes: int) -> tuple[Array, Array]:
    """Channels last, and one row of zeros with a single 1 for each label."""
    return images.transpose(0, 2, 3, 1), np.eye(classes, dtype=np.float32)[labels]


def _of_images(images: Array, labels: Array, classes: int) -> Array:
    return np.eye(classes, dtype=np.float32)[np.clip(images, 0, classes - 1).astype(int)]


def _columns(images: Array, labels: Array, classes: int) -> Array:
    return np.isin(np.arange(classes), labels) * np.ones((len(labels), 1))


def _renumbered(images: Array, labels: Array, classes: int) -> Array:
    return np.eye(classes)[np.unique(labels, return_inverse=True)[1]]


def _of_those_present(images: Array, labels: Array, classes: int) -> Array:
    present, place = np.unique(labels, return_inverse=True)
    return np.eye(len(present), dtype=np.float32)[place]


IMAGE_TRAPS = (
    Trap(lambda images, labels, classes: images, "These are the pictures as they came, channels first. The channels' "
                                                 "axis should be the last one."),
    Trap(lambda images, labels, classes: images.reshape(len(images), *images.shape[2:], images.shape[1]),
         "The shape is right, and the numbers lie in the wrong places: `reshape` keeps their order in memory and only "
         "counts it off anew. To move an axis, the numbers must move: `transpose`."),
    Trap(lambda images, labels, classes: images.swapaxes(1, 3), "Channels and columns have been exchanged, so rows and "
                                                                "columns are exchanged as well: every picture lies on "
                                                                "its side."),
    Trap(lambda images, labels, classes: images.transpose(0, 3, 1, 2),
         "This is the way back, from channels last to channels first: the *last* axis went to place 1."),
    Trap(lambda images, labels, classes: images.transpose(2, 3, 1, 0),
         "The examples have become the last axis. They stay the first; only the channels move to the end."),
    Trap(lambda images, labels, classes: images.T, "`.T` turns all four axes around: (columns, rows, channels, n). The "
                                                   "examples stay first, then rows, columns, channels."),
    Trap(lambda *args: keras_batch(*args)[1], "These are the labels. The pictures come first."),
    Trap(lambda images, labels, classes: np.moveaxis(images, 1, 2), "The channels have moved one place, behind the "
         "rows. They should be the last axis."),
    Trap(lambda images, labels, classes: images[:, 0], "Only the first channel is left. All stay, as the last axis."),
    Trap(lambda images, labels, classes: images[..., None], "An axis of size 1 was added at the end. The pictures have "
                                                            "their channels already, on axis 1: move that one."),
)  # fmt: skip
LABEL_TRAPS = (
    Trap(lambda images, labels, classes: np.eye(classes, dtype=np.float32)[labels].T,
         "The axes are exchanged: a column for each example. An example is a row, its classes run along the last "
         "axis."),
    Trap(lambda images, labels, classes: labels, "These are the class numbers as they came. Each should become a row "
                                                 "of zeros with a 1 at its class."),
    Trap(_of_images, "One-hot rows were made of the *pictures*: every pixel was taken for a class number. The labels "
                     "are meant."),
    Trap(lambda images, labels, classes: np.eye(classes, dtype=np.float32)[labels - 1],
         "The 1 stands one class too early. Class numbers begin at 0, as indices do."),
    Trap(_columns, "In every row there is a 1 for *each* label of the batch. `y[:, labels]` takes those columns in all "
                   "rows; row i gets its 1 at `labels[i]` only."),
    Trap(_renumbered, "The classes were numbered anew, by those that this batch holds. Class 2 stays column 2, also "
                      "where no example is of class 1."),
    Trap(_of_those_present, "There are only as many columns as there are classes *in this batch*. A batch need not "
                            "hold every class: `classes` says how many there are."),
    Trap(lambda images, labels, classes: np.eye(int(labels.max()) + 1, dtype=np.float32)[labels],
         "There are only as many columns as this batch's largest label asks for. `classes` says how many there are."),
    Trap(lambda images, labels, classes: 1 - np.eye(classes, dtype=np.float32)[labels],
         "Zeros and ones are exchanged: the 1 belongs at the label."),
)  # fmt: skip


def _batches(*sizes: tuple[int, int, int, int, int]) -> Callable[..., list[Case]]:
    """Cases of (examples, channels, rows, columns, classes); the last class is not in the batch, nor is class 1."""
    def cases(rng: np.random.Generator) -> list[Case]:
        found = []
        for n, channels, rows, columns, classes in sizes:
            images = rng.uniform(0, 3, (n, channels, rows, columns)).astype(np.float32)
            labels = rng.choice([0, 2, classes - 2], n)
            labels[:3] = 0, 2, classes - 2
            found.append(Case(images, labels, classes, about=f"images of shape {images.shape}, {classes} classes"))
        return found

    return cases


BATCH = Problem(
    id="19.1",
    title="The same batch, for Keras",
    task=(
        "A batch lies there as PyTorch takes it. Make of it what the Keras program of this lesson takes: pictures with "
        "their channels last, and one-hot labels."
    ),
    spec=(
        "`images` is a NumPy array (n, channels, rows, columns), `labels` holds n class numbers from 0. Returns "
        "pictures (n, rows, columns, channels) and numbers (n, classes) of any type, whose row i is 1 at example i's "
        "class and 0 elsewhere."
    ),
    stub='''def keras_batch(images, labels, classes):
    """Pictures with their channels last, and one-hot labels."""
    x = ...
    y = ...
    return x, y
''',
    answer="keras_batch",
    lines=2,
    hints=(
        "The shape alone does not say whether it is right. Take one pixel with its three colors: do they stand "
        "beside each other afterward?",
        "`transpose` takes the old axes in their new order. And row k of the unit matrix `np.eye(classes)` is the "
        "one-hot row of class k.",
        "`x = images.transpose(0, 2, ___, ___)` and `y = np.eye(classes)[___]`",
    ),
    solution='''def keras_batch(images, labels, classes):
    """Pictures with their channels last, and one-hot labels."""
    x = images.transpose(0, 2, 3, 1)
    y = np.eye(classes)[labels]
    return x, y
''',
    why=(
        "transpose moves axes and takes the numbers along; reshape gives the same shape and scrambles the pictures, "
        "and a network will train on scrambled pictures without a word. The number of classes belongs to the task, not "
        "to a batch."
    ),
    judge=by_parts(
        keras_batch, [_batches((4, 3, 2, 5, 10), (6, 1, 4, 4, 7), (5, 2, 6, 3, 5))],
        {"the pictures": IMAGE_TRAPS, "the labels": LABEL_TRAPS}, dtype=False,
    ),
)  # fmt: skip

# -- 19.2 -------------------------------------------------------------------------------------------

KERAS_EPS = 1e-3


def batch_norm(
    x: Array, gamma: Array, beta: Array, mean: Array, variance: Array, momentum: float
) -> tuple[Array, Array, Array]:
    """y, and what the running mean and variance become; Keras's conventions, channels last, nothing in place."""
    m, v = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    y = gamma * (x - m) / np.sqrt(v + KERAS_EPS) + beta
    return y, momentum * mean + (1 - momentum) * m, momentum * variance + (1 - momentum) * v


def _normal(
    axes: tuple[int, ...] = (0, 1, 2), eps: float = KERAS_EPS, outside: float = 0.0, power: float = 0.5, ddof: int = 0,
    scaled: bool = True, shifted: bool = True, keepdims: bool = True,
) -> Callable[..., Array]:  # fmt: skip
    """The normalized batch, with a mistake."""
    def wrong(x: Array, gamma: Array, beta: Array, mean: Array, variance: Array, momentum: float) -> Array:
        m, v = x.mean(axis=axes, keepdims=keepdims), x.var(axis=axes, keepdims=keepdims, ddof=ddof)
        hat = (x - m) / ((v + eps) ** power + outside)
        return hat * (gamma if scaled else 1) + (beta if shifted else 0)

    return wrong


def _by_running(x: Array, gamma: Array, beta: Array, mean: Array, variance: Array, momentum: float) -> Array:
    return gamma * (x - mean) / np.sqrt(variance + KERAS_EPS) + beta


def _by_new(x: Array, gamma: Array, beta: Array, mean: Array, variance: Array, momentum: float) -> Array:
    return _by_running(x, gamma, beta, *batch_norm(x, gamma, beta, mean, variance, momentum)[1:], momentum)


Y_TRAPS = (
    Trap(_normal((0, 2, 3)), "Mean and variance run over the axes (0, 2, 3), as where the channels are on axis 1. Here "
                             "they are the last axis: (0, 1, 2)."),
    Trap(_normal((0, 2, 3), keepdims=False), "Mean and variance run over the axes (0, 2, 3), as where the channels are "
                                             "on axis 1. Here they are the last axis: (0, 1, 2)."),
    Trap(_normal((0,)), "Every pixel is normalized by itself, over the examples only. A channel has one mean, over "
                        "examples, rows and columns."),
    Trap(_normal((1, 2)), "Every picture is normalized by itself. The mean runs over the examples, too."),
    Trap(_normal((0, 1, 2, 3)), "All channels share one mean and one variance. Each has its own: leave out the last "
                                "axis."),
    Trap(_normal((3,)), "The mean runs over the channels. It runs over everything else: examples, rows, columns."),
    Trap(_normal(eps=1e-5), "eps is 1e-5, PyTorch's default. Keras's is 1e-3, and that is asked for."),
    Trap(_normal(eps=0.0), "eps is missing under the root."),
    Trap(_normal(eps=0.0, outside=KERAS_EPS), "eps is added to the root. It stands under it."),
    Trap(_normal(power=1.0), "It is divided by the variance. Divide by its root."),
    Trap(_normal(ddof=1), "The variance is that with N - 1. The batch is normalized by the one with N."),
    Trap(_normal(scaled=False, shifted=False), "gamma and beta are missing."),
    Trap(_normal(shifted=False), "beta is missing."),
    Trap(_normal(scaled=False), "gamma is missing."),
    Trap(lambda x, gamma, beta, *rest: _normal()(x, beta, gamma, *rest), "gamma and beta are exchanged: gamma "
         "multiplies, beta is added."),
    Trap(lambda x, gamma, beta, *rest: _normal()(x, gamma, gamma * beta, *rest), "gamma multiplies beta, too. beta is "
         "added last."),
    Trap(_by_running, "The running mean and variance normalize this batch. That is right after the training; in it, "
                      "the batch's own do."),
    Trap(_by_new, "The running mean and variance are brought up to date and then normalize the batch. In the training "
                  "its own do."),
)  # fmt: skip


def _account(
    k: int, keep: Callable[[float], float], new: Callable[[float], float], ddof: int = 0
) -> Callable[..., Array]:
    """The running mean (k = 0) or variance (1) as keep(momentum) of the old one and new(momentum) of the batch's."""
    def wrong(x: Array, gamma: Array, beta: Array, mean: Array, variance: Array, momentum: float) -> Array:
        own = x.var(axis=(0, 1, 2), ddof=ddof) if k else x.mean(axis=(0, 1, 2))
        return keep(momentum) * (mean, variance)[k] + new(momentum) * own

    return wrong


def _running_spread(x: Array, gamma: Array, beta: Array, mean: Array, variance: Array, momentum: float) -> Array:
    return momentum * variance + (1 - momentum) * x.std(axis=(0, 1, 2))


def _about_the_running_mean(
    x: Array, gamma: Array, beta: Array, mean: Array, variance: Array, momentum: float
) -> Array:
    kept = batch_norm(x, gamma, beta, mean, variance, momentum)[1]
    return momentum * variance + (1 - momentum) * ((x - kept) ** 2).mean(axis=(0, 1, 2))


def _account_traps(k: int) -> tuple[Trap, ...]:
    what = ("mean", "variance")[k]
    return (
        Trap(_account(k, lambda p: 1 - p, lambda p: p), "`momentum` was read as PyTorch reads it, as the share of the "
             "new. In Keras it is the share of the *old* that is kept: PyTorch's 0.1 is Keras's 0.9."),
        Trap(_account(k, lambda p: 1.0, lambda p: 0.0), f"The running {what} is returned as it came. It should move "
                                                        "toward the batch's."),
        Trap(_account(k, lambda p: 0.0, lambda p: 1.0), f"This is the batch's own {what}. `momentum` of the old one is "
                                                        "kept."),
        Trap(_account(k, lambda p: p, lambda p: 1.0), f"The batch's {what} is added whole. Its share is 1 - momentum."),
        Trap(_account(k, lambda p: p, lambda p: p), "Both have the share momentum. The batch's is 1 - momentum."),
        Trap(_account(k, lambda p: 0.99, lambda p: 0.01), "The share that is kept is 0.99, Keras's default, whatever "
                                                          "`momentum` says."),
        Trap(_account(k, lambda p: 0.9, lambda p: 0.1), "The share that is kept is 0.9, whatever `momentum` says."),
    )  # fmt: skip


def _layers(*sizes: tuple[int, int, int, int, float]) -> Callable[..., list[Case]]:
    """Cases of (examples, rows, columns, channels, momentum); one channel is so narrow that eps matters."""
    def cases(rng: np.random.Generator) -> list[Case]:
        found = []
        for n, rows, columns, channels, momentum in sizes:
            spread, place = np.r_[0.03, rng.uniform(0.5, 2, channels - 1)], rng.normal(0, 3, channels)
            x = rng.standard_normal((n, rows, columns, channels)) * spread + place
            each = rng.uniform(0.5, 2, channels), rng.normal(size=channels), rng.normal(size=channels)
            about = f"x of shape {x.shape}, momentum {momentum}"
            found.append(Case(x, *each, rng.uniform(0.5, 2, channels), momentum, about=about))
        return found

    return cases


NORM_STUB = '''def batch_norm(x, gamma, beta, mean, variance, momentum):
    """The normalized batch, and the running mean and variance after it."""
    y = ...
    new_mean = ...
    new_variance = ...
    return y, new_mean, new_variance
'''
NORM = Problem(
    id="19.2",
    title="Batch normalization as a function",
    task=(
        "Write the training mode of batch normalization in Keras's conventions and in JAX's manner: a function that "
        "changes nothing, and returns what has become of the running statistics beside its result."
    ),
    spec=(
        "`x` is a NumPy array (n, rows, columns, channels), `momentum` a number, the others (channels,); eps is 1e-3, "
        "Keras's default, under the root. Returns y = gamma · (x - m) / √(v + eps) + beta with the batch's own mean m "
        "and variance v of each channel "
        "(divided by N, also for the running one, as Keras has it), then the new running mean and variance. `momentum` "
        "is the share of the old ones that is kept. No argument changes."
    ),
    stub=NORM_STUB,
    answer="batch_norm",
    lines=4,
    hints=(
        "Lesson 13 has the formula, with the channels on axis 1. Over which axes do the means run now? And who keeps "
        "the running ones, if the function may not?",
        "With the channels last, a vector (channels,) lines up with x by itself: no `[:, None, None]` is needed. "
        "`mean += ...` would change the caller's array; build a new one and return it.",
        "`m, v = x.mean(axis=(0, ___, ___)), x.var(axis=___)`; `new_mean = ___ * mean + (1 - momentum) * ___`",
    ),
    solution='''def batch_norm(x, gamma, beta, mean, variance, momentum):
    """The normalized batch, and the running mean and variance after it."""
    m, v = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    y = gamma * (x - m) / np.sqrt(v + 1e-3) + beta
    new_mean = momentum * mean + (1 - momentum) * m
    new_variance = momentum * variance + (1 - momentum) * v
    return y, new_mean, new_variance
''',
    why=(
        "What PyTorch and Keras keep inside a layer goes in as an argument and comes out as a result: then nothing is "
        "hidden, and a function of this kind can be compiled and differentiated. And a word that two libraries share "
        "need not mean the same: 0.1 here is 0.9 there."
    ),
    judge=by_parts(
        batch_norm, [_layers((4, 4, 4, 4, 0.7)), _layers((3, 5, 2, 4, 0.95), (2, 1, 3, 2, 0.25))],
        {"y": Y_TRAPS, "the running mean": (
            *_account_traps(0),
            Trap(lambda *args: batch_norm(*args)[2], "This is the running variance. The order is y, mean, variance."),
        ), "the running variance": (
            *_account_traps(1),
            Trap(lambda *args: batch_norm(*args)[1], "This is the running mean. The order is y, mean, variance."),
            Trap(_running_spread, "The running variance moves toward the batch's standard deviation. No root is taken "
                                  "of what is kept."),
            Trap(_about_the_running_mean, "The batch's variance is measured about the running mean. It is measured "
                                          "about the batch's own."),
            Trap(_account(1, lambda p: p, lambda p: 1 - p, ddof=1), "What goes into the running variance is the "
                 "variance with N - 1, as PyTorch keeps it. Keras keeps the one with N."),
        )},
    ),
)  # fmt: skip

# -- 19.3 -------------------------------------------------------------------------------------------


def keras_weights(kernel: Array, weight: Array, shape: tuple[int, int, int]) -> tuple[Array, Array]:
    """(out, in, h, w) -> (h, w, in, out); (classes, c h w) -> (h w c, classes)."""
    spread = weight.reshape(len(weight), *shape)
    return kernel.transpose(2, 3, 1, 0), spread.transpose(2, 3, 1, 0).reshape(-1, len(weight))


KERNEL_TRAPS = (
    Trap(lambda kernel, *rest: kernel.T, "`.T` turns all four axes around: (columns, rows, in, out). So each filter is "
                                         "mirrored at its diagonal. Rows come first."),
    Trap(lambda kernel, *rest: kernel.transpose(2, 3, 0, 1), "The last two axes are exchanged: Keras wants the "
                                                             "channels that come in before those that go out."),
    Trap(lambda kernel, *rest: kernel.reshape(*kernel.shape[2:], kernel.shape[1], kernel.shape[0]),
         "The shape is right, and the numbers lie in the wrong places: `reshape` moves none of them. Use `transpose`."),
    Trap(lambda kernel, *rest: kernel.transpose(2, 3, 1, 0)[::-1, ::-1],
         "The filters are turned by half a turn. That would be right for the convolution of mathematics; Keras, like "
         "PyTorch, lays the filter on as it is."),
    Trap(lambda kernel, *rest: kernel, "The kernel is as it came: (out, in, rows, columns)."),
    Trap(lambda kernel, *rest: np.moveaxis(kernel, 0, -1), "Only the channels that go out were moved. Those that come "
                                                           "in stand behind rows and columns, too: (rows, columns, "
                                                           "in, out)."),
    Trap(lambda *args: keras_weights(*args)[1], "This is the dense kernel. The convolution's comes first."),
    Trap(lambda kernel, *rest: kernel.transpose(0, 2, 3, 1), "Only the channels that come in were moved, as in a "
                                                             "picture. In a kernel those that go out come last, too."),
)  # fmt: skip


def _reshaped(kernel: Array, weight: Array, shape: tuple[int, int, int]) -> Array:
    return weight.reshape(len(weight), *shape).transpose(0, 2, 3, 1).reshape(-1, len(weight))


def _dense(order: tuple[int, int, int], read_as: tuple[int, int, int] | None = None) -> Callable[..., Array]:
    """The dense weights with the flattened axes in another order; `read_as`: as if they had come in that one."""
    def wrong(kernel: Array, weight: Array, shape: tuple[int, int, int]) -> Array:
        sizes = [shape[k] for k in read_as] if read_as else shape
        spread = weight.reshape(len(weight), *sizes).transpose(0, *(1 + k for k in order))
        return spread.reshape(len(weight), -1).T

    return wrong


DENSE_TRAPS = (
    Trap(lambda kernel, weight, shape: weight.T, "In and out are exchanged as they should be; but the rows are still "
                                                 "in PyTorch's order, channel by channel. Keras flattens pixel by "
                                                 "pixel, with a pixel's channels side by side."),
    Trap(lambda kernel, weight, shape: keras_weights(kernel, weight, shape)[1].T,
         "The order of the inputs is right. Keras multiplies x @ kernel, so it wants (inputs, classes)."),
    Trap(_reshaped, "The inputs were put in order, and then `reshape` made the shape (inputs, classes): it moves no "
                    "number. The axis of the classes must be *moved* to the end."),
    Trap(_dense((2, 0, 1), (1, 2, 0)), "This is the way back: the columns were read as (rows, columns, channels) and "
                                       "put into PyTorch's order. They come as (channels, rows, columns)."),
    Trap(_dense((2, 1, 0)), "Rows and columns are exchanged: the order should be rows, columns, channels."),
    Trap(lambda kernel, weight, shape: weight.reshape(-1, len(weight)),
         "The shape is right, and the numbers lie in the wrong places: `reshape` moves none of them."),
    Trap(lambda kernel, weight, shape: weight, "The weights are as they came, (classes, inputs)."),
    Trap(_dense((0, 2, 1)), "Rows and columns were exchanged within each channel. It is the channels that must become "
                            "the innermost axis."),
)  # fmt: skip


def _weights(*sizes: tuple[tuple[int, ...], int, tuple[int, int, int]]) -> Callable[..., list[Case]]:
    """Cases of (the kernel's shape, classes, the flattened picture's shape)."""
    def cases(rng: np.random.Generator) -> list[Case]:
        found = []
        for kernel, classes, shape in sizes:
            weight = rng.standard_normal((classes, int(np.prod(shape))))
            about = f"a kernel {kernel}, a weight {weight.shape}, shape {shape}"
            found.append(Case(rng.standard_normal(kernel), weight, shape, about=about))
        return found

    return cases


CARRY = Problem(
    id="19.3",
    title="The same weights, in another layout",
    task=(
        "Carry the weights of a convolution, and of the dense layer behind the flattening, from PyTorch to Keras. The "
        "two networks should then give the same scores for the same pictures."
    ),
    spec=(
        "`kernel` is PyTorch's (out, in, rows, columns); `weight` is that of its linear layer, (classes, channels · "
        "rows · columns), and `shape` is (channels, rows, columns) of the picture that is flattened before it. Returns "
        "Keras's kernel (rows, columns, in, out) and its dense kernel (rows · columns · channels, classes). Both are "
        "NumPy arrays."
    ),
    stub='''def keras_weights(kernel, weight, shape):
    """Keras's kernels of a convolution and of the dense layer behind the flattening."""
    conv = ...
    dense = ...
    return conv, dense
''',
    answer="keras_weights",
    lines=3,
    hints=(
        "Flattening counts the last axis fastest. In PyTorch that is the columns of one channel; in Keras it is the "
        "channels of one pixel. So the dense layer's inputs come in another order.",
        "Unflatten before you transpose: `weight.reshape(len(weight), *shape)` has the axes (classes, channels, rows, "
        "columns), the same as a convolution's kernel.",
        "`conv = kernel.transpose(2, 3, ___, ___)`; `spread = weight.reshape(len(weight), *shape)`; `dense = "
        "spread.transpose(___).reshape(-1, len(weight))`",
    ),
    solution='''def keras_weights(kernel, weight, shape):
    """Keras's kernels of a convolution and of the dense layer behind the flattening."""
    conv = kernel.transpose(2, 3, 1, 0)
    spread = weight.reshape(len(weight), *shape)
    dense = spread.transpose(2, 3, 1, 0).reshape(-1, len(weight))
    return conv, dense
''',
    why=(
        "A dense layer behind a flattening is a convolution that is as large as the picture, so its weights move in "
        "the same way. With `weight.T` alone all shapes fit, nothing raises an error, and the network guesses."
    ),
    judge=by_parts(
        keras_weights,
        [_weights(((5, 2, 3, 4), 4, (5, 3, 2)), ((8, 1, 3, 3), 10, (4, 7, 7)), ((3, 3, 3, 3), 3, (3, 3, 3)))],
        {"the convolution's kernel": KERNEL_TRAPS, "the dense kernel": DENSE_TRAPS},
    ),
)  # fmt: skip

# -- 19.4 -------------------------------------------------------------------------------------------

SPARSE, ONE_HOT = "sparse_categorical_crossentropy", "categorical_crossentropy"


def loss_for(labels: Array, outputs: Array) -> tuple[str, bool]:
    """The name of the loss that fits the labels, and what its from_logits must be for these outputs."""
    probabilities = (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3)
    return SPARSE if labels.ndim == 1 else ONE_HOT, not probabilities


def _named(sparse: Callable[[Array], Any]) -> Callable[..., str]:
    return lambda labels, outputs: SPARSE if sparse(labels) else ONE_HOT


def _scores(probabilities: Callable[[Array], Any]) -> Callable[..., bool]:
    return lambda labels, outputs: not bool(probabilities(outputs))


def _within(off: float) -> Callable[[Array], bool]:
    """Whether the rows are probabilities, with another tolerance."""
    return lambda outputs: bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, rtol=0, atol=off))


NAME_TRAPS = (
    Trap(_named(lambda labels: labels.dtype.kind in "iu"), "You go by the type of the labels. Class numbers may be "
         "stored as floats, and one-hot rows as integers. Go by their shape."),
    Trap(_named(lambda labels: labels.ndim == 2), "The two names are exchanged: the sparse one is for class numbers."),
    Trap(_named(lambda labels: labels.max() > 1), "You go by the largest label. A batch with the classes 0 and 1 alone "
         "has no larger one. Go by the shape."),
    Trap(_named(lambda labels: True), "This is the loss for class numbers in every case. Labels of shape (n, classes) "
                                      "are one-hot."),
    Trap(_named(lambda labels: False), "This is the loss for one-hot labels in every case. Labels of shape (n,) are "
                                       "class numbers."),
    Trap(lambda labels, outputs: ONE_HOT if labels.shape[0] == outputs.shape[1] else SPARSE,
         "The number of examples is compared with that of the classes. The labels' number of axes decides."),
)  # fmt: skip
LOGIT_TRAPS = (
    Trap(lambda labels, outputs: not loss_for(labels, outputs)[1], "from_logits is the wrong way round: True means "
         "that the loss itself must apply the softmax, since the outputs are scores."),
    Trap(lambda labels, outputs: True, "from_logits is True in every case. Where a softmax has been applied, it would "
                                       "be applied twice."),
    Trap(lambda labels, outputs: False, "from_logits is False in every case. Scores are no probabilities: their log "
                                        "means nothing."),
    Trap(_scores(lambda out: (out >= 0).all()), "Numbers that are not negative count as probabilities. Scores can be "
                                                "positive throughout, too: look at the sums of the rows."),
    Trap(_scores(lambda out: (out >= 0).all() and (out <= 1).all()), "Numbers from 0 to 1 count as probabilities. The "
         "scores of an untrained network can all lie there, too: each row of probabilities adds up to 1."),
    Trap(_scores(lambda out: np.allclose(out.sum(axis=1), 1, atol=1e-3)), "Rows that add up to 1 count as "
         "probabilities. Scores can do so by chance, with negative numbers among them."),
    Trap(_scores(lambda out: (out >= 0).all() and (out.sum(axis=1) == 1).all()), "The sums are compared with 1 "
         "exactly. A sum of floats hits 1 only nearly: `np.allclose`, with the tolerance of the task."),
    Trap(_scores(lambda out: (out >= 0).all() and abs(out.sum(axis=1).mean() - 1) < 1e-3), "The rows' sums are taken "
         "together, and one can make up for another. Each row of probabilities adds up to 1."),
    Trap(_scores(lambda out: (out >= 0).all() and (abs(out.sum(axis=1) - 1) < 1e-3).any()), "One row that adds up to "
         "1 is enough for it. All rows must."),
    Trap(_scores(lambda out: (out[0] >= 0).all() and abs(out[0].sum() - 1) < 1e-3), "Only the first row decides. All "
         "rows must be probabilities."),
    Trap(_scores(lambda out: (out > 0).all() and np.allclose(out.sum(axis=1), 1, atol=1e-3)), "A 0 counts as negative. "
         "A network that is quite sure gives probabilities of 0."),
    Trap(_scores(lambda out: (out >= 0).all() and (out.sum(axis=1) < 1.001).all()), "A sum below 1 counts as 1. Each "
         "row must add up to 1 within 0.001, from both sides."),
    Trap(_scores(_within(1e-5)), "The tolerance is too small: sums within 0.001 of 1 count as 1."),
    *(Trap(_scores(_within(off)), "The tolerance is too large: only sums within 0.001 of 1 count as 1.")
      for off in (0.1, 0.05)),
    Trap(_scores(lambda out: (out >= 0).all() and np.allclose(out.sum(axis=0), 1, atol=1e-3)), "These are the sums of "
         "the columns. An example is a row: axis 1."),
    Trap(_scores(lambda out: (out >= 0).all() and abs(out.sum() - 1) < 1e-3), "All numbers together are compared with "
         "1. Each row adds up to 1 by itself: axis 1."),
)  # fmt: skip


def _softmax(scores: Array) -> Array:
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _outputs_of_all_kinds(rng: np.random.Generator, n: int, classes: int) -> Iterable[tuple[Array, str]]:
    """Outputs, and what they are."""
    scores, first = rng.normal(0, 2, (n, classes)), 1.0 * (np.arange(classes) == 0)
    one = _softmax(scores)
    positive, between = np.abs(scores) + 1, rng.uniform(0.05, 0.5, (n, classes))
    tilted = between / between.sum(axis=1, keepdims=True) * (1 + 0.2 * (-1.0) ** np.arange(n))[:, None]
    columns = between / between.sum(axis=0) * np.ones(n)[:, None]
    yield (one * 1.0003).astype(np.float32), "rows of probabilities, nearly"
    yield one, "rows of probabilities"
    yield np.eye(classes)[rng.integers(0, classes, n)], "probabilities of a network that is quite sure"
    yield scores, "scores of both signs"
    yield positive, "scores, all of them positive"
    yield between, "scores from 0 to 1"
    yield tilted, "rows with sums of 1.2 and 0.8"
    yield one * (1 + 0.02 * (-1.0) ** np.arange(n))[:, None], "rows with sums of 1.02 and 0.98"
    yield columns, "columns that add up to 1"
    yield np.vstack([one[:1], between[1:]]), "only the first row adds up to 1"
    yield np.vstack([between[:-1], one[-1:]]), "only the last row adds up to 1"
    yield one + 3 * (first - np.roll(first, 1)), "rows that add up to 1, with numbers below 0"


def _loss_cases(*sizes: tuple[int, int]) -> Callable[..., list[Case]]:
    """Cases of (examples, classes): each kind of labels in each type, with each kind of outputs."""
    def cases(rng: np.random.Generator) -> list[Case]:
        found = []
        for n, classes in sizes:
            for k, (outputs, about) in enumerate(_outputs_of_all_kinds(rng, n, classes)):
                labels = rng.integers(0, 2 if k % 3 else classes, n)
                kinds = labels, np.eye(classes)[labels], labels.astype(np.float32), np.eye(classes, dtype=int)[labels]
                found.append(Case(kinds[k % 4], outputs, about=about))
                found.append(Case(kinds[(k + 1) % 4], outputs, about=about))
        return found

    return cases


LOSS = Problem(
    id="19.4",
    title="Which loss do these arrays ask for?",
    task=(
        "Look at a batch's labels and at a network's outputs for it, and say what Keras must be told: the name of the "
        "loss, and its `from_logits`. A program that runs with the wrong ones may be silent about it."
    ),
    spec=(
        "`labels` and `outputs` are NumPy arrays. `labels` is (n,) with class numbers or (n, classes) with one-hot "
        "rows, in any type; `outputs` is (n, classes). Returns `\"sparse_categorical_crossentropy\"` or "
        "`\"categorical_crossentropy\"`, and True or False. Outputs are probabilities if none is negative and each row "
        "adds up to 1 within 0.001; otherwise they are scores."
    ),
    stub='''def loss_for(labels, outputs):
    """The name of the loss, and whether the outputs are logits."""
    name = ...
    from_logits = ...
    return name, from_logits
''',
    answer="loss_for",
    lines=3,
    hints=(
        "Two questions that have nothing to do with each other: one is about the labels, the other about the outputs.",
        "`labels.ndim` tells class numbers from one-hot rows, whatever their type. `outputs.sum(axis=1)` is the sum of "
        "each row.",
        "`probabilities = (outputs >= 0).all() and np.allclose(___, 1, atol=1e-3)`; `from_logits = ___`",
    ),
    solution='''def loss_for(labels, outputs):
    """The name of the loss, and whether the outputs are logits."""
    name = "sparse_categorical_crossentropy" if labels.ndim == 1 else "categorical_crossentropy"
    probabilities = (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3)
    from_logits = not probabilities
    return name, from_logits
''',
    why=(
        "The labels' shape decides about the name, and what the last layer does decides about from_logits. PyTorch's "
        "cross_entropy wants scores always, so there is nothing to set, and the same mistake is a softmax too many."
    ),
    judge=by_parts(loss_for, [_loss_cases((4, 4), (5, 4), (1, 3)), _loss_cases((6, 10))],
                   {"the name of the loss": NAME_TRAPS, "from_logits": LOGIT_TRAPS}),
)  # fmt: skip

# -- 19.5 -------------------------------------------------------------------------------------------


class Key:
    """Stands for a key of JAX: whoever uses it is noted."""

    def __init__(self, name: str, uses: list[str]) -> None:
        self.name, self.uses, self.used = name, uses, list[str]()

    def use(self, how: str) -> None:
        """Note a use."""
        self.used.append(how)
        self.uses.append(how)


class Chance:
    """Stands for jax.random: keys that are told apart, and draws that depend on nothing but their key and shape."""

    def __init__(self, seed: int) -> None:
        self.uses: list[str] = []
        self.keys: list[Key] = []
        self.draws: list[Array] = []
        self.key = self._key(str(seed))

    def _key(self, name: str) -> Key:
        self.keys.append(Key(name, self.uses))
        return self.keys[-1]

    def split(self, key: Any, num: int = 2) -> list[Key]:
        """Return `num` new keys."""
        _as_key(key, "split").use("split")
        return [self._key(f"{key.name}/{k}") for k in range(num)]

    def normal(self, key: Any, shape: Sequence[int] = ()) -> Array:
        """Return normally distributed numbers, the same for the same key and shape."""
        _as_key(key, "normal").use("normal")
        rng = np.random.default_rng(zlib.crc32(key.name.encode()))
        self.draws.append(rng.standard_normal(shape))
        return self.draws[-1].copy()

    def twice(self) -> list[Key]:
        """Return the keys that were used more than once."""
        return [key for key in self.keys if len(key.used) > 1]


def _as_key(key: Any, function: str) -> Key:
    if not isinstance(key, Key):
        what = "a list of keys: take one of them" if isinstance(key, list) else called(key)
        raise TypeError(f"{function}() wants one key, and was given {what}")
    return key


SCALES: dict[str, Callable[[int, int], float]] = {
    "The numbers are as they were drawn. Multiply them by √(2 / n_in).": lambda n_in, n_out: 1.0,
    "They are multiplied by √(2 / n_out). The sum that must stay of the same size runs over the inputs: √(2 / n_in).":
        lambda n_in, n_out: (2 / n_out) ** 0.5,
    "They are multiplied by 2 / n_in. The root is missing.": lambda n_in, n_out: 2 / n_in,
    "They are multiplied by √(1 / n_in). The ReLU takes half away: √(2 / n_in).": lambda n_in, n_out: n_in**-0.5,
    "They are divided by √(2 / n_in), not multiplied.": lambda n_in, n_out: (n_in / 2) ** 0.5,
    "They are multiplied by √(2 / (n_in + n_out)). √(2 / n_in) is asked for.":
        lambda n_in, n_out: (2 / (n_in + n_out)) ** 0.5,
}  # fmt: skip


def _drawn(values: Array, draws: Sequence[Array]) -> bool:
    """Whether every one of `values` has been drawn."""
    pool = np.sort(np.concatenate([np.ravel(draw) for draw in draws]))
    place = np.searchsorted(pool, values.ravel()).clip(1, len(pool) - 1)
    off = np.minimum(abs(pool[place] - values.ravel()), abs(pool[place - 1] - values.ravel()))
    return bool((off < 1e-6).all()) if len(pool) > 1 else bool(np.allclose(values, pool[0]))


def _about_shapes(got: Any, sizes: Sequence[int]) -> str:
    if not isinstance(got, list | tuple):
        return f"A list of dicts is due, one for each layer; it returns {called(got)}."
    if len(got) != len(sizes) - 1:
        return f"sizes = {sizes} make {len(sizes) - 1} layers, each from one size to the next; yours are {len(got)}."
    for k, (layer, n_in, n_out) in enumerate(zip(got, sizes, sizes[1:], strict=False)):
        if not isinstance(layer, dict) or set(layer) != {"w", "b"}:
            return f'Layer {k} should be a dict with the keys "w" and "b".'
        if layer["w"] is ... or layer["b"] is ...:
            return f"Layer {k} still holds a `...`."
        shapes = np.shape(layer["w"]), np.shape(layer["b"])
        if shapes[0] == (n_out, n_in) != (n_in, n_out):
            return f"Layer {k}: w has the shape {shapes[0]}, PyTorch's order. (n_in, n_out) is due, for x @ w + b."
        if shapes != ((n_in, n_out), (n_out,)):
            return (f"Layer {k} goes from {n_in} numbers to {n_out}: w should be {(n_in, n_out)} and b {(n_out,)}; "
                    f"they are {shapes[0]} and {shapes[1]}.")  # fmt: skip
        if np.any(np.asarray(layer["b"])):
            return f"Layer {k}: b should be zeros."
    return ""


def _about_keys(chance: Chance, sizes: Sequence[int]) -> str:
    if "normal" not in chance.uses:
        return "`normal` has not been called. All chance comes from the key, or the same key would not give the same."
    for key in chance.twice():
        which = "the key that came as an argument" if key is chance.key else "one and the same key"
        if set(key.used) == {"normal"}:
            return (f"`normal` was called {len(key.used)} times with {which}. A key does not change when it is used: "
                    "the same numbers come again, so the layers are not independent. `split` it first.")  # fmt: skip
        if set(key.used) == {"split"}:
            return (f"{which[0].upper()}{which[1:]} was split {len(key.used)} times: it gives the same new keys each "
                    "time. Split one of the new ones, or all at once.")  # fmt: skip
        return (f"{which[0].upper()}{which[1:]} was split, and used to draw, too. Once split, a key is spent: draw "
                "with the keys that came out.")  # fmt: skip
    return ""


def _starts_every_layer_anew(ask: Ask, seed: int) -> str:
    for sizes in ((7, 5, 3, 2), (5, 5, 5), (6, 2)):     # two sizes in the first: factors of both are told apart
        chance = Chance(seed)
        got = ask(chance.key, sizes, chance.split, chance.normal)
        problem = _about_shapes(got, sizes) or _about_keys(chance, sizes) or _about_scales(got, sizes, chance)
        if problem:
            return problem
    return ""


def _about_scales(got: Any, sizes: Sequence[int], chance: Chance) -> str:
    for k, (layer, n_in, n_out) in enumerate(zip(got, sizes, sizes[1:], strict=False)):
        w = np.asarray(layer["w"], dtype=float)
        if not _drawn(w / (2 / n_in) ** 0.5, chance.draws):
            if not w.any():
                return f"Layer {k}: all weights are 0. Does `//` cut off everything behind the point of 2 / n_in?"
            if k and _drawn(w / (2 / sizes[0]) ** 0.5, chance.draws):
                return f"Layer {k}: n_in is that of layer 0 here. Each layer has a factor of its own: √(2 / n_in)."
            known = (text for text, scale in SCALES.items() if _drawn(w / scale(n_in, n_out), chance.draws))
            return f"Layer {k}: " + next(known, "w is not made of the numbers that `normal` drew, times √(2 / n_in).")
    together = np.concatenate([np.ravel(layer["w"]) / (2 / n) ** 0.5 for layer, n in zip(got, sizes, strict=False)])
    if len(np.unique(np.round(together, 9))) < len(together):
        return "The same random numbers stand in two places. Each weight is drawn by itself."
    return ""


KEYS = Problem(
    id="19.5",
    title="Random numbers without a hidden state",
    task=(
        "Draw the starting weights of a network of dense layers in JAX's manner, where all chance comes from a key "
        "that is handed over. Nothing else may decide, and no key is used twice."
    ),
    spec=(
        "`sizes` such as (784, 64, 10) are the numbers in front of, between and behind the layers. `split(key)` "
        "returns two new keys, `split(key, n)` n of them; `normal(key, shape)` draws an array: as in `jax.random`. "
        'Returns a list with a dict for each layer: `"w"` of shape (n_in, n_out), normal numbers times √(2 / n_in), '
        'and `"b"`, n_out zeros (NumPy\'s).'
    ),
    stub='''def start(key, sizes, split, normal):
    """The starting weights: a list of {"w": (n_in, n_out), "b": (n_out,)}."""
    layers = ...
    return layers
''',
    answer="start",
    lines=4,
    hints=(
        "A key is a number that never changes. What does `normal` return when it is called twice with the same one?",
        "Make as many keys as there are layers, all at once, and go through sizes and keys together. The key that was "
        "split is not used again.",
        "`keys = split(key, ___)`, then `for k, n_in, n_out in zip(keys, sizes, sizes[1:])`, and in it `normal(___, "
        "(n_in, n_out)) * np.sqrt(___)`",
    ),
    solution='''def start(key, sizes, split, normal):
    """The starting weights: a list of {"w": (n_in, n_out), "b": (n_out,)}."""
    layers = []
    for k, n_in, n_out in zip(split(key, len(sizes) - 1), sizes, sizes[1:]):
        w = normal(k, (n_in, n_out)) * np.sqrt(2 / n_in)
        layers.append({"w": w, "b": np.zeros(n_out)})
    return layers
''',
    why=(
        "A function whose chance is an argument gives the same for the same arguments: it can be compiled, repeated on "
        "another machine, and run for many keys at once. The price is that you keep the accounts: a key used twice "
        "gives the same numbers twice, and nothing warns you."
    ),
    judge=by_probes(("key", "sizes", "split", "normal"), _starts_every_layer_anew),
    limit=30.0,     # the first probe of a process imports PyTorch
)

# -- 19.6 -------------------------------------------------------------------------------------------


def clipped_step(weights: Tree, gradient: Tree, rate: float, limit: float, jnp: Any) -> tuple[Tree, Array]:
    """The weights after a step along a gradient that is at most `limit` long, and how long it was."""
    norm = jnp.sqrt(sum((g**2).sum() for g in gradient.values()))
    scale = limit / jnp.maximum(norm, limit)
    return {name: weights[name] - rate * scale * gradient[name] for name in weights}, norm


def _stepped(
    weights: Tree, gradient: Tree, rate: float, factor: Callable[[float, float], float], each: bool = False
) -> Tree:
    """A step with a factor of the norm and the limit; `each`: the norm of every array by itself."""
    def length(name: str) -> float:
        chosen = [name] if each else list(gradient)
        return float(np.sqrt(sum((gradient[other] ** 2).sum() for other in chosen)))

    return {name: weights[name] - rate * factor(length(name), LIMIT) * gradient[name] for name in weights}


LIMIT, RATE = 2.0, 0.1
WRONG_STEPS: tuple[tuple[Callable[[Tree, Tree], Tree], str], ...] = (
    (lambda w, g: _stepped(w, g, RATE, lambda norm, limit: 1.0), "The gradient is not shortened where its norm is "
                                                                 "above `limit`."),
    (lambda w, g: _stepped(w, g, RATE, lambda norm, limit: limit / norm), "A gradient that is shorter than `limit` is "
     "made longer. It should stay as it is: the factor is never above 1."),
    (lambda w, g: _stepped(w, g, RATE, lambda norm, limit: min(1, limit / norm), each=True), "Every array is shortened "
     "by its own norm. One norm, over all arrays together, is asked for, so that the direction stays."),
    (lambda w, g: _stepped(w, g, -RATE, lambda norm, limit: min(1, limit / norm)), "The step goes uphill: subtract."),
    (lambda w, g: _stepped(w, g, 1.0, lambda norm, limit: min(1, limit / norm)), "`rate` is missing."),
    (lambda w, g: _stepped(w, g, RATE, lambda norm, limit: min(1, limit / norm**2)), "The root is missing: the square "
     "of the norm is compared with `limit`."),
    (lambda w, g: _stepped(w, g, RATE, lambda norm, limit: norm / limit), "The factor is upside down: a gradient of "
     "length `norm` gets the length `limit` by the factor limit / norm."),
    (lambda w, g: _stepped(w, g, RATE, lambda norm, limit: min(1, norm / limit)), "The factor is upside down: a "
     "gradient of length `norm` gets the length `limit` by the factor limit / norm."),
    (lambda w, g: {name: w[name] - RATE * g[name].clip(-LIMIT, LIMIT) for name in w}, "Every entry is cut off by "
     "itself. The whole gradient is made shorter, so that the direction stays."),
)  # fmt: skip


def _trees(seed: int) -> tuple[Tree, dict[str, Tree]]:
    """Weights, and gradients by a word: one shorter than LIMIT, one longer, one of zeros."""
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {"w": (3, 4), "b": (4,), "head": (4, 2)}
    weights, one = ({name: rng.standard_normal(shape) for name, shape in shapes.items()} for _ in range(2))
    norm = np.sqrt(sum((g**2).sum() for g in one.values()))
    sized = {"long": 7.0, "short": 0.5, "zero": 0.0}
    return weights, {word: {k: g * size / norm for k, g in one.items()} for word, size in sized.items()}


def _other_norm(got: float, weights: Tree, gradient: Tree) -> str:
    """Say what was computed in place of the norm, where that can be told."""
    numbers = np.concatenate([np.ravel(g) for g in gradient.values()])
    of_weights = np.concatenate([np.ravel(w) for w in weights.values()])
    known = (
        (sum(np.sqrt((g**2).sum()) for g in gradient.values()), "The norms of the arrays are added. Add the squares of "
         "all arrays, and take one root of the sum."),
        (abs(numbers).max(), "This is the largest number of the gradient, not its norm: √(sum of the squares)."),
        (abs(numbers).sum(), "The absolute values are added. The norm is the root of the sum of the *squares*."),
        (np.sqrt((numbers**2).mean()), "The mean of the squares was taken. The norm has their sum under the root."),
        (np.sqrt(sum((g**2).mean() for g in gradient.values())), "The mean of the squares was taken. The norm has "
         "their sum under the root."),
        (np.sqrt((of_weights**2).sum()), "This is the norm of the *weights*. That of the gradient is asked for."),
    )  # fmt: skip
    return next((text for value, text in known if np.isclose(got, value)), "")


def _copy(tree: Tree) -> Tree:
    return {name: value.copy() for name, value in tree.items()}


def _same(got: Tree, due: Tree) -> bool:
    return all(np.allclose(got[name], due[name], rtol=1e-5, atol=1e-7) for name in due)


def _about_result(got: Any, weights: Tree) -> str:
    if not isinstance(got, tuple | list) or len(got) != 2:
        return f"Two results are due, the new weights and the norm; it returns {called(got)}."
    if not isinstance(got[0], dict) or set(got[0]) != set(weights):
        return f"The new weights should be a dict with the keys {', '.join(weights)}."
    if any(np.shape(got[0][name]) != value.shape for name, value in weights.items()):
        return "The new weights should have the shapes of the old ones."
    return "" if np.shape(got[1]) == () else f"The norm is one number; yours has the shape {np.shape(got[1])}."


def _about_step(got: Any, weights: Tree, gradient: Tree, how: str) -> str:
    problem = _about_result(got, weights)
    if problem:
        return problem
    due, norm = clipped_step(weights, gradient, RATE, LIMIT, np)
    other = _other_norm(float(got[1]), weights, gradient) if np.isfinite(got[1]) and norm else ""
    if other:
        return other
    if not all(np.isfinite(value).all() for value in got[0].values()):
        return f"With a gradient of zeros{how} the new weights are not finite: is something divided by a norm of 0?"
    if not _same(got[0], due):
        known = (text for wrong, text in WRONG_STEPS if norm and _same(got[0], wrong(weights, gradient)))
        return next(known, f"With a gradient of norm {norm:.3g} and a limit of {LIMIT:g}{how} the new weights are "
                           "wrong. They are weights - rate · gradient · (limit / norm if norm is above limit, else "
                           "1).")  # fmt: skip
    if not np.isclose(float(got[1]), norm):
        if np.isclose(float(got[1]), norm**2):
            return "What is returned beside the weights is the square of the norm."
        if np.isclose(float(got[1]), min(norm, LIMIT)):
            return "The norm returned is that of the shortened gradient. The norm before that is asked for."
        return f"The norm of the gradient is {norm:.4g}; you return {float(got[1]):.4g}."
    return ""


def _steps_as_numpy(ask: Ask, seed: int) -> str:
    weights, gradients = _trees(seed)
    for gradient in gradients.values():
        given = _copy(weights), _copy(gradient)
        with np.errstate(all="ignore"):
            got = ask(*given, RATE, LIMIT, np)
        for what, now, before in zip(("weights", "gradient"), given, (weights, gradient), strict=True):
            if set(now) != set(before) or any(not np.array_equal(now[name], before[name]) for name in before):
                return (f"The call has changed `{what}`, or an array in it. A pure function returns what is new and "
                        "leaves its arguments: neither `weights[name] = ...` nor `-=` on an array.")  # fmt: skip
        problem = _about_step(got, weights, gradient, "")
        if problem:
            return problem
    return ""


def _steps_when_traced(ask: Ask, seed: int) -> str:
    """Record it once with one gradient; what was recorded must hold for the others."""
    weights, gradients = _trees(seed)
    for first in ("short", "long"):
        def recorded(*arrays: Any) -> Any:
            w, g = (dict(zip(weights, half, strict=True)) for half in (arrays[:len(weights)], arrays[len(weights):]))
            return ask(w, g, RATE, LIMIT, TracedModule())

        run = traced(recorded, [*weights.values(), *gradients[first].values()])
        for word, gradient in gradients.items():
            with np.errstate(all="ignore"):
                got = run([*weights.values(), *gradient.values()])
            how = f", recorded with a {first} one and run with a {word} one,"
            problem = _about_step(got, weights, gradient, how)
            if problem:
                return problem
    return ""


STEP_STUB = '''def clipped_step(weights, gradient, rate, limit, jnp):
    """The new weights, and the norm of the gradient."""
    norm = ...
    new = ...
    return new, norm
'''
STEP = Problem(
    id="19.6",
    title="A step that can be compiled",
    task=(
        "Write `clipped_step`: `clipped` of the cell above, so that `jit` can take it. No decision in Python on a "
        "number that comes from an array, and nothing changed. It must still run with NumPy."
    ),
    spec=(
        "`weights` and `gradient` are dicts of arrays with the same keys; `jnp` is JAX's array module or NumPy. The "
        "norm is √(sum of the squares of all numbers in the gradient's arrays). If this one number is above `limit`, "
        "each of these arrays is multiplied by limit / norm; then new = weights - rate · gradient. Returns a new dict "
        "and the norm before that; a gradient of zeros leaves the weights as they are. The arguments stay as they are."
    ),
    stub=STEP_STUB,
    answer="clipped_step",
    lines=3,
    hints=(
        "The decision is about a factor: 1, or limit / norm. Which arithmetic gives the one or the other without "
        "asking?",
        "`jnp.where(condition, a, b)` and `jnp.minimum(a, b)` decide number by number, inside the recorded "
        "computation. Both sides of a `where` are computed, so mind the division by 0.",
        "`norm = jnp.sqrt(sum((g ** 2).sum() for g in gradient.values()))`; `scale = limit / jnp.maximum(norm, ___)`; "
        "`new = {name: weights[name] - ___ for name in weights}`",
    ),
    solution='''def clipped_step(weights, gradient, rate, limit, jnp):
    """The new weights, and the norm of the gradient."""
    norm = jnp.sqrt(sum((g ** 2).sum() for g in gradient.values()))
    scale = limit / jnp.maximum(norm, limit)
    new = {name: weights[name] - rate * scale * gradient[name] for name in weights}
    return new, norm
''',
    why=(
        "A recording has no branches: whatever Python decides while it is made is decided for good. A choice that "
        "depends on the data must be arithmetic, such as `where` or `maximum`, and what a function has to say must "
        "stand in its results."
    ),
    judge=by_probes(("weights", "gradient", "rate", "limit", "jnp"), _steps_as_numpy, _steps_when_traced),
    limit=30.0,
)

PROBLEMS = (BATCH, NORM, CARRY, LOSS, KEYS, STEP)
