"""Recurrent networks: they learn what a longer memory can know, and sample by their own probabilities."""

import pytest

torch = pytest.importorskip("torch")
from torch.nn import functional as F  # noqa: E402

from gpucourse.errors import CourseError  # noqa: E402
from gpucourse.models.rnn import Alphabet, CharacterModel, Forecaster  # noqa: E402


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_the_forecast_depends_on_every_step_and_has_the_horizons_shape(cell):
    torch.manual_seed(0)
    x = torch.randn(2, 6, 3, requires_grad=True)
    forecast = Forecaster(3, 8, horizon=4, cell=cell)(x)
    assert forecast.shape == (2, 4)
    forecast.sum().backward()
    assert (x.grad.abs().amax(dim=(0, 2)) > 0).all()


def test_an_unknown_cell():
    with pytest.raises(CourseError, match="there are rnn, gru, lstm"):
        Forecaster(1, cell="elman")


def test_the_character_model_learns_what_needs_a_memory():
    """In aab aab aab ... what follows an a depends on the letter before it."""
    alphabet = Alphabet("aab" * 20)
    numbers = alphabet.encode("aab" * 20)[None]
    torch.manual_seed(0)
    model = CharacterModel(len(alphabet), size=16, embedding=4)
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(numbers[:, :-1]), numbers[:, 1:])
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    assert alphabet.decode(model.sample(alphabet.encode("aa"), 7, temperature=0)) == "aabaabaab"


def test_samples_follow_the_scores_and_repeat_with_a_seed():
    model = CharacterModel(3, size=2)
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.copy_(torch.tensor([0.6, 0.3, 0.1]).log())
    first, again = (model.sample(torch.tensor([0]), 4000, seed=5) for _ in range(2))
    assert torch.equal(first, again)
    shares = torch.bincount(first[1:], minlength=3) / 4000
    torch.testing.assert_close(shares, torch.tensor([0.6, 0.3, 0.1]), atol=0.03, rtol=0)
    # at temperature 1/2 the chances are squared: 0.36, 0.09, 0.01 of 0.46
    colder = torch.bincount(model.sample(torch.tensor([0]), 4000, 0.5, seed=6)[1:], minlength=3) / 4000
    torch.testing.assert_close(colder, torch.tensor([0.36, 0.09, 0.01]) / 0.46, atol=0.03, rtol=0)


def test_the_alphabet_goes_there_and_back():
    alphabet = Alphabet("ABC |:\n")
    assert alphabet.decode(alphabet.encode("CAB|")) == "CAB|" and len(alphabet) == 7
    with pytest.raises(CourseError, match="'z' is not among the 7"):
        alphabet.encode("Az")
