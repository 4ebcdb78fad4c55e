"""The roofline explorer: the roof against sums by hand, its sentence and marks, its picture."""

import pytest

from gpucourse.viz import roofline

MACHINES = {"this machine": (200.0, 40.0), "a GPU": (80_000.0, 1000.0)}


@pytest.mark.parametrize(
    ("intensity", "by_hand"),
    [(0.25, 10.0), (5.0, 200.0), (100.0, 200.0)],  # 0.25 FLOP/byte × 40 GB/s; the bend; beyond it
)
def test_the_roof_is_the_smaller_of_two(intensity, by_hand):
    assert roofline.attainable(intensity, 200.0, 40.0) == pytest.approx(by_hand)


def test_figures_of_this_machine_stand_between_marks_and_published_ones_do_not():
    assert roofline.sentence(MACHINES, "this machine", 0.25) == (
        "At 0.25 FLOP/byte, this machine can reach ⟨10 GFLOP/s⟩ at most: ⟨memory⟩ is the limit. "
        "Its roof bends at ⟨5⟩ FLOP/byte."
    )
    assert roofline.sentence(MACHINES, "a GPU", 100) == (
        "At 100 FLOP/byte, a GPU can reach 80 TFLOP/s at most: arithmetic is the limit. "
        "Its roof bends at 80 FLOP/byte."
    )


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("intensity", [0.01, 5.0, 1000.0])
def test_the_picture_marks_the_ceiling_of_the_chosen_machine(machine, intensity):
    fig, _ = roofline.draw(MACHINES, machine, intensity, {"a kernel": (0.1, 1.0)})
    points = [
        (line.get_xdata()[0], line.get_ydata()[0]) for line in fig.axes[0].lines if line.get_marker() == "o"
    ]
    assert points == [(intensity, roofline.attainable(intensity, *MACHINES[machine]))]


def test_every_roof_bends_where_both_limits_meet():
    fig, _ = roofline.draw(MACHINES, "a GPU", 1.0)
    bends = [line.get_xydata()[1].tolist() for line in fig.axes[0].lines[:2]]
    assert bends == [[5.0, 200.0], [80.0, 80_000.0]]


def test_the_explorer_offers_all_machines_and_moves(capsys):
    explorer = roofline.explore(MACHINES)
    assert explorer.controls["machine"].options == tuple(MACHINES)
    before = explorer.sentence
    explorer.set(machine="a GPU")
    assert explorer.sentence != before
    roofline.roofline(MACHINES, "a GPU", intensity=1.0)
    assert roofline.sentence(MACHINES, "a GPU", 1.0) in capsys.readouterr().out
