"""Universal functions: they take device arrays and scalars, never NumPy arrays or lists."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import counters, fusion
from .array import array, ndarray, own, scalar
from .casting import DEVICE_TYPES, cast, check_cast
from .names import UFUNCS


def _integer_power(base: Any, exponent: Any, **options: Any) -> Any:
    """Raise to a power; a negative integer power of an integer is 0, 1 or -1 on a GPU, an error in NumPy."""
    kinds = {np.result_type(each).kind for each in (base, exponent)}
    if not kinds <= {"b", "i", "u"} or not np.any(np.less(exponent, 0)):
        return np.power(base, exponent, **options)
    result = np.asarray(np.power(base, np.maximum(exponent, 0), **options))
    odd = np.where(np.asarray(exponent) % 2 == 1, base, 1)
    return np.where(np.less(exponent, 0), np.where(np.abs(base) == 1, odd, 0), result).astype(result.dtype)


def _fix(x: Any) -> Any:
    return np.trunc(x) if np.result_type(x).kind == "f" else np.trunc(np.asarray(x, float))


# what CuPy has as a ufunc and NumPy as a function, or computes otherwise
_IRREGULAR = {"fix": _fix, "i0": np.i0, "sinc": np.sinc, "power": _integer_power, "pow": _integer_power}
# the methods that CuPy builds for these ufuncs only
_REDUCIBLE = {"cupy_add": "sum", "cupy_multiply": "prod"}
_SCANNABLE = {"cupy_add": "cumsum", "cupy_multiply": "cumprod"}
_ATOMIC = ("cupy_add", "cupy_maximum", "cupy_minimum", "cupy_bitwise_and", "cupy_bitwise_or", "cupy_bitwise_xor")


class ufunc:
    """An elementwise function of device arrays and scalars: one kernel launch a call.

    Takes `out`, `dtype` and `casting`; raises TypeError for NumPy arrays, lists and unknown arguments.
    """

    def __init__(self, name: str, printed: str, nin: int, nout: int) -> None:
        self.__name__, self.name, self.nin, self.nout, self.nargs = name, printed, nin, nout, nin + nout
        self._function = _IRREGULAR.get(name) or getattr(np, name)
        self._regular = isinstance(self._function, np.ufunc)
        self.__doc__ = getattr(self._function, "__doc__", None)

    def __repr__(self) -> str:
        return f"<ufunc '{self.name}'>"

    @property
    def types(self) -> list[str]:
        """The loops, as type characters: "ff->f"."""
        every = getattr(getattr(np, self.__name__), "types", [])
        return [each for each in every if set(each) <= {*DEVICE_TYPES, "-", ">"}]

    def __call__(
        self, *args: Any, out: Any = None, dtype: Any = None, casting: str = "same_kind", **unknown: Any
    ) -> Any:
        if fusion.is_fusing():
            return fusion.call_ufunc(self, args, out, dtype)
        if unknown:
            raise TypeError(f"Wrong arguments {unknown}")
        outs = self._outputs(args, out)
        hosts = [each._host if isinstance(each, ndarray) else scalar(each) for each in args[: self.nin]]
        target = outs[0]._host if self._fills(outs, dtype) else None
        results = self.compute(hosts, dtype, target)
        counters.launch(bool(np.size(results[0])))
        made = [_deliver(result, wanted, casting) for result, wanted in zip(results, outs, strict=True)]
        return made[0] if self.nout == 1 else tuple(made)

    def _fills(self, outs: list[Any], dtype: Any) -> bool:
        """Whether NumPy may write into the output: only where the result has its type already."""
        return self._regular and self.nout == 1 and outs[0] is not None and outs[0].dtype.kind in "fc" and dtype is None

    def _outputs(self, args: tuple[Any, ...], out: Any) -> list[Any]:
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(
                f"Wrong number of arguments for {self.name!r}. It must be either {self.nin} or {self.nargs} "
                f"(with outputs), but given {len(args)}."
            )
        given = list(args[self.nin :])
        if out is not None:
            if given:
                raise ValueError("Cannot specify 'out' as both a positional and keyword argument")
            given = list(out) if isinstance(out, tuple) else [out]
            if len(given) != self.nout:
                raise ValueError("The 'out' tuple must have exactly one entry per ufunc output")
        for each in given:
            if each is not None and not isinstance(each, ndarray):
                raise TypeError("Output arguments type must be cupy.ndarray")
        return given + [None] * (self.nout - len(given))

    def compute(self, hosts: list[Any], dtype: Any = None, target: Any = None) -> list[Any]:
        """Return the results on NumPy arrays and scalars, C-contiguous, without warnings, as a GPU computes."""
        options = {} if dtype is None or not (self._regular or "pow" in self.name) else {"dtype": dtype}
        if self._regular:
            options["order"] = "C"
            if target is not None:
                options |= {"out": target, "casting": "same_kind"}
        try:
            with np.errstate(all="ignore"):
                result = self._function(*hosts, **options)
        except np._core._exceptions._UFuncNoLoopError:
            kinds = ", ".join(repr(np.result_type(each)) for each in hosts)
            raise TypeError(f"Wrong type ({kinds}) of arguments for {self.name}") from None
        except np._core._exceptions._UFuncOutputCastingError as error:
            check_cast(error.from_, error.to, error.casting, "output operand")
            raise
        return [np.asarray(each) for each in (result if self.nout > 1 else (result,))]

    def outer(self, A: Any, B: Any, **options: Any) -> Any:
        """Apply to every pair of an element of A and one of B."""
        A, B = array(A, copy=False) if isinstance(A, ndarray) else array(A), array(B)
        return self(A.reshape(A.shape + (1,) * B.ndim), B.reshape((1,) * A.ndim + B.shape), **options)

    def at(self, a: ndarray, indices: Any, b: Any = None) -> None:
        """Apply in place at `indices`, repeated ones included."""
        if self.name not in _ATOMIC:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        a._scatter(self._function, indices, b)

    def reduce(self, array: ndarray, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        """Reduce along `axis`: add and multiply only."""
        return self._method("reduce", _REDUCIBLE, array)(axis, dtype, out, keepdims)

    def accumulate(self, array: ndarray, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """Accumulate along `axis`: add and multiply only."""
        return self._method("accumulate", _SCANNABLE, array)(axis, dtype, out)

    def reduceat(self, array: ndarray, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """Reduce slices of `axis` that begin at `indices`: add only."""
        self._method("reduceat", {"cupy_add": "sum"}, array)
        counters.launch()
        where = indices._host if isinstance(indices, ndarray) else indices
        return _deliver(np.add.reduceat(array._host, where, axis, dtype), out, "same_kind")

    def _method(self, what: str, table: dict[str, str], of: Any) -> Any:
        if self.name not in table:
            raise NotImplementedError(f"`{self.name}.{what}` is not supported yet")
        return getattr(of, table[self.name])


ufunc.__module__ = "cupy"


def _deliver(result: np.ndarray, wanted: ndarray | None, casting: str) -> ndarray:
    """Return the result as a new array, or in `wanted` where that was given."""
    if wanted is None:
        return own(result)
    if wanted._host is not result:
        check_cast(result.dtype, wanted.dtype, casting, "output operand")
        if np.broadcast_shapes(result.shape, wanted.shape) != wanted.shape:
            raise ValueError(
                f"non-broadcastable output operand with shape {wanted.shape} doesn't match the broadcast shape "
                f"{result.shape}"
            )
        wanted._host[...] = cast(result, wanted.dtype)
    return wanted


def _table() -> dict[str, ufunc]:
    """Return CuPy's ufuncs by name; two names of one function are one object."""
    made: dict[str, ufunc] = {}
    table = {}
    for line in UFUNCS.split("\n")[1:-1]:
        name, printed, nin, nout = line.split()
        table[name] = made.setdefault(printed, None) or made.setdefault(name, ufunc(name, printed, int(nin), int(nout)))
    return table


