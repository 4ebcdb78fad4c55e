"""CUDA C to PTX to NumPy: every kernel of the course runs here without a GPU.

README.md follows one kernel through all files; read it first. Then, in this order: registers, ptx, flow,
instructions (with arithmetic, warp, atomics, wmma), memory, link, run (with barriers and builtins), compile;
last what watches a launch: trace, then metrics, profile and occupancy, then happens, races, regions and sanitize.
"""
