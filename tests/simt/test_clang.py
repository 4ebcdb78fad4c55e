"""The second front end: clang in NVRTC's place, and what it does otherwise.

The conformance set runs through both; `GPUCOURSE_FRONT_END=clang pytest tests/simt` puts the other tests through it.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

from gpucourse.errors import CompileError, SimulatorLacks
from gpucourse.simt import front_end
from gpucourse.simt.clang import chosen_options, messages, own_file_first
from gpucourse.simt.compile import compile_ptx, kernel_resources, nvrtc
from gpucourse.simt.link import Program
from gpucourse.simt.profile import profile_launch
from gpucourse.simt.run import launch
from tests.simt.front_ends import FRONT_ENDS, NO_CLANG, force

pytestmark = NO_CLANG


@pytest.fixture(autouse=True)
def by_clang(monkeypatch: pytest.MonkeyPatch) -> None:
    force("clang", monkeypatch)


# --- what clang would do otherwise ----------------------------------------------------------------


def test_a_pointers_alignment_is_not_the_parameters() -> None:
    """clang writes `.param .u64 .ptr .align 1 x`: the 1 is that of what x points to."""
    source = 'extern "C" __global__ void k(int n, float* x) { x[0] = n; }'
    x = np.zeros(1, np.float32)
    launch(Program(source), "k", (1,), (1,), (np.int32(5), x))
    assert x[0] == 5


def test_a_value_that_is_not_set_may_be_shuffled() -> None:
    """Only lane 0 sets `base`. With its own rules for C++, clang concludes that all lanes are lane 0."""
    source = """extern "C" __global__ void k(int* count, int* out) {
    int base, lane = threadIdx.x;
    if (lane == 0) base = atomicAdd(count, 32);
    out[lane] = __shfl_sync(0xffffffff, base, 0) + lane;
}"""
    count, out = np.zeros(1, np.int32), np.zeros(32, np.int32)
    launch(Program(source), "k", (1,), (32,), (count, out))
    assert count[0] == 32 and out.tolist() == list(range(32))


def test_a_float4_is_one_access() -> None:
    source = """extern "C" __global__ void k(const float4* x, float4* y) {
    float4 v = x[threadIdx.x];
    v.x += 1.0f;
    y[threadIdx.x] = v;
}"""
    found = profile_launch(Program(source), "k", (1,), (32,), (np.zeros(128, np.float32), np.zeros(128, np.float32)))
    assert [(found.lines[n].global_requests, found.lines[n].global_sectors) for n in (2, 4)] == [(1, 16), (1, 16)]


def test_what_our_headers_inline_counts_as_the_learners_line() -> None:
    source = """extern "C" __global__ void k(float* x) {
    int i = threadIdx.x;
    x[i] = fmaxf(x[i], expf(x[i]));
}"""
    program = Program(source)
    lines = {item.line for item in program.module.functions["k"].body if hasattr(item, "line")}
    assert lines <= {0, 1, 2, 3, 4} and {2, 3} <= lines


def test_name_expressions_give_the_mangled_names() -> None:
    source = "template <class T, int n> __global__ void add(T* x) { x[threadIdx.x] += n; }"
    program = Program(source, names=("add<float, 3>", "&add<int, 4>"))
    assert program.compiled.names == {"add<float, 3>": "_Z3addIfLi3EEvPT_", "&add<int, 4>": "_Z3addIiLi4EEvPT_"}
    x = np.zeros(4, np.float32)
    launch(program, "add<float, 3>", (1,), (4,), (x,))
    assert x.tolist() == [3, 3, 3, 3] and "__gc_name" not in program.compiled.ptx


def test_functions_without_a_keyword_are_the_devices() -> None:
    source = 'int twice(int x) { return 2 * x; }\nextern "C" __global__ void k(int* x) { x[0] = twice(x[0]); }'
    x = np.array([21], np.int32)
    launch(Program(source), "k", (1,), (1,), (x,))
    assert x[0] == 42


# --- options and messages -------------------------------------------------------------------------


def test_options_mean_what_they_mean_to_nvrtc() -> None:
    assert {"-std=c++17", "-O2", "-ffp-contract=fast"} <= set(chosen_options(()))
    assert {"-DN=4", "-std=c++14", "-O0"} <= set(chosen_options(("-DN=4", "--std=c++14", "-G")))
    assert "-ffp-contract=off" in chosen_options(("--fmad=false",))
    assert "-D__GC_FAST__" in chosen_options(("--use_fast_math",))
    with pytest.raises(CompileError, match="unrecognized option --nonsense"):
        chosen_options(("--nonsense",))


def test_fast_math_takes_the_approximations() -> None:
    source = 'extern "C" __global__ void k(float* x) { x[0] = expf(x[0]) / sqrtf(x[1]); }'
    assert "__nv_expf" in compile_ptx(source).ptx
    fast = compile_ptx(source, ("--use_fast_math",)).ptx
    assert "ex2.approx" in fast and "sqrt.approx" in fast and "__nv_expf" not in fast


#: What is wrong in the body of a kernel that begins in line 1, the line to name, and words that NVRTC has for it.
MISTAKES = [
    ("    x[0] = y;", 2, 'identifier "y" is undefined'),
    ("    x[0] = INFINITY;", 2, 'NVRTC has no INFINITY; add this line'),
    ("    uint32_t u = 3;\n    x[0] = u;", 2, 'identifier "uint32_t" is undefined'),
    ("    x[0] = 1\n    x[1] = 2;", 3, 'expected a ";"'),
    ("    int i = 1 /* é */ // one\n\n    /* two\n */ x[i] = 2;", 5, 'expected a ";"'),
    ("    float \u00e9 = 1\n    float y = 2;", 3, 'expected a ";"'),
    ("    x[0 = 1;", 2, 'expected a "]"'),
    ("    if (x[0] > 1 {\n    x[1] = 2; }", 2, 'expected a ")"'),
    ("    x[1] = ;", 2, "expected an expression"),
    ("\n    threadIdx.x = 3;", 3, ""),
]  # fmt: skip


@pytest.mark.parametrize("maker", FRONT_ENDS)
@pytest.mark.parametrize(("body", "line", "words"), MISTAKES)
def test_both_name_the_learners_line_in_the_same_form(
    body: str, line: int, words: str, maker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    force(maker, monkeypatch)
    with pytest.raises(CompileError) as raised:
        compile_ptx('extern "C" __global__ void k(float* x) {\n' + body + "\n}", cached=False)
    log = raised.value.get_message()
    assert re.search(rf"^kernel\.cu\({line}\): error: ", log, re.MULTILINE) and words in log
    assert re.search(r'^\d+ errors? detected in the compilation of "kernel\.cu"\.', log, re.MULTILINE)


def test_a_variable_without_a_value_is_warned_of_in_nvrtcs_words() -> None:
    source = 'extern "C" __global__ void k(float* x) {\n    float sum;\n    x[0] = sum;\n}'
    log = compile_ptx(source, cached=False).log
    assert 'kernel.cu(3): warning #549-D: variable "sum" is used before its value is set' in log


def test_a_header_that_is_not_there() -> None:
    log = messages("kernel.cu:1:10: fatal error: 'cmath' file not found\n1 error generated.\n", "#include <cmath>")
    assert log.startswith('kernel.cu(1): catastrophic error: could not open source file "cmath"\n1 error detected')


def test_the_learners_file_is_file_one() -> None:
    text = '\t.loc\t1 5 2\n\t.loc\t2 7 1\n\t.file\t1 "/x/gpucourse_device.h"\n\t.file\t2 "kernel.cu"\n'
    assert own_file_first(text).startswith("\t.loc\t2 5 2\n\t.loc\t1 7 1\n")


def test_registers_are_not_known() -> None:
    with pytest.raises(SimulatorLacks, match="NVRTC's assembler counts them"):
        kernel_resources('extern "C" __global__ void k() {}')


# --- against NVRTC --------------------------------------------------------------------------------


TRANSPOSE = """extern "C" __global__ void transpose(const float* x, float* y, int n) {
    __shared__ float tile[32][33];
    int column = blockIdx.x * 32 + threadIdx.x, row = blockIdx.y * 32 + threadIdx.y;
    for (int k = 0; k < 32; k += 8)
        tile[threadIdx.y + k][threadIdx.x] = x[(row + k) * n + column];
    __syncthreads();
    for (int k = 0; k < 32; k += 8)
        y[(blockIdx.x * 32 + threadIdx.y + k) * n + blockIdx.y * 32 + threadIdx.x] = tile[threadIdx.x][threadIdx.y + k];
}"""


def test_requests_sectors_and_wavefronts_are_nvrtcs(monkeypatch: pytest.MonkeyPatch) -> None:
    def counted(choice: str) -> tuple[dict[int, tuple[int, ...]], list[float]]:
        monkeypatch.setenv(front_end.VARIABLE, choice)
        x, y = np.arange(64 * 64, dtype=np.float32), np.zeros(64 * 64, np.float32)
        found = profile_launch(Program(TRANSPOSE), "transpose", (2, 2), (32, 8), (x, y, np.int32(64)))
        numbers = {n: (c.global_requests, c.global_sectors, c.shared_requests, c.shared_wavefronts)
                   for n, c in found.lines.items()}  # fmt: skip
        return {n: row for n, row in numbers.items() if any(row)}, y.tolist()

    nvrtc()
    mine, due = counted("clang"), counted("nvrtc")
    assert mine == due and set(mine[0]) == {5, 8}
