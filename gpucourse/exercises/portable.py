"""A learner's progress as text to carry away: a small JSON file, or a code of some lines to paste.

    {"what": "gpucourse progress", "version": 1, "course": "0.6.0", "saved": "2026-01-31T12:00:00Z",
     "exercises": {"01.1": {"attempts": 2, "right": "2026-01-31", "last": {…}}}}

The code is that JSON, compressed, in letters and digits. What is read is believed to be nothing: each text is checked
whole before any of it is used.
"""

from __future__ import annotations

import base64
import binascii
import json
import textwrap
import zlib
from typing import Any

import gpucourse
from gpucourse.errors import CourseError
from gpucourse.exercises import joining
from gpucourse.exercises.store import Entries

WHAT = "gpucourse progress"
VERSION = 1
LARGEST = 1_000_000     # bytes; all exercises of the course take 20,000
CODE, END = "gpucourse-progress:", ":end"
WIDTH = 76


class Refused(CourseError):
    """A text is no progress of this course, or not one that this version reads; nothing was changed."""


def to_json(entries: Entries) -> str:
    """Return the text of a file for these entries."""
    return json.dumps(_content(entries), indent=1) + "\n"


def to_code(entries: Entries) -> str:
    """Return the same as letters and digits between "gpucourse-progress:" and ":end"."""
    packed = zlib.compress(json.dumps(_content(entries), separators=(",", ":")).encode(), 9)
    return "\n".join(textwrap.wrap(f"{CODE}{base64.urlsafe_b64encode(packed).decode()}{END}", WIDTH,
                                   break_on_hyphens=False))  # fmt: skip


def is_code(text: str) -> bool:
    """Whether a text is meant as a code and not as a file's name."""
    return text.lstrip().startswith(CODE)


def from_text(text: str | bytes, name: str) -> Entries:
    """Return the entries that a file's text or a code holds; `name` is what a refusal calls it. Raises Refused."""
    if len(text) > LARGEST:
        raise Refused(f"{name} has more than {LARGEST:,} bytes; progress takes some thousands. Nothing was changed.")
    try:
        plain = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        found = json.loads(_unpacked(plain) if is_code(plain) else plain)
    except (ValueError, RecursionError, zlib.error) as error:
        raise Refused(f"{name} is damaged or no file of progress ({_short(error)}). {_NOTHING}") from None
    return _checked(found, name)


_NOTHING = "Nothing was changed. Next step: export it once more"


def _short(error: Exception) -> str:
    return str(error).partition(" (char")[0][:100]


def _content(entries: Entries) -> dict[str, Any]:
    return {"what": WHAT, "version": VERSION, "course": gpucourse.__version__, "saved": joining.now(),
            "exercises": dict(sorted(joining.known(entries).items()))}  # fmt: skip


def _unpacked(code: str) -> str:
    """Return the JSON inside a code: lines may have been broken or indented anew on the way."""
    text = "".join(code.split())
    if not text.endswith(END):
        raise ValueError(f"its end, {END}, is missing")
    try:
        packed = base64.b64decode(text[len(CODE) : -len(END)], altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("a letter of the code is missing or wrong") from None
    unpacking = zlib.decompressobj()
    plain = unpacking.decompress(packed, LARGEST)
    if not unpacking.eof:
        raise ValueError("it does not end where it should")
    return plain.decode()


def _checked(found: Any, name: str) -> Entries:
    if not isinstance(found, dict) or found.get("what") != WHAT:
        raise Refused(f'{name} is no progress of this course: it has no "what": "{WHAT}". Nothing was changed.')
    version, entries = found.get("version"), found.get("exercises")
    if type(version) is int and version > VERSION:
        raise Refused(f"{name} was written by a newer version of the course (format {version}; this one reads "
                      f"{VERSION}). Nothing was changed. Next step: update the course here")  # fmt: skip
    if type(version) is not int or version != VERSION or not isinstance(entries, dict):
        raise Refused(f"{name} is damaged: it has no version {VERSION} or no exercises. {_NOTHING}")
    for id, entry in entries.items():
        _check_entry(id, entry, name)
    return joining.known(entries)


def _check_entry(id: str, entry: Any, name: str) -> None:
    if not joining.is_id(id) or not isinstance(entry, dict):
        raise Refused(f"{name} is damaged at {id[:40]!r}: that is no exercise. {_NOTHING}")
    for key, value in entry.items():
        wanted = joining.fault(key, value)
        if wanted:
            raise Refused(f'{name} is damaged at {id}, "{key}": {str(value)[:40]} is not {wanted}. {_NOTHING}')
