"""The judges: each kind of wrong answer is told its own cause, in words fixed here."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from gpucourse.exercises import guard
from gpucourse.exercises.compare import (
    Case,
    NotAttempted,
    Trap,
    Wrong,
    by_cases,
    is_choice,
    is_mapping,
    is_number,
)
from gpucourse.exercises.difference import Tolerance, first_difference


class DeviceArray:
    """An array of another kind than NumPy's, as small as the judges allow."""

    def __init__(self, host):
        self.host = np.asarray(host)
        self.shape, self.dtype = self.host.shape, self.host.dtype

    def copy(self):
        return DeviceArray(self.host.copy())

    def __mul__(self, other):
        return DeviceArray(self.host * other)

    def sum(self):
        return DeviceArray(self.host.sum())


device = SimpleNamespace(ndarray=DeviceArray, asnumpy=lambda a: a.host.copy(), asarray=DeviceArray)


def told(judge, answer, **offers):
    """The message of a wrong answer; "" for a right one."""
    try:
        judge(answer, **offers)
    except Wrong as wrong:
        return str(wrong)
    return ""


def mean(x):
    return x.mean()


X = np.arange(6, dtype=np.float32).reshape(2, 3)
SPEEDUP = by_cases(
    lambda p, n: 1 / (1 - p + p / n),
    [(0.5, 2), (0.9, 8), (0.99, 100)],
    traps=(Trap(lambda p, n: n / p, "The serial part is missing."), Trap(1, "This is always 1.")),
)
DOUBLE = by_cases(lambda x: 2 * x, [(X,), (X[:1] + 5,)])
calls = []


def stateful(p, n):
    calls.append(p)
    return float(len(calls))


def changes(x):
    x *= 2
    return x.copy()


def changes_and_errs(x):
    x += 1
    return x.copy()


def prints(p, n):
    print(1 / (1 - p + p / n))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda p, n: 1 / (1 - p + p / n), ""),
        (lambda p, n: np.float64(1 / (1 - p + p / n)), ""),
        (lambda p, n: np.array(1 / (1 - p + p / n)), ""),
        (lambda p, n: Fraction(1 / (1 - p + p / n)), ""),
        (lambda *all: 1 / (1 - all[0] + all[0] / all[1]), ""),
        (lambda share, count: 1 / (1 - share + share / count), ""),
        (lambda p, n, more=0: 1 / (1 - p + p / n), ""),
        (3.5, "f should be a function but is the number 3.5. Hand the function over by its name, "
         "without parentheses."),
        (int, "f should be a function but is a class."),
        (lambda p: 1, "The exercise calls f(p, n), but yours is f(p): the parameter n is missing."),
        (lambda: 1, "The exercise calls f(p, n), but yours is f(): the parameters p and n are missing."),
        (lambda p, n, q: 1, "The exercise calls f(p, n), but yours is f(p, n, q): q is one parameter "
         "too many. "
         "Leave it out or give it a default."),
        (lambda a, b, c: 1, "The exercise calls f(p, n), but yours is f(a, b, c). It gets 2 arguments."),
        (lambda n, p: 1 / (1 - p + p / n),
         "The exercise calls f(p, n), but yours has the parameters in another order: f(n, p)."),
        (lambda p, n: None, "f(0.5, 2) returned None: is a `return` missing?"),
        (prints, "f(0.5, 2) printed something and returned None. Hand the result back by `return`."),
        (lambda p, n: "1.333", "f(0.5, 2) should be a number but is the string '1.333'. Leave out the "
         "quotes, or str()."),
        (lambda p, n: "fast", "f(0.5, 2) should be a number but is the string 'fast'."),
        (lambda p, n: [1 / (1 - p + p / n)], "f(0.5, 2) should be a number but is a list."),
        (lambda p, n: np.ones(1), "f(0.5, 2) should be a number but is a NumPy array."),
        (lambda p, n: True, "f(0.5, 2) should be a number but is True."),
        (lambda p, n: 1j, "f(0.5, 2) should be a number but is a complex number."),
        (lambda p, n: (yield), "f(0.5, 2) should be a number but is a generator. "
         "`yield` makes a generator; use `return`."),
        (lambda p, n: math.sqrt, "f(0.5, 2) should be a number but is a function. "
         "The parentheses of a call may be missing."),
        (lambda p, n: math.nan, "f(0.5, 2) should be 1.333 but is nan."),
        (lambda p, n: n / p, "The serial part is missing."),
        (lambda p, n: 1.0, "This is always 1."),
        (lambda p, n: 8 / (1 - p + p / n),
         "Every value is 8 times the expected one. For example, f(0.5, 2) should be 1.333 but is 10.67."),
        (lambda p, n: 0.125 / (1 - p + p / n),
         "Every value is the expected one divided by 8. For example, f(0.5, 2) should be 1.333 but is "
         "0.1667."),
        (lambda p, n: -1 / (1 - p + p / n),
         "Every value has the wrong sign. For example, f(0.5, 2) should be 1.333 but is -1.333."),
        (lambda p, n: 1 / (1 - p + p / n) - 1,
         "Every value is 1 too small. For example, f(0.5, 2) should be 1.333 but is 0.3333."),
        (lambda p, n: {0.5: 4 / 3}.get(p, 0), "f(0.9, 8) should be 4.706 but is 0."),
        (lambda p, n: round(1 / (1 - p + p / n), 3), "f(0.5, 2) should be 1.33333 but is 1.333."),
        (lambda p, n: np.float64(1) / np.float64(0), "f(0.5, 2) should be 1.333 but is inf. "
         "Line {line} warned: divide by zero encountered in scalar divide."),
    ],
)  # fmt: skip
def test_a_function_of_numbers(answer, message):
    found = told(SPEEDUP, answer, name="f")
    if "{line}" in message:
        message = message.format(line=answer.__code__.co_firstlineno)
    assert found == message


