"""The reduction ladder in JupyterLab: each control moves the picture, and the sentence is the plain function's."""

import pytest

from gpucourse import cupy_sim as cp
from gpucourse import profile
from gpucourse.viz.reduction_steps import sentence

PROFILES = """rungs = {name: RUNGS[name].kernel(cp) for name in ("modulo", "strided", "halves", "shuffled")}
args = cp.ones(4096, np.float32), cp.zeros(16, np.float32), np.int32(4096)
grids = {name: (16 if name != "shuffled" else 8,) for name in rungs}
profiles = {name: profile(kernel, grids[name], (256,), args) for name, kernel in rungs.items()}"""
CELLS = (
    "import numpy as np\nfrom gpucourse import cp, profile\nfrom gpucourse.viz import explorers\n"
    "from gpucourse.benchmarks.reductions import RUNGS", PROFILES, "explorers.reduction_ladder(profiles)",
)  # fmt: skip


@pytest.fixture
def explorer(open_cells):
    notebook = open_cells("reduction_ladder", CELLS)
    yield notebook.explorer(CELLS[-1])
    notebook.screenshot("moved")


def test_each_control_moves_the_picture_and_the_sentence_is_the_plain_functions(explorer):
    names = {}
    exec(CELLS[0], names)
    names |= {"cp": cp, "profile": profile}
    exec(PROFILES, names)
    steps = (
        (1, "ArrowRight", 1, ("modulo", 2)), (0, "ArrowRight", 1, ("strided", 2)), (1, "Home", 1, ("strided", 0)),
        (0, "End", 1, ("shuffled", 0)), (1, "ArrowRight", 6, ("shuffled", 6)),
    )  # fmt: skip
    said = [sentence(names["profiles"], *place) for *_, place in steps]
    explorer.walk([(*step, words) for (*step, _), words in zip(steps, said, strict=True)])
