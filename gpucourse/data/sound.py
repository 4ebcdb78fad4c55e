"""From notes to sound to frames to spectra to mel and chroma, as PyTorch tensors on any device.

Sound is float32 of shape (..., samples), between -1 and 1. A spectrogram has one column a frame: (..., bins, frames).
Frames are centered, as librosa's: the first one lies around sample 0, with zeros before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gpucourse.errors import CourseError

RATE = 16_000        # samples a second
WINDOW, HOP = 2048, 512
QUIETEST = 1e-10     # powers below count as this, -100 dB
PITCHES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass(frozen=True)
class Timbre:
    """How a note sounds: the strength of each harmonic, and seconds to rise, to decay and to end."""

    harmonics: tuple[float, ...] = (1.0, 0.5, 0.33, 0.2, 0.12, 0.08)
    attack: float = 0.01
    decay: float = 0.8       # the strength falls to 1/e in so many seconds
    release: float = 0.05


def frequency(pitch: Tensor | float) -> Tensor:
    """Return the hertz of a MIDI pitch: 69 is the A of 440 Hz, 12 more are twice the frequency."""
    return 440 * 2 ** ((torch.as_tensor(pitch, dtype=torch.float32) - 69) / 12)


def note(pitch: float, seconds: float, timbre: Timbre | None = None, rate: int = RATE,
         device: torch.device | str = "cpu") -> Tensor:  # fmt: skip
    """Return one note by additive synthesis: a sum of sines at the multiples of its frequency, under an envelope.

    Harmonics at or above half the rate are left out: they would be heard at another frequency (aliasing).
    """
    return _notes([pitch], seconds, timbre or Timbre(), rate, device)[0]


def _notes(pitches: Sequence[float], seconds: float, timbre: Timbre, rate: int, device: torch.device | str) -> Tensor:
    """Return notes of one length, (pitches, samples), all at once: a harmonic of all of them is one row of calls."""
    time = torch.arange(round(seconds * rate), device=device, dtype=torch.float32) / rate
    bases = frequency(torch.tensor(pitches)).tolist()
    wave, sums = torch.zeros(len(bases), len(time), device=device), [0.0] * len(bases)
    for k, strength in enumerate(timbre.harmonics, 1):
        strengths = [strength * (k * base < rate / 2) for base in bases]
        sums = [total + one for total, one in zip(sums, strengths, strict=True)]
        turns = torch.tensor([2 * torch.pi * k * base for base in bases], device=device)
        wave += torch.tensor(strengths, device=device)[:, None] * torch.sin(turns[:, None] * time)
    envelope = (time / timbre.attack).clamp(max=1) * torch.exp(-time / timbre.decay)
    envelope *= ((seconds - time) / timbre.release).clamp(0, 1)
    return wave * envelope / torch.tensor(sums, device=device).clamp(min=1)[:, None]


def render(notes: NDArray[np.floating], seconds_per_beat: float, seconds: float, timbre: Timbre | None = None,
           rate: int = RATE, device: torch.device | str = "cpu") -> Tensor:  # fmt: skip
    """Return the sound of notes, rows of (beat at which it begins, beats, MIDI pitch), cut or filled to `seconds`.

    The loudest sample is 0.9, unless all is silence.
    """
    sound = torch.zeros(round(seconds * rate), device=device)
    rows = [(round(start * seconds_per_beat * rate), beats, pitch)
            for start, beats, pitch in np.asarray(notes, dtype=np.float64).tolist()]
    rows = [row for row in rows if row[0] < len(sound)]
    pitches: dict[float, dict[float, None]] = {}               # by length: a tune has few, and repeats its notes
    for _, beats, pitch in rows:
        pitches.setdefault(beats, {})[pitch] = None
    waves = {}
    for beats, found in pitches.items():
        made = _notes(list(found), beats * seconds_per_beat, timbre or Timbre(), rate, device)
        waves |= {(beats, pitch): wave for pitch, wave in zip(found, made, strict=True)}
    for first, beats, pitch in rows:
        part = sound[first : first + len(waves[beats, pitch])]
        part += waves[beats, pitch][: len(part)]
    loudest = sound.abs().max()
    return sound * (0.9 / loudest) if loudest > 0 else sound


def frames(sound: Tensor, size: int = WINDOW, hop: int = HOP) -> Tensor:
    """Return (..., frames, size): one frame every `hop` samples, each around its place; zeros beyond the ends.

    Nothing is copied but the padding: neighboring frames overlap in memory.
    """
    if not 1 <= hop <= size:
        raise CourseError(f"frames: hop {hop} of frames of {size} samples; it must be from 1 to {size}")
    padded = torch.nn.functional.pad(sound, (size // 2, size // 2))
    return padded.unfold(-1, size, hop)


def power(sound: Tensor, size: int = WINDOW, hop: int = HOP) -> Tensor:
    """Return |STFT|², (..., size // 2 + 1, frames): each frame under a Hann window, then its Fourier transform."""
    window = torch.hann_window(size, device=sound.device)      # periodic, as for spectra
    spectrum = torch.fft.rfft(frames(sound, size, hop) * window)
    return (spectrum.real**2 + spectrum.imag**2).transpose(-1, -2)


def decibel(power: Tensor) -> Tensor:
    """Return 10 log10(power), with powers below QUIETEST raised to it."""
    return 10 * torch.log10(power.clamp(min=QUIETEST))


def mel(sound: Tensor, bands: int = 64, size: int = WINDOW, hop: int = HOP, rate: int = RATE) -> Tensor:
    """Return the power in `bands` mel bands, (..., bands, frames)."""
    return mel_filters(bands, size, rate).to(sound.device) @ power(sound, size, hop)


def chroma(sound: Tensor, size: int = WINDOW, hop: int = HOP, rate: int = RATE) -> Tensor:
    """Return the power of the twelve pitch classes, C first, (..., 12, frames), the largest of each frame 1."""
    raw = chroma_filters(size, rate).to(sound.device) @ power(sound, size, hop)
    return raw / raw.amax(dim=-2, keepdim=True).clamp(min=torch.finfo(raw.dtype).tiny)


@cache
def mel_filters(bands: int, size: int = WINDOW, rate: int = RATE) -> Tensor:
    """Return triangles over the bins of a spectrum, (bands, size // 2 + 1), evenly spaced in mels, of equal area.

    The scale is Slaney's (Auditory Toolbox, 1998), librosa's default: 3 mels for 200 Hz up to 1,000 Hz, then 27 mels
    for each factor of 6.4.
    """
    hertz = np.fft.rfftfreq(size, 1 / rate)
    corners = _hertz_of_mel(np.linspace(0, _mel_of_hertz(rate / 2), bands + 2))
    width = np.diff(corners)
    rising = (hertz - corners[:-2, None]) / width[:-1, None]
    falling = (corners[2:, None] - hertz) / width[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling)) * (2 / (corners[2:] - corners[:-2]))[:, None]
    return torch.from_numpy(triangles.astype(np.float32))


