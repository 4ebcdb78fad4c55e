"""The exercises of lesson 03: indices predicted, scale, saxpy, gray, flip, a grid-stride sum, a kernel to repair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucourse.exercises.compare import Trap, is_mapping
from gpucourse.exercises.kernel_cases import KernelTrap, Launch, blank, by_launches
from gpucourse.exercises.limits import undisturbed
from gpucourse.exercises.problem import Problem

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Formula = Callable[[Ints, Ints, int, int], Ints]   # (block, thread, blockDim.x, gridDim.x) -> index
FULL = 1 << 24   # elements of a launch that is timed on a GPU


# -- what all launches here share -------------------------------------------------------------------


def blocks_for(n: int, threads: int) -> int:
    """The fewest blocks of so many threads that have a thread for each of n elements."""
    return -(-n // threads)


def said(blocks: int, threads: int) -> str:
    """A one-dimensional launch in words: "1 block of 32 threads"."""
    return f"{blocks} block{'s' * (blocks != 1)} of {threads} threads"


def written_by(launch: Launch, name: str, index: Formula) -> dict[str, Any]:
    """The output when threads compute another index: right where one of them lands, as before elsewhere."""
    grid, block = launch.grid[0], launch.block[0]
    number = np.arange(grid * block)
    at = index(number // block, number % block, block, grid)
    at = at[(at >= 0) & (at < launch.args[name].size)]
    out = launch.args[name].copy()
    out[at] = launch.due[name][at]
    return {name: out}


def _blocks_of(length: int) -> Formula:
    return lambda b, t, block, grid: b * length + t


# (what the index is, its cause in words)
_INDICES: tuple[tuple[Formula, str], ...] = (
    (lambda b, t, block, grid: t,
     "Every block works on the same elements: the index is the thread's number in its block. Add the elements of the "
     "blocks before, `blockIdx.x * blockDim.x`."),
    (lambda b, t, block, grid: b,
     "All threads of a block work on the same element: the index is the block's number. Multiply it by `blockDim.x` "
     "and add `threadIdx.x`."),
    (lambda b, t, block, grid: b * block,
     "All threads of a block work on its first element: `threadIdx.x` is missing from the index."),
    (lambda b, t, block, grid: b + t,
     "Neighboring blocks overlap: the index is `blockIdx.x + threadIdx.x`. Each block is `blockDim.x` elements long, "
     "so its number has to be multiplied by that."),
    (lambda b, t, block, grid: b * t,
     "The index is the product `blockIdx.x * threadIdx.x`. It should be the block's first element, "
     "`blockIdx.x * blockDim.x`, plus `threadIdx.x`."),
    (lambda b, t, block, grid: b * grid + t,
     "The block's number is multiplied by `gridDim.x`, the number of blocks. A block begins at `blockIdx.x * "
     "blockDim.x`, its number times the threads of a block."),
    *((_blocks_of(length),
       f"The index counts {length} threads for each block, but a block can have another number of them: "
                           "it is `blockDim.x`.") for length in (32, 64, 128, 256, 512, 1024)),
)  # fmt: skip


def index_traps(name: str) -> list[KernelTrap]:
    """The usual wrong indices of one-dimensional launches, for the output `name`."""
    return [KernelTrap(partial(written_by, name=name, index=index), cause) for index, cause in _INDICES]


# -- 03.1 -------------------------------------------------------------------------------------------

WHO = Problem(
    id="03.1",
    title="Which thread, which element",
    task=(
        "Work out on paper what two launches do. The first is for 1000 elements, in blocks of 192 threads; the second "
        "for a picture 100 pixels wide and 60 high, in blocks of (16, 8) threads. Both have as few blocks as suffice."
    ),
    spec=(
        "Six whole numbers. Elements are numbered from 0, and so are blocks and threads; the pixel in row r and column "
        "c has the number r * 100 + c."
    ),
    stub='''who = {
    "blocks": ...,         # blocks of the first launch
    "idle": ...,           # its threads without an element
    "element": ...,        # the element of its thread 7 in block 3
    "last thread": ...,    # the thread of the last block that has element 999
    "pixel": ...,          # second launch: the pixel of thread (3, 5) in block (2, 4), both given as (x, y)
    "idle in 2-D": ...,    # its threads without a pixel
}
''',
    answer="who",
    lines=6,
    hints=(
        "A launch always consists of whole blocks. Round the number of blocks up, along each axis by itself.",
        "The index along an axis is the block's number times the block's length, plus the thread's number. Idle "
        "threads: all threads of the launch less all elements.",
        "Six blocks of 192 are 1152 threads. Thread 7 of block 3 has element 3 * 192 + 7. In two dimensions: 7 blocks "
        "side by side, 8 above each other; x is the column, 2 * 16 + 3, and y the row, 4 * 8 + 5.",
    ),
    solution='''who = {
    "blocks": 6,
    "idle": 6 * 192 - 1000,
    "element": 3 * 192 + 7,
    "last thread": 999 - 5 * 192,
    "pixel": (4 * 8 + 5) * 100 + (2 * 16 + 3),
    "idle in 2-D": (7 * 16) * (8 * 8) - 100 * 60,
}
''',
    why=(
        "The number of blocks is rounded up, so the last block along an axis sticks out over the data. Its threads "
        "exist and run; only a guard keeps them from touching memory that is not theirs."
    ),
    judge=is_mapping(
        {"blocks": 6, "idle": 152, "element": 583, "last thread": 39, "pixel": 3735, "idle in 2-D": 1168},
        unit="",
        traps=(
            Trap({"blocks": 5}, "5 blocks of 192 are 960 threads: 40 elements would have nobody. Round up."),
            Trap({"blocks": 1000 / 192}, "There are only whole blocks: round up."),
            Trap({"idle": 40}, "40 elements are left for the last block. Idle are its other threads."),
            Trap({"idle": 0}, "6 blocks of 192 are more threads than elements, and all of them run."),
            Trap({"element": 3 + 7 * 6},
                 "Block and thread have changed places: neighboring threads have neighboring elements."),
            Trap({"element": 10}, "Each of the three blocks before is 192 elements long."),
            Trap({"element": 4 * 192 + 7}, "Blocks are numbered from 0: three of them lie before block 3, not four."),
            Trap({"element": 2 * 192 + 7}, "Blocks are numbered from 0: three of them lie before block 3, not two."),
            Trap({"element": 2 * 192 + 6}, "Blocks and threads are numbered from 0, not from 1."),
            Trap({"last thread": 231}, "There are 192 threads in a block, numbered 0 to 191: how many blocks lie "
                                       "before the last one?"),
            Trap({"last thread": 40}, "The last block has 40 elements, and its threads are numbered from 0."),
            Trap({"last thread": 191}, "That is the last thread of the block. It is idle: the elements end before it."),
            Trap({"last thread": 999}, "That is the element. The question is the thread's number in its own block."),
            Trap({"pixel": (2 * 16 + 3) * 100 + 37}, "Row and column have changed places: x is the column, y the row."),
            Trap({"pixel": 35 * 60 + 37}, "Row and column have changed places, and rows are 100 pixels long."),
            Trap({"pixel": 37 * 60 + 35}, "The row is multiplied by the length of a row, which is the width, 100."),
            Trap({"pixel": 37 * 112 + 35}, "Rows of the picture are 100 pixels long, not as long as the grid."),
            Trap({"pixel": (4 * 16 + 5) * 100 + (2 * 8 + 3)}, "The block is 16 threads wide (x) and 8 high (y)."),
            Trap({"idle in 2-D": 144}, "Blocks are rounded up along each axis by itself: so many for the width, so "
                                       "many for the height."),
            Trap({"pixel": 3736}, "Columns and rows are numbered from 0, and so are the pixels."),
            Trap({"idle in 2-D": 12 * 60}, "These are the threads beside the picture. More lie below it."),
            Trap({"idle in 2-D": 4 * 100}, "These are the threads below the picture. More lie beside it."),
            Trap({"idle in 2-D": 12 * 60 + 4 * 100},
                 "The corner, beside and below the picture, is missing: 12 times 4."),
            Trap({"idle in 2-D": 12 * 64 + 4 * 112}, "The corner, beside and below the picture, was counted twice."),
            Trap({"idle in 2-D": 12 * 4}, "That is the corner alone. Count all threads, and take the pixels away."),
            Trap({"idle in 2-D": 16}, "Rounded up as one row of 6000 pixels. Round up along each axis by itself."),
        ),
    ),
)


# -- 03.2 -------------------------------------------------------------------------------------------


def scale_launch(blocks: int, threads: int, rng: np.random.Generator) -> Launch:
    """As many threads as elements."""
    n = blocks * threads
    x = (rng.random(n, dtype=np.float32) + 1).astype(np.float32)
    args = {"x": x, "out": blank(n), "a": np.float32(2.5)}
    big = None if n == FULL else lambda: scale_launch(FULL // 256, 256, rng)
    return Launch((blocks,), (threads,), args, {"out": np.float32(2.5) * x}, full=big,
                  words=f"{n:,} elements, {said(blocks, threads)}")  # fmt: skip


SCALE = Problem(
    id="03.2",
    title="Scale",
    task=(
        "Write the body of your first kernel: every thread computes the number of its element and stores `a` times "
        "that element of `x` into `out`. The launch has exactly as many threads as there are elements."
    ),
    spec=(
        "`x` and `out` are float32 of one dimension, `a` is one float32. The check launches one-dimensional grids, "
        "with blocks of various sizes."
    ),
    stub='''scale = cp.RawKernel(r"""
