"""Access patterns whose counters the simulator predicts, and what Nsight Compute (`ncu`) counts for them on a GPU.

Each pattern is one small kernel. `predicted` profiles it on the simulator; `launch_all` runs it through CuPy, so that
`ncu` around that process counts it; `read_csv` reads what `ncu --csv` printed.
"""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

#: Counter of `gpucourse.simt.metrics.Counters` -> the metric of Nsight Compute that counts the same on hardware.
METRICS = {
    "global_load_requests": "l1tex__t_requests_pipe_lsu_mem_global_op_ld.sum",
    "global_load_sectors": "l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum",
    "global_store_requests": "l1tex__t_requests_pipe_lsu_mem_global_op_st.sum",
    "global_store_sectors": "l1tex__t_sectors_pipe_lsu_mem_global_op_st.sum",
    "shared_load_wavefronts": "l1tex__data_pipe_lsu_wavefronts_mem_shared_op_ld.sum",
    "shared_store_wavefronts": "l1tex__data_pipe_lsu_wavefronts_mem_shared_op_st.sum",
    "active_lanes": "smsp__thread_inst_executed_per_inst_executed.ratio",
}
_FOUND_AT = ("/usr/local/cuda/bin/ncu", "/opt/nvidia/nsight-compute/*/ncu", "/opt/cuda/bin/ncu")
_PATIENCE = 180  # seconds for all patterns under ncu
_REFUSALS = {
    "ERR_NVGPUCTRPERM": "ncu may not read the hardware counters here (ERR_NVGPUCTRPERM); ask for "
                        "NVreg_RestrictProfilingToAdminUsers=0 or run as root",
    "LibraryNotLoaded": "ncu cannot load its profiler on this system (LibraryNotLoaded)",
}  # fmt: skip

#: What ncu said: exit status and all that it printed.
RunNcu = Callable[[Sequence[str]], tuple[int, str]]


# --- the patterns ------------------------------------------------------------------------------------

MOVE = """
struct alignas(8) two {{ float a, b; }};
struct alignas(16) four {{ float a, b, c, d; }};
extern "C" __global__ void {name}(const {type}* x, {type}* y) {{
    int t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
    {guard}y[{to}] = x[{index}];
}}
"""
SHARED = """
struct alignas(8) two {{ float a, b; }};
struct alignas(16) four {{ float a, b, c, d; }};
#define CELL(t) ({index})
extern "C" __global__ void {name}(const {type}* x, {type}* y) {{
    __shared__ {type} held[{cells}];
    int t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
    held[CELL(t)] = x[i];
    __syncthreads();
    y[i] = held[CELL(t ^ 1)];
}}
"""


@dataclass(frozen=True)
class Pattern:
    """One kernel of two arguments, `size` bytes each; `even` says that all its instructions have the same lanes.

    Only then does the mean of active lanes not depend on which instructions the assembler chose.
    """

    name: str
    source: str
    block: tuple[int, ...] = (128,)
    grid: tuple[int, ...] = (4,)
    dtype: str = "float32"
    size: int = 1 << 17
    even: bool = True


_DTYPES = {"char": "int8", "short": "int16"}


def _move(name: str, index: str, type: str = "float", to: str = "i", guard: str = "", **more: Any) -> Pattern:
    return Pattern(name, MOVE.format(name=name, index=index, type=type, to=to, guard=guard),
                   dtype=_DTYPES.get(type, "float32"), **more)  # fmt: skip


def _shared(name: str, index: str, type: str = "float", cells: int = 128, **more: Any) -> Pattern:
    return Pattern(name, SHARED.format(name=name, index=index, type=type, cells=cells),
                   dtype=_DTYPES.get(type, "float32"), **more)  # fmt: skip


PATTERNS = (
    _move("load_in_order", "i"), _move("load_backwards", "511 - i"), _move("load_one_beyond", "i + 1"),
    _move("load_eight_beyond", "i + 8"), _move("load_stride_2", "2 * i"), _move("load_stride_3", "3 * i"),
    _move("load_stride_8", "8 * i"), _move("load_stride_32", "32 * i"), _move("load_one_of_all", "0"),
    _move("load_one_a_warp", "i / 32"), _move("load_pairs_share", "i / 2"), _move("load_scattered", "i * 37 % 512"),
    _move("load_column_of_32", "t % 32 * 32 + t / 32"), _move("load_8_bit", "i", "char"),
    _move("load_16_bit", "i", "short"), _move("load_64_bit", "i", "two"), _move("load_128_bit", "i", "four"),
    _move("load_64_bit_stride_2", "2 * i", "two"), _move("load_128_bit_backwards", "511 - i", "four"),
    _move("store_stride_2", "i", to="2 * i"), _move("store_one_beyond", "i", to="i + 1"),
    _move("store_stride_8", "i", to="8 * i"), _move("store_scattered", "i", to="i * 37 % 512"),
    _move("partial_warp_16", "i", block=(16,)), _move("partial_warp_48", "i", block=(48,)),
    _move("every_other_lane", "i", guard="if (t % 2) ", even=False),
    _move("lower_half_warp", "i", guard="if (t % 32 < 16) ", even=False),
    _shared("shared_in_order", "t"), _shared("shared_stride_2", "2 * (t)", cells=256),
    _shared("shared_stride_3", "3 * (t)", cells=384), _shared("shared_stride_4", "4 * (t)", cells=512),
    _shared("shared_stride_16", "16 * (t)", cells=2048), _shared("shared_stride_32", "32 * (t)", cells=4096),
    _shared("shared_stride_33", "33 * (t)", cells=4224), _shared("shared_64_bit", "t", "two"),
    _shared("shared_64_bit_stride_2", "2 * (t)", "two", cells=256), _shared("shared_128_bit", "t", "four"),
    _shared("shared_128_bit_stride_2", "2 * (t)", "four", cells=256), _shared("shared_8_bit", "t", "char"),
    _shared("tile_column", "(t) % 32 * 32 + (t) / 32", cells=1024, block=(1024,), grid=(1,)),
    _shared("tile_column_padded", "(t) % 32 * 33 + (t) / 32", cells=1056, block=(1024,), grid=(1,)),
)  # fmt: skip


