"""The coalescing explorer: which 32-byte sectors one request of a warp touches, and how many of their bytes it uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpucourse.simt.metrics import SECTOR
from gpucourse.simt.registers import WARP
from gpucourse.viz import explorer, picture, stamps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE = 128  # bytes
#: Bytes that one lane accesses -> a C type of that size.
TYPES = {1: "char", 2: "short", 4: "float", 8: "double", 16: "float4"}

_ROOM = 1.9  # bytes of the picture's width that one digit of a lane number takes
_TALLEST, _ALL = 0.36, 4.6  # inches of one row, and of all rows


@dataclass(frozen=True)
class Request:
    """One request of a warp: `starts` holds the first byte of each active lane, `width` the bytes of each."""

    starts: tuple[int, ...]
    width: int

    @property
    def sectors(self) -> tuple[int, ...]:
        """Numbers of the sectors of 32 bytes that the lanes touch, ascending.

        A lane's address is a multiple of `width`, so no lane straddles two sectors.
        """
        return tuple(sorted({start // SECTOR for start in self.starts}))

    @property
    def lines(self) -> tuple[int, ...]:
        """Numbers of the lines of 128 bytes in which those sectors lie, ascending."""
        return tuple(sorted({start // LINE for start in self.starts}))

    @property
    def used(self) -> int:
        """Distinct bytes that the lanes ask for."""
        return self.width * len(set(self.starts))

    @property
    def moved(self) -> int:
        """Bytes of all touched sectors."""
        return SECTOR * len(self.sectors)

    @property
    def ideal(self) -> int:
        """Sectors that the same bytes would need if they lay side by side, from the start of a sector."""
        return -(-self.used // SECTOR)


def request(stride: int = 1, offset: int = 0, width: int = 4, lanes: int = WARP) -> Request:
    """Return the request in which lane k accesses element `offset + stride * k` of an array.

    `stride` and `offset` are in elements of `width` bytes (1, 2, 4, 8 or 16); lanes 0 to `lanes` - 1 are active. The
    array begins at a multiple of 256 bytes, as CuPy's do. With a negative stride the last lane is at `offset`.
    """
    if width not in TYPES:
        raise ValueError(f"width={width}: one lane accesses {', '.join(map(str, TYPES))} bytes")
    if not 1 <= lanes <= WARP:
        raise ValueError(f"lanes={lanes}: a warp has 1 to {WARP} active lanes")
    if offset < 0:
        raise ValueError(f"offset={offset}: element {offset} lies before the array; give 0 or more")
    first = offset + max(0, -stride * (lanes - 1))
    return Request(tuple(width * (first + stride * lane) for lane in range(lanes)), width)


def index(stride: int, offset: int, lanes: int = WARP) -> str:
    """Return the index as C code: "2 * lane + 1"."""
    first = offset + max(0, -stride * (lanes - 1))
    step = "lane" if abs(stride) == 1 else f"{abs(stride)} * lane"
    if stride < 0:
        return f"{first} - {step}"
    return str(first) if not stride else f"{step} + {first}" if first else step


def sentence(stride: int = 1, offset: int = 0, width: int = 4, lanes: int = WARP) -> str:
    """Say what one request costs, in words."""
    made = request(stride, offset, width, lanes)
    who = "1 lane reads" if lanes == 1 else f"{lanes} lanes read"
    where = f"{_many(len(made.sectors), 'sector')} of {SECTOR} bytes in {_many(len(made.lines), 'line')} of {LINE}"
    share = f"{made.used:,} of {made.moved:,} bytes moved are used ({percent(made)})"
    fewest = "no access could touch fewer" if made.ideal == len(made.sectors) else f"the fewest would be {made.ideal}"
    code = f"x[{index(stride, offset, lanes)}]"
    return f"{who} {code}, {_many(width, 'byte')} each: one request touches {where}; {share}; {fewest}."


def percent(made: Request) -> str:
    """Return the share of moved bytes that are used, as "12.5%"."""
    return f"{100 * made.used / made.moved:.3g}%"


def draw(stride: int = 1, offset: int = 0, width: int = 4, lanes: int = WARP) -> tuple[Figure, str]:
    """Draw the touched lines of memory, one a row, with every lane at its bytes; return the figure and a sentence."""
    made = request(stride, offset, width, lanes)
    levels = _levels(made.lines)
    high = levels[made.lines[-1]] + 1
    fig, ax = picture.new(7.6, min(_TALLEST * high, _ALL) + 1.25)
    for line in made.lines:
        _row(ax, levels[line], line, made)
    for lower, upper in zip(made.lines[1:], made.lines, strict=False):
        if lower - upper > 1:
            ax.axhline(levels[lower] - 0.25, color=picture.COLORS["grey"], linewidth=1, linestyle=":")
    _axes(ax, made, levels, high)
    ax.set_title(f"{TYPES[width]}  x[{index(stride, offset, lanes)}]:  {_many(len(made.sectors), 'sector')}, "
                 f"{made.used:,} of {made.moved:,} bytes used ({percent(made)})", loc="left", pad=30)  # fmt: skip
    return fig, sentence(stride, offset, width, lanes)


def coalescing(stride: int = 1, offset: int = 0, width: int = 4, lanes: int = WARP) -> None:
    """Print the sentence and show the picture for one request; arguments as `request`."""
    explorer.show(draw, stride=stride, offset=offset, width=width, lanes=lanes)


def explore() -> explorer.Explorer | None:
    """The same picture with a control for each number."""
    sizes = [(f"{size} ({name})", size) for size, name in TYPES.items()]
    return explorer.explorer(
        "coalescing",
        draw,
        stride=explorer.slider(1, -2, 33, 1, "stride (elements)"),
        offset=explorer.slider(0, 0, 32, 1, "offset (elements)"),
        width=explorer.steps(4, sizes, "bytes a lane"),
        lanes=explorer.slider(WARP, 1, WARP, 1, "active lanes"),
    )


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _levels(lines: Sequence[int]) -> dict[int, float]:
    """Height of each line's row, from the top; where lines in between are not touched, half a row stays free."""
    levels, level = {lines[0]: 0.0}, 0.0
    for line, before in zip(lines[1:], lines, strict=False):
        level += 1.0 if line == before + 1 else 1.5
        levels[line] = level
    return levels


