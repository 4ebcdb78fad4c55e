"""The cost explorer: bills against hand-computed ones, prices that only the user gives, and what it says."""

import inspect
from itertools import product

import pytest
from texts import clashes

pytest.importorskip("matplotlib")
from gpucourse.viz import cost, explorers, picture
from gpucourse.viz.cost import bill

CONTROLS = {"price": (0, 0.02, 99.5), "images": (10_000, 10**10), "startup": (0, 60), "gpus": (1, 64),
            "efficiency": (0.05, 1.0)}  # fmt: skip
SOME = [dict(zip(CONTROLS, values, strict=True)) for values in product(*CONTROLS.values())][::3]


def test_one_gpu_by_hand():
    """36 million images at 2,000 a second: 18,000 s = 5 h; 30 minutes before; $3 an hour: 5.5 * 3 = 16.50."""
    made = bill(price=3, speed=2000, images=36e6, startup=30)
    assert (made.startup, made.training, made.hours, made.dollars) == pytest.approx((0.5, 5, 5.5, 16.5))


def test_four_gpus_by_hand_all_are_paid_from_the_start():
    """At 80% four do the work of 3.2: 5 / 3.2 = 1.5625 h, and 0.5 h before; 2.0625 h * 4 * $3 = 24.75."""
    made = bill(price=3, speed=2000, images=36e6, startup=30, gpus=4, efficiency=0.8)
    assert (made.training, made.hours, made.dollars) == pytest.approx((1.5625, 2.0625, 24.75))


def test_without_startup_and_losses_any_number_of_gpus_costs_the_same():
    bills = [bill(price=2, speed=100, images=1e6, startup=0, gpus=n) for n in (1, 2, 64)]
    assert {round(each.dollars, 9) for each in bills} == {round(1e6 / 100 / 3600 * 2, 9)}


def test_one_gpu_alone_loses_nothing():
    assert bill(price=1, speed=10, efficiency=0.5) == bill(price=1, speed=10)


@pytest.mark.parametrize("function", [bill, cost.cost, cost.draw, cost.explore])
def test_price_and_speed_have_no_defaults(function):
    parameters = inspect.signature(function).parameters
    assert parameters["price"].default is parameters["speed"].default is inspect.Parameter.empty


def test_the_sentence_says_hours_and_dollars_and_what_more_gpus_gain():
    values = {"price": 3, "speed": 2000, "images": 36e6, "startup": 30}
    assert cost.draw(**values)[1] == (
        "36,000,000 images at 2,000 a second on one GPU, $3.00 a GPU and hour: 1 GPU for 5.5 h, 30 min of them until "
        "the training starts: $16.50."
    )
    assert cost.draw(**values, gpus=4, efficiency=0.8)[1] == (
        "36,000,000 images at 2,000 a second on one GPU, $3.00 a GPU and hour: 4 GPUs for 2.06 h, 30 min of them until "
        "the training starts: $24.75. One GPU: 5.5 h, $16.50. So 4 end 2.67 times as soon and cost 1.5 times as much."
    )


def test_many_gpus_with_losses_may_end_later_and_say_so():
    assert "So 2 end 0.2 times as soon" in cost.draw(price=1, speed=100, startup=0, gpus=2, efficiency=0.1)[1]


@pytest.mark.parametrize(
    "wrong", [{"price": -1}, {"speed": 0}, {"images": -1}, {"startup": -1}, {"gpus": 0}, {"efficiency": 0},
              {"efficiency": 1.1}], ids=str,
)  # fmt: skip
def test_a_bill_that_cannot_be_is_refused(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name}={value}"):
        bill(**({"price": 1, "speed": 1} | wrong))


@pytest.mark.parametrize("values", SOME, ids=lambda values: "-".join(map(str, values.values())))
def test_the_bills_picture_is_legible_everywhere(values):
    fig, sentence = cost.draw(speed=20_000, **values)
    assert not clashes(fig)
    assert picture.png(fig)
    assert "nan" not in sentence


def test_the_cost_explorer_moves_and_the_plain_function_says_the_same(capsys):
    explorer = explorers.cost(price=2.5, speed=40_000)
    before = explorer.image.value
    assert explorer.sentence == cost.draw(price=2.5, speed=40_000)[1]
    values = {"price": 4.0, "speed": 9_000.0, "images": 10**8, "startup": 10, "gpus": 8, "efficiency": 0.8}
    explorer.set(**values)
    assert explorer.image.value != before
    cost.cost(**values)
    assert explorer.sentence in capsys.readouterr().out
