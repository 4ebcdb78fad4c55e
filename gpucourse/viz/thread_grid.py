"""The thread grid explorer: which thread of a launch touches which element, who is idle, who is out of bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpucourse.viz import explorer, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_THREADS = 1024  # of a block
# what a thread does
OWN, IDLE, OTHER, BEYOND = range(4)

Pair = tuple[int, int]
Sizes = int | Pair


@dataclass(frozen=True)
class ThreadGrid:
    """A launch over an array of `width` x `height` elements; every pair is (x, y), as CUDA has it.

    The thread at (x, y) of the whole grid takes element y * width + x. Without a guard it does so
    even where x or y lies outside. `flat`: one dimension, y is always 0.
    """

    size: Pair
    block: Pair
    blocks: Pair
    guard: bool = True
    flat: bool = False

    @property
    def threads(self) -> Pair:
        """Threads of the whole grid along x and y."""
        return self.block[0] * self.blocks[0], self.block[1] * self.blocks[1]

    def elements(self) -> NDArray[np.int64]:
        """The element of each thread as its index says, shape (threads along y, threads along x)."""
        across, down = self.threads
        return np.arange(down)[:, None] * self.size[0] + np.arange(across)

    def does(self) -> NDArray[np.int64]:
        """What each thread does, OWN, IDLE, OTHER (an element of another) or BEYOND, in the shape of `elements`."""
        across, down = self.threads
        inside = (np.arange(down)[:, None] < self.size[1]) & (np.arange(across) < self.size[0])
        if self.guard:
            return np.where(inside, OWN, IDLE)
        in_memory = self.elements() < self.size[0] * self.size[1]
        return np.where(inside, OWN, np.where(in_memory, OTHER, BEYOND))

    def count(self, what: int) -> int:
        """How many threads do `what`."""
        return int((self.does() == what).sum())

    @property
    def untouched(self) -> int:
        """How many elements no thread touches."""
        total = self.size[0] * self.size[1]
        touched = self.elements()[np.isin(self.does(), (OWN, OTHER))]
        return total - int(np.unique(touched).size)


def launch(n: Sizes = 10, block: Sizes = 4, blocks: Sizes | None = None, guard: bool = True) -> ThreadGrid:
    """Return the launch of `blocks` blocks of `block` threads over `n` elements; default: as few blocks as suffice.

    Each is a number, or a pair (x, y) in two dimensions: n=(width, height). ValueError for what cannot be.
    """
    flat = isinstance(n, int)
    size, shape = _pair("n", n, flat), _pair("block", block, flat)
    fewest = -(-size[0] // shape[0]), -(-size[1] // shape[1])
    count = fewest if blocks is None else _pair("blocks", blocks, flat)
    if shape[0] * shape[1] > MOST_THREADS:
        raise ValueError(f"block={block}: {shape[0] * shape[1]:,} threads; a block has at most {MOST_THREADS:,}")
    return ThreadGrid(size, shape, count, guard, flat)


def _pair(name: str, value: Sizes, flat: bool) -> Pair:
    """(x, y) of an argument; in one dimension y is 1."""
    given = (value,) if isinstance(value, int) else tuple(value)
    if len(given) != (1 if flat else 2):
        wanted = "one number, because n is one" if flat else "a pair (x, y), because n is one"
        raise ValueError(f"{name}={value}: give {wanted}")
    if min(given) < 1:
        raise ValueError(f"{name}={value}: give 1 or more")
    return given[0], 1 if flat else given[1]


# --- in words ----------------------------------------------------------------------------------------


def sentence(n: Sizes = 10, block: Sizes = 4, blocks: Sizes | None = None, guard: bool = True) -> str:
    """Say in words who has an element, who is idle and who goes wrong."""
    return words(launch(n, block, blocks, guard))


def words(grid: ThreadGrid) -> str:
    """The sentence of a launch."""
    total, threads = grid.size[0] * grid.size[1], grid.threads[0] * grid.threads[1]
    parts = [f"{_many(grid.count(OWN), 'thread')} {_has(grid.count(OWN))} an element"]
    parts += [f"{number:,} {text}" for number, text in _others(grid) if number]
    missing = grid.untouched
    left = f" {_many(missing, 'element')} {_has(missing)} no thread." if missing else ""
    return f"{_of(grid, total)}, {_launched(grid)}: {_many(threads, 'thread')}. {', '.join(parts)}.{left}"


def _others(grid: ThreadGrid) -> Iterator[tuple[int, str]]:
    """(number, what they do) of the threads without an element of their own."""
    idle, other, beyond = (grid.count(what) for what in (IDLE, OTHER, BEYOND))
    yield idle, "is idle" if idle == 1 else "are idle"
    yield other, f"{'touches an element' if other == 1 else 'touch elements'} of other threads"
    yield beyond, f"{'touches' if beyond == 1 else 'touch'} memory behind the array"


def _of(grid: ThreadGrid, total: int) -> str:
    return _many(total, "element") if grid.flat else f"{grid.size[0]:,} x {grid.size[1]:,} elements"


def _launched(grid: ThreadGrid) -> str:
    guard = "guard" if grid.guard else "no guard"
    if grid.flat:
        return f"{_many(grid.blocks[0], 'block')} of {_many(grid.block[0], 'thread')}, {guard}"
    return f"{grid.blocks[0]} x {grid.blocks[1]} blocks of {grid.block[0]} x {grid.block[1]} threads, {guard}"


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _has(number: int) -> str:
    return "has" if number == 1 else "have"


# --- the picture -------------------------------------------------------------------------------------

_LEFT, _WIDE, _TALL = 0.95, 7.4, 4.4  # inches: left of the cells, the page, the most that the cells may take in height
_LARGEST, _ROW = 0.36, 0.32  # inches: the most a cell takes; the height of a cell in one dimension
_DIGIT = 0.072  # inches that a digit takes


@dataclass(frozen=True)
class _Look:
    """How threads of one kind are drawn: two tints that alternate from block to block, and the legend's words."""

    tints: tuple[str, str]
    label: str


