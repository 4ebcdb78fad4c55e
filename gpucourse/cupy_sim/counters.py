"""Counts what a GPU would be asked to do: copies over the bus, kernel launches, allocations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class Transfers:
    """Copies between host and device: how many, and how many bytes, in each direction."""

    to_device: int = 0
    to_host: int = 0
    bytes_to_device: int = 0
    bytes_to_host: int = 0


@dataclass
class Launches:
    """Kernel launches, and the device memory asked for (bytes as requested, before the pool rounds them up)."""

    launches: int = 0
    allocations: int = 0
    bytes_allocated: int = 0


_watchers: dict[type, list[Any]] = {Transfers: [], Launches: []}


@contextmanager
def _watch(kind: type) -> Iterator[Any]:
    watcher = kind()
    _watchers[kind].append(watcher)
    try:
        yield watcher
    finally:
        # by identity: two dataclasses with equal counts compare equal
        _watchers[kind][:] = [other for other in _watchers[kind] if other is not watcher]


def count_transfers() -> Any:
    """Count the copies between host and device inside a `with` block; blocks may nest.

    >>> with count_transfers() as t:
    ...     y = cp.asarray(x).sum().get()
    >>> t.to_device, t.to_host
    (1, 1)
    """
    return _watch(Transfers)


def count_launches() -> Any:
    """Count kernel launches and allocations inside a `with` block; blocks may nest.

    One elementwise operation or one reduction is one launch, a view none, a fused function one. A function
    that CuPy builds from several kernels counts at least one.

    >>> with count_launches() as k:
    ...     y = x * 2 + 1
    >>> k.launches, k.allocations
    (2, 2)
    """
    return _watch(Launches)


def to_device(nbytes: int) -> None:
    """Record a copy of `nbytes` from host to device; an empty one costs nothing."""
    for watcher in _watchers[Transfers] if nbytes else ():
        watcher.to_device += 1
        watcher.bytes_to_device += nbytes


def to_host(nbytes: int) -> None:
    """Record a copy of `nbytes` from device to host; an empty one costs nothing."""
    for watcher in _watchers[Transfers] if nbytes else ():
        watcher.to_host += 1
        watcher.bytes_to_host += nbytes


def launch(count: int = 1) -> None:
    """Record `count` kernel launches."""
    for watcher in _watchers[Launches]:
        watcher.launches += count


def allocate(nbytes: int) -> None:
    """Record an allocation of `nbytes` of device memory."""
    for watcher in _watchers[Launches]:
        watcher.allocations += 1
        watcher.bytes_allocated += nbytes
