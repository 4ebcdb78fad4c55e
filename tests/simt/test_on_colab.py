"""The compiler on Colab's CPU runtime: brought where there is none, once, and nowhere else. pip here is a stand-in."""

import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pytest

from gpucourse.errors import MissingPackage
from gpucourse.simt import compile as compiling
from gpucourse.simt import front_end, on_colab

KERNEL = 'extern "C" __global__ void f(float* x) { x[threadIdx.x] = 1.0f; }'


@pytest.fixture
def machine(monkeypatch):
    """A machine without NVRTC; what is asked of pip is noted, and pip brings the library that was hidden."""
    machine = SimpleNamespace(asked=[], fails=False)
    hidden = list(compiling._library_candidates())

    def pip(command, **options):
        machine.asked.append(command)
        if machine.fails:
            raise subprocess.CalledProcessError(1, command, stderr=b"hm\nno route to the index\n")
        monkeypatch.setattr(compiling, "_library_candidates", lambda: iter(hidden))

    monkeypatch.setattr(compiling, "_library_candidates", lambda: iter(()))
    monkeypatch.setattr(on_colab.subprocess, "run", pip)
    monkeypatch.setattr(front_end, "clang", lambda: None)      # nor has Colab the second front end
    for cached in (compiling.nvrtc, on_colab.bring_compiler, front_end._front_end):
        cached.cache_clear()
    yield machine
    for cached in (compiling.nvrtc, on_colab.bring_compiler, front_end._front_end):
        cached.cache_clear()


@pytest.fixture
def colab(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))


def test_the_first_kernel_brings_the_compiler_and_moves_no_version(machine, colab, capsys):
    compiled = compiling.compile_ptx(KERNEL, cached=False)
    assert ".visible .entry f(" in compiled.ptx
    assert compiling.compile_ptx(KERNEL, cached=False).ptx == compiled.ptx
    [command] = machine.asked
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert "--no-deps" in command
    assert {"nvidia-cuda-nvrtc", "nvidia-cuda-crt"} <= set(command)
    assert "NVIDIA's is being installed" in capsys.readouterr().err


def test_elsewhere_nothing_is_installed(machine):
    with pytest.raises(MissingPackage, match="pip install nvidia-cuda-nvrtc"):
        compiling.compile_ptx(KERNEL, cached=False)
    assert machine.asked == []


def test_without_an_index_the_reason_stands_above_the_error_and_pip_is_asked_once(machine, colab, capsys):
    machine.fails = True
    for _ in range(2):
        with pytest.raises(MissingPackage, match="no compiler is here"):
            compiling.compile_ptx(KERNEL, cached=False)
    assert len(machine.asked) == 1
    assert "could not be installed: no route to the index" in capsys.readouterr().err
