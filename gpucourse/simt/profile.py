"""A `Profile`: what one launch did, source line by source line, as text, rows, a pandas frame or HTML.

The numbers come from `metrics.py`, whose docstring defines them. Two kinds stand apart: what the source fixes
(requests, sectors, wavefronts, divergence, FLOPs), and counts of PTX instructions, which change with the
compiler's version; these stand between ⟨ and ⟩. There is no time, no cycle and no cache hit among them: only
a GPU knows those.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from gpucourse.errors import CourseError, MissingPackage
from gpucourse.simt.compile import Resources, kernel_resources
from gpucourse.simt.link import Program
from gpucourse.simt.metrics import COUNTED, DERIVED, SECTOR, Counters, Profiler, intensity
from gpucourse.simt.occupancy import Occupancy, occupancy
from gpucourse.simt.registers import WARP, Dim3
from gpucourse.simt.run import BUDGET, DEFAULT_SHARED, launch

_SOURCE_WIDTH = 40
_NO_LINE = "(no line of the source)"


@dataclass(frozen=True)
class Column:
    """One column: counter, heading, decimals, what it means, how hot a cell is; `text`: also in `table()`."""

    key: str
    heading: str
    decimals: int
    meaning: str
    heat: Callable[[Counters], float] | None = None
    text: bool = True

    def cell(self, counters: Counters) -> str:
        """The number as text; "" for 0."""
        number = getattr(counters, self.key)
        return f"{number:,.{self.decimals}f}" if number else ""

    def heat_of(self, counters: Counters, total: Counters) -> float:
        """0 (nothing) to 1 (the hottest): the column's own measure of waste, or the line's share of the launch."""
        if self.heat is not None:
            return self.heat(counters)
        return float(getattr(counters, self.key) / (getattr(total, self.key) or 1))


def _sector_waste(c: Counters) -> float:
    return 1 - c.global_ideal_sectors / c.global_sectors if c.global_sectors else 0.0


def _bank_waste(c: Counters) -> float:
    return c.bank_conflicts / c.shared_wavefronts if c.shared_wavefronts else 0.0


#: What the source fixes. A cell whose column has no `heat` of its own is as hot as its share of the launch's number.
COLUMNS = (
    Column("divergent_branches", "divergent branches", 0, "branches at which lanes of a warp part"),
    Column("global_requests", "global requests", 0, "global loads and stores of warps"),
    Column("global_sectors", "sectors", 0, "32-byte sectors that they touch"),
    Column("sectors_per_request", "sectors/ request", 2, "mean sectors of a request", _sector_waste),
    Column("ideal_sectors_per_request", "ideal", 2, "sectors if the bytes lay side by side", lambda c: 0.0),
    Column("bytes_used_percent", "bytes used %", 1, "bytes asked for per 100 bytes moved", _sector_waste),
    Column("shared_requests", "shared requests", 0, "shared-memory loads and stores of warps"),
    Column("shared_wavefronts", "wave- fronts", 0, "passes through the banks that they take"),
    Column("shared_wavefronts_per_request", "wavefronts/ request", 2, "mean of a request", _bank_waste, False),
    Column("bank_conflicts", "bank conflicts", 0, "wavefronts beyond the ideal"),
    Column("bank_conflict_degree", "conflict degree", 0, "most words of one bank at once; 1 is free", _bank_waste),
    Column("atomic_requests", "atomic requests", 0, "atomic operations of warps"),
    Column("atomic_serialization", "lanes at one address", 0, "most lanes of a warp that take turns",
           lambda c: max(0, c.atomic_serialization - 1) / (WARP - 1)),
    Column("constant_requests", "constant requests", 0, "constant-memory loads of warps"),
    Column("constant_addresses_per_request", "addresses/ request", 2, "distinct addresses; 1 is a broadcast",
           lambda c: max(0.0, c.constant_addresses_per_request - 1) / (WARP - 1)),
    Column("local_requests", "local requests", 0, "loads and stores of arrays that are not in registers"),
    Column("local_bytes", "local bytes", 0, "bytes that they access"),
    Column("flops", "FLOPs", 0, "add, sub, mul 1; fma 2"),
    Column("special_functions", "special functions", 0, "divisions, roots, exponentials, sines ..."),
)  # fmt: skip
#: Counts of PTX instructions, which the compiler's version changes.
PTX_COLUMNS = (
    Column("warp_instructions", "PTX warp instructions", 0, "PTX instructions, once a warp"),
    Column("thread_instructions", "PTX thread instructions", 0, "PTX instructions, once an active lane", None, False),
    Column("active_lanes", "active lanes", 1, "mean active lanes of a PTX instruction, of 32",
           lambda c: 1 - c.warp_efficiency if c.warp_instructions else 0.0),
    Column("branches", "PTX branches", 0, "conditional PTX branches of warps", None, False),
)  # fmt: skip


def profile_launch(
    program: Program, name: str, grid: Sequence[int], block: Sequence[int], args: Sequence[Any] = (), *,
    shared_bytes: int = 0, max_shared: int = DEFAULT_SHARED, budget: int = BUDGET,
) -> Profile:  # fmt: skip
    """Run a kernel in lock-step and count what it does; arguments and errors as `run.launch`.

    Arrays among `args` are written in place.
    """
    profiler = Profiler()
    done = launch(program, name, grid, block, args, shared_bytes=shared_bytes, trace=profiler,
                  max_shared=max_shared, budget=budget)  # fmt: skip
    total = profiler.finish()
    return Profile(
        name, _dim3(grid), _dim3(block), shared_bytes, dict(sorted(profiler.lines.items())), total,
        len(profiler.read), len(profiler.written), done.printed, program,
    )  # fmt: skip


def _dim3(extent: Sequence[int]) -> Dim3:
    x, y, z = [*(int(n) for n in extent), 1, 1][:3]
    return x, y, z


@dataclass(repr=False)
class Profile:
    """What one launch did.

    `lines` maps a source line (counted from 1; 0: no line of the source) to its `Counters`, `total` sums them.
    Every counter is an attribute of the profile too: `p.sectors_per_request`, `p.bank_conflicts`, `p.flops`
    (`metrics.Counters` describes each, with units). `sectors_read` and `sectors_written` count each 32-byte
    sector of global memory once. `printed` is what the kernel printed.
    """

    name: str
    grid: Dim3
    block: Dim3
    shared_bytes: int
    lines: dict[int, Counters]
    total: Counters
    sectors_read: int
    sectors_written: int
    printed: str
    program: Program = field(repr=False)

    def __getattr__(self, name: str) -> Any:
        if name in COUNTED or name in DERIVED:
            return getattr(self.total, name)
        raise AttributeError(f"a Profile has no {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *COUNTED, *DERIVED})

    # --- the whole launch ----------------------------------------------------------------------------

    @property
    def warps(self) -> int:
        """Warps of the launch; a block that does not fill its last warp counts it whole."""
        blocks = self.grid[0] * self.grid[1] * self.grid[2]
        return blocks * -(-self.threads_per_block // WARP)

    @property
    def threads_per_block(self) -> int:
        """Threads of a block, over all three axes."""
        return self.block[0] * self.block[1] * self.block[2]

    @property
    def compulsory_bytes(self) -> int:
        """Global bytes with a perfect cache: each sector read once and written once."""
        return SECTOR * (self.sectors_read + self.sectors_written)

    @property
    def arithmetic_intensity(self) -> float:
        """FLOPs per compulsory byte: the best that this launch can reach (`worst_case_intensity`: without a cache)."""
        return intensity(self.total.flops, self.compulsory_bytes)

    @property
    def resources(self) -> Resources:
        """Registers, spills and memory that NVRTC's assembler gives the kernel on sm_80; needs no GPU."""
        if not self.program.source:
            raise CourseError("registers are known for kernels compiled from CUDA C, not for PTX text")
        found = kernel_resources(self.program.source, self.program.options, self.program.names)
        return found[self.program.kernel(self.name).name]

    def occupancy(self, device: str = "A100") -> Occupancy:
        """Theoretical occupancy of this launch on a device such as "T4", "A100", "RTX 4090" or "H200".

        Registers are those of the assembler for sm_80; another architecture may need a few more or fewer.
        """
        used = self.resources
        return occupancy(device, self.threads_per_block, used.registers, used.shared_bytes + self.shared_bytes)

    # --- by line -------------------------------------------------------------------------------------

    def rows(self) -> list[dict[str, Any]]:
        """One dict per executed source line: `line`, `source` and every counter by name."""
        return [
            {"line": line, "source": self.source_line(line).strip()}
            | counters.numbers() | {name: getattr(counters, name) for name in DERIVED}
            for line, counters in self._in_order()
        ]  # fmt: skip

    def frame(self) -> Any:
        """`rows()` as a pandas DataFrame indexed by line; raises `MissingPackage` without pandas."""
        try:
            pandas = import_module("pandas")
        except ImportError:
            raise MissingPackage("Profile.frame() needs pandas, which is not installed; rows() gives the same "
                                 "numbers without it. Install it with: pip install pandas") from None  # fmt: skip
        return pandas.DataFrame(self.rows()).set_index("line")

    def columns(self) -> list[Column]:
        """The columns with a number in this launch, of those that the source fixes."""
        return [column for column in COLUMNS if getattr(self.total, column.key)]

    def cell(self, line: int, column: Column) -> str:
        """The number of a source line as text; "" where there is none."""
        return column.cell(self.lines.get(line, Counters()))

    def heat(self, line: int, column: Column) -> float:
        """How hot a source line is in a column, 0 to 1 (see `Column.heat_of`)."""
        return column.heat_of(self.lines.get(line, Counters()), self.total)

    def source_line(self, line: int) -> str:
        """Text of a source line, without its line end."""
        lines = self.program.source.splitlines()
        return lines[line - 1] if 0 < line <= len(lines) else _NO_LINE

    def _in_order(self) -> list[tuple[int, Counters]]:
        """Lines in the source's order, what belongs to none last."""
        return sorted(self.lines.items(), key=lambda item: (item[0] == 0, item[0]))

    # --- shown ---------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        parts = [f"Profile of {self.name}: grid {self.grid}, block {self.block}, {self.warps:,} warps"]
        if self.total.global_requests:
            parts.append(f"{self.total.sectors_per_request:.2f} sectors/request "
                         f"(ideal {self.total.ideal_sectors_per_request:.2f})")  # fmt: skip
        if self.total.shared_requests:
            parts.append(f"{self.total.bank_conflicts:,} bank conflicts")
        return "; ".join([*parts, f"{self.total.divergent_branches:,} divergent branches"])

    def table(self) -> str:
        """The counters of each source line as text; columns without a number are left out.

        Lines that neither access memory nor part a warp are summed as "other lines". What stands between ⟨ and ⟩ are
        PTX instructions of warps, times the mean number of active lanes. `rows()` holds every counter.
        """
        return _text_table(self)

    def _repr_html_(self) -> str:
        return _html(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


# --- text --------------------------------------------------------------------------------------------


def _split(profile: Profile, columns: list[Column]) -> tuple[list[tuple[int, Counters]], Counters]:
    """(lines with a number in some column, the sum of the others)."""
    busy, others = [], Counters()
    for line, counters in profile._in_order():
        if any(getattr(counters, column.key) for column in columns):
            busy.append((line, counters))
        else:
            others.count(**counters.numbers())
    return busy, others


def _text_table(profile: Profile) -> str:
    columns = [column for column in profile.columns() if column.text]
    busy, others = _split(profile, columns)
    labels = [(str(line or ""), _cut(profile.source_line(line).strip()), counters) for line, counters in busy]
    labels += [("", "other lines", others), ("", "whole launch", profile.total)]
    body = [[number, text, *(column.cell(c) for column in columns)] for number, text, c in labels]
    heading = _stacked(["line", "source", *(column.heading for column in columns)])
    widths = [max(len(row[i]) for row in (*heading, *body)) for i in range(len(columns) + 2)]
    ends = ["" for _ in heading[1:]] + [_PTX_HEADING] + [_ptx_cells(c) for _, _, c in labels]
    lines = [_line_of(row, widths, end) for row, end in zip((*heading, *body), ends, strict=True)]
    rule = "-" * (sum(widths) + 2 * len(widths) - 2)
    lines[len(heading) : len(heading)] = [rule]
    return "\n".join([_title(profile), *lines[:-1], rule, lines[-1], *_summary(profile)])


_PTX_HEADING = "⟨PTX × lanes⟩"


def _ptx_cells(counters: Counters) -> str:
    return f"⟨{' × '.join(f'{getattr(counters, c.key):,.{c.decimals}f}' for c in PTX_COLUMNS if c.text)}⟩"


def _line_of(row: list[str], widths: list[int], end: str) -> str:
    cells = [text.ljust(w) if i == 1 else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True))]
    return f"{'  '.join(cells)}  {end}".rstrip()


