"""The horizon explorer: its errors by loops, its forecasts without a look ahead, its words and pictures."""

import sys

import numpy as np
import pytest
from texts import clashes

pytest.importorskip("matplotlib")
from gpucourse.data import traffic
from gpucourse.errors import CourseError
from gpucourse.viz import explorers, horizon, picture

N, H = 60, 5
TIMES = np.datetime64("2020-02-28T20", "h") + np.arange(N)


def gaps(shape, seed, share=0.1):
    """Numbers, a tenth of them nan."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < share, np.nan, 10 * rng.standard_normal(shape))


@pytest.fixture
def series():
    return TIMES, gaps(N, 0), {"one": gaps((N, H), 1), "two": gaps((N, H), 2)}


def test_the_errors_are_those_of_a_loop(series):
    _, truth, forecasts = series
    found = horizon.compare(*series)
    for ahead in range(1, H + 1):
        off = {name: [] for name in forecasts}
        for row in range(N - ahead):
            due, said = truth[row + ahead], {name: made[row, ahead - 1] for name, made in forecasts.items()}
            if not np.isnan([due, *said.values()]).any():
                for name, value in said.items():
                    off[name].append(abs(value - due))
        for name, errors in off.items():
            assert found.errors[name][ahead - 1] == pytest.approx(np.mean(errors))
            assert found.counts[ahead - 1] == len(errors) < N - ahead


def test_a_perfect_forecast_has_no_error_and_a_late_one_has():
    truth = np.arange(N, dtype=float)
    ahead = truth[:, None] + np.arange(1, H + 1)
    found = horizon.compare(TIMES, truth, {"perfect": ahead, "an hour late": ahead - 1})
    assert found.errors["perfect"].tolist() == [0] * H and found.errors["an hour late"].tolist() == [1] * H
    assert found.counts.tolist() == [N - 1, N - 2, N - 3, N - 4, N - 5]


def test_the_same_hour_is_the_last_one_known():
    truth = gaps(N, 3)
    made = horizon.same_hour(truth, 24, 50)
    for row in range(N):
        for ahead in range(1, 51):
            earlier = [row + ahead - 24 * days for days in (1, 2, 3) if row + ahead - 24 * days <= row]
            due = truth[earlier[0]] if earlier[0] >= 0 else np.nan
            assert np.array_equal(made[row, ahead - 1], due, equal_nan=True)
    later = truth.copy()
    later[31:] += 1000
    assert np.array_equal(horizon.same_hour(later, 24, 50)[:31], made[:31], equal_nan=True), "no look ahead"


def test_last_week_on_interstate_94_has_the_known_error():
    """300.3 cars an hour from April 2018 on, found when the series was packed."""
    whole, part = traffic.interstate(), traffic.interstate().between("2018-04", "2018-09")
    late = whole.times >= part.times[0]
    found = horizon.compare(part.times, part.values, {"week": horizon.same_hour(whole.values, 168, 30)[late]})
    assert found.errors["week"] == pytest.approx(np.full(30, 300.3), abs=1)


def test_without_arguments_it_is_interstate_94():
    found, week, days = horizon.interstate(), np.timedelta64(168, "h"), np.timedelta64(48, "h")
    whole = traffic.interstate()
    values = dict(zip(whole.times.tolist(), whole.values.tolist(), strict=True))
    row = found.row("2018-08-20T15")
    for ahead in (1, 24, 25, 48):
        due = found.times[row] + np.timedelta64(ahead, "h")
        assert found.truth[row + ahead] == values[due.item()]
        assert found.forecasts["same hour last week"][row, ahead - 1] == values[(due - week).item()]
        yesterday = due - (days if ahead > 24 else days // 2)
        assert found.forecasts["same hour yesterday"][row, ahead - 1] == values[yesterday.item()]
    assert len(found.times) == 92 * 24 and found.reach == 48


def test_the_sentence():
    assert horizon.draw()[1] == (
        "Known up to Mon 2018-08-06 06:00; mean absolute error of the next 24 hours: same hour yesterday 769, same "
        "hour last week 174 cars an hour. From all starts, 24 hours ahead, over 2,172 hours that all have: same hour "
        "yesterday 510, same hour last week 261 cars an hour."
    )


def test_forecasts_from_elsewhere_stand_between_the_marks(series):
    times, truth, forecasts = series
    row = 30
    due = truth[31:34]
    means = [np.nanmean(abs(made[row, :3] - due)) for made in forecasts.values()]
    missing = np.isnan(due).sum()
    text = horizon.draw(times, truth, forecasts, row, 3, "km")[1]
    assert text.startswith(
        "Known up to Sun 2020-03-01 02:00; mean absolute error of the next 3 hours"
        + (f" ({missing} of them without a truth)" if missing else "")
        + f": ⟨one {means[0]:.3g}, two {means[1]:.3g} km⟩. From all starts, 3 hours ahead, over "
    )
    assert text.endswith("⟩.")


def test_gaps_are_said_and_left_out():
    truth = np.ones(N)
    truth[[12, 13]] = np.nan
    made = np.full((N, H), 3.0)
    text = horizon.draw(TIMES, truth, {"a": made}, 10, 5)[1]
    assert "next 5 hours (2 of them without a truth): ⟨a 2 cars an hour⟩" in text
    made[10] = np.nan
    text = horizon.draw(TIMES, truth, {"a": made}, 10, 1, "")[1]
    assert "of the next hour: ⟨a unknown⟩. From all starts, 1 hour ahead, over 56 hours that all have: ⟨a 2⟩." in text


@pytest.mark.parametrize(("value", "text"), [(1234.5, "1,234"), (99.94, "99.9"), (0.01687, "0.0169"), (0.0, "0")])
def test_numbers_large_and_small(value, text):
    assert horizon._number(value) == text


@pytest.mark.parametrize("time", ["1969-12-31T23", "2018-09-30T05", "2024-02-29T00"])
def test_the_day_of_the_week(time):
    import datetime

    due = datetime.datetime.fromisoformat(f"{time}:00")
    assert horizon._when(np.datetime64(time, "h")) == due.strftime("%a %Y-%m-%d %H:00")


def test_a_start_is_a_row_or_a_time(series):
    found = horizon.compare(*series)
    assert found.row(7) == found.row("2020-02-29T03") == found.row(TIMES[7]) == 7
    first = next(row for row in range(N - H) if np.isfinite(series[1][row + 1 : row + H + 1]).all()
                 and all(np.isfinite(made[row]).all() for made in series[2].values()))  # fmt: skip
    assert found.row(None) == first


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"start": 60}, "start 60; there are 60 rows, from Fri 2020-02-28 20:00 to Mon 2020-03-02 07:00"),
        ({"start": "2020-02-28T19"}, "start 2020-02-28T19; there are 60 rows"),
        ({"hours": 0}, "hours=0; the forecasts look 1 to 5 hours ahead"),
        ({"hours": 6}, "hours=6"),
        ({"times": TIMES[1:]}, r"times has shape \(59,\), truth \(60,\)"),
        ({"times": np.delete(TIMES[0] + np.arange(N + 1), 9)}, "from row 8 to the next it is 2 hours"),
        ({"forecasts": {}}, r"forecasts have shapes \{\}; give at least one"),
        ({"forecasts": {"a": np.zeros((N, 2)), "b": np.zeros((N, 3))}}, r"shapes .*\(60, 2\).*\(60, 3\)"),
        ({"forecasts": {"a": np.zeros((H, N))}}, r"'a' has shape \(5, 60\); give \(60, H\)"),
        ({"forecasts": {"a": np.full((N, H), np.inf)}}, "the forecast 'a': 300 of 300 numbers are infinite"),
        ({"forecasts": None}, "give times, truth and forecasts, all three"),
    ],
)
def test_what_cannot_be_is_refused(series, wrong, message):
    given = dict(zip(("times", "truth", "forecasts"), series, strict=True))
    with pytest.raises(CourseError, match=message):
        horizon.draw(**given | wrong)


def test_the_picture_shows_the_truth_with_its_gaps_and_each_forecast(series):
    times, truth, forecasts = series
    fig, _ = horizon.draw(times, truth, forecasts, 50, 4)
    left, right = fig.axes
    line, *made = left.lines[:3]
    assert line.get_xdata().tolist() == list(range(-48, 5))
    assert np.array_equal(line.get_ydata(), truth[2:55], equal_nan=True)
    for drawn, name in zip(made, forecasts, strict=True):
        assert drawn.get_label() == name and drawn.get_xdata().tolist() == [1, 2, 3, 4]
        assert np.array_equal(drawn.get_ydata(), forecasts[name][50, :4], equal_nan=True)
    for drawn, errors in zip(right.lines, horizon.compare(*series).errors.values(), strict=False):
        assert np.allclose(drawn.get_ydata(), errors)


@pytest.mark.parametrize("values", [{}, {"hours": 1}, {"hours": 48, "start": 0}, {"start": "2018-09-30T23"}], ids=str)
def test_everything_draws_and_is_legible(values):
    fig, _ = horizon.draw(**values)
    assert not clashes(fig)
    assert picture.png(fig)


@pytest.mark.parametrize("ahead", [1, 168])
def test_short_and_long_forecasts_of_small_numbers_draw(ahead):
    part = traffic.road_occupancy().between("2016-11", "2016-12")
    made = horizon.same_hour(part.values, 168, ahead)
    for forecast in (made, made[:, 0]) if ahead == 1 else (made,):
        fig, text = horizon.draw(part.times, part.values, {"week": forecast}, hours=ahead, unit="of the time")
        assert not clashes(fig)
        assert "of the time⟩" in text


def test_nothing_to_compare_is_said(series):
    fig, text = horizon.draw(series[0], series[1], {"none": np.full((N, H), np.nan)})
    assert "over 0 hours that all have: ⟨none unknown cars an hour⟩." in text
    assert picture.png(fig)


def test_tensors_will_do(series):
    torch = pytest.importorskip("torch")
    forecast = torch.zeros(N, H, requires_grad=True)
    assert horizon.compare(series[0], torch.ones(N), {"a": forecast}).errors["a"].tolist() == [1] * H


def test_the_explorer_moves_and_the_plain_function_says_the_same(capsys):
    pytest.importorskip("ipywidgets")
    explorer = explorers.horizon()
    assert repr(explorer) == "<explorer: horizon>"
    assert explorer.sentence == horizon.draw()[1]
    before = explorer.image.value
    explorer.set(day="2018-09-03", hour=8, hours=36)
    assert explorer.image.value != before
    horizon.horizon(start="2018-09-03T08", hours=36)
    assert explorer.sentence in capsys.readouterr().out


def test_the_explorer_of_given_forecasts(series, capsys):
    pytest.importorskip("ipywidgets")
    explorer = explorers.horizon(*series, start=9, hours=2, unit="km")
    horizon.horizon(*series, start=9, hours=2, unit="km")
    assert explorer.sentence in capsys.readouterr().out
    explorer.set(day="2020-02-28", hour=19)
    assert explorer.sentence.startswith("CourseError: horizon: start 2020-02-28T19; there are 60 rows")
    one = explorers.horizon(series[0], series[1], {"a": series[2]["one"][:, 0]}, start=3)
    assert list(one.controls) == ["day", "hour"]
    assert one.sentence == horizon.draw(series[0], series[1], {"a": series[2]["one"][:, :1]}, 3, 1)[1]


def test_without_ipywidgets_the_picture_is_shown(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert explorers.horizon() is None
    out, err = capsys.readouterr()
    assert horizon.draw()[1] in out and "pip install ipywidgets" in err
