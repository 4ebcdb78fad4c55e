"""Whether an answer can be called the way its exercise calls it, and how a call is written in a message."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from gpucourse.exercises.kinds import called, kind, number, short
from gpucourse.exercises.outcome import Wrong

Args = tuple[Any, ...]
Kwargs = dict[str, Any]
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def check(answer: Any, reference: Callable[..., Any], args: Args, kwargs: Kwargs, name: str) -> None:
    """Raise Wrong unless `answer` is a function that takes the arguments of a call."""
    if isinstance(answer, type):
        raise Wrong(f"{name} should be a function but is a class.")
    if not callable(answer):
        raise Wrong(
            f"{name} should be a function but is {called(answer)}. "
            "Hand the function over by its name, without parentheses."
        )
    check_parameters(answer, args, kwargs, names(reference, len(args)) + list(kwargs), name)


def check_parameters(answer: Any, args: Args, kwargs: Kwargs, wanted: list[str], name: str) -> None:
    """Raise Wrong unless `answer` can be called with these arguments, whose names in the exercise are `wanted`."""
    try:
        has = inspect.signature(answer)
    except (TypeError, ValueError):
        return  # some built-in functions do not say
    try:
        has.bind(*args, **kwargs)
    except TypeError:
        raise Wrong(_mismatch(has, wanted, name)) from None


def _mismatch(has: inspect.Signature, wanted: list[str], name: str) -> str:
    own = list(has.parameters)
    start = f"The exercise calls {name}({', '.join(wanted)}), but yours is {name}({', '.join(own)})"
    missing = [parameter for parameter in wanted if parameter not in own]
    required = [p.name for p in has.parameters.values() if p.default is p.empty]
    extra = [parameter for parameter in required if parameter not in wanted]
    if set(own) < set(wanted):
        are = "parameter {} is" if len(missing) == 1 else "parameters {} are"
        return f"{start}: the {are.format(' and '.join(missing))} missing."
    if set(wanted) <= set(own) and len(extra) == 1:
        return f"{start}: {extra[0]} is one parameter too many. Leave it out or give it a default."
    return f"{start}. It gets {len(wanted)} argument{'s' * (len(wanted) != 1)}."


def check_order(answer: Any, reference: Callable[..., Any], name: str) -> None:
    """Raise Wrong if the answer has the reference's parameters in another order."""
    try:
        own = list(inspect.signature(answer).parameters)
    except (TypeError, ValueError):
        return
    wanted = names(reference, len(own))
    if own != wanted and sorted(own) == sorted(wanted):
        raise Wrong(
            f"The exercise calls {name}({', '.join(wanted)}), but yours has the parameters in another order: "
            f"{name}({', '.join(own)})."
        )


def names(reference: Callable[..., Any], count: int) -> list[str]:
    """Return the names of the first `count` positional parameters of the reference."""
    try:
        parameters = inspect.signature(reference).parameters.values()
    except (TypeError, ValueError):
        return [f"argument {i + 1}" for i in range(count)]
    found = [p.name for p in parameters if p.kind in _POSITIONAL and p.name != "xp"][:count]
    return found + [f"argument {i + 1}" for i in range(len(found), count)]


def call_text(
    name: str, reference: Callable[..., Any], args: Args, kwargs: Kwargs, about: str, xp: Any = np
) -> tuple[str, str]:
    """Return a call as Python writes it, and its arrays in words: "mean(x)", " for x of shape (3,) ..."."""
    words, notes = [], []
    for key, value in [*zip(names(reference, len(args)), args, strict=True), *kwargs.items()]:
        word, note = _argument(key, value, xp)
        words.append(f"{key}={word}" if key in kwargs and word != key else word)
        notes += [note] if note else []
    told = about or " and ".join(notes)
    return f"{name}({', '.join(words)})", f" for {told}" if told else ""


def _argument(key: str, value: Any, xp: Any) -> tuple[str, str]:
    what = kind(value, xp)
    if what == "number":
        return number(value), ""
    if what in ("array", "device array"):
        return key, f"{key} of shape {value.shape} and dtype {value.dtype}"
    if callable(value):
        return getattr(value, "__name__", key), ""
    return short(value), ""
