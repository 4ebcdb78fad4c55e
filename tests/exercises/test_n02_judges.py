"""Lesson 02's judges accept right answers that look different from the solution, and blame the right line."""

import textwrap

import numpy as np
import pytest

from gpucourse import cupy_sim
from gpucourse.exercises import n02_arrays_on_the_gpu as n02
from gpucourse.exercises import registry
from gpucourse.exercises.transfers import TO_DEVICE, TO_HOST, watched
from tests.mutants.mutant import answer_of


def outcome(number, source, **names):
    problem = registry.find(number)
    return problem.check(answer_of(textwrap.dedent(source), problem.answer, np=np, cp=cupy_sim, **names))


ALSO_RIGHT = {
    "02.1 a trace made beforehand": """
        def tight(xp, x, steps):
            trace = xp.empty(steps, xp.float32)
            for step in range(steps):
                x = x - xp.min(x)
                x = xp.where(x.max() > 1, x / x.max(), x)
                trace[step] = xp.mean(x)
                x = 2 * x**2 + x
            return xp.asnumpy(trace)
        """,
    "02.1 with cp instead of xp": """
        def tight(xp, x, steps):
            trace = []
            for _ in range(steps):
                x = x - x.min()
                x = x / cp.maximum(x.max(), 1)
                trace.append(x.mean())
                x = 2 * x * x + x
            return cp.array(trace).get()
        """,
    "02.2 two warm-ups, NumPy's median": """
        def honest_time(run, synchronize, clock, repeat):
            run(), run()
            synchronize()
            times = np.empty(repeat)
            for k in range(repeat):
                start = clock()
                run()
                synchronize()
                times[k] = clock() - start
            return np.median(times)
        """,
    "02.2 the first of repeat + 1 is dropped": """
        def honest_time(run, synchronize, clock, repeat):
            times = []
            for _ in range(repeat + 1):
                synchronize()
                start = clock()
                run()
                synchronize()
                times.append(clock() - start)
            return sorted(times[1:])[repeat // 2]
        """,
    "02.2 one reading ends a run and starts the next": """
        def honest_time(run, synchronize, clock, repeat):
            run()
            synchronize()
            marks = [clock()]
            for _ in range(repeat):
                run()
                synchronize()
                marks.append(clock())
            return sorted(b - a for a, b in zip(marks, marks[1:]))[repeat // 2]
        """,
    "02.3 a scalar of x's own type": "def gain(x, db):\n    return x * x.dtype.type(10 ** (db / 20))\n",
    "02.3 through the exponential": """
        def gain(x, db):
            return x * float(np.exp(np.log(10) * float(db) / 20))
        """,
    "02.4 fused": """
        @cp.fuse()
        def cubic(x):
            return 2 * x**3 - 3 * x**2 + 0.5 * x + 1
        """,
    "02.4 a copy first": """
        def cubic(x):
            y = x.copy()
            y *= 2
            y -= 3
            y *= x
            y += 0.5
            y *= x
            y += 1
            return y
        """,
    "02.5 arange": """
        def fade(x):
            xp = cp.get_array_module(x)
            return x * (xp.arange(x.size, dtype=x.dtype) / max(x.size - 1, 1)).astype(x.dtype)
        """,
    "02.6 a list": "def estimate(height, width, bins):\n    return [width * height, bins * 8, 10]\n",
}


@pytest.mark.parametrize("name", ALSO_RIGHT)
def test_another_right_answer_passes(name):
    found = outcome(name[:4], ALSO_RIGHT[name])
    assert found.state == "right", found


def test_watched_names_line_bytes_and_cause():
    source = """
        def act(x):
            y = cp.asarray(np.ones(3))
            if x.sum() > 1:
                return float(y[0])
        """
    act = answer_of(textwrap.dedent(source), "act", np=np, cp=cupy_sim)
    with watched() as crossings:
        act(cupy_sim.ones(5))
    assert [(c.direction, c.nbytes, c.place.line) for c in crossings] == [
        (TO_DEVICE, 24, 3),
        (TO_HOST, 1, 4),
        (TO_HOST, 8, 5),
    ]
    assert crossings[1].cause == "__bool__"
    assert crossings[0].place.text == "y = cp.asarray(np.ones(3))"


def test_watched_puts_the_counters_back_and_still_counts():
    with cupy_sim.count_transfers() as t, watched():
        cupy_sim.ones(5).get()
    cupy_sim.ones(5).get()
    assert (t.to_host, t.bytes_to_host) == (1, 40)


WIDE = (4 * np.random.default_rng(21).random(1000) - 1).astype(np.float32)
NARROW = (0.1 + 0.5 * np.random.default_rng(22).random(333)).astype(np.float32)
TABLES = {
    "tight": (n02.TIGHT_MISTAKES, n02.tight, [(WIDE, 4), (NARROW, 3)], 1e-4),
    "gain": (n02.GAIN_MISTAKES, n02.gain, [(np.linspace(-1, 1, 9), db) for db in (6.0, -3.5, -12.0)], 1e-9),
    "cubic": (n02.CUBIC_MISTAKES, n02.cubic, [(np.linspace(-1.5, 2, 50),)], 1e-9),
    "fade": (n02.FADE_MISTAKES, n02.fade, [(np.cos(np.arange(9.0)) + 2,)], 1e-9),
}


@pytest.mark.parametrize("name", TABLES)
def test_each_mistake_differs_from_the_right_answer_and_from_the_others(name):
    mistakes, reference, cases, rtol = TABLES[name]
    results = {"right": [reference(*case) for case in cases]}
    for wrong, cause in mistakes:
        with np.errstate(all="ignore"):
            mine = [np.asarray(wrong(*case)) for case in cases]
        for other, theirs in results.items():
            same = all(n02._close(a, b, rtol) for a, b in zip(mine, theirs, strict=True))
            assert not same or other == cause, (cause, other)
        results.setdefault(cause, mine)


@pytest.mark.parametrize("table", [n02.TO_THE_DEVICE, n02.TO_THE_HOST, n02.OPERATIONS])
def test_each_wrong_number_is_wrong_for_every_picture_that_tells_it(table):
    column = {id(n02.TO_THE_DEVICE): 0, id(n02.TO_THE_HOST): 1, id(n02.OPERATIONS): 2}[id(table)]
    due = [n02.estimate(*size)[column] for size in n02.PICTURES]
    found = [[wrong(*size) for size in n02.PICTURES] for wrong, _ in table]
    assert due not in found
    assert len({tuple(each) for each in found}) == len(found)


@pytest.mark.parametrize("first", n02.ANSWERS, ids=lambda pair: pair[1][:30])
def test_each_summary_of_times_differs_from_the_median(first):
    windows = [[n02.LENGTHS[k] for k in range(1, 1 + repeat)] for repeat in (5, 3, 7)]
    summary, _ = first
    assert any(abs(summary(times) - sorted(times)[len(times) // 2]) > 1e-6 for times in windows)
    others = [other for other, _ in n02.ANSWERS if other is not summary]
    for other in others:
        assert any(abs(summary(times) - other(times)) > 1e-6 for times in windows)
