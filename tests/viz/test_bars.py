"""Bars of times: what was computed looks otherwise than what was measured."""

from gpucourse.viz import bars

TIMES = {"measured": 0.01, "computed": 0.0001}


def test_computed_times_are_hatched_and_measured_ones_filled():
    fig = bars.draw(TIMES, {"computed"}, "title")
    measured, computed = fig.axes[0].patches
    assert measured.get_hatch() is None and computed.get_hatch()
    assert measured.get_facecolor() != computed.get_facecolor()


def test_every_bar_carries_its_time_and_label():
    fig = bars.draw(TIMES, (), "title")
    assert [text.get_text() for text in fig.axes[0].texts] == ["10.0 ms", "100 µs"]
    assert [tick.get_text() for tick in fig.axes[0].get_yticklabels()] == list(TIMES)
