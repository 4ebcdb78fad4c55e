"""Lesson 06's exercises: answers that differ from the package's pass, and what the judges know is so."""

import numpy as np
import pytest
import torch

from gpucourse import cupy_sim, profile
from gpucourse.exercises import n06_reductions_and_warps as n06
from gpucourse.exercises.registry import find
from tests.mutants.mutant import answer_of, kernel


def outcome(id, source):
    problem = find(id)
    return problem.check(answer_of(source, problem.answer, np=np, cp=cupy_sim))


def around(stub, body, *replacements):
    """The stub of an exercise with `body` at its empty line."""
    return kernel(stub, ("\n\n}", "\n" + body + "}"), *replacements)


# -- 06.1: who parts ------------------------------------------------------------------------------------


def divergent(line):
    """Warps of a block that part at a line, by the profiler; a store to volatile memory cannot become a select."""
    code = f"extern \"C\" __global__ void k(volatile int* o) {{ int t = threadIdx.x; {line} o[t] = o[t] + 1; }}"
    p = profile(cupy_sim.RawKernel(code, "k"), (4,), (256,), (cupy_sim.zeros(256, np.int32),))
    return p.divergent_branches / 4


@pytest.mark.parametrize("line", [line for line in n06.HEADS if line.startswith("if")])
def test_warps_that_part_at_an_if(line):
    assert divergent(line) == n06.HEADS[line]


def test_every_warp_parts_in_the_loop():
    assert list(n06.HEADS)[-1] == "for (int k = 0; k < t; k++)"
    rounds = np.arange(256).reshape(8, 32)     # of the loop, lane by lane
    assert (rounds.min(axis=1) < rounds.max(axis=1)).sum() == n06.HEADS["for (int k = 0; k < t; k++)"]
    assert divergent("for (int k = 0; k < t; k++)") >= 8


# -- right answers of another kind ----------------------------------------------------------------------

MAXIMUM = n06.MAXIMUM_SOLUTION
TREE = MAXIMUM[MAXIMUM.index("    for (int half") : MAXIMUM.index("    if (t == 0)")]
MODULO = """    for (int step = 1; step < blockDim.x; step *= 2) {
        if (t % (2 * step) == 0) s[t] = s[t] > s[t + step] ? s[t] : s[t + step];
        __syncthreads();
    }
"""
STRIDED = """    for (int step = 1; step < blockDim.x; step *= 2) {
        int k = 2 * step * t;
        if (k < blockDim.x) s[k] = max(s[k], s[k + step]);
        __syncthreads();
    }
"""
BY_SHUFFLES = """    float v = i < n ? x[i] : -INFINITY;
    for (int d = 16; d > 0; d >>= 1) v = fmaxf(v, __shfl_xor_sync(0xffffffff, v, d));
    if (t % 32 == 0) s[t / 32] = v;
    __syncthreads();
    if (t == 0) {
        for (int k = 1; k < blockDim.x / 32; k++) v = fmaxf(v, s[k]);
        out[blockIdx.x] = v;
    }
"""
BARRIER = "        __syncthreads();\n"
KEPT = "            s[t] = fmaxf(s[t], s[t + half]);\n        }\n"
MAXIMA = {
    "the last element again": kernel(MAXIMUM, ("i < n ? x[i] : -INFINITY", "x[min(i, n - 1)]")),
    "-FLT_MAX": kernel(MAXIMUM, (": -INFINITY", ": -3.402823466e38f")),
    "an if for the fill": kernel(MAXIMUM, ("s[t] = i < n ? x[i] : -INFINITY;",
                                           "s[t] = -INFINITY;\n    if (i < n) s[t] = x[i];")),
    "modulo": kernel(MAXIMUM, (TREE, MODULO)),
    "strided": kernel(MAXIMUM, (TREE, STRIDED)),
    "the last thread writes": kernel(MAXIMUM, ("if (t == 0)", "if (t == blockDim.x - 1)")),
    "unsigned": kernel(MAXIMUM, ("int t =", "unsigned t ="), ("int i =", "unsigned i ="),
                       ("int half", "unsigned half")),
    "return in the end": kernel(MAXIMUM, ("    if (t == 0) {\n        out[blockIdx.x] = s[0];\n    }\n",
                                          "    if (t > 0) return;\n    out[blockIdx.x] = s[0];\n")),
    "shuffles": around(n06.MAXIMUM_STUB, BY_SHUFFLES),
    "barrier at the top of the round": kernel(MAXIMUM, ("-INFINITY;\n    __syncthreads();", "-INFINITY;"),
                                              ("half /= 2) {", "half /= 2) {\n        __syncthreads();"),
                                              (KEPT + BARRIER, KEPT)),
}  # fmt: skip

