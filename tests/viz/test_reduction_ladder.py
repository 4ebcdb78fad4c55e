"""The reduction ladder: its picture is the rules' (held against records elsewhere), its bars are the profiles'."""

import re

import numpy as np
import pytest
from matplotlib.colors import to_hex

from gpucourse.viz import explorers, picture
from gpucourse.viz import reduction_ladder as ladder
from gpucourse.viz.reduction_rounds import RULES
from gpucourse.viz.reduction_steps import COUNTERS, sentence
from gpucourse.viz.reduction_steps import ladder as ladder_of
from tests.viz.reduction_profiles import profiled
from tests.viz.reduction_profiles import profiles as all_profiles
from tests.viz.texts import clashes


@pytest.fixture(scope="module")
def profiles():
    return all_profiles()


def cells(fig, color):
    """Elements or threads of the right grid whose boxes have a color, by position."""
    boxes = [box for box in fig.axes[0].patches if to_hex(box.get_facecolor()) == to_hex(color)]
    inside = [box for box in boxes if box.get_x() >= ladder._RIGHT_LEFT - 0.01
              and ladder._GRID_TOP - 0.01 <= box.get_y() < ladder._KEY - 0.1]  # fmt: skip
    return sorted(
        32 * round((box.get_y() - ladder._GRID_TOP) / ladder._HIGH)
        + round((box.get_x() - ladder._RIGHT_LEFT) / ladder._CELL)
        for box in inside
    )


def numbered(fig):
    """Element of the right grid -> the number that stands in it."""
    found = {}
    for text in fig.axes[0].texts:
        x, y = text.get_position()
        column, row = (x - ladder._RIGHT_LEFT) / ladder._CELL - 0.5, (y - ladder._GRID_TOP) / ladder._HIGH - 0.5
        if text.get_text().isdigit() and 0 <= round(row) < 8 and column > -0.1:
            found[32 * round(row) + round(column)] = int(text.get_text())
    return found


@pytest.mark.parametrize("number", [1, 3, 6])
@pytest.mark.parametrize("name", list(RULES)[:4])
def test_the_tile_shows_what_warp_0_reads_and_by_which_lane(name, number, profiles):
    fig, _ = ladder.draw(profiles, name, number)
    own, other, _ = RULES[name].rounds[number].requests[:3]
    assert cells(fig, ladder._OWN) == sorted(own.elements.values())
    assert cells(fig, ladder._OTHER) == sorted(other.elements.values())
    lanes = {element: lane for request in (own, other) for lane, element in request.elements.items()}
    assert numbered(fig) == lanes


