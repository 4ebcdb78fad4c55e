"""The exercises of lesson 18: a large step, rows of a process, a safe file, an export, int8, bad requests, a bill."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from itertools import pairwise, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from gpucourse.exercises import guard
from gpucourse.exercises.cases import Case, Trap
from gpucourse.exercises.kinds import called, kind
from gpucourse.exercises.parts import by_parts
from gpucourse.exercises.probes import Ask, by_probes
from gpucourse.exercises.problem import Problem
from gpucourse.exercises.watched import watching

Array = Any
Tensor = Any
Model = Any

# -- 18.1 -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Way:
    """A way to make a large step of small parts; the first of each is the right one."""

    counts: str = "share"      # what a part's loss is multiplied by, see _FACTORS
    zero: str = "before"       # or "never", "each": before each part; "late": between backward and step
    step: str = "end"          # or "each"


_FACTORS: dict[str, Callable[[int, int, int, int], float]] = {     # of a part of k of n examples, `parts` of `size`
    "share": lambda k, n, parts, size: k / n,
    "whole": lambda k, n, parts, size: 1,
    "alike": lambda k, n, parts, size: 1 / parts,
    "alike, floored": lambda k, n, parts, size: 1 / (n // size),
    "sum": lambda k, n, parts, size: k,
    "of a part": lambda k, n, parts, size: k / size,
    "by n": lambda k, n, parts, size: 1 / n,
    "by size": lambda k, n, parts, size: 1 / size,
    "full": lambda k, n, parts, size: size / n,
}
_CHOICES = {"counts": tuple(_FACTORS), "zero": ("before", "never", "each", "late"), "step": ("end", "each")}
_BLAMES = {
    ("counts", "whole"): (
        "The gradients of all parts are added up, and each is that of a mean: with three parts the step is about three "
        "times too long. What is a part's share of the batch?"
    ),
    ("counts", "alike"): (
        "Each part counts alike. The last one is smaller, so each of its examples counts for more than one of the "
        "others. What is a part's share of the batch?"
    ),
    ("counts", "alike, floored"): (
        "The division by `len(x) // size` does not count the last, smaller part, and it counts as much as the others. "
        "What is each part's share of the batch?"
    ),
    ("counts", "sum"): (
        "This is the gradient of the *sum* over all examples, so it grows with the batch. The mean is asked for."
    ),
    ("counts", "of a part"): (
        "A part counts by its share of `size`, so a full one counts 1, and all together more than 1. Its share of the "
        "*whole batch* is asked for."
    ),
    ("counts", "by n"): (
        "A part's loss is a mean already, and you divide it by the number of all examples. By how many examples must "
        "it be multiplied first?"
    ),
    ("counts", "by size"): (
        "A part's loss is a mean already: to divide it by `size` counts its examples once more. What is its share of "
        "the batch?"
    ),
    ("counts", "full"): (
        "Each part counts `size` of the examples, the last one too, and that one has fewer. What is its own share of "
        "the batch?"
    ),
    ("zero", "never"): (
        "What an earlier step had left in `.grad` is still in the sum. When must it be cleared?"
    ),
    ("zero", "each"): (
        "`zero_grad` comes before each part, so of all gradients only the last part's is left. Clear once, then let "
        "the parts add up."
    ),
    ("zero", "late"): (
        "`zero_grad` comes between the last backward pass and the step: what was added up is thrown away."
    ),
    ("step", "each"): (
        "A step is made after each part. Then the second part meets other weights than the first: it is a training "
        "with small batches. Add up all parts, then make one step."
    ),
}  # fmt: skip


def _small_model(seed: int) -> tuple[Model, Any, Tensor, Tensor]:
    """A float64 model with something in `.grad`, its optimizer, and 11 examples."""
    import torch

    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(5, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3)).double()
    x, y = torch.randn(11, 5, dtype=torch.float64), torch.randint(0, 3, (11,))
    before: Any = torch.nn.functional.cross_entropy(model(2 * x), y)
    before.backward()
    return model, torch.optim.SGD(model.parameters(), lr=0.5), x, y


def _went(way: _Way, model: Model, optimizer: Any, x: Tensor, y: Tensor, size: int) -> list[float]:
    """Make the step in that way; the parts' losses."""
    import torch

    losses, parts = [], -(-len(x) // size)
    if way.zero == "before":
        optimizer.zero_grad()
    for few, labels in zip(x.split(size), y.split(size), strict=True):
        if way.zero == "each":
            optimizer.zero_grad()
        loss: Any = torch.nn.functional.cross_entropy(model(few), labels)
        (loss * _FACTORS[way.counts](len(few), len(x), parts, size)).backward()
        losses.append(loss.item())
        if way.step == "each":
            optimizer.step()
    if way.zero == "late":
        optimizer.zero_grad()
    if way.step == "end":
        optimizer.step()
    return losses


def _weights(model: Model) -> Array:
    return np.concatenate([p.detach().numpy().ravel() for p in model.parameters()])


def _stepped(way: _Way, seed: int, size: int) -> tuple[Array, list[float]]:
    model, optimizer, x, y = _small_model(seed)
    losses = _went(way, model, optimizer, x, y, size)
    return _weights(model), losses


def _ways() -> list[_Way]:
    """All ways, those with fewer mistakes first."""
    every = [_Way(*parts) for parts in product(*(_CHOICES[field.name] for field in fields(_Way)))]
    return sorted(every, key=lambda way: len(_mistakes(way)))


def _mistakes(way: _Way) -> list[str]:
    if way.step == "each":        # small steps: what else is wrong with the large one no longer matters
        return [_BLAMES["step", "each"]]
    found = [(field.name, getattr(way, field.name)) for field in fields(_Way)]
    return [_BLAMES[pair] for pair in found if pair in _BLAMES]


def _makes_a_large_step(ask: Ask, seed: int) -> str:
    for size in (4, 3, 5, 11):      # last parts of 3, 2 and 1 examples; then all at once
        model, optimizer, x, y = _small_model(seed)
        seen: list[tuple[str, int]] = []
        model.register_forward_hook(lambda _, given, out, seen=seen: _note(seen, len(given[0]), out))
        before, steps = _weights(model), list[int]()
        optimizer.register_step_post_hook(lambda *_, steps=steps: steps.append(1))
        got = ask(model, optimizer, x, y, size)
        message = _about_passes(seen, size) or _about_step(_weights(model), before, len(steps), seed, size)
        if message or (message := _about_mean(got, seed, size)):
            return message
    return ""


def _note(seen: list[tuple[str, int]], n: int, out: Tensor) -> None:
    """Note a forward pass now, and its backward pass when it comes."""
    seen.append(("forward", n))
    if out.requires_grad:
        out.register_hook(lambda gradient: seen.append(("backward", n)))


def _about_passes(seen: list[tuple[str, int]], size: int) -> str:
    """How many examples went through the model at a time, and whether each part's record was let go before the next."""
    sizes = [n for what, n in seen if what == "forward"]
    if not sizes:
        return "The model has not been called."
    if max(sizes) > size:
        return (f"{max(sizes)} examples went through the model at once, and at most {size} have room. `x.split(size)` "
                "cuts a batch into parts.")  # fmt: skip
    if sum(sizes) < 11:
        return f"Of 11 examples {sum(sizes)} went through the model (size {size}). The last part is smaller; it counts."
    if sum(sizes) > 11:
        return f"There are 11 examples, and {sum(sizes)} went through the model: each should go through it once."
    if "backward" not in [what for what, _ in seen]:
        return "No backward pass was made: the gradients are still those of before."
    order = [what for what, _ in seen]
    if order[:2] == ["forward", "forward"]:
        return ("The backward pass comes after *all* forward passes, so the activations of all parts are there at the "
                "same time, as with the large batch. Go backward after each part: gradients add up.")  # fmt: skip
    return ""


def _about_step(after: Array, before: Array, steps: int, seed: int, size: int) -> str:
    if not steps:
        return "The weights are as they were: the optimizer has made no step."
    for way in _ways():
        if np.allclose(after, _stepped(way, seed, size)[0], rtol=0, atol=1e-9):
            return (_mistakes(way) or [""])[0]
    if np.array_equal(after, before):
        return _BLAMES["zero", "late"]
    if steps > 1:
        return _BLAMES["step", "each"]
    return (f"The weights differ from those after one step with all 11 examples at once (size {size}). Compare the "
            "`.grad` of both ways.")  # fmt: skip


def _about_mean(got: Any, seed: int, size: int) -> str:
    _, losses = _stepped(_Way(), seed, size)
    counts = [min(size, 11 - start) for start in range(0, 11, size)]
    due = float(np.dot(losses, counts)) / 11
    if kind(got) == "tensor":
        if got.requires_grad:
            return ("The step is right. But the loss still carries its record, and with it all activations. Return a "
                    "float: `.item()`, or `.detach()` before adding up.")  # fmt: skip
        return "The step is right. The loss is due as a float, and it is a tensor: `.item()`."
    if kind(got) != "number":
        return f"The step is right. The mean loss of all examples is due, a float; it returns {called(got)}."
    if np.isclose(got, due, rtol=1e-6):
        return ""
    for wrong, words in ((sum(losses), "the sum of the parts' losses"), (losses[-1], "the last part's loss"),
                         (float(np.mean(losses)), "the mean of the parts' losses, each counting alike"),
                         (float(np.dot(losses, counts)), "the sum over all examples"),
                         (losses[-1] * counts[-1] / 11, "the last part's share alone")):  # fmt: skip
        if np.isclose(got, wrong, rtol=1e-6):
            return f"The step is right. The loss that you return is {words}; the mean over all examples is asked for."
    return f"The step is right, the returned loss is not: {got:.4f}, where the mean over all examples is {due:.4f}."


LARGE_STUB = '''def large_step(model, optimizer, x, y, size):
    """One step with the gradient of the whole batch, from parts of at most `size` examples; the mean loss."""
    return ...
'''
LARGE = Problem(
    id="18.1",
    title="A large step from small parts",
    task=(
        "The batch `x`, `y` does not fit into memory; `size` examples at a time do. Make one step of the optimizer, "
        "the one that the whole batch would give, and return the mean loss of all examples."
    ),
    spec=(
        "The loss is `F.cross_entropy`. At most `size` examples go through the model at once, each example goes once, "
        "and the last part may be smaller; something from before may still be in `.grad`. The model has no batch "
        "normalization. Returns a float."
    ),
    stub=LARGE_STUB,
    answer="large_step",
    lines=8,
    hints=(
        "The mean over the batch is a sum over the parts. By what must the mean of a part be multiplied, so that each "
        "*example* counts alike?",
        "Clear the gradients once, before the first part. Each part's `backward()` adds to them and lets its "
        "activations go. One step comes at the end.",
        "`loss = F.cross_entropy(model(few), labels) * (len(few) / ___)`, then `loss.___()` and `total += loss.item()`",
    ),
    solution='''def large_step(model, optimizer, x, y, size):
    """One step with the gradient of the whole batch, from parts of at most `size` examples; the mean loss."""
    optimizer.zero_grad()
    total = 0.0
    for few, labels in zip(x.split(size), y.split(size)):
        loss = F.cross_entropy(model(few), labels) * (len(few) / len(x))
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total
''',
    why=(
        "A mean over the batch is the sum of the parts' means, each times its share of the examples; and the gradient "
        "of a sum is the sum of the gradients, which is what `backward()` makes in `.grad`. Only one part's "
        "activations are in memory at a time."
    ),
    judge=by_probes(("model", "optimizer", "x", "y", "size"), _makes_a_large_step),
    limit=60.0,
)

# -- 18.2 -------------------------------------------------------------------------------------------

Rows = list[int]


def _rows(ask: Ask, n: int, rank: int, world: int, epoch: int, seed: int) -> Rows | str:
    """The rows of a process as a list, or what is wrong with them; each process has random numbers of its own."""
    chance = random.randrange(2**31)
    random.seed(chance)
    np.random.seed(chance)
    _torch_seed(chance)
    got = ask(n, rank, world, epoch, seed)
    if kind(got) == "tensor" or isinstance(got, np.ndarray | range):
        got = got.tolist() if hasattr(got, "tolist") else list(got)
    if not isinstance(got, list | tuple):
        return f"A list of rows is due, or an array or tensor of one axis; it returns {called(got)}."
    rows = [int(row) if kind(row) in ("number", "tensor") else -1 for row in got]
    wrong = [row for row, given in zip(rows, got, strict=True) if not 0 <= row < n or row != given]
    if wrong:
        return f"With n = {n} the rows are the whole numbers from 0 to {n - 1}. The list holds something else."
    return rows


def _torch_seed(seed: int) -> None:
    try:
        import torch
    except ImportError:
        return
    torch.manual_seed(seed)


@contextmanager
def _own_chance() -> Iterator[None]:
    """Python's and NumPy's random numbers go on afterwards as if nothing had happened; PyTorch's are the probe's."""
    before, numpys = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(numpys)


def _divides_the_rows(ask: Ask, seed: int) -> str:
    with _own_chance():
        random.seed(seed)
        for n, world in ((30, 3), (47, 4), (25, 1)):
            message = _about_division(ask, n, world, seed)
            if message:
                return message
    return ""


def _about_division(ask: Ask, n: int, world: int, seed: int) -> str:
    shares = [_rows(ask, n, rank, world, 0, seed) for rank in range(world)]
    for share in shares:
        if isinstance(share, str):
            return share
    found = [share for share in shares if isinstance(share, list)]
    again = [_rows(ask, n, rank, world, 0, seed) for rank in range(world)]
    where = f"{n} rows, {world} process{'es' * (world > 1)}"
    return (_about_counts(found, n, world, where) or _about_chance(found, again, where)
            or _about_overlap(found, n, where) or _about_epochs(ask, found, n, world, seed, where)
            or _about_neighbors(ask, n, world, seed) or _about_left_out(ask, n, world, seed))  # fmt: skip


def _about_counts(found: list[Rows], n: int, world: int, where: str) -> str:
    counts = [len(share) for share in found]
    if counts == [n // world] * world:
        return ""
    if world > 1 and counts == [n] * world:
        return (f"Each process reads all {n} rows ({where}): then they all do the work of one. Give each of them its "
                "share.")  # fmt: skip
    told = ", ".join(map(str, counts))
    if len(set(counts)) > 1 and sum(counts) > n:
        return (f"The processes read {told} rows ({where}), {sum(counts)} in all, so some rows are read twice, and the "
                "processes do not read equally many. Where does the part of one end?")  # fmt: skip
    if len(set(counts)) > 1 and n % world == 0:
        return f"The processes read {told} rows ({where}); {n} divides by {world}, so it should be {n // world} each."
    if len(set(counts)) > 1:
        return (f"The processes read {told} rows ({where}). Each step waits for all of them, so the one with a row "
                "more would wait for ever. Leave out what does not divide evenly.")  # fmt: skip
    if counts[0] == -(-n // world):
        return (f"The processes read {told} rows ({where}), {sum(counts)} in all, so some rows are read twice. Leave "
                "out what does not divide evenly.")  # fmt: skip
    return f"The processes read {told} rows ({where}); it should be {n // world} each, fewer than {world} are left out."


def _about_chance(found: list[Rows], again: list[Any], where: str) -> str:
    if found == again:
        return ""
    return (f"Asked twice for the same epoch, a process gets other rows ({where}). Each process has random numbers of "
            "its own, so they would not agree either. Draw from a generator that gets its seed here.")  # fmt: skip


def _about_overlap(found: list[Rows], n: int, where: str) -> str:
    if any(len(set(share)) < len(share) for share in found):
        return f"A process reads a row twice in one epoch ({where})."
    if len(found) > 1 and all(set(share) == set(found[0]) for share in found):
        return f"All processes read the same rows ({where}). Which of the arguments tells them apart?"
    both = set(found[0]) & set(found[-1]) if len(found) > 1 else set()
    if both or len(set().union(*found)) < sum(map(len, found)):
        return (f"Some rows are read by two processes, and others by none ({where}). Does each draw an order of its "
                "own? All have to draw the same one, and then take different places of it.")  # fmt: skip
    return ""


def _about_epochs(ask: Ask, found: list[Rows], n: int, world: int, seed: int, where: str) -> str:
    later = [_rows(ask, n, rank, world, 1, seed) for rank in range(world)]
    other = [_rows(ask, n, rank, world, 0, seed + 7) for rank in range(world)]
    if found == later:
        if all(share == sorted(share) for share in found):
            return f"The rows come in their own order, the same in each epoch ({where}): nothing is shuffled."
        return f"Epoch 1 has the same rows in the same order as epoch 0 ({where}): the epoch must be part of the seed."
    if all(share == sorted(share) for share in found):
        return f"Each process reads its rows in ascending order ({where}). They are drawn by chance, but not shuffled."
    if world > 1 and all(set(a) == set(b) for a, b in zip(found, later, strict=True)):
        return (f"Each process reads the same rows in every epoch, in another order ({where}). Shuffle all rows first, "
                "then divide: so each process gets to see all of them in time.")  # fmt: skip
    if found == other:
        elsewhere = [_rows(ask, n, rank, world, 1, seed + 7) for rank in range(world)]
        return ("Another `seed` gives the same order: it is not used." if elsewhere == later else
                "In epoch 0 another `seed` gives the same order. Is it multiplied by the epoch?")  # fmt: skip
    mixed = [_rows(ask, n, rank, world, 1, seed) for rank in range(world)]
    return _about_counts([share for share in mixed if isinstance(share, list)], n, world, where + ", epoch 1") or (
        _about_overlap([share for share in mixed if isinstance(share, list)], n, where + ", epoch 1"))


def _about_neighbors(ask: Ask, n: int, world: int, seed: int) -> str:
    """Whether a row is followed by the same row in two epochs: an order that was only turned, or cut elsewhere."""
    if world > 1:
        return ""
    first, second = (_followers(_rows(ask, n, 0, 1, epoch, seed)) for epoch in (0, 1))
    if len(first & second) <= n // 2:
        return ""
    return ("In epoch 1 nearly every row is followed by the same row as in epoch 0: the order is only turned. It "
            "should be shuffled anew.")  # fmt: skip


def _followers(rows: Rows | str) -> set[tuple[int, int]]:
    return set(pairwise(rows)) if isinstance(rows, list) else set()


def _about_left_out(ask: Ask, n: int, world: int, seed: int) -> str:
    if n % world == 0:
        return ""
    read = [_rows(ask, n, rank, world, epoch, seed) for epoch in range(30) for rank in range(world)]
    never = sorted(set(range(n)).difference(*(rows for rows in read if isinstance(rows, list))))
    if not never:
        return ""
    return (f"Rows {', '.join(map(str, never))} of {n} are read in none of 30 epochs ({world} processes). Shuffle all "
            "rows, and leave out some *afterwards*: then others are left out each time.")  # fmt: skip


ROWS = Problem(
    id="18.2",
    title="Who reads what?",
    task=(
        "Several processes train together. Write which rows of the data process number `rank` of `world` reads in an "
        "epoch, and in which order, so that nobody reads what another one reads."
    ),
    spec=(
        "Each process calls this by itself. All read equally many rows, no row twice, and fewer than `world` are left "
        "out; the order of all `n` rows is shuffled anew in each `epoch`, decided by `seed` and `epoch` alone. Returns "
        "a list, array or tensor of whole numbers."
    ),
    stub='''def rows_of(n, rank, world, epoch, seed):
    """The rows that process `rank` reads in this epoch, in order."""
    return ...
''',
    answer="rows_of",
    lines=3,
    hints=(
        "The processes do not talk to each other here. How can all of them know the same shuffled order?",
        "A generator with the same seed in each process, `torch.Generator().manual_seed(___)`, gives the same "
        "`torch.randperm(n, generator=...)`. Which of the arguments may be in the seed, and which must not?",
        "`order = torch.randperm(n, generator=torch.Generator().manual_seed(seed + ___))`, then cut it to a multiple "
        "of `world`, and take `order[___ :: ___]`",
    ),
    solution='''def rows_of(n, rank, world, epoch, seed):
    """The rows that process `rank` reads in this epoch, in order."""
    generator = torch.Generator().manual_seed(seed + epoch)
    order = torch.randperm(n, generator=generator)[: n - n % world]
    return order[rank::world]
''',
    why=(
        "The seed is the same everywhere, so all processes draw the same order without a word, and the rank only says "
        "which places of it are theirs. With the epoch in the seed the next epoch has another order and another "
        "division: this is what PyTorch's `DistributedSampler` does with `drop_last=True`, if one does not "
        "forget its `set_epoch`. By default it reads some rows twice in place of leaving some out."
    ),
    judge=by_probes(("n", "rank", "world", "epoch", "seed"), _divides_the_rows),
)

# -- 18.3 -------------------------------------------------------------------------------------------


def _content(step: int) -> dict[str, Any]:
    import torch

    return {"step": step, "weights": torch.arange(60_000, dtype=torch.float32) * step}


def _saves_safely(ask: Ask, seed: int) -> str:
    """Look at the file before and after each call that could touch it, as one would find it after a kill then."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "runs", "check.point.pt")
        path.parent.mkdir()
        for step in (1, 2, 3):
            with watching(path) as seen:
                got = ask(path, _content(step))
            message = seen.message() or _about_saved(path, got, step)
            if message:
                return message
    return ""


def _about_saved(path: Path, got: Any, step: int) -> str:
    import torch

    if not path.exists():
        return f"After save(path, content) there is no file at `path`. There is: {_names(path) or 'nothing'}."
    try:
        found = torch.load(path, weights_only=True)
    except Exception as error:
        return f"`torch.load` cannot read what was saved ({type(error).__name__}). Write it by `torch.save`."
    if not isinstance(found, dict) or set(found) != {"step", "weights"}:
        return "The file does not hold `content`, a dict, as it was handed over."
    if found["step"] != step or not torch.equal(found["weights"], _content(step)["weights"]):
        return ("The second save leaves the first one's content at `path`: an older file has to be replaced."
                if found["step"] < step else "The file holds other numbers than `content`.")  # fmt: skip
    if len(list(path.parent.iterdir())) > 1:
        return f"The checkpoint is right, but something lies beside it: {_names(path)}. Leave one file, `path`."
    return "" if got is None else f"The file is right. Nothing is to be returned; it returns {called(got)}."


def _names(path: Path) -> str:
    return ", ".join(sorted(each.name for each in path.parent.iterdir()))


SAVE = Problem(
    id="18.3",
    title="Never half a file",
    task=(
        "Save `content` by `torch.save` so that a process that is killed at any moment leaves at `path` either the "
        "whole old checkpoint or the whole new one. The judge looks at the file before and after each call that could "
        "touch it."
    ),
    spec=(
        "`path` is a `pathlib.Path` in a folder that exists; an older checkpoint may be there. Afterwards the folder "
        "holds this one file. Returns nothing."
    ),
    stub='''def save(path, content):
    """Write a checkpoint: old or new at every moment, never half of one, never none."""
    return ...
''',
    answer="save",
    lines=3,
    hints=(
        "Writing takes time, and a file that is being written is half a file. Under which name may half a file be "
        "seen?",
        "`os.replace(a, b)`, or `a.replace(b)` of a Path, gives the file a the name b in one step, and what had this "
        "name is gone. Nothing has to be deleted before. Both must lie in the same folder: to another disk it would be "
        "a copy.",
        "`new = path.with_name(path.name + ___)`, then `torch.save(content, ___)`, then `new.___(path)`",
    ),
    solution='''def save(path, content):
    """Write a checkpoint: old or new at every moment, never half of one, never none."""
    new = path.with_name(path.name + ".new")
    torch.save(content, new)
    new.replace(path)
''',
    why=(
        "Everything that takes time happens under another name, and the change of names is one step of the file "
        "system. Against a power cut the new file must also be forced to the disk before it is renamed, by `os.fsync`; "
        "the course's own `checkpoint.save` does that."
    ),
    judge=by_probes(("path", "content"), _saves_safely),
)

# -- 18.4 -------------------------------------------------------------------------------------------

MEAN, SPREAD = 0.1307, 0.3081


def _network(seed: int) -> Model:
    """A network as a training leaves it, in training mode: normalization with running means, and dropout."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    model: Model = nn.Sequential(nn.Conv2d(1, 3, 4, stride=4), nn.Flatten(), nn.Linear(147, 8), nn.BatchNorm1d(8),
                                 nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 4))  # fmt: skip
    with torch.no_grad():
        model[6].weight *= 8                       # far from equal probabilities
        for _ in range(4):
            model(2 * torch.rand(32, 1, 28, 28) + 1)
    return model.train()


def _pictures(n: int, seed: int) -> Tensor:
    import torch

    return torch.randint(0, 256, (n, 28, 28), generator=torch.Generator().manual_seed(seed)).float()


def _said(model: Model, images: Tensor, inputs: Callable[[Tensor], Tensor], end: str = "softmax") -> Array:
    """What the model says in evaluation mode, with its inputs made in some way."""
    import torch

    training = model.training
    model.eval()
    with torch.no_grad():
        scores = model(inputs(images)[:, None])
    model.train(training)
    ends = {"softmax": scores.softmax(dim=1), "scores": scores, "log": scores.log_softmax(dim=1),
            "labels": scores.argmax(dim=1), "over the batch": scores.softmax(dim=0),
            "twice": scores.softmax(dim=1).softmax(dim=1), "sigmoid": scores.sigmoid()}  # fmt: skip
    return ends[end].numpy()


INPUTS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "right": (lambda x: (x / 255 - MEAN) / SPREAD, ""),
    "raw": (lambda x: x, "The network gets numbers from 0 to 255. It was trained with pictures that were divided by "
                         "255 and then normalized by MEAN and SPREAD: nobody else will do that for it out there."),
    "divided": (lambda x: x / 255, "The pictures are divided by 255 and not normalized. Training subtracted MEAN and "
                                   "divided by SPREAD: what is shipped must do the same."),
    "not divided": (lambda x: (x - MEAN) / SPREAD, "MEAN and SPREAD are those of pictures from 0 to 1. Divide by 255 "
                                                   "first."),
    "own": (lambda x: (x - x.mean()) / x.std(), "The pictures are normalized by their own mean and spread, so an "
                                                "answer depends on its neighbors. Take those of the training."),
    "no spread": (lambda x: x / 255 - MEAN, "MEAN is subtracted, but the difference is not divided by SPREAD."),
    "no mean": (lambda x: x / 255 / SPREAD, "The pictures are divided by SPREAD, but MEAN is not subtracted."),
    "spread first": (lambda x: x / 255 / SPREAD - MEAN, "SPREAD divides before MEAN is subtracted. Subtract first."),
    "255 last": (lambda x: (x - MEAN) / SPREAD / 255, "The division by 255 comes last. MEAN is that of pictures from 0 "
                                                      "to 1: divide by 255 first."),
    "precedence": (lambda x: x / 255 - MEAN / SPREAD, "Only MEAN is divided by SPREAD. Put parentheses round the "
                                                      "difference."),
}  # fmt: skip
ENDS = {
    "scores": "These are the scores. Probabilities are asked for: the softmax belongs to what is shipped.",
    "log": "These are log-probabilities. Probabilities are asked for.",
    "labels": "These are the labels. The probabilities of all classes are asked for, (n, classes).",
    "over the batch": "The softmax goes over the pictures (dim 0). Each row should add up to 1.",
    "twice": "The softmax was taken twice.",
    "sigmoid": "A sigmoid for each class: the rows do not add up to 1. The model was trained with the softmax.",
}


