"""Colab's published package lists, tools/colab/pip-freeze*.txt: reads our copies; run as a program, refreshes them.

usage: colab_lists.py

It takes the newest lists from github.com/googlecolab/backend-info, keeps what the course can feel (FELT), and writes
the two files with the commit and date in their heads. Offline it changes nothing and says so in one line.
"""

from __future__ import annotations

import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tools" / "colab"
REPOSITORY = "googlecolab/backend-info"
FILES = {"gpu": "pip-freeze.gpu.txt", "cpu": "pip-freeze.txt"}
SYSTEM = {"gpu": "os-info-gpu.txt", "cpu": "os-info.txt"}
SECONDS = 30

# whose versions a lesson, or the installation of a package that a lesson asks for, can feel
FELT = frozenset("""
    numpy scipy pandas matplotlib pillow scikit-learn numba llvmlite librosa soundfile h5py psutil
    ipywidgets widgetsnbextension jupyterlab-widgets ipython ipykernel jupyter-client jupyter-core traitlets tornado
    pyzmq debugpy matplotlib-inline pytest setuptools tqdm packaging pyyaml
    torch torchvision triton keras jax jaxlib ml-dtypes fastapi starlette pydantic httpx uvicorn
    music21 jsonpickle webcolors alembic mako sqlalchemy optuna colorlog onnx onnxscript onnxruntime
    cupy-cuda12x cupy-cuda13x cuda-bindings
""".split())  # noqa: SIM905 - a word table
FELT_FAMILIES = re.compile(r"nvidia-cuda-(nvrtc|runtime|cccl|nvcc|crt)(-cu\d+)?")
LINE = re.compile(r"([A-Za-z0-9][\w.-]*)(?:==(\S+)| @ \S*?/\1-([^-/]+)-\S+)")


class ListError(Exception):
    """A list cannot be read or refreshed; the text says which, and what to do."""


@dataclass(frozen=True)
class Runtime:
    """One of Colab's runtimes: its Python, such as "3.13", and its packages as pip's requirements."""

    python: str
    packages: tuple[str, ...]

    def version(self, name: str) -> str:
        """The version of one package, "" if the runtime lacks it."""
        return next((line.partition("==")[2] for line in self.packages if normal(line.partition("==")[0]) == name), "")


def normal(name: str) -> str:
    """A package's name as the index compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(text: str) -> tuple[str, ...]:
    """Every `name==version` of a list; one that was installed from an address has its version in the file's name."""
    found = (LINE.match(line) for line in text.splitlines())
    return tuple(f"{match[1]}=={unquote(match[2] or match[3])}" for match in found if match)


def felt(packages: tuple[str, ...]) -> tuple[str, ...]:
    """Those of a list's packages whose versions the course can feel."""
    names = ((normal(line.partition("==")[0]), line) for line in packages)
    return tuple(line for name, line in names if name in FELT or FELT_FAMILIES.fullmatch(name))


def read(kind: str, folder: Path = FOLDER) -> Runtime:
    """Our copy for "gpu" or "cpu"."""
    path = folder / FILES[kind]
    text = path.read_text("utf-8")
    python = re.search(r"^# Python (\d+\.\d+)", text, re.MULTILINE)
    if not python:
        raise ListError(f"{path} has no line `# Python 3.13`; run tools/colab_lists.py to write it anew")
    return Runtime(python[1], pinned(text))


def fetch(address: str) -> str:
    """The text at an address; ListError offline."""
    request = urllib.request.Request(address, headers={"User-Agent": "gpucourse"})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return str(answer.read().decode("utf-8"))
    except (OSError, urllib.error.URLError) as error:
        reason = getattr(error, "reason", error)
        raise ListError(f"Colab's lists were not refreshed: {address} cannot be read ({reason}). "
                        "Next step: repeat with a network; tools/colab is as it was") from None  # fmt: skip


def fresh(kind: str, fetch: Callable[[str], str] = fetch) -> str:
    """The text of our copy as it would be written now."""
    name = FILES[kind]
    commit = json.loads(fetch(f"https://api.github.com/repos/{REPOSITORY}/commits?path={name}&per_page=1"))[0]
    home = f"https://raw.githubusercontent.com/{REPOSITORY}/{commit['sha']}"
    packages = felt(pinned(fetch(f"{home}/{name}")))
    python = re.search(r"^Python (\d+\.\d+)", fetch(f"{home}/{SYSTEM[kind]}"), re.MULTILINE)
    if not python or not any(line.startswith("torch==") for line in packages):
        raise ListError(f"{home} no longer has the form that tools/colab_lists.py reads; look at {name} and "
                        f"{SYSTEM[kind]} there; tools/colab is as it was")  # fmt: skip
    sha, date = commit["sha"], commit["commit"]["committer"]["date"][:10]
    head = (
        f"# Python {python[1]}\n"
        f"# What Google Colab's {kind.upper()} runtime has, as far as the course can feel it.\n"
        f"# From github.com/{REPOSITORY}, {name}, commit {sha} of {date}.\n"
        "# Written by tools/colab_lists.py.\n"
    )
    return head + "\n".join(packages) + "\n"


def main(folder: Path = FOLDER, fetch: Callable[[str], str] = fetch) -> int:
    """Refresh both copies, or neither."""
    try:
        texts = {name: fresh(kind, fetch) for kind, name in FILES.items()}
    except (ListError, ValueError, KeyError, IndexError) as error:
        print(error, file=sys.stderr)
        return 1
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
        print(f"{name}: {sum(not line.startswith('#') for line in text.splitlines())} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
