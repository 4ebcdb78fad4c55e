"""Every layer and loss: PyTorch's values and gradients, and finite differences; on NumPy and on cp's arrays."""

import numpy as np
import pytest

from gpucourse import cupy_sim, nn

torch = pytest.importorskip("torch")
F = torch.nn.functional
RNG = np.random.default_rng


def on(xp, a):
    return xp.asarray(a)


def host(a):
    return a.get() if hasattr(a, "get") else np.asarray(a)


@pytest.fixture(params=["numpy", "cupy_sim"])
def xp(request):
    return {"numpy": np, "cupy_sim": cupy_sim}[request.param]


def image(*shape):
    """Normal numbers, all different, none within 1e-3 of zero, where ReLU's and a maximum's derivative jumps."""
    x = RNG(1).standard_normal(shape)
    return x + np.sign(x) * 1e-2


class Same:
    """A layer of ours and what PyTorch computes for it from x and its parameters."""

    def __init__(self, name, make, theirs, x):
        self.name, self.make, self.theirs, self.x = name, make, theirs, x


def conv(**how):
    return Same(f"convolution {how}", lambda xp: nn.Conv2d(3, 4, 3, rng=RNG(2), xp=xp, dtype=np.float64, **how),
                lambda x, w, b: F.conv2d(x, w, b, **how), image(2, 3, 8, 9))  # fmt: skip


LAYERS = [
    Same("linear", lambda xp: nn.Linear(5, 3, RNG(2), xp, np.float64), F.linear, image(4, 5)),
    Same("sigmoid", lambda xp: nn.Sigmoid(), torch.sigmoid, image(4, 5)),
    Same("tanh", lambda xp: nn.Tanh(), torch.tanh, image(4, 5)),
    Same("relu", lambda xp: nn.ReLU(), torch.relu, image(4, 5)),
    Same("leaky relu", lambda xp: nn.LeakyReLU(0.2), lambda x: F.leaky_relu(x, 0.2), image(4, 5)),
    conv(), conv(padding=1), conv(stride=2, padding=2), conv(dilation=2), conv(stride=3, padding=1, dilation=2),
    Same("one pixel", lambda xp: nn.Conv2d(3, 2, 1, rng=RNG(2), xp=xp, dtype=np.float64), F.conv2d, image(2, 3, 4, 4)),
    Same("max pool", lambda xp: nn.MaxPool2d(2), lambda x: F.max_pool2d(x, 2), image(2, 3, 6, 7)),
    Same("overlapping max pool", lambda xp: nn.MaxPool2d(3, 2), lambda x: F.max_pool2d(x, 3, 2), image(2, 3, 7, 7)),
    Same("average pool", lambda xp: nn.AvgPool2d(2), lambda x: F.avg_pool2d(x, 2), image(2, 3, 6, 7)),
    Same("overlapping average pool", lambda xp: nn.AvgPool2d(3, 2), lambda x: F.avg_pool2d(x, 3, 2),
         image(2, 3, 8, 7)),
    Same("flatten", lambda xp: nn.Flatten(), lambda x: torch.flatten(x, 1), image(2, 3, 2, 2)),
    Same("in a row", lambda xp: nn.Sequential(nn.Linear(5, 7, RNG(2), xp, np.float64), nn.Tanh(),
                                             nn.Linear(7, 3, RNG(3), xp, np.float64)),
         lambda x, w, b, v, c: F.linear(torch.tanh(F.linear(x, w, b)), v, c), image(4, 5)),
]  # fmt: skip


@pytest.fixture(params=LAYERS, ids=lambda same: same.name)
def same(request):
    return request.param