def _ships(ask: Ask, seed: int) -> str:
    import torch

    model = _network(seed)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    try:
        program = ask(model)
    except guard.Raised as raised:
        message = _about_tracing(str(raised.error))
        if not message:
            raise
        return message
    if not isinstance(program, torch.export.ExportedProgram):
        hint = " `torch.export.export(...)` makes one." if isinstance(program, torch.nn.Module) else ""
        return f"What is returned should be an exported program; it is {_described(program)}.{hint}"
    if any(not torch.equal(value, before[name]) for name, value in model.state_dict().items()):
        return "The export has changed the model's running means: it was in training mode when something went through."
    return _about_answers(program, model, seed) or _about_mode(ask, model)


def _described(value: Any) -> str:
    return f"an object of type {type(value).__name__}" if hasattr(value, "forward") else called(value)


def _about_tracing(said: str) -> str:
    """What torch.export says, in words: the usual mistakes with the axis that should stay free."""
    if "specialized" in said or "Constraints violated" in said or "0/1" in said:
        return ("torch.export says that the number of pictures cannot be free: it has found it fixed. Does the example "
                "have one picture only? A 1 becomes a fixed number; take an example of 2.")  # fmt: skip
    return ""


def _about_answers(program: Any, model: Model, seed: int) -> str:
    import torch

    found = {}
    module = program.module()
    for n in (2, 1, 5, 64):
        images = _pictures(n, seed + n)
        try:
            with torch.no_grad():
                found[n] = (module(images), module(images))
        except Exception as error:
            return _about_refusal(str(error), n, found)
        if not isinstance(found[n][0], torch.Tensor):
            return f"For {n} pictures the program gives {called(found[n][0])}. A tensor of probabilities is due."
    if any(not torch.allclose(*pair) for pair in found.values()):
        return _TRAINING
    return _about_values({n: pair[0].numpy() for n, pair in found.items()}, model, seed)


