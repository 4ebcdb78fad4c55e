"""The occupancy explorer: its bars and words against published examples and sums by hand; its picture; its controls."""

from itertools import cycle, product

import pytest
from matplotlib.colors import to_rgba

from gpucourse.errors import CourseError
from gpucourse.simt.occupancy import DEVICES, LIMITS
from gpucourse.viz import explorers
from gpucourse.viz import occupancy as viz
from tests.viz.texts import clashes

KB = 1024


def bars(*choice):
    return {bar.name: bar for bar in viz.bars(viz.count(*choice))}


def amounts(bar):
    return bar.used, bar.reserved, bar.free


def test_a_published_example():
    """CUDA C++ Best Practices Guide, "Calculating Occupancy": 37 registers, blocks of 128: 12 blocks, 75 %."""
    said = viz.sentence(registers=37, threads=128, device="V100")
    assert "12 blocks fit into a multiprocessor, 48 of its 64 warps (75%), bound by registers." in said
    # the same page: registers are rounded up to the nearest 256 a warp; 37 x 32 = 1,184, so 1,280
    assert amounts(bars(37, 0, 128, "V100")["registers"]) == (12 * 4 * 1184, 12 * 4 * 96, 65_536 - 12 * 4 * 1280)


def test_sums_by_hand():
    """An A100: 40 threads are two warps, 24 lanes idle; 33 registers x 32 = 1,056, so 1,280; 5,000 + 1,024 -> 6,144."""
    made = bars(33, 5000, 40, "A100")
    blocks = 164 * KB // 6144   # 27: the least of 32, 32, 48 // 2 and this
    assert blocks == 27 > 48 // 2 == 24
    assert {name: bar.allows for name, bar in made.items()} == {
        "warps": 32, "block slots": 32, "registers": 24, "shared memory": 27,
    }  # fmt: skip
    assert amounts(made["warps"]) == (24 * 40, 24 * 24, 2048 - 24 * 64)
    assert amounts(made["block slots"]) == (24, 0, 8)
    assert amounts(made["registers"]) == (24 * 40 * 33, 24 * (2 * 1280 - 40 * 33), 65_536 - 48 * 1280)
    assert amounts(made["shared memory"]) == (24 * 5000, 24 * 1144, 164 * KB - 24 * 6144)


def test_the_sentence_says_all_numbers():
    assert viz.sentence(registers=64, shared=8192, threads=200, device="T4") == (
        "T4, blocks of 200 threads with 64 registers each and 8,192 bytes of shared memory: 4 blocks fit into a "
        "multiprocessor, 28 of its 32 warps (87.5%), bound by warps and registers. Blocks that each resource allows: "
        "warps 4, block slots 16, registers 4, shared memory 8. Used + reserved (rounding up, driver) + free: "
        "threads 800 + 96 + 128; blocks 4 + 0 + 12; registers 51,200 + 6,144 + 8,192; bytes 32,768 + 0 + 32,768."
    )
    assert "1 block fits into" in viz.sentence(shared=99 * KB, device="L4")
    asks = "More than 49,152 bytes a block need the kernel's max_dynamic_shared_size_bytes."
    assert viz.sentence(shared=48 * KB + 1).endswith(asks)
    assert "max_dynamic" not in viz.sentence(shared=48 * KB)
    assert "shared memory any number." in viz.sentence(device="V100")


@pytest.mark.parametrize(("choice", "reason"), [
    ({"threads": 1025}, "a block may have 1,024 threads, and this one has 1,025."),
    ({"registers": 256, "threads": 32}, "a thread may have 255 registers, and these have 256."),
    ({"registers": 65, "threads": 1024}, "a warp of these threads takes 2,304 registers, so the 65,536 registers, in 4 "
     "equal parts, hold 28 warps, and the block has 32."),
    ({"registers": 97, "threads": 544}, "takes 3,328 registers, so the 65,536 registers, in 4 equal parts, hold 16 "
     "warps, and the block has 17."),    # 17 x 3,328 = 56,576 would fit into one part
    ({"shared": 163 * KB + 1}, "a block may have 166,912 bytes of shared memory, and this one asks for 166,913."),
    ({"shared": 163 * KB + 1, "threads": 1025}, "this one has 1,025; a block may have 166,912 bytes"),
])  # fmt: skip
def test_where_no_block_fits_the_limit_that_is_exceeded_is_named(choice, reason):
    said = viz.sentence(**choice)
    assert ": no block fits, so the launch fails: " in said
    assert reason in said
    fig, _ = viz.draw(**choice)
    assert "no block fits" in texts(fig)[0]


def test_that_nothing_is_exceeded_where_blocks_fit():
    assert viz.why_none(viz.count()) == ""


@pytest.mark.parametrize(("wrong", "error", "message"), [
    ({"registers": 0}, ValueError, "registers=0: give 1 or more"),
    ({"shared": -1}, ValueError, "shared=-1: give 0 or more"),
    ({"threads": 0}, ValueError, "threads=0: give 1 or more"),
    ({"along": "blocks"}, ValueError, "along='blocks': the curve runs along one of registers, shared, threads"),
    ({"device": "P100"}, CourseError, "'P100' are not known here"),
])  # fmt: skip
def test_what_cannot_be_is_refused(wrong, error, message):
    for say in (viz.sentence, viz.draw):
        with pytest.raises(error, match=message):
            say(**wrong)


# --- the picture -------------------------------------------------------------------------------------


def texts(fig):
    return [text.get_text() for text in fig.axes[0].texts]


def boxes(fig, *looks):
    """The boxes of the sheet with one of the looks, but for those of the legend."""
    legend = viz._BARS[1] + 4 * viz._EACH
    faces = {(look["zorder"], to_rgba(look["facecolor"])) for look in looks}
    return [box for box in fig.axes[0].patches if (box.get_zorder(), box.get_facecolor()) in faces
            and box.get_y() != legend]  # fmt: skip


