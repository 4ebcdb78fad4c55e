"""The step timeline: who works when in a few training steps, by a model of stated costs, and what the device waits for.

The model: all is in one stream, so a kernel starts when it has been launched and the one before is done. The host's
own loading, and its copies from ordinary memory, hold the host up, and such a copy comes after the step before. Workers
load beside the host; their batches lie in pinned memory and are copied in a stream of their own, so that the copy runs
beside the kernels, if the host has got ahead of them. A host that reads the loss waits until the device is done.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gpucourse.viz import explorer, picture
from gpucourse.viz.schedule import Bar

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WORKERS, HOST, COPIES, DEVICE = "workers", "host", "copy engine", "device"
SOURCES = {"host": "loaded by the host", "workers": "loaded by 4 workers", "device": "on the device"}
HANDS = 4                    # workers
KERNEL = 2.0                 # µs a kernel takes at least
COPY = 10.0                  # µs a copy takes at least
IMAGE = 28 * 28 * 4          # bytes
ORDINARY, PINNED = 6e3, 25e3    # bytes/µs of a copy from ordinary and from pinned memory
READ, GRAPH = 10.0, 10.0     # µs to fetch the loss once it is there; to launch a graph
WARM, MEASURED, SHOWN = 24, 12, 3   # steps before the steady state is taken; over which; in the picture

# kind -> color, hatch (which tells the kinds apart without color), the words for it as a cause of waiting
LOOKS = {
    "load": ("orange", "//", "a batch is loaded"),
    "copy": ("green", "\\\\", "a batch is copied"),
    "pick": ("sky", "", "a batch is picked"),
    "forward": ("blue", "", "kernels are launched"),
    "backward": ("red", "..", "kernels are launched"),
    "optimizer": ("purple", "xx", "kernels are launched"),
    "graph": ("black", "", "the graph is launched"),
    "read the loss": ("grey", "--", "the loss is read"),
}
LIMITS = {"a batch is loaded": "loading", "a batch is copied": "the copies", "kernels are launched": "the launches",
          "a batch is picked": "the launches", "the graph is launched": "the launches",
          "the loss is read": "reading the loss"}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """The bars of the steps, when each step is done on the device, and the steady state, all in µs.

    `period`: from one step to the next. `busy`: how much of it the device works. `idle`: how long it idles in it,
    by what the host does meanwhile.
    """

    bars: tuple[Bar, ...]
    ends: tuple[float, ...]
    period: float
    busy: float
    idle: dict[str, float]


@dataclass
class _Course:
    """The steps while they are laid out: when each of the rows is free."""

    batch: int
    launch: float
    load: float
    host: float = 0.0
    copies: float = 0.0
    device: float = 0.0
    ready: float = 0.0                  # when this step's batch lies on the device
    bars: list[Bar] = field(default_factory=list)

    def on(self, row: str, kind: str, start: float, length: float) -> float:
        """Add a bar; return its end."""
        self.bars.append(Bar(row, start, start + length, kind))
        return start + length

    def from_host(self, step: int) -> None:
        """The host loads, copies, and waits for the copy."""
        self.host = self.on(HOST, "load", self.host, self.load * self.batch)
        start = max(self.host, self.copies, self.device)
        self.copies = self.on(COPIES, "copy", start, COPY + self.batch * IMAGE / ORDINARY)
        self.ready = self.host = self.on(HOST, "copy", self.host, self.copies - self.host)

    def from_workers(self, step: int) -> None:
        """The host takes a worker's batch, waits if there is none yet, and queues its copy; the first is there."""
        length = self.load * self.batch
        loaded = self.on(WORKERS, "load", (step / HANDS - 1) * length, length)    # one worker after the other
        if loaded > self.host:
            self.host = self.on(HOST, "load", self.host, loaded - self.host)
        self.host = self.on(HOST, "copy", self.host, self.launch)
        start = max(self.host, self.copies)
        self.ready = self.copies = self.on(COPIES, "copy", start, COPY + self.batch * IMAGE / PINNED)

    def from_device(self, step: int) -> None:
        """One kernel picks the batch."""
        self.launched("pick", 1, KERNEL)

    def launched(self, phase: str, count: int, work: float) -> None:
        """`count` launches, each a kernel; together they take `work` on the device."""
        began = self.host
        for _ in range(count):
            self.host += self.launch
            self.run(phase, work / count)
        self.bars.append(Bar(HOST, began, self.host, phase))

    def run(self, phase: str, length: float) -> None:
        """A kernel, as early as it can; one that follows the one before at once makes its bar longer."""
        start = max(self.host, self.device, self.ready)
        last = self.bars[-1] if self.bars else None
        if last and (last.row, last.kind, last.end) == (DEVICE, phase, start):
            start = self.bars.pop().start
            self.device = self.on(DEVICE, phase, start, last.end - start + length)
        else:
            self.device = self.on(DEVICE, phase, start, length)


