"""Notices when code has replaced a function or class that a judge relies on, and puts it back.

Nothing in the same process can stop code that is determined enough. This finds what learners try, and undoes it.
"""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

#: Besides the course's own modules.
WATCHED = ("numpy", "numpy.linalg", "numpy.testing", "numpy.random", "math", "operator", "inspect", "ast", "time",
           "signal", "random", "os", "linecache", "itertools", "functools", "torch", "torch.nn.functional",
           "torch.testing", "torch.linalg")  # fmt: skip
_KINDS = (type, FunctionType, type(len), type(builtins.__build_class__), type(str.join), type(vars(str)["maketrans"]))


class Seal:
    """The functions and classes of the watched modules, as they were when it was made.

    >>> seal = Seal()
    >>> seal.broken()
    []
    """

    def __init__(self) -> None:
        self._modules = {name: module for name, module in sys.modules.items() if _is_watched(name)}
        owners: list[ModuleType | type] = [*self._modules.values(), builtins]
        classes = [value for module in owners for value in vars(module).values()
                   if isinstance(value, type) and value.__module__.startswith("gpucourse")]  # fmt: skip
        self._names = [(owner, dict(_callables(owner))) for owner in (*owners, *dict.fromkeys(classes))]
        functions = [value for _, names in self._names for value in names.values() if isinstance(value, FunctionType)]
        self._insides = [(each, _inside(each)) for each in dict.fromkeys(functions)]

    def broken(self) -> list[str]:
        """Put everything back and return the names of what had been changed, such as "numpy.allclose"."""
        swapped = [name for name, module in self._modules.items() if sys.modules.get(name) is not module]
        found = [f"sys.modules[{name!r}]" for name in swapped]
        sys.modules.update(self._modules)
        found += [name for owner, names in self._names for name in _restored(owner, names)]
        for function, before in self._insides:
            if any(new is not old for new, old in zip(_inside(function), before, strict=True)):
                function.__code__, function.__defaults__, function.__kwdefaults__ = before
                found.append(f"the code of {function.__module__}.{function.__qualname__}")
        if sys.gettrace() is not None or sys.getprofile() is not None:
            sys.settrace(None)
            sys.setprofile(None)
            found.append("sys.settrace or sys.setprofile")
        return found


def _is_watched(name: str) -> bool:
    return name in WATCHED or name.partition(".")[0] == "gpucourse"


def _callables(owner: ModuleType | type) -> Iterator[tuple[str, Any]]:
    """Functions, classes, and what a class wraps them in; not plain values, which modules change themselves."""
    wrapped = (staticmethod, classmethod, property) if isinstance(owner, type) else ()
    for name, value in vars(owner).items():
        if isinstance(value, (*_KINDS, *wrapped)) and name not in ("__getattr__", "_"):
            yield name, value


def _inside(function: FunctionType) -> tuple[Any, Any, Any]:
    return function.__code__, function.__defaults__, function.__kwdefaults__


def _is_librarys(value: Any) -> bool:
    """Whether a function stands in PyTorch's own files: it wraps some of its functions when they are first used."""
    home = f"{os.sep}site-packages{os.sep}torch{os.sep}"
    return isinstance(value, FunctionType) and home in value.__code__.co_filename


def _restored(owner: ModuleType | type, names: dict[str, Any]) -> list[str]:
    now = vars(owner)
    changed = [name for name, value in names.items() if now.get(name) is not value and not _is_librarys(now.get(name))]
    for name in changed:
        setattr(owner, name, names[name])
    called = f"{owner.__module__}.{owner.__qualname__}" if isinstance(owner, type) else owner.__name__
    return [f"{called}.{name}" for name in changed]
