"""Calls through function pointers and virtual functions: who is called, where lanes meet again, bad pointers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpucourse.errors import KernelFault, SimulatorLacks
from gpucourse.simt.link import Program
from gpucourse.simt.metrics import Profiler
from gpucourse.simt.ptx import Symbol, parse
from gpucourse.simt.registers import Fragment
from gpucourse.simt.run import launch
from gpucourse.simt.trace import Trace
from tests.simt.ptx_harness import HEADER, SCHEDULES, body_ptx

BOTH = pytest.mark.parametrize("schedule", SCHEDULES)


def run(source: str, threads: int, *arrays: Any, blocks: int = 1, **options: Any) -> str:
    """Launch the kernel `k` of `source`; returns what it printed."""
    return launch(Program(source), "k", (blocks,), (threads,), arrays, **options).printed


# --- who is called -----------------------------------------------------------------------------------

STRUCTS = r"""
struct Pair { int a; double b; };
struct Operation { int code; Pair (*apply)(Pair, int); };
__device__ Pair exchange(Pair p, int k) { return {(int)p.b + k, (double)p.a}; }
__device__ Pair scale(Pair p, int k) { p.a *= k; p.b *= 2; return p; }
__constant__ Operation operations[2] = {{5, exchange}, {6, scale}};
extern "C" __global__ void k(Pair* q, int* code) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    q[i] = operations[i % 3 == 0].apply(q[i], i);
    code[i] = operations[i % 3 == 0].code;
}"""


@BOTH
def test_structs_through_a_constant_table(schedule: str) -> None:
    i = np.arange(192)
    pairs = np.zeros(192, np.dtype([("a", np.int32), ("b", np.float64)], align=True))
    pairs["a"], pairs["b"], code = 3 * i - 50, i - 7.0, np.zeros(192, np.int32)
    a, b = pairs["a"].copy(), pairs["b"].copy()
    run(STRUCTS, 64, pairs, code, blocks=3, schedule=schedule)
    third = i % 3 == 0
    np.testing.assert_array_equal(pairs["a"], np.where(third, a * i, b + i))
    np.testing.assert_array_equal(pairs["b"], np.where(third, b * 2, a))
    np.testing.assert_array_equal(code, np.where(third, 6, 5))


PACKED = r"""
__device__ void three(int* p) { *p += 3; }
__device__ void four(int* p) { *p *= 4; }
#pragma pack(1)
struct Packed { char key; void (*f)(int*); };
__device__ Packed packed[2] = {{1, three}, {2, four}};
extern "C" __global__ void k(int* x) {
    int i = threadIdx.x;
    packed[i & 1].f(x + i);
    x[i] += 1000 * packed[i & 1].key;
}"""


@BOTH
def test_pointers_that_the_compiler_stores_byte_by_byte(schedule: str) -> None:
    x = np.arange(64, dtype=np.int32)
    run(PACKED, 64, x, schedule=schedule)
    i = np.arange(64)
    np.testing.assert_array_equal(x, np.where(i & 1, 4 * i + 2000, i + 3 + 1000))


def test_masked_initial_values_pick_bytes() -> None:
    module = parse(f"{HEADER}.global .u8 t[2] = {{0xFF(f), 0XFF00(f)}};\n.func f() {{ ret; }}")
    assert module.variables["t"].initial == (Symbol("f", mask=0xFF), Symbol("f", mask=0xFF00))


HANDED = r"""
typedef float (*Function)(float, int);
__device__ __noinline__ float root(float x, int n) { return sqrtf(x) + n; }
__device__ __noinline__ float square(float x, int n) { return x * x - n; }
__device__ Function held[2] = {root, square};
__device__ __noinline__ float twice(Function f, float x, int n) { return f(f(x, n), n); }
extern "C" __global__ void k(Function given, const float* x, float* out) {
    __shared__ Function mine[64];
    int i = threadIdx.x;
    Function local[3] = {root, square, given};
    mine[i] = local[i % 3];
    __syncthreads();
    out[i] = twice(mine[63 - i], x[i], i);
}"""


@BOTH
def test_pointers_from_the_host_and_through_all_memories(schedule: str) -> None:
    program, i = Program(HANDED), np.arange(64)
    given = program.variable("held").view(np.uint64)[1]
    x, out = np.linspace(1, 9, 64, dtype=np.float32), np.zeros(64, np.float32)
    launch(program, "k", (1,), (64,), (given, x, out), schedule=schedule)
    roots = np.sqrt(np.sqrt(x.astype(float)) + i) + i
    squares = (x.astype(float) ** 2 - i) ** 2 - i
    np.testing.assert_allclose(out, np.where((63 - i) % 3 == 0, roots, squares), rtol=1e-5)


RECURSION = r"""
typedef long long (*Step)(long long, int);
__device__ long long up(long long n, int depth);
__device__ long long down(long long n, int depth);
__device__ Step steps[2] = {up, down};
__device__ __noinline__ long long up(long long n, int d) {
    return d == 0 ? n : steps[(n * 3 + 1) & 1](n * 3 + 1, d - 1);
}
__device__ __noinline__ long long down(long long n, int d) { return d == 0 ? n : steps[n >> 1 & 1](n >> 1, d - 1); }
extern "C" __global__ void k(long long* out, int depth) {
    out[threadIdx.x] = steps[threadIdx.x & 1](threadIdx.x, depth);
}"""


@BOTH
def test_recursion_through_pointers(schedule: str) -> None:
    """Lanes go up and down independently: each step halves the number, or multiplies it by 3 and adds 1."""
    out = np.zeros(64, np.int64)
    run(RECURSION, 64, out, np.int32(9), schedule=schedule)
    n = np.arange(64)
    for _ in range(9):
        n = np.where(n & 1, n >> 1, 3 * n + 1)
    np.testing.assert_array_equal(out, n)


VIRTUAL = r"""
struct Shape {
    float scale;
    __device__ Shape(float s) : scale(s) {}
    __device__ virtual float area() const { return 0.0f; }
    __device__ float scaled() const { return scale * area(); }
};
struct Named { int name; __device__ Named(int n) : name(n) {} __device__ virtual int tag() const { return name; } };
struct Square : Shape, Named {
    float side;
    __device__ Square(float s, int n) : Shape(2.0f), Named(n), side(s) {}
    __device__ float area() const override { return side * side; }
    __device__ int tag() const override { return -name; }
};
struct Disc : Shape, Named {
    float r;
    __device__ Disc(float v, int n) : Shape(0.5f), Named(n), r(v) {}
    __device__ float area() const override { return 3.0f * r * r; }
};
struct Point : Shape, Named { __device__ Point(int n) : Shape(1.0f), Named(n) {} };
__device__ __noinline__ int tag_of(const Named* n) { return n->tag(); }
extern "C" __global__ void k(const float* x, float* area, int* tag) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    Square square(x[i], i); Disc disc(x[i], i); Point point(i);
    const Shape* shape = i % 3 == 0 ? (const Shape*)&square : i % 3 == 1 ? (const Shape*)&disc : (const Shape*)&point;
    const Named* named = i % 3 == 0 ? (const Named*)&square : i % 3 == 1 ? (const Named*)&disc : (const Named*)&point;
    area[i] = shape->scaled();
    tag[i] = tag_of(named);
}"""


@BOTH
def test_virtual_functions_of_two_bases(schedule: str) -> None:
    i, x = np.arange(192), np.linspace(-3, 3, 192, dtype=np.float32)
    area, tag = np.zeros(192, np.float32), np.zeros(192, np.int32)
    run(VIRTUAL, 96, x, area, tag, blocks=2, schedule=schedule)
    square = x.astype(float) ** 2
    np.testing.assert_allclose(area, np.choose(i % 3, [2 * square, 1.5 * square, 0 * square]), rtol=1e-6)
    np.testing.assert_array_equal(tag, np.where(i % 3 == 0, -i, i))


# --- where lanes part and meet -----------------------------------------------------------------------

MEETING = r"""
__device__ __noinline__ int plus(int x) { return x + 10; }
__device__ __noinline__ int minus(int x) { return x - 10; }
__device__ __noinline__ int loop(int x) { int s = 0; for (int i = 0; i < (x & 3); ++i) s += x ^ i; return s; }
__device__ int (*table[3])(int) = {plus, minus, loop};
extern "C" __global__ void k(const int* which, int* out, unsigned* together) {
    int i = threadIdx.x, before = i * 7;
    int got = table[which[i]](i) + before;
    together[i] = __activemask();
    out[i] = __shfl_xor_sync(0xffffffffu, got, 1);
}"""


class Visits(Trace):
    """Function -> the lanes of each execution of its first block."""

    def __init__(self) -> None:
        self.seen: dict[str, list[int]] = {}

    def block(self, f: Fragment, run: Any) -> None:
        if run.block.index == 0:
            self.seen.setdefault(f.code.function.name, []).append(f.lanes.count)


def _meeting(which: Any, schedule: str, trace: Trace | None = None) -> tuple[Any, Any]:
    out, together = np.zeros(len(which), np.int32), np.zeros(len(which), np.uint32)
    run(MEETING, len(which), which.astype(np.int32), out, together, schedule=schedule, trace=trace)
    return out, together


@BOTH
def test_lanes_meet_behind_the_call(schedule: str) -> None:
    i, which = np.arange(96), np.random.default_rng(5).integers(0, 3, 96)
    loops = np.array([sum(x ^ k for k in range(x & 3)) for x in i])
    got = np.choose(which, [i + 10, i - 10, loops]) + 7 * i
    out, together = _meeting(which, schedule)
    np.testing.assert_array_equal(out, got[i ^ 1])
    np.testing.assert_array_equal(together, np.full(96, 0xFFFFFFFF))


def test_each_function_runs_once_for_all_lanes_that_call_it() -> None:
    which, visits = np.arange(96) % 3, Visits()
    _meeting(which, "lockstep", visits)
    assert visits.seen == {"k": [96], "_Z4plusi": [32], "_Z5minusi": [32], "_Z4loopi": [32]}


def test_calls_whose_lanes_part_count_as_divergent_branches() -> None:
    which = np.array([0] * 32 + [0, 1] * 16 + [2] * 32)
    profiler = Profiler()
    _meeting(which, "lockstep", profiler)
    profiler.finish()
    line = MEETING[: MEETING.index("int got")].count("\n") + 1
    assert (profiler.lines[line].branches, profiler.lines[line].divergent_branches) == (3, 1)


ONE_AFTER_ANOTHER = r"""
__device__ __noinline__ void say(int who, int n) { printf(who == 1 ? "first %d\n" : "second %d\n", n); }
__device__ __noinline__ void first(int i) { for (int n = 0; n < 1 + i % 2; ++n) say(1, n); }
__device__ __noinline__ void second(int i) { for (int n = 0; n < 1 + i % 2; ++n) say(2, n); }
__device__ void (*table[2])(int) = {first, second};
extern "C" __global__ void k(int t) { table[threadIdx.x >> t & 1](threadIdx.x); }"""


def test_functions_run_one_after_another() -> None:
    lines = run(ONE_AFTER_ANOTHER, 8, np.int32(1)).split("\n")[:-1]
    per_function = [["0"] * 4 + ["1"] * 2] * 2
    names = [line.split()[0] for line in lines]
    assert sorted(set(names)) == ["first", "second"] and names in (sorted(names), sorted(names, reverse=True))
    assert [[line.split()[1] for line in lines[:6]], [line.split()[1] for line in lines[6:]]] == per_function


BARRIERS = r"""
__device__ __noinline__ int even(int* s, int i) { s[i] = i; __syncthreads(); return s[i ^ 1]; }
__device__ __noinline__ int odd(int* s, int i) { s[i] = -i; __syncthreads(); return s[i ^ 1]; }
__device__ int (*table[2])(int*, int) = {even, odd};
extern "C" __global__ void k(int* out) {
    __shared__ int s[96];
    out[threadIdx.x] = table[threadIdx.x & 1](s, threadIdx.x);
}"""


@BOTH
def test_a_barrier_inside_the_functions(schedule: str) -> None:
    i, out = np.arange(96), np.zeros(96, np.int32)
    run(BARRIERS, 96, out, schedule=schedule)
    np.testing.assert_array_equal(out, np.where(i & 1, i - 1, -i - 1))


WAITING = r"""
__device__ __noinline__ bool open(int* flag) { return atomicAdd(flag, 0) != 0; }
__device__ __noinline__ bool never(int* flag) { return *flag == 12345; }
__device__ bool (*table[2])(int*) = {open, never};
extern "C" __global__ void k(int* flag, int* out, int which) {
    if (threadIdx.x < 32) {
        while (!table[which](flag)) {}
        out[threadIdx.x] = 1;
    } else {
        for (int i = 0; i < 50; ++i) out[threadIdx.x] = i;
        __threadfence();
        if (threadIdx.x == 40) atomicExch(flag, 1);
    }
}"""


@BOTH
def test_a_loop_that_waits_through_a_pointer_lets_others_run(schedule: str) -> None:
    flag, out = np.zeros(1, np.int32), np.zeros(64, np.int32)
    run(WAITING, 64, flag, out, np.int32(0), schedule=schedule, budget=100_000)
    assert out.tolist() == [1] * 32 + [49] * 32


# --- written by hand ---------------------------------------------------------------------------------

BY_HAND = """
.func (.param .b32 r) f(.param .b32 a)
{ .reg .b32 %x; ld.param.b32 %x, [a]; add.s32 %x, %x, 1; st.param.b32 [r], %x; ret; }
.func (.param .b32 r) g(.param .b32 a)
{ .reg .b32 %x; ld.param.b32 %x, [a]; shl.b32 %x, %x, 4; st.param.b32 [r], %x; ret; }
.func note(.param .b64 a) { .reg .b64 %x; ld.param.b64 %x, [a]; st.global.u32 [%x], 77; ret; }
.global .u64 table[3] = {f, generic(g), note};
"""
BY_HAND_BODY = """
mad.wide.u32 %d1, %i, 4, %a0;
mov.u64 %d2, f; mov.u64 %d3, g; mov.u64 %d7, table; ld.global.u64 %d8, [%d7+16];
and.b32 %r1, %i, 1; setp.eq.u32 %p1, %r1, 1; selp.b64 %d4, %d2, %d3, %p1;
setp.lt.u32 %p2, %i, 24;
{ .param .b32 p; .param .b32 q; st.param.b32 [p], %i;
  WHAT
  st.param.b32 [q], 0;
  @%p2 call (q), %d4, (p), KIND;
  ld.param.b32 %r2, [q]; }
