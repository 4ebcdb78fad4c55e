"""The environments that legs run in: made in a folder outside the repository, and used again if complete."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKED = ("gpucourse", "measurements", "pyproject.toml", "setup.py", "README.md", "LICENSE", "LICENSE-TEXT")
STAMP = "leg.json"


class LegError(Exception):
    """The course would not run beside these versions; the text says what failed first."""


def printed(command: list[str], name: str, next_step: str = "") -> str:
    """Run a command and return what it printed; LegError with its `name`, its last words and the `next_step`."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LegError(f"{name}: {(done.stderr.strip() or done.stdout.strip())[-3000:]}{next_step}")
    return done.stdout


def pip(folder: Path, *words: str) -> str:
    """Run the environment's pip and return what it printed; LegError with its last words."""
    command = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", *words]
    return printed(command, f"pip {' '.join(words)}")


def fill(folder: Path, *words: str) -> None:
    """Install with uv, which finds the lowest versions where asked, and keeps one copy of a package for all legs."""
    if not (folder / "bin" / "uv").exists():
        pip(folder, "install", "uv")
    command = [str(folder / "bin" / "uv"), "pip", "install", "--python", str(folder / "bin" / "python"), *words]
    printed(command, f"uv pip install {' '.join(words)[:300]}")


def versions(folder: Path) -> dict[str, str]:
    """Every installed package but the course itself, with its version."""
    listed = json.loads(pip(folder, "list", "--format=json"))
    return {entry["name"]: entry["version"] for entry in listed if entry["name"] != "gpucourse"}


def make(folder: Path, python: str, plan: object, install: Callable[[Path], None]) -> None:
    """Make the environment and have `install` fill it, unless it was filled by an equal `plan` before."""
    stamp = folder / STAMP
    wanted = json.dumps([python, plan])
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return
    if not shutil.which(python):
        raise LegError(f"there is no {python} on PATH; name one with --python, such as /usr/bin/python3.12")
    stamp.unlink(missing_ok=True)
    # Debian's Python lacks venv at first, and says so on stdout; pyenv's stand-ins name versions that are not active
    printed([python, "-m", "venv", "--clear", str(folder)], f"{python} -m venv {folder}",
            "\nNext step: mend this Python, or name another with --python")  # fmt: skip
    install(folder)
    stamp.write_text(wanted, "utf-8")


def site(folder: Path) -> Path:
    """Where the environment's packages lie."""
    found = sorted(folder.glob("lib/python3.*/site-packages"))
    if not found:
        raise LegError(f"{folder} holds no environment")
    return found[0]


def install_course(folder: Path) -> None:
    """Install the package as the first cell on Colab does, from a copy: building in place leaves files behind."""
    with tempfile.TemporaryDirectory() as copy:
        for name in PACKED:
            source, target = ROOT / name, Path(copy) / name
            shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        pip(folder, "install", "--no-deps", "--force-reinstall", copy)


def outside(text: str) -> Path:
    """A folder that is not in the repository."""
    folder = Path(text).resolve()
    if folder.is_relative_to(ROOT):
        raise argparse.ArgumentTypeError(f"{folder} is in the repository; name one outside, such as /tmp/colab")
    return folder
