"""Mel spectrograms of many clips: on the host and copied, or on the device, clip by clip or at once (lesson 17).

What begins on the host as sound shall lie on the device as mel power, (clips, bands, frames): copies are timed, too.
The last two rungs find the sound on the device already, as where it is made there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from gpucourse.benchmarks.case import FULL, Case, Checked, Machine, NotHere, Sizes
from gpucourse.benchmarks.results import checked, pytorch

TOLERANCE = 1e-4    # of the largest power


@dataclass(frozen=True)
class Task:
    """So many clips of so many samples; frames of `size` samples, one every `hop`; mel bands."""

    clips: int
    samples: int = 48_000     # 3 s
    size: int = 2048
    hop: int = 512
    bands: int = 64

    def __str__(self) -> str:
        return f"{self.clips} clips of {self.samples / 16_000:.3g} s"


#: Sound (clips, samples) on the host -> mel power (clips, bands, frames) on the device.
Mel = Callable[[Any], Any]


@dataclass(frozen=True)
class Rung:
    """How it is done, a machine and a task -> the function; where it can be; whether the sound is copied before."""

    mel: Callable[[Machine, Task], Mel]
    kinds: tuple[str, ...] = ("gpu", "cpu", "simulator")
    copied: bool = False


def mel_spectrograms(machine: Machine, sizes: Sizes) -> Iterator[Case]:
    """Clips a second, as shares of the rate of NumPy on the host."""
    clips = 256 if sizes.repeat >= FULL.repeat else 32
    task = Task(clips) if machine.kind != "simulator" else Task(3, 300, 64, 32, 4)
    for kernel in RUNGS:
        yield Case({"kernel": kernel, "task": str(task)}, task.clips, "clip", partial(_checked, kernel, machine, task),
                   share_of="" if kernel == HOST else HOST)  # fmt: skip


def _checked(kernel: str, machine: Machine, task: Task) -> Checked:
    rung, seen = RUNGS[kernel], sorted({0, task.clips - 1})
    if machine.kind not in rung.kinds:
        raise NotHere("this rung needs a GPU")
    mel = rung.mel(machine, task)
    sound = 0.1 * np.random.default_rng(17).standard_normal((task.clips, task.samples)).astype(np.float32)
    due = np.stack([_numpy(clip, *_constants(task, np.float64)) for clip in sound[seen].astype(np.float64)])
    given = machine.xp.asarray(sound) if rung.copied else sound
    return checked(kernel, machine, lambda: mel(given), seen, due, TOLERANCE)


def _constants(task: Task, dtype: type = np.float32) -> tuple[Any, Any, int]:
    """A periodic Hann window, the mel filters (bands, bins), the hop."""
    return _window(task).astype(dtype), _filters(task).astype(dtype), task.hop


def _window(task: Task) -> Any:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(task.size) / task.size)


def _filters(task: Task) -> Any:
    try:
        from gpucourse.data.sound import mel_filters
    except ImportError as error:
        raise NotHere(f"this ladder needs PyTorch ({error})") from None
    return mel_filters(task.bands, task.size).numpy()


# --- the rungs ---------------------------------------------------------------------------------------------


def _numpy(clip: Any, window: Any, filters: Any, hop: int) -> Any:
    """Mel power of one clip, (bands, frames)."""
    size = len(window)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(clip, size // 2), size)[::hop]
    spectrum = np.fft.rfft(frames * window)
    return filters @ (spectrum.real**2 + spectrum.imag**2).T


def _on_the_host(machine: Machine, task: Task) -> Mel:
    constants = _constants(task)
    return lambda sound: machine.xp.asarray(np.stack([_numpy(clip, *constants) for clip in sound]))


def _torch_on_the_cpu(machine: Machine, task: Task) -> Mel:
    mel, torch = _torch_mel(machine, task, "cpu"), pytorch(machine)
    return lambda sound: mel(torch.from_numpy(sound)).to(_device(machine))


def _clip_by_clip(machine: Machine, task: Task) -> Mel:
    mel, torch, device = _torch_mel(machine, task), pytorch(machine), _device(machine)
    return lambda sound: torch.stack([mel(clip.to(device)) for clip in torch.from_numpy(sound)])


def _one_batch(machine: Machine, task: Task) -> Mel:
    mel, torch = _torch_mel(machine, task), pytorch(machine)
    return lambda sound: mel(torch.from_numpy(sound).to(_device(machine)))


def _already_there(machine: Machine, task: Task) -> Mel:
    mel, torch = _torch_mel(machine, task), pytorch(machine)
    return lambda sound: mel(torch.from_dlpack(sound))


def _own_kernels(machine: Machine, task: Task) -> Mel:
    """Two launches of kernels, and a matrix product."""
    from gpucourse.nn.sound_kernels import fft_power, windowed_frames  # which imports this package

    filters = machine.xp.asarray(_filters(task).T)
    return lambda sound: (fft_power(windowed_frames(sound, task.size, task.hop)) @ filters).swapaxes(1, 2)


def _torch_mel(machine: Machine, task: Task, device: str = "") -> Mel:
    """What `gpucourse.data.sound.mel` does, with filters that lie on the device before."""
    torch = pytorch(machine)
    from gpucourse.data import sound  # which imports it

    filters = torch.from_numpy(_filters(task)).to(device or _device(machine))
    return lambda waves: filters @ sound.power(waves, task.size, task.hop)


def _device(machine: Machine) -> str:
    return "cuda" if machine.kind == "gpu" else "cpu"


HOST = "NumPy on the host, clip by clip"
_GPU = ("gpu", "simulator")
#: NumPy first: the others are given as shares of its rate.
RUNGS = {
    HOST: Rung(_on_the_host),
    "PyTorch on the CPU, one batch": Rung(_torch_on_the_cpu),
    "PyTorch on the device, clip by clip": Rung(_clip_by_clip),
    "PyTorch on the device, one batch": Rung(_one_batch, _GPU),
    "sound there already, PyTorch": Rung(_already_there, _GPU, copied=True),
    "sound there already, own kernels": Rung(_own_kernels, _GPU, copied=True),
}
