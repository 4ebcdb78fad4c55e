"""Players: the file is read back by SciPy, the words are there, the samples stand between the marks."""

import base64
import io
import re

import numpy as np
import pytest

from gpucourse.errors import CourseError
from gpucourse.viz import listen

wavfile = pytest.importorskip("scipy.io.wavfile")
TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16_000)


def test_the_file_is_the_sound_in_16_bits():
    rate, samples = wavfile.read(io.BytesIO(listen.wav(TONE)))
    assert (rate, samples.dtype, samples.shape) == (16_000, np.int16, (8000,))
    np.testing.assert_allclose(samples / 32767, TONE, atol=1 / 32767)


def test_a_tensor_is_cut_and_does_not_wrap():
    torch = pytest.importorskip("torch")
    sound = torch.full((100_000,), 1.5, requires_grad=True)
    rate, samples = wavfile.read(io.BytesIO(listen.wav(sound, rate=8_000, seconds=2)))
    assert (rate, len(samples), samples.min()) == (8_000, 16_000, 32767)


def test_each_player_has_its_words_and_its_file():
    shown = listen.sounds({"a tone": TONE, "<b> & silence": 0 * TONE})
    assert repr(shown) == "sound: a tone\nsound: <b> & silence"
    page = shown._repr_html_()
    assert "&lt;b&gt; &amp; silence" in page
    files = [base64.b64decode(found) for found in re.findall(r"base64,([^\"]+)\"", page)]
    assert files == [listen.wav(TONE), listen.wav(0 * TONE)]
    assert "autoplay" not in page


def test_nothing_but_the_words_is_compared():
    rule = re.compile("\u27e8[^\u27e9]*\u27e9")       # as in tests/nbval_sanitize.cfg
    one, other = (listen.sounds({"a tone": TONE * factor})._repr_html_() for factor in (1, 0.5))
    assert one != other
    assert rule.sub("MACHINE", one) == rule.sub("MACHINE", other)
    assert "a tone" in rule.sub("MACHINE", one)


@pytest.mark.parametrize(
    ("clips", "words"),
    [({}, "nothing to hear"), ({"two": np.zeros((2, 9))}, "shape"), ({"none": np.zeros(0)}, "shape"),
     ({"nan": np.array([0.0, np.nan])}, "infinite or nan")],
)  # fmt: skip
def test_what_cannot_be_heard(clips, words):
    with pytest.raises(CourseError, match=words):
        listen.sounds(clips)
