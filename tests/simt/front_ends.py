"""What a test runs through both front ends with: `@pytest.mark.parametrize("maker", FRONT_ENDS)`, then `force(...)`."""

from __future__ import annotations

import pytest

from gpucourse.errors import MissingPackage
from gpucourse.simt import front_end
from gpucourse.simt.clang import clang
from gpucourse.simt.compile import nvrtc


def _without_nvrtc() -> bool:
    try:
        nvrtc()
    except MissingPackage:
        return True
    return False


NO_NVRTC = pytest.mark.skipif(_without_nvrtc(), reason="NVRTC is not installed")
NO_CLANG = pytest.mark.skipif(clang() is None, reason="the wheel ziglang is not installed")
FRONT_ENDS = (pytest.param("nvrtc", marks=NO_NVRTC), pytest.param("clang", marks=NO_CLANG))


def force(maker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have kernels compiled by `maker`, until the test ends."""
    monkeypatch.setenv(front_end.VARIABLE, maker)
