"""All explorers under one name, `explorers.amdahl()`; each lives in a file beside its plain function."""

from __future__ import annotations

from gpucourse.viz.amdahl import explore as amdahl
from gpucourse.viz.coalescing import explore as coalescing
from gpucourse.viz.pipeline import explore as pipeline
from gpucourse.viz.roofline import explore as roofline
from gpucourse.viz.timeline import explore as timeline

__all__ = ["amdahl", "coalescing", "pipeline", "roofline", "timeline"]
