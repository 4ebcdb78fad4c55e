"""`launch(2, "script.py")` runs a script with `torchrun` on this machine, collects its output, leaves nothing behind.

Every process that it starts carries a mark in its environment. Whatever still carries the mark at the end is killed:
also what `torchrun` could not end, because it was killed itself.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpucourse.errors import CourseError, MissingPackage

MARK = "GPUCOURSE_LAUNCH"
LOOPBACK = "127.0.0.1"
LINES = 15   # of a failed process's output that an error shows


class WorkerFailed(CourseError):
    """A process of a launch ended with an error, was killed, or had not ended in time."""


@dataclass(frozen=True)
class Launched:
    """What each process printed, in the order of ranks, and the seconds from the start to the end of all."""

    outputs: tuple[str, ...]
    seconds: float


def launch(processes: int, script: Path | str, *arguments: object, seconds: float = 120) -> Launched:
    """Run `script`, a file or the name of a module, in `processes` processes under `torchrun`; wait for all of them.

    They meet on 127.0.0.1, on a port that is free. Raises WorkerFailed if one fails, or if they take longer than
    `seconds`; then, and when the notebook is interrupted, all are ended. CourseError for a number below 1.

    >>> launch(2, "gpucourse.distributed.digits", "--steps", 20)   # doctest: +SKIP
    """
    if processes < 1:
        raise CourseError(f"launch: {processes} processes; give 1 or more")
    _psutil()
    mark, began = secrets.token_hex(8), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gpucourse-launch-") as folder:
        logs, command = Path(folder), _command(processes, script, arguments, folder, mark)
        with (logs / "torchrun").open("wb") as own:
            # its standard input stays open as long as we live: see end_with_launcher
            process = subprocess.Popen(command, env=_environment(mark), stdin=subprocess.PIPE, stdout=own, stderr=own,
                                       start_new_session=True)  # fmt: skip
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            end_all(mark)
            process.communicate()
        if status != 0:
            raise WorkerFailed(_failure(status, logs, processes, seconds))
        return Launched(tuple(_outputs(logs, processes)), time.monotonic() - began)


def end_all(mark: str) -> None:
    """Kill every process with this mark; look again until there is none, for one may just have started another."""
    psutil = _psutil()
    while left := [each for each in psutil.process_iter() if _mark(each) == mark]:
        for each in left:
            try:
                each.kill()
            except psutil.Error:
                continue
        psutil.wait_procs(left, timeout=0.2)


def end_with_launcher() -> None:
    """In a process that `launch` started: end at once when the process that called `launch` is gone, killed or not."""
    if MARK in os.environ:
        threading.Thread(target=_until_closed, daemon=True).start()


def _until_closed() -> None:
    while os.read(0, 1):   # nobody writes; the end of the file is the end of the launcher
        pass
    os._exit(1)


def _command(processes: int, script: Path | str, arguments: tuple[object, ...], logs: str, mark: str) -> list[str]:
    target = [str(script)] if str(script).endswith(".py") else ["-m", str(script)]
    return [   # port 0: one that is free
        sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}",
        "--rdzv-backend=c10d", f"--rdzv-endpoint={LOOPBACK}:0", f"--rdzv-id={mark}", f"--local-addr={LOOPBACK}",
        "--redirects=3", f"--log-dir={logs}", *target, *map(str, arguments),
    ]  # fmt: skip


def _environment(mark: str) -> dict[str, str]:
    """Ours with the mark; gloo is told the loopback interface, or it asks for the address of this machine's name."""
    asked = {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    for _, name in socket.if_nameindex():
        if name in ("lo", "lo0"):
            asked["GLOO_SOCKET_IFNAME"] = name
    return asked | dict(os.environ) | {MARK: mark}


def _mark(process: Any) -> str | None:
    try:
        mark: str | None = process.environ().get(MARK)
        return mark
    except (_psutil().Error, OSError):   # it is gone, or another user's
        return None


def _psutil() -> Any:
    try:
        import psutil
    except ModuleNotFoundError:
        raise MissingPackage("launch needs psutil to end what it starts; JupyterLab brings it: pip install psutil"
                             ) from None  # fmt: skip
    return psutil


def _outputs(logs: Path, processes: int) -> list[str]:
    """What each process wrote, standard output before standard error."""
    found = []
    for rank in range(processes):
        files = [*logs.glob(f"*/attempt_0/{rank}/stdout.log"), *logs.glob(f"*/attempt_0/{rank}/stderr.log")]
        found.append("".join(file.read_text("utf-8", "replace") for file in files))
    return found


def _failure(status: int | None, logs: Path, processes: int, seconds: float) -> str:
    """Say which process ended first, how, and what it said last."""
    if status is None:
        said = "".join(f"\nprocess {rank} said last: {_last(text, 3)}" for rank, text in
                       enumerate(_outputs(logs, processes)))  # fmt: skip
        return f"the {processes} processes had not ended after {seconds:g} s and were stopped; allow more seconds{said}"
    own = (logs / "torchrun").read_text("utf-8", "replace")
    first = re.search(r"Root Cause.*?rank\s*:\s*(\d+).*?exitcode\s*:\s*(-?\d+)", own, re.DOTALL)
    if not first:
        return f"torchrun itself {_how(status)}; all processes were stopped. It said last: {_last(own, LINES)}"
    rank, code = int(first[1]), int(first[2])
    said = _last(_outputs(logs, processes)[rank], LINES)
    return f"process {rank} of {processes} {_how(code)}; the others were stopped. It said last: {said}"


def _how(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


def _last(text: str, count: int) -> str:
    lines = text.strip().splitlines()[-count:]
    return "\n".join(lines) if lines else "nothing"
