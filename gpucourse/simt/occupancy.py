"""Theoretical occupancy: how many warps of a kernel fit into one multiprocessor (SM) at the same time.

An SM gives every resident block its warps, registers and shared memory for as long as the block lives, so
the scarcest of them decides how many blocks fit. With R registers a thread, S bytes of shared memory and T
threads a block:

    warps a block        W = ceil(T / 32)
    limit of warps       floor(warps per SM / W)
    limit of registers   floor(4 * floor(65536 / 4 / roundup(32 R, 256)) / W)
    limit of shared      floor(bytes per SM / roundup(S + reserved, granularity))
    blocks per SM        the least of these and of the limit of blocks
    occupancy            blocks * W / warps per SM

Registers are given to whole warps in units of 256, separately in each of the SM's four partitions. Sources:
the table "Technical Specifications per Compute Capability" of the CUDA C++ Programming Guide; the tuning
guides (Ada, Hopper, Blackwell); `cuda_occupancy.h` of the CUDA toolkit, whose result `tests/` compare with.

It is theoretical: the largest share of shared memory that the driver can set aside is assumed, and whether
the launch has enough blocks, or how long each runs, is not considered. Achieved occupancy only a GPU knows.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpucourse.errors import CourseError
from gpucourse.simt.registers import WARP

_KB = 1024
_REGISTER_UNIT = 256
PARTITIONS = 4
MOST_REGISTERS_PER_THREAD = 255
#: Bytes a block gets without the kernel's attribute `max_dynamic_shared_size_bytes`.
DEFAULT_SHARED_PER_BLOCK = 48 * _KB


@dataclass(frozen=True)
class Limits:
    """What one SM of a compute capability holds; bytes, warps, blocks, 32-bit registers.

    `shared_unit` is the granularity of shared memory, `shared_reserved` what the driver keeps of it per block.
    """

    warps: int
    blocks: int
    shared: int
    shared_per_block: int
    shared_unit: int = 128
    shared_reserved: int = _KB
    registers: int = 65_536
    threads_per_block: int = 1024

    def registers_of_a_warp(self, registers: int) -> int:
        """Registers that a warp takes whose threads have `registers` each: a multiple of 256."""
        return _rounded_up(registers * WARP, _REGISTER_UNIT)

    def warps_by_registers(self, registers: int) -> int:
        """Warps for which there are registers: as many in each partition as fit there."""
        return self.registers // PARTITIONS // self.registers_of_a_warp(registers) * PARTITIONS

    def shared_of_a_block(self, shared_bytes: int) -> int:
        """Bytes of shared memory that a block of `shared_bytes` takes, with the driver's own."""
        return _rounded_up(shared_bytes + self.shared_reserved, self.shared_unit)


#: Compute capability -> limits of one SM.
LIMITS = {
    "7.0": Limits(64, 32, 96 * _KB, 96 * _KB, 256, 0),
    "7.5": Limits(32, 16, 64 * _KB, 64 * _KB, 256, 0),
    "8.0": Limits(64, 32, 164 * _KB, 163 * _KB),
    "8.6": Limits(48, 16, 100 * _KB, 99 * _KB),
    "8.9": Limits(48, 24, 100 * _KB, 99 * _KB),
    "9.0": Limits(64, 32, 228 * _KB, 227 * _KB),
    "10.0": Limits(64, 32, 228 * _KB, 227 * _KB),
}
#: Device -> compute capability (developer.nvidia.com/cuda-gpus).
DEVICES = {
    "V100": "7.0", "T4": "7.5", "RTX 2080 Ti": "7.5", "A100": "8.0", "A30": "8.0", "A10": "8.6", "A40": "8.6",
    "RTX 3090": "8.6", "RTX A6000": "8.6", "RTX 4090": "8.9", "RTX 4060": "8.9", "L4": "8.9", "L40S": "8.9",
    "H100": "9.0", "H200": "9.0", "B200": "10.0",
}  # fmt: skip
_ALSO = {"A6000": "RTX A6000"}


