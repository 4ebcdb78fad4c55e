"""Every kernel of the conformance set, through both front ends, under both schedules, against its oracle."""

from __future__ import annotations

import functools
import os

import numpy as np
import pytest

from gpucourse.errors import KernelFault
from gpucourse.simt import front_end
from gpucourse.simt.link import Program
from gpucourse.simt.run import launch
from tests.simt.conformance.catalogue import KERNELS
from tests.simt.conformance.kernel import Arguments, Kernel, compare, seeded
from tests.simt.front_ends import FRONT_ENDS, force

#: Kernels that the simulator cannot run, or gets wrong, and why; each is noticed when it begins to pass.
EXPECTED_FAILURES: dict[str, str] = {}

BUDGET = 300_000  # instructions without a block finishing: far more than any kernel here needs
SCHEDULES = ("lockstep", "adversarial")


@functools.cache
def _program(kernel_name: str, _front_end: str) -> Program:
    kernel = next(k for k in KERNELS if k.name == kernel_name)
    return Program(kernel.source, kernel.options, kernel.name_expressions)


def run_on_simulator(kernel: Kernel, arguments: Arguments, schedule: str, seed: int = 1) -> str:
    """Set the constants and launch; arrays are written in place. Returns what the kernel printed."""
    program = _program(kernel.name, os.environ.get(front_end.VARIABLE, ""))
    for symbol, value in kernel.constants.items():
        program.variable(symbol)[:] = value.view(np.uint8).ravel()
    done = launch(program, kernel.entry, kernel.grid, kernel.block, arguments,
                  shared_bytes=kernel.shared_bytes, schedule=schedule, seed=seed, budget=BUDGET)  # fmt: skip
    return done.printed


def _case(kernel: Kernel):
    reason = EXPECTED_FAILURES.get(kernel.name)
    marks = [pytest.mark.xfail(strict=True, reason=reason)] if reason else []
    return pytest.param(kernel, id=kernel.name, marks=marks)


@pytest.mark.parametrize("maker", FRONT_ENDS)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("kernel", [_case(kernel) for kernel in KERNELS])
def test_simulator_agrees_with_oracle(
    kernel: Kernel, schedule: str, maker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "simulator" in kernel.skip:
        pytest.skip(kernel.skip["simulator"])
    force(maker, monkeypatch)
    arguments = seeded(kernel)
    if kernel.fault:
        with pytest.raises(KernelFault, match=kernel.fault):
            run_on_simulator(kernel, arguments, schedule)
    else:
        compare(kernel, arguments, run_on_simulator(kernel, arguments, schedule))


def test_expected_failures_are_kernels_of_the_set() -> None:
    assert set(EXPECTED_FAILURES) <= {kernel.name for kernel in KERNELS}
