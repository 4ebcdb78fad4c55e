"""The ladder of lesson 07: each rung multiplies, costs what the lesson says, and can be rehearsed."""

import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from gpucourse import benchmarks, cupy_sim, profile, sanitize, simulate
from gpucourse.benchmarks import matmuls
from gpucourse.benchmarks.case import QUICK, Machine, WrongResult, measure
from gpucourse.errors import CourseError
from gpucourse.simt.compile import kernel_resources
from tests import stand_in_gpu

SIMULATOR = Machine("simulator", "the simulator", cupy_sim, lambda: None, 1)
# rung -> shapes (m, n, k): one tile, several, more rows than columns; where allowed, no multiples of anything
SHAPES = {
    "naive": [(32, 32, 8), (45, 37, 51), (1, 70, 3), (33, 1, 64)],
    "coalesced": [(32, 32, 8), (45, 37, 51), (1, 70, 3), (33, 1, 64)],
    "tiled": [(32, 32, 32), (96, 32, 64), (32, 64, 160)],
    "register_column": [(64, 64, 8), (128, 64, 40), (64, 192, 16)],
    "register_block": [(128, 128, 8), (256, 128, 24), (128, 256, 16)],
    "vector_loads": [(128, 128, 8), (256, 128, 24), (128, 256, 16)],
    "double_buffer": [(128, 128, 8), (256, 128, 24), (128, 256, 16)],
    "tensor_cores": [(128, 128, 32), (256, 128, 64), (128, 256, 96)],
}
CASES = [(rung, shape) for rung, shapes in SHAPES.items() for shape in shapes]


def operands(rung, m, n, k):
    """Two random matrices, a result full of NaN, and NumPy's float64 product of what the kernel is given."""
    rng, dtype = np.random.default_rng(m + n + k), np.float16 if rung == "tensor_cores" else np.float32
    a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
    due = a.astype(np.float64) @ b.astype(np.float64)
    return cupy_sim.asarray(a), cupy_sim.asarray(b), cupy_sim.full((m, n), np.nan, np.float32), due


def launched(rung, m, n, k):
    """(kernel, grid, block, arguments) of a rung on random matrices."""
    a, b, c, _ = operands(rung, m, n, k)
    grid, block = matmuls.grid_and_block(matmuls.TILES[rung], m, n, k)
    return matmuls.RUNGS[rung].kernel(cupy_sim), grid, block, (a, b, c, *map(np.int32, (m, n, k)))


@pytest.mark.parametrize(("rung", "shape"), CASES)
def test_a_rung_multiplies(rung, shape):
    a, b, c, due = operands(rung, *shape)
    matmuls.launch(rung, matmuls.RUNGS[rung].kernel(cupy_sim), a, b, c)()
    np.testing.assert_allclose(c.get(), due, rtol=1e-5, atol=2e-5)   # float32 sums; products of halves are exact


@pytest.mark.parametrize(("rung", "shape"), [(rung, shapes[1]) for rung, shapes in SHAPES.items()])
def test_a_rung_is_free_of_faults_in_any_order_of_its_warps(rung, shape):
    call = launched(rung, *shape)
    assert sanitize(*call).ok
    for seed in range(2):
        c = simulate(*call, schedule="adversarial", seed=seed)[2]
        np.testing.assert_allclose(c, operands(rung, *shape)[3], rtol=1e-5, atol=2e-5)


BARRIERS = ("    __syncthreads();\n    for (int start = BK", "        __syncthreads();\n    }")


@pytest.mark.parametrize("missing", BARRIERS)
def test_double_buffer_needs_both_of_its_barriers(missing):
    rung = matmuls.RUNGS["double_buffer"]
    assert rung.source.count(missing) == 1
    broken = replace(rung, source=rung.source.replace(missing, missing.replace("__syncthreads();", "")))
    assert "race" in sanitize(broken.kernel(cupy_sim), *launched("double_buffer", 128, 128, 24)[1:]).kinds


@pytest.mark.parametrize("rung", [rung for rung, tile in matmuls.TILES.items() if tile.whole])
def test_matrices_that_are_no_whole_tiles_are_refused(rung):
    tile = matmuls.TILES[rung]
    for m, n, k in ((tile.m + 1, tile.n, tile.k), (tile.m, tile.n + 1, tile.k), (tile.m, tile.n, tile.k + 1)):
        with pytest.raises(CourseError, match=f"multiples of {tile.m}, {tile.n} and {tile.k}"):
            matmuls.grid_and_block(tile, m, n, k)


