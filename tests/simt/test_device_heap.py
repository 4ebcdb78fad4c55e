"""`malloc` and `free`, `new` and `delete` inside kernels: results, reuse, exhaustion, and what is wrong with a use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpucourse import cupy_sim as cp
from gpucourse import explain
from gpucourse.errors import KernelFault, OutOfBounds
from gpucourse.simt.heap import HEAP_BYTES, Heap
from gpucourse.simt.link import Program
from gpucourse.simt.run import launch
from gpucourse.simt.sanitize import FAULT, OUT_OF_BOUNDS, RACE, UNINITIALIZED, Report, sanitize_launch
from tests.simt.ptx_harness import SCHEDULES

BOTH = pytest.mark.parametrize("schedule", SCHEDULES)


def kernel(body: str, above: str = "") -> str:
    """A kernel `k(x)` with `body`, whose first line is line 2."""
    return f'{above}extern "C" __global__ void k(int* x) {{ int i = blockIdx.x * blockDim.x + threadIdx.x;\n{body}\n}}'


def run(source: str | Program, x: Any, threads: int = 32, blocks: int = 1, **options: Any) -> None:
    program = source if isinstance(source, Program) else Program(source)
    launch(program, "k", (blocks,), (threads,), (x,), **options)


# --- what kernels do with it -------------------------------------------------------------------------

SORTED = """
int n = i % 7 + 1, *v = (int*)malloc(n * sizeof(int));
for (int k = 0; k < n; ++k) v[k] = (i * 31 + k * 17) % 50;
for (int a = 1; a < n; ++a)
    for (int b = a; b > 0 && v[b] < v[b - 1]; --b) { int t = v[b]; v[b] = v[b - 1]; v[b - 1] = t; }
