"""Lesson 07's exercises: right answers unlike the solutions, and counts on paper against counts of the simulator."""

import re

import numpy as np
import pytest

from gpucourse import cupy_sim, profile
from gpucourse.exercises import n07_matrix_multiply as n07
from gpucourse.exercises.registry import find
from gpucourse.simt.occupancy import occupancy
from tests.mutants.mutant import answer_of, kernel

ORDER, TILED, COLUMN = n07.ORDER_SOLUTION, n07.TILED_SOLUTION, n07.COLUMN_SOLUTION
PLACE = re.search(r"    int row = .*?\n    int column = .*?\n", ORDER, re.DOTALL)[0]

PRODUCTS = re.search(r"    if \(row < m.*?\n        }\n", ORDER, re.DOTALL)[0]
TERM = "a[row * k + i] * b[i * n + column]"
OTHER_ORDERS = {
    "unsigned": kernel(ORDER, ("int row", "unsigned row"), ("int column", "unsigned column")),
    "columns first": kernel(ORDER, (PLACE, """
    int y = blockIdx.y * 32 + threadIdx.y, x = blockIdx.x * 32 + threadIdx.x;
    int column = x, row = y;
""")),
    "early return": kernel(ORDER, ("if (row < m && column < n) {", "if (row >= m || column >= n) return;\n    {")),
    "from the end": kernel(ORDER, ("int i = 0; i < k; i++", "int i = k - 1; i >= 0; i--")),
    "pointers": kernel(ORDER, ("float sum = 0;", "float sum = 0;\n        const float *left = a + row * k, *down = b + "
                                                 "column;"), (TERM, "left[i] * down[i * n]")),
    "fmaf": kernel(ORDER, (f"sum += {TERM};", "sum = fmaf(a[row * k + i], b[i * n + column], sum);")),
    "a thread's number": kernel(ORDER, (PLACE, """
    int t = threadIdx.y * blockDim.x + threadIdx.x;
    int row = blockIdx.y * 32 + t / 32, column = blockIdx.x * 32 + t % 32;
""")),
    "steps over the grid": kernel(ORDER, ("if (row < m && column < n) {",
                                          "for (; row < m; row += gridDim.y * blockDim.y) if (column < n) {")),
    "a tile for a": kernel(ORDER, (PRODUCTS, """
    __shared__ float left[32][32];
    float sum = 0;
    for (int s = 0; s < k; s += 32) {
        int i = s + threadIdx.x;
        left[threadIdx.y][threadIdx.x] = row < m && i < k ? a[row * k + i] : 0;
        __syncthreads();
        for (int j = 0; j < 32 && s + j < k; j++)
            sum += left[threadIdx.y][j] * (column < n ? b[(s + j) * n + column] : 0);
        __syncthreads();
    }
    if (row < m && column < n) {
""")),
}  # fmt: skip

FILLS = re.search(r"        a_tile.*?\n        b_tile.*?\n", TILED)[0]
SUM = "            sum += a_tile[y][i] * b_tile[i][x];\n"
OTHER_TILES = {
    "if and else": kernel(TILED, (FILLS, """
        if (row < m && start + x < k) a_tile[y][x] = a[row * k + start + x];
        else a_tile[y][x] = 0;
        if (column < n && start + y < k) b_tile[y][x] = b[(start + y) * n + column];
        else b_tile[y][x] = 0;
""")),
    "counts tiles": kernel(TILED, ("int start = 0; start < k; start += T) {",
                                   "int p = 0; p < (k + T - 1) / T; p++) {\n        int start = p * T;")),
    "unsigned": kernel(TILED, ("int x = threadIdx.x, y", "unsigned x = threadIdx.x, y"), ("int row", "unsigned row"),
                       ("int column", "unsigned column"), ("int start", "unsigned start")),
    "zeros first": kernel(TILED, (FILLS, """
        float left = 0, right = 0;
        if (row < m && start + x < k) left = a[row * k + start + x];
        if (start + y < k && column < n) right = b[(start + y) * n + column];
        a_tile[y][x] = left;
        b_tile[y][x] = right;
""")),
    "clamped and masked": kernel(TILED, (FILLS, """
        int i = min(start + x, k - 1), j = min(start + y, k - 1);
        a_tile[y][x] = (start + x < k) * a[min(row, m - 1) * k + i];
        b_tile[y][x] = (start + y < k) * b[j * n + min(column, n - 1)];
""")),
    "b lies turned": kernel(TILED, ("b_tile[y][x] =", "b_tile[x][y] ="), (SUM, SUM.replace("[i][x]", "[x][i]"))),
    "padded": kernel(TILED, ("a_tile[T][T]", "a_tile[T][T + 1]"), ("b_tile[T][T]", "b_tile[T][T + 1]")),
    "two pairs of tiles": kernel(
        TILED, ("a_tile[T][T]", "a_tile[2][T][T]"), ("b_tile[T][T]", "b_tile[2][T][T]"),
        ("start += T) {", "start += T) {\n        int now = start / T % 2;"), ("a_tile[y][x]", "a_tile[now][y][x]"),
        ("b_tile[y][x]", "b_tile[now][y][x]"), (SUM, SUM.replace("e[", "e[now][")),
        ("        }\n        __syncthreads();\n", "        }\n")),
    "only as many as there are": kernel(TILED, ("i < T; i++", "i < min(T, k - start); i++")),
    "from the end": kernel(TILED, ("int start = 0; start < k; start += T", "int start = (k - 1) / T * T; start >= 0; "
                                   "start -= T")),
    "one guard for the barrier": kernel(TILED, ("        __syncthreads();\n        for", "        __syncthreads();\n"
                                                "        if (row < m && column < n) for")),
    "one array for both": kernel(
        TILED, ("    __shared__ float b_tile[T][T];\n", ""), ("a_tile[T][T]", "a_tile[2 * T][T]"),
        ("b_tile[y][x]", "a_tile[T + y][x]"), (SUM, SUM.replace("b_tile[i]", "a_tile[T + i]"))),
}  # fmt: skip

