"""The stepper: one warp's steps through a kernel, each as a picture of source, lanes and memory, and in words."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gpucourse.access_record import Held
from gpucourse.show import here
from gpucourse.simt.metrics import SECTOR
from gpucourse.stepping import Request, Step, Steps, lanes_text
from gpucourse.viz import explorer, picture, stamps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE = 128  # bytes: a row of memory
VERBS = {"read": "reads", "write": "writes", "update": "updates"}


def stepper(recorded: Steps, at: int = 1) -> None:
    """Print one step in words and show its picture: the source, the lanes and their values, the memory touched.

    `recorded` comes from `gpucourse.steps`; steps are counted from 1. CourseError for a step that is not there.

    >>> stepper(steps(add, (2,), (64,), (x, y, out, np.int32(100))), at=3)  # doctest: +SKIP
    """
    explorer.show(draw, recorded=recorded, at=at)


def explore(recorded: Steps, at: int = 1) -> explorer.Explorer | None:
    """The same with a slider over the steps."""

    def drawn(at: int) -> tuple[Figure, str]:
        return draw(recorded, at)

    return explorer.explorer("stepper", drawn, at=explorer.slider(at, 1, len(recorded), 1, "step"))


# --- words -------------------------------------------------------------------------------------------


def sentence(recorded: Steps, at: int = 1) -> str:
    """Say a step in words, a line a fact; single instructions depend on the compiler and stand between ⟨ and ⟩."""
    step = recorded.step(at)
    text = "\n".join(_said(recorded, step))
    return here(text) if recorded.detail == "ptx" else text


def _said(recorded: Steps, step: Step) -> Iterator[str]:
    where = f"line {step.line}: {recorded.source_line(step.line).strip()}" if step.line else "no line of the source"
    yield f"Step {step.number} of {len(recorded)}, {where}"
    if recorded.detail == "ptx":
        yield f"PTX: {step.ptx[0]}"
    waiting = f"; waiting: {lanes_text(step.waiting)}" if step.waiting else ""
    yield (f"Block {recorded.block}, warp {recorded.warp}, active: {lanes_text(step.active)} "
           f"({len(step.active)} of {recorded.lanes}){waiting}.")  # fmt: skip
    for name, values in step.variables.items():
        new = " (new)" if name in step.changed else ""
        yield f"{name}{new}: {values_text([values[lane] for lane in step.active])}."
    if recorded.detail == "ptx":
        for name, values in step.registers.items():
            yield f"{name}: {values_text([values[lane] for lane in step.active])}."
    for request in step.requests:
        yield request_text(recorded, request)
    yield from step.notes


def request_text(recorded: Steps, request: Request) -> str:
    """Say what a request touches, what it holds, and what it costs."""
    elements = [touch.element for touch in request.touched]
    cost = f"{request.cost} {request.unit}{'' if request.cost == 1 else 's' if request.unit != 'address' else 'es'}"
    verb = VERBS[request.kind].capitalize()
    if not elements:
        return f"{verb} memory that belongs to no array: {cost}."
    values = [touch.value for touch in request.touched]
    held = f" = {values_text(values)}" if None not in values else ""
    return f"{verb} {_elements_text(recorded, request.array, elements)}{held}: {cost}."


def _elements_text(recorded: Steps, array: str, elements: Sequence[int]) -> str:
    return _listed([recorded.place(array, element) for element in elements], elements)


def values_text(values: Sequence[Any]) -> str:
    """Return the lanes' values in words: "3 in each lane", "0 to 31", "1, 5, 2, 7, 4, 9, ..., 4"."""
    return _listed([number_text(value) for value in values], values)


def _listed(texts: Sequence[str], values: Sequence[Any]) -> str:
    """The lanes' texts: runs of equal ones or of neighbors as one part; many parts by the first ones and the last."""
    if len(set(texts)) == 1:
        return texts[0] if len(texts) == 1 else f"{texts[0]} in each lane"
    numbers = [value if isinstance(value, int | float) else math.nan for value in values]
    gaps = {after - before for before, after in itertools.pairwise(numbers)}
    if len(texts) > 3 and len(gaps) == 1 and 1 not in gaps:
        return f"{texts[0]}, {texts[1]}, {texts[2]} to {texts[-1]}"
    parts = [_run_text(texts[start:end], numbers[start] == numbers[end - 1]) for start, end in _runs(numbers)]
    return ", ".join(parts) if len(parts) <= 8 else f"{', '.join(parts[:6])}, ..., {parts[-1]}"


