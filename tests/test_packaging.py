"""What is installed: light imports, bounds that Colab meets, files that agree, a wheel that is whole."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]

# what Google Colab has, as of the course's design; a lower bound above these would make Colab reinstall
COLAB = {
    "numpy": "2.1.3", "torch": "2.11", "torchvision": "0.26", "matplotlib": "3.10.0", "ipywidgets": "7.7.1",
    "ipykernel": "6.17.1", "pytest": "8.4.2", "cupy-cuda12x": "14.0", "cupy-cuda13x": "14.0",
}  # fmt: skip
# a toolkit's packages must be of its major version: a bound from above that has this reason only
OF_ONE_CUDA = {"cuda-bindings"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def listed(file):
    """The requirements of a requirements file."""
    lines = (ROOT / file).read_text("utf-8").splitlines()
    return [Requirement(line.split(" #")[0]) for line in lines if line.strip() and not line.startswith(("#", "-"))]


def extra(name):
    return [Requirement(text) for text in PROJECT["optional-dependencies"][name]]


def everything():
    named = [Requirement(text) for text in PROJECT["dependencies"]]
    named += [requirement for name in PROJECT["optional-dependencies"] for requirement in extra(name)]
    return named + listed("requirements.txt") + listed("binder/requirements.txt")


def by_name(requirements):
    return {requirement.name: requirement for requirement in requirements}


@pytest.mark.parametrize("requirement", everything(), ids=str)
def test_no_bound_is_above_colab_and_none_is_from_above(requirement):
    for bound in requirement.specifier:
        if requirement.name in OF_ONE_CUDA and bound.operator == "<":
            continue
        assert bound.operator == ">=", f"{requirement}: an upper or exact bound breaks Colab within months"
        if requirement.name in COLAB:
            assert Version(bound.version) <= Version(COLAB[requirement.name])


def test_a_name_has_the_same_bound_wherever_it_stands():
    bounds = {}
    for requirement in everything():
        if requirement.name not in OF_ONE_CUDA and requirement.name != "gpucourse":
            bounds.setdefault(requirement.name, set()).add(str(requirement.specifier))
    assert {name: found for name, found in bounds.items() if len(found) > 1} == {}


def test_the_package_needs_numpy_only():
    assert [Requirement(text).name for text in PROJECT["dependencies"]] == ["numpy"]


@pytest.mark.parametrize("name", ["notebook", "torch", "cuda13", "test"])
def test_a_learner_gets_every_extra_that_lessons_use(name):
    assert by_name(extra(name)).keys() <= by_name(listed("requirements.txt")).keys()


@pytest.mark.parametrize("name", ["notebook", "torch"])
def test_binder_gets_what_lessons_use(name):
    assert by_name(extra(name)).keys() <= by_name(listed("binder/requirements.txt")).keys()


def test_what_macos_lacks_is_marked_in_both_places():
    for requirements in (listed("requirements.txt"), extra("cuda13"), extra("cuda12")):
        for requirement in requirements:
            if requirement.name.startswith(("cupy", "nvidia", "cuda")):
                assert not requirement.marker.evaluate({"sys_platform": "darwin"}), requirement
                assert requirement.marker.evaluate({"sys_platform": "linux"}), requirement
                assert requirement.marker.evaluate({"sys_platform": "win32"}), requirement


def test_nvrtc_and_headers_are_named_where_torch_may_bring_none():
    compiler = {"nvidia-cuda-nvrtc", "nvidia-cuda-runtime", "nvidia-cuda-cccl", "nvidia-cuda-crt", "cuda-bindings"}
    for file in ("requirements.txt", "binder/requirements.txt"):
        assert compiler <= by_name(listed(file)).keys()


def test_binder_takes_torch_and_torchvision_from_the_cpu_index_and_nothing_of_a_gpu():
    options = [line for line in (ROOT / "binder/requirements.txt").read_text().splitlines() if line.startswith("-")]
    assert options == ["--extra-index-url https://download.pytorch.org/whl/cpu"]
    assert not any(name.startswith("cupy") for name in by_name(listed("binder/requirements.txt")))


def test_binders_python_is_one_that_the_course_supports():
    assert re.fullmatch(r"python-3\.1[123]", (ROOT / "binder/runtime.txt").read_text().strip())


def test_binders_script_can_be_run():
    script = ROOT / "binder/postBuild"
    assert script.stat().st_mode & 0o111
    assert script.read_text().startswith("#!/bin/bash\n")


def test_repo2docker_takes_the_files(tmp_path):
    repo2docker = shutil.which("jupyter-repo2docker")
    if repo2docker is None:
        pytest.skip("jupyter-repo2docker is not installed")
    shutil.copytree(ROOT / "binder", tmp_path / "binder")
    command = [repo2docker, "--no-build", "--debug", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 'pip install --no-cache-dir -r "binder/requirements.txt"' in done.stdout + done.stderr
    assert "RUN ./binder/postBuild" in done.stdout + done.stderr


def test_versions_agree():
    import gpucourse

    assert gpucourse.__version__ == PROJECT["version"]
    assert f"## [{PROJECT['version']}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_importing_the_package_brings_nothing_but_numpy():
    """Seconds differ from machine to machine; a list of modules does not."""
    program = (
        "import sys, json, numpy; before = set(sys.modules); import gpucourse; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    brought = {name.split(".")[0] for name in json.loads(done.stdout)} - sys.stdlib_module_names - {"numpy"}
    assert brought == {"gpucourse"}


def test_public_names_are_found():
    import gpucourse

    for name in set(gpucourse._HOMES):
        assert getattr(gpucourse, name) is not None


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of what is tracked, without the network."""
    pytest.importorskip("setuptools", minversion="77")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("gpucourse", "measurements"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "LICENSE-TEXT"):
        shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(out)]
    subprocess.run([*build, str(source)], check=True, capture_output=True)
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def elsewhere(wheel, tmp_path_factory):
    """A fresh environment with the wheel and NumPy, and nothing else."""
    import numpy

    folder = tmp_path_factory.mktemp("fresh") / "environment"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    where = [python, "-c", "import site; print(site.getsitepackages()[0])"]
    target = Path(subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip())
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    for part in Path(numpy.__file__).parents[1].glob("numpy*"):
        (target / part.name).symlink_to(part)
    return python


