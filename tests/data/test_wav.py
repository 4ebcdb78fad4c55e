"""WAV files as three other programs write them: their numbers come back; a file that is none is told apart."""

import struct
import wave

import numpy as np
import pytest
from scipy.io import wavfile

from gpucourse.data import wav
from gpucourse.errors import CourseError

SOUND = (0.7 * np.sin(np.arange(801) / 7)).astype(np.float32)
STEREO = np.stack([SOUND, -0.5 * SOUND], axis=1)


@pytest.mark.parametrize(("subtype", "error"), [
    ("PCM_U8", 1 / 127), ("PCM_16", 2.0**-15), ("PCM_24", 2.0**-23), ("PCM_32", 2.0**-23), ("FLOAT", 0),
    ("DOUBLE", 0)])  # fmt: skip
@pytest.mark.parametrize("sound", [SOUND[:, None], STEREO], ids=["mono", "stereo"])
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
def test_what_libsndfile_writes(subtype, error, sound, form, tmp_path):
    """WAVEX is WAVE_FORMAT_EXTENSIBLE; libsndfile adds chunks that are no sound, and reads back what it wrote."""
    soundfile = pytest.importorskip("soundfile")
    path = tmp_path / "x.wav"
    soundfile.write(path, sound, 22050, subtype, format=form)
    found, rate = wav.read(path)
    assert (found.dtype, found.shape, rate) == (np.float32, sound.shape, 22050)
    np.testing.assert_allclose(found, sound, rtol=0, atol=error)
    np.testing.assert_allclose(found, soundfile.read(path, dtype="float32", always_2d=True)[0], rtol=0, atol=1e-7)


@pytest.mark.parametrize("numbers", [
    np.array([0, 128, 255], np.uint8), np.array([-(2**15), 0, 2**15 - 1], np.int16),
    np.array([-(2**31), 0, 2**30], np.int32), np.array([-1, 0.25, 1], np.float32), np.array([-1, 0.25, 1])])
def test_what_scipy_writes(numbers, tmp_path):
    path = tmp_path / "x.wav"
    wavfile.write(path, 8000, numbers)
    due = {"u": (numbers - 128.0) / 128, "i": numbers / 2.0 ** (8 * numbers.itemsize - 1), "f": numbers}
    np.testing.assert_allclose(wav.read(path)[0][:, 0], due[numbers.dtype.kind], atol=1e-7)


def written(path, data=b"\0\0\1\0\2\0", channels=1, bits=16):
    with wave.open(str(path), "wb") as out:
        out.setparams((channels, bits // 8, 16000, 0, "NONE", ""))
        out.writeframes(data)
    return path


def test_24_bits_of_the_standard_library(tmp_path):
    values = [-(2**23), -1, 0, 1, 2**23 - 1]
    data = b"".join(value.to_bytes(3, "little", signed=True) for value in values)
    found, _ = wav.read(written(tmp_path / "x.wav", data, bits=24))
    np.testing.assert_array_equal(found[:, 0] * 2**23, values)


def test_other_parts_are_passed_over_and_odd_ones_padded(tmp_path):
    path = written(tmp_path / "x.wav")
    content = path.read_bytes()
    path.write_bytes(content[:12] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + content[12:])
    assert (wav.read(path)[0][:, 0] * 2**15).tolist() == [0, 1, 2]


@pytest.mark.parametrize("length", [0xFFFFFFFF, 7, 5])
def test_a_length_that_is_wrong_gives_the_whole_samples_that_are_there(length, tmp_path):
    path = written(tmp_path / "x.wav")
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, 40, length)           # a stream's length; a file cut off; an odd number of bytes
    path.write_bytes(content)
    assert (wav.read(path)[0][:, 0] * 2**15).tolist() == [0, 1, 2][: length // 2]


def spoiled(path, at, form, *numbers):
    content = bytearray(written(path).read_bytes())
    struct.pack_into(form, content, at, *numbers)
    path.write_bytes(content)


@pytest.mark.parametrize(("make", "words"), [
    (lambda path: None, "cannot be read"),
    (lambda path: path.write_bytes(b""), "the file is empty, 0 bytes"),
    (lambda path: path.write_bytes(b"ID3\4" * 9), r"not a WAV file: it begins with b'ID3.*ffmpeg"),
    (lambda path: path.write_bytes(b"RIFX\0\0\0\0WAVE"), "not a WAV file"),
    (lambda path: path.write_bytes(b"RIFF"), "not a WAV file"),
    (lambda path: path.write_bytes(written(path).read_bytes()[:36]), "without its part that holds the sound"),
    (lambda path: path.write_bytes(b"RIFF\0\0\0\0WAVEdata\2\0\0\0\0\0"), "without its part that holds the format"),
    (lambda path: written(path, b""), "holds no sample"),
    (lambda path: spoiled(path, 20, "<H", 7), "mu-law of 16 bits, 1 channels, 16,000 samples"),
    (lambda path: spoiled(path, 20, "<H", 99), "format 99 of 16 bits"),
    (lambda path: spoiled(path, 34, "<H", 12), "whole numbers of 12 bits"),
    (lambda path: spoiled(path, 22, "<H", 0), "0 channels"),
    (lambda path: spoiled(path, 24, "<I", 0), "0 samples a second"),
])  # fmt: skip
def test_what_cannot_be_read_is_said(make, words, tmp_path):
    path = tmp_path / "clip.wav"
    make(path)
    with pytest.raises(CourseError, match=rf"(?s)clip\.wav: .*{words}"):
        wav.read(path)