WARP_SUM = n06.WARP_SUM_SOLUTION
BUTTERFLY = ("__shfl_down_sync", "__shfl_xor_sync")
UPWARDS = ("int d = 16; d > 0; d /= 2", "int d = 1; d < 32; d *= 2")
ADDED = WARP_SUM[WARP_SUM.index("        for (int d") : WARP_SUM.index("        if (lane")]
WARP_SUMS = {
    "butterfly": kernel(WARP_SUM, BUTTERFLY),
    "butterfly upwards": kernel(WARP_SUM, BUTTERFLY, UPWARDS),
    "down, from 1 on": kernel(WARP_SUM, UPWARDS),
    "early return of warps": kernel(WARP_SUM, ("    if (row < rows) {", "    if (row >= rows) return;\n    {")),
    "unrolled by hand": kernel(WARP_SUM, (ADDED, "".join(f"        sum += __shfl_down_sync(ALL, sum, {d});\n"
                                                         for d in (16, 8, 4, 2, 1)))),
    "up, lane 31 writes": kernel(WARP_SUM, ("sum += __shfl_down_sync(ALL, sum, d);",
                                            "float v = __shfl_up_sync(ALL, sum, d); if (lane >= d) sum += v;"),
                                 UPWARDS, ("lane == 0", "lane == 31")),
    "all lanes are asked one by one": kernel(
        WARP_SUM, ("        for (int d = 16; d > 0; d /= 2) {\n            sum += __shfl_down_sync(ALL, sum, d);\n",
                   "        float own = sum;\n        sum = 0;\n        for (int k = 0; k < 32; k++) {\n"
                   "            sum += __shfl_sync(ALL, own, k);\n")),
    "guard at the ends only": kernel(
        WARP_SUM, ("    if (row < rows) {\n", ""), ("c < columns;", "row < rows && c < columns;"),
        ("lane == 0", "lane == 0 && row < rows"), ("sum;\n        }\n    }", "sum;\n        }")),
    "a while loop": kernel(
        WARP_SUM, ("for (int c = lane; c < columns; c += 32) {", "int c = lane;\n        while (c < columns) {"),
        ("columns + c];", "columns + c];\n            c += 32;")),
}  # fmt: skip

HISTOGRAM = n06.HISTOGRAM_SOLUTION
CLEAR = "for (int b = threadIdx.x; b < 256; b += blockDim.x) {\n        s[b] = 0;\n    }"
FLUSH = "        atomicAdd(&counts[b], s[b]);\n"
ADD_UP = "atomicAdd(&s[x[i]], 1);"
ELEMENTS = "for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {"
HISTOGRAMS = {
    "without empty bins": kernel(HISTOGRAM, (FLUSH, "        if (s[b] > 0) atomicAdd(&counts[b], s[b]);\n")),
    "unsigned copy": kernel(HISTOGRAM, ("__shared__ int s", "__shared__ unsigned s"), ("], s[b]", "], (int)s[b]")),
    "a copy for each warp pair": kernel(
        HISTOGRAM, ("int s[256]", "int s[512]"), ("b < 256; b += blockDim.x) {\n        s[b]",
                                                  "b < 512; b += blockDim.x) {\n        s[b]"),
        (ADD_UP, "atomicAdd(&s[threadIdx.x / 32 % 2 * 256 + x[i]], 1);"), ("], s[b]", "], s[b] + s[256 + b]")),
    "thread 0 clears": kernel(HISTOGRAM, (CLEAR, "if (threadIdx.x == 0) for (int b = 0; b < 256; b++) s[b] = 0;")),
    "a while loop": kernel(HISTOGRAM, (ELEMENTS, "int i = blockIdx.x * blockDim.x + threadIdx.x;\n    while (i < n) {"),
                           (ADD_UP, ADD_UP + "\n        i += gridDim.x * blockDim.x;")),
    "a part of x for each block": kernel(
        HISTOGRAM, (ELEMENTS, "int part = (n + gridDim.x - 1) / gridDim.x;\n"
                              "    int end = min(n, int(blockIdx.x + 1) * part);\n"
                              "    for (int i = blockIdx.x * part + threadIdx.x; i < end; i += blockDim.x) {")),
    "bins from the end": kernel(HISTOGRAM, ("b = threadIdx.x; b < 256; b += blockDim.x) {\n        atomicAdd",
                                            "b = 255 - threadIdx.x; b >= 0; b -= blockDim.x) {\n        atomicAdd")),
}  # fmt: skip

