"""Write a file whole or not at all: who reads it, or is killed while writing, sees the old one or the new one."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path, private: bool = False) -> Iterator[Path]:
    """Yield a name beside `path`; the file written there replaces `path` at the end of the block, in one step.

    The name is this thread's own, so two writers do not mix. After an exception nothing is left of it, and `path` is
    as it was. With `private`, nobody but the owner may read or write the file, whatever the umask. Raises OSError as
    writing does.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        beside.unlink(missing_ok=True)     # left by a killed process that had the same number
        os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600 if private else 0o666))
        yield beside
        os.replace(beside, path)           # one step, as POSIX and Windows promise
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
