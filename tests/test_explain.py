"""`profile`, `sanitize`, `simulate` for a learner's kernel: of the simulator, and of CuPy (a double of it)."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import gpucourse
from gpucourse import cupy_sim as cp
from gpucourse import profile, sanitize, simulate
from gpucourse.errors import CourseError, LaunchError, OutOfBounds

ADD = r"""
extern "C" __global__ void add(const float* x, const float* y, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i] + y[i];
}"""
COUNT = r"""
__constant__ int step;
__device__ int total;
extern "C" __global__ void count(int* out) {
    out[threadIdx.x] = atomicAdd(&total, step);
}
template <typename T> __global__ void twice(T* x) { x[threadIdx.x] *= 2; }
"""
SHARED = r"""
extern "C" __global__ void neighbor(const float* x, float* y) {
    extern __shared__ float s[];
    s[threadIdx.x] = x[threadIdx.x];
    BARRIER
    y[threadIdx.x] = s[(threadIdx.x + 1) % blockDim.x];
}"""


def _add() -> tuple[cp.RawKernel, tuple[Any, ...]]:
    x, y = cp.arange(1000, dtype=cp.float32), cp.ones(1000, cp.float32)
    return cp.RawKernel(ADD, "add"), (x, y, cp.zeros(1000, cp.float32), np.int32(1000))


# --- a kernel of the simulator -----------------------------------------------------------------------


def test_profile_counts_a_vector_add() -> None:
    kernel, args = _add()
    found = profile(kernel, (4,), (256,), args)
    # 31 full warps and one of 8 lanes: three accesses of 31 x 4 + 1 sectors each
    assert (found.global_load_sectors, found.global_store_sectors, found.flops) == (250, 125, 1000)
    assert found.lines[4].global_requests == 96
    assert found.name == "add"


def test_the_learners_arrays_stay_as_they_are() -> None:
    kernel, args = _add()
    profile(kernel, (4,), (256,), args)
    sanitize(kernel, (4,), (256,), args)
    assert args[2].get().tolist() == [0.0] * 1000
    kernel((4,), (256,), args)
    assert args[2].get().tolist() == (np.arange(1000) + 1).tolist()


def test_a_fault_leaves_the_learners_arrays_as_they_are() -> None:
    kernel, (x, y, out, _) = _add()
    with pytest.raises(OutOfBounds, match="line 4"):
        profile(kernel, (4,), (256,), (x, y, out, np.int32(1024)))
    assert not out.get().any()


def test_views_keep_their_offset_and_share_one_copy() -> None:
    """x[1:] begins 4 bytes after a sector: 5 sectors a warp; out overlaps x, so the sums run on."""
    kernel, _ = _add()
    x = cp.zeros(65, cp.float32)
    found = profile(kernel, (2,), (32,), (x[1:], x[:64], x[1:], np.int32(64)))
    assert found.global_load_sectors == 2 * (5 + 4)
    assert found.global_store_sectors == 2 * 5
    assert (found.sectors_read, found.sectors_written) == (9, 9)   # bytes 0 to 259, and 4 to 259


def test_arrays_with_axes_in_any_order() -> None:
    kernel, _ = _add()
    x = cp.asfortranarray(cp.ones((8, 8), cp.float32))
    found = profile(kernel, (1,), (64,), (x.T, x[::-1], cp.zeros(64, cp.float32), np.int32(8)))
    assert found.global_load_requests == 2


def test_an_address_as_an_integer_leads_to_the_copy() -> None:
    kernel, (x, y, out, n) = _add()
    profile(kernel, (4,), (256,), (x.data.ptr, y, out.data.ptr, n))
    assert not out.get().any()


def test_empty_arrays() -> None:
    kernel, _ = _add()
    none = cp.zeros(0, cp.float32)
    assert profile(kernel, (1,), (32,), (none, none, none, np.int32(0))).global_requests == 0


def test_variables_of_the_module_are_put_back() -> None:
    module = cp.RawModule(code=COUNT)
    step = cp.ndarray((1,), cp.int32, module.get_global("step"))
    total = cp.ndarray((1,), cp.int32, module.get_global("total"))
    step[...], total[...] = 3, 5
    kernel = module.get_function("count")
    out = cp.zeros(32, cp.int32)
    found = profile(kernel, (1,), (32,), (out,))
    assert found.atomic_serialization == 32
    assert found.constant_requests == 1
    assert total.get().tolist() == [5]
    kernel((1,), (32,), (out,))
    assert total.get().tolist() == [5 + 32 * 3]


def test_a_pointer_to_a_variable_is_the_variable() -> None:
    """Only if `p` is `total` itself, not a copy, does the kernel stay inside `out`."""
    source = r"""
