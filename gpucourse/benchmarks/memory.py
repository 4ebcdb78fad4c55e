"""Memory: copies on the device, copies between host and device, and what an allocation costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from gpucourse.benchmarks.bands import in_bands
from gpucourse.benchmarks.case import Case, Machine, Sizes, ready


def copy(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Copy an array on the device: each byte is read once and written once, so a call counts double."""
    xp = machine.xp
    for nbytes in sorted({*sizes.copy, machine.past_cache}):

        def prepare(nbytes: int = nbytes) -> Callable[[], object]:
            source = xp.ones(nbytes // 4, xp.float32)
            target = xp.empty_like(source)
            return lambda: xp.copyto(target, source)

        yield Case(
            {"bytes": nbytes, "cache": _cache(nbytes, machine)}, 2 * nbytes, "B", prepare, series="copy"
        )


def _cache(nbytes: int, machine: Machine) -> str:
    times = 2 * nbytes / machine.cache_bytes  # source and target
    return f"cold: both arrays are {times:.3g} times the last-level cache" if times > 2 else "warm"


def copy_threads(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Copy an array on the CPU with every core: NumPy lets go of Python's lock while it copies."""
    nbytes = max(*sizes.copy, machine.past_cache)

    def prepare() -> Callable[[], object]:
        source = np.ones(nbytes // 4, np.float32)
        target = np.empty_like(source)
        return in_bands(lambda rows: np.copyto(target[rows], source[rows]), source.size, machine.cores)

    parameters = {"bytes": nbytes, "cache": _cache(nbytes, machine), "threads": machine.cores}
    yield Case(parameters, 2 * nbytes, "B", prepare)


def transfer(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Copy between host and device, from ordinary (pageable) and from pinned host memory."""
    for memory, new in (
        ("pageable", lambda n: np.empty(n, np.uint8)),
        ("pinned", lambda n: _pinned(machine.xp, n)),
    ):
        for nbytes in sizes.transfer:

            def to_device(nbytes: int = nbytes, new: Callable[[int], Any] = new) -> Callable[[], object]:
                host, device = new(nbytes), machine.xp.empty(nbytes, machine.xp.uint8)
                host.fill(1)  # a page that was never written is not in memory yet
                return lambda: device.set(host)

            def to_host(nbytes: int = nbytes, new: Callable[[int], Any] = new) -> Callable[[], object]:
                host, device = new(nbytes), machine.xp.ones(nbytes, machine.xp.uint8)
                host.fill(1)
                return lambda: device.get(out=host)

            for direction, prepare in (("host to device", to_device), ("device to host", to_host)):
                yield Case({"direction": direction, "memory": memory, "bytes": nbytes}, nbytes, "B", prepare)


def _pinned(xp: Any, nbytes: int) -> Any:
    memory = xp.cuda.alloc_pinned_memory(nbytes)  # may be longer: the pool rounds up
    return np.frombuffer(memory, np.uint8, nbytes)


def allocation(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Get and give back device memory: through CuPy's pool, and from the driver each time."""
    xp = machine.xp
    ways: tuple[tuple[str, Callable[[int], object]], ...] = (
        ("pool", lambda n: xp.empty(n, xp.uint8)),
        ("driver", lambda n: xp.cuda.Memory(n)),
    )
    for way, allocate in ways:
        for nbytes in sizes.allocation:
            call = partial(allocate, nbytes)
            yield Case({"bytes": nbytes, "from": way}, 1, "call", ready(call))
