"""The exercises of lesson 09: one launch in four languages, a translation, a block program, two parts, a choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpucourse.exercises.cases import Case
from gpucourse.exercises.compare import Trap, by_cases, is_mapping
from gpucourse.exercises.kernel_cases import KernelTrap, Launch, blank, by_launches, timed_at
from gpucourse.exercises.outcome import Wrong
from gpucourse.exercises.problem import Problem
from gpucourse.exercises.values import mapping_source

FULL = 1 << 24   # elements of a launch that is timed

# -- 09.1 -------------------------------------------------------------------------------------------

LAUNCH = {
    "CUDA: blocks": 40,
    "OpenCL: global size": 10_240,
    "OpenCL: local size": 256,
    "Triton: programs": 10,
    "Triton: masked elements of the last program": 240,
    "AMD: wavefronts of a block": 4,
}

ONE_LAUNCH = Problem(
    id="09.1",
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
            Trap({"OpenCL: global size": 40}, "OpenCL is not told how many groups there are: its global size counts "
                                              "the work-items of all groups together."),
            Trap({"OpenCL: global size": 10_000}, "10,000 is no multiple of the local size. The last group must be "
                                                  "whole, too, and the kernel needs a guard, as in CUDA."),
            Trap({"OpenCL: local size": 40}, "The local size is that of one group, CUDA's blockDim. 40 is how many "
                                             "groups there are."),
            Trap({"Triton: programs": 40}, "40 is the number of blocks of 256 threads. A Triton program takes 1,024 "
                                           "elements, with however many threads."),
            Trap({"Triton: programs": 9}, "9 programs take 9,216 elements. Round up."),
            Trap({"Triton: programs": 10_000}, "A Triton program takes a block of 1,024 elements, not one."),
            Trap({"Triton: programs": 10_000 / 1024}, "There are only whole programs: round up."),
            Trap({"Triton: masked elements of the last program": 784}, "784 is what the last program has to do. Masked "
                                                                       "are its other elements."),
            Trap({"Triton: masked elements of the last program": 0}, "10 blocks of 1,024 are more than there are "
                                                                     "elements."),
            Trap({"AMD: wavefronts of a block": 8}, "8 is the number of warps of 32. This GPU's wavefronts have 64 "
                                                    "lanes."),
            Trap({"AMD: wavefronts of a block": 160}, "That is the whole launch. How many does one block of 256 have?"),
        ),
    ),
)  # fmt: skip

# -- 09.2 -------------------------------------------------------------------------------------------

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
    due = _sums(np.clip(x, -1, 1), blocks, threads, range(blocks), blocks * threads)
    return Launch((blocks,), (threads,), args, {"sums": due}, rtol=1e-5, atol=1e-4,
                  words=f"n = {n} in {blocks} blocks of {threads}")  # fmt: skip


def _sums(x: Any, blocks: int, threads: int, first: Sequence[int], stride: int) -> Any:
    """Sum of what each block takes if its thread t begins at first[block] * threads + t and goes on by `stride`."""
    starts = [[first[block] * threads + t for t in range(threads)] for block in range(blocks)]
    sums = [sum(float(x[start::stride].sum(dtype=np.float64)) for start in own) for own in starts]
    return np.array(sums, np.float32)


def _slip(clip: Any, own: bool, stride: Any) -> Any:
    """A trap's outputs: `clip` of x; whether blocks begin at their own place; the stride of (blocks, threads)."""

    def wrong(launch: Launch) -> dict[str, Any]:
        (blocks,), (threads,) = launch.grid, launch.block
        first = range(blocks) if own else [0] * blocks
        return {"sums": _sums(clip(launch.args["x"]), blocks, threads, first, stride(blocks, threads))}

    return wrong


def _first_thread_only(launch: Launch) -> dict[str, Any]:
    """What is left if every thread has a tile of its own."""
    (blocks,), (threads,) = launch.grid, launch.block
    x = _clip(launch.args["x"]).astype(np.float64)
    return {"sums": np.array([x[block * threads :: blocks * threads].sum() for block in range(blocks)], np.float32)}


def _clip(x: Any) -> Any:
    return np.clip(x, -1, 1)