def _runs(numbers: Sequence[float]) -> Iterator[tuple[int, int]]:
    """(start, end) of stretches of three and more numbers that are equal, or go up by 1; the others one by one."""
    start = 0
    while start < len(numbers):
        end = start + 1
        gap = numbers[end] - numbers[start] if end < len(numbers) else math.nan
        while gap in (0, 1) and end < len(numbers) and numbers[end] - numbers[end - 1] == gap:
            end += 1
        end = end if end - start > 2 else start + 1
        yield start, end
        start = end


def _run_text(texts: Sequence[str], equal: bool) -> str:
    if len(texts) == 1:
        return texts[0]
    return f"{texts[0]} in {len(texts)} lanes" if equal else f"{texts[0]} to {texts[-1]}"


def number_text(value: Any) -> str:
    """Return a value: whole numbers in full, others in at most four digits; "?" where it is not known."""
    if value is None:
        return "?"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e6 else f"{value:.4g}"
    return str(value)


# --- the picture -------------------------------------------------------------------------------------

_WIDE, _TOP, _MARGIN = 8.6, 0.5, 0.12  # inches
_ROW, _LETTER, _SOURCE_ROW, _REMARK = 0.138, 0.06, 0.185, 0.16
_MOST_LINES, _MOST_LETTERS = 24, 60
_HISTORY = (0.6, 1.6)  # inches that the picture of all steps takes, at least and at most
_SQUARE = 0.24  # width of a lane's square
_STRIP, _STRIP_LEFT, _MOST_ROWS, _MOST_STRIPS = 0.2, 1.05, 5, 8
_MONO: dict[str, Any] = {"family": "monospace", "va": "center"}
_KINDS = {"read": "blue", "write": "red", "update": "purple"}
_TINTS = {"read": "#BFE0F5", "write": "#F7C9A8", "update": "#EBC6DA"}
_ACTIVE, _HERE = picture.COLORS["blue"], "#FFE9A8"


@dataclass(frozen=True)
class _Column:
    """A column of the lanes' table: `texts` by lane ("" for none)."""

    heading: str
    texts: tuple[str, ...]
    color: str
    bold: bool

    @property
    def width(self) -> float:
        """Inches."""
        return _LETTER * max(len(self.heading), *map(len, self.texts)) + 0.16


@dataclass(frozen=True)
class _Row:
    """Some neighboring elements of an array, `first` to before `end`: the part of it that lies in a row of memory."""

    first: int
    end: int


