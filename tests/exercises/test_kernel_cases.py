"""The judge of kernels: each fault is told its own cause, in the learner's lines, threads, arrays and indices."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from gpucourse import cp, cupy_sim
from gpucourse.cupy_sim import function
from gpucourse.exercises import kernel_cases, kernel_runs, registry
from gpucourse.exercises.kernel_cases import ByLaunches, KernelTrap, Launch, Limit, blank, by_launches
from gpucourse.exercises.problem import Problem
from gpucourse.timing import Timing
from tests.mutants.mutant import answer_of

INDEX = "blockIdx.x * blockDim.x + threadIdx.x"
PARAMETERS = "const float* x, float* out, float a, int n"
STUB = '''scale = cp.RawKernel(r"""
extern "C" __global__ void scale(const float* x, float* out, float a, int n) {
    // ... your line
}
""", "scale")
'''


def problem(judge, stub=STUB, answer="scale", limit=10.0):
    hints = ("one", "two", "three")
    return Problem("99.1", "Test", "task", "spec", stub, answer, 1, hints, stub, "why", judge, limit)


def scale_launch(n, blocks, threads, rng):
    x = rng.random(n, dtype=np.float32) + 1
    args = {"x": x, "out": blank(n), "a": np.float32(3), "n": np.int32(n)}
    words = f"n = {n} in {blocks} blocks of {threads}"
    return Launch((blocks,), (threads,), args, {"out": np.float32(3) * x}, words=words)


def scale_launches(rng):
    return [scale_launch(*shape, rng) for shape in ((1000, 4, 256), (333, 6, 64))]


SCALE = by_launches(scale_launches)


def kernel(*body, parameters=PARAMETERS, name="scale", before=""):
    lines = "\n".join(f"    {line}" for line in body)
    return cp.RawKernel(f'{before}\nextern "C" __global__ void {name}({parameters}) {{\n{lines}\n}}\n', name)


def line(text, index=INDEX, **options):
    return kernel(f"int i = {index};", text, **options)


def told(given, judge=SCALE, **options):
    outcome = problem(judge, **options).check(given)
    assert len(outcome.message) <= 400, outcome.message
    return outcome


# --- faults of a kernel ------------------------------------------------------------------------------

RIGHT = "if (i < n) out[i] = a * x[i];"
# (what is wrong, the answer, all that its message must say)
FAULTS = {
    "no guard": (line("out[i] = a * x[i];"),
                 "Threads 232 to 255 of block 3 write past the end of `out`", "n = 1000", "where is the guard?"),
    "guard one too far": (line("if (i <= n) out[i] = a * x[i];"), "Thread 232 of block 3", "Should `<=` be `<`?"),
    "guard with another bound": (line("if (i < 1010) out[i] = a * x[i];"),
                                 "Threads 232 to 241 of block 3", "no guard stops them"),
    "index one too far": (line("if (i < n) out[i] = a * x[i + 1];"), "Thread 231 of block 3 reads `x[1000]`",
                          "last element is `x[999]`", "line 4", "not the guard but the index"),
    "index before the beginning": (line("if (i < n) out[i - 2] = a * x[i];"),
                                   "Threads 0 to 1 of block 0 write `out[-2]`",
                                   "before its first element"),
    "far away": (line("if (i < n) out[i * 100000] = a * x[i];"), "Thread 1 of block 0 writes `out[100000]`",
                 "`out[999]`"),
    "endless": (line("for (int k = 0; k < 10; k -= 1) out[i % n] += k;"), "does not end", "line 4"),
    "reads what it should write": (line("if (i < n) out[i] += a * x[i];"), "Thread 0 of block 0 reads `out[0]` before",
                                   "`=` stores"),
    "writes into the input": (line("if (i < n) x[i] = a * x[i];", parameters=PARAMETERS.removeprefix("const ")),
                              "writes into `x`", "line 4", "belongs into `out`"),
    "two threads, one element": (line("if (i < n) out[i / 2] = a * x[i];"),
                                 "Thread 1 of block 0 and thread 0 of block 0",
                                 "`out[0]`", "nobody writes `out[500]`"),
    "all threads, all elements": (line("for (i = 0; i < n; i++) out[i] = a * x[i] + threadIdx.x;"),
                                  "The loop over the elements is still there"),
    "elements left out": (line(RIGHT, "blockIdx.x * gridDim.x + threadIdx.x"),
                          "Nobody writes `out[268]` to `out[999]`, 732 of "
                          "1,000",
                          "Thread 12 of block 1, which should have written `out[268]`, writes `out[16]` instead"),
    "nothing written": (line("if (i > n) out[i] = a * x[i];", "threadIdx.x"), "Nobody writes to `out`"),
    "wrong value": (line("if (i < n) out[i] = a - x[i];"), "`out[0]` should be", "1,000 of 1,000",
                    "Thread 0 of block 0 wrote it",
                    "line 4: `if (i < n) out[i] = a - x[i];`"),
    "barrier in a branch": (line(f"if (threadIdx.x < 32) __syncthreads(); {RIGHT}"), "barrier", "line 4"),
    "vector at an odd place": (line("if (i < 9) *(float4*)(out + i) = make_float4(0, 0, 0, 0);"), "16 bytes",
                               "multiple"),
    "assertion": (line(f"assert(i < 2); {RIGHT}"), "Assertion `i < 2` failed", "line 4"),
    "semicolon": (line("if (i < n) out[i] = a * x[i]"), 'Line 4 does not compile: expected a ";"',
                  "`if (i < n) out[i] = a * x[i]`"),
    "unknown name": (line("if (i < n) out[i] = a * x[j];"), 'Line 4 does not compile: identifier "j" is undefined'),
    "unknown constant": (line("if (i < n) out[i] = INFINITY;"), "does not compile", "#define INFINITY"),
    "not extern C": (cp.RawKernel("__global__ void scale(int n) {}", "scale"), 'write extern "C"'),
    "another name": (cp.RawKernel('extern "C" __global__ void scal(int n) {}', "scale"), "no kernel 'scale'",
                     "it has: scal"),
    "too few parameters": (kernel("", parameters="const float* x, float* out"), "(x, out, a, n), 4 arguments",
                           "takes 2 (x, out)"),
    "parameters in another order": (kernel("", parameters="float* out, const float* x, float a, int n"),
                                    "another order"),
    "pointer to double": (kernel("", parameters="const double* x, float* out, float a, int n"),
                          "`x` is an array of float32",
                          "declares it `double*`"),
    "n is long": (kernel("", parameters="const float* x, float* out, float a, long long n"),
                  "`n` is an int32 (`int` in C)",
                  "declares it `long long`"),
    "a is int": (kernel("", parameters="const float* x, float* out, int a, int n"), "`a` is a float32",
                 "declares it `int`"),
    "too much shared memory": (line(f"__shared__ volatile float t[20000]; t[i] = a; {RIGHT}"),
                               "80,000 bytes exceeds 49,152"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_its_cause(name):
    answer, *wanted = FAULTS[name]
    outcome = told(answer)
    assert outcome.state == "wrong", outcome
    for words in wanted:
        assert words in outcome.message


@pytest.mark.parametrize("answer", [
    line(RIGHT),
    line(f"if (i >= n) return; {RIGHT}"),
    line("for (; i < n; i += blockDim.x * gridDim.x) out[i] = a * x[i];"),
    line("if (i < n) out[n - 1 - i] = a * x[n - 1 - i];"),
    line(RIGHT, parameters="float* input, float* result, float factor, unsigned int count").__class__(
        line(RIGHT).code.replace("x[", "input[").replace("const float* x", "const float* input"), "scale"),
])  # fmt: skip
def test_right_answers_of_several_kinds_pass(answer):
    outcome = told(answer)
    assert outcome.state == "right", outcome
    assert outcome.message == ""


NOT_KERNELS = {
    "a source": ('extern "C" __global__ void scale(int n) {}', 'scale = cp.RawKernel(source, "scale")'),
    "None": (None, "what a launch returns"),
    "an array": (cupy_sim.zeros(3), "the result of a launch"),
    "a host array": (np.zeros(3), "the result of a launch"),
    "a number": (3, "should be a kernel"),
    "a class": (cp.RawKernel, "is a class"),
    "a module": (cp.RawModule(code='extern "C" __global__ void scale(int n) {}'), '(module, "name")'),
    "a pair": ((1, 2), "should be a kernel"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_KERNELS)
def test_what_is_no_kernel_is_told_what_it_is(name):
    value, words = NOT_KERNELS[name]
    outcome = told(value)
    assert outcome.state == "wrong"
    assert words in outcome.message


def test_the_stub_with_other_spaces_and_comments_is_not_attempted():
    changed = STUB.replace("// ... your line", "/* nothing */   // yet").replace(") {", ")\n{")
    outcome = told(answer_of(changed, "scale", cp=cp))
    assert outcome.state == "not attempted"
    assert "as it was given" in outcome.message
    assert told(...).state == "not attempted"


# --- CuPy's kernels, modules, functions --------------------------------------------------------------


class CupysKernel:
    """A RawKernel as CuPy has it, where it must not be launched."""

    def __init__(self, code, name):
        self.code, self.name, self.options, self.backend = code, name, (), "nvrtc"

    def __call__(self, *arguments, **options):
        raise AssertionError("launched on the device")


def test_cupys_kernel_is_judged_on_the_simulator():
    assert told(CupysKernel(line(RIGHT).code, "scale")).state == "right"
    outcome = told(CupysKernel(line("out[i] = a * x[i];").code, "scale"))
    assert "where is the guard?" in outcome.message


def test_a_kernel_of_a_module():
    module = cp.RawModule(code=line(RIGHT).code)
    assert told((module, "scale")).state == "right"


FUNCTION = '''kernel = cp.RawKernel(r"""
extern "C" __global__ void double_it(const float* x, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    %s
}
""", "double_it")

def twice(x):
    out = cp.empty_like(x)
    kernel((%s,), (64,), %s)
    return %s
'''
GOOD = ("if (i < n) out[i] = 2 * x[i];", "(x.size + 63) // 64", "(x, out, np.int32(x.size))", "out")
FUNCTION_STUB = '''def twice(x):
    """Doc."""
    return ...
'''


def twice_launches(rng):
    for n in (3, 200):
        x = rng.random(n, dtype=np.float32)
        yield Launch((1,), (1,), {"x": x}, {"result": 2 * x}, words=f"n = {n}")


def twice(body=GOOD[0], blocks=GOOD[1], args=GOOD[2], result=GOOD[3]):
    return FUNCTION % (body, blocks, args, result)


FUNCTIONS = {
    "right": (twice(), "right", ""),
    "an elementwise kernel": ("f = cp.ElementwiseKernel('T x', 'T y', 'y = 2 * x', 'f')\n"
                              "def twice(x):\n    return f(x)\n", "right",
                              ""),
    "no guard": (twice("out[i] = 2 * x[i];"), "wrong", "Threads 3 to 63 of block 0 write past the end of `out`"),
    "too few blocks": (twice(blocks="1"), "wrong", "Nobody writes `result[64]` to `result[199]`"),
    "no blocks": (twice(blocks="x.size // 64"), "wrong", "the grid is (0,)"),
    "an argument missing": (twice(args="(x, out)"), "wrong", "takes 3 arguments (x, out, n); 2 were given"),
    "a float for an int": (twice(args="(x, out, float(x.size))"), "wrong", "Write np.int32"),
    "does not compile": (twice("out[j] = 1;"), "wrong", 'identifier "j" is undefined'),
    "nothing returned": (twice(result="None"), "wrong", "returned None"),
    "a host array": (twice(result="out.get()"), "wrong", "is not on the device"),
    "another shape": (twice(result="out[1:]"), "wrong", "one of shape (2,)"),
    "another dtype": (twice(result="out.astype(cp.float64)"), "wrong", "dtype float64"),
    "no launch": ("def twice(x):\n    return 2 * x\n", "wrong", "launched no kernel"),
    "changes its argument": (twice("if (i < n) out[i] = 2 * x[i];").replace("    return", "    x += 1\n    return"),
                             "wrong",
                             "`x` is an input"),
    "raises": ("def twice(x):\n    return x.nothing\n", "raised", "Line 2, `return x.nothing`, raised AttributeError"),
    "the stub": (FUNCTION_STUB, "not attempted", ""),
    "dots in it": (twice(result="..."), "not attempted", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_that_launches(name):
    source, state, words = FUNCTIONS[name]
    judge = by_launches(lambda rng: list(twice_launches(rng)))
    outcome = told(answer_of(source, "twice", cp=cp, np=np), judge, stub=FUNCTION_STUB, answer="twice")
    assert outcome.state == state, outcome
    assert words in outcome.message


def test_a_function_with_real_cupy_in_its_globals_is_given_the_simulator():
    other = SimpleNamespace(__name__="cupy")
    names = {"cp": cp, "np": np}
    answer = answer_of(twice(), "twice", **names)
    answer.__globals__["cp"] = other
    answer.__globals__["kernel"] = CupysKernel(answer.__globals__["kernel"].code, "double_it")
    judge = by_launches(lambda rng: list(twice_launches(rng)))
    assert told(answer, judge, stub=FUNCTION_STUB, answer="twice").state == "right"
    assert answer.__globals__["cp"] is other
    assert isinstance(answer.__globals__["kernel"], CupysKernel)


# --- schedules, limits, functions, traps -------------------------------------------------------------

COMPACT = 'extern "C" __global__ void compact(const int* x, int* out, int n) {\n' \
    "    int i = blockIdx.x * blockDim.x + threadIdx.x;\n" \
    "    if (i < n) out[%s] = x[i];\n}\n"   # fmt: skip


def compact_launches(rng):
    x = rng.integers(0, 1000, 300).astype(np.int32)
    args = {"x": x, "out": blank(300, np.int32), "n": np.int32(300)}
    return [Launch((5,), (64,), args, {"out": x}, words="n = 300")]


def test_right_in_lock_step_only_is_told_so():
    """The order of an atomic counter is that of the threads: in lock-step by chance the right one."""
    code = "__device__ int next;\n" + COMPACT % "atomicAdd(&next, 1)"
    outcome = told(cp.RawKernel(code, "compact"), by_launches(compact_launches))
    assert outcome.state == "wrong"
    assert "right when all threads go in step" in outcome.message
    assert told(cp.RawKernel(COMPACT % "i", "compact"), by_launches(compact_launches)).state == "right"


def test_variables_of_a_module_are_put_back_between_launches():
    code = "__device__ int first = 7;\n" + COMPACT % "i + 0 * (first = 8)"
    answer = cp.RawKernel(code, "compact")
    told(answer, by_launches(compact_launches))
    held = answer.kernel.program.variable("first").view(np.int32)
    assert held[0] == 7


def test_a_limit_is_held_against_the_profile():
    """2000 floats are 250 sectors; with a stride of 8 floats each is asked for 8 times, in both arrays."""
    limit = Limit("global_sectors", lambda launch: 2 * 250, "The kernel touches {found} sectors; {limit} are enough.")
    judge = by_launches(lambda rng: [scale_launch(2000, 8, 256, rng)], limits=[limit])
    assert told(line(RIGHT), judge).state == "right"
    outcome = told(line(RIGHT, "threadIdx.x * gridDim.x + blockIdx.x"), judge)
    assert outcome.state == "wrong"
    assert re.search(r"results are right. The kernel touches 4,000 sectors; 500 are enough", outcome.message)


def test_names_that_the_source_must_use():
    judge = by_launches(scale_launches, functions=["__syncthreads"])
    outcome = told(line(f"/* __syncthreads */ {RIGHT}"), judge)
    assert outcome.state == "wrong"
    assert "asks for `__syncthreads`" in outcome.message
    assert told(line(f"__syncthreads(); {RIGHT}"), judge).state == "right"


def test_a_result_that_is_right_by_chance_is_not_accepted():
    outcome = told(line(f"float f; {RIGHT} if (f == 7) printf(\"%f\", f);"))
    assert outcome.state == "wrong"
    assert 'in line 4 (`float f;' in outcome.message
    assert 'variable "f" is used before its value is set' in outcome.message


@pytest.mark.parametrize(("begins", "state"), [
    ("float f;", "wrong"), ("float f = 0;", "right"), ("float f; f = 0;", "right"), ("float f; set(f);", "right"),
    ("__shared__ float f; if (threadIdx.x == 0) f = 0; __syncthreads();", "right"),
])  # fmt: skip
def test_a_sum_without_a_beginning_is_not_accepted_although_the_compiler_is_silent(begins, state):
    sums = "for (int k = i; k < n; k += n) f += a * x[k]; if (i < n) out[i] = f;"
    body = RIGHT if "shared" in begins else sums
    outcome = told(line(f"{begins} {body}", before="__device__ void set(float& f) { f = 0; }" * ("set" in begins)))
    assert outcome.state == state, outcome.message
    assert ('in line 4 (`float f;' in outcome.message) == (state == "wrong")


def total_launches(rng):
    x = rng.integers(0, 9, 200).astype(np.int32)
    args = {"x": x, "total": np.zeros(1, np.int32), "n": np.int32(200)}
    return [Launch((4,), (64,), args, {"total": np.array([x.sum()], np.int32)}, words="n = 200", extent=(200,))]


def total(line):
    body = ("int i = blockIdx.x * blockDim.x + threadIdx.x;", line)
    return kernel(*body, parameters="const int* x, int* total, int n", name="total")


def test_a_sum_that_loses_additions():
    judge = by_launches(total_launches)
    assert told(total("if (i < n) atomicAdd(total, x[i]);"), judge).state == "right"
    outcome = told(total("if (i < n) total[0] += x[i];"), judge)
    assert "A race" in outcome.message
    assert "both update `total[0]`" in outcome.message
    assert "atomic" in outcome.message
    assert "one too many" in told(total("if (i <= n) atomicAdd(total, x[i]);"), judge).message


TRAPS = (
    KernelTrap(lambda launch: {"out": launch.args["x"] + 3}, "This adds."),
    KernelTrap(lambda launch: {"out": np.full_like(launch.args["x"], np.nan)}, "This explains nothing."),
    KernelTrap(lambda launch: {"out": np.append(launch.due["out"][:-1], launch.args["out"][-1:])},
               "The last one is off."),
    KernelTrap(lambda launch: {"out": np.append(launch.due["out"][:-2] + 1, [np.nan] * 2)}, "One more."),
    KernelTrap(lambda launch: {"nothing": 1 / 0}, "This trap fails."),
)


@pytest.mark.parametrize(("body", "words"), [
    ("if (i < n) out[i] = a + x[i];", "This adds."),
    ("if (i < n - 1) out[i] = a * x[i];", "The last one is off."),
    ("if (i < n) out[i] = a * x[i] + (i < n - 2 ? 1 : i);", "One more."),   # nan stands for any wrong value
    ("if (i < n) out[i] = a * x[i] + (i < n - 2);", "`out[0]` should be"),   # and not for a right one
    ("if (i < n) out[i] = n == 333 ? a * x[i] : a + x[i];", "This adds."),          # the other launch is right
    ("if (i < n) out[i] = n == 333 ? a - x[i] : a + x[i];", "`out[0]` should be"),   # one launch unexplained
    ("out[i] = a + x[i];", "where is the guard?"),                                   # what is worse comes first
])  # fmt: skip
def test_a_trap_is_named_only_if_it_explains_all(body, words):
    outcome = told(line(body), by_launches(scale_launches, traps=TRAPS))
    assert words in outcome.message


def test_what_an_unfinished_launch_leaves_behind_is_no_trap():
    nothing = KernelTrap(lambda launch: {"out": launch.args["out"]}, "Nothing was written.")
    judge = by_launches(scale_launches, traps=[nothing])
    assert told(line("if (i < 0) out[i] = 0;"), judge).message == "Nothing was written."
    before = np.full(1000, np.nan, np.float32)   # nan that stood there before is what it is, not anything
    half = [replace(each, args=each.args | {"out": before}) for each in scale_launches(np.random.default_rng(1))[:1]]
    judge = by_launches(lambda rng: half, traps=[nothing])
    assert told(line("if (i < 0) out[i] = 0;"), judge).message == "Nothing was written."
    assert told(line("if (i < 1) out[i] = a * x[i];"), judge).message != "Nothing was written."
    assert "does not end" in told(line(f"__shared__ volatile int s; while (true) s = i; {RIGHT}"), judge).message


def test_a_guard_of_two_dimensions():
    def launches(rng):
        x = rng.random((20, 35), dtype=np.float32)
        args = {"x": x, "out": blank((20, 35)), "w": np.int32(35), "h": np.int32(20)}
        return [Launch((3, 3), (16, 8), args, {"out": x[:, ::-1].copy()}, words="35 x 20")]

    def flip(guard):
        return kernel("int i = blockIdx.x * blockDim.x + threadIdx.x, j = blockIdx.y * blockDim.y + threadIdx.y;",
                      f"if ({guard}) out[j * w + i] = x[j * w + w - 1 - i];", name="flip",
                      parameters="const float* x, float* out, int w, int h")  # fmt: skip

    judge = by_launches(launches)
    assert told(flip("i < w && j < h"), judge).state == "right"
    assert "There x is 35 or more, and the width is 35" in told(flip("j < h"), judge).message
    assert "There y is 20 or more, and the height is 20" in told(flip("i < w"), judge).message
    assert "the guard lets one too many pass" in told(flip("i <= w && j < h"), judge).message


# --- what must never happen --------------------------------------------------------------------------


def test_nothing_is_left_behind_when_a_check_runs_out_of_time():
    slow = line("for (int k = 0; k < 3000; k++) for (int j = 0; j < 3000; j++) if (i < n) out[i] = a * x[i] + j * k;")
    outcome = problem(SCALE, limit=0.2).check(slow)
    assert outcome.state in ("raised", "wrong")
    assert len(function.carriers) == 1
    assert told(line(RIGHT)).state == "right"


def test_what_a_kernel_prints_is_shown_once():
    outcome = told(line(f'if (i == 5) printf("five\\n"); {RIGHT}'))
    assert outcome.printed == ("five", "five")   # once for each launch


def test_arguments_of_the_lesson_are_left_alone():
    rng = np.random.default_rng(1)
    launches = scale_launches(rng)
    before = [launch.args["x"].copy() for launch in launches]
    told(line("if (i < n) x[i] = 0;", parameters=PARAMETERS.removeprefix("const ")), by_launches(lambda rng: launches))
    assert all(np.array_equal(launch.args["x"], x) for launch, x in zip(launches, before, strict=True))


# --- on a GPU ----------------------------------------------------------------------------------------


class GpuKernel(CupysKernel):
    """CuPy's kernel on a device made of NumPy arrays."""

    def __init__(self, code, factor=3):
        super().__init__(code, "scale")
        self.factor, self.launches = factor, []

    def __call__(self, grid, block, args, shared_mem=0):
        self.launches.append((grid, block, args[3]))
        args[1][:] = np.float32(self.factor) * args[0]


