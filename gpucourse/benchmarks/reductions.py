"""Sums of a large array: seven kernels, each of which mends what the one before it wastes (the ladder of lesson 06).

A kernel leaves the sum of what block b takes in `out[b]`; launching it again on these sums, until one is left, ends
the sum. Blocks have 256 threads. x is float32 with 1 <= n < 2**30 elements; `vector` needs it to begin at a multiple
of 16 bytes. Sums of whole numbers below 2**24 are exact, in whatever order the kernels add.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gpucourse.benchmarks.case import Case, Checked, Machine, Sizes, WrongResult
from gpucourse.benchmarks.rung import Rung

B = 256  # threads of a block

_MODULO = Rung("modulo", "every second thread adds", r"""
#define B 256
extern "C" __global__
void modulo(const float* x, float* out, int n)
{
    __shared__ float s[B];
    int t = threadIdx.x;
    int i = blockIdx.x * B + t;
    s[t] = i < n ? x[i] : 0;
    __syncthreads();
    for (int step = 1; step < B; step *= 2) {
        if (t % (2 * step) == 0) {
            s[t] += s[t + step];
        }
        __syncthreads();
    }
    if (t == 0) {
        out[blockIdx.x] = s[0];
    }
}
""")  # fmt: skip

_STRIDED = Rung("strided", "the first threads add, far apart", r"""
#define B 256
extern "C" __global__
void strided(const float* x, float* out, int n)
{
    __shared__ float s[B];
    int t = threadIdx.x;
    int i = blockIdx.x * B + t;
    s[t] = i < n ? x[i] : 0;
    __syncthreads();
    for (int step = 1; step < B; step *= 2) {
        int k = 2 * step * t;
        if (k < B) {
            s[k] += s[k + step];
        }
        __syncthreads();
    }
    if (t == 0) {
        out[blockIdx.x] = s[0];
    }
}
""")  # fmt: skip

_HALVES = Rung("halves", "the first threads add, side by side", r"""
#define B 256
extern "C" __global__
void halves(const float* x, float* out, int n)
{
    __shared__ float s[B];
    int t = threadIdx.x;
    int i = blockIdx.x * B + t;
    s[t] = i < n ? x[i] : 0;
    __syncthreads();
    for (int half = B / 2; half > 0; half /= 2) {
        if (t < half) {
            s[t] += s[t + half];
        }
        __syncthreads();
    }
    if (t == 0) {
        out[blockIdx.x] = s[0];
    }
}
""")  # fmt: skip

_FIRST_ADD = Rung("first_add", "two elements a thread", r"""
#define B 256
extern "C" __global__
void first_add(const float* x, float* out, int n)
{
    __shared__ float s[B];
    int t = threadIdx.x;
    int i = blockIdx.x * (2 * B) + t;
    float v = i < n ? x[i] : 0;
    v += i + B < n ? x[i + B] : 0;
    s[t] = v;
    __syncthreads();
    for (int half = B / 2; half > 0; half /= 2) {
        if (t < half) {
            s[t] += s[t + half];
        }
        __syncthreads();
    }
    if (t == 0) {
        out[blockIdx.x] = s[0];
    }
}
""")  # fmt: skip

_SHUFFLED = Rung("shuffled", "shuffles in a warp", r"""
#define B 256
#define ALL 0xffffffff
extern "C" __global__
void shuffled(const float* x, float* out, int n)
{
    __shared__ float s[B / 32];
    int t = threadIdx.x;
    int i = blockIdx.x * (2 * B) + t;
    float v = i < n ? x[i] : 0;
    v += i + B < n ? x[i + B] : 0;
    for (int d = 16; d > 0; d /= 2) {
        v += __shfl_down_sync(ALL, v, d);
    }
    if (t % 32 == 0) {
        s[t / 32] = v;
    }
    __syncthreads();
    if (t < 32) {
        v = s[t % (B / 32)];
        for (int d = B / 64; d > 0; d /= 2) {
            v += __shfl_down_sync(ALL, v, d);
        }
        if (t == 0) {
            out[blockIdx.x] = v;
        }
    }
}
""")  # fmt: skip

_GRID_STRIDE = Rung("grid_stride", "many elements a thread", r"""
#define B 256
#define ALL 0xffffffff
extern "C" __global__
void grid_stride(const float* x, float* out, int n)
{
    __shared__ float s[B / 32];
    int t = threadIdx.x;
    int T = gridDim.x * B;                     // threads of the grid
    int i = blockIdx.x * B + t;
    float v = 0;
    for (; i + 3 * T < n; i += 4 * T) {        // four loads under way at a time
        float a = x[i], b = x[i + T], c = x[i + 2 * T], d = x[i + 3 * T];
        v += (a + b) + (c + d);
    }
    for (; i < n; i += T) {
        v += x[i];
    }
    for (int d = 16; d > 0; d /= 2) {
        v += __shfl_down_sync(ALL, v, d);
    }
    if (t % 32 == 0) {
        s[t / 32] = v;
    }
    __syncthreads();
    if (t < 32) {
        v = s[t % (B / 32)];
        for (int d = B / 64; d > 0; d /= 2) {
            v += __shfl_down_sync(ALL, v, d);
        }
        if (t == 0) {
            out[blockIdx.x] = v;
        }
    }
}
""")  # fmt: skip

_VECTOR = Rung("vector", "four floats a load", r"""
#define B 256
#define ALL 0xffffffff
extern "C" __global__
void vector(const float* x, float* out, int n)
{
    __shared__ float s[B / 32];
    const float4* x4 = (const float4*)x;
    int t = threadIdx.x;
    int T = gridDim.x * B;
    int i = blockIdx.x * B + t;
    float v = i < n % 4 ? x[n / 4 * 4 + i] : 0;    // what is left over
    for (; i + T < n / 4; i += 2 * T) {
        float4 a = x4[i], b = x4[i + T];
        v += ((a.x + a.y) + (a.z + a.w)) + ((b.x + b.y) + (b.z + b.w));
    }
    if (i < n / 4) {
        float4 a = x4[i];
        v += (a.x + a.y) + (a.z + a.w);
    }
    for (int d = 16; d > 0; d /= 2) {
        v += __shfl_down_sync(ALL, v, d);
    }
    if (t % 32 == 0) {
        s[t / 32] = v;
    }
    __syncthreads();
    if (t < 32) {
        v = s[t % (B / 32)];
        for (int d = B / 64; d > 0; d /= 2) {
            v += __shfl_down_sync(ALL, v, d);
        }
        if (t == 0) {
            out[blockIdx.x] = v;
        }
    }
}
""")  # fmt: skip

#: The ladder, in the order in which the lesson climbs it.
RUNGS = {rung.name: rung for rung in (_MODULO, _STRIDED, _HALVES, _FIRST_ADD, _SHUFFLED, _GRID_STRIDE, _VECTOR)}

#: Elements that a block takes, where each block takes a piece of its own.
_PIECE = {"first_add": 2 * B, "shuffled": 2 * B}
#: Rung whose blocks walk over the array -> elements that a thread loads at a time.
_WALKING = {"grid_stride": 4, "vector": 8}
#: Four times what fits where a multiprocessor holds 2,048 threads: where it holds 1,536, the last round is not long.
_BLOCKS_A_MULTIPROCESSOR = 32
_FOR_ONE_BLOCK = 64 * B  # so few elements are not worth another launch


def blocks(rung: str, n: int, multiprocessors: int = 1) -> int:
    """Return the number of blocks with which a rung is launched on n elements."""
    if rung not in _WALKING:
        return -(-n // _PIECE.get(rung, B))
    if n <= _FOR_ONE_BLOCK:
        return 1
    return min(-(-n // (_WALKING[rung] * B)), _BLOCKS_A_MULTIPROCESSOR * multiprocessors)


def summed(xp: Any, rung: str, x: Any, multiprocessors: int = 1) -> tuple[Callable[[], None], list[Any]]:
    """Return the call that sums x, float32 of shape (n,), and the arrays that it fills: the last is the sum, (1,)."""
    kernel = RUNGS[rung].kernel(xp)
    sums: list[Any] = []
    while not sums or sums[-1].size > 1:
        sums.append(xp.empty(blocks(rung, (sums or [x])[-1].size, multiprocessors), np.float32))

    def call() -> None:
        for taken, out in zip([x, *sums], sums, strict=False):
            kernel((out.size,), (B,), (taken, out, np.int32(taken.size)))

    return call, sums


def reduction(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Sum a large array, each byte counted once; the reference is a copy of it, each byte read and written."""
    nbytes = machine.past_cache if machine.kind == "gpu" else min(sizes.copy) // 16  # a rehearsal need not be large
    n = max(nbytes // 4, 1)
    yield Case({"kernel": "copy", "n": n}, 8 * n, "B", lambda: copied(machine.xp, _spread_ones(machine.xp, n)),
               cold=True)  # fmt: skip
    for rung in RUNGS:
        yield Case({"kernel": rung, "n": n}, 4 * n, "B", _prepared(machine, rung, n), cold=True, share_of="copy")


def copied(xp: Any, x: Any) -> Checked:
    """The copy that ladders are held against: x of any shape into a new array."""
    out = xp.empty_like(x)

    def check() -> None:
        if not bool((out == x).all()):
            raise WrongResult("copy: the copy differs from the array")

    return Checked(lambda: xp.copyto(out, x), lambda: out.fill(np.nan), check)


def _prepared(machine: Machine, rung: str, n: int) -> Callable[[], Checked]:
    def prepare() -> Checked:
        x = _spread_ones(machine.xp, n)
        call, sums = summed(machine.xp, rung, x, machine.facts.get("multiprocessors", 1))
        return Checked(call, lambda: [out.fill(np.nan) for out in sums], lambda: _check(machine.xp, rung, sums[-1], n))

    return prepare


_APART = 61  # prime, so that a sum which leaves out every second, fourth ... element is wrong


def _spread_ones(xp: Any, n: int) -> Any:
    """Zeros with a one at every 61st element and at the last: 2**24, where float32 stops counting, is far away."""
    x = xp.full((n,), 0, np.float32)
    x[::_APART] = 1
    x[-1] = 1
    return x


def _check(xp: Any, rung: str, total: Any, n: int) -> None:
    found, due = float(xp.asnumpy(total)[0]), len(range(0, n, _APART)) + ((n - 1) % _APART > 0)
    if found != due:
        raise WrongResult(f"{rung}: the sum is {found:g} and should be {due}")
