"""The exercises of lesson 13: shapes, normalization, losses, an epoch, an evaluation, a matrix, batch normalization."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

import numpy as np

from gpucourse.exercises import blame, guard
from gpucourse.exercises.cases import Case, Trap, by_cases
from gpucourse.exercises.outcome import Wrong
from gpucourse.exercises.parts import by_parts
from gpucourse.exercises.probes import Ask, by_probes
from gpucourse.exercises.problem import Problem
from gpucourse.exercises.values import is_choice, is_mapping, mapping_source

Array = Any
Tensor = Any

# -- 13.1 -------------------------------------------------------------------------------------------

INPUTS = {
    "color pictures of 28 x 28": 64 * 12 * 12,
    "gray pictures of 64 x 64": 64 * 30 * 30,
    "stride 2 in the second convolution": 64 * 6 * 6,
    "pooling behind each convolution": 64 * 5 * 5,
    "kernels of 5 x 5, padding 2": 64 * 14 * 14,
}
COLOR, LARGE, STRIDE, POOLED, WIDE = INPUTS


def _all(**wrong: float) -> dict[str, float]:
    keys = {"color": COLOR, "large": LARGE, "stride": STRIDE, "pooled": POOLED, "wide": WIDE}
    return {keys[name]: value for name, value in wrong.items()}


SHAPES = Problem(
    id="13.1",
    title="What does the linear layer need?",
    task=(
        "The network of PyTorch's example: two convolutions of 3 x 3 without padding, with 32 and with 64 filters, a "
        "pooling by 2, flatten, a linear layer. It needs 9,216 inputs for gray pictures of 28 x 28; how many does it "
        "need after each of these changes, made one at a time?"
    ),
    spec=(
        "`inputs` maps each change to a whole number. Where pooling by 2 meets an odd number of rows or columns, it "
        "leaves out the last one."
    ),
    stub=mapping_source("inputs", list(INPUTS)),
    answer="inputs",
    lines=5,
    hints=(
        "Go through the network line by line and write down rows x columns after each. Only at the end multiply by the "
        "number of channels.",
        "A convolution makes `(size + 2 * padding - kernel) // stride + 1` of a size (exercise 12.1). The channels "
        "that leave it are its filters, whatever came in.",
        "For the second change: 64 → 62 → ___ → ___ after the pooling, and then `64 * ___ * ___`. For the fourth: "
        "28 → 26 → 13 → ___ → ___, rounded down.",
    ),
    solution=mapping_source("inputs", INPUTS),
    why=(
        "What reaches the linear layer is filters times rows times columns of the last picture. Everything that "
        "changes the size of that picture changes the linear layer, which is why one number in a copied program "
        "breaks so easily."
    ),
    judge=is_mapping(
        INPUTS,
        rtol=1e-9,
        traps=(
            Trap(_all(color=3 * 9216), "A filter goes over all channels of its input at once and makes one picture of "
                                       "them: three colors in, still 64 channels out."),
            Trap(_all(large=64 * 32 * 32), "64 x 64 becomes 32 x 32 by the pooling, if the convolutions keep the size. "
                                           "Without padding each takes two rows and two columns away."),
            Trap(_all(large=64 * 60 * 60), "For the larger pictures the pooling is forgotten: it halves rows and "
                                           "columns."),
            Trap(_all(large=9216), "A convolution does not bring every picture to the same size: from larger ones more "
                                   "rows and columns arrive."),
            Trap(_all(stride=64 * 7 * 7), "Here 26 rows arrive at the second convolution. Without padding, and with a "
                                          "stride of 2, a kernel of 3 fits (26 - 3) // 2 + 1 times."),
            Trap(_all(stride=64 * 12 * 12), "The second convolution's stride halves rows and columns, and then the "
                                            "pooling halves them once more."),
            Trap(_all(pooled=64 * 6 * 6), "Neither 12 halved nor 11 rounded up: the first pooling comes before the "
                                          "second convolution, 26, 13, 11, and 11 divided by 2 leaves a row over. It "
                                          "is left out."),
            Trap(_all(pooled=64 * 5.5 * 5.5), "There is no half row: 11 rows make 5 pairs, and the last row is left "
                                              "out."),
            Trap(_all(pooled=64 * 6 * 5), "Rows and columns are treated alike: both are 11 before the second pooling."),
            Trap(_all(pooled=64 * 7 * 7), "28 becomes 7 by two poolings, if the convolutions keep the size. Without "
                                          "padding each takes two rows and two columns away."),
            Trap(_all(wide=64 * 10 * 10), "The kernels are wider, and each takes four rows away; but a padding of 2 "
                                          "adds two rows above and two below."),
            Trap(_all(wide=64 * 28 * 28), "Padding keeps the size in the convolutions; the pooling still halves it."),
            Trap(_all(wide=64 * 12 * 12), "It is the size without padding. Here the padding makes up for what the "
                                          "kernel takes away: how large is the picture before the pooling?"),
            Trap(_all(color=144, large=900, stride=36, pooled=25, wide=196),
                 "These are the places of one channel. 64 channels reach the linear layer."),
            Trap(_all(color=32 * 144, large=32 * 900, stride=32 * 36, pooled=32 * 25, wide=32 * 196),
                 "The last convolution has 64 filters, so 64 channels reach the linear layer, not 32."),
        ),
    ),
)  # fmt: skip

# -- 13.2 -------------------------------------------------------------------------------------------


def normalize(train: Array, test: Array) -> tuple[Array, Array]:
    """Both sets as float32 (n, 1, h, w), shifted and scaled by mean and spread of `train`."""
    mean, spread = train.mean(), train.std()
    return _scaled(train, mean, spread), _scaled(test, mean, spread)


def _scaled(images: Array, mean: Any, spread: Any) -> Array:
    return ((images[:, None] - mean) / spread).astype(np.float32)


def _image_sets(rng: np.random.Generator) -> list[Case]:
    """Sets whose spread is the same by n and by n - 1; those to test with are brighter or darker, and so differ."""
    found = []
    for n, m, size, lift in ((60, 40, (4, 5), 60), (150, 7, (3, 3), -40), (3, 1, (28, 28), 30)):
        train, test = rng.integers(50, 180, (n, *size)), rng.integers(50, 180, (m, *size)) + lift
        about = f"{n} pictures of {size[0]} x {size[1]} to train with and {m} to test with"
        found.append(Case(train.astype(np.uint8), test.astype(np.uint8), about=about))
    return found


def _both(train: Array, test: Array) -> tuple[float, float]:
    every = np.concatenate([train.ravel(), test.ravel()])
    return every.mean(), every.std()


def _each_pixel(of: Array, images: Array) -> Array:
    return _scaled(images, of.mean(axis=0), of.std(axis=0))


def _each_picture(images: Array) -> Array:
    of_each = {"axis": (1, 2), "keepdims": True}
    return _scaled(images, images.mean(**of_each)[:, None], images.std(**of_each)[:, None])


NORMALIZE_STUB = '''def normalize(train, test):
    """Both sets, shifted and scaled alike, ready for a network."""
    return ...
'''
NORMALIZE_SOLUTION = '''def normalize(train, test):
    """Both sets, shifted and scaled alike, ready for a network."""
    mean, spread = train.mean(), train.std()
    x, x_test = (((images[:, None] - mean) / spread).astype(np.float32) for images in (train, test))
    return x, x_test
'''
_LEAK = (
    "Mean and standard deviation are taken from both sets together. Then the network is given something of the test "
    "pictures before the test. Compute both from `train` alone."
)
_VARIANCE = "The difference is divided by the variance. Divide by its root, the standard deviation: `.std()`."
_NOT_SCALED = "The mean is subtracted, but the difference is not divided by the standard deviation."
_PIXELS = (
    "Each pixel has a mean and a spread of its own (axis 0). One of each is asked for, of all pixels of all pictures "
    "in `train`: a corner that is black in all of them would be divided by 0."
)
_PICTURES = "Each picture is normalized by itself. Take one mean and one spread, of all pictures in `train` together."
_ONE = "This goes from 0 to 1. Take the mean away and divide by the standard deviation, both of the set to train with."

NORMALIZE = Problem(
    id="13.2",
    title="Normalize, and leak nothing",
    task=(
        "Shift and scale the pictures so that those to train with have mean 0 and standard deviation 1. Treat those to "
        "test with in the same way, as the network will treat a picture that comes tomorrow."
    ),
    spec=(
        "`train` (n, h, w) and `test` (m, h, w) are NumPy arrays of uint8. Returns two float32 arrays, (n, 1, h, w) "
        "and (m, 1, h, w). Mean and standard deviation are one number each, over all pixels. You need not divide by "
        "255: it cancels."
    ),
    stub=NORMALIZE_STUB,
    answer="normalize",
    lines=3,
    hints=(
        "Which of the two sets may be looked at before the test? All that is computed from pictures must come from it.",
        "`train.mean()` and `train.std()` are one number each. Both sets are shifted by the one and divided by the "
        "other. `images[:, None]` puts an axis of length 1 behind the first.",
        "`((images[:, None] - train.___()) / train.___()).astype(np.float32)`, once for each of the two sets",
    ),
    solution=NORMALIZE_SOLUTION,
    why=(
        "Mean and spread are parameters too: they are learned, and so from the training set only. With the same "
        "numbers for every picture a digit gives the same answer whatever other digits are tested beside it."
    ),
    judge=by_parts(
        normalize,
        [_image_sets],
        {
            "the first result, the training set,": (
                Trap(lambda a, b: _scaled(a, *_both(a, b)), _LEAK),
                Trap(lambda a, b: _scaled(a, b.mean(), b.std()),
                     "The training set is normalized by the test set's mean and spread. It is the other way round: "
                     "both by those of `train`."),
                Trap(lambda a, b: _scaled(a, a.mean(), 1), _NOT_SCALED),
                Trap(lambda a, b: _scaled(a, a.mean(), 255), "The difference is divided by 255, not by the standard "
                                                             "deviation of `train`."),
                Trap(lambda a, b: _scaled(a / 255, a.mean(), a.std()), "The pixels are divided by 255, mean and spread "
                     "are not. Compute both from what you shift and scale."),
                Trap(lambda a, b: _scaled(a, a.mean() / 255, a.std() / 255), "Mean and spread are those of pixels "
                     "divided by 255, and the pixels here are not divided. Compute both from what you shift and "
                     "scale."),
                Trap(lambda a, b: _scaled(a, a.mean(), a.var()), _VARIANCE),
                Trap(lambda a, b: _scaled(a / 255, (a / 255).mean(), (a / 255).var()), _VARIANCE),
                Trap(lambda a, b: _scaled(a, 0, a.std()), "The mean is not subtracted."),
                Trap(lambda a, b: _scaled(a - np.uint8(a.mean()), 0, a.std()),
                     "There is no negative number in it: a uint8 minus a uint8 wraps round below 0. Make floats of "
                     "them first, or leave the mean the float that it is."),
                Trap(lambda a, b: _scaled(a, 0, 255), _ONE),
                Trap(lambda a, b: _scaled(a, a.min(), float(a.max()) - float(a.min())), _ONE),
                Trap(lambda a, b: _each_pixel(a, a), _PIXELS),
                Trap(lambda a, b: _each_picture(a), _PICTURES),
                Trap(lambda a, b: _scaled(a, 255 * 0.1307, 255 * 0.3081),
                     "These are the numbers of MNIST. The judge's pictures are others: compute both from `train`."),
                Trap(lambda a, b: _scaled(a / 255, 0.1307, 0.3081),
                     "These are the numbers of MNIST. The judge's pictures are others: compute both from `train`."),
                Trap(lambda a, b: normalize(a, b)[0][:, 0],
                     "The axis of length 1, for the one channel, is missing: (n, 1, h, w). `images[:, None]` adds it."),
                Trap(lambda a, b: normalize(a, b)[0].astype(np.float64),
                     "It is float64. Networks are trained in float32: `.astype(np.float32)`."),
                Trap(lambda a, b: normalize(a, b)[0][:, 0, :, :, None],
                     "The channel is the last axis. PyTorch wants it behind the pictures: (n, 1, h, w)."),
                Trap(lambda a, b: normalize(a, b)[1], "The two results have changed places."),
            ),
            "the second result, the test set,": (
                Trap(lambda a, b: _scaled(b, b.mean(), b.std()),
                     "The test set is normalized by its own mean and spread. Then the same digit becomes another input "
                     "when other pictures are tested beside it. Use those of `train`."),
                Trap(lambda a, b: _scaled(b, b.mean(), a.std()), "The test set's own mean is subtracted. Use that of "
                                                                 "`train`."),
                Trap(lambda a, b: _scaled(b, a.mean(), b.std()), "The test set is divided by its own spread. Use that "
                                                                 "of `train`."),
                Trap(lambda a, b: _scaled(b, *_both(a, b)), _LEAK),
                Trap(lambda a, b: normalize(a, b)[0], "Both results are the training set."),
                Trap(lambda a, b: _scaled(b, 0, 255), "The test set goes from 0 to 1, other than the training set. "
                                                      "Treat both alike."),
                Trap(lambda a, b: _scaled(255.0 * b, a.mean(), a.std()),
                     "The test pictures still go from 0 to 255, and mean and spread are those of 0 to 1. Treat both "
                     "sets alike."),
                Trap(lambda a, b: _scaled(b, 0, 1), "The test set is not normalized at all. Treat both alike."),
                Trap(lambda a, b: normalize(a, b)[1][:, 0], "The axis for the channel is missing here: (m, 1, h, w)."),
                Trap(lambda a, b: normalize(a, b)[1].astype(np.float64), "The test set is float64. Make it float32, "
                                                                         "too."),
            ),
        },
        rtol=2e-3,
        atol=1e-3,
    ),
)  # fmt: skip

# -- 13.3 -------------------------------------------------------------------------------------------

LOSSES = (
    "cross_entropy of scores", "cross_entropy of softmax", "nll_loss of log_softmax", "nll_loss of softmax",
    "cross_entropy of log_softmax", "cross_entropy of relu",
)  # fmt: skip
_RIGHT_LOSS = "cross_entropy takes scores and makes log-probabilities of them itself: this is the loss asked for."


def _suspects(answer: Any, *, name: str = "your answer") -> None:
    """Tell the complement, and ask about the one that is missing; everything else is told by the choice."""
    several = isinstance(answer, set | frozenset | list | tuple) and all(isinstance(way, str) for way in answer)
    found = set(answer) if several else set()
    if found == {LOSSES[0], LOSSES[2], LOSSES[4]}:
        raise Wrong("You name those that *do* compute the cross-entropy. The other three are asked for.")
    for missing, question in _QUESTIONS.items():
        if found == _WRONG_LOSSES - {missing}:
            raise Wrong(f"What you name is right, but 1 is missing. {question}")
    _chosen(answer, name=name)


_WRONG_LOSSES = {LOSSES[1], LOSSES[3], LOSSES[5]}
_QUESTIONS = {
    LOSSES[1]: "Which of the losses cannot come near 0, however sure the network is?",
    LOSSES[3]: "Where does each of the losses take its logarithm?",
    LOSSES[5]: "Do all of the losses see the negative scores?",
}
_chosen = is_choice(
    _WRONG_LOSSES,
    LOSSES,
    because={
        LOSSES[0]: _RIGHT_LOSS,
        LOSSES[2]: "`nll_loss` takes log-probabilities, and the log-softmax makes them: together they are the "
                   "cross-entropy, in two steps.",
        LOSSES[4]: "It looks like one log-softmax too many. But the exponentials of log-probabilities add up to 1, so "
                   "the second log-softmax subtracts log 1 = 0. Superfluous, and right.",
    },
)  # fmt: skip

SUSPECTS = Problem(
    id="13.3",
    title="Which losses are not the cross-entropy?",
    task=(
        "Six programs from the web compute their loss in these six ways. All run, and in all of them the loss falls; "
        "name those that do *not* compute the cross-entropy."
    ),
    spec="`wrong` is a set of names out of `ways`. Reason first; then try them on scores of your own.",
    stub="wrong = ...\n",
    answer="wrong",
    lines=1,
    hints=(
        "`F.cross_entropy` is two steps in one: a log-softmax, and the mean of the negative log-probabilities at the "
        "labels. `F.nll_loss` is the second of them alone.",
        "What does a log-softmax do to numbers that are log-probabilities already? What does it do to probabilities, "
        "which all lie between 0 and 1? And what can the network no longer say after a ReLU?",
        "Three are wrong: one lacks the logarithm, one has a softmax too many, and one ___ all negative scores.",
    ),
    solution='wrong = {"cross_entropy of softmax", "nll_loss of softmax", "cross_entropy of relu"}\n',
    why=(
        "The log-softmax of log-probabilities changes nothing, since their exponentials already add up to 1. That of "
        "probabilities does: the loss cannot fall below 1.46 for ten classes, and gradients vanish where the network "
        "is wrong and sure of it."
    ),
    judge=_suspects,
)

# -- 13.4 -------------------------------------------------------------------------------------------

EPOCH_STUB = '''def train_epoch(model, batches, optimizer):
    """A step for each batch; the mean loss of all examples, as a float."""
    for images, labels in batches:
        scores = model(images).softmax(dim=1)
        loss = F.cross_entropy(scores, labels)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
    return ...
'''
EPOCH_SOLUTION = '''def train_epoch(model, batches, optimizer):
    """A step for each batch; the mean loss of all examples, as a float."""
    model.train()
    total, n = 0.0, 0
    for images, labels in batches:
        scores = model(images)
        loss = F.cross_entropy(scores, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        n += len(labels)
    return total / n
'''


@dataclass(frozen=True)
class _Way:
    """A way to go through an epoch; the first of each is the right one."""

    output: str = "scores"       # what the loss is given, or a wrong one of _CHOICES
    order: str = "right"         # or "step first": before the batch's forward pass
    zero: str = "each"           # or "never", or "between" backward and step
    mode: str = "train"          # or "as is"


_BLAMES = {
    ("output", "softmax"): (
        "The loss is given probabilities. `F.cross_entropy` makes them itself, from scores: a softmax before it "
        "squeezes them a second time, and a network that is sure and wrong gets hardly any gradient."
    ),
    ("output", "over the batch"): (
        "The loss is given a softmax over the batch, dim 0. `F.cross_entropy` wants the scores as they are: it makes "
        "probabilities itself, of each row."
    ),
    ("output", "sum"): (
        "The loss is the sum over the batch, so its gradient grows with the batch, and the steps with it. Take the "
        "mean, which `F.cross_entropy` gives without being asked."
    ),
    ("output", "no log"): (
        "`F.nll_loss` is given probabilities. It takes log-probabilities and computes no logarithm itself (exercise "
        "13.3)."
    ),
    ("order", "step first"): (
        "The step comes before `backward()`. So it goes along the gradients of the batch before, and the first batch "
        "moves nothing."
    ),
    ("zero", "never"): (
        "The gradients are not set to zero for each batch. `backward()` adds to what is there, so each step goes along "
        "the sum of all gradients so far."
    ),
    ("zero", "between"): (
        "The gradients are set to zero between `backward()` and the step: what was just computed is thrown away, and "
        "the step has nothing to go along."
    ),
    ("mode", "as is"): (
        "The model came in `eval()` mode, as an evaluation leaves it, and was trained in it: dropout and batch "
        "normalization are switched off. Put it into training mode first."
    ),
}  # fmt: skip
_CHOICES = {
    "output": ("scores", "softmax", "over the batch", "sum", "no log"), "order": ("right", "step first"),
    "zero": ("each", "never", "between"), "mode": ("train", "as is"),
}  # fmt: skip


def _small_network(seed: int) -> Any:
    """Float64, on the CPU, with a layer that knows its mode; the mode is `eval()`, as after an evaluation."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    made = nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3))
    return made.to(torch.float64).eval()


