"""The stand-in for CuPy has CuPy's names and no others."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from tests.fake_cupy import FakeCupy, NotInCupy, public_names


def test_names_are_cupys_own():
    cupy = pytest.importorskip("cupy")
    assert all(hasattr(cupy, name) for name in public_names())
    assert {"asnumpy", "asarray", "get_array_module", "fuse", "RawKernel"} <= public_names()
    assert not {"count_transfers", "transfers", "trapezoidal"} & public_names()


def test_a_name_that_cupy_lacks_raises_even_where_the_backing_has_it():
    backing = ModuleType("backing")
    backing.count_transfers = lambda: 1
    with pytest.raises(NotInCupy, match="no cupy"):
        FakeCupy(backing, names={"sum"}).count_transfers()


def test_calls_are_recorded():
    fake = FakeCupy(np, names=public_names())
    assert fake.asarray([1, 2]).sum() == 3
    assert fake.linalg.norm([3, 4]) == 5
    assert fake.calls == ["asarray", "linalg.norm"]
    assert fake.float32 is np.float32
    assert fake.ndarray is np.ndarray
