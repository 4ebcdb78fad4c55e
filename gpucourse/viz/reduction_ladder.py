"""The reduction ladder explorer: seven sums of a block, round by round, and the counters that each step mends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gpucourse.simt.metrics import BANKS
from gpucourse.simt.profile import Profile
from gpucourse.simt.registers import WARP
from gpucourse.viz import explorer, picture, stamps
from gpucourse.viz.reduction_rounds import BLOCK, ROUNDS, WARPS, Round
from gpucourse.viz.reduction_steps import COUNTERS, IDEAS, PER, Step, chosen, ladder, many, number_text, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(profiles: Mapping[str, Profile], version: str = "modulo", round: int = 1) -> tuple[Figure, str]:
    """Draw one round of one version, and the counters of all; return the figure and the sentence."""
    steps = ladder(profiles)
    place = chosen(steps, version, round)
    step, made = steps[place], steps[place].rule.rounds[round]
    fig, ax = picture.page(_WIDE, _TABLE_TOP + _TABLE_ROW * len(steps) + 0.3)
    title = f"{step.name}, round {round} of {ROUNDS}:  {made.code}"
    stamps.word(ax, _MARGIN, 0.2, title, fontsize=11.5, va="center", weight="bold")
    stamps.word(ax, _WIDE - _MARGIN, 0.2, f"n = {step.n:,}, {many(step.blocks, 'block')}", ha="right", **_SMALL)
    _tree(ax, step, round)
    _threads(ax, made)
    _right(ax, step, round)
    _table(ax, steps, place)
    return fig, words(steps, place, round)


def reduction_ladder(profiles: Mapping[str, Profile], version: str = "modulo", round: int = 1) -> None:
    """Print the sentence and show the picture of one round (0: what threads take from `x`) of one version.

    `profiles` holds, by the kernel's name, what `profile` returned for one launch of each version on the same array;
    some of the seven are enough. CourseError for what does not fit.

    >>> reduction_ladder({"modulo": p, "strided": q}, version="strided", round=2)  # doctest: +SKIP
    """
    explorer.show(draw, profiles=profiles, version=version, round=round)


def explore(profiles: Mapping[str, Profile]) -> explorer.Explorer | None:
    """The same picture with a control for the version and one for the round."""
    names = [step.name for step in ladder(profiles)]

    def drawn(version: str, round: int) -> tuple[Figure, str]:
        return draw(profiles, version, round)

    return explorer.explorer(
        "reduction ladder",
        drawn,
        version=explorer.steps(names[0], names, "version"),
        round=explorer.slider(1, 0, ROUNDS, 1, "round (0: take)"),
    )


# --- the picture -------------------------------------------------------------------------------------

_WIDE, _MARGIN = 9.2, 0.12  # inches
_TREE_TOP, _TREE_ROW, _TREE_LEFT, _TREE_WIDTH = 0.86, 0.2, 0.75, 5.12
_FIRST_COLUMN, _COLUMN = 6.34, 0.5  # of the numbers beside the tree
_GRID_TOP, _HIGH = 3.32, 0.15
_THREADS_LEFT, _RIGHT_LEFT = 0.62, 5.1
_THREAD_CELL, _CELL = 0.099, 0.125  # width of a thread, and of an element
_KEY = _GRID_TOP + WARPS * _HIGH + 0.38
_TABLE_TOP, _TABLE_ROW, _NAMES, _BAR_COLUMN = _KEY + 0.72, 0.2, 1.08, 1.15
_SMALL: dict[str, Any] = {"fontsize": 8, "va": "center"}
_NUMBER: dict[str, Any] = {"fontsize": 5.6, "ha": "center", "va": "center_baseline"}
_WORKS, _UNUSED, _WAITS, _RESTS = picture.COLORS["blue"], "#A5CDE8", "white", "#DADADA"
_WRITES = picture.COLORS["orange"]
_OWN, _OTHER, _PALE_OWN, _PALE_OTHER = "#BFE0F5", "#E69F00", "#EAF5FC", "#F8E3B8"
_HERE, _FAINT, _LINE = "#FFE9A8", "#B8B8B8", "#C8C8C8"

# --- all rounds --------------------------------------------------------------------------------------

_COLUMNS: tuple[tuple[str, Callable[[Round], int]], ...] = (
    ("threads\nat work", lambda made: len(made.workers | made.writers)),
    ("sums\nin use", lambda made: len(made.used)),
    ("warps\nat work", lambda made: len(made.warps)),
    ("warps\nthat part", lambda made: len(made.parted)),
    ("wave-\nfronts", lambda made: made.wavefronts),
    ("bank\nconflicts", lambda made: made.conflicts),
)


def _tree(ax: Axes, step: Step, round: int) -> None:
    """All rounds from above to below: the additions at the left, their numbers at the right; the chosen one marked."""
    top = _TREE_TOP + (round - 0.5) * _TREE_ROW
    stamps.box(ax, 0.05, top, _WIDE - 0.1, _TREE_ROW, facecolor=_HERE, linewidth=0, zorder=0)
    what = "threads' values v" if step.rule.rounds[1].shuffled else "elements of the tile s"
    stamps.word(ax, _TREE_LEFT, 0.47, f"Block 0, all rounds: its 256 {what}", **_SMALL)
    for place in (0, 64, 128, 192, BLOCK - 1):
        stamps.word(ax, _across(place), 0.63, str(place), fontsize=7, ha="center", va="center",
                    color=picture.COLORS["grey"])  # fmt: skip
    _takes(ax, step, chosen=round == 0)
    for number, made in enumerate(step.rule.rounds):
        _edges(ax, made, number, number == round)
        _numbers(ax, step, number, number == round)
    _numbers_heading(ax)


def _across(place: float) -> float:
    return _TREE_LEFT + (place + 0.5) * _TREE_WIDTH / BLOCK


def _takes(ax: Axes, step: Step, *, chosen: bool) -> None:
    """Round 0: a beam over all threads, and how many elements of x each of block 0 takes."""
    top, count = _TREE_TOP - _TREE_ROW / 2, sum(map(len, step.loads(0)))
    upto = "up to " * (sum(map(len, step.loads(BLOCK - 1))) < count)
    stamps.box(ax, _TREE_LEFT, top + 0.02, _TREE_WIDTH, _TREE_ROW - 0.02, facecolor=_OWN if chosen else "#EDEDED",
               edgecolor=_FAINT, linewidth=0.6)  # fmt: skip
    text = f"{upto}{many(count, 'element')} of x a thread"
    stamps.word(ax, _TREE_LEFT + _TREE_WIDTH / 2, top + 0.11, text, ha="center", **_SMALL)


def _edges(ax: Axes, made: Round, number: int, chosen: bool) -> None:
    """The additions of a round as lines from two values to their sum."""
    from matplotlib.collections import LineCollection

    low, high = (_TREE_TOP + (number + side) * _TREE_ROW for side in (-0.5, 0.5))
    own = [[(_across(add.own), low), (_across(add.to), high)] for add in made.adds]
    other = [[(_across(add.other), low), (_across(add.to), high)] for add in made.adds]
    colors = (picture.COLORS["red"], picture.COLORS["blue"]) if chosen else (_FAINT, _FAINT)
    width = 0.6 if not chosen else 0.9 if len(made.adds) > 64 else 1.2
    for lines, color in ((other, colors[0]), (own, colors[1])):
        ax.add_collection(LineCollection(lines, colors=color, linewidths=width, zorder=1 + chosen, snap=False))


def _numbers(ax: Axes, step: Step, number: int, chosen: bool) -> None:
    """The round's number before its row of the tree, and its counts behind."""
    made, y = step.rule.rounds[number], _TREE_TOP + number * _TREE_ROW
    weight = "bold" if chosen else "normal"
    stamps.word(ax, _TREE_LEFT - 0.1, y, str(number) if number else "take: 0", ha="right", weight=weight, **_SMALL)
    for place, (_, count) in enumerate(_COLUMNS):
        stamps.word(ax, _FIRST_COLUMN + _COLUMN * place, y, str(count(made)), ha="center", weight=weight, **_SMALL)


