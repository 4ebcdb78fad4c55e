"""The activations explorer: values and derivatives against PyTorch's, the chain against a product, the picture."""

import numpy as np
import pytest

from gpucourse.viz import activations, explorers

torch = pytest.importorskip("torch")
F = torch.nn.functional
THEIRS = {
    "sigmoid": lambda x, slope: torch.sigmoid(x),
    "tanh": lambda x, slope: torch.tanh(x),
    "ReLU": lambda x, slope: torch.relu(x),
    "leaky ReLU": F.leaky_relu,
}


def test_every_activation_has_an_oracle():
    assert set(THEIRS) == set(activations.ACTIVATIONS)


@pytest.mark.parametrize("slope", [0.01, 0.5])
@pytest.mark.parametrize("name", THEIRS)
def test_values_and_derivatives_are_pytorchs(name, slope):
    x = torch.linspace(-6, 6, 25, dtype=torch.float64, requires_grad=True)    # 0 is among them
    y = THEIRS[name](x, slope)
    y.sum().backward()
    mine = [activations.at(name, point, slope) for point in x.tolist()]
    np.testing.assert_allclose([m[0] for m in mine], y.detach().numpy(), atol=1e-15)
    np.testing.assert_allclose([m[1] for m in mine], x.grad.numpy(), atol=1e-15)


def test_the_sentence_says_the_numbers():
    assert activations.sentence() == (
        "sigmoid at x = 0: y = 0.5, and the derivative is 0.25. One layer multiplies a gradient by 0.25."
    )
    assert activations.sentence("sigmoid", 0, 10).endswith(f"multiply a gradient by {0.25**10:.3g}.")
    assert activations.sentence("ReLU", -1, 1) == (
        "ReLU at x = -1: y = 0, and the derivative is 0. One layer lets nothing of a gradient through."
    )
    assert activations.sentence("ReLU", 3, 30).endswith("30 layers in a row, each at this point, pass a gradient on as "
                                                        "it is.")  # fmt: skip
    assert activations.sentence("leaky ReLU", -3, 2, 0.2).endswith("multiply a gradient by 0.04.")


def test_the_slope_counts_for_the_leaky_one_only():
    assert activations.sentence("ReLU", -1, 5, 0.5) == activations.sentence("ReLU", -1, 5, 0.01)
    assert activations.sentence("leaky ReLU", -1, 5, 0.5) != activations.sentence("leaky ReLU", -1, 5, 0.01)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"activation": "relu"}, "activation='relu': an activation is one of sigmoid, tanh, ReLU, leaky ReLU"),
        ({"layers": 0}, "layers=0: give 1 to 30"),
        ({"layers": 31}, "layers=31: give 1 to 30"),
        ({"slope": 2}, "slope=2: give 0 to 1"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        activations.draw(**wrong)


@pytest.mark.parametrize(("name", "x", "layers"), [("sigmoid", 2.0, 7), ("tanh", -0.5, 30), ("leaky ReLU", -4.0, 3)])
def test_the_picture_shows_the_point_its_tangent_and_the_chain(name, x, layers):
    left, right = activations.draw(name, x, layers)[0].axes
    y, derivative = activations.at(name, x)
    curve, slope, tangent, dot, square = (line for line in left.lines if line.get_zorder() > 1)   # without the axis
    assert (dot.get_ydata()[0], square.get_ydata()[0]) == (y, derivative)
    rise = np.diff(tangent.get_ydata()) / np.diff(tangent.get_xdata())
    np.testing.assert_allclose(rise, derivative)
    assert np.interp(x, *curve.get_data()) == pytest.approx(y, abs=1e-4)
    assert np.interp(x, *slope.get_data()) == pytest.approx(derivative, abs=1e-4)
    product = [1.0]
    for _ in range(layers):
        product.append(product[-1] * derivative)
    np.testing.assert_allclose(right.lines[0].get_ydata(), product)


def test_where_nothing_passes_the_picture_says_so():
    right = activations.draw("ReLU", -1.0, 5)[0].axes[1]
    assert right.texts[0].get_text() == "nothing passes:\nthe derivative is 0"
    assert list(right.lines[0].get_ydata()) == [1.0]


def test_the_chosen_point_is_in_view():
    for name in THEIRS:
        for x in (-6.0, 6.0):
            for slope in activations.SLOPES:
                left = activations.draw(name, x, 1, slope)[0].axes[0]
                low, high = left.get_ylim()
                assert low <= activations.at(name, x, slope)[0] <= high


def test_the_explorer_moves_and_the_plain_function_says_the_same(capsys):
    explorer = explorers.activations()
    before = explorer.image.value
    explorer.set(activation="tanh", x=1.5, layers=4)
    assert explorer.sentence == activations.sentence("tanh", 1.5, 4)
    assert explorer.image.value != before
    activations.activations("tanh", 1.5, 4)
    assert activations.sentence("tanh", 1.5, 4) in capsys.readouterr().out


def test_every_end_of_the_controls_draws():
    explorer = explorers.activations()
    for name in THEIRS:
        for x in (-6.0, 0.0, 6.0):
            explorer.set(activation=name, x=x, layers=30, slope=0.01)
            assert explorer.sentence == activations.sentence(name, x, 30, 0.01)
