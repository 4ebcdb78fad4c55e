"""Scores: means over examples, not over batches; the model's mode is put back."""

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from gpucourse.errors import CourseError  # noqa: E402
from gpucourse.scores import evaluate  # noqa: E402


def test_every_example_counts_once():
    outputs = torch.tensor([[2.0, 1], [0, 1], [3, 0], [1, 5], [1, 0]])
    targets = torch.tensor([0, 0, 0, 1, 1])       # right: 0, 2 and 3
    scores = evaluate(nn.Identity(), [(outputs[:4], targets[:4]), (outputs[4:], targets[4:])], device="cpu")
    assert scores.metric == pytest.approx(3 / 5) and scores.n == 5
    # by hand: log(1 + exp(other - own)) of the five examples
    by_hand = sum(torch.log1p(torch.tensor(d).exp()).item() for d in (-1.0, 1.0, -3.0, -4.0, 1.0)) / 5
    assert scores.loss == pytest.approx(by_hand, rel=1e-6)


def test_looks_in_eval_mode_and_puts_the_mode_back():
    modes, model = [], nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.9))
    model.register_forward_hook(lambda module, inputs, output: modes.append(module.training))
    evaluate(model, [(torch.ones(3, 2), torch.zeros(3, dtype=torch.long))])
    assert modes == [False] and model.training
    model.eval()
    evaluate(model, [(torch.ones(3, 2), torch.zeros(3, dtype=torch.long))])
    assert not model.training


def test_nothing_to_look_at():
    with pytest.raises(CourseError, match="no batch"):
        evaluate(nn.Linear(2, 2), [])
