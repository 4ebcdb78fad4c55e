"""The banks explorer: in which banks of shared memory the lanes' words lie, and the wavefronts of one request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from gpucourse.simt.metrics import BANKS, WORD
from gpucourse.simt.registers import WARP
from gpucourse.viz import explorer, picture, stamps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT = 32  # rows of the tile, unless a stride reaches further
WIDEST, MOST_PADDING, LONGEST_STRIDE = 64, 8, 33
#: Bits that one lane accesses -> a C type of that size.
TYPES = {32: "float", 64: "double", 128: "float4"}


@dataclass(frozen=True)
class Access:
    """How lane k picks its element: `place(k, width, stride)` is (row, column), `code` the same in C."""

    place: Callable[[int, int, int], tuple[int, int]]
    code: Callable[[int, int], str]


def _counted(step: str, width: int) -> str:
    """Element number `step` of the tile, its rows counted one after the other."""
    return f"tile[{step} / {width}][{step} % {width}]"


def _row_code(width: int, stride: int) -> str:
    return "tile[0][lane]" if width >= WARP else _counted("lane", width)


def _diagonal_code(width: int, stride: int) -> str:
    return "tile[lane][lane]" if width >= WARP else f"tile[lane][lane % {width}]"


def _stride_code(width: int, stride: int) -> str:
    return _counted(f"({stride} * lane)", width)


ACCESSES = {
    "row": Access(lambda lane, width, stride: divmod(lane, width), _row_code),
    "column": Access(lambda lane, width, stride: (lane, 0), lambda width, stride: "tile[lane][0]"),
    "diagonal": Access(lambda lane, width, stride: (lane, lane % width), _diagonal_code),
    "broadcast": Access(lambda lane, width, stride: (0, 0), lambda width, stride: "tile[0][0]"),
    "stride": Access(lambda lane, width, stride: divmod(stride * lane, width), _stride_code),
}


@dataclass(frozen=True)
class Phase:
    """Lanes that are served together; `words` holds, for each bank, the distinct words that it must deliver."""

    lanes: range
    words: dict[int, list[int]]

    @property
    def wavefronts(self) -> int:
        """As many as the busiest bank has distinct words."""
        return max(map(len, self.words.values()))


@dataclass(frozen=True)
class Request:
    """One request of 32 lanes for elements of a tile: `places` are (row, column), by lane."""

    width: int
    padding: int
    bits: int
    places: tuple[tuple[int, int], ...]
    code: str

    @property
    def words(self) -> int:
        """Words of 4 bytes in one element."""
        return self.bits // 8 // WORD

    @property
    def rows(self) -> int:
        """Rows of the tile."""
        return max(HEIGHT, self.places[-1][0] + 1)

    def word(self, row: int, column: int) -> int:
        """Number of the first word of an element, counted from the tile's start."""
        return (row * (self.width + self.padding) + column) * self.words

    def of_element(self, row: int, column: int) -> range:
        """All words of an element."""
        first = self.word(row, column)
        return range(first, first + self.words)

    @cached_property
    def phases(self) -> tuple[Phase, ...]:
        """1 x 32, 2 x 16 or 4 x 8 lanes, as `gpucourse.simt.metrics` defines."""
        size = WARP // self.words
        return tuple(self._phase(range(first, first + size)) for first in range(0, WARP, size))

    def _phase(self, lanes: range) -> Phase:
        words: dict[int, list[int]] = {}
        for lane in lanes:
            for word in self.of_element(*self.places[lane]):
                held = words.setdefault(word % BANKS, [])
                if word not in held:
                    held.append(word)
        return Phase(lanes, words)

    @property
    def wavefronts(self) -> int:
        """Wavefronts of all phases."""
        return sum(phase.wavefronts for phase in self.phases)

    @property
    def degree(self) -> int:
        """Different words that the busiest bank must deliver in one phase: 1 is free of conflicts."""
        return max(phase.wavefronts for phase in self.phases)