TABLE = _table()
_COMPARISONS = {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
}  # fmt: skip
_OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide",
    "mod": "remainder", "divmod": "divmod", "pow": "power", "lshift": "left_shift", "rshift": "right_shift",
    "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "matmul": "matmul",
}  # fmt: skip
_UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}


def _defers(x: Any, y: Any) -> bool:
    """Whether Python should ask `y` for the answer (NEP 13, and `__array_priority__` for what does not know it)."""
    try:
        return y.__array_ufunc__ is None
    except AttributeError:
        return getattr(x, "__array_priority__", 0) < getattr(y, "__array_priority__", 0)


def _binary(name: str, reflected: bool) -> Any:
    numpy_ufunc = getattr(np, name)

    def operate(x: Any, y: Any) -> Any:
        if not isinstance(y, ndarray) and _defers(x, y):
            return NotImplemented
        # through NumPy's dispatch, so that a list is refused in the words in which CuPy refuses it
        return numpy_ufunc(y, x) if reflected else numpy_ufunc(x, y)

    return operate


def _in_place(name: str) -> Any:
    def operate(x: Any, y: Any) -> Any:
        return _operation(name)(x, y, x)

    return operate


def _operation(name: str) -> Any:
    if name in TABLE:
        return TABLE[name]
    from gpucourse import cupy_sim

    return getattr(cupy_sim, name)


def _comparison(name: str) -> Any:
    numpy_ufunc = getattr(np, name)

    def compare(x: Any, y: Any) -> Any:
        if name in ("equal", "not_equal") and type(y).__eq__ is object.__eq__:
            return own(np.full(x.shape, name == "not_equal"))  # None, Ellipsis and the like
        return NotImplemented if not isinstance(y, ndarray) and _defers(x, y) else numpy_ufunc(x, y)

    return compare


def attach_operators() -> None:
    """Give the device array its operators."""
    for dunder, name in _OPERATORS.items():
        setattr(ndarray, f"__{dunder}__", _binary(name, False))
        setattr(ndarray, f"__r{dunder}__", _binary(name, True))
        if dunder not in ("divmod", "matmul"):
            setattr(ndarray, f"__i{dunder}__", _in_place(name))
    for dunder, name in _COMPARISONS.items():
        setattr(ndarray, f"__{dunder}__", _comparison(name))
    for dunder, name in _UNARY.items():
        setattr(ndarray, f"__{dunder}__", lambda x, operation=TABLE[name]: operation(x))


def from_numpy(numpy_ufunc: Any, method: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Answer NumPy's dispatch: np.sin(device array) runs on the device."""
    if "out" in options:
        if len(options["out"]) != 1:
            raise ValueError("The 'out' parameter must have exactly one array value")
        options = options | {"out": options["out"][0]}
    try:
        ours = _operation(numpy_ufunc.__name__)
    except AttributeError:
        return NotImplemented
    if method != "__call__":
        return getattr(ours, method)(*inputs, **options)
    # a NumPy array goes on to be refused by name; what is no array at all, NumPy refuses
    if not all(isinstance(each, (ndarray, np.ndarray, np.generic, int, float, complex)) for each in inputs):
        return NotImplemented
    if numpy_ufunc.__name__ in _COMPARISONS.values():
        inputs = tuple(each.item() if isinstance(each, np.ndarray) and each.ndim == 0 else each for each in inputs)
    return ours(*inputs, **options)


attach_operators()
