"""Plausible wrong answers to the exercises of lesson 06, each with words that its message must contain."""

from gpucourse.exercises import n06_reductions_and_warps as n06
from gpucourse.exercises.compare import mapping_source
from tests.mutants.mutant import Mutant, kernel

ODD, FIRST, HALF, WHOLE, ONE, BLOCK, LOOP = n06.HEADS
MAXIMUM = n06.MAXIMUM_SOLUTION
WARP_SUM, HISTOGRAM = n06.WARP_SUM_SOLUTION, n06.HISTOGRAM_SOLUTION
SCAN, SOFTMAX = n06.SCAN_SOLUTION, n06.SOFTMAX_SOLUTION
SHUFFLES = """        for (int d = 16; d > 0; d /= 2) {
            sum += __shfl_down_sync(ALL, sum, d);
        }
"""
COLUMNS = """        for (int c = lane; c < columns; c += 32) {
            sum += x[row * columns + c];
        }
"""
STRIDE = "for (int b = threadIdx.x; b < 256; b += blockDim.x) {\n        "
FLUSH = STRIDE + "atomicAdd(&counts[b], s[b]);\n    }"
ROUND = """        int left = t >= d ? s[t - d] : 0;
        __syncthreads();
        s[t] += left;
        __syncthreads();
"""
MOST = "fmaxf(most, x[first + c])"
SUM_TREE = """    s[t] = sum;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (t < half) {
            s[t] += s[t + half];
        }
        __syncthreads();
    }
"""


def parted(changed):
    """The right dict of 06.1 with some values changed."""
    return mapping_source("parted", n06.HEADS | changed)


