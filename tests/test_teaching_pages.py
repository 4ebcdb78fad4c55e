"""The teacher's pages on nbgrader, JupyterHub and progress say what is so: their code, commands and links hold."""

import argparse
import re
import shlex
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

import gpucourse
from gpucourse import lab
from gpucourse.__main__ import COMMANDS

FOLDER = Path(__file__).parents[1] / "docs" / "teaching"
PAGES = ("nbgrader.md", "jupyterhub.md", "progress.md")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"python -m gpucourse ([^`\n;#|]+)")


@pytest.fixture(params=PAGES)
def text(request):
    return (FOLDER / request.param).read_text(encoding="utf-8")


def blocks(text, language):
    return [code for kind, code in FENCE.findall(text) if kind == language]


def test_code_is_python_and_its_names_exist(text):
    for code in blocks(text, "python"):
        compile(code, "page", "exec")
        for names in re.findall(r"from gpucourse import (.+)", code):
            assert all(hasattr(gpucourse, name.strip()) for name in names.split(","))


def test_commands_are_understood(text):
    found = COMMAND.findall(text)
    assert found
    for words in map(shlex.split, found):
        parser = argparse.ArgumentParser(exit_on_error=False)
        module = import_module(COMMANDS[words[0]][0])
        module.add_arguments(parser)
        if words[1:]:     # in running text a command may stand without its arguments
            assert parser.parse_known_args(words[1:])[1] == []


def test_links_lead_somewhere(text):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert target.startswith("https://") or (FOLDER / target).exists(), target


class Anything(SimpleNamespace):
    """A configuration as traitlets has it: c.Spawner.cmd = …"""

    def __getattr__(self, name):
        self.__dict__[name] = Anything()
        return self.__dict__[name]


def configuration(page):
    c = Anything()
    for code in blocks((FOLDER / page).read_text(encoding="utf-8"), "python"):
        if "get_config()" in code:
            exec(code, {"get_config": lambda: c})
    return c


def test_each_learners_server_begins_by_copying_the_lessons():
    start = configuration("jupyterhub.md").Spawner.cmd
    assert start[:2] == ["bash", "-c"]
    copying, server = start[2].split("; ")
    parser = argparse.ArgumentParser()
    lab.add_arguments(parser)
    args = parser.parse_args(shlex.split(copying)[4:])
    assert args.copy_only and args.folder == Path(configuration("jupyterhub.md").Spawner.notebook_dir)
    assert server == 'exec jupyterhub-singleuser "$@"'


def test_nbgraders_stub_leaves_ours():
    assert configuration("nbgrader.md").ClearSolutions.code_stub == {"python": ""}
