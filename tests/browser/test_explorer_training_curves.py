"""The training curves in JupyterLab: the picture changes while the cell trains, and the controls work after it."""

import nbformat
import pytest

TRAINING = """
class Slow:
    def __len__(self): return 80
    def __iter__(self):
        for k in range(80):
            time.sleep(0.15)
            yield torch.randn(16, 4), torch.randint(0, 3, (16,))

curves.finish(fit(torch.nn.Linear(4, 3), Slow(), epochs=1, validation=[next(iter(Slow()))], evaluate_every=40,
                  on_step=curves.on_step, progress=False))
"""
CELLS = (
    "import time, torch\nfrom gpucourse.train import fit\nfrom gpucourse.viz import explorers",
    "curves = explorers.training_curves(steps=80)\ncurves",
    TRAINING.strip(),
    "print(curves.sentence)",
)


@pytest.fixture
def notebook(lab, open_notebook):
    pytest.importorskip("torch")
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS], metadata=kernel)
    nbformat.write(made, lab[0] / "training_curves.ipynb")
    notebook = open_notebook("training_curves.ipynb")
    yield notebook
    notebook.screenshot("end")


def run(notebook):
    notebook.page.get_by_role("menuitem", name="Run", exact=True).click()
    notebook.page.get_by_text("Run All Cells", exact=True).click()


def test_the_picture_grows_while_the_cell_runs_and_the_controls_work(notebook, lab):
    page = notebook.page
    run(notebook)
    shown = notebook.explorer("curves = explorers")
    training = page.locator(".jp-CodeCell").nth(2).locator(".jp-InputPrompt")
    page.wait_for_function("box => box.innerText.includes('After ')", arg=shown.box.element_handle(), timeout=60_000)
    notebook.screenshot("running")
    seen, words = set(), set()
    while "*" in training.inner_text():
        picture, sentence = shown.picture(), shown.sentence()
        if "*" in training.inner_text():    # seen before it ended
            seen.add(picture)
            words.add(sentence)
        page.wait_for_timeout(100)
    assert len(seen) >= 3, "the picture stands still while the cell runs"
    assert len([sentence for sentence in words if " of 80" in sentence]) >= 2
    page.wait_for_function("box => box.innerText.includes('2 evaluations')", arg=shown.box.element_handle())
    finished = shown.sentence()
    assert finished.startswith("After 80 steps and 2 evaluations")
    shown.press(1, "Space")             # the logarithmic axis: another picture, the same words
    assert shown.sentence() == finished
    shown.press(0, "ArrowRight")
    assert "mean loss of 50 steps" in shown.sentence()