DEVICE = SimpleNamespace(asarray=np.array, asnumpy=np.asarray, ones=np.ones, empty_like=np.empty_like,
                         copyto=np.copyto, float32=np.float32, __name__="cupy")  # fmt: skip


@pytest.fixture
def gpu(monkeypatch):
    """A device on which every call takes 2 ms and a copy runs at 4 GB/s."""

    def timing(function):
        function()
        return Timing((2e-3,))

    monkeypatch.setattr(kernel_runs, "on_gpu", lambda xp: xp is DEVICE)
    monkeypatch.setattr(kernel_runs, "timeit", timing)
    monkeypatch.setattr(kernel_runs, "copy_bandwidth", lambda xp: 4e9)


def full_launches(rng):
    small = scale_launch(333, 6, 64, rng)
    return [replace(small, full=lambda: scale_launch(10**6, 3907, 256, rng))]


def test_the_callers_own_kernel_is_timed_at_full_size(gpu):
    """8 MB in 2 ms are 4 GB/s: all of the copy bandwidth."""
    answer = GpuKernel(line(RIGHT).code)
    outcome = problem(by_launches(full_launches)).check(answer, xp=DEVICE)
    assert outcome.state == "right", outcome
    assert outcome.message == (
        "⟨On this GPU, n = 1000000 in 3907 blocks of 256: 2.00 ms, 4 GB/s, 100% of its copy bandwidth (4 GB/s).⟩"
    )
    assert outcome.message in str(outcome)
    assert {launch[0] for launch in answer.launches} == {(3907,)}   # never on the device before


