"""Maps of what speaks for a class, held against finite differences, formulas, and a network that looks at one place."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from gpucourse.errors import CourseError  # noqa: E402
from gpucourse.models.cnn import DigitsCNN  # noqa: E402
from gpucourse.models.explain import grad_cam, occlusion, saliency  # noqa: E402


@pytest.fixture
def model():
    torch.manual_seed(0)
    made = DigitsCNN(2)
    with torch.no_grad():                       # batch normalization that has seen something
        made(torch.randn(64, 1, 28, 28))
    return made.double()


@pytest.fixture
def images():
    return torch.randn(3, 1, 28, 28, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


CLASSES = torch.tensor([7, 0, 3])


class Looks(nn.Module):
    """Scores of two classes: the mean of the pixels in the rows and columns 10 to 13, and 0."""

    def forward(self, x):
        """Return the scores, (n, 2)."""
        here = x[:, 0, 10:14, 10:14].mean(dim=(1, 2))
        return torch.stack([here, torch.zeros_like(here)], dim=1)


def test_saliency_is_the_slope_that_a_nudge_finds(model, images):
    found = saliency(model, images, CLASSES)
    assert found.shape == (3, 28, 28) and not found.requires_grad
    model.eval()
    for n, row, column in ((0, 3, 9), (1, 14, 14), (2, 27, 0), (0, 20, 21)):
        nudged = images.clone().repeat(2, 1, 1, 1)
        nudged[n, 0, row, column] += 1e-5
        nudged[n + 3, 0, row, column] -= 1e-5
        scores = model(nudged)[:, CLASSES[n]]
        assert found[n, row, column].item() == pytest.approx(abs((scores[n] - scores[n + 3]).item()) / 2e-5, rel=1e-4)


def test_saliency_takes_the_largest_of_several_channels():
    score = nn.Sequential(nn.Flatten(), nn.Linear(2 * 4 * 4, 2, bias=False))
    found = saliency(score, torch.randn(1, 2, 4, 4), torch.tensor([1]))
    weight = score[1].weight[1].reshape(2, 4, 4)
    torch.testing.assert_close(found[0], torch.maximum(abs(weight[0]), abs(weight[1])).detach())


def test_occlusion_finds_the_place_that_the_network_looks_at():
    images = torch.zeros(1, 1, 28, 28)
    images[:, :, 10:14, 10:14] = 2.0
    found = occlusion(Looks(), images, torch.tensor([0]), size=4, step=1)
    assert found.shape == (1, 28, 28)
    there = torch.zeros(28, 28, dtype=bool)
    there[7:17, 7:17] = True                    # what a square of 4 that touches the place can cover
    assert (found[0][~there] == 0).all() and (found[0][there] > 0).all()
    assert found[0].argmax() // 28 in range(10, 14)


def test_occlusion_is_the_mean_fall_of_the_squares_that_cover_a_pixel(model, images):
    found = occlusion(model, images, CLASSES, size=5, step=3, fill=0.25)
    model.eval()
    p = model(images).softmax(1)[torch.arange(3), CLASSES]
    for n, row, column in ((0, 0, 0), (1, 13, 9), (2, 27, 27), (2, 26, 5)):
        falls = []
        for top in [*range(0, 24, 3), 23]:
            for left in [*range(0, 24, 3), 23]:
                if top <= row < top + 5 and left <= column < left + 5:
                    covered = images[n : n + 1].clone()
                    covered[0, 0, top : top + 5, left : left + 5] = 0.25
                    falls.append((p[n] - model(covered).softmax(1)[0, CLASSES[n]]).item())
        assert falls and found[n, row, column].item() == pytest.approx(sum(falls) / len(falls), abs=1e-12)


def test_a_square_covers_with_the_background_unless_told_otherwise(model, images):
    by_default, told = (occlusion(model, images, CLASSES, 9, 9, fill) for fill in (None, images[1].min().item()))
    torch.testing.assert_close(by_default[1], told[1])
    assert not torch.allclose(by_default[0], told[0])     # each picture has a background of its own
    assert not torch.allclose(by_default, occlusion(model, images, CLASSES, 9, 9, fill=3.0))


@pytest.mark.parametrize("stage", [0, 2, 4])
def test_grad_cam_is_the_formula(model, images, stage):
    layer = model.blocks[stage]
    found = grad_cam(model, layer, images, CLASSES)
    assert found.shape == (3, 28, 28) and not found.requires_grad and (found >= 0).all()
    model.eval()
    a = model.blocks[: stage + 1](images).detach().requires_grad_()
    scores = model.head(model.blocks[stage + 1 :](a).flatten(1))
    for n, k in enumerate(CLASSES.tolist()):
        (slope,) = torch.autograd.grad(scores[n, k], a, retain_graph=True)
        alpha = slope[n].sum(dim=(1, 2)) / slope[n, 0].numel()
        small = torch.einsum("c,chw->hw", alpha, a[n]).clamp(min=0)
        due = nn.functional.interpolate(small[None, None], size=(28, 28), mode="bilinear")[0, 0]
        torch.testing.assert_close(found[n], due.detach())


def test_grad_cam_of_a_network_that_averages_its_channels_is_the_weighted_sum_of_them():
    """There the slope of the score with respect to a channel is the weight of the linear layer, at every place."""
    body = nn.Conv2d(1, 3, 3, padding=1)
    head = nn.Linear(3, 2)
    model = nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    x = torch.randn(1, 1, 28, 28)
    found = grad_cam(model, body, x, torch.tensor([1]))
    due = torch.einsum("c,chw->hw", head.weight[1], body(x)[0]).clamp(min=0) / 784
    torch.testing.assert_close(found[0], due.detach())


@pytest.mark.parametrize("explain", [saliency, occlusion, lambda m, x, k: grad_cam(m, m.blocks, x, k)])
def test_the_model_is_left_as_it_was(model, images, explain):
    model.train()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():                       # as in an evaluation: maps must not depend on it
        first = explain(model, images, CLASSES)
    assert model.training and all(p.grad is None for p in model.parameters()) and not images.requires_grad
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in state.items())
    assert not any(module._forward_hooks for module in model.modules())
    torch.testing.assert_close(explain(model.eval(), images, CLASSES), first)
    one = explain(model, images[1:2], CLASSES[1:2])
    torch.testing.assert_close(one[0], first[1], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m, x: saliency(m, x[0], CLASSES[:1]), r"shape \(1, 28, 28\).*images\[:1\]"),
        (lambda m, x: saliency(m, x.long(), CLASSES), "int64.*must be floats"),
        (lambda m, x: saliency(m, x, CLASSES[:2]), r"shape \(2,\).*each of 3 pictures"),
        (lambda m, x: saliency(m, x, CLASSES.double()), "one integer"),
        (lambda m, x: occlusion(m, x, CLASSES, size=29), "size 29.*from 1 to 28"),
        (lambda m, x: occlusion(m, x, CLASSES, step=0), "at least 1"),
        (lambda m, x: grad_cam(m, m.head, x, CLASSES), r"gave \(3, 10\)"),
        (lambda m, x: grad_cam(m, nn.ReLU(), x, CLASSES), "ran 0 times"),
    ],
)
def test_what_cannot_be_explained_is_said(model, images, call, words):
    with pytest.raises(CourseError, match=words):
        call(model, images)
