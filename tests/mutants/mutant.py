"""What a mutant is, and how the source of an answer becomes the answer."""

from __future__ import annotations

import linecache
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mutant:
    """A wrong answer: what it gets wrong, its source, and words that the message must contain."""

    name: str
    source: str
    expect: str


def answer_of(source: str, name: str, **names: Any) -> Any:
    """Execute `source`, as a cell would, with the global `names`, and return what it calls `name`.

    Error messages can quote its lines, as they can quote a cell's.
    """
    file = f"<cell {abs(hash(source))}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    names["__name__"] = "__main__"
    exec(compile(source, file, "exec", dont_inherit=True), names)
    return names[name]


def kernel(source: str, *replacements: tuple[str, str]) -> str:
    """`source` with each (old, new) replaced; old must be there."""
    for old, new in replacements:
        assert old in source, old
        source = source.replace(old, new)
    return source
