"""Lesson 16: right answers that differ from ours pass, references agree with PyTorch, the prose with the data."""

import re
import textwrap
from collections import Counter, defaultdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gpucourse import cupy_sim
from gpucourse.exercises import n16_sequences as n16
from gpucourse.exercises import registry
from tests.mutants.mutant import answer_of, kernel

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from gpucourse.data.traffic import interstate, road_occupancy  # noqa: E402
from gpucourse.models.rnn import CELLS, Alphabet, CharacterModel, Forecaster  # noqa: E402

GATES = n16.GATES_SOLUTION
ALSO_RIGHT = {
    "16.1 lists, einsum": """
        def rnn_back(dy, x, h, w_x, w_h):
            steps = len(x)
            das, dh = [None] * steps, np.zeros(len(w_h))
            for t in range(steps - 1, -1, -1):
                das[t] = (dh + dy[t]) * (1 - np.square(h[t + 1]))
                dh = das[t] @ w_h
            das = np.array(das)
            return np.einsum("ti,tk->ik", das, x), das.T @ h[:-1], dh
        """,
    "16.1 the tanh computed again": """
        def rnn_back(dy, x, h, w_x, w_h):
            dwx, dwh, dh = 0 * w_x, 0 * w_h, 0
            for t in range(len(x))[::-1]:
                a = w_x @ x[t] + w_h @ h[t]
                dh = dh + dy[t]
                da = dh / np.cosh(a) ** 2
                dwx, dwh = dwx + da[:, None] * x[t], dwh + da[:, None] * h[t][None]
                dh = w_h.T.dot(da)
            return [dwx, dwh, dh]
        """,
    "16.1 recursive": """
        def rnn_back(dy, x, h, w_x, w_h):
            if len(x) == 0:
                return np.zeros_like(w_x), np.zeros_like(w_h), np.zeros_like(h[0])
            dy = dy.copy()
            da = dy[-1] * (1 - h[-1] ** 2)
            before = w_h.T @ da
            if len(x) == 1:
                return np.outer(da, x[0]), np.outer(da, h[0]), before
            dy[-2] += before
            a, b, first = rnn_back(dy[:-1], x[:-1], h[:-1], w_x, w_h)
            return a + np.outer(da, x[-1]), b + np.outer(da, h[-2]), first
        """,
    "16.1 by PyTorch": """
        def rnn_back(dy, x, h, w_x, w_h):
            a, b, first = (torch.tensor(part, requires_grad=True) for part in (w_x, w_h, h[0]))
            state, loss = first, 0
            for row, d in zip(torch.tensor(x), torch.tensor(dy)):
                state = torch.tanh(a @ row + b @ state)
                loss = loss + (d * state).sum()
            return tuple(g.numpy() for g in torch.autograd.grad(loss, (a, b, first)))
        """,
    "16.1 all weights at the end": """
        def rnn_back(dy, x, h, w_x, w_h):
            da = np.empty_like(dy)
            later = np.zeros(w_h.shape[0])
            for t in reversed(range(len(dy))):
                np.multiply(dy[t] + later, (1 - h[t + 1]) * (1 + h[t + 1]), out=da[t])
                later = (w_h * da[t][:, None]).sum(0)
            return da.T @ x, da.T @ h[: len(x)], later
        """,
    "16.2 returns early": kernel(
        GATES, ("if (i < n * size) {", "if (i >= n * size) return;\n    {"),
        ("1 / (1 + expf(-(x[0] + y[0])))", "1.0f / (1.0f + expf(-x[0] - y[0]))")),
    "16.2 another mixture": kernel(GATES, ("(1 - z) * candidate + z * h[i]", "candidate + z * (h[i] - candidate)")),
    "16.2 sigmoid by tanh": kernel(
        GATES, ("1 / (1 + expf(-(x[0] + y[0])))", "0.5f + 0.5f * tanhf(0.5f * (x[0] + y[0]))"),
        ("1 / (1 + expf(-(x[size] + y[size])))", "0.5f * (1 + tanhf((x[size] + y[size]) / 2))")),
    "16.2 a function of its own": kernel(
        GATES, ('extern "C"', "__device__ float sigma(float s) { return 1 / (1 + expf(-s)); }\nextern \"C\""),
        ("1 / (1 + expf(-(x[0] + y[0])))", "sigma(x[0] + y[0])"),
        ("1 / (1 + expf(-(x[size] + y[size])))", "sigma(x[size] + y[size])")),
    "16.2 a loop over all": kernel(
        GATES, ("if (i < n * size) {", "for (; i < n * size; i += gridDim.x * blockDim.x) {\n"
                                       "        row = i / size; k = i % size;")),
    "16.3 a loop": """
        def windows(values, length, ahead):
            x, y = [], []
            for i in range(len(values) - length - ahead + 1):
                window, target = values[i : i + length], values[i + length + ahead - 1]
                if not np.isnan(window).any() and not np.isnan(target):
                    x.append(window)
                    y.append(target)
            return np.array(x), np.array(y)
        """,
    "16.3 indices": """
        def windows(values, length, ahead):
            first = np.arange(len(values) - length - ahead + 1)[:, None]
            x, y = values[first + np.arange(length)], values[first[:, 0] + length - 1 + ahead]
            good = np.isfinite(x).all(1) & np.isfinite(y)
            return x[good], y[good]
        """,
    "16.3 through sums": """
        def windows(values, length, ahead):
            x = np.lib.stride_tricks.sliding_window_view(values, length + ahead)
            x, y = x[:, :length], x[:, -1]
            good = ~np.isnan(x.sum(axis=1) + y)
            return x[good], y[good]
        """,
    "16.3 two masks": """
        def windows(values, length, ahead):
            x = np.lib.stride_tricks.sliding_window_view(values, length)[:-ahead]
            y = values[length + ahead - 1:]
            full = ~np.isnan(x).any(axis=1)
            x, y = x[full], y[full]
            there = y == y
            return x[there].copy(), y[there]
        """,
    "16.3 through PyTorch": """
        def windows(values, length, ahead):
            v = torch.from_numpy(values)
            x = v.unfold(0, length, 1)[: len(v) - length - ahead + 1]
            y = v[length + ahead - 1 :]
            kept = ~(x.isnan().any(dim=1) | y.isnan())
            return x[kept].numpy(), y[kept].numpy()
        """,
    "16.4 a list": 'leaks = ["i", "f", "c", "b"]\n',
    "16.4 a set of letters": 'leaks = set("bcfi")\n',
    "16.4 a tuple": 'leaks = ("b", "c", "f", "i")\n',
    "16.4 a frozenset": 'leaks = frozenset("icbf")\n',
    "16.4 computed": 'leaks = set("abcdefghij") - set("adeghj")\n',
    "16.5 nan carried through": """
        def errors(forecast, values, at, mean, spread):
            ours, weekly = (values[at] - forecast * spread) - mean, values[at] - values[at - 7 * 24]
            both = np.isfinite(ours + weekly)
            return float(abs(ours[both]).mean()), float(abs(weekly[both]).mean())
        """,
    "16.5 nanmean of both": """
        def errors(forecast, values, at, mean, spread):
            ours, weekly = forecast * spread + mean - values[at], values[at - 168] - values[at]
            ours[np.isnan(weekly)] = np.nan
            return np.nanmean(np.abs(ours)), np.nanmean(np.abs(weekly))
        """,
    "16.5 a loop": """
        def errors(forecast, values, at, mean, spread):
            a, b = [], []
            for i, f in zip(at, forecast):
                if np.isnan(values[i]) or np.isnan(values[i - 168]):
                    continue
                a.append(abs(values[i] - (mean + spread * f)))
                b.append(abs(values[i] - values[i - 168]))
            return sum(a) / len(a), sum(b) / len(b)
        """,
    "16.5 scaled errors times the spread": """
        def errors(forecast, values, at, mean, spread):
            scaled = (values - mean) / spread
            known = ~np.isnan(scaled[at] - scaled[at - 168])
            at, forecast = at[known], forecast[known]
            return (spread * np.abs(forecast - scaled[at]).mean(),
                    spread * np.abs(scaled[at - 168] - scaled[at]).mean())
        """,
    "16.5 chosen first": """
        def errors(forecast, values, at, mean, spread):
            good = [j for j, i in enumerate(at) if values[i] == values[i] and values[i - 168] == values[i - 168]]
            truth = values[at[good]]
            return (np.linalg.norm(forecast[good] * spread + mean - truth, 1) / len(good),
                    np.linalg.norm(values[at[good] - 168] - truth, 1) / len(good))
        """,
    "16.6 step by step": """
        def attend(q, k, v):
            weights = np.zeros((len(q), len(q)))
            for t in range(len(q)):
                s = k[: t + 1] @ q[t] / np.sqrt(q.shape[-1])
                p = np.exp(s - s.max())
                weights[t, : t + 1] = p / p.sum()
            return weights, np.array([w @ v for w in weights])
        """,
    "16.6 a large negative number": """
        def attend(q, k, v):
            scores = np.einsum("ti,si->ts", q, k) / np.sqrt(k.shape[1])
            scores[np.triu_indices(len(q), 1)] = -1e30
            p = np.exp(scores - scores.max(-1, keepdims=True))
            w = p / p.sum(-1)[:, None]
            return w, np.einsum("ts,si->ti", w, v)
        """,
    "16.6 added mask": """
        def attend(q, k, v):
            t = np.arange(len(q))
            scores = (q / q.shape[1] ** 0.5) @ k.T + np.where(t[:, None] >= t, 0, -np.inf)
            w = np.exp(scores - np.logaddexp.reduce(scores, axis=1)[:, None])
            return w, w @ v
        """,
    "16.6 weights in float32": """
        def attend(q, k, v):
            q, k, v = (part.astype(np.float64) for part in (q, k, v))
            s = q.dot(k.T) * q.shape[1] ** -0.5
            e = np.tril(np.exp(s - np.where(np.tri(len(q)) > 0, s, -np.inf).max(1, keepdims=True)
                               .clip(min=-np.inf), where=np.tri(len(q)) > 0, out=np.zeros_like(s)))
            w = e / e.sum(1, keepdims=True)
            return w.astype(np.float32) * 1.0, w @ v
        """,
    "16.6 by PyTorch": """
        def attend(q, k, v):
            q, k, v = map(torch.tensor, (q, k, v))
            later = torch.ones(len(q), len(q)).triu(1).bool()
            s = (q @ k.T / q.shape[1] ** 0.5).masked_fill(later, -torch.inf)
            return s.softmax(dim=-1).numpy(), F.scaled_dot_product_attention(q, k, v, is_causal=True).numpy()
        """,
    "16.7 detached before": """
        def train_pass(model, x, y, optimizer, length):
            state, losses = None, []
            for a, b in zip(x.split(length, dim=1), y.split(length, dim=1)):
                if state is not None:
                    state = state.detach()
                scores, state = model.step(a, state)
                loss = F.cross_entropy(scores.flatten(0, 1), b.flatten())
                model.zero_grad()
                loss.backward()
                optimizer.step()
                losses += [loss.item()] * b.numel()
            return sum(losses) / len(losses)
        """,
    "16.7 each character's loss": """
        def train_pass(model, x, y, optimizer, length):
            each, state = [], None
            for i in range(0, x.size(1), length):
                scores, state = model.step(x[:, i : i + length], state)
                state = state.data
                found = F.cross_entropy(scores.permute(0, 2, 1), y[:, i : i + length], reduction="none")
                optimizer.zero_grad()
                found.mean().backward()
                optimizer.step()
                each.append(found.detach().flatten())
            return torch.cat(each).mean().item()
        """,
    "16.7 a module, zero_grad last": """
        def train_pass(model, x, y, optimizer, length):
            model.train()
            criterion, h, total, count = nn.CrossEntropyLoss(), None, 0, 0
            chunks = -(-x.shape[1] // length)
            for i in range(chunks):
                xs, ys = x[:, i * length : (i + 1) * length], y[:, i * length : (i + 1) * length]
                scores, h = model.step(xs, h)
                h = h.clone().detach()
                loss = criterion(scores.reshape(-1, scores.shape[-1]), ys.reshape(-1))
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                total, count = total + float(loss) * len(ys) * ys.shape[1], count + ys.numel()
            return total / count
        """,
    "16.7 detach_": """
        def train_pass(model, x, y, optimizer, length):
            state, total = None, 0.0
            for begin in range(0, x.shape[1], length):
                scores, state = model.step(x[:, begin:begin + length], state)
                target = y[:, begin:begin + length]
                loss = F.nll_loss(scores.log_softmax(dim=2).transpose(1, 2), target)
                optimizer.zero_grad(set_to_none=False)
                loss.backward()
                optimizer.step()
                state.detach_()
                total += loss.detach() * target.shape[1]
            return (total / y.shape[1]).item()
        """,
    "16.7 a state of zeros": """
        def train_pass(model, x, y, optimizer, length):
            state = torch.zeros(1, len(x), model.rnn.hidden_size, dtype=model.head.weight.dtype)
            total = 0.0
            for begin in range(0, x.shape[1], length):
                part = slice(begin, begin + length)
                scores, new = model.step(x[:, part], state)
                state = torch.tensor(new.tolist(), dtype=new.dtype)
                loss = F.cross_entropy(scores.transpose(1, 2), y[:, part])
                optimizer.zero_grad(); loss.backward(); optimizer.step()
                total += loss.item() * scores.shape[1]
            return total / x.shape[1]
        """,
}  # fmt: skip


