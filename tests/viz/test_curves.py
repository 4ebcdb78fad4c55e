"""Curves of cost against size: axes that a person can read, and a mark at the crossing."""

import pytest

from gpucourse.viz import curves

SIZES = (1, 10, 100)
COSTS = {"A": (1.0, 10.0, 100.0), "B": (20.0, 20.0, 20.0)}


@pytest.mark.parametrize(
    ("x", "largest", "text"),
    [(1000, 1e4, "1,000"), (100, 1e9, "100"), (1e4, 1e9, "10 k"), (1e6, 1e9, "1 M"), (1e9, 1e9, "1 G")],
)
def test_sizes_are_short_on_a_long_axis(x, largest, text):
    assert curves.count(x, largest) == text


@pytest.mark.parametrize(
    ("x", "text"), [(1e-5, "10 µs"), (1e-3, "1 ms"), (0.1, "100 ms"), (1.5e-6, "1.50 µs")]
)
def test_times_lose_idle_zeros(x, text):
    assert curves.tick(x) == text


def test_every_cost_is_a_curve_with_its_label():
    fig = curves.draw(SIZES, COSTS, "title", "tasks", "minutes")
    assert [text.get_text() for text in fig.axes[0].get_legend().get_texts()] == ["A", "B"]
    assert [tuple(line.get_ydata()) for line in fig.axes[0].lines] == list(COSTS.values())


@pytest.mark.parametrize(("cross", "marked"), [(20.0, True), (0.5, False), (1e6, False), (None, False)])
def test_a_crossing_is_marked_where_it_lies_on_the_axis(cross, marked):
    fig = curves.draw(SIZES, COSTS, "title", "tasks", "time", cross)
    assert any("break-even" in text.get_text() for text in fig.axes[0].texts) == marked
