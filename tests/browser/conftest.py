"""JupyterLab in a headless Chromium, driven as a learner would: open, wait, run all cells, move a slider, look.

Screenshots are kept under artefacts/. Where Chromium or Playwright is missing these tests are
skipped with the reason, except under CI, which installs both: there a missing browser is a failure.
"""

import contextlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

from gpucourse.lab import EXTENSIONS

ROOT = Path(__file__).parents[2]
ARTEFACTS = ROOT / "artefacts"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync", "--no-first-run"]
RUN_SECONDS = 180
QUIET = {"@jupyterlab/apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}'}


def _missing(reason):
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture(scope="session")
def chromium():
    """A running headless Chromium."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not found:
        _missing("no Chromium: apt-get install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        _missing("no Playwright: pip install playwright")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory, request):
    """A JupyterLab over a learner's copies of the lessons; yields its folder and a function from a file to its URL.

    A module may name command-line options of its own in LAB_OPTIONS, and settings in LAB_SETTINGS.
    """
    folder = tmp_path_factory.mktemp("lab")
    home = tmp_path_factory.mktemp("home")
    port, token = _free_port(), secrets.token_hex(8)
    environment = os.environ | {"GPUCOURSE_PROGRESS": str(home / "progress.json"), "JUPYTER_CONFIG_DIR": str(home)}
    for what in ("settings", "workspaces"):
        environment[f"JUPYTERLAB_{what.upper()}_DIR"] = str(home / what)
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}"]
    command += [f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={token}", "--ServerApp.port_retries=0"]
    command += [f"--LabApp.extra_labextensions_path={EXTENSIONS}", *getattr(request.module, "LAB_OPTIONS", [])]
    for name, text in (QUIET | getattr(request.module, "LAB_SETTINGS", {})).items():
        file = home / "settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    with open(folder.parent / "lab.log", "w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    base = f"http://localhost:{port}"
    try:
        _wait_until_up(f"{base}/api/status?token={token}", server, folder.parent / "lab.log")
        yield folder, lambda name: f"{base}/lab/tree/{name}?token={token}&reset"
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(15)
        server.kill()


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_up(url, server, log):
    for _ in range(120):
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):
            return
        if server.poll() is not None:
            break
        time.sleep(0.5)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


class Notebook:
    """One open notebook: what a learner can do with it, and what the page then shows."""

    def __init__(self, page, url, name):
        self.page, self.name = page, name
        page.goto(url)
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=60_000)
        # the status bar's word; the notebook's own mark says idle before the kernel is connected
        page.get_by_text(re.compile(r"\| Idle")).first.wait_for(timeout=60_000)

    def run_all(self, folder):
        """Choose Run > Run All Cells; return the saved notebook once every code cell has its number and output."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_text("Run All Cells", exact=True).click()
        end = time.monotonic() + RUN_SECONDS
        while time.monotonic() < end:   # between two cells the kernel says "Idle" too, so idleness proves nothing
            self.page.wait_for_timeout(2000)
            notebook = self.saved(folder)
            if all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code" and cell.source):
                return notebook
        pytest.fail(f"Run All Cells did not end within {RUN_SECONDS} s")

    def saved(self, folder):
        """Choose File > Save, wait until the file has changed, and return the notebook that the learner now has."""
        file = folder / f"{self.name}.ipynb"
        before = file.stat().st_mtime_ns
        self.page.get_by_role("menuitem", name="File", exact=True).click()
        self.page.get_by_text("Save Notebook", exact=True).click()
        for _ in range(50):
            if file.stat().st_mtime_ns != before:
                break
            self.page.wait_for_timeout(100)
        for _ in range(100):   # the server may still be writing
            with contextlib.suppress(nbformat.reader.NotJSONError):
                return nbformat.read(file, as_version=4)
            self.page.wait_for_timeout(100)
        pytest.fail(f"{file} is no notebook 10 s after it was saved: {file.read_text()[-200:]}")

    def reveal(self, text):
        """Scroll to the cell whose code holds `text` (JupyterLab draws only what is near); return its locator."""
        cell = self.page.locator(".jp-CodeCell").filter(has=self.page.locator(".cm-content", has_text=text)).first
        self.page.locator(".jp-Notebook").first.hover()
        for direction in (-30_000, *[500] * 120):
            if cell.count() and cell.is_visible():
                cell.scroll_into_view_if_needed()
                return cell
            self.page.mouse.wheel(0, direction)
            self.page.wait_for_timeout(100)
        pytest.fail(f"no cell with {text!r} on the page")

    def explorer(self, call):
        """The explorer that the cell with the code `call` shows, drawn and in view."""
        box = self.reveal(call).locator(".jp-OutputArea .widget-vbox").first
        box.locator("img").wait_for(timeout=30_000)
        box.locator("img").scroll_into_view_if_needed()
        return Shown(self.page, box)

    def answer(self, problem, code):
        """Type `code` over the answer to `problem`, press Ctrl+Enter, and return what the check then says."""
        call = f'check("{problem.id}", {problem.answer})'
        return self._typed(call, f"{code.strip()}\n\n{call}")

    def choose(self, question, letter):
        """Answer `question` by `letter`, press Ctrl+Enter, and return what the page then says."""
        return self._typed(f'answer("{question.id}"', f'answer("{question.id}", "{letter}")')

    def _typed(self, call, code):
        """Type `code` over the cell that holds `call`, run it, and return what it then shows."""
        cell = self.reveal(call)
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(code)
        before = cell.locator(".jp-InputPrompt").inner_text()
        self.page.keyboard.press("Control+Enter")
        for _ in range(150):
            prompt = cell.locator(".jp-InputPrompt").inner_text()
            if prompt != before and "*" not in prompt:
                break
            self.page.wait_for_timeout(100)
        return cell.locator(".jp-OutputArea-output").first.inner_text()

    def screenshot(self, what):
        ARTEFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTEFACTS / f"{self.name}-{what}.png")


