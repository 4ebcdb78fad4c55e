"""The agreement script without a GPU: CuPy's place is taken by its simulator, ncu's by text in its format."""

from __future__ import annotations

import ctypes
import json
import os
import sys
from dataclasses import replace

import numpy as np
import pytest

gpu_agreement = pytest.importorskip("gpu_agreement")
import gpu_counters  # noqa: E402
from gpu_agreement import Outcome, Row, compare_one  # noqa: E402
from gpu_counters import METRICS, PATTERNS, NoCounters  # noqa: E402
from gpucourse.errors import OutOfBounds, SimulatorLacks  # noqa: E402
from tests.fake_cupy import fake_cupy  # noqa: E402
from tests.simt.conformance.catalogue import named  # noqa: E402

EXACT, CLOSE = "constant_memory", "matmul_naive"


@pytest.fixture(scope="module")
def gpu():
    return gpu_agreement.on_gpu(fake_cupy())


# --- one kernel --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [EXACT, CLOSE, "printf_formats", "matmul_tiled_16", "sha256_one_block",
                                  "struct_argument"])  # fmt: skip
def test_a_kernel_that_both_run_right_agrees(gpu, name):
    row = compare_one(_named(name), gpu)
    assert row == Row(_named(name).name, "agrees", "agrees", "agrees", "same bits")


def _named(name):
    """The kernel; where it bears another name, the first that takes a structure by value."""
    from tests.simt.conformance.catalogue import KERNELS
    from tests.simt.conformance.kernel import seeded

    if name != "struct_argument":
        return named(name)
    return next(k for k in KERNELS if any(isinstance(value, np.void) for value in seeded(k)))


def wrong(engine, change):
    """An engine whose results are changed after the launch."""
    def run(kernel):
        done = engine(kernel)
        outputs = [i for i in kernel.expected(gpu_agreement._seeded(kernel))]
        change(done.arguments[outputs[0]])
        return done

    return run


def flip(array):
    array.view(np.uint8)[3] ^= 0x40


@pytest.mark.parametrize("name", [EXACT, CLOSE])
def test_a_wrong_result_of_the_gpu_differs_from_oracle_and_simulator(gpu, name):
    row = compare_one(named(name), wrong(gpu, flip))
    assert row.outcome == "differs" and row.simulator == "agrees"
    assert row.gpu.startswith(f"differs: {name}: argument") or "Mismatch" in row.gpu
    assert row.between.startswith("differs: ")


def test_a_wrong_result_of_the_simulator_differs(gpu):
    row = compare_one(named(CLOSE), gpu, wrong(gpu_agreement.on_simulator, flip))
    assert (row.outcome, row.gpu) == ("differs", "agrees")
    assert row.simulator.startswith("differs: ") and row.between.startswith("differs: ")


def test_both_wrong_alike_is_no_agreement(gpu):
    row = compare_one(named(EXACT), wrong(gpu, flip), wrong(gpu_agreement.on_simulator, flip))
    assert (row.outcome, row.between) == ("differs", "same bits")


def test_an_argument_that_was_not_to_be_written_counts(gpu):
    def run(kernel):
        done = gpu(kernel)
        done.arguments[0][0] += 1
        return done

    assert compare_one(named(CLOSE), run).outcome == "differs"


def test_last_bits_are_within_tolerance_where_the_kernel_has_one(gpu):
    def nudge(array):
        array[0] = np.nextafter(array[0], np.float32(np.inf))

    assert compare_one(named(CLOSE), wrong(gpu, nudge)).between == "within tolerance"
    assert compare_one(named(EXACT), wrong(gpu, nudge)).outcome == "differs"


def test_text_that_was_not_printed_differs(gpu):
    row = compare_one(named("printf_formats"), lambda kernel: Outcome(gpu(kernel).arguments, "hello"))
    assert row.outcome == "differs" and "printed text" in row.gpu


