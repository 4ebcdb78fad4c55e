"""The exercises of lesson 04: sectors predicted and computed, a loop, a walk, a layout and a copy that waste none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpucourse.exercises.compare import Trap, by_cases, is_mapping, mapping_source
from gpucourse.exercises.kernel_cases import KernelTrap, Launch, Limit, by_launches, timed_at
from gpucourse.exercises.problem import Problem

Arrays = dict[str, Any]
FULL = 1 << 24   # elements of a launch that is timed: more than a cache holds

# -- 04.1 -------------------------------------------------------------------------------------------

PATTERNS = {"x[i]": 4, "x[i + 1]": 5, "x[2 * i]": 8, "x[i / 2]": 2, "x[0]": 1, "x[32 * i]": 32}

PREDICT = Problem(
    id="04.1",
    title="Predict the sectors",
    task=(
        "Lane `i` of a warp, `i` = 0 to 31, reads one `float` of the array `x`, which begins at the start of a sector. "
        "How many sectors does the warp's one request touch, for each of six indices? `i / 2` is C's division of whole "
        "numbers."
    ),
    spec="`sectors`: a dict from the index to the number of sectors.",
    stub=mapping_source("sectors", PATTERNS.keys()),
    answer="sectors",
    lines=6,
    hints=(
        "A float has 4 bytes and a sector 32: eight floats that lie side by side share a sector. Ask which floats the "
        "warp needs, then into how many groups of eight they fall.",
        "For `x[i + 1]` the floats are number 1 to 32. Numbers 1 to 7 lie in the first sector. Where does number 32 "
        "lie?",
        "`x[2 * i]`: numbers 0 to 62, that is 63 / 8, rounded up. `x[i / 2]`: numbers 0 to 15. `x[32 * i]`: no two "
        "share a sector.",
    ),
    solution=mapping_source("sectors", PATTERNS),
    why=(
        "A sector counts once, however many lanes want it, and whole, however little of it they want. So `x[0]` costs "
        "one sector for 32 lanes, and `x[32 * i]` costs 32 for the same 128 bytes of answers."
    ),
    judge=is_mapping(
        PATTERNS,
        unit="sectors",
        traps=(
            Trap({"x[i]": 32}, "`x[i]` is not one sector a lane: a sector holds eight floats, and lanes that want the "
                               "same sector share it."),
            Trap({"x[i]": 1}, "One line of 128 bytes holds all of `x[i]`, but the question is for sectors of 32 "
                              "bytes."),
            Trap({"x[i]": 128}, "128 is the number of bytes that `x[i]` needs. How many sectors hold them?"),
            Trap({"x[i + 1]": 4}, "`x[i + 1]` needs the floats number 1 to 32. Number 32 lies beyond the fourth "
                                  "sector, and number 0, which nobody wants, comes along in the first."),
            Trap({"x[i + 1]": 8}, "`x[i + 1]` shifts the 32 floats by one; it does not spread them. Only one end "
                                  "reaches into a further sector."),
            Trap({"x[2 * i]": 4}, "`x[2 * i]` spreads 32 floats over twice as many bytes: the ones between come "
                                  "along."),
            Trap({"x[2 * i]": 16}, "Of `x[2 * i]` four floats still share a sector: 8 places, every second one "
                                   "wanted."),
            Trap({"x[i / 2]": 4}, "In `x[i / 2]` two lanes want the same float: the warp needs 16 floats, not 32."),
            Trap({"x[i / 2]": 16}, "`x[i / 2]` wants 16 different floats. Into how many sectors do they fall?"),
            Trap({"x[i / 2]": 8}, "`x[i / 2]` brings the lanes closer together; it does not spread them."),
            Trap({"x[0]": 32}, "All lanes want the same sector in `x[0]`: it is fetched once and handed to all 32."),
            Trap({"x[0]": 0}, "`x[0]` is one float, and even one float needs its sector."),
            Trap({"x[32 * i]": 4}, "In `x[32 * i]` neighboring lanes are 128 bytes apart. Can two of them share a "
                                   "sector?"),
            Trap({"x[32 * i]": 8}, "In `x[32 * i]` the lanes are 32 floats, 128 bytes, apart: no two of them ever "
                                   "share a sector."),
            Trap({"x[32 * i]": 128}, "`x[32 * i]` spans 128 sectors, but only those count in which some lane wants a "
                                     "float."),
        ),
    ),
)  # fmt: skip

# -- 04.2 -------------------------------------------------------------------------------------------


def sectors_of(stride: int, offset: int, width: int) -> int:
    """Sectors that a warp touches when lane i reads `width` bytes at element `offset + i * stride`."""
    return len({(offset + i * stride) * width // 32 for i in range(32)})


def _spanned(stride: int, offset: int, width: int) -> int:
    first, last = offset * width // 32, (offset + 31 * stride) * width // 32
    return last - first + 1


_EXTENT = ("The bytes from the first lane to the last, divided by 32, are not the sectors: where the first lane begins "
           "inside its sector is lost, and with a large stride many sectors between are wanted by no lane.")

COUNT = Problem(
    id="04.2",
    title="Count the sectors",
    task=(
        "Write the count as a function. Lane `i` reads the element `offset + i * stride` of an array whose elements "
        "have `width` bytes; element 0 lies at the start of a sector."
    ),
    spec=(
        "`sectors(stride, offset, width)`: three ints; `stride` and `offset` in elements, 0 or more; `width` is 4, 8 "
        "or 16 bytes. Returns the number of 32-byte sectors that the 32 lanes touch, an int."
    ),
    stub='def sectors(stride, offset, width):\n    """Sectors that one request of a warp touches."""\n    return ...\n',
    answer="sectors",
    lines=2,
    hints=(
        "Number the sectors: byte `b` lies in sector `b // 32`. Which sector does lane `i` want?",
        "An element of 4, 8 or 16 bytes never lies across two sectors here, so its first byte is enough: "
        "`(offset + i * stride) * width`. Then count each sector once: a `set` does that, or `np.unique`.",
        "`first = (offset + np.arange(32) * stride) * width`, then `return len(set(___ // 32))`",
    ),
    solution=(
        'def sectors(stride, offset, width):\n    """Sectors that one request of a warp touches."""\n'
        "    first = (offset + np.arange(32) * stride) * width\n"
        "    return len(set(first // 32))\n"
    ),
    why=(
        "A set keeps each sector once, which is what the hardware does. With a stride of 0 all lanes share one sector; "
        "from a stride of 32 bytes on, every lane pays for a sector of its own, and it gets no worse."
    ),
    judge=by_cases(
        sectors_of,
        [(1, 0, 4), (1, 1, 4), (2, 0, 4), (32, 0, 4), (0, 5, 4), (1, 0, 8), (1, 0, 16), (3, 2, 4)],
        hidden=lambda rng: [(int(s), int(o), int(w)) for s, o, w in zip(
            rng.integers(0, 40, 12), rng.integers(0, 100, 12), rng.choice([4, 8, 16], 12), strict=True)],
        traps=(
            Trap(_spanned, "You count all sectors between the first and the last. With a large stride many of them are "
                           "touched by no lane."),
            Trap(lambda stride, offset, width: sectors_of(stride, 0, width),
                 "The offset is missing: it can push the warp over the edge of a further sector."),
            Trap(lambda stride, offset, width: sectors_of(stride, offset, 4),
                 "Every element is counted as 4 bytes. `width` says how many it has."),
            Trap(lambda stride, offset, width: len({(offset + i * stride) // 32 for i in range(32)}),
                 "Elements are not bytes: a byte number divided by 32 gives the sector, and an element has `width` "
                 "bytes."),
            Trap(lambda stride, offset, width: len({(offset + i * stride * width) // 32 for i in range(32)}),
                 "The offset is counted in bytes, but it is given in elements, as the stride is."),
            Trap(lambda stride, offset, width: len({(offset + i * stride) * width // 128 for i in range(32)}),
                 "These are lines of 128 bytes. A sector has 32."),
            Trap(lambda stride, offset, width: -(-32 * stride * width // 32),
                 "This is the number of bytes between the lanes' ends, divided by 32. It misses the offset, and with a "
                 "large stride it counts sectors that no lane wants."),
            Trap(lambda stride, offset, width: 31 * stride * width // 32, _EXTENT),
            Trap(lambda stride, offset, width: 31 * stride * width / 32, _EXTENT),
            Trap(lambda stride, offset, width: 31 * stride * width // 32 + 1, _EXTENT),
            Trap(lambda stride, offset, width: -(-(31 * stride + 1) * width // 32), _EXTENT),
            Trap(lambda stride, offset, width: len({(offset + i * stride) * width for i in range(32)}),
                 "You count different addresses. Addresses in the same 32 bytes share a sector."),
        ),
    ),
)  # fmt: skip

# -- 04.3 -------------------------------------------------------------------------------------------

CHUNKS_STUB = '''scale_all = cp.RawKernel(r"""
extern "C" __global__
void scale_all(const float* x, float* out, int n, float a)
{
    int threads = gridDim.x * blockDim.x;
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    int per = (n + threads - 1) / threads;      // elements a thread
    for (int i = t * per; i < (t + 1) * per && i < n; i++) {
        out[i] = a * x[i];
    }
}
""", "scale_all")
'''
CHUNKS_SOLUTION = '''scale_all = cp.RawKernel(r"""
extern "C" __global__
void scale_all(const float* x, float* out, int n, float a)
{
    int threads = gridDim.x * blockDim.x;
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    for (int i = t; i < n; i += threads) {
        out[i] = a * x[i];
    }
}
""", "scale_all")
'''


def _float_sectors(count: int) -> int:
    """Sectors of `count` floats from the start of an array."""
    return -(-count // 8)


def make_scaled(rng: np.random.Generator) -> Sequence[Launch]:
    """Fewer threads than elements, as many, more; a last round that is not full; three elements."""
    shapes = ((1000, 3, 64), (4099, 4, 128), (96, 3, 32), (3, 2, 32))
    return timed_at(lambda: _scaled(rng, FULL, 2048, 256), [_scaled(rng, *shape) for shape in shapes])


def _scaled(rng: np.random.Generator, n: int, blocks: int, block: int) -> Launch:
    x, a = rng.standard_normal(n).astype(np.float32), np.float32(1.5)
    out = np.full(n, np.nan, np.float32)
    args = {"x": x, "out": out, "n": np.int32(n), "a": a}
    return Launch((blocks,), (block,), args, {"out": a * x}, words=f"n = {n} with {blocks} blocks of {block} threads")


def _few_more(launch: Launch) -> int:
    """What the data fill and a little: the compiler unrolls the loop, and a last round that is not full is spread."""
    return int(1.1 * _float_sectors(launch.due["out"].size)) + 4


def _scaled_chunk_lost(launch: Launch) -> Arrays:
    """One element a thread, and the rest stays undone."""
    threads = launch.grid[0] * launch.block[0]
    return {"out": np.where(np.arange(launch.args["x"].size) < threads, launch.due["out"], launch.args["out"])}


CHUNKS = Problem(
    id="04.3",
    title="Pieces that scatter a warp",
    task=(
        "On a CPU it is good style to give each worker a piece of its own: thread `t` takes the elements `t * per` to "
        "`t * per + per - 1`. Here that spreads every warp over many sectors. Keep the work and the launch, and change "
        "the loop so that each request of a warp is ideal."
    ),
    spec=(
        "Launched as `scale_all((blocks,), (block,), (x, out, np.int32(n), np.float32(a)))` with fewer, as many or "
        "more threads than elements. `out[i] = a * x[i]` for all `i` below `n`. No more sectors than the data fill."
    ),
    stub=CHUNKS_STUB,
    answer="scale_all",
    lines=1,
    hints=(
        "In one turn of the loop, lanes 0, 1, 2, … should touch neighbors. Which element should thread `t` start with?",
        "Lesson 03's grid-stride loop does it: start at `t`, and step so far that no thread takes an element twice.",
        "`for (int i = t; i < n; i += ___) {`, and `per` is not needed any more.",
    ),
    solution=CHUNKS_SOLUTION,
    why=(
        "Each turn of the loop now hands the warp 32 neighbors: 4 sectors instead of up to 32. A CPU core likes a "
        "piece because its cache keeps the line for its next turn; a warp's lanes take their turns at the same time."
    ),
    judge=by_launches(
        make_scaled,
        traps=(
            KernelTrap(_scaled_chunk_lost, "Every thread scales one element, and the elements beyond the number of "
                                           "threads are left: the loop must go on with `i += threads`."),
            KernelTrap(lambda launch: {"out": launch.args["x"]}, "`out` holds x itself: the factor `a` is missing."),
        ),
        limits=(
            Limit("global_store_bytes_used", lambda launch: launch.due["out"].nbytes,
                  "Elements of `out` are written more than once: several threads scale the same element. How far must "
                  "a thread step so that no other thread has taken the next one?"),
            Limit("global_load_sectors", _few_more, "Reading takes {found} sectors where {limit} are plenty. In one "
                                                    "turn of the loop, do neighboring lanes read neighboring "
                                                    "elements?"),
            Limit("global_store_sectors", _few_more, "Writing takes {found} sectors where {limit} are plenty. In one "
                                                     "turn of the loop, do neighboring lanes write neighboring "
                                                     "elements?"),
        ),
    ),
)  # fmt: skip

# -- 04.4 -------------------------------------------------------------------------------------------

WALK_STUB = '''fade = cp.RawKernel(r"""
extern "C" __global__
void fade(const float* picture, const float* weight, float* out, int h, int w)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < h * w) {
        int row = i % h;
        int column = i / h;
        out[row * w + column] = weight[column] * picture[row * w + column];
    }
}
""", "fade")
'''
WALK_SOLUTION = WALK_STUB.replace("i % h", "i / w").replace("i / h", "i % w")


def make_faded(rng: np.random.Generator) -> Sequence[Launch]:
    """Pictures that are wide, tall, narrower than a warp, and a single row; never square."""
    shapes = ((24, 40, 64), (48, 32, 128), (5, 7, 32), (1, 65, 32), (33, 1, 32))
    return timed_at(lambda: _faded(rng, 4096, 4096, 256), [_faded(rng, *shape) for shape in shapes])


def _faded(rng: np.random.Generator, h: int, w: int, block: int) -> Launch:
    picture, weight = rng.random((h, w)).astype(np.float32), rng.random(w).astype(np.float32)
    args = {"picture": picture, "weight": weight, "out": np.full((h, w), np.nan, np.float32),
            "h": np.int32(h), "w": np.int32(w)}  # fmt: skip
    blocks = -(-h * w // block) + 1
    return Launch((blocks,), (block,), args, {"out": weight * picture}, words=f"a picture of {h} rows and {w} columns")


def _weight_of_rows(launch: Launch) -> Arrays:
    """weight[row] for weight[column], where the table is long enough for that."""
    picture, weight = launch.args["picture"], launch.args["weight"]
    return {"out": np.resize(weight, picture.shape[0])[:, None] * picture}


_WALKED = ("A row has w elements, so row = i / w, and column = i % w. Yours divides by another length, or has the two "
           "exchanged.")


def _walked(row: Any, column: Any) -> Any:
    """What is left by a walk with `row(i, h, w)` and `column(i, h, w)`; nan where it strays."""

    def wrong(launch: Launch) -> Arrays:
        weight, (h, w) = launch.args["weight"], launch.args["picture"].shape
        i = np.arange(h * w)
        rows, columns = row(i, h, w), column(i, h, w)
        place, inside = rows * w + columns, columns < w
        out = np.full(h * w, np.nan, np.float32)
        clean = inside & (place < h * w)
        out[place[clean]] = weight[columns[clean]] * launch.args["picture"].ravel()[place[clean]]
        out[place[~inside & (place < h * w)]] = np.nan
        return {"out": out.reshape(h, w)}

    return wrong


WALK = Problem(
    id="04.4",
    title="Walk along the rows",
    task=(
        "`fade` darkens a gray picture by a weight for each column. It is right, and yet it walks down the columns: "
        "neighboring threads write elements that lie a whole row apart. Make it walk along the rows, with the same "
        "launch."
    ),
    spec=(
        "`picture` and `out`: h x w floats, row after row. `weight`: w floats. `out[row][column] = weight[column] * "
        "picture[row][column]`. One thread an element, at least h·w threads. Every picture element is read and written "
        "in as few sectors as the data fill."
    ),
    stub=WALK_STUB,
    answer="fade",
    lines=2,
    hints=(
        "Thread `i` and thread `i + 1` should sit side by side in a row. How do row and column follow from `i`, if `i` "
        "counts along the rows?",
        "Only the two lines that compute `row` and `column` change. Each row has `w` elements.",
        "`int row = i / ___;` and `int column = i % ___;`",
    ),
    solution=WALK_SOLUTION,
    why=(
        "Now `row * w + column` is `i` itself: lane by lane the next float in memory. Which of the indices runs "
        "fastest in the thread number decides about the sectors; the arithmetic is the same."
    ),
    judge=by_launches(
        make_faded,
        traps=(
            KernelTrap(_weight_of_rows, "The weight belongs to the column, but yours is taken by row."),
            KernelTrap(_walked(lambda i, h, w: i // h, lambda i, h, w: i % h),
                       _WALKED),
            KernelTrap(_walked(lambda i, h, w: i % w, lambda i, h, w: i // w),
                       _WALKED),
            KernelTrap(_walked(lambda i, h, w: i // w, lambda i, h, w: i % h),
                       "The row is right, the column is not: a row has w elements, so row = i / w leaves i % w."),
            KernelTrap(lambda launch: {"out": launch.args["picture"]}, "`out` is the picture itself: the weight is "
                                                                       "missing."),
        ),
        limits=(
            Limit("global_store_sectors", lambda launch: _float_sectors(launch.due["out"].size),
                  "Writing takes {found} sectors where {limit} hold all of out: neighboring "
                  "threads still write elements of different rows. Let `i` count along the rows: h or w?"),
        ),
    ),
)  # fmt: skip

# -- 04.5 -------------------------------------------------------------------------------------------

PLANES_STUB = '''speed = cp.RawKernel(r"""
extern "C" __global__
void speed(const float* v, float* out, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    // out[i]: the speed of particle i
}
""", "speed")
'''
PLANES_SOLUTION = '''speed = cp.RawKernel(r"""
extern "C" __global__
void speed(const float* v, float* out, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        float x = v[i], y = v[n + i], z = v[2 * n + i];
        out[i] = sqrtf(x * x + y * y + z * z);
    }
}
""", "speed")
'''


def make_speeds(rng: np.random.Generator) -> Sequence[Launch]:
    """More threads than particles, one particle, and exactly as many threads."""
    shapes = ((200, 4, 64), (1, 1, 32), (96, 3, 32), (501, 4, 128))
    return timed_at(lambda: _speeds(rng, FULL // 2, FULL // 512, 256), [_speeds(rng, *shape) for shape in shapes])


def _speeds(rng: np.random.Generator, n: int, blocks: int, block: int) -> Launch:
    v = rng.standard_normal((3, n)).astype(np.float32)
    args = {"v": v, "out": np.full(n, np.nan, np.float32), "n": np.int32(n)}
    due = np.sqrt((v.astype(np.float64) ** 2).sum(axis=0)).astype(np.float32)
    return Launch((blocks,), (block,), args, {"out": due}, rtol=1e-6, words=f"n = {n} particles")


def _of(launch: Launch, wrong: Any) -> Arrays:
    """What a kernel leaves that computes `wrong(v, n)`, v flat, in float64."""
    v = launch.args["v"]
    return {"out": wrong(v.ravel().astype(np.float64), v.shape[1]).astype(np.float32)}


def _speed_of_triples(v: Any, n: int) -> Any:
    return np.sqrt((v.reshape(n, 3) ** 2).sum(axis=1))


def _speed_squared(v: Any, n: int) -> Any:
    return (v.reshape(3, n) ** 2).sum(axis=0)


PLANES = Problem(
    id="04.5",
    title="Structure of arrays",
    task=(
        "`v` now holds the velocities of `n` particles as a structure of arrays: first all x, then all y, then all z. "
        "Write the kernel that computes each particle's speed, the root of x·x + y·y + z·z."
    ),
    spec=(
        "`v`: 3·n floats; `out`: n floats. One thread a particle, at least n threads. Each of the three reads takes "
        "as few sectors as it can. C's square root of a float is `sqrtf`."
    ),
    stub=PLANES_STUB,
    answer="speed",
    lines=4,
    hints=(
        "In this layout particle i's x is the i-th float of the first part. Where does the second part begin?",
        "The parts have n floats each: y is at `n + i`, z at `2 * n + i`. And do not forget what a thread beyond the "
        "last particle must do.",
        "`if (i < n) { float x = v[i], y = v[___ + i], z = v[___ + i]; out[i] = sqrtf(___); }`",
    ),
    solution=PLANES_SOLUTION,
    why=(
        "For each component the warp reads 32 neighbors. Stored as x, y, z, x, y, z, … the same three reads would take "
        "12 sectors each instead of 4, although every byte is wanted in the end."
    ),
    judge=by_launches(
        make_speeds,
        traps=(
            KernelTrap(lambda launch: _of(launch, _speed_of_triples),
                       "You read `v[3 * i]` and its neighbors, as if a particle's x, y and z lay side by side. Here "
                       "all x come first, then all y, then all z."),
            KernelTrap(lambda launch: _of(launch, _speed_squared), "The square root is missing: sqrtf(...)."),
        ),
        limits=(
            Limit("global_store_sectors", lambda launch: _float_sectors(launch.due["out"].size),
                  "Writing takes {found} sectors where {limit} hold all of out. Neighboring threads should have "
                  "neighboring particles, and write each element once."),
        ),
    ),
)  # fmt: skip

# -- 04.6 -------------------------------------------------------------------------------------------

WIDE_STUB = '''copy4 = cp.RawKernel(r"""
extern "C" __global__
void copy4(const float* x, float* out, int n)
{
    int t = blockIdx.x * blockDim.x + threadIdx.x;      // copies elements 4 t to 4 t + 3
    for (int i = 4 * t; i < 4 * t + 4 && i < n; i++) {
        out[i] = x[i];
    }
}
""", "copy4")
'''
WIDE_SOLUTION = '''copy4 = cp.RawKernel(r"""
extern "C" __global__
void copy4(const float* x, float* out, int n)
{
    int t = blockIdx.x * blockDim.x + threadIdx.x;      // copies elements 4 t to 4 t + 3
    if (4 * t + 4 <= n) {
        ((float4*)out)[t] = ((const float4*)x)[t];
    } else {
        for (int i = 4 * t; i < n; i++) {
            out[i] = x[i];
        }
    }
}
""", "copy4")
'''


def make_copies(rng: np.random.Generator) -> Sequence[Launch]:
    """Every remainder of n by 4, n below 4, and threads to spare."""
    shapes = ((1024, 4, 64), (1027, 5, 64), (514, 3, 64), (129, 2, 32), (3, 2, 32))
    return timed_at(lambda: _copied(rng, FULL + 3, FULL // 1024 + 1, 256), [_copied(rng, *shape) for shape in shapes])


def _copied(rng: np.random.Generator, n: int, blocks: int, block: int) -> Launch:
    x = rng.standard_normal(n).astype(np.float32)
    args = {"x": x, "out": np.full(n, np.nan, np.float32), "n": np.int32(n)}
    return Launch((blocks,), (block,), args, {"out": x}, words=f"n = {n} with {blocks} blocks of {block} threads")


def _requests(launch: Launch) -> int:
    """A request for each warp with a whole quad, and up to three for the one thread that copies what is left over."""
    n = launch.due["out"].size
    return -(-(n // 4) // 32) + n % 4


def _one_by_one(launch: Launch) -> int:
    """What four narrow requests a warp come to."""
    return 4 * -(-launch.due["out"].size // 128)


def _about_wide(launch: Launch) -> int:
    """Between whole fours and one by one."""
    return 2 * _requests(launch)


def _whole_fours(launch: Launch) -> float:
    """The requests where nothing is left over; no limit elsewhere."""
    return np.inf if launch.due["out"].size % 4 else _requests(launch)


def _copy_limits(counter: str, does: str, hint: str) -> tuple[Limit, ...]:
    """What may be wrong with the loads, or the stores, from the most requests to the fewest."""
    most = f"{does} by {{found}} requests"
    return (
        Limit(counter, _one_by_one, f"{most}, more than one by one: elements are copied several times. Does a thread "
                                    "that has a whole four run the loop, too (`else`)? Does every thread copy what is "
                                    "left over?"),
        Limit(counter, _about_wide, f"{most} where {{limit}} would be many. {hint}"),
        Limit(counter, _whole_fours, f"{most} where {{limit}} are enough: not by whole fours everywhere. The last "
                                     "whole four goes to the loop: should `<` be `<=`?"),
        Limit(counter, _requests, f"{most} where {{limit}} are enough. Whole fours are right; is what is left over "
                                  "copied by more than one thread?"),
    )  # fmt: skip


def _tail_lost(launch: Launch) -> Arrays:
    n = launch.due["out"].size
    return {"out": np.where(np.arange(n) < n - n % 4, launch.due["out"], launch.args["out"])}


def _one_each(launch: Launch) -> Arrays:
    threads = launch.grid[0] * launch.block[0]
    n = launch.due["out"].size
    return {"out": np.where(np.arange(n) < threads, launch.due["out"], launch.args["out"])}


WIDE = Problem(
    id="04.6",
    title="Four floats a lane",
    task=(
        "Each thread copies four floats, one after the other, so that each request is strided. Let it move the four "
        "as one `float4`; the last thread takes what is left over when `n` is no multiple of 4."
    ),
    spec=(
        "`x` and `out`: n floats, n at least 1; both arrays begin at a multiple of 512 bytes. Thread t copies the "
        "elements 4 t to 4 t + 3, as far as they exist. At least n / 4 threads, rounded up. Whole fours take one load "
        "and one store."
    ),
    stub=WIDE_STUB,
    answer="copy4",
    lines=5,
    hints=(
        "A `float4` is 16 bytes that one lane loads with one instruction. `(const float4*)x` is the same address, "
        "seen as an array of float4. Which element of it does thread t want?",
        "Only a thread whose four elements all exist may do that: `4 * t + 4 <= n`. The others need the old loop, "
        "which stops at n.",
        "`if (4 * t + 4 <= n) { ((float4*)out)[___] = ((const float4*)x)[___]; } else { for (int i = 4 * t; i < n; "
        "i++) … }`",
    ),
    solution=WIDE_SOLUTION,
    why=(
        "One request now asks for 512 bytes in 16 sectors, all of them used: a quarter of the instructions for the "
        "same bytes. The guard has to ask for the whole four, or the last thread reads and writes past the end."
    ),
    judge=by_launches(
        make_copies,
        traps=(
            KernelTrap(_tail_lost, "The last elements are not copied when n is no multiple of 4: some thread has to "
                                   "take what is left over, one by one."),
            KernelTrap(_one_each, "Every thread copies one element. It should copy four, 4 t to 4 t + 3."),
        ),
        limits=(
            *_copy_limits("global_load_requests", "`x` is read",
                          "Let a lane load four floats at once: `((const float4*)x)[t]`."),
            *_copy_limits("global_store_requests", "`out` is written",
                          "Let a lane store four floats at once: `((float4*)out)[t] = ...`."),
        ),
    ),
)  # fmt: skip

# -- 04.7 -------------------------------------------------------------------------------------------

TRANSPOSE_DUE = {"requests read": 192, "sectors read": 768, "requests written": 192, "sectors written": 6144}

TRANSPOSE = Problem(
    id="04.7",
    title="The price of a transpose",
    task=(
        "The naive transpose reads a matrix of 64 rows and 96 columns of floats along its rows, 32 neighbors a warp, "
        "and each thread stores what it read: `out[column * 64 + row] = x[row * 96 + column]`. How many requests and "
        "how many sectors does the whole launch read and write?"
    ),
    spec=(
        "`traffic`: a dict with the four numbers. Both arrays begin at the start of a sector; no warp reaches over "
        "the end of a row."
    ),
    stub=mapping_source("traffic", TRANSPOSE_DUE.keys()),
    answer="traffic",
    lines=4,
    hints=(
        "Count the elements, then the warps that it takes to read them; each warp makes one request to read and one to "
        "write. Then look at one warp: which 32 elements of `out` does it write?",
        "One warp has one `row` and 32 neighboring columns. In `out` their distance is 64 floats. How many of them "
        "share a sector?",
        "64 · 96 / 32 requests; each reads 4 sectors and writes ___.",
    ),
    solution=mapping_source("traffic", TRANSPOSE_DUE),
    why=(
        "Each of the 192 writes touches 32 sectors for 128 bytes: eight times what the data fill. Turned round, with "
        "writes along the rows, the reads would pay instead; lesson 05 gets out of this with shared memory."
    ),
    judge=is_mapping(
        TRANSPOSE_DUE,
        traps=(
            Trap({"requests read": 6144}, "A request is made by a warp, for its 32 lanes at once, not by each thread."),
            Trap({"requests read": 64}, "96 columns are three warps a row, not one."),
            Trap({"requests written": 6144}, "As for reads, a request to write is made by a warp, not by each "
                                             "thread."),
            Trap({"sectors written": 12288}, "This is 64 sectors for each of the 192 writes, but a warp has 32 lanes "
                                             "and each of them writes to one sector."),
            Trap({"sectors written": 768}, "The writes are counted as if neighbors lay side by side. Where in `out` "
                                           "do two neighboring columns of x end up?"),
            Trap({"sectors written": 32}, "This is what one warp writes. The whole launch has 192 warps."),
            Trap({"sectors read": 4}, "This is what one warp reads. The whole launch has 192 warps."),
            Trap({"sectors read": 6144}, "The reads go along the rows: 32 neighboring floats share 4 sectors."),
            Trap({"sectors read": 192}, "The reads are counted in lines of 128 bytes; a sector has 32."),
            Trap({"sectors written": 192}, "Each warp writes one line of 128 bytes only if its elements lie side by "
                                           "side. Where in `out` do they lie?"),
        ),
    ),
)  # fmt: skip

PROBLEMS = (PREDICT, COUNT, CHUNKS, WALK, PLANES, WIDE, TRANSPOSE)
