"""Recurrent layers: PyTorch's outputs, last state and all gradients; finite differences; on both array modules."""

import numpy as np
import pytest

from gpucourse import cupy_sim, nn
from gpucourse.nn import recurrent

torch = pytest.importorskip("torch")
RNG = np.random.default_rng
N, STEPS, INPUTS, SIZE = 2, 5, 3, 4
KINDS = ["RNN", "GRU", "LSTM"]


def host(a):
    return a.get() if hasattr(a, "get") else np.asarray(a)


def pair(kind, xp=np):
    """A layer of ours, and PyTorch's with the same weights, float64."""
    ours = getattr(recurrent, kind)(INPUTS, SIZE, RNG(1), xp, np.float64)
    theirs = getattr(torch.nn, kind)(INPUTS, SIZE, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        for name, parameter in names(ours, theirs):
            parameter.copy_(torch.from_numpy(host(name.value)))
    return ours, theirs


def names(ours, theirs):
    return [(ours.weight_x, theirs.weight_ih_l0), (ours.weight_h, theirs.weight_hh_l0),
            (ours.bias_x, theirs.bias_ih_l0), (ours.bias_h, theirs.bias_hh_l0)]  # fmt: skip


@pytest.mark.parametrize("begin", ["zeros", "a state"])
@pytest.mark.parametrize("xp", [np, cupy_sim], ids=["numpy", "cupy_sim"])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_pytorch_forward_and_back(kind, xp, begin):
    ours, theirs = pair(kind, xp)
    x, dy = RNG(2).standard_normal((N, STEPS, INPUTS)), RNG(3).standard_normal((N, STEPS, SIZE))
    first = [RNG(4 + k).standard_normal((N, SIZE)) for k in range(ours.arrays)]
    state = tuple(xp.asarray(part) for part in first) if begin == "a state" else None
    y, dx = ours.forward(xp.asarray(x), state), ours.backward(xp.asarray(dy))

    tx = torch.tensor(x, requires_grad=True)
    leaves = [torch.tensor(part, requires_grad=True) for part in first]
    given = [leaf[None] for leaf in leaves]
    start = None if begin == "zeros" else tuple(given) if kind == "LSTM" else given[0]
    ty, last = theirs(tx, start)
    ty.backward(torch.tensor(dy))
    close = {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(host(y), ty.detach(), **close)
    for part, due in zip(ours.state, last if kind == "LSTM" else [last], strict=True):
        np.testing.assert_allclose(host(part), due[0].detach(), **close)
    np.testing.assert_allclose(host(dx), tx.grad, **close)
    for own, parameter in names(ours, theirs):
        np.testing.assert_allclose(host(own.gradient), parameter.grad, **close)
    if begin == "a state":
        for part, leaf in zip(ours.dstate, leaves, strict=True):
            np.testing.assert_allclose(host(part), leaf.grad, **close)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_pass_finite_differences(kind):
    layer = getattr(recurrent, kind)(INPUTS, SIZE, RNG(1), np, np.float64)
    x, weights = RNG(2).standard_normal((N, STEPS, INPUTS)), RNG(3).standard_normal((N, STEPS, SIZE))
    layer.forward(x)
    gradients = [layer.backward(weights), *(p.gradient for p in layer.parameters())]
    for at, found in zip([x, *(p.value for p in layer.parameters())], gradients, strict=True):
        checked = nn.finite_difference(lambda: float((layer.forward(x) * weights).sum()), at)
        assert nn.gradient_error(found, checked) < 1e-6


def test_a_sequence_in_two_parts_is_the_whole():
    layer = recurrent.LSTM(INPUTS, SIZE, RNG(1), np, np.float64)
    x = RNG(2).standard_normal((N, STEPS, INPUTS))
    whole = layer.forward(x)
    first = layer.forward(x[:, :2])
    rest = layer.forward(x[:, 2:], layer.state)
    np.testing.assert_allclose(np.concatenate([first, rest], axis=1), whole, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_large_numbers_do_not_overflow(kind):
    layer = getattr(recurrent, kind)(1, 2, RNG(1), np, np.float32)
    assert np.isfinite(layer.forward(np.full((1, 3, 1), 1e4, np.float32))).all()
    assert np.isfinite(layer.backward(np.ones((1, 3, 2), np.float32))).all()


def test_float32_stays_float32():
    layer = recurrent.GRU(INPUTS, SIZE, RNG(1))
    y = layer.forward(np.ones((N, STEPS, INPUTS), np.float32))
    dx = layer.backward(y)
    assert y.dtype == dx.dtype == layer.weight_h.gradient.dtype == np.float32
