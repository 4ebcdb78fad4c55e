"""Lesson 19: other right answers pass, Keras and JAX do what the lesson says of them, the prose has the data right."""

import os
import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

from gpucourse import cupy_sim
from gpucourse.exercises import n19_other_frameworks as n19
from gpucourse.exercises import registry
from gpucourse.exercises.tracing import TracedModule, TracingError, traced
from tests.mutants.mutant import answer_of
from tests.mutants.n19_other_frameworks import MUTANTS

TEXT = (Path(__file__).parents[2] / "notebooks" / "src" / "19_other_frameworks.md").read_text("utf-8")
PROSE = " ".join(re.sub(r"```python\n.*?```", "", TEXT, flags=re.DOTALL).split())

ALSO_RIGHT = {
    "19.1 moveaxis and zeros": """
        def keras_batch(images, labels, classes):
            y = np.zeros((len(labels), classes))
            y[np.arange(len(labels)), labels] = 1
            return np.moveaxis(images, 1, -1), y
        """,
    "19.1 einsum and a comparison": """
        def keras_batch(images, labels, classes):
            return np.einsum("nchw->nhwc", images), (labels[:, None] == np.arange(classes)).astype(int)
        """,
    "19.1 torch": """
        def keras_batch(images, labels, classes):
            x = torch.from_numpy(images).permute(0, 2, 3, 1).numpy()
            return x, F.one_hot(torch.from_numpy(labels), classes).numpy()
        """,
    "19.1 a loop": """
        def keras_batch(images, labels, classes):
            x = np.stack([np.dstack(list(image)) for image in images])
            return x, np.array([[1.0 if k == label else 0.0 for k in range(classes)] for label in labels])
        """,
    "19.1 two swaps, float64": """
        def keras_batch(images, labels, classes):
            x = images.swapaxes(1, 2).swapaxes(2, 3).astype(float)
            return x.copy(), np.identity(classes)[labels, :]
        """,
    "19.3 moveaxis": """
        def keras_weights(kernel, weight, shape):
            conv = np.moveaxis(kernel, (0, 1), (3, 2))
            return conv, np.moveaxis(weight.reshape(-1, *shape), (0, 1), (3, 2)).reshape(-1, len(weight))
        """,
    "19.3 einsum": """
        def keras_weights(kernel, weight, shape):
            spread = weight.reshape(len(weight), *shape)
            dense = np.einsum("kchw->hwck", spread).reshape(-1, len(weight))
            return np.einsum("oihw->hwio", kernel), dense
        """,
    "19.3 an order of the rows": """
        def keras_weights(kernel, weight, shape):
            order = np.arange(np.prod(shape)).reshape(shape).transpose(1, 2, 0).ravel()
            return kernel.transpose(2, 3, 1, 0), weight.T[order]
        """,
    "19.3 channels and places": """
        def keras_weights(kernel, weight, shape):
            dense = weight.T.reshape(shape[0], -1, len(weight)).swapaxes(0, 1).reshape(-1, len(weight))
            return kernel.swapaxes(0, 3).swapaxes(1, 2).swapaxes(0, 1), dense.copy()
        """,
    "19.3 torch": """
        def keras_weights(kernel, weight, shape):
            spread = torch.from_numpy(weight).unflatten(1, shape).permute(2, 3, 1, 0).flatten(0, 2)
            return torch.from_numpy(kernel).permute(2, 3, 1, 0).numpy(), spread.numpy()
        """,
    "19.2 on rows": """
        def batch_norm(x, gamma, beta, mean, variance, momentum):
            rows = x.reshape(-1, x.shape[-1])
            m, v = rows.mean(axis=0), rows.var(axis=0)
            y = ((rows - m) / np.sqrt(v + 0.001) * gamma + beta).reshape(x.shape)
            return y, mean * momentum + m * (1 - momentum), variance * momentum + v * (1 - momentum)
        """,
    "19.2 moving toward it": """
        def batch_norm(x, gamma, beta, mean, variance, momentum):
            m = x.mean((0, 1, 2))
            v = ((x - m) ** 2).mean((0, 1, 2))
            new_mean, new_variance = mean.copy(), variance.copy()
            new_mean += (1 - momentum) * (m - mean)
            new_variance += (1 - momentum) * (v - variance)
            return (x - m) * gamma / (v + 1e-3) ** 0.5 + beta, new_mean, new_variance
        """,
    "19.2 keepdims": """
        def batch_norm(x, gamma, beta, mean, variance, momentum):
            m, v = x.mean(axis=(0, 1, 2), keepdims=True), x.var(axis=(0, 1, 2), keepdims=True)
            y = gamma * (x - m) / np.sqrt(v + 1e-3) + beta
            kept = [momentum * a + (1 - momentum) * b.ravel() for a, b in ((mean, m), (variance, v))]
            return y, *kept
        """,
    "19.2 scale and shift": """
        def batch_norm(x, gamma, beta, mean, variance, momentum):
            m, v = x.mean(axis=tuple(range(x.ndim - 1))), x.var(axis=tuple(range(x.ndim - 1)))
            scale = gamma / np.sqrt(v + 1e-3)
            return [x * scale + (beta - m * scale), np.average([m, mean], axis=0, weights=[1 - momentum, momentum]),
                    np.average([v, variance], axis=0, weights=[1 - momentum, momentum])]
        """,
    "19.2 E[x²] - m²": """
        def batch_norm(x, gamma, beta, mean, variance, momentum):
            n = x.shape[0] * x.shape[1] * x.shape[2]
            m = x.sum(axis=(0, 1, 2)) / n
            v = np.square(x).sum(axis=(0, 1, 2)) / n - m**2
            rest = 1 - momentum
            y = gamma * ((x - m) / np.sqrt(v + 1e-3)) + beta
            return y, momentum * mean + rest * m, momentum * variance + rest * v
        """,
    "19.4 by shapes": """
        def loss_for(labels, outputs):
            name = ("" if labels.shape == outputs.shape else "sparse_") + "categorical_crossentropy"
            sums = outputs.sum(axis=1)
            return name, bool(outputs.min() < 0 or (abs(sums - 1) > 1e-3).any())
        """,
    "19.4 NumPy's bool": """
        def loss_for(labels, outputs):
            fits = np.all(outputs >= 0) & np.all(np.abs(outputs.sum(-1) - 1) <= 0.001)
            return ["categorical_crossentropy", "sparse_categorical_crossentropy"][len(labels.shape) == 1], ~fits
        """,
    "19.4 row by row": """
        def loss_for(labels, outputs):
            name = "categorical_crossentropy" if len(labels.shape) > 1 else "sparse_categorical_crossentropy"
            for row in outputs:
                if min(row) < 0 or abs(sum(row) - 1) > 1e-3:
                    return name, True
            return name, False
        """,
    "19.4 isclose": """
        def loss_for(labels, outputs):
            sums_fit = np.isclose(outputs.sum(1), 1, rtol=0, atol=1e-3).all()
            name = "sparse_categorical_crossentropy" if np.ndim(labels) == 1 else "categorical_crossentropy"
            return name, not (sums_fit and not (outputs < 0).any())
        """,
    "19.4 float64": """
        def loss_for(labels, outputs):
            p = np.asarray(outputs, dtype=float)
            probable = p.min() >= 0 and np.max(np.abs(p.sum(axis=-1) - 1.0)) < 1e-3
            return ("sparse_" if labels.ndim < 2 else "") + "categorical_crossentropy", bool(not probable)
        """,
    "19.5 one split after the other": """
        def start(key, sizes, split, normal):
            layers = []
            for a, b in zip(sizes[:-1], sizes[1:]):
                key, sub = split(key)
                layers.append({"w": normal(sub, (a, b)) * (2 / a) ** 0.5, "b": np.zeros((b,))})
            return layers
        """,
    "19.5 a key for b, too": """
        def start(key, sizes, split, normal):
            layers = []
            for a, b, k in zip(sizes, sizes[1:], split(key, len(sizes) - 1)):
                kw, kb = split(k, num=2)
                layers.append({"b": 0 * normal(kb, (b,)), "w": np.sqrt(2 / a) * normal(kw, (a, b))})
            return layers
        """,
    "19.5 one draw for all": """
        def start(key, sizes, split, normal):
            pairs = list(zip(sizes, sizes[1:]))
            numbers, layers = normal(key, (sum(a * b for a, b in pairs),)), []
            for a, b in pairs:
                layers.append({"w": numbers[:a * b].reshape(a, b) / np.sqrt(a / 2), "b": np.zeros(b)})
                numbers = numbers[a * b:]
            return layers
        """,
    "19.5 more keys than needed": """
        def start(key, sizes, split, normal):
            keys = split(key, 10)
            return [{"w": normal(keys[i], (sizes[i], sizes[i + 1])) * np.sqrt(2.0 / sizes[i]),
                     "b": np.zeros(sizes[i + 1])} for i in range(len(sizes) - 1)]
        """,
    "19.5 turned": """
        def start(key, sizes, split, normal):
            return tuple({"w": (normal(k, (b, a)) * np.sqrt(2 / a)).T, "b": np.zeros(b)}
                         for k, a, b in zip(split(key, len(sizes)), sizes, sizes[1:]))
        """,
    "19.6 where": """
        def clipped_step(weights, gradient, rate, limit, jnp):
            norm = jnp.sqrt(sum(jnp.sum(g * g) for g in gradient.values()))
            scale = jnp.where(norm > limit, limit / jnp.where(norm > 0, norm, 1.0), 1.0)
            return {k: w - rate * (scale * gradient[k]) for k, w in weights.items()}, norm
        """,
    "19.6 minimum": """
        def clipped_step(weights, gradient, rate, limit, jnp):
            square = 0.0
            for name in gradient:
                square = square + jnp.vdot(gradient[name], gradient[name])
            norm = square ** 0.5
            new = dict(weights)
            for name in new:
                new[name] = new[name] - rate * gradient[name] * jnp.minimum(1.0, limit / (norm + 1e-12))
            return new, norm
        """,
    "19.6 one vector": """
        def clipped_step(weights, gradient, rate, limit, jnp):
            norm = jnp.linalg.norm(jnp.concatenate([g.ravel() for g in gradient.values()]))
            return {k: weights[k] - gradient[k] * (rate * limit / jnp.maximum(limit, norm)) for k in weights}, norm
        """,
    "19.6 stacked": """
        def clipped_step(weights, gradient, rate, limit, jnp):
            norm = jnp.stack([jnp.square(g).sum() for g in gradient.values()]).sum() ** 0.5
            scale = (norm > limit) * (limit / jnp.maximum(norm, 1e-12)) + (norm <= limit)
            return {k: weights[k] - rate * scale * gradient[k] for k in sorted(weights)}, norm
        """,
    "19.6 -= on a new array": """
        def clipped_step(weights, gradient, rate, limit, jnp):
            norm = jnp.linalg.norm(jnp.array([jnp.linalg.norm(g) for g in gradient.values()]))
            new = {}
            for name, w in weights.items():
                value = 1 * w
                value -= rate * gradient[name] / jnp.clip(norm / limit, 1, None)
                new[name] = value
            return [new, norm]
        """,
}  # fmt: skip


