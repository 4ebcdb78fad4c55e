"""Draws which thread of a small launch reads and writes which element: one cell an element, one panel a kind."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gpucourse.access_record import KINDS, Accesses, Held, Touch
from gpucourse.errors import CourseError
from gpucourse.simt.metrics import SECTOR
from gpucourse.simt.registers import WARP
from gpucourse.viz import picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORED_BY = ("thread", "warp", "block", "step")
LINE = 128  # bytes: a row of a flat array
MOST_ROWS, MOST_COLUMNS = 40, 64
FEW_THREADS = 12  # as many as there are colors
_WIDTHS = ((8, 0.42), (16, 0.36), (20, 0.33), (34, 0.2), (MOST_COLUMNS, 0.112))  # columns up to -> inches of a cell
_HIGHEST, _LOWEST, _ALL = 0.24, 0.11, 7.0  # inches of a row, and of the rows of all panels
_HEAD, _FOOT, _LEFT, _BETWEEN, _LETTER = 0.62, 0.12, 0.62, 0.35, 0.058
_STRIPES = 4  # the most colors of one cell
_VERBS = {"read": "Reads of", "write": "Writes to", "update": "Atomic updates of"}


@dataclass(frozen=True)
class Panel:
    """The accesses of one kind to one array."""

    kind: str
    held: Held
    touches: tuple[Touch, ...]

    @cached_property
    def by_element(self) -> dict[int, list[Touch]]:
        """Element -> its accesses."""
        found: dict[int, list[Touch]] = {}
        for touch in self.touches:
            found.setdefault(touch.element, []).append(touch)
        return found

    @cached_property
    def requests(self) -> dict[tuple[int, int, int], list[Touch]]:
        """(block, warp, step) -> what the lanes of that warp access together."""
        found: dict[tuple[int, int, int], list[Touch]] = {}
        for touch in self.touches:
            found.setdefault((touch.block, touch.thread // WARP, touch.step), []).append(touch)
        return found

    @cached_property
    def threads(self) -> int:
        """How many threads take part."""
        return len({_who(touch) for touch in self.touches})

    @cached_property
    def crowded(self) -> int:
        """Elements that more than one thread accesses."""
        return sum(len({_who(touch) for touch in touches}) > 1 for touches in self.by_element.values())

    @property
    def sectors(self) -> int:
        """Sectors of 32 bytes that the requests touch, summed."""
        return sum(len({byte // SECTOR for byte in self._bytes(made)}) for made in self.requests.values())

    @property
    def ideal(self) -> int:
        """Sectors that the same bytes of each request would need if they lay side by side, summed."""
        return sum(-(-len(self._bytes(made)) // SECTOR) for made in self.requests.values())

    def _bytes(self, made: Sequence[Touch]) -> set[int]:
        return {self.held.start + byte for touch in made for byte in range(touch.byte, touch.byte + touch.size)}


def access_picture(
    recorded: Accesses, array: str, *, color: str | None = None, kind: str | None = None, block: int | None = None,
    shape: tuple[int, ...] | None = None,
) -> None:  # fmt: skip
    """Show who accesses which element of `array`: the numbers are threads, the frame is one request of one warp.

    `recorded` comes from `gpucourse.accesses`; `array` is the name of a parameter or of a shared variable. Cells are
    colored by "thread" (usual for up to 12 threads), "warp" (usual for more), "block" or "step" (1st, 2nd ...
    request of the thread's warp). `kind` picks "read", "write" or "update", `block` one block (of a shared
    array: 0 unless told), `shape` folds a flat array, such as an image. CourseError for what does not fit.

    >>> access_picture(accesses(add, (2,), (8,), (x, y, out, np.int32(16))), "x")  # doctest: +SKIP
    """
    fig, alt = draw(recorded, array, color=color, kind=kind, block=block, shape=shape)
    picture.show(fig, alt)


def draw(
    recorded: Accesses, array: str, *, color: str | None = None, kind: str | None = None, block: int | None = None,
    shape: tuple[int, ...] | None = None,
) -> tuple[Figure, str]:  # fmt: skip
    """Draw the picture; return the figure and its words. Arguments as `access_picture`."""
    held = recorded.array(array)
    if held.space == "shared" and block is None:
        block = 0
    found = panels(recorded, array, kind, block)
    colors = _Colors(recorded, found, color, block)
    table = _Table(held, shape, len(found))
    fig = _draw(recorded, found, table, colors, _title(recorded, held, table, block))
    return fig, words(recorded, found, held, block)


def panels(recorded: Accesses, array: str, kind: str | None = None, block: int | None = None) -> list[Panel]:
    """Return a panel for each kind of access that there is, reads first; an empty one if there is none."""
    if kind not in (None, *KINDS.values()):
        raise CourseError(f"kind={kind!r}: an access is one of {', '.join(KINDS.values())}")
    blocks = math.prod(recorded.grid)
    if block is not None and not 0 <= block < blocks:
        raise CourseError(f"block={block}: the launch has the blocks 0 to {blocks - 1}")
    held, touches = recorded.array(array), recorded.touches(array, block)
    made = [Panel(each, held, tuple(t for t in touches if t.kind == each)) for each in KINDS.values()]
    wanted = [panel for panel in made if (panel.touches and kind is None) or panel.kind == kind]
    return wanted or made[:1]


def words(recorded: Accesses, found: Sequence[Panel], held: Held, block: int | None) -> str:
    """Say in words what the panels show."""
    where = f"block {block} of {recorded.kernel}" if block is not None else recorded.kernel
    touched = {element for panel in found for element in panel.by_element}
    parts = [f"{_VERBS[panel.kind]} {held.name} by {where}: {facts(panel)}" for panel in found]
    untouched = held.elements - len(touched)
    return f"{'. '.join(parts)}. {untouched:,} of {_many(held.elements, 'element')} stay untouched."


def facts(panel: Panel) -> str:
    """Return the numbers of a panel in words."""
    if not panel.touches:
        return "none"
    parts = [f"{_many(len(panel.by_element), 'element')} by {_many(panel.threads, 'thread')}"]
    if panel.crowded:
        parts.append(f"{panel.crowded:,} of them by more than one thread")
    cost = _many(len(panel.requests), "warp request")
    if panel.held.space == "global":
        fewest = "the fewest possible" if panel.ideal == panel.sectors else f"{panel.ideal:,} if side by side"
        cost += f", {_many(panel.sectors, 'sector')} ({fewest})"
    return ", ".join([*parts, cost])


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _who(touch: Touch) -> tuple[int, int]:
    return touch.block, touch.thread


def _title(recorded: Accesses, held: Held, table: _Table, block: int | None) -> str:
    size = " × ".join(f"{length:,}" for length in table.shape)
    where = f", block {block}" if block is not None else ""
    shared = "shared " if held.space == "shared" else ""
    return f"{recorded.kernel}{where}: {shared}{held.name}, {size} elements of {_many(held.itemsize, 'byte')}"


# --- colors ------------------------------------------------------------------------------------------


class _Colors:
    """Which color a touch has, and what the color means."""

    def __init__(self, recorded: Accesses, found: Sequence[Panel], by: str | None, block: int | None) -> None:
        if by not in (None, *COLORED_BY):
            raise CourseError(f"color={by!r}: cells are colored by one of {', '.join(COLORED_BY)}")
        blocks, threads = math.prod(recorded.grid), math.prod(recorded.block)
        self.by = by or ("thread" if blocks * threads <= FEW_THREADS else "warp")
        self._threads, self._warps = threads, -(-threads // WARP)
        self._alone = blocks == 1 or block is not None
        self._ranks = {id(t): rank for panel in found for t, rank in _ranks(panel)} if self.by == "step" else {}

    def place(self, touch: Touch) -> int:
        """Number of the color of a touch."""
        if self.by == "step":
            return self._ranks[id(touch)]
        own = {"thread": (touch.thread, self._threads), "warp": (touch.thread // WARP, self._warps), "block": (0, 1)}
        number, per_block = own[self.by]
        return touch.block * per_block + number

    def name(self, place: int) -> str:
        """What the color stands for."""
        if self.by == "step":
            return f"request {place + 1}"
        per_block = {"thread": self._threads, "warp": self._warps, "block": 1}[self.by]
        block = f"block {place // per_block}"
        if self.by == "block" or (self.by == "warp" and per_block == 1 and not self._alone):
            return block
        own = f"{self.by} {place % per_block}"
        return own if self._alone else f"{block}, {own}"

    def tint(self, place: int) -> tuple[float, float, float]:
        """A color on which black numbers can be read."""
        from matplotlib.colors import to_rgb

        name, strength = _TINTS[place % len(_TINTS)]
        red, green, blue = (1 - strength * (1 - part) for part in to_rgb(picture.COLORS[name]))
        return red, green, blue


# pale ones first, then the same hues stronger
_TINTS = (
    ("sky", 0.55), ("orange", 0.5), ("green", 0.45), ("purple", 0.55), ("grey", 0.35), ("red", 0.6),
    ("blue", 0.75), ("orange", 1.0), ("green", 0.85), ("purple", 1.0), ("grey", 0.7), ("red", 0.95),
)  # fmt: skip


def _ranks(panel: Panel) -> Iterator[tuple[Touch, int]]:
    """Each touch with the number of requests that its warp made before, in this panel."""
    made: dict[tuple[int, int], int] = {}
    for key in sorted(panel.requests):
        rank = made[key[:2]] = made.get(key[:2], -1) + 1
        yield from ((touch, rank) for touch in panel.requests[key])


# --- cells -------------------------------------------------------------------------------------------


class _Table:
    """Where an element's cell is: rows and columns, and how large a cell is in inches."""

    def __init__(self, held: Held, shape: tuple[int, ...] | None, count: int) -> None:
        if shape is not None and math.prod(shape) != held.elements:
            raise CourseError(f"shape={shape} has {math.prod(shape):,} elements, {held.name} has {held.elements:,}")
        self.held, self.shape = held, shape or held.shape
        self.flat = len(self.shape) < 2
        self.across = min(_flat_row(held), max(held.elements, 1)) if self.flat else self.shape[-1]
        self.all_rows = -(-held.elements // self.across) if self.across else 0
        self.rows, self.columns = min(self.all_rows, MOST_ROWS), min(self.across, MOST_COLUMNS)
        self.cell = next(width for most, width in _WIDTHS if self.columns <= most)
        self.beside = not self.flat and self.columns <= 16 and count > 1
        stacked = max(self.rows * (1 if self.beside else count), 1)
        self.high = min(_HIGHEST if self.cell > 0.15 else self.cell, max(_LOWEST, _ALL / stacked))
        self.text = self.cell > 0.15 and self.high > 0.15

    def elements(self) -> Iterator[tuple[int, int, int]]:
        """(element, row, column) of each cell that is drawn."""
        for row in range(self.rows):
            for column in range(self.columns):
                element = row * self.across + column
                if element < self.held.elements:
                    yield element, row, column

    def cut(self) -> str:
        """What is left out; "" for nothing."""
        parts = [(self.rows, self.all_rows, "rows"), (self.columns, self.across, "columns")]
        said = [f"the first {drawn:,} of {_all:,} {what}" for drawn, _all, what in parts if drawn < _all]
        return f"drawn: {' and '.join(said)}" if said else ""

    def sector(self, element: int) -> int:
        """Number of the sector in which an element begins."""
        return (self.held.start + element * self.held.itemsize) // SECTOR


def _flat_row(held: Held) -> int:
    return max(8, min(WARP, LINE // held.itemsize))


def _draw(recorded: Accesses, found: Sequence[Panel], table: _Table, colors: _Colors, title: str) -> Figure:
    wide, high = table.columns * table.cell + _LEFT + 0.1, _HEAD + table.rows * table.high + _FOOT
    gap = max(_BETWEEN, 3.6 - wide) if table.beside else 0.0
    across, down = (len(found), 1) if table.beside else (1, len(found))
    notes = _notes(recorded, found, table, colors)
    width = max(7.4, across * (wide + gap))
    fig, ax = picture.page(width, 0.34 + down * high + _legend_height(found, colors, width) + 0.19 * len(notes))
    ax.text(0.1, 0.18, title, fontsize=11, va="center")
    for number, panel in enumerate(found):
        left, top = (number * (wide + gap), 0.34) if table.beside else (0.0, 0.34 + number * high)
        _panel(ax, left + _LEFT, top + _HEAD, panel, table, colors)
    bottom = 0.34 + down * high
    _legend(ax, bottom + 0.1, found, colors, width)
    for number, note in enumerate(reversed(notes)):
        ax.text(_LEFT, ax.get_ylim()[0] - 0.12 - 0.19 * number, note, fontsize=8.5, va="center", color="#404040")
    return fig


def _panel(ax: Axes, left: float, top: float, panel: Panel, table: _Table, colors: _Colors) -> None:
    head, _, rest = facts(panel).partition(", ")
    ax.text(left, top - 0.46, f"{panel.kind}s: {head}", fontsize=9.5, va="center", weight="bold")
    ax.text(left, top - 0.3, rest, fontsize=9, va="center")
    _numbers(ax, left, top, table)
    _cells(ax, left, top, panel, table, colors)
    if panel.held.space == "global":
        _sectors(ax, left, top, table)
    _frame(ax, left, top, panel, table)


def _numbers(ax: Axes, left: float, top: float, table: _Table) -> None:
    """Row and column numbers; a flat array's rows are named by their first element."""
    look: dict[str, Any] = {"fontsize": 8, "color": picture.COLORS["grey"]}
    for row in range(table.rows):
        if table.high > 0.15 or row % 4 == 0:
            text = str(row * table.across) if table.flat else f"row {row}"
            ax.text(left - 0.06, top + (row + 0.5) * table.high, text, ha="right", va="center", **look)
    for column in range(0, table.columns, 1 if table.columns <= 16 else 8):
        ax.text(left + (column + 0.5) * table.cell, top - 0.02, str(column), ha="center", va="bottom", **look)


def _cells(ax: Axes, left: float, top: float, panel: Panel, table: _Table, colors: _Colors) -> None:
    """The elements: a stripe for each color that touches one, and the threads' numbers where there is room."""
    from matplotlib.collections import PolyCollection

    boxes, filled, tints = [], [], []
    for element, row, column in table.elements():
        x, y = left + column * table.cell, top + row * table.high
        touches = panel.by_element.get(element, [])
        places = sorted({colors.place(touch) for touch in touches})[:_STRIPES]
        part = table.cell / max(len(places), 1)
        filled += [_box(x + part * number, y, part, table.high) for number in range(len(places))]
        tints += [colors.tint(place) for place in places]
        boxes.append(_box(x, y, table.cell, table.high))
        if table.text:
            weight = "bold" if len({_who(touch) for touch in touches}) > 1 else "normal"
            ax.text(x + table.cell / 2, y + table.high / 2, _label(touches, table.cell), ha="center", va="center",
                    fontsize=7.5, weight=weight)  # fmt: skip
    ax.add_collection(PolyCollection(filled, facecolors=tints, linewidths=0))
    ax.add_collection(PolyCollection(boxes, facecolors="none", edgecolors="#C4C4C4", linewidths=0.6))


def _box(x: float, y: float, width: float, high: float) -> list[tuple[float, float]]:
    return [(x, y), (x + width, y), (x + width, y + high), (x, y + high)]


def _label(touches: Sequence[Touch], room: float) -> str:
    """The threads of a cell, as much as `room` (inches) allows: "7", "3,9", "4–6", "×12" or nothing."""
    who = sorted({_who(touch) for touch in touches})
    threads = [thread for _, thread in who]
    if len(who) < 2:
        return str(threads[0]) if who and len(str(threads[0])) * _LETTER < room else ""
    in_a_row = threads[-1] - threads[0] == len(threads) - 1 and len(threads) > 2
    named = f"{threads[0]}–{threads[-1]}" if in_a_row else ",".join(map(str, threads))
    same_block = who[0][0] == who[-1][0]
    return named if same_block and (len(named) + 1) * _LETTER < room else f"×{len(who)}"


def _sectors(ax: Axes, left: float, top: float, table: _Table) -> None:
    """Dark marks where a sector of 32 bytes ends inside a row."""
    _strokes(ax, left, top, table, _sector_ends(table), "grey", 1.4)


def _sector_ends(table: _Table) -> list[tuple[int, int, int, int]]:
    """A line, from (column, row) to (column, row), for each end of a sector inside a row."""
    return [
        (column, row, column, row + 1) for element, row, column in table.elements()
        if column and table.sector(element) != table.sector(element - 1)
    ]  # fmt: skip


def _frame(ax: Axes, left: float, top: float, panel: Panel, table: _Table) -> None:
    """A thick line around what the first warp accesses in its first request."""
    inside = framed(panel)
    cells = {(row, column) for element, row, column in table.elements() if element in inside}
    edges = []
    for row, column in cells:
        x, y, right, bottom = column, row, column + 1, row + 1
        sides = {(y - 1, x): (x, y, right, y), (bottom, x): (x, bottom, right, bottom),
                 (y, x - 1): (x, y, x, bottom), (y, right): (right, y, right, bottom)}  # fmt: skip
        edges += [edge for neighbor, edge in sides.items() if neighbor not in cells]
    _strokes(ax, left, top, table, edges, "black", 2.2)


def _strokes(
    ax: Axes, left: float, top: float, table: _Table, lines: Sequence[tuple[int, int, int, int]], color: str,
    width: float,
) -> None:  # fmt: skip
    """Lines from (column, row) to (column, row)."""
    from matplotlib.collections import LineCollection

    ends = [
        [(left + a * table.cell, top + b * table.high), (left + c * table.cell, top + d * table.high)]
        for a, b, c, d in lines
    ]
    ax.add_collection(LineCollection(ends, colors=picture.COLORS[color], linewidths=width, capstyle="projecting"))


def framed(panel: Panel) -> set[int]:
    """Return the elements of the panel's first request: lowest block, its lowest warp, its first step."""
    return {touch.element for touch in panel.requests[min(panel.requests)]} if panel.requests else set()


# --- legend ------------------------------------------------------------------------------------------

_MOST_NAMES = len(_TINTS)


def _used(found: Sequence[Panel], colors: _Colors) -> list[int]:
    return sorted({colors.place(touch) for panel in found for touch in panel.touches})


def _rows_of_names(found: Sequence[Panel], colors: _Colors, width: float) -> list[list[tuple[int, str]]]:
    """The names of the colors, broken into rows that fit."""
    used = _used(found, colors)
    names = [(place, colors.name(place)) for place in used[:_MOST_NAMES]]
    if len(used) > _MOST_NAMES:
        names[-1:] = [(-1, f"… and {len(used) - _MOST_NAMES + 1} more; colors repeat")]
    rows: list[list[tuple[int, str]]] = [[]]
    for place, name in names:
        if sum(_name_width(text) for _, text in [*rows[-1], (place, name)]) > width - _LEFT - 0.1:
            rows.append([])
        rows[-1].append((place, name))
    return rows if names else []


def _name_width(text: str) -> float:
    return 0.36 + 0.07 * len(text)


def _legend_height(found: Sequence[Panel], colors: _Colors, width: float) -> float:
    return 0.12 + 0.2 * len(_rows_of_names(found, colors, width))


def _legend(ax: Axes, top: float, found: Sequence[Panel], colors: _Colors, width: float) -> None:
    from matplotlib.patches import Rectangle

    for number, row in enumerate(_rows_of_names(found, colors, width)):
        left = _LEFT
        for place, name in row:
            if place >= 0:
                ax.add_patch(Rectangle((left, top + 0.2 * number - 0.06), 0.2, 0.13, facecolor=colors.tint(place)))
            ax.text(left + 0.26, top + 0.2 * number, name, fontsize=8.5, va="center")
            left += _name_width(name)


def _notes(recorded: Accesses, found: Sequence[Panel], table: _Table, colors: _Colors) -> list[str]:
    first = next((panel for panel in found if panel.touches), None)
    if first is None:
        return []
    block, warp, _ = min(first.requests)
    who = f"warp {warp} of block {block}"
    order = ", counted with x first" if math.prod(recorded.block[1:]) > 1 else ""
    notes = [f"frame: one request, what the lanes of {who} access at once"]
    if table.text:
        labels = (_label(touches, table.cell) for panel in found for touches in panel.by_element.values())
        many = ";  ×3: three threads" if any(label.startswith("×") for label in labels) else ""
        notes.append(f"number: the thread in its block{order}{many}")
    if first.held.space == "global" and _sector_ends(table):
        notes[-1] += f";  gray bars: {SECTOR}-byte sectors"
    return [*notes, *filter(None, [table.cut()])]
