"""Tests of the command `measure`: every benchmark runs on a stand-in GPU, on the CPU and on the simulator."""

from __future__ import annotations

import argparse
import json
import math
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
from stand_in_gpu import Cupy

from gpucourse import backend, benchmarks, measure, measured_machine, recorded
from gpucourse.benchmarks import launches, photo
from gpucourse.benchmarks.bands import in_bands
from gpucourse.benchmarks.case import FULL, QUICK, Case, Machine, Sizes
from gpucourse.benchmarks.case import measure as measure_one
from gpucourse.errors import NotBuiltYet

TINY = Sizes(
    copy=(64, 4096),
    transfer=(64, 4096),
    matrix=(2, 4),
    allocation=(64,),
    image=(8, 16),
    loop_image=6,
    queue=5,
    repeat=3,
    at_least=0.0,
    patience=100.0,
)
GPU = backend.Gpu("NVIDIA Test 9000", (9, 0), 80 << 30, -1, (13, 1), "580.95.05")


class Torch:
    """The few names of PyTorch that the benchmarks use; it remembers the precision of every product."""

    float32, float16, bfloat16 = "float32", "float16", "bfloat16"

    def __init__(self) -> None:
        self.precision = "highest"
        self.products: set[tuple[str, str, str]] = set()

    def full(self, shape: tuple[int, int], value: float, dtype: str, device: str) -> Any:
        return SimpleNamespace(dtype=dtype, device=device)

    def empty_like(self, array: Any) -> Any:
        return array

    def matmul(self, a: Any, b: Any, out: Any) -> None:
        self.products.add((a.device, a.dtype, self.precision))

    def get_float32_matmul_precision(self) -> str:
        return self.precision

    def set_float32_matmul_precision(self, precision: str) -> None:
        self.precision = precision


def stand_in(monkeypatch: pytest.MonkeyPatch, cupy: Cupy | None = None) -> Machine:
    monkeypatch.setattr(measured_machine, "_torch", lambda device="cpu": Torch())
    monkeypatch.setattr(backend, "synchronize", lambda: None)
    machine = measured_machine.gpu_machine(cupy or Cupy(), GPU)
    return replace(machine, cache_bytes=1024)


def all_results(machine: Machine, sizes: Sizes = TINY) -> list[dict[str, Any]]:
    return measure.run_benchmarks(benchmarks.table(machine.kind, None), machine, sizes, lambda entry: None)


def arguments(**given: Any) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    measure.add_arguments(parser)
    return argparse.Namespace(**vars(parser.parse_args([])) | given)


# --- every benchmark runs --------------------------------------------------------------------------------


def test_every_gpu_benchmark_runs_and_the_record_is_valid(monkeypatch, tmp_path: Path) -> None:
    machine = stand_in(monkeypatch)
    results = all_results(machine)
    assert [r for r in results if "error" in r] == []
    assert {r["name"] for r in results} == set(benchmarks.GPU)
    measure.write(tmp_path / "gpu.json", measure.record(machine, results))
    (device,) = recorded.recorded(tmp_path)
    assert device.device == "NVIDIA Test 9000"
    assert device.bandwidth > 0 and device.peak_float32 > 0
    assert len(device.find("photo", filter="blur")) == len(TINY.image)


