"""The Colab leg on small notebooks: what it runs, what it refuses. The environment here is the tests' own."""

from __future__ import annotations

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
    monkeypatch.setattr(colab_leg, "execute", lambda *_: 1)
    with pytest.raises(colab_leg.LegError, match=r"moved numpy 2\.1\.3 -> 2\.4\.0$"):
        colab_leg.run_lesson(page, tmp_path)


def test_a_version_that_the_course_itself_moves_is_named(monkeypatch, tmp_path):
    installed = {"numpy": "2.1.3"}
    monkeypatch.setattr(colab_leg, "versions", lambda _: dict(installed))
    monkeypatch.setattr(colab_leg, "install_course", lambda _: installed.update(numpy="2.4.0"))
    with pytest.raises(colab_leg.LegError, match=r"moved numpy 2\.1\.3 -> 2\.4\.0$"):
        colab_leg.run_lessons([], tmp_path)


def test_one_lesson_that_fails_does_not_hide_the_next(monkeypatch, tmp_path, capsys):
    def run_lesson(path, folder):
        if path.name == "02_b.ipynb":
            raise colab_leg.LegError("the cell's error")
        return f"{path.name}: ran"

    monkeypatch.setattr(colab_leg, "run_lesson", run_lesson)
    monkeypatch.setattr(colab_leg, "versions", lambda _: {})
    monkeypatch.setattr(colab_leg, "install_course", lambda _: None)
    failed = colab_leg.run_lessons([tmp_path / f"{name}.ipynb" for name in ("01_a", "02_b", "03_c")], tmp_path)
    assert failed == ["02_b.ipynb"]
    assert capsys.readouterr().out == "01_a.ipynb: ran\n02_b.ipynb: FAILED\nthe cell's error\n03_c.ipynb: ran\n"


@pytest.mark.parametrize(("packages", "gone"), [
    (("torch==2.11.0+cpu",), {"triton", "cuda-bindings", "nvidia-cuda-nvrtc"}),
    (("torch==2.11.0+cu128", "triton==3.6.0", "cuda-bindings==12.9.7"), {"nvidia-cuda-nvrtc"}),
])  # fmt: skip
def test_what_the_runtime_lacks_is_taken_away(monkeypatch, tmp_path, packages, gone):
    packages_here = tmp_path / "lib" / "python3.13" / "site-packages"
    (packages_here / "nvidia" / "cu13" / "include").mkdir(parents=True)
    (packages_here / "nvidia" / "cu13" / "lib").mkdir()
    (packages_here / "nvidia_cuda_runtime-13.0.96.dist-info").mkdir()
    installed = dict.fromkeys(("torch", "triton", "cuda-bindings", "nvidia-cuda-nvrtc"), "1")
    asked = []
    monkeypatch.setattr(colab_leg, "versions", lambda _: installed)
    monkeypatch.setattr(colab_leg, "pip", lambda folder, *words: asked.append(words))
    colab_leg.forget_the_compiler(tmp_path, colab_leg.Runtime("3.13", packages))
    assert [set(words[2:]) for words in asked] == [gone]
    assert [path.name for path in packages_here.iterdir()] == ["nvidia"]
    assert [path.name for path in (packages_here / "nvidia" / "cu13").iterdir()] == ["lib"]
