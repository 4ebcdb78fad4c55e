"""The tiling explorer: what a tiled matrix product moves, what its tiles take, and where it stands under the roofline.

C = A B for n x n float32 matrices, in C order. A block computes bm x bn results: step by step it brings bk columns of A
and bk rows of B into shared memory. A thread computes tm x tn of the results, in registers: for each k it reads tm
floats of A and tn of B from shared memory. With R = ceil(n / bm) rows of blocks, Q = ceil(n / bn) columns, and K = n
rounded up to a multiple of bk:

    global memory    a block (inside)  reads 4 n (bm + bn) bytes, writes 4 bm bn
                     all blocks        4 n^2 (Q + R + 1) bytes: A is read Q times, B R times, C is written once
    shared memory    all blocks        write 4 R Q K (bm + bn) bytes, read 4 R Q K (bm / tm) (bn / tn) (tm + tn)
                     a block takes     4 bk (bm + bn) bytes
    registers        a thread          tm tn sums, and tm + tn floats of A and B: at least that many

Global bytes are those of all blocks' requests, as if no cache helped, each read element once a block; beyond the edge
nothing is read. If n, bk and bn are multiples of 8 they fill whole sectors of 32 bytes, and then they are what
`profile` calls `worst_case_bytes`. Without tiles every thread reads a row and a column for itself: the first formula
with bm = bn = 1, 8 n^3 + 4 n^2 bytes. Shared bytes are counted for each thread.

Sources: CUDA C++ Programming Guide, "Shared Memory": "A is only read (B.width / block_size) times from global memory
and B is read (A.height / block_size) times". The rest is the same count one level further down.

The shared memory of a multiprocessor delivers 32 banks x 4 bytes a clock (the guide, "Compute Capability 5.x", "Shared
Memory"), while its `CORES` do 2 FLOP each; that is its own limit beside the roofline. It holds for loads of 4 bytes
without conflicts, where a request costs 128 bytes even if lanes share a word; in 128-bit loads sharing can save some.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gpucourse.errors import CourseError
from gpucourse.recorded import Published, published
from gpucourse.simt import occupancy as simt
from gpucourse.simt.metrics import BANKS, WORD
from gpucourse.viz import explorer, occupancy, picture, roofline, stamps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Device, as `gpucourse.simt.occupancy` calls it -> its published specification.
MACHINES = {
    "V100": "NVIDIA V100 SXM2 16 GB", "T4": "NVIDIA T4", "A100": "NVIDIA A100 SXM 40 GB",
    "RTX 4090": "NVIDIA GeForce RTX 4090", "L4": "NVIDIA L4", "H100": "NVIDIA H100 SXM 80 GB",
    "H200": "NVIDIA H200 SXM 141 GB",
}  # fmt: skip
#: Compute capability -> float32 multiply-adds of one multiprocessor a clock (the guide, "Arithmetic Instructions").
CORES = {"7.0": 64, "7.5": 64, "8.0": 64, "8.6": 128, "8.9": 128, "9.0": 128}


@dataclass(frozen=True)
class Tiles:
    """A tiled product of n x n matrices: tiles of a block (bm x bn, bk deep) and of a thread (tm x tn)."""

    n: int
    bm: int
    bn: int
    bk: int
    tm: int
    tn: int

    @property
    def flops(self) -> int:
        """Multiplications and additions of the product."""
        return 2 * self.n**3

    @cached_property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of blocks."""
        return _up(self.n, self.bm), _up(self.n, self.bn)

    @property
    def blocks(self) -> int:
        """Blocks of the launch."""
        return self.grid[0] * self.grid[1]

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return (self.bm // self.tm) * (self.bn // self.tn)

    @property
    def block_reads(self) -> int:
        """Bytes of A and B that a block inside the matrix reads from global memory."""
        return WORD * self.n * (min(self.bm, self.n) + min(self.bn, self.n))

    @property
    def block_writes(self) -> int:
        """Bytes of C that it writes."""
        return WORD * min(self.bm, self.n) * min(self.bn, self.n)

    @property
    def global_bytes(self) -> int:
        """Bytes that all blocks read from and write to global memory."""
        return WORD * self.n**2 * (sum(self.grid) + 1)

    @property
    def shared_written(self) -> int:
        """Bytes that all threads write to shared memory."""
        return WORD * self._steps * (self.bm + self.bn)

    @property
    def shared_read(self) -> int:
        """Bytes that all threads read from shared memory, counted for each thread."""
        return WORD * self._steps * self.threads * (self.tm + self.tn)

    @property
    def _steps(self) -> int:
        """Values of k, summed over all blocks."""
        return self.blocks * _up(self.n, self.bk) * self.bk

    @property
    def intensity(self) -> float:
        """FLOP for each byte of global memory."""
        return self.flops / self.global_bytes

    @property
    def shared_intensity(self) -> float:
        """FLOP for each byte of shared memory."""
        return self.flops / (self.shared_written + self.shared_read)

    @property
    def shared_bytes(self) -> int:
        """Bytes of shared memory that a block takes."""
        return WORD * self.bk * (self.bm + self.bn)

    @property
    def sums(self) -> int:
        """Registers of a thread that hold its results."""
        return self.tm * self.tn

    @property
    def registers(self) -> int:
        """Registers that a thread needs at least: its sums, and the floats of A and B for one k."""
        return self.sums + self.tm + self.tn


def tiles(n: int = 4096, bm: int = 128, bn: int = 128, bk: int = 8, tm: int = 8, tn: int = 8) -> Tiles:
    """Return the tiled product; ValueError for a number below 1 and for a block that its threads do not fill."""
    made = Tiles(n, bm, bn, bk, tm, tn)
    for name, number in vars(made).items():
        if number < 1:
            raise ValueError(f"{name}={number}: give 1 or more")
    for block, thread in (("bm", "tm"), ("bn", "tn")):
        whole, part = getattr(made, block), getattr(made, thread)
        if whole % part:
            raise ValueError(f"{thread}={part} does not divide {block}={whole}: the threads would not fill the block")
    return made


def untiled(n: int) -> Tiles:
    """Return the product without tiles: every thread reads a row of A and a column of B for itself."""
    return Tiles(n, 1, 1, 1, 1, 1)


def machine(device: str) -> Published:
    """Return the published specification of a device of `MACHINES`; CourseError names those there are."""
    name, _, _ = simt.limits_of(device)
    if name not in MACHINES:
        raise CourseError(f"no published figures for the device {device!r}; there are for {', '.join(MACHINES)}")
    return published(MACHINES[name])


def roof(device: str) -> tuple[float, float]:
    """Return the published float32 peak in GFLOP/s and the bandwidth in GB/s."""
    found = machine(device)
    return found.peak_float32 / 1e9, found.bandwidth / 1e9


def shared_ceiling(made: Tiles, device: str) -> float:
    """Return the GFLOP/s that shared memory allows, with loads of 4 bytes and no conflicts; at most the peak."""
    cores = CORES[simt.limits_of(device)[1]]
    fed = made.shared_intensity * BANKS * WORD / (2 * cores)   # FLOP that a clock's bytes feed / FLOP of a clock
    return roof(device)[0] * min(1, fed)


def impossible(made: Tiles, device: str) -> str:
    """Return why no block of these tiles can run on the device; empty if nothing forbids it."""
    return occupancy.why_none(simt.occupancy(device, made.threads, made.registers, made.shared_bytes))


# --- words -------------------------------------------------------------------------------------------


def sentence(
    n: int = 4096, bm: int = 128, bn: int = 128, bk: int = 8, tm: int = 8, tn: int = 8, device: str = "A100"
) -> str:
    """Say what the tiles move and take, and what the device allows, in words."""
    made = tiles(n, bm, bn, bk, tm, tn)
    machine(device)
    start = f"n = {n:,}, {_shape(made)}"
    reasons = impossible(made, device)
    if reasons:
        return f"{start}: this cannot run on the {device}: {reasons}."
    launch = f"{_many(made.blocks, 'block')} of {_many(made.threads, 'thread')}"
    return f"{start}: {launch}. {_global(made)} {_shared(made)} {_taken(made)} {_allowed(made, device)}"


def _shape(made: Tiles) -> str:
    return f"{made.bm} x {made.bn} results a block in steps of {made.bk}, {made.tm} x {made.tn} results a thread"


def _global(made: Tiles) -> str:
    return (f"Global memory: a block reads {made.block_reads:,} bytes and writes {made.block_writes:,}; all move "
            f"{made.global_bytes:,}, {made.intensity:.3g} FLOP a byte; without tiles "
            f"{untiled(made.n).global_bytes:,}, {untiled(made.n).intensity:.3g} FLOP a byte.")  # fmt: skip


def _shared(made: Tiles) -> str:
    return (f"Shared memory: all threads write {made.shared_written:,} bytes and read {made.shared_read:,}, "
            f"{made.shared_intensity:.3g} FLOP a byte.")  # fmt: skip


def _taken(made: Tiles) -> str:
    return (f"A block takes {made.shared_bytes:,} bytes of shared memory, a thread at least {made.registers} "
            f"registers, {made.sums} of them for its {'result' if made.sums == 1 else 'results'}.")  # fmt: skip


def _allowed(made: Tiles, device: str) -> str:
    most, without = (roofline.rate(reached(part, device)) for part in (made, untiled(made.n)))
    shared = roofline.rate(shared_ceiling(made, device))
    return (f"On the {machine(device).label}, if no cache helps: at most {most}, {limit(made, device)} is the limit; "
            f"without tiles {without}. Shared memory, loaded by 4 bytes, allows {shared}.")  # fmt: skip


def reached(made: Tiles, device: str) -> float:
    """Return the GFLOP/s that the roofline allows if no cache helps."""
    return roofline.attainable(made.intensity, *roof(device))


def limit(made: Tiles, device: str) -> str:
    """Return which side of the roof limits: "memory" or "arithmetic"."""
    peak, bandwidth = roof(device)
    return "memory" if made.intensity * bandwidth < peak else "arithmetic"


def _up(number: int, unit: int) -> int:
    return -(-number // unit)


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


# --- the three ways to see it ------------------------------------------------------------------------


def draw(
    n: int = 4096, bm: int = 128, bn: int = 128, bk: int = 8, tm: int = 8, tn: int = 8, device: str = "A100"
) -> tuple[Figure, str]:
    """Draw the matrices, a block's tile and the roofline; return the figure and a sentence."""
    made = tiles(n, bm, bn, bk, tm, tn)
    words = sentence(n, bm, bn, bk, tm, tn, device)
    fig, ax = picture.page(*_PAGE)
    ax.text(0.15, 0.22, _title(made, device), fontsize=12, va="center")
    _matrices(ax, made)
    _zoom(ax, made)
    _roofline(fig, made, device)
    _takes(ax, made, device)
    return fig, words


def tiling(
    n: int = 4096, bm: int = 128, bn: int = 128, bk: int = 8, tm: int = 8, tn: int = 8, device: str = "A100"
) -> None:
    """Print the sentence and show the picture for one choice of tiles.

    The matrices are n x n; a block computes bm x bn results in steps of bk, a thread tm x tn; `device` is one of
    `MACHINES`. ValueError, or CourseError for an unknown device, for what cannot be; a choice that a device cannot run
    is shown, and said so.

    >>> tiling(n=1024, bm=32, bn=32, bk=32, tm=1, tn=1, device="T4")  # doctest: +SKIP
    """
    explorer.show(draw, n=n, bm=bm, bn=bn, bk=bk, tm=tm, tn=tn, device=device)


SIZES = (256, 512, 1000, 1024, 2048, 4096, 8192)
BLOCKS, STEPS, THREADS = (16, 32, 64, 128, 256), (8, 16, 32), (1, 2, 4, 8, 16)


def explore(
    n: int = 4096, bm: int = 128, bn: int = 128, bk: int = 8, tm: int = 8, tn: int = 8, device: str = "A100"
) -> explorer.Explorer | None:
    """The same picture with a control for each number; the arguments say where the controls stand at first."""
    return explorer.explorer(
        "tiling",
        draw,
        n=explorer.steps(n, SIZES, "n (matrices are n x n)"),
        bm=explorer.steps(bm, BLOCKS, "bm: rows a block"),
        bn=explorer.steps(bn, BLOCKS, "bn: columns a block"),
        bk=explorer.steps(bk, STEPS, "bk: depth of a step"),
        tm=explorer.steps(tm, THREADS, "tm: rows a thread"),
        tn=explorer.steps(tn, THREADS, "tn: columns a thread"),
        device=explorer.choice(device, tuple(MACHINES), "device"),
    )


# --- the picture: matrices and tile ------------------------------------------------------------------

_PAGE = (8.6, 5.75)  # inches
_SIDE, _GAP = 1.12, 0.14  # of a matrix, and between matrices
_CORNER = (0.42, 0.78)  # left and top of the matrices: B above C, A left of C
_ZOOM = (0.42, 3.78)  # left and top of the block's tile
_ROOM = 1.78  # its largest width and height
_WORDS = 2.42  # left of the words beside it
_RING = 0.05  # inches of a tile that is so small that a ring shows where it is
_FINEST = 0.035  # inches of a cell whose grid is still drawn

Look = dict[str, Any]
Box = tuple[float, float, float, float]  # left, top, width, height
_MATRIX: Look = {"facecolor": "white", "edgecolor": "#909090", "linewidth": 0.9, "zorder": 1}
_PANEL: Look = {"facecolor": "#CDE6F7", "edgecolor": picture.COLORS["sky"], "linewidth": 0.8, "zorder": 2}
_STEP: Look = {"facecolor": picture.COLORS["sky"], "edgecolor": picture.COLORS["blue"], "linewidth": 0.8, "zorder": 3}
_TILE: Look = {"facecolor": picture.COLORS["orange"], "edgecolor": picture.COLORS["red"], "linewidth": 0.8, "zorder": 3}
_PALE: Look = {"facecolor": "#FBE3B5", "edgecolor": picture.COLORS["red"], "linewidth": 0.9, "zorder": 2}
_MINE: Look = {"facecolor": "none", "edgecolor": "black", "hatch": "//////", "linewidth": 1.3, "zorder": 5}
_SMALL: Look = {"fontsize": 8.5, "va": "center"}


def _title(made: Tiles, device: str) -> str:
    tiles_ = f"{made.bm} x {made.bn} x {made.bk} a block, {made.tm} x {made.tn} a thread"
    if impossible(made, device):
        return f"{tiles_}:  cannot run on the {device}"
    return f"{tiles_}:  {made.intensity:.3g} FLOP a byte"


def _grid(ax: Axes, box: Box, down: float, across: float, **look: Any) -> None:
    """Lines every `down` and `across` inches, where they are not too close to be told apart."""
    from matplotlib.collections import LineCollection

    left, top, width, height = box
    lines = []
    if across >= _FINEST:
        lines += [[(x, top), (x, top + height)] for x in _between(left, width, across)]
    if down >= _FINEST:
        lines += [[(left, y), (left + width, y)] for y in _between(top, height, down)]
    ax.add_collection(LineCollection(lines, linewidths=0.6, **look))


def _between(start: float, length: float, step: float) -> Iterator[float]:
    """The places inside, every `step`."""
    count = round(length / step + 0.499)
    return (start + number * step for number in range(1, count) if number * step < length - 1e-9)


def _matrices(ax: Axes, made: Tiles) -> None:
    """A, B and C to scale: the rows and columns that one block reads, the step it is at, its tile of C."""
    left, top = _CORNER
    inch = _SIDE / made.n
    down, right = top + _SIDE + _GAP, left + _SIDE + _GAP
    row, column = made.grid[0] // 3 * made.bm, made.grid[1] // 2 * made.bn
    step = _up(made.n, made.bk) // 4 * made.bk
    high, wide, deep = (min(size, made.n - first) * inch
                        for first, size in ((row, made.bm), (column, made.bn), (step, made.bk)))  # fmt: skip
    x, y, z = right + column * inch, down + row * inch, step * inch
    for place in ((left, down), (right, top), (right, down)):
        stamps.box(ax, *place, _SIDE, _SIDE, **_MATRIX)
    stamps.box(ax, left, y, _SIDE, high, **_PANEL)
    stamps.box(ax, x, top, wide, _SIDE, **_PANEL)
    stamps.box(ax, left + z, y, deep, high, **_STEP)
    stamps.box(ax, x, top + z, wide, deep, **_STEP)
    _grid(ax, (right, down, _SIDE, _SIDE), made.bm * inch, made.bn * inch, colors="#D0D0D0", zorder=2)
    stamps.box(ax, x, y, wide, high, **_TILE)
    if max(wide, high) < _RING:
        ax.plot([x + wide / 2], [y + high / 2], "o", markersize=11, markerfacecolor="none", color=_TILE["edgecolor"])
    _matrix_words(ax, made, left, top)


def _matrix_words(ax: Axes, made: Tiles, left: float, top: float) -> None:
    end = left + 2 * _SIDE + _GAP
    middle, low = top + _SIDE / 2, top + _SIDE * 1.5 + _GAP
    ax.text(left - 0.07, low, "A", fontsize=12, ha="right", va="center", weight="bold")
    ax.text(end + 0.07, middle, "B", fontsize=12, va="center", weight="bold")
    ax.text(end + 0.07, low, "C", fontsize=12, va="center", weight="bold")
    ax.text(0.15, 0.56, f"One block of {made.blocks:,}, to scale (n = {made.n:,})", fontsize=9.5, va="center")
    ax.text(end + 0.26, low, f"the block's\n{made.bm} x {made.bn}\nof C", linespacing=1.35, **_SMALL)
    ax.text(end + 0.26, middle, f"it reads {min(made.bn, made.n)}\ncolumns of B", linespacing=1.35, **_SMALL)
    ax.text(left, middle + 0.12, f"it reads\n{min(made.bm, made.n)} rows of A,\n{made.bk} columns\na step (dark)",
            linespacing=1.35, **_SMALL)  # fmt: skip


def _zoom(ax: Axes, made: Tiles) -> None:
    """A step of A, a step of B and the block's tile, to one scale; hatched what one thread takes of each.

    A thread's rows and columns lie side by side here. In a kernel they may lie apart, which changes no count.
    """
    left, top = _ZOOM
    inch = (_ROOM - _GAP / 2) / (made.bk + max(made.bm, made.bn))
    x, y = (start + made.bk * inch + _GAP / 2 for start in (left, top))
    wide, high, deep = made.bn * inch, made.bm * inch, made.bk * inch
    down, across = made.tm * inch, made.tn * inch
    mine = x + made.bn // made.tn // 2 * across, y + made.bm // made.tm // 3 * down
    for box in ((left, y, deep, high), (x, top, wide, deep)):
        stamps.box(ax, *box, **_STEP)
    stamps.box(ax, x, y, wide, high, **_PALE)
    _grid(ax, (x, y, wide, high), down, across, colors="#C08040", zorder=3)
    stamps.box(ax, left, mine[1], deep, down, **_MINE)
    stamps.box(ax, mine[0], top, across, deep, **_MINE)
    stamps.box(ax, *mine, across, down, **_MINE | _TILE | {"edgecolor": "black", "zorder": 5})
    _zoom_words(ax, made)


def _zoom_words(ax: Axes, made: Tiles) -> None:
    _, top = _ZOOM
    ax.text(0.15, top - 0.2, "One step of the block, one thread hatched", fontsize=9.5, va="center")
    lines = (f"{_many(made.threads, 'thread')} a block", f"{made.sums} of {made.bm * made.bn:,} results each",
             f"{made.tm} + {made.tn} floats from", f"shared memory for {made.sums}",
             f"multiply-add{'' if made.sums == 1 else 's'}")  # fmt: skip
    for number, line in enumerate(lines):
        ax.text(_WORDS, top + 0.42 + 0.19 * number, line, **_SMALL)


# --- the picture: roofline and what it takes ---------------------------------------------------------

_AXES = (5.1, 2.38, 3.35, 2.55)  # left, bottom, width, height
_TABLE = (4.42, 4.0)  # left and top
_SPAN = (0.1, 200.0)  # FLOP a byte
_FAR = 5.5  # FLOP a byte, where a name begins at the latest
_NAME: Look = {
    "fontsize": 9, "zorder": 7, "bbox": {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
}  # fmt: skip


def _roofline(fig: Figure, made: Tiles, device: str) -> None:
    left, bottom, width, height = _AXES
    with picture.style():
        ax = fig.add_axes((left / _PAGE[0], bottom / _PAGE[1], width / _PAGE[0], height / _PAGE[1]))
    peak, bandwidth = roof(device)
    roofline.roof_line(ax, machine(device).label, (peak, bandwidth), picture.COLORS["blue"])
    roofline.point(ax, "without tiles", untiled(made.n).intensity, reached(untiled(made.n), device))
    if not impossible(made, device):
        _points(ax, made, device)
    roofline.axes(ax, "")
    ax.set(xlim=_SPAN, ylim=(_SPAN[0] * bandwidth / 2, peak * 3))
    ax.set_title(f"At most, if no cache helps\n({machine(device).label})", loc="left", fontsize=9.5)
    ax.tick_params(labelsize=9)
    ax.xaxis.label.set_fontsize(9.5)


def _points(ax: Axes, made: Tiles, device: str) -> None:
    """The point under the roof, its name above; where shared memory allows less, a triangle below it."""
    x, y, shared = made.intensity, reached(made, device), shared_ceiling(made, device)
    ax.axvline(x, color=picture.COLORS["grey"], linestyle=":", linewidth=1.5)
    ax.plot([x], [y], "o", color="black", markersize=9, zorder=6)
    ax.annotate("these tiles", (x, y), (-7, 7), textcoords="offset points", ha="right", **_NAME)
    if shared < y:
        ax.plot([x], [shared], "v", color=picture.COLORS["red"], markersize=9, zorder=6)
        ax.annotate("shared memory's limit", (min(x, _FAR), shared), (8, -5), textcoords="offset points", va="top",
                    **_NAME)  # fmt: skip


def _takes(ax: Axes, made: Tiles, device: str) -> None:
    """What the choice takes of the device's limits, a line each: "256 of 1,024", or in bold "2,048 over 1,024"."""
    left, top = _TABLE
    limits = simt.limits_of(device)[2]
    rows = (
        ("threads a block", made.threads, limits.threads_per_block),
        ("bytes of shared memory a block", made.shared_bytes, limits.shared_per_block),
        ("registers a thread, at least", made.registers, simt.MOST_REGISTERS_PER_THREAD),
        ("registers a block, at least", _of_block(made, limits), limits.registers),
    )
    for number, (name, taken, most) in enumerate(rows):
        _row(ax, (left, top + 0.21 * number), name, (taken, most))
    for number, line in enumerate(_traffic(made)):
        ax.text(left, top + 0.21 * (len(rows) + 0.35 + number), line, **_SMALL)


def _row(ax: Axes, place: tuple[float, float], name: str, amounts: tuple[int, int]) -> None:
    taken, most = amounts
    look = _SMALL | {"weight": "bold" if taken > most else "normal"}
    ax.text(*place, name, **look)
    ax.text(place[0] + 2.95, place[1], f"{taken:,}", ha="right", **look)
    ax.text(place[0] + 3.0, place[1], f"over {most:,}" if taken > most else f"of {most:,}", **look)


def _of_block(made: Tiles, limits: simt.Limits) -> int:
    """Registers that a block takes, in whole warps."""
    return _up(made.threads, 32) * limits.registers_of_a_warp(made.registers)


def _traffic(made: Tiles) -> tuple[str, ...]:
    shared = made.shared_written + made.shared_read
    return (
        f"global memory: {_size(made.block_reads)} read, {_size(made.block_writes)} written a block",
        f"all blocks: {_size(made.global_bytes)}, without tiles {_size(untiled(made.n).global_bytes)}",
        f"shared memory, all blocks: {_size(shared)}, {made.shared_intensity:.3g} FLOP a byte",
    )


def _size(number: int) -> str:
    """A number of bytes in a unit that fits, as "4.19 MB"."""
    unit, name = next((unit, name) for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "bytes"))
                      if number >= unit)  # fmt: skip
    return f"{number / unit:.3g} {name}" if number < 999.5 * unit else f"{number / unit:.0f} {name}"