def test_what_the_simulator_lacks_is_no_disagreement_unless_the_gpu_is_wrong_too(gpu):
    def lacking(kernel):
        raise SimulatorLacks("a tensor core")

    def faulty(kernel):
        raise OutOfBounds("reads beyond")

    assert compare_one(named(EXACT), gpu, lacking).outcome == "simulator lacks"
    assert compare_one(named(EXACT), wrong(gpu, flip), lacking).outcome == "differs"
    assert compare_one(named(EXACT), gpu, faulty).outcome == "differs"


def test_kernels_that_would_end_the_context_are_not_launched():
    row = compare_one(named("trap_on_negative"), gpu=None)
    assert row == Row("trap_on_negative", "skipped", "a trap ends the CUDA context")


# --- packages that oracles need ----------------------------------------------------------------------


def test_a_module_can_import_what_is_not_there_and_calling_it_names_the_package():
    with gpu_agreement.stand_ins(("absent_package", "absent_package.linear")):
        from absent_package import linear
        from absent_package.linear import solve
    assert "absent_package" not in sys.modules
    for function in (solve, linear.inner.solve):
        with pytest.raises(gpu_agreement.AbsentPackage, match="absent_package is not installed"):
            function(1)


def test_without_its_oracle_a_kernel_is_compared_with_the_simulator_only(gpu):
    missing = gpu_agreement.Absent("torch.nn")
    kernel = replace(named(CLOSE), expected=lambda a: missing.relu(a))
    row = compare_one(kernel, gpu)
    assert row == Row(CLOSE, "agrees", *["no oracle: torch is not installed"] * 2, "same bits")
    assert compare_one(kernel, gpu, wrong_first_array).outcome == "differs"
    assert compare_one(replace(kernel, arguments=lambda rng: missing.rand(3)), gpu).outcome == "skipped"


def wrong_first_array(kernel):
    done = gpu_agreement.on_simulator(kernel)
    done.arguments[2][5] += 1
    return done


def test_packages_that_are_here_are_left_alone():
    with gpu_agreement.stand_ins(("json",)):
        assert sys.modules["json"] is json


def test_captured_text_holds_what_c_and_python_print(capfd):
    with gpu_agreement.captured() as printed:
        ctypes.CDLL(None).printf(b"from C %d\n", 7)
        print("from Python")
    assert sorted(printed().split("\n")) == ["", "from C 7", "from Python"]
    os.write(1, b"after")
    assert capfd.readouterr().out == "after"


# --- all kernels -------------------------------------------------------------------------------------


def children(behaviour):
    """A stand-in for starting a child: `behaviour` maps a kernel to what happens at it."""
    starts = []

    def start(names, rows, seconds):
        starts.append(list(names))
        with rows.open("a") as file:
            for name in names:
                if behaviour.get(name) == "crash":
                    return "ended the process with status -11"
                outcome = "failed" if behaviour.get(name) == "lose" else "agrees"
                file.write(json.dumps({"name": name, "outcome": outcome}) + "\n")
                if behaviour.get(name) == "lose":
                    return "ended"
        return "ended the process with status 0"

    return start, starts


def test_a_crash_marks_its_kernel_and_the_rest_still_run():
    start, starts = children({"b": "crash", "d": "lose", "e": "crash"})
    rows = gpu_agreement.run_kernels(list("abcdef"), start)
    assert [row.name for row in rows] == list("abcdef")
    assert [row.name for row in rows if row.outcome == "failed"] == list("bde")
    assert "status -11" in rows[1].gpu
    assert [names[0] for names in starts] == ["a", "c", "e", "f"]


def test_when_time_is_over_the_rest_is_said_to_have_not_run():
    rows = gpu_agreement.run_kernels(["a", "b"], children({})[0], patience=0)
    assert [row.gpu for row in rows] == ["not run: 0 s were over"] * 2


class Broken:
    """A CUDA context that has ended."""

    ndarray = np.ndarray

    __spec__ = None

    def __getattr__(self, name):
        raise RuntimeError("cudaErrorIllegalAddress")


