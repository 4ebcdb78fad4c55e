"""The window-and-hop explorer: its columns by NumPy, its verdicts by SciPy's peaks, and what the picture shows."""

import sys
from itertools import pairwise

import numpy as np
import pytest
from texts import clashes

pytest.importorskip("matplotlib")
pytest.importorskip("torch")
from gpucourse.errors import CourseError
from gpucourse.viz import explorers, picture, window_and_hop
from gpucourse.viz.window_and_hop import HOPS, RATE, WINDOWS, Cut

EVERY = [(window, hop) for window in WINDOWS for hop in HOPS if hop <= window]


def test_the_sound_has_two_tones_of_one_strength_and_two_clicks():
    sound = window_and_hop.tones_and_clicks().astype(float)
    assert len(sound) == RATE and abs(sound).max() < 1
    clicks = np.flatnonzero(abs(np.diff(sound)) > 0.4)
    assert clicks.tolist() == [7935, 7936, 8255, 8256]      # up and down again: 320 samples or 20 ms apart
    strengths = abs(np.fft.rfft(sound))                     # bins of 1 Hz
    assert sorted(np.argsort(strengths)[-2:]) == [500, 540]
    assert strengths[500] == pytest.approx(strengths[540], rel=0.01)


@pytest.mark.parametrize(("samples", "window", "hop"), [(16_000, 2048, 512), (999, 400, 160), (700, 301, 7), (3, 8, 8)])
def test_a_column_is_the_spectrum_of_a_frame_around_its_time(samples, window, hop):
    sound = np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    _, cut, power = window_and_hop.spectrogram(sound, 8000, window, hop)
    assert power.shape == (cut.bins, cut.columns)
    hann = np.sin(np.pi * np.arange(window) / window) ** 2
    for column in {0, cut.columns // 2, cut.columns - 1}:
        places = column * hop - window // 2 + np.arange(window)
        frame = np.where((places >= 0) & (places < samples), sound[places % samples], 0)
        due = abs(np.fft.rfft(hann * frame)) ** 2
        assert np.allclose(power[:, column], due, rtol=1e-3, atol=1e-4 * due.max())


def test_the_numbers_of_a_cut():
    cut = Cut(48_000, 16_000, 1024, 256)
    assert (cut.columns, cut.bins) == (188, 513)
    assert (cut.apart, cut.covers, cut.width, cut.overlap) == (0.016, 0.064, 15.625, 0.75)


def peaks(profile):
    """Peaks around the pair, by SciPy, from which it goes down to less than half of them before a higher one."""
    signal = pytest.importorskip("scipy.signal")
    first, second = profile.pair
    gap = (second - first) / 2
    near = (profile.places >= first - 3 * gap) & (profile.places <= second + 3 * gap)
    power = np.concatenate([[0], profile.power[near], [0]])
    found, facts = signal.find_peaks(power, height=0.2, prominence=0)
    return int(np.count_nonzero(facts["prominences"] > 0.5 * power[found]))


@pytest.mark.parametrize(("window", "hop"), EVERY)
def test_what_is_apart_has_two_peaks_and_follows_the_rule(window, hop):
    _, cut, power = window_and_hop.spectrogram(None, RATE, window, hop)
    tones, clicks = window_and_hop.of_tones(cut, power), window_and_hop.of_clicks(cut, power)
    assert tones.apart == (peaks(tones) == 2) == (window >= 1024)
    assert clicks.apart == (window <= 512 and hop <= 128 and hop < window)
    if clicks.apart:
        assert peaks(clicks) == 2
    assert not (tones.apart and clicks.apart), "40 Hz times 20 ms: no window separates both"


@pytest.mark.parametrize(
    ("power", "apart"),
    [([0, 1, 0.4, 1, 0], True), ([0, 1, 0.6, 1, 0], False), ([0, 1, 0.4, 0.7, 0], False), ([0, 1, 0, 0, 0], False),
     ([0, 0, 0, 0, 0], False)],
)  # fmt: skip
def test_a_valley_lies_below_half_of_the_lower_peak(power, apart):
    profile = window_and_hop.Profile(np.array(power, float), np.arange(5) * 10.0, (10.0, 30.0))
    assert profile.apart is apart


def test_without_a_column_between_them_clicks_are_one():
    assert not window_and_hop.Profile(np.ones(3), np.array([0.0, 10, 30]), (10.0, 30.0)).apart


def test_the_sentence():
    assert window_and_hop.draw()[1] == (
        "1 s of sound: 32 columns, 32 ms apart; a window covers 128 ms, and the next overlaps it by 75%; 1,025 bins, "
        "7.81 Hz apart. The two tones, 40 Hz or 5.12 bins apart, are separated. The two clicks, 20 ms or 0.156 windows "
        "and 0.625 hops apart, are not separated. A Hann window separates tones two bins apart, 15.6 Hz, and clicks "
        "half a window apart, 64 ms, if a column falls between them."
    )
    text = window_and_hop.draw(window=512, hop=128)[1]
    assert "40 Hz or 1.28 bins apart, are not separated. The two clicks" in text
    assert "0.625 windows and 2.5 hops apart, are separated." in text
    given = window_and_hop.draw(np.zeros(4000, np.int16), 8000, 256, 256)[1]
    assert given.startswith("0.5 s of sound: 16 columns, 32 ms apart; a window covers 32 ms, and the next overlaps it "
                            "by 0%; 129 bins, 31.2 Hz apart. A Hann window")  # fmt: skip


def test_tensors_and_integers_are_the_same_sound():
    import torch

    sound = np.arange(-500, 500, dtype=np.int16)
    whole = window_and_hop.spectrogram(sound, 8000, 128, 64)[2]
    for same in (torch.from_numpy(sound), torch.from_numpy(sound).float().requires_grad_(), sound.tolist()):
        assert np.array_equal(window_and_hop.spectrogram(same, 8000, 128, 64)[2], whole)


def test_a_sound_that_may_not_be_written_to_is_left_alone():
    sound = np.ones(1000, np.float32)
    sound.setflags(write=False)
    window_and_hop.spectrogram(sound, 8000, 128, 64)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sound": np.zeros((1, 100))}, r"sound has shape \(1, 100\); give one channel"),
        ({"sound": []}, r"sound has shape \(0,\)"),
        ({"sound": [0.0, np.nan, np.inf]}, "2 of 3 samples are nan or infinite"),
        ({"rate": 0}, "rate=0, window=2048"),
        ({"window": 1, "hop": 1}, "window=1; .* at least 2 samples"),
        ({"hop": 4096}, "hop=4096 with window=2048; a hop has 1 to 2048 samples"),
        ({"hop": 0}, "hop=0"),
        ({"sound": np.zeros(160_000), "window": 8192, "hop": 8}, "20,001 columns of 4,097 bins; at most 20,000,000"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(CourseError, match=message):
        window_and_hop.draw(**wrong)


def test_the_picture_shows_the_frames_and_their_columns():
    fig, _ = window_and_hop.draw(window=1024, hop=256)
    above, clicks, below, tones = fig.axes[:4]
    frames = [path.vertices for bump in above.collections for path in bump.get_paths()]
    assert len(frames) == 5
    for left, right in pairwise(frames):
        assert np.ptp(left[:, 0]) == pytest.approx(0.064)
        assert right[:, 0].mean() - left[:, 0].mean() == pytest.approx(0.016, abs=1e-3)
    middles = [(path[:, 0].max() + path[:, 0].min()) / 2 for path in frames]
    assert [line.get_xdata()[0] for line in below.lines] == pytest.approx(middles)
    image = below.images[0]
    left, right, low, high = image.get_extent()
    columns = image.get_array().shape[1]
    assert (right - left) / columns == pytest.approx(0.016) and left == pytest.approx(-0.008)
    assert (high - low) / image.get_array().shape[0] == pytest.approx(15.625)
    assert image.get_array().max() == 0
    assert clicks.get_title(loc="left") == "clicks (ms): as one"
    assert tones.get_title(loc="left") == "tones (Hz): apart"


def test_the_loudest_row_of_a_tone_lies_at_its_frequency():
    time = np.arange(8000) / 8000
    fig, _ = window_and_hop.draw(np.sin(2 * np.pi * 1000 * time), 8000, 512, 128)
    assert len(fig.axes) == 3 and fig.axes[1].get_ylim() == (0, 4000)
    image = fig.axes[1].images[0]
    _, _, low, high = image.get_extent()
    rows = image.get_array()
    assert low + (rows.mean(axis=1).argmax() + 0.5) * (high - low) / len(rows) == pytest.approx(1000, abs=8)


def test_a_line_thinner_than_a_pixel_is_still_there():
    power = np.zeros((1000, 1500), np.float32)
    power[777, :] = 1
    power[:, 1499] = 2
    pooled, tall, wide = window_and_hop._pooled(power)
    assert (tall, wide) == (5, 3) and pooled.shape == (200, 500)
    assert pooled[777 // 5].tolist() == [1] * 499 + [2] and pooled[0].tolist() == [0] * 499 + [2]


@pytest.mark.parametrize(("window", "hop"), EVERY[::3])
def test_everything_draws_and_is_legible(window, hop):
    fig, _ = window_and_hop.draw(window=window, hop=hop)
    assert not clashes(fig)
    assert picture.png(fig)


@pytest.mark.parametrize("sound", [np.zeros(100), np.ones(1), np.sin(np.arange(50_000))], ids=len)
def test_any_sound_draws(sound):
    fig, _ = window_and_hop.draw(sound, 22_050, 512, 512, top=3000)
    assert not clashes(fig)
    assert fig.axes[1].get_ylim() == (0, 3000)


def test_the_explorer_moves_and_the_plain_function_says_the_same(capsys):
    pytest.importorskip("ipywidgets")
    explorer = explorers.window_and_hop()
    assert repr(explorer) == "<explorer: window and hop>"
    assert explorer.sentence == window_and_hop.draw()[1]
    before = explorer.image.value
    explorer.set(window=512, hop=64)
    assert explorer.image.value != before
    window_and_hop.window_and_hop(window=512, hop=64)
    assert explorer.sentence in capsys.readouterr().out
    explorer.set(hop=1024)
    assert explorer.sentence.startswith("CourseError: window_and_hop: hop=1024 with window=512")


def test_the_explorer_takes_a_sound_and_odd_settings():
    pytest.importorskip("ipywidgets")
    sound = np.sin(np.arange(3000))
    explorer = explorers.window_and_hop(sound, 8000, 400, 160, 2000)
    assert explorer.sentence == window_and_hop.draw(sound, 8000, 400, 160)[1]
    explorer.set(window=1024)
    assert explorer.sentence == window_and_hop.draw(sound, 8000, 1024, 160)[1]


def test_without_ipywidgets_the_picture_is_shown(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert explorers.window_and_hop() is None
    out, err = capsys.readouterr()
    assert window_and_hop.draw()[1] in out and "pip install ipywidgets" in err
