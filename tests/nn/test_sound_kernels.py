"""From sound to spectra in CUDA C: PyTorch's and NumPy's numbers, clean under the sanitizer, no barrier too many."""

import numpy as np
import pytest

from gpucourse import cp, profile, sanitize
from gpucourse.errors import CourseError
from gpucourse.nn import sound_kernels as kernels
from gpucourse.nn.sound_kernels import fft_power, power_spectrum, windowed_frames

torch = pytest.importorskip("torch")


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def spectra_of(frames):
    return abs(np.fft.rfft(frames.astype(np.float64))) ** 2


@pytest.mark.parametrize(("size", "hop"), [(512, 256), (400, 160), (64, 64), (6, 1), (2, 1)])
@pytest.mark.parametrize("shape", [(1300,), (3, 700)])
def test_frames_under_the_window_are_pytorchs(shape, size, hop):
    sound = noise(*shape)
    padded = torch.nn.functional.pad(torch.from_numpy(sound), (size // 2, size // 2))
    due = padded.unfold(-1, size, hop) * torch.hann_window(size)
    found = windowed_frames(cp.asarray(sound), size, hop)
    assert found.shape == due.shape and found.dtype == np.float32
    np.testing.assert_allclose(found.get(), due, rtol=1e-4, atol=1e-6)


def test_frames_of_a_sound_shorter_than_one():
    (only,) = windowed_frames(cp.ones(5, np.float32), 16, 8).get()
    np.testing.assert_allclose(only, torch.hann_window(16).numpy() * ([0] * 8 + [1] * 5 + [0] * 3), atol=1e-6)


@pytest.mark.parametrize("spectra", [power_spectrum, fft_power])
@pytest.mark.parametrize("shape", [(3, 2), (2, 4), (1, 64), (2, 3, 256), (1, 1024)])
def test_the_power_is_numpys(spectra, shape):
    frames = noise(*shape)
    due = spectra_of(frames)
    found = spectra(cp.asarray(frames))
    assert found.shape == due.shape and found.dtype == np.float32
    np.testing.assert_allclose(found.get(), due, rtol=1e-4, atol=1e-5 * due.max())


def test_a_frame_of_any_size_by_the_sum_and_the_longest_by_the_fft():
    for spectra, size in ((power_spectrum, 1), (power_spectrum, 400), (power_spectrum, 77), (fft_power, 2048)):
        frames = noise(1, size)
        np.testing.assert_allclose(spectra(cp.asarray(frames)).get(), spectra_of(frames), rtol=1e-4, atol=1e-2)


def test_sound_to_spectra_is_the_packages_own():
    from gpucourse.data import sound

    x = 0.3 * noise(2, 2000)
    due = sound.power(torch.from_numpy(x), 512, 256)                 # (2, bins, frames)
    found = fft_power(windowed_frames(cp.asarray(x), 512, 256))      # (2, frames, bins)
    np.testing.assert_allclose(found.get().swapaxes(1, 2), due, rtol=1e-4, atol=1e-6 * float(due.max()))


def test_a_tone_is_one_bin_under_no_window():
    frames = np.sin(2 * np.pi * 5 * np.arange(128) / 128).astype(np.float32)[None]
    for spectra in (power_spectrum, fft_power):
        power = spectra(cp.asarray(frames)).get()[0]
        assert power[5] == pytest.approx(64.0**2) and np.delete(power, 5).max() < 1e-6


def launch(name):
    """A rung's kernel, its launch for 2 frames of 128, and bytes of shared memory."""
    frames, power = cp.asarray(noise(2, 128)), cp.empty((2, 65), np.float32)
    block, number, shared = {"power_spectrum": (96, 128, 1536), "fft_power": (64, 7, 1024)}[name]
    return kernels.RUNGS[name].kernel(cp), (2,), (block,), (frames, power, np.int32(number)), shared


@pytest.mark.parametrize(("name", "barriers"), [("power_spectrum", 1), ("fft_power", 7)])
def test_clean_under_the_sanitizer_and_as_many_barriers_as_rounds(name, barriers):
    kernel, grid, block, args, shared = launch(name)
    assert not sanitize(kernel, grid, block, args, shared_mem=shared).findings
    warps = 2 * block[0] // 32
    assert profile(kernel, grid, block, args, shared_mem=shared).barriers == warps * barriers


def test_windowed_frames_is_clean_under_the_sanitizer():
    sound, frames = cp.asarray(noise(2, 300)), cp.empty((2, 4, 128), np.float32)
    numbers = map(np.int32, (300, 128, 100))
    kernel = kernels.WINDOWED_FRAMES.kernel(cp)
    assert not sanitize(kernel, (4, 2), (64,), (sound, frames, *numbers)).findings


@pytest.mark.parametrize("name", ["power_spectrum", "fft_power"])
def test_without_its_barrier_it_is_a_race(name):
    kernel, grid, block, args, shared = launch(name)
    assert kernel.code.count("__syncthreads();") == 1
    spoiled = cp.RawKernel(kernel.code.replace("__syncthreads();", ""), name)
    assert sanitize(spoiled, grid, block, args, shared_mem=shared).findings


@pytest.mark.parametrize(("call", "words"), [
    (lambda: windowed_frames(cp.zeros(10), 8, 9), "frames of 8 samples, hop 9"),
    (lambda: windowed_frames(cp.zeros(10), 8, 0), "hop 0"),
    (lambda: windowed_frames(cp.zeros(10), 7, 2), "must be even"),
    (lambda: power_spectrum(cp.zeros((1, 4097))), "4,097 samples; shared memory has room for 4,096"),
    (lambda: fft_power(cp.zeros((1, 4096))), "2 to 2,048"),
    (lambda: fft_power(cp.zeros((1, 400))), "a power of two .* power_spectrum takes any size"),
    (lambda: fft_power(cp.zeros((1, 1))), "frames of 1 samples"),
])  # fmt: skip
def test_sizes_that_are_refused(call, words):
    with pytest.raises(CourseError, match=words):
        call()
