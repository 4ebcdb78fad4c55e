"""What may be wrong with a kernel, asked in order: the first that finds something makes the sentence that is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpucourse.cupy_sim.function import Call
from gpucourse.exercises import kernel_runs as runs
from gpucourse.exercises.difference import apart
from gpucourse.exercises.kernel_runs import RACES, Ints, Launch, Run, Touches, Witness
from gpucourse.exercises.kernel_source import Answer, quoted
from gpucourse.exercises.kinds import called
from gpucourse.simt import sanitize
from gpucourse.simt.memory import registry
from gpucourse.simt.sanitize import Finding

if TYPE_CHECKING:
    from gpucourse.exercises.kernel_cases import KernelTrap

Flags = NDArray[np.bool_]
WARP = 32
_STOPS = (sanitize.ENDLESS, sanitize.MISALIGNED, sanitize.ASSERT, sanitize.FAULT)


@dataclass
class Trial:
    """One launch of the answer: its run under the sanitizer and, where a cause is sought, a watched run."""

    answer: Answer
    launch: Launch
    sanitized: Run

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


def _flat(call: Call) -> bool:
    """Whether the launch has one dimension, so that a number names a thread."""
    return call.grid[1:] == (1, 1) and call.block[1:] == (1, 1)


def _at(numbers: tuple[int, ...], call: Call) -> str:
    x, y, z = (int(n) for n in numbers)
    return str(x) if _flat(call) else f"({x}, {y})" if z == 0 else f"({x}, {y}, {z})"


def people(witness: Witness, threads: Ints) -> str:
    """Name threads, numbered in the launch: "threads 4 to 7 of block 2"."""
    threads = np.unique(threads)
    call, block = witness.call, threads // witness.slots
    first = threads[block == block[0]] % witness.slots
    run = _unbroken(first) if _flat(call) else 1
    start = _at(_split(int(first[0]), call.block), call)
    who = f"thread {start}" if run == 1 else f"threads {start} to {int(first[run - 1])}"
    others = len(threads) - run
    rest = f" and {others:,} other{'s' * (others != 1)}" if others else ""
    return f"{who} of block {_at(_split(int(block[0]), call.grid), call)}{rest}"


def several(threads: Ints) -> bool:
    """Whether a sentence about these threads stands in the plural."""
    return len(np.unique(threads)) > 1


def _unbroken(ascending: Ints) -> int:
    """How many numbers follow each other without a gap, from the first on."""
    return int(np.argmax(np.diff(ascending, append=ascending[-1] + 2) != 1)) + 1


def _split(number: int, extent: tuple[int, int, int]) -> tuple[int, int, int]:
    return number % extent[0], number // extent[0] % extent[1], number // (extent[0] * extent[1])


def _who(call: Call, block: Any, thread: Any) -> str:
    return f"thread {_at(thread, call)} of block {_at(block, call)}"


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


def _plain(call: Call, text: str) -> str:
    """A text of the simulator's with its threads and blocks, "(4, 0, 0)", as the launch has them: "4"."""
    return re.sub(r"\((\d+), (\d+), (\d+)\)", lambda found: _at(tuple(map(int, found.groups())), call), text)


def _details(trial: Trial, call: Call, finding: Finding) -> str:
    """Where a finding was made: its line and the launch, in brackets."""
    return _bracket(in_line(call, finding.line), trial.launch.about)


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
    if _flat(witness.call):
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
    linear = _flat(call)
    width = launch.elements[0]
    x, y = (place[-1], place[-2]) if len(place) > 1 else (place[-1], 0)
    if due.size // (due.shape[-1] if len(due.shape) > len(place) else 1) != int(np.prod(launch.elements)):
        return None   # threads are there for something else than elements of this output
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
        if stray is None:
            continue
        witness, touches = stray
        launch = _for_array(trial.launch, touches.name)
        if idle(witness, launch, touches.thread).all():
            return _guard_message(launch, witness, touches)
    return None


def _for_array(launch: Launch, name: str) -> Launch:
    """The launch as if its threads were there for the elements of an argument of two dimensions, say a turned one."""
    shape = np.shape(launch.args.get(name, ()))
    return launch if launch.extent or len(shape) != 2 else replace(launch, extent=shape[::-1])


