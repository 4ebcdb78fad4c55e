"""SIMD video instructions: arithmetic on the four bytes or the two halves of 32-bit registers (`vadd4`, `vset2`).

Semantics and permitted modifiers are those of PTX ISA 8.5, sections "SIMD Video Instructions". Elements are
computed in int64, so nothing wraps before the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpucourse.simt.registers import Values

Operation = Callable[..., Values]


def _average(a: Values, b: Values) -> Values:
    """Halves are rounded away from zero: up from a sum of 0 or more, down below."""
    total = a + b
    out: Values = (total + (total >= 0)) >> 1
    return out


def _distance(a: Values, b: Values) -> Values:
    out: Values = np.abs(a - b)
    return out


#: Root of the opcode -> what it does to two elements.
ARITHMETIC: dict[str, Operation] = {
    "add": np.add, "sub": np.subtract, "avrg": _average, "absdiff": _distance, "min": np.minimum, "max": np.maximum,
}  # fmt: skip
COMPARISONS: dict[str, Operation] = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
}  # fmt: skip
OPCODES = tuple(f"v{root}{count}" for root in (*ARITHMETIC, "set") for count in (2, 4))

_ELEMENTS: dict[tuple[int, str], np.dtype[Any]] = {  # (elements a register, type) -> dtype of an element
    (4, "u32"): np.dtype(np.uint8), (4, "s32"): np.dtype(np.int8),
    (2, "u32"): np.dtype(np.uint16), (2, "s32"): np.dtype(np.int16),
}  # fmt: skip


def operation(parts: Sequence[str], selectors: Sequence[str]) -> Operation:
    """The function of uint32 operands (a, b, c) that the opcode `parts` computes, as uint32.

    `selectors` are those of d, a and b, such as "b3210", or "" for the default. Raises `ValueError` or
    `LookupError` for what PTX does not permit.
    """
    count, combine, sources, rest = _form(parts)
    mask = _mask(selectors[0], count)
    picks = [_picked(selectors[1], count, 0), _picked(selectors[2], count, count)]

    def elements(a: Values, b: Values) -> Values:
        both = np.stack([a, b], axis=1).view(_ELEMENTS[count, "u32"])
        left, right = (both[:, p].view(s).astype(np.int64) for p, s in zip(picks, sources, strict=True))
        return combine(left, right)

    if rest == ["add"]:
        return lambda a, b, c: _accumulated(elements(*np.broadcast_arrays(a, b)), c, mask)
    if rest:
        raise ValueError(parts)
    return lambda a, b, c: _merged(elements(*np.broadcast_arrays(a, b)), c, mask)


def _form(parts: Sequence[str]) -> tuple[int, Operation, list[np.dtype[Any]], list[str]]:
    """(elements a register, what is done to two of them, dtypes of the sources' elements, modifiers left over)."""
    root, count = parts[0][1:-1], int(parts[0][-1])
    if root == "set":
        left, right, comparison, *rest = parts[1:]
        compare = COMPARISONS[comparison]
        return count, lambda a, b: compare(a, b).astype(np.int64), [_ELEMENTS[count, k] for k in (left, right)], rest
    kind, left, right, *rest = parts[1:]
    combine, info = ARITHMETIC[root], np.iinfo(_ELEMENTS[count, kind])
    if rest == ["sat"]:
        wide, rest = combine, []
        combine = lambda a, b: np.clip(wide(a, b), info.min, info.max)  # noqa: E731
    return count, combine, [_ELEMENTS[count, k] for k in (left, right)], rest


def _mask(selector: str, count: int) -> list[int]:
    """The destination's elements that a mask such as "b320" names, each at most once."""
    digits = _digits(selector, count) or list(range(count))
    if digits != sorted(set(digits)) or digits[-1] >= count:
        raise ValueError(selector)
    return digits


def _picked(selector: str, count: int, first: int) -> list[int]:
    """Which elements of a and b (numbered through) a selector such as "b7654" picks, for element 0 first."""
    digits = _digits(selector, count) or list(range(first, first + count))
    if len(digits) != count:
        raise ValueError(selector)
    return digits


def _digits(selector: str, count: int) -> list[int]:
    if not re.fullmatch(r"(b[0-7]+)?" if count == 4 else r"(h[0-3]+)?", selector):
        raise ValueError(selector)
    return [int(digit) for digit in reversed(selector[1:])]


def _accumulated(elements: Values, c: Values, mask: list[int]) -> Values:
    """c + the elements in `mask`, none of them wrapped before."""
    out: Values = (c + elements[:, mask].sum(axis=1)).astype(np.uint32)
    return out


def _merged(elements: Values, c: Values, mask: list[int]) -> Values:
    """`c` with its elements in `mask` replaced; shape (lanes,)."""
    narrow = _ELEMENTS[elements.shape[1], "u32"]
    rows = max(len(elements), len(c))
    out = np.broadcast_to(c, (rows,)).copy().view(narrow).reshape(rows, -1)
    out[:, mask] = elements.astype(narrow)[:, mask]
    return out.view(np.uint32).reshape(-1)