x[i] = v[n / 2];
free(v);"""


@BOTH
def test_each_thread_sorts_a_block_of_its_own(schedule: str) -> None:
    x = np.zeros(256, np.int32)
    run(kernel(SORTED), x, 64, 4, schedule=schedule)
    medians = [np.sort((i * 31 + np.arange(i % 7 + 1) * 17) % 50)[(i % 7 + 1) // 2] for i in range(256)]
    np.testing.assert_array_equal(x, medians)


LISTS = r"""
struct Node { int value; Node* next; };
__device__ Node* heads[8];
extern "C" __global__ void push(const int* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    Node* node = (Node*)malloc(sizeof(Node));
    node->value = x[i];
    Node* seen = *(Node* volatile*)&heads[x[i] & 7];
    do {
        node->next = seen;
        seen = (Node*)atomicCAS((unsigned long long*)&heads[x[i] & 7], (unsigned long long)node->next,
                                (unsigned long long)node);
    } while (seen != node->next);
}
extern "C" __global__ void pop(long long* sums) {
    Node* node = heads[threadIdx.x];
    while (node) { Node* next = node->next; sums[threadIdx.x] += node->value; free(node); node = next; }
    heads[threadIdx.x] = nullptr;
}"""


@BOTH
def test_lists_live_from_one_launch_to_the_next(schedule: str) -> None:
    program, x = Program(LISTS), np.random.default_rng(3).integers(0, 1000, 500, dtype=np.int32)
    want = np.bincount(x & 7, weights=x, minlength=8)
    for _ in range(2):
        sums = np.zeros(8, np.int64)
        launch(program, "push", (4,), (128,), (x, np.int32(500)), schedule=schedule)
        launch(program, "pop", (1,), (8,), (sums,), schedule=schedule)
        np.testing.assert_array_equal(sums, want)


CLASSES = r"""
struct Shape { __device__ virtual ~Shape() {} __device__ virtual int area() const = 0; };
struct Square : Shape {
    int s;
    __device__ Square(int s) : s(s) {}
    __device__ int area() const override { return s * s; }
};
struct Counted : Shape {
    int* count;
    __device__ Counted(int* c) : count(c) {}
    __device__ ~Counted() override { atomicAdd(count, 1); }
    __device__ int area() const override { return 7; }
};
extern "C" __global__ void k(int* x) {
    int i = threadIdx.x;
    Shape* shape = i % 3 ? (Shape*)new Square(i) : (Shape*)new Counted(x + 64);
    int* copies = new int[i + 1];
    for (int k = 0; k <= i; ++k) copies[k] = shape->area();
    x[i] = copies[i];
    delete[] copies;
    delete shape;
}"""


@BOTH
def test_new_and_delete_of_virtual_classes(schedule: str) -> None:
    x, i = np.zeros(65, np.int32), np.arange(64)
    run(CLASSES, x, 64, schedule=schedule)
    np.testing.assert_array_equal(x[:64], np.where(i % 3, i * i, 7))
    assert x[64] == np.count_nonzero(i % 3 == 0)


def test_one_thread_frees_what_another_allocated() -> None:
    above = "__shared__ int* p[32];\n"
    x = np.zeros(32, np.int32)
    program = Program(kernel("p[i] = (int*)malloc(4); *p[i] = i; __syncthreads(); x[i] = *p[31 - i]; free(p[31 - i]);",
                             above))  # fmt: skip
    run(program, x)
    np.testing.assert_array_equal(x, 31 - np.arange(32))
    assert program.heap is not None and not program.heap.usable.any()


def test_addresses_are_aligned_and_apart() -> None:
    addresses = np.zeros(64, np.uint64)
    source = 'extern "C" __global__ void k(char** x) { x[threadIdx.x] = (char*)malloc(threadIdx.x + 1); }'
    run(source, addresses, 64)
    assert not (addresses % 16).any()
    order = np.argsort(addresses)
    ends = addresses[order] + order.astype(np.uint64) + np.uint64(1)
    assert (addresses[order][1:] > ends[:-1]).all()


# --- room --------------------------------------------------------------------------------------------


def test_null_when_the_heap_is_exhausted_and_room_again_after_free() -> None:
    body = """char* p = (char*)malloc(1 << 20);
    x[i] = p != nullptr;
    if (p) p[(1 << 20) - 1] = 3;
    if (i >= 16) return;
    free(p);"""
    x, program = np.zeros(32, np.int32), Program(kernel(body))
    run(program, x)
    assert x.tolist() == [1] * 7 + [0] * 25       # 8 MiB, less the gaps
    run(program, x)
    assert x.tolist() == [1] * 7 + [0] * 25


@pytest.mark.parametrize(("size", "given"), [
    ("HEAP / 2", 1), ("HEAP - 64", 1), ("HEAP", 0), ("~0ull", 0), ("1ull << 40", 0), ("0", 1)])  # fmt: skip
def test_sizes(size: str, given: int) -> None:
    x = np.zeros(1, np.int32)
    source = kernel(f"void* p = malloc({size}); x[0] = p != nullptr; free(p); free(nullptr); free(p ? malloc(8) : p);",
                    f"#define HEAP {HEAP_BYTES}ull\n")  # fmt: skip
    run(source, x, 1)
    assert x[0] == given


def test_freed_memory_is_used_again_when_no_other_is_left() -> None:
    body = """for (int k = 0; k < 300; ++k) {
        int* p = (int*)malloc(60000 + 100 * i);
        if (p) { p[k] = k; x[i] += p[k] == k; free(p); }
    }"""
    x = np.zeros(8, np.int32)
    run(kernel(body), x, 8)   # 145 MB in all
    assert x.tolist() == [300] * 8


def test_freed_neighbors_make_one_hole() -> None:
    heap = Heap(1024)
    blocks = [heap.malloc(112, 1) for _ in range(8)]
    assert 0 not in blocks and heap.malloc(112, 1) == 0
    for block in (blocks[3], blocks[5], blocks[4]):
        assert heap.free(block, 2) is None
    assert heap.malloc(400, 3) == 0
    assert heap.malloc(3 * 128 - 16, 3) == blocks[3]
    assert heap.malloc(1, 3) == 0


def test_random_blocks_never_overlap() -> None:
    rng, heap, held = np.random.default_rng(11), Heap(1 << 16), dict[int, int]()
    refused = 0
    for _ in range(4000):
        if held and rng.random() < 0.5:
            address = list(held)[rng.integers(len(held))]
            del held[address]
            assert heap.free(address, 1) is None
        else:
            size = int(rng.integers(0, 3000))
            address = heap.malloc(size, 1)
            assert address % 16 == 0
            refused += not address
            if address:
                held[address] = size
        owners = np.zeros(1 << 16, int)
        for start, size in held.items():
            owners[start - heap.base : start - heap.base + size] += 1
        assert owners.max(initial=0) <= 1
        np.testing.assert_array_equal(owners == 1, heap.usable)
    assert refused


# --- wrong uses --------------------------------------------------------------------------------------

WRONG = [
    ("int* p = (int*)malloc(36);\nx[i] = p[9];", OutOfBounds, 3,
     "reads element 9 of a block of `malloc` at line 2, which has 9"),
    ("int* p = (int*)malloc(36);\np[-1] = 3;", OutOfBounds, 3, "writes element -1 of a block of `malloc` at line 2"),
    ("short* p = (short*)malloc(5);\natomicAdd((int*)p + 1, 3);", OutOfBounds, 3, "updates bytes 4 to 7 of a block of"),
    ("int* p = (int*)malloc(36);\nfree(p);\nx[i] = *p;", OutOfBounds, 4,
     "reads element 0 of a block of `malloc` at line 2, freed at line 3"),
    ("int* p = (int*)malloc(0);\n*p = 3;", OutOfBounds, 3,
     "writes element 0 of a block of `malloc` at line 2, which has 0"),
    ("int* p = (int*)malloc(4);\nfree(p);\nfree(p);", KernelFault, 4,
     "frees again a block of `malloc` at line 2, freed at line 3"),
    ("int* p = (int*)malloc(40);\nfree(p + 2);", KernelFault, 3,
     "frees an address 8 bytes into a block of `malloc` at line 2"),
    ("free(x);", KernelFault, 2, "malloc did not return.*it is in `x`"),
    ("int own[2] = {i, i};\nfree(&own[x[i] & 1]);", KernelFault, 3, "malloc did not return"),
    ("int* p = (int*)malloc(i == 5 ? 1 << 30 : 4);\nx[i] = atomicAdd(p, 1);", OutOfBounds, 3, "a null pointer"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "error", "line", "message"), WRONG, ids=[w[3][:40] for w in WRONG])
@BOTH
def test_a_wrong_use_is_a_fault(schedule: str, body: str, error: type[KernelFault], line: int, message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        run(kernel(body), np.zeros(32, np.int32), schedule=schedule)
    assert caught.value.line == line
    assert (caught.value.thread == (5, 0, 0)) == ("null" in message)


def test_the_thread_that_frees_wrongly_is_named() -> None:
    with pytest.raises(KernelFault, match="frees again") as caught:
        run(kernel("int* p = (int*)malloc(4);\nfree(p);\nif (i == 45) free(p);"), np.zeros(64, np.int32), 64)
    assert caught.value.thread == (45, 0, 0)


# --- the sanitizer -----------------------------------------------------------------------------------


def findings(body: str, program: Program | None = None, threads: int = 64, blocks: int = 1, above: str = "") -> Report:
    program = program or Program(kernel(body, above))
    return sanitize_launch(program, "k", (blocks,), (threads,), (np.zeros(threads * blocks, np.int32),))


def test_a_right_kernel_is_clean_however_often_memory_is_used_again() -> None:
    assert findings(SORTED, blocks=4).ok
    again = """for (int k = 0; k < 4; ++k) {
        int* p = (int*)malloc(100000);
        if (p) { p[0] = k + i; x[i] += p[0]; p[1] = x[i]; free(p); }
    }"""
    assert findings(again).ok


def test_new_memory_is_unwritten() -> None:
    report = findings("int* p = (int*)malloc(20);\np[1] = 4;\nx[i] = p[1] + p[2];")
    (found,) = report.findings
    assert (found.kind, found.line, found.index, found.count) == (UNINITIALIZED, 4, 2, 64)
    assert "reads element 2 of `malloc` at line 2, which nobody has written" in str(found)


def test_memory_that_was_used_before_is_unwritten_again() -> None:
    body = "int* p = (int*)malloc(6 << 20);\nif (x[0]) *p = 3;\nx[0] = *p;\nfree(p);"
    program, one = Program(kernel(body)), np.ones(1, np.int32)
    run(program, one, 1)
    assert one[0] == 3
    assert [f.line for f in findings("", program, threads=1).findings] == [4]


def test_threads_race_in_the_heap() -> None:
    above = "__shared__ int* p;\n"
    report = findings("if (i == 0) p = (int*)malloc(8);\n__syncthreads();\np[i & 1] = i;", above=above)
    assert RACE in report.kinds and {f.line for f in report.findings} == {5}
    assert "`malloc` at line 3" in str(report)


@pytest.mark.parametrize(("body", "kind"), [
    ("int* p = (int*)malloc(4); p[1] = 2;", OUT_OF_BOUNDS),
    ("void* p = malloc(4); free(p); free(p);", FAULT),
])  # fmt: skip
def test_faults_become_findings(body: str, kind: str) -> None:
    assert findings(body).kinds == (kind,)


def test_sanitizing_leaves_the_heap_as_it_was() -> None:
    source = r"""
