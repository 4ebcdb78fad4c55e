"""The training curves: their means against a plain loop, what is drawn of nan, and how the live ones keep time."""

import builtins
import math
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from texts import clashes

pytest.importorskip("matplotlib")
from gpucourse.viz import explorers, picture, training_curves

NAN, INF = math.nan, math.inf
FALLING = [2.3 * 0.99**k for k in range(200)]


def scores(*found):
    return [(step, SimpleNamespace(loss=loss, metric=metric, n=10)) for step, loss, metric in found]


def step(number, of=100, loss=1.0):
    return SimpleNamespace(number=number, of=of, epoch=0, loss=loss, rate=0.1)


JUDGED = scores((100, 0.4, 0.91), (200, 0.5, 0.934))


@pytest.mark.parametrize("window", [1, 3, 20, 500])
@pytest.mark.parametrize("spacing", [1, 20])
def test_a_mean_is_that_of_the_finite_losses_of_the_last_steps(window, spacing):
    rng = np.random.default_rng(3)
    losses = rng.uniform(0, 3, 60)
    losses[rng.integers(0, 60, 12)] = NAN
    losses[:2] = NAN
    losses[30] = INF
    numbers = [spacing * (k + 1) for k in range(60)]
    found = training_curves.smoothed(numbers, losses, window)
    for k, number in enumerate(numbers):
        near = [x for n, x in zip(numbers, losses, strict=True)
                if number - window < n <= number and math.isfinite(x)]  # fmt: skip
        assert found[k] == pytest.approx(np.mean(near)) if near else math.isnan(found[k])


def lines(fig, axes=0):
    return {line.get_label(): line.get_xydata() for line in fig.axes[axes].lines}


def test_the_picture_holds_each_loss_their_means_and_the_validation():
    fig, _ = training_curves.draw(FALLING, JUDGED, smoothing=20)
    drawn = lines(fig)
    assert np.allclose(drawn["each step"], np.stack([np.arange(1, 201), FALLING], axis=1))
    assert np.allclose(drawn["mean of 20 steps"][:, 1], training_curves.smoothed(range(1, 201), FALLING, 20))
    assert drawn["validation"].tolist() == [[100, 0.4], [200, 0.5]]
    (accuracies,) = (line.get_xydata() for line in fig.axes[1].lines)
    assert np.allclose(accuracies, [[100, 91], [200, 93.4]])
    assert fig.axes[0].get_ylim()[0] == 0
    assert training_curves.draw(FALLING, log=True)[0].axes[0].get_yscale() == "log"


def test_the_sentence_says_where_it_started_and_ended_and_marks_what_the_machine_decides():
    assert training_curves.draw([4, 2, 1, 1], scores((2, 0.5, 0.8), (4, 0.7, 0.75)), smoothing=2)[1] == (
        "After 4 steps and 2 evaluations: ⟨the mean loss of 2 steps went from 4 to 1; the validation loss was smallest "
        "after step 2, 0.5; the last accuracy is 75.0%⟩."
    )
    assert training_curves.draw([3], smoothing=1)[1] == "After 1 step: ⟨the loss went from 3 to 3⟩."
    assert training_curves.draw([3, 2], steps=9)[1].startswith("After 2 steps of 9: ")


def test_a_metric_that_is_the_loss_itself_is_no_accuracy():
    fig, sentence = training_curves.draw([4, 2, 1, 1], scores((2, 0.5, 0.5), (4, 0.7, 0.7)), smoothing=2)
    assert len(fig.axes) == 1
    assert sentence.endswith("the validation loss was smallest after step 2, 0.5⟩.")


def test_what_is_no_number_is_a_gap_and_is_said():
    fig, sentence = training_curves.draw([2.0, 1.0, NAN, INF, 0.5], scores((5, NAN, 0.1)), smoothing=2)
    assert "2 of the losses are nan or infinite, the first at step 3; no validation loss is a number" in sentence
    assert np.isnan(lines(fig)["each step"][2:4, 1]).all()
    assert np.isfinite(fig.axes[0].get_ylim()).all()
    assert picture.png(fig)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("losses", [[], [1.0], [NAN], [NAN] * 9, [0.0] * 5, [-1.0, -2.0], [INF], [1e30, 1e-30]])
@pytest.mark.parametrize("judged", [[], scores((1, NAN, NAN)), JUDGED])
def test_everything_draws(losses, log, judged):
    fig, sentence = training_curves.draw(losses, judged, log=log)
    assert picture.png(fig)
    assert all(np.isfinite(ax.get_ylim()).all() for ax in fig.axes)
    assert sentence.endswith((".", "⟩."))


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("judged", [[], JUDGED])
def test_no_text_covers_another(log, judged):
    assert not clashes(training_curves.draw(FALLING, judged, log=log)[0])
    assert not clashes(training_curves.draw(FALLING * 40, judged, log=log)[0])


def test_a_smoothing_below_one_is_refused():
    with pytest.raises(ValueError, match="smoothing=0"):
        training_curves.draw(FALLING, smoothing=0)


# --- live --------------------------------------------------------------------------------------------


