"""Lesson 12: right answers that differ from ours pass, and its sentences agree with the numbers they speak of."""

from pathlib import Path

import numpy as np
import pytest

from gpucourse import cupy_sim
from gpucourse.data.images import digits
from gpucourse.exercises import n12_convolution as n12
from tests.mutants.mutant import answer_of, kernel

TEXT = " ".join((Path(__file__).parents[2] / "notebooks" / "src" / "12_convolution.md").read_text("utf-8").split())
PROBLEMS = {problem.id: problem for problem in n12.PROBLEMS}
CONV = n12.CONV_SOLUTION
GUARD, BIAS = "if (i < filters * high * wide) {", "float sum = bias[filter];"
TEST = "if (r >= 0 && r < h && s >= 0 && s < w) {"
LOAD = "float pixel = x[(c * h + r) * w + s];"
SUM = "sum += weight[((filter * channels + c) * k + p) * k + q] * pixel;"

SLICES = """def correlate(x, kernel, stride, padding):
    x = np.pad(x, padding)
    (h, w), (k, l) = x.shape, kernel.shape
    return sum(kernel[p, q] * x[p:h - k + p + 1:stride, q:w - l + q + 1:stride] for p in range(k) for q in range(l))
"""
FOUR_LOOPS = """def correlate(x, kernel, stride, padding):
    h, w = x.shape
    k, l = kernel.shape
    high, wide = (h + 2 * padding - k) // stride + 1, (w + 2 * padding - l) // stride + 1
    y = [[0] * wide for _ in range(high)]
    for i in range(high):
        for j in range(wide):
            for p in range(k):
                for q in range(l):
                    r, s = i * stride + p - padding, j * stride + q - padding
                    if 0 <= r < h and 0 <= s < w:
                        y[i][j] += kernel[p, q] * x[r, s]
    return np.array(y)
"""
VIEWS = """def correlate(x, kernel, stride, padding):
    every = np.lib.stride_tricks.sliding_window_view(np.pad(x, padding), kernel.shape)[::stride, ::stride]
    return np.einsum("ijpq,pq->ij", every, kernel)
"""
BY_PIXELS = """def unfold(x, k, stride):
    high, wide = (x.shape[0] - k) // stride + 1, (x.shape[1] - k) // stride + 1
    columns = np.zeros((k * k, high * wide), x.dtype)
    for p in range(k):
        for q in range(k):
            columns[p * k + q] = x[p::stride, q::stride][:high, :wide].ravel()
    return columns
"""
FILLED = """def unfold(x, k, stride):
    high, wide = (x.shape[0] - k) // stride + 1, (x.shape[1] - k) // stride + 1
    columns = np.empty((k * k, high * wide), x.dtype)
    for place in range(high * wide):
        i, j = divmod(place, wide)
        columns[:, place] = x[i * stride:i * stride + k, j * stride:j * stride + k].flatten()
    return columns
"""
STACKED = """def unfold(x, k, stride):
    every = np.lib.stride_tricks.sliding_window_view(x, (k, k))[::stride, ::stride]
    return every.reshape(-1, k * k).T
"""
PLACES = """def weight_gradient(x, dy, k, stride):
    dw = np.zeros((dy.shape[0], x.shape[0], k, k))
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            window = x[:, i * stride:i * stride + k, j * stride:j * stride + k]
            dw += dy[:, i, j][:, None, None, None] * window
    return dw
"""
PRODUCT = """def weight_gradient(x, dy, k, stride):
    f, high, wide = dy.shape
    rows = [x[:, p::stride, q::stride][:, :high, :wide].reshape(len(x), -1) for p in range(k) for q in range(k)]
    columns = np.stack(rows, axis=1).reshape(-1, high * wide)
    return (dy.reshape(f, -1) @ columns.T).reshape(f, len(x), k, k)
"""
LOOPS = """def weight_gradient(x, dy, k, stride):
    dw = np.zeros((len(dy), len(x), k, k))
    for f, c, p, q in np.ndindex(dw.shape):
        dw[f, c, p, q] = sum(dy[f, i, j] * x[c, i * stride + p, j * stride + q]
                             for i in range(dy.shape[1]) for j in range(dy.shape[2]))
    return dw
"""