@pytest.mark.parametrize("name", ALSO_RIGHT)
def test_another_right_answer_passes(name):
    problem = registry.find(name[:4])
    found = problem.check(answer_of(textwrap.dedent(ALSO_RIGHT[name]), problem.answer, np=np, cp=cupy_sim))
    assert found.state == "right", found


@pytest.mark.parametrize("problem", n16.PROBLEMS, ids=lambda problem: problem.id)
def test_a_check_leaves_the_random_numbers_of_the_notebook_alone(problem):
    answer = answer_of(problem.solution, problem.answer, np=np, cp=cupy_sim)
    before = torch.get_rng_state()
    assert problem.check(answer).state == "right"
    assert torch.equal(torch.get_rng_state(), before)


# --- the references ---------------------------------------------------------------------------------------


def test_the_way_back_is_pytorchs():
    rng = np.random.default_rng(0)
    layer = nn.RNN(3, 4, bias=False).double()
    w_x, w_h = (parameter.detach().numpy() for parameter in layer.parameters())
    first = torch.tensor(rng.standard_normal((1, 4)), requires_grad=True)
    x, dy = rng.standard_normal((6, 3)), rng.standard_normal((6, 4))
    states, _ = layer(torch.tensor(x), first)
    (states * torch.tensor(dy)).sum().backward()
    h = np.concatenate([first.detach().numpy(), states.detach().numpy()])
    due = (layer.weight_ih_l0.grad, layer.weight_hh_l0.grad, first.grad[0])
    for ours, theirs in zip(n16.rnn_back(dy, x, h, w_x, w_h), due, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


def test_the_gates_are_pytorchs():
    torch.manual_seed(0)
    cell = nn.GRUCell(5, 7)
    x, h = torch.randn(3, 5), torch.randn(3, 7)
    a, b = F.linear(x, cell.weight_ih, cell.bias_ih), F.linear(h, cell.weight_hh, cell.bias_hh)
    ours = n16._next_state(*(part.detach().numpy() for part in (a, b, h)))
    np.testing.assert_allclose(ours, cell(x, h).detach(), rtol=1e-5, atol=1e-6)


def test_the_attention_is_pytorchs():
    q, k, v = np.random.default_rng(1).standard_normal((3, 6, 4))
    due = F.scaled_dot_product_attention(*map(torch.tensor, (q, k, v)), is_causal=True)
    np.testing.assert_allclose(n16.attend(q, k, v)[1], due, rtol=1e-12, atol=1e-14)


def test_the_losses_that_16_7_knows_are_all_different():
    *losses, afterwards = n16._went("right", 0)[1]
    sizes = [n16.CHUNK, n16.CHUNK, n16.STEPS - 2 * n16.CHUNK]
    due, n = float(np.average(losses, weights=sizes)), n16.STREAMS * n16.STEPS
    known = [due, afterwards, sum(losses) * n16.CHUNK / n16.STEPS, np.mean(losses), losses[-1], sum(losses), due * n,
             due * n16.STREAMS, due / n16.STREAMS]  # fmt: skip
    assert len(np.unique(np.round(known, 5))) == len(known)


# --- the lesson's own cells and sentences ---------------------------------------------------------------

TEXT = (Path(__file__).parents[2] / "notebooks" / "src" / "16_sequences.md").read_text("utf-8")
PROSE = " ".join(re.sub(r"```python.*?```", "", TEXT, flags=re.DOTALL).split())


def run(*wanted, **names):
    """The names after running the lesson's first cells that hold the wanted words."""
    scope = {"np": np, "torch": torch, "nn": nn, "F": F, "re": re, "Named": SimpleNamespace,
             "device": torch.device("cpu"), **names}  # fmt: skip
    for words in wanted:
        exec(next(c for c in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if words in c), scope)
    return scope


def test_the_lessons_model_of_text_is_the_packages():
    torch.manual_seed(0)
    theirs = CharacterModel(7, size=6, embedding=4)
    ours = run("class CharacterModel")["CharacterModel"](7, size=6, embedding=4)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randint(0, 7, (3, 5))
    assert torch.equal(ours(x), theirs(x))


def test_the_lessons_sample_is_the_packages():
    alphabet = Alphabet("abcdefg\n")
    torch.manual_seed(0)
    model = CharacterModel(8)
    found = run("def sample(", alphabet=alphabet)["sample"](model, "ab", 20, 0.7, seed=5)
    assert found == alphabet.decode(model.sample(alphabet.encode("ab"), 20, 0.7, seed=5))


@pytest.fixture(scope="module")
def highway():
    return run("LENGTH = 24", "def clock", "def prepare")["prepare"](interstate(), "2017-10", "2018-04", ahead=3)


def test_no_window_touches_a_gap_and_none_holds_its_target(highway):
    scaled = (highway.values - highway.mean) / highway.spread
    for part in (highway.train, highway.validation, highway.test):
        x, y = part.batch
        for k in (0, len(part.at) // 2, len(part.at) - 1):
            np.testing.assert_allclose(x[k, :, 0], scaled[part.at[k] - 24 : part.at[k]], rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(y[k], scaled[part.at[k] : part.at[k] + 3], rtol=1e-4, atol=1e-5)


def test_the_parts_are_months_that_follow_each_other(highway):
    first, last = [], []
    for part in (highway.train, highway.validation, highway.test):
        first.append(highway.times[part.at].min())
        last.append(highway.times[part.at + 2].max())
    assert last[0] < np.datetime64("2017-10-01T00") <= first[1]
    assert last[1] < np.datetime64("2018-04-01T00") <= first[2]


def test_mean_and_spread_know_nothing_of_later_months(highway):
    series = interstate()
    past = np.where(series.values == 0, np.nan, series.values)[series.times < np.datetime64("2017-10")]
    assert highway.mean == pytest.approx(np.nanmean(past))
    assert highway.spread == pytest.approx(np.nanstd(past))


def test_the_clock_knows_monday_and_has_a_period_of_a_week():
    clock = run("def clock")["clock"]
    monday = np.datetime64("2018-07-02T00")
    np.testing.assert_allclose(clock(np.array([monday])), [[0, 0, 1, 1]], atol=1e-9)
    np.testing.assert_allclose(clock(np.array([monday + 168 * 9])), [[0, 0, 1, 1]], atol=1e-9)


def test_the_lessons_forecaster_is_the_packages():
    torch.manual_seed(0)
    theirs = Forecaster(5, size=6, horizon=3, cell="lstm")
    ours = run("class Forecaster", CELLS=CELLS)["Forecaster"](5, size=6, horizon=3, cell="lstm")
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 7, 5)
    assert torch.equal(ours(x), theirs(x))


def test_all_hours_to_judge_by_have_a_week_before(highway):
    for part in (highway.validation, highway.test):
        assert np.isfinite(highway.values[part.at[:, None] + np.arange(3) - 168]).all()


def test_the_simple_forecasts_know_nothing_of_later_hours(highway):
    """Whatever is changed from some hour on, the forecasts up to this hour stay; the medians know no later month."""
    scope = run("def usual", "def simple", "def prepare", "def clock", "LENGTH = 24")
    before, later = scope["simple"](highway), int(highway.test.at[0])
    changed = SimpleNamespace(**vars(highway) | {"values": highway.values.copy()})
    changed.values[later:] += 5000
    for ours, theirs in zip(before.values(), scope["simple"](changed).values(), strict=True):
        np.testing.assert_array_equal(ours[168 : later + 1], theirs[168 : later + 1])


def test_chances_of_the_counts_add_up_to_one():
    text = "abracadabra" * 3 + "c"
    scope = run("def counts", text=text, alphabet=Alphabet(text), Counter=Counter, defaultdict=defaultdict)
    scope["seen"] = scope["counts"](3)
    for past in ("abr", "ccc", "bra", "cab"):
        assert sum(scope["chance"](past, letter, 3) for letter in "abcdr") == pytest.approx(1)
    assert scope["chance"]("abr", "a", 3) > 0.9


def test_figures_of_the_prose():
    zeros = road_occupancy().times[road_occupancy().values == 0]
    assert (zeros.astype("datetime64[D]") == np.datetime64("2015-02-28")).sum() == 13 and "thirteen zeros" in PROSE
    assert list(zeros[-2:].astype(str)) == ["2015-11-01T01", "2016-11-06T01"]      # first Sundays of November
    values = interstate().values
    known = ~np.isnan(np.where(values == 0, np.nan, values))
    view = np.lib.stride_tricks.sliding_window_view
    assert f"{known.sum():,} known hours" in PROSE
    assert 0.27 < 1 - view(known, 25).all(1).sum() / known.sum() < 0.30 and "three in ten" in PROSE
    assert 1 - view(known, 169).all(1).sum() / known.sum() > 0.55 and "over half to one of a week" in PROSE
    assert f"{5 * 32 + 32 * 32 + 32:,}, however long" in PROSE