@pytest.mark.parametrize("number", [0, 3, 6])
@pytest.mark.parametrize("name", RULES)
def test_the_grid_of_threads_shows_who_works(name, number, profiles):
    fig, _ = ladder.draw(profiles, name, number)
    made = RULES[name].rounds[number]
    grid = next(c for c in fig.axes[0].collections if len(c.get_paths()) == 256)
    colors = [to_hex(color) for color in grid.get_facecolors()]
    assert {t for t in range(256) if colors[t] == to_hex(ladder._WORKS)} == made.used
    assert {t for t in range(256) if colors[t] == to_hex(ladder._UNUSED)} == made.workers - made.used
    resting = {t for t in range(256) if colors[t] == to_hex(ladder._RESTS)}
    assert {t // 32 for t in resting} == set(range(8)) - made.warps and len(resting) % 32 == 0
    parts = [text.get_text() for text in fig.axes[0].texts if text.get_text().endswith(": parts")]
    assert len(parts) == len(made.parted)


@pytest.mark.parametrize("name", RULES)
def test_the_tree_has_a_line_from_each_value_to_its_sum(name, profiles):
    fig, _ = ladder.draw(profiles, name, 3)
    drawn = [np.round((path.vertices[:, 0] - ladder._TREE_LEFT) / ladder._TREE_WIDTH * 256 - 0.5).astype(int).tolist()
             for lines in fig.axes[0].collections for path in lines.get_paths() if len(path.vertices) == 2]  # fmt: skip
    due = [[start, add.to] for made in RULES[name].rounds for add in made.adds for start in (add.own, add.other)]
    assert sorted(drawn) == sorted(due)
    assert len(due) == 2 * 255


@pytest.mark.parametrize("number", [1, 4, 6, 8])
def test_the_arrows_of_a_shuffle_go_to_the_sums_that_are_used(number, profiles):
    fig, _ = ladder.draw(profiles, "shuffled", number)
    arrows = [text for text in fig.axes[0].texts if getattr(text, "arrow_patch", None) is not None
              and "|>" in str(text.arrowprops["arrowstyle"])]  # fmt: skip
    lanes = [[round((x - ladder._RIGHT_LEFT) / ladder._CELL - 0.5) for x in (arrow.get_position()[0], arrow.xy[0])]
             for arrow in arrows]  # fmt: skip
    made = RULES["shuffled"].rounds[number]
    assert sorted(lanes) == [[lane + made.distance, lane] for lane in sorted(made.used) if lane < 32]


@pytest.mark.parametrize("name", RULES)
def test_the_picture_of_what_is_taken_names_the_lane_of_each_element(name, profiles):
    fig, _ = ladder.draw(profiles, name, 0)
    shown = [text.get_text()[2:-1] for text in fig.axes[0].texts if re.fullmatch(r"x\[[\d,]+\]", text.get_text())]
    rows = [int(text.replace(",", "")) for text in shown]
    (step,) = ladder_of({name: profiles[name]})
    takes = {element: (lane, load) for lane in range(32) for load in step.loads(lane) for element in load}
    for place, lane in numbered(fig).items():
        assert takes[rows[place // 32] + place % 32][0] == lane
    assert len(numbered(fig)) == sum(32 // len(takes[row][1]) for row in rows)
    assert rows == sorted({element // 32 * 32 for element in takes})[: len(rows)]


def test_the_bars_are_as_long_as_the_numbers(profiles):
    fig, _ = ladder.draw(profiles, "halves", 1)
    bars = [box for box in fig.axes[0].patches if to_hex(box.get_facecolor()) == to_hex(picture.COLORS["sky"])]
    steps = ladder_of(profiles)
    for column, key in enumerate(COUNTERS):
        left = ladder._NAMES + column * ladder._BAR_COLUMN
        widths = [box.get_width() for box in sorted(bars, key=lambda box: box.get_y()) if box.get_x() == left]
        numbers = [step.counters[key] for step in steps]
        assert np.allclose(np.array(widths) * numbers[0], np.array(numbers) * widths[0], atol=1e-9), key


@pytest.mark.parametrize("name", RULES)
def test_no_text_lies_on_another_or_beyond_the_page_and_nothing_jumps(name, profiles):
    figures = [ladder.draw(profiles, name, number)[0] for number in (0, 1, 4, 6)]
    assert [clashes(fig) for fig in figures] == [[]] * 4
    assert len({tuple(fig.bbox.size) for fig in figures}) == 1


def test_a_part_of_the_ladder_is_drawn(profiles):
    few = {name: profiles[name] for name in ("halves", "modulo")}
    assert clashes(ladder.draw(few, "halves", 1)[0]) == []


def test_a_size_that_is_no_multiple_of_anything_is_drawn():
    for name, blocks in (("vector", 1), ("grid_stride", 2), ("first_add", 3), ("modulo", 5)):
        for n in (1, 1031):
            fig, _ = ladder.draw({name: profiled(name, n, blocks if n > 1 else 1)}, name, 0)
            assert clashes(fig) == []


# --- the explorer ------------------------------------------------------------------------------------


def test_the_explorer_moves_and_the_plain_function_says_the_same(profiles, capsys):
    explorer = explorers.reduction_ladder(profiles)
    assert explorer.sentence == sentence(profiles)
    before = explorer.image.value
    explorer.set(version="shuffled", round=6)
    assert explorer.sentence == sentence(profiles, "shuffled", 6)
    assert explorer.image.value != before
    ladder.reduction_ladder(profiles, version="shuffled", round=6)
    assert sentence(profiles, "shuffled", 6) in capsys.readouterr().out


def test_the_explorer_begins_with_the_first_version_that_it_is_given(profiles):
    explorer = explorers.reduction_ladder({name: profiles[name] for name in ("vector", "shuffled")})
    assert explorer.sentence == sentence({name: profiles[name] for name in ("shuffled", "vector")}, "shuffled")
