"""The exercises of lesson 07: order of threads, traffic on paper, tiles, four results a thread, occupancy, a roof."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from gpucourse.exercises.compare import Trap, by_cases, is_mapping, mapping_source
from gpucourse.exercises.kernel_cases import KernelTrap, Launch, Limit, blank, by_launches, timed_at
from gpucourse.exercises.problem import Problem
from gpucourse.simt.occupancy import occupancy

Arrays = dict[str, Any]
FULL = 2048   # rows and columns of the matrices of a launch that is timed

# -- products in NumPy: what is right, and what a slip makes of it --------------------------------------

T = 16   # side of a tile in 07.3 and 07.4
Element = Callable[[Any, Any, Any, int], Any]   # (matrix, rows of c, columns of c, number of the product) -> elements


def _at(x: Any, row: Any, column: Any) -> Any:
    """x[row, column], and 0 where x has no such element."""
    h, w = x.shape
    inside = (row >= 0) & (row < h) & (column >= 0) & (column < w)
    return np.where(inside, x[np.clip(row, 0, h - 1), np.clip(column, 0, w - 1)], 0)


def _flat(x: Any, index: Any, guard: Any) -> Any:
    """x as C has it, x[index], where `guard` holds; nan for an index beyond its end."""
    wide = np.append(x.ravel().astype(np.float64), np.nan)
    return np.where(guard, wide[np.minimum(index, x.size)], 0)


def _up(number: int, unit: int) -> int:
    return -(-number // unit) * unit


def _left(a: Any, row: Any, column: Any, t: int) -> Any:
    return _at(a, row, t)


def _right(b: Any, row: Any, column: Any, t: int) -> Any:
    return _at(b, t, column)


def _summed(launch: Launch, left: Element = _left, right: Element = _right, first: int = 0, last: int = 1 << 20) -> Any:
    """Sum of `left` times `right` over the products first, first + 1, ... below `last` of all tiles; (m, n) floats."""
    a, b = launch.args["a"].astype(np.float64), launch.args["b"].astype(np.float64)
    row, column = np.ogrid[: a.shape[0], : b.shape[1]]
    turns = range(first, min(last, _up(a.shape[1], T)))
    return sum((left(a, row, column, t) * right(b, row, column, t) for t in turns), np.zeros((len(a), b.shape[1])))


def _slip(message: str, left: Element = _left, right: Element = _right) -> KernelTrap:
    """A trap: an element of a tile is not the right one."""
    return KernelTrap(lambda launch: {"c": _summed(launch, left, right).astype(np.float32)}, message)


def _some_turns(message: str, first: Callable[[int], int], last: Callable[[int], int]) -> KernelTrap:
    """A trap: only the products from first(k) to last(k) are summed."""
    def wrong(launch: Launch) -> Arrays:
        k = launch.args["a"].shape[1]
        return {"c": _summed(launch, first=first(k), last=last(k)).astype(np.float32)}

    return KernelTrap(wrong, message)


def product_of(rng: np.random.Generator, shape: tuple[int, int, int], tile: tuple[int, int], block: tuple[int, int],
               extent: tuple[int, ...] = ()) -> Launch:  # fmt: skip
    """A launch for m, n, k = `shape`; a block of `block` threads has `tile` rows and columns of c."""
    m, n, k = shape
    a, b = rng.random((m, k)).astype(np.float32), rng.random((k, n)).astype(np.float32)
    args = {"a": a, "b": b, "c": blank((m, n)), "m": np.int32(m), "n": np.int32(n), "k": np.int32(k)}
    due = {"c": (a.astype(np.float64) @ b.astype(np.float64)).astype(np.float32)}
    return Launch((-(-n // tile[1]), -(-m // tile[0])), block, args, due, rtol=1e-5, extent=extent,
                  words=f"m = {m}, n = {n}, k = {k}", flops=2 * m * n * k)  # fmt: skip


def _timed(rng: np.random.Generator, launches: list[Launch], tile: tuple[int, int]) -> Sequence[Launch]:
    """The launches, and on a GPU a product of two large matrices, whose long sums are rounded more."""
    shape, block = (FULL, FULL, FULL), launches[0].block
    return timed_at(lambda: replace(product_of(rng, shape, tile, (block[0], block[1])), rtol=1e-4), launches)


def _steps(launch: Launch) -> int:
    """Turns of all blocks, each with a tile of T products."""
    return launch.grid[0] * launch.grid[1] * (_up(launch.args["a"].shape[1], T) // T)


SHAPES = "`a`: m x k floats, `b`: k x n, `c`: m x n, row after row."

# -- 07.1 -------------------------------------------------------------------------------------------

SIDE = 32   # of a block of 07.1

ORDER_STUB = '''product = cp.RawKernel(r"""
extern "C" __global__
void product(const float* a, const float* b, float* c, int m, int n, int k)
{
    int row = blockIdx.y * blockDim.y + threadIdx.x;
    int column = blockIdx.x * blockDim.x + threadIdx.y;
    if (row < m && column < n) {
        float sum = 0;
        for (int i = 0; i < k; i++) {
            sum += a[row * k + i] * b[i * n + column];
        }
        c[row * n + column] = sum;
    }
}
""", "product")
'''
ORDER_SOLUTION = ORDER_STUB.replace("blockDim.y + threadIdx.x", "blockDim.y + threadIdx.y").replace(
    "blockDim.x + threadIdx.y", "blockDim.x + threadIdx.x")


def make_products(rng: np.random.Generator) -> Sequence[Launch]:
    """Whole blocks, partial ones on both sides, more blocks one way than the other, one row, one column."""
    shapes = ((32, 64, 16), (70, 33, 9), (3, 40, 12), (1, 65, 5), (45, 1, 7))
    return _timed(rng, [product_of(rng, shape, (SIDE, SIDE), (SIDE, SIDE)) for shape in shapes], (SIDE, SIDE))


def row_sectors(rows: int, columns: int) -> int:
    """Sectors of warps that go along the rows of a (rows, columns) array of floats, at most 32 elements each."""
    total = 0
    for row in range(rows):
        for first in range(0, columns, SIDE):
            last = min(first + SIDE, columns) - 1
            total += (row * columns + last) // 8 - (row * columns + first) // 8 + 1
    return total


def _load_sectors(launch: Launch) -> int:
    """What it takes if each warp has a row of a block: one sector of a, the elements of b side by side."""
    k, n = launch.args["b"].shape
    return int(SIDE * launch.grid[1] * (k * launch.grid[0] + row_sectors(k, n)))


def _blocks_exchanged(launch: Launch) -> Arrays:
    """Only those rows and columns are written that the exchanged grid has."""
    c = launch.due["c"]
    row, column = np.ogrid[: c.shape[0], : c.shape[1]]
    there = (row < SIDE * launch.grid[0]) & (column < SIDE * launch.grid[1])
    return {"c": np.where(there, c, launch.args["c"])}


def _diagonals(launch: Launch) -> Arrays:
    """Row and column from the same thread index: each block writes its diagonal."""
    c = launch.due["c"]
    row, column = np.ogrid[: c.shape[0], : c.shape[1]]
    return {"c": np.where(row % SIDE == column % SIDE, c, launch.args["c"])}


_B_TURNED = "You read b column after column, as if it were turned. Element (i, column) of b is `b[i * n + column]`."
ORDER_TRAPS = (
    KernelTrap(_blocks_exchanged, "Part of c is never written when it is not square: the grid has n / 32 blocks along "
                                  "x and m / 32 along y, so `blockIdx.x` belongs to the column. Exchange the thread "
                                  "indices only."),
    KernelTrap(_diagonals, "Each block writes only its diagonal: row and column come from the same thread index. "
                           "Exchange both."),
    KernelTrap(lambda launch: {"c": launch.due["c"].T.reshape(launch.due["c"].shape)},
               "`c` holds the transposed product, n rows of m elements. Row `row` of c begins at element row * n."),
    KernelTrap(lambda launch: {"c": launch.args["a"][:, -1:] * launch.args["b"][-1:]},
               "Only the last product of each sum is left: add up before you store."),
    _slip(_B_TURNED, right=lambda b, r, c, t: _flat(b, c * b.shape[0] + t, t < b.shape[0])),
)

ORDER = Problem(
    id="07.1",
    title="The order of the threads",
    task=(
        "This product is right, but `threadIdx.x` runs down the columns of `c`, and the warp's loads and stores "
        "scatter. Keep the launch, and change which element a thread has, so that a warp goes along a row."
    ),
    spec=(
        f"{SHAPES} Launched with blocks of 32 x 32 threads and the grid (n / 32, m / 32), rounded up. No more sectors "
        "than warps along the rows need."
    ),
    stub=ORDER_STUB,
    answer="product",
    lines=2,
    hints=(
        "Lanes 0, 1, 2, … of a warp have neighboring values of `threadIdx.x`. Which elements of `b` and `c` do they "
        "touch in one turn of the loop? How far apart are these?",
        "Neighboring lanes should have neighboring columns. The block indices are right already: `blockIdx.x` goes up "
        "to n / 32, and n is the number of columns.",
        "`int column = blockIdx.x * blockDim.x + ___;` and the other one for the row.",
    ),
    solution=ORDER_SOLUTION,
    why=(
        "In one turn a warp now wants one element of `a`, which all lanes share, and 32 neighbors of `b`: 5 sectors in "
        "place of 33. Nothing else has changed: the same threads, products and results."
    ),
    judge=by_launches(
        make_products,
        traps=ORDER_TRAPS,
        limits=(
            Limit("global_load_sectors", lambda launch: int(1.1 * _load_sectors(launch)),
                  "Loading takes {found} sectors where {limit} are plenty. In one turn of the loop, do neighboring "
                  "lanes load neighboring elements of b?"),
            Limit("global_store_sectors", lambda launch: row_sectors(*launch.due["c"].shape),
                  "Storing takes {found} sectors where {limit} are enough. Do neighboring lanes store neighboring "
                  "elements of c?"),
        ),
    ),
)  # fmt: skip

# -- 07.2 -------------------------------------------------------------------------------------------

#: Has a factor of 15, so that a wrong power of the tile is not by chance a wrong power of n.
N = 1920
TILES = {"one thread a result": 1, "16 x 16 tiles": 16, "32 x 32 tiles": 32, "128 x 128 tiles": 128}
FORMULAS = {name: f"2 * n**3 / {tile}".removesuffix(" / 1") for name, tile in TILES.items()} | {
    "FLOP/byte, one thread a result": "2 * n**3 / (4 * 2 * n**3)",
    "FLOP/byte, 128 x 128 tiles": "2 * n**3 / (4 * 2 * n**3 / 128)",
}
TRAFFIC = {name: 2 * N**3 / tile for name, tile in TILES.items()} | {
    "FLOP/byte, one thread a result": 1 / 4, "FLOP/byte, 128 x 128 tiles": 32.0,
}  # fmt: skip


def _all_loads(wrong: Callable[[int], float], message: str) -> Trap:
    """All four counts are wrong in the same way: `wrong(tile)`."""
    return Trap({name: wrong(tile) for name, tile in TILES.items()}, message)


def _one_count(name: str, tile: int) -> list[Trap]:
    """Slips in one of the counts."""
    once = (f"`{name}`: 2 · n² would be each element of A and B once. But different {{}} need the same elements, and "
            "each loads them for itself.").format("threads" if tile == 1 else "blocks")  # fmt: skip
    found = [
        (N**3 / tile, f"`{name}` is half of what it should be: a multiplication takes an element of A and one of B."),
        (2 * N**2, once),
        (3 * N**2, once + " (And C is written, not loaded.)"),
        (8 * N**3 / tile, f"`{name}` is given in bytes. The question is for elements."),
        (2 * N**2 / tile, f"`{name}`: a factor n is missing. There are n² results, and each takes n products."),
        (2 * N / tile, f"`{name}` is what one result takes. C has n² of them."),
    ]
    if tile > 1:
        squared = (f"`{name}`: a loaded element serves only {tile} results of the tile, those of its row (or column), "
                   f"not all {tile} · {tile}.")  # fmt: skip
        block = f"`{name}` is what one block loads. There are (n / {tile})² blocks."
        found += [(2 * N * tile, block), (2 * N**3 / tile**2, squared), (N**3 / tile**2, squared),
                  (2 * N**3, f"`{name}`: of n products of a result, no load is saved in your count. How many threads "
                             "use one element of a tile?")]  # fmt: skip
    return [Trap({name: value}, message) for value, message in found]


_REGISTERS = ("`128 x 128 tiles`: the registers save loads from shared memory. What comes from global memory depends "
              "on the tile of the whole block, which is 128 x 128.")  # fmt: skip


def _one_ratio(name: str) -> list[Trap]:
    due = TRAFFIC[name]
    found = [
        (4 * due, f"`{name}` is FLOP per element: a float has 4 bytes."),
        (due / 2, f"`{name}`: a product and its addition are two operations, and there are n³ of them."),
        (2 * due, f"`{name}`: you count the bytes of A or those of B. A multiplication takes one element of each."),
        (1 / due, f"`{name}` is upside down: operations divided by bytes."),
        (N / 6, f"`{name}`: n / 6 counts each element of the three matrices once. Here count every load of a thread."),
        (N / 8, f"`{name}`: n / 8 counts each element of A and B once. Here count every load of a thread."),
    ]
    return [Trap({name: value}, message) for value, message in found]


COUNT = Problem(
    id="07.2",
    title="The traffic on paper",
    task=(
        "C = A B, all three n x n floats. How many elements of A and B do all threads together load from global "
        "memory, for four kernels; and how many floating-point operations is that for each byte loaded?"
    ),
    spec=(
        "Count each load of a thread, even if its neighbor loads the same element; the stores of C are no loads. A "
        "block of `T x T tiles` brings a tile of A and one of B, both T x T, into shared memory in each of n / T "
        "turns; in `128 x 128 tiles` each thread then computes 8 x 8 results. A multiplication and an addition are one "
        "FLOP each; n is a multiple of every tile."
    ),
    stub=f"n = {N}\n" + mapping_source("traffic", FORMULAS.keys()),
    answer="traffic",
    lines=6,
    hints=(
        "Begin with one result: a row of A times a column of B. Then ask for each element that a block brings into its "
        "tile: how many results use it there?",
        "An element of a T x T tile of A is used by T results, those of its row. So T times fewer loads. What the "
        "threads do with the tile afterwards changes nothing about that.",
        "`2 * n**3` without tiles, and divided by ___ with tiles of 16 x 16. All kernels do `2 * n**3` operations; a "
        "float has ___ bytes.",
    ),
    solution=f"n = {N}\n" + mapping_source("traffic", FORMULAS),
    why=(
        "n³ products take two elements each, and a tile hands each element that it holds to T threads. So the "
        "intensity is T / 4 FLOP/byte: it grows with the side of the tile, not with its area."
    ),
    judge=is_mapping(
        TRAFFIC,
        traps=(
            _all_loads(lambda t: N**3 / t, "All four counts are half of what they should be: a multiplication takes "
                                           "an element of A and one of B."),
            _all_loads(lambda t: 8 * N**3 / t, "All four counts are 4 times too large: they are in bytes. The question "
                                               "is for elements."),
            _all_loads(lambda t: 2 * N**3 / t / 32, "All four counts are requests of warps. Count the loads of "
                                                    "threads, 32 for each request."),
            _all_loads(lambda t: 2 * N**3 / t + N**2, "You have counted the n² results too. They are stored, not "
                                                      "loaded."),
            _all_loads(lambda t: 2 * N**2 / t, "A factor n is missing in all four counts: there are n² results, and "
                                               "each takes n products."),
            _all_loads(lambda t: 2 * N**3 / t**2, "A loaded element of a T x T tile serves only T results, those of "
                                                  "its row (or column), not all T · T: divide by T."),
            *(trap for name, tile in TILES.items() for trap in _one_count(name, tile)),
            *(Trap({"128 x 128 tiles": 2 * N**3 / t}, _REGISTERS) for t in (8, 16, 64, 128 * 8, 128 * 64)),
            *(trap for name in TRAFFIC if name.startswith("FLOP") for trap in _one_ratio(name)),
            *(Trap({"FLOP/byte, 128 x 128 tiles": t / 4}, _REGISTERS) for t in (8, 16, 64, 128 * 8)),
            Trap({"FLOP/byte, 128 x 128 tiles": 1 / 4}, "`FLOP/byte, 128 x 128 tiles`: the operations stay the same, "
                                                        "but there are 128 times fewer loads."),
        ),
    ),
)  # fmt: skip

# -- 07.3 -------------------------------------------------------------------------------------------

TILED_STUB = '''matmul = cp.RawKernel(r"""
#define T 16
extern "C" __global__
void matmul(const float* a, const float* b, float* c, int m, int n, int k)
{
    __shared__ float a_tile[T][T];
    __shared__ float b_tile[T][T];
    int x = threadIdx.x, y = threadIdx.y;
    int row = blockIdx.y * T + y;                     // of a and c
    int column = blockIdx.x * T + x;                  // of b and c
    float sum = 0;

    if (row < m && column < n) {
        c[row * n + column] = sum;
    }
}
""", "matmul")
'''
TILED_LOOP = """    for (int start = 0; start < k; start += T) {
        a_tile[y][x] = row < m && start + x < k ? a[row * k + start + x] : 0;
        b_tile[y][x] = start + y < k && column < n ? b[(start + y) * n + column] : 0;
        __syncthreads();
        for (int i = 0; i < T; i++) {
            sum += a_tile[y][i] * b_tile[i][x];
        }
        __syncthreads();
    }