def _stacked(headings: list[str]) -> list[list[str]]:
    """Headings broken at their spaces, as rows that end on the same line."""
    words = [heading.split() for heading in headings]
    height = max(map(len, words))
    return [[([""] * (height - len(w)) + w)[level] for w in words] for level in range(height)]


def _cut(text: str) -> str:
    return text if len(text) <= _SOURCE_WIDTH else text[: _SOURCE_WIDTH - 3] + "..."


def _title(profile: Profile) -> str:
    shared = f", {profile.shared_bytes:,} bytes of dynamic shared memory" if profile.shared_bytes else ""
    return f"{profile.name}: grid {profile.grid}, block {profile.block}{shared}: {profile.warps:,} warps"


def _summary(profile: Profile) -> list[str]:
    total, found = profile.total, []
    if total.global_requests:
        found.append(f"global memory: {total.bytes_used:,} bytes used of {total.bytes_moved:,} moved in sectors "
                     f"of {SECTOR}; {profile.compulsory_bytes:,} compulsory")  # fmt: skip
    if total.flops and profile.compulsory_bytes:
        found.append(f"arithmetic intensity: {profile.arithmetic_intensity:.3f} FLOP/byte with a perfect cache, "
                     f"{total.worst_case_intensity:.3f} without one")  # fmt: skip
    return found


