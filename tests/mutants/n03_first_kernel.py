"""Plausible wrong answers to the exercises of lesson 03, each with words that its message must contain."""

from tests.mutants.mutant import Mutant

INDEX = "blockIdx.x * blockDim.x + threadIdx.x"
IN_Y = "blockIdx.y * blockDim.y + threadIdx.y"


def kernel(name, parameters, *body):
    lines = "\n".join(f"    {line}" for line in body)
    head = f'extern "C" __global__ void {name}({parameters}) {{'
    return f'{name} = cp.RawKernel(r"""\n{head}\n{lines}\n}}\n""", "{name}")\n'


def who(**wrong):
    right = {"blocks": 6, "idle": 152, "element": 583, "last thread": 39, "pixel": 3735, "idle in 2-D": 1168}
    return f"who = {right | {key.replace('_', ' ').replace('2D', '2-D'): value for key, value in wrong.items()}}\n"


def scale(index=INDEX, line="out[i] = a * x[i];", parameters="const float* x, float* out, float a"):
    return kernel("scale", parameters, f"int i = {index};", line)


def saxpy(line, index=INDEX, parameters="float a, const float* x, float* y, int n"):
    return kernel("saxpy", parameters, f"int i = {index};", line)


def in_2d(name, parameters, line, guard, x=INDEX, y=IN_Y, first=()):
    return kernel(name, parameters, *first, f"int x = {x};", f"int y = {y};", f"if ({guard}) {{ {line} }}")


COLORS = "const float RED = 0.299f, GREEN = 0.587f, BLUE = 0.114f;"
TO_GRAY = "out[i] = RED * rgb[3 * i] + GREEN * rgb[3 * i + 1] + BLUE * rgb[3 * i + 2];"
RGB = "const unsigned char* rgb, float* out, int width, int height"
INSIDE = "x < width && y < height"


def gray(line=TO_GRAY, guard=INSIDE, pixel="y * width + x", parameters=RGB, **where):
    return in_2d("to_gray", parameters, f"int i = {pixel}; {line}", guard, first=(COLORS,), **where)


def flip(line, guard=INSIDE, parameters="const float* image, float* out, int width, int height", **where):
    return in_2d("flip", parameters, line, guard, **where)


def squares(loop, before="float sum = 0.0f;", after="partial[t] = sum;"):
    return kernel("sum_squares", "const float* x, float* partial, int n", f"int t = {INDEX};", before, loop, after)


GRID_LOOP = "for (int i = t; i < n; i += blockDim.x * gridDim.x) {}"


def brighten(y=IN_Y, leaves="x >= width || y >= height", value="min(image[i] + by, 255)"):
    parameters = "const unsigned char* image, unsigned char* out, int by, int width, int height"
    return kernel("brighten", parameters, f"int x = {INDEX};", f"int y = {y};", f"if ({leaves}) return;",
                  "int i = y * width + x;", f"out[i] = {value};")  # fmt: skip


