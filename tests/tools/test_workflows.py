"""The workflows: they parse, name programs, legs and versions that exist, and every ${{ }} of theirs is defined."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
yaml = pytest.importorskip("yaml")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
INSTALLED = {"jupyter-repo2docker": "jupyter-repo2docker"}      # a program, and the package that a step before brings
OF_THE_RUNNER = {"python", "bash", "docker", "git", "gh", "rm", "make"}


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request):
    return yaml.safe_load(request.param.read_text())


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def commands(workflow):
    """The words of every line that a step runs, without what a shell makes of them."""
    for step in steps(workflow):
        for line in step.get("run", "").splitlines():
            yield shlex.split(re.sub(r"\$\{\{.*?\}\}|\$\(.*?\)", "X", line), comments=True)


def test_there_are_workflows():
    assert {"legs", "test"} <= {path.stem for path in WORKFLOWS}


def test_a_job_ends_and_may_write_only_where_it_says_so(workflow):
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert job["runs-on"], name
        assert 0 < job["timeout-minutes"] <= 360, name
        assert all(("uses" in step) != ("run" in step) for step in job["steps"]), name
        assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"]) for step in job["steps"] if "uses" in step), name
        if any("run" in step for step in job["steps"]):
            assert job["steps"][0]["uses"].startswith("actions/checkout@"), name


def test_every_program_that_a_step_runs_is_there(workflow):
    brought = " ".join(" ".join(words) for words in commands(workflow) if words[1:4] == ["-m", "pip", "install"])
    for first, *words in commands(workflow):
        if first in INSTALLED:
            assert INSTALLED[first] in brought
        elif first.startswith(".venv/"):
            assert any(line[0] == "tools/setup.sh" for line in commands(workflow))
        elif "/" in first:
            assert os.access(ROOT / first, os.X_OK), first
        else:
            assert first in OF_THE_RUNNER or "=" in first, first
        for word in words:
            if re.match(r"(tools|\.ci|docs|tests|notebooks)(/|$)", word):
                assert (ROOT / word).exists(), word


def test_the_courses_own_commands_are_there(workflow):
    from gpucourse.__main__ import COMMANDS

    for words in commands(workflow):
        if words[1:3] == ["-m", "gpucourse"]:
            assert words[3] in COMMANDS


def test_what_an_expression_names_is_defined(workflow):
    for name, job in workflow["jobs"].items():
        matrix = job.get("strategy", {}).get("matrix", {})
        defined = set(matrix) | {key for row in matrix.get("include", ()) for key in row}
        steps = {step["id"] for step in job["steps"] if "id" in step}
        for expression in re.findall(r"\$\{\{\s*(.*?)\s*\}\}", str(job)):
            if expression.startswith("steps."):
                assert expression.split(".")[1] in steps, f"{name}: {expression}"
                continue
            kind, _, key = expression.partition(".")
            assert (kind == "matrix" and key in defined) or expression == "github.token", f"{name}: {expression}"


def test_every_leg_runs_once_a_week_on_every_python():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "legs.yml").read_text())
    when = workflow[True]                       # YAML 1.1 reads `on` as a truth
    assert all(re.fullmatch(r"\d+ \d+ \* \* [0-6]", row["cron"]) for row in when["schedule"])
    ran = [(row["leg"], row["python"]) for row in workflow["jobs"]["leg"]["strategy"]["matrix"]["include"]]
    assert {leg for leg, _ in ran} == {"colab-gpu", "colab-cpu", "oldest", "newest"}
    assert {python for leg, python in ran if leg == "newest"} == {"3.11", "3.12", "3.13"}
    assert workflow["jobs"]["gpu"]["runs-on"] == ["self-hosted", "gpu"]


def test_the_legs_command_takes_what_the_workflow_gives(monkeypatch):
    pytest.importorskip("nbclient")
    legs = pytest.importorskip("legs")
    asked = []
    for name in ("colab", "bounded"):
        monkeypatch.setattr(legs, name, lambda leg, *rest: asked.append((leg, rest[2])) or True)
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "legs.yml").read_text())
    job = workflow["jobs"]["leg"]
    [line] = [step["run"] for step in job["steps"] if "legs.py" in step.get("run", "")]
    for row in job["strategy"]["matrix"]["include"]:
        words = shlex.split(re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda found, row=row: row[found[1]], line))
        words = [word.replace("$RUNNER_TEMP", "/tmp") for word in words]
        try:
            assert legs.main(words[2:]) == 0
        except (SystemExit, argparse.ArgumentTypeError) as error:
            pytest.fail(f"{words}: {error}")
        assert asked[-1] == (row["leg"], f"python{row['python']}")
