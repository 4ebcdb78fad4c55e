'''The judge of kernels: launches an answer small, sanitized and in two schedules, and names the cause of a fault.

An answer is a RawKernel (the simulator's or CuPy's), `(module, "name")`, or a function that launches kernels.
A lesson describes small launches and what they must leave behind; a complete example:

    SCALE = """
    extern "C" __global__ void scale(const float* x, float* out, float a, int n) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) out[i] = a * x[i];
    }
    """

    def launch(n, blocks, threads, rng):
        x = rng.random(n, dtype=np.float32)
        args = {"x": x, "out": blank(n), "a": np.float32(3), "n": np.int32(n)}   # the kernel's parameters, in order
        return Launch((blocks,), (threads,), args, due={"out": np.float32(3) * x},
                      words=f"n = {n} in {blocks} blocks of {threads}")

    def launches(rng):   # n < 4, n no multiple of the block, more than two blocks, the block not always of one size
        return [launch(*shape, rng) for shape in ((3, 1, 32), (1000, 4, 256), (333, 6, 64))]

    judge = by_launches(
        launches,
        traps=[KernelTrap(lambda l: {"out": l.args["x"] + 3}, "This adds `a`; the task is to multiply by it.")],
        limits=[Limit("global_sectors", lambda l: 2 * -(-l.args["x"].nbytes // 32),
                      "The kernel touches {found} sectors; {limit} are enough.")],
    )
    Problem(id="03.2", answer="scale", judge=judge,
            stub=f'scale = cp.RawKernel(r"""...""", "scale")\\n', solution=..., ...)

`blank(shape, dtype)` makes an output: reading it is a fault. An array that is both read and written comes with its
content. Every array lies between margins of canaries, so that the whole launch is seen even if it strays.
For a function, `grid` and `block` are its own business: it is called with the values of `args`, and a name in `due`
that is no argument is what it returns. Its `cp` and its kernels are the simulator's while it is judged.

Order of verdicts: not attempted (the stub but for spaces and comments) - does not compile - other parameters -
missing guard - a loop left over - traps - out of bounds - endless loop - barriers - read before written - an input
changed - races - elements never written - wrong values - wrong in another order of warps - a variable without a
value - `functions` not used - limits.
On a GPU the launch whose `full` is set is then made at that size by the caller's own kernel and timed.
'''

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gpucourse.errors import CompileError, LaunchError
from gpucourse.exercises import blame, guard, kernel_runs
from gpucourse.exercises import limits as stops
from gpucourse.exercises.kernel_diagnoses import DIAGNOSES, Trial, under_another_order
from gpucourse.exercises.kernel_once import written_by_two
from gpucourse.exercises.kernel_runs import SEEDS, Launch, blank
from gpucourse.exercises.kernel_source import (
    Answer,
    answer_of,
    compile_message,
    compiled,
    fit_arguments,
    launch_text,
    unset_variable,
)
from gpucourse.exercises.outcome import NotAttempted, Wrong
from gpucourse.simt.sanitize import ENDLESS

__all__ = ["ByLaunches", "KernelTrap", "Launch", "Limit", "blank", "by_launches", "timed_at"]


@dataclass(frozen=True)
class KernelTrap:
    """A plausible mistake: `wrong(launch)` are the outputs that it leaves, by name, and its cause.

    nan stands for any wrong value, but some wrong element must be as the trap says. `filled`: the trap is not asked
    where the sanitizer has seen a place of memory read before it was written, as that is then the cause.
    """

    wrong: Callable[[Launch], Mapping[str, Any]]
    message: str
    filled: bool = False


@dataclass(frozen=True)
class Limit:
    """A number of `profile` that must not exceed `at_most`; `message` has {found} and {limit} in it."""

    counter: str
    at_most: int | float | Callable[[Launch], int | float]
    message: str

    def allowed(self, launch: Launch) -> int | float:
        """The limit for a launch."""
        return self.at_most(launch) if callable(self.at_most) else self.at_most


def timed_at(full: Callable[[], Launch], launches: Sequence[Launch]) -> list[Launch]:
    """Return the launches, the first of which is also made at the size of `full()` and timed where there is a GPU."""
    return [replace(launches[0], full=full), *launches[1:]]


def by_launches(
    make: Callable[[np.random.Generator], Sequence[Launch]],
    *,
    traps: Sequence[KernelTrap] = (),
    limits: Sequence[Limit] = (),
    functions: Sequence[str] = (),
    once: bool = False,
) -> ByLaunches:
    """Return a judge that makes the launches `make(rng)` with the answer's kernel and holds them against `due`.

    `traps` are named if they explain every output that differs. `limits` are held against `profile` once the results
    are right, `functions` are names that the CUDA C must then use, such as "atomicAdd". `once`: no element of an output
    may be written by two threads, not even if both write the same.
    """
    return ByLaunches(make, tuple(traps), tuple(limits), tuple(functions), once)


