"""The exercises of lesson 12: sizes, all windows of a picture, im2col, a kernel, the weights' gradient, costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpucourse.exercises.compare import Case, Trap, by_cases, is_mapping, mapping_source
from gpucourse.exercises.kernel_cases import KernelTrap, Launch, Limit, blank, by_launches, timed_at
from gpucourse.exercises.problem import Problem

Arrays = dict[str, Any]


def windows(x: Any, kernel: tuple[int, int], stride: int = 1) -> Any:
    """All windows of the last two axes of x, as a view: (…, high, wide, *kernel)."""
    every = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(-2, -1))
    return every[..., ::stride, ::stride, :, :]


# -- 12.1 -------------------------------------------------------------------------------------------


def output_size(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Places at which a kernel fits along an axis."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


SIZE_STUB = '''def output_size(size, kernel, stride, padding, dilation):
    """How many results there are along an axis of `size` pixels."""
    return ...
'''

SIZE = Problem(
    id="12.1",
    title="How large is the output?",
    task=(
        "A row has `size` pixels, and `padding` zeros are put before it and behind it. A kernel of `kernel` weights, "
        "its weights `dilation` pixels apart, is moved along it in steps of `stride`. At how many places does it fit?"
    ),
    spec="All five are whole numbers; stride and dilation are at least 1, and the kernel fits at least once.",
    stub=SIZE_STUB,
    answer="output_size",
    lines=1,
    hints=(
        "First ask how many pixels the kernel covers from its first weight to its last. With a dilation of 1 that is "
        "`kernel`.",
        "The kernel covers `dilation * (kernel - 1) + 1` pixels. The first place is at 0. How far can it still move, "
        "in pixels? And how many steps is that?",
        "`(size + 2 * padding - (dilation * (kernel - 1) + 1)) // stride + ___`",
    ),
    solution=SIZE_STUB.replace("...", "(size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1"),
    why=(
        "The padded row minus what the kernel covers is the way that it can move. Whole steps count, so the division "
        "rounds down, and the first place is there before any step: hence the + 1."
    ),
    judge=by_cases(
        output_size,
        [(28, 3, 1, 0, 1), (28, 3, 1, 1, 1), (28, 5, 1, 2, 1), (28, 3, 2, 1, 1), (7, 3, 2, 0, 1), (224, 7, 2, 3, 1),
         (10, 3, 1, 0, 2), (32, 3, 3, 2, 4), Case(5, 5, 1, 0, 1, about="a kernel as long as the row"),
         Case(6, 1, 4, 0, 3, about="a kernel of one weight"), (12, 2, 2, 1, 1), (9, 2, 5, 0, 5)],
        traps=(
            Trap(lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s,
                 "One too few: these are the steps. The place before the first step counts, too."),
            Trap(lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1,
                 "The padding is put on both ends of the row, and you count one of them."),
            Trap(lambda n, k, s, p, d: (n - d * (k - 1) - 1) // s + 1, "The padding makes the row longer."),
            Trap(lambda n, k, s, p, d: (n + 2 * p - k) // s + 1,
                 "With a dilation above 1 the kernel covers more than `kernel` pixels."),
            Trap(lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1,
                 "The kernel covers fewer than `dilation * kernel` pixels: how many gaps are there between k weights?"),
            Trap(lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s + 1,
                 "From its first weight to its last the kernel covers one pixel more than `dilation * (kernel - 1)`."),
            Trap(lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s,
                 "`places // stride` is too few where a last step is not whole: the first place needs no step."),
            Trap(lambda n, k, s, p, d: -(-(n + 2 * p - d * (k - 1) - 1) // s) + 1,
                 "You round up. A step that is not a whole one leads beyond the end of the row."),
            Trap(lambda n, k, s, p, d: round((n + 2 * p - d * (k - 1) - 1) / s) + 1,
                 "You round to the nearest number. A step that is not a whole one leads beyond the end of the row."),
            Trap(lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) / s + 1,
                 "Half a place is none: divide by `//`."),
            Trap(lambda n, k, s, p, d: n + 2 * p - d * (k - 1), "The stride has been forgotten."),
        ),
    ),
)  # fmt: skip

# -- 12.2 -------------------------------------------------------------------------------------------


def correlate(x: Any, kernel: Any, stride: int, padding: int) -> Any:
    """The sums of kernel times window, for every window of x (h, w) within a border of zeros."""
    return (windows(np.pad(x, padding), kernel.shape, stride) * kernel).sum(axis=(2, 3))


CORRELATE_STUB = '''def correlate(x, kernel, stride, padding):
    """The results of `kernel` on the picture `x`, as an array (high, wide)."""
    return ...
'''
CORRELATE_SOLUTION = '''def correlate(x, kernel, stride, padding):
    """The results of `kernel` on the picture `x`, as an array (high, wide)."""
    x = np.pad(x, padding)
    k, l = kernel.shape
    high, wide = (x.shape[0] - k) // stride + 1, (x.shape[1] - l) // stride + 1
    y = np.zeros((high, wide))
    for i in range(high):
        for j in range(wide):
            top, left = i * stride, j * stride
            y[i, j] = (x[top : top + k, left : left + l] * kernel).sum()
    return y
'''


def pictures(rng: np.random.Generator) -> list[Case]:
    """Pictures that are not square, kernels that are not symmetric, all settings; quarters, so that sums are exact."""
    shapes = (((6, 8), (3, 3), 1, 0), ((5, 7), (3, 3), 1, 1), ((7, 6), (3, 3), 2, 0), ((8, 9), (3, 3), 3, 2),
              ((6, 5), (2, 3), 1, 0), ((6, 7), (3, 2), 2, 1), ((4, 3), (4, 3), 1, 0), ((3, 5), (1, 1), 2, 0))
    return [Case(rng.integers(1, 40, size) / 4, rng.integers(-4, 5, kernel).astype(float), stride, padding,
                 about=f"{size[0]} x {size[1]} pixels, kernel {kernel[0]} x {kernel[1]}, stride {stride}, "
                       f"padding {padding}") for size, kernel, stride, padding in shapes]  # fmt: skip


def _padded_otherwise(mode: Any) -> Any:
    return lambda x, kernel, stride, padding: correlate(np.pad(x, padding, mode=mode), kernel, stride, 0)


def _unmoved(x: Any, kernel: Any, stride: int, padding: int) -> Any:
    """The stride counts for the number of results, but the windows are one pixel apart."""
    high, wide = correlate(x, kernel, stride, padding).shape
    return correlate(x, kernel, 1, padding)[:high, :wide]


CORRELATE = Problem(
    id="12.2",
    title="All windows of a picture",
    task=(
        "Lay `kernel` on every window of the picture, multiply, add up. Around the picture there are `padding` rows "
        "and columns of zeros, and neighboring windows are `stride` pixels apart, down and across."
    ),
    spec=(
        "`x` (h, w) and `kernel` (k, l) are NumPy arrays; neither needs to be square. Returns an array (high, wide). "
        "The kernel is not turned round. Loops are fine here."
    ),
    stub=CORRELATE_STUB,
    answer="correlate",
    lines=9,
    hints=(
        "`np.pad(x, padding)` lays zeros all around. Then every window lies within the array, and exercise 12.1 says "
        "how many there are down and across.",
        "Result (i, j) belongs to the window whose upper left corner is at row `i * stride` and column `j * stride` of "
        "the padded picture; it has as many rows and columns as the kernel.",
        "`y[i, j] = (x[i * stride : i * stride + k, ___ : ___] * kernel).sum()`",
    ),
    solution=CORRELATE_SOLUTION,
    why=(
        "Padding first makes all windows alike, so no result needs a test for the border. The stride only moves the "
        "windows; inside a window the pixels lie side by side."
    ),
    judge=by_cases(
        correlate,
        pictures,
        dtype=False,
        traps=(
            Trap(lambda x, w, s, p: correlate(x, w[::-1, ::-1], s, p),
                 "The kernel is turned round, as `np.convolve` does. Here weight (0, 0) meets the upper left pixel "
                 " of the window."),
            Trap(lambda x, w, s, p: correlate(x, w[:, ::-1], s, p), "The kernel's columns are in reverse order."),
            Trap(lambda x, w, s, p: correlate(x, w[::-1], s, p), "The kernel's rows are in reverse order."),
            Trap(lambda x, w, s, p: correlate(x, w, s, p).T, "Rows and columns of the result are exchanged."),
            Trap(lambda x, w, s, p: np.trunc(correlate(x, w, s, p)), "The fractions are cut off: are the results put "
                                                                     "into an array of whole numbers?"),
            Trap(lambda x, w, s, p: correlate(x, w, s, 0), "The padding has been forgotten."),
            Trap(lambda x, w, s, p: correlate(x, w, s, 2 * p), "There are twice as many rows and columns of zeros as "
                                                               "there should be: `padding` on each side."),
            Trap(lambda x, w, s, p: correlate(np.pad(x, ((p, 0), (p, 0))), w, s, 0),
                 "The zeros are there above and on the left only. They go all around."),
            Trap(lambda x, w, s, p: correlate(np.pad(x, ((0, p), (0, p))), w, s, 0),
                 "The zeros are there below and on the right only. They go all around."),
            Trap(lambda x, w, s, p: correlate(np.pad(x, ((0, 2 * p), (0, 2 * p))), w, s, 0),
                 "All zeros are put below and on the right of the picture. Half of them go above it and on its left."),
            Trap(_padded_otherwise("edge"), "Beyond the border the nearest pixel counts. Here zeros should count."),
            Trap(_padded_otherwise("wrap"), "Beyond the border the pixels of the other side count: a negative index? "
                                            "Here zeros should count."),
            Trap(_padded_otherwise("reflect"), "Beyond the border the picture is mirrored. Here zeros should count."),
            Trap(lambda x, w, s, p: correlate(x, w, 1, p), "The stride has been forgotten."),
            Trap(_unmoved, "The number of results is right, but the windows are one pixel apart: window i begins at "
                           "row i * stride."),
            Trap(lambda x, w, s, p: correlate(x, w, 1, p)[::s], "The stride counts down the rows only, not across."),
            Trap(lambda x, w, s, p: correlate(x, w, 1, p)[:, ::s], "The stride counts across only, not down the rows."),
            Trap(lambda x, w, s, p: correlate(x, w, s, p) / w.size, "This is the mean of the products. It should be "
                                                                    "their sum."),
            Trap(lambda x, w, s, p: correlate(x, w, s, p)[:-1, :-1], "The last row and column of results are missing: "
                                                                     "is there a + 1 in the number of places?"),
        ),
    ),
)  # fmt: skip

# -- 12.3 -------------------------------------------------------------------------------------------


def unfold(x: Any, k: int, stride: int) -> Any:
    """The windows of x (h, w) as columns: (k², places), places row after row."""
    found = windows(x, (k, k), stride)
    return np.ascontiguousarray(found.reshape(-1, k * k).T)


UNFOLD_STUB = '''def unfold(x, k, stride):
    """The windows of `x` as the columns of a matrix (k * k, places)."""
    return ...
'''
UNFOLD_SOLUTION = '''def unfold(x, k, stride):
    """The windows of `x` as the columns of a matrix (k * k, places)."""
    high, wide = ((size - k) // stride + 1 for size in x.shape)
    columns = [x[i * stride : i * stride + k, j * stride : j * stride + k].ravel()
               for i in range(high) for j in range(wide)]
    return np.stack(columns, axis=1)
'''


def to_unfold(rng: np.random.Generator) -> list[Case]:
    """Pictures that are not square, windows that overlap, touch or leave gaps; all pixels different."""
    shapes = (((4, 5), 3, 1), ((6, 5), 2, 1), ((7, 9), 3, 2), ((6, 8), 2, 2), ((9, 7), 2, 3), ((3, 4), 1, 1))
    return [Case(rng.permutation(h * w).reshape(h, w).astype(np.float32), k, stride,
                 about=f"{h} x {w} pixels, windows of {k} x {k}, stride {stride}")
            for (h, w), k, stride in shapes]  # fmt: skip


def _down_first(x: Any, k: int, stride: int) -> Any:
    """The places column after column."""
    return windows(x, (k, k), stride).transpose(1, 0, 2, 3).reshape(-1, k * k).T


UNFOLD = Problem(
    id="12.3",
    title="Windows as columns",
    task=(
        "Make the matrix of im2col for a picture with one channel: each window of `k` x `k` pixels becomes a column. "
        "The windows come row after row, and within a window so do its pixels."
    ),
    spec=(
        "`x` is a NumPy array (h, w); windows are `stride` pixels apart, without padding. Returns an array (k * k, "
        "places) of the dtype of `x`, so that `kernel.ravel() @ unfold(x, k, stride)` are the results."
    ),
    stub=UNFOLD_STUB,
    answer="unfold",
    lines=4,
    hints=(
        "Two loops over the places, or two loops over the pixels of a window: either can fill the matrix. The first is "
        "easier to find, the second is faster.",
        "By places: the window at (i, j) is a slice of x as in exercise 12.2, and its `.ravel()` is one column. By "
        "pixels: row p * k + q of the matrix holds pixel (p, q) of all windows, a slice of x with a step.",
        "`np.stack([x[i * stride : ___, j * stride : ___].ravel() for i in range(high) for j in range(wide)], "
        "axis=___)`",
    ),
    solution=UNFOLD_SOLUTION,
    why=(
        "A column holds what one result needs, in the order of the kernel's weights, so one matrix product computes "
        "all results. The price is that a pixel stands in as many columns as there are windows that contain it."
    ),
    judge=by_cases(
        unfold,
        to_unfold,
        traps=(
            Trap(lambda x, k, s: unfold(x, k, s).T, "The windows are the rows of your matrix. They should be its "
                                                    "columns."),
            Trap(lambda x, k, s: unfold(x, k, s).T.reshape(k * k, -1),
                 "The shape is right, but `reshape` does not turn rows into columns: it deals out the numbers anew in "
                 "the order in which they lie. A matrix is turned by `.T`, or stacked along axis 1."),
            Trap(_down_first, "The windows come column after column. They should come row after row."),
            Trap(lambda x, k, s: unfold(x.T, k, s), "Rows and columns of the picture are exchanged."),
            Trap(lambda x, k, s: windows(x, (k, k), s).transpose(0, 1, 3, 2).reshape(-1, k * k).T,
                 "Within a window the pixels come column after column. They should come row after row."),
            Trap(lambda x, k, s: unfold(x, k, s)[::-1], "Within a window the pixels come in reverse order."),
            Trap(lambda x, k, s: unfold(x, k, 1), "The stride has been forgotten."),
            Trap(lambda x, k, s: unfold(x, k, k), "Your windows lie side by side, k pixels apart. They should be "
                                                  "`stride` pixels apart, and may overlap."),
            Trap(lambda x, k, s: windows(x, (k, k), s)[:-1, :-1].reshape(-1, k * k).T,
                 "The last row and the last column of windows are missing: is there a + 1 in the number of places?"),
        ),
    ),
)  # fmt: skip

# -- 12.4 -------------------------------------------------------------------------------------------

CONV_STUB = '''conv = cp.RawKernel(r"""
extern "C" __global__
void conv(const float* x, const float* weight, const float* bias, float* y, int channels, int h, int w,
          int filters, int k, int stride, int padding, int high, int wide)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;          // one element of y (filters, high, wide)
    if (i < filters * high * wide) {
        int column = i % wide;
        int row = i / wide % high;
        int filter = i / wide / high;
        // y[i] is the filter's bias, and the sum over all channels of its weights times the window's pixels

    }
}
""", "conv")
'''
CONV_BODY = """        float sum = bias[filter];
        for (int c = 0; c < channels; c++) {
            for (int p = 0; p < k; p++) {
                for (int q = 0; q < k; q++) {
                    int r = row * stride + p - padding;
                    int s = column * stride + q - padding;
                    if (r >= 0 && r < h && s >= 0 && s < w) {
                        float pixel = x[(c * h + r) * w + s];
                        sum += weight[((filter * channels + c) * k + p) * k + q] * pixel;
                    }
                }
            }
        }
        y[i] = sum;
