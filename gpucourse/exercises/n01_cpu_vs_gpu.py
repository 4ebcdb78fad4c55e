"""The exercises of lesson 01, CPU and GPU: speed-up, break-even, intensity, roofline, a bad benchmark, "
"energy."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from gpucourse.exercises.compare import Case, Trap, Wrong, by_cases, is_mapping
from gpucourse.exercises.guard import Raised
from gpucourse.exercises.problem import Problem

INFINITE = float("inf")

class _AndThen:
    """A judge that uses another one, then tries cases at which a careless answer divides by zero."""

    def __init__(self, first: Any, *cases: Case, divides: str) -> None:
        self.first, self.cases, self.divides = first, cases, divides

    def __call__(self, answer: Any, *, xp: Any = np, seed: int = 0, name: str = "your function") -> None:
        self.first(answer, xp=xp, seed=seed, name=name)
        for case in self.cases:
            try:
                by_cases(self.first.reference, [case])(answer, xp=xp, seed=seed, name=name)
            except Raised as raised:
                if not isinstance(raised.error, ZeroDivisionError):
                    raise
                args = ", ".join(map(str, case.args))
                raise Wrong(f"{name}({args}) divides by zero. {self.divides}") from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.first, name)


# -- 01.1 -------------------------------------------------------------------------------------------


def speedup(p: float, n: int) -> float:
    """Amdahl's law: old time / new time when the share p is spread over n workers."""
    return 1 / ((1 - p) + p / n)


def _shares(rng: np.random.Generator) -> list[tuple[float, int]]:
    return [(round(float(rng.uniform(0.05, 0.95)), 3), int(rng.integers(2, 200))) for _ in range(3)]


SPEEDUP = Problem(
    id="01.1",
    title="Speed-up by Amdahl",
    task=(
        "A job takes 1 second on one worker. The share `p` of it can be divided evenly among `n` workers; "
        "the rest runs on one worker as before."
    ),
    spec=(
        "`speedup(p, n)` takes `p` from 0 to 1 and a whole number `n` of at least 1, and returns the old "
        "time divided by the new time."
    ),
    stub=(
        'def speedup(p, n):\n    """Old time / new time, with the share p divided among n workers."""\n    '
        "return ...\n"
    ),
    answer="speedup",
    lines=1,
    hints=(
        "The new time has two parts: the part that stays as it was, and the part that is shared out.",
        "The first part takes 1 - p seconds and does not care about n. The second took p seconds; what does "
        "it take now?",
        "`return 1 / ((1 - p) + ___ / ___)`",
    ),
    solution=(
        'def speedup(p, n):\n    """Old time / new time, with the share p divided among n workers."""\n'
        "    return 1 / ((1 - p) + p / n)\n"
    ),
    why=(
        "The serial part 1 - p is paid in full however many workers there are, and only p is divided by n. "
        "With n growing without end the speed-up approaches 1 / (1 - p) and never passes it."
    ),
    judge=_AndThen(
        by_cases(
            speedup,
            [(0.5, 2), (0.9, 10), (0.1, 4), (0.75, 1), (0.95, 16), (0.99, 1000)],
            hidden=_shares,
            traps=(
                Trap(
                    lambda p, n: (1 - p) + p / n,
                    "This is the new time, as a share of the old one. The speed-up is the old time divided by "
                    "the new: turn it over. (If you wrote `1 / 1 - p + p / n`, the parentheses are missing.)",
                ),
                Trap(
                    lambda p, n: 1 / (p + (1 - p) / n),
                    "The two shares have changed places: p is the share that is divided among the workers, 1 - "
                    "p stays serial.",
                ),
                Trap(
                    lambda p, n: 1 / (1 - p) + p / n,
                    "Python divides before it adds, so 1 / (1 - p) + p / n adds p / n after the division. Put "
                    "the whole new time in parentheses.",
                ),
                Trap(
                    lambda p, n: 1 / (1 - p),
                    "The result does not depend on n: this is the limit for infinitely many workers. (`p // n`, "
                    "whole-number division, also leads here, because it is 0.)",
                ),
                Trap(
                    lambda p, n: n / p,
                    "The serial part is missing: the new time is not only p / n, the share 1 - p takes as long "
                    "as before.",
                ),
                Trap(
                    lambda p, n: p * n,
                    "p * n counts only the parallel part, and as if each worker brought its own work. Add up "
                    "the new time first, then divide the old time by it.",
                ),
                Trap(
                    lambda p, n: float(n),
                    "This is n, the speed-up if everything could be divided. The share 1 - p cannot: it runs on "
                    "one worker and takes as long as before, so it is not divided by n.",
                ),
                Trap(
                    lambda p, n: (1 - p) + p * n,
                    "This is Gustafson's law, where the work grows with the workers. Here the work stays the "
                    "same: the parallel part shrinks to p / n.",
                ),
                Trap(
                    lambda p, n: 1 / ((1 - p) + p * n),
                    "The shared part is multiplied by n; n workers make it n times shorter, so divide.",
                ),
                Trap(
                    lambda p, n: 1 / ((1 - p / 100) + p / 100 / n),
                    "p is a share from 0 to 1 here, not a percentage: no division by 100.",
                ),
                Trap(
                    lambda p, n: p - p / n,
                    "This is the time saved, p - p / n. The speed-up is a ratio: the old time divided by the "
                    "new.",
                ),
                Trap(
                    lambda p, n: 1 / (1 - (p - p / n)) - 1,
                    "This is how much faster, less one: a job that takes as long as before has speed-up 1, not "
                    "0.",
                ),
                Trap(
                    lambda p, n: 1 / ((1 - p) + p / n) / n,
                    "This is the speed-up for each worker, which is called efficiency. Leave out the division "
                    "by n.",
                ),
                Trap(
                    lambda p, n: 1 / ((1 - p) + p / (n + 1)),
                    "You divide by n + 1: the n workers already include the one that did everything before.",
                ),
                Trap(
                    lambda p, n: 1 / (1 - p + p) / n,
                    "This is 1 / n. Put the whole new time, (1 - p) + p / n, in parentheses below the 1.",
                ),
                Trap(
                    lambda p, n: 1 / (1 - p / n),
                    "The new time is (1 - p) + p / n, not 1 - p / n: the shared part is not saved in full.",
                ),
                Trap(
                    lambda p, n: float(round(speedup(p, n))),
                    "The speed-up is rounded to a whole number. Return it as it is.",
                ),
                Trap(
                    lambda p, n: 100 * speedup(p, n),
                    "This is the speed-up in percent. Return the plain ratio: 2.0 for twice as fast.",
                ),
            ),
        ),
        Case(0, 8, about="a job of which nothing can be divided"),
        Case(1, 8, about="a job that can be divided whole"),
        divides="With p = 0 one part of the new time is 0, with p = 1 the other; their sum never is.",
    ),
)

