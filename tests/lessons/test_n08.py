"""Lesson 08: right repairs of other kinds pass, and its sentences and evidence hold where they can be worked out."""

import re
from pathlib import Path

import numpy as np
import pytest

from gpucourse import cupy_sim, profile, sanitize, simulate, steps
from gpucourse.exercises import n08_debugging_and_profiling as n08
from tests.mutants.mutant import answer_of, kernel

TEXT = (Path(__file__).parents[2] / "notebooks" / "src" / "08_debugging_and_profiling.md").read_text("utf-8")
PROSE = " ".join(re.sub(r"```python\n.*?```", "", TEXT, flags=re.DOTALL).split())
CODE = dict(re.findall(r'(?m)^(\w+) = (?:cp|sim)\.RawKernel\(r"""(.*?)"""', TEXT, re.DOTALL))
CASES = {f"case_{n}": problem for n, problem in enumerate(n08.PROBLEMS, 2)}


def case(name):
    """A kernel of the lesson's own text."""
    return cupy_sim.RawKernel(CODE[name], re.search(r"__global__\s*void (\w+)\(", CODE[name])[1])


# -- right answers of other kinds -------------------------------------------------------------------------

TOTAL = """    __shared__ float total;
    if (t == 0) {
        total = part[0];
    }
    __syncthreads();
    return total;
"""
PARTS = "    __shared__ float parts[2][B];\n    float* part = parts[which];\n"
WARP_SUM = """__device__ float block_sum(float value)
{
    __shared__ float part[4];
    for (int d = 16; d > 0; d /= 2) value += __shfl_xor_sync(0xffffffff, value, d);
    __syncthreads();
    if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = value;
    __syncthreads();
    return part[0] + part[1] + part[2] + part[3];
}
"""
HELPER = n08.NORM_STUB[n08.NORM_STUB.index("__device__") : n08.NORM_STUB.index('extern "C"')]
LOOP = re.search(r"    for \(int start.*?\n    }\n", n08.DOCUMENT_STUB, re.DOTALL)[0]
STRAIGHT = """    for (int k = 0; k < n; k++) {
        sum += table[words[sentence * longest + k] * 32 + lane];
    }
"""
SHUFFLED = """    for (int start = 0; start < n; start += 32) {
        int word = start + lane < n ? words[sentence * longest + start + lane] : 0;
        for (int k = 0; k < 32; k++) {
            int next = __shfl_sync(0xffffffff, word, k);
            if (start + k < n) sum += table[next * 32 + lane];
        }
    }
"""
MOST = """    int most = max(max(length[blockIdx.x * 4], length[blockIdx.x * 4 + 1]),
                   max(length[blockIdx.x * 4 + 2], length[blockIdx.x * 4 + 3]));
"""
COUNT = n08.BAD_STUB[n08.BAD_STUB.index("    __shared__") : n08.BAD_STUB.index('}\n""", "count_bad")')]
BY_BARRIER = """    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int bad = __syncthreads_count(i < n && !isfinite(gradient[i]));
    if (threadIdx.x == 0) out[blockIdx.x] = bad;
"""
BY_ONE = """    if (threadIdx.x == 0) {
        int bad = 0;
        for (int i = blockIdx.x * blockDim.x; i < min(n, (blockIdx.x + 1) * blockDim.x); i++) {
            if (isinf(gradient[i]) || gradient[i] != gradient[i]) bad++;
        }
        out[blockIdx.x] = bad;
    }
"""
IN_TURNS = '''shift = cp.RawKernel(r"""
extern "C" __global__
void shift(float* window, const float* fresh, int n, int k)
{
    for (int first = 0; first < n; first += blockDim.x) {
        int i = first + threadIdx.x;
        float value = 0;
        if (i < n) value = i + k < n ? window[i + k] : fresh[i + k - n];
        __syncthreads();
        if (i < n) window[i] = value;
        __syncthreads();
    }
}
""", "shift")

def slide(window, fresh):
    shift((1,), (128,), (window, fresh, np.int32(len(window)), np.int32(len(fresh))))
'''
TWO_LAUNCHES = n08.SLIDE_SOLUTION.replace(
    "    before = window.copy()\n", "    after = cp.empty_like(window)\n"
).replace(
    "(before, fresh, window, np.int32(n), np.int32(k)))\n",
    "(window, fresh, after, np.int32(n), np.int32(k)))\n    window[:] = after\n",
)
BLOCK_BY_BLOCK = (
    n08.SLIDE_STUB.replace("int n, int k)", "int n, int k, int block)")
    .replace("blockIdx.x * blockDim.x", "block * blockDim.x")
    .replace(
        "    shift((-(-n // 128),), (128,), (window, fresh, np.int32(n), np.int32(k)))",
        "    for block in range(-(-n // 128)):\n"
        "        shift((1,), (128,), (window, fresh, np.int32(n), np.int32(k), np.int32(block)))",
    )
)
EACH_NUMBER = """    for (int k = 0; k < 4; k++) {
        int number = blockIdx.x * blockDim.x * 4 + k * blockDim.x + threadIdx.x;
        int b = number / 4, axis = number % 2;
        if (b < n) {
            float half = expf(p[(2 + axis) * n + b]) / 2;
            box[number] = number % 4 < 2 ? p[axis * n + b] - half : p[axis * n + b] + half;
        }
    }
"""
BODY = n08.CORNERS_STUB[n08.CORNERS_STUB.index("    int i =") : n08.CORNERS_STUB.index('}\n""", "corners")')]
PARTS_OF_ONE = """        float4 corners;
        corners.x = x - w / 2;  corners.y = y - h / 2;
        corners.z = x + w / 2;  corners.w = y + h / 2;
        reinterpret_cast<float4*>(box)[i] = corners;
"""