def test_results_that_depend_on_earlier_calls_or_on_chance():
    expected = (
        "f(0.5, 2) gave one result the first time and another the second time. "
        "It must depend on its arguments only, not on earlier calls or on chance."
    )
    assert told(SPEEDUP, stateful, name="f") == expected
    assert told(SPEEDUP, lambda p, n: random.random(), name="f") == expected


def test_objects_without_a_meaningful_equality_are_not_called_unstable():
    assert "of type object" in told(SPEEDUP, lambda p, n: object(), name="f")
    assert "is a list" in told(SPEEDUP, lambda p, n: [object()], name="f")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x: x + x, ""),
        (lambda x: (x + x).tolist(), "f(x) should be a NumPy array but is a list for x of shape (2, 3) "
         "and dtype float32. "
         "Turn it into an array with `np.array(...)`."),
        (lambda x: (2 * x).T, "f(x) should have shape (2, 3) but has (3, 2): it is transposed for x of "
         "shape (2, 3) "
         "and dtype float32."),
        (lambda x: 2 * x[0], "f(x) should have shape (2, 3) but has (3,) for x of shape (2, 3) and "
         "dtype float32."),
        (lambda x: np.float64(2) * x, "f(x) should have dtype float32 but has float64 for x of shape "
         "(2, 3) and "
         "dtype float32."),
        (lambda x: 2 * x + (x == 4), "f(x)[1, 1] should be 8 but is 9; 1 of 6 elements differ for x of "
         "shape (2, 3) "
         "and dtype float32."),
        (lambda x: np.where(x == 2, np.float32(np.nan), 2 * x),
         "f(x)[0, 2] should be 4 but is nan; 1 of 6 elements differ for x of shape (2, 3) and dtype "
         "float32."),
        (lambda x: np.ma.masked_array(2 * x), "f(x) should be a NumPy array but is a masked NumPy array "
         "for x of "
         "shape (2, 3) and dtype float32."),
        (lambda x: -2 * x, "Every value has the wrong sign. For example, f(x)[0, 1] should be 2 but is "
         "-2; 5 of 6 elements "
         "differ for x of shape (2, 3) and dtype float32."),
        (changes, "The result is right, but f(x) changes its argument x in place for x of shape (2, 3) "
         "and dtype "
         "float32. Make a new one and leave the caller's as it was."),
        (changes_and_errs, "f(x)[0, 0] should be 0 but is 1; 5 of 6 elements differ for x of shape (2, "
         "3) and dtype "
         "float32. It also changes its argument x in place."),
    ],
)  # fmt: skip
def test_a_function_of_arrays(answer, message):
    assert told(DOUBLE, answer, name="f") == message.replace(" for x of", ", for x of")


def test_the_arguments_of_the_cases_stay_as_they_are():
    before = X.copy()
    told(DOUBLE, changes)
    assert np.array_equal(X, before)


ON_DEVICE = by_cases(lambda x: x * 2, lambda xp: [(xp.asarray(X),)])
TOTAL = by_cases(lambda x: x.sum(), lambda xp: [(xp.asarray(X),)])


