"""The judge of PyTorch code: probes run the answer on something small whose right result is known by another way.

    def counts_every_example(ask: Ask, seed: int) -> str:
        model, data = two_unequal_batches(seed)
        got = ask(model, data)                 # the learner's function; an error in it is told as its own
        if near(got, share_right(model, data)):
            return ""                          # nothing wrong here
        if near(got, mean_of_batch_shares(model, data)):
            return "The last batch is smaller, and its examples count for more here. Count right answers, not shares."
        return f"2 of 3 test digits are read correctly, {2 / 3:.4f}; evaluate gives {got:.4f}."

    judge=by_probes(("model", "batches"), counts_every_example, in_eval_mode)
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpucourse.exercises import guard, signature
from gpucourse.exercises.kinds import called
from gpucourse.exercises.outcome import NotAttempted, Wrong

Probe = Callable[["Ask", int], str]


@dataclass(frozen=True)
class Ask:
    """Calls the answer. `answer` is what the learner handed over, for probes that look at a class or a module."""

    answer: Any
    name: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the answer returns; `...` in it means that it was not attempted."""
        value = guard.call(self.answer, args, kwargs, self.name).value
        if value is ... or (isinstance(value, tuple | list) and any(part is ... for part in value)):
            raise NotAttempted()
        return value

    def inside(self, function: Callable[[], Any], where: str) -> Any:
        """Call `function`, which runs the learner's code in another way; `where` says in words what it does."""
        return guard.call(function, (), {}, where).value


def by_probes(parameters: tuple[str, ...], *probes: Probe) -> ByProbes:
    """Return a judge that runs `probes` in order; the first message that is not empty is what the learner reads.

    `parameters` are the names that the exercise gives to the answer's parameters; an answer that cannot be called
    with so many is told so. A probe is given `ask`, which calls the answer, and a seed from the problem's id.
    """
    return ByProbes(parameters, probes)


@dataclass(frozen=True)
class ByProbes:
    """The judge that `by_probes` returns."""

    parameters: tuple[str, ...]
    probes: tuple[Probe, ...]

    def prepare(self) -> None:
        """Import PyTorch before the clock starts: on a slow machine that alone takes as long as a check may."""
        with contextlib.suppress(ImportError):
            import torch  # noqa: F401

    def __call__(self, answer: Any, *, xp: Any = np, seed: int = 0, name: str = "your function") -> None:
        """Raise Wrong, NotAttempted or guard.Raised unless every probe is content."""
        if answer is ...:
            raise NotAttempted()
        if not callable(answer):
            raise Wrong(f"{name} should be a function or a class but is {called(answer)}. "
                        "Hand it over by its name, without parentheses.")  # fmt: skip
        signature.check_parameters(answer, self.parameters, {}, list(self.parameters), name)
        for probe in self.probes:
            message = _with_own_chance(probe, Ask(answer, name), seed)
            if message:
                raise Wrong(message)


def _with_own_chance(probe: Probe, ask: Ask, seed: int) -> str:
    """Run a probe, which may seed PyTorch's random numbers; the notebook's go on as if nothing had happened."""
    try:
        from torch.random import fork_rng
    except ImportError:      # this machine's probes need no PyTorch
        return probe(ask, seed)
    with fork_rng(devices=[]):
        return probe(ask, seed)
