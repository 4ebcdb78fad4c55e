"""What kind of value something is, as messages call it: a number, a NumPy array, a generator."""

from __future__ import annotations

import inspect
import math
import numbers
from typing import Any

import numpy as np

# kind -> how a sentence calls it
NAMES = {
    "none": "None",
    "ellipsis": "`...`",
    "bool": "True or False",
    "number": "a number",
    "complex": "a complex number",
    "string": "a string",
    "array": "a NumPy array",
    "masked array": "a masked NumPy array",
    "matrix": "a NumPy matrix",
    "device array": "a device array",
    "tensor": "a torch tensor",
    "sequence": "a list or tuple",
    "mapping": "a dict",
    "set": "a set",
    "generator": "a generator",
    "coroutine": "a coroutine",
    "module": "a module",
    "class": "a class",
    "function": "a function",
}


def _is_number(value: Any, found: type) -> bool:
    if found is np.ndarray:
        return bool(value.ndim == 0 and value.dtype.kind in "iuf")
    return issubclass(found, (numbers.Real, np.integer, np.floating))


# tried in this order; each asks the type and never the value's own methods, which may do anything
_KINDS = (
    ("none", lambda value, found: value is None),
    ("ellipsis", lambda value, found: value is ...),
    ("bool", lambda value, found: issubclass(found, (bool, np.bool_))),
    ("number", _is_number),
    ("complex", lambda value, found: issubclass(found, (complex, np.complexfloating))),
    ("string", lambda value, found: issubclass(found, str)),
    ("masked array", lambda value, found: issubclass(found, np.ma.MaskedArray)),
    ("matrix", lambda value, found: issubclass(found, np.matrix)),
    ("array", lambda value, found: issubclass(found, np.ndarray)),
    ("tensor", lambda value, found: found.__module__ == "torch" and found.__name__ == "Tensor"),
    ("sequence", lambda value, found: issubclass(found, (list, tuple))),
    ("mapping", lambda value, found: issubclass(found, dict)),
    ("set", lambda value, found: issubclass(found, (set, frozenset))),
    ("generator", lambda value, found: inspect.isgenerator(value)),
    ("coroutine", lambda value, found: inspect.iscoroutine(value)),
    ("module", lambda value, found: inspect.ismodule(value)),
    ("class", lambda value, found: issubclass(found, type)),
    ("function", lambda value, found: inspect.isroutine(value)),
)


def kind(value: Any, xp: Any = np) -> str:
    """Return the kind of `value`, a key of `NAMES`, or the name of its type for what the table lacks.

    `xp` is the array module in use: its arrays are device arrays unless it is NumPy. An array without
    dimensions counts as a number on the host, and as a device array on the device.
    """
    found = type(value)
    if xp is not np and xp is not None and issubclass(found, xp.ndarray):
        return "device array"
    return next((name for name, belongs in _KINDS if belongs(value, found)), found.__name__)


def called(value: Any, xp: Any = np) -> str:
    """Return how a sentence calls `value`: "the string '3.2'", "a NumPy array", "True"."""
    what = kind(value, xp)
    if what == "string":
        return f"the string {short(value)}"
    if what in ("bool", "none"):
        return str(value)
    if what == "number":
        return f"the number {number(value)}"
    if what == "sequence":
        return "a list" if issubclass(type(value), list) else "a tuple"
    return NAMES.get(what, f"an object of type {what}")


def numpy_of(value: Any, xp: Any = np) -> Any:
    """Return a host copy of `value` where it is a device array, and `value` itself otherwise."""
    return xp.asnumpy(value) if kind(value, xp) == "device array" else value


def real(value: Any) -> Any:
    """Return a number that NumPy can hold; an int too large for 64 bits becomes a float or infinite."""
    if not issubclass(type(value), (numbers.Real, np.generic)):
        return value
    if issubclass(type(value), int) and not -(2**63) <= value < 2**63:
        return _as_float(value)
    return value if issubclass(type(value), (int, np.generic)) else _as_float(value)


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def number(value: Any, digits: int = 4) -> str:
    """Return a number in readable form: whole ones below 10**15 in full, others with `digits` digits."""
    if kind(value) != "number":
        return short(value)
    plain = _as_float(value)
    if math.isinf(plain) and issubclass(type(value), int):
        return f"a whole number of about {round(value.bit_length() * math.log10(2))} digits"
    if math.isfinite(plain) and plain == int(plain) and abs(plain) < 1e15:
        return str(int(plain))
    return f"{plain:.{digits}g}"


def is_numeral(text: str) -> bool:
    """Say whether a string is a number in quotes."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def short(value: Any, limit: int = 40) -> str:
    """Return repr(value) on one line, cut to `limit` characters; its type where it has none."""
    if kind(value) == "string":
        value = str.__str__(value)[: limit + 1]
    try:
        text = " ".join(repr(value).split())
    except Exception:
        return f"an object of type {type(value).__name__}"
    return text if len(text) <= limit + 2 else text[:limit] + "…"
