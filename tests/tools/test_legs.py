"""The legs' command on stand-ins: which leg runs what, which environment is made anew, and what a failure gives."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytest.importorskip("nbclient")
bounds, colab_leg, leg_environment, legs = map(
    pytest.importorskip, ("bounds", "colab_leg", "leg_environment", "legs"))


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Notes what is installed and run; nothing of either happens."""
    noted = []
    monkeypatch.setattr(legs, "make", lambda folder, python, plan, install: (noted.append(python), install(folder)))
    monkeypatch.setattr(legs, "fill", lambda folder, *words: noted.append(("fill", *words[:2])))
    monkeypatch.setattr(legs, "install_course", lambda folder: None)
    monkeypatch.setattr(legs, "versions", lambda folder: {"numpy": "2.1.0", "wcwidth": "1"})
    monkeypatch.setattr(legs.colab_leg, "fill_as_colab", lambda folder, runtime, torch_from_pypi: noted.append(
        (runtime.version("torch"), torch_from_pypi)))
    monkeypatch.setattr(legs.colab_leg, "forget_the_compiler", lambda folder, runtime: noted.append("forget"))
    monkeypatch.setattr(legs.colab_leg, "run_lessons", lambda paths, folder: noted.append(
        [path.name[:2] for path in paths]) or [])
    monkeypatch.setattr(legs, "run_pytest", lambda folder, *words: noted.append(words) or True)
    return noted


def run(*words: str) -> int:
    return legs.main([words[0], "/tmp/no-such-leg", *words[1:]])


def test_colabs_runtimes_run_every_lesson_beside_their_own_torch(machine):
    assert run("colab-gpu") == run("colab-cpu", "--torch-from-pypi") == 0
    every = [path.name[:2] for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    assert machine == ["python3.13", ("2.11.0+cu128", False), "forget", every,
                       "python3.13", ("2.11.0+cpu", True), "forget", every]  # fmt: skip


def test_the_oldest_are_asked_for_as_such_and_tests_run_beside_them(machine, capsys):
    assert run("oldest") == 0
    assert machine[:2] == ["python3.11", ("fill", "--resolution", "lowest-direct")]
    assert machine[-1][-2:] == ("--nbval", str(ROOT / "notebooks"))
    assert all("filterwarnings=" in words for words in machine[2:])
    assert any("tests/cupy_sim" in words for words in machine[2:-1])
    assert capsys.readouterr().out == "oldest, python3.11: numpy 2.1.0\n"


def test_the_newest_run_on_the_python_that_is_named(machine):
    assert run("newest", "--python", "python3.12", "03") == 0
    assert machine[:2] == ["python3.12", ("fill", "--upgrade", bounds.requirements()[0])]
    assert machine[2:] == [("--nbval", str(ROOT / "notebooks" / "03_first_kernel.ipynb"))]


def test_one_failing_run_fails_the_leg_and_the_others_still_run(machine, monkeypatch):
    ran = []
    monkeypatch.setattr(legs, "run_pytest", lambda folder, *words: ran.append(words) or len(ran) > 1)
    assert run("newest") == 1
    assert len(ran) == len(legs.SELECTION) + 1


def test_every_path_of_the_selection_is_there():
    paths = [ROOT / word for words in legs.SELECTION for word in words if word.startswith("tests/")]
    assert paths
    assert [path for path in paths if not path.exists()] == []


def venv_makes(folder, monkeypatch):
    def run(command, **options):
        folder.mkdir(exist_ok=True)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(leg_environment.subprocess, "run", run)


def test_an_environment_is_made_anew_when_its_plan_changes_only(tmp_path, monkeypatch):
    made = []
    venv_makes(tmp_path / "leg", monkeypatch)
    for plan in ("a", "a", "b"):
        leg_environment.make(tmp_path / "leg", sys.executable, plan, lambda folder, plan=plan: made.append(plan))
    assert made == ["a", "b"]


def test_an_installation_that_failed_is_begun_again(tmp_path, monkeypatch):
    venv_makes(tmp_path / "leg", monkeypatch)
    made = []

    def fails(folder):
        made.append(folder)
        raise leg_environment.LegError("no index")

    for _ in range(2):
        with pytest.raises(leg_environment.LegError, match="no index"):
            leg_environment.make(tmp_path / "leg", sys.executable, "a", fails)
    assert len(made) == 2


def test_a_python_that_is_not_there_is_named(tmp_path):
    with pytest.raises(leg_environment.LegError, match=r"no python3\.99 on PATH; name one with --python"):
        leg_environment.make(tmp_path, "python3.99", "plan", print)


def test_what_a_python_says_that_makes_no_environment_is_the_error(tmp_path):
    stand_in = tmp_path / "python3.13"
    stand_in.write_text("#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n")
    stand_in.chmod(0o755)
    with pytest.raises(leg_environment.LegError, match=r"(?s)command not found.*another with --python"):
        leg_environment.make(tmp_path / "leg", str(stand_in), "plan", lambda folder: None)


def test_what_pip_says_is_the_error(tmp_path, monkeypatch):
    refused = subprocess.CompletedProcess([], 1, "", "ERROR: no version of torch fits")
    monkeypatch.setattr(leg_environment.subprocess, "run", lambda *words, **options: refused)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uv").touch()
    with pytest.raises(leg_environment.LegError, match="no version of torch fits"):
        leg_environment.fill(tmp_path, "torch")


def test_the_environment_stays_out_of_the_repository():
    with pytest.raises(argparse.ArgumentTypeError, match="outside"):
        leg_environment.outside(str(ROOT / "artefacts" / "colab"))


def test_an_unknown_lesson_is_named():
    with pytest.raises(argparse.ArgumentTypeError, match="no lesson '77'"):
        legs.lesson("77")
