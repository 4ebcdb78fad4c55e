"""What may be wrong with a kernel, asked in order: the first that finds something makes the sentence that is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpucourse.cupy_sim.function import Call
from gpucourse.exercises import kernel_runs as runs
from gpucourse.exercises.difference import apart
from gpucourse.exercises.kernel_runs import Ints, Launch, Run, Touches, Witness
from gpucourse.exercises.kernel_source import Answer, quoted
from gpucourse.simt import sanitize
from gpucourse.simt.memory import registry
from gpucourse.simt.sanitize import Finding

if TYPE_CHECKING:
    from gpucourse.exercises.kernel_cases import KernelTrap

Flags = NDArray[np.bool_]
_RACES = (sanitize.RACE, sanitize.RACE_BETWEEN_BLOCKS, sanitize.MISSING_SYNCWARP)
_STOPS = (sanitize.ENDLESS, sanitize.MISALIGNED, sanitize.ASSERT)


@dataclass
class Trial:
    """One launch of the answer: its run under the sanitizer and, where a cause is sought, a watched run."""

    answer: Answer
    launch: Launch
    sanitized: Run
    _differs: dict[str, Flags] | None = field(default=None, repr=False)

    @cached_property
    def watched(self) -> Run:
        """The same launch with every access noted."""
        return runs.run(self.answer, self.launch, runs.witnessed)

    @cached_property
    def wrong(self) -> dict[str, Flags]:
        """Output -> flags of its wrong elements, in lock-step."""
        return self.sanitized.wrong()

    @property
    def stopped(self) -> bool:
        """Whether the launch ended before its time, so that its outputs say nothing."""
        return self.watched.fault is not None

    def touches(self, name: str) -> list[tuple[Witness, Touches]]:
        """What each launch did to an argument of the exercise."""
        held = self.watched.arrays.get(name, self.watched.returned)
        host = getattr(held, "_host", None)
        if host is None:
            return []
        address = registry().address(host)
        return [(w, w.touches(address)) for w in self.watched.witnesses if address in w.spans]


# -- words --------------------------------------------------------------------------------------------


def _at(numbers: tuple[Ints, ...] | tuple[int, ...], flat: bool) -> str:
    x, y, z = (int(n) for n in numbers)
    return str(x) if flat else f"({x}, {y})" if z == 0 else f"({x}, {y}, {z})"


def people(witness: Witness, threads: Ints) -> tuple[str, bool]:
    """Name threads: ("threads 4 to 7 of block 2", whether they are several)."""
    threads = np.unique(threads)
    call, slots = witness.call, witness.slots
    block = threads // slots
    first = threads[block == block[0]] % slots
    where = f"of block {_at(_split(int(block[0]), call.grid), call.grid[1:] == (1, 1))}"
    flat = call.block[1:] == (1, 1)
    run = int(np.argmax(np.diff(first, append=first[-1] + 2) != 1)) + 1 if flat else 1
    named = first[:run]
    start = _at(_split(int(named[0]), call.block), flat)
    who = f"thread {start}" if run == 1 else f"threads {start} to {int(named[-1])}"
    others = len(threads) - run
    rest = f" and {others} other{'s' * (others != 1)}" if others else ""
    return f"{who} {where}{rest}", len(threads) > 1


def _split(number: int, extent: tuple[int, int, int]) -> tuple[int, int, int]:
    return number % extent[0], number // extent[0] % extent[1], number // (extent[0] * extent[1])


def _who(call: Call, block: Any, thread: Any) -> str:
    return (f"thread {_at(thread, call.block[1:] == (1, 1))} of block "
            f"{_at(block, call.grid[1:] == (1, 1))}")  # fmt: skip


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def in_line(call: Call, line: int | None) -> str:
    """Return ", line 5: `out[i] = ...`" for use in brackets or before a full stop; "" where the line is not known."""
    if not line or "CUPY_FOR" in call.program.source:
        return ""
    return f"line {line}{quoted(call.program.source, line, ': {}')}"


def _bracket(*parts: str) -> str:
    said = "; ".join(part for part in parts if part)
    return f" ({said})" if said else ""


def element(name: str, array: Any, flat: int) -> str:
    """Call an element as C does, `out[35]`, with its row and column where the array has them."""
    shape = np.shape(array)
    if len(shape) < 2:
        return f"`{name}[{flat}]`"
    place = np.unravel_index(flat, shape)
    rest = f", channel {place[2]}" if len(shape) == 3 else ""
    return f"`{name}[{flat}]` (row {place[0]}, column {place[1]}{rest})"


# -- threads and elements -----------------------------------------------------------------------------


def idle(witness: Witness, launch: Launch, threads: Ints) -> Flags:
    """Say which threads lie beyond the last element, along any axis, and so have nothing to do."""
    elements = launch.elements
    x, y, z = witness.coordinates(threads)
    if witness.call.grid[1:] == (1, 1) and witness.call.block[1:] == (1, 1):
        flags: Flags = x >= elements[0] * elements[1] * elements[2]
        return flags
    return (x >= elements[0]) | (y >= elements[1]) | (z >= elements[2])


def _owner(trial: Trial, name: str, flat: int) -> tuple[Witness, int] | None:
    """The thread that the launch has for an element of an output: its witness and number."""
    launch, found = trial.launch, trial.touches(name)
    due = np.asarray(launch.due[name])
    if not found:
        return None
    witness, call = found[0][0], found[0][0].call
    place = [int(p) for p in np.unravel_index(flat, due.shape)]
    place = place[:-1] if len(place) == 3 and due.shape[-1] <= 4 else place
    linear = call.grid[1:] == (1, 1) and call.block[1:] == (1, 1)
    width = launch.elements[0]
    x, y = (place[-1], place[-2]) if len(place) > 1 else (place[-1], 0)
    if due.size < launch.elements[0] * launch.elements[1]:
        return None
    x, y = (x + y * width, 0) if linear else (x, y)
    (bx, tx), (by, ty) = divmod(x, call.block[0]), divmod(y, call.block[1])
    if bx >= call.grid[0] or by >= call.grid[1]:
        return None
    return witness, (bx + by * call.grid[0]) * witness.slots + tx + ty * call.block[0]


# -- diagnoses ----------------------------------------------------------------------------------------


def missing_guard(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """Threads that have no element and all the same reach past the arrays."""
    for trial in _with(trials, (sanitize.OUT_OF_BOUNDS,)):
        stray = _stray(trial)
        if stray is None or not idle(stray[0], trial.launch, stray[1].thread).all():
            continue
        witness, touches = stray
        return _guard_message(trial, witness, touches)
    return None


def _guard_message(trial: Trial, witness: Witness, touches: Touches) -> str:
    who, several = people(witness, touches.thread)
    source = witness.call.program.source
    elements, coordinates = trial.launch.elements, witness.coordinates(np.unique(touches.thread))
    verb = ("write" if touches.writes.any() else "read") + ("" if several else "s")
    side = "before the beginning" if (touches.index < 0).all() else "past the end"
    place = f"{verb} {side} of `{touches.name}`{_bracket(trial.launch.about, in_line(witness.call, int(touches.line[0])))}"
    have = "They have no element" if several else "It has no element"
    if not re.search(r"\b(if|while|for)\s*\(|\?", source):
        return f"{_capital(who)} {place}. {have} of their own: where is the guard?" if several else (
            f"{_capital(who)} {place}. It has no element of its own: where is the guard?")  # fmt: skip
    total = elements[0] * elements[1] * elements[2]
    linear = bool((coordinates[1] == 0).all()) and elements[1] == 1
    if linear and bool((coordinates[0] == total).all()) and _threads(witness.call) > total + 1:
        return (f"{_capital(who)} {place}. Its index is {total}, and the last element has {total - 1}: the guard lets "
                "one thread too many pass. Should `<=` be `<`?")  # fmt: skip
    axis = _axis(coordinates, elements)
    return f"{_capital(who)} {place}. {have}{axis}, and the guard does not stop {'them' if several else 'it'}."


def _axis(coordinates: tuple[Ints, Ints, Ints], elements: tuple[int, int, int]) -> str:
    """Where a 2-D guard has its gap: ": their x is 32 or more, and the width is 32"."""
    for letter, noun, held, limit in zip("xy", ("width", "height"), coordinates, elements, strict=False):
        if elements[1] > 1 and bool((held >= limit).all()):
            return f": {letter} is {int(held.min())} or more there, and the {noun} is {limit}"
    return ""


def _threads(call: Call) -> int:
    return int(np.prod(call.grid) * np.prod(call.block))


def _stray(trial: Trial) -> tuple[Witness, Touches] | None:
    """The accesses that miss an array: stores before loads, those to outputs first."""
    found = [(w, t) for w in trial.watched.witnesses for t in map(w.touches, w.spans) if t.outside.any()]
    if not found:
        return None
    witness, touches = max(found, key=lambda each: bool((each[1].outside & each[1].writes).any()))
    outside = touches.outside
    stores = outside & touches.writes
    return witness, touches.where(stores if stores.any() else outside)


def trapped(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """The author's cause, if its outputs are the answer's wherever the answer is wrong."""
    differing = [trial for trial in trials if trial.wrong]
    if not differing or any(trial.stopped for trial in differing):
        return None
    return next((trap.message for trap in traps if all(_explains(trap, trial) for trial in differing)), None)


def _explains(trap: KernelTrap, trial: Trial) -> bool:
    try:
        with np.errstate(all="ignore"):
            wrong = trap.wrong(trial.launch)
    except Exception:   # the mistake itself raises here, so this answer has made another
        return False
    got = trial.sanitized.outputs
    return all(
        got[name] is not None and got[name].shape == np.shape(value) and _same(trial.launch, got[name], value)
        for name, value in (dict(trial.launch.due) | dict(wrong)).items()
    )


def _same(launch: Launch, got: Any, value: Any) -> bool:
    """Whether an output is a trap's; where the trap has nan, it cannot say what comes out."""
    unknown = np.isnan(value) if np.asarray(value).dtype.kind == "f" else np.zeros(np.shape(value), bool)
    return bool((launch.agrees(got, value) | unknown).all())