def test_a_child_writes_a_row_a_kernel_and_stops_when_the_context_is_lost(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy())
    gpu_agreement.run_child([CLOSE, EXACT], tmp_path / "good")
    written = [json.loads(line) for line in (tmp_path / "good").read_text().splitlines()]
    assert {row["name"]: row["outcome"] for row in written} == {CLOSE: "agrees", EXACT: "agrees"}
    monkeypatch.setitem(sys.modules, "cupy", Broken())
    gpu_agreement.run_child([CLOSE, EXACT], tmp_path / "lost")
    (only,) = [json.loads(line) for line in (tmp_path / "lost").read_text().splitlines()]
    assert only["outcome"] == "failed" and "cudaErrorIllegalAddress" in only["gpu"]


# --- counters ----------------------------------------------------------------------------------------

#: (loads: requests, sectors; stores: requests, sectors; shared wavefronts: loads, stores), by hand: 16 warps each.
BY_HAND = {
    "load_in_order": (16, 16 * 4, 16, 16 * 4, 0, 0),
    "load_one_beyond": (16, 16 * 5, 16, 16 * 4, 0, 0),      # 128 bytes that begin 4 bytes late
    "load_eight_beyond": (16, 16 * 4, 16, 16 * 4, 0, 0),    # 32 bytes late: a sector's border
    "load_stride_2": (16, 16 * 8, 16, 16 * 4, 0, 0),
    "load_stride_32": (16, 16 * 32, 16, 16 * 4, 0, 0),
    "load_one_of_all": (16, 16, 16, 16 * 4, 0, 0),
    "load_8_bit": (16, 16, 16, 16, 0, 0),
    "load_128_bit": (16, 16 * 16, 16, 16 * 16, 0, 0),
    "store_stride_8": (16, 16 * 4, 16, 16 * 32, 0, 0),
    "partial_warp_16": (4, 4 * 2, 4, 4 * 2, 0, 0),
    "lower_half_warp": (16, 16 * 2, 16, 16 * 2, 0, 0),
    "shared_in_order": (16, 64, 16, 64, 16, 16),
    "shared_stride_2": (16, 64, 16, 64, 16 * 2, 16 * 2),
    "shared_stride_3": (16, 64, 16, 64, 16, 16),            # odd strides meet every bank once
    "shared_stride_32": (16, 64, 16, 64, 16 * 32, 16 * 32),
    "shared_64_bit": (16, 128, 16, 128, 16 * 2, 16 * 2),    # two halves of a warp
    "shared_128_bit": (16, 256, 16, 256, 16 * 4, 16 * 4),
    "tile_column": (32, 128, 32, 128, 32 * 32, 32 * 32),
    "tile_column_padded": (32, 128, 32, 128, 32, 32),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_patterns_are_what_their_names_say(name):
    pattern = next(p for p in PATTERNS if p.name == name)
    values = gpu_counters.predicted(pattern)
    assert tuple(values.values())[:6] == BY_HAND[name]
    assert list(values) == list(METRICS)


def test_every_pattern_launches_through_cupy():
    launched = []

    class Cupy:
        uint8, cuda = np.uint8, fake_cupy().cuda

        def __getattr__(self, name):
            return getattr(fake_cupy(), name)

        def RawKernel(self, source, name):
            launched.append(name)
            return fake_cupy().RawKernel(source, name)

    gpu_counters.launch_all(Cupy())
    assert launched == [p.name for p in PATTERNS] and len(set(launched)) == len(launched)


HEAD = '"ID","Process ID","Process Name","Host Name","Kernel Name","Context","Stream","Block Size","Grid Size",' \
       '"Device","CC","Section Name","Metric Name","Metric Unit","Metric Value"'  # fmt: skip


def line(number, kernel, metric, value):
    return f'"{number}","4711","python3.12","127.0.0.1","{kernel}","1","7","(128, 1, 1)","(4, 1, 1)","0","9.0",' \
           f'"Command line profiler metrics","{metric}","","{value}"'  # fmt: skip


RECORDED = "\n".join([
    '==PROF== Connected to process 4711 (/usr/bin/python3.12)',
    '==PROF== Profiling "load_in_order" - 0: 0%....50%....100% - 3 passes',
    'a "quoted" word of the program',
    '==PROF== Disconnected from process 4711',
    HEAD,
    line(0, "cupy_copy__float32_float32(CArray<float>)", METRICS["global_load_sectors"], "99"),
    line(1, "load_in_order(const float *, float *)", METRICS["global_load_sectors"], "64"),
    line(1, "load_in_order(const float *, float *)", METRICS["active_lanes"], "32"),
    line(1, "load_in_order(const float *, float *)", "smsp__inst_executed.sum", "5"),
    line(2, "tile_column", METRICS["shared_load_wavefronts"], "1,024"),
    line(2, "tile_column", METRICS["shared_store_wavefronts"], "n/a"),
    line(3, "every_other_lane", METRICS["active_lanes"], "21.33"),
])  # fmt: skip


def test_csv_is_read_amid_messages_with_thousands_and_gaps():
    found = gpu_counters.read_csv(RECORDED)
    assert found["load_in_order"] == {"global_load_sectors": 64, "active_lanes": 32}
    assert found["tile_column"] == {"shared_load_wavefronts": 1024}
    assert gpu_counters.read_csv("==PROF== nothing") == {}


def test_ncu_is_asked_for_every_metric_and_leaves_the_clocks_alone():
    asked = []

    def run(command):
        asked.extend(command)
        return 0, RECORDED

    found = gpu_counters.counted("/x/ncu", ["python", "script"], run)
    assert found["tile_column"]["shared_load_wavefronts"] == 1024
    assert asked[:4] == ["/x/ncu", "--clock-control", "none", "--csv"] and asked[-2:] == ["python", "script"]
    assert asked[asked.index("--metrics") + 1].split(",") == list(METRICS.values())


@pytest.mark.parametrize(("ncu", "answer", "reason"), [
    (None, (0, ""), "not installed"), ("ncu", (1, "==ERROR== ERR_NVGPUCTRPERM - The user"), "may not read"),
    ("ncu", (9, "==ERROR== Failed to initialize the profiler: LibraryNotLoaded"), "LibraryNotLoaded"),
    ("ncu", (124, "ncu took longer than 180 s"), "status 124 .* took longer"), ("ncu", (0, ""), "counted nothing"),
])  # fmt: skip
def test_why_there_are_no_counters(ncu, answer, reason):
    with pytest.raises(NoCounters, match=reason):
        gpu_counters.counted(ncu, ["python"], lambda command: answer)


def hardware(**changes):
    values = {p.name: dict(zip(METRICS, (16, 64, 16, 64, 0, 0, 32), strict=True)) for p in PATTERNS}
    for name, change in changes.items():
        values[name] |= change
    return values


def same(pattern):
    return dict(zip(METRICS, (16, 64, 16, 64, 0, 0, 32.0), strict=True))


def test_equal_counters_agree_and_an_unequal_one_does_not():
    rows = gpu_counters.side_by_side(hardware(), same)
    assert {row.agrees for row in rows if row.judged} == {True}
    assert {row.counter for row in rows} == set(METRICS) - {"shared_load_wavefronts", "shared_store_wavefronts"}
    changed = hardware(load_in_order={"global_load_sectors": 65}, load_stride_2={"shared_load_wavefronts": 3})
    rows = gpu_counters.side_by_side(changed, same)
    assert [(r.pattern, r.counter) for r in rows if r.agrees is False] == [
        ("load_in_order", "global_load_sectors"), ("load_stride_2", "shared_load_wavefronts")]  # fmt: skip


def test_active_lanes_are_judged_only_where_the_assembler_cannot_change_them():
    rows = gpu_counters.side_by_side(hardware(every_other_lane={"active_lanes": 20.0}), same)
    (odd,) = [r for r in rows if r.pattern == "every_other_lane" and r.counter == "active_lanes"]
    assert odd.agrees is None and odd.hardware == 20.0
    rows = gpu_counters.side_by_side(hardware(partial_warp_48={"active_lanes": 20.0}), same)
    assert [r.pattern for r in rows if r.agrees is False] == ["partial_warp_48"]


def test_a_counter_that_hardware_does_not_give_is_not_judged():
    rows = gpu_counters.side_by_side({}, same)
    assert {row.agrees for row in rows} == {None}


# --- the whole run -----------------------------------------------------------------------------------

FACTS = {"device": "NVIDIA H200", "driver": "580.1", "date": "2026-01-02"}


@pytest.fixture
def with_a_gpu(monkeypatch):
    """Everything but the hardware: children run in this process, on the stand-in."""
    def start(names, rows, seconds):
        gpu_agreement.run_child(names, rows)
        return "ended"

    monkeypatch.setitem(sys.modules, "cupy", fake_cupy())
    monkeypatch.setattr(gpu_agreement, "device_facts", lambda: FACTS)
    monkeypatch.setattr(gpu_agreement, "counters", lambda: (gpu_counters.side_by_side(hardware(), same), ""))
    monkeypatch.setattr(gpu_agreement.run_kernels, "__defaults__", (start, 100))


def test_one_call_writes_both_files(with_a_gpu, tmp_path, capsys):
    assert gpu_agreement.main(["--out", str(tmp_path / "agreement"), "--only", EXACT, CLOSE]) == 0
    data = json.loads((tmp_path / "agreement" / "nvidia-h200.json").read_text())
    assert data["summary"]["kernels"] == {"agrees": 2} and data["driver"] == "580.1"
    assert data["summary"]["counters"]["agree"] > 100 and data["metrics"] == METRICS
    text = (tmp_path / "agreement" / "nvidia-h200.md").read_text()
    assert text.startswith("# The simulator beside NVIDIA H200") and f"| {CLOSE} | agrees |" in text
    assert "do not agree" not in text and "**no**" not in text
    assert "2 agrees" in capsys.readouterr().out


def test_a_disagreement_is_shown_first_and_is_the_exit_status(with_a_gpu, tmp_path, monkeypatch):
    rows = gpu_counters.side_by_side(hardware(load_in_order={"global_load_sectors": 63}), same)
    monkeypatch.setattr(gpu_agreement, "counters", lambda: (rows, ""))
    assert gpu_agreement.main(["--out", str(tmp_path), "--only", EXACT]) == 1
    assert "| load_in_order | global_load_sectors | 64 | 63 | **no** |" in (tmp_path / "nvidia-h200.md").read_text()
    report = gpu_agreement.Report(FACTS, [Row("a", "differs", "differs: x | y")], [], "no ncu here")
    assert report.disagreements == 1
    assert "no ncu here" in report.as_markdown() and "x \\| y" in report.as_markdown()


def test_without_a_gpu_it_says_so_in_one_line_and_does_nothing(monkeypatch, tmp_path, capsys):
    from gpucourse import backend

    monkeypatch.setattr(backend, "choose", lambda: backend.Backend("simulator", "no NVIDIA driver was found", "CPU"))
    assert gpu_agreement.main(["--out", str(tmp_path / "nothing")]) == 0
    assert capsys.readouterr().out == (
        "There is no GPU to compare with: no NVIDIA driver was found. Nothing was done.\n")  # fmt: skip
    assert not (tmp_path / "nothing").exists()


def test_a_name_that_no_kernel_has_is_refused(with_a_gpu, capsys):
    with pytest.raises(SystemExit):
        gpu_agreement.main(["--only", "no_such_kernel"])
    assert "no kernel 'no_such_kernel'" in capsys.readouterr().err
