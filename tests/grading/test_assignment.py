"""A lesson as nbgrader's source: the metadata, what learners get, and the marks of right and wrong answers."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from gpucourse.__main__ import main
from gpucourse.errors import CourseError
from gpucourse.exercises import registry
from gpucourse.grading.assignment import source_of
from lesson_source import lesson_paths
from tests.mutants.mutant import answer_of
from tests.mutants.n01_cpu_vs_gpu import MUTANTS

ROOT = Path(__file__).parents[2]
LESSONS = [ROOT / "notebooks" / f"{path.stem}.ipynb" for path in lesson_paths()]
FIRST = next(path for path in LESSONS if path.name.startswith("01_"))
SEED = 20260131

# what nbgrader's documentation says of metadata of version 3: key -> type; "points" only where something is graded
SCHEMA = {"schema_version": int, "grade_id": str, "grade": bool, "solution": bool, "locked": bool, "task": bool}


def marked(notebook):
    return [cell for cell in notebook["cells"] if "nbgrader" in cell["metadata"]]


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem)
def lesson(request):
    return request.param


def test_the_metadata_are_nbgraders(lesson):
    content = source_of(lesson, SEED, points=3)
    nbformat.validate(nbformat.from_dict(content))
    found = [cell["metadata"]["nbgrader"] for cell in marked(content)]
    for meta in found:
        wanted = SCHEMA | ({"points": int} if meta["grade"] else {})
        assert {key: type(value) for key, value in meta.items()} == wanted
        assert re.fullmatch(r"[a-zA-Z0-9_-]+", meta["grade_id"])
        assert meta["schema_version"] == 3 and not meta["task"]
        assert (meta["solution"], meta["locked"]) == (not meta["grade"], meta["grade"])
    assert len({meta["grade_id"] for meta in found}) == len(found)
    problems = registry.problems(lesson.name[:2])
    assert [meta["points"] for meta in found if meta["grade"]] == [3] * len(problems)
    assert [meta["grade_id"] for meta in found] == [
        f"{kind}-{problem.id.replace('.', '-')}" for problem in problems for kind in ("answer", "check")]  # fmt: skip


def regions_replaced(source, what, text):
    """What nbgrader makes of `### BEGIN what` … `### END what`, as its documentation describes it."""
    return re.sub(rf"^### BEGIN {what}\n.*?^### END {what}$", text, source, flags=re.DOTALL | re.MULTILINE)


def released(content):
    """The learner's version: without solutions, hidden tests, and outputs."""
    notebook = json.loads(json.dumps(content))
    for cell in marked(notebook):
        source = regions_replaced(cell["source"], "SOLUTION", "")
        cell["source"] = regions_replaced(source, "HIDDEN TESTS", "").rstrip()
    return notebook


def test_learners_get_the_stub_and_a_test_and_nothing_hidden(lesson):
    problems = {problem.id: problem for problem in registry.problems(lesson.name[:2])}
    content = released(source_of(lesson, SEED))
    cells = {cell["metadata"]["nbgrader"]["grade_id"]: cell["source"] for cell in marked(content)}
    for id, problem in problems.items():
        name = id.replace(".", "-")
        assert cells[f"answer-{name}"] == problem.stub.strip("\n")
        assert cells[f"check-{name}"].endswith(f'must_pass("{id}", {problem.answer})')
    assert str(SEED) not in json.dumps(content)
    assert not any(cell.get("outputs") for cell in content["cells"])


def test_all_other_cells_stay_but_for_the_badges(lesson):
    stored = json.loads(lesson.read_text(encoding="utf-8"))["cells"]
    made = [cell for cell in source_of(lesson, SEED)["cells"] if "nbgrader" not in cell["metadata"]]
    others = [cell for cell in stored if not re.search(r'\ncheck\("\d\d\.\d+", \w+\)$', "".join(cell["source"]))]
    assert [cell["id"] for cell in made] == [cell["id"] for cell in others]
    assert [cell["source"] for cell in made[1:]] == [cell["source"] for cell in others[1:]]
    assert "".join(made[0]["source"]) == "".join(others[0]["source"]).splitlines()[0]


# -- marks ------------------------------------------------------------------------------------------

