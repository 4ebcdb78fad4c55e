"""The stored PTX: it is of the course's kernels as they are now, and runs without a compiler.

Where this fails because a kernel has changed: `python tools/build_stored_ptx.py`.
"""

from __future__ import annotations

import json
import lzma
import re
from typing import Any

import numpy as np
import pytest

from gpucourse import cupy_sim
from gpucourse.benchmarks import matmuls, reductions, scans, softmaxes
from gpucourse.errors import MissingPackage, SimulatorLacks
from gpucourse.exercises import registry
from gpucourse.exercises.problem import Problem
from gpucourse.nn import kernels, recurrent_kernels, sound_kernels
from gpucourse.simt import front_end
from gpucourse.simt.compile import compile_ptx, kernel_resources, nvrtc
from gpucourse.simt.link import Program
from gpucourse.simt.ptx import parse
from gpucourse.simt.stored import FILE, Stored, contents, key

RUNGS = [rung for module in (matmuls, reductions, scans, softmaxes, kernels, recurrent_kernels, sound_kernels)
         for rung in module.RUNGS.values()]  # fmt: skip

#: Exercises whose stub and solution are kernels that compile.
KERNEL_PROBLEMS = [p for p in registry.all_problems() if "RawKernel(" in p.solution and p.id < "09"]


@pytest.fixture
def stored_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(front_end.VARIABLE, "stored")


def test_no_kernel_has_changed_since_the_file_was_written() -> None:
    build = pytest.importorskip("build_stored_ptx")
    assert build.stale(contents()["texts"]) == [], "run python tools/build_stored_ptx.py"


def test_a_changed_kernel_is_noticed(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = pytest.importorskip("build_stored_ptx")
    lesson = tmp_path / "03_first.md"
    text = 'Prose.\n\n```python\nk = cp.RawKernel(r"""extern "C" __global__ void k(int* x) { *x = 1; }""", "k")\n```\n'
    lesson.write_text(text)
    before = build._digest(lesson)
    lesson.write_text(text.replace("Prose", "Better prose"))
    assert build._digest(lesson) == before != ""
    lesson.write_text(text.replace("*x = 1", "*x = 2"))
    assert build._digest(lesson) != before


def test_the_file_is_small() -> None:
    assert FILE.stat().st_size < 1_500_000


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.name)
def test_every_kernel_of_the_package_is_there(rung) -> None:
    assert Stored().has(rung.source, rung.options, ())


def test_all_of_it_can_be_read() -> None:
    held = contents()["kernels"]
    assert len(held) > 150
    for entry in list(held.values())[::25]:
        assert any(function.is_entry for function in parse(entry["ptx"]).functions.values())


@pytest.mark.usefixtures("stored_only")
def test_a_kernel_runs_from_it_and_has_its_registers() -> None:
    rung, x = reductions.RUNGS["halves"], np.arange(1000, dtype=np.float32)
    assert kernel_resources(rung.source, rung.options)[rung.name].registers > 4
    call, sums = reductions.summed(cupy_sim, "halves", cupy_sim.asarray(x))
    call()
    assert sums[-1].get().tolist() == [999 * 1000 / 2]


@pytest.mark.usefixtures("stored_only")
@pytest.mark.parametrize("problem", KERNEL_PROBLEMS[::6], ids=lambda problem: problem.id)
def test_stubs_and_solutions_compile_from_it(problem: Problem) -> None:
    for text in (problem.stub, problem.solution):
        names: dict[str, Any] = {"cp": cupy_sim, "np": np}
        exec(text, names)
        assert names[problem.answer].kernel.parameters


@pytest.mark.usefixtures("stored_only")
def test_another_kernel_is_not_in_it() -> None:
    source = 'extern "C" __global__ void mine(int* x) { *x = 12345; }'
    with pytest.raises(MissingPackage, match="not one that the course itself prints"):
        Program(source)


def test_a_kernel_without_known_registers_says_so(tmp_path) -> None:
    entry = {"ptx": "", "names": {}, "log": "", "resources": None}
    file = tmp_path / "stored.xz"
    held = {"compiler": "x", "texts": {}, "kernels": {key("s", (), ()): entry}}
    file.write_bytes(lzma.compress(json.dumps(held).encode()))
    with pytest.raises(SimulatorLacks, match="assembler"):
        Stored(file).resources("s", (), ())


def test_the_key_tells_sources_options_and_names_apart() -> None:
    keys = {key("a", (), ()), key("b", (), ()), key("a", ("-G",), ()), key("a", (), ("f<int>",))}
    assert len(keys) == 4


def test_it_is_what_nvrtc_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    if nvrtc().version() != contents()["compiler"]:
        pytest.skip("another NVRTC made the file")
    rung = reductions.RUNGS["grid_stride"]
    monkeypatch.setenv(front_end.VARIABLE, "nvrtc")
    made, stored = compile_ptx(rung.source, rung.options).ptx, Stored().ptx(rung.source, rung.options, ()).ptx
    assert 'kernel.cu"' in made and stored == re.sub('"[^"]*/kernel.cu"', '"kernel.cu"', made)


def test_it_names_no_folder_of_the_machine_that_made_it() -> None:
    texts = [entry["ptx"] for entry in contents()["kernels"].values()]
    named = {name for text in texts for name in re.findall(r"\.file\s+\d+ (.*)", text)}
    assert named and not any("/" in name for name in named)
