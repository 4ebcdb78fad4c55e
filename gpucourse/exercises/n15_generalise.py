"""The exercises of lesson 15: a shift, when to stop, a split, a leak, precision and recall, weights, groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpucourse.exercises import guard
from gpucourse.exercises.cases import Case, Trap, by_cases
from gpucourse.exercises.kinds import called, kind
from gpucourse.exercises.outcome import Wrong
from gpucourse.exercises.parts import by_parts
from gpucourse.exercises.probes import Ask, by_probes
from gpucourse.exercises.problem import Problem
from gpucourse.exercises.values import is_choice

Array = Any
Tensor = Any

# -- 15.1 -------------------------------------------------------------------------------------------

SHIFTS = ((2, 0, -0.5), (0, 3, 0.25), (-1, 0, 2.0), (0, -2, -0.5), (3, -1, 0.25), (-2, 2, -0.5), (0, 0, 1.0))


def shifted(images: Tensor, right: int, down: int, fill: float) -> Tensor:
    """`images` (n, channels, h, w) moved by whole pixels; what comes in from outside has the value `fill`."""
    found = images.new_full(images.shape, fill)
    h, w = images.shape[2:]
    for i in range(max(down, 0), min(h, h + down)):
        for j in range(max(right, 0), min(w, w + right)):
            found[:, :, i, j] = images[:, :, i - down, j - right]
    return found


def _emptied(images: Tensor, right: int, down: int) -> Tensor:
    """What has left on one side comes in on the other."""
    return images.roll((down, right), dims=(2, 3))


def _stretched(images: Tensor, right: int, down: int, fill: float) -> Tensor:
    """The border's pixels are repeated."""
    h, w = images.shape[2:]
    rows = [min(max(i - down, 0), h - 1) for i in range(h)]
    columns = [min(max(j - right, 0), w - 1) for j in range(w)]
    return images[:, :, rows][:, :, :, columns]


def _rolled(images: Tensor, right: int, down: int, fill: float, left: bool = False, up: bool = False) -> Tensor:
    """Rolled, and filled for positive numbers; for negative ones only where `left` and `up` say so."""
    found = images.roll((down, right), dims=(2, 3))
    if down > 0 or (down and up):
        found[:, :, slice(0, down) if down > 0 else slice(down, None)] = fill
    if right > 0 or (right and left):
        found[..., slice(0, right) if right > 0 else slice(right, None)] = fill
    return found


def _whole(images: Tensor, right: int, down: int, fill: float, at: Sequence[int]) -> Tensor:
    """Filled throughout where one of `at` is 0."""
    return shifted(images, right, down, fill) if all(at) else images.new_full(images.shape, fill)


# what a wrong answer makes of (images, right, down, fill), and its cause
_SHIFT_TRAPS: tuple[tuple[Callable[..., Tensor], str], ...] = (
    (lambda x, r, d, f: _emptied(x, r, d),
     "What leaves the picture on one side comes in on the other: that is what `roll` does. Put `fill` where nothing "
     "came from."),
    (lambda x, r, d, f: shifted(x, d, r, f),
     "In your function `right` moves the rows and `down` the columns. Axis 2 counts rows, so it belongs to `down`; "
     "axis 3 to `right`."),
    (lambda x, r, d, f: shifted(x, -r, -d, f),
     "The pictures move the wrong way: with right = 1 the pixel of column 0 stands in column 1 afterwards."),
    (lambda x, r, d, f: shifted(x, -r, d, f),
     "To the left and right the pictures move the wrong way: with right = 1 the pixel of column 0 stands in column 1."),
    (lambda x, r, d, f: shifted(x, r, -d, f),
     "Up and down the pictures move the wrong way: with down = 1 the pixel of row 0 stands in row 1."),
    (lambda x, r, d, f: shifted(x, r, d, 0.0),
     "What comes in from outside is 0. In normalized pictures 0 is a gray: it should have the value `fill`."),
    (lambda x, r, d, f: shifted(x, abs(r), abs(d), f),
     "A negative number moves the pictures as its positive one does; it should move them to the left, or up."),
    (_stretched, "The pixels at the border are repeated. What comes in should have the value `fill`."),
    (lambda x, r, d, f: _whole(x, r, d, f, [r]),
     "With right = 0 everything has become `fill`: a slice that begins at 0, `[0:]`, is the whole axis."),
    (lambda x, r, d, f: _whole(x, r, d, f, [d]),
     "With down = 0 everything has become `fill`: a slice that begins at 0, `[0:]`, is the whole axis."),
    (lambda x, r, d, f: _whole(x, r, d, f, [r, d]),
     "With right = 0 or down = 0 everything has become `fill`: a slice that begins at 0, `[0:]`, is the whole axis."),
    (lambda x, r, d, f: _rolled(x, r, d, f), "Nothing is filled for negative numbers: to the left and up the pictures "
                                             "move, too, and something comes in on the other side."),
    (lambda x, r, d, f: _rolled(x, r, d, f, up=True),
     "Nothing is filled for a negative `right`: what has left on the left comes in on the right."),
    (lambda x, r, d, f: _rolled(x, r, d, f, left=True),
     "Nothing is filled for a negative `down`: what has left at the top comes in at the bottom."),
    (lambda x, r, d, f: shifted(x, r, 0, f), "Nothing moves up or down: `down` has no effect."),
    (lambda x, r, d, f: shifted(x, 0, d, f), "Nothing moves to the side: `right` has no effect."),
    (lambda x, r, d, f: x, "The pictures come back as they were."),
)  # fmt: skip


def _pictures(seed: int) -> Tensor:
    import torch

    return torch.rand(2, 3, 6, 8, generator=torch.Generator().manual_seed(seed % 2**31)) + 3


def _like_pictures(got: Any, x: Tensor) -> str:
    """What is wrong with the kind, shape or dtype of `got`, which should be a tensor like x; "" if nothing."""
    if kind(got) != "tensor":
        return f"shifted should return a torch tensor but returns {called(got)}."
    if got.shape != x.shape:
        return (f"shifted makes {tuple(got.shape)} of pictures of shape {tuple(x.shape)}. The shape should stay: what "
                "leaves on one side is lost, and as much comes in on the other.")  # fmt: skip
    return "" if got.dtype == x.dtype else f"shifted makes {got.dtype} of {x.dtype}; the type should stay."