CHOICES = [
    (64, 0, 256, "A100"), (37, 0, 320, "V100"), (16, 0, 16, "T4"), (32, 33 * KB, 48, "L4"), (40, 8 * KB, 192, "H100"),
    (255, 227 * KB, 1024, "RTX 3090"), (20, 0, 32, "V100"), (16, 0, 1024, "RTX 4090"), (16, 0, 16, "A100"),
    (97, 0, 544, "H200"), (33, 5000, 40, "A100"), (255, 0, 16, "B200"), (300, 60_000, 1500, "T4"), (3, 7, 1, "A10"),
]  # fmt: skip


@pytest.mark.parametrize("choice", CHOICES)
def test_the_slots_and_bars_are_to_scale(choice):
    found = viz.count(*choice)
    fig, _ = viz.draw(*choice)
    right = viz._BARS[0]
    slots = [box for box in boxes(fig, viz._USED, viz._OTHER) if box.get_x() < right]
    free = [box for box in boxes(fig, viz._FREE) if box.get_x() < right]
    assert (len(slots), len(slots) + len(free)) == (found.warps_per_sm, found.most_warps)
    for number, bar in enumerate(viz.bars(found)):
        top = viz._BARS[1] + number * viz._EACH
        used, reserved = (
            sum(box.get_width() for box in boxes(fig, *looks) if box.get_x() >= right and box.get_y() == top)
            for looks in ((viz._USED, viz._OTHER), (viz._RESERVED,))
        )
        if found.blocks_per_sm:
            assert used == pytest.approx(bar.used / bar.capacity * viz._BARS[2])
            assert reserved == pytest.approx(bar.reserved / bar.capacity * viz._BARS[2])
        assert used + reserved <= viz._BARS[2] + 1e-9


@pytest.mark.parametrize("choice", CHOICES)
def test_the_limit_is_marked_by_a_frame_and_by_a_word(choice):
    found = viz.count(*choice)
    fig, _ = viz.draw(*choice)
    marked = [text for text in texts(fig) if text.endswith((", the limit", ": too few for a block"))]
    assert len(marked) == len(found.bound_by) == len(boxes(fig, viz._RIM))


@pytest.mark.parametrize("along", viz.CURVES)
@pytest.mark.parametrize("choice", CHOICES)
def test_the_dot_stands_on_the_curve_at_the_present_choice(choice, along):
    found = viz.count(*choice)
    fig, _ = viz.draw(*choice, along)
    line, _, dot = fig.axes[1].lines
    unit = KB if along == "shared" else 1
    (x,), (y,) = dot.get_data()
    assert (x, y) == (dict(zip(("registers", "shared", "threads"), choice, strict=False))[along] / unit, found.percent)
    nearest = min(range(len(line.get_xdata())), key=lambda k: abs(line.get_xdata()[k] - x))
    assert line.get_ydata()[nearest] == pytest.approx(y)
    low, high = fig.axes[1].get_xlim()
    assert low < x < high


def test_the_curve_falls_where_the_guide_says():
    """Best Practices Guide: more than 32 registers a thread end full occupancy on a device with 65,536 and 64 warps."""
    values, percents = viz.curve(viz.count(registers=32, threads=1024, device="V100"), "registers")
    assert {value for value, percent in zip(values, percents, strict=True) if percent == 100} == set(range(16, 33))


@pytest.mark.parametrize(("choice", "along"), list(zip(CHOICES, cycle(viz.CURVES))))
def test_no_text_overlaps_another_or_leaves_the_sheet(choice, along):
    assert not clashes(viz.draw(*choice, along)[0])


# --- the explorer ------------------------------------------------------------------------------------


def test_the_explorer_moves_and_the_plain_function_says_the_same(capsys):
    explorer = explorers.occupancy()
    assert explorer.sentence == viz.sentence()
    before = explorer.image.value
    explorer.set(registers=96, shared=16 * KB, threads=128, device="T4", along="threads")
    assert explorer.sentence == viz.sentence(96, 16 * KB, 128, "T4")
    assert explorer.image.value != before
    viz.occupancy(96, 16 * KB, 128, "T4", "threads")
    assert viz.sentence(96, 16 * KB, 128, "T4") in capsys.readouterr().out


def test_every_end_of_the_controls_draws():
    explorer = explorers.occupancy()
    for registers, shared, threads in product((16, 255), (0, 228 * KB), (16, 1024)):
        explorer.set(registers=registers, shared=shared, threads=threads, device="RTX 4090")
        assert explorer.sentence == viz.sentence(registers, shared, threads, "RTX 4090")


def test_every_device_and_curve_draws():
    explorer = explorers.occupancy()
    assert explorer.controls["device"].options == tuple(DEVICES)
    for device, along in zip(DEVICES, cycle(viz.CURVES)):
        explorer.set(device=device, along=along)
        assert explorer.sentence == viz.sentence(device=device)


@pytest.mark.parametrize("capability", LIMITS)
def test_at_every_position_the_bars_add_up_and_the_scarcest_decides(capability):
    registers, threads = range(16, 256, 7), range(16, 1025, 48)
    for choice in product((*registers, 255), [size * KB for size in viz.SIZES[::5]], threads):
        found = viz.count(*choice, capability)
        made = viz.bars(found)
        if not found.blocks_per_sm:
            assert viz.why_none(found)
            continue
        assert all(min(amounts(bar)) >= 0 for bar in made)
        assert min(bar.allows for bar in made if bar.allows is not None) == found.blocks_per_sm == made[0].blocks
        assert [bar.name for bar in made if bar.binds] == [bar.name for bar in made if bar.allows == made[0].blocks]
