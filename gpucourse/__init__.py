"""The names that lessons use, each imported when it is first asked for.

Importing this package needs NumPy only and stays under 0.3 s; `cp`, `check`, `timeit` and the
others load what they need when a lesson first touches them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.7.0"

# public name -> (module, attribute)
_HOMES = {
    "check": ("gpucourse.exercises.problem", "check"),
    "hint": ("gpucourse.exercises.problem", "hint"),
    "solution": ("gpucourse.exercises.problem", "solution"),
    "must_pass": ("gpucourse.grading.passing", "must_pass"),
    "progress": ("gpucourse.exercises.progress", "progress"),
    "export_progress": ("gpucourse.exercises.exchange", "export_progress"),
    "import_progress": ("gpucourse.exercises.exchange", "import_progress"),
    "timeit": ("gpucourse.timing", "timeit"),
    "doctor": ("gpucourse.examination", "doctor"),
    "where": ("gpucourse.backend", "where"),
    "here": ("gpucourse.show", "here"),
    "profile": ("gpucourse.explain", "profile"),
    "sanitize": ("gpucourse.explain", "sanitize"),
    "simulate": ("gpucourse.explain", "simulate"),
    "accesses": ("gpucourse.access_record", "accesses"),
    "steps": ("gpucourse.stepping", "steps"),
}

__all__ = ["cp", *_HOMES]


def __getattr__(name: str) -> Any:
    if name == "cp":
        return import_module("gpucourse.backend").array_module()
    if name in _HOMES:
        module, attribute = _HOMES[name]
        return getattr(import_module(module), attribute)
    raise AttributeError(f"module 'gpucourse' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
