"""What requirements.txt and pyproject.toml ask for: the requirements of both, once, and their lower bounds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OTHER_CUDA = ("cuda12",)      # one of the two is installed; requirements.txt names the other
REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(?P<extras>\[[^]]*\])?(?P<bound>[^;]*)(?P<marker>;.*)?")


def requirements(root: Path = ROOT) -> list[str]:
    """Every requirement of the two files, once; those of the course on itself are left out."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    extras = (lines for name, lines in project["optional-dependencies"].items() if name not in OTHER_CUDA)
    texts = (root / "requirements.txt").read_text("utf-8").splitlines()
    texts += project["dependencies"] + [line for lines in extras for line in lines]
    lines = (text.partition("#")[0].strip().replace("'", '"') for text in texts)
    return [line for line in dict.fromkeys(lines) if line and not line.startswith(("-", f"{project['name']}["))]


def lower(root: Path = ROOT) -> dict[str, str]:
    """The lower bound of each package; ValueError for a requirement that has none, and for two that differ."""
    found: dict[str, str] = {}
    for line in requirements(root):
        parts = REQUIREMENT.fullmatch(line)
        bound = re.fullmatch(r"\s*>=\s*([\w.]+)\s*(?:,.*)?", parts["bound"]) if parts else None
        if not parts or not bound:
            raise ValueError(f"{line!r}: it has no lower bound, such as >=2.1, that a leg could test")
        if found.setdefault(parts["name"], bound[1]) != bound[1]:
            raise ValueError(f"{parts['name']} has two lower bounds: {found[parts['name']]} and {bound[1]}")
    return found