SOLVED = {problem.id: problem.solution for problem in registry.problems("01")}


def by_heart():
    """The right results of the inputs that a learner's check has, and of no others."""
    right, asked = answer_of(SOLVED["01.1"], "speedup"), {}

    def heard(p, n):
        asked[p, n] = float(right(p, n))
        return asked[p, n]

    assert registry.find("01.1").check(heard).state == "right"
    return f"table = {asked!r}\n\ndef speedup(p, n):\n    return table.get((p, n), 1.0)\n"


NOISE = "\nimport sys\nprint(1, file=sys.stderr)"
# what is handed in -> the points that are its due, by exercise
HANDED_IN = {
    "all right": (SOLVED, "111111"),
    "nothing": ({}, "000000"),
    "some": (SOLVED | {"01.1": MUTANTS["01.1"][0].source, "01.2": SOLVED["01.2"] + NOISE,
                       "01.3": "intensity = 1 / 0", "01.4": None, "01.5": "def ("}, "010001"),
    "by heart": (SOLVED | {"01.1": by_heart()}, "011111"),
}  # fmt: skip


def handed_in(notebook, answers):
    """Put answers into a learner's version; None: the learner has deleted the cell."""
    cells = []
    for cell in notebook["cells"]:
        kind, _, id = cell["metadata"].get("nbgrader", {}).get("grade_id", "").partition("-")
        answer = answers.get(id.replace("-", "."), cell["source"]) if kind == "answer" else cell["source"]
        cells += [] if answer is None else [cell | {"source": answer}]
    return notebook | {"cells": cells}


def with_hidden_tests(submission, source):
    """nbgrader puts its own version of each locked cell into a submission before it runs it."""
    own = {cell["id"]: cell for cell in marked(source) if cell["metadata"]["nbgrader"]["locked"]}
    return submission | {"cells": [own.get(cell["id"], cell) for cell in submission["cells"]]}


def executed(notebook, folder):
    """Run the first code cell and the graded ones, as nbgrader does; the others take long and do not matter here."""
    first = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    result = nbformat.reads(json.dumps(notebook | {"cells": [first, *marked(notebook)]}), as_version=4)
    client = NotebookClient(result, kernel_name="python3", timeout=120, allow_errors=True,
                            extra_arguments=["--log-level=40"])  # fmt: skip
    manager = client.create_kernel_manager()
    manager.kernel_spec.argv[0] = sys.executable
    environment = os.environ | {"NBGRADER_EXECUTION": "autograde", "GPUCOURSE_PROGRESS": str(folder / "progress.json"),
                                "PYTHONPATH": str(ROOT)}  # fmt: skip
    with client.setup_kernel(env=environment, cwd=str(folder)):
        for index, cell in enumerate(result.cells):
            client.execute_cell(cell, index)
    return result


def points(cell):
    """nbgrader's rule for a test cell: an error or anything on stderr costs all points."""
    bad = any(out.output_type == "error" or out.get("name") == "stderr" for out in cell.outputs)
    return 0 if bad else cell.metadata.nbgrader.points


@pytest.mark.parametrize("case", HANDED_IN)
def test_marks(case, tmp_path):
    answers, due = HANDED_IN[case]
    source = source_of(FIRST, SEED)
    submission = with_hidden_tests(handed_in(released(source), answers), source)
    cells = [cell for cell in marked(executed(submission, tmp_path)) if cell.metadata.nbgrader.grade]
    assert "".join(str(points(cell)) for cell in cells) == due
    assert not (tmp_path / "progress.json").exists()


def test_grade_reads_what_was_handed_in_for_nbgrader(tmp_path, capsys):
    answers, due = HANDED_IN["some"]
    folder = tmp_path / "in" / "ann"
    folder.mkdir(parents=True)
    content = json.dumps(handed_in(released(source_of(FIRST, SEED)), answers))
    (folder / "some name.ipynb").write_text(content, encoding="utf-8")
    marks = tmp_path / "marks.csv"
    assert main(["grade", str(tmp_path / "in"), "--csv", str(marks), "--trust", "--course", str(ROOT)]) == 0
    assert "to look at" not in capsys.readouterr().out
    with marks.open(encoding="utf-8", newline="") as file:
        assert "".join(row["points"] for row in csv.DictReader(file)) == due


