"""The saliency explorer: a digit, drawn or bundled, the classes' scores, and over it a map of what spoke for a class.

It runs no network: it is given functions, one from a picture to scores and others from a picture and a class to a map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpucourse.errors import CourseError
from gpucourse.show import here
from gpucourse.viz import drawing, explorer, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Image = NDArray[np.float32]
Scores = Callable[[Image], Sequence[float]]
Map = Callable[[Image, int], Any]
LARGEST = "the largest score"
INK = 0.5       # brighter pixels are the digit's own
FAINT = 0.03    # of the largest of a map: less cannot be seen


@dataclass(frozen=True)
class Asked:
    """A picture, the network's scores for it, the class that is asked about, and the map for that class."""

    image: Image
    scores: NDArray[np.float64]
    of: int
    map: NDArray[np.float64]

    @property
    def on_ink(self) -> float:
        """The share of the map, counted without signs, that lies on the digit; nan for a map of zeros."""
        total = np.abs(self.map).sum()
        return float(np.abs(self.map)[self.image > INK].sum() / total) if total else float("nan")


def ask(scores: Scores, maps: Mapping[str, Map], image: Image, kind: str, of: int | str = LARGEST) -> Asked:
    """Return what the functions say of `image`, (h, w), 0 to 1; `of`: a class, or that with the largest score.

    Raises CourseError where `kind` is none of `maps`, or a function returns another shape or nan.
    """
    if kind not in maps:
        raise CourseError(f"saliency: map {kind!r}; there are {', '.join(maps)}")
    found = _numbers(scores(image), "scores")
    if found.ndim != 1 or len(found) < 2:
        raise CourseError(f"saliency: scores(image) has shape {found.shape}; one number a class is wanted, as (10,): "
                          "take the first row of the network's output")  # fmt: skip
    number = int(found.argmax()) if of == LARGEST else int(of)
    if not 0 <= number < len(found):
        raise CourseError(f"saliency: class {of}; there are 0 to {len(found) - 1}")
    made = _numbers(maps[kind](image, number), f"the map {kind!r}")
    if made.shape != image.shape:
        raise CourseError(f"saliency: the map {kind!r} has shape {made.shape}; it must be the picture's, {image.shape}")
    return Asked(image, found, number, made)


def _numbers(value: Any, what: str) -> NDArray[np.float64]:
    """Return an array of what NumPy, PyTorch or a list gave. Raises CourseError for nan and infinity."""
    value = value.detach().cpu() if hasattr(value, "detach") else value
    array = np.asarray(value, np.float64)
    if not np.isfinite(array).all():
        wrong = np.count_nonzero(~np.isfinite(array))
        raise CourseError(f"saliency: {what}: {wrong} of {array.size} numbers are nan or infinite; look at the weights "
                          "first")  # fmt: skip
    return array


# --- words and picture -------------------------------------------------------------------------------


def said(asked: Asked, who: str, kind: str) -> str:
    """Say what the network says, and where its map lies; both depend on the training and stand between ⟨ and ⟩."""
    best, second = np.argsort(-asked.scores)[:2]
    scores = f"the largest score is that of {best}, {asked.scores[best]:.2f}, then {second}, {asked.scores[second]:.2f}"
    if np.abs(asked.map).max():
        row, column = np.unravel_index(np.abs(asked.map).argmax(), asked.map.shape)
        where = (f"is strongest at row {row}, column {column}; {asked.on_ink:.0%} of it lies on the digit's ink, which "
                 f"is {np.mean(asked.image > INK):.0%} of the picture")  # fmt: skip
    else:
        where = "is zero everywhere"
    return f"{who}, {kind}: {here(f'{scores}; the map for {asked.of} {where}')}."


def _figure(asked: Asked, kind: str) -> Figure:
    """The picture, the map over it, and the scores."""
    fig, (left, middle, right) = picture.new(8.2, 3.0, columns=3, width_ratios=(1, 1, 1.15))
    against = asked.map.min() < -FAINT * np.abs(asked.map).max()
    title = f"{kind} for {asked.of}" + ("; blue: against" if against else "")
    for ax, image, head in ((left, asked.image, "what the network sees"), (middle, _over(asked), title)):
        ax.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        ax.set_title(head, loc="left", fontsize=10)
        ax.axis("off")
    _bars(right, asked)
    return fig