_TRAINING = (
    "The program was exported in training mode: asked twice about the same pictures it gives two answers (dropout), "
    "and it normalizes by whatever else is in the request. Use `eval()` before the export."
)


def _about_refusal(said: str, n: int, found: dict[int, Any]) -> str:
    if "more than 1 value per channel" in said:
        return _TRAINING
    if found or "size()[0]" in said:
        return (f"The program refuses {n} picture{'s' * (n > 1)}: their number is fixed to that of the example. Say by "
                "`dynamic_shapes` which axis is free.")  # fmt: skip
    return (f"The program cannot take pictures of shape ({n}, 28, 28), float32: {' '.join(said.split())[:150]}")


def _about_values(found: dict[int, Array], model: Model, seed: int) -> str:
    def same(make: Callable[[Tensor], Tensor], end: str) -> bool:
        due = {n: _said(model, _pictures(n, seed + n), make, end) for n in found}
        return all(found[n].shape == due[n].shape and np.allclose(found[n], due[n], atol=1e-4) for n in found)

    for make, message in INPUTS.values():
        for end in ("softmax", *ENDS):
            if same(make, end):
                return message or ENDS.get(end, "")
    shapes = found[5].shape
    if shapes != (5, 4):
        return f"For 5 pictures and 4 classes (5, 4) probabilities are due; the program gives {tuple(shapes)}."
    if _changes_with_company(found, model, seed):
        return _TRAINING
    return "The program's answers differ from those of the model in evaluation mode, with inputs as in training."


