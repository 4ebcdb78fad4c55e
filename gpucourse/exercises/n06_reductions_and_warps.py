"""The exercises of lesson 06: divergence, a maximum, a warp's sum, a histogram, running sums, softmax."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpucourse.exercises.compare import Trap, is_mapping, mapping_source
from gpucourse.exercises.kernel_cases import KernelTrap, Launch, Limit, blank, by_launches, timed_at
from gpucourse.exercises.n05_shared_memory import row_sectors
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
        "`t < 48`: the warps 0 and 2 to 7 are of one mind; what about warp 1? `t % 64 == 0`: the threads 0, 64, 128 "
        "and 192. The loop: lanes that are done must wait for the one with the largest `t` of the warp.",
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
            Trap({"for (int k = 0; k < t; k++)": 1}, "In every warp the lanes go through the loop a different number "
                                                     "of times, not only in one."),
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
    shapes = ((1000, 256, 0), (300, 128, -2e12), (64, 32, -3e12), (257, 256, -1.5e38), (3, 64, 0))
    small = [_maximum(rng, n, block, shift) for n, block, shift in shapes]
    return timed_at(lambda: _maximum(rng, FULL, 256, 0), small)


def _maximum(rng: np.random.Generator, n: int, block: int, shift: float) -> Launch:
    x = (shift * rng.uniform(0.5, 2, n) + (shift == 0) * rng.standard_normal(n)).astype(np.float32)
    now, home = x.argmax(), 0 if shift else n - 1   # where the largest is, and where it shall be
    x[now], x[home] = x[home], x[now]
    args = {"x": x, "out": blank(-(-n // block)), "n": np.int32(n)}
    due = np.array([part.max() for part in parts(x, block)])
    words = f"n = {n} in {due.size} block{'s' * (due.size > 1)} of {block}{', all negative' * (shift < 0)}"
    return Launch((due.size,), (block,), args, {"out": due}, rtol=1e-5, extent=(n,), words=words)


def parts(x: Any, block: int) -> list[Any]:
    """What each block has of x: `block` elements, the last one fewer."""
    return [x[first : first + block] for first in range(0, x.size, block)]


def _by_block(wrong: Callable[[Any, int], Any], message: str, filled: bool = False) -> KernelTrap:
    """A trap whose outputs are, block by block, `wrong(the block's part of x, threads of a block)`, joined."""

    def outputs(launch: Launch) -> dict[str, Any]:
        found = [np.atleast_1d(wrong(part, launch.block[0])) for part in parts(launch.args["x"], launch.block[0])]
        return {"out": np.concatenate(found).astype(launch.due["out"].dtype)}

    return KernelTrap(outputs, message, filled)


def _start(value: float, called: str) -> tuple[KernelTrap, KernelTrap]:
    """The traps of a maximum that begins at `value`, in the last block only or in all; 0 is also what nobody wrote."""
    return (
        _by_block(lambda part, block: max(part.max(), value) if part.size < block else part.max(),
                  f"In the last block {called} wins over its elements: the places of `s` that belong to threads beyond "
                  "n must be filled with what is below every number that x can hold.", filled=True),
        _by_block(lambda part, block: max(part.max(), value),
                  f"Here the elements are all lower, and {called} wins. Where does it come from? What a maximum begins "
                  "with must be below every number that x can hold.", filled=True),
    )  # fmt: skip


def _with_lowest(join: Callable[[Any], Any]) -> Callable[[Any, int], Any]:
    """What `join` makes of a block's elements and, where it has fewer than threads, of -inf."""
    return lambda part, block: join(part) if part.size == block else -np.inf