@dataclass(frozen=True)
class Occupancy:
    """Theoretical occupancy of one kernel on one device, in blocks and warps per SM.

    `limits` is how many blocks each resource allows ("warps", "blocks", "registers", "shared memory"; None: any
    number); `bound_by` names those that allow the fewest. `registers` are per thread, `shared_bytes` per block.
    """

    device: str
    compute_capability: str
    threads: int
    registers: int
    shared_bytes: int
    blocks_per_sm: int
    warps_per_sm: int
    most_warps: int
    limits: dict[str, int | None]
    bound_by: tuple[str, ...]

    @property
    def percent(self) -> float:
        """Resident warps per 100 that the SM has room for."""
        return 100 * self.warps_per_sm / self.most_warps

    def __str__(self) -> str:
        found = (f"{self.device}: {self.warps_per_sm} of {self.most_warps} warps per SM ({self.percent:.0f} %), "
                 f"{self.blocks_per_sm} blocks of {self.threads} threads, bound by {' and '.join(self.bound_by)}; "
                 f"{self.registers} registers a thread, {self.shared_bytes} bytes of shared memory a block")
        return found if self.blocks_per_sm else f"{found}: no block fits, so the launch fails on this device"

    __repr__ = __str__


def limits_of(device: str) -> tuple[str, str, Limits]:
    """(name, compute capability, limits) of "A100", "a100" or "8.0"; raises `CourseError` for an unknown one."""
    wanted = device.strip().lower().removeprefix("nvidia ").removeprefix("geforce ").removeprefix("tesla ")
    if wanted in LIMITS:
        return f"compute capability {wanted}", wanted, LIMITS[wanted]
    names = {name.lower(): name for name in DEVICES} | {other.lower(): name for other, name in _ALSO.items()}
    if wanted not in names:
        raise CourseError(f"the limits of the device {device!r} are not known here; known are {', '.join(DEVICES)}, "
                          f"and the compute capabilities {', '.join(LIMITS)}")  # fmt: skip
    name = names[wanted]
    return name, DEVICES[name], LIMITS[DEVICES[name]]


def occupancy(device: str, threads: int, registers: int, shared_bytes: int = 0) -> Occupancy:
    """Theoretical occupancy of blocks of `threads` threads with `registers` 32-bit registers a thread.

    `shared_bytes` are the static and dynamic bytes a block. `device` is a name ("A100") or a compute capability
    ("8.0"). Formula and sources: this module's docstring. Raises `CourseError` for an unknown device.

    >>> occupancy("A100", 256, 64).percent
    50.0
    """
    name, capability, limits = limits_of(device)
    warps = max(1, -(-threads // WARP))
    allowed = {
        "warps": limits.warps // warps if threads <= limits.threads_per_block else 0,
        "blocks": limits.blocks,
        "registers": _blocks_by_registers(limits, warps, registers),
        "shared memory": _blocks_by_shared(limits, shared_bytes),
    }
    blocks = min(count for count in allowed.values() if count is not None)
    bound_by = tuple(resource for resource, count in allowed.items() if count == blocks)
    return Occupancy(name, capability, threads, registers, shared_bytes, blocks, blocks * warps, limits.warps,
                     allowed, bound_by)  # fmt: skip


def _blocks_by_registers(limits: Limits, warps: int, registers: int) -> int | None:
    if registers <= 0:
        return None
    if registers > MOST_REGISTERS_PER_THREAD:
        return 0
    return limits.warps_by_registers(registers) // warps


def _blocks_by_shared(limits: Limits, shared_bytes: int) -> int | None:
    taken = limits.shared_of_a_block(shared_bytes)
    if shared_bytes > limits.shared_per_block:
        return 0
    return limits.shared // taken if taken else None


def _rounded_up(number: int, unit: int) -> int:
    return -(-number // unit) * unit
