"""The fuzzer itself: its programs are well-formed, its judgement notices what it must, its worker survives."""

from __future__ import annotations

import json
import random
import sys

import numpy as np
import pytest

fuzz_simt = pytest.importorskip("fuzz_simt")
import fuzz_mutations  # noqa: E402
from fuzz_programs import ProgramWriter  # noqa: E402
from fuzz_simt import Case, Result, Tally, Worker, run_case  # noqa: E402

ADDS = """extern "C" __global__ void k(int* oi, long long* ol, float* of, double* od, const int* x, const float* y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x; %s
}"""


@pytest.mark.parametrize("seed", range(4))
def test_random_programs_give_the_same_on_every_way(seed):
    text = ProgramWriter(random.Random(seed), 64).text()
    assert run_case(Case("program", text, threads=64)) == Result("ran")


def test_a_program_that_depends_on_the_order_of_warps_is_found():
    race = ADDS % "__shared__ int last; last = threadIdx.x; oi[i] = last; __syncthreads(); oi[i] += last;"
    found = [run_case(Case("program", race, seed=seed, threads=128)) for seed in range(4)]
    assert any(result.outcome == "FIND: results differ" for result in found)


def test_a_program_that_does_not_compile_or_faults_is_found():
    for body in ("nonsense;", "oi[1 << 29] = 1;"):
        assert run_case(Case("program", ADDS % body)).is_find


@pytest.mark.parametrize(("text", "outcome"), [
    ("ret;", "ran"), ("trap;", "Trapped"), ("no.such.opcode %r1;", "SimulatorLacks"), ("]", "PtxError"),
    ("st.global.u8 [%rd3], %rs1;", "OutOfBounds"), ("L: bra L;", "BudgetExceeded"),
])  # fmt: skip
@pytest.mark.parametrize("mode", fuzz_simt.MODES)
def test_errors_of_the_course_are_accepted(text, outcome, mode):
    result = run_case(Case("random ptx", fuzz_mutations.RANDOM_PTX.format(body=text), mode))
    assert result.outcome == outcome or mode == "sanitize"
    assert not result.is_find


def test_another_exception_is_a_find_with_its_place(monkeypatch):
    from gpucourse.simt import link

    monkeypatch.setattr(link, "parse", lambda text: {}["missing"])
    result = run_case(Case("random ptx", "anything"))
    assert result.outcome == "FIND: KeyError" and result.place.startswith("KeyError link.py:")
    assert "missing" in result.detail


def test_a_trace_that_fails_is_not_taken_for_unfit_ptx(monkeypatch):
    from gpucourse.simt import metrics

    def broken(*_):
        raise ValueError("a mistake in the profiler")

    monkeypatch.setitem(metrics._COUNTERS, "global", broken)
    text = fuzz_mutations.RANDOM_PTX.format(body="st.global.u32 [%rd1], %r1;")
    assert run_case(Case("random ptx", text, "profile")).is_find
    assert run_case(Case("random ptx", text, "lockstep")).outcome == "ran"


def test_mutants_borrow_the_launch_of_their_kernel():
    kernel = fuzz_simt.conformance()["constant_memory"]
    assert run_case(Case("cuda mutant", kernel.source, kernel=kernel.name)).outcome == "ran"
    assert run_case(Case("ptx mutant", fuzz_simt._ptx_of(kernel.name), kernel=kernel.name)).outcome == "ran"


def test_cases_depend_on_seed_and_number_only():
    kinds = list(fuzz_simt.KINDS)
    made = [fuzz_simt.make(number, 5, kinds) for number in range(40)]
    assert made == [fuzz_simt.make(number, 5, kinds) for number in range(40)]
    assert made != [fuzz_simt.make(number, 6, kinds) for number in range(40)]
    assert {case.kind for case in made} >= {"ptx mutant", "random ptx"}


def test_mutations_change_the_text():
    source = fuzz_simt.conformance()["matmul_naive"].source
    ptx = fuzz_simt._ptx_of("matmul_naive")
    for change, text in ((fuzz_mutations.mutated_cuda, source), (fuzz_mutations.mutated_ptx, ptx)):
        texts = {change(text, random.Random(seed)) for seed in range(50)}
        assert len(texts - {text}) > 35


