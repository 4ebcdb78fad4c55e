"""Lesson 02's sentences against the numbers they speak of, and its exercises against the code it shows."""

import queue
import re
import threading
from pathlib import Path

import numpy as np
import pytest

from gpucourse import cupy_sim
from gpucourse.exercises.n02_arrays_on_the_gpu import cubic, estimate, tight
from gpucourse.recorded import published

TEXT = (Path(__file__).parents[2] / "notebooks" / "src" / "02_arrays_on_the_gpu.md").read_text("utf-8")
PROSE = " ".join(re.sub(r"```python\n.*?```", "", TEXT, flags=re.DOTALL).split())
A100, RYZEN = published("NVIDIA A100 SXM 40 GB"), published("AMD Ryzen 9 7950X")
LINK = 16e9 * 16 * 128 / 130 / 8


def shown(name):
    """The function or class of that name, from the lesson's own cell."""
    cell = next(c for c in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if f"def {name}(" in c)
    names = {"np": np, "cp": cupy_sim}
    exec(cell, names)
    return names[name]


@pytest.mark.parametrize(
    "figure",
    [
        '"216,000 times faster"',  # 3.237 s / 15 µs, as the page rounds it
        f"{8192**3 // 512**3:,}-fold",  # the work of the published table
        f"A factor of {21.891e-3 / 23.100e-6:.0f} is gone",  # waiting against not waiting
        f"launches {2 + 3 * 1998:,} kernels",  # the claim check's loop over 2000 numbers
        "about 25 µs for each",  # 49.439 µs for two requests
        f"The ratio is {3.221 / 159.563e-3:.0f}, not 64",  # one core against all of them
    ],
)
def test_a_figure_in_the_prose_is_that_of_the_data(figure):
    assert figure in PROSE


def test_what_the_prose_says_of_the_published_table_holds():
    n, gpu = (512, 1024, 2048, 4096, 8192), (13.0e-6, 9.62e-6, 10.861e-6, 12.48e-6, 15e-6)
    assert all(t < 2 * k**3 / 19.5e12 for k, t in zip(n, gpu, strict=True))  # "every one of the five points"
    assert 2 * A100.peak_float64 == pytest.approx(19.5e12, rel=0.01)  # tensor cores double float64
    assert round(3.237 / 15e-6, -3) == 216_000


def test_what_the_prose_says_of_link_and_memories_holds():
    assert LINK < RYZEN.bandwidth < A100.bandwidth  # "slower than either memory"
    data_center = [published(name) for name in ("NVIDIA A100 SXM 40 GB", "NVIDIA H100 SXM 80 GB")]
    gaming = [published(name) for name in ("NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 5090")]
    assert [round(c.peak_float32 / c.peak_float64) for c in data_center] == [2, 2]
    assert [round(c.peak_float32 / c.peak_float64) for c in gaming] == [64, 64]


def test_the_traffic_on_paper_is_nine_times_that_of_one_kernel():
    # 2*, x**3, 3*, x**2, 0.5* and the last + read one array; - and the first + read two; each writes one
    assert (8 + 6 * 1 + 2 * 2) / 2 == 9


@pytest.mark.parametrize("steps", [1, 5])
def test_leaky_is_what_the_exercise_holds_tight_against(steps):
    x = np.linspace(-1, 3, 1000, dtype=np.float32)
    with cupy_sim.count_transfers() as t:
        got = shown("leaky")(cupy_sim, cupy_sim.asarray(x), steps)
    assert np.allclose(got, tight(x, steps), rtol=1e-5)
    assert t.to_host == 3 * steps
    assert t.to_device == 1  # x itself


@pytest.mark.parametrize(("height", "width", "bins"), [(600, 512, 16), (48, 64, 7), (3, 5, 1)])
def test_the_estimate_is_what_the_counters_find(height, width, bins):
    image = np.arange(height * width, dtype=np.uint32).astype(np.uint8).reshape(height, width)
    with cupy_sim.count_transfers() as t, cupy_sim.count_launches() as k:
        shown("pipeline")(cupy_sim, image, bins)
    assert (t.bytes_to_device, t.bytes_to_host, k.launches) == estimate(height, width, bins)


def test_the_formula_of_the_lesson_is_the_exercises_cubic():
    x = np.linspace(-2, 2, 101)
    assert np.allclose(shown("formula")(x), cubic(x))


def test_the_stream_of_the_lesson_keeps_order_and_waits():
    cell = next(c for c in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "class Stream" in c)
    names = {"queue": queue, "threading": threading}
    exec(cell, names)
    stream, order = names["Stream"](), []
    for number in range(100):
        stream.launch(order.append, number)
    stream.synchronize()
    assert order == list(range(100))


def test_the_two_clocks_are_those_of_the_explorer():
    from gpucourse.viz.timeline import schedule

    for kernels, kernel, launch in ((4, 100, 25), (5, 3, 20), (1, 7, 7)):
        plan = schedule(kernels, kernel, launch, megabytes=0, wait=True)
        assert shown("clocks")(kernels, kernel, launch) == (plan.without_waiting, plan.with_waiting)


def test_the_answer_to_the_pipelines_prediction_is_what_the_explorer_shows():
    from gpucourse.viz.pipeline import schedule

    def total(chunks=4, streams=3, copy=12, kernel=10):
        return max(bar.end for bar in schedule(chunks, streams, copy, kernel, back=8))

    assert f"16 chunks take {total(chunks=16):.1f} ms" in PROSE
    assert total(streams=1) == total(chunks=1) == 30 and "one stream or one chunk it is 30 ms" in PROSE
    assert total() - total(copy=10) == 2 and "of 10 ms in place of 12 saves 2 ms" in PROSE
    assert total() - total(kernel=8) == 0.5 and "a kernel of 8 in place of 10 only 0.5" in PROSE
