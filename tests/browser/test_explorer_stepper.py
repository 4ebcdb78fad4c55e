"""The stepper in JupyterLab: its slider goes through the steps, and its words are the plain function's."""

import numpy as np
import pytest

from gpucourse import cupy_sim as cp
from gpucourse.stepping import steps
from gpucourse.viz import stepper

KERNEL = '''add = cp.RawKernel(r"""
extern "C" __global__ void add(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        y[i] = x[i] + 1;
    }
}""", "add")'''
RECORD = """arrays = cp.arange(16, dtype=np.float32), cp.zeros(16, np.float32)
recorded = steps(add, (2,), (8,), (*arrays, np.int32(12)), of_block=1)"""
CELLS = (
    "import numpy as np\nfrom gpucourse import cp, steps\nfrom gpucourse.viz import explorers", KERNEL, RECORD,
    "explorers.stepper(recorded)",
)  # fmt: skip


@pytest.fixture
def explorer(open_cells):
    notebook = open_cells("stepper", CELLS)
    yield notebook.explorer(CELLS[-1])
    notebook.screenshot("moved")


def test_the_slider_goes_through_the_steps_and_the_words_are_the_plain_functions(explorer):
    names = {"cp": cp, "np": np, "steps": steps}
    exec("\n".join(CELLS[1:3]), names)
    recorded = names["recorded"]
    said = [" ".join(stepper.sentence(recorded, number).split()) for number in range(2, len(recorded) + 1)]
    explorer.walk([(0, "ArrowRight", 1, words) for words in said])
    assert len(recorded) == 5
    explorer.press(0, "ArrowLeft")
