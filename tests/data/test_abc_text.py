"""ABC as text: notes as music21 reads them, bars counted, what is stripped."""

import numpy as np
import pytest

from gpucourse.data import abc_text
from gpucourse.errors import CourseError

AIR = """X:1
T:An air %first
C:somebody
M:6/8
L:1/8
K:D major %bright
%%text
{g}"D"f2d (dcd)|!p!A>BA FGA|[1 (3ABc d2 d|
"""


def test_plain_has_meter_key_and_notes_only():
    assert abc_text.plain(AIR) == "M:6/8\nK:D major\nf2d dcd|A>BA FGA| (3ABc d2 d|\n\n"


def test_a_missing_field_is_told():
    with pytest.raises(CourseError, match="no line K:"):
        abc_text.plain("X:1\nM:C\nabc|\n")


@pytest.mark.parametrize(
    ("abc", "rows"),
    [
        ("d2", [(0, 1, 74)]),
        ("d>e", [(0, 0.75, 74), (0.75, 0.25, 76)]),
        ("G<B", [(0, 0.25, 67), (0.25, 0.75, 71)]),
        ("a/b/ z c'", [(0, 0.25, 81), (0.25, 0.25, 83), (0.5, 0.5, 0), (1, 0.5, 84)]),
        ("^c =f F, d3/2 B//", [(0, 0.5, 73), (0.5, 0.5, 77), (1, 0.5, 54), (1.5, 0.75, 74), (2.25, 0.125, 71)]),
    ],
)
def test_notes_are_read(abc, rows):
    np.testing.assert_allclose(abc_text.read(abc, "F"), rows, atol=1e-6)


def test_music21_reads_the_same_notes():
    """Of a tune without triplets and repeats."""
    converter = pytest.importorskip("music21.converter")
    abc = "X:1\nM:6/8\nL:1/8\nK:D\nf2d dcd|A>BA FGA|B/c/dB AFD|c'3 ^g2=c|\n"
    theirs = [(n.offset, n.quarterLength, n.pitch.midi) for n in converter.parse(abc, format="abc").flatten().notes]
    np.testing.assert_allclose(abc_text.notes_of(abc_text.plain(abc)), theirs, atol=1e-6)


def test_only_the_first_tune_is_played_and_no_rest():
    found = abc_text.notes_of("M:C\nK:G\nf z g|\n\nM:C\nK:D\nc|\n\n")
    np.testing.assert_allclose(found, [(0, 0.5, 78), (1, 0.5, 79)])


def test_bars_are_counted():
    assert abc_text.full_bars("M:6/8\nK:D\nd3 d3|d2d d3|d3|\n\nM:C\nK:G\nG4 G4|\n\n") == pytest.approx(3 / 4)


def test_no_bar_is_told():
    with pytest.raises(CourseError, match="no bar"):
        abc_text.full_bars("")