def request(
    width: int = 32, padding: int = 0, access: str = "column", bits: int = 32, stride: int = 2
) -> Request:
    """Return the request of 32 lanes for a tile of `width` columns and `padding` unused ones behind each row.

    `access` is "row", "column", "diagonal", "broadcast" (all lanes one element) or "stride" (every `stride`-th element,
    row after row; only then does `stride` count). `bits` is the size of an element, which one lane accesses at
    once: 32, 64 or 128. The tile begins in bank 0. ValueError for what cannot be.
    """
    _check(width, padding, access, bits, stride)
    chosen = ACCESSES[access]
    places = tuple(chosen.place(lane, width, stride) for lane in range(WARP))
    return Request(width, padding, bits, places, chosen.code(width, stride))


def _check(width: int, padding: int, access: str, bits: int, stride: int) -> None:
    limits = (("width", width, 1, WIDEST), ("padding", padding, 0, MOST_PADDING), ("stride", stride, 1, LONGEST_STRIDE))
    for name, number, low, high in limits:
        if not low <= number <= high:
            raise ValueError(f"{name}={number}: give {low} to {high}")
    if access not in ACCESSES:
        raise ValueError(f"access={access!r}: an access is one of {', '.join(ACCESSES)}")
    if bits not in TYPES:
        raise ValueError(f"bits={bits}: one lane accesses {', '.join(map(str, TYPES))} bits")


def sentence(width: int = 32, padding: int = 0, access: str = "column", bits: int = 32, stride: int = 2) -> str:
    """Say what one request costs, in words."""
    made = request(width, padding, access, bits, stride)
    phases = f" in {len(made.phases)} phases of {WARP // made.words} lanes" if made.words > 1 else ""
    start = f"32 lanes read {made.code} of {declared(made)}{phases}: "
    return f"{start}{_many(made.wavefronts, 'wavefront')}, {verdict(made)}. {_why(made)}"


def declared(made: Request) -> str:
    """Return the tile's declaration in C, as "float tile[32][33]"."""
    columns = f"{made.width} + {made.padding}" if made.padding else str(made.width)
    return f"{TYPES[made.bits]} tile[{made.rows}][{columns}]"


def verdict(made: Request) -> str:
    """Return the conflict in a few words."""
    article = "an" if made.degree in (8, 11, 18) else "a"
    return "no conflict" if made.degree == 1 else f"{article} {made.degree}-way bank conflict"


def _why(made: Request) -> str:
    if made.degree == 1:
        all_one = len(set(made.places)) == 1
        return "All lanes share one element." if all_one else "No bank has to deliver two different words in a phase."
    phase = max(made.phases, key=lambda phase: phase.wavefronts)
    busy = [bank for bank, words in sorted(phase.words.items()) if len(words) == phase.wavefronts]
    where = f"Bank {busy[0]} alone" if len(busy) == 1 else f"Each of {len(busy)} banks"
    fewest = _many(len(made.phases), "wavefront")
    cost = f"{phase.wavefronts} different words, one a wavefront"
    return f"{where} must deliver {cost}; without conflicts {fewest} would do."


def draw(
    width: int = 32, padding: int = 0, access: str = "column", bits: int = 32, stride: int = 2
) -> tuple[Figure, str]:
    """Draw the tile colored by bank, and beside it what each bank must deliver; return the figure and a sentence."""
    made = request(width, padding, access, bits, stride)
    fig, ax = picture.page(*_PAGE)
    title = f"{made.code}:  {_many(made.wavefronts, 'wavefront')}, {verdict(made)}"
    stamps.word(ax, 0.12, 0.25, title, fontsize=12, va="center")
    _tile(ax, made)
    _banks(ax, made)
    return fig, sentence(width, padding, access, bits, stride)


def banks(
    width: int = 32, padding: int = 0, access: str = "column", bits: int = 32, stride: int = 2
) -> None:
    """Print the sentence and show the picture for one request of a warp; arguments as `request`.

    >>> banks(width=32, padding=1, access="column")  # doctest: +SKIP
    """
    explorer.show(draw, width=width, padding=padding, access=access, bits=bits, stride=stride)