st.global.u32 [%d1], %r2;
{ .param .b64 p; st.param.b64 [p], %d1; setp.eq.u32 %p3, %i, 30;
  Q: .callprototype _ (.param .b64 _);
  @%p3 call %d8, (p), Q; }
"""


@BOTH
@pytest.mark.parametrize("what, kind", [
    ("P: .callprototype (.param .b32 _) _ (.param .b32 _);", "P"), ("T: .calltargets f, g;", "T")])  # fmt: skip
def test_guarded_calls_with_a_prototype_or_a_list(schedule: str, what: str, kind: str) -> None:
    i, out = np.arange(32), np.zeros(32, np.uint32)
    body = BY_HAND_BODY.replace("WHAT", what).replace("KIND", kind)
    launch(Program(ptx=body_ptx(body, 1, BY_HAND)), "k", (1,), (32,), (out,), schedule=schedule)
    want = np.where(i < 24, np.where(i & 1, i + 1, i << 4), 0)
    want[30] = 77
    np.testing.assert_array_equal(out, want)


def test_a_function_that_the_list_lacks_is_refused() -> None:
    body = BY_HAND_BODY.replace("WHAT", "T: .calltargets f;").replace("KIND", "T")
    program = Program(ptx=body_ptx(body.partition("{ .param .b64 p")[0], 1, BY_HAND))
    with pytest.raises(SimulatorLacks, match="through a pointer to g"):
        launch(program, "k", (1,), (32,), (np.zeros(32, np.uint32),))


# --- bad pointers ------------------------------------------------------------------------------------

BAD = r"""
typedef int (*Function)(int);
__device__ __noinline__ int fine(int x) { return x; }
__device__ __noinline__ int wide(long long x, int y) { return x + y; }
__device__ Function table[1] = {fine};
__device__ int (*other)(long long, int) = wide;
extern "C" __global__ void k(Function given, int* x) {
    int i = threadIdx.x;
    Function f = i < 37 ? table[0] : given;
    x[i] = f(
        i);
}"""
LINE = 10


def _fault(given: Any, schedule: str = "lockstep", program: Program | None = None) -> KernelFault:
    with pytest.raises(KernelFault) as caught:
        launch(program or Program(BAD), "k", (1,), (64,), (np.uint64(given), np.zeros(64, np.int32)),
               schedule=schedule)  # fmt: skip
    assert (caught.value.line, caught.value.block, caught.value.thread) == (LINE, (0, 0, 0), (37, 0, 0))
    return caught.value


@BOTH
def test_a_null_pointer(schedule: str) -> None:
    assert f"line {LINE}" in str(_fault(0, schedule)) and "null function pointer" in str(_fault(0, schedule))


def test_a_pointer_to_nowhere_and_into_a_function() -> None:
    program = Program(BAD)
    inside = int(program.variable("table").view(np.uint64)[0]) + 4
    assert "0xdead, where no function of this program is" in str(_fault(0xDEAD))
    assert f"{inside:#x}, where no function" in str(_fault(inside, program=program))


def test_a_pointer_to_data_names_it() -> None:
    program = Program(BAD)
    address = program.allocations["table"].base
    assert "where variable table is" in str(_fault(address, program=program))


def test_a_pointer_of_another_program() -> None:
    other = Program(BAD)
    assert "no function of this program" in str(_fault(other.variable("table").view(np.uint64)[0]))


def test_a_pointer_cast_to_another_type() -> None:
    program = Program(BAD)
    message = str(_fault(program.variable("other").view(np.uint64)[0], program=program))
    assert "calls _Z4widexi as if it took arguments of 4 bytes and returned 4 bytes" in message
    assert "it really took arguments of 8 and 4 bytes and returned 4 bytes" in message


PURE = r"""
struct Base { __device__ Base() { call(); } __device__ __noinline__ void call(); __device__ virtual void f() = 0; };
__device__ __noinline__ void Base::call() {
    f();
}
struct Derived : Base { int* p; __device__ void f() override { *p = 1; } };
extern "C" __global__ void k(int* x) { Derived d; d.p = x; d.f(); }"""


def test_a_pure_virtual_function_called_from_a_constructor() -> None:
    with pytest.raises(KernelFault, match=r"null function pointer.*pure") as caught:
        run(PURE, 1, np.zeros(1, np.int32))
    assert caught.value.line == 4


def test_data_at_a_functions_address_is_out_of_bounds() -> None:
    source = r"""
__device__ __noinline__ int f(int x) { return x; }
__device__ int (*held)(int) = f;
extern "C" __global__ void k(int* x) { x[0] = held(1) + *(int*)held; }"""
    with pytest.raises(KernelFault, match="where no array is"):
        run(source, 1, np.zeros(1, np.int32))
