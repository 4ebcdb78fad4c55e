"""The banks explorer in JupyterLab: each control moves the picture, and the sentence is the plain function's."""

import nbformat
import pytest

from gpucourse.viz import banks

CELLS = ("from gpucourse.viz import explorers", "explorers.banks()")


@pytest.fixture
def explorer(lab, open_notebook):
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), lab[0] / "banks.ipynb")
    notebook = open_notebook("banks.ipynb")
    notebook.run_all(lab[0])
    yield notebook.explorer(CELLS[1])
    notebook.screenshot("moved")


def test_each_control_moves_the_picture_and_the_sentence_is_the_plain_functions(explorer):
    assert explorer.sentence() == banks.sentence()
    steps = (
        (1, "ArrowRight", 1, {"padding": 1}),
        (0, "ArrowLeft", 3, {"padding": 1, "width": 16}),
        (2, "Home", 1, {"padding": 1, "width": 16, "access": "row"}),
        (3, "ArrowRight", 1, {"padding": 1, "width": 16, "access": "row", "bits": 64}),
    )
    seen = {explorer.picture()}
    for control, key, times, values in steps:
        explorer.press(control, key, times)
        explorer.page.wait_for_function(
            "([box, due]) => box.querySelector('[role=status]').innerText === due",
            arg=[explorer.box.element_handle(), banks.sentence(**values)], timeout=15_000,
        )  # fmt: skip
        seen.add(explorer.picture())
    assert len(seen) == len(steps) + 1
