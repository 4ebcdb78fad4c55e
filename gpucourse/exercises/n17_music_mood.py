"""The exercises of lesson 17: frames, decibels, a kernel for windows, chroma, folds of whole tunes, PCA, recalls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from gpucourse.exercises import guard, signature
from gpucourse.exercises.cases import Case, Trap, by_cases
from gpucourse.exercises.difference import Tolerance, first_difference
from gpucourse.exercises.kernel_cases import KernelTrap, Launch, blank, by_launches, timed_at
from gpucourse.exercises.kernel_runs import CANARY
from gpucourse.exercises.kinds import called, kind
from gpucourse.exercises.outcome import NotAttempted, Wrong
from gpucourse.exercises.parts import by_parts
from gpucourse.exercises.probes import Ask, by_probes
from gpucourse.exercises.problem import Problem

Array = Any
Arrays = dict[str, Any]


@dataclass(frozen=True)
class ByTensors:
    """The judge of a function of PyTorch tensors; the reference and the traps compute the same with NumPy.

    `cases(rng)` are Cases of NumPy arrays and numbers; the answer gets float32 tensors of them and returns one.
    `alike` brings results that count as the same to one form, such as columns whose signs are anybody's.
    """

    reference: Callable[..., Array]
    cases: Callable[[np.random.Generator], Sequence[Case]]
    traps: tuple[Trap, ...]
    tolerance: Tolerance
    alike: Callable[[Array], Array] = np.asarray

    def __call__(self, answer: Any, *, seed: int = 0, name: str = "your function") -> None:
        """Raise Wrong, NotAttempted or guard.Raised unless the answer agrees with the reference on every case."""
        if answer is ...:
            raise NotAttempted()
        cases = self.all_cases(None, seed)
        signature.check(answer, self.reference, cases[0].args, cases[0].kwargs, name)
        found = [self._result(answer, case, name) for case in cases]
        for case, got in zip(cases, found, strict=True):
            if not self.agrees(got, self.due(case=case)):
                raise Wrong(self._cause(cases, found) or self._difference(case, got, name))

    def all_cases(self, xp: Any, seed: int) -> list[Case]:
        """Return the cases for a seed."""
        return list(self.cases(np.random.default_rng(seed)))

    def due(self, function: Any = None, case: Any = None, xp: Any = None) -> Array:
        """Return what `function`, by default the reference, gives for a case."""
        with np.errstate(all="ignore"):
            return np.asarray((function or self.reference)(*case.copies(np)[0]))

    def agrees(self, got: Array, due: Array, xp: Any = None) -> bool:
        """Whether two results are the same, within the tolerance."""
        return got.shape == due.shape and bool(np.all(self.tolerance.holds(self.alike(got), self.alike(due))))

    def _result(self, answer: Any, case: Case, name: str) -> Array:
        """What the answer returns for a case, as an array; its arguments must stay as they are."""
        import torch

        args = [torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value for value in case.args]
        where = f"{name} ({case.about})"
        got = guard.call(answer, tuple(args), {}, where).value
        if got is ...:
            raise NotAttempted()
        if got is None:
            raise Wrong(f"{where} returned None: is a `return` missing?")
        if kind(got) != "tensor":
            raise Wrong(f"{where} should return a torch tensor but returns {called(got)}.")
        if any(not np.array_equal(a.numpy(), b) for a, b in zip(args, case.args, strict=True) if kind(a) == "tensor"):
            raise Wrong(f"{where} changes its argument in place. Others still need it: make a new tensor.")
        return np.asarray(got.detach().cpu().double().numpy())

    def _cause(self, cases: Sequence[Case], found: Sequence[Array]) -> str:
        for trap in self.traps:
            if all(self.agrees(got, self.due(trap.wrong, case)) for case, got in zip(cases, found, strict=True)):
                return trap.message
        return ""

    def _difference(self, case: Case, got: Array, name: str) -> str:
        alike = self.alike if got.ndim == self.due(case=case).ndim else np.asarray
        due = alike(self.due(case=case)).astype(np.float64)
        if due.ndim and not got.ndim:
            return f"the result of {name} should have the shape {due.shape} but is one number ({case.about})."
        found = first_difference(alike(got), due, self.tolerance)
        return found.sentence(f"the result of {name}", f" ({case.about})") if found else f"{name} is not right."


def by_tensors(
    reference: Callable[..., Array],
    cases: Callable[[np.random.Generator], Sequence[Case]],
    traps: Sequence[Trap],
    rtol: float = 1e-4,
    atol: float = 1e-5,
    alike: Callable[[Array], Array] = np.asarray,
) -> ByTensors:
    """Return the judge of a function of tensors."""
    return ByTensors(reference, cases, tuple(traps), Tolerance(rtol, atol, dtype=False), alike)


# -- 17.1 -------------------------------------------------------------------------------------------


def frames_of(samples: int, size: int, hop: int, rate: int, k: int) -> tuple[int, float]:
    """Frames that lie wholly within the samples, and the second of the middle of frame k."""
    return (samples - size) // hop + 1, (k * hop + size / 2) / rate


def _recordings() -> list[Case]:
    found = [(16_000, 2048, 512, 16_000, 3), (48_000, 1024, 256, 16_000, 10), (10_000, 400, 160, 8_000, 7),
             (22_050, 2048, 2048, 22_050, 4), (5_000, 512, 768, 16_000, 2), (2_048, 2_048, 512, 16_000, 0),
             (2_559, 2_048, 512, 44_100, 1), (2_560, 2_048, 512, 44_100, 1), (1_000, 25, 10, 8_000, 7)]  # fmt: skip
    return [Case(*args, about=f"{args[0]:,} samples, frames of {args[1]:,}, one every {args[2]:,}") for args in found]


_PADDED = (
    "So many there would be if half a frame of zeros stood before the sound and behind it. Here frames lie wholly "
    "within the sound."
)
FRAME_PARTS = {
    "count": (
        Trap(lambda n, size, hop, rate, k: (n - size) // hop,
             "One too few: these are the hops. The frame before the first hop counts, too."),
        Trap(lambda n, size, hop, rate, k: n // hop,
             "So many hops fit into the sound. But the last frames would go beyond its end: how far can the "
             "*beginning* of a frame move?"),
        Trap(lambda n, size, hop, rate, k: n // hop + 1, _PADDED),
        Trap(lambda n, size, hop, rate, k: n // size,
             "So many frames lie side by side. Here a new one begins every `hop` samples."),
        Trap(lambda n, size, hop, rate, k: (n - hop) // size + 1,
             "`size` and `hop` have changed places: frames are `size` samples long and begin `hop` samples apart."),
        Trap(lambda n, size, hop, rate, k: -(-(n - size) // hop) + 1,
             "You round up. A hop that is not whole leads beyond the end of the sound."),
        Trap(lambda n, size, hop, rate, k: (n - size) / hop + 1, "There is no part of a frame: divide by `//`."),
        Trap(lambda n, size, hop, rate, k: n - size + 1, "So many frames there are if one begins at every sample. Here "
                                                         "they begin `hop` samples apart."),
        Trap(lambda n, size, hop, rate, k: (n - size + 1) // hop + 1,
             "`samples - size + 1` counts the places where a frame may begin. The way from the first to the last is "
             "one sample less."),
        Trap(lambda n, size, hop, rate, k: (n - size - 1) // hop + 1,
             "One sample too few: a frame of `size` samples may begin at sample `samples - size`, and then ends with "
             "the sound."),
        Trap(lambda n, size, hop, rate, k: (n - size + 1) // hop,
             "Divide `samples - size` by the hop, then add 1: the 1 is a frame, not a sample."),
        Trap(lambda n, size, hop, rate, k: (n - size) // hop + 2,
             "One too many: `(samples - size) // hop` hops lead from the first frame to the last, so there is one "
             "frame more than hops."),
        Trap(lambda n, size, hop, rate, k: round((n - size) / hop) + 1,
             "`round` goes up from a half. A hop that is not whole leads beyond the end of the sound."),
        Trap(lambda n, size, hop, rate, k: -(-n // hop),
             "The hops in the whole sound, rounded up. But the last frames would go beyond its end: how far can the "
             "*beginning* of a frame move?"),
    ),
    "middle": (
        Trap(lambda n, size, hop, rate, k: k * hop / rate,
             "At this second frame k *begins*. Its middle lies half a frame later."),
        Trap(lambda n, size, hop, rate, k: (k * hop + size) / rate, "At this second frame k ends."),
        Trap(lambda n, size, hop, rate, k: (k + 0.5) * hop / rate,
             "Half a hop is added to the frame's beginning. The frame is `size` samples long: add half of these."),
        Trap(lambda n, size, hop, rate, k: k * size / rate,
             "Frame k begins after k hops, not after k frames: neighbors overlap."),
        Trap(lambda n, size, hop, rate, k: (k + 0.5) * size / rate,
             "Frame k begins after k hops, not after k frames: neighbors overlap."),
        Trap(lambda n, size, hop, rate, k: (k * size + hop / 2) / rate,
             "`size` and `hop` have changed places: a frame begins after k hops, and its middle is half its size "
             "later."),
        Trap(lambda n, size, hop, rate, k: k * hop + size / 2, "This is a sample. Which second is it?"),
        Trap(lambda n, size, hop, rate, k: 1000 * (k * hop + size / 2) / rate, "These are milliseconds."),
        Trap(lambda n, size, hop, rate, k: (k * hop + size / 2) // rate,
             "`//` leaves whole seconds only. Divide by `/`."),
        Trap(lambda n, size, hop, rate, k: ((k - 1) * hop + size / 2) / rate,
             "Frames are counted from 0: frame 0 begins with sample 0."),
        Trap(lambda n, size, hop, rate, k: ((k + 1) * hop + size / 2) / rate,
             "That is the frame after it: frame 0 begins with sample 0, and frame k after k hops."),
        Trap(lambda n, size, hop, rate, k: k * hop + size / 2 / rate,
             "Only half the size is divided by the rate. Put the samples into parentheses: both are samples."),
        Trap(lambda n, size, hop, rate, k: (k * hop + size / 2) * rate,
             "Multiplied by the rate. `rate` is in samples a second: to get seconds, divide."),
        Trap(lambda n, size, hop, rate, k: (k * hop + size / 2) / 16_000,
             "The rate is taken to be 16,000. It is an argument."),
        Trap(lambda n, size, hop, rate, k: (k * hop + size // 2) / rate,
             "`size // 2` loses half a sample where `size` is odd. The middle is no sample's number: divide by `/`."),
        Trap(lambda n, size, hop, rate, k: (k * hop + (size - 1) / 2) / rate,
             "This is half a sample early: between the first sample's beginning and the last one's end lie `size` "
             "samples, so the middle is size / 2 after the beginning."),
        Trap(lambda n, size, hop, rate, k: (k * hop + size) / 2 / rate,
             "The whole sum is halved. Only the size is: the frame's beginning stays where it is."),
        Trap(lambda n, size, hop, rate, k: (k * hop - size / 2) / rate,
             "Half a frame is subtracted. Frame k begins at k * hop, and its middle comes after that."),
    ),
}  # fmt: skip

FRAMES = Problem(
    id="17.1",
    title="How many frames, and when?",
    task=(
        "A sound is cut into frames of `size` samples; a new one begins every `hop` samples, the first with sample 0. "
        "How many lie wholly within the sound, and at which second is the middle of frame number `k`, counted from 0?"
    ),
    spec=(
        "All arguments are whole numbers: `samples` of the sound (at least `size`), `size`, `hop`, `rate` in samples a "
        "second, and `k`. The middle of a frame is size / 2 samples after its beginning. Returns `count`, a whole "
        "number, and `middle` in seconds."
    ),
    stub='''def frames_of(samples, size, hop, rate, k):
    """The number of frames, and the second of the middle of frame k."""
    count, middle = ..., ...
    return count, middle
''',
    answer="frames_of",
    lines=2,
    hints=(
        "You have counted this before: a kernel of `size` weights that moves along a row in steps of `hop` (exercise "
        "12.1). And draw frames 0, 1 and k above the samples.",
        "The beginning of a frame can move by `samples - size` samples. Frame k begins after k hops, and its middle "
        "comes half a frame later.",
        "`count = (samples - ___) // ___ + 1` and `middle = (k * ___ + size / 2) / ___`",
    ),
    solution='''def frames_of(samples, size, hop, rate, k):
    """The number of frames, and the second of the middle of frame k."""
    count = (samples - size) // hop + 1
    middle = (k * hop + size / 2) / rate
    return count, middle
''',
    why=(
        "The size says what a frame sees, the hop says how often you look. How many frames there are and when each "
        "begins is a matter of the hop; the size shortens the way at the end and shifts the middle."
    ),
    judge=by_parts(frames_of, [_recordings], FRAME_PARTS),
)

# -- 17.2 -------------------------------------------------------------------------------------------


def decibel(power: Array, quietest: float) -> Array:
    """10 log10 of the power, powers below `quietest` counted as `quietest`."""
    return 10 * np.log10(np.maximum(power.astype(np.float64), quietest))


def _powers(rng: np.random.Generator) -> list[Case]:
    found = []
    for shape, quietest in (((4, 6), 1e-10), ((2, 3, 5), 1e-4), ((8,), 1e-6), ((3, 5), 0.02)):
        power = 10 ** rng.uniform(-13, 4, shape)
        power.flat[:: max(1, power.size // 4)] = 0            # digital silence
        power.flat[1] = quietest / 3                          # heard by nobody, and not 0
        found.append(Case(power.astype(np.float32), quietest, about=f"powers of shape {shape}, some of them 0"))
    return found


DECIBEL = Problem(
    id="17.2",
    title="The logarithm of silence",
    task=(
        "Turn powers into decibels, 10 times the logarithm to base 10. Digital silence has the power 0, so give the "
        "scale a floor: whatever is quieter than `quietest` counts as `quietest`."
    ),
    spec=(
        "`power` is a float32 tensor of any shape, no number negative; `quietest` is a positive float. Returns a "
        "tensor of the same shape; `power` itself stays as it is."
    ),
    stub='''def decibel(power, quietest):
    """10 log10 of the power, with a floor."""
    return ...
''',
    answer="decibel",
    lines=1,
    hints=(
        "Which must come first, the floor or the logarithm? Think of a power of 0.",
        "`clamp(min=...)` makes a new tensor in which nothing is smaller than `min`. `torch.log10` is the logarithm to "
        "base 10.",
        "`10 * torch.log10(power.___(min=___))`",
    ),
    solution='''def decibel(power, quietest):
    """10 log10 of the power, with a floor."""
    return 10 * torch.log10(power.clamp(min=quietest))
''',
    why=(
        "The logarithm of 0 is minus infinity, and one such number makes every mean, every loss and every weight "
        "behind it useless. The floor is put under the *powers*, where its unit is the same as theirs."
    ),
    judge=by_tensors(
        decibel,
        _powers,
        (
            Trap(lambda p, q: 10 * np.log10(p.astype(float)),
                 "There is -inf in the result: the logarithm of 0. Raise the small powers to `quietest` before you "
                 "take it."),
            Trap(lambda p, q: 10 * np.log10(p + q),
                 "`quietest` is added to every power. What lies near the floor then comes out up to 3 dB too loud: "
                 "only powers *below* it count as `quietest`, the others stay."),
            Trap(lambda p, q: 10 * np.log10(np.where(p == 0, q, p.astype(float))),
                 "Only powers of exactly 0 are raised. Powers between 0 and `quietest` are quieter than the floor, "
                 "too."),
            Trap(lambda p, q: np.maximum(10 * np.log10(p.astype(float)), q),
                 "The floor is put under the decibels, but `quietest` is a power. Put it under the powers."),
            Trap(lambda p, q: np.where(p < q, q, 10 * np.log10(p.astype(float))),
                 "Quiet places hold the number `quietest` itself. That is a power; its decibels, 10 log10(quietest), "
                 "belong there."),
            Trap(lambda p, q: np.log10(10 * np.maximum(p.astype(float), q)),
                 "The 10 stands inside of the logarithm, where it only adds 1. It is a factor of the logarithm."),
            Trap(lambda p, q: 10 ** np.log10(np.maximum(p.astype(float), q)),
                 "`10 **` undoes the logarithm: these are powers again. Multiply by 10."),
            Trap(lambda p, q: np.where(p < q, np.nan, 10 * np.log10(p.astype(float))),
                 "Quiet powers have become nan. They count as `quietest`, whose decibels are a number."),
            Trap(lambda p, q: 10 * np.log10(p.astype(float) + 1e-12),
                 "A fixed small number is added to every power, and `quietest` has no effect."),
            Trap(lambda p, q: decibel(p, 1e-8), "The floor is always 1e-8. It is an argument: `quietest`."),
            Trap(lambda p, q: 10 * np.log10(np.clip(p.astype(float), q, 1)),
                 "Powers above 1 are cut off. There is a floor, and no ceiling."),
            Trap(lambda p, q: np.nan_to_num(10 * np.log10(p.astype(float)), neginf=0.0),
                 "Silence has become 0 dB, which is a power of 1: louder than most of what is there."),
            Trap(lambda p, q: 10 * np.log10(np.where(p < q, 0, p) + (p < q)),
                 "Silence has become 0 dB, which is a power of 1: louder than most of what is there."),
            Trap(lambda p, q: 20 * np.log10(np.maximum(p.astype(float), q)),
                 "The factor 20 is for amplitudes. A power is an amplitude squared already: the factor is 10."),
            Trap(lambda p, q: 20 * np.log10(np.maximum(p.astype(float), q**0.5)),
                 "This treats the powers as amplitudes: the factor 20, and the root of the floor. For powers it is "
                 "10."),
            Trap(lambda p, q: 10 * np.log(np.maximum(p.astype(float), q)),
                 "`log` is the natural logarithm. Decibels are made by `log10`."),
            Trap(lambda p, q: 10 * np.log2(np.maximum(p.astype(float), q)),
                 "`log2` is the logarithm to base 2. Decibels are made by `log10`."),
            Trap(lambda p, q: np.log10(np.maximum(p.astype(float), q)),
                 "The factor 10 is missing: these are bels."),
            Trap(lambda p, q: np.log(np.maximum(p.astype(float), q)),
                 "This is the natural logarithm alone. Decibels are 10 times the logarithm to base 10."),
            Trap(lambda p, q: np.log1p(p.astype(float)),
                 "log(1 + power) has no floor to choose, and it is not the decibel: everything quieter than 1 is "
                 "squeezed together near 0."),
            Trap(lambda p, q: 10 * np.log10(1 + p.astype(float)),
                 "1 is added to every power, so that everything quieter than 1 is squeezed together near 0. Raise only "
                 "the powers below `quietest`."),
            Trap(lambda p, q: 10 * np.log10(np.minimum(p.astype(float), q)),
                 "`max` and `min` are exchanged: now nothing is louder than `quietest`."),
            Trap(lambda p, q: decibel(p, 1e-10), "The floor is always 1e-10. It is an argument: `quietest`."),
            Trap(lambda p, q: decibel(p / p.max(), q),
                 "The powers are divided by the largest of them first. Then each sound has a scale of its own; here "
                 "the power 1 is 0 dB for all."),
            Trap(lambda p, q: decibel(p, q) - decibel(p, q).max(),
                 "The largest is subtracted. Then each sound has a scale of its own; here the power 1 is 0 dB for "
                 "all."),
            Trap(lambda p, q: -decibel(p, q), "The sign is wrong: what is louder should have more decibels."),
            Trap(lambda p, q: decibel(p, q) - 10 * np.log10(q),
                 "The floor is moved to 0 dB. It should stay where it is, at 10 log10(quietest)."),
        ),
        rtol=1e-4,
        atol=2e-3,
    ),
)  # fmt: skip

# -- 17.3 -------------------------------------------------------------------------------------------

WINDOWED_STUB = '''windowed = cp.RawKernel(r"""
extern "C" __global__
void windowed(const float* sound, const float* window, float* out, int samples, int size, int hop, int count)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;          // one element of out (count, size)
    if (i < count * size) {
        // out[i] is a sample of its frame times its place's weight in the window; beyond the sound it is 0

    }
}
""", "windowed")
'''
WINDOWED_BODY = """        int frame = i / size, j = i % size;
        int s = frame * hop + j - size / 2;
        out[i] = s >= 0 && s < samples ? sound[s] * window[j] : 0.0f;
