"""The window-and-hop explorer: a sound with its frames, and its spectrogram: finer in time is coarser in frequency.

Its own sound holds two close tones and two close clicks. Under a Hann window the power between two tones falls to half
of theirs where they are two bins apart, and between two clicks where they are half a window apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpucourse.errors import CourseError
from gpucourse.viz import explorer, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

Samples = NDArray[np.float32]
Power = NDArray[np.float32]

RATE = 16_000
TONES = (500.0, 540.0)      # Hz
CLICKS = (0.496, 0.516)     # s
SECONDS, LOUD, RAMP, CLICK = 1.0, 0.1, 0.1, 0.8    # of the sound; of a tone; of its rise and its end, in s; of a click
TOP = 1000.0                # Hz that are drawn of it
QUIET = 2000.0              # Hz above which only the clicks are heard
WINDOWS = (128, 256, 512, 1024, 2048, 4096, 8192)
HOPS = (64, 128, 256, 512, 1024)
SHOWN = 5                   # frames drawn over the signal
RANGE = 80                  # dB from the darkest to the brightest
QUIETEST = 1e-10            # powers below count as this
MOST = 20_000_000           # numbers of a spectrogram
PIXELS = (240, 700)         # rows and columns that a picture can show


@dataclass(frozen=True)
class Cut:
    """How a sound of `samples` at `rate` samples a second is cut into frames; `window` and `hop` in samples."""

    samples: int
    rate: int
    window: int
    hop: int

    @property
    def columns(self) -> int:
        """Frames, of which each becomes a column: the first is centered on sample 0."""
        return 1 + (self.samples - self.window % 2) // self.hop

    @property
    def bins(self) -> int:
        """Rows, from 0 Hz to half the rate."""
        return self.window // 2 + 1

    @property
    def apart(self) -> float:
        """Seconds from one column to the next."""
        return self.hop / self.rate

    @property
    def covers(self) -> float:
        """Seconds that a window covers."""
        return self.window / self.rate

    @property
    def width(self) -> float:
        """Hertz from one bin to the next."""
        return self.rate / self.window

    @property
    def overlap(self) -> float:
        """The share of a window that the next one covers again."""
        return 1 - self.hop / self.window


@cache
def tones_and_clicks() -> Samples:
    """Return the explorer's own sound: tones of 500 and 540 Hz for a second, clicks at 496 and 516 ms, at 16 kHz."""
    time = np.arange(round(SECONDS * RATE)) / RATE
    ramp = np.sin(np.pi / 2 * np.clip(np.minimum(time, SECONDS - time) / RAMP, 0, 1)) ** 2
    sound = LOUD * ramp * sum(np.sin(2 * np.pi * tone * time) for tone in TONES)
    for click in CLICKS:
        sound[round(click * RATE)] += CLICK
    return np.asarray(sound, np.float32)


def spectrogram(
    sound: Any = None, rate: int = RATE, window: int = 2048, hop: int = 512
) -> tuple[Samples, Cut, Power]:
    """Return the sound, how it is cut, and the power of each bin in each column, (bins, columns).

    Raises CourseError for a sound that is not a row of numbers, and for a rate, window or hop that cannot be.
    """
    import torch

    from gpucourse.data import sound as sounds

    samples = tones_and_clicks() if sound is None else _samples(sound)
    _refuse(rate, window, hop)
    cut = Cut(len(samples), rate, window, hop)
    if cut.columns * cut.bins > MOST:
        raise CourseError(f"window_and_hop: {cut.columns:,} columns of {cut.bins:,} bins; at most {MOST:,} numbers are "
                          "drawn: give a shorter sound or a longer hop")  # fmt: skip
    return samples, cut, sounds.power(torch.from_numpy(samples), window, hop).numpy()


def _refuse(rate: int, window: int, hop: int) -> None:
    if rate <= 0 or window < 2:
        raise CourseError(f"window_and_hop: rate={rate}, window={window}; the rate is above 0 samples a second, and a "
                          "window has at least 2 samples")  # fmt: skip
    if not 1 <= hop <= window:
        raise CourseError(f"window_and_hop: hop={hop} with window={window}; a hop has 1 to {window} samples, or what "
                          "lies between two windows is lost: shorten the hop or lengthen the window")  # fmt: skip


def _samples(sound: Any) -> Samples:
    value = sound.detach().cpu() if hasattr(sound, "detach") else sound
    found = np.asarray(value)
    if found.ndim != 1 or not len(found):
        raise CourseError(f"window_and_hop: sound has shape {found.shape}; give one channel, (samples,)")
    if not np.isfinite(found).all():
        raise CourseError(f"window_and_hop: {np.count_nonzero(~np.isfinite(found)):,} of {len(found):,} samples are "
                          "nan or infinite; look at how the sound was made")  # fmt: skip
    return np.array(found, np.float32)      # a copy: torch warns of memory that it may not write to


# --- which of the pairs can be told apart ------------------------------------------------------------


