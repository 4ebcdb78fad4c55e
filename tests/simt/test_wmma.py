"""Warp matrix products against NumPy: every shape, layout and accumulator, from global, shared and generic memory."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from gpucourse.errors import KernelFault, Misaligned, OutOfBounds, SimulatorLacks
from gpucourse.simt.link import Program
from gpucourse.simt.run import launch
from gpucourse.simt.trace import Trace

SHAPES = {"16x16x16": (16, 16, 16), "32x8x16": (32, 8, 16), "8x32x16": (8, 32, 16)}
LAYOUTS = ("row_major", "col_major")
HEAD = "#include <mma.h>\nusing namespace nvcuda;\n"
# d = a b + c for one tile; matrices of the types E (a, b) and ACC (c, d)
TILE = r"""
extern "C" __global__ void NAME(const E* a, int lda, const E* b, int ldb, const ACC* c, int ldc, int c_rows,
                                ACC* d, int ldd, int d_rows) {
    wmma::fragment<wmma::matrix_a, M, N, K, E, wmma::A_LAYOUT> fa;
    wmma::fragment<wmma::matrix_b, M, N, K, E, wmma::B_LAYOUT> fb;
    wmma::fragment<wmma::accumulator, M, N, K, ACC> fc;
    wmma::load_matrix_sync(fa, a, lda);
    wmma::load_matrix_sync(fb, b, ldb);
    wmma::load_matrix_sync(fc, c, ldc, c_rows ? wmma::mem_row_major : wmma::mem_col_major);
    wmma::mma_sync(fc, fa, fb, fc SATURATE);
    wmma::store_matrix_sync(d, fc, ldd, d_rows ? wmma::mem_row_major : wmma::mem_col_major);
}
"""


def tile_kernel(shape, a_layout, b_layout, element, accumulator, saturate=False):
    m, n, k = SHAPES[shape]
    names = {"M": m, "N": n, "K": k, "A_LAYOUT": a_layout, "B_LAYOUT": b_layout, "E": element, "ACC": accumulator,
             "SATURATE": ", true" if saturate else "", "NAME": "k"}  # fmt: skip
    defines = "".join(f"#define {name} {value}\n" for name, value in names.items())
    return Program(HEAD + defines + TILE)


program = functools.cache(tile_kernel)


def in_memory(matrix, by_rows, pitch, fill):
    """The matrix as it lies in memory, with `pitch` elements from row to row (or column to column)."""
    lines = matrix if by_rows else matrix.T
    held = np.full((len(lines), pitch), fill, matrix.dtype)
    held[:, : lines.shape[1]] = lines
    return held


def out_of_memory(held, by_rows, rows, columns):
    return held[:rows, :columns] if by_rows else held[:columns, :rows].T


def multiply(kernel, a, b, c, a_rows, b_rows, c_rows, d_rows, pad=0, schedule="lockstep"):
    """The simulator's a b + c; each matrix has `pad` elements between its rows (or columns), which must survive."""
    (m, n), held = c.shape, []
    for matrix, rows in ((a, a_rows), (b, b_rows), (c, c_rows)):
        pitch = (matrix.shape[1] if rows else matrix.shape[0]) + pad
        held += [in_memory(matrix, rows, pitch, 99), np.int32(pitch)]
    pitch = (n if d_rows else m) + pad
    d = np.full((m if d_rows else n, pitch), 77, c.dtype)
    launch(kernel, "k", (1,), (32,), (*held, np.int32(c_rows), d, np.int32(pitch), np.int32(d_rows)),
           schedule=schedule)  # fmt: skip
    assert (d[:, pitch - pad :] == 77).all()
    return out_of_memory(d, d_rows, m, n)


def half_matrices(shape, rng, values):
    m, n, k = SHAPES[shape]
    return values(rng, (m, k)).astype(np.float16), values(rng, (k, n)).astype(np.float16), values(rng, (m, n))


def integers(rng, shape):
    return rng.integers(-5, 6, shape).astype(np.float64)


def normal(rng, shape):
    return rng.normal(size=shape)


@pytest.mark.parametrize("accumulator", ["float", "half"])
@pytest.mark.parametrize("a_layout, b_layout", [*itertools.product(LAYOUTS, LAYOUTS)])
@pytest.mark.parametrize("shape", SHAPES)
def test_small_integers_multiply_exactly(shape, a_layout, b_layout, accumulator):
    rng = np.random.default_rng(sum(map(ord, shape)))
    kernel = program(shape, a_layout, b_layout, "half", accumulator)
    dtype = np.float32 if accumulator == "float" else np.float16
    for c_rows, d_rows, pad in itertools.product((True, False), (True, False), (0, 16)):
        a, b, c = half_matrices(shape, rng, integers)
        got = multiply(kernel, a, b, c.astype(dtype), a_layout == "row_major", b_layout == "row_major", c_rows, d_rows,
                       pad)  # fmt: skip
        np.testing.assert_array_equal(got.astype(np.float64), a.astype(np.float64) @ b.astype(np.float64) + c)