def _guard_message(launch: Launch, witness: Witness, touches: Touches) -> str:
    side = "before the beginning" if (touches.index < 0).all() else "past the end"
    details = _bracket(launch.about, in_line(witness.call, int(touches.line[0])))
    text = f"{_does(witness, touches)} {side} of `{touches.name}`{details}. "
    have, them = ("They have", "them") if several(touches.thread) else ("It has", "it")
    source = witness.call.program.source
    if not re.search(r"\b(if|while|for)\s*\(|\?", source):
        return f"{text}{have} no element of {'their' if them == 'them' else 'its'} own: where is the guard?"
    if _turned(witness, launch):
        width, height, _ = launch.elements
        return (f"{text}The guard lets a row or column pass that `{touches.name}` does not have: it has {height} rows "
                f"and {width} columns.")  # fmt: skip
    beyond = _beyond_elements(witness, launch, touches)
    if beyond and all(found == [limit] and room > limit + 1 for _, found, limit, room in beyond):
        letter, (_, _, limit, _) = beyond[0][0], beyond[0]
        turned = "Should `<=` be `<`?" if "<=" in source else f"Only those below {limit} may pass."
        return f"{text}There {letter} is {limit}; the last is {limit - 1}: the guard lets one too many pass. {turned}"
    if len(beyond) == 1 and not _flat(witness.call):
        letter, found, limit, _ = beyond[0]
        size = {"x": "width", "y": "height", "z": "depth"}[letter]
        return f"{text}There {letter} is {found[0]} or more, and the {size} is {limit}: no guard stops {them}."
    return f"{text}{have} no element, and no guard stops {them}."


def _turned(witness: Witness, launch: Launch) -> bool:
    """Whether the threads, as they stand, cannot be there for the elements: those of a turned array."""
    call = witness.call
    threads = (grid * block for grid, block in zip(call.grid, call.block, strict=True))
    return not _flat(call) and any(t < e for t, e in zip(threads, launch.elements, strict=True))


def _does(witness: Witness, touches: Touches) -> str:
    """Who writes or reads: "Threads 4 to 7 of block 2 write"."""
    verb = ("write" if touches.writes.any() else "read") + ("" if several(touches.thread) else "s")
    return f"{_capital(people(witness, touches.thread))} {verb}"


def _beyond(witness: Witness, launch: Launch, threads: Ints) -> list[tuple[str, list[int], int, int]]:
    """Axes along which threads lie beyond the elements: (name, their places, elements, threads along it)."""
    found, call = [], witness.call
    limits = (int(np.prod(launch.elements)), 1, 1) if _flat(call) else launch.elements
    for letter, place, limit, axis in zip("xyz", witness.coordinates(threads), limits, range(3), strict=True):
        out = np.unique(place[place >= limit]).tolist()
        if out:
            found.append(("the index" if _flat(call) else letter, out, limit, call.grid[axis] * call.block[axis]))
    return found


