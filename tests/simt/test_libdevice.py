"""The mathematical functions that clang's PTX calls, against Python's `math` and values from tables."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gpucourse.simt import libdevice


def computed(name: str, *arguments: np.ndarray) -> np.ndarray:
    rows = [np.ascontiguousarray(a).view(np.uint8).reshape(len(a), -1) for a in arguments]
    return libdevice.call(name, rows).view(libdevice.FUNCTIONS[name][2])[:, 0]


IN_MATH = ["sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "atanh", "exp", "exp2",
           "expm1", "log", "log2", "log10", "log1p", "cbrt", "erf", "erfc", "lgamma"]  # fmt: skip


@pytest.mark.parametrize("name", IN_MATH)
def test_functions_that_python_has(name: str) -> None:
    x = np.linspace(0.01, 0.99, 50)
    due = np.array([getattr(math, name)(value) for value in x])
    np.testing.assert_allclose(computed(f"__nv_{name}", x), due, rtol=4e-16 * 4)
    short = x.astype(np.float32)
    nearest = np.array([getattr(math, name)(float(value)) for value in short]).astype(np.float32)
    np.testing.assert_array_max_ulp(computed(f"__nv_{name}f", short), nearest, maxulp=1)


@pytest.mark.parametrize(("name", "back", "x"), [
    ("erfinv", math.erf, [-0.999, -0.6, -1e-8, 0.3, 0.51, 0.9999]),
    ("erfcinv", math.erfc, [1e-12, 0.01, 0.5, 1.0, 1.7, 1.999]),
    ("normcdfinv", lambda x: 0.5 * math.erfc(-x / math.sqrt(2)), [1e-9, 0.1, 0.5, 0.975, 0.9999]),
])  # fmt: skip
def test_inverses_lead_back(name: str, back, x: list[float]) -> None:
    found = computed(f"__nv_{name}", np.array(x))
    np.testing.assert_allclose([back(value) for value in found], x, rtol=1e-12)


@pytest.mark.parametrize(("name", "arguments", "due"), [
    ("__nv_sinpi", [[0.5, 1.0, 1.5, 1e15, 0.25]], [1, 0, -1, 0, math.sqrt(0.5)]),
    ("__nv_cospi", [[0.5, 1.0, 1.5, 2e15, 0.25]], [0, -1, 0, 1, math.sqrt(0.5)]),
    ("__nv_pow", [[2.0, -2.0, 0.0], [10.0, 3.0, 0.0]], [1024, -8, 1]),
    ("__nv_fmod", [[7.5, -7.5], [2.0, 2.0]], [1.5, -1.5]),
    ("__nv_remainder", [[7.5, 5.0], [2.0, 2.0]], [-0.5, 1.0]),
    ("__nv_tgamma", [[5.0, 0.5, 200.0]], [24, math.sqrt(math.pi), math.inf]),
    ("__nv_logb", [[8.0, 0.3, 0.0]], [3, -2, -math.inf]),
])  # fmt: skip
def test_values_known_by_heart(name: str, arguments: list[list[float]], due: list[float]) -> None:
    np.testing.assert_allclose(computed(name, *map(np.array, arguments)), due, rtol=1e-15, atol=1e-15)


def test_bessel_functions_of_the_tables() -> None:
    """Abramowitz and Stegun, Handbook of Mathematical Functions, tables 9.1 and 9.2."""
    x = np.array([0.0, 1.0, 5.0, 10.0])
    for order, due in ((0, [1, 0.7651976865579666, -0.1775967713143383, -0.2459357644513483]),
                       (1, [0, 0.4400505857449335, -0.3275791375914652, 0.0434727461688614])):  # fmt: skip
        np.testing.assert_allclose(computed("__nv_jn", np.full(4, order, np.int32), x), due, atol=1e-14)


def test_float32_subnormals_count_as_zero() -> None:
    x = np.array([1e-40, -1e-40], np.float32)
    assert computed("__nv_logf", x[:1])[0] == -np.inf
    assert np.signbit(computed("__nv_sinf", x)).tolist() == [False, True]
    assert computed("__nv_expf", np.array([-100.0], np.float32))[0] == 0
    assert computed("__nv_exp", np.array([-100.0]))[0] == math.exp(-100)


@pytest.mark.parametrize(("name", "arguments"), [
    ("log", (-2.5,)), ("asin", (2.5,)), ("erfinv", (2.5,)), ("normcdfinv", (-1.0,)), ("fmod", (np.inf, 1.0)),
    ("remainder", (np.inf, 1.0)),
])  # fmt: skip
def test_outside_the_domain_is_nan_not_an_error(name: str, arguments: tuple[float, ...]) -> None:
    assert np.isnan(computed(f"__nv_{name}", *[np.array([x]) for x in arguments])[0])


def test_one_value_for_all_lanes_and_one_a_lane() -> None:
    x, y = np.array([2.0]), np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(computed("__nv_pow", x, y), [2, 4, 8])
