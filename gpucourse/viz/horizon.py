"""The horizon explorer: forecasts against the truth from a chosen hour on, and their errors at every horizon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpucourse.errors import CourseError
from gpucourse.show import here
from gpucourse.viz import explorer, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Numbers = NDArray[np.float64]

LAST_MONTHS = ("2018-07", "2018-09")    # of Interstate 94
AHEAD, START = 48, "2018-08-06T06"      # hours that its forecasts reach; the hour that is shown first
BEFORE = 48                             # hours of truth drawn before the start
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LOOKS = (("red", "--"), ("blue", "-"), ("green", "-."), ("purple", ":"), ("orange", "-"), ("sky", "--"))


@dataclass(frozen=True)
class Compared:
    """Forecasts beside the truth, and what was found: `errors`, name -> (H,), over `counts` (H,) hours each."""

    times: NDArray[np.datetime64]
    truth: Numbers
    forecasts: dict[str, Numbers]
    errors: dict[str, Numbers]
    counts: NDArray[np.int64]
    own: bool = False

    @property
    def reach(self) -> int:
        """Hours that the forecasts look ahead, H."""
        return len(self.counts)

    def row(self, start: int | str | np.datetime64 | None) -> int:
        """Return the row of a time; by default the first from which all is known for `reach` hours, or else 0.

        Raises CourseError for one that is not there.
        """
        if start is None:
            whole = np.isfinite(_ahead(self.truth, self.reach)).all(1)
            for made in self.forecasts.values():
                whole &= np.isfinite(made).all(1)
            return int(whole.argmax())
        if isinstance(start, str | np.datetime64):
            first = self.times[0].astype("datetime64[h]")
            found = int((np.datetime64(start, "h") - first) / np.timedelta64(1, "h"))
        else:
            found = int(start)
        if not 0 <= found < len(self.times):
            raise CourseError(f"horizon: start {start}; there are {len(self.times):,} rows, from "
                              f"{_when(self.times[0])} to {_when(self.times[-1])}")  # fmt: skip
        return found


def compare(times: Any, truth: Any, forecasts: Mapping[str, Any]) -> Compared:
    """Return the mean absolute error of each forecast at each horizon, over the hours that the truth and all have.

    Arguments as `horizon`. Raises CourseError for shapes that do not fit, infinite numbers and a time that is not an
    hour after the one before.
    """
    hours, values = _checked(times, truth)
    made = {name: _forecast(name, numbers, len(values)) for name, numbers in forecasts.items()}
    shapes = {name: numbers.shape for name, numbers in made.items()}
    if len(set(shapes.values())) != 1:
        raise CourseError(f"horizon: forecasts have shapes {shapes}; give at least one, and all with as many hours")
    actual = _ahead(values, next(iter(shapes.values()))[1])
    known = np.isfinite(actual) & np.all([np.isfinite(numbers) for numbers in made.values()], axis=0)
    return Compared(hours, values, made, {name: _error(numbers, actual, known) for name, numbers in made.items()},
                    known.sum(axis=0))  # fmt: skip


def _checked(times: Any, truth: Any) -> tuple[NDArray[np.datetime64], Numbers]:
    hours, values = np.asarray(times).astype("datetime64[h]"), _numbers(truth, "truth")
    if hours.ndim != 1 or hours.shape != values.shape or len(hours) < 2:
        raise CourseError(f"horizon: times has shape {hours.shape}, truth {values.shape}; give (n,) of both, and at "
                          "least 2 hours")  # fmt: skip
    steps = np.diff(hours).astype(int)
    if (steps != 1).any():
        row = int(np.argmax(steps != 1))
        raise CourseError(f"horizon: from row {row:,} to the next it is {steps[row]:,} hours; the rows must be an hour "
                          "apart: give a gap rows of nan")  # fmt: skip
    return hours, values


def _numbers(given: Any, what: str) -> Numbers:
    given = given.detach().cpu() if hasattr(given, "detach") else given
    found = np.asarray(given, np.float64)
    if np.isinf(found).any():
        raise CourseError(f"horizon: {what}: {np.isinf(found).sum():,} of {found.size:,} numbers are infinite")
    return found


def _forecast(name: str, given: Any, rows: int) -> Numbers:
    found = _numbers(given, f"the forecast {name!r}")
    found = found[:, None] if found.ndim == 1 else found
    if found.ndim != 2 or len(found) != rows or not found.shape[1]:
        raise CourseError(f"horizon: the forecast {name!r} has shape {np.shape(given)}; give ({rows}, H): row i is "
                          "made when hour i is known, nan where there is none")  # fmt: skip
    return found


def _ahead(truth: Numbers, reach: int) -> Numbers:
    """In row i the truth of the hours i + 1 to i + reach, (n, reach); nan beyond the end."""
    padded = np.concatenate([truth, np.full(reach, np.nan)])
    return np.lib.stride_tricks.sliding_window_view(padded[1:], reach)


def _error(made: Numbers, actual: Numbers, known: NDArray[np.bool_]) -> Numbers:
    """The mean absolute error of each column; nan where nothing is known."""
    sums = np.abs(np.where(known, made - actual, 0)).sum(axis=0)
    counts = known.sum(axis=0)
    return np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)


def same_hour(truth: Any, period: int, ahead: int) -> Numbers:
    """Forecast each of the next `ahead` hours as the last known hour that lies whole periods before it, (n, ahead).

    Row i uses the hours up to i; nan where that hour is missing or before the first. `period`: 24 for the same hour
    yesterday, 168 for last week.

    >>> same_hour([1, 2, 3, 4], period=2, ahead=3)[3].tolist()
    [3.0, 4.0, 3.0]
    """
    values = np.asarray(truth, np.float64)
    steps = np.arange(1, ahead + 1)
    source = np.arange(len(values))[:, None] + steps - period * -(-steps // period)
    return np.where(source >= 0, values[np.maximum(source, 0)], np.nan)


@cache
def interstate() -> Compared:
    """Return the last months of Interstate 94 with the same hour yesterday and the same hour last week as forecasts."""
    from gpucourse.data import traffic

    whole, part = traffic.interstate(), traffic.interstate().between(*LAST_MONTHS)
    chosen = (whole.times >= part.times[0]) & (whole.times <= part.times[-1])
    naive = {name: same_hour(whole.values, period, AHEAD)[chosen]
             for name, period in (("same hour yesterday", 24), ("same hour last week", 168))}  # fmt: skip
    found = compare(part.times, part.values, naive)
    return Compared(found.times, found.truth, found.forecasts, found.errors, found.counts, own=True)


def _asked(times: Any, truth: Any, forecasts: Mapping[str, Any] | None) -> Compared:
    given = [value is not None for value in (times, truth, forecasts)]
    if not any(given):
        return interstate()
    if times is None or truth is None or forecasts is None:
        raise CourseError("horizon: give times, truth and forecasts, all three, or none of them")
    return compare(times, truth, forecasts)


# --- words and picture -------------------------------------------------------------------------------


def said(found: Compared, row: int, hours: int, unit: str) -> str:
    """Say how far each forecast is off, from this hour and from all; of forecasts from elsewhere between ⟨ and ⟩."""
    actual = _ahead(found.truth, found.reach)[row, :hours]
    missing = int(np.isnan(actual).sum())
    gaps = f" ({missing:,} of them without a truth)" if missing else ""
    now = {name: _mean(made[row, :hours] - actual) for name, made in found.forecasts.items()}
    then = {name: errors[hours - 1] for name, errors in found.errors.items()}
    facts = [_listed(now, unit), _listed(then, unit)]
    one, every = facts if found.own else map(here, facts)
    return (f"Known up to {_when(found.times[row])}; mean absolute error of the next "
            f"{_many(hours, 'hour') if hours > 1 else 'hour'}{gaps}: "
            f"{one}. From all starts, {_many(hours, 'hour')} ahead, over {found.counts[hours - 1]:,} hours that all "
            f"have: {every}.")  # fmt: skip


def _mean(errors: Numbers) -> float:
    known = np.abs(errors[np.isfinite(errors)])
    return float(known.mean()) if len(known) else float("nan")


def _listed(errors: Mapping[str, float], unit: str) -> str:
    texts = [f"{name} {_number(error)}" for name, error in errors.items()]
    return ", ".join(texts) + (f" {unit}" if unit else "")


def _number(value: float) -> str:
    return "unknown" if np.isnan(value) else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _when(time: np.datetime64) -> str:
    """A time as "Mon 2018-08-06 06:00"."""
    day, hour = str(time.astype("datetime64[h]")).split("T")
    return f"{DAYS[(int(np.datetime64(day, 'D').astype(int)) + 3) % 7]} {day} {hour}:00"    # 1970-01-01: a Thursday


def _drawn(found: Compared, start: int | str | np.datetime64 | None, hours: int | None,
           unit: str) -> tuple[Figure, str]:  # fmt: skip
    hours = min(24, found.reach) if hours is None else hours
    if not 1 <= hours <= found.reach:
        raise CourseError(f"horizon: hours={hours}; the forecasts look 1 to {found.reach} hours ahead")
    row = found.row(START if start is None and found.own else start)
    fig, (left, right) = picture.new(8.6, 3.7, columns=2, width_ratios=(1.9, 1))
    _course(left, found, row, hours)
    _errors(right, found, hours)
    left.set_ylabel(unit)
    for ax in (left, right):
        ax.yaxis.set_major_formatter(lambda y, _: f"{y:,.6g}")
    left.set_title(f"known up to {_when(found.times[row])}", loc="left", fontsize=11)
    fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    return fig, said(found, row, hours, unit)


def _course(ax: Axes, found: Compared, row: int, hours: int) -> None:
    """The truth before and after the start, and the forecasts after it; a gap is a gap in the line."""
    first, last = max(0, row - BEFORE), min(len(found.truth) - 1, row + hours)
    ax.plot(np.arange(first, last + 1) - row, found.truth[first : last + 1], ".-", color=picture.COLORS["black"],
            linewidth=1.2, markersize=3, label="truth")  # fmt: skip
    for number, (name, made) in enumerate(found.forecasts.items()):
        color, dash = _LOOKS[number % len(_LOOKS)]
        ax.plot(np.arange(1, hours + 1), made[row, :hours], dash, color=picture.COLORS[color], marker="o", markersize=3,
                label=name)  # fmt: skip
    ax.axvline(0, color=picture.COLORS["grey"], linestyle=":", linewidth=1.5, zorder=0.9)
    ax.set(xlim=(-BEFORE - 1, hours + 1), xlabel="hours from the last known one")
    ax.set_xticks(_ticks(-BEFORE, hours))


def _errors(ax: Axes, found: Compared, hours: int) -> None:
    """The mean absolute error at every horizon, from 0 up; dotted: the one that is looked at."""
    for number, errors in enumerate(found.errors.values()):
        color, dash = _LOOKS[number % len(_LOOKS)]
        ax.plot(np.arange(1, found.reach + 1), errors, dash, color=picture.COLORS[color], marker="o", markersize=3)
    ax.axvline(hours, color=picture.COLORS["grey"], linestyle=":", linewidth=1.5, zorder=0.9)
    top = max(np.nanmax(errors, initial=0) for errors in found.errors.values())
    ax.set(xlim=(0, found.reach + 1), ylim=(0, 1.1 * top or 1), xlabel="hours ahead")
    ax.set_xticks(_ticks(1, found.reach))
    ax.set_title("mean absolute error", loc="left", fontsize=11)


def _ticks(first: int, last: int) -> list[int]:
    """At most eight whole multiples of a part of a day, or of some days."""
    apart = next(step for step in (1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 8760) if (last - first) / step <= 7)
    return list(range(-(-first // apart) * apart, last + 1, apart))


def draw(
    times: Any = None, truth: Any = None, forecasts: Mapping[str, Any] | None = None,
    start: int | str | np.datetime64 | None = None, hours: int | None = None, unit: str = "cars an hour",
) -> tuple[Figure, str]:
    """Return the figure and the sentence; arguments as `horizon`."""
    return _drawn(_asked(times, truth, forecasts), start, hours, unit)


def horizon(
    times: Any = None, truth: Any = None, forecasts: Mapping[str, Any] | None = None,
    start: int | str | np.datetime64 | None = None, hours: int | None = None, unit: str = "cars an hour",
) -> None:
    """Print how far forecasts are off, and show them against the truth, and their mean errors at every horizon.

    `times`: datetime64 (n,), hour by hour. `truth`: (n,), in `unit`; nan is a gap and left out of the errors.
    `forecasts`: name -> (n, H): in row i what was forecast when hour i was known, for the hours i + 1 to i + H; nan
    where there is none. `start`: the last hour that is known to the forecasts shown, a row or a time such as
    "2018-08-06T07". `hours`: how far ahead is looked, 1 to H. Mean absolute errors are over the hours that the truth
    and every forecast have. Without arguments: Interstate 94's last months, by the same hour yesterday and last week.
    CourseError for what cannot be.

    >>> horizon(part.times, part.values, {"GRU": forecast})     # doctest: +SKIP
    """
    explorer.show(draw, times=times, truth=truth, forecasts=forecasts, start=start, hours=hours, unit=unit)


def explore(
    times: Any = None, truth: Any = None, forecasts: Mapping[str, Any] | None = None,
    start: int | str | np.datetime64 | None = None, hours: int | None = None, unit: str = "cars an hour",
) -> explorer.Explorer | None:
    """The same with a control for the day, the hour of day and the horizon."""
    found = _asked(times, truth, forecasts)
    first = found.times[found.row(START if start is None and found.own else start)]
    days = [str(day) for day in np.unique(found.times.astype("datetime64[D]"))]

    def shown(day: str, hour: int, hours: int = 1) -> tuple[Figure, str]:
        return _drawn(found, f"{day}T{hour:02}", hours, unit)

    controls = {
        "day": explorer.steps(str(first.astype("datetime64[D]")), days, "day"),
        "hour": explorer.slider(int(first.astype(int) % 24), 0, 23, 1, "last known hour"),
    }
    if found.reach > 1:
        controls["hours"] = explorer.slider(hours or min(24, found.reach), 1, found.reach, 1, "hours ahead")
    return explorer.explorer("horizon", shown, **controls)
