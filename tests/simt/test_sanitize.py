"""The sanitizer names each fault exactly, and is silent on look-alikes and on the whole conformance set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gpucourse.errors import LaunchError
from gpucourse.simt import sanitize
from gpucourse.simt.link import Program
from gpucourse.simt.memory import owner_of
from gpucourse.simt.sanitize import KINDS, Report, sanitize_launch
from tests.simt.conformance.catalogue import KERNELS, named
from tests.simt.conformance.kernel import Kernel, compare, seeded
from tests.simt.conformance.test_conformance import EXPECTED_FAILURES
from tests.simt.sanitizer_cases import CASES, Case

FAULTY = [case for case in CASES if case.kind]
SILENT = [case for case in CASES if case.like]
CONSTANT = "__constant__ float table[8] = {1, 2, 3};\n"


def run(case: Case) -> Report:
    arguments = case.arguments()
    blank = [(owner_of(arguments[n]), np.ones(arguments[n].nbytes, bool)) for n in case.blank]
    source = case.code.replace("#define T", CONSTANT.strip() + " \n#define T") if "table" in case.source else case.code
    shift = source.count("\n") - case.code.count("\n")
    report = sanitize_launch(Program(source), "k", case.grid, case.block, arguments, shared_bytes=case.shared_bytes,
                             uninitialised=blank, budget=40_000)  # fmt: skip
    moved = tuple(replace(f, line=f.line and f.line - shift) for f in report.findings)
    return replace(report, findings=moved)


@pytest.mark.parametrize("case", FAULTY, ids=lambda case: case.name)
def test_fault_is_named(case: Case) -> None:
    report = run(case)
    assert set(report.kinds) - set(case.again) == {case.kind}, str(report)
    finding = next(f for f in report.findings if f.kind == case.kind)
    assert finding.line == case.line("//!"), str(report)
    assert case.line("//<") in (None, finding.other_line), str(report)
    assert case.array in (None, finding.array), str(report)
    assert case.index in (None, finding.index), str(report)
    assert finding.block is not None and finding.thread is not None
    assert finding.kind in str(report) and f"line {finding.line}" in str(report)


@pytest.mark.parametrize("case", SILENT, ids=lambda case: case.name)
def test_look_alike_is_silent(case: Case) -> None:
    report = run(case)
    assert report.ok, str(report)


def test_each_kind_has_three_faulty_kernels_and_three_look_alikes() -> None:
    for kind in KINDS:
        assert sum(case.kind == kind for case in CASES) >= 3, kind
        assert sum(case.like == kind for case in CASES) >= 3, kind


def _sanitized(kernel: Kernel) -> tuple[Report, list[object]]:
    program = Program(kernel.source, kernel.options, kernel.name_expressions)
    for symbol, value in kernel.constants.items():
        program.variable(symbol)[:] = value.view(np.uint8).ravel()
    arguments = seeded(kernel)
    report = sanitize_launch(program, kernel.entry, kernel.grid, kernel.block, arguments,
                             shared_bytes=kernel.shared_bytes, budget=300_000)  # fmt: skip
    return report, arguments


def _runs(kernel: Kernel) -> bool:
    return kernel.name not in EXPECTED_FAILURES and "simulator" not in kernel.skip


@pytest.mark.parametrize("kernel", [k for k in KERNELS if _runs(k) and not k.fault], ids=lambda k: k.name)
def test_no_alarm_on_a_correct_kernel(kernel: Kernel) -> None:
    report, arguments = _sanitized(kernel)
    assert report.ok, str(report)
    compare(kernel, arguments, report.printed)


@pytest.mark.parametrize("kernel", [k for k in KERNELS if _runs(k) and k.fault], ids=lambda k: k.name)
def test_faults_of_the_set_become_findings(kernel: Kernel) -> None:
    assert not _sanitized(kernel)[0].ok


# kernel, how many of its barriers can be deleted, and are each missed at once
BARRIERS = (
    ("matmul_tiled_16", 2), ("sum_sequential", 2), ("sum_interleaved_divergent", 2), ("scan_hillis_steele", 2),
    ("softmax_shared", 4), ("transpose_tiled_padded", 1), ("matmul_double_buffer", 2), ("bitonic_sort_shared", 2),
)  # fmt: skip


@pytest.mark.parametrize(("name", "least"), BARRIERS, ids=[name for name, _ in BARRIERS])
def test_a_deleted_barrier_is_a_race_with_both_threads(name: str, least: int) -> None:
    kernel, text = named(name), "__syncthreads();"
    starts = [i for i in range(len(kernel.source)) if kernel.source.startswith(text, i)]
    assert len(starts) >= least
    for start in starts:
        without = kernel.source[:start] + " " * len(text) + kernel.source[start + len(text) :]
        report, _ = _sanitized(replace(kernel, source=without))
        races = [f for f in report.findings if f.kind in (sanitize.RACE, sanitize.MISSING_SYNCWARP)]
        assert races, f"{name}: barrier at {start} deleted, nothing found"
        assert all(f.thread != f.other_thread and f.line and f.other_line for f in races)


def test_threads_of_a_race_are_real() -> None:
    case = next(c for c in CASES if c.name == "no barrier after the tile is filled")
    finding = run(case).findings[0]
    # thread t reads a[63 - t], which thread 63 - t wrote
    assert finding.thread is not None and finding.other_thread is not None and finding.index is not None
    assert finding.thread[0] == 63 - finding.index and finding.other_thread[0] == finding.index


def test_the_results_are_those_of_a_plain_run() -> None:
    kernel = named("matmul_tiled_16")
    report, arguments = _sanitized(kernel)
    assert report.ok
    compare(kernel, arguments)


def test_a_launch_that_no_gpu_takes_is_refused_as_ever() -> None:
    program = Program('extern "C" __global__ void k(float* x) { x[0] = 1; }')
    with pytest.raises(LaunchError, match="1025"):
        sanitize_launch(program, "k", (1,), (1025,), [np.zeros(1, np.float32)])
    with pytest.raises(LaunchError, match=r"49,?152"):
        sanitize_launch(program, "k", (1,), (1,), [np.zeros(1, np.float32)], shared_bytes=49_153)


def test_too_many_threads_to_follow_is_said() -> None:
    program = Program('extern "C" __global__ void k(float* x) { if (x == 0) x[0] = 1; }')
    with pytest.raises(LaunchError, match="smaller grid"):
        sanitize_launch(program, "k", (100_000,), (1024,), [np.zeros(1, np.float32)])


def test_report_quotes_the_source() -> None:
    case = next(c for c in CASES if c.name == "one too far")
    report = run(case)
    assert "y[I + 1] = x[I];" in str(report)
    assert "&lt;" not in str(report) and "<pre" in report._repr_html_()


MANY_WAVES = r"""
extern "C" __global__ void copy(const float* x, float* out) {
    __shared__ float tile[18][18];
    for (int y = threadIdx.y; y < 18; y += 16)
        for (int c = threadIdx.x; c < 18; c += 16)
            tile[y][c] = x[y * 18 + c];
    __syncthreads();
    out[(blockIdx.x * 16 + threadIdx.y) * 16 + threadIdx.x] = tile[threadIdx.y + 1][threadIdx.x + 1];
}"""


def test_the_shared_memory_of_later_blocks_is_not_that_of_earlier_ones() -> None:
    """A wave that is over may leave its address in Python's memory to a later one."""
    x, out = np.arange(18 * 18, dtype=np.float32), np.zeros((1000, 16, 16), np.float32)
    reports = [sanitize_launch(Program(MANY_WAVES), "copy", (1000,), (16, 16), (x, out)) for _ in range(4)]
    assert all(report.ok for report in reports)


READ_THEN_WRITE = """extern "C" __global__ void k(float* x, int n) {
    int t = threadIdx.x, own = blockIdx.x * 32 + t;
    float v = 0;
    for (int d = 1; d <= n; d++) v += x[(own + 32 * d) % (32 * gridDim.x)];
    x[own] = v + 1;
}"""


# each element is written by one block, after `readers` threads of other blocks have read it
@pytest.mark.parametrize(("readers", "count"), [(1, 4 * 32), (2, 4 * 2 * 32)])
def test_a_pair_that_conflicts_counts_once(readers: int, count: int) -> None:
    x = np.arange(4 * 32, dtype=np.float32)
    report = sanitize_launch(Program(READ_THEN_WRITE), "k", (4,), (32,), [x, np.int32(readers)])
    assert [(f.kind, f.count) for f in report.findings] == [(sanitize.RACE_BETWEEN_BLOCKS, count)], str(report)
