"""Lesson 10: other right answers pass, PyTorch agrees with the references, the prose with the data."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

from gpucourse import cupy_sim, nn
from gpucourse.exercises import n10_network_by_hand as n10
from gpucourse.exercises import registry
from tests.mutants.mutant import answer_of

torch = pytest.importorskip("torch")
TEXT = (Path(__file__).parents[2] / "notebooks" / "src" / "10_network_by_hand.md").read_text("utf-8")
PROSE = " ".join(re.sub(r"```python\n.*?```", "", TEXT, flags=re.DOTALL).split())

ALSO_RIGHT = {
    "10.1 arithmetic with the mask": """
        def leaky_relu(x, slope):
            derivative = (x > 0) + slope * (x <= 0)
            return x * derivative.astype(x.dtype), derivative.astype(x.dtype)
        """,
    "10.1 maximum": """
        def leaky_relu(x, slope):
            derivative = cp.get_array_module(x).full_like(x, slope)
            derivative[x > 0] = 1
            return cp.get_array_module(x).maximum(x, slope * x), derivative
        """,
    "10.1 a copy, NumPy's functions": """
        def leaky_relu(x, slope):
            y = x.copy()
            y[y < 0] *= slope
            return [y, np.where(x > 0, x.dtype.type(1), x.dtype.type(slope))]
        """,
    "10.1 without a branch": """
        def leaky_relu(x, slope):
            half = (1 + slope) / 2
            xp = cp.get_array_module(x)
            return half * x + (1 - slope) / 2 * xp.abs(x), xp.where(x > 0, xp.ones_like(x), slope * xp.ones_like(x))
        """,
    "10.2 one-hot": """
        def cross_entropy(logits, labels):
            xp = cp.get_array_module(logits)
            y = xp.eye(logits.shape[1])[labels]
            z = logits - xp.max(logits, axis=-1)[:, None]
            total = xp.sum(xp.exp(z), axis=-1)
            loss = (xp.log(total) - (y * z).sum(axis=1)).mean()
            return loss.item(), (xp.exp(z) / total[:, None] - y) / len(y)
        """,
    "10.2 comparison": """
        def cross_entropy(logits, labels):
            n, k = logits.shape
            xp = cp.get_array_module(logits)
            y = labels[:, None] == xp.arange(k)
            z = logits - logits.max(axis=1).reshape(n, 1)
            p = xp.exp(z) / xp.exp(z).sum(axis=1, keepdims=True)
            losses = xp.log(xp.exp(z).sum(axis=1)) - z[y]
            return float(losses.sum()) / n, 1 / n * (p - y)
        """,
    "10.2 row by row": """
        def cross_entropy(logits, labels):
            gradient, loss = logits * 0, 0.0
            for i in range(len(labels)):
                row, label = logits[i], int(labels[i])
                top = row.max()
                total = np.exp(row - top).sum()
                loss += float(top + np.log(total) - row[label])
                gradient[i] = np.exp(row - top) / total / len(labels)
                gradient[i, label] -= 1 / len(labels)
            return loss / len(labels), gradient
        """,
    "10.3 einsum": """
        def linear_backward(x, w, dy):
            xp = cp.get_array_module(x)
            return xp.einsum("no,oi->ni", dy, w), xp.einsum("no,ni->oi", dy, x), xp.einsum("no->o", dy)
        """,
    "10.3 other transposes": """
        def linear_backward(x, w, dy):
            return (w.T @ dy.T).T, (x.T @ dy).T, dy.T.sum(axis=1)
        """,
    "10.3 dot, ones": """
        def linear_backward(x, w, dy):
            xp = cp.get_array_module(x)
            return xp.dot(dy, w), xp.dot(xp.transpose(dy), x), xp.ones(len(dy)) @ dy
        """,
    "10.4 h for the mask": """
        def backward(x, z, h, w2, dlogits):
            dz = dlogits @ w2
            dz[h == 0] = 0
            return [dlogits.T @ h, dlogits.sum(0), dz.T @ x, dz.sum(0)]
        """,
    "10.4 at the corner h is 0 too": """
        def backward(x, z, h, w2, dlogits):
            dz = dlogits @ w2 * cp.get_array_module(h).sign(h)
            return dlogits.T @ h, dlogits.sum(axis=0), dz.T @ x, dz.sum(axis=0)
        """,
    "10.4 where": """
        def backward(x, z, h, w2, dlogits):
            xp = cp.get_array_module(z)
            dz = xp.where(z > 0, dlogits @ w2, 0)
            return (h.T @ dlogits).T, xp.sum(dlogits, axis=0), xp.matmul(dz.T, x), xp.sum(dz, axis=0)
        """,
    "10.6 a while loop, one update at a time": """
        def one_pass(parameters, gradients, x, y, order, size, lr):
            start = 0
            while start < len(x):
                chosen = order[start:min(start + size, len(x))]
                g = gradients(parameters, x[chosen], y[chosen])
                for i in range(len(parameters)):
                    parameters[i] -= lr * g[i]
                start += size
        """,
    "10.6 into the arrays, by subtract": """
        def one_pass(parameters, gradients, x, y, order, size, lr):
            for start in range(0, len(order), size):
                at = order[start:start + size]
                for p, g in zip(parameters, gradients(parameters, x[at], y[at])):
                    cp.get_array_module(p).subtract(p, lr * g, out=p)
        """,
    "10.6 shuffled first, written through a slice": """
        def one_pass(parameters, gradients, x, y, order, size, lr):
            x, y = x[order], y[order]
            for k in range(-(-len(x) // size)):
                batch = slice(k * size, (k + 1) * size)
                for p, g in zip(parameters, gradients(parameters, x[batch], y[batch])):
                    p[...] = p - lr * g
            return parameters
        """,
    "10.5 a list": 'wrong = ["cube", "mean square"]\n',
}


@pytest.mark.parametrize("name", ALSO_RIGHT)
def test_another_right_answer_passes(name):
    problem = registry.find(name[:4])
    source = textwrap.dedent(ALSO_RIGHT[name])
    found = problem.check(answer_of(source, problem.answer, np=np, cp=cupy_sim))
    assert found.state == "right", found


def leaf(a):
    return torch.tensor(a, requires_grad=True)


RNG = np.random.default_rng(10)


def test_the_references_are_pytorchs():
    x, w1, b1, w2, b2 = (RNG.standard_normal(shape) for shape in ((6, 5), (4, 5), (4,), (3, 4), (3,)))
    labels = np.array([0, 2, 1, 1, 0, 2])
    leaves = [leaf(a) for a in (w2, b2, w1, b1)]
    z = torch.tensor(x) @ leaves[2].T + leaves[3]
    logits = torch.relu(z) @ leaves[0].T + leaves[1]
    logits.retain_grad()
    due = torch.nn.functional.cross_entropy(logits, torch.tensor(labels))
    due.backward()
    loss, dlogits = n10.cross_entropy(logits.detach().numpy(), labels)
    assert loss == pytest.approx(due.item())
    np.testing.assert_allclose(dlogits, logits.grad.numpy(), atol=1e-12)
    at = z.detach().numpy()
    for mine, theirs in zip(n10.backward(x, at, np.maximum(at, 0), w2, dlogits), leaves, strict=True):
        np.testing.assert_allclose(mine, theirs.grad.numpy(), atol=1e-12)


def test_the_linear_layers_reference_is_pytorchs():
    x, w, b, dy = (RNG.standard_normal(shape) for shape in ((4, 3), (2, 3), (2,), (4, 2)))
    leaves = [leaf(a) for a in (x, w, b)]
    torch.nn.functional.linear(*leaves).backward(torch.tensor(dy))
    for mine, theirs in zip(n10.linear_backward(x, w, dy), leaves, strict=True):
        np.testing.assert_allclose(mine, theirs.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("slope", [0.01, 0.3])
def test_the_leaky_reference_is_pytorchs(slope):
    x = leaf(np.array([-3.0, -0.1, 0.0, 0.2, 5.0]))
    y = torch.nn.functional.leaky_relu(x, slope)
    y.sum().backward()
    mine = n10.leaky_relu(x.detach().numpy(), slope)
    np.testing.assert_allclose(mine[0], y.detach().numpy())
    np.testing.assert_allclose(mine[1], x.grad.numpy())


# --- the lesson's own cells and sentences ---------------------------------------------------------------


def cell(words):
    """The source of the lesson's first cell that holds `words`."""
    return next(c for c in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if words in c)


def run(*wanted, **names):
    """The names after running the cells that hold the wanted words."""
    scope = {"np": np, "cp": cupy_sim, "rng": np.random.default_rng(3), **vars(nn), "module_of": nn.layer.module_of}
    scope |= names
    for words in wanted:
        exec(cell(words), scope)
    return scope


def test_the_suspects_are_what_the_exercise_says():
    suspects = run("normal, target =", "suspects =")["suspects"]
    assert tuple(suspects) == n10.SUSPECTS
    fails, wrong = set(), set()
    for name, (loss, gradient, at) in suspects.items():
        elsewhere = np.random.default_rng(4).standard_normal((4, 3))
        for point, found in ((at.copy(), fails), (elsewhere, wrong)):
            nudged = nn.finite_difference(lambda loss=loss, point=point: float(loss(point)), point)
            if nn.gradient_error(gradient(point), nudged) >= 1e-6:
                found.add(name)
    assert fails == {"mean square", "relu", "penalty"}     # "Half of them fail."
    assert wrong == {"mean square", "cube"}                # the right answer of 10.5


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_the_lessons_training_is_pytorchs_sgd(decay):
    train = run("def train(")["train"]
    x, labels = RNG.standard_normal((50, 7)), RNG.integers(0, 3, 50)
    rng = np.random.default_rng(5)
    net = nn.Sequential(nn.Linear(7, 6, rng, dtype=np.float64), nn.ReLU(), nn.Linear(6, 3, rng, dtype=np.float64))
    leaves = [leaf(p.value.copy()) for p in net.parameters()]
    losses = train(net, x, labels, passes=3, lr=0.05, size=16, decay=decay, seed=9)
    steps = torch.optim.SGD(leaves, lr=0.05, momentum=0.9, weight_decay=decay)
    order, due = np.random.default_rng(9), []
    for _ in range(3):
        for at in np.array_split(order.permutation(50), [16, 32, 48]):
            w1, b1, w2, b2 = leaves
            logits = torch.relu(torch.tensor(x[at]) @ w1.T + b1) @ w2.T + b2
            loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels[at]))
            steps.zero_grad()
            loss.backward()
            steps.step()
            due.append(loss.item())
    np.testing.assert_allclose(losses, due, rtol=1e-10)
    for p, theirs in zip(net.parameters(), leaves, strict=True):
        np.testing.assert_allclose(p.value, theirs.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_the_lessons_sigmoid_is_pytorchs_and_never_overflows():
    sigmoid = run("def sigmoid(")["sigmoid"]
    x = np.array([-1e4, -100, -1, 0, 1, 100, 1e4], np.float32)
    for bring in (np.asarray, cupy_sim.asarray):
        found = sigmoid(bring(x))
        assert found.dtype == np.float32
        found = found.get() if bring is not np.asarray else found
        np.testing.assert_allclose(found, torch.sigmoid(torch.tensor(x)).numpy(), rtol=1e-6, atol=1e-40)


@pytest.mark.parametrize(
    "figure",
    [
        f"28 · 28 = {28 * 28} numbers",
        f"Remember {np.log(10):.3f}, the logarithm of 10",
        "It is 6 · 1 · 3 = 18",
        f"the sum of the squares is about {128 * 2}",                          # 128 units, 784 weights, 2 / 784 each
        f"so p = {1 / (1 + np.exp(8)):.4f}",
        f"about {62 * 25 / 1000} ms a step",                     # 62 launches of 25 µs
        "ten layers leave a ten-billionth",                    # 0.1 ** 10
        "a thousandth, or a thousandfold",                     # 2 ** 10
    ],
)  # fmt: skip
def test_a_figure_in_the_prose_is_that_of_the_data(figure):
    assert figure in PROSE


def test_a_step_on_the_device_takes_as_many_launches_as_the_prose_counts():
    names = run("def train(", "def two_layers_of", ReLU=nn.ReLU)
    net = names["two_layers_of"](32, 0, xp=cupy_sim)
    x, labels = cupy_sim.zeros((64, 784), np.float32), cupy_sim.zeros(64, np.int64)
    with cupy_sim.count_launches() as k, cupy_sim.count_transfers() as t:
        names["train"](net, x, labels, passes=1)
    assert (k.launches, t.to_host, t.to_device) == (62, 1, 1)