extern "C" __global__ void scale(const float* x, float* out, float a) {
    // ... which element is mine? then: out[i] = a * x[i]
}
""", "scale")
''',
    answer="scale",
    lines=2,
    hints=(
        "A kernel is the body of the loop. Instead of the loop's counter, a thread has its own number and that of its "
        "block.",
        "The elements of the blocks before come first: each block has `blockDim.x` of them, and there are `blockIdx.x` "
        "such blocks. In C a variable is declared with its type, `int i = ...;`.",
        "`int i = blockIdx.x * ___ + threadIdx.x;` and then the line from the comment, with a semicolon.",
    ),
    solution='''scale = cp.RawKernel(r"""
extern "C" __global__ void scale(const float* x, float* out, float a) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    out[i] = a * x[i];
}
""", "scale")
''',
    why=(
        "The loop is gone: the launch makes one thread for every value that its counter had. `blockIdx.x * blockDim.x` "
        "is the first element of the block, and `threadIdx.x` counts on from there."
    ),
    judge=by_launches(
        lambda rng: [scale_launch(blocks, threads, rng) for blocks, threads in ((1, 3), (5, 96), (7, 160))],
        traps=[
            *index_traps("out"),
            KernelTrap(lambda launch: {"out": launch.args["x"] + launch.args["a"]},
                       "This adds `a`; the task is to multiply by it."),
            KernelTrap(lambda launch: {"out": launch.args["x"] / launch.args["a"]},
                       "This divides by `a`; the task is to multiply by it."),
            KernelTrap(lambda launch: {"out": launch.args["x"]}, "`x` comes out as it was: multiply it by `a`."),
            KernelTrap(lambda launch: {"out": np.full_like(launch.args["x"], launch.args["a"])},
                       "Every element is `a`: `x[i]` is missing."),
            KernelTrap(lambda launch: {"out": launch.args["a"] * np.arange(launch.args["x"].size, dtype=np.float32)},
                       "This is `a` times the index. Multiply the element, `x[i]`."),
            KernelTrap(lambda launch: {"out": 2 * launch.args["x"]},
                       "`a` has lost its digits behind the point: it went through an `int`."),
            KernelTrap(lambda launch: {"out": np.floor(launch.args["a"] * launch.args["x"])},
                       "The products have lost their digits behind the point: they went through an `int`."),
        ],
    ),
)  # fmt: skip


# -- 03.3 -------------------------------------------------------------------------------------------


def saxpy_launch(n: int, threads: int, rng: np.random.Generator, spare: int = 0) -> Launch:
    """n elements, and `spare` blocks more than needed."""
    x, y = (rng.random(n, dtype=np.float32) + 1 for _ in range(2))
    a, blocks = np.float32(3), blocks_for(n, threads) + spare
    args = {"a": a, "x": x, "y": y, "n": np.int32(n)}
    big = None if n == FULL else lambda: saxpy_launch(FULL, 256, rng)
    return Launch((blocks,), (threads,), args, {"y": a * x + y}, rtol=1e-5, full=big,
                  words=f"n = {n:,}, {said(blocks, threads)}")  # fmt: skip


def _saxpy(formula: Callable[[Any, Any, Any], Any], cause: str) -> KernelTrap:
    return KernelTrap(lambda launch: {"y": formula(launch.args["a"], launch.args["x"], launch.args["y"])}, cause)


SAXPY = Problem(
    id="03.3",
    title="Saxpy with a guard",
    task=(
        "Write the kernel that every numerical library has: y = a x + y, with the result left in `y`. This time the "
        "number of elements need not fill the last block, so some threads have nothing to do and must touch nothing."
    ),
    spec="`x` and `y` are float32 with `n` elements each; there are at least `n` threads, in one dimension.",
    stub='''saxpy = cp.RawKernel(r"""
