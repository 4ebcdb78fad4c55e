"""Profiles of the seven sums of lesson 06 on one array, made once for all tests of the ladder."""

from functools import cache

import numpy as np

from gpucourse import cupy_sim as cp
from gpucourse import profile
from gpucourse.benchmarks.reductions import RUNGS

N = 1 << 14
BLOCKS = {"first_add": N // 512, "shuffled": N // 512, "grid_stride": 4, "vector": 4}


@cache
def profiled(name, n=N, blocks=None):
    """The profile of one rung on `n` ones."""
    blocks = blocks or BLOCKS.get(name, -(-n // 256))
    args = cp.ones(n, cp.float32), cp.zeros(blocks, cp.float32), np.int32(n)
    return profile(RUNGS[name].kernel(cp), (blocks,), (256,), args)


def profiles(*names):
    """Profiles by name, of all rungs unless told."""
    return {name: profiled(name) for name in names or RUNGS}
