"""`%%needs`: an import, or one line that says what is lacking; through IPython's own machinery."""

import os
import subprocess
import sys

import pytest

from gpucourse import needs, optional
from gpucourse.optional import Need

BODY = ["x = 1\n", "x"]


@pytest.fixture(autouse=True)
def forgets():
    """What was found once is kept in mind for the process; not from test to test."""
    needs._bring.cache_clear()
    yield
    needs._bring.cache_clear()


@pytest.mark.parametrize(
    ("line", "made"),
    [
        ("%%needs json", "import json"),
        ("%%needs json as j, os.path as p", "import json as j, os.path as p"),
        ("%%needs  json ,  math ", "import json, math"),
    ],
)
def test_what_is_there_is_imported_in_the_cells_first_line_and_the_rest_stays(line, made):
    assert needs.transform([line + "\n", *BODY]) == [made + "\n", *BODY]


@pytest.mark.parametrize(
    "lines",
    [[], ["x = 1\n"], ["%%time\n", "x\n"], ["\n", "%%needs json\n"], ["%%needs\n"], ["%%needsjson\n"]],
)
def test_other_cells_stay_as_they_are(lines):
    assert needs.transform(lines) == lines


@pytest.mark.parametrize("line", ["%%needs json math", "%%needs json as", "%%needs json, ", "%%needs os; print(1)"])
def test_what_is_no_import_is_refused(line):
    with pytest.raises(SyntaxError, match="write what follows an import"):
        needs.transform([line + "\n", *BODY])


def test_where_something_is_missing_the_cell_becomes_one_line_on_stderr(capsys):
    (line,) = needs.transform(["%%needs json, no_such_thing.part as part\n", *BODY])
    exec(line)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "This cell is skipped: no_such_thing is not installed. To get it: pip install no_such_thing\n"


def test_a_package_that_fails_while_it_is_imported_is_told_in_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "half_broken.py").write_text("raise OSError('libx.so: cannot open\\nshared object')\n")
    monkeypatch.syspath_prepend(tmp_path)
    (line,) = needs.transform(["%%needs half_broken\n", *BODY])
    exec(line)
    assert capsys.readouterr().err.count("\n") == 1
    assert "half_broken cannot be imported: OSError: libx.so: cannot open shared object" in line


def test_a_package_that_was_installed_meanwhile_is_found(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    assert len(needs.transform(["%%needs come_late\n", *BODY])) == 1
    (tmp_path / "come_late.py").write_text("here = True\n")
    assert needs.transform(["%%needs come_late\n", *BODY]) == ["import come_late\n", *BODY]


def test_settings_stand_before_the_import_and_the_users_own_stay(tmp_path, monkeypatch):
    (tmp_path / "reads_settings.py").write_text("import os\nseen = os.environ['ONE'], os.environ['TWO']\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TWO", "theirs")
    monkeypatch.setenv("ONE", "")
    monkeypatch.delenv("ONE")
    wanted = Need("", settings=lambda system: {"ONE": "1", "TWO": "2"})
    monkeypatch.setitem(optional.NEEDS, "reads_settings", wanted)
    assert needs.lack("reads_settings") == ""
    assert sys.modules.pop("reads_settings").seen == ("1", "theirs")


def test_a_problem_after_the_import_skips_too_and_a_name_may_stand_for_a_module(monkeypatch):
    monkeypatch.setitem(optional.NEEDS, "json.fast", Need("hurry up", module="json", problem=lambda system: "too slow"))
    assert needs.lack("json.fast") == "too slow. To get it: hurry up"
    monkeypatch.setitem(optional.NEEDS, "json.fast", Need("hurry up", module="json"))
    assert needs.transform(["%%needs json.fast\n", *BODY]) == ["import json\n", *BODY]


IN_A_SHELL = """
from IPython.core.interactiveshell import InteractiveShell
from gpucourse import needs
shell = InteractiveShell.instance(colors="NoColor")
shell.run_line_magic("load_ext", "gpucourse.needs")
needs.load_ipython_extension(shell)
print(">", shell.run_cell("%%needs json as j\\nj.dumps([1])").result)
print(">", shell.run_cell("%%needs no_such_thing\\n1 / 0").success)
found = shell.run_cell("\\n\\n%%needs json\\n'a' 'b'\\n1 / 0")
print(">", type(found.error_in_exec).__name__, found.error_in_exec.__traceback__.tb_next.tb_lineno)
print(">", shell.input_transformers_cleanup.count(needs.transform))
"""


def test_in_a_shell_a_cell_runs_as_if_the_import_were_typed(tmp_path):
    pytest.importorskip("IPython")
    done = subprocess.run([sys.executable, "-c", IN_A_SHELL], capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, "IPYTHONDIR": str(tmp_path)})  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith(">")]
    assert lines == ["> [1]", "> True", "> ZeroDivisionError 3", "> 1"], done.stdout + done.stderr
    assert done.stderr.count("This cell is skipped: no_such_thing is not installed") == 1
