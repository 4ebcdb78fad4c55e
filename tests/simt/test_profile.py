"""A profile as text, rows, frame and HTML: the right numbers in the right place, and nothing that only a GPU knows."""

from __future__ import annotations

import html.parser
import re
import sys

import numpy as np
import pytest

from gpucourse.errors import MissingPackage, OutOfBounds
from gpucourse.simt.link import Program
from gpucourse.simt.profile import COLUMNS, PTX_COLUMNS, Profile, profile_launch

TRANSPOSE = """\
extern "C" __global__ void transpose(const float* x, float* y, int n) {
    __shared__ float tile[32][32];
    int c = blockIdx.x * 32 + threadIdx.x, r = blockIdx.y * 32 + threadIdx.y;
    if (r < n && c < n)
        tile[threadIdx.y][threadIdx.x] = x[r * n + c];
    __syncthreads();
    y[(blockIdx.x * 32 + threadIdx.y) * n + blockIdx.y * 32 + threadIdx.x] = tile[threadIdx.x][threadIdx.y];
}
"""


@pytest.fixture(scope="module")
def transposed() -> Profile:
    x, y = np.zeros(4096, np.float32), np.zeros(4096, np.float32)
    return profile_launch(Program(TRANSPOSE), "transpose", (2, 2), (32, 32), (x, y, np.int32(64)))


def test_rows_hold_every_counter_of_every_line(transposed: Profile) -> None:
    rows = {row["line"]: row for row in transposed.rows()}
    assert rows[5]["source"] == "tile[threadIdx.y][threadIdx.x] = x[r * n + c];"
    assert (rows[5]["global_load_sectors"], rows[5]["shared_store_wavefronts"]) == (512, 128)
    assert (rows[7]["global_store_sectors"], rows[7]["shared_load_wavefronts"]) == (512, 4096)
    assert rows[7]["bank_conflicts"] == 4096 - 128
    assert all(rows[5].keys() == row.keys() for row in rows.values())
    numbers = list(rows)
    assert numbers == sorted(numbers, key=lambda line: (line == 0, line))


def test_counters_are_attributes_of_the_profile(transposed: Profile) -> None:
    assert transposed.bank_conflict_degree == 32
    assert transposed.sectors_per_request == 4
    assert transposed.compulsory_bytes == 2 * 4096 * 4
    assert transposed.warps == 128
    assert {"flops", "global_load_sectors", "warp_efficiency"} <= set(dir(transposed))
    with pytest.raises(AttributeError, match="a Profile has no 'achieved_occupancy'"):
        _ = transposed.achieved_occupancy


def test_table(transposed: Profile) -> None:
    lines = transposed.table().splitlines()
    assert lines[0] == "transpose: grid (2, 2, 1), block (32, 32, 1): 128 warps"
    row = re.split(r"\s{2,}", next(line for line in lines if "tile[threadIdx.y][threadIdx.x] = " in line).strip())
    assert row[:7] == ["5", "tile[threadIdx.y][threadIdx.x] = x[r ...", "128", "512", "4.00", "4.00", "100.0"]
    assert row[7:10] == ["128", "128", "1"]   # shared requests, wavefronts, no conflict, degree
    last = next(line for line in lines if "whole launch" in line)
    assert "4,224" in last   # 128 wavefronts written, 4,096 read
    assert "atomic" not in transposed.table() and "FLOPs" not in transposed.table()
    assert max(map(len, lines)) < 150


def test_what_the_compiler_decides_stands_between_angle_brackets(transposed: Profile) -> None:
    """nbval replaces what stands between ⟨ and ⟩: no PTX count may be left outside."""
    outside = re.sub(r"⟨[^⟩]*⟩", "", transposed.table())
    for column in PTX_COLUMNS:
        number = f"{getattr(transposed.total, column.key):,.{column.decimals}f}"
        assert number == "128" or not re.search(rf"(?<![\d,.]){re.escape(number)}(?![\d,.])", outside), column.key
    assert "PTX" not in outside
    cells = re.sub(r"⟨[^⟩]*⟩", "", transposed._repr_html_())
    assert f"{transposed.warp_instructions:,}" not in cells


def test_nothing_that_only_a_gpu_knows(transposed: Profile) -> None:
    text = " ".join([transposed.table(), transposed._repr_html_(), repr(transposed), *transposed.rows()[0]])
    assert not re.search(r"cycle|second|duration|bandwidth|throughput|\bhits?\b|achieved|\bms\b|\btime", text, re.I)


def test_repr_is_short_and_fixed_by_the_source(transposed: Profile) -> None:
    assert repr(transposed) == (
        "Profile of transpose: grid (2, 2, 1), block (32, 32, 1), 128 warps; 4.00 sectors/request (ideal 4.00); "
        "3,968 bank conflicts; 0 divergent branches"
    )


def test_frame(transposed: Profile) -> None:
    frame = transposed.frame()
    assert frame.index.name == "line"
    assert frame.loc[7, "bank_conflicts"] == 3968
    assert frame["global_load_sectors"].sum() == transposed.global_load_sectors


def test_frame_without_pandas(transposed: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingPackage, match=r"rows\(\) gives the same numbers.*pip install pandas"):
        transposed.frame()


# --- HTML --------------------------------------------------------------------------------------------


