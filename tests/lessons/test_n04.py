"""Lesson 04's sentences and stored numbers against a plain count of bytes, warp by warp."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "notebooks" / "src" / "04_memory_and_coalescing.md").read_text("utf-8")
PROSE = " ".join(re.sub(r"```python\n.*?```", "", TEXT, flags=re.DOTALL).split())
CELLS = nbformat.read(ROOT / "notebooks" / "04_memory_and_coalescing.ipynb", as_version=4).cells
PRINTED = "".join(out.get("text", "") for cell in CELLS if cell.cell_type == "code" for out in cell.outputs)
H, W = 576, 512


def sectors(elements, width=4):
    return len({element * width // 32 for element in elements})


def warp(block, y0=0):
    """(x, y) of the 32 threads of the first warp of a block of two dimensions."""
    return [(number % block[0], y0 + number // block[0]) for number in range(32)]


def test_the_photograph_has_the_size_that_the_lesson_says():
    assert f"first {H} rows, of {W} floats" in PROSE
    assert f"{H} · {W} floats, {2 * 4 * H * W:,} bytes" in PROSE
    assert f"{H} rows of {W} pixels, {4 * H * W} bytes" in PRINTED
    assert f"{2 * 4 * H * W:,} bytes asked for, {8 * 2 * 4 * H * W:,} moved" in PRINTED


@pytest.mark.parametrize("block", [(256, 1), (32, 8), (16, 16), (8, 32), (4, 64), (1, 256)])
def test_block_shapes(block):
    found = sectors(y * W + x for x, y in warp(block))
    assert f"block {block!s:9}: {found} sectors/request, ideal 4" in PRINTED


@pytest.mark.parametrize("block", [(32, 8), (8, 32), (4, 64)])
def test_both_sides_of_the_transpose(block):
    load = sectors(y * W + x for x, y in warp(block))
    store = sectors(x * H + y for x, y in warp(block))
    assert f"block {block!s:7}: load {load}, store {store}, together {load + store}; ideal 8" in PRINTED


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 8, 16, 32])
def test_strides(stride):
    found = sectors(range(0, 32 * stride, stride))
    assert f"stride {stride:2}: {found:4} sectors, {100 * 4 / found:5.1f} % of the bytes used" in PRINTED


@pytest.mark.parametrize("offset", [0, 1, 8, 9])
def test_offsets(offset):
    found = sectors(range(offset, offset + 32))
    assert f"offset {offset}: {found} sectors, {100 * 4 // found} % of the bytes used" in PRINTED


def test_a_shift_adds_one_sector_to_what_is_compulsory():
    assert 32 * (sectors(range(1, 1025)) - sectors(range(1024))) == 32
    assert "it adds 32 compulsory bytes" in PROSE


def test_layouts():
    assert [sectors(range(0, 32 * stride, stride), 1) for stride in (3, 1)] == [3, 1]
    assert f"({H}, {W}, 3): 3 sectors/request; {4 * H * W:,} bytes compulsory" in PRINTED
    assert f"(3, {H}, {W}): 1 sectors/request; {2 * H * W:,} bytes compulsory" in PRINTED
    triples = {sectors(range(part, 96, 3)) for part in range(3)}
    assert triples == {12} and "the same 12 sectors" in PROSE


def test_the_worst_case_by_width():
    for width, times in ((1, 32), (2, 16), (4, 8), (8, 4), (16, 2)):
        best = sectors(range(32), width)
        worst = sectors(range(0, 32 * 32, 32), width)
        assert worst == 32 == times * best
        assert re.search(rf"{width:2} bytes: 32 sectors, +{best} at best: +{times} times", PRINTED)


def test_the_command_that_the_lesson_names_is_there():
    from gpucourse import benchmarks

    name = re.search(r"measure --ladder (\w+)", TEXT)[1]
    assert "strided copy" in benchmarks.table("gpu", name)
    assert 'find("strided copy")' in TEXT