TOGETHER = (("a_tile[r * T + y][i] *", "a_tile[R * y + r][i] *"), ("c[(top + r * T + y)", "c[(top + R * y + r)"))
PRODUCT = "                sum[r] += a_tile[r * T + y][i] * right;\n"
OTHER_COLUMNS = {
    "rows that lie together": kernel(COLUMN, *TOGETHER),
    "rows outside": kernel(COLUMN, (n07.COLUMN_SUMS, """        for (int r = 0; r < R; r++)
            for (int i = 0; i < T; i++)
                sum[r] += a_tile[r * T + y][i] * b_tile[i][x];
""")),
    "four lines": kernel(COLUMN, (n07.COLUMN_SUMS, """        for (int i = 0; i < T; i++) {
            sum[0] += a_tile[y][i] * b_tile[i][x];
            sum[1] += a_tile[16 + y][i] * b_tile[i][x];
            sum[2] += a_tile[32 + y][i] * b_tile[i][x];
            sum[3] += a_tile[48 + y][i] * b_tile[i][x];
        }
""")),
    "unsigned": kernel(COLUMN, ("int x = threadIdx.x, y", "unsigned x = threadIdx.x, y"), ("int top", "unsigned top")),
    "unrolled": kernel(COLUMN, ("            float right", "            float right"),
                       ("        for (int i", "        #pragma unroll\n        for (int i")),
    "kept in a loop": kernel(COLUMN, ("        for (int i", "        #pragma unroll 1\n        for (int i")),
    "fmaf": kernel(COLUMN, (PRODUCT, "                sum[r] = fmaf(a_tile[y + T * r][i], right, sum[r]);\n")),
    "stores with a step": kernel(COLUMN, (n07.COLUMN_STORES, """    float* place = c + (top + y) * n + column;
    for (int r = 0; r < R; r++, place += T * n) *place = sum[r];
""")),
    "a column of b first": kernel(COLUMN, (n07.COLUMN_SUMS, """        float rights[T];
        for (int i = 0; i < T; i++) rights[i] = b_tile[i][x];
        for (int r = 0; r < R; r++)
            for (int i = 0; i < T; i++) sum[r] += a_tile[r * T + y][i] * rights[i];
""")),
    "lines for stores": kernel(COLUMN, (n07.COLUMN_STORES, "".join(
        f"    c[(top + {16 * r} + y) * n + column] = sum[{r}];\n" for r in range(4)))),
}  # fmt: skip

