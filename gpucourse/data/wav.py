"""Reads WAV files of every usual kind: whole numbers of 8, 16, 24 or 32 bits, floats of 32 or 64, any channels.

The standard library's `wave` reads whole numbers only. The format: chunks of a name, a length and so many bytes, as
in Microsoft's "Multiple Channel Audio Data and WAVE Files" (2001).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpucourse.errors import CourseError

_WHOLE, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_OTHERS = {2: "ADPCM", 6: "A-law", 7: "mu-law", 17: "IMA ADPCM", 85: "MP3"}
_NEXT = "Save it as a WAV file of 16 bits (`ffmpeg -i FILE new.wav` does) and try again"


@dataclass(frozen=True)
class _Format:
    kind: int
    channels: int
    rate: int
    bits: int


def read(path: Path | str) -> tuple[NDArray[np.float32], int]:
    """Return the samples, float32 of shape (samples, channels) from -1 to 1, and the samples a second.

    A file that was cut off gives the whole samples that are there. Raises CourseError for a file that cannot be read,
    is empty, is no WAV file, or holds numbers of another kind.
    """
    content = _bytes(Path(path))
    found, data = None, None
    for name, part in _chunks(content):
        if name == b"fmt " and len(part) >= 16:
            found = _format(part)
        elif name == b"data":
            data = part
            break              # what follows is no sound
    if found is None or data is None:
        missing = "format" if found is None else "sound"
        raise CourseError(f"{path}: a WAV file without its part that holds the {missing}. {_NEXT}")
    samples = _numbers(data, found, path).reshape(-1, found.channels)
    if not len(samples):
        raise CourseError(f"{path}: a WAV file that holds no sample. Leave it out, or fetch it again")
    return samples, found.rate


def _bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CourseError(f"{path}: cannot be read ({error.strerror})") from None
    if not content:
        raise CourseError(f"{path}: the file is empty, 0 bytes. Leave it out, or fetch it again")
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise CourseError(f"{path}: not a WAV file: it begins with {content[:12]!r}, "
                          f"a WAV file with b'RIFF', 4 bytes, b'WAVE'. {_NEXT}")  # fmt: skip
    return content


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield names and contents; a length that goes beyond the end (a stream's is 0xFFFFFFFF) means: to the end."""
    at = 12
    while at + 8 <= len(content):
        name, length = struct.unpack_from("<4sI", content, at)
        yield name, content[at + 8 : at + 8 + length]
        at += 8 + length + length % 2          # chunks begin at even places


def _format(part: bytes) -> _Format:
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", part)
    if kind == _EXTENSIBLE and len(part) >= 26:
        kind = struct.unpack_from("<H", part, 24)[0]       # the first two bytes of a GUID are the kind
    return _Format(kind, channels, rate, bits)


def _numbers(data: bytes, found: _Format, path: Path | str) -> NDArray[np.float32]:
    if (found.kind, found.bits) not in _READERS or not found.channels or not found.rate:
        kind = {_WHOLE: "whole numbers", _FLOAT: "floats"}.get(found.kind)
        kind = kind or _OTHERS.get(found.kind, f"format {found.kind}")
        raise CourseError(f"{path}: {kind} of {found.bits} bits, {found.channels} channels, "
                          f"{found.rate:,} samples a second; read are whole numbers of 8, 16, 24, 32 bits and floats "
                          f"of 32, 64. {_NEXT}")  # fmt: skip
    size = found.channels * found.bits // 8
    return _READERS[found.kind, found.bits](data[: len(data) // size * size]).astype(np.float32)


def _three_bytes(data: bytes) -> NDArray[np.float64]:
    """24 bits are the upper three bytes of 32."""
    four = np.zeros((len(data) // 3, 4), np.uint8)
    four[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return four.reshape(-1).view("<i4") / 2.0**31


#: Kind of number and bits -> what reads so many bytes; silence is at 128 in 8 bits, which have no sign.
_READERS: dict[tuple[int, int], Callable[[bytes], NDArray[Any]]] = {
    (_WHOLE, 8): lambda data: np.frombuffer(data, np.uint8) / 128.0 - 1,
    (_WHOLE, 16): lambda data: np.frombuffer(data, "<i2") / np.float32(2**15),
    (_WHOLE, 24): _three_bytes,
    (_WHOLE, 32): lambda data: np.frombuffer(data, "<i4") / 2.0**31,
    (_FLOAT, 32): lambda data: np.frombuffer(data, "<f4"),
    (_FLOAT, 64): lambda data: np.frombuffer(data, "<f8"),
}
