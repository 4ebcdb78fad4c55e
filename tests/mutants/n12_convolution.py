"""Plausible wrong answers to the exercises of lesson 12, each with words that its message must contain."""

from gpucourse.exercises import n12_convolution as n12
from tests.mutants.mutant import Mutant, kernel

CORRELATE, UNFOLD = n12.CORRELATE_SOLUTION, n12.UNFOLD_SOLUTION
CONV, GRADIENT = n12.CONV_SOLUTION, n12.GRADIENT_SOLUTION


def size(expression):
    """An answer to 12.1."""
    return n12.SIZE_STUB.replace("...", expression)


def costs(**changed):
    """The right dict of 12.6 with some values changed."""
    keys = dict(zip(("results", "parameters", "adds", "x", "columns", "linear"), n12.COSTS, strict=True))
    return f"costs = {dict(n12.COSTS) | {keys[key]: value for key, value in changed.items()}}\n"


WEIGHT = "weight[((filter * channels + c) * k + p) * k + q]"
PIXEL = "x[(c * h + r) * w + s]"
TEST = "if (r >= 0 && r < h && s >= 0 && s < w) {"
WINDOW = "x[top : top + k, left : left + l]"

MUTANTS = {
    "12.1": (
        Mutant("no + 1", size("(size + 2 * padding - dilation * (kernel - 1) - 1) // stride"), "these are the steps"),
        Mutant("padding once", size("(size + padding - dilation * (kernel - 1) - 1) // stride + 1"), "one of them"),
        Mutant("no padding", size("(size - dilation * (kernel - 1) - 1) // stride + 1"), "makes the row longer"),
        Mutant("no dilation", size("(size + 2 * padding - kernel) // stride + 1"), "more than `kernel` pixels"),
        Mutant("dilation times kernel", size("(size + 2 * padding - dilation * kernel) // stride + 1"),
               "how many gaps"),
        Mutant("one pixel short", size("(size + 2 * padding - dilation * (kernel - 1)) // stride + 1"),
               "one pixel more"),
        Mutant("places by the stride", size("(size + 2 * padding - dilation * (kernel - 1)) // stride"),
               "first place needs no step"),
        Mutant("half places", size("(size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1"),
               "divide by `//`"),
        Mutant("rounds up", size("-(-(size + 2 * padding - dilation * (kernel - 1) - 1) // stride) + 1"),
               "beyond the end"),
        Mutant("no stride", size("size + 2 * padding - dilation * (kernel - 1)"), "stride has been forgotten"),
    ),
    "12.2": (
        Mutant("turned", kernel(CORRELATE, (f"({WINDOW} * kernel)", f"({WINDOW} * kernel[::-1, ::-1])")),
               "turned round"),
        Mutant("no padding", kernel(CORRELATE, ("    x = np.pad(x, padding)\n", "")), "padding has been forgotten"),
        Mutant("nearest pixel", kernel(CORRELATE, ("np.pad(x, padding)", 'np.pad(x, padding, mode="edge")')),
               "nearest pixel counts"),
        Mutant("zeros on one side",
               kernel(CORRELATE, ("np.pad(x, padding)", "np.pad(x, ((padding, 0), (padding, 0)))")),
               "above and on the left only"),
        Mutant("windows do not move", kernel(CORRELATE, ("i * stride, j * stride", "i, j")), "one pixel apart"),
        Mutant("no stride", kernel(CORRELATE, ("// stride", "// 1"), ("i * stride, j * stride", "i, j")),
               "stride has been forgotten"),
        Mutant("stride down only", kernel(CORRELATE, ("(x.shape[1] - l) // stride", "(x.shape[1] - l)"),
                                          ("j * stride", "j")), "down the rows only"),
        Mutant("whole numbers", kernel(CORRELATE, ("np.zeros((high, wide))", "np.zeros((high, wide), int)")),
               "fractions are cut off"),
        Mutant("padding twice", kernel(CORRELATE, ("np.pad(x, padding)", "np.pad(x, 2 * padding)")), "twice as many"),
        Mutant("a mean", kernel(CORRELATE, (".sum()", ".mean()")), "mean of the products"),
        Mutant("no + 1", kernel(CORRELATE, (" + 1", "")), "is there a + 1"),
        Mutant("a window of k x k", kernel(CORRELATE, ("left + l", "left + k")), "correlate"),
    ),
    "12.3": (
        Mutant("rows", kernel(UNFOLD, ("np.stack(columns, axis=1)", "np.stack(columns)")), "rows of your matrix"),
        Mutant("reshape", kernel(UNFOLD, ("np.stack(columns, axis=1)", "np.stack(columns).reshape(k * k, -1)")),
               "deals out the numbers anew"),
        Mutant("down first", kernel(UNFOLD, ("for i in range(high) for j in range(wide)",
                                             "for j in range(wide) for i in range(high)")), "column after column"),
        Mutant("pixels down first", kernel(UNFOLD, (".ravel()", '.ravel("F")')), "Within a window"),
        Mutant("no stride", kernel(UNFOLD, ("// stride + 1", "+ 1"), ("i * stride", "i"), ("j * stride", "j")),
               "stride has been forgotten"),
        Mutant("side by side", kernel(UNFOLD, ("// stride", "// k"), ("i * stride", "i * k"), ("j * stride", "j * k")),
               "side by side"),
        Mutant("no + 1", kernel(UNFOLD, ("// stride + 1", "// stride")), "is there a + 1"),
        Mutant("turned", kernel(UNFOLD, (".ravel()", ".ravel()[::-1]")), "reverse order"),
    ),
    "12.4": (
        Mutant("turned", kernel(CONV, (WEIGHT, "weight[((filter * channels + c) * k + k - 1 - p) * k + k - 1 - q]")),
               "turned round"),
        Mutant("no test for the border", kernel(CONV, (TEST, "{")), "before its first element"),
        Mutant("rows tested only", kernel(CONV, (TEST, "if (r >= 0 && r < h) {")),
               "rows are tested, the columns are not"),
        Mutant("nearest pixel", kernel(CONV, (TEST, "r = min(max(r, 0), h - 1); s = min(max(s, 0), w - 1); {")),
               "nearest pixel counts"),
        Mutant("no stride", kernel(CONV, ("row * stride", "row"), ("column * stride", "column")),
               "stride has been forgotten"),
        Mutant("stride within the window", kernel(CONV, ("row * stride + p", "row + p * stride"),
                                                  ("column * stride + q", "column + q * stride")),
               "spreads the pixels"),
        Mutant("no padding", kernel(CONV, ("+ p - padding", "+ p"), ("+ q - padding", "+ q")),
               "`padding` pixels before it"),
        Mutant("padding times stride", kernel(CONV, ("row * stride + p - padding", "(row - padding) * stride + p"),
                                              ("column * stride + q - padding", "(column - padding) * stride + q")),
               "counted in pixels"),
        Mutant("one channel", kernel(CONV, ("c < channels", "c < 1")), "Only channel 0 counts"),
        Mutant("same pixels for all channels", kernel(CONV, (PIXEL, "x[r * w + s]")),
               "missing in the index of `x`"),
        Mutant("one filter", kernel(CONV, (WEIGHT, "weight[(c * k + p) * k + q]")), "weights of filter 0"),
        Mutant("one kernel a filter", kernel(CONV, (WEIGHT, "weight[(filter * k + p) * k + q]")),
               "no factor `channels`"),
        Mutant("filters and channels exchanged", kernel(CONV, ("filter * channels + c", "c * filters + filter")),
               "Filters and channels are exchanged"),
        Mutant("no bias", kernel(CONV, ("sum = bias[filter]", "sum = 0")), "bias has been forgotten"),
        Mutant("a bias for each channel", kernel(CONV, ("sum = bias[filter]", "sum = 0"), ("            for (int p",
               "            sum += bias[filter];\n            for (int p")), "once for each channel"),
        Mutant("bias of filter 0", kernel(CONV, ("bias[filter]", "bias[0]")), "bias of filter 0"),
        Mutant("begins anew for each channel", kernel(CONV, ("            for (int p",
               "            sum = bias[filter];\n            for (int p")), "begins anew"),
        Mutant("transposed weights", kernel(CONV, ("c) * k + p) * k + q", "c) * k + q) * k + p")),
               "Rows and columns of the weights"),
        Mutant("sums in y",
               kernel(CONV, ("sum = bias[filter]", "sum = 0"), ("y[i] = sum", "y[i] += sum + bias[filter]")), "`y"),
        Mutant("rows as long as the picture is high", kernel(CONV, (PIXEL, "x[(c * w + r) * h + s]")),
               "index is wrong"),
        Mutant("rows and columns of x", kernel(CONV, (PIXEL, "x[(c * h + s) * w + r]")), "index is wrong"),
        Mutant("one pixel too far", kernel(CONV, ("r < h", "r <= h"), ("s < w", "s <= w")), "`x[35]`"),
        Mutant("last weights left out", kernel(CONV, ("p < k", "p < k - 1"), ("q < k", "q < k - 1")), "left out"),
        Mutant("a sum of whole numbers", kernel(CONV, ("float sum", "int sum")), "`y[0]` should be"),
        Mutant("padding of 1", kernel(CONV, ("p - padding", "p - 1"), ("q - padding", "q - 1")),
               "whatever the padding"),
        Mutant("without row 0", kernel(CONV, ("r >= 0", "r > 0"), ("s >= 0", "s > 0")), "0 is a pixel"),
        Mutant("without the last row", kernel(CONV, ("r < h", "r < h - 1"), ("s < w", "s < w - 1")),
               "h - 1 is a row"),
        Mutant("channels last", kernel(CONV, (PIXEL, "x[(r * w + s) * channels + c]")), "channel last"),
        Mutant("stores in the loop", kernel(CONV, ("        y[i] = sum;\n", ""), ("* pixel;", "* pixel; y[i] = sum;")),
               "store it once"),
        Mutant("no guard", kernel(CONV, ("if (i < filters * high * wide) {", "{")), "guard"),
    ),
    "12.5": (
        Mutant("turned", kernel(GRADIENT, ("return dw", "return dw[:, :, ::-1, ::-1]")), "turned round"),
        Mutant("no stride", kernel(GRADIENT, ("p : p + stride * high : stride", "p : p + high"),
                                   ("q : q + stride * wide : stride", "q : q + wide")), "stride has been forgotten"),
        Mutant("stride on the weight", kernel(GRADIENT, ("p : p + stride", "p * stride : p * stride + stride"),
               ("q : q + stride", "q * stride : q * stride + stride")), "weight_gradient("),
        Mutant("a mean", kernel(GRADIENT, (".sum(axis", ".mean(axis")), "mean over all places"),
        Mutant("exchanged", kernel(GRADIENT, ("return dw", "return dw.transpose(1, 0, 2, 3)")),
               "Filters and channels are exchanged"),
        Mutant("p across", kernel(GRADIENT, ("dw[:, :, p, q]", "dw[:, :, q, p]")), "p and q are exchanged"),
        Mutant("all filters", kernel(GRADIENT, ("dy[:, None]", "dy.sum(axis=0)[None, None]")), "sum over all filters"),
        Mutant("channel 0", kernel(GRADIENT, ("x[:, p", "x[:1, p")), "gradient of channel 0"),
        Mutant("filter 0", kernel(GRADIENT, ("dy[:, None]", "dy[:1, None]")), "gradient of filter 0"),
        Mutant("whole numbers", kernel(GRADIENT, ("k, k))", "k, k), int)")), "fractions are cut off"),
        Mutant("bias", kernel(GRADIENT, (" * met[:, :high, :wide]", " + 0 * met[:, :high, :wide]")),
               "gradient of the bias"),
    ),
    "12.6": (
        Mutant("places", costs(results=196), "number of places"),
        Mutant("no bias", costs(parameters=4608), "biases are parameters"),
        Mutant("one channel of weights", costs(parameters=320), "for each of the channels"),
        Mutant("operations", costs(adds=1806336), "two together count once"),
        Mutant("numbers for bytes", costs(columns=28224), "takes 4 bytes"),
        Mutant("columns for every filter", costs(columns=3612672), "All filters use the same"),
        Mutant("linear without bias", costs(linear=12544 * 6272), "linear layer has a bias"),
        Mutant("stride forgotten", costs(results=25088), "fewer places than pixels"),
    ),
}