_LOOKS = {
    OWN: _Look(("#C9E7F8", "#8FCBEF"), "has an element"),
    IDLE: _Look(("#EFEFEF", "#DCDCDC"), "idle"),
    OTHER: _Look((picture.COLORS["orange"], picture.COLORS["orange"]), "touches an element of another thread"),
    BEYOND: _Look((picture.COLORS["red"], picture.COLORS["red"]), "touches memory behind the array"),
}


def draw(n: Sizes = 10, block: Sizes = 4, blocks: Sizes | None = None, guard: bool = True) -> tuple[Figure, str]:
    """Draw the threads of a launch over its elements and say the sentence."""
    grid = launch(n, block, blocks, guard)
    return _in_a_row(grid) if grid.flat else _in_a_plane(grid), words(grid)


def thread_grid(n: Sizes = 10, block: Sizes = 4, blocks: Sizes | None = None, guard: bool = True) -> None:
    """Print the sentence and show the picture of a launch; arguments as `launch`.

    >>> thread_grid(n=10, block=4)                    # doctest: +SKIP
    >>> thread_grid(n=(10, 5), block=(4, 4))          # 10 wide, 5 high; doctest: +SKIP
    """
    explorer.show(draw, n=n, block=block, blocks=blocks, guard=guard)


def explore(dimensions: int = 1) -> explorer.Explorer | None:
    """The same picture with a control for each number, in one dimension or in two."""
    if dimensions not in (1, 2):
        raise ValueError(f"dimensions={dimensions}: the explorer has 1 or 2")
    if dimensions == 2:
        return explorer.explorer("thread grid in two dimensions", _draw_pairs, **_CONTROLS[2])
    return explorer.explorer("thread grid", draw, **_CONTROLS[1])


_CONTROLS = {
    1: {
        "n": explorer.slider(10, 1, 40, 1, "elements n"),
        "block": explorer.slider(4, 1, 16, 1, "threads a block"),
        "blocks": explorer.slider(3, 1, 8, 1, "blocks"),
        "guard": explorer.switch(True, "guard: if (i < n)"),
    },
    2: {
        "width": explorer.slider(10, 1, 16, 1, "width"),
        "height": explorer.slider(5, 1, 12, 1, "height"),
        "block_x": explorer.slider(4, 1, 8, 1, "threads a block, x"),
        "block_y": explorer.slider(2, 1, 8, 1, "threads a block, y"),
        "blocks_x": explorer.slider(3, 1, 6, 1, "blocks, x"),
        "blocks_y": explorer.slider(3, 1, 6, 1, "blocks, y"),
        "guard": explorer.switch(True, "guard: if (x < width && y < height)"),
    },
}