def _changes_with_company(found: dict[int, Array], model: Model, seed: int) -> bool:
    """Whether the answers are those of the model in training mode without its dropout."""
    import torch
    from torch.nn import functional as F

    with torch.no_grad():
        hidden = model[:3](((_pictures(64, seed + 64) / 255 - MEAN) / SPREAD)[:, None])
        normed = F.batch_norm(hidden, None, None, model[3].weight, model[3].bias, training=True)
        due = model[6](normed.relu()).softmax(dim=1).numpy()
    return bool(np.allclose(found[64], due, atol=1e-3))


def _about_mode(ask: Ask, model: Model) -> str:
    if model.training:
        ask(model.eval())
        return "" if not model.training else (
            "The program is right. But a model that came in `eval()` mode is left in training mode. Note "
            "`model.training` before, and put back that.")  # fmt: skip
    return ("The program is right. But the model came in training mode and is left in `eval()` mode: whoever trains on "
            "does so without dropout. Put it back, or export a copy: `copy.deepcopy(model)`.")  # fmt: skip


SHIP_STUB = '''MEAN, SPREAD = 0.1307, 0.3081          # those of the training

class Whole(nn.Module):
    """Everything between a picture and its probabilities."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):                        # (n, 28, 28), float32, 0 to 255
        return ...

def ship(model):
    """The whole as an exported program, for any number of pictures."""
    return ...
'''
SHIP_FORWARD = """        inputs = (images[:, None] / 255 - MEAN) / SPREAD
        return self.model(inputs).softmax(dim=1)"""