"""
BEYOND = np.frombuffer(bytes([CANARY] * 4), np.float32)[0]
#: The kernel piece by piece, for all elements at once; `v` has its variables. A trap writes some pieces otherwise.
PIECES: dict[str, Callable[[Any], Any]] = {
    "frame": lambda v: v.i // v.size,
    "j": lambda v: v.i % v.size,
    "s": lambda v: v.frame * v.hop + v.j - v.size // 2,
    "test": lambda v: (v.s >= 0) & (v.s < v.samples),
    "sample": lambda v: v.s,
    "weight": lambda v: v.j,
    "value": lambda v: v.x * v.w,
    "outside": lambda v: 0 * v.x,
}


def _at(array: Array, index: Array) -> Array:
    """Elements of an array, and beyond it what the judge has put there."""
    inside = (index >= 0) & (index < array.size)
    return np.where(inside, array[np.where(inside, index, 0)], BEYOND)


def windowed(launch: Launch, **otherwise: Callable[[Any], Any]) -> Arrays:
    """What the kernel leaves if some of its PIECES are written otherwise."""
    do, v = PIECES | otherwise, SimpleNamespace(**launch.args)
    for name in ("samples", "size", "hop", "count"):
        setattr(v, name, int(launch.args[name]))
    v.i = np.arange(v.count * v.size)
    for name in ("frame", "j", "s"):
        setattr(v, name, do[name](v))
    v.x, v.w = _at(v.sound, do["sample"](v)), _at(v.window, do["weight"](v))
    return {"out": np.where(do["test"](v), do["value"](v), do["outside"](v)).astype(np.float32)}


def _framing(rng: np.random.Generator, samples: int, size: int, hop: int, block: int) -> Launch:
    count = samples // hop + 1
    sound = (rng.integers(1, 60, samples) / 4).astype(np.float32)
    window = (1 + np.arange(size) / 8 + (np.arange(size) > size // 3)).astype(np.float32)   # not symmetric, unlike Hann
    numbers = {"samples": samples, "size": size, "hop": hop, "count": count}
    args: Arrays = {"sound": sound, "window": window, "out": blank(count * size)}
    args |= {name: np.int32(value) for name, value in numbers.items()}
    launch = Launch((-(-count * size // block),), (block,), args, {}, rtol=1e-6,
                    words=f"{samples} samples, frames of {size} every {hop}, block {block}")  # fmt: skip
    return Launch(launch.grid, launch.block, args, windowed(launch), rtol=1e-6, words=launch.words)


def make_framings(rng: np.random.Generator) -> Sequence[Launch]:
    """Sounds longer and shorter than a frame, hops that divide the size and that do not, no multiple of a block."""
    small = [_framing(rng, *shape) for shape in ((100, 16, 4, 64), (75, 12, 5, 32), (9, 10, 3, 32), (130, 8, 8, 96),
                                                 (3, 8, 2, 32))]  # fmt: skip
    return timed_at(lambda: _framing(rng, 1 << 21, 1024, 256, 256), small)


_BEFORE = (
    "For the first frames the kernel reads samples before the beginning of the sound. There the sample's number is "
    "negative: nothing tests for it."
)
_BEHIND = (
    "For the last frames the kernel reads behind the end of the sound: the sample's number may be `samples` or more."
)
_LEFT = "Half a frame is missing: frame k lies *around* sample k * hop, so its first sample is size / 2 before it."
_SWAPPED = "`size` and `hop` have changed places: frames are `size` samples long, and `hop` samples apart."
_INDEX = "The window's weight is taken by another index than the place in the frame: each frame has all `size` weights."
WINDOWED_WRONG: tuple[tuple[str, dict[str, Callable[[Any], Any]]], ...] = (
    ("No test keeps out the samples that do not exist: before the beginning and behind the end lies something else, or "
     "nothing. They count as 0.", {"test": lambda v: v.i >= 0}),
    (_BEFORE, {"test": lambda v: v.s < v.samples}),
    (_BEHIND, {"test": lambda v: v.s >= 0}),
    ("The test lets sample number `samples` pass. The last one is samples - 1.",
     {"test": lambda v: (v.s >= 0) & (v.s <= v.samples)}),
    ("Sample 0 counts as 0. It is the first sample of the sound: test with `>= 0`.",
     {"test": lambda v: (v.s > 0) & (v.s < v.samples)}),
    (_LEFT, {"s": lambda v: v.frame * v.hop + v.j}),
    ("The frames begin half a frame too late: size / 2 should be subtracted.",
     {"s": lambda v: v.frame * v.hop + v.j + v.size // 2}),
    ("Half a *hop* is subtracted. A frame reaches half its size to either side.",
     {"s": lambda v: v.frame * v.hop + v.j - v.hop // 2}),
    ("A whole frame is subtracted. It reaches half its size to either side of its middle.",
     {"s": lambda v: v.frame * v.hop + v.j - v.size}),
    ("A new frame begins every `size` samples here. It should begin every `hop` samples.",
     {"s": lambda v: v.frame * v.size + v.j - v.size // 2}),
    (_SWAPPED, {"frame": lambda v: v.i // v.hop, "j": lambda v: v.i % v.hop,
                "s": lambda v: v.frame * v.size + v.j - v.size // 2}),
    (_SWAPPED, {"frame": lambda v: v.i // v.hop, "j": lambda v: v.i % v.hop}),
    ("Frame and place have changed places: i goes through a frame first, then on to the next one.",
     {"frame": lambda v: v.i % v.size, "j": lambda v: v.i // v.size}),
    ("`out` is filled as if it were (size, count). Its rows are frames: i / size is the frame, i % size the place in "
     "it.", {"frame": lambda v: v.i % v.count, "j": lambda v: v.i // v.count}),
    (_INDEX, {"weight": lambda v: v.s}),
    (_INDEX, {"weight": lambda v: v.i}),
    (_INDEX, {"weight": lambda v: v.s % v.size}),
    (_INDEX, {"weight": lambda v: v.frame}),
    ("The window is laid on backwards: place j has weight j.", {"weight": lambda v: v.size - 1 - v.j}),
    ("The window has no effect: multiply each sample by the weight of its place.", {"value": lambda v: v.x}),
    ("The sample has no effect: only the window is stored.", {"value": lambda v: v.w}),
    ("Sample and weight are added. The window is a factor.", {"value": lambda v: v.x + v.w}),
    ("Every frame is the same: its number is missing in the sample's index.",
     {"s": lambda v: v.j - v.size // 2}),
    ("All places of a frame hold the same sample: the place j is missing in the sample's index.",
     {"s": lambda v: v.frame * v.hop - v.size // 2}),
    ("Beyond the ends the first and the last sample are repeated. What does not exist counts as 0.",
     {"sample": lambda v: np.clip(v.s, 0, v.samples - 1), "test": lambda v: v.i >= 0}),
    ("Beyond its ends the sound begins again from the other side. What does not exist counts as 0.",
     {"sample": lambda v: v.s % v.samples, "test": lambda v: v.i >= 0}),
    ("Beyond its ends the sound is mirrored. What does not exist counts as 0.",
     {"sample": lambda v: np.abs(v.s), "test": lambda v: np.abs(v.s) < v.samples}),
    ("The fractions are cut off: is a sample kept in an `int`?", {"value": lambda v: np.trunc(v.x) * v.w}),
    ("The fractions are cut off: is the product kept in an `int`?", {"value": lambda v: np.trunc(v.x * v.w)}),
    ("Beyond the sound the element is never written, and whatever was in memory stays there. Write 0.",
     {"outside": lambda v: _at(v.out, v.i)}),
)  # fmt: skip


def _windowed_trap(message: str, otherwise: dict[str, Callable[[Any], Any]]) -> KernelTrap:
    return KernelTrap(lambda launch: windowed(launch, **otherwise), message)


WINDOWED = Problem(
    id="17.3",
    title="Windowed frames in CUDA C",
    task=(
        "Write the body of `windowed`: each thread makes one element of the matrix of frames, a sample times the "
        "weight of the window at its place. Frame k lies around sample k * hop; what lies beyond the sound counts as 0."
    ),
    spec=(
        "`sound` (samples,), `window` (size,) and `out` (count, size) are floats in C order, `size` is even. Place j "
        "of frame k belongs to sample `k * hop + j - size / 2`. Every element of `out` is written."
    ),
    stub=WINDOWED_STUB,
    answer="windowed",
    lines=3,
    hints=(
        "One thread has one number i. Which frame is it, and which place in the frame? Then which sample is it, and "
        "does this sample exist?",
        "As rows and columns of a picture: the frame is i divided by the length of a row, and the place is what is "
        "left over, `%`. The sample's number may be negative.",
        "`int frame = i / size, j = i % ___; int s = frame * ___ + j - ___; out[i] = s >= 0 && s < ___ ? ___ : 0.0f;`",
    ),
    solution=WINDOWED_STUB.replace("it is 0\n\n", "it is 0\n" + WINDOWED_BODY),
    why=(
        "Neighboring threads read neighboring samples and write neighboring elements, so a warp needs few sectors for "
        "both. Overlapping frames read a sample several times, most times from the cache."
    ),
    judge=by_launches(
        make_framings, traps=[_windowed_trap(message, otherwise) for message, otherwise in WINDOWED_WRONG]
    ),
)

# -- 17.4 -------------------------------------------------------------------------------------------


def _pitch(hertz: Array) -> Array:
    """MIDI pitches with fractions; -inf for 0 Hz."""
    with np.errstate(divide="ignore"):
        return 69 + 12 * np.log2(hertz.astype(np.float64) / 440)


def _collected(power: Array, hertz: Array, pitch: Callable[[Array], Array] = _pitch, lowest: float = 27.5,
               whole: Callable[[Array], Array] = np.round) -> Array:  # fmt: skip
    """Power by pitch class (12, frames), with another pitch, another lowest frequency or another way to round."""
    out, heard = np.zeros((12, power.shape[1])), hertz >= lowest
    classes = np.mod(whole(pitch(hertz[heard])), 12).astype(int)
    np.add.at(out, classes, power[heard].astype(np.float64))
    return out


def chroma_of(power: Array, hertz: Array) -> Array:
    """The power of each pitch class (12, frames), C first."""
    return _collected(power, hertz)


def _spectra(rng: np.random.Generator) -> list[Case]:
    """Bins a twentieth of a semitone away from where the nearest pitch changes, and one of 640.62 Hz, pitch 75.5036.

    Float32 keeps pitches to 1e-5. The others of `near` lie where a wrong limit or a rounded frequency is seen.
    """
    found = []
    for bins, frames in ((90, 4), (150, 3)):
        pitch = rng.integers(24, 118, bins) + rng.uniform(-0.45, 0.45, bins)
        near = [0, 7.8125, 15.625, 23.4375, 26.3, 26.9, 27.2, 27.5, 27.9, 29.6, 44.55, 640.62, 7000]     # see the traps
        hertz = np.sort(np.concatenate([near, 440 * 2 ** ((pitch - 69) / 12)]))
        power = rng.uniform(0.1, 2, (len(hertz), frames)) * (1 + rng.integers(0, 9, (len(hertz), 1)))
        found.append(Case(power.astype(np.float32), hertz.astype(np.float32), about=f"{len(hertz)} bins from 0 Hz up, "
                          f"{frames} frames"))  # fmt: skip
    return found


_LOW = (
    "The bins below 27.5 Hz are counted, too. They are lower than any note, and a hum or a constant in the sound would "
    "be taken for one."
)
_LIMIT = "Bins from a little below 27.5 Hz on are counted: the limit is too low. It is 27.5 Hz itself."
_LATE = (
    "Pitches whose remainder is 11.5 or more are lost, or counted for a B: 11.6 is nearest to 12, which is no class. "
    "Round first, so that it is 12, and then take it modulo 12: class 0, a C."
)
_TOGETHER = "All bins below 27.5 Hz are put into one class. They should not count at all."
CHROMA = Problem(
    id="17.4",
    title="Twelve pitch classes",
    task=(
        "Add up the power of all bins whose pitch is nearest to a C, of any octave, then to a C sharp, and so on: "
        "twelve numbers for each frame. A frequency f has the pitch 69 + 12 log2(f / 440), and a pitch that 12 divides "
        "is a C."
    ),
    spec=(
        "`power` (bins, frames) and `hertz` (bins,), the frequency of each bin, are float32 tensors. Returns a tensor "
        "(12, frames) of sums. Bins below 27.5 Hz, the lowest note of a piano, do not count."
    ),
    stub='''def chroma_of(power, hertz):
    """The power of each pitch class (12, frames), C first."""
    return ...
''',
    answer="chroma_of",
    lines=5,
    hints=(
        "First find for each bin the number of its pitch class, 0 to 11. Then it is a histogram with weights, for each "
        "frame.",
        "Keep the bins from 27.5 Hz on by a mask, in both tensors. Round the pitch to the nearest whole number before "
        "you take it modulo 12. `out.index_add_(0, classes, rows)` adds each row of `rows` to one of `out`.",
        "`heard = hertz >= 27.5`, `classes = (69 + 12 * torch.log2(hertz[heard] / ___)).___().long() % 12`, and "
        "`torch.zeros(12, power.shape[1]).index_add_(0, classes, ___)`",
    ),
    solution='''def chroma_of(power, hertz):
    """The power of each pitch class (12, frames), C first."""
    heard = hertz >= 27.5
    pitches = 69 + 12 * torch.log2(hertz[heard] / 440)
    classes = pitches.round().long() % 12
    chroma = torch.zeros(12, power.shape[1], device=power.device)
    return chroma.index_add_(0, classes, power[heard])
''',
    why=(
        "Octaves of a note fall into one class, so a melody looks much alike whether a flute plays it or a cello, "
        "though a third harmonic has a class of its own. The logarithm makes equal steps of equal *ratios*, which is "
        "what an interval is."
    ),
    judge=by_tensors(
        chroma_of,
        _spectra,
        (
            Trap(lambda p, h: _collected(p, h, whole=np.floor),
                 "The pitch is rounded down. A note that is a little flat then counts as the one below it: round to "
                 "the nearest."),
            Trap(lambda p, h: _collected(p, h, whole=lambda x: np.floor(x - 12 * np.floor(x / 12))),
                 "The pitch is rounded down. A note that is a little flat then counts as the one below it: round to "
                 "the nearest."),
            Trap(lambda p, h: _collected(p, h, whole=np.ceil), "The pitch is rounded up. Round to the nearest."),
            Trap(lambda p, h: _collected(p, h, lambda f: _pitch(f) - 69),
                 "Class 0 is A here: the 69 is missing. With it, the class of A is 9 and that of C is 0."),
            Trap(lambda p, h: _collected(p, h, lambda f: 69 + 12 * np.log(f / 440.0)),
                 "`log` is the natural logarithm. An octave is a factor of 2: `log2`."),
            Trap(lambda p, h: _collected(p, h, lambda f: 69 + 12 * np.log10(f / 440.0)),
                 "`log10` makes 12 steps of a factor of 10. An octave is a factor of 2: `log2`."),
            Trap(lambda p, h: _collected(p, h, lambda f: 69 + np.log2(f / 440.0)),
                 "The 12 semitones of an octave are missing: this counts octaves."),
            Trap(lambda p, h: _collected(p, h, lambda f: np.arange(len(h))[h >= 27.5]),
                 "The *number* of the bin is taken modulo 12. Its frequency decides: bins lie evenly in hertz, notes "
                 "do not."),
            Trap(lambda p, h: _collected(p, h, lambda f: f.astype(float)),
                 "The frequency is taken modulo 12. Notes lie evenly on a logarithmic scale: turn it into a pitch "
                 "first."),
            Trap(lambda p, h: _collected(p, h, lowest=1e-3), _LOW),
            Trap(lambda p, h: _collected(np.where(h[:, None] > 0, p, 0), np.maximum(h, 1e-6), lowest=0.0), _LOW),
            Trap(lambda p, h: _collected(p, h, lowest=20), _LIMIT),
            Trap(lambda p, h: _collected(p, h, lowest=26), _LIMIT),
            Trap(lambda p, h: _collected(p, h, lowest=27), _LIMIT),
            Trap(lambda p, h: _collected(p, h, lowest=26.8),
                 "Bins between 26.7 and 27.5 Hz are counted: their pitch, rounded, is that of the lowest note. The "
                 "limit is for the frequency itself."),
            Trap(lambda p, h: _collected(p, h, lowest=27.6),
                 "The bin of exactly 27.5 Hz does not count. Only those *below* it should be left out."),
            Trap(lambda p, h: _collected(p, h, lowest=28),
                 "Bins from 27.5 to 28 Hz do not count: is the frequency rounded before it is compared?"),
            Trap(lambda p, h: _collected(p, h, lowest=32),
                 "Bins above 27.5 Hz are left out: the limit is too high. It is the A below the lowest C."),
            Trap(lambda p, h: _collected(np.where(h[:, None] > 4187, 0, p), h),
                 "Bins above the highest note of a piano do not count here. Only a lowest frequency was asked for."),
            Trap(lambda p, h: _nearest_in_hertz(p, h),
                 "The nearest note is looked for in hertz. Notes lie evenly on a logarithmic scale: round the pitch."),
            Trap(lambda p, h: _rounded_late(p, h, 11), _LATE),
            Trap(lambda p, h: _rounded_late(p, h, 12)[:12], _LATE),
            Trap(lambda p, h: _collected(p, h, lambda f: 69 + 12 * np.log2(f.astype(float))),
                 "The division by 440 is missing: the pitch of 440 Hz is 69, where the logarithm is 0."),
            Trap(lambda p, h: _collected(p, h, lambda f: _pitch(np.round(f))),
                 "The frequency is rounded before the logarithm. Round the pitch: low notes lie less than 2 Hz apart."),
            Trap(lambda p, h: _collected(p, h, whole=lambda x: np.clip(np.round(x), 0, 11)),
                 "The octaves are not laid upon each other: all high pitches are put into class 11. Take the pitch "
                 "modulo 12."),
            Trap(lambda p, h: _collected(p, h, whole=lambda x: np.round(x) // 12),
                 "`//` gives the number of the octave. The class within it is what is left over: `% 12`."),
            Trap(lambda p, h: _put_into(0, p, h), _TOGETHER),
            Trap(lambda p, h: _put_into(9, p, h), _TOGETHER),
            Trap(lambda p, h: _collected(p, np.where(h > 0, h, 440 * 2 ** (-65 / 12) / 64), lowest=1e-3),
                 "The bin of 0 Hz is counted: the logarithm of 0 is minus infinity, and what becomes of that as a "
                 "whole number is an accident. Leave out the bins below 27.5 Hz."),
            Trap(lambda p, h: chroma_of(p, h).T, "Rows and columns are exchanged: (12, frames)."),
            Trap(lambda p, h: chroma_of(p, h).sum(1), "The frames are added up. Each frame has its own twelve numbers: "
                                                      "(12, frames)."),
            Trap(lambda p, h: chroma_of(p, h).mean(1), "This is the mean of the frames. Each frame has its own twelve "
                                                       "numbers: (12, frames)."),
            Trap(lambda p, h: _averaged(p, h), "These are means over the bins of a class. High octaves have more bins, "
                                               "and still the powers should be added."),
            Trap(lambda p, h: chroma_of(p, h) / chroma_of(p, h).max(0), "Each frame is divided by its largest number. "
                                                                        "Here the sums themselves are asked for."),
            Trap(lambda p, h: chroma_of(p, h) / chroma_of(p, h).sum(0), "Each frame is divided by its sum. Here the "
                                                                        "sums themselves are asked for."),
            Trap(lambda p, h: chroma_of(np.sqrt(p), h), "The roots of the powers are added up."),
            Trap(lambda p, h: _last_of_class(p, h),
                 "Each class holds one bin only. `out[classes] = ...` and `out[classes] += ...` write a class once, "
                 "however many bins it has: use `index_add_`, or a loop."),
            Trap(lambda p, h: _last_of_class(p, h, np.maximum), "Each class holds its loudest bin. They should be "
                                                                "added."),
        ),
    ),
)  # fmt: skip


def _put_into(k: int, power: Array, hertz: Array) -> Array:
    """With the bins that should not count in class k."""
    return chroma_of(power, hertz) + np.eye(12)[:, k : k + 1] * power[hertz < 27.5].sum(0)


def _rounded_late(power: Array, hertz: Array, last: int) -> Array:
    """Rounded after the remainder; what becomes class 12 is put into class `last`."""
    out, heard = np.zeros((13, power.shape[1])), hertz >= 27.5
    np.add.at(out, np.minimum(np.round(np.mod(_pitch(hertz[heard]), 12)).astype(int), last), power[heard])
    return out[: last + 1] if last > 11 else out[:12]


def _nearest_in_hertz(power: Array, hertz: Array) -> Array:
    notes = 440 * 2 ** ((np.arange(140) - 69) / 12)
    return _collected(power, hertz, lambda f: np.abs(f[:, None] - notes).argmin(1))


def _averaged(power: Array, hertz: Array) -> Array:
    return chroma_of(power, hertz) / chroma_of(np.ones_like(power), hertz)


def _last_of_class(power: Array, hertz: Array, keep: Callable[[Array, Array], Array] = lambda a, b: b) -> Array:
    """One bin of each class, by default the last."""
    out = np.zeros((12, power.shape[1]))
    heard = hertz >= 27.5
    for k, row in zip(np.mod(np.round(_pitch(hertz[heard])), 12).astype(int), power[heard], strict=True):
        out[k] = keep(out[k], row)
    return out


# -- 17.5 -------------------------------------------------------------------------------------------

_SIZES = (3, 2, 4, 1, 3, 2, 5, 3, 2, 4, 1, 3, 2, 3, 2, 6, 3, 2, 1, 4)      # clips of each of 20 tunes
_NUMBERS = (41, 7, 130, 18, 55, 23, 92, 11, 64, 37, 5, 78, 29, 101, 48, 84, 16, 70, 33, 59)
_MINOR = (1, 0, 0, 1, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 1, 0, 1, 0)      # 8 of 20


def _clips(seed: int) -> tuple[Array, Array]:
    """The tune and the mode of each clip, in mixed order."""
    order = np.random.default_rng(seed).permutation(sum(_SIZES))
    return np.repeat(_NUMBERS, _SIZES)[order], np.repeat(np.array(_MINOR, bool), _SIZES)[order]


def _dealt(ask: Ask, tunes: Array, minor: Array, folds: int, rng_seed: int) -> Array:
    """The fold of each clip, with the form of the result seen to."""
    before = tunes.copy(), minor.copy()
    got = ask(tunes, minor, folds, np.random.default_rng(rng_seed))
    if not (np.array_equal(tunes, before[0]) and np.array_equal(minor, before[1])):
        raise Wrong("An argument was changed, perhaps shuffled in place: now no clip knows its tune.")
    if kind(got) != "array" or got.shape != tunes.shape or got.dtype.kind not in "iu":
        found = f"{called(got)} of dtype {got.dtype} and shape {got.shape}" if kind(got) == "array" else called(got)
        raise Wrong(f"fold_of should return an array of {len(tunes)} whole numbers, one for each clip, but returns "
                    f"{found}.")  # fmt: skip
    return got


def _no_tune_in_two_folds(ask: Ask, seed: int) -> str:
    tunes, minor = _clips(seed)
    got = _dealt(ask, tunes, minor, 4, 1)
    for tune in np.unique(tunes):
        places = np.unique(got[tunes == tune])
        if len(places) > 1:
            return (f"Clips of tune {tune} are in the folds {places[0]} and {places[1]}: the network is trained with "
                    "one and asked about the other. Deal out tunes, not clips.")  # fmt: skip
    if got.min() == 1 and got.max() == 4:
        return "The folds are numbered from 1. They go from 0 to folds - 1."
    if got.min() < 0 or got.max() > 3:
        return f"With 4 folds the numbers go from 0 to 3; here they go from {got.min()} to {got.max()}."
    return ""


def _tunes_in(got: Array, tunes: Array, chosen: Array, folds: int) -> Array:
    """How many of the chosen tunes are in each fold."""
    return np.array([len(np.unique(tunes[chosen & (got == fold)])) for fold in range(folds)])


def _evenly(ask: Ask, seed: int) -> str:
    tunes, minor = _clips(seed + 1)
    everything = np.ones(len(tunes), bool)
    for folds in (4, 3, 5):
        for k in range(4):
            got = _dealt(ask, tunes, minor, folds, k)
            counts = {"minor": _tunes_in(got, tunes, minor, folds), "major": _tunes_in(got, tunes, ~minor, folds)}
            total = _tunes_in(got, tunes, everything, folds)
            for name, found in counts.items():
                if np.ptp(found) > 1:
                    return _numbered(got, tunes, folds) or _uneven(name, found, total, folds)
    return ""


def _numbered(got: Array, tunes: Array, folds: int) -> str:
    """Words for folds that are the numbers of the tunes."""
    if not np.array_equal(got, tunes % folds):
        return ""
    return ("Each tune's own number decides about its fold. Numbers leave the folds unequal, and no chance decides: "
            "list the tunes of each mode, shuffle the list, and deal it out.")  # fmt: skip


def _uneven(name: str, found: Array, total: Array, folds: int) -> str:
    if (empty := np.flatnonzero(total == 0)).size:
        return (f"With {folds} folds, fold {empty[0]} gets no tune at all. Deal each list out in turn, fold 0, 1, 2 "
                f"and so on to {folds - 1}, and begin again with 0.")  # fmt: skip
    numbers = ", ".join(map(str, found[:-1])) + f" and {found[-1]}"
    if found[0] == found.sum():
        return f"All {name} tunes are in fold 0: are the tunes of both modes dealt out?"
    if np.ptp(total) > 1:
        return (f"With {folds} folds there are {numbers} {name} tunes in them: the folds differ by more than one tune. "
                "A list in which each tune of this mode stands once, dealt out in turn, leaves at most one. Does a "
                "draw of its own decide about each tune, does one stand there twice, is the mode read from another "
                "clip, or are both modes dealt out together?")  # fmt: skip
    return (f"With {folds} folds there are {numbers} {name} tunes in them. The folds have as many tunes, but not as "
            "many of each mode: deal out the minor tunes and the major ones separately.")  # fmt: skip


def _by_chance(ask: Ask, seed: int) -> str:
    tunes, minor = _clips(seed)
    drawn = [_dealt(ask, tunes, minor, 4, k) for k in range(8)]
    if all(np.array_equal(drawn[0], other) for other in drawn):
        return "Whatever `rng` is handed over, the folds are the same: shuffle the tunes with `rng` first."
    if not np.array_equal(drawn[5], _dealt(ask, tunes, minor, 4, 5)):
        return "The same `rng` gives other folds each time: take all random numbers from it."
    together = np.mean([one[tunes == 41][0] == one[tunes == 18][0] for one in drawn])
    return "Two tunes are always in one fold: does chance decide about each of them?" if together == 1 else ""


FOLDS = Problem(
    id="17.5",
    title="Folds of whole tunes",
    task=(
        "Deal out clips to `folds` groups, each of which is the test set once. All clips of a tune belong to one fold, "
        "and the minor tunes are spread as evenly as the major ones."
    ),
    spec=(
        "`tunes` (n,) says the number of each clip's tune, `minor` (n,) is True where it is minor; both are NumPy "
        "arrays. Returns an integer array (n,), the fold of each clip, from 0 to `folds` - 1. Two folds differ by at "
        "most one minor tune and by at most one major tune; which tunes come together is drawn with the NumPy "
        "generator `rng`."
    ),
    stub='''def fold_of(tunes, minor, folds, rng):
    """The fold of each clip, whole tunes together, both modes spread evenly."""
    return ...
''',
    answer="fold_of",
    lines=6,
    hints=(
        "What is dealt out: clips or tunes? And what would happen if all minor tunes lay at the top of the pack?",
        "Do the same for the minor tunes and for the major ones: list each tune once (`np.unique`), shuffle the list "
        "with `rng`, and give the folds 0, 1, 2, ... in turn.",
        "In a loop over `(True, False)`: `names = rng.permutation(np.unique(tunes[minor == ___]))`; then for each "
        "`i, name` of the shuffled ones, `fold[tunes == name] = i % ___`.",
    ),
    solution='''def fold_of(tunes, minor, folds, rng):
    """The fold of each clip, whole tunes together, both modes spread evenly."""
    fold = np.zeros(len(tunes), int)
    for mode in (True, False):
        names = rng.permutation(np.unique(tunes[minor == mode]))
        for i, name in enumerate(names):
            fold[tunes == name] = i % folds
    return fold
''',
    why=(
        "Two clips of one tune share notes, key and tempo; a model that has seen the one can recognize the other, and "
        "be right about it for no other reason. With folds every tune is tested once, by a model that was not trained "
        "with it."
    ),
    judge=by_probes(("tunes", "minor", "folds", "rng"), _no_tune_in_two_folds, _evenly, _by_chance),
)

# -- 17.6 -------------------------------------------------------------------------------------------


def _directions(x: Array, k: int) -> Array:
    """The k directions (k, features) in which the rows of x, as they are, are longest."""
    return np.linalg.svd(x, full_matrices=False)[2][:k]


def _right_singular(train: Array) -> Array:
    """Vh as PyTorch has it, whose rows have signs of their own."""
    import torch

    scaled = torch.from_numpy(train)
    scaled = (scaled - scaled.mean(dim=0)) / scaled.std(dim=0)
    return np.asarray(torch.linalg.svd(scaled, full_matrices=False).Vh.numpy(), np.float64)


def _scaled(of: Array, x: Array) -> Array:
    return (x - of.mean(0)) / of.std(0)


def _late_mean(of: Array, x: Array) -> Array:
    return x / of.std(0, ddof=1) - of.mean(0)


def _rows_scaled(x: Array) -> Array:
    return (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True, ddof=1)      # as torch.std


def project(train: Array, x: Array, k: int) -> Array:
    """Coordinates (m, k) of the rows of x along the first k principal directions of train."""
    train, x = train.astype(np.float64), x.astype(np.float64)
    return _scaled(train, x) @ _directions(_scaled(train, train), k).T


def signs_fixed(columns: Array) -> Array:
    """Columns whose largest number is positive: a direction and its opposite are the same direction."""
    if columns.ndim != 2 or not columns.size:
        return columns
    largest = np.take_along_axis(columns, np.abs(columns).argmax(0)[None], 0)
    return columns * np.where(largest < 0, -1, 1)


def _apart(train: Array, k: int) -> bool:
    """Whether none of the first k directions is nearly as long as the next: two alike could be turned at will."""
    if not train.any():
        return False
    sizes = np.linalg.svd(_scaled(train, train), compute_uv=False)
    return bool((sizes[:k] > 1.1 * sizes[1 : k + 1]).all())


def _features(rng: np.random.Generator) -> list[Case]:
    """Features of different size, spread and place, that go together in a few ways; the second set lies elsewhere."""
    found = []
    for n, m, wide, k in ((200, 200, 8, 3), (240, 120, 10, 2), (300, 100, 6, 4)):
        size, place = np.geomspace(0.3, 30, wide)[rng.permutation(wide)], rng.uniform(2, 40, wide)
        train = x = np.zeros((n, wide))
        while not _apart(train, k):
            loads = np.linalg.qr(rng.normal(size=(wide, wide)))[0] * np.geomspace(3, 0.4, wide)[:, None]
            train, x = (rng.normal(size=(rows, wide)) @ loads * size + place for rows in (n, m))
        x = train if m == n else x * 1.3 + 0.8 * size
        found.append(Case(train.astype(np.float32), x.astype(np.float32), k,
                          about=f"{n} rows of {wide} features to learn from, {m} to project, k = {k}"))  # fmt: skip
    return found


def _of_both(train: Array, x: Array, k: int) -> Array:
    both = np.concatenate([train, x])
    return _scaled(both, x) @ _directions(_scaled(both, both), k).T


_CENTER = (
    "The columns are not centered before the SVD. Then the first direction points from 0 to the middle of the data, "
    "and says nothing about how they differ."
)
_SCALE = (
    "The columns are centered, but not divided by their standard deviation. The feature with the largest numbers then "
    "decides the direction, whatever it means."
)
_OWN = (
    "`x` is normalized with its own mean or spread. Then a row gets other coordinates when other rows are projected "
    "beside it. Both come from `train`."
)
PCA = Problem(
    id="17.6",
    title="PCA by SVD",
    task=(
        "Find the directions in which the rows of `train` differ most, and give the coordinates of the rows of `x` "
        "along the first `k` of them. Everything that is learned is learned from `train`."
    ),
    spec=(
        "`train` (n, features) and `x` (m, features) are float tensors. Subtract from each column its mean in `train` "
        "and divide by its standard deviation in `train` (over N or N - 1, as you like), in both sets; the directions "
        "are the rows of Vh in the SVD of `train`, treated so (its right singular vectors). Returns a tensor (m, k); "
        "the sign of a column is free."
    ),
    stub='''def project(train, x, k):
    """Coordinates (m, k) of the rows of x along the first k principal directions of train."""
    return ...
''',
    answer="project",
    lines=4,
    hints=(
        "Three things are learned: a mean, a spread, and directions. From which of the two sets, and in which order?",
        "`torch.linalg.svd(a, full_matrices=False)` gives U, S and Vh. The *rows* of Vh are the directions in the "
        "space of features, the one with the largest spread first. A coordinate is a scalar product.",
        "`mean, spread = train.mean(dim=0), train.std(dim=0)`; `_, _, directions = torch.linalg.svd((train - ___) / "
        "___, full_matrices=False)`; `(x - mean) / spread @ directions[___].T`",
    ),
    solution='''def project(train, x, k):
    """Coordinates (m, k) of the rows of x along the first k principal directions of train."""
    mean, spread = train.mean(dim=0), train.std(dim=0)
    scaled = (train - mean) / spread
    directions = torch.linalg.svd(scaled, full_matrices=False).Vh[:k]
    return (x - mean) / spread @ directions.T
''',
    why=(
        "The singular vectors of centered data are the directions of largest variance, in order, and the singular "
        "values say how large. Without centering the first one is wasted on where the data lie."
    ),
    judge=by_tensors(
        project,
        _features,
        (
            Trap(lambda t, x, k: x @ _directions(t, k).T, _CENTER),
            Trap(lambda t, x, k: _scaled(t, x) @ _directions(t, k).T, _CENTER),
            Trap(lambda t, x, k: (x - t.mean(0)) @ _directions(t, k).T, _CENTER),
            Trap(lambda t, x, k: (x / t.std(0)) @ _directions(t / t.std(0), k).T, _CENTER),
            Trap(lambda t, x, k: _scaled(t, x) @ _directions(t / t.std(0), k).T, _CENTER),
            Trap(lambda t, x, k: (x - t.mean(0)) @ _directions(t - t.mean(0), k).T, _SCALE),
            Trap(lambda t, x, k: _scaled(t, x) @ _directions(t - t.mean(0), k).T,
                 "The directions are those of columns that are centered, but not divided by their standard deviation; "
                 "the coordinates are those of columns that are. Treat both alike."),
            Trap(lambda t, x, k: (x - t.mean(0)) @ _directions(_scaled(t, t), k).T,
                 "The directions are found with normalized columns, but `x` is only centered. Treat both alike."),
            Trap(lambda t, x, k: (x / t.std(0)) @ _directions(_scaled(t, t), k).T,
                 "`x` is divided by the spread, but the mean of `train` is not taken away from it. Treat both alike."),
            Trap(lambda t, x, k: _late_mean(t, x) @ _directions(_late_mean(t, t), k).T,
                 "The mean is subtracted after the division, when the columns have another mean. Subtract first."),
            Trap(lambda t, x, k: project(t, x, k + 1)[:, 1:],
                 "The first direction is left out: the rows of Vh are counted from 0."),
            Trap(lambda t, x, k: project(t, x, k) * np.linalg.svd(_scaled(t, t))[1][:k],
                 "The coordinates are multiplied by the singular values. A coordinate is the product with a direction "
                 "of length 1, and nothing more."),
            Trap(lambda t, x, k: project(t, x, k) / project(t, x, k).std(0, ddof=1),
                 "The coordinates are divided by their own spread. Here the first should have the largest."),
            Trap(lambda t, x, k: _scaled(t, x) @ np.linalg.svd(_scaled(t, t), full_matrices=False)[2][::-1][:k].T,
                 "The directions come with the smallest spread first, as `eigh` gives them. Take the last k, and turn "
                 "their order round."),
            Trap(lambda t, x, k: x @ _directions(_scaled(t, t), k).T,
                 "`x` is projected as it came. Its columns need the same mean taken away and the same division as "
                 "those of `train`."),
            Trap(lambda t, x, k: ((x - t.mean(0)) / t.var(0)) @ _directions((t - t.mean(0)) / t.var(0), k).T,
                 "The columns are divided by their variance. Divide by its root, the standard deviation."),
            Trap(lambda t, x, k: _scaled(x, x) @ _directions(_scaled(t, t), k).T, _OWN),
            Trap(lambda t, x, k: ((x - x.mean(0)) / t.std(0)) @ _directions(_scaled(t, t), k).T, _OWN),
            Trap(lambda t, x, k: ((x - t.mean(0)) / x.std(0)) @ _directions(_scaled(t, t), k).T, _OWN),
            Trap(lambda t, x, k: _scaled(x, x) @ _directions(_scaled(x, x), k).T,
                 "`train` is not used: mean, spread and directions are those of `x` itself. A test set would then "
                 "choose its own axes."),
            Trap(lambda t, x, k: _scaled(t, x) @ _directions(_scaled(t, x), k).T,
                 "The directions are those of `x`. They must come from `train`, as mean and spread do."),
            Trap(lambda t, x, k: _scaled(t, x) @ _directions(_scaled(x, x), k).T,
                 "The directions are those of `x`. They must come from `train`, as mean and spread do."),
            Trap(lambda t, x, k: _scaled(both := np.concatenate([t, x]), x) @ _directions(_scaled(both, t), k).T,
                 "Mean and spread are those of both sets together. That is a leak: take them from `train` alone."),
            Trap(_of_both, "Both sets together decide about mean, spread or directions. That is a leak: take them from "
                           "`train` alone."),
            Trap(lambda t, x, k: _scaled(t, x) @ _right_singular(t)[:, :k],
                 "The first columns of Vh are taken. Its *rows* are the directions."),
            Trap(lambda t, x, k: _scaled(t, x) @ np.linalg.svd(_scaled(t, t), full_matrices=False)[2][-k:].T,
                 "The last k directions are taken, along which the rows differ least. The first ones are asked for."),
            Trap(lambda t, x, k: _scaled(t, x)[:, :k],
                 "These are the first k columns, normalized. A principal direction is a mixture of all columns."),
            Trap(lambda t, x, k: np.linalg.svd(_scaled(t, t), full_matrices=False)[0][: len(x), :k],
                 "These are rows of U: coordinates of `train`, without their size. For `x` you need the directions in "
                 "Vh, and a product."),
            Trap(lambda t, x, k: project(t, x, k) / np.linalg.svd(_scaled(t, t))[1][:k],
                 "The coordinates are divided by the singular values, so that all have the same spread. Here the "
                 "first should have the largest."),
            Trap(lambda t, x, k: project(t, t, k), "These are the coordinates of `train`. Those of `x` are asked for."),
            Trap(lambda t, x, k: project(t, x, t.shape[1]), "All directions are used. The first `k` are asked for."),
            Trap(lambda t, x, k: project(t, x, k) @ _directions(_scaled(t, t), k),
                 "You have gone back into the space of the features. The coordinates, (m, k), are asked for."),
            Trap(lambda t, x, k: project(t, x, k).T, "Rows and columns are exchanged: (m, k)."),
            Trap(lambda t, x, k: _rows_scaled(x) @ _directions(_rows_scaled(t), k).T,
                 "Each *row* is normalized by itself. A mean and a spread for each column are asked for: `dim=0`."),
            Trap(lambda t, x, k: ((x - t.mean()) / t.std()) @ _directions((t - t.mean()) / t.std(), k).T,
                 "One mean and one spread for all columns together. Each column has its own: `dim=0`."),
        ),
        rtol=1.2e-2,
        atol=1.2e-2,
        alike=signs_fixed,
    ),
)  # fmt: skip

# -- 17.7 -------------------------------------------------------------------------------------------


def balanced_accuracy(counts: Array) -> float:
    """The mean, over the classes that occur, of the share of their examples that is recognized."""
    there = counts.sum(1) > 0
    return float((np.diag(counts)[there] / counts.sum(1)[there]).mean())


def _matrices(rng: np.random.Generator) -> list[Case]:
    found = [np.array([[80, 20], [5, 15]]), np.array([[30, 6, 0], [4, 9, 2], [1, 3, 5]])]
    found += [np.diag(rng.integers(5, 40, 4)) + rng.integers(0, 9, (4, 4)), np.array([[9, 1], [1, 0]])]
    return [Case(counts, about=f"{len(counts)} classes") for counts in found]


def _matrices_with_gaps() -> list[Case]:
    return [
        Case(np.array([[8, 2, 0], [1, 3, 0], [0, 0, 0]]), about="class 2 does not occur"),
        Case(np.array([[6, 2, 1], [0, 0, 0], [3, 0, 2]]), about="class 1 does not occur"),
        Case(np.array([[50, 0], [10, 0]]), about="class 1 is never said"),
    ]


def _recalls(counts: Array) -> Array:
    return np.diag(counts) / np.maximum(counts.sum(1), 1)


def _precisions(counts: Array) -> Array:
    return np.diag(counts)[counts.sum(0) > 0] / counts.sum(0)[counts.sum(0) > 0]


BALANCED = Problem(
    id="17.7",
    title="Balanced accuracy",
    task=(
        "Read a confusion matrix: for each class that occurs, which share of its examples is recognized? The balanced "
        "accuracy is the mean of these shares."
    ),
    spec=(
        "`counts` (classes, classes) is a NumPy array of integers; `counts[i, k]` examples of class i were said to be "
        "class k. At least one class occurs. Returns a number from 0 to 1."
    ),
    stub='''def balanced_accuracy(counts):
    """The mean share of recognized examples, over the classes that occur."""
    return ...
''',
    answer="balanced_accuracy",
    lines=3,
    hints=(
        "A row holds all examples of one class. Where in the row are those that were recognized?",
        "`counts.diagonal()` has the recognized ones, `counts.sum(axis=1)` all examples of each class. A class without "
        "any example has no share: leave it out of the mean.",
        "`there = counts.sum(axis=___)`, then `(counts.diagonal()[there > 0] / ___).mean()`",
    ),
    solution='''def balanced_accuracy(counts):
    """The mean share of recognized examples, over the classes that occur."""
    there = counts.sum(axis=1)
    right = counts.diagonal()
    return (right[there > 0] / there[there > 0]).mean()
''',
    why=(
        "Each class counts the same, however many examples it has. Who always names the most frequent of k classes "
        "gets 1 / k and no more. The columns would answer another question: how far an answer can be trusted."
    ),
    judge=by_cases(
        balanced_accuracy,
        lambda rng: [*_matrices(rng), *_matrices_with_gaps()],
        (
            Trap(lambda c: float(np.trace(c) / c.sum()),
                 "This is the plain accuracy, the share of all examples. A class with many examples counts for more "
                 "there; here each class counts the same."),
            Trap(lambda c: float(_precisions(c).mean()),
                 "The columns are added up: that is how often a class was *said*, and the shares are precisions. The "
                 "rows are what is there."),
            Trap(lambda c: float((np.diag(c) / np.maximum(c.sum(0), 1)).mean()),
                 "The columns are added up: that is how often a class was *said*, and the shares are precisions. The "
                 "rows are what is there."),
            Trap(lambda c: float((np.diag(c) / c.sum(0)).mean()),
                 "The columns are added up: that is how often a class was *said*, and the shares are precisions. The "
                 "rows are what is there."),
            Trap(lambda c: float(np.nanmean(np.diag(c) / c.sum(0))),
                 "The columns are added up: that is how often a class was *said*, and the shares are precisions. The "
                 "rows are what is there."),
            Trap(lambda c: float((np.diag(c)[c.sum(1) > 0] / np.maximum(c.sum(0)[c.sum(1) > 0], 1)).mean()),
                 "The columns are added up: that is how often a class was *said*, and the shares are precisions. The "
                 "rows are what is there."),
            Trap(lambda c: float(_recalls(c).mean()),
                 "A class without examples counts as one of which nothing is recognized. It has no share at all: leave "
                 "it out of the mean."),
            Trap(lambda c: float((np.diag(c) / c.sum(1)).mean()),
                 "A class without examples makes 0 / 0, and one nan makes the mean nan. Leave such classes out."),
            Trap(lambda c: float(np.where(c.sum(1) > 0, _recalls(c), 1).mean()),
                 "A class without examples counts as one that is always recognized. Leave it out of the mean."),
            Trap(lambda c: _mean_of(c, c.sum(1) > 1),
                 "A class with a single example is left out. It occurs, so its share counts."),
            Trap(lambda c: _mean_of(c, np.diag(c) > 0),
                 "A class of which nothing is recognized is left out. It occurs, and its share is 0."),
            Trap(lambda c: _mean_of(c, (c.sum(1) > 0) & (c.sum(0) > 0)),
                 "A class that is never *said* is left out. It occurs, and its share is 0."),
            Trap(lambda c: _mean_of(c, c.sum(0) > 0),
                 "The classes that are *said* are averaged. Those that occur are asked for: add up the rows."),
            Trap(lambda c: float((np.diag(c) // np.maximum(c.sum(1), 1))[c.sum(1) > 0].mean()),
                 "`//` makes 0 or 1 of each share. Divide by `/`."),
            Trap(lambda c: np.trace(c) / (c.sum(1) > 0).sum(),
                 "The recognized examples are divided by the number of classes. Divide those of each class by all "
                 "examples of this class, and then take the mean."),
            Trap(lambda c: float((np.diag(c) / c.sum()).mean()),
                 "Each number is divided by *all* examples. Divide by those of its own class."),
            Trap(lambda c: float((c.max(1)[c.sum(1) > 0] / c.sum(1)[c.sum(1) > 0]).mean()),
                 "The largest number of each row is taken. The recognized ones stand in the diagonal."),
            Trap(lambda c: round(balanced_accuracy(c), 2), "The result is rounded. Return it as it is."),
            Trap(lambda c: 100 * balanced_accuracy(c), "These are percent. A number from 0 to 1 is asked for."),
            Trap(lambda c: 1 - balanced_accuracy(c), "This is the mean share of errors: 1 minus what is asked for."),
            Trap(lambda c: float(_recalls(c)[c.sum(1) > 0].sum()), "The shares are added up, not averaged."),
            Trap(lambda c: _recalls(c)[c.sum(1) > 0], "These are the shares, one for each class. Their mean is asked "
                                                      "for."),
            Trap(lambda c: float(np.median(_recalls(c)[c.sum(1) > 0])), "This is the median of the shares. Their mean "
                                                                        "is asked for."),
            Trap(lambda c: float(np.diag(c).mean()), "This is the mean of the diagonal, a number of examples. Divide "
                                                     "each by what its row adds up to."),
            Trap(lambda c: float(_f1(c).mean()), "This is the mean of F1, in which precision has a part. Only the rows "
                                                 "matter here."),
        ),
        rtol=1e-6,
    ),
)  # fmt: skip


def _mean_of(counts: Array, chosen: Array) -> float:
    """The mean share of chosen classes; 0 examples count as one that is missed."""
    return float(_recalls(counts)[chosen].mean()) if chosen.any() else float("nan")


def _f1(counts: Array) -> Array:
    whole = counts.sum(0) + counts.sum(1)
    return (2 * np.diag(counts) / np.maximum(whole, 1))[counts.sum(1) > 0]


PROBLEMS = (FRAMES, DECIBEL, WINDOWED, CHROMA, FOLDS, PCA, BALANCED)
