"""tools/setup.sh on machines that lack something: one line each, with the next step. Programs on PATH are stand-ins."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COREUTILS = ("sh", "awk", "cat", "cksum", "cp", "dirname", "grep", "mkdir", "rm", "tail")
FILES = ("requirements.txt", "pyproject.toml", "setup.py")

# A Python as setup.sh sees it. `{log}` notes what pip is asked; `{pip}` is what installing does.
PYTHON = """#!/bin/sh
case "$1 $2" in
    "-c import sys"*) [ -n "{version}" ] || exit 127; echo "{version}" ;;
    "-c import ensurepip"*) {ensurepip} ;;
    "-c import pip") true ;;
    "-m venv")
        mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; echo "$(pwd -P)/$3" >"$3/bin/activate"
        echo "venv {version}" >>"{log}" ;;
    "-m pip") echo "pip $*" >>"{log}"; {pip} ;;
esac
"""


class Machine:
    """A course folder and a PATH that holds nothing but stand-ins and a few of the system's own tools."""

    def __init__(self, folder: Path):
        self.course, self.bin, self.log = folder / "my clone", folder / "bin", folder / "log"
        (self.course / "tools").mkdir(parents=True)
        self.bin.mkdir()
        shutil.copy(ROOT / "tools" / "setup.sh", self.course / "tools")
        for name in FILES:
            (self.course / name).write_text(f"{name}\n")
        for name in COREUTILS:
            (self.bin / name).symlink_to(shutil.which(name))
        self.disk(gb=500)

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def python(self, name: str, version: str, ensurepip: str = "true", pip: str = "true") -> None:
        self.program(name, PYTHON.format(version=version, ensurepip=ensurepip, pip=pip, log=self.log))

    def disk(self, gb: int) -> None:
        self.program("df", f"#!/bin/sh\necho head\necho /dev/disk 9 9 {gb}000000 9% /\n")

    def setup(self, mode: str = "learn", **environment: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.course / "tools" / "setup.sh"), mode]
        environment = {"PATH": str(self.bin), **environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True, cwd="/", check=False)

    def refusal(self, mode: str = "learn", **environment: str) -> str:
        """What a set-up that must fail says: one line."""
        done = self.setup(mode, **environment)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith("setup: ") and "Next step: " in line
        return line

    def done(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.fixture
def ready(machine):
    machine.python("python3", "3.12")
    assert machine.setup().returncode == 0
    machine.log.unlink()
    return machine


def test_the_first_run_makes_the_environment_and_the_second_does_nothing(machine):
    machine.python("python3", "3.12")
    first = machine.setup()
    assert (first.returncode, first.stderr) == (0, "")
    assert machine.done()[0] == "venv 3.12"
    assert "-r requirements.txt -e ." in machine.done()[1]
    machine.log.unlink()
    second = machine.setup()
    assert (second.returncode, second.stdout, second.stderr, machine.done()) == (0, "", "", [])


def test_testing_installs_more_and_covers_learning(machine):
    machine.python("python3", "3.12")
    machine.setup("develop")
    assert "-e .[dev]" in machine.done()[1]
    machine.log.unlink()
    machine.setup("learn")
    assert machine.done() == []


def test_learning_does_not_cover_testing(ready):
    ready.setup("develop")
    assert len(ready.done()) == 1 and "-e .[dev]" in ready.done()[0]


@pytest.mark.parametrize("name", FILES)
def test_a_changed_requirement_runs_pip_again_in_the_same_environment(ready, name):
    (ready.course / name).write_text("something else\n")
    ready.setup()
    assert len(ready.done()) == 1 and ready.done()[0].startswith("pip ")


def test_the_newest_python_in_range_is_taken(machine):
    for name, version in {"python3.13": "", "python3.12": "3.12", "python3.11": "3.11", "python3": "3.14"}.items():
        machine.python(name, version)   # python3.13 is there and does not run, as a pyenv shim may
    machine.setup()
    assert machine.done()[0] == "venv 3.12"


def test_python_may_be_named(machine, tmp_path):
    machine.python("python3.13", "3.13")
    machine.python("python in a folder", "3.11")
    machine.setup(PYTHON=str(machine.bin / "python in a folder"))
    assert machine.done()[0] == "venv 3.11"


@pytest.mark.parametrize(
    ("version", "words"),
    [("3.10", "Python 3.10 is too old"), ("3.9", "too old"), ("2.7", "too old"), ("3.14", "3.14 is newer than"),
     ("", "no Python was found")],
)  # fmt: skip
def test_a_python_out_of_range(machine, version, words):
    machine.python("python3", version)
    line = machine.refusal()
    assert words in line and "3.11 to 3.13" in line
    assert not (machine.course / ".venv").exists()


def test_no_python_at_all(machine):
    assert "no Python was found" in machine.refusal()


def test_a_named_python_that_does_not_run(machine):
    machine.python("python3", "3.12")
    assert "PYTHON=/no/such does not run" in machine.refusal(PYTHON="/no/such")


def test_no_venv_module_names_debians_package(machine):
    machine.python("python3", "3.11", ensurepip="false")
    assert "sudo apt-get install python3.11-venv" in machine.refusal()


def test_an_older_python_with_venv_beats_a_newer_one_without(machine):
    machine.python("python3.13", "3.13", ensurepip="false")
    machine.python("python3.11", "3.11")
    machine.setup()
    assert machine.done()[0] == "venv 3.11"


def test_too_little_room_is_said_before_anything_is_made(machine):
    machine.python("python3", "3.12")
    machine.disk(gb=4)
    line = machine.refusal()
    assert "4 GB are free" in line and "about 10 GB" in line
    assert not (machine.course / ".venv").exists()


def test_an_update_needs_no_room_for_a_whole_environment(ready):
    ready.disk(gb=4)
    (ready.course / "requirements.txt").write_text("more\n")
    assert ready.setup().returncode == 0


@pytest.mark.parametrize(
    ("said", "words"),
    [("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "the disk is full"),
     ("ERROR: HTTPSConnectionPool: Failed to establish a new connection", "cannot be reached"),
     ("Temporary failure in name resolution", "cannot be reached"),
     ("ERROR: [Errno 13] Permission denied: /x", "sudo chown"),
     ("ERROR: No matching distribution found for torch>=99", "No matching distribution found for torch>=99"),
     ("", "pip did not finish")],
)  # fmt: skip
def test_a_failing_pip_is_one_line_and_the_next_run_starts_afresh(machine, said, words):
    machine.python("python3", "3.12", pip=f"echo '{said}' >&2; exit 1")
    assert words in machine.refusal()
    machine.python("python3", "3.12")
    again = machine.setup()
    assert again.returncode == 0
    assert "did not finish; .venv is made anew" in again.stdout


def test_an_interrupted_run_is_made_anew(machine):
    machine.python("python3", "3.12", pip="kill -9 $PPID; sleep 1")
    assert machine.setup().returncode != 0
    (machine.course / ".venv" / "half a package").touch()
    machine.python("python3", "3.12")
    assert machine.setup().returncode == 0
    assert not (machine.course / ".venv" / "half a package").exists()


def test_an_environment_whose_python_is_gone_is_made_anew(ready):
    (ready.course / ".venv" / "bin" / "python").unlink()
    again = ready.setup()
    assert "does not run any more" in again.stdout
    assert ready.done()[0] == "venv 3.12"


def test_a_moved_folder_is_made_anew(ready):
    ready.course = ready.course.rename(ready.course.with_name("elsewhere"))
    again = ready.setup()
    assert "the folder has moved" in again.stdout
    assert ready.done()[0] == "venv 3.12"


def test_an_environment_of_an_old_python_is_not_taken(machine):
    machine.python("python3", "3.10")
    subprocess.run([str(machine.bin / "python3"), "-m", "venv", ".venv"], cwd=machine.course, check=True,
                   env={"PATH": str(machine.bin)})  # fmt: skip
    assert ".venv holds Python 3.10" in machine.refusal()


def test_an_environment_that_a_person_made_is_kept(machine):
    machine.python("python3", "3.12")
    subprocess.run([str(machine.bin / "python3"), "-m", "venv", ".venv"], cwd=machine.course, check=True,
                   env={"PATH": str(machine.bin)})  # fmt: skip
    (machine.course / ".venv" / "theirs").touch()
    assert machine.setup().returncode == 0
    assert (machine.course / ".venv" / "theirs").exists()


def test_pips_downloads_do_not_go_to_tmp_and_are_cleared(machine):
    machine.python("python3", "3.12", pip=f'echo "$TMPDIR" >>"{machine.log}"')
    machine.setup()
    assert machine.done()[-1] == str(machine.course / ".venv" / "tmp")
    assert not (machine.course / ".venv" / "tmp").exists()


@pytest.mark.parametrize(("gb", "expected"), [(11, "1"), (100, "")])
def test_pips_cache_is_kept_only_where_there_is_room(machine, gb, expected):
    machine.python("python3", "3.12", pip=f'echo "cache=$PIP_NO_CACHE_DIR" >>"{machine.log}"')
    machine.disk(gb)
    machine.setup()
    assert machine.done()[-1] == f"cache={expected}"


def test_a_wrong_word_is_refused(machine):
    assert "learn|develop, not dance" in machine.setup("dance").stderr


def test_the_scripts_are_clean_shell():
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed")
    scripts = [*(ROOT / "tools").glob("*.sh"), ROOT / ".ci" / "run", ROOT / "binder" / "postBuild"]
    subprocess.run([shellcheck, *map(str, scripts)], check=True)
