"""The coalescing explorer in JupyterLab: each control moves the picture, and the sentence is the plain function's."""

import nbformat
import pytest

from gpucourse.viz import coalescing

CELLS = ("from gpucourse.viz import explorers", "explorers.coalescing()")


@pytest.fixture
def explorer(lab, open_notebook):
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), lab[0] / "coalescing.ipynb")
    notebook = open_notebook("coalescing.ipynb")
    notebook.run_all(lab[0])
    yield notebook.explorer(CELLS[1])
    notebook.screenshot("moved")


def test_each_control_moves_the_picture_and_the_sentence_is_the_plain_functions(explorer):
    assert explorer.sentence() == coalescing.sentence()
    steps = (
        (0, "ArrowRight", 1, {"stride": 2}),
        (1, "ArrowRight", 3, {"stride": 2, "offset": 3}),
        (2, "ArrowRight", 1, {"stride": 2, "offset": 3, "width": 8}),
        (3, "ArrowLeft", 5, {"stride": 2, "offset": 3, "width": 8, "lanes": 27}),
    )
    seen = {explorer.picture()}
    for control, key, times, values in steps:
        explorer.press(control, key, times)
        explorer.page.wait_for_function(
            "([box, due]) => box.querySelector('[role=status]').innerText === due",
            arg=[explorer.box.element_handle(), coalescing.sentence(**values)], timeout=15_000,
        )  # fmt: skip
        seen.add(explorer.picture())
    assert len(seen) == len(steps) + 1