def _small_loader(seed: int, sizes: Sequence[int] = (8, 8, 3), shift: float = 0.0) -> Any:
    """A DataLoader of batches of 8, in order, the last one smaller; images (n, 1, 2, 3), three classes."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    n, rng = sum(sizes), np.random.default_rng(seed)
    images = torch.tensor(rng.standard_normal((n, 1, 2, 3)) + shift)
    labels = torch.tensor(rng.integers(0, 3, n))
    # a loader draws a seed even where it does not shuffle: from random numbers of its own
    return DataLoader(TensorDataset(images, labels), batch_size=sizes[0], generator=torch.Generator())


def _optimizer(model: Any) -> Any:
    import torch

    return torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.5)


def _went(way: _Way, model: Any, batches: Any, optimizer: Any) -> list[float]:
    """Go through an epoch in that way; each batch's loss."""
    losses = []
    if way.mode == "train":
        model.train()
    for images, labels in batches:
        if way.order == "step first":
            optimizer.step()
        scores = model(images)
        loss = _loss(way.output, scores, labels)
        losses.append(loss.item())
        _descend(way, loss, optimizer)
    return losses


def _loss(output: str, scores: Tensor, labels: Tensor) -> Tensor:
    from torch.nn import functional as F

    if output == "no log":
        return F.nll_loss(scores.softmax(dim=1), labels)
    given: Tensor = {"softmax": scores.softmax(dim=1), "over the batch": scores.softmax(dim=0)}.get(output, scores)
    loss = F.cross_entropy(given, labels)
    return loss * len(labels) if output == "sum" else loss


