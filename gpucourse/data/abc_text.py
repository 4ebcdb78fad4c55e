"""ABC notation as plain text: a score without titles and ornaments, its notes, and whether its bars are full.

Enough for tunes such as Aird's: one voice, notes, rests, dotted pairs and bars; triplets and repeats are not played.
The notation is described at https://abcnotation.com/wiki/abc:standard.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from gpucourse.errors import CourseError

PITCHES = dict(zip("CDEFGABcdefgab", (60, 62, 64, 65, 67, 69, 71, 72, 74, 76, 77, 79, 81, 83), strict=True))
SHARPS = {"C": "", "G": "F", "D": "FC", "A": "FCG"}      # major keys, and what they raise
EIGHTH = 0.5    # quarters: the unit of length
_NOTE = re.compile(r"([_=^]?)([A-Ga-gz])([,']*)(\d*)(/*)(\d*)([<>]?)")
_NOT_KEPT = re.compile(r'\{.*?\}|".*?"|!.*?!|%.*|\\\n|\[\d|\((?!3)|[^A-Ga-gz0-9/<>|:,\'^=_( \n]')
_LONGER, _SHORTER = {">": 1.5, "<": 0.5, "": 1.0}, {">": 0.5, "<": 1.5, "": 1.0}    # of a pair: its first, its second


def field(abc: str, letter: str) -> str:
    """Return the first line of a field, such as K, without its comment. Raises CourseError where there is none."""
    found = re.search(rf"^{letter}:\s*([^%\n]*)", abc, re.MULTILINE)
    if not found:
        raise CourseError(f"abc: there is no line {letter}: in {abc[:40]!r}")
    return found[1].strip()


def plain(abc: str) -> str:
    """Return meter, key, and the lines of notes and bars; a blank line ends the tune."""
    body = "\n".join(line for line in abc.split("\n") if not re.match(r"[A-Za-z]:|%", line))
    body = re.sub(r" *\n\s*", "\n", re.sub(" +", " ", _NOT_KEPT.sub("", body))).strip()
    return f"M:{field(abc, 'M')}\nK:{field(abc, 'K')}\n{body}\n\n"


def read(body: str, sharps: str = "") -> NDArray[np.float32]:
    """Return rows (beat at which it begins, beats, MIDI pitch or 0 for a rest), (n, 3); a quarter note is a beat.

    `sharps`: the letters that the key raises. Lengths are in eighths, as the lines of notes have them.
    """
    rows, beat, dotted = [], 0.0, 1.0
    for sign, letter, octave, number, slash, divisor, pair in _NOTE.findall(body):
        beats = EIGHTH * int(number or 1) / ((int(divisor or 2) or 1) ** len(slash)) * dotted * _LONGER[pair]
        shift = {"^": 1, "_": -1, "=": 0, "": int(letter.upper() in sharps)}[sign]
        octaves = octave.count("'") - octave.count(",")
        rows.append((beat, beats, PITCHES[letter] + shift + 12 * octaves if letter != "z" else 0))
        beat, dotted = beat + beats, _SHORTER[pair]
    return np.array(rows, dtype=np.float32).reshape(-1, 3)


def notes_of(tune: str) -> NDArray[np.float32]:
    """Return the notes of the first plain tune of a text, as rows of `read`, without rests."""
    _, _, body = tune.split("\n\n")[0].partition("\nK:")
    key, _, lines = body.partition("\n")
    rows = read(lines, SHARPS.get(key.strip(), ""))
    return rows[(rows[:, 1] > 0) & (rows[:, 2] > 0)]


def full_bars(text: str) -> float:
    """Return the share of bars in plain tunes that are as long as the meter says."""
    full = []
    for tune in text.split("\n\n"):
        meter, lines = re.match(r"M:(\d+)/([1-9]\d*)\n", tune), tune.split("\n")[2:]
        due = 4 * int(meter[1]) / int(meter[2]) if meter else 4       # M:C is four quarters
        bars = re.split(r"[|:]+", "".join(lines))
        full += [abs(float(read(bar)[:, 1].sum()) - due) < 0.01 for bar in bars if _NOTE.search(bar)]
    if not full:
        raise CourseError("abc: there is no bar in this text")
    return float(np.mean(full))
