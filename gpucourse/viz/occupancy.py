"""The occupancy explorer: how many blocks fit into one multiprocessor, and which resource decides.

All counts come from `gpucourse.simt.occupancy`, whose docstring has the formulas and their sources.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gpucourse.simt import occupancy as simt
from gpucourse.simt.registers import WARP
from gpucourse.viz import explorer, picture, stamps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KB = 1024
_NAMES = {"blocks": "block slots"}  # what simt calls a resource -> a clearer word beside numbers of blocks


@dataclass(frozen=True)
class Bar:
    """One resource of a multiprocessor, in `unit`: what the blocks use, what is reserved on top, what there is.

    Reserved is what rounding up to whole units adds, and the shared memory that the driver keeps of each block. `used`
    and `reserved` are for `blocks` blocks; `allows` is how many blocks it would hold (None: any number). Where
    not even one block fits, they are for that one, and may exceed `capacity`.
    """

    name: str
    unit: str
    blocks: int
    used: int
    reserved: int
    capacity: int
    allows: int | None
    binds: bool

    @property
    def free(self) -> int:
        """What is left, or negative: what is missing."""
        return self.capacity - self.used - self.reserved


def bars(found: simt.Occupancy) -> tuple[Bar, ...]:
    """Return the four resources, in the order of `found.limits`."""
    limits = simt.LIMITS[found.compute_capability]
    blocks = max(found.blocks_per_sm, 1)   # where none fits: what one would take
    warps = _warps(found)
    amounts = {   # unit, what a block uses, what it takes, what a multiprocessor has
        "warps": ("threads", found.threads, warps * WARP, limits.warps * WARP),
        "blocks": ("blocks", 1, 1, limits.blocks),
        "registers": ("registers", found.threads * found.registers,
                      warps * limits.registers_of_a_warp(found.registers), limits.registers),
        "shared memory": ("bytes", found.shared_bytes, limits.shared_of_a_block(found.shared_bytes), limits.shared),
    }  # fmt: skip
    return tuple(
        Bar(_NAMES.get(name, name), unit, blocks, blocks * used, blocks * (taken - used), most, found.limits[name],
            name in found.bound_by)
        for name, (unit, used, taken, most) in amounts.items()
    )  # fmt: skip


def count(registers: int = 64, shared: int = 0, threads: int = 256, device: str = "A100") -> simt.Occupancy:
    """Return what fits: `registers` a thread, `shared` bytes a block, `threads` a block; ValueError below 1, 0, 1."""
    for name, number, low in (("registers", registers, 1), ("shared", shared, 0), ("threads", threads, 1)):
        if number < low:
            raise ValueError(f"{name}={number}: give {low} or more")
    return simt.occupancy(device, threads, registers, shared)


# --- words -------------------------------------------------------------------------------------------


def sentence(
    registers: int = 64, shared: int = 0, threads: int = 256, device: str = "A100", along: str = "registers"
) -> str:
    """Say what fits and what decides, in words; `along` changes the picture only."""
    _check(along)
    found = count(registers, shared, threads, device)
    block = (f"{found.device}, blocks of {_many(threads, 'thread')} with {_many(registers, 'register')} each and "
             f"{_many(shared, 'byte')} of shared memory")  # fmt: skip
    if not found.blocks_per_sm:
        return f"{block}: no block fits, so the launch fails: {why_none(found)}."
    return f"{block}: {fits(found)}, bound by {_bound_by(found)}. {_resources(found)}{_asks(found)}"


def fits(found: simt.Occupancy) -> str:
    """Return what fits, as "4 blocks fit into a multiprocessor, 32 of its 64 warps (50%)"."""
    verb = "fits" if found.blocks_per_sm == 1 else "fit"
    return f"{_many(found.blocks_per_sm, 'block')} {verb} into a multiprocessor, {_share(found)}"


def why_none(found: simt.Occupancy) -> str:
    """Return which limits one block exceeds, with the numbers; empty where a block fits."""
    limits = simt.LIMITS[found.compute_capability]
    most = simt.MOST_REGISTERS_PER_THREAD
    reasons = (
        (found.threads > limits.threads_per_block,
         f"a block may have {limits.threads_per_block:,} threads, and this one has {found.threads:,}"),
        (found.registers > most, f"a thread may have {most} registers, and these have {found.registers:,}"),
        (_too_many_registers(found, limits), _registers_needed(found, limits)),
        (found.limits["shared memory"] == 0,
         f"a block may have {limits.shared_per_block:,} bytes of shared memory, and this one asks for "
         f"{found.shared_bytes:,}"),
    )  # fmt: skip
    return "; ".join(text for exceeded, text in reasons if exceeded)


def _too_many_registers(found: simt.Occupancy, limits: simt.Limits) -> bool:
    """Whether a block that is small enough, of threads that each have few enough, still needs too many."""
    possible = found.threads <= limits.threads_per_block and found.registers <= simt.MOST_REGISTERS_PER_THREAD
    return possible and found.limits["registers"] == 0


def _registers_needed(found: simt.Occupancy, limits: simt.Limits) -> str:
    taken = limits.registers_of_a_warp(found.registers)
    room = limits.warps_by_registers(found.registers)
    return (f"a warp of these threads takes {taken:,} registers, so the {limits.registers:,} registers, in "
            f"{simt.PARTITIONS} equal parts, hold {room} warps, and the block has {_warps(found)}")  # fmt: skip


def _resources(found: simt.Occupancy) -> str:
    """The four resources: how many blocks each allows; used, reserved and free."""
    made = bars(found)
    allowed = ", ".join(f"{bar.name} {_number(bar.allows)}" for bar in made)
    amounts = "; ".join(f"{bar.unit} {bar.used:,} + {bar.reserved:,} + {bar.free:,}" for bar in made)
    return f"Blocks that each resource allows: {allowed}. Used + reserved (rounding up, driver) + free: {amounts}."


def _asks(found: simt.Occupancy) -> str:
    most = simt.DEFAULT_SHARED_PER_BLOCK
    if found.shared_bytes <= most:
        return ""
    return f" More than {most:,} bytes a block need the kernel's max_dynamic_shared_size_bytes."


def _share(found: simt.Occupancy) -> str:
    return f"{found.warps_per_sm} of its {found.most_warps} warps ({_percent(found.percent)})"


def _percent(number: float) -> str:
    return f"{number:.3g}%"


def _bound_by(found: simt.Occupancy) -> str:
    names = [_NAMES.get(name, name) for name in found.bound_by]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _number(blocks: int | None) -> str:
    return "any number" if blocks is None else str(blocks)


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _warps(found: simt.Occupancy) -> int:
    return -(-found.threads // WARP)


# --- the three ways to see it ------------------------------------------------------------------------


def draw(
    registers: int = 64, shared: int = 0, threads: int = 256, device: str = "A100", along: str = "registers"
) -> tuple[Figure, str]:
    """Draw the slots for warps, the four resources and the occupancy along one choice; return figure and sentence."""
    _check(along)
    found = count(registers, shared, threads, device)
    fig, ax = picture.page(*_PAGE)
    stamps.word(ax, 0.15, 0.25, _title(found), fontsize=12, va="center")
    _slots(ax, found)
    _bars(ax, found)
    _curve(fig, found, along)
    return fig, sentence(registers, shared, threads, device, along)


def occupancy(
    registers: int = 64, shared: int = 0, threads: int = 256, device: str = "A100", along: str = "registers"
) -> None:
    """Print the sentence and show the picture for one kernel on one device.

    `registers` are a thread's, `shared` the bytes of a block, `threads` a block's; `along` is what the curve changes:
    "registers", "shared" or "threads". ValueError, or CourseError for an unknown device, for what cannot be.

    >>> occupancy(registers=64, threads=256, device="T4")  # doctest: +SKIP
    """
    explorer.show(draw, registers=registers, shared=shared, threads=threads, device=device, along=along)


#: Kilobytes to choose from: fine where tiles are small; 99, 163 and 227 are what a block of a device may have.
SIZES = sorted({*range(16), *range(16, 232, 4), 99, 163, 227})


def explore() -> explorer.Explorer | None:
    """The same picture with a control for each number."""
    sizes = [(f"{size} KB", size * KB) for size in SIZES]
    return explorer.explorer(
        "occupancy",
        draw,
        registers=explorer.slider(64, 16, simt.MOST_REGISTERS_PER_THREAD, 1, "registers a thread"),
        shared=explorer.steps(0, sizes, "shared memory a block"),
        threads=explorer.slider(256, 16, 1024, 16, "threads a block"),
        device=explorer.choice("A100", tuple(simt.DEVICES), "device"),
        along=explorer.choice("registers", tuple((curve.label, name) for name, curve in CURVES.items()), "curve over"),
    )


def _check(along: str) -> None:
    if along not in CURVES:
        raise ValueError(f"along={along!r}: the curve runs along one of {', '.join(CURVES)}")


# --- the picture -------------------------------------------------------------------------------------

_PAGE = (8.2, 6.05)  # inches
_SLOTS = (0.15, 0.92, 2.64, 2.3)  # left, top, width, height of all slots
_ACROSS = 8  # slots in a row
_BARS = (3.1, 0.76, 4.95)  # left, top, width
_EACH, _HIGH = 0.69, 0.2  # from bar to bar, and of a bar
_DIGITS = 0.16  # inches that the number of a block takes
_AXES = (0.72, 0.5, 7.3, 1.5)  # left, bottom, width, height of the curve

Look = dict[str, Any]
_USED: Look = {"facecolor": picture.COLORS["sky"], "edgecolor": "white", "linewidth": 0.8, "zorder": 2}
_OTHER: Look = _USED | {"facecolor": "#A9D5F2"}
_RESERVED: Look = {
    "facecolor": "#FBE3B5", "edgecolor": picture.COLORS["orange"], "hatch": "/////", "linewidth": 0, "zorder": 3,
}  # fmt: skip
_FREE: Look = {"facecolor": "white", "edgecolor": "#B0B0B0", "linewidth": 0.8, "zorder": 1}
_RIM: Look = {"facecolor": "none", "edgecolor": "black", "linewidth": 2.2, "zorder": 5}
_SMALL: Look = {"fontsize": 8.5, "va": "center"}


def _title(found: simt.Occupancy) -> str:
    block = f"{found.device}, {_many(found.threads, 'thread')} a block"
    if not found.blocks_per_sm:
        return f"{block}:  no block fits, the launch fails"
    return f"{block}:  {_many(found.blocks_per_sm, 'block')}, {_share(found)}"


def _slots(ax: Axes, found: simt.Occupancy) -> None:
    """The slots for warps, row by row; each holds the number of its block, lanes without a thread are hatched."""
    left, top, width, height = _SLOTS
    across, down = width / _ACROSS, height / (found.most_warps // _ACROSS)
    stamps.word(ax, left, 0.6, f"One multiprocessor: {found.most_warps} slots for warps", fontsize=9.5, va="center")
    stamps.word(ax, left, 0.78, "number: the block that has the slot", **_SMALL)
    if found.blocks_per_sm and found.threads % WARP:
        stamps.word(ax, left, top + height + 0.16, "hatched: lanes without a thread", **_SMALL)
    for slot in range(found.most_warps):
        row, column = divmod(slot, _ACROSS)
        place = (left + column * across, top + row * down, across, down)
        if slot < found.warps_per_sm:
            _warp(ax, place, *divmod(slot, _warps(found)), found)
        else:
            stamps.box(ax, *place, **_FREE)


def _warp(ax: Axes, place: tuple[float, float, float, float], block: int, warp: int, found: simt.Occupancy) -> None:
    left, top, across, down = place
    threads = min(WARP, found.threads - warp * WARP)
    part = across * threads / WARP
    stamps.box(ax, left, top, part, down, **(_OTHER if block % 2 else _USED))
    if threads < WARP:
        stamps.box(ax, left + part, top, across - part, down, **_RESERVED)
    room, ground = (across, {"facecolor": "white", "edgecolor": "none", "pad": 0.8}) if part < _DIGITS else (part, None)
    stamps.word(ax, left + room / 2, top + down / 2, str(block), ha="center", va="center", fontsize=8, zorder=6,
                bbox=ground)  # fmt: skip


def _bars(ax: Axes, found: simt.Occupancy) -> None:
    for number, bar in enumerate(bars(found)):
        _bar(ax, bar, _BARS[1] + number * _EACH, bool(found.blocks_per_sm))
    _legend(ax, _BARS[1] + 4 * _EACH)


def _bar(ax: Axes, bar: Bar, top: float, fits: bool) -> None:
    """One resource: its name and verdict, the blocks side by side, the amounts in figures."""
    left, _, width = _BARS
    weight = "bold" if bar.binds else "normal"
    stamps.word(ax, left, top - 0.12, _verdict(bar, fits), fontsize=9.5, va="center", weight=weight)
    stamps.word(ax, left, top + _HIGH + 0.11, _amounts(bar, fits), **_SMALL)
    stamps.box(ax, left, top, width, _HIGH, **_FREE)
    inch = width / bar.capacity
    for block in range(bar.blocks):
        start = left + block * (bar.used + bar.reserved) / bar.blocks * inch
        _taken(ax, start, top, bar.used / bar.blocks * inch, bar.reserved / bar.blocks * inch, block)
    if bar.binds:
        stamps.box(ax, left, top, width, _HIGH, **_RIM)


def _taken(ax: Axes, start: float, top: float, used: float, reserved: float, block: int) -> None:
    """What one block takes of a bar; what exceeds the bar is cut off at its end."""
    end = _BARS[0] + _BARS[2]
    middle, stop = min(start + used, end), min(start + used + reserved, end)
    stamps.box(ax, start, top, middle - start, _HIGH, **(_OTHER if block % 2 else _USED))
    stamps.box(ax, middle, top, stop - middle, _HIGH, **_RESERVED)


def _verdict(bar: Bar, fits: bool) -> str:
    if not fits:
        return f"{bar.name}: too few for a block" if bar.binds else f"{bar.name}: enough for a block"
    if bar.allows is None:
        return f"{bar.name}: no limit here"
    return f"{bar.name}: {_many(bar.allows, 'block')}{', the limit' if bar.binds else ''}"


def _amounts(bar: Bar, fits: bool) -> str:
    if bar.binds and not fits:
        parts = f", in {simt.PARTITIONS} equal parts" if bar.unit == "registers" else ""
        return f"{bar.used:,} + {bar.reserved:,} reserved needed; there are {bar.capacity:,} {bar.unit}{parts}"
    return f"{bar.used:,} used + {bar.reserved:,} reserved + {bar.free:,} free = {bar.capacity:,} {bar.unit}"


#: What a box means, and the inches that box and words take.
_LEGEND = (
    (_USED, "used, block by block", 1.6), (_RESERVED, "reserved: rounding up, driver", 2.13), (_FREE, "free", 0.65),
    (_RIM, "limit", 0.6),
)  # fmt: skip


def _legend(ax: Axes, top: float) -> None:
    left = _BARS[0]
    for look, label, room in _LEGEND:
        stamps.box(ax, left, top, 0.22, 0.13, **look)
        stamps.word(ax, left + 0.28, top + 0.065, label, **_SMALL)
        left += room


# --- the curve ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Curve:
    """One choice of `count` to run along: its first value, its last on a device, its step, and how many make a unit."""

    label: str
    first: int
    last: Callable[[simt.Limits], int]
    step: int = 1
    unit: int = 1
    tick: int = 32


CURVES = {
    "registers": Curve("registers a thread", 16, lambda limits: simt.MOST_REGISTERS_PER_THREAD),
    "shared": Curve("shared memory a block (KB)", 0, lambda limits: limits.shared_per_block, 128, KB, 16),
    "threads": Curve("threads a block", 1, lambda limits: limits.threads_per_block, tick=128),
}


def curve(found: simt.Occupancy, along: str) -> tuple[list[int], list[float]]:
    """Return the values of `along` and the occupancy in percent for each, everything else as in `found`."""
    now, chosen = _choices(found), CURVES[along]
    last = max(chosen.last(simt.LIMITS[found.compute_capability]), now[along])
    values = list(range(min(chosen.first, now[along]), last + 1, chosen.step))
    return values, [count(**now | {along: value}, device=found.compute_capability).percent for value in values]


def _choices(found: simt.Occupancy) -> dict[str, int]:
    return {"registers": found.registers, "shared": found.shared_bytes, "threads": found.threads}


def _curve(fig: Figure, found: simt.Occupancy, along: str) -> None:
    left, bottom, width, height = _AXES
    with picture.style():
        ax = fig.add_axes((left / _PAGE[0], bottom / _PAGE[1], width / _PAGE[0], height / _PAGE[1]))
    values, percents = curve(found, along)
    unit = CURVES[along].unit
    ax.plot([value / unit for value in values], percents, color=picture.COLORS["blue"], drawstyle="steps-mid")
    x = _choices(found)[along] / unit
    ax.axvline(x, color=picture.COLORS["grey"], linestyle=":", linewidth=1.5)
    ax.plot([x], [found.percent], "o", color="black", markersize=8, zorder=5)
    _axes(ax, CURVES[along], values[0] / unit, values[-1] / unit)


def _axes(ax: Axes, chosen: Curve, first: float, last: float) -> None:
    from matplotlib.ticker import MultipleLocator

    ax.set(xlim=(first - last / 60, last * 61 / 60), ylim=(-8, 112), yticks=range(0, 101, 25))
    ax.xaxis.set_major_locator(MultipleLocator(chosen.tick))
    ax.yaxis.set_major_formatter(lambda y, _: f"{y:g}%")
    ax.tick_params(labelsize=9)
    ax.set_xlabel(f"{chosen.label}; everything else as above", fontsize=9.5)
    ax.set_title("Occupancy (dot: as above)", fontsize=9.5, loc="left", pad=4)