RIGHT = {
    "08.1": {
        "barrier at the end": kernel(
            n08.NORM_STUB,
            (n08.NORM_RETURN, "    float total = part[0];\n    __syncthreads();\n    return total;\n"),
        ),
        "barrier between the calls": kernel(n08.NORM_STUB, ("    float away", "    __syncthreads();\n    float away")),
        "handed on by one thread": kernel(n08.NORM_STUB, (n08.NORM_RETURN, TOTAL)),
        "two arrays": kernel(
            n08.NORM_STUB,
            ("block_sum(float value)", "block_sum(float value, int which)"),
            ("    __shared__ float part[B];\n", PARTS),
            ("block_sum(value)", "block_sum(value, 0)"),
            ("block_sum(away * away)", "block_sum(away * away, 1)"),
        ),
        "shuffles": kernel(n08.NORM_STUB, (HELPER, WARP_SUM)),
    },
    "08.2": {
        "barriers of the warp": kernel(n08.DOCUMENT_STUB, ("        __syncthreads();", "        __syncwarp();")),
        "no piece": kernel(n08.DOCUMENT_STUB, (LOOP, STRAIGHT)),
        "shuffles": kernel(n08.DOCUMENT_STUB, (LOOP, SHUFFLED)),
        "the longest of the four": kernel(
            n08.DOCUMENT_STUB,
            ("    float sum = 0;\n", MOST + "    float sum = 0;\n"),
            ("start < n; start += 32", "start < most; start += 32"),
        ),
        "while": kernel(
            n08.DOCUMENT_SOLUTION,
            (
                "for (int start = 0; start < longest; start += 32) {",
                "for (unsigned start = 0; start < (unsigned)longest; start += 32u) {",
            ),
            ("min(32, n - start)", "min(32, n - (int)start)"),
        ),
    },
    "08.3": {
        "a barrier that counts": kernel(n08.BAD_STUB, (COUNT, BY_BARRIER)),
        "one thread counts": kernel(n08.BAD_STUB, (COUNT, BY_ONE)),
        "all set it": kernel(n08.BAD_SOLUTION, ("if (threadIdx.x == 0) bad = 0;", "bad = 0;")),
        "the last thread sets it": kernel(
            n08.BAD_SOLUTION, ("if (threadIdx.x == 0) bad", "if (threadIdx.x == blockDim.x - 1) bad")
        ),
        "another name": kernel(n08.BAD_SOLUTION, ("bad", "found"), ("count_found", "count_bad")),
    },
    "08.4": {
        "the other factor": kernel(n08.RESAMPLE_STUB, ("i * from / to", "i * (long long)from / to")),
        "times one": kernel(n08.RESAMPLE_STUB, ("i * from / to", "1LL * i * from / to")),
        "size_t": kernel(n08.RESAMPLE_STUB, ("i * from / to", "(size_t)i * from / to")),
        "double": kernel(n08.RESAMPLE_STUB, ("i * from / to", "(double)i * from / to")),
        "whole and rest": kernel(
            n08.RESAMPLE_STUB, ("i * from / to", "i / to * from + (int)((i % to) * (long long)from / to)")
        ),
        "a wide i": kernel(n08.RESAMPLE_STUB, ("    int i = blockIdx.x", "    long long i = blockIdx.x")),
    },
    "08.5": {
        "a row and a column more": kernel(
            n08.STANDARD_SOLUTION, ("(-(-w // 16), -(-h // 8))", "(w // 16 + 1, h // 8 + 1)")
        ),
        "another block": kernel(n08.STANDARD_SOLUTION, ("(16, 8)", "(32, 8)"), ("// 16", "// 32")),
        "w and h by name": kernel(
            n08.STANDARD_SOLUTION, ("-(-w // 16)", "(w + 15) // 16"), ("-(-h // 8)", "(h + 7) // 8")
        ),
        "exchanged in the kernel, too": kernel(
            n08.STANDARD_STUB, ("np.int32(h), np.int32(w)", "np.int32(w), np.int32(h)")
        ),
        "one too many": kernel(n08.STANDARD_SOLUTION, ("-(-w // 16)", "w // 16 + 1")),
        "a row of blocks": kernel(
            n08.STANDARD_SOLUTION, ("(-(-w // 16), -(-h // 8))", "(-(-w // 64), h)"), ("(16, 8)", "(64, 1)")
        ),
    },
    "08.6": {
        "one block in turns": IN_TURNS,
        "out and back": TWO_LAUNCHES,
        "block by block": BLOCK_BY_BLOCK,
        "the copy is the host's": kernel(n08.SLIDE_SOLUTION, ("window.copy()", "cp.asarray(window.get())")),
        "with the barrier": kernel(n08.SLIDE_SOLUTION, ("    if (i < n) {", "    __syncthreads();\n    if (i < n) {")),
    },
    "08.7": {
        "parts of one": kernel(n08.CORNERS_SOLUTION, (n08.CORNERS_STORE, PARTS_OF_ONE)),
        "each number its thread": kernel(n08.CORNERS_STUB, (BODY, EACH_NUMBER)),
        "early return": kernel(n08.CORNERS_SOLUTION, ("    if (i < n) {", "    if (i >= n) return;\n    {")),
        "unsigned": kernel(n08.CORNERS_SOLUTION, ("    int i =", "    unsigned i =")),
        "grid-stride": kernel(
            n08.CORNERS_SOLUTION, ("    if (i < n) {", "    for (; i < n; i += gridDim.x * blockDim.x) {")
        ),
    },
}


