"""The pipeline explorer: copies and kernels of several chunks, in one stream or in several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpucourse.viz import explorer, picture
from gpucourse.viz.schedule import Bar, draw_schedule

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENGINES = ("copy in", "kernel", "copy out")


def schedule(chunks: int, streams: int, copy: float, kernel: float, back: float) -> list[Bar]:
    """Lay out `chunks` equal parts, dealt to `streams` in turn; `copy`, `kernel`, `back`: ms for all parts.

    A stream does its work in order. An engine (one for copies in, one for kernels, one for copies out)
    does one thing at a time, in the order in which the work was queued.
    """
    lengths = dict(zip(ENGINES, (copy / chunks, kernel / chunks, back / chunks), strict=True))
    engine_free = dict.fromkeys(ENGINES, 0.0)
    stream_free = [0.0] * streams
    bars = []
    for chunk in range(chunks):
        mine = chunk % streams
        for engine in ENGINES:
            start = max(engine_free[engine], stream_free[mine])
            end = start + lengths[engine]
            engine_free[engine] = stream_free[mine] = end
            bars.append(Bar(engine, start, end, engine, str(chunk + 1)))
    return bars


def draw(
    chunks: int = 4, streams: int = 3, copy: float = 12, kernel: float = 10, back: float = 8
) -> tuple[Figure, str]:
    """Draw the three engines and say how long it all takes."""
    bars = schedule(chunks, streams, copy, kernel, back)
    fig, ax = picture.new(7.6, 2.9)
    draw_schedule(ax, ENGINES, bars, "ms")
    serial = copy + kernel + back
    ax.axvline(serial, color=picture.COLORS["black"], linestyle=":", linewidth=1.2)
    ax.text(serial * 0.99, 0.5, "all in\none stream", ha="right", va="center", fontsize=9)
    ax.set_xlim(0, serial * 1.02)
    return fig, _sentence(bars, chunks, streams, copy, kernel, back)


def _sentence(bars: list[Bar], chunks: int, streams: int, copy: float, kernel: float, back: float) -> str:
    total, serial = max(bar.end for bar in bars), copy + kernel + back
    longest = max(copy, kernel, back)
    return (
        f"{chunks} chunk{'s' * (chunks != 1)} in {streams} stream{'s' * (streams != 1)}: {total:.1f} ms "
        f"instead of {serial:.1f} ms one after the other; no number of streams goes below {longest:.1f} ms, "
        "the longest of the three stages."
    )


def pipeline(
    chunks: int = 4, streams: int = 3, copy: float = 12, kernel: float = 10, back: float = 8
) -> None:
    """Print how long the chunks take and show who works when; `copy`, `kernel`, `back`: ms for all chunks.

    >>> pipeline(chunks=4, streams=1)   # doctest: +SKIP
    """
    explorer.show(draw, chunks=chunks, streams=streams, copy=copy, kernel=kernel, back=back)


def explore() -> explorer.Explorer | None:
    """The pipeline with sliders."""
    return explorer.explorer(
        "pipeline",
        draw,
        chunks=explorer.steps(4, [1, 2, 4, 8, 16], "chunks"),
        streams=explorer.slider(3, 1, 4, 1, "streams"),
        copy=explorer.slider(12.0, 1.0, 20.0, 1.0, "copy in, all (ms)", ".0f"),
        kernel=explorer.slider(10.0, 1.0, 20.0, 1.0, "kernels, all (ms)", ".0f"),
        back=explorer.slider(8.0, 1.0, 20.0, 1.0, "copy out, all (ms)", ".0f"),
    )
