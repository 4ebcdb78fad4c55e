"""What optional packages ask of a machine, on machines of canned answers; counting the lines of a version."""

import sys
import textwrap
from types import SimpleNamespace

import pytest

from gpucourse import backend, cupy_sim, optional
from gpucourse.backend import Answer, Backend, System
from gpucourse.errors import MissingPackage

NVIDIA = SimpleNamespace(name="NVIDIA L4")


class Machine(System):
    """A machine whose trials print `says`, with modules and variables of its own."""

    def __init__(self, says="", modules=(), platform="linux", **variables):
        self.says, self.modules, self.named, self.variables = says, dict(modules), platform, variables
        self.asked = []

    def run(self, command, seconds):
        self.asked.append(command)
        return Answer(0, self.says)

    def load(self, module):
        return self.modules[module]

    def variable(self, name):
        return self.variables.get(name)

    def platform(self):
        return self.named

    def executable(self):
        return "python"


def at(monkeypatch, gpu):
    """Pretend that the backend found a GPU, or none."""
    monkeypatch.setattr(backend, "choose", lambda: Backend("cupy" if gpu else "simulator", "", ""))
    monkeypatch.setattr(backend, "torch_device", lambda: SimpleNamespace(type="cuda" if gpu else "cpu"))
    monkeypatch.setattr(backend, "gpu", lambda: NVIDIA if gpu else None)


@pytest.mark.parametrize(
    ("gpu", "says", "simulated"), [(False, "works", True), (True, "", True), (True, "works", False)]
)
def test_simulator_and_interpreter_are_asked_for_unless_a_trial_on_a_gpu_works(monkeypatch, gpu, says, simulated):
    at(monkeypatch, gpu)
    for name, variable in (("numba.cuda", "NUMBA_ENABLE_CUDASIM"), ("triton", "TRITON_INTERPRET")):
        machine = Machine(says)
        assert optional.NEEDS[name].settings(machine) == ({variable: "1"} if simulated else {})
        assert len(machine.asked) == gpu      # without a GPU nothing is tried


def numba(simulator, available=False):
    return {
        "numba": SimpleNamespace(config=SimpleNamespace(ENABLE_CUDASIM=simulator)),
        "numba.cuda": SimpleNamespace(is_available=lambda: available),
    }


def test_numba_imported_before_its_simulator_was_asked_for_is_a_problem():
    problem = optional.NEEDS["numba.cuda"].problem
    assert problem(Machine(modules=numba(True))) == ""
    assert problem(Machine(modules=numba(False, available=True))) == ""
    assert "restart the kernel" in problem(Machine(modules=numba(False)))


def test_torch_compile_wants_a_compiler_and_pythons_headers(monkeypatch, tmp_path):
    at(monkeypatch, gpu=False)
    problem = optional.NEEDS["torch.compile"].problem
    monkeypatch.setattr(optional.shutil, "which", lambda name: None)
    assert "no C++ compiler (g++)" in problem(Machine())
    assert "no C++ compiler (clang++)" in problem(Machine(platform="darwin"))
    assert "no C++ compiler (icpx)" in problem(Machine(CXX="icpx"))
    monkeypatch.setattr(optional.shutil, "which", lambda name: "/usr/bin/" + name)
    monkeypatch.setattr(optional.sysconfig, "get_path", lambda name: str(tmp_path))
    assert "no Python headers" in problem(Machine())
    (tmp_path / "Python.h").touch()
    assert problem(Machine()) == ""


def test_torch_compile_stays_in_one_process_though_an_optimizer_has_read_the_variables_before(monkeypatch):
    config = SimpleNamespace(compile_threads=8, cpp_cache_precompile_headers=True)
    monkeypatch.setitem(sys.modules, "torch._inductor.config", config)
    variables = optional.NEEDS["torch.compile"].settings(Machine())
    assert (config.compile_threads, config.cpp_cache_precompile_headers) == (1, False)
    assert set(variables.values()) == {"1", "0"}


