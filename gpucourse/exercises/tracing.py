"""Records what a function does with arrays, as `jax.jit` does: arrays without numbers, and a run with other numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

Inputs = Sequence[Any]


class TracingError(TypeError):
    """A function has asked a traced array for its numbers, or has tried to change it."""


class Traced:
    """An array in a recording: it knows its shape and type, and how it is computed from the inputs.

    `compute(inputs)` gives its numbers; `example` is what they were for the inputs of the recording.
    """

    __array_priority__ = 100      # NumPy's numbers leave `number * traced` to us
    __hash__ = None               # type: ignore[assignment]

    def __init__(self, compute: Callable[[Inputs], Any], example: Any) -> None:
        self._compute, self._example = compute, np.asarray(example)

    shape = property(lambda self: self._example.shape)
    ndim = property(lambda self: self._example.ndim)
    size = property(lambda self: self._example.size)
    dtype = property(lambda self: self._example.dtype)
    T = property(lambda self: recorded(np.transpose, self))

    def __len__(self) -> int:
        return len(self._example)

    def __getattr__(self, name: str) -> Any:
        if name in ("item", "tolist"):
            raise _asked(f".{name}()")
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"a traced array has no attribute {name!r}")
        return lambda *args, **kwargs: recorded(_method(name), self, *args, **kwargs)

    def __getitem__(self, index: Any) -> Any:
        return recorded(operator.getitem, self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TracingError("JAX's arrays cannot be changed: build a new one, such as `a.at[i].set(v)` or `a - b`")

    def __bool__(self) -> bool:
        raise _asked("an `if`, `and`, `min` or the like")

    def __float__(self) -> float:
        raise _asked("float() or a function of `math`")

    def __int__(self) -> int:
        raise _asked("int()")

    __index__ = __int__

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise _asked("NumPy")


def _method(name: str) -> Callable[..., Any]:
    return lambda array, *args, **kwargs: getattr(np.asarray(array), name)(*args, **kwargs)


def _asked(by: str) -> TracingError:
    return TracingError(f"{by} asks for numbers that do not exist yet: while jit records, an array has only a shape "
                        "and a type. Decide with functions of `jnp`")  # fmt: skip


_BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")
_OTHERS = ("lt", "le", "gt", "ge", "eq", "ne", "neg", "abs", "invert", "and_", "or_")


def _operators() -> None:
    """Give Traced the operators of an array."""
    for name in (*_BINARY, *_OTHERS):
        function = getattr(operator, name)
        plain = name.rstrip("_")
        setattr(Traced, f"__{plain}__", lambda self, *other, f=function: recorded(f, self, *other))
        if name in _BINARY:
            setattr(Traced, f"__r{plain}__", lambda self, other, f=function: recorded(f, other, self))


def recorded(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return what `function` gives, as a step of the recording."""
    def compute(inputs: Inputs) -> Any:
        return function(*_numbers(args, inputs), **_numbers(kwargs, inputs))

    with np.errstate(all="ignore"):
        example = function(*_examples(args), **_examples(kwargs))
    return Traced(compute, example)


def _walk(tree: Any, change: Callable[[Traced], Any]) -> Any:
    if isinstance(tree, Traced):
        return change(tree)
    if isinstance(tree, dict):
        return {name: _walk(value, change) for name, value in tree.items()}
    if isinstance(tree, tuple | list):
        return type(tree)(_walk(value, change) for value in tree)
    return tree


def _numbers(tree: Any, inputs: Inputs) -> Any:
    return _walk(tree, lambda traced: traced._compute(inputs))


def _examples(tree: Any) -> Any:
    return _walk(tree, lambda traced: traced._example)


class TracedModule:
    """Stands for `jax.numpy`: NumPy's functions, which record what is done with traced arrays."""

    def __init__(self, module: ModuleType = np) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        if isinstance(found, ModuleType):
            return TracedModule(found)
        return found if isinstance(found, type) or not callable(found) else lambda *a, **k: recorded(found, *a, **k)


def traced(function: Callable[..., Any], examples: Sequence[Any]) -> Callable[[Inputs], Any]:
    """Record `function` once, with arrays like `examples`; return what computes its results for other arrays.

    >>> run = traced(lambda a: 2 * a, [np.zeros(2)])
    >>> run([np.ones(2)])
    array([2., 2.])
    """
    def read(k: int) -> Callable[[Inputs], Any]:
        return lambda inputs: inputs[k]

    result = function(*(Traced(read(k), example) for k, example in enumerate(examples)))
    return lambda inputs: _numbers(result, inputs)


_operators()
