"""What the learner has done so far: noted by `check`, `hint` and `solution`, shown by `progress`."""

from __future__ import annotations

import argparse
import datetime
import html
from typing import Any

from gpucourse.exercises import exchange, joining, outcome, registry, store
from gpucourse.exercises.store import Entries

COUNTED = ("right", "wrong", "raised")  # the outcomes that are attempts
EVERYTHING = "all"


def note_check(id: str, state: str) -> None:
    """Note an attempt, when it was and what came of it, and the day of the first right answer."""
    if state in COUNTED:
        _change(id, lambda entry: _count(entry, state))


def note_hint(id: str, level: int) -> None:
    """Note that the hint of this level was shown."""
    _change(id, lambda entry: entry.update(hints=max(level, _number(entry, "hints"))))


def note_solution(id: str) -> None:
    """Note that the solution was shown."""
    _change(id, lambda entry: entry.update(solution=True))


def hints_seen(id: str) -> int:
    """Return the level of the last hint that was shown, 0 for none."""
    return _number(store.read().get(id, {}), "hints")


def _count(entry: dict[str, Any], state: str) -> None:
    entry["attempts"] = _number(entry, "attempts") + 1
    entry["last"] = {"at": joining.now(), "state": state}
    if state == "right":
        entry.setdefault("right", datetime.date.today().isoformat())


def _number(entry: dict[str, Any], key: str) -> int:
    value = entry.get(key)
    return value if isinstance(value, int) else 0


def _change(id: str, change: Any) -> None:
    store.update(lambda entries: change(entries.setdefault(id, {})))


def progress(lesson: str | None = None, *, reset: str | bool | None = None) -> None:
    """Show a table of the exercises of one or all lessons: right since when, attempts, the last one, hints, solution.

    `reset`: an exercise ("01.2"), a lesson ("01") or "all" to forget; a copy of the file is kept.
    """
    if reset is not None and reset is not False:
        text = _reset(EVERYTHING if reset is True else str(reset))
        outcome.show(text, outcome.box(text, "", outcome.TOLD))
        return
    rows = {number: part for number, part in _rows(store.read()).items() if lesson in (None, number)}
    nothing = f"There is no lesson {lesson!r} with exercises."
    outcome.show(_text(rows) or nothing, _page(rows) or nothing)


# -- the table --------------------------------------------------------------------------------------

_HEAD = ("", "exercise", "right", "attempts", "last attempt", "hints", "solution")
Row = tuple[str, str, str, str, str, str, str]


def _rows(entries: Entries) -> dict[str, list[Row]]:
    """Return lesson -> rows, in order, for the problems of every lesson that this version has."""
    return {
        lesson: [_row(problem.id, problem.title, entries.get(problem.id, {})) for problem in found]
        for lesson in registry.lessons()
        if (found := registry.problems(lesson))
    }


def _row(id: str, title: str, entry: dict[str, Any]) -> Row:
    seen = "seen" if entry.get("solution") else ""
    attempts, hints = (str(_number(entry, key) or "") for key in ("attempts", "hints"))
    return (id, title, str(entry.get("right", "")), attempts, _last(entry), hints, seen)


def _last(entry: dict[str, Any]) -> str:
    """Return what came of the last attempt; "" where none is known, as of attempts of older versions."""
    last = entry.get("last")
    return "" if last is None or joining.fault("last", last) else outcome.STATES[last["state"]][0]


def _summary(lesson: str, rows: list[Row]) -> str:
    return f"Lesson {lesson}: {sum(bool(row[2]) for row in rows)} of {len(rows)} right"


def _text(rows: dict[str, list[Row]]) -> str:
    everything = [_HEAD, *(row for part in rows.values() for row in part)]
    widths = [max(len(row[i]) for row in everything) for i in range(len(_HEAD))]
    lines = []
    for lesson, part in rows.items():
        lines.append(_summary(lesson, part))
        lines += ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (_HEAD, *part)]
    return "\n".join(lines)


def _page(rows: dict[str, list[Row]]) -> str:
    return "".join(
        f"<div><strong>{_summary(lesson, part)}</strong></div><table>{_line(_HEAD, 'th')}"
        + "".join(_line(row, "td") for row in part)
        + "</table>"
        for lesson, part in rows.items()
    )


def _line(row: tuple[str, ...], tag: str) -> str:
    cells = (f'<{tag} style="text-align:left">{html.escape(cell)}</{tag}>' for cell in row)
    return f"<tr>{''.join(cells)}</tr>"


# -- forgetting -------------------------------------------------------------------------------------


def _reset(what: str) -> str:
    """Forget an exercise, a lesson or everything, and return what was done in one line."""
    names = {problem.id: f"exercise {problem.id}" for problem in registry.all_problems()}
    names |= {lesson: f"lesson {lesson}" for lesson in registry.lessons()} | {EVERYTHING: "all exercises"}
    if what not in names:
        return f'There is no lesson or exercise {what!r}. Reset "01.1", "01" or "all". Nothing was changed.'
    if not _chosen(store.read(), what):
        return f"Nothing was recorded for {names[what]}."
    copy = store.back_up()
    store.update(lambda entries: _forget(entries, what))
    return f"Progress in {names[what]} was reset." + (f" The old file is kept as {copy}." if copy else "")


def _chosen(entries: Entries, what: str) -> list[str]:
    return [id for id in entries if what in (EVERYTHING, id, id.split(".")[0])]


def _forget(entries: Entries, what: str) -> None:
    for id in _chosen(entries, what):
        del entries[id]


# -- python -m gpucourse progress -------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m gpucourse progress`."""
    parser.add_argument(
        "--reset", nargs="?", const=EVERYTHING, metavar="ID",
        help="forget an exercise (01.2), a lesson (01) or, without ID, everything; a copy is kept",
    )  # fmt: skip
    exchange.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Show, reset, export or import the progress; return 0."""
    if args.action:
        print(exchange.run(args))
    else:
        progress(reset=args.reset)
    return 0
