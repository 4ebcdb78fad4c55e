"""Tunes with key and tempo: Aird's Airs (Glasgow, 1782 to 1803) as music21 brings them, parsed once and kept.

James Aird's six books hold marches, jigs, reels and slow airs; Jack Campin transcribed them in ABC notation, with a
tempo for nearly all. The scores belong to music21's corpus and are read from there: nothing of them is stored here.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from gpucourse.errors import CourseError, MissingPackage
from gpucourse.whole_file import replacing

COUNT = 300      # of about 1,100: parsing takes some 0.02 s each
INTERVALS = 10   # of its beginning, by which a melody is known: no two tunes of the lesson agree in 7 and not in 20
_MINOR = re.compile(r"[A-G][#b]?\s*(m\b|min|dor|aeo|phr)", re.IGNORECASE)   # modes whose third is minor
_TEMPO = re.compile(r"(\d+)/(\d+)\s*=\s*(\d+)")


@dataclass(frozen=True, repr=False)
class Tune:
    """A tune: its notes, float32 of shape (n, 3), each row (beat at which it begins, beats, MIDI pitch).

    A quarter note is one beat. `tempo` is in quarter notes a minute, `minor` whether its third is minor, `abc` its
    notation.
    """

    number: int
    title: str
    key: str
    minor: bool
    tempo: float
    notes: NDArray[np.float32]
    abc: str

    def __repr__(self) -> str:
        return f"{self.title} ({self.key}, {self.tempo:g} quarter notes a minute, {len(self.notes)} notes)"


def scores(folder: Path | str | None = None) -> list[str]:
    """Return the ABC notation of all tunes that have a key and a tempo, in the books' order.

    Raises MissingPackage without music21.
    """
    books = Path(folder or _corpus()) / "airdsAirs"
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(books.glob("*.abc"))]
    parts = (part.strip() for text in texts for part in re.split(r"\n\s*(?=X:)", text))
    return [part for part in parts if part.startswith("X:") and _field(part, "K") and tempo_of(part)]


def tempo_of(abc: str) -> float:
    """Return quarter notes a minute, from a line such as Q:3/8=120 (three eighths are 1.5 quarters); or 0."""
    found = _TEMPO.search(_field(abc, "Q"))
    return 4 * int(found[1]) / int(found[2]) * int(found[3]) if found else 0.0


def tunes(
    count: int = COUNT, folder: Path | str | None = None, progress: bool = True, balanced: bool = False
) -> list[Tune]:
    """Return `count` tunes, spread evenly over the books and in their order; fewer if there are fewer.

    `balanced`: half of them are minor (about one in seven is, of all). They are parsed by music21 once, which takes
    some 0.02 s each, and kept in `folder` (default: ~/.cache/gpucourse).
    Raises MissingPackage without music21, CourseError for a count below 1, or below 2 if balanced.
    """
    if count < 1 + balanced:
        raise CourseError(f"tunes: count {count}; it must be at least {1 + balanced}")
    name = f"tunes-{_version()}-{count}{'-balanced' * balanced}.npz"
    kept = Path(folder or Path.home() / ".cache" / "gpucourse") / name
    if not kept.exists():
        texts = scores()
        chosen = _balanced(texts, count) if balanced else _spread(np.arange(len(texts)), count)
        bar = tqdm(chosen.tolist(), "parsing tunes", disable=not progress, unit="tune")
        _write(kept, list(_parsed(texts[k] for k in bar)))
    return _read(kept)


def _spread(places: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """`count` of the places, as far apart as they can be; all, if there are fewer."""
    return places[np.unique(np.linspace(0, len(places) - 1, min(count, len(places))).round().astype(int))]


def _balanced(texts: list[str], count: int) -> NDArray[np.int64]:
    """Places of `count` tunes, half of them minor."""
    minor = np.array([bool(_MINOR.match(_field(abc, "K"))) for abc in texts])
    sizes = {True: count // 2, False: -(-count // 2)}
    return np.sort(np.concatenate([_spread(np.flatnonzero(minor == kind), size) for kind, size in sizes.items()]))


def melodies(found: Sequence[Tune]) -> NDArray[np.int64]:
    """Return the number of each tune's melody: tunes whose first ten intervals agree have the same, in whatever key.

    The books hold some tunes twice: in another key, for another instrument, under another spelling or name.
    """
    starts = [tuple(np.diff(tune.notes[np.argsort(tune.notes[:, 0], kind="stable"), 2])[:INTERVALS]) for tune in found]
    numbers = {start: k for k, start in enumerate(dict.fromkeys(starts))}
    return np.array([numbers[start] for start in starts])


def folds(found: Sequence[Tune], count: int, seed: int = 0) -> NDArray[np.int64]:
    """Return the fold of each tune, 0 to count - 1: melodies are shuffled, then dealt out, the minor ones first.

    Tunes of one melody come into one fold. Apart from that, two folds differ by at most one minor and one major tune.
    A clip goes where its tune goes. Raises CourseError for fewer than two folds, or more than there are tunes.
    """
    if not 2 <= count <= len(found):
        raise CourseError(f"folds: {count} folds of {len(found)} tunes; there must be 2 to {len(found)}")
    melody, rng = melodies(found), np.random.default_rng(seed)
    minor = np.array([found[np.flatnonzero(melody == k)[0]].minor for k in range(melody.max() + 1)])
    sizes, fold = np.bincount(melody), np.empty(len(found), np.int64)
    for kind in (True, False):
        filled = np.zeros(count, int)
        shuffled = rng.permutation(np.flatnonzero(minor == kind))
        for k in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:     # pairs first: single tunes fill the gaps
            fold[melody == k] = filled.argmin()
            filled[filled.argmin()] += sizes[k]
    return fold


def _parsed(texts: Iterable[str]) -> Iterator[Tune]:
    """Parse; a tune that music21 cannot read, or without eight notes, is left out."""
    from music21 import converter
    from music21.exceptions21 import Music21Exception

    for abc in texts:
        try:
            with warnings.catch_warnings(), _without_beams():
                warnings.simplefilter("ignore")
                score = converter.parse(abc, format="abc")
        except (Music21Exception, ValueError, IndexError, AttributeError):
            continue
        notes = _notes(score)
        if len(notes) >= 8:
            key = _field(abc, "K")
            yield Tune(int(_field(abc, "X")), _field(abc, "T"), key, bool(_MINOR.match(key)), tempo_of(abc), notes, abc)


@contextmanager
def _without_beams() -> Iterator[None]:
    """Let music21 draw no beams meanwhile: they take two thirds of a parse, and no note changes with them."""
    stream = _music21().stream.Stream
    beams = stream.makeBeams
    stream.makeBeams = lambda self, *_, **__: None
    try:
        yield
    finally:
        stream.makeBeams = beams


def _notes(score: Any) -> NDArray[np.float32]:
    rows = [(float(note.offset), float(note.quarterLength), pitch.midi)
            for note in score.flatten().notes for pitch in note.pitches if note.quarterLength > 0]  # fmt: skip
    return np.array(rows, np.float32).reshape(-1, 3)


def _write(path: Path, found: list[Tune]) -> None:
    """Keep tunes: the notes of all in one array, the rest as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ("number", "title", "key", "minor", "tempo", "abc")
    facts = [{name: getattr(tune, name) for name in names} for tune in found]
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, notes=np.concatenate([tune.notes for tune in found]),
                            lengths=[len(tune.notes) for tune in found], facts=np.array(json.dumps(facts)))  # fmt: skip


def _read(path: Path) -> list[Tune]:
    with np.load(path) as stored:
        ends = np.cumsum(stored["lengths"])
        parts = np.split(stored["notes"], ends[:-1])
        facts = json.loads(str(stored["facts"]))
    return [Tune(notes=notes, **fact) for notes, fact in zip(parts, facts, strict=True)]


def _field(abc: str, letter: str) -> str:
    """The first line of a field, such as K:, without its comment."""
    found = re.search(rf"^{letter}:\s*([^%\n]*)", abc, re.MULTILINE)
    return found[1].strip() if found else ""


def _version() -> str:
    return str(_music21().__version__)


def _corpus() -> Path:
    return Path(str(_music21().__file__)).parent / "corpus"


def _music21() -> Any:
    try:
        import music21
    except ImportError as error:
        raise MissingPackage(f"the tunes come with music21, which cannot be imported ({error}). "
                             "Install it: python -m pip install music21") from None  # fmt: skip
    return music21
