"""The README's kernel says what the README says it says."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def test_the_readme_shows_what_its_kernel_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUCOURSE_BACKEND", "simulator")
    code, shown = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", README.read_text(), re.DOTALL)[0]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    assert printed.getvalue() == shown
