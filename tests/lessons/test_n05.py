"""Lesson 05's sentences against the numbers they speak of, worked out here by hand."""

import re
from pathlib import Path

import numpy as np
import pytest

from gpucourse import cupy_sim, profile, sanitize, simulate
from gpucourse.simt.occupancy import LIMITS

TEXT = (Path(__file__).parents[2] / "notebooks" / "src" / "05_shared_memory.md").read_text("utf-8")
PROSE = " ".join(re.sub(r"```python\n.*?```", "", TEXT, flags=re.DOTALL).split())
WARPS = 288 * 256 // 32
CODE = dict(re.findall(r'(?m)^(\w+) = cp\.RawKernel\(r"""(.*?)"""', TEXT, re.DOTALL))


def kernel(name, old="", new=""):
    """A kernel of the lesson's own text, with a replacement."""
    source = CODE[name].replace(old, new) if old else CODE[name]
    return cupy_sim.RawKernel(source, re.search(r"void (\w+)\(", source)[1])


@pytest.mark.parametrize(
    "figure",
    [
        f"{WARPS * 8:,} sectors in place of {WARPS * 36:,}",        # 4 + 4, and 4 + 32, for each warp
        f"taken away {WARPS * 31:,} conflicts",                      # 32 wavefronts in place of 1
        f"{256 - 8} of 256 results",                                 # the last lane of each of 8 warps
        f"row 17 and column 1, since 17 · 18 + 1 = {17 * 18 + 1}",
        f"The tile has {18 * 18} elements and there are {16 * 16} threads, so {18 * 18 - 16 * 16} elements",
        f"reads {4 * 16} of them",                                   # four sides without their corners
        f"{2**32 - 2:,}",                                            # 0 - 2 without a sign
        f"{33 * 32:,} elements are 33 · 32",
        "In the last block 12 threads have no element",              # 4 * 128 - 500
        "Thread 115 of that block has element 499",
    ],
)  # fmt: skip
def test_a_figure_in_the_prose_is_that_of_the_data(figure):
    assert figure in PROSE
    assert 4 * 128 - 500 == 12 and 3 * 128 + 115 == 499


def test_what_a_multiprocessor_has_is_as_the_prose_says():
    sizes = [LIMITS[capability].shared // 1024 for capability in ("7.5", "8.0", "9.0")]
    assert "{} KiB on a T4, {} KiB on an A100, {} KiB on an H100".format(*sizes) in PROSE


@pytest.mark.parametrize("seed", range(20))
def test_only_the_last_lanes_of_warps_can_be_wrong_without_the_barrier(seed):
    x, out = cupy_sim.arange(256, dtype=np.float32), cupy_sim.zeros(256, np.float32)
    _, found = simulate(kernel("next_of"), (2,), (128,), (x, out), schedule="adversarial", seed=seed)
    wrong = np.flatnonzero(found != np.roll(np.arange(256).reshape(2, 128), -1, axis=1).ravel())
    assert set(wrong % 32) <= {31}


@pytest.mark.parametrize("stride", range(34))
def test_odd_strides_are_free_and_factors_of_two_are_not(stride):
    p = profile(kernel("probe"), (1,), (32,), (cupy_sim.zeros(32, np.float32), np.int32(stride)))
    assert p.shared_wavefronts - 33 == np.gcd(stride, 32) ** (stride > 0)     # 33 turns that fill s


@pytest.mark.parametrize("padding", range(17))
def test_no_padding_frees_a_tile_of_16_by_16(padding):
    code = ("tile[T][T];", f"tile[T][T + {padding}];")
    turned = kernel("turn_tile", *code).code.replace("T 32", "T 16")
    x, out = cupy_sim.zeros((32, 32), np.float32), cupy_sim.zeros((32, 32), np.float32)
    p = profile(cupy_sim.RawKernel(turned, "turn_tile"), (2, 2), (16, 16), (x, out, np.int32(32), np.int32(32)))
    assert p.bank_conflicts > 0


@pytest.mark.parametrize("n", [1, 2, 127, 128, 129, 500])
def test_the_stencils_of_the_lesson_agree_for_any_size(n):
    x = np.random.default_rng(n).random(n, dtype=np.float32)
    padded = np.pad(x, 1)
    for name in ("smooth", "smooth_tile"):
        args = (cupy_sim.asarray(x), cupy_sim.zeros(n, np.float32), np.int32(n))
        assert sanitize(kernel(name), (-(-n // 128),), (128,), args).ok
        kernel(name)((-(-n // 128),), (128,), args)
        assert np.allclose(args[1].get(), (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4)


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (17, 15), (5, 40)])
def test_edges_with_and_without_a_tile_agree_for_any_shape(shape):
    x, (h, w) = np.random.default_rng(7).random(shape, dtype=np.float32), shape
    p = np.pad(x, 1)
    due = abs(4 * x - p[:-2, 1:-1] - p[2:, 1:-1] - p[1:-1, :-2] - p[1:-1, 2:])
    for name in ("edges", "straight"):
        args = (cupy_sim.asarray(x), cupy_sim.zeros(shape, np.float32), np.int32(h), np.int32(w))
        assert sanitize(kernel(name), (-(-w // 16), -(-h // 16)), (16, 16), args).ok
        kernel(name)((-(-w // 16), -(-h // 16)), (16, 16), args)
        assert np.allclose(args[1].get(), due, atol=1e-5)


def test_the_answer_to_the_banks_prediction_is_what_the_explorer_shows():
    from gpucourse.viz.banks import request

    assert "The columns take {} and {} wavefronts".format(
        ", ".join(str(request(width).wavefronts) for width in (16, 24)), request(33).wavefronts) in PROSE
    assert [padding for padding in range(9) if request(32, padding).wavefronts == 1] == [1, 3, 5, 7]
    assert request(33, bits=64).wavefronts == 2 and request(32, bits=64).degree == 16