def _draw_pairs(
    width: int, height: int, block_x: int, block_y: int, blocks_x: int, blocks_y: int, guard: bool
) -> tuple[Figure, str]:
    return draw((width, height), (block_x, block_y), (blocks_x, blocks_y), guard)


class _Table:
    """Cells on a page: `cell` inches wide, `high` inches high, the first at (_LEFT, `top`)."""

    def __init__(self, ax: Axes, top: float, cell: float, high: float) -> None:
        self.ax, self.top, self.cell, self.high = ax, top, cell, high

    def corner(self, column: int, row: int) -> tuple[float, float]:
        """Where a cell's upper left corner is."""
        return _LEFT + column * self.cell, self.top + row * self.high

    def fill(self, colors: NDArray[Any], first: int = 0) -> None:
        """Fill cells, from column `first` on, and rule lines between them where there is room."""
        from matplotlib.collections import LineCollection
        from matplotlib.colors import to_rgb

        rows, columns = colors.shape
        (left, top), (right, bottom) = self.corner(first, 0), self.corner(first + columns, rows)
        known = {color: to_rgb(color) for color in set(colors.flat)}
        image = np.array([known[color] for color in colors.flat]).reshape(rows, columns, 3)
        limits = self.ax.get_xlim(), self.ax.get_ylim()
        self.ax.imshow(image, extent=(left, right, bottom, top), aspect="auto", interpolation="nearest")
        self.ax.set(xlim=limits[0], ylim=limits[1])
        if self.cell > 0.08:
            across = [[self.corner(first, row), self.corner(first + columns, row)] for row in range(rows + 1)]
            down = [[self.corner(first + c, 0), self.corner(first + c, rows)] for c in range(columns + 1)]
            self.ax.add_collection(LineCollection(across + down, colors="#A0A0A0", linewidths=0.6))

    def write(self, texts: NDArray[Any], first: int = 0) -> None:
        """Write into cells, from column `first` on; nothing where the longest text has no room."""
        if not self.has_room(texts):
            return
        for (row, column), text in np.ndenumerate(texts):
            x, y = self.corner(first + column, row)
            self.ax.text(x + self.cell / 2, y + self.high / 2, text, ha="center", va="center", fontsize=8, zorder=5)

    def has_room(self, texts: NDArray[Any]) -> bool:
        """Whether the longest text fits into a cell."""
        longest = max((len(str(text)) for text in texts.flat), default=0)
        return self.cell >= longest * _DIGIT + 0.03 and self.high >= 0.14

    def frame(self, column: int, row: int, columns: int, rows: int, width: float) -> None:
        """A black line round some cells."""
        from matplotlib.patches import Polygon

        (left, top), (right, bottom) = self.corner(column, row), self.corner(column + columns, row + rows)
        box = [(left, top), (right, top), (right, bottom), (left, bottom)]
        self.ax.add_patch(Polygon(box, fill=False, edgecolor="black", linewidth=width, joinstyle="miter", zorder=4))


def _in_a_row(grid: ThreadGrid) -> Figure:
    """One dimension: the elements in a row, and under each the thread that takes it."""
    n, threads = grid.size[0], grid.threads[0]
    fig, ax = picture.page(_WIDE, 1.6)
    cell = min(_LARGEST, (_WIDE - _LEFT - 0.15) / max(n, threads))
    elements, below = _Table(ax, 0.12, cell, _ROW), _Table(ax, 0.12 + 1.4 * _ROW, cell, _ROW)
    beyond = grid.count(BEYOND)
    elements.fill(np.full((1, n), "white"))
    elements.write(np.arange(n)[None])
    elements.frame(0, 0, n, 1, 1.8)
    elements.write(np.full((1, beyond), "?"), first=n)
    below.fill(_tints(grid))
    below.write((np.arange(threads) % grid.block[0])[None])
    _frames(below, grid)
    _names(ax, ((elements, "element"), (below, "threadIdx.x")))
    _block_names(below, below.top + 1.45 * _ROW, grid)
    _legend(ax, 1.4, grid)
    return fig