def plan(
    data: str = "host", batch: int = 64, launches: int = 60, launch: float = 6, read: bool = True, graph: bool = False,
    load: float = 20, work: float = 2,
) -> Plan:
    """Lay out the steps of a training; times in µs.

    `data`: "host", "workers" (4) or "device". `launches`: kernels a step, a third forward, a sixth in the
    optimizer, the rest backward; `launch`: µs of the host for each. `read`: the host reads the loss after each step.
    `graph`: one launch for all. `load`: to load an image; `work`: of the device for an image, besides 2 a kernel.
    Raises ValueError for another name or a number that cannot be.
    """
    _refuse(data, batch, launches, launch, load, work)
    course, ends = _Course(batch, launch, load), []
    fetch = {"host": course.from_host, "workers": course.from_workers, "device": course.from_device}[data]
    for step in range(WARM + MEASURED):
        fetch(step)
        _step(course, launches, work * batch, graph)
        ends.append(course.device)
        if read:
            course.host = course.on(HOST, "read the loss", course.host, course.device + READ - course.host)
    return _steady(course.bars, ends)


def _refuse(data: str, batch: int, launches: int, launch: float, load: float, work: float) -> None:
    if data not in SOURCES:
        raise ValueError(f"data={data!r}: there are {', '.join(SOURCES)}")
    if batch < 1 or launches < 6 or launch <= 0 or load < 0 or work < 0:
        raise ValueError(f"batch={batch}, launches={launches}, launch={launch}, load={load}, work={work}: at least 1 "
                         "image and 6 launches, a launch above 0 µs, loading and work of at least 0 µs")  # fmt: skip


def _step(course: _Course, launches: int, work: float, graph: bool) -> None:
    """Forward a third of the batch's work, backward the rest; each kernel KERNEL µs besides."""
    forward, update = launches // 3, launches // 6
    phases = {"forward": (forward, work / 3), "backward": (launches - forward - update, work * 2 / 3),
              "optimizer": (update, 0.0)}  # fmt: skip
    if graph:
        course.host = course.on(HOST, "graph", course.host, GRAPH)
    for phase, (count, extra) in phases.items():
        length = count * KERNEL + extra
        course.run(phase, length) if graph else course.launched(phase, count, length)


def _steady(bars: list[Bar], ends: list[float]) -> Plan:
    """Look at the last MEASURED steps, from the end of one to the end of another."""
    began, ended = ends[WARM - 1], ends[-1]
    work, copies = (_spans(bars, row, began, ended) for row in (DEVICE, COPIES))
    gaps = _without([(began, ended)], work)
    uncopied = _without(gaps, copies)       # a device that idles beside a copy waits for it: it has done all the rest
    idle = Counter({LOOKS["copy"][2]: _length(gaps) - _length(uncopied)})
    for kind in {bar.kind for bar in bars if bar.row == HOST}:
        mine = _spans([bar for bar in bars if bar.kind == kind], HOST, began, ended)
        idle[LOOKS[kind][2]] += _length(uncopied) - _length(_without(uncopied, mine))
    causes = {why: time / MEASURED for why, time in idle.most_common() if time > 0.01}
    return Plan(tuple(bars), tuple(ends), (ended - began) / MEASURED, _length(work) / MEASURED, causes)


def _spans(bars: list[Bar], row: str, began: float, ended: float) -> list[tuple[float, float]]:
    """When a row is at work between two times."""
    times = ((max(bar.start, began), min(bar.end, ended)) for bar in bars if bar.row == row)
    return sorted((start, end) for start, end in times if end > start)


