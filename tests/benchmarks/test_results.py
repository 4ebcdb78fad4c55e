"""A result is held against what is due, an array or a tensor; what is wrong with it is noticed."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from gpucourse import cupy_sim  # noqa: E402
from gpucourse.benchmarks.case import Machine, NotHere, WrongResult  # noqa: E402
from gpucourse.benchmarks.results import checked, pytorch  # noqa: E402

CPU = Machine("cpu", "a CPU", np, lambda: None, 1, torch=torch)
SIMULATOR = Machine("simulator", "the simulator", cupy_sim, lambda: None, 1)
RIGHT = np.arange(24.0).reshape(4, 3, 2)


def verdict(result, machine=CPU, seen=(0, 3), tolerance=1e-3):
    call = checked("mine", machine, lambda: result, list(seen), RIGHT[list(seen)], tolerance)
    call.poison()
    call()
    call.check()


@pytest.mark.parametrize(("machine", "make"), [
    (CPU, np.asarray), (CPU, torch.from_numpy), (SIMULATOR, cupy_sim.asarray), (SIMULATOR, torch.from_numpy)])
def test_arrays_and_tensors_pass(machine, make):
    verdict(make(RIGHT), machine)
    verdict(make(RIGHT * (1 + 5e-4)), machine)


def spoiled(index, value):
    result = RIGHT.copy()
    result[index] = value
    return result


@pytest.mark.parametrize("result", [
    RIGHT * 1.01, spoiled((3, 2, 1), 0), spoiled((1, 0, 0), np.nan), spoiled((2, 0, 0), np.inf),
    RIGHT[:, :2], RIGHT.swapaxes(1, 2), RIGHT[:, :, 0]],
    ids=["off", "one element", "nan elsewhere", "inf elsewhere", "too few", "turned", "an axis lost"])
def test_what_is_wrong_is_noticed(result):
    with pytest.raises(WrongResult, match="mine: the largest error is"):
        verdict(result)


def test_an_old_result_does_not_count():
    results = iter([RIGHT])
    call = checked("mine", CPU, lambda: next(results), [0], RIGHT[:1], 1e-3)
    call()
    call.poison()
    with pytest.raises(KeyError):
        call.check()


def test_a_rehearsal_takes_the_pytorch_that_is_installed_and_no_other_machine_does(monkeypatch):
    assert pytorch(CPU) is torch and pytorch(SIMULATOR) is torch
    with pytest.raises(NotHere, match="needs PyTorch"):
        pytorch(replace(CPU, torch=None))
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(NotHere, match="needs PyTorch"):
        pytorch(SIMULATOR)
