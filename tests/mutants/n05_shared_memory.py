"""Plausible wrong answers to the exercises of lesson 05, each with words that its message must contain."""

from gpucourse.exercises import n05_shared_memory as n05
from tests.mutants.mutant import Mutant, kernel


def wavefronts(**changed):
    """The right dict of 05.1 with some values changed."""
    keys = dict(zip(("t", "t2", "t32", "t33", "zero", "half", "four"), n05.PATTERNS, strict=True))
    return f"wavefronts = {dict(n05.PATTERNS) | {keys[key]: value for key, value in changed.items()}}\n"


REVERSE, STENCIL, TRANSPOSE = n05.REVERSE_SOLUTION, n05.STENCIL_SOLUTION, n05.TRANSPOSE_SOLUTION
PADDING, BLUR = n05.PADDING_SOLUTION, n05.BLUR_SOLUTION
BARRIER = "    __syncthreads();\n"
LOADED = "        tile[threadIdx.y][threadIdx.x] = x[row * w + column];\n"
HALO = """    if (t < R) {
        tile[t] = i >= R ? x[i - R] : 0;
        tile[R + B + t] = i + B < n ? x[i + B] : 0;
    }
"""

MUTANTS = {
    "05.1": (
        Mutant("barrier of the warp only", kernel(REVERSE, ("__syncthreads()", "__syncwarp()")), "race"),
        Mutant("barrier too early", kernel(REVERSE, ("    tile[t] = x[i];\n    __syncthreads();\n",
                                                     "    __syncthreads();\n    tile[t] = x[i];\n")), "race"),
        Mutant("a fence is no barrier", kernel(REVERSE, ("__syncthreads()", "__threadfence_block()")), "race"),
        Mutant("barrier of half the block",
               kernel(REVERSE, ("    __syncthreads();", "    if (t < blockDim.x / 2) __syncthreads();")), "barrier"),
        Mutant("without a tile", kernel(REVERSE, ("    tile[t] = x[i];\n    __syncthreads();\n", ""),
                                        ("tile[blockDim.x - 1 - t]", "x[i - t + blockDim.x - 1 - t]")),
               "asks for `__syncthreads`"),
        Mutant("no reversal", kernel(REVERSE, ("blockDim.x - 1 - t", "t")), "nothing is turned round"),
        Mutant("one off", kernel(REVERSE, ("blockDim.x - 1 - t", "blockDim.x - t")), "`tile[256]`"),
    ),
    "05.2": (
        Mutant("no barrier", kernel(STENCIL, (BARRIER, "")), "race"),
        Mutant("no halo", kernel(STENCIL, (HALO, "    if (t < R) { tile[t] = 0; tile[R + B + t] = 0; }\n")),
               "blocks next door"),
        Mutant("no right halo", kernel(STENCIL, ("i + B < n ? x[i + B] : 0", "0")), "right edge"),
        Mutant("halo never written", kernel(STENCIL, (HALO, "")), "blocks next door"),
        Mutant("right halo from R on", kernel(STENCIL, ("i + B < n ? x[i + B]", "i + R < n ? x[i + R]")),
               "begin B elements after"),
        Mutant("nearest at the ends",
               kernel(STENCIL, ("i < n ? x[i] : 0", "x[min(i, n - 1)]"), ("i >= R ? x[i - R] : 0", "x[max(i - R, 0)]"),
                      ("i + B < n ? x[i + B] : 0", "x[min(i + B, n - 1)]")), "zeros should count"),
        Mutant("right halo unguarded", kernel(STENCIL, ("i + B < n ? x[i + B] : 0", "x[i + B]")),
               "`x[385]`"),
        Mutant("left halo unguarded", kernel(STENCIL, ("i >= R ? x[i - R] : 0", "x[i - R]")), "`x[-3]`"),
        Mutant("barrier inside the guard",
               kernel(STENCIL, ("    if (i < n) {\n        float sum", "    if (i < n) {\n        __syncthreads();\n"
                                "        float sum"), (BARRIER + "\n", "\n")), "barrier"),
        Mutant("straight from global memory",
               kernel(STENCIL, ("sum += tile[R + t + d]", "sum += i + d >= 0 && i + d < n ? x[i + d] : 0")),
               "add up from the tile"),
    ),
    "05.3": (
        Mutant("one a lane", wavefronts(t=32), "a bank of its own"),
        Mutant("banks for words", wavefronts(t2=16), "how many different words"),
        Mutant("a stride is free", wavefronts(t2=1), "same bank"),
        Mutant("padding does not help", wavefronts(t33=32), "modulo 32"),
        Mutant("each lane for itself", wavefronts(zero=32), "to all of them at once"),
        Mutant("lanes for words", wavefronts(four=8), "they share it"),
    ),
    "05.4": (
        Mutant("pads by a whole row", kernel(PADDING, ("[32][33]", "[32][64]")), "bank conflicts are left"),
        Mutant("pads by two", kernel(PADDING, ("[32][33]", "[32][34]")), "bank conflicts are left"),
        Mutant("a row more", kernel(PADDING, ("[32][33]", "[33][32]")), "bank conflicts are left"),
        Mutant("sums of columns", kernel(PADDING, ("tile[t][c]", "tile[c][t]")), "sums of the tile's columns"),
        Mutant("around shared memory",
               kernel(PADDING, ("sum += tile[t][c]", "sum += x[(blockIdx.x * 32 + t) * 32 + c]")),
               "read along a row"),
    ),
    "05.5": (
        Mutant("no barrier", kernel(TRANSPOSE, (BARRIER, "")), "race"),
        Mutant("barrier inside the guard",
               kernel(TRANSPOSE, (LOADED + "    }\n" + BARRIER, LOADED + BARRIER + "    }\n")), "barrier"),
        Mutant("tiles not turned",
               kernel(TRANSPOSE, ("tile[threadIdx.x][threadIdx.y];", "tile[threadIdx.y][threadIdx.x];")), "not turned"),
        Mutant("down the columns of out",
               kernel(TRANSPOSE, (n05.TRANSPOSE_BODY, "    if (row < h && column < w) out[column * h + row] = "
                                                      "x[row * w + column];\n")), "column of out"),
        Mutant("old guard", kernel(TRANSPOSE, ("row < w && column < h", "row < h && column < w")), "the guard"),
        Mutant("no second guard", kernel(TRANSPOSE, ("if (row < w && column < h) {", "{")), "The guard lets a row"),
        Mutant("reads down the columns", kernel(TRANSPOSE, ("x[row * w + column]", "x[column * w + row]")),
               "the index is wrong"),
        Mutant("blocks not exchanged",
               kernel(TRANSPOSE, ("row = blockIdx.x * 32 + threadIdx.y", "row = blockIdx.y * 32 + threadIdx.y"),
                      ("column = blockIdx.y * 32 + threadIdx.x;\n    if",
                       "column = blockIdx.x * 32 + threadIdx.x;\n    if")),
               "stays where it was"),
    ),
    "05.6": (
        Mutant("no barrier", kernel(BLUR, (BARRIER, "")), "race"),
        Mutant("zeros beyond the border",
               kernel(BLUR, ("tile[y][c] = x[row * w + column];",
                             "tile[y][c] = row == top + y && column == left + c ? x[row * w + column] : 0;")),
               "darkens the edges"),
        Mutant("a sum", kernel(BLUR, ("sum / 25", "sum")), "divide by 25"),
        Mutant("3 x 3", kernel(BLUR, ("dy = 0; dy <= 2 * R", "dy = 1; dy < 2 * R"), ("dx = 0; dx <= 2 * R",
                               "dx = 1; dx < 2 * R"), ("sum / 25", "sum / 9")), "3 x 3"),
        Mutant("one element a thread",
               kernel(BLUR, ("y < T + 2 * R; y += T", "y < T; y += T"), ("c < T + 2 * R; c += T", "c < T; c += T")),
               "Should it have been filled"),
        Mutant("clamps what is unsigned",
               kernel(BLUR, ("max(top + y, 0)", "max(blockIdx.y * T - R + y, 0)"),
                      ("max(left + c, 0)", "max(blockIdx.x * T - R + c, 0)")), "unsigned"),
        Mutant("x for y", kernel(BLUR, ("tile[threadIdx.y + dy][threadIdx.x + dx]",
                                        "tile[threadIdx.x + dx][threadIdx.y + dy]")), "rows and columns are exchanged"),
        Mutant("4 x 4", kernel(BLUR, ("dy <= 2 * R", "dy < 2 * R"), ("dx <= 2 * R", "dx < 2 * R")), "4 x 4"),
        Mutant("barrier in the loop",
               kernel(BLUR, (BARRIER, ""), ("x[row * w + column];\n", "x[row * w + column];\n" + 2 * "    " + BARRIER)),
               "no condition or loop around it"),
        Mutant("no clamp", kernel(BLUR, ("min(max(top + y, 0), h - 1)", "top + y"),
                                  ("min(max(left + c, 0), w - 1)", "left + c")), "before its first element"),
        Mutant("no guard", kernel(BLUR, ("if (row < h && column < w) {", "{")), "no guard stops them"),
        Mutant("without the tile",
               kernel(BLUR, ("tile[threadIdx.y + dy][threadIdx.x + dx]",
                             "x[min(max(row + dy - R, 0), h - 1) * w + min(max(column + dx - R, 0), w - 1)]")),
               "take the 25 from the tile"),
    ),
}
