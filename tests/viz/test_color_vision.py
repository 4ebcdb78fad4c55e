"""The course's colors as the color-blind see them: every two of them stay apart.

Oracle: the matrices of Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision
deficiency" (IEEE TVCG 15(6), 2009, table 1, severity 1.0), on linear sRGB; distances in CIELAB (CIE 1976, D65), where
about 2.3 is what an eye can just tell.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gpucourse.viz import picture

VISION = {
    "all cones": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                            [0.004733, 0.691367, 0.303900]]),
}  # fmt: skip
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
WHITE = XYZ.sum(axis=1)
APART = 15.0


def linear(color):
    """Linear sRGB of "#RRGGBB" (IEC 61966-2-1)."""
    channels = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(color, vision):
    """CIELAB of what is seen of a color."""
    t = XYZ @ (VISION[vision] @ linear(color)).clip(0, 1) / WHITE
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def too_close(colors, vision):
    """Pairs of the named colors that lie closer than APART."""
    seen = {name: lab(color, vision) for name, color in colors.items()}
    far = {pair: float(np.linalg.norm(seen[pair[0]] - seen[pair[1]])) for pair in itertools.combinations(seen, 2)}
    return {pair: round(distance, 1) for pair, distance in far.items() if distance < APART}


@pytest.mark.parametrize("vision", VISION)
def test_every_two_colors_of_the_course_stay_apart(vision):
    assert too_close(picture.COLORS, vision) == {}


def test_the_oracle_knows_what_is_known():
    assert lab("#FFFFFF", "all cones") == pytest.approx([100, 0, 0], abs=0.01)
    assert lab("#FF0000", "all cones") == pytest.approx([53.24, 80.09, 67.20], abs=0.05)   # Lindbloom's calculator
    for vision, matrix in VISION.items():
        assert matrix.sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-5), f"{vision}: white stays white"
    famous = {"green": "#2CA02C", "red": "#D62728"}   # of matplotlib's own cycle
    assert too_close(famous, "all cones") == {} != too_close(famous, "deuteranopia")
    assert list(too_close({"green": "#009E73", "grey": "#767676"}, "deuteranopia")) == [("green", "grey")]
