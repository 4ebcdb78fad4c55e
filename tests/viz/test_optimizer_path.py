"""The optimizer explorer: its paths against closed forms and PyTorch's, and what is drawn when a path diverges."""

import numpy as np
import pytest

from gpucourse.viz import explorers, optimizer_path, picture

EVERY = [(surface, optimizer) for surface in optimizer_path.SURFACES for optimizer in optimizer_path.RULES]


@pytest.mark.parametrize("name", optimizer_path.SURFACES)
def test_a_gradient_is_that_of_its_surface(name):
    ground, step = optimizer_path.SURFACES[name], 1e-6
    for x, y in np.random.default_rng(1).uniform(-2, 2, (20, 2)):
        found = ((ground.height(x + step, y) - ground.height(x - step, y)) / (2 * step),
                 (ground.height(x, y + step) - ground.height(x, y - step)) / (2 * step))  # fmt: skip
        assert np.allclose(ground.gradient(x, y), found, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", optimizer_path.SURFACES)
def test_the_lowest_places_are_lowest(name):
    ground = optimizer_path.SURFACES[name]
    for place in ground.lowest:
        assert ground.loss(*place) == 0
        assert np.allclose(ground.gradient(*place), 0)
    grid = np.linspace(-3, 3, 61)
    assert ground.loss(*np.meshgrid(grid, grid)).min() >= 0


@pytest.mark.parametrize("lr", [0.01, 0.06, 0.08, 0.09])
def test_plain_descent_on_the_bowl_multiplies_x_and_y_by_its_own_factors(lr):
    made = optimizer_path.walk("bowl", "plain", lr, steps=20)
    k = np.arange(made.steps + 1)
    assert np.allclose(made.points, np.stack([-1.8 * (1 - lr) ** k, 1.2 * (1 - 25 * lr) ** k], axis=1))


TORCH = {
    "plain": lambda o, p, lr, b: o.SGD(p, lr),
    "momentum": lambda o, p, lr, b: o.SGD(p, lr, b),
    "Nesterov": lambda o, p, lr, b: o.SGD(p, lr, b, nesterov=True),
    "AdaGrad": lambda o, p, lr, b: o.Adagrad(p, lr),
    "RMSprop": lambda o, p, lr, b: o.RMSprop(p, lr, b),
    "Adam": lambda o, p, lr, b: o.Adam(p, lr, (b, 0.999)),
}


@pytest.mark.parametrize(("surface", "optimizer"), EVERY)
def test_a_path_is_pytorchs(surface, optimizer):
    torch = pytest.importorskip("torch")
    p = torch.tensor([-1.2, 0.7], dtype=torch.float64, requires_grad=True)
    theirs = TORCH[optimizer](torch.optim, [p], 0.0005, 0.8)
    made = optimizer_path.walk(surface, optimizer, 0.0005, 0.8, -1.2, 0.7, steps=30)
    for point in made.points[1:]:
        theirs.zero_grad()
        optimizer_path.SURFACES[surface].height(*p).backward()
        theirs.step()
        assert np.allclose(point, p.detach().numpy(), atol=1e-9)


def test_the_edge_of_stability_is_where_the_algebra_has_it():
    assert not optimizer_path.walk(lr=0.079, steps=1000).diverged
    assert optimizer_path.walk(lr=0.081, steps=1000).diverged
    edge = optimizer_path.walk(lr=0.08, steps=1000)
    assert np.allclose(np.abs(edge.points[:, 1]), 1.2)      # from side to side for ever
    assert edge.turns > 900


def test_a_walk_says_when_it_arrives_for_good():
    made = optimizer_path.walk("bowl", "momentum", 0.02, steps=100)
    assert (made.distances[made.arrival:] <= optimizer_path.NEAR).all()
    assert made.distances[made.arrival - 1] > optimizer_path.NEAR
    assert made.distances[: made.arrival - 1].min() <= optimizer_path.NEAR, "it should have swung out again"
    assert optimizer_path.walk(lr=0.001).arrival is None
    assert optimizer_path.walk(x=0, y=0).arrival == 0


def test_the_sentence_says_the_outcome():
    assert optimizer_path.sentence() == (
        "Plain gradient descent with learning rate 0.06 on the long bowl from (-1.8, 1.2): from step 47 on it stays "
        "within 0.1 of a lowest place; 4 steps of 50 turned back."
    )
    assert optimizer_path.sentence(lr=0.09).endswith(": it diverges and is more than 1,000 away after 31 steps.")
    assert "Adam with learning rate 0.001 and b1 0.9 on the curved valley from (0, 0): after 10 steps the nearest " in (
        optimizer_path.sentence("valley", "Adam", 0.001, 0.9, 0, 0, 10))  # fmt: skip
    assert "on the saddle" in optimizer_path.sentence("saddle")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"surface": "hill"}, "surface='hill': there are bowl, saddle, valley"),
        ({"optimizer": "adam"}, "optimizer='adam': there are plain, momentum"),
        ({"lr": 0}, "lr=0"), ({"beta": 1.0}, "beta=1.0"), ({"steps": 0}, "steps=0"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        optimizer_path.walk(**wrong)


def path_of(fig):
    return next(line for line in fig.axes[0].lines if line.get_label() == "path")


@pytest.mark.parametrize("lr", [0.06, 0.09, 1.0])
def test_the_picture_holds_the_path_and_its_axes_stay(lr):
    fig, _ = optimizer_path.draw(lr=lr)
    made = optimizer_path.walk(lr=lr)
    left, right = fig.axes
    assert left.get_xlim() == left.get_ylim() == (-optimizer_path.REACH, optimizer_path.REACH)
    inside = np.abs(made.points).max(axis=1) <= optimizer_path.REACH
    assert np.allclose(path_of(fig).get_xydata()[inside], made.points[inside])
    words = [text.get_text() for axes in fig.axes for text in axes.texts]
    assert ("diverges" in words) == made.diverged == (lr > 0.08)
    assert any("outside" in text for text in words) == (not inside.all())
    assert np.isfinite(right.get_ylim()).all()
    assert right.get_ylim()[1] <= 4e3 * made.losses[0]
    assert picture.png(fig)


@pytest.mark.parametrize(("surface", "optimizer"), EVERY)
@pytest.mark.parametrize("lr", [optimizer_path.RATES[0], optimizer_path.RATES[-1]])
def test_everything_that_can_be_chosen_draws(surface, optimizer, lr):
    for beta, x, y in ((0.0, 2.0, -2.0), (0.99, 0.0, 0.0), (0.9, 1.0, 1.0)):
        fig, text = optimizer_path.draw(surface, optimizer, lr, beta, x, y, 100)
        assert len(text) > 60
        assert all(np.isfinite(axes.get_ylim()).all() for axes in fig.axes)


def test_the_explorer_moves_and_the_plain_function_says_the_same(capsys):
    explorer = explorers.optimizer_path()
    before = explorer.image.value
    assert explorer.sentence == optimizer_path.sentence()
    explorer.set(surface="valley", optimizer="Adam", lr=0.1, beta=0.95, x=-1.0, y=0.5, steps=100)
    values = ("valley", "Adam", 0.1, 0.95, -1.0, 0.5, 100)
    assert explorer.sentence == optimizer_path.sentence(*values)
    assert explorer.image.value != before
    optimizer_path.optimizer_path(*values)
    assert optimizer_path.sentence(*values) in capsys.readouterr().out
