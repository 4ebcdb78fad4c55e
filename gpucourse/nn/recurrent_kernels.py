"""CUDA C for a recurrent layer: all steps in one launch, where array code needs three launches for every step."""

from __future__ import annotations

from typing import Any

from gpucourse.benchmarks.rung import Rung
from gpucourse.errors import CourseError
from gpucourse.nn.layer import Array, module_of

MOST = 1024   # threads of a block, and so numbers of a state

RNN_FORWARD = Rung("rnn_forward", "recurrent layer: one block an example, one thread a number of the state", r"""
extern "C" __global__
void rnn_forward(const float* a, const float* w, const float* first, float* h, int steps)
{
    extern __shared__ float state[];                    // the state of this block's example
    int i = threadIdx.x, size = blockDim.x;
    long long row = blockIdx.x * (long long)steps;      // its first row in a and h, both (n, steps, size)
    state[i] = first[blockIdx.x * size + i];
    for (int step = 0; step < steps; step++, row++) {
        float sum = a[row * size + i];                  // what the input contributes
        __syncthreads();                                // the state is whole
        for (int j = 0; j < size; j++)
            sum += w[j * size + i] * state[j];          // w is weight_h transposed: neighbors read neighbors
        sum = tanhf(sum);
        __syncthreads();                                // everybody has read it
        state[i] = sum;
        h[row * size + i] = sum;
    }
}
""")
#: Kernel's name -> its rung, as a lesson's source asks for it.
RUNGS = {RNN_FORWARD.name: RNN_FORWARD}


def rnn_forward(a: Array, weight_h: Array, first: Array) -> Array:
    """Return h of every step (n, steps, size) for a = x W_xᵀ + b_x + b_h, in one launch; float32 device arrays.

    weight_h is (size, size), `first` the state to begin with, (n, size). Raises CourseError for a size above 1,024.
    """
    xp: Any = module_of(a)
    n, steps, size = a.shape
    if size > MOST:
        raise CourseError(f"rnn_forward: a state of {size:,} numbers, one thread each; a block has at most {MOST:,}")
    h = xp.empty((n, steps, size), xp.float32)
    arrays = (xp.ascontiguousarray(a), xp.ascontiguousarray(weight_h.T), xp.ascontiguousarray(first), h)
    RNN_FORWARD.kernel(xp)((n,), (size,), (*arrays, xp.int32(steps)), shared_mem=4 * size)
    return h
