"""`steps`: lanes, variables and accesses of a warp, against the same loops written in Python and against `profile`."""

import numpy as np
import pytest

from gpucourse import cupy_sim as cp
from gpucourse import profile
from gpucourse.errors import CourseError, OutOfBounds
from gpucourse.step_record import MOST_STEPS
from gpucourse.stepping import lanes_text, ranges_text, steps

PATHS = r"""
extern "C" __global__ void paths(const int* x, int* log, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int s = 0;
    for (int k = 0; k < 3; k++) {
        if (i % 4 < 2) {
            s += 10 * k;
        } else {
            s -= x[i];
        }
        log[k * n + i] = s;
    }
    while (s > 15) {
        s -= 5;
    }
    log[3 * n + i] = s;
}"""
LINES = {text.strip(): number for number, text in enumerate(PATHS.splitlines(), 1)}


def paths(detail="line", **which):
    x, log = cp.arange(64, dtype=cp.int32), cp.zeros(256, cp.int32)
    return steps(cp.RawKernel(PATHS, "paths"), (2,), (32,), (x, log, np.int32(64)), detail=detail, **which)


def python_paths(i):
    """(line, s after it) for every line that thread i executes from `int s = 0;` on, `s` being None before."""
    s = 0
    yield LINES["int s = 0;"], s
    for k in range(3):
        yield LINES["for (int k = 0; k < 3; k++) {"], k
        yield LINES["if (i % 4 < 2) {"], None
        if i % 4 < 2:
            s += 10 * k
            yield LINES["s += 10 * k;"], s
        else:
            s -= i
            yield LINES["s -= x[i];"], s
        yield LINES["log[k * n + i] = s;"], s
    yield LINES["for (int k = 0; k < 3; k++) {"], 3
    while True:
        yield LINES["while (s > 15) {"], s
        if s <= 15:
            break
        s -= 5
        yield LINES["s -= 5;"], s
    yield LINES["log[3 * n + i] = s;"], s


@pytest.mark.parametrize("block", [0, 1])
def test_each_lane_executes_the_lines_of_the_same_loop_in_python_with_the_same_values(block):
    recorded = paths(of_block=block)
    for lane in range(32):
        mine = [step for step in recorded if lane in step.active][2:-1]   # without the head, `int i` and the end
        seen = []
        for step in mine:
            named = step.variables.get("k") if "for (" in recorded.source_line(step.line) else step.variables.get("s")
            seen.append((step.line, named[lane] if named else None))
        assert seen == list(python_paths(32 * block + lane))


def test_a_variable_is_what_the_kernel_itself_writes_down():
    written = 0
    for step in paths(of_block=1):
        for lane, array, _, kind, value in step.accesses:
            if (array, kind) == ("log", "write"):
                assert step.variables["s"][lane] == value
                written += 1
    assert written == 32 * 4


def test_lanes_are_active_waiting_or_ended_and_an_if_comes_before_its_else():
    recorded = paths()
    for step in recorded:
        assert sorted((*step.active, *step.waiting, *step.ended)) == list(range(32))
    then, other = ([s for s in recorded if s.line == LINES[text]] for text in ("s += 10 * k;", "s -= x[i];"))
    assert {s.active for s in then} == {tuple(lane for lane in range(32) if lane % 4 < 2)}
    assert {s.active for s in other} == {tuple(lane for lane in range(32) if lane % 4 >= 2)}
    assert [a.number + 1 for a in then] == [b.number for b in other]
    assert "The warp splits. First: lanes 0, 1, 4, 5," in recorded.step(then[0].number - 1).notes[0]
    assert "Now those that waited: lanes 2, 3, 6, 7," in other[0].notes[0]
    assert recorded.step(other[0].number + 1).notes == ("Together again: lanes 0 to 31.",)
    assert recorded.steps[-1].notes[-1] == "Ended: lanes 0 to 31."


def test_numbers_count_from_one():
    recorded = paths()
    assert [step.number for step in recorded] == list(range(1, len(recorded) + 1))
    assert recorded.step(1) is recorded[0]
    count = f"{len(recorded)} steps of warp 0 of block 0"
    assert repr(recorded) == f"Steps of paths, grid (2, 1, 1), block (32, 1, 1): {count}"
    for wrong in (0, len(recorded) + 1):
        with pytest.raises(CourseError, match=f"step {wrong} of paths: there are the steps 1 to {len(recorded)}"):
            recorded.step(wrong)