def _without(spans: list[tuple[float, float]], others: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return what is left of the spans outside the others; both sorted, neither overlapping itself."""
    left = []
    for start, end in spans:
        for other_start, other_end in others:
            if other_start < end and other_end > start:
                left.append((start, other_start))
                start = other_end
        left.append((start, end))
    return [(start, end) for start, end in left if end > start]


def _length(spans: list[tuple[float, float]]) -> float:
    return sum(end - start for start, end in spans)


# --- words and picture -------------------------------------------------------------------------------


def said(made: Plan, data: str, batch: int, launches: int, launch: float, read: bool, graph: bool, load: float,
         work: float) -> str:  # fmt: skip
    """Say how busy the device is, what limits, and what was assumed."""
    how = "one graph launch" if graph else f"{launches} launches of {launch:g} µs"
    start = (f"Batches of {batch:,} {SOURCES[data]}, {how} a step, loss {'' if read else 'not '}read: a step takes "
             f"{made.period:,.0f} µs ({batch / made.period * 1e6:,.0f} images a second), and the device works "
             f"{made.busy:,.0f} of them, {_share(made):.0%}. {_limit(made)}")  # fmt: skip
    loading = "" if data == "device" else f"{load:g} µs to load an image, "
    return (f"{start} Assumed: {loading}{work:g} µs of the device an image and {KERNEL:g} a kernel.")


def _share(made: Plan) -> float:
    return made.busy / made.period


def _limit(made: Plan) -> str:
    if _share(made) > 0.95:
        return "The limit is the device."
    facts = ", ".join(f"{time:,.0f} µs while {why}" for why, time in made.idle.items() if time >= 0.5)
    return f"The limit is {LIMITS[next(iter(made.idle))]}: the device idles {facts}."


def draw(
    data: str = "host", batch: int = 64, launches: int = 60, launch: float = 6, read: bool = True, graph: bool = False,
    load: float = 20, work: float = 2,
) -> tuple[Figure, str]:
    """Draw the first steps, a row for each of those who work; return the figure and the sentence."""
    made = plan(data, batch, launches, launch, read, graph, load, work)
    rows = [WORKERS, HOST, COPIES, DEVICE][data != "workers":]
    if data == "device":
        rows.remove(COPIES)
    fig, ax = picture.new(8.4, 1.5 + 0.55 * len(rows))
    _rows(ax, rows, [bar for bar in made.bars if bar.start < made.ends[SHOWN - 1]], made.ends[SHOWN - 1] / 350)
    for end in made.ends[:SHOWN]:
        ax.axvline(end, color=picture.COLORS["black"], linestyle=":", linewidth=1.2, zorder=0.9)
    ax.set(xlim=(0, made.ends[SHOWN - 1] * 1.03), xlabel=f"time (µs) of {SHOWN} steps; dotted: a step is done")
    fig.suptitle(f"in the long run {made.period:,.0f} µs a step, the device busy {_share(made):.0%}", x=0.02, ha="left",
                 fontsize=12)  # fmt: skip
    return fig, said(made, data, batch, launches, launch, read, graph, load, work)


def _rows(ax: Axes, rows: list[str], bars: list[Bar], shortest: float) -> None:
    """All bars of a kind in a row at once, for there are hundreds; the kinds that there are in the legend.

    A bar below `shortest` µs, two pixels, shows no hatch, and a hatch takes long to draw: it has none.
    """
    kinds = [kind for kind in LOOKS if any(bar.kind == kind for bar in bars)]
    for kind in kinds:
        color, hatch, _ = LOOKS[kind]
        look = {"facecolor": picture.COLORS[color], "hatch": hatch, "edgecolor": "white", "linewidth": 0}
        for height, row in enumerate(reversed(rows)):
            spans = [(bar.start, bar.end - bar.start) for bar in bars if (bar.row, bar.kind) == (row, kind)]
            for seen, shown in ((True, look), (False, look | {"hatch": ""})):
                ax.broken_barh([span for span in spans if (span[1] >= shortest) == seen], (height - 0.3, 0.6), **shown)
        ax.barh([0], [0], label=kind, **look)
    ax.set_yticks(range(len(rows)), rows[::-1])
    ax.set_ylim(-0.5, len(rows) - 0.5)
    ax.grid(axis="y", visible=False)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(kinds), fontsize=9, frameon=False)


def step_timeline(
    data: str = "host", batch: int = 64, launches: int = 60, launch: float = 6, read: bool = True, graph: bool = False,
    load: float = 20, work: float = 2,
) -> None:
    """Print how busy the device is and what it waits for, and show who works when; arguments as `plan`, in µs.

    >>> step_timeline(data="device", read=False, graph=True)   # doctest: +SKIP
    """
    explorer.show(draw, data=data, batch=batch, launches=launches, launch=launch, read=read, graph=graph, load=load,
                  work=work)  # fmt: skip


def explore() -> explorer.Explorer | None:
    """The same picture with a control for each choice."""
    return explorer.explorer(
        "step timeline",
        draw,
        data=explorer.choice("host", [(words, key) for key, words in SOURCES.items()], "the batches are"),
        batch=explorer.steps(64, [16, 32, 64, 128, 256, 512, 1024, 2048], "images in a batch"),
        launches=explorer.steps(60, [12, 30, 60, 120, 300], "launches a step"),
        launch=explorer.steps(6, [2, 4, 6, 10, 20], "one launch (µs)"),
        read=explorer.switch(True, "read the loss after each step"),
        graph=explorer.switch(False, "one CUDA graph for all launches"),
    )
