"""The names of CuPy's kernel classes; the simulator that runs them is not in this version."""

from __future__ import annotations

from typing import Any

from gpucourse.errors import NotBuiltYet


def _absent(name: str) -> type:
    def refuse(self: Any, *args: Any, **kwargs: Any) -> None:
        raise NotBuiltYet(
            f"cp.{name} without a GPU comes with the kernel simulator, which this version of the course does not have "
            "yet. Arrays and cp.fuse work; on a machine with an NVIDIA GPU, CuPy's own class is used."
        )

    return type(name, (), {"__init__": refuse, "__doc__": f"CuPy's {name}: not in this version.", "__module__": "cupy"})


ElementwiseKernel = _absent("ElementwiseKernel")
ReductionKernel = _absent("ReductionKernel")
