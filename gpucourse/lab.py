"""`python -m gpucourse lab`: opens the start page, the page worked on last, or a lesson, as the learner's own copy."""

from __future__ import annotations

import argparse
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import webbrowser
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gpucourse import my_course
from gpucourse.errors import CourseError

PORT = 8888
PATIENCE = 90.0  # seconds for JupyterLab's first start on a slow disk
PASSES_ON = "JupyterLab"  # who gets the options that this command does not know

# no questions and no look-ups on the first start
QUIET = ("--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate")
# JupyterLab leaves pictures without alternative text; ours gives them the words they carry
EXTENSIONS = Path(__file__).parent / "labextensions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options; any other option goes to JupyterLab."""
    parser.add_argument("--lesson", metavar="NN", help="what to open: 03, quiz_part_1, 00 for the start page (default: "
                        "where you worked last, and at the first start the start page)")  # fmt: skip
    parser.add_argument("--fresh", metavar="NN", help="hand out lesson NN anew; your copy is kept under another name")
    parser.add_argument("--port", type=_port, metavar="N", help=f"the port of the server ({PORT})")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument("--copy-only", action="store_true", help="make or refresh the copies and stop")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where your copies lie (my-course, in the course)")
    parser.add_argument("--course", type=Path, default=Path(__file__).parents[1], help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Refresh the copies, then open the lesson in the running server or in a new one."""
    lessons, mine = args.course / "notebooks", args.folder or args.course / "my-course"
    asked = args.fresh or args.lesson
    lesson = my_course.find(asked, lessons) if asked else my_course.lessons_in(lessons)[0]
    try:
        notes = [my_course.fresh(args.fresh, lessons, mine)] if args.fresh else []
        notes += my_course.update(lessons, mine)
    except OSError as error:
        raise CourseError(f"{error.filename}: {error.strerror}. Next step: make the folder writable") from None
    if not asked:
        lesson, note = _where_they_were(lessons, mine, lesson)
        notes += note
    print(*notes, sep="\n", end="\n" if notes else "")
    if args.copy_only:
        return 0
    server = running(mine)
    if server:
        _announce(server, lesson.name, args.no_browser, "JupyterLab already runs for this folder.")
        return 0
    return _serve(args, lesson.name, mine)


def _where_they_were(lessons: Path, mine: Path, first: Path) -> tuple[Path, list[str]]:
    """The page that the learner worked on last, with a note how to get to the first one; `first` where none was."""
    last = my_course.begun(lessons, mine)
    if last is None or last == first:
        return first, []
    return last, [f"You worked on {last.stem} last. The first page, {first.stem}, shows how far you are: "
                  f"`lab --lesson {my_course.called(first.stem)}`."]  # fmt: skip


def running(mine: Path) -> dict[str, Any] | None:
    """The answering Jupyter server whose folder is `mine`, as its own information file describes it."""
    for server in _known_servers():
        if Path(server.get("root_dir", "")).resolve() == mine.resolve() and _answers(server):
            return server
    return None


def address(server: dict[str, Any], notebook: str) -> str:
    """Where a browser finds `notebook` on `server`, token included."""
    token = f"?token={server['token']}" if server.get("token") else ""
    return f"{server['url']}lab/tree/{quote(notebook)}{token}"


def _known_servers() -> Iterator[dict[str, Any]]:
    from jupyter_core.paths import jupyter_runtime_dir

    for path in Path(jupyter_runtime_dir()).glob("jpserver-*.json"):
        try:
            yield json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # a server that is just starting or stopping
            continue


def _answers(server: dict[str, Any]) -> bool:
    """A killed server leaves its file behind; only one that knows its token is alive and ours."""
    request = urllib.request.Request(f"{server['url']}api/status")
    request.add_header("Authorization", f"token {server.get('token', '')}")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=3):
            return True
    except OSError:
        return False


def _serve(args: argparse.Namespace, notebook: str, mine: Path) -> int:
    if find_spec("jupyterlab") is None:
        raise CourseError(f"JupyterLab is missing. Next step: {sys.executable} -m pip install -r requirements.txt")
    port = args.port or PORT
    _require_free(port, args.course)
    log = mine / ".lab.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(_command(port, mine, args.rest), stderr=stderr, env=_environment())
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    server = _wait_until_up(process, mine, log)
    _announce(server, notebook, args.no_browser, f"Your copies are in {mine}. Ctrl-C here stops the server.")
    return _wait_until_down(process)


def _command(port: int, mine: Path, rest: list[str]) -> list[str]:
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    options = [f"--ServerApp.root_dir={mine.resolve()}", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    options.append(f"--LabApp.extra_labextensions_path={EXTENSIONS}")
    return [sys.executable, "-m", "jupyterlab", "--no-browser", *options, *QUIET, *root, *rest]


def _environment() -> dict[str, str]:
    """This environment's kernel and programs, even where it is not activated or the home folder has others."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "JUPYTER_PREFER_ENV_PATH": "1"}


def _wait_until_up(process: subprocess.Popen[bytes], mine: Path, log: Path) -> dict[str, Any]:
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        server = running(mine)
        if server:
            return server
        time.sleep(0.1)
    ended = "did not answer" if process.poll() is None else f"ended with status {process.returncode}"
    process.terminate()
    last = (log.read_text(errors="replace").strip().splitlines() or ["it printed nothing"])[-1]
    raise CourseError(f"JupyterLab {ended}: {last} Next step: read {log}")


def _wait_until_down(process: subprocess.Popen[bytes]) -> int:
    """Ctrl-C reaches the server as well, which asks whether to stop; so this side only waits."""
    while True:
        try:
            return max(process.wait(), 0)
        except KeyboardInterrupt:
            continue


def _announce(server: dict[str, Any], notebook: str, no_browser: bool, note: str) -> None:
    url = address(server, notebook)
    shown = not no_browser and _has_display() and webbrowser.open(url)
    print(note)
    if not shown and "SSH_CONNECTION" in os.environ:
        print(f"From your own machine first: ssh -L {server['port']}:localhost:{server['port']} USER@THIS-MACHINE")
    print("It is open in your browser, at" if shown else "Open this address in a browser:")
    print(f"    {url}", flush=True)


def _has_display() -> bool:
    """On Linux a browser without a display would be a text browser, which takes the terminal away."""
    return not sys.platform.startswith("linux") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())


def _require_free(port: int, course: Path) -> None:
    reason = _why_not(port)
    if reason:
        other = next((p for p in range(max(port, 1024) + 1, 65536) if not _why_not(p)), PORT)
        with_make = (course / "Makefile").exists() and shutil.which("make")
        again = f"make lab PORT={other}" if with_make else f"python -m gpucourse lab --port {other}"
        raise CourseError(f"port {port} {reason}. Next step: {again}")


def _why_not(port: int) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(os.name == "posix"))
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return "needs an administrator's rights" if error.errno == errno.EACCES else "is taken by another program"
    return None


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a whole number from 1 to 65535")
    return int(text)
