"""The canvas in JupyterLab: drawn on with the mouse, the drawing reaches the kernel, the picture and the network."""

import re

import pytest

CELLS = (
    "import numpy as np\nfrom gpucourse.viz import explorers\n"
    "scores = lambda image: [float(image[:, :14].sum()), float(image[:, 14:].sum()), float(image[:5].sum())]\n"
    "maps = {'ink': lambda image, of: image, 'row': lambda image, of: np.eye(28)[[13] * 28]}",
    "pad = explorers.drawing()\npad",
    "explorers.saliency(scores, maps)",
    "0",
)
ANSWER = (
    "p = pad.picture\nrows, columns = (np.flatnonzero(p.max(axis=a)) for a in (1, 0))\n"
    "print(p.shape, np.ptp(rows) + 1, np.ptp(columns) + 1, bool(p[:, 20:].any()))"
)


@pytest.fixture
def notebook(open_cells):
    notebook = open_cells("drawing", CELLS)
    yield notebook
    notebook.screenshot("end")


def draw(shown, *points):
    """Draw a line through points on the canvas, with the mouse held down."""
    canvas = shown.box.locator("canvas")
    canvas.scroll_into_view_if_needed()
    box, mouse = canvas.bounding_box(), shown.page.mouse
    mouse.move(box["x"] + points[0][0], box["y"] + points[0][1])
    mouse.down()
    for x, y in points[1:]:
        mouse.move(box["x"] + x, box["y"] + y, steps=8)
    mouse.up()


def wait(shown, words):
    shown.page.wait_for_function(
        "([box, words]) => box.querySelector('[role=status]').innerText.includes(words)",
        arg=[shown.box.element_handle(), words], timeout=15_000,
    )  # fmt: skip


def ink_of(shown):
    """The share of the canvas that is drawn on."""
    read = """c => { const d = c.getContext('2d').getImageData(0, 0, 280, 280).data; let n = 0;
                     for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n / 280 / 280; }"""
    return shown.box.locator("canvas").evaluate(read)


def run(notebook, cell, code):
    """Type `code` over the last cell and run it; return what it prints."""
    cell.locator(".cm-content").click()
    notebook.page.keyboard.press("Control+a")
    notebook.page.keyboard.insert_text(code)
    notebook.page.keyboard.press("Control+Enter")
    out = cell.locator(".jp-OutputArea-output", has_text=re.compile(r"\(28, 28\)"))
    out.wait_for(timeout=15_000)
    return out.inner_text()


def test_what_the_mouse_draws_arrives(notebook):
    pad = notebook.explorer(CELLS[1].split("\n")[0])
    assert pad.sentence().startswith("A bundled 3 ")
    bundled = pad.picture()
    draw(pad, (60, 60), (200, 60), (100, 220))                     # a seven
    wait(pad, "Your drawing")
    assert 0.05 < ink_of(pad) < 0.2
    seven = pad.picture()
    assert seven != bundled
    draw(pad, (90, 150), (190, 150))                               # its bar: a second stroke adds to the first
    pad.changed(seven, "the second stroke")
    notebook.screenshot("drawn")
    last = notebook.page.locator(".jp-CodeCell").last
    assert run(notebook, last, ANSWER).startswith("(28, 28) 20 ")

    pad.box.get_by_role("button", name="Clear the canvas").click()
    wait(pad, "A bundled 3")
    assert ink_of(pad) == 0
    assert pad.picture() == bundled

    draw(pad, (140, 40), (140, 240))
    wait(pad, "Your drawing")
    pad.press(0, "End")
    wait(pad, "A bundled 9")
    assert ink_of(pad) == 0


def test_the_saliency_explorer_asks_the_functions_about_the_drawing(notebook):
    shown = notebook.explorer(CELLS[2])
    assert shown.sentence().startswith("A bundled 3, ink: ")
    bundled = shown.picture()
    draw(shown, (140, 40), (60, 120), (100, 240), (200, 180), (110, 150))
    wait(shown, "Your drawing, ink: ")
    assert shown.picture() != bundled
    shown.press(1, "End")
    wait(shown, "Your drawing, row: ")
    shown.press(2, "End")
    wait(shown, "the map for 2 is strongest at row")
    notebook.screenshot("saliency")
    pad = notebook.explorer(CELLS[1].split("\n")[0])
    assert pad.sentence().startswith("A bundled 3 "), "each canvas has its own explorer"


def test_colabs_own_way_is_called_with_the_pixels(notebook):
    shown = notebook.explorer(CELLS[1].split("\n")[0])
    page = shown.page
    page.evaluate("""() => { window.calls = [];
        window.google = {colab: {kernel: {invokeFunction: (...a) => window.calls.push(a)}}}; }""")
    draw(shown, (0, 0), (279, 279))
    wait(shown, "Your drawing")
    ((name, (text,), _),) = page.evaluate("window.calls")
    assert name == shown.box.locator("canvas").get_attribute("data-callback")
    assert len(text) == 2 * 56 * 56
    assert text.startswith("ff")
    assert text.endswith("ff")
    assert text[100:112] == "0" * 12