"""
CONV_SOLUTION = CONV_STUB.replace("window's pixels\n\n", "window's pixels\n" + CONV_BODY)


def convolved(x: Any, weight: Any, bias: Any, stride: int, padding: int) -> Any:
    """The results (filters, high, wide) for x (channels, h, w) and weight (filters, channels, k, k)."""
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    found = windows(x, weight.shape[2:], stride)                          # (channels, high, wide, k, k)
    high, wide = found.shape[1:3]
    columns = found.transpose(0, 3, 4, 1, 2).reshape(-1, high * wide)
    return (weight.reshape(len(weight), -1) @ columns + bias[:, None]).reshape(-1, high, wide)


def make_convs(rng: np.random.Generator) -> Sequence[Launch]:
    """One channel and several, pictures that are not square, every stride and padding, a single result."""
    small = [_conv(rng, *shape) for shape in (
        (1, 5, 7, 2, 3, 1, 1, 64), (3, 9, 7, 4, 3, 2, 1, 32), (2, 8, 11, 3, 5, 1, 2, 96), (3, 6, 5, 2, 2, 2, 0, 32),
        (2, 7, 9, 3, 3, 3, 2, 64), (2, 3, 3, 1, 3, 1, 0, 32))]  # fmt: skip
    return timed_at(lambda: _conv(rng, 16, 512, 512, 16, 3, 1, 1, 256), small)


def _conv(
    rng: np.random.Generator, channels: int, h: int, w: int, filters: int, k: int, stride: int, padding: int, block: int
) -> Launch:
    """Quarters, so that every order of the sum gives the same."""
    x, weight, bias = (rng.integers(low, high, shape).astype(np.float32) for low, high, shape in (
        (1, 9, (channels, h, w)), (1, 5, (filters, channels, k, k)), (10, 20, (filters,))))  # fmt: skip
    weight *= rng.choice((-0.5, 0.5), weight.shape)
    x /= 2
    bias += 0.25
    due = convolved(x, weight, bias, stride, padding)
    numbers = {"channels": channels, "h": h, "w": w, "filters": filters, "k": k, "stride": stride, "padding": padding,
               "high": due.shape[1], "wide": due.shape[2]}  # fmt: skip
    args: Arrays = {"x": x, "weight": weight, "bias": bias, "y": blank(due.size)}
    blocks = -(-due.size // block)
    words = f"x {x.shape}, weight {weight.shape}, stride {stride}, padding {padding}, block {block}"
    args |= {name: np.int32(value) for name, value in numbers.items()}
    return Launch((blocks,), (block,), args, {"y": due.ravel()}, words=words)


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number > 1)}"


def _given(launch: Launch) -> tuple[Any, Any, Any, int, int]:
    a = launch.args
    return a["x"], a["weight"], a["bias"], int(a["stride"]), int(a["padding"])


def _conv_trap(wrong: Any, message: str) -> KernelTrap:
    return KernelTrap(lambda launch: {"y": wrong(*_given(launch)).ravel()}, message)


def _weights_trap(wrong: Any, message: str) -> KernelTrap:
    """Right but for the weights, which are `wrong(weight)`."""
    return _conv_trap(lambda x, w, b, s, p: convolved(x, np.ascontiguousarray(wrong(w)), b, s, p), message)


def _padded(mode: Any) -> Any:
    """The results with another border; a picture cannot be mirrored beyond its own size, but these are larger."""
    return lambda x, w, b, s, p: convolved(np.pad(x, ((0, 0), (p, p), (p, p)), mode=mode), w, b, s, 0)


def _by_windows(x: Any, w: Any, b: Any, s: int, p: int, step: int, shift: int, reach: int = 1) -> Any:
    """The results if a window begins at place * step - shift and its pixels are `reach` apart."""
    high, wide = convolved(x, w, b, s, p).shape[1:]
    k = w.shape[2]
    far = max(step, 1) * max(high, wide) + k * reach
    around = np.pad(x, ((0, 0), (shift, far), (shift, far)))
    span = (k - 1) * reach + 1
    found = windows(around, (span, span), step)[:, :high, :wide, ::reach, ::reach]
    return np.einsum("chwpq,fcpq->fhw", found, w) + b[:, None, None]


def _previous_row(x: Any, w: Any, b: Any, s: int, p: int) -> Any:
    """Rows are tested, columns are not: what lies before a row in memory is the end of the row above."""
    channels, h, wide = x.shape
    flat = np.pad(x.ravel(), (p, p + w.shape[2]), constant_values=np.nan)
    along = np.lib.stride_tricks.sliding_window_view(flat, wide + 2 * p)[::wide][: channels * h]
    rows = along.reshape(channels, h, wide + 2 * p)
    return convolved_nan(np.pad(rows, ((0, 0), (p, p), (0, 0))), w, b, s)


def _indexed(index: Any) -> Any:
    """The results if pixel (c, r, s) is fetched from `index(c, r, s, *x.shape)` of the array; nan beyond it."""

    def wrong(x: Any, w: Any, b: Any, s: int, p: int) -> Any:
        at = index(*np.indices(x.shape), *x.shape)
        found = np.where(at < x.size, x.ravel()[at % x.size], np.nan)
        return convolved_nan(np.pad(found, ((0, 0), (p, p), (p, p))), w, b, s)

    return wrong


def _zeros_at(border: Any) -> Any:
    """The results if the rows and columns `border` of x count as zeros."""

    def wrong(x: Any, w: Any, b: Any, s: int, p: int) -> Any:
        x = x.copy()
        x[:, border], x[:, :, border] = 0, 0
        return convolved(x, w, b, s, p)

    return wrong


def convolved_nan(x: Any, w: Any, b: Any, s: int) -> Any:
    """As `convolved` without padding, where a nan in x concerns only the results that need it."""
    return np.einsum("chwpq,fcpq->fhw", windows(x, w.shape[2:], s), w) + b[:, None, None]


def _by_filter(w: Any) -> Any:
    """The weights read as if each filter had one kernel."""
    filters, _, k, _ = w.shape
    return np.broadcast_to(w.reshape(-1, 1, k, k)[:filters], w.shape)


def _without_last(w: Any) -> Any:
    """The weights with zeros in the last row and the last column of each kernel."""
    return np.pad(w[:, :, :-1, :-1], ((0, 0), (0, 0), (0, 1), (0, 1)))


def _swapped_filters(w: Any) -> Any:
    """The weights read as if their order were (channels, filters, k, k)."""
    filters, channels = w.shape[:2]
    return w.reshape(channels, filters, *w.shape[2:]).transpose(1, 0, 2, 3)


CONV = Problem(
    id="12.4",
    title="A convolution layer in CUDA C",
    task=(
        "Write the body of `conv`: one thread computes one result. It goes through all channels and all weights of "
        "its filter, leaves out what lies beyond the border, and adds the filter's bias once."
    ),
    spec=(
        "`x` (channels, h, w), `weight` (filters, channels, k, k), `bias` (filters,) and `y` (filters, high, wide) are "
        "floats in C order. Weight (p, q) of result (row, column) meets the pixel in row `row * stride + p - padding` "
        "and column `column * stride + q - padding`; pixels that do not exist count as 0."
    ),
    stub=CONV_STUB,
    answer="conv",
    lines=14,
    hints=(
        "Three loops: channels `c`, the kernel's rows `p`, its columns `q`. A variable `sum` begins with the bias, and "
        "`y[i]` is written once at the end.",
        "The index of an element of an array (a, b, c, d) in C order is ((a · size_b + b) · size_c + c) · size_d + d. "
        "So the weight is `weight[((filter * channels + c) * k + p) * k + q]`.",
        "`int r = row * stride + p - padding, s = ___; if (r >= 0 && r < h && ___) sum += weight[…] * x[(c * h + ___) "
        "* w + ___];`",
    ),
    solution=CONV_SOLUTION,
    why=(
        "Every result is independent, so each gets a thread, and no thread writes what another one reads. The test for "
        "the border is the padding: a product with zero need not be computed."
    ),
    judge=by_launches(
        make_convs,
        traps=(
            _weights_trap(lambda w: w[:, :, ::-1, ::-1], "The kernel is turned round: weight (p, q) should meet the "
                                                         "pixel p below and q to the right of the window's corner."),
            _weights_trap(lambda w: w.transpose(0, 1, 3, 2), "Rows and columns of the weights are exchanged: p goes "
                                                             "down, q across, in the weights as in the picture."),
            _weights_trap(lambda w: np.broadcast_to(w[:1], w.shape), "All filters use the weights of filter 0: the "
                                                                     "filter is missing in the index of `weight`."),
            _weights_trap(lambda w: np.broadcast_to(w[:, :1], w.shape), "All channels use the weights of channel 0: "
                                                                        "the channel is missing in the index of "
                                                                        "`weight`."),
            _weights_trap(_by_filter, "The index of `weight` has no factor `channels`: a filter has a kernel for each "
                                      "channel, so filter f begins at kernel f * channels."),
            _weights_trap(_swapped_filters, "Filters and channels are exchanged in the index of `weight`: its order is "
                                            "(filters, channels, k, k)."),
            _weights_trap(lambda w: np.concatenate([w[:, :1], np.zeros_like(w[:, 1:])], axis=1),
                          "Only channel 0 counts. The sum goes over all channels."),
            _weights_trap(lambda w: np.concatenate([np.zeros_like(w[:, :-1]), w[:, -1:]], axis=1),
                          "Only the last channel counts: the sum begins anew for each channel."),
            _weights_trap(_without_last, "The last row and column of each kernel are left out: p and q go from 0 to "
                                         "k - 1."),
            _conv_trap(lambda x, w, b, s, p: convolved(np.broadcast_to(x[:1], x.shape), w, b, s, p),
                       "Every channel reads the pixels of channel 0: the channel is missing in the index of `x`."),
            _conv_trap(lambda x, w, b, s, p: convolved(x, w, 0 * b, s, p), "The bias has been forgotten."),
            _conv_trap(lambda x, w, b, s, p: convolved(x, w, b * len(x), s, p), "The bias is added once for each "
                                                                                "channel. It is added once."),
            _conv_trap(lambda x, w, b, s, p: convolved(x, w, b * w[0].size, s, p),
                       "The bias is added for each weight. It is added once."),
            _conv_trap(lambda x, w, b, s, p: convolved(x, w, 0 * b + b[0], s, p), "Every filter gets the bias of "
                                                                                  "filter 0."),
            _conv_trap(lambda x, w, b, s, p: _by_windows(x, w, b, s, p, 1, p), "The stride has been forgotten: a "
                       "window begins at row * stride - padding, not at row - padding."),
            _conv_trap(lambda x, w, b, s, p: _by_windows(x, w, b, s, p, s, 0), "The windows begin at the picture's "
                       "border. With padding the first one begins `padding` pixels before it."),
            _conv_trap(lambda x, w, b, s, p: _by_windows(x, w, b, s, p, 1, p, s), "The stride spreads the pixels "
                       "within a window. It should move the window: row * stride + p, not row + p * stride."),
            _conv_trap(lambda x, w, b, s, p: _by_windows(x, w, b, s, p, s, p * s), "(row - padding) * stride moves "
                       "the first window too far: the padding is counted in pixels."),
            _conv_trap(lambda x, w, b, s, p: _by_windows(x, w, b, s, p, s, 1), "The windows begin one pixel before the "
                       "border, whatever the padding is."),
            _conv_trap(_zeros_at(0), "The first row and column of the picture count as zeros: 0 is a pixel, so `>=`."),
            _conv_trap(_zeros_at(-1), "The last row and column of the picture count as zeros: h - 1 is a row, and w - "
                                      "1 a column."),
            _conv_trap(_indexed(lambda c, r, s, channels, h, w: (r * w + s) * channels + c), "The index of `x` has the "
                       "channel last. Its order is (channels, h, w): the channel comes first."),
            _conv_trap(_padded("edge"), "Beyond the border the nearest pixel counts. Here zeros should count."),
            _conv_trap(_previous_row, "The rows are tested, the columns are not: before a row there lies, in memory, "
                                      "the end of the row above it."),
        ),
        limits=(
            Limit("global_store_requests", lambda launch: launch.grid[0] * launch.block[0] // 32,
                  "`y` is stored to by {found} requests of warps where {limit} are enough: add up in a variable, and "
                  "store it once, at the end."),
        ),
    ),
)  # fmt: skip

# -- 12.5 -------------------------------------------------------------------------------------------


def weight_gradient(x: Any, dy: Any, k: int, stride: int) -> Any:
    """dL/dW (filters, channels, k, k) for x (channels, h, w) and dL/dy (filters, high, wide), without padding."""
    met = windows(x, (k, k), stride)                                       # (channels, high, wide, k, k)
    return np.einsum("chwpq,fhw->fcpq", met, dy)


GRADIENT_STUB = '''def weight_gradient(x, dy, k, stride):
    """dL/dW for a layer without padding: an array (filters, channels, k, k)."""
    return ...
'''
GRADIENT_SOLUTION = '''def weight_gradient(x, dy, k, stride):
    """dL/dW for a layer without padding: an array (filters, channels, k, k)."""
    filters, high, wide = dy.shape
    dw = np.zeros((filters, len(x), k, k))
    for p in range(k):
        for q in range(k):
            met = x[:, p : p + stride * high : stride, q : q + stride * wide : stride]
            dw[:, :, p, q] = (dy[:, None] * met[:, :high, :wide]).sum(axis=(2, 3))
    return dw
'''


def gradients(rng: np.random.Generator) -> list[Case]:
    """Several channels and filters, strides that leave pixels over, one place, one weight; exact sums."""
    shapes = (((2, 6, 7), 3, 3, 1), ((1, 5, 5), 2, 2, 1), ((3, 8, 7), 2, 3, 2), ((2, 7, 9), 4, 2, 3),
              ((2, 3, 3), 2, 3, 1), ((2, 4, 5), 3, 1, 2))  # fmt: skip
    return [_gradient_case(rng, *shape) for shape in shapes]


def _gradient_case(rng: np.random.Generator, shape: tuple[int, int, int], filters: int, k: int, stride: int) -> Case:
    high, wide = ((size - k) // stride + 1 for size in shape[1:])
    x, dy = (rng.integers(1, 39, size) / 4 for size in (shape, (filters, high, wide)))
    c, h, w = shape
    about = f"{_many(c, 'channel')} of {h} x {w} pixels, {filters} filters of {k} x {k}, stride {stride}"
    return Case(x, dy, k, stride, about=about)


def _cropped(x: Any, dy: Any, step: int, shift: int, k: int) -> Any:
    """The gradient if weight (p, q) meets the pixels from (p · shift, q · shift) on, `step` apart."""
    dw = np.zeros((len(dy), len(x), k, k))
    for p, q in np.ndindex(k, k):
        met = x[:, p * shift :: step, q * shift :: step][:, : dy.shape[1], : dy.shape[2]]
        dw[:, :, p, q] = np.einsum("chw,fhw->fc", met, dy)
    return dw


GRADIENT = Problem(
    id="12.5",
    title="The gradient of the weights",
    task=(
        "A layer computed `y` from `x`, and the gradient `dy` of the loss has come back to it. Work out the gradient "
        "of its weights: each weight gets the sum, over all places, of `dy` times the pixel that it met there."
    ),
    spec=(
        "`x` (channels, h, w) and `dy` (filters, high, wide) are NumPy arrays; no padding, one example. At place (i, "
        "j) weight (p, q) met the pixel (i · stride + p, j · stride + q). Returns (filters, channels, k, k)."
    ),
    stub=GRADIENT_STUB,
    answer="weight_gradient",
    lines=7,
    hints=(
        "Take one weight, (p, q). Which pixels did it meet, over all places? They form a picture of high x wide "
        "pixels. It is a slice of x with a step.",
        "The pixels that weight (p, q) met are `x[:, p :: stride, q :: stride]`, cut to `high` rows and `wide` "
        "columns. For filter f and channel c, multiply by `dy[f]` and add up.",
        "`met = x[:, p::stride, q::stride][:, :high, :wide]`, then `dw[:, :, p, q] = (dy[:, None] * ___).sum(axis=(2, "
        "3))`",
    ),
    solution=GRADIENT_SOLUTION,
    why=(
        "A weight is used at every place, so by the chain rule its gradient is a sum over all places. The sum has the "
        "form of a correlation of `x` with `dy`: forward and backward are relatives."
    ),
    judge=by_cases(
        weight_gradient,
        gradients,
        dtype=False,
        traps=(
            Trap(lambda x, dy, k, s: weight_gradient(x, dy, k, s)[..., ::-1, ::-1],
                 "The gradient is turned round: weight (p, q) met the pixels p below and q to the right of each "
                 "window's corner."),
            Trap(lambda x, dy, k, s: weight_gradient(x, dy, k, s).transpose(0, 1, 3, 2),
                 "p and q are exchanged: p goes down the rows, q across."),
            Trap(lambda x, dy, k, s: weight_gradient(x, dy, k, s).transpose(1, 0, 2, 3),
                 "Filters and channels are exchanged: the gradient has the shape of the weights, (filters, channels, "
                 "k, k)."),
            Trap(lambda x, dy, k, s: weight_gradient(x, dy, k, s) / dy[0].size,
                 "This is the mean over all places. The weight was used at each of them, so the contributions add up."),
            Trap(lambda x, dy, k, s: _cropped(x, dy, 1, 1, k), "The stride has been forgotten: neighboring places meet "
                                                               "pixels that are `stride` apart."),
            Trap(lambda x, dy, k, s: _cropped(x, dy, 1, s, k), "Stride and offset are exchanged: the slice begins at "
                                                               "p and has the step `stride`."),
            Trap(lambda x, dy, k, s: np.broadcast_to(weight_gradient(x, dy, k, s).sum(0), (len(dy), len(x), k, k)),
                 "Every filter gets the sum over all filters. A filter's weights made its own results only: `dy[f]`."),
            Trap(lambda x, dy, k, s: weight_gradient(np.broadcast_to(x.sum(0), x.shape), dy, k, s),
                 "Every channel gets the sum over all channels. The weights of channel c met the pixels of channel c "
                 "only."),
            Trap(lambda x, dy, k, s: weight_gradient(np.broadcast_to(x[:1], x.shape), dy, k, s),
                 "Every channel gets the gradient of channel 0: which pixels did the weights of channel c meet?"),
            Trap(lambda x, dy, k, s: weight_gradient(x, np.broadcast_to(dy[:1], dy.shape), k, s),
                 "Every filter gets the gradient of filter 0: filter f made the results that `dy[f]` belongs to."),
            Trap(lambda x, dy, k, s: np.trunc(weight_gradient(x, dy, k, s)),
                 "The fractions are cut off: is the gradient put into an array of whole numbers?"),
            Trap(lambda x, dy, k, s: np.broadcast_to(dy.sum((1, 2))[:, None, None, None], (len(dy), len(x), k, k)),
                 "This is the sum of `dy`, which is the gradient of the bias. What a weight met counts, too."),
        ),
    ),
)  # fmt: skip

# -- 12.6 -------------------------------------------------------------------------------------------

CHANNELS, SIDE, FILTERS, K, OUT = 16, 28, 32, 3, 14
RESULTS, WEIGHTS = FILTERS * OUT * OUT, FILTERS * CHANNELS * K * K
PIXELS = CHANNELS * SIDE * SIDE
COSTS = {
    "results": RESULTS,
    "parameters": WEIGHTS + FILTERS,
    "multiply-adds": RESULTS * CHANNELS * K * K,
    "bytes of x": 4 * PIXELS,
    "bytes of the columns": 4 * CHANNELS * K * K * OUT * OUT,
    "parameters of a linear layer": PIXELS * RESULTS + RESULTS,
}


def _cost(key: str, value: int, message: str) -> Trap:
    return Trap({key: value}, message)


COUNT = Problem(
    id="12.6",
    title="What does a layer cost?",
    task=(
        "One picture with 16 channels of 28 x 28 pixels goes through a convolution with 32 filters of 3 x 3, stride 2, "
        "padding 1 and a bias. Work out six numbers, and compare the last with the second."
    ),
    spec=(
        "`costs`: a dict of whole numbers; Python may do the arithmetic. Numbers are float32. A multiply-add counts "
        "once, those with the padding's zeros too. The columns are the matrix of im2col. The linear layer has the same "
        "inputs and outputs, and a bias."
    ),
    stub=mapping_source("costs", COSTS.keys()),
    answer="costs",
    lines=6,
    hints=(
        "Begin with the number of places: exercise 12.1 gives rows and columns of the output.",
        "There are 14 x 14 places, and 32 filters at each. One result takes 16 · 3 · 3 multiply-adds. A column of "
        "im2col holds what one place needs.",
        '`"results": 32 * 14 * 14`, `"parameters": 32 * ___ + 32`, `"bytes of the columns": 4 * ___ * 14 * 14`; a '
        "linear layer has inputs · outputs weights.",
    ),
    solution=mapping_source("costs", COSTS),
    why=(
        "The convolution has 4,640 parameters where the linear layer would have 78 million, because all places share "
        "the same weights. The columns hold each pixel 9/4 times: 9 weights see it, and a stride of 2 keeps a quarter "
        "of the places."
    ),
    judge=is_mapping(
        COSTS,
        rtol=1e-9,
        traps=(
            _cost("results", OUT * OUT, "That is the number of places. Each of the 32 filters has a result at each."),
            _cost("results", FILTERS * SIDE * SIDE, "With a stride of 2 there are fewer places than pixels."),
            _cost("results", FILTERS * 13 * 13, "Your output has 13 x 13 places: the padding makes room for one more."),
            _cost("results", FILTERS * 15 * 15, "Your output has 15 x 15 places: a last half step is none."),
            _cost("results", CHANNELS * OUT * OUT, "The output has a channel for each filter, not for each channel of "
                                                   "the input."),
            _cost("results", RESULTS * 4, "These are the bytes of the results. How many numbers are they?"),
            _cost("parameters", WEIGHTS, "The biases are parameters, too: one for each filter."),
            _cost("parameters", FILTERS * K * K + FILTERS, "A filter has 3 x 3 weights for each of the channels."),
            _cost("parameters", FILTERS * K * K, "A filter has 3 x 3 weights for each of the channels, and a bias."),
            _cost("parameters", WEIGHTS + 1, "There is a bias for each filter."),
            _cost("parameters", WEIGHTS + FILTERS * CHANNELS, "There is one bias for a filter, not one for each of its "
                                                              "channels."),
            _cost("parameters", WEIGHTS + RESULTS, "There is a bias for each filter, not for each result."),
            _cost("parameters", CHANNELS * FILTERS * K + FILTERS, "A kernel of 3 x 3 has 9 weights, not 3."),
            _cost("multiply-adds", RESULTS * K * K, "A result takes 9 multiply-adds in each of the 16 channels."),
            _cost("multiply-adds", WEIGHTS, "That is one place. There are 14 x 14."),
            _cost("multiply-adds", 2 * RESULTS * CHANNELS * K * K, "You count multiplications and additions. Here the "
                                                                   "two together count once."),
            _cost("multiply-adds", FILTERS * SIDE * SIDE * CHANNELS * K * K,
                  "With a stride of 2 there are fewer places than pixels."),
            _cost("multiply-adds", RESULTS * (CHANNELS * K * K + 1), "The bias is added, not multiplied."),
            _cost("bytes of x", PIXELS, "That is the number of pixels. Each takes 4 bytes."),
            _cost("bytes of x", 4 * SIDE * SIDE, "That is one channel."),
            _cost("bytes of x", 4 * CHANNELS * (SIDE + 2) ** 2, "The padding is not stored in `x`."),
            _cost("bytes of the columns", CHANNELS * K * K * OUT * OUT, "That is how many numbers there are. Each "
                                                                       "takes 4 bytes."),
            _cost("bytes of the columns", 4 * K * K * OUT * OUT, "A column holds the 3 x 3 pixels of all 16 channels."),
            _cost("bytes of the columns", 4 * CHANNELS * K * OUT * OUT, "A window of 3 x 3 has 9 pixels, not 3."),
            _cost("bytes of the columns", 4 * CHANNELS * K * K * RESULTS, "There is one column for each place. All "
                                                                          "filters use the same."),
            _cost("bytes of the columns", 4 * CHANNELS * K * K * SIDE * SIDE, "With a stride of 2 there are fewer "
                                                                             "places than pixels."),
            _cost("parameters of a linear layer", PIXELS * RESULTS, "The linear layer has a bias, too: one for each "
                                                                    "output."),
            _cost("parameters of a linear layer", PIXELS * FILTERS + FILTERS, "Its outputs are all the results, not "
                                                                              "one for each filter."),
            _cost("parameters of a linear layer", PIXELS + RESULTS, "Every output has a weight for every input."),
        ),
    ),
)  # fmt: skip

PROBLEMS = (SIZE, CORRELATE, UNFOLD, CONV, GRADIENT, COUNT)