@dataclass(frozen=True)
class ByLaunches:
    """The judge that `by_launches` returns."""

    make: Callable[[np.random.Generator], Sequence[Launch]]
    traps: tuple[KernelTrap, ...] = ()
    limits: tuple[Limit, ...] = ()
    functions: tuple[str, ...] = ()
    once: bool = False

    def __call__(self, answer: Any, *, xp: Any = None, seed: int = 0, name: str = "kernel", stub: str = "") -> str:
        """Raise NotAttempted, Wrong or guard.Raised unless the answer is right; return its timing on a GPU, or ""."""
        made = answer_of(answer, name, stub)
        compiled(made)
        launches = self.all_cases(xp, seed)
        fit_arguments(made, launches[0].args)
        trials = self._trials(made, launches)
        print("".join(trial.sanitized.printed for trial in trials), end="")
        self._judge_runs(trials)
        self._judge_order(trials)
        self._judge_once(trials)
        self._judge_source(made)
        self._judge_limits(trials)
        return self._timing(made, launches, xp)

    def all_cases(self, xp: Any, seed: int) -> list[Launch]:
        """Return the launches for a seed."""
        return list(self.make(np.random.default_rng(seed)))

    def _trials(self, answer: Answer, launches: Sequence[Launch]) -> list[Trial]:
        """The launches under the sanitizer. An endless one is the last; after a race, no more are looked for."""
        trials: list[Trial] = []
        carry: kernel_runs.Carry = kernel_runs.sanitized
        for launch in launches:
            trials.append(self._trial(answer, launch, carry))
            if trials[-1].sanitized.found(ENDLESS):
                break
            if trials[-1].sanitized.found(*kernel_runs.RACES):
                carry = kernel_runs.plain   # a race of all threads with all takes long to follow
        return trials

    def _trial(self, answer: Answer, launch: Launch, carry: kernel_runs.Carry) -> Trial:
        try:
            run = kernel_runs.run(answer, launch, carry)
        except guard.Raised as raised:
            raise _said(raised) from None
        except stops.TimedOut as stop:
            stop.where = f"{answer.name}, {launch.about},"
            raise
        if run.returned is ...:
            raise NotAttempted()
        if answer.kernel is None and not run.calls:
            raise Wrong(f"{answer.name} launched no kernel ({launch.about}).")
        return Trial(answer, launch, run)

    def _judge_runs(self, trials: list[Trial]) -> None:
        if all(not t.sanitized.findings and not t.wrong and not t.sanitized.changed() for t in trials):
            return
        for diagnose in DIAGNOSES:
            message = diagnose(trials, self.traps)
            if message:
                raise Wrong(message)
        finding = next(finding for trial in trials for _, finding in trial.sanitized.findings)
        raise Wrong(f"{finding.kind}: {finding.message}")

    def _judge_order(self, trials: list[Trial]) -> None:
        for trial in trials:
            for seed in SEEDS:
                run = kernel_runs.run(trial.answer, trial.launch, kernel_runs.adversarial(seed))
                message = under_another_order(trial, run)
                if message:
                    raise Wrong(message)

    def _judge_once(self, trials: list[Trial]) -> None:
        for trial in trials if self.once else ():
            message = written_by_two(trial)
            if message:
                raise Wrong(message)

    def _judge_source(self, answer: Answer) -> None:
        unset = unset_variable(answer)
        if unset:
            raise Wrong(f"The results happen to be right, but {unset}")
        text = "\n".join(re.sub(r"//[^\n]*|/\*.*?\*/", " ", s, flags=re.DOTALL) for s in answer.sources)
        for name in self.functions:
            if not re.search(rf"\b{re.escape(name)}\b", text):
                raise Wrong(f"The results are right, but the exercise asks for `{name}`: the kernel does not use it.")

    def _judge_limits(self, trials: list[Trial]) -> None:
        for trial in trials if self.limits else ():
            run = kernel_runs.run(trial.answer, trial.launch, kernel_runs.profiled)
            for limit in self.limits:
                found, allowed = run.counted(limit.counter), limit.allowed(trial.launch)
                if found > allowed:
                    text = limit.message.format(found=_number(found), limit=_number(allowed))
                    raise Wrong(f"The results are right. {text} ({trial.launch.about})")

    def _timing(self, answer: Answer, launches: list[Launch], xp: Any) -> str:
        full = next((launch.full for launch in launches if launch.full), None)
        if full is None or not kernel_runs.on_gpu(xp):
            return ""
        text, wrong = kernel_runs.timed(answer, full(), xp)
        if wrong:
            raise Wrong(f"Small launches are right, but at full size on the GPU `{wrong[0]}` is wrong. {text}")
        return text

    # -- what the test of traps asks of a judge ---------------------------------------------------------

    @staticmethod
    def reference(launch: Launch) -> Mapping[str, Any]:
        """The right outputs of a launch."""
        return launch.due

    @staticmethod
    def due(function: Callable[[Launch], Mapping[str, Any]], launch: Launch, xp: Any = None) -> dict[str, Any]:
        """All outputs of a launch, where `function` (a trap's) tells some of them."""
        return dict(launch.due) | dict(function(launch))

    @staticmethod
    def agrees(got: Mapping[str, Any], due: Mapping[str, Any], xp: Any = None) -> bool:
        """Whether outputs are the same."""
        pairs = ((np.asarray(got[name]), np.asarray(due[name])) for name in due)
        return all(np.array_equal(a, b, equal_nan=b.dtype.kind == "f") for a, b in pairs)


def _number(value: Any) -> str:
    return f"{value:,.2f}".removesuffix(".00")


def _said(raised: guard.Raised) -> BaseException:
    """A launch that cannot be, as a sentence; anything else as it was raised."""
    error, at = raised.error, blame.place(raised.error)
    if isinstance(error, CompileError):
        return Wrong(compile_message(error))
    if isinstance(error, LaunchError):
        return Wrong(f"{at or raised.where}: {launch_text(error)}.".replace(",:", ":"))
    return raised
