"""Lesson 09 with each optional package hidden in turn, its versions on nasty matrices, its sentences, other answers."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

pytest.importorskip("IPython")
pytest.importorskip("torch")
from gpucourse import cupy_sim
from gpucourse.backend import OLDEST_CAPABILITY
from gpucourse.exercises import n09_other_roads as n09
from gpucourse.needs import lack
from tests.mutants.mutant import answer_of, kernel

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "notebooks" / "src" / "09_other_roads.md"
TEXT = SOURCE.read_text("utf-8")
PROSE = " ".join(re.sub(r"```python.*?```", "", TEXT, flags=re.DOTALL).split())
MACHINE = re.compile(r"⟨[^⟩]*⟩")
SECONDS = 280

# --- the lesson without a package ----------------------------------------------------------------------


def stored():
    """What the cells of the stored notebook said, as the comparison sees it."""
    cells = nbformat.read(ROOT / "notebooks" / "09_other_roads.ipynb", as_version=4).cells
    return [
        seen("\n".join(out.get("text") or out.data["text/plain"] for out in cell.outputs))
        for cell in cells if cell.cell_type == "code"
    ]  # fmt: skip


def seen(text):
    return " ".join(MACHINE.sub("MACHINE", re.sub(r"Out\[\d+\]: ", "", text)).split())


def run(tmp_path, *hidden, then=""):
    """Run the lesson without the packages `hidden`; "compiler" stands for every program on the path."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tools"))), "MPLBACKEND": "Agg",
        "GPUCOURSE_PROGRESS": str(tmp_path / "progress.json"), "IPYTHONDIR": str(tmp_path / "ipython"),
    }  # fmt: skip
    if "compiler" in hidden:
        environment["PATH"] = str(tmp_path)
        environment.pop("CXX", None)
    packages = [name for name in hidden if name != "compiler"]
    command = [sys.executable, str(Path(__file__).with_name("lesson_without.py")), str(SOURCE), *packages]
    done = subprocess.run([*command, *(["--then", then] if then else [])], env=environment, cwd=tmp_path,
                          capture_output=True, text=True, timeout=SECONDS, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


NASTY = """
import psutil, warnings
nasty = []
for rows, columns in ((1, 1), (2, 31), (3, 257)):
    ordinary = np.random.default_rng(columns).standard_normal((rows, columns)).astype(np.float32)
    masked = np.where(np.arange(columns) % 3 == 1, np.float32(-np.inf), ordinary)
    nasty += [ordinary, 0 * ordinary + 7, 1e30 * ordinary, ordinary - 900, masked]
for name, (softmax, *_) in versions.items():
    for matrix in nasty:
        due_there = torch.softmax(torch.from_numpy(matrix), dim=1).numpy()
        assert np.allclose(softmax(matrix), due_there, rtol=0, atol=1e-5), (name, matrix.shape, matrix[0, :3])
print(sorted(versions), len(psutil.Process().children(recursive=True)))
"""
NEEDED = {"numba": "numba.cuda", "OpenCL": "pyopencl", "Triton": "triton", "torch.compile": "torch.compile"}


def test_every_version_there_is_equals_pytorch_on_nasty_rows_and_no_process_is_left(tmp_path):
    *cells, last = run(tmp_path, then=NASTY)
    assert [cell["error"] for cell in (*cells, last) if cell["error"]] == []
    assert [seen(cell["out"]) for cell in cells] == stored()
    needed = [name for name, module in NEEDED.items() if not lack(module)]
    there = sorted(["PyTorch", "step by step", "CUDA C", *needed])
    assert last["out"].split("\n")[0] == f"{there} 0"


@pytest.mark.parametrize(
    ("hidden", "words"),
    [
        pytest.param(("numba", "compiler"), "numba is not installed", id="numba"),          # without a compiler, since
        pytest.param(("pyopencl", "compiler"), "pyopencl is not installed", id="pyopencl"),  # compiling takes long
        pytest.param(("triton",), "triton is not installed", id="triton"),
        pytest.param(("compiler",), "C++ compiler", id="compiler"),
        pytest.param(("numba", "pyopencl", "triton", "compiler"), "not installed", id="all"),
    ],
)
def test_without_a_package_its_cells_are_announced_and_skipped_and_nothing_else_changes(tmp_path, hidden, words):
    cells = run(tmp_path, *hidden)
    assert [cell["error"] for cell in cells if cell["error"]] == []
    assert [seen(cell["out"]) for cell in cells] == stored()
    said = [cell["err"].splitlines() for cell in cells if "is skipped" in cell["err"]]
    assert all(len(lines) == 1 for lines in said)
    assert sum(words in lines[0] for lines in said) >= 1


def test_a_cell_that_may_be_skipped_says_nothing_that_is_compared():
    cells = nbformat.read(ROOT / "notebooks" / "09_other_roads.ipynb", as_version=4).cells
    optional = [cell for cell in cells if cell.source.startswith("%%needs")]
    assert len(optional) >= 6
    assert [cell.outputs for cell in optional if cell.outputs] == []


# --- its sentences -------------------------------------------------------------------------------------

N, ROWS = 6 * 100 * 4, 6 * 4     # bytes of the matrix, and of a number for each row
OPERATORS = (N + ROWS, N + ROWS + N, N + N, N + ROWS, N + ROWS + N)


@pytest.mark.parametrize(
    "figure",
    [
        f"{sum(OPERATORS):,} bytes in all",
        f"reads `x` once and writes the result once moves {2 * N:,}: a fourth",
        f"{128 - 100} masked elements",
        f"{round(20 * (1 - 0.15))} of 20 GPUs for PCs are Intel's or AMD's",
        f"of {sum(OPERATORS):,} bytes {2 * N:,} are needed",
        "which counts the work-items of all groups together",
        "about 15 %", "94 %", "nearly 75 %",
    ],
)  # fmt: skip
def test_a_figure_in_the_prose_is_that_of_the_data(figure):
    assert figure in PROSE
    assert round(sum(OPERATORS) / (2 * N)) == 4


def test_the_oldest_capabilities_are_those_that_the_prose_tells():
    assert "5.0 for CUDA 12, 7.5 for CUDA 13" in PROSE
    assert OLDEST_CAPABILITY == {12: (5, 0), 13: (7, 5)}


def test_the_three_kernels_are_line_by_line_the_same():
    """The C ones after a translation; that of numba has as many loops and barriers."""
    cells = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    heads = "void warp_rows(", "void opencl_rows(", "def numba_rows("
    cuda, opencl, python = (next(cell for cell in cells if head in cell) for head in heads)
    words = {"__shared__": "__local", "threadIdx.x": "get_local_id(0)", "blockIdx.x": "get_group_id(0)",
             "__syncthreads()": "barrier(CLK_LOCAL_MEM_FENCE)", "fmaxf": "fmax", "expf": "exp"}  # fmt: skip
    body = [part[part.index("{"): part.rindex("}")] for part in (cuda, opencl)]
    for own, theirs in words.items():
        body[0] = body[0].replace(own, theirs)
    assert body[0] == body[1]
    assert python.count("for ") == cuda.count("for (") and python.count("syncthreads") == cuda.count("__syncthreads")


# --- right answers that differ from ours ---------------------------------------------------------------

LOAD = n09.LOAD
CLIPPED, TRANSLATED = n09.TRANSLATE.stub, n09.TRANSLATE.solution
OTHER = {
    "09.1": (
        kernel(TRANSLATED, ("fminf(fmaxf(x[i], -1.0f), 1.0f)", "fmaxf(fminf(x[i], 1.0f), -1.0f)")),
        kernel(TRANSLATED, ("fminf(fmaxf(x[i], -1.0f), 1.0f)", "min(max(x[i], -1.f), 1.f)")),
        kernel(TRANSLATED, ("sum += fminf(fmaxf(x[i], -1.0f), 1.0f)",
                            "sum += x[i] < -1 ? -1 : x[i] > 1 ? 1 : x[i]")),
        kernel(TRANSLATED, ("    float sum = 0;", "    int size = gridDim.x * blockDim.x;\n    float sum = 0;"),
               ("i += gridDim.x * blockDim.x", "i += size")),
        kernel(TRANSLATED, ("int t = threadIdx.x", "unsigned t = threadIdx.x"), ("float sum", "double sum")),
        kernel(TRANSLATED, ("int i = blockIdx.x * blockDim.x + threadIdx.x", "int i = t + blockDim.x * blockIdx.x"),
               ("    if (t == 0) {", "    if (!t) {")),
    ),
    "09.2": (
        'launch = dict(zip(("CUDA: blocks", "OpenCL: global size", "OpenCL: local size", "Triton: programs",\n'
        '    "Triton: masked elements of the last program", "AMD: wavefronts of a block"),\n'
        "    (-(-10000 // 256), -(-10000 // 256) * 256, 256, -(-10000 // 1024), 10 * 1024 - 10000, 256 / 64)))\n",
    ),
    "09.3": (
        LOAD + "def causal_program(x, row, n, size):\n    c = cp.arange(size)\n    mask = (c < n) & (c <= row)\n"
               "    v = load(x, n * row + c, mask, float('-inf'))\n    e = cp.exp(v - cp.max(v))\n"
               "    return e / cp.sum(e)\n",
        "def causal_program(x, row, n, size):\n    out = cp.zeros(size, cp.float32)\n"
        "    v = x[row * n:row * n + row + 1]\n    e = cp.exp(v - v.max())\n    out[:row + 1] = e / e.sum()\n"
        "    return out\n",
        LOAD + "def causal_program(x, row, n, size):\n    c = cp.arange(size)\n"
               "    v = load(x, row * n + c, c <= row, np.finfo(np.float32).min)\n    e = cp.exp(v - v.max())\n"
               "    return e / e.sum()\n",
        LOAD + "def causal_program(x, row, n, size):\n    c = cp.arange(size)\n    m = c < row + 1\n"
               "    v = load(x, row * n + c, m, -cp.inf)\n    e = cp.where(m, cp.exp(v - v.max()), 0)\n"
               "    return e / e.sum()\n",
        LOAD + "def causal_program(x, row, n, size):\n    c = cp.arange(size)\n"
               "    v = load(x[row * n:], c, c <= row, -cp.inf)\n    e = cp.exp(v - v.max(keepdims=True))\n"
               "    return e * (1 / e.sum())\n",
    ),
    "09.4": (
        "def combine(a, b):\n    (p, s), (q, t) = a, b\n    if s == 0:\n        return b\n"
        "    if t == 0:\n        return a\n    m = max(p, q)\n    return m, s * np.exp(p - m) + t * np.exp(q - m)\n",
        "def combine(a, b):\n    if a[0] < b[0]:\n        a, b = b, a\n    if b[0] == -np.inf:\n        return a\n"
        "    return a[0], a[1] + b[1] * np.exp(b[0] - a[0])\n",
        "def combine(a, b):\n    m = np.maximum(a[0], b[0])\n    parts = [p for p in (a, b) if p[1] > 0]\n"
        "    return m, sum(s * np.exp(p - m) for p, s in parts)\n",
        "import math\ndef combine(a, b):\n    m = max(a[0], b[0])\n    s = 0.0\n    for p, t in (a, b):\n"
        "        if p > -math.inf:\n            s += t * math.exp(p - m)\n    return [m, s]\n",
        "def combine(a, b):\n    m = max(a[0], b[0])\n    safe = 0.0 if m == -np.inf else m\n"
        "    return m, a[1] * np.exp(a[0] - safe) + b[1] * np.exp(b[0] - safe)\n",
    ),
    "09.5": ("road = " + repr(dict(reversed(n09.CHOICES.items()))) + "\n",),
}  # fmt: skip


@pytest.mark.parametrize(("id", "source"), [(id, source) for id, all in OTHER.items() for source in all])
def test_a_right_answer_of_another_kind_passes(id, source):
    problem = next(problem for problem in n09.PROBLEMS if problem.id == id)
    outcome = problem.check(answer_of(source, problem.answer, np=np, cp=cupy_sim))
    assert outcome.state == "right", outcome


def test_parts_of_a_row_can_be_combined_in_any_order():
    row = np.random.default_rng(1).standard_normal(1000) * 30
    parts = [(part.max(), np.exp(part - part.max()).sum()) for part in np.split(row, 8)]
    whole = parts[0]
    for part in parts[:0:-1]:
        whole = n09.combine(part, whole)
    assert whole[0] == row.max() and np.isclose(whole[1], np.exp(row - row.max()).sum())
