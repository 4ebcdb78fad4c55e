"""A stand-in for CuPy on a machine without a GPU: CuPy's public names only, on the simulator's arrays.

It holds the GPU path of the exercises to what the real CuPy has: a name that CuPy lacks raises, even where
the simulator would have it. `calls` lists what was called.
"""

from __future__ import annotations

import functools
import inspect
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any


class NotInCupy(AssertionError):
    """The code under test used a name that CuPy does not have."""


@functools.cache
def public_names(space: str = "") -> frozenset[str]:
    """Return CuPy's own names in a namespace such as "linalg": of the package or the list made from it."""
    if find_spec("cupy") is None:
        from gpucourse.cupy_sim.names import NAMES

        return frozenset(NAMES[space].split())
    import cupy

    return frozenset(dir(functools.reduce(getattr, filter(None, space.split(".")), cupy)))


class FakeCupy(ModuleType):
    """CuPy's namespace, or a part of it, in front of an array module that does the work."""

    def __init__(
        self, backing: Any, space: str = "", calls: list[str] | None = None, names: Any = None
    ) -> None:
        super().__init__(f"cupy.{space}".rstrip("."))
        # who looks for CuPy's headers while this stands in sys.modules finds those of the real one
        self.__spec__ = find_spec("cupy") or ModuleSpec("cupy", None)
        self.backing, self.space = backing, space
        self.calls: list[str] = [] if calls is None else calls
        self.names = public_names(space) if names is None else names

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        dotted = f"{self.space}.{name}".lstrip(".")
        if name not in self.names:
            raise NotInCupy(f"CuPy has no cupy.{dotted}")
        if name == "get_array_module":
            return self._get_array_module
        value = getattr(self.backing, name)
        if isinstance(value, ModuleType) and name in ("linalg", "random", "fft", "cuda"):
            return FakeCupy(value, dotted, self.calls)
        return value if inspect.isclass(value) or not callable(value) else self._recording(dotted, value)

    def _recording(self, dotted: str, function: Any) -> Any:
        @functools.wraps(function, updated=())
        def recorded(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(dotted)
            return function(*args, **kwargs)

        return recorded

    def _get_array_module(self, *args: Any) -> Any:
        self.calls.append("get_array_module")
        found = self.backing.get_array_module(*args)
        return self if found is self.backing else found


def fake_cupy() -> FakeCupy:
    """Return a fresh stand-in on the simulator's arrays."""
    from gpucourse import cupy_sim

    return FakeCupy(cupy_sim)
