"""What the profiles of the seven sums say: counters for 1,000 elements, what a step mends, and all of it in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gpucourse.errors import CourseError
from gpucourse.show import here
from gpucourse.simt.profile import Profile
from gpucourse.simt.registers import WARP
from gpucourse.viz.reduction_rounds import BLOCK, ROUNDS, RULES, WARPS, Round, Rule

PER = 1000  # elements


@dataclass(frozen=True)
class Counter:
    """A counter of the ladder: its names; `percent`: of PTX instructions, which the compiler's version changes."""

    name: str
    heading: str
    percent: bool = False


COUNTERS = {
    "efficiency": Counter("warp efficiency", "warp\nefficiency %", percent=True),
    "divergent": Counter("divergent branches", "divergent\nbranches"),
    "conflicts": Counter("bank conflicts", "bank\nconflicts"),
    "wavefronts": Counter("shared wavefronts", "shared\nwavefronts"),
    "barriers": Counter("barriers", "barriers\nof blocks"),
    "sums": Counter("partial sums", "partial\nsums"),
    "loads": Counter("load requests", "load\nrequests"),
}


@dataclass(frozen=True)
class Idea:
    """What a version does, in words, and which counter it is there to mend ("": it is the first)."""

    words: str
    mends: str = ""


IDEAS = {
    "modulo": Idea("each second thread adds its neighbor's value, then each fourth, then each eighth"),
    "strided": Idea("the same tree, but the first threads add, so that whole warps work or rest", "divergent"),
    "halves": Idea("what is left is folded in the middle, so that a warp reads words side by side", "conflicts"),
    "first_add": Idea("each thread adds two elements before the tree begins, so that half as many blocks do",
                      "wavefronts"),
    "shuffled": Idea("each warp adds its own values by shuffles, and only the sums of the warps go through the tile",
                     "barriers"),
    "grid_stride": Idea("few blocks; each thread adds many elements before the tree begins", "sums"),
    "vector": Idea("each load brings four elements side by side", "loads"),
}  # fmt: skip


# --- what is given -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One version of the ladder: its rule, and what its profile says for an array of `n` elements."""

    name: str
    rule: Rule
    n: int
    blocks: int
    counters: Mapping[str, float]

    def loads(self, thread: int) -> list[range]:
        """What a thread of block 0 takes from `x`."""
        return self.rule.loads(thread, self.n, self.blocks)


def ladder(profiles: Mapping[str, Profile]) -> list[Step]:
    """Return the versions in the ladder's order; CourseError where the profiles cannot be compared.

    `profiles` holds, by the kernel's name, what `profile` returned for one launch of each version on the same array.
    """
    unknown = [name for name in profiles if name not in RULES]
    if unknown or not profiles:
        found = f"{unknown[0]!r} is none" if unknown else "there is no profile"
        raise CourseError(f"the reduction ladder has the versions {', '.join(RULES)}; {found} of them")
    made = [_step(name, profiles[name]) for name in RULES if name in profiles]
    other = next((step for step in made if step.n != made[0].n), None)
    if other:
        raise CourseError(f"{made[0].name} read {made[0].n:,} elements and {other.name} {other.n:,}: "
                          "profile all versions on the same array")  # fmt: skip
    return made


def _step(name: str, p: Profile) -> Step:
    if p.threads_per_block != BLOCK:
        raise CourseError(f"{name} was profiled with {p.threads_per_block} threads a block; the ladder has {BLOCK}")
    n, rule = p.global_load_bytes_used // 4, RULES[name]   # each version reads each float once
    if not n:
        raise CourseError(f"{name} read no element of x: profile it with n of 1 or more")
    blocks = p.grid[0]
    counts = {"divergent": p.divergent_branches, "conflicts": p.bank_conflicts, "wavefronts": p.shared_wavefronts,
              "barriers": blocks * rule.barriers, "sums": p.global_store_requests,
              "loads": p.global_load_requests}  # fmt: skip
    each = {key: PER * count / n for key, count in counts.items()}
    return Step(name, rule, n, blocks, {"efficiency": 100 * p.warp_efficiency} | each)


