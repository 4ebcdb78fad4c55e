"""The conformance set: CUDA C kernels of our own, each with its arguments and an independent oracle."""