def explore() -> explorer.Explorer | None:
    """The same picture with a control for each number."""
    sizes = [(f"{size} ({name})", size) for size, name in TYPES.items()]
    return explorer.explorer(
        "banks",
        draw,
        width=explorer.steps(32, (4, 8, 16, 24, 31, 32, 33, 40, 48, 64), "tile width (elements)"),
        padding=explorer.slider(0, 0, MOST_PADDING, 1, "padding (elements)"),
        access=explorer.choice("column", tuple(ACCESSES), "access"),
        bits=explorer.steps(32, sizes, "bits a lane"),
        stride=explorer.slider(2, 1, LONGEST_STRIDE, 1, "stride (access: stride)"),
    )


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


# --- the picture -------------------------------------------------------------------------------------

_PAGE = (8.0, 4.7)  # inches
_TOP, _BOTTOM = 0.88, 4.35
_TILE_LEFT, _TILE_WIDTH = 0.5, 3.55
_BANK_LEFT, _BANK_WIDTH = 4.45, 3.4
_ACROSS = _BANK_WIDTH / BANKS
_CELL = (0.3, 0.2)  # inches at most
_PALE = 0.66  # how much white goes into a word that no lane asks for
_FAINT = 0.85  # and into a bank that has nothing to deliver
_GAP = 0.2  # between phases
_DIGIT, _LINE = 0.05, 0.085  # inches that a digit of a lane's number takes
_SMALL: dict[str, Any] = {"fontsize": 8, "va": "center"}

Box = tuple[float, float, float, float]  # left, top, width, height


@cache
def color(bank: int, pale: float = 0.0) -> tuple[float, ...]:
    """The color of a bank, from dark (0) to light (31), mixed with white."""
    from matplotlib import colormaps

    return tuple(part + (1 - part) * pale for part in colormaps["viridis"](bank / (BANKS - 1))[:3])


def _tile(ax: Axes, made: Request) -> None:
    """The tile as the source sees it, colored by bank; what a lane accesses in full color, framed."""
    columns = made.width + made.padding
    across = min(_CELL[0] * (1 + made.words) / 2, _TILE_WIDTH / columns)
    down = (_BOTTOM - _TOP) / made.rows
    _ground(ax, made, across, down)
    lanes = _lanes_at(made)
    for (row, column), text in lanes.items():
        place = (_TILE_LEFT + column * across, _TOP + row * down, across, down)
        _element(ax, made.word(row, column), made.words, place, text)
    stamps.word(ax, _TILE_LEFT, _TOP - 0.15, f"{declared(made)}: color = bank", fontsize=9, va="center")
    _tile_labels(ax, made, across, down)


def _ground(ax: Axes, made: Request, across: float, down: float) -> None:
    """All words of the tile, pale, and its padding, hatched."""
    pale = [color(bank, _PALE) for bank in range(BANKS)]
    words = range(made.width * made.words)
    image = [[pale[(made.word(row, 0) + word) % BANKS] for word in words] for row in range(made.rows)]
    right, end = (_TILE_LEFT + columns * across for columns in (made.width, made.width + made.padding))
    ax.imshow(image, extent=(_TILE_LEFT, right, _BOTTOM, _TOP), aspect="auto", interpolation="nearest", zorder=1)
    stamps.box(ax, right, _TOP, end - right, _BOTTOM - _TOP, facecolor="none", edgecolor="#A0A0A0", hatch="////",
               linewidth=0, zorder=1)  # fmt: skip


