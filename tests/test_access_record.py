"""`accesses`: who touches what, against index formulas written out here and against `profile`."""

import subprocess
import sys

import numpy as np
import pytest

from gpucourse import access_record, accesses, profile
from gpucourse import cupy_sim as cp
from gpucourse.errors import CourseError, OutOfBounds

STRIDED = r"""
extern "C" __global__ void sums(const float* x, float* out, int each) {
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    float sum = 0;
    for (int k = 0; k < each; k++) sum += x[t * each + k];
    out[t] = sum;
}"""
TILE = r"""
#define SIDE 8
extern "C" __global__ void transpose(const float* x, float* y) {
    const int PAD = 1;
    __shared__ float tile[SIDE][SIDE + PAD];  // one column more
    tile[threadIdx.y][threadIdx.x] = x[threadIdx.y * SIDE + threadIdx.x];
    __syncthreads();
    y[threadIdx.y * SIDE + threadIdx.x] = tile[threadIdx.x][threadIdx.y];
}"""


def seen(recorded, name, kind, *what):
    return [tuple(getattr(t, each) for each in what) for t in recorded.touches(name) if t.kind == kind]


def sums(each=4, blocks=2, threads=40):
    n = blocks * threads
    x, out = cp.zeros(n * each, cp.float32), cp.zeros(n, cp.float32)
    return cp.RawKernel(STRIDED, "sums"), (blocks,), (threads,), (x, out, np.int32(each))


def test_every_thread_touches_the_elements_that_its_index_says():
    recorded = accesses(*sums())
    read = seen(recorded, "x", "read", "element", "block", "thread")
    assert sorted(read) == sorted((4 * (40 * b + t) + k, b, t) for b in range(2) for t in range(40) for k in range(4))
    assert seen(recorded, "x", "write", "element") == []
    written = seen(recorded, "out", "write", "element", "block", "thread")
    assert sorted(written) == [(40 * b + t, b, t) for b in range(2) for t in range(40)]