def test_every_cpu_benchmark_runs(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(measured_machine, "_torch", lambda device="cpu": Torch())
    machine = replace(measured_machine.cpu_machine(), cache_bytes=1024, cores=3)
    results = all_results(machine)
    assert [r for r in results if "error" in r] == []
    assert {r["name"] for r in results} == set(benchmarks.CPU)


def test_every_function_of_the_tables_has_a_sentence() -> None:
    functions = [*benchmarks.GPU.values(), *benchmarks.CPU.values()]
    assert all((f.__doc__ or "").strip().endswith(".") for f in functions)


@pytest.mark.parametrize("xp", ["nothing", "cupy_sim"])
def test_a_rehearsal_on_the_simulator_says_so(xp: str, monkeypatch, tmp_path: Path, capsys) -> None:
    chosen = backend.Backend("simulator", "asked for", "2 CPU cores", "asked")
    monkeypatch.setattr(backend, "choose", lambda: chosen)
    monkeypatch.setattr(measure, "FULL", TINY)
    if xp == "nothing":  # not one array function: everything fails, and the file is still written
        monkeypatch.setattr(backend, "array_module", lambda: SimpleNamespace(__name__="nothing"))
    status = measure.run(arguments(out=tmp_path))
    printed = capsys.readouterr().out
    assert "rehearsal" in printed
    assert "pixel/s" not in printed and "B/s" not in printed  # the simulator shows no rate and no time
    content = recorded.read(tmp_path / "simulator.json")
    names = {r["name"] for r in content["results"] if "error" in r}
    if xp == "nothing":
        assert status == 1 and all("error" in r for r in content["results"])
    else:  # only a GPU has pinned memory, a driver that allocates, and a clock to wait for
        assert status == 0 and names == {"transfer", "allocation", "queue depth"}
    with pytest.raises(recorded.RecordError, match="rehearsal on the simulator"):
        recorded.recorded(tmp_path)


# --- what is counted -------------------------------------------------------------------------------------


def cases(function: Any, machine: Machine) -> list[Case]:
    return list(function(machine, TINY))


def test_a_copy_counts_bytes_read_and_written(monkeypatch) -> None:
    for case in cases(benchmarks.copy, stand_in(monkeypatch)):
        assert case.work == 2 * case.parameters["bytes"] and case.unit == "B"


def test_the_largest_copy_is_past_the_cache_and_within_the_memory(monkeypatch) -> None:
    machine = stand_in(monkeypatch)
    sizes = [case.parameters["bytes"] for case in cases(benchmarks.copy, machine)]
    assert max(sizes) == 16 * 1024
    caches = [case.parameters["cache"].split(":")[0] for case in cases(benchmarks.copy, machine)]
    assert caches == ["warm", "cold", "cold"]
    assert replace(machine, memory_bytes=4096).past_cache == 256


def test_a_matrix_product_counts_two_n_cubed() -> None:
    machine = Machine("cpu", "x", np, lambda: None, 1)
    assert {c.parameters["n"]: c.work for c in cases(benchmarks.matrix_product, machine)} == {2: 16, 4: 128}


def test_a_transfer_moves_the_bytes_it_counts(monkeypatch) -> None:
    made = cases(benchmarks.transfer, stand_in(monkeypatch))
    assert {(c.parameters["direction"], c.parameters["memory"]) for c in made} == {
        (direction, memory)
        for direction in ("host to device", "device to host")
        for memory in ("pageable", "pinned")
    }
    for case in made:
        assert case.prepare()().__class__ in (type(None), np.ndarray)
        assert case.work == case.parameters["bytes"]


def test_torch_products_run_in_their_own_precision_and_leave_none_behind(monkeypatch) -> None:
    machine = stand_in(monkeypatch)
    list(measure_one("product", benchmarks.matrix_product_torch, machine, TINY))
    assert machine.torch.products == {
        ("cuda", "float32", "highest"),
        ("cuda", "float32", "high"),  # tf32
        ("cuda", "float16", "highest"),
        ("cuda", "bfloat16", "highest"),
    }
    assert machine.torch.precision == "highest"


def test_real_torch_products_run_on_the_cpu() -> None:
    torch = pytest.importorskip("torch")
    machine = Machine("cpu", "x", np, lambda: None, 1, torch=torch)
    entries = list(measure_one("product", benchmarks.matrix_product_torch, machine, TINY))
    assert len(entries) == 4 and all(entry["rate"] > 0 for entry in entries)


def test_an_asynchronous_call_is_timed_with_and_without_waiting(monkeypatch) -> None:
    monkeypatch.setattr(backend, "synchronize", lambda: None)
    returned, done = cases(launches.asynchrony, stand_in(monkeypatch))
    assert (returned.options.get("synchronize"), "synchronize" in done.options) == (False, False)


def test_the_queue_is_full_at_the_first_launch_that_waits() -> None:
    times = iter([0, 1e-6, 2e-6, 3e-6, 0.2, 0.200001])
    launched: list[str] = []
    depth = launches.launches_before_a_wait(
        lambda: launched.append("busy"), lambda: launched.append("empty"), 5, clock=lambda: next(times)
    )
    assert depth == 3
    assert launched == ["busy", *["empty"] * 5]


def test_a_queue_that_never_fills_gives_none() -> None:
    assert launches.launches_before_a_wait(lambda: None, lambda: None, 4, clock=lambda: 0.0) is None


# --- lesson 01's task ------------------------------------------------------------------------------------


def test_blur_is_scipy_s_mean_of_three_by_three() -> None:
    image = np.random.default_rng(0).random((9, 7), np.float32)
    expected = scipy.ndimage.uniform_filter(image.astype(np.float64), 3)[1:-1, 1:-1]
    np.testing.assert_allclose(photo.blur(np, image), expected, rtol=1e-5)
    np.testing.assert_allclose(photo.blur_loop(image.tolist()), expected, rtol=1e-6)


def test_brighten_scales_shifts_and_cuts_off() -> None:
    image = np.array([[0.0, 0.25, 0.75, 1.0], [-1.0, 0.5, 0.749, 0.2]], np.float32)
    expected = [[0.1, 0.4, 1.0, 1.0], [0.0, 0.7, 0.9988, 0.34]]
    result = photo.brighten(np, image)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-6)
    np.testing.assert_allclose(photo.brighten_loop(image.tolist()), expected, atol=1e-6)