class Shown:
    """One explorer on the page: its picture's bytes, its sentence, its sliders."""

    def __init__(self, page, box):
        self.page, self.box = page, box

    def picture(self):
        read = "async i => Array.from(new Uint8Array(await (await fetch(i.src)).arrayBuffer()))"
        return bytes(self.box.locator("img").first.evaluate(read))

    def sentence(self):
        return self.box.locator("[role=status]").inner_text()

    def press(self, control, key, times=1):
        """Press a key on the `control`-th slider, as a learner without a mouse would; wait for the new picture."""
        before = self.picture()
        handle = self.box.locator(".noUi-handle, select, input[type=checkbox]").nth(control)
        handle.focus()
        for _ in range(times):
            handle.press(key)
        self.changed(before, f"{times} x {key}")

    def changed(self, before, what):
        """Wait until another picture than `before` is shown, which was taken before `what` was done."""
        for _ in range(100):
            if self.picture() != before:
                return
            self.page.wait_for_timeout(100)
        pytest.fail(f"the picture did not change after {what}")

    def walk(self, steps):
        """Press keys as `steps` say, (control, key, times, words); each ends at its words and a picture of its own."""
        seen = {self.picture()}
        for control, key, times, words in steps:
            self.press(control, key, times)
            self.page.wait_for_function(
                "([box, due]) => box.querySelector('[role=status]').innerText === due",
                arg=[self.box.element_handle(), words], timeout=15_000,
            )  # fmt: skip
            seen.add(self.picture())
        assert len(seen) == len(steps) + 1


@pytest.fixture
def open_notebook(chromium, lab):
    """A function that opens a notebook file of the lab's folder in a fresh page."""
    pages = []

    def opened(name):
        page = chromium.new_page(viewport={"width": 1400, "height": 1000})
        pages.append(page)
        return Notebook(page, lab[1](name), Path(name).stem)

    yield opened
    for page in pages:
        page.close()


@pytest.fixture
def open_cells(lab, open_notebook):
    """A function that makes the notebook `name` of code cells, opens it and runs them all."""

    def opened(name, cells):
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells], metadata=kernel)
        nbformat.write(made, lab[0] / f"{name}.ipynb")
        notebook = open_notebook(f"{name}.ipynb")
        notebook.run_all(lab[0])
        return notebook

    return opened