SHIP = Problem(
    id="18.4",
    title="Ship the whole of it",
    task=(
        "The model was trained with pictures that were divided by 255, shifted by MEAN and divided by SPREAD. Export a "
        "program that takes pictures as a camera gives them and returns probabilities, for any number of pictures."
    ),
    spec=(
        "The model takes (n, 1, 28, 28) and returns scores. The program takes (n, 28, 28), float32 from 0 to 255, for "
        "every n from 1, and gives probabilities (n, classes), as the model does in evaluation mode. The model is left "
        "in the mode in which it came. Returns what `torch.export.export` returns."
    ),
    stub=SHIP_STUB,
    answer="ship",
    lines=6,
    hints=(
        "What is done to a picture before it reaches the model, and to the scores behind it, is part of what you ship. "
        "And in which mode should all this run?",
        "`torch.export.export(module, (example,), dynamic_shapes=({0: torch.export.Dim(\"n\")},))` follows the example "
        "through `forward`. An example of one picture would fix the 1. Put the mode back afterwards.",
        "`mode = model.training`, then `torch.export.export(Whole(model).___(), (torch.zeros(___, 28, 28),), "
        "dynamic_shapes=___)`, and then `model.train(___)`",
    ),
    solution=SHIP_STUB.replace("        return ...", SHIP_FORWARD).replace("    return ...", '''\
    mode, free = model.training, ({0: torch.export.Dim("n")},)
    program = torch.export.export(Whole(model).eval(), (torch.zeros(2, 28, 28),), dynamic_shapes=free)
    model.train(mode)
    return program'''),
    why=(
        "A network without the scaling of its pictures is half a network, and nobody notices: it answers all the same, "
        "only worse. What is exported is fixed for good, the mode, the shapes and the constants, so each of them has "
        "to be chosen."
    ),
    judge=by_probes(("model",), _ships),
    limit=60.0,
)  # fmt: skip

# -- 18.5 -------------------------------------------------------------------------------------------


def quantize(x: Array) -> tuple[float, int, Array]:
    """scale, zero and the int8 numbers q, so that x is nearly scale * (q - zero)."""
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    scale = (high - low) / 255
    zero = round(-128 - low / scale)
    return scale, zero, np.clip(np.round(x / scale) + zero, -128, 127).astype(np.int8)


def _activations(rng: np.random.Generator) -> list[Case]:
    found = []
    for low, high, n, about in ((-1.4, 4.0, 40, "numbers from -1.4 to 4"), (0.0, 6.0, 30, "numbers from 0 to 6"),
                                (2.0, 5.0, 30, "numbers from 2 to 5"), (-3.0, -1.0, 30, "numbers from -3 to -1"),
                                ):
        x = rng.uniform(low, high, n)
        x[:2] = low, high
        found.append(Case(x.astype(np.float32), about=about))
    return found


def _halves(rng: np.random.Generator) -> list[Case]:
    """1.5 and 253.5 steps of size 1 are both rounded away from 0, so the largest x comes to 128."""
    x = np.append(rng.uniform(-1.4, 253.4, 20).round(1), [-1.5, 0, 253.5])
    return [Case(x.astype(np.float32), about="numbers from -1.5 to 253.5, of which the largest rounds to 128")]


def _range(x: Array) -> tuple[float, float]:
    return min(float(x.min()), 0.0), max(float(x.max()), 0.0)


def _with(x: Array, scale: float, zero: float) -> Array:
    return np.clip(np.round(x / scale) + zero, -128, 127).astype(np.int8)


QUANTIZE_PARTS = {
    "scale": (
        Trap(lambda x: float(x.max() - x.min()) / 255,
             "The range of the numbers alone. It must contain 0, or 0 itself cannot be stored: padding and ReLU make "
             "many of them."),
        Trap(lambda x: (_range(x)[1] - _range(x)[0]) / 256, "From -128 to 127 there are 256 numbers, and 255 steps."),
        Trap(lambda x: (_range(x)[1] - _range(x)[0]) / 127, "The range has 255 steps, from -128 to 127. That is half "
                                                            "of them."),
        Trap(lambda x: (_range(x)[1] - _range(x)[0]) / 128, "The range has 255 steps, from -128 to 127. That is half "
                                                            "of them."),
        Trap(lambda x: float(abs(x).max()) / 127,
             "This is the scale for a range that is the same on both sides of 0, as one takes for weights. Here it "
             "goes from the smallest to the largest, 0 included."),
        Trap(lambda x: 255 / (_range(x)[1] - _range(x)[0]), "Turned round: one step in q is `scale` in x."),
        Trap(lambda x: _range(x)[1] / 255, "Only the positive side of the range is counted."),
        Trap(lambda x: _range(x)[1] - _range(x)[0], "This is the whole range. It is cut into 255 steps."),
    ),
    "zero": (
        Trap(lambda x: round(-_range(x)[0] / quantize(x)[0]),
             "This is the place of 0 among numbers from 0 to 255. int8 begins at -128: at which place is the smallest "
             "x?"),
        Trap(lambda x: round(128 - _range(x)[0] / quantize(x)[0]), "int8 begins at -128, not at 128."),
        Trap(lambda x: round(-128 + _range(x)[0] / quantize(x)[0]),
             "The sign is wrong: the smallest x is at -128, and 0 lies above it where the smallest x is negative."),
        Trap(lambda x: -128 - _range(x)[0] / quantize(x)[0],
             "`zero` is not a whole number. It stands for 0 itself, so it has to be one of the int8: round."),
        Trap(lambda x: int(-128 - _range(x)[0] / quantize(x)[0]),
             "`int` cuts off toward 0. The nearest whole number is asked for: `round`."),
        Trap(lambda x: 0, "This is the zero point of a range that is the same on both sides. Here the smallest x is at "
                          "-128: where does that leave 0?"),
        Trap(lambda x: round(127 - _range(x)[1] / quantize(x)[0]) - 1,
             "It is one too small: the largest x is at 127."),
    ),
    "q": (
        Trap(lambda x: (np.round(x / quantize(x)[0]) + quantize(x)[1]),
             "The numbers are right, but they are floats. Only int8 takes a quarter of the room: `astype(np.int8)`."),
        Trap(lambda x: np.clip(np.round(x / quantize(x)[0]) + quantize(x)[1], -128, 127),
             "The numbers are right, but they are floats. Only int8 takes a quarter of the room: `astype(np.int8)`."),
        Trap(lambda x: np.clip(np.round(x / quantize(x)[0]) + quantize(x)[1], -128, 127).astype(np.int64),
             "The numbers are right, but have 64 bits each. Only int8 takes a quarter of the room: `astype(np.int8)`."),
        Trap(lambda x: np.clip(np.trunc(x / quantize(x)[0]) + quantize(x)[1], -128, 127).astype(np.int8),
             "The numbers are cut off toward 0, and not rounded: the error is up to a whole step in place of half a "
             "step."),
        Trap(lambda x: np.clip(np.floor(x / quantize(x)[0]) + quantize(x)[1], -128, 127).astype(np.int8),
             "The numbers are rounded down: the error is up to a whole step in place of half a step."),
        Trap(lambda x: (np.round(x / quantize(x)[0]) + quantize(x)[1]).astype(np.int64).astype(np.int8),
             "Here 128 comes out, which int8 cannot hold: it becomes -128, so the largest x is stored as the smallest. "
             "Cut off at -128 and 127 before `astype`: `np.clip`."),
        Trap(lambda x: np.clip(np.round(x / quantize(x)[0]) + quantize(x)[1], -127, 127).astype(np.int8),
             "These are cut off at -127. int8 begins at -128, and the lower end of the range belongs there."),
        Trap(lambda x: _with(x, quantize(x)[0], 0), "`zero` is not added: x = scale * (q - zero)."),
        Trap(lambda x: _with(x, quantize(x)[0], -quantize(x)[1]), "`zero` is subtracted. x = scale * (q - zero), so q "
                                                                  "is x / scale *plus* zero."),
        Trap(lambda x: _with(x, 1 / quantize(x)[0], quantize(x)[1]), "x is multiplied by the scale. Divide by it."),
        Trap(lambda x: (np.round(x / quantize(x)[0]) + quantize(x)[1]).astype(np.uint8), "These are uint8, 0 to 255. "
             "int8 is asked for."),
    ),
}  # fmt: skip


