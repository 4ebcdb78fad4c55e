"""Plausible wrong answers to the exercises of lesson 04, each with words that its message must contain."""

from gpucourse.exercises import n04_memory_and_coalescing as n04
from tests.mutants.mutant import Mutant, kernel


def sectors(**changed):
    """The right dict of 04.1 with some values changed; keys by their letters: `i1` is "x[i + 1]"."""
    keys = dict(zip(("i", "i1", "i2", "half", "zero", "i32"), n04.PATTERNS, strict=True))
    return f"sectors = {dict(n04.PATTERNS) | {keys[key]: value for key, value in changed.items()}}\n"


def traffic(**changed):
    return f"traffic = {dict(n04.TRANSPOSE_DUE) | {key.replace('_', ' '): value for key, value in changed.items()}}\n"


def count(*lines):
    return "def sectors(stride, offset, width):\n" + "".join(f"    {line}\n" for line in lines)


FIRST = "first = (offset + np.arange(32) * stride) * width"
CHUNKS, WALK, PLANES, WIDE = n04.CHUNKS_SOLUTION, n04.WALK_SOLUTION, n04.PLANES_SOLUTION, n04.WIDE_SOLUTION
LOOP = "for (int i = t; i < n; i += threads)"
QUAD = "((float4*)out)[t] = ((const float4*)x)[t];"

