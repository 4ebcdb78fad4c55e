"""A CuPy-shaped module for machines without a GPU: the same names, results, rules and errors, computed by NumPy.

What is the same as CuPy
    Arrays live "on the device": mixing one with a NumPy array, or handing one to `np.asarray`, fails with CuPy's
    error. Reductions and single elements stay on the device as arrays without dimensions. Integer indices out of
    bounds wrap round. Memory comes from a pool that rounds up to 512 bytes and keeps what is freed. Signatures are
    CuPy's own (names.py, made from CuPy 14.2.0). NumPy's functions hand over to this module: `np.sin(x)`. Kernels in
    CUDA C (RawKernel, RawModule, ElementwiseKernel, ReductionKernel) go through NVIDIA's compiler and run on the
    simulator in gpucourse/simt, with CuPy's rules for arguments.

What differs
    Every operation is finished when its call returns, so nothing here can show asynchrony, and **no time measured
    here says anything about a GPU**. There is one device. Random numbers and the order of float sums are not CuPy's.
    DLPack exports the memory as the CPU's. Singular matrices raise LinAlgError, where CuPy returns nan or inf. Where
    CuPy would hand a kernel bits that it misreads (a double for a float parameter), too few arguments, or one block for
    a grid of zero, an error says so.

What CuPy does not have: `count_transfers()` counts copies between host and device; `count_launches()` counts
launches and allocations.

What is missing, and says so: `cupyx`, sparse matrices, poly1d, vectorize, text files in and out beyond `loadtxt`, CUDA
graphs, textures, cooperative launches of a whole grid, kernels compiled by nvcc.

Reading order: array.py, indexing.py, casting.py, ufuncs.py, delegate.py, functions.py; for kernels raw.py,
function.py, arguments.py, elementwise.py, reduction.py; then the rest.
"""

from __future__ import annotations

from typing import Any

from . import creation, cuda, fft, functions, fusion, linalg, random, ufuncs
from .array import ndarray
from .counters import count_launches, count_transfers
from .elementwise import ElementwiseKernel
from .fusion import fuse
from .memory import get_default_memory_pool, get_default_pinned_memory_pool
from .names import NAMES
from .raw import RawKernel, RawModule
from .reduction import ReductionKernel

globals().update(functions.TABLE | creation.TABLE | ufuncs.TABLE | {"ufunc": ufuncs.ufunc})
ufuncs.attach_operators()
fusion.attach_operators()
functions.attach_methods()

__version__ = "14.2.0"   # of the CuPy whose names and signatures these are
__all__ = [
    "ElementwiseKernel", "RawKernel", "RawModule", "ReductionKernel", "count_launches", "count_transfers", "cuda",
    "fft", "fuse", "get_default_memory_pool", "get_default_pinned_memory_pool", "is_available", "linalg",
    "ndarray", "random", "show_config", *creation.TABLE, *functions.TABLE, *ufuncs.TABLE,
]  # fmt: skip


def is_available() -> bool:
    """Whether arrays can be used; on the simulator they can."""
    return True


def show_config(*, _full: bool = False) -> None:
    """Say what this module is."""
    print("gpucourse.cupy_sim: CuPy's arrays on the CPU, for machines without an NVIDIA GPU")


def __getattr__(name: str) -> Any:
    known = name in NAMES[""].split() and not name.startswith("_")
    more = ": CuPy has it, the course's simulator does not" if known else ""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{more}")


def __dir__() -> list[str]:
    return sorted(__all__)