@pytest.mark.parametrize(("id", "name"), [(id, name) for id, answers in RIGHT.items() for name in answers])
def test_a_right_repair_of_another_kind_passes(id, name):
    problem = next(problem for problem in n08.PROBLEMS if problem.id == id)
    outcome = problem.check(answer_of(RIGHT[id][name], problem.answer, np=np, cp=cupy_sim))
    assert outcome.state == "right", outcome


# -- the evidence -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_the_kernel_of_a_case_is_the_one_to_repair(name):
    assert CODE[name] in CASES[name].stub


@pytest.mark.parametrize("last", [1, 9, 10])
def test_only_a_label_behind_the_classes_in_the_last_row_leaves_the_array(last):
    args = (cupy_sim.array([10, last], np.int32), cupy_sim.zeros((2, 10), np.float32), np.int32(2))
    assert sanitize(case("case_1"), (1,), (32,), args).ok == (last < 10)


@pytest.mark.parametrize("w", [5, 32, 33, 128])
@pytest.mark.parametrize("seed", range(6))
def test_rows_of_one_warp_are_right_in_every_order_and_the_race_is_reported_all_the_same(w, seed):
    x = np.random.default_rng(w).normal(3, 2, (4, w)).astype(np.float32)
    args = (cupy_sim.asarray(x), cupy_sim.zeros((4, w), np.float32), np.int32(w))
    _, found, _ = simulate(case("case_2"), (4,), (128,), args, schedule="adversarial", seed=seed)
    if w <= 32:
        assert np.allclose(found, n08.normed(x), atol=1e-4)
    assert sanitize(case("case_2"), (4,), (128,), args).kinds == ("race",)


