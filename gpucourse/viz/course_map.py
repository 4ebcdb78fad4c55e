"""The map of the course: each lesson a node, an arrow to every lesson that builds on it.

An arrow that others imply (01 to 04, beside 01 to 03 and 03 to 04) is drawn for its own lesson only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gpucourse.examination import LESSONS
from gpucourse.guide.course import NEEDS, PARTS, bases, every_need
from gpucourse.viz import explorer, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# lesson -> column and row of its box
PLACES = {
    "01": (0, 0), "02": (0, 1), "03": (1, 0), "04": (1, 1), "05": (1, 2), "06": (1, 3), "07": (1, 4), "08": (1, 5),
    "09": (1, 6), "10": (2, 0), "11": (2, 1), "12": (2, 2), "13": (3, 0), "14": (3, 1), "15": (3, 2), "16": (3, 3),
    "17": (3, 4), "18": (3, 5), "19": (3, 6),
}  # fmt: skip
INKS = ("sky", "orange", "green", "purple")     # one color a part
TITLES = {each.number: each.title for each in LESSONS}
WHOLE = "all"


def builds_on(lesson: str) -> list[str]:
    """Return the lessons that say they need `lesson`."""
    return [other for other in NEEDS if lesson in NEEDS[other]]


def sentence(lesson: str = WHOLE) -> str:
    """Say in words what the map shows for a lesson, or for all."""
    if lesson == WHOLE:
        parts = "; ".join(f"part {part.roman}, {part.name}, lessons {part.first} to {part.last}" for part in PARTS)
        arrows = ", ".join(f"{one} on {_list(bases(one))}" for one in NEEDS if bases(one))
        return f"Map of the course: {parts}. Which lesson builds directly on which: {arrows}."
    if lesson not in NEEDS:
        raise ValueError(f"lesson={lesson!r}: give one from '01' to '19', or {WHOLE!r}")
    rest = sorted(every_need(lesson).difference(NEEDS[lesson]))
    parts = [f"Lesson {lesson}, {TITLES[lesson]}, needs {_list(NEEDS[lesson])}"]
    parts += [f"these in turn need {_list(rest)}"] * bool(rest)
    return f"{'; '.join(parts)}. {_list(builds_on(lesson), 'No lesson').capitalize()} " \
           f"{'needs' if len(builds_on(lesson)) < 2 else 'need'} it directly."  # fmt: skip


def _list(lessons: Sequence[str], none: str = "no other lesson") -> str:
    return " and ".join(filter(None, [", ".join(lessons[:-1]), *lessons[-1:]])) or none


# --- the picture ---------------------------------------------------------------------------------------

WIDTH, HEIGHT, LEFT, TOP, APART, DOWN = 1.9, 0.5, 0.1, 0.72, 2.45, 0.74   # inches


def draw(lesson: str = WHOLE) -> tuple[Figure, str]:
    """Draw the map, and of a lesson the way that leads to it; return the figure and its sentence."""
    fig, ax = picture.page(LEFT * 2 + APART * 3 + WIDTH + 0.65, TOP + DOWN * 7)
    shown = list(NEEDS) if lesson == WHOLE else [lesson, *every_need(lesson), *builds_on(lesson)]
    for column, (part, ink) in enumerate(zip(PARTS, INKS, strict=True)):
        left, name = LEFT + column * APART, f"{part.roman} · {part.name}"
        ax.text(left, 0.48, _two_lines(name, 24), fontsize=11, color="black", weight="bold")
        ax.plot([left, left + WIDTH], [0.57] * 2, color=picture.COLORS[ink], lw=3)
    for one in NEEDS:
        for other in (*bases(one), *[lesson] * _left_out(lesson, one)):
            _arrow(ax, other, one, _strong(lesson, other, one), lesson == WHOLE)
    for one in NEEDS:
        _box(ax, one, one in shown, one == lesson)
    return fig, sentence(lesson)


def _left_out(lesson: str, one: str) -> bool:
    """Whether `one` needs the chosen lesson directly, by an arrow that the whole map leaves out."""
    return lesson in NEEDS[one] and lesson not in bases(one)


def _strong(lesson: str, start: str, end: str) -> bool:
    return lesson in (WHOLE, start) or end in (lesson, *every_need(lesson))


def _corner(lesson: str) -> tuple[float, float]:
    column, row = PLACES[lesson]
    return LEFT + column * APART, TOP + row * DOWN


def _box(ax: Axes, lesson: str, shown: bool, chosen: bool) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = _corner(lesson)
    color = picture.COLORS[INKS[PLACES[lesson][0]]]
    ax.add_patch(FancyBboxPatch((x, y), WIDTH, HEIGHT, boxstyle="round,pad=0,rounding_size=0.08", zorder=3,
                                facecolor="white", edgecolor=color if shown else "#D0D0D0",
                                linewidth=3.5 if chosen else 1.8))  # fmt: skip
    ink = "black" if shown else "#767676"
    ax.text(x + 0.08, y + HEIGHT / 2, lesson, fontsize=11, weight="bold", va="center", color=ink, zorder=4)
    ax.text(x + 0.36, y + HEIGHT / 2, _two_lines(TITLES[lesson]), fontsize=9, va="center", color=ink, zorder=4)


def _two_lines(title: str, letters: int = 20) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(title, letters))


def _arrow(ax: Axes, start: str, end: str, strong: bool, whole: bool) -> None:
    (x, y), (u, v) = _corner(start), _corner(end)
    begin, bend = (x + WIDTH, y + HEIGHT / 2), "arc3,rad=0"
    if x != u:
        finish = u, v + HEIGHT / 2
    elif PLACES[end][1] - PLACES[start][1] == 1:   # the next box below
        begin, finish = (x + WIDTH / 2, y + HEIGHT), (u + WIDTH / 2, v)
    else:
        finish, bend = (u + WIDTH, v + HEIGHT / 2), "arc3,rad=-0.35"
    color = picture.COLORS[INKS[PLACES[start][0]]] if strong else "#E4E4E4"
    ax.annotate("", finish, begin, zorder=2 if strong else 1, arrowprops={
        "arrowstyle": "-|>", "color": color, "lw": 1.1 if whole or not strong else 1.8, "connectionstyle": bend,
        "shrinkA": 0, "shrinkB": 0, "alpha": 0.75 if whole else 1})  # fmt: skip


def course_map(lesson: str = WHOLE) -> None:
    """Show the map of the course, or the way to one lesson.

    >>> course_map("13")        # doctest: +SKIP
    """
    picture.show(*draw(lesson))


def explore() -> explorer.Explorer | None:
    """Return the explorer: choose a lesson, and see what leads to it and what it leads to."""
    options = [("the whole course", WHOLE), *((f"{number} · {title}", number) for number, title in TITLES.items())]
    return explorer.explorer("course map", draw, lesson=explorer.choice(WHOLE, options, "lesson"))
