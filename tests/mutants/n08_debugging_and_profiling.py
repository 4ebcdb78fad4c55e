"""Plausible wrong answers to the exercises of lesson 08, each with words that its message must contain."""

from gpucourse.exercises import n08_debugging_and_profiling as n08
from tests.mutants.mutant import Mutant, kernel

DOCUMENT, BAD = n08.DOCUMENT_SOLUTION, n08.BAD_SOLUTION
RESAMPLE, STANDARD, SLIDE = n08.RESAMPLE_SOLUTION, n08.STANDARD_SOLUTION, n08.SLIDE_SOLUTION
CORNERS = n08.CORNERS_SOLUTION
KEPT = "    float total = part[0];\n    __syncthreads();\n    return total;\n"
NORM = kernel(n08.NORM_STUB, (n08.NORM_RETURN, KEPT))
LOOP_BARRIER = "        __syncthreads();\n"
GRID = "(-(-w // 16), -(-h // 8))"
KEPT_FIRST = """        float l = x - w / 2, u = y - h / 2, r = x + w / 2, d = y + h / 2;
        box[4 * i] = l;
        box[4 * i + 1] = u;
        box[4 * i + 2] = r;
        box[4 * i + 3] = d;
"""
TWO_HALVES = """        ((float2*)box)[2 * i] = make_float2(x - w / 2, y - h / 2);
        ((float2*)box)[2 * i + 1] = make_float2(x + w / 2, y + h / 2);
"""