# --- HTML --------------------------------------------------------------------------------------------

_CELL = "padding:0 .6em;text-align:right;white-space:nowrap;"
_CODE = "padding:0 .6em;text-align:left;white-space:pre-wrap;min-width:24em;font-family:monospace;"
_HOTTEST = 0.55  # opacity; the text stays readable on it in a light and in a dark theme


def _html(profile: Profile) -> str:
    """The source with its counters beside it; a warmer cell is a larger share, or more waste."""
    columns = profile.columns()
    lines = profile.program.source.splitlines()
    numbers = [*range(1, len(lines) + 1), *([0] if 0 in profile.lines else [])]
    body = "".join(_html_row(profile, line, columns) for line in numbers)
    notes = "".join(f"<div>{html.escape(text)}</div>" for text in _summary(profile))
    return (
        f'<div style="overflow-x:auto"><table style="border-collapse:collapse;font-size:90%;color:inherit">'
        f'<caption style="text-align:left;color:inherit">{html.escape(_title(profile))}</caption>'
        f"<thead>{_html_heading(columns)}</thead>"
        f'<tbody>{body}</tbody><tfoot>{_html_total(profile, columns)}</tfoot></table>{notes}'
        f"<div>⟨ ⟩: PTX instructions, which change with the compiler's version</div></div>"
    )  # fmt: skip