def run_there(python, *words, check=True):
    command = [str(python), "-W", "error", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=python.parent, check=check)


def test_the_wheel_holds_data_and_measurements(wheel, elsewhere):
    program = "from gpucourse.recorded import published, recorded; print(len(published()), len(recorded()))"
    published, recorded = map(int, run_there(elsewhere, "-c", program).stdout.split())
    assert published > 0
    assert recorded == len(list((ROOT / "measurements").glob("*.json")))


def test_the_wheel_holds_every_module_and_data_file(elsewhere):
    installed = Path(run_there(elsewhere, "-c", "import gpucourse; print(gpucourse.__path__[0])").stdout.strip())
    assert not installed.is_relative_to(ROOT)
    wanted = {p.relative_to(ROOT / "gpucourse") for p in (ROOT / "gpucourse").rglob("*") if p.is_file()}
    missing = [p for p in wanted if "__pycache__" not in p.parts and not (installed / p).exists()]
    assert missing == []


def test_the_doctor_answers_with_numpy_alone(elsewhere):
    done = run_there(elsewhere, "-m", "gpucourse", "doctor", check=False)
    assert done.returncode in (0, 1) and done.stderr == ""
    assert "This machine" in done.stdout and "numpy" in done.stdout


def test_the_lab_says_where_lessons_come_from(elsewhere):
    done = run_there(elsewhere, "-m", "gpucourse", "lab", check=False)
    assert done.returncode == 1
    assert "clone the repository" in done.stderr and len(done.stderr.splitlines()) == 1


def test_arrays_work_with_numpy_alone(elsewhere):
    program = "from gpucourse import cp; print(int(cp.arange(5).sum()))"
    assert run_there(elsewhere, "-c", program).stdout.strip() == "10"
