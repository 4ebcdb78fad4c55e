"""A small JSON file that two notebooks may change at once and that is never left half-written."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from gpucourse.whole_file import replacing

VARIABLE = "GPUCOURSE_PROGRESS"
VERSION = 1
LOCK_SECONDS = 5.0

Entries = dict[str, dict[str, Any]]  # id of an exercise -> what is known of it

_memory: dict[Path, Entries] = {}  # what could not be written, until this process ends
_told: set[str] = set()


class Unusable(Exception):
    """The file can be neither read nor replaced; the text says why."""


def path() -> Path:
    """Return where the file is: ~/.gpucourse/progress.json, or what GPUCOURSE_PROGRESS names."""
    return Path(os.environ.get(VARIABLE) or Path.home() / ".gpucourse" / "progress.json").expanduser()


def read() -> Entries:
    """Return all entries; empty where there is no file yet."""
    file = path()
    if file not in _memory:
        try:
            return _load(file)
        except (OSError, Unusable) as error:
            _fall_back(file, error)
    return _memory[file]


def update(change: Callable[[Entries], None]) -> None:
    """Let `change` alter the entries in place, under a lock, and write them."""
    file = path()
    if file not in _memory:
        try:
            _change_file(file, change)
            return
        except (OSError, Unusable) as error:
            _fall_back(file, error)
    change(_memory[file])


def update_file(change: Callable[[Entries], None]) -> None:
    """As `update`, but raise Unusable where the file cannot be changed: nothing is then."""
    file = path()
    if file in _memory:
        raise Unusable(f"{file} cannot be written")
    try:
        _change_file(file, change)
    except OSError as error:
        raise Unusable(_reason(file, error)) from None


def _change_file(file: Path, change: Callable[[Entries], None]) -> None:
    with _locked(file):
        entries = _load(file)
        change(entries)
        write(file, json.dumps({"version": VERSION, "exercises": entries}, indent=1, sort_keys=True))


def back_up() -> Path | None:
    """Copy the file beside itself under a new name, and return that; None where there is no file."""
    file = path()
    if file in _memory or not file.exists():
        return None
    copy = _free_name(file, "backup")
    copy.write_bytes(file.read_bytes())
    return copy


def tell(text: str) -> None:
    """Print one line on stderr, once."""
    if text not in _told:
        _told.add(text)
        print(text, file=sys.stderr)


def _fall_back(file: Path, error: Exception) -> None:
    _memory[file] = {}
    with contextlib.suppress(OSError, Unusable):
        _memory[file] = _load(file)
    tell(f"Your progress is kept only until Python ends: {_reason(file, error)}.")


def _reason(file: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{file} cannot be written ({error.strerror or error})"
    return str(error)


def _load(file: Path) -> Entries:
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return {}
    try:
        found = json.loads(text)
        version, entries = found["version"], found["exercises"]
        if version == VERSION and all(isinstance(entry, dict) for entry in entries.values()):
            return dict(entries)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        version = None
    if isinstance(version, int) and version > VERSION:
        raise Unusable(f"{file} was written by a newer version of the course and is left as it is")
    _set_aside(file)
    return {}


def _set_aside(file: Path) -> None:
    aside = _free_name(file, "unreadable")
    file.replace(aside)
    tell(f"Your progress file could not be read. It was renamed to {aside}, and a new one is begun.")


def _free_name(file: Path, word: str) -> Path:
    names = (file.with_name(f"{file.stem}.{word}-{n}{file.suffix}") for n in range(1, 10_000))
    return next(name for name in names if not name.exists())


def write(file: Path, text: str) -> None:
    """Write a file whole or not at all."""
    with replacing(file, private=True) as beside:
        beside.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold a lock beside `file`, or raise Unusable after some seconds; go without if there are no locks."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file.with_name(f"{file.name}.lock"), "a+b") as handle:
        held = _take(handle, file)
        try:
            yield
        finally:
            if held:
                _lock(handle, release=True)


def _take(handle: IO[bytes], file: Path) -> bool:
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            _lock(handle)
            return True
        except (BlockingIOError, PermissionError):  # somebody else has it
            if time.monotonic() > end:
                raise Unusable(f"another program has held {file}.lock for {LOCK_SECONDS:g} s") from None
            time.sleep(0.01)
        except OSError:
            return False


def _lock(handle: IO[bytes], release: bool = False) -> None:
    if sys.platform == "win32":
        import msvcrt

        handle.seek(0)
        msvcrt.locking(handle.fileno(), msvcrt.LK_UNLCK if release else msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_UN if release else fcntl.LOCK_EX | fcntl.LOCK_NB)