__device__ int total;
extern "C" __global__ void at(int* p, int* out) { if (threadIdx.x == 0) { p[0] = 5; out[total - 5] = 1; } }"""
    module = cp.RawModule(code=source)
    total = cp.ndarray((1,), cp.int32, module.get_global("total"))
    out = cp.zeros(4, cp.int32)
    assert profile(module.get_function("at"), (1,), (32,), (total, out)).global_store_requests == 2
    assert total.get().tolist() == [0]


def test_a_kernel_of_a_module_by_its_name() -> None:
    module = cp.RawModule(code=COUNT, name_expressions=["twice<float>", "twice<double>"])
    x = cp.ones(32, cp.float64)
    found = profile((module, "twice<double>"), (1,), (32,), (x,))
    assert (found.global_load_sectors, found.global_store_sectors) == (8, 8)
    assert x.get().tolist() == [1.0] * 32


def test_shared_memory_beyond_48_kilobytes() -> None:
    kernel = cp.RawKernel(SHARED.replace("BARRIER", "__syncthreads();"), "neighbor")
    kernel.max_dynamic_shared_size_bytes = 60_000
    x, y = cp.arange(64, dtype=cp.float32), cp.zeros(64, cp.float32)
    found = profile(kernel, (1,), (64,), (x, y), shared_mem=60_000)
    assert found.shared_bytes == 60_000
    assert found.bank_conflicts == 0
    assert sanitize(kernel, (1,), (64,), (x, y), shared_mem=60_000).ok


def test_a_launch_that_no_gpu_accepts_is_refused_as_at_a_call() -> None:
    kernel, args = _add()
    with pytest.raises(LaunchError, match="takes 4 arguments"):
        profile(kernel, (1,), (32,), args[:3])
    with pytest.raises(LaunchError, match="1,056 threads"):
        sanitize(kernel, (1,), (33, 32), args)
    with pytest.raises(TypeError, match="expected tuple"):
        profile(kernel, 4, (32,), args)


@pytest.mark.parametrize("thing", [len, "add", (), (1, "add"), cp.ElementwiseKernel("T x", "T y", "y = x", "copy")])
def test_what_is_no_kernel_is_said_so(thing: Any) -> None:
    with pytest.raises(CourseError, match=r"take a RawKernel, or \(RawModule, name of the kernel\); given was: "):
        profile(thing, (1,), (32,), ())


# --- sanitize ----------------------------------------------------------------------------------------


def test_sanitize_finds_a_missing_barrier_and_is_silent_with_it() -> None:
    x, y = cp.arange(64, dtype=cp.float32), cp.zeros(64, cp.float32)
    wrong = cp.RawKernel(SHARED.replace("BARRIER", ""), "neighbor")
    right = cp.RawKernel(SHARED.replace("BARRIER", "__syncthreads();"), "neighbor")
    assert "race" in sanitize(wrong, (1,), (64,), (x, y), shared_mem=256).kinds
    assert sanitize(right, (1,), (64,), (x, y), shared_mem=256).ok
    assert not y.get().any()


def test_sanitize_names_a_read_of_memory_that_nobody_wrote() -> None:
    kernel, (x, y, out, n) = _add()
    never = cp.empty(1000, cp.float32)
    assert sanitize(kernel, (4,), (256,), (never, y, out, n)).kinds == ("uninitialized read",)
    assert sanitize(kernel, (4,), (256,), (x, y, never, n)).ok   # it is only written
    never[:] = 1
    assert sanitize(kernel, (4,), (256,), (never, y, out, n)).ok


def test_sanitize_knows_which_elements_were_written() -> None:
    kernel, (x, y, out, _) = _add()
    half = cp.empty(1000, cp.float32)
    half[:500] = x[:500]
    assert sanitize(kernel, (4,), (256,), (half, y, out, np.int32(500))).ok
    assert not sanitize(kernel, (4,), (256,), (half, y, out, np.int32(501))).ok


# --- what a launch leaves behind ---------------------------------------------------------------------


def _neighbor(barrier: str, **options: Any) -> Any:
    """What the kernel `neighbor` makes of 0 to 127."""
    kernel = cp.RawKernel(SHARED.replace("BARRIER", barrier), "neighbor")
    args = (cp.arange(128, dtype=cp.float32), cp.zeros(128, cp.float32))
    return simulate(kernel, (1,), (128,), args, shared_mem=512, **options)[1]


def test_simulate_returns_the_arguments_and_leaves_the_learners_alone() -> None:
    kernel, args = _add()
    x, y, out, n = simulate(kernel, (4,), (256,), args)
    assert (type(out), out.tolist(), n) == (np.ndarray, (np.arange(1000) + 1).tolist(), 1000)
    assert y.tolist() == [1.0] * 1000 and x.tolist() == list(range(1000))
    assert not args[2].get().any()


def test_a_missing_barrier_shows_one_warp_at_a_time_and_at_the_borders_of_warps_only() -> None:
    due = np.roll(np.arange(128), -1)
    assert (_neighbor("") == due).all()
    for seed in range(4):
        wrong = np.flatnonzero(_neighbor("", schedule="adversarial", seed=seed) != due)
        assert len(wrong) and set(wrong) <= {31, 63, 95, 127}
        assert (_neighbor("__syncthreads();", schedule="adversarial", seed=seed) == due).all()


def test_simulate_prints_what_the_kernel_prints(capsys: pytest.CaptureFixture[str]) -> None:
    hello = cp.RawKernel('extern "C" __global__ void hello() { printf("hello\\n"); }', "hello")
    assert simulate(hello, (1,), (2,), ()) == ()
    assert capsys.readouterr().out == "hello\nhello\n"


def test_simulate_knows_two_schedules() -> None:
    kernel, args = _add()
    with pytest.raises(LaunchError, match="neither 'lockstep' nor 'adversarial'"):
        simulate(kernel, (4,), (256,), args, schedule="random")


# --- a kernel of CuPy --------------------------------------------------------------------------------


@dataclass
class CupyKernel:
    """The attributes that CuPy's RawKernel shows."""

    code: str | None
    name: str
    options: tuple[str, ...] = ()
    backend: str = "nvrtc"
    file_path: str | None = None