extern "C" __global__ void saxpy(float a, const float* x, float* y, int n) {
    // ... y[i] becomes a * x[i] + y[i], for the threads that have an element
}
""", "saxpy")
''',
    answer="saxpy",
    lines=2,
    hints=(
        "A launch has whole blocks only. The threads behind the last element run too, and nothing but your kernel "
        "stops them.",
        "Compute the index as in `scale`. Before you touch memory, ask whether the index is one of 0 to n - 1.",
        "`int i = ...;` as in `scale`, then `if (i ___ n) y[i] = a * x[i] + ___;`",
    ),
    solution='''saxpy = cp.RawKernel(r"""
extern "C" __global__ void saxpy(float a, const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}
""", "saxpy")
''',
    why=(
        "The guard costs next to nothing, and it lets one kernel serve every n. A thread may read and write `y[i]` "
        "without any care because no other thread touches that element."
    ),
    judge=by_launches(
        lambda rng: [saxpy_launch(*case) for case in ((3, 32, rng), (1100, 192, rng), (333, 48, rng, 2))],
        traps=[
            *index_traps("y"),
            _saxpy(lambda a, x, y: a * x, "This is a x alone: add the old `y[i]`."),
            _saxpy(lambda a, x, y: x + y, "The factor `a` is missing: y = a x + y."),
            _saxpy(lambda a, x, y: a * y + x, "`x` and `y` have changed places: `a` multiplies `x`."),
            _saxpy(lambda a, x, y: a * (x + y), "The brackets are wrong: `a` multiplies `x` alone, then `y` is added."),
            _saxpy(lambda a, x, y: a * x - y, "`y` is subtracted: it should be added."),
            _saxpy(lambda a, x, y: y - a * x, "a x is subtracted: it should be added."),
            _saxpy(lambda a, x, y: a * x + 2 * y,
                   "The old `y` is added twice: is it `y[i] += ... + y[i]`? One of the two is enough."),
            _saxpy(lambda a, x, y: 2 * a * x + y, "a x is added twice."),
            _saxpy(lambda a, x, y: a + x + y, "`a` is added: it should multiply `x`."),
            _saxpy(lambda a, x, y: a * x + x, "`x` is added where `y` should be."),
            _saxpy(lambda a, x, y: a * x * y, "a x is multiplied by `y`: they should be added."),
            KernelTrap(lambda launch: {"y": np.append(launch.due["y"][:-1], launch.args["y"][-1])},
                       "The last element is left out: the guard lets i go up to n - 2 only. Let it pass `i < n`."),
            KernelTrap(lambda launch: {"y": np.append(launch.args["y"][0], launch.due["y"][1:])},
                       "Element 0 is left out: indices begin at 0."),
        ],
    ),
)  # fmt: skip


# -- pictures ---------------------------------------------------------------------------------------


@cache
@undisturbed
def photograph() -> NDArray[np.uint8]:
    """Grace Hopper's portrait, uint8 of shape (600, 512, 3): a sample that comes with matplotlib.

    Undisturbed: a check that is stopped within an import would leave half a module behind.
    """
    from matplotlib.cbook import get_sample_data
    from matplotlib.image import imread

    return np.asarray(imread(get_sample_data("grace_hopper.jpg", asfileobj=False)))


def clipping(width: int, height: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A piece of the photograph, uint8 of shape (height, width, 3), repeated where that is larger."""
    picture = photograph()
    picture = np.tile(picture, (-(-height // 600), -(-width // 512), 1))
    row, column = (int(rng.integers(0, room + 1)) for room in (picture.shape[0] - height, picture.shape[1] - width))
    return picture[row : row + height, column : column + width].copy()


def picture_launch(
    width: int, height: int, block: tuple[int, int], args: dict[str, Any], due: dict[str, Any], **options: Any
) -> Launch:
    """A launch with a thread for each pixel, x along a row; `width` and `height` become the last arguments."""
    grid = blocks_for(width, block[0]), blocks_for(height, block[1])
    sizes = {"width": np.int32(width), "height": np.int32(height)}
    words = f"{width} x {height} pixels, grid {grid}, block {block}"
    return Launch(grid, block, args | sizes, due, words=words, extent=(width, height), **options)


Pair = tuple[Any, Any]
Where = Callable[[Pair, Pair, int, int], Pair]   # (block, thread, blockDim.x, blockDim.y) -> x, y
# (width, height, block): never square, never a multiple of the block along both axes
PICTURES: tuple[tuple[int, int, tuple[int, int]], ...] = (
    (5, 2, (8, 4)), (35, 20, (16, 8)), (21, 37, (8, 16)), (40, 9, (8, 8)),
)  # fmt: skip
LARGE = (4096, 4096, (32, 8))


def own_pixel(b: Pair, t: Pair, wide: int, high: int) -> Pair:
    """The right x and y of threads `t` of blocks `b`, both given as (x, y)."""
    return b[0] * wide + t[0], b[1] * high + t[1]


def pixels(launch: Launch, where: Where = own_pixel) -> Pair:
    """x and y of every thread of the launch, in the order of the simulator: block by block."""
    (across, down), (wide, high) = launch.grid, launch.block
    number = np.arange(across * down * wide * high)
    block, thread = number // (wide * high), number % (wide * high)
    return where((block % across, block // across), (thread % wide, thread // wide), wide, high)


def row_after_row(x: Any, y: Any, width: int, height: int) -> Any:
    """The right number of a pixel."""
    return y * width + x


def misplaced(
    launch: Launch, name: str = "out", at: Callable[[Any, Any, int, int], Any] = row_after_row, where: Where = own_pixel
) -> dict[str, Any]:
    """The output when threads have other pixels, `where`, or these another number, `at(x, y, width, height)`."""
    width, height = int(launch.args["width"]), int(launch.args["height"])
    x, y = pixels(launch, where)
    inside = (x < width) & (y < height)
    place = at(x[inside], y[inside], width, height)
    place = place[(place >= 0) & (place < width * height)]
    out = launch.args[name].copy()
    out.reshape(-1)[place] = launch.due[name].reshape(-1)[place]
    return {name: out}


# (what x and y are, the cause in words)
_WHERE: tuple[tuple[Where, str], ...] = (
    (lambda b, t, wide, high: own_pixel(b, t, wide, high)[::-1],
     "x and y have changed places: x counts along a row and comes from `blockIdx.x` and `threadIdx.x`."),
    (lambda b, t, wide, high: t,
     "Every block works on the same pixels: x and y are the thread's place in its block. Add the pixels of the blocks "
     "before, `blockIdx.x * blockDim.x` and `blockIdx.y * blockDim.y`."),
    (lambda b, t, wide, high: (own_pixel(b, t, wide, high)[0], t[1]),
     "Every block starts in row 0: `blockIdx.y * blockDim.y` is missing from y."),
    (lambda b, t, wide, high: (t[0], own_pixel(b, t, wide, high)[1]),
     "Every block starts in column 0: `blockIdx.x * blockDim.x` is missing from x."),
    (lambda b, t, wide, high: (b[0] * wide + t[0], b[1] * wide + t[1]),
     "Some rows are done twice or never: y counts `blockDim.x` threads for each block. Along y a block has "
     "`blockDim.y` of them."),
    (lambda b, t, wide, high: (b[0] * high + t[0], b[1] * high + t[1]),
     "Some columns are done twice or never: x counts `blockDim.y` threads for each block. Along x a block has "
     "`blockDim.x` of them."),
    (lambda b, t, wide, high: (b[0] * 16 + t[0], b[1] * 16 + t[1]),
     "x and y count 16 threads for each block. Blocks can have other sizes: `blockDim.x` and `blockDim.y`."),
    (lambda b, t, wide, high: (b[0] * wide + t[0], b[1] * 16 + t[1]),
     "y counts 16 rows for each block. Blocks can have another height: `blockDim.y`."),
    (lambda b, t, wide, high: (b[0] * wide + t[0], b[0] * high + t[1]),
     "y is made with `blockIdx.x`: along y the block's number is `blockIdx.y`."),
    (lambda b, t, wide, high: (b[0] * wide + t[0], b[1] * high + t[0]),
     "y is made with `threadIdx.x`: along y the thread's number is `threadIdx.y`."),
    (lambda b, t, wide, high: (b[0] * wide + t[0], b[0] * wide + t[0]),
     "x and y are the same: y comes from `blockIdx.y`, `blockDim.y` and `threadIdx.y`."),
)  # fmt: skip


def where_traps() -> list[KernelTrap]:
    """The usual wrong places of threads in two dimensions."""
    return [KernelTrap(partial(misplaced, where=where), cause) for where, cause in _WHERE]


# -- 03.4 -------------------------------------------------------------------------------------------

WEIGHTS = np.array([0.299, 0.587, 0.114])   # red, green, blue: ITU-R BT.601, section 2.5.1


def gray_launch(width: int, height: int, block: tuple[int, int], rng: np.random.Generator) -> Launch:
    """A piece of the photograph; gray in float32."""
    rgb = clipping(width, height, rng)
    due = (rgb @ WEIGHTS).astype(np.float32)
    big = None if width == LARGE[0] else lambda: gray_launch(*LARGE, rng)
    args = {"rgb": rgb, "out": blank((height, width))}
    return picture_launch(width, height, block, args, {"out": due}, rtol=1e-5, atol=1e-3, full=big)


def _gray(formula: Callable[[Any, Any, Any], Any], cause: str) -> KernelTrap:
    def wrong(launch: Launch) -> dict[str, Any]:
        red, green, blue = np.moveaxis(launch.args["rgb"].astype(np.float64), -1, 0)
        return {"out": formula(red, green, blue).astype(np.float32)}

    return KernelTrap(wrong, cause)


def _gray_at(offsets: Callable[[Any, int], Sequence[Any]], cause: str) -> KernelTrap:
    """Bytes of the picture taken from other places: offsets(pixel, number of pixels) of red, green, blue."""

    def wrong(launch: Launch) -> dict[str, Any]:
        flat, shape = launch.args["rgb"].reshape(-1).astype(np.float64), launch.due["out"].shape
        at = offsets(np.arange(flat.size // 3), flat.size // 3)
        parts = [np.where(place < flat.size, flat[np.minimum(place, flat.size - 1)], np.nan) for place in at]
        return {"out": sum(w * part for w, part in zip(WEIGHTS, parts, strict=True)).reshape(shape).astype(np.float32)}

    return KernelTrap(wrong, cause)


GRAY = Problem(
    id="03.4",
    title="From RGB to gray",
    task=(
        "Turn a color photograph into gray: each thread reads the red, green and blue byte of one pixel and stores "
        "0.299 red + 0.587 green + 0.114 blue. The grid has two dimensions, x along a row and y down the rows."
    ),
    spec=(
        "`rgb` is uint8 of shape (height, width, 3), `out` float32 of shape (height, width), both row after row in "
        "memory, so pixel (x, y) is number y * width + x, and its three bytes lie together. The grid may stick out on "
        "both sides."
    ),
    stub='''to_gray = cp.RawKernel(r"""
extern "C" __global__ void to_gray(const unsigned char* rgb, float* out, int width, int height) {
    const float RED = 0.299f, GREEN = 0.587f, BLUE = 0.114f;   // the eye sees green best
    // ... x and y of my pixel; if it is in the picture, its gray
}
""", "to_gray")
''',
    answer="to_gray",
    lines=6,
    hints=(
        "Two axes mean two indices, each made as before, and a guard that asks about both.",
        "The number of a pixel is y * width + x. With three bytes for each pixel, its red byte is at three times that "
        "number, green and blue follow.",
        "`int i = y * width + x;` inside `if (x < ___ && y < ___) { ... }`, then `out[i] = RED * rgb[3 * i] + GREEN * "
        "rgb[3 * i + ___] + ...;`",
    ),
    solution='''to_gray = cp.RawKernel(r"""
extern "C" __global__ void to_gray(const unsigned char* rgb, float* out, int width, int height) {
    const float RED = 0.299f, GREEN = 0.587f, BLUE = 0.114f;   // the eye sees green best
    int x = blockIdx.x * blockDim.x + threadIdx.x;
    int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x < width && y < height) {
        int i = y * width + x;
        out[i] = RED * rgb[3 * i] + GREEN * rgb[3 * i + 1] + BLUE * rgb[3 * i + 2];
    }
}
""", "to_gray")
''',
    why=(
        "Memory has one dimension; `y * width + x` is where a picture's second dimension goes. The guard needs both "
        "comparisons: x beyond the width would land in the next row, where no address is wrong and nothing complains."
    ),
    judge=by_launches(
        lambda rng: [gray_launch(*size, rng) for size in PICTURES],
        once=True,
        traps=[
            *where_traps(),
            KernelTrap(lambda launch: misplaced(launch, "out", lambda x, y, w, h: y * h + x),
                       "The row is multiplied by `height`. A row is `width` pixels long: `y * width + x`."),
            KernelTrap(lambda launch: misplaced(launch, "out", lambda x, y, w, h: x * w + y),
                       "x and y have changed places in the pixel's number: it is `y * width + x`."),
            KernelTrap(lambda launch: misplaced(launch, "out", lambda x, y, w, h: y + x),
                       "The row is not multiplied by `width`: the pixel's number is `y * width + x`."),
            KernelTrap(lambda launch: misplaced(launch, "out", lambda x, y, w, h: x),
                       "Only the first row is done: the pixel's number is `y * width + x`."),
            _gray(lambda r, g, b: (r + g + b) / 3,
                  "These are plain means. The three colors have weights of their own."),
            _gray(lambda r, g, b: r + g + b, "These are the sums of the three bytes. Each has a weight."),
            _gray(lambda r, g, b: 0.114 * r + 0.587 * g + 0.299 * b,
                  "Red and blue have changed places: the first byte of a pixel is red."),
            _gray(lambda r, g, b: 0.587 * r + 0.299 * g + 0.114 * b, "Red and green have changed places."),
            _gray(lambda r, g, b: 0.299 * r + 0.114 * g + 0.587 * b, "Green and blue have changed places."),
            _gray(lambda r, g, b: 0.299 * r + 0.587 * g, "Blue is missing."),
            _gray(lambda r, g, b: 0.299 * r + 0.114 * b, "Green is missing."),
            _gray(lambda r, g, b: 0.587 * g + 0.114 * b, "Red is missing."),
            _gray(lambda r, g, b: 0.299 * r, "Only the red byte is used: green and blue follow it in memory."),
            _gray(lambda r, g, b: np.floor(0.299 * r + 0.587 * g + 0.114 * b),
                  "The digits behind the point are cut off: the sum went through an integer type. `out` is float."),
            _gray(lambda r, g, b: (0.299 * r + 0.587 * g + 0.114 * b) / 255,
                  "The values are divided by 255. They should stay between 0 and 255."),
            KernelTrap(lambda launch: {"out": (launch.args["rgb"].view(np.int8) @ WEIGHTS).astype(np.float32)},
                       "Bytes above 127 come out negative: `char` has a sign. The parameter is `const unsigned "
                       "char*`."),
            _gray_at(lambda i, n: (3 * i, 3 * i + 2, 3 * i + 2), "Green takes the byte of blue: it is at `3 * i + 1`."),
            _gray_at(lambda i, n: (3 * i, 3 * i + 1, 3 * i + 1), "Blue takes the byte of green: it is at `3 * i + 2`."),
            _gray_at(lambda i, n: (i, i + 1, i + 2),
                     "The pixel's number is used as the number of its byte. Each pixel has three bytes: the red one "
                     "is at `3 * i`."),
            _gray_at(lambda i, n: (i, i + n, i + 2 * n),
                     "This takes red, green and blue from three separate pictures, one after the other. Here the three "
                     "bytes of a pixel lie together: `3 * i`, `3 * i + 1`, `3 * i + 2`."),
            _gray_at(lambda i, n: (3 * i, 3 * i, 3 * i), "This is the red byte alone. Red is at `3 * i`, green at "
                     "`3 * i + 1`, blue at `3 * i + 2`."),
            _gray_at(lambda i, n: (3 * i + 1, 3 * i + 2, 3 * i + 3), "All bytes are one too far: red is at `3 * i`."),
            _gray_at(lambda i, n: (4 * i, 4 * i + 1, 4 * i + 2),
                     "This picture has three bytes for each pixel, not four."),
        ],
    ),
)  # fmt: skip


# -- 03.5 -------------------------------------------------------------------------------------------


def flip_launch(width: int, height: int, block: tuple[int, int], rng: np.random.Generator) -> Launch:
    """A gray piece of the photograph, with a little noise so that no two pixels are equal."""
    noise = rng.random((height, width))
    image = (clipping(width, height, rng) @ WEIGHTS + noise).astype(np.float32)
    big = None if width == LARGE[0] else lambda: flip_launch(*LARGE, rng)
    args = {"image": image, "out": blank((height, width))}
    return picture_launch(width, height, block, args, {"out": image[:, ::-1].copy()}, full=big)


def _flip(formula: Callable[[Any], Any], cause: str) -> KernelTrap:
    return KernelTrap(lambda launch: {"out": np.ascontiguousarray(formula(launch.args["image"]))}, cause)


def _one_off(image: Any) -> Any:
    """Column x read from width - x: x = 0 takes the next row's first pixel, and the last row has none."""
    flat = np.append(image.reshape(-1), np.float32(np.nan))
    height, width = image.shape
    return flat[np.arange(height)[:, None] * width + width - np.arange(width)]


def _one_off_stored(launch: Launch) -> dict[str, Any]:
    """Column x stored at width - x."""
    out, image = launch.args["out"].copy(), launch.args["image"]
    height, width = image.shape
    place = (np.arange(height)[:, None] * width + width - np.arange(width)).reshape(-1)
    inside = place < image.size
    out.reshape(-1)[place[inside]] = image.reshape(-1)[inside]
    return {"out": out}


FLIP = Problem(
    id="03.5",
    title="Flip",
    task=(
        "Write the whole body of a kernel that mirrors a gray picture: what is on the left comes out on the right. "
        "`out` is a second array; `image` stays as it is."
    ),
    spec=(
        "`image` and `out` are float32 of shape (height, width), row after row. The grid has two dimensions, x along a "
        "row, and may stick out on both sides."
    ),
    stub='''flip = cp.RawKernel(r"""
extern "C" __global__ void flip(const float* image, float* out, int width, int height) {
    // ... pixel (x, y) of out is the mirrored pixel of image
}
""", "flip")
''',
    answer="flip",
    lines=3,
    hints=(
        "Every pixel stays in its row. Which column does column 0 come from, and which the last one?",
        "Make x, y and the guard as in `to_gray`. Column 0 comes from column width - 1, column 1 from width - 2.",
        "`if (x < width && y < height) out[y * width + x] = image[y * width + (width - 1 - ___)];`",
    ),
    solution='''flip = cp.RawKernel(r"""
extern "C" __global__ void flip(const float* image, float* out, int width, int height) {
    int x = blockIdx.x * blockDim.x + threadIdx.x;
    int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x < width && y < height) out[y * width + x] = image[y * width + width - 1 - x];
}
""", "flip")
''',
    why=(
        "Nothing says that a thread must write where it reads. It works because `out` is another array: in place, one "
        "thread would overwrite what another has not read yet, and CUDA promises no order."
    ),
    judge=by_launches(
        lambda rng: [flip_launch(*size, rng) for size in PICTURES],
        once=True,
        traps=[
            _flip(lambda image: image, "The picture comes out as it was: nothing is mirrored."),
            _flip(lambda image: image[::-1], "The picture is upside down: this mirrors y. Mirror x, within each row."),
            _flip(lambda image: image[::-1, ::-1], "The picture is turned by half a turn: mirror x alone, y stays."),
            _flip(_one_off,
                  "Column x is taken from column width - x. The columns end at width - 1, so column 0 comes from "
                  "there: width - 1 - x."),
            KernelTrap(_one_off_stored,
                       "Column x is stored in column width - x. The columns end at width - 1, so column 0 "
                       "goes there: width - 1 - x."),
            _flip(lambda image: np.roll(image[:, ::-1], -1, axis=1),
                  "Column x is taken from column width - 2 - x: that is "
                  "one too far to the left."),
            *where_traps(),
            _flip(lambda image: np.broadcast_to(image[0, ::-1], image.shape),
                  "Every row comes out as the mirrored first one: `image` is read without `y * width`."),
            KernelTrap(lambda launch: {"out": _half(launch)},
                       "Only half of the picture is done. For a copy into `out` every pixel needs its thread."),
        ],
    ),
)  # fmt: skip


def _half(launch: Launch) -> Any:
    out, width = launch.args["out"].copy(), launch.args["image"].shape[1]
    out[:, : width // 2] = launch.due["out"][:, : width // 2]
    return out


# -- 03.6 -------------------------------------------------------------------------------------------


def squares_launch(n: int, blocks: int, threads: int, rng: np.random.Generator) -> Launch:
    """n elements, one partial sum for each thread."""
    x, total = rng.random(n, dtype=np.float32) + 1, blocks * threads
    args = {"x": x, "partial": blank(total), "n": np.int32(n)}
    due = _sums(x, total, lambda t: range(t, n, total)) if n < FULL else _columns(x, total)
    big = None if n == FULL else lambda: squares_launch(FULL, 1024, 256, rng)
    return Launch((blocks,), (threads,), args, {"partial": due}, rtol=1e-4, full=big,
                  words=f"n = {n:,}, {said(blocks, threads)}")  # fmt: skip


def _sums(x: Floats, total: int, mine: Callable[[int], Any], square: bool = True) -> Floats:
    """For each of `total` threads the sum over its elements `mine(t)`."""
    values = x.astype(np.float64) ** (2 if square else 1)
    return np.array([values[list(mine(t))].sum() for t in range(total)], np.float32)


def _columns(x: Floats, total: int) -> Floats:
    sums: Floats = (x.reshape(-1, total).astype(np.float64) ** 2).sum(axis=0).astype(np.float32)
    return sums


def _squares(mine: Callable[[int, int, int, int], Any], cause: str) -> KernelTrap:
    """Other elements for each thread: mine(thread of the launch, n, blockDim.x, gridDim.x)."""

    def wrong(launch: Launch) -> dict[str, Any]:
        x, block, grid = launch.args["x"], launch.block[0], launch.grid[0]
        return {"partial": _sums(x, block * grid, lambda t: [i for i in mine(t, x.size, block, grid) if i < x.size])}

    return KernelTrap(wrong, cause)


def _squares_value(value: Callable[[Floats], Any], cause: str) -> KernelTrap:
    """Another value from the right elements: value(elements of a thread)."""

    def wrong(launch: Launch) -> dict[str, Any]:
        x, total = launch.args["x"], launch.due["partial"].size
        return {"partial": np.array([value(x[t::total]) for t in range(total)], np.float32)}

    return KernelTrap(wrong, cause)


def _stretch(t: int, n: int, total: int) -> range:
    each = -(-n // total)
    return range(t * each, min((t + 1) * each, n))


def _steps_of(step: int) -> Callable[[int, int, int, int], range]:
    return lambda t, n, block, grid: range(t, n, step)


def _whole(mine: Floats) -> int:
    """The sum of squares in an int, cut off after every step."""
    total = 0
    for value in mine:
        total = int(np.float32(total) + value * value)
    return total


SQUARES = Problem(
    id="03.6",
    title="Sum of squares with a grid-stride loop",
    task=(
        "Add up the squares of n numbers with fewer threads than numbers: each thread goes through the data in steps "
        "of the whole grid, adds the squares that it meets, and stores its sum in `partial`. The host adds the partial "
        "sums."
    ),
    spec=(
        "With T threads in the grid, thread t (counted through all blocks) stores into `partial[t]` the sum of x[i] * "
        "x[i] for i = t, t + T, t + 2T, ... below n; a thread that meets no number stores 0. `x` is float32 with `n` "
        "elements, `partial` float32 with T."
    ),
    stub='''sum_squares = cp.RawKernel(r"""
extern "C" __global__ void sum_squares(const float* x, float* partial, int n) {
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    float sum = 0.0f;
    // ... a loop over i = t, t + T, t + 2T, ... adds to sum; then sum goes to partial[t]
}
""", "sum_squares")
''',
    answer="sum_squares",
    lines=3,
    hints=(
        "It is the loop of plain C, with two changes: each thread starts at its own number, and steps over the "
        "elements that the other threads take.",
        "T is the number of threads in the whole grid: threads of a block times blocks of the grid. The loop's "
        "condition is the guard. Add in the variable, and store once, after the loop.",
        "`for (int i = t; i < n; i += blockDim.x * ___) sum += ___;` and after it one line that stores `sum`.",
    ),
    solution='''sum_squares = cp.RawKernel(r"""
extern "C" __global__ void sum_squares(const float* x, float* partial, int n) {
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    float sum = 0.0f;
    for (int i = t; i < n; i += blockDim.x * gridDim.x)
        sum += x[i] * x[i];
    partial[t] = sum;
}
""", "sum_squares")
''',
    why=(
        "One kernel now serves any n with any grid, and neighboring threads always read neighboring elements. Each "
        "thread adds into a variable of its own, so no two threads ever write to the same place."
    ),
    judge=by_launches(
        lambda rng: [squares_launch(*shape, rng) for shape in ((1100, 3, 32), (517, 5, 16), (10, 2, 24), (2, 1, 4))],
        traps=[
            _squares(lambda t, n, block, grid: [t],
                     "Each thread takes one element only. There are more elements than threads: go on in steps of the "
                     "whole grid."),
            _squares(lambda t, n, block, grid: range(t, n, block),
                     "The step is `blockDim.x`, so the blocks do each other's work. Step by the threads of the whole "
                     "grid, `blockDim.x * gridDim.x`."),
            _squares(lambda t, n, block, grid: range(t, n, grid),
                     "The step is `gridDim.x`, the number of blocks. Step by the threads of the whole grid, "
                     "`blockDim.x * gridDim.x`."),
            _squares(lambda t, n, block, grid: range(t, n),
                     "The step is 1, so every thread adds all elements from its own to the end. Step by the threads of "
                     "the whole grid."),
            _squares(lambda t, n, block, grid: range(n),
                     "Every thread adds all elements: start at `t`, and step by the "
                     "threads of the whole grid."),
            _squares(lambda t, n, block, grid: range(0, n, block * grid),
                     "Every thread starts at element 0: start at `t`."),
            _squares(lambda t, n, block, grid: range(t % block, n, block * grid),
                     "Every block starts at the same elements, with `threadIdx.x`: start at `t`."),
            _squares(lambda t, n, block, grid: range(t % block, n, block),
                     "Every block adds the same elements: start at `t`, and step by the threads of the whole grid."),
            _squares(lambda t, n, block, grid: range(t + block * grid, n, block * grid),
                     "Each thread's first element is left out: start at `t` itself."),
            _squares(lambda t, n, block, grid: _stretch(t, n, block * grid),
                     "Each thread adds a stretch of neighboring elements. In a grid-stride loop it takes t, t + T, "
                     "t + 2T, so that neighboring threads read neighboring elements."),
            _squares(lambda t, n, block, grid: range(t, n - 1, block * grid), "The last element is left out: `i < n`."),
            _squares(lambda t, n, block, grid: range(t, n, block + grid),
                     "The step is `blockDim.x + gridDim.x`. The grid has `blockDim.x * gridDim.x` threads."),
            _squares(lambda t, n, block, grid: [t] * len(range(t, n, block * grid)),
                     "The loop adds the same element again and again: it reads `x[t]` where `x[i]` is meant."),
            *(_squares(_steps_of(step), f"The step is always {step}. The grid has `blockDim.x * gridDim.x` threads.")
              for step in (256, 1024)),
            _squares_value(lambda mine: _whole(mine), "The sum loses its digits behind the point: it is an `int`."),
            _squares_value(lambda mine: mine.sum(), "These are sums of the elements. Add their squares."),
            _squares_value(lambda mine: mine.sum() ** 2, "This squares the sum. Add the squares."),
            _squares_value(lambda mine: (2 * mine).sum(),
                           "These are sums of the doubles: `x[i] * x[i]` is the square."),
            _squares_value(lambda mine: (mine[-1:] ** 2).sum(),
                           "Only the last square of each thread is left: add with "
                           "`+=`."),
            _squares_value(lambda mine: len(mine), "This counts the elements. Add their squares."),
            _squares_value(lambda mine: np.sqrt((mine.astype(float) ** 2).sum()),
                           "These are roots of the sums. Store the "
                           "sums themselves."),
            _squares_value(lambda mine: (mine.astype(float) ** 2).mean() if len(mine) else 0,
                           "These are means of the squares. Store their sums."),
        ],
    ),
)  # fmt: skip


# -- 03.7 -------------------------------------------------------------------------------------------


def brighten_launch(width: int, height: int, block: tuple[int, int], rng: np.random.Generator) -> Launch:
    """A gray piece of the photograph as uint8, 60 brighter."""
    image = clipping(width, height, rng)[..., 1].copy()
    image.reshape(-1)[:: max(image.size // 5, 1)] = 250   # some pixels that reach the upper end
    due = np.minimum(image, 195) + np.uint8(60)
    big = None if width == 2 * LARGE[0] else lambda: brighten_launch(2 * LARGE[0], 2 * LARGE[1], LARGE[2], rng)
    args = {"image": image, "out": blank((height, width), np.uint8), "by": np.int32(60)}
    return picture_launch(width, height, block, args, {"out": due}, full=big)


_BRIGHTEN = '''brighten = cp.RawKernel(r"""
extern "C" __global__ void brighten(const unsigned char* image, unsigned char* out, int by, int width, int height) {{
{comment}    int x = blockIdx.x * blockDim.x + threadIdx.x;
    int y = {y};
    if ({leaves}) return;
    int i = y * width + x;
    out[i] = min(image[i] + by, 255);
}}
""", "brighten")
'''

LOOSE = Problem(
    id="03.7",
    title="Repair a loose thread",
    task=(
        "This kernel makes a gray picture brighter. It was in use for a long time, always with blocks of (16, 16) "
        "threads and pictures of 512 x 512 pixels, and never failed; two of its lines are wrong. Find and mend them."
    ),
    spec=(
        "`image` and `out` are uint8 of shape (height, width); every pixel becomes `by` brighter, 255 at most. It must "
        "work for pictures and blocks of any size."
    ),
    stub=_BRIGHTEN.format(
        y="blockIdx.y * blockDim.x + threadIdx.y",
        comment="    // ... two lines of this kernel are wrong\n",
        leaves="x > width || y > height",
    ),
    answer="brighten",
    lines=2,
    hints=(
        "What is special about 512 and (16, 16)? Ask each line what it would do for a picture 35 pixels wide, in "
        "blocks of (16, 8).",
        "Two lines read as if the block were square, or as if there were a column number `width`. Look at the line of "
        "y, and at the condition under which a thread leaves.",
        "y counts in blocks of blockDim.___ threads. The columns of a picture go from 0 to width - 1: a thread leaves "
        "if x is ___ width.",
    ),
    solution=_BRIGHTEN.format(
        y="blockIdx.y * blockDim.y + threadIdx.y", comment="", leaves="x >= width || y >= height"
    ),
    why=(
        "With square blocks blockDim.x and blockDim.y are equal, and where the width is a multiple of the block no "
        "thread ever has x = width: the tests were too regular to see either bug. Try sizes that nothing divides."
    ),
    judge=by_launches(
        lambda rng: [brighten_launch(*size, rng) for size in PICTURES],
        once=True,
        traps=[
            *where_traps(),
            KernelTrap(lambda launch: {"out": launch.args["image"] + np.uint8(60)},
                       "Values above 255 begin again at 0: keep the `min(..., 255)`."),
            KernelTrap(lambda launch: _inner(launch, 1, 1),
                       "The last row and the last column are left out: a thread leaves if x is "
                       "`width` or more, not before."),
            KernelTrap(lambda launch: _inner(launch, 0, 1),
                       "The last column is left out: a thread leaves if x is `width` or more, not "
                       "before."),
            KernelTrap(lambda launch: _inner(launch, 1, 0),
                       "The last row is left out: a thread leaves if y is `height` or more, not "
                       "before."),
        ],
    ),
)


def _inner(launch: Launch, rows: int, columns: int) -> dict[str, Any]:
    """The output without its last rows and columns."""
    height, width = launch.due["out"].shape
    out = launch.args["out"].copy()
    out[: height - rows, : width - columns] = launch.due["out"][: height - rows, : width - columns]
    return {"out": out}


PROBLEMS = (WHO, SCALE, SAXPY, GRAY, FLIP, SQUARES, LOOSE)
