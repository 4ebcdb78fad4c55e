"""The exercises of lesson 05: a barrier, a stencil with its halo, wavefronts, padding, a transpose, a blur."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpucourse.exercises.compare import Trap, is_mapping, mapping_source
from gpucourse.exercises.kernel_cases import KernelTrap, Launch, Limit, blank, by_launches, timed_at
from gpucourse.exercises.problem import Problem

Arrays = dict[str, Any]
FULL = 1 << 24   # elements of a launch that is timed: more than a cache holds

# -- 05.1 -------------------------------------------------------------------------------------------

REVERSE_STUB = '''reverse_blocks = cp.RawKernel(r"""
extern "C" __global__
void reverse_blocks(const float* x, float* out)
{
    __shared__ float tile[256];
    int t = threadIdx.x;
    int i = blockIdx.x * blockDim.x + t;
    tile[t] = x[i];
    out[i] = tile[blockDim.x - 1 - t];
}
""", "reverse_blocks")
'''
REVERSE_SOLUTION = REVERSE_STUB.replace("    tile[t] = x[i];\n", "    tile[t] = x[i];\n    __syncthreads();\n")


def make_reversed(rng: np.random.Generator) -> Sequence[Launch]:
    """Blocks of several warps, of one, and of one and a bit."""
    small = [_reversed(rng, *shape) for shape in ((3, 256), (2, 32), (2, 48), (4, 96))]
    return timed_at(lambda: _reversed(rng, FULL // 256, 256), small)


def _reversed(rng: np.random.Generator, blocks: int, block: int) -> Launch:
    x = rng.standard_normal(blocks * block).astype(np.float32)
    due = x.reshape(blocks, block)[:, ::-1].ravel()
    args = {"x": x, "out": blank(x.size)}
    return Launch((blocks,), (block,), args, {"out": due}, words=f"{blocks} blocks of {block} threads")


REVERSE = Problem(
    id="05.1",
    title="Where is the barrier?",
    task=(
        "`reverse_blocks` turns round the order within each block, by way of shared memory. Under the lock-step "
        "schedule it gives the right answer, and it is wrong all the same: put in what is missing."
    ),
    spec="At most 256 threads a block; every block is full. `out` holds each block's elements of `x` in reverse order.",
    stub=REVERSE_STUB,
    answer="reverse_blocks",
    lines=1,
    hints=(
        "Thread `t` reads what another thread has written. What makes sure that it has been written by then?",
        "One call is missing. All threads of the block must have done their write before the first one reads.",
        "Between the line that writes `tile` and the line that reads it: `__sync___();`",
    ),
    solution=REVERSE_SOLUTION,
    why=(
        "`__syncthreads()` holds every thread until all threads of the block have come, and makes their writes "
        "visible. Thread t reads what another warp wrote, so a barrier within the warp would not do."
    ),
    judge=by_launches(
        make_reversed,
        traps=(KernelTrap(lambda launch: {"out": launch.args["x"]}, "`out` is x itself: nothing is turned round."),
               KernelTrap(lambda launch: {"out": launch.args["x"][::-1]}, "The whole of x is turned round. Only the "
                                                                          "order within each block should be."),),
        functions=("__syncthreads",),
    ),
)  # fmt: skip

# -- 05.2 -------------------------------------------------------------------------------------------

RADIUS, STENCIL_BLOCK = 3, 128

STENCIL_STUB = '''stencil = cp.RawKernel(r"""
#define R 3
#define B 128
extern "C" __global__
void stencil(const float* x, float* out, int n)
{
    __shared__ float tile[B + 2 * R];
    int t = threadIdx.x;
    int i = blockIdx.x * B + t;
    // tile[R + t] shall hold x[i]; on either side there are R more elements; beyond the ends of x there are zeros

    if (i < n) {
        float sum = 0;
        for (int d = -R; d <= R; d++) sum += tile[R + t + d];
        out[i] = sum;
    }
}
""", "stencil")
'''
STENCIL_FILL = """    tile[R + t] = i < n ? x[i] : 0;
    if (t < R) {
        tile[t] = i >= R ? x[i - R] : 0;
        tile[R + B + t] = i + B < n ? x[i + B] : 0;
    }
    __syncthreads();
