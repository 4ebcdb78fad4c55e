"""Lesson 01's sentences against the data they speak of: the figures in the prose follow the data."""

from pathlib import Path

import numpy as np
import pytest

from gpucourse.exercises.n01_cpu_vs_gpu import LOGS, honest_speedup
from gpucourse.recorded import published
from gpucourse.viz.amdahl import speedup

TEXT = (Path(__file__).parents[2] / "notebooks" / "src" / "01_cpu_vs_gpu.md").read_text("utf-8")
DESKTOP, SERVER = published("AMD Ryzen 9 7950X"), published("AMD EPYC 9654")
T4, GAMER, LARGE = (
    published("NVIDIA T4"),
    published("NVIDIA GeForce RTX 4090"),
    published("NVIDIA H100 SXM 80 GB"),
)
GPUS = [device for device in published() if device.kind == "gpu" and device.cores]


def lanes(cpu):
    return cpu.cores * cpu.flop_per_cycle // 2


@pytest.mark.parametrize(
    "sentence",
    [
        f'"{LARGE.cores:,} CUDA cores"',
        f"on both sides and it is {LARGE.cores / lanes(DESKTOP):.0f} times",
        f"a factor of {LARGE.peak_float32 / DESKTOP.peak_float32:.0f}; from the server CPU it is "
        f"{LARGE.peak_float32 / SERVER.peak_float32:.0f}",
        f"draws {GAMER.power:.0f} W against {DESKTOP.power:.0f} W",
        f"the desktop CPU {GAMER.bandwidth / DESKTOP.bandwidth:.0f} times where memory decides and "
        f"{GAMER.peak_float32 / DESKTOP.peak_float32:.0f} times where arithmetic does",
        f"this log says {honest_speedup(LOGS[0]):.1f} times, not "
        f"{np.mean(LOGS[0]['cpu_us']) / np.mean(LOGS[0]['gpu_ms']):.0f}",
        f"the published {DESKTOP.bandwidth / 1e9:.0f} GB/s of the desktop CPU's memory",
    ],
)
def test_a_figure_in_the_prose_is_that_of_the_data(sentence):
    assert sentence in TEXT


def test_what_the_prose_says_of_the_makers_figures_holds():
    energy = {device: device.power / device.bandwidth for device in (DESKTOP, GAMER)}
    assert energy[GAMER] < energy[DESKTOP] / 4  # "less than a quarter"
    assert GAMER.price > 2 * DESKTOP.price  # "more than twice as much"
    assert T4.bandwidth < SERVER.bandwidth < 2 * T4.bandwidth  # "beats the small T4"
    assert SERVER.peak_float32 == pytest.approx(T4.peak_float32, rel=0.15)  # "nearly equals it"
    assert 20_000 < max(gpu.cores for gpu in GPUS) < 25_000  # "some twenty thousand"
    assert max(gpu.multiprocessors or 0 for gpu in GPUS) < 200  # "under two hundred"
    assert LARGE.clock < DESKTOP.clock  # "the GPU's clock is slower too"


def test_what_the_prose_says_of_amdahls_law_holds():
    assert 64 * 16 == 1024
    assert 2 < speedup(0.95, 1024) / speedup(0.95, 16) < 2.3  # "little more than twice"


def test_the_workshops_cross_where_the_alternative_text_says():
    tasks = 4 ** np.arange(8)
    a, b = np.ceil(tasks / 4), np.ceil(tasks / 1000) * 20
    assert (a[0], a[-1], b[0], b[-1]) == (1, 4096, 20, 340)
    assert [int(n) for n in tasks[b < a]] == [256, 1024, 4096, 16384]
