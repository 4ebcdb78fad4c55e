"""The Amdahl explorer: its law against sums by hand, its sentence, its picture at the ends of the sliders."""

import pytest

from gpucourse.viz import amdahl


@pytest.mark.parametrize(
    ("parallel", "workers", "by_hand"),
    [
        (0.0, 8, 1.0),  # nothing can be divided
        (1.0, 8, 8.0),  # everything can
        (0.5, 2, 4 / 3),  # 1 s becomes 0.5 + 0.25
        (0.9, 10, 1 / 0.19),  # 0.1 + 0.09
        (0.75, 1, 1.0),
    ],
)
def test_the_law_agrees_with_sums_by_hand(parallel, workers, by_hand):
    assert amdahl.speedup(parallel, workers) == pytest.approx(by_hand)


def test_the_sentence_gives_the_speed_up_and_its_limit():
    assert amdahl.sentence(0.95, 16) == (
        "If 95% of the work can be divided, 16 workers finish it 9.1 times sooner; "
        "no number of workers can reach 20.0 times."
    )


def test_without_a_serial_part_there_is_no_limit_and_no_division_by_zero():
    assert amdahl.sentence(1.0, 64).endswith("64.0 times sooner; without a serial part there is no limit.")


@pytest.mark.parametrize("parallel", [0.0, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("workers", [1, 1024])
def test_every_setting_draws_and_marks_the_point(parallel, workers):
    fig, _ = amdahl.draw(parallel, workers)
    point = fig.axes[0].lines[-1]
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (workers, amdahl.speedup(parallel, workers))


def test_labels_of_the_other_shares_give_way_to_the_chosen_one():
    fig, _ = amdahl.draw(0.9, 16)
    labels = [text.get_text() for text in fig.axes[0].texts]
    assert labels.count("90%") == 1


def test_the_explorer_moves_and_the_plain_function_says_the_same(capsys):
    explorer = amdahl.explore()
    explorer.set(parallel=0.5, workers=2)
    assert explorer.sentence == amdahl.sentence(0.5, 2)
    amdahl.amdahl(parallel=0.5, workers=2)
    assert amdahl.sentence(0.5, 2) in capsys.readouterr().out


def test_a_share_near_one_is_not_rounded_to_all():
    assert amdahl.sentence(0.999, 1024).startswith("If 99.9% of the work")