def chosen(steps: Sequence[Step], version: str, round: int) -> int:
    """Return the place of a version among the steps; CourseError for a version or a round that is not there."""
    names = [step.name for step in steps]
    if version not in names:
        raise CourseError(f"version={version!r}: there are profiles of {', '.join(names)}")
    if not 0 <= round <= ROUNDS:
        raise CourseError(f"round={round}: there are the rounds 0 (take) to {ROUNDS}")
    return names.index(version)


# --- words -------------------------------------------------------------------------------------------


def sentence(profiles: Mapping[str, Profile], version: str = "modulo", round: int = 1) -> str:
    """Say what a version changes against the one before it, and what its block does in a round."""
    steps = ladder(profiles)
    return words(steps, chosen(steps, version, round), round)


def words(steps: Sequence[Step], place: int, round: int) -> str:
    """Return the sentence of the version at `place` and of a round."""
    step = steps[place]
    head = f"{step.name}, version {list(RULES).index(step.name) + 1} of {len(RULES)}: {IDEAS[step.name].words}."
    return " ".join([head, *_changes(steps, place), f"Round {round} of {ROUNDS}: {_round_words(step, round)}"])


def _changes(steps: Sequence[Step], place: int) -> Iterator[str]:
    """What changed against the version before, the counter that the step is there to mend first."""
    now = steps[place].counters
    if not place:
        listed = ", ".join(f"{number_text(now[key])} {counter.name}" for key, counter in COUNTERS.items()
                           if not counter.percent)  # fmt: skip
        yield f"Per {PER:,} elements: {listed}. Warp efficiency: {here(number_text(now['efficiency']) + ' %')}."
        return
    before, mended = steps[place - 1].counters, IDEAS[steps[place].name].mends
    texts = {key: f"{counter.name} {_from_to(before[key], now[key])}" for key, counter in COUNTERS.items()
             if not counter.percent}  # fmt: skip
    rest = [text for key, text in texts.items() if key != mended and before[key] != now[key]]
    also = f"Also: {', '.join(rest)}." if rest else "Nothing else changed."
    mark = " (mended)" * (now[mended] < before[mended])
    yield f"Against {steps[place - 1].name}, per {PER:,} elements: {texts[mended]}{mark}. {also}"
    both = (number_text(counters["efficiency"]) for counters in (before, now))
    yield f"Warp efficiency: {here(' → '.join(both) + ' %')}."


def _from_to(before: float, now: float) -> str:
    return f"{number_text(before)} → {number_text(now)}" if before != now else f"{number_text(now)}, as before"


def number_text(number: float) -> str:
    """Return a number in three digits: "188", "17.6", "0.244", "0"."""
    if not number:
        return "0"
    digits = next((digits for low, digits in ((100, 0), (10, 1), (1, 2)) if number >= low), 3)
    text = f"{number:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _round_words(step: Step, round: int) -> str:
    made = step.rule.rounds[round]
    if not round:
        return f"{_take_words(step)} {_cost_words(made)}"
    who = f"in {many(len(made.workers), 'thread')} of {many(len({t // WARP for t in made.workers}), 'warp')}"
    unused = f"; {len(made.used)} of the sums {_is(len(made.used))} used later" * made.shuffled
    meeting = ("lane 0 of each warp leaves its sum in the tile, the block waits, and warp 0 goes on with the "
               f"{WARPS} sums: ")  # fmt: skip
    return f"{meeting * bool(made.writers)}{made.code}, {who}{unused}. {_cost_words(made)}"


def _take_words(step: Step) -> str:
    loads = step.loads(0)
    count = sum(map(len, loads))
    wide = f" of {len(loads[0])}" if count == len(loads) * len(loads[0]) > len(loads) else ""
    return f"thread 0 of block 0 takes {many(count, 'element')} in {many(len(loads), 'load')}{wide}."


def _cost_words(made: Round) -> str:
    parted = f"{many(len(made.parted), 'warp')} {'parts' if len(made.parted) == 1 else 'part'}"
    parts = parted if made.parted else "No warp parts"
    if not made.requests:
        return f"{parts}; nothing goes through the tile."
    conflicts = f"{many(made.conflicts, 'bank conflict')}" if made.conflicts else "no bank conflict"
    return f"{parts}; the tile takes {many(made.wavefronts, 'wavefront')}, {conflicts}."


def many(number: int, what: str) -> str:
    """Return a count: "1 warp", "8 warps"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
