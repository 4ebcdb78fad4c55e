"""Plausible wrong answers to the exercises of lesson 07, each with words that its message must contain."""

from gpucourse.exercises import n07_matrix_multiply as n07
from tests.mutants.mutant import Mutant, kernel

KEYS = dict(zip(("one", "t16", "t32", "t128", "flop", "flop128"), n07.FORMULAS, strict=True))


def traffic(**changed):
    """The right dict of 07.1 with some formulas changed."""
    values = n07.FORMULAS | {KEYS[key]: value for key, value in changed.items()}
    return "n = 1920\ntraffic = {\n" + "".join(f'    "{key}": {value},\n' for key, value in values.items()) + "}\n"


def loads(formula):
    """07.1 with all four counts by a formula of the tile, t."""
    return traffic(**{key: formula.replace("t", str(t)) for key, t in
                      (("one", 1), ("t16", 16), ("t32", 32), ("t128", 128))})  # fmt: skip


ORDER, TILED, COLUMN, FIT, ROOF = (n07.ORDER_SOLUTION, n07.TILED_SOLUTION, n07.COLUMN_SOLUTION, n07.FIT_SOLUTION,
                                   n07.ROOF_SOLUTION)  # fmt: skip
FIRST = "        __syncthreads();\n        for (int t"
SECOND = "        __syncthreads();\n    }\n"
A_ELEMENT = "row < m && i < k ? a[row * k + i] : 0"
B_ELEMENT = "j < k && column < n ? b[j * n + column] : 0"
TERM = "tile_a[threadIdx.y][t] * tile_b[t][threadIdx.x]"
REGISTERS = "4 * (16_384 // up(32 * registers, 256)) // warps"
SHARED = "167_936 // up(shared_bytes + 1024, 128)"
WARPS = "up(threads, 32) // 32"

