"""Lesson 03's rungs against NumPy for other sizes than the lesson's, and its sentences against what they speak of."""

import random
import re
from pathlib import Path

import numpy as np
import pytest

from gpucourse import cupy_sim
from gpucourse.recorded import published
from gpucourse.viz.thread_grid import BEYOND, OTHER, launch

TEXT = (Path(__file__).parents[2] / "notebooks" / "src" / "03_first_kernel.md").read_text("utf-8")
CELLS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
PROSE = " ".join(re.sub(r"```python\n.*?```", "", TEXT, flags=re.DOTALL).split())
SIZES = (1, 2, 10, 13, 24)


def shown(*names):
    """What the lesson's own cells call by these names: their definitions run, nothing else of them."""
    space = {"np": np, "cp": cupy_sim, "random": random}
    for name in names:
        cell = next(c for c in CELLS if re.search(rf"^(def {name}\(|{name} = cp\.\w+Kernel\()", c, re.MULTILINE))
        start = re.search(rf"^(def {name}\(|{name} = )", cell, re.MULTILINE).start()
        exec(re.split(r"\n\n(?=\S)|\n(?=\w+ = |for )", cell[start:])[0], space)
    return [space[name] for name in names]


def celsius(n):
    return np.random.default_rng(n).random(n, dtype=np.float32) * 60 - 20


@pytest.mark.parametrize("n", SIZES)
def test_every_rung_of_the_ladder_gives_numpys_numbers(n):
    body, guarded, in_steps, run = shown("body", "guarded", "in_steps", "launch")
    c, blocks = celsius(n), -(-n // 4)
    outs = [np.zeros(n, np.float32) for _ in range(3)]
    for i in range(n):
        body(i, c, outs[0])
    for block in range(blocks):
        for thread in range(4):
            guarded(block, thread, c, outs[1], n)
    run(in_steps, blocks, 4, c, outs[2], n, seed=n)
    for out in outs:
        assert np.allclose(out, c.astype(np.float64) * 1.8 + 32, rtol=1e-6)


@pytest.mark.parametrize("n", SIZES)
def test_the_kernels_of_the_last_rung_give_numpys_numbers(n):
    short, whole, strided = shown("to_fahrenheit", "fahrenheit", "warm_all")
    c = cupy_sim.asarray(celsius(n))
    outs = [short(c), cupy_sim.zeros(n, np.float32), cupy_sim.zeros(n, np.float32)]
    whole((-(-n // 4),), (4,), (c, outs[1], np.int32(n)))
    strided((2,), (2,), (c, outs[2], np.int32(n)))
    for out in outs:
        assert np.allclose(out.get(), celsius(n).astype(np.float64) * 1.8 + 32, rtol=1e-5)


def test_the_stand_in_for_threads_loses_additions_and_finishes_every_thread():
    add_up, run = shown("add_up", "launch")
    sums = []
    for seed in range(5):
        total = np.zeros(1, np.float32)
        run(add_up, 3, 4, np.arange(10, dtype=np.float32), total, 10, seed=seed)
        sums.append(float(total[0]))
    assert 45 not in sums and len(set(sums)) > 1  # "A different number nearly each time, and never 45"


def test_what_the_prose_says_of_the_photograph_holds():
    from matplotlib.cbook import get_sample_data
    from matplotlib.image import imread

    assert imread(get_sample_data("grace_hopper.jpg", asfileobj=False)).shape == (600, 512, 3)
    assert "600 rows and 512 columns" in PROSE
    assert 512 % 32 == 600 % 8 == 0  # "both lengths are multiples of the block's"
    for name in ("NVIDIA T4", "NVIDIA H100 SXM 80 GB"):
        device = published(name)
        assert device.multiprocessors * device.threads_per_multiprocessor < 600 * 512
    large = published("NVIDIA H100 SXM 80 GB")
    assert large.cores / large.multiprocessors == 128  # "compute with 128 in a cycle"


def test_what_the_prose_says_of_the_orange_threads_holds():
    grid = launch((10, 5), (4, 2), guard=False)
    assert grid.count(OTHER) and grid.count(BEYOND)
    assert grid.does()[0, 10] == OTHER and grid.elements()[0, 10] == 10
