"""The solved edition: every stub replaced by the package's solution, every cell run, every check right."""

import re
import sys
from pathlib import Path

import pytest

build_notebooks = pytest.importorskip("build_notebooks")
from lesson_source import assemble, lesson_paths  # noqa: E402

IS_CHECK = re.compile(r'^check\("(\d\d\.\d+)"', re.MULTILINE)


@pytest.fixture(scope="module", params=lesson_paths(), ids=lambda path: Path(path).stem)
def solved(request):
    notebook = assemble(request.param, solved=True)
    build_notebooks.execute(notebook)
    return notebook


def shown(cell):
    return "\n".join(out.get("text", "") + out.get("data", {}).get("text/plain", "") for out in cell.outputs)


def test_every_check_of_the_solved_edition_says_right(solved):
    checks = {IS_CHECK.search(cell.source)[1]: shown(cell) for cell in solved.cells if IS_CHECK.search(cell.source)}
    assert len(checks) >= 4
    wrong = {number: text for number, text in checks.items() if not text.partition("\n")[0].endswith(": right.")}
    assert wrong == {}, f"under Python {sys.version_info[:2]}"
