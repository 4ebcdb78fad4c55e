"""The exercises of lesson 12: sizes, all windows of a picture, im2col, a kernel, the weights' gradient, costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from gpucourse.exercises import blame, guard
from gpucourse.exercises.cases import ByCases
from gpucourse.exercises.compare import Case, Trap, Wrong, by_cases, is_mapping, mapping_source
from gpucourse.exercises.difference import Tolerance
from gpucourse.exercises.kernel_cases import KernelTrap, Launch, Limit, blank, by_launches, timed_at
from gpucourse.exercises.kernel_runs import CANARY
from gpucourse.exercises.problem import Problem

Arrays = dict[str, Any]


def windows(x: Any, kernel: tuple[int, int], stride: int = 1) -> Any:
    """All windows of the last two axes of x, as a view: (…, high, wide, *kernel)."""
    every = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(-2, -1))
    return every[..., ::stride, ::stride, :, :]


@dataclass(frozen=True)
class OfShapes(ByCases):
    """The judge of a function of cases; where NumPy says that shapes do not fit, `advice` says what that means here."""

    advice: str = ""

    def __call__(self, answer: Any, *, xp: Any = np, seed: int = 0, name: str = "your function") -> None:
        """Raise Wrong, NotAttempted or guard.Raised unless the answer is right."""
        try:
            super().__call__(answer, xp=xp, seed=seed, name=name)
        except guard.Raised as raised:
            if "broadcast" not in str(raised.error):
                raise
            raise Wrong(f"{blame.sentence(raised.error, raised.where)} {self.advice}") from None


# -- 12.1 -------------------------------------------------------------------------------------------


def output_size(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Places at which a kernel fits along an axis."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


SIZE_STUB = '''def output_size(size, kernel, stride, padding, dilation):
    """How many results there are along an axis of `size` pixels."""
    return ...
'''

def _rows(rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Four rows that are at least as long as what the kernel covers."""
    found: list[tuple[int, ...]] = []
    for kernel, stride, padding, dilation, more in rng.integers((1, 1, 0, 1, 0), (8, 6, 4, 4, 40), (4, 5)).tolist():
        found.append((dilation * (kernel - 1) + 1 + more, kernel, stride, padding, dilation))
    return found


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
        hidden=_rows,
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
                 "The places of stride 1, divided by the stride, are too few where a last step is not whole: the first "
                 "place needs no step."),
            Trap(lambda n, k, s, p, d: (n - d * (k - 1) - 1) // s + 1 + 2 * p,
                 "The padding is added to the places. It makes the row longer, before the steps are counted."),
            Trap(lambda n, k, s, p, d: -(-n // s), "This is the size divided by the stride, whatever the kernel and "
                                                   "the padding are."),
            Trap(lambda n, k, s, p, d: (n + 2 * p - k - d + 1) // s + 1,
                 "The dilation counts for one gap. It makes every gap between two weights wider, and there are "
                 "several."),
            Trap(lambda n, k, s, p, d: (n + 2 * p - (d + 1) * (k - 1) - 1) // s + 1,
                 "You read `dilation` as the number of pixels that are skipped. It is the distance from one weight to "
                 "the next: with 1 nothing is skipped."),
            Trap(lambda n, k, s, p, d: (n + 2 * p - s * (k - 1) - 1) // d + 1,
                 "Stride and dilation are exchanged: the dilation spreads the weights, the stride moves the kernel."),
            Trap(lambda n, k, s, p, d: (n + 2 * p * d - d * (k - 1) - 1) // s + 1,
                 "The padding is multiplied by the dilation. It is counted in pixels."),
            Trap(lambda n, k, s, p, d: (n + 3 * p - d * (k - 1) - 1) // s + 1,
                 "The padding is put on both ends of the row: it counts twice, not three times."),
            Trap(lambda n, k, s, p, d: (n + 2 * p - d * k - 1) // s + 1,
                 "You count a gap for each weight, and the first weight once more: there are gaps only between two "
                 "weights."),
            Trap(lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) + 1) // s + 1,
                 "The kernel covers `dilation * (kernel - 1)` pixels and one more. You subtract one less."),
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
    floats = [Case(rng.integers(1, 40, size) / 4, rng.integers(-4, 5, kernel).astype(float), stride, padding,
                   about=f"{size[0]} x {size[1]} pixels, kernel {kernel[0]} x {kernel[1]}, stride {stride}, "
                         f"padding {padding}") for size, kernel, stride, padding in shapes]  # fmt: skip
    whole = rng.integers(1, 20, (4, 5))
    return [*floats, Case(whole.astype(np.uint8), rng.integers(1, 4, (2, 3)) / 4, 1, 0,
                          about="a picture of bytes, a kernel of floats"),
            Case(whole / 4, rng.integers(1, 4, (2, 3)), 1, 0, about="a picture of floats, a kernel of whole numbers")]