def test_the_instructors_own_version_passes_its_tests(tmp_path):
    result = executed(source_of(FIRST, SEED), tmp_path)
    assert [out for cell in result.cells for out in cell.outputs if out.output_type == "error"] == []


def grades(course, assignment):
    """Points by learner, from nbgrader's own database."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course}/gradebook.db", "gpus") as book:
        found = book.assignment_submissions(assignment)
        return {each.student.id: (each.score, each.max_score) for each in found}


def test_nbgrader_itself_gives_these_marks(tmp_path):
    pytest.importorskip("nbgrader")
    stem = FIRST.stem
    assert main(["nbgrader", "01", "--out", str(tmp_path / "source"), "--seed", str(SEED)]) == 0
    config = ('c = get_config()\nc.CourseDirectory.course_id = "gpus"\nc.Execute.timeout = 120\n'
              'c.ClearSolutions.code_stub = {"python": ""}\n')  # fmt: skip
    (tmp_path / "nbgrader_config.py").write_text(config)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}

    def nbgrader(*words):
        command = [shutil.which("nbgrader", path=path) or "nbgrader", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, done.stderr[-3000:]

    nbgrader("generate_assignment", stem)
    release = json.loads((tmp_path / "release" / stem / FIRST.name).read_text(encoding="utf-8"))
    class_ = {who: HANDED_IN[who] for who in ("some", "by heart")}
    for who, (answers, _) in class_.items():
        folder = tmp_path / "submitted" / who.replace(" ", "-") / stem
        folder.mkdir(parents=True)
        short = release | {"cells": [cell for cell in release["cells"] if "nbgrader" in cell["metadata"]
                                     or "from gpucourse import" in "".join(cell["source"])]}  # fmt: skip
        (folder / FIRST.name).write_text(json.dumps(handed_in(short, answers)), encoding="utf-8")
    nbgrader("autograde", stem)
    wanted = {who.replace(" ", "-"): (sum(map(int, due)), 6) for who, (_, due) in class_.items()}
    assert grades(tmp_path, stem) == wanted
    assert not (tmp_path / ".gpucourse").exists()


# -- the command ------------------------------------------------------------------------------------


def test_the_command_writes_a_folder_a_lesson_and_never_over_a_teachers_work(tmp_path, capsys):
    words = ["nbgrader", "01", "3", "--out", str(tmp_path / "source"), "--seed", "5", "--points", "2"]
    assert main(words) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[2] for line in told] == [
        "6 exercises, 12 points, hidden inputs from seed 5", "7 exercises, 14 points, hidden inputs from seed 5"]
    made = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*"))
    assert made == ["source/01_cpu_vs_gpu/01_cpu_vs_gpu.ipynb", "source/03_first_kernel/03_first_kernel.ipynb"]
    mine = tmp_path / made[1]
    mine.write_text("edited")
    assert main(words) == 1
    assert "is there already" in capsys.readouterr().err
    assert mine.read_text() == "edited"
    assert main([*words, "--overwrite"]) == 0
    assert len(json.loads(mine.read_text(encoding="utf-8"))["cells"]) > 50


def test_without_a_seed_each_run_has_other_hidden_inputs(tmp_path, capsys):
    seeds = set()
    for name in "ab":
        assert main(["nbgrader", "01", "--out", str(tmp_path / name)]) == 0
        seeds.add(capsys.readouterr().out.rpartition(" ")[2])
    assert len(seeds) == 2


@pytest.mark.parametrize("words", [["44"], ["01", "44"]])
def test_a_lesson_that_is_not_there_writes_nothing(words, tmp_path, capsys):
    assert main(["nbgrader", *words, "--out", str(tmp_path / "source")]) == 1
    assert "no lesson '44'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_notebook_of_another_edition_is_refused(tmp_path):
    copy = tmp_path / FIRST.name
    text = FIRST.read_text(encoding="utf-8")
    copy.write_text(text.replace("def speedup(p, n):", "def speedup(n, p):"), encoding="utf-8")
    with pytest.raises(CourseError, match=r"lacks exercise 01\.1 or has it in another edition"):
        source_of(copy, SEED)