def test_both_is_one_after_the_other() -> None:
    image = np.random.default_rng(2).random((6, 8), np.float32)
    bright = np.clip(1.2 * image.astype(np.float64) + 0.1, 0, 1)
    expected = scipy.ndimage.uniform_filter(bright, 3)[1:-1, 1:-1]
    np.testing.assert_allclose(photo.work(np, image), expected, rtol=1e-5)
    np.testing.assert_allclose(photo.work_loop(image.tolist()), expected, rtol=1e-6)


def test_bands_cover_every_row_once_and_the_neighbors_too() -> None:
    seen: list[slice] = []
    in_bands(seen.append, 10, 3)()
    assert sorted(i for band in seen for i in range(10)[band]) == list(range(10))
    image = np.random.default_rng(1).random((11, 5), np.float32)
    parts = in_bands(lambda rows: photo.blur(np, image[rows]), 11, 3, halo=2)()
    np.testing.assert_array_equal(np.concatenate(parts), photo.blur(np, image))


# --- failing, skipping, releasing ------------------------------------------------------------------------


def one_case(**changes: Any) -> Case:
    return replace(Case({"n": 1}, 1.0, "call", lambda: lambda: None), **changes)


def entries(machine: Machine, *made: Case, sizes: Sizes = TINY) -> list[dict[str, Any]]:
    return list(measure_one("trial", lambda machine, sizes: made, machine, sizes))


CPU = Machine("cpu", "x", np, lambda: None, 1)


def test_a_failing_case_becomes_an_error_and_the_next_is_measured() -> None:
    def broken() -> Any:
        raise MemoryError("out of memory: 80 GB wanted\nand a second line")

    failed, good = entries(CPU, one_case(prepare=broken), one_case())
    assert failed == {
        "name": "trial",
        "parameters": {"n": 1},
        "error": "MemoryError: out of memory: 80 GB wanted",
    }
    assert good["rate"] > 0


def test_an_error_without_words_still_reads() -> None:
    (failed,) = entries(CPU, one_case(prepare=lambda: lambda: [][1]))
    assert failed["error"] == "IndexError: list index out of range"
    (silent,) = entries(CPU, one_case(prepare=lambda: (_ for _ in ()).throw(ValueError())))
    assert silent["error"] == "ValueError: no message"


def test_a_benchmark_that_cannot_list_its_cases_is_one_error() -> None:
    (failed,) = measure_one("trial", lambda machine, sizes: 1 / 0, CPU, TINY)  # type: ignore[arg-type]
    assert failed["error"].startswith("ZeroDivisionError")


def test_the_pool_is_emptied_after_every_case_on_a_gpu(monkeypatch) -> None:
    cupy = Cupy()
    entries(stand_in(monkeypatch, cupy), one_case(), one_case(prepare=lambda: 1 / 0))
    assert cupy.freed == 2


