"""The cost explorer in JupyterLab: each control moves the picture, and the sentence is the plain function's."""

import pytest

from gpucourse.viz import cost

CELLS = ("from gpucourse.viz import explorers", "explorers.cost(price=2.5, speed=40_000)")


@pytest.fixture
def explorer(open_cells):
    notebook = open_cells("cost", CELLS)
    yield notebook.explorer(CELLS[-1])
    notebook.screenshot("moved")


def test_each_control_of_cost_moves_the_picture_and_a_price_is_typed(explorer):
    values = {"price": 2.5, "speed": 40_000}
    assert explorer.sentence() == cost.draw(**values)[1]
    moves = (
        (0, "ArrowRight", 2, {"images": 10**8}),
        (1, "ArrowRight", 1, {"startup": 10}),
        (2, "ArrowRight", 2, {"gpus": 4}),
        (3, "ArrowLeft", 1, {"efficiency": 0.95}),
    )
    walk = []
    for *move, changed in moves:
        values |= changed
        walk.append((*move, cost.draw(**values)[1]))
    explorer.walk(walk)
    price = explorer.box.locator("input[type=number]").first
    price.fill("7.25")
    price.press("Enter")
    due = cost.draw(**values | {"price": 7.25})[1]
    explorer.page.wait_for_function("([box, due]) => box.querySelector('[role=status]').innerText === due",
                                    arg=[explorer.box.element_handle(), due], timeout=15_000)  # fmt: skip
