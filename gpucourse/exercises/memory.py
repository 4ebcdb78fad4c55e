"""Keeps a call from taking more memory than is free, so that it raises MemoryError and nothing is killed.

On Linux only; elsewhere, and beside CUDA, whose driver reserves more than it uses, there is no such limit.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

SHARE = 0.8  # of what is free: the rest is for everything that is not the call


@contextlib.contextmanager
def memory_limit() -> Iterator[None]:
    """Let this process have no more data in memory than it has now and `SHARE` of what is still free."""
    most = _most() if sys.platform == "linux" and not _beside_cuda() else None
    if most is None:
        yield
        return
    import resource

    soft, hard = before = resource.getrlimit(resource.RLIMIT_DATA)
    set_limit = resource.setrlimit
    tightest = [most, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)]
    set_limit(resource.RLIMIT_DATA, (min(tightest), hard))
    try:
        yield
    finally:
        set_limit(resource.RLIMIT_DATA, before)


def _beside_cuda() -> bool:
    """Whether CuPy runs on a GPU in this process; that it is merely imported reserves nothing."""
    from gpucourse.backend import choose

    return "cupy" in sys.modules and choose().name == "cupy"


def _most() -> int | None:
    from gpucourse.backend import memory_bytes

    own, system = _figures("/proc/self/status"), _figures("/proc/meminfo")
    if not {"VmData", "VmRSS"} <= own.keys() or "MemAvailable" not in system:
        return None
    free = min(system["MemAvailable"], memory_bytes() - own["VmRSS"])
    return own["VmData"] + int(SHARE * max(free, 0))


def _figures(file: str) -> dict[str, int]:
    """Return the lines "Name:  123 kB" of a file of the kernel's, in bytes."""
    try:
        rows = [line.split() for line in Path(file).read_text().splitlines()]
    except OSError:
        return {}
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if row[2:] == ["kB"]}
