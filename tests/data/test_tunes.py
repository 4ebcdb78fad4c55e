"""Tunes: read by eye in the printed notation, kept and read again, tempo and mode from their lines."""

import dataclasses
from contextlib import nullcontext

import numpy as np
import pytest

from gpucourse.data import tunes
from gpucourse.errors import CourseError, MissingPackage

pytest.importorskip("music21")


@pytest.fixture(scope="module")
def some(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tunes")
    return tunes.tunes(12, folder, progress=False), folder


@pytest.mark.parametrize(
    ("line", "due"),
    [("Q:1/4=90", 90), ("Q: 3/8=120", 180), ("Q:1/2=66 % slow", 132), ('Q:1/4=80 "Slow"', 80), ("Q:", 0)],
)
def test_tempo_is_in_quarter_notes(line, due):
    assert tunes.tempo_of(f"X:1\n{line}\nK:G") == due


def test_notes_are_those_of_the_notation():
    (corporal,) = [abc for abc in tunes.scores() if "T:The Corporal." in abc]
    (tune,) = tunes._parsed([corporal])
    # B|cAAc|edeg| in A mixolydian (two sharps): eighths; B, c sharp, A, A, c sharp, e, d, e, g natural
    assert tune.notes[:9].tolist() == [[k / 2, 0.5, p] for k, p in enumerate([71, 73, 69, 69, 73, 76, 74, 76, 79])]
    assert (tune.title, tune.key, tune.minor, tune.tempo) == ("The Corporal.", "A Mixolydian", False, 132)


def test_without_beams_the_notes_are_the_same(monkeypatch):
    from music21.stream import Stream

    texts, beams = tunes.scores()[::150], Stream.makeBeams
    with tunes._without_beams():
        assert Stream.makeBeams is not beams
    without = list(tunes._parsed(texts))
    assert Stream.makeBeams is beams
    monkeypatch.setattr(tunes, "_without_beams", nullcontext)
    for one, other in zip(without, tunes._parsed(texts), strict=True):
        np.testing.assert_array_equal(one.notes, other.notes)


def test_what_is_kept_is_what_was_parsed(some):
    found, folder = some
    again = tunes.tunes(12, folder, progress=False)
    assert len(found) == len(again) >= 10
    for one, other in zip(found, again, strict=True):
        assert (one.title, one.tempo, one.abc) == (other.title, other.tempo, other.abc)
        np.testing.assert_array_equal(one.notes, other.notes)


def test_there_are_enough_of_both_modes_and_of_all_tempos():
    texts = tunes.scores()
    assert len(texts) > 1100
    minor = sum(bool(tunes._MINOR.match(tunes._field(abc, "K"))) for abc in texts)
    assert 140 < minor < 200
    slow, fast = (np.quantile([tunes.tempo_of(abc) for abc in texts], q) for q in (1 / 3, 2 / 3))
    assert slow <= 120 < 170 < fast


@pytest.mark.parametrize(
    ("key", "minor"),
    [("Em", True), ("E Minor", True), ("A Dorian", True), ("EMin", True), ("F#m", True), ("D", False),
     ("D Major", False), ("A Mixolydian", False), ("G Lydian", False), ("Bb", False)],
)  # fmt: skip
def test_minor_is_a_minor_third(key, minor):
    assert bool(tunes._MINOR.match(key)) == minor


def test_without_music21(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "music21", None)
    with pytest.raises(MissingPackage, match="pip install music21"):
        tunes.tunes(3, tmp_path)


def test_no_tune_at_all(tmp_path):
    with pytest.raises(CourseError, match="count 0"):
        tunes.tunes(0, tmp_path)


def test_a_balanced_choice_is_half_minor_and_spread(tmp_path):
    found = tunes.tunes(13, tmp_path, progress=False, balanced=True)
    texts = tunes.scores()
    assert (len(found), sum(tune.minor for tune in found)) == (13, 6)
    places = [texts.index(tune.abc) for tune in found]
    assert places == sorted(set(places))
    assert places[0] < 100 and places[-1] > len(texts) - 100
    assert tunes.tunes(13, tmp_path, progress=False, balanced=True)[5].abc == found[5].abc


def test_one_tune_cannot_be_balanced(tmp_path):
    with pytest.raises(CourseError, match="count 1; it must be at least 2"):
        tunes.tunes(1, tmp_path, balanced=True)


def test_folds_spread_both_modes(some):
    found = [_sung(some[0][0], [k, 2 * k, *range(12)], minor=k % 3 == 0) for k in range(29)]
    minor = np.array([tune.minor for tune in found])
    fold = tunes.folds(found, 4, seed=3)
    for chosen in (minor, ~minor):
        counts = np.bincount(fold[chosen], minlength=4)
        assert counts.max() - counts.min() <= 1
    assert not np.array_equal(fold, tunes.folds(found, 4, seed=4))
    assert np.array_equal(fold, tunes.folds(found, 4, seed=3))


def _sung(tune, pitches, minor=False, up=0):
    """The tune with other notes, one a beat."""
    notes = np.array([[k, 1, pitch + up] for k, pitch in enumerate(pitches)], np.float32)
    return dataclasses.replace(tune, notes=notes, minor=minor)


def test_a_melody_is_known_in_another_key_and_with_another_end(some):
    tune, low = some[0][0], [60, 62, 64, 60, 62, 64, 65, 67, 69, 67, 65]
    three = [_sung(tune, [*low, 64, 62]), _sung(tune, [*low, 60], up=5), _sung(tune, [*low[:10], 66, 64])]
    assert tunes.melodies(three).tolist() == [0, 0, 1]
    shuffled = dataclasses.replace(three[0], notes=three[0].notes[::-1])        # rows in another order, the same notes
    assert tunes.melodies([three[2], shuffled, three[0]]).tolist() == [0, 1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_tunes_of_one_melody_come_into_one_fold(some, seed):
    found = [_sung(some[0][0], [k, 2 * k, *range(12)], minor=k % 2 == 0) for k in (*range(17), 3, 4, 4, 9)]
    fold = tunes.folds(found, 3, seed)
    assert fold[3] == fold[17] and fold[4] == fold[18] == fold[19] and fold[9] == fold[20]
    minor = np.array([tune.minor for tune in found])
    assert np.ptp(np.bincount(fold[minor])) <= 1 and np.ptp(np.bincount(fold[~minor])) <= 1


def test_the_lessons_tunes_hold_melodies_twice():
    """Johnie's Grey Breeks stands in E minor, and for the German flute in B minor."""
    breeks = [abc for abc in tunes.scores() if "T:Johnie's Grey Breeks" in abc]
    assert len(breeks) == 2
    assert tunes.melodies(list(tunes._parsed(breeks))).tolist() == [0, 0]


@pytest.mark.parametrize("count", [1, 99])
def test_folds_that_cannot_be(some, count):
    with pytest.raises(CourseError, match=f"folds: {count} folds"):
        tunes.folds(some[0], count)
