"""Every optimizer takes the steps that torch.optim takes: 100 steps in float64, to 1e-6."""

import numpy as np
import pytest

from gpucourse import cupy_sim, nn

torch = pytest.importorskip("torch")
STEPS = 100
# name -> (ours, torch's)
PAIRS = {
    "plain": (lambda p: nn.SGD(p, 0.05), lambda p: torch.optim.SGD(p, 0.05)),
    "plain, decay": (lambda p: nn.SGD(p, 0.05, weight_decay=0.1), lambda p: torch.optim.SGD(p, 0.05, weight_decay=0.1)),
    "momentum": (lambda p: nn.SGD(p, 0.05, 0.9), lambda p: torch.optim.SGD(p, 0.05, 0.9)),
    "nesterov": (lambda p: nn.SGD(p, 0.05, 0.9, True, 0.01),
                 lambda p: torch.optim.SGD(p, 0.05, 0.9, nesterov=True, weight_decay=0.01)),
    "adagrad": (lambda p: nn.AdaGrad(p, 0.1), lambda p: torch.optim.Adagrad(p, 0.1)),
    "adagrad, decay": (lambda p: nn.AdaGrad(p, 0.1, weight_decay=0.1),
                       lambda p: torch.optim.Adagrad(p, 0.1, weight_decay=0.1)),
    "rmsprop": (lambda p: nn.RMSprop(p, 0.01), lambda p: torch.optim.RMSprop(p, 0.01)),
    "rmsprop, decay": (lambda p: nn.RMSprop(p, 0.01, 0.9, 1e-3, 0.1),
                       lambda p: torch.optim.RMSprop(p, 0.01, 0.9, 1e-3, 0.1)),
    "adam": (lambda p: nn.Adam(p, 0.02), lambda p: torch.optim.Adam(p, 0.02)),
    "adam, decay": (lambda p: nn.Adam(p, 0.02, (0.8, 0.99), 1e-6, 0.1),
                    lambda p: torch.optim.Adam(p, 0.02, (0.8, 0.99), 1e-6, 0.1)),
    "adamw": (lambda p: nn.Adam(p, 0.02, weight_decay=0.1, decoupled=True),
              lambda p: torch.optim.AdamW(p, 0.02, weight_decay=0.1)),
}  # fmt: skip
TARGETS = [np.random.default_rng(n).standard_normal(shape) for n, shape in enumerate(((4, 3), (5,)))]
SCALES = [10.0 ** np.linspace(-2, 1, target.size).reshape(target.shape) for target in TARGETS]   # badly conditioned


def loss_gradient(value, n, xp=np):
    """Gradient of the sum of scale · (value - target)²."""
    return 2 * xp.asarray(SCALES[n]) * (value - xp.asarray(TARGETS[n]))


def paths(name, xp):
    """The parameters after every step, ours and PyTorch's."""
    ours, theirs = PAIRS[name]
    mine = [nn.Parameter(xp.zeros(t.shape)) for t in TARGETS]
    yours = [torch.zeros(t.shape, dtype=torch.float64, requires_grad=True) for t in TARGETS]
    optimizer, reference = ours(mine), theirs(yours)
    for _ in range(STEPS):
        for n, (p, q) in enumerate(zip(mine, yours, strict=True)):
            p.gradient = loss_gradient(p.value, n, xp)
            q.grad = torch.tensor(loss_gradient(q.detach().numpy(), n))
        optimizer.step()
        reference.step()
        yield ([p.value.get() if hasattr(p.value, "get") else p.value for p in mine],
               [q.detach().numpy() for q in yours])  # fmt: skip


@pytest.mark.parametrize("xp", [np, cupy_sim], ids=["numpy", "cupy_sim"])
@pytest.mark.parametrize("name", PAIRS)
def test_every_step_is_pytorchs(name, xp):
    moved = 0.0
    for mine, yours in paths(name, xp):
        for a, b in zip(mine, yours, strict=True):
            assert np.abs(a - b).max() < 1e-6
            moved = max(moved, float(np.abs(a).max()))
    assert moved > 0.1, "the parameters hardly moved, so that the comparison would say nothing"


@pytest.mark.parametrize("name", PAIRS)
def test_a_rate_that_changes_is_obeyed_as_pytorch_does(name):
    ours, theirs = PAIRS[name]
    p, q = nn.Parameter(np.zeros(3)), torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer, reference = ours([p]), theirs([q])
    for step in range(STEPS):
        optimizer.lr = reference.param_groups[0]["lr"] = 0.05 / (1 + step)
        p.gradient = p.value - np.array([1.0, -2.0, 3.0])
        q.grad = torch.tensor(p.gradient)
        optimizer.step()
        reference.step()
        assert np.abs(p.value - q.detach().numpy()).max() < 1e-6


def test_without_its_bias_correction_adam_would_be_far_off():
    """The comparison can fail: the same path with one term left out."""
    class Uncorrected(nn.Adam):
        def update(self, number, value, gradient):
            self.steps += 10_000
            super().update(number, value, gradient)
            self.steps -= 10_000

    p = nn.Parameter(np.zeros(5))
    q = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    p.gradient, q.grad = np.ones(5), torch.ones(5, dtype=torch.float64)
    Uncorrected([p], 0.02).step()
    torch.optim.Adam([q], 0.02).step()
    assert np.abs(p.value - q.detach().numpy()).max() > 0.01


def test_what_is_missing_is_said():
    with pytest.raises(ValueError, match="no parameter to optimize"):
        nn.SGD([], 0.1)
    with pytest.raises(ValueError, match=r"parameter 0 of shape \(2,\) has no gradient"):
        nn.Adam([nn.Parameter(np.zeros(2))]).step()
