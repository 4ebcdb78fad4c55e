"""The coalescing explorer: its sectors against a count byte by byte, and against the profile of a real kernel."""

import numpy as np
import pytest

from gpucourse import cupy_sim as cp
from gpucourse import profile
from gpucourse.viz import coalescing, explorers

CASES = [
    (1, 0, 4, 32), (2, 0, 4, 32), (8, 0, 4, 32), (33, 0, 4, 32), (1, 1, 4, 32), (1, 8, 4, 32), (0, 5, 4, 32),
    (-1, 0, 4, 32), (-2, 3, 4, 32), (1, 0, 1, 32), (3, 1, 1, 32), (5, 7, 2, 32), (1, 1, 8, 32), (2, 0, 8, 31),
    (1, 0, 16, 32), (1, 1, 16, 32), (3, 0, 16, 5), (7, 30, 4, 9), (1, 0, 4, 1), (-1, 0, 8, 20),
]  # fmt: skip


def touched_bytes(stride, offset, width, lanes):
    """Every byte that a lane asks for; of a negative stride, the last lane is at the offset."""
    elements = [offset + (stride * k if stride >= 0 else -stride * (lanes - 1 - k)) for k in range(lanes)]
    return {element * width + byte for element in elements for byte in range(width)}


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_agree_with_a_count_byte_by_byte(case):
    made, touched = coalescing.request(*case), touched_bytes(*case)
    assert set(made.sectors) == {byte // 32 for byte in touched}
    assert set(made.lines) == {byte // 128 for byte in touched}
    assert (made.used, made.moved) == (len(touched), 32 * len({byte // 32 for byte in touched}))
    assert made.ideal == -(-len(touched) // 32)


READ = r"""
extern "C" __global__ void read(const TYPE* x, TYPE* y, int stride, int first, int lanes) {
    if (threadIdx.x < lanes) y[threadIdx.x] = x[first + stride * (int)threadIdx.x];
}"""
DTYPES = {1: np.int8, 2: np.int16, 4: np.float32, 8: np.float64, 16: np.float32}


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_agree_with_the_profile_of_a_kernel(case):
    stride, _, width, lanes = case
    first = coalescing.request(*case).starts[0] // width
    kernel = cp.RawKernel(READ.replace("TYPE", coalescing.TYPES[width]), "read")
    x, y = (cp.zeros(n * (4 if width == 16 else 1), DTYPES[width]) for n in (33 * 32, 32))
    found = profile(kernel, (1,), (32,), (x, y, np.int32(stride), np.int32(first), np.int32(lanes)))
    made = coalescing.request(*case)
    assert found.global_load_requests == 1
    assert found.global_load_sectors == len(made.sectors)
    assert found.global_load_ideal_sectors == made.ideal
    assert found.total.global_load_bytes_used == made.used


@pytest.mark.parametrize("case", CASES)
def test_the_index_that_is_shown_is_the_index_of_the_picture(case):
    stride, offset, width, lanes = case
    shown = [eval(coalescing.index(stride, offset, lanes), {"lane": lane}) for lane in range(lanes)]
    assert tuple(element * width for element in shown) == coalescing.request(*case).starts


def test_the_sentence_says_the_numbers():
    assert coalescing.sentence(stride=2) == (
        "32 lanes read x[2 * lane], 4 bytes each: one request touches 8 sectors of 32 bytes in 2 lines of 128; "
        "128 of 256 bytes moved are used (50%); the fewest would be 4."
    )
    assert coalescing.sentence(0, 0, 1, 1).startswith("1 lane reads x[0], 1 byte each: one request touches 1 sector of")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": 3}, "width=3: one lane accesses 1, 2, 4, 8, 16 bytes"),
        ({"lanes": 33}, "lanes=33: a warp has 1 to 32"),
        ({"offset": -1}, "offset=-1: element -1 lies before the array"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        coalescing.request(**wrong)


@pytest.mark.parametrize("case", CASES)
def test_the_picture_has_a_frame_for_each_sector_and_a_box_for_each_place(case):
    fig, _ = coalescing.draw(*case)
    boxes = fig.axes[0].patches
    frames = [box for box in boxes if box.get_zorder() == coalescing._RIM["zorder"]]
    asked = [box for box in boxes if box.get_zorder() == coalescing._USED["zorder"]]
    made = coalescing.request(*case)
    assert len(frames) == len(made.sectors)
    assert {round(box.get_x()) for box in frames} == {32 * (sector % 4) for sector in made.sectors}
    assert len(asked) == len(set(made.starts))


def test_lanes_without_room_for_a_number_share_one():
    def labels(*case):
        return [text.get_text() for text in coalescing.draw(*case)[0].axes[0].texts]

    assert labels(1, 0, 4, 32) == [str(lane) for lane in range(32)]
    assert labels(1, 0, 1, 32) == ["lanes 0 to 31"]
    assert labels(0, 0, 4, 32) == ["lanes 0 to 31"]


def test_the_explorer_moves_and_the_plain_function_says_the_same(capsys):
    explorer = explorers.coalescing()
    before = explorer.image.value
    explorer.set(stride=8, width=8)
    assert explorer.sentence == coalescing.sentence(stride=8, width=8)
    assert explorer.image.value != before
    coalescing.coalescing(stride=8, width=8)
    assert coalescing.sentence(stride=8, width=8) in capsys.readouterr().out


def test_every_end_of_the_sliders_draws():
    explorer = explorers.coalescing()
    for stride in (-2, 33):
        for width in (1, 16):
            for lanes in (1, 32):
                explorer.set(stride=stride, offset=32, width=width, lanes=lanes)
                assert explorer.sentence == coalescing.sentence(stride, 32, width, lanes)
