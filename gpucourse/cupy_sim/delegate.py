"""Runs a NumPy function on device arrays under CuPy's signature: the engine behind every regular function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import counters
from .array import ndarray, wrap
from .names import SIGNATURES

_NOT_ARRAYS = (np.ndarray, list)  # where one array is due, neither may take its place


@functools.cache
def _texts() -> dict[str, str]:
    """CuPy's signatures by dotted name, as text without the first parenthesis: {"sum": "a, axis=None, ...)"}."""
    return dict(line.split("(", 1) for line in SIGNATURES.split("\n")[1:-1])


def has(name: str) -> bool:
    """Whether CuPy has a callable of this dotted name."""
    return name in _texts()


@functools.cache
def signature(name: str) -> inspect.Signature:
    """Return CuPy's own signature of `name`, such as "sum" or "linalg.svd"; KeyError if it has none."""
    scope: dict[str, Any] = {}
    exec(f"def f({_texts()[name]}: pass", {"float": float, "int": int, "numpy": np}, scope)
    return inspect.signature(scope["f"])


def host_of(value: Any, name: str) -> Any:
    """Return what NumPy computes with: device arrays opened, also inside lists and tuples; a NumPy array is refused."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, (list, tuple)):
        return type(value)([host_of(each, name) for each in value])
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    return value


def arrays_in(value: Any) -> Iterator[ndarray]:
    """Yield the device arrays among arguments, also inside lists and tuples."""
    if isinstance(value, ndarray):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from arrays_in(each)


def device_function(name: str, function: Callable[..., Any], array_first: bool = True) -> Callable[..., Any]:
    """Return `function` for device arrays, with the signature that CuPy has for `name`.

    The result lives on the device; where it shares memory with an argument it is a view and costs nothing,
    otherwise the call counts as one launch. With `array_first` the first argument must be a device array.
    """
    short = name.rpartition(".")[2]
    shape = signature(name) if has(name) else None

    def call(*args: Any, **kwargs: Any) -> Any:
        if shape is not None:
            _bind(shape, short, args, kwargs)
        if array_first:
            _require_array(args, kwargs)
        sources = [*arrays_in(args), *arrays_in(list(kwargs.values()))]
        hosts = [host_of(each, short) for each in args]
        named = {key: host_of(value, short) for key, value in kwargs.items() if value is not None}
        with np.errstate(all="ignore"):
            result = wrap(function(*hosts, **named), sources)
        counters.launch(any(_is_new(each, sources) for each in arrays_in(result)))
        return result

    call.__name__ = call.__qualname__ = short
    call.__doc__ = f"CuPy's `{name}`: as NumPy's, on device arrays."
    call.__module__ = "cupy"
    if shape is not None:
        call.__signature__ = shape  # type: ignore[attr-defined]
    return call


def _bind(shape: inspect.Signature, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    try:
        shape.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{name}() {error}") from None


def _require_array(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    first = args[0] if args else next(iter(kwargs.values()), None)
    if isinstance(first, _NOT_ARRAYS):
        raise TypeError(f"Unsupported type {type(first)}")


def _is_new(result: ndarray, sources: list[ndarray]) -> bool:
    return bool(result.size) and result.base is None and not any(result is each for each in sources)