def _numbers_heading(ax: Axes) -> None:
    stamps.word(ax, _TREE_LEFT - 0.1, 0.63, "round", ha="right", **_SMALL)
    for place, (heading, _) in enumerate(_COLUMNS):
        stamps.word(ax, _FIRST_COLUMN + _COLUMN * place, 0.52, heading, fontsize=7.5, ha="center", va="baseline",
                    linespacing=1.1)  # fmt: skip


# --- the chosen round: threads -----------------------------------------------------------------------


def _threads(ax: Axes, made: Round) -> None:
    """The block's threads, a row a warp: who works, who waits for others of the warp, which warps rest."""
    stamps.word(ax, _MARGIN, _GRID_TOP - 0.44, "This round's threads", fontsize=9, va="center", weight="bold")
    _cells(ax, _THREADS_LEFT, _THREAD_CELL, {thread: _face(made, thread) for thread in range(BLOCK)})
    _lane_numbers(ax, _THREADS_LEFT, _THREAD_CELL, "lane")
    for warp in range(WARPS):
        stamps.word(ax, _THREADS_LEFT - 0.06, _row_middle(warp), f"warp {warp}", ha="right", **_SMALL)
        words, color = _warp_words(made, warp)
        stamps.word(ax, _THREADS_LEFT + WARP * _THREAD_CELL + 0.06, _row_middle(warp), words, color=color, **_SMALL)
    unused = [(_UNUSED, "sum not used")] if made.shuffled else []
    wrote = [(_WRITES, "writes s")] if made.writers else []
    still = [(_WAITS, "waits"), (_RESTS, "warp rests")]
    _key(ax, _MARGIN, [(_WORKS, "adds" if made.adds else "takes"), *unused, *wrote, *still])


