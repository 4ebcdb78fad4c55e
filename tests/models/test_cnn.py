"""The networks for digits: shapes, numbers of parameters by hand, the residual block by its formula."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from gpucourse.models.cnn import DigitsCNN, ResidualBlock, ResidualCNN, Textbook, conv_block  # noqa: E402


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def pictures(n=4, channels=1, size=28):
    return torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(0))


NETWORKS = {
    "Textbook": lambda classes: Textbook(classes),
    "DigitsCNN": lambda classes: DigitsCNN(4, classes),
    "DigitsCNN without norm": lambda classes: DigitsCNN(4, classes, norm=False),
    "ResidualCNN": lambda classes: ResidualCNN(4, 2, classes),
    "ResidualCNN without shortcuts": lambda classes: ResidualCNN(4, 2, classes, shortcut=False),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("classes", [10, 3])
def test_scores_have_a_row_for_each_picture_and_a_gradient_for_each_parameter(name, classes):
    model = NETWORKS[name](classes)
    scores = model(pictures())
    assert scores.shape == (4, classes)
    assert not torch.allclose(scores.exp().sum(dim=1), torch.ones(4), atol=1e-3)    # scores, no probabilities
    F.cross_entropy(scores, torch.tensor([0, 1, 2, 0])).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_the_textbook_network_is_that_of_pytorchs_example():
    """Its layers, written as the example writes them; in eval() mode dropout does nothing."""
    model, x = Textbook().eval(), pictures()
    y = F.max_pool2d(F.relu(model.conv2(F.relu(model.conv1(x)))), 2)
    assert y.flatten(1).shape[1] == 9216
    assert torch.equal(model(x), model.fc2(F.relu(model.fc1(torch.flatten(y, 1)))))
    assert parameters(model) == 32 * 9 + 32 + 64 * 32 * 9 + 64 + 128 * 9216 + 128 + 10 * 128 + 10 == 1_199_882


@pytest.mark.parametrize("width", [1, 4, 16])
def test_the_parameters_of_our_network_are_those_counted_by_hand(width):
    def block(before, channels, norm):
        return channels * before * 9 + (2 * channels if norm else channels)

    for norm in (True, False):
        blocks = [block(a, b, norm) for a, b in ((1, width), (width, 2 * width), (2 * width, 4 * width))]
        assert parameters(DigitsCNN(width, norm=norm)) == sum(blocks) + 10 * 36 * width + 10


def test_a_block_keeps_the_size_and_needs_no_bias_where_a_normalization_has_one():
    block = conv_block(3, 5)
    assert block(pictures(channels=3, size=9)).shape == (4, 5, 9, 9)
    assert [type(layer) for layer in block] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    assert block[0].bias is None
    plain = conv_block(3, 5, norm=False)
    assert [type(layer) for layer in plain] == [nn.Conv2d, nn.ReLU]
    assert plain[0].bias is not None


@pytest.mark.parametrize("training", [True, False])
def test_a_residual_block_adds_its_input(training):
    x = pictures(channels=3, size=7)
    with_it, without = ResidualBlock(3).train(training), ResidualBlock(3, shortcut=False).train(training)
    without.load_state_dict(with_it.state_dict())
    inside = with_it.f(x)
    assert torch.allclose(with_it(x), F.relu(x + inside), atol=1e-6)
    assert torch.allclose(without(x), F.relu(inside), atol=1e-6)


def test_a_residual_block_whose_layers_give_zero_is_a_relu():
    block, x = ResidualBlock(3), pictures(channels=3)
    nn.init.zeros_(block.f[2].weight)
    assert torch.equal(block(x), F.relu(x))


def test_depth_adds_blocks_and_shortcuts_add_no_parameters():
    counts = [parameters(ResidualCNN(4, depth)) for depth in (1, 2, 3)]
    per_depth = sum(2 * (9 * c * c + 2 * c) for c in (4, 8))      # two convolutions and two normalizations a block
    assert counts == [counts[0], counts[0] + per_depth, counts[0] + 2 * per_depth]
    assert parameters(ResidualCNN(4, 2, shortcut=False)) == counts[1]
    assert sum(isinstance(m, ResidualBlock) for m in ResidualCNN(4, 3).modules()) == 6
