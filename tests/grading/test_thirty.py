"""A class of thirty, half of whom try to break the marking: each gets its due, is told on, and nothing is lost."""

import csv
import socket
import threading

import nbformat
import pytest
from class_of_thirty import THIRTY

from gpucourse.__main__ import main
from gpucourse.grading import sandbox

SEED = 20260

pytestmark = pytest.mark.skipif(bool(sandbox.missing()), reason=f"no sandbox: {sandbox.missing()}")


@pytest.fixture(scope="module")
def door():
    """A port of this machine, and a list of those who came."""
    came = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_listen, args=(server, came), daemon=True).start()
        yield server.getsockname()[1], came


def _listen(server, came):
    while True:
        try:
            came.append(server.accept())
        except OSError:
            return


@pytest.fixture(scope="module")
def marked(tmp_path_factory, door):
    """Submissions as they were handed in, and the marks by learner and exercise."""
    home = tmp_path_factory.mktemp("class")
    handed_in, out = home / "handed in", home / "marks.csv"
    for name, case in THIRTY.items():
        notebook = nbformat.v4.new_notebook()
        for cell in case.cells:
            source = cell.replace("{folder}", str(handed_in)).replace("{port}", str(door[0]))
            notebook.cells.append(nbformat.v4.new_code_cell(source))
        (handed_in / name).mkdir(parents=True)
        nbformat.write(notebook, handed_in / name / "01_cpu_vs_gpu.ipynb")
    (handed_in / "secret.txt").write_text("the teacher's")
    before = {path: path.read_bytes() for path in handed_in.rglob("*.*")}
    status = main(["grade", str(handed_in), "--csv", str(out), "--seed", str(SEED), "--jobs", "2",
                   "--cell-seconds", "6", "--memory", "1", "--course", str(home)])  # fmt: skip
    assert status == 0
    assert {path: path.read_bytes() for path in handed_in.rglob("*.*")} == before
    with out.open(encoding="utf-8", newline="") as file:
        return {(row["learner"], row["exercise"]): row for row in csv.DictReader(file)}


def test_there_are_thirty():
    assert len(THIRTY) == 30


@pytest.mark.parametrize("name", THIRTY)
def test_each_gets_its_due(marked, name):
    case = THIRTY[name]
    found = {id: marked[name, id]["state"] for id in ("01.1", "01.4")}
    assert found == {"01.1": case.first, "01.4": case.fourth}, marked[name, "01.1"]
    assert marked[name, "01.1"]["points"] == str(int(case.first == "right"))
    assert marked[name, "01.2"]["state"] == "missing" and marked[name, "01.2"]["points"] == "0"


@pytest.mark.parametrize("name", THIRTY)
def test_what_is_suspicious_is_flagged_and_nothing_else(marked, name):
    flags, wanted = marked[name, "01.1"]["flags"], THIRTY[name].flag
    assert wanted in flags if wanted else not flags


def test_nobody_has_reached_the_network(marked, door):
    assert door[1] == []


def test_every_row_names_the_seed(marked):
    assert {row["seed"] for row in marked.values()} == {str(SEED)}
