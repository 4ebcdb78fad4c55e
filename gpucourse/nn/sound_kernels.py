"""CUDA C from sound to spectra: frames under a window, and the power of a frame by the sum and by the FFT.

Sound is float32 of shape (samples,) or (clips, samples). One block works on one frame, of one clip; frames lie as
those of `gpucourse.data.sound.frames`, the first around sample 0, with zeros beyond the ends. A spectrum is a row
here, (frames, bins), so that threads that are neighbors write neighbors; there it is a column.
"""

from __future__ import annotations

from typing import Any

from gpucourse.benchmarks.rung import Rung
from gpucourse.errors import CourseError
from gpucourse.nn.layer import Array, module_of

BLOCK = 256              # threads of windowed_frames and power_spectrum, which go round a frame as often as it takes
LONGEST, LONGEST_FFT = 4096, 2048    # 3 x 4 bytes a sample in 48 KB of shared memory; two samples a thread

WINDOWED_FRAMES = Rung("windowed_frames", "frames under a Hann window: one block a frame", r"""
extern "C" __global__
void windowed_frames(const float* sound, float* frames, int samples, int size, int hop)
{
    sound += blockIdx.y * (long long)samples;                               // this clip's
    frames += (blockIdx.y * (long long)gridDim.x + blockIdx.x) * size;      // this block's
    for (int i = threadIdx.x; i < size; i += blockDim.x) {
        int at = blockIdx.x * hop - size / 2 + i;
        float hann = 0.5f - 0.5f * cospif(2.0f * i / size);                 // cospif(x) is cos(pi x)
        frames[i] = at >= 0 && at < samples ? hann * sound[at] : 0;
    }
}
""")
POWER_SPECTRUM = Rung("power_spectrum", "Fourier transform as its formula says: one thread a bin", r"""
extern "C" __global__
void power_spectrum(const float* frames, float* power, int size)
{
    extern __shared__ float shared[];
    float *x = shared, *cosine = shared + size, *sine = shared + 2 * size;
    int bins = size / 2 + 1;
    for (int i = threadIdx.x; i < size; i += blockDim.x) {
        x[i] = frames[blockIdx.x * (long long)size + i];
        sincospif(2.0f * i / size, &sine[i], &cosine[i]);                   // one turn in `size` steps
    }
    __syncthreads();
    for (int k = threadIdx.x; k < bins; k += blockDim.x) {
        float re = 0, im = 0;
        for (int i = 0; i < size; i++) {
            int turned = (long long)k * i % size;                           // bin k goes k steps a sample
            re += x[i] * cosine[turned];
            im -= x[i] * sine[turned];
        }
        power[blockIdx.x * (long long)bins + k] = re * re + im * im;
    }
}
""")
FFT_POWER = Rung("fft_power", "fast Fourier transform in shared memory: one thread a pair of numbers", r"""
extern "C" __global__
void fft_power(const float* frames, float* power, int bits)
{
    extern __shared__ float shared[];
    int t = threadIdx.x, half = blockDim.x, size = 2 * half;                // size is 2 to the power of bits
    float *re = shared, *im = shared + size;
    for (int i = t; i < size; i += half) {
        int place = __brev(i) >> (32 - bits);                               // the bits of i, read backwards
        re[place] = frames[blockIdx.x * (long long)size + i];
        im[place] = 0;
    }
    for (int span = 1; span < size; span *= 2) {                            // two spectra of `span` become one
        __syncthreads();
        int k = t % span, a = 2 * (t - k) + k, b = a + span;
        float c, s;
        sincospif((float)k / span, &s, &c);
        float x = c * re[b] + s * im[b], y = c * im[b] - s * re[b];         // turned back by k / span half turns
        re[b] = re[a] - x;
        im[b] = im[a] - y;
        re[a] += x;
        im[a] += y;
    }
    for (int k = t; k <= half; k += half)                                   // what this thread itself wrote last
        power[blockIdx.x * (long long)(half + 1) + k] = re[k] * re[k] + im[k] * im[k];
}
""")
#: Kernel's name -> its rung, as a lesson's source asks for it.
RUNGS = {rung.name: rung for rung in (WINDOWED_FRAMES, POWER_SPECTRUM, FFT_POWER)}


def windowed_frames(sound: Array, size: int, hop: int) -> Array:
    """Return every frame times a Hann window, (frames, size) or (clips, frames, size); float32 device arrays.

    There are 1 + samples // hop frames. Raises CourseError for a hop outside 1 to `size` and for an odd size.
    """
    if not 1 <= hop <= size or size % 2:
        raise CourseError(f"windowed_frames: frames of {size:,} samples, hop {hop:,}; "
                          "the size must be even, the hop from 1 to the size")  # fmt: skip
    xp: Any = module_of(sound)
    *clips, samples = sound.shape
    frames = xp.empty((*clips, 1 + samples // hop, size), xp.float32)
    grid = (frames.shape[-2], *clips)
    arguments = (xp.ascontiguousarray(sound), frames, *map(xp.int32, (samples, size, hop)))
    WINDOWED_FRAMES.kernel(xp)(grid, (BLOCK,), arguments)
    return frames


def power_spectrum(frames: Array) -> Array:
    """Return |DFT|² of frames (..., size), which is (..., size // 2 + 1), by size products a bin; float32.

    Raises CourseError for frames of more than 4,096 samples: three numbers a sample must fit in shared memory.
    """
    size = frames.shape[-1]
    if size > LONGEST:
        raise CourseError(f"power_spectrum: frames of {size:,} samples; shared memory has room for {LONGEST:,}")
    return _spectra(POWER_SPECTRUM, frames, min(BLOCK, size), size, 12 * size)


def fft_power(frames: Array) -> Array:
    """Return what `power_spectrum` does in log2(size) rounds, of size / 2 threads (Cooley and Tukey, 1965).

    Raises CourseError unless the size is a power of two from 2 to 2,048.
    """
    size = frames.shape[-1]
    if size & (size - 1) or not 2 <= size <= LONGEST_FFT:
        raise CourseError(f"fft_power: frames of {size:,} samples; it takes a power of two from 2 to {LONGEST_FFT:,}. "
                          "power_spectrum takes any size")  # fmt: skip
    return _spectra(FFT_POWER, frames, size // 2, size.bit_length() - 1, 8 * size)


def _spectra(rung: Rung, frames: Array, threads: int, number: int, shared: int) -> Array:
    xp: Any = module_of(frames)
    *rows, size = frames.shape
    power = xp.empty((*rows, size // 2 + 1), xp.float32)
    arguments = (xp.ascontiguousarray(frames), power, xp.int32(number))
    rung.kernel(xp)((power.size // power.shape[-1],), (threads,), arguments, shared_mem=shared)
    return power