def _over(asked: Asked) -> NDArray[np.float64]:
    """The picture at half its brightness, and over it the map: orange for the class, blue against it; (h, w, 3)."""
    from matplotlib.colors import to_rgb

    strength = asked.map / (np.abs(asked.map).max() or 1.0)
    share = np.abs(strength)[..., None]
    color = np.where(strength[..., None] > 0, to_rgb(picture.COLORS["orange"]), to_rgb(picture.COLORS["sky"]))
    return (1 - share) * 0.5 * asked.image[..., None] + share * color


def _bars(ax: Axes, asked: Asked) -> None:
    """A bar a class, the one asked about in orange, with the scores' numbers on the axis."""
    places = np.arange(len(asked.scores))
    colors = [picture.COLORS["orange" if place == asked.of else "grey"] for place in places]
    ax.barh(places, asked.scores, color=colors, height=0.7)
    ax.axvline(0, color=picture.COLORS["black"], linewidth=0.8)
    ax.set_yticks(places)
    ax.invert_yaxis()
    ax.set_ylabel("class")
    ax.xaxis.get_major_locator().set_params(nbins=4)
    ax.grid(axis="y", visible=False)
    ax.set_title("score of each class", loc="left", fontsize=10)


# --- to be called ------------------------------------------------------------------------------------


def _pictures(images: Any) -> Image:
    """Return the pictures to choose from as floats from 0 to 1."""
    if images is None:
        return drawing.bundled()
    found = np.asarray(images)
    if found.ndim != 3 or not len(found):
        raise CourseError(f"saliency: images has shape {found.shape}; give (n, 28, 28)")
    return (found / 255 if found.dtype == np.uint8 else found).astype(np.float32)


def draw(
    scores: Scores, maps: Mapping[str, Map], kind: str | None = None, digit: int = 3, of: int | str = LARGEST,
    images: Any = None, drawn: Image | None = None,
) -> tuple[Figure, str]:
    """Return the figure and the sentence; arguments as `saliency`, and a drawing, (28, 28), that replaces the digit."""
    image, who = (drawn, "Your drawing") if drawn is not None else _picture(images, digit)
    kind = kind or next(iter(maps))
    asked = ask(scores, maps, image, kind, of)
    return _figure(asked, kind), said(asked, who, kind)


def _picture(images: Any, number: int) -> tuple[Image, str]:
    pictures = _pictures(images)
    if not 0 <= number < len(pictures):
        raise CourseError(f"saliency: picture {number}; there are 0 to {len(pictures) - 1}")
    return pictures[number], f"A bundled {number}" if images is None else f"Picture {number}"


def saliency(
    scores: Scores, maps: Mapping[str, Map], kind: str | None = None, digit: int = 3, of: int | str = LARGEST,
    images: Any = None,
) -> None:
    """Print what a network says of a digit, and show the digit, a map of what spoke for a class, and all scores.

    `scores`: from a picture, float32 (28, 28), 0 to 1, to one number a class. `maps`: name -> function from a picture
    and a class to a map, (28, 28). `kind`: the map's name, by default the first. `digit`: which of `images`,
    (n, 28, 28), uint8 or 0 to 1; by default ten bundled digits, 0 to 9. `of`: the class that the map is for, by
    default the one with the largest score. CourseError for what cannot be.
    """
    explorer.show(draw, scores=scores, maps=maps, kind=kind, digit=digit, of=of, images=images)


def explore(scores: Scores, maps: Mapping[str, Map], images: Any = None) -> explorer.Explorer | None:
    """The same with a canvas to draw a digit of your own on, and a control for each choice."""
    pictures = _pictures(images)
    count, classes = len(pictures), len(_numbers(scores(pictures[0]), "scores"))

    def shown(kind: str, digit: int, of: int | str, drawn: Image | None = None) -> tuple[Figure, str]:
        return draw(scores, maps, kind, digit, of, images, drawn)

    return drawing.with_canvas(
        "saliency", shown, "digit",
        digit=explorer.choice(min(3, count - 1), list(range(count)), "or a bundled digit" if images is None else "or"),
        kind=explorer.choice(next(iter(maps)), list(maps), "map"),
        of=explorer.choice(LARGEST, [LARGEST, *range(classes)], "for the class"),
    )  # fmt: skip