OTHER_FITS = {
    "step by step": """
def blocks_that_fit(registers, shared_bytes, threads):
    warps = (threads + 31) // 32
    per_warp = (registers * 32 + 255) // 256 * 256
    limits = [("registers", 16384 // per_warp * 4 // warps), ("warps", 64 // warps), ("blocks", 32),
              ("shared memory", 164 * 1024 // ((shared_bytes + 1024 + 127) // 128 * 128))]
    name, blocks = min(limits, key=lambda pair: pair[1])
    return [blocks, name]
""",
    "with NumPy": """
def blocks_that_fit(registers, shared_bytes, threads):
    warps = np.ceil(threads / 32)
    per_warp = 256 * np.ceil(registers / 8)
    per_block = 128 * np.ceil(shared_bytes / 128 + 8)
    limits = {"warps": 64 // warps, "blocks": 32, "registers": np.floor(4 * np.floor(2**14 / per_warp) / warps),
              "shared memory": 167936 // per_block}
    least = min(limits.values())
    return int(least), next(name for name in limits if limits[name] == least)
""",
    "by trying": """
def blocks_that_fit(registers, shared_bytes, threads):
    warps, name = -(-threads // 32), ""
    for blocks in range(1, 66):
        if blocks * warps > 64: name = "warps"
        if blocks > 32: name = "blocks"
        if -(-blocks * warps // 4) > 16384 // (-(-registers * 32 // 256) * 256): name = "registers"
        if blocks * (-(-(shared_bytes + 1024) // 128) * 128) > 167936: name = "shared memory"
        if name: return blocks - 1, name
""",
}
OTHER_ROOFS = {
    "by trying": """
def under_the_roof(tile, gflops_per_s, gbytes_per_s):
    smallest = 16
    while smallest / 4 * gbytes_per_s < gflops_per_s: smallest += 16
    binds = "arithmetic" if tile * gbytes_per_s > 4 * gflops_per_s else "memory"
    return [min(gflops_per_s, gbytes_per_s * tile / 4), binds, smallest]
""",
    "counted anew": """
def under_the_roof(tile, gflops_per_s, gbytes_per_s):
    flop, moved = 2 * tile**3, 2 * tile**2 * 4
    time = max(flop / gflops_per_s, moved / gbytes_per_s)
    memory = moved / gbytes_per_s > flop / gflops_per_s
    return flop / time, "memory" if memory else "arithmetic", -(-4 * gflops_per_s // (16 * gbytes_per_s)) * 16
""",
    "by the bend": """
def under_the_roof(tile, gflops_per_s, gbytes_per_s):
    bend = gflops_per_s / gbytes_per_s
    if tile / 4 < bend:
        return tile / 4 * gbytes_per_s, "memory", 16 * np.ceil(bend / 4)
    return gflops_per_s, "arithmetic", 16 * np.ceil(bend / 4)
""",
}
OTHER_COUNTS = {
    "numbers": """traffic = {
    "one thread a result": 14155776000, "16 x 16 tiles": 884736000, "32 x 32 tiles": 442368000,
    "128 x 128 tiles": 110592000, "FLOP/byte, one thread a result": 0.25, "FLOP/byte, 128 x 128 tiles": 32,
}
""",
    "blocks times tiles": """
n = 1920
def loads(T):
    return (n // T)**2 * (n // T) * 2 * T * T
traffic = {"one thread a result": n * n * 2 * n, "16 x 16 tiles": loads(16), "32 x 32 tiles": loads(32),
           "128 x 128 tiles": loads(128), "FLOP/byte, one thread a result": 2 / 8,
           "FLOP/byte, 128 x 128 tiles": 128 / 4}
""",
}
OTHERS = {"07.1": OTHER_ORDERS, "07.2": OTHER_COUNTS, "07.3": OTHER_TILES, "07.4": OTHER_COLUMNS, "07.5": OTHER_FITS,
          "07.6": OTHER_ROOFS}  # fmt: skip


@pytest.mark.parametrize(("id", "name"), [(id, name) for id, sources in OTHERS.items() for name in sources])
def test_a_right_answer_of_another_kind_passes(id, name):
    problem = find(id)
    outcome = problem.check(answer_of(OTHERS[id][name], problem.answer, np=np, cp=cupy_sim))
    assert outcome.state == "right", outcome


# -- 07.2 on the simulator ----------------------------------------------------------------------------

BLOCK_128 = r"""
extern "C" __global__
void product(const float* a, const float* b, float* c, int m, int n, int k)
{
    __shared__ float left[128][8], right[8][128];
    float sum[8][8] = {};
    int t = threadIdx.x;
    for (int start = 0; start < k; start += 8) {
        for (int e = t; e < 1024; e += 256) {
            left[e / 8][e % 8] = a[(blockIdx.y * 128 + e / 8) * k + start + e % 8];
            right[e / 128][e % 128] = b[(start + e / 128) * n + blockIdx.x * 128 + e % 128];
        }
        __syncthreads();
        for (int i = 0; i < 8; i++)
            for (int r = 0; r < 8; r++)
                for (int s = 0; s < 8; s++) sum[r][s] += left[t / 16 * 8 + r][i] * right[i][t % 16 * 8 + s];
        __syncthreads();
    }
    for (int r = 0; r < 8; r++)
        for (int s = 0; s < 8; s++)
            c[(blockIdx.y * 128 + t / 16 * 8 + r) * n + blockIdx.x * 128 + t % 16 * 8 + s] = sum[r][s];
}
"""


