"""`cp.cuda`: the device, its streams, events and memory."""

from __future__ import annotations

from typing import Any

from . import compiler, driver, function, runtime
from .memory import MemoryPointer, MemoryPool, PinnedMemoryPool, UnownedMemory
from .streams import Event, Stream, get_current_stream, get_elapsed_time

__all__ = [
    "Device", "Event", "MemoryPointer", "MemoryPool", "PinnedMemoryPool", "Stream", "UnownedMemory",
    "compiler", "driver", "function", "get_current_stream", "get_device_id", "get_elapsed_time", "is_available",
    "runtime",
]  # fmt: skip


class Device:
    """A device by its number; there is one, number 0. In a `with` block it is the current one.

    Any other number raises CUDARuntimeError (cudaErrorInvalidDevice) when it is used, as with CuPy.
    """

    def __init__(self, device: Any = None) -> None:
        self.id = int(device) if device is not None else 0

    def use(self) -> None:
        """Make it the current device."""
        runtime.setDevice(self.id)

    def synchronize(self) -> None:
        """Wait until the device has finished; the simulator has, always."""
        runtime.check_device(self.id)

    @property
    def mem_info(self) -> tuple[int, int]:
        """(free, total) bytes."""
        runtime.check_device(self.id)
        return runtime.memGetInfo()

    @property
    def attributes(self) -> dict[str, int]:
        """Limits by CUDA's names, such as MaxThreadsPerBlock."""
        runtime.check_device(self.id)
        return dict(runtime.ATTRIBUTES)

    @property
    def compute_capability(self) -> str:
        """Major and minor number without a point: "75"."""
        runtime.check_device(self.id)
        return "{}{}".format(*runtime.COMPUTE_CAPABILITY)

    @property
    def pci_bus_id(self) -> str:
        """An address that no real device has."""
        runtime.check_device(self.id)
        return "0000:00:00.0"

    def __enter__(self) -> Device:
        self.use()
        return self

    def __exit__(self, *_: object) -> None: ...

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self) -> int:
        return hash(("Device", self.id))

    def __lt__(self, other: Device) -> bool:
        return self.id < other.id

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"


def get_device_id() -> int:
    """Return the number of the current device: 0."""
    return 0


def is_available() -> bool:
    """Whether arrays can be used; on the simulator they can."""
    return True