# -- 01.2 -------------------------------------------------------------------------------------------


def break_even(start_a: float, each_a: float, start_b: float, each_b: float) -> float:
    """Where start_a + each_a n meets start_b + each_b n; starts in µs, each in ns; inf when B never "
    "catches up."""
    if each_b >= each_a:
        return INFINITE
    return (start_b - start_a) * 1000 / (each_a - each_b)


def _never_handled(rule: Any) -> Any:
    """Return a wrong rule that does treat "never" as the exercise asks."""
    return lambda start_a, each_a, start_b, each_b: (
        INFINITE if each_b >= each_a else rule(start_a, each_a, start_b, each_b)
    )


def _both(rule: Any, message: str) -> tuple[Trap, Trap]:
    """A slip in the formula is the same slip whether or not "never" is handled."""
    return Trap(_never_handled(rule), message), Trap(rule, message)


def _lines(rng: np.random.Generator) -> list[tuple[float, ...]]:
    """Two with a break-even, one whose B is never better."""
    starts = [(float(a), float(a + more)) for a, more in rng.integers(1, 50, (3, 2))]
    costs = [(float(b + more) / 4, float(b) / 4) for b, more in rng.integers(2, 40, (3, 2))]
    crossing = [(a, each_a, b, each_b) for (a, b), (each_a, each_b) in zip(starts, costs, strict=True)]
    a, each_a, b, each_b = crossing[2]
    return [*crossing[:2], (a, each_b, b, each_a)]


BREAK_EVEN = Problem(
    id="01.2",
    title="Break-even from two lines",
    task=(
        "Method A costs `start_a` µs however small the job, plus `each_a` ns for each element; method B "
        "costs `start_b` µs, which is more, plus `each_b` ns for each element. From which number of "
        "elements on is B the better choice?"
    ),
    spec=(
        "`break_even(start_a, each_a, start_b, each_b)` returns the n at which both take equally long, not "
        "rounded. If B never "
        'catches up it returns `float("inf")`. Mind the units: 1 µs is 1000 ns.'
    ),
    stub=(
        "def break_even(start_a, each_a, start_b, each_b):\n"
        '    """The n where start_a + each_a * n equals start_b + each_b * n (starts in µs, each in ns)."""\n'
        "    return ...\n"
    ),
    answer="break_even",
    lines=3,
    hints=(
        "B has to earn back its later start. It earns a little with every element.",
        "The head start of A is start_b - start_a. B gains each_a - each_b with each element. If it gains "
        "nothing, it never catches up.",
        'First `if each_b >= each_a: return float("inf")`, then `return (start_b - start_a) * 1000 / (___ - '
        "___)`.",
    ),
    solution=(
        "def break_even(start_a, each_a, start_b, each_b):\n"
        '    """The n where start_a + each_a * n equals start_b + each_b * n (starts in µs, each in ns)."""\n'
        "    if each_b >= each_a:\n"
        '        return float("inf")\n'
        "    return (start_b - start_a) * 1000 / (each_a - each_b)\n"
    ),
    why=(
        "Setting the two costs equal and solving for n gives the difference of the starts divided by the "
        "difference of the slopes, once both are in nanoseconds. When B's slope is not smaller the lines "
        "never meet to the right of zero, and the honest answer is: never."
    ),
    judge=_AndThen(
        by_cases(
            break_even,
            [
                Case(0, 50, 1, 1),
                Case(1, 10, 21, 2),
                Case(2, 1.5, 40, 0.2),
                Case(5, 4, 25, 3),
                Case(1, 2, 10, 5, about="a B that is slower for each element too"),
            ],
            hidden=_lines,
            traps=(
                *_both(
                    lambda start_a, each_a, start_b, each_b: (start_b - start_a) / (each_a - each_b),
                    "The starts are in µs and the costs of an element in ns: without the factor 1000 the "
                    "break-even comes out a thousand times too early.",
                ),
                *_both(
                    lambda start_a, each_a, start_b, each_b: (start_b - start_a) / 1000 / (each_a - each_b),
                    "The factor between µs and ns is on the wrong side: 1 µs is 1000 ns, so the starts are "
                    "multiplied by 1000.",
                ),
                *_both(
                    lambda start_a, each_a, start_b, each_b: (start_b - start_a) * 1e6 / (each_a - each_b),
                    "The factor between µs and ns is 1000, not a million.",
                ),
                Trap(
                    _never_handled(
                        lambda start_a, each_a, start_b, each_b: (
                            (start_a - start_b) * 1000 / (each_a - each_b)
                        )
                    ),
                    "The number of elements comes out negative: one of the two differences is the wrong way "
                    "round. B starts later (start_b - start_a) and gains each_a - each_b.",
                ),
                Trap(
                    lambda start_a, each_a, start_b, each_b: (start_a - start_b) * 1000 / (each_a - each_b),
                    "The number of elements comes out negative: one of the two differences is the wrong way "
                    "round. B starts later (start_b - start_a) and gains each_a - each_b.",
                ),
                Trap(
                    lambda start_a, each_a, start_b, each_b: (start_b - start_a) * 1000 / (each_a - each_b),
                    "The formula is right, but where each_b is not smaller than each_a it gives a negative "
                    "size. There B never catches "
                    'up: return float("inf").',
                ),
                Trap(
                    lambda start_a, each_a, start_b, each_b: (
                        (start_b - start_a) * 1000 / abs(each_a - each_b)
                    ),
                    "abs() hides the case in which B is slower for each element: there B never catches up, "
                    "and the answer is "
                    'float("inf").',
                ),
                Trap(
                    lambda start_a, each_a, start_b, each_b: (
                        0 if each_b >= each_a else break_even(start_a, each_a, start_b, each_b)
                    ),
                    'Where B never catches up you return 0, as if B always wins. Return float("inf").',
                ),
                Trap(
                    lambda start_a, each_a, start_b, each_b: (
                        -1 if each_b >= each_a else break_even(start_a, each_a, start_b, each_b)
                    ),
                    'Where B never catches up you return -1, not float("inf").',
                ),
                Trap(
                    lambda start_a, each_a, start_b, each_b: (
                        -INFINITE if each_b >= each_a else break_even(start_a, each_a, start_b, each_b)
                    ),
                    'Where B never catches up you return minus infinity. Return float("inf").',
                ),
                Trap(
                    lambda start_a, each_a, start_b, each_b: (
                        INFINITE if each_b < each_a else (start_b - start_a) * 1000 / (each_a - each_b)
                    ),
                    "The comparison is the wrong way round: B never catches up when each_b is not smaller "
                    "than each_a.",
                ),
                *_both(
                    lambda start_a, each_a, start_b, each_b: start_b * 1000 / (each_a - each_b),
                    "You leave out start_a. A has a fixed cost too; only the difference of the two has to "
                    "be earned back.",
                ),
                *_both(
                    lambda start_a, each_a, start_b, each_b: (start_b + start_a) * 1000 / (each_a - each_b),
                    "The two starts are added. B has to earn back only what it starts later: start_b - "
                    "start_a.",
                ),
                *_both(
                    lambda start_a, each_a, start_b, each_b: (start_b - start_a) * 1000 / each_a,
                    "You divide by each_a alone, as if B's elements were free. B gains each_a - each_b with "
                    "each element.",
                ),
                *_both(
                    lambda start_a, each_a, start_b, each_b: (start_b - start_a) * 1000 / (each_a + each_b),
                    "The two costs of an element are added. B gains their difference, each_a - each_b, with "
                    "each element.",
                ),
                *_both(
                    lambda start_a, each_a, start_b, each_b: (each_a - each_b) / ((start_b - start_a) * 1000),
                    "The fraction is upside down: divide what has to be earned back by what is gained with "
                    "each element.",
                ),
                *_both(
                    lambda start_a, each_a, start_b, each_b: (start_b - start_a) * 1000 / each_b,
                    "You divide by each_b alone. B gains the difference each_a - each_b with each element.",
                ),
                *_both(
                    lambda start_a, each_a, start_b, each_b: (
                        start_b * 1000 / each_b - start_a * 1000 / each_a
                    ),
                    "You divide each method's start by its own slope. Set the two whole costs equal, then "
                    "solve for n.",
                ),
                *_both(
                    lambda start_a, each_a, start_b, each_b: start_b - start_a * 1000 / (each_a - each_b),
                    "Python divides before it subtracts: start_b - start_a needs parentheses.",
                ),
                *_both(
                    lambda start_a, each_a, start_b, each_b: (start_b - start_a) * 1000 / each_a - each_b,
                    "Python divides before it subtracts: each_a - each_b needs parentheses.",
                ),
                Trap(
                    _never_handled(lambda *lines: float(np.ceil(break_even(*lines)))),
                    "The result is rounded up. Return the exact crossing, even if it is no whole number.",
                ),
                Trap(
                    _never_handled(lambda *lines: float(int(break_even(*lines)))),
                    "The result is cut to a whole number. Return the exact crossing, even if it is no whole "
                    "number.",
                ),
                Trap(
                    _never_handled(lambda *lines: float(round(break_even(*lines)))),
                    "The result is rounded. Return the exact crossing, even if it is no whole number.",
                ),
            ),
        ),
        Case(1, 2, 10, 2, about="two parallel lines"),
        divides="With equal slopes B never catches up either: compare with `>=`, not `>`.",
    ),
)