# --- the worker and the tally ------------------------------------------------------------------------

CHILD = """
import json, os, sys, time
for line in sys.stdin:
    case = json.loads(line)
    for word in case["text"].split():
        if word == "die": os._exit(3)
        if word == "sleep": time.sleep(60)
        if word == "answer": print(json.dumps({"outcome": "ran", "detail": str(os.getpid())}), flush=True)
        if word in ("compile", "run"): print(json.dumps({"stage": word}), flush=True)
"""


@pytest.fixture
def worker():
    made = Worker([sys.executable, "-c", CHILD])
    yield made
    made.stop()


@pytest.mark.parametrize(("kind", "text", "outcome"), [
    ("cuda mutant", "compile run die", "FIND: crash"), ("cuda mutant", "compile die", "compiler crashed"),
    ("ptx mutant", "compile die", "FIND: crash"), ("cuda mutant", "compile run sleep", "FIND: hang"),
])  # fmt: skip
def test_a_worker_that_ends_or_hangs_is_told_and_replaced(worker, kind, text, outcome):
    first = worker.run(Case("program", "answer"))
    assert worker.run(Case(kind, text), seconds=0.3).outcome == outcome
    again = worker.run(Case("program", "compile run answer"))
    assert again.outcome == "ran" and again.detail != first.detail
    assert worker.run(Case("program", "answer")).detail == again.detail


def test_the_real_worker_answers_and_keeps_what_kernels_print_out_of_the_way():
    body = 'printf("{}\\n"); oi[i] = i;'
    worker = Worker()
    try:
        assert worker.run(Case("program", ADDS % body)) == Result("ran")
        assert worker.run(Case("random ptx", "]")).outcome == "PtxError"
    finally:
        worker.stop()


def test_the_first_find_of_a_sort_is_written_and_the_others_counted(tmp_path):
    tally, case = Tally(), Case("random ptx", "text")
    assert tally.add(case, Result("FIND: KeyError", "why", "KeyError a.py:1"), tmp_path)
    assert not tally.add(case, Result("FIND: KeyError", "why", "KeyError a.py:1"), tmp_path)
    assert tally.add(case, Result("FIND: KeyError", "why", "KeyError a.py:2"), tmp_path)
    assert not tally.add(case, Result("ran"), tmp_path)
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2 and json.loads(files[0].read_text())["case"]["text"] == "text"
    assert "4 cases, 2 sorts of finds" in tally.text() and "2 x  KeyError a.py:1" in tally.text()


def test_the_command_replays_a_find_and_ends_with_1_where_there_are_finds(tmp_path, capsys, monkeypatch):
    path = fuzz_simt.write_find(Case("program", ADDS % "nonsense;"), Result("FIND"), tmp_path, 1)
    assert fuzz_simt.main(["--replay", str(path)]) == 1
    assert "nonsense" in capsys.readouterr().out
    monkeypatch.setattr(fuzz_simt, "fuzz", lambda *_: Tally())
    assert fuzz_simt.main(["--minutes", "1"]) == 0


def test_fuzzing_ends_when_its_time_is_over(tmp_path):
    class Always:
        stopped = 0

        def run(self, case):
            return Result("ran")

        def stop(self):
            self.stopped += 1

    always = Always()
    tally = fuzz_simt.fuzz(0.001, 1, tmp_path, ["random ptx"], always)
    assert always.stopped == 1 and tally.outcomes["random ptx"]["ran"] > 0
    assert not list(tmp_path.iterdir())


def test_arguments_are_the_same_for_every_way():
    a, b = (fuzz_simt.random_arguments(Case("program", "", seed=3, threads=40)) for _ in range(2))
    assert [x.dtype.name for x in a] == ["int32", "int64", "float32", "float64", "int32", "float32"]
    assert all(np.array_equal(x, y) and len(x) == 120 for x, y in zip(a, b, strict=True))
