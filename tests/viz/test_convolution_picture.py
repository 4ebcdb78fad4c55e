"""The convolution explorer: sizes and values against a count pixel by pixel, and against PyTorch."""

import itertools

import numpy as np
import pytest

from gpucourse.viz import convolution, explorers

CASES = list(itertools.product(convolution.KERNELS, (0, 1, 3), (1, 2, 4), (1, 3), (0, 17)))


def reached(kernel, padding, stride, dilation):
    """The starts, along an axis and in the padded picture, at which the kernel fits; counted."""
    k = len(convolution.KERNELS[kernel][0])
    starts = range(0, 8 + 2 * padding, stride)
    return [start for start in starts if all(start + dilation * step < 8 + 2 * padding for step in range(k))]


def result(kernel, padding, dilation, top, left):
    """One sum of products, by loops; pixels beyond the picture count 0."""
    numbers, divisor = convolution.KERNELS[kernel]
    total = 0
    for p, q in np.ndindex(np.shape(numbers)):
        row, column = top + p * dilation - padding, left + q * dilation - padding
        inside = 0 <= row < 8 and 0 <= column < 8
        total += numbers[p][q] * convolution.PICTURE[row, column] if inside else 0
    return total / divisor


@pytest.mark.parametrize("case", CASES)
def test_size_and_values_agree_with_a_count_pixel_by_pixel(case):
    kernel, padding, _, dilation, place = case
    made, starts = convolution.made(*case), reached(*case[:4])
    assert made.side == len(starts)
    due = [[result(kernel, padding, dilation, top, left) for left in starts] for top in starts]
    assert np.allclose(made.output, np.reshape(due, made.output.shape))
    if starts:
        row, column = made.place
        assert row * len(starts) + column == place % len(starts) ** 2
        assert made.met[0] == (starts[row], starts[column])
        outside = [at for at in made.met if min(at) < padding or max(at) >= 8 + padding]
        assert made.in_padding == len(outside)


@pytest.mark.parametrize("case", CASES[::5])
def test_the_output_is_pytorchs(case):
    torch = pytest.importorskip("torch")
    made = convolution.made(*case)
    if made.side:
        x, weight = (torch.tensor(a)[None, None] for a in (convolution.PICTURE, made.weights))
        due = torch.nn.functional.conv2d(x, weight, None, made.stride, made.padding, made.dilation)[0, 0]
        assert np.allclose(made.output, due)


def test_the_sentence_says_the_numbers():
    assert convolution.sentence() == (
        "A picture of 8 x 8 pixels, a kernel of 3 x 3 (vertical edge), padding 0, stride 1, dilation 1: (8 + 2 · 0 - 1 "
        "· (3 - 1) - 1) // 1 + 1 = 6, so the output has 6 x 6 numbers. Number (0, 0) is the sum of 9 products: 7."
    )
    assert convolution.sentence("blur", 1, 2).endswith(
        "Number (0, 0) is the sum of 9 products, 5 of them with padding: 1.7.")
    assert convolution.sentence("double", 3).endswith("Number (0, 0) is one product, with padding: 0.")
    assert convolution.sentence("blur 5 x 5", dilation=3).endswith(
        "dilation 3: the kernel reaches over 13 pixels and there are only 8, so it fits nowhere and there is no "
        "output.")


def test_the_formula_that_is_shown_is_true():
    for case in CASES:
        made = convolution.made(*case)
        if made.side:
            left, right = convolution.formula(made).replace("·", "*").split(" = ")
            assert eval(left) == int(right)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kernel": "edge"}, "kernel='edge': a kernel is one of vertical edge, horizontal edge"),
        ({"padding": 4}, "padding=4: give 0 to 3"),
        ({"stride": 0}, "stride=0: give 1 to 4"),
        ({"dilation": 4}, "dilation=4: give 1 to 3"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        convolution.made(**wrong)


@pytest.mark.parametrize("case", CASES[::31])
def test_the_picture_has_a_cell_for_each_number_and_a_frame_for_each_pixel_of_the_window(case):
    made = convolution.made(*case)
    fig, _ = convolution.draw(*case)
    cells = [box for box in fig.axes[0].patches if box.get_zorder() == 1]
    frames = [box for box in fig.axes[0].patches if box.get_zorder() == 3]
    assert len(cells) == made.padded.size + made.weights.size + made.output.size
    assert len(frames) == (len(made.met) + 1 if made.side else 0)
    numbers = [text.get_text() for text in fig.axes[0].texts if text.get_ha() == "center"]
    assert numbers[-made.output.size or len(numbers):] == [convolution.number(v) for v in made.output.ravel()]


def test_nothing_is_drawn_outside_the_page_or_over_another_text():
    for case in CASES[::29]:
        fig, _ = convolution.draw(*case)
        fig.draw_without_rendering()
        width, height = fig.bbox.size
        boxes = [text.get_window_extent() for text in fig.axes[0].texts if text.get_ha() == "left"]
        for box in boxes:
            assert box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height, case
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2)), case


def test_the_explorer_moves_and_the_plain_function_says_the_same(capsys):
    explorer = explorers.convolution()
    before = explorer.image.value
    explorer.set(kernel="blur", padding=1, stride=2, place=3)
    assert explorer.sentence == convolution.sentence("blur", 1, 2, 1, 3)
    assert explorer.image.value != before
    convolution.convolution("blur", 1, 2, 1, 3)
    assert convolution.sentence("blur", 1, 2, 1, 3) in capsys.readouterr().out


def test_every_end_of_the_controls_draws():
    explorer = explorers.convolution()
    for kernel in ("blur 5 x 5", "double"):
        for padding, stride, dilation in ((0, 1, 3), (3, 4, 1)):
            explorer.set(kernel=kernel, padding=padding, stride=stride, dilation=dilation, place=63)
            assert explorer.sentence == convolution.sentence(kernel, padding, stride, dilation, 63)
