"""Says which element of an output two threads write, where each should have one."""

from __future__ import annotations

import numpy as np

from gpucourse.exercises.kernel_diagnoses import Trial, idle, people
from gpucourse.exercises.kernel_runs import Ints, Witness


def written_by_two(trial: Trial) -> str | None:
    """Return the sentence about the first element that several threads write, or None."""
    for name in trial.launch.due:
        for witness, touches in trial.touches(name):
            mine = touches.where(touches.writes & ~touches.outside)
            pairs = np.unique(np.stack([mine.index, mine.thread]), axis=1)
            number, first, count = np.unique(pairs[0], return_index=True, return_counts=True)
            twice = np.flatnonzero(count > 1)
            if len(twice):
                at = int(first[twice[0]])
                threads = pairs[1, at : at + 2]
                stray = threads[idle(witness, trial.launch, threads)]
                who = " and ".join(people(witness, t) for t in threads[:, None])
                text = f"element {int(number[twice[0]])} of `{name}` is written by {who} ({trial.launch.about})"
                why = _cause(witness, stray)
                return f"The results happen to be right, but {text}.{why} Each element should have one thread."
    return None


def _cause(witness: Witness, stray: Ints) -> str:
    if not len(stray):
        return ""
    return (f" {people(witness, stray[:1]).capitalize()} has no element of its own, and the guard lets it pass: in two "
            "dimensions it has to ask about x and about y.")  # fmt: skip