def _whole(blocks: int, threads: int) -> int:
    return blocks * threads


TRANSLATE = Problem(
    id="09.2",
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
        "Both languages describe the same machine, so a translation is a table of words. HIP needs none at all: its "
        "kernel language has CUDA's words."
    ),
    judge=by_launches(
        make_clipped,
        traps=(
            KernelTrap(_slip(_clip, False, _whole), "Every block begins at the first elements: `get_global_id(0)` "
                                                    "counts over all groups, `threadIdx.x` only within one."),
            KernelTrap(_slip(_clip, True, lambda blocks, threads: threads),
                       "The loop goes on by `blockDim.x`, so blocks take elements that belong to others. "
                       "`get_global_size(0)` counts the threads of all blocks."),
            KernelTrap(_slip(_clip, True, lambda blocks, threads: blocks),
                       "The loop goes on by `gridDim.x`, which is the number of blocks. `get_global_size(0)` counts "
                       "the threads of all blocks."),
            KernelTrap(_slip(_clip, False, lambda blocks, threads: threads),
                       "Every block adds up all of x. `get_global_id(0)` and `get_global_size(0)` count over all "
                       "groups."),
            KernelTrap(_first_thread_only, "Each block's result is what its thread 0 found alone. Do all threads of "
                                           "the block share one `tile`?"),
            KernelTrap(_slip(lambda x: x, True, _whole), "The elements are added up as they are. `clamp` brings each "
                                                         "of them into the range from -1 to 1 first."),
            KernelTrap(_slip(lambda x: np.minimum(x, 1), True, _whole), "Elements below -1 are added up as they are."),
            KernelTrap(_slip(lambda x: np.maximum(x, -1), True, _whole), "Elements above 1 are added up as they are."),
            KernelTrap(_slip(lambda x: np.full_like(x, -1), True, _whole),
                       "Every element counts as -1: with fminf and fmaxf exchanged nothing else is left. "
                       "First the larger of x and -1, then the smaller of that and 1."),
            KernelTrap(_slip(lambda x: np.full_like(x, 1), True, _whole),
                       "Every element counts as 1: with fminf and fmaxf exchanged nothing else is left. "
                       "First the larger of x and -1, then the smaller of that and 1."),
        ),
    ),
)  # fmt: skip

# -- 09.3 -------------------------------------------------------------------------------------------

