"""The set itself: enough kernels, every source compiles, and a second engine agrees with every oracle."""

from __future__ import annotations

import functools
from collections import Counter

import numpy as np
import pytest

from gpucourse.simt.compile import compile_ptx
from tests.simt.conformance.catalogue import CHAPTERS, KERNELS
from tests.simt.conformance.cpu_shim import shim
from tests.simt.conformance.kernel import Kernel, compare, seeded

every_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)


def test_names_are_unique() -> None:
    assert [name for name, count in Counter(k.name for k in KERNELS).items() if count > 1] == []


@every_kernel
def test_launch_is_small_but_not_tidy(kernel: Kernel) -> None:
    assert kernel.threads <= 20_000
    assert np.prod(kernel.block) <= 1024
    assert np.prod(kernel.grid) > 2 or "one block" in kernel.tags


@every_kernel
def test_arguments_suit_every_engine(kernel: Kernel) -> None:
    for value in (*seeded(kernel), *kernel.constants.values()):
        assert isinstance(value, np.ndarray | np.generic)
        if isinstance(value, np.ndarray):
            assert value.ndim == 1 and value.flags.c_contiguous and value.dtype.kind in "biuf"


@every_kernel
def test_compiles(kernel: Kernel) -> None:
    compiled = compile_ptx(kernel.source, kernel.options, kernel.name_expressions)
    assert f".entry {compiled.names.get(kernel.entry, kernel.entry)}(" in compiled.ptx


@functools.cache
def _library(chapter: str) -> shim.Library:
    return shim.Library([kernel for kernel in CHAPTERS[chapter] if "cpu" not in kernel.skip])


@pytest.mark.skipif(not shim.available(), reason="the CPU shim needs g++")
@pytest.mark.parametrize("falling", [False, True], ids=["rising", "falling"])
@pytest.mark.parametrize(("chapter", "kernel"), [(c, k) for c, ks in CHAPTERS.items() for k in ks],
                         ids=lambda value: getattr(value, "name", None))  # fmt: skip
def test_as_cpp_on_the_cpu(chapter: str, kernel: Kernel, falling: bool) -> None:
    if "cpu" in kernel.skip:
        pytest.skip(kernel.skip["cpu"])
    arguments = seeded(kernel)
    if kernel.fault:
        with pytest.raises(RuntimeError, match=kernel.fault):
            _library(chapter).run(kernel, arguments, falling)
    else:
        compare(kernel, arguments, _library(chapter).run(kernel, arguments, falling))


@every_kernel
def test_oracle_rejects_a_kernel_that_does_nothing(kernel: Kernel) -> None:
    if kernel.fault:
        pytest.skip("ends in an error")
    with pytest.raises(AssertionError):
        compare(kernel, seeded(kernel), printed="")
