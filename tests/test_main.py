"""The command line: dispatch, lazy loading, one line for what is missing."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

import gpucourse
from gpucourse import __main__ as command_line


@pytest.fixture
def echo(monkeypatch):
    """A stand-in command that notes what it was given."""
    module = types.ModuleType("gpucourse.echo")
    module.seen = []
    module.add_arguments = lambda parser: parser.add_argument("--loud", action="store_true")
    module.run = lambda args: module.seen.append((args.loud, args.rest)) or 3
    monkeypatch.setitem(sys.modules, "gpucourse.echo", module)
    monkeypatch.setitem(command_line.COMMANDS, "echo", ("gpucourse.echo", "say it again"))
    return module


def test_options_and_status_go_through(echo):
    assert command_line.main(["echo", "--loud"]) == 3
    assert echo.seen == [(True, [])]


def test_an_unknown_option_is_refused(echo, capsys):
    with pytest.raises(SystemExit) as stopped:
        command_line.main(["echo", "--quiet"])
    assert stopped.value.code == 2
    assert "echo does not know --quiet" in capsys.readouterr().err


def test_an_unknown_option_reaches_a_command_that_passes_on(echo):
    echo.PASSES_ON = "another program"
    command_line.main(["echo", "--ip=0.0.0.0"])
    assert echo.seen == [(False, ["--ip=0.0.0.0"])]


@pytest.mark.parametrize("words", [[], ["dance"], ["--lab"]])
def test_a_wrong_command_line_names_the_commands(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        command_line.main(words)
    assert stopped.value.code == 2
    assert "usage: gpucourse" in capsys.readouterr().err


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as stopped:
        command_line.main(["--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert [command for command in command_line.COMMANDS if command not in shown] == []


def test_a_module_that_this_version_lacks_is_one_line(monkeypatch, capsys):
    monkeypatch.setitem(command_line.COMMANDS, "grade", ("gpucourse.no_such_part", "mark a folder"))
    assert command_line.main(["grade"]) == 1
    assert capsys.readouterr().err == "gpucourse grade: this version of the course has no gpucourse.no_such_part\n"


def test_a_package_that_is_missing_is_one_line_with_the_next_step(monkeypatch, capsys, tmp_path):
    (tmp_path / "needs_more.py").write_text("import package_that_is_not_here\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(command_line.COMMANDS, "more", ("needs_more", "need more"))
    assert command_line.main(["more"]) == 1
    assert "package_that_is_not_here is missing here. Next step:" in capsys.readouterr().err


def test_only_the_chosen_command_is_imported():
    program = (
        "import sys; from gpucourse.__main__ import main\n"
        "try: main(['lab', '--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('gpucourse.examination', 'gpucourse.measure', 'gpucourse.exercises') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", list(command_line.COMMANDS))
def test_every_command_answers_help(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        command_line.main([command, "--help"])
    assert stopped.value.code == 0
    assert f"usage: gpucourse {command}" in capsys.readouterr().out


def test_public_names_stay_what_they_are_after_their_first_use() -> None:
    """A module of the package with the name of a public function would hide the function."""
    for name in gpucourse.__all__:
        if name != "cp":
            assert callable(getattr(gpucourse, name)) and getattr(gpucourse, name) is getattr(gpucourse, name)
