"""All explorers under one name, `explorers.amdahl()`; each lives in a file beside its plain function."""

from __future__ import annotations

from gpucourse.viz.activations import explore as activations
from gpucourse.viz.amdahl import explore as amdahl
from gpucourse.viz.banks import explore as banks
from gpucourse.viz.coalescing import explore as coalescing
from gpucourse.viz.convolution import explore as convolution
from gpucourse.viz.occupancy import explore as occupancy
from gpucourse.viz.optimizer_path import explore as optimizer_path
from gpucourse.viz.pipeline import explore as pipeline
from gpucourse.viz.reduction_ladder import explore as reduction_ladder
from gpucourse.viz.roads import explore as roads
from gpucourse.viz.roofline import explore as roofline
from gpucourse.viz.stepper import explore as stepper
from gpucourse.viz.thread_grid import explore as thread_grid
from gpucourse.viz.tiling import explore as tiling
from gpucourse.viz.timeline import explore as timeline

__all__ = [
    "activations", "amdahl", "banks", "coalescing", "convolution", "occupancy", "optimizer_path", "pipeline",
    "reduction_ladder", "roads", "roofline", "stepper", "thread_grid", "tiling", "timeline",
]  # fmt: skip