def test_arithmetic_is_held_against_the_librarys_product(gpu, monkeypatch):
    """3 million operations in 2 ms are 1.5 GFLOP/s, three quarters of what the library's product does."""
    monkeypatch.setattr(kernel_runs, "product_rate", lambda xp: 2e9)
    launches = full_launches(np.random.default_rng(0))
    large = replace(launches[0].full(), flops=3 * 10**6)
    judge = by_launches(lambda rng: [replace(launches[0], full=lambda: large)])
    outcome = problem(judge).check(GpuKernel(line(RIGHT).code), xp=DEVICE)
    assert "2.00 ms, 2 GFLOP/s, 75% of the library's matrix product (2 GFLOP/s).⟩" in outcome.message


def test_the_rate_of_the_librarys_product(gpu, monkeypatch):
    monkeypatch.setattr(kernel_runs, "PRODUCT_SIDE", 100)
    device = SimpleNamespace(ones=np.ones, empty_like=np.empty_like, float32=np.float32, matmul=np.matmul)
    assert kernel_runs.product_rate.__wrapped__(device) == 2 * 100**3 / 2e-3


def test_a_wrong_result_at_full_size_is_told(gpu):
    outcome = problem(by_launches(full_launches)).check(GpuKernel(line(RIGHT).code, factor=4), xp=DEVICE)
    assert outcome.state == "wrong"
    assert "at full size on the GPU `out` is wrong" in outcome.message