def predicted(pattern: Pattern) -> dict[str, float]:
    """The simulator's value of every counter in METRICS."""
    from gpucourse.simt.link import Program
    from gpucourse.simt.profile import profile_launch

    arrays = [np.zeros(pattern.size, np.uint8) for _ in range(2)]
    total = profile_launch(Program(pattern.source), pattern.name, pattern.grid, pattern.block, arrays).total
    return {name: getattr(total, name) for name in METRICS}


def launch_all(cupy: Any) -> None:
    """Launch every pattern once on the GPU, for a profiler around this process."""
    for pattern in PATTERNS:
        arrays = tuple(cupy.zeros(pattern.size, cupy.uint8).view(pattern.dtype) for _ in range(2))
        cupy.RawKernel(pattern.source, pattern.name)(pattern.grid, pattern.block, arrays)
    cupy.cuda.Device().synchronize()


# --- what ncu counts ---------------------------------------------------------------------------------


class NoCounters(Exception):
    """Nsight Compute is not here or may not count; the text says which."""


def find_ncu() -> str | None:
    """Path of ncu, on the PATH or where NVIDIA's installers put it."""
    found = [str(p) for at in _FOUND_AT for p in sorted(Path("/").glob(at[1:]), reverse=True)]
    return shutil.which("ncu") or next(iter(found), None)


def run_ncu(command: Sequence[str]) -> tuple[int, str]:
    """Run it; status 124 where it took longer than three minutes."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=_PATIENCE,
                              check=False)  # fmt: skip
    except subprocess.TimeoutExpired:
        return 124, f"ncu took longer than {_PATIENCE} s"
    return done.returncode, done.stdout


def counted(ncu: str | None, program: Sequence[str], run: RunNcu = run_ncu) -> dict[str, dict[str, float]]:
    """Metric values by pattern, as hardware counts them when `program` launches the patterns under `ncu`.

    Raises `NoCounters` with the reason where there are none.
    """
    if ncu is None:
        raise NoCounters("Nsight Compute (ncu) is not installed here")
    status, text = run([ncu, "--clock-control", "none", "--csv", "--print-units", "base", "--target-processes", "all",
                        "--metrics", ",".join(METRICS.values()), *program])  # fmt: skip
    for sign, reason in _REFUSALS.items():
        if sign in text:
            raise NoCounters(reason)
    found = read_csv(text)
    if not found:
        last = (text.strip().splitlines() or ["nothing"])[-1]
        raise NoCounters(f"ncu ended with status {status} and counted nothing; its last line: {last}")
    return found


def read_csv(text: str) -> dict[str, dict[str, float]]:
    """Counters by kernel from what `ncu --csv` printed, its own messages and the program's included.

    Of a kernel launched twice the last counts; a metric that the chip lacks ("n/a") is left out.
    """
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith('"ID"')), len(lines))
    of_metric, found = {metric: name for name, metric in METRICS.items()}, dict[str, dict[str, float]]()
    for row in csv.DictReader(io.StringIO("\n".join(line for line in lines[start:] if line.startswith('"')))):
        name, kernel = of_metric.get(row.get("Metric Name") or ""), (row.get("Kernel Name") or "").partition("(")[0]
        value = _number(row.get("Metric Value") or "")
        if name is not None and value is not None:
            found.setdefault(kernel.strip(), {})[name] = value
    return found


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))  # 1,024: ncu groups thousands as the locale does
    except ValueError:
        return None


# --- side by side ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One counter of one pattern: `simulator` and `hardware` values; `judged` False: shown only."""

    pattern: str
    counter: str
    simulator: float
    hardware: float | None
    judged: bool = True

    @property
    def agrees(self) -> bool | None:
        """None where hardware gave no value, or where the two need not be equal."""
        if self.hardware is None or not self.judged:
            return None
        return abs(self.simulator - self.hardware) <= 0.005  # ncu prints ratios with two decimals


def side_by_side(
    hardware: dict[str, dict[str, float]], simulator: Callable[[Pattern], dict[str, float]] = predicted
) -> list[Row]:
    """Every counter of every pattern, leaving out what neither side counted."""
    rows = []
    for pattern in PATTERNS:
        ours, theirs = simulator(pattern), hardware.get(pattern.name, {})
        rows += [Row(pattern.name, name, ours[name], theirs.get(name), name != "active_lanes" or pattern.even)
                 for name in METRICS if ours[name] or theirs.get(name)]  # fmt: skip
    return rows