MAXIMUM = Problem(
    id="06.2",
    title="A maximum for each block",
    task=(
        "Each block finds the largest of its elements, one element a thread, as the blocks of `halves` find their sum. "
        "Numbers may all be negative, and the last block may have threads without an element."
    ),
    spec=(
        "`out[b]`: the maximum of block b's elements, blockDim.x of them from `x[b * blockDim.x]` on, or fewer. `x`: n "
        "floats; a block has 32, 64, 128 or 256 threads, at least one with an element. One thread writes `out[b]`."
    ),
    stub=MAXIMUM_STUB,
    answer="block_max",
    lines=11,
    hints=(
        "Take the sum's kernel and ask of each line: what does it become for a maximum? 0 changes no sum. Which number "
        "changes no maximum?",
        "Every thread fills its place of `s`, whether it has an element or not. Then halves: each thread of the first "
        "half keeps the larger of its own and the one `half` places further on. A barrier after each write, outside of "
        "every `if`.",
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
            *_start(-1e30, "-1e30"),
            _by_block(lambda part, block: part[0], "`out` has each block's first element: the elements of the other "
                                                   "threads have not been compared with it."),
            _by_block(lambda part, block: part[::2].max(), "Elements at odd places of a block are left out: the last "
                                                           "round, in which neighbors are compared, is missing."),
            _by_block(lambda part, block: part[: block // 2].max(), "The second half of each block is left out: by how "
                                                                    "much are the two halves apart in the first "
                                                                    "round?"),
            _by_block(lambda part, block: part[: int(np.log2(block)) + 1].max(),
                      "In each round a thread compares itself with its neighbor. How far apart are the two of a pair?"),
            _by_block(lambda part, block: part[:WARP].max(), "`out` has the maximum of each block's first warp. Who "
                                                             "brings the other warps' together?"),
            _by_block(lambda part, block: part.sum(), "These are the sums of the blocks, not their maxima."),
            _by_block(_with_lowest(np.sum), "These are the sums of the blocks, not their maxima."),
            _by_block(lambda part, block: part.min(), "These are the smallest elements of the blocks."),
            _by_block(_with_lowest(np.min), "These are the smallest elements of the blocks, and in the last one "
                                            "-infinity. Which of two numbers should be kept?"),
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
            Limit("shared_load_requests", lambda launch: _warps(launch) * (3 * _rounds(launch) + 2),
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


# -- 06.3 -------------------------------------------------------------------------------------------

ROWS_A_BLOCK = 4

WARP_SUM_STUB = '''warp_sums = cp.RawKernel(r"""
#define ALL 0xffffffff
extern "C" __global__
void warp_sums(const float* x, float* out, int rows, int columns)
{
    int lane = threadIdx.x % 32;
    int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32;

}
""", "warp_sums")
'''
WARP_SUM_BODY = """    if (row < rows) {
        float sum = 0;
        for (int c = lane; c < columns; c += 32) {
            sum += x[row * columns + c];
        }
        for (int d = 16; d > 0; d /= 2) {
            sum += __shfl_down_sync(ALL, sum, d);
        }
        if (lane == 0) {
            out[row] = sum;
        }
    }
"""
WARP_SUM_SOLUTION = WARP_SUM_STUB.replace("/ 32;\n\n", "/ 32;\n" + WARP_SUM_BODY)


def make_warp_sums(rng: np.random.Generator) -> Sequence[Launch]:
    """Rows shorter than a warp, of one warp exactly, and longer; last blocks with idle warps."""
    small = [_warp_sum(rng, *shape) for shape in ((9, 100), (6, 20), (4, 32), (5, 1), (3, 64))]
    return timed_at(lambda: _warp_sum(rng, FULL // 1024, 1024), small)


def _warp_sum(rng: np.random.Generator, rows: int, columns: int) -> Launch:
    x = (0.5 + rng.random((rows, columns))).astype(np.float32)
    args = {"x": x, "out": blank(rows), "rows": np.int32(rows), "columns": np.int32(columns)}
    due = {"out": x.astype(np.float64).sum(axis=1).astype(np.float32)}
    grid = (-(-rows // ROWS_A_BLOCK),)
    words = f"{rows} rows of {columns}, {grid[0]} block{'s' * (grid[0] > 1)} of {ROWS_A_BLOCK * WARP}"
    return Launch(grid, (ROWS_A_BLOCK * WARP,), args, due, rtol=1e-5, extent=(rows * WARP,), words=words)


def shares(x: Any) -> Any:
    """What each lane has added up before the first shuffle, (rows, 32): columns lane, lane + 32, …; float64."""
    rows, columns = x.shape
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, -columns % WARP)))
    return padded.reshape(rows, -1, WARP).sum(axis=1)


def down(value: Any, distance: int) -> Any:
    """`__shfl_down_sync` in a full warp, (rows, 32): a lane that reaches beyond the last one gets its own value."""
    return value[:, [lane + distance if lane + distance < WARP else lane for lane in range(WARP)]]


def _summed(x: Any, distances: Sequence[int] = (16, 8, 4, 2, 1)) -> Any:
    """What each lane has after the shuffles, (rows, 32)."""
    value = shares(x)
    for distance in distances:
        value = value + down(value, distance)
    return value


def _rows_of(x: Any, step: int) -> Any:
    """The sum of every `step`-th row; nothing is written for the others."""
    wrong = blank(len(x))
    wrong[::step] = x[::step].astype(np.float64).sum(axis=1)
    return wrong


def _warp_trap(wrong: Callable[[Any], Any], message: str) -> KernelTrap:
    return KernelTrap(lambda launch: {"out": wrong(launch.args["x"]).astype(np.float32)}, message)


WARP_SUM = Problem(
    id="06.3",
    title="A warp adds up a row",
    task=(
        "Each warp adds up one row of a matrix: first every lane its share of the columns, then the 32 lanes theirs by "
        "`__shfl_down_sync`. Neighboring lanes read neighboring columns; no shared memory, and only lane 0 stores."
    ),
    spec=(
        "`x`: rows x columns floats, row after row; `out[r]`: the sum of row r. Any number of rows and columns, at "
        "least 1. Blocks have 128 threads, which is 4 warps, enough blocks for all rows."
    ),
    stub=WARP_SUM_STUB,
    answer="warp_sums",
    lines=12,
    hints=(
        "Columns are shared out like elements in a grid-stride loop: lane 0 takes 0, 32, 64, …, lane 1 takes 1, 33, "
        "65, … Then 32 numbers must become one in five rounds.",
        "A guard that asks for the row treats all lanes of a warp alike. One that asks for the column must not stand "
        "around a shuffle: a lane without columns comes along with 0. Which lane has the whole sum in the end?",
        "After the loop over the columns: `for (int d = ___; d > 0; d /= 2) sum += __shfl_down_sync(ALL, ___, ___);` "
        "then one lane writes.",
    ),
    solution=WARP_SUM_SOLUTION,
    why=(
        "Lanes read each other's registers, so there is nothing to store and no barrier to wait at. All 32 lanes that "
        "the mask names take part in each of the five shuffles, and only lane 0 has heard of everybody."
    ),
    judge=by_launches(
        make_warp_sums,
        traps=(
            _warp_trap(lambda x: _summed(x, (8, 4, 2, 1))[:, 0], "The lanes 16 to 31 are left out: over which distance "
                                                                 "must the first shuffle reach?"),
            _warp_trap(lambda x: 2 * shares(x).sum(axis=1), "Each sum is twice what it should be: a shuffle over 32 "
                                                            "lanes hands every lane its own value."),
            _warp_trap(lambda x: _summed(x, (16, 8, 4, 2))[:, 0], "Odd lanes are left out: the last shuffle must reach "
                                                                  "over 1 lane."),
            _warp_trap(lambda x: _summed(x)[:, 31], "`out` has lane 31's sum; where all lanes write, that is the last. "
                                                    "`__shfl_down_sync` brings values from higher lanes to lower ones: "
                                                    "who has heard of everybody?"),
            _warp_trap(lambda x: 32 * shares(x)[:, 0], "This is 32 times lane 0's own share. `__shfl_up_sync` brings "
                                                       "values from lower lanes to higher ones, and below lane 0 there "
                                                       "is none."),
            _warp_trap(lambda x: shares(x)[:, 31], "Of each row only lane 31's share is left: what comes from another "
                                                   "lane has taken the place of the sum and should be added to it."),
            _warp_trap(lambda x: shares(x)[:, 0], "This is only lane 0's share of each row: the shares of the other "
                                                  "lanes have not come together."),
            _warp_trap(lambda x: x[:, :WARP].astype(np.float64).sum(axis=1), "Columns from 32 on are left out: a lane "
                                                                             "has to go on to columns lane + 32, lane "
                                                                             "+ 64, …"),
            _warp_trap(lambda x: x[:, : x.shape[1] // WARP * WARP].astype(np.float64).sum(axis=1),
                       "The last columns are left out, those behind the last multiple of 32: columns / 32 is a whole "
                       "number, and its remainder is lost."),
            _warp_trap(lambda x: _rows_of(x, ROWS_A_BLOCK), "Only the first warp of each block stores its sum: "
                                                            "`threadIdx.x` is 0 in one thread of the block, and each "
                                                            "warp has a lane 0."),
            _warp_trap(lambda x: np.full(len(x), np.nan), "`out` is nan: a lane has asked for the value of one that is "
                                                          "not there, and what it gets is undefined. All 32 lanes must "
                                                          "come to each shuffle; a lane without columns comes with 0."),
        ),
        limits=(
            Limit("shared_store_requests", 0, "But shared memory is written to by {found} requests, and here the lanes "
                                              "should hand each other their values by shuffles alone."),
            Limit("global_load_sectors", lambda launch: 2 * row_sectors(*launch.args["x"].shape),
                  "Reading x takes {found} sectors where {limit} would be plenty: let neighboring lanes read "
                  "neighboring columns."),
        ),
        once=True,
    ),
)  # fmt: skip

# -- 06.4 -------------------------------------------------------------------------------------------

BINS = 256

HISTOGRAM_STUB = '''histogram = cp.RawKernel(r"""
extern "C" __global__
void histogram(const unsigned char* x, int* counts, int n)
{
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
        atomicAdd(&counts[x[i]], 1);
    }
}
""", "histogram")
'''
HISTOGRAM_CLEAR = """    __shared__ int s[256];
    for (int b = threadIdx.x; b < 256; b += blockDim.x) {
        s[b] = 0;
    }
    __syncthreads();
"""
HISTOGRAM_FLUSH = """    __syncthreads();
    for (int b = threadIdx.x; b < 256; b += blockDim.x) {
        atomicAdd(&counts[b], s[b]);
    }
"""
HISTOGRAM_SOLUTION = HISTOGRAM_STUB.replace("{\n    for", "{\n" + HISTOGRAM_CLEAR + "    for").replace(
    "&counts[x[i]], 1);\n    }\n", "&s[x[i]], 1);\n    }\n" + HISTOGRAM_FLUSH)  # fmt: skip


def make_histograms(rng: np.random.Generator) -> Sequence[Launch]:
    """Blocks smaller and larger than the bins are many, counts that are not zero before, one value only."""
    small = [
        _histogram(rng, 5000, 3, 128), _histogram(rng, 1000, 2, 64, before=5), _histogram(rng, 3, 1, 32),
        _histogram(rng, 2000, 2, 256, values=1), _histogram(rng, 700, 1, 512),
    ]  # fmt: skip
    return timed_at(lambda: _histogram(rng, FULL, 1024, 256, values=64), small)


def _histogram(
    rng: np.random.Generator, n: int, blocks: int, block: int, before: int = 0, values: int = BINS
) -> Launch:  # fmt: skip
    x = (BINS - 1 - rng.integers(0, values, n)).astype(np.uint8)
    counts = np.full(BINS, before, np.int32)
    args = {"x": x, "counts": counts, "n": np.int32(n)}
    due = {"counts": counts + _counted(x)}
    words = f"n = {n} in {blocks} block{'s' * (blocks > 1)} of {block}{f', counts {before} before' * (before > 0)}"
    return Launch((blocks,), (block,), args, due, extent=(n,), words=words, moved=n)


def _counted(x: Any) -> Any:
    """How often each byte stands in x; int32 of shape (256,)."""
    return np.bincount(x, minlength=BINS).astype(np.int32)


def _low_bins(launch: Launch) -> dict[str, Any]:
    """Only as many bins reach the result as a block has threads."""
    low = np.arange(BINS) < launch.block[0]
    return {"counts": np.where(low, launch.due["counts"], launch.args["counts"])}


def _one_each(launch: Launch) -> dict[str, Any]:
    """A thread counts one element only."""
    return {"counts": launch.args["counts"] + _counted(launch.args["x"][: launch.grid[0] * launch.block[0]])}


def _stride_of_a_block(launch: Launch) -> dict[str, Any]:
    """Each block goes on by its own threads only: it counts all from its first element on."""
    x, block = launch.args["x"], launch.block[0]
    return {"counts": launch.args["counts"] + sum(_counted(x[b * block :]) for b in range(launch.grid[0]))}


def _own_place(launch: Launch) -> dict[str, Any]:
    """Thread t adds all of its bins to `counts[t]`."""
    grown, block = launch.due["counts"] - launch.args["counts"], launch.block[0]
    sums = np.pad(grown, (0, -BINS % block)).reshape(-1, block).sum(axis=0)
    return {"counts": launch.args["counts"] + np.pad(sums, (0, BINS))[:BINS].astype(np.int32)}


HISTOGRAM = Problem(
    id="06.4",
    title="A histogram with a copy for each block",
    task=(
        "`histogram` counts how often each of 256 byte values occurs, and all threads of the launch meet at 256 places "
        "of global memory. Let each block count into a copy of its own in shared memory first, and add that to "
        "`counts` once."
    ),
    spec=(
        "`counts[b]` grows by the number of times that b occurs in the n bytes of `x`. Any grid, any block of whole "
        "warps, with fewer threads than bins or more. Atomic requests to global memory: at most 16 for each block."
    ),
    stub=HISTOGRAM_STUB,
    answer="histogram",
    lines=10,
    hints=(
        "Three phases: clear the block's copy, count into it, add it to `counts`. What must hold between one phase and "
        "the next?",
        "Shared memory holds anything at the start. A block of 64 threads has 256 bins to clear and to bring home, one "
        "of 512 has too many threads: a loop over the bins with the stride of the block does both. Threads of a block "
        "still meet in a bin, and blocks meet in `counts`.",
        "`for (int b = threadIdx.x; b < 256; b += ___) s[b] = 0;` then a barrier; in the loop `atomicAdd(&s[x[i]], "
        "1);` and at the end a barrier and the same loop with `atomicAdd(&counts[b], ___);`",
    ),
    solution=HISTOGRAM_SOLUTION,
    why=(
        "Meeting in shared memory concerns one block and stays on the multiprocessor; global memory sees 256 additions "
        "a block, however long x is. Both kinds of additions must still be atomic."
    ),
    judge=by_launches(
        make_histograms,
        traps=(
            KernelTrap(_low_bins, "Where a block has fewer threads than there are bins, the upper bins are missing "
                                  "from `counts`: each thread has to see to several."),
            KernelTrap(_one_each, "Each thread has counted one element only: keep the loop that goes on to further "
                                  "ones."),
            KernelTrap(_stride_of_a_block, "Together the counts grow by more than n: several blocks count the same "
                                           "elements. How many threads has the whole grid?"),
            KernelTrap(_own_place, "Thread t has brought all of its bins to `counts[t]`. Bin b of the copy belongs to "
                                   "`counts[b]`."),
            KernelTrap(lambda launch: {"counts": _counted(launch.args["x"])},
                       "What stood in `counts` before is lost: the block's numbers are to be added to it."),
            KernelTrap(lambda launch: {"counts": launch.args["counts"]}, "`counts` is as it was before: who brings the "
                                                                         "blocks' copies to it?"),
            KernelTrap(lambda launch: {"counts": launch.args["counts"] + launch.grid[0]},
                       "Every bin has grown by 1 for each block. What should a block add to `counts[b]`?"),
        ),
        limits=(
            Limit("global_atomic_requests", lambda launch: 16 * launch.grid[0],
                  "`counts` is updated by {found} atomic requests of warps where {limit} would be plenty. Count into "
                  "shared memory, and bring 32 bins at a time to `counts`, the lanes of a warp side by side."),
            Limit("global_load_requests", lambda launch: launch.args["x"].size // 8 + 64,
                  "`x` is read by {found} requests of warps where {limit} would be plenty: each element should be read "
                  "by one thread only."),
        ),
    ),
)  # fmt: skip

# -- 06.5 -------------------------------------------------------------------------------------------

SCAN_STUB = '''scan = cp.RawKernel(r"""
extern "C" __global__
void scan(const int* x, int* out, int n)
{
    __shared__ int s[1024];
    int t = threadIdx.x;
    int i = blockIdx.x * blockDim.x + t;

}
""", "scan")
'''
SCAN_BODY = """    s[t] = i < n ? x[i] : 0;
    __syncthreads();
    for (int d = 1; d < blockDim.x; d *= 2) {
        int left = t >= d ? s[t - d] : 0;
        __syncthreads();
        s[t] += left;
        __syncthreads();
    }
    if (i < n) {
        out[i] = s[t];
    }
"""
SCAN_SOLUTION = SCAN_STUB.replace("+ t;\n\n", "+ t;\n" + SCAN_BODY)


def make_scans(rng: np.random.Generator) -> Sequence[Launch]:
    """Blocks of one warp, of several, of 1,024 threads; last blocks with few elements."""
    small = [_scan(rng, *shape) for shape in ((600, 256), (600, 128), (50, 32), (3, 64), (257, 128), (1000, 1024))]
    return timed_at(lambda: _scan(rng, FULL, 256), small)


def _scan(rng: np.random.Generator, n: int, block: int) -> Launch:
    x = rng.integers(-99, 1000, n).astype(np.int32)
    args = {"x": x, "out": blank(n, np.int32), "n": np.int32(n)}
    due = np.concatenate([np.cumsum(part) for part in parts(x, block)]).astype(np.int32)
    blocks = -(-n // block)
    words = f"n = {n} in {blocks} block{'s' * (blocks > 1)} of {block}"
    return Launch((blocks,), (block,), args, {"out": due}, words=words)


def _rounds_with(part: Any, distances: Sequence[int], least: int = 0) -> Any:
    """Rounds in which place t adds what stands d places before, where t >= d + `least`; int32, which wraps."""
    for d in distances:
        part = part + np.where(np.arange(part.size) >= d + least, np.pad(part, (d, 0))[: part.size], 0)
    return part


def _doubling(first: int, end: int) -> list[int]:
    return [1 << k for k in range(12) if first <= 1 << k < end]


def _by_warps(part: Any) -> Any:
    """Running sums that begin anew at each warp."""
    return np.concatenate([np.cumsum(part[first : first + WARP]) for first in range(0, part.size, WARP)])


def _moved(part: Any, block: int) -> Any:
    """What is left if each round replaces a place by what stands d before it: all distances together."""
    return np.pad(part, (block - 1, 0))[: part.size]


def _warp_sums(part: Any) -> Any:
    """The total of each warp, in the place of each of its elements."""
    return np.repeat(np.add.reduceat(part, range(0, part.size, WARP)), WARP)[: part.size]


def _one_warp_before(part: Any) -> Any:
    """A warp's running sums, and the total of the warp before it."""
    return _by_warps(part) + np.pad(_warp_sums(part), (WARP, 0))[: part.size]


def _own_again(part: Any, block: int) -> Any:
    """Shuffles in which a lane that has nobody below it adds its own value again; the totals are added rightly."""
    value = np.pad(part, (0, block - part.size)).reshape(-1, WARP)
    for d in _doubling(1, WARP):
        value = value + np.concatenate([value[:, :d], value[:, :-d]], axis=1)
    before = np.cumsum(value[:, -1]) - value[:, -1]
    return (value + before[:, None]).reshape(-1)[: part.size]


def _up_sweep(part: Any, block: int) -> Any:
    """A tree of sums: place k has that of as many elements as the largest power of two in k + 1 says."""
    place, total = np.arange(1, part.size + 1), np.pad(np.cumsum(part), (1, 0))
    return total[place] - total[place - (place & -place)]


SCAN = Problem(
    id="06.5",
    title="Running sums",
    task=(
        "Each block computes the running sums of its elements: `out[i]` is the sum of the block's elements up to "
        "`x[i]`, with `x[i]` itself. This is called an inclusive scan. Use all threads of the block."
    ),
    spec=(
        "`x`, `out`: n ints; block b has the elements from `b * blockDim.x` on, and begins at 0. A block has 32, 64, "
        "128, 256, 512 or 1,024 threads. No thread may go through the block's elements one by one."
    ),
    stub=SCAN_STUB,
    answer="scan",
    lines=11,
    hints=(
        "Let every element add the one before it: then each holds a sum of two. Let every element add what stands two "
        "places before it: a sum of four. And so on.",
        "In a round with distance d a thread with `t >= d` adds `s[t - d]`, and that place is changed by its own "
        "thread in the same round. So a round has two halves, reading and writing. What must stand between them, and "
        "what at the end?",
        "`for (int d = 1; d < ___; d *= 2) { int left = t >= d ? ___ : 0; ___; s[t] += left; ___; }`",
    ),
    solution=SCAN_SOLUTION,
    why=(
        "After the round with distance d every place holds the sum of 2 d elements, so 256 elements need 8 rounds. "
        "Each needs two barriers: one after all have read, one after all have written."
    ),
    judge=by_launches(
        make_scans,
        traps=(
            _by_block(lambda part, block: np.cumsum(part) - part, "These are the sums up to the element before: an "
                                                                  "exclusive scan. In an inclusive one `x[i]` itself "
                                                                  "counts."),
            _by_block(lambda part, block: _rounds_with(part, _doubling(1, block // 2)),
                      "Each result is the sum of at most half a block of elements: one round is missing, that with the "
                      "largest distance."),
            _by_block(lambda part, block: _rounds_with(part, _doubling(1, WARP)),
                      "Each result is the sum of at most 32 elements: the distance must go on doubling up to the size "
                      "of the block."),
            _by_block(lambda part, block: _rounds_with(part, _doubling(1, 256)),
                      "Each result is the sum of at most 256 elements: a block has up to 1,024."),
            _by_block(lambda part, block: _one_warp_before(part), "To a warp's own sums only the total of the warp "
                                                                  "before it is added. Those of all warps before it "
                                                                  "belong there."),
            _by_block(_own_again, "`out[0]` is 32 times `x[0]`: a lane that has no lane so far below it gets its own "
                                  "value from `__shfl_up_sync`, and must not add that."),
            _by_block(_up_sweep, "This is a tree on its way up: the totals stand at its nodes, and nobody has brought "
                                 "them down to the elements between."),
            _by_block(lambda part, block: _by_warps(part), "The sums begin anew at each warp: the totals of the warps "
                                                           "before are missing."),
            _by_block(lambda part, block: np.cumsum(part[::-1])[::-1], "These are the sums from an element to the end "
                                                                       "of the block. Add what stands before, not what "
                                                                       "stands behind."),
            _by_block(lambda part, block: np.full(part.size, part.sum()), "Every thread of a block has its total. "
                                                                          "Thread t should have the sum up to its own "
                                                                          "element."),
            _by_block(lambda part, block: _rounds_with(part, [1] * len(_doubling(1, block))),
                      "Each round adds the place next door. The distance must double: 1, 2, 4, …"),
            _by_block(lambda part, block: _rounds_with(part, range(1, block)),
                      "The distance grows by 1 from round to round, so that elements are counted again and again. It "
                      "must double: 1, 2, 4, …"),
            _by_block(lambda part, block: _rounds_with(part, _doubling(2, block)),
                      "The elements 1, 3, 5, … places before are left out: the first distance is 1."),
            _by_block(lambda part, block: _rounds_with(part, _doubling(1, block), 1),
                      "In each round the thread with t = d is left out: `s[0]` is d places before it."),
            _by_block(_moved, "What stands to the left has taken the place of the sum. It should be added to it."),
            _by_block(lambda part, block: part, "`out` is x itself: nothing has been added."),
            KernelTrap(lambda launch: {"out": np.cumsum(launch.args["x"]).astype(np.int32)},
                       "The sums go on from block to block. Here each block begins at 0."),
        ),
        limits=(
            Limit("global_load_requests", lambda launch: 2 * _warps(launch),
                  "`x` is read by {found} requests of warps where {limit} would be plenty: each thread reads its own "
                  "element, next to its neighbor's, and none goes through the block's elements one by one."),
            Limit("shared_load_requests",
                  lambda launch: _warps(launch) * (3 * _rounds(launch) + 2) + 16 * launch.grid[0],
                  "Shared memory is read by {found} requests of warps where {limit} would be plenty: a thread goes "
                  "through many elements. Let the distance double from round to round."),
        ),
    ),
)  # fmt: skip

# -- 06.6 -------------------------------------------------------------------------------------------

SOFTMAX_STUB = '''softmax = cp.RawKernel(r"""
#define INFINITY __int_as_float(0x7f800000)
extern "C" __global__
void softmax(const float* x, float* out, int columns)
{
    __shared__ float s[256];
    int t = threadIdx.x;
    int first = blockIdx.x * columns;                 // of the block's row

}
""", "softmax")
'''
SOFTMAX_BODY = """    float most = -INFINITY;
    for (int c = t; c < columns; c += blockDim.x) {
        most = fmaxf(most, x[first + c]);
    }
    s[t] = most;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (t < half) {
            s[t] = fmaxf(s[t], s[t + half]);
        }
        __syncthreads();
    }
    most = s[0];
    __syncthreads();
    float sum = 0;
    for (int c = t; c < columns; c += blockDim.x) {
        sum += expf(x[first + c] - most);
    }
    s[t] = sum;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (t < half) {
            s[t] += s[t + half];
        }
        __syncthreads();
    }
    for (int c = t; c < columns; c += blockDim.x) {
        out[first + c] = expf(x[first + c] - most) / s[0];
    }
"""
SOFTMAX_SOLUTION = SOFTMAX_STUB.replace("row\n\n", "row\n" + SOFTMAX_BODY)


def make_softmaxes(rng: np.random.Generator) -> Sequence[Launch]:
    """Rows longer than a block and shorter, huge numbers of either sign, -inf, a single column."""
    small = [
        _softmax(_spread(rng, 3, 300), 128, "numbers near 0"),
        _softmax(_huge(rng, 3, 150), 64, "numbers up to 1,000"),
        _softmax(_spread(rng, 2, 260, -1000, -200), 256, "numbers near -1,000 and near -200"),
        _softmax(_holed(rng, 3, 71), 32, "some of them -inf"),
        _softmax(_lowest(rng, 2, 80), 32, "numbers near -3e38"),
        _softmax(_spread(rng, 2, 1), 32, "a single one"),
        _softmax(_spread(rng, 3, 7), 64, "numbers near 0"),
    ]
    return timed_at(lambda: _softmax(_spread(rng, FULL // 1024, 1024), 256, "numbers near 0"), small)


def _spread(rng: np.random.Generator, rows: int, columns: int, *centers: float) -> Any:
    """Numbers near 0, each row a little higher than the one before; or near one of `centers` for each row."""
    middle = np.array(centers or np.arange(rows) % 7)[:, None]
    return (rng.uniform(-2, 2, (rows, columns)) + middle).astype(np.float32)


def _huge(rng: np.random.Generator, rows: int, columns: int) -> Any:
    """Numbers up to 1,000, the largest at the end of the row, and one near it."""
    x = rng.uniform(-900, 900, (rows, columns))
    x[:, -3:-1] = 999
    x[:, -1] = 999.5 + rng.random(rows) / 2
    return x.astype(np.float32)


def _holed(rng: np.random.Generator, rows: int, columns: int) -> Any:
    """-inf in every third place, and in all that thread 1 of 32 has."""
    x = _spread(rng, rows, columns)
    x[:, ::3], x[:, 1::32] = -np.inf, -np.inf
    return x


def _lowest(rng: np.random.Generator, rows: int, columns: int) -> Any:
    """Numbers of which few floats are lower, all of them different: the largest has all of the softmax."""
    return rng.permuted(np.tile(np.linspace(-3e38, -1e38, columns), (rows, 1)), axis=1).astype(np.float32)


def _softmax(x: Any, block: int, what: str) -> Launch:
    rows, columns = x.shape
    args = {"x": x, "out": blank(x.shape), "columns": np.int32(columns)}
    exact = np.exp(x.astype(np.float64) - x.max(axis=1, keepdims=True))
    due = {"out": (exact / exact.sum(axis=1, keepdims=True)).astype(np.float32)}
    words = f"{rows} rows of {columns}, {what}, blocks of {block}"
    return Launch((rows,), (block,), args, due, rtol=1e-4, atol=1e-9, extent=(rows * block,), words=words)


def _normal(x: Any, most: Any, summed: Any = slice(None)) -> Any:
    """exp(x - most) by its sum over the columns `summed`, in float32, which overflows."""
    powers = np.exp(x - most, dtype=np.float32)
    return powers / powers[:, summed].sum(axis=1, keepdims=True)


def _soft_trap(wrong: Callable[[Any, int], Any], message: str) -> KernelTrap:
    def outputs(launch: Launch) -> dict[str, Any]:
        return {"out": wrong(launch.args["x"], launch.block[0]).astype(np.float32)}

    return KernelTrap(outputs, message, filled=True)


def _powers(x: Any, most: Any = None) -> Any:
    """exp(x - most), by default each row's largest; float32."""
    return np.exp(x - (_most(x) if most is None else np.float32(most)), dtype=np.float32)


def _soft(x: Any) -> Any:
    return _normal(x, _most(x))


def _unwritten(values: Any, where: Any) -> Any:
    """`values` with those `where` nobody has written."""
    return np.where(where, blank(values.shape), values)


def _most(x: Any) -> Any:
    """The largest of each row, (rows, 1)."""
    return x.max(axis=1, keepdims=True)


def _own(x: Any, block: int, join: Callable[..., Any], nothing: float) -> Any:
    """What the thread that has a column makes of all of its columns, `join`ed: the shape of x."""
    rows, columns = x.shape
    padded = np.pad(x, ((0, 0), (0, -columns % block)), constant_values=nothing)
    return join(padded.reshape(rows, -1, block), axis=1)[:, np.arange(columns) % block]


def _begins_at(least: float) -> KernelTrap:
    """The trap of a maximum that is never below `least`."""
    return _soft_trap(lambda x, block: _normal(x, np.maximum(_most(x), np.float32(least))),
                      "The maximum begins too high: in a row whose numbers are far below that, every power is 0, and "
                      "so is their sum. What is below all numbers that x can hold?")  # fmt: skip


ONE_ROUND = "Columns are left out, all from blockDim.x on: each thread has to go on to further ones, block by block."
SOFTMAX = Problem(
    id="06.6",
    title="Softmax in one kernel",
    task=(
        "Each block turns one row into its softmax: `out[r][c]` is exp(x[r][c] - m) divided by the sum of exp(x[r][k] "
        "- m) over all columns k, where m is the largest number of row r. Maximum and sum are two trees, one after the "
        "other."
    ),
    spec=(
        "`x`, `out`: floats, row after row; block b has row b and 32, 64, 128 or 256 threads, the row any number of "
        "columns. Numbers may be huge; some may be -inf, for which `out` is 0, but not all of a row."
    ),
    stub=SOFTMAX_STUB,
    answer="softmax",
    lines=29,
    hints=(
        "Three passes over the row, each a loop from `t` on with the stride of the block: the largest number, the sum, "
        "the results. After the first and the second the threads' own numbers come together in a tree.",
        "Thread t first combines its own columns in a register and then puts that into `s[t]`. Between the two trees "
        "every thread must have read `s[0]` before anybody fills `s` anew: which call sees to that?",
        "`float most = -INFINITY; for (int c = t; c < columns; c += ___) most = fmaxf(most, x[first + c]);` then the "
        "tree of 06.2; `most = s[0]; ___;` and the same once more with `sum += expf(___)`.",
    ),
    solution=SOFTMAX_SOLUTION,
    why=(
        "With m subtracted the largest power is exp(0) = 1, so nothing overflows and no sum is 0. The tree runs twice "
        "in the same shared memory, and a barrier keeps the second from overwriting what the first one's readers need."
    ),
    judge=by_launches(
        make_softmaxes,
        traps=(
            _soft_trap(lambda x, block: _normal(x, x.max()), "The maximum is that of the whole matrix, and rows far "
                                                             "below it become 0 / 0. Each row has its own."),
            *map(_begins_at, (-1e30, -500, 0)),
            _soft_trap(lambda x, block: _normal(x, np.float32(0)),
                       "exp of a large number is inf, exp of a very negative one is 0, and inf / inf and 0 / 0 are "
                       "nan. Subtract the row's largest number first."),
            _soft_trap(lambda x, block: _normal(x, _most(x[:, :block])), "The maximum comes from the first columns "
                                                                         "only, as many as a block has threads. What "
                                                                         "stands further on overflows."),
            _soft_trap(lambda x, block: _normal(x, _own(x, block, np.max, -np.inf)),
                       "Each thread subtracts the largest number of its own columns. Where is that of the whole row?"),
            _soft_trap(lambda x, block: np.exp(x - _most(x)) / _own(np.exp(x - _most(x)), block, np.sum, 0),
                       "Each thread divides by the sum of its own columns. Where is that of the whole row?"),
            _soft_trap(lambda x, block: _normal(x, x[:, :1]), "You subtract the row's first number, not its largest."),
            _soft_trap(lambda x, block: _unwritten(_soft(x), np.arange(x.shape[1]) >= block), ONE_ROUND),
            _soft_trap(lambda x, block: np.hstack([_soft(x[:, :block]), blank(x[:, block:].shape)]), ONE_ROUND),
            _soft_trap(lambda x, block: _unwritten(_soft(x), np.isneginf(x)),
                       "Where x is -inf nothing is written. `out` must be 0 there, and exp(-inf) is."),
            _soft_trap(lambda x, block: np.append(_soft(x)[:, 0], blank(x.size - len(x))).reshape(x.shape),
                       "Each block has written one number only, to `out[blockIdx.x]`. It should write a whole row."),
            _soft_trap(lambda x, block: np.broadcast_to(_soft(x[:1]), x.shape),
                       "All rows are row 0's: every block reads the first row of x."),
            _soft_trap(lambda x, block: _powers(x, 0) / _powers(x).sum(axis=1, keepdims=True),
                       "m is subtracted in the powers that are added up, not in those that are divided by the sum."),
            _soft_trap(lambda x, block: _powers(x) / _own(_powers(x), block, np.sum, 0).max(axis=1, keepdims=True),
                       "You divide by the largest of the threads' sums. The second tree must add them."),
            _soft_trap(lambda x, block: _powers(x) / _own(_powers(x), block, np.sum, 0)[:, : block : 2].sum(
                       axis=1, keepdims=True),
                       "The sums of threads 1, 3, 5, … are left out: the last round of the second tree is missing."),
            _soft_trap(lambda x, block: _powers(x) / (_powers(x).sum(axis=1, keepdims=True) + block * _most(x)),
                       "The sum is too large by m for each thread: what does a thread's sum begin with?"),
            _soft_trap(lambda x, block: _normal(x, _most(x), slice(block)), "The sum has the first columns only, as "
                                                                            "many as a block has threads."),
            _soft_trap(lambda x, block: _normal(x, _most(x), slice(0, None, block)), "You divide by the sum that "
                                                                                     "thread 0 alone has made. Who "
                                                                                     "adds the other threads' sums to "
                                                                                     "it?"),
            _soft_trap(lambda x, block: np.exp(x - _most(x)), "The powers have not been divided by their sum."),
            _soft_trap(lambda x, block: np.exp(x - _most(x)) / np.exp(x - _most(x)).sum(axis=0),
                       "You divide by the sum over a column. The sum goes along the row."),
            _soft_trap(lambda x, block: x - _most(x) - np.log(np.exp(x - _most(x)).sum(axis=1, keepdims=True)),
                       "This is the logarithm of the softmax."),
            _soft_trap(lambda x, block: np.full(x.shape, np.nan), "There is nan in `out`: it comes from inf / inf, 0 / "
                                                                  "0, 0 * inf or inf - inf. Can a sum be 0, or what "
                                                                  "is subtracted inf or -inf, as in a thread whose "
                                                                  "columns are all -inf?"),
        ),
        limits=(
            Limit("global_load_requests", lambda launch: 2 * _warps(launch) + 4 * _row_requests(launch),
                  "`x` is read by {found} requests of warps where {limit} would be plenty: share the columns out among "
                  "the threads, for the maximum and for the sum."),
        ),
        once=True,
    ),
)  # fmt: skip


def _row_requests(launch: Launch) -> int:
    """Requests of warps that read all of x once, row by row."""
    rows, columns = launch.args["x"].shape
    return int(rows * -(-columns // WARP))


PROBLEMS = (PARTING, MAXIMUM, WARP_SUM, HISTOGRAM, SCAN, SOFTMAX)
