"""One loop that trains: `fit(model, batches, epochs=5)`. It resumes exactly, and says clearly why it had to stop."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from gpucourse import checkpoint as files
from gpucourse.backend import torch_device
from gpucourse.errors import CourseError
from gpucourse.schedules import Schedule, constant
from gpucourse.scores import Loss, Scores, accuracy, evaluate

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
ON_GPU_REPORT_EVERY = 20   # reading a loss makes the host wait for the device


class Diverged(CourseError):
    """The loss or a weight is no longer a finite number."""


class OutOfMemory(CourseError):
    """A step did not fit into the device's memory."""


@dataclass(frozen=True)
class Step:
    """What `on_step` is told: the steps done, how many there will be, the epoch from 0, the loss, the learning rate."""

    number: int
    of: int
    epoch: int
    loss: float
    rate: float


@dataclass
class History:
    """What happened: the loss and learning rate of every step, scores after some steps, and why the training ended."""

    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    scores: list[tuple[int, Scores]] = field(default_factory=list)
    stopped: str = ""

    @property
    def best(self) -> tuple[int, Scores]:
        """The step and scores with the smallest validation loss. Raises CourseError where nothing was evaluated."""
        if not self.scores:
            raise CourseError("this training evaluated nothing: give fit(..., validation=batches)")
        return min(self.scores, key=lambda pair: pair[1].loss)

    def __repr__(self) -> str:
        return f"{len(self.losses):,} steps, {len(self.scores)} evaluations; {self.stopped or 'running'}"


def fit(
    model: nn.Module, batches: Any, *, epochs: int | None = None, steps: int | None = None,
    optimizer: torch.optim.Optimizer | None = None, loss: Loss = F.cross_entropy, metric: Loss = accuracy,
    schedule: Schedule = constant, clip: float | None = None, precision: str = "float32",
    validation: Any = None, evaluate_every: int | None = None, patience: int | None = None,
    checkpoint: Path | str | None = None, save_every: int | None = None, resume: bool = False,
    seed: int | None = 0, device: torch.device | str | None = None, report_every: int | None = None,
    on_step: Callable[[Step], object] | None = None, progress: bool = True,
) -> History:  # fmt: skip
    """Train `model` in place for `epochs` passes over `batches`, or for `steps` batches, and return what happened.

    `batches`, `validation`: yield (inputs, targets) each time they are iterated over, as a DataLoader or `Batches`.
    `loss(outputs, targets)`: one number to make small; `metric`, likewise, is for evaluations only.
    `optimizer`: default Adam with rate 0.001; `schedule` maps the share done, 0 to 1, to a factor of its rate.
    `clip`: the largest norm of all gradients together. `precision`: "float32", or "bfloat16", "float16" by autocast.
    `validation` is evaluated after every epoch or `evaluate_every` steps; after `patience` evaluations in a row that
        bring no smaller loss the training stops, and the model gets its best weights back.
    `checkpoint`: a file, written after every epoch or `save_every` steps. With `resume` the training goes on from it,
        if it exists; on a CPU it then ends with the weights, bit for bit, that it would have had. Without `resume` an
        older file is kept as NAME.previous.
    `seed`: for all random numbers at the start; None leaves them. `on_step(Step)` is called after every
        `report_every` steps (1; on a GPU 20, since the loss must be fetched).

    Raises Diverged where the loss or a weight is not finite, OutOfMemory, BadCheckpoint, and CourseError for
    arguments that cannot be.
    """
    device = torch.device(device or torch_device())
    total = _total(batches, epochs, steps)
    _require(precision in PRECISIONS, f"precision {precision!r}; there are {', '.join(PRECISIONS)}")
    _require(patience is None or validation is not None, "patience needs validation=batches to judge by")
    model.to(device)
    run = _Run(model, optimizer or torch.optim.Adam(model.parameters(), 1e-3), device, total, precision)
    run.path = Path(checkpoint) if checkpoint else None
    run.report_every, run.on_step = report_every or (1 if device.type == "cpu" else ON_GPU_REPORT_EVERY), on_step
    evaluate_every, save_every = evaluate_every or _length(batches) or total, save_every or _length(batches) or total
    run.start(seed, resume)
    with _clear_errors(run), run.bar(progress):
        while run.step < total and not run.history.stopped:
            for inputs, targets in run.epoch_of(batches):
                model.train()
                inputs, targets = inputs.to(device, non_blocking=True), targets.to(device, non_blocking=True)
                run.begin(schedule, inputs)
                with torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "float32"):
                    value = loss(model(inputs), targets)
                run.note(value)
                run.descend(value, clip)
                if validation is not None and run.due(evaluate_every):
                    run.judge(evaluate(model, validation, loss=loss, metric=metric, device=device), patience)
                if run.due(save_every):
                    run.save()
                if run.step == total or run.history.stopped:
                    break
    return run.finish(patience)