@pytest.mark.parametrize("shape", SHAPES)
def test_float32_accumulator_stays_within_the_bound_of_its_roundings(shape):
    rng = np.random.default_rng(3)
    a, b, c = half_matrices(shape, rng, normal)
    c = c.astype(np.float32)
    got = multiply(program(shape, "row_major", "row_major", "half", "float"), a, b, c, True, True, True, True)
    wide = a.astype(np.float64), b.astype(np.float64)
    bound = 17 * 2.0**-24 * (np.abs(wide[0]) @ np.abs(wide[1]) + np.abs(c))   # Higham, 17 terms
    assert (np.abs(got - (wide[0] @ wide[1] + c)) <= bound).all()


def test_sums_are_rounded_to_float32_in_order_of_k():
    rng = np.random.default_rng(4)
    a, b, c = half_matrices("16x16x16", rng, lambda r, s: r.normal(size=s) * 10.0 ** r.integers(-3, 4, s))
    c = c.astype(np.float32)
    got = multiply(program("16x16x16", "row_major", "row_major", "half", "float"), a, b, c, True, True, True, True)
    for row, column in itertools.product(range(16), range(16)):
        total = c[row, column]
        for k in range(16):
            total = np.float32(float(total) + float(a[row, k]) * float(b[k, column]))
        assert got[row, column] == total


def test_half_accumulator_rounds_once():
    rng = np.random.default_rng(5)
    a, b, c = half_matrices("16x16x16", rng, normal)
    c = c.astype(np.float16)
    got = multiply(program("16x16x16", "row_major", "row_major", "half", "half"), a, b, c, True, True, True, True)
    exact = a.astype(np.float64) @ b.astype(np.float64) + c
    assert (np.abs(got - exact) <= np.spacing(np.abs(exact).astype(np.float16)) * 0.51).all()


def test_infinity_and_nan_spread_along_their_row_and_column():
    a, b, c = np.ones((16, 16), np.float16), np.ones((16, 16), np.float16), np.ones((16, 16), np.float32)
    a[2, 3], b[4, 5], a[7, 1], b[1, 9] = np.inf, np.nan, np.inf, 0
    got = multiply(program("16x16x16", "row_major", "row_major", "half", "float"), a, b, c, True, True, True, True)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(got, a.astype(np.float64) @ b.astype(np.float64) + 1)


@pytest.mark.parametrize("saturate", [False, True])
@pytest.mark.parametrize("element", ["signed char", "unsigned char"])
@pytest.mark.parametrize("shape, a_layout, b_layout", [*itertools.product(SHAPES, LAYOUTS, LAYOUTS)])
def test_bytes_multiply_exactly(shape, a_layout, b_layout, element, saturate):
    m, n, k = SHAPES[shape]
    rng = np.random.default_rng(6)
    limits = np.iinfo(np.int8 if element[0] == "s" else np.uint8)
    a, b = (rng.integers(limits.min, limits.max + 1, s).astype(limits.dtype) for s in ((m, k), (k, n)))
    c = rng.integers(-(2**31), 2**31, (m, n)).astype(np.int32)
    c[0], c[1] = 2**31 - 1, -(2**31)
    kernel = program(shape, a_layout, b_layout, element, "int", saturate)
    got = multiply(kernel, a, b, c, a_layout == "row_major", b_layout == "row_major", True, False, pad=16)
    exact = a.astype(np.int64) @ b.astype(np.int64) + c
    wanted = np.clip(exact, -(2**31), 2**31 - 1) if saturate else (exact + 2**31) % 2**32 - 2**31
    np.testing.assert_array_equal(got, wanted)


# --- whole products, memory spaces, fragments as values ----------------------------------------------

SHARED = HEAD + r"""
extern "C" __global__ void k(const half* a, const half* b, float* c, int n, int generic) {
    __shared__ __align__(32) half tile[2][16 * 24];
    const int row = blockIdx.y * 16, column = blockIdx.x * 32 + threadIdx.x / 32 * 16;
    wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> fa;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::row_major> fb;
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> fc;
    wmma::fill_fragment(fc, 0.0f);
    for (int k = 0; k < n; k += 16) {
        for (int i = threadIdx.x; i < 256; i += blockDim.x)
            tile[0][i / 16 * 24 + i % 16] = a[(row + i / 16) * n + k + i % 16];
        __syncthreads();
        const half* from = generic && k % 32 ? a + row * n + k : tile[0];
        wmma::load_matrix_sync(fa, from, generic && k % 32 ? n : 24);
        wmma::load_matrix_sync(fb, b + k * n + column, n);
        wmma::mma_sync(fc, fa, fb, fc);
        __syncthreads();
    }
    for (int i = 0; i < fc.num_elements; i++) fc.x[i] = fmaxf(2.0f * fc.x[i], 0.0f);
    wmma::store_matrix_sync(c + row * n + column, fc, n, wmma::mem_row_major);
}
"""


