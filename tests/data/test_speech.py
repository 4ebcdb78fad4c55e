"""Speech corpora in their own layouts: what a file's name says, the sound, and a split that shares no speaker."""

import wave
from pathlib import Path

import numpy as np
import pytest
from scipy import signal
from scipy.io import wavfile

torch = pytest.importorskip("torch")

from gpucourse.data import speech  # noqa: E402
from gpucourse.errors import CourseError  # noqa: E402


def sound(path, seconds=0.1, rate=16000):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, rate, 0, "NONE", ""))
        out.writeframes((np.arange(round(seconds * rate)) % 100).astype("<i2").tobytes())
    return path


def corpus(folder, names):
    for name in names:
        sound(folder / name)
    return folder


EMODB = ("wav/03a01Fa.wav", "wav/03a01Wb.wav", "wav/16b10Lb.wav", "wav/08a02Ac.wav", "wav/08a02Ea.wav",
         "wav/09a07Ta.wav", "wav/10a04Nd.wav")  # fmt: skip
RAVDESS = ("Actor_01/03-01-06-01-02-01-12.wav", "Actor_24/03-02-04-02-01-02-24.wav", *(
    f"Actor_02/03-01-0{k}-01-01-01-02.wav" for k in range(1, 9)))  # fmt: skip


def test_emodb_by_its_documentation(tmp_path):
    clips = speech.emodb(corpus(tmp_path, EMODB))
    assert [(c.path.name, c.emotion, c.speaker, c.text) for c in clips] == [
        ("03a01Fa.wav", "happiness", "03", "a01"), ("03a01Wb.wav", "anger", "03", "a01"),
        ("08a02Ac.wav", "fear", "08", "a02"), ("08a02Ea.wav", "disgust", "08", "a02"),
        ("09a07Ta.wav", "sadness", "09", "a07"), ("10a04Nd.wav", "neutral", "10", "a04"),
        ("16b10Lb.wav", "boredom", "16", "b10")]  # fmt: skip
    assert not any(c.sung for c in clips) and clips[0].path.exists()


def test_ravdess_by_its_documentation(tmp_path):
    clips = {c.path.stem: c for c in speech.ravdess(corpus(tmp_path, RAVDESS))}
    assert len(clips) == 10
    dogs, song = clips["03-01-06-01-02-01-12"], clips["03-02-04-02-01-02-24"]
    assert (dogs.emotion, dogs.speaker, dogs.text, dogs.sung) == ("fear", "12", "02", False)
    assert (song.emotion, song.speaker, song.text, song.sung) == ("sadness", "24", "01", True)
    assert [clips[f"03-01-0{k}-01-01-01-02"].emotion for k in range(1, 9)] == [
        "neutral", "calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise"]


def test_folders_one_deeper_capitals_a_second_copy_and_a_macs_shadows(tmp_path):
    folder = tmp_path / "Audio_Speech_Actors_01-24"
    corpus(folder, RAVDESS[:2])
    corpus(folder / "again", RAVDESS[:2])
    (folder / "Actor_01" / "03-01-06-01-02-01-12.wav").rename(folder / "Actor_01" / "03-01-06-01-02-01-12.WAV")
    corpus(tmp_path / "__MACOSX", ["Actor_01/._03-01-06-01-02-01-12.wav"])
    clips = speech.ravdess(tmp_path)
    assert [c.speaker for c in clips] == ["12", "24"]
    assert clips[0].path.parent.parent == folder                  # the first of the copies
    assert len(speech.emodb(corpus(tmp_path / "download" / "EmoDB", EMODB).parent)) == len(EMODB)


