"""The exercises of lesson 09: a translation, one launch in four languages, a block program, two parts, a choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpucourse import cupy_sim
from gpucourse.exercises import guard
from gpucourse.exercises.cases import ByCases, Case
from gpucourse.exercises.compare import Trap, by_cases, is_mapping
from gpucourse.exercises.difference import Tolerance
from gpucourse.exercises.kernel_cases import KernelTrap, Launch, blank, by_launches, timed_at
from gpucourse.exercises.outcome import Wrong
from gpucourse.exercises.problem import Problem
from gpucourse.exercises.values import mapping_source

FULL = 1 << 24   # elements of a launch that is timed

# -- 09.1 -------------------------------------------------------------------------------------------

TRANSLATE_STUB = '''clipped_sums = cp.RawKernel(r"""
// This is OpenCL C. In CUDA C it begins with extern "C" __global__
__kernel void clipped_sums(__global const float* x, __global float* sums, int n)
{
    __local float tile[128];
    int t = get_local_id(0);
    float sum = 0;
    for (int i = get_global_id(0); i < n; i += get_global_size(0)) {
        sum += clamp(x[i], -1.0f, 1.0f);
    }
    tile[t] = sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int step = get_local_size(0) / 2; step > 0; step /= 2) {
        if (t < step) {
            tile[t] += tile[t + step];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (t == 0) {
        sums[get_group_id(0)] = tile[0];
    }
}
""", "clipped_sums")
'''
WORDS = (
    ("__kernel void clipped_sums(__global const float* x, __global float* sums, int n)",
     'extern "C" __global__\nvoid clipped_sums(const float* x, float* sums, int n)'),
    ("__local float", "__shared__ float"),
    ("get_local_id(0)", "threadIdx.x"),
    ("get_global_id(0)", "blockIdx.x * blockDim.x + threadIdx.x"),
    ("get_global_size(0)", "gridDim.x * blockDim.x"),
    ("clamp(x[i], -1.0f, 1.0f)", "fminf(fmaxf(x[i], -1.0f), 1.0f)"),
    ("barrier(CLK_LOCAL_MEM_FENCE)", "__syncthreads()"),
    ("get_local_size(0)", "blockDim.x"),
    ("get_group_id(0)", "blockIdx.x"),
)  # fmt: skip


def _translated(source: str) -> str:
    for opencl, cuda in WORDS:
        source = source.replace(opencl, cuda)
    return source


def make_clipped(rng: np.random.Generator) -> Sequence[Launch]:
    """Fewer elements than threads, several turns of the loop, blocks of one warp and of four."""
    shapes = ((1000, 3, 128), (3, 2, 64), (333, 4, 32), (5000, 5, 64))
    return timed_at(lambda: _clipped(rng, FULL, 4096, 128), [_clipped(rng, *shape) for shape in shapes])


def _clipped(rng: np.random.Generator, n: int, blocks: int, threads: int) -> Launch:
    x = (2 * rng.standard_normal(n)).astype(np.float32)
    args = {"x": x, "sums": blank(blocks), "n": np.int32(n)}
    due = _own(_clip(x), blocks, threads).sum(axis=1).astype(np.float32)
    return Launch((blocks,), (threads,), args, {"sums": due}, rtol=1e-5, atol=1e-4,
                  words=f"n = {n} in {blocks} blocks of {threads}")  # fmt: skip


First = Callable[[Any, Any, int, int], Any]     # of (block, thread, number of blocks, their size)
Stride = Callable[[int, int], int]              # of (number of blocks, their size)
Fold = Callable[[Any, int], Any]                # of (the threads' sums, number of blocks)


def _clip(x: Any) -> Any:
    return np.clip(x, -1, 1)


def _over_all(b: Any, t: Any, blocks: int, threads: int) -> Any:
    return b * threads + t


def _whole(blocks: int, threads: int) -> int:
    return blocks * threads


def _own(x: Any, blocks: int, threads: int, first: First = _over_all, stride: Stride = _whole) -> Any:
    """(blocks, threads): what each thread adds up that begins at `first` and goes on by `stride`."""
    starts = first(np.arange(blocks)[:, None], np.arange(threads), blocks, threads)
    starts = np.broadcast_to(starts, (blocks, threads)).ravel()
    sums = [x[start :: stride(blocks, threads)].sum(dtype=np.float64) for start in starts]
    return np.reshape(sums, (blocks, threads))


def _slip(clip: Any = _clip, first: First = _over_all, stride: Stride = _whole,
          fold: Fold = lambda own, blocks: own.sum(axis=1)) -> Any:  # fmt: skip
    """A trap's outputs: what is done to each element, where threads begin and go on, what becomes of their sums."""

    def wrong(launch: Launch) -> dict[str, Any]:
        (blocks,), (threads,) = launch.grid, launch.block
        own = _own(clip(launch.args["x"]), blocks, threads, first, stride)
        return {"sums": fold(own, blocks).astype(np.float32)}

    return wrong


def _tree(own: Any, step: int, last: int = 1) -> Any:
    """The tile's first element after the steps from `step` down to `last`."""
    tile = own.copy()
    while step >= last:
        tile[:, :step] += tile[:, step : 2 * step]
        step //= 2
    return tile[:, 0]


SLIPS = (
    (_slip(first=lambda b, t, blocks, threads: t + 0 * b),
     "Every block begins at the first elements: `get_global_id(0)` counts over all groups, `threadIdx.x` only within "
     "one."),
    (_slip(first=lambda b, t, blocks, threads: b + 0 * t),
     "All threads of a block begin at the same element, number `blockIdx.x`. `get_global_id(0)` is a number of its own "
     "for each thread of all groups."),
    (_slip(first=lambda b, t, blocks, threads: b * blocks + t),
     "Block b begins at b · `gridDim.x`, the number of blocks. How many threads stand before it?"),
    (_slip(first=lambda b, t, blocks, threads: t * threads + b),
     "`blockIdx.x` and `threadIdx.x` are exchanged where a thread's first element is computed."),
    (_slip(stride=lambda blocks, threads: threads),
     "The loop goes on by `blockDim.x`, so blocks take elements that belong to others. `get_global_size(0)` counts the "
     "threads of all blocks."),
    (_slip(stride=lambda blocks, threads: blocks),
     "The loop goes on by `gridDim.x`, which is the number of blocks. `get_global_size(0)` counts the threads of all "
     "blocks."),
    (_slip(stride=lambda blocks, threads: blocks + threads),
     "The loop goes on by `gridDim.x + blockDim.x`. How many threads are there in `gridDim.x` blocks?"),
    (_slip(stride=lambda blocks, threads: FULL),
     "Each thread takes one element at most. In the loop it goes on by `get_global_size(0)`, to the end of x."),
    (_slip(first=lambda b, t, blocks, threads: t + 0 * b, stride=lambda blocks, threads: threads),
     "Every block adds up all of x. `get_global_id(0)` and `get_global_size(0)` count over all groups."),
    (_slip(fold=lambda own, blocks: own[:, 0]),
     "Each block's result is what its thread 0 found alone. Do all threads of the block share one `tile`, and is it "
     "`tile[0]` that is stored?"),
    (_slip(fold=lambda own, blocks: own[:, -1]),
     "Each block's result is what its last thread found alone: every thread stores. Only thread 0 has the sum."),
    (_slip(fold=lambda own, blocks: _tree(own, blocks // 2)),
     "The tree begins at `gridDim.x / 2`. `get_local_size(0)` is how many threads one group has."),
    (_slip(fold=lambda own, blocks: _tree(own, own.shape[1] // 2, last=2)),
     "The tree ends a step too early: the threads with an odd number are missing from the sum."),
    (_slip(lambda x: x),
     "The elements are added up as they are. `clamp` brings each of them into the range from -1 to 1 first."),
    (_slip(lambda x: x, fold=lambda own, blocks: _clip(own).sum(axis=1)),
     "Each thread's sum is brought into the range. `clamp` is for each element, before it is added."),
    (_slip(fold=lambda own, blocks: _clip(own).sum(axis=1)),
     "Each thread's sum is brought into the range once more. `clamp` is for the elements alone."),
    (_slip(lambda x: x, fold=lambda own, blocks: _clip(own.sum(axis=1))),
     "The block's sum is brought into the range. `clamp` is for each element, before it is added."),
    (_slip(lambda x: np.minimum(x, 1)), "Elements below -1 are added up as they are."),
    (_slip(lambda x: np.maximum(x, -1)), "Elements above 1 are added up as they are."),
    (_slip(lambda x: np.clip(x, 0, 1)),
     "The elements are brought into the range from 0 to 1, so negative ones count nothing. The range begins at -1."),
    (_slip(lambda x: np.minimum(abs(x), 1)), "Negative elements are counted as positive ones."),
    (_slip(lambda x: np.where(abs(x) < 1, x, 0)),
     "Elements outside the range are left out. They count as the nearer end, -1 or 1."),
    (_slip(lambda x: _clip(np.trunc(x))), "The elements are cut to whole numbers before they are added up."),
    (_slip(lambda x: np.full_like(x, -1)),
     "Every element counts as -1: with fminf and fmaxf exchanged nothing else is left. First the larger of x and -1, "
     "then the smaller of that and 1."),
    (_slip(lambda x: np.full_like(x, 1)),
     "Every element counts as 1: with fminf and fmaxf exchanged nothing else is left. First the larger of x and -1, "
     "then the smaller of that and 1."),
)  # fmt: skip

TRANSLATE = Problem(
    id="09.1",
    title="From OpenCL to CUDA",
    task=(
        "The kernel in the cell is OpenCL C: each work-group adds up its share of `x`, after bringing every element "
        "into the range from -1 to 1. Translate it into CUDA C, in place."
    ),
    spec=(
        "`sums[b]` is what block b adds up. Blocks have at most 128 threads, a power of two; any n of at least 1, any "
        "number of blocks: the threads of all blocks walk through x together."
    ),
    stub=TRANSLATE_STUB,
    answer="clipped_sums",
    lines=10,
    hints=(
        "Only words change, no structure: the table above has nearly all of them. What is \"global\" in OpenCL is "
        "counted over all groups.",
        "`get_global_id(0)` has no single word in CUDA, you know it as i; and `get_global_size(0)` is how many threads "
        "there are in all blocks. CUDA C has no clamp: take the larger of two, then the smaller of two.",
        "`for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * ___)` and `fminf(fmaxf(x[i], "
        "___), ___)`. `__local` becomes `__shared__`, `__global` disappears.",
    ),
    solution=_translated(TRANSLATE_STUB),
    why=(
        "Both languages describe the same machine, so a translation is a table of words. For HIP there is nothing to "
        "translate: its kernels have CUDA's words."
    ),
    judge=by_launches(
        make_clipped,
        traps=[KernelTrap(wrong, message) for wrong, message in SLIPS],
    ),
)  # fmt: skip

# -- 09.2 -------------------------------------------------------------------------------------------

MASKED = "Triton: masked elements of the last program"
LAUNCH = {
    "CUDA: blocks": 40,
    "OpenCL: global size": 10_240,
    "OpenCL: local size": 256,
    "Triton: programs": 10,
    MASKED: 240,
    "AMD: wavefronts of a block": 4,
}

ONE_LAUNCH = Problem(
    id="09.2",
    title="One launch, four languages",
    task=(
        "10,000 elements are to be scaled, each by a thread of its own in CUDA, HIP and OpenCL, and in blocks of 1,024 "
        "elements in Triton. How large is everything?"
    ),
    spec=(
        "Blocks and work-groups have 256 threads; as few as suffice. The OpenCL global size is to be a multiple of the "
        "local size. The AMD GPU is one whose wavefronts have 64 lanes."
    ),
    stub=mapping_source("launch", list(LAUNCH)),
    answer="launch",
    lines=6,
    hints=(
        "In every language somebody must be there for the last element, and only whole groups can be launched. But "
        "what is counted differs: groups, or the members of all groups.",
        "CUDA counts blocks. OpenCL's global size counts the work-items of all groups together, as "
        "`get_global_size(0)` says. A Triton program is a whole block of elements.",
        "CUDA: 10,000 / 256, rounded up. OpenCL: that many groups times ___. Triton: 10,000 / 1,024, rounded up; the "
        "last block has places up to 10 · 1,024. A wavefront is AMD's warp: 256 / ___.",
    ),
    solution=mapping_source("launch", LAUNCH),
    why=(
        "What CUDA calls 40 blocks of 256 is 10,240 work-items in groups of 256 to OpenCL. A Triton program is no "
        "thread, so there are only 10 of them, and what would be idle threads are masked elements."
    ),
    judge=is_mapping(
        LAUNCH,
        traps=(
            Trap({"CUDA: blocks": 39}, "39 blocks of 256 are 9,984 threads: 16 elements would have nobody. Round up."),
            Trap({"CUDA: blocks": 10_000 / 256}, "There are only whole blocks: round up."),
            Trap({"CUDA: blocks": 10_240}, "These are the threads of all blocks. CUDA is told the number of blocks."),
            Trap({"CUDA: blocks": 10_000}, "That would be a block for each element. A block has 256 threads, and each "
                                           "of them takes one."),
            Trap({"OpenCL: global size": 256, "OpenCL: local size": 10_240},
                 "The two OpenCL sizes are exchanged: local is one group, global is all groups together."),
            Trap({"OpenCL: global size": 40}, "OpenCL is not told how many groups there are: its global size counts "
                                              "the work-items of all groups together."),
            Trap({"OpenCL: global size": 256}, "256 work-items are one group. The global size counts those of all "
                                               "groups."),
            Trap({"OpenCL: global size": 10_000}, "10,000 is no multiple of the local size. The last group must be "
                                                  "whole, too, and the kernel needs a guard, as in CUDA."),
            Trap({"OpenCL: global size": 9_984}, "9,984 work-items are 39 groups: 16 elements would have nobody. "
                                                 "Round up."),
            Trap({"OpenCL: global size": 16_384}, "As few as suffice: the global size must be a multiple of the local "
                                                  "size, not a power of two."),
            Trap({"OpenCL: local size": 40}, "The local size is that of one group, CUDA's blockDim. 40 is how many "
                                             "groups there are."),
            Trap({"OpenCL: local size": 64}, "64 is a wavefront of the AMD GPU. The local size is that of a group, "
                                             "CUDA's blockDim."),
            Trap({"Triton: programs": 40}, "40 is the number of blocks of 256 threads. A Triton program takes 1,024 "
                                           "elements, with however many threads."),
            Trap({"Triton: programs": 9}, "9 programs take 9,216 elements. Round up."),
            *(Trap({"Triton: programs": each}, "A Triton program takes a block of 1,024 elements, not one.")
              for each in (10_000, 10_240)),
            Trap({"Triton: programs": 10_000 / 1024}, "There are only whole programs: round up."),
            Trap({MASKED: 784}, "784 is what the last program has to do. Masked are its other elements."),
            Trap({MASKED: 0}, "10 blocks of 1,024 are more than there are elements."),
            Trap({MASKED: 16}, "16 is what the last of the blocks of 256 has to do. Triton's blocks have 1,024 "
                               "elements; masked are those of the last one that lie beyond the end."),
            Trap({MASKED: 6_384}, "So many were masked if one block of 16,384 took everything. The blocks have 1,024 "
                                  "elements."),
            Trap({"AMD: wavefronts of a block": 8}, "8 is the number of warps of 32. This GPU's wavefronts have 64 "
                                                    "lanes."),
            *(Trap({"AMD: wavefronts of a block": each}, "That is the whole launch. How many does one block of 256 "
                                                         "have?") for each in (157, 160)),
            Trap({"AMD: wavefronts of a block": 1}, "A wavefront has 64 lanes, a block has 256 threads."),
        ),
    ),
)  # fmt: skip

# -- 09.3 -------------------------------------------------------------------------------------------

LOAD = '''def load(x, at, mask, other):
    """x[at] where mask is true, `other` elsewhere. (Triton reads nothing there; this reads x[0], and drops it.)"""
    return cp.where(mask, x[cp.where(mask, at, 0)], other)

'''
CAUSAL_STUB = LOAD + '''def causal_program(x, row, n, size):
    """Softmax of columns 0 to `row` of a row; `size` values, 0 for all other columns."""
    return ...
'''
CAUSAL_BODY = """    c = cp.arange(size)
    v = load(x, row * n + c, c <= row, -cp.inf)
    e = cp.exp(v - v.max())
    return e / e.sum()
"""


def _seen(c: Any, row: int, n: int) -> Any:
    return c <= row


def _in_row(c: Any, row: int, n: int) -> Any:
    return c < n


def _at(c: Any, row: int, n: int, size: int) -> Any:
    return row * n + c


def _loaded(x: Any, row: int, n: int, size: int, xp: Any, mask: Any = _seen, other: float = -np.inf, at: Any = _at,
            begin: int = 0) -> Any:  # fmt: skip
    """The block that a program loads: x at `at` where `mask` lets through, `other` elsewhere."""
    c = xp.arange(begin, begin + size)
    seen = mask(c, row, n)
    return xp.where(seen, x[xp.where(seen, at(c, row, n, size), 0)], other)


def _block(x: Any, row: int, n: int, size: int, xp: Any, **how: Any) -> Any:
    """The softmax of what is loaded."""
    v = _loaded(x, row, n, size, xp, **how)
    e = xp.exp(v - v.max())
    return e / e.sum()


def causal(x: Any, row: int, n: int, size: int, xp: Any = np) -> Any:
    """What the exercise asks for."""
    return _block(x, row, n, size, xp)


def _without_rows(x: Any, row: int, n: int, size: int, xp: Any = np) -> Any:
    return _block(xp.concatenate([x[:n]] * n), row, n, size, xp)


def _undivided(x: Any, row: int, n: int, size: int, xp: Any = np) -> Any:
    v = _loaded(x, row, n, size, xp)
    return xp.exp(v - v.max())


def _no_maximum(x: Any, row: int, n: int, size: int, xp: Any = np) -> Any:
    e = xp.exp(_loaded(x, row, n, size, xp))
    return e / e.sum()


def _logarithm(x: Any, row: int, n: int, size: int, xp: Any = np) -> Any:
    return xp.log(causal(x, row, n, size, xp))


def _rest_first(x: Any, row: int, n: int, size: int, xp: Any = np) -> Any:
    """Softmax of the whole row, cut afterwards."""
    return xp.where(xp.arange(size) <= row, _block(x, row, n, size, xp, mask=_in_row), 0)


def _hidden_maximum(x: Any, row: int, n: int, size: int, xp: Any = np, **how: Any) -> Any:
    """The sum is that of the columns that may be seen, the maximum that of all that were loaded."""
    v = _loaded(x, row, n, size, xp, **how)
    e = xp.where(xp.arange(size) <= row, xp.exp(v - v.max()), 0)
    return e / e.sum()


def _masked_trap(message: str, **how: Any) -> Trap:
    return Trap(lambda x, row, n, size, xp=np: _block(x, row, n, size, xp, **how), message)


def _maximum_trap(message: str, **how: Any) -> Trap:
    return Trap(lambda x, row, n, size, xp=np: _hidden_maximum(x, row, n, size, xp, **how), message)


FINITE = (-1.0, -10.0, -99.0, -100.0, -999.0, -1000.0, *(-(10.0**k) for k in range(4, 13)), -1e20, -1e30)
BLOCKS: tuple[tuple[int, int, tuple[int, ...], Callable[[Any], Any], str], ...] = (   # n, size, rows, score, about
    (6, 8, (0, 2, 5), lambda x: x, ""),
    (4, 4, (1, 3), lambda x: x, ""),
    (5, 16, (0, 3, 4), lambda x: x - 500, "all of x is near -500"),
    (5, 8, (0, 4), lambda x: -1e30 * (3 + x), "all of x is near -3e30"),
    (3, 4, (1, 2), lambda x: x + 500, "all of x is near 500"),
    (6, 8, (1, 4), lambda x: x - np.array([500, 500, 500, 500, 500, 0] * 6),
     "the last column is near 0, all others are near -500"),
    (1, 2, (0,), lambda x: x + 3, ""),
)  # fmt: skip


def causal_cases(xp: Any, rng: np.random.Generator) -> list[Case]:
    """First, middle and last rows; a full block; scores far below zero, and one far above those that may be seen."""
    cases = []
    for n, size, rows, score, about in BLOCKS:
        x = xp.asarray(score(rng.uniform(-1.5, 1.5, n * n)).astype(np.float32))
        cases += [Case(x, row, n, size, about=about) for row in rows]
    return cases


class Watched(cupy_sim.ndarray):
    """An array that notes reads beyond its ends; CuPy, and the simulator, let the index begin again there."""

    __slots__ = ("beyond", "length")

    def __init__(self, length: int) -> None:
        super().__init__(length, np.float32)
        self.length = length
        self.beyond: list[int] = []
        self[...] = 0

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, cupy_sim.ndarray):
            found: Any = index.get()
            outside = (found < 0) | (found >= self.length)
            self.beyond += found[outside].ravel().tolist() if found.dtype.kind in "iu" else []
        return super().__getitem__(index)


class InBounds(ByCases):
    """The judge of a function of cases, and of x, row, n, size, that must read nothing beyond the end of x."""

    def __call__(self, answer: Any, *, xp: Any = np, seed: int = 0, name: str = "your function") -> None:
        """Raise Wrong, NotAttempted or guard.Raised unless the answer is right and stays within x."""
        try:
            super().__call__(answer, xp=xp, seed=seed, name=name)
        except guard.Raised as raised:
            if "numpy.ndarray" in str(raised.error):
                raise Wrong("An array of NumPy's meets one on the device. Here everything is made with cp: "
                            "`cp.arange(size)`.") from None  # fmt: skip
            raise
        x = Watched(25)
        guard.call(guard.with_module(answer, cp=cupy_sim), (x, 4, 5, 8), where=f"{name}(x, 4, 5, 8)", quiet=True)
        if x.beyond:
            raise Wrong(f"The values are right, but {name}(x, 4, 5, 8) reads x[{x.beyond[0]}], and the last is x[24]. "
                        "What is masked must not be read at all: `load` sees to it.")  # fmt: skip


CAUSAL_TRAPS = (
    _masked_trap("The masked columns count as 0, and exp(0 - largest) is not 0: they take their share of the sum. What "
                 "must `other` be so that they add nothing?", other=0.0),
    *(_masked_trap("The masked columns have a finite score. A row whose scores lie lower than that gives them "
                   "everything. What is lower than every score?", other=each) for each in FINITE),
    Trap(lambda x, row, n, size, xp=np: _block(x, row, n, size, xp, other=float(x.min())),
         "The masked columns have the lowest score of x. Its exponential is not 0: they take their share of the sum."),
    _masked_trap("Wherever a column is masked everything becomes nan. Is what you subtract a finite number there? A "
                 "masked column must hold what is never the largest.", other=np.nan),
    _masked_trap("Columns to the right of `row` are seen, too: the mask only cuts off what lies beyond the row's end.",
                 mask=_in_row),
    _masked_trap("Columns to the right of `row` are seen, too, and column n, which is the next row's first.",
                 mask=lambda c, row, n: c <= n),
    _masked_trap("Column `row` itself is masked. It may be seen: columns 0 to `row`. (In row 0 nothing would be left, "
                 "and -inf - -inf is nan.)", mask=lambda c, row, n: c < row),
    *(_masked_trap("The mask is the wrong way round: it hides the columns on the left.", mask=each)
      for each in (lambda c, row, n: c >= row, lambda c, row, n: c > row,
                   lambda c, row, n: (c >= row) & (c < n), lambda c, row, n: (c > row) & (c < n))),
    _masked_trap("Row `row` begins at row · n: the rows of x are n long. `size` is only the block's.",
                 at=lambda c, row, n, size: row * size + c),
    _masked_trap("Row `row` is taken to begin at x[row]. How many elements stand before it?",
                 at=lambda c, row, n, size: row + c),
    _masked_trap("These are the elements of column `row`. A row's elements lie side by side.",
                 at=lambda c, row, n, size: c * n + row),
    _masked_trap("The columns are numbered from 1. The first one is column 0.", begin=1),
    Trap(_without_rows, "Every program takes row 0: where in the flat x does row `row` begin?"),
    Trap(_undivided, "These are the exponentials. They must be divided by their sum."),
    Trap(_no_maximum, "The largest element is not subtracted: where all scores are near 500 the exponentials are inf, "
                      "where all are near -500 they are 0, and inf / inf and 0 / 0 are nan."),
    Trap(_logarithm, "This is the logarithm of what is asked for."),
    Trap(_rest_first, "The softmax was taken of the whole row, and cut afterwards: what is left does not add up to 1. "
                      "The columns must be masked before the maximum and the sum."),
    _maximum_trap("The largest element was sought among columns that may not be seen, too. If one of these is far "
                  "larger, all exponentials that count are 0, and 0 / 0 is nan.", mask=_in_row),
    _maximum_trap("The masked columns count as 0 when the largest is sought. Where all scores are near -500, all "
                  "exponentials that count are 0, and 0 / 0 is nan.", other=0.0),
    Trap(lambda x, row, n, size, xp=np: causal(x, row, n, size, xp)[: row + 1],
         "Only the columns that may be seen are returned. A block has always `size` elements."),
    Trap(lambda x, row, n, size, xp=np: causal(x, row, n, size, xp)[:n],
         "n values are returned. A block has always `size` elements; the store is masked, too."),
)  # fmt: skip
CAUSAL = Problem(
    id="09.3",
    title="A block program with a mask",
    task=(
        "In a language model the word in row `row` may look only at the words 0 to `row`. Write what one Triton "
        "program does for its row: load it as a block, with a mask, and return the softmax of the columns it may see."
    ),
    spec=(
        "`x`: an n x n matrix of floats, flat, row after row; `size`: a power of two, at least n. Return an array of "
        "`size` values: the softmax of columns 0 to `row`, and 0 for every other column. No loop; `load` is given."
    ),
    stub=CAUSAL_STUB,
    answer="causal_program",
    lines=4,
    hints=(
        "Begin with the numbers of all columns of the block, 0 to size - 1. Where are the row's elements in the flat "
        "x? Which columns may be seen?",
        "The masked columns must add nothing to the sum and must not be the largest. Which number has an exponential "
        "of 0 and is never a maximum?",
        "`c = cp.arange(size)`, then `v = load(x, row * n + c, ___ <= ___, ___)`, then what you know: exp of v minus "
        "its largest, divided by the sum.",
    ),
    solution=LOAD + CAUSAL_STUB.removeprefix(LOAD).replace("    return ...\n", CAUSAL_BODY),
    why=(
        "-inf is the neutral element of the maximum, and its exponential is 0, the neutral element of the sum: masked "
        "columns fall out by themselves. c <= row is mask enough, because row is smaller than n."
    ),
    judge=InBounds(causal, causal_cases, CAUSAL_TRAPS, tolerance=Tolerance(1e-5, 1e-6, dtype=False)),
)  # fmt: skip

# -- 09.4 -------------------------------------------------------------------------------------------

COMBINE_STUB = '''def combine(a, b):
    """(m, s) of a row, from (m, s) of its two parts."""
    return ...
'''
COMBINE_BODY = """    m = max(a[0], b[0])
    if m == -np.inf:
        return m, 0.0
    return m, a[1] * np.exp(a[0] - m) + b[1] * np.exp(b[0] - m)
"""
Pair = tuple[float, float]
INF = float("inf")


def combine(a: Pair, b: Pair) -> Pair:
    """(m, s) of a row from those of its parts; s is relative to m, and 0 where the row is all -inf."""
    m = max(a[0], b[0])
    if m == -np.inf:
        return m, 0.0
    return m, float(a[1] * np.exp(a[0] - m) + b[1] * np.exp(b[0] - m))


Combine = Callable[[Pair, Pair], Pair]


def _scaled(first: Callable[..., Any], second: Callable[..., Any]) -> Combine:
    """Combine with these factors of the two sums, functions of (own m, the other's m, the larger m)."""

    def wrong(a: Pair, b: Pair) -> Pair:
        (p, q), m = (np.float64(a[0]), np.float64(b[0])), max(a[0], b[0])
        return m, float(a[1] * first(p, q, m) + b[1] * second(q, p, m))

    return wrong


def _guarded(wrong: Combine) -> Combine:
    """The same, with (-inf, 0) where both parts are all -inf."""
    return lambda a, b: (-INF, 0.0) if max(a[0], b[0]) == -INF else wrong(a, b)


def _slips(wrong: Combine, message: str) -> tuple[Trap, Trap]:
    return Trap(wrong, message), Trap(_guarded(wrong), message)


def _one(own: Any, other: Any, m: Any) -> Any:
    return 1.0


def _to_larger(own: Any, other: Any, m: Any) -> Any:
    return np.exp(own - m)


def _to_other(own: Any, other: Any, m: Any) -> Any:
    return np.exp(own - other)


def _other_to_larger(own: Any, other: Any, m: Any) -> Any:
    return np.exp(other - m)


def _by_distance(own: Any, other: Any, m: Any) -> Any:
    return np.exp(-abs(own - other))


def _exchanged(a: Pair, b: Pair) -> Pair:
    return combine(a, b)[::-1]


def _smaller(a: Pair, b: Pair) -> Pair:
    m = np.float64(min(a[0], b[0]))
    if m == -INF:
        return -INF, 0.0
    return float(m), float(a[1] * np.exp(a[0] - m) + b[1] * np.exp(b[0] - m))


def _log_of_sum(a: Pair, b: Pair) -> Pair:
    m, s = combine(a, b)
    return m + float(np.log(s)), 1.0


def _log_of_two(a: Pair, b: Pair) -> Pair:
    m = np.log(np.exp(np.float64(a[0])) + np.exp(np.float64(b[0])))
    return float(m), float(a[1] * np.exp(a[0] - m) + b[1] * np.exp(b[0] - m))


PARTS = [
    ((2.0, 3.0), (5.0, 1.5)), ((5.0, 1.5), (2.0, 3.0)), ((1.0, 2.0), (1.0, 4.0)), ((-3.0, 1.25), (-4.5, 2.0)),
    Case((1000.0, 2.0), (998.0, 4.0), about="exp(1000) is too large for a float"),
    Case((-INF, 0.0), (2.0, 3.0), about="the first part is all -inf"),
    Case((2.0, 3.0), (-INF, 0.0), about="the second part is all -inf"),
    Case((-INF, 0.0), (-INF, 0.0), about="both parts are all -inf"),
]  # fmt: skip

def _parts(rng: np.random.Generator) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    rows = rng.uniform((-5, 1, -5, 1), (5, 4, 5, 4), (3, 4)).round(2).tolist()
    return [((m_a, s_a), (m_b, s_b)) for m_a, s_a, m_b, s_b in rows]


COMBINE = Problem(
    id="09.4",
    title="Softmax of a row that does not fit",
    task=(
        "A row is too long for one block. Of each part a program keeps two numbers: its largest element m, and s, the "
        "sum of exp(x - m) over the part. Combine those of two parts into those of both."
    ),
    spec=(
        "`combine(a, b)`: a and b are pairs (m, s) of floats; returns the pair of the whole. A part may be all -inf: "
        "then it is (-inf, 0.0). If both are, so is the whole. No nan, and no exponential of anything above 0."
    ),
    stub=COMBINE_STUB,
    answer="combine",
    lines=4,
    hints=(
        "The new m is easy. But each s was made with its own part's m. What becomes of exp(x - 2) if you want exp(x - "
        "5)?",
        "exp(x - new) = exp(x - old) · exp(old - new): multiply each s by a factor. Then ask what the factor is when "
        "both m are -inf.",
        "`m = max(a[0], b[0])`; if m is -inf, `return m, 0.0`; otherwise `return m, a[1] * np.exp(a[0] - ___) + ___`",
    ),
    solution=COMBINE_STUB.replace("    return ...\n", COMBINE_BODY),
    why=(
        "Each sum is rescaled to the common maximum, and the factor is never above 1, so nothing overflows. It does "
        "not matter in which order parts are combined: this is how kernels take rows of any length in one pass."
    ),
    judge=by_cases(
        combine,
        PARTS,
        hidden=_parts,
        traps=(
            Trap(lambda a, b: (max(a[0], b[0]), a[1] + b[1]),
                 "The sums are added as they are. But each was made with its own part's largest element: it must be "
                 "rescaled to the new one."),
            *_slips(_scaled(lambda own, other, m: np.exp(m - own), lambda own, other, m: np.exp(m - own)),
                    "Both sums are rescaled the wrong way: from the old m to the new one the factor is exp(old - new), "
                    "which is at most 1."),
            *_slips(_scaled(_one, _to_other), "The first sum is never rescaled: this is right only if the larger m is "
                                              "in `a`."),
            *_slips(_scaled(_to_other, _one), "The second sum is never rescaled: this is right only if the larger m is "
                                              "in `b`."),
            *_slips(_scaled(_to_other, _to_other), "Each sum is rescaled to the other part's m. Both must be rescaled "
                                                   "to the larger of the two."),
            *_slips(_scaled(lambda own, other, m: np.exp(own), lambda own, other, m: np.exp(own)),
                    "The sum is that of exp(x), not of exp(x - m): it overflows when the elements are large."),
            *_slips(_scaled(_to_larger, _one), "The second sum is never rescaled: this is right only if the larger m "
                                               "is in `b`."),
            *_slips(_scaled(_one, _to_larger), "The first sum is never rescaled: this is right only if the larger m is "
                                               "in `a`."),
            *_slips(_scaled(_other_to_larger, _other_to_larger), "The factors are exchanged: each sum is multiplied "
                                                                 "by the other's."),
            *(slip for factors in ((_by_distance, _by_distance), (_to_larger, _other_to_larger),
                                   (_other_to_larger, _to_larger))
              for slip in _slips(_scaled(*factors), "Both sums get the same factor. Each was made with its own m, and "
                                                    "needs its own.")),
            *_slips(_scaled(lambda own, other, m: own - m, lambda own, other, m: own - m),
                    "The factor is the difference of the two m. It must be its exponential."),
            *_slips(_scaled(lambda own, other, m: 2.0 ** (own - m), lambda own, other, m: 2.0 ** (own - m)),
                    "The factor is a power of 2. The sums are those of powers of e."),
            *_slips(lambda a, b: _scaled(_to_larger, _to_larger)((a[0], 1.0), (b[0], 1.0)),
                    "The sums of the parts are left out, as if each part had one element."),
            *_slips(_exchanged, "The two are exchanged: m comes first, then s."),
            *_slips(_smaller, "m is the smaller of the two. The largest of both parts is the larger."),
            *(slip for wrong in (_log_of_sum, _log_of_two) for slip in _slips(
                wrong, "m is the logarithm of a sum of exponentials. Here it is the largest element.")),
            Trap(_scaled(_to_larger, _to_larger), "Where both parts are all -inf, -inf - -inf is nan. Nothing is there "
                                                  "to be rescaled: return (-inf, 0.0)."),
            Trap(lambda a, b: combine(a, b)[1], "Only s is returned. The next part needs m, too."),
            Trap(lambda a, b: (a[0] + b[0], a[1] + b[1]), "The largest elements are added. The largest of both is the "
                                                          "larger of the two."),
            Trap(lambda a, b: (max(a[0], b[0]), max(a[1], b[1])), "The larger sum is kept. The sum of both parts has "
                                                                  "something of each."),
        ),
        rtol=1e-6,
    ),
)  # fmt: skip

# -- 09.5 -------------------------------------------------------------------------------------------

ROADS = ("PyTorch", "torch.compile", "Triton", "numba", "OpenCL", "CUDA C")
CHOICES = {
    "rows": "PyTorch",
    "layers": "torch.compile",
    "attention": "Triton",
    "camera": "OpenCL",
    "particles": "numba",
    "library": "CUDA C",
}
SITUATIONS = {
    "rows": "the softmax of rows in a PyTorch model for NVIDIA, AMD and Macs; a colleague offers a fast kernel",
    "layers": "a PyTorch model on NVIDIA and AMD; chains of additions, masks and tanh take half of the time",
    "attention": "a new kind of attention (a layer of language models) in PyTorch, on NVIDIA and AMD; torch.compile "
                 "leaves it in four kernels, which hand large matrices to each other",
    "camera": "a filter in a C++ program for customers' PCs, with cards of any maker or none",
    "particles": "a NumPy program and an NVIDIA card; each particle walks a tree of its own; those who look after the "
                 "program write Python only",
    "library": "the innermost kernel of a C++ library for NVIDIA; a version on blocks is there, but you know a better "
               "layout for its shared memory",
}  # fmt: skip
CHOICE_HEAD = f"# the roads: {', '.join(ROADS)}\n"
NO_TENSORS = "PyTorch's tensors do not live in OpenCL buffers: they would be copied there and back."

WHY_NOT = {
    ("rows", "torch.compile"): "A single operator leaves nothing to fuse: PyTorch has this one, on all these machines.",
    ("rows", "Triton"): "It does not reach Macs. And PyTorch has this very operator, tuned for years: nobody would "
                        "have to look after a kernel.",
    ("rows", "numba"): "You would write a kernel for what PyTorch has already as an operator.",
    ("rows", "OpenCL"): NO_TENSORS,
    ("rows", "CUDA C"): "You would write a kernel for what PyTorch has already as an operator, tuned for years.",
    ("layers", "PyTorch"): "That is what they have: an operator for each step, and a kernel for each operator. What "
                           "joins them?",
    ("layers", "Triton"): "It would work, but you would write by hand what one line does: the chains are ordinary "
                          "PyTorch operations, and fusing those is what a compiler is for.",
    ("layers", "CUDA C"): "Two makers of GPUs, and operations that PyTorch has: nothing here needs a kernel of your "
                          "own.",
    ("layers", "numba"): "numba.cuda reaches NVIDIA only, and you would write kernels for what PyTorch has already.",
    ("layers", "OpenCL"): NO_TENSORS,
    ("attention", "PyTorch"): "It is a new kind: there is no operator for it, and several operators are several "
                              "kernels.",
    ("attention", "torch.compile"): "It has been tried, and leaves four kernels. You must say yourself what one "
                                    "program does with its tile.",
    ("attention", "CUDA C"): "It could be done, and HIP takes its words. But threads, shared memory and barriers would "
                             "be yours, for warps of 32 lanes and wavefronts of 64; and the work is one on blocks.",
    ("attention", "numba"): "numba.cuda reaches NVIDIA only, and makes you manage threads and shared memory.",
    ("attention", "OpenCL"): NO_TENSORS,
    ("camera", "PyTorch"): "The program is written in C++, and would have to bring PyTorch along for each maker's "
                           "cards.",
    ("camera", "CUDA C"): "It reaches NVIDIA's cards, and some of AMD's by HIP. Which road works on all of these, and "
                          "on a CPU?",
    ("camera", "torch.compile"): "It needs Python and PyTorch on the customers' machines.",
    ("camera", "Triton"): "Triton kernels are launched from Python, and customers have cards and CPUs that it does not "
                          "know.",
    ("camera", "numba"): "The program is written in C++, and numba.cuda reaches NVIDIA only.",
    ("particles", "PyTorch"): "Its operators work on whole arrays. A walk through a tree, different for each particle, "
                              "is not one of them.",
    ("particles", "Triton"): "Triton works on whole blocks of elements at once; here each particle goes its own way, "
                             "which is a thread's work.",
    ("particles", "torch.compile"): "It fuses operations on whole arrays. A walk through a tree, different for each "
                                    "particle, is not one.",
    ("particles", "CUDA C"): "It would suit the work. But those who will look after it write Python only, and there is "
                             "a road for a thread's work in Python.",
    ("particles", "OpenCL"): "Its kernels are written in C, and those who will look after them write Python only.",
    ("library", "PyTorch"): "The library wants a kernel of its own, and is written in C++.",
    ("library", "Triton"): "The version on blocks is there, and it is the layout in shared memory that you want to "
                           "decide. Triton's compiler decides it.",
    ("library", "torch.compile"): "It decides everything by itself, also the layout that you want to decide.",
    ("library", "OpenCL"): "It would let you decide. But only NVIDIA is asked for, and its newest instructions come "
                           "first and most fully through CUDA.",
    ("library", "numba"): "It is launched from Python, and much of the newest hardware has no name in it yet.",
}  # fmt: skip

_judge_mapping = is_mapping(CHOICES, traps=[Trap({key: road}, f"{key!r}: {why}")
                                            for (key, road), why in WHY_NOT.items()])  # fmt: skip


def judge_choice(answer: Any, *, name: str = "road") -> None:
    """Raise Wrong or NotAttempted unless every situation has its road; a road that is none is named."""
    given = answer if isinstance(answer, dict) else {}
    if given and set(given) <= set(ROADS):
        raise Wrong(f"{name} is turned round: its keys are the situations, its values the roads.")
    for key, road in given.items():
        if isinstance(road, str) and road not in ROADS:
            raise Wrong(f"{name}[{key!r}] is {road!r}; the roads are {', '.join(map(repr, ROADS))}.")
    _judge_mapping(answer, name=name)


CHOOSE = Problem(
    id="09.5",
    title="Choose the road",
    task=(
        "Which road would you take in each of these situations? Take the highest one that does the work. A road may be "
        "the best more than once, or never. " + " ".join(f"**{key}**: {text}." for key, text in SITUATIONS.items())
    ),
    spec="`road`: a dict from the situation to one of " + ", ".join(f'`"{road}"`' for road in ROADS) + ".",
    stub=CHOICE_HEAD + mapping_source("road", list(CHOICES)),
    answer="road",
    lines=6,
    hints=(
        "Ask in this order: on whose hardware must it run? In which language is the program around it? Is there an "
        "operator, or a chain of them? And only then: blocks or threads?",
        "Two of them need no kernel from you. Of the four others, one is work on blocks in Python, one is a thread's "
        "work in Python, and two are in C++ programs.",
        "An operator that exists: P___. A chain of operators: the compiler. Tiles in Python on two makers' servers: "
        "T___. One thread a particle in Python: n___. Any maker's cards: an open standard. All in your hand: C___.",
    ),
    solution=CHOICE_HEAD + mapping_source("road", {key: f'"{road}"' for key, road in CHOICES.items()}),
    why=(
        "Hardware and surroundings decide first, then how much you want to control. Every step toward control costs "
        "lines, and mostly reach: take the highest road that does the work."
    ),
    judge=judge_choice,
)

PROBLEMS = (TRANSLATE, ONE_LAUNCH, CAUSAL, COMBINE, CHOOSE)
