"""Plausible wrong answers to the exercises of lesson 06, each with words that its message must contain."""

from gpucourse.exercises import n06_reductions_and_warps as n06
from gpucourse.exercises.compare import mapping_source
from tests.mutants.mutant import Mutant, kernel

ODD, FIRST, HALF, WHOLE, ONE, BLOCK, LOOP = n06.HEADS
MAXIMUM = n06.MAXIMUM_SOLUTION
BARRIER = "    __syncthreads();\n"


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
        Mutant("every thread its neighbor", kernel(MAXIMUM, ("s[t + half])", "s[t + 1])")), ""),
        Mutant("no if in the loop", kernel(MAXIMUM, ("if (t < half) {", "{")), "`s[256]`"),
        Mutant("thread 0 alone", kernel(MAXIMUM, ("    for (int half = blockDim.x / 2; half > 0; half /= 2) {\n        if (t < half) {\n            s[t] = fmaxf(s[t], s[t + half]);\n        }\n        __syncthreads();\n    }\n    if (t == 0) {\n",
               "    if (t == 0) {\n        for (int k = 1; k < blockDim.x; k++) s[0] = fmaxf(s[0], s[k]);\n")), "halves"),
    ),
}