def test_a_loop_on_one_line_makes_a_step_each_time_round():
    code = 'extern "C" __global__ void f(int* x) {\n int s = 0;\n for (int k = 1; k < 4; k++) s += k;\n x[0] = s;\n}'
    recorded = steps(cp.RawKernel(code, "f"), (1,), (2,), (cp.zeros(1, cp.int32),))
    assert [(s.variables["k"], s.variables["s"]) for s in recorded if s.line == 3] == [
        ((2, 2), (1, 1)), ((3, 3), (3, 3)), ((4, 4), (6, 6)), ((4, 4), (6, 6)),
    ]  # fmt: skip


def test_the_learners_arrays_stay_as_they_are():
    x, log = cp.arange(64, dtype=cp.int32), cp.full(256, 7, cp.int32)
    steps(cp.RawKernel(PATHS, "paths"), (2,), (32,), (x, log, np.int32(64)))
    assert (log == 7).all()


TRANSPOSE = r"""
__constant__ float weights[4];
extern "C" __global__ void turn(const float* x, float* y, int* count) {
    __shared__ float tile[32][32];
    int lane = threadIdx.x;
    int row = threadIdx.y;
    tile[row][lane] = x[2 * (row * 32 + lane)];
    __syncthreads();
    y[row * 32 + lane] = tile[lane][row] * weights[row];
    atomicAdd(&count[lane % 4], 1);
}"""


def turned(watch, **more):
    x, y, count = cp.arange(256, dtype=cp.float32), cp.zeros(128, cp.float32), cp.zeros(4, cp.int32)
    module = cp.RawModule(code=TRANSPOSE)
    cp.ndarray(4, cp.float32, module.get_global("weights"))[:] = cp.arange(4)
    return watch((module, "turn"), (1,), (32, 4), (x, y, count), **more)


@pytest.mark.parametrize("detail", ["line", "ptx"])
def test_requests_cost_what_profile_counts(detail):
    found = turned(profile)
    requests = [r for warp in range(4) for step in turned(steps, of_warp=warp, detail=detail) for r in step.requests]
    cost = {(array, kind): sum(r.cost for r in requests if (r.array, r.kind) == (array, kind))
            for array, kind in {(r.array, r.kind) for r in requests}}  # fmt: skip
    assert cost["x", "read"] == found.total.global_load_sectors == 4 * 8
    assert cost["y", "write"] == 4 * 4
    assert cost["tile", "read"] + cost["tile", "write"] == found.total.shared_wavefronts == 4 * 32 + 4
    assert cost["weights", "read"] == 4
    assert ("count", "update") in cost
    assert {r.unit for r in requests} == {"sector", "wavefront", "address"}


def test_elements_are_named_as_in_the_source_and_have_values():
    recorded = turned(steps, of_warp=3)
    read = next(step for step in recorded if "y[row" in recorded.source_line(step.line)).requests
    tile, weights, out = read
    assert [recorded.place("tile", t.element) for t in tile.touched[:2]] == ["tile[0][3]", "tile[1][3]"]
    assert recorded.place("y", out.touched[5].element) == f"y[{3 * 32 + 5}]"
    assert {t.value for t in weights.touched} == {3.0}
    assert all(t.value == 3 * s.value for t, s in zip(out.touched, tile.touched, strict=True))
    assert turned(steps).step(4).requests[1].touched[3].value == 6.0   # x[2 * 3], written to the tile


def test_a_barrier_says_for_whom_it_waits():
    notes = [note for step in turned(steps) for note in step.notes]
    assert "Barrier: the warp waits for the block's other warps." in notes
    code = 'extern "C" __global__ void f(int* x) {\n x[threadIdx.x] = 1;\n __syncthreads();\n x[0] = 2;\n}'
    alone = steps(cp.RawKernel(code, "f"), (1,), (16,), (cp.zeros(16, cp.int32),))
    assert alone.lanes == 16
    assert "Barrier: all threads of the block are in this warp." in [note for step in alone for note in step.notes]


RETURNS = r"""
struct alignas(16) Four { float a, b, c, d; };
__device__ float half_of(float value) {
    float halved = value / 2;
    return halved;
}
extern "C" __global__ void early(const float4* x, float* out, int n) {
    int i = threadIdx.x;
    if (i >= n) return;
    float4 v = x[i];
    out[i] = half_of(v.x) + half_of(v.w);
}"""