# -- 01.3 -------------------------------------------------------------------------------------------

INTENSITY_OF = {"saxpy": 2 / 12, "dot": 2 / 8, "blur": 9 / 8, "matmul": 2 * 1000 / 12}
_ALL_KERNELS = tuple(INTENSITY_OF)


def _scaled(factor: float, kernels: tuple[str, ...] = _ALL_KERNELS) -> dict[str, float]:
    return {name: value * (factor if name in kernels else 1) for name, value in INTENSITY_OF.items()}


_FUSED = ("saxpy", "dot", "matmul")  # the kernels whose multiplications and additions come in pairs
INTENSITY = Problem(
    id="01.3",
    title="The intensity of four kernels",
    task=(
        "Count floating-point operations and bytes for four kernels on float32 numbers (4 bytes each), and "
        "divide. Each array lies in memory; each element is read from memory at most once and each result "
        "is written once."
    ),
    spec=(
        "Fill in four numbers, in FLOP per byte, for a huge n: `saxpy` is `y[i] = a * x[i] + y[i]`; "
        "`dot` is the one number `sum(x[i] * y[i])`; `blur` adds each pixel of one image and its 8 neighbors "
        "directly, and multiplies by 1/9, into another image; `matmul` is `C = A @ B` with matrices of 1000 × 1000. A "
        "multiplication and an addition count as one FLOP each."
    ),
    stub='intensity = {\n    "saxpy": ...,\n    "dot": ...,\n    "blur": ...,\n    "matmul": ...,\n}\n',
    answer="intensity",
    lines=4,
    hints=(
        "For one element (or one pixel) ask three questions: how many operations, how many numbers come in, "
        "how many go out?",
        "saxpy reads two numbers and writes one. dot writes next to nothing. In blur a pixel read once "
        "serves nine neighbors. matmul does 1000 multiplications and 1000 additions for each of a million "
        "results, and touches three matrices.",
        '`"saxpy": 2 / (3 * 4)`, `"dot": 2 / (_ * 4)`, `"blur": _ / (2 * 4)`, `"matmul": 2 * 1000**3 / (_ * '
        "1000**2 * 4)`",
    ),
    solution=(
        'intensity = {\n    "saxpy": 2 / (3 * 4),\n    "dot": 2 / (2 * 4),\n    "blur": 9 / (2 * 4),\n'
        '    "matmul": 2 * 1000**3 / (3 * 1000**2 * 4),\n}\n'
    ),
    why=(
        "Three of the four do about one operation for each byte or less, whatever n is: memory decides how "
        "fast they run. The matrix product uses each number it reads a thousand times, so its intensity "
        "grows with n, and arithmetic decides."
    ),
    judge=is_mapping(
        INTENSITY_OF,
        rtol=0.023,   # two digits are enough: 0.17, 1.1, 170
        traps=(
            Trap(
                {name: 1 / value for name, value in INTENSITY_OF.items()},
                "All four are upside down: these are bytes per FLOP. Divide the operations by the bytes.",
            ),
            Trap(
                _scaled(4),
                "All four are 4 times too large: you divide by the number of values. Each float32 has 4 "
                "bytes.",
            ),
            Trap(
                _scaled(1 / 2),
                "All four are half of what they should be, as if each number had 8 bytes. That is float64; "
                "a float32 has 4.",
            ),
            Trap(
                _scaled(8),
                "All four are 8 times too large: the bytes are missing a factor. Each float32 has 4 bytes, "
                "not half a byte.",
            ),
            Trap(
                _scaled(1 / 8),
                "All four are 8 times too small: these are FLOPs per bit. A float32 has 32 bits, but only 4 "
                "bytes.",
            ),
            Trap(
                _scaled(1 / 2, _FUSED),
                "saxpy, dot and matmul are half of what they should be: a multiplication and an addition "
                "are two FLOPs, also where the hardware does both at once.",
            ),
            Trap(
                {"saxpy": 2 / 8, "dot": 2 / 8, "blur": 9 / 4, "matmul": 2 * 1000 / 8},
                "The results are missing from your bytes: whatever is computed must also be written to "
                "memory.",
            ),
            Trap(
                {"saxpy": 2 / 4, "blur": 9 / 4},
                "In saxpy and blur you count only one number for each element. saxpy reads x and y and "
                "writes y; blur reads one image and writes another.",
            ),
            Trap(
                {"saxpy": 2 / 8, "blur": 9 / 4},
                "In saxpy and blur one array is missing from your bytes: what is computed must also be "
                "written to memory.",
            ),
            Trap(
                {"saxpy": 2 / 8},
                "`saxpy`: either y is counted once (it is read and it is written; with x that makes three numbers for "
                "each element), or storing is counted as a third operation (it is no FLOP).",
            ),
            Trap(
                {"saxpy": 2 / 4},
                "`saxpy`: this counts one number for each element, but x and y are read and y is written: "
                "three.",
            ),
            Trap(
                {"saxpy": 2 / 16},
                "`saxpy`: this counts four numbers for each element. `a` is one number for the whole "
                "kernel; it costs nothing for an element.",
            ),
            Trap(
                {"saxpy": 1 / 12},
                "`saxpy` is half of what it should be: either the multiplication and the addition are "
                "counted as one FLOP (they are two), or a float32 as 8 bytes (it has 4).",
            ),
            Trap({"saxpy": 12 / 2}, "`saxpy` is upside down: divide the operations by the bytes."),
            Trap(
                {"dot": 2 / 12},
                "`dot`: this counts a number written for each element. The result is one number for the "
                "whole kernel.",
            ),
            Trap(
                {"dot": 1 / 8},
                "`dot` is half of what it should be: either the multiplication and the addition are counted "
                "as one FLOP (they are two), or a float32 as 8 bytes (it has 4).",
            ),
            Trap(
                {"dot": 1 / 12},
                "`dot`: each element needs a multiplication and an addition, and nothing is written for an "
                "element.",
            ),
            Trap(
                {"dot": 2 / 4},
                "`dot`: this counts one number read for each element. There are two, x[i] and y[i].",
            ),
            Trap({"dot": 8 / 2}, "`dot` is upside down: divide the operations by the bytes."),
            Trap(
                {"blur": 9 / 40},
                "`blur`: this reads nine numbers from memory for each pixel. Each pixel is read from memory "
                "once; its nine uses come from the cache, the small fast memory on the chip.",
            ),
            Trap(
                {"blur": 9 / 36},
                "`blur`: count one read for each pixel, since its nine uses come from the cache, and one "
                "write.",
            ),
            Trap(
                {"blur": 10 / 40},
                "`blur`: adding 9 numbers takes 8 additions, and each pixel is read from memory only once.",
            ),
            Trap(
                {"blur": 8 / 8},
                "`blur`: adding 9 numbers takes 8 additions; the multiplication by 1/9 is the ninth "
                "operation.",
            ),
            Trap(
                {"blur": 10 / 8},
                "`blur`: adding 9 numbers takes only 8 additions; with the multiplication that makes 9 "
                "operations.",
            ),
            Trap(
                {"blur": 9 / 4},
                "`blur`: each pixel is read once and each result is written once. That makes two numbers of "
                "4 bytes.",
            ),
            Trap(
                {"blur": 17 / 8},
                "`blur`: this multiplies each of the nine pixels. Here they are added first and multiplied "
                "once: 8 additions and 1 multiplication.",
            ),
            Trap(
                {"blur": 18 / 8},
                "`blur`: this counts a multiplication and an addition for each of nine pixels. Here they "
                "are added first and multiplied once: 8 additions and 1 multiplication.",
            ),
            Trap(
                {"blur": 5 / 8},
                "`blur`: five operations suffice when sums of rows are re-used, as in the lesson's NumPy. "
                "Here each pixel adds its nine.",
            ),
            Trap(
                {"blur": 9 / 16},
                "`blur` is half of what it should be, as if a float32 had 8 bytes. It has 4.",
            ),
            Trap({"blur": 8 / 9}, "`blur` is upside down: divide the operations by the bytes."),
            Trap(
                {"matmul": 1000 / 12},
                "`matmul` is half of what it should be: either a multiplication with an addition is counted "
                "as one FLOP (2 n³ in all), or a float32 as 8 bytes (it has 4).",
            ),
            Trap(
                {"matmul": 2 * 1000 / 8},
                "`matmul`: this counts two matrices. A and B are read and C is written: three.",
            ),
            Trap(
                {"matmul": 2 * 1000 / 4},
                "`matmul`: this counts one matrix. A and B are read and C is written: three.",
            ),
            Trap(
                {"matmul": 2 / 12},
                "`matmul`: this counts one multiplication and one addition for each result. Each of the n² "
                "results needs n of both.",
            ),
            Trap(
                {"matmul": 2 / 8},
                "`matmul`: this reads two numbers from memory for each multiplication. Each of the 3 n² "
                "numbers crosses memory once and is used n times from the chip's own memory.",
            ),
            Trap({"matmul": 12 / 2000}, "`matmul` is upside down: divide the operations by the bytes."),
            Trap(
                {"matmul": 2 * 1000 / 3},
                "`matmul`: you divide by the number of values. Each float32 has 4 bytes.",
            ),
        ),
    ),
)