"""
STENCIL_SOLUTION = STENCIL_STUB.replace("are zeros\n", "are zeros\n" + STENCIL_FILL)


def make_stencils(rng: np.random.Generator) -> Sequence[Launch]:
    """A last block of one element, of two, of none, and fewer elements than the halo is wide."""
    small = [_stencil(rng, n, extra) for n, extra in ((385, 0), (258, 0), (256, 1), (100, 0), (2, 0))]
    return timed_at(lambda: _stencil(rng, FULL, 0), small)


def _sums(x: Any, mode: Any = "constant") -> Any:
    """Sum over the neighbors i - 3 to i + 3; `mode` says what lies beyond the ends (numpy.pad); float64."""
    padded = np.pad(x.astype(np.float64), RADIUS, mode=mode)
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * RADIUS + 1).sum(axis=1)


def _stencil(rng: np.random.Generator, n: int, extra: int) -> Launch:
    x = rng.random(n).astype(np.float32)
    args = {"x": x, "out": blank(n), "n": np.int32(n)}
    blocks = -(-n // STENCIL_BLOCK) + extra
    return Launch((blocks,), (STENCIL_BLOCK,), args, {"out": _sums(x).astype(np.float32)}, rtol=1e-5,
                  words=f"n = {n} in {blocks} blocks of {STENCIL_BLOCK}")  # fmt: skip


def _by_blocks(x: Any, left: bool, right: bool) -> Any:
    """The sums if a block sees nothing beyond its left (right) edge."""
    out = _sums(x)
    for first in range(0, x.size, STENCIL_BLOCK):
        for i in range(first, min(first + STENCIL_BLOCK, x.size)):
            low = max(i - RADIUS, 0 if left else first)
            high = min(i + RADIUS + 1, x.size if right else first + STENCIL_BLOCK)
            out[i] = x[low:high].astype(np.float64).sum()
    return out


def _right_from_here(x: Any) -> Any:
    """The sums if the right halo of a block holds x[i + R] of its first threads."""
    sums = []
    for first in range(0, x.size, STENCIL_BLOCK):
        whole = np.pad(x.astype(np.float64), (RADIUS, 2 * STENCIL_BLOCK))[first:]
        tile = whole[: STENCIL_BLOCK + 2 * RADIUS].copy()
        tile[-RADIUS:] = whole[2 * RADIUS : 3 * RADIUS]
        sums += [tile[t : t + 2 * RADIUS + 1].sum() for t in range(min(STENCIL_BLOCK, x.size - first))]
    return np.array(sums)


def _stencil_trap(wrong: Any, message: str) -> KernelTrap:
    return KernelTrap(lambda launch: {"out": wrong(launch.args["x"]).astype(np.float32)}, message)


STENCIL = Problem(
    id="05.2",
    title="A stencil and its halo",
    task=(
        "`out[i]` is the sum of `x[i - 3]` to `x[i + 3]`. The last lines, which add up the seven, are there. Write "
        "the lines that fill the tile, halo and all, so that each block reads each element from global memory once."
    ),
    spec=(
        "`x`, `out`: n floats, n at least 1; blocks of 128 threads, enough for n. Elements before `x[0]` and after "
        "`x[n - 1]` count as 0. Every element of `tile` that is read must have been written."
    ),
    stub=STENCIL_STUB,
    answer="stencil",
    lines=6,
    hints=(
        "Each thread brings its own element to `tile[R + t]`. The halo has 2 · R elements more: a few threads do a "
        "second and third job.",
        "The first R threads can fetch both ends: `tile[t]` gets the element R before theirs, `tile[R + B + t]` the "
        "one B after theirs. Each needs its own test for the end of x. What must happen before anybody reads the "
        "tile?",
        "`tile[R + t] = i < n ? x[i] : 0;` then `if (t < R) { tile[t] = i >= R ? x[i - R] : 0; tile[R + B + t] = ___; "
        "}` then a barrier.",
    ),
    solution=STENCIL_SOLUTION,
    why=(
        "134 elements are fetched for 128 results, instead of seven for each. Threads beyond n still fill the tile "
        "with zeros and still come to the barrier; only the last step is guarded."
    ),
    judge=by_launches(
        make_stencils,
        traps=(
            _stencil_trap(lambda x: _by_blocks(x, False, False), "At the edges of a block the neighbors count as 0, "
                          "although they exist: the halo must come from the blocks next door."),
            _stencil_trap(lambda x: _by_blocks(x, False, True), "At the left edge of each block the neighbors count "
                                                                "as 0, although they exist in x."),
            _stencil_trap(lambda x: _by_blocks(x, True, False), "At the right edge of each block the neighbors count "
                                                                "as 0, although they exist in x."),
            _stencil_trap(_right_from_here, "The right halo begins R elements after the block's first one. It should "
                                            "begin B elements after it: thread t fetches x[i + B]."),
            _stencil_trap(lambda x: _sums(x, mode="edge"), "Beyond the ends of x the nearest element counts. Here "
                                                           "zeros should count there."),
            _stencil_trap(lambda x: x, "`out` is x itself."),
        ),
        limits=(
            Limit("global_load_requests", lambda launch: 8 * launch.grid[0],
                  "`x` is read by {found} requests of warps where {limit} are enough: fetch "
                  "each element into the tile once, and add up from the tile."),
        ),
    ),
)  # fmt: skip

# -- 05.3 -------------------------------------------------------------------------------------------

PATTERNS = {"s[t]": 1, "s[2 * t]": 2, "s[32 * t]": 32, "s[33 * t]": 1, "s[0]": 1, "s[t / 2]": 1, "s[t % 4 * 32]": 4}

PREDICT = Problem(
    id="05.3",
    title="Predict the wavefronts",
    task=(
        "Lane `t` of a warp, `t` = 0 to 31, reads one `float` of the shared array `s`. How many wavefronts does the "
        "request take, for each of seven indices?"
    ),
    spec="`wavefronts`: a dict from the index to the number of wavefronts. `s[0]` lies in bank 0.",
    stub=mapping_source("wavefronts", PATTERNS.keys()),
    answer="wavefronts",
    lines=7,
    hints=(
        "Word number k lies in bank k % 32. A bank hands out one word a wavefront, to as many lanes as want that word.",
        "For each index write down which different words the lanes want, then count how many of them fall into the "
        "busiest bank.",
        "`s[2 * t]`: words 0 and 32 share bank 0. `s[33 * t]`: word 33 t lies in bank t. `s[t % 4 * 32]`: the words 0, "
        "32, 64 and 96.",
    ),
    solution=mapping_source("wavefronts", PATTERNS),
    why=(
        "Only different words of one bank have to queue. Lanes that want the same word share it, and a stride that "
        "has no factor in common with 32, such as 33, visits every bank once."
    ),
    judge=is_mapping(
        PATTERNS,
        unit="wavefronts",
        traps=(
            Trap({"s[t]": 32}, "In `s[t]` each lane has a bank of its own, and all banks answer at the same time."),
            Trap({"s[2 * t]": 1}, "`s[2 * t]` reaches from word 0 to word 62. Words 0 and 32 lie in the same bank."),
            Trap({"s[2 * t]": 16}, "`s[2 * t]` uses 16 banks, but that is not the question: how many different words "
                                   "does each of them have to hand out?"),
            Trap({"s[32 * t]": 1}, "The words of `s[32 * t]` are 0, 32, 64, … In which banks do they lie?"),
            Trap({"s[33 * t]": 32}, "The words of `s[33 * t]` are 0, 33, 66, … Take each modulo 32."),
            Trap({"s[33 * t]": 2}, "The words of `s[33 * t]` are 0, 33, 66, … Take each modulo 32: does any bank come "
                                   "twice?"),
            Trap({"s[0]": 32}, "All lanes want the same word in `s[0]`: the bank hands it to all of them at once."),
            Trap({"s[t / 2]": 16}, "`s[t / 2]` wants 16 different words, but they lie in 16 different banks."),
            Trap({"s[33 * t]": 33}, "The words of `s[33 * t]` are far apart, but distance does not matter: in which "
                                    "banks do they lie?"),
            Trap({"s[t / 2]": 2}, "In `s[t / 2]` two lanes meet in a bank, but they want the same word."),
            Trap({"s[t % 4 * 32]": 32}, "All lanes of `s[t % 4 * 32]` go to bank 0, but they want only four different "
                                        "words."),
            Trap({"s[t % 4 * 32]": 8}, "Eight lanes want each word of `s[t % 4 * 32]`, and they share it. What counts "
                                       "is the number of different words in the bank."),
            Trap({"s[t % 4 * 32]": 1}, "The four words of `s[t % 4 * 32]`, 0, 32, 64 and 96, lie in the same bank."),
        ),
    ),
)  # fmt: skip

# -- 05.4 -------------------------------------------------------------------------------------------

PADDING_STUB = '''row_sums = cp.RawKernel(r"""
extern "C" __global__
void row_sums(const float* x, float* out)
{
    __shared__ float tile[32][32];
    int t = threadIdx.x;
    for (int r = 0; r < 32; r++) {
        tile[r][t] = x[(blockIdx.x * 32 + r) * 32 + t];
    }
    __syncthreads();
    float sum = 0;
    for (int c = 0; c < 32; c++) {
        sum += tile[t][c];
    }
    out[blockIdx.x * 32 + t] = sum;
}
""", "row_sums")
'''
PADDING_SOLUTION = PADDING_STUB.replace("tile[32][32]", "tile[32][33]")


def make_row_sums(rng: np.random.Generator) -> Sequence[Launch]:
    """One tile, and three."""
    return timed_at(lambda: _row_sums(rng, FULL // 1024), [_row_sums(rng, blocks) for blocks in (1, 3)])


def _row_sums(rng: np.random.Generator, blocks: int) -> Launch:
    x = rng.random((32 * blocks, 32)).astype(np.float32)
    args = {"x": x, "out": blank(32 * blocks)}
    due = {"out": x.astype(np.float64).sum(axis=1).astype(np.float32)}
    words = f"{32 * blocks} rows, {blocks} block{'s' * (blocks > 1)} of 32"
    return Launch((blocks,), (32,), args, due, rtol=1e-5, words=words)


PADDING = Problem(
    id="05.4",
    title="Padding",
    task=(
        "Each block of 32 threads brings a tile of 32 rows into shared memory, then thread `t` adds up row `t`. All "
        "lanes walk through one bank together. Free the kernel of its bank conflicts."
    ),
    spec=(
        "`x`: 32 · blocks rows of 32 floats; `out[r]` is the sum of row r. The launch is `((blocks,), (32,), (x, "
        "out))`. No bank conflict, and global memory still read along the rows."
    ),
    stub=PADDING_STUB,
    answer="row_sums",
    lines=1,
    hints=(
        "In one turn of the second loop the lanes read `tile[0][c]`, `tile[1][c]`, … These words are 32 apart. Which "
        "distance would spread them over all banks?",
        "A row may be longer than what is used of it. One number changes.",
        "`__shared__ float tile[32][___];`",
    ),
    solution=PADDING_SOLUTION,
    why=(
        "With rows of 33 words `tile[t][c]` is word 33 t + c, which lies in bank (t + c) % 32: a different one for "
        "each lane. The price is 128 bytes of shared memory that nobody reads."
    ),
    judge=by_launches(
        make_row_sums,
        traps=(KernelTrap(lambda launch: {"out": launch.args["x"].reshape(-1, 32, 32).sum(axis=1).ravel()},
                          "These are the sums of the tile's columns. Thread t should add up row t."),),
        limits=(
            Limit("global_load_sectors", lambda launch: launch.args["x"].size // 8,
                  "Reading x takes {found} sectors where {limit} hold all of it. Keep the "
                  "first loop, in which the lanes read along a row."),
            Limit("bank_conflicts", lambda launch: 0,
                  "{found} bank conflicts are left. In one turn of the loop, in which "
                  "banks do the lanes' words lie: word number modulo 32?"),
        ),
    ),
)  # fmt: skip

# -- 05.5 -------------------------------------------------------------------------------------------

TRANSPOSE_STUB = '''transpose = cp.RawKernel(r"""
extern "C" __global__
void transpose(const float* x, float* out, int h, int w)
{
    __shared__ float tile[32][33];
    int row = blockIdx.y * 32 + threadIdx.y;          // of x
    int column = blockIdx.x * 32 + threadIdx.x;

}
""", "transpose")
'''
TRANSPOSE_BODY = """    if (row < h && column < w) {
        tile[threadIdx.y][threadIdx.x] = x[row * w + column];
    }
    __syncthreads();
    row = blockIdx.x * 32 + threadIdx.y;              // of out
    column = blockIdx.y * 32 + threadIdx.x;
    if (row < w && column < h) {
        out[row * h + column] = tile[threadIdx.x][threadIdx.y];
    }