"""
TILED_SOLUTION = TILED_STUB.replace("float sum = 0;\n\n", "float sum = 0;\n" + TILED_LOOP)


def make_tiled(rng: np.random.Generator) -> Sequence[Launch]:
    """Whole tiles, partial ones on every side, a k below the tile, one row, one column; never square."""
    shapes = ((32, 16, 48), (20, 37, 23), (33, 5, 40), (1, 40, 16), (18, 1, 7))
    return _timed(rng, [product_of(rng, shape, (T, T), (T, T)) for shape in shapes], (T, T))


def _stale(launch: Launch) -> Arrays:
    """Elements beyond k are those of the turn before."""
    k = launch.args["a"].shape[1]

    def kept(t: int) -> int:
        return t if t < k or k < T else t - T

    return {"c": _summed(launch, lambda a, r, c, t: _at(a, r, kept(t)),
                         lambda b, r, c, t: _at(b, kept(t), c)).astype(np.float32)}  # fmt: skip


_SAME_TILE = ("Every turn brings the same tile of {0}, its first one. In the turn that begins at `start`, the tile of "
              "{0} begins at {1} `start`.")  # fmt: skip
_FIRST_BLOCK = ("Every block takes the same {1} of {0}, those of the first block: which {1} of {0} belong to this "
                "block?")  # fmt: skip
_IN_TILE = "The element of {0} comes from {1}. Which {2} of {0} does the sum of this thread need?"
def _to_side(axis: int, name: str) -> KernelTrap:
    """A trap: the loop over k ends at m or n."""
    def wrong(launch: Launch) -> Arrays:
        return {"c": _summed(launch, last=_up(launch.due["c"].shape[axis], T)).astype(np.float32)}

    return KernelTrap(wrong, f"The loop over the tiles runs to {name}, but a sum has k products.")


def _lazy_left(a: Any, row: Any, column: Any, t: int) -> Any:
    """Threads without a column of c bring nothing."""
    return _at(a, row, t) * (column // T * T + t % T < column.max() + 1)


def _lazy_right(b: Any, row: Any, column: Any, t: int) -> Any:
    """Threads without a row of c bring nothing."""
    return _at(b, t, column) * (row // T * T + t % T < row.max() + 1)


_LAZY = ("A thread that has no element of c must still bring its elements of the tiles, and come to the barriers: the "
         "loads have guards of their own, other than that of the store.")  # fmt: skip
_BY_Y = ("Thread (x, y) brings column start + y of a, so that a row of a_tile holds the same element throughout. It "
         "should be column start + x.")  # fmt: skip
_BY_X = ("Thread (x, y) brings row start + x of b, so that a column of b_tile holds the same element throughout. It "
         "should be row start + y.")  # fmt: skip
_ONE_LEFT_OUT = "Of the T products of each tile the {} is left out of the sum."
_LAST_PRODUCT = "Only the last product is left of each sum, where all should be added up."
TILED_TRAPS = (
    _some_turns("The last tile is dropped where k is no multiple of T: the loop must go on while its tile begins "
                "below k.", lambda k: 0, lambda k: k // T * T),
    _to_side(0, "m"),
    _to_side(1, "n"),
    _some_turns("Only the first tile of the row is summed. Tiles must follow along the whole of k.",
                lambda k: 0, lambda k: T),
    _some_turns("Only the last tile is in the sum: the turns before it are lost. `sum` must be set to 0 once, before "
                "the loop.", lambda k: (k - 1) // T * T, lambda k: k),
    _some_turns("The first tile is left out of the sum.", lambda k: T, lambda k: k),
    _some_turns(_LAST_PRODUCT, lambda k: _up(k, T) - 1, lambda k: _up(k, T)),
    KernelTrap(_stale, "In the last turn, where fewer than T columns of a are left, the tiles still hold elements of "
                       "the turn before. Where there is no element, fill in a 0."),
    _slip(_SAME_TILE.format("a", "column"), left=lambda a, r, c, t: _at(a, r, t % T)),
    _slip(_SAME_TILE.format("b", "row"), right=lambda b, r, c, t: _at(b, t % T, c)),
    _slip(_SAME_TILE.format("both matrices", "element"), left=lambda a, r, c, t: _at(a, r, t % T),
          right=lambda b, r, c, t: _at(b, t % T, c)),
    _slip(_SAME_TILE.format("both matrices", "element"), left=lambda a, r, c, t: _at(a, r, t % T) * (t < a.shape[1]),
          right=lambda b, r, c, t: _at(b, t % T, c) * (t < b.shape[0])),
    _slip(_LAZY, left=_lazy_left, right=_lazy_right),
    _slip(_LAZY, left=_lazy_left),
    _slip(_LAZY, right=_lazy_right),
    _slip(_ONE_LEFT_OUT.format("last"), left=lambda a, r, c, t: _at(a, r, t) * (t % T < T - 1)),
    _slip(_ONE_LEFT_OUT.format("first"), left=lambda a, r, c, t: _at(a, r, t) * (t % T > 0)),
    _slip(_FIRST_BLOCK.format("a", "rows"), left=lambda a, r, c, t: _at(a, r % T, t)),
    _slip(_FIRST_BLOCK.format("b", "columns"), right=lambda b, r, c, t: _at(b, t, c % T)),
    _slip("Within each tile of c rows and columns are exchanged: `y` is the row, `x` the column.",
          left=lambda a, r, c, t: _at(a, r // T * T + c % T, t),
          right=lambda b, r, c, t: _at(b, t, c // T * T + r % T)),
    _slip(_IN_TILE.format("a_tile", "row x of the tile", "row"),
          left=lambda a, r, c, t: _at(a, r // T * T + c % T, t)),
    _slip(_IN_TILE.format("b_tile", "column y of the tile", "column"),
          right=lambda b, r, c, t: _at(b, t, c // T * T + r % T)),
    _slip("A tile of a is turned: `a_tile[y][i]` should belong to row `row` and product start + i.",
          left=lambda a, r, c, t: _at(a, r // T * T + t % T, t // T * T + r % T)),
    _slip("A tile of b is turned: `b_tile[i][x]` should belong to product start + i and column `column`.",
          right=lambda b, r, c, t: _at(b, t // T * T + c % T, c // T * T + t % T)),
    _slip(_BY_Y, left=lambda a, r, c, t: _at(a, r, t // T * T + r % T)),
    _slip(_BY_Y, left=lambda a, r, c, t: _flat(a, r * a.shape[1] + t // T * T + r % T, t < a.shape[1])),
    _slip(_BY_X, right=lambda b, r, c, t: _at(b, t // T * T + c % T, c)),
    _slip("You read a column after column, as if it were turned. Element (row, i) of a is `a[row * k + i]`.",
          left=lambda a, r, c, t: _flat(a, t * a.shape[0] + r, t < a.shape[1])),
    _slip(_B_TURNED, right=lambda b, r, c, t: _flat(b, c * b.shape[0] + t, t < b.shape[0])),
    _slip("A row of a has k elements, so row `row` begins at element row * k.",
          left=lambda a, r, c, t: _flat(a, r * (int(c.max()) + 1) + t, t < a.shape[1])),
    _slip("A row of b has n elements, so row start + y begins at element (start + y) * n.",
          right=lambda b, r, c, t: _flat(b, t * b.shape[0] + c, t < b.shape[0])),
)


TILED = Problem(
    id="07.3",
    title="A tiled product for any shape",
    task=(
        "A block of 16 x 16 threads computes a tile of `c`. Write the loop: bring a tile of `a` and one of `b` into "
        "shared memory, add up what they give, go on to the next pair."
    ),
    spec=(
        f"{SHAPES} m, n, k: any numbers of at least 1. Blocks of 16 x 16 threads, grid (n / 16, m / 16) rounded up. "
        "Each thread brings one element for each tile, a 0 where the matrix has none."
    ),
    stub=TILED_STUB,
    answer="matmul",
    lines=9,
    hints=(
        "The sum over k is cut into pieces of T. In each turn of a loop over `start`, the block needs the columns "
        "start to start + T - 1 of its rows of `a`, and the same rows of `b`.",
        "Thread (x, y) brings `a` at row `row` and column start + x, and `b` at row start + y and column `column`. "
        "Each has a guard of its own, and a 0 when it fails. A tile that is used again needs two barriers (lesson 05).",
        "`a_tile[y][x] = row < m && start + x < k ? a[row * k + ___] : 0;`, the same for b, a barrier, "
        "`sum += a_tile[y][i] * b_tile[i][___];` for all i below T, a barrier.",
    ),
    solution=TILED_SOLUTION,
    why=(
        "A zero adds nothing to a sum, so partial tiles need no special case, and every thread comes to every barrier. "
        "Each element is loaded once for 16 results: 16 times fewer loads than without tiles."
    ),
    judge=by_launches(
        make_tiled,
        traps=TILED_TRAPS,
        limits=(
            Limit("global_load_requests", lambda launch: 16 * _steps(launch),
                  "`a` and `b` are loaded by {found} requests of warps where {limit} are enough: in each turn each "
                  "thread brings one element of either into the tiles, and sums from the tiles."),
            Limit("global_load_sectors", lambda launch: 6 * 16 * _steps(launch),
                  "Loading takes {found} sectors where {limit} are plenty. Neighboring lanes, those with neighboring "
                  "`threadIdx.x`, should load neighbors of a row, of a and of b."),
        ),
    ),
)  # fmt: skip

# -- 07.4 -------------------------------------------------------------------------------------------

R = 4   # results a thread

COLUMN_STUB = '''matmul4 = cp.RawKernel(r"""
#define T 16
#define R 4
extern "C" __global__
void matmul4(const float* a, const float* b, float* c, int m, int n, int k)
{
    __shared__ float a_tile[R * T][T];
    __shared__ float b_tile[T][T];
    int x = threadIdx.x, y = threadIdx.y;
    int top = blockIdx.y * R * T;                     // the block's first row of a and c
    int column = blockIdx.x * T + x;                  // of b and c
    float sum[R] = {0, 0, 0, 0};
    for (int start = 0; start < k; start += T) {
        for (int r = 0; r < R; r++) {
            a_tile[r * T + y][x] = a[(top + r * T + y) * k + start + x];
        }
        b_tile[y][x] = b[(start + y) * n + column];
        __syncthreads();
        // add the tile's products to all four sums

        __syncthreads();
    }
    // store the four results

}
""", "matmul4")
'''
COLUMN_SUMS = """        for (int i = 0; i < T; i++) {
            float right = b_tile[i][x];
            for (int r = 0; r < R; r++) {
                sum[r] += a_tile[r * T + y][i] * right;
            }
        }
