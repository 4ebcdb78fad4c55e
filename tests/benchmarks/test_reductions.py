"""The seven sums of lesson 06: each is exact, and each mends what its counters say and spoils nothing mended before."""

import numpy as np
import pytest
from stand_in_gpu import Cupy

from gpucourse import benchmarks, cupy_sim, profile, sanitize, simulate
from gpucourse.benchmarks import reductions
from gpucourse.benchmarks.case import QUICK, Machine, WrongResult, measure
from gpucourse.benchmarks.reductions import RUNGS

SIMULATOR = Machine("simulator", "the simulator", cupy_sim, lambda: None, 1)
N = 8192
NAMES = tuple(RUNGS)
ORDER = ("modulo", "strided", "halves", "first_add", "shuffled", "grid_stride", "vector")
LENGTHS = (1, 2, 3, 5, 31, 32, 33, 255, 256, 257, 511, 512, 513, 1000, 2049, 4099)


def numbers(n, seed=0):
    return np.random.default_rng(seed).integers(1, 100, n).astype(np.float32)


def arguments(rung, n):
    """(grid, block, args) of the first launch; `out` holds nan. Rungs that walk get 4 blocks, or fewer."""
    blocks = min(-(-n // 256), 4) if rung in ("grid_stride", "vector") else reductions.blocks(rung, n)
    x, out = cupy_sim.asarray(numbers(n)), cupy_sim.full(blocks, np.nan, np.float32)
    return (blocks,), (256,), (x, out, np.int32(n))


@pytest.fixture(scope="module")
def profiles():
    return {name: profile(rung.kernel(cupy_sim), *arguments(name, N)) for name, rung in RUNGS.items()}


def test_the_ladder_has_its_seven_rungs_in_order():
    assert NAMES == ORDER
    for name, rung in RUNGS.items():
        assert rung.name == name and rung.source.startswith("\n") and f"void {name}(" in rung.source


# --- right ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rung", NAMES)
@pytest.mark.parametrize("n", LENGTHS)
def test_a_rung_sums_exactly(rung, n):
    x = numbers(n, seed=n)
    call, sums = reductions.summed(cupy_sim, rung, cupy_sim.asarray(x), multiprocessors=1)
    call()
    assert sums[-1].get().tolist() == [x.sum(dtype=np.float64)]


@pytest.mark.parametrize("rung", NAMES)
def test_a_rung_needs_several_launches_where_one_block_does_not_suffice(rung):
    x = numbers(300_001)
    call, sums = reductions.summed(cupy_sim, rung, cupy_sim.asarray(x), multiprocessors=2)
    call()
    assert [out.size for out in sums] == {"first_add": [586, 2, 1], "shuffled": [586, 2, 1],
                                          "grid_stride": [64, 1], "vector": [64, 1]}.get(rung, [1172, 5, 1])
    assert sums[-1].get()[0] == x.sum(dtype=np.float64)


@pytest.mark.parametrize("rung", NAMES)
@pytest.mark.parametrize("n", [1, 33, 1000, 2049])
def test_a_rung_is_clean_and_right_in_every_order_of_warps(rung, n):
    kernel, (grid, block, args) = RUNGS[rung].kernel(cupy_sim), arguments(rung, n)
    assert sanitize(kernel, grid, block, args).ok
    for seed in range(3):
        left = simulate(kernel, grid, block, args, schedule="adversarial", seed=seed)[1]
        assert left.sum() == args[0].get().sum()


@pytest.mark.parametrize("rung", NAMES)
def test_a_sum_without_its_barriers_is_found_out(rung):
    """That the test above can fail."""
    lazy = cupy_sim.RawKernel(RUNGS[rung].source.replace("__syncthreads();", ""), rung)
    assert not sanitize(lazy, *arguments(rung, 1000)).ok


# --- what each step mends ------------------------------------------------------------------------------

# One block of 256 threads is 8 warps. The tree halves its adders from 128 to 1: 8 turns.
WARPS, TURNS = 8, 8
# threads that add lie in so many warps, turn by turn
SPREAD = [8, 8, 8, 8, 8, 4, 2, 1]      # modulo: every 2nd, 4th ... 32nd lane, then lane 0 of every 2nd, 4th, 8th warp
PACKED = [4, 2, 1, 1, 1, 1, 1, 1]      # strided and halves: the first 128, 64, 32, 16 ... threads
# a turn of strided reads and writes words 2, 4, 8 ... apart: so many of one warp's share a bank
SHARE = [2, 4, 8, 8, 8, 4, 2, 1]       # 32 lanes 2 apart: 2 a bank; 16 lanes 16 apart lie in 2 banks: 8 each; ...


def by_block(profiles, rung, counter):
    number, blocks = getattr(profiles[rung], counter), profiles[rung].grid[0]
    assert number % blocks == 0
    return number // blocks


def test_modulo_parts_every_warp_again_and_again(profiles):
    """The compiler could have made a select of the `if`: it did not, for the lanes that do not add store nothing."""
    assert by_block(profiles, "modulo", "divergent_branches") == sum(SPREAD) + 1 == 48     # and `if (t == 0)`
    row, = [row for row in profiles["modulo"].rows() if "% (2 * step)" in row["source"]]
    assert row["divergent_branches"] == sum(SPREAD) * profiles["modulo"].grid[0]


def test_step_2_strided_parts_a_warp_only_where_fewer_threads_than_a_warp_are_left(profiles):
    assert by_block(profiles, "strided", "divergent_branches") == 5 + 1                     # 16, 8, 4, 2, 1 threads
    assert profiles["strided"].warp_efficiency > profiles["modulo"].warp_efficiency
    for rung, warps in (("modulo", SPREAD), ("strided", PACKED)):    # load, load, store of each warp that has an adder
        assert by_block(profiles, rung, "shared_requests") == WARPS + 3 * sum(warps) + 1


def test_step_2_pays_with_bank_conflicts_all_that_it_has_saved(profiles):
    conflicts = 3 * sum(warps * (share - 1) for warps, share in zip(PACKED, SHARE, strict=True))
    assert by_block(profiles, "strided", "bank_conflicts") == conflicts == 105
    assert by_block(profiles, "modulo", "bank_conflicts") == 0
    assert [by_block(profiles, rung, "shared_wavefronts") for rung in ("modulo", "strided")] == [150, 150]


def test_step_3_halves_has_no_conflict_and_parts_no_warp_more(profiles):
    assert by_block(profiles, "halves", "bank_conflicts") == 0
    assert by_block(profiles, "halves", "shared_wavefronts") == WARPS + 3 * sum(PACKED) + 1 == 45
    assert by_block(profiles, "halves", "divergent_branches") == 6


def test_step_4_first_add_needs_half_the_blocks_for_the_same_elements(profiles):
    before, after = profiles["halves"], profiles["first_add"]
    assert (before.warps, after.warps) == (N // 32, N // 64)
    for counter in ("shared_wavefronts", "divergent_branches", "barriers"):
        assert by_block(profiles, "first_add", counter) == by_block(profiles, "halves", counter)
    assert after.warp_instructions < before.warp_instructions
    assert after.global_load_sectors == before.global_load_sectors == N // 8


def test_step_5_shuffled_comes_to_one_barrier_and_hardly_touches_shared_memory(profiles):
    assert by_block(profiles, "first_add", "barriers") == WARPS * (1 + TURNS)
    assert by_block(profiles, "shuffled", "barriers") == WARPS
    assert by_block(profiles, "shuffled", "shared_wavefronts") == WARPS + 1      # each warp's sum, and all of them
    assert by_block(profiles, "shuffled", "divergent_branches") == WARPS + 1     # lane 0 of each warp; thread 0


def test_step_6_grid_stride_does_the_work_of_a_block_once_for_many_elements(profiles):
    before, after = profiles["shuffled"], profiles["grid_stride"]
    assert (before.grid[0], after.grid[0]) == (16, 4)
    for counter in ("shared_wavefronts", "divergent_branches", "barriers"):
        assert by_block(profiles, "grid_stride", counter) == by_block(profiles, "shuffled", counter)
    larger = profile(RUNGS["grid_stride"].kernel(cupy_sim), *arguments("grid_stride", 4 * N))
    for counter in ("shared_wavefronts", "divergent_branches", "global_store_requests"):
        assert getattr(larger, counter) == getattr(after, counter)          # four times the elements, no more of it
    assert larger.global_load_requests == 4 * after.global_load_requests


def test_step_7_vector_asks_a_quarter_as_often_for_the_same_sectors(profiles):
    before, after = profiles["grid_stride"], profiles["vector"]
    assert (before.global_load_requests, after.global_load_requests) == (N // 32, N // 128)
    assert before.global_load_sectors == after.global_load_sectors == N // 8
    assert after.global_load_sectors_per_request == 16
    assert after.warp_instructions < before.warp_instructions


def test_no_step_spoils_what_an_earlier_one_mended(profiles):
    mended = {"strided": "divergent_branches", "halves": "bank_conflicts", "first_add": "warps",
              "shuffled": "barriers", "grid_stride": "shared_wavefronts", "vector": "global_load_requests"}
    for number, name in enumerate(ORDER):
        for earlier in ORDER[1 : number + 1]:
            now, then = (getattr(profiles[rung], mended[earlier]) for rung in (name, earlier))
            assert now <= then, (name, earlier)


def test_vector_loads_the_floats_that_are_left_over_one_by_one():
    for n in (1, 2, 3, 4, 7, 128, 129):
        p = profile(RUNGS["vector"].kernel(cupy_sim), *arguments("vector", n))
        assert p.global_load_requests == (n >= 4) + (n % 4 > 0)


@pytest.mark.parametrize(("rung", "most"), [("grid_stride", 4), ("vector", 2)])
def test_a_walking_rung_loads_several_times_before_it_adds(rung, most):
    """A load that waits for the one before keeps too few bytes on their way; a branch between two makes it wait."""
    program = RUNGS[rung].kernel(cupy_sim)._program()
    code = [line.strip() for line in program.compiled.ptx.splitlines()]
    runs = "".join("L" if "ld.global" in line else "|" if line.startswith(("@", "$", "bra")) else "" for line in code)
    assert max(map(len, runs.split("|"))) == most


# --- measured ------------------------------------------------------------------------------------------


def test_the_ladder_is_rehearsed_on_the_simulator_and_counts_each_byte_once():
    (name, benchmark), = benchmarks.table("gpu", "reduction").items()
    entries = list(measure(name, benchmark, SIMULATOR, QUICK))
    assert [entry.get("error") for entry in entries] == [None] * 8
    assert [entry["parameters"]["kernel"] for entry in entries] == ["copy", *ORDER]
    n = entries[0]["parameters"]["n"]
    assert [entry["work"] for entry in entries] == [8 * n] + [4 * n] * 7
    assert [entry.get("of") for entry in entries] == [None] + ["copy"] * 7


def test_on_a_gpu_the_walking_rungs_fill_every_multiprocessor_and_a_kernel_that_does_nothing_is_refused():
    launched = []

    class Noting:
        def __init__(self, source, name):
            self.name = name

        def __call__(self, grid, block, args):
            launched.append((self.name, grid, block))

    class NotingCupy(Cupy):
        RawKernel = Noting

    machine = Machine("gpu", "a GPU", NotingCupy(), lambda: None, 1, cache_bytes=1 << 18, facts={"multiprocessors": 2})
    copy, *entries = measure("reduction", reductions.reduction, machine, QUICK)
    assert copy["rate"] > 0
    assert all(entry["error"].startswith("WrongResult: ") and "is nan" in entry["error"] for entry in entries)
    first = {name: grid for name, grid, _ in reversed(launched)}
    assert (first["modulo"], first["first_add"], first["vector"]) == ((4096,), (2048,), (64,))
    assert {block for _, _, block in launched} == {(256,)}


def test_the_check_notices_a_sum_that_left_elements_out():
    x = reductions._spread_ones(np, 1000)
    for part in (x, x[:-1], x[1:], x[::2], np.delete(x, slice(610, 611))):
        total = np.array([part.sum()])
        if part is x:
            reductions._check(np_with_asnumpy(), "vector", total, 1000)
        else:
            with pytest.raises(WrongResult, match=r"vector: the sum is .* and should be 18"):
                reductions._check(np_with_asnumpy(), "vector", total, 1000)


def np_with_asnumpy():
    class Xp:
        asnumpy = staticmethod(np.asarray)

    return Xp
