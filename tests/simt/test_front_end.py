"""Which compiler is used: NVRTC, then what is stored, then clang; and what is said where there is none."""

from __future__ import annotations

import glob
import subprocess
import sys
from pathlib import Path

import pytest

from gpucourse.errors import CourseError, MissingPackage
from gpucourse.simt import front_end
from gpucourse.simt.compile import Compiled, Compiler, Nvrtc, Resources
from gpucourse.simt.stored import Stored


class Other(Compiler):
    """A compiler that says that it was asked."""

    def version(self) -> str:
        return "other 1"

    def ptx(self, source: str, options: tuple[str, ...], names: tuple[str, ...]) -> Compiled:
        return Compiled("by the other", {}, "")

    def resources(self, source: str, options: tuple[str, ...], names: tuple[str, ...]) -> dict[str, Resources]:
        return {}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(front_end.VARIABLE, raising=False)
    front_end._front_end.cache_clear()
    yield
    front_end._front_end.cache_clear()


@pytest.fixture
def without_nvrtc(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Nvrtc:
        raise MissingPackage("no NVRTC")

    monkeypatch.setattr(front_end, "nvrtc", missing)


def test_nvrtc_comes_first() -> None:
    assert isinstance(front_end.front_end(), Nvrtc)


@pytest.mark.usefixtures("without_nvrtc")
def test_without_it_a_kernel_that_is_not_stored_goes_to_clang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_end, "clang", Other)
    found = front_end.front_end()
    assert found.ptx("a kernel of mine", (), ()).ptx == "by the other"
    assert found.version().endswith("; other 1")


@pytest.mark.usefixtures("without_nvrtc")
@pytest.mark.parametrize(("platform", "step"), [
    ("darwin", "pip install ziglang"), ("linux", "pip install nvidia-cuda-nvrtc"), ("win32", "pip install nvidia-cuda"),
])  # fmt: skip
def test_without_any_the_error_names_this_platforms_step(
    platform: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_end, "clang", lambda: None)
    monkeypatch.setattr(front_end.sys, "platform", platform)
    with pytest.raises(MissingPackage, match=step):
        front_end.front_end().ptx("a kernel of mine", (), ())


def test_the_variable_forces_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(front_end.VARIABLE, "stored")
    assert isinstance(front_end.front_end(), Stored)
    monkeypatch.setenv(front_end.VARIABLE, "gcc")
    with pytest.raises(CourseError, match="GPUCOURSE_FRONT_END is 'gcc'; it may be nvrtc, stored, clang, no-nvrtc"):
        front_end.front_end()
    monkeypatch.setattr(front_end, "clang", lambda: None)
    for needs_clang in ("clang", "no-nvrtc"):
        monkeypatch.setenv(front_end.VARIABLE, needs_clang)
        with pytest.raises(MissingPackage, match=f"{needs_clang}.*pip install ziglang"):
            front_end.front_end()


def test_a_machine_with_nvrtc_can_do_as_one_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(front_end.VARIABLE, "no-nvrtc")
    monkeypatch.setattr(front_end, "clang", Other)
    assert front_end.front_end().ptx("a kernel of mine", (), ()).ptx == "by the other"
    assert isinstance(front_end.front_end(), front_end.WithoutNvrtc)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux which libraries are loaded")
def test_nvrtcs_built_in_functions_are_loaded_from_beside_it() -> None:
    """NVRTC 13.0 finds them nowhere else, unless PyTorch was imported before."""
    lines = "from gpucourse.simt.compile import nvrtc; print(nvrtc().path); print(open('/proc/self/maps').read())"
    out = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True, timeout=120).stdout
    path, loaded = out.split("\n", 1)
    if not glob.glob(f"{Path(path).parent}/libnvrtc-builtins*"):
        pytest.skip("this NVRTC lies alone")
    assert f"{Path(path).parent}/libnvrtc-builtins" in loaded