def counted(raw, side, block, n):
    """The profile of a product of n x n, and the product's largest error."""
    rng = np.random.default_rng(n)
    a, b = (rng.random((n, n), dtype=np.float32) for _ in range(2))
    c = cupy_sim.zeros((n, n), np.float32)
    args = (cupy_sim.asarray(a), cupy_sim.asarray(b), c, *(np.int32(n),) * 3)
    found = profile(raw, (n // side,) * 2, block, args)
    raw((n // side,) * 2, block, args)
    return found, abs(c.get() - a.astype(np.float64) @ b).max()


@pytest.mark.parametrize(
    ("name", "source", "side", "block"),
    [
        ("one thread a result", ORDER, 32, (32, 32)),
        ("16 x 16 tiles", TILED, 16, (16, 16)),
        ("32 x 32 tiles", TILED.replace("#define T 16", "#define T 32"), 32, (32, 32)),
        ("128 x 128 tiles", BLOCK_128, 128, (256,)),
    ],
)
def test_the_formulas_of_the_traffic_are_what_is_counted(name, source, side, block):
    n = 128
    raw = (cupy_sim.RawKernel(source, "product") if name.startswith("128") else
           answer_of(source, "matmul" if "matmul" in source else "product", cp=cupy_sim))  # fmt: skip
    found, error = counted(raw, side, block, n)
    assert error < 1e-3
    loads = 32 * found.global_load_requests                       # all lanes of all warps are active
    assert loads == eval(n07.FORMULAS[name], {"n": n})
    assert found.flops == 2 * n**3
    ratio = n07.FORMULAS.get(f"FLOP/byte, {name}")
    assert ratio is None or found.flops / (4 * loads) == eval(ratio, {"n": n})


# -- 07.4, 07.5 and 07.6 -------------------------------------------------------------------------------


def test_a_register_serves_four_products():
    loads = {}
    for name, source in {"one": TILED, "four": COLUMN}.items():
        launch = n07.product_of(np.random.default_rng(1), (64, 16, 16), (16 if name == "one" else 64, 16), (16, 16))
        args = [cupy_sim.asarray(x) if isinstance(x, np.ndarray) else x for x in launch.args.values()]
        raw = answer_of(source, "matmul" if name == "one" else "matmul4", cp=cupy_sim)
        loads[name] = profile(raw, launch.grid, launch.block, tuple(args)).shared_load_requests
    products = 64 * 16 * 16 // 32
    assert loads == {"one": 2 * products, "four": 5 * products // 4}


def test_no_case_of_occupancy_has_a_tie_and_each_resource_binds():
    for seed in range(5):
        cases = [case.args for case in n07.FIT.judge.all_cases(np, seed)]
        bound = [occupancy("A100", t, r, s).bound_by for r, s, t in cases]
        assert all(len(names) == 1 for names in bound)
        assert {name for names in bound for name in names} == set(n07.RULES)


@pytest.mark.parametrize(("registers", "shared", "threads", "blocks"), [
    (37, 0, 128, 12),          # 37 · 32 = 1,184, rounded up 1,280; 12 warps in each part; 48 / 4
    (64, 20_000, 256, 4),      # 2,048 a warp, 8 in a part; 32 / 8
    (24, 4500, 64, 29),        # 5,524 bytes, rounded up 5,632; 167,936 / 5,632 = 29.8
])  # fmt: skip
def test_blocks_worked_out_by_hand(registers, shared, threads, blocks):
    assert n07.blocks_that_fit(registers, shared, threads)[0] == blocks


def test_the_rules_are_nvidias_formula():
    rng = np.random.default_rng(0)
    for _ in range(500):
        r, s, t = int(rng.integers(1, 256)), int(rng.integers(0, 160_000)), int(rng.integers(1, 1025))
        found = occupancy("A100", t, r, s).limits
        assert {name: rule(r, s, t) for name, rule in n07.RULES.items()} == found


def test_the_smallest_tile_is_the_first_that_reaches_the_peak():
    for tile, peak, bandwidth in (case.args for case in n07.ROOF.judge.all_cases(np, 3)):
        reached = [t for t in range(16, 4096, 16) if t * bandwidth >= 4 * peak]
        rate, binds, smallest = n07.under_the_roof(tile, peak, bandwidth)
        assert smallest == reached[0]
        assert rate <= peak
        assert (binds == "memory") == (rate < peak)