class _Tables(html.parser.HTMLParser):
    """Collects tags, attributes and the cells of each row; complains about tags that are not closed."""

    VOID = ("br",)

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[tuple[str, str]]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append(("", dict(attributes).get("style") or ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            text, style = self.rows[-1][-1]
            self.rows[-1][-1] = text + data, style


def _parsed(profile: Profile) -> _Tables:
    parser = _Tables()
    parser.feed(profile._repr_html_())
    assert parser.open == []
    return parser


def test_html_shows_the_source_with_its_counters_beside_it(transposed: Profile) -> None:
    rows = {row[0][0]: row for row in _parsed(transposed).rows}
    assert [text for text, _ in rows["5"]][:5] == [
        "5", "        tile[threadIdx.y][threadIdx.x] = x[r * n + c];", "128", "512", "4.00"]  # fmt: skip
    assert set(map(str, range(1, 9))) <= set(rows)


def test_html_warms_what_is_wasted(transposed: Profile) -> None:
    rows = {row[0][0]: row for row in _parsed(transposed).rows}
    assert "background" in _cell_of(rows["7"], "4,096")   # wavefronts of the column read
    assert "background" not in _cell_of(rows["5"], "4.00")   # ideal: no waste


def _cell_of(row: list[tuple[str, str]], text: str) -> str:
    return next(style for found, style in row if found == text)


def test_html_escapes_the_source_and_runs_nothing() -> None:
    source = """extern "C" __global__ void k(float* y) {
    // <script>alert(1)</script> & <b>bold</b>
    if (threadIdx.x < 8 && threadIdx.x > 2) y[threadIdx.x] = 1;
}"""
    found = profile_launch(Program(source), "k", (1,), (32,), (np.zeros(32, np.float32),))
    parser = _parsed(found)
    assert not {tag for tag, _ in parser.tags} & {"script", "b", "style", "link", "img"}
    assert not [name for _, attributes in parser.tags for name in attributes if name.startswith("on")]
    assert "// <script>alert(1)</script> & <b>bold</b>" in [text.strip() for row in parser.rows for text, _ in row]


def test_html_is_readable_in_both_themes_and_by_a_screen_reader(transposed: Profile) -> None:
    parser = _parsed(transposed)
    styles = ";".join(attributes.get("style") or "" for _, attributes in parser.tags)
    assert set(re.findall(r"(?<![-\w])color:([^;]+)", styles)) <= {"inherit"}   # text keeps the theme's color
    assert all(float(alpha) <= 0.6 for alpha in re.findall(r"rgba\([^)]*,([\d.]+)\)", styles))
    heads = [attributes for tag, attributes in parser.tags if tag == "th" and attributes.get("scope")]
    assert {head["scope"] for head in heads} == {"col", "row"}
    assert any(tag == "caption" for tag, _ in parser.tags)


# --- corners -----------------------------------------------------------------------------------------


def test_a_kernel_without_memory_has_a_table_too() -> None:
    found = profile_launch(Program('extern "C" __global__ void k() {}'), "k", (3,), (40,))
    assert "k: grid (3, 1, 1), block (40, 1, 1): 6 warps" in found.table()
    assert repr(found).endswith("6 warps; 0 divergent branches")
    assert _parsed(found).rows


def test_ptx_text_has_no_source_lines() -> None:
    program = Program(ptx=Program(TRANSPOSE).compiled.ptx)
    args = (np.zeros(4096, np.float32), np.zeros(4096, np.float32), np.int32(64))
    found = profile_launch(program, "transpose", (2, 2), (32, 32), args)
    assert found.bank_conflicts == 3968
    assert "(no line of the source)" in found.table()


def test_text_that_the_kernel_prints_is_kept() -> None:
    source = 'extern "C" __global__ void k() { if (threadIdx.x == 3) printf("lane %d\\n", threadIdx.x); }'
    assert profile_launch(Program(source), "k", (1,), (32,)).printed == "lane 3\n"


def test_a_fault_stops_the_profile_with_its_own_error() -> None:
    with pytest.raises(OutOfBounds, match="line 5"):
        profile_launch(Program(TRANSPOSE), "transpose", (2, 2), (32, 32),
                       (np.zeros(10, np.float32), np.zeros(4096, np.float32), np.int32(64)))  # fmt: skip


def test_every_column_is_a_counter(transposed: Profile) -> None:
    keys = [column.key for column in (*COLUMNS, *PTX_COLUMNS)]
    assert len(keys) == len(set(keys))
    assert all(isinstance(getattr(transposed, key), int | float) for key in keys)


def test_a_cell_and_its_heat(transposed: Profile) -> None:
    """The line that reads the tile down its columns: 4,096 of 4,224 wavefronts, of which 31 in 32 are waste."""
    columns = {column.key: column for column in transposed.columns()}
    read = next(row["line"] for row in transposed.rows() if row["shared_load_requests"])
    assert transposed.cell(read, columns["shared_wavefronts"]) == "4,096"
    assert transposed.heat(read, columns["shared_wavefronts"]) == pytest.approx(4096 / 4224)
    assert transposed.heat(read, columns["bank_conflict_degree"]) == pytest.approx(31 / 32)
    assert transposed.cell(1, columns["shared_wavefronts"]) == ""
    assert transposed.heat(1, columns["shared_wavefronts"]) == 0
    assert "atomic_requests" not in columns