@dataclass(frozen=True)
class Profile:
    """Power along frequency or along time, its largest 1, at `places` in Hz or s; `pair` are the places of two events.

    `apart`: whether there is a valley between them, less than half as high as the lower of the two peaks.
    """

    power: NDArray[np.float64]
    places: NDArray[np.float64]
    pair: tuple[float, float]

    @property
    def apart(self) -> bool:
        """False too where no column or bin lies between the two, or one of them is lost between two windows."""
        first, second = self.pair
        between = self.power[(self.places > first) & (self.places < second)]
        peaks = [self.power[np.abs(self.places - place) <= (second - first) / 2].max(initial=0) for place in self.pair]
        return bool(len(between) and between.min() < 0.5 * min(peaks))


def of_tones(cut: Cut, power: Power) -> Profile:
    """Return the mean spectrum."""
    mean = power.mean(axis=1, dtype=np.float64)
    return Profile(mean / mean.max(), cut.width * np.arange(cut.bins, dtype=np.float64), TONES)


def of_clicks(cut: Cut, power: Power) -> Profile:
    """Return the power over time of the bins far above the tones."""
    high = np.arange(cut.bins) * cut.width > QUIET
    mean = power[high].mean(axis=0, dtype=np.float64)
    return Profile(mean / mean.max(), cut.apart * np.arange(cut.columns, dtype=np.float64), CLICKS)


# --- words and picture -------------------------------------------------------------------------------


def said(cut: Cut, power: Power, own: bool) -> str:
    """Say how the sound is cut, what that separates and, of the explorer's own sound, which pairs are separated."""
    text = (f"{_number(cut.samples / cut.rate)} s of sound: {_many(cut.columns, 'column')}, {_ms(cut.apart)} apart; a "
            f"window covers {_ms(cut.covers)}, and the next overlaps it by {_number(100 * cut.overlap)}%; "
            f"{cut.bins:,} bins, {_number(cut.width)} Hz apart.")  # fmt: skip
    if own:
        text += f" {_tones(cut, power)} {_clicks(cut, power)}"
    return (f"{text} A Hann window separates tones two bins apart, {_number(2 * cut.width)} Hz, and clicks half a "
            f"window apart, {_ms(cut.covers / 2)}, if a column falls between them.")  # fmt: skip


def _tones(cut: Cut, power: Power) -> str:
    gap = TONES[1] - TONES[0]
    verdict = "are separated" if of_tones(cut, power).apart else "are not separated"
    return f"The two tones, {gap:g} Hz or {_number(gap / cut.width)} bins apart, {verdict}."


def _clicks(cut: Cut, power: Power) -> str:
    gap = CLICKS[1] - CLICKS[0]
    verdict = "are separated" if of_clicks(cut, power).apart else "are not separated"
    return (f"The two clicks, {_ms(gap)} or {_number(gap / cut.covers)} windows and {_number(gap / cut.apart)} hops "
            f"apart, {verdict}.")  # fmt: skip


def _ms(seconds: float) -> str:
    return f"{_number(1000 * seconds)} ms"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def draw(
    sound: Any = None, rate: int = RATE, window: int = 2048, hop: int = 512, top: float | None = None
) -> tuple[Figure, str]:
    """Return the figure and the sentence; arguments as `window_and_hop`."""
    samples, cut, power = spectrogram(sound, rate, window, hop)
    own = sound is None
    top = min(top if top and top > 0 else TOP if own else rate / 2, rate / 2)
    fig, axes = picture.new(9.0 if own else 8.4, 4.6, rows=2, columns=1 + own, squeeze=False)
    above, below = axes[:, 0]
    frames = _middle(cut)
    _signal(above, samples, cut, frames)
    image = _spectrogram(below, cut, power, top, frames)
    _placed(fig, own)
    fig.colorbar(image, cax=fig.add_axes(_SCALE[own]), label="dB")
    for ax in (above, below):
        ax.set_xlim(0, cut.samples / cut.rate)
    above.set_title(f"window {window:,} samples = {_ms(cut.covers)}, hop {hop:,} = {_ms(cut.apart)}", loc="left")
    if own:
        _profile(axes[0, 1], of_clicks(cut, power), "clicks (ms)", 1000)
        _profile(axes[1, 1], of_tones(cut, power), "tones (Hz)", 1)
    return fig, said(cut, power, own)


#: Left, bottom, width, height of the axes, in parts of the figure; fixed, since a layout takes a third of the time.
_PLACES = {
    True: ((0.085, 0.655, 0.573, 0.289), (0.803, 0.655, 0.19, 0.289), (0.085, 0.112, 0.573, 0.43),
           (0.803, 0.112, 0.19, 0.43)),
    False: ((0.091, 0.625, 0.805, 0.319), (0.091, 0.112, 0.805, 0.473)),
}  # fmt: skip
_SCALE = {True: (0.677, 0.112, 0.011, 0.43), False: (0.91, 0.112, 0.013, 0.473)}


def _placed(fig: Figure, own: bool) -> None:
    fig.set_layout_engine("none")
    for ax, place in zip(fig.axes, _PLACES[own], strict=True):
        ax.set_position(place)


