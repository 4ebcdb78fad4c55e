"""Networks that hear: a small CNN with a GRU over spectrograms, and VGGish, whose weights others have learned."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import cache
from http.client import HTTPException
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gpucourse.data.resample import resample
from gpucourse.errors import CourseError
from gpucourse.models.cnn import conv_block

VGGISH = "https://download.pytorch.org/torchaudio/models/vggish.pt"     # 288 MB
VGGISH_RATE, WINDOW, HOP, TRANSFORM = 16_000, 400, 160, 512   # samples: a second; 25 ms; 10 ms; with zeros to 2**9
BANDS, LOWEST, HIGHEST = 64, 125.0, 7500.0                              # hertz
COLUMNS = 96                                                            # of a patch: 0.96 s


class MoodNet(nn.Module):
    """Convolutions see a spectrogram as a picture, a GRU reads what they found column by column.

    (n, 1, bands, frames) in decibel, normalized, at least 8 bands -> scores (n, classes). Pooling makes eight bands
    one; of time it makes two columns one, once, for a rhythm is in the order of the columns.
    """

    def __init__(self, bands: int = 64, classes: int = 2, size: int = 64) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            conv_block(1, 8), nn.MaxPool2d(2),              # (n, 8, bands / 2, frames / 2)
            conv_block(8, 16), nn.MaxPool2d((2, 1)),        # (n, 16, bands / 4, frames / 2)
            conv_block(16, 32), nn.MaxPool2d((2, 1)),       # (n, 32, bands / 8, frames / 2)
        )
        self.gru = nn.GRU(32 * (bands // 8), size, batch_first=True)
        self.head = nn.Linear(size, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores, (n, classes), from the mean of the GRU's states."""
        columns = self.blocks(x).flatten(1, 2).transpose(1, 2)      # (n, frames / 2, 32 · bands / 8)
        states, _ = self.gru(columns)
        scores: Tensor = self.head(states.mean(dim=1))
        return scores


# --- VGGish ------------------------------------------------------------------------------------------------


class VGGish(nn.Module):
    """A VGG of six convolutions, learned on millions of videos' sound (Hershey and others, 2017).

    Patches (n, 1, 96, 64) of time and mel bands -> features (n, 128). The attributes are named as in the file of
    weights that torchaudio publishes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features_network = nn.Sequential(
            *_convolutions(1, 64), *_convolutions(64, 128), *_convolutions(128, 256, 256), *_convolutions(256, 512, 512)
        )
        self.embedding_network = nn.Sequential(
            nn.Linear(6 * 4 * 512, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 128), nn.ReLU()
        )

    def forward(self, patches: Tensor) -> Tensor:
        """Return the features, (n, 128)."""
        seen = self.features_network(patches)                               # (n, 512, 6, 4)
        features: Tensor = self.embedding_network(seen.permute(0, 2, 3, 1).flatten(1))     # channels last, as learned
        return features


def _convolutions(*channels: int) -> list[nn.Module]:
    """Convolutions 3 x 3 from each number of channels to the next, then a pooling by 2."""
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
    return [*layers, nn.MaxPool2d(2)]


def vggish(sound: Tensor, rate: int, folder: Path | str | None = None) -> Tensor:
    """Return VGGish's features of every 0.96 s of sound: (samples,) -> (n, 128), (clips, samples) -> (clips, n, 128).

    The weights, 288 MB, are fetched once into `folder` (default: ~/.cache/gpucourse). Raises CourseError where that
    fails, and for less sound than 0.975 s.

    >>> vggish(torch.zeros(48_000), rate=16_000).shape      # doctest: +SKIP
    torch.Size([3, 128])
    """
    patches = vggish_patches(sound, rate)
    network = _learned(Path(folder or Path.home() / ".cache" / "gpucourse")).to(sound.device)
    with torch.inference_mode():
        parts = [network(part) for part in patches.reshape(-1, 1, COLUMNS, BANDS).split(32)]   # 32: some 100 MB
    return torch.cat(parts).reshape(*patches.shape[:-2], 128).clone()


def vggish_patches(sound: Tensor, rate: int) -> Tensor:
    """Return what VGGish is shown: log(mel + 0.01) of whole patches of 0.96 s, (..., n, 96, 64).

    Magnitudes, not powers, in 64 mel bands of 125 to 7,500 Hz. The frames are not centered.
    """
    sound = resample(sound, rate, VGGISH_RATE)
    least = WINDOW + (COLUMNS - 1) * HOP
    if sound.shape[-1] < least:
        raise CourseError(f"vggish: {sound.shape[-1] / VGGISH_RATE:.3g} s of sound; a patch takes "
                          f"{least / VGGISH_RATE:g} s. Give longer sound, or fill it up with zeros")  # fmt: skip
    frames = sound.unfold(-1, WINDOW, HOP) * torch.hann_window(WINDOW, device=sound.device)
    mel = torch.fft.rfft(frames, TRANSFORM).abs() @ vggish_filters().to(sound.device).T
    count = mel.shape[-2] // COLUMNS
    return torch.log(mel[..., : count * COLUMNS, :] + 0.01).unflatten(-2, (count, COLUMNS))


@cache
def vggish_filters() -> Tensor:
    """Return triangles over the bins, (64, 257), evenly spaced and with straight sides on HTK's mel scale, of height 1.

    They are not `gpucourse.data.sound.mel_filters`: another scale, another height, and sides straight in hertz there.
    """
    mels = _htk_mels(np.fft.rfftfreq(TRANSFORM, 1 / VGGISH_RATE))
    first, last = _htk_mels(np.array([LOWEST, HIGHEST]))
    corners = np.linspace(float(first), float(last), BANDS + 2)
    apart = corners[1] - corners[0]
    triangles = np.maximum(0, 1 - abs(mels - corners[1:-1, None]) / apart)
    return torch.from_numpy(triangles.astype(np.float32))


def _htk_mels(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1127.0 * np.log(1 + hertz / 700)


@cache
def _learned(folder: Path) -> VGGish:
    """The network with its weights, from the folder or from the network; kept, so that they are read once."""
    try:
        with _patience(20.0), redirect_stdout(sys.stderr):      # progress is no output of a cell
            weights = torch.hub.load_state_dict_from_url(VGGISH, str(folder), map_location="cpu", weights_only=True)
    except (OSError, HTTPException) as error:           # no connection, no such page, no room
        raise CourseError(f"VGGish's weights could not be fetched into {folder}: {_reason(error)}. Check the "
                          f"connection and try again, or save {VGGISH} there yourself") from None  # fmt: skip
    except Exception as error:                          # pickle, zip and PyTorch have errors of their own
        raise _spoiled(folder, error) from None
    with torch.device("meta"):                          # shapes without memory: the file brings it
        network = VGGish()
    try:
        network.load_state_dict(weights, assign=True)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise _spoiled(folder, error) from None
    return network.eval()


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """A connection that says nothing for so long is an error; by itself it would wait without end."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _spoiled(folder: Path, error: Exception) -> CourseError:
    return CourseError(f"{folder / 'vggish.pt'} does not hold VGGish's weights ({_reason(error)}). Delete it and "
                       "try again: it is fetched anew")  # fmt: skip


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".: ")
