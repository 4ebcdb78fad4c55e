"""The training-curves explorer: the loss step by step and what the validation said; afterwards, or live."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gpucourse.show import here
from gpucourse.viz import explorer, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gpucourse.scores import Scores
    from gpucourse.train import History, Step

    Evaluations = Sequence[tuple[int, Scores]]

WINDOWS = (1, 5, 10, 20, 50, 100, 200)
PAUSE = 0.5     # seconds between two drawings of the live curves
SHARE = 0.15    # of the training's time, at most, that drawing takes


@dataclass
class Record:
    """What a training has told: the losses of the steps in `numbers`, of `of` in all, and scores after some steps."""

    numbers: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    scores: Evaluations = ()
    of: int | None = None

    def add(self, step: Step) -> None:
        """Note a step; one whose number is not new begins another training."""
        if self.numbers and step.number <= self.numbers[-1]:
            self.numbers, self.losses, self.scores = [], [], ()
        self.numbers.append(step.number)
        self.losses.append(step.loss)
        self.of = step.of

    @property
    def last(self) -> int:
        """The number of the last step that was told; 0 before the first."""
        return self.numbers[-1] if self.numbers else 0

    @property
    def rated(self) -> bool:
        """Whether the metric is an accuracy: of a forecast it is the loss itself, and says nothing more."""
        return any(scores.metric != scores.loss for _, scores in self.scores)

    @property
    def finite(self) -> np.ndarray:
        """Where a loss is a number: neither nan nor infinite."""
        return np.isfinite(np.array(self.losses, float))


def whole(losses: Sequence[float], scores: Evaluations = (), of: int | None = None) -> Record:
    """Make the record of a training whose every step's loss is known."""
    return Record(list(range(1, len(losses) + 1)), [float(loss) for loss in losses], list(scores), of)


def smoothed(numbers: Sequence[int], losses: Sequence[float], window: int) -> np.ndarray:
    """Return at each step the mean of the finite losses of the last `window` steps; nan where there is none.

    >>> smoothed([1, 2, 3, 4], [8, 4, 2, 2], 2).tolist()
    [8.0, 6.0, 3.0, 2.0]
    """
    values, steps = np.array(losses, float), np.array(numbers, int)
    finite = np.isfinite(values)
    sums = np.append(0.0, np.cumsum(np.where(finite, values, 0.0)))
    counts = np.append(0, np.cumsum(finite))
    first = np.searchsorted(steps, steps - window, side="right")
    last = np.arange(1, len(values) + 1)
    count = counts[last] - counts[first]
    return np.where(count > 0, (sums[last] - sums[first]) / np.maximum(count, 1), np.nan)


# --- words -------------------------------------------------------------------------------------------


def said(record: Record, window: int = 20) -> str:
    """Say what the curves show; what depends on the training stands between ⟨ and ⟩."""
    if not record.numbers:
        return "No step has been taken yet; the curves appear here while the training runs."
    of = f" of {record.of:,}" if record.of and record.of != record.last else ""
    start = f"After {_many(record.last, 'step')}{of}"
    start += f" and {_many(len(record.scores), 'evaluation')}: " if record.scores else ": "
    facts = [*_about_the_losses(record, window), *_about_the_scores(record)]
    return start + here("; ".join(facts)) + "."


def _about_the_losses(record: Record, window: int) -> list[str]:
    means, finite = smoothed(record.numbers, record.losses, window), record.finite
    facts = []
    if finite.any():
        name = "the loss" if window == 1 else f"the mean loss of {window} steps"
        known = means[np.isfinite(means)]
        facts.append(f"{name} went from {known[0]:.3g} to {known[-1]:.3g}")
    if not finite.all():
        first = record.numbers[int(np.argmin(finite))]
        facts.append(f"{np.count_nonzero(~finite):,} of the losses are nan or infinite, the first at step {first:,}")
    return facts


