"""Turns the source of a page, notebooks/src/NAME.md, into the cells of its notebook; executes nothing.

A lesson's name begins with its number, 01 to 19. The other pages are 00_start_here, the quizzes and the capstone.
The source is jupytext's Markdown. Six things are written once and woven in here:

* the title, its badges and the first code cell (Colab's installation, the lesson's imports, where it runs);
* `<!-- exercise 01.1 -->`, alone on its line, becomes the exercise's text and its stub, from `gpucourse.exercises`;
* `<!-- question part1.3 -->` becomes the question's text and the cell that answers it, from `gpucourse.guide`;
* `<!-- kernel benchmarks.reductions.modulo -->` becomes the cell that makes that kernel, from the table `RUNGS` of
  `gpucourse.benchmarks.reductions` (`benchmarks.` or `nn.` may be left out);
* `<!-- code nn.losses.softmax -->` becomes the source of that function or class, as the package has it;
* the repository's address, from pyproject.toml.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import jupytext
import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from gpucourse.exercises.problem import Problem
from gpucourse.exercises.registry import find
from gpucourse.guide import sheets
from gpucourse.guide.question import Question

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "notebooks" / "src"
_MARK = re.compile(r"^<!-- (exercise \d\d\.\d+|question \w+\.\d+|(?:kernel|code) [\w.]+\.\w+) -->$", re.MULTILINE)
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


class SourceError(Exception):
    """A lesson's source breaks a rule of the build; the text names the file and the line or cell."""


@dataclass(frozen=True)
class Front:
    """A source's front matter: the lesson's title and the packages it needs that Colab lacks."""

    title: str
    colab: tuple[str, ...]


def lesson_paths(numbers: list[str] | None = None) -> list[Path]:
    """Return the sources of the lessons named by number ("01"), or of all; SourceError for a number without one."""
    return _chosen([path for path in SOURCES.glob("[0-9][0-9]_*.md") if path.name[:2] != "00"], numbers)


def page_paths(names: list[str] | None = None) -> list[Path]:
    """Return the sources of all notebooks, or of those named by number ("01", "00") or name; SourceError for others."""
    return _chosen(list(SOURCES.glob("*.md")), names)


def called(path: Path) -> str:
    """Return what a page is called by: a number, "04", or where it has none its name, "quiz_part_1"."""
    return path.name[:2] if path.name[:2].isdecimal() else path.stem


def _chosen(paths: list[Path], names: list[str] | None) -> list[Path]:
    paths = sorted(paths)
    missing = set(names or ()) - {called(path) for path in paths}
    if missing:
        have = ", ".join(map(called, paths))
        raise SourceError(f"no source for lesson {', '.join(sorted(missing))} in {SOURCES}; there are {have}")
    return [path for path in paths if not names or called(path) in names]


def notebook_path(source: Path) -> Path:
    return ROOT / "notebooks" / f"{source.stem}.ipynb"


def repository() -> str:
    """Return the one repository address, from pyproject.toml."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]["Repository"])


def split_front(text: str, name: str) -> tuple[Front, str]:
    """Split a source into its front matter and its body; SourceError when the title is missing."""
    found = _FRONT.match(text)
    fields = dict(line.split(":", 1) for line in found[1].splitlines() if ":" in line) if found else {}
    if not found or "title" not in fields:
        raise SourceError(f'{name}: it must begin with front matter: ---, title: "01 · Name", colab: [], ---')
    packages = re.findall(r"[\w.>=<~\[\]-]+", fields.get("colab", "").split("#")[0].strip().strip("[]"))
    return Front(fields["title"].strip().strip("\"'"), tuple(packages)), text[found.end() :]


def assemble(source: Path, solved: bool = False) -> nbformat.NotebookNode:
    """Build the unexecuted notebook of `source`; with `solved`, each stub is replaced by its exercise's solution."""
    front, body = split_front(source.read_text("utf-8"), source.name)
    cells = [_title(source, front)]
    imports_seen = False
    for cell in jupytext.reads(body, fmt="md").cells:
        if cell.cell_type == "markdown":
            cells += _weave(cell.source, solved)
        elif cell.source.strip():
            text = cell.source if imports_seen else _first_cell(front, cell.source)
            imports_seen = True
            cells.append(new_code_cell(text, metadata=_tags(cell)))
    if not imports_seen:
        raise SourceError(f"{source.name}: there is no code fence; the first one must hold the imports")
    return _notebook(cells)


def _tags(cell: nbformat.NotebookNode) -> dict[str, list[str]]:
    return {"tags": list(cell.metadata["tags"])} if cell.metadata.get("tags") else {}