def _descend(way: _Way, loss: Any, optimizer: Any) -> None:
    if way.zero == "each":
        optimizer.zero_grad()
    loss.backward()
    if way.zero == "between":
        optimizer.zero_grad()
    if way.order == "right":
        optimizer.step()


def _weights(model: Any) -> Array:
    return np.concatenate([value.detach().double().numpy().ravel() for value in model.state_dict().values()])


def _trained(way: _Way, seed: int) -> tuple[Array, list[float]]:
    model = _small_network(seed)
    losses = _went(way, model, _small_loader(seed), _optimizer(model))
    return _weights(model), losses


def _ways() -> list[_Way]:
    """All ways, those with fewer mistakes first."""
    every = [_Way(*parts) for parts in product(*(_CHOICES[field.name] for field in fields(_Way)))]
    return sorted(every, key=lambda way: len(_mistakes(way)))


def _mistakes(way: _Way) -> list[str]:
    found = [(field.name, getattr(way, field.name)) for field in fields(_Way)]
    return [_BLAMES[pair] for pair in found if pair in _BLAMES]


def _steps_are_right(ask: Ask, seed: int) -> str:
    """The number of steps, then the weights after the epoch, against those of every known way."""
    model, steps = _small_network(seed), list[int]()
    optimizer = _optimizer(model)
    optimizer.register_step_post_hook(lambda *_: steps.append(1))
    try:
        ask(model, _small_loader(seed), optimizer)
    except guard.Raised as raised:
        if "modified by an inplace operation" not in str(raised.error):
            raise
        return _STEP_INSIDE
    if len(steps) != 3:
        made = "no step" if not steps else "1 step" if len(steps) == 1 else f"{len(steps)} steps"
        return f"For 3 batches {made} {'are' if len(steps) > 1 else 'is'} made. An epoch makes one for each batch."
    return _asked_again(model, seed) or _why_weights(_weights(model), seed)