"""
TRANSPOSE_SOLUTION = TRANSPOSE_STUB.replace("+ threadIdx.x;\n\n", "+ threadIdx.x;\n" + TRANSPOSE_BODY)


def make_transposed(rng: np.random.Generator) -> Sequence[Launch]:
    """Whole tiles, partial ones on both sides, a single row and a single column; never square."""
    small = [_transposed(rng, *shape) for shape in ((64, 32), (40, 70), (33, 31), (1, 40), (65, 1))]
    return timed_at(lambda: _transposed(rng, 4096, 4096), small)


def _transposed(rng: np.random.Generator, h: int, w: int) -> Launch:
    x = rng.standard_normal((h, w)).astype(np.float32)
    args = {"x": x, "out": blank((w, h)), "h": np.int32(h), "w": np.int32(w)}
    grid = (-(-w // 32), -(-h // 32))
    return Launch(grid, (32, 32), args, {"out": x.T.copy()}, words=f"{h} rows and {w} columns, blocks of 32 x 32")


def row_sectors(rows: int, columns: int) -> int:
    """Sectors of warps that go along the rows of a (rows, columns) array of floats, at most 32 elements each."""
    total = 0
    for row in range(rows):
        for first in range(0, columns, 32):
            last = min(first + 32, columns) - 1
            total += (row * columns + last) // 8 - (row * columns + first) // 8 + 1
    return total


def _tiles_kept(launch: Launch) -> Arrays:
    """Each tile goes to its new place, but is not turned within (nan: an element of the tile that nobody filled)."""
    x, (w, h) = launch.args["x"], launch.due["out"].shape
    out = np.full((w, h), np.nan, np.float32)
    for row in range(w):
        for column in range(h):
            r, c = column // 32 * 32 + row % 32, row // 32 * 32 + column % 32
            if r < h and c < w:
                out[row, column] = x[r, c]
    return {"out": out}


def _blocks_kept(launch: Launch) -> Arrays:
    """Each tile is turned, but stays at its place in x (nan: an element of the tile that nobody filled)."""
    x, (w, h) = launch.args["x"], launch.due["out"].shape
    out = launch.args["out"].copy()
    for row in range(min(w, launch.grid[1] * 32)):
        for column in range(min(h, launch.grid[0] * 32)):
            r, c = row // 32 * 32 + column % 32, column // 32 * 32 + row % 32
            out[row, column] = x[r, c] if r < h and c < w else np.nan
    return {"out": out}


TRANSPOSE = Problem(
    id="05.5",
    title="Transpose through a tile",
    task=(
        "Transpose a matrix of any shape so that reads and writes both go along rows: bring a tile of 32 x 32 in, "
        "wait, and write it out turned."
    ),
    spec=(
        "`x`: h x w floats, `out`: w x h floats, `out[j][i] = x[i][j]`. Blocks of 32 x 32 threads, grid (w / 32, h / "
        "32) rounded up. Reads and writes take as few sectors as the rows of a tile, up to 32 floats long, can."
    ),
    stub=TRANSPOSE_STUB,
    answer="transpose",
    lines=9,
    hints=(
        "A thread need not write the element that it read. Let it write a place of `out` whose column goes with "
        "`threadIdx.x`, so that a warp writes along a row.",
        "The block at (blockIdx.x, blockIdx.y) of x belongs at (blockIdx.y, blockIdx.x) of out. Compute row and "
        "column of `out` anew, from exchanged block indices but the same thread indices, and test them against w and "
        "h.",
        "After the barrier: `row = blockIdx.x * 32 + threadIdx.y; column = blockIdx.y * 32 + threadIdx.x;` and "
        "`if (row < ___ && column < ___) out[row * ___ + column] = tile[threadIdx.x][___];`",
    ),
    solution=TRANSPOSE_SOLUTION,
    why=(
        "The turn happens in shared memory, where a column costs no more than a row once the tile is padded to 33. "
        "Both guards differ, since the tile's place in out is not its place in x, and the barrier stands outside of "
        "both."
    ),
    judge=by_launches(
        make_transposed,
        traps=(
            KernelTrap(_tiles_kept, "Every tile is in its new place, but not turned: read "
                                    "`tile[threadIdx.x][threadIdx.y]`, the other way round than it was written."),
            KernelTrap(_blocks_kept, "Every tile is turned, but stays where it was: the block at (blockIdx.x, "
                                     "blockIdx.y) of x belongs at (blockIdx.y, blockIdx.x) of out."),
        ),
        limits=(
            Limit("global_load_sectors", lambda launch: row_sectors(*launch.args["x"].shape),
                  "Reading takes {found} sectors where {limit} are enough: let threadIdx.x "
                  "run along the rows of x."),
            Limit("global_store_sectors", lambda launch: row_sectors(*launch.due["out"].shape),
                  "Writing takes {found} sectors where {limit} are enough: a warp writes "
                  "down a column of out. Let threadIdx.x run along the rows of out, and take the element from the "
                  "tile."),
        ),
    ),
)  # fmt: skip

# -- 05.6 -------------------------------------------------------------------------------------------

BLUR_STUB = '''blur = cp.RawKernel(r"""
#define T 16
#define R 2
extern "C" __global__
void blur(const float* x, float* out, int h, int w)
{
    __shared__ float tile[T + 2 * R][T + 2 * R];
    int top = blockIdx.y * T - R;                     // row and column of x
    int left = blockIdx.x * T - R;                    // that tile[0][0] holds

}
""", "blur")
'''
BLUR_BODY = """    for (int y = threadIdx.y; y < T + 2 * R; y += T) {
        for (int c = threadIdx.x; c < T + 2 * R; c += T) {
            int row = min(max(top + y, 0), h - 1);
            int column = min(max(left + c, 0), w - 1);
            tile[y][c] = x[row * w + column];
        }
    }
    __syncthreads();
    int row = top + R + threadIdx.y, column = left + R + threadIdx.x;
    if (row < h && column < w) {
        float sum = 0;
        for (int dy = 0; dy <= 2 * R; dy++) {
            for (int dx = 0; dx <= 2 * R; dx++) {
                sum += tile[threadIdx.y + dy][threadIdx.x + dx];
            }
        }
        out[row * w + column] = sum / 25;
    }
