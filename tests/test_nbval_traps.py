"""The traps of nbval that conftest.py closes, each sprung on purpose: what must fail does fail, and in time.

The oracle is pytest itself, run as a maintainer runs it (`pytest --nbval FOLDER`) in another process.
"""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

pytest.importorskip("nbval")
ROOT = Path(__file__).parents[1]


def cell(source, *outputs, count=1):
    return new_code_cell(source, outputs=list(outputs), execution_count=count)


def printed(text, name="stdout"):
    return new_output("stream", name=name, text=text)


@pytest.fixture
def course(tmp_path):
    """A folder with our conftest.py and sanitize rule, to which a test adds notebooks."""
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "nbval_sanitize.cfg", tmp_path / "tests")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "notebooks").mkdir()
    return tmp_path


def nbval(course, *cells, options=(), folder=None):
    """Store the cells as a notebook, run `pytest --nbval notebooks` on it, return (exit status, output)."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=list(cells), metadata=kernel), course / "notebooks" / "lesson.ipynb")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbval", str(course / "notebooks"), *options]
    done = subprocess.run(command, cwd=folder or course, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def test_equal_outputs_pass_and_machine_dependent_parts_may_differ(course):
    status, text = nbval(
        course,
        cell("print('on ⟨' + 'this machine⟩', 2)", printed("on ⟨an NVIDIA H200,\ntwo lines⟩ 2\n")),
        cell("import sys; print('3', file=sys.stderr); print('done')", printed("done\n"), printed("1", "stderr")),
    )
    assert status == 0, text
    assert "2 passed" in text


def test_the_rule_is_found_from_any_folder(course, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    status, text = nbval(course, cell("print('⟨a⟩')", printed("⟨b⟩\n")), folder=elsewhere)
    assert status == 0, text


def test_an_altered_output_fails(course):
    status, text = nbval(course, cell("print(1 + 1)", printed("3\n")))
    assert status == 1
    assert "Cell outputs differ" in text


def test_text_outside_the_marks_is_compared(course):
    status, text = nbval(course, cell("print('⟨1.2 ms⟩ fast')", printed("⟨9.9 ms⟩ slow\n")))
    assert status == 1, text


def test_a_cell_stored_unexecuted_fails(course):
    status, text = nbval(course, cell("print(1)", printed("1\n")), cell("x = 1", count=None))
    assert status == 1
    assert "stored unexecuted" in text
    assert "1 failed, 1 passed" in text


@pytest.mark.parametrize("marker", ["# nbval_ignore_output", "1  # NBVAL_IGNORE_OUTPUT", "# NBVAL_IGNORE_OUTPUTS"])
def test_a_marker_that_nbval_would_not_see_fails(course, marker):
    status, text = nbval(course, cell(f"{marker}\nprint(1)", printed("1\n")))
    assert status == 1
    assert "must stand alone on its line, in upper case" in text


def test_a_dead_kernel_fails_its_cell_and_the_rest_within_ten_seconds(course):
    cells = [cell("import os\nprint(1)", printed("1\n")), cell("os._exit(3)"), cell("print(2)", printed("2\n"))]
    start = time.monotonic()
    status, text = nbval(course, *cells, options=["--durations=0", "-vv"])
    assert status == 1
    assert "the kernel died while it ran this cell" in text
    assert "2 failed, 1 passed" in text
    dying = float(re.search(r"([\d.]+)s call .*Cell 1\b", text)[1])
    assert dying < 10, f"took {dying} s; the whole run {time.monotonic() - start:.0f} s"


def test_a_cell_that_never_ends_is_interrupted_at_the_limit_that_was_asked_for(course):
    status, text = nbval(course, cell("while True: pass"), options=["--nbval-cell-timeout", "2"])
    assert status == 1
    assert "Timeout of 2 seconds exceeded" in text


def test_progress_of_the_learner_is_out_of_reach(course):
    source = "import os\nprint('gpucourse-test-' in os.environ['GPUCOURSE_PROGRESS'])"
    status, text = nbval(course, cell(source, printed("True\n")))
    assert status == 0, text
