"""The exercises of lesson 08: six kernels or launches with one bug each, and one that is right but slow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gpucourse.exercises.kernel_cases import KernelTrap, Launch, Limit, blank, by_launches, timed_at
from gpucourse.exercises.problem import Problem

FULL = 1 << 22   # elements of a launch that is timed
UNWRITTEN = blank(1)[0]   # what an element of `cp.empty` holds on the simulator


def _trap(name: str, wrong: Callable[[Launch], Any], message: str) -> KernelTrap:
    """A trap that explains one float output."""
    return KernelTrap(lambda launch: {name: np.asarray(wrong(launch), np.float32)}, message)


# -- 08.1: a helper that is right once ------------------------------------------------------------------

NORM_BLOCK = 128

NORM_STUB = '''layer_norm = cp.RawKernel(r"""
#define B 128

__device__ float block_sum(float value)
{
    __shared__ float part[B];
    int t = threadIdx.x;
    part[t] = value;
    __syncthreads();
    for (int half = B / 2; half > 0; half /= 2) {
        if (t < half) {
            part[t] += part[t + half];
        }
        __syncthreads();
    }
    return part[0];
}

extern "C" __global__
void layer_norm(const float* x, float* out, int w)
{
    int t = threadIdx.x;
    int i = blockIdx.x * w + t;
    float value = t < w ? x[i] : 0;
    float mean = block_sum(value) / w;
    float away = t < w ? value - mean : 0;
    float variance = block_sum(away * away) / w;
    if (t < w) {
        out[i] = away * rsqrtf(variance + 1e-5f);
    }
}
""", "layer_norm")
'''
NORM_RETURN = "    return part[0];\n"
NORM_SOLUTION = NORM_STUB.replace("    part[t] = value;\n", "    __syncthreads();\n    part[t] = value;\n")


def make_norms(rng: np.random.Generator) -> Sequence[Launch]:
    """Rows of two numbers, of a warp and one more, of nearly and of exactly a block."""
    small = [_norm(rng, *shape) for shape in ((3, 2), (2, 33), (3, 100), (5, 128))]
    return timed_at(lambda: _norm(rng, FULL // NORM_BLOCK, NORM_BLOCK), small)


def _norm(rng: np.random.Generator, rows: int, w: int) -> Launch:
    x = rng.normal(3, 2, (rows, w)).astype(np.float32)
    x[2:3] = 3   # without any variance
    args = {"x": x, "out": blank((rows, w)), "w": np.int32(w)}
    return Launch((rows,), (NORM_BLOCK,), args, {"out": normed(x)}, rtol=1e-3, atol=1e-4, extent=(rows * NORM_BLOCK,),
                  words=f"{rows} rows of {w}")  # fmt: skip


def normed(x: Any, mean: bool = True, spread: bool = True, by: int = 0, idle: bool = False) -> Any:
    """Each row less its mean, divided by its standard deviation; either step can be left out.

    `by`: what the sums are divided by in place of the row's length; `idle`: threads without an element count too.
    """
    wide = x.astype(np.float64)
    count = by or x.shape[1]
    average = wide.sum(axis=1, keepdims=True) / count
    away = wide - average
    squares = (away**2).sum(axis=1, keepdims=True) + idle * (NORM_BLOCK - x.shape[1]) * average**2
    divisor = np.sqrt(squares / count + 1e-5) if spread else 1
    return ((away if mean else wide) / divisor).astype(np.float32)


def _apart(x: Any) -> Any:
    """Each row normalized with the sums of the warps, which nobody has joined."""
    wide = np.pad(x.astype(np.float64), ((0, 0), (0, NORM_BLOCK - x.shape[1]))).reshape(len(x), -1, 32)
    there = np.arange(NORM_BLOCK).reshape(-1, 32) < x.shape[1]
    away = (wide - wide.sum(axis=2, keepdims=True) / x.shape[1]) * there
    variance = (away**2).sum(axis=2, keepdims=True) / x.shape[1]
    return (away / np.sqrt(variance + 1e-5)).reshape(len(x), -1)[:, : x.shape[1]]


def _first_knows(x: Any) -> Any:
    """Each row normalized if thread 0 alone gets the sums, and the others 0."""
    wide = x.astype(np.float64)
    wide[:, 0] -= wide.mean(axis=1)
    variance = (wide**2).mean(axis=1, keepdims=True) * (np.arange(x.shape[1]) == 0)
    return wide / np.sqrt(variance + 1e-5)


NORM = Problem(
    id="08.1",
    title="Case 2, the normalized rows",
    task=(
        "Repair the kernel of case 2. You may change the helper or the kernel; keep the launch, one block of 128 "
        "threads for each row."
    ),
    spec=(
        "`x`, `out`: rows of `w` floats, 2 <= w <= 128. Each row of `out` is the row of `x` less its mean, divided by "
        "the root of its variance + 0.00001."
    ),
    stub=NORM_STUB,
    answer="layer_norm",
    lines=1,
    hints=(
        "The report names two lines: one reads `part[0]`, the other overwrites it. Between them some threads are "
        "still in the first call of the helper, and others already in the second.",
        "All threads must have read the sum before any of them writes in the next call. The repair may stand at the "
        "end of the helper, at its start, or between the calls.",
        "One line is enough, above `part[t] = value;`: what makes every thread wait there, until the last one has come "
        "out of the call before?",
    ),
    solution=NORM_SOLUTION,
    why=(
        "Between the last read of one call and the first write of the next there must be a barrier: at the end of the "
        "helper, at its start, or between the calls. Within the helper it cannot be forgotten by whoever calls it next."
    ),
    judge=by_launches(
        make_norms,
        traps=(
            _trap("out", lambda launch: normed(launch.args["x"], spread=False), "The rows have lost their mean, but "
                  "they are not divided by the root of the variance."),
            _trap("out", lambda launch: normed(launch.args["x"], mean=False), "The rows are divided by the root of the "
                  "variance, but their mean has not been taken away."),
            _trap("out", lambda launch: normed(launch.args["x"], by=NORM_BLOCK), "The sums are divided by 128, the "
                  "threads of a block. A row has `w` numbers."),
            _trap("out", lambda launch: normed(launch.args["x"], idle=True), "The threads without an element count in "
                  "the variance: for them `away` must be 0."),
            _trap("out", lambda launch: _apart(launch.args["x"]), "Each warp has only the sum of its own 32 threads: "
                  "the sums of the four warps still have to be joined."),
            _trap("out", lambda launch: _first_knows(launch.args["x"]), "Only thread 0 gets the sums. All threads of "
                  "the block need them."),
        ),
    ),
)  # fmt: skip

# -- 08.2: a barrier that some do not come to -------------------------------------------------------------

FEATURES, SENTENCES = 32, 4

DOCUMENT_STUB = '''document = cp.RawKernel(r"""
extern "C" __global__
void document(const int* words, const int* length, const float* table, float* out, int longest)
{
    __shared__ int piece[4][32];
    __shared__ float means[4][32];
    int lane = threadIdx.x, s = threadIdx.y;
    int sentence = blockIdx.x * 4 + s;
    int n = length[sentence];
    float sum = 0;
    for (int start = 0; start < n; start += 32) {
        if (start + lane < n) {
            piece[s][lane] = words[sentence * longest + start + lane];
        }
        __syncthreads();
        for (int k = 0; k < min(32, n - start); k++) {
            sum += table[piece[s][k] * 32 + lane];
        }
        __syncthreads();
    }
    means[s][lane] = sum / n;
    __syncthreads();
    if (s == 0) {
        float all = means[0][lane] + means[1][lane] + means[2][lane] + means[3][lane];
        out[blockIdx.x * 32 + lane] = all / 4;
    }
}
""", "document")
'''
DOCUMENT_SOLUTION = DOCUMENT_STUB.replace("start < n; start += 32", "start < longest; start += 32")


def make_documents(rng: np.random.Generator) -> Sequence[Launch]:
    """Short sentences; one that needs a piece more; pieces of every number, up to more than the lesson's longest."""
    lengths = ((5, 9, 20, 31), (40, 7, 32, 33), (1, 100, 64, 65), (131, 100, 100, 131), (96, 1, 1, 97))
    small = [_documents(rng, *some) for some in (lengths[:1], lengths[1:3], lengths[2:])]
    return timed_at(lambda: _documents(rng, *rng.integers(1, 61, (FULL >> 8, 4)).tolist()), small)


