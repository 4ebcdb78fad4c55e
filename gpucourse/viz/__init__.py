"""Figures (matplotlib) and explorers (ipywidgets): they draw numbers that a lesson computed, and run no kernels."""
