"""Batches on the device: every example once a pass, a new order each time, and images as torchvision makes them."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from gpucourse.data.batches import Batches, tensors  # noqa: E402
from gpucourse.data.images import digits  # noqa: E402
from gpucourse.errors import CourseError  # noqa: E402


def pairs(batches):
    return [(x.tolist(), y.tolist()) for x, y in batches]


def test_each_pass_has_every_example_once_in_a_new_order():
    batches = Batches(torch.arange(10) * 10, torch.arange(10), 4)
    torch.manual_seed(0)
    first, second = pairs(batches), pairs(batches)
    assert [len(x) for x, _ in first] == [4, 4, 2] and len(batches) == 3
    for one in (first, second):
        assert sorted(label for _, y in one for label in y) == list(range(10))
        assert all(x == [10 * k for k in y] for x, y in one)
    assert first != second
    torch.manual_seed(0)
    assert pairs(batches) == first


def test_in_order_without_the_rest():
    batches = Batches(torch.arange(10), torch.arange(10), 4, shuffle=False, drop_last=True)
    assert pairs(batches) == [([0, 1, 2, 3],) * 2, ([4, 5, 6, 7],) * 2] and len(batches) == 2


def test_augment_changes_the_inputs_only():
    batches = Batches(torch.ones(4), torch.arange(4), 4, augment=lambda x: -x)
    (x, y), = batches
    assert x.tolist() == [-1] * 4 and sorted(y.tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize(("n", "size", "options"), [(4, 0, {}), (0, 4, {}), (3, 4, {"drop_last": True})])
def test_no_batch_at_all(n, size, options):
    with pytest.raises(CourseError, match=f"size {size} of {n} inputs"):
        Batches(torch.zeros(n), torch.zeros(n), size, **options)


def test_unequal_lengths():
    with pytest.raises(CourseError, match="4 inputs and 3 targets"):
        Batches(torch.zeros(4), torch.zeros(3), 2)


def test_tensors_are_torchvisions():
    transforms = pytest.importorskip("torchvision.transforms")
    labeled = digits().test
    x, y = tensors(labeled)
    usual = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    for k in (0, 7, 1999):
        assert torch.allclose(x[k], usual(np.ascontiguousarray(labeled.images[k])[..., None]), atol=1e-6)
    assert x.dtype == torch.float32 and x.shape == (2000, 1, 28, 28)
    assert y.dtype == torch.int64 and y.tolist() == labeled.labels.tolist()