def test_a_kernel_with_a_fault_never_reaches_the_device(gpu):
    answer = GpuKernel(line("out[i] = a * x[i];").code)
    assert problem(by_launches(full_launches)).check(answer, xp=DEVICE).state == "wrong"
    assert answer.launches == []


def test_without_a_gpu_nothing_is_timed():
    outcome = problem(by_launches(full_launches)).check(line(RIGHT))
    assert outcome.message == ""


def test_bytes_that_a_launch_must_move():
    x, y = np.zeros(100, np.float32), np.zeros(100, np.float32)
    saxpy = Launch((1,), (1,), {"x": x, "y": y}, {"y": y})
    assert saxpy.bytes_moved == 1200   # y is read and written
    assert scale_launch(100, 1, 128, np.random.default_rng(0)).bytes_moved == 800


# --- the documentation -------------------------------------------------------------------------------


def test_the_example_of_the_docstring_is_right():
    example = kernel_cases.__doc__.split("complete example:\n")[1].split("    Problem(")[0]
    source = "\n".join(each.removeprefix("    ") for each in example.splitlines())
    names = {name: getattr(kernel_cases, name) for name in kernel_cases.__all__} | {"np": np}
    judge = answer_of(source, "judge", **names)
    code = re.search(r'SCALE = """(.*?)"""', source, re.DOTALL)[1]
    assert told(cp.RawKernel(code, "scale"), judge).state == "right"
    assert "multiply" in told(cp.RawKernel(code.replace("a * x", "a + x"), "scale"), judge).message


KERNELS = [p for p in registry.all_problems() if isinstance(p.judge, ByLaunches)]


@pytest.mark.parametrize("problem", KERNELS, ids=[p.id for p in KERNELS])
def test_every_kernel_exercise_has_a_launch_for_a_gpu(problem):
    """It has the arguments of the small ones, and threads for every element unless the kernel walks."""
    small = problem.judge.all_cases(None, 1)
    big = next(launch.full for launch in small if launch.full)()
    assert list(big.args) == list(small[0].args) and list(big.due) == list(small[0].due)
    assert max(array.size for array in big.arrays.values()) >= 1 << 22
    assert int(np.prod(big.block)) <= 1024 and max(big.grid[1:], default=1) < 1 << 16
