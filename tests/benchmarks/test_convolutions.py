"""The ladder of lesson 12: each rung computes PyTorch's convolution, a wrong one is noticed; it can be rehearsed."""

from dataclasses import replace

import numpy as np
import pytest

from gpucourse import benchmarks, cupy_sim
from gpucourse.benchmarks import convolutions
from gpucourse.benchmarks.case import QUICK, Machine, WrongResult, measure

torch = pytest.importorskip("torch")
SIMULATOR = Machine("simulator", "the simulator", cupy_sim, lambda: None, 1, torch=torch)
LAYERS = (convolutions._REHEARSED[0], convolutions.Layer(3, 2, 7, 5, 3, 1, 1), convolutions.Layer(1, 1, 6, 2, 2))


@pytest.mark.parametrize("layer", LAYERS, ids=str)
@pytest.mark.parametrize("rung", convolutions.RUNGS)
def test_a_rung_computes_pytorchs_convolution(rung, layer):
    operands = convolutions._operands(layer)
    call, result, _ = convolutions.RUNGS[rung](tuple(map(cupy_sim.asarray, operands)), SIMULATOR, layer)
    call()
    due = torch.nn.functional.conv2d(*map(torch.tensor, operands), layer.stride, layer.padding)
    np.testing.assert_allclose(result().get(), due, rtol=1e-4, atol=1e-5)


def test_the_check_of_a_rung_notices_what_is_wrong():
    def off_by_a_thousandth(operands, machine, layer):
        call, result, poison = convolutions._im2col(operands, machine, layer)
        return call, lambda: result() * 1.001, poison

    def nan_in_the_middle(operands, machine, layer):
        call, result, poison = convolutions._direct(operands, machine, layer)

        def spoil():
            call()
            result()[1, 0, 0, 0] = np.nan

        return spoil, result, poison

    layer = replace(LAYERS[0], n=3)                      # examples 0 and 2 are compared, 1 must be finite
    for prepare in (off_by_a_thousandth, nan_in_the_middle):
        checked = convolutions._checked("im2col", prepare, SIMULATOR, layer)
        checked.poison()
        checked()
        with pytest.raises(WrongResult, match="im2col: the largest error is"):
            checked.check()


def test_the_work_is_two_operations_for_each_product():
    layer = convolutions.Layer(64, 64, 56, 64, 3, padding=1)
    assert layer.flop == 2 * 64 * (64 * 56 * 56) * (64 * 9)
    assert [layer.out for layer in convolutions.LAYERS] == [28, 112, 56]


def test_the_ladder_is_rehearsed_on_the_simulator():
    (name, benchmark), = benchmarks.table("gpu", "convolution").items()
    entries = list(measure(name, benchmark, SIMULATOR, QUICK))
    assert [entry.get("error") for entry in entries] == [None] * len(convolutions.RUNGS)
    assert [entry["parameters"]["kernel"] for entry in entries] == list(convolutions.RUNGS)
    assert [entry.get("of") for entry in entries] == [None, *["library"] * 3]
    assert all(entry["unit"] == "FLOP/s" for entry in entries)


def test_without_pytorch_our_own_rungs_remain():
    cases = list(convolutions.convolution(replace(SIMULATOR, torch=None), QUICK))
    assert [case.parameters["kernel"] for case in cases] == ["one thread a result", "im2col"]


def test_pytorchs_settings_are_as_the_rung_says_and_are_put_back():
    flags = torch.backends.cudnn
    before = flags.allow_tf32, flags.benchmark, flags.enabled
    for rung in convolutions.RUNGS:
        with convolutions._library_setting(SIMULATOR, rung):
            if rung.startswith("library"):
                assert (flags.allow_tf32, flags.benchmark, flags.enabled) == (rung.endswith("TF32"), True, True)
    assert (flags.allow_tf32, flags.benchmark, flags.enabled) == before
