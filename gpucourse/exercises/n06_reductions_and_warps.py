"""The exercises of lesson 06: divergence, a maximum, a warp's sum, a histogram, running sums, softmax."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpucourse.exercises.compare import Trap, is_mapping, mapping_source
from gpucourse.exercises.kernel_cases import KernelTrap, Launch, Limit, blank, by_launches, timed_at
from gpucourse.exercises.problem import Problem

WARP = 32
FULL = 1 << 24   # elements of a launch that is timed: more than a cache holds

# -- 06.1 -------------------------------------------------------------------------------------------

HEADS = {
    "if (t % 2)": 8,
    "if (t < 32)": 0,
    "if (t < 48)": 1,
    "if (t / 32 % 2)": 0,
    "if (t % 64 == 0)": 4,
    "if (blockIdx.x == 3)": 0,
    "for (int k = 0; k < t; k++)": 8,
}

PARTING = Problem(
    id="06.1",
    title="Which warps part?",
    task=(
        "A block has 256 threads, which is 8 warps, and `t` is `threadIdx.x`. A warp parts where some of its lanes go "
        "one way and some another: how many of the 8 part at each of these seven lines?"
    ),
    spec="`parted`: a dict from the line to a number of warps, 0 to 8. Behind each line stands something to be done.",
    stub=mapping_source("parted", HEADS.keys()),
    answer="parted",
    lines=len(HEADS),
    hints=(
        "Warp 0 has the threads 0 to 31, warp 1 those from 32 to 63, and so on. Ask of each warp: do all of its lanes "
        "agree?",
        "Write down for each line which threads say yes. A warp with 32 of them, or with none, stays together. In a "
        "loop the question is asked once a round.",
        "`t < 48`: the warps 0 and 2 to 7 are of one mind; what about warp 1? `t % 64 == 0`: the threads 0, 64, 128 and "
        "192. The loop: lanes that are done must wait for the one with the largest `t` of the warp.",
    ),
    solution=mapping_source("parted", HEADS),
    why=(
        "What counts is not whether threads of a block differ, but whether lanes of one warp do. A condition that is "
        "the same for 32 threads in a row, beginning at a multiple of 32, parts nobody."
    ),
    judge=is_mapping(
        HEADS,
        unit="warps",
        traps=(
            Trap({"if (t % 2)": 4}, "Odd and even threads are neighbors in `t % 2`: which warp has only the one kind?"),
            Trap({"if (t % 2)": 128}, "128 threads say yes to `t % 2`. The question is in how many warps they are "
                                      "together with others who say no."),
            Trap({"if (t < 32)": 1}, "`t < 32` sends one warp another way than the others. But within a warp, do any "
                                     "two lanes differ?"),
            Trap({"if (t < 32)": 8}, "The threads 0 to 31 are one whole warp. All its lanes say yes to `t < 32`, and "
                                     "all lanes of the others no."),
            Trap({"if (t < 48)": 2}, "`t < 48` holds for all of warp 0 and for half of warp 1. Only one of the two "
                                     "has lanes that differ."),
            Trap({"if (t < 48)": 0}, "The threads 32 to 63 are one warp. Do they all say the same to `t < 48`?"),
            Trap({"if (t / 32 % 2)": 8}, "`t / 32` is a whole number, the same for all 32 lanes of a warp."),
            Trap({"if (t / 32 % 2)": 4}, "`t / 32 % 2` sends every second warp another way, each of them as a whole."),
            Trap({"if (t % 64 == 0)": 8}, "The threads 0, 64, 128 and 192 say yes to `t % 64 == 0`. Is there one of "
                                          "them in every warp?"),
            Trap({"if (t % 64 == 0)": 0}, "Thread 64 says yes to `t % 64 == 0`, thread 65 no, and both are in warp 2."),
            Trap({"if (blockIdx.x == 3)": 8}, "All threads of a block have the same `blockIdx.x`, so they agree."),
            Trap({"if (blockIdx.x == 3)": 1}, "All threads of a block have the same `blockIdx.x`, so they agree."),
            Trap({"for (int k = 0; k < t; k++)": 0}, "Lane 0 of a warp leaves the loop before lane 1 does, and lane 1 "
                                                     "before lane 2. Is a warp together all the time?"),
            Trap({"for (int k = 0; k < t; k++)": 7}, "In warp 0, too, the lanes go 0, 1, 2, … 31 times through the "
                                                     "loop."),
            Trap({"for (int k = 0; k < t; k++)": 1}, "In every warp the lanes go through the loop a different number of "
                                                     "times, not only in one."),
        ),
    ),
)  # fmt: skip

# -- 06.2 -------------------------------------------------------------------------------------------

MAXIMUM_STUB = '''block_max = cp.RawKernel(r"""
#define INFINITY __int_as_float(0x7f800000)
extern "C" __global__
void block_max(const float* x, float* out, int n)
{
    __shared__ float s[256];
    int t = threadIdx.x;
    int i = blockIdx.x * blockDim.x + t;

}
""", "block_max")
'''
MAXIMUM_BODY = """    s[t] = i < n ? x[i] : -INFINITY;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (t < half) {
            s[t] = fmaxf(s[t], s[t + half]);
        }
        __syncthreads();
    }
    if (t == 0) {
        out[blockIdx.x] = s[0];
    }