def _html_heading(columns: list[Column]) -> str:
    named = "".join(
        f'<th scope="col" title="{html.escape(c.meaning)}" style="{_CELL}vertical-align:bottom">'
        f"{html.escape(c.heading).replace(' ', '<br>')}</th>" for c in (*columns, *PTX_COLUMNS)
    )  # fmt: skip
    return (f'<tr><th scope="col" style="{_CELL}vertical-align:bottom">line</th>'
            f'<th scope="col" style="{_CODE}vertical-align:bottom">source</th>{named}</tr>')  # fmt: skip


def _html_row(profile: Profile, line: int, columns: list[Column]) -> str:
    counters = profile.lines.get(line, Counters())
    cells = "".join(_html_cell(counters, c, profile.heat(line, c)) for c in columns)
    source = html.escape(profile.source_line(line).rstrip())
    return (f'<tr><th scope="row" style="{_CELL}opacity:.7;font-weight:normal">{line or ""}</th>'
            f'<td style="{_CODE}">{source}</td>{cells}{_html_ptx(counters)}</tr>')  # fmt: skip


def _html_cell(counters: Counters, column: Column, heat: float) -> str:
    warm = f"background:rgba(230,120,20,{heat * _HOTTEST:.2f});" if heat > 0 else ""
    return f'<td style="{_CELL}{warm}">{column.cell(counters)}</td>'


def _html_ptx(counters: Counters) -> str:
    return "".join(f'<td style="{_CELL}opacity:.7">⟨{c.cell(counters)}⟩</td>' for c in PTX_COLUMNS)


def _html_total(profile: Profile, columns: list[Column]) -> str:
    cells = "".join(f'<td style="{_CELL}">{c.cell(profile.total)}</td>' for c in columns)
    return (f'<tr style="border-top:1px solid;font-weight:bold"><th></th><td style="{_CODE}">whole launch</td>'
            f"{cells}{_html_ptx(profile.total)}</tr>")  # fmt: skip