def _face(made: Round, thread: int) -> str:
    if thread in made.workers:
        return _WORKS if thread in made.used else _UNUSED
    if thread in made.writers:
        return _WRITES
    return _WAITS if thread // WARP in made.warps else _RESTS


def _warp_words(made: Round, warp: int) -> tuple[str, str]:
    """(what a warp's row is called, its color)."""
    if warp in made.parted:
        working = sum(thread // WARP == warp for thread in made.writers or made.workers)
        return f"{working}: parts", picture.INK["red"]
    return "all 32" if warp in made.warps else "rests", "black"


def _cells(ax: Axes, left: float, wide: float, faces: Mapping[int, str]) -> None:
    """Cells of a grid with 32 columns, by number."""
    from matplotlib.collections import PolyCollection

    boxes = [_corners(left + number % WARP * wide, _GRID_TOP + number // WARP * _HIGH, wide) for number in faces]
    ax.add_collection(PolyCollection(boxes, facecolors=list(faces.values()), edgecolors=_LINE, linewidths=0.5))


def _corners(x: float, y: float, wide: float) -> list[tuple[float, float]]:
    return [(x, y), (x + wide, y), (x + wide, y + _HIGH), (x, y + _HIGH)]


def _row_middle(row: float) -> float:
    return _GRID_TOP + (row + 0.5) * _HIGH


def _lane_numbers(ax: Axes, left: float, wide: float, what: str) -> None:
    for lane in (0, 8, 16, 24, 31):
        text = f"{what} 0" if lane == 0 else str(lane)
        stamps.word(ax, left + (lane + 0.5) * wide, _GRID_TOP - 0.1, text, fontsize=7, ha="center", va="center",
                    color=picture.COLORS["grey"])  # fmt: skip


def _key(ax: Axes, left: float, entries: Iterable[tuple[str, str]]) -> None:
    for color, text in entries:
        stamps.box(ax, left, _KEY - 0.06, 0.16, 0.12, facecolor=color, edgecolor="#909090", linewidth=0.6)
        stamps.word(ax, left + 0.21, _KEY, text, **_SMALL)
        left += 0.34 + 0.063 * len(text)


# --- the chosen round: what it adds ------------------------------------------------------------------


def _right(ax: Axes, step: Step, round: int) -> None:
    made = step.rule.rounds[round]
    if not round:
        _taken(ax, step)
    elif made.shuffled:
        _shuffle(ax, made)
    else:
        _tile(ax, made)


def _heading(ax: Axes, title: str, facts: str) -> None:
    left = _RIGHT_LEFT - 0.45
    stamps.word(ax, left, _GRID_TOP - 0.44, title, fontsize=9, va="center", weight="bold")
    stamps.word(ax, left, _GRID_TOP - 0.27, facts, **_SMALL)


def _taken(ax: Axes, step: Step) -> None:
    """The elements of x that warp 0 takes, in rows of 32, as many as there is room for; a frame is one load."""
    rows = _taken_rows(step)
    loads = len({part.load for parts in rows.values() for part in parts})
    facts = f"{many(loads, 'load request')}{', each' * (loads > 1)} framed; number: lane of warp 0"
    _heading(ax, "What warp 0 of block 0 takes from x", facts)
    shown = sorted(rows)[: WARPS if len(rows) <= WARPS else WARPS - 1]
    for place, row in enumerate(shown):
        stamps.word(ax, _RIGHT_LEFT - 0.06, _row_middle(place), f"x[{row * WARP:,}]", ha="right", **_SMALL)
        for part in rows[row]:
            face = _OTHER if part.load % 2 else _OWN
            _place(ax, place * WARP + part.first % WARP, face, str(part.lane), framed=False, cells=part.length)
    _load_frames(ax, [rows[row][0].load for row in shown])
    if len(shown) < len(rows):
        more = len(rows) - len(shown)
        text = f"… and {more:,} more such row{'s' * (more > 1)}"
        stamps.word(ax, _RIGHT_LEFT, _row_middle(WARPS - 0.8), text, **_SMALL)


class _Part(NamedTuple):
    """What a lane's load brings: `length` elements from `first` on."""

    load: int
    lane: int
    first: int
    length: int


def _taken_rows(step: Step) -> dict[int, list[_Part]]:
    """Row of 32 elements -> what warp 0 of block 0 takes from it, the lowest lane first."""
    rows: dict[int, list[_Part]] = {}
    first = step.loads(0)
    for lane in range(WARP):
        for number, load in enumerate(step.loads(lane)):
            number = number if len(load) == len(first[0]) else len(first) - 1   # what is left of a load by fours
            rows.setdefault(load[0] // WARP, []).append(_Part(number, lane, load[0], len(load)))
    return rows


def _load_frames(ax: Axes, loads: Sequence[int]) -> None:
    """A frame around the rows of each load request; `loads` are the rows' loads."""
    for number in sorted(set(loads)):
        top, count = loads.index(number), loads.count(number)
        stamps.box(ax, _RIGHT_LEFT, _GRID_TOP + top * _HIGH, WARP * _CELL, count * _HIGH, facecolor="none",
                   edgecolor="black", linewidth=1.2, zorder=4)  # fmt: skip


def _tile(ax: Axes, made: Round) -> None:
    """The tile, a column a bank: what warp 0 reads and writes, and pale what the other warps do."""
    reads, added, writes = made.requests[:3]
    costs = f"warp 0 reads in {reads.wavefronts} + {added.wavefronts} wavefronts, writes in {writes.wavefronts}"
    _heading(ax, "The tile s: a row has 32 words, one a bank", f"{costs}; number: lane of warp 0")
    faces = dict.fromkeys(range(BLOCK), "white")
    for add in made.adds:
        faces |= {add.own: _PALE_OWN, add.other: _PALE_OTHER}
    _cells(ax, _RIGHT_LEFT, _CELL, faces)
    _lane_numbers(ax, _RIGHT_LEFT, _CELL, "bank")
    for row in range(WARPS):
        stamps.word(ax, _RIGHT_LEFT - 0.06, _row_middle(row), f"s[{row * WARP}]", ha="right", **_SMALL)
    for request, face in ((added, _OTHER), (reads, _OWN)):
        for thread, element in request.elements.items():
            _place(ax, element, face, str(thread), framed=face is _OWN)
    _words_a_bank(ax, reads.words)
    _key(ax, _RIGHT_LEFT, [(_OWN, "read, added to, written"), (_OTHER, "read"), (_PALE_OWN, "other warps")])


def _words_a_bank(ax: Axes, words: Mapping[int, set[int]]) -> None:
    """Below each bank how many words of its own read it must deliver: the largest number are the wavefronts."""
    most = max(map(len, words.values()))
    stamps.word(ax, _RIGHT_LEFT - 0.06, _row_middle(WARPS) + 0.03, "framed words", ha="right", **_SMALL)
    for bank in range(BANKS):
        count = len(words.get(bank, ()))
        crowded = count == most > 1
        stamps.word(ax, _RIGHT_LEFT + (bank + 0.5) * _CELL, _row_middle(WARPS) + 0.03, str(count or "·"), fontsize=7,
                    ha="center", va="center", weight="bold" if crowded else "normal",
                    color=picture.INK["red"] if crowded else "black")  # fmt: skip


def _place(ax: Axes, cell: int, face: str, text: str, *, framed: bool, cells: int = 1) -> None:
    """One cell (or several as one) in full color, with a lane's number."""
    x, y = _RIGHT_LEFT + cell % WARP * _CELL, _GRID_TOP + cell // WARP * _HIGH
    look: dict[str, Any] = {"edgecolor": "black", "linewidth": 0.9, "zorder": 3} if framed else {
        "edgecolor": _LINE, "linewidth": 0.5, "zorder": 2}  # fmt: skip
    stamps.box(ax, x, y, cells * _CELL, _HIGH, facecolor=face, **look)
    stamps.word(ax, x + cells * _CELL / 2, y + _HIGH / 2, text, zorder=5, **_NUMBER)


def _shuffle(ax: Axes, made: Round) -> None:
    """The lanes of warp 0 before and after a shuffle; in round 6 above them the sums that come through the tile."""
    facts = f"each lane adds the value of the lane {made.distance} to its right" if made.distance > 1 else \
        "each lane adds the value of the lane to its right"
    _heading(ax, "The lanes of warp 0, before and after the shuffle", facts)
    before, after = (3 if made.requests else 1), 6
    if made.requests:
        _from_tile(ax, before)
    for lane in range(WARP):
        value = f"{lane % WARPS}" if made.requests else str(lane)
        _place(ax, before * WARP + lane, _OWN, value, framed=False)
        used = lane in made.used
        _place(ax, after * WARP + lane, _WORKS if used else "#F0F0F0", "", framed=False)
        stamps.word(ax, _RIGHT_LEFT + (lane + 0.5) * _CELL, _row_middle(after), str(lane), zorder=5,
                    color="white" if used else "#909090", **_NUMBER)  # fmt: skip
    stamps.word(ax, _RIGHT_LEFT - 0.06, _row_middle(before), "v", ha="right", **_SMALL)
    stamps.word(ax, _RIGHT_LEFT - 0.06, _row_middle(after), "sums", ha="right", **_SMALL)
    _arrows(ax, made, before, after)


def _from_tile(ax: Axes, before: int) -> None:
    """The eight sums of the warps in the tile, and how the lanes of warp 0 fetch them."""
    for warp in range(WARPS):
        _place(ax, warp, _OTHER, str(warp), framed=True)
        _line(ax, (warp, 1), (warp, before), "black", 0.9)
    stamps.word(ax, _RIGHT_LEFT - 0.06, _row_middle(0), "s", ha="right", **_SMALL)
    text = "sums of the warps; barrier; v = s[t % 8]"
    stamps.word(ax, _RIGHT_LEFT + (WARPS + 0.5) * _CELL, _row_middle(0), text, **_SMALL)


def _arrows(ax: Axes, made: Round, before: int, after: int) -> None:
    """From each lane's own value and from the other's to the sum; pale where nobody uses the sum."""
    for lane in range(WARP):
        used = lane in made.used
        color, width = (picture.COLORS["red"], 1.2) if used else ("#DDDDDD", 0.6)
        if used or made.source(lane) != lane:
            _line(ax, (made.source(lane), before + 1), (lane, after), color, width, head=used)
        _line(ax, (lane, before + 1), (lane, after), picture.COLORS["blue"] if used else "#DDDDDD", width)


def _line(
    ax: Axes, start: tuple[int, int], end: tuple[int, int], color: str, width: float, *, head: bool = False
) -> None:
    """A line between (lane, row) and (lane, row), at the upper edges of the rows."""
    points = [(_RIGHT_LEFT + (lane + 0.5) * _CELL, _GRID_TOP + row * _HIGH) for lane, row in (start, end)]
    arrow = {"arrowstyle": "-|>,head_width=0.12,head_length=0.22" if head else "-", "color": color, "linewidth": width,
             "shrinkA": 0, "shrinkB": 0}  # fmt: skip
    ax.annotate("", points[1], points[0], arrowprops=arrow, zorder=2 if head else 1)


# --- the counters of all versions --------------------------------------------------------------------


def _table(ax: Axes, steps: Sequence[Step], place: int) -> None:
    """A row a version, a column a counter, bars as long as the column's largest number; the chosen row marked."""
    mended = IDEAS[steps[place].name].mends
    stamps.word(ax, _MARGIN, _TABLE_TOP - 0.25, f"Per {PER:,}\nelements", linespacing=1.1, **_SMALL)
    top = _TABLE_TOP + place * _TABLE_ROW
    stamps.box(ax, 0.05, top, _WIDE - 0.1, _TABLE_ROW, facecolor=_HERE, linewidth=0, zorder=0)
    for row, step in enumerate(steps):
        y, weight = _TABLE_TOP + (row + 0.5) * _TABLE_ROW, "bold" if row == place else "normal"
        stamps.word(ax, _NAMES - 0.1, y, step.name, ha="right", weight=weight, **_SMALL)
    for column, (key, counter) in enumerate(COUNTERS.items()):
        left = _NAMES + column * _BAR_COLUMN
        weight = "bold" if key == mended else "normal"
        stamps.word(ax, left, _TABLE_TOP - 0.25, counter.heading, linespacing=1.1, weight=weight, **_SMALL)
        _bars(ax, left, [step.counters[key] for step in steps], counter.percent)
    if mended:
        left = _NAMES + list(COUNTERS).index(mended) * _BAR_COLUMN - 0.05
        stamps.box(ax, left, _TABLE_TOP + (place - 1) * _TABLE_ROW, _BAR_COLUMN, 2 * _TABLE_ROW, facecolor="none",
                   edgecolor="black", linewidth=1.6, zorder=4)  # fmt: skip
    note = "Frame: what this step mends.  " * bool(mended) + "Shorter is better, except for warp efficiency."
    stamps.word(ax, _NAMES, _TABLE_TOP + len(steps) * _TABLE_ROW + 0.14, note, **_SMALL)


def _bars(ax: Axes, left: float, numbers: Sequence[float], percent: bool) -> None:
    longest = 100.0 if percent else max(numbers) or 1.0
    room = _BAR_COLUMN - 0.5
    for row, number in enumerate(numbers):
        top, width = _TABLE_TOP + row * _TABLE_ROW, room * number / longest
        stamps.box(ax, left, top + 0.05, width, _TABLE_ROW - 0.1, facecolor=picture.COLORS["sky"], linewidth=0,
                   zorder=2)  # fmt: skip
        stamps.word(ax, left + width + 0.04, top + _TABLE_ROW / 2, number_text(number), **_SMALL)
