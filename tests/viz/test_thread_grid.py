"""The thread grid explorer: its numbers against a loop over threads, and against a kernel that the simulator runs."""

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("matplotlib")
from gpucourse import cupy_sim as cp
from gpucourse import sanitize
from gpucourse.viz import explorers, picture, thread_grid
from gpucourse.viz.thread_grid import BEYOND, IDLE, OTHER, OWN

# n, block, blocks
IN_ONE = [(10, 4, 3), (10, 4, None), (12, 4, 3), (14, 4, 3), (1, 1, 1), (3, 16, 8), (1000, 192, None), (40, 1, 8)]
IN_TWO = [
    ((10, 5), (4, 2), (3, 3)), ((100, 60), (16, 8), None), ((8, 4), (4, 4), (2, 1)), ((16, 12), (2, 2), (3, 3)),
    ((1, 1), (8, 8), (6, 6)), ((3, 7), (4, 1), (2, 9)), ((5, 6), (4, 2), (2, 2)), ((10, 1), (4, 2), (3, 1)),
]  # fmt: skip
CASES = [(*case, guard) for case in IN_ONE + IN_TWO for guard in (True, False)]


def pair(value):
    return (value, 1) if isinstance(value, int) else value


def counted(n, block, blocks, guard):
    """What a loop over all threads finds: how many do what, and how many elements nobody touches."""
    (width, height), (wide, high) = pair(n), pair(block)
    across, down = pair(blocks) if blocks else (-(-width // wide), -(-height // high))
    found, free = Counter(), set(range(width * height))
    for y in range(down * high):
        for x in range(across * wide):
            element = y * width + x
            if x < width and y < height:
                what = OWN
            elif guard:
                what = IDLE
            else:
                what = OTHER if element < width * height else BEYOND
            found[what] += 1
            if what in (OWN, OTHER):
                free.discard(element)
    return found, len(free)


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_are_those_of_a_loop_over_all_threads(case):
    grid = thread_grid.launch(*case)
    found, free = counted(*case)
    assert {what: grid.count(what) for what in (OWN, IDLE, OTHER, BEYOND)} == {what: found[what] for what in range(4)}
    assert grid.untouched == free


VISIT = r"""
extern "C" __global__ void visit(int* visits, int width, int height, int guard) {
    int x = blockIdx.x * blockDim.x + threadIdx.x;
    int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (!guard || (x < width && y < height)) atomicAdd(&visits[y * width + x], 1);
}"""


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_are_those_of_a_kernel(case):
    """One that counts visits, in an array that goes on far enough behind the end of the picture."""
    grid = thread_grid.launch(*case)
    (width, height), guard = grid.size, case[3]
    total, room = width * height, int(grid.elements().max()) + 1
    visits = cp.zeros(max(total, room), cp.int32)
    args = (visits, np.int32(width), np.int32(height), np.int32(guard))
    cp.RawKernel(VISIT, "visit")(grid.blocks, grid.block, args)
    seen = visits.get()
    assert seen[:total].sum() == grid.count(OWN) + grid.count(OTHER)
    assert seen[total:].sum() == grid.count(BEYOND)
    assert (seen[:total] == 0).sum() == grid.untouched


@pytest.mark.parametrize("case", [case for case in CASES if not case[3]][::3])
def test_the_sanitizer_complains_where_the_picture_is_red(case):
    grid = thread_grid.launch(*case)
    (width, height) = grid.size
    visits = cp.zeros(width * height, cp.int32)
    args = (visits, np.int32(width), np.int32(height), np.int32(0))
    found = sanitize(cp.RawKernel(VISIT, "visit"), grid.blocks, grid.block, args)
    assert found.ok == (grid.count(BEYOND) == 0)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ((10, 4, 3), "10 elements, 3 blocks of 4 threads, guard: 12 threads. 10 threads have an element, 2 are idle."),
        ((1, 1, 1), "1 element, 1 block of 1 thread, guard: 1 thread. 1 thread has an element."),
        ((5, 4, 1), "5 elements, 1 block of 4 threads, guard: 4 threads. 4 threads have an element. "
                    "1 element has no thread."),
        ((11, 4, 3, False), "11 elements, 3 blocks of 4 threads, no guard: 12 threads. 11 threads have an element, "
                            "1 touches memory behind the array."),
        (((10, 5), (4, 2), (3, 3), False),
         "10 x 5 elements, 3 x 3 blocks of 4 x 2 threads, no guard: 72 threads. 50 threads have an element, "
         "8 touch elements of other threads, 14 touch memory behind the array."),
    ],
)  # fmt: skip
def test_the_sentence(case, said):
    assert thread_grid.sentence(*case) == said


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 0}, "n=0: give 1 or more"),
        ({"block": (4, 4)}, "block=.4, 4.: give one number, because n is one"),
        ({"n": (5, 5)}, "block=4: give a pair"),
        ({"blocks": -1}, "blocks=-1: give 1 or more"),
        ({"n": 5000, "block": 2048}, "2,048 threads; a block has at most 1,024"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        thread_grid.launch(**wrong)


@pytest.mark.parametrize("case", CASES)
def test_every_thread_has_the_color_of_what_it_does(case):
    from matplotlib.colors import to_rgb

    grid = thread_grid.launch(*case)
    fig, _ = thread_grid.draw(*case)
    drawn = fig.axes[0].images[-1].get_array()
    assert drawn.shape[:2] == grid.does().shape
    for what in range(4):
        tints = np.array([to_rgb(color) for color in thread_grid._LOOKS[what].tints])
        matches = (np.abs(drawn[:, :, None] - tints).max(axis=-1) < 1e-6).any(axis=-1)
        assert (matches == (grid.does() == what)).all()


def written(*case):
    return [text.get_text() for text in thread_grid.draw(*case)[0].axes[0].texts]


def test_threads_in_a_plane_are_labelled_with_the_element_that_they_touch():
    texts = written((4, 2), (3, 1), (2, 3), False)
    # rows 0 and 1 have six threads: the last two take elements of the next row, or of nobody
    assert texts[:18] == [*"012345", *"4567", "?", "?", *"??????"]


def test_threads_in_a_row_are_labelled_with_their_number_in_the_block():
    assert written(5, 3, 2)[:11] == [*"01234", *"012012"]
    assert written(5, 3, 2, False)[:12] == [*"01234", "?", *"012012"]


def test_the_explorer_moves_and_the_plain_function_says_the_same(capsys):
    explorer = explorers.thread_grid()
    before = explorer.image.value
    explorer.set(n=13, guard=False)
    assert explorer.sentence == thread_grid.sentence(13, 4, 3, guard=False)
    assert explorer.image.value != before
    thread_grid.thread_grid(13, 4, 3, guard=False)
    assert explorer.sentence in capsys.readouterr().out


def test_each_control_of_the_plane_moves_the_picture():
    explorer = explorers.thread_grid(dimensions=2)
    seen = [explorer.image.value]
    for control in ("width", "height", "block_x", "block_y", "blocks_x", "blocks_y"):
        explorer.set(**{control: 2 if explorer.controls[control].value != 2 else 3})
        seen.append(explorer.image.value)
    explorer.set(guard=False)
    assert len({*seen, explorer.image.value}) == 8
    assert explorer.sentence == thread_grid.sentence((2, 2), (2, 3), (2, 2), guard=False)
    with pytest.raises(ValueError, match="dimensions=3: the explorer has 1 or 2"):
        explorers.thread_grid(dimensions=3)


def test_every_end_of_the_sliders_draws():
    for dimensions in (1, 2):
        explorer = explorers.thread_grid(dimensions)
        sliders = [control for control in explorer.controls.values() if hasattr(control, "max")]
        for guard in (True, False):
            explorer.controls["guard"].value = guard
            for end in ("max", "min"):
                for control in sliders:
                    control.value = getattr(control, end)
                    assert " threads" in explorer.sentence or "1 thread." in explorer.sentence
                    assert "Error" not in explorer.sentence


def test_a_launch_of_a_whole_photograph_can_be_drawn():
    fig, said = thread_grid.draw((512, 600), (32, 8))
    assert said.startswith("512 x 600 elements, 16 x 75 blocks of 32 x 8 threads, guard: 307,200 threads.")
    assert picture.png(fig).startswith(b"\x89PNG")
