"""Which cells of a submission have to run: the learner's own, and those of the course's that they build on."""

from __future__ import annotations

import ast
import re
import symtable
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from types import CodeType

_MAGIC = re.compile(r"^([ \t]*)[%!?].*$", re.MULTILINE)
_CHECKS = ("check", "must_pass")      # the second in assignments for nbgrader
_ASKS = (*_CHECKS, "hint", "solution")


@dataclass(frozen=True)
class Cell:
    """A cell without magics: its source, the global names it binds and reads, and what it asks to have checked.

    `checks` are (id, name of the answer) in order; `error` says why the cell cannot run.
    """

    source: str
    binds: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    checks: tuple[tuple[str, str], ...] = ()
    error: str = ""


def parsed(source: str) -> Cell:
    """Return a cell from its source; line numbers stay as the learner sees them."""
    plain = _MAGIC.sub(r"\1pass", source)
    try:
        tree = ast.parse(plain)
        table = symtable.symtable(plain, "cell", "exec")
        checks = tuple(check for node in tree.body for check in _check(node))
        return Cell(plain, _bound(table) | _changed(tree), _read(table), checks)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Cell(source, error=f"{type(error).__name__}: {error}")


def code_of(cell: Cell, name: str) -> CodeType:
    """Return what runs for a cell: all but its calls of `check`, `hint` and `solution`, lines numbered as they are."""
    tree = ast.parse(cell.source, name)
    tree.body = [ast.copy_location(ast.Pass(), node) if _asks(node) else node for node in tree.body]
    return compile(tree, name, "exec", dont_inherit=True)


def _asks(node: ast.stmt) -> bool:
    """Whether a statement only asks the course for something."""
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in _ASKS


def _check(node: ast.stmt) -> list[tuple[str, str]]:
    call = node.value if isinstance(node, ast.Expr) else None
    if not (_asks(node) and isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in _CHECKS):
        return []
    words = [argument for argument in call.args if isinstance(argument, (ast.Constant, ast.Name))]
    if not words or not isinstance(words[0], ast.Constant):
        return []
    name = words[1].id if len(words) > 1 and isinstance(words[1], ast.Name) else ""
    return [(str(words[0].value), name)]


def _bound(table: symtable.SymbolTable) -> frozenset[str]:
    symbols = table.get_symbols()
    return frozenset(each.get_name() for each in symbols if each.is_assigned() or each.is_imported())


def _changed(tree: ast.Module) -> frozenset[str]:
    """Names of which a part is assigned, `table["a"] = 1`, or a method called for itself alone, `found.append(1)`."""
    nodes = list(ast.walk(tree))
    parts = [node for node in nodes if isinstance(node, (ast.Attribute, ast.Subscript))]
    targets: list[ast.expr] = [part for part in parts if isinstance(part.ctx, (ast.Store, ast.Del))]
    alone = (node.value for node in nodes if isinstance(node, ast.Expr))
    calls = [each.func for each in alone if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute)]
    roots = (_root(node) for node in [*targets, *calls])
    return frozenset(root for root in roots if root)


def _root(node: ast.expr) -> str:
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _read(table: symtable.SymbolTable) -> frozenset[str]:
    """Global names that a cell reads, in its functions and classes, too."""
    top = table.get_type() == "module"
    own = {symbol.get_name() for symbol in table.get_symbols()
           if symbol.is_referenced() and (top or symbol.is_global())}  # fmt: skip
    return frozenset(own.union(*(_read(child) for child in table.get_children())))


def needed(cells: Sequence[Cell], originals: Collection[str], sources: Sequence[str]) -> list[int]:
    """Return the numbers of the cells to run, in order.

    Cells that stand in the course's notebook as they are (`originals`, sources) run only if another one that runs reads
    what they bind; all others are the learner's own and run. The first cell always runs.
    """
    chosen = {k for k, source in enumerate(sources) if source not in originals or k == 0 or cells[k].checks}
    wanted: set[str] = set()
    for k in reversed(range(len(cells))):
        if k in chosen or cells[k].binds & wanted:
            chosen.add(k)
            wanted |= cells[k].reads
    return sorted(chosen)