__device__ int* kept;
extern "C" __global__ void k(int* x) {
    if (!kept) { kept = (int*)malloc(40); kept[3] = 5; }
    int* leaked = (int*)malloc(4 << 20);
    x[0] = (leaked != nullptr) * 100 + kept[3]++;
    if (x[1]) free(leaked);
}"""
    module, x = cp.RawModule(code=source), cp.array([0, 1], np.int32)
    for count in range(3):
        for _ in range(3):
            assert explain.sanitize((module, "k"), (1,), (1,), (x,)).ok
        module.get_function("k")((1,), (1,), (x,))
        assert int(x[0]) == 105 + count


def test_a_heap_put_back_is_the_same_byte_for_byte() -> None:
    heap = Heap(4096)
    kept, freed = heap.malloc(100, 1), heap.malloc(200, 1)
    heap.data[kept - heap.base : freed - heap.base + 200] = 7
    heap.free(freed, 2)
    before, usable = heap.data.copy(), heap.usable.copy()
    put_back = heap.snapshot()
    for _ in range(2):
        heap.free(kept, 3)
        new = heap.malloc(3000, 3)
        heap.data[:] = 9
        put_back()
        np.testing.assert_array_equal(heap.data[: new - heap.base + 3000], before[: new - heap.base + 3000])
        np.testing.assert_array_equal(heap.usable, usable)
        assert "frees again" in str(heap.free(freed, 4))


def test_kernels_without_malloc_have_no_heap() -> None:
    program = Program(kernel("x[i] = i;"))
    run(program, np.zeros(32, np.int32))
    assert program.heap is None
