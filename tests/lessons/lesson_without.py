"""Runs a lesson's cells in an IPython shell of its own, with packages hidden; prints what each cell said, as JSON.

usage: lesson_without.py SOURCE.md [NAME ...] [--then CODE]
"""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from lesson_source import assemble


class Without:
    """A finder of modules that is another one, but for some packages, which it does not find."""

    def __init__(self, finder: Any, hidden: set[str]) -> None:
        self.finder, self.hidden = finder, hidden

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name.partition(".")[0] in self.hidden:
            return None
        return self.finder.find_spec(name, path, target) if hasattr(self.finder, "find_spec") else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.finder, name)


def run(shell: InteractiveShell, source: str) -> dict[str, Any]:
    """Run one cell; what it said on either stream, and its error."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        result = shell.run_cell(source)
    error = result.error_before_exec or result.error_in_exec
    return {"source": source, "out": out.getvalue(), "err": err.getvalue(), "error": error and repr(error)}


def main() -> None:
    words = sys.argv[1:]
    then = words.pop() if "--then" in words else ""
    path, *hidden = [word for word in words if word != "--then"]
    sys.meta_path[:] = [Without(finder, set(hidden)) for finder in sys.meta_path]
    shell = InteractiveShell.instance(colors="NoColor")
    cells = [cell.source for cell in assemble(Path(path)).cells if cell.cell_type == "code"]
    said = [run(shell, source) for source in [*cells, *([then] if then else [])]]
    print(json.dumps(said))


if __name__ == "__main__":
    main()
