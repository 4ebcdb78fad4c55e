"""The roads explorer: its numbers against a loop over places, its picture, its sentence."""

import pytest

pytest.importorskip("matplotlib")
from gpucourse.viz import explorers, roads
from gpucourse.viz.roads import BLOCKS, ONE_BLOCK, THREADS

CASES = [(n, size, road) for n in (1, 2, 7, 8, 10, 33, 64) for size in (1, 4, 32) for road in roads.ROADS]


@pytest.mark.parametrize("case", CASES)
def test_every_element_is_taken_once_and_the_last_turn_is_not_empty(case):
    made = roads.share(*case)
    taken = [turn * made.size + place for turn in range(made.turns) for place in range(made.size)]
    assert sorted(e for e in taken if e < made.n) == list(range(made.n))
    assert sum(e >= made.n for e in taken) == made.empty < made.size


@pytest.mark.parametrize(("n", "size"), [(1, 1), (2, 2), (3, 4), (8, 8), (9, 16), (33, 64), (64, 64)])
def test_one_block_is_the_smallest_power_of_two_that_holds_the_row(n, size):
    assert roads.share(n, 4, ONE_BLOCK).size == size


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ((10, 4, THREADS), "A row of 10 elements. CUDA: 4 threads take it in 3 turns. In the last one 2 threads have "
                           "no element. Then 4 partial results must be combined."),
        ((7, 8, THREADS), "A row of 7 elements. CUDA: 8 threads take it in 1 turn. In the last one 1 thread has no "
                          "element. Then 8 partial results must be combined."),
        ((8, 1, THREADS), "A row of 8 elements. CUDA: 1 thread takes it in 8 turns."),
        ((10, 4, ONE_BLOCK), "A row of 10 elements. Triton: one program takes it in 1 block of 16 elements; 6 of the "
                             "block are masked."),
        ((10, 4, BLOCKS), "A row of 10 elements. Triton: one program takes it in 3 blocks of 4 elements; 2 of the "
                          "last are masked."),
        ((8, 4, BLOCKS), "A row of 8 elements. Triton: one program takes it in 2 blocks of 4 elements."),
    ],
)  # fmt: skip
def test_the_sentence_says_the_numbers(case, said):
    assert roads.sentence(*case) == said


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"n": 0}, "n=0"), ({"n": 65}, "n=65"), ({"size": 3}, "size=3: give a power of two"), ({"road": "HIP"}, "'HIP'")],
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        roads.share(**wrong)


@pytest.mark.parametrize("case", CASES)
def test_the_picture_has_a_box_for_each_element_and_each_place(case):
    fig, alt = roads.draw(*case)
    made = roads.share(*case)
    boxes = [box for box in fig.axes[0].patches if box.get_fill()]
    gray = [box for box in boxes if box.get_facecolor()[:3] == pytest.approx((0xDC / 255,) * 3)]
    assert len(boxes) == made.n + made.turns * made.size
    assert len(gray) == made.empty
    assert alt == roads.sentence(*case)


def test_the_explorer_moves_and_the_plain_function_says_the_same(capsys):
    explorer = explorers.roads()
    before = explorer.image.value
    explorer.set(n=33, size=8, road=BLOCKS)
    assert explorer.sentence == roads.sentence(33, 8, BLOCKS)
    assert explorer.image.value != before
    roads.roads(33, 8, BLOCKS)
    assert roads.sentence(33, 8, BLOCKS) in capsys.readouterr().out
