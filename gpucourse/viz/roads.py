"""The roads explorer: who takes which elements of a row, thread by thread in CUDA, block by block in Triton."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpucourse.viz import explorer, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

THREADS, ONE_BLOCK, BLOCKS = "CUDA: threads", "Triton: one block", "Triton: blocks in turns"
ROADS = (THREADS, ONE_BLOCK, BLOCKS)


@dataclass(frozen=True)
class Share:
    """How a row of `n` elements is shared out on a road: `size` places, `turns` times.

    In turn k, place p has the element k * size + p; places from element n on are `empty`.
    """

    road: str
    n: int
    size: int

    @property
    def turns(self) -> int:
        """How often the places move on."""
        return -(-self.n // self.size)

    @property
    def empty(self) -> int:
        """Places of the last turn without an element."""
        return self.turns * self.size - self.n


def share(n: int = 10, size: int = 4, road: str = THREADS) -> Share:
    """Return how a row of `n` elements is shared out: `size` threads, or blocks of `size` elements.

    Triton's one block has the smallest power of two that holds the row; `size` does not matter then.
    """
    if road not in ROADS:
        raise ValueError(f"road={road!r}: choose {', '.join(map(repr, ROADS))}")
    if not 1 <= n <= 64:
        raise ValueError(f"n={n}: the picture has room for 1 to 64 elements")
    if size < 1 or size & (size - 1):
        raise ValueError(f"size={size}: give a power of two")
    return Share(road, n, 1 << (n - 1).bit_length() if road == ONE_BLOCK else size)


# --- in words ----------------------------------------------------------------------------------------


def sentence(n: int = 10, size: int = 4, road: str = THREADS) -> str:
    """Say in words who takes what."""
    return words(share(n, size, road))


def words(made: Share) -> str:
    """The sentence of a share."""
    row = f"A row of {_many(made.n, 'element')}."
    return f"{row} {_of_threads(made) if made.road == THREADS else _of_blocks(made)}"


def _of_threads(made: Share) -> str:
    who = f"CUDA: {_many(made.size, 'thread')} {'takes' if made.size == 1 else 'take'} it in"
    idle = f" In the last one {_many(made.empty, 'thread')} {'has' if made.empty == 1 else 'have'} no element."
    left = "" if made.size == 1 else f" Then {made.size} partial results must be combined."
    return f"{who} {_many(made.turns, 'turn')}.{idle if made.empty else ''}{left}"


def _of_blocks(made: Share) -> str:
    blocks = f"Triton: one program takes it in {_many(made.turns, 'block')} of {_many(made.size, 'element')}"
    which = f"{made.empty} of the {'last' if made.turns > 1 else 'block'}"
    masked = f"; {which} {'is' if made.empty == 1 else 'are'} masked"
    return f"{blocks}{masked if made.empty else ''}."


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


# --- the picture -------------------------------------------------------------------------------------

_WIDE, _LEFT, _HIGH = 7.4, 1.0, 0.3   # inches: the page, left of the cells, the height of a cell
_LARGEST, _ROOM = 0.36, 0.17          # inches: the most a cell is wide; the least for a number in it
_TURNS = ("#C9E7F8", "#F7E3B5", "#CDEBDD", "#F3D3E4")   # one tint a turn, again and again
_NOBODY = "#DCDCDC"


def draw(n: int = 10, size: int = 4, road: str = THREADS) -> tuple[Figure, str]:
    """Draw the row, and under it who takes each element; return the figure and its sentence."""
    made = share(n, size, road)
    fig, ax = picture.page(_WIDE, 1.75)
    places = made.turns * made.size
    cell = min(_LARGEST, (_WIDE - _LEFT - 0.15) / places)
    for place in range(places):
        _draw_place(ax, made, place, cell)
    for name, y in (("element", 0.3), (_who(made), 0.9)):
        ax.text(_LEFT - 0.1, y, name, ha="right", va="center", fontsize=9)
    _draw_blocks(ax, made, cell)
    ax.text(_LEFT, 1.55, _legend(made), fontsize=9, va="center")
    return fig, words(made)


def _draw_place(ax: Axes, made: Share, place: int, cell: float) -> None:
    """One element above, and under it the one who takes it."""
    x, turn = _LEFT + place * cell, place // made.size
    taken = place < made.n
    if taken:
        _box(ax, x, 0.15, cell, "white", str(place))
    label = str(place % made.size) if made.road == THREADS else ("" if taken else "–")
    _box(ax, x, 0.75, cell, _TURNS[turn % len(_TURNS)] if taken else _NOBODY, label)


def _box(ax: Axes, x: float, y: float, cell: float, color: str, text: str) -> None:
    from matplotlib.patches import Rectangle

    ax.add_patch(Rectangle((x, y), cell, _HIGH, facecolor=color, edgecolor="#A0A0A0", linewidth=0.6))
    if cell >= _ROOM:
        ax.text(x + cell / 2, y + _HIGH / 2, text, ha="center", va="center", fontsize=8)


def _draw_blocks(ax: Axes, made: Share, cell: float) -> None:
    """A frame round what is taken in one turn, and the turn's number."""
    from matplotlib.patches import Rectangle

    wide = made.size * cell
    for turn in range(made.turns):
        x = _LEFT + turn * wide
        ax.add_patch(Rectangle((x, 0.75), wide, _HIGH, fill=False, edgecolor="black", linewidth=1.4, zorder=4))
        if wide >= 0.2:
            ax.text(x + wide / 2, 1.2, str(turn), ha="center", va="center", fontsize=9)
    ax.text(_LEFT - 0.1, 1.2, "turn", ha="right", va="center", fontsize=9)


def _who(made: Share) -> str:
    return "thread" if made.road == THREADS else "program 0"


def _legend(made: Share) -> str:
    if made.road == THREADS:
        return "number: threadIdx.x;  color: the turn of its loop;  gray: no element"
    return "frame: one block, loaded at once;  gray, –: masked"


def roads(n: int = 10, size: int = 4, road: str = THREADS) -> None:
    """Print the sentence and show the picture; arguments as `share`.

    >>> roads(n=10, size=4)                               # doctest: +SKIP
    >>> roads(n=10, road="Triton: one block")             # doctest: +SKIP
    """
    explorer.show(draw, n=n, size=size, road=road)


def explore() -> explorer.Explorer | None:
    """The same picture with controls."""
    return explorer.explorer(
        "roads",
        draw,
        n=explorer.slider(10, 1, 64, 1, "elements of the row"),
        size=explorer.steps(4, [1, 2, 4, 8, 16, 32], "threads, or block"),
        road=explorer.choice(THREADS, ROADS, "road"),
    )