"""
BLUR_SOLUTION = BLUR_STUB.replace("holds\n\n", "holds\n" + BLUR_BODY)
BLUR_TILE, BLUR_RADIUS = 16, 2


def make_blurs(rng: np.random.Generator) -> Sequence[Launch]:
    """Whole tiles, partial ones on both sides, fewer rows than the radius."""
    small = [_blur(rng, *shape) for shape in ((32, 48), (21, 37), (50, 17), (1, 5))]
    return timed_at(lambda: _blur(rng, 2048, 2048), small)


def blurred(x: Any, mode: Any = "edge", radius: int = BLUR_RADIUS) -> Any:
    """Mean over (2 radius + 1)² neighbors; `mode` says what lies beyond the border (numpy.pad); float64."""
    padded = np.pad(x.astype(np.float64), radius, mode=mode)
    side = 2 * radius + 1
    return np.lib.stride_tricks.sliding_window_view(padded, (side, side)).mean(axis=(2, 3))


def _blur(rng: np.random.Generator, h: int, w: int) -> Launch:
    x = rng.random((h, w)).astype(np.float32)
    args = {"x": x, "out": blank((h, w)), "h": np.int32(h), "w": np.int32(w)}
    grid = (-(-w // BLUR_TILE), -(-h // BLUR_TILE))
    return Launch(grid, (BLUR_TILE, BLUR_TILE), args, {"out": blurred(x).astype(np.float32)}, rtol=1e-5,
                  words=f"{h} rows and {w} columns, blocks of 16 x 16")  # fmt: skip


def _from_the_other_end(x: Any) -> Any:
    """The mean if a negative row or column, taken for a huge one, becomes the last."""
    wrapped = np.pad(np.pad(x, ((BLUR_RADIUS, 0), (BLUR_RADIUS, 0)), mode="wrap"), ((0, 2), (0, 2)), mode="edge")
    wrapped[:2], wrapped[:, :2] = wrapped[-1], wrapped[:, -1:]
    return blurred(wrapped)[2:-2, 2:-2]


def _turned(x: Any) -> Any:
    """The mean if x and y are exchanged within the tile."""
    h, w = x.shape
    around = blurred(np.pad(x, ((0, BLUR_TILE), (0, BLUR_TILE)), mode="edge"))
    row, column = np.mgrid[:h, :w]
    first_row, first_column = row // BLUR_TILE * BLUR_TILE, column // BLUR_TILE * BLUR_TILE
    return around[first_row + column - first_column, first_column + row - first_row]


def _four_by_four(x: Any) -> Any:
    """A twenty-fifth of the sum over two neighbors above and left, and one below and right."""
    padded = np.pad(x.astype(np.float64), ((2, 1), (2, 1)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, (4, 4)).sum(axis=(2, 3)) / 25


def _blur_trap(wrong: Any, message: str) -> KernelTrap:
    return KernelTrap(lambda launch: {"out": wrong(launch.args["x"]).astype(np.float32)}, message)


def _inner_only(x: Any) -> Any:
    """Mean over the neighbors that exist."""
    ones = np.ones(x.shape)
    return blurred(x, "constant") / blurred(ones, "constant")


BLUR = Problem(
    id="05.6",
    title="Blur a picture",
    task=(
        "Each pixel of `out` is the mean of the 5 x 5 pixels around it in `x`. Beyond the border the nearest pixel of "
        "the picture counts. Bring a tile with its halo of two pixels into shared memory, and take the 25 pixels from "
        "there."
    ),
    spec=(
        "`x`, `out`: h x w floats, row after row. Blocks of 16 x 16 threads, grid (w / 16, h / 16) rounded up. The "
        "tile has 20 x 20 elements for 256 threads."
    ),
    stub=BLUR_STUB,
    answer="blur",
    lines=18,
    hints=(
        "400 elements for 256 threads: let each thread take every 16th row and every 16th column of the tile, two "
        "small grid-stride loops. Then a barrier, then the mean.",
        "`tile[y][c]` holds row `top + y` and column `left + c` of x. These may lie outside: `min(max(top + y, 0), h "
        "- 1)` is the nearest row that exists. The 5 x 5 pixels of a thread begin at "
        "`tile[threadIdx.y][threadIdx.x]`.",
        "`for (int y = threadIdx.y; y < T + 2 * R; y += T) for (int c = threadIdx.x; …; c += T) tile[y][c] = "
        "x[min(max(top + y, 0), h - 1) * w + min(max(___, 0), ___)];`",
    ),
    solution=BLUR_SOLUTION,
    why=(
        "A block fetches 400 pixels instead of 25 for each of its 256. Places are pushed back into the picture once, "
        "while the tile is filled, so the inner loop needs no test at all."
    ),
    judge=by_launches(
        make_blurs,
        traps=(
            _blur_trap(lambda x: blurred(x, "constant"), "Beyond the border you count zeros, which darkens the edges. "
                                                         "The nearest pixel of the picture should count there."),
            _blur_trap(_inner_only, "At the border you take the mean of the pixels that exist. Here the nearest pixel "
                                    "counts in the place of one that does not."),
            _blur_trap(lambda x: 25 * blurred(x), "This is the sum of the 25 pixels: divide by 25."),
            _blur_trap(lambda x: blurred(x, radius=1), "This is the mean of 3 x 3 pixels, not of 5 x 5."),
            _blur_trap(lambda x: 25 / 9 * blurred(x), "The sum of the 25 pixels is divided by 9."),
            _blur_trap(_from_the_other_end, "At the upper and left border you count pixels of the lower and right one. "
                                            "blockIdx and threadIdx are unsigned: put the difference into an int "
                                            "before you clamp it."),
            _blur_trap(_turned, "Within each block rows and columns are exchanged: threadIdx.y belongs to the tile's "
                                "first index."),
            _blur_trap(_four_by_four, "You add up 4 x 4 pixels. With dy and dx from 0 the last one is 2 * R: `<=`."),
            _blur_trap(lambda x: x, "`out` is the picture itself: every pixel is its own mean."),
        ),
        limits=(
            Limit("global_load_requests", lambda launch: 40 * launch.grid[0] * launch.grid[1],
                  "`x` is read by {found} requests of warps where {limit} would be plenty. "
                  "Fetch each pixel of the tile once, and take the 25 from the tile."),
        ),
    ),
)  # fmt: skip

PROBLEMS = (REVERSE, STENCIL, PREDICT, PADDING, TRANSPOSE, BLUR)
