"""The packages keep their own rules: short functions, documented names, few imports, no catch-all modules."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 45
#: Package -> what its modules may import, besides the standard library and themselves.
IMPORTS = {
    "simt": {"numpy", "gpucourse.errors"},
    "cupy_sim": {"numpy", "gpucourse.errors", "gpucourse.simt"},
}
#: A tool that writes a table of the package from the real CuPy; nothing imports it.
EXCEPT = {("list_cupy_names.py", "cupy")}
CATCH_ALL = {"utils", "util", "helpers", "misc", "common"}

Functions = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def modules(package: str) -> dict[Path, ast.Module]:
    """The package's modules, parsed."""
    found = sorted((ROOT / "gpucourse" / package).rglob("*.py"))
    assert len(found) > 20
    return {path: ast.parse(path.read_text()) for path in found}


def too_long(tree: ast.AST) -> list[str]:
    """Functions over the limit, decorators not counted, as `name: lines`."""
    functions = [n for n in ast.walk(tree) if isinstance(n, Functions)]
    sizes = {f.name: (f.end_lineno or f.lineno) - f.lineno + 1 for f in functions}
    return [f"{name}: {lines}" for name, lines in sizes.items() if lines > LONGEST]


def public(body: list[ast.stmt]) -> Iterator[Functions | ast.ClassDef]:
    """Functions and classes of a module's or a class's body that are for others to use."""
    return (n for n in body if isinstance(n, Functions | ast.ClassDef) and not n.name.startswith("_"))


def documented_methods(trees: list[ast.Module]) -> tuple[dict[str, set[str]], dict[str, list[str]]]:
    """Class -> its methods that have a docstring; class -> its bases' names."""
    classes = [n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.ClassDef)]
    return (
        {c.name: {m.name for m in public(c.body) if ast.get_docstring(m)} for c in classes},
        {c.name: [ast.unparse(b).rpartition(".")[2] for b in c.bases] for c in classes},
    )


def inherits(method: str, name: str, methods: dict[str, set[str]], bases: dict[str, list[str]]) -> bool:
    """Whether a base class, near or far, of the class `name` documents `method`."""
    return any(method in methods.get(b, ()) or inherits(method, b, methods, bases) for b in bases.get(name, []))


def undocumented(tree: ast.Module, package: list[ast.Module]) -> list[str]:
    """Public names of a module without a docstring of their own or of a base class in the package."""
    missing = [] if ast.get_docstring(tree) else ["the module"]
    methods, bases = documented_methods(package)
    for node in public(tree.body):
        missing += [] if ast.get_docstring(node) else [node.name]
        if isinstance(node, ast.ClassDef):
            bare = [m.name for m in public(node.body) if not ast.get_docstring(m)]
            missing += [f"{node.name}.{m}" for m in bare if not inherits(m, node.name, methods, bases)]
    return missing


def imported(tree: ast.AST, package: str) -> Iterator[str]:
    """Dotted names of what is imported, relative ones spelled out; inside functions, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield package
        elif isinstance(node, ast.ImportFrom):
            whole = node.module == "gpucourse"   # `from gpucourse import simt` names a module
            yield from (f"gpucourse.{a.name}" for a in node.names) if whole else (node.module or "",)


def foreign(tree: ast.AST, package: str) -> list[str]:
    """Imports that the package's table does not allow."""
    allowed = IMPORTS[package] | {f"gpucourse.{package}"}
    names = [n for n in imported(tree, f"gpucourse.{package}") if n.partition(".")[0] not in sys.stdlib_module_names]
    return [n for n in names if not any(n == a or n.startswith(a + ".") for a in allowed)]


CASES = [pytest.param(package, path, id=f"{package}-{path.stem}") for package in IMPORTS for path in modules(package)]


@pytest.mark.parametrize(("package", "path"), CASES)
def test_functions_are_short(package: str, path: Path) -> None:
    assert too_long(modules(package)[path]) == [], f"over {LONGEST} lines in {path.name}"


@pytest.mark.parametrize(("package", "path"), CASES)
def test_imports_are_few(package: str, path: Path) -> None:
    names = [n for n in foreign(modules(package)[path], package) if (path.name, n) not in EXCEPT]
    assert names == [], f"{path.name} imports what gpucourse.{package} does not allow"


@pytest.mark.parametrize(("package", "path"), CASES)
def test_no_module_is_a_catch_all(package: str, path: Path) -> None:
    assert path.stem not in CATCH_ALL


@pytest.mark.parametrize("path", modules("simt"), ids=lambda path: path.stem)
def test_public_names_are_documented(path: Path) -> None:
    trees = modules("simt")
    assert undocumented(trees[path], list(trees.values())) == [], f"without a docstring in {path.name}"


# --- the rules find what they should -----------------------------------------------------------------


def test_a_long_function_is_found_wherever_it_stands() -> None:
    body = "\n".join(["        x = 1"] * LONGEST)
    nested = f"class A:\n    def long(self):\n{body}\n    def short(self):\n        pass\n"
    assert too_long(ast.parse(nested)) == [f"long: {LONGEST + 1}"]


def test_a_missing_docstring_is_found() -> None:
    methods = "    def f(self): ...\n    def _g(self): ...\n    def __len__(self): ...\n"
    tree = ast.parse(f"class A:\n{methods}def h(): ...\n")
    assert undocumented(tree, [tree]) == ["the module", "A", "A.f", "h"]


def test_an_overridden_hook_inherits_its_docstring() -> None:
    package = ast.parse('class Base:\n    def f(self):\n        "d"\nclass Middle(Base): ...\n')
    tree = ast.parse('"d"\nclass A(m.Middle):\n    "d"\n    def f(self): ...\n    def g(self): ...\n')
    assert undocumented(tree, [package, tree]) == ["A.g"]


@pytest.mark.parametrize(("line", "found"), [
    ("import os, re", []), ("import numpy.typing", []), ("from gpucourse.errors import CourseError", []),
    ("from gpucourse.simt import warp", []), ("from gpucourse import errors, simt", []), ("from . import warp", []),
    ("import scipy.special", ["scipy.special"]), ("from gpucourse import backend", ["gpucourse.backend"]),
    ("from gpucourse.cupy_sim import raw", ["gpucourse.cupy_sim"]),
    ("import gpucourse.errors_too", ["gpucourse.errors_too"]),
])  # fmt: skip
def test_a_foreign_import_is_found(line: str, found: list[str]) -> None:
    assert foreign(ast.parse(f"def f():\n    {line}"), "simt") == found
