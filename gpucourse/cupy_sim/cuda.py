"""`cp.cuda`: one simulated device, its streams, events and memory."""

from __future__ import annotations

from typing import Any

from . import memory, runtime, streams
from .memory import (
    MemoryPointer,
    MemoryPool,
    OutOfMemoryError,
    PinnedMemoryPool,
    UnownedMemory,
)
from .runtime import ATTRIBUTES, COMPUTE_CAPABILITY, check_device
from .streams import Event, Stream, get_current_stream, get_elapsed_time


class Device:
    """A device by its number; only device 0 exists, and using another raises CUDARuntimeError.

    >>> with cp.cuda.Device(0):
    ...     x = cp.arange(3)
    """

    def __init__(self, device: int | Device | None = None) -> None:
        self.id = device.id if isinstance(device, Device) else 0 if device is None else int(device)

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.id == other.id

    def __lt__(self, other: Device) -> bool:
        return self.id < other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def __enter__(self) -> Device:
        check_device(self.id)
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def use(self) -> None:
        """Make this the current device."""
        check_device(self.id)

    def synchronize(self) -> None:
        """Wait until the device has finished, which it has."""
        check_device(self.id)

    @property
    def mem_info(self) -> tuple[int, int]:
        """(free, total) bytes; the total is this machine's memory."""
        check_device(self.id)
        return runtime.memGetInfo()

    @property
    def attributes(self) -> dict[str, int]:
        """Limits of the device, by CUDA's names."""
        check_device(self.id)
        return dict(ATTRIBUTES)

    @property
    def compute_capability(self) -> str:
        """The compute capability as digits: "75"."""
        check_device(self.id)
        return "".join(map(str, COMPUTE_CAPABILITY))

    @property
    def pci_bus_id(self) -> str:
        """Where the device would sit on the bus."""
        check_device(self.id)
        return "0000:00:00.0"


def get_device_id() -> int:
    """Return the number of the current device: 0."""
    return 0


def is_available() -> bool:
    """Return False: there is no CUDA here."""
    return False


def alloc(size: int) -> MemoryPointer:
    """Return `size` new bytes of device memory, from the pool."""
    return memory.default_pool.malloc(size)


def get_allocator() -> Any:
    """Return the function that `alloc` calls."""
    return memory.default_pool.malloc


__all__ = [
    "Device", "Event", "MemoryPointer", "MemoryPool", "OutOfMemoryError", "PinnedMemoryPool", "Stream", "UnownedMemory",
    "alloc", "get_allocator", "get_current_stream", "get_device_id", "get_elapsed_time", "is_available", "memory",
    "runtime", "streams",
]  # fmt: skip
