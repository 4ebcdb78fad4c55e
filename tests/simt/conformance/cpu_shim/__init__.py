"""CUDA C as C++ on the CPU: a second engine for the conformance kernels (see README.md)."""