MUTANTS = {
    "07.1": (
        Mutant("one element a product", loads("n**3 / t"), "All four counts are half"),
        Mutant("bytes", loads("4 * 2 * n**3 / t"), "in bytes"),
        Mutant("divides by the tile squared", loads("2 * n**3 / t**2"), "serves only T results"),
        Mutant("requests", loads("2 * n**3 / t / 32"), "requests of warps"),
        Mutant("results too", loads("2 * n**3 / t + n**2"), "stored, not"),
        Mutant("forgets n", loads("2 * n**2 / t"), "A factor n is missing"),
        Mutant("each element once", traffic(t16="2 * n**2"), "`16 x 16 tiles`: 2 · n²"),
        Mutant("each element once in the plain kernel", traffic(one="2 * n**2"), "different threads"),
        Mutant("one result", traffic(one="2 * n"), "what one result takes"),
        Mutant("only one squared", traffic(t32="2 * n**3 / 32**2"), "serves only 32 results"),
        Mutant("side of the register block", traffic(t128="2 * n**3 / 8"), "tile of the whole block"),
        Mutant("side of the threads", traffic(t128="2 * n**3 / 16"), "tile of the whole block"),
        Mutant("both save", traffic(t128="2 * n**3 / 128 / 8"), "tile of the whole block"),
        Mutant("FLOP per element", traffic(flop="1", flop128="128"), "a float has 4 bytes"),
        Mutant("one FLOP a product", traffic(flop="1 / 8", flop128="16"), "two operations"),
        Mutant("upside down", traffic(flop="4"), "upside down"),
        Mutant("lesson 01's count", traffic(flop="n / 6"), "Here count every load"),
    ),
    "07.2": (
        Mutant("exchanges the blocks too",
               kernel(ORDER, ("blockIdx.y * blockDim.y", "blockIdx.x * blockDim.x  "),
                      ("blockIdx.x * blockDim.x + threadIdx.x", "blockIdx.y * blockDim.y + threadIdx.x")),
               "Exchange the thread indices only"),
        Mutant("stores transposed", kernel(ORDER, ("c[row * n + column]", "c[column * m + row]")), "transposed"),
        Mutant("only names exchanged",
               kernel(ORDER, ("int row = blockIdx.y * blockDim.y + threadIdx.y", "int row = blockIdx.x * blockDim.x + "
                              "threadIdx.x"), ("int column = blockIdx.x * blockDim.x + threadIdx.x",
                                               "int column = blockIdx.y * blockDim.y + threadIdx.y")),
               "Exchange the thread indices only"),
        Mutant("one index only",
               kernel(ORDER, ("blockDim.y + threadIdx.y", "blockDim.y + threadIdx.x")), "Nobody writes"),
        Mutant("rows of b", kernel(ORDER, ("b[i * n + column]", "b[column * n + i]")), "index"),
        Mutant("no guard", kernel(ORDER, ("if (row < m && column < n)", "")), "where is the guard?"),
        Mutant("guard turned", kernel(ORDER, ("row < m && column < n", "row < n && column < m")), "guard"),
        Mutant("exchanged, but not the store",
               kernel(n07.ORDER_STUB, ("sum += a", "// sum += a"), ("float sum = 0", "float sum = 1")), "c["),
        Mutant("unchanged but for a name", kernel(n07.ORDER_STUB, ("sum", "total")), "Loading takes"),
    ),
    "07.3": (
        Mutant("drops the last tile", kernel(TILED, ("start < k; start += T", "start + T <= k; start += T")),
               "The last tile is dropped"),
        Mutant("drops it by division",
               kernel(TILED, ("int start = 0; start < k; start += T", "int s = 0; s < k / T; s++"),
                      ("int i = start", "int start = s * T; int i = start")), "The last tile is dropped"),
        Mutant("no loop", kernel(TILED, ("for (int start = 0; start < k; start += T)", "int start = 0;")),
               "Only the first tile"),
        Mutant("no zeros", kernel(TILED, (f"tile_a[threadIdx.y][threadIdx.x] = {A_ELEMENT};",
                                          "if (row < m && i < k) tile_a[threadIdx.y][threadIdx.x] = a[row * k + i];"),
                                  (f"tile_b[threadIdx.y][threadIdx.x] = {B_ELEMENT};",
                                   "if (j < k && column < n) tile_b[threadIdx.y][threadIdx.x] = b[j * n + column];")),
               "the turn before"),
        Mutant("no zeros in b", kernel(TILED, (f"tile_b[threadIdx.y][threadIdx.x] = {B_ELEMENT};",
                                               "if (j < k && column < n) tile_b[threadIdx.y][threadIdx.x] = "
                                               "b[j * n + column];")), "filled in"),
        Mutant("returns before the barrier",
               kernel(TILED, ("    float sum = 0;", "    if (row >= m || column >= n) return;\n    float sum = 0;")),
               "arrier"),
        Mutant("guard around it all",
               kernel(TILED, ("    float sum = 0;\n", "    float sum = 0;\n    if (row < m && column < n) {\n"),
                      (SECOND, SECOND + "    }\n")), "arrier"),
        Mutant("no first barrier", kernel(TILED, (FIRST, "        for (int t")), "race"),
        Mutant("no second barrier", kernel(TILED, (SECOND, "    }\n")), "race"),
        Mutant("m for n", kernel(TILED, ("b[j * n + column]", "b[j * m + column]")), "index"),
        Mutant("n for k in a", kernel(TILED, ("a[row * k + i]", "a[row * n + i]")), "begins at element row * k"),
        Mutant("k for n in b", kernel(TILED, ("b[j * n + column]", "b[j * k + column]")), "begins at element j * n"),
        Mutant("block turned", kernel(TILED, (TERM, "tile_a[threadIdx.x][t] * tile_b[t][threadIdx.y]")),
               "rows and columns are exchanged"),
        Mutant("tile_a by x", kernel(TILED, (TERM, "tile_a[threadIdx.x][t] * tile_b[t][threadIdx.x]")), "at tile_a"),
        Mutant("tile_b by y", kernel(TILED, (TERM, "tile_a[threadIdx.y][t] * tile_b[t][threadIdx.y]")), "at tile_b"),
        Mutant("tile_b turned", kernel(TILED, (TERM, "tile_a[threadIdx.y][t] * tile_b[threadIdx.x][t]")),
               "A tile of b is turned"),
        Mutant("tile_a turned", kernel(TILED, (TERM, "tile_a[t][threadIdx.y] * tile_b[t][threadIdx.x]")),
               "A tile of a is turned"),
        Mutant("same tile of a", kernel(TILED, ("a[row * k + i]", "a[row * k + threadIdx.x]")), "same tile of a"),
        Mutant("same tile of b", kernel(TILED, ("b[j * n + column]", "b[threadIdx.y * n + column]")), "same tile of b"),
        Mutant("rows of the first block", kernel(TILED, ("a[row * k + i]", "a[threadIdx.y * k + i]")),
               "same rows of a"),
        Mutant("columns of the first block", kernel(TILED, ("b[j * n + column]", "b[j * n + threadIdx.x]")),
               "same columns of b"),
        Mutant("sum begins anew", kernel(TILED, ("    float sum = 0;\n", "    float sum;\n"),
                                         (FIRST, "        sum = 0;\n" + FIRST)), "Only the last tile"),
        Mutant("no guard for k", kernel(TILED, ("row < m && i < k", "row < m"), ("j < k && column < n", "column < n")),
               "index"),
        Mutant("no guard at all", kernel(TILED, (A_ELEMENT, "a[row * k + i]"), (B_ELEMENT, "b[j * n + column]")),
               "last element is"),
        Mutant("sums to k", kernel(TILED, ("t < T; t++", "t < k; t++")), "tile_"),
        Mutant("without tiles",
               kernel(TILED, (n07.TILED_LOOP, "    for (int t = 0; t < k; t++) {\n        if (row < m && column < n) "
                              "sum += a[row * k + t] * b[t * n + column];\n    }\n")), "sums from the tiles"),
        Mutant("down the columns",
               kernel(TILED, ("tile_a[threadIdx.y][threadIdx.x] = ", "tile_a[threadIdx.x][threadIdx.y] = "),
                      (A_ELEMENT, "blockIdx.y * T + threadIdx.x < m && j < k ? "
                                  "a[(blockIdx.y * T + threadIdx.x) * k + j] : 0")), "neighbors of a row"),
    ),
    "07.4": (
        Mutant("the same row four times", kernel(COLUMN, ("c[(top + r * T + y) * n", "c[(top + y) * n")),
               "only the last one is left"),
        Mutant("the same row in all sums", kernel(COLUMN, ("tile_a[r * T + y][t] * ", "tile_a[y][t] * ")),
               "All four sums are the same"),
        Mutant("stores rows that lie together", kernel(COLUMN, ("c[(top + r * T + y) * n", "c[(top + y * R + r) * n")),
               "are not those that it stores"),
        Mutant("sums rows that lie together", kernel(COLUMN, ("tile_a[r * T + y][t] *", "tile_a[y * R + r][t] *")),
               "are not those that it stores"),
        Mutant("rows y + r", kernel(COLUMN, ("tile_a[r * T + y][t] *", "tile_a[y + r][t] *"),
                                    ("c[(top + r * T + y) * n", "c[(top + y + r) * n")), "overlap"),
        Mutant("sums rows y + r", kernel(COLUMN, ("tile_a[r * T + y][t] *", "tile_a[y + r][t] *")), "overlap"),
        Mutant("one row only", kernel(COLUMN, ("    for (int r = 0; r < R; r++) {\n        c[(top + r * T + y) * n + "
                                               "column] = sum[r];\n    }\n",
                                               "    c[(top + y) * n + column] = sum[0];\n")), "Only the first of four"),
        Mutant("without top", kernel(COLUMN, ("c[(top + r * T + y) * n", "c[(r * T + y) * n")), "where is `top`?"),
        Mutant("sums replaced", kernel(COLUMN, ("sum[r] += ", "sum[r] = ")), "adds"),
        Mutant("sums begin anew", kernel(COLUMN, ("        for (int t = 0",
                                                  "        for (int r = 0; r < R; r++) sum[r] = 0;\n"
                                                  "        for (int t = 0")), "Only the last tile"),
        Mutant("one sum for all", kernel(COLUMN, ("sum[r] += ", "sum[0] += "), ("= sum[r]", "= sum[0]")),
               "added up in one sum"),
        Mutant("tile_b along its row", kernel(COLUMN, ("tile_b[t][x]", "tile_b[x][t]")), "along its row"),
        Mutant("tile_b by y", kernel(COLUMN, ("tile_b[t][x]", "tile_b[t][y]")), "belongs to column y"),
        Mutant("no sums", kernel(COLUMN, (n07.COLUMN_SUMS, "")), "All results are 0"),
        Mutant("no stores", kernel(COLUMN, (n07.COLUMN_STORES, "")), "Nobody writes to `c`"),
        Mutant("from global memory", kernel(COLUMN, ("float right = tile_b[t][x]",
                                                     "float right = b[(start + t) * n + column]")), "from the tiles"),
        Mutant("reads tile_b four times",
               kernel(COLUMN, ("float right = tile_b[t][x];", "volatile float (*again)[T] = tile_b;"),
                      ("* right", "* again[t][x]")), "once for each t"),
    ),
    "07.5": (
        Mutant("warps rounded down", kernel(FIT, (WARPS, "max(1, threads // 32)")), "is rounded up"),
        Mutant("warps not whole", kernel(FIT, (WARPS, "threads / 32")), "is rounded up"),
        Mutant("one warp more", kernel(FIT, (WARPS, "threads // 32 + 1")), "one too large"),
        Mutant("threads for warps", kernel(FIT, ("64 // warps", "64 // threads")), "not of threads"),
        Mutant("registers not rounded", kernel(FIT, ("up(32 * registers, 256)", "(32 * registers)")),
               "in units of 256"),
        Mutant("registers by threads", kernel(FIT, (REGISTERS, "65_536 // (registers * threads)")), "not to threads"),
        Mutant("registers in one part", kernel(FIT, ("4 * (16_384 // up(32 * registers, 256))",
                                                     "65_536 // up(32 * registers, 256)")), "four parts"),
        Mutant("a quarter", kernel(FIT, ("4 * (16_384 // up(32 * registers, 256))",
                                         "16_384 // up(32 * registers, 256)")), "Only one of the four parts"),
        Mutant("unit for a thread", kernel(FIT, ("up(32 * registers, 256)", "32 * up(registers, 256)")),
               "multiply by 32 first"),
        Mutant("a block in one part", kernel(FIT, (REGISTERS, "4 * (16_384 // up(32 * registers, 256) // warps)")),
               "different ones"),
        Mutant("nothing reserved", kernel(FIT, ("shared_bytes + 1024", "max(shared_bytes, 1)")), "1,024 bytes"),
        Mutant("reserved once", kernel(FIT, (SHARED, "(167_936 - 1024) // up(shared_bytes, 128) if shared_bytes "
                                                     "else 1 << 30")), "every block, not once"),
        Mutant("not in units of 128", kernel(FIT, (SHARED, "167_936 // (shared_bytes + 1024)")), "units of 128"),
        Mutant("the largest", kernel(FIT, ("min(allowed", "max(allowed")), "scarcest decides"),
        Mutant("warps returned", kernel(FIT, ("return allowed[binds]", "return allowed[binds] * warps")),
               "this is the number of warps"),
        Mutant("no limit of blocks", kernel(FIT, ('"blocks": 32', '"blocks": 10_000')), "At most 32 blocks"),
        Mutant("no name", kernel(FIT, ("return allowed[binds], binds", "return allowed[binds]")), "two values"),
        Mutant("name first", kernel(FIT, ("return allowed[binds], binds", "return binds, allowed[binds]")),
               "first, then the name"),
        Mutant("divides by nothing", kernel(FIT, (SHARED, "167_936 // shared_bytes")), "ZeroDivisionError"),
    ),
    "07.6": (
        Mutant("one element a product", kernel(ROOF, ("tile / 4", "tile / 2"), ("np.ceil(4 *", "np.ceil(2 *")),
               "two loaded elements"),
        Mutant("one FLOP a product", kernel(ROOF, ("tile / 4", "tile / 8"), ("np.ceil(4 *", "np.ceil(8 *")),
               "two operations"),
        Mutant("elements for bytes", kernel(ROOF, ("tile / 4", "tile"), ("np.ceil(4 *", "np.ceil(")), "4 bytes"),
        Mutant("the higher roof", kernel(ROOF, ("min(fed", "max(fed")), "lower of them"),
        Mutant("memory alone", kernel(ROOF, ("min(fed, gflops_per_s)", "fed")), "cannot exceed"),
        Mutant("the peak alone", kernel(ROOF, ("min(fed, gflops_per_s)", "gflops_per_s")), "whatever the tile is"),
        Mutant("names exchanged", kernel(ROOF, ("fed < gflops_per_s else", "fed > gflops_per_s else")), "exchanged"),
        Mutant("rounded down", kernel(ROOF, ("np.ceil", "np.floor")), "rounded down"),
        Mutant("rounded to the nearest", kernel(ROOF, ("np.ceil", "np.round")), "to the nearest"),
        Mutant("any whole number", kernel(ROOF, ("np.ceil(4 * gflops_per_s / gbytes_per_s / 16)) * 16",
                                                 "np.ceil(4 * gflops_per_s / gbytes_per_s))")), "any whole number"),
        Mutant("always the next", kernel(ROOF, ("np.ceil(4 * gflops_per_s / gbytes_per_s / 16)) * 16",
                                                "4 * gflops_per_s / gbytes_per_s / 16) * 16 + 16")), "always the next"),
        Mutant("a power of two", kernel(ROOF, ("int(np.ceil(4 * gflops_per_s / gbytes_per_s / 16)) * 16",
                                               "2 ** int(np.ceil(np.log2(4 * gflops_per_s / gbytes_per_s)))")),
               "a power of two"),
        Mutant("the ridge for the tile", kernel(ROOF, ("np.ceil(4 *", "np.ceil(")), "which tile has"),
        Mutant("upside down", kernel(ROOF, ("4 * gflops_per_s / gbytes_per_s", "4 * gbytes_per_s / gflops_per_s")),
               "divide bandwidth by peak"),
    ),
}
