"""The timeline: who works when, and what both clocks read, against sums worked out by hand."""

from itertools import pairwise

import pytest

from gpucourse.viz import explorers, timeline


@pytest.mark.parametrize(
    ("kernels", "kernel", "launch", "queued", "done"),
    [
        (4, 100, 25, 100, 425),   # the first launch, then four kernels back to back
        (4, 5, 20, 80, 85),       # the device waits for the host; the last kernel follows the last launch
        (1, 50, 10, 10, 60),
        (3, 10, 10, 30, 40),
    ],
)
def test_clocks(kernels, kernel, launch, queued, done):
    plan = timeline.schedule(kernels, kernel, launch, megabytes=0, wait=True)
    assert (plan.without_waiting, plan.with_waiting) == (queued, done)


def test_copies_stand_before_and_after_and_are_not_in_the_reading():
    plan = timeline.schedule(2, 100, 10, megabytes=31.5, wait=False)
    first, *_, last = plan.bars
    assert (first.kind, first.start, first.end) == ("copy in", 0, pytest.approx(1000))
    assert (last.kind, last.start) == ("copy out", plan.done)
    assert plan.with_waiting == pytest.approx(210)


def test_no_worker_does_two_things_at_once():
    bars = timeline.schedule(5, 7, 3, megabytes=1, wait=True).bars
    for row in (timeline.HOST, timeline.DEVICE):
        mine = sorted((bar.start, bar.end) for bar in bars if bar.row == row)
        assert all(end <= start + 1e-9 for (_, end), (start, _) in pairwise(mine))


def test_the_sentence_says_what_the_clock_reads():
    _, sentence = timeline.draw(kernels=4, kernel=100, launch=25)
    assert "done after 425 µs" in sentence and "reads 100 µs, 4.2 times too little" in sentence
    _, sentence = timeline.draw(kernels=4, kernel=5, launch=20, wait=True)
    assert "reads 85 µs" in sentence and "idles" in sentence and "too little" not in sentence


def test_explorer_moves():
    explorer = explorers.timeline()
    before = bytes(explorer.image.value)
    explorer.set(kernel=500)
    assert bytes(explorer.image.value) != before
    assert "4 kernels of 500 µs" in explorer.sentence