def _documents(rng: np.random.Generator, *lengths: Sequence[int]) -> Launch:
    length, blocks = np.array(lengths, np.int32), len(lengths)
    longest = int(length.max()) + 4
    args = {"words": rng.integers(0, 50, (length.size, longest)).astype(np.int32), "length": length.ravel(),
            "table": rng.standard_normal((50, FEATURES)).astype(np.float32), "out": blank((blocks, FEATURES)),
            "longest": np.int32(longest)}  # fmt: skip
    listed = " and ".join(", ".join(map(str, four)) for four in lengths) if blocks < 4 else "1 to 60"
    return Launch((blocks,), (32, 4), args, {"out": document_means(args)}, rtol=1e-4, atol=1e-5,
                  extent=(32 * blocks, 4), words=f"sentences of {listed} words")  # fmt: skip


def document_means(args: Mapping[str, Any], most: int = 1 << 30, padding: bool = False, divide: str = "length") -> Any:
    """The mean over each document's sentences of the mean over their words' rows; `divide` by what is there.

    `most`: words that are looked at; `padding`: the words behind the end of a sentence count too.
    """
    words, table, length = args["words"], args["table"].astype(np.float64), args["length"]
    rows = []
    for sentence, n in zip(words, length, strict=True):
        count = min(len(sentence) if padding else n, most)
        rows.append(table[sentence[:count]].sum(axis=0) / (n if divide == "length" else int(args["longest"])))
    return np.array(rows).reshape(-1, SENTENCES, FEATURES).mean(axis=1).astype(np.float32)