def _tile_labels(ax: Axes, made: Request, across: float, down: float) -> None:
    for row in (0, made.rows // 2, made.rows - 1):
        text = f"row {row}" if row == 0 else str(row)
        stamps.word(ax, _TILE_LEFT - 0.05, _TOP + (row + 0.5) * down, text, ha="right", **_SMALL)
    below, end = _BOTTOM + 0.12, _TILE_LEFT + (made.width + made.padding) * across
    if made.padding:
        text = f"padding: {_many(made.padding, 'column')}"
        stamps.word(ax, max(end, _TILE_LEFT + 1.9), below, text, ha="right", **_SMALL)
    elif made.width * across > 1:
        stamps.word(ax, end - across / 2, below, str(made.width - 1), ha="center", **_SMALL)
    stamps.word(ax, _TILE_LEFT, below, "column 0", **_SMALL)


def _element(ax: Axes, first: int, words: int, place: Box, text: str) -> None:
    """An element that lanes access: its words in their banks' colors, a frame, and the lanes' number."""
    left, top, across, down = place
    for number in range(words):
        bank = (first + number) % BANKS
        share = across / words
        stamps.box(ax, left + number * share, top, share, down, facecolor=color(bank), linewidth=0, zorder=2)
    stamps.box(ax, *place, facecolor="none", edgecolor="black", linewidth=0.8, zorder=3)
    _number(ax, place, text, (first + words // 2) % BANKS)


def _number(ax: Axes, place: Box, text: str, bank: int) -> None:
    left, top, across, down = place
    if across > _DIGIT * len(text) and down > _LINE:
        ink = "white" if bank < BANKS * 0.6 else "black"
        stamps.word(ax, left + across / 2, top + down / 2, text, ha="center", va="center_baseline", fontsize=5.6,
                    color=ink, zorder=4)  # fmt: skip


def _lanes_at(made: Request) -> dict[tuple[int, int], str]:
    """Each accessed place with the lanes that access it, as text."""
    found: dict[tuple[int, int], list[int]] = {}
    for lane, place in enumerate(made.places):
        found.setdefault(place, []).append(lane)
    return {place: str(lanes[0]) if len(lanes) == 1 else "all" for place, lanes in found.items()}


def _banks(ax: Axes, made: Request) -> None:
    """The banks side by side: row by row what they deliver, a wavefront a row, the phases below each other."""
    gaps = _GAP * (len(made.phases) - 1)
    down = min(_CELL[1], (_BOTTOM - _TOP - gaps) / made.wavefronts)
    users = {made.word(*place): text for place, text in _lanes_at(made).items()}
    top, number = _TOP, 1
    stamps.word(ax, _BANK_LEFT, 0.56, "The 32 banks: a row is a wavefront, one word a bank", fontsize=9, va="center")
    for bank in (0, 8, 16, 24, BANKS - 1):
        text = "bank 0" if bank == 0 else str(bank)
        stamps.word(ax, _BANK_LEFT + (bank + 0.5) * _ACROSS, _TOP - 0.12, text, ha="center", fontsize=8, va="center")
    for phase in made.phases:
        _phase(ax, phase, users, top, down)
        _wavefront_labels(ax, made, phase, (top, down), number)
        top, number = top + down * phase.wavefronts + _GAP, number + phase.wavefronts


def _phase(ax: Axes, phase: Phase, users: dict[int, str], top: float, down: float) -> None:
    for bank in range(BANKS):
        left = _BANK_LEFT + bank * _ACROSS
        stamps.box(ax, left, top, _ACROSS, down * phase.wavefronts, facecolor=color(bank, _FAINT), edgecolor="white",
                   linewidth=0.8, zorder=1)  # fmt: skip
        for row, word in enumerate(phase.words.get(bank, ())):
            place = (left, top + row * down, _ACROSS, down)
            stamps.box(ax, *place, facecolor=color(bank), edgecolor="white", linewidth=0.6, zorder=2)
            _number(ax, place, users.get(word, ""), bank)


def _wavefront_labels(ax: Axes, made: Request, phase: Phase, rows: tuple[float, float], first: int) -> None:
    """The first and the last wavefront's number left of a phase; right below it, whose phase it is."""
    top, down = rows
    for row in sorted({0, phase.wavefronts - 1}):
        stamps.word(ax, _BANK_LEFT - 0.05, top + (row + 0.5) * down, str(first + row), ha="right", **_SMALL)
    bottom = top + down * phase.wavefronts
    if len(made.phases) > 1:
        text = f"lanes {phase.lanes[0]} to {phase.lanes[-1]}"
        stamps.word(ax, _BANK_LEFT + _BANK_WIDTH, bottom + 0.09, text, ha="right", **_SMALL)
    elif len(set(made.places)) == 1:
        stamps.word(ax, _BANK_LEFT + _ACROSS + 0.05, top + down / 2, "one word for all lanes", **_SMALL)
    elif made.wavefronts < 16:
        text = "number: the lane that asks for the word"
        stamps.word(ax, _BANK_LEFT + _BANK_WIDTH, bottom + 0.09, text, ha="right", **_SMALL)
