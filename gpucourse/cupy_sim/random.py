"""`cp.random`: CuPy's generators and distributions. Their numbers are neither CuPy's nor NumPy's; their laws are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import counters
from .array import ndarray, own
from .delegate import has, host_of, signature

# distributions of the legacy interface that take (parameters, size, dtype); NumPy has the same names
DISTRIBUTIONS = (
    "beta binomial chisquare dirichlet exponential f gamma geometric gumbel hypergeometric laplace logistic lognormal "
    "logseries negative_binomial noncentral_chisquare noncentral_f normal pareto poisson power rayleigh "
    "standard_cauchy standard_exponential standard_gamma standard_normal standard_t triangular uniform vonmises "
    "wald weibull zipf random_sample multinomial"
)
GENERATOR = (
    "beta binomial chisquare dirichlet exponential f gamma geometric hypergeometric logseries poisson power random "
    "standard_exponential standard_gamma standard_normal uniform"
)


def _draw(
    name: str, owner: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> ndarray:
    """Bind to CuPy's signature, draw on the host, deliver on the device in the asked dtype; one launch."""
    given = signature(f"{owner}{name}").bind(*args, **kwargs)
    given.apply_defaults()
    bound = dict(given.arguments)
    bound.pop("self", None)
    dtype, out = bound.pop("dtype", None), bound.pop("out", None)
    values = function(**{_numpy_name(name, key): host_of(value, name) for key, value in bound.items()})
    return _deliver(values, dtype, out)


def _numpy_name(distribution: str, key: str) -> str:
    """NumPy's parameter of the same meaning, where CuPy names it otherwise."""
    return {("chisquare", "df"): "df"}.get((distribution, key), key)


def _deliver(values: Any, dtype: Any, out: ndarray | None = None) -> ndarray:
    counters.launch(bool(np.size(values)))
    host = np.asarray(values)
    host = host if dtype is None else host.astype(np.dtype(dtype), copy=False)
    if out is None:
        return own(np.array(host, order="C"))
    out._host[...] = host
    return out


class RandomState:
    """CuPy's legacy generator: `seed` (int or None) fixes the numbers that follow."""

    def __init__(self, seed: Any = None, method: int = 100) -> None:
        self.seed(seed)

    def seed(self, seed: Any = None) -> None:
        """Start anew from `seed`: an int, an array of ints, or None for one from the operating system."""
        if seed is not None and not isinstance(seed, (int, np.integer, np.ndarray, list, tuple)):
            raise TypeError("Seed must be an integer, an array of integers or None")
        self._state = np.random.RandomState(np.random.Philox(seed))

    def rand(self, *size: int, **kwarg: Any) -> ndarray:
        """Return uniform numbers in [0, 1) in the shape given by the arguments; `dtype` is float32 or float64."""
        dtype = _only_dtype(kwarg)
        return _deliver(self._state.random_sample(size or None), dtype)

    def randn(self, *size: int, **kwarg: Any) -> ndarray:
        """Return standard normal numbers in the shape given by the arguments."""
        dtype = _only_dtype(kwarg)
        return _deliver(self._state.standard_normal(size or None), dtype)

    def randint(self, low: Any, high: Any = None, size: Any = None, dtype: Any = "l") -> ndarray:
        """Return integers from `low` up to and without `high` (from 0 up to `low` with one argument)."""
        return _deliver(self._state.randint(host_of(low, "randint"), host_of(high, "randint"), size), dtype)

    def choice(self, a: Any, size: Any = None, replace: bool = True, p: Any = None) -> ndarray:
        """Return a sample of a one-dimensional array, or of range(a)."""
        picked = self._state.choice(host_of(a, "choice"), size, replace, host_of(p, "choice"))
        return _deliver(picked, None)

    def permutation(self, a: Any) -> ndarray:
        """Return a shuffled copy, or a shuffled range(a)."""
        return _deliver(self._state.permutation(host_of(a, "permutation")), None)

    def shuffle(self, a: ndarray) -> None:
        """Shuffle along the first axis, in place."""
        counters.launch(bool(a.size))
        a._host[...] = a._host[self._state.permutation(len(a))]

    def multivariate_normal(
        self, mean: Any, cov: Any, size: Any = None, check_valid: str = "ignore", tol: float = 1e-8,
        method: str = "cholesky", dtype: Any = float,
    ) -> ndarray:  # fmt: skip
        """Return vectors with the given mean and covariance."""
        hosts = [np.asarray(host_of(each, "multivariate_normal")) for each in (mean, cov)]
        return _deliver(self._state.multivariate_normal(*hosts, size, check_valid, tol), dtype)