def _in_a_plane(grid: ThreadGrid) -> Figure:
    """Two dimensions: a cell for each thread of the grid, with its element; a thick line round the array."""
    (width, height), (across, down) = grid.size, grid.threads
    cell = min(_LARGEST, (_WIDE - _LEFT - 0.15) / max(width, across), _TALL / max(height, down))
    top = 0.4
    bottom = top + cell * max(height, down)
    fig, ax = picture.page(_WIDE, bottom + 0.55 + 0.24 * len(_kinds(grid)))
    table = _Table(ax, top, cell, cell)
    table.fill(np.full((height, width), "white"))
    table.fill(_tints(grid))
    table.write(_texts(grid))
    _frames(table, grid)
    table.frame(0, 0, width, height, 3.0)
    _block_names(table, top - 0.14, grid)
    _block_rows(table, grid)
    number = f"number: the element, y * {width} + x;  " if table.has_room(_texts(grid)) else ""
    ax.text(_LEFT, bottom + 0.2, f"{number}thick line: the array", fontsize=9, va="center")
    _legend(ax, bottom + 0.46, grid)
    return fig


def _tints(grid: ThreadGrid) -> NDArray[Any]:
    """The color of each thread."""
    does = grid.does()
    row, column = np.indices(does.shape)
    table = np.array([_LOOKS[what].tints for what in sorted(_LOOKS)])
    tints: NDArray[Any] = table[does, (column // grid.block[0] + row // grid.block[1]) % 2]
    return tints


def _texts(grid: ThreadGrid) -> NDArray[Any]:
    """What stands in each thread's cell: the element that it touches, or a mark."""
    texts, does = grid.elements().astype(object), grid.does()
    texts[does == IDLE], texts[does == BEYOND] = "–", "?"
    return texts


def _frames(table: _Table, grid: ThreadGrid) -> None:
    wide, high = grid.block
    least = min(wide * table.cell, high * table.high)
    if least > 0.04:   # inches; closer lines would only be grey
        for row, column in np.ndindex(grid.blocks[::-1]):
            table.frame(column * wide, row * high, wide, high, 1.4 if least > 0.2 else 0.5)


def _names(ax: Axes, tables: Sequence[tuple[_Table, str]]) -> None:
    for table, name in tables:
        ax.text(_LEFT - 0.08, table.top + table.high / 2, name, ha="right", va="center", fontsize=9)


def _block_names(table: _Table, y: float, grid: ThreadGrid) -> None:
    """The number of each block along x, where there is room for it."""
    wide = grid.block[0] * table.cell
    table.ax.text(_LEFT - 0.08, y, "blockIdx.x", ha="right", va="center", fontsize=9)
    for number in range(0, grid.blocks[0], _every(wide, 0.12 + _DIGIT * len(str(grid.blocks[0])))):
        table.ax.text(_LEFT + (number + 0.5) * wide, y, str(number), ha="center", va="center", fontsize=9)


def _block_rows(table: _Table, grid: ThreadGrid) -> None:
    """The number of each block along y."""
    high = grid.block[1] * table.high
    middle = table.top + grid.threads[1] * table.high / 2
    table.ax.text(0.3, middle, "blockIdx.y", ha="center", va="center", fontsize=9, rotation=90)
    for number in range(0, grid.blocks[1], _every(high, 0.16)):
        table.ax.text(_LEFT - 0.1, table.top + (number + 0.5) * high, str(number), ha="right", va="center", fontsize=9)


def _every(room: float, needed: float) -> int:
    """How many names to go on by so that each has room."""
    return max(1, int(np.ceil(needed / room)))


def _kinds(grid: ThreadGrid) -> list[int]:
    """The kinds of threads that there are."""
    return [what for what in _LOOKS if grid.count(what)]


def _legend(ax: Axes, y: float, grid: ThreadGrid) -> None:
    """The kinds of threads with their numbers: side by side for one dimension, else one below the other."""
    for place, what in enumerate(_kinds(grid)):
        left, middle = (_LEFT + 2.2 * place, y) if grid.flat else (_LEFT, y + 0.24 * place)
        _swatch(ax, left, middle, _LOOKS[what].tints[0])
        ax.text(left + 0.3, middle, f"{grid.count(what):,}: {_LOOKS[what].label}", fontsize=9, va="center")


def _swatch(ax: Axes, left: float, y: float, color: str) -> None:
    from matplotlib.patches import Rectangle

    ax.add_patch(Rectangle((left, y - 0.07), 0.22, 0.14, facecolor=color, edgecolor="#A0A0A0", linewidth=0.6))
