"""The timeline explorer: what the host does, what the device does, and what a clock on the host reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpucourse.viz import explorer, picture
from gpucourse.viz.schedule import Bar, draw_schedule, mark_clock

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HOST, DEVICE = "host", "device"
LINK = 31_500.0  # bytes per µs: PCIe 4.0 x16, as lesson 02 derives it


@dataclass(frozen=True)
class Schedule:
    """The bars of host and device, and when (in µs) the clock started, all was queued, all was done."""

    bars: tuple[Bar, ...]
    start: float
    queued: float
    done: float

    @property
    def without_waiting(self) -> float:
        """What the clock reads when it is stopped after the last launch, in µs."""
        return self.queued - self.start

    @property
    def with_waiting(self) -> float:
        """What the clock reads when it is stopped after the last kernel, in µs."""
        return self.done - self.start


def schedule(kernels: int, kernel: float, launch: float, megabytes: float, wait: bool) -> Schedule:
    """Lay out `kernels` launches of `launch` µs each, whose work takes `kernel` µs each on the device.

    `megabytes` are copied to the device before and back after; the host waits for both copies, and
    with `wait` also for the kernels. A kernel starts when it has been launched and the one before is done.
    """
    copy = megabytes * 1e6 / LINK
    bars = _copy("copy in", 0.0, copy)
    host = device = copy
    for number in range(1, kernels + 1):
        bars.append(Bar(HOST, host, host + launch, "launch", "launch"))
        host += launch
        start = max(host, device)
        device = start + kernel
        bars.append(Bar(DEVICE, start, device, "kernel", f"kernel {number}"))
    if wait or copy:
        bars.append(Bar(HOST, host, device, "wait", "wait"))
    bars += _copy("copy out", device, copy)
    return Schedule(tuple(bars), copy, host, device)


def _copy(kind: str, start: float, length: float) -> list[Bar]:
    return [Bar(row, start, start + length, kind, kind) for row in (HOST, DEVICE)] if length else []


def draw(
    kernels: int = 4, kernel: float = 100, launch: float = 25, megabytes: float = 0, wait: bool = False
) -> tuple[Figure, str]:
    """Draw host, device and the two clock readings, and say them in a sentence."""
    plan = schedule(kernels, kernel, launch, megabytes, wait)
    fig, ax = picture.new(7.6, 3.3)
    draw_schedule(ax, (HOST, DEVICE), plan.bars, "µs")
    ax.set_ylim(-1.5, 1.5)
    hasty = "grey" if wait else "red"
    at_once, waited = plan.without_waiting, plan.with_waiting
    mark_clock(ax, -0.75, plan.start, plan.queued, f"stopped at once: {at_once:,.0f} µs", hasty)
    mark_clock(ax, -1.3, plan.start, plan.done, f"stopped after waiting: {waited:,.0f} µs", "black")
    return fig, _sentence(plan, kernels, kernel, launch, megabytes, wait)


def _sentence(
    plan: Schedule, kernels: int, kernel: float, launch: float, megabytes: float, wait: bool
) -> str:
    reading = plan.with_waiting if wait else plan.without_waiting
    text = (
        f"{kernels} kernel{'s' * (kernels != 1)} of {kernel:g} µs, launched in {launch:g} µs each: "
        f"the device is done after {plan.with_waiting:,.0f} µs and your clock reads {reading:,.0f} µs"
    )
    if not wait:
        text += f", {plan.with_waiting / plan.without_waiting:.1f} times too little"
    if launch > kernel and kernels > 1:
        text += "; the device idles between kernels, for it waits for the host"
    if megabytes:
        text += f"; copying {megabytes:g} MB there and back, {2 * plan.start:,.0f} µs, is not in it"
    return text + "."


def timeline(
    kernels: int = 4, kernel: float = 100, launch: float = 25, megabytes: float = 0, wait: bool = False
) -> None:
    """Print what a clock on the host reads, and show who works when; times in µs, data in MB each way.

    >>> timeline(kernels=4, kernel=100, launch=25)   # doctest: +SKIP
    """
    explorer.show(draw, kernels=kernels, kernel=kernel, launch=launch, megabytes=megabytes, wait=wait)


def explore() -> explorer.Explorer | None:
    """The timeline with sliders."""
    return explorer.explorer(
        "timeline",
        draw,
        kernels=explorer.slider(4, 1, 12, 1, "kernels"),
        kernel=explorer.steps(100, [1, 2, 5, 10, 20, 50, 100, 200, 500], "one kernel (µs)"),
        launch=explorer.steps(25, [2, 5, 10, 25, 50], "one launch (µs)"),
        megabytes=explorer.steps(0, [0, 1, 4, 16], "copied each way (MB)"),
        wait=explorer.switch(False, "wait for the device before the clock stops"),
    )