"""
COLUMN_STORES = """    for (int r = 0; r < R; r++) {
        c[(top + r * T + y) * n + column] = sum[r];
    }
"""
COLUMN_SOLUTION = COLUMN_STUB.replace("all four sums\n\n", "all four sums\n" + COLUMN_SUMS).replace(
    "four results\n\n", "four results\n" + COLUMN_STORES)


def make_columns(rng: np.random.Generator) -> Sequence[Launch]:
    """One block along a side, several, one turn, three; never square."""
    shapes = ((64, 32, 16), (128, 16, 48), (192, 32, 32))
    # an extent of two along z: no thread is there for a single element, so no message may name one
    return _timed(rng, [product_of(rng, (m, n, k), (R * T, T), (T, T), (n, m, 2)) for m, n, k in shapes], (R * T, T))


def _of_thread(launch: Launch, computed: Callable[[Any, int], Any], stored: Callable[[Any, int], Any]) -> Arrays:
    """Thread y (0 to 15) of a block sums for row computed(y, r) of the block's, and stores to row stored(y, r)."""
    c, due, y = launch.args["c"].copy(), launch.due["c"], np.arange(T)
    a = launch.args["a"].astype(np.float64)
    due = (np.pad(a, ((0, R * T), (0, 0))) @ launch.args["b"].astype(np.float64)).astype(np.float32)
    for top in range(0, len(c), R * T):
        for r in range(R):
            c[top + stored(y, r)] = due[top + computed(y, r)]
    return {"c": c}


