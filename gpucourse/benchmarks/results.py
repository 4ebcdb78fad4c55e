"""What ladders need that set array code beside PyTorch: PyTorch itself, and a check of results of either kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gpucourse.benchmarks.case import Checked, Machine, NotHere, require_close


def pytorch(machine: Machine) -> Any:
    """Return the machine's PyTorch; for a rehearsal any that is installed. Raises NotHere without one."""
    if machine.torch is None and machine.kind != "simulator":
        raise NotHere("this rung needs PyTorch")
    try:
        import torch
    except ImportError as error:
        raise NotHere(f"this rung needs PyTorch ({error})") from None
    return machine.torch or torch


def checked(
    kernel: str, machine: Machine, function: Callable[[], Any], seen: list[int], due: Any, tolerance: float
) -> Checked:
    """Return the call with its check: the examples `seen` of its result are `due`, and all of it is finite.

    The result is the machine's array or a tensor beside it; `due` is on the host, and an error may be `tolerance` of
    its largest number.
    """
    xp, held = machine.xp, dict[str, Any]()

    def call() -> None:
        held["result"] = function()

    def check() -> None:
        result = held["result"] if isinstance(held["result"], xp.ndarray) else xp.from_dlpack(held["result"])
        sound = result.shape[1:] == due.shape[1:] and bool(xp.isfinite(result).all())
        found = getattr(xp, "asnumpy", np.asarray)(result[seen]) if sound else np.nan
        require_close(kernel, float(abs(found - due).max()), float(abs(due).max()), tolerance)

    return Checked(call, held.clear, check)
