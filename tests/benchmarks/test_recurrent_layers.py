"""The ladder of lesson 16: each rung computes PyTorch's layer, by what its name says; it can be rehearsed."""

from dataclasses import replace

import numpy as np
import pytest

from gpucourse import benchmarks, cupy_sim
from gpucourse.benchmarks import recurrent_layers as ladder
from gpucourse.benchmarks.case import FULL, QUICK, Machine, WrongResult, measure
from gpucourse.cupy_sim.counters import count_launches

torch = pytest.importorskip("torch")
CPU = Machine("cpu", "a CPU", np, lambda: None, 1, torch=torch)
SIMULATOR = Machine("simulator", "the simulator", cupy_sim, lambda: None, 1)
OWN = "own kernel"


def made(kernel, machine, layer):
    cell, x = ladder._operands(ladder.RUNGS[kernel].cell, layer, machine.xp)
    return ladder.RUNGS[kernel].forward(machine, cell), cell, x


@pytest.mark.parametrize("layer", [ladder.Layer(3, 4, 2, 5), ladder.Layer(1, 6, 3, 8)], ids=str)
@pytest.mark.parametrize("kernel", ladder.RUNGS)
def test_a_rung_computes_pytorchs_layer(kernel, layer):
    forward, cell, x = made(kernel, SIMULATOR, layer)
    module = getattr(torch.nn, ladder.RUNGS[kernel].cell)(layer.inputs, layer.size, batch_first=True)
    names = {"weight_ih_l0": "weight_x", "weight_hh_l0": "weight_h", "bias_ih_l0": "bias_x", "bias_hh_l0": "bias_h"}
    module.load_state_dict({name: torch.tensor(getattr(cell, ours).value.get()) for name, ours in names.items()})
    with torch.no_grad():
        due = module(torch.tensor(x.get()))[0]
    found = forward(x)
    np.testing.assert_allclose(found.get() if hasattr(found, "get") else found, due, rtol=1e-4, atol=1e-6)


def test_all_rungs_of_a_cell_have_the_same_weights_and_inputs():
    layer = ladder.LAYERS[0]
    (first, x), (again, y) = (ladder._operands("RNN", layer, np, dtype) for dtype in ("float32", "float64"))
    np.testing.assert_array_equal(first.weight_h.value, again.weight_h.value.astype(np.float32))
    np.testing.assert_array_equal(x, y.astype(np.float32))
    assert (x.shape, first.weight_x.value.dtype) == ((64, 48, 5), np.float32)


@pytest.mark.parametrize("kernel", ["array code", "torch.nn.GRU"])
def test_a_wrong_state_is_noticed(kernel, monkeypatch):
    right = ladder.RUNGS[kernel]

    def off(machine, cell):
        cell.bias_h.value[0] += 0.01
        return right.forward(machine, cell)

    monkeypatch.setitem(ladder.RUNGS, kernel, replace(right, forward=off))
    call = ladder._checked(kernel, CPU, ladder.Layer(3, 4, 2, 5))
    call()
    with pytest.raises(WrongResult, match=f"{kernel}: the largest error is"):
        call.check()


def test_the_own_kernel_is_one_launch_for_all_steps_and_array_code_some_for_each():
    def launches(kernel, steps):
        forward, _, x = made(kernel, SIMULATOR, ladder.Layer(2, steps, 3, 4))
        with count_launches() as seen:
            forward(x)
        return seen.launches

    assert launches(OWN, 3) == launches(OWN, 9) < launches("array code", 3) < launches("array code", 9)


def entries(machine, sizes):
    (name, benchmark), = benchmarks.table("gpu", "recurrent").items()
    assert name == "recurrent"
    return list(measure(name, benchmark, machine, sizes))


def test_the_ladder_is_rehearsed_on_the_simulator():
    found = entries(SIMULATOR, QUICK)
    assert [entry.get("error") for entry in found] == [None] * len(ladder.RUNGS)
    assert [entry["parameters"]["kernel"] for entry in found] == list(ladder.RUNGS)
    assert [entry.get("of") for entry in found] == [None, *["array code"] * 5]
    assert all(entry["unit"] == "step/s" and entry["work"] == 3 * 4 for entry in found)


def test_a_cpu_has_no_kernel_of_its_own_and_without_pytorch_array_code_remains(monkeypatch):
    monkeypatch.setattr(ladder, "LAYERS", (ladder.Layer(2, 3, 2, 4),))
    skipped = {entry["parameters"]["kernel"]: entry.get("skipped") for entry in entries(CPU, QUICK)}
    assert skipped == dict.fromkeys(ladder.RUNGS) | {OWN: "this rung needs a GPU"}
    without = [entry for entry in entries(replace(CPU, torch=None), QUICK) if "skipped" not in entry]
    assert [entry["parameters"]["kernel"] for entry in without] == ["array code"] and "error" not in without[0]


def test_a_trial_leaves_the_largest_layer_out():
    layers = {kind: [case.parameters["layer"] for case in ladder.recurrent(CPU, sizes)][:: len(ladder.RUNGS)]
              for kind, sizes in (("full", FULL), ("quick", QUICK))}
    assert layers["full"] == [str(layer) for layer in ladder.LAYERS] and layers["quick"] == layers["full"][:2]


def test_tf32_is_off_while_the_ladder_runs_and_put_back():
    flags, before = torch.backends.cudnn, torch.backends.cudnn.allow_tf32
    with ladder._without_tf32(CPU):
        assert not flags.allow_tf32 and flags.enabled
    assert flags.allow_tf32 == before
    with ladder._without_tf32(replace(CPU, torch=None)):
        pass