def _beyond_elements(witness: Witness, launch: Launch, touches: Touches) -> list[tuple[str, list[int], int, int]]:
    """As `_beyond`; where several threads share an element, a warp a row say, by its index and not by theirs."""
    elements, size = int(np.prod(launch.elements)), np.size(next(iter(launch.due.values())))
    if not _flat(witness.call) or elements in (touches.length, size):
        return _beyond(witness, launch, touches.thread)
    share, rest = divmod(elements, touches.length)
    if rest or not share:
        return []
    out = np.unique(touches.index).tolist()
    return [("the index", out, touches.length, _threads(witness.call) // share)]


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


def loop_left(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """Every thread writes the same elements, several of them: the loop of the CPU's program is still there."""
    for trial in trials:
        for name in trial.launch.due if trial.sanitized.found(*RACES) or trial.wrong else ():
            for witness, touches in trial.touches(name):
                stores = touches.where(touches.writes & ~touches.outside)
                threads, places = len(np.unique(stores.thread)), np.unique(stores.index)
                if threads > 1 and len(places) > 1 and len(_pairs(stores)) == threads * len(places):
                    text = _bracket(in_line(witness.call, int(stores.line[0])), trial.launch.about)
                    which = spans(touches.name, places, trial.launch.due[name])
                    verb, advice = _LOOPS["atomic" in text]
                    return f"Each of {threads} threads {verb} {which}{text}. {advice}"
    return None


_LOOPS = {   # whether the stores are atomic -> what the threads do, and what to do about it
    False: ("writes", "The loop over the elements is still there; a thread is one round of it."),
    True: ("updates", "One thread of a block is enough for each of them: share them out among the threads."),
}


def trapped(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """The author's cause, if its outputs are the answer's wherever the answer is wrong."""
    differing = [trial for trial in trials if trial.wrong]
    if not differing or any(trial.stopped for trial in differing):
        return None
    unfilled = any(trial.sanitized.found(sanitize.UNINITIALIZED) for trial in trials)
    asked = [trap for trap in traps if not (trap.filled and unfilled)]
    return next((trap.message for trap in asked if _explains(trap, differing)), None)


def _explains(trap: KernelTrap, differing: list[Trial]) -> bool:
    """Whether the trap's outputs are the answer's; nan is any wrong value, but some wrong element must agree."""
    try:
        with np.errstate(all="ignore"):
            agreed = [_agreed(trial, trap.wrong(trial.launch)) for trial in differing]
    except Exception:   # the mistake itself raises here, so this answer has made another
        return False
    return None not in agreed and any(agreed)


def _agreed(trial: Trial, wrong: Mapping[str, Any]) -> bool | None:
    """Whether some wrong element is as a trap says; None where an element contradicts it."""
    some = False
    for name, value in (dict(trial.launch.due) | dict(wrong)).items():
        got = trial.sanitized.outputs[name]
        if got is None or got.shape != np.shape(value):
            return None
        same, off = trial.launch.agrees(got, value), trial.wrong.get(name, np.False_)
        unknown = np.isnan(value) if np.asarray(value).dtype.kind == "f" else np.False_
        if not (same | (unknown & off)).all():
            return None
        some = some or bool((same & off).any())
    return some


def out_of_bounds(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """Threads that have an element, and reach outside an array."""
    for trial, call, finding in _findings(trials, (sanitize.OUT_OF_BOUNDS,)):
        stray = _stray(trial)
        if stray is None:
            return _far_away(trial, call, finding)
        witness, touches = stray
        at, last = int(touches.index[0]), touches.length - 1
        further = " and beyond" if at > 0 and len(np.unique(touches.index)) > 1 else ""
        text = f"{_does(witness, touches)} `{touches.name}[{at}]`{further}"
        text += ", before its first element" if at < 0 else f", but its last element is `{touches.name}[{last}]`"
        text += _bracket(in_line(call, int(touches.line[0])), trial.launch.about)
        if (touches.index == touches.length).all() and "<=" in call.program.source:
            return f"{text}. It is one too far: should `<=` be `<`?"
        if _threads(call) < int(np.prod(trial.launch.elements)):
            return f"{text}. Look at that index, and at the condition under which it is used."
        if trial.launch.extent and idle(witness, trial.launch, touches.thread).any():
            return (f"{text}. Some of them have an element of their own, others have none: this access needs a test of "
                    "its own.")  # fmt: skip
        if re.search(r"float4\s*\*\s*\)[^;\[]*\[[^\]]*\b4\b", quoted(call.program.source, int(touches.line[0]))):
            return f"{text}. A pointer to `float4` counts in float4, not in floats."
        own = "These threads have elements" if several(touches.thread) else "This thread has an element"
        text += f". {own} of {'their' if 'These' in own else 'its'} own, so not the guard but the index is wrong"
        return f"{text}; or this access needs a test of its own, or has one that lets too much pass."
    return None


def _far_away(trial: Trial, call: Call, finding: Finding) -> str:
    """An access of shared memory, or one so far from every array that only its element or address is known."""
    tail = f"{_details(trial, call, finding)}."
    known = {name: array.size for w in trial.watched.witnesses for name, array in w.spans.values()}
    told = re.match(r"(\w+) element (-?\d+) of .*, which has (\d+)", finding.message)
    if told is None or finding.block is None or finding.thread is None:
        return f"{_capital(_plain(call, finding.message))}{tail}"
    last = known.get(finding.array or "", int(told[3])) - 1
    text = f"{_capital(_who(call, finding.block, finding.thread))} {told[1]} `{finding.array}[{told[2]}]`"
    if last < 0:
        return (f"{text}, but `{finding.array}` has no elements: `extern __shared__` leaves its size to the launch, "
                f"and the launch gives it none{tail} Put its size between the brackets, without `extern`.")  # fmt: skip
    if int(told[2]) < 0:
        return f"{text}, before its first element{tail}{_signed_byte(trial, call, int(told[2]))}"
    return f"{text}, but its last element is `{finding.array}[{last}]`{tail}"


def _signed_byte(trial: Trial, call: Call, index: int) -> str:
    """A negative index of -128 or more where an input has bytes and the kernel a `char`: advice, or ""."""
    bytes_in = any(array.dtype == np.uint8 for array in trial.launch.arrays.values())
    if not bytes_in or index < -128 or not re.search(r"(?<!unsigned )\bchar\b", call.program.source):
        return ""
    return " A `char` goes from -128 to 127: in it, bytes from 128 on are negative. Is one left without `unsigned`?"


def stopped(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """What ends a launch before its time, other than a wrong address."""
    for trial, call, finding in _findings(trials, _STOPS):
        line = in_line(call, finding.line)
        if finding.kind == sanitize.ENDLESS:
            count = re.search(r"\((\d+) threads are in it\)", finding.message)
            inside = f" {count[1]} threads are still in it." if count else ""
            return (f"A loop does not end{_bracket(line, trial.launch.about)}.{inside} "
                    "Which statement in it brings its condition nearer to false?")  # fmt: skip
        if "executed `trap`" in finding.message and "atomic" in call.program.source:   # NVRTC's word for it
            return (f"An atomic operation is given a variable of the thread's own ({trial.launch.about}). It works on "
                    "memory that threads share: an element of an array, or a `__shared__` variable.")  # fmt: skip
        return f"{_capital(_plain(call, finding.message))}{_bracket(line, trial.launch.about)}."
    return None


def barriers(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """Barriers that not all threads of a block reach."""
    kinds = (sanitize.DIVERGENT_BARRIER, sanitize.BARRIER_NOT_REACHED)
    for trial, call, finding in _findings(trials, kinds):
        text = _plain(call, finding.message).rstrip(".")
        if len(_waits(call)) > 1 and finding.line in _waits(call):
            text = text.replace("All lanes that the mask names must come to it together", _ANOTHER)
        return f"{_capital(text)}{_details(trial, call, finding)}."
    return None


_ANOTHER = (
    "Lanes that wait at two different `__syncwarp()`s meet too, so the one that only some come to may be another: does "
    "one stand in a branch?"
)


def _waits(call: Call) -> list[int]:
    """Lines of a kernel with a `__syncwarp()`."""
    lines = enumerate(call.program.source.split("\n"), 1)
    return [number for number, line in lines if "__syncwarp" in line.split("//")[0]]


def unwritten_read(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """Reads of what nobody has written."""
    for trial, call, finding in _findings(trials, (sanitize.UNINITIALIZED,)):
        who, details = _who(call, finding.block, finding.thread), _details(trial, call, finding)
        text = f"{_capital(who)} reads `{finding.array}[{finding.index}]` before anything was written there{details}."
        if " (shared)" in finding.message:
            return f"{text} Should it have been filled{_place_of_nobody(call, finding)}"
        return text + _uses(quoted(call.program.source, finding.line))
    return None


def _place_of_nobody(call: Call, finding: Finding) -> str:
    """The end of the question who should have filled a place of shared memory."""
    threads = int(np.prod(call.block))
    rows = re.search(rf"\b{finding.array}\s*\[[^\]]*\]\s*\[", call.program.source)   # padded, say: no such numbers
    if rows or finding.index is None or finding.index < threads:
        return ", or does the guard let a thread pass that has no element?"
    return (f"? The block has only {threads} threads: either the index goes too far, or a thread has several places to "
            "fill.")  # fmt: skip


def _uses(line: str) -> str:
    """What in a line takes what stands in memory and goes on from there, or ""."""
    adds = re.search(r"\+=|-=|\*=", line)
    if "atomic" in line:
        return " An atomic update goes on from what is there, and nothing is: one thread should store the result."
    return f" `{adds[0]}` uses what is there; `=` stores." if adds else ""


def race_of_idle(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """A race that only threads without an element bring about: their guard is missing."""
    for trial, call, finding in _findings(trials, RACES):
        touched = _target(trial, finding)
        if touched is None:
            continue
        witness, touches = touched
        stores = touches.where(touches.writes & ~touches.outside)
        beyond = idle(witness, trial.launch, stores.thread)
        working = stores.where(~beyond)
        if beyond.any() and len(_pairs(working)) == len(np.unique(working.index)) == touches.length:
            spare = stores.where(beyond)
            them = "them" if several(spare.thread) else "it"
            where = "".join(f": there {letter} is {found[0]} or more" for letter, found, *_ in
                            _beyond(witness, trial.launch, spare.thread)[:1])  # fmt: skip
            text = f"{_does(witness, spare)} into `{touches.name}`{_details(trial, call, finding)}"
            return f"{text} although no element belongs to {them}{where}. Where is the guard?"
    return None


def _pairs(touches: Touches) -> NDArray[Any]:
    """Which thread touched which element, each once."""
    pairs: NDArray[Any] = np.unique(np.stack([touches.thread, touches.index]), axis=1).T
    return pairs


def races(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """Two threads that meet at one place without any order."""
    for trial, call, finding in _findings(trials, RACES):
        return next(text for explain in _RACE_CAUSES if (text := explain(trial, call, finding)))
    return None


def _both(call: Call, finding: Finding) -> str:
    first, second = _who(call, finding.block, finding.thread), _who(call, finding.other_block, finding.other_thread)
    return f"{first} and {second}"


def _updates(trial: Trial, call: Call, finding: Finding) -> str:
    line = quoted(call.program.source, finding.line)
    alone = rf"\b{finding.array}\s*([-+*]=|\+\+)|\+\+\s*{finding.array}\b"   # a variable that is no array: `bad += 1`
    if finding.line != finding.other_line or not re.search(rf"\]\s*([-+*]=|\+\+)|\+\+\s*\w+\s*\[|{alone}", line):
        return ""
    if re.search(rf"=.*\b{finding.array}\s*\[", line):   # `s[t] += s[t + 1]`: the one updates what the other reads
        return ""
    return (f"A race: {_both(call, finding)} both update `{finding.array}[{finding.index}]`"
            f"{_details(trial, call, finding)}. Each reads, adds and stores, and what others "
            "have added meanwhile is lost. Let one thread own each element, or use an atomic update.")  # fmt: skip


def _collides(trial: Trial, call: Call, finding: Finding) -> str:
    """Several threads have the same element while others have nobody."""
    only_reads = "read" in " ".join(_verbs(finding)) and not _written_by_several(trial, finding)
    lost = "" if only_reads else _left_out(trial, finding)
    return lost and (
        f"{_capital(_both(call, finding))} have the same element, `{finding.array}[{finding.index}]`"
        f"{_details(trial, call, finding)}, while nobody writes {lost}. {_whose(trial, call, finding)}")


def _written_by_several(trial: Trial, finding: Finding) -> bool:
    """Whether more than one thread stores to the element of a race."""
    target = _target(trial, finding)
    if target is None:
        return False
    stores = target[1].where(target[1].writes & (target[1].index == finding.index))
    return several(stores.thread) if len(stores) else False


def _whose(trial: Trial, call: Call, finding: Finding) -> str:
    """For whom the index of the array of a race must be different."""
    target = _target(trial, finding)
    size, elements = target[1].length if target else 0, int(np.prod(trial.launch.elements))
    blocks = int(np.prod(call.grid))
    if size == blocks < _threads(call):
        return "The index must be different for every block."
    if elements == size * WARP:
        return "The index must be different for every warp."
    if elements == size:
        return "The index must be different for every thread of the launch."
    return "Each element should have one thread that writes it."


def _verbs(finding: Finding) -> tuple[str, str]:
    """What the two threads of a race do, the later first."""
    verbs = re.search(r"(reads|writes|updates) it here; .* (read|wrote|updated) it at", finding.message)
    return (verbs[1], verbs[2]) if verbs else ("uses", "used")


def _unordered(trial: Trial, call: Call, finding: Finding) -> str:
    first, second = _who(call, finding.block, finding.thread), _who(call, finding.other_block, finding.other_thread)
    now, then = _verbs(finding)
    other = in_line(call, finding.other_line) if finding.other_line != finding.line else "the same line"
    place = f"`{finding.array}[{finding.index}]`{_bracket(in_line(call, finding.line))}"
    elsewhere = finding.kind == sanitize.RACE_BETWEEN_BLOCKS and "read" in now + then
    usual = _READ_ELSEWHERE if elsewhere else _special(trial, call, finding, now, then) or _REMEDY[finding.kind]
    remedy = _alias(call, finding) or usual
    return (f"A race: {first} {now} {place}, {second} {then} it{_bracket(other)}, and nothing says which comes first. "
            f"{remedy}")  # fmt: skip


def _alias(call: Call, finding: Finding) -> str:
    """The remedy of a race in memory that two parameters share."""
    names = call.program.kernel(call.name).parameter_names
    arrays = {n: a for n, a in zip(names, call.args, strict=True) if isinstance(a, np.ndarray)}
    own = arrays.get(finding.array or "")
    others = [n for n, a in arrays.items() if own is not None and n != finding.array and np.may_share_memory(a, own)]
    if not others:
        return ""
    return (f"`{finding.array}` and `{others[0]}` lie in the same memory: a second name of an array, or a slice, is no "
            "copy. `.copy()` makes one.")  # fmt: skip


def _special(trial: Trial, call: Call, finding: Finding, now: str, then: str) -> str:
    """The remedy of a race within a block that a barrier between the two lines does not end."""
    if finding.kind != sanitize.RACE:
        return ""
    other = quoted(call.program.source, finding.other_line)
    if now == "reads" and re.search(rf"atomic\w+\s*\(\s*&\s*{finding.array}\b", other):
        return "Others may still add to it: read it behind a `__syncthreads()` that all pass after their last update."
    if "read" not in now + then and finding.line == finding.other_line and _target(trial, finding):
        return f"Let only one thread write an element of `{finding.array}`."
    return ""


_RACE_CAUSES = (_updates, _collides, _unordered)
_READ_ELSEWHERE = (
    "Blocks run in any order, and no barrier orders them: read from one array and write into another, or end the "
    "launch between the two."
)
_REMEDY = {
    sanitize.RACE: "Put a `__syncthreads()` between the two, or give each element to one thread.",
    sanitize.RACE_BETWEEN_BLOCKS: "Blocks run in any order: give each element to one thread, or use an atomic update.",
    sanitize.MISSING_SYNCWARP: "Give each element to one thread, or put a barrier between the two.",
}


def _left_out(trial: Trial, finding: Finding) -> str:
    """Elements of the output of a race that nobody writes."""
    name = next((n for n in trial.launch.due if any(t.name == finding.array for _, t in trial.touches(n))), None)
    if name is None or trial.stopped:
        return ""
    blank = ~_written(trial, name) & trial.wrong.get(name, np.False_)   # the rest is as due without a kernel
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
            who = people(witness, touches.thread[:1])
            outputs = " and ".join(f"`{out}`" for out in trial.launch.due)
            return (f"{_capital(who)} writes into `{touches.name}`"
                    f"{_bracket(in_line(witness.call, int(touches.line[0])), trial.launch.about)}. "
                    f"`{name}` is an input and must stay as it is; the result belongs into {outputs}.")  # fmt: skip
    return None


def not_written(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """Elements of an output that no thread has written."""
    for trial in trials:
        for name, wrong in trial.wrong.items():
            got = trial.sanitized.outputs[name]
            if got is None or got.shape != np.shape(trial.launch.due[name]):
                continue   # told as what it is
            known = name in trial.launch.arrays or trial.touches(name)   # else made by something other than a kernel
            blank = wrong & ~_written(trial, name)
            if known and blank.any():
                return _not_written_message(trial, name, np.flatnonzero(blank))
    return None


def _written(trial: Trial, name: str) -> Flags:
    due = np.asarray(trial.launch.due[name])
    flags = np.zeros(due.size, bool)
    for _, touches in trial.touches(name):
        flags[touches.index[touches.writes & ~touches.outside & (touches.index < due.size)]] = True
    return flags.reshape(due.shape)


def _not_written_message(trial: Trial, name: str, blank: Ints) -> str:
    launch, due = trial.launch, trial.launch.due[name]
    if len(blank) == due.size:
        return f"Nobody writes to `{name}`: it is as it was before ({launch.about})."
    text = f"Nobody writes {spans(name, blank, due)} ({launch.about})."
    count = sum(_threads(call) for call in trial.watched.calls)
    own = _owner(trial, name, int(blank[0]))
    if own is None:
        few = count < int(np.prod(launch.elements)) == due.size
        advice = "each must go on to further ones"
        if trial.answer.kernel is None:   # a function, whose own the launch is
            advice = "the launch needs more, or each must go on to further ones"
        return text + f" There are fewer threads ({count}) than elements: {advice}." * few
    witness, thread = own
    who = people(witness, np.array([thread]))
    mine = [t.index[(t.thread == thread) & t.writes] for w, t in trial.touches(name) if w is witness]
    if any((index - blank[0]) % count == 0 for index in mine[0]):   # it goes on to further elements, and left one out
        return text
    did = f"writes `{name}[{int(mine[0][0])}]` instead" if len(mine[0]) else "writes nothing"
    return f"{text} {_capital(who)}, which should have written {element(name, due, int(blank[0]))}, {did}."


def spans(name: str, flat: Ints, due: Any) -> str:
    """Name elements: the first unbroken row of them, and how many there are in all."""
    run = _unbroken(flat)
    start = element(name, due, int(flat[0]))
    row = start if run == 1 else f"{start} to `{name}[{int(flat[run - 1])}]`"
    size = int(np.size(due))
    return row if len(flat) == run and run == 1 else f"{row}, {len(flat):,} of {size:,} elements"


def wrong_value(trials: list[Trial], traps: tuple[KernelTrap, ...]) -> str | None:
    """The first element that is not as due, and who wrote it."""
    for trial in trials:
        for name, wrong in trial.wrong.items():
            got, due = trial.sanitized.outputs[name], np.asarray(trial.launch.due[name])
            if got is None or (got.shape, got.dtype) != (due.shape, due.dtype):
                return f"{_returned(trial, got, due)} ({trial.launch.about})."
            text = f"{_difference(name, got, due, wrong)} ({trial.launch.about}).{_writer(trial, name, wrong)}"
            return text + _whole_numbers(got[wrong], due[wrong])
    return None


def _whole_numbers(got: Any, due: Any) -> str:
    """Floats that are whole numbers throughout, and different ones, where fractions are due: a variable is an int."""
    if got.dtype.kind != "f" or not np.isfinite(got).all() or len(np.unique(got)) < 2 or not (abs(got) < 1e9).all():
        return ""
    whole = (got == np.round(got)).all() and not (due == np.round(due)).any()
    return " These are whole numbers throughout: is a variable an `int` that should be a `float`?" if whole else ""


def _returned(trial: Trial, got: Any, due: Any) -> str:
    """What a function returned in place of the array that is due."""
    name, value = trial.answer.name, trial.sanitized.returned
    if value is None:
        return f"{name} returned None: is a `return` missing?"
    if got is None:
        return f"{name} returned {called(value)}, which is not on the device. It should return a device array"
    return (f"{name} should return an array of shape {due.shape} and dtype {due.dtype}, but returned one of shape "
            f"{got.shape} and dtype {got.dtype}")  # fmt: skip


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
            who = people(witness, mine.thread[-1:])
            line = in_line(witness.call, int(mine.line[-1]))
            return f" {_capital(who)} wrote it{', ' * bool(line)}{line}."
    return ""


DIAGNOSES: tuple[Callable[[list[Trial], tuple[KernelTrap, ...]], str | None], ...] = (
    missing_guard, loop_left, trapped, out_of_bounds, stopped, barriers, unwritten_read, input_changed, race_of_idle,
    races, not_written, wrong_value,
)  # fmt: skip


def _with(trials: list[Trial], kinds: tuple[str, ...]) -> list[Trial]:
    return [trial for trial in trials if any(f.kind in kinds for _, f in trial.sanitized.findings)]


def _findings(trials: list[Trial], kinds: tuple[str, ...]) -> list[tuple[Trial, Call, Finding]]:
    return [(trial, call, f) for trial in trials for call, f in trial.sanitized.findings if f.kind in kinds]


def under_another_order(trial: Trial, run: Run) -> str | None:
    """What another order of warps brings to light in an answer that is right in lock-step."""
    if run.fault is not None:
        fault = run.fault[1]
        return f"In lock-step all is well, but with the warps in another order: {fault}{_bracket(trial.launch.about)}."
    for name, wrong in run.wrong().items():
        got, due = run.outputs[name], np.asarray(trial.launch.due[name])
        if got is None or (got.shape, got.dtype) != (due.shape, due.dtype):
            continue
        return ("The result is right when all threads go in step, and wrong when warps run one after another: "
                f"{_difference(name, got, due, wrong)} ({trial.launch.about}). CUDA promises no order of warps: what a "
                f"thread needs from another must be ordered by a `__syncthreads()` or an atomic.{_volatile(trial)}")
    return None


def _volatile(trial: Trial) -> str:
    return " `volatile` orders nothing." if any("volatile" in source for source in trial.answer.sources) else ""
