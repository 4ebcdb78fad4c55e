"""gpucourse/simt/README.md runs: every Python fence, in order, prints what the fence under it shows.

A `text` fence must match exactly. A `ptx` fence is a listing whose registers and order may change with the
compiler: only its opcodes must occur in what is printed. Fences without a language are drawings.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gpucourse.simt import instructions

README = Path(__file__).parents[2] / "gpucourse" / "simt" / "README.md"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OPCODE = re.compile(r"^\s*(?:@!?%\w+\s+)?([a-z]\w*)(?=[.;\s])", re.MULTILINE)


@dataclass(frozen=True)
class Fence:
    """A fenced block: its language, its text, and the line of the file that it begins at."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Example:
    """Python code and the fence that shows what it prints (None: it prints nothing)."""

    code: Fence
    shown: Fence | None


def fences(document: str) -> list[Fence]:
    """All fenced blocks of a Markdown text."""
    return [Fence(m[1], m[2], document.count("\n", 0, m.start()) + 1) for m in _FENCE.finditer(document)]


def examples(document: str) -> Iterator[Example]:
    """Each Python fence with the `text` or `ptx` fence after it; raises ValueError for one that nothing checks."""
    waiting: Fence | None = None
    for fence in fences(document):
        if fence.language in ("text", "ptx"):
            if waiting is None:
                raise ValueError(f"line {fence.line}: no Python fence stands before this {fence.language} fence")
            yield Example(waiting, fence)
            waiting = None
            continue
        if fence.language not in ("python", "", "sh"):
            raise ValueError(f"line {fence.line}: a fence in {fence.language!r} is not checked by anything")
        if fence.language == "python":
            if waiting is not None:
                yield Example(waiting, None)
            waiting = fence
    if waiting is not None:
        yield Example(waiting, None)


def printed(code: Fence, names: dict[str, Any]) -> str:
    """What the code prints; its names are left in `names`."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile("\n" * code.line + code.text, str(README), "exec"), names)
    return out.getvalue()


def difference(shown: Fence | None, out: str) -> str:
    """What is wrong with what a fence shows; "" for nothing."""
    if shown is not None and shown.language == "ptx":
        missing = set(_OPCODE.findall(shown.text)) - set(_OPCODE.findall(out))
        return f"the PTX has no {', '.join(sorted(missing))}" if missing else ""
    expected = shown.text if shown is not None else ""
    return "" if out == expected else f"it prints\n{out}and the file shows\n{expected}"


def faults(document: str) -> list[str]:
    """Every example whose output is not what the document shows."""
    names: dict[str, Any] = {"__name__": "readme"}
    found = ((e.code.line, difference(e.shown, printed(e.code, names))) for e in examples(document))
    return [f"line {line}: {what}" for line, what in found if what]


@pytest.fixture
def own_opcodes() -> Iterator[None]:
    """The page adds an opcode to the tables: they are put back."""
    tables: tuple[dict[str, Any], ...] = (instructions.OPCODES, instructions._SIGNATURES)
    before = [dict(table) for table in tables]
    yield
    for table, held in zip(tables, before, strict=True):
        table.clear()
        table.update(held)


@pytest.mark.usefixtures("own_opcodes")
def test_every_example_prints_what_the_readme_shows() -> None:
    assert not faults(README.read_text("utf-8"))


def test_links_resolve() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README.read_text("utf-8")):
        if not target.startswith("https://"):
            assert (README.parent / target).exists(), f"the README links to {target}, which is not there"


def test_the_reading_order_names_every_file_once() -> None:
    rows = re.findall(r"^\| .*", README.read_text("utf-8").partition("## Reading order")[2], re.MULTILINE)
    named = re.findall(r"\[`(\w+\.py)`\]", "\n".join(rows))
    assert sorted(named) == sorted(p.name for p in README.parent.glob("*.py") if p.name != "__init__.py")


# --- the checker itself ------------------------------------------------------------------------------


def page(*blocks: str) -> str:
    return "\n\nprose\n\n".join(f"```{block}\n```" for block in blocks)


def test_a_right_page_passes_and_names_live_on() -> None:
    assert faults(page("python\nx = 2", "python\nprint(x)", "text\n2", "\na drawing")) == []


@pytest.mark.parametrize(("blocks", "what"), [
    (("python\nprint(1)", "text\n2"), "line 1: it prints\n1\n"),
    (("python\nprint(1)",), "line 1: it prints"),
    (("python\nx = 1", "text\n1"), "line 1: it prints"),
    (("python\nx = 1", "python\nprint(x)", "python\nprint(x)", "text\n1"), "line 7: it prints"),
    (("python\nprint('add.s32 %r1;')", "ptx\n@%p1 bra L;\nadd.f32 %f1;"), "line 1: the PTX has no bra"),
])  # fmt: skip
def test_a_wrong_page_is_found(blocks: tuple[str, ...], what: str) -> None:
    assert faults(page(*blocks))[0].startswith(what)


@pytest.mark.parametrize("blocks", [("text\n1",), ("python\nprint(1)", "text\n1", "text\n1"), ("cuda\nint x;",)])
def test_a_fence_that_nothing_checks_is_refused(blocks: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="fence"):
        faults(page(*blocks))
