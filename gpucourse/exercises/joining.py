"""Joins two records of one learner's exercises, so that nothing that was done on either machine is lost.

Joining is in no order: ours with theirs is theirs with ours, and twice is as once. So a learner may carry files to and
fro between machines in whatever order.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any

from gpucourse.exercises.outcome import STATES
from gpucourse.exercises.store import Entries

Entry = dict[str, Any]
MOST_TRIES = 1_000_000
MOMENT = "%Y-%m-%dT%H:%M:%SZ"

# field -> what two values become: the first right day, the larger count, seen if seen once, the newest attempt
_JOINS: dict[str, Callable[[Any, Any], Any]] = {
    "right": min,
    "attempts": max,
    "hints": max,
    "solution": max,
    "last": lambda ours, theirs: max(ours, theirs, key=lambda last: (last["at"], last["state"])),
}


def joined(ours: Entry, theirs: Entry) -> Entry:
    """Return what is known of an exercise from two records of it.

    `theirs` has known fields only; what `ours` has besides stays.
    """
    found = dict(ours)
    for key, value in theirs.items():
        both = key in ours and not fault(key, ours[key])
        found[key] = _JOINS[key](ours[key], value) if both else value
    return found


def join(entries: Entries, others: Entries) -> None:
    """Join `others` into `entries`, in place."""
    for id, theirs in others.items():
        entries[id] = joined(entries.get(id, {}), theirs)


def known(entries: Entries) -> Entries:
    """Return the entries with the fields that can be joined, and without what is none: any text can be in a file."""
    kept = {id: {key: value for key, value in entry.items() if key in _JOINS and not fault(key, value)}
            for id, entry in entries.items() if is_id(id)}  # fmt: skip
    return {id: entry for id, entry in kept.items() if entry}


def now() -> str:
    """Return this moment as it is noted: 2026-01-31T12:00:00Z."""
    return datetime.datetime.now(datetime.UTC).strftime(MOMENT)


def is_id(text: str) -> bool:
    """Whether a text has the form of an exercise's id, such as "03.2"; a newer edition may have more of them."""
    return re.fullmatch(r"[0-9]{2}\.[0-9]{1,2}", text) is not None


def fault(key: str, value: Any) -> str:
    """Return what is wrong with a field's value, in words, or ""."""
    is_good, wanted = _FIELDS.get(key, (lambda _: True, ""))
    return "" if is_good(value) else wanted


def _is_count(value: Any, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _is_time(value: Any, form: str) -> bool:
    try:
        return isinstance(value, str) and datetime.datetime.strptime(value, form).strftime(form) == value
    except ValueError:
        return False


def _is_last(value: Any) -> bool:
    return (isinstance(value, dict) and value.keys() == {"at", "state"} and _is_time(value["at"], MOMENT)
            and isinstance(value["state"], str) and value["state"] in STATES)  # fmt: skip


_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "right": (lambda value: _is_time(value, "%Y-%m-%d"), "a day such as 2026-01-31"),
    "attempts": (lambda value: _is_count(value, MOST_TRIES), f"a whole number from 0 to {MOST_TRIES:,}"),
    "hints": (lambda value: _is_count(value, 3), "a whole number from 0 to 3"),
    "solution": (lambda value: value is True, "true"),
    "last": (_is_last, 'a state and a time: {"at": "2026-01-31T12:00:00Z", "state": "wrong"}'),
}