def _only_dtype(kwarg: dict[str, Any]) -> Any:
    dtype = kwarg.pop("dtype", float)
    if kwarg:
        raise TypeError(f"rand() got unexpected keyword arguments {', '.join(map(repr, kwarg))}")
    return dtype


class Generator:
    """CuPy's new generator, as `default_rng` makes it."""

    def __init__(self, bit_generator: Any) -> None:
        self.bit_generator = bit_generator
        self._generator = np.random.Generator(bit_generator)

    def integers(
        self, low: Any, high: Any = None, size: Any = None, dtype: Any = np.int64, endpoint: bool = False
    ) -> ndarray:
        """Return integers from `low` up to and without `high`, or with it where `endpoint` is True."""
        values = self._generator.integers(host_of(low, "integers"), host_of(high, "integers"), size, endpoint=endpoint)
        return _deliver(values, dtype)


def default_rng(seed: Any = None) -> Generator:
    """Return a Generator; the same `seed` gives the same numbers, which are not NumPy's."""
    if isinstance(seed, Generator):
        return seed
    return Generator(np.random.Philox(seed))


def _method(name: str, inner: str, owner: str) -> Callable[..., Any]:
    def draw(self: Any, *args: Any, **kwargs: Any) -> ndarray:
        return _draw(name, owner, getattr(getattr(self, inner), name), (self, *args), kwargs)

    draw.__name__, draw.__doc__ = name, f"Draw from NumPy's `{name}`, on the device."
    return draw


for _name in DISTRIBUTIONS.split():
    if has(f"random.RandomState.{_name}") and _name not in RandomState.__dict__:
        setattr(RandomState, _name, _method(_name, "_state", "random.RandomState."))
for _name in GENERATOR.split():
    if has(f"random.Generator.{_name}"):
        setattr(Generator, _name, _method(_name, "_generator", "random.Generator."))

_current: list[RandomState] = []


def get_random_state() -> RandomState:
    """Return the state behind the functions of this module."""
    if not _current:
        _current.append(RandomState())
    return _current[0]


def set_random_state(rs: RandomState) -> None:
    """Put another state behind the functions of this module."""
    if not isinstance(rs, RandomState):
        raise TypeError(f"Random state must be an instance of RandomState. Actual: {type(rs)}")
    _current[:] = [rs]


def seed(seed: Any = None) -> None:
    """Start the functions of this module anew from `seed`."""
    get_random_state().seed(seed)


def reset_states() -> None:
    """Forget the state; the next number comes from a fresh one."""
    _current.clear()


def bytes(length: int) -> bytes:  # type: ignore[valid-type]
    """Return random bytes on the host."""
    return get_random_state()._state.bytes(length)


def random(size: Any = None, dtype: Any = float) -> ndarray:
    """Return uniform numbers in [0, 1)."""
    return get_random_state().random_sample(size, dtype)  # type: ignore[attr-defined, no-any-return]


ranf = sample = random


def random_integers(low: Any, high: Any = None, size: Any = None) -> ndarray:
    """Return integers from `low` (or 1) to `high` (or `low`), both included."""
    low, high = (1, low) if high is None else (low, high)
    return get_random_state().randint(low, high + 1, size)


def __getattr__(name: str) -> Any:
    if name.startswith("_") or not hasattr(RandomState, name) or not has(f"random.{name}"):
        raise AttributeError(f"module 'cupy.random' has no attribute {name!r}")

    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(get_random_state(), name)(*args, **kwargs)

    call.__name__, call.__doc__ = name, getattr(RandomState, name).__doc__
    globals()[name] = call
    return call


def __dir__() -> list[str]:
    own_names = {name for name in globals() if not name.startswith("_") and has(f"random.{name}")}
    drawn = {name for name in dir(RandomState) if has(f"random.{name}")}
    return sorted(own_names | drawn | {"RandomState", "Generator"})