def test_what_would_take_too_long_is_skipped() -> None:
    now = [0.0]

    def advance() -> None:
        now[0] += 1.0

    slow = {"prepare": lambda: advance, "options": {"clock": lambda: now[0]}, "series": "float64"}
    first, second, other = entries(
        CPU,
        one_case(work=1.0, **slow),
        one_case(work=1000.0, **slow),
        one_case(work=1000.0),
    )
    assert first["seconds"]["median"] == 1.0
    assert second["skipped"] == "one call was expected to take 1e+03 s"
    assert "rate" in other


def test_an_entry_holds_the_rate_and_the_spread() -> None:
    ticks = iter([0, 2, 10, 11, 20, 24, 30])  # runs of 2, 1 and 4 s
    options = {"clock": lambda: next(ticks), "synchronize": lambda: None}
    (entry,) = entries(CPU, one_case(work=10.0, unit="B", options=options))
    assert entry["seconds"] == {"median": 2, "low": 1.5, "high": 3, "runs": 3, "loops": 1}
    assert (entry["unit"], entry["work"], entry["rate"]) == ("B/s", 10, 5)


def test_a_setting_holds_while_the_case_runs() -> None:
    log: list[str] = []
    entries(CPU, one_case(setting=lambda: nullcontext(log.append("entered"))))
    assert log == ["entered"]


# --- the machine -----------------------------------------------------------------------------------------


def test_a_gpu_is_described_by_its_runtime(monkeypatch) -> None:
    facts = stand_in(monkeypatch).facts
    assert facts["multiprocessors"] == 132
    assert (facts["clock_hz"], facts["memory_clock_hz"]) == (1_980_000_000, 2_619_000_000)
    assert (facts["l2_bytes"], facts["memory_bus_bits"]) == (50 << 20, 5120)
    assert (facts["driver"], facts["driver_cuda"], facts["runtime_cuda"]) == ("580.95.05", "13.1", "13.0")
    assert facts["capability"] == "9.0"


def test_the_gpu_in_use_is_measured_when_there_is_one(monkeypatch) -> None:
    monkeypatch.setattr(measured_machine, "_torch", lambda device="cpu": None)
    monkeypatch.setattr(backend, "choose", lambda: backend.Backend("cupy", "a GPU", "NVIDIA Test 9000"))
    monkeypatch.setattr(backend, "array_module", Cupy)
    monkeypatch.setattr(backend, "gpu", lambda: None)
    machine = measured_machine.machine(cpu=False)
    assert (machine.kind, machine.device) == ("gpu", "NVIDIA Test 9000")
    assert "driver" not in machine.facts


def test_without_a_gpu_there_is_one_line_and_status_2(monkeypatch, tmp_path: Path, capsys) -> None:
    chosen = backend.Backend("simulator", "no NVIDIA driver was found", "2 CPU cores", "no-driver")
    monkeypatch.setattr(backend, "choose", lambda: chosen)
    assert measure.run(arguments(out=tmp_path)) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert "no NVIDIA driver was found" in err and "measure --cpu" in err
    assert list(tmp_path.iterdir()) == []


def test_versions_name_the_course_and_numpy() -> None:
    found = measured_machine.versions()
    assert found["numpy"] == np.__version__
    assert {"python", "gpucourse"} <= set(found)


def test_the_record_names_no_host_user_or_path(monkeypatch) -> None:
    import getpass
    import platform

    machine = stand_in(monkeypatch)
    text = json.dumps(measure.record(machine, []))
    for private in (platform.node(), str(Path.home()), str(Path.cwd())):
        assert private not in text
    assert f'"{getpass.getuser()}"' not in text


SLUGS = [
    ("NVIDIA H200", "gpu", "nvidia-h200"),
    ("NVIDIA GeForce RTX 4090", "gpu", "nvidia-geforce-rtx-4090"),
    ("Intel(R) Xeon(R) CPU @ 2.20GHz", "cpu", "intel-xeon-2-cores"),
    ("AMD EPYC 9654 96-Core Processor", "cpu", "amd-epyc-9654-96-core-processor-2-cores"),
]