def _mel_of_hertz(hertz: float) -> float:
    return 3 * hertz / 200 if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)


def _hertz_of_mel(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))


@cache
def chroma_filters(size: int = WINDOW, rate: int = RATE) -> Tensor:
    """Return the share of each bin in each pitch class, (12, size // 2 + 1).

    A bin counts by a Gaussian of its distance in semitones to the nearest pitch of the class, as wide as the bins lie
    apart (at least one semitone); each bin's column has length 1. Octaves count by a Gaussian of width two around
    the fifth above 27.5 Hz (D. Ellis, 2007; librosa's default).
    """
    hertz = np.linspace(0, rate, size, endpoint=False)[1:]
    semitones = 12 * np.log2(hertz / 27.5)                       # above the lowest A of a piano
    semitones = np.concatenate([[semitones[0] - 18], semitones])  # the constant bin: an octave and a half below
    apart = np.concatenate([np.maximum(np.diff(semitones), 1), [1]])
    distance = np.remainder(semitones - np.arange(12)[:, None] + 6, 12) - 6
    weights = np.exp(-0.5 * (2 * distance / apart) ** 2)
    weights /= np.linalg.norm(weights, axis=0)
    weights *= np.exp(-0.5 * ((semitones / 12 - 5) / 2) ** 2)
    return torch.from_numpy(np.roll(weights, -3, axis=0)[:, : size // 2 + 1].astype(np.float32))   # A first -> C first
