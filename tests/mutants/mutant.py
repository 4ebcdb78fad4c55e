"""What a mutant is, and how the source of an answer becomes the answer."""

from __future__ import annotations

import json
import linecache
import re
from dataclasses import dataclass
from typing import Any

OF_TORCH = re.compile(r"\b(?:torch|nn|F)\.")   # the names that lessons 13 to 19 import in their first cells


@dataclass(frozen=True)
class Mutant:
    """A wrong answer: what it gets wrong, its source, and words that the message must contain."""

    name: str
    source: str
    expect: str


def answer_of(source: str, name: str, **names: Any) -> Any:
    """Execute `source`, as a cell would, with the global `names`, and return what it calls `name`.

    `torch`, `nn` and `F` are PyTorch's where the source speaks of them; `json` is Python's. Error messages can quote
    its lines, as they can quote a cell's.
    """
    if OF_TORCH.search(source):
        names = _of_torch() | names
    names.setdefault("json", json)
    file = f"<cell {abs(hash(source))}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    names["__name__"] = "__main__"
    exec(compile(source, file, "exec", dont_inherit=True), names)
    return names[name]


def _of_torch() -> dict[str, Any]:
    import torch
    from torch import nn
    from torch.nn import functional as F

    return {"torch": torch, "nn": nn, "F": F}


def kernel(source: str, *replacements: tuple[str, str]) -> str:
    """`source` with each (old, new) replaced; old must be there."""
    for old, new in replacements:
        assert old in source, old
        source = source.replace(old, new)
    return source
