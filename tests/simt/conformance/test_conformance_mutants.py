"""The set has teeth: kernels with one fault put in are caught by an oracle, by the poison, or by a fault."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpucourse.errors import KernelFault
from gpucourse.simt.link import Program
from gpucourse.simt.run import launch
from tests.simt.conformance.catalogue import named
from tests.simt.conformance.kernel import Kernel, compare, seeded

# kernel, text, what it becomes, schedule that shows it
MUTANTS = (
    ("vector_add", "if (i < n) ", "", "lockstep"),
    ("saxpy_grid_stride", "i < n;", "i <= n;", "lockstep"),
    ("rgb_to_grey", "if (x >= width || y >= height) return;", "", "lockstep"),
    ("index_3d", "x < columns && y < rows && z < depth", "z < depth", "lockstep"),
    ("gather_strided", "i < n && index[i] >= 0", "i < n", "lockstep"),
    ("heat_2d", "c == 0 || ", "", "lockstep"),
    ("softmax_shared", "    top = s[0];\n    __syncthreads();", "    top = s[0];", "adversarial"),
    ("sum_sequential", "s[t] += s[t + stride];\n        __syncthreads();", "s[t] += s[t + stride];",
        "adversarial"),
    ("scan_hillis_steele", "from = to, to = swap;\n        __syncthreads();", "from = to, to = swap;",
        "adversarial"),
    ("matmul_tiled_16", "__syncthreads();\n        for", "for", "adversarial"),
    ("matmul_double_buffer", "two buffers\n        __syncthreads();", "two buffers", "adversarial"),
    ("transpose_tiled_padded", "    __syncthreads();\n", "", "adversarial"),
    ("histogram_global", "atomicAdd(&bins[in[i]], 1u)", "bins[in[i]] += 1u", "lockstep"),
    ("spin_lock", "if (atomicCAS(lock, 0, 1) == 0)", "if (true)", "lockstep"),
)  # fmt: skip


def _runs_right(kernel: Kernel, schedule: str, seed: int) -> bool:
    arguments = seeded(kernel)
    program = Program(kernel.source, kernel.options, kernel.name_expressions)
    try:
        launch(program, kernel.entry, kernel.grid, kernel.block, arguments,
               shared_bytes=kernel.shared_bytes, schedule=schedule, seed=seed)  # fmt: skip
        compare(kernel, arguments)
    except (AssertionError, KernelFault):
        return False
    return True


@pytest.mark.parametrize(("name", "text", "instead", "schedule"), MUTANTS,
    ids=[m[0] for m in MUTANTS])
def test_mutant_is_caught(name: str, text: str, instead: str, schedule: str) -> None:
    kernel = named(name)
    assert kernel.source.count(text) >= 1
    mutant = replace(kernel, source=kernel.source.replace(text, instead))
    assert not all(_runs_right(mutant, schedule, seed) for seed in range(32))


def test_a_missing_barrier_shows_under_most_seeds() -> None:
    name, text, instead, schedule = next(mutant for mutant in MUTANTS if mutant[0] == "softmax_shared")
    mutant = replace(named(name), source=named(name).source.replace(text, instead))
    caught = sum(not _runs_right(mutant, schedule, seed) for seed in range(24))
    assert caught >= 12, "a schedule that switches warps at random keeps them close together and hides the race"