# -- 01.4 -------------------------------------------------------------------------------------------


def best_time(flops: float, bytes_moved: float, gflops_per_s: float, gbytes_per_s: float) -> float:
    """The roofline as a time, in milliseconds: the longer of the arithmetic and the memory traffic."""
    return 1000 * max(flops / (gflops_per_s * 1e9), bytes_moved / (gbytes_per_s * 1e9))


def _least_times(
    flops: float, bytes_moved: float, gflops_per_s: float, gbytes_per_s: float
) -> tuple[float, float]:
    """Milliseconds of the arithmetic and of the memory traffic."""
    return flops / gflops_per_s / 1e6, bytes_moved / gbytes_per_s / 1e6


def _kernels(rng: np.random.Generator) -> list[tuple[float, ...]]:
    """Some that memory limits, some that arithmetic limits."""
    rows = rng.integers((1, 1, 2, 2), 90, (4, 4)).tolist()
    return [(1e8 * flops, 1e7 * moved, 100.0 * peak, 20.0 * band) for flops, moved, peak, band in rows]


BEST_TIME = Problem(
    id="01.4",
    title="The best time that a roof allows",
    task=(
        "A kernel does `flops` operations and moves `bytes_moved` bytes, on a machine with a peak of "
        "`gflops_per_s` (billions of FLOP per second) and a bandwidth of `gbytes_per_s` (billions of bytes "
        "per second). The machine computes and moves data at the same time."
    ),
    spec=(
        "`best_time(flops, bytes_moved, gflops_per_s, gbytes_per_s)` returns the shortest possible time, in "
        "milliseconds."
    ),
    stub=(
        "def best_time(flops, bytes_moved, gflops_per_s, gbytes_per_s):\n"
        '    """The least time, in milliseconds, that the roofline allows."""\n'
        "    return ...\n"
    ),
    answer="best_time",
    lines=1,
    hints=(
        "How long would the arithmetic take alone? How long the memory traffic alone? Both run at once.",
        "The kernel is done when the slower of the two is done. Giga is 1e9; a second has 1000 ms.",
        "`return 1000 * max(flops / (gflops_per_s * 1e9), ___ / (___ * 1e9))`",
    ),
    solution=(
        "def best_time(flops, bytes_moved, gflops_per_s, gbytes_per_s):\n"
        '    """The least time, in milliseconds, that the roofline allows."""\n'
        "    return 1000 * max(flops / (gflops_per_s * 1e9), bytes_moved / (gbytes_per_s * 1e9))\n"
    ),
    why=(
        "Two streams run side by side and the longer one decides, hence max. Divide the operations by this "
        "time and you get min(peak, intensity × bandwidth): the roofline and this function say the same "
        "thing."
    ),
    judge=by_cases(
        best_time,
        [
            Case(4e6, 32e6, 200, 40, about="a kernel that memory limits"),
            Case(2e12, 12e6, 50_000, 2000, about="a kernel that arithmetic limits"),
            Case(9e9, 3e9, 100, 25, about="a kernel near the bend of the roof"),
            Case(1e9, 1e9, 1000, 3000),
            Case(5e10, 2e9, 8000, 320),
            Case(1e6, 4e9, 50_000, 20, about="a kernel that hardly computes"),
            Case(3000, 2000, 7000, 900, about="a kernel of nanoseconds"),
            Case(3.5e9, 1e9, 390, 100, about="a kernel just below the bend of the roof"),
            Case(9.5e12, 3e12, 1000, 700, about="a kernel of seconds"),
        ],
        hidden=_kernels,
        traps=(
            Trap(
                lambda *k: sum(_least_times(*k)),
                "The two times are added, but the machine computes and moves data at once: the longer of "
                "the two decides.",
            ),
            Trap(
                lambda *k: min(_least_times(*k)),
                "You return the shorter of the two times. The kernel is done when the slower of the two "
                "streams is done. (The roofline takes the smaller *rate*; that is the larger *time*.)",
            ),
            Trap(
                lambda *k: _least_times(*k)[0],
                "The memory traffic is left out: this is the time of the arithmetic alone.",
            ),
            Trap(
                lambda *k: max(_least_times(*k)[0], _least_times(*k)[1] / 1000),
                "Beside the time of the arithmetic that of the memory traffic is a thousand times too small: bring "
                "both to milliseconds before you compare them.",
            ),
            *(
                Trap(rule, "`//` throws away what is left over, and with it a short time. Divide by `/`.")
                for rule in (
                    lambda flops, bytes_moved, gflops_per_s, gbytes_per_s: (
                        max(flops // gflops_per_s, bytes_moved // gbytes_per_s) / 1e6
                    ),
                    lambda flops, bytes_moved, gflops_per_s, gbytes_per_s: (
                        1000 * max(flops // (gflops_per_s * 1e9), bytes_moved // (gbytes_per_s * 1e9))
                    ),
                )
            ),
            Trap(
                lambda *k: _least_times(*k)[1],
                "The arithmetic is left out: this is the time of the memory traffic alone.",
            ),
            Trap(lambda *k: best_time(*k) / 1000, "This is in seconds. The exercise asks for milliseconds."),
            Trap(
                lambda *k: best_time(*k) * 1000,
                "This is in microseconds. The exercise asks for milliseconds.",
            ),
            Trap(
                lambda *k: best_time(*k) * 1e6,
                "This is in nanoseconds: FLOP divided by GFLOP/s gives billionths of a second. The exercise "
                "asks for milliseconds.",
            ),
            Trap(
                lambda *k: best_time(*k) * 1e9,
                "Giga is missing: gflops_per_s and gbytes_per_s count billions, so multiply each by 1e9.",
            ),
            Trap(
                lambda *k: best_time(*k) / 1e6,
                "This is a million times too small: dividing by 1000 gives thousandths of the number, but "
                "there are *more* milliseconds than seconds.",
            ),
            Trap(
                lambda flops, bytes_moved, gflops_per_s, gbytes_per_s: (
                    1000 * max(flops / (gflops_per_s * 1e9), bytes_moved / (gbytes_per_s * 2**30))
                ),
                "The bandwidth is taken in GiB (2**30 bytes). Here, as on every data sheet, a GB is 1e9 "
                "bytes.",
            ),
            Trap(
                lambda flops, bytes_moved, gflops_per_s, gbytes_per_s: (
                    1000 * max(flops / (gflops_per_s * 2**30), bytes_moved / (gbytes_per_s * 2**30))
                ),
                "Giga is taken as 2**30. Here, as on every data sheet, it is 1e9.",
            ),
            Trap(
                lambda flops, bytes_moved, gflops_per_s, gbytes_per_s: (
                    1000 * max(flops / (gflops_per_s * 1e12), bytes_moved / (gbytes_per_s * 1e9))
                ),
                "Beside the time of the memory traffic that of the arithmetic is a thousand times too small: bring "
                "both to milliseconds before you compare them. (The peak is given in GFLOP/s, 1e9.)",
            ),
            Trap(
                lambda flops, bytes_moved, gflops_per_s, gbytes_per_s: (
                    1000 * max(flops / (gbytes_per_s * 1e9), bytes_moved / (gflops_per_s * 1e9))
                ),
                "The two rates have changed places: operations are divided by gflops_per_s, bytes by "
                "gbytes_per_s.",
            ),
            Trap(
                lambda flops, bytes_moved, gflops_per_s, gbytes_per_s: (
                    1000 * max(flops / (gflops_per_s * 1e9), 8 * bytes_moved / (gbytes_per_s * 1e9))
                ),
                "The traffic is counted in bits. The bandwidth is in bytes per second, so no factor 8.",
            ),
            Trap(
                lambda flops, bytes_moved, gflops_per_s, gbytes_per_s: (
                    1000 * max(flops / (gflops_per_s * 1e9), 2 * bytes_moved / (gbytes_per_s * 1e9))
                ),
                "The traffic is doubled. bytes_moved already counts what is read and what is written.",
            ),
            Trap(
                lambda flops, bytes_moved, gflops_per_s, gbytes_per_s: min(
                    gflops_per_s, flops / bytes_moved * gbytes_per_s
                ),
                "This is the rate that the roof allows, in GFLOP/s. The exercise asks for a time: divide "
                "the operations by it.",
            ),
            Trap(
                lambda flops, bytes_moved, gflops_per_s, gbytes_per_s: (
                    1000 / max(flops / (gflops_per_s * 1e9), bytes_moved / (gbytes_per_s * 1e9))
                ),
                "This is one over the time: runs per second, not the time of a run.",
            ),
        ),
    ),
)

# -- 01.5 -------------------------------------------------------------------------------------------


def honest_speedup(log: dict[str, Any]) -> float:
    """CPU time / GPU time for each pixel: medians without the first run, in one unit, copies included."""
    cpu = np.median(log["cpu_us"][1:]) / log["cpu_pixels"]
    gpu = (np.median(log["gpu_ms"][1:]) + log["copy_ms"]) * 1000 / log["gpu_pixels"]
    return float(cpu / gpu)


# Each part of the mended function, and what goes wrong with it: (what is computed, what to say).
_MIDDLE = (
    (np.median, ""),
    (
        np.mean,
        "the mean stands where the median is asked for (one slow run moves the mean, hardly the median)",
    ),
    (np.min, "the fastest run stands where the median is asked for"),
)
_ALL, _WARM, _NOT_LAST = slice(None), slice(1, None), slice(None, -1)
_RUNS = (
    ((_WARM, _WARM), ""),
    ((_ALL, _ALL), "the first run of each list, the warm-up, is still counted"),
    ((_WARM, _ALL), "the GPU's first run, which holds the compilation, is still counted"),
    ((_ALL, _WARM), "the CPU's first run, the warm-up, is still counted"),
    ((_NOT_LAST, _NOT_LAST), "the last run of each list is left out instead of the first"),
)
_COPIES = (
    (1.0, ""),
    (0.0, "copy_ms, the trips between CPU and GPU, is left out"),
    (2.0, "copy_ms is counted twice; it already holds both directions"),
)
_UNITS = (
    (1000.0, ""),
    (1.0, "the CPU's times are in µs and the GPU's in ms: bring both to one unit"),
    (0.001, "the factor between ms and µs is on the wrong side: 1 ms is 1000 µs"),
)
_PIXELS = (
    (1, ""),
    (0, "the two did not do the same work: divide each time by its number of pixels"),
    (-1, "the pixels enter the wrong way round: divide each side's time by its own number of pixels"),
)


def _partly_mended(middle: Any, runs: tuple[slice, slice], copies: float, unit: float, pixels: int) -> Any:
    def wrong(log: dict[str, Any]) -> float:
        cpu = middle(log["cpu_us"][runs[0]])
        gpu = (middle(log["gpu_ms"][runs[1]]) + copies * log["copy_ms"]) * unit
        return float(cpu / gpu * (log["gpu_pixels"] / log["cpu_pixels"]) ** pixels)

    return wrong


def _benchmark_traps() -> tuple[Trap, ...]:
    """One trap for every way to leave some of the flaws in, the ways with the fewest flaws first."""
    found = []
    for parts in product(_MIDDLE, _RUNS, _COPIES, _UNITS, _PIXELS):
        flaws = [text for _, text in parts if text]
        wrong = _partly_mended(*(part for part, _ in parts))
        needless = parts[0][0] is np.min and parts[1][1]  # no log has its fastest run at an end
        if flaws and not needless:
            found.append((len(flaws), Trap(wrong, _left_in(flaws))))
    found.sort(key=lambda pair: pair[0])
    return tuple(trap for _, trap in found)


def _left_in(flaws: list[str]) -> str:
    if len(flaws) == 1:
        return f"One flaw is left: {flaws[0]}."
    return f"{len(flaws)} flaws are left: " + "; ".join(flaws) + "."


_UPSIDE_DOWN = Trap(
    lambda log: 1 / honest_speedup(log),
    "All flaws are mended, but the ratio is upside down: the speed-up is the CPU's time divided by the "
    "GPU's.",
)
_COPIES_AS_US = Trap(
    lambda log: float(
        np.median(log["cpu_us"][1:])
        / log["cpu_pixels"]
        / ((np.median(log["gpu_ms"][1:]) * 1000 + log["copy_ms"]) / log["gpu_pixels"])
    ),
    "One flaw is left: copy_ms counts a thousand times too little. It is in ms, as gpu_ms is; 1 ms is 1000 µs.",
)
_COPIES_TO_CPU = Trap(
    lambda log: float(
        (np.median(log["cpu_us"][1:]) + log["copy_ms"] * 1000)
        / log["cpu_pixels"]
        / (np.median(log["gpu_ms"][1:]) * 1000 / log["gpu_pixels"])
    ),
    "The copies are charged to the CPU. It is the GPU that needs its data brought and fetched.",
)
_COPIES_FOR_ALL = Trap(
    lambda log: float(
        np.median(log["cpu_us"][1:])
        / log["cpu_pixels"]
        / (
            np.median(log["gpu_ms"][1:]) * 1000 / log["gpu_pixels"]
            + log["copy_ms"] * 1000 / log["cpu_pixels"]
        )
    ),
    "The copies are divided by the CPU's number of pixels; the GPU's picture is what was copied.",
)


def _copies_at_the_end(factor: int) -> Trap:
    """`factor`: what the copies' milliseconds are multiplied by."""
    return Trap(
        lambda log: float(
            np.median(log["cpu_us"][1:])
            / log["cpu_pixels"]
            / (np.median(log["gpu_ms"][1:]) * 1000 / log["gpu_pixels"] + log["copy_ms"] * factor)
        ),
        "copy_ms is added to the time for one pixel. It is the copies' time for the whole picture: add it to the "
        "run's time, then divide by the pixels.",
    )


def _upper_middle(runs: Any) -> float:
    return float(sorted(runs)[len(runs) // 2])


_UPPER_MIDDLE = Trap(
    lambda log: float(
        _upper_middle(log["cpu_us"][1:])
        / log["cpu_pixels"]
        / ((_upper_middle(log["gpu_ms"][1:]) + log["copy_ms"]) * 1000 / log["gpu_pixels"])
    ),
    "Of an even number of runs you take the larger of the two in the middle. The median is the mean of these two: "
    "np.median.",
)
_SLOWEST_OUT = Trap(
    lambda log: float(
        np.median(sorted(log["cpu_us"])[:-1])
        / log["cpu_pixels"]
        / ((np.median(sorted(log["gpu_ms"])[:-1]) + log["copy_ms"]) * 1000 / log["gpu_pixels"])
    ),
    "The slowest run is left out. It is the first that does not count, whether it is slow or not: runs[1:].",
)
LOGS = (
    {
        "cpu_us": [41_000, 21_300, 20_800, 21_000, 23_600],
        "cpu_pixels": 4_194_304,
        "gpu_ms": [212.0, 0.31, 0.29, 0.30, 0.36],
        "gpu_pixels": 1_048_576,
        "copy_ms": 0.9,
    },
    {
        "cpu_us": [9_000, 5_200, 5_000, 5_900, 5_100],
        "cpu_pixels": 1_000_000,
        "gpu_ms": [80.0, 0.21, 0.20, 0.19, 0.44],
        "gpu_pixels": 4_000_000,
        "copy_ms": 2.5,
    },
    {
        "cpu_us": [700, 410, 400, 400, 520],
        "cpu_pixels": 65_536,
        "gpu_ms": [55.0, 0.04, 0.05, 0.04, 0.09],
        "gpu_pixels": 16_384,
        "copy_ms": 0.03,
    },
    {   # more runs on one side, and a slowest run that is not the first
        "cpu_us": [2_550, 2_500, 2_450, 4_100, 2_700],
        "cpu_pixels": 262_144,
        "gpu_ms": [0.50, 0.52, 0.66, 0.58, 0.49, 2.70, 0.51, 0.62],
        "gpu_pixels": 524_288,
        "copy_ms": 0.4,
    },
)

def _logs(rng: np.random.Generator) -> list[Case]:
    """Logs like those shown: a slow first run, and one late run that pulls the mean up."""
    found = []
    for number in range(len(LOGS) + 1, len(LOGS) + 3):
        cpu, gpu = rng.integers(9_000, 40_000), rng.uniform(0.4, 3.0)
        late = np.array([2.1, 1.02, 0.99, 1.0, 1.4])
        small, large = (2**18 * pixels for pixels in rng.integers((1, 9), (9, 60)).tolist())
        log = {"cpu_us": [int(cpu * k) for k in late], "cpu_pixels": small,
               "gpu_ms": [round(float(gpu * k), 3) for k in late * late], "gpu_pixels": large,
               "copy_ms": round(float(rng.uniform(1, 9)), 2)}  # fmt: skip
        found.append(Case(log, about=f"log number {number}"))
    return found


BENCHMARK = Problem(
    id="01.5",
    title="Mend a benchmark",
    task=(
        "`claimed_speedup` above has the four flaws just named, and takes means besides. Write "
        "`honest_speedup`, which takes such a log and returns "
        "how many times faster the GPU is *for each pixel*, copies included."
    ),
    spec=(
        "For each side take the median of its runs without the first (`np.median`), bring everything to one "
        "unit, add `copy_ms` to each run on the GPU, and divide by the pixels of that side. Return CPU time "
        "/ GPU time."
    ),
    stub=(
        'def honest_speedup(log):\n    """CPU time / GPU time for each pixel."""\n    cpu = ...\n    gpu = '
        "...\n    return ...\n"
    ),
    answer="honest_speedup",
    lines=3,
    hints=(
        "Compute one number for each side first: microseconds for each pixel. Only then divide.",
        'For the CPU: `np.median(log["cpu_us"][1:]) / log["cpu_pixels"]`. The GPU needs two more things: '
        "its copies and another unit.",
        '`gpu = (np.median(log["gpu_ms"][1:]) + log["copy_ms"]) * ___ / log["___"]`, then `return cpu / gpu`',
    ),
    solution=(
        'def honest_speedup(log):\n    """CPU time / GPU time for each pixel."""\n'
        '    cpu = np.median(log["cpu_us"][1:]) / log["cpu_pixels"]\n'
        '    gpu = (np.median(log["gpu_ms"][1:]) + log["copy_ms"]) * 1000 / log["gpu_pixels"]\n'
        "    return cpu / gpu\n"
    ),
    why=(
        "A comparison is fair when both sides do the same work, in the same unit, without the first run, and pay "
        "for everything that the job needs. A wrong unit, other pixels or forgotten copies change the result several "
        "times over; a slow first run does so to a mean, hardly to a median."
    ),
    judge=by_cases(
        honest_speedup,
        [Case(log, about=f"log number {number}") for number, log in enumerate(LOGS, 1)],
        hidden=_logs,
        traps=(_UPSIDE_DOWN, _UPPER_MIDDLE, _SLOWEST_OUT, _COPIES_AS_US, _COPIES_TO_CPU, _COPIES_FOR_ALL,
               _copies_at_the_end(1000), _copies_at_the_end(1), *_benchmark_traps()),
        rtol=1e-4,
    ),
)

# -- 01.6 -------------------------------------------------------------------------------------------


def cost_per_million(watts: float, milliseconds: float, dollars_per_kwh: float) -> float:
    """Dollars for the electricity of a million pictures: 1 kWh is 3.6 million joules."""
    joules = watts * milliseconds / 1000 * 1_000_000
    return joules / 3.6e6 * dollars_per_kwh


def _bills(rng: np.random.Generator) -> list[tuple[float, ...]]:
    return [(int(rng.integers(30, 900)), round(float(rng.uniform(0.2, 60)), 2), round(float(rng.uniform(0.05, 0.5)), 2))
            for _ in range(3)]  # fmt: skip


ENERGY = Problem(
    id="01.6",
    title="What a million pictures cost",
    task=(
        "A chip that draws `watts` needs `milliseconds` for one picture, and electricity costs "
        "`dollars_per_kwh` for a kilowatt-hour. What does the electricity for a million pictures cost?"
    ),
    spec=(
        "`cost_per_million(watts, milliseconds, dollars_per_kwh)` returns dollars. A watt is a joule per "
        "second; a kilowatt-hour is 3,600,000 joules."
    ),
    stub=(
        "def cost_per_million(watts, milliseconds, dollars_per_kwh):\n"
        '    """Dollars of electricity for a million pictures."""\n'
        "    joules = ...\n    return ...\n"
    ),
    answer="cost_per_million",
    lines=2,
    hints=(
        "Energy is power times time. First the joules for all the pictures, then the kilowatt-hours, then "
        "the dollars.",
        "The joules of one picture are watts * milliseconds / 1000. A million pictures need a million times "
        "as much.",
        "`joules = watts * milliseconds / 1000 * ___`, then `return joules / ___ * dollars_per_kwh`",
    ),
    solution=(
        "def cost_per_million(watts, milliseconds, dollars_per_kwh):\n"
        '    """Dollars of electricity for a million pictures."""\n'
        "    joules = watts * milliseconds / 1000 * 1_000_000\n    return joules / 3_600_000 * "
        "dollars_per_kwh\n"
    ),
    why=(
        "Power alone says nothing about cost: a chip that draws five times as much and is done ten times "
        "sooner needs half the energy. What counts is watts times seconds for each result."
    ),
    judge=by_cases(
        cost_per_million,
        [(100, 36, 0.25), (700, 0.5, 0.3), (65, 20, 0.12), (250, 1.7, 0.4)],
        hidden=_bills,
        traps=(
            Trap(
                lambda w, ms, price: cost_per_million(w, ms, price) * 1000,
                "This is a thousand times too much: either the milliseconds are taken for seconds, or the "
                "watts for kilowatts, or a million for a billion. (A kilowatt-hour is 3.6 million joules.)",
            ),
            Trap(
                lambda w, ms, price: cost_per_million(w, ms, price) * 1e6,
                "This is a million times too much: either both the milliseconds and the kilo of "
                "kilowatt-hour are forgotten, or the milliseconds are multiplied by 1000 instead of divided, or a "
                "factor of a million is counted twice.",
            ),
            Trap(
                lambda w, ms, price: cost_per_million(w, ms, price) / 1e6,
                "This is the cost of one picture. The exercise asks for a million.",
            ),
            Trap(
                lambda w, ms, price: cost_per_million(w, ms, price) / 1000,
                "This is a thousand times too little: either a million is taken for a thousand, or a "
                "division by 1000 is done twice, or this is one picture, with milliseconds taken for seconds. "
                "(3,600,000 joules already contains the kilo of "
                "kilowatt-hour.)",
            ),
            Trap(
                lambda w, ms, price: cost_per_million(w, ms, price) * 3.6e6,
                "These are joules times the price. The price is for a kilowatt-hour, which is 3,600,000 "
                "joules.",
            ),
            Trap(
                lambda w, ms, price: cost_per_million(w, ms, price) * 3600,
                "An hour is missing: a kilowatt-hour is 1000 watts for 3600 seconds, so 3,600,000 joules.",
            ),
            Trap(
                lambda w, ms, price: cost_per_million(w, ms, price) * 60,
                "An hour is taken as 60 seconds; it has 3600.",
            ),
            Trap(
                lambda w, ms, price: cost_per_million(w, ms, price) / price,
                "These are kilowatt-hours. Multiply by the price of one.",
            ),
            Trap(
                lambda w, ms, price: cost_per_million(w, ms, price) / price**2,
                "The price is divided by. A kilowatt-hour that costs more makes the pictures dearer: "
                "multiply.",
            ),
            Trap(
                lambda w, ms, price: cost_per_million(w, ms, price) * 100,
                "This is in cents. The price is in dollars, and so is the answer.",
            ),
            Trap(
                lambda w, ms, price: cost_per_million(w, ms, price) * 3.6e6 * 3.6e6,
                "The joules are multiplied by 3,600,000. A kilowatt-hour is many joules, so there are fewer "
                "of them: divide.",
            ),
            Trap(
                lambda w, ms, price: w * ms / 1000 * 1e6,
                "These are the joules. Two steps remain: to kilowatt-hours, and to dollars.",
            ),
            Trap(
                lambda w, ms, price: w / (ms / 1000) * 1e6 / 3.6e6 * price,
                "The power is divided by the time. Energy is power times time.",
            ),
            Trap(
                lambda w, ms, price: ms / 1000 * 1e6 / 3.6e6 * price,
                "The watts are left out: a chip that draws twice the power costs twice as much.",
            ),
            Trap(
                lambda w, ms, price: w * 1e6 / 3.6e6 * price,
                "The time for a picture is left out: a watt is a joule each second, so energy is watts "
                "times seconds.",
            ),
            Trap(
                lambda w, ms, price: round(cost_per_million(w, ms, price), 2),
                "The result is rounded to cents. Return it as it is.",
            ),
        ),
    ),
)

PROBLEMS = (SPEEDUP, BREAK_EVEN, INTENSITY, BEST_TIME, BENCHMARK, ENERGY)
