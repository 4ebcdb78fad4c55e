"""The heat map: its cells against numbers by hand and the colors of the profile's HTML, its words, its colors."""

import re
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from gpucourse import cupy_sim as cp
from gpucourse import profile
from gpucourse.viz import heat_map

TRANSPOSE = r"""
extern "C" __global__ void transpose(const float* x, float* y, int n) {
    int row = blockIdx.y * blockDim.y + threadIdx.y;
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    if (row < n && column < n)
        y[column * n + row] = x[row * n + column];
}"""
COLLATZ = r"""
extern "C" __global__ void collatz(const int* start, int* steps) {
    int x = start[threadIdx.x], count = 0;
    while (x != 1) {
        x = x % 2 ? 3 * x + 1 : x / 2;
        count++;
    }
    steps[threadIdx.x] = count;
}"""
DOUBLE = r'extern "C" __global__ void twice(float* x) { x[threadIdx.x] *= 2; }'


@pytest.fixture(scope="module")
def transposed():
    x = cp.arange(4096, dtype=cp.float32).reshape(64, 64)
    return profile(cp.RawKernel(TRANSPOSE, "transpose"), (2, 2), (32, 32), (x, cp.zeros_like(x), np.int32(64)))


@pytest.fixture(scope="module")
def parted():
    start = cp.arange(1, 65, dtype=cp.int32)
    return profile(cp.RawKernel(COLLATZ, "collatz"), (1,), (64,), (start, cp.zeros(64, cp.int32)))


@pytest.fixture(scope="module")
def doubled():
    return profile(cp.RawKernel(DOUBLE, "twice"), (1,), (64,), (cp.zeros(64, cp.float32),))


def cells(fig):
    """(text, color) of each cell: a rectangle with a text in its middle."""
    ax = fig.axes[0]
    boxes = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    return [
        (text.get_text(), to_rgb(box.get_facecolor()))
        for box in boxes for text in ax.texts
        if np.allclose(text.get_position(), (box.get_x() + box.get_width() / 2, box.get_y() + box.get_height() / 2))
    ]  # fmt: skip


def texts(fig):
    return [text.get_text() for text in fig.axes[0].texts]


def test_a_naive_transpose_has_the_numbers_that_one_counts_by_hand(transposed):
    """128 warps read 4 sectors and write 32 each: 4,608 in 256 requests, of which 128 x 8 would do."""
    fig, alt = heat_map.draw(transposed)
    assert [text for text, _ in cells(fig)] == ["4,608", "18.00", "4.00"]
    assert alt == (
        "Heat map of the source of transpose, grid (2, 2, 1), block (32, 32, 1). "
        "Hottest: line 6 in sectors (4,608), sectors/request (18.00)."
    )


def test_every_line_of_the_source_is_drawn_as_it_stands(transposed):
    drawn = texts(heat_map.draw(transposed)[0])
    assert all(line in drawn for line in TRANSPOSE.strip().splitlines())


def test_a_cell_is_as_hot_as_in_the_html_of_the_profile(transposed):
    """The HTML's opacity is heat times 0.55; here heat runs from white to 85 % of the full color."""
    html = transposed._repr_html_()
    for text, name in (("4,608", "sky"), ("18.00", "red")):
        heat = float(re.search(rf"rgba\(230,120,20,([\d.]+)\);\">{text}<", html)[1]) / 0.55
        color = next(color for cell, color in cells(heat_map.draw(transposed)[0]) if cell == text)
        full = np.array(to_rgb({"sky": "#56B4E9", "red": "#D55E00"}[name]))
        assert color == pytest.approx(1 - 0.85 * heat * (1 - full), abs=0.02)


def test_an_ideal_launch_is_told_so(doubled):
    assert heat_map.draw(doubled)[1].endswith("Hottest: line 1 in sectors (16). No cell shows waste.")


def test_what_the_compiler_decides_stands_between_the_marks_only(parted):
    fig, alt = heat_map.draw(parted, ["active_lanes", "warp_instructions", "global_sectors"])
    assert f"{parted.warp_instructions:,}" in texts(fig)
    outside = re.sub(r"⟨[^⟩]*⟩", "", alt)
    assert "lanes" not in outside
    assert "PTX" not in outside
    assert "PTX warp instructions" in alt


def test_lanes_are_shown_where_a_warp_parts(parted, transposed):
    keys = [column.key for column in heat_map.chosen(parted, None)]
    assert keys[:2] == ["divergent_branches", "active_lanes"]
    assert "active_lanes" not in [column.key for column in heat_map.chosen(transposed, None)]


def test_an_unknown_column_is_named_with_those_there_are(transposed):
    with pytest.raises(ValueError, match=r"no column 'sector'; there are .*global_sectors"):
        heat_map.draw(transposed, ["sector"])


def test_of_a_long_source_only_the_lines_around_the_executed_ones_are_drawn():
    source = DOUBLE + "\n// filler" * 60 + "\n" + DOUBLE.replace("twice", "again")
    module = cp.RawModule(code=source)
    found = profile((module, "twice"), (1,), (32,), (cp.zeros(32, cp.float32),))
    assert heat_map.shown_lines(found) == [1, 2, 3]


@pytest.mark.parametrize("waste", [True, False])
def test_both_scales_darken_in_greyscale_and_black_text_stays_readable(waste):
    from contrast import luminance

    light = [luminance(heat_map._color(heat, waste)) for heat in np.linspace(0, 1, 11)]
    assert light[0] == pytest.approx(1)
    assert all(b < a for a, b in pairwise(light))
    assert (light[-1] + 0.05) / 0.05 > 4.5   # WCAG 2.2, contrast of text


def test_shown_with_its_words(transposed, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    heat_map.heat_map(transposed)
    assert shown[0].alt == heat_map.draw(transposed)[1]
