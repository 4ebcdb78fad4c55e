"""Weights carried to channels-last layouts: NumPy computes with them what the network does."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from gpucourse.models.carry import channels_last  # noqa: E402
from gpucourse.models.cnn import DigitsCNN  # noqa: E402


@pytest.fixture
def model():
    torch.manual_seed(3)
    made = DigitsCNN(4)
    for norm in (block[1] for block in made.blocks if not isinstance(block, torch.nn.MaxPool2d)):
        for tensor in (norm.weight, norm.bias, norm.running_mean):
            torch.nn.init.normal_(tensor)
        torch.nn.init.uniform_(norm.running_var, 0.5, 2)
    return made.eval()


def scores(layers, x):
    """The network by NumPy, channels last: (n, 28, 28, 1) -> (n, 10)."""
    for layer in layers[:-1]:
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        n, h, w, _ = x.shape
        y = sum(padded[:, i:i + h, j:j + w] @ layer["kernel"][i, j] for i in range(3) for j in range(3))
        y = layer["gamma"] * (y - layer["mean"]) / np.sqrt(layer["variance"] + 1e-5) + layer["beta"]
        y = np.maximum(y, 0)[:, :h // 2 * 2, :w // 2 * 2]
        x = y.reshape(n, h // 2, 2, w // 2, 2, -1).max(axis=(2, 4))
    return x.reshape(len(x), -1) @ layers[-1]["kernel"] + layers[-1]["bias"]


def test_the_same_scores(model):
    x = torch.randn(3, 1, 28, 28)
    due = model(x).detach().numpy()
    np.testing.assert_allclose(scores(channels_last(model), x.permute(0, 2, 3, 1).numpy()), due, atol=1e-4)


def test_they_are_copies_in_kerass_order(model):
    before = model(torch.ones(1, 1, 28, 28)).detach()
    carried = channels_last(model)
    for layer in carried:
        for array in layer.values():
            array += 1
    assert torch.equal(model(torch.ones(1, 1, 28, 28)), before)
    names = ["kernel", "gamma", "beta", "mean", "variance"]
    assert [list(layer) for layer in carried] == [names] * 3 + [["kernel", "bias"]]
    assert all(array.dtype == np.float32 for layer in carried for array in layer.values())