@dataclass
class _At:
    ptr: int


class CupyArray:
    """The attributes of CuPy's ndarray that matter here; `where` is its address on the device."""

    def __init__(self, held: np.ndarray, where: int, base: CupyArray | None = None) -> None:
        self._held, self.base, self.data = held, base, _At(where)
        self.shape, self.dtype, self.strides = held.shape, held.dtype, held.strides

    def __getitem__(self, key: Any) -> CupyArray:
        part = self._held[key]
        offset = part.__array_interface__["data"][0] - self._held.__array_interface__["data"][0]
        return CupyArray(part, self.data.ptr + offset, self.base or self)

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> np.ndarray:
        return self._held.copy(order)


class CupyPointer:
    def __init__(self, held: np.ndarray) -> None:
        self._held = held

    def copy_to_host(self, mem: int, size: int) -> None:
        ctypes.memmove(mem, self._held.ctypes.data, size)


@dataclass
class CupyModule:
    """The attributes that CuPy's RawModule shows; `variables` is what the device holds."""

    code: str
    variables: dict[str, np.ndarray]
    name_expressions: tuple[str, ...] | None = None
    options: tuple[str, ...] = ()
    backend: str = "nvrtc"
    file_path: str | None = None

    def get_function(self, name: str) -> CupyKernel:
        return CupyKernel(self.code, name)

    def get_global(self, name: str) -> CupyPointer:
        return CupyPointer(self.variables[name])


def test_a_kernel_of_cupy() -> None:
    x, y, out = (CupyArray(np.full(1000, v, np.float32), 512 * k) for k, v in enumerate((1, 2, 0), 9))
    kernel = CupyKernel(ADD, "add")
    found = profile(kernel, (4,), (256,), (x, y, out, np.int32(1000)))
    assert (found.global_load_sectors, found.global_store_sectors) == (250, 125)
    assert not out.get().any()
    assert sanitize(kernel, (4,), (256,), (x, y, out, np.int32(1000))).ok
    assert not sanitize(kernel, (4,), (256,), (x, y, out[:999], np.int32(1001))).ok