SCAN = n06.SCAN_SOLUTION
ROUNDS = SCAN[SCAN.index("    for (int d") : SCAN.index("    if (i < n)")]
TWO_COPIES = """    int from = 0;
    for (int d = 1; d < blockDim.x; d *= 2) {
        p[1 - from][t] = t >= d ? p[from][t] + p[from][t - d] : p[from][t];
        from = 1 - from;
        __syncthreads();
    }
"""
BLELLOCH = """    int own = s[t];
    __syncthreads();
    for (int d = 1; d < blockDim.x; d *= 2) {
        int k = (t + 1) * 2 * d - 1;
        if (k < blockDim.x) s[k] += s[k - d];
        __syncthreads();
    }
    if (t == 0) s[blockDim.x - 1] = 0;
    __syncthreads();
    for (int d = blockDim.x / 2; d > 0; d /= 2) {
        int k = (t + 1) * 2 * d - 1;
        if (k < blockDim.x) {
            int left = s[k - d];
            s[k - d] = s[k];
            s[k] += left;
        }
        __syncthreads();
    }
"""
WARP_SCAN = """    int v = i < n ? x[i] : 0;
    for (int d = 1; d < 32; d *= 2) {
        int left = __shfl_up_sync(0xffffffff, v, d);
        if (t % 32 >= d) v += left;
    }
    if (t % 32 == 31) s[t / 32] = v;
    __syncthreads();
    for (int w = 0; w < t / 32; w++) v += s[w];
    if (i < n) out[i] = v;
"""
SCANS = {
    "in a register": kernel(SCAN, (ROUNDS, """    int v = s[t];
    for (int d = 1; d < blockDim.x; d <<= 1) {
        if (t >= d) v += s[t - d];
        __syncthreads();
        s[t] = v;
        __syncthreads();
    }
""")),
    "two copies": kernel(SCAN, ("int s[1024]", "int p[2][1024]"), ("s[t] = i", "p[0][t] = i"), (ROUNDS, TWO_COPIES),
                         ("= s[t]", "= p[from][t]")),
    "Blelloch": kernel(SCAN, (ROUNDS, BLELLOCH), ("out[i] = s[t]", "out[i] = s[t] + own")),
    "by warps": around(n06.SCAN_STUB, WARP_SCAN),
    "unsigned": kernel(SCAN, ("int t =", "unsigned t ="), ("int d =", "unsigned d =")),
    "an if and a barrier for all": kernel(SCAN, ("int left = t >= d ? s[t - d] : 0;",
                                                 "int left = 0;\n        if (t - d >= 0) { left = s[t - d]; }")),
    "a round too many": kernel(SCAN, ("d < blockDim.x", "d <= blockDim.x")),
}  # fmt: skip

SOFTMAX = n06.SOFTMAX_SOLUTION
LAST = """    for (int c = t; c < columns; c += blockDim.x) {
        out[first + c] = expf(x[first + c] - most) / s[0];
    }
"""
MAX_TREE = SOFTMAX[SOFTMAX.index("    s[t] = most;") : SOFTMAX.index("    most = s[0];")]
SUM_TREE = SOFTMAX[SOFTMAX.index("    s[t] = sum;") : SOFTMAX.index(LAST)]
ONLINE = """    float most = -INFINITY, sum = 0;
    for (int c = t; c < columns; c += blockDim.x) {
        float v = x[first + c];
        if (v > most) {
            sum *= expf(most - v);
            most = v;
        }
        if (v > -INFINITY) sum += expf(v - most);
    }
    float mine = most;
"""
WARPS = """    for (int d = 16; d > 0; d /= 2) VALUE = JOIN(VALUE, __shfl_xor_sync(0xffffffff, VALUE, d));
    if (t % 32 == 0) s[t / 32] = VALUE;
    __syncthreads();
    VALUE = s[0];
    for (int k = 1; k < blockDim.x / 32; k++) VALUE = JOIN(VALUE, s[k]);
    __syncthreads();
"""
ADD = "__device__ float add(float a, float b) { return a + b; }\n"
MEET = "most = s[0];\n    __syncthreads();"
SOFTMAXES = {
    "-FLT_MAX": kernel(SOFTMAX, ("most = -INFINITY", "most = -3.402823466e38f")),
    "begins with the row's first": kernel(SOFTMAX, ("most = -INFINITY", "most = x[first]")),
    "one division": kernel(SOFTMAX, (LAST, "    float scale = 1 / s[0];\n" + LAST.replace(" / s[0]", " * scale"))),
    "powers are stored": kernel(
        SOFTMAX, ("        sum += expf(x[first + c] - most);", "        float e = expf(x[first + c] - most);\n"
                  "        out[first + c] = e;\n        sum += e;"), ("= expf(x[first + c] - most) / s[0]", "/= s[0]")),
    "two arrays": kernel(SOFTMAX, ("s[256];", "s[256], q[256];"), (MEET, "most = s[0];"),
                         (SUM_TREE, SUM_TREE.replace("s[t", "q[t")), ("/ s[0]", "/ q[0]")),
    "warps and shuffles": kernel(SOFTMAX, (MAX_TREE, WARPS.replace("VALUE", "most").replace("JOIN", "fmaxf")),
                                 ("    most = s[0];\n    __syncthreads();\n", ""),
                                 (SUM_TREE, WARPS.replace("VALUE", "sum").replace("JOIN", "add")), ("/ s[0]", "/ sum"),
                                 ('extern "C"', ADD + 'extern "C"')),
    "online": kernel(SOFTMAX, (SOFTMAX[SOFTMAX.index("    float most") : SOFTMAX.index(MAX_TREE)], ONLINE),
                     ("    float sum = 0;\n    for (int c = t; c < columns; c += blockDim.x) {\n"
                      "        sum += expf(x[first + c] - most);\n    }\n",
                      "    sum *= mine > -INFINITY ? expf(mine - most) : 0;\n")),
    "pointers": kernel(SOFTMAX, ("int first = blockIdx.x * columns; ",
                                 "x += blockIdx.x * columns;\n    out += blockIdx.x * columns; "), ("first + c", "c")),
    "by a logarithm": kernel(SOFTMAX, (LAST, "    float l = most + logf(s[0]);\n" + LAST),
                             ("- most) / s[0]", "- l)")),
}  # fmt: skip

