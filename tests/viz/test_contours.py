"""A height over a plane with paths: the levels rise, the points stand where they were given."""

import numpy as np
import pytest

from gpucourse.viz import contours

GRID = np.linspace(-2, 3, 21)
BOWL = np.add.outer(GRID**2, GRID**2)
PATHS = {"one": [(0, 0), (1, 1)], "two": [(-1, 2), (0, 1), (2, 0)]}


def test_the_picture_has_the_paths_a_ring_at_the_start_and_a_cross_at_the_end():
    ax = contours.draw(GRID, GRID, BOWL, PATHS, "title", "x", "y").axes[0]
    lines = {line.get_label(): line.get_xydata() for line in ax.lines if line.get_label() in PATHS}
    for name, points in PATHS.items():
        assert np.array_equal(lines[name], points)
    ends = {(line.get_marker(), *line.get_xydata()[0]) for line in ax.lines if len(line.get_xydata()) == 1}
    assert ends == {("o", 0, 0), ("X", 1, 1), ("o", -1, 2), ("X", 2, 0)}
    assert (ax.get_xlim(), ax.get_xlabel(), ax.get_title(loc="left")) == ((-2, 3), "x", "title")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(PATHS)


def test_levels_lie_closer_together_near_the_bottom():
    ax = contours.draw(GRID, GRID, BOWL, {}, "", "x", "y").axes[0]
    heights = ax.collections[0].levels ** 4
    assert np.all(np.diff(heights) > 0)
    assert np.all(np.diff(heights, 2) > 0)
    assert heights[-1] == pytest.approx(BOWL.max())
    assert ax.get_legend() is None


def test_a_picture_has_words(monkeypatch):
    shown = []
    monkeypatch.setattr(contours.picture, "show", lambda fig, alt: shown.append(alt))
    contours.contours(GRID, GRID, BOWL, PATHS, "title", "x", "y", alt="A bowl with two paths.")
    assert shown == ["A bowl with two paths."]