@pytest.mark.parametrize("rung", [rung for rung, tile in matmuls.TILES.items() if tile.whole])
def test_a_tile_is_that_of_the_source(rung):
    defined = re.findall(r"(?m)^#define (T|BM|BN|BK) (\d+)", matmuls.RUNGS[rung].source)
    found = {name: int(size) for name, size in defined}
    sides = [found["T"]] * 3 if "T" in found else [found[name] for name in ("BM", "BN", "BK")]
    assert [getattr(matmuls.TILES[rung], side) for side in "mnk"] == sides


# --- costs: worked out by hand -----------------------------------------------------------------------

# rung -> (m, n, k) that are multiples of its tile
COUNTED = dict.fromkeys(matmuls.RUNGS, (128, 256, 64)) | dict.fromkeys(("naive", "coalesced", "tiled"), (32, 64, 64))


def counted(rung):
    """A profile, and how many multiply-adds its warps do (those of 32 threads count as one)."""
    m, n, k = COUNTED[rung]
    return profile(*launched(rung, m, n, k)), m * n * k // 32


def lines(p, text):
    """Counters of the lines that contain a text."""
    return [row for row in p.rows() if text in row["source"]]


@pytest.mark.parametrize("rung", matmuls.RUNGS)
def test_all_rungs_do_the_same_arithmetic(rung):
    p, multiply_adds = counted(rung)
    assert p.flops == 2 * 32 * multiply_adds


# lanes down a column of C: 32 rows of A, 1 float of B, 32 rows of C; along a row: 1 float, 4 sectors, 4 sectors
@pytest.mark.parametrize(("rung", "of_a", "of_b", "of_c"), [("naive", 32, 1, 32), ("coalesced", 1, 4, 4)])
def test_sectors_of_the_first_two_rungs(rung, of_a, of_b, of_c):
    p, multiply_adds = counted(rung)
    m, n, _ = COUNTED[rung]
    assert p.global_load_requests == 2 * multiply_adds
    assert p.global_load_sectors == (of_a + of_b) * multiply_adds
    assert p.global_store_sectors == of_c * m * n // 32


# of A and B an element is loaded once for each tile that needs it: A by the tiles of a row, B by those of a column.
# rung -> (floats a lane brings in one request)
WIDTHS = {"tiled": 1, "register_column": 1, "register_block": 1, "vector_loads": 4, "double_buffer": 4}