def _about_the_scores(record: Record) -> list[str]:
    known = [(step, scores) for step, scores in record.scores if math.isfinite(scores.loss)]
    if not known:
        return ["no validation loss is a number"] if record.scores else []
    step, best = min(known, key=lambda pair: pair[1].loss)
    facts = [f"the validation loss was smallest after step {step:,}, {best.loss:.3g}"]
    return facts + [f"the last accuracy is {record.scores[-1][1].metric:.1%}"] * record.rated


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


# --- picture -----------------------------------------------------------------------------------------


def drawn(record: Record, window: int = 20, log: bool = False) -> tuple[Figure, str]:
    """Draw a record: losses on the left and, where accuracies were evaluated, these on the right."""
    if window < 1:
        raise ValueError(f"smoothing={window}: a mean of at least 1 step")
    columns = 2 if record.rated else 1
    fig, axes = picture.new(8.4 if columns == 2 else 7.2, 3.3, columns=columns, squeeze=False)
    _losses(axes[0, 0], record, window, log)
    if record.rated:
        _accuracies(axes[0, 1], record)
    for ax in axes.flat:
        ax.set(xlim=(0, max(record.of or 0, record.last, 1) * 1.02), xlabel="step")
        ax.xaxis.get_major_locator().set_params(integer=True, nbins=6)
    return fig, said(record, window)


def _losses(ax: Axes, record: Record, window: int, log: bool) -> None:
    """The loss of each step, its mean over the window, and the validation's."""
    losses = np.where(record.finite, np.array(record.losses, float), np.nan)
    means = np.where(record.finite, smoothed(record.numbers, record.losses, window), np.nan)
    steps, judged = [step for step, _ in record.scores], [scores.loss for _, scores in record.scores]
    dots = "o" if len(losses) == 1 else ""
    if window > 1:
        ax.plot(record.numbers, losses, color="#B0B0B0", linewidth=0.8, label="each step")
    name = "each step" if window == 1 else f"mean of {window} steps"
    ax.plot(record.numbers, means, dots + "-", color=picture.COLORS["blue"], label=name)
    if steps:
        ax.plot(steps, judged, "o--", color=picture.COLORS["red"], markersize=5, label="validation")
    _scale(ax, np.concatenate([losses, np.array(judged, float)]), log)
    ax.set_title("loss", loc="left")
    if record.numbers:
        ax.legend(loc="upper right", fontsize=9)
    else:
        ax.text(0.5, 0.5, "the curves appear here\nwhile the training runs", ha="center", va="center",
                transform=ax.transAxes, color=picture.COLORS["grey"])  # fmt: skip


def _scale(ax: Axes, values: np.ndarray, log: bool) -> None:
    """From 0 upward, or logarithmic where some value is above 0."""
    known = values[np.isfinite(values) & (values > 0)]
    if log and len(known):
        ax.set(yscale="log", ylim=(known.min() / 1.5, known.max() * 1.5))
        ax.yaxis.set_minor_formatter("")
    else:
        ax.set_ylim(min(0.0, float(np.nanmin(values, initial=0.0))), 1.08 * float(known.max()) if len(known) else 1.0)


def _accuracies(ax: Axes, record: Record) -> None:
    """The validation's accuracies, in percent; the last one as a number beside its point."""
    steps, percents = zip(*((step, 100 * scores.metric) for step, scores in record.scores), strict=True)
    ax.plot(steps, percents, "o-", color=picture.COLORS["green"], markersize=5)
    known = np.array([one for one in percents if math.isfinite(one)])
    if len(known):
        span = max(float(known.max() - known.min()), 1.0)
        ax.set_ylim(known.min() - 0.15 * span, known.max() + 0.25 * span)
    ax.set_title(f"validation accuracy (%), last: {percents[-1]:.1f}", loc="left")


# --- to be called ------------------------------------------------------------------------------------