def test_early_returns_device_functions_and_vectors():
    x, out = cp.arange(160, dtype=cp.float32), cp.zeros(40, cp.float32)
    recorded = steps(cp.RawKernel(RETURNS, "early"), (1,), (40,), (x, out, np.int32(36)), of_warp=1)
    assert recorded.lanes == 8
    load = next(step for step in recorded if any(r.array == "x" for r in step.requests))
    assert load.active == (0, 1, 2, 3) and load.waiting == (4, 5, 6, 7)
    elements = [(t.lane, t.element, t.value) for r in load.requests if r.array == "x" for t in r.touched]
    assert sorted(elements) == [(k // 4, 128 + k, 128.0 + k) for k in range(16)]
    inside = [step for step in recorded if "halved = " in recorded.source_line(step.line)]
    assert [step.variables["value"][0] for step in inside] == [128.0, 131.0]
    assert [step.variables["halved"][0] for step in inside] == [64.0, 65.5]
    written = next(r for step in recorded for r in step.requests if r.kind == "write")
    assert [t.value for t in written.touched] == [(8 * i + 3) / 2 for i in range(32, 36)]


def test_variables_that_hold_addresses_keep_those_of_their_own_program():
    code = """
__device__ int low(int v) { return v - 10; }
__device__ int high(int v) { return v + 10; }
__device__ int (*chosen[2])(int) = {low, high};
__device__ int offset = 1;
extern "C" __global__ void f(int* x) { x[threadIdx.x] = chosen[threadIdx.x % 2](offset); }"""
    module = cp.RawModule(code=code)
    cp.ndarray(1, cp.int32, module.get_global("offset"))[:] = 5
    recorded = steps((module, "f"), (1,), (2,), (cp.zeros(2, cp.int32),))
    assert [a[4] for step in recorded for a in step.accesses if a[1] == "x"] == [-5, 15]


def test_single_instructions_are_those_of_the_optimized_kernel_with_what_they_write():
    recorded = paths("ptx")
    assert all(len(step.ptx) == 1 for step in recorded)
    assert not any("dbg" in text for step in recorded for text in step.ptx)
    stored, due = (sorted(access[2:] for step in made for access in step.accesses if access[1] == "log")
                   for made in (recorded, paths()))  # fmt: skip
    assert stored == due and len(due) == 4 * 32
    loads = [step for step in recorded if any(r.kind == "read" for r in step.requests)]
    for step in loads:
        (values,) = step.registers.values()
        assert [values[t.lane] for t in step.requests[0].touched] == [t.element for t in step.requests[0].touched]
    assert any("bra" in step.ptx[0] and step.notes for step in recorded)


def test_too_many_steps_are_refused():
    code = 'extern "C" __global__ void f(int* x) {\n for (int k = 0; k < 300; k++)\n  x[0] += k;\n}'
    with pytest.raises(CourseError, match=f"at most {MOST_STEPS} steps of a warp, and this one makes more"):
        steps(cp.RawKernel(code, "f"), (1,), (32,), (cp.zeros(1, cp.int32),))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"of_block": 2}, "of_block=2: the grid has the blocks 0 to 1"),
        ({"of_warp": 1}, "of_warp=1: a block has the warps 0 to 0"),
        ({"detail": "sass"}, "detail='sass': steps are made by line or ptx"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(CourseError, match=message):
        paths(**wrong)


def test_a_fault_is_the_launchs_own():
    x, log = cp.zeros(40, cp.int32), cp.zeros(256, cp.int32)
    with pytest.raises(OutOfBounds, match=f"line {LINES['s -= x[i];']}"):
        steps(cp.RawKernel(PATHS, "paths"), (2,), (32,), (x, log, np.int32(64)))


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([5], "5"), ([0, 1], "0 and 1"), (list(range(16)), "0 to 15"), ([0, 1, 2, 3, 20], "0 to 3 and 20"),
        (list(range(0, 32, 2)), "0, 2, 4 to 30"), ([0, 1, 4, 5, 8, 9], "0, 1, 4, 5, 8 and 9"),
        ([0, 2, 4], "0, 2 and 4"),
    ],
)  # fmt: skip
def test_lanes_in_words(numbers, text):
    assert ranges_text(numbers) == text
    assert lanes_text(set(numbers)) == f"{'lane' if len(numbers) == 1 else 'lanes'} {text}"