@pytest.mark.parametrize("rung", WIDTHS)
def test_global_traffic_falls_by_the_tile(rung):
    p, multiply_adds = counted(rung)
    (m, n, k), tile = COUNTED[rung], matmuls.TILES[rung]
    loaded = m * k * (n // tile.n) + k * n * (m // tile.m)               # floats
    assert loaded == 32 * multiply_adds // tile.n + 32 * multiply_adds // tile.m
    assert (p.global_load_requests, p.global_load_sectors) == (loaded // (32 * WIDTHS[rung]), loaded // 8)
    assert p.global_store_sectors == p.global_store_ideal_sectors == m * n // 8
    assert p.sectors_per_request == p.ideal_sectors_per_request


# a thread's results: rows, columns; and the passes of a load of one float, or of four
THREAD = {"tiled": (1, 1, 1), "register_column": (8, 1, 1), "register_block": (8, 8, 1), "vector_loads": (8, 8, 4),
          "double_buffer": (8, 16, 4)}  # fmt: skip


@pytest.mark.parametrize("rung", THREAD)
def test_shared_loads_fall_by_the_results_of_a_thread_and_none_conflicts(rung):
    p, multiply_adds = counted(rung)
    rows, columns, passes = THREAD[rung]
    floats = (rows + columns) * multiply_adds // (rows * columns)        # that a lane loads, summed over the warps
    assert (p.shared_load_requests, p.shared_load_wavefronts) == (floats // passes, floats)
    assert p.bank_conflicts == 0


# rung -> the most registers with which so many blocks fit into a multiprocessor of 65,536 registers
REGISTERS = {"register_block": 128, "vector_loads": 128, "double_buffer": 255}
BLOCKS = {"register_block": 2, "vector_loads": 2, "double_buffer": 2}


@pytest.mark.parametrize("rung", REGISTERS)
def test_results_stay_in_registers(rung):
    p, _ = counted(rung)
    used = p.resources
    assert (used.spill_store_bytes, used.spill_load_bytes, used.stack_bytes, p.local_requests) == (0, 0, 0, 0)
    assert used.registers <= REGISTERS[rung]
    fits = p.occupancy("A100")
    assert (fits.blocks_per_sm, fits.bound_by) == (BLOCKS[rung], ("registers",))
    assert fits.warps_per_sm == BLOCKS[rung] * p.threads_per_block // 32


# --- variants ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", matmuls.VARIANTS)
def test_a_variant_multiplies_its_own_tiles_and_spills_nothing(sizes):
    rung, tile = matmuls.variant(sizes)
    for name, size in zip(("BM", "BN", "BK", "WM", "WN", "TM", "TN"), sizes, strict=True):
        assert f"\n#define {name} {size} " in rung.source or f"\n#define {name} {size}\n" in rung.source
    a, b, c, due = operands(rung.name, tile.m, tile.n, 3 * tile.k)
    matmuls.launch(tile, rung.kernel(cupy_sim), a, b, c)()
    np.testing.assert_allclose(c.get(), due, rtol=1e-5, atol=2e-5)
    used = kernel_resources(rung.source)["double_buffer"]
    assert used.spill_store_bytes == used.stack_bytes == 0


def test_no_variant_is_the_default():
    titles = {rung.title for rung, _ in map(matmuls.variant, matmuls.VARIANTS)}
    assert len(titles) == len(matmuls.VARIANTS)
    sources = {rung.source for rung, _ in map(matmuls.variant, matmuls.VARIANTS)}
    assert matmuls.RUNGS["double_buffer"].source not in sources


# --- measured ----------------------------------------------------------------------------------------

BRIEF = replace(QUICK, repeat=2)


def test_the_ladder_is_rehearsed_on_the_simulator(monkeypatch):
    (name, benchmark), = benchmarks.table("gpu", "matmul").items()
    entries = list(measure(name, benchmark, SIMULATOR, BRIEF))
    assert [entry.get("error") for entry in entries] == [None] * len(entries)
    kernels = [entry["parameters"]["kernel"] for entry in entries]
    assert kernels[0] == "library" and set(matmuls.RUNGS) < set(kernels)
    assert len(kernels) == len(matmuls.RUNGS) + len(matmuls.VARIANTS) + 2
    for entry in entries:
        assert (entry["work"], entry["unit"]) == (2 * entry["parameters"]["n"] ** 3, "FLOP/s")
    of = {entry["parameters"]["kernel"]: entry.get("of") for entry in entries}
    assert of["library"] is of["library, half"] is None
    assert of["tensor_cores"] == "library, half" and of["double_buffer"] == of["naive"] == "library"


def test_the_sides_are_whole_tiles_of_all_rungs_and_variants():
    tiles = [*matmuls.TILES.values(), *(matmuls.variant(sizes)[1] for sizes in matmuls.VARIANTS)]
    for n in (*matmuls.SIDES, *matmuls._REHEARSED):
        for tile in tiles:
            matmuls.grid_and_block(tile, n, n, n)


def test_on_a_gpu_a_kernel_that_leaves_a_wrong_result_gets_no_rate(monkeypatch):
    monkeypatch.setattr(matmuls, "SIDES", (256,))
    gpu = Machine("gpu", "NVIDIA Test 9000", stand_in_gpu.Cupy(), lambda: None, 1, cache_bytes=1 << 20)
    entries = list(measure("matmul", matmuls.matmul, gpu, BRIEF))
    wrong = {entry["parameters"]["kernel"] for entry in entries if "WrongResult" in entry.get("error", "")}
    timed = {entry["parameters"]["kernel"] for entry in entries if "seconds" in entry}
    assert timed == {"library", "library, half"}          # the stand-in's kernels do nothing
    assert len(wrong) == len(entries) - 2


def test_a_library_product_in_tf32_is_not_accepted():
    def tf32(a, b, out):
        cut = [(x.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32) for x in (a, b)]   # 10 bits of mantissa
        out[...] = np.matmul(*cut)

    xp = stand_in_gpu.Cupy()
    xp.matmul = tf32
    checked = matmuls._library(xp, 256, "float32")
    checked()
    with pytest.raises(WrongResult, match="TF32"):
        checked.check()


@pytest.mark.parametrize("error", [2e-5, float("nan")])
def test_a_result_that_is_off_or_not_there_is_wrong(error):
    require = partial(matmuls.require_close, "a rung", largest=1.0, tolerance=1e-5)
    require(error=1e-5)
    with pytest.raises(WrongResult, match="a rung"):
        require(error=error)
