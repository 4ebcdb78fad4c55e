"""`fuse`: a function of elementwise operations becomes one kernel, with no temporary arrays."""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np

from . import counters

_state = threading.local()
_ACCEPTED = (int, float, bool, complex, np.generic)
REDUCTIONS = {
    "sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min, "amax": np.max, "amin": np.min,
    "all": np.all, "any": np.any,
}  # fmt: skip


def is_fusing() -> bool:
    """Whether a function is being fused in this thread."""
    return getattr(_state, "fusing", False)


class Variable:
    """What a fused function gets instead of an array: it can be computed with, not looked at.

    It holds the values in NumPy, as a kernel holds them in registers: no device memory, no launch.
    """

    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, values: Any) -> None:
        self._values = values

    @property
    def dtype(self) -> Any:
        """The type of the elements."""
        return np.result_type(self._values)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return np.ndim(self._values)

    @property
    def shape(self) -> Any:
        """Not known while a function is fused."""
        raise NotImplementedError("`shape` is not supported, currently.")

    def copy(self) -> Variable:
        """Return a copy."""
        return Variable(np.copy(self._values))

    def astype(
        self, dtype: Any, order: Any = None, casting: Any = None, subok: Any = None, copy: bool = True
    ) -> Variable:
        """Return the values as `dtype`."""
        from .casting import cast

        return Variable(cast(np.asarray(self._values), dtype))

    def __bool__(self) -> bool:
        raise TypeError("Cannot convert to Python scalar in cupy.fuse")

    __int__ = __float__ = __complex__ = __bool__  # type: ignore[assignment]

    def __setitem__(self, slices: Any, value: Any) -> None:
        if slices is not Ellipsis and not (isinstance(slices, slice) and slices == slice(None)):
            raise ValueError("The fusion supports `[...]` or `[:]`.")
        np.copyto(self._values, values_of(value), casting="unsafe")

    def __getitem__(self, index: Any) -> Variable:
        whole = index is Ellipsis or (isinstance(index, slice) and index in (slice(None), slice(None, None, -1)))
        if not whole and index is not None and not isinstance(index, int):
            raise NotImplementedError(
                "Only full range ``x[::]`` or reverse ``x[::-1]`` is supported for basic slicing in CuPy fusion."
            )
        return Variable(self._values[index])

    def __repr__(self) -> str:
        return f"_ArrayProxy([...], dtype='{self.dtype.char}', ndim={self.ndim})"


def _reduction_method(name: str) -> Any:
    return lambda self, axis=None, dtype=None, out=None, keepdims=False: call_reduction(
        name, self, axis, dtype, out, keepdims
    )


for _name in ("sum", "prod", "max", "min", "all", "any"):
    setattr(Variable, _name, _reduction_method(_name))


def values_of(operand: Any) -> Any:
    """Return what an operand of a fused operation stands for; refuse arrays that are not parameters."""
    from .array import ndarray, scalar

    if isinstance(operand, Variable):
        return operand._values
    if isinstance(operand, ndarray):
        raise TypeError("Concrete ndarray is not supported in fusion.")
    return scalar(operand)


def call_ufunc(ufunc: Any, args: tuple[Any, ...], out: Any, dtype: Any) -> Any:
    """Compute one operation inside the fused kernel."""
    operands, outs = args[: ufunc.nin], args[ufunc.nin :] or (() if out is None else (out,))
    results = ufunc.compute([values_of(each) for each in operands], dtype)
    if outs:
        return _store(outs[0], results[0])
    made = tuple(Variable(each) for each in results)
    return made[0] if len(made) == 1 else made


def _store(out: Variable, result: Any) -> Variable:
    from .casting import cast, check_cast

    check_cast(result.dtype, out.dtype, "same_kind", "output operand")
    out._values[...] = cast(result, out.dtype)
    return out


def call_reduction(name: str, a: Any, axis: Any, dtype: Any, out: Any, keepdims: bool) -> Any:
    """Compute one reduction inside the fused kernel."""
    if keepdims:
        raise NotImplementedError("keepdims is not supported.")
    options = {} if dtype is None else {"dtype": dtype}
    result = REDUCTIONS[name](values_of(a), axis=axis, **options)
    return Variable(result) if out is None else _store(out, np.asarray(result))


class Fusion:
    """A fused function: call it with device arrays and scalars; one launch a call."""

    def __init__(self, func: Any, name: str | None = None) -> None:
        self.func, self.name = func, name or func.__name__

    def __repr__(self) -> str:
        return f"<Fusion '{self.name}'>"

    def clear_cache(self) -> None:
        """Forget compiled kernels; there are none."""

    def __call__(self, *args: Any) -> Any:
        from .array import ndarray

        if is_fusing() or not any(isinstance(each, ndarray) for each in args):
            return self.func(*args)
        for each in args:
            if each is not None and not isinstance(each, (*_ACCEPTED, ndarray)):
                kinds = ", ".join(repr(type(arg)) for arg in args)
                raise TypeError(f"Invalid argument type for '{self.name}': ({kinds})")
        _state.fusing = True
        try:
            result = self.func(*(_enter(each) for each in args))
        finally:
            _state.fusing = False
        counters.launch()
        return _leave(result, [each for each in args if isinstance(each, ndarray)])


def _enter(arg: Any) -> Any:
    from .array import ndarray

    if isinstance(arg, ndarray):
        return Variable(arg._host)
    return arg if arg is None else Variable(arg)


def _leave(result: Any, arrays: list[Any]) -> Any:
    """Return what the kernel wrote as device arrays; a parameter that it wrote to is that parameter."""
    from .array import own

    if isinstance(result, tuple):
        return tuple(_leave(each, arrays) for each in result)
    if result is None:
        return None
    if not isinstance(result, Variable):
        raise TypeError(f"Fusion function can't return {type(result)}")
    for each in arrays:
        if result._values is each._host:
            return each
    return own(np.array(result._values, order="C"))


def fuse(*args: Any, **kwargs: Any) -> Any:
    """Fuse a function into one kernel: `@fuse` or `@fuse(kernel_name="name")`.

    >>> @cp.fuse
    ... def squared_difference(x, y):
    ...     return (x - y) * (x - y)
    """

    def wrapper(function: Any, kernel_name: str | None = None) -> Any:
        return functools.update_wrapper(Fusion(function, kernel_name), function)

    if len(args) == 1 and not kwargs and callable(args[0]):
        return wrapper(args[0])
    return lambda function: wrapper(function, *args, **kwargs)


def attach_operators() -> None:
    """Give a fused variable the operators of an array."""
    from .ufuncs import _COMPARISONS, _OPERATORS, _UNARY, TABLE

    for dunder, name in (_OPERATORS | _COMPARISONS | _UNARY).items():
        if name in TABLE and dunder != "divmod":
            setattr(Variable, f"__{dunder}__", lambda x, *y, operation=TABLE[name]: operation(x, *y))
    for dunder, name in _OPERATORS.items():
        if name in TABLE and dunder not in ("divmod", "pow"):  # CuPy's proxies have no reflected power
            setattr(Variable, f"__r{dunder}__", lambda x, y, operation=TABLE[name]: operation(y, x))
            setattr(Variable, f"__i{dunder}__", lambda x, y, operation=TABLE[name]: operation(x, y, x))