def _asked(ask: Ask, x: Tensor, right: int, down: int, fill: float) -> Any:
    try:
        return ask(x.clone(), right, down, fill)
    except guard.Raised as raised:
        if min(right, down) < 0 and "must match the existing size" in str(raised.error):
            raised.error.args = (f"with right = {right} and down = {down}, and in a slice a negative number counts "
                                 f"from the end. {raised.error}",)  # fmt: skip
        raised.advise("existing size (0)", "A slice that ends at -0 ends at 0, so it is empty: 0 pixels, and negative "
                                           "ones, need slices of their own.")
        raise


def _moves(ask: Ask, seed: int) -> str:
    import torch

    x = _pictures(seed)
    calls = [(x, *shift) for shift in SHIFTS]
    found = [_asked(ask, *call) for call in calls]
    faults = [_like_pictures(got, x) for got in found]
    if any(faults):
        return next(filter(None, faults))
    if all(torch.equal(got, shifted(*call)) for got, call in zip(found, calls, strict=True)):
        return ""
    for wrong, message in _SHIFT_TRAPS:
        if all(torch.equal(got, wrong(*call)) for got, call in zip(found, calls, strict=True)):
            return message
    right, down, fill = next(s for s, got, c in zip(SHIFTS, found, calls, strict=True)
                             if not torch.equal(got, shifted(*c)))  # fmt: skip
    return _which(right, down, fill, _wrong_pixels(found, calls))


def _wrong_pixels(found: Sequence[Tensor], calls: Sequence[Any]) -> tuple[int, int, float, float]:
    for got, call in zip(found, calls, strict=True):
        for _, _, i, j in (got != shifted(*call)).nonzero().tolist():
            wrong = got[0, 0, i, j].item(), shifted(*call)[0, 0, i, j].item()
            return i, j, *wrong
    raise AssertionError("all are right")


def _which(right: int, down: int, fill: float, pixel: tuple[int, int, float, float]) -> str:
    i, j, got, due = pixel
    why = "nothing comes from there" if due == fill else f"it comes from row {i - down}, column {j - right}"
    return (f"shifted(images, {right}, {down}, {fill}): the pixel in row {i}, column {j} should be {due:.4g}, since "
            f"{why}, but is {got:.4g}.")  # fmt: skip


def _leaves_its_argument(ask: Ask, seed: int) -> str:
    import torch

    x = _pictures(seed)
    before = x.clone()
    got = ask(x, 2, 1, 0.5)
    if not torch.equal(x, before):
        return ("The pictures that were handed over have changed. A training uses them again in the next epoch: write "
                "into a new tensor.")  # fmt: skip
    twice = x.double()
    return _like_pictures(ask(twice, 0, 1, 0.5), twice) or _like_pictures(got, x)


SHIFT = Problem(
    id="15.1",
    title="A shift by whole pixels",
    task=(
        "Move all pictures of a batch by whole pixels, without `grid_sample`. What leaves a picture on one side is "
        "lost, and background comes in on the other."
    ),
    spec=(
        "`shifted(images, right, down, fill)`: `images` is a float tensor (n, channels, h, w); `right` and `down` are "
        "Python ints, negative for left and up, smaller than the picture; returns a new tensor of the same shape and "
        "dtype, in which what came in has the value `fill`."
    ),
    stub=(
        "def shifted(images, right, down, fill):\n"
        '    """The pictures, moved; shape and dtype stay."""\n'
        "    return ...\n"
    ),
    answer="shifted",
    lines=6,
    hints=(
        "Two tensors: a new one full of background, and the old one. A rectangle of the old one is copied into the "
        "new one. Draw both for right = 2.",
        "`images.roll(...)` moves everything but brings in again what has left. After it, overwrite the rows and "
        "columns that came in: the first ones where the number is positive, the last ones where it is negative.",
        "`new = images.roll((down, right), dims=(2, 3))`, then for positive `right`: `new[..., :right] = ___`, "
        "and for a negative one: `new[..., right:] = ___`. Rows likewise.",
    ),
    solution='''def shifted(images, right, down, fill):
    """The pictures, moved; shape and dtype stay."""
    moved = images.roll((down, right), dims=(2, 3))     # a new tensor
    rows = slice(0, down) if down >= 0 else slice(down, None)
    columns = slice(0, right) if right >= 0 else slice(right, None)
    moved[:, :, rows] = fill
    moved[:, :, :, columns] = fill
    return moved
''',
    why=(
        "A digit whose tail comes in again at the top is a picture that nobody writes, and the network would spend "
        "itself on it. The background of normalized digits is not 0, so the value must be said."
    ),
    judge=by_probes(("images", "right", "down", "fill"), _moves, _leaves_its_argument),
)  # fmt: skip

# -- 15.2 -------------------------------------------------------------------------------------------


def early_stop(losses: Sequence[float], patience: int) -> tuple[int, int]:
    """(index of the smallest loss seen, evaluations made) where `patience` in a row without a new best end it."""
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
        elif i - best >= patience:
            return best, i + 1
    return best, len(losses)


def _stops() -> list[Case]:
    return [
        Case([0.9, 0.7, 0.5, 0.6, 0.55, 0.58, 0.3, 0.2], 3, about="the losses get worse, then would get much better"),
        Case([0.9, 0.7, 0.8, 0.6, 0.7, 0.5, 0.6, 0.4], 2, about="the losses rise and fall, each low below the last"),
        Case([0.9, 0.8, 0.7, 0.6], 2, about="the losses fall to the end"),
        Case([0.5, 0.7, 0.6, 0.55, 0.4], 3, about="the first loss is the smallest for long"),
        Case([0.5, 0.4, 0.4, 0.4, 0.3], 2, about="the same loss comes again"),
        Case([0.9, 0.5, 0.8, 0.7, 0.6, 0.55, 0.52], 4, about="after the best the losses fall, but stay above it"),
        Case([0.5, 0.6, 0.7, 0.4, 0.6, 0.7, 0.8, 0.3], 2, about="lower losses would come twice after the end"),
        Case([0.7, 0.6, 0.9, 0.5], 1, about="patience is 1"),
        Case([0.4], 2, about="there is one loss"),
        Case([0.9, 0.8, 0.85, 0.9], 2, about="patience ends with the last loss"),
    ]


