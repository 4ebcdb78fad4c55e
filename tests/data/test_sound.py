"""Sound and spectra: librosa's and NumPy's numbers; notes have the frequencies and lengths they should have."""


import numpy as np
import pytest

torch = pytest.importorskip("torch")

from gpucourse.data import sound  # noqa: E402
from gpucourse.errors import CourseError  # noqa: E402


def noise(seconds=1.3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(int(seconds * sound.RATE)) / sound.RATE
    return 0.3 * torch.sin(2 * torch.pi * 523.25 * time) + 0.05 * torch.randn(len(time), generator=generator)


@pytest.mark.parametrize(("size", "hop"), [(2048, 512), (1024, 256), (512, 512), (400, 160)])
def test_power_mel_and_chroma_are_librosas(size, hop, librosa):
    x = noise()
    how = {"n_fft": size, "hop_length": hop}
    spectrum = abs(librosa.stft(x.numpy(), **how)) ** 2
    power = sound.power(x, size, hop)
    assert power.shape == spectrum.shape
    np.testing.assert_allclose(power, spectrum, rtol=1e-4, atol=1e-4 * spectrum.max())
    mel = librosa.feature.melspectrogram(y=x.numpy(), sr=sound.RATE, n_mels=40, **how)
    np.testing.assert_allclose(sound.mel(x, 40, size, hop), mel, rtol=1e-4, atol=1e-4 * mel.max())
    np.testing.assert_allclose(sound.decibel(sound.mel(x, 40, size, hop)),
                               librosa.power_to_db(mel, top_db=None), atol=1e-3)  # fmt: skip
    chroma = librosa.feature.chroma_stft(S=spectrum, sr=sound.RATE, tuning=0.0)
    np.testing.assert_allclose(sound.chroma(x, size, hop), chroma, atol=1e-4)


@pytest.mark.parametrize(("bands", "size", "rate"), [(64, 2048, 16000), (128, 2048, 22050), (20, 512, 8000)])
def test_the_filters_are_librosas(bands, size, rate, librosa):
    due = librosa.filters.mel(sr=rate, n_fft=size, n_mels=bands)
    np.testing.assert_allclose(sound.mel_filters(bands, size, rate), due, atol=1e-6)
    np.testing.assert_allclose(sound.chroma_filters(size, rate), librosa.filters.chroma(sr=rate, n_fft=size), atol=1e-5)


def test_a_batch_is_its_rows():
    both = torch.stack([noise(seed=1), noise(seed=2)])
    torch.testing.assert_close(sound.mel(both)[1], sound.mel(both[1]))


@pytest.mark.parametrize(("pitch", "hertz"), [(69, 440), (60, 261.63), (81, 880)])
def test_a_note_has_its_frequency_and_its_class(pitch, hertz):
    x = sound.note(pitch, 1.0)
    strengths = abs(np.fft.rfft(x.numpy()))
    assert len(x) == sound.RATE and strengths.argmax() == pytest.approx(hertz, abs=1)   # bins of 1 Hz
    assert sound.PITCHES[int(sound.chroma(x).mean(dim=1).argmax())] == sound.PITCHES[pitch % 12]


def test_harmonics_that_would_alias_are_left_out():
    high = sound.Timbre(harmonics=(1.0, 1.0, 1.0))       # of 3,520 Hz: 7,040 is below half the rate, 10,560 is not
    strengths = abs(np.fft.rfft(sound.note(105, 1.0, high).numpy()))
    assert strengths[16_000 - 10_560] < 0.01 * strengths[3_520] < strengths[7_040]


def test_rendered_notes_begin_when_they_should():
    x = sound.render(np.array([[1, 1, 60], [3, 1, 64], [9, 1, 67]]), seconds_per_beat=0.25, seconds=1.5)
    loud = x.reshape(-1, 4000).abs().amax(dim=1) > 0.1     # quarters of a second
    assert loud.tolist() == [False, True, False, True, False, False]
    assert x.abs().max() == pytest.approx(0.9) and len(x) == 24_000
    assert not sound.render(np.empty((0, 3)), 0.5, 1.0).any()


def test_a_rendered_tune_is_its_notes_added_one_by_one():
    notes = np.array([[0, 0.5, 62], [0.5, 0.5, 66], [1, 1, 110], [2, 0.5, 62], [2, 3, 66], [7, 1, 62]])
    timbre, due = sound.Timbre(harmonics=(1.0, 0.5, 0.25)), torch.zeros(16_000)     # of 110 one harmonic is left
    for start, beats, pitch in notes[:5]:
        first = round(start * 0.3 * sound.RATE)
        due[first : first + round(beats * 0.3 * sound.RATE)] += sound.note(pitch, beats * 0.3, timbre)[: 16_000 - first]
    torch.testing.assert_close(sound.render(notes, 0.3, 1.0, timbre), due * (0.9 / due.abs().max()))


def test_a_note_is_its_harmonics_in_an_envelope():
    """D above middle C, in NumPy's float64: a tempered fifth below A, 440 Hz."""
    timbre, time = sound.Timbre(harmonics=(1.0, 0.5, 0.25)), np.arange(4800) / sound.RATE
    base = 440 * 2 ** (-7 / 12)
    waves = sum(part * np.sin(2 * np.pi * k * base * time) for k, part in enumerate(timbre.harmonics, 1))
    envelope = np.minimum(time / timbre.attack, 1) * np.exp(-time / timbre.decay)
    due = waves / 1.75 * envelope * np.clip((0.3 - time) / timbre.release, 0, 1)
    np.testing.assert_allclose(sound.note(62, 0.3, timbre), due, atol=1e-4)


def test_a_hop_longer_than_the_frame_would_leave_samples_out():
    with pytest.raises(CourseError, match="hop 600 of frames of 512"):
        sound.frames(noise(), 512, 600)