def test_where_an_array_lies():
    assert told(ON_DEVICE, lambda x: x * 2, xp=device) == ""
    here = told(ON_DEVICE, lambda x: 2 * x.host, xp=device, name="f")
    assert here.startswith("f(x) should be a device array but is a NumPy array")
    assert "keep it on the device" in here
    there = told(DOUBLE, lambda x: DeviceArray(2 * x), xp=device, name="f")
    assert there.startswith("f(x) should be a NumPy array but is a device array")
    assert "cp.asnumpy" in there
    assert "copy it to the host" in told(TOTAL, lambda x: float(x.host.sum()), xp=device)
    assert told(TOTAL, lambda x: x.sum(), xp=device) == ""


def test_an_unfinished_answer():
    for answer in (..., lambda p, n: ...):
        with pytest.raises(NotAttempted):
            SPEEDUP(answer)


def test_what_the_answer_raises_comes_with_its_call():
    with pytest.raises(guard.Raised) as caught:
        SPEEDUP(lambda p, n: p / 0, name="f")
    assert isinstance(caught.value.error, ZeroDivisionError)
    assert caught.value.where == "f(0.5, 2)"


def test_a_trap_must_hold_for_every_case():
    judge = by_cases(lambda a: a * a, [1, 2, 3, 4], traps=[Trap(lambda a: 2 * a, "doubled")])
    assert told(judge, lambda a: 2 * a) == "doubled"
    assert "doubled" not in told(judge, lambda a: 2 * a if a < 4 else 0)


def test_a_trap_may_differ_in_shape_and_dtype():
    judge = by_cases(lambda x: x.sum(axis=0), [X], traps=[Trap(lambda x: x.sum(axis=1), "rows for columns")])
    assert told(judge, lambda x: np.array([r.sum() for r in x])) == "rows for columns"


def test_hidden_cases_come_from_the_seed():
    seen = []
    judge = by_cases(lambda a: a, [1], hidden=lambda rng: [(int(rng.integers(10**9)),)])
    for seed in (1, 1, 2):
        judge(lambda a: seen.append(a) or a, seed=seed)
    firsts = seen[1::4]
    assert firsts[0] == firsts[1] != firsts[2]
    assert "should be" in told(judge, lambda a: 1, seed=5)


def test_a_case_may_say_what_it_is_about_and_have_keywords():
    judge = by_cases(lambda a, scale=1: a * scale, [Case(2, scale=3, about="a scale by keyword")])
    message = told(judge, lambda a, scale=1: a, name="f")
    assert message == "f(2, scale=3) should be 6 but is 2, for a scale by keyword."


def test_an_argument_that_is_written():
    judge = by_cases(lambda x, out: np.multiply(x, 2, out=out), [(X, np.zeros_like(X))], writes="out")
    assert told(judge, lambda x, out: np.add(x, x, out=out) is None) == ""
    message = told(judge, lambda x, out: None, name="f")
    assert message.startswith("out[0, 1] should be 2 but is 0; 5 of 6 elements differ, after f(x, out), for")


def test_arrays_in_a_list_that_is_written():
    """What counts is what the caller's arrays hold, and not what the list has been made to name."""
    def add_one(arrays):
        for each in arrays:
            each += 1

    def replace_all(arrays):
        arrays[:] = [each + 1 for each in arrays]

    judge = by_cases(add_one, [([np.zeros(2), np.ones(3)],)], writes="arrays")
    assert told(judge, lambda arrays: [np.add(each, 1, out=each) for each in arrays]) == ""
    assert told(judge, replace_all).startswith("arrays[0][0] should be 1 but is 0")


def test_whole_numbers_are_compared_exactly_by_default():
    judge = by_cases(lambda n: n * 10_000_000, [1, 2, 3])
    assert told(judge, lambda n: n * 10_000_000.0) == ""
    assert told(judge, lambda n: n * 10_000_000 + 1) == (
        "Every value is 1 too large. For example, your function(1) should be 10000000 but is 10000001."
    )


