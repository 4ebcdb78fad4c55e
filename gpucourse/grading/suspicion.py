"""What a submission's text gives away before anything runs: a look at the solutions, a hand on the checker."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from gpucourse.grading.cells import Cell

_INSIDE = ("gpucourse.exercises", "gpucourse.grading")
_FRAMES = {"_getframe", "f_back", "f_locals", "f_globals", "gi_frame", "tb_frame", "currentframe", "__subclasses__"}
_CODE = {"__code__", "__closure__", "__globals__", "__defaults__"}


def flags(cells: Sequence[Cell]) -> list[str]:
    """Return what a teacher should look at, each with the number of the cell, counted among the code cells from 1."""
    found = []
    for number, cell in enumerate(cells, 1):
        if not cell.error:
            found += [f"{what} (code cell {number})" for what in dict.fromkeys(_in(ast.parse(cell.source)))]
    return found


def _in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from _imported(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if any(name in node.value for name in _INSIDE):
                yield "names the course's exercise modules"
        elif isinstance(node, ast.Attribute):
            yield from _attribute(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("solution", "setattr"):
            yield "asks for a solution" if node.func.id == "solution" else "calls setattr"


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    names = [each.name for each in node.names]
    if isinstance(node, ast.ImportFrom):
        names = [f"{node.module}.{name}" for name in names] + [node.module or ""]
    if any(name.startswith(_INSIDE) for name in names):
        yield "imports the course's exercise modules"
    if any(name.partition(".")[0] in ("ctypes", "gc") for name in names):
        yield "imports ctypes or gc"


def _attribute(node: ast.Attribute) -> Iterator[str]:
    dotted = ast.unparse(node)
    if dotted.startswith(_INSIDE):
        yield "names the course's exercise modules"
    if node.attr in _FRAMES:
        yield "looks into other frames"
    if isinstance(node.ctx, ast.Store):
        if node.attr in _CODE:
            yield "changes a function's code"
        elif dotted.partition(".")[0] in ("gpucourse", "builtins"):
            yield f"assigns {dotted}"
