"""`%%needs triton, triton.language as tl` above a cell: an import that skips the whole cell where it cannot be had.

A lesson says `%load_ext gpucourse.needs` in its first cell. From then on a cell that begins with `%%needs` and
what follows an `import` is that import and the rest of the cell, as if it had been typed so: errors, line numbers
and the last expression are the cell's own. Where something is lacking, the cell is not run, and one line on
stderr says what and how to get it. `gpucourse.optional` knows what some packages ask of a machine besides being there.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from functools import cache
from typing import Any

from gpucourse.backend import THIS_MACHINE, System
from gpucourse.optional import NEEDS, Need

_LINE = re.compile(r"%%needs[ \t]+(\S.*?)\s*")
_PART = re.compile(r"([\w.]+)(?:\s+as\s+(\w+))?")


def load_ipython_extension(shell: Any) -> None:
    """Teach an IPython shell the line; called by `%load_ext gpucourse.needs`, more than once without harm."""
    transforms = shell.input_transformers_cleanup
    if transform not in transforms:
        transforms.append(transform)


def transform(lines: list[str]) -> list[str]:
    """Return a cell's lines with `%%needs` made an import, or, where something is lacking, a line that says so."""
    found = _LINE.fullmatch(lines[0]) if lines else None
    if not found:
        return lines
    parts = _parts(found[1])
    missing = next(filter(None, (lack(name) for name, _ in parts)), "")
    if missing:
        return [f"__import__('gpucourse.needs').needs.skipped({missing!r})\n"]
    return [f"import {', '.join(_clause(*part) for part in parts)}\n", *lines[1:]]


def _parts(text: str) -> list[tuple[str, str]]:
    """(module, name it gets or "") of what follows an `import`; SyntaxError for anything else."""
    found = [_PART.fullmatch(part.strip()) for part in text.split(",")]
    if None in found:
        raise SyntaxError(f"%%needs {text}: write what follows an import, such as `numba.cuda as cuda`")
    return [(match[1], match[2] or "") for match in found if match]


def _clause(name: str, alias: str) -> str:
    module = _need(name).module or name
    return f"{module} as {alias}" if alias else module


def _need(name: str) -> Need:
    """What a module asks of the machine; a module that the table lacks asks for nothing but being there."""
    return NEEDS.get(name, Need(get=f"pip install {name.partition('.')[0]}"))


def lack(name: str, system: System = THIS_MACHINE) -> str:
    """Say in a few words why `name` cannot be had here, and how to get it; "" if it can. Only a "" is kept in mind."""
    try:
        _bring(name, system)
    except _Lacking as found:
        return str(found)
    return ""


class _Lacking(Exception):
    """A module or a tool cannot be had; the text says what and how to get it."""


@cache
def _bring(name: str, system: System) -> None:
    """Set what a module wants to find in the environment, import it, and ask whether it works."""
    need = _need(name)
    for variable, value in need.settings(system).items():
        os.environ.setdefault(variable, value)
    importlib.invalidate_caches()   # it may have been installed a moment ago
    try:
        system.load(need.module or name)
        problem = need.problem(system)
    except Exception as error:      # a broken package may raise anything
        problem = _fault(name, error)
    if problem:
        raise _Lacking(f"{problem}. To get it: {need.get}")


def _fault(name: str, error: Exception) -> str:
    package = name.partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and error.name == package:
        return f"{package} is not installed"
    return f"{name} cannot be imported: {type(error).__name__}: {' '.join(str(error).split())[:160]}"


def skipped(why: str) -> None:
    """Say in one line on stderr that a cell was skipped and why."""
    print(f"This cell is skipped: {why}", file=sys.stderr)
