"""Plausible wrong answers to the exercises of lesson 09, each with words that its message must contain."""

from gpucourse.exercises import n09_other_roads as n09
from tests.mutants.mutant import Mutant, kernel


def launch(**changed):
    """The right dict of 09.2 with some values changed."""
    keys = dict(zip(("blocks", "whole", "local", "programs", "masked", "waves"), n09.LAUNCH, strict=True))
    return f"launch = {dict(n09.LAUNCH) | {keys[key]: value for key, value in changed.items()}}\n"


def road(**changed):
    """The right dict of 09.5 with some values changed."""
    return f"road = {dict(n09.CHOICES) | changed}\n"


TRANSLATE, CAUSAL, COMBINE = n09.TRANSLATE.solution, n09.CAUSAL.solution, n09.COMBINE.solution
BARRIER = "__syncthreads();"
CLAMP = "fminf(fmaxf(x[i], -1.0f), 1.0f)"

MUTANTS = {
    "09.1": (
        Mutant("as OpenCL has it",
               kernel(TRANSLATE, ("int i = blockIdx.x * blockDim.x + threadIdx.x", "int i = get_global_id(0)")),
               "get_global_id"),
        Mutant("local for global", kernel(TRANSLATE, ("int i = blockIdx.x * blockDim.x + threadIdx.x",
                                                      "int i = threadIdx.x")), "only within one"),
        Mutant("strides by a block", kernel(TRANSLATE, ("i += gridDim.x * blockDim.x", "i += blockDim.x")),
               "belong to others"),
        Mutant("strides by the grid", kernel(TRANSLATE, ("i += gridDim.x * blockDim.x", "i += gridDim.x")),
               "number of blocks"),
        Mutant("each block for itself",
               kernel(TRANSLATE, ("int i = blockIdx.x * blockDim.x + threadIdx.x", "int i = threadIdx.x"),
                      ("i += gridDim.x * blockDim.x", "i += blockDim.x")), "adds up all of x"),
        Mutant("no clamp", kernel(TRANSLATE, (CLAMP, "x[i]")), "as they are"),
        Mutant("only from above", kernel(TRANSLATE, (CLAMP, "fminf(x[i], 1.0f)")), "below -1"),
        Mutant("min and max exchanged", kernel(TRANSLATE, (CLAMP, "fmaxf(fminf(x[i], -1.0f), 1.0f)")), "counts as 1"),
        Mutant("min and max exchanged, the other way",
               kernel(TRANSLATE, (CLAMP, "fminf(fmaxf(x[i], 1.0f), -1.0f)")), "counts as -1"),
        Mutant("a barrier is lost", kernel(TRANSLATE, ("    tile[t] = sum;\n    " + BARRIER, "    tile[t] = sum;")),
               "race"),
        Mutant("a tile for each thread", kernel(TRANSLATE, ("__shared__ float tile", "float tile")), "tile"),
        Mutant("one address space is left", kernel(TRANSLATE, ("(const float* x", "(__global const float* x")),
               "only of OpenCL C"),
        Mutant("the tile is local", kernel(TRANSLATE, ("__shared__ float", "__local float")), "`__local`"),
        Mutant("begins at the block's number",
               kernel(TRANSLATE, ("int i = blockIdx.x * blockDim.x + threadIdx.x", "int i = blockIdx.x")),
               "same element"),
        Mutant("no loop", kernel(TRANSLATE, ("i += gridDim.x * blockDim.x", "i += n")), "one element at most"),
        Mutant("the tree of the grid", kernel(TRANSLATE, ("int step = blockDim.x / 2", "int step = gridDim.x / 2")),
               "The tree begins"),
        Mutant("all threads store", kernel(TRANSLATE, ("    if (t == 0) {\n        sums[blockIdx.x] = tile[0];\n    }",
                                                       "    sums[blockIdx.x] = tile[t];")), "every thread stores"),
        Mutant("its own sum", kernel(TRANSLATE, ("= tile[0]", "= sum")), "is it `tile[0]`"),
        Mutant("clamps the sum", kernel(TRANSLATE, (CLAMP, "x[i]"), ("tile[t] = sum;",
                                                                     "tile[t] = fminf(fmaxf(sum, -1.0f), 1.0f);")),
               "for each element"),
        Mutant("saturates", kernel(TRANSLATE, (CLAMP, "__saturatef(x[i])")), "from 0 to 1"),
        Mutant("thread for group", kernel(TRANSLATE, ("sums[blockIdx.x]", "sums[threadIdx.x]")), "sums"),
    ),
    "09.2": (
        Mutant("OpenCL is told groups", launch(whole=40), "all groups together"),
        Mutant("OpenCL is told elements", launch(whole=10_000), "no multiple"),
        Mutant("rounded down", launch(blocks=39), "Round up"),
        Mutant("a program is a block of threads", launch(programs=40), "1,024 elements"),
        Mutant("a program is a thread", launch(programs=10_000), "not one"),
        Mutant("what is not masked", launch(masked=784), "has to do"),
        Mutant("warps of 32", launch(waves=8), "64 lanes"),
        Mutant("OpenCL's sizes exchanged", launch(whole=256, local=10_240), "exchanged"),
        Mutant("masked, if one block took all", launch(masked=6384), "16,384"),
        Mutant("groups for the local size", launch(local=40), "one group"),
    ),
    "09.3": (
        Mutant("zero for the masked", kernel(CAUSAL, ("c <= row, -cp.inf", "c <= row, 0")), "count as 0"),
        Mutant("masks the row's end only", kernel(CAUSAL, ("c <= row", "c < n")), "to the right"),
        Mutant("masks itself", kernel(CAUSAL, ("c <= row", "c < row")), "itself is masked"),
        Mutant("always row 0", kernel(CAUSAL, ("row * n + c", "c")), "takes row 0"),
        Mutant("not divided", kernel(CAUSAL, ("return e / e.sum()", "return e")), "divided by their sum"),
        Mutant("masks too late", kernel(CAUSAL, ("c <= row, -cp.inf", "c < n, -cp.inf"),
                                        ("return e / e.sum()", "return cp.where(c <= row, e / e.sum(), 0)")),
               "cut afterwards"),
        Mutant("a low score for the masked", kernel(CAUSAL, ("c <= row, -cp.inf", "c <= row, -1e9")), "finite score"),
        Mutant("nan for the masked", kernel(CAUSAL, ("c <= row, -cp.inf", "c <= row, cp.nan")), "becomes nan"),
        Mutant("the largest of the row", kernel(CAUSAL, ("c <= row, -cp.inf", "c < n, -cp.inf"),
                                                ("cp.exp(v - v.max())", "cp.where(c <= row, cp.exp(v - v.max()), 0)")),
               "may not be seen, too"),
        Mutant("no largest", kernel(CAUSAL, ("v - v.max()", "v")), "not subtracted"),
        Mutant("reads everything", kernel(CAUSAL, ("load(x, row * n + c, c <= row, -cp.inf)",
                                                   "cp.where(c <= row, x[row * n + c], -cp.inf)")), "reads x[25]"),
        Mutant("rows of the block's length", kernel(CAUSAL, ("row * n + c", "row * size + c")), "n long"),
        Mutant("NumPy's numbers", kernel(CAUSAL, ("cp.arange", "np.arange")), "made with cp"),
        Mutant("only what is seen", kernel(CAUSAL, ("return e / e.sum()", "return (e / e.sum())[:row + 1]")),
               "`size` elements"),
        Mutant("the row's columns", kernel(CAUSAL, ("return e / e.sum()", "return (e / e.sum())[:n]")),
               "`size` elements"),
    ),
    "09.4": (
        Mutant("adds the sums", "def combine(a, b):\n    return max(a[0], b[0]), a[1] + b[1]\n", "rescaled to the new"),
        Mutant("the wrong way", kernel(COMBINE, ("a[0] - m", "m - a[0]"), ("b[0] - m", "m - b[0]")), "wrong way"),
        Mutant("only the second", kernel(COMBINE, ("a[1] * np.exp(a[0] - m)", "a[1]"), ("b[0] - m", "b[0] - a[0]")),
               "larger m is in `a`"),
        Mutant("no guard", kernel(COMBINE, ("    if m == -np.inf:\n        return m, 0.0\n", "")), "-inf - -inf"),
        Mutant("of exp(x)", kernel(COMBINE, ("np.exp(a[0] - m)", "np.exp(a[0])"), ("np.exp(b[0] - m)", "np.exp(b[0])")),
               "overflows"),
        Mutant("adds the maxima", "def combine(a, b):\n    return a[0] + b[0], a[1] + b[1]\n", "larger of the two"),
        Mutant("exchanged",
               kernel(COMBINE, ("    return m, a[1]", "    return a[1]"), ("exp(b[0] - m)", "exp(b[0] - m), m")),
               "m comes first"),
        Mutant("the smaller", kernel(COMBINE, ("max(", "min(")), "the smaller"),
        Mutant("crossed", kernel(COMBINE, ("a[0] - m", "B - m"), ("b[0] - m", "a[0] - m"), ("B - m", "b[0] - m")),
               "The factors are exchanged"),
        Mutant("no exponential", kernel(COMBINE, ("np.exp", "")), "difference of the two m"),
        Mutant("s alone", kernel(COMBINE, ("    return m, a[1]", "    return a[1]"), ("return m, 0.0", "return 0.0")),
               "Only s"),
    ),
    "09.5": (
        Mutant("kernels by hand", road(layers="Triton"), "one line does"),
        Mutant("CUDA for the camera", road(camera="CUDA C"), "on a CPU"),
        Mutant("blocks for particles", road(particles="Triton"), "a thread's work"),
        Mutant("Triton for the library", road(library="Triton"), "you want to decide"),
        Mutant("two versions", road(attention="CUDA C"), "HIP takes its words"),
        Mutant("a kernel for an operator", road(rows="Triton"), "this very operator"),
        Mutant("turned round", f"road = { {road: key for key, road in n09.CHOICES.items()} }\n", "turned round"),
        Mutant("no road", road(camera="HIP"), "the roads are"),
    ),
}
