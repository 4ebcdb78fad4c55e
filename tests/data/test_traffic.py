"""The traffic series: their checksum, what the published files say in some places, gaps as nan, weekly baselines."""

import hashlib
from importlib.resources import files

import numpy as np
import pytest

from gpucourse.data.traffic import interstate, road_occupancy


def value(series, time, column=None):
    values = series.values if column is None else series.weather[column]
    return values[series.times == np.datetime64(time, "h")].item()


def test_the_file_is_the_packed_one():
    data = (files("gpucourse.data") / "traffic.npz").read_bytes()
    assert hashlib.sha256(data).hexdigest() == "ca23afc85088e93da7ba186f2ea16fe50ea92c9747befc238f259c8f24cf95fa"


def test_road_occupancy_is_the_published_file():
    series = road_occupancy()
    assert len(series) == 17_544 == (366 + 365) * 24 and series.missing == 0
    assert (np.diff(series.times) == np.timedelta64(1, "h")).all()
    # lines of the CSV file, read by eye
    for time, due in {"2015-01-01T00": 0.0048, "2015-01-01T01": 0.0072, "2016-12-31T22": 0.0232,
                      "2016-12-31T23": 0.0090, "2015-02-28T11": 0.0, "2016-11-06T01": 0.0}.items():  # fmt: skip
        assert value(series, time) == pytest.approx(due, abs=1e-7), time
    assert series.values.mean() == pytest.approx(0.049324, abs=1e-6)
    assert series.values.max() == pytest.approx(0.4747)


def test_interstate_is_the_published_file_on_a_grid_of_hours():
    series = interstate()
    assert len(series) == 52_551 and len(series) - series.missing == 40_575
    for time, due in {"2012-10-02T09": 5545, "2012-10-02T10": 4516, "2018-09-30T23": 954}.items():
        assert value(series, time) == due
    assert value(series, "2012-10-02T09", "temperature") == pytest.approx(288.28)
    assert value(series, "2012-10-02T10", "clouds") == 75
    assert value(series, "2016-07-11T17", "rain") == pytest.approx(9831.3)       # wrong, and left as it is
    assert value(series, "2014-01-31T03", "temperature") == 0
    for column in series.weather.values():
        assert (np.isnan(column) == np.isnan(series.values)).all()


def test_the_longest_gap_is_ten_months():
    at = np.flatnonzero(~np.isnan(interstate().values))
    wide = np.diff(at)
    assert wide.max() == 7387
    assert interstate().times[at[wide.argmax()]] == np.datetime64("2014-08-08T01")


def test_holidays_are_days():
    days = interstate().holidays
    assert len(days) == 53 and np.datetime64("2012-12-25") in days and np.datetime64("2018-07-04") in days


def test_between_takes_whole_months_and_days():
    series = interstate()
    part = series.between("2016-02", "2016-03")
    assert str(part.times[0]) == "2016-02-01T00" and str(part.times[-1]) == "2016-03-31T23"
    assert len(part) == (29 + 31) * 24 == len(part.weather["rain"])
    assert len(series.between("2016-02-03", "2016-02-03")) == 24
    with pytest.raises(ValueError, match="no hour from 2019-01 to 2019-02"):
        series.between("2019-01", "2019-02")


@pytest.mark.parametrize(
    ("series", "first", "due"),
    [
        (interstate, "2018-04", 300.2619319),       # the last six months
        (road_occupancy, "2016-10", 0.01686943),    # the last three
        (road_occupancy, "2016-07", 0.01278736),
    ],
)
def test_the_same_hour_last_week_is_wrong_by_so_much(series, first, due):
    """The mean absolute error, as pandas found it in the CSV files themselves."""
    whole = series()
    error = abs(whole.values[168:] - whole.values[:-168])[whole.times[168:] >= np.datetime64(first)]
    assert np.nanmean(error) == pytest.approx(due, rel=1e-5)