QUANTIZE = Problem(
    id="18.5",
    title="A float as an int8",
    task=(
        "Store the floats of an array in 8 bits each, so that x is nearly `scale * (q - zero)`. The 255 steps from "
        "-128 to 127 should reach from the smallest x to the largest, 0 included."
    ),
    spec=(
        "`x` is a float32 array, not all 0. The range goes from min(x.min(), 0) to max(x.max(), 0); its lower end "
        "belongs to -128. Returns `scale`, a float; `zero`, the int that stands for 0, rounded to the nearest; and "
        "`q`, int8, x / scale rounded, then shifted by `zero`, then cut off at -128 and 127."
    ),
    stub='''def quantize(x):
    """The step, the place of 0, and the numbers in int8."""
    scale, zero, q = ..., ..., ...
    return scale, zero, q
''',
    answer="quantize",
    lines=4,
    hints=(
        "Draw two rulers above each other: the x from low to high, and the whole numbers from -128 to 127. `scale` is "
        "the length of one step in x.",
        "The lower end of the range is at -128. How many steps from there does 0 lie? And what happens to a value that "
        "rounds beyond 127?",
        "`scale = (high - low) / ___`, `zero = round(___ - low / scale)`, "
        "`q = np.clip(np.round(___) + zero, -128, 127).astype(np.___)`",
    ),
    solution='''def quantize(x):
    """The step, the place of 0, and the numbers in int8."""
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    scale = (high - low) / 255
    zero = round(-128 - low / scale)
    q = np.clip(np.round(x / scale) + zero, -128, 127).astype(np.int8)
    return scale, zero, q
''',
    why=(
        "Each number is off by at most half a step, and 0 is exact, which padding and ReLU need. The products are then "
        "sums of small integers, and only two floats are left for a whole array."
    ),
    judge=by_parts(quantize, [_activations, _halves], QUANTIZE_PARTS, rtol=1e-5),
)

# -- 18.6 -------------------------------------------------------------------------------------------

MOST_BYTES, MOST_IMAGES = 60_000, 4
_BLANK = [[0] * 28 for _ in range(28)]


def _request(*images: Any, **more: Any) -> bytes:
    return json.dumps({"images": list(images), **more}).encode()


def _with_pixel(text: str) -> bytes:
    """A request whose first pixel is written as `text`, which json.dumps might not write."""
    return _request(_BLANK).replace(b"[[[0,", b"[[[" + text.encode() + b",", 1)


# what is wrong with a request -> its body, and what happens if it is let through
BAD: dict[str, tuple[bytes, str]] = {
    "a body that is no JSON": (b'{"images": [[', "It holds nothing."),
    "bytes that are no text": (b"\xff\xfe\x00{", "It holds nothing."),
    "an empty body": (b"", "It holds nothing."),
    "a list in place of the object": (json.dumps([_BLANK]).encode(), "The field `images` was asked for."),
    "an object without `images`": (b'{"pictures": []}', "The field `images` was asked for."),
    "`images` that is null": (b'{"images": null}', "There is no picture in it."),
    "`images` that is a word": (b'{"images": "seven"}', "There is no picture in it."),
    "a number for `images`": (b'{"images": 7}', "There is no picture in it."),
    "no pictures": (b'{"images": []}', "An empty batch is let through; what is the shape of nothing?"),
    "one picture without the axis of pictures": (json.dumps({"images": _BLANK}).encode(),
                                                 "Its shape is (28, 28), and (n, 28, 28) was asked for."),
    "a picture of 27 rows": (_request(_BLANK[:27]), "Its shape is (1, 27, 28). Compare both sides with 28."),
    "a picture of 27 columns": (_request([row[:27] for row in _BLANK]),
                                "Its shape is (1, 28, 27). Compare both sides with 28."),
    "784 numbers in one row": (_request([0] * 784), "784 numbers are no picture until somebody says where a row ends."),
    "rows of different lengths": (_request([[0] * 27, *_BLANK[1:]]), "It has no shape."),
    "five pictures where four are allowed": (_request(*[_BLANK] * 5),
                                             "Each picture costs time: compare their number with `most_images`."),
    "a pixel of 256": (_with_pixel("256"), "The largest pixel is 255."),
    "a pixel of -1": (_with_pixel("-1"), "The smallest pixel is 0."),
    "a pixel of NaN": (_with_pixel("NaN"), "Python's JSON reads NaN, and every comparison with it is false: so ask "
                                           "whether all pixels are *inside* the range, not whether one is outside."),
    "a pixel of Infinity": (_with_pixel("Infinity"), "Python's JSON reads it as a float."),
    "a pixel of 1e999": (_with_pixel("1e999"), "It becomes the float infinity."),
    "a number in quotes": (_request([[["12"] * 28] * 28][0]),
                           "NumPy turns texts into numbers if it is told the dtype. With `dtype=object` it leaves them "
                           "as they came, and you can ask for the type of each."),
    "true and false for pixels": (_request([[True] * 28] * 28),
                                  "They count as 1 and 0: NumPy makes them so if it is told the dtype, and to Python "
                                  "`isinstance(True, int)` is true. Ask for `type(value)` itself."),
    "null for a pixel": (_with_pixel("null"), "NumPy makes nan of None if it is told the dtype."),
    "a pixel of 400 digits": (_with_pixel("9" * 400), "The largest pixel is 255."),
    "lists within lists, 50,000 deep": (b'{"images": ' + b"[" * 25_000 + b"]" * 25_000 + b"}", "It holds nothing."),
    "a body of 70,000 bytes": (b" " * (70_000 - len(_request(_BLANK))) + _request(_BLANK),
                               "Compare its length with `most_bytes`, and do it before anything else is computed."),
    "over 60,000 bytes that are fewer characters": (json.dumps({"images": [_BLANK], "by": "ü" * 31_000},
                                                               ensure_ascii=False).encode(),
                                                "Bytes are to be counted, and an ü has two of them: ask "
                                                "for the length of `body` before it is decoded."),
    "a number in place of the object": (b"5", "The field `images` was asked for."),
    "null in place of the object": (b"null", "The field `images` was asked for."),
    "the list [\"images\"] in place of the object": (b'["images"]', "The field `images` was asked for."),
    "a list of 28 numbers for a picture": (_request([0] * 28), "Its shape is (1, 28)."),
    "a row that is null": (_request([*_BLANK[1:], None]), "It has no shape."),
    "a row that is a number": (_request([*_BLANK[1:], 0]), "It has no shape."),
    "one true among the numbers": (_with_pixel("true"), "It counts as 1: among numbers NumPy makes a number of it, so "
                                   "its `dtype.kind` says nothing. Ask each value for its `type`; with `dtype=object` "
                                   "they stay as they came."),
}  # fmt: skip