def _profile(ax: Axes, profile: Profile, what: str, scale: float) -> None:
    """The power around a pair; a valley must go below the half."""
    first, second = (scale * place for place in profile.pair)
    ax.plot(scale * profile.places, profile.power, ".-", color=picture.COLORS["red"], linewidth=1.2, markersize=5)
    for place in (first, second):
        ax.axvline(place, color=picture.COLORS["black"], linestyle=":", linewidth=1.2, zorder=0.9)
    ax.set(xlim=(2.5 * first - 1.5 * second, 2.5 * second - 1.5 * first), ylim=(0, 1.08), yticks=[0, 0.5, 1],
           xticks=[first, second])  # fmt: skip
    ax.set_title(f"{what}: {'apart' if profile.apart else 'as one'}", loc="left", fontsize=11)


def _middle(cut: Cut) -> range:
    """The numbers of the frames that are drawn, from the middle of the sound."""
    first = max(0, cut.columns // 2 - SHOWN // 2)
    return range(first, min(first + SHOWN, cut.columns))


def _signal(ax: Axes, samples: Samples, cut: Cut, frames: range) -> None:
    """The sound, and above it some of the frames as Hann windows, on steps lest they cover each other."""
    loudest = float(np.abs(samples).max()) or 1.0
    ax.plot(np.arange(cut.samples) / cut.rate, samples / loudest, color=picture.COLORS["black"], linewidth=0.5)
    bump = np.sin(np.pi * np.linspace(0, 1, 65)) ** 2
    for step, frame in enumerate(frames):
        time = frame * cut.apart + cut.covers * np.linspace(-0.5, 0.5, 65)
        low = 1.2 + 0.4 * step
        ax.fill_between(time, low, low + 0.75 * bump, color=picture.COLORS[_color(step)], alpha=0.75, linewidth=0)
    ax.set(ylim=(-1.15, 1.4 + 0.4 * (SHOWN - 1) + 0.75), yticks=[-1, 0, 1], ylabel="signal")
    ax.xaxis.set_major_formatter("")
    ax.grid(visible=False)


def _color(step: int) -> str:
    return ("blue", "orange")[step % 2]


def _spectrogram(ax: Axes, cut: Cut, power: Power, top: float, frames: range) -> AxesImage:
    """Decibel below the loudest; a triangle over each column whose frame is drawn above."""
    shown, tall, wide = _pooled(power[: int(top / cut.width) + 2])
    level = 10 * np.log10(np.maximum(shown, QUIETEST) / max(float(shown.max()), QUIETEST))
    high, right = (number * size - 0.5 for number, size in zip(shown.shape, (tall, wide), strict=True))
    sides = (-0.5 * cut.apart, right * cut.apart, -0.5 * cut.width, high * cut.width)
    image = ax.imshow(level, origin="lower", aspect="auto", extent=sides, cmap="magma", vmin=-RANGE, vmax=0,
                      interpolation="nearest")  # fmt: skip
    for step, frame in enumerate(frames):
        ax.plot(frame * cut.apart, 0.96 * top, "v", color=picture.COLORS[_color(step)], markersize=7,
                markeredgecolor="white")  # fmt: skip
    ax.set(ylim=(0, top), xlabel="time (s)", ylabel="frequency (Hz)")
    ax.grid(visible=False)
    return image


def _pooled(power: Power) -> tuple[Power, int, int]:
    """The largest of each group that shares a pixel, lest a thin line vanish; how many rows and columns a group has."""
    tall, wide = (-(-size // most) for size, most in zip(power.shape, PIXELS, strict=True))
    for axis, group in enumerate((tall, wide)):
        power = np.maximum.reduceat(power, np.arange(0, power.shape[axis], group), axis=axis)
    return power, tall, wide


def window_and_hop(
    sound: Any = None, rate: int = RATE, window: int = 2048, hop: int = 512, top: float | None = None
) -> None:
    """Print how a sound is cut into frames and what that separates; show the frames and the spectrogram in decibel.

    `sound`: (samples,), an array or tensor at `rate` samples a second; by default two tones, 40 Hz apart, and two
    clicks, 20 ms apart. `window` and `hop` in samples. `top`: the highest frequency drawn, in hertz; by default half
    the rate. CourseError for what cannot be.
    """
    explorer.show(draw, sound=sound, rate=rate, window=window, hop=hop, top=top)


def explore(
    sound: Any = None, rate: int = RATE, window: int = 2048, hop: int = 512, top: float | None = None
) -> explorer.Explorer | None:
    """The same with a control for the window and one for the hop."""

    def shown(window: int, hop: int) -> tuple[Figure, str]:
        return draw(sound, rate, window, hop, top)

    return explorer.explorer(
        "window and hop",
        shown,
        window=explorer.steps(window, sorted({*WINDOWS, window}), "window (samples)"),
        hop=explorer.steps(hop, sorted({*HOPS, hop}), "hop (samples)"),
    )
