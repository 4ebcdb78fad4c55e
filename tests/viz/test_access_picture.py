"""The access picture: its numbers against `profile`, its cells against index formulas, its words, its limits."""

import numpy as np
import pytest

from gpucourse import accesses, profile
from gpucourse import cupy_sim as cp
from gpucourse.errors import CourseError
from gpucourse.viz import access_picture, picture

OWN_RUN = r"""
extern "C" __global__ void sums(const float* x, float* out, int each) {
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    float sum = 0;
    for (int k = 0; k < each; k++) sum += x[INDEX];
    out[t] = sum;
}""".replace("INDEX", "t * each + k")
STRIDED = OWN_RUN.replace("t * each + k", "t + k * (int)(gridDim.x * blockDim.x)")
STENCIL = r"""
extern "C" __global__ void stencil(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i > 0 && i < n - 1) y[i] = (x[i - 1] + x[i] + x[i + 1]) / 3;
}"""
TRANSPOSE = r"""
extern "C" __global__ void transpose(const float* x, float* y) {
    __shared__ float tile[8][9];
    int row = blockIdx.y * 8 + threadIdx.y, column = blockIdx.x * 8 + threadIdx.x;
    tile[threadIdx.y][threadIdx.x] = x[row * 16 + column];
    __syncthreads();
    y[column * 16 + row] = tile[threadIdx.y][threadIdx.x];
}"""


def floats(*shape):
    return cp.zeros(shape, cp.float32)


LAUNCHES = {
    "own run": (OWN_RUN, "sums", (2,), (40,), (320, 80), 4),
    "strided": (STRIDED, "sums", (2,), (40,), (320, 80), 4),
    "stencil": (STENCIL, "stencil", (3,), (50,), (140, 140), 140),
}


def launch(name):
    source, kernel, grid, block, lengths, n = LAUNCHES[name]
    return cp.RawKernel(source, kernel), grid, block, (*(floats(length) for length in lengths), np.int32(n))


def transpose():
    return cp.RawKernel(TRANSPOSE, "transpose"), (2, 2), (8, 8), (floats(16, 16), floats(16, 16))


def texts(fig):
    return [text.get_text() for text in fig.axes[0].texts]


def numbers(recorded, array, **options):
    """What stands in the cells, in reading order: the texts that are centered both ways."""
    fig, _ = access_picture.draw(recorded, array, **options)
    centered = [t for t in fig.axes[0].texts if (t.get_ha(), t.get_va()) == ("center", "center")]
    return [t.get_text() for t in sorted(centered, key=lambda t: (round(t.get_position()[1], 3), t.get_position()[0]))]


@pytest.mark.parametrize("name", LAUNCHES)
def test_requests_and_sectors_are_those_of_the_profile(name):
    recorded, found = accesses(*launch(name)), profile(*launch(name))
    first, last = list(recorded.arrays)
    [read], [written] = access_picture.panels(recorded, first), access_picture.panels(recorded, last)
    assert (len(read.requests), read.sectors, read.ideal) == (
        found.global_load_requests, found.global_load_sectors, found.global_load_ideal_sectors)
    assert (len(written.requests), written.sectors, written.ideal) == (
        found.global_store_requests, found.global_store_sectors, found.global_store_ideal_sectors)


