"""Two hourly traffic series, embedded: how full a freeway near San Francisco is, how many cars pass on Interstate 94.

Both are as their publishers have them, on a regular grid of hours: an hour without a record is nan, and what looks
wrong has been left (zeros where a detector failed, a temperature of 0 kelvin, 9.8 meters of rain in an hour). Times are
local clock times. `tools/pack_traffic.py` made the file; its licenses stand in LICENSES.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import as_file, files
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SF = ("San Francisco Traffic (hourly, 2015-16), Monash Time Series Forecasting Repository; Caltrans's detectors; "
       "CC BY 4.0.")  # fmt: skip
_I94 = ("Metro Interstate Traffic Volume by John Hogue, UCI Machine Learning Repository; Minnesota DOT and "
        "OpenWeatherMap; CC BY 4.0.")  # fmt: skip


@dataclass(frozen=True, repr=False)
class Series:
    """One value an hour: `times`, datetime64[h] of shape (n,) without gaps, and `values`, float32 (n,), nan if missing.

    `weather` holds further columns of the same shape by name: temperature in kelvin, rain and snow in millimeters an
    hour, clouds in percent. `holidays` are days, datetime64[D]. `unit` is that of the values.
    """

    name: str
    unit: str
    times: NDArray[np.datetime64]
    values: NDArray[np.float32]
    license: str
    weather: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    holidays: NDArray[np.datetime64] = field(default_factory=lambda: np.array([], "datetime64[D]"))

    def __len__(self) -> int:
        return len(self.values)

    @property
    def missing(self) -> int:
        """The number of hours without a value."""
        return int(np.isnan(self.values).sum())

    def between(self, first: str, last: str) -> Series:
        """Return the part from the day or month `first` to `last`, both included.

        Raises ValueError where it holds no hour.

        >>> road_occupancy().between("2016-11", "2016-12")
        road occupancy, 1,464 hours from 2016-11-01 00:00 to 2016-12-31 23:00, 0 of them missing
        """
        end = np.datetime64(last)
        end = (end + np.timedelta64(1, np.datetime_data(end.dtype)[0])).astype("datetime64[h]")   # a day, or a month
        chosen = (self.times >= np.datetime64(first)) & (self.times < end)
        if not chosen.any():
            raise ValueError(f"{self.name} has no hour from {first} to {last}: it goes from {self.times[0]} "
                             f"to {self.times[-1]}")  # fmt: skip
        weather = {name: column[chosen] for name, column in self.weather.items()}
        return Series(self.name, self.unit, self.times[chosen], self.values[chosen], self.license, weather,
                      self.holidays)  # fmt: skip

    def __repr__(self) -> str:
        first, last = (str(time).replace("T", " ") + ":00" for time in self.times[[0, -1]])
        return f"{self.name}, {len(self):,} hours from {first} to {last}, {self.missing:,} of them missing"


def road_occupancy() -> Series:
    """Return the share of time, 0 to 1, that a detector on a freeway near San Francisco is covered by cars, 2015-16.

    Every hour has a value. When the clocks are put forward or back the hour that does not exist, or exists twice,
    has been made up.
    """
    values = (_stored()["occupancy"] / 10_000).astype(np.float32)
    times = np.datetime64("2015-01-01T00", "h") + np.arange(len(values))
    return Series("road occupancy", "share of time", times, values, _SF)


def interstate() -> Series:
    """Return the cars an hour westbound on Interstate 94 in Minnesota, October 2012 to September 2018, and the weather.

    Nearly a quarter of the hours has no record; ten months in a row are missing from August 2014 to June 2015.
    """
    stored = _stored()
    at = stored["hours"].astype(int)
    times = np.datetime64("2012-10-02T09", "h") + np.arange(at[-1] + 1)
    columns = {"temperature": 1000, "rain": 100, "snow": 100, "clouds": 1}
    weather = {name: _on_grid(stored[name] / scale, at) for name, scale in columns.items()}
    return Series("Interstate 94", "cars an hour", times, _on_grid(stored["volume"], at), _I94, weather,
                  stored["holidays"])  # fmt: skip


def _on_grid(values: Any, at: NDArray[np.int_]) -> NDArray[np.float32]:
    grid = np.full(at[-1] + 1, np.nan, np.float32)
    grid[at] = values
    return grid


def _stored() -> dict[str, Any]:
    with as_file(files("gpucourse.data") / "traffic.npz") as path, np.load(path) as stored:
        return dict(stored)
