"""Colab's lists: what is kept of one, how our copy is read, and that a refresh without a network changes nothing."""

from __future__ import annotations

import json
import urllib.error

import pytest

colab_lists = pytest.importorskip("colab_lists")

LIST = """# Do not modify this file directly
accelerate==1.13.0
cuml-cu12 @ https://example.org/cuml-cu12/cuml_cu12-26.2.0-cp312-cp312-manylinux_2_24_x86_64.whl
google-colab @ file:///colabtools/dist/google_colab-1.0.0.tar.gz
jupyter_client==7.4.9
nvidia-cublas-cu12==12.8.4.1
nvidia-cuda-nvrtc-cu12==12.8.93
PyYAML==6.0.3
torch @ https://example.org/whl/cpu/torch-2.11.0%2Bcpu-cp312-cp312-manylinux_2_28_x86_64.whl
torchao==0.10.0
"""
KEPT = ["jupyter_client==7.4.9", "nvidia-cuda-nvrtc-cu12==12.8.93", "PyYAML==6.0.3", "torch==2.11.0+cpu"]


def answers(address):
    if "api.github.com" in address:
        assert "repos/googlecolab/backend-info/commits?path=pip-freeze" in address
        return json.dumps([{"sha": "abc123", "commit": {"committer": {"date": "2026-11-20T10:00:00Z"}}}])
    assert address.startswith("https://raw.githubusercontent.com/googlecolab/backend-info/abc123/")
    return "Ubuntu 22.04.5 LTS\nPython 3.13.9\n" if "os-info" in address else LIST


def test_what_the_course_can_feel_is_kept_with_its_source(tmp_path, capsys):
    assert colab_lists.main(tmp_path, answers) == 0
    for name in ("pip-freeze.gpu.txt", "pip-freeze.txt"):
        lines = (tmp_path / name).read_text().splitlines()
        assert [line for line in lines if not line.startswith("#")] == KEPT
        assert lines[0] == "# Python 3.13"
        assert f"github.com/googlecolab/backend-info, {name}, commit abc123 of 2026-11-20" in "\n".join(lines)
    assert colab_lists.read("cpu", tmp_path) == colab_lists.Runtime("3.13", tuple(KEPT))
    assert "pip-freeze.txt: 4 packages" in capsys.readouterr().out


def test_offline_nothing_changes_and_one_line_says_so(tmp_path, capsys, monkeypatch):
    def unreachable(*_, **__):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(colab_lists.urllib.request, "urlopen", unreachable)
    assert colab_lists.main(tmp_path) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "cannot be read (no route to host). Next step: repeat with a network" in said
    assert list(tmp_path.iterdir()) == []


def test_a_list_of_another_form_is_refused_whole(tmp_path, capsys):
    changed = {"pip-freeze.txt": "packages:\n  torch: 2.11.0\n"}
    assert colab_lists.main(tmp_path, lambda address: changed.get(address.rpartition("/")[2], answers(address))) == 1
    assert "no longer has the form" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["gpu", "cpu"])
def test_our_copies_name_their_source_and_hold_what_a_lesson_needs(kind):
    text = (colab_lists.FOLDER / colab_lists.FILES[kind]).read_text()
    assert "github.com/googlecolab/backend-info" in text.partition("\nalembic")[0]
    runtime = colab_lists.read(kind)
    assert list(runtime.packages) == list(colab_lists.felt(runtime.packages))
    assert runtime.version("torch").endswith("+cu128" if kind == "gpu" else "+cpu")
    assert bool(runtime.version("cupy-cuda12x")) == bool(runtime.version("nvidia-cuda-nvrtc-cu12")) == (kind == "gpu")
    assert runtime.version("jupyterlab-widgets") == "3.0.16"   # the list writes it with _


def test_a_copy_without_its_python_is_refused(tmp_path):
    (tmp_path / "pip-freeze.txt").write_text("numpy==2.1.3\n")
    with pytest.raises(colab_lists.ListError, match=r"no line `# Python 3\.13`"):
        colab_lists.read("cpu", tmp_path)
