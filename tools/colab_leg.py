"""Runs lessons beside Google Colab's versions: makes such an environment, installs the course as Colab does, executes.

usage: colab_leg.py FOLDER [NN or PATH ...] --python python3.13 [--torch]

FOLDER, outside the repository, receives the environment and is reused by the next run. The lessons (01 if
none is named) run with a stand-in `google.colab` and a `%pip` that records what it was asked. It
fails on the first cell that fails, on a pin that moved, and on a `%pip` line that could move one.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parent.parent
KERNEL = "gpucourse-colab"
# what Colab runs on Python 3.13; the packages whose versions a lesson can feel
PINS = ("numpy==2.1.3", "ipywidgets==7.7.1", "ipython==7.34.0", "ipykernel==6.17.1", "matplotlib==3.10.0",
        "pytest==8.4.2", "setuptools==75.2.0", "tqdm")  # fmt: skip
TORCH = ("torch==2.11.*", "torchvision==0.26.*")
PACKED = ("gpucourse", "measurements", "pyproject.toml", "setup.py", "README.md", "LICENSE", "LICENSE-TEXT")

# what importing google.colab does here: it is in sys.modules, as on Colab, and %pip only prints
STAND_IN = '''
from IPython import get_ipython
get_ipython().register_magic_function(lambda line: print("%pip", line), "line", "pip")
'''


class LegError(Exception):
    """The lesson would not run on Colab; the text says what failed first."""


def pip(folder: Path, *words: str) -> str:
    """Run the environment's pip and return what it printed; LegError with its last words."""
    command = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LegError(f"pip {' '.join(words)}: {done.stderr.strip()[-500:]}")
    return done.stdout


def versions(folder: Path) -> dict[str, str]:
    """Every installed package but the course itself, with its version."""
    listed = json.loads(pip(folder, "list", "--format=json"))
    return {entry["name"]: entry["version"] for entry in listed if entry["name"] != "gpucourse"}


def make_environment(folder: Path, python: str, wanted: tuple[str, ...]) -> None:
    """Make the environment with Colab's versions, and a kernel that knows the stand-in."""
    if not (folder / "bin" / "python").exists():
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
    pip(folder, "install", *wanted)
    colab = folder / "stand-in" / "google" / "colab"
    colab.mkdir(parents=True, exist_ok=True)
    (colab / "__init__.py").write_text(STAND_IN)
    kernel = folder / "share" / "jupyter" / "kernels" / KERNEL
    kernel.mkdir(parents=True, exist_ok=True)
    (kernel / "kernel.json").write_text(json.dumps(_kernel(folder)))


def _kernel(folder: Path) -> dict[str, object]:
    argv = [str(folder / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    variables = {"PYTHONPATH": str(folder / "stand-in"), "PYTHONNOUSERSITE": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    return {"argv": argv, "display_name": "Colab's versions", "language": "python", "env": variables}


def install_course(folder: Path) -> None:
    """Install the package as the first cell on Colab does, from a copy: building in place leaves files behind."""
    with tempfile.TemporaryDirectory() as copy:
        for name in PACKED:
            source, target = ROOT / name, Path(copy) / name
            shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        pip(folder, "install", "--no-deps", "--force-reinstall", copy)


def asked_for(notebook: nbformat.NotebookNode) -> list[str]:
    """The packages that the lesson's %pip lines bring besides the course; LegError for a line without --no-deps."""
    lines = re.findall(r"^\s*%pip install (.*)$", "\n".join(_code(notebook)), re.MULTILINE)
    for line in lines:
        if "--no-deps" not in line:
            raise LegError(f"`%pip install {line}` has no --no-deps: it could replace Colab's torch, cupy or numpy")
    words = [word for line in lines for word in shlex.split(line)]
    return [word for word in words if not word.startswith(("-", "gpucourse"))]


def _code(notebook: nbformat.NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def execute(notebook: nbformat.NotebookNode, folder: Path) -> int:
    """Run every code cell beside Colab's versions, in an empty folder; return how many, LegError on a failure."""
    os.environ["JUPYTER_PATH"] = str(folder / "share" / "jupyter")
    start = nbformat.v4.new_code_cell("import google.colab")
    page = nbformat.v4.new_notebook(cells=[start, *notebook.cells])
    with tempfile.TemporaryDirectory() as empty:
        os.environ["GPUCOURSE_PROGRESS"] = str(Path(empty) / "progress.json")
        client = NotebookClient(page, kernel_name=KERNEL, timeout=180, resources={"metadata": {"path": empty}})
        try:
            client.execute()
        except CellExecutionError as error:
            raise LegError(str(error)) from None
    return len(_code(notebook))


def run_lesson(path: Path, folder: Path) -> str:
    """Install what the lesson asks for, run it, see that no version moved; return a line for the report."""
    notebook = nbformat.read(path, as_version=4)
    before = versions(folder)
    install_course(folder)
    for package in asked_for(notebook):
        pip(folder, "install", "--no-deps", package)
    after = versions(folder)
    moved = [f"{name} {old} -> {after.get(name, 'gone')}" for name, old in before.items() if after.get(name) != old]
    if moved:
        raise LegError(f"installing moved {', '.join(moved)}")
    return f"{path.name}: {execute(notebook, folder)} code cells ran beside Colab's versions; no version moved"


def lesson(text: str) -> Path:
    """A notebook's path, from itself or from a lesson's number."""
    found = [Path(text)] if text.endswith(".ipynb") else sorted((ROOT / "notebooks").glob(f"{text}_*.ipynb"))
    if not found or not found[0].exists():
        raise argparse.ArgumentTypeError(f"no lesson {text!r} in {ROOT / 'notebooks'}")
    return found[0]


def outside(text: str) -> Path:
    """A folder that is not in the repository."""
    folder = Path(text).resolve()
    if folder.is_relative_to(ROOT):
        raise argparse.ArgumentTypeError(f"{folder} is in the repository; name one outside, such as /tmp/colab")
    return folder


def main() -> int:
    """Make or reuse the environment and run the lessons; 1 with the first failure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=outside, help="where the environment is, or will be")
    parser.add_argument("lessons", type=lesson, nargs="*", metavar="NN", help="numbers or paths of notebooks (01)")
    parser.add_argument("--python", default="python3.13", help="the Python to make it with (python3.13)")
    parser.add_argument("--torch", action="store_true", help="with Colab's torch and torchvision, some GB")
    args = parser.parse_args()
    try:
        make_environment(args.folder, args.python, (*PINS, *(TORCH if args.torch else ())))
        for path in args.lessons or [lesson("01")]:
            print(run_lesson(path, args.folder))
    except (LegError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