def _good(seed: int) -> dict[str, tuple[bytes, Array]]:
    rng = np.random.default_rng(seed)
    one, four = rng.integers(1, 255, (1, 28, 28)), rng.integers(1, 255, (MOST_IMAGES, 28, 28))
    floats = np.round(rng.uniform(1, 254, (2, 28, 28)), 1)
    found = {"one picture": one, "four pictures, as many as are allowed": four, "pixels that are floats": floats}
    for end in (0, 255):
        found[f"a picture with pixels of {end}"] = np.where(one < 99, end, one)
    requests = {name: (_request(*images.tolist()), images.astype(np.float32)) for name, images in found.items()}
    body = requests["one picture"][0]
    requests["a body of exactly `most_bytes`"] = (body + b" " * (MOST_BYTES - len(body)), one.astype(np.float32))
    return requests


def _checks_requests(ask: Ask, seed: int) -> str:
    for name, (body, due) in _good(seed).items():
        try:
            got = ask(body, MOST_BYTES, MOST_IMAGES)
        except guard.Raised as raised:
            if isinstance(raised.error, ValueError):
                return f"Refused, and nothing is wrong with it: {name}. It says: {str(raised.error)[:100]}"
            raise
        message = _about_images(got, due, name)
        if message:
            return message
    return next(filter(None, (_about_bad(ask, name, *bad) for name, bad in BAD.items())), "")


def _about_images(got: Any, due: Array, name: str) -> str:
    if got is None:
        return f"For a good request ({name}) the pictures are due; it returns None: is a `return` missing?"
    if not isinstance(got, np.ndarray):
        return f"For a good request ({name}) a NumPy array of float32 is due; it returns {called(got)}."
    if got.dtype != np.float32:
        return f"The pictures should be float32, as the network wants them; they are {got.dtype} ({name})."
    if got.shape != due.shape:
        return f"The shape should be {due.shape}; it is {got.shape} ({name})."
    if np.array_equal(got, due):
        return ""
    if np.allclose(got * 255, due, atol=1e-3):
        return "The pictures go from 0 to 1. They are due as they were sent, from 0 to 255: the network's side divides."
    return f"The pictures differ from those that were sent ({name})."


def _about_bad(ask: Ask, name: str, body: bytes, then: str) -> str:
    try:
        got = ask(body, MOST_BYTES, MOST_IMAGES)
    except guard.Raised as raised:
        error = raised.error
        if isinstance(error, ValueError):
            return "" if str(error).strip() else f"Refused without a word: {name}. Say in the ValueError what is wrong."
        return (f"For {name} it raises {type(error).__name__}, which nobody expects here: the service would answer "
                "500, as if the fault were its own. Refuse by a ValueError.")  # fmt: skip
    if got is None:
        return f"It returns None for {name}. Refuse by raising a ValueError: None would go on to the network."
    return f"Let through: {name}. {then}"


CHECK = Problem(
    id="18.6",
    title="What may come in?",
    task=(
        "Turn the bytes of a request, JSON of the form {\"images\": [...]}, into an array of pictures, and refuse "
        "whatever is not that. A refusal is a ValueError with words; any other error would be answered by 500, as if "
        "the service itself were broken."
    ),
    spec=(
        "At most `most_bytes` bytes, 1 to `most_images` pictures, each 28 rows of 28 numbers from 0 to 255; JSON's "
        "true and false are no numbers. Returns float32 of shape (n, 28, 28), pixels as they were sent. "
        "`json.loads` raises RecursionError for lists that are too deep, and for other faults a ValueError."
    ),
    stub='''def checked(body, most_bytes, most_images):
    """The pictures of a request, or a ValueError."""
    return ...
''',
    answer="checked",
    lines=11,
    hints=(
        "First what costs least: the length of the body. Then the JSON, the field, the array and its shape, and last "
        "each value: its type and its range. What does each of these steps raise, if it fails?",
        "`np.array(..., dtype=object)` makes one shape of the lists and leaves each value as JSON gave it, an int, a "
        "float, a bool, a str or None. `isinstance(True, int)` is true; `type(True) in (int, float)` is not. And is "
        "nan inside a range?",
        "`except (KeyError, TypeError, ___) as error: raise ValueError(...)`; "
        "`images.shape[1:] != ___ or not 1 <= len(images) <= ___`; "
        "`all(type(value) in (int, ___) and 0 <= value <= ___ for value in images.flat)`",
    ),
    solution='''def checked(body, most_bytes, most_images):
    """The pictures of a request, or a ValueError."""
    if len(body) > most_bytes:
        raise ValueError(f"the body has {len(body):,} bytes; {most_bytes:,} are allowed")
    try:
        images = np.array(json.loads(body)["images"], dtype=object)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"no pictures can be read from the body: {error}") from None
    if images.shape[1:] != (28, 28) or not 1 <= len(images) <= most_images:
        raise ValueError(f"1 to {most_images} pictures of 28 x 28 numbers, please; not {images.shape}")
    if not all(type(value) in (int, float) and 0 <= value <= 255 for value in images.flat):
        raise ValueError("a pixel is no number from 0 to 255")
    return images.astype(np.float32)
''',
    why=(
        "Cheap tests come first, so that a bad request costs nothing, and each asks what *is* allowed: whatever nobody "
        "has thought of, like nan, then falls on the safe side. The client learns what was wrong, and the service "
        "never has to say 500."
    ),
    judge=by_probes(("body", "most_bytes", "most_images"), _checks_requests),
)

# -- 18.7 -------------------------------------------------------------------------------------------


def bill(
    n: int, epochs: int, speed: float, gpus: int, efficiency: float, startup: float, price: float
) -> tuple[float, float]:
    """Hours and dollars of a run on rented GPUs."""
    hours = startup / 60 + n * epochs / (speed * gpus * efficiency) / 3600
    return hours, hours * gpus * price


def _runs(rng: np.random.Generator) -> Sequence[Case]:
    found = [(60_000, 20, 4_000.0, 1, 1.0, 6.0, 2.5), (1_200_000, 90, 2_500.0, 8, 0.9, 12.0, 3.0),
             (50_000, 200, 1_500.0, 4, 0.7, 0.0, 1.2)]  # fmt: skip
    for _ in range(2):
        gpus = int(rng.integers(2, 17))
        found.append((int(rng.integers(10_000, 500_000)), int(rng.integers(5, 50)), float(rng.integers(500, 5_000)),
                      gpus, float(rng.integers(50, 95)) / 100, float(rng.integers(2, 20)),
                      float(rng.integers(5, 40)) / 10))  # fmt: skip
    return [Case(*run, about=f"{run[3]} GPU{'s' * (run[3] > 1)}") for run in found]


_Bill = Callable[[int, int, float, int, float, float, float], float]


def _hours(training: Callable[..., float], start: Callable[[float], float] = lambda s: s / 60) -> _Bill:
    """Hours from the seconds of the training, and from the minutes of the start."""
    return lambda n, e, v, g, eff, s, p: start(s) + training(n, e, v, g, eff) / 3600


