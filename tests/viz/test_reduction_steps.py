"""The versions of the ladder: their numbers are the profiles', and the words say what changed, and what is refused."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest

from gpucourse import cupy_sim as cp
from gpucourse.benchmarks.reductions import RUNGS
from gpucourse.errors import CourseError
from gpucourse.explain import copied_call
from gpucourse.simt.trace import Trace
from gpucourse.viz import reduction_steps as steps
from gpucourse.viz.reduction_rounds import RULES
from tests.viz.reduction_profiles import N, profiled
from tests.viz.reduction_profiles import profiles as all_profiles


@pytest.fixture(scope="module")
def profiles():
    return all_profiles()


def test_the_numbers_are_the_profiles_for_1000_elements(profiles):
    for step in steps.ladder(profiles):
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
    watcher, blocks = Barriers(), profiles[name].grid[0]
    args = cp.ones(N, cp.float32), cp.zeros(blocks, cp.float32), np.int32(N)
    with copied_call(RUNGS[name].kernel(cp), (blocks,), (256,), args) as call:
        call.run(trace=watcher)
    (step,) = steps.ladder({name: profiles[name]})
    assert step.counters["barriers"] == pytest.approx(1000 * watcher.blocks / N)


def test_each_step_lowers_the_counter_that_it_is_there_to_mend(profiles):
    found = steps.ladder(profiles)
    for before, now in itertools.pairwise(found):
        mended = steps.IDEAS[now.name].mends
        assert now.counters[mended] < before.counters[mended], now.name
    assert not steps.IDEAS[found[0].name].mends


# --- words -------------------------------------------------------------------------------------------


def said(profiles, *place):
    """The sentence, less what another compiler may change."""
    return re.sub("⟨.*?⟩", "⟨⟩", steps.sentence(profiles, *place))


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
        "modulo, per 1,000 elements: divergent branches 188 → 23.4 (mended). Also: bank conflicts 0 → 410. Warp "
        "efficiency: ⟨⟩. Round 2 of 8: if (4 * t < 256) s[4 * t] += s[4 * t + 2], in 64 threads of 2 warps. "
        "No warp parts; the tile takes 24 wavefronts, 18 bank conflicts."
    )
    assert "elements: load requests 31.2 → 7.81 (mended). Nothing else changed. Warp" in said(profiles, "vector", 3)


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
    assert [step.name for step in steps.ladder(few)] == ["modulo", "halves"]
    words = said(few, "halves", 1)
    assert words.startswith("halves, version 3 of 7: ")
    assert "Against modulo, per 1,000 elements: bank conflicts 0, as before. Also: divergent branches 188 → " in words


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.2441, "0.244"), (1.953, "1.95"), (2.0, "2"), (17.58, "17.6"), (187.5, "188"), (1234.5, "1,234")],
)
def test_numbers_have_three_digits(number, text):
    assert steps.number_text(number) == text


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
        steps.sentence(profiles, version, number)


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
            steps.ladder(wrong)