def out_of_bounds(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """Threads that have an element, and reach outside an array."""
    for trial, call, finding in _findings(trials, (sanitize.OUT_OF_BOUNDS,)):
        stray = _stray(trial)
        if stray is None:
            return _far_away(trial, call, finding)
        witness, touches = stray
        who, several = people(witness, touches.thread)
        verb = ("write" if touches.writes.any() else "read") + ("" if several else "s")
        at, last = int(touches.index[0]), touches.length - 1
        text = f"{_capital(who)} {verb} `{touches.name}[{at}]`"
        text += ", before its first element" if at < 0 else f", but its last element is `{touches.name}[{last}]`"
        text += _bracket(in_line(call, int(touches.line[0])), trial.launch.about)
        one_past = bool((touches.index == touches.length).all())
        if one_past and "<=" in call.program.source:
            return f"{text}. It is one too far: should `<=` be `<`?"
        own = "These threads have elements of their own" if several else "This thread has an element of its own"
        return f"{text}. {own}, so not the guard but the index is wrong."
    return None


def _far_away(trial: Trial, call: Call, finding: Finding) -> str:
    """An access so far from every array that only its element, or its address, is known."""
    tail = f"{_bracket(in_line(call, finding.line), trial.launch.about)}."
    known = {name: len(array.reshape(-1)) for w in trial.watched.witnesses for name, array in w.spans.values()}
    if finding.array not in known or finding.index is None:
        return f"{_capital(finding.message)}{tail}"
    verb = finding.message.split()[0]
    return (f"{_capital(_who(call, finding.block, finding.thread))} {verb} `{finding.array}[{finding.index}]`, but its "
            f"last element is `{finding.array}[{known[finding.array] - 1}]`{tail} How is that index computed?")  # fmt: skip


def stopped(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """What ends a launch before its time, other than a wrong address."""
    for trial, call, finding in _findings(trials, _STOPS):
        line = in_line(call, finding.line)
        if finding.kind == sanitize.ENDLESS:
            count = re.search(r"\((\d+) threads are in it\)", finding.message)
            inside = f" {count[1]} threads are still in it." if count else ""
            return (f"A loop does not end{_bracket(line, trial.launch.about)}.{inside} "
                    "Which statement in it brings its condition nearer to false?")  # fmt: skip
        return f"{_capital(finding.message)}{_bracket(line, trial.launch.about)}."
    return None


def barriers(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """Barriers that not all threads of a block reach."""
    kinds = (sanitize.DIVERGENT_BARRIER, sanitize.BARRIER_NOT_REACHED)
    for trial, call, finding in _findings(trials, kinds):
        return f"{_capital(finding.message)}{_bracket(in_line(call, finding.line), trial.launch.about)}"
    return None


def unwritten_read(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """Reads of what nobody has written."""
    for trial, call, finding in _findings(trials, (sanitize.UNINITIALIZED,)):
        text = (f"{_capital(_who(call, finding.block, finding.thread))} reads `{finding.array}[{finding.index}]` before "
                f"anything was written there{_bracket(in_line(call, finding.line), trial.launch.about)}.")  # fmt: skip
        adds = re.search(r"\+=|-=|\*=", quoted(call.program.source, finding.line))
        shared = " (shared)" in finding.message
        return text + (f" `{adds[0]}` uses what is there; `=` stores." if adds and not shared else "")
    return None


def race_of_idle(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """A race that a thread without an element takes part in: its guard is missing."""
    for trial, call, finding in _findings(trials, _RACES):
        touched = _target(trial, finding)
        if touched is None:
            continue
        witness, touches = touched
        beyond = idle(witness, trial.launch, touches.thread)
        stores = touches.writes & ~touches.outside
        working = np.unique(touches.index[stores & ~beyond])
        if not (stores & beyond).any() or len(working) < touches.length:
            continue
        chosen = touches.where(stores & beyond)
        who, several = people(witness, chosen.thread)
        axis = _axis(witness.coordinates(np.unique(chosen.thread)), trial.launch.elements)
        return (f"{_capital(who)} write{'' if several else 's'} into `{touches.name}`"
                f"{_bracket(in_line(call, finding.line), trial.launch.about)} although no element belongs to "
                f"{'them' if several else 'it'}{axis}. Where is the guard?")  # fmt: skip
    return None


def races(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """Two threads that meet at one place without any order."""
    for trial, call, finding in _findings(trials, _RACES):
        place, line = f"`{finding.array}[{finding.index}]`", in_line(call, finding.line)
        first, second = _who(call, finding.block, finding.thread), _who(call, finding.other_block, finding.other_thread)
        if finding.line == finding.other_line and re.search(r"\+=|-=|\*=|\+\+", quoted(call.program.source, finding.line)):
            return (f"A race: {first} and {second} both update {place}{_bracket(line, trial.launch.about)}. Each reads, "
                    "adds and stores, and what the others have added meanwhile is lost. Let one thread own each "
                    "element, or use an atomic update.")  # fmt: skip
        lost = _left_out(trial, finding)
        if lost:
            return (f"{_capital(first)} and {second} have the same element, {place}{_bracket(line, trial.launch.about)}, "
                    f"while nobody writes {lost}. The index must be different for every thread of the launch.")  # fmt: skip
        verbs = re.search(r"(reads|writes|updates) it here; .* (read|wrote|updated) it at", finding.message)
        now, then = verbs.groups() if verbs else ("uses", "used")
        other = in_line(call, finding.other_line) if finding.other_line != finding.line else "the same line"
        return (f"A race: {first} {now} {place}{_bracket(line)}, {second} {then} it{_bracket(other)}, and nothing says "
                f"which comes first. {_REMEDY[finding.kind]}")  # fmt: skip
    return None


_REMEDY = {
    sanitize.RACE: "Between the two belongs a `__syncthreads()`, or each element one thread.",
    sanitize.RACE_BETWEEN_BLOCKS: "Blocks run in any order: give each element to one thread, or use an atomic update.",
    sanitize.MISSING_SYNCWARP: "Give each element to one thread, or put a barrier between the two.",
}


def _left_out(trial: Trial, finding: Finding) -> str:
    """Elements of the output of a race that nobody writes."""
    name = next((n for n in trial.launch.due if any(t.name == finding.array for _, t in trial.touches(n))), None)
    if name is None or trial.stopped:
        return ""
    blank = ~_written(trial, name)
    return spans(name, np.flatnonzero(blank), trial.launch.due[name]) if blank.any() and not blank.all() else ""


def _target(trial: Trial, finding: Finding) -> tuple[Witness, Touches] | None:
    found = [pair for name in trial.launch.due for pair in trial.touches(name) if pair[1].name == finding.array]
    return found[0] if found else None


def input_changed(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """An input that was written to."""
    for trial in trials:
        for name in trial.sanitized.changed():
            found = [(w, t.where(t.writes)) for w, t in trial.touches(name) if t.writes.any()]
            if not found:
                return f"`{name}` is an input and must stay as it is, but it was changed ({trial.launch.about})."
            witness, touches = found[0]
            who, _ = people(witness, touches.thread[:1])
            outputs = " and ".join(f"`{out}`" for out in trial.launch.due)
            return (f"{_capital(who)} writes into `{touches.name}`"
                    f"{_bracket(in_line(witness.call, int(touches.line[0])), trial.launch.about)}. "
                    f"`{name}` is an input and must stay as it is; the result belongs into {outputs}.")  # fmt: skip
    return None


def not_written(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """Elements of an output that no thread has written."""
    for trial in trials:
        for name, wrong in trial.wrong.items():
            blank = wrong & ~_written(trial, name) if name in trial.launch.arrays else np.zeros(wrong.shape, bool)
            if blank.any():
                return _not_written_message(trial, name, np.flatnonzero(blank))
    return None


def _written(trial: Trial, name: str) -> Flags:
    due = np.asarray(trial.launch.due[name])
    flags = np.zeros(due.size, bool)
    for _, touches in trial.touches(name):
        flags[touches.index[touches.writes & ~touches.outside]] = True
    return flags.reshape(due.shape)


def _not_written_message(trial: Trial, name: str, blank: Ints) -> str:
    launch, due = trial.launch, trial.launch.due[name]
    if len(blank) == due.size:
        return f"Nobody writes to `{name}`: it is as it was before ({launch.about})."
    text = f"Nobody writes {spans(name, blank, due)} ({launch.about})."
    count = sum(_threads(call) for call in trial.watched.calls)
    own = _owner(trial, name, int(blank[0]))
    if own is None:
        few = count < int(np.prod(launch.elements)) and due.size == int(np.prod(launch.elements))
        return text + (f" There are fewer threads ({count}) than elements: each must go on to further ones." if few else "")
    witness, thread = own
    who, _ = people(witness, np.array([thread]))
    mine = [t.index[(t.thread == thread) & t.writes] for w, t in trial.touches(name) if w is witness]
    did = f"writes `{name}[{int(mine[0][0])}]` instead" if len(mine[0]) else "writes nothing"
    return f"{text} {_capital(who)}, which should have written {element(name, due, int(blank[0]))}, {did}."


def spans(name: str, flat: Ints, due: Any) -> str:
    """Name elements: the first unbroken row of them, and how many there are in all."""
    run = int(np.argmax(np.diff(flat, append=flat[-1] + 2) != 1)) + 1
    start = element(name, due, int(flat[0]))
    row = start if run == 1 else f"{start} to `{name}[{int(flat[run - 1])}]`"
    size = int(np.size(due))
    return row if len(flat) == run and run == 1 else f"{row}, {len(flat):,} of {size:,} elements"


def wrong_value(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """The first element that is not as due, and who wrote it."""
    for trial in trials:
        for name, wrong in trial.wrong.items():
            got, due = trial.sanitized.outputs[name], np.asarray(trial.launch.due[name])
            if got is None or got.shape != due.shape:
                shape = "nothing that is a device array" if got is None else f"an array of shape {got.shape}"
                return f"{trial.answer.name} should return a device array of shape {due.shape}, but returned {shape}."
            return f"{_difference(name, got, due, wrong)} ({trial.launch.about}).{_writer(trial, name, wrong)}"
    return None


def _difference(name: str, got: Any, due: Any, wrong: Flags) -> str:
    flat = int(np.flatnonzero(wrong)[0])
    given, wanted = apart(got.reshape(-1)[flat], due.reshape(-1)[flat])
    count = int(wrong.sum())
    tail = f"; {count:,} of {wrong.size:,} elements are wrong" if wrong.size > 1 else ""
    return f"{element(name, due, flat)} should be {wanted} but is {given}{tail}"


def _writer(trial: Trial, name: str, wrong: Flags) -> str:
    flat = int(np.flatnonzero(wrong)[0])
    for witness, touches in reversed(trial.touches(name)):
        mine = touches.where(touches.writes & (touches.index == flat))
        if len(mine):
            who, _ = people(witness, mine.thread[-1:])
            line = in_line(witness.call, int(mine.line[-1]))
            return f" {_capital(who)} wrote it{', ' * bool(line)}{line}."
    return ""


DIAGNOSES: tuple[Callable[[list[Trial], tuple[KernelTrap, ...]], str | None], ...] = (
    missing_guard, trapped, out_of_bounds, stopped, barriers, unwritten_read, race_of_idle, races, input_changed,
    not_written, wrong_value,
)  # fmt: skip


def _with(trials: list[Trial], kinds: tuple[str, ...]) -> list[Trial]:
    return [trial for trial in trials if any(f.kind in kinds for _, f in trial.sanitized.findings)]


def _findings(trials: list[Trial], kinds: tuple[str, ...]) -> list[tuple[Trial, Call, Finding]]:
    return [(trial, call, f) for trial in trials for call, f in trial.sanitized.findings if f.kind in kinds]


def under_another_order(trial: Trial, run: Run) -> str | None:
    """What another order of warps brings to light in an answer that is right in lock-step."""
    if run.fault is not None:
        call, fault = run.fault
        return f"In lock-step all is well, but with the warps in another order: {fault}{_bracket(trial.launch.about)}."
    for name, wrong in run.wrong().items():
        got, due = run.outputs[name], np.asarray(trial.launch.due[name])
        if got is None or got.shape != due.shape:
            continue
        return (f"The result is right when all threads go in step, and wrong when warps run one after another: "
                f"{_difference(name, got, due, wrong)} ({trial.launch.about}). CUDA promises no order of warps: what one "
                "thread needs from another needs a `__syncthreads()` or an atomic between them.")  # fmt: skip
    return None
