"""A code cell for every explorer of the course: what the benchmark moves, and what axe looks at in a browser.

Explorers that ask for numbers are given small ones, of the kind the lessons give them.
"""

from __future__ import annotations

from gpucourse.viz import explorers

IMPORTS = """import numpy as np
from gpucourse import cp, profile, steps
from gpucourse.viz import explorers"""

_ROOFLINE = """machines = {"this machine": (100.0, 20.0), "a GPU": (9000.0, 900.0)}
explorers.roofline(machines, {"whole picture": (0.0875, 1.5), "in bands": (0.875, 10.0)})"""
_STEPPER = '''add = cp.RawKernel(r"""extern "C" __global__ void add(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        y[i] = x[i] + 1;
    }
}""", "add")
record = steps(add, (2,), (32,), (cp.arange(64, dtype=np.float32), cp.zeros(64, np.float32), np.int32(50)), of_block=1)
explorers.stepper(record)'''
_LADDER = """from gpucourse.benchmarks.reductions import RUNGS
args = cp.ones(4096, np.float32), cp.zeros(16, np.float32), np.int32(4096)
kernels = {name: RUNGS[name].kernel(cp) for name in ("modulo", "strided", "halves")}
explorers.reduction_ladder({name: profile(kernel, (16,), (256,), args) for name, kernel in kernels.items()})"""
_SALIENCY = """import torch
from gpucourse.models import explain
from gpucourse.models.cnn import DigitsCNN
model = DigitsCNN().eval()
def batch(image):
    return torch.as_tensor(image)[None, None].float()
def scores(image):
    with torch.no_grad():
        return model(batch(image))[0].tolist()
def by(method):
    return lambda image, of: method(model, batch(image), torch.tensor([of]))[0]
explorers.saliency(scores, {"occlusion": by(explain.occlusion), "saliency": by(explain.saliency)})"""
_CURVES = """from gpucourse.scores import Scores
losses = [2.3 * 0.99 ** step + 0.1 * (step * 7 % 5) / 5 for step in range(900)]
scores = [(step, Scores(loss=2.3 * 0.99 ** step, metric=1 - 0.99 ** step, n=100)) for step in range(150, 901, 150)]
explorers.training_curves(losses, scores)"""
_OTHERS = {
    "cost": "explorers.cost(price=2.5, speed=40_000)", "reduction_ladder": _LADDER, "roofline": _ROOFLINE,
    "saliency": _SALIENCY, "stepper": _STEPPER, "training_curves": _CURVES,
}  # fmt: skip

# name of the explorer -> the cell that shows it, behind IMPORTS
CELLS = {name: _OTHERS.get(name, f"explorers.{name}()") for name in explorers.__all__}
CELLS["thread_grid in two dimensions"] = "explorers.thread_grid(dimensions=2)"