def test_the_home_folder_may_be_written_short(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    corpus(tmp_path / "speech", EMODB)
    assert len(speech.emodb("~/speech")) == len(EMODB)


def test_files_of_other_names_are_left_out_and_said(tmp_path):
    corpus(tmp_path, (*EMODB, "wav/03a01Xa.wav", "wav/notes.wav"))
    with pytest.warns(UserWarning, match=r"2 of 9 WAV files .* 03a01Xa.wav; they are left out"):
        assert len(speech.emodb(tmp_path)) == len(EMODB)


@pytest.mark.parametrize(("make", "words"), [
    (lambda folder: None, "does not exist. It should hold files such as wav/03a01Fa.wav"),
    (lambda folder: folder.write_bytes(b"PK"), "is a file: unpack it"),
    (lambda folder: folder.mkdir(), "no WAV file in .*; it is empty"),
    (lambda folder: corpus(folder, ["a.mp3", "b.txt", "c.txt", "d.txt"]), "it holds a.mp3, b.txt, c.txt and more"),
    (lambda folder: corpus(folder, ["x/one.wav", "x/two.wav"]),
     r"none of the 2 WAV files .* named as wav/03a01Fa.wav .*; the first is one.wav$"),
    (lambda folder: corpus(folder, RAVDESS), r"the layout of speech.ravdess\(folder\)"),
])  # fmt: skip
def test_what_is_no_such_corpus_is_said(make, words, tmp_path):
    folder = tmp_path / "corpus"
    make(folder)
    with pytest.raises(CourseError, match=f"(?s)^emodb: .*{words}"):
        speech.emodb(folder)


# --- the sound ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [16000, 48000, 44100])
def test_a_clip_has_the_rate_and_the_length_that_are_asked_for(rate, tmp_path):
    x = np.random.default_rng(0).uniform(-0.9, 0.9, (rate * 2, 2)).astype(np.float32)
    wavfile.write(tmp_path / "03a01Fa.wav", rate, x)
    due = signal.resample_poly(x.mean(axis=1), 16000, rate)
    (clip,) = speech.emodb(tmp_path)
    long, short = speech.load(clip), speech.load(clip, seconds=0.5)
    assert long.shape == (48000,) and short.shape == (8000,) and long.dtype == torch.float32
    np.testing.assert_allclose(long[:32000], due, atol=1e-5)
    np.testing.assert_allclose(short, due[:8000], atol=1e-5)
    assert not long[32000:].any()
    assert speech.load(tmp_path / "03a01Fa.wav", rate=8000, seconds=1).shape == (8000,)


def test_clips_can_be_stacked_and_written_to(tmp_path):
    clips = speech.emodb(corpus(tmp_path, EMODB))
    batch = torch.stack([speech.load(clip, seconds=0.2) for clip in clips])
    assert batch.shape == (7, 3200)
    speech.load(clips[0], seconds=0.1).mul_(2)


def test_an_empty_file_names_itself(tmp_path):
    corpus(tmp_path, EMODB)
    (tmp_path / EMODB[0]).write_bytes(b"")
    with pytest.raises(CourseError, match=r"03a01Fa.wav: the file is empty"):
        speech.load(speech.emodb(tmp_path)[0])


def test_no_length_is_refused(tmp_path):
    with pytest.raises(CourseError, match="0 s of 16,000"):
        speech.load(sound(tmp_path / "x.wav"), seconds=0)


# --- the split ---------------------------------------------------------------------------------------------


def spoken_by(*speakers):
    return [speech.Clip(Path(f"{k}.wav"), "anger", speaker, "a01") for k, speaker in enumerate(speakers)]


@pytest.mark.parametrize("seed", range(5))
def test_no_speaker_is_on_both_sides_and_no_clip_is_lost(seed):
    clips = spoken_by(*"abcdefgh" * 3, *"a" * 50)
    train, test = speech.split_by_speaker(clips, seed=seed)
    sides = [{clip.speaker for clip in side} for side in (train, test)]
    assert not sides[0] & sides[1] and len(sides[1]) == 2
    assert sorted(train + test, key=lambda c: int(c.path.stem)) == clips


def test_the_seed_decides_and_nothing_else():
    clips = spoken_by(*"abcdefgh")
    chosen = {seed: {c.speaker for c in speech.split_by_speaker(clips, seed=seed)[1]} for seed in range(6)}
    assert chosen[3] == {c.speaker for c in speech.split_by_speaker(clips[::-1], seed=3)[1]}
    assert (chosen[0], chosen[1], chosen[2]) == ({"g", "h"}, {"c", "e"}, {"a", "h"})     # on every machine


@pytest.mark.parametrize(("share", "count"), [(0.01, 1), (0.5, 2), (0.99, 3)])
def test_each_side_has_a_speaker(share, count):
    _, test = speech.split_by_speaker(spoken_by(*"abcd"), share)
    assert len({c.speaker for c in test}) == count


@pytest.mark.parametrize(("speakers", "share", "words"), [("aaa", 0.5, "1 speakers"), ("", 0.5, "0 speakers"),
                                                          ("ab", 0, "0 of them"), ("ab", 1.0, "1.0 of them")])
def test_what_cannot_be_split(speakers, share, words):
    with pytest.raises(CourseError, match=words):
        speech.split_by_speaker(spoken_by(*speakers), share)
