"""All explorers under one name, `explorers.amdahl()`; each lives in a file beside its plain function."""

from __future__ import annotations

from gpucourse.viz.activations import explore as activations
from gpucourse.viz.amdahl import explore as amdahl
from gpucourse.viz.augmentation import explore as augmentation
from gpucourse.viz.banks import explore as banks
from gpucourse.viz.cell_memory import explore as cell_memory
from gpucourse.viz.coalescing import explore as coalescing
from gpucourse.viz.convolution import explore as convolution
from gpucourse.viz.cost import explore as cost
from gpucourse.viz.course_map import explore as course_map
from gpucourse.viz.drawing import explore as drawing
from gpucourse.viz.horizon import explore as horizon
from gpucourse.viz.occupancy import explore as occupancy
from gpucourse.viz.optimizer_path import explore as optimizer_path
from gpucourse.viz.pipeline import explore as pipeline
from gpucourse.viz.reduction_ladder import explore as reduction_ladder
from gpucourse.viz.roads import explore as roads
from gpucourse.viz.roofline import explore as roofline
from gpucourse.viz.saliency import explore as saliency
from gpucourse.viz.scaling import explore as scaling
from gpucourse.viz.step_timeline import explore as step_timeline
from gpucourse.viz.stepper import explore as stepper
from gpucourse.viz.thread_grid import explore as thread_grid
from gpucourse.viz.tiling import explore as tiling
from gpucourse.viz.timeline import explore as timeline
from gpucourse.viz.training_curves import explore as training_curves
from gpucourse.viz.window_and_hop import explore as window_and_hop

__all__ = [
    "activations", "amdahl", "augmentation", "banks", "cell_memory", "coalescing", "convolution", "cost", "course_map",
    "drawing", "horizon", "occupancy", "optimizer_path", "pipeline", "reduction_ladder", "roads", "roofline",
    "saliency", "scaling", "step_timeline", "stepper", "thread_grid", "tiling", "timeline", "training_curves",
    "window_and_hop",
]  # fmt: skip