MUTANTS = {
    "06.1": (
        Mutant("half of the warps", parted({ODD: 4}), "are neighbors"),
        Mutant("threads for warps", parted({ODD: 128}), "in how many warps"),
        Mutant("one warp goes its own way", parted({FIRST: 1}), "do any two lanes differ"),
        Mutant("all that say yes", parted({HALF: 2}), "half of warp 1"),
        Mutant("blocks of 48", parted({HALF: 0}), "threads 32 to 63 are one warp"),
        Mutant("every second warp", parted({WHOLE: 4}), "each of them as a whole"),
        Mutant("every warp", parted({ONE: 8}), "in every warp"),
        Mutant("block 3 is alone", parted({BLOCK: 8}), "so they agree"),
        Mutant("a loop is no branch", parted({LOOP: 0}), "leaves the loop before"),
        Mutant("an odd guess", parted({ONE: 2}), "too small"),
    ),
    "06.2": (
        Mutant("0 beyond n", kernel(MAXIMUM, (": -INFINITY", ": 0")), "block 0 wins"),
        Mutant("0 in all blocks", kernel(MAXIMUM, ("s[t] = i < n ? x[i] : -INFINITY", "float v = 0; if (i < n) v = fmaxf(v, x[i]); s[t] = v")),
               "Where does it come from"),
        Mutant("FLT_MIN", kernel(MAXIMUM, (": -INFINITY", ": 1.175494351e-38f")), "FLT_MIN"),
        Mutant("smallest int", kernel(MAXIMUM, (": -INFINITY", ": -2147483648.0f")), "smallest int"),
        Mutant("a small number", kernel(MAXIMUM, (": -INFINITY", ": -9999")), "is -9999"),
        Mutant("no guard", kernel(MAXIMUM, ("i < n ? x[i] : -INFINITY", "x[i]")), "They have no element"),
        Mutant("nothing beyond n", kernel(MAXIMUM, ("s[t] = i < n ? x[i] : -INFINITY;", "if (i < n) s[t] = x[i];")),
               "must be filled"),
        Mutant("early return", kernel(MAXIMUM, ("    s[t] = i < n ? x[i] : -INFINITY;", "    if (i >= n) return;\n    s[t] = x[i];")),
               "must be filled"),
        Mutant("no barrier after the fill", kernel(MAXIMUM, ("-INFINITY;\n    __syncthreads();", "-INFINITY;")), "race"),
        Mutant("no barrier in the loop", kernel(MAXIMUM, ("        }\n        __syncthreads();", "        }")), "race"),
        Mutant("barrier inside the if", kernel(MAXIMUM, ("        }\n        __syncthreads();\n    }\n    if", "        __syncthreads();\n        }\n    }\n    if")),
               "barrier"),
        Mutant("stops early", kernel(MAXIMUM, ("half > 0", "half > 1")), "odd places"),
        Mutant("begins late", kernel(MAXIMUM, ("half = blockDim.x / 2", "half = blockDim.x / 4")), "second half"),
        Mutant("only a warp", kernel(MAXIMUM, ("half = blockDim.x / 2", "half = 16")), "first warp"),
        Mutant("block of 256 always", kernel(MAXIMUM, ("half = blockDim.x / 2", "half = 128")), "must be filled"),
        Mutant("sum", kernel(MAXIMUM, (": -INFINITY", ": 0"), ("fmaxf(s[t], s[t + half])", "s[t] + s[t + half]")), "sums"),
        Mutant("all write", kernel(MAXIMUM, ("    if (t == 0) {\n        out", "    {\n        out")), "one thread"),
        Mutant("all write to their own", kernel(MAXIMUM, ("    if (t == 0) {\n        out[blockIdx.x] = s[0]", "    {\n        out[i] = s[0]")), "out"),
        Mutant("every thread its neighbor", kernel(MAXIMUM, ("s[t + half])", "s[t + 1])")), "with its neighbor"),
        Mutant("no if in the loop", kernel(MAXIMUM, ("if (t < half) {", "{")), "`s[256]`"),
        Mutant("thread 0 alone", kernel(MAXIMUM, ("    for (int half = blockDim.x / 2; half > 0; half /= 2) {\n        if (t < half) {\n            s[t] = fmaxf(s[t], s[t + half]);\n        }\n        __syncthreads();\n    }\n    if (t == 0) {\n",
               "    if (t == 0) {\n        for (int k = 1; k < blockDim.x; k++) s[0] = fmaxf(s[0], s[k]);\n")), "halves"),
    ),
    "06.3": (
        Mutant("half a mask", kernel(WARP_SUM, ("ALL 0xffffffff", "ALL 0xffff")), "mask 0x0000ffff does not name it"),
        Mutant("lane 0's bit", kernel(WARP_SUM, ("ALL 0xffffffff", "ALL 1")), "mask 0x00000001 does not name it"),
        Mutant("guard asks for the column", kernel(WARP_SUM, ("if (row < rows)", "if (row < rows && lane < columns)")),
               "is not there"),
        Mutant("early return of lanes", kernel(WARP_SUM, ("    if (row < rows) {", "    if (lane >= columns) return;\n    if (row < rows) {")),
               "is not there"),
        Mutant("mask of those who are there", kernel(WARP_SUM, ("if (row < rows)", "if (row < rows && lane < columns)"),
               ("__shfl_down_sync(ALL", "__shfl_down_sync(__activemask()")), "is not there"),
        Mutant("only lanes below d", kernel(WARP_SUM, ("            sum += __shfl", "            if (lane < d) sum += __shfl")), "shuffle"),
        Mutant("shuffles in the loop", kernel(WARP_SUM, (SHUFFLES, ""), ("            sum += x[row * columns + c];\n",
               "            sum += x[row * columns + c];\n            for (int d = 16; d > 0; d /= 2) sum += __shfl_down_sync(ALL, sum, d);\n")), "lanes of their warp that never come"),
        Mutant("begins at 8", kernel(WARP_SUM, ("d = 16", "d = 8")), "lanes 16 to 31"),
        Mutant("begins at 32", kernel(WARP_SUM, ("d = 16", "d = 32")), "twice"),
        Mutant("ends at 2", kernel(WARP_SUM, ("d > 0", "d > 1")), "Odd lanes"),
        Mutant("lane 31 writes", kernel(WARP_SUM, ("lane == 0", "lane == 31")), "lane 31's sum"),
        Mutant("all lanes write", kernel(WARP_SUM, ("        if (lane == 0) {", "        {")), "that is the last"),
        Mutant("thread 0 of the block writes", kernel(WARP_SUM, ("lane == 0", "threadIdx.x == 0")), "Nobody writes"),
        Mutant("takes the place", kernel(WARP_SUM, ("sum += __shfl", "sum = __shfl")), "taken the place"),
        Mutant("no shuffles", kernel(WARP_SUM, (SHUFFLES, "")), "only lane 0's share"),
        Mutant("32 columns", kernel(WARP_SUM, (COLUMNS, "        if (lane < columns) sum += x[row * columns + lane];\n")), "from 32 on"),
        Mutant("no guard of rows", kernel(WARP_SUM, ("if (row < rows)", "")), "does not stop them"),
        Mutant("no guard of columns", kernel(WARP_SUM, (COLUMNS, "        sum = x[row * columns + lane];\n")), "needs a test of its own"),
        Mutant("one lane alone", kernel(WARP_SUM, (SHUFFLES, ""), ("c = lane; c < columns; c += 32", "c = 0; c < columns; c++")), "neighboring columns"),
        Mutant("up", kernel(WARP_SUM, ("__shfl_down_sync", "__shfl_up_sync")), "below lane 0"),
        Mutant("through shared memory", kernel(WARP_SUM, (SHUFFLES, """        __shared__ float s[128];
        s[threadIdx.x] = sum;
        __syncwarp();
        if (lane == 0) for (int k = 1; k < 32; k++) sum += s[threadIdx.x + k];
""")), "by shuffles alone"),
    ),
    "06.4": (
        Mutant("not cleared", kernel(HISTOGRAM, (STRIDE + "s[b] = 0;\n    }\n", "")), "Should it have been filled"),
        Mutant("clears a block's size", kernel(HISTOGRAM, (STRIDE + "s[b] = 0;\n    }\n", "    if (threadIdx.x < 256) s[threadIdx.x] = 0;\n")),
               "Should it have been filled"),
        Mutant("clears past the end", kernel(HISTOGRAM, (STRIDE + "s[b] = 0;\n    }\n", "    for (int b = threadIdx.x; b < 256 + blockDim.x; b += blockDim.x) s[b] = 0;\n")), "`s[256]`"),
        Mutant("no barrier before", kernel(HISTOGRAM, ("s[b] = 0;\n    }\n    __syncthreads();", "s[b] = 0;\n    }")), "race"),
        Mutant("no barrier after", kernel(HISTOGRAM, ("    __syncthreads();\n    " + FLUSH, "    " + FLUSH)), "race"),
        Mutant("not atomic in shared memory", kernel(HISTOGRAM, ("atomicAdd(&s[x[i]], 1)", "s[x[i]]++")), "what others have added meanwhile is lost"),
        Mutant("not atomic at the end", kernel(HISTOGRAM, ("atomicAdd(&counts[b], s[b])", "counts[b] += s[b]")), "what others have added meanwhile is lost"),
        Mutant("stores at the end", kernel(HISTOGRAM, ("atomicAdd(&counts[b], s[b])", "counts[b] = s[b]")), "Blocks run in any order"),
        Mutant("one bin a thread", kernel(HISTOGRAM, (FLUSH, "if (threadIdx.x < 256) atomicAdd(&counts[threadIdx.x], s[threadIdx.x]);")), "upper bins"),
        Mutant("thread 0 brings all", kernel(HISTOGRAM, (FLUSH, "if (threadIdx.x == 0) for (int b = 0; b < 256; b++) atomicAdd(&counts[b], s[b]);")), "side by side"),
        Mutant("all threads bring all", kernel(HISTOGRAM, (FLUSH, "for (int b = 0; b < 256; b++) atomicAdd(&counts[b], s[b]);")), "Each of 384 threads writes"),
        Mutant("adds ones", kernel(HISTOGRAM, ("&counts[b], s[b]", "&counts[b], 1")), "grown by 1"),
        Mutant("brings nothing", kernel(HISTOGRAM, (FLUSH, "")), "as it was before"),
        Mutant("still in global memory", kernel(HISTOGRAM, ("&s[x[i]], 1", "&counts[x[i]], 1"), (FLUSH, "")), "Count into shared memory"),
        Mutant("no guard", kernel(HISTOGRAM, ("i < n;", "i <= n;")), "`<=`"),
        Mutant("barrier in the loop", kernel(HISTOGRAM, ("&s[x[i]], 1);\n", "&s[x[i]], 1);\n        __syncthreads();\n")), "barrier"),
        Mutant("one element a thread", kernel(HISTOGRAM, ("for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)",
               "int i = blockIdx.x * blockDim.x + threadIdx.x;\n    if (i < n)")), "one element only"),
    ),
    "06.5": (
        Mutant("exclusive", kernel(SCAN, ("out[i] = s[t]", "out[i] = s[t] - x[i]")), "exclusive"),
        Mutant("exclusive by an index", kernel(SCAN, ("out[i] = s[t]", "out[i] = t > 0 ? s[t - 1] : 0")), "exclusive"),
        Mutant("in place, one barrier", kernel(SCAN, (ROUND, "        if (t >= d) s[t] += s[t - d];\n        __syncthreads();\n")), "read it (the same line)"),
        Mutant("no barrier after writing", kernel(SCAN, ("s[t] += left;\n        __syncthreads();", "s[t] += left;")), "race"),
        Mutant("no barrier after the fill", kernel(SCAN, (": 0;\n    __syncthreads();\n    for", ": 0;\n    for")), "race"),
        Mutant("barriers inside the if", kernel(SCAN, (ROUND, """        if (t >= d) {
            int left = s[t - d];
            __syncthreads();
            s[t] += left;
        }
        __syncthreads();
""")), "barrier"),
        Mutant("ends too early", kernel(SCAN, ("d < blockDim.x", "d < blockDim.x / 2")), "half a block"),
        Mutant("a warp's distances", kernel(SCAN, ("d < blockDim.x", "d < 32")), "at most 32 elements"),
        Mutant("reads before the first", kernel(SCAN, ("t >= d ? s[t - d] : 0", "s[t - d]")), "before its first element"),
        Mutant("distance grows by one", kernel(SCAN, ("d *= 2", "d++")), "grows by 1"),
        Mutant("from the end", kernel(SCAN, ("t >= d ? s[t - d] : 0", "t + d < blockDim.x ? s[t + d] : 0")), "to the end of the block"),
        Mutant("next door", kernel(SCAN, ("t >= d ? s[t - d] : 0", "t >= 1 ? s[t - 1] : 0")), "next door"),
        Mutant("begins at 2", kernel(SCAN, ("d = 1", "d = 2")), "first distance is 1"),
        Mutant("replaces", kernel(SCAN, ("s[t] += left", "s[t] = left")), "taken the place"),
        Mutant("t > d", kernel(SCAN, ("t >= d", "t > d")), "t = d is left out"),
        Mutant("no guard at the load", kernel(SCAN, ("i < n ? x[i] : 0", "x[i]")), "past the end of `x`"),
        Mutant("no guard at the store", kernel(SCAN, ("    if (i < n) {\n        out", "    {\n        out")), "past the end of `out`"),
        Mutant("nothing beyond n", kernel(SCAN, ("s[t] = i < n ? x[i] : 0;", "if (i < n) s[t] = x[i];")), "Should it have been filled"),
        Mutant("early return", kernel(SCAN, ("    s[t] = i < n ? x[i] : 0;", "    if (i >= n) return;\n    s[t] = x[i];")), "ended without coming"),
        Mutant("thread 0 alone", kernel(SCAN, ("    for (int d = 1; d < blockDim.x; d *= 2) {\n" + ROUND + "    }\n",
               "    if (t == 0) for (int k = 1; k < blockDim.x; k++) s[k] += s[k - 1];\n    __syncthreads();\n")), "many elements"),
        Mutant("each adds all before it", kernel(SCAN, ("    for (int d = 1; d < blockDim.x; d *= 2) {\n" + ROUND + "    }\n", ""),
               ("out[i] = s[t]", "int sum = 0; for (int k = 0; k <= t; k++) sum += s[k]; out[i] = sum")), "many elements"),
    ),
    "06.6": (
        Mutant("no maximum", kernel(SOFTMAX, (" - most", "")), "Subtract the row's largest number"),
        Mutant("maximum from 0 on", kernel(SOFTMAX, ("most = -INFINITY", "most = 0")), "begins at 0"),
        Mutant("maximum of one round", kernel(SOFTMAX, ("for (int c = t; c < columns; c += blockDim.x) {\n        most = fmaxf(most, x[first + c]);\n    }",
               "if (t < columns) most = x[first + t];")), "first columns only"),
        Mutant("sum of one round", kernel(SOFTMAX, ("for (int c = t; c < columns; c += blockDim.x) {\n        sum +=", "for (int c = t; c < columns && c < blockDim.x; c += blockDim.x) {\n        sum +=")),
               "The sum has the first columns only"),
        Mutant("results of one round", kernel(SOFTMAX, ("for (int c = t; c < columns; c += blockDim.x) {\n        out", "int c = t;\n    if (c < columns) {\n        out")), "Nobody writes"),
        Mutant("maximum of the matrix", kernel(SOFTMAX, ("for (int c = t; c < columns; c += blockDim.x) {\n        most = fmaxf(most, x[first + c]);",
               "for (int c = t; c < columns * gridDim.x; c += blockDim.x) {\n        most = fmaxf(most, x[c]);")), "whole matrix"),
        Mutant("own maximum", kernel(SOFTMAX, ("    most = s[0];\n    __syncthreads();\n", "    __syncthreads();\n")), "largest number of its own columns"),
        Mutant("no barrier between", kernel(SOFTMAX, ("most = s[0];\n    __syncthreads();", "most = s[0];")), "race"),
        Mutant("no barrier after the fill", kernel(SOFTMAX, ("s[t] = most;\n    __syncthreads();", "s[t] = most;")), "race"),
        Mutant("no barrier before the end", kernel(SOFTMAX, ("s[t + half];\n        }\n        __syncthreads();\n", "s[t + half];\n        }\n")), "race"),
        Mutant("no tree of sums", kernel(SOFTMAX, (SUM_TREE, "    s[t] = sum;\n    __syncthreads();\n")), "thread 0 alone"),
        Mutant("own sum", kernel(SOFTMAX, (SUM_TREE, ""), ("/ s[0]", "/ sum")), "sum of its own columns"),
        Mutant("not divided", kernel(SOFTMAX, (" / s[0]", "")), "not been divided"),
        Mutant("guard around it all", kernel(SOFTMAX, ("    float most = -INFINITY;", "    if (t >= columns) return;\n    float most = -INFINITY;")), "ended without coming"),
        Mutant("idle threads fill nothing", kernel(SOFTMAX, ("    s[t] = most;", "    if (t < columns) s[t] = most;")), "Should it have been filled"),
        Mutant("first number for maximum", kernel(SOFTMAX, ("most = s[0];", "most = x[first];")), "first number"),
        Mutant("running maximum with -inf", kernel(SOFTMAX, ("sum += expf(x[first + c] - most);", "sum += expf(x[first + c] - most);"),
               ("    float sum = 0;\n", "    float sum = expf(-INFINITY - -INFINITY) * 0;\n")), "nan"),
        Mutant("thread 0 alone", kernel(SOFTMAX, ("for (int c = t; c < columns; c += blockDim.x) {\n        most", "for (int c = 0; c < columns; c++) {\n        most")), "share the columns out"),
        Mutant("logarithm", kernel(SOFTMAX, ("expf(x[first + c] - most) / s[0]", "x[first + c] - most - logf(s[0])")), "logarithm"),
        Mutant("not its own row", kernel(SOFTMAX, ("int first = blockIdx.x * columns", "int first = blockIdx.x * blockDim.x")), "have the same element"),
    ),
}
