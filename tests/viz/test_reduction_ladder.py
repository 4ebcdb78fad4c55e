"""The reduction ladder: its numbers are the profiles', its picture is the rules' (held against records elsewhere)."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex

from gpucourse import cupy_sim as cp
from gpucourse import profile
from gpucourse.benchmarks.reductions import RUNGS
from gpucourse.errors import CourseError
from gpucourse.simt.trace import Trace
from gpucourse.viz import explorers, picture
from gpucourse.viz import reduction_ladder as ladder
from gpucourse.viz.reduction_rounds import RULES
from tests.viz.texts import clashes

N = 1 << 14
BLOCKS = {"first_add": N // 512, "shuffled": N // 512, "grid_stride": 4, "vector": 4}
TREES, SHUFFLES = tuple(RULES)[:4], tuple(RULES)[4:]


def profiled(name, n=N, blocks=None):
    blocks = blocks or BLOCKS.get(name, -(-n // 256))
    return profile(RUNGS[name].kernel(cp), (blocks,), (256,), (cp.ones(n, cp.float32), cp.zeros(blocks, cp.float32),
                                                              np.int32(n)))  # fmt: skip


@pytest.fixture(scope="module")
def profiles():
    return {name: profiled(name) for name in RUNGS}


# --- numbers -----------------------------------------------------------------------------------------


def test_the_numbers_are_the_profiles_for_1000_elements(profiles):
    for step in ladder.ladder(profiles):
        p, found = profiles[step.name], step.counters
        assert (step.n, step.blocks) == (N, p.grid[0])
        for key, count in (("divergent", p.divergent_branches), ("conflicts", p.bank_conflicts),
                           ("wavefronts", p.shared_wavefronts), ("sums", p.grid[0]),
                           ("loads", p.global_load_requests)):  # fmt: skip
            assert found[key] == pytest.approx(1000 * count / N), key
        assert found["efficiency"] == pytest.approx(100 * p.total.thread_instructions / p.total.warp_instructions / 32)


class Barriers(Trace):
    """How often blocks are let go from a barrier."""

    def __init__(self):
        self.blocks = 0

    def release(self, wave, number, slots):
        self.blocks += len({int(slot) // 256 for slot in slots})


@pytest.mark.parametrize("name", RULES)
def test_the_barriers_are_those_at_which_blocks_wait(name, profiles):
    from gpucourse.explain import copied_call

    watcher, blocks = Barriers(), profiles[name].grid[0]
    args = cp.ones(N, cp.float32), cp.zeros(blocks, cp.float32), np.int32(N)
    with copied_call(RUNGS[name].kernel(cp), (blocks,), (256,), args) as call:
        call.run(trace=watcher)
    (step,) = ladder.ladder({name: profiles[name]})
    assert step.counters["barriers"] == pytest.approx(1000 * watcher.blocks / N)


def test_each_step_lowers_the_counter_that_it_is_there_to_mend(profiles):
    steps = ladder.ladder(profiles)
    for before, now in itertools.pairwise(steps):
        mended = ladder.IDEAS[now.name].mends
        assert now.counters[mended] < before.counters[mended], now.name
    assert not ladder.IDEAS[steps[0].name].mends


# --- words -------------------------------------------------------------------------------------------


def said(profiles, *place):
    """The sentence, less what another compiler may change."""
    return re.sub("⟨.*?⟩", "⟨⟩", ladder.sentence(profiles, *place))


def test_the_words_of_the_first_version(profiles):
    assert said(profiles) == (
        "modulo, version 1 of 7: each second thread adds its neighbor's value, then each fourth, then each eighth. "
        "Per 1,000 elements: 188 divergent branches, 0 bank conflicts, 586 shared wavefronts, 35.2 barriers, 3.91 "
        "partial sums, 31.2 load requests. Warp efficiency: ⟨⟩. Round 1 of 8: if (t % 2 == 0) s[t] += s[t + 1], in 128 "
        "threads of 8 warps. 8 warps part; the tile takes 24 wavefronts, no bank conflict."
    )


def test_the_words_name_what_was_mended_and_what_else_changed(profiles):
    assert said(profiles, "strided", 2) == (
        "strided, version 2 of 7: the same tree, but the first threads add, so that whole warps work or rest. Against "
        "modulo, per 1,000 elements: divergent branches 188 → 23.4. Also: bank conflicts 0 → 410. Warp efficiency: ⟨⟩. "
        "Round 2 of 8: if (4 * t < 256) s[4 * t] += s[4 * t + 2], in 64 threads of 2 warps. No warp parts; the tile "
        "takes 24 wavefronts, 18 bank conflicts."
    )
    assert "elements: load requests 31.2 → 7.81. Nothing else changed. Warp" in said(profiles, "vector", 3)


def test_the_words_of_shuffles_and_of_what_threads_take(profiles):
    assert said(profiles, "shuffled", 8).endswith(
        "Round 8 of 8: v += __shfl_down_sync(ALL, v, 1), in 32 threads of 1 warp; 1 of the sums is used later. No warp "
        "parts; nothing goes through the tile."
    )
    assert "leaves its sum in the tile, the block waits, and warp 0 goes on with the 8 sums: v += __shfl_down_sync(" \
           "ALL, v, 4), in 32 threads of 1 warp; 4 of the sums are used later. 8 warps part" in said(
        profiles, "shuffled", 6)  # fmt: skip
    assert "thread 0 of block 0 takes 16 elements in 16 loads. " in said(profiles, "grid_stride", 0)
    assert "thread 0 of block 0 takes 16 elements in 4 loads of 4. " in said(profiles, "vector", 0)
    odd = {"vector": profiled("vector", 4097, 4)}
    assert "thread 0 of block 0 takes 5 elements in 2 loads. " in said(odd, "vector", 0)


def test_some_versions_are_enough_and_are_compared_with_the_one_before_among_them(profiles):
    few = {name: profiles[name] for name in ("halves", "modulo")}
    assert [step.name for step in ladder.ladder(few)] == ["modulo", "halves"]
    words = said(few, "halves", 1)
    assert "halves, version 3 of 7" in words and "Against modulo, per 1,000 elements: bank conflicts 0, as" in words
    assert clashes(ladder.draw(few, "halves", 1)[0]) == []


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.2441, "0.244"), (1.953, "1.95"), (2.0, "2"), (17.58, "17.6"), (187.5, "188"), (1234.5, "1,234")],
)
def test_numbers_have_three_digits(number, text):
    assert ladder.number_text(number) == text


# --- what does not fit -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "number", "message"),
    [
        ("strides", 1, "version='strides': there are profiles of modulo, strided, halves"),
        ("modulo", 9, r"round=9: there are the rounds 0 \(take\) to 8"),
        ("modulo", -1, "round=-1"),
    ],
)
def test_a_version_or_a_round_that_is_not_there_is_refused(profiles, version, number, message):
    with pytest.raises(CourseError, match=message):
        ladder.draw(profiles, version, number)


def test_profiles_that_cannot_be_compared_are_refused(profiles):
    modulo = profiles["modulo"]
    for wrong, message in (
        ({}, "there is no profile of them"),
        ({"sum": modulo}, "'sum' is none of them"),
        ({"modulo": modulo, "halves": profiled("halves", 512)}, "modulo read 16,384 elements and halves 512: profile"),
        ({"modulo": replace(modulo, block=(128, 1, 1))}, "modulo was profiled with 128 threads a block"),
        ({"modulo": profiled("modulo", 0, 1)}, "modulo read no element of x"),
    ):
        with pytest.raises(CourseError, match=message):
            ladder.ladder(wrong)


# --- the picture -------------------------------------------------------------------------------------


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
@pytest.mark.parametrize("name", TREES)
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
    (step,) = ladder.ladder({name: profiles[name]})
    takes = {element: (lane, load) for lane in range(32) for load in step.loads(lane) for element in load}
    for place, lane in numbered(fig).items():
        assert takes[rows[place // 32] + place % 32][0] == lane
    assert len(numbered(fig)) == sum(32 // len(takes[row][1]) for row in rows)
    assert rows == sorted({element // 32 * 32 for element in takes})[: len(rows)]


def test_the_bars_are_as_long_as_the_numbers(profiles):
    fig, _ = ladder.draw(profiles, "halves", 1)
    bars = [box for box in fig.axes[0].patches if to_hex(box.get_facecolor()) == to_hex(picture.COLORS["sky"])]
    steps = ladder.ladder(profiles)
    for column, key in enumerate(ladder.COUNTERS):
        left = ladder._NAMES + column * ladder._BAR_COLUMN
        widths = [box.get_width() for box in sorted(bars, key=lambda box: box.get_y()) if box.get_x() == left]
        numbers = [step.counters[key] for step in steps]
        assert np.allclose(np.array(widths) * numbers[0], np.array(numbers) * widths[0], atol=1e-9), key


@pytest.mark.parametrize("name", RULES)
def test_no_text_lies_on_another_or_beyond_the_page_and_nothing_jumps(name, profiles):
    figures = [ladder.draw(profiles, name, number)[0] for number in (0, 1, 4, 6)]
    assert [clashes(fig) for fig in figures] == [[]] * 4
    assert len({tuple(fig.bbox.size) for fig in figures}) == 1


def test_a_size_that_is_no_multiple_of_anything_is_drawn():
    for name, blocks in (("vector", 1), ("grid_stride", 2), ("first_add", 3), ("modulo", 5)):
        for n in (1, 1031):
            fig, _ = ladder.draw({name: profiled(name, n, blocks if n > 1 else 1)}, name, 0)
            assert clashes(fig) == []


# --- the explorer ------------------------------------------------------------------------------------


def test_the_explorer_moves_and_the_plain_function_says_the_same(profiles, capsys):
    explorer = explorers.reduction_ladder(profiles)
    assert explorer.sentence == ladder.sentence(profiles)
    before = explorer.image.value
    explorer.set(version="shuffled", round=6)
    assert explorer.sentence == ladder.sentence(profiles, "shuffled", 6)
    assert explorer.image.value != before
    ladder.reduction_ladder(profiles, version="shuffled", round=6)
    assert ladder.sentence(profiles, "shuffled", 6) in capsys.readouterr().out


def test_the_explorer_begins_with_the_first_version_that_it_is_given(profiles):
    explorer = explorers.reduction_ladder({name: profiles[name] for name in ("vector", "shuffled")})
    assert explorer.sentence == ladder.sentence({name: profiles[name] for name in ("shuffled", "vector")}, "shuffled")
