"""Sounds in a notebook: a player for each, with words beside it; the words are compared, the samples are not.

Samples are floats and differ in their last bits between machines, so the players stand between the marks that
`gpucourse.here` writes. Eight clips of 3 s at 16 kHz are a megabyte in a stored notebook.
"""

from __future__ import annotations

import base64
import html
import io
import wave
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucourse.errors import CourseError

RATE = 16_000
SECONDS = 3.0


class Sounds:
    """Players, one below the other. `text/plain` are the words alone."""

    def __init__(self, clips: Mapping[str, bytes]) -> None:
        self.clips = dict(clips)

    def __repr__(self) -> str:
        return "\n".join(f"sound: {words}" for words in self.clips)

    def _repr_html_(self) -> str:
        return "\n".join(f"<div>{html.escape(words)}<br>{_player(clip)}</div>" for words, clip in self.clips.items())


def _player(clip: bytes) -> str:
    data = base64.b64encode(clip).decode("ascii")
    source = f'<source src="data:audio/wav;base64,{data}" type="audio/wav">'
    return f'<!-- \u27e8 --><audio controls="controls">{source}</audio><!-- \u27e9 -->'


def wav(sound: Any, rate: int = RATE, seconds: float = SECONDS) -> bytes:
    """Return the beginning of a sound as a WAV file: mono, 16 bit. Samples beyond -1 and 1 are cut off.

    `sound` is a tensor or an array (samples,) on any device. Raises CourseError for another shape, for no sample, and
    for samples that are not finite.
    """
    samples = _samples(sound)
    if samples.ndim != 1 or not samples.size:
        raise CourseError(f"listen: a sound of shape {samples.shape}; it must be (samples,), with a sample at least")
    if not np.isfinite(samples).all():
        raise CourseError("listen: the sound has samples that are infinite or nan")
    whole = np.round(32767 * samples[: round(rate * seconds)].clip(-1, 1)).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(whole.tobytes())
    return buffer.getvalue()


def _samples(sound: Any) -> NDArray[np.float64]:
    """The samples on the host: a tensor's `detach` and `cpu`, or a CuPy array's `get`."""
    if hasattr(sound, "detach"):
        sound = sound.detach().cpu().numpy()
    return np.asarray(sound.get() if hasattr(sound, "get") else sound, dtype=np.float64)


def sounds(clips: Mapping[str, Any], rate: int = RATE, seconds: float = SECONDS) -> Sounds:
    """Return players for {words: sound}; CourseError as `wav`, and for none at all."""
    if not clips:
        raise CourseError("listen: there is nothing to hear")
    return Sounds({words: wav(sound, rate, seconds) for words, sound in clips.items()})


def listen(clips: Mapping[str, Any], rate: int = RATE, seconds: float = SECONDS) -> None:
    """Show a player for each of {words: sound}, for its first `seconds`; nothing plays by itself.

    >>> listen({"a C": note(60, 1.0)})  # doctest: +SKIP
    """
    from IPython.display import display

    display(sounds(clips, rate, seconds))
