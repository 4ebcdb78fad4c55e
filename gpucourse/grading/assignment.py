"""The command `python -m gpucourse nbgrader LESSON ... --out source`: a lesson as an assignment's source for nbgrader.

Each exercise's cell becomes two: the answer, in which nbgrader takes the solution away and leaves the stub, and its
test, which raises unless the answer is right, with hidden inputs that nbgrader adds when it marks. Other cells stay.
"""

from __future__ import annotations

import argparse
import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gpucourse import my_course
from gpucourse.errors import CourseError
from gpucourse.exercises import registry
from gpucourse.exercises.problem import Problem
from gpucourse.whole_file import replacing

Cell = dict[str, Any]
_CHECK = re.compile(r'\n\ncheck\("(\d\d\.\d+)", (\w+)\)\Z')
_BADGES = "\n\n[![Open in Colab]"

_ANSWER = """{stub}

### BEGIN SOLUTION
{solution}
### END SOLUTION"""

_TEST = """from gpucourse import must_pass

must_pass("{id}", {answer})
### BEGIN HIDDEN TESTS
must_pass("{id}", {answer}, seed={seed})
### END HIDDEN TESTS"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("lessons", nargs="+", metavar="LESSON", help='such as "03"')
    parser.add_argument("--out", type=Path, required=True, metavar="DIR",
                        help="nbgrader's folder of sources; a folder for each lesson is made in it")  # fmt: skip
    parser.add_argument("--points", type=_points, default=1, metavar="N", help="for each exercise (default: 1)")
    parser.add_argument("--seed", type=int, help="makes the hidden inputs (default: a new one; the tests hold it)")
    parser.add_argument("--course", type=Path, default=Path(__file__).parents[2], metavar="DIR",
                        help="the course's folder, whose notebooks are taken")  # fmt: skip
    parser.add_argument("--overwrite", action="store_true", help="replace a source that is there")


def _points(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of points: a whole number from 1 to 1000")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Write the sources and print a line for each; all lessons are looked up before anything is written."""
    seed = secrets.randbelow(2**31) if args.seed is None else args.seed
    notebooks = [my_course.find(lesson, args.course / "notebooks") for lesson in args.lessons]
    targets = [args.out / notebook.stem / notebook.name for notebook in notebooks]
    there = [str(target) for target in targets if target.exists()]
    if there and not args.overwrite:
        raise CourseError(f"{there[0]} is there already, perhaps with your changes. Nothing was written. "
                          "Next step: another --out, or --overwrite")  # fmt: skip
    sources = [source_of(notebook, seed, args.points) for notebook in notebooks]
    for target, source in zip(targets, sources, strict=True):
        _write(target, source)
        exercises = sum("grade" in cell["metadata"].get("nbgrader", {}) for cell in source["cells"]) // 2
        print(f"{target}: {exercises} exercises, {exercises * args.points} points, hidden inputs from seed {seed}")
    return 0


def source_of(notebook: Path, seed: int, points: int = 1) -> dict[str, Any]:
    """Return the instructor's version of a lesson's notebook.

    Raises CourseError if one of the lesson's exercises is missing in the notebook or is of another edition.
    """
    content: dict[str, Any] = json.loads(my_course.pristine(notebook))
    problems = {problem.id: problem for problem in registry.problems(notebook.name[:2])}
    cells = [new for cell in content["cells"] for new in _cells(cell, problems, seed, points)]
    if problems:
        raise CourseError(f"{notebook} lacks exercise {', '.join(problems)} or has it in another edition's words. "
                          "Next step: the notebooks and the package from one edition")  # fmt: skip
    cells[0]["source"] = "".join(cells[0]["source"]).partition(_BADGES)[0]   # they lead to the lesson, not here
    return content | {"cells": cells}


def _cells(cell: Cell, problems: dict[str, Problem], seed: int, points: int) -> Iterator[Cell]:
    """Yield what stands for a cell; the exercise that it holds is taken out of `problems`."""
    source = "".join(cell["source"])
    found = _CHECK.search(source) if cell["cell_type"] == "code" else None
    if found is None or found[1] not in problems or source[: found.start()] != problems[found[1]].stub.strip("\n"):
        yield cell
        return
    problem = problems.pop(found[1])
    name = problem.id.replace(".", "-")
    answer = _ANSWER.format(stub=problem.stub.strip("\n"), solution=problem.solution.strip("\n"))
    test = _TEST.format(id=problem.id, answer=found[2], seed=seed)
    yield _graded(f"answer-{name}", answer, grade=False, solution=True, locked=False)
    yield _graded(f"check-{name}", test, grade=True, solution=False, locked=True, points=points)


def _graded(name: str, source: str, **marks: bool | int) -> Cell:
    """Return a code cell with nbgrader's metadata, version 3. A test may fail: the cells after it run none the less."""
    known = {"schema_version": 3, "grade_id": name, "task": False, **marks}
    tags = {"tags": ["raises-exception"]} if marks["grade"] else {}
    return {"cell_type": "code", "execution_count": None, "id": name, "metadata": {"nbgrader": known, **tags},
            "outputs": [], "source": source}  # fmt: skip


def _write(path: Path, content: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside:
            beside.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise CourseError(f"{path} cannot be written ({error.strerror}). Next step: another --out") from None
