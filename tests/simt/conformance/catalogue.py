"""All chapters of the conformance set: `CHAPTERS` by name, `KERNELS` in one tuple, `named(...)`."""

from __future__ import annotations

from importlib import import_module

from tests.simt.conformance.kernel import Kernel

_NAMES = ("elementwise", "images", "reductions", "products", "scans", "warps", "numbers", "functions",
          "models", "corners")

CHAPTERS: dict[str, tuple[Kernel, ...]] = {
    name: import_module(f"tests.simt.conformance.{name}").KERNELS for name in _NAMES
}
KERNELS: tuple[Kernel, ...] = tuple(kernel for chapter in CHAPTERS.values() for kernel in chapter)


def named(name: str) -> Kernel:
    """The kernel of that name; KeyError when there is none."""
    return {kernel.name: kernel for kernel in KERNELS}[name]
