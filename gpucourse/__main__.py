"""The command line, `python -m gpucourse COMMAND`: finds the command's module and hands the arguments over."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from types import ModuleType

from gpucourse.errors import CourseError

# command -> (module with add_arguments and run, what --help says)
COMMANDS = {
    "doctor": ("gpucourse.examination", "what this machine has, which lessons run here, and what to do next"),
    "lab": ("gpucourse.lab", "open your own copy of the lessons in JupyterLab"),
    "grade": ("gpucourse.grade", "mark the notebooks of a class, each in a sandbox, into a CSV file"),
    "nbgrader": ("gpucourse.grading.assignment", "a lesson as an assignment for nbgrader"),
    "measure": ("gpucourse.measure", "record this device's speeds into a JSON file"),
    "progress": ("gpucourse.exercises.progress", "which exercises you have solved; take that along, or in"),
}


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 failed with one line on stderr, 2 a wrong command line."""
    words = sys.argv[1:] if argv is None else argv
    chosen = next((word for word in words if word in COMMANDS), None)
    try:
        module = _load(chosen) if chosen else None
        return _run(chosen, module, words)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run(chosen: str | None, module: ModuleType | None, words: list[str]) -> int:
    parser = _parser(chosen, module)
    args, rest = parser.parse_known_args(words)
    args.rest = rest
    if args.rest and not hasattr(module, "PASSES_ON"):
        parser.error(f"{chosen} does not know {' '.join(args.rest)}")
    status = int(module.run(args)) if module else 2
    sys.stdout.flush()
    return status


def _load(command: str) -> ModuleType:
    name, _ = COMMANDS[command]
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and name.startswith(error.name):
            raise CourseError(f"gpucourse {command}: this version of the course has no {error.name}") from None
        raise CourseError(
            f"gpucourse {command}: the package {error.name} is missing here. "
            f"Next step: {sys.executable} -m pip install {error.name}"
        ) from None


def _parser(chosen: str | None, module: ModuleType | None) -> argparse.ArgumentParser:
    """Only the chosen command's own options are added, so the others' modules stay unimported."""
    parser = argparse.ArgumentParser(prog="gpucourse", description="The course's command line.")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command, (_, summary) in COMMANDS.items():
        subparser = subparsers.add_parser(command, help=summary, description=f"{summary}.")
        if command == chosen and module is not None:
            module.add_arguments(subparser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
