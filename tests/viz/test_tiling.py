"""The tiling explorer: its traffic against the profiles of real kernels, its limits, its words, its picture."""

from itertools import cycle, product

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from gpucourse import cupy_sim as cp
from gpucourse import profile
from gpucourse.benchmarks import matmuls
from gpucourse.errors import CourseError
from gpucourse.recorded import published
from gpucourse.simt.occupancy import DEVICES, LIMITS
from gpucourse.viz import explorers, tiling
from tests.viz.texts import clashes

TILED = r"""
extern "C" __global__ void tiled(const float* a, const float* b, float* c, int n)
{
    __shared__ float a_tile[BM][BK], b_tile[BK][BN];
    const int down = BM / TM, across = BN / TN;              // threads; a thread's results lie that far apart
    int x = threadIdx.x, y = threadIdx.y, t = y * across + x;
    int top = blockIdx.y * BM, left = blockIdx.x * BN;
    float sum[TM][TN] = {};
    for (int start = 0; start < n; start += BK) {
        for (int e = t; e < BM * BK; e += down * across) {
            int row = top + e / BK, column = start + e % BK;
            a_tile[e / BK][e % BK] = row < n && column < n ? a[row * n + column] : 0;
        }
        for (int e = t; e < BK * BN; e += down * across) {
            int row = start + e / BN, column = left + e % BN;
            b_tile[e / BN][e % BN] = row < n && column < n ? b[row * n + column] : 0;
        }
        __syncthreads();
        #pragma unroll 1
        for (int k = 0; k < BK; k++)
            for (int i = 0; i < TM; i++)
                for (int j = 0; j < TN; j++) sum[i][j] += a_tile[y + i * down][k] * b_tile[k][x + j * across];
        __syncthreads();
    }
    for (int i = 0; i < TM; i++)
        for (int j = 0; j < TN; j++) {
            int row = top + y + i * down, column = left + x + j * across;
            if (row < n && column < n) c[row * n + column] = sum[i][j];
        }
}
"""
WHOLE = [   # n, bm, bn, bk, tm, tn
    (64, 32, 32, 32, 1, 1), (64, 16, 16, 16, 1, 1), (64, 32, 64, 8, 4, 4), (64, 64, 64, 8, 8, 8),
    (96, 32, 16, 16, 4, 1),
]  # fmt: skip
AT_THE_EDGE = [(72, 32, 16, 8, 2, 1), (40, 64, 32, 16, 4, 2), (24, 16, 32, 32, 2, 2)]


def operands(n):
    rng = np.random.default_rng(n)
    return [cp.asarray(rng.integers(-4, 5, (n, n)).astype(np.float32)) for _ in range(2)] + [cp.zeros((n, n), "f4")]


