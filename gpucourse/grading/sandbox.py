"""The command that runs a submission with no network, a read-only system and a scratch folder that goes with it.

On Linux bubblewrap does this. Elsewhere, or where it does not work, nothing is guaranteed: `missing` says what.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import gpucourse

SCRATCH = "/tmp/submission"    # its folder inside
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives", "/etc/fonts", "/etc/ld.so.cache",
           "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/ssl", "/sys/devices/system/cpu")  # fmt: skip
NOT_GUARANTEED = ("A submission can read and change whatever you can: your files, other submissions, this program. "
                  "It can use the network.")  # fmt: skip


@functools.cache
def missing() -> str:
    """Return why there is no sandbox here, or "" where it works: a trial runs in it."""
    if not sys.platform.startswith("linux"):
        return f"bubblewrap is for Linux; this is {sys.platform}"
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap)"
    trial = subprocess.run([*command(1_000_000), "true"], capture_output=True, text=True, timeout=60, check=False)
    return f"bubblewrap does not work here ({trial.stderr.strip() or trial.returncode})" if trial.returncode else ""


def command(scratch_bytes: int) -> list[str]:
    """Return the words to put before a command: what it may see, read-only but for SCRATCH, and no network."""
    shown = [word for path in _SYSTEM if os.path.lexists(path) for word in _bound(path)]
    kept = [word for path in _python() for word in ("--ro-bind", path, path)]
    return ["bwrap", "--unshare-all", "--unshare-user", "--uid", "1000", "--gid", "1000", "--die-with-parent",
            "--new-session", "--cap-drop", "ALL", *shown, "--proc", "/proc", "--dev", "/dev",
            "--size", str(scratch_bytes), "--tmpfs", "/tmp", *kept,
            "--size", str(scratch_bytes), "--tmpfs", SCRATCH, *_kept_data(), "--remount-ro", "/",
            "--chdir", SCRATCH]  # fmt: skip


def _bound(path: str) -> list[str]:
    """/bin and /lib are links on most systems, folders on some."""
    return ["--symlink", os.readlink(path), path] if os.path.islink(path) else ["--ro-bind", path, path]


def _python() -> list[str]:
    """Python, its packages and the course: each once, outer folders first."""
    course = str(Path(gpucourse.__file__).resolve().parent)
    found = [sys.prefix, sys.base_prefix, os.path.realpath(sys.executable), course, *_import_folders()]
    return list(_outermost(os.path.abspath(path) for path in found if path and os.path.exists(path)))


def _import_folders() -> list[str]:
    """Folders of installed packages on the import path; not the current folder, which may hold submissions."""
    return [path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages")]


def _kept_data() -> list[str]:
    """Show what the course has fetched for this teacher, where a submission's own home folder would keep it."""
    kept = Path.home() / ".cache" / "gpucourse"
    found = sorted(kept.iterdir()) if kept.is_dir() else []
    return [word for path in found for word in ("--ro-bind", str(path), f"{SCRATCH}/.cache/gpucourse/{path.name}")]


def _outermost(paths: Iterable[str]) -> list[str]:
    chosen: list[str] = []
    for path in sorted(set(paths), key=len):
        if not any(path == each or path.startswith(each + os.sep) for each in (*chosen, "/usr")):
            chosen.append(path)
    return chosen


def environment(home: str) -> dict[str, str]:
    """Return all that a submission sees of the environment: no names, keys or folders of the teacher's."""
    course = str(Path(gpucourse.__file__).resolve().parent.parent)
    return {
        "PATH": os.pathsep.join([os.path.join(sys.prefix, "bin"), "/usr/bin", "/bin"]), "HOME": home, "USER": "learner",
        "TMPDIR": home, "LANG": "C.UTF-8", "MPLBACKEND": "Agg", "MPLCONFIGDIR": os.path.join(home, ".matplotlib"),
        "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
        "PYTHONPATH": course, "GPUCOURSE_BACKEND": "simulator",
        "GPUCOURSE_PROGRESS": os.path.join(home, ".progress.json"),
    }  # fmt: skip
