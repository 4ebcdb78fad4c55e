"""Loops that wait for other threads: released ones end under both schedules, endless ones are named."""

from __future__ import annotations

import numpy as np
import pytest

from gpucourse.errors import BudgetExceeded
from gpucourse.simt.link import Program
from gpucourse.simt.run import launch

SCHEDULES = ("lockstep", "adversarial")
FUNCTIONS = r"""
__device__ __noinline__ bool try_lock(int* lock) { return atomicCAS(lock, 0, 1) == 0; }
__device__ __noinline__ void unlock(int* lock) { __threadfence(); atomicExch(lock, 0); }
__device__ __noinline__ int peek(volatile int* flag) { return *flag; }
__device__ __noinline__ bool is_set(int* flag) { return peek(flag) == 7; }
"""
LOCK_IN_LOOP = FUNCTIONS + r"""
extern "C" __global__ void k(int* lock, int* out) {
    bool done = false;
    while (!done)
        if (try_lock(lock)) {
            __threadfence();
            *(volatile int*)out += 1;
            unlock(lock);
            done = true;
        }
}
"""
LOCK_BEFORE = FUNCTIONS + r"""
extern "C" __global__ void k(int* lock, int* out) {
    for (int turn = 0; turn < 32; turn++)
        if (threadIdx.x % 32 == turn) {
            while (!try_lock(lock)) {}
            __threadfence();
            *(volatile int*)out += 1;
            unlock(lock);
        }
}
"""
# two groups wait in two loops that call functions, while a third, of a later block, still works
TWO_GROUPS = FUNCTIONS + r"""
extern "C" __global__ void k(int* flag, int* out) {
    if (blockIdx.x == 0) { while (!is_set(flag)) {} out[1 + threadIdx.x] = 1; }
    else if (blockIdx.x == 1) { while (peek(flag) != 7) __nanosleep(20); out[65 + threadIdx.x] = 1; }
    else if (threadIdx.x == 0) {
        for (int i = 0; i < 100; i++) { atomicAdd(out, 1); __threadfence(); }
        atomicExch(flag, 7);
    }
}
"""
CASES = {"lock inside the loop": (LOCK_IN_LOOP, 1), "lock before": (LOCK_BEFORE, 1), "two groups": (TWO_GROUPS, 129)}
WANTED = {"lock inside the loop": 192, "lock before": 192}


@pytest.mark.parametrize("options", [(), ("-G",)], ids=["optimized", "-G"])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", CASES)
def test_a_wait_that_is_released_ends(name, schedule, options):
    source, count = CASES[name]
    lock, out = np.zeros(1, np.int32), np.zeros(count, np.int32)
    launch(Program(source, options), "k", (3,), (64,), (lock, out), schedule=schedule, budget=400_000)
    assert out[0] == WANTED.get(name, 100)
    assert (out[1:] == 1).all()


NEVER = FUNCTIONS + r"""
extern "C" __global__ void k(int* flag, int* out) {
    if (threadIdx.x == 40) return;
    while (!is_set(flag)) {}
    out[0] = 1;
}
"""


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_wait_that_nobody_ends_is_named(schedule):
    line = NEVER.splitlines().index("    while (!is_set(flag)) {}") + 1
    with pytest.raises(BudgetExceeded, match=rf"nobody will write: 189 threads at line {line}; blocks 0 to 2"):
        launch(Program(NEVER), "k", (3,), (64,), (np.zeros(1, np.int32), np.zeros(1, np.int32)), schedule=schedule)


QUEUE = r"""
extern "C" __global__ void k(int* next, int* out, int n) {
    int i;
    while ((i = atomicAdd(next, 1)) < n) out[i] = i;
}
"""
POLL = r"""
extern "C" __global__ void k(volatile int* flag, int* out, int n) {
    int sum = 0;
    for (int i = 0; i < n; i++) sum += *flag;
    *out = sum;
}
"""


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_long_loop_over_an_atomic_is_no_endless_wait(schedule):
    count = 9_000   # more rounds than three looks at the state are apart
    out = np.zeros(count, np.int32)
    launch(Program(QUEUE), "k", (1,), (1,), (np.zeros(1, np.int32), out, np.int32(count)), schedule=schedule)
    np.testing.assert_array_equal(out, np.arange(count))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_long_loop_over_a_volatile_load_is_no_endless_wait(schedule):
    out = np.zeros(1, np.int32)
    launch(Program(POLL), "k", (1,), (1,), (np.full(1, 3, np.int32), out, np.int32(9_000)), schedule=schedule)
    assert out[0] == 27_000
