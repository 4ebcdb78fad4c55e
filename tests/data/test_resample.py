"""Resampling: SciPy's numbers; a tone keeps its frequency, and one that the new rate cannot hold is gone."""

from math import gcd

import numpy as np
import pytest
from scipy import signal

torch = pytest.importorskip("torch")

from gpucourse.data.resample import resample  # noqa: E402
from gpucourse.errors import CourseError  # noqa: E402


@pytest.mark.parametrize(("rate", "to"), [
    (44100, 16000), (48000, 16000), (22050, 16000), (11025, 16000), (8000, 16000), (16000, 44100), (3, 2)])  # fmt: skip
@pytest.mark.parametrize("samples", [1, 37, 5000])
def test_the_numbers_are_scipys(rate, to, samples):
    x = np.random.default_rng(samples).standard_normal((2, samples))
    due = signal.resample_poly(x, to // gcd(rate, to), rate // gcd(rate, to), axis=-1)
    found = resample(torch.from_numpy(x).float(), rate, to)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, due, rtol=0, atol=1e-5)


def tone(hertz, rate, seconds=1.0):
    return torch.sin(2 * torch.pi * hertz * torch.arange(round(rate * seconds), dtype=torch.float64) / rate).float()


def test_a_tone_keeps_its_frequency_and_what_would_alias_is_gone():
    middle = slice(2000, 14000)            # away from the ends, where silence begins
    kept = resample(tone(1000, 48000), 48000, 16000)
    torch.testing.assert_close(kept[middle], tone(1000, 16000)[middle], atol=2e-3, rtol=0)
    gone = resample(tone(11_000, 48000), 48000, 16000)       # every third sample alone would be a tone of 5,000 Hz
    assert gone[middle].abs().max() < 3e-3 < tone(11_000, 48000)[::3].abs().max()


def test_the_same_rate_changes_nothing():
    x = torch.randn(10)
    assert resample(x, 16000, 16000) is x


@pytest.mark.parametrize(("rate", "to", "words"), [
    (0, 16000, "from 0 to 16,000"), (16000, -1, "at least 1"), (44101, 16000, "16,000 new samples for every 44,101")])
def test_rates_that_it_refuses(rate, to, words):
    with pytest.raises(CourseError, match=words):
        resample(torch.zeros(10), rate, to)
