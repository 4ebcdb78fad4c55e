"""CUDA C to PTX to NumPy: every kernel of the course runs here without a GPU (see README.md)."""