@pytest.mark.parametrize("lengths", [(5, 9, 20, 31), (64, 64, 50, 40), (40, 7, 60, 70), (1, 33, 1, 1)])
def test_each_warp_comes_to_two_barriers_a_piece_and_one_more(lengths):
    rng = np.random.default_rng(3)
    args = {
        "words": rng.integers(0, 50, (4, 100)).astype(np.int32),
        "length": np.array(lengths, np.int32),
        "table": rng.standard_normal((50, 32)).astype(np.float32),
        "out": np.zeros((1, 32), np.float32),
    }
    launch = (1,), (32, 4), (*map(cupy_sim.asarray, args.values()), np.int32(100))
    for s, n in enumerate(lengths):
        walk = steps(case("case_3"), *launch, of_warp=s)
        assert sum("syncthreads" in walk.source_line(step.line) for step in walk) == 2 * -(-n // 32) + 1
    assert sanitize(case("case_3"), *launch).ok == (len({-(-n // 32) for n in lengths}) == 1)


def test_the_position_breaks_where_the_product_leaves_an_int():
    first = (2**31 - 1) // 48_000 + 1
    assert f"{first - 1:,}" in PROSE and f"174 · 256 + 196 = {first:,}" in PROSE
    assert first == 174 * 256 + 196
    wrapped = first * 48_000 - 2**32
    assert wrapped < 0 and f"the position is -{-wrapped // 44_100:,}" in PROSE


def test_the_slid_window_is_wrong_only_where_a_block_reads_the_next():
    n, k = 2000, 16
    for seed in range(8):
        args = (
            cupy_sim.arange(n, dtype=np.float32),
            cupy_sim.arange(n, n + k, dtype=np.float32),
            np.int32(n),
            np.int32(k),
        )
        found = simulate(case("case_7"), (16,), (128,), args, schedule="adversarial", seed=seed)[0]
        wrong = np.flatnonzero(found != np.arange(k, n + k))
        assert set(wrong % 128) <= set(range(112, 128)) and (wrong < n - k).all()


def test_the_boxes_waste_three_quarters_of_their_stores_and_the_float4_nothing():
    args = (cupy_sim.zeros((4, 8732), np.float32), cupy_sim.zeros((8732, 4), np.float32), np.int32(8732))
    filled = 8732 * 16 // 32
    repaired = answer_of(n08.CORNERS_SOLUTION, "corners", cp=cupy_sim)
    assert profile(case("case_8"), (35,), (256,), args).global_store_sectors == 4 * filled
    assert profile(repaired, (35,), (256,), args).global_store_sectors == filled
    assert 8732 * 4 / 32 == 1091.5 and "8,732 floats are 1,091 sectors and a half" in PROSE


@pytest.mark.parametrize("shape", [(64, 64), (600, 512), (512, 600), (100, 90)])
def test_the_exchanged_grid_misses_rows_of_upright_and_columns_of_wide_pictures(shape):
    h, w = shape
    photo = cupy_sim.zeros(shape, np.uint8)
    out = answer_of(n08.STANDARD_STUB, "standardized", np=np, cp=cupy_sim)(photo, np.float32(1), np.float32(1)).get()
    rows, columns = min(-(-w // 8) * 8, h), min(-(-h // 16) * 16, w)
    assert (out[:rows, :columns] == -1).all() and (out == -1).sum() == rows * columns


def test_the_exchanged_grid_hides_at_512_rows_behind_these_widths_only():
    hidden = [w for w in range(1, 1200) if -(-w // 8) * 8 >= 512 and w <= -(-512 // 16) * 16]
    assert f"the widths from {hidden[0]} to {hidden[-1]}" in PROSE and len(hidden) == hidden[-1] - hidden[0] + 1