ALL = {"06.2": MAXIMA, "06.3": WARP_SUMS, "06.4": HISTOGRAMS, "06.5": SCANS, "06.6": SOFTMAXES}


@pytest.mark.parametrize(
    ("id", "source"),
    [pytest.param(id, source, id=f"{id} {name}") for id, sources in ALL.items() for name, source in sources.items()],
)
def test_a_right_answer_of_another_kind_passes(id, source):
    found = outcome(id, source)
    assert found.state == "right", found


# -- what the judges hold answers against ---------------------------------------------------------------


def parts_of(launch):
    return torch.split(torch.from_numpy(launch.args["x"]), launch.block[0])


TORCH = {
    n06.make_maxima: lambda launch: torch.stack([part.max() for part in parts_of(launch)]),
    n06.make_warp_sums: lambda launch: torch.from_numpy(launch.args["x"]).sum(dim=1),
    n06.make_histograms: lambda launch: torch.bincount(torch.from_numpy(launch.args["x"]), minlength=256)
    + torch.from_numpy(launch.args["counts"]),
    n06.make_scans: lambda launch: torch.cat([part.cumsum(0) for part in parts_of(launch)]),
    n06.make_softmaxes: lambda launch: torch.softmax(torch.from_numpy(launch.args["x"]), dim=1),
}


@pytest.mark.parametrize("make", TORCH, ids=lambda make: make.__name__)
def test_what_is_due_is_what_pytorch_computes(make):
    for launch in make(np.random.default_rng(11)):
        (due,) = launch.due.values()
        assert due.shape == TORCH[make](launch).shape
        assert np.allclose(due, TORCH[make](launch).numpy(), rtol=1e-5, atol=1e-9), launch.about


def test_softmax_meets_huge_numbers_and_minus_infinity():
    launches = n06.make_softmaxes(np.random.default_rng(0))
    with np.errstate(over="ignore"):
        assert any(np.isinf(np.exp(launch.args["x"])).any() for launch in launches)
    holes = [launch for launch in launches if np.isneginf(launch.args["x"]).any()]
    assert holes and all((launch.due["out"][np.isneginf(launch.args["x"])] == 0).all() for launch in holes)


DOWN = """extern "C" __global__ void k(const double* x, double* out) {
    double v = x[threadIdx.x];
    for (int d = 16; d > 0; d /= 2) v += __shfl_down_sync(0xffffffff, v, d);
    out[threadIdx.x] = v;
}"""


def test_lanes_add_up_as_the_traps_of_06_3_think():
    x, out = np.random.default_rng(3).random(32), cupy_sim.zeros(32)
    cupy_sim.RawKernel(DOWN, "k")((1,), (32,), (cupy_sim.asarray(x), out))
    thought = x[None]
    for d in (16, 8, 4, 2, 1):
        thought = thought + n06.down(thought, d)
    assert np.allclose(out.get(), thought[0])
    assert np.isclose(thought[0, 0], x.sum()) and np.isclose(thought[0, 31], 32 * x[31])
