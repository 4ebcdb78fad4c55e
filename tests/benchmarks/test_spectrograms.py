"""The ladder of lesson 17: each rung gives librosa's mel spectrograms, where its name says; it can be rehearsed."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from gpucourse import benchmarks, cupy_sim  # noqa: E402
from gpucourse.benchmarks import spectrograms as ladder  # noqa: E402
from gpucourse.benchmarks.case import FULL, QUICK, Machine, WrongResult, measure  # noqa: E402
from gpucourse.data import sound  # noqa: E402

CPU = Machine("cpu", "a CPU", np, lambda: None, 1, torch=torch)
SIMULATOR = Machine("simulator", "the simulator", cupy_sim, lambda: None, 1)
TASK = ladder.Task(3, 900, 256, 100, 12)
GPU_ONLY = [name for name, rung in ladder.RUNGS.items() if "cpu" not in rung.kinds]


@pytest.mark.parametrize("kernel", ladder.RUNGS)
def test_a_rung_gives_librosas_mel_spectrograms(kernel, librosa):
    x = 0.1 * np.random.default_rng(0).standard_normal((3, 900)).astype(np.float32)
    due = librosa.feature.melspectrogram(y=x, sr=sound.RATE, n_mels=12, n_fft=256, hop_length=100)
    rung = ladder.RUNGS[kernel]
    found = rung.mel(SIMULATOR, TASK)(cupy_sim.asarray(x) if rung.copied else x)
    found = found.get() if hasattr(found, "get") else np.asarray(found)
    np.testing.assert_allclose(found, due, rtol=1e-4, atol=1e-5 * due.max())


@pytest.mark.parametrize("kernel", ladder.RUNGS)
@pytest.mark.parametrize("wrong", ["twice as loud", "first and last exchanged", "one frame too few"])
def test_a_wrong_spectrogram_is_noticed(kernel, wrong, monkeypatch):
    right = ladder.RUNGS[kernel]
    spoil = {"twice as loud": lambda mel: mel * 4, "one frame too few": lambda mel: mel[:, :, :-1],
             "first and last exchanged": lambda mel: mel[[2, 1, 0]]}[wrong]

    def off(machine, task):
        mel = right.mel(machine, task)
        return lambda given: spoil(mel(given))

    monkeypatch.setitem(ladder.RUNGS, kernel, replace(right, mel=off))
    call = ladder._checked(kernel, SIMULATOR, TASK)
    call()
    with pytest.raises(WrongResult, match="the largest error is"):
        call.check()


@pytest.mark.parametrize("kernel", [name for name in ladder.RUNGS if name.startswith("PyTorch")])
def test_clip_by_clip_and_at_once(kernel, monkeypatch):
    """How many clips each transform is given."""
    seen, power = [], sound.power
    monkeypatch.setattr(sound, "power", lambda x, *how: seen.append(x.shape) or power(x, *how))
    ladder.RUNGS[kernel].mel(CPU, TASK)(np.zeros((3, 900), np.float32))
    assert seen == ([(900,)] * 3 if kernel.endswith("clip by clip") else [(3, 900)])


def entries(machine, sizes):
    (name, benchmark), = benchmarks.table("gpu", "sound").items()
    assert name == "sound"
    return list(measure(name, benchmark, machine, sizes))


def test_the_ladder_is_rehearsed_on_the_simulator():
    found = entries(SIMULATOR, QUICK)
    assert [entry.get("error") for entry in found] == [None] * len(ladder.RUNGS)
    assert [entry["parameters"]["kernel"] for entry in found] == list(ladder.RUNGS)
    assert not any("skipped" in entry for entry in found)
    assert [entry.get("of") for entry in found] == [None, *[ladder.HOST] * 5]
    assert all(entry["unit"] == "clip/s" and entry["work"] == 3 for entry in found)


def test_a_cpu_skips_what_needs_a_device_and_without_pytorch_numpy_remains(monkeypatch):
    monkeypatch.setattr(ladder, "Task", lambda clips: TASK)
    skipped = {entry["parameters"]["kernel"]: entry.get("skipped") for entry in entries(CPU, QUICK)}
    assert skipped == dict.fromkeys(ladder.RUNGS) | dict.fromkeys(GPU_ONLY, "this rung needs a GPU")
    without = [entry for entry in entries(replace(CPU, torch=None), QUICK) if "skipped" not in entry]
    assert [entry["parameters"]["kernel"] for entry in without] == [ladder.HOST] and "error" not in without[0]
    assert len(GPU_ONLY) == 3


def test_a_few_hundred_clips_of_three_seconds_and_fewer_for_a_trial():
    tasks = [next(iter(ladder.mel_spectrograms(CPU, sizes))).parameters["task"] for sizes in (FULL, QUICK)]
    assert tasks == ["256 clips of 3 s", "32 clips of 3 s"]