def _stopping(
    losses: Sequence[float], patience: int, *, ties: bool = False, previous: bool = False, reset: bool = True,
    more: int = 0,
) -> tuple[int, int]:
    """`early_stop`, with a fault: ties count as better; compared with the previous loss; never reset; off by `more`."""
    best = waited = 0
    for i, loss in enumerate(losses):
        reference = losses[i - 1] if previous and i else losses[best]
        better = i == 0 or loss < reference or (ties and loss == reference)
        if loss < losses[best] or (ties and loss == losses[best]):
            best = i
        waited = (0 if reset else waited) if better else waited + 1
        if not better and waited >= patience + more:
            return best, i + 1
    return best, len(losses)


def _moving_along(losses: Sequence[float], patience: int) -> tuple[int, int]:
    """Compared with the previous loss throughout; the best is the last that was below it."""
    best = 0
    for i, loss in enumerate(losses):
        if i and loss < losses[i - 1]:
            best = i
        elif i - best >= patience:
            return best, i + 1
    return best, len(losses)


def _last_of_several(losses: Sequence[float], patience: int) -> int:
    best, evaluations = early_stop(losses, patience)
    return max(i for i in range(evaluations) if losses[i] == losses[best])


def _an_evaluation_early(losses: Sequence[float], patience: int) -> tuple[int, int]:
    """`_stopping` with more=-1, but for a patience of 1: then the first evaluation ends it."""
    return _stopping(losses, patience, more=-1) if patience > 1 else (0, 1)


_TIES = "An equal loss counts as better. Only a smaller one does, or a loss that stands still would never end it."
_PREVIOUS = (
    "Each loss is compared with the one before it. Compare with the smallest so far: losses that fall again after a "
    "bad one may still be far above the best."
)
_NEVER_RESET = (
    "The evaluations without a new best are counted over the whole training. A new best starts the count again: "
    "`patience` means so many in a row."
)
_ONE_MORE = "It waits for one evaluation too many: with patience 2 it ends at the second in a row without a new best."
_ONE_LESS = "It ends an evaluation too early: with patience 2 one without a new best is allowed, the second ends it."
STOP_PARTS = {
    "best": (
        Trap(lambda losses, patience: int(np.argmin(losses)),
             "best is the smallest of all losses, also of those that come after the end: there the training would not "
             "have gone."),
        Trap(lambda losses, patience: early_stop(losses, patience)[0] + 1,
             "best is counted from 1. It is an index, so the first evaluation is 0."),
        Trap(lambda losses, patience: losses[early_stop(losses, patience)[0]],
             "best is the smallest loss. It should be its index."),
        Trap(lambda losses, patience: early_stop(losses, patience)[1] - 1,
             "best is the last evaluation. The weights to keep are those of the smallest loss."),
        Trap(lambda losses, patience: max(0, early_stop(losses, patience)[1] - 1 - patience),
             "best is the last evaluation less the patience. That is wrong where the losses end before the patience: "
             "keep the index when a new best comes."),
        Trap(lambda losses, patience: early_stop(losses, patience)[1], "best and evaluations have changed places."),
        Trap(lambda losses, patience: _stopping(losses, patience, ties=True)[0], _TIES),
        Trap(_last_of_several, "best is the last of several equal losses. The first of them is asked for."),
        Trap(lambda losses, patience: _moving_along(losses, patience)[0], _PREVIOUS),
        Trap(lambda losses, patience: _stopping(losses, patience, previous=True)[0], _PREVIOUS),
        Trap(lambda losses, patience: _stopping(losses, patience, reset=False)[0], _NEVER_RESET),
        Trap(lambda losses, patience: _stopping(losses, patience, more=1)[0], _ONE_MORE),
        Trap(lambda losses, patience: _stopping(losses, patience, more=-1)[0], _ONE_LESS),
        Trap(lambda losses, patience: _an_evaluation_early(losses, patience)[0], _ONE_LESS),
    ),
    "evaluations": (
        Trap(lambda losses, patience: early_stop(losses, patience)[1] - 1,
             "evaluations is the index of the last one. It should be how many there were, one more."),
        Trap(lambda losses, patience: len(losses),
             "It never ends early: evaluations is always the number of losses."),
        Trap(lambda losses, patience: _stopping(losses, patience, previous=True)[1], _PREVIOUS),
        Trap(lambda losses, patience: _stopping(losses, patience, ties=True)[1], _TIES),
        Trap(lambda losses, patience: _stopping(losses, patience, reset=False)[1], _NEVER_RESET),
        Trap(lambda losses, patience: _stopping(losses, patience, more=1)[1], _ONE_MORE),
        Trap(lambda losses, patience: _stopping(losses, patience, more=-1)[1], _ONE_LESS),
        Trap(lambda losses, patience: _an_evaluation_early(losses, patience)[1], _ONE_LESS),
        Trap(lambda losses, patience: early_stop(losses, patience)[0] + 1,
             "evaluations counts those up to the best one. The training has made those after it, too."),
    ),
}  # fmt: skip

STOP = Problem(
    id="15.2",
    title="When is it time to stop?",
    task=(
        "A training is evaluated again and again; it ends when `patience` evaluations in a row have brought no new "
        "smallest loss. Say which evaluation was the best, and how many were made."
    ),
    spec=(
        "`losses` is a list of at least one validation loss, in order; `patience` is at least 1. Returns `best`, the "
        "index of the smallest loss among the evaluations that were made (the first of several), and `evaluations`, "
        "how many were made: all of them if patience never ran out."
    ),
    stub=(
        "def early_stop(losses, patience):\n"
        '    """The index of the best evaluation, and how many were made."""\n'
        "    best, evaluations = ..., ...\n"
        "    return best, evaluations\n"
    ),
    answer="early_stop",
    lines=7,
    hints=(
        "Walk through the losses as the training does, and never look ahead. What must be remembered from one "
        "evaluation to the next?",
        "The index of the smallest loss so far is enough: the difference to the present index says for how many "
        "evaluations there has been none better.",
        "In a loop over `enumerate(losses)`: if `loss < losses[best]`, then `best = i`; otherwise, if "
        "`i - best >= ___`, the training ends after `i + ___` evaluations.",
    ),
    solution='''def early_stop(losses, patience):
    """The index of the best evaluation, and how many were made."""
    best, evaluations = 0, 0
    for i, loss in enumerate(losses):
        evaluations = i + 1
        if loss < losses[best]:
            best = i
        if i - best >= patience:
            break
    return best, evaluations
''',
    why=(
        "The training may go on past its best only to find out that it was the best; so the weights of that moment "
        "must be kept. The evaluations after it are the price, and `patience` sets it."
    ),
    judge=by_parts(early_stop, [_stops], STOP_PARTS),
)

