"""The banks explorer: its wavefronts against a count lane by lane, and against the profile of a real kernel."""

import itertools

import pytest

from gpucourse import cupy_sim as cp
from gpucourse import profile
from gpucourse.viz import banks, explorers

CASES = [
    *itertools.product((32,), (0, 1, 2), ("row", "column", "diagonal", "broadcast"), (32, 64, 128), (2,)),
    *itertools.product((16, 24), (0, 1, 4), ("row", "column", "diagonal"), (32,), (2,)),
    *itertools.product((32, 16), (0, 1), ("stride",), (32, 64), (1, 2, 3, 8, 32, 33)),
    (64, 0, "column", 32, 2), (33, 0, "column", 32, 2), (4, 0, "column", 128, 2), (1, 0, "column", 32, 2),
    (1, 0, "stride", 32, 33), (48, 8, "diagonal", 64, 2), (31, 1, "row", 128, 2),
]  # fmt: skip


def place(access, lane, width, stride):
    """(row, column) that a lane reads."""
    if access == "column":
        return lane, 0
    if access == "diagonal":
        return lane, lane % width
    number = {"row": lane, "broadcast": 0, "stride": stride * lane}[access]
    return number // width, number % width


def counted(width, padding, access, bits, stride):
    """(wavefronts, busiest bank's words), counted from byte addresses: a phase serves 128 bytes of lanes."""
    size, waves = bits // 8, []
    for first in range(0, 32, 128 // size):
        asked = set()
        for lane in range(first, first + 128 // size):
            row, column = place(access, lane, width, stride)
            start = (row * (width + padding) + column) * size
            asked |= {byte // 4 for byte in range(start, start + size)}
        waves.append(max(sum(word % 32 == bank for word in asked) for bank in range(32)))
    return sum(waves), max(waves)


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_agree_with_a_count_lane_by_lane(case):
    made = banks.request(*case)
    assert (made.wavefronts, made.degree) == counted(*case)


READ = r"""
extern "C" __global__ void touch(TYPE* out) {
    extern __shared__ __align__(16) unsigned char memory[];
    TYPE (*tile)[COLUMNS] = (TYPE (*)[COLUMNS])memory;
    int lane = threadIdx.x;
    out[lane] = WHERE;
}"""


def kernel(made):
    """A kernel in which each lane reads its element of the tile as the explorer's C code says."""
    names = {"TYPE": banks.TYPES[made.bits], "ROWS": str(made.rows), "COLUMNS": str(made.width + made.padding)}
    code = READ.replace("WHERE", made.code)
    for name, text in names.items():
        code = code.replace(name, text)
    return cp.RawKernel(code, "touch")


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_agree_with_the_profile_of_a_kernel(case):
    made = banks.request(*case)
    out = cp.zeros(32 * made.words, cp.float64 if made.bits == 64 else cp.float32)
    size = made.rows * (made.width + made.padding) * made.bits // 8
    found = profile(kernel(made), (1,), (32,), (out,), shared_mem=size)
    assert found.total.shared_requests == 1
    assert found.total.shared_wavefronts == made.wavefronts
    assert found.total.bank_conflicts == made.wavefronts - len(made.phases)


def test_the_tile_that_is_said_is_the_tile_of_the_kernel():
    assert banks.declared(banks.request(32, 1)) == "float tile[32][32 + 1]"
    assert banks.declared(banks.request(16, 0, "stride", 64, 33)) == "double tile[64][16]"


def test_the_sentence_says_the_numbers():
    assert banks.sentence() == (
        "32 lanes read tile[lane][0] of float tile[32][32]: 32 wavefronts, a 32-way bank conflict. Bank 0 alone must "
        "deliver 32 different words, one a wavefront; without conflicts 1 wavefront would do."
    )
    assert banks.sentence(padding=1) == (
        "32 lanes read tile[lane][0] of float tile[32][32 + 1]: 1 wavefront, no conflict. No bank has to deliver two "
        "different words in a phase."
    )
    assert banks.sentence(bits=64).endswith(
        "in 2 phases of 16 lanes: 32 wavefronts, a 16-way bank conflict. Each of 2 banks must deliver 16 different "
        "words, one a wavefront; without conflicts 2 wavefronts would do."
    )
    assert banks.sentence(access="broadcast").endswith("1 wavefront, no conflict. All lanes share one element.")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": 0}, "width=0: give 1 to 64"),
        ({"padding": 9}, "padding=9: give 0 to 8"),
        ({"stride": -1}, "stride=-1: give 1 to 33"),
        ({"bits": 16}, "bits=16: one lane accesses 32, 64, 128 bits"),
        ({"access": "rows"}, "access='rows': an access is one of row, column, diagonal, broadcast, stride"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        banks.request(**wrong)


@pytest.mark.parametrize("case", CASES[::7])
def test_the_picture_delivers_each_word_in_its_banks_column_and_frames_each_element(case):
    made = banks.request(*case)
    fig, _ = banks.draw(*case)
    boxes = fig.axes[0].patches
    delivered = [box for box in boxes if box.get_zorder() == 2 and box.get_x() >= banks._BANK_LEFT]
    in_bank = [round((box.get_x() - banks._BANK_LEFT) / banks._ACROSS) for box in delivered]
    due = [bank for phase in made.phases for bank, words in phase.words.items() for _ in words]
    assert sorted(in_bank) == sorted(due)
    assert len([box for box in boxes if box.get_zorder() == 3]) == len(set(made.places))
    assert len({round(box.get_y(), 6) for box in delivered}) == made.wavefronts


def test_nothing_is_drawn_outside_the_page():
    for case in CASES[::5]:
        fig, _ = banks.draw(*case)
        fig.draw_without_rendering()
        width, height = fig.bbox.size
        for text in fig.axes[0].texts:
            box = text.get_window_extent()
            assert box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height, (case, text.get_text())


def test_the_explorer_moves_and_the_plain_function_says_the_same(capsys):
    explorer = explorers.banks()
    before = explorer.image.value
    explorer.set(padding=1, bits=64)
    assert explorer.sentence == banks.sentence(padding=1, bits=64)
    assert explorer.image.value != before
    banks.banks(padding=1, bits=64)
    assert banks.sentence(padding=1, bits=64) in capsys.readouterr().out


def test_every_end_of_the_controls_draws():
    explorer = explorers.banks()
    for access in banks.ACCESSES:
        for width, bits in ((4, 32), (64, 128)):
            explorer.set(width=width, padding=8, bits=bits, stride=33, access=access)
            assert explorer.sentence == banks.sentence(width, 8, access, bits, 33)


def test_an_eight_way_conflict_has_its_article():
    assert "an 8-way bank conflict" in banks.sentence(width=8, access="column")