"""
MAXIMUM_SOLUTION = MAXIMUM_STUB.replace("+ t;\n\n", "+ t;\n" + MAXIMUM_BODY)


def make_maxima(rng: np.random.Generator) -> Sequence[Launch]:
    """Last blocks with few elements, blocks of one warp and more, all numbers negative, fewer elements than threads."""
    shapes = ((1000, 256, 0), (300, 128, -2e12), (64, 32, -3e12), (257, 256, -1e12), (3, 64, 0))
    small = [_maximum(rng, n, block, shift) for n, block, shift in shapes]
    return timed_at(lambda: _maximum(rng, FULL, 256, 0), small)


def _maximum(rng: np.random.Generator, n: int, block: int, shift: float) -> Launch:
    x = (shift + (abs(shift) / 10 + 1) * rng.standard_normal(n)).clip(max=None if shift == 0 else shift / 2)
    x = x.astype(np.float32)
    home = 0 if shift else n - 1   # of the largest
    x[home], x[x.argmax()] = x.max(), x[home]
    args = {"x": x, "out": blank(-(-n // block)), "n": np.int32(n)}
    due = np.array([part.max() for part in parts(x, block)])
    words = f"n = {n} in {due.size} block{'s' * (due.size > 1)} of {block}{', all negative' * (shift < 0)}"
    return Launch((due.size,), (block,), args, {"out": due}, rtol=1e-5, extent=(n,), words=words)


def parts(x: Any, block: int) -> list[Any]:
    """What each block has of x: `block` elements, the last one fewer."""
    return [x[first : first + block] for first in range(0, x.size, block)]


def _by_block(wrong: Callable[[Any, int], Any], message: str) -> KernelTrap:
    """A trap whose outputs are, block by block, `wrong(the block's part of x, threads of a block)`, joined."""

    def outputs(launch: Launch) -> dict[str, Any]:
        found = [np.atleast_1d(wrong(part, launch.block[0])) for part in parts(launch.args["x"], launch.block[0])]
        return {"out": np.concatenate(found).astype(launch.due["out"].dtype)}

    return KernelTrap(outputs, message)


def _start(value: float, called: str) -> tuple[KernelTrap, KernelTrap]:
    """The traps of a maximum that begins at `value`: in the last block only, or in all."""
    return (
        _by_block(lambda part, block: max(part.max(), value) if part.size < block else part.max(),
                  f"In the last block {called} wins over its elements: the places of `s` that belong to threads beyond "
                  "n must be filled, and with what is below every number that x can hold."),
        _by_block(lambda part, block: max(part.max(), value),
                  f"Here the elements are all lower, and {called} wins. Where does it come from? What a maximum begins "
                  "with must be below every number that x can hold, and each place of `s` that is read must be "
                  "filled."),
    )  # fmt: skip


MAXIMUM = Problem(
    id="06.2",
    title="A maximum for each block",
    task=(
        "Each block finds the largest of its elements, one element a thread, as the ladder's blocks find their sum. "
        "Numbers may all be negative, and the last block may have threads without an element."
    ),
    spec=(
        "`out[b]`: the maximum of `x[b * blockDim.x]` up to the next block's first element, or to `x[n - 1]`. `x`: n "
        "floats; a block has 32, 64, 128 or 256 threads, at least one with an element. One thread writes `out[b]`."
    ),
    stub=MAXIMUM_STUB,
    answer="block_max",
    lines=11,
    hints=(
        "Take the sum's kernel and ask of each line: what does it become for a maximum? 0 changes no sum. Which number "
        "changes no maximum?",
        "Every thread fills its place of `s`, whether it has an element or not. Then halves: each thread of the first "
        "half keeps the larger of its own and the one half a block away. A barrier after each write, outside of every "
        "`if`.",
        "`for (int half = blockDim.x / 2; half > 0; half /= 2) { if (t < ___) s[t] = fmaxf(s[t], ___); ___; }` and "
        "before it `s[t] = i < n ? x[i] : ___;` with its barrier.",
    ),
    solution=MAXIMUM_SOLUTION,
    why=(
        "A tree needs an operation whose order does not matter, and a neutral element for threads that have nothing: 0 "
        "for a sum, minus infinity for a maximum. All threads come to every barrier, those beyond n too."
    ),
    judge=by_launches(
        make_maxima,
        traps=(
            *_start(0.0, "0"),
            *_start(float(np.finfo(np.float32).tiny), "FLT_MIN, the smallest number above 0,"),
            *_start(-(2.0**31), "-2147483648, the smallest int,"),
            _by_block(lambda part, block: part[0], "`out` has each block's first element: the elements of the other "
                                                   "threads have not been compared with it."),
            _by_block(lambda part, block: part[::2].max(), "Elements at odd places of a block are left out: the last "
                                                           "round of the loop, where `half` is 1, is missing."),
            _by_block(lambda part, block: part[: block // 2].max(), "The second half of each block is left out: by how "
                                                                    "much are the two halves apart in the first "
                                                                    "round?"),
            _by_block(lambda part, block: part[:WARP].max(), "`out` has the maximum of each block's first warp. Who "
                                                             "brings the other warps' together?"),
            _by_block(lambda part, block: part.sum(), "These are the sums of the blocks, not their maxima."),
            _by_block(lambda part, block: part.min(), "These are the smallest elements of the blocks."),
            KernelTrap(lambda launch: {"out": np.full_like(launch.due["out"], launch.args["x"].max())},
                       "Every `out[b]` is the maximum of all of x. It should be that of block b's elements."),
            KernelTrap(lambda launch: {"out": np.append(launch.due["out"][:-1],
                                                        max(launch.due["out"][-1], launch.args["x"][0]))},
                       "In the last block the threads beyond n have put x[0], which belongs to another block."),
        ),
        limits=(
            Limit("global_load_requests", lambda launch: 2 * _warps(launch),
                  "`x` is read by {found} requests of warps where {limit} would be plenty: each thread reads one "
                  "element, next to its neighbor's."),
            Limit("shared_load_requests", lambda launch: _warps(launch) * (2 * _rounds(launch) + 1),
                  "Shared memory is read by {found} requests of warps where {limit} would be plenty: compare in "
                  "halves, many pairs a round, and do not let one thread go through all."),
        ),
        once=True,
    ),
)  # fmt: skip


def _warps(launch: Launch) -> int:
    return launch.grid[0] * launch.block[0] // WARP


def _rounds(launch: Launch) -> int:
    """Doublings from 1 to the threads of a block."""
    return int(np.log2(launch.block[0]))


PROBLEMS = (PARTING, MAXIMUM)
