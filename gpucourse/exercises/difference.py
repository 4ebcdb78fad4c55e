"""The first difference between the value an answer gave and the value that is due, in words."""

from __future__ import annotations

import inspect
import math
import numbers
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

# kind -> how a sentence calls it
NAMES = {
    "none": "None",
    "ellipsis": "still `...`",
    "bool": "True or False",
    "number": "a number",
    "complex": "a complex number",
    "string": "a string",
    "array": "a NumPy array",
    "masked array": "a masked NumPy array",
    "matrix": "a NumPy matrix",
    "device array": "a device array",
    "sequence": "a list or tuple",
    "mapping": "a dict",
    "set": "a set",
    "generator": "a generator",
    "coroutine": "a coroutine",
    "class": "a class",
    "function": "a function",
}

# (kind given, kind due) -> what that means; "*" stands for any
ADVICE = {
    ("array", "device array"): "It was copied to the host or made with `np`; keep it on the device with `cp`.",
    ("number", "device array"): "`float()`, `.item()` and the like copy it to the host; leave it on the device.",
    ("device array", "array"): "Copy it to the host with `cp.asnumpy(...)` or `.get()`.",
    ("device array", "number"): "Turn it into a Python number with `float(...)` or `.item()`.",
    ("sequence", "array"): "Turn it into an array with `np.array(...)`.",
    ("sequence", "device array"): "Turn it into a device array with `cp.array(...)`.",
    ("string", "number"): "Leave out the quotes.",
    ("generator", "*"): "`yield` makes a generator; use `return`.",
    ("coroutine", "*"): "`async def` makes a coroutine; use plain `def`.",
    ("function", "*"): "The parentheses of a call may be missing.",
    ("class", "*"): "The parentheses of a call may be missing.",
}


@dataclass(frozen=True)
class Tolerance:
    """How far two numbers may lie apart: |got - due| <= absolute + relative * |due|."""

    relative: float = 1e-6
    absolute: float = 0.0
    dtype: bool = True

    def holds(self, got: Any, due: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.isclose(got, due, rtol=self.relative, atol=self.absolute, equal_nan=True)


def kind(value: Any, xp: Any = np) -> str:
    """Return the kind of `value`, a key of `NAMES`, or the name of its type for what the table lacks."""
    found = type(value)
    for name, belongs in _KINDS:
        if belongs(value, found):
            return name
    if xp is not np and xp is not None and issubclass(found, xp.ndarray):
        return "device array"
    return found.__name__


def _is_number(value: Any, found: type) -> bool:
    if found is np.ndarray:
        return bool(value.ndim == 0 and value.dtype.kind in "iuf")
    return issubclass(found, (numbers.Real, np.integer, np.floating))


# tried in this order; each asks the type, never the value's own methods
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
    ("sequence", lambda value, found: issubclass(found, (list, tuple))),
    ("mapping", lambda value, found: issubclass(found, dict)),
    ("set", lambda value, found: issubclass(found, (set, frozenset))),
    ("generator", lambda value, found: inspect.isgenerator(value)),
    ("coroutine", lambda value, found: inspect.iscoroutine(value)),
    ("class", lambda value, found: issubclass(found, type)),
    ("function", lambda value, found: inspect.isroutine(value)),
)


def called(value: Any, xp: Any = np) -> str:
    """Return how a sentence calls `value`: "the string '3.2'", "a NumPy array", "True"."""
    what = kind(value, xp)
    if what == "string":
        return f"the string {short(value)}"
    if what in ("bool", "none"):
        return str(value)
    if what == "sequence":
        return "a list" if isinstance(value, list) else "a tuple"
    if type(value).__module__ == "torch" and what == "Tensor":
        return "a torch tensor"
    return NAMES.get(what, f"an object of type {what}")


def numpy_of(value: Any, xp: Any = np) -> Any:
    """Return a host copy of `value` where it is a device array, and `value` itself otherwise."""
    return xp.asnumpy(value) if kind(value, xp) == "device array" else value


def first_difference(got: Any, due: Any, tolerance: Tolerance, xp: Any = np, place: str = "") -> str | None:
    """Return the first difference as a clause that follows the expression at `place`, or None.

    The clause starts with the index into the result, as in Python, and goes on with "should be ...":
    `[2] should be 3.5 but is 4`.
    """
    clause = _kind_difference(got, due, xp)
    if clause:
        return f"{place} {clause}"
    compare = _COMPARISONS.get(kind(due, xp), _equal)
    return compare(got, due, tolerance, xp, place)


def _kind_difference(got: Any, due: Any, xp: Any) -> str | None:
    given, wanted = kind(got, xp), kind(due, xp)
    if given == wanted or (given == "number" and wanted == "array" and due.ndim == 0):
        return None
    wanted_name = NAMES.get(wanted, f"of type {wanted}") if wanted != "sequence" else called(due)
    advice = ADVICE.get((given, wanted)) or ADVICE.get((given, "*"), "")
    return f"should be {wanted_name} but is {called(got, xp)}" + (f". {advice}" if advice else "")


