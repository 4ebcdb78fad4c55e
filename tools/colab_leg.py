"""Runs lessons beside Google Colab's versions: makes such an environment, installs the course as Colab does, executes.

The lessons run with a stand-in `google.colab` and a `%pip` that records what it was asked. The leg fails on the first
cell that fails, on a version that moved, and on a `%pip` line that could move one.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from colab_lists import Runtime
from leg_environment import LegError, fill, install_course, pip, site, versions

KERNEL = "gpucourse-colab"
CELL_SECONDS = 900       # a hang ends here; how long a lesson may take is held elsewhere
WHEELS = "https://download.pytorch.org/whl/"     # builds for one CUDA, or none, are not on PyPI
TORCH = ("torch", "torchvision")
# PyPI's torch brings a compiler that Colab's lacks, and headers of another CUDA than CuPy's there
COMPILER = ("nvidia-cuda-nvrtc", "nvidia-cuda-cccl", "nvidia-cuda-crt")
WITH_TORCH = ("triton", "cuda-bindings", *COMPILER)

# what importing google.colab does here: it is in sys.modules, as on Colab, and %pip only prints
STAND_IN = '''
from IPython import get_ipython
get_ipython().register_magic_function(lambda line: print("%pip", line), "line", "pip")
'''


def fill_as_colab(folder: Path, runtime: Runtime, torch_from_pypi: bool) -> None:
    """Install the runtime's versions, and a kernel that knows the stand-in."""
    torch = [line for line in runtime.packages if line.partition("==")[0] in TORCH]
    others = [line for line in runtime.packages if line not in torch]
    if torch_from_pypi:
        fill(folder, *(line.partition("+")[0] for line in torch))
    else:
        build = torch[0].partition("+")[2]
        fill(folder, *torch, "--extra-index-url", WHEELS + build, "--index-strategy", "unsafe-best-match")
    fill(folder, *others)
    colab = folder / "stand-in" / "google" / "colab"
    colab.mkdir(parents=True, exist_ok=True)
    (colab / "__init__.py").write_text(STAND_IN)
    kernel = folder / "share" / "jupyter" / "kernels" / KERNEL
    kernel.mkdir(parents=True, exist_ok=True)
    (kernel / "kernel.json").write_text(json.dumps(_kernel(folder)))


def forget_the_compiler(folder: Path, runtime: Runtime) -> None:
    """Take away what the runtime lacks, and PyPI's torch or an earlier run brought: a new machine has none of it."""
    surplus = [name for name in WITH_TORCH if not runtime.version(name) and name in versions(folder)]
    if surplus:
        pip(folder, "uninstall", "--yes", *surplus)
    shutil.rmtree(site(folder) / "nvidia" / "cu13" / "include", ignore_errors=True)
    for note in site(folder).glob("nvidia_cuda_runtime-*.dist-info"):   # its library stays, for torch
        shutil.rmtree(note)


def _kernel(folder: Path) -> dict[str, object]:
    argv = [str(folder / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    variables = {"PYTHONPATH": str(folder / "stand-in"), "PYTHONNOUSERSITE": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    return {"argv": argv, "display_name": "Colab's versions", "language": "python", "env": variables}


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
        resources = {"metadata": {"path": empty}}
        client = NotebookClient(page, kernel_name=KERNEL, timeout=CELL_SECONDS, resources=resources)
        try:
            client.execute()
        except CellExecutionError as error:
            raise LegError(re.sub(r"\x1b\[[\d;]*m", "", str(error))) from None
    return len(_code(notebook))


@contextmanager
def nothing_moves(folder: Path) -> Iterator[None]:
    """LegError when what is done inside changed the version of a package that was there before."""
    before = versions(folder)
    yield
    after = versions(folder)
    moved = [f"{name} {old} -> {after.get(name, 'gone')}" for name, old in before.items() if after.get(name) != old]
    if moved:
        raise LegError(f"installing moved {', '.join(moved)}")


def run_lesson(path: Path, folder: Path) -> str:
    """Install what the lesson asks for, run it, see that no version moved; return a line for the report."""
    notebook = nbformat.read(path, as_version=4)
    start = time.perf_counter()
    with nothing_moves(folder):
        for package in asked_for(notebook):
            pip(folder, "install", "--no-deps", package)
        cells = execute(notebook, folder)
    seconds = time.perf_counter() - start
    return f"{path.name}: {cells} code cells ran beside Colab's versions; no version moved ({seconds:.0f} s)"


def run_lessons(paths: Iterable[Path], folder: Path) -> list[str]:
    """Install the course and run the lessons, one after another; print a line for each, return those that failed."""
    with nothing_moves(folder):
        install_course(folder)
    failed = []
    for path in paths:
        try:
            print(run_lesson(path, folder), flush=True)
        except (LegError, TimeoutError, RuntimeError) as error:
            failed.append(path.name)
            print(f"{path.name}: FAILED\n{error}", flush=True)
    return failed
