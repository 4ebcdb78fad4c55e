"""Times each rung of `training_loops`: an epoch, and the training to a fixed test accuracy (lesson 14).

What is timed is the training: from the moment a rung is ready until the end of the first epoch after which the test
accuracy is the goal's. Testing is not timed. What a rung prepares (data, compiler, graph) is told beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpucourse.benchmarks.case import FULL, Case, Machine, Measured, NotHere, Sizes, ready
from gpucourse.errors import CourseError
from gpucourse.timing import Timing

if TYPE_CHECKING:
    from gpucourse.benchmarks.training_loops import Rung, Task

FULL_DIGITS = Path.home() / ".cache" / "gpucourse" / "MNIST" / "raw" / "train-images-idx3-ubyte"


class MissedGoal(CourseError):
    """A training did not reach the test accuracy that was asked for: its time would be worth nothing."""


@dataclass
class Training:
    """What came of one training: seconds of preparation and of each epoch, the test accuracy after each epoch."""

    preparation: float = 0.0
    epochs: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The time of all epochs."""
        return sum(self.epochs)


def training_ladder(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Each rung's epoch, and its training to the goal for three seeds, as shares of the textbook's.

    A CPU learns the embedded digits to 98 %; a GPU all of MNIST to 99 %, where `digits(full=True)` has fetched it.
    """
    from gpucourse.benchmarks.training_loops import RUNGS

    task = task_for(machine)
    for name, rung in RUNGS.items():
        trainings = Trainings(name, rung, task, machine, seeds=3 if sizes.repeat >= FULL.repeat else 2)
        for what, work, unit, call in (
            ("one epoch", rung.images(task), "image", trainings.epoch),
            (f"to {task.goal:.0%}", 1, "training", trainings.to_goal),
        ):
            yield Case({"kernel": name, "what": what, "images": len(task.data.train)}, work, unit, ready(call),
                       keeps_time=True, share_of="" if name == "textbook" else "textbook")  # fmt: skip


def task_for(machine: Machine) -> Task:
    """Return what this machine is to learn; for the simulator a rehearsal of two batches."""
    import torch

    from gpucourse.benchmarks.training_loops import Task
    from gpucourse.data.images import digits

    if machine.kind == "gpu" and FULL_DIGITS.exists():
        return Task(digits(full=True), 0.99, torch.device("cuda"), size=1024, epochs=6, rate=0.02, falls_every=1)
    device = torch.device("cuda" if machine.kind == "gpu" else "cpu")
    if machine.kind == "simulator":
        return Task(digits(), 0.0, device, size=64).short()
    return Task(digits(), 0.98, device)


def train(
    name: str, rung: Rung, task: Task, seed: int,
    synchronize: Callable[[], object] = lambda: None, clock: Callable[[], float] = time.perf_counter,
) -> Training:  # fmt: skip
    """Train with one seed until the goal is reached. Raises MissedGoal where the rung ends before."""
    from gpucourse.checkpoint import seed_all
    from gpucourse.data.batches import Batches, tensors
    from gpucourse.scores import evaluate

    test = Batches(*tensors(task.data.test, task.device), 2000, shuffle=False)
    seed_all(seed)
    found, began = Training(), clock()
    for number, network in enumerate(rung.loop(task)):
        synchronize()
        lasted = clock() - began
        if number == 0:
            found.preparation = lasted
        else:
            found.epochs.append(lasted)
            found.accuracies.append(evaluate(network, test).metric)
            if found.accuracies[-1] >= task.goal:
                return found
        synchronize()
        began = clock()
    best = max(found.accuracies, default=0.0)
    raise MissedGoal(f"{name}: {best:.2%} at best in {len(found.epochs)} epochs with seed {seed}; "
                     f"{task.goal:.2%} is asked for")  # fmt: skip


@dataclass
class Trainings:
    """A rung's trainings, one for each seed, done when they are first asked for, after a short one to warm up."""

    name: str
    rung: Rung
    task: Task
    machine: Machine
    seeds: int

    def epoch(self) -> Measured:
        """The time of an epoch: the median of all epochs of all seeds."""
        return self._measured([seconds for run in self._runs() for seconds in run.epochs])

    def to_goal(self) -> Measured:
        """The time of a training: the median of the seeds."""
        return self._measured([run.seconds for run in self._runs()])

    def _measured(self, times: list[float]) -> Measured:
        runs = self._runs()
        details = {
            "goal": self.task.goal, "seeds": self.seeds, "smallest": _short(min(times)), "largest": _short(max(times)),
            "epochs": [len(run.epochs) for run in runs], "accuracies": [_short(run.accuracies[-1]) for run in runs],
            "warm-up": _short(self._outcome[0]), "preparation": [_short(run.preparation) for run in runs],
        }  # fmt: skip
        return Measured(Timing(tuple(times)), details)

    def _runs(self) -> list[Training]:
        if self.rung.needs_gpu and self.task.device.type != "cuda":
            raise NotHere("this rung needs a GPU")
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome[1]

    @cached_property
    def _outcome(self) -> Any:
        """Seconds of the warm-up and the trainings, or the error, which both cases tell."""
        try:
            return self._warm_up(), [
                train(self.name, self.rung, self.task, seed, self.machine.synchronize) for seed in range(self.seeds)
            ]
        except Exception as error:
            return error.with_traceback(None)       # whose frames would hold the device's memory

    def _warm_up(self) -> float:
        """Seconds of a short training: libraries are loaded, the compiler compiles."""
        began = time.perf_counter()
        for _ in self.rung.loop(self.task.short()):
            self.machine.synchronize()
        return time.perf_counter() - began


def _short(x: float) -> float:
    return float(f"{x:.4g}")