def _number_difference(got: Any, due: Any, tolerance: Tolerance, xp: Any, place: str) -> str | None:
    if bool(tolerance.holds(as_float(got), as_float(due))):
        return None
    given, wanted = apart(got, due)
    return f"{place} should be {wanted} but is {given}"


def _array_difference(got: Any, due: Any, tolerance: Tolerance, xp: Any, place: str) -> str | None:
    got, due = numpy_of(got, xp), numpy_of(due, xp)
    if got.shape != due.shape:
        return f"{place} should have shape {due.shape} but has {got.shape}{_transposed(got, due, tolerance)}"
    if tolerance.dtype and got.dtype != due.dtype:
        return f"{place} should have dtype {due.dtype} but has {got.dtype}"
    if got.dtype.kind not in "biufc" or due.dtype.kind not in "biufc":
        same = got == due
    else:
        same = tolerance.holds(got, due)
    return None if np.all(same) else f"{place}{_element_difference(got, due, same)}"


def _transposed(got: Any, due: Any, tolerance: Tolerance) -> str:
    turned = got.ndim == 2 and got.T.shape == due.shape and np.all(tolerance.holds(got.T, due))
    return ": it is transposed" if turned else ""


def _element_difference(got: Any, due: Any, same: Any) -> str:
    index = tuple(int(i) for i in np.argwhere(~np.atleast_1d(same))[0]) if got.ndim else ()
    given, wanted = apart(got[index], due[index])
    where = f"[{', '.join(map(str, index))}]" if index else ""
    count = int(np.size(same) - np.count_nonzero(same))
    tail = f"; {count} of {got.size} elements differ" if got.size > 1 else ""
    return f"{where} should be {wanted} but is {given}{tail}"


def _sequence_difference(got: Any, due: Any, tolerance: Tolerance, xp: Any, place: str) -> str | None:
    if len(got) != len(due):
        return f"{place} should have {len(due)} items but has {len(got)}"
    pairs = zip(got, due, strict=True)
    found = (first_difference(g, d, tolerance, xp, f"{place}[{i}]") for i, (g, d) in enumerate(pairs))
    return next(filter(None, found), None)


def _mapping_difference(got: Any, due: Any, tolerance: Tolerance, xp: Any, place: str) -> str | None:
    missing = [key for key in due if key not in got]
    if missing:
        return f"{place} lacks the key {missing[0]!r}"
    extra = [key for key in got if key not in due]
    if extra:
        return f"{place} has the key {short(extra[0])}, which is not asked for"
    found = (first_difference(got[key], due[key], tolerance, xp, f"{place}[{key!r}]") for key in due)
    return next(filter(None, found), None)


def _equal(got: Any, due: Any, tolerance: Tolerance, xp: Any, place: str) -> str | None:
    return None if bool(got == due) else f"{place} should be {short(due)} but is {short(got)}"


_COMPARISONS = {
    "number": _number_difference,
    "complex": _number_difference,
    "array": _array_difference,
    "device array": _array_difference,
    "sequence": _sequence_difference,
    "mapping": _mapping_difference,
}


def as_float(value: Any) -> Any:
    """Return a number as float or complex; an int too large for a float becomes infinite."""
    try:
        return complex(value) if kind(value) == "complex" else float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def values_of(value: Any, xp: Any = np) -> Iterator[float]:
    """Yield every real number in `value`, which may be a number, an array, or a list, tuple or dict of them."""
    what = kind(value, xp)
    if what == "number":
        yield as_float(value)
    elif what in ("array", "device array") and numpy_of(value, xp).dtype.kind in "iuf":
        yield from numpy_of(value, xp).astype(float).ravel().tolist()
    elif what in ("sequence", "mapping"):
        for item in value.values() if what == "mapping" else value:
            yield from values_of(item, xp)


def apart(first: Any, second: Any) -> tuple[str, str]:
    """Return both numbers with as few digits as still tell them apart, four at least."""
    for digits in (4, 6, 8, 12, 17):
        texts = number(first, digits), number(second, digits)
        if texts[0] != texts[1]:
            break
    return texts


def number(value: Any, digits: int = 4) -> str:
    """Return a number in readable form: whole numbers below 10**15 in full, others with `digits` digits."""
    if kind(value) != "number":
        return short(value)
    real = as_float(value)
    if math.isfinite(real) and real == int(real) and abs(real) < 1e15:
        return str(int(real))
    return f"{real:.{digits}g}"


def short(value: Any, limit: int = 40) -> str:
    """Return repr(value) on one line with at most `limit` characters; an object that has none is named by its type."""
    if kind(value) == "string" and len(value) > limit:
        value = value[:limit] + "…"
    try:
        text = " ".join(repr(value).split())
    except Exception:
        return f"an object of type {type(value).__name__}"
    return text if len(text) <= limit + 3 else text[:limit] + "…"
