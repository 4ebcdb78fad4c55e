"""The stepper: its words and its picture say what was recorded, lane by lane and element by element."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from gpucourse import cupy_sim as cp
from gpucourse.errors import CourseError
from gpucourse.stepping import steps
from gpucourse.viz import explorers, picture, stepper

HALVES = r"""
extern "C" __global__ void halves(const float* x, float* out, int n) {
    __shared__ float tile[8][33];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float s = x[2 * i];
    if (threadIdx.x < 16) {
        for (int k = 0; k < i % 4; k++) {
            s = s + 1000;
        }
    } else {
        s = -s;
    }
    tile[threadIdx.x % 8][threadIdx.x / 8] = s;
    __syncthreads();
    if (i < n) {
        out[i + 4] = tile[0][0];
    }
}"""


@pytest.fixture(scope="module")
def recorded():
    x, out = cp.arange(160, dtype=cp.float32), cp.zeros(80, cp.float32)
    return steps(cp.RawKernel(HALVES, "halves"), (2,), (32,), (x, out, np.int32(60)), of_block=1)


def at(recorded, text, which=0):
    """The number of the `which`-th step at the line that holds `text`."""
    return [step.number for step in recorded if text in recorded.source_line(step.line)][which]


def test_the_words_of_a_step(recorded):
    assert stepper.sentence(recorded, at(recorded, "float s")).splitlines()[1:] == [
        "Block 1, warp 0, active: lanes 0 to 31 (32 of 32).",
        "s (new): 64, 66, 68 to 126.",
        "i: 32 to 63.",
        "Reads x[64], x[66], x[68] to x[126] = 64, 66, 68 to 126: 8 sectors.",
    ]
    assert stepper.sentence(recorded, at(recorded, "s = -s")).splitlines() == [
        f"Step {at(recorded, 's = -s')} of {len(recorded)}, line 11: s = -s;",
        "Block 1, warp 0, active: lanes 16 to 31 (16 of 32); waiting: lanes 0 to 15.",
        "s (new): -96, -98, -100 to -126.",
        "Now those that waited: lanes 16 to 31.",
    ]
    words = stepper.sentence(recorded, at(recorded, "out[i + 4]"))
    assert "active: lanes 0 to 27 (28 of 32); waiting: lanes 28 to 31." in words
    assert "Reads tile[0][0] in each lane = 64 in each lane: 1 wavefront." in words
    assert "Writes out[36] to out[63] = 64 in each lane: 4 sectors." in words


def test_what_a_bank_conflict_costs_is_said(recorded):
    words = stepper.sentence(recorded, at(recorded, "tile[threadIdx.x % 8]"))
    assert "Writes tile[0][0], tile[1][0], tile[2][0]," in words
    assert "tile[7][3] = " in words and ": 4 wavefronts." in words   # row + column = bank; 3 to 7 have four sums each


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([3, 3, 3], "3 in each lane"), ([4], "4"), (list(range(5, 12)), "5 to 11"), ([1, 2], "1, 2"),
        ([0, 3, 6, 9, 12], "0, 3, 6 to 12"), ([7.5, 2.0, 1 / 3], "7.5, 2, 0.3333"), ([1e9, None], "1e+09, ?"),
        ([1] * 8 + [2] * 8, "1 in 8 lanes, 2 in 8 lanes"), ([0, 1, 2, 8, 9, 10], "0 to 2, 8 to 10"),
        ([5, 1, 4, 1, 5, 9, 2, 6, 5, 3], "5, 1, 4, 1, 5, 9, ..., 3"), ([True, False], "True, False"),
        ([31, 30, 29, 28], "31, 30, 29 to 28"), ([float("nan"), 1.0], "nan, 1"), ([123456.0, 1e6], "123456, 1e+06"),
    ],
)  # fmt: skip
def test_values_in_words(values, text):
    assert stepper.values_text(values) == text


def boxes(fig, color):
    return [box for box in fig.axes[0].patches if to_hex(box.get_facecolor()) == to_hex(color)]


def test_the_picture_fills_the_active_lanes_and_marks_the_line(recorded):
    for step in recorded:
        fig, _ = stepper.draw(recorded, step.number)
        (marked,) = boxes(fig, stepper._HERE)
        low, high = marked.get_y(), marked.get_y() + marked.get_height()
        left = [text for text in fig.axes[0].texts if text.get_position()[0] < 0.4]
        assert str(step.line) in [text.get_text() for text in left if low < text.get_position()[1] < high]
        squares = boxes(fig, stepper._ACTIVE)
        rows = sorted(round((box.get_y() - stepper._TOP - 0.04) / stepper._ROW) - 1 for box in squares)
        assert rows == list(step.active)


def test_the_picture_tints_each_element_touched_and_frames_each_sector(recorded):
    for text, kind in (("float s", "read"), ("out[i + 4]", "write")):
        step = recorded.step(at(recorded, text))
        fig, _ = stepper.draw(recorded, step.number)
        request = next(r for r in step.requests if r.kind == kind)
        same = {(r.array, t.element) for r in step.requests if r.kind == kind for t in r.touched}
        assert len(boxes(fig, stepper._TINTS[kind])) == len(same)
        assert len([box for box in fig.axes[0].patches if box.get_zorder() == 4]) == request.cost


def test_the_table_has_each_lanes_values(recorded):
    fig, _ = stepper.draw(recorded, at(recorded, "float s"))
    shown = [text.get_text() for text in fig.axes[0].texts]
    for lane in range(32):
        assert f"x[{64 + 2 * lane}] = {64 + 2 * lane}" in shown
        assert str(32 + lane) in shown
    fig, _ = stepper.draw(recorded, at(recorded, "int k", 1))
    assert "in each active lane: k = 1" in [text.get_text() for text in fig.axes[0].texts]


def test_nothing_jumps_and_nothing_is_drawn_outside_the_page(recorded):
    sizes = set()
    for step in recorded:
        fig, _ = stepper.draw(recorded, step.number)
        fig.draw_without_rendering()
        width, height = fig.bbox.size
        sizes.add((width, height))
        for text in fig.axes[0].texts:
            box = text.get_window_extent()
            assert box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height, (step.number, text.get_text())
    assert len(sizes) == 1


def test_single_instructions_stand_between_the_marks():
    x, out = cp.arange(160, dtype=cp.float32), cp.zeros(80, cp.float32)
    made = steps(cp.RawKernel(HALVES, "halves"), (2,), (32,), (x, out, np.int32(60)), detail="ptx")
    for step in made:
        fig, words = stepper.draw(made, step.number)
        assert words[0] == "⟨" and words[-1] == "⟩" and step.ptx[0] in words
        assert any(step.ptx[0].startswith(text.get_text()) for text in fig.axes[0].texts if len(text.get_text()) > 3)


def test_a_long_source_is_shown_around_the_line():
    body = "\n".join(f"    x[{k}] = {k};" for k in range(40))
    code = f'extern "C" __global__ void f(int* x) {{\n{body}\n}}'
    made = steps(cp.RawKernel(code, "f"), (1,), (2,), (cp.zeros(40, cp.int32),))
    for number in (1, 20, len(made)):
        fig, _ = stepper.draw(made, number)
        shown = [text.get_text() for text in fig.axes[0].texts]
        assert made.source_line(made.step(number).line) in shown or number == 1
        assert sum(text.endswith(";") for text in shown) <= 24
        assert len(boxes(fig, stepper._HERE)) == 1


def test_more_columns_than_there_is_room_for_are_counted():
    code = """extern "C" __global__ void f(const float* first, const float* second, const float* third, float* fourth) {
    int i = threadIdx.x;
    fourth[i] = first[i] * second[i] + third[i] * first[i] + second[i] * third[i];
}"""
    held = [cp.random.rand(4).astype(cp.float32) for _ in range(4)]
    made = steps(cp.RawKernel(code, "f"), (1,), (4,), held)
    fig, _ = stepper.draw(made, 3)
    assert any(text.get_text().endswith("more: see the words") for text in fig.axes[0].texts)


def test_the_explorer_moves_and_the_plain_function_says_the_same(recorded, capsys):
    explorer = explorers.stepper(recorded)
    before = explorer.image.value
    explorer.set(at=7)
    assert explorer.sentence == " ".join(stepper.sentence(recorded, 7).split())
    assert explorer.image.value != before
    assert explorer.controls["at"].max == len(recorded)
    stepper.stepper(recorded, at=7)
    assert stepper.sentence(recorded, 7) in capsys.readouterr().out


def test_a_step_that_is_not_there_is_refused(recorded):
    with pytest.raises(CourseError, match=f"step 99 of halves: there are the steps 1 to {len(recorded)}"):
        stepper.stepper(recorded, at=99)


def test_the_words_do_not_depend_on_addresses(recorded):
    x, out = cp.arange(160, dtype=cp.float32), cp.zeros(80, cp.float32)
    keep = cp.zeros(1000)
    again = steps(cp.RawKernel(HALVES, "halves"), (2,), (32,), (x, out, np.int32(60)), of_block=1)
    for number in range(1, len(recorded) + 1):
        assert stepper.sentence(again, number) == stepper.sentence(recorded, number)
    for number in (4, 14, 17):
        assert picture.png(stepper.draw(again, number)[0]) == picture.png(stepper.draw(recorded, number)[0])
    assert keep.size == 1000