def test_a_view_of_cupy_keeps_its_offset() -> None:
    x = CupyArray(np.zeros(65, np.float32), 7 * 512)
    found = profile(CupyKernel(ADD, "add"), (2,), (32,), (x[1:], x[:64], x[1:], np.int32(64)))
    assert found.global_load_sectors == 2 * (5 + 4)
    assert (found.sectors_read, found.sectors_written) == (9, 9)


def test_options_of_cupys_kernel_are_taken_over() -> None:
    source = ADD.replace("x[i] + y[i]", "x[STRIDE * i] + y[i]")
    arrays = [CupyArray(np.zeros(64, np.float32), 512 * k) for k in range(3)]
    found = profile(CupyKernel(source, "add", ("-DSTRIDE=2",)), (1,), (32,), (*arrays, np.int32(32)))
    assert found.global_load_sectors == 8 + 4


def test_a_kernel_of_cupy_without_its_source() -> None:
    with pytest.raises(CourseError, match=r"'add' comes from a compiled file \(add.cubin\)"):
        profile(CupyKernel(None, "add", file_path="add.cubin"), (1,), (32,), ())


def test_cupys_module_brings_its_variables() -> None:
    module = CupyModule(COUNT, {"step": np.array([3], np.int32), "total": np.array([5], np.int32)})
    out = CupyArray(np.zeros(32, np.int32), 512)
    found = profile((module, "count"), (1,), (32,), (out,))
    assert found.atomic_serialization == 32
    assert found.constant_requests == 1


def test_the_variables_of_cupys_module_have_their_values() -> None:
    """`total` is 5 on the device: only with that value does the kernel stay inside its array."""
    source = r"""
__device__ int total;
extern "C" __global__ void at(int* out) { out[total - 5 + threadIdx.x] = 1; }"""
    module = CupyModule(source, {"total": np.array([5], np.int32)})
    out = CupyArray(np.zeros(32, np.int32), 512)
    assert sanitize((module, "at"), (1,), (32,), (out,)).ok
    module.variables["total"][:] = 6
    assert sanitize((module, "at"), (1,), (32,), (out,)).kinds == ("out of bounds",)


def test_a_template_of_cupys_module() -> None:
    expressions = ("twice<float>",)
    module = CupyModule(COUNT, {"step": np.zeros(1, np.int32), "total": np.zeros(1, np.int32)}, expressions)
    x = CupyArray(np.ones(32, np.float32), 512)
    assert profile((module, "twice<float>"), (1,), (32,), (x,)).global_load_sectors == 4


@pytest.mark.parametrize(("name", "missing"), [
    ("_Z5twiceIfEvPT_", "is an instance of a template"), ("count", "values of the constants step"),
])  # fmt: skip
def test_a_kernel_of_cupys_module_alone_does_not_carry_everything(name: str, missing: str) -> None:
    kernel = CupyModule(COUNT, {}).get_function(name)
    with pytest.raises(CourseError, match=rf"{missing}.*Hand over the module too: profile\(\(module, \"name\"\)"):
        profile(kernel, (1,), (32,), (CupyArray(np.zeros(32, np.int32), 512),))


def test_the_double_shows_only_what_cupy_shows() -> None:
    cupy = pytest.importorskip("cupy", exc_type=ImportError)
    kernel = cupy.RawKernel(ADD, "add")
    assert [getattr(kernel, name) for name in ("code", "name", "options", "backend", "file_path")] == [
        ADD, "add", (), "nvrtc", None]  # fmt: skip
    module = set(dir(cupy.RawModule))
    assert {"code", "options", "backend", "file_path", "name_expressions", "get_function", "get_global"} <= module
    assert {"shape", "dtype", "strides", "base", "data", "get"} <= set(dir(cupy.ndarray))
    assert hasattr(cupy.cuda.MemoryPointer, "copy_to_host")


# --- the public names --------------------------------------------------------------------------------


def test_public_names_are_lazy() -> None:
    assert gpucourse.profile is profile
    assert {"profile", "sanitize", "simulate"} <= set(dir(gpucourse))
    loaded = "import sys, gpucourse; print([m for m in sys.modules if m.startswith('gpucourse.')])"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
