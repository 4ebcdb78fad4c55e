"""The benchmark of explorers: it knows every explorer, moves every control, and marks what is slow."""

from __future__ import annotations

import pytest

pytest.importorskip("ipywidgets")
bench_explorers = pytest.importorskip("bench_explorers")
from bench_explorers import CELLS, Report  # noqa: E402
from gpucourse.viz import explorers  # noqa: E402


def test_every_explorer_has_a_cell():
    assert set(explorers.__all__) <= set(CELLS)
    assert all(f"explorers.{name}(" in CELLS[name] for name in explorers.__all__)


def test_every_control_is_moved_and_comes_home():
    shown = bench_explorers.made(CELLS["coalescing"])
    before = {key: control.value for key, control in shown.controls.items()}
    moved = [words.split(" = ")[0] for words, seconds in bench_explorers.moves(shown) if seconds > 0]
    assert set(moved) == set(before) and len(moved) > 2 * len(before)
    assert {key: control.value for key, control in shown.controls.items()} == before


def test_a_picture_over_the_limit_is_marked():
    assert "<" not in Report("quick", (0.1, 0.2), "x = 1").line()
    assert "worst   400 ms< x = 2" in Report("slow", (0.1, 0.4), "x = 2").line()


def test_an_unknown_name_is_refused_with_those_there_are(capsys):
    with pytest.raises(SystemExit):
        bench_explorers.main(["coalesing"])
    assert "no explorer coalesing; there are activations, " in capsys.readouterr().err
