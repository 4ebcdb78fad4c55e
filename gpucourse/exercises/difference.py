"""The first difference between the value an answer gave and the value that is due, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpucourse.exercises.kinds import NAMES, called, is_numeral, kind, number, numpy_of, real, short

__all__ = ["Difference", "Tolerance", "apart", "called", "first_difference", "values_of"]

# (kind given, kind due) -> what that means; "*" stands for any
ADVICE = {
    ("array", "device array"): "It was copied to the host or made with `np`; keep it on the device.",
    ("number", "device array"): "`float()` and `.item()` copy it to the host; keep it on the device.",
    ("device array", "array"): "Copy it to the host with `cp.asnumpy(...)` or `.get()`.",
    ("device array", "number"): "Turn it into a Python number with `float(...)` or `.item()`.",
    ("sequence", "array"): "Turn it into an array with `np.array(...)`.",
    ("sequence", "device array"): "Turn it into a device array with `cp.array(...)`.",
    ("string", "number"): "Leave out the quotes, or str().",
    ("generator", "*"): "`yield` makes a generator; use `return`.",
    ("coroutine", "*"): "`async def` makes a coroutine; use plain `def`.",
    ("function", "*"): "The parentheses of a call may be missing.",
    ("class", "*"): "The parentheses of a call may be missing.",
}


@dataclass(frozen=True)
class Difference:
    """A clause that follows an expression, "[2] should be 3.5 but is 4", and what to do about it."""

    clause: str
    advice: str = ""

    def inside(self, place: str) -> Difference:
        """Return the same difference seen from a container, in which it is at `place`, such as "['mean']"."""
        gap = "" if self.clause.startswith("[") else " "
        return Difference(place + gap + self.clause, self.advice)

    def sentence(self, expression: str, ending: str = "") -> str:
        """Return one sentence, `ending` before its full stop, and the advice after it."""
        return f"{self.inside(expression).clause}{ending}." + (f" {self.advice}" if self.advice else "")


@dataclass(frozen=True)
class Tolerance:
    """How far two numbers may lie apart: |got - due| <= absolute + relative * |due|.

    A `relative` of None stands for 1e-6, and for 1e-9 where the due value is a whole number by type.
    """

    relative: float | None = None
    absolute: float = 0.0
    dtype: bool = True

    def holds(self, got: Any, due: Any) -> Any:
        """Return where the numbers (scalars or arrays) agree; nan agrees with nan."""
        got, due = _wide(got), _wide(due)
        near = self.relative if self.relative is not None else 1e-9 if due.dtype.kind in "iu" else 1e-6
        with np.errstate(all="ignore"):
            return np.isclose(got, due, rtol=near, atol=self.absolute, equal_nan=True)


def _wide(value: Any) -> Any:
    """Return the value as an array of 64 bits or more, so that float16 does not overflow on the way."""
    array = np.asarray(real(value) if np.ndim(value) == 0 else value)
    return array.astype(np.result_type(array.dtype, np.float64)) if array.dtype.kind in "fb" else array


def first_difference(got: Any, due: Any, tolerance: Tolerance, xp: Any = np) -> Difference | None:
    """Return the first difference, kinds before shapes before dtypes before values, or None.

    >>> first_difference([1, 2], [1, 3], Tolerance()).clause
    '[1] should be 3 but is 2'
    """
    found = _kind_difference(got, due, xp)
    return found or _COMPARISONS.get(kind(due, xp), _equal)(got, due, tolerance, xp)


def _kind_difference(got: Any, due: Any, xp: Any) -> Difference | None:
    given, wanted = kind(got, xp), kind(due, xp)
    if given == wanted:
        return None
    name = called(due) if wanted == "sequence" else NAMES.get(wanted, f"of type {wanted}")
    advice = ADVICE.get((given, wanted)) or ADVICE.get((given, "*"), "")
    if given == "string" and not is_numeral(got):
        advice = ""
    return Difference(f"should be {name} but is {called(got, xp)}", advice)


def _number_difference(got: Any, due: Any, tolerance: Tolerance, xp: Any) -> Difference | None:
    if bool(tolerance.holds(got, due)):
        return None
    given, wanted = apart(got, due)
    return Difference(f"should be {wanted} but is {given}")


def _array_difference(got: Any, due: Any, tolerance: Tolerance, xp: Any) -> Difference | None:
    got, due = numpy_of(got, xp), numpy_of(due, xp)
    if got.shape != due.shape:
        turned = ": it is transposed" if _is_transposed(got, due, tolerance) else ""
        return Difference(f"should have shape {due.shape} but has {got.shape}{turned}")
    if tolerance.dtype and got.dtype != due.dtype:
        return Difference(f"should have dtype {due.dtype} but has {got.dtype}")
    same = tolerance.holds(got, due) if _are_numeric(got, due) else got == due
    return None if np.all(same) else _element_difference(got, due, np.asarray(same))


def _are_numeric(*arrays: Any) -> bool:
    return all(array.dtype.kind in "biufc" for array in arrays)


def _is_transposed(got: Any, due: Any, tolerance: Tolerance) -> bool:
    fits = got.ndim > 1 and got.T.shape == due.shape and _are_numeric(got, due)
    return fits and bool(np.all(tolerance.holds(got.T, due)))


def _element_difference(got: Any, due: Any, same: Any) -> Difference:
    index = tuple(int(i) for i in np.argwhere(~same)[0])
    given, wanted = apart(got[index], due[index])
    where = f"[{', '.join(map(str, index))}] " if index else ""
    count = int(same.size - np.count_nonzero(same))
    tail = f"; {count} of {got.size} elements differ" if got.size > 1 else ""
    return Difference(f"{where}should be {wanted} but is {given}{tail}")


def _sequence_difference(got: Any, due: Any, tolerance: Tolerance, xp: Any) -> Difference | None:
    if len(got) != len(due):
        items = "1 item" if len(due) == 1 else f"{len(due)} items"
        return Difference(f"should have {items} but has {len(got)}")
    for i, (given, wanted) in enumerate(zip(got, due, strict=True)):
        found = first_difference(given, wanted, tolerance, xp)
        if found:
            return found.inside(f"[{i}]")
    return None


def _mapping_difference(got: Any, due: Any, tolerance: Tolerance, xp: Any) -> Difference | None:
    missing = [key for key in due if key not in got]
    extra = [key for key in got if key not in due]
    if missing:
        instead = f"; it has {short(extra[0])}" if extra else ""
        return Difference(f"lacks the key {missing[0]!r}{instead}")
    if extra:
        return Difference(f"has the key {short(extra[0])}, which is not asked for")
    for key in due:
        found = first_difference(got[key], due[key], tolerance, xp)
        if found:
            return found.inside(f"[{key!r}]")
    return None


def _equal(got: Any, due: Any, tolerance: Tolerance, xp: Any) -> Difference | None:
    return None if bool(got == due) else Difference(f"should be {short(due)} but is {short(got)}")


_COMPARISONS = {
    "number": _number_difference,
    "complex": _number_difference,
    "array": _array_difference,
    "device array": _array_difference,
    "sequence": _sequence_difference,
    "mapping": _mapping_difference,
}


def values_of(value: Any, xp: Any = np) -> Iterator[float]:
    """Yield every real number in a number, an array, or a list, tuple or dict of them."""
    what = kind(value, xp)
    if what == "number":
        yield float(real(value))
    elif what in ("array", "device array") and numpy_of(value, xp).dtype.kind in "iuf":
        yield from numpy_of(value, xp).astype(float).ravel().tolist()
    elif what in ("sequence", "mapping"):
        for item in value.values() if what == "mapping" else value:
            yield from values_of(item, xp)


def apart(first: Any, second: Any) -> tuple[str, str]:
    """Return both numbers in readable form, with more digits only where they would look the same."""
    for digits in (4, 6, 8, 12, 17):
        texts = number(first, digits), number(second, digits)
        if texts[0] != texts[1]:
            break
    return texts