def _notebook(cells: list[nbformat.NotebookNode]) -> nbformat.NotebookNode:
    for position, cell in enumerate(cells):
        content = f"{position}\n{cell.cell_type}\n{cell.source}"
        cell["id"] = hashlib.sha256(content.encode()).hexdigest()[:12]
    return new_notebook(cells=cells, metadata={"kernelspec": _KERNEL, "language_info": {"name": "python"}})


def badges(stem: str) -> str:
    """Return the Colab and Binder badges, in Markdown, of the lesson whose file name is `stem`.

    On Binder the learner's copy opens, whose outputs are empty: binder/postBuild makes it.
    """
    path = repository().removeprefix("https://github.com/")
    colab = f"https://colab.research.google.com/github/{path}/blob/main/notebooks/{stem}.ipynb"
    binder = f"https://mybinder.org/v2/gh/{path}/main?urlpath=lab/tree/my-course/{stem}.ipynb"
    return (
        f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab}) "
        f"[![Open in Binder](https://mybinder.org/badge_logo.svg)]({binder})"
    )


def _title(source: Path, front: Front) -> nbformat.NotebookNode:
    return new_markdown_cell(f"# {front.title}\n\n{badges(source.stem)}")


def _first_cell(front: Front, imports: str) -> str:
    """Colab's installation, the lesson's imports, and one line that says where the code will run."""
    wanted = [f'"gpucourse @ git+{repository()}"', *front.colab]
    return (
        'import sys\n\nif "google.colab" in sys.modules:\n'
        f"    %pip install -q --no-deps {' '.join(wanted)}\n\n{imports.strip()}\n\nprint(where())"
    )


def _weave(markdown: str, solved: bool) -> Iterator[nbformat.NotebookNode]:
    """Yield the cells of a Markdown text, each mark replaced by the cells of its exercise or kernel."""
    for index, part in enumerate(_MARK.split(markdown)):
        if index % 2:
            kind, name = part.split()
            yield from _WOVEN[kind](name, solved)
        elif part.strip():
            yield new_markdown_cell(part.strip())


def kernel_cell(name: str) -> nbformat.NotebookNode:
    """Return the code cell that makes the kernel called "module.rung"; SourceError if there is none."""
    module, rung = name.rsplit(".", 1)
    home = f"gpucourse.{module}"
    if "." not in module:
        home = f"gpucourse.{'nn' if find_spec(f'gpucourse.nn.{module}') else 'benchmarks'}.{module}"
    try:
        return new_code_cell(import_module(home).RUNGS[rung].cell())
    except (ImportError, AttributeError, KeyError) as error:
        raise SourceError(f"there is no kernel {name!r} in {home}: {error}") from None


def code_cell(name: str) -> nbformat.NotebookNode:
    """Return the code cell with the source of "module.object" of the package; SourceError if there is none."""
    module, thing = name.rsplit(".", 1)
    try:
        return new_code_cell(inspect.getsource(getattr(import_module(f"gpucourse.{module}"), thing)).rstrip())
    except (ImportError, AttributeError, TypeError) as error:
        raise SourceError(f"there is no {thing!r} in gpucourse.{module}: {error}") from None


def question_cells(question: Question, solved: bool = False) -> tuple[nbformat.NotebookNode, nbformat.NotebookNode]:
    """Return a question's text with its options, and the cell that answers it: open, or with the right letter."""
    options = "\n".join(f"- **{letter}** · {text}" for letter, text in question.options.items())
    level = "##" if question.id.startswith("part") else "###"      # a quiz has no sections, the start page has
    text = f"{level} Question {question.number} · {question.title}\n\n{question.text.strip()}\n\n{options}"
    letter = f'"{question.right}"' if solved else "..."
    return new_markdown_cell(text), new_code_cell(f'answer("{question.id}", {letter})')


def exercise_cells(problem: Problem, solved: bool = False) -> tuple[nbformat.NotebookNode, nbformat.NotebookNode]:
    """Return an exercise's text and its code cell: the stub, or the solution, and the call that checks it."""
    size = "1 line" if problem.lines == 1 else f"{problem.lines} lines"
    text = (
        f"### Exercise {problem.id} · {problem.title}\n\n{problem.task.strip()}\n\n{problem.spec.strip()}\n\n"
        f'*The answer takes {size}. If you are stuck: `hint("{problem.id}")`. '
        f'When you are done: `solution("{problem.id}")`.*'
    )
    code = (problem.solution if solved else problem.stub).strip("\n")
    return new_markdown_cell(text), new_code_cell(f'{code}\n\ncheck("{problem.id}", {problem.answer})')


# kind of a mark -> its cells, from the name in the mark
_WOVEN = {
    "exercise": lambda name, solved: exercise_cells(find(name), solved),
    "question": lambda name, solved: question_cells(sheets.find(name), solved),
    "kernel": lambda name, solved: [kernel_cell(name)],
    "code": lambda name, solved: [code_cell(name)],
}