def test_torch_compile_on_a_gpu_wants_a_triton_that_works(monkeypatch):
    at(monkeypatch, gpu=True)
    problem = optional.NEEDS["torch.compile"].problem
    assert problem(Machine("works")) == ""
    assert "Triton" in problem(Machine(""))


# --- OpenCL --------------------------------------------------------------------------------------------

CPU, GPU = 2, 4
POCL = "Portable Computing Language"


class Thing:
    """Names with values; unlike a namespace it can be a key of a cache."""

    def __init__(self, **names):
        self.__dict__.update(names)


class OpenClError(Exception):
    pass


class Program:
    def __init__(self, context, source):
        self.device = context[0]

    def build(self, cache_dir):
        if not self.device.works:
            raise OpenClError("clBuildProgram failed\nerror: unknown target CPU 'generic'\nmore")


@pytest.fixture
def opencl(monkeypatch):
    """Make a pyopencl whose devices are (platform, type, works)."""

    def make(*devices):
        made = [Thing(name=f"{name} device ", type=kind, works=works, platform=Thing(name=name))
                for name, kind, works in devices]  # fmt: skip
        platforms = [Thing(get_devices=lambda device=device: [device]) for device in made]
        found = Thing(get_platforms=lambda: platforms, device_type=Thing(GPU=GPU), Error=OpenClError, Context=list,
                      Program=Program)  # fmt: skip
        monkeypatch.setitem(sys.modules, "pyopencl", found)
        return Machine(modules={"pyopencl": found})

    return make


@pytest.mark.parametrize(
    ("devices", "words", "hardware"),
    [
        ([(POCL, CPU, True), ("NVIDIA CUDA", GPU, True)], "NVIDIA CUDA device", True),
        ([(POCL, CPU, True), ("NVIDIA CUDA", GPU, False)], "the CPU, by PoCL", True),
        ([("Oclgrind", 15, True), (POCL, CPU, True)], "the CPU, by PoCL", True),
        ([("Oclgrind", 15, True), (POCL, CPU, False)], "the simulator Oclgrind", False),
    ],
)
def test_opencl_takes_a_gpu_then_a_cpu_then_a_simulator_of_those_that_compile(opencl, devices, words, hardware):
    machine = opencl(*devices)
    assert optional.place("OpenCL", machine) == optional.Place(words, hardware)
    assert optional.NEEDS["pyopencl"].problem(machine) == ""


def test_opencl_without_a_device_that_compiles_says_what_the_driver_said(opencl):
    machine = opencl((POCL, CPU, False))
    with pytest.raises(MissingPackage, match="PoCL: error: unknown target CPU 'generic'"):
        optional.opencl_device()
    assert "PoCL" in optional.NEEDS["pyopencl"].problem(machine)


# --- places and lines ----------------------------------------------------------------------------------


def test_a_place_is_hardware_only_where_it_is(monkeypatch):
    at(monkeypatch, gpu=False)
    machine = Machine(modules=numba(True), TRITON_INTERPRET="1")
    found = {name: optional.place(name, machine) for name in optional._PLACES if name != "OpenCL"}
    assert {name for name, place in found.items() if place.hardware} == {"torch.compile", "PyTorch", "step by step"}
    at(monkeypatch, gpu=True)
    machine = Machine(modules=numba(False))
    assert {optional.place(name, machine).words for name in found} == {"NVIDIA L4"}


def _kernel(x):
    """Not counted? A docstring is code that says something, and counts."""

    # a comment does not
    return x


def test_lines_of_code_are_those_that_hold_code():
    source = textwrap.dedent("""
        // a comment
        void f() {

        }
    """)
    assert optional.count_lines(source) == 2
    assert optional.count_lines(_kernel) == 3
    assert optional.count_lines(SimpleNamespace(fn=_kernel), SimpleNamespace(py_func=_kernel), source) == 8
    assert optional.count_lines(cupy_sim.RawKernel(source, "f")) == 2