def test_the_numbers_in_the_cells_are_the_threads():
    recorded = accesses(cp.RawKernel(OWN_RUN, "sums"), (1,), (8,), (floats(32), floats(8), np.int32(4)))
    assert numbers(recorded, "x") == [str(element // 4) for element in range(32)]
    recorded = accesses(cp.RawKernel(STRIDED, "sums"), (1,), (8,), (floats(32), floats(8), np.int32(4)))
    assert numbers(recorded, "x") == [str(element % 8) for element in range(32)]
    assert numbers(recorded, "out") == [str(element) for element in range(8)]


def test_a_transposed_write_in_two_dimensions():
    recorded = accesses(*transpose())
    due = [str(row % 8 + 8 * (column % 8)) for row in range(16) for column in range(16)]
    assert numbers(recorded, "y") == due


def test_elements_of_several_threads_say_who_or_how_many():
    recorded = accesses(cp.RawKernel(STENCIL, "stencil"), (2,), (8,), (floats(20), floats(20), np.int32(16)))
    middle = ["2–4", "3–5", "4–6", "5–7"]
    drawn = numbers(recorded, "x")
    # element 7 is read by threads 6 and 7 of block 0 and thread 0 of block 1, element 0 by thread 1 alone
    assert drawn[:9] == ["1", "1,2", "1–3", *middle, "×3", "×3"]
    assert drawn[15:] == ["6", "", "", "", ""]


def test_one_request_is_framed():
    recorded = accesses(*launch("own run"))
    [read] = access_picture.panels(recorded, "x")
    assert access_picture.framed(read) == {4 * lane for lane in range(32)}
    recorded = accesses(*launch("strided"))
    [read] = access_picture.panels(recorded, "x")
    assert access_picture.framed(read) == set(range(32))


def test_the_words_give_the_numbers():
    recorded = accesses(cp.RawKernel(STENCIL, "stencil"), (2,), (8,), (floats(20), floats(20), np.int32(16)))
    assert access_picture.draw(recorded, "x")[1] == (
        "Reads of x by stencil: 16 elements by 14 threads, 14 of them by more than one thread, 6 warp requests, "
        "8 sectors (6 if side by side). 4 of 20 elements stay untouched."
    )
    assert access_picture.draw(recorded, "y")[1] == (
        "Writes to y by stencil: 14 elements by 14 threads, 2 warp requests, 2 sectors (the fewest possible). "
        "6 of 20 elements stay untouched."
    )


def test_an_array_that_is_not_touched_is_drawn_empty():
    recorded = accesses(*launch("strided"))
    assert access_picture.draw(recorded, "x", kind="write")[1] == (
        "Writes to x by sums: none. 320 of 320 elements stay untouched.")
    assert set(numbers(recorded, "x", kind="write")) == {""}


def test_shared_memory_shows_one_block_with_reads_beside_writes():
    recorded = accesses(*transpose())
    fig, alt = access_picture.draw(recorded, "tile", block=3)
    assert alt.startswith("Reads of tile by block 3 of transpose: 64 elements by 64 threads, 2 warp requests. Writes")
    assert alt.endswith("8 of 72 elements stay untouched.")
    assert "transpose, block 3: shared tile, 8 × 9 elements of 4 bytes" in texts(fig)
    assert "sector" not in alt
    assert "block 0 of transpose" in access_picture.draw(recorded, "tile")[1]


@pytest.mark.parametrize(
    ("color", "names"),
    [
        (None, ["block 0, warp 0", "block 0, warp 1", "block 1, warp 0", "block 1, warp 1"]),
        ("block", ["block 0", "block 1"]),
        ("step", ["request 1", "request 2", "request 3", "request 4"]),
    ],
)
def test_the_legend_names_every_color(color, names):
    recorded = accesses(*launch("own run"))
    fig, _ = access_picture.draw(recorded, "x", color=color)
    assert [text for text in texts(fig) if text.startswith(("block", "request", "warp"))] == names


def test_few_threads_are_colored_one_by_one():
    recorded = accesses(cp.RawKernel(OWN_RUN, "sums"), (1,), (4,), (floats(8), floats(4), np.int32(2)))
    drawn = texts(access_picture.draw(recorded, "x")[0])
    assert {"thread 0", "thread 1", "thread 2", "thread 3"} <= set(drawn)


def test_by_step_the_lanes_of_a_request_have_one_color():
    recorded = accesses(*launch("own run"))
    found = access_picture.panels(recorded, "x")
    colors = access_picture._Colors(recorded, found, "step", None)
    for touch in found[0].touches:
        assert colors.place(touch) == touch.element % 4


def test_a_flat_array_can_be_folded():
    recorded = accesses(*launch("strided"))
    assert "row 31" in texts(access_picture.draw(recorded, "x", shape=(32, 10))[0])
    with pytest.raises(CourseError, match=r"shape=\(3, 3\) has 9 elements, x has 320"):
        access_picture.draw(recorded, "x", shape=(3, 3))


def test_what_is_too_large_is_cut_and_told():
    recorded = accesses(cp.RawKernel(OWN_RUN, "sums"), (64,), (32,), (floats(2048), floats(2048), np.int32(1)))
    assert "drawn: the first 40 of 64 rows" in texts(access_picture.draw(recorded, "x")[0])
    folded = texts(access_picture.draw(recorded, "x", shape=(8, 256))[0])
    assert "drawn: the first 64 of 256 columns" in folded


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"color": "lane"}, "color='lane': cells are colored by one of thread, warp, block, step"),
        ({"kind": "load"}, "kind='load': an access is one of read, write, update"),
        ({"block": 2}, "block=2: the launch has the blocks 0 to 1"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(CourseError, match=message):
        access_picture.draw(accesses(*launch("strided")), "x", **options)


def test_black_numbers_can_be_read_on_every_color():
    from contrast import luminance

    recorded = accesses(*launch("strided"))
    colors = access_picture._Colors(recorded, [], "warp", None)
    tints = [colors.tint(place) for place in range(access_picture.FEW_THREADS)]
    assert len(set(tints)) == access_picture.FEW_THREADS
    for tint in tints:
        assert (luminance(tint) + 0.05) / 0.05 > 4.5   # WCAG 2.2, contrast of text


def test_shown_with_its_words(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    recorded = accesses(*launch("strided"))
    access_picture.access_picture(recorded, "out")
    assert isinstance(shown[0], picture.Picture)
    assert shown[0].alt == access_picture.draw(recorded, "out")[1]