class _Run:
    """A training while it runs: what changes with every step, and what a checkpoint holds of it."""

    path: Path | None
    report_every: int
    on_step: Callable[[Step], object] | None

    def __init__(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device, total: int, precision: str
    ) -> None:
        self.model, self.optimizer, self.device, self.total = model, optimizer, device, total
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "float16")
        self.step = self.epoch = self.batch = self.saved_at = 0    # done so far; `batch` counts within the epoch
        self.history, self.unread = History(), list[Tensor]()      # losses that still lie on the device
        self.best: dict[str, Tensor] | None = None                 # the weights with the smallest validation loss
        self.input_shape: tuple[int, ...] = ()
        self.epoch_began: dict[str, Any] = {}                      # the random numbers' state then
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])

    def start(self, seed: int | None, resume: bool) -> None:
        """Seed, or go on from the checkpoint."""
        if self.path and resume and self.path.exists():
            return self.restore()
        if self.path:
            files.keep_previous(self.path)
        if seed is not None:
            files.seed_all(seed)

    @contextmanager
    def bar(self, progress: bool) -> Iterator[None]:
        """Show a progress bar."""
        hidden = not progress
        with tqdm(total=self.total, initial=self.step, disable=hidden, unit="step", file=sys.stderr) as self.shown:
            yield

    def epoch_of(self, batches: Any) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield an epoch's batches. A resumed one is drawn again from its beginning, and what is done is skipped."""
        skip, now = self.batch, files.random_state()
        if skip:
            files.set_random_state(self.epoch_began)
        else:
            self.epoch_began = now
        iterator = iter(batches)
        if skip:
            for _ in range(skip):
                next(iterator, None)
            files.set_random_state(now)
        yield from iterator
        _require(self.batch > 0, "batches yields nothing; a generator can be read only once, a list or Batches again")
        self.epoch, self.batch = self.epoch + 1, 0

    def begin(self, schedule: Schedule, inputs: Tensor) -> None:
        """Note what the step is about to take in, and lay the schedule's factor on each group's learning rate."""
        self.input_shape = tuple(inputs.shape)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * schedule(self.step / self.total)

    def note(self, value: Tensor) -> None:
        """Keep the loss of the step that begins; on a CPU look at it before it can do harm."""
        _require(value.ndim == 0, f"the loss has shape {tuple(value.shape)}; it must be one number: take its mean")
        self.unread.append(value.detach())
        self.history.rates.append(self.optimizer.param_groups[0]["lr"])
        if self.device.type == "cpu":
            self.read()

    def descend(self, value: Tensor, clip: float | None) -> None:
        """Change the weights; tell whoever wants to know."""
        self.optimizer.zero_grad()
        self.scaler.scale(value).backward()
        if clip is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step, self.batch = self.step + 1, self.batch + 1
        self.shown.update()
        if self.due(self.report_every):
            self.read()
            self.shown.set_postfix_str(f"loss {self.history.losses[-1]:.4f}", refresh=False)
            if self.on_step:
                self.on_step(Step(self.step, self.total, self.epoch, self.history.losses[-1], self.history.rates[-1]))

    def read(self) -> None:
        """Fetch the losses from the device. Raises Diverged where one is not finite."""
        before = len(self.history.losses)
        self.history.losses += torch.stack(self.unread).tolist() if self.unread else []
        self.unread = []
        for number, loss in enumerate(self.history.losses[before:], before):
            if not math.isfinite(loss):
                raise Diverged(
                    f"the loss is {loss} at step {number + 1} of {self.total}, with learning rate "
                    f"{self.history.rates[number]:g}. {self.kept()} Try a smaller rate, or clip=1, "
                    "and look for nan in the inputs"
                )

    def due(self, every: int) -> bool:
        """Whether the last step is one of every so many, or the last of all."""
        return self.step % every == 0 or self.step == self.total

    def judge(self, scores: Scores, patience: int | None) -> None:
        """Note the scores, keep the weights if they are the best so far, and stop if that was too long ago."""
        self.history.scores.append((self.step, scores))
        if self.history.best[0] == self.step:
            self.best = deepcopy(self.model.state_dict())
        since = len(self.history.scores) - 1 - [step for step, _ in self.history.scores].index(self.history.best[0])
        if patience is not None and since >= patience:
            self.history.stopped = (f"stopped early at step {self.step}: no smaller validation loss in {since} "
                                    f"evaluations since step {self.history.best[0]}")  # fmt: skip

    def kept(self) -> str:
        """Say which state is safe."""
        if self.path and self.saved_at:
            return f"The checkpoint of step {self.saved_at} is in {self.path}: resume=True goes on from it."
        return "No checkpoint was written: give checkpoint=FILE to keep one."

    def save(self) -> None:
        """Write the checkpoint, if one was asked for. Raises Diverged rather than keep weights that are not finite."""
        if not self.path:
            return
        self.read()
        for name, value in self.model.state_dict().items():
            if value.is_floating_point() and not bool(value.isfinite().all()):
                raise Diverged(f"`{name}` is not finite after step {self.step} of {self.total}. {self.kept()} "
                               "Try a smaller learning rate, or clip=1")  # fmt: skip
        files.save(self.path, {
            "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "best": self.best,
            "scaler": self.scaler.state_dict(), "step": self.step, "epoch": self.epoch, "batch": self.batch,
            "losses": self.history.losses, "rates": self.history.rates, "stopped": self.history.stopped,
            "scores": [(step, asdict(scores)) for step, scores in self.history.scores],
            "random": files.random_state(), "epoch_began": self.epoch_began,
        })  # fmt: skip
        self.saved_at = self.step

    def restore(self) -> None:
        """Become what the checkpoint holds."""
        assert self.path is not None
        stored = files.load(self.path)    # on the CPU: random states must stay there, load_state_dict moves the rest
        files.require_same_shapes(self.path, stored["model"], self.model)
        self.model.load_state_dict(stored["model"])
        _load_optimizer(self.optimizer, stored["optimizer"], self.path)
        self.scaler.load_state_dict(stored["scaler"])
        self.step, self.epoch, self.batch = stored["step"], stored["epoch"], stored["batch"]
        self.saved_at, self.best, self.epoch_began = self.step, stored["best"], stored["epoch_began"]
        scores = [(step, Scores(**one)) for step, one in stored["scores"]]
        self.history = History(stored["losses"], stored["rates"], scores, stored["stopped"])
        files.set_random_state(stored["random"])

    def finish(self, patience: int | None) -> History:
        """Save the end, say how it came, and with `patience` give the model its best weights."""
        self.read()
        if self.saved_at != self.step:
            self.save()
        if patience is not None and self.best is not None:
            self.model.load_state_dict(self.best)
        self.history.stopped = self.history.stopped or f"done after {self.step:,} steps"
        return self.history


