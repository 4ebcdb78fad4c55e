"""Lesson 13: right answers that differ from ours pass, references agree with PyTorch, the prose with the data."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

from gpucourse.exercises import n13_cnn_digits as n13
from gpucourse.exercises import registry
from tests.mutants.mutant import answer_of

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from tqdm import tqdm  # noqa: E402

from gpucourse.data.batches import Batches  # noqa: E402
from gpucourse.models.cnn import DigitsCNN  # noqa: E402
from gpucourse.scores import evaluate  # noqa: E402
from gpucourse.train import Step, fit  # noqa: E402

TEXT = (Path(__file__).parents[2] / "notebooks" / "src" / "13_cnn_digits.md").read_text("utf-8")
PROSE = " ".join(re.sub(r"```python.*?```", "", TEXT, flags=re.DOTALL).split())

ALSO_RIGHT = {
    "13.1 computed": """
        def last(size, first=1, second=1, k=3, p=0, pool_between=1):
            a = ((size + 2 * p - k) // first + 1) // pool_between
            return ((a + 2 * p - k) // second + 1) // 2
        inputs = {"color pictures of 28 x 28": 64 * last(28) ** 2, "gray pictures of 64 x 64": 64 * last(64) ** 2,
                  "stride 2 in the second convolution": 64 * last(28, second=2) ** 2,
                  "pooling behind each convolution": 64 * last(28, pool_between=2) ** 2,
                  "kernels of 5 x 5, padding 2": 64 * last(28, k=5, p=2) ** 2}
        """,
    "13.2 divided by 255 first": """
        def normalize(train, test):
            train, test = train / 255, test / 255
            return tuple(((x - train.mean()) / train.std()).astype("float32")[:, np.newaxis] for x in (train, test))
        """,
    "13.2 in float32": """
        def normalize(train, test):
            a, b = (np.expand_dims(x, 1).astype(np.float32) for x in (train, test))
            mean, spread = a.mean(), a.std()
            return [(a - mean) / spread, (b - mean) / spread]
        """,
    "13.2 by squares": """
        def normalize(train, test):
            x = train.astype(float)
            m = x.sum() / x.size
            s = ((x - m) ** 2).mean() ** 0.5
            n, h, w = train.shape
            first, second = (x - m) / s, (test - m) / s
            return first.reshape(n, 1, h, w).astype(np.float32), second.reshape(-1, 1, h, w).astype("f4")
        """,
    "13.2 through PyTorch": """
        def normalize(train, test):
            a, b = (torch.from_numpy(x)[:, None].float() for x in (train, test))
            return ((a - a.mean()) / a.std()).numpy(), ((b - a.mean()) / a.std()).numpy()     # by n - 1
        """,
    "13.3 a list": 'wrong = ["nll_loss of softmax", "cross_entropy of relu", "cross_entropy of softmax"]\n',
    "13.4 zero_grad behind the step": """
        def train_epoch(model, batches, optimizer):
            model.train()
            losses = []
            for images, labels in batches:
                loss = F.cross_entropy(model(images), labels)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                losses += [loss.item()] * len(labels)
            return sum(losses) / len(losses)
        """,
    "13.4 model.zero_grad, a module for the loss": """
        def train_epoch(model, batches, optimizer):
            model.train(True)
            criterion, total = nn.CrossEntropyLoss(), 0
            for x, y in batches:
                model.zero_grad()
                loss = criterion(model(x), y)
                loss.backward()
                optimizer.step()
                total += x.size(0) * float(loss)
            return total / len(batches.dataset)
        """,
    "13.4 nll_loss": """
        def train_epoch(model, batches, optimizer):
            model.train()
            sums = counts = 0
            for x, y in batches:
                optimizer.zero_grad(set_to_none=False)
                loss = F.nll_loss(F.log_softmax(model(x), dim=1), y)
                loss.backward()
                sums, counts = sums + loss.detach() * y.shape[0], counts + y.shape[0]
                optimizer.step()
            return (sums / counts).item()
        """,
    "13.4 gradients by hand": """
        def train_epoch(model, batches, optimizer):
            model.train()
            found = []
            for x, y in batches:
                each = F.cross_entropy(model(x), y, reduction="none")
                for p in model.parameters():
                    p.grad = None
                each.mean().backward()
                optimizer.step()
                found.append(each.detach())
            return torch.cat(found).mean().item()
        """,
    "13.5 inference_mode, concatenated": """
        @torch.inference_mode()
        def evaluate(model, batches):
            before = model.training
            model.eval()
            hits = torch.cat([model(x).argmax(1) == y for x, y in batches])
            model.train(before)
            return hits.double().mean().item()
        """,
    "13.5 max, try, dataset": """
        def evaluate(model, batches):
            mode = model.training
            try:
                model.train(False)
                correct = 0
                with torch.no_grad():
                    for images, labels in batches:
                        _, predicted = torch.max(model(images), 1)
                        correct += (predicted == labels).sum().item()
            finally:
                model.train(mode)
            return correct / len(batches.dataset)
        """,
    "13.5 shares weighted": """
        def evaluate(model, batches):
            mode = model.training
            model.eval()
            torch.set_grad_enabled(False)
            weighted, n = 0.0, 0
            for images, labels in batches:
                share = (model(images).softmax(dim=1).argmax(dim=-1) == labels).float().mean()
                weighted, n = weighted + share.item() * len(labels), n + len(labels)
            torch.set_grad_enabled(True)
            if mode:
                model.train()
            return weighted / n
        """,
    "13.6 np.add.at": """
        def confusion(labels, said, classes):
            counts = np.zeros((classes, classes), dtype=np.int32)
            np.add.at(counts, (labels, said), 1)
            return counts
        """,
    "13.6 bincount": """
        def confusion(labels, said, classes):
            return np.bincount(classes * labels + said, minlength=classes**2).reshape(classes, classes)
        """,
    "13.6 one-hot": """
        def confusion(labels, said, classes):
            return np.eye(classes)[labels].T @ np.eye(classes)[said]
        """,
    "13.6 comparison": """
        def confusion(labels, said, classes):
            return np.array([[((labels == i) & (said == k)).sum() for k in range(classes)] for i in range(classes)])
        """,
    "13.7 PyTorch's own": """
        def batch_norm(x, gamma, beta, mean, variance, training):
            return F.batch_norm(x, mean, variance, gamma, beta, training=training, momentum=0.1, eps=1e-5)
        """,
    "13.7 by hand": """
        def batch_norm(x, gamma, beta, mean, variance, training):
            shape = (1, -1, 1, 1)
            if training:
                m = x.mean((0, 2, 3), keepdim=True)
                v = ((x - m) ** 2).mean((0, 2, 3), keepdim=True)
                N = x.shape[0] * x.shape[2] * x.shape[3]
                mean.mul_(0.9).add_(m.detach().flatten(), alpha=0.1)
                variance.copy_(0.9 * variance + 0.1 * v.detach().flatten() * N / (N - 1))
            else:
                m, v = mean.view(shape), variance.view(shape)
            return (x - m) * torch.rsqrt(v + 1e-5) * gamma.view(shape) + beta.view(shape)
        """,
    "13.7 channel by channel": """
        def batch_norm(x, gamma, beta, mean, variance, training):
            y = torch.empty_like(x)
            for c in range(x.shape[1]):
                part = x[:, c]
                if training:
                    m, v = part.mean(), part.var(unbiased=False)
                    with torch.no_grad():
                        mean[c] = 0.9 * mean[c] + 0.1 * m
                        variance[c] = 0.9 * variance[c] + 0.1 * part.var()
                else:
                    m, v = mean[c], variance[c]
                y[:, c] = gamma[c] * (part - m) / torch.sqrt(v + 1e-5) + beta[c]
            return y
        """,
    "13.7 lerp_": """
        def batch_norm(x, gamma, beta, mean, variance, training):
            flat = x.transpose(0, 1).flatten(1)
            if training:
                m, v = flat.mean(1), flat.var(1, correction=0)
                mean.data.lerp_(m.data, 0.1)
                variance[:] = torch.lerp(variance, flat.var(1).detach(), 0.1)
            else:
                m, v = mean, variance
            y = (flat - m[:, None]) / torch.sqrt(v + 1e-5)[:, None] * gamma[:, None] + beta[:, None]
            return y.reshape(x.shape[1], x.shape[0], *x.shape[2:]).transpose(0, 1)
        """,
}


@pytest.mark.parametrize("name", ALSO_RIGHT)
def test_another_right_answer_passes(name):
    problem = registry.find(name[:4])
    found = problem.check(answer_of(textwrap.dedent(ALSO_RIGHT[name]), problem.answer, np=np))
    assert found.state == "right", found


@pytest.mark.parametrize("problem", n13.PROBLEMS, ids=lambda problem: problem.id)
def test_a_check_leaves_the_random_numbers_of_the_notebook_alone(problem):
    answer = answer_of(problem.solution, problem.answer, np=np)
    before = torch.get_rng_state()
    assert problem.check(answer).state == "right"
    assert torch.equal(torch.get_rng_state(), before)


# --- the references ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "layers", "shape"),
    [
        (n13.COLOR, (nn.Conv2d(3, 32, 3), nn.Conv2d(32, 64, 3), nn.MaxPool2d(2)), (3, 28, 28)),
        (n13.LARGE, (nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3), nn.MaxPool2d(2)), (1, 64, 64)),
        (n13.STRIDE, (nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3, stride=2), nn.MaxPool2d(2)), (1, 28, 28)),
        (n13.POOLED, (nn.Conv2d(1, 32, 3), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.MaxPool2d(2)), (1, 28, 28)),
        (n13.WIDE, (nn.Conv2d(1, 32, 5, padding=2), nn.Conv2d(32, 64, 5, padding=2), nn.MaxPool2d(2)), (1, 28, 28)),
    ],
)
def test_the_sizes_are_pytorchs(change, layers, shape):
    assert nn.Sequential(*layers, nn.Flatten())(torch.zeros(1, *shape)).shape[1] == n13.INPUTS[change]


def test_the_wrong_losses_are_those_that_differ():
    scores, labels = 3 * torch.randn(50, 10, generator=torch.Generator().manual_seed(0)), torch.arange(50) % 10
    due = F.cross_entropy(scores, labels)
    ways = (scores, scores.softmax(1), scores.log_softmax(1), scores.softmax(1), scores.log_softmax(1), scores.relu())
    found = [F.nll_loss(way, labels) if name.startswith("nll") else F.cross_entropy(way, labels)
             for name, way in zip(n13.LOSSES, ways, strict=True)]  # fmt: skip
    differs = {name for name, loss in zip(n13.LOSSES, found, strict=True) if abs(loss - due) > 0.01}
    assert f"wrong = {sorted(differs)}" == f"wrong = {sorted(eval(n13.SUSPECTS.solution[8:]))}"


def test_a_softmax_too_many_keeps_the_loss_above_the_number_of_the_text():
    sure = torch.eye(10)                          # the probabilities of a network that is sure and right
    assert f"{F.cross_entropy(sure, torch.arange(10)):.2f}" == "1.46"
    assert "1.46" in n13.SUSPECTS.why


def test_the_shares_that_13_5_knows_are_all_different():
    """Or the message of one mistake would be told for another."""
    scores, labels = n13._scores_and_labels()
    hits = (scores.argmax(dim=1) == labels).numpy()
    parts = np.split(hits, np.cumsum(n13.SIZES)[:-1])
    assert [int(part.sum()) for part in parts] == [4, 3, 1]
    lowest = float((scores.argmin(dim=1) == labels).double().mean())
    known = [hits.mean(), np.mean([p.mean() for p in parts]), parts[-1].mean(), parts[0].mean(), 1 - hits.mean(),
             hits.sum() / 3, hits.sum() / 15, np.sum([p.mean() for p in parts]), hits.mean() / 4, lowest,
             n13._flat(scores, labels), 0.0]  # fmt: skip
    assert len(np.unique(np.round(known, 9))) == len(known)


# --- the lesson's own cells and sentences ---------------------------------------------------------------


def cell(words):
    """The source of the lesson's first cell that holds `words`."""
    return next(c for c in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if words in c)


def run(*wanted, **names):
    """The names after running the cells that hold the wanted words."""
    scope = {"np": np, "torch": torch, "nn": nn, "F": F, **names}
    for words in wanted:
        exec(cell(words), scope)
    return scope


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("size", [3, 7])
def test_the_lessons_batches_are_the_packages(shuffle, size):
    inputs, targets = torch.randn(14, 1, 2, 2), torch.arange(14)
    both = []
    for kind in (run("class Batches")["Batches"], Batches):
        batches = kind(inputs, targets, size, shuffle)
        torch.manual_seed(3)
        both.append(list(batches) + list(batches))            # two passes, two orders
        assert len(batches) == len(both[-1]) // 2
    for ours, theirs in zip(*both, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_the_lessons_accuracy_is_the_packages_and_leaves_the_mode():
    accuracy = run("def read(")["accuracy"]
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(4, 3))
    batches = Batches(torch.randn(50, 1, 2, 2), torch.arange(50) % 3, 16)
    for training in (True, False):
        model.train(training)
        assert accuracy(model, batches) == pytest.approx(evaluate(model, batches).metric)
        assert model.training == training


def test_the_lessons_loop_is_fit():
    """Also where the model has dropout; on the CPU, to the last bit."""
    train = run("def train(", tqdm=lambda **options: tqdm(disable=True, **options), Step=Step)["train"]
    found, steps = [], []
    for by_hand in (True, False):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(4, 3))
        batches = Batches(torch.randn(20, 1, 2, 2), torch.arange(20) % 3, 8)
        optimizer = torch.optim.Adam(model.parameters())
        torch.manual_seed(4)
        found.append(
            train(model, batches, 2, optimizer, on_step=steps.append) if by_hand
            else fit(model, batches, epochs=2, optimizer=optimizer, seed=4, device="cpu", progress=False,
                     on_step=steps.append).losses
        )  # fmt: skip
    assert found[0] == found[1]
    assert steps[:6] == steps[6:]


@pytest.mark.parametrize("die_at", [1, 15, 16, 17, 31])
def test_the_lessons_run_goes_on_from_any_step(die_at, tmp_path):
    """Also from the end of a pass, where a new order is drawn from the state of chance in the file."""
    x, y = torch.randn(1000, 1, 28, 28), torch.arange(1000) % 10
    scope = run("class Batches", "few = Batches", "def run(", x=x, y=y, DigitsCNN=DigitsCNN)
    undisturbed = scope["run"](tmp_path / "undisturbed.pt", scope["everything"])
    scope["run"](tmp_path / "killed.pt", scope["everything"], die_at)
    assert torch.load(tmp_path / "killed.pt")["steps"] == die_at
    assert torch.equal(scope["run"](tmp_path / "killed.pt", scope["everything"]), undisturbed)


def test_the_copied_network_is_that_of_the_text():
    copied = run("class Copied")["Copied"]
    with pytest.raises(RuntimeError, match="64x12544 and 9216x128"):
        copied()(torch.zeros(64, 1, 28, 28))
    layers = copied(12544)
    total = sum(p.numel() for p in layers.parameters())
    seeing = sum(p.numel() for conv in (layers.conv1, layers.conv2) for p in conv.parameters())
    assert f"{seeing / total:.0%}" == "1%" and "have 1 % of them" in PROSE
    assert sum(p.numel() for p in DigitsCNN(16, norm=False).parameters()) < 0.02 * total
    assert "less than 2 % of the parameters of the copied one" in PROSE


@pytest.mark.parametrize(
    "figure",
    [
        f"50,000 pictures in batches of 4 are {50_000 // 4:,} batches",
        f"one more error is {1 / 2000:.2%}".replace("%", " %"),
        f"a share of 98.5 % by a standard error of {(0.985 * 0.015 / 2000) ** 0.5:.2%}".replace("7%", "7 %"),
        f"64 · 14 · 14 = {64 * 14 * 14}",
        f"counts {64 // 16} times as much".replace("4", "four"),
        f"there are {2 * 10} blocks with {2 * 2 * 10} convolutions",
        f"two numbers in {10_000 + 2_000:,} pictures",
    ],
)
def test_a_figure_in_the_prose_is_computed(figure):
    assert figure in PROSE
