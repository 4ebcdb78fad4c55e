"""The Colab leg on small notebooks: what it runs, what it refuses. The environment here is the tests' own."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
pytest.importorskip("nbclient")
sys.path.insert(0, str(ROOT / "tools"))
colab_leg = pytest.importorskip("colab_leg")


def notebook(*sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.v4.new_notebook(cells=cells)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What make_environment leaves, with this environment's Python in the place of a new one."""
    folder = tmp_path_factory.mktemp("colab")
    colab = folder / "stand-in" / "google" / "colab"
    kernel = folder / "share" / "jupyter" / "kernels" / colab_leg.KERNEL
    colab.mkdir(parents=True)
    kernel.mkdir(parents=True)
    (colab / "__init__.py").write_text(colab_leg.STAND_IN)
    specification = colab_leg._kernel(folder)
    specification["argv"] = [sys.executable, *specification["argv"][1:]]
    (kernel / "kernel.json").write_text(json.dumps(specification))
    return folder


@pytest.fixture
def environment(monkeypatch):
    """Puts back what execute() sets for the kernel."""
    for name in ("JUPYTER_PATH", "GPUCOURSE_PROGRESS"):
        monkeypatch.setenv(name, "")


def test_cells_run_as_on_colab_and_pip_installs_nothing(folder, environment):
    first = 'import sys\nassert "google.colab" in sys.modules\n%pip install -q --no-deps no-such-package-anywhere'
    second = "import os\nassert os.listdir() == []"
    assert colab_leg.execute(notebook(first, second), folder) == 2


def test_the_first_failing_cell_is_shown(folder, environment):
    with pytest.raises(colab_leg.LegError, match="the second cell") as failure:
        colab_leg.execute(notebook("1 + 1", "raise KeyError('the second cell')", "raise KeyError('the third')"), folder)
    assert "the third" not in str(failure.value)


def test_a_lessons_own_packages_are_found_beside_the_course():
    line = '%pip install -q --no-deps "gpucourse @ git+https://example.org/a/b" music21>=9 "optuna"'
    assert colab_leg.asked_for(notebook(f"import sys\nif True:\n    {line}", "1 + 1")) == ["music21>=9", "optuna"]
    assert colab_leg.asked_for(notebook("1 + 1")) == []


def test_a_pip_line_that_could_replace_torch_is_refused():
    with pytest.raises(colab_leg.LegError, match="has no --no-deps"):
        colab_leg.asked_for(notebook("%pip install gpucourse"))


def test_a_version_that_moved_is_named(monkeypatch, tmp_path):
    page = tmp_path / "01_a.ipynb"
    nbformat.write(notebook("1 + 1"), page)
    seen = iter([{"numpy": "2.1.3", "tqdm": "4"}, {"numpy": "2.4.0", "tqdm": "4", "new": "1"}])
    monkeypatch.setattr(colab_leg, "versions", lambda _: next(seen))
    monkeypatch.setattr(colab_leg, "install_course", lambda _: None)
    with pytest.raises(colab_leg.LegError, match=r"moved numpy 2\.1\.3 -> 2\.4\.0$"):
        colab_leg.run_lesson(page, tmp_path)


def test_the_environment_stays_out_of_the_repository():
    with pytest.raises(argparse.ArgumentTypeError, match="outside"):
        colab_leg.outside(str(ROOT / "artefacts" / "colab"))


def test_an_unknown_lesson_is_named():
    with pytest.raises(argparse.ArgumentTypeError, match="no lesson '77'"):
        colab_leg.lesson("77")