@pytest.mark.parametrize("name", ALSO_RIGHT)
def test_another_right_answer_passes(name):
    problem = registry.find(name[:4])
    found = problem.check(answer_of(textwrap.dedent(ALSO_RIGHT[name]), problem.answer, np=np, cp=cupy_sim))
    assert found.state == "right", found


# -- JAX is the oracle of the recording ------------------------------------------------------------------


def steps():
    """(name, source) of all answers to 19.6, right and wrong."""
    yield "solution", n19.STEP.solution
    yield from ((name, textwrap.dedent(source)) for name, source in ALSO_RIGHT.items() if name.startswith("19.6"))
    yield from ((mutant.name, mutant.source) for mutant in MUTANTS["19.6"])


@pytest.mark.parametrize(("name", "source"), [pytest.param(*pair, id=pair[0]) for pair in steps()])
@pytest.mark.filterwarnings("ignore")
def test_what_jit_takes_the_recording_takes(name, source):
    jax = pytest.importorskip("jax")
    weights, gradients = n19._trees(1)
    short, long = gradients["short"], gradients["long"]
    answer = answer_of(source, "clipped_step", np=np)

    def jitted():
        run = jax.jit(lambda w, g: answer(w, g, n19.RATE, n19.LIMIT, jax.numpy))
        return jax.tree.leaves([run(weights, gradient) for gradient in (short, long)])

    def recorded():
        def taken(*arrays):
            w, g = (dict(zip(weights, half, strict=True)) for half in (arrays[:3], arrays[3:]))
            return answer(w, g, n19.RATE, n19.LIMIT, TracedModule())

        run = traced(taken, [*weights.values(), *short.values()])
        return jax.tree.leaves([run([*weights.values(), *gradient.values()]) for gradient in (short, long)])

    try:
        due = jitted()
    except Exception:
        with pytest.raises((TracingError, ValueError)):
            recorded()
        return
    for mine, theirs in zip(recorded(), due, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


def test_the_keys_behave_as_jaxs():
    jax = pytest.importorskip("jax")
    start = answer_of(n19.KEYS.solution, "start", np=np)
    layers = start(jax.random.key(0), (7, 5, 3), jax.random.split, jax.random.normal)
    assert [layer["w"].shape for layer in layers] == [(7, 5), (5, 3)]
    chance = n19.Chance(0)
    assert np.array_equal(chance.normal(chance.key, (3,)), chance.normal(chance.key, (3,)))
    assert chance.twice() == [chance.key]


# -- Keras is the oracle of batch normalization and of the carried weights --------------------------------


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras")


def plain(tensor):
    return np.asarray(tensor.detach().cpu())


@pytest.mark.filterwarnings("ignore")
def test_batch_norm_is_kerass(keras):
    rng = np.random.default_rng(2)
    x = rng.normal(2, 3, (5, 4, 3, 2)).astype("f")
    layer = keras.layers.BatchNormalization(momentum=0.7)
    assert layer.epsilon == n19.KERAS_EPS
    layer.build(x.shape)
    given = [rng.uniform(0.5, 2, 2).astype("f") for _ in range(4)]
    layer.set_weights(given)
    y = plain(layer(x, training=True))
    found = y, plain(layer.moving_mean.value), plain(layer.moving_variance.value)
    for mine, theirs in zip(n19.batch_norm(x, *given, 0.7), found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_carried_weights_give_the_same_in_keras(keras):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(2, 4, 3, padding=1, bias=False)
    net = torch.nn.Sequential(convolution, torch.nn.Flatten(), torch.nn.Linear(80, 3))
    twin = keras.Sequential([keras.Input((4, 5, 2)), keras.layers.Conv2D(4, 3, padding="same", use_bias=False),
                             keras.layers.Flatten(), keras.layers.Dense(3)])  # fmt: skip
    conv, dense = n19.keras_weights(net[0].weight.detach().numpy(), net[2].weight.detach().numpy(), (4, 4, 5))
    twin.set_weights([conv, dense, net[2].bias.detach().numpy()])
    x = torch.randn(3, 2, 4, 5)
    np.testing.assert_allclose(plain(twin(x.permute(0, 2, 3, 1).numpy())), net(x).detach(), atol=1e-5)


# -- the prose -------------------------------------------------------------------------------------------


def test_the_figures_of_the_prose():
    sure = np.exp(1) / (np.exp(1) + 9)
    assert f"{-np.log(sure):.2f}" == "1.46" and "between 1.46 and 2.46" in PROSE
    assert f"{-np.log(1 / (np.exp(1) + 9)):.2f}" == "2.46"
    assert "It counts 112 more" in PROSE and 2 * (8 + 16 + 32) == 112


def test_what_the_page_says_of_kerass_defaults(keras):
    norm, adam = keras.layers.BatchNormalization(), keras.optimizers.Adam()
    assert (norm.momentum, norm.epsilon, adam.epsilon) == (0.99, 1e-3, 1e-7)
    assert float(plain(adam.learning_rate.value if hasattr(adam.learning_rate, "value") else adam.learning_rate)) == (
        pytest.approx(0.001))  # fmt: skip


def test_the_starts_that_the_page_names(keras):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    n_in, n_out = 600, 300
    assert torch.nn.Linear(n_in, n_out).weight.var().item() == pytest.approx(1 / (3 * n_in), rel=0.05)
    layer = keras.layers.Dense(n_out)
    layer.build((None, n_in))
    assert plain(layer.kernel.value).var() == pytest.approx(2 / (n_in + n_out), rel=0.05)
    assert "1 / (3 n_in)" in PROSE and "2 / (n_in + n_out)" in PROSE


def test_what_is_left_of_the_start_of_the_running_means():
    assert 0.19 < 0.99 ** (2 * 5120 // 64) < 0.21 and "0.99^160 is left, a fifth" in PROSE


def test_kerass_other_back_end_takes_the_scores_behind_a_softmax(keras):
    """Read in the source, since TensorFlow need not be installed."""
    back_ends = Path(keras.__file__).parent / "src" / "backend"
    texts = {name: (back_ends / name / "nn.py").read_text("utf-8") for name in ("tensorflow", "torch", "jax")}
    assert [name for name, text in texts.items() if "Was this intended?" in text] == ["tensorflow"]
