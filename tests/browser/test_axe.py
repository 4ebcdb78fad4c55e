"""axe-core on what the course puts on a page of JupyterLab: no serious violation in a lesson.

Contrast is not among it: axe passes over the text of a notebook in JupyterLab. tests/browser/test_site.py has it.
Stored lessons are opened, not run; one notebook runs a cell for each explorer. JupyterLab's own menus, editors and
prompts are not ours and not looked at.
"""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.sign import NotebookNotary

from explorer_cells import CELLS, IMPORTS

pytestmark = pytest.mark.timeout(240)
NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
LAB_SETTINGS = {"@jupyterlab/notebook-extension/tracker": '{"windowingMode": "none"}'}   # draws every cell
LAB_OPTIONS = ["--LabApp.expose_app_in_browser=True"]
OURS = [".jp-NotebookPanel .jp-RenderedMarkdown", ".jp-NotebookPanel .jp-OutputArea-output"]
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}

@pytest.fixture(scope="module")
def axe_source():
    package = pytest.importorskip("axe_playwright_python", reason="no axe: pip install axe-playwright-python")
    return (Path(package.__file__).parent / "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="module")
def page(chromium, lab, axe_source):
    page = chromium.new_page(viewport={"width": 1400, "height": 1000})
    page.goto(lab[1]("").replace("/tree/", ""))   # a folder's address ends in a dialog, which hides the rest from axe
    page.wait_for_function("window.jupyterapp")
    page.evaluate("window.jupyterapp.restored.then(() => 0)")
    page.evaluate(axe_source)
    yield page
    page.close()


def command(page, name, **arguments):
    page.evaluate("([name, args]) => jupyterapp.commands.execute(name, args).then(() => 0)", [name, arguments])


@pytest.fixture
def opened(page, lab):
    """A function that opens a notebook of the lab's folder, without waiting for its kernel; closed at the end."""

    def opened(path):
        cells = nbformat.read(lab[0] / path, as_version=4).cells
        number_of_cells, outputs = len(cells), sum(len(cell.get("outputs", ())) for cell in cells)
        command(page, "docmanager:open", path=path)
        drawn = f"document.querySelectorAll('.jp-NotebookPanel .jp-Cell').length == {number_of_cells}"
        page.wait_for_function(drawn, timeout=60_000)
        shown = f"document.querySelectorAll('.jp-OutputArea-output').length >= {outputs}"
        page.wait_for_function(shown, timeout=60_000)
        page.wait_for_function("jupyterapp.shell.currentWidget && jupyterapp.shell.currentWidget.sessionContext")
        page.wait_for_timeout(1000)   # until the panel is laid out: axe passes over what cannot be seen
        # JupyterLab hands a picture to its renderer some time after the cell is there
        page.wait_for_function("[...document.querySelectorAll('.jp-RenderedImage')].every(r => r.querySelector('img'))")
        return page

    yield opened
    page.evaluate("for (const each of [...jupyterapp.shell.widgets('main')]) each.dispose()")
    page.evaluate("() => { jupyterapp.serviceManager.sessions.shutdownAll(); }")   # not waited for


def violations(page, scope=OURS):
    """What axe finds serious or critical in `scope`, in the words of axe."""
    run = "scope => axe.run({include: scope.map(s => [s])}, {resultTypes: ['violations']})"
    return [f"{each['id']}: {node['html'][:200]}: {node['failureSummary']}"
            for each in page.evaluate(run, scope)["violations"] if each["impact"] in ("serious", "critical")
            for node in each["nodes"]]  # fmt: skip


@pytest.mark.parametrize("lesson", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_lesson_as_stored_has_no_serious_violation(lesson, lab, opened):
    shutil.copy(lesson, lab[0])
    page = opened(lesson.name)
    assert violations(page) == []


# what Tab must reach
CONTROLS = ":is(.noUi-handle, select, input, textarea, button)"


def test_no_explorer_has_a_serious_violation_and_tab_reaches_every_control(lab, opened):
    cells = [nbformat.v4.new_code_cell(text) for text in (IMPORTS, *CELLS.values())]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), lab[0] / "all-explorers.ipynb")
    page = opened("all-explorers.ipynb")
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.ready.then(() => 0)")   # else it asks for a kernel
    page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells'); }")
    boxes = ".jp-OutputArea-output:has(.widget-vbox)"
    page.wait_for_function(f"document.querySelectorAll('{boxes} img').length == {len(CELLS)}", timeout=120_000)
    seen = f"[...document.querySelectorAll('{boxes} {CONTROLS}')].filter(each => each.offsetParent)"
    assert page.evaluate(f"{seen}.length") > 3 * len(CELLS) / 2
    assert page.evaluate(f"{seen}.filter(each => each.tabIndex < 0).map(each => each.outerHTML)") == []
    assert violations(page) == []


def test_axe_sees_a_choice_and_a_slider_without_a_name(lab, opened):
    """The check itself: two faults put into a notebook are found."""
    faults = "<select><option>1</option></select><input type='range'>"
    output = nbformat.v4.new_output("display_data", {"text/html": faults, "text/plain": "faults"})
    cell = nbformat.v4.new_code_cell("1", outputs=[output], execution_count=1)
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata=KERNEL)
    NotebookNotary().sign(notebook)   # else JupyterLab takes both out
    nbformat.write(notebook, lab[0] / "faults.ipynb")
    found = " ".join(violations(opened("faults.ipynb")))
    assert "select-name: <select>" in found and "label: <input" in found