def _asked_again(model: Any, seed: int) -> str:
    """A message if all parameters are right, but the model was called in training mode more often than needed."""
    import torch
    from torch.nn.utils import parameters_to_vector

    right = _small_network(seed)
    _went(_Way(), right, _small_loader(seed), _optimizer(right))
    calls = int(model[2].num_batches_tracked)
    got, due = parameters_to_vector(model.parameters()), parameters_to_vector(right.parameters())
    if calls <= 3 or not torch.allclose(got, due):
        return ""
    return (
        f"The steps are right, but for 3 batches the model was called {calls} times in training mode, and each call "
        "moves the running means of batch normalization. The loss is asked for as it was when its batch came: you "
        "have it from the one forward pass."
    )


_STEP_INSIDE = (
    "The step comes between the forward pass and `backward()`: it changes weights that the way back still needs, and "
    "PyTorch notices that they were modified. First `backward()`, then the step."
)


def _why_weights(got: Array, seed: int) -> str:
    right = _trained(_Way(), seed)[0]
    if np.allclose(got, right, rtol=1e-7, atol=1e-9):
        return ""
    for way in _ways()[1:]:
        if np.allclose(got, _trained(way, seed)[0], rtol=1e-7, atol=1e-9):
            return _told(_mistakes(way))
    if not np.isfinite(got).all():
        return "After the epoch some weights are not finite numbers."
    return (
        "Steps were made, but after three batches the weights are not those of zero_grad, forward, cross-entropy of "
        f"the scores, backward, step. The largest difference is {abs(got - right).max():.2g}."
    )


def _told(mistakes: list[str]) -> str:
    return mistakes[0] + " And it is not the only mistake." * (len(mistakes) > 1)


def _mean_is_right(ask: Ask, seed: int) -> str:
    """The returned number, against means that were meant otherwise."""
    model = _small_network(seed)
    got = ask(model, _small_loader(seed), _optimizer(model))
    losses = np.array(_trained(_Way(), seed)[1])
    sizes = np.array([8, 8, 3])
    n = int(sizes.sum())
    known = {
        "Each batch counts the same. The last one has 3 examples where the others have 8: weight each loss by its "
        "`len(labels)`.": losses.mean(),
        "This is the sum of the batches' losses. Weight each by its examples, and divide by their number.":
            losses.sum(),
        "This is the last batch's loss. Take all into the mean.": losses[-1],
        "This is the first batch's loss. Take all into the mean.": losses[0],
        "This is the sum over all examples. Divide by their number.": losses @ sizes,
        "A batch's loss is already a mean over its examples, and you divide it by their number once more. Multiply by "
        "`len(labels)` first.": losses.sum() / n,
        "The losses are weighted by their examples, but divided by the number of batches.": losses @ sizes / 3,
        "Every batch is taken to have 8 examples; the last one has 3.": losses.sum() * 8 / n,
        "The sum is divided by 3 times 3, the number of batches times the last one's size. Behind the loop `labels` "
        "is the last, smaller batch: count the examples inside.": losses @ sizes / 9,
        "This is the loss after the epoch. The mean of the losses that the steps had is asked for.": _after(seed),
    }
    return _number(got, losses @ sizes / n, known, "the mean loss")


def _after(seed: int) -> float:
    from torch.nn import functional as F

    model = _small_network(seed)
    loader = _small_loader(seed)
    _went(_Way(), model, loader, _optimizer(model))
    images, labels = loader.dataset.tensors
    return F.cross_entropy(model(images), labels).item()


def _number(got: Any, due: float, known: dict[str, float], what: str) -> str:
    """Judge a float: what it is, then whether it is right, then which mistake makes it."""
    if got is None:
        return f"Nothing is returned. Return {what}."
    if type(got).__module__ == "torch" and hasattr(got, "grad_fn"):
        hangs = " that still carries the record of its computation, with all its memory" if got.grad_fn else ""
        return f"A tensor is returned{hangs}. `.item()` makes a Python number of it."
    try:
        value = float(got)
    except (TypeError, ValueError):
        return f"{what[0].upper()}{what[1:]} should be a number, but is {type(got).__name__}."
    if np.isclose(value, due, rtol=1e-6):
        return ""
    causes = (message for message, wrong in known.items() if np.isclose(value, wrong, rtol=1e-6))
    return next(causes, f"{what[0].upper()}{what[1:]} is {due:.4f} here, and {value:.4f} is returned.")


