"""The rules of the seven sums: each round against what the real kernels read, write, shuffle and wait for."""

import numpy as np
import pytest

from gpucourse import accesses, profile, steps
from gpucourse import cupy_sim as cp
from gpucourse.benchmarks.reductions import RUNGS
from gpucourse.explain import copied_call
from gpucourse.simt.metrics import divergent_warps
from gpucourse.simt.trace import Trace
from gpucourse.viz.reduction_rounds import BLOCK, RULES, WARPS

TREES = ("modulo", "strided", "halves", "first_add")
SHUFFLES = ("shuffled", "grid_stride", "vector")


def launch(name, n=3000, blocks=None):
    """(kernel, grid, block, args) of a rung on whole numbers."""
    blocks = blocks or {"first_add": -(-n // 512), "shuffled": -(-n // 512), "grid_stride": 2, "vector": 2}.get(
        name, -(-n // 256))  # fmt: skip
    x = cp.asarray(np.random.default_rng(6).integers(1, 1000, n).astype(np.float32))
    return RUNGS[name].kernel(cp), (blocks,), (BLOCK,), (x, cp.zeros(blocks, cp.float32), np.int32(n))


class Epochs(Trace):
    """Notes what a lone block asks of shared memory, and how many warps part, by the barriers that it has passed."""

    def __init__(self):
        self.requests, self.parted, self.passed = {}, {}, 0

    def access(self, access):
        if access.space != "shared":
            return
        for warp in range(WARPS):
            lanes = [(int(s), int(a) // 4) for s, a in zip(access.lanes.slot, access.address, strict=True)
                     if s // 32 == warp]  # fmt: skip
            if lanes:
                kind = {"load": "read", "store": "write"}[access.kind]
                self.requests.setdefault(self.passed, []).append((kind, warp, dict(lanes)))

    def diverges(self, f, branch, taken):
        self.parted[self.passed] = self.parted.get(self.passed, 0) + divergent_warps(f.lanes.slot, taken)

    def release(self, wave, number, slots):
        self.passed += 1


def recorded(name):
    """What a launch of one block did between its barriers."""
    watcher = Epochs()
    kernel, grid, block, args = launch(name, n=512, blocks=1)
    with copied_call(kernel, grid, block, args) as call:
        call.run(trace=watcher)
    return watcher


def plain(requests):
    return sorted((kind, warp, sorted(elements.items())) for kind, warp, elements in requests)


def test_the_rules_are_those_of_the_lessons_ladder_in_its_order():
    assert list(RULES) == list(RUNGS)


@pytest.mark.parametrize("name", TREES)
def test_each_round_asks_of_the_tile_what_the_kernel_asks_between_two_barriers(name):
    found, rule = recorded(name), RULES[name]
    for number, made in enumerate(rule.rounds):
        assert plain(made.requests) == plain(found.requests[number]), number
        assert len(made.parted) == found.parted.get(number, 0), number
    assert plain(found.requests[9]) == [("read", 0, [(0, 0)])], "the end: thread 0 reads the sum"
    assert found.passed == rule.barriers


@pytest.mark.parametrize("name", SHUFFLES)
def test_by_shuffles_only_round_6_asks_of_the_tile(name):
    found, rule = recorded(name), RULES[name]
    (meeting,) = [number for number, made in enumerate(rule.rounds) if made.requests]
    assert meeting == 6
    assert plain(rule.rounds[6].requests) == plain(found.requests[0] + found.requests[1])
    assert len(rule.rounds[6].parted) == found.parted[0]
    assert found.passed == rule.barriers


@pytest.mark.parametrize("warp", [0, 5])
@pytest.mark.parametrize("name", SHUFFLES)
def test_each_shuffle_adds_in_each_lane_what_the_rule_says(name, warp):
    made = steps(*launch(name), of_warp=warp)
    before, number = None, 0
    for step in made:
        if "__shfl_down_sync" in made.source_line(step.line):
            number += 1
            round_ = RULES[name].rounds[number]
            due = [before[lane] + before[round_.source(lane)] for lane in range(32)]
            assert list(step.variables["v"]) == due, number
            assert set(step.active) == {t % 32 for t in round_.workers if t // 32 == warp}
        before = step.variables.get("v", before)
    assert number == (8 if warp == 0 else 5)


@pytest.mark.parametrize("n", [3, 300, 3000, 4111])
@pytest.mark.parametrize("name", RULES)
def test_each_thread_of_block_0_takes_the_elements_that_the_kernel_reads(name, n):
    kernel, grid, block, args = launch(name, n)
    requests = {}
    for touch in accesses(kernel, grid, block, args).touches("x", block=0):
        requests.setdefault((touch.thread, touch.step), []).append(touch.element)
    for thread in range(BLOCK):
        found = sorted(elements for (who, _), elements in requests.items() if who == thread)
        assert found == [list(load) for load in RULES[name].loads(thread, n, grid[0])], thread


@pytest.mark.parametrize("name", RULES)
def test_following_the_rule_gives_the_sum(name):
    """Each value is the set of elements in it: the tree adds every one once, and ends in thread 0."""
    values = [frozenset([place]) for place in range(BLOCK)]
    for made in RULES[name].rounds[1:]:
        sums = {add.to: (values[add.own], values[add.other]) for add in made.adds}
        assert all(not one & other for one, other in sums.values())
        values = [frozenset.union(*sums[place]) if place in sums else values[place] for place in range(BLOCK)]
    assert values[0] == set(range(BLOCK))
    assert len(RULES[name].rounds[-1].adds) == 1


@pytest.mark.parametrize("name", RULES)
def test_the_rounds_costs_sum_to_the_profiles(name):
    p, rule = profile(*launch(name, n=4096)), RULES[name]
    blocks, last = p.grid[0], 1 if name in TREES else 0   # thread 0 reads the sum at the end
    assert p.shared_wavefronts == blocks * (sum(made.wavefronts for made in rule.rounds) + last)
    assert p.bank_conflicts == blocks * sum(made.conflicts for made in rule.rounds)
    assert p.global_load_bytes_used == 4 * 4096


@pytest.mark.parametrize("name", (*TREES, "shuffled"))
def test_the_warps_that_part_are_the_profiles_divergent_branches(name):
    p, rule = profile(*launch(name, n=4096)), RULES[name]
    end = 1   # if (t == 0) out[...] =
    assert p.divergent_branches == p.grid[0] * (sum(len(made.parted) for made in rule.rounds) + end)
