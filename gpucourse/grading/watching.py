"""Notes what a learner's code asks of the system, by Python's audit hook, which code cannot take away again."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Event -> what it is called in a flag. Only what a learner's own line asks for counts, not a library's inner life.
_EVENTS = {
    "os.remove": "deletes a file", "os.rmdir": "deletes a folder", "shutil.rmtree": "deletes a folder",
    "os.rename": "moves a file", "shutil.move": "moves a file", "os.chmod": "changes a file's rights",
    "os.system": "starts a program", "subprocess.Popen": "starts a program", "os.exec": "starts a program",
    "os.posix_spawn": "starts a program", "os.fork": "starts a process", "os.forkpty": "starts a process",
    "socket.connect": "opens a connection", "socket.getaddrinfo": "opens a connection", "socket.bind": "opens a port",
    "sys._current_frames": "looks into other frames", "gc.get_objects": "looks for objects of the checker",
    "gc.get_referrers": "looks for objects of the checker", "os.kill": "sends a signal",
    "ctypes.dlopen": "loads a library", "ctypes.addressof": "reads memory by address",
    "open": "", "os.listdir": "", "os.scandir": "",
}  # fmt: skip
_CARRIERS = tuple(f"{os.sep}{name}" for name in ("os.py", "shutil.py", "pathlib.py", "subprocess.py", "tempfile.py",
                                                 "socket.py", "glob.py", "io.py", "codecs.py"))  # fmt: skip


class Watch:
    """Calls `tell(flag)` for what is noted; `mine` says of a file name whether it is a learner's cell.

    `own` is the folder that belongs to the submission: whatever is read or written elsewhere, but for Python's and the
    course's own files, is noted.
    """

    def __init__(self, own: Path, mine: Callable[[str], bool], tell: Callable[[str], None]) -> None:
        self._own, self._mine, self._tell = str(own.resolve()), mine, tell
        self._busy = False
        here = str(Path(__file__).resolve().parents[1])
        self._exercises = os.path.join(here, "exercises") + os.sep
        self._free = tuple({sys.prefix, sys.base_prefix, here, "/usr", "/lib", "/dev/null"})
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _EVENTS or self._busy:
            return
        self._busy = True
        try:
            if self._asked_by_learner():
                flag = self._place(event, arguments) if not _EVENTS[event] else _EVENTS[event]
                if flag:
                    self._tell(flag)
        finally:
            self._busy = False

    def _asked_by_learner(self) -> bool:
        frame = sys._getframe(2)
        while frame is not None and (name := frame.f_code.co_filename) and (
                name.endswith(_CARRIERS) or name.startswith("<frozen")):  # fmt: skip
            frame = frame.f_back  # type: ignore[assignment]
        return frame is not None and self._mine(frame.f_code.co_filename)

    def _place(self, event: str, arguments: tuple[Any, ...]) -> str:
        where = arguments[0] if arguments else None
        if not isinstance(where, (str, bytes, os.PathLike)):
            return ""
        path = os.path.abspath(os.fsdecode(where))
        if path.startswith(self._exercises):
            return "reads the course's exercises from their files"
        if path == self._own or path.startswith(self._own + os.sep) or path.startswith(self._free):
            return ""
        writes = event == "open" and _writes(arguments)
        return "writes a file elsewhere" if writes else "looks for files elsewhere"


def _writes(arguments: tuple[Any, ...]) -> bool:
    mode, flags = (*arguments[1:3], None, None)[:2]
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
