"""The memory of a cell in JupyterLab, untrained and trained: each control moves the picture, the words are the same."""

import pytest

from gpucourse.viz import cell_memory

CELLS = ("from gpucourse.viz import explorers", "explorers.cell_memory()")
TRAINED = """import torch
from gpucourse.viz import explorers
torch.manual_seed(0)
layers = {"GRU": torch.nn.GRU(2, 8, batch_first=True), "LSTM": torch.nn.LSTM(2, 8, batch_first=True)}
x = torch.randn(6, 24, 2)"""


def follow(explorer, moves, **fixed):
    """Move the controls and compare the sentence with that of the plain function."""
    assert explorer.sentence() == cell_memory.draw(**fixed)[1]
    values, walk = dict(fixed), []
    for *move, changed in moves:
        values |= changed
        walk.append((*move, cell_memory.draw(**values)[1]))
    explorer.walk(walk)


@pytest.fixture
def opened(open_cells):
    pytest.importorskip("torch")
    notebooks = []

    def explorer(*cells):
        notebooks.append(open_cells("cell_memory", cells))
        return notebooks[0].explorer(cells[-1])

    yield explorer
    notebooks[0].screenshot("moved")


def test_each_control_moves_the_picture_and_the_sentence_is_the_plain_functions(opened):
    follow(opened(*CELLS), (
        (1, "ArrowRight", 1, {"steps": 100}),
        (2, "ArrowLeft", 3, {"radius": 0.7}),
        (3, "ArrowRight", 6, {"bias": 3.0}),
        (0, "End", 1, {"cell": "lstm"}),
    ))  # fmt: skip


def test_a_trained_cells_controls_move_its_picture(opened):
    made = {}
    exec(TRAINED, made)
    follow(opened(TRAINED, "explorers.cell_memory(layers, x)"), (
        (0, "End", 1, {"cell": "LSTM"}),
        (1, "ArrowLeft", 4, {"steps": 20}),
        (2, "End", 1, {"example": 5}),
    ), trained=made["layers"], x=made["x"])  # fmt: skip
