"""All explorers under one name, `explorers.amdahl()`; each lives in a file beside its plain function."""

from __future__ import annotations

from gpucourse.viz.amdahl import explore as amdahl
from gpucourse.viz.banks import explore as banks
from gpucourse.viz.coalescing import explore as coalescing
from gpucourse.viz.occupancy import explore as occupancy
from gpucourse.viz.pipeline import explore as pipeline
from gpucourse.viz.reduction_ladder import explore as reduction_ladder
from gpucourse.viz.roads import explore as roads
from gpucourse.viz.roofline import explore as roofline
from gpucourse.viz.stepper import explore as stepper
from gpucourse.viz.thread_grid import explore as thread_grid
from gpucourse.viz.tiling import explore as tiling
from gpucourse.viz.timeline import explore as timeline

__all__ = [
    "amdahl", "banks", "coalescing", "occupancy", "pipeline", "reduction_ladder", "roads", "roofline", "stepper",
    "thread_grid", "tiling", "timeline",
]  # fmt: skip
