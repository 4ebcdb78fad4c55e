"""The memory of a cell: its gradients against lesson 16's layers by hand and matrix products; its words; that it draws.

The layers of `gpucourse.nn.recurrent` are array code with a backward pass of their own.
"""

import sys

import numpy as np
import pytest
from texts import clashes

pytest.importorskip("matplotlib")
pytest.importorskip("torch")
import torch
from torch import nn

from gpucourse.errors import CourseError
from gpucourse.nn import recurrent
from gpucourse.viz import cell_memory, explorers, picture
from gpucourse.viz.cell_memory import KINDS, fresh, memory, reach

BY_HAND = {"rnn": recurrent.RNN, "gru": recurrent.GRU, "lstm": recurrent.LSTM}


def numbers(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def by_hand(kind, layer, x):
    """The same norms by back-propagation in array code: unit by unit of the last state, example by example."""
    copy = BY_HAND[kind](layer.input_size, layer.hidden_size, dtype=np.float64)
    for name, theirs in zip(("weight_x", "weight_h", "bias_x", "bias_h"), layer.all_weights[0], strict=True):
        getattr(copy, name).value = theirs.detach().double().numpy()
    squares = np.zeros(x.shape[:2])
    for unit in range(layer.hidden_size):
        wanted = np.zeros(copy.forward(x).shape)
        wanted[:, -1, unit] = 1
        squares += (copy.backward(wanted) ** 2).sum(axis=2)
    return np.sqrt(squares).mean(axis=0)[::-1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("radius", [0.5, 1.5])
def test_the_norms_are_those_of_the_layers_by_hand(kind, radius):
    x = numbers((3, 12, 2))
    layer = fresh(kind, 2, radius, 0.7, 5)
    assert np.allclose(memory(layer, x), by_hand(kind, layer, x), rtol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_as_pytorch_makes_it_whatever_its_order_of_axes(kind):
    torch.manual_seed(1)
    layer = getattr(nn, KINDS[kind].name)(3, 5)
    x = numbers((4, 9, 3))
    due = by_hand(kind, layer, x)
    assert np.allclose(memory(layer, x), due, rtol=1e-3)
    first = getattr(nn, KINDS[kind].name)(3, 5, batch_first=True)
    first.load_state_dict(layer.state_dict())
    assert np.allclose(memory(first, torch.from_numpy(x)), due, rtol=1e-3)


def test_a_plain_cells_gradient_is_a_product_of_matrices():
    layer, x = fresh("rnn", 1, 1.2, 0, 3), numbers((1, 7, 1))
    w, u = (getattr(layer, name).detach().numpy() for name in ("weight_hh_l0", "weight_ih_l0"))
    states = layer(torch.from_numpy(x))[0][0].detach().numpy()
    product, due = np.eye(len(w)), []
    for state in states[::-1]:
        product = product @ np.diag(1 - state**2)
        due.append(np.linalg.norm(product @ u))
        product = product @ w
    assert np.allclose(memory(layer, x), due)


def test_the_mean_over_the_examples_and_large_batches():
    layer, x = fresh("gru"), numbers((70, 4, 1))        # 70 examples of 32 units are more than one batch
    each = [memory(layer, example) for example in x]
    assert np.allclose(memory(layer, x), np.mean(each, axis=0))


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_two_layers_with_dropout_are_asked_without_it_and_nothing_is_changed():
    torch.manual_seed(0)
    layer, x = nn.LSTM(2, 4, num_layers=2, dropout=0.5, proj_size=3), numbers((2, 6, 2))
    for weight in layer.parameters():
        weight.requires_grad_(False)
    layer.weight_ih_l0.requires_grad_(True)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    with torch.no_grad():
        found = memory(layer, x)
    with torch.inference_mode():
        assert np.array_equal(memory(layer, torch.tensor(x)), found)
    assert layer.training and layer.weight_ih_l0.grad is None
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    assert np.array_equal(memory(layer.eval(), x), found) and not layer.training


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("radius", [0.3, 1.0, 2.5])
def test_an_untrained_cell_has_the_radius_and_the_bias_that_were_asked_for(kind, radius):
    layer = fresh(kind, 3, radius, 1.5, 7)
    for block in layer.weight_hh_l0.detach().numpy().reshape(-1, 32, 32):
        assert max(abs(np.linalg.eigvals(block))) == pytest.approx(radius)
    at = {"rnn": [0], "gru": [0, 1.5, 0], "lstm": [0, 1.5, 0, 0]}[kind]
    total = (layer.bias_ih_l0 + layer.bias_hh_l0).detach().numpy().reshape(-1, 32)
    assert (total == np.array(at)[:, None]).all()


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_the_bias_is_that_of_the_gate_that_keeps_the_state(kind):
    """A gate of 1 - 4e-11 hands the gradient on as it is, step for step; without radius no other way leads back."""
    steady = memory(fresh(kind, 1, 0.0, 24.0), np.zeros((1, 30, 1)))
    assert steady == pytest.approx(np.full(30, steady[0]), rel=1e-6)


@pytest.mark.parametrize("radius", [0.5, 0.9, 1.1])
def test_without_inputs_a_plain_cell_has_powers_of_its_weights(radius):
    layer = fresh("rnn", 1, radius)
    w, u = (getattr(layer, name).detach().numpy() for name in ("weight_hh_l0", "weight_ih_l0"))
    due = [np.linalg.norm(np.linalg.matrix_power(w, k) @ u) for k in range(20)]
    assert np.allclose(memory(layer, np.zeros((1, 20, 1))), due)


def test_the_inputs_are_the_same_whatever_their_number_and_the_seed_is_kept():
    short, long = cell_memory.norms_of(20), cell_memory.norms_of(100)
    assert np.allclose(short["lstm"][:10], long["lstm"][:10], rtol=0.1)      # beyond, the start of the states matters
    assert np.array_equal(short["gru"], cell_memory.norms_of(20)["gru"])
    assert not np.allclose(short["gru"], cell_memory.norms_of(20, seed=1)["gru"])


def test_reach():
    assert reach(np.array([1.0, 0.5, 0.02, 0.009, 0.011, 0.001])) == 4
    assert reach(np.array([1e-9, 2.0])) == 1
    assert reach(np.array([1.0, 0.0])) == 0
    assert reach(np.zeros(3)) == -1


@pytest.mark.parametrize(
    ("norms", "text"),
    [
        ([1, 0.1, 0.01, 0.001], "the inputs up to 2 steps back matter for the last state; the gradient of the oldest "
                                "is 0.001 of the largest"),
        ([4, 1e-3, 1e-12], "only the last input matters for the last state; the gradient of the oldest is less than "
                           "1e-10 of the largest"),
        ([1, 0.5], "all inputs matter for the last state; the gradient of the oldest is 0.5 of the largest"),
        ([0.5, 1], "all inputs matter for the last state; the gradient of the oldest is the largest"),
        ([1, 150, 100], "the gradient explodes: 150 times that of the last input at the one 1 step back"),
        ([0, 0], "no input matters for the last state: all gradients are 0"),
    ],
)  # fmt: skip
def test_the_words_for_a_cell(norms, text):
    assert cell_memory.said(np.array(norms, float)) == text


def test_the_sentence():
    back = {kind: reach(norms) for kind, norms in cell_memory.norms_of(50).items()}
    text = cell_memory.draw()[1]
    assert text.startswith(f"RNN, 50 steps, spectral radius 1: the inputs up to {back['rnn']} steps back matter")
    assert f". Beside it: GRU up to {back['gru']} steps back, LSTM up to {back['lstm']} steps back. An input" in text
    assert cell_memory.draw("lstm", 20, 0.5, 2)[1].startswith(
        "LSTM, 20 steps, spectral radius 0.5, bias 2 of the forget gate: all inputs matter")  # fmt: skip
    assert "bias -1 of the update gate, example 1: " in cell_memory.draw("gru", bias=-1, example=1)[1]
    assert "⟨" not in text


@pytest.mark.parametrize("seed", range(3))
def test_what_the_lesson_may_claim(seed):
    """A small radius forgets soon, a large one explodes, and a gate that keeps the state makes the memory long."""
    usual, small, large = (cell_memory.norms_of(50, radius, seed=seed) for radius in (1.0, 0.5, 3.0))
    kept = cell_memory.norms_of(50, 1.0, 3.0, seed)
    assert reach(small["rnn"]) < 10 < reach(usual["rnn"]) < 45
    assert large["rnn"][40:].max() > 1000 * large["rnn"][0]
    for kind in ("gru", "lstm"):
        assert reach(usual[kind]) < 25 and reach(kept[kind]) == 49


def test_what_rounding_errors_have_grown_in_is_marked():
    assert "3: ⟨the gradient explodes" in cell_memory.draw("rnn", 200, 3.0)[1]


@pytest.fixture
def trained():
    torch.manual_seed(0)
    return {"small": nn.GRU(2, 8, batch_first=True), "large": nn.LSTM(2, 16)}, torch.randn(6, 24, 2)


def test_trained_layers_are_asked_about_their_own_inputs(trained):
    layers, x = trained
    found = cell_memory.norms_of(10, trained=layers, x=x)
    assert list(found) == ["small", "large"]
    assert np.array_equal(found["large"], memory(layers["large"], x[:, -10:]))
    one = cell_memory.norms_of(trained=layers["small"], x=x.numpy(), example=4)
    assert np.array_equal(one["trained"], memory(layers["small"], x[4:5]))
    text = cell_memory.draw("large", trained=layers, x=x)[1]
    assert text.startswith(f"large, 24 steps: ⟨the inputs up to {reach(memory(layers['large'], x))} steps back matter")
    assert ". Beside it: small up to " in text
    assert cell_memory.draw(trained=layers["small"], x=x, example=2)[1].startswith("trained, 24 steps, example 2: ⟨")


def test_untrained_cells_may_be_asked_about_other_inputs(trained):
    found = cell_memory.norms_of(12, 0.8, 1.0, 2, x=trained[1])
    assert np.array_equal(found["gru"], memory(fresh("gru", 2, 0.8, 1.0, 2), trained[1][:, -12:]))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"cell": "GRU"}, "cell='GRU'; there are rnn, gru, lstm"),
        ({"radius": -1}, "radius=-1; .* a radius is 0 or more"),
        ({"steps": 0}, "steps=0, example=None; x has 2 examples of 200 steps"),
        ({"example": 2}, "example=2; x has 2 examples"),
        ({"trained": nn.GRU(2, 3)}, "give x"),
        ({"trained": nn.Linear(2, 3), "x": numbers((1, 4, 2))}, "found Linear; give a torch.nn RNN, GRU or LSTM"),
        ({"trained": nn.GRU(2, 3, bidirectional=True), "x": numbers((1, 4, 2))}, "found a bidirectional layer"),
        ({"trained": nn.GRU(2, 3), "x": numbers((1, 4, 3))}, r"x has shape \(1, 4, 3\); give \(n, steps, 2\)"),
        ({"trained": nn.GRU(2, 3), "x": numbers((4,))}, r"x has shape \(4,\); give"),
        ({"trained": nn.GRU(2, 3), "x": np.full((1, 4, 2), np.nan)}, "8 of 8 numbers of x are nan or infinite"),
        ({"trained": nn.GRU(2, 3), "x": numbers((3, 4, 2)), "steps": 5}, "steps=5, .* 3 examples of 4 steps"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(CourseError, match=message):
        cell_memory.draw(**wrong)


@pytest.mark.parametrize("values", [{}, {"cell": "gru", "steps": 10}, {"radius": 3.0, "steps": 200}, {"radius": 0.0},
                                    {"cell": "lstm", "bias": 6.0}, {"steps": 1}], ids=str)  # fmt: skip
def test_everything_draws_and_is_legible(values):
    fig, _ = cell_memory.draw(**values)
    assert not clashes(fig)
    assert picture.png(fig)
    found = cell_memory.norms_of(*(values.get(name, usual) for name, usual in
                                   (("steps", 50), ("radius", 1.0), ("bias", 0.0))))  # fmt: skip
    curves, bars = fig.axes
    for line, bar, norms in zip(curves.lines, bars.patches, found.values(), strict=False):
        share = norms / norms.max()
        assert np.allclose(line.get_ydata(), np.where(share > 0, share, np.nan), equal_nan=True)
        assert bar.get_width() == reach(norms)


def test_the_explorer_moves_and_the_plain_function_says_the_same(capsys):
    pytest.importorskip("ipywidgets")
    explorer = explorers.cell_memory()
    assert repr(explorer) == "<explorer: memory of a cell>"
    assert explorer.sentence == cell_memory.draw()[1]
    before = explorer.image.value
    explorer.set(cell="lstm", steps=100, radius=0.8, bias=2.5)
    assert explorer.image.value != before
    cell_memory.cell_memory("lstm", 100, 0.8, 2.5)
    assert explorer.sentence in capsys.readouterr().out


def test_the_explorer_of_trained_layers(trained, capsys):
    pytest.importorskip("ipywidgets")
    layers, x = trained
    explorer = explorers.cell_memory(layers, x)
    assert list(explorer.controls) == ["cell", "steps", "example"]
    explorer.set(cell="large", steps=12, example=3)
    cell_memory.cell_memory("large", 12, trained=layers, x=x, example=3)
    assert explorer.sentence in capsys.readouterr().out
    assert list(explorers.cell_memory(layers["small"], x[0]).controls) == ["steps"]


def test_without_ipywidgets_the_picture_is_shown(monkeypatch, capsys, trained):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert explorers.cell_memory() is None
    assert explorers.cell_memory(*trained) is None
    out, err = capsys.readouterr()
    assert cell_memory.draw()[1] in out and "small, 24 steps: " in out and "pip install ipywidgets" in err
