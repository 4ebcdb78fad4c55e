"""Gives a device array to other libraries by DLPack, without a copy; the memory is the host's, so it says CPU."""

from __future__ import annotations

from typing import Any

from .array import ndarray


def export(
    a: ndarray, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None
) -> Any:
    """Return a DLPack capsule of `a`. `stream` is what a GPU's consumer hands over; nothing waits here."""
    return a._host.__dlpack__(max_version=max_version, dl_device=dl_device, copy=copy)