def test_forward_and_backward_are_pytorchs(same, xp):
    layer = same.make(xp)
    leaves = [torch.tensor(same.x, requires_grad=True)]
    leaves += [torch.tensor(host(p.value), requires_grad=True) for p in layer.parameters()]
    due = same.theirs(*leaves)
    y = layer(on(xp, same.x))
    assert y.shape == tuple(due.shape) and y.dtype == np.float64
    np.testing.assert_allclose(host(y), due.detach().numpy(), rtol=1e-12, atol=1e-12)
    dy = RNG(4).standard_normal(y.shape)
    due.backward(torch.tensor(dy))
    found = [layer.backward(on(xp, dy)), *(p.gradient for p in layer.parameters())]
    for mine, leaf in zip(found, leaves, strict=True):
        assert mine.shape == tuple(leaf.grad.shape)
        np.testing.assert_allclose(host(mine), leaf.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_gradients_pass_finite_differences(same):
    layer, x = same.make(np), same.x.copy()
    weights = RNG(5).standard_normal(layer(x).shape)             # the loss: a weighted sum of the outputs
    gradients = [layer.backward(weights), *(p.gradient for p in layer.parameters())]
    for at, mine in zip([x, *(p.value for p in layer.parameters())], gradients, strict=True):
        checked = nn.finite_difference(lambda: float((weights * layer(x)).sum()), at)
        assert nn.gradient_error(mine, checked) < 1e-6


def test_a_wrong_gradient_is_found():
    layer, x = nn.Sigmoid(), image(3, 4)
    checked = nn.finite_difference(lambda: float(layer(x).sum()), x)
    layer(x)
    assert nn.gradient_error(layer.backward(np.ones((3, 4))), checked) < 1e-6
    assert nn.gradient_error(layer.y * layer.y, checked) > 1e-2
    assert nn.gradient_error(np.zeros(3), np.zeros(3)) == 0.0


def test_float32_stays_float32(xp):
    net = nn.Sequential(nn.Conv2d(1, 2, 3, xp=xp), nn.LeakyReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Sigmoid(),
                        nn.Dropout(0.5), nn.Linear(8, 3, xp=xp))  # fmt: skip
    x = on(xp, image(2, 1, 6, 6).astype(np.float32))
    y = net(x)
    assert y.dtype == np.float32 and net.backward(y).dtype == np.float32
    assert {p.gradient.dtype for p in net.parameters()} == {np.dtype(np.float32)}


def test_a_sigmoid_of_huge_numbers_does_not_overflow(xp):
    layer = nn.Sigmoid()
    assert host(layer(on(xp, np.array([-1e4, 0.0, 1e4])))).tolist() == [0.0, 0.5, 1.0]


# --- losses -----------------------------------------------------------------------------------------------

LOGITS = image(6, 4)
HARD = LOGITS * 1e4          # exp would overflow
LABELS = np.array([0, 3, 1, 1, 2, 0])


@pytest.mark.parametrize("logits", [LOGITS, HARD], ids=["ordinary", "huge"])
def test_cross_entropy_is_pytorchs(xp, logits):
    theirs = torch.tensor(logits, requires_grad=True)
    due = F.cross_entropy(theirs, torch.tensor(LABELS))
    due.backward()
    loss = nn.SoftmaxCrossEntropy()
    assert loss(on(xp, logits), on(xp, LABELS)) == pytest.approx(due.item(), rel=1e-12)
    np.testing.assert_allclose(host(loss.backward()), theirs.grad.numpy(), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(host(nn.softmax(on(xp, logits))), torch.softmax(theirs, 1).detach().numpy(), atol=1e-12)


def test_squared_error_is_pytorchs(xp):
    y, target = torch.tensor(image(3, 2), requires_grad=True), torch.tensor(image(3, 2)[::-1].copy())
    due = F.mse_loss(y, target)
    due.backward()
    loss = nn.SquaredError()
    assert loss(on(xp, y.detach().numpy()), on(xp, target.numpy())) == pytest.approx(due.item(), rel=1e-12)
    np.testing.assert_allclose(host(loss.backward()), y.grad.numpy(), rtol=1e-12)
    with pytest.raises(ValueError, match=r"\(3, 2\), targets \(3,\)"):
        loss(on(xp, image(3, 2)), on(xp, image(3)))


def test_losses_pass_finite_differences():
    x = LOGITS.copy()
    entropy, square = nn.SoftmaxCrossEntropy(), nn.SquaredError()
    for loss, target in ((entropy, LABELS), (square, x * 2)):
        loss(x, target)
        checked = nn.finite_difference(lambda loss=loss, target=target: loss(x, target), x)
        loss(x, target)
        assert nn.gradient_error(loss.backward(), checked) < 1e-6


def test_the_l2_penalty_and_its_gradient(xp):
    layer = nn.Linear(3, 2, RNG(0), xp, np.float64)
    layer(on(xp, image(4, 3)))
    layer.backward(on(xp, image(4, 2)))
    before = [host(p.gradient).copy() for p in layer.parameters()]
    penalty = nn.l2_penalty(layer.parameters(), 0.3)
    assert penalty == pytest.approx(0.15 * sum((host(p.value) ** 2).sum() for p in layer.parameters()))
    for p, old in zip(layer.parameters(), before, strict=True):
        np.testing.assert_allclose(host(p.gradient), old + 0.3 * host(p.value))


# --- dropout ----------------------------------------------------------------------------------------------


def test_dropout_drops_and_scales_and_its_gradient_follows(xp):
    layer = nn.Dropout(0.25, RNG(0))
    y = host(layer(on(xp, np.ones((400, 100)))))
    assert set(np.unique(y)) == {0.0, 1 / 0.75}
    assert abs((y == 0).mean() - 0.25) < 0.01 and abs(y.mean() - 1) < 0.02
    assert np.array_equal(host(layer.backward(on(xp, np.full((400, 100), 2.0)))), 2 * y)


def test_dropout_does_nothing_when_a_network_is_used(xp):
    net = nn.Sequential(nn.Dropout(0.9, RNG(0)), nn.Flatten())
    x = on(xp, image(3, 4))
    net.train(False)
    assert np.array_equal(host(net(x)), host(x)) and np.array_equal(host(net.backward(x)), host(x))
    net.train()
    assert not np.array_equal(host(net(x)), host(x))


@pytest.mark.parametrize("p", [1.0, -0.1, 2])
def test_a_probability_that_cannot_be_is_refused(p):
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        nn.Dropout(p)


# --- convolution's parts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [(3, 1, 0, 1), (3, 2, 1, 1), (2, 3, 2, 2), (1, 1, 0, 1), (5, 1, 2, 1)])
def test_unfold_and_fold_are_pytorchs(xp, how):
    from gpucourse.nn.convolution import fold, unfold

    kernel, stride, padding, dilation = how
    x = image(2, 3, 9, 8)
    columns = F.unfold(torch.tensor(x), kernel, dilation, padding, stride)
    assert np.array_equal(host(unfold(on(xp, x), *how)), columns.numpy())
    due = F.fold(columns, (9, 8), kernel, dilation, padding, stride)
    np.testing.assert_allclose(host(fold(on(xp, columns.numpy()), x.shape, *how)), due.numpy(), rtol=1e-12)


def test_a_kernel_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="kernel of 3 with dilation 4 reaches over 9 pixels; 5 with padding 1 are"):
        nn.Conv2d(1, 1, 3, padding=1, dilation=4)(np.zeros((1, 1, 5, 5), np.float32))


def test_the_simulators_arrays_stay_on_it_where_cp_is_cupy(monkeypatch):
    elsewhere = object()
    monkeypatch.setattr("gpucourse.backend.array_module", lambda: elsewhere)
    assert nn.layer.module_of(cupy_sim.zeros(1)) is cupy_sim
    assert nn.layer.module_of(np.zeros(1)) is np
    assert nn.layer.module_of("an array of CuPy's") is elsewhere