def draw(
    losses: Sequence[float], scores: Evaluations = (), smoothing: int = 20, log: bool = False, steps: int | None = None
) -> tuple[Figure, str]:
    """Return the figure and the sentence; arguments as `training_curves`."""
    return drawn(whole(losses, scores, steps), smoothing, log)


def training_curves(
    losses: Sequence[float], scores: Evaluations = (), smoothing: int = 20, log: bool = False, steps: int | None = None
) -> None:
    """Print what a training's curves show, and show them.

    `losses`: one number a step; nan and infinity are gaps. `scores`: pairs (step, Scores), as in `History.scores`.
    `smoothing`: steps that a point of the smooth line is the mean of. `log`: a logarithmic axis. `steps`: where the
    axis ends, if the training was cut short. ValueError for a smoothing below 1.
    """
    explorer.show(draw, losses=losses, scores=scores, smoothing=smoothing, log=log, steps=steps)


class LiveCurves(explorer.Explorer):
    """Curves that grow while the training runs: `fit(..., on_step=curves.on_step)`, then `curves.finish(history)`.

    A drawing comes half a second after the last one at the earliest, later where drawing is slow: it takes at most 15 %
    of the training's time. The last step is always drawn.
    JupyterLab may move a control in another thread while the cell trains: a lock keeps the drawings apart.
    """

    def __init__(self, record: Record, clock: Callable[[], float], **controls: explorer.Control) -> None:
        self.record, self._clock, self._due, self._lock = record, clock, clock() + PAUSE, threading.RLock()
        super().__init__("training curves", self._drawn, **controls)

    def _drawn(self, smoothing: int, log: bool) -> tuple[Figure, str]:
        return drawn(self.record, smoothing, log)

    def _redraw(self, change: object = None) -> None:
        with self._lock:
            super()._redraw(change)

    def on_step(self, step: Step) -> None:
        """Note the step's loss; draw, if it is time."""
        with self._lock:
            self.record.add(step)
            began = self._clock()
            if began >= self._due or step.number == step.of:
                self._redraw()
                ended = self._clock()
                self._due = ended + max(PAUSE, (ended - began) * (1 / SHARE - 1))

    def finish(self, history: History) -> None:
        """Draw all that the training told, with its evaluations."""
        with self._lock:
            self.record = whole(history.losses, history.scores, self.record.of)
            self._redraw()


class StillCurves:
    """What stands in for the live curves without ipywidgets: one picture, at the end."""

    def __init__(self, record: Record, smoothing: int, log: bool) -> None:
        self.record, self._look = record, (smoothing, log)
        if record.numbers:
            self._show()

    def __repr__(self) -> str:
        return "<explorer: training curves>"

    def on_step(self, step: Step) -> None:
        """Note the step's loss."""
        self.record.add(step)

    def finish(self, history: History) -> None:
        """Show the picture."""
        self.record = whole(history.losses, history.scores, self.record.of)
        self._show()

    def _show(self) -> None:
        picture.show(*drawn(self.record, *self._look))


def explore(
    losses: Sequence[float] = (), scores: Evaluations = (), steps: int | None = None, smoothing: int = 20,
    log: bool = False, clock: Callable[[], float] = time.monotonic,
) -> LiveCurves | StillCurves:
    """Curves with a control for the smoothing and the scale; empty ones grow by their `on_step`.

    `steps`: how many the training will take, if that is known. `clock` tells seconds.
    """
    record = whole(losses, scores, steps)
    with explorer.may_lack_ipywidgets():
        return LiveCurves(
            record, clock,
            smoothing=explorer.steps(smoothing, sorted({*WINDOWS, smoothing}), "mean of so many steps"),
            log=explorer.switch(log, "logarithmic loss axis"),
        )  # fmt: skip
    print("The training curves grow only with ipywidgets (pip install ipywidgets); here they come as one picture.",
          file=sys.stderr)  # fmt: skip
    return StillCurves(record, smoothing, log)