EPOCH = Problem(
    id="13.4",
    title="A loop that does not learn",
    task=(
        "This loop runs without an error, and its network learns nothing. Repair it: one line is wrong, one in the "
        "wrong place, one missing; and apart from that, let it return the mean loss of all examples."
    ),
    spec=(
        "`batches` yields (images, labels), the last batch may be smaller; all lie on the model's device. The model "
        "may come in either mode. Returns a Python float: each example's loss counts once, as it was when its batch "
        "came. (The lines counted below are those that are new or changed.)"
    ),
    stub=EPOCH_STUB,
    answer="train_epoch",
    lines=6,
    hints=(
        "Say the five parts of a step aloud, in their order, and point at each of them in the loop. Then ask which "
        "mode the model is in.",
        "Old gradients must be gone before new ones are computed, and computed before the step uses them. What does "
        "`F.cross_entropy` want, scores or probabilities? And what has to be called before the loop?",
        "`total += loss.item() * len(___)` adds up the losses of a batch's examples, and `n += len(___)` counts them.",
    ),
    solution=EPOCH_SOLUTION,
    why=(
        "`backward()` adds to the gradients that are there, and a step uses whatever it finds: nothing in PyTorch "
        "checks their order. The loss of a batch is a mean, so it counts as often as the batch has examples."
    ),
    judge=by_probes(("model", "batches", "optimizer"), _steps_are_right, _mean_is_right),
    limit=60.0,     # the first optimizer of a process makes PyTorch import its compiler
)

# -- 13.5 -------------------------------------------------------------------------------------------

EVALUATE_STUB = '''def evaluate(model, batches):
    """The share of all examples that the model gets right."""
    return ...
'''
EVALUATE_SOLUTION = '''def evaluate(model, batches):
    """The share of all examples that the model gets right."""
    was_training, right, n = model.training, 0, 0
    model.eval()
    with torch.no_grad():
        for images, labels in batches:
            right += (model(images).argmax(dim=1) == labels).sum().item()
            n += len(labels)
    model.train(was_training)
    return right / n
'''


def _watched(scores: Any) -> Any:
    """A model that returns fixed scores, row by row of its input, and notes how it was called."""
    import torch
    from torch import nn

    class Watched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1, dtype=torch.float64))
            self.inner = nn.Dropout(0.5)        # has a mode of its own
            self.modes: list[bool] = []
            self.recorded: list[bool] = []

        def forward(self, images: Tensor) -> Tensor:
            self.modes.append(self.training or self.inner.training)
            self.recorded.append(torch.is_grad_enabled())
            return scores[images[:, 0, 0, 0].long()] * self.weight

    return Watched()


SIZES = (5, 5, 2)     # of the batches in which the answer is asked


def _scores_and_labels() -> tuple[Any, Any]:
    """Fixed: 12 rows of 4 scores, most of them negative, and labels; 4, 3 and 1 of the three batches are right."""
    import torch

    rng = np.random.default_rng(38)
    scores = -rng.random((12, 4)) - 0.5
    labels = rng.integers(0, 4, 12)
    said = labels.copy()
    said[[1, 6, 8, 10]] = (labels[[1, 6, 8, 10]] + 1) % 4
    scores[np.arange(12), said] = 0.3 * rng.random(12) - 0.2
    return torch.tensor(scores), torch.tensor(labels)


def _look(ask: Ask, training: bool) -> tuple[Any, Any]:
    """What the answer returns for a model in that mode, and the model."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    scores, labels = _scores_and_labels()
    model = _watched(scores).train(training)
    images = torch.arange(12, dtype=torch.float64).reshape(12, 1, 1, 1)
    loader = DataLoader(TensorDataset(images, labels), batch_size=SIZES[0], generator=torch.Generator())
    try:
        return ask(model, loader), model
    except guard.Raised as raised:
        raised.advise("must match the size", "Axis 0 counts the examples, axis 1 the classes.")
        raise


def _only_looks(ask: Ask, seed: int) -> str:
    """The mode during the evaluation, the record during and after it, the number of batches."""
    import torch

    with torch.enable_grad():        # on leaving, it puts the switch back to where the learner had it
        _, model = _look(ask, training=True)
        still = torch.is_grad_enabled()
    if not model.modes:
        return "The model was never called."
    if any(model.modes):
        return (
            "The model was in training mode while it was tested: dropout drops, and batch normalization normalizes by "
            "the test batch and changes its running means. Call `model.eval()` first."
        )
    if any(model.recorded):
        return (
            "PyTorch kept a record for a way back that nobody takes, which costs memory. Go through the batches inside "
            "`with torch.no_grad():`."
        )
    if not still:
        return (
            "The record is switched off and never on again, so the next training would fail at its first "
            "`backward()`. `with torch.no_grad():` switches it back on when its block ends."
        )
    return "" if len(model.modes) >= 3 else f"Of 3 batches {len(model.modes)} went through the model. Take all of them."


def _share_is_right(ask: Ask, seed: int) -> str:
    """The share, against shares that were meant otherwise."""
    got, _ = _look(ask, training=False)
    scores, labels = _scores_and_labels()
    hits = (scores.argmax(dim=1) == labels).numpy()
    each = [part.mean() for part in np.split(hits, np.cumsum(SIZES)[:-1])]
    known = {
        "Each batch counts the same. The last one has 2 examples where the others have 5: count right answers, and "
        "divide by the number of examples at the end.": float(np.mean(each)),
        "This is the share of the last batch. Count over all batches.": float(each[-1]),
        "This is the share of the first batch. Is the `return` inside the loop?": float(each[0]),
        "These are percent. Return a share from 0 to 1.": 100 * hits.mean(),
        "This is the number of right answers. Divide by the number of examples.": float(hits.sum()),
        "This is the share of wrong answers.": 1 - hits.mean(),
        "The right answers are divided by the number of batches.": float(hits.sum() / 3),
        "Every batch is taken to have 5 examples; the last one has 2.": float(hits.sum() / 15),
        "The shares of the batches are added up. Count right answers, and divide once, at the "
        "end.": float(np.sum(each)),
        "The right answers are divided by all scores, four to an example.": float(hits.mean() / 4),
        "The smallest score is taken for the answer. The largest one is: `argmax`.":
            float((scores.argmin(dim=1) == labels).float().mean()),
        "`argmax()` without `dim` gives one number for the whole batch. Each row has an answer of its own: "
        "`argmax(dim=1)`.": _flat(scores, labels),
        "No answer counts as right; 8 of 12 are. What is compared with the labels should be the *place* of each row's "
        "largest score, a whole number for each example. Print it beside the labels.": 0.0,
    }
    return _number(got, float(hits.mean()), known, "the share")


def _flat(scores: Tensor, labels: Tensor) -> float:
    """The share by the argmax of each batch's scores in one row."""
    parts = zip(scores.split(SIZES), labels.split(SIZES), strict=True)
    return sum(int((part.argmax() == truth).sum()) for part, truth in parts) / len(labels)


def _mode_comes_back(ask: Ask, seed: int) -> str:
    """The mode after it is the mode before, for both."""
    for training, came in ((True, "in training mode"), (False, "in `eval()` mode")):
        _, model = _look(ask, training)
        if model.training != training or model.inner.training != training:
            now = "training mode" if model.training else "`eval()` mode"
            return (
                f"The model came {came} and is left in {now}. Whoever trains on after this evaluation, or tests on, "
                "does so in the wrong mode: note `model.training` at the start and put it back with `model.train(...)`."
            )
    return ""


