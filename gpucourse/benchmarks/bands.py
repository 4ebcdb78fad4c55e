"""One job on every CPU core: equal bands of an array, a thread each."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise


def in_bands(
    work: Callable[[slice], object], length: int, threads: int, halo: int = 0
) -> Callable[[], object]:
    """Return the call that does `work(slice)` on `threads` bands of `length` at once, each `halo` longer."""
    edges = [length * i // threads for i in range(threads + 1)]
    bands = [slice(start, min(stop + halo, length)) for start, stop in pairwise(edges)]
    pool = ThreadPoolExecutor(threads)
    return lambda: list(pool.map(work, bands))
