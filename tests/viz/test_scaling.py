"""The scaling explorer: steps against hand-computed ones, a ring played message by message, and what it says."""

from itertools import product

import numpy as np
import pytest
from texts import clashes

pytest.importorskip("matplotlib")
from gpucourse.viz import explorers, picture, scaling
from gpucourse.viz.scaling import ring, step

CONTROLS = {"workers": (1, 8, 1024), "megabytes": (0.1, 10_000), "bandwidth": (0.1, 500), "overlap": (0.0, 1.0),
            "strong": (True, False)}  # fmt: skip
SOME = [dict(zip(CONTROLS, values, strict=True)) for values in product(*CONTROLS.values())][::3]


def played(workers, numbers):
    """Add up numbers[w] of all workers in a ring, piece by piece; return rounds and bytes that each worker sends."""
    held = [np.array_split(each.copy(), workers) for each in numbers]
    rounds = sent = 0
    for turn in range(2 * (workers - 1)):
        adding, first = turn < workers - 1, 0 if turn < workers - 1 else workers   # then each has one finished piece
        moving = [(w, (w + first - turn) % workers) for w in range(workers)]
        pieces = [held[w][piece].copy() for w, piece in moving]
        for (w, piece), content in zip(moving, pieces, strict=True):
            there = held[(w + 1) % workers]
            there[piece] = there[piece] + content if adding else content
        rounds, sent = rounds + 1, sent + pieces[0].nbytes
    total = sum(numbers)
    assert all(np.array_equal(np.concatenate(each), total) for each in held)
    return rounds, sent


@pytest.mark.parametrize("workers", [1, 2, 4, 5])
def test_the_formula_counts_the_messages_and_bytes_of_a_real_ring(workers):
    numbers = [np.arange(20, dtype=np.int64) * (w + 1) for w in range(workers)]
    rounds, sent = played(workers, numbers)
    assert ring(workers, numbers[0].nbytes, bandwidth=1, latency=0) == pytest.approx(sent)
    assert ring(workers, 0, bandwidth=1, latency=1) == rounds


def test_a_step_computed_by_hand():
    """4 workers, 200 MB at 10 GB/s: 2 * 3/4 * 20 ms = 30 ms; 6 messages of 500 µs: 3 ms. A half of 33 ms is hidden."""
    made = step(workers=4, megabytes=200, bandwidth=10, latency=500, compute=60, overlap=0.5)
    assert (made.compute, made.reduce, made.hidden) == pytest.approx((60, 33, 16.5))
    assert (made.waits, made.total) == pytest.approx((16.5, 76.5))
    assert made.efficiency == pytest.approx(60 / 76.5)


def test_strong_scaling_divides_the_computing_and_not_the_gradients():
    """15 ms each and 33 ms to wait: 48 ms where four perfect workers took 15."""
    made = step(workers=4, megabytes=200, bandwidth=10, latency=500, compute=60, strong=True)
    assert (made.compute, made.total) == pytest.approx((15, 48))
    assert made.efficiency == pytest.approx(15 / 48)


def test_no_more_is_hidden_than_the_backward_pass_takes():
    """Two thirds of 60 ms, though 330 ms of sending might be hidden."""
    made = step(workers=4, megabytes=2000, bandwidth=10, latency=5000, compute=60, overlap=1)
    assert (made.reduce, made.hidden, made.total) == pytest.approx((330, 40, 350))


def test_one_worker_waits_for_nobody():
    assert step(workers=1, latency=300, overlap=0.5).total == 100


def test_the_sentence_says_what_the_workers_are_worth():
    assert scaling.draw()[1] == (
        "8 workers, a batch each, need 117.6 ms a step: 100 ms of computing and 17.64 ms of waiting for an all-reduce "
        "of 17.64 ms, 0 ms of which the backward pass hides. They do the work of 6.8: efficiency 85.0%."
    )
    assert scaling.draw(workers=1)[1] == "1 worker needs 100 ms a step and waits for nobody."
    assert "one batch divided among them" in scaling.draw(strong=True)[1]


@pytest.mark.parametrize(
    "wrong", [{"workers": 0}, {"megabytes": -1}, {"bandwidth": 0}, {"latency": -1}, {"compute": 0}, {"overlap": 1.5}],
    ids=str,
)  # fmt: skip
def test_a_step_that_cannot_be_is_refused(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name}={value}"):
        step(**wrong)


@pytest.mark.parametrize("values", SOME, ids=lambda values: "-".join(map(str, values.values())))
def test_the_picture_is_legible_everywhere(values):
    fig, sentence = scaling.draw(**values)
    assert not clashes(fig)
    assert picture.png(fig)
    assert "nan" not in sentence


def test_the_scaling_explorer_moves_and_the_plain_function_says_the_same(capsys):
    explorer = explorers.scaling()
    before = explorer.image.value
    assert explorer.sentence == scaling.draw()[1]
    values = {"workers": 64, "megabytes": 1000, "bandwidth": 25, "latency": 30, "compute": 30, "overlap": 0.5}
    explorer.set(**values, strong=True)
    assert explorer.image.value != before
    scaling.scaling(**values, strong=True)
    assert explorer.sentence in capsys.readouterr().out