# -- 15.3 -------------------------------------------------------------------------------------------

WRITERS = np.repeat([4, 11, 7, 20, 3, 15, 8, 1, 30, 12], [3, 9, 5, 1, 7, 4, 6, 2, 8, 5])   # 50 pages of ten people


def split_by_writer(writers: Array, share: float, rng: np.random.Generator) -> Array:
    """True for the pages of round(share · number of writers) writers, drawn at random."""
    names = np.unique(writers)
    return np.isin(writers, rng.permutation(names)[: round(share * len(names))])


def _mixed(seed: int) -> Array:
    return np.random.default_rng(seed).permutation(WRITERS)


def _is_mask(ask: Ask, seed: int) -> str:
    writers = _mixed(seed)
    before, names = writers.copy(), np.unique(writers)
    got = ask(writers, 0.3, np.random.default_rng(1))
    if not np.array_equal(writers, before):
        return "The array of writers was changed, perhaps shuffled in place: now no page knows who wrote it."
    if kind(got) != "array" or got.dtype != bool or got.shape != writers.shape:
        found = f"{called(got)} of dtype {got.dtype} and shape {got.shape}" if kind(got) == "array" else called(got)
        return (f"split_by_writer should return an array of {len(writers)} True or False, one for each page, but "
                f"returns {found}.")  # fmt: skip
    return _who_is_where(got, writers, names)


def _who_is_where(got: Array, writers: Array, names: Array) -> str:
    both = [name for name in names if 0 < got[writers == name].sum() < (writers == name).sum()]
    if both:
        return (f"Writer {both[0]} has pages on both sides: the test would ask for a hand that was trained with. Draw "
                "writers, not pages.")  # fmt: skip
    chosen = len(set(writers[got].tolist()))
    if chosen == 7:
        return "With share = 0.3 seven of ten writers are True. True stands for the test."
    if chosen == len(names):
        return "With share = 0.3 all 10 writers are in the test. The share is one of the writers, not of the pages."
    return ""


def _by_pages(ask: Ask, writers: Array, share: float) -> bool:
    """Whether the pages in the test are about that share of all in every draw; the largest writer has 9 of 50."""
    drawn = [ask(writers, share, np.random.default_rng(k)).mean() for k in range(20)]
    return bool(np.abs(np.array(drawn) - share).max() < 0.18)


def _numbers_of_writers(ask: Ask, seed: int) -> str:
    writers = _mixed(seed + 1)
    for share, due in ((0.5, 5), (0.8, 8), (0.2, 2), (0.29, 3)):
        for k in range(5):
            chosen = len(set(writers[ask(writers, share, np.random.default_rng(k))].tolist()))
            if chosen != due and share == 0.5 and _by_pages(ask, writers, share):
                return (f"With share = {share} about that share of the *pages* is in the test in each draw, and not "
                        f"always {due} of the 10 writers. `share` is that of the writers, however many pages each "
                        "has.")  # fmt: skip
            if chosen != due and share != 0.29:
                return (f"With share = {share} and 10 writers, {due} should be in the test, but with one of the "
                        f"generators {chosen} are. Is a writer drawn twice, or one who has no page (a number "
                        "that is nobody's), or each one by a chance of its own?")  # fmt: skip
            if chosen != due:
                return f"With share = 0.29 and 10 writers, 2.9 rounded is 3, but {chosen} writers are in the test."
    return ""


def _every_writer_has_a_chance(ask: Ask, seed: int) -> str:
    writers, draws = _mixed(seed), 400
    times: dict[int, int] = {}
    for k in range(draws):
        mask = ask(writers, 0.3, np.random.default_rng(k))
        for name in set(writers[mask].tolist()):
            times[name] = times.get(name, 0) + 1
    if len(times) == 3 and set(times.values()) == {draws}:
        return "Whatever `rng` is handed over, the same writers are chosen: draw them with `rng`."
    shares = {name: times.get(name, 0) / draws for name in np.unique(writers).tolist()}
    odd = max(shares, key=lambda name: abs(shares[name] - 0.3))
    pages = int((writers == odd).sum())
    if abs(shares[odd] - 0.3) > 0.12:                # five standard deviations of a share of 400
        return (f"Writer {odd}, with {pages} of the pages, came into the test in {shares[odd]:.0%} of {draws} draws "
                "with share = 0.3. Each writer should have the same chance, however many pages there are.")  # fmt: skip
    again = [ask(writers, 0.3, np.random.default_rng(5)) for _ in range(2)]
    same = np.array_equal(*again)
    return "" if same else "The same `rng` gives another split each time: take all random numbers from it."