RIGHT = {
    "12.1, whole steps first": ("12.1", """def output_size(size, kernel, stride, padding, dilation):
    reach = dilation * (kernel - 1) + 1
    return 1 + (size + 2 * padding - reach) // stride
"""),
    "12.1, counted": ("12.1", """def output_size(size, kernel, stride, padding, dilation):
    reach = dilation * (kernel - 1) + 1
    return len(range(-padding, size + padding - reach + 1, stride))
"""),
    "12.1, int()": ("12.1", """def output_size(size, kernel, stride, padding, dilation):
    return int((size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1)
"""),
    "12.2, slices": ("12.2", SLICES), "12.2, four loops": ("12.2", FOUR_LOOPS), "12.2, views": ("12.2", VIEWS),
    "12.3, by pixels": ("12.3", BY_PIXELS), "12.3, filled": ("12.3", FILLED), "12.3, views": ("12.3", STACKED),
    **{f"12.4, {name}": ("12.4", kernel(CONV, *changes)) for name, changes in {
        "early return": ((GUARD, "if (i >= filters * high * wide) return;\n    {"),),
        "continue": ((TEST, "if (r < 0 || r >= h || s < 0 || s >= w) continue;\n{"),),
        "unsigned": ((TEST, "if ((unsigned)r < h && (unsigned)s < w) {"),),
        "choice": ((TEST, "{"), (LOAD, "bool in = r >= 0 && r < h && s >= 0 && s < w;"
                                       "float pixel = in ? x[(c * h + r) * w + s] : 0;")),
        "channels inside": ((TEST, "for (int c = 0; c < channels; c++) " + TEST),
                            ("        for (int c = 0; c < channels; c++) {\n", "        {\n")),
        "pointers": ((BIAS, "const float* f = weight + filter * channels * k * k;\nfloat sum = 0;"),
                     (LOAD, ""), (SUM, "sum += f[c * k * k + p * k + q] * x[c * h * w + r * w + s];"),
                     ("y[i] = sum", "y[i] = sum + bias[filter]")),
        "backwards": (("for (int q = 0; q < k; q++)", "for (int q = k - 1; q >= 0; q--)"),),
        "limits of the loop": (
            (TEST, "{"), ("int p = 0; p < k;", "int p = max(0, padding - row * stride); p < min(k, h + padding - "
                                              "row * stride);"),
            ("int q = 0; q < k;", "int q = max(0, padding - column * stride); q < min(k, w + padding - column * "
                                  "stride);")),
        "grid-stride": (("    int i = blockIdx.x * blockDim.x + threadIdx.x;",
                         "    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < filters * high * wide; "
                         "i += gridDim.x * blockDim.x)"),),
        "double": (("float sum", "double sum"),),
    }.items()},
    "12.5, place by place": ("12.5", PLACES), "12.5, one product": ("12.5", PRODUCT),
    "12.5, six loops": ("12.5", LOOPS),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_answer_that_differs_from_ours_passes(name):
    problem, source = PROBLEMS[RIGHT[name][0]], RIGHT[name][1]
    outcome = problem.check(answer_of(source, problem.answer, np=np, cp=cupy_sim))
    assert outcome.state == "right", outcome.message


def test_the_layer_of_the_last_exercise_is_pytorchs():
    torch = pytest.importorskip("torch")
    layer = torch.nn.Conv2d(n12.CHANNELS, n12.FILTERS, n12.K, stride=2, padding=1)
    y = layer(torch.zeros(1, n12.CHANNELS, n12.SIDE, n12.SIDE))
    columns = torch.nn.functional.unfold(torch.zeros(1, n12.CHANNELS, n12.SIDE, n12.SIDE), n12.K, stride=2, padding=1)
    assert n12.COSTS["results"] == y.numel()
    assert n12.COSTS["parameters"] == sum(p.numel() for p in layer.parameters())
    assert n12.COSTS["bytes of the columns"] == 4 * columns.numel()
    linear = torch.nn.Linear(n12.PIXELS, y.numel(), device="meta")
    assert n12.COSTS["parameters of a linear layer"] == sum(p.numel() for p in linear.parameters())


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1), (3, 2)])
def test_what_the_exercises_expect_is_pytorchs(stride, padding):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, weight, bias = rng.random((3, 9, 8)), rng.random((4, 3, 3, 3)), rng.random(4)
    leaf = torch.tensor(weight, requires_grad=True)
    due = torch.nn.functional.conv2d(torch.tensor(x)[None], leaf, torch.tensor(bias), stride, padding)[0]
    assert np.allclose(n12.convolved(x, weight, bias, stride, padding), due.detach())
    assert np.allclose(n12.correlate(x[0], weight[0, 0], stride, padding),
                       torch.nn.functional.conv2d(torch.tensor(x[:1]), leaf[:1, :1], None, stride, padding)[0].detach())
    columns = torch.nn.functional.unfold(torch.tensor(x[:1])[None], 3, stride=stride)[0]
    assert np.array_equal(n12.unfold(x[0], 3, stride), columns)
    dy = rng.random(due.shape)
    (due * torch.tensor(dy)).sum().backward()
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    assert np.allclose(n12.weight_gradient(padded, dy, 3, stride), leaf.grad)


def test_the_figures_of_the_prose_are_those_of_the_data():
    pictures = digits().test.images.astype(float)
    white = 100 * pictures[:, :, :24].sum() / pictures.sum()
    whole = 100 * (pictures[:, :, 24:].sum(axis=(1, 2)) == 0).mean()
    lost = f"after 4 pixels {whole:.0f} % of them have lost nothing, and {white:.1f} % of all the white is still"
    assert lost in TEXT
    assert f"for a picture of 28 x 28 and a kernel of 3 x 3 it is {100 - 100 * 9 / 784:.0f} %" in TEXT
    assert f"used at {n12.output_size(28, 5, 2, 2, 1) ** 2} places" in TEXT
    assert f"a kernel of 3 covers {1 + 2 * 2} pixels" in TEXT
    assert f"{64 * 64 * 56 * 56 * 4 * 9 / 1e9:.1f}" == "0.5" and "half a gigabyte" in TEXT