def _row(ax: Axes, level: float, line: int, made: Request) -> None:
    """One line of 128 bytes: its four sectors, the touched ones filled, and the lanes on their bytes."""
    for place in range(LINE // SECTOR):
        touched = line * (LINE // SECTOR) + place in made.sectors
        _box(ax, place * SECTOR, level, SECTOR, **(_WASTED if touched else _UNTOUCHED))
    here = [(lane, start % LINE) for lane, start in enumerate(made.starts) if start // LINE == line]
    for start in {start for _, start in here}:
        _box(ax, start, level, made.width, **_USED)
    for place in range(LINE // SECTOR):
        if line * (LINE // SECTOR) + place in made.sectors:
            _box(ax, place * SECTOR, level, SECTOR, **_RIM)
    for text, middle in _labels(here, made.width):
        ground = {"facecolor": picture.COLORS["sky"], "edgecolor": "none", "pad": 1.0} if " " in text else None
        stamps.word(ax, middle, level + 0.45, text, ha="center", va="center", fontsize=7.5, bbox=ground, zorder=5)


Look = dict[str, Any]
_UNTOUCHED: Look = {"facecolor": "white", "edgecolor": "#D0D0D0", "linewidth": 0.8, "zorder": 1}
_STRIPES = picture.COLORS["orange"]
_WASTED: Look = {"facecolor": "#FBE3B5", "edgecolor": _STRIPES, "hatch": "////", "linewidth": 0, "zorder": 2}
_USED: Look = {"facecolor": picture.COLORS["sky"], "edgecolor": "white", "linewidth": 0.7, "zorder": 3}
_RIM: Look = {"facecolor": "none", "edgecolor": picture.COLORS["black"], "linewidth": 1.2, "zorder": 4}
_LEGEND = (
    (_USED, "bytes that lanes ask for (number: lane)"), (_WASTED, "moved for nothing"), (_UNTOUCHED, "not moved"),
)  # fmt: skip


def _box(ax: Axes, left: float, level: float, width: float, **look: Any) -> None:
    stamps.box(ax, left, level, width, 0.9, **look)


def _labels(here: Sequence[tuple[int, int]], width: int) -> list[tuple[str, float]]:
    """(text, middle) for the lanes of a row, ascending bytes; lanes too close for numbers of their own share a text."""
    here = sorted(here, key=lambda pair: (pair[1], pair[0]))
    groups: list[list[tuple[int, int]]] = []
    room = _ROOM * len(str(max(lane for lane, _ in here)))
    for lane, start in here:
        if groups and start - groups[-1][-1][1] < room:
            groups[-1].append((lane, start))
        else:
            groups.append([(lane, start)])
    return [(_named([lane for lane, _ in group]), (group[0][1] + group[-1][1] + width) / 2) for group in groups]


def _named(lanes: Sequence[int]) -> str:
    return str(lanes[0]) if len(lanes) == 1 else f"lanes {lanes[0]} to {lanes[-1]}"


def _axes(ax: Axes, made: Request, levels: dict[int, float], high: float) -> None:
    from matplotlib.patches import Patch

    ax.set(xlim=(-0.6, LINE + 0.6), ylim=(high, -0.12))
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set_xticks([SECTOR * k for k in range(5)], [f"+{SECTOR * k}" for k in range(5)])
    ax.set_yticks([level + 0.45 for level in levels.values()], [f"byte {LINE * line:,}" for line in levels],
                  fontsize=9 if high <= 16 else 7)  # fmt: skip
    ax.set_xlabel(f"one row: a line of {LINE} bytes; one frame: a sector of {SECTOR} bytes that is moved", fontsize=9)
    handles = [Patch(label=label, **{k: v for k, v in look.items() if k != "zorder"}) for look, label in _LEGEND]
    ax.legend(handles=handles, ncols=3, fontsize=9, loc="lower left", bbox_to_anchor=(-0.01, 1.0), borderaxespad=0.2,
              frameon=False)  # fmt: skip