def _padded_otherwise(mode: Any) -> Any:
    return lambda x, kernel, stride, padding: correlate(np.pad(x, padding, mode=mode), kernel, stride, 0)


def _unmoved(x: Any, kernel: Any, stride: int, padding: int) -> Any:
    """The stride counts for the number of results, but the windows are one pixel apart."""
    high, wide = correlate(x, kernel, stride, padding).shape
    return correlate(x, kernel, 1, padding)[:high, :wide]


def _unmoved_along(axis: int) -> Any:
    """As `_unmoved`, along one axis only."""

    def wrong(x: Any, kernel: Any, stride: int, padding: int) -> Any:
        high, wide = correlate(x, kernel, stride, padding).shape
        steps = (slice(None, None, 1 if axis == 0 else stride), slice(None, None, 1 if axis == 1 else stride))
        return correlate(x, kernel, 1, padding)[steps][:high, :wide]

    return wrong


def _padded_more(x: Any, kernel: Any, stride: int, padding: int) -> Any:
    """As many results as there should be, of a picture with `padding * stride` zeros around it."""
    high, wide = correlate(x, kernel, stride, padding).shape
    return correlate(x, kernel, stride, padding * stride)[:high, :wide]


def _turned_aside(x: Any, kernel: Any, stride: int, padding: int) -> Any:
    """The results of the kernel with rows and columns exchanged; none where it does not fit."""
    places = [(size + 2 * padding - k) // stride + 1 for size, k in zip(x.shape, kernel.T.shape, strict=True)]
    return correlate(x, kernel.T, stride, padding) if min(places) > 0 else np.zeros(places)


def _each_window(x: Any, kernel: Any, stride: int, padding: int) -> Any:
    """The windows (high, wide, k, l) of the padded picture."""
    return windows(np.pad(x, padding), kernel.shape, stride)


CORRELATE = Problem(
    id="12.2",
    title="All windows of a picture",
    task=(
        "Lay `kernel` on every window of the picture, multiply, add up. Around the picture there are `padding` rows "
        "and columns of zeros, and neighboring windows are `stride` pixels apart, down and across."
    ),
    spec=(
        "`x` (h, w) and `kernel` (k, l) are NumPy arrays of floats or whole numbers, bytes for example; neither needs "
        "to be square. Returns an array (high, wide) that keeps fractions. The kernel is not turned round. Loops are "
        "fine here."
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
    judge=OfShapes(
        correlate,
        pictures,
        tolerance=Tolerance(dtype=False),
        advice=(
            "A slice that goes beyond the padded picture is cut short, and the kernel need not be square."
        ),
        traps=(
            Trap(lambda x, w, s, p: correlate(x, w[::-1, ::-1], s, p),
                 "The kernel is turned round, as `np.convolve` does. Here weight (0, 0) meets the upper left pixel "
                 "of the window."),
            Trap(lambda x, w, s, p: correlate(x, w[:, ::-1], s, p), "The kernel's columns are in reverse order."),
            Trap(lambda x, w, s, p: correlate(x, w[::-1], s, p), "The kernel's rows are in reverse order."),
            Trap(lambda x, w, s, p: correlate(x, w, s, p).T, "Rows and columns of the result are exchanged."),
            Trap(_turned_aside, "Rows and columns of the kernel are exchanged."),
            Trap(lambda x, w, s, p: correlate(x, w, s, p).astype(x.dtype),
                 "The results get the type of x. For a picture of bytes that cuts off their fractions."),
            Trap(lambda x, w, s, p: correlate(x, w, s, p).astype(w.dtype),
                 "The results get the type of the kernel. If its weights are whole numbers, that cuts off fractions."),
            Trap(lambda x, w, s, p: (_each_window(x, w, s, p) * w).astype(x.dtype).sum(axis=(2, 3), dtype=x.dtype),
                 "The products are added up in the type of x. For a picture of bytes that cuts off their fractions."),
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
            Trap(lambda x, w, s, p: correlate(np.pad(x, ((2 * p, 0), (2 * p, 0))), w, s, 0),
                 "All zeros are put above and on the left of the picture. Half of them go below it and on its right."),
            Trap(lambda x, w, s, p: correlate(np.pad(x, ((p, p), (0, 0))), w, s, 0),
                 "The zeros are there above and below only. They go all around."),
            Trap(lambda x, w, s, p: correlate(np.pad(x, ((0, 0), (p, p))), w, s, 0),
                 "The zeros are there on the left and right only. They go all around."),
            Trap(lambda x, w, s, p: correlate(x, w, s, p * s), "The padding is multiplied by the stride. It is counted "
                                                               "in pixels."),
            Trap(_padded_more, "The padding is multiplied by the stride. It is counted in pixels."),
            Trap(lambda x, w, s, p: correlate(np.pad(x, p, constant_values=1), w, s, 0),
                 "Beyond the border ones count. Here zeros should count."),
            Trap(_padded_otherwise("edge"), "Beyond the border the nearest pixel counts. Here zeros should count."),
            Trap(_padded_otherwise("wrap"), "Beyond the border the pixels of the other side count: a negative index? "
                                            "Here zeros should count."),
            Trap(_padded_otherwise("reflect"), "Beyond the border the picture is mirrored. Here zeros should count."),
            Trap(lambda x, w, s, p: correlate(x, w, 1, p), "The stride has been forgotten."),
            Trap(_unmoved, "The number of results is right, but the windows are one pixel apart: window i begins at "
                           "row i * stride."),
            Trap(_unmoved_along(0), "The number of results is right, but downwards the windows are one pixel apart."),
            Trap(_unmoved_along(1), "The number of results is right, but across the windows are one pixel apart."),
            Trap(lambda x, w, s, p: correlate(x, w, 1, p)[::s], "The stride counts down the rows only, not across."),
            Trap(lambda x, w, s, p: correlate(x, w, 1, p)[:, ::s], "The stride counts across only, not down the rows."),
            Trap(lambda x, w, s, p: correlate(x, w, s, p) / w.size, "This is the mean of the products. It should be "
                                                                    "their sum."),
            Trap(lambda x, w, s, p: (_each_window(x, w, s, p) * w).max(axis=(2, 3)),
                 "This is the largest of the products. It should be their sum."),
            Trap(lambda x, w, s, p: (_each_window(x, w, s, p) * w)[..., 0].sum(axis=2),
                 "The products of the window's first column are added up, the others are not."),
            Trap(lambda x, w, s, p: (_each_window(x, w, s, p) @ w.T).sum(axis=(2, 3)),
                 "`@` is a product of matrices. Each weight is multiplied by the one pixel in its place: `*`."),
            Trap(lambda x, w, s, p: correlate(x, w, s, p)[:-1], "The last row of results is missing: is there a + 1 in "
                                                                "the number of places?"),
            Trap(lambda x, w, s, p: correlate(x, w, s, p)[:, :-1], "The last column of results is missing: is there a "
                                                                   "+ 1 in the number of places?"),
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


def _unstepped(*moved: bool) -> Any:
    """As many windows as there should be, but along the axes that are not `moved` one pixel apart."""

    def wrong(x: Any, k: int, stride: int) -> Any:
        high, wide = windows(x, (k, k), stride).shape[:2]
        steps = [slice(None, None, stride if each else 1) for each in moved]
        return windows(x, (k, k))[tuple(steps)][:high, :wide].reshape(-1, k * k).T

    return wrong


def _spread(x: Any, k: int, stride: int) -> Any:
    """As many windows as there should be, one pixel apart, and their pixels `stride` apart."""
    high, wide = windows(x, (k, k), stride).shape[:2]
    span = stride * (k - 1) + 1
    found = windows(x, (span, span))[:high, :wide, ::stride, ::stride]
    return found.reshape(-1, k * k).T


def _not_the_last(x: Any, k: int, stride: int) -> Any:
    """Windows as `range(0, size - k, stride)` has their beginnings."""
    found = windows(x, (k, k))[:-1, :-1][::stride, ::stride]
    return found.reshape(-1, k * k).T


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
    judge=OfShapes(
        unfold,
        to_unfold,
        advice=(
            "A slice that goes beyond the picture is cut short. How many windows fit down, how many across, and where "
            "do they begin?"
        ),
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
            Trap(_unstepped(False, False), "The number of windows is right, but they are one pixel apart: where does "
                                           "the stride count in the slices?"),
            Trap(_unstepped(False, True), "The number of windows is right, but downwards they are one pixel apart."),
            Trap(_unstepped(True, False), "The number of windows is right, but across they are one pixel apart."),
            Trap(_spread, "The stride spreads the pixels of a window. It should move the window: its pixels lie side "
                          "by side."),
            Trap(_not_the_last, "The windows that end at the border are missing: the last one begins at size - k, and "
                                "`range` stops before its end."),
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
    """Quarters, so that every order of the sum gives the same.

    `rtol`, and one sign for a kernel's weights, are for answers that read `BEYOND`, which is no quarter, many times.
    """
    x, weight, bias = (rng.integers(low, high, shape).astype(np.float32) for low, high, shape in (
        (1, 9, (channels, h, w)), (1, 5, (filters, channels, k, k)), (10, 20, (filters,))))  # fmt: skip
    weight *= rng.choice((-0.5, 0.5), (filters, channels, 1, 1))
    x /= 2
    bias += 0.25
    due = convolved(x, weight, bias, stride, padding)
    numbers = {"channels": channels, "h": h, "w": w, "filters": filters, "k": k, "stride": stride, "padding": padding,
               "high": due.shape[1], "wide": due.shape[2]}  # fmt: skip
    args: Arrays = {"x": x, "weight": weight, "bias": bias, "y": blank(due.size)}
    blocks = -(-due.size // block)
    words = f"x {x.shape}, weight {weight.shape}, stride {stride}, padding {padding}, block {block}"
    args |= {name: np.int32(value) for name, value in numbers.items()}
    return Launch((blocks,), (block,), args, {"y": due.ravel()}, rtol=1e-6, words=words)


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


BEYOND = np.frombuffer(bytes([CANARY] * 4), np.float32)[0]
NUMBERS = ("channels", "h", "w", "filters", "k", "stride", "padding", "high", "wide")
#: The kernel piece by piece, for all results at once; `v` has its variables. A trap writes some pieces otherwise.
PIECES: dict[str, Callable[[Any], Any]] = {
    "begin": lambda v: v.bias[v.filter],
    "rounds": lambda v: (v.channels, v.k, v.k),
    "r": lambda v: v.row * v.stride + v.p - v.padding,
    "s": lambda v: v.column * v.stride + v.q - v.padding,
    "test": lambda v: (v.r >= 0) & (v.r < v.h) & (v.s >= 0) & (v.s < v.w),
    "pixel": lambda v: (v.c * v.h + v.r) * v.w + v.s,
    "weight": lambda v: ((v.filter * v.channels + v.c) * v.k + v.p) * v.k + v.q,
    "add": lambda v: v.product,
    "keep": lambda v: v.sum,
    "end": lambda v: v.sum,
}


def _at(array: Any, index: Any) -> Any:
    """Elements of an array, and beyond it what the judge has put there."""
    inside = (index >= 0) & (index < array.size)
    return np.where(inside, array[np.where(inside, index, 0)], BEYOND)


def _written(**otherwise: Callable[[Any], Any]) -> Callable[[Launch], Arrays]:
    """What the kernel leaves if some of its `PIECES` are written otherwise."""
    do = PIECES | otherwise

    def wrong(launch: Launch) -> Arrays:
        v = SimpleNamespace(**{name: int(launch.args[name]) for name in NUMBERS})
        x, weight, v.bias = (launch.args[name].ravel() for name in ("x", "weight", "bias"))
        v.i = np.arange(v.filters * v.high * v.wide)
        v.column, v.row, v.filter = v.i % v.wide, v.i // v.wide % v.high, v.i // v.wide // v.high
        v.sum = do["begin"](v)
        rounds = np.ndindex(do["rounds"](v))
        for v.c, v.p, v.q in rounds:
            v.r, v.s = do["r"](v), do["s"](v)
            counts = do["test"](v)
            v.product = _at(weight, do["weight"](v)) * _at(x, do["pixel"](v))
            v.sum = v.sum + np.where(counts, do["add"](v), 0)
            v.sum = do["keep"](v)
        return {"y": do["end"](v).astype(np.float32)}

    return wrong


def _until_the_border(v: Any) -> Any:
    """The test of a loop over q that ends at the first pixel beyond the border."""
    inside = PIECES["test"](v)
    v.unbroken = inside if v.q == 0 else v.unbroken & inside
    return v.unbroken


_NO_TEST = (
    "No test keeps out the pixels that do not exist: row -1 and row h, column -1 and column w. In memory something "
    "else lies there, or nothing."
)
_INDEX_TESTED = (
    "The index is tested, and not the pixel: in memory the last pixel of the row above lies before the first of a row. "
    "The border has two coordinates, and each needs its own test."
)
_ONE_MORE = "The test lets row h or column w pass. The last row is h - 1, the last column w - 1."
_ZERO_ROW = "The first row or column of the picture counts as zeros: 0 is a pixel, so `>=`."
_LAST_ROW = "The last row or column of the picture counts as zeros: h - 1 is a row, and w - 1 a column."
_PLUS = "With `+ padding` the first window begins within the picture. It should begin `padding` pixels before it."
_MINUS = "p or q is subtracted: weight (p, q) meets the pixel p below and q to the right of the window's corner."
_ONE_STRIDE = (
    "The stride has been forgotten in one of the two coordinates: windows are `stride` pixels apart down and across."
)
_ONE_PADDING = "The padding has been forgotten in one of the two coordinates: there are zeros on all four sides."
_WHOLE = "The fractions are cut off: is `sum` an `int`? The weights, the pixels and the bias are floats."
_BIAS_EACH = "The bias is added for each weight. It is added once."
_MEAN = "The sum is divided by the number of weights. A convolution adds up, it takes no mean."
#: What is written otherwise, and the cause.
WRITTEN: tuple[tuple[str, dict[str, Callable[[Any], Any]]], ...] = (
    (_NO_TEST, {"test": lambda v: v.i >= 0}),
    (_INDEX_TESTED, {"test": lambda v: (v.r * v.w + v.s >= 0) & (v.r * v.w + v.s < v.h * v.w)}),
    (_INDEX_TESTED, {"test": lambda v: (PIECES["pixel"](v) >= 0) & (PIECES["pixel"](v) < v.channels * v.h * v.w)}),
    ("The rows are tested, the columns are not: before a row there lies, in memory, the end of the row above it.",
     {"test": lambda v: (v.r >= 0) & (v.r < v.h)}),
    ("The columns are tested, the rows are not: row -1 and row h do not exist.",
     {"test": lambda v: (v.s >= 0) & (v.s < v.w)}),
    ("Nothing tests for the border above and on the left, where r or s is negative.",
     {"test": lambda v: (v.r < v.h) & (v.s < v.w)}),
    ("Nothing tests for the border below and on the right: r may be h or more, s may be w or more.",
     {"test": lambda v: (v.r >= 0) & (v.s >= 0)}),
    ("h and w are exchanged in the test: the picture has h rows and w columns.",
     {"test": lambda v: (v.r >= 0) & (v.r < v.w) & (v.s >= 0) & (v.s < v.h)}),
    ("The test lets a pixel pass if its row or its column exists. Both must: `&&`.",
     {"test": lambda v: (v.r >= 0) & (v.r < v.h) | (v.s >= 0) & (v.s < v.w)}),
    ("The test compares with high and wide, which are the size of `y`. The pixel is one of `x`.",
     {"test": lambda v: (v.r >= 0) & (v.r < v.high) & (v.s >= 0) & (v.s < v.wide)}),
    (_ONE_MORE, {"test": lambda v: (v.r >= 0) & (v.r <= v.h) & (v.s >= 0) & (v.s <= v.w)}),
    (_ONE_MORE, {"test": lambda v: (v.r >= 0) & (v.r <= v.h) & (v.s >= 0) & (v.s < v.w)}),
    (_ONE_MORE, {"test": lambda v: (v.r >= 0) & (v.r < v.h) & (v.s >= 0) & (v.s <= v.w)}),
    (_ZERO_ROW, {"test": lambda v: PIECES["test"](v) & (v.r > 0) & (v.s > 0)}),
    (_ZERO_ROW, {"test": lambda v: PIECES["test"](v) & (v.r > 0)}),
    (_ZERO_ROW, {"test": lambda v: PIECES["test"](v) & (v.s > 0)}),
    (_LAST_ROW, {"test": lambda v: PIECES["test"](v) & (v.r < v.h - 1) & (v.s < v.w - 1)}),
    (_LAST_ROW, {"test": lambda v: PIECES["test"](v) & (v.r < v.h - 1)}),
    (_LAST_ROW, {"test": lambda v: PIECES["test"](v) & (v.s < v.w - 1)}),
    ("At the first pixel beyond the border the loop ends: a `break`? The pixels after it may lie in the picture.",
     {"test": _until_the_border}),
    (_PLUS, {"r": lambda v: v.row * v.stride + v.p + v.padding, "s": lambda v: v.column * v.stride + v.q + v.padding}),
    (_PLUS, {"r": lambda v: v.row * v.stride + v.p + v.padding}),
    (_PLUS, {"s": lambda v: v.column * v.stride + v.q + v.padding}),
    (_ONE_STRIDE, {"r": lambda v: v.row + v.p - v.padding}),
    (_ONE_STRIDE, {"s": lambda v: v.column + v.q - v.padding}),
    (_ONE_PADDING, {"r": lambda v: v.row * v.stride + v.p}),
    (_ONE_PADDING, {"s": lambda v: v.column * v.stride + v.q}),
    ("The stride multiplies the whole coordinate. It multiplies the place only; p, q and the padding are counted in "
     "pixels.", {"r": lambda v: (v.row + v.p - v.padding) * v.stride, "s": lambda v: (v.column + v.q - v.padding)
                 * v.stride}),
    (_MINUS, {"r": lambda v: v.row * v.stride - v.p + v.padding, "s": lambda v: v.column * v.stride - v.q + v.padding}),
    (_MINUS, {"r": lambda v: v.row * v.stride - v.p - v.padding, "s": lambda v: v.column * v.stride - v.q - v.padding}),
    (_MINUS, {"r": lambda v: v.row * v.stride - v.p + v.padding}),
    (_MINUS, {"r": lambda v: v.row * v.stride - v.p - v.padding}),
    ("`row` and `column` are exchanged: the window of a result lies as far down as `row` says.",
     {"r": lambda v: v.column * v.stride + v.p - v.padding, "s": lambda v: v.row * v.stride + v.q - v.padding}),
    ("The windows begin k / 2 pixels before the border, whatever `padding` is.",
     {"r": lambda v: v.row * v.stride + v.p - v.k // 2, "s": lambda v: v.column * v.stride + v.q - v.k // 2}),
    ("The windows begin one pixel before the border, whatever `padding` is.",
     {"r": lambda v: v.row * v.stride + v.p - 1, "s": lambda v: v.column * v.stride + v.q - 1}),
    ("The windows begin one row above the picture, whatever `padding` is.",
     {"r": lambda v: v.row * v.stride + v.p - 1}),
    ("The windows begin one column before the picture, whatever `padding` is.",
     {"s": lambda v: v.column * v.stride + v.q - 1}),
    ("The index of `x` has the channel last. Its order is (channels, h, w): the channel comes first.",
     {"pixel": lambda v: (v.r * v.w + v.s) * v.channels + v.c}),
    ("The index of `x` has the factor h for a row. A row has w pixels.",
     {"pixel": lambda v: (v.c * v.h + v.r) * v.h + v.s}),
    ("h and w are exchanged in the index of `x`: a channel has h rows, and a row has w pixels.",
     {"pixel": lambda v: (v.c * v.w + v.r) * v.h + v.s}),
    ("Row and column are exchanged in the index of `x`: s goes from pixel to pixel, r from row to row.",
     {"pixel": lambda v: (v.c * v.h + v.s) * v.w + v.r}),
    ("The index of `x` has the factors high and wide, which are the size of `y`. `x` has h rows of w pixels.",
     {"pixel": lambda v: (v.c * v.high + v.r) * v.wide + v.s}),
    ("The index of `weight` has the factor `filters`. A filter has a kernel for each of the channels.",
     {"weight": lambda v: ((v.filter * v.filters + v.c) * v.k + v.p) * v.k + v.q}),
    ("The loop over c goes on to `filters`. The sum is over the channels.",
     {"rounds": lambda v: (v.filters, v.k, v.k)}),
    ("The last row of each kernel is left out: p goes from 0 to k - 1.",
     {"rounds": lambda v: (v.channels, v.k - 1, v.k)}),
    ("The last column of each kernel is left out: q goes from 0 to k - 1.",
     {"rounds": lambda v: (v.channels, v.k, v.k - 1)}),
    ("`bias` has one element for each filter. Its index is not that of the result.",
     {"begin": lambda v: _at(v.bias, v.i)}),
    (_BIAS_EACH, {"add": lambda v: v.product + v.bias[v.filter]}),
    (_BIAS_EACH, {"begin": lambda v: 0 * v.i, "add": lambda v: v.product + v.bias[v.filter]}),
    (_WHOLE, {"begin": lambda v: np.trunc(v.bias[v.filter]), "keep": lambda v: np.trunc(v.sum)}),
    (_WHOLE, {"begin": lambda v: 0 * v.i, "keep": lambda v: np.trunc(v.sum), "end": lambda v: v.sum
              + v.bias[v.filter]}),
    (_MEAN, {"end": lambda v: v.sum / v.k**2}),
    (_MEAN, {"end": lambda v: v.sum / v.k**2 / v.channels}),
    (_MEAN, {"begin": lambda v: 0 * v.i, "end": lambda v: v.sum / v.k**2 + v.bias[v.filter]}),
    ("Results below 0 are 0 here. The layer has no ReLU of its own.", {"end": lambda v: np.maximum(v.sum, 0)}),
)  # fmt: skip


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
            _conv_trap(lambda x, w, b, s, p: convolved(x, w, b * w[0].size, s, p), _BIAS_EACH),
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
            _conv_trap(_padded("edge"), "Beyond the border the nearest pixel counts. Here zeros should count."),
            _conv_trap(lambda x, w, b, s, p: convolved(x, w, b, s, p).transpose(1, 2, 0),
                       "The results lie in `y` in the order (high, wide, filters). It is (filters, high, wide)."),
            *(KernelTrap(_written(**otherwise), message) for message, otherwise in WRITTEN),
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
    """The gradient of the weights, for a layer without padding: an array (filters, channels, k, k)."""
    return ...
'''
GRADIENT_SOLUTION = '''def weight_gradient(x, dy, k, stride):
    """The gradient of the weights, for a layer without padding: an array (filters, channels, k, k)."""
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


def _products(x: Any, dy: Any, k: int, stride: int) -> Any:
    """The products whose sum the gradient is: (filters, channels, k, k, high, wide)."""
    return np.einsum("chwpq,fhw->fcpqhw", windows(x, (k, k), stride), dy)


def _met(row: Any, column: Any) -> Any:
    """The gradient if at place (i, j) weight (p, q) meets the pixel (row(i, p, stride), column(j, q, stride))."""

    def wrong(x: Any, dy: Any, k: int, stride: int) -> Any:
        i, j = np.arange(dy.shape[1]), np.arange(dy.shape[2])
        dw = np.zeros((len(dy), len(x), k, k))
        for p, q in np.ndindex(k, k):
            pixels = x[:, row(i, p, stride)][:, :, column(j, q, stride)]
            dw[:, :, p, q] = np.einsum("chw,fhw->fc", pixels, dy)
        return dw

    return wrong


def _right(i: Any, p: int, stride: int) -> Any:
    return i * stride + p


def _dealt_out(x: Any, dy: Any, k: int, stride: int) -> Any:
    """The gradient from windows that were reshaped into columns without being transposed."""
    columns = windows(x, (k, k), stride).reshape(len(x) * k * k, -1)
    return (dy.reshape(len(dy), -1) @ columns.T).reshape(len(dy), len(x), k, k)


def _only(*which: Any) -> Any:
    """The gradient of these weights, zeros elsewhere."""

    def wrong(x: Any, dy: Any, k: int, stride: int) -> Any:
        dw = np.zeros((len(dy), len(x), k, k))
        dw[which] = weight_gradient(x, dy, k, stride)[which]
        return dw

    return wrong


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
        "A weight is used at every place, so by the chain rule its gradient is a sum over all places. With stride 1 "
        "it is a correlation of `x` with `dy`; with a larger one it is a correlation with `dy` dilated by the stride."
    ),
    judge=OfShapes(
        weight_gradient,
        gradients,
        tolerance=Tolerance(dtype=False),
        advice=(
            "What a weight met is as large as `dy`: a slice up to the picture's end may be larger."
        ),
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
            Trap(lambda x, dy, k, s: _cropped(x, dy, 1, s, k), "Stride and offset are exchanged: the pixel lies in "
                                                               "row i · stride + p, not i + p · stride."),
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
            Trap(lambda x, dy, k, s: np.trunc(_products(x, dy, k, s)).sum((4, 5)),
                 "The fractions are cut off: is the gradient added up in an array of whole numbers?"),
            Trap(lambda x, dy, k, s: _products(x, dy, k, s)[..., -1, -1],
                 "Only the last place counts: `=` replaces what the places before it have given."),
            Trap(lambda x, dy, k, s: _products(x, dy, k, s)[..., :-1, :].sum((4, 5)),
                 "The last row of places is missing: they go from 0 to high - 1."),
            Trap(lambda x, dy, k, s: _products(x, dy, k, s)[..., :-1].sum((4, 5)),
                 "The last column of places is missing: they go from 0 to wide - 1."),
            Trap(lambda x, dy, k, s: _products(x, dy, k, s)[..., : dy.shape[1]].sum((4, 5)),
                 "As many columns of places count as there are rows. `dy` need not be square: high and wide."),
            Trap(lambda x, dy, k, s: weight_gradient(x, dy[:, ::-1, ::-1], k, s),
                 "`dy` is turned round. Place (i, j) of `dy` belongs to the window that begins at (i · stride, j · "
                 "stride)."),
            Trap(_dealt_out, "`reshape` does not turn windows into columns: it deals out the numbers anew in the "
                             "order in which they lie. Move the axes first, by `transpose`."),
            Trap(_met(_right, lambda j, q, s: j + q), "Across, the stride has been forgotten."),
            Trap(_met(lambda i, p, s: i + p, _right), "Downwards, the stride has been forgotten."),
            Trap(_met(lambda i, p, s: i * s, lambda j, q, s: j * s),
                 "All weights of a kernel get the gradient of weight (0, 0). The others met pixels p below and q to "
                 "the right."),
            Trap(_met(lambda i, p, s: i * s - p, _right), "p is subtracted: weight (p, q) met the pixel p below the "
                                                          "window's corner."),
            Trap(_met(lambda i, p, s: i * s - p, lambda j, q, s: j * s - q),
                 "p and q are subtracted: weight (p, q) met the pixel p below and q to the right of the window's "
                 "corner."),
            *(Trap(_only(*which), f"Only {what} has a gradient, the others have 0: does the function return before its "
                                  "loops have ended?")
              for which, what in (((0, 0, 0), "the first row of the first kernel"), ((0, 0, 0, 0), "the first weight"),
                                  ((0, 0), "the first kernel"), ((0,), "the first filter"),
                                  ((..., 0, 0), "weight (0, 0) of each kernel"),
                                  ((..., 0, slice(None)), "the first row of each kernel"))),
            Trap(lambda x, dy, k, s: weight_gradient(x, dy, k, s) / len(dy),
                 "This is divided by the number of filters. The contributions of all places add up, nothing more."),
            Trap(lambda x, dy, k, s: np.broadcast_to(weight_gradient(x, dy, k, s).mean(1, keepdims=True),
                                                     (len(dy), len(x), k, k)),
                 "Every channel gets the mean over all channels. The weights of channel c met the pixels of channel c "
                 "only."),
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
        "padding 1 and a bias. Work out six numbers."
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
        "The convolution has 4,640 parameters where the linear layer would have 79 million, because all places share "
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
            _cost("results", PIXELS, "These are the numbers that go in. How many come out?"),
            _cost("results", RESULTS * 4, "These are the bytes of the results. How many numbers are they?"),
            _cost("parameters", WEIGHTS, "The biases are parameters, too: one for each filter."),
            _cost("parameters", FILTERS * K * K + FILTERS, "A filter has 3 x 3 weights for each of the channels."),
            _cost("parameters", FILTERS * K * K, "A filter has 3 x 3 weights for each of the channels, and a bias."),
            _cost("parameters", WEIGHTS + CHANNELS, "There is a bias for each filter, not for each channel "
                                                        "of the input."),
            _cost("parameters", WEIGHTS + 1, "There is a bias for each filter."),
            _cost("parameters", WEIGHTS + FILTERS * CHANNELS, "There is one bias for a filter, not one for each of its "
                                                              "channels."),
            _cost("parameters", WEIGHTS + RESULTS, "There is a bias for each filter, not for each result."),
            _cost("parameters", CHANNELS * FILTERS * K + FILTERS, "A kernel of 3 x 3 has 9 weights, not 3."),
            _cost("multiply-adds", RESULTS * K * K, "A result takes 9 multiply-adds in each of the 16 channels."),
            _cost("multiply-adds", WEIGHTS, "That is one place. There are 14 x 14."),
            _cost("multiply-adds", OUT * OUT * CHANNELS * K * K, "That is one filter. There are 32."),
            _cost("multiply-adds", CHANNELS * K * K, "That is one result. How many are there?"),
            _cost("multiply-adds", RESULTS * CHANNELS**2 * K * K, "The channels of the input count twice here."),
            _cost("multiply-adds", FILTERS * CHANNELS * (OUT * K - 1) ** 2,
                  "You leave out the products with the padding's zeros. Here they count, too."),
            _cost("multiply-adds", 2 * RESULTS * CHANNELS * K * K, "You count multiplications and additions. Here the "
                                                                   "two together count once."),
            _cost("multiply-adds", FILTERS * SIDE * SIDE * CHANNELS * K * K,
                  "With a stride of 2 there are fewer places than pixels."),
            _cost("multiply-adds", RESULTS * (CHANNELS * K * K + 1), "The bias is added, not multiplied."),
            _cost("bytes of x", PIXELS, "That is the number of pixels. Each takes 4 bytes."),
            _cost("bytes of x", 4 * SIDE * SIDE, "These are the bytes of one channel. There are 16."),
            _cost("bytes of x", 8 * PIXELS, "A float32 takes 4 bytes, not 8."),
            _cost("bytes of x", 32 * PIXELS, "These are bits. A float32 takes 4 bytes."),
            _cost("bytes of x", 4 * CHANNELS * (SIDE + 2) ** 2, "The padding is not stored in `x`."),
            _cost("bytes of the columns", CHANNELS * K * K * OUT * OUT, "That is how many numbers there are. Each "
                                                                       "takes 4 bytes."),
            _cost("bytes of the columns", 4 * K * K * OUT * OUT, "A column holds the 3 x 3 pixels of all 16 channels."),
            _cost("bytes of the columns", 4 * CHANNELS * K * OUT * OUT, "A window of 3 x 3 has 9 pixels, not 3."),
            _cost("bytes of the columns", 4 * CHANNELS * K * K * RESULTS, "There is one column for each place. All "
                                                                          "filters use the same."),
            _cost("bytes of the columns", 4 * CHANNELS * K * K * SIDE * SIDE, "With a stride of 2 there are fewer "
                                                                             "places than pixels."),
            _cost("bytes of the columns", 8 * CHANNELS * K * K * OUT * OUT,
                  "That is twice as much. A float32 takes 4 bytes; the stride halves rows and columns of the places."),
            _cost("bytes of the columns", 4 * CHANNELS * K * K * 15 * 15, "You count 15 x 15 places: a last half step "
                                                                          "is none."),
            _cost("bytes of the columns", 4 * RESULTS, "These are the bytes of the results. A column has as many rows "
                                                       "as a filter has weights."),
            _cost("parameters of a linear layer", 4 * (PIXELS * RESULTS + RESULTS), "These are bytes. How many numbers "
                                                                                    "are they?"),
            _cost("parameters of a linear layer", PIXELS * RESULTS + PIXELS, "A bias belongs to an output, not to an "
                                                                             "input."),
            _cost("parameters of a linear layer", PIXELS * RESULTS + FILTERS, "To a linear layer every result is an "
                                                                              "output of its own, with its own bias."),
            _cost("parameters of a linear layer", SIDE * SIDE * RESULTS + RESULTS, "The inputs are the pixels of all "
                                                                                   "16 channels."),
            _cost("parameters of a linear layer", SIDE * SIDE * RESULTS, "The inputs are the pixels of all 16 "
                                                                         "channels, and each output has a bias."),
            _cost("parameters of a linear layer", RESULTS * RESULTS + RESULTS, "Its inputs are the numbers of `x`, its "
                                                                               "outputs are the results."),
            _cost("parameters of a linear layer", WEIGHTS + FILTERS, "That is the convolution. In the linear layer "
                                                                     "nothing is shared."),
            _cost("parameters of a linear layer", PIXELS * RESULTS, "The linear layer has a bias, too: one for each "
                                                                    "output."),
            _cost("parameters of a linear layer", PIXELS * FILTERS + FILTERS, "Its outputs are all the results, not "
                                                                              "one for each filter."),
            _cost("parameters of a linear layer", PIXELS + RESULTS, "Every output has a weight for every input."),
        ),
    ),
)  # fmt: skip

PROBLEMS = (SIZE, CORRELATE, UNFOLD, CONV, GRADIENT, COUNT)