class Clock:
    """A clock that stands until it is moved; each drawing takes `drawing` seconds."""

    def __init__(self, monkeypatch, drawing=0.0):
        self.now, self.drawings = 0.0, []
        real = picture.png

        def png(fig, dpi=100):
            self.drawings.append(self.now)
            self.now += drawing
            return real(fig, dpi)

        monkeypatch.setattr(picture, "png", png)

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    pytest.importorskip("ipywidgets")
    return Clock(monkeypatch)


def test_the_live_curves_draw_every_half_second_and_at_the_last_step(clock):
    curves = explorers.training_curves(steps=100, clock=clock)
    for number in range(1, 101):
        clock.now += 0.1
        curves.on_step(step(number))
    assert len(curves.record.losses) == 100
    gaps = np.diff(clock.drawings)
    assert (gaps[:-1] >= 0.499).all()
    assert 18 <= len(clock.drawings) <= 22
    assert clock.drawings[-1] == clock.now, "the last step is drawn"


def test_slow_drawing_takes_at_most_its_share_of_the_time(monkeypatch):
    pytest.importorskip("ipywidgets")
    clock = Clock(monkeypatch, drawing=1.0)
    curves = explorers.training_curves(clock=clock)
    began = len(clock.drawings)
    for number in range(1, 500):
        clock.now += 0.1
        curves.on_step(step(number, of=10**6))
    assert 4 <= len(clock.drawings) - began <= training_curves.SHARE * clock.now + 1


def test_the_live_curves_show_what_the_plain_function_shows(clock, capsys):
    curves = explorers.training_curves(steps=200, clock=clock)
    assert "No step has been taken" in curves.sentence
    for number, loss in enumerate(FALLING, 1):
        curves.on_step(step(number, 200, loss))
    before = curves.image.value
    curves.finish(SimpleNamespace(losses=FALLING, scores=JUDGED))
    assert curves.sentence == training_curves.draw(FALLING, JUDGED)[1]
    assert curves.image.value != before
    training_curves.training_curves(FALLING, JUDGED)
    assert curves.sentence in capsys.readouterr().out
    assert repr(curves) == "<explorer: training curves>"


def test_the_controls_work_after_the_training(clock):
    curves = explorers.training_curves(FALLING, JUDGED)
    pictures = {curves.image.value}
    for values in ({"smoothing": 200}, {"log": True}, {"smoothing": 1}):
        curves.set(**values)
        pictures.add(curves.image.value)
    assert len(pictures) == 4
    assert curves.sentence == training_curves.draw(FALLING, JUDGED, smoothing=1)[1]


def test_a_second_training_begins_anew_and_a_resumed_one_begins_where_it_stopped(clock):
    curves = explorers.training_curves(clock=clock)
    for number in (41, 42, 43, 1, 2):
        curves.on_step(step(number))
    assert curves.record.numbers == [1, 2]
    curves.on_step(step(22))
    assert curves.record.last == 22


def test_a_control_moved_in_another_thread_waits_for_the_drawing(clock, monkeypatch):
    """JupyterLab hands a widget's messages to a thread of their own while a cell runs."""
    curves = explorers.training_curves(clock=clock)
    inside, most, real = [], [], training_curves.drawn

    def drawn(*arguments):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.05)
        inside.pop()
        return real(*arguments)

    monkeypatch.setattr(training_curves, "drawn", drawn)
    mover = threading.Thread(target=lambda: [curves.set(log=k % 2 == 0) for k in range(5)])
    mover.start()
    for number in range(1, 6):
        clock.now += 10
        curves.on_step(step(number))
    mover.join()
    assert len(most) == 10
    assert max(most) == 1


def test_an_error_in_the_drawing_does_not_stop_the_training(clock, monkeypatch):
    curves = explorers.training_curves(clock=clock)
    monkeypatch.setattr(training_curves, "drawn", lambda *_: 1 / 0)
    curves.on_step(step(100))
    assert curves.sentence.startswith("ZeroDivisionError")


def test_a_real_training_tells_them_its_losses(clock):
    torch = pytest.importorskip("torch")
    from gpucourse.train import fit

    torch.manual_seed(0)
    batches = [(torch.randn(8, 4), torch.randint(0, 3, (8,))) for _ in range(5)]
    curves = explorers.training_curves(steps=10, clock=clock)
    history = fit(torch.nn.Linear(4, 3), batches, epochs=2, validation=batches, progress=False, device="cpu",
                  on_step=curves.on_step)  # fmt: skip
    assert curves.record.losses == history.losses
    curves.finish(history)
    assert "After 10 steps and 2 evaluations" in curves.sentence


def test_without_ipywidgets_there_is_one_picture_at_the_end(monkeypatch, capsys):
    real = builtins.__import__

    def no_widgets(name, *rest, **options):
        if name == "ipywidgets":
            raise ModuleNotFoundError("No module named 'ipywidgets'", name="ipywidgets")
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", no_widgets)
    shown = []
    monkeypatch.setattr(picture, "show", lambda fig, alt: shown.append(alt))
    curves = explorers.training_curves(steps=2)
    curves.on_step(step(1, 2))
    curves.on_step(step(2, 2))
    assert not shown
    assert repr(curves) == "<explorer: training curves>"
    curves.finish(SimpleNamespace(losses=[3.0, 1.0], scores=JUDGED))
    assert shown == [training_curves.draw([3, 1], JUDGED, steps=2)[1]]
    assert "pip install ipywidgets" in capsys.readouterr().err
