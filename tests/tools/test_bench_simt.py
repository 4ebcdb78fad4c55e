"""The benchmark on small kernels: what it measures, what it refuses to count, and how it judges a target."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

bench_simt = pytest.importorskip("bench_simt")
from bench_simt import CASES, ENGINES, KERNELS, Figures, Row, WrongResult  # noqa: E402


@pytest.mark.parametrize("engine", ["ours", "NumPy"])
@pytest.mark.parametrize("number", range(5))
def test_every_case_is_right_on_a_small_size(engine, number):
    case = CASES[number]
    found = bench_simt.measure(case, engine, case.quick)
    assert len(found.seconds) >= case.runs and min(found.seconds) > 0


def test_compiling_counts_what_follows_the_first():
    found = bench_simt.measure(CASES[5], "ours", 3)
    assert len(found.seconds) == 3


@pytest.mark.skipif(not find_spec("numba"), reason="numba is not installed")
@pytest.mark.parametrize("number", range(3))
def test_numba_is_right_too_in_a_process_of_its_own(number):
    assert len(bench_simt.in_a_process(number, "numba", 16).seconds) == 1


@pytest.mark.parametrize(("name", "right", "wrong"), [
    ("add", "i < n", "i < n - 1"), ("add", "x[i] + y[i]", "x[i] - y[i]"),
    ("naive", "k < n", "k < n - 1"), ("tiled", "left[ty][k]", "left[k][ty]"),
])  # fmt: skip
def test_a_wrong_result_is_not_timed(name, right, wrong):
    kernel = KERNELS[name]
    broken = replace(kernel, source=kernel.source.replace(right, wrong))
    assert broken.source != kernel.source
    with pytest.raises(WrongResult, match=f"{name}: .* elements are wrong"):
        bench_simt.measure_ours(broken, 32, 1)


def test_a_run_that_goes_wrong_later_is_noticed():
    kernel = KERNELS["add"]
    inputs = kernel.inputs(8)
    calls = []

    def run():
        calls.append(1)
        if len(calls) == 1:
            np.add(inputs[0], inputs[1], out=inputs[2])

    with pytest.raises(WrongResult):
        bench_simt.timed(kernel, run, inputs, 3)


def test_inputs_have_exact_sums_and_no_zero_answer():
    x, y, out = KERNELS["naive"].inputs(64)
    assert np.isnan(out).all()
    assert np.abs(x.astype(int) @ y.astype(int)).max() < 2**24
    assert len(np.unique(x)) > 10


def figures(seconds, peak=0):
    return Figures([seconds], peak_bytes=peak)


def rows(ours=1e-3, numba=3.0, peak=5e8, seconds=1.0, compiling=0.02):
    found = [Row(case, case.size) for case in CASES]
    for row in found[:3]:
        row.found = {"ours": figures(ours), "NumPy": figures(1e-6), "numba": figures(numba)}
    found[3].found, found[4].found = {"ours": figures(1, int(peak))}, {"ours": figures(seconds)}
    found[5].found = {"ours": figures(compiling)}
    return found


def verdicts(found, quick=False):
    return [bench_simt.verdict(row, quick).split()[-1] for row in found]


def test_all_targets_reached():
    assert verdicts(rows()) == ["reached"] * 6
    assert rows()[0].measured() == pytest.approx(3000)


@pytest.mark.parametrize(("change", "missed"), [
    ({"ours": 1.6e-3}, [0]), ({"ours": 7e-3}, [0, 2]), ({"numba": 0.09}, [0, 1, 2]), ({"peak": 1e9}, [3]),
    ({"seconds": 20}, [4]), ({"compiling": 0.051}, [5]),
])  # fmt: skip
def test_a_missed_target_says_so(change, missed):
    assert [i for i, word in enumerate(verdicts(rows(**change))) if word == "MISSED"] == missed


def test_quick_judges_nothing():
    assert verdicts(rows(), quick=True) == ["judged"] * 6
    assert all(result["reached"] is None for result in bench_simt.as_data(rows(), {}, True)["results"])


def test_an_engine_that_fails_is_named_and_leaves_the_rest():
    def measured(number, engine, n):
        if engine == "numba":
            raise WrongResult("no module named numba")
        return figures(0.5, 10**8)

    found = bench_simt.run_all(True, measured)
    assert found[0].measured() is None and found[3].measured() == 10**8
    text = bench_simt.text_table(found, {"cores": 2}, quick=True)
    assert text.count("no module named numba") == 3 and text.count("FAILED") == 3


@pytest.mark.parametrize(("seconds", "text"), [(12.3456, "12.3 s"), (0.05, "50 ms"), (4e-7, "0.4 us")])
def test_durations(seconds, text):
    assert bench_simt.duration(seconds) == text


def test_the_command_writes_table_and_file(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(bench_simt, "CASES", CASES[3:4])
    monkeypatch.setattr(bench_simt.run_all, "__defaults__", (lambda number, engine, n: figures(0.25, 3 * 10**8),))
    assert bench_simt.main(["--quick", "--json", str(tmp_path / "f.json")]) == 0
    printed = capsys.readouterr()
    assert "vector add, 65,536 elements" in printed.out and "300 MB" in printed.out
    assert printed.err.count("...") == 2
    written = json.loads((tmp_path / "f.json").read_text())
    assert written["results"][0]["engines"]["ours"] == {"seconds": [0.25], "resident_bytes": 0, "peak_bytes": 3 * 10**8}
    assert set(written["results"][0]["engines"]) < set(ENGINES)


def test_a_worker_that_dies_is_told_with_its_last_words():
    with pytest.raises(WrongResult, match="KeyError"):
        bench_simt.in_a_process(0, "abacus", 16)