@pytest.mark.parametrize(("device", "kind", "name"), SLUGS)
def test_the_file_is_named_after_the_device(device: str, kind: str, name: str) -> None:
    assert measure.slug(Machine(kind, device, np, lambda: None, 2)) == name


# --- the command -----------------------------------------------------------------------------------------


@pytest.fixture
def quick_cpu(monkeypatch) -> None:
    """Let the command measure the CPU in milliseconds."""
    machine = replace(measured_machine.cpu_machine(), torch=None, cache_bytes=1024)
    monkeypatch.setattr(measured_machine, "cpu_machine", lambda: machine)
    monkeypatch.setattr(measure, "FULL", TINY)
    monkeypatch.setattr(measure, "QUICK", TINY)


def test_the_command_writes_a_record_that_reads_back(quick_cpu, tmp_path: Path, capsys) -> None:
    out = tmp_path / "new" / "folder"
    assert measure.run(arguments(cpu=True, out=out)) == 0
    (path,) = out.iterdir()
    assert f"{path}: " in capsys.readouterr().out
    (device,) = recorded.recorded(out)
    assert device.kind == "cpu" and device.bandwidth > 0 and device.peak_float32 > 0


def test_a_quick_trial_is_not_a_record(quick_cpu, tmp_path: Path) -> None:
    assert measure.run(arguments(cpu=True, quick=True, out=tmp_path)) == 0
    with pytest.raises(recorded.RecordError, match="trial"):
        recorded.recorded(tmp_path)


def test_a_folder_that_cannot_be_written_to_is_one_line(quick_cpu, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(measure.CourseError, match=r"cannot write .*--out DIR"):
        measure.run(arguments(cpu=True, out=tmp_path / "file"))


def test_an_unknown_ladder_is_one_line_and_status_2(quick_cpu, tmp_path: Path, capsys) -> None:
    assert measure.run(arguments(cpu=True, ladder="rope", out=tmp_path)) == 2
    assert "no ladder 'rope'" in capsys.readouterr().err


def test_a_ladder_joins_the_device_s_file_and_replaces_its_own_older_rungs(
    quick_cpu, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(benchmarks.LADDERS, "toy", {"toy": lambda machine, sizes: [one_case()]})
    measure.run(arguments(cpu=True, out=tmp_path))
    (path,) = tmp_path.iterdir()
    before = len(recorded.read(path)["results"])
    for _ in range(2):
        assert measure.run(arguments(cpu=True, ladder="toy", out=tmp_path)) == 0
    assert len(recorded.read(path)["results"]) == before + 1
    assert len(recorded.recorded(tmp_path)[0].find("toy")) == 1


def test_a_ladder_that_is_there_is_named_in_the_error(monkeypatch) -> None:
    monkeypatch.setitem(benchmarks.LADDERS, "toy", {})
    with pytest.raises(NotBuiltYet, match=r"it has: coalescing, .*toy"):
        benchmarks.table("gpu", "rope")


def test_the_lines_printed_tell_rate_value_error_and_skip(capsys) -> None:
    base = {"name": "copy", "parameters": {"bytes": 8, "cache": "warm"}}
    rate = {"unit": "B/s", "work": 16, "rate": 2e12, "seconds": {"median": 8e-12}}
    for outcome in (rate, {"value": 1023, "unit": "count"}, {"error": "E: x"}, {"skipped": "too slow"}):
        measure.report(base | outcome)
    lines = capsys.readouterr().out.splitlines()
    endings = ("2e+12 B/s (0.00800 ns)", "1023", "error: E: x", "skipped: too slow")
    assert all(line.endswith(ending) for line, ending in zip(lines, endings, strict=True))
    assert all("bytes 8 " in line and "warm" not in line for line in lines)


@pytest.mark.parametrize("sizes", [FULL, QUICK])
def test_the_sizes_grow_and_end_at_the_lesson_s_image(sizes: Sizes) -> None:
    for name in ("copy", "transfer", "matrix", "allocation", "image"):
        values = getattr(sizes, name)
        assert list(values) == sorted(set(values))
    assert sizes.image[-1] ** 2 == 4 << 20
    assert sizes.repeat >= 3 and math.isfinite(sizes.patience)