MUTANTS = {
    "04.1": (
        Mutant("one sector a lane", sectors(i=32), "a sector holds eight floats"),
        Mutant("lines of 128 bytes", sectors(i=1), "sectors of 32 bytes"),
        Mutant("the shift is free", sectors(i1=4), "beyond the fourth sector"),
        Mutant("the gaps are free", sectors(i2=4), "come along"),
        Mutant("half an index spreads", sectors(half=8), "closer together"),
        Mutant("each lane fetches for itself", sectors(zero=32), "fetched once"),
        Mutant("floats apart share", sectors(i32=8), "no two of them"),
        Mutant("all that is spanned", sectors(i32=128), "only those count in which some lane wants a float"),
    ),
    "04.2": (
        Mutant("counts what is spanned",
               count("first = offset * width // 32", "last = (offset + 31 * stride) * width // 32",
                     "return last - first + 1"), "touched by no lane"),
        Mutant("the extent",
               count("first, last = offset * width, (offset + 31 * stride) * width", "return (last - first) // 32"),
               "are not the sectors"),
        Mutant("the extent, as a fraction",
               count("first, last = offset * width, (offset + 31 * stride) * width", "return (last - first) / 32"),
               "are not the sectors"),
        Mutant("the extent, rounded up",
               count("first, last = offset * width, (offset + 31 * stride + 1) * width",
                     "return -((first - last) // 32)"), "are not the sectors"),
        Mutant("no offset", count("first = np.arange(32) * stride * width", "return len(set(first // 32))"),
               "offset is missing"),
        Mutant("floats only", count("first = (offset + np.arange(32) * stride) * 4", "return len(set(first // 32))"),
               "`width` says how many"),
        Mutant("elements for bytes", count("first = offset + np.arange(32) * stride", "return len(set(first // 32))"),
               "Elements are not bytes"),
        Mutant("lines", count(FIRST, "return len(set(first // 128))"), "lines of 128 bytes"),
        Mutant("addresses", count(FIRST, "return len(set(first))"), "different addresses"),
        Mutant("offset in bytes",
               count("first = offset + np.arange(32) * stride * width", "return len(set(first // 32))"),
               "in elements, as the stride is"),
    ),
    "04.3": (
        Mutant("one element a thread", kernel(CHUNKS, (LOOP, "int i = t; if (i < n)")),
               "must go on with `i += threads`"),
        Mutant("no guard, one element", kernel(CHUNKS, (LOOP, "int i = t;")), "past the end of `out`"),
        Mutant("step of a block", kernel(CHUNKS, ("i += threads", "i += blockDim.x")),
               "How far must a thread step"),
        Mutant("step of a piece", kernel(n04.CHUNKS_STUB, ("int i = t * per; i < (t + 1) * per && i < n; i++",
                                                           "int i = t; i < n; i += per")), "more than once"),
        Mutant("one too far", kernel(CHUNKS, ("i < n", "i <= n")), "past the end"),
        Mutant("still in chunks, backwards",
               kernel(n04.CHUNKS_STUB, ("int i = t * per; i < (t + 1) * per && i < n; i++",
                                        "int i = min((t + 1) * per, n) - 1; i >= t * per; i--")),
               "do neighboring lanes read neighboring elements?"),
        Mutant("no factor", kernel(CHUNKS, ("a * x[i]", "x[i]")), "factor `a` is missing"),
        Mutant("starts at the block", kernel(CHUNKS, ("int i = t;", "int i = threadIdx.x;")),
               "Nobody writes `out[64]`"),
    ),
    "04.4": (
        Mutant("divides by the height", kernel(WALK, ("i / w", "i / h"), ("i % w", "i % h")), "the index is wrong"),
        Mutant("row and column exchanged", kernel(WALK, ("int row = i / w", "int row = i % w"),
                                                  ("int column = i % w", "int column = i / w")), "row = i / w"),
        Mutant("weight by row", kernel(WALK, ("weight[column]", "weight[row]")), "`weight[32]`"),
        Mutant("no weight", kernel(WALK, ("weight[column] * ", "")), "weight is missing"),
        Mutant("no guard", kernel(WALK, ("if (i < h * w) {", "{")), "guard"),
        Mutant("the names exchanged only", kernel(n04.WALK_STUB, ("int row = i % h;", "int r = i / h;"),
                                                  ("int column = i / h;", "int column = r; int row = i % h;")),
               "along the rows"),
    ),
    "04.5": (
        Mutant("array of structures", kernel(PLANES, ("v[i], y = v[n + i], z = v[2 * n + i]",
                                                      "v[3 * i], y = v[3 * i + 1], z = v[3 * i + 2]")),
               "all x come first"),
        Mutant("no guard", kernel(PLANES, ("if (i < n) {", "{")), "guard"),
        Mutant("no root", kernel(PLANES, ("sqrtf(x * x + y * y + z * z)", "x * x + y * y + z * z")), "square root"),
        Mutant("third part off", kernel(PLANES, ("v[2 * n + i]", "v[3 * n + i]")), "`v[600]`"),
        Mutant("one component", kernel(PLANES, ("x * x + y * y + z * z", "x * x + y * y")), "`out[0]`"),
    ),
    "04.6": (
        Mutant("the rest is lost", kernel(WIDE, ("for (int i = 4 * t; i < n; i++)", "for (int i = n; i < n; i++)")),
               "no multiple of 4"),
        Mutant("guard of the first element", kernel(WIDE, ("4 * t + 4 <= n", "4 * t < n")),
               "Thread 0 of block 4 writes `out[1027]`, but its last element is `out[1026]`"),
        Mutant("address of element t", kernel(WIDE, (QUAD, "*(float4*)(out + t) = *(const float4*)(x + t);")), "16"),
        Mutant("index counted in floats", kernel(WIDE, (QUAD, "((float4*)out)[4 * t] = ((const float4*)x)[4 * t];")),
               "`out[1024]`"),
        Mutant("wide load, narrow stores",
               kernel(WIDE, (QUAD, "float4 q = ((const float4*)x)[t]; out[4 * t] = q.x; out[4 * t + 1] = q.y; "
                                   "out[4 * t + 2] = q.z; out[4 * t + 3] = q.w;")),
               "store four floats at once"),
        Mutant("still one by one", kernel(n04.WIDE_STUB, ("4 * t + 4 && i < n", "4 * t + 4 && i <= n - 1")),
               "load four floats at once"),
        Mutant("one more guard than needed", kernel(WIDE, ("4 * t + 4 <= n", "4 * t + 4 < n")),
               "should `<` be `<=`?"),
        Mutant("no else", kernel(WIDE, ("} else {", "}\n    {"), ("i < n; i++", "i < 4 * t + 4 && i < n; i++")),
               "(`else`)"),
        Mutant("everybody copies the rest",
               kernel(WIDE, ("} else {", "}\n    {"), ("int i = 4 * t;", "int i = n - n % 4;")),
               "every thread copy"),
        Mutant("the idle copy the rest", kernel(WIDE, ("int i = 4 * t;", "int i = n - n % 4;")),
               "by more than one thread"),
        Mutant("the cast without its brackets", kernel(WIDE, (QUAD, "(float4*)out[t] = (const float4*)x[t];")),
               "invalid type conversion"),
    ),
    "04.7": (
        Mutant("threads for warps", traffic(requests_read=6144, requests_written=6144), "by a warp"),
        Mutant("writes as reads", traffic(sectors_written=768), "neighboring columns"),
        Mutant("one warp a row", traffic(requests_read=64), "three warps a row"),
        Mutant("a request for each thread that writes", traffic(requests_written=6144), "As for reads"),
        Mutant("two sectors a lane", traffic(sectors_written=12288), "32 lanes"),
        Mutant("one warp only", traffic(sectors_read=4, sectors_written=32), "192 warps"),
        Mutant("lines", traffic(sectors_read=192), "lines of 128 bytes"),
        Mutant("reads cost, too", traffic(sectors_read=6144), "along the rows"),
    ),
}
