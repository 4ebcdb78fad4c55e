"""Plausible wrong answers to the exercises of lesson 07, each with words that its message must contain."""

from gpucourse.exercises import n07_matrix_multiply as n07
from gpucourse.exercises.compare import mapping_source
from tests.mutants.mutant import Mutant, kernel

KEYS = dict(zip(("one", "t16", "t32", "t128", "flop", "flop128"), n07.FORMULAS, strict=True))


def traffic(**changed):
    """The right dict of 07.1 with some formulas changed."""
    wrong = {KEYS[key]: value for key, value in changed.items()}
    return f"n = {n07.N}\n" + mapping_source("traffic", n07.FORMULAS | wrong)


def loads(formula):
    """07.1 with all four counts by a formula of the tile, t."""
    return traffic(**{key: formula.replace("t", str(t)) for key, t in
                      (("one", 1), ("t16", 16), ("t32", 32), ("t128", 128))})  # fmt: skip


ORDER, TILED, COLUMN, FIT, ROOF = (n07.ORDER_SOLUTION, n07.TILED_SOLUTION, n07.COLUMN_SOLUTION, n07.FIT_SOLUTION,
                                   n07.ROOF_SOLUTION)  # fmt: skip
FIRST = "        __syncthreads();\n        for (int i"
SECOND = "        __syncthreads();\n    }\n"
A_GUARD, B_GUARD = "row < m && start + x < k", "start + y < k && column < n"
A, B = "a[row * k + start + x]", "b[(start + y) * n + column]"
A_FILL, B_FILL = f"a_tile[y][x] = {A_GUARD} ? {A} : 0;", f"b_tile[y][x] = {B_GUARD} ? {B} : 0;"
TERM = "a_tile[y][i] * b_tile[i][x]"
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
        Mutant("no guard", kernel(ORDER, ("if (row < m && column < n)", "")), "They have no element"),
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
                      ("        a_tile", "        int start = s * T;\n        a_tile")), "The last tile is dropped"),
        Mutant("no loop", kernel(TILED, ("for (int start = 0; start < k; start += T)", "int start = 0;")),
               "Only the first tile"),
        Mutant("no zeros", kernel(TILED, (A_FILL, f"if ({A_GUARD}) a_tile[y][x] = {A};"),
                                  (B_FILL, f"if ({B_GUARD}) b_tile[y][x] = {B};")), "the turn before"),
        Mutant("no zeros in b", kernel(TILED, (B_FILL, f"if ({B_GUARD}) b_tile[y][x] = {B};")),
               "Should it have been filled"),
        Mutant("returns before the barrier",
               kernel(TILED, ("    float sum = 0;", "    if (row >= m || column >= n) return;\n    float sum = 0;")),
               "arrier"),
        Mutant("guard around it all",
               kernel(TILED, ("    float sum = 0;\n", "    float sum = 0;\n    if (row < m && column < n) {\n"),
                      (SECOND, SECOND + "    }\n")), "arrier"),
        Mutant("no first barrier", kernel(TILED, (FIRST, "        for (int i")), "race"),
        Mutant("no second barrier", kernel(TILED, (SECOND, "    }\n")), "race"),
        Mutant("m for n", kernel(TILED, (B, "b[(start + y) * m + column]")), "not the guard but the index"),
        Mutant("n for k in a", kernel(TILED, (A, "a[row * n + start + x]")), "begins at element row * k"),
        Mutant("k for n in b", kernel(TILED, (B, "b[(start + y) * k + column]")), "begins at element (start + y) * n"),
        Mutant("loop to m", kernel(TILED, ("start < k;", "start < m;")), "runs to m"),
        Mutant("loop to n", kernel(TILED, ("start < k;", "start < n;")), "runs to n"),
        Mutant("the store's guard for the loads",
               kernel(TILED, (A_GUARD, f"{A_GUARD} && column < n"), (B_GUARD, f"{B_GUARD} && row < m")),
               "guards of their own"),
        Mutant("both without start", kernel(TILED, (A, "a[row * k + x]"), (B, "b[y * n + column]")),
               "same tile of both matrices"),
        Mutant("a turned", kernel(TILED, (A, "a[(start + x) * m + row]")), "You read a column after column"),
        Mutant("b turned", kernel(TILED, (B, "b[column * k + start + y]")), "You read b column after column"),
        Mutant("one product short", kernel(TILED, ("i < T", "i < T - 1")), "the last is left out"),
        Mutant("from the second product", kernel(TILED, ("int i = 0", "int i = 1")), "the first is left out"),
        Mutant("no sum", kernel(TILED, ("sum += a_tile", "sum = a_tile")), "Only the last product"),
        Mutant("block turned", kernel(TILED, (TERM, "a_tile[x][i] * b_tile[i][y]")),
               "rows and columns are exchanged"),
        Mutant("a_tile by x", kernel(TILED, (TERM, "a_tile[x][i] * b_tile[i][x]")), "from row x"),
        Mutant("b_tile by y", kernel(TILED, (TERM, "a_tile[y][i] * b_tile[i][y]")),
               "from column y"),
        Mutant("b_tile turned", kernel(TILED, (TERM, "a_tile[y][i] * b_tile[x][i]")),
               "A tile of b is turned"),
        Mutant("a_tile turned", kernel(TILED, (TERM, "a_tile[i][y] * b_tile[i][x]")),
               "A tile of a is turned"),
        Mutant("same tile of a", kernel(TILED, (A, "a[row * k + x]")), "same tile of a"),
        Mutant("same tile of b", kernel(TILED, (B, "b[y * n + column]")), "same tile of b"),
        Mutant("rows of the first block", kernel(TILED, (A, "a[y * k + start + x]")), "same rows of a"),
        Mutant("columns of the first block", kernel(TILED, (B, "b[(start + y) * n + x]")), "same columns of b"),
        Mutant("sum begins anew", kernel(TILED, ("    float sum = 0;\n", "    float sum;\n"),
                                         (FIRST, "        sum = 0;\n" + FIRST)), "Only the last tile"),
        Mutant("no guard for k", kernel(TILED, (A_GUARD, "row < m"), (B_GUARD, "column < n")), "the width is 7"),
        Mutant("no guard at all", kernel(TILED, (A_FILL, f"a_tile[y][x] = {A};"), (B_FILL, f"b_tile[y][x] = {B};")),
               "They have no element"),
        Mutant("sums to k", kernel(TILED, ("i < T; i++", "i < k; i++")), "but its last element is `b_tile[255]`"),
        Mutant("without tiles",
               kernel(TILED, (n07.TILED_LOOP, "    for (int i = 0; i < k; i++) {\n        if (row < m && column < n) "
                              "sum += a[row * k + i] * b[i * n + column];\n    }\n")), "sums from the tiles"),
        Mutant("down the columns",
               kernel(TILED, (A_FILL, "int down = blockIdx.y * T + x;\n        a_tile[x][y] = down < m && start + y "
                                      "< k ? a[down * k + start + y] : 0;")), "neighbors of a row"),
    ),
    "07.4": (
        Mutant("the same row four times", kernel(COLUMN, ("c[(top + r * T + y) * n", "c[(top + y) * n")),
               "only the last one is left"),
        Mutant("the same row in all sums", kernel(COLUMN, ("a_tile[r * T + y][i] * ", "a_tile[y][i] * ")),
               "are all that of row y"),
        Mutant("stores rows that lie together", kernel(COLUMN, ("c[(top + r * T + y) * n", "c[(top + y * R + r) * n")),
               "are not those that it stores"),
        Mutant("sums rows that lie together", kernel(COLUMN, ("a_tile[r * T + y][i] *", "a_tile[y * R + r][i] *")),
               "are not those that it stores"),
        Mutant("rows y + r", kernel(COLUMN, ("a_tile[r * T + y][i] *", "a_tile[y + r][i] *"),
                                    ("c[(top + r * T + y) * n", "c[(top + y + r) * n")), "overlap"),
        Mutant("sums rows y + r", kernel(COLUMN, ("a_tile[r * T + y][i] *", "a_tile[y + r][i] *")), "overlap"),
        Mutant("one row only", kernel(COLUMN, ("    for (int r = 0; r < R; r++) {\n        c[(top + r * T + y) * n + "
                                               "column] = sum[r];\n    }\n",
                                               "    c[(top + y) * n + column] = sum[0];\n")), "Only the first of four"),
        Mutant("without top", kernel(COLUMN, ("c[(top + r * T + y) * n", "c[(r * T + y) * n")), "where is `top`?"),
        Mutant("sums replaced", kernel(COLUMN, ("sum[r] += ", "sum[r] = ")), "Only the last product"),
        Mutant("sums begin anew", kernel(COLUMN, ("        for (int i = 0",
                                                  "        for (int r = 0; r < R; r++) sum[r] = 0;\n"
                                                  "        for (int i = 0")), "Only the last tile"),
        Mutant("one sum for all", kernel(COLUMN, ("sum[r] += ", "sum[0] += "), ("= sum[r]", "= sum[0]")),
               "added up in one sum"),
        Mutant("b_tile along its row", kernel(COLUMN, ("b_tile[i][x]", "b_tile[x][i]")), "along its row"),
        Mutant("sums of a", kernel(COLUMN, (" * right", "")), "sums of a alone"),
        Mutant("first row of b_tile", kernel(COLUMN, ("b_tile[i][x]", "b_tile[0][x]")), "first row of b_tile"),
        Mutant("a_tile by x", kernel(COLUMN, ("a_tile[r * T + y][i] *", "a_tile[r * T + x][i] *")), "depends on x"),
        Mutant("stores the first sum", kernel(COLUMN, ("= sum[r]", "= sum[0]")), "are all that of row y"),
        Mutant("stores in every turn",
               kernel(COLUMN, ("            float right", "        " + n07.COLUMN_STORES + "            float right")),
               "Store once"),
        Mutant("b_tile by y", kernel(COLUMN, ("b_tile[i][x]", "b_tile[i][y]")), "belongs to column y"),
        Mutant("no sums", kernel(COLUMN, (n07.COLUMN_SUMS, "")), "All results are 0"),
        Mutant("no stores", kernel(COLUMN, (n07.COLUMN_STORES, "")), "Nobody writes to `c`"),
        Mutant("from global memory", kernel(COLUMN, ("float right = b_tile[i][x]",
                                                     "float right = b[(start + i) * n + column]")), "from the tiles"),
        Mutant("reads b_tile four times",
               kernel(COLUMN, ("float right = b_tile[i][x];", "volatile float (*again)[T] = b_tile;"),
                      ("* right", "* again[i][x]")), "once for each i"),
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
        Mutant("unit for a thread", kernel(FIT, ("up(32 * registers, 256)", "(32 * up(registers, 256))")),
               "multiply by 32 first"),
        Mutant("no parentheses", kernel(FIT, ("up(32 * registers, 256)", "32 * registers")), "in parentheses"),
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
        Mutant("the bend for the tile", kernel(ROOF, ("np.ceil(4 *", "np.ceil(")), "which tile has"),
        Mutant("upside down", kernel(ROOF, ("4 * gflops_per_s / gbytes_per_s", "4 * gbytes_per_s / gflops_per_s")),
               "divide bandwidth by peak"),
    ),
}