def _rows(message: str, computed: Callable[[Any, int], Any], stored: Callable[[Any, int], Any]) -> KernelTrap:
    return KernelTrap(lambda launch: _of_thread(launch, computed, stored), message)


def _apart(y: Any, r: int) -> Any:
    return r * T + y


def _together(y: Any, r: int) -> Any:
    return R * y + r


def _touching(y: Any, r: int) -> Any:
    return y + r


def _scattered(message: str, place: Callable[[Any, Any, Any, Any, int], Any]) -> KernelTrap:
    """A trap: a result is stored as element place(top, y, r, column, n); where several meet, the largest r's stays."""
    def wrong(launch: Launch) -> Arrays:
        c, due = launch.args["c"].ravel().copy(), launch.due["c"]
        y, column = np.mgrid[:T, :T]
        for r, top, left in product(range(R), range(0, len(due), R * T), range(0, due.shape[1], T)):
            c[place(top, y, r, left + column, due.shape[1])] = due[top + r * T + y, left + column]
        return {"c": c.reshape(due.shape)}

    return KernelTrap(wrong, message)


def _first_blocks(launch: Launch) -> Arrays:
    """Every block stores into the first block's rows, and nobody says whose values stay."""
    c = launch.args["c"].copy()
    c[: R * T] = np.nan if len(c) > R * T else launch.due["c"]
    return {"c": c}