EVALUATE = Problem(
    id="13.5",
    title="Test without a trace",
    task=(
        "Write the function that says how many of all examples a model gets right. It must only look: no layer may "
        "behave as in training, PyTorch need not keep a record, and afterwards the model is in the mode in which it "
        "came."
    ),
    spec=(
        "`batches` yields (images, labels), on the model's device; the last batch may be smaller. `model(images)` "
        "returns scores (n, classes). Returns a Python float from 0 to 1."
    ),
    stub=EVALUATE_STUB,
    answer="evaluate",
    lines=8,
    hints=(
        "Count two things over all batches: right answers and examples. Divide once, at the end.",
        "`model.training` says which mode the model is in, and two methods change it: `eval` and `train`, which takes "
        "True or False. Around the loop stands a `with` and `torch.no_grad()`.",
        "`right += (model(images).argmax(dim=___) == labels).___().item()`, and at the end "
        "`model.train(___)` with what you noted at the start",
    ),
    solution=EVALUATE_SOLUTION,
    why=(
        "A mean of the batches' shares would let an example of a small last batch count for more than others. And an "
        "evaluation that leaves the model in another mode is a bug that shows up elsewhere, in the epoch that follows "
        "it."
    ),
    judge=by_probes(("model", "batches"), _only_looks, _share_is_right, _mode_comes_back),
)

# -- 13.6 -------------------------------------------------------------------------------------------