def _load_optimizer(optimizer: torch.optim.Optimizer, stored: dict[str, Any], path: Path) -> None:
    rates = [group["initial_lr"] for group in optimizer.param_groups]
    try:
        optimizer.load_state_dict(stored)
    except (ValueError, KeyError) as error:
        raise files.BadCheckpoint(f"{path} belongs to another optimizer ({error}). Build the same one, or give "
                                  "another path") from None  # fmt: skip
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["initial_lr"] = rate        # what this call asks for holds


def _total(batches: Any, epochs: int | None, steps: int | None) -> int:
    """The number of steps, from either of the two."""
    _require((epochs is None) != (steps is None), f"epochs={epochs} and steps={steps}; give one of the two")
    asked = epochs if steps is None else steps
    _require(isinstance(asked, int) and asked >= 1, f"{'epochs' if steps is None else 'steps'}={asked}; at least 1")
    length = _length(batches)
    _require(length != 0, "batches is empty")
    if steps is not None:
        return steps
    _require(length is not None, "batches has no length, so epochs cannot be counted: give steps=")
    assert length is not None and epochs is not None
    return epochs * length


def _length(batches: Any) -> int | None:
    return len(batches) if hasattr(batches, "__len__") else None


def _require(holds: bool, found: str) -> None:
    if not holds:
        raise CourseError(f"fit: {found}")


@contextmanager
def _clear_errors(run: _Run) -> Iterator[None]:
    """Turn an exhausted memory into OutOfMemory, once the failed step's tensors have been let go."""
    found = ""
    try:
        yield
    except (RuntimeError, MemoryError) as error:   # torch.OutOfMemoryError is a RuntimeError
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        found = str(error).splitlines()[0][:200]
    if found:
        run.optimizer.zero_grad()
        raise OutOfMemory(
            f"step {run.step + 1} of {run.total}, inputs of shape {run.input_shape}, did not fit into memory: {found} "
            f"{run.kept()} Try a batch of half the size, or precision='bfloat16'"
        )