BILL_PARTS = {
    "hours": (
        Trap(_hours(lambda n, e, v, g, eff: n * e / (v * g * eff), lambda s: 0),
             "The minutes before the training starts are missing. They are paid for, too."),
        Trap(_hours(lambda n, e, v, g, eff: n * e / (v * g * eff), lambda s: s),
             "`startup` is in minutes, and you add it as hours."),
        Trap(_hours(lambda n, e, v, g, eff: n * e / (v * g * eff), lambda s: s / 3600),
             "`startup` is in minutes, and you treat it as seconds."),
        Trap(_hours(lambda n, e, v, g, eff: n / (v * g * eff)), "This is one epoch."),
        Trap(_hours(lambda n, e, v, g, eff: n * e / (v * g)),
             "This many GPUs would do it if none of them ever waited. Together they do `gpus * efficiency` times the "
             "work of one."),
        Trap(_hours(lambda n, e, v, g, eff: n * e / v), "This is the time of one GPU."),
        Trap(_hours(lambda n, e, v, g, eff: n * e / (v * eff)), "The number of GPUs is missing."),
        Trap(_hours(lambda n, e, v, g, eff: n * e * eff / (v * g)),
             "A low efficiency makes the run *longer*. You multiply by it where you should divide."),
        Trap(_hours(lambda n, e, v, g, eff: n * e * g / (v * eff)), "More GPUs make the run shorter, not longer."),
        Trap(_hours(lambda n, e, v, g, eff: n * e / (v * (1 + (g - 1) * eff))),
             "You count the first GPU in full and the others by the efficiency. It is that of all: together they do "
             "`gpus * efficiency` times the work of one."),
        Trap(lambda n, e, v, g, eff, s, p: s * 60 + n * e / (v * g * eff), "These are seconds. Hours are asked for."),
        Trap(lambda n, e, v, g, eff, s, p: s + n * e / (v * g * eff) / 60, "These are minutes. Hours are asked for."),
        Trap(lambda n, e, v, g, eff, s, p: (s / 60 + n * e / v / 3600) / (g * eff),
             "The start is divided among the GPUs, too. It takes as long with many as with one."),
        Trap(_hours(lambda n, e, v, g, eff: n * e / (v * g * eff), lambda s: -s / 60),
             "The start is subtracted. It comes before the training."),
        Trap(lambda n, e, v, g, eff, s, p: s / 60 + n * e / (v * g * eff),
             "The training's time is in seconds here, and the start's in hours. Divide by 3600."),
        Trap(lambda n, e, v, g, eff, s, p: bill(n, e, v, g, eff, s, p)[0] * g,
             "These are GPU hours, those of all GPUs added up. They work at the same time: how long is the run?"),
        Trap(lambda n, e, v, g, eff, s, p: g * s / 60 + n * e / (v * g * eff) / 3600,
             "The start is counted once for each GPU. They start at the same time."),
        Trap(lambda n, e, v, g, eff, s, p: -(-bill(n, e, v, g, eff, s, p)[0] // 1),
             "The hours are rounded up. They are asked for as they come out."),
        Trap(lambda n, e, v, g, eff, s, p: round(bill(n, e, v, g, eff, s, p)[0], 2),
             "The hours are rounded. They are asked for as they come out."),
        Trap(lambda n, e, v, g, eff, s, p: s / 60 + n * e / (v * g * eff) / 60,
             "Seconds divided by 60 are minutes. An hour has 3600 seconds."),
    ),
    "dollars": (
        Trap(lambda n, e, v, g, eff, s, p: bill(n, e, v, g, eff, s, p)[0] * p,
             "This is the price of one GPU for that time. All of them are rented."),
        Trap(lambda n, e, v, g, eff, s, p: (bill(n, e, v, g, eff, s, p)[0] - s / 60) * g * p,
             "The time before the training starts is not paid here. The provider charges for it."),
        Trap(lambda n, e, v, g, eff, s, p: bill(n, e, v, g, eff, s, p)[0] * g * p * eff,
             "You pay for GPUs that wait as much as for those that work: no efficiency in the bill."),
        Trap(lambda n, e, v, g, eff, s, p: bill(n, e, v, g, eff, s, p)[0] * g * p / eff,
             "The efficiency is in the hours already. Here it is counted once more."),
        Trap(lambda n, e, v, g, eff, s, p: (s / 60 + g * (bill(n, e, v, g, eff, s, p)[0] - s / 60)) * p,
             "While they start, all GPUs are paid for, not one."),
        Trap(lambda n, e, v, g, eff, s, p: bill(n, e, v, g, eff, s, p)[0] * p / g,
             "The price is divided by the number of GPUs. It is that of *one* for an hour."),
        Trap(lambda n, e, v, g, eff, s, p: p * g, "This is the price of one hour of all GPUs. How many hours are it?"),
        Trap(lambda n, e, v, g, eff, s, p: bill(n, e, v, g, eff, s, p)[0] * 60 * g * p,
             "The price is for an hour, not for a minute."),
        Trap(lambda n, e, v, g, eff, s, p: bill(n, e, v, g, eff, s, p)[0] * 3600 * g * p,
             "The price is for an hour, not for a second."),
        Trap(lambda n, e, v, g, eff, s, p: -(-bill(n, e, v, g, eff, s, p)[0] // 1) * g * p,
             "The hours are rounded up. Here every second is paid for and no more."),
        Trap(lambda n, e, v, g, eff, s, p: -(-round(bill(n, e, v, g, eff, s, p)[0] * 3600, 6) // 1) / 3600 * g * p,
             "The seconds are rounded up. The bill is for exactly this time, parts of a second too."),
        Trap(lambda n, e, v, g, eff, s, p: round(bill(n, e, v, g, eff, s, p)[0] * g * p, 2),
             "Rounded to cents. Return what comes out."),
    ),
}  # fmt: skip

BILL = Problem(
    id="18.7",
    title="What does the run cost?",
    task=(
        "You have measured how many images a second one GPU trains. How many hours does a run on rented GPUs take, "
        "from the start of the rent to its end, and what does it cost?"
    ),
    spec=(
        "`n` images, each used in each of `epochs`; `speed` images a second on one GPU; `gpus` of them together do "
        "`gpus * efficiency` times as much; `startup` minutes pass before they train; `price` in dollars for one GPU "
        "and hour, paid for exactly this time, nothing rounded. Returns `hours` and `dollars`."
    ),
    stub='''def bill(n, epochs, speed, gpus, efficiency, startup, price):
    """Hours from start to end, and dollars for all GPUs."""
    hours, dollars = ..., ...
    return hours, dollars
''',
    answer="bill",
    lines=2,
    hints=(
        "Write the unit behind each number: images, images a second, minutes, dollars for a GPU and hour. Which of "
        "them does not change with the number of GPUs?",
        "Images in all, divided by images a second of all GPUs together, are seconds. The start is in minutes. All "
        "GPUs are rented from the first minute to the last.",
        "`hours = startup / ___ + n * epochs / (speed * ___ * ___) / ___` and `dollars = hours * ___ * price`",
    ),
    solution='''def bill(n, epochs, speed, gpus, efficiency, startup, price):
    """Hours from start to end, and dollars for all GPUs."""
    hours = startup / 60 + n * epochs / (speed * gpus * efficiency) / 3600
    dollars = hours * gpus * price
    return hours, dollars
''',
    why=(
        "With a perfect efficiency the training costs the same on any number of GPUs, and only the start becomes "
        "dearer. Whatever they wait for each other is paid for by all of them."
    ),
    judge=by_parts(bill, [_runs], BILL_PARTS),
)

PROBLEMS = (LARGE, ROWS, SAVE, SHIP, QUANTIZE, CHECK, BILL)
