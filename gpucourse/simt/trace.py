"""What was executed and accessed: the hooks that the machine calls; recording never alters results.

A `Trace` sees every basic block, memory access, fence, barrier and warp-wide operation of a launch, each for
all lanes that execute it together. `metrics.Profiler` counts them, `sanitize.Sanitizer` looks for faults.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpucourse.simt.memory import SPACE_SHIFT, SPACES
from gpucourse.simt.ptx import Instruction
from gpucourse.simt.registers import Fragment, Lanes, Values, raw, spread

_INSIDE = np.uint64((1 << SPACE_SHIFT) - 1)
_NAMES = list(SPACES)


@dataclass(frozen=True, slots=True)
class Access:
    """One memory instruction of a set of lanes, before it is executed (so it may still fault).

    `space` is "global", "const", "shared", "local" or "param"; `kind` is "load", "store" or "atomic". Each lane
    accesses `count` elements of `size` bytes from `address` on: byte addresses inside the space (global: virtual
    addresses), uint64, shape (lanes,). `values` are a store's elements as raw bits, `count` arrays of shape (lanes,).
    """

    wave: Any
    instruction: Instruction
    kind: str
    space: str
    lanes: Lanes
    address: Values
    size: int
    count: int
    values: tuple[Values, ...] = ()

    @property
    def bytes(self) -> int:
        """Bytes that one lane accesses."""
        return self.size * self.count


class Trace:
    """Hooks that do nothing; a recorder overrides those it needs.

    `wave` is a set of blocks that run together (`wave.shape` says which), `f` a set of lanes at one place.
    """

    #: Whether `executed` is called: it slows a launch down, so only who asks for it gets it.
    instruction_by_instruction = False

    def begin(self, machine: Any) -> None:
        """A launch begins; `machine` has `kernel`, `shape`, `memory` and `shared_bytes`."""

    def wave(self, wave: Any) -> None:
        """The blocks of `wave` begin."""

    def block(self, f: Fragment, run: Any) -> None:
        """The lanes of `f` are about to execute `run.instructions`."""

    def executed(self, f: Fragment, instruction: Instruction) -> None:
        """The lanes of `f` have executed `instruction`: `f.registers` holds what it wrote. Not for those that end a
        block, except warp-wide operations.
        """

    def diverges(self, f: Fragment, branch: Instruction, taken: Values) -> None:
        """The lanes of `f` part: `taken` (bool, shape (lanes,)) are those that jump. They may be of several warps."""

    def access(self, access: Access) -> None:
        """Lanes are about to load, store or update memory."""

    def allocate(self, wave: Any, blocks: list[tuple[int, int]]) -> None:
        """`malloc` has given these parts of the program's heap to lanes of `wave`: (first byte, bytes)."""

    def fence(self, f: Fragment, fence: Instruction) -> None:
        """The lanes of `f` execute a memory fence."""

    def arrive(self, f: Fragment, barrier: Instruction, number: int) -> None:
        """The lanes of `f` arrive at block barrier `number`."""

    def release(self, wave: Any, number: int, slots: Values) -> None:
        """Block barrier `number` lets go those who waited at it: the lanes at `slots` of `wave`."""

    def warp(self, f: Fragment, operation: Instruction) -> None:
        """The lanes of `f` execute a warp-wide operation (shuffle, vote, match, `bar.warp.sync`, wmma)."""

    def meet(self, wave: Any, slots: Values) -> None:
        """`bar.warp.sync` at several places has let go the lanes at `slots` of `wave` (ascending) together."""

    def exit(self, f: Fragment) -> None:
        """The lanes of `f` have ended."""


def record(
    trace: Trace, f: Fragment, instruction: Instruction, kind: str, space: str, address: Values, size: int,
    values: tuple[Values, ...] = (), count: int = 1,
) -> None:  # fmt: skip
    """Tell `trace` of an access of all lanes of `f`, split by the state space that each address is in."""
    address = spread(address, f.lanes.count)
    for name, inside, chosen in split(space, address):
        if name == "global" and "const" in instruction.parts:
            name = "const"
        lanes = f.lanes if chosen is None else Lanes(f.lanes.slot[chosen], f.lanes.shape)
        held = tuple(spread(raw(v), f.lanes.count) for v in values)
        if chosen is not None:
            held = tuple(v[chosen] for v in held)
        trace.access(Access(f.machine, instruction, kind, name, lanes, inside, size, count, held))


def split(space: str, address: Values) -> list[tuple[str, Values, Values | None]]:
    """(space, addresses in it, positions of its lanes or None for all) of possibly generic addresses."""
    if space != "generic":
        return [(space, address, None)]
    numbers = address >> np.uint64(SPACE_SHIFT)
    first = int(numbers[0])
    if (numbers == numbers[0]).all():
        return [(_NAMES[min(first, 3)], address & _INSIDE if first else address, None)]
    parts: list[tuple[str, Values, Values | None]] = []
    for number in np.unique(numbers):
        chosen = np.flatnonzero(numbers == number)
        parts.append((_NAMES[min(int(number), 3)], address[chosen] & _INSIDE, chosen))
    return parts