def confusion(labels: Array, said: Array, classes: int) -> Array:
    """How often each label, row by row, was read as each class."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, said), 1)
    return counts


def _readings(rng: np.random.Generator) -> list[Case]:
    found = []
    for n, classes in ((12, 3), (40, 4), (9, 10), (200, 10), (1200, 2)):
        labels = rng.integers(0, classes, n)
        said = np.where(rng.random(n) < 0.6, labels, rng.integers(0, classes, n))
        last = min(2, classes - 1)
        # with few examples one mistake comes more often than its reverse
        labels[:4], said[:4] = (0, 0, 0, 1), (1, 1, last, last)
        found.append(Case(labels, said, classes, about=f"{n} examples of {classes} classes"))
    found.append(Case(np.array([0, 1, 0]), np.array([1, 1, 1]), 3, about="a class that does not occur"))
    return found


def _once(labels: Array, said: Array, classes: int) -> Array:
    counts = np.zeros((classes, classes), np.int64)
    counts[labels, said] += 1
    return counts


def _where_it_occurs(labels: Array, said: Array, classes: int) -> Array:
    there = np.unique(np.concatenate([labels, said]))
    return confusion(labels, said, classes)[np.ix_(there, there)]


def _times_ten(labels: Array, said: Array, classes: int) -> Array:
    return np.bincount(10 * labels + said, minlength=classes**2)[: classes**2].reshape(classes, classes)


def _by_rows(labels: Array, said: Array, classes: int) -> Array:
    counts = confusion(labels, said, classes)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


CONFUSION_STUB = '''def confusion(labels, said, classes):
    """How often each label was read as each class: (classes, classes)."""
    return ...
'''
CONFUSION_SOLUTION = '''def confusion(labels, said, classes):
    """How often each label was read as each class: (classes, classes)."""
    counts = np.zeros((classes, classes), int)
    for label, answer in zip(labels, said):
        counts[label, answer] += 1
    return counts
'''

CONFUSION = Problem(
    id="13.6",
    title="Who is taken for whom?",
    task=(
        "Count a confusion matrix: row i, column k says how many examples of class i were read as class k. What was "
        "read rightly stands on the diagonal."
    ),
    spec=(
        "`labels` and `said` are NumPy arrays (n,) of whole numbers from 0 to classes - 1. Returns an array (classes, "
        "classes) of whole numbers; a class that does not occur has its row and column, too."
    ),
    stub=CONFUSION_STUB,
    answer="confusion",
    lines=4,
    hints=(
        "Begin with a square of zeros. Each example adds 1 to one place: which row, which column?",
        "A loop over the examples is fine. Without one, beware: with arrays as indices, `+= 1` counts a pair once "
        "however often it occurs; `np.add.at` counts every one.",
        "`counts = np.zeros((classes, classes), int)`, and for each pair `counts[___, ___] += 1`",
    ),
    solution=CONFUSION_SOLUTION,
    why=(
        "A row is what was true, a column what was said, so a row's sum is how often the class occurs. The accuracy "
        "is the diagonal's share; what the accuracy hides is which mistakes are made."
    ),
    judge=by_cases(
        confusion,
        _readings,
        dtype=False,
        traps=(
            Trap(lambda a, b, c: confusion(b, a, c), "Rows and columns are exchanged: row i is for the examples that "
                                                     "*are* of class i, whatever was said."),
            Trap(_once, "Each pair counts at most once. `counts[labels, said] += 1` reads, adds and writes all places "
                        "at once, so a place that is named twice still gets 1. Loop, or use `np.add.at`."),
            Trap(_where_it_occurs, "A class that does not occur has its row and column, too: `classes` says how many "
                                   "there are."),
            Trap(_times_ten, "Is the factor 10 everywhere? Rows have `classes` places, and here there are 3 classes, "
                             "and 4."),
            Trap(lambda a, b, c: _once(b, a, c), "Each pair counts at most once, and rows and columns are exchanged."),
            Trap(lambda a, b, c: confusion(a, b, c).astype(np.uint8), "The counts are kept as uint8, which begins "
                                                                      "again with 0 after 255."),
            Trap(lambda a, b, c: confusion(a, b, c).astype(np.int8), "The counts are kept as int8, which goes from 127 "
                                                                     "to -128."),
            Trap(_by_rows, "These are shares of each row. Counts are asked for."),
            Trap(lambda a, b, c: confusion(a, b, c) / len(a), "These are shares of all examples. Counts are asked "
                                                              "for."),
            Trap(lambda a, b, c: confusion(a, b, c) * (1 - np.eye(c, dtype=int)),
                 "The diagonal is empty: right answers count, too."),
            Trap(lambda a, b, c: confusion(a, b, c) * np.eye(c, dtype=int), "Only right answers count here. Which "
                                                                            "wrong ones were given?"),
            Trap(lambda a, b, c: np.diag(np.bincount(a, minlength=c)), "`said` does not count: these are the labels' "
                                                                       "frequencies, on the diagonal."),
            Trap(lambda a, b, c: confusion(a, b, c) + confusion(b, a, c), "Every example counts twice, once for its "
                                                                          "label's row and once for what was said."),
        ),
    ),
)  # fmt: skip

# -- 13.7 -------------------------------------------------------------------------------------------

NORM_STUB = '''def batch_norm(x, gamma, beta, mean, variance, training):
    """y of the shape of x; in training `mean` and `variance`, the running ones, change in place."""
    return ...
'''
NORM_SOLUTION = '''def batch_norm(x, gamma, beta, mean, variance, training):
    """y of the shape of x; in training `mean` and `variance`, the running ones, change in place."""
    if training:
        m, v = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), correction=0)
        n = x.numel() / x.shape[1]
        with torch.no_grad():
            mean += 0.1 * (m - mean)
            variance += 0.1 * (v * n / (n - 1) - variance)
    else:
        m, v = mean, variance
    m, v, gamma, beta = (c[:, None, None] for c in (m, v, gamma, beta))
    return gamma * (x - m) / (v + 1e-5).sqrt() + beta
'''
EPS, SHARE = 1e-5, 0.1


@dataclass
class _Layer:
    """The arguments of a call: x (n, channels, h, w), and four tensors (channels,)."""

    x: Tensor
    gamma: Tensor
    beta: Tensor
    mean: Tensor
    variance: Tensor

    def copies(self) -> list[Tensor]:
        return [getattr(self, field.name).clone() for field in fields(self)]


def _layer(seed: int, n: int = 4, channels: int = 3, size: tuple[int, int] = (2, 5)) -> _Layer:
    """Float64; channels of different mean and spread, one of them so narrow that eps matters."""
    import torch

    rng = np.random.default_rng(seed)
    spread = np.array([2.0, 0.5, 0.004, 1.0])[:channels].reshape(-1, 1, 1)
    x = rng.standard_normal((n, channels, *size)) * spread + rng.standard_normal((channels, 1, 1)) * 3
    each = [rng.standard_normal(channels) for _ in range(3)]
    return _Layer(*(torch.tensor(a) for a in (x, each[0] + 2, each[1], each[2], rng.random(channels) + 0.5)))


def _per_channel(c: Tensor) -> Tensor:
    return c[:, None, None]


def _moments(x: Tensor, dims: tuple[int, ...], correction: int = 0) -> tuple[Tensor, Tensor]:
    return x.mean(dim=dims, keepdim=True), x.var(dim=dims, keepdim=True, correction=correction)


def _normalized(given: _Layer, m: Tensor, v: Tensor, *, eps: str = "inside") -> Tensor:
    root = {"inside": (v + EPS).sqrt(), "outside": v.sqrt() + EPS, "no": v.sqrt(), "variance": v + EPS}[eps]
    return _per_channel(given.gamma) * (given.x - m) / root + _per_channel(given.beta)


def _wrong_outputs(given: _Layer) -> dict[str, Tensor]:
    """Message -> what the mistake makes of a batch in training."""
    m, v = _moments(given.x, (0, 2, 3))
    running = _per_channel(given.mean), _per_channel(given.variance)
    plain = (given.x - m) / (v + EPS).sqrt()
    return {
        "In training the batch's own mean and variance normalize it. Here the running ones do.":
            _normalized(given, *running),
        "The variance is the one with N - 1, which `x.var` computes by default. The batch is normalized by the mean of "
        "the squared distances: `correction=0`. (For the running variance N - 1 is right.)":
            _normalized(given, *_moments(given.x, (0, 2, 3), 1)),
        "Mean and variance are taken over the examples only (dim 0), so every pixel is normalized by itself. A "
        "channel has one of each: take them over examples, rows and columns, dim (0, 2, 3).":
            _normalized(given, *_moments(given.x, (0,))),
        "Every picture is normalized by itself. Take mean and variance over the examples, too: dim (0, 2, 3).":
            _normalized(given, *_moments(given.x, (2, 3))),
        "Every example is normalized by itself, over all its channels. Batch normalization goes the other way: a "
        "channel over all examples, dim (0, 2, 3).": _normalized(given, *_moments(given.x, (1, 2, 3))),
        "All channels share one mean and one variance. Each has its own: dim (0, 2, 3).":
            _normalized(given, *_moments(given.x, (0, 1, 2, 3))),
        "It is divided by the variance. Divide by its root.": _normalized(given, m, v, eps="variance"),
        "eps is added to the root. It stands under it: (variance + eps).sqrt().":
            _normalized(given, m, v, eps="outside"),
        "eps is missing: a channel whose values are all equal would be divided by 0. (variance + 1e-5).sqrt()":
            _normalized(given, m, v, eps="no"),
        "gamma and beta are missing: this is the normalized x itself.": plain,
        "beta is missing.": plain * _per_channel(given.gamma),
        "gamma is missing.": plain + _per_channel(given.beta),
        "gamma and beta have changed places.": plain * _per_channel(given.beta) + _per_channel(given.gamma),
        "gamma multiplies beta, too: gamma * x̂ + beta, without parentheses around the sum.":
            (plain + _per_channel(given.beta)) * _per_channel(given.gamma),
        "The mean is not subtracted.": _normalized(given, 0 * m, v),
        "The running statistics are brought up to date first, and then they normalize the batch. The batch's own do.":
            _normalized(given, *(_per_channel(c) for c in _updated(given))),
    }  # fmt: skip


def _updated(given: _Layer, share: float = SHARE, correction: int = 1) -> tuple[Tensor, Tensor]:
    """The running mean and variance after a batch."""
    m, v = given.x.mean(dim=(0, 2, 3)), given.x.var(dim=(0, 2, 3), correction=correction)
    return given.mean + share * (m - given.mean), given.variance + share * (v - given.variance)


def _by_pictures(given: _Layer) -> tuple[Tensor, Tensor]:
    """The running mean and variance after a batch, if N were the number of pictures."""
    mean, n = _updated(given)[0], len(given.x)
    v = given.x.var(dim=(0, 2, 3), correction=0) * n / (n - 1)
    return mean, given.variance + SHARE * (v - given.variance)


def _near(got: Tensor, due: Tensor) -> bool:
    import torch

    return bool(torch.allclose(got, due.to(got.dtype), rtol=1e-6, atol=1e-8))


def _no_tensor(got: Any, shape: tuple[int, ...]) -> str:
    import torch

    if not isinstance(got, torch.Tensor):
        return f"batch_norm should return a tensor but returns {type(got).__name__}."
    if tuple(got.shape) != shape:
        return f"For x of shape {shape} y has the shape {tuple(got.shape)}; it should be that of x."
    return ""


_RUNNING = ("What is added to `mean` and `variance` must have one number for each channel: mean and variance of the "
            "batch over `dim=(0, 2, 3)`, without `keepdim`.")  # fmt: skip


def _of_a_batch(ask: Ask, given: _Layer) -> Any:
    try:
        return ask(*given.copies(), True)
    except guard.Raised as raised:
        at = blame.place(raised.error)
        if at and re.match(r"(mean|variance)\b", at.text):
            raised.advise("must match the size", _RUNNING)
            raised.advise("doesn't match the broadcast shape", _RUNNING)
        else:
            raised.advise("must match the size", "A tensor (channels,) is laid along the columns, with "
                                                 "`[:, None, None]` along the channels.")
        raise


def _normalizes(ask: Ask, seed: int) -> str:
    """y in training: all channels but the narrow one decide first, then eps."""
    from torch.nn import functional as F

    sizes = ((4, 3, (2, 5)), (1, 4, (3, 4)), (3, 3, (1, 3)))
    for given in (_layer(seed + k, *size) for k, size in enumerate(sizes)):
        got = _of_a_batch(ask, given)
        due = F.batch_norm(given.x, None, None, given.gamma, given.beta, training=True, eps=EPS)
        problem = _no_tensor(got, tuple(given.x.shape))
        if problem or _near(got, due):
            if problem:
                return problem
            continue
        known = (message for message, wrong in _wrong_outputs(given).items() if _near(got, wrong))
        return next(known, f"In training y differs from PyTorch's by up to {float((got - due).abs().max()):.2g}. "
                           "First x̂ = (x - mean) / (variance + 1e-5).sqrt(), each channel by itself, then gamma * x̂ "
                           "+ beta.")  # fmt: skip
    return ""


def _evaluates(ask: Ask, seed: int) -> str:
    """y and the running statistics with training=False."""
    given = _layer(seed)
    x, gamma, beta, mean, variance = given.copies()
    got = ask(x, gamma, beta, mean, variance, False)
    problem = _no_tensor(got, tuple(given.x.shape))
    if problem:
        return problem
    running = _per_channel(given.mean), _per_channel(given.variance)
    due = _normalized(given, *running)
    if not _near(got, due):
        if _near(got, _normalized(given, *_moments(given.x, (0, 2, 3)))):
            return ("With training=False the batch's own mean and variance are still used. Then the answer for a "
                    "picture depends on its neighbors: use the running ones.")  # fmt: skip
        return (f"With training=False y differs from PyTorch's by up to {float((got - due).abs().max()):.2g}. It is "
                "the same formula, with the running mean and variance.")  # fmt: skip
    if not (_near(mean, given.mean) and _near(variance, given.variance)):
        return "With training=False the running mean or variance has changed. An evaluation must leave both alone."
    return ""


def _keeps_account(ask: Ask, seed: int) -> str:
    """The running statistics after a batch in training."""
    given = _layer(seed)
    x, gamma, beta, mean, variance = given.copies()
    ask(x, gamma, beta, mean, variance, True)
    if not _near(x, given.x):
        return "x has changed. Only the running mean and variance may."
    due, unchanged = _updated(given), (given.mean, given.variance)
    for name, got, right, k in (("mean", mean, due[0], 0), ("variance", variance, due[1], 1)):
        if not _near(got, right):
            return _why_running(name, got, unchanged[k], given, k)
    return ""


def _carries_the_record(ask: Ask, seed: int) -> str:
    """Where x carries a record: the gradient goes to x, and nothing hangs on the running statistics."""
    import torch
    from torch.nn import functional as F

    given = _layer(seed + 5)
    x, gamma, beta, mean, variance = given.copies()
    weights = torch.linspace(-1, 1, x.numel(), dtype=x.dtype).reshape(x.shape) ** 3
    with torch.enable_grad():
        got = ask(x.requires_grad_(), gamma, beta, mean, variance, True)
    if mean.requires_grad or variance.requires_grad:
        return (
            "When x carries a record, so does the running mean or variance after the call: a record that grows with "
            "every batch, and breaks the next `backward()`. Change both inside `with torch.no_grad():`."
        )
    if not got.requires_grad:
        return "When x carries a record, y carries none: no gradient would get back to x. Compute y outside `no_grad`."
    with torch.enable_grad():
        due = F.batch_norm(x, None, None, gamma, beta, training=True, eps=EPS)
        found, right = (torch.autograd.grad((y * weights).sum(), x)[0] for y in (got, due))
    if torch.allclose(found, right, rtol=1e-4, atol=1e-6):
        return ""
    return ("y is right, but the gradient that goes back to x is not: the batch's mean and variance depend on x, too. "
            "Compute both with their record; only the running ones go without.")  # fmt: skip


def _why_running(name: str, got: Tensor, before: Tensor, given: _Layer, k: int) -> str:
    if _near(got, before):
        return (f"In training the running {name} has not changed. It must change in place, or the caller does not see "
                f"it: `{name} += ...`, not `{name} = {name} + ...`.")  # fmt: skip
    known = {
        "A tenth of it is the old value and nine tenths are the new one. It is the other way round: it should move "
        "slowly.":
            _updated(given, 0.9)[k],
        "It becomes the batch's own. It should move a tenth of the way toward it.": _updated(given, 1.0)[k],
        "It is computed with N. PyTorch keeps the variance with N - 1 here, an estimate for all pictures: times N / "
        "(N - 1), with N = n · h · w.":
            _updated(given, SHARE, 0)[k],
        "It is multiplied by n / (n - 1) with the n pictures. N counts the numbers of a channel, n · h · w.":
            _by_pictures(given)[k],
        "It moves a hundredth of the way. A tenth is asked for.": _updated(given, 0.01)[k],
        "A tenth of the batch's is added, but nine tenths of the old are not kept: it grows and grows.":
            before + SHARE * (_updated(given, 1.0)[k]),
        "It moves away from the batch's, not toward it.": _updated(given, -SHARE)[k],
    }  # fmt: skip
    found = (f"The running {name} is wrong. {message}" for message, wrong in known.items() if _near(got, wrong))
    return next(found, f"In training the running {name} should move a tenth of the way toward the batch's; it moves "
                       "elsewhere.")


NORM = Problem(
    id="13.7",
    title="Batch normalization by hand",
    task=(
        "Write batch normalization for pictures, in both modes. In training the batch's own mean and variance "
        "normalize it, and the running ones move a tenth of the way toward them; otherwise the running ones "
        "normalize, and stay."
    ),
    spec=(
        "`x` is a tensor (n, channels, h, w); `gamma`, `beta`, `mean`, `variance` have the shape (channels,); eps is "
        "1e-5. To normalize, divide squared distances by their number N = n · h · w; toward the running variance goes "
        "the one divided by N - 1. `mean` and `variance` change in place; returns y of the shape of x. x may carry a "
        "record (`x.requires_grad`): gradients go back from y to x, and `mean` and `variance` stay without a record."
    ),
    stub=NORM_STUB,
    answer="batch_norm",
    lines=10,
    hints=(
        "Write the case of training first, without the running statistics. Which axes of x must the mean run over, so "
        "that one number is left for each channel?",
        "`x.mean(dim=(0, 2, 3))` has the shape (channels,). To subtract it from x it needs two axes more: "
        "`m[:, None, None]`. `x.var(..., correction=0)` divides by N, `correction=1` by N - 1.",
        "Inside `with torch.no_grad():` stands `mean += 0.1 * (___ - mean)`, which changes the caller's tensor; and "
        "at the end `gamma * (x - m) / (v + ___).sqrt() + beta`, all four with two axes more",
    ),
    solution=NORM_SOLUTION,
    why=(
        "In training every batch has mean 0 and variance 1 in each channel, whatever the weights before it do. For a "
        "single picture tomorrow there is no batch, so the layer keeps account of what is usual, and uses that."
    ),
    judge=by_probes(("x", "gamma", "beta", "mean", "variance", "training"), _normalizes, _evaluates, _keeps_account,
                    _carries_the_record),
)

PROBLEMS = (SHAPES, NORMALIZE, SUSPECTS, EPOCH, EVALUATE, CONFUSION, NORM)
