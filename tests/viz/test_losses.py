"""The picture of a training: a curve for each run, at its steps, with its numbers."""

import numpy as np

from gpucourse.viz import losses


def test_each_run_has_its_curve_label_and_numbers():
    fig = losses.draw({"ours": [3.0, 2.0, 1.0], "PyTorch": [3.0, 2.5, 2.0]})
    ours, theirs = fig.axes[0].lines
    assert list(ours.get_xdata()) == [1, 2, 3] and list(ours.get_ydata()) == [3, 2, 1]
    assert list(theirs.get_ydata()) == [3, 2.5, 2]
    assert [text.get_text() for text in fig.axes[0].get_legend().get_texts()] == ["ours", "PyTorch"]
    assert len({line.get_linestyle() for line in fig.axes[0].lines}) == 2


def test_means_stand_at_the_last_of_their_steps():
    values = np.random.default_rng(0).random(50)
    line = losses.draw({"run": values}, mean_of=10).axes[0].lines[0]
    assert list(line.get_xdata()) == list(range(10, 51))
    assert np.allclose(line.get_ydata(), [values[i : i + 10].mean() for i in range(41)])
    assert "mean of the last 10 steps" in losses.draw({"run": values}, mean_of=10).axes[0].get_ylabel()


def test_a_run_shorter_than_the_mean_is_one_point():
    assert np.allclose(losses.smoothed([1.0, 2.0], 10), [1.5])


def test_the_picture_is_shown_with_its_words(capsys):
    losses.losses({"run": [1.0, 0.5]}, "The loss falls from 1 to a half.")
    assert "The loss falls" in capsys.readouterr().out
