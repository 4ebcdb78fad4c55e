"""Theoretical occupancy against published examples and against NVIDIA's own `cuda_occupancy.h`."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from gpucourse.errors import CourseError
from gpucourse.simt.link import Program
from gpucourse.simt.occupancy import DEVICES, LIMITS, limits_of, occupancy
from gpucourse.simt.profile import profile_launch

KB = 1024

# (where it is published, device, threads, registers, shared bytes, blocks per SM, percent)
PUBLISHED = [
    ("CUDA C++ Best Practices Guide, Calculating Occupancy", "7.0", 128, 37, 0, 12, 75.0),
    ("the same: 63 %", "7.0", 320, 37, 0, 4, 62.5),
    ("the same: more than 32 registers a thread end full occupancy", "7.0", 1024, 32, 0, 2, 100.0),
    ("github.com/xmartlabs/cuda-calculator/pull/1 (same limits as 5.0), from NVIDIA's spreadsheet",
     "7.0", 128, 85, 0, 5, 31.25),
    ("github.com/kokkos/kokkos/pull/5739: 20 warps fit, so two blocks of 7", "A100", 224, 92, 0, 2, 21.875),
    ("github.com/brian-team/brian2cuda/issues/208 (same limits as 6.1)", "7.0", 768, 36, 0, 2, 75.0),
    ("NVIDIA Ampere tuning guide: a block can have 163 KB", "A100", 256, 32, 163 * KB, 1, 12.5),
    ("NVIDIA Hopper tuning guide: a block can have 227 KB", "H100", 256, 32, 227 * KB, 1, 12.5),
    ("NVIDIA Blackwell tuning guide: as Hopper", "B200", 256, 32, 227 * KB, 1, 12.5),
]  # fmt: skip


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row[0][:40])
def test_published_examples(row: tuple[str, str, int, int, int, int, float]) -> None:
    source, device, threads, registers, shared, blocks, percent = row
    found = occupancy(device, threads, registers, shared)
    assert (found.blocks_per_sm, found.percent) == (blocks, percent), source


@pytest.mark.parametrize(("arguments", "bound_by", "blocks", "warps"), [
    (("A100", 256, 32), ("warps", "registers"), 8, 64),
    (("A100", 256, 20), ("warps",), 8, 64),
    (("A100", 256, 64), ("registers",), 4, 32),      # 16384 / 2048 = 8 warps a partition
    (("A100", 32, 20), ("blocks",), 32, 32),
    (("T4", 32, 20), ("blocks",), 16, 16),
    (("T4", 256, 32), ("warps",), 4, 32),
    (("RTX 3090", 1024, 32), ("warps",), 1, 32),     # 48 warps hold one block of 32
    (("RTX 4090", 32, 20), ("blocks",), 24, 24),
    (("A100", 128, 32, 40 * KB), ("shared memory",), 4, 16),   # 164 KB / (40 + 1) KB
    (("V100", 128, 32, 48 * KB), ("shared memory",), 2, 8),    # nothing is reserved before 8.0
    (("T4", 128, 32, 32 * KB), ("shared memory",), 2, 8),
    (("L4", 128, 32, 48 * KB), ("shared memory",), 2, 8),      # 100 KB / 49 KB
    (("H200", 128, 32, 48 * KB), ("shared memory",), 4, 16),   # 228 KB / 49 KB
])  # fmt: skip
def test_the_scarcest_resource_is_named(arguments, bound_by, blocks, warps) -> None:
    found = occupancy(*arguments)
    assert (found.bound_by, found.blocks_per_sm, found.warps_per_sm) == (bound_by, blocks, warps)


@pytest.mark.parametrize("arguments", [("A100", 1024, 128), ("T4", 128, 32, 65 * KB), ("A100", 2048, 16)])
def test_a_block_that_does_not_fit_is_said_so(arguments) -> None:
    found = occupancy(*arguments)
    assert found.blocks_per_sm == 0
    assert "no block fits" in str(found)


def test_names_of_devices() -> None:
    assert limits_of("NVIDIA GeForce RTX 4090")[:2] == ("RTX 4090", "8.9")
    assert limits_of("a6000")[0] == "RTX A6000"
    assert limits_of("9.0")[2] is LIMITS["9.0"]
    with pytest.raises(CourseError, match=r"'P100' are not known here; known are V100, T4"):
        occupancy("P100", 128, 32)
    assert {capability for capability in DEVICES.values()} == set(LIMITS)


# --- against NVIDIA's header -------------------------------------------------------------------------

_WRAPPER = r"""
#include <cstddef>
#include <climits>
#include <cuda_occupancy.h>
extern "C" int blocks_per_sm(int major, int minor, int warps, int shared_kb, int optin_kb, int reserved,
                             int threads, int registers, int shared) {
    cudaOccDeviceProp device; cudaOccFuncAttributes kernel; cudaOccDeviceState state; cudaOccResult result;
    device.computeMajor = major; device.computeMinor = minor; device.numSms = 1; device.warpSize = 32;
    device.maxThreadsPerBlock = 1024; device.maxThreadsPerMultiprocessor = 32 * warps;
    device.regsPerBlock = device.regsPerMultiprocessor = 65536;
    device.sharedMemPerBlock = 49152; device.sharedMemPerMultiprocessor = shared_kb * 1024;
    device.sharedMemPerBlockOptin = optin_kb * 1024; device.reservedSharedMemPerBlock = reserved;
    kernel.maxThreadsPerBlock = 1024; kernel.numRegs = registers; kernel.sharedSizeBytes = 0;
    kernel.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN; kernel.maxDynamicSharedSizeBytes = shared;
    kernel.numBlockBarriers = 1; state.carveoutConfig = SHAREDMEM_CARVEOUT_MAX_SHARED;
    int status = cudaOccMaxActiveBlocksPerMultiprocessor(&result, &device, &kernel, &state, threads, shared);
    return status ? -status : result.activeBlocksPerMultiprocessor;
}"""
# CUDA C++ Programming Guide, "Technical Specifications per Compute Capability": warps, KB of shared memory per
# SM and per block; the driver's reserve is deviceQuery's (cudaDevAttrReservedSharedMemoryPerBlock)
_GUIDE = {
    (7, 0): (64, 96, 96, 0), (7, 5): (32, 64, 64, 0), (8, 0): (64, 164, 163, 1024), (8, 6): (48, 100, 99, 1024),
    (8, 9): (48, 100, 99, 1024), (9, 0): (64, 228, 227, 1024), (10, 0): (64, 228, 227, 1024),
}  # fmt: skip


def _header_folder() -> Path | None:
    nvidia = importlib.util.find_spec("nvidia")
    for root in (nvidia.submodule_search_locations or ()) if nvidia else ():
        for folder in sorted(Path(root).glob("*/include")):
            if (folder / "cuda_occupancy.h").exists():
                return folder
    return None


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder, compiler = _header_folder(), shutil.which("g++")
    if folder is None or compiler is None:
        pytest.skip("needs g++ and cuda_occupancy.h, which the wheel nvidia-cuda-runtime brings")
    where = tmp_path_factory.mktemp("occupancy")
    (where / "wrapper.cpp").write_text(_WRAPPER)
    library = where / "wrapper.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-I", str(folder), "-o", str(library),
                    str(where / "wrapper.cpp")], check=True, capture_output=True)  # fmt: skip
    return ctypes.CDLL(str(library))


@pytest.mark.parametrize("capability", sorted(_GUIDE), ids=str)
def test_agrees_with_cuda_occupancy_h(header: ctypes.CDLL, capability: tuple[int, int]) -> None:
    rng = np.random.default_rng(capability[0] * 10 + capability[1])
    most_shared = _GUIDE[capability][2] * KB
    for _ in range(2000):
        threads, registers = int(rng.integers(1, 1025)), int(rng.integers(1, 256))
        shared = int(rng.choice([0, rng.integers(0, 8192), rng.integers(0, most_shared + 1)]))
        expected = header.blocks_per_sm(*capability, *_GUIDE[capability], threads, registers, shared)
        found = occupancy(".".join(map(str, capability)), threads, registers, shared)
        assert found.blocks_per_sm == expected, (threads, registers, shared)


# --- from a kernel -----------------------------------------------------------------------------------

_SHARED = """
extern "C" __global__ void k(const float* x, float* y) {
    __shared__ float s[256];
    extern __shared__ float more[];
    s[threadIdx.x] = x[threadIdx.x];
    more[threadIdx.x] = 2 * x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = s[255 - threadIdx.x] + more[threadIdx.x ^ 1];
}"""


def test_a_profile_adds_dynamic_shared_memory_to_the_kernels_own() -> None:
    args = (np.zeros(256, np.float32), np.zeros(256, np.float32))
    found = profile_launch(Program(_SHARED), "k", (1,), (256,), args, shared_bytes=40_000)
    assert found.resources.shared_bytes == 1024
    used = found.occupancy("A100")
    assert (used.shared_bytes, used.bound_by, used.blocks_per_sm) == (41_024, ("shared memory",), 3)
    assert used.registers == found.resources.registers > 0
    assert found.occupancy("T4").blocks_per_sm == 1   # 64 KB hold one block of 41,024 bytes


def test_ptx_text_has_no_registers_to_count() -> None:
    program = Program(ptx=Program(_SHARED).compiled.ptx)
    found = profile_launch(program, "k", (1,), (32,), (np.zeros(256, np.float32),) * 2, shared_bytes=128)
    with pytest.raises(CourseError, match="compiled from CUDA C, not for PTX text"):
        found.occupancy()