LOAD = '''def load(x, at, mask, other):
    """x[at] where mask is true, `other` elsewhere; as in Triton, x is not read where mask is false."""
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


def _block(x: Any, row: int, n: int, size: int, xp: Any, mask: Any = None, other: float = -np.inf) -> Any:
    """A block program: softmax of what `mask` of (columns, row, n) lets through, `other` for what it does not."""
    c = xp.arange(size)
    seen = (mask or (lambda c, row, n: c <= row))(c, row, n)
    v = xp.where(seen, x[xp.where(seen, row * n + c, 0)], other)
    e = xp.exp(v - v.max())
    return e / e.sum()


def causal(x: Any, row: int, n: int, size: int, xp: Any = np) -> Any:
    """What 09.3 asks for."""
    return _block(x, row, n, size, xp)


def _without_rows(x: Any, row: int, n: int, size: int, xp: Any = np) -> Any:
    return _block(xp.concatenate([x[:n]] * n), row, n, size, xp)


def _undivided(x: Any, row: int, n: int, size: int, xp: Any = np) -> Any:
    c = xp.arange(size)
    v = xp.where(c <= row, x[xp.where(c <= row, row * n + c, 0)], -np.inf)
    return xp.exp(v - v.max())


def _rest_first(x: Any, row: int, n: int, size: int, xp: Any = np) -> Any:
    """Softmax of the whole row, cut afterwards."""
    whole = _block(x, row, n, size, xp, lambda c, row, n: c < n)
    return xp.where(xp.arange(size) <= row, whole, 0)


def _masked_trap(message: str, **how: Any) -> Trap:
    return Trap(lambda x, row, n, size, xp=np: _block(x, row, n, size, xp, **how), message)


def causal_cases(xp: Any, rng: np.random.Generator) -> list[Case]:
    """First, middle and last rows; a block that is just full; numbers far below zero."""
    cases = []
    for n, size, shift, rows in ((6, 8, 0, (0, 2, 5)), (4, 4, 0, (1, 3)), (5, 16, -500, (0, 3, 4)), (1, 2, 3, (0,))):
        x = xp.asarray((shift + rng.standard_normal(n * n)).astype(np.float32))
        about = "all of x is near -500" if shift < 0 else ""
        cases += [Case(x, row, n, size, about=about) for row in rows]
    return cases


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
    judge=by_cases(
        causal,
        causal_cases,
        traps=(
            _masked_trap("The masked columns count as 0, and exp(0 - largest) is not 0: they take their share of the "
                         "sum. What must `other` be so that they add nothing?", other=0.0),
            _masked_trap("Columns to the right of `row` are seen, too: the mask only cuts off what lies beyond the "
                         "row's end.", mask=lambda c, row, n: c < n),
            _masked_trap("Column `row` itself is masked. It may be seen: columns 0 to `row`. (In row 0 nothing would "
                         "be left, and -inf - -inf is nan.)", mask=lambda c, row, n: c < row),
            Trap(_without_rows, "Every program takes row 0: where in the flat x does row `row` begin?"),
            Trap(_undivided, "These are the exponentials. They must be divided by their sum."),
            Trap(_rest_first, "The softmax was taken of the whole row, and cut afterwards: what is left does not add "
                              "up to 1. The columns must be masked before the maximum and the sum."),
            Trap(lambda x, row, n, size, xp=np: causal(x, row, n, size, xp)[: row + 1],
                 "Only the columns that may be seen are returned. A block has always `size` elements."),
            Trap(lambda x, row, n, size, xp=np: causal(x, row, n, size, xp)[:n],
                 "n values are returned. A block has always `size` elements; the store is masked, too."),
        ),
        rtol=1e-5,
        atol=1e-6,
        dtype=False,
    ),
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


PARTS = [
    ((2.0, 3.0), (5.0, 1.5)), ((5.0, 1.5), (2.0, 3.0)), ((1.0, 2.0), (1.0, 4.0)), ((-3.0, 1.25), (-4.5, 2.0)),
    Case((1000.0, 2.0), (998.0, 4.0), about="exp(1000) is too large for a float"),
    Case((-INF, 0.0), (2.0, 3.0), about="the first part is all -inf"),
    Case((2.0, 3.0), (-INF, 0.0), about="the second part is all -inf"),
    Case((-INF, 0.0), (-INF, 0.0), about="both parts are all -inf"),
]  # fmt: skip

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

ROADS = ("CUDA C", "numba", "Triton", "OpenCL", "torch.compile")
CHOICES = {
    "layers": "torch.compile",
    "attention": "Triton",
    "camera": "OpenCL",
    "particles": "numba",
    "library": "CUDA C",
}
SITUATIONS = {
    "layers": "a PyTorch model on NVIDIA and AMD; between the layers there are chains of additions, masks and tanh, "
              "made of ordinary PyTorch operations; you have an afternoon",
    "attention": "a new kind of attention: torch.compile leaves it in four kernels, you need one, over tiles; NVIDIA "
                 "and AMD servers, PyTorch tensors",
    "camera": "a filter in a C++ program for customers' PCs: Intel, AMD or NVIDIA, sometimes only a CPU; no Python",
    "particles": "a NumPy program on a workstation with an NVIDIA card; each particle walks a tree of its own, with "
                 "branches; nobody in the group reads C",
    "library": "the innermost kernel of a library, for NVIDIA only, to be launched from C++; every percent counts, "
               "and you want to place each shuffle and each copy to shared memory yourself",
}  # fmt: skip
CHOICE_HEAD = f"# the roads: {', '.join(ROADS)}; each is the best one once\n"


def _choice_traps() -> tuple[Trap, ...]:
    reasons = {
        ("layers", "Triton"): "It would work, but you would write by hand what one line does: the chains are ordinary "
                              "PyTorch operations, and fusing those is what a compiler is for.",
        ("layers", "CUDA C"): "An afternoon, two makers of GPUs, and operations that PyTorch has: nothing here needs "
                              "a kernel of your own.",
        ("layers", "numba"): "numba.cuda reaches NVIDIA only, and you would write kernels for what PyTorch has "
                             "already.",
        ("layers", "OpenCL"): "PyTorch's tensors do not live in OpenCL buffers.",
        ("attention", "torch.compile"): "It has been tried, and leaves four kernels. You must say yourself what one "
                                        "program does with its tile.",
        ("attention", "CUDA C"): "It could be done, for NVIDIA. The AMD servers would need a second version.",
        ("attention", "numba"): "numba.cuda reaches NVIDIA only, and makes you manage threads and shared memory.",
        ("attention", "OpenCL"): "PyTorch's tensors do not live in OpenCL buffers.",
        ("camera", "CUDA C"): "It reaches NVIDIA's cards only. Which road works on all of these, and on a CPU?",
        ("camera", "torch.compile"): "It needs Python and PyTorch on the customers' machines.",
        ("camera", "Triton"): "Triton kernels are launched from Python, and customers have cards and CPUs that it "
                              "does not know.",
        ("camera", "numba"): "There is no Python in this program, and numba.cuda reaches NVIDIA only.",
        ("particles", "Triton"): "Triton works on whole blocks of elements at once; here each particle goes its own "
                                 "way, which is a thread's work.",
        ("particles", "torch.compile"): "It fuses operations on whole arrays. A walk through a tree, with branches "
                                        "of its own for each particle, is not one.",
        ("particles", "CUDA C"): "It would suit the work, but nobody in the group reads C.",
        ("particles", "OpenCL"): "Its kernels are written in C, which nobody in the group reads.",
        ("library", "Triton"): "Triton decides about shuffles and shared memory by itself: that is its point, and "
                               "here you want to decide.",
        ("library", "torch.compile"): "It decides everything by itself, and needs Python.",
        ("library", "OpenCL"): "It reaches everybody, but NVIDIA's newest instructions first and most fully through "
                               "CUDA, and only NVIDIA is asked for.",
        ("library", "numba"): "It is launched from Python, and much of the newest hardware has no name in it yet.",
    }  # fmt: skip
    return tuple(Trap({key: road}, f"{key!r}: {why}") for (key, road), why in reasons.items())


_judge_mapping = is_mapping(CHOICES, traps=_choice_traps())


def judge_choice(answer: Any, *, name: str = "road") -> None:
    """Raise Wrong or NotAttempted unless every situation has its road; a road that is none is named."""
    for key, road in answer.items() if isinstance(answer, dict) else ():
        if isinstance(road, str) and road not in ROADS:
            raise Wrong(f"{name}[{key!r}] is {road!r}; the roads are {', '.join(map(repr, ROADS))}.")
    _judge_mapping(answer, name=name)


CHOOSE = Problem(
    id="09.5",
    title="Choose the road",
    task=(
        "Five situations, five roads. Which road would you take for each, if each of them is the best choice once? "
        + " ".join(f"**{key}**: {text}." for key, text in SITUATIONS.items())
    ),
    spec="`road`: a dict from the situation to one of " + ", ".join(f'`"{road}"`' for road in ROADS) + ".",
    stub=CHOICE_HEAD + mapping_source("road", list(CHOICES)),
    answer="road",
    lines=5,
    hints=(
        "Ask in this order: on whose hardware must it run? Is there Python? Must you decide about threads yourself, or "
        "would you rather not?",
        "Only one of the roads reaches Intel, AMD and NVIDIA from a C++ program. Only two let you write for a single "
        "thread of an NVIDIA card, and only one of these is Python.",
        "A camera filter for everybody: an open standard. Ordinary operations: the compiler. Tiles in Python on two "
        "makers' servers: T___. One thread a particle in Python: n___. The last percent on NVIDIA: C___.",
    ),
    solution=CHOICE_HEAD + mapping_source("road", {key: f'"{road}"' for key, road in CHOICES.items()}),
    why=(
        "Hardware and surroundings decide first, then how much you want to control. Every step toward control costs "
        "lines, and mostly reach: take the highest road that does the work."
    ),
    judge=judge_choice,
)

PROBLEMS = (ONE_LAUNCH, TRANSLATE, CAUSAL, COMBINE, CHOOSE)