@pytest.mark.parametrize(
    ("got", "due", "clause"),
    [
        ((1, 2), [1, 2], None),
        ([1, 2], [1, 3], "[1] should be 3 but is 2"),
        ({"a": [1.0]}, {"a": [2.0]}, "['a'][0] should be 2 but is 1"),
        ({"b": 1}, {"a": 1}, "lacks the key 'a'; it has 'b'"),
        ({"a": 1, "b": 1}, {"a": 1}, "has the key 'b', which is not asked for"),
        ([1], [1, 2], "should have 2 items but has 1"),
        ("abc", "abd", "should be 'abd' but is 'abc'"),
        (True, False, "should be False but is True"),
        (1, True, "should be True or False but is the number 1"),
        (float("nan"), float("nan"), None),
        (10**400, 1.0, "should be 1 but is a whole number of about 400 digits"),
        (1.00001, 1.0, "should be 1 but is 1.00001"),
        (np.float16(60000), np.float16(60000), None),
        (np.array(["a"]), np.array(["b"]), "[0] should be 'b' but is 'a'"),
        (np.ones(0), np.ones(0), None),
    ],
)  # fmt: skip
def test_the_first_difference(got, due, clause):
    found = first_difference(got, due, Tolerance())
    assert (found.clause if found else None) == clause or (clause and found and "np.str_" in found.clause)


# -- values -----------------------------------------------------------------------------------------

BYTES = is_number(12.0, rtol=0.01, unit="bytes", traps=((96.0, "That is the number of bits."),))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (12, ""), (12.05, ""), (np.float32(12), ""),
        (96, "That is the number of bits."),
        (11, "n is 11 bytes, which is too small."),
        (2000, "n is 2000 bytes, which is too large by more than a factor of ten."),
        (math.inf, "n is inf bytes, which is not a finite number."),
        ("12", "n should be a number but is the string '12'. Leave out the quotes, or str()."),
        (lambda: 12, "n should be a number but is a function. The parentheses of a call may be missing."),
        ([12], "n should be a number but is a list."),
        (True, "n should be a number but is True."),
        (None, "n should be a number but is None."),
    ],
)  # fmt: skip
def test_a_number(answer, message):
    assert told(BYTES, answer, name="n") == message


def test_a_number_may_be_measured_later():
    measured = []
    judge = is_number(lambda: measured[0])
    measured.append(7)
    assert told(judge, 7) == ""
    assert "too large" in told(judge, 8)


FLOPS = is_mapping({"copy": 0.0, "saxpy": 0.5}, traps=[Trap({"saxpy": 0.25}, "The store is missing.")])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"saxpy": 0.5, "copy": 0}, ""),
        ({"copy": 0, "saxpy": 0.25}, "The store is missing."),
        ({"copy": 1, "saxpy": 0.5}, "d['copy'] is 1, which is too large."),
        ({"copy": 0}, "d lacks the key 'saxpy'."),
        ({"copy": 0, "saxpi": 0.5}, "d lacks the key 'saxpy'; it has 'saxpi'."),
        ({"copy": 0, "saxpy": 0.5, "x": 1}, "d has the key 'x', which is not asked for."),
        ({"copy": 0, "saxpy": ...}, "d['saxpy'] is still `...`."),
        ({"copy": "0", "saxpy": 0.5}, "d['copy'] should be a number but is the string '0'. Leave out "
         "the quotes, or str()."),
        ([0, 0.5], "d should be a dict but is a list."),
    ],
)
def test_a_mapping(answer, message):
    assert told(FLOPS, answer, name="d") == message


def test_values_not_attempted():
    for judge, answer in ((BYTES, ...), (FLOPS, {"copy": ..., "saxpy": ...}), (is_choice("a", "ab"), ...)):
        with pytest.raises(NotAttempted):
            judge(answer)


def test_a_choice():
    judge = is_choice("b", "abc", because={"a": "Its clock starts too early."})
    assert told(judge, "b") == ""
    assert told(judge, "a") == "Its clock starts too early."
    assert told(judge, "c", name="x") == "x is 'c', which is not the right one."
    assert told(judge, "d", name="x") == "x is 'd'; the options are 'a', 'b', 'c'."
    assert told(judge, 2, name="x") == "x should be a string but is the number 2."


def test_a_choice_of_several():
    judge = is_choice({2, 4}, range(1, 6), because={1: "Line 1 is an import."})
    assert told(judge, [4, 2]) == ""
    assert told(judge, {1, 2, 4}) == "Line 1 is an import."
    assert told(judge, {2, 3, 4}, name="x") == "3 does not belong into x."
    assert told(judge, {2}, name="x") == "What you name is right, but 1 is missing from `x`."
    assert told(judge, 2, name="x") == "x should be a set, list or tuple of options but is the number 2."