def test_a_step_is_one_request_of_a_warp_as_profile_counts_them():
    recorded, found = accesses(*sums()), profile(*sums())
    every = [t for name in recorded.arrays for t in recorded.touches(name)]
    requests = {(t.block, t.thread // 32, t.step) for t in every}
    assert len(requests) == found.global_requests == 2 * 2 * 5
    one = sorted(t.element for t in every if (t.block, t.thread // 32, t.step, t.kind) == (1, 0, 2, "read"))
    assert one == [4 * (40 + lane) + 2 for lane in range(32)]


def test_lines_are_those_of_the_source():
    recorded = accesses(*sums())
    assert {t.line for t in recorded.touches("x")} == {5}
    assert {t.line for t in recorded.touches("out")} == {6}


def test_the_arguments_stay_as_they_are():
    kernel, grid, block, (x, out, each) = sums()
    x += 1
    accesses(kernel, grid, block, (x, out, each))
    assert not out.get().any()


def test_two_dimensions_and_shared_memory():
    x = cp.zeros((8, 8), cp.float32)
    recorded = accesses(cp.RawKernel(TILE, "transpose"), (2,), (8, 8), (x, cp.zeros_like(x)))
    assert {name: (held.space, held.shape) for name, held in recorded.arrays.items()} == {
        "x": ("global", (8, 8)), "y": ("global", (8, 8)), "tile": ("shared", (8, 9)),
    }  # fmt: skip
    for name, kind, element in (("x", "read", lambda r, c: 8 * r + c), ("tile", "write", lambda r, c: 9 * r + c),
                                ("tile", "read", lambda r, c: 9 * c + r), ("y", "write", lambda r, c: 8 * r + c)):
        due = {(element(r, c), b, 8 * r + c) for b in range(2) for r in range(8) for c in range(8)}
        assert set(seen(recorded, name, kind, "element", "block", "thread")) == due
    assert {t.block for t in recorded.touches("tile", block=1)} == {1}


def test_a_vector_load_touches_each_of_its_elements():
    source = 'extern "C" __global__ void k(const float4* x, float* y) { y[threadIdx.x] = x[threadIdx.x].w; }'
    x = cp.zeros((4, 4), cp.float32)
    whole = source.replace("x[threadIdx.x].w", "v.x + v.y + v.z + v.w").replace("{ y", "{ float4 v = x[threadIdx.x]; y")
    recorded = accesses(cp.RawKernel(whole, "k"), (1,), (4,), (x, cp.zeros(4, cp.float32)))
    assert sorted(seen(recorded, "x", "read", "element", "thread")) == [(n, n // 4) for n in range(16)]


def test_views_count_from_their_own_first_element():
    kernel, grid, block, (_, _, each) = sums(1, 1, 32)
    x = cp.zeros(100, cp.float32)
    recorded = accesses(kernel, grid, block, (x[3:40], x[60:92], each))
    assert sorted(seen(recorded, "x", "read", "element")) == [(n,) for n in range(32)]
    assert recorded.array("x").start % 32 == 12
    assert recorded.array("x").shape == (37,)


def test_an_array_handed_over_twice_has_both_names():
    kernel, grid, block, (x, _, each) = sums(1, 1, 32)
    recorded = accesses(kernel, grid, block, (x, x, each))
    assert len(recorded.touches("x")) == len(recorded.touches("out")) == 64


def test_an_array_in_another_order_is_flat():
    kernel, grid, block, (_, out, each) = sums(1, 1, 16)
    recorded = accesses(kernel, grid, block, (cp.zeros((4, 4), cp.float32).T, out, each))
    assert recorded.array("x").shape == (16,)


def test_atomics_are_updates():
    source = 'extern "C" __global__ void count(int* n) { atomicAdd(&n[threadIdx.x % 3], 1); }'
    recorded = accesses(cp.RawKernel(source, "count"), (1,), (6,), (cp.zeros(3, cp.int32),))
    assert seen(recorded, "n", "update", "element", "thread") == [(t % 3, t) for t in range(6)]
    assert repr(recorded) == "Accesses of count, grid (1, 1, 1), block (6, 1, 1); n: 6 updates"


def test_dynamic_shared_memory_has_the_size_that_the_launch_gives():
    source = r"""extern "C" __global__ void k(double* x) {
        extern __shared__ double s[]; s[threadIdx.x] = x[threadIdx.x]; __syncthreads(); x[threadIdx.x] = s[0]; }"""
    recorded = accesses(cp.RawKernel(source, "k"), (1,), (4,), (cp.zeros(4),), shared_mem=64)
    assert (recorded.array("s").shape, recorded.array("s").itemsize) == ((8,), 8)


@pytest.mark.parametrize(
    ("declared", "shape"),
    [
        ("__shared__ float a[3];", (3,)),
        ("__shared__ float b[7], a[2][3];", (2, 3)),
        ("#define N 4\n__shared__ float a[N * 2][N + 1];", (8, 5)),
        ("#define W (1 + N)\n#define N 4 // four\nconstexpr int M = 2 * W;\n__shared__ int a[M][W / 2];", (10, 2)),
        ("__shared__ float aa[3]; float a[4];", ()),
        ("extern __shared__ float a[];", ()),
        ("__shared__ float a[sizeof(int)][3];", ()),
        ("__shared__ float a[1 / 0];", ()),
        ("#define N N\n__shared__ float a[N];", ()),
    ],
)
def test_the_lengths_that_a_declaration_says(declared, shape):
    assert access_record.declared_shape(declared, "a") == shape


def test_an_unknown_array_is_named_with_those_there_are():
    with pytest.raises(CourseError, match="kernel sums has no array 'y'; it has: x, out"):
        accesses(*sums()).touches("y")


def test_a_launch_too_large_for_a_picture_is_refused():
    with pytest.raises(CourseError, match=r"at most 200,000 accesses of threads.*record a smaller one"):
        accesses(*sums(each=256, blocks=8, threads=128))


def test_a_fault_is_the_launches_own():
    kernel, grid, block, (x, _, each) = sums()
    with pytest.raises(OutOfBounds, match="line 6"):
        accesses(kernel, grid, block, (x, cp.zeros(3, cp.float32), each))


def test_the_name_is_the_function_however_often_it_is_imported():
    code = "from gpucourse import accesses\nfrom gpucourse import accesses\nprint(callable(accesses))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "True\n"
