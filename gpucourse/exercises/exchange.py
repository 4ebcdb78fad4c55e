"""Carries a learner's progress between machines: out into a file or a code, and in from one.

    export_progress()                  writes gpucourse-progress.json here; on Colab the browser downloads it
    import_progress()                  reads that file; on Colab the browser asks for it
    export_progress(code=True)         shows a code of some lines; import_progress("gpucourse-progress:…") takes it in
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from gpucourse.errors import CourseError
from gpucourse.exercises import joining, outcome, portable, store
from gpucourse.exercises.portable import Refused
from gpucourse.exercises.store import Entries

NAME = "gpucourse-progress.json"
LONGEST_NAME = 4096


def export_progress(file: str | Path | None = None, *, code: bool = False) -> None:
    """Write your progress into `file` (gpucourse-progress.json), to take it along, or show it as a `code` to paste.

    >>> export_progress("monday.json")          # doctest: +SKIP
    """
    try:
        if code:
            text = as_code()
            outcome.show(text, f"<pre>{outcome.escaped(text)}</pre>")
            return
        written = Path(file or NAME)
        _tell(write(written))
        if _colab():
            _colab().download(str(written))
    except CourseError as error:
        _tell(str(error))


def import_progress(source: str | Path | None = None) -> None:
    """Take in progress from a file (gpucourse-progress.json) or from a code in quotes. What you have solved stays so.

    >>> import_progress("monday.json")          # doctest: +SKIP
    """
    try:
        if source is not None or not _colab():
            _tell(read(source or NAME))
            return
        chosen = _colab().upload()
        for name, text in chosen.items():
            _tell(take_in(portable.from_text(text, name), name))
        if not chosen:
            _tell("No file was chosen. Nothing was changed.")
    except CourseError as error:
        _tell(str(error))


def _tell(text: str) -> None:
    outcome.show(text, outcome.box(text, "", outcome.TOLD))


def _colab() -> Any:
    """Return Colab's way to the browser's files, or None elsewhere: a kernel there has google.colab from its start."""
    return import_module("google.colab.files") if "google.colab" in sys.modules else None


# -- out --------------------------------------------------------------------------------------------


def write(file: Path) -> str:
    """Write the progress into a file and say so. Raises CourseError, and then has written nothing."""
    entries = _ours()
    try:
        _require_nothing_lost(file, entries)
        store.write(file, portable.to_json(entries))
    except OSError as error:
        raise CourseError(f"{file} cannot be written ({error.strerror or error}). Nothing was changed. "
                          "Next step: another name") from None  # fmt: skip
    return (f"{_solved(entries)} in {file}. Elsewhere `import_progress` or `python -m gpucourse progress import` "
            "takes it in.")  # fmt: skip


def as_code() -> str:
    """Return the progress as a code to paste. Raises CourseError where there is none."""
    return portable.to_code(_ours())


def _ours() -> Entries:
    entries = joining.known(store.read())
    if not entries:
        raise CourseError("There is no progress to export: no exercise was checked here yet. Nothing was written.")
    return entries


def _require_nothing_lost(file: Path, entries: Entries) -> None:
    """Only a file whose progress is in `entries` already may be written over."""
    if not file.exists():
        return
    after = dict(entries)
    try:
        joining.join(after, portable.from_text(_bytes(file), str(file)))
    except Refused:
        raise CourseError(f"{file} exists and is no progress that this version reads. Nothing was written. "
                          "Next step: another name") from None  # fmt: skip
    if after != entries:
        raise CourseError(f"{file} holds progress that is not here and would be lost. Nothing was written. "
                          "Next step: import it first, or another name")  # fmt: skip


# -- in ---------------------------------------------------------------------------------------------


def read(source: str | Path) -> str:
    """Join in what a file, a code or, for "-", the standard input holds, and say so. Raises CourseError."""
    if isinstance(source, str) and portable.is_code(source):
        return take_in(portable.from_text(source, "The code"), "the code")
    if source == "-":
        return take_in(portable.from_text(sys.stdin.read(portable.LARGEST + 1), "The input"), "the input")
    return take_in(portable.from_text(_bytes(Path(source)), str(source)), str(source))


def take_in(found: Entries, name: str) -> str:
    """Join entries into the learner's file, and say what came of it. Raises CourseError, and then changes nothing."""
    counts: dict[str, int] = {}

    def change(entries: Entries) -> None:
        before = _right(entries)
        joining.join(entries, found)
        counts.update(new=len(_right(entries) - before), all=len(_right(entries)))

    try:
        store.update_file(change)
    except store.Unusable as error:
        raise CourseError(f"The progress of {name} could not be kept: {error}. Nothing was changed.") from None
    return f"{_solved(found)} in {name}: {counts['new']} of them new here. Right here in all: {counts['all']}."


def _bytes(file: Path) -> bytes:
    """Read no more than tells that a file is too large."""
    if len(str(file)) > LONGEST_NAME:
        raise Refused("That is neither a file's name nor a whole code. Nothing was changed.")
    try:
        with file.open("rb") as opened:
            return opened.read(portable.LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Refused(f"{file} cannot be read ({reason}). Nothing was changed.") from None


def _right(entries: Entries) -> set[str]:
    return {id for id, entry in entries.items() if "right" in entry}


def _solved(entries: Entries) -> str:
    exercises = "1 exercise" if len(entries) == 1 else f"{len(entries)} exercises"
    return f"{exercises}, {len(_right(entries))} right,"


# -- python -m gpucourse progress export | import ---------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `export [FILE] [--code]` and `import FILE`."""
    parser.add_argument("action", nargs="?", choices=("export", "import"),
                        help="write your progress into FILE to take it along, or take it in from there")  # fmt: skip
    parser.add_argument("file", nargs="?", default=NAME, metavar="FILE",
                        help=f"{NAME} by default; import takes a code, too; - is the standard stream")  # fmt: skip
    parser.add_argument("--code", action="store_true", help="export: print a code to paste instead")


def run(args: argparse.Namespace) -> str:
    """Do what `args.action` names and return what to print. Raises CourseError."""
    if args.action == "import":
        return read(args.file)
    if args.file == "-":
        return portable.to_json(_ours()).rstrip()
    return as_code() if args.code else write(Path(args.file))