def launch(choice, grid=None):
    """The tiled product as a kernel, and how to launch it."""
    n, *sizes = choice
    names = dict(zip(("BM", "BN", "BK", "TM", "TN"), sizes, strict=True))
    kernel = cp.RawKernel("".join(f"#define {name} {size}\n" for name, size in names.items()) + TILED, "tiled")
    block = (names["BN"] // names["TN"], names["BM"] // names["TM"])
    return kernel, grid or tiling.tiles(*choice).grid[::-1], block, (*operands(n), np.int32(n))


@pytest.mark.parametrize("choice", WHOLE + AT_THE_EDGE)
def test_the_kernel_of_these_tests_is_right(choice):
    kernel, grid, block, (a, b, c, n) = launch(choice)
    kernel(grid, block, (a, b, c, n))
    assert (c.get() == a.get() @ b.get()).all()


@pytest.mark.parametrize("choice", WHOLE + AT_THE_EDGE)
def test_the_bytes_are_those_of_a_profile(choice):
    made, found = tiling.tiles(*choice), profile(*launch(choice))
    assert found.worst_case_bytes == found.bytes_used == made.global_bytes
    assert 128 * found.shared_store_requests == made.shared_written
    assert 128 * found.shared_load_requests == made.shared_read
    assert found.threads_per_block == made.threads
    assert found.resources.shared_bytes == made.shared_bytes
    assert found.resources.registers > made.registers


@pytest.mark.parametrize("choice", WHOLE)
def test_the_intensity_and_one_blocks_bytes_are_those_of_a_profile(choice):
    made = tiling.tiles(*choice)
    assert profile(*launch(choice)).worst_case_intensity == pytest.approx(made.intensity)
    alone = profile(*launch(choice, (1, 1))).total
    assert (alone.global_load_bytes_used, alone.global_store_bytes_used) == (made.block_reads, made.block_writes)


@pytest.mark.parametrize("name", ["tiled", "register_column", "register_block", "vector_loads", "double_buffer"])
def test_the_ladder_of_the_lesson_moves_what_is_said(name):
    """Those of 128 x 128 with n = 256: two rows and two columns of blocks."""
    n, tile = 256 if matmuls.TILES[name].m == 128 else 128, matmuls.TILES[name]
    a, b, c = operands(n)
    grid, block = matmuls.grid_and_block(tile, n, n, n)
    found = profile(matmuls.RUNGS[name].kernel(cp), grid, block, (a, b, c, *[np.int32(n)] * 3))
    assert found.worst_case_bytes == tiling.tiles(n, tile.m, tile.n, tile.k, 1, 1).global_bytes


NAIVE = r"""
extern "C" __global__ void naive(const float* a, const float* b, float* c, int n)
{
    float sum = 0;
    for (int k = 0; k < n; k++) sum += a[blockIdx.y * n + k] * b[k * n + blockIdx.x];
    c[blockIdx.y * n + blockIdx.x] = sum;
}"""


def test_without_tiles_every_thread_reads_a_row_and_a_column():
    """Blocks of one thread: no lane can share what another has loaded."""
    n = 16
    found = profile(cp.RawKernel(NAIVE, "naive"), (n, n), (1,), (*operands(n), np.int32(n)))
    assert found.bytes_used == tiling.untiled(n).global_bytes == 8 * n**3 + 4 * n**2
    assert tiling.untiled(4096).intensity == pytest.approx(0.25, rel=1e-3)


# --- devices and limits ------------------------------------------------------------------------------


def test_devices_are_those_with_limits_and_published_figures():
    for device, name in tiling.MACHINES.items():
        found = published(name)
        assert tiling.roof(device) == (found.peak_float32 / 1e9, found.bandwidth / 1e9)
        cores = tiling.CORES[DEVICES[device]]
        if found.multiprocessors:
            assert found.multiprocessors * cores == found.cores
            assert 2 * found.cores * found.clock == pytest.approx(found.peak_float32, rel=0.01)
    assert set(tiling.CORES) <= set(LIMITS)


def test_the_point_stands_under_the_roof():
    """A T4 of 8.1 TFLOP/s and 320 GB/s: the roof bends at 25.3 FLOP a byte, tiles of 128 reach it, of 64 do not."""
    small, large = (tiling.tiles(4096, side, side, 8, 8, 8) for side in (64, 128))
    assert tiling.reached(small, "T4") == pytest.approx(320 * 16, rel=0.02)
    assert (tiling.reached(large, "T4"), tiling.limit(large, "T4"), tiling.limit(small, "T4")) == (
        8100, "arithmetic", "memory")  # fmt: skip


@pytest.mark.parametrize(("device", "side", "share"), [
    # reads alone: 2 s s FLOP for 4 (s + s) bytes; a clock brings 128 bytes and takes 2 * 64 or 2 * 128 FLOP
    ("A100", 1, 0.25), ("A100", 2, 0.5), ("A100", 4, 1), ("RTX 4090", 2, 0.25), ("RTX 4090", 4, 0.5), ("H100", 8, 1),
])  # fmt: skip
def test_what_shared_memory_allows(device, side, share):
    made = tiling.tiles(8192, 256, 256, 8, side, side)
    reads_only = share * tiling.roof(device)[0]
    writes = made.shared_written / made.shared_read
    assert tiling.shared_ceiling(made, device) == pytest.approx(reads_only / (1 + writes), rel=1e-9)


@pytest.mark.parametrize(("choice", "device", "reason"), [
    ({"tm": 1, "tn": 1}, "A100", "a block may have 1,024 threads, and this one has 16,384."),
    ({"tm": 16, "tn": 16}, "A100", "a thread may have 255 registers, and these have 288."),
    ({"bm": 256, "bn": 128, "bk": 64, "tm": 16}, "T4",
     "a block may have 65,536 bytes of shared memory, and this one asks for 98,304."),
    ({"bm": 256, "bn": 256}, "A100", "a warp of these threads takes 2,560 registers, so the 65,536 registers, in 4 "
     "equal parts, hold 24 warps, and the block has 32."),
])  # fmt: skip
def test_what_a_device_cannot_run_is_said_in_one_sentence(choice, device, reason):
    said = tiling.sentence(**choice, device=device)
    assert said.endswith(f": this cannot run on the {device}: {reason}")
    fig, words = tiling.draw(**choice, device=device)
    assert words == said
    assert fig.axes[0].texts[0].get_text().endswith(f"cannot run on the {device}")
    assert any(" over " in f" {text.get_text()}" and text.get_weight() == "bold" for text in fig.axes[0].texts)
    assert not [line for line in fig.axes[1].lines if line.get_marker() == "o"]


@pytest.mark.parametrize(("wrong", "error", "message"), [
    ({"n": 0}, ValueError, "n=0: give 1 or more"),
    ({"bk": 0}, ValueError, "bk=0: give 1 or more"),
    ({"bm": 48, "tm": 32}, ValueError, "tm=32 does not divide bm=48: the threads would not fill the block"),
    ({"tn": 3}, ValueError, "tn=3 does not divide bn=128"),
    ({"device": "A40"}, CourseError, "no published figures for the device 'A40'; there are for V100, T4"),
    ({"device": "P100"}, CourseError, "'P100' are not known here"),
])  # fmt: skip
def test_what_cannot_be_is_refused(wrong, error, message):
    for say in (tiling.sentence, tiling.draw):
        with pytest.raises(error, match=message):
            say(**wrong)


def test_the_sentence_says_all_numbers():
    assert tiling.sentence(n=1024, bm=32, bn=64, bk=16, tm=2, tn=4, device="T4") == (
        "n = 1,024, 32 x 64 results a block in steps of 16, 2 x 4 results a thread: 512 blocks of 256 threads. Global "
        "memory: a block reads 393,216 bytes and writes 8,192; all move 205,520,896, 10.4 FLOP a byte; without tiles "
        "8,594,128,896, 0.25 FLOP a byte. Shared memory: all threads write 201,326,592 bytes and read 3,221,225,472, "
        "0.627 FLOP a byte. A block takes 6,144 bytes of shared memory, a thread at least 14 registers, 8 of them for "
        "its results. On the NVIDIA T4, published, if no cache helps: at most 3.34 TFLOP/s, memory is the limit; "
        "without tiles 80 GFLOP/s. Shared memory, loaded by 4 bytes, allows 5.08 TFLOP/s."
    )


# --- the picture -------------------------------------------------------------------------------------

CHOICES = [   # n, bm, bn, bk, tm, tn, device
    (4096, 128, 128, 8, 8, 8, "A100"), (1024, 32, 32, 32, 1, 1, "T4"), (4096, 256, 256, 8, 1, 1, "A100"),
    (1000, 256, 16, 32, 16, 1, "RTX 4090"), (256, 256, 256, 32, 16, 16, "T4"), (8192, 16, 16, 8, 1, 1, "L4"),
    (256, 16, 256, 32, 2, 8, "H200"), (4096, 256, 256, 8, 16, 8, "H100"), (8192, 64, 64, 16, 8, 4, "V100"),
    (100, 128, 16, 32, 4, 2, "L4"), (4096, 64, 64, 8, 2, 2, "RTX 4090"), (8192, 256, 256, 32, 16, 8, "H200"),
    (512, 16, 16, 32, 16, 8, "A100"), (4096, 128, 128, 8, 4, 4, "H100"),
]  # fmt: skip


def boxes(fig, look):
    return [box for box in fig.axes[0].patches
            if (box.get_facecolor(), box.get_zorder()) == (to_rgba(look["facecolor"]), look["zorder"])]  # fmt: skip


def size(box):
    return box.get_width(), box.get_height()


@pytest.mark.parametrize("choice", CHOICES)
def test_tiles_are_drawn_to_scale(choice):
    n, bm, bn, bk, tm, tn, _ = choice
    fig, _ = tiling.draw(*choice)
    inch = tiling._SIDE / n
    (tile,) = boxes(fig, tiling._TILE)
    rows, columns = boxes(fig, tiling._PANEL)
    a_step, b_step, a_zoom, b_zoom = boxes(fig, tiling._STEP)
    (zoomed,) = boxes(fig, tiling._PALE)
    assert size(rows) == pytest.approx((tiling._SIDE, tile.get_height()))
    assert size(columns) == pytest.approx((tile.get_width(), tiling._SIDE))
    assert tile.get_height() <= bm * inch + 1e-9 and tile.get_width() <= bn * inch + 1e-9
    assert a_step.get_width() == pytest.approx(b_step.get_height()) and a_step.get_y() == rows.get_y() == tile.get_y()
    assert b_step.get_x() == columns.get_x() == tile.get_x()
    scale = zoomed.get_width() / bn
    assert (size(zoomed), size(a_zoom), size(b_zoom)) == tuple(
        pytest.approx((across * scale, down * scale)) for across, down in ((bn, bm), (bk, bm), (bn, bk)))  # fmt: skip
    mine = [box for box in fig.axes[0].patches if box.get_hatch()]
    assert [size(box) for box in mine] == [pytest.approx((across * scale, down * scale))
                                           for across, down in ((bk, tm), (tn, bk), (tn, tm))]  # fmt: skip
    assert zoomed.get_x() <= mine[2].get_x() and mine[2].get_x() + tn * scale <= zoomed.get_x() + bn * scale + 1e-9


@pytest.mark.parametrize("choice", CHOICES)
def test_the_point_and_the_one_without_tiles_are_marked(choice):
    *sizes, device = choice
    fig, _ = tiling.draw(*choice)
    marks = {line.get_marker(): line.get_xydata().tolist() for line in fig.axes[1].lines if line.get_marker() != "None"}
    made, naive = tiling.tiles(*sizes), tiling.untiled(sizes[0])
    assert marks.pop("s") == [[naive.intensity, naive.intensity * tiling.roof(device)[1]]]
    if tiling.impossible(made, device):
        assert not marks
        return
    peak, bandwidth = tiling.roof(device)
    high = min(peak, made.intensity * bandwidth)
    assert marks.pop("o") == [[made.intensity, high]]
    shared = tiling.shared_ceiling(made, device)
    assert marks == ({"v": [[made.intensity, shared]]} if shared < high else {})
    low, top = fig.axes[1].get_ylim()
    assert low < naive.intensity * bandwidth < high < top and low < shared


@pytest.mark.parametrize("choice", CHOICES)
def test_no_text_overlaps_another_or_leaves_the_sheet(choice):
    assert not clashes(tiling.draw(*choice)[0])


# --- the explorer ------------------------------------------------------------------------------------


def test_the_explorer_moves_and_the_plain_function_says_the_same(capsys):
    explorer = explorers.tiling()
    assert explorer.sentence == tiling.sentence()
    before = explorer.image.value
    explorer.set(n=1000, bm=64, bk=16, tm=4, device="L4")
    due = tiling.sentence(1000, 64, 128, 16, 4, 8, "L4")
    assert explorer.sentence == due
    assert explorer.image.value != before
    tiling.tiling(1000, 64, 128, 16, 4, 8, "L4")
    assert due in capsys.readouterr().out


def test_every_position_has_a_sentence():
    """All choices of tiles and n, each on one of the devices in turn."""
    all_choices = product(tiling.SIZES, tiling.BLOCKS, tiling.BLOCKS, tiling.STEPS, tiling.THREADS, tiling.THREADS)
    seen = set()
    for choice, device in zip(all_choices, cycle(tiling.MACHINES)):
        said = tiling.sentence(*choice, device)
        assert "cannot run" in said or "FLOP a byte" in said
        seen.add(said)
    assert len(seen) == 7 * 5**2 * 3 * 5**2


def test_every_value_of_every_control_draws():
    explorer = explorers.tiling()
    for name, control in explorer.controls.items():
        for option in control.options:
            explorer.set(**{name: option})
            values = {key: widget.value for key, widget in explorer.controls.items()}
            assert explorer.sentence == tiling.sentence(**values)
