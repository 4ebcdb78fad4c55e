"""Proves the course beside other versions than .venv's, each leg in an environment of its own outside the repository.

usage: legs.py colab-gpu FOLDER [NN or PATH ...]    every lesson beside the versions of Colab's GPU runtime
       legs.py colab-cpu FOLDER [NN or PATH ...]    the same for its CPU runtime, which has neither CuPy nor a compiler
       legs.py oldest FOLDER [NN or PATH ...]       tests and lessons beside every lower bound exactly, on Python 3.11
       legs.py newest FOLDER [NN or PATH ...]       the same beside what pip takes today; --python chooses the Python

FOLDER receives the environment, some GB, and is used again by the next run while nothing it was made from has changed.
Lessons named by number or path are run alone; without, all are, and for `oldest` and `newest` the tests that touch
those packages, too. Colab's versions stand in tools/colab. The exit status is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import bounds
import colab_leg
import colab_lists
from leg_environment import ROOT, LegError, fill, install_course, make, outside, versions

COLAB = {"colab-gpu": "gpu", "colab-cpu": "cpu"}
OLDEST_PYTHON, NEWEST_PYTHON = "python3.11", "python3.13"
# the tests that touch the packages of requirements.txt; the rest of the suite is the same beside every version
SELECTION = (
    ("tests/test_backend.py", "tests/test_timing.py", "tests/cupy_sim", "tests/nn", "tests/models", "tests/data",
     "tests/serving", "tests/viz"),
    ("tests/exercises/test_problems.py", "-k", "solution"),
)  # fmt: skip
# of the oldest, which warn of packages newer than they are: matplotlib 3.10.0, for one, of pyparsing
UNMOVED_BY_WARNINGS = ("-o", "filterwarnings=", "--disable-warnings")
SHOWN = ("numpy", "torch", "torchvision", "cupy-cuda13x", "matplotlib", "ipywidgets", "ipykernel", "numba", "music21")


def lesson(text: str) -> Path:
    """A notebook's path, from itself or from a lesson's number."""
    found = [Path(text)] if text.endswith(".ipynb") else sorted((ROOT / "notebooks").glob(f"{text}_*.ipynb"))
    if not found or not found[0].exists():
        raise argparse.ArgumentTypeError(f"no lesson {text!r} in {ROOT / 'notebooks'}")
    return found[0].resolve()


def colab(leg: str, folder: Path, lessons: list[Path], python: str, torch_from_pypi: bool) -> bool:
    """One of Colab's runtimes; whether every lesson ran."""
    runtime = colab_lists.read(COLAB[leg])
    plan = [runtime.packages, torch_from_pypi]
    python = python or f"python{runtime.python}"
    make(folder, python, plan, lambda folder: colab_leg.fill_as_colab(folder, runtime, torch_from_pypi))
    colab_leg.forget_the_compiler(folder, runtime)
    failed = colab_leg.run_lessons(lessons or all_lessons(), folder)
    print(f"{leg}: {'these lessons failed: ' + ', '.join(failed) if failed else 'every lesson ran'}")
    return not failed


def bounded(leg: str, folder: Path, lessons: list[Path], python: str) -> bool:
    """The lower bounds or the newest versions; whether all tests passed."""
    wanted = bounds.requirements()
    how = ("--resolution", "lowest-direct") if leg == "oldest" else ("--upgrade",)
    python = python or (OLDEST_PYTHON if leg == "oldest" else NEWEST_PYTHON)
    make(folder, python, [leg, wanted], lambda folder: fill(folder, *how, *wanted))
    install_course(folder)
    found = versions(folder)
    print(f"{leg}, {python}:", ", ".join(f"{name} {found[name]}" for name in SHOWN if name in found), flush=True)
    notebooks = ("--nbval", *map(str, lessons or [ROOT / "notebooks"]))
    calm = UNMOVED_BY_WARNINGS if leg == "oldest" else ()
    runs = (notebooks,) if lessons else (*SELECTION, notebooks)
    return all([run_pytest(folder, *calm, *words) for words in runs])


def run_pytest(folder: Path, *words: str) -> bool:
    """Run pytest in the environment on the working tree; whether it passed."""
    print("+ pytest", *words, flush=True)
    variables = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "PYTHONNOUSERSITE": "1",
                 "JUPYTER_PREFER_ENV_PATH": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # fmt: skip
    command = [str(folder / "bin" / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    return subprocess.run(command, cwd=ROOT, env=os.environ | variables, check=False).returncode == 0


def all_lessons() -> list[Path]:
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def main(arguments: list[str] | None = None) -> int:
    """Make or reuse the environment and run the leg; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("leg", choices=(*COLAB, "oldest", "newest"))
    parser.add_argument("folder", type=outside, help="where the environment is, or will be")
    parser.add_argument("lessons", type=lesson, nargs="*", metavar="NN", help="numbers or paths of notebooks (all)")
    parser.add_argument("--python", default="", help="the Python to make it with, such as python3.12")
    parser.add_argument("--torch-from-pypi", action="store_true",
                        help="PyPI's build, for CUDA 13: where PyTorch's own index cannot be reached")  # fmt: skip
    args = parser.parse_intermixed_args(arguments)
    try:
        if args.leg in COLAB:
            good = colab(args.leg, args.folder, args.lessons, args.python, args.torch_from_pypi)
        else:
            good = bounded(args.leg, args.folder, args.lessons, args.python)
    except (LegError, colab_lists.ListError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