MUTANTS = {
    "03.1": (
        Mutant("rounds the blocks down", who(blocks=5), "40 elements would have nobody"),
        Mutant("takes the rest for the idle", who(idle=40), "Idle are its other threads"),
        Mutant("thread and block exchanged", who(element=3 + 7 * 6), "changed places"),
        Mutant("counts threads from 1", who(last_thread=40), "numbered from 0"),
        Mutant("x taken for the row", who(pixel=3537), "x is the column"),
        Mutant("forgets the corner", who(idle_in_2D=1120), "corner"),
        Mutant("rounds up as if in one dimension", who(idle_in_2D=16), "each axis by itself"),
    ),
    "03.2": (
        Mutant("no block in the index", scale("threadIdx.x"), "blockIdx.x * blockDim.x"),
        Mutant("block and thread added", scale("blockIdx.x + threadIdx.x"), "Neighboring blocks overlap"),
        Mutant("gridDim for blockDim", scale("blockIdx.x * gridDim.x + threadIdx.x"), "multiplied by `gridDim.x`"),
        Mutant("blocks of 256 taken for granted", scale("blockIdx.x * 256 + threadIdx.x"), "another number of them"),
        Mutant("adds", scale(line="out[i] = a + x[i];"), "This adds `a`"),
        Mutant("writes into x", scale(line="x[i] = a * x[i];", parameters="float* x, float* out, float a"),
               "is an input"),
        Mutant("semicolon", scale(line="out[i] = a * x[i]"), 'Line 4 does not compile: expected a ";"'),
        Mutant("a in double", scale(parameters="const float* x, float* out, double a"), "declares it `double`"),
        Mutant("adds to what is there", scale(line="out[i] += a * x[i];"), "`=` stores"),
        Mutant("hands over the source", "scale = 'extern \"C\" __global__ void scale() {}'\n", "is a string"),
        Mutant("hands over the result of a launch", "scale = None\n", "what a launch returns"),
        Mutant("C++ name", scale().replace('extern "C" ', ""), 'write extern "C"'),
    ),
    "03.3": (
        Mutant("no guard", saxpy("y[i] = a * x[i] + y[i];"), "where is the guard?"),
        Mutant("guard one too far", saxpy("if (i <= n) y[i] = a * x[i] + y[i];"), "Should `<=` be `<`?"),
        Mutant("guard one too short", saxpy("if (i < n - 1) y[i] = a * x[i] + y[i];"), "last element is left out"),
        Mutant("old y forgotten", saxpy("if (i < n) y[i] = a * x[i];"), "add the old `y[i]`"),
        Mutant("no block in the index", saxpy("if (i < n) y[i] = a * x[i] + y[i];", "threadIdx.x"),
               "blockIdx.x * blockDim.x"),
        Mutant("adds twice", saxpy("if (i < n) y[i] += a * x[i] + y[i];"), "added twice"),
        Mutant("a loop instead of an index", saxpy("for (i = 0; i < n; i++) y[i] = a * x[i] + y[i];"),
               "The loop over the elements is still there"),
        Mutant("endless", saxpy("while (i < n) y[i] = a * x[i] + y[i];"), "does not end"),
        Mutant("parameters exchanged",
               saxpy("if (i < n) y[i] = a * x[i] + y[i];", parameters="const float* x, float* y, float a, int n"),
               "another order"),
    ),
    "03.4": (
        Mutant("planes", gray("int n = width * height; "
                              "out[i] = RED * rgb[i] + GREEN * rgb[i + n] + BLUE * rgb[i + 2 * n];"),
               "three separate pictures"),
        Mutant("forgets three bytes", gray(TO_GRAY.replace("3 * i", "i")), "number of its byte"),
        Mutant("height for width", gray(pixel="y * height + x"), "multiplied by `height`"),
        Mutant("x and y exchanged", gray(x=IN_Y, y=INDEX), "changed places"),
        Mutant("no guard", gray(guard="true"), "no guard stops them"),
        Mutant("guard for y only", gray(guard="y < height"), "the width is 5"),
        Mutant("guard for the number", gray(guard="y * width + x < width * height"), "to ask about x and about y"),
        Mutant("guard for x only", gray(guard="x < width"), "the height is 2"),
        Mutant("plain mean", gray("out[i] = (rgb[3 * i] + rgb[3 * i + 1] + rgb[3 * i + 2]) / 3.0f;"), "plain means"),
        Mutant("BGR", gray(TO_GRAY.replace("RED", "B").replace("BLUE", "RED").replace("B *", "BLUE *")),
               "Red and blue"),
        Mutant("signed bytes", gray(parameters=RGB.replace("unsigned ", "")), "`char` has a sign"),
        Mutant("y with blockIdx.x", gray(y="blockIdx.x * blockDim.y + threadIdx.y"), "made with `blockIdx.x`"),
        Mutant("width and height exchanged in the guard", gray(guard="x < height && y < width"), "the height is 2"),
        Mutant("integer", gray("int g = " + TO_GRAY.removeprefix("out[i] = ") + " out[i] = g;"), "cut off"),
    ),
    "03.5": (
        Mutant("one off", flip("out[y * width + x] = image[y * width + width - x];"), "width - 1 - x"),
        Mutant("one off in the store", flip("out[y * width + width - x] = image[y * width + x];"),
               "stored in column width - x"),
        Mutant("upside down", flip("out[y * width + x] = image[(height - 1 - y) * width + x];"), "upside down"),
        Mutant("copy", flip("out[y * width + x] = image[y * width + x];"), "nothing is mirrored"),
        Mutant("half a turn", flip("out[y * width + x] = image[width * height - 1 - (y * width + x)];"), "half a turn"),
        Mutant("half the picture", flip("out[y * width + x] = image[y * width + width - 1 - x];",
                                        "x < width / 2 && y < height"),
               "Only half"),
        Mutant("no guard for x", flip("out[y * width + x] = image[y * width + width - 1 - x];", "y < height"),
               "the width is 5"),
        Mutant("in place", flip("float t = image[y * width + x]; "
                                "image[y * width + x] = image[y * width + width - 1 - x]; "
                                "image[y * width + width - 1 - x] = t;",
                                parameters="float* image, float* out, int width, int height"), "is an input"),
    ),
    "03.6": (
        Mutant("no loop", squares("if (t < n) sum = x[t] * x[t];"), "one element only"),
        Mutant("step of a block", squares("for (int i = t; i < n; i += blockDim.x) sum += x[i] * x[i];"),
               "step is `blockDim.x`"),
        Mutant("a step of 1024", squares("for (int i = t; i < n; i += 1024) sum += x[i] * x[i];"), "always 1024"),
        Mutant("step 1", squares("for (int i = t; i < n; i++) sum += x[i] * x[i];"), "The step is 1"),
        Mutant("starts with the thread in its block",
               squares("for (int i = threadIdx.x; i < n; i += blockDim.x * gridDim.x) sum += x[i] * x[i];"),
               "Every block starts at the same elements"),
        Mutant("no squares", squares(GRID_LOOP.format("sum += x[i];")), "sums of the elements"),
        Mutant("square of the sum", squares(GRID_LOOP.format("sum += x[i];"), after="partial[t] = sum * sum;"),
               "squares the sum"),
        Mutant("= for +=", squares(GRID_LOOP.format("sum = x[i] * x[i];")), "add with `+=`"),
        Mutant("loop one too far", squares(GRID_LOOP.replace("i < n", "i <= n").format("sum += x[i] * x[i];")),
               "should `<=` be `<`?"),
        Mutant("adds to what is there", squares(GRID_LOOP.format("partial[t] += x[i] * x[i];"), after=""),
               "before anything was written"),
        Mutant("all into one", squares(GRID_LOOP.format("sum += x[i] * x[i];"), after="partial[0] = sum;"),
               "have the same element"),
        Mutant("stretches", squares("int m = blockDim.x * gridDim.x; int k = (n + m - 1) / m; "
                                    "for (int i = t * k; i < t * k + k && i < n; i++) sum += x[i] * x[i];"),
                                    "a stretch"),
        Mutant("endless", squares("for (int i = t; i < n; i + blockDim.x * gridDim.x) sum += x[i] * x[i];"),
               "does not end"),
        Mutant("int for the sum", squares(GRID_LOOP.format("sum += x[i] * x[i];"), before="int sum = 0;"), "an `int`"),
        Mutant("reads x[t]", squares(GRID_LOOP.format("sum += x[t] * x[t];")), "again and again"),
        Mutant("idle threads write nothing", squares("if (t >= n) return; " + GRID_LOOP.format("sum += x[i] * x[i];")),
               "writes nothing"),
    ),
    "03.7": (
        Mutant("only the guard", brighten(y="blockIdx.y * blockDim.x + threadIdx.y"),
               "Along y a block has `blockDim.y`"),
        Mutant("only y", brighten(leaves="x > width || y > height"), "one too many"),
        Mutant("guard of x only", brighten(leaves="x >= width || y > height"), "one too many"),
        Mutant("and for or", brighten(leaves="x >= width && y >= height"), "no guard stops"),
        Mutant("blocks of 16", brighten(y="blockIdx.y * 16 + threadIdx.y"), "16 rows for each block"),
        Mutant("guard too tight", brighten(leaves="x >= width - 1 || y >= height - 1"), "left out"),
        Mutant("guard for the number", brighten(leaves="y * width + x >= width * height"), "about x and about y"),
        Mutant("min lost", brighten(value="image[i] + by"), "begin again at 0"),
    ),
}