@pytest.mark.parametrize("schedule", ["lockstep", "adversarial"])
@pytest.mark.parametrize("generic", [0, 1])
def test_a_product_through_shared_memory_with_an_element_wise_end(generic, schedule):
    n, rng = 64, np.random.default_rng(7)
    a, b = (rng.integers(-3, 4, (n, n)).astype(np.float16) for _ in range(2))
    c = np.zeros((n, n), np.float32)
    launch(Program(SHARED), "k", (2, 4), (64,), (a, b, c, np.int32(n), np.int32(generic)), schedule=schedule)
    np.testing.assert_array_equal(c, np.maximum(2 * (a.astype(np.float64) @ b.astype(np.float64)), 0))


# --- what is recorded --------------------------------------------------------------------------------


class _Requests(Trace):
    def __init__(self):
        self.seen = []

    def access(self, access):
        if access.instruction.parts[0] == "wmma":
            self.seen.append(access)


def test_the_trace_sees_each_byte_of_a_tile_once():
    shape = "32x8x16"
    kernel, trace = program(shape, "col_major", "row_major", "half", "float"), _Requests()
    a, b, c = half_matrices(shape, np.random.default_rng(8), integers)
    held_a, held_b = in_memory(a, False, 48, 0), b.copy()
    c, d = c.astype(np.float32), np.zeros((32, 8), np.float32)
    launch(kernel, "k", (1,), (32,), (held_a, np.int32(48), held_b, np.int32(8), c, np.int32(8), np.int32(1), d,
                                      np.int32(8), np.int32(1)), trace=trace)  # fmt: skip
    by_matrix = {}
    for access in trace.seen:
        assert access.lanes.count == 32
        bytes_of = (access.address[:, None] + np.arange(access.bytes, dtype=np.uint64)).ravel()
        by_matrix.setdefault("".join(access.instruction.parts[1:3]), []).append(bytes_of)
    sizes = {"loada": (2, 1024), "loadb": (1, 256), "loadc": (2, 1024), "stored": (2, 1024)}
    assert {k: (len(v), len(np.unique(np.concatenate(v)))) for k, v in by_matrix.items()} == sizes
    first = np.sort(np.concatenate(by_matrix["loada"]) - by_matrix["loada"][0].min())
    np.testing.assert_array_equal(first, (np.arange(16)[:, None] * 96 + np.arange(64)).ravel())
    stored = [a for a in trace.seen if a.kind == "store"]
    np.testing.assert_array_equal(
        np.stack([v for a in stored for v in a.values]).view(np.float32).reshape(2, 4, 32).transpose(0, 2, 1).ravel(),
        d.ravel())  # fmt: skip


# --- what is refused ---------------------------------------------------------------------------------

STORE = HEAD + r"""
extern "C" __global__ void k(float* d, int pitch, int skew) {
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> fc;
    wmma::fill_fragment(fc, 1.0f);
    if (threadIdx.x < 60)
        wmma::store_matrix_sync(d + (threadIdx.x >= 40 ? skew : 0), fc, pitch, wmma::mem_row_major);
}
"""


def fault(kind, match, thread, *, threads=32, pitch=16, offset=0, skew=0, source=STORE):
    memory = np.zeros(256 + offset, np.float32)
    where = rf"^line 8: .*{match}.* \(block \(0, 0, 0\), thread \({thread}, 0, 0\)\)$"
    with pytest.raises(kind, match=where):
        launch(Program(source), "k", (1,), (threads,), (memory[offset:], np.int32(pitch), np.int32(skew)))


def test_a_warp_with_fewer_lanes_is_refused():
    fault(KernelFault, r"wmma\.store with 28 lanes of a warp; it needs all 32", 32, threads=64)
    fault(KernelFault, r"wmma\.store with 16 lanes of a warp; it needs all 32", 32, threads=48)


def test_lanes_that_disagree_are_refused():
    everybody = STORE.replace("threadIdx.x < 60", "true")
    fault(KernelFault, "an address other than lane 0 of its warp", 40, threads=64, skew=8, source=everybody)


def test_misaligned_matrices_are_refused():
    fault(Misaligned, "starts a matrix at address .* no multiple of 32", 0, offset=1)
    fault(Misaligned, r"leading dimension \(stride\) of 68 bytes, which is no multiple of 16", 0, pitch=17)


def test_a_tile_that_leaves_its_array_is_out_of_bounds():
    fault(OutOfBounds, "", 12, pitch=24)   # row 11 begins at element 264 of 256; lane 12 holds it in the second request


def test_what_is_not_there_is_named():
    source = HEAD + r"""
extern "C" __global__ void k(const void* a, int* d) {
    wmma::fragment<wmma::matrix_a, 8, 8, 32, wmma::experimental::precision::s4, wmma::row_major> fa;
    wmma::fragment<wmma::accumulator, 8, 8, 32, int> fc;
    wmma::load_matrix_sync(fa, a, 32);
    wmma::fill_fragment(fc, (int)fa.x[0]);
    wmma::store_matrix_sync(d, fc, 8, wmma::mem_row_major);
}
"""
    with pytest.raises(SimulatorLacks, match=r"wmma\.load\.a\.sync\.aligned\.row\.m8n8k32\.global\.s4") as caught:
        launch(Program(source), "k", (1,), (32,), (np.zeros(64, np.int32), np.zeros(64, np.int32)))
    assert caught.value.line == 7 and "f16, s8, u8" in str(caught.value)
