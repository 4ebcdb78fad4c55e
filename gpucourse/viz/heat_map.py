"""Draws a kernel's source beside its profile: one row a line, one colored cell a number, as hot as `Profile` says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gpucourse.show import here
from gpucourse.simt.profile import COLUMNS, PTX_COLUMNS, Column, Profile
from gpucourse.viz import picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Drawn unless others are asked for, where the launch has such a number.
USUAL = (
    "divergent_branches", "active_lanes", "global_sectors", "sectors_per_request", "ideal_sectors_per_request",
    "shared_wavefronts", "bank_conflicts", "atomic_serialization", "constant_addresses_per_request", "local_bytes",
)  # fmt: skip
#: Counts of what a better kernel would not have at all; the columns with a `heat` of their own are waste too.
UNWANTED = frozenset(("divergent_branches", "bank_conflicts", "local_requests", "local_bytes"))

MOST_LINES = 40  # of a longer source only the lines around those that were executed are drawn
MOST_LETTERS = 80
_AROUND = 2
_ROW, _CELL, _LETTER, _NUMBER, _WORD = 0.225, 0.76, 0.0715, 0.38, 0.15  # inches; of one word of a heading, _WORD
_WARMEST = 0.85  # of the full color: black text stays readable on it
_CODE: dict[str, Any] = {"family": "monospace", "fontsize": 8.5, "va": "center"}


def heat_map(profile: Profile, columns: Sequence[str] | None = None) -> None:
    """Show the source of a profiled kernel with its counters, line by line; hotter cells are darker.

    Orange cells are waste (0: none, darkest: all of it), blue ones a line's share of the launch. `columns` are keys
    such as "global_sectors" (`Profile.columns()` lists those of a launch). What only the compiler fixes
    stands between ⟨ and ⟩. ValueError for an unknown key.

    >>> heat_map(profile(transpose, (2, 2), (32, 32), (x, y, np.int32(64))))  # doctest: +SKIP
    """
    fig, alt = draw(profile, columns)
    picture.show(fig, alt)


def draw(profile: Profile, columns: Sequence[str] | None = None) -> tuple[Figure, str]:
    """Draw the heat map; return the figure and its words."""
    shown = chosen(profile, columns)
    lines = shown_lines(profile)
    left = _NUMBER + _LETTER * max(24, *(len(_source(profile, line)) for line in lines)) + 0.15
    top = 0.45 + _WORD * max((len(column.heading.split()) for column in shown), default=0)
    right, bottom = left + _CELL * len(shown), top + _ROW * len(lines)
    fig, ax = picture.page(max(right + 0.1, 6.4), bottom + 2.6 * _ROW)
    _headings(ax, top - 0.05, profile, shown, left)
    for row, line in enumerate(lines):
        _line(ax, top + _ROW * row, profile, line, shown, left)
    ax.plot([0.1, right], [bottom, bottom], color=picture.COLORS["black"], linewidth=1)
    _total(ax, bottom, profile, shown, left)
    _key(ax, bottom + 1.9 * _ROW)
    return fig, words(profile, shown)


def chosen(profile: Profile, columns: Sequence[str] | None) -> list[Column]:
    """Return the columns to draw: those asked for, or the usual ones that have a number in this launch."""
    known = {column.key: column for column in (*COLUMNS, *PTX_COLUMNS)}
    if columns is None:
        present = {column.key for column in profile.columns()}
        parted = {"active_lanes"} if profile.divergent_branches else set()
        return [known[key] for key in USUAL if key in present | parted]
    unknown = [key for key in columns if key not in known]
    if unknown:
        raise ValueError(f"heat_map: no column {unknown[0]!r}; there are {', '.join(known)}")
    return [known[key] for key in columns]


def shown_lines(profile: Profile) -> list[int]:
    """Return the source lines to draw, from the first that is not blank; 0 last, for what belongs to no line."""
    source = profile.program.source.splitlines()
    executed = [row["line"] for row in profile.rows()]
    lines = [number for number, text in enumerate(source, 1) if text.strip()]
    lines = list(range(min(lines), max(lines) + 1)) if lines else []
    if len(lines) > MOST_LINES:
        lines = [n for n in lines if any(abs(n - line) <= _AROUND for line in executed if line)]
    return lines + [0] * (0 in executed)


def words(profile: Profile, shown: Sequence[Column]) -> str:
    """Say which lines are the hottest, and in what."""
    hottest: dict[int, list[str]] = {}
    compiled = []
    for column in shown:
        line = max((row["line"] for row in profile.rows()), key=lambda n: profile.heat(n, column), default=0)
        text = f"{_heading(column)} ({profile.cell(line, column)})"
        if column in PTX_COLUMNS:
            compiled.append(f"line {line} in {text}")
        elif profile.heat(line, column) > 0:
            hottest.setdefault(line, []).append(text)
    found = [f"{_place(line)} in {', '.join(texts)}" for line, texts in sorted(hottest.items())]
    found += [here("; ".join(compiled))] if compiled else []
    start = f"Heat map of the source of {profile.name}, grid {profile.grid}, block {profile.block}"
    clean = "" if any(_wasteful(column) and profile.heat(row["line"], column) > 0 for column in shown
                      if column not in PTX_COLUMNS for row in profile.rows()) else " No cell shows waste."  # fmt: skip
    return f"{start}. Hottest: {'; '.join(found)}.{clean}" if found else f"{start}.{clean}"


def _place(line: int) -> str:
    return f"line {line}" if line else "what belongs to no line"


def _heading(column: Column) -> str:
    return column.heading.replace("- ", "").replace("/ ", "/")


def _wasteful(column: Column) -> bool:
    return column.heat is not None or column.key in UNWANTED


def _source(profile: Profile, line: int) -> str:
    text = profile.source_line(line).expandtabs(4).rstrip()
    return text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…"


# --- on the page, in inches from the top left --------------------------------------------------------


def _headings(ax: Axes, bottom: float, profile: Profile, shown: Sequence[Column], left: float) -> None:
    ax.text(0.1, 0.18, f"{profile.name}: grid {profile.grid}, block {profile.block}", fontsize=11, va="center")
    for place, column in enumerate(shown):
        for up, word in enumerate(reversed(column.heading.split())):
            ax.text(left + _CELL * (place + 0.5), bottom - _WORD * up, word, fontsize=9, ha="center", va="bottom")


def _line(ax: Axes, top: float, profile: Profile, line: int, shown: Sequence[Column], left: float) -> None:
    middle, color = top + _ROW / 2, picture.COLORS["black" if line in profile.lines else "grey"]
    ax.plot([_NUMBER, left + _CELL * len(shown)], [top, top], color="#E8E8E8", linewidth=0.6, zorder=0)
    ax.text(_NUMBER - 0.1, middle, str(line or ""), ha="right", color=picture.COLORS["grey"], **_CODE)
    ax.text(_NUMBER, middle, _source(profile, line), color=color, **_CODE)
    for place, column in enumerate(shown):
        _cell(ax, left + _CELL * place, top, profile.cell(line, column),
              _color(profile.heat(line, column), _wasteful(column)))  # fmt: skip


def _total(ax: Axes, top: float, profile: Profile, shown: Sequence[Column], left: float) -> None:
    look: dict[str, Any] = {"va": "center", "weight": "bold", "fontsize": 9}
    ax.text(_NUMBER, top + _ROW / 2, "whole launch", **look)
    for place, column in enumerate(shown):
        ax.text(left + _CELL * (place + 0.5), top + _ROW / 2, column.cell(profile.total), ha="center", **look)


def _cell(ax: Axes, left: float, top: float, text: str, color: tuple[float, float, float]) -> None:
    from matplotlib.patches import Rectangle

    if text:
        ax.add_patch(Rectangle((left, top), _CELL, _ROW, facecolor=color, edgecolor="#C8C8C8", linewidth=0.6))
        ax.text(left + _CELL / 2, top + _ROW / 2, text, ha="center", va="center", fontsize=9)


def _color(heat: float, waste: bool) -> tuple[float, float, float]:
    """White for 0 to nearly the full color for 1; both scales also darken in greyscale."""
    from matplotlib.colors import to_rgb

    strength = _WARMEST * min(heat, 1.0)
    red, green, blue = (1 - strength * (1 - part) for part in to_rgb(picture.COLORS["red" if waste else "sky"]))
    return red, green, blue


def _key(ax: Axes, top: float) -> None:
    """Two short scales: what the colors mean."""
    from matplotlib.patches import Rectangle

    for left, waste, text in ((_NUMBER, False, "share of the launch, 0 to 100%"), (3.6, True, "waste, 0 to 100%")):
        for step in range(11):
            ax.add_patch(Rectangle((left + 0.09 * step, top - 0.06), 0.09, 0.12, facecolor=_color(step / 10, waste)))
        ax.text(left + 1.1, top, text, fontsize=9, va="center")