SPLIT = Problem(
    id="15.3",
    title="No hand on both sides",
    task=(
        "Several pages come from each writer. Choose those to test with, so that no writer is on both sides and each "
        "writer has the same chance."
    ),
    spec=(
        "`writers` is a NumPy array (n,): who wrote each page. Returns an array of n True or False, True for all pages "
        "of round(share · number of writers) writers, drawn with the NumPy generator `rng`. New here: `np.unique(a)` "
        "has each value of `a` once, and `np.isin(a, some)` says of each element of `a` whether it is in `some`."
    ),
    stub=(
        "def split_by_writer(writers, share, rng):\n"
        '    """True for the pages to test with: those of some writers, whole."""\n'
        "    return ...\n"
    ),
    answer="split_by_writer",
    lines=3,
    hints=(
        "What is drawn at random: pages or people? Make the list of what is drawn first.",
        "`np.unique(writers)` has each writer once. Draw some of these, without drawing one twice. Then ask of each "
        "page whether its writer is among them.",
        "`names = np.unique(writers)`, `chosen = rng.permutation(names)[: round(___)]`, and `np.isin(writers, ___)`",
    ),
    solution='''def split_by_writer(writers, share, rng):
    """True for the pages to test with: those of some writers, whole."""
    names = np.unique(writers)
    chosen = rng.permutation(names)[: round(share * len(names))]
    return np.isin(writers, chosen)
''',
    why=(
        "A network meets new people later, so the test must consist of new people. The same holds for patients, "
        "machines, days: split by whatever the future will bring anew."
    ),
    judge=by_probes(
        ("writers", "share", "rng"), _is_mask, _numbers_of_writers, _every_writer_has_a_chance
    ),
)

# -- 15.4 -------------------------------------------------------------------------------------------

LINES = tuple("abcdefghij")
INNOCENT = {
    "a": "Line a only shuffles. Who comes into which part is chance, and nothing is learned from it.",
    "d": "Line d splits, and does nothing else: each digit has a writer of its own, so a "
         "split of digits without copies leaks nothing. What came before it is another matter.",
    "e": "Line e changes the digits to train with, anew in each epoch, after the split. It lets in nothing of "
         "the test that was not there before.",
    "f": "Line f counts the labels to train with only. If some of them should not be there, another line has "
         "brought them in.",
    "g": "Line g stops by the validation digits. That is what they are for; their score becomes optimistic, the test's "
         "does not.",
    "j": "Line j only reports: it changes neither the networks nor the choice. The number it reports is too good, but "
         "that was done by lines before it.",
}  # fmt: skip

_GUILTY = {"b", "c", "h", "i"}
_NUDGES = ({"b", "c"}, "Look at what happened before the split."), ({"h", "i"}, "Who chooses, and by what?")
_chosen = is_choice(_GUILTY, LINES, INNOCENT)


def _guilty(answer: Any, *, name: str = "your answer") -> None:
    """Say where to look for the missing ones; everything else is told by the choice."""
    several = isinstance(answer, set | frozenset | list | tuple) and all(isinstance(line, str) for line in answer)
    found = set(answer) if several else set()
    missing = _GUILTY - found
    for some, nudge in _NUDGES:
        if missing and missing <= some and found <= _GUILTY:
            are = "1 is" if len(missing) == 1 else f"{len(missing)} are"
            raise Wrong(f"What you name is right, but {are} missing. {nudge}")
    _chosen(answer, name=name)


LEAK = Problem(
    id="15.4",
    title="Who looked at the test?",
    task=(
        "The search above reports 97 %, and in use the network reads 88 %. Name the lines in which the test digits got "
        "into the training or into the choice."
    ),
    spec=(
        '`guilty` is a set of letters from a to j, such as `{"a", "j"}`. A line is guilty if test digits, or '
        "what is computed from them, enter a training or the choice of a network through it, however little the score "
        "gains by that. Each digit was written by another person."
    ),
    stub="guilty = ...\n",
    answer="guilty",
    lines=1,
    hints=(
        "Go through the lines and ask of each: does it see test digits, and does what it sees enter a training or a "
        "choice? There are four.",
        "Two of them stand before the split, when there is no test yet, but its digits are already there. The other "
        "two ask the test for a decision.",
        "A mean over all digits knows the test's. A turned copy of a digit may land on the other side of the split. "
        "And the best of 200, chosen by a score, has been ___ with that score.",
    ),
    solution='guilty = {"b", "c", "h", "i"}\n',
    why=(
        "b puts the test's mean and spread into every input; c puts turned copies of test digits among those to train "
        "with; h and i choose by the test, and the best of many scores is too good. b hardly shows in the number, nor "
        "does h beside i, and they are wrong all the same. The others are free: d only divides, and leaks nothing if c "
        "comes after it; a shuffles, e and f see what is trained with, g asks the validation digits, j reports."
    ),
    judge=_guilty,
)

# -- 15.5 -------------------------------------------------------------------------------------------


def _counts(said: Array, labels: Array, classes: int) -> tuple[Array, Array, Array]:
    """For each class: rightly said, said, and there."""
    k = np.arange(classes)[:, None]
    return ((said == k) & (labels == k)).sum(1), (said == k).sum(1), (labels == k).sum(1)


def _share(part: Array, whole: Array, else_: float = 0.0) -> Array:
    return np.where(whole > 0, part / np.maximum(whole, 1), else_)


def precision_recall_f1(said: Array, labels: Array, classes: int) -> tuple[Array, Array, Array]:
    """Three arrays (classes,); 0 where there is nothing to divide by."""
    right, n_said, n_there = _counts(said, labels, classes)
    return _share(right, n_said), _share(right, n_there), _share(2 * right, n_said + n_there)


