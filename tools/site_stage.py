"""Copies what the site shows into one folder, laid out as the repository, with a table of contents; builds nothing.

The table of contents is README.md's table of lessons, which is made from the lessons' front matter; a notebook that is
not in it comes behind it. Links to files that are no page of the site lead to the repository.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import yaml

import build_readme
from lesson_source import ROOT, SOURCES, repository

SITE = ROOT / "site"
MORE = "More"
DOCUMENTS = "For teachers and contributors"
# beside docs/**/*.md; in this order
PAGES = ("gpucourse/simt/README.md", "measurements/README.md", "CONTRIBUTING.md", "CHANGELOG.md")
_PART = re.compile(r"^\| \| \*\*(.+?)\*\*")
_STEM = re.compile(r"\]\(notebooks/(\w+)\.ipynb\)")
# a fenced block, a code span within a paragraph (as many backticks before as behind), or a link's address
_LINK = re.compile(
    r"^(?P<fence>`{3,})[^`\n]*\n.*?^(?P=fence)`*[ \t]*$"
    r"|(?<!`)(?P<ticks>`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)(?P=ticks)(?!`)"
    r"|(?<=\]\()(?!https?:|mailto:|#)(?P<path>[^)\s#]+)(?P<place>#[^)\s]*)?(?=\))",
    re.MULTILINE | re.DOTALL,
)
_LESSON = re.compile(r"(?<=href=\")(\w+)\.ipynb")
EXPLORER = "<explorer:"
STILL = "This explorer stands still on this page. Open the lesson in Colab, Binder or JupyterLab to move its controls."
NOT_PAGES = ("_build", "intro.md", "requirements.txt", "__pycache__")


def parts(table: str, stems: list[str]) -> dict[str, list[str]]:
    """Return part -> its notebooks, as README.md's table has them; the key "" is what comes before the first part.

    Of `stems`, the notebooks there are, each comes once; what the table does not know comes last.
    """
    found: dict[str, list[str]] = {"": []}
    for line in table.splitlines():
        if heading := _PART.match(line):
            found[heading[1]] = []
        elif (row := _STEM.search(line)) and row[1] in stems:
            found[list(found)[-1]].append(row[1])
    known = {stem for part in found.values() for stem in part}
    found[MORE] = sorted(set(stems) - known)
    return {part: notebooks for part, notebooks in found.items() if notebooks}


def stems() -> list[str]:
    """Return the names of the notebooks that have a source and are stored."""
    return sorted(path.stem for path in SOURCES.glob("*.md") if (ROOT / "notebooks" / f"{path.stem}.ipynb").exists())


def documents() -> list[Path]:
    """Return the documents beside the lessons, as paths within the repository."""
    docs = sorted((ROOT / "docs").rglob("*.md"), key=lambda path: (path.parent, path.name != "README.md", path.name))
    return [path.relative_to(ROOT) for path in docs] + [Path(page) for page in PAGES]


def contents() -> dict[str, Any]:
    """Return the table of contents as Jupyter Book reads it."""
    sections = []
    for part, notebooks in parts(build_readme.table(), stems()).items():
        chapters = [{"file": f"notebooks/{stem}"} for stem in notebooks]
        sections.append({"caption": part, "chapters": chapters} if part else {"chapters": chapters})
    chapters = [{"file": path.with_suffix("").as_posix()} for path in documents()]
    return {"format": "jb-book", "root": "index", "parts": [*sections, {"caption": DOCUMENTS, "chapters": chapters}]}


def pages() -> set[str]:
    """Return the files that are pages of the site, or pictures on one, as paths within the repository."""
    pictures = (path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.png"))
    return {*(f"notebooks/{stem}.ipynb" for stem in stems()), *(path.as_posix() for path in documents()), *pictures}


def relinked(markdown: str, home: str, known: set[str]) -> str:
    """Lead the links of a text in the folder `home` that go to no page of the site to the repository, code left alone.

    The repository's README.md is the site's first page.
    """
    up = posixpath.relpath(".", home or ".")

    def target(found: re.Match[str]) -> str:
        if not found["path"]:
            return found[0]
        path = posixpath.normpath(posixpath.join(home, found["path"]))
        if path in ("README.md", "."):
            return posixpath.normpath(posixpath.join(up, "index.md"))
        if path in known:
            return found[0]
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return f"{repository()}/{kind}/main/{path}{found['place'] or ''}"

    return _LINK.sub(target, markdown)


def still(notebook: nbformat.NotebookNode) -> None:
    """Say under each explorer's picture, which does not move here, what it shows."""
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        cells += [nbformat.v4.new_markdown_cell(words) for words in _of_explorers(cell)]
    notebook.cells = cells


def _of_explorers(cell: nbformat.NotebookNode) -> Iterator[str]:
    for output in cell.get("outputs", ()):
        if output.get("data", {}).get("text/plain", "").startswith(EXPLORER):
            words = output.metadata.get("image/png", {}).get("alt", "")
            yield f"> {_plain(words)}\n>\n> *{STILL}*"


def _plain(words: str) -> str:
    """The words so that Markdown shows them as they are."""
    return re.sub(r"([\\`*_{}\[\]<>#$|~])", r"\\\1", words)


def stage(target: Path) -> None:
    """Make the folder `target` anew: configuration, table of contents, all pages."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(SITE, target, ignore=shutil.ignore_patterns(*NOT_PAGES))
    (target / "_toc.yml").write_text(yaml.safe_dump(contents(), sort_keys=False), "utf-8")
    known = pages()
    intro = (SITE / "intro.md").read_text("utf-8") + build_readme.table() + "\n"
    (target / "index.md").write_text(relinked(intro, "", known), "utf-8")
    for page in sorted(known):
        copy = target / page
        copy.parent.mkdir(parents=True, exist_ok=True)
        _COPIES[copy.suffix](ROOT / page, copy, known)


def _copy_notebook(page: Path, copy: Path, known: set[str]) -> None:
    notebook = nbformat.read(page, as_version=4)
    still(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = relinked(cell.source, "notebooks", known)
        for output in cell.get("outputs", ()):
            if "text/html" in output.get("data", {}):
                output.data["text/html"] = _to_pages(output.data["text/html"], known)
    nbformat.write(notebook, copy)


def _to_pages(html: str, known: set[str]) -> str:
    """Lead links of an output to the lessons' pages: Jupyter Book renames only those that stand in text."""
    return _LESSON.sub(lambda found: f"{found[1]}.html" if f"notebooks/{found[1]}.ipynb" in known else found[0], html)


def _copy_document(page: Path, copy: Path, known: set[str]) -> None:
    home = os.path.relpath(page.parent, ROOT).replace(os.sep, "/").removeprefix(".")
    copy.write_text(relinked(page.read_text("utf-8"), home, known), "utf-8")


def _copy_picture(page: Path, copy: Path, _known: set[str]) -> None:
    shutil.copy(page, copy)


_COPIES = {".ipynb": _copy_notebook, ".md": _copy_document, ".png": _copy_picture}