def _bounded(most: int) -> KernelTrap:
    """The trap of a loop whose bound is a number."""
    return _trap("out", lambda launch: document_means(launch.args, most=most), f"Of a sentence only the first {most} "
                 "words are added: the bound of the loop must follow from `longest` or from the lengths, not from a "
                 "number.")  # fmt: skip


def _seen(words: Callable[[Any, Any], Any], message: str, by_them: bool = False) -> KernelTrap:
    """The trap of `words(lengths of the document, of the sentence)` words that are added, in place of the sentence's.

    `by_them`: they are also what the sum is divided by.
    """

    def wrong(launch: Launch) -> Any:
        a, rows = launch.args, []
        for number, n in enumerate(a["length"]):
            count = words(a["length"][number // SENTENCES * SENTENCES :][:SENTENCES], n)
            total = a["table"][a["words"][number, :count]].astype(np.float64).sum(axis=0)
            rows.append(total / (count if by_them else n))
        return np.array(rows).reshape(-1, SENTENCES, FEATURES).mean(axis=1)

    return _trap("out", wrong, message)


_PIECES = "The number of turns follows from {} of the document: longer ones lose their last words."

DOCUMENT = Problem(
    id="08.2",
    title="Case 3, the vectors of documents",
    task=(
        "Repair the kernel of case 3, so that the four sentences of a document may have any lengths. Keep the launch: "
        "one block of 32 x 4 threads for each document, one warp for each sentence."
    ),
    spec=(
        "`words`: 4 sentences for each document, in rows of `longest` numbers, of which `length` (at least 1) count; "
        "`table`: 32 floats for each word. `out`: for each document the mean over its sentences of the mean of their "
        "words' rows."
    ),
    stub=DOCUMENT_STUB,
    answer="document",
    lines=1,
    hints=(
        "Count the barriers that each warp comes to: one with a sentence of 20 words, and one with 70.",
        "Either all four warps make the same number of turns, those without words with nothing to do. Or the barrier "
        "in the loop becomes one that only the lanes of a warp wait at: whose elements of `piece` does a warp read?",
        "`for (int start = 0; start < ___; start += 32)`, with a bound that all threads share; the two inner "
        "conditions still ask for n.",
    ),
    solution=DOCUMENT_SOLUTION,
    why=(
        "The number of turns is now the same for all threads, so all come to the same barriers. `__syncwarp()` in the "
        "place of both barriers of the loop is right too, and cheaper, since each warp reads only its own row of "
        "`piece`."
    ),
    judge=by_launches(
        make_documents,
        traps=(
            _trap("out", lambda launch: document_means(launch.args, divide="longest"), "The sums are divided by "
                  "`longest`. The mean of a sentence is its sum divided by its own length."),
            _trap("out", lambda launch: document_means(launch.args, padding=True), "Words behind the end of a "
                  "sentence are added too: only the first `length` of a row count."),
            _trap("out", lambda launch: document_means(launch.args, padding=True, divide="longest"), "Every sentence "
                  "is taken as `longest` words long: only the first `length` of a row count."),
            _trap("out", lambda launch: document_means(launch.args, most=32), "Only the first 32 words of a sentence "
                  "are added: the loop has to go on to the end of the sentence."),
            *map(_bounded, (64, 96, 128)),
            _seen(lambda lengths, n: min(n, _up(lengths[0], 32)), _PIECES.format("the first sentence")),
            _seen(lambda lengths, n: min(n, _up(lengths.min(), 32)), _PIECES.format("the shortest sentence")),
            _seen(lambda lengths, n: min(n, lengths.max() // 32 * 32), "The number of turns is rounded down: the last "
                  "piece of the longest sentence, and of others as long, is left out."),
            _seen(lambda lengths, n: lengths.max(), "Every sentence is taken to be as long as the longest of its "
                  "document. The number of turns may follow from that; the words that count, and the divisor, are the "
                  "sentence's own.", by_them=True),
        ),
    ),
)  # fmt: skip

# -- 08.3: what the last tenant left ----------------------------------------------------------------------

BAD_STUB = '''count_bad = cp.RawKernel(r"""
extern "C" __global__
void count_bad(const float* gradient, int* out, int n)
{
    __shared__ int bad;
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n && !isfinite(gradient[i])) {
        atomicAdd(&bad, 1);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        out[blockIdx.x] = bad;
    }
}
""", "count_bad")
'''
BAD_START = """    if (threadIdx.x == 0) bad = 0;
    __syncthreads();
"""
BAD_SOLUTION = BAD_STUB.replace("    int i = ", BAD_START + "    int i = ")


def make_gradients(rng: np.random.Generator) -> Sequence[Launch]:
    """Blocks with nothing bad, with one, with all; a last block of one element; a block of one warp."""
    small = [_gradient(rng, *shape) for shape in ((1000, 256, 6), (257, 128, 300), (3, 32, 1), (200, 64, 0))]
    return timed_at(lambda: _gradient(rng, FULL, 256, 100), small)


def _gradient(rng: np.random.Generator, n: int, block: int, bad: int) -> Launch:
    gradient = rng.standard_normal(n).astype(np.float32)
    gradient[rng.permutation(n)[:bad]] = np.array([np.inf, np.nan, -np.inf], np.float32)[np.arange(min(bad, n)) % 3]
    blocks = -(-n // block)
    counts = [np.count_nonzero(~np.isfinite(gradient[b * block : (b + 1) * block])) for b in range(blocks)]
    args = {"gradient": gradient, "out": blank(blocks, np.int32), "n": np.int32(n)}
    return Launch((blocks,), (block,), args, {"out": np.array(counts, np.int32)}, extent=(n,),
                  words=f"n = {n} in {blocks} block{'s' * (blocks > 1)} of {block}")  # fmt: skip


def _counts(launch: Launch, which: Callable[[Any], Any]) -> Any:
    """For each block the number of elements that `which` flags."""
    block = launch.block[0]
    flags = which(launch.args["gradient"])
    return np.array([np.count_nonzero(flags[i : i + block]) for i in range(0, flags.size, block)], np.int32)


def _firsts(launch: Launch) -> Any:
    """The counts if each thread has a counter of its own."""
    return (~np.isfinite(launch.args["gradient"][:: launch.block[0]])).astype(np.int32)


def _in_first_warp(launch: Launch) -> Callable[[Any], Any]:
    """Flags what is bad and belongs to the first warp of its block."""
    return lambda gradient: ~np.isfinite(gradient) & (np.arange(gradient.size) % launch.block[0] < 32)


BAD = Problem(
    id="08.3",
    title="Case 4, the steps that were skipped",
    task=(
        "Repair the kernel of case 4, so that its counts do not depend on what a block finds in shared memory. Whoever "
        "sets the counter must be done before anybody counts."
    ),
    spec=(
        "`gradient`: n floats, a thread for each. `out[b]`: how many elements of block b are infinite or not a number "
        "(int). Blocks of any size up to 1,024 threads."
    ),
    stub=BAD_STUB,
    answer="count_bad",
    lines=2,
    hints=(
        "Shared memory holds whatever was left there. Which line of the kernel gives `bad` its first value?",
        "One thread of each block sets it. What must all the others wait for before they count?",
        "Before the line of `i`: `if (threadIdx.x == 0) bad = ___;` and then a barrier.",
    ),
    solution=BAD_SOLUTION,
    why=(
        "Nobody empties shared memory between two blocks, and CUDA C has no `__shared__ int bad = 0;`. The block sets "
        "it itself, and the barrier orders that before all counting. (`__syncthreads_count(condition)`, a barrier "
        "that counts, would do without `bad`.)"
    ),
    judge=by_launches(
        make_gradients,
        traps=(
            KernelTrap(lambda launch: {"out": _counts(launch, np.isnan)}, "Only what is not a number is counted; "
                                                                          "infinite elements are bad, too."),
            KernelTrap(lambda launch: {"out": _counts(launch, np.isinf)}, "Only infinite elements are counted; NaN is "
                                                                          "bad, too."),
            KernelTrap(lambda launch: {"out": _counts(launch, np.isfinite)}, "The finite elements are counted."),
            KernelTrap(lambda launch: {"out": _firsts(launch)}, "Each block tells of its first thread's element alone: "
                                                                "the counter must be one for the whole block."),
            KernelTrap(lambda launch: {"out": _counts(launch, _in_first_warp(launch))}, "Each block tells the count of "
                       "its first warp: those of the others still have to be added."),
            KernelTrap(lambda launch: {"out": 0 * launch.due["out"]}, "All counts are 0: the counter is set to 0 after "
                                                                      "the counting."),
        ),
    ),
)  # fmt: skip

# -- 08.4: one second is right ----------------------------------------------------------------------------

RESAMPLE_STUB = '''resample = cp.RawKernel(r"""
extern "C" __global__
void resample(const float* clips, float* out, int clip, int length, int n, int from, int to)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        int position = i * from / to;
        out[i] = clips[clip * length + position];
    }
}
""", "resample")
'''
RESAMPLE_SOLUTION = RESAMPLE_STUB.replace("i * from / to", "(long long)i * from / to")


def make_resampled(rng: np.random.Generator) -> Sequence[Launch]:
    """Up and down, a few samples; and of a studio's highest rate enough that 32 bits do not suffice, signed or not.

    The last two rates have no common factor that could be cancelled.
    """
    small = (0, 3, 32_000, 48_000), (2, 300, 1_000, 49_000)
    shapes = *small, (1, 12_500, 352_800, 47_952), (1, 6_400, 352_800, 47_951)
    return timed_at(lambda: _resampled(rng, 1, FULL, 48_000, 44_100), [_resampled(rng, *shape) for shape in shapes])


def _resampled(rng: np.random.Generator, clip: int, n: int, rate: int, to: int) -> Launch:
    length = (n - 1) * rate // to + 2   # one sample more than is needed, for who rounds up
    clips = rng.standard_normal((clip + 1, length)).astype(np.float32)
    args = {"clips": clips, "out": blank(n), "clip": np.int32(clip), "length": np.int32(length), "n": np.int32(n),
            "from": np.int32(rate), "to": np.int32(to)}  # fmt: skip
    due = clips[clip, np.arange(n) * rate // to]
    return Launch((-(-n // 256),), (256,), args, {"out": due}, extent=(n,),
                  words=f"clip {clip}, {n:,} samples of {rate:,} to {to:,} Hz")  # fmt: skip


def _positions(position: Callable[[Any, int, int], Any]) -> Callable[[Launch], Any]:
    """The output if sample i of it is taken from `position(i, from, to)` of the clip."""

    def wrong(launch: Launch) -> Any:
        a = launch.args
        at = position(np.arange(a["n"]), int(a["from"]), int(a["to"])) + int(a["clip"]) * int(a["length"])
        return a["clips"].ravel()[np.minimum(at, a["clips"].size - 1)] if at.min() >= 0 else 1 / 0

    return wrong


def signed(product: Any, to: int) -> Any:
    """C's division of an int that has wrapped round: toward zero."""
    wrapped = np.asarray(product).astype(np.uint32).view(np.int32).astype(np.int64)
    return np.sign(wrapped) * (abs(wrapped) // to)


_TOO_LARGE = (
    "The first samples are right; then `i * from` no longer fits. 32 bits without a sign double the time until it "
    "breaks, and no more: the product needs 64 bits."
)

RESAMPLE = Problem(
    id="08.4",
    title="Case 5, the second second",
    task=(
        "Repair the kernel of case 5, so that clips may be as long as memory allows. The position must stay exact: "
        "sample i of `out` is the last sample of the clip whose time is not later than that of sample i."
    ),
    spec=(
        "`clips`: rows of `length` samples, of which row `clip` is meant. `out[i]` is its sample number i * from / to, "
        "rounded down. i, n, length and clip * length fit into an int; i * from need not."
    ),
    stub=RESAMPLE_STUB,
    answer="resample",
    lines=1,
    hints=(
        "What is the largest int? From which i on is i * 48,000 larger?",
        "C computes a product of two ints as an int, whatever becomes of it afterwards. One of the two factors must "
        "be wider *before* they are multiplied; CUDA C calls 64 bits `long long`.",
        "`int position = (long long)___ * from / to;`",
    ),
    solution=RESAMPLE_SOLUTION,
    why=(
        "With one factor of 64 bits the product and the quotient have 64 bits; the quotient fits into an int again. A "
        "float has 24 bits for its digits, too few for exact positions after a second of sound."
    ),
    judge=by_launches(
        make_resampled,
        traps=(
            _trap("out", _positions(lambda i, f, t: signed(i * f, t)), "A product is still an int. At 352,800 Hz it "
                  "is larger than 2,147,483,647 from sample 6,087 on, and turns negative. Widening the result comes "
                  "too late; widen a factor."),
            _trap("out", _positions(lambda i, f, t: i * f % 2**32 // t), _TOO_LARGE),
            _trap("out", _positions(lambda i, f, t: np.maximum(signed(i * f, t), 0)), "Where the product has become "
                  "negative you take sample 0. That hides the overflow; the product needs 64 bits."),
            _trap("out", _positions(lambda i, f, t: abs(signed(i * f, t))), "Where the product has become negative "
                  "you turn its sign. That hides the overflow; the product needs 64 bits."),
            _trap("out", _positions(lambda i, f, t: i // t * f), "`i / to` is a division of whole numbers, and drops "
                  "all that matters here: multiply first."),
            _trap("out", _positions(lambda i, f, t: i * (f // t)), "`from / to` is a division of whole numbers, and "
                  "drops the fraction: multiply first."),
            _trap("out", _positions(lambda i, f, t: (2 * i * f + t) // (2 * t)), "The position is rounded to the "
                  "nearest sample. Here the last one that is not later counts: round down."),
            _trap("out", _positions(lambda i, f, t: (np.float32(i) * np.float32(f) / np.float32(t)).astype(int)),
                  "Some positions are one sample off: a float has 24 bits for its digits, and the product needs more. "
                  "A product in 64 bits is exact."),
            _trap("out", _positions(lambda i, f, t: (np.float32(i) * (np.float32(f) / np.float32(t))).astype(int)),
                  "Some positions are one sample off: from / to, as a float, is rounded, and i multiplies the error. "
                  "Multiply first, in 64 bits."),
            _trap("out", _positions(lambda i, f, t: (i * (f / t)).astype(int)),
                  "A few positions are one sample off: from / to, as a double, is rounded too, and where the position "
                  "is a whole number it may end just below. Multiply first, in 64 bits."),
        ),
    ),
)  # fmt: skip

# -- 08.5: the launch that fits square pictures -----------------------------------------------------------

STANDARD_STUB = '''standardize = cp.RawKernel(r"""
extern "C" __global__
void standardize(const unsigned char* photo, float* out, float mean, float spread, int h, int w)
{
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row < h && column < w) {
        out[row * w + column] = (photo[row * w + column] - mean) / spread;
    }
}
""", "standardize")

def standardized(photo, mean, spread):
    h, w = photo.shape
    out = cp.empty((h, w), cp.float32)
    grid = (-(-h // 16), -(-w // 8))
    standardize(grid, (16, 8), (photo, out, mean, spread, np.int32(h), np.int32(w)))
    return out
'''
STANDARD_SOLUTION = STANDARD_STUB.replace("(-(-h // 16), -(-w // 8))", "(-(-w // 16), -(-h // 8))")


def make_standards(rng: np.random.Generator) -> Sequence[Launch]:
    """A square, an upright and two wide pictures, none of whole blocks; one so wide that a square grid is a waste."""
    small = [_standard(rng, *shape) for shape in ((17, 17), (25, 16), (8, 60), (11, 21))]
    return timed_at(lambda: _standard(rng, 2560, 2048), small)


def _standard(rng: np.random.Generator, h: int, w: int) -> Launch:
    photo = rng.integers(0, 256, (h, w)).astype(np.uint8)
    mean, spread = np.float32(113), np.float32(60)
    args = {"photo": photo, "mean": mean, "spread": spread}
    return Launch((1,), (1,), args, {"out": (photo - mean) / spread}, rtol=1e-5, atol=1e-5, extent=(w, h),
                  words=f"{h} rows and {w} columns")  # fmt: skip


def _covered(rows: Callable[[int, int], int], columns: Callable[[int, int], int]) -> Callable[[float], Any]:
    """The output if only so many rows and columns get a thread, and the others hold what they held before."""

    def with_filling(filling: float) -> Callable[[Launch], Any]:
        def wrong(launch: Launch) -> Any:
            h, w = launch.args["photo"].shape
            out = np.full((h, w), filling, np.float32)
            out[: rows(h, w), : columns(h, w)] = launch.due["out"][: rows(h, w), : columns(h, w)]
            return out

        return wrong

    return with_filling


def _up(n: int, of: int) -> int:
    return -(-n // of) * of


# (rows and columns that get a thread, the cause)
_COVERED = (
    (lambda h, w: _up(h, 8), lambda h, w: _up(h, 16),
     "The grid reaches down to the last row, but not to the last column of a wide picture: x counts the columns."),
    (lambda h, w: _up(w, 8), lambda h, w: _up(w, 16),
     "The grid reaches to the last column, but not to the last row of an upright picture: y counts the rows."),
    (lambda h, w: _up(w, 8), lambda h, w: -(-h // 8) * 16,
     "The first number of the grid still follows from the height, the second from the width; and the block is 16 "
     "threads wide, not 8."),
    (lambda h, w: _up(w, 8), lambda h, w: _up(h, 16),
     "Of a wide picture the grid reaches only as far to the right as it is high, of an upright one only as far down as "
     "it is wide."),
    (lambda h, w: (h + 6) // 8 * 8, lambda h, w: (w + 14) // 16 * 16,
     "The numbers of blocks are not rounded up: one column more than whole blocks have, or one row, gets no thread."),
    (lambda h, w: -(-w // 8) * 16, lambda h, w: -(-h // 16) * 8,
     "The block is turned, but the first number of the grid still follows from the height, the second from the width."),
    (lambda h, w: 8, lambda h, w: w,
     "The grid has one row of blocks, so only the first 8 rows get threads: its second number counts blocks downward."),
    (lambda h, w: h // 8 * 8, lambda h, w: w // 16 * 16,
     "The numbers of blocks are rounded down: the last rows and columns have no block."),
    (lambda h, w: -(-h // 16) * 8, lambda h, w: -(-w // 8) * 16,
     "The block is 16 threads along x and 8 along y: divide the columns by 16, the rows by 8."),
)  # fmt: skip

STANDARD = Problem(
    id="08.5",
    title="Case 6, the upright picture",
    task=(
        "Repair the launch of case 6, so that every pixel of every picture gets a thread. The kernel is innocent; so "
        "is `cp.empty`."
    ),
    spec=(
        "`standardized(photo, mean, spread)`: `photo` is uint8 of shape (h, w), `mean` and `spread` are float32. It "
        "returns (photo - mean) / spread as a new float32 array of shape (h, w)."
    ),
    stub=STANDARD_STUB,
    answer="standardized",
    lines=1,
    hints=(
        "Which pictures come out right, and what do they have in common? Write down the grid for 600 rows and 512 "
        "columns: how many columns and rows does it cover?",
        "In the kernel x counts the columns. So the first number of the grid has to follow from the width.",
        "`grid = (-(-___ // 16), -(-___ // 8))`",
    ),
    solution=STANDARD_SOLUTION,
    why=(
        "NumPy says (h, w), CUDA says (x, y). Whoever writes h first in both gets a launch that is right for squares, "
        "and a kernel with a guard hides the rest: threads too many do nothing, threads too few are missed by nobody."
    ),
    judge=by_launches(
        make_standards,
        traps=tuple(
            _trap("out", _covered(rows, columns)(filling), cause)
            for rows, columns, cause in _COVERED for filling in (UNWRITTEN, 0.0)
        ),
        limits=(
            Limit("warps", lambda launch: -(-launch.extent[0] // 16) * _up(launch.extent[1], 8) + 64,
                  "The launch starts {found} warps. Twice as many as are needed, and 64 more, would be {limit}: the "
                  "grid counts blocks, not threads, and each of its numbers follows from one side of the picture."),
        ),
    ),
)  # fmt: skip

# -- 08.6: the window that slides ---------------------------------------------------------------------------

SLIDE_STUB = '''shift = cp.RawKernel(r"""
extern "C" __global__
void shift(float* window, const float* fresh, int n, int k)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float value = 0;
    if (i < n) {
        value = i + k < n ? window[i + k] : fresh[i + k - n];
    }
    __syncthreads();
    if (i < n) {
        window[i] = value;
    }
}
""", "shift")

def slide(window, fresh):
    n, k = len(window), len(fresh)
    shift((-(-n // 128),), (128,), (window, fresh, np.int32(n), np.int32(k)))
'''
SLIDE_SOLUTION = '''shift = cp.RawKernel(r"""
extern "C" __global__
void shift(const float* before, const float* fresh, float* window, int n, int k)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        window[i] = i + k < n ? before[i + k] : fresh[i + k - n];
    }
}
""", "shift")

def slide(window, fresh):
    n, k = len(window), len(fresh)
    before = window.copy()
    shift((-(-n // 128),), (128,), (before, fresh, window, np.int32(n), np.int32(k)))
'''


def make_windows(rng: np.random.Generator) -> Sequence[Launch]:
    """One block; four and a bit; a shift of more than a block; all of it new."""
    small = [_window(rng, *shape) for shape in ((100, 10), (530, 16), (1300, 150), (3, 3))]
    return timed_at(lambda: _window(rng, FULL, 160), small)


def _window(rng: np.random.Generator, n: int, k: int) -> Launch:
    window, fresh = (rng.standard_normal(size).astype(np.float32) for size in (n, k))
    due = np.concatenate([window, fresh])[k:]
    return Launch((1,), (1,), {"window": window, "fresh": fresh}, {"window": due}, extent=(n,),
                  words=f"a window of {n} samples, {k} new ones")  # fmt: skip


def _other_window(made: Callable[[Any, Any], Any], message: str) -> KernelTrap:
    return _trap("window", lambda launch: made(launch.args["window"], launch.args["fresh"]), message)


SLIDE = Problem(
    id="08.6",
    title="Case 7, the window that slides",
    task=(
        "Repair `slide`, so that it is right for windows of any length; the samples are to be moved by a kernel. You "
        "may change the kernel, the function, or both, and use a second array."
    ),
    spec=(
        "`slide(window, fresh)` changes `window`, n floats, in place: the first k samples go, the others move up by k, "
        "and the k samples of `fresh` follow. 1 <= k <= n. `fresh` stays as it is. `window.copy()` is allowed."
    ),
    stub=SLIDE_STUB,
    answer="slide",
    lines=4,
    hints=(
        "Thread 127 of block 0 reads an element that a thread of block 1 overwrites. No barrier orders blocks. What "
        "does?",
        "Nobody may write where somebody else still has to read. Read from one array and write to another; or end one "
        "launch before the next begins.",
        "`before = window.copy()`, and a kernel with three arrays: `window[i] = i + k < n ? ___[i + k] : fresh[i + k "
        "- n];`",
    ),
    solution=SLIDE_SOLUTION,
    why=(
        "The copy is finished before the kernel begins, because operations of one stream follow each other. From then "
        "on one array is only read and the other only written, so the order of threads does not matter, and the "
        "barrier can go."
    ),
    judge=by_launches(
        make_windows,
        traps=(
            _other_window(lambda window, fresh: window, "`window` is as it was before: the result must end in it."),
            _other_window(lambda window, fresh: np.r_[fresh, window][: window.size], "The window moves the wrong way: "
                          "the first samples should go, and the new ones follow at the end."),
            _other_window(lambda window, fresh: np.r_[window[fresh.size :], window[: fresh.size]], "The samples that "
                          "should go come again at the end: `fresh` belongs there."),
            _other_window(lambda window, fresh: np.r_[window[fresh.size :], window[window.size - fresh.size :]],
                          "The window has moved, but its last k samples are still the old ones: `fresh` belongs "
                          "there."),
            _other_window(lambda window, new: np.r_[window, np.roll(new, -(window.size % new.size))][new.size :],
                          "The new samples are turned round in a circle: the first of them belongs to i = n - k."),
            _other_window(lambda window, fresh: np.r_[window[fresh.size :], 0 * fresh], "At the end there are zeros: "
                          "`fresh` belongs there."),
            _other_window(lambda window, fresh: np.r_[window[: window.size - fresh.size], fresh], "The new samples "
                          "have come, but the others have not moved up."),
        ),
    ),
)  # fmt: skip

# -- 08.7: right and slow -----------------------------------------------------------------------------------

CORNERS_STUB = '''corners = cp.RawKernel(r"""
extern "C" __global__
void corners(const float* p, float* box, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        float x = p[i];
        float y = p[n + i];
        float w = expf(p[2 * n + i]);
        float h = expf(p[3 * n + i]);
        box[4 * i] = x - w / 2;
        box[4 * i + 1] = y - h / 2;
        box[4 * i + 2] = x + w / 2;
        box[4 * i + 3] = y + h / 2;
    }
}
""", "corners")
'''
CORNERS_STORES = """        box[4 * i] = x - w / 2;
        box[4 * i + 1] = y - h / 2;
        box[4 * i + 2] = x + w / 2;
        box[4 * i + 3] = y + h / 2;
"""
CORNERS_STORE = "        ((float4*)box)[i] = make_float4(x - w / 2, y - h / 2, x + w / 2, y + h / 2);\n"
CORNERS_SOLUTION = CORNERS_STUB.replace(CORNERS_STORES, CORNERS_STORE)


def make_boxes(rng: np.random.Generator) -> Sequence[Launch]:
    """Whole blocks, a last block that is not full, planes that begin within a sector, three boxes."""
    small = [_boxes(rng, *shape) for shape in ((512, 256), (1001, 128), (70, 64), (3, 32))]
    return timed_at(lambda: _boxes(rng, FULL, 256), small)


def _boxes(rng: np.random.Generator, n: int, block: int) -> Launch:
    p = rng.random((4, n), dtype=np.float32)
    args = {"p": p, "box": blank((n, 4)), "n": np.int32(n)}
    return Launch((-(-n // block),), (block,), args, {"box": boxes(p)}, rtol=1e-4, atol=1e-5, extent=(n,),
                  words=f"{n:,} boxes in blocks of {block}")  # fmt: skip


def boxes(p: Any, half: float = 0.5, logarithms: bool = True) -> Any:
    """The corners (n, 4) of boxes given as planes of their center and the logarithms of their sides."""
    x, y, w, h = p.astype(np.float64)
    w, h = (np.exp(w), np.exp(h)) if logarithms else (w, h)
    return np.stack([x - half * w, y - half * h, x + half * w, y + half * h], axis=1).astype(np.float32)


def _other_boxes(made: Callable[[Any], Any], message: str) -> KernelTrap:
    return _trap("box", lambda launch: made(launch.args["p"]), message)


CORNERS = Problem(
    id="08.7",
    title="Case 8, the corners of boxes",
    task=(
        "The kernel of case 8 is right. Mend the lines that waste, so that the boxes are written with as few sectors "
        "as they fill, and keep the result, up to rounding."
    ),
    spec=(
        "`p`: 4 planes of n floats, x, y and the logarithms of width and height. `box`: n rows of 4 floats, x - w/2, "
        "y - h/2, x + w/2, y + h/2; it begins at a multiple of 16 bytes. A thread for each box."
    ),
    stub=CORNERS_STUB,
    answer="corners",
    lines=1,
    hints=(
        "In one request of the first store, how far apart are the elements of lanes 0 and 1? What lies between them, "
        "and who writes that?",
        "The four numbers of a box lie side by side and belong to one thread. Lesson 04 had an instruction for that.",
        "`((float4*)box)[i] = make_float4(x - w / 2, ___, ___, ___);`",
    ),
    solution=CORNERS_SOLUTION,
    why=(
        "A lane now writes 16 bytes at once, and the lanes of a warp fill 16 whole sectors with one request, where "
        "four requests had touched the same 16 sectors each. The loads were never the matter."
    ),
    judge=by_launches(
        make_boxes,
        traps=(
            _other_boxes(lambda p: boxes(p).T.copy().reshape(-1, 4), "The boxes are stored as four planes. That is "
                         "coalesced, but the next kernel expects the four numbers of a box side by side."),
            _other_boxes(lambda p: boxes(p)[:, [0, 2, 1, 3]], "The two numbers in the middle have changed places: "
                         "the order is left, top, right, bottom."),
            _other_boxes(lambda p: boxes(p)[:, [2, 3, 0, 1]], "The upper corner and the lower one have changed "
                         "places."),
            _other_boxes(lambda p: boxes(p, half=1), "The corners lie a whole width and height from the center: "
                         "halve them."),
            _other_boxes(lambda p: boxes(p, logarithms=False), "Width and height are given as logarithms: keep the "
                         "`expf`."),
            _other_boxes(lambda p: boxes(p.reshape(-1, 4).T), "Four neighbors in `p` are taken for one box. `p` has "
                         "four planes: x of all boxes, then y of all, and so on."),
            _other_boxes(lambda p: np.stack([*p[:2], *np.exp(p[2:].astype(np.float64))], axis=1), "These are center, "
                         "width and height; the corners are asked for."),
        ),
        limits=(
            Limit("global_store_sectors", lambda launch: -(-16 * launch.extent[0] // 32) * 5 // 4,
                  "The stores touch {found} sectors; at most {limit} are accepted, the fewest and a quarter more. "
                  "Neighboring lanes still leave gaps between them in each request."),
            Limit("global_load_sectors", lambda launch: 10 * 4 * -(-launch.extent[0] // 8),
                  "The loads touch {found} sectors; at most {limit} are accepted, ten times the fewest. Read each "
                  "plane along its length."),
        ),
    ),
)  # fmt: skip

PROBLEMS = (NORM, DOCUMENT, BAD, RESAMPLE, STANDARD, SLIDE, CORNERS)