_OTHER_ROWS = ("The rows that a thread computes are not those that it stores: `sum[r]` belongs to row {} of the tile "
               "in one place and to row {} in the other.")  # fmt: skip
_OVERLAP = ("The four rows of a thread overlap with those of its neighbors, and other rows are left out: y + r is not "
            "r * T + y.")  # fmt: skip
COLUMN_TRAPS = (
    _rows("All four results are stored in the same row, so only the last one is left: each `sum[r]` has a row of its "
          "own.", lambda y, r: (R - 1) * T + y, lambda y, r: y),
    _rows("The four results of a thread are all that of row y: each needs a sum of its own, from its row of a_tile.",
          lambda y, r: y, _apart),
    _rows("Only the first of four results is stored.", lambda y, r: y, lambda y, r: y),
    _rows(_OTHER_ROWS.format("r * T + y", "R * y + r"), _apart, _together),
    _rows(_OTHER_ROWS.format("R * y + r", "r * T + y"), _together, _apart),
    _rows(_OVERLAP, _touching, _touching),
    _rows(_OVERLAP, _touching, _apart),
    KernelTrap(_first_blocks, "Every block stores into the rows of the first: where is `top`?"),
    KernelTrap(lambda launch: {"c": _four_in_one(launch)}, "All rows of a thread are added up in one sum: `sum[r]` "
                                                           "takes the products of row r * T + y only."),
    _some_turns("Only the last tile is in the sums: the turns before it are lost. Add to `sum[r]`, and set it to 0 "
                "only before the loop.", lambda k: (k - 1) // T * T, lambda k: k),
    _some_turns(_LAST_PRODUCT, lambda k: k - 1, lambda k: k),
    _scattered(_OVERLAP, lambda top, y, r, column, n: (top + r + y) * n + column),
    _scattered("The four results are stored in a row, T columns apart. They belong into one column: `sum[r]` into row "
               "top + r * T + y.", lambda top, y, r, column, n: (top + y) * n + column + r * T),
    _slip("a_tile is read at column x throughout. Product i needs column i of it.",
          left=lambda a, r, c, t: _at(a, r, t // T * T + c % T)),
    _slip("All products of a tile take the same value of b_tile, that of row y. Product i needs row i: read it inside "
          "the loop over i.", right=lambda b, r, c, t: _at(b, t // T * T + r % T, c)),
    _slip("b_tile is read along its row. The products of column x are `b_tile[i][x]`, i = 0 to T - 1.",
          right=lambda b, r, c, t: _at(b, t // T * T + c % T, c // T * T + t % T)),
    _slip("No value of b_tile is in the products: these are sums of a alone.", right=lambda b, r, c, t: 1),
    _slip("Always the first row of b_tile is taken: each i has a row of its own.",
          right=lambda b, r, c, t: _at(b, t // T * T, c)),
    _slip("The row of a_tile depends on x. The thread's rows are r * T + y.",
          left=lambda a, r, c, t: _at(a, r // T * T + c % T, t)),
    _slip("The value of b_tile belongs to column y. The thread's column is x.",
          right=lambda b, r, c, t: _at(b, t, c // T * T + r % T)),
    KernelTrap(lambda launch: {"c": np.zeros_like(launch.due["c"])}, "All results are 0: nothing is added to `sum`."),
)


def _four_in_one(launch: Launch) -> Any:
    """Each result is the sum of the four that its thread has."""
    c = launch.due["c"].astype(np.float64)
    blocks = c.reshape(-1, R, T, c.shape[1])
    return np.broadcast_to(blocks.sum(axis=1, keepdims=True), blocks.shape).reshape(c.shape).astype(np.float32)


COLUMN = Problem(
    id="07.4",
    title="Four results a thread",
    task=(
        "Each thread shall compute four results of a column, in rows that lie 16 apart as where it brings `a_tile`, so "
        "that one value of `b_tile`, kept in a register, serves four products. The tiles are brought already; write "
        "the sums and the stores."
    ),
    spec=(
        f"{SHAPES} m is a multiple of 64, n and k of 16. Blocks of 16 x 16 threads, grid (n / 16, m / 64). `a_tile` "
        "has 64 rows. One load of `b_tile` for four products."
    ),
    stub=COLUMN_STUB,
    answer="matmul4",
    lines=9,
    hints=(
        "For one i, all four products take the same element of `b_tile`: a thread's column stays the same. Read it "
        "once, into a variable of its own.",
        "`sum[r]` belongs to row r * T + y of the tile, counted from `top`. So inside the loop over i there is one "
        "load of b_tile, and a loop over r with one load of a_tile each. The stores need a loop over r too.",
        "`float right = b_tile[i][x];` then for all r `sum[r] += a_tile[___][i] * right;`, and at the end "
        "`c[(top + ___) * n + column] = sum[r];`",
    ),
    solution=COLUMN_SOLUTION,
    why=(
        "Five loads from shared memory now feed four multiplications and additions, where it was eight. If you wrote "
        "`b_tile[i][x]` into each of them, the compiler has merged the equal loads and kept the value in a register "
        "for you: it may, where no barrier or store stands between them."
    ),
    judge=by_launches(
        make_columns,
        traps=COLUMN_TRAPS,
        limits=(
            Limit("global_load_requests", lambda launch: 8 * (R + 1) * _steps(launch),
                  "`a` and `b` are loaded by {found} requests of warps where {limit} are enough. Take the products "
                  "from the tiles."),
            Limit("global_store_requests", lambda launch: launch.due["c"].size // 32,
                  "`c` is stored to by {found} requests of warps where {limit} are enough. Store once, when the sums "
                  "are complete."),
            Limit("shared_load_requests", lambda launch: 8 * T * (R + 2) * _steps(launch),
                  "Shared memory is read by {found} requests of warps where {limit} are plenty. Read `b_tile[i][x]` "
                  "once for each i, and use it for all four products."),
        ),
    ),
)  # fmt: skip

# -- 07.5 -------------------------------------------------------------------------------------------


def blocks_that_fit(registers: int, shared_bytes: int, threads: int) -> tuple[int, str]:
    """(blocks, what binds) on one multiprocessor of an A100, by NVIDIA's formula."""
    found = occupancy("A100", threads, registers, shared_bytes)
    return found.blocks_per_sm, found.bound_by[0]


Rule = Callable[[int, int, int], float]   # (registers, shared bytes, threads) -> blocks that a resource allows


def _warps(threads: int) -> int:
    return -(-threads // 32)


RULES: dict[str, Rule] = {
    "warps": lambda r, s, t: 64 // _warps(t),
    "blocks": lambda r, s, t: 32,
    "registers": lambda r, s, t: 4 * (16_384 // _up(32 * r, 256)) // _warps(t),
    "shared memory": lambda r, s, t: 167_936 // _up(s + 1024, 128),
}


def _fit_trap(message: str, choose: Any = min, answer: Any = None, **changed: Rule) -> Trap:
    """A trap in which some rules are others (shared_memory for "shared memory")."""
    rules = RULES | {name.replace("_", " "): rule for name, rule in changed.items()}

    def wrong(registers: int, shared_bytes: int, threads: int) -> Any:
        allowed = {name: rule(registers, shared_bytes, threads) for name, rule in rules.items()}
        binds = choose(allowed, key=lambda name: allowed[name])
        return answer(allowed[binds], binds, threads) if answer else (allowed[binds], binds)

    return Trap(wrong, message)


def _any_number(registers: int, shared_bytes: int, threads: int) -> float:
    return 1 << 30


#: Registers, shared bytes and threads; one resource alone binds. Never 0 bytes, never less than a warp: who
#: forgets the 1,024, or rounds warps down, would divide by 0, and hear of that only.
FIT_SHOWN = [(24, 4096, 512), (37, 512, 128), (64, 20_000, 256), (20, 8, 72), (24, 33_000, 96), (80, 9000, 64),
             (16, 64, 32), (40, 1000, 200), (255, 128, 32), (24, 200, 672), (33, 5056, 40), (90, 16_384, 32),
             (24, 4500, 64), (24, 4350, 40), (24, 4450, 56), (20, 10_496, 64)]  # fmt: skip


def _fit_cases(rng: np.random.Generator) -> list[tuple[int, int, int]]:
    """Twelve launches in which one resource alone binds."""
    found: list[tuple[int, int, int]] = []
    while len(found) < 12:
        case = int(rng.integers(16, 129)), int(rng.integers(1, 400)) * 100, int(rng.integers(2, 17)) * 32 - 8
        if len(occupancy("A100", case[2], case[0], case[1]).bound_by) == 1:
            found.append(case)
    return found


_ROUND_WARPS = ("A block of 40 threads takes two whole warps: the number of warps is rounded up, before anything is "
                "divided by it.")  # fmt: skip
_ROUND_REGISTERS = "A warp gets its registers in units of 256: 32 times the registers of a thread, rounded up to that."
_PARTS = ("Of the 65,536 registers a quarter, 16,384, lies in each of four parts, and a warp cannot lie in two of "
          "them: count the whole warps of one part, then take four times that.")  # fmt: skip
_RESERVED = "Each block takes 1,024 bytes of shared memory more than it asks for: add them before you round."
_ROUND_SHARED = "Shared memory is handed out in units of 128 bytes: round up what a block takes."
Slip = tuple[str, Rule | None]   # (what is wrong, the rule without it); None: the rule is right

_WARP_SLIPS: tuple[Slip, ...] = (
    ("", None),
    (_ROUND_WARPS, lambda r, s, t: 2048 // t),
)
_REGISTER_SLIPS: tuple[Slip, ...] = (
    ("", None),
    (_ROUND_REGISTERS, lambda r, s, t: 4 * (16_384 // (32 * r)) // _warps(t)),
    (f"{_ROUND_REGISTERS} And {_PARTS[0].lower()}{_PARTS[1:]}", lambda r, s, t: 65_536 // (32 * r) // _warps(t)),
    (f"{_ROUND_REGISTERS} Registers go to whole warps, not to threads.", lambda r, s, t: 65_536 // (r * t)),
    (_PARTS, lambda r, s, t: 65_536 // _up(32 * r, 256) // _warps(t)),
    (_PARTS, lambda r, s, t: 65_536 // (_up(32 * r, 256) * _warps(t))),
)
_SHARED_SLIPS: tuple[Slip, ...] = (
    ("", None),
    (_RESERVED, lambda r, s, t: 167_936 // _up(s, 128)),
    (_RESERVED, lambda r, s, t: 167_936 // s),
    (_ROUND_SHARED, lambda r, s, t: 167_936 // (s + 1024)),
)


def _several_slips() -> Iterator[Trap]:
    """Who takes a rule of thumb for one resource often takes one for the others too: all combinations, single first."""
    names = "warps", "registers", "shared_memory"
    slips = product(_WARP_SLIPS, _REGISTER_SLIPS, _SHARED_SLIPS)
    for chosen in sorted(slips, key=lambda chosen: sum(rule is not None for _, rule in chosen)):
        changed = {name: rule for name, (_, rule) in zip(names, chosen, strict=True) if rule}
        if changed:
            start = ("Two resources are wrong. ", "All three resources are wrong. ")[len(changed) - 2]
            words = " ".join(message for message, _ in chosen if message)
            yield _fit_trap(start + words if len(changed) > 1 else words, **changed)


_WHOLE_BLOCKS = "A number of blocks is a whole one: round what fits down, with `//`."
_WARP_SHARES: tuple[Slip, ...] = (
    ("", None), ("", lambda r, s, t: 64 / _warps(t)), (_ROUND_WARPS, lambda r, s, t: 64 / (t / 32)))
_REGISTER_SHARES: tuple[Slip, ...] = (
    ("", None),
    ("", lambda r, s, t: 4 * (16_384 // _up(32 * r, 256)) / _warps(t)),
    (_PARTS, lambda r, s, t: 65_536 / _up(32 * r, 256) / _warps(t)),
    (_ROUND_WARPS, lambda r, s, t: 4 * (16_384 // _up(32 * r, 256)) / (t / 32)),
    (_ROUND_WARPS, lambda r, s, t: 65_536 / _up(32 * r, 256) / (t / 32)),
)
_SHARED_SHARES: tuple[Slip, ...] = (("", None), ("", lambda r, s, t: 167_936 / _up(s + 1024, 128)))


def _fractions() -> Iterator[Trap]:
    """Blocks that are not whole: `/` for some of the three resources, or for all."""
    names = "warps", "registers", "shared_memory"
    for chosen in product(_WARP_SHARES, _REGISTER_SHARES, _SHARED_SHARES):
        changed = {name: rule for name, (_, rule) in zip(names, chosen, strict=True) if rule}
        more = sorted({message for message, _ in chosen if message})
        if changed:
            yield _fit_trap(" ".join([_WHOLE_BLOCKS, *more]), **changed)


FIT_TRAPS = (
    *_several_slips(),
    *_fractions(),
    _fit_trap(_ROUND_WARPS, warps=lambda r, s, t: 64 // max(1, t // 32),
              registers=lambda r, s, t: 4 * (16_384 // _up(32 * r, 256)) // max(1, t // 32)),
    _fit_trap(_ROUND_WARPS, warps=lambda r, s, t: 64 // (t / 32),
              registers=lambda r, s, t: 4 * (16_384 // _up(32 * r, 256)) // (t / 32)),
    _fit_trap(_ROUND_WARPS, warps=lambda r, s, t: 2048 // t,
              registers=lambda r, s, t: 4 * (16_384 // _up(32 * r, 256)) // (t / 32)),
    _fit_trap("A block of 64 threads has two warps, one of 40 too: your number of warps is one too large where the "
              "threads fill whole warps.", warps=lambda r, s, t: 64 // (t // 32 + 1),
              registers=lambda r, s, t: 4 * (16_384 // _up(32 * r, 256)) // (t // 32 + 1)),
    _fit_trap("64 is the number of warps that fit, not of threads: divide it by the warps of a block.",
              warps=lambda r, s, t: 64 // t),
    _fit_trap("A unit of 256 registers is for a whole warp: multiply by 32 first, then round up.",
              registers=lambda r, s, t: 4 * (16_384 // (32 * _up(r, 256))) // _warps(t)),
    _fit_trap("A warp lies in one of four parts, but the warps of a block may lie in different ones: count all warps "
              "that fit, 4 · (those of one part), and divide that by the warps of a block.",
              registers=lambda r, s, t: 4 * (16_384 // _up(32 * r, 256) // _warps(t))),
    _fit_trap("Only one of the four parts of the registers is counted.",
              registers=lambda r, s, t: 16_384 // _up(32 * r, 256) // _warps(t)),
    _fit_trap("The registers allow that many warps. Divide by the warps of a block.",
              registers=lambda r, s, t: 4 * (16_384 // _up(32 * r, 256))),
    _fit_trap("The 1,024 bytes are taken by every block, not once: add them to what a block asks for.",
              shared_memory=lambda r, s, t: (167_936 - 1024) // _up(s, 128)),
    _fit_trap("1,024 bytes are no unit: add them to what a block asks for, and round the sum up to 128.",
              shared_memory=lambda r, s, t: 167_936 // _up(s, 1024)),
    _fit_trap("1,024 bytes are no unit: add them to what a block asks for, and round the sum up to 128.",
              shared_memory=lambda r, s, t: 167_936 // _up(s + 1, 1024)),
    _fit_trap("The bytes that a block takes are rounded up to 128, not to 1,024.",
              shared_memory=lambda r, s, t: 167_936 // _up(s + 1024, 1024)),
    _fit_trap("The bytes that a block takes are rounded up to 128, not to 256: that is the unit of the registers.",
              shared_memory=lambda r, s, t: 167_936 // _up(s + 1024, 256)),
    _fit_trap("Shared memory belongs to a block: it is not divided among, or multiplied by, its warps.",
              shared_memory=lambda r, s, t: 167_936 // _up(s + 1024, 128) // _warps(t)),
    _fit_trap("Your `warps` are threads, rounded up to whole warps. Divide by the 32 threads of a warp.",
              warps=lambda r, s, t: 64 // _up(t, 32),
              registers=lambda r, s, t: 4 * (16_384 // _up(32 * r, 256)) // _up(t, 32)),
    _fit_trap("You take the largest of the four. A block needs all four resources, so the scarcest decides.", max),
    _fit_trap("At most 32 blocks fit, however small they are: this limit is missing.", blocks=_any_number),
    _fit_trap("Registers never bind in your answer. A warp takes 32 times what a thread takes, and `//` and `*` go "
              "from left to right: put what a warp takes in parentheses.", registers=_any_number),
    _fit_trap("Shared memory never binds in your answer.", shared_memory=_any_number),
    _fit_trap("Warps never bind in your answer. There is room for 64 of them: for how many blocks is that?",
              warps=_any_number),
    _fit_trap("The first value should be the number of blocks; this is the number of warps.",
              answer=lambda blocks, binds, t: (blocks * _warps(t), binds)),
    _fit_trap("The first value should be the number of blocks; this is the occupancy.",
              answer=lambda blocks, binds, t: (blocks * _warps(t) / 64, binds)),
    _fit_trap("The first value should be the number of blocks; this is the occupancy in percent.",
              answer=lambda blocks, binds, t: (100 * blocks * _warps(t) / 64, binds)),
    _fit_trap("Return the number of blocks first, then the name.", answer=lambda blocks, binds, t: (binds, blocks)),
    _fit_trap("Return two values, the number of blocks and the name of what binds; this is the number alone.",
              answer=lambda blocks, binds, t: blocks),
)
FIT_STUB = '''def up(number, unit):
    """The next multiple of unit."""
    return -(-number // unit) * unit

def blocks_that_fit(registers, shared_bytes, threads):
    """(blocks on one multiprocessor of an A100, what binds)."""
    warps = ...                 # of a block
    allowed = {
        "warps": ...,
        "blocks": 32,
        "registers": ...,
        "shared memory": ...,
    }
    binds = min(allowed, key=allowed.get)
    return allowed[binds], binds
'''
FIT_SOLUTION = FIT_STUB.replace("warps = ...  ", "warps = up(threads, 32) // 32").replace(
    '"warps": ...', '"warps": 64 // warps').replace(
    '"registers": ...', '"registers": 4 * (16_384 // up(32 * registers, 256)) // warps').replace(
    '"shared memory": ...', '"shared memory": 167_936 // up(shared_bytes + 1024, 128)')  # fmt: skip

FIT = Problem(
    id="07.5",
    title="How many blocks fit?",
    task=(
        "A multiprocessor of an A100 has room for 64 warps, 32 blocks, 65,536 registers and 167,936 bytes of shared "
        "memory. How many blocks of a kernel are there at the same time at most, and which of the four binds?"
    ),
    spec=(
        "`registers` are a thread's, `shared_bytes` a block's. Registers lie in four parts of 16,384; a warp lies in "
        "one of them and takes its registers in units of 256. A block takes 1,024 bytes of shared memory more than it "
        "asks for, and all in units of 128. Returns the number of blocks and a name of `allowed`; no case has a tie."
    ),
    stub=FIT_STUB,
    answer="blocks_that_fit",
    lines=4,
    hints=(
        "Ask of each resource alone: how many blocks would it allow? Everything is handed out whole: warps to a block, "
        "units to a warp, so round what is taken up and what fits down.",
        "A warp takes 32 times a thread's registers, rounded up to 256. How many such warps fit into one part, how "
        "many into four, and how many blocks are these? For shared memory add 1,024 first, then round up to 128.",
        "`warps`: `up(threads, 32) // 32`; registers: `4 * (16_384 // up(___, 256)) // warps`; shared memory: "
        "`167_936 // up(___, 128)`.",
    ),
    solution=FIT_SOLUTION,
    why=(
        "A block needs its share of all four at once, so the scarcest decides, and the others lie idle. Because of the "
        "rounding, one register more for each thread can cost a whole block, or nothing at all."
    ),
    judge=by_cases(
        blocks_that_fit,
        FIT_SHOWN,
        hidden=_fit_cases,
        traps=FIT_TRAPS,
    ),
)  # fmt: skip

# -- 07.6 -------------------------------------------------------------------------------------------


def under_the_roof(tile: int, gflops_per_s: float, gbytes_per_s: float) -> Any:
    """(GFLOP/s at most, what binds, smallest multiple of 16 at the bend or right of it) for tiles of tile x tile."""
    return _roofed(tile, gflops_per_s, gbytes_per_s)


def _sixteens(side: float) -> int:
    return int(-(-side // 16)) * 16


def _roofed(tile: int, peak: float, bandwidth: float, *, per_tile: float = 1 / 4, choose: Any = min,
            names: tuple[str, str] = ("memory", "arithmetic"), rounded: Callable[[float], float] = _sixteens,
            side: Callable[[float, float], float] | None = None, reached: Any = None) -> Any:  # fmt: skip
    """The three values, with some part of the way another."""
    fed = per_tile * tile * bandwidth
    bend = side(peak, bandwidth) if side else peak / bandwidth / per_tile
    rate = reached(fed, peak) if reached else choose(fed, peak)
    return rate, names[0] if fed < peak else names[1], rounded(bend)


def _roof_trap(message: str, **changed: Any) -> Trap:
    return Trap(lambda tile, gflops_per_s, gbytes_per_s: _roofed(tile, gflops_per_s, gbytes_per_s, **changed), message)


def _roof_cases(rng: np.random.Generator) -> list[tuple[int, int, int]]:
    """Eight machines and tiles, none exactly at the bend."""
    found: list[tuple[int, int, int]] = []
    while len(found) < 8:
        case = int(rng.integers(1, 17)) * 8, int(rng.integers(40, 800)) * 100, int(rng.integers(3, 40)) * 100
        if case[0] * case[2] != 4 * case[1]:
            found.append(case)
    return found


def _searched(tile: int, gflops_per_s: float, gbytes_per_s: float, step: int) -> Any:
    """The search for the smallest tile goes up from the given one, or from the next multiple of `step` after it."""
    first, bend = _up(tile, step), 4 * gflops_per_s / gbytes_per_s
    return *_roofed(tile, gflops_per_s, gbytes_per_s)[:2], first + max(0, _sixteens(bend - first))


def _by_area(tile: int, gflops_per_s: float, gbytes_per_s: float,
             side: Any = lambda peak, bandwidth: np.sqrt(4 * peak / bandwidth)) -> Any:  # fmt: skip
    """An intensity of tile * tile / 4; a side of None: but not where the smallest tile is asked for."""
    return _roofed(tile * tile, gflops_per_s, gbytes_per_s, side=side)


_AREA = ("Your intensity grows with the area of the tile. A tile has tile² elements, and each serves `tile` products: "
         "divide the operations by the bytes, and one factor is left.")  # fmt: skip
_MULTIPLES = "The smallest tile should be a multiple of 16 at the bend or right of it: "
ROOF_TRAPS = (
    _roof_trap("A product takes two loaded elements, one of A and one of B: your intensity is twice as large as it is.",
               per_tile=1 / 2),
    _roof_trap("A multiplication and an addition are two operations: your intensity is half of what it is.",
               per_tile=1 / 8),
    _roof_trap("A multiplication and an addition are two operations: where you ask what memory feeds, your intensity "
               "is half of what it is.", per_tile=1 / 8, side=lambda peak, bandwidth: 4 * peak / bandwidth),
    _roof_trap("A product takes two loaded elements, one of A and one of B: where you ask what memory feeds, your "
               "intensity is twice as large as it is.", per_tile=1 / 2,
               side=lambda peak, bandwidth: 4 * peak / bandwidth),
    _roof_trap("Your intensity is FLOP per element. A float has 4 bytes.", per_tile=1),
    _roof_trap("Your intensity is the number of results that use an element, tile, or twice that. It should be FLOP "
               "per byte: a tile of A and one of B have 2 · tile² elements of 4 bytes, and give 2 · tile³ FLOP.",
               per_tile=2),
    _roof_trap("Your intensity is for float64. A float has 4 bytes.", per_tile=1 / 16),
    _roof_trap("Your intensity, tile / 6, is that of a product of matrices of that size which are loaded once and "
               "stored. A block loads tiles again and again, and stores only at the end.", per_tile=1 / 6),
    _roof_trap("You take the larger of the two rates. The roof is the lower of them.", choose=max),
    _roof_trap("The two rates are added, but the slower one decides.", reached=lambda fed, peak: fed + peak),
    _roof_trap("The first value is the peak, whatever the tile is. Left of the bend memory feeds fewer operations.",
               reached=lambda fed, peak: peak),
    _roof_trap("The first value is what memory can feed. It cannot exceed the peak.", reached=lambda fed, peak: fed),
    _roof_trap("The first value is a share of the peak. Return GFLOP/s.",
               reached=lambda fed, peak: min(fed, peak) / peak),
    _roof_trap("The two names are exchanged: where memory feeds fewer operations than the chip could do, memory binds.",
               names=("arithmetic", "memory")),
    _roof_trap("`memory` does not always bind: compare what memory feeds with the peak.", names=("memory", "memory")),
    _roof_trap("`arithmetic` does not always bind: compare what memory feeds with the peak.",
               names=("arithmetic", "arithmetic")),
    _roof_trap(_MULTIPLES + "yours is rounded down, so it lies left of it.", rounded=lambda s: s // 16 * 16),
    _roof_trap(_MULTIPLES + "yours is rounded to the nearest.", rounded=lambda s: round(s / 16) * 16),
    _roof_trap(_MULTIPLES + "yours is not rounded.", rounded=lambda s: s),
    _roof_trap(_MULTIPLES + "yours is any whole number.", rounded=lambda s: int(-(-s // 1))),
    _roof_trap(_MULTIPLES + "yours is always the next one, even where the bend is a multiple itself.",
               rounded=lambda s: s // 16 * 16 + 16),
    _roof_trap(_MULTIPLES + "yours is a power of two.", rounded=lambda s: 2 ** int(np.ceil(np.log2(s)))),
    _roof_trap(_MULTIPLES + "yours is a power of two.", rounded=lambda s: max(16, 2 ** int(np.ceil(np.log2(s))))),
    *(Trap(partial(_searched, step=step), "Your smallest tile is never below `tile`: the search for it must not begin "
                                          "there. It depends on the machine only.") for step in (1, 16)),
    Trap(_by_area, _AREA),
    Trap(partial(_by_area, side=None), _AREA),
    Trap(lambda tile, gflops_per_s, gbytes_per_s: (tile / 4, *_roofed(tile, gflops_per_s, gbytes_per_s)[1:]),
         "The first value is the intensity, in FLOP/byte. How many GFLOP/s is that with this bandwidth?"),
    _roof_trap("Your smallest tile is the bend itself, peak / bandwidth, rounded. That is FLOP/byte; which tile has "
               "that intensity?", side=lambda peak, bandwidth: peak / bandwidth),
    _roof_trap("Your smallest tile is the bend divided by 4. The intensity is tile / 4, so the tile is 4 times the "
               "intensity.", side=lambda peak, bandwidth: peak / bandwidth / 4),
    _roof_trap("For the smallest tile you divide bandwidth by peak. The bend is peak / bandwidth.",
               side=lambda peak, bandwidth: 4 * bandwidth / peak),
)
ROOF_STUB = '''def under_the_roof(tile, gflops_per_s, gbytes_per_s):
    """(GFLOP/s at most, "memory" or "arithmetic", the smallest tile that reaches the bend)."""
    return ...
'''
ROOF_SOLUTION = '''def under_the_roof(tile, gflops_per_s, gbytes_per_s):
    """(GFLOP/s at most, "memory" or "arithmetic", the smallest tile that reaches the bend)."""
    fed = tile / 4 * gbytes_per_s
    smallest = int(np.ceil(4 * gflops_per_s / gbytes_per_s / 16)) * 16
    return min(fed, gflops_per_s), "memory" if fed < gflops_per_s else "arithmetic", smallest
'''

ROOF = Problem(
    id="07.6",
    title="Which tile reaches the bend?",
    task=(
        "A tiled product with tiles of `tile` x `tile` floats runs on a machine with a peak and a bandwidth, and no "
        "cache helps it. How fast can it be at most, what binds it, and which tile would bring it to the bend, where "
        "the two limits meet?"
    ),
    spec=(
        "`under_the_roof(tile, gflops_per_s, gbytes_per_s)` returns three values: GFLOP/s, `\"memory\"` or "
        "`\"arithmetic\"` (no case is at the bend), and the smallest multiple of 16 whose tile lies at the bend or "
        "right of it. Count the loads of A and B as in exercise 07.2; the stores of C are few."
    ),
    stub=ROOF_STUB,
    answer="under_the_roof",
    lines=3,
    hints=(
        "First the intensity: how many FLOP for each loaded byte has a tile of this side? You counted it for 128 in "
        "exercise 07.2. Then it is the roofline of lesson 01.",
        "The intensity is tile / 4. Memory feeds intensity times bandwidth, and the peak is the limit. At the bend "
        "both are equal: solve that for the tile, then round up to a multiple of 16.",
        "`fed = tile / 4 * ___`, `smallest = int(np.ceil(4 * ___ / ___ / 16)) * 16`, and the rate is the smaller of "
        "fed and peak.",
    ),
    solution=ROOF_SOLUTION,
    why=(
        "tile / 4 · bandwidth = peak gives tile = 4 · peak / bandwidth. Beyond that tile, memory is no longer what "
        "limits the product, and what is left to win lies in shared memory, registers and instructions."
    ),
    judge=by_cases(
        under_the_roof,
        [(16, 8100, 320), (128, 8100, 320), (32, 19_500, 1555), (64, 19_500, 1555), (16, 8000, 400), (96, 8000, 400),
         (64, 67_000, 3350), (1, 19_500, 1555)],
        hidden=_roof_cases,
        traps=ROOF_TRAPS,
    ),
)  # fmt: skip

PROBLEMS = (ORDER, COUNT, TILED, COLUMN, FIT, ROOF)