MUTANTS = {
    "08.1": (
        Mutant("divides by the block", kernel(NORM, ("/ w;", "/ B;")), "A row has `w` numbers"),
        Mutant(
            "idle threads count",
            kernel(NORM, ("t < w ? value - mean : 0", "value - mean")),
            "for them `away` must be 0",
        ),
        Mutant("1e-5 outside", kernel(NORM, ("rsqrtf(variance + 1e-5f)", "(rsqrtf(variance) + 1e-5f)")), "nan"),
        Mutant(
            "barrier of the warp",
            kernel(n08.NORM_STUB, (n08.NORM_RETURN, KEPT.replace("__syncthreads", "__syncwarp"))),
            "A race",
        ),
        Mutant(
            "a fence",
            kernel(n08.NORM_STUB, (n08.NORM_RETURN, "    __threadfence_block();\n    return part[0];\n")),
            "A race",
        ),
        Mutant(
            "barrier before the read",
            kernel(n08.NORM_STUB, (n08.NORM_RETURN, "    __syncthreads();\n    return part[0];\n")),
            "A race",
        ),
        Mutant(
            "one more after the write",
            kernel(n08.NORM_STUB, ("    part[t] = value;\n", "    part[t] = value;\n    __syncthreads();\n")),
            "A race",
        ),
        Mutant(
            "volatile",
            kernel(n08.NORM_STUB, ("__shared__ float part", "__shared__ volatile float part")),
            "`volatile` orders nothing",
        ),
        Mutant(
            "barrier for those with an element",
            kernel(n08.NORM_STUB, ("    float away", "    if (t < w) __syncthreads();\n    float away")),
            "barrier",
        ),
        Mutant(
            "barrier for those that add",
            kernel(
                n08.NORM_SOLUTION,
                (
                    "            part[t] += part[t + half];\n        }\n        __syncthreads();\n",
                    "            part[t] += part[t + half];\n            __syncthreads();\n        }\n",
                ),
            ),
            "barrier",
        ),
        Mutant(
            "sums of warps",
            kernel(
                NORM,
                (NORM[NORM.index("    __shared__ float part") : NORM.index("}\n\nextern")],
                 "    for (int d = 16; d > 0; d /= 2) value += __shfl_xor_sync(0xffffffff, value, d);\n"
                 "    return value;\n"),
            ),
            "still have to be joined",
        ),
        Mutant(
            "only thread 0 has the sum", kernel(NORM, ("return total;", "return t ? 0 : total;")), "Only thread 0 gets"
        ),
        Mutant("variance of itself", kernel(NORM, ("block_sum(away * away)", "block_sum(value * value)")), "should be"),
        Mutant("only centered", kernel(NORM, (" * rsqrtf(variance + 1e-5f)", "")), "not divided by the root"),
    ),
    "08.2": (
        Mutant("no barrier in the loop", kernel(n08.DOCUMENT_STUB, (LOOP_BARRIER, "")), "A race"),
        Mutant(
            "only the first barrier of a warp",
            kernel(
                n08.DOCUMENT_STUB,
                ("        __syncthreads();\n    }\n    means", "    }\n    means"),
                (LOOP_BARRIER, "        __syncwarp();\n"),
            ),
            "A race",
        ),
        Mutant(
            "all as long as the longest",
            kernel(n08.DOCUMENT_STUB, ("int n = length[sentence]", "int n = longest")),
            "is taken as `longest`",
        ),
        Mutant(
            "adds what lies behind the end",
            kernel(
                DOCUMENT,
                ("min(32, n - start)", "min(32, longest - start)"),
                ("if (start + lane < n)", "if (start + lane < longest)"),
            ),
            "behind the end",
        ),
        Mutant(
            "adds what nobody brought",
            kernel(DOCUMENT, ("k < min(32, n - start)", "k < 32")),
            "before anything was written",
        ),
        Mutant(
            "barrier inside the condition",
            kernel(
                DOCUMENT,
                (
                    "+ start + lane];\n        }\n        __syncthreads();\n",
                    "+ start + lane];\n            __syncthreads();\n        }\n",
                ),
            ),
            "barrier",
        ),
        Mutant(
            "wait of a warp inside the condition",
            kernel(
                n08.DOCUMENT_STUB,
                ("+ start + lane];\n        }\n        __syncthreads();\n",
                 "+ start + lane];\n            __syncwarp();\n        }\n"),
                ("        __syncthreads();\n    }\n    means", "        __syncwarp();\n    }\n    means"),
            ),
            "does one stand in a branch?",
        ),
        Mutant(
            "leaves early",
            kernel(
                DOCUMENT,
                ("        if (start + lane < n) {", "        if (start >= n) break;\n        if (start + lane < n) {"),
            ),
            "barrier",
        ),
        Mutant(
            "no barrier before the mean of means",
            kernel(DOCUMENT, ("sum / n;\n    __syncthreads();", "sum / n;")),
            "A race",
        ),
        Mutant(
            "turns of the first sentence",
            kernel(DOCUMENT, ("start < longest", "start < length[blockIdx.x * 4]")),
            "from the first sentence",
        ),
        Mutant(
            "turns of the shortest sentence",
            kernel(
                DOCUMENT,
                ("    float sum = 0;\n",
                 "    float sum = 0;\n    const int* l = length + blockIdx.x * 4;\n"
                 "    int least = min(min(l[0], l[1]), min(l[2], l[3]));\n"),
                ("start < longest", "start < least"),
            ),
            "from the shortest sentence",
        ),
        Mutant(
            "turns rounded down",
            kernel(
                DOCUMENT,
                ("    float sum = 0;\n",
                 "    float sum = 0;\n    const int* l = length + blockIdx.x * 4;\n"
                 "    int most = max(max(l[0], l[1]), max(l[2], l[3]));\n"),
                ("start < longest", "start < most / 32 * 32"),
            ),
            "rounded down",
        ),
        Mutant(
            "as long as the longest of the document",
            kernel(
                n08.DOCUMENT_STUB,
                ("    int n = length[sentence];\n",
                 "    const int* l = length + blockIdx.x * 4;\n    int n = max(max(l[0], l[1]), max(l[2], l[3]));\n"),
            ),
            "the longest of its document",
        ),
        Mutant("divides by the longest", kernel(DOCUMENT, ("sum / n", "sum / longest")), "divided by `longest`"),
        Mutant(
            "one piece only",
            kernel(n08.DOCUMENT_STUB, ("start < n; start += 32", "start < 32; start += 32")),
            "first 32 words",
        ),
        Mutant("a number as bound", kernel(DOCUMENT, ("start < longest", "start < 100")), "follow from `longest`"),
    ),
    "08.3": (
        Mutant("no barrier after it", kernel(BAD, ("bad = 0;\n    __syncthreads();\n", "bad = 0;\n")), "A race"),
        Mutant(
            "a start value",
            kernel(n08.BAD_STUB, ("__shared__ int bad;", "__shared__ int bad = 0;")),
            "does not compile",
        ),
        Mutant(
            "only in the first block",
            kernel(
                BAD,
                (n08.BAD_START, ""),
                ("threadIdx.x;\n", "threadIdx.x;\n    if (i == 0) {\n        bad = 0;\n    }\n    __syncthreads();\n"),
            ),
            "before anything was written",
        ),
        Mutant(
            "after the counting",
            kernel(
                n08.BAD_STUB,
                (
                    "    __syncthreads();\n",
                    "    __syncthreads();\n    if (threadIdx.x == 0) bad = 0;\n    __syncthreads();\n",
                ),
            ),
            "after the counting",
        ),
        Mutant(
            "with the guard",
            kernel(
                n08.BAD_STUB,
                ("    if (i < n &&", "    if (i < n) bad = 0;\n    __syncthreads();\n    if (i < n &&"),
                ("    __syncthreads();\n    if (threadIdx", "    if (threadIdx"),
            ),
            "A race",
        ),
        Mutant(
            "not shared",
            kernel(n08.BAD_STUB, ("__shared__ int bad;", "int bad = 0;"), ("atomicAdd(&bad, 1)", "bad++")),
            "one for the whole block",
        ),
        Mutant(
            "an atomic of one's own",
            kernel(n08.BAD_STUB, ("__shared__ int bad;", "int bad = 0;")),
            "memory that threads share",
        ),
        Mutant(
            "the first warp",
            kernel(
                n08.BAD_STUB,
                ("    __shared__ int bad;\n", ""),
                ("    if (i < n && !isfinite(gradient[i])) {\n        atomicAdd(&bad, 1);\n    }\n", ""),
                ("    __syncthreads();\n",
                 "    int bad = __popc(__ballot_sync(0xffffffff, i < n && !isfinite(gradient[i])));\n"),
            ),
            "count of its first warp",
        ),
        Mutant("flags in place of counts", kernel(BAD, ("atomicAdd(&bad, 1)", "bad = 1")), "should be 2 but is 1"),
        Mutant("without an atomic", kernel(BAD, ("atomicAdd(&bad, 1)", "bad += 1")), "both update `bad[0]`"),
        Mutant(
            "straight into out",
            kernel(
                n08.BAD_STUB,
                ("atomicAdd(&bad, 1)", "atomicAdd(&out[blockIdx.x], 1)"),
                ("    if (threadIdx.x == 0) {\n        out[blockIdx.x] = bad;\n    }\n", ""),
            ),
            "before anything was written",
        ),
    ),
    "08.4": (
        Mutant("clamps", kernel(n08.RESAMPLE_STUB, ("i * from / to", "max(i * from / to, 0)")), "you take sample 0"),
        Mutant("turns the sign", kernel(n08.RESAMPLE_STUB, ("i * from / to", "abs(i * from / to)")), "turn its sign"),
        Mutant(
            "widened too late",
            kernel(n08.RESAMPLE_STUB, ("i * from / to", "(long long)(i * from) / to")),
            "comes too late",
        ),
        Mutant("a wide result", kernel(n08.RESAMPLE_STUB, ("int position", "long long position")), "comes too late"),
        Mutant("without a sign", kernel(n08.RESAMPLE_STUB, ("i * from / to", "(unsigned)i * from / to")), "64 bits"),
        Mutant(
            "in two parts, both ints",
            kernel(n08.RESAMPLE_STUB, ("i * from / to", "i / to * from + i % to * from / to")),
            "from sample 6,087 on",
        ),
        Mutant(
            "halves both",
            kernel(
                n08.RESAMPLE_STUB,
                ("        int position = i * from / to",
                 "        while (from % 2 == 0 && to % 2 == 0) { from /= 2; to /= 2; }\n"
                 "        int position = i * from / to"),
            ),
            "from sample 6,087 on",
        ),
        Mutant("divides first", kernel(n08.RESAMPLE_STUB, ("i * from / to", "i / to * from")), "multiply first"),
        Mutant("divides the rates", kernel(n08.RESAMPLE_STUB, ("i * from / to", "from / to * i")), "multiply first"),
        Mutant("a float", kernel(n08.RESAMPLE_STUB, ("i * from / to", "(float)i * from / to")), "24 bits"),
        Mutant(
            "a float ratio",
            kernel(n08.RESAMPLE_STUB, ("i * from / to", "i * ((float)from / to)")),
            "multiplies the error",
        ),
        Mutant(
            "a double ratio", kernel(n08.RESAMPLE_STUB, ("i * from / to", "i * ((double)from / to)")), "as a double"
        ),
        Mutant(
            "another guard", kernel(n08.RESAMPLE_STUB, ("i < n", "i < n && i < 2147483647 / from")), "Nobody writes"
        ),
        Mutant(
            "rounds", kernel(n08.RESAMPLE_STUB, ("i * from / to", "(2LL * i * from + to) / (2 * to)")), "round down"
        ),
    ),
    "08.5": (
        Mutant("rounds down", kernel(STANDARD, (GRID, "(w // 16, h // 8)")), "rounded down"),
        Mutant("forgets what is left over", kernel(STANDARD, (GRID, "(w // 16, -(-h // 8))")), "Nobody writes"),
        Mutant("the height twice", kernel(STANDARD, (GRID, "(-(-h // 16), -(-h // 8))")), "x counts the columns"),
        Mutant("eight in both", kernel(STANDARD, (GRID, "(-(-h // 8), -(-w // 8))")), "16 threads wide, not 8"),
        Mutant("the width twice", kernel(STANDARD, (GRID, "(-(-w // 16), -(-w // 8))")), "y counts the rows"),
        Mutant(
            "the block exchanged", kernel(STANDARD, (GRID, "(-(-w // 8), -(-h // 16))")), "divide the columns by 16"
        ),
        Mutant(
            "the larger side twice",
            kernel(STANDARD, (GRID, "(-(-max(h, w) // 16), -(-max(h, w) // 8))")),
            "one side of the picture",
        ),
        Mutant("threads for blocks", kernel(STANDARD, (GRID, "(w, h)")), "counts blocks"),
        Mutant("zeros to hide it", kernel(n08.STANDARD_STUB, ("cp.empty", "cp.zeros")), "as far to the right"),
        Mutant(
            "the guard exchanged",
            kernel(n08.STANDARD_STUB, ("row < h && column < w", "row < w && column < h")),
            "does not have",
        ),
        Mutant("a block of that shape", kernel(n08.STANDARD_STUB, ("(16, 8)", "(8, 16)")), "The block is turned"),
        Mutant(
            "the smaller side twice",
            kernel(STANDARD, (GRID, "(-(-min(h, w) // 16), -(-min(h, w) // 8))")),
            "only as far to the right",
        ),
        Mutant("adds one too few", kernel(STANDARD, (GRID, "((w + 14) // 16, (h + 6) // 8)")), "not rounded up"),
        Mutant("one row of blocks", kernel(STANDARD, (GRID, "(-(-w * h // 128),)")), "one row of blocks"),
        Mutant(
            "the shape the wrong way round",
            kernel(n08.STANDARD_STUB, ("h, w = photo.shape", "w, h = photo.shape")),
            "returned one of shape",
        ),
    ),
    "08.6": (
        Mutant("one block", kernel(n08.SLIDE_STUB, ("(-(-n // 128),), (128,)", "(1,), (1024,)")), "fewer threads"),
        Mutant("the same array by another name", kernel(SLIDE, ("window.copy()", "window")), "`.copy()` makes one"),
        Mutant(
            "a slice for a copy",
            kernel(SLIDE, ("window.copy()", "window[k:]"), ("before[i + k]", "before[i]")),
            "`.copy()` makes one",
        ),
        Mutant(
            "the new ones by assignment",
            kernel(
                n08.SLIDE_STUB,
                ("    if (i < n) {\n        value = i + k < n ? window[i + k] : fresh[i + k - n]",
                 "    if (i < n - k) {\n        value = window[i + k]"),
                ("    if (i < n) {\n        window", "    if (i < n - k) {\n        window"),
                ("np.int32(k)))\n", "np.int32(k)))\n    window[n - k:] = fresh\n"),
            ),
            "read from one array",
        ),
        Mutant(
            "a fence",
            kernel(n08.SLIDE_STUB, ("    __syncthreads();", "    __threadfence();\n    __syncthreads();")),
            "read from one array",
        ),
        Mutant(
            "two barriers",
            kernel(n08.SLIDE_STUB, ("    __syncthreads();", "    __syncthreads();\n    __syncthreads();")),
            "read from one array",
        ),
        Mutant(
            "an atomic store",
            kernel(n08.SLIDE_STUB, ("window[i] = value;", "atomicExch(&window[i], value);")),
            "read from one array",
        ),
        Mutant(
            "larger blocks",
            kernel(n08.SLIDE_STUB, ("(-(-n // 128),), (128,)", "(-(-n // 512),), (512,)")),
            "read from one array",
        ),
        Mutant(
            "the result stays in a second array",
            kernel(
                SLIDE,
                ("before = window.copy()", "before = cp.empty_like(window)"),
                ("(before, fresh, window,", "(window, fresh, before,"),
            ),
            "as it was before",
        ),
        Mutant(
            "copies too late",
            kernel(SLIDE, ("before = window.copy()", "before = cp.empty_like(window)")),
            "before anything was written",
        ),
        Mutant("the old end", kernel(SLIDE, ("fresh[i + k - n]", "before[i]")), "still the old ones"),
        Mutant("fresh by remainder", kernel(SLIDE, ("fresh[i + k - n]", "fresh[i % k]")), "in a circle"),
        Mutant("round and round", kernel(SLIDE, ("fresh[i + k - n]", "before[i + k - n]")), "come again at the end"),
        Mutant("one too many", kernel(SLIDE, ("i + k < n ?", "i + k <= n ?")), "`before["),
        Mutant(
            "without a kernel",
            "def slide(window, fresh):\n"
            "    old, k = window.copy(), len(fresh)\n"
            "    window[:-k] = old[k:]\n"
            "    window[-k:] = fresh\n",
            "launched no kernel",
        ),
    ),
    "08.7": (
        Mutant(
            "four neighbors for a box",
            kernel(
                CORNERS,
                ("p[i]", "p[4 * i]"),
                ("p[n + i]", "p[4 * i + 1]"),
                ("p[2 * n + i]", "p[4 * i + 2]"),
                ("p[3 * n + i]", "p[4 * i + 3]"),
            ),
            "`p` has four planes",
        ),
        Mutant("computed first, stored as before", kernel(CORNERS, (n08.CORNERS_STORE, KEPT_FIRST)), "leave gaps"),
        Mutant("two halves", kernel(CORNERS, (n08.CORNERS_STORE, TWO_HALVES)), "leave gaps"),
        Mutant(
            "planes",
            kernel(
                n08.CORNERS_STUB,
                ("box[4 * i]", "box[i]"),
                ("box[4 * i + 1]", "box[n + i]"),
                ("box[4 * i + 2]", "box[2 * n + i]"),
                ("box[4 * i + 3]", "box[3 * n + i]"),
            ),
            "four planes",
        ),
        Mutant(
            "cast of one number",
            kernel(CORNERS, ("((float4*)box)[i]", "((float4*)box)[4 * i]")),
            "counts in float4",
        ),
        Mutant(
            "through shared memory without a bound",
            kernel(
                n08.CORNERS_STUB,
                ("    if (i < n) {", "    __shared__ float tile[1024];\n    int t = threadIdx.x;\n    if (i < n) {"),
                *((f"        box[4 * i{k}]", f"        tile[4 * t{k}]") for k in ("", " + 1", " + 2", " + 3")),
                (
                    "y + h / 2;\n    }\n",
                    "y + h / 2;\n    }\n    __syncthreads();\n"
                    "    for (int j = t; j < 4 * blockDim.x; j += blockDim.x)\n"
                    "        box[4 * (i - t) + j] = tile[j];\n",
                ),
            ),
            "others have none",
        ),
        Mutant(
            "the middle exchanged",
            kernel(
                CORNERS, ("x - w / 2, y - h / 2, x + w / 2, y + h / 2", "x - w / 2, x + w / 2, y - h / 2, y + h / 2")
            ),
            "have changed places",
        ),
        Mutant(
            "center and sides",
            kernel(CORNERS, ("x - w / 2, y - h / 2, x + w / 2, y + h / 2", "x, y, w, h")),
            "center, width and height",
        ),
        Mutant(
            "no exponential",
            kernel(CORNERS, ("expf(p[2 * n + i])", "p[2 * n + i]"), ("expf(p[3 * n + i])", "p[3 * n + i]")),
            "keep the",
        ),
        Mutant("no half", kernel(CORNERS, ("w / 2", "w"), ("h / 2", "h")), "halve them"),
        Mutant("no guard", kernel(CORNERS, ("    if (i < n) {", "    {")), "guard"),
    ),
}