class _Layout:
    """Where things lie; the same for all steps, so that nothing jumps when the slider moves."""

    def __init__(self, recorded: Steps) -> None:
        self.recorded = recorded
        self.lines = recorded.source.expandtabs(4).splitlines()
        first = next((n for n, text in enumerate(self.lines, 1) if text.strip()), 1)
        self.first, self.last = first, len(self.lines)
        self.source_width = 0.45 + _LETTER * max(24, *(min(len(text), _MOST_LETTERS) for text in self.lines), 0)
        rows = min(self.last - self.first + 1, _MOST_LINES)
        remarks = max((len(list(self.remarks(step))) for step in recorded), default=0)
        self.body = max(_SOURCE_ROW * rows + 0.15 + _REMARK * remarks, _ROW * (recorded.lanes + 1) + 0.1)
        self.memory = max((len(self.strips(step)) for step in recorded), default=0)
        self.table = self.source_width + 0.25   # where the lanes begin
        widths = [sum(column.width for column in _columns(recorded, step)[0]) for step in recorded]
        self.table_end = self.table + _SQUARE + 0.15 + max(widths, default=0)

    @cached_property
    def height(self) -> float:
        return _TOP + self.body + 0.1 + (self.memory * _STRIP * 1.15 + 0.35 if self.memory else 0)

    def window(self, line: int) -> range:
        """The source lines to show: all, or those around `line`."""
        if self.last - self.first < _MOST_LINES:
            return range(self.first, self.last + 1)
        start = min(max(line - _MOST_LINES // 2, self.first), self.last - _MOST_LINES + 1)
        return range(start, start + _MOST_LINES)

    def remarks(self, step: Step) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(text, color, font) of the lines below the source."""
        if self.recorded.detail == "ptx":
            yield step.ptx[0][:_MOST_LETTERS], picture.COLORS["purple"], {"fontsize": 7.2, "family": "monospace"}
        uniform = _columns(self.recorded, step)[1]
        texts = [(f"in each active lane: {', '.join(uniform)}", "black")] if uniform else []
        for text, color in (*texts, *((note, picture.COLORS["red"]) for note in step.notes)):
            for piece in textwrap.wrap(text, int((self.source_width - 0.2) / 0.07)):
                yield piece, color, {"fontsize": 8.5}

    def strips(self, step: Step) -> list[tuple[Request, _Row | int]]:
        """The rows of memory to draw, or the number of those that are left out."""
        each = max(1, min(_MOST_ROWS, _MOST_STRIPS // max(1, len(step.requests))))
        found: list[tuple[Request, _Row | int]] = []
        for request in step.requests[:_MOST_STRIPS]:
            rows = _rows(self.recorded.arrays.get(request.array), request)
            shown = rows if len(rows) <= each else rows[: max(1, each - 1)]
            found += [(request, row) for row in shown]
            found += [(request, len(rows) - len(shown))] if len(shown) < len(rows) and each > 1 else []
        return found


def _row_bytes(held: Held) -> int:
    """Bytes in a row of memory: 32 elements, but no more than a line of 128."""
    return min(LINE, SECTOR * held.itemsize)


def _rows(held: Held | None, request: Request) -> list[_Row]:
    """The rows of memory that a request touches."""
    if held is None or not request.touched:
        return []
    size = _row_bytes(held)
    starts = sorted({(held.start + touch.byte) // size * size - held.start for touch in request.touched})
    return [_Row(max(0, start // held.itemsize), min(held.elements, (start + size) // held.itemsize))
            for start in starts]  # fmt: skip


def draw(recorded: Steps, at: int = 1) -> tuple[Figure, str]:
    """Draw one step; return the figure and its words."""
    step, layout = recorded.step(at), _Layout(recorded)
    fig, ax = picture.page(_WIDE, layout.height)
    title = f"Step {step.number} of {len(recorded)}: " + (f"line {step.line}" if step.line else "no source line")
    stamps.word(ax, _MARGIN, 0.2, title, fontsize=12, va="center", weight="bold")
    who = f"block {recorded.block}, warp {recorded.warp}: {len(step.active)} of {recorded.lanes} lanes active"
    stamps.word(ax, _WIDE - _MARGIN, 0.2, who, fontsize=10, va="center", ha="right")
    below = _source(ax, layout, step)
    _remarks(ax, layout, step, below)
    _lanes(ax, layout, step, _columns(recorded, step)[0])
    _history(ax, layout, step)
    _memory(ax, layout, step)
    return fig, sentence(recorded, at)


def _source(ax: Axes, layout: _Layout, step: Step) -> float:
    """The source with the step's line marked; returns where it ends."""
    y = _TOP
    for number in layout.window(step.line):
        text = layout.lines[number - 1].rstrip()
        text = text if len(text) <= _MOST_LETTERS else text[: _MOST_LETTERS - 1] + "…"
        if number == step.line:
            stamps.box(ax, 0.05, y, layout.source_width + 0.05, _SOURCE_ROW, facecolor=_HERE, edgecolor="none")
            stamps.word(ax, 0.08, y + _SOURCE_ROW / 2, "▶", fontsize=8, va="center")
        color = "black" if number == step.line else "#404040"
        grey = picture.COLORS["grey"]
        stamps.word(ax, 0.38, y + _SOURCE_ROW / 2, str(number), fontsize=7, color=grey, ha="right", va="center")
        stamps.word(ax, 0.44, y + _SOURCE_ROW / 2, text, fontsize=7.2, color=color, **_MONO)
        y += _SOURCE_ROW
    return y


def _remarks(ax: Axes, layout: _Layout, step: Step, y: float) -> None:
    """Below the source: what is the same in all active lanes, and what happens to lanes."""
    for number, (text, color, font) in enumerate(layout.remarks(step)):
        stamps.word(ax, 0.2, y + 0.16 + number * _REMARK, text, color=color, va="center", **font)


# --- lanes -------------------------------------------------------------------------------------------


def _columns(recorded: Steps, step: Step) -> tuple[list[_Column], list[str]]:
    """The lanes' table, and what is the same in all active lanes, as "n = 60"."""
    columns, uniform = [], []
    registers = step.registers if recorded.detail == "ptx" else {}
    for name, values in (*step.variables.items(), *registers.items()):
        if len({values[lane] for lane in step.active}) == 1 and len(step.active) > 1:
            uniform.append(f"{name} = {number_text(values[step.active[0]])}")
        else:
            new = name in step.changed or name in registers
            columns.append(_Column(name, tuple("" if v is None else number_text(v) for v in values), "black", new))
    return columns + [_request_column(recorded, request) for request in step.requests if request.touched], uniform


def _request_column(recorded: Steps, request: Request) -> _Column:
    texts = [""] * recorded.lanes
    for touch in request.touched:
        value = "" if touch.value is None else f" = {number_text(touch.value)}"
        if not texts[touch.lane]:
            texts[touch.lane] = f"{recorded.place(request.array, touch.element)}{value}"
        elif not texts[touch.lane].endswith("…"):
            texts[touch.lane] += " …"
    return _Column(VERBS[request.kind], tuple(texts), picture.COLORS[_KINDS[request.kind]], False)


def _lanes(ax: Axes, layout: _Layout, step: Step, columns: Sequence[_Column]) -> None:
    """A square for each lane, filled where it is active, and its values beside it."""
    x, active = layout.table, set(step.active)
    stamps.word(ax, x + _SQUARE / 2, _TOP + _ROW / 2, "lane", fontsize=7.5, ha="center", va="center")
    for lane in range(layout.recorded.lanes):
        y = _TOP + (lane + 1) * _ROW + 0.04
        look = {"facecolor": _ACTIVE if lane in active else "#E4E4E4" if lane in step.ended else "white"}
        edge = "white" if lane in active else "#B0B0B0"
        stamps.box(ax, x, y, _SQUARE, _ROW, **look, edgecolor=edge, linewidth=0.7)
        ink = "white" if lane in active else "#909090"
        stamps.word(ax, x + _SQUARE / 2, y + _ROW / 2, str(lane), fontsize=6.5, ha="center", va="center_baseline",
                    color=ink)  # fmt: skip
    x += _SQUARE + 0.1
    for number, column in enumerate(columns):
        if x + column.width > _WIDE - 0.02 and number:
            left = len(columns) - number
            text = f"{left} more: see the words"
            stamps.word(ax, _WIDE - 0.05, _TOP - 0.1, text, fontsize=7.5, ha="right", va="center")
            break
        _column(ax, column, x, active)
        x += column.width


def _column(ax: Axes, column: _Column, x: float, active: set[int]) -> None:
    weight = "bold" if column.bold else "normal"
    stamps.word(ax, x, _TOP + _ROW / 2, column.heading, fontsize=7.5, va="center", color=column.color, weight=weight)
    for lane, text in enumerate(column.texts):
        color = column.color if lane in active else "#A8A8A8"
        y = _TOP + (lane + 1.5) * _ROW + 0.04
        stamps.word(ax, x, y, text, fontsize=7, color=color, weight=weight if lane in active else "normal", **_MONO)


def _history(ax: Axes, layout: _Layout, step: Step) -> None:
    """Which lanes are active in all the steps, a column a step, the present one in full color."""
    from matplotlib.colors import to_rgb

    recorded, room = layout.recorded, _WIDE - _MARGIN - layout.table_end - 0.1
    if room < _HISTORY[0] or len(recorded) < 2:
        return
    wide = min(room, _HISTORY[1], 0.1 * len(recorded))
    left, top, bottom = _WIDE - _MARGIN - wide, _TOP + _ROW + 0.04, _TOP + (recorded.lanes + 1) * _ROW + 0.04
    now, then, gone = to_rgb(_ACTIVE), to_rgb(_TINTS["read"]), to_rgb("#E4E4E4")
    image = [
        [(now if at is step else then) if lane in at.active else gone if lane in at.ended else (1, 1, 1)
         for at in recorded] for lane in range(recorded.lanes)
    ]  # fmt: skip
    ax.imshow(image, extent=(left, left + wide, bottom, top), aspect="auto", interpolation="nearest")
    stamps.box(ax, left, top, wide, bottom - top, facecolor="none", edgecolor="#B0B0B0", linewidth=0.7)
    cell = wide / len(recorded)
    now_at = left + (step.number - 1) * cell
    stamps.box(ax, now_at, top, cell, bottom - top, facecolor="none", edgecolor="black", linewidth=0.8)
    stamps.word(ax, left + wide, _TOP + _ROW / 2, "all steps", fontsize=7.5, ha="right", va="center")


# --- memory ------------------------------------------------------------------------------------------


def _memory(ax: Axes, layout: _Layout, step: Step) -> None:
    y = _TOP + layout.body + 0.15
    strips = layout.strips(step)
    if not strips:
        return
    for request, row in strips:
        if isinstance(row, int):
            stamps.word(ax, _STRIP_LEFT, y + _STRIP / 2, f"… {row} more rows", fontsize=7.5, va="center")
        else:
            _strip(ax, layout.recorded.arrays[request.array], request, row, y)
            label = layout.recorded.place(request.array, row.first)
            stamps.word(ax, _STRIP_LEFT - 0.06, y + _STRIP / 2, label, fontsize=7, ha="right", **_MONO)
        y += _STRIP * 1.15
    stamps.word(ax, _MARGIN, y + 0.1, _key(step), fontsize=8, va="center")


def _key(step: Step) -> str:
    costs = [f"{VERBS[r.kind]} {r.array}: {r.cost} {r.unit}{'' if r.cost == 1 else 's'}" for r in step.requests]
    return f"number: lane.  {';  '.join(dict.fromkeys(costs))}"


def _strip(ax: Axes, held: Held, request: Request, row: _Row, y: float) -> None:
    """One row of memory: who touches which element; in global memory the touched sectors framed."""
    cells = _row_bytes(held) // held.itemsize
    cell = (_WIDE - _STRIP_LEFT - 0.1) / cells
    skew = (held.start // held.itemsize + row.first) % cells
    lanes: dict[int, list[int]] = {}
    for touch in request.touched:
        lanes.setdefault(touch.element, []).append(touch.lane)
    for element in range(row.first, row.end):
        x = _STRIP_LEFT + (element - row.first + skew) * cell
        hit = lanes.get(element)
        face = _TINTS[request.kind] if hit else "white"
        stamps.box(ax, x, y, cell, _STRIP, facecolor=face, edgecolor="#C8C8C8", linewidth=0.6)
        if hit and cell > 0.11:
            text = str(hit[0]) if len(hit) == 1 else f"{len(hit)}×"
            stamps.word(ax, x + cell / 2, y + _STRIP / 2, text, fontsize=6.2, ha="center", va="center_baseline")
    if request.space != "shared":
        _frames(ax, held, request, row, y, cell)


def _frames(ax: Axes, held: Held, request: Request, row: _Row, y: float, cell: float) -> None:
    """Frame the sectors that are moved."""
    wide, size = cell * SECTOR / held.itemsize, _row_bytes(held)
    line = (held.start + row.first * held.itemsize) // size
    for sector in {(held.start + touch.byte) // SECTOR for touch in request.touched}:
        if sector * SECTOR // size == line:
            stamps.box(ax, _STRIP_LEFT + sector % (size // SECTOR) * wide, y, wide, _STRIP, facecolor="none",
                       edgecolor="black", linewidth=1.3, zorder=4)  # fmt: skip
