"""Corpora of emotional speech that a learner points at: EmoDB and RAVDESS, told apart by how their files are named.

Neither comes with the course. EmoDB (Burkhardt and others, 2005): ten speakers, ten German sentences, seven emotions.
RAVDESS (Livingstone and Russo, 2018): 24 actors, two English sentences, spoken in eight emotions and sung in six.
"""

from __future__ import annotations

import random
import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gpucourse.data import wav
from gpucourse.data.resample import resample
from gpucourse.errors import CourseError

RATE = 16_000
GERMAN = {"W": "anger", "L": "boredom", "E": "disgust", "A": "fear", "F": "happiness", "T": "sadness", "N": "neutral"}
NUMBERED = dict(enumerate(
    ("neutral", "calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise"), 1))  # fmt: skip


@dataclass(frozen=True)
class Clip:
    """A recording: its file, the emotion played, who speaks, which text; `sung` where RAVDESS's actors sing it."""

    path: Path
    emotion: str
    speaker: str
    text: str
    sung: bool = False


@dataclass(frozen=True)
class _Layout:
    """How a corpus names its files: `clip` makes a clip of a file and the parts of its name."""

    loader: str
    example: str
    name: re.Pattern[str]
    clip: Callable[[Path, re.Match[str]], Clip]


_EMODB = _Layout(
    "emodb", "wav/03a01Fa.wav (speaker, text, emotion's letter, version)",
    re.compile(r"(\d\d)([a-z]\d\d)([WLEAFTN])[a-z]"),
    lambda path, part: Clip(path, GERMAN[part[3]], part[1], part[2]),
)  # fmt: skip
_RAVDESS = _Layout(
    "ravdess", "Actor_01/03-01-06-01-02-01-12.wav (modality, channel, emotion, intensity, text, repetition, actor)",
    re.compile(r"0[1-3]-0([12])-0([1-8])-0[12]-(0[12])-0[12]-(\d\d)"),
    lambda path, part: Clip(path, NUMBERED[int(part[2])], part[4], part[3], part[1] == "2"),
)  # fmt: skip


def emodb(folder: Path | str) -> list[Clip]:
    """Return the clips of EmoDB below `folder`, by name; `text` is its code, a01 to b10.

    Raises CourseError where there is no such folder, or no file of this layout in it.
    """
    return _clips(_EMODB, Path(folder))


def ravdess(folder: Path | str) -> list[Clip]:
    """Return RAVDESS's clips below `folder`, speech and song; `text` 01: kids, 02: dogs. As `emodb`."""
    return _clips(_RAVDESS, Path(folder))


def _clips(layout: _Layout, folder: Path) -> list[Clip]:
    folder = folder.expanduser()
    if not folder.is_dir():
        what = "is a file: unpack it, and give the folder" if folder.exists() else "does not exist"
        raise CourseError(f"{layout.loader}: {folder} {what}. It should hold files such as {layout.example}")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".wav" and path.name[:1] != ".")
    found = {path.stem: layout.name.fullmatch(path.stem) for path in files}
    by_name = {path.stem: path for path in reversed(files)}      # some copies of a corpus hold every file twice
    clips = [layout.clip(by_name[stem], part) for stem, part in sorted(found.items()) if part]
    others = [by_name[stem].name for stem, part in found.items() if not part]
    if not clips:
        raise CourseError(_nothing(layout, folder, others))
    if others:
        warnings.warn(f"{layout.loader}: {len(others):,} of {len(found):,} WAV files are not named as "
                      f"{layout.example}, such as {others[0]}; they are left out", stacklevel=3)  # fmt: skip
    return clips


def _nothing(layout: _Layout, folder: Path, others: list[str]) -> str:
    if not others:
        held = sorted(path.name for path in folder.iterdir())
        seen = f"it holds {', '.join(held[:3])}{' and more' * (len(held) > 3)}" if held else "it is empty"
        return f"{layout.loader}: there is no WAV file in {folder}; {seen}. Files should be named as {layout.example}"
    fits = [other.loader for other in (_EMODB, _RAVDESS) if other.name.fullmatch(Path(others[0]).stem)]
    advice = f"\nThis is the layout of speech.{fits[0]}(folder)" if fits else ""
    return (f"{layout.loader}: none of the {len(others):,} WAV files in {folder} is named as {layout.example}; "
            f"the first is {others[0]}{advice}")  # fmt: skip


def load(clip: Clip | Path | str, rate: int = RATE, seconds: float = 3.0) -> Tensor:
    """Return the sound from its beginning, float32 (rate · seconds,): one channel, cut, or filled up with zeros.

    Raises CourseError for what is no WAV file that can be read (`gpucourse.data.wav`).
    """
    length = round(rate * seconds)
    if length < 1:
        raise CourseError(f"load: {seconds} s of {rate:,} samples a second are no sample")
    samples, stored = wav.read(clip.path if isinstance(clip, Clip) else clip)
    sound = resample(torch.from_numpy(samples).mean(dim=1), stored, rate)[:length]
    return torch.nn.functional.pad(sound, (0, length - len(sound)))


def split_by_speaker(clips: Iterable[Clip], share: float = 0.25, seed: int = 0) -> tuple[list[Clip], list[Clip]]:
    """Return clips to train with and to test with: no speaker is in both.

    About `share` of the speakers, drawn by `seed`, are for testing: at least one, and at least one is left. Raises
    CourseError for fewer than two speakers, or a share outside 0 to 1.
    """
    clips = list(clips)
    speakers = sorted({clip.speaker for clip in clips})
    if len(speakers) < 2 or not 0 < share < 1:
        raise CourseError(f"split_by_speaker: {len(speakers)} speakers, {share} of them to test with; "
                          "there must be two speakers, and the share must lie between 0 and 1")  # fmt: skip
    count = min(max(round(share * len(speakers)), 1), len(speakers) - 1)
    chosen = set(random.Random(seed).sample(speakers, count))
    return [c for c in clips if c.speaker not in chosen], [c for c in clips if c.speaker in chosen]
