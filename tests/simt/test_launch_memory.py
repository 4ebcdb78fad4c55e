"""What a launch leaves behind: nothing but its results, and freed memory that the next launch can use."""

from __future__ import annotations

import gc
import platform
import subprocess
import sys
import weakref

import numpy as np
import pytest

from gpucourse.errors import CompileError
from gpucourse.simt.link import Program
from gpucourse.simt.run import launch

REVERSE = """
extern "C" __global__ void reverse(float* y) {
    __shared__ float held[64];
    if (threadIdx.x < 40) held[threadIdx.x] = y[blockIdx.x * 64 + threadIdx.x];
    __syncthreads();
    y[blockIdx.x * 64 + threadIdx.x] = held[39 - threadIdx.x % 40];
}
"""
LAUNCHES = """
import resource
import numpy as np
from gpucourse.simt.link import Program
from gpucourse.simt.run import launch
program = Program('extern "C" __global__ void add(const float* x, float* y) {'
                  ' int i = blockIdx.x * blockDim.x + threadIdx.x; y[i] += x[i]; }')
x, y = np.ones(16384, np.float32), np.zeros(16384, np.float32)
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10): launch(program, "add", (64,), (256,), (x, y))
before = faults()
for _ in range(20): launch(program, "add", (64,), (256,), (x, y))
print((faults() - before) / 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc hands memory back so eagerly")
def test_a_launch_like_the_last_one_takes_no_new_pages() -> None:
    done = subprocess.run([sys.executable, "-c", LAUNCHES], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 10      # pages of 4 KB; 100 and more where each launch begins afresh


@pytest.mark.parametrize("schedule", ["lockstep", "adversarial"])
def test_a_launch_lets_go_of_its_arrays_at_once(schedule: str) -> None:
    gc.collect()
    gc.disable()
    try:
        array = np.arange(256, dtype=np.float32)
        launch(Program(REVERSE), "reverse", (4,), (64,), [array], schedule=schedule)
        assert array[:2].tolist() == [39, 38]
        gone = weakref.ref(array)
        del array
        assert gone() is None
    finally:
        gc.enable()


def test_a_module_has_64_kib_of_constant_memory() -> None:
    source = '__constant__ int c[%d];\nextern "C" __global__ void k(int* o) { o[0] = c[o[1]]; }'
    out = np.full(2, 7, np.int32)
    launch(Program(source % 16384), "k", (1,), (32,), [out])
    assert out[0] == 0
    with pytest.raises(CompileError, match=r"too much global constant data \(0x10004 bytes, 0x10000 max\).*as arrays"):
        Program(source % 16385)
