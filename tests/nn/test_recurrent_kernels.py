"""The recurrent layer in one launch: PyTorch's values, one launch, clean under the sanitizer."""

import numpy as np
import pytest

from gpucourse import cp, profile, sanitize
from gpucourse.errors import CourseError
from gpucourse.nn.recurrent_kernels import RNN_FORWARD, rnn_forward

torch = pytest.importorskip("torch")


def inputs(n, steps, size, seed=0):
    rng = np.random.default_rng(seed)
    shapes = ((n, steps, size), (size, size), (n, size))
    scales = (1, 0.3, 1)
    return [rng.standard_normal(shape).astype(np.float32) * s for shape, s in zip(shapes, scales, strict=True)]


@pytest.mark.parametrize(("n", "steps", "size"), [(1, 1, 1), (3, 7, 5), (2, 4, 33), (5, 3, 64)])
def test_equals_pytorch(n, steps, size):
    a, w, first = inputs(n, steps, size)
    layer = torch.nn.RNN(size, size, batch_first=True)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.eye(size))
        layer.weight_hh_l0.copy_(torch.from_numpy(w))
        layer.bias_ih_l0.zero_()
        layer.bias_hh_l0.zero_()
        due, _ = layer(torch.from_numpy(a), torch.from_numpy(first)[None])
    found = rnn_forward(*(cp.asarray(value) for value in (a, w, first)))
    np.testing.assert_allclose(found.get(), due, rtol=1e-5, atol=1e-6)


def launch(n=2, steps=3, size=40):
    a, w, first = (cp.asarray(value) for value in inputs(n, steps, size))
    h = cp.empty((n, steps, size), cp.float32)
    return RNN_FORWARD.kernel(cp), (n,), (size,), (a, w, first, h, np.int32(steps))


def test_clean_under_the_sanitizer_and_two_barriers_a_step():
    kernel, grid, block, args = launch()
    assert not sanitize(kernel, grid, block, args, shared_mem=160).findings
    # 2 blocks of 2 warps, 3 steps, 2 barriers
    assert profile(kernel, grid, block, args, shared_mem=160).barriers == 2 * 2 * 3 * 2


def test_without_its_second_barrier_it_is_a_race():
    kernel, grid, block, args = launch()
    before, barrier, after = kernel.code.rpartition("__syncthreads();")
    spoiled = cp.RawKernel(before + after, "rnn_forward")
    assert barrier and sanitize(spoiled, grid, block, args, shared_mem=160).findings


def test_too_large_a_state():
    with pytest.raises(CourseError, match="a state of 1,025 numbers"):
        rnn_forward(*(cp.asarray(value) for value in inputs(1, 1, 1025)))