def _full_classes(rng: np.random.Generator) -> list[Case]:
    found = []
    for n, classes in ((40, 3), (60, 4)):
        labels = np.concatenate([np.arange(classes), rng.integers(0, classes, n), np.zeros(n // 3, np.int64)])
        said = np.where(rng.random(len(labels)) < 0.6, labels, rng.integers(0, classes, len(labels)))
        said[:classes] = labels[:classes]                 # each class is read rightly at least once
        found.append(Case(said, labels, classes, about=f"{classes} classes, each said and each there"))
    return found


def _empty_classes() -> list[Case]:
    return [
        Case(np.array([0, 0, 1, 1, 0]), np.array([0, 1, 1, 1, 2]), 3, about="class 2 is there but never said"),
        Case(np.array([0, 2, 1, 1, 0]), np.array([0, 1, 1, 1, 0]), 3, about="class 2 is said but not there"),
        Case(np.array([0, 1, 1]), np.array([0, 1, 0]), 4, about="classes 2 and 3 are neither said nor there"),
        Case(np.array([1, 1, 0]), np.array([0, 0, 1]), 2, about="nothing is right"),
    ]


def _nan_f1(said: Array, labels: Array, classes: int) -> Array:
    p, r, _ = precision_recall_f1(said, labels, classes)
    return 2 * p * r / (p + r)


def _empty(name: str) -> str:
    return (f"Where there is nothing to divide by, {name} is nan, and one nan makes every mean nan. It should be 0 "
            "there: look at the denominator before you divide.")  # fmt: skip


_WHOLE = "Every share below 1 has become 0: the array is one of whole numbers. Make it of floats."
PRF_PARTS = {
    "precision": (
        Trap(lambda s, t, k: np.floor(precision_recall_f1(s, t, k)[0]), _WHOLE),
        Trap(lambda s, t, k: precision_recall_f1(s, t, k)[0].mean(),
             "precision is one number, the mean of the classes. Each class has its own."),
        Trap(lambda s, t, k: precision_recall_f1(s, t, k)[0][np.unique(t)],
             "Only classes that are there have a place in precision. `classes` says how many places there are."),
        Trap(lambda s, t, k: precision_recall_f1(s, t, k)[1],
             "precision is divided by how often the class is there: that is the recall. Divide by how often it was "
             "said."),
        Trap(lambda s, t, k: _counts(s, t, k)[0] / len(s),
             "precision is divided by the number of all examples. Of those that were *said* to be in the class, which "
             "share is?"),
        Trap(lambda s, t, k: _counts(s, t, k)[0] * 1.0,
             "precision is a count. Divide it by how often the class was said."),
        Trap(lambda s, t, k: np.array([((s == c) == (t == c)).mean() for c in range(k)]),
             "This is the accuracy of the question `is it this class?`, in which the many rightly denied ones count. "
             "Precision asks only about those said to be in the class."),
        Trap(lambda s, t, k: np.full(k, (s == t).mean()),
             "Each class gets the share of right answers over all classes. Count for each class by itself."),
        Trap(lambda s, t, k: 1 - precision_recall_f1(s, t, k)[0], "This is the share of false alarms: 1 - precision."),
        Trap(lambda s, t, k: _counts(s, t, k)[0] / _counts(s, t, k)[1], _empty("precision")),
        Trap(lambda s, t, k: _share(_counts(s, t, k)[0], _counts(s, t, k)[1], 1.0),
             "Where a class is never said, precision is 1. The exercise asks for 0: a class that the network never "
             "dares to name should not look perfect."),
    ),
    "recall": (
        Trap(lambda s, t, k: precision_recall_f1(s, t, k)[0],
             "recall is divided by how often the class was said: that is the precision. Divide by how often it is "
             "there."),
        Trap(lambda s, t, k: _counts(s, t, k)[0] / len(s),
             "recall is divided by the number of all examples. Of those that *are* in the class, which share was "
             "found?"),
        Trap(lambda s, t, k: _counts(s, t, k)[0] * 1.0,
             "recall is a count. Divide it by how often the class is there."),
        Trap(lambda s, t, k: 1 - precision_recall_f1(s, t, k)[1], "This is the share that was missed: 1 - recall."),
        Trap(lambda s, t, k: _counts(s, t, k)[0] / _counts(s, t, k)[2], _empty("recall")),
        Trap(lambda s, t, k: _share(_counts(s, t, k)[0], _counts(s, t, k)[2], 1.0),
             "Where a class is not there, recall is 1. The exercise asks for 0."),
    ),
    "f1": (
        Trap(lambda s, t, k: sum(precision_recall_f1(s, t, k)[:2]) / 2,
             "f1 is the plain mean of the two. It should be the harmonic one, 2pr / (p + r), which is small as soon as "
             "one of them is."),
        Trap(lambda s, t, k: np.sqrt(np.prod(precision_recall_f1(s, t, k)[:2], axis=0)),
             "f1 is the geometric mean. It should be the harmonic one, 2pr / (p + r)."),
        Trap(lambda s, t, k: precision_recall_f1(s, t, k)[2] / 2, "The factor 2 of f1 is missing: if p = r, it is p."),
        Trap(lambda s, t, k: np.prod(precision_recall_f1(s, t, k)[:2], axis=0), "f1 is the product of the two."),
        Trap(lambda s, t, k: np.minimum(*precision_recall_f1(s, t, k)[:2]), "f1 is the smaller of the two."),
        Trap(_nan_f1, _empty("f1")),
        Trap(lambda s, t, k: np.full(k, precision_recall_f1(s, t, k)[2].mean()),
             "f1 is the mean over all classes. Each class has its own."),
    ),
}  # fmt: skip

PRF = Problem(
    id="15.5",
    title="Precision, recall, F1",
    task=(
        "Write the three numbers for each class, from what was said and what is right. Some classes may never be said, "
        "others not be there."
    ),
    spec=(
        "`said` and `labels` are NumPy arrays of integers (n,), from 0 to `classes` - 1. Returns three float arrays "
        "(classes,): precision, recall, and f1 = 2pr / (p + r); each 0 where there is nothing to divide by."
    ),
    stub=(
        "def precision_recall_f1(said, labels, classes):\n"
        '    """Precision, recall and F1 of each class, 0 where there is nothing to divide by."""\n'
        "    precision, recall, f1 = ..., ..., ...\n"
        "    return precision, recall, f1\n"
    ),
    answer="precision_recall_f1",
    lines=6,
    hints=(
        "Three counts for each class are enough: how often it was said, how often it is there, and how often both at "
        "once. Write them first.",
        "`np.bincount(said, minlength=classes)` counts what was said; for what is rightly said count only the labels "
        "where `said == labels`. To divide safely, divide by the larger of the count and 1.",
        "`right = np.bincount(labels[said == labels], minlength=classes)`, `precision = right / np.maximum(___, 1)`; "
        "f1 is also `2 * right / (said + there)`, which is safe with the same trick.",
    ),
    solution='''def precision_recall_f1(said, labels, classes):
    """Precision, recall and F1 of each class, 0 where there is nothing to divide by."""
    right = np.bincount(labels[said == labels], minlength=classes)
    times_said = np.bincount(said, minlength=classes)
    times_there = np.bincount(labels, minlength=classes)
    precision = right / np.maximum(times_said, 1)
    recall = right / np.maximum(times_there, 1)
    f1 = 2 * right / np.maximum(times_said + times_there, 1)
    return precision, recall, f1
''',
    why=(
        "Precision looks at what was said, recall at what is there. Where a denominator is 0 the numerator is 0, too, "
        "so dividing by at least 1 gives the 0 that the mean over classes can live with."
    ),
    judge=by_parts(precision_recall_f1, [_full_classes, _empty_classes], PRF_PARTS, dtype=False),
)

# -- 15.6 -------------------------------------------------------------------------------------------


def class_weights(labels: Array, classes: int) -> Array:
    """n / (classes · count) for each class, 0 for a class without examples."""
    counts = np.bincount(labels, minlength=classes)
    return np.where(counts > 0, len(labels) / (classes * np.maximum(counts, 1)), 0.0)


def _imbalances(rng: np.random.Generator) -> list[Case]:
    found = []
    for counts, about in (((3, 9, 30), "three classes"), ((50, 2), "a rare class"), ((4, 4, 4), "all alike"),
                          ((6, 0, 2, 8), "class 1 has no example"), ((5, 7, 0), "the last class has no example")):
        labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        found.append(Case(labels, len(counts), about=about))
    return found


def _of_counts(formula: Callable[[Array, int, int], Array]) -> Callable[[Array, int], Array]:
    return lambda labels, classes: formula(np.bincount(labels, minlength=classes), len(labels), classes)


def _safe(counts: Array) -> Array:
    """Counts with infinity for 0, so that 1 / count is 0."""
    return np.where(counts > 0, counts, np.inf)


WEIGHTS = Problem(
    id="15.6",
    title="What does a rare class weigh?",
    task=(
        "Give each class a weight, so that all of them have the same say in the loss, however many examples they have. "
        "If all are equally frequent, each weight is 1."
    ),
    spec=(
        "`labels` is a NumPy array of integers from 0 to `classes` - 1. Returns a float array (classes,): n / (classes "
        "· count) for a class with `count` of the n examples, and 0 for a class without any."
    ),
    stub=(
        "def class_weights(labels, classes):\n"
        '    """A weight for each class: all of them together weigh the same."""\n'
        "    return ...\n"
    ),
    answer="class_weights",
    lines=3,
    hints=(
        "Count the examples of each class, those without any too. The weight is one division; what happens to a class "
        "with the count 0?",
        "`np.bincount(labels, minlength=classes)` counts, and makes room for classes that are not there. Take the "
        "maximum of count and 1 before you divide.",
        "`counts = np.bincount(labels, minlength=classes)`, then `weights = len(labels) / (classes * np.maximum(___, "
        "1))`, and 0 where `counts == 0`.",
    ),
    solution='''def class_weights(labels, classes):
    """A weight for each class: all of them together weigh the same."""
    counts = np.bincount(labels, minlength=classes)
    weights = len(labels) / (classes * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 0.0)
''',
    why=(
        "count times weight is n / classes for each class, so each has the same share of the sum. The weights change "
        "what the network is asked for: it will find more of the rare class, and raise more false alarms."
    ),
    judge=by_cases(
        class_weights,
        _imbalances,
        dtype=False,
        traps=(
            Trap(lambda labels, classes: class_weights(labels, classes)[labels],
                 "There is a weight for each example. One for each class is asked for."),
            Trap(_of_counts(lambda c, n, k: c / n),
                 "This is each class's share of the examples: the frequent ones get the largest weight. It should be "
                 "the other way round."),
            Trap(_of_counts(lambda c, n, k: k * c / n),
                 "The frequent classes get the largest weight. Turn the fraction over."),
            Trap(_of_counts(lambda c, n, k: 1 / _safe(c)),
                 "This is 1 / count. The proportions are right, but all weights are small, which makes the loss small. "
                 "Multiply by n / classes."),
            Trap(_of_counts(lambda c, n, k: n / _safe(c)),
                 "This is n / count: with equally frequent classes each weight would be `classes`, not 1."),
            Trap(_of_counts(lambda c, n, k: c.max() / _safe(c)),
                 "The most frequent class has the weight 1. Here 1 belongs to a class of average size, n / classes."),
            Trap(_of_counts(lambda c, n, k: 1 / _safe(c) / (1 / _safe(c)).sum()),
                 "The weights add up to 1. What should be equal is count times weight, n / classes for each class."),
            Trap(_of_counts(lambda c, n, k: k / _safe(c) / (1 / _safe(c)).sum()),
                 "The weights have the mean 1 over the classes. Over the *examples* it should be 1: n / (classes · "
                 "count)."),
            Trap(_of_counts(lambda c, n, k: np.sqrt(n / (k * _safe(c)))),
                 "This is the square root of the weight. That is used, too, as a compromise; here all classes should "
                 "have the same say."),
            Trap(_of_counts(lambda c, n, k: n / ((c > 0).sum() * _safe(c))),
                 "Only classes that are there are counted. The exercise divides by `classes`, all of them."),
            Trap(_of_counts(lambda c, n, k: n / (k * c)),
                 "A class without examples gets an infinite weight. It should get 0."),
            Trap(_of_counts(lambda c, n, k: n / (k * np.maximum(c, 1))),
                 "A class without examples gets the weight of a class with one. It should get 0."),
            Trap(_of_counts(lambda c, n, k: np.where(c > 0, n / (k * _safe(c)), 1.0)),
                 "A class without examples gets the weight 1. It should get 0."),
            Trap(_of_counts(lambda c, n, k: n / (k * _safe(c))[: np.flatnonzero(c)[-1] + 1]),
                 "The last class has no example, and its weight is missing: there should be one for each of `classes` "
                 "classes. `minlength` makes room for it."),
            Trap(_of_counts(lambda c, n, k: n / (k * c[c > 0])),
                 "A class without examples has no weight at all, and those behind it move up. It should get 0."),
            Trap(_of_counts(lambda c, n, k: n // (k * np.maximum(c, 1)) * (c > 0)),
                 "`//` cuts the fractions off. Divide with `/`."),
        ),
    ),
)  # fmt: skip

# -- 15.7 -------------------------------------------------------------------------------------------


def errors_by_group(said: Array, labels: Array, groups: Array, least: int) -> dict[Any, float]:
    """Group -> share of its examples that were read wrongly, for groups of at least `least` examples."""
    wrong = said != labels
    return {g: float(wrong[groups == g].mean()) for g in sorted(set(groups.tolist())) if (groups == g).sum() >= least}


def _grouped(rng: np.random.Generator) -> list[Case]:
    found = []
    for sizes, least in (((40, 25, 10), 5), ((30, 4, 20), 5), ((6, 5, 4), 5), ((12,), 1)):
        groups = np.repeat(np.arange(len(sizes)) + 3, sizes)
        labels = rng.integers(0, 10, len(groups))
        wrong = rng.random(len(groups)) < 0.1 + 0.2 * (groups - 3)
        wrong[:2] = True, False
        said = np.where(wrong, (labels + 1) % 10, labels)
        found.append(Case(said, labels, groups, least, about=f"groups of {', '.join(map(str, sizes))} examples"))
    labels = np.array([1, 2, 3, 4, 5, 6])
    names = np.array(["left", "right", "left", "right", "left", "left"])
    return [*found, Case(np.array([1, 9, 3, 4, 5, 6]), labels, names, 2, about="a group without an error")]


def _by_group(
    formula: Callable[[Array, Array], float], keep: Callable[[int, int], bool] = lambda count, least: count >= least
) -> Callable[..., dict[Any, float]]:
    """A wrong answer: `formula(wrong, own)`, where `own` is the group's mask, for groups that `keep` keeps."""
    def answer(said: Array, labels: Array, groups: Array, least: int) -> dict[Any, float]:
        masks = {g: groups == g for g in sorted(set(groups.tolist()))}
        return {g: float(formula(said != labels, own)) for g, own in masks.items() if keep(own.sum(), least)}

    return answer


GROUPS = Problem(
    id="15.7",
    title="Whom does it fail?",
    task=(
        "Compute the share of errors for each group of examples. Leave out groups with too few examples to say "
        "anything."
    ),
    spec=(
        "`said`, `labels` and `groups` are NumPy arrays (n,); a group is a number or a word. Returns a dict: group -> "
        "share of *its* examples that were read wrongly, for each group with at least `least` examples."
    ),
    stub=(
        "def errors_by_group(said, labels, groups, least):\n"
        '    """Each group\'s share of errors, for groups with at least `least` examples."""\n'
        "    return ...\n"
    ),
    answer="errors_by_group",
    lines=6,
    hints=(
        "One number for each example, wrong or not. For each group look at its own examples only.",
        "`np.unique(groups)` lists the groups; `groups == group` is the mask of one. The mean of True and False is a "
        "share.",
        "`wrong = said != labels`; for each group: `own = wrong[groups == group]`, and `if len(own) >= ___: "
        "shares[group] = own.___()`",
    ),
    solution='''def errors_by_group(said, labels, groups, least):
    """Each group's share of errors, for groups with at least `least` examples."""
    wrong, shares = said != labels, {}
    for group in np.unique(groups):
        own = wrong[groups == group]
        if len(own) >= least:
            shares[group] = own.mean()
    return shares
''',
    why=(
        "The accuracy over all is a mean weighted by the size of the groups: a small group can fail completely and "
        "hardly move it. But the share of errors of a handful is mostly chance, so it must be left out, and more of "
        "them be collected."
    ),
    judge=by_cases(
        errors_by_group,
        _grouped,
        traps=(
            Trap(lambda s, t, g, least: dict(enumerate(errors_by_group(s, t, g, least).values())),
                 "The keys are numbered, 0, 1, 2. They should be the groups themselves, as they stand in `groups`."),
            Trap(lambda s, t, g, least: {str(k): v for k, v in errors_by_group(s, t, g, least).items()},
                 "Numbers have become words, '3' for 3. The keys should be the groups as they stand in `groups`."),
            Trap(_by_group(lambda wrong, own: 1 - wrong[own].mean()),
                 "This is the share of right answers. The errors are asked for."),
            Trap(_by_group(lambda wrong, own: wrong[own].sum() / len(wrong)),
                 "Each group's errors are divided by the number of all examples, so a small group looks good because "
                 "it is small. Divide by the group's own number."),
            Trap(_by_group(lambda wrong, own: wrong[own].sum() / wrong.sum()),
                 "This is each group's share of all errors: a large group gets a large one even if it is read well. "
                 "Divide by the group's own number of examples."),
            Trap(_by_group(lambda wrong, own: wrong[own].sum()),
                 "These are counts. Divide by the number of examples in the group."),
            Trap(_by_group(lambda wrong, own: wrong.mean()),
                 "Every group gets the share of errors over all examples. Look at the group's own only."),
            Trap(_by_group(lambda wrong, own: wrong[own].mean(), lambda count, least: count > least),
                 "A group with exactly `least` examples is left out. It has enough."),
            Trap(_by_group(lambda wrong, own: wrong[own].mean(), lambda count, least: True),
                 "Groups with fewer than `least` examples are in the result. Leave them out."),
            Trap(lambda s, t, g, least: {k: v for k, v in errors_by_group(s, t, g, least).items() if v > 0},
                 "A group without any error is missing. Its share is 0, and that is worth knowing."),
            Trap(lambda s, t, g, least: {k: v for k, v in errors_by_group(s, t, g, 1).items()
                                         if ((s != t) & (g == k)).sum() >= least},
                 "A group is left out if it has few errors. What must be at least `least` is the number of its "
                 "examples: a large group that is read well belongs to the result."),
            Trap(lambda s, t, g, least: errors_by_group(s, t, t, least),
                 "The groups are the labels here. They should be what `groups` says."),
            Trap(lambda s, t, g, least: {k: (v if (g == k).sum() >= least else None)
                                         for k, v in errors_by_group(s, t, g, 1).items()},
                 "Small groups are there with None. Leave them out of the dict."),
            Trap(lambda s, t, g, least: {k: (v if (g == k).sum() >= least else 0.0)
                                         for k, v in errors_by_group(s, t, g, 1).items()},
                 "Small groups are there with 0, as if nothing had been wrong. Leave them out of the dict."),
        ),
    ),
)  # fmt: skip

PROBLEMS = (SHIFT, STOP, SPLIT, LEAK, PRF, WEIGHTS, GROUPS)
