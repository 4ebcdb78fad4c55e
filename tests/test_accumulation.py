"""Gradient accumulation against the gradient of the whole batch, and the usual mistakes, which must differ."""

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from gpucourse.accumulation import accumulate  # noqa: E402
from gpucourse.errors import CourseError  # noqa: E402


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).double()


def batch(n):
    generator = torch.Generator().manual_seed(2)
    return torch.randn(n, 5, generator=generator, dtype=torch.float64), torch.arange(n) % 3


def gradient(model):
    return torch.cat([weight.grad.flatten() for weight in model.parameters()])


def whole(n):
    model, (x, y) = network(), batch(n)
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    return loss.item(), gradient(model)


def apart(one, other):
    return ((one - other).norm() / other.norm()).item()


@pytest.mark.parametrize(("n", "parts"), [(12, 1), (12, 3), (12, 12), (13, 4), (7, 2)])
def test_small_batches_give_the_gradient_and_the_loss_of_the_large_one(n, parts):
    model, (loss, expected) = network(), whole(n)
    found = accumulate(model, F.cross_entropy, *batch(n), parts)
    assert found.item() == pytest.approx(loss, rel=1e-6)
    assert apart(gradient(model), expected) < 1e-12


def test_what_was_in_grad_stays_in_the_sum():
    model, (_, expected) = network(), whole(12)
    for _ in range(2):
        accumulate(model, F.cross_entropy, *batch(12), 4)
    assert apart(gradient(model), 2 * expected) < 1e-12


def test_a_sum_not_divided_is_as_many_times_too_large():
    model, (x, y), (_, expected) = network(), batch(12), whole(12)
    for rows in torch.arange(12).split(3):
        F.cross_entropy(model(x[rows]), y[rows]).backward()
    assert apart(gradient(model), 4 * expected) < 1e-12
    assert apart(gradient(model), expected) == pytest.approx(3)


def test_parts_of_unequal_size_that_count_alike_give_another_gradient():
    """13 examples in parts of 4, 4, 4 and 1: the last one counts four times as much as each other one."""
    model, (x, y), (_, expected) = network(), batch(13), whole(13)
    for rows in torch.arange(13).split(4):
        (F.cross_entropy(model(x[rows]), y[rows]) / 4).backward()
    assert apart(gradient(model), expected) > 0.05


def test_batch_normalization_sees_the_small_batches():
    """Why a model with it does not get the large batch's gradient, whatever one divides by."""
    found = []
    for parts in (1, 4):
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)).double()
        accumulate(model, F.cross_entropy, *batch(12), parts)
        found.append(gradient(model))
    assert apart(found[1], found[0]) > 0.05


@pytest.mark.parametrize("parts", [0, 13])
def test_parts_that_cannot_be_are_refused(parts):
    with pytest.raises(CourseError, match=f"{parts} parts of 12 examples; take 1 to 12"):
        accumulate(network(), F.cross_entropy, *batch(12), parts)
